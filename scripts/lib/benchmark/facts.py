# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The facts of the enrolments beside the dates of the enrolments alone

The baseline makes the same facts of the same attendances, and knows only that
a trainee is expected from the start date to the end date of an enrolment that
is neither draft nor cancelled."""

import datetime as dt
from contextlib import contextmanager

from sql import Cast, Expression, Literal, Null, Window
from sql.aggregate import Count, Max, Sum
from sql.conditionals import Case, Coalesce, NullIf
from sql.functions import Extract

from .common import measure, seconds

RUNS = 3
SESSIONS, TRAINEES, DAYS = 200, 100, 25
# A morning and an afternoon a day
SLOTS = 2 * DAYS
ATTENDANCES = SESSIONS * TRAINEES * SLOTS
READ = 1000
ABSENCES = 3
# Of five trainees one has two periods
SPLIT = 5
ATTENDED = ['present', 'late', 'left_early']
START = dt.date(2026, 1, 5)
TIMES = [(dt.time(9), dt.time(12, 30)), (dt.time(13, 30), dt.time(17))]
ZERO = dt.timedelta()
# The SQL types of the facts
TYPES = {
    'hours_planned': 'INTERVAL',
    'hours_held': 'INTERVAL',
    'hours_attended': 'INTERVAL',
    'hours_missed': 'INTERVAL',
    'hours_excused': 'INTERVAL',
    'attendance_rate': 'FLOAT',
    'absence_count': 'INTEGER',
    'consecutive_absences': 'INTEGER',
    'late_count': 'INTEGER',
    'last_presence': 'DATE',
    }
RECORDED = [name for name in TYPES if name != 'hours_planned']
# The search takes at most 1.5 times the time of the baseline
SEARCH_BAR = 1 / 1.5
# The baseline of the lists knows neither periods, groups nor exemptions
READ_BAR = 0.4
PLANNED_BAR = 0.2


def run(client):
    bench = Bench(client)
    bench.create()
    for name, rows, function, baseline, bar in [
            ('search by absences', ATTENDANCES, bench.search,
                bench.search_baseline, SEARCH_BAR),
            ('read facts', READ, bench.read, bench.read_baseline, READ_BAR),
            ('read hours planned', READ, bench.plan, bench.plan_baseline,
                PLANNED_BAR),
            ]:
        times, baseline_times = [], []
        for _ in range(RUNS):
            baseline_times.append(seconds(baseline))
            times.append(seconds(function))
        if function() != baseline():
            raise RuntimeError(f"{name}: the baseline differs")
        yield measure(name, rows, times, rows, baseline_times, bar)


class Bench:
    "Sessions of which all the sheets are official"
    sessions, trainees, days = SESSIONS, TRAINEES, DAYS

    def __init__(self, client):
        self.client = client
        self.enrolments = []

    @contextmanager
    def transaction(self):
        from trytond.transaction import Transaction

        with Transaction().start(
                self.client.config.database_name, self.client.config.user,
                context=dict(self.client.context)) as transaction:
            yield transaction

    def create(self):
        "Create a session with the product, then its copies by SQL"
        sessions = self.create_sessions()
        self.create_enrolments(sessions[0])
        with self.transaction() as transaction:
            cursor = transaction.connection.cursor()
            self.copy_session(cursor, sessions)
            self.create_attendances(cursor, sessions)
            self.store_facts()
            cursor.execute('ANALYZE')
            self.enrolments = self.middle(cursor)

    def create_sessions(self):
        "Return the ids of the sessions, of which the first one has slots"
        course, = self.client.create('training.course', [{'name': "Course"}])
        values = {
            'course': course,
            'company': self.client.context['company'],
            'start_date': START,
            'end_date': START + dt.timedelta(days=self.days - 1),
            }
        slots = [{
                'date': START + dt.timedelta(days=day),
                'start': start,
                'end': end,
                } for day in range(self.days) for start, end in TIMES]
        sessions = self.client.create('training.session', [
                dict(values, slots=[('create', slots)]),
                *([values] * (self.sessions - 1))])
        self.client.click('training.session', 'plan', sessions)
        return sessions

    def create_enrolments(self, session):
        parties = self.client.create('party.party', [{
                    'name': f"Trainee {i}",
                    } for i in range(self.trainees)])
        trainees = self.client.create('training.trainee', [{
                    'party': party,
                    } for party in parties])
        enrolments = self.client.create('training.enrolment', [{
                    'session': session,
                    'trainee': trainee,
                    'company': self.client.context['company'],
                    } for trainee in trainees])
        self.client.click('training.enrolment', 'confirm', enrolments)
        with self.transaction():
            self.split_periods(enrolments[::SPLIT])

    def split_periods(self, enrolments):
        from trytond.modules.training_abandon.training.half_day import half_day
        from trytond.pool import Pool

        Enrolment = Pool().get('training.enrolment')
        Enrolment.change_period(Enrolment.browse(enrolments), {
                'start': half_day(START + dt.timedelta(days=self.days // 2)),
                'end': None,
                'kind': 'expected',
                'weekdays': [],
                'reason': "Benchmark",
                })

    def copy_session(self, cursor, sessions):
        "Give to the sessions the slots and the enrolments of the first one"
        from trytond.pool import Pool

        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Period = pool.get('training.enrolment.period')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        slot, session = Slot.__table__(), Session.__table__()
        cursor.execute(*slot.update([slot.state], ['held']))
        others = session.id.in_(sessions[1:])
        for Model in [Slot, Enrolment]:
            table = Model.__table__()
            self.copy(
                cursor, Model, table, table.join(
                    session,
                    condition=others & (table.session == sessions[0])),
                session=session.id)
        period, enrolment = Period.__table__(), Enrolment.__table__()
        first = Enrolment.__table__()
        self.copy(
            cursor, Period, period,
            period
            .join(first,
                condition=(first.id == period.enrolment)
                & (first.session == sessions[0]))
            .join(enrolment,
                condition=(enrolment.trainee == first.trainee)
                & (enrolment.session != first.session)),
            enrolment=enrolment.id)

    def copy(self, cursor, Model, table, query, **values):
        "Insert the rows of the query with the values in their place"
        from trytond.model import fields

        target = Model.__table__()
        names = [
            n for n, f in Model._fields.items()
            if f.sql_type() and not isinstance(f, fields.Function)
            and n != 'id']
        cursor.execute(*target.insert(
                [getattr(target, n) for n in names],
                query.select(
                    *(values.get(n, getattr(table, n)) for n in names),
                    order_by=[*values.values(), table.id])))

    def create_attendances(self, cursor, sessions):
        "Create the lines of the sheets, of which a tenth are absences"
        from trytond.pool import Pool

        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        attendance = Attendance.__table__()
        enrolment, slot = Enrolment.__table__(), Slot.__table__()
        is_absent = self.is_absent(enrolment, slot)
        values = {
            'enrolment': enrolment.id,
            'slot': slot.id,
            'state': Case((is_absent, 'absent'), else_='present'),
            'missed': Case(
                (is_absent, slot.duration),
                else_=Attendance.missed.sql_format(ZERO)),
            'justified': Literal(False),
            'source': Literal('sheet'),
            }
        cursor.execute(*attendance.insert(
                [getattr(attendance, n) for n in values],
                enrolment
                .join(slot, condition=slot.session == enrolment.session)
                .select(
                    *values.values(), where=slot.session.in_(sessions),
                    order_by=[slot.id, enrolment.id])))
        cursor.execute(*attendance
            .join(slot, condition=slot.id == attendance.slot)
            .select(
                Count(Literal(1)), where=slot.session.in_(sessions)))
        count, = cursor.fetchone()
        assert count == 2 * self.sessions * self.trainees * self.days

    def is_absent(self, enrolment, slot):
        # As good as random, without being too large for an integer
        number = (
            enrolment.id % 10007 * 7919 + slot.id % 10007 * 4657) % 10007
        return number % 10 == 0

    def store_facts(self):
        "Store what the product stores when it changes the rows itself"
        from trytond.pool import Pool

        Pool().get('training.enrolment').store()

    def middle(self, cursor):
        "Return the ids of the enrolments to read"
        from trytond.pool import Pool

        enrolment = Pool().get('training.enrolment').__table__()
        cursor.execute(*enrolment.select(
                enrolment.id, order_by=enrolment.id, limit=READ,
                offset=(self.sessions * self.trainees - READ) // 2))
        return [id_ for id_, in cursor]

    def search(self):
        from trytond.pool import Pool

        with self.transaction():
            Enrolment = Pool().get('training.enrolment')
            return sorted(e.id for e in Enrolment.search([
                        ('consecutive_absences', '>=', ABSENCES),
                        ]))

    def search_baseline(self):
        from trytond.pool import Pool

        with self.transaction():
            Enrolment = Pool().get('training.enrolment')
            enrolment = Enrolment.__table__()
            recorded = recorded_query(enrolment.id)
            absences = Coalesce(
                recorded.select(recorded.consecutive_absences), 0)
            return sorted(e.id for e in Enrolment.search([
                        ('id', 'in', enrolment.select(
                                enrolment.id, where=absences >= ABSENCES)),
                        ]))

    def read(self):
        from trytond.pool import Pool

        with self.transaction():
            Attendance = Pool().get('training.attendance')
            facts = Attendance.facts(self.enrolments)
        return {id_: list(values.values()) for id_, values in facts.items()}

    def read_baseline(self):
        with self.transaction() as transaction:
            planned = planned_query(self.enrolments)
            recorded = recorded_query(self.enrolments)
            return fetch(transaction, planned
                .join(recorded, 'LEFT',
                    condition=recorded.enrolment == planned.enrolment)
                .select(
                    planned.hours_planned.as_('hours_planned'),
                    *(getattr(recorded, n).as_(n) for n in RECORDED),
                    planned.enrolment))

    def plan(self):
        from trytond.modules.training_abandon.stored import of_ids
        from trytond.pool import Pool

        with self.transaction() as transaction:
            Attendance = Pool().get('training.attendance')
            planned = Attendance._planned_query(of_ids(self.enrolments))
            return fetch(transaction, planned.select(
                    planned.hours_planned.as_('hours_planned'),
                    planned.enrolment))

    def plan_baseline(self):
        with self.transaction() as transaction:
            planned = planned_query(self.enrolments)
            return fetch(transaction, planned.select(
                    planned.hours_planned.as_('hours_planned'),
                    planned.enrolment))


def fetch(transaction, query):
    "Return the facts by the enrolment of the last column"
    from trytond.modules.training_abandon.tools import apply_types

    cursor = transaction.connection.cursor()
    types = [TYPES[c.output_name] for c in query.columns[:-1]]
    cursor.execute(*apply_types(query, *types))
    return {row[-1]: list(row[:-1]) for row in cursor}


def expected(enrolment, slot):
    return (
        ~enrolment.state.in_(['draft', 'cancelled'])
        & (slot.date >= Coalesce(enrolment.start_date, slot.date))
        & (slot.date <= Coalesce(enrolment.end_date, slot.date)))


def among(column, enrolments):
    if isinstance(enrolments, Expression):
        return column == enrolments
    return column.in_(enrolments)


def tables():
    from trytond.pool import Pool

    return [Pool().get(name).__table__() for name in [
            'training.attendance', 'training.enrolment',
            'training.session.slot']]


def planned_query(enrolments):
    "Return the query of the time of the slots, by enrolment"
    _, enrolment, slot = tables()
    return (enrolment
        .join(slot, condition=slot.session == enrolment.session)
        .select(
            enrolment.id.as_('enrolment'),
            Sum(slot.duration).as_('hours_planned'),
            where=(slot.state != 'cancelled')
            & expected(enrolment, slot)
            & among(enrolment.id, enrolments),
            group_by=[enrolment.id]))


def held_query(enrolments):
    "Return the query of the lines of the official sheets"
    attendance, enrolment, slot = tables()
    return (attendance
        .join(slot, condition=slot.id == attendance.slot)
        .join(enrolment, condition=enrolment.id == attendance.enrolment)
        .select(
            attendance.enrolment.as_('enrolment'),
            attendance.state.as_('state'),
            attendance.missed.as_('missed'),
            slot.date.as_('date'),
            slot.start.as_('start'),
            slot.end.as_('end'),
            slot.start_at.as_('start_at'),
            slot.duration.as_('duration'),
            Max(slot.start_at,
                filter_=attendance.state.in_(ATTENDED),
                window=Window([attendance.enrolment])).as_('last_start_at'),
            where=(slot.state == 'held')
            & expected(enrolment, slot)
            & among(attendance.enrolment, enrolments)))


def recorded_query(enrolments):
    "Return the query of the facts of the official sheets, by enrolment"
    held = held_query(enrolments)
    is_absent = held.state == 'absent'
    held_time, missed_time = Sum(held.duration), Sum(held.missed)
    attended_time = held_time - missed_time
    return held.select(
        held.enrolment.as_('enrolment'),
        held_time.as_('hours_held'),
        attended_time.as_('hours_attended'),
        missed_time.as_('hours_missed'),
        Coalesce(
            Sum(held.missed, filter_=held.state == 'excused'), ZERO)
        .as_('hours_excused'),
        (Cast(Extract('EPOCH', attended_time), 'FLOAT')
            / NullIf(Cast(Extract('EPOCH', held_time), 'FLOAT'), 0))
        .as_('attendance_rate'),
        Count(Literal(1), filter_=is_absent).as_('absence_count'),
        Count(Literal(1), filter_=is_absent
            & ((held.last_start_at == Null)
                | (held.start_at > held.last_start_at)))
        .as_('consecutive_absences'),
        Count(Literal(1), filter_=held.state == 'late').as_('late_count'),
        Max(held.date, filter_=held.state.in_(ATTENDED))
        .as_('last_presence'),
        group_by=[held.enrolment])
