# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from unittest.mock import patch

import trytond.config as config
from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_company
from trytond.modules.training_abandon.exceptions import CalendarError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DatabaseTestCase, apply_wizard, as_user, count_statements,
    create_enrolments, create_party, create_session, create_user, open_wizard,
    set_up, wizard_context)
from .test_ical_reader import calendar, event

WIZARD = 'training.session.import_ical'


def days(count, *lines, uid='u', start='DTSTART:20260302T090000Z'):
    return event(
        f'RRULE:FREQ=DAILY;COUNT={count}', *lines, uid=uid, start=start,
        end='DURATION:PT2H')


class IcalImportTestCase(DatabaseTestCase):
    "Test the import of calendars"

    def preview(self, session, content, **values):
        (Wizard, wizard_id), start = open_wizard(WIZARD, [session])
        start.update(values, file=content)
        start = {k: v for k, v in start.items() if not k.endswith('.')}
        with wizard_context([session]):
            view = Wizard.execute(
                wizard_id, {'start': start}, 'preview')['view']
        return {**view['defaults'], **view['values']}

    def load(self, session, content, **values):
        wizard, start = open_wizard(WIZARD, [session])
        start.update(values, file=content)
        apply_wizard(wizard, [session], start)

    def create_session(self, company):
        session = create_session(company)
        type(session.slots[0]).delete(session.slots)
        return type(session)(session.id)

    def slots(self, session):
        return [
            (s.start_at.isoformat(), s.state)
            for s in type(session)(session.id).slots]

    @with_transaction()
    def test_import(self):
        "The preview tells what the import does"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            company.timezone = 'Europe/Paris'
            company.save()
            session = self.create_session(company)
            create_enrolments(session, 2)
            first = calendar(days(2), days(2, uid='v',
                    start='DTSTART:20260302T130000Z'),
                days(1, uid='w', start='DTSTART;VALUE=DATE:20260302'))
            preview = self.preview(session, first)
            self.assertEqual(
                [preview[n] for n in ['created', 'rejected']], [4, 1])
            rejected, line = preview['lines'][:2]
            self.assertEqual(
                (rejected['action'], rejected['uid'], rejected['line']),
                ('reject', 'w', 18))
            self.assertEqual(
                (line['action'], line['old'], line['new']),
                ('create', None, "03/02/2026 10:00 – 12:00"))
            self.assertFalse(self.slots(session))

            self.load(session, first)
            self.assertEqual(self.slots(session), [
                    (f'2026-03-0{day}T{hour}:00:00', 'planned')
                    for day in [2, 3] for hour in ['09', '13']])
            self.load(session, first)
            self.assertEqual(len(self.slots(session)), 4)

            held, moved, *_ = Slot.search([('session', '=', session.id)])
            Slot.open([held])
            Slot.close([held])
            second = calendar(days(2, 'EXDATE:20260303T090000Z',
                    'SEQUENCE:1', start='DTSTART:20260302T100000Z'),
                days(1, uid='v', start='DTSTART:20260302T150000Z'))
            preview = self.preview(session, second)
            self.assertEqual(
                [preview[n] for n in [
                        'created', 'updated', 'cancelled', 'conflicts',
                        'unchanged', 'rejected']], [0, 2, 1, 1, 0, 0])
            self.load(session, second)
            self.assertEqual(self.slots(session), [
                    ('2026-03-02T09:00:00', 'held'),
                    ('2026-03-02T15:00:00', 'planned'),
                    ('2026-03-03T10:00:00', 'planned'),
                    ('2026-03-03T13:00:00', 'cancelled')])
            self.assertEqual(Slot(moved.id).start, dt.time(16))
            self.assertEqual(
                {a.slot for a in Attendance.search([])}, {held})
            # What was cancelled comes back
            self.load(session, first)
            self.assertEqual(
                [s for _, s in self.slots(session)],
                ['held', 'planned', 'planned', 'planned'])

    @with_transaction()
    def test_exchange(self):
        "Slots exchange their times in spite of the constraint"
        with set_up() as (company, _, _):
            session = self.create_session(company)
            starts = [f'DTSTART:20260302T{hour}0000' for hour in [9, 11, 13]]
            for order in [[0, 1, 2], [1, 2, 0], [2, 1, 0], [0, 2, 1]]:
                self.load(session, calendar(*(
                            event(uid=str(n), start=starts[o].replace(
                                    'T9', 'T09'), end='DURATION:PT2H')
                            for n, o in enumerate(order))))
                slots = type(session)(session.id).slots
                self.assertEqual(
                    [s.uid for s in slots],
                    [str(order.index(n)) for n in range(3)])
                self.assertEqual(
                    [s.start.hour for s in slots], [9, 11, 13])

    @with_transaction()
    def test_dates(self):
        "The session is extended on demand"
        with set_up() as (company, _, _):
            session = self.create_session(company)
            content = calendar(days(4), event(
                    'RRULE:FREQ=DAILY', uid='endless',
                    start='DTSTART:20260302T140000', end='DURATION:PT1H'))
            preview = self.preview(session, content)
            self.assertEqual(
                (preview['created'], preview['rejected']), (4, 1))
            self.assertEqual(
                preview['lines'][0]['new'], "03/04/2026, 03/05/2026")
            self.load(session, content)
            session = type(session)(session.id)
            self.assertEqual(session.end_date, DATE + dt.timedelta(days=1))
            self.load(session, content, extend=True)
            session = type(session)(session.id)
            self.assertEqual(session.end_date, DATE + dt.timedelta(days=3))
            self.assertEqual(
                len([s for s in session.slots if s.uid == 'u']), 4)

    @with_transaction()
    def test_options(self):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        with set_up() as (company, _, _):
            session = self.create_session(company)
            one, two = days(1), days(1, uid='v',
                start='DTSTART:20260303T090000Z')
            self.load(session, calendar(one, two))
            self.load(session, calendar(one), missing=False)
            self.assertEqual(
                [s for _, s in self.slots(session)], ['planned'] * 2)
            self.load(session, calendar(one, header=['METHOD:REQUEST']))
            self.assertEqual(
                [s for _, s in self.slots(session)], ['planned'] * 2)
            all_day = calendar(event(
                    start='DTSTART;VALUE=DATE:20260303', end=''))
            with self.assertRaises(CalendarError):
                self.load(
                    session, all_day, half_days=True,
                    morning_start=dt.time(13))
            configuration = Configuration(1)
            configuration.afternoon_start = dt.time(14)
            configuration.save()
            self.load(session, all_day, half_days=True)
            self.assertEqual(
                [str(s.start) for s in type(session)(session.id).slots
                    if s.state == 'planned'], ['09:00:00', '14:00:00'])

    @with_transaction()
    def test_trainer(self):
        "The trainer is the one who is invited, else the organizer"
        pool = Pool()
        Session = pool.get('training.session')
        with set_up() as (company, other, _):
            ann = create_party("Ann", 'Ann@example.com')
            bob = create_party("Bob", 'bob@example.com')
            Session.write(
                [other], {'trainers': [('add', [ann.id, bob.id])]})
            session = self.create_session(company)
            guests = [
                ['ATTENDEE:mailto:unknown@example.com',
                    'ATTENDEE;CN=Ann:MAILTO:ann@example.com',
                    'ORGANIZER:mailto:bob@example.com'],
                ['ORGANIZER:mailto:bob@example.com'],
                ['ATTENDEE:mailto:ann@example.com',
                    'ATTENDEE:mailto:bob@example.com'],
                ['ATTENDEE:mailto:unknown@example.com'],
                ]
            content = calendar(*(
                    days(1, *lines, uid=str(n),
                        start=f'DTSTART:20260302T{10 + 2 * n}0000Z')
                    for n, lines in enumerate(guests)))
            self.load(session, content)
            session = Session(session.id)
            self.assertEqual(
                [s.trainer for s in session.slots], [ann, bob, None, None])
            self.assertEqual(set(session.trainers), {ann, bob})

    @with_transaction()
    def test_refused(self):
        pool = Pool()
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            good = calendar(days(1))
            with patch.object(config, 'getint', return_value=10), \
                    self.assertRaises(CalendarError) as cm:
                self.load(session, good)
            self.assertIn("more than the 0 kB", cm.exception.message)
            with self.assertRaises(CalendarError):
                self.load(session, b'')
            Session.write([session], {'state': 'done'})
            with self.assertRaises(AccessError):
                self.load(session, good)
            user = create_user('reader', company)
            with as_user(user), self.assertRaises(AccessError):
                self.load(session, good)

    @with_transaction()
    def test_access(self):
        "The session is one that the user may see, whatever the client says"
        pool = Pool()
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            group, = Session.read_calendar(
                calendar(days(1)), 'tms', code=session.number)['groups']
            other = create_company("Stranger", currency=company.currency)
            own = create_session(other)
            users = [
                create_user('stranger', other, 'training'),
                create_user('outsider', company)]
            for user in users:
                with as_user(user), self.assertRaises(AccessError):
                    Session.load_calendar(group, apply=False)
            for state in ['preview', 'apply']:
                with as_user(users[0]):
                    (Wizard, wizard_id), start = open_wizard(WIZARD, [own])
                    start = {'session': session.id, 'file': b''}
                    with wizard_context([own]), \
                            self.assertRaises(AccessError):
                        Wizard.execute(wizard_id, {'start': start}, state)

    @with_transaction()
    def test_read(self):
        "The events find their session by its codes, else by their title"
        pool = Pool()
        Course = pool.get('training.course')
        ExternalCode = pool.get('training.external_code')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            other = create_session(company)
            ExternalCode.create([{
                        'source': 'tms', 'code': 'X-42', 'record': str(other),
                        }])

            def titled(uid, summary, *lines):
                return days(1, *lines, uid=uid).replace(
                    'SUMMARY:Course', f'SUMMARY:{summary}')

            content = calendar(
                titled('1', f"Excel ({session.number.lower()})"),
                titled('2', "Excel", "DESCRIPTION:Groupe X-42\\, salle 2"),
                titled('3', "Niveau 2", "CATEGORIES:A,B"),
                titled('4', f"X-42 et {session.number}"),
                titled('5', ""),
                titled('6', f"{session.number}0"))
            result = Session.read_calendar(content, 'tms')
            self.assertEqual(
                [(g['session'], g['title'], len(g['slots']))
                    for g in result['groups']], [
                    (session.id, None, 1), (other.id, None, 1),
                    (None, "Niveau 2", 1), (None, f"{session.number}0", 1)])
            self.assertEqual(
                [p['uid'] for p in result['rejected']], ['4', '5'])
            for group in result['groups']:
                self.assertFalse(
                    Session.load_calendar(group, apply=False)[0]['reason'])
            self.assertFalse(Course.search([('name', '=', "Niveau 2")]))
            group = result['groups'][2]
            Session.load_calendar(group)
            code, = ExternalCode.search([('code', '=', "Niveau 2")])
            self.assertEqual(code.record.course.name, "Niveau 2")
            self.assertEqual(code.record.state, 'planned')
            again = Session.read_calendar(content, 'tms')['groups'][2]
            self.assertEqual(again['session'], code.record.id)
            line, = Session.load_calendar(again)
            self.assertEqual(line['action'], 'keep')
            everything, = Session.read_calendar(
                content, 'tms', code='X-42')['groups']
            self.assertEqual(everything['session'], other.id)
            self.assertEqual(len(everything['slots']), 6)
            with self.assertRaises(CalendarError):
                Session.read_calendar(content, 'tms', code='nothing')
            # Events with the title of a session and others with its code
            code.record.external_codes += (
                ExternalCode(source='tms', code='L-2'),)
            code.record.save()
            both = calendar(
                titled('3', "Niveau 2"),
                days(1, "DESCRIPTION:L-2", uid='7',
                    start='DTSTART:20260302T130000Z'),
                titled('8', f"X-42 et {session.number}"))
            for actions in [['create', 'keep'], ['keep', 'keep']]:
                result = Session.read_calendar(both, 'tms')
                group, = result['groups']
                self.assertEqual(group['session'], code.record.id)
                self.assertEqual(group['kept'], [('8', None)])
                self.assertEqual([
                        line['action']
                        for line in Session.load_calendar(group)], actions)

    @with_transaction()
    def test_statements(self):
        "A large calendar is not read slot by slot"
        counts = []
        with set_up() as (company, _, _):
            for count in [5, 5, 60]:
                session = self.create_session(company)
                content = calendar(days(count))
                self.load(session, content, extend=True)
                with count_statements() as statements:
                    self.preview(session, content)
                counts.append(len(statements))
        self.assertEqual(*counts[1:])
