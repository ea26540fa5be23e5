# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from trytond.exceptions import UserError, UserWarning
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.exceptions import (
    AgreedHoursError, AgreedHoursWarning, GroupWarning, PeriodError,
    PeriodWarning, SheetError, TrainingValidationError)
from trytond.modules.training_abandon.training.half_day import (
    clip, half_day, stretch)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, as_user, count_statements, create_enrolments,
    create_session, create_user, decide, examples, get_to_decision, run_wizard,
    savepoint, set_up, today)

HOURS = dt.timedelta(hours=3)
DAYS = 6
ATTENDED = {'present', 'late'}


def periods_of(enrolment):
    return [
        (p.kind, p.start_date, p.start_half if p.start_date else None,
            p.end_date, p.end_half if p.end_date else None)
        for p in enrolment.periods]


class Oracle:
    "An enrolment of which each half-day remembers whether it is expected"

    def __init__(self):
        self.planned = [True] * (2 * DAYS)
        self.expected = list(self.planned)
        self.lines = {}

    def hold(self, half, state):
        if self.expected[half]:
            self.lines[half] = state

    def end(self, date):
        attended = [
            h for h in [2 * date, 2 * date + 1]
            if self.lines.get(h) in ATTENDED]
        last = max(attended, default=2 * date + 1)
        self.planned = list(self.expected)
        for half in range(last + 1, 2 * DAYS):
            self.expected[half] = False

    def resume(self, date):
        for half in range(2 * date, 2 * DAYS):
            self.expected[half] = self.planned[half]

    @property
    def counted(self):
        return {
            h: state for h, state in self.lines.items()
            if state in ATTENDED or self.expected[h]}

    @property
    def facts(self):
        counted = self.counted
        attended = [h for h, s in counted.items() if s in ATTENDED]
        last = max(attended, default=-1)
        return {
            'hours_planned': sum(self.expected) * HOURS,
            'hours_held': len(counted) * HOURS,
            'hours_attended': len(attended) * HOURS,
            'absence_count': sum(s == 'absent' for s in counted.values()),
            'consecutive_absences': sum(
                s == 'absent' and h > last for h, s in counted.items()),
            'last_presence': DATE + last // 2 * DAY if attended else None,
            }


LIFE = st.lists(
    st.tuples(
        st.sampled_from(['present', 'present', 'late', 'absent', 'excused']),
        st.sampled_from([None, None, None, 'postpone', 'withdraw', 'resume',
                'correct', 'restore'])),
    min_size=2 * DAYS, max_size=2 * DAYS)


class PeriodTestCase(DatabaseTestCase):
    "Test when the trainees are expected"

    @with_transaction()
    def test_life(self):
        "Test the facts of random lives beside a replay of what happened"
        with set_up() as (company, _, _):
            @examples(12)
            @given(LIFE)
            def check(life):
                self.live(company, life)

            with Transaction().set_context(_skip_warnings=True):
                check()

    def live(self, company, life):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        session = create_session(company, days=DAYS)
        enrolment, = create_enrolments(session)
        oracle = Oracle()
        for half, (state, event) in enumerate(life):
            date = DATE + half // 2 * DAY
            with today(date):
                slot = session.slots[half]
                Slot.open([slot])
                Attendance.write(
                    list(Slot(slot.id).attendances), {'state': state})
                Slot.close([slot])
                oracle.hold(half, state)
                enrolment = Enrolment(enrolment.id)
                self.happen(enrolment, event, half, oracle, session)
            enrolment = Enrolment(enrolment.id)
            self.assertEqual(
                {n: getattr(enrolment, n) for n in oracle.facts},
                oracle.facts, (half, life))

    def happen(self, enrolment, event, half, oracle, session):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        date = DATE + half // 2 * DAY
        if event in {'postpone', 'withdraw'} and enrolment.state == 'started':
            end = {
                'postpone': Enrolment.suspend,
                'withdraw': Enrolment.withdraw,
                }[event]
            end([enrolment])
            Enrolment.end_expectation(
                [Enrolment(enrolment.id)], date,
                suspended=event == 'postpone')
            oracle.end(half // 2)
        elif event == 'resume' and enrolment.state in {
                'suspended', 'withdrawn'}:
            Enrolment.start([enrolment])
            oracle.resume(half // 2)
        elif event == 'correct' and half:
            slot = session.slots[half - 1]
            Slot.open([slot])
            Attendance.write(
                list(Slot(slot.id).attendances), {'state': 'absent'})
            if half - 1 in oracle.lines:
                oracle.lines[half - 1] = 'absent'
            Slot.close([slot])
        elif event == 'restore' and enrolment.state in {
                'suspended', 'withdrawn'}:
            Enrolment.restart([enrolment])
            Enrolment.restore_expectation([Enrolment(enrolment.id)])
            oracle.expected = list(oracle.planned)

    @with_transaction()
    def test_transitions(self):
        "Test the periods that the transitions write"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, _, _):
            session = create_session(company, days=DAYS)
            enrolment, = create_enrolments(session)
            self.assertEqual(
                periods_of(enrolment), [('expected', None, None, None, None)])
            case = get_to_decision(enrolment)
            decide(case, ground='postponed', effective_date=DATE)
            cut = [
                ('expected', None, None, DATE, 'afternoon'),
                ('suspended', DATE + DAY, 'morning', None, None)]
            self.assertEqual(periods_of(enrolment), cut)
            self.assertEqual(enrolment.periods[1].case, case)
            self.assertEqual(enrolment.hours_planned, 2 * HOURS)
            self.assertEqual(enrolment.agreed_hours, 2 * DAYS * HOURS)

            Enrolment.write([enrolment], {'end_date': DATE + 4 * DAY})
            self.assertEqual(periods_of(enrolment), cut)
            with today(DATE + 3 * DAY):
                Enrolment.start([enrolment])
            self.assertEqual(periods_of(enrolment), [
                    ('expected', None, None, DATE, 'afternoon'),
                    ('suspended', DATE + DAY, 'morning',
                        DATE + 2 * DAY, 'afternoon'),
                    ('expected', DATE + 3 * DAY, 'morning',
                        DATE + 4 * DAY, 'afternoon')])
            self.assertEqual(enrolment.end_date, DATE + 4 * DAY)
            with today(DATE + 5 * DAY):
                Enrolment.complete([enrolment])
            self.assertEqual(
                periods_of(enrolment)[-1],
                ('expected', DATE + 3 * DAY, 'morning',
                    DATE + 4 * DAY, 'afternoon'))
            self.assertEqual(
                {e.kind for e in enrolment.events},
                {'confirmed', 'started', 'suspended', 'resumed', 'completed',
                    'dates'})

            draft, = create_enrolments(session)
            Enrolment.confirm([draft])
            Enrolment.draft([draft])
            self.assertEqual(draft.periods, ())
            Enrolment.confirm([draft])
            Enrolment.cancel([draft])
            self.assertEqual(draft.periods, ())
            self.assertEqual(draft.hours_planned, dt.timedelta())

    @with_transaction()
    def test_complete(self):
        "Test that completing changes no absence of the last day"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            with today(DATE + DAY):
                for slot in session.slots:
                    Slot.open([slot])
                    if slot == session.slots[-1]:
                        Attendance.write(
                            list(Slot(slot.id).attendances),
                            {'state': 'absent'})
                    Slot.close([slot])
            for transition in [Enrolment.complete, Enrolment.start]:
                transition([enrolment])
                enrolment = Enrolment(enrolment.id)
                self.assertEqual(enrolment.absence_count, 1)
                self.assertEqual(enrolment.hours_held, 4 * HOURS)
            self.assertEqual(
                periods_of(enrolment), [('expected', None, None, None, None)])

    @with_transaction()
    def test_cancelled(self):
        "Test that who is confirmed again is on no sheet of meanwhile"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, other = create_enrolments(session, 2)
            Enrolment.confirm([enrolment])
            Enrolment.cancel([enrolment])
            with today(DATE):
                Slot.open(session.slots[:1])
                Slot.close(session.slots[:1])
                Enrolment.confirm([enrolment])
            self.assertEqual(periods_of(enrolment), [
                    ('expected', DATE, 'afternoon', None, None)])
            self.assertEqual(enrolment.hours_planned, 3 * HOURS)
            self.assertEqual(other.hours_planned, 4 * HOURS)

    @with_transaction()
    def test_ended_twice(self):
        "Test that each end is taken back by itself"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, _, _):
            session = create_session(company, days=DAYS)
            enrolment, = create_enrolments(session)

            def end(day, **values):
                Enrolment.end_expectation(
                    [Enrolment(enrolment.id)], DATE + day * DAY, **values)
                return periods_of(Enrolment(enrolment.id))

            whole = periods_of(enrolment)
            suspended = end(3, reason="Postponed", suspended=True)
            self.assertEqual(end(1), [
                    ('expected', None, None, DATE + DAY, 'afternoon')])
            for expected in [suspended, whole, whole]:
                Enrolment.restore_expectation([Enrolment(enrolment.id)])
                self.assertEqual(
                    periods_of(Enrolment(enrolment.id)), expected)
            end(3, suspended=True)
            end(1)
            Enrolment.resume_expectation(
                [Enrolment(enrolment.id)], DATE + 4 * DAY)
            enrolment = Enrolment(enrolment.id)
            self.assertEqual(periods_of(enrolment), [
                    ('expected', None, None, DATE + DAY, 'afternoon'),
                    ('expected', DATE + 4 * DAY, 'morning', None, None)])
            self.assertIsNone(enrolment.planned_periods)

    @with_transaction()
    def test_change_ended(self):
        "Test that a period entered after the end is for the way back"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, _, _):
            session = create_session(company, days=DAYS)
            enrolment, = create_enrolments(session)
            Enrolment.end_expectation(
                [Enrolment(enrolment.id)], DATE, suspended=True)
            before = periods_of(Enrolment(enrolment.id))
            Enrolment.change_period(
                [Enrolment(enrolment.id)], self.span(2, 2))
            self.assertEqual(periods_of(Enrolment(enrolment.id)), before)
            Enrolment.resume_expectation(
                [Enrolment(enrolment.id)], DATE + DAY)
            self.assertEqual(
                [p[0] for p in periods_of(Enrolment(enrolment.id))],
                ['expected', 'expected', 'exempted', 'expected'])

    @with_transaction()
    def test_change_ended_twice(self):
        "Test that a change holds whatever end is taken back"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, _, _):
            session = create_session(company, days=DAYS)
            enrolment, = create_enrolments(session)
            for day, suspended in [(3, True), (2, False)]:
                Enrolment.end_expectation(
                    [Enrolment(enrolment.id)], DATE + day * DAY,
                    suspended=suspended)
            Enrolment.change_period(
                [Enrolment(enrolment.id)], self.span(1, 1))
            Enrolment.write(
                [Enrolment(enrolment.id)], {'start_date': DATE + DAY})
            for kinds in [
                    ['exempted', 'expected', 'suspended'],
                    ['exempted', 'expected']]:
                Enrolment.restore_expectation([Enrolment(enrolment.id)])
                periods = periods_of(Enrolment(enrolment.id))
                self.assertEqual([p[0] for p in periods], kinds)
                self.assertEqual(periods[0][1], DATE + DAY)

    @with_transaction()
    def test_change_ended_exemption(self):
        "Test that what was wrong before the end is corrected after it"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, _, _):
            session = create_session(company, days=DAYS)
            enrolment, = create_enrolments(session)
            Enrolment.change_period(
                [Enrolment(enrolment.id)], self.span(1, 2))
            Enrolment.end_expectation_after(
                {Enrolment(enrolment.id): DATE + 2 * DAY})
            Enrolment.change_period(
                [Enrolment(enrolment.id)], self.span(1, 5, 'expected'))
            *_, last = periods_of(Enrolment(enrolment.id))
            self.assertEqual(
                (last[0], *last[3:]),
                ('expected', DATE + 2 * DAY, 'afternoon'))

    @with_transaction()
    def test_cancelled_draft(self):
        "Test that a cancelled draft is confirmed as a draft is"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            draft, = Enrolment.create([{
                        'company': company.id,
                        'session': session.id,
                        'trainee': create_enrolments(
                            create_session(company))[0].trainee.id,
                        'currency': company.currency.id,
                        }])
            Enrolment.cancel([draft])
            Enrolment.confirm([draft])
            self.assertEqual(draft.agreed_hours, enrolment.agreed_hours)
            self.assertEqual(periods_of(draft), periods_of(enrolment))

    @with_transaction()
    def test_cancelled_by_decision(self):
        "Test that what a decision cancelled waits for it to be taken back"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            case = get_to_decision(*create_enrolments(session))
            decide(case, ground='cancellation', effective_date=DATE)
            enrolment = Enrolment(case.enrolment.id)
            self.assertEqual(enrolment.state, 'cancelled')
            for action in [Enrolment.confirm, Enrolment.draft]:
                with self.assertRaisesRegex(AccessError, case.number):
                    action([enrolment])
            self.assertEqual(enrolment.state, 'cancelled')

    @with_transaction()
    def test_called_off(self):
        "Test that a slot called off and planned again has its trainees"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            create_enrolments(session, 2)
            slot = session.slots[0]
            with today(DATE):
                for action in [
                        Slot.open, Slot.close, Slot.open, Slot.cancel,
                        Slot.plan, Slot.open]:
                    action([Slot(slot.id)])
            self.assertEqual(Slot(slot.id).attendance_count, 2)

    @with_transaction()
    def test_official(self):
        "Test that only who was forgotten is added to an official sheet"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Group = pool.get('training.session.group')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, moved = create_enrolments(session, 2)
            slot = session.slots[0]
            first, second = Group.create([
                    {'session': session.id, 'name': n} for n in 'AB'])
            Slot.write([slot], {'groups': [('add', [first.id])]})
            for record, group in [(enrolment, first), (moved, second)]:
                record.groups = [group]
                record.save()
            with today(DATE):
                Slot.open([slot])
                Attendance.write(
                    list(Slot(slot.id).attendances), {'state': 'absent'})
                Slot.close([slot])
                moved.groups = [first]
                moved.save()
                enrolment.groups = [second]
                enrolment.save()
                self.assertEqual(
                    type(enrolment)(enrolment.id).absence_count, 1)
                Slot.open([slot])
                self.assertEqual(
                    [a.enrolment for a in Slot(slot.id).attendances],
                    [enrolment])
                with self.assertRaises(SheetError):
                    run_wizard('training.attendance.catch_up', [slot])
                run_wizard(
                    'training.attendance.catch_up', [slot],
                    forgotten=[moved.id])
                self.assertEqual(Slot(slot.id).attendance_count, 2)
                with self.assertRaises(AccessError):
                    Slot.write([slot], {'groups': [('add', [second.id])]})

    @with_transaction()
    def test_bounds(self):
        "Test that the dates of the enrolment move its periods"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, _, _):
            session = create_session(company, days=DAYS)
            enrolment, = create_enrolments(session)
            Enrolment.change_period([enrolment], self.span(2, 2))
            Enrolment.write([enrolment], {
                    'start_date': DATE + DAY, 'end_date': DATE + 3 * DAY})
            self.assertEqual(periods_of(enrolment), [
                    ('expected', DATE + DAY, 'morning',
                        DATE + DAY, 'afternoon'),
                    ('exempted', DATE + 2 * DAY, 'morning',
                        DATE + 2 * DAY, 'afternoon'),
                    ('expected', DATE + 3 * DAY, 'morning',
                        DATE + 3 * DAY, 'afternoon')])
            self.assertEqual(enrolment.hours_planned, 4 * HOURS)
            # From an afternoon to a morning
            enrolment, = create_enrolments(session)
            Enrolment.change_period([enrolment], {
                    **self.span(0, 1, 'expected'),
                    'start': half_day(DATE, 'afternoon'),
                    'end': half_day(DATE + DAY),
                    })
            Enrolment.change_period(
                [enrolment], self.span(2, DAYS, 'suspended'))
            Enrolment.change_period([enrolment], {
                    **self.span(0, 0), 'end': half_day(DATE)})
            Enrolment.change_period([enrolment], {
                    **self.span(1, 1),
                    'start': half_day(DATE + DAY, 'afternoon'),
                    })
            self.assertEqual(enrolment.hours_planned, 2 * HOURS)
            self.assertEqual(
                [(s.date, s.half) for s in session.slots
                    if enrolment.trainee in s.trainees],
                [(DATE, 'afternoon'), (DATE + DAY, 'morning')])

    def span(self, start, end, kind='exempted', **values):
        return {
            'start': half_day(DATE + start * DAY),
            'end': half_day(DATE + end * DAY, 'afternoon'),
            'kind': kind,
            'weekdays': [],
            'reason': "Known already",
            **values}

    @with_transaction()
    def test_bad_input(self):
        "Test that impossible periods are refused and odd ones warn"
        pool = Pool()
        Period = pool.get('training.enrolment.period')
        with set_up() as (company, session, _):
            for error, values in [
                    (PeriodError, {}),
                    (PeriodError, {
                            'start_date': DATE, 'end_date': DATE + DAY}),
                    (PeriodError, {
                            'start_date': DATE + 9 * DAY,
                            'start_half': 'afternoon',
                            'end_date': DATE + 9 * DAY,
                            'end_half': 'morning',
                            }),
                    (UserError, {
                            'start_date': DATE + 9 * DAY,
                            'end_date': DATE + 8 * DAY,
                            }),
                    (PeriodError, {
                            'kind': 'suspended',
                            'start_date': DATE + 2 * DAY,
                            'weekdays': ['monday_morning'],
                            }),
                    (PeriodWarning, {'start_date': DATE + 5 * DAY}),
                    ]:
                enrolment, = create_enrolments(session)
                period, = enrolment.periods
                period.end_date = DATE + DAY
                period.save()
                with self.subTest(values=values), \
                        Transaction().set_context(_skip_warnings=False), \
                        self.assertRaises(error):
                    Period.create([{
                                'enrolment': enrolment.id,
                                'reason': "Late",
                                **values}])
            with self.assertRaises(PeriodError), \
                    Transaction().set_context(_check_access=True):
                Period.write(
                    [period], {'end_date': DATE, 'reason': None})
            enrolment, = create_enrolments(session)
            period, = enrolment.periods
            period.end_date = DATE + DAY
            period.save()
            later, = Period.create([{
                        'enrolment': enrolment.id,
                        'start_date': DATE + 2 * DAY,
                        'reason': "Back",
                        }])
            with self.assertRaises(PeriodError), savepoint():
                Period.write([later], {'start_date': DATE})

            # The user tells neither who changed it nor when
            given = {'user': 0, 'known_since': None, 'start_date': DATE}
            with Transaction().set_context(_check_access=True):
                values = Period.preprocess_values('write', dict(given))
            self.assertEqual(values['user'], Transaction().user)
            self.assertTrue(values['known_since'])
            for name in ['user', 'known_since', 'case']:
                with self.subTest(name=name), self.assertRaises(AccessError):
                    Period.check_modification(
                        'write', [period], {name: None}, external=True)
            # What has been ended is changed by the wizard
            decide(get_to_decision(enrolment))
            for mode in ['create', 'write', 'delete']:
                with self.subTest(mode=mode), self.assertRaisesRegex(
                        AccessError, "ended"):
                    Period.check_modification(
                        mode, [Period(period.id)],
                        {'reason': "Other"} if mode == 'write' else None,
                        external=True)

    @with_transaction()
    def test_by_hand(self):
        "Test that a period entered by hand takes the place of others"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Period = pool.get('training.enrolment.period')
        with set_up() as (company, session, _):
            exempted, same, suspended, part = create_enrolments(session, 4)
            self.hold(session.slots[:1], 'absent')
            span = {
                'reason': "Known already", 'end_half': 'morning',
                'end_date': DATE, 'kind': 'exempted', 'start_date': DATE}
            with as_user(create_user('assistant', company, 'training')):
                period, = Period.create([{**span, 'enrolment': exempted.id}])
                Enrolment.write([suspended], {'periods': [('create', [{
                                        'kind': 'suspended',
                                        'start_date': DATE + DAY,
                                        'reason': "Away",
                                        }])]})
                Period.create([{
                            'enrolment': part.id,
                            'weekdays': ['monday_morning'],
                            'reason': "Part time",
                            }])
            run_wizard(
                'training.enrolment.period.change', [same],
                **{**span, 'start_half': 'morning', 'weekdays': []})
            exempted, same, suspended, part = Enrolment.browse(
                [exempted, same, suspended, part])
            self.assertEqual(periods_of(exempted), [
                    ('expected', None, None, DATE - DAY, 'afternoon'),
                    ('exempted', DATE, 'morning', DATE, 'morning'),
                    ('expected', DATE, 'afternoon', None, None)])
            self.assertEqual(exempted.periods[1], period)
            # The past is corrected, and traced, as by the wizard
            for name in ['absence_count', 'hours_planned']:
                self.assertEqual(
                    getattr(exempted, name), getattr(same, name))
            self.assertEqual(exempted.absence_count, 0)
            self.assertEqual(periods_of(exempted), periods_of(same))
            self.assertEqual(*(
                    [(v.kind, v.reason, v.description) for v in e.events]
                    for e in [exempted, same]))
            self.assertEqual(periods_of(suspended), [
                    ('expected', None, None, DATE, 'afternoon'),
                    ('suspended', DATE + DAY, 'morning', None, None)])
            self.assertEqual(part.hours_planned, HOURS)
            for values in [
                    [{'start_date': DATE + DAY}],
                    [{'kind': k} for k in ['suspended', 'exempted']],
                    ]:
                with self.assertRaises(PeriodError), savepoint():
                    Period.create([{
                                'enrolment': exempted.id,
                                'reason': "Other",
                                **v} for v in values])

    @with_transaction()
    def test_draft(self):
        "Test that the periods of a draft hold once it is confirmed"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            trainees = [
                e.trainee.id
                for e in create_enrolments(create_session(company), 2)]
            with as_user(create_user('assistant', company, 'training')):
                part, away = Enrolment.create([
                        {
                            'periods': [('create', [{
                                            'weekdays': [
                                                'monday_morning',
                                                'tuesday_morning'],
                                            'reason': "Part time",
                                            }])],
                            'trainee': trainees[0],
                            'session': session.id,
                            },
                        {'trainee': trainees[1], 'session': session.id},
                        ])
            run_wizard(
                'training.enrolment.period.change', [away],
                kind='suspended', start_date=DATE + DAY, start_half='morning',
                end_date=DATE + DAY, end_half='morning', reason="Away")
            self.assertFalse(session.slots[0].trainees)
            self.assertFalse(Slot.search([('conflicting', '=', True)]))
            periods = periods_of(part), periods_of(away)
            Session.cancel([session])
            Session.draft([session])
            part, away = Enrolment.browse([part, away])
            self.assertEqual([part.state, away.state], ['draft'] * 2)
            self.assertEqual((periods_of(part), periods_of(away)), periods)
            Session.plan([session])
            Slot.plan(list(session.slots))
            self.hold(session.slots[:1])
            self.assertFalse(session.slots[0].attendances)
            Enrolment.confirm([part, away])
            self.assertEqual(
                [s.trainees for s in session.slots], [
                    (), (away.trainee,), (part.trainee,), (away.trainee,)])
            self.assertEqual(part.hours_planned, HOURS)
            self.assertEqual(away.hours_planned, 2 * HOURS)

    def hold(self, slots, state='present'):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with today(slots[-1].date):
            for slot in slots:
                Slot.open([slot])
                Attendance.write(
                    list(Slot(slot.id).attendances), {'state': state})
                Slot.close([slot])

    @with_transaction()
    def test_weekdays(self):
        "Test who is expected part time"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            run_wizard(
                'training.enrolment.period.change', [enrolment],
                kind='expected', weekdays=['monday_morning'],
                reason="Part time")
            self.assertEqual(enrolment.hours_planned, HOURS)
            slot, *_ = [
                s for s in session.slots if enrolment.trainee in s.trainees]
            self.assertEqual((slot.date, slot.half), (DATE, 'morning'))
            self.assertEqual(enrolment.events[0].reason, "Part time")

    @with_transaction()
    def test_groups(self):
        "Test that a slot with groups is for them alone"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Group = pool.get('training.session.group')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            first, second, both = create_enrolments(session, 3)
            groups = Group.create([
                    {'session': session.id, 'name': n,
                        'slots': [('add', [s.id])]}
                    for n, s in zip('AB', session.slots)])
            for enrolment, joined in [
                    (first, groups[:1]), (second, groups[1:]),
                    (both, groups)]:
                enrolment.groups = joined
                enrolment.save()
            expected = [
                [first, both], [second, both], [first, second, both]]
            for slot, enrolments in zip(Slot.browse(session.slots), expected):
                self.assertEqual(
                    set(slot.trainees), {e.trainee for e in enrolments})
            self.assertEqual(first.hours_planned, 3 * HOURS)
            self.assertEqual(both.hours_planned, 4 * HOURS)

            other = create_session(company)
            empty, = Group.create([{'session': session.id, 'name': 'C'}])
            foreign, = Group.create([{
                        'session': other.id,
                        'name': 'A',
                        'slots': [('add', [other.slots[0].id])],
                        }])
            with self.assertRaises(GroupWarning), \
                    Transaction().set_context(_skip_warnings=False):
                Enrolment.write([first], {'groups': [('add', [empty.id])]})
            with self.assertRaises(TrainingValidationError), \
                    Transaction().set_context(_skip_warnings=True):
                Enrolment.write([second], {
                        'groups': [('add', [foreign.id])]})

    @with_transaction()
    def test_exemptions(self):
        "Test that a slot or a subject can be left out"
        pool = Pool()
        Exemption = pool.get('training.enrolment.exemption')
        Subject = pool.get('training.course.subject')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            subject, = Subject.create([{
                        'course': session.course.id, 'name': "Law"}])
            first, second, *_ = session.slots
            second.subject = subject
            second.save()
            by_slot, _ = Exemption.create([{
                        'enrolment': enrolment.id,
                        'slot': first.id,
                        'reason': "Knows it",
                        }, {
                        'enrolment': enrolment.id,
                        'subject': subject.id,
                        'reason': "Diploma",
                        }])
            self.assertEqual(enrolment.hours_planned, 2 * HOURS)
            Exemption.delete([by_slot])
            self.assertEqual(enrolment.hours_planned, 3 * HOURS)
            self.assertEqual(
                [e.kind for e in enrolment.events[:3]], ['exemption'] * 3)

    @with_transaction()
    def test_catch_up(self):
        "Test that what is caught up takes the place of what was missed"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            other = create_session(company)
            with today(DATE + DAY):
                for slot in session.slots:
                    Slot.open([slot])
                    Attendance.write(
                        list(Slot(slot.id).attendances), {'state': 'absent'})
                    Slot.close([slot])
            guest = other.slots[0]
            missed = session.slots[2]
            line, = Attendance.search([
                    ('enrolment', '=', enrolment.id),
                    ('slot', '=', missed.id)])
            run_wizard(
                'training.attendance.catch_up', [guest], missed=[line.id])
            self.assertEqual(enrolment.absence_count, 4)
            with today(DATE + DAY):
                # Called off, it leaves the place to another slot
                Slot.open([guest])
                Attendance.write(
                    list(Slot(guest.id).attendances), {'source': 'sheet'})
                Slot.cancel([guest])
                self.assertFalse(Slot(guest.id).attendances)
                Slot.plan([guest])
                run_wizard(
                    'training.attendance.catch_up', [guest], missed=[line.id])
                Slot.open([guest])
                Attendance.write(
                    list(Slot(guest.id).attendances), {'source': 'sheet'})
                Slot.close([guest])
            enrolment = Enrolment(enrolment.id)
            self.assertEqual(enrolment.absence_count, 3)
            self.assertEqual(enrolment.consecutive_absences, 1)
            self.assertEqual(enrolment.hours_held, 4 * HOURS)
            self.assertEqual(enrolment.hours_attended, HOURS)
            self.assertEqual(enrolment.attendance_rate, 0.25)
            # It is not a half-day of the session
            self.assertEqual(
                Enrolment.last_attended_half_days([enrolment], DATE), {})
            self.assertEqual(
                Attendance.missed_slots([enrolment.id])[enrolment.id],
                [(s.date, s.start, s.end) for s in session.slots[3:]])

            # What was attended is not caught up
            attended = session.slots[0]
            Slot.open([attended])
            Attendance.write(
                list(Slot(attended.id).attendances), {'state': 'present'})
            Slot.close([attended])
            with self.assertRaises(TrainingValidationError), savepoint():
                Attendance.create([{
                            'enrolment': enrolment.id,
                            'slot': other.slots[1].id,
                            'catches_up': attended.id,
                            }])

            # Who was to catch up and did not come is absent
            Slot.open([guest])
            Attendance.write(
                list(Slot(guest.id).attendances), {'state': 'absent'})
            Slot.close([guest])
            self.assertEqual(Enrolment(enrolment.id).absence_count, 3)
            # Even if the trainee is expected in the session on other days
            Enrolment.write(
                [Enrolment(enrolment.id)], {'start_date': DATE + DAY})
            self.assertEqual(Enrolment(enrolment.id).absence_count, 2)

    @with_transaction()
    def test_agreed_hours(self):
        "Test that the agreed hours change with a reason only"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            self.assertEqual(enrolment.agreed_hours, 4 * HOURS)
            session.course.duration = 5 * HOURS
            session.course.save()
            other, = create_enrolments(session)
            self.assertEqual(other.agreed_hours, 5 * HOURS)
            draft, = type(enrolment).create([{
                        'company': company.id,
                        'session': create_session(company).id,
                        'trainee': other.trainee.id,
                        'currency': company.currency.id,
                        'agreed_hours': HOURS,
                        }])
            type(enrolment).confirm([draft])
            self.assertEqual(draft.agreed_hours, HOURS)
            with self.assertRaises(AgreedHoursError):
                other.agreed_hours = dt.timedelta()
                other.save()
            with self.assertRaises((UserError, UserWarning)), \
                    Transaction().set_context(_check_access=True):
                type(enrolment).write(
                    [enrolment], {'agreed_hours': HOURS})
            for name in ['agreed_hours', 'planned_periods', 'previous_state']:
                with self.subTest(name=name), self.assertRaises(AccessError):
                    type(enrolment).check_modification(
                        'write', [enrolment], {name: None}, external=True)
            run_wizard(
                'training.enrolment.change_agreed_hours', [enrolment],
                agreed_hours=2 * HOURS, reason="Amendment")
            self.assertEqual(enrolment.agreed_hours, 2 * HOURS)
            event = enrolment.events[0]
            self.assertEqual(
                (event.kind, event.reason, event.description),
                ('agreed_hours', "Amendment", '12:00 → 06:00'))
            with today(DATE):
                for slot in session.slots[:2]:
                    Slot.open([slot])
                    Slot.close([slot])
            with self.assertRaises(AgreedHoursWarning), \
                    Transaction().set_context(_skip_warnings=False):
                run_wizard(
                    'training.enrolment.change_agreed_hours', [enrolment],
                    agreed_hours=HOURS, reason="Amendment")

    @with_transaction()
    def test_agreed_hours_statements(self):
        "Test that what many have attended takes as many statements as one"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (_, session, _):
            counts = []
            for number in [2, 20]:
                enrolments = create_enrolments(session, number)
                with count_statements() as statements:
                    Enrolment.change_agreed_hours(
                        enrolments, HOURS, "Amendment")
                counts.append(sum(
                        '"training_attendance"' in s for s in statements))
            self.assertEqual(*counts)
            self.assertTrue(counts[0])

    @with_transaction()
    def test_copy(self):
        "Test that a copy of an enrolment begins anew"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            decide(case)
            copy, = Enrolment.copy([enrolment])
            self.assertEqual(
                (copy.state, copy.end_date, copy.periods, copy.events),
                ('draft', None, (), ()))

    @with_transaction()
    def test_noon(self):
        "Test that the half-days follow noon until their sheet is opened"
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            with today():
                Slot.open(session.slots[:1])
            configuration = Configuration(1)
            configuration.noon = dt.time(8)
            configuration.save()
            self.assertEqual(
                [s.half for s in Slot.browse(session.slots)],
                ['morning'] + 3 * ['afternoon'])

    def test_clip(self):
        "Test the parts and the new bounds of spans"
        spans = [{'start': None, 'end': 4}, {'start': 6, 'end': None}]
        self.assertEqual(
            clip(spans, 3, 7), [
                {'start': 3, 'end': 4}, {'start': 6, 'end': 7}])
        self.assertEqual(clip(spans, 5, 5), [])
        self.assertEqual(
            stretch(spans, 2, 9), [
                {'start': 2, 'end': 4}, {'start': 6, 'end': 9}])
        self.assertEqual(stretch(spans, 7, None), [
                {'start': 7, 'end': None}])
