# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null

from trytond.model import Index, fields
from trytond.pool import PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..stored import of_ids
from .start import abandoned, continued


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    is_start = fields.Function(
        fields.Boolean(
            "Start",
            help="The trainee really started by it: came at least once and "
            "had not yet started before a transfer."),
        'get_start', searcher='search_start')
    is_abandoned = fields.Function(
        fields.Boolean(
            "Abandoned",
            help="The trainee really started by it, and an abandonment is "
            "validated, there or after a transfer."),
        'get_start', searcher='search_start')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(Index(
                t, (t.transferred_from, Index.Equality()),
                where=t.transferred_from != Null))

    @classmethod
    def get_start(cls, enrolments, names):
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        result = {n: dict.fromkeys(map(int, enrolments), False) for n in names}
        for name in names:
            condition = cls._sql_start(table, name)
            for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
                cursor.execute(*table.select(
                        table.id,
                        where=of_ids(map(int, sub_enrolments))(table.id)
                        & condition))
                result[name].update((id_, True) for id_, in cursor)
        return result

    @classmethod
    def search_start(cls, name, clause):
        table = cls.__table__()
        return tools.boolean_domain(clause, table.select(
                table.id, where=cls._sql_start(table, name)))

    @classmethod
    def _sql_start(cls, table, name):
        "Return the SQL condition on the table of the field"
        start = sql_start(table)
        if name == 'is_abandoned':
            start &= table.id.in_(abandoned())
        return start


def sql_start(enrolment):
    return (enrolment.first_presence != Null) & ~enrolment.id.in_(continued())
