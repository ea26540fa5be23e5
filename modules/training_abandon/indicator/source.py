# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the indicators count: the tables that tell of it and its measures"
import datetime as dt

from sql import Column, Literal, Null, Window
from sql.aggregate import Avg, Count, Sum
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce
from sql.functions import Extract, RowNumber

from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..access_value import check_ids
from .start import abandoned, continued

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
# What is added up as durations and told as hours
HOURS = {'hours_held', 'hours_attended', 'hours_lost'}
# The steps on time, the others that are due and what is not yet or no more
_CONFORMITIES = {
    'in_time': 2,
    'late': 1,
    'missing': 1,
    'evidence_missing': 1,
    'to_come': 0,
    'skipped': 0,
    'exempt': 0,
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
    # The values that are added up
    sums = []

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
        # Of the rows of both windows
        return self.date >= self.window.start

    def where(self):
        where = self.window.or_previous(self.date)
        # The keys of two companies may be the same
        where &= self.company == Transaction().context.get('company', -1)
        if courses := context_courses():
            where &= fields.SQL_OPERATORS['in'](
                self.table('session').course, courses)
        return where

    def values(self):
        "Return the SQL expressions of what the rows tell, by name"
        raise NotImplementedError

    def counts(self, rows):
        """Return the conditions of what is counted, by name, on what the rows
        tell"""
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
        values = self.values()
        if tell:
            rows = tell(self.rows(
                    key, {'id': self.table(self.name).id, **values}))
        else:
            rows = self.rows(key, values)
        columns = []
        for name, measure in self._measures(rows).items():
            columns.append(measure(rows.current).as_(name))
            if name in PREVIOUS:
                columns.append(
                    measure(~rows.current).as_(f'previous_{name}'))
        return rows.select(
            rows.company.as_('company'), rows.key.as_('key'), *columns,
            group_by=[rows.company, rows.key])

    def _measures(self, rows):
        """Return the functions that return the SQL expression of what is
        measured of the rows of a condition, by name"""
        def count(condition):
            # First what half of the rows have not
            return lambda when: Count(Literal(1), filter_=when & condition)

        def total(name):
            column = Column(rows, name)
            if name in HOURS:
                return lambda when: _hours(Sum(column, filter_=when))
            return lambda when: Sum(column, filter_=when)

        return {
            **{n: count(c) for n, c in self.counts(rows).items()},
            **{n: total(n) for n in self.sums},
            }


class Enrolments(Source):
    "The trainees who really started, on the day of their first presence"
    name = 'enrolment'
    sums = ['hours_held', 'hours_attended']

    @property
    def date(self):
        return self.table('enrolment').first_presence

    def values(self):
        enrolment = self.table('enrolment')
        continued_, abandoned_ = continued(), abandoned()
        self.join(
            'continued', continued_, continued_.id == enrolment.id, 'LEFT')
        self.join(
            'abandoned', abandoned_, abandoned_.enrolment == enrolment.id,
            'LEFT')
        return {
            'is_start': continued_.id == Null,
            'is_abandoned': abandoned_.enrolment != Null,
            'hours_held': enrolment.hours_held,
            'hours_attended': enrolment.hours_attended,
            }

    def counts(self, rows):
        return {
            'started': rows.is_start,
            'left': rows.is_start & rows.is_abandoned,
            }


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

    def values(self):
        return {'ground': self.table('case').ground}

    def counts(self, rows):
        return {
            'decided': Literal(True),
            **{
                name: rows.ground.in_(grounds)
                for name, grounds in GROUNDS.items()},
            }

    @property
    def owner(self):
        return self.table('case').decided_owner


class Losses(Cases):
    """The cases, and what the trainees who abandon do not attend and do not
    pay"""

    sums = ['hours_lost', 'revenue_lost']

    def values(self):
        case, enrolment = self.table('case'), self.table('enrolment')
        settlement = self._last_settlements()
        self.join(
            'settlement', settlement, settlement.case == case.id, 'LEFT')
        missed = enrolment.agreed_hours - enrolment.hours_attended
        amount = settlement.undelivered_amount
        lost = case.ground == 'abandonment'
        return {
            **super().values(),
            'hours_lost': SQLCase((lost & (missed > dt.timedelta()), missed)),
            'revenue_lost': SQLCase((lost & (amount != 0), amount)),
            }

    def _last_settlements(self):
        "Return the query of the one of each case that is valid"
        pool = Pool()
        Company = pool.get('company.company')
        Settlement = pool.get('training.abandon.settlement')
        settlement, company = Settlement.__table__(), Company.__table__()
        last = Settlement.query_last()
        return (settlement
            .join(last, condition=last.id == settlement.id)
            .join(company, condition=(company.id == settlement.company)
                & (company.currency == settlement.currency))
            .select(
                settlement.case, settlement.undelivered_amount, settlement.id))

    @classmethod
    def opened(cls, window, name):
        "Return the ids of the cases or of the settlements that are added up"
        source = cls(window)
        values = source.values()
        ids = {
            'hours_lost': source.table('case').id,
            'revenue_lost': source.table('settlement').id,
            }
        rows = source.rows(ids[name], {'value': values[name]})
        cursor = Transaction().connection.cursor()
        cursor.execute(*rows.select(
                rows.key, where=rows.current & (rows.value != Null),
                order_by=[rows.key]))
        return [id_ for id_, in cursor]


class Medians(Losses):
    "The cases, with the days from the first absence to what is done too"

    def values(self):
        case = self.table('case')
        return {
            **super().values(),
            **{name: Column(case, name) for name in MEDIANS},
            }

    def rows(self, key, values):
        rows = super().rows(key, values)
        ranks = []
        for name in MEDIANS:
            days = Column(rows, name)
            # The same for both, which is gone through once
            window = Window(
                [rows.key, rows.current, days == Null], order_by=[days],
                frame='ROWS', end=None)
            ranks += [
                RowNumber(window=window).as_(f'{name}_rank'),
                Count(days, window=window).as_(f'{name}_count')]
        return rows.select(
            *(
                Column(rows, c.output_name).as_(c.output_name)
                for c in rows.columns),
            *ranks)

    def _measures(self, rows):
        measures = super()._measures(rows)
        for name in MEDIANS:
            measures[name] = _median(rows, name)
            measures[COUNTED[name]] = _counted(rows, name)
        return measures


def _median(rows, name):
    "Return the function that returns the mean of the one or two in the middle"
    days, rank, count = (
        Column(rows, name + suffix) for suffix in ['', '_rank', '_count'])
    return lambda when: Avg(days, filter_=when & (days != Null)
        & (rank * 2 >= count) & (rank * 2 <= count + 2))


def _counted(rows, name):
    days = Column(rows, name)
    return lambda when: Count(days, filter_=when)


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

    def values(self):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        step, case = self.table('step'), self.table('case')
        asked = (step.kind == 'ask_reasons') & (step.state == 'done')
        return {
            'conformity': Step.sql_conformity(step, **_CONFORMITIES),
            'is_asked': asked,
            'is_answered': asked & (case.answered_at != Null),
            }

    def counts(self, rows):
        return {
            'steps_due': rows.conformity > 0,
            'steps_on_time': rows.conformity == 2,
            'asked': rows.is_asked,
            'answered': rows.is_answered,
            }


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

    def values(self):
        alert, case = self.table('alert'), Source.new_table('case')
        self.join('case', case, case.id == alert.case, 'LEFT')
        return {
            'is_right': (alert.state == 'handled')
            & (Coalesce(case.state, '') != 'cancelled')
            & (Coalesce(case.ground, '') != 'unfounded'),
            }

    def counts(self, rows):
        return {'alerts': Literal(True), 'alerts_right': rows.is_right}


def _hours(duration):
    return Extract('EPOCH', duration) / 3600.0
