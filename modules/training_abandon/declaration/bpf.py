# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The lines of the annual report of the training providers (BPF)"
import datetime as dt

from sql import Literal, Null, Union
from sql.aggregate import Count, Sum
from sql.conditionals import Case as SQLCase

from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

from ..attendance.evidence import ATTENDED

SECTIONS = [
    ('trainees', "Trainees"),
    ('objective', "Objectives"),
    ('funds', "Origin of the Funds"),
    ('indemnity', "Indemnities, no Training Product"),
    ]
CATEGORIES = [
    ('employee', "Employees"),
    ('apprentice', "Apprentices"),
    ('job_seeker', "Job Seekers"),
    ('individual', "Individuals at Their Own Expense"),
    ('other', "Other Trainees"),
    ('continuing', "Continuing Training"),
    ('apprenticeship', "Apprenticeship"),
    ('skills_assessment', "Skills Assessments"),
    ('vae', "Validation of Acquired Experience"),
    ('company', "Companies for Their Employees"),
    ('skills_operator', "Skills Operators and Other Funders"),
    ('cpf', "Personal Training Account (CPF)"),
    ('public', "Public Funds"),
    ('unclassified', "To Classify"),
    ]
CODES = [code for code, _ in CATEGORIES]
SECTION_CODES = [code for code, _ in SECTIONS]
# More than there are categories
NUMBERS = 100
FIRST_YEAR, LAST_YEAR = 1900, 9998


def year_dates(year):
    return dt.date(year, 1, 1), dt.date(year, 12, 31)


class Line(ModelSQL, ModelView):
    "What a category of the report counts in the year"
    __name__ = 'training.bpf.line'

    company = fields.Many2One('company.company', "Company")
    section = fields.Selection(
        SECTIONS, "Section", sort=False,
        help="Each section has all the hours, or all the amounts, once.")
    section_string = section.translated('section')
    category = fields.Selection(
        CATEGORIES, "Category", sort=False,
        help="What cannot be told from what is known is to classify by hand.")
    category_string = category.translated('category')
    trainees = fields.Integer(
        "Persons", help="The persons who attended, each once.")
    enrolments = fields.Integer(
        "Trainees",
        help="The enrolments with time attended: who attends two trainings "
        "counts twice.")
    hours = fields.TimeDelta(
        "Hours", 'training_hours',
        help="The time attended on the closed sheets.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('id', 'ASC')]

    @classmethod
    def table_query(cls):
        queries = cls._queries(*cls._scope())
        return Union(*queries, all_=True)

    @classmethod
    def _scope(cls):
        "Return the id of the company and the year of the context"
        pool = Pool()
        Context = pool.get('training.bpf.context')
        context = Transaction().context
        year = context.get('year')
        if not isinstance(year, int) or not FIRST_YEAR <= year <= LAST_YEAR:
            year = Context.default_year()
        return context.get('company') or -1, year

    @classmethod
    def _queries(cls, company, year):
        "Hook that returns the queries of the sections"
        attended = cls._attended(company, year)
        return [
            cls._count(attended, company, 'trainees', attended.trainees),
            cls._count(attended, company, 'objective', attended.objective),
            ]

    @classmethod
    def _attended(cls, company, year):
        """Return the query of the enrolments with their time attended in the
        year and their categories"""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Course = pool.get('training.course')
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        Trainee = pool.get('training.trainee')
        mine, enrolment = Enrolment.__table__(), Enrolment.__table__()
        session, course = Session.__table__(), Course.__table__()
        trainee = Trainee.__table__()
        held = Attendance._held_query(
            lambda column: column.in_(mine.select(
                    mine.id, where=mine.company == company)))
        hours = Sum(held.duration) - Sum(held.missed)
        start, end = year_dates(year)
        hours = held.select(
            held.enrolment.as_('enrolment'),
            hours.as_('hours'),
            where=held.state.in_(ATTENDED)
            & (held.date >= start) & (held.date <= end),
            group_by=[held.enrolment],
            having=hours > dt.timedelta())
        kind = Enrolment.sql_kind_of_trainee(enrolment, trainee)
        paying = (kind != 'individual') | (
            enrolment.agreement_kind == 'contract')
        return (hours
            .join(enrolment, condition=enrolment.id == hours.enrolment)
            .join(trainee, condition=trainee.id == enrolment.trainee)
            .join(session, condition=session.id == enrolment.session)
            .join(course, condition=course.id == session.course)
            .select(
                enrolment.id.as_('enrolment'),
                hours.hours.as_('hours'),
                enrolment.trainee.as_('trainee'),
                SQLCase((paying, kind), else_='unclassified'
                    ).as_('trainees'),
                course.kind.as_('objective')))

    @classmethod
    def _count(cls, attended, company, section, category):
        rank = SQLCase(*(
                (category == code, rank) for rank, code in enumerate(CODES)),
            else_=CODES.index('unclassified'))
        return attended.select(
            *cls._columns(
                company, section, category, rank=rank,
                trainees=Count(attended.trainee, distinct=True),
                enrolments=Count(Literal(1)),
                hours=Sum(attended.hours)),
            group_by=[category])

    @classmethod
    def _columns(cls, company, section, category, rank, **values):
        columns = {
            'company': company,
            'section': section,
            'category': category,
            **dict.fromkeys(cls._counted(), Null),
            **values}
        return [
            (rank + NUMBERS * SECTION_CODES.index(section)).as_('id'),
            *(cls._fields[name].sql_cast(
                    Literal(value) if isinstance(value, (int, str))
                    else value).as_(name)
                for name, value in sorted(columns.items()))]

    @classmethod
    def _counted(cls):
        return ['trainees', 'enrolments', 'hours']

    def told(self):
        "Hook that returns the names of what the section counts"
        return ['trainees', 'enrolments', 'hours']

    def opened(self):
        """Hook that returns the module, the action and the ids of the records
        that the line counts"""
        cursor = Transaction().connection.cursor()
        attended = self._attended(self.company.id, self._scope()[1])
        category = {
            'trainees': attended.trainees,
            'objective': attended.objective,
            }[self.section]
        cursor.execute(*attended.select(
                attended.enrolment, where=category == self.category))
        return 'training_abandon', 'act_enrolment_form', [
            id_ for id_, in cursor]

    def get_rec_name(self, name):
        return f'{self.section_string} - {self.category_string}'

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('category') == 'unclassified', 'warning', '')),
            ]


class Context(ModelView):
    __name__ = 'training.bpf.context'

    company = fields.Many2One(
        'company.company', "Company", required=True)
    year = fields.Integer(
        "Year", required=True,
        domain=[
            ('year', '>=', FIRST_YEAR),
            ('year', '<=', LAST_YEAR),
            ],
        help="The calendar year of the report.")

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_year(cls):
        "Return the last whole year"
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today().year - 1
