# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import re
from collections import defaultdict

from sql import Literal, Null, Union
from sql.aggregate import Count
from sql.operators import Concat

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..access_value import MAX_INTEGER
from ..stored import of_all, of_ids


class Session(metaclass=PoolMeta):
    __name__ = 'training.session'

    measured = fields.Function(
        fields.Boolean(
            "With Measures",
            help="There is a measure of the session, of its course or of one "
            "of its enrolments, for a guide that is valid during the "
            "session."),
        'get_measures', searcher='search_measured')
    measure_kinds = fields.Function(
        fields.Char(
            "Evidence",
            help="The numbers by guide.  Search by one of them."),
        'get_measures', searcher='search_measure_kinds')
    measure_documents = fields.Function(
        fields.Integer(
            "Documents",
            help="The number of attachments of its measures: what shows that "
            "they were taken."),
        'get_measure_documents')

    @classmethod
    def get_measures(cls, sessions, names):
        cursor = Transaction().connection.cursor()
        kinds = defaultdict(lambda: defaultdict(set))
        for sub_ids in grouped_slice([s.id for s in sessions], tools.BATCH):
            cursor.execute(*cls._measures_query(of_ids(list(sub_ids))))
            for session, guide, number in cursor:
                kinds[session][guide].add(number)
        return {
            name: {
                s.id: (
                    bool(kinds[s.id]) if name == 'measured'
                    else cls._numbers(kinds[s.id]))
                for s in sessions}
            for name in names}

    @classmethod
    def get_measure_documents(cls, sessions, name):
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        attachment = Attachment.__table__()
        cursor = Transaction().connection.cursor()
        documents = dict.fromkeys((s.id for s in sessions), 0)
        for sub_ids in grouped_slice(list(documents), tools.BATCH):
            measure = cls._measures_query(
                of_ids(list(sub_ids)),
                lambda measure, kind: [measure.id.as_('id')])
            cursor.execute(*measure.join(attachment, condition=(
                        attachment.resource == Concat(
                            'training.measure,',
                            fields.Char('id').sql_cast(measure.id)))
                    ).select(
                    measure.session, Count(Literal(1)),
                    group_by=[measure.session]))
            documents.update(cursor)
        return documents

    @classmethod
    def _numbers(cls, by_guide):
        "Return the numbers of the evidence by guide in words"
        return '; '.join(
            f"{guide}: {', '.join(map(str, sorted(numbers)))}"
            for guide, numbers in sorted(by_guide.items()))

    @classmethod
    def _measures_query(cls, of=of_all, get_columns=None):
        """Return the query of the sessions with the guides and numbers of
        the evidence of their measures; of is the condition on the column of
        a session and get_columns returns other columns of the tables of the
        measures and of their evidence."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Kind = pool.get('training.measure.kind')
        Measure = pool.get('training.measure')

        session, measure, kind = (
            m.__table__() for m in [cls, Measure, Kind])
        enrolment = Enrolment.__table__()
        columns = [kind.guide.as_('guide'), kind.number.as_('number')]
        if get_columns:
            columns = get_columns(measure, kind)
        covered = (
            session.join(measure, condition=(
                    (measure.session == session.id)
                    | (measure.course == session.course)
                    & (measure.company == session.company)
                    # What is done for a course covers what has not ended
                    & (measure.date <= session.end_date))),
            enrolment.join(
                measure, condition=measure.enrolment == enrolment.id
                ).join(
                session, condition=session.id == enrolment.session),
            )
        return Union(*(
                from_.join(kind, condition=(kind.id == measure.kind)
                    & ((kind.start_date == Null)
                        | (kind.start_date <= session.end_date))
                    & ((kind.end_date == Null)
                        | (kind.end_date >= session.start_date))
                    ).select(
                    session.id.as_('session'), *columns,
                    where=of(session.id))
                for from_ in covered))

    @classmethod
    def search_measured(cls, name, clause):
        query = cls._measures_query()
        return tools.boolean_domain(clause, query.select(query.session))

    @classmethod
    def search_measure_kinds(cls, name, clause):
        _, operator, value = clause
        query = cls._measures_query()
        found = query.select(query.session)
        if value:
            words = value if isinstance(value, str) else ' '.join(value)
            numbers = [
                n for n in map(int, re.findall(r'\b\d+\b', words))
                if n <= MAX_INTEGER]
            # No evidence has the number -1
            found.where = query.number.in_(numbers or [-1])
        negative = operator.startswith(('!', 'not '))
        if not value:
            negative = not negative
        return [('id', 'not in' if negative else 'in', found)]
