# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the indicators count: the tables that tell of it and its measures"
from sql import Column, Literal, Null, Window
from sql.aggregate import Avg, Count, Max, Sum
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce
from sql.functions import Extract, RowNumber

from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..access_value import check_ids
from .enrolment import sql_start
from .start import abandoned

# The key of what has none: no record has such an id
NONE = 2 ** 30
# What is counted of the cases, by ground
GROUNDS = {
    'abandoned': ['abandonment'],
    'prevented': ['resumed'],
    'force_majeure': ['force_majeure'],
    'legitimate': ['legitimate_reason'],
    'excluded': ['exclusion'],
    'no_shows': ['no_show'],
    'cancelled': ['cancellation', 'withdrawal_period'],
    'transferred': ['transfer'],
    'postponed': ['postponed'],
    }
MEDIANS = ['contact_days', 'decision_days']
# The numbers of the cases of which they are the medians
COUNTED = {
    'contact_days': 'contact_cases',
    'decision_days': 'decision_cases',
    }
# What is also told of the previous period
PREVIOUS = {
    'started', 'left', 'hours_held', 'hours_attended', 'decided',
    'abandoned', 'prevented', 'steps_due', 'steps_on_time', 'asked',
    'answered', 'alerts', 'alerts_right'}
# The way from the models to their enrolment
PATHS = {
    'enrolment': '',
    'case': 'enrolment.',
    'step': 'case.enrolment.',
    'alert': 'enrolment.',
    'settlement': 'enrolment.',
    }
_MODELS = {
    'alert': 'training.alert',
    'case': 'training.abandon.case',
    'enrolment': 'training.enrolment',
    'funding': 'training.enrolment.funding',
    'session': 'training.session',
    'step': 'training.abandon.case.step',
    'trainee': 'training.trainee',
    }


def context_courses():
    "Return the ids of the courses of the context, or nothing for all"
    context = Transaction().context
    courses = context.get('courses') or []
    if course := context.get('course'):
        courses = [course]
    check_ids(courses)
    return courses


class Source:
    "The rows of a model that are counted, at their date"
    name = None
    # The tables that name the others, besides those of the enrolment
    path = {}

    def __init__(self, window):
        self.window = window
        self.tables = {self.name: self.new_table(self.name)}
        self.item = self.tables[self.name]

    @classmethod
    def new_table(cls, name):
        pool = Pool()
        return pool.get(_MODELS[name]).__table__()

    def table(self, name):
        "Return the table, that is joined when it is first asked for"
        if name not in self.tables:
            parent = self.table(self.path.get(name, 'enrolment'))
            table = self.new_table(name)
            self.join(name, table, table.id == Column(parent, name))
        return self.tables[name]

    def join(self, name, table, condition, type_='INNER'):
        self.tables[name] = table
        self.item = self.item.join(table, type_, condition=condition)

    @property
    def date(self):
        raise NotImplementedError

    @property
    def company(self):
        return self.table(self.name).company

    @property
    def is_current(self):
        return self.window.contains(self.date)

    def where(self):
        where = self.is_current | self.window.previous.contains(self.date)
        # The keys of two companies may be the same
        where &= self.company == Transaction().context.get('company', -1)
        if courses := context_courses():
            where &= fields.SQL_OPERATORS['in'](
                self.table('session').course, courses)
        return where

    def measures(self):
        """Return the conditions of what is counted and the numbers that are
        added up, by name"""
        raise NotImplementedError

    def rows(self, key, values):
        "Return the query of the company, the key and the values of the rows"
        where = self.where()
        return self.item.select(
            self.company.as_('company'), Coalesce(key, NONE).as_('key'),
            self.is_current.as_('current'),
            *(value.as_(name) for name, value in values.items()),
            where=where)

    def query(self, get_key, tell=None):
        """Return the query of the measures by company and key

        get_key returns the key from the source, and tell the rows with the
        keys that are told from those with their id."""
        key = get_key(self)
        counts, sums = self.measures()
        values = {**counts, **sums}
        if tell:
            rows = tell(self.rows(
                    key, {'id': self.table(self.name).id, **values}))
        else:
            rows = self.rows(key, values)
        columns = []
        for name in [*counts, *sums]:
            def measure(condition):
                column = Column(rows, name)
                if name in sums:
                    return Sum(column, filter_=condition)
                return Count(Literal(1), filter_=column & condition)

            columns.append(measure(rows.current).as_(name))
            if name in PREVIOUS:
                columns.append(
                    measure(~rows.current).as_(f'previous_{name}'))
        return rows.select(
            rows.company.as_('company'), rows.key.as_('key'), *columns,
            group_by=[rows.company, rows.key])


class Enrolments(Source):
    "The trainees who really started, on the day of their first presence"
    name = 'enrolment'

    @property
    def date(self):
        return self.table('enrolment').first_presence

    def measures(self):
        enrolment = self.table('enrolment')
        start = sql_start(enrolment)
        return {
            'started': start,
            'left': start & enrolment.id.in_(abandoned()),
            }, {
            name: _hours(Column(enrolment, name))
            for name in ['hours_held', 'hours_attended']}


class Cases(Source):
    "The cases, on the day on which their decision was taken"
    name = 'case'
    path = {'enrolment': 'case'}

    @property
    def date(self):
        return self.table('case').decided_on

    def where(self):
        case = self.table('case')
        return super().where() & (case.state != 'cancelled') & (
            case.decision != Null) & (case.ground != 'unfounded')

    def measures(self):
        case = self.table('case')
        counts = {
            name: case.ground.in_(grounds)
            for name, grounds in GROUNDS.items()}
        return {'decided': Literal(True), **counts}, {}

    @property
    def owner(self):
        return self.table('case').decided_owner


class Losses(Cases):
    "What the trainees who abandon do not attend and do not pay"

    def where(self):
        return super().where() & (self.table('case').ground == 'abandonment')

    def measures(self):
        pool = Pool()
        Company = pool.get('company.company')
        Settlement = pool.get('training.abandon.settlement')
        settlement, last = Settlement.__table__(), Settlement.__table__()
        company, case = Company.__table__(), self.table('case')
        enrolment = self.table('enrolment')
        last = last.select(
            Max(last.id),
            where=(last.state != 'cancelled')
            & (last.withdrawn == Literal(False)),
            group_by=[last.case])
        settlement = (settlement
            .join(company, condition=(company.id == settlement.company)
                & (company.currency == settlement.currency))
            .select(
                settlement.case, settlement.undelivered_amount,
                settlement.id.as_('settlement'),
                where=settlement.id.in_(last)))
        self.item = self.item.join(
            settlement, 'LEFT', condition=settlement.case == case.id)
        self.settlement = settlement.settlement
        missed = _hours(enrolment.agreed_hours) - _hours(
            enrolment.hours_attended)
        return {}, {
            'hours_lost': SQLCase((missed > 0, missed)),
            'revenue_lost': settlement.undelivered_amount,
            }

    @classmethod
    def opened(cls, window, name):
        "Return the ids of the cases or of the settlements that are added up"
        source = cls(window)
        _, sums = source.measures()
        ids = {
            'hours_lost': source.table('case').id,
            'revenue_lost': source.settlement,
            }
        rows = source.rows(ids[name], {'value': sums[name]})
        cursor = Transaction().connection.cursor()
        cursor.execute(*rows.select(
                rows.key, where=rows.current & (rows.value != 0),
                order_by=[rows.key]))
        return [id_ for id_, in cursor]


class Medians(Cases):
    "The days from the first absence to what is done"

    def query(self, get_key, tell=None):
        case = self.table('case')
        rows = self.rows(
            get_key(self), {name: Column(case, name) for name in MEDIANS})
        columns = []
        for name in MEDIANS:
            days = Column(rows, name)
            partition = [rows.company, rows.key, days == Null]
            columns += [
                days,
                RowNumber(window=Window(partition, order_by=[days]))
                .as_(f'{name}_rank'),
                Count(days, window=Window(partition)).as_(f'{name}_count')]
        ranked = rows.select(
            rows.company, rows.key, *columns, where=rows.current)
        return ranked.select(
            ranked.company.as_('company'), ranked.key.as_('key'),
            *(_median(ranked, name).as_(name) for name in MEDIANS),
            *(Count(Column(ranked, name)).as_(COUNTED[name])
                for name in MEDIANS),
            group_by=[ranked.company, ranked.key])


def _median(ranked, name):
    "Return the mean of the one or two in the middle"
    days, rank, count = (
        Column(ranked, name + suffix) for suffix in ['', '_rank', '_count'])
    return Avg(days, filter_=(days != Null)
        & (rank * 2 >= count) & (rank * 2 <= count + 2))


class Steps(Source):
    "The steps of the procedure, on the day they are due"
    name = 'step'
    path = {'case': 'step', 'enrolment': 'case'}

    @property
    def date(self):
        return self.table('step').due_date

    @property
    def company(self):
        return self.table('case').company

    @property
    def owner(self):
        case = self.table('case')
        return Coalesce(case.decided_owner, case.owner)

    def where(self):
        return super().where() & (self.table('case').state != 'cancelled')

    def measures(self):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        step, case = self.table('step'), self.table('case')
        conformity = Step.sql_conformity(step)
        asked = (step.kind == 'ask_reasons') & (step.state == 'done')
        return {
            'steps_due': conformity.in_(
                ['in_time', 'late', 'missing', 'evidence_missing']),
            'steps_on_time': conformity == 'in_time',
            'asked': asked,
            'answered': asked & (case.answered_at != Null),
            }, {}


class Alerts(Source):
    "The alerts that were answered, on the day they were raised"
    name = 'alert'
    path = {'enrolment': 'alert'}

    @property
    def date(self):
        return self.table('alert').raised_on

    @property
    def owner(self):
        return self.table('alert').owner

    def where(self):
        alert = self.table('alert')
        return super().where() & (alert.state != 'open') & (
            alert.withdrawn == Literal(False))

    def measures(self):
        alert, case = self.table('alert'), Source.new_table('case')
        self.item = self.item.join(
            case, 'LEFT', condition=case.id == alert.case)
        return {
            'alerts': Literal(True),
            'alerts_right': (alert.state == 'handled')
            & (Coalesce(case.state, '') != 'cancelled')
            & (Coalesce(case.ground, '') != 'unfounded'),
            }, {}


def _hours(duration):
    return Extract('EPOCH', duration) / 3600.0
