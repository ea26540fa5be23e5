# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the cases are worth in the sense of the guide"
from sql import Column, Literal, Null, Union
from sql.aggregate import Count
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce

from trytond.model import Index, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..audit.conformity import CONFORMITIES
from ..stored import REGISTERING, SLICE, of_ids
from .grading import GRADES

RANKED = [conformity for conformity, _ in CONFORMITIES]


class GradeMixin:
    "Cases that are graded by the version of the guide of their time"
    __slots__ = ()

    grade = fields.Function(
        fields.Selection(
            [(None, "")] + GRADES, "Grade", sort=False,
            help="What the guide makes of the conformity of the steps, once "
            "one of them is due or done; empty for the courses to which the "
            "indicator does not apply."),
        'get_grade', searcher='search_grade')
    grade_string = grade.translated('grade')
    closed_grade = fields.Selection(
        [(None, "")] + GRADES, "Grade once Closed", readonly=True,
        sort=False,
        help="The grade of the closed case, which time does not change any "
        "more.")
    grading = fields.Many2One(
        'training.audit.grading', "Grading", readonly=True,
        ondelete='RESTRICT',
        help="The version of the guide by which the closed case is graded.")
    applicable = fields.Boolean(
        "Indicator Applicable", readonly=True,
        help="The indicator applied to the course when the case was graded.")

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        has_applicable = table_h.column_exist('applicable')
        super().__register__(module)
        if not has_applicable:
            # As it is of the cases without grading that are created
            cursor = Transaction().connection.cursor()
            table = cls.__table__()
            cursor.execute(*table.update(
                    [table.applicable], [False],
                    where=table.applicable == Null))

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t, (t.closed_grade, Index.Equality(cardinality='low')),
                    where=t.closed_grade.in_(['minor', 'major'])),
                Index(t, (t.grading, Index.Equality())),
                })

    @classmethod
    def _protected_fields(cls):
        return super()._protected_fields() | {
            'closed_grade', 'grading', 'applicable'}

    @classmethod
    def store_ungraded(cls):
        "Store the grade of the closed cases that have none"
        case = cls.__table__()
        ungraded = case.select(
            case.id,
            where=(case.closed_conformity != Null) & (case.grading == Null))
        cls.store(lambda column: column.in_(ungraded), ['closed_grade'])

    @classmethod
    def stored_queries(cls):
        queries = dict(super().stored_queries())
        # The creation of the gradings stores the grades
        if Transaction().context.get('_registering') is not REGISTERING:
            del queries['closed_conformity', ]
            queries[
                'closed_conformity', 'closed_grade', 'grading',
                'applicable'] = cls._closed_query
        return queries

    @classmethod
    def _closed_query(cls, of):
        """Return the query of the id, conformity and of what is stored of the
        grade of the cases, that those have only for which time changes nothing
        any more"""
        pool = Pool()
        Grading = pool.get('training.audit.grading')
        case, other = cls.__table__(), cls.__table__()
        grading, course = Grading.__table__(), cls._courses()
        count = cls._counts(lambda step: step.case.in_(other.select(
                    other.id, where=of(other.id))))
        settled = (case.closed_at != Null) & (count.changing == 0)
        # Neither a later version nor another duration of the course changes
        # what is graded
        valid = Coalesce(
            case.grading, Grading.sql_valid_at(case.company, case.closed_at))
        applicable = SQLCase(
            (case.grading != Null, case.applicable),
            else_=Coalesce(
                Grading.sql_applies(grading, course), Literal(False)))
        return (case
            .join(course, condition=course.enrolment == case.enrolment)
            .join(count, condition=count.case == case.id)
            .join(grading, 'LEFT',
                condition=settled & (grading.id == valid))
            .select(
                case.id.as_('id'),
                SQLCase((settled, cls._sql_conformity(count))
                    ).as_('closed_conformity'),
                cls._sql_grade(
                    count, grading, applicable, Literal(True)
                    ).as_('closed_grade'),
                grading.id.as_('grading'),
                SQLCase(
                    (grading.id != Null, applicable), else_=Literal(False)
                    ).as_('applicable'),
                where=of(case.id)))

    @classmethod
    def _courses(cls):
        "Return the query of the number of days of the course, by enrolment"
        pool = Pool()
        enrolment, session, course = (
            pool.get(f'training.{n}').__table__()
            for n in ['enrolment', 'session', 'course'])
        return (enrolment
            .join(session, condition=session.id == enrolment.session)
            .join(course, condition=course.id == session.course)
            .select(enrolment.id.as_('enrolment'), course.days.as_('days')))

    @classmethod
    def _counts(cls, where):
        """Return the query of the number of steps of each conformity, and of
        those that time changes, by case, of the steps of the condition"""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        step = Step.__table__()
        judged = step.select(
            step.case.as_('case'),
            ((step.state == 'todo') | (step.evidence == 'pending')
                ).as_('changing'),
            Step.sql_conformity(step).as_('conformity'),
            where=where(step))
        return judged.select(
            judged.case.as_('case'),
            Count(Literal(1), filter_=judged.changing).as_('changing'),
            *(
                Count(Literal(1), filter_=judged.conformity == c).as_(c)
                for c in RANKED),
            group_by=[judged.case])

    @classmethod
    def _sql_conformity(cls, count):
        "Return the SQL expression of the worst conformity of the counts"
        return SQLCase(*((Column(count, c) > 0, c) for c in RANKED))

    @classmethod
    def _sql_grade(cls, count, grading, applicable, closed):
        "Return the SQL expression of the grade of the counts of a case"
        pool = Pool()
        Grading = pool.get('training.audit.grading')
        shown = Coalesce(count.in_time + count.late + count.skipped, 0)
        lacking = Coalesce(count.missing + count.evidence_missing, 0)
        # A first step that falls due is one step missing, not all of them
        enough = closed | (lacking >= grading.nothing_done_steps)
        return Grading.sql_grade(grading, {
                **{
                    name: Column(count, name) > 0 for name in [
                        'missing', 'evidence_missing', 'late', 'skipped']},
                'nothing_done': (shown == 0) & (lacking > 0) & enough,
                }, applicable & (shown + lacking > 0))

    @classmethod
    def judged_query(cls, where=None):
        """Return the query of the id, enrolment, conformity and grade of the
        cases

        where returns the condition on the table of the cases."""
        pool = Pool()
        Grading = pool.get('training.audit.grading')
        settled, case, other = (cls.__table__() for _ in range(3))
        grading, course = Grading.__table__(), cls._courses()
        if where is None:
            def where(case):
                return case.id != Null
        count = cls._counts(lambda step: step.case.in_(other.select(
                    other.id,
                    where=where(other) & (other.closed_conformity == Null))))
        return Union(
            settled.select(
                settled.id.as_('id'),
                settled.enrolment.as_('enrolment'),
                settled.closed_conformity.as_('conformity'),
                settled.closed_grade.as_('grade'),
                where=where(settled) & (settled.closed_conformity != Null)),
            case
            .join(course, condition=course.enrolment == case.enrolment)
            .join(count, 'LEFT', condition=count.case == case.id)
            .join(grading, 'LEFT',
                condition=grading.id == Grading.sql_valid_at(
                    case.company, Coalesce(case.closed_at, tools.now())))
            .select(
                case.id.as_('id'),
                case.enrolment.as_('enrolment'),
                cls._sql_conformity(count).as_('conformity'),
                cls._sql_grade(
                    count, grading, Grading.sql_applies(grading, course),
                    case.closed_at != Null).as_('grade'),
                where=where(case) & (case.closed_conformity == Null)),
            all_=True)

    @classmethod
    def get_grade(cls, cases, name):
        cursor = Transaction().connection.cursor()
        grades = {c.id: c.closed_grade for c in cases}
        changing = [c.id for c in cases if not c.closed_conformity]
        for sub_ids in grouped_slice(changing, SLICE):
            of = of_ids(sub_ids)
            query = cls.judged_query(lambda case, of=of: of(case.id))
            cursor.execute(*query.select(query.id, query.grade))
            grades.update(cursor)
        return grades

    @classmethod
    def search_grade(cls, name, clause):
        _, operator, value = clause
        Operator = fields.SQL_OPERATORS[operator]
        query = cls.judged_query()
        return [('id', 'in', query.select(
                    query.id, where=Operator(query.grade, value)))]
