# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The conformity of the sessions, of the courses and of the months"
import datetime as dt

from dateutil.relativedelta import relativedelta
from sql import Literal, Null, Union
from sql.aggregate import Count, Max, Min, Sum
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce
from sql.functions import Extract

from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..home.figure import FigureMixin
from .grading import GRADED_STATES, GRADES

# What is counted of the cases of a session, and of its monitoring
OF_CASES = [
    'cases', 'missing', 'evidence_missing', 'late', 'minor', 'major',
    'late_declarations']
OF_MONITORING = ['not_handled', 'no_sheet']
CASE_DOMAIN = [('state', '!=', 'cancelled')]
LATE_DECLARATIONS = ['missing', 'late']
NUMBERS = [
    ('cases', "Cases"),
    ('missing', "Step Missing"),
    ('evidence_missing', "Evidence Missing"),
    ('late', "Step Late"),
    ('minor', "Minor"),
    ('major', "Major"),
    ('late_declarations', "Late Declarations"),
    ('alerts', "Alerts Not Handled"),
    ('follow_ups', "Follow-ups Not Done"),
    ('no_sheet', "Sheets Not Closed"),
    ('measured', "Sessions with Measures"),
    ('sessions', "Sessions"),
    ]


def _count(string, help):
    return fields.Integer(string, help=help)


class RowMixin(FigureMixin):
    "What is counted of the sessions of the period of the context"
    __slots__ = ()

    cases = _count("Cases", "The cases, without those that were cancelled.")
    missing = _count(
        "Step Missing", "The cases with a step not done in time.")
    evidence_missing = _count(
        "Evidence Missing",
        "The cases with nothing worse than a step done without evidence.")
    late = _count(
        "Step Late", "The cases with nothing worse than a step done late.")
    minor = _count(
        "Minor", "The cases that are a minor non-conformity.")
    major = _count(
        "Major", "The cases that are a major non-conformity.")
    late_declarations = _count(
        "Late Declarations",
        "The cases with a declaration that is not made, or was made, after "
        "its due date; it does not change the grade.")
    not_handled = _count(
        "Monitoring Not Done",
        "The alerts and the follow-ups of a day before that nobody handled.")
    no_sheet = _count(
        "Sheets Not Closed", "The past slots whose sheet is not closed.")
    grade = fields.Selection(
        [(None, "")] + GRADES, "Grade", sort=False,
        help="The worst grade of the cases; without any, that of the "
        "measures, of the monitoring and of the sheets.")
    grade_string = grade.translated('grade')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('grade') == 'major', 'danger',
                    If(Eval('grade') == 'minor', 'warning', ''))),
            ]

    @classmethod
    def sessions_query(cls):
        """Return the query of what is counted of each session that has begun
        in the period of the context"""
        pool = Pool()
        Course = pool.get('training.course')
        Grading = pool.get('training.audit.grading')
        Session = pool.get('training.session')
        session, course, grading = (
            m.__table__() for m in [Session, Course, Grading])
        cases = cls._cases_query()
        measures = Session._measures_query()
        measured = measures.select(measures.session, distinct=True)
        monitoring = cls._monitoring_query()
        sheets = cls._sheets_query()
        today = cls._by_company(session.company, tools.today)
        has_ended = session.end_date < today
        date = SQLCase((has_ended, session.end_date), else_=today)
        not_handled = Coalesce(monitoring.not_handled, 0)
        no_sheet = Coalesce(sheets.no_sheet, 0)
        no_measure = measured.session == Null
        # Nothing is to be shown before something is held
        has_begun = has_ended | (no_sheet > 0)
        without = Grading.sql_grade(grading, {
                'no_measure': no_measure & has_ended,
                'not_handled': not_handled > 0,
                'no_sheet': no_sheet > 0,
                'nothing_shown': (
                    no_measure & has_begun
                    & (Coalesce(sheets.held, 0) == 0)),
                }, Grading.sql_applies(grading, course))
        return (session
            .join(course, condition=course.id == session.course)
            .join(grading, 'LEFT', condition=grading.id
                == Grading.sql_valid(session.company, date))
            .join(cases, 'LEFT', condition=cases.session == session.id)
            .join(measured, 'LEFT',
                condition=measured.session == session.id)
            .join(monitoring, 'LEFT',
                condition=monitoring.session == session.id)
            .join(sheets, 'LEFT', condition=sheets.session == session.id)
            .select(
                session.id.as_('id'),
                session.company.as_('company'),
                session.course.as_('course'),
                session.start_date.as_('start_date'),
                fields.Integer('month').sql_cast(
                    Extract('YEAR', session.start_date) * 12
                    + Extract('MONTH', session.start_date) - 1).as_('month'),
                (~no_measure).as_('measured'),
                *(
                    Coalesce(getattr(cases, n), 0).as_(n)
                    for n in OF_CASES),
                not_handled.as_('not_handled'),
                no_sheet.as_('no_sheet'),
                SQLCase(
                    (cases.major > 0, 'major'),
                    (cases.minor > 0, 'minor'),
                    (cases.conform > 0, 'conform'),
                    else_=without).as_('grade'),
                where=cls._where(session)))

    @classmethod
    def _where(cls, session):
        where = (
            session.state.in_(GRADED_STATES)
            & (session.start_date
                <= cls._by_company(session.company, tools.today)))
        start, end = cls._bounds()
        if start:
            where &= session.start_date >= start
        if end:
            where &= session.start_date <= end
        return where

    @classmethod
    def _by_company(cls, column, value):
        "Return the SQL expression of the value of the company of the column"
        pool = Pool()
        Company = pool.get('company.company')
        with without_check_access():
            values = [
                (column == c.id, value(c))
                for c in Company.search([], order=[])]
        return SQLCase(*values) if values else Null

    @classmethod
    def _midnight(cls, company):
        "Return when the day of the company has begun, in UTC"
        return tools.utc_datetime(tools.today(company), dt.time(), company)

    @classmethod
    def _bounds(cls):
        "Return the dates of the context, of which the client sends anything"
        context = Transaction().context
        return [
            date if isinstance(date := context.get(name), dt.date) else None
            for name in ['start_date', 'end_date']]

    @classmethod
    def _cases_query(cls):
        "Return the query of what is counted of the cases, by session"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        enrolment, enrolled = Enrolment.__table__(), Enrolment.__table__()
        session = Session.__table__()
        enrolments = enrolled.select(
            enrolled.id,
            where=enrolled.session.in_(
                session.select(session.id, where=cls._where(session))))

        def where(case):
            where = case.state != 'cancelled'
            # Of all the sessions nearly all the cases are
            if any(cls._bounds()):
                where &= case.enrolment.in_(enrolments)
            return where

        judged = Case.judged_query(where)
        declared = Case.declared_query()

        def count(condition):
            return Count(Literal(1), filter_=condition)
        return (judged
            .join(enrolment, condition=enrolment.id == judged.enrolment)
            .join(declared, 'LEFT', condition=declared.case == judged.id)
            .select(
                enrolment.session.as_('session'),
                Count(Literal(1)).as_('cases'),
                *(
                    count(judged.conformity == c).as_(c)
                    for c in ['missing', 'evidence_missing', 'late']),
                *(count(judged.grade == g).as_(g) for g, _ in GRADES),
                count(declared.conformity.in_(LATE_DECLARATIONS)
                    ).as_('late_declarations'),
                group_by=[enrolment.session]))

    @classmethod
    def _monitoring_query(cls):
        "Return the query of what nobody handled in time, by session"
        pool = Pool()
        Alert = pool.get('training.alert')
        Enrolment = pool.get('training.enrolment')
        FollowUp = pool.get('training.follow_up')
        enrolment = Enrolment.__table__()
        alert, follow_up = Alert.__table__(), FollowUp.__table__()
        waiting = Union(
            alert.select(
                alert.enrolment.as_('enrolment'), alert.id.as_('id'),
                alert.first_seen.as_('at'), where=alert.state == 'open'),
            follow_up.select(
                follow_up.enrolment.as_('enrolment'), follow_up.id.as_('id'),
                follow_up.planned_at.as_('at'),
                where=(follow_up.done_at == Null)
                & (follow_up.cancelled_at == Null)),
            all_=True)
        return (waiting
            .join(enrolment, condition=enrolment.id == waiting.enrolment)
            .select(
                enrolment.session.as_('session'),
                Count(Literal(1)).as_('not_handled'),
                where=waiting.at < cls._by_company(
                    enrolment.company, cls._midnight),
                group_by=[enrolment.session]))

    @classmethod
    def _sheets_query(cls):
        "Return the query of the past slots, with their sheet or without"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        slot = Slot.__table__()
        return slot.select(
            slot.session.as_('session'),
            Count(
                Literal(1), filter_=slot.state.in_(['planned', 'open'])
                ).as_('no_sheet'),
            Count(Literal(1), filter_=slot.state == 'held').as_('held'),
            where=(slot.end_at < tools.now()),
            group_by=[slot.session])

    @classmethod
    def opened(cls, rows, number='cases'):
        action, path, domain = cls._counted(number)
        return action, ['OR', *(
                [*r._sessions(path), *domain(r.company)] for r in rows)]

    @classmethod
    def _counted(cls, number):
        """Return the name of the action of what the number counts, the path to
        its sessions and the function of its domain for the company"""
        case = 'act_case_form', 'enrolment.session.'
        if number in {'minor', 'major'}:
            return *case, lambda _: [*CASE_DOMAIN, ('grade', '=', number)]
        elif number in {'missing', 'evidence_missing', 'late'}:
            return *case, lambda _: [*CASE_DOMAIN, ('conformity', '=', number)]
        elif number == 'late_declarations':
            return *case, lambda _: [
                *CASE_DOMAIN,
                ('declaration_conformity', 'in', LATE_DECLARATIONS)]
        elif number == 'alerts':
            return 'act_alert_form', 'enrolment.session.', lambda company: [
                ('state', '=', 'open'),
                ('first_seen', '<', cls._midnight(company)),
                ]
        elif number == 'follow_ups':
            return (
                'act_follow_up_form', 'enrolment.session.', lambda company: [
                    ('done_at', '=', None),
                    ('cancelled_at', '=', None),
                    ('planned_at', '<', cls._midnight(company)),
                    ])
        elif number == 'no_sheet':
            return 'act_slot_form', 'session.', lambda _: [
                ('state', 'in', ['planned', 'open']),
                ('end_at', '<', tools.now()),
                ]
        elif number == 'measured':
            return 'act_session_form', '', lambda _: [('measured', '=', True)]
        elif number == 'sessions':
            return 'act_session_form', '', lambda _: []
        return *case, lambda _: CASE_DOMAIN

    def _sessions(self, path):
        "Return the domain of the sessions of the row, from the path on"
        return [
            (f'{path}company', '=', self.company.id),
            (f'{path}state', 'in', GRADED_STATES),
            (f'{path}start_date', '<=', tools.today(self.company)),
            *(
                (f'{path}start_date', operator, bound)
                for bound, operator in zip(self._bounds(), ['>=', '<='])
                if bound),
            ]


class SessionConformity(RowMixin, ModelSQL, ModelView):
    __name__ = 'training.conformity.session'

    session = fields.Many2One('training.session', "Session")
    course = fields.Many2One('training.course', "Course")
    start_date = fields.Date("Start Date")
    measured = fields.Boolean(
        "With Measures",
        help="There is a measure of the session, of its course or of one of "
        "its enrolments.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('start_date', 'DESC'), ('id', 'DESC')]

    @classmethod
    def table_query(cls):
        row = cls.sessions_query()
        return row.select(
            row.id.as_('id'),
            row.id.as_('session'),
            *(
                getattr(row, n).as_(n) for n in [
                    'company', 'course', 'start_date', 'measured', *OF_CASES,
                    *OF_MONITORING, 'grade']))

    def get_rec_name(self, name):
        return self.session.rec_name if self.session else ''

    def _sessions(self, path):
        return [*super()._sessions(path), (f'{path}id', '=', self.session.id)]


class _SumMixin(RowMixin):
    __slots__ = ()

    sessions = _count("Sessions", "The sessions that have begun.")
    measured = _count(
        "With Measures",
        "The sessions with a measure of their own, of their course or of one "
        "of their enrolments.")

    @classmethod
    def table_query(cls):
        row = cls.sessions_query()
        return row.select(
            Min(row.id).as_('id'),
            row.company.as_('company'),
            getattr(row, cls._group).as_(cls._group),
            cls.sessions.sql_cast(Count(Literal(1))).as_('sessions'),
            cls.measured.sql_cast(
                Count(Literal(1), filter_=row.measured)).as_('measured'),
            *(
                getattr(cls, n).sql_cast(Sum(getattr(row, n))).as_(n)
                for n in OF_CASES + OF_MONITORING),
            cls._worst(row).as_('grade'),
            group_by=[row.company, getattr(row, cls._group)])

    @classmethod
    def _worst(cls, row):
        rank = Max(SQLCase(*(
                    (row.grade == grade, rank)
                    for rank, (grade, _) in enumerate(GRADES))))
        return SQLCase(*(
                (rank == number, grade)
                for number, (grade, _) in enumerate(GRADES)))


class CourseConformity(_SumMixin, ModelSQL, ModelView):
    __name__ = 'training.conformity.course'
    _group = 'course'

    course = fields.Many2One('training.course', "Course")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('course', 'ASC'), ('id', None)]

    def get_rec_name(self, name):
        return self.course.rec_name if self.course else ''

    def _sessions(self, path):
        return [
            *super()._sessions(path), (f'{path}course', '=', self.course.id)]


class PeriodConformity(_SumMixin, ModelSQL, ModelView):
    __name__ = 'training.conformity.period'
    _group = 'month'

    month = fields.Integer("Month", help="The months since the year 0.")
    label = fields.Function(
        fields.Char(
            "Month", help="The month in which the sessions have begun."),
        'get_label')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('month', 'DESC'), ('id', None)]

    def get_label(self, name):
        return '{:04}-{:02}'.format(self.month // 12, self.month % 12 + 1)

    def _sessions(self, path):
        start = dt.date(self.month // 12, self.month % 12 + 1, 1)
        return [
            *super()._sessions(path),
            (f'{path}start_date', '>=', start),
            (f'{path}start_date', '<', start + relativedelta(months=1)),
            ]


class ConformityContext(ModelView):
    __name__ = 'training.conformity.context'

    start_date = fields.Date(
        "Started from",
        domain=[If(Eval('start_date') & Eval('end_date'),
                ('start_date', '<=', Eval('end_date', None)),
                ()),
            ],
        help="Leave empty for all the sessions until the end date.")
    end_date = fields.Date(
        "To",
        domain=[If(Eval('start_date') & Eval('end_date'),
                ('end_date', '>=', Eval('start_date', None)),
                ()),
            ],
        help="Leave empty for all the sessions since the start date.")

    @classmethod
    def default_start_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today() + relativedelta(day=1, months=-12)
