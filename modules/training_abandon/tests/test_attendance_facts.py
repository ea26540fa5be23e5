# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import operator

from hypothesis import given
from hypothesis import strategies as st

from trytond.modules.training_abandon.attendance.facts import FACTS
from trytond.modules.training_abandon.tests.common import (
    DATE, DatabaseTestCase, count_statements, create_enrolments, examples,
    set_up)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

DAY, ZERO = dt.timedelta(days=1), dt.timedelta()
DAYS = 4
ATTENDED = {'present', 'late', 'left_early'}
OPERATORS = {'=': operator.eq, '<': operator.lt, '>=': operator.ge}
SLOTS = st.lists(
    st.fixed_dictionaries({
            'day': st.integers(0, DAYS - 1),
            'start': st.sampled_from([9, 14]),
            'hours': st.integers(1, 4),
            'trainer': st.booleans(),
            'state': st.sampled_from(
                ['held', 'held', 'held', 'planned', 'open', 'cancelled']),
            }),
    unique_by=lambda s: (s['day'], s['start'], s['trainer']), max_size=8)
ENROLMENTS = st.lists(
    st.fixed_dictionaries({
            'start': st.none() | st.integers(0, 1),
            'end': st.none() | st.integers(1, DAYS),
            'state': st.sampled_from([
                    'started', 'started', 'draft', 'confirmed', 'suspended',
                    'withdrawn', 'completed', 'cancelled']),
            'lines': st.lists(
                st.tuples(
                    st.sampled_from([
                            None, 'present', 'late', 'left_early', 'absent',
                            'absent', 'excused']),
                    st.integers(0, 60)),
                min_size=8, max_size=8),
            }),
    min_size=1, max_size=4)


def is_expected(slot, enrolment):
    return (
        slot['state'] != 'cancelled'
        and enrolment['state'] not in {'draft', 'cancelled'}
        and slot['day'] >= (enrolment['start'] or 0)
        and (enrolment['end'] is None or slot['day'] <= enrolment['end']))


def one_at_a_time(slots, key):
    "Return the slots that do not overlap one of those before, by the key"
    kept = []
    for slot in sorted(slots, key=key):
        if not any(
                slot['day'] == other['day']
                and slot['start'] < other['start'] + other['hours']
                and other['start'] < slot['start'] + slot['hours']
                for other in kept):
            kept.append(slot)
    return kept


def naive_facts(slots, enrolment):
    "Return the facts of the enrolment, computed from the definitions"
    facts = {n: default for n, (_, default) in FACTS.items()}
    last, presences = None, []
    slots = [
        {**s, 'index': i, 'line': line}
        for i, (s, line) in enumerate(zip(slots, enrolment['lines']))]

    def order(slot):
        return slot['day'], slot['start'], slot['index']

    for slot in one_at_a_time(
            [s for s in slots if is_expected(s, enrolment)], order):
        facts['hours_planned'] += dt.timedelta(hours=slot['hours'])
    held = [
        s for s in slots
        if s['state'] == 'held' and s['line'][0]
        and (s['line'][0] in ATTENDED or is_expected(s, enrolment))]
    held = one_at_a_time(
        held, lambda s: (s['line'][0] not in ATTENDED, *order(s)))
    for slot in sorted(held, key=order):
        state, minutes = slot['line']
        duration = dt.timedelta(hours=slot['hours'])
        facts['hours_held'] += duration
        if state == 'absent':
            facts['absence_count'] += 1
            facts['consecutive_absences'] += 1
        elif state in ATTENDED:
            facts['consecutive_absences'] = 0
            last = day(slot['day'])
            presences.append(last)
        missed = {
            'present': ZERO,
            'absent': duration,
            'excused': duration,
            }.get(state, dt.timedelta(minutes=minutes))
        facts['hours_missed'] += missed
        facts['hours_attended'] += duration - missed
        if state == 'excused':
            facts['hours_excused'] += missed
        facts['late_count'] += state == 'late'
    facts['last_presence'] = last
    facts['first_presence'] = min(presences, default=None)
    if facts['hours_held']:
        facts['attendance_rate'] = (
            facts['hours_attended'] / facts['hours_held'])
    return facts


class FactsTestCase(DatabaseTestCase):
    "Test the facts of the enrolments"

    def create(self, course, trainees, trainer, slots, enrolments):
        "Create the slots and the enrolments, return the latter"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        session, = Session.create([{
                    'course': course.id,
                    'start_date': DATE,
                    'end_date': DATE + DAYS * DAY,
                    'slots': [('create', [{
                                    'date': day(slot['day']),
                                    'start': dt.time(slot['start']),
                                    'end': dt.time(
                                        slot['start'] + slot['hours']),
                                    'trainer': (trainer.id
                                        if slot['trainer'] else None),
                                    'state': slot['state'],
                                    } for slot in slots])],
                    }])
        created = Enrolment.create([{
                    'trainee': trainee.id,
                    'session': session.id,
                    'start_date': day(enrolment['start']),
                    'end_date': day(enrolment['end']),
                    'state': enrolment['state'],
                    } for trainee, enrolment in zip(trainees, enrolments)])
        records = sorted(session.slots, key=lambda s: s.id)
        values = []
        for record, enrolment in zip(created, enrolments):
            for slot, (state, minutes) in zip(records, enrolment['lines']):
                if state:
                    minutes = dt.timedelta(minutes=minutes)
                    values.append({
                            'enrolment': record.id,
                            'slot': slot.id,
                            'state': state,
                            'late_by': minutes if state == 'late' else None,
                            'left_by': (minutes
                                if state == 'left_early' else None),
                            })
        Attendance.create(values)
        return created

    @with_transaction()
    def test_naive(self):
        "Test the facts read, searched and ordered beside a naive computation"
        with set_up() as (_, session, trainer):
            trainees = [e.trainee for e in create_enrolments(session, 4)]

            @examples(15)
            @given(SLOTS, ENROLMENTS)
            def check(slots, enrolments):
                self.check(
                    self.create(
                        session.course, trainees, trainer, slots, enrolments),
                    [naive_facts(slots, e) for e in enrolments])

            with Transaction().set_context(_skip_warnings=True):
                check()

    def check(self, enrolments, expected):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        ids = [e.id for e in enrolments]
        read = {r['id']: r for r in Enrolment.read(ids, list(FACTS))}
        absences = Attendance.missed_slots(ids)
        for id, facts in zip(ids, expected):
            self.assertEqual({n: read[id][n] for n in FACTS}, facts)
            self.assertEqual(len(absences[id]), facts['consecutive_absences'])
        for name in FACTS:
            value = expected[0][name]
            for sign, compare in OPERATORS.items():
                if value is None and sign != '=':
                    continue
                found = Enrolment.search([
                        ('id', 'in', ids),
                        (name, sign, value),
                        ], order=[(name, 'DESC'), ('id', None)])
                self.assertEqual({e.id for e in found}, {
                        id for id, facts in zip(ids, expected)
                        if satisfies(facts[name], compare, value)},
                    (name, sign, value))
                ordered = [read[e.id][name] for e in found]
                self.assertEqual(
                    ordered, sorted(ordered, reverse=True)
                    if value is not None else ordered)

    @with_transaction()
    def test_unknown(self):
        "Test that nothing recorded is told from nothing attended"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            self.assertEqual(
                enrolment.hours_planned, dt.timedelta(hours=12))
            self.assertEqual(enrolment.hours_held, ZERO)
            self.assertEqual(enrolment.attendance_rate, None)
            for domain in [
                    [('attendance_rate', '=', None)],
                    [('last_presence', 'in', [None, DATE])],
                    [('consecutive_absences', 'in', [0, 1])],
                    [('absence_count', 'not in', [1])]]:
                with self.subTest(domain=domain):
                    self.assertIn(enrolment, Enrolment.search(domain))
            self.assertNotIn(enrolment, Enrolment.search([
                        ('attendance_rate', '<', 1)]))

    @with_transaction()
    def test_late_enrolment(self):
        "Test that nobody is on a sheet held before the enrolment"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            slot = session.slots[0]
            Slot.open([slot])
            Slot.close([slot])
            enrolment, = create_enrolments(session)
            self.assertEqual(enrolment.hours_held, ZERO)

            Slot.open([slot])
            Slot.close([slot])
            self.assertEqual(enrolment.hours_held, ZERO)
            self.assertEqual(enrolment.hours_planned, 3 * slot.duration)

    @with_transaction()
    def test_statements(self):
        "Test that the facts of a list cost always as much"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            ids = [e.id for e in create_enrolments(session, 60)]
            counts = []
            for sub_ids in [ids[:5], ids]:
                with count_statements() as statements:
                    Enrolment.read(sub_ids, list(FACTS))
                counts.append(len(statements))
            self.assertEqual(*counts)

            with count_statements() as statements:
                Attendance.facts(range(1, 1001))
            self.assertEqual(len(statements), 1)


def day(number):
    return None if number is None else DATE + number * DAY


def satisfies(fact, compare, value):
    if fact is None or value is None:
        return compare is operator.eq and fact is value
    return compare(fact, value)
