# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The numbers beside the tasks, each of which opens the records it counts"
import datetime as dt

from dateutil.relativedelta import relativedelta
from sql import Literal, Null, Union, With
from sql.aggregate import Count, Min, Sum
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce
from sql.functions import Extract, Round

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..procedure.states import OPEN_STATES, STEP_ORDER
from .gone import GoneMixin

# Fewer cases would tell whose reasons they are
FEWEST = 5
# More than there are months and reasons
NUMBERS = 100_000
MONTHS = 12
RETAINED_GROUNDS = ['resumed', 'postponed', 'transfer']


def last_months(months=MONTHS):
    "Return the first day of the months that end with the present one"
    pool = Pool()
    Date = pool.get('ir.date')
    return Date.today() + relativedelta(day=1, months=1 - months)


def readable(model, domain):
    "Return the query of the ids of the domain that the user may read"
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    if not ModelAccess.check(model, 'read', raise_exception=False):
        domain = [('id', '=', -1)]
    return pool.get(model).search(domain, order=[], query=True)


def case_categories():
    """Return the query of the case, side and category of the declared reasons
    and of the determined causes, each once

    The category of what is personal is 0."""
    pool = Pool()
    Reason = pool.get('training.abandon.reason')
    reason = Reason.__table__()
    root, child = Reason.__table__(), Reason.__table__()
    family = With('id', 'family', recursive=True)
    family.query = root.select(
        root.id, root.id, where=root.parent == Null)
    family.query |= (child
        .join(family, condition=child.parent == family.id)
        .select(child.id, family.family))
    told = Union(*_told(), all_=True)
    return (told
        .join(reason, condition=reason.id == told.reason)
        .join(family, condition=family.id == told.reason)
        .select(
            told.case.as_('case'),
            told.side.as_('side'),
            SQLCase(
                (reason.sensitive & ~Coalesce(told.told, Literal(False)), 0),
                else_=family.family).as_('category'),
            distinct=True,
            with_=[family]))


def _told():
    "Yield the queries of what the trainees declared and what was determined"
    pool = Pool()
    for side, name in [
            ('declared', 'training.abandon.case-training.abandon.reason'),
            ('determined', 'training.abandon.case.cause')]:
        Model = pool.get(name)
        table = Model.__table__()
        yield table.select(
            table.case.as_('case'),
            getattr(table, Model.reason_name).as_('reason'),
            table.told.as_('told'),
            fields.Char('side').sql_cast(Literal(side)).as_('side'))


class FigureMixin(GoneMixin):
    "Numbers of a company"
    __slots__ = ()

    company = fields.Many2One('company.company', "Company")

    @classmethod
    def opened(cls, figures):
        """Return the name of the action and the domain that open what the
        figures count"""
        raise NotImplementedError

    def get_rec_name(self, name):
        return self.label


class StepFigure(FigureMixin, ModelSQL, ModelView):
    "The open cases by the step that they have to do"
    __name__ = 'training.figure.step'

    step = fields.Integer("Step")
    label = fields.Function(
        fields.Char(
            "Step", help="The step that the open cases have to do."),
        'get_label')
    number = fields.Integer("Cases")
    on_time = fields.Integer(
        "On Time", help="The cases whose step is due today or later.")
    late = fields.Integer(
        "Late", help="The cases whose step was due before today.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('step', 'ASC'), ('id', None)]

    @classmethod
    def table_query(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Date = pool.get('ir.date')
        case = Case.__table__()
        step = SQLCase(*(
                (case.next_kind == kind, position)
                for position, kind in enumerate(STEP_ORDER, 1)))
        late = Coalesce(case.next_due_date, dt.date.max) < Date.today()
        return case.select(
            (case.company * NUMBERS + Min(step)).as_('id'),
            case.company.as_('company'),
            cls.step.sql_cast(Min(step)).as_('step'),
            Count(Literal(1)).as_('number'),
            Count(Literal(1), filter_=~late).as_('on_time'),
            Count(Literal(1), filter_=late).as_('late'),
            where=case.id.in_(readable('training.abandon.case', cls._domain()))
            & case.next_kind.in_(STEP_ORDER),
            group_by=[case.company, case.next_kind])

    @classmethod
    def _domain(cls):
        return [('closed_at', '=', None), ('state', 'in', OPEN_STATES)]

    @classmethod
    def get_label(cls, figures, name):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        labels = dict(Case.get_next_kinds())
        # The desktop client puts them in the order of their labels
        return {
            f.id: f'{f.step}. {labels[STEP_ORDER[f.step - 1]]}'
            for f in figures}

    @classmethod
    def opened(cls, figures):
        return 'act_case_form', [
            *cls._domain(),
            ('company', 'in', [f.company.id for f in figures]),
            ('next_kind', 'in', [STEP_ORDER[f.step - 1] for f in figures]),
            ]


class MonthFigure(FigureMixin, ModelSQL, ModelView):
    "What was decided by month"
    __name__ = 'training.figure.month'

    number = fields.Integer("Number", help="The months since the year 0.")
    label = fields.Function(
        fields.Char(
            "Month", help="The month of the effective date."),
        'get_label')
    # The web client opens nothing by the position of a label on the axis
    date = fields.Function(
        fields.Date("Month", help="The first day of the month."), 'get_date')
    abandoned = fields.Integer(
        "Abandonments",
        help="The cases validated as an abandonment whose effective date is "
        "in the month.")
    retained = fields.Integer(
        "Retained",
        help="The cases after which the trainee stays in training: resumed, "
        "postponed or transferred.")
    other = fields.Integer(
        "Other Ends",
        help="The cases that ended neither in an abandonment nor in the "
        "training going on.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('number', 'ASC'), ('id', None)]

    @classmethod
    def table_query(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        case = Case.__table__()
        decided = case.select(
            case.company.as_('company'),
            case.ground.as_('ground'),
            cls.number.sql_cast(
                Extract('YEAR', case.effective_date) * 12
                + Extract('MONTH', case.effective_date) - 1).as_('number'),
            where=case.id.in_(readable(
                    'training.abandon.case', cls._domain(last_months()))))
        retained = decided.ground.in_(RETAINED_GROUNDS)
        abandoned = decided.ground == 'abandonment'
        return decided.select(
            (decided.company * NUMBERS + decided.number).as_('id'),
            decided.company.as_('company'),
            decided.number.as_('number'),
            Count(Literal(1), filter_=abandoned).as_('abandoned'),
            Count(Literal(1), filter_=retained).as_('retained'),
            Count(Literal(1), filter_=~abandoned & ~retained).as_('other'),
            group_by=[decided.company, decided.number])

    @classmethod
    def _domain(cls, start):
        return [
            ('decision', '!=', None),
            ('state', '!=', 'cancelled'),
            ('ground', '!=', 'unfounded'),
            ('effective_date', '>=', start),
            ]

    @classmethod
    def get_label(cls, figures, name):
        return {
            f.id: '{:04}-{:02}'.format(f.number // 12, f.number % 12 + 1)
            for f in figures}

    def get_date(self, name):
        return dt.date(self.number // 12, self.number % 12 + 1, 1)

    @classmethod
    def opened(cls, figures):
        def domain(figure):
            return [
                *cls._domain(figure.date),
                ('effective_date', '<', figure.date + relativedelta(months=1)),
                ('company', '=', figure.company.id),
                ]
        return 'act_case_form', ['OR', *map(domain, figures)]


class ReasonFigure(FigureMixin, ModelSQL, ModelView):
    "The cases by the category of their reasons and of their causes"
    __name__ = 'training.figure.reason'

    category = fields.Many2One('training.abandon.reason', "Category")
    label = fields.Function(
        fields.Char(
            "Category",
            help="The family of the reasons; the sensitive ones are told as "
            "personal."),
        'get_label')
    declared = fields.Integer(
        "Declared Reasons",
        help="The cases in which the trainee declared a reason of the "
        "category; none is shown below five.")
    determined = fields.Integer(
        "Causes",
        help="The cases in which the analysis determined a cause of the "
        "category; none is shown below five.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('category', 'ASC NULLS LAST'), ('id', None)]

    @classmethod
    def table_query(cls):
        line = cls._lines()

        def count(side):
            number = Count(Literal(1), filter_=line.side == side)
            return SQLCase((number >= FEWEST, number), else_=0)

        declared, determined = count('declared'), count('determined')
        return line.select(
            (line.company * NUMBERS + line.category).as_('id'),
            line.company.as_('company'),
            SQLCase((line.category > 0, line.category)).as_('category'),
            declared.as_('declared'),
            determined.as_('determined'),
            group_by=[line.company, line.category],
            having=(declared > 0) | (determined > 0))

    @classmethod
    def _lines(cls):
        "Return the query of the company, case, side and category, each once"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        case, category = Case.__table__(), case_categories()
        return (case
            .join(category, condition=category.case == case.id)
            .select(
                case.company.as_('company'),
                case.id.as_('case'),
                category.side.as_('side'),
                category.category.as_('category'),
                where=case.id.in_(readable('training.abandon.case', [
                            ('opening_date', '>=', last_months()),
                            ('state', '!=', 'cancelled'),
                            ]))))

    @classmethod
    def get_label(cls, figures, name):
        return {
            f.id: f.category.name if f.category
            else gettext('training_abandon.msg_reason_category_personal')
            for f in figures}

    @classmethod
    def opened(cls, figures):
        line = cls._lines()
        where = Literal(False)
        for figure in figures:
            # What is not counted is not told either
            sides = [
                s for s in ['declared', 'determined'] if getattr(figure, s)]
            where |= (
                (line.company * NUMBERS + line.category == figure.id)
                & line.side.in_(sides))
        found = line.select(line.case, where=where)
        return 'act_case_form', [('id', 'in', cls._fetch(found))]

    @classmethod
    def _fetch(cls, query):
        cursor = Transaction().connection.cursor()
        cursor.execute(*query)
        return sorted({id_ for id_, in cursor})


class AttendanceFigure(FigureMixin, ModelSQL, ModelView):
    "The attendance rate of the courses"
    __name__ = 'training.figure.attendance'

    course = fields.Many2One('training.course', "Course")
    label = fields.Function(
        fields.Char(
            "Course", help="The course; open the line to see its enrolments."),
        'get_label')
    rate = fields.Integer(
        "Attendance (%)",
        help="The hours attended divided by the hours held, as a "
        "percentage, for the sessions of the last twelve months.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('rate', 'ASC'), ('id', None)]

    @classmethod
    def table_query(cls):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        enrolment, session = Enrolment.__table__(), Session.__table__()

        def seconds(column):
            return Sum(Extract('EPOCH', column))

        held = seconds(enrolment.hours_held)
        return (enrolment
            .join(session, condition=session.id == enrolment.session)
            .select(
                Min(enrolment.id).as_('id'),
                enrolment.company.as_('company'),
                session.course.as_('course'),
                cls.rate.sql_cast(Round(
                        seconds(enrolment.hours_attended) * 100 / held)
                    ).as_('rate'),
                where=enrolment.id.in_(readable(
                        'training.enrolment',
                        [('hours_held', '>', dt.timedelta())]))
                & (session.end_date >= last_months())
                & (session.state != 'cancelled'),
                group_by=[enrolment.company, session.course]))

    @classmethod
    def get_label(cls, figures, name):
        return {f.id: f.course.name for f in figures}

    @classmethod
    def opened(cls, figures):
        return 'act_enrolment_form', [
            ('company', 'in', [f.company.id for f in figures]),
            ('session.course', 'in', [f.course.id for f in figures]),
            ('session.end_date', '>=', last_months()),
            ('session.state', '!=', 'cancelled'),
            ('hours_held', '>', dt.timedelta()),
            ]
