# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The enrolments at which the rules are still to look

They are told beside the enrolments, whose many indexes an update fills."""
from sql import Literal

from trytond.model import Index, ModelSQL, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..attendance.stored_facts import MOST
from ..stored import of_ids


class Due(ModelSQL):
    "An enrolment whose facts have changed since the rules looked at them"
    __name__ = 'training.risk.due'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True,
        ondelete='CASCADE')
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, readonly=True,
        ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(Index(t, (t.enrolment, Index.Equality())))

    @classmethod
    def __register__(cls, module):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        super().__register__(module)
        enrolment_h = Enrolment.__table_handler__(module)
        if enrolment_h.column_exist('risk_due'):
            enrolment = Enrolment.__table__()
            cls._insert(enrolment, enrolment.risk_due == Literal(True))
            enrolment_h.drop_column('risk_due')

    @classmethod
    def add(cls, ids):
        """Have the rules look at the enrolments

        Those that are due are added again: what looks at them meanwhile
        removes only what it knows."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolment = Enrolment.__table__()
        for sub_ids in grouped_slice(sorted(ids), MOST):
            cls._insert(enrolment, of_ids(sub_ids)(enrolment.id))

    @classmethod
    def _insert(cls, enrolment, where):
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.insert(
                [table.company, table.enrolment],
                enrolment.select(
                    enrolment.company, enrolment.id, where=where)))

    @classmethod
    def remove(cls, ids):
        "Note that the rules have looked at the enrolments"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        for sub_ids in grouped_slice(sorted(ids), MOST):
            cursor.execute(*table.delete(
                    where=of_ids(sub_ids)(table.enrolment)))

    @classmethod
    def of_company(cls, company):
        "Return the ids of the enrolments of the company that are due"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.enrolment,
                where=table.company == company.id,
                group_by=[table.enrolment]))
        return {id_ for id_, in cursor}
