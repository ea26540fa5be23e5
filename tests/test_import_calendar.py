# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What scripts/import_training.py makes of the calendars"

import csv
import io
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from proteus import Model
from trytond.modules.company.tests.tools import create_company
from trytond.modules.training_abandon.scripts.importing import \
    calendar as import_calendar
from trytond.modules.training_abandon.scripts.importing import command
from trytond.modules.training_abandon.scripts.importing.client import Client
from trytond.modules.training_abandon.tests import test_ical_reader
from trytond.modules.training_abandon.tests.test_ical_reader import (
    calendar, event)
from trytond.tests.test_tryton import drop_db
from trytond.tests.tools import activate_modules

CALENDARS = test_ical_reader.CALENDARS


class ImportCalendarTestCase(unittest.TestCase):
    "Test the import of calendars"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.config = activate_modules('training_abandon', create_company)
        cls.addClassCleanup(drop_db)

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / 'planning.ics'

    def load(self, content, *arguments):
        "Return the exit status, what is printed and the rejected events"
        self.path.write_bytes(content)
        output = io.StringIO()
        client = Client(self.config)
        with patch.object(command, 'connect', return_value=client), \
                redirect_stdout(output), redirect_stderr(output):
            status = command.main([
                    '--database', 'sqlite://', *arguments, 'sessions',
                    str(self.path)])
        errors = self.path.with_name('planning.ics.errors.csv')
        rejected = []
        if errors.exists():
            with open(errors, encoding='utf-8-sig', newline='') as file:
                rejected = list(csv.DictReader(file, delimiter=';'))
        return status, output.getvalue(), rejected

    def slots(self, code):
        ExternalCode = Model.get('training.external_code')
        code, = ExternalCode.find([
                ('code', '=', code), ('model', '=', 'training.session')])
        return [
            (f'{s.date} {s.start:%H:%M}', s.state)
            for s in code.record.slots]

    def test_moodle(self):
        Session = Model.get('training.session')
        content = (CALENDARS / 'moodle.ics').read_bytes()
        sessions = len(Session.find([]))
        status, output, rejected = self.load(content, '--dry-run')
        self.assertEqual(status, 1)
        self.assertIn(
            "2 would be created, 0 would be updated", output)
        self.assertEqual(len(Session.find([])), sessions)

        status, output, (rejected,) = self.load(content)
        self.assertEqual(status, 1)
        self.assertIn("2 slots, 2 created, 0 updated", output)
        self.assertEqual(
            [rejected[n] for n in ['line', 'uid', 'event', 'dates']],
            ['25', '1044@moodle.example.org', "Devoir à rendre",
                '31/03/2026'])
        self.assertIn("ends before it starts", rejected['reason'])
        self.assertEqual(self.slots("Classe virtuelle"), [
                ('2026-03-28 08:00', 'planned'),
                ('2026-03-30 07:00', 'planned')])
        self.assertIn(
            "0 created, 0 updated, 2 unchanged", self.load(content)[1])

    def test_next(self):
        "The next export moves, cancels and tells the conflicts"
        Slot = Model.get('training.session.slot')

        def content(*starts):
            return calendar(*(
                    event(uid=str(n), start=f'DTSTART:{start}',
                        end='DURATION:PT3H').replace('Course', "Série A")
                    for n, start in enumerate(starts) if start))

        first = content(
            '20260504T090000', '20260505T090000', '20260506T090000')
        self.assertEqual(self.load(first)[0], 0)
        slot, *_ = Slot.find([('session.course.name', '=', "Série A")])
        slot.click('open')
        status, output, rejected = self.load(
            content('20260504T100000', None, '20260512T140000'))
        self.assertEqual(status, 1)
        self.assertIn(
            "0 created, 1 updated, 0 unchanged, 1 cancelled, 1 conflicts, "
            "1 rejected", output)
        self.assertIn("attendance", rejected[0]['reason'])
        self.assertEqual(self.slots("Série A"), [
                ('2026-05-04 09:00', 'open'),
                ('2026-05-05 09:00', 'cancelled'),
                ('2026-05-12 14:00', 'planned')])
        # What is no longer in the file has no line
        removed, = self.load(content(None, None, '20260512T140000'))[2]
        self.assertEqual(
            [removed[n] for n in ['line', 'uid', 'dates']],
            ['', '0', '04/05/2026'])
        # All the days of an event are told
        days = event(
            'RRULE:FREQ=DAILY;COUNT=3', start='DTSTART:20260504T140000',
            end='DURATION:PT3H').replace('Course', "Série A")
        self.load(calendar(days), '--keep-missing')
        for slot in Slot.find([
                    ('session.course.name', '=', "Série A"),
                    ('uid', '=', 'u')]):
            slot.click('open')
        rejected = self.load(calendar(
                days.replace('T14', 'T15')), '--keep-missing')[2]
        self.assertEqual(
            [r['dates'] for r in rejected],
            ['04/05/2026 05/05/2026 06/05/2026'])
        self.assertIn("2 created", self.load(
                content('20260520T090000', '20260521T090000'),
                '--keep-missing', '--source', 'other')[1])

    def test_closed(self):
        "What a session refuses is told event by event"
        Session = Model.get('training.session')
        content = calendar(*(
                event('RRULE:FREQ=DAILY;COUNT=2', uid=str(n),
                    start=f'DTSTART:20260504T{hour:02}0000',
                    end='DURATION:PT3H').replace('Course', "Série B")
                for n, hour in enumerate([9, 14])))
        self.assertEqual(self.load(content)[0], 0)
        session, = Session.find([('course.name', '=', "Série B")])
        session.click('cancel')
        status, _, rejected = self.load(content)
        self.assertEqual(status, 1)
        self.assertEqual(
            [(r['uid'], r['dates']) for r in rejected],
            [(uid, '04/05/2026 05/05/2026') for uid in '01'])
        self.assertIn("neither done nor cancelled", rejected[0]['reason'])

    def test_session(self):
        "All the events go to one session, whose dates are kept"
        Session = Model.get('training.session')
        self.load(calendar(event().replace('Course', "Soudure")))
        session, = Session.find([('course.name', '=', "Soudure")])
        content = (CALENDARS / 'nextcloud.ics').read_bytes()
        arguments = ['--session', session.number]
        status, output, rejected = self.load(content, *arguments)
        self.assertEqual((status, len(rejected)), (1, 1))
        self.assertIn("outside the dates", rejected[0]['reason'])
        status, output, _ = self.load(content, *arguments, '--extend')
        self.assertEqual(status, 0)
        self.assertEqual(len(self.slots("Soudure")), 5)
        status, output, _ = self.load(content, '--session', 'X')
        self.assertEqual(status, 2)
        self.assertIn('No session has the code "X"', output)

    def test_all_day(self):
        content = calendar(event(
                start='DTSTART;VALUE=DATE:20260601', end='').replace(
                'Course', "Atelier"))
        status, _, rejected = self.load(content)
        self.assertIn("has no time", rejected[0]['reason'])
        self.assertEqual(self.load(
                content, '--all-day', '09:00-12:00,13:00-17:00')[0], 0)
        self.assertEqual(
            [t for t, _ in self.slots("Atelier")],
            ['2026-06-01 09:00', '2026-06-01 13:00'])
        for arguments in [['--all-day', '9'], ['--all-day', '12:00-09:00']]:
            with self.assertRaises(SystemExit):
                self.load(content, *arguments)

    def test_sessions(self):
        "How many sessions are created is told before and after"
        Session = Model.get('training.session')
        content = calendar(*(
                event(uid=str(n)).replace('Course', f"Série M{n}")
                for n in range(3)))
        before = len(Session.find([]))
        _, output, _ = self.load(content, '--dry-run')
        self.assertIn("3 sessions would be created", output)
        self.assertEqual(len(Session.find([])), before)
        _, output, _ = self.load(content)
        first, *_, last = output.splitlines()
        self.assertIn(
            "3 sessions are created, one by title: Série M0, Série M1, "
            "Série M2", first)
        self.assertIn("3 sessions created", last)
        self.assertEqual(len(Session.find([])), before + 3)
        _, output, _ = self.load(content)
        self.assertNotIn("sessions", output)

    def test_told_cancelled(self):
        "A lesson that is cancelled in words is of its session"
        Session = Model.get('training.session')

        def lesson(number, prefix=''):
            uid = f'Cours-{number}-1-20260901T100000Z-Index-Education'
            return event(
                uid=uid, start=f'DTSTART:2026090{number}T090000',
                end=f'DTEND:2026090{number}T120000').replace(
                'Course', f"{prefix}DROIT - BTS9")
        self.load(calendar(lesson(7), lesson(8)))
        sessions = len(Session.find([]))
        status, output, _ = self.load(
            calendar(lesson(7), lesson(8, "Cours annulé : ")))
        self.assertIn("1 unchanged, 1 cancelled", output)
        self.assertEqual(self.slots("DROIT - BTS9"), [
                ('2026-09-07 09:00', 'planned'),
                ('2026-09-08 09:00', 'cancelled')])
        # All of them
        self.load(calendar(*(
                    lesson(n, "Cours annulé : ") for n in [7, 8])))
        self.assertEqual(
            {state for _, state in self.slots("DROIT - BTS9")},
            {'cancelled'})
        self.assertEqual(len(Session.find([])), sessions)

    def test_cancelled_title(self):
        "A lesson of which only its end is told is found by its slot"
        Session = Model.get('training.session')

        def lesson(uid, day, summary="Excel 9"):
            return event(
                uid=uid, start=f'DTSTART:202609{day}T090000',
                end=f'DTEND:202609{day}T120000').replace('Course', summary)
        self.load(calendar(lesson('a9', 14), lesson('b9', 15)))
        sessions = len(Session.find([]))
        status, output, rejected = self.load(calendar(
                lesson('a9', 14), lesson('b9', 15, "Cours annulé (malade)"),
                lesson('c9', 16, "Cours annulé (malade)")))
        self.assertEqual((status, rejected), (0, []))
        self.assertIn("1 unchanged, 1 cancelled", output)
        self.assertEqual(self.slots("Excel 9"), [
                ('2026-09-14 09:00', 'planned'),
                ('2026-09-15 09:00', 'cancelled')])
        self.assertEqual(len(Session.find([])), sessions)

    def test_holidays(self):
        status, output, rejected = self.load(calendar(
                event().replace('Course', "Série H"),
                event(uid='v', start='DTSTART;VALUE=DATE:20260501', end='')
                .replace('Course', "Fête du Travail")))
        self.assertEqual((status, rejected), (0, []))
        self.assertIn("1 days skipped", output)

    def test_refused(self):
        for content, expected in [
                (b'<html>', "is not a calendar"),
                (calendar(event())[:-20], "stops before the end"),
                (calendar(), "has no event"),
                ]:
            status, output, _ = self.load(content)
            self.assertEqual(status, 2)
            self.assertIn(expected, output)
        with patch.object(import_calendar, 'MAX_SIZE', 10):
            status, output, _ = self.load(calendar(event()))
        self.assertEqual(status, 2)
        self.assertIn("more than 100 MB", output)
