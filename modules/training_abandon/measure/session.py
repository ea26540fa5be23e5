# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from sql import Union

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..stored import of_all, of_ids


class Session(metaclass=PoolMeta):
    __name__ = 'training.session'

    measured = fields.Function(
        fields.Boolean(
            "With Measures",
            help="There is a measure of the session, of its course or of one "
            "of its enrolments."),
        'get_measures', searcher='search_measured')
    measure_kinds = fields.Function(
        fields.Char("Evidence", help="The numbers of the guide."),
        'get_measures')

    @classmethod
    def get_measures(cls, sessions, names):
        cursor = Transaction().connection.cursor()
        kinds = defaultdict(set)
        for sub_ids in grouped_slice([s.id for s in sessions], tools.BATCH):
            cursor.execute(*cls._measures_query(of_ids(list(sub_ids))))
            for session, number in cursor:
                kinds[session].add(number)
        return {
            name: {
                s.id: (
                    bool(kinds[s.id]) if name == 'measured'
                    else ', '.join(map(str, sorted(kinds[s.id]))))
                for s in sessions}
            for name in names}

    @classmethod
    def _measures_query(cls, of=of_all):
        """Return the query of the sessions with the numbers of the evidence
        of their measures; of is the condition on the column of a session"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Kind = pool.get('training.measure.kind')
        Measure = pool.get('training.measure')

        def query(table, found, session):
            measure, kind = Measure.__table__(), Kind.__table__()
            return (table.join(measure, condition=found(table, measure))
                .join(kind, condition=kind.id == measure.kind)
                .select(
                    session(table).as_('session'), kind.number.as_('number'),
                    where=of(session(table))))

        return Union(
            query(
                cls.__table__(),
                lambda session, measure: measure.session == session.id,
                lambda session: session.id),
            query(
                cls.__table__(),
                lambda session, measure: (
                    (measure.course == session.course)
                    & (measure.company == session.company)),
                lambda session: session.id),
            query(
                Enrolment.__table__(),
                lambda enrolment, measure: measure.enrolment == enrolment.id,
                lambda enrolment: enrolment.session))

    @classmethod
    def search_measured(cls, name, clause):
        _, operator, value = clause
        query = cls._measures_query()
        query = query.select(query.session)
        operator = 'in' if bool(value) == (operator == '=') else 'not in'
        return [('id', operator, query)]
