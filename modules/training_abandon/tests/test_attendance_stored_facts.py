# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import os
from collections import Counter
from random import Random
from unittest.mock import patch

from trytond.exceptions import UserError
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.attendance.stored_facts import (
    FACTS, LineFactsMixin, SlotFactsMixin, StoredFactsMixin)
from trytond.modules.training_abandon.training.expectation import (
    ExpectationMixin)
from trytond.modules.training_abandon.training.half_day import half_day
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, NoticeTestCase, as_user, count_statements, create_enrolments,
    create_session, create_user, get_to_decision, open_wizard, savepoint,
    set_up, today)

DAYS = 4
EVENTS = 1000 if os.environ.get('TEST_FULL') else 100
STATES = ['present', 'present', 'late', 'left_early', 'absent', 'absent',
    'excused']


class Life:
    "What happens at random in two sessions"

    def __init__(self, random, company):
        self.random = random
        self.company = company
        self.sessions = []
        for _ in range(2):
            session = create_session(company, days=DAYS)
            self.sessions.append(session)
            create_enrolments(session, 2)
        Subject, Group = self.get('course.subject', 'session.group')
        self.subjects = Subject.create([
                {'course': s.course.id, 'name': n}
                for s in self.sessions for n in ["Accounts", "Taxes"]])
        self.groups = Group.create([
                {'session': s.id, 'name': n}
                for s in self.sessions for n in ["A", "B"]])

    def get(self, *names):
        pool = Pool()
        return [pool.get(f'training.{n}') for n in names]

    @classmethod
    def events(cls):
        return [n for n in dir(cls) if n.startswith('do_')]

    def happen(self, event):
        "Return if it has happened, and was not refused"
        try:
            with savepoint(keep=True):
                getattr(self, event)()
        except (UserError, IndexError):
            # IndexError if there is nothing to choose from
            return False
        return True

    def pick(self, Model, *domain):
        "Return a record of the domain or raise IndexError"
        return self.random.choice(
            Model.search(list(domain), order=[('id', 'ASC')]))

    def pick_name(self, name, *domain):
        Model, = self.get(name)
        return self.pick(Model, *domain)

    def slot(self, *states):
        return self.pick_name('session.slot', ('state', 'in', states))

    def enrolment(self, *states):
        return self.pick_name(
            'enrolment', *([('state', 'in', states)] if states else []))

    def date(self):
        return DATE + self.random.randrange(DAYS) * DAY

    def times(self, session):
        "Return a time at which no slot of the session starts"
        Slot, = self.get('session.slot')
        values = {
            'date': self.date(),
            'start': dt.time(self.random.choice([8, 9, 10, 12, 14, 15, 17])),
            }
        self.check_none(
            Slot, ('session', '=', session.id),
            *((n, '=', v) for n, v in values.items()))
        return {
            **values,
            'end': dt.time(
                values['start'].hour + self.random.randint(1, 3)),
            }

    def check_none(self, Model, *domain):
        """Raise IndexError if there is a record of the domain: the constraints
        of SQLite forget the savepoints"""
        if Model.search(list(domain)):
            raise IndexError

    def fill(self, slot):
        Attendance, = self.get('attendance')
        for line in Attendance.search([('slot', '=', slot.id)]):
            state = self.random.choice(STATES)
            minutes = dt.timedelta(minutes=self.random.randint(1, 59))
            Attendance.write([line], {
                    'state': state,
                    'late_by': minutes if state == 'late' else None,
                    'left_by': minutes if state == 'left_early' else None,
                    })

    def do_hold(self):
        slot = self.slot('planned')
        type(slot).open([slot])
        self.fill(slot)
        type(slot).close([slot])

    do_hold_too = do_hold_again = do_hold

    def do_open(self):
        slot = self.slot('planned', 'held')
        type(slot).open([slot], reason="Wrong")

    def do_correct(self):
        slot = self.slot('open')
        self.fill(slot)
        type(slot).close([slot])

    def do_call_off(self):
        slot = self.slot('planned', 'open')
        type(slot).cancel([slot])

    def do_plan(self):
        slot = self.slot('cancelled')
        type(slot).plan([slot])

    def do_move(self):
        slot = self.slot('planned')
        times = self.times(slot.session)
        type(slot).move([slot.moved(*(
                        dt.datetime.combine(times['date'], times[n])
                        for n in ['start', 'end']))])

    def do_write_slot(self):
        slot = self.slot('planned')
        type(slot).write([slot], self.times(slot.session))

    def do_split(self):
        slot = self.slot('planned')
        end = dt.time(slot.start.hour, 30)
        start = dt.time(slot.start.hour, 45)
        self.check_none(
            type(slot), ('session', '=', slot.session.id),
            ('date', '=', slot.date), ('start', '=', start))
        type(slot).split([slot], end, start)

    def do_create_slot(self):
        Slot, = self.get('session.slot')
        session = self.random.choice(self.sessions)
        Slot.create([{'session': session.id, **self.times(session)}])

    do_create_slot_too = do_create_slot

    def do_delete_slot(self):
        slot = self.slot('planned', 'cancelled')
        type(slot).delete([slot])

    def do_change_session_of_slot(self):
        slot = self.slot('planned')
        session = self.random.choice(self.sessions)
        self.check_none(
            type(slot), ('session', '=', session.id),
            ('date', '=', slot.date), ('start', '=', slot.start))
        type(slot).write([slot], {'session': session.id})

    def do_subject(self):
        slot = self.slot('planned')
        type(slot).write([slot], {'subject': self.random.choice(
                    [s.id for s in self.subjects
                        if s.course == slot.course] + [None])})

    def do_slot_groups(self):
        slot = self.slot('planned')
        if slot.groups:
            actions = [('remove', [g.id for g in slot.groups])]
        else:
            actions = [('add', [self.random.choice(
                            [g.id for g in self.groups
                                if g.session == slot.session])])]
        type(slot).write([slot], {'groups': actions})

    def do_join(self):
        enrolment = self.enrolment()
        type(enrolment).write([enrolment], {
                'groups': [('add', [self.random.choice(
                                [g.id for g in self.groups
                                    if g.session == enrolment.session])])],
                })

    def do_leave(self):
        link = self.pick_name('enrolment-training.session.group')
        type(link).delete([link])

    def do_change_period(self):
        enrolment = self.enrolment(
            'confirmed', 'started', 'suspended', 'withdrawn')
        start = self.date()
        kind = self.random.choice(['expected', 'suspended', 'exempted'])
        type(enrolment).change_period([enrolment], {
                'start': half_day(
                    start, self.random.choice(['morning', 'afternoon'])),
                'end': self.random.choice(
                    [None, half_day(start + DAY, 'afternoon')]),
                'kind': kind,
                'weekdays': (
                    self.random.sample(['monday_morning', 'tuesday_afternoon'],
                        self.random.randint(0, 2))
                    if kind == 'expected' else []),
                'reason': "Agreed",
                })

    def do_write_period(self):
        period = self.pick_name('enrolment.period')
        type(period).write([period], {
                'kind': self.random.choice(['expected', 'exempted']),
                'weekdays': [],
                })

    def do_give_period(self):
        period = self.pick_name('enrolment.period')
        type(period).write([period], {'enrolment': self.enrolment().id})

    def do_delete_period(self):
        period = self.pick_name('enrolment.period')
        type(period).delete([period])

    def do_exempt(self):
        enrolment = self.enrolment()
        Exemption, Slot = self.get('enrolment.exemption', 'session.slot')
        values = {
            'subject': self.random.choice(
                [s.id for s in self.subjects
                    if s.course == enrolment.course]),
            }
        if self.random.random() < .5:
            values = {'slot': self.pick(
                    Slot, ('session', '=', enrolment.session.id)).id}
        Exemption.create([
                {'enrolment': enrolment.id, 'reason': "Known", **values}])

    def do_give_exemption(self):
        exemption = self.pick_name('enrolment.exemption')
        enrolment = self.pick_name('enrolment', ('session', '=',
                exemption.session.id))
        type(exemption).write([exemption], {'enrolment': enrolment.id})

    def do_unexempt(self):
        exemption = self.pick_name('enrolment.exemption')
        type(exemption).delete([exemption])

    def do_catch_up(self):
        Attendance, = self.get('attendance')
        missed = self.pick(
            Attendance, ('state', 'in', ['absent', 'excused']),
            ('slot.state', '=', 'held'))
        slot = self.slot('planned', 'open')
        self.check_none(
            Attendance, ('enrolment', '=', missed.enrolment.id), ['OR',
                ('slot', '=', slot.id),
                ('catches_up', '=', missed.slot.id),
                ])
        Attendance.create([{
                    'enrolment': missed.enrolment.id,
                    'slot': slot.id,
                    'catches_up': missed.slot.id,
                    'state': self.random.choice(['present', 'absent']),
                    }])
        if slot.state == 'planned':
            type(slot).open([slot])
        type(slot).close([slot])

    def do_import_line(self):
        Attendance, = self.get('attendance')
        slot = self.slot('planned', 'open')
        enrolment = self.pick_name(
            'enrolment', ('session', '=', slot.session.id))
        self.check_none(
            Attendance, ('enrolment', '=', enrolment.id),
            ('slot', '=', slot.id))
        Attendance.create([{
                    'enrolment': enrolment.id,
                    'slot': slot.id,
                    'state': self.random.choice(['present', 'absent']),
                    'source': 'import',
                    }])

    def do_change_line(self):
        "Write what only the product itself does on an official sheet"
        line = self.pick_name('attendance', ('slot.state', '=', 'held'))
        type(line).write([line], {'state': self.random.choice(
                    ['present', 'absent', 'excused'])})

    def do_delete_line(self):
        line = self.pick_name('attendance', ('slot.state', '=', 'held'))
        type(line).delete([line])

    def do_justify(self):
        Justification, = self.get('justification')
        enrolment = self.enrolment()
        start = self.date()
        Justification.accept(Justification.create([{
                        'company': self.company.id,
                        'enrolment': enrolment.id,
                        'start_date': start,
                        'end_date': start + DAY,
                        }]))

    do_justify_too = do_justify

    def do_refuse(self):
        justification = self.pick_name(
            'justification', ('state', '=', 'accepted'))
        if self.random.random() < .5:
            type(justification).reset([justification])
        else:
            type(justification).refuse_for([justification], "Forged")

    def do_dates(self):
        enrolment = self.enrolment('draft', 'confirmed', 'started')
        type(enrolment).write([enrolment], {self.random.choice(
                    ['start_date', 'end_date']): self.random.choice(
                    [None, self.date()])})

    def do_state(self):
        enrolment = self.enrolment()
        getattr(type(enrolment), self.random.choice([
                    'draft', 'confirm', 'start', 'complete', 'cancel',
                    'suspend', 'withdraw']))([enrolment])

    do_state_too = do_state

    def do_end(self):
        enrolment = self.enrolment('confirmed', 'started')
        type(enrolment).end_expectation([enrolment], self.date())

    def do_enrol(self):
        Enrolment, = self.get('enrolment')
        if Enrolment.search([], count=True) > 12:
            raise IndexError
        create_enrolments(self.random.choice(self.sessions))

    def do_copy(self):
        enrolment = self.enrolment('cancelled', 'withdrawn', 'completed')
        type(enrolment).copy([enrolment])

    def do_change_session(self):
        enrolment = self.enrolment('draft', 'cancelled')
        type(enrolment).write([enrolment], {
                'session': self.random.choice(self.sessions).id,
                'start_date': None,
                'end_date': None,
                })

    def do_delete(self):
        enrolment = self.enrolment('draft', 'cancelled')
        type(enrolment).delete([enrolment])

    def do_noon(self):
        Configuration, = self.get('configuration')
        configuration = Configuration(1)
        configuration.noon = self.random.choice(
            [dt.time(10), dt.time(13), dt.time(15)])
        configuration.save()

    def do_time_zone(self):
        type(self.company).write([self.company], {
                'timezone': self.random.choice([None, 'Asia/Tokyo']),
                })


class StoredFactsTestCase(NoticeTestCase):
    "Test that the facts are stored as they are defined"

    def check(self, *message):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        self.assertEqual(
            [(e.id, *values) for e, *values
                in Enrolment.stored_differences()], [], message)

    @with_transaction()
    def test_life(self):
        "Test what is stored after each event of a random life"
        with set_up() as (company, _, _), today(DATE + DAYS * DAY), \
                Transaction().set_context(training_abandon_notices=False):
            random = Random(14)
            life = Life(random, company)
            happened, events = Counter(), life.events()
            while sum(happened.values()) < EVENTS:
                event = random.choice(events)
                happened[event] += life.happen(event)
                # The more there is the longer it takes
                if (count := sum(happened.values())) < 100 or not count % 10:
                    self.check(event, happened)
            self.check(happened)
            never = [e for e in events if not happened[e]]
            self.assertLess(len(never), 10 if EVENTS < 1000 else 1, never)

    @with_transaction()
    def test_triggers(self):
        "Test that nothing is stored without what stores it"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')

        def nothing(*args, **kwargs):
            return lambda: None

        for owner, name, events in [
                (LineFactsMixin, '_store_facts',
                    ['do_change_line', 'do_delete_line']),
                (SlotFactsMixin, '_store_facts',
                    ['do_hold', 'do_create_slot', 'do_call_off',
                        'do_delete_slot', 'do_split', 'do_slot_groups']),
                (ExpectationMixin, '_on_expectation',
                    ['do_delete_period', 'do_exempt']),
                (StoredFactsMixin, 'on_expectation', ['do_end']),
                ]:
            for event in events:
                with self.subTest(event=event), set_up() as (company, _, _), \
                        today(DATE + DAYS * DAY), savepoint(), \
                        Transaction().set_context(
                            training_abandon_notices=False):
                    life = Life(Random(1), company)
                    life.do_hold()
                    life.do_hold()
                    self.check()
                    with patch.object(owner, name, nothing):
                        happened = sum(life.happen(event) for _ in range(12))
                    self.assertTrue(happened)
                    self.assertTrue(list(Enrolment.stored_differences()))
                    Enrolment.store()
                    self.check()

    @with_transaction()
    def test_statements(self):
        "Test that an event stores by one statement, whatever it is about"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Justification = pool.get('training.justification')
        Slot = pool.get('training.session.slot')
        counts = []
        for number in [2, 30]:
            with set_up() as (company, session, _), savepoint(), \
                    Transaction().set_context(training_abandon_notices=False):
                enrolments = create_enrolments(session, number)
                slots = list(session.slots[:2])
                planned = session.slots[2:]
                self.fill(slots, dict.fromkeys(enrolments, 'absent'),
                    close=False)
                justifications = Justification.create([{
                            'company': company.id,
                            'enrolment': e.id,
                            'start_date': DATE,
                            'end_date': DATE,
                            } for e in enrolments])
                count = []
                for event in [
                        lambda: Slot.close(slots),
                        lambda: Justification.accept(justifications),
                        lambda: Justification.reset(justifications),
                        lambda: Slot.open(slots, reason="Wrong"),
                        lambda: Slot.move([
                                s.moved(s._local(s.start_at),
                                    s._local(s.end_at) - dt.timedelta(hours=1))
                                for s in planned]),
                        lambda: Slot.cancel(planned),
                        lambda: Slot.plan(planned),
                        lambda: Enrolment.change_period(enrolments, {
                                'start': half_day(DATE + DAY),
                                'end': None,
                                'kind': 'suspended',
                                'weekdays': [],
                                'reason': "Agreed",
                                }),
                        lambda: Enrolment.write(
                            enrolments, {'end_date': DATE}),
                        lambda: Enrolment.cancel(enrolments),
                        ]:
                    with count_statements() as statements:
                        event()
                    count.append(sum(
                            s.startswith('UPDATE "training_enrolment" ')
                            and '"last_presence" =' in s
                            for s in statements))
                    self.check()
                counts.append(count)
        self.assertEqual(counts, [[1] * len(counts[0])] * 2)

    @with_transaction()
    def test_list(self):
        "Test that a list reads, searches and sorts what is stored"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            create_enrolments(session, 3)
            with count_statements() as statements:
                for name in FACTS:
                    Enrolment.search(
                        [(name, '!=', None)], order=[(name, 'DESC')])
                Enrolment.read(
                    [e.id for e in Enrolment.search([])], list(FACTS))
            self.assertFalse([
                    s for s in statements if 'training_attendance' in s
                    or 'training_session_slot' in s])

    @with_transaction()
    def test_decisions(self):
        "Test that what decides or is written does not read what is stored"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            self.fill(session.slots[:1], {})
            case = get_to_decision(enrolment)
            self.forget([enrolment])
            enrolment, case = Enrolment(enrolment.id), type(case)(case.id)
            self.assertIsNone(enrolment.last_presence)
            self.assertEqual(
                Enrolment.times_attended([enrolment]),
                {enrolment: dt.timedelta(hours=3)})
            _, start = open_wizard('training.abandon.case.decide', [case])
            self.assertEqual(start['last_presence'], DATE)
            context = case.letter_context(enrolment.trainee.party)
            self.assertEqual(
                (context['hours_planned'], context['hours_attended']),
                ('12:00', '03:00'))

    def forget(self, enrolments):
        "Store no facts with the enrolments"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        table = Enrolment.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [getattr(table, name) for name in FACTS],
                [None] * len(FACTS),
                where=table.id.in_([e.id for e in enrolments])))
        for cache in Transaction().cache.values():
            cache.clear()

    @with_transaction()
    def test_protected(self):
        "Test that nobody writes the facts and that a copy has none"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            self.fill(session.slots[:1], {enrolment: 'absent'})
            enrolment = Enrolment(enrolment.id)
            self.assertEqual(enrolment.absence_count, 1)
            with as_user(create_user('manager', company, 'training_admin')):
                for name, value in [
                        ('absence_count', 0),
                        ('hours_attended', dt.timedelta(hours=1)),
                        ('last_presence', DATE)]:
                    with self.assertRaises(AccessError):
                        Enrolment.write([enrolment], {name: value})
            Enrolment.withdraw([enrolment])
            copy, = Enrolment.copy([enrolment])
            self.assertEqual(
                {n: getattr(copy, n) for n in FACTS},
                {n: default for n, (_, default) in FACTS.items()})

    @with_transaction()
    def test_protected_empty(self):
        "Test that nobody empties the facts, which no form counts as a change"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            other = create_session(company)
            with as_user(create_user('manager', company, 'training_admin')):
                Enrolment.write([enrolment], {'absence_count': None})
                Enrolment.write([enrolment], {'attendance_rate': 0.0})
                created, = Enrolment.create([{
                            'company': company.id,
                            'session': other.id,
                            'trainee': enrolment.trainee.id,
                            'currency': company.currency.id,
                            **dict.fromkeys(FACTS),
                            }])
            self.check()
            self.assertEqual(
                {n: getattr(created, n) for n in FACTS},
                {n: default for n, (_, default) in FACTS.items()})

    @with_transaction()
    def test_read_again(self):
        "Test that what was read of an enrolment follows what is stored"
        with set_up() as (_, session, _):
            enrolment, = create_enrolments(session)
            self.forget([enrolment])
            enrolment = type(enrolment)(enrolment.id)
            self.assertIsNone(enrolment.absence_count)
            enrolment.store_facts([enrolment.id])
            self.assertEqual(enrolment.absence_count, 0)

    @with_transaction()
    def test_migration(self):
        "Test the facts of a database whose enrolments had none"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 2)
            self.fill(session.slots[:2], {enrolments[0]: 'absent'})
            self.fill(session.slots[2:3], {enrolments[0]: 'present'})
            self.forget(enrolments)
            self.assertTrue(list(Enrolment.stored_differences()))
            with count_statements() as statements, \
                    patch('trytond.backend.TableHandler.column_exist',
                        lambda self, name: name not in FACTS), \
                    patch('trytond.model.ModelSQL.__register__',
                        lambda module: None):
                Enrolment.__register__('training_abandon')
            self.assertEqual(len([
                        s for s in statements
                        if '"last_presence" =' in s]), 1)
            self.check()
            self.assertEqual(Enrolment(enrolments[0].id).absence_count, 2)
            # That of a database where it was rounded
            table = Enrolment.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.attendance_rate], [.3333],
                    where=table.id == enrolments[0].id))
            tools.forget(Enrolment)
            with patch('trytond.model.ModelSQL.__register__',
                    lambda module: None):
                Enrolment.__register__('training_abandon')
            self.assertEqual(list(Enrolment.stored_differences()), [])
            self.assertEqual(
                Enrolment(enrolments[0].id).attendance_rate, 1 / 3)
