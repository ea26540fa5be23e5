# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What scripts/demo_data/generate.py writes, whatever the day"

import datetime as dt
import sys
import unittest
from collections import Counter, defaultdict
from functools import wraps
from pathlib import Path

import holidays
import recurring_ical_events
from icalendar import Calendar

from trytond.modules.training_abandon.scripts.importing import cells
from trytond.modules.training_abandon.scripts.importing.command import KINDS

SCRIPTS = Path(__file__).resolve().parents[1] / 'scripts'
sys.path[:0] = [str(SCRIPTS), str(SCRIPTS / 'demo_data')]
from generate import FILES, FOLLOWED, Export  # noqa: E402

DAYS = [
    dt.date(2026, 11, 22),  # a Sunday
    dt.date(2027, 1, 1),
    dt.date(2027, 8, 10),
    dt.date(2028, 2, 29),
    dt.date(2028, 5, 2),
    dt.date(2029, 12, 31),
    ]


def each_day(test):
    @wraps(test)
    def wrapper(self):
        for day, export in self.exports.items():
            with self.subTest(day=day):
                test(self, day, export)
    return wrapper


class DemoDataTestCase(unittest.TestCase):
    "Test the data of the demo"

    @classmethod
    def setUpClass(cls):
        cls.exports = {day: read(day) for day in DAYS}

    @each_day
    def test_same_day_same_files(self, day, export):
        self.assertEqual(read(day), export)

    @each_day
    def test_counts(self, day, export):
        self.assertGreaterEqual(len(export['courses']), 10)
        self.assertGreaterEqual(
            len({row['session'] for row in export['sessions']}), 30)
        self.assertGreaterEqual(len(export['enrolments']), 300)

    @each_day
    def test_kinds(self, day, export):
        self.assertEqual(
            {row['kind'] for row in export['courses']},
            {'continuing', 'apprenticeship', 'skills_assessment', 'vae'})
        self.assertEqual(
            {cells.agreement(row['agreement'])
                for row in export['enrolments']},
            {'agreement', 'contract', 'cpf', 'apprenticeship',
                'public_funding'})
        self.assertEqual(
            {cells.status(row['status'])[0] for row in export['attendance']},
            {'present', 'late', 'left_early', 'absent', 'excused'})

    @each_day
    def test_cells(self, day, export):
        "The import understands every cell"
        for name in ['parties', 'sessions', 'enrolments', 'attendance']:
            class_, rows = KINDS[name], export[name]
            self.assertLessEqual(set(rows[0]), set(class_.columns))
            for row in rows:
                for column, cell in row.items():
                    if cell != '':
                        class_.columns[column](str(cell))

    @each_day
    def test_siret(self, day, export):
        sirets = [
            row['siret'] for row in export['parties']
            if row['kind'] == 'organisation']
        self.assertGreater(len(sirets), 10)
        self.assertEqual(len(set(sirets)), len(sirets))
        for siret in sirets:
            self.assertEqual(cells.siret(siret), siret)

    @each_day
    def test_addresses(self, day, export):
        emails = [row['email'] for row in export['parties']]
        self.assertEqual(len(set(emails)), len(emails))
        for email in emails:
            self.assertTrue(email.endswith('.example.org'), email)
            self.assertTrue(email.isascii(), email)

    @each_day
    def test_codes(self, day, export):
        for name, column in [
                ('parties', 'code'), ('enrolments', 'enrolment')]:
            codes = [row[column] for row in export[name]]
            self.assertEqual(len(set(codes)), len(codes))

    @each_day
    def test_references(self, day, export):
        parties = values(export['parties'], 'code')
        sessions = values(export['sessions'], 'session')
        courses = values(export['sessions'], 'course')
        enrolments = values(export['enrolments'], 'enrolment')
        self.assertLessEqual(
            values(export['sessions'], 'trainer'), parties)
        for column in ['trainee', 'prescriber', 'employer', 'funder']:
            self.assertLessEqual(
                values(export['enrolments'], column), parties)
        self.assertEqual(
            values(export['enrolments'], 'session'), sessions)
        self.assertEqual(values(export['courses'], 'course'), courses)
        self.assertLessEqual(
            values(export['contacts'], 'party'), parties)
        for name in ['attendance', 'contacts']:
            self.assertLessEqual(
                values(export[name], 'enrolment'), enrolments)

    @each_day
    def test_trainers_free(self, day, export):
        "Nobody trains two groups at the same time, hardly any has no trainer"
        booked = Counter(
            (row['trainer'], row['date'], row['start'])
            for row in export['sessions'] if row['trainer'])
        self.assertEqual(set(booked.values()), {1})
        without = {
            r['session'] for r in export['sessions'] if not r['trainer']}
        self.assertLess(len(without), 4)

    @each_day
    def test_trainees_free(self, day, export):
        "Nobody is expected in two groups at the same time"
        slots = defaultdict(list)
        for row in export['sessions']:
            slots[row['session']].append((row['date'], row['start']))
        booked = Counter(
            (row['trainee'], slot) for row in export['enrolments']
            for slot in slots[row['session']])
        self.assertEqual(set(booked.values()), {1})

    @each_day
    def test_attendance_has_slot(self, day, export):
        session = {
            row['enrolment']: row['session']
            for row in export['enrolments']}
        start = {
            row['enrolment']: row['start_date']
            for row in export['enrolments']}
        slots = {
            (row['session'], row['date'], row['start'])
            for row in export['sessions']}
        seen = set()
        for row in export['attendance']:
            slot = row['date'], row['start']
            self.assertIn((session[row['enrolment']], *slot), slots)
            self.assertLess(cells.date(row['date']), day)
            if start[row['enrolment']]:
                self.assertGreaterEqual(
                    cells.date(row['date']),
                    cells.date(start[row['enrolment']]))
            self.assertNotIn((row['enrolment'], *slot), seen)
            seen.add((row['enrolment'], *slot))

    @each_day
    def test_enrolled_once_in_session(self, day, export):
        counts = Counter(
            (row['session'], row['trainee'])
            for row in export['enrolments'])
        self.assertEqual(set(counts.values()), {1})

    @each_day
    def test_one_kind_by_trainee(self, day, export):
        kinds = defaultdict(set)
        for row in export['enrolments']:
            kinds[row['trainee']].add(row['trainee_kind'])
        self.assertEqual({len(k) for k in kinds.values()}, {1})

    @each_day
    def test_working_days(self, day, export):
        bank_holidays = holidays.country_holidays('FR')
        for row in export['sessions']:
            date = cells.date(row['date'])
            if date.weekday() >= 5:
                self.assertEqual(row['course'], 'CAP-PAT')
            self.assertNotIn(date, bank_holidays)
            for closure in export['closures']:
                self.assertFalse(
                    cells.date(closure['start_date']) <= date
                    <= cells.date(closure['end_date']))

    @each_day
    def test_hours(self, day, export):
        "The slots of a session last what its course says"
        minutes, hours = Counter(), {}
        for row in export['sessions']:
            start, end = map(cells.time, [row['start'], row['end']])
            minutes[row['session']] += (
                (end.hour - start.hour) * 60 + end.minute - start.minute)
            hours[row['session']] = cells.hours(row['hours'])
        for session, total in minutes.items():
            self.assertEqual(
                dt.timedelta(minutes=total), hours[session])

    @each_day
    def test_past_running_coming(self, day, export):
        dates = defaultdict(list)
        for row in export['sessions']:
            dates[row['session']].append(cells.date(row['date']))
        phases = Counter(
            'past' if max(d) < day else
            'coming' if min(d) >= day else 'running'
            for d in dates.values())
        self.assertEqual(
            phases, {'past': 13, 'running': 13, 'coming': 13})

    @each_day
    def test_left(self, day, export):
        "Some sheets of the last days are not filled"
        filled = {
            (row['enrolment'].rpartition('-')[0], row['date'])
            for row in export['attendance']}
        left = {
            (row['session'], row['date']) for row in export['sessions']
            if cells.date(row['date']) < day} - filled
        self.assertTrue(left)
        self.assertLess(len(left), 5)

    @each_day
    def test_phones(self, day, export):
        "Everybody can be called, at a number that is given to nobody"
        phones = [row['phone'] for row in export['parties']]
        self.assertEqual(len(set(phones)), len(phones))
        for phone in phones:
            self.assertRegex(phone, r'^\+33 (4 65 71|6 39 98) \d\d \d\d$')

    @each_day
    def test_worth_following(self, day, export):
        "A few people are absent in a row, most of them are fine"
        statuses = defaultdict(list)
        for row in export['attendance']:
            statuses[row['enrolment']].append(row['status'])
        absent = {
            code for code, s in statuses.items()
            if s[-3:] == ['A', 'A', 'A']}
        # More than the cases of the demo, to leave some to be found
        self.assertGreater(len(absent), 18)
        self.assertLess(len(absent), 30)
        late = [s for s in statuses.values()
            if s.count('R') >= 4 and s.count('R') > len(s) / 4]
        self.assertTrue(late)
        self.assertTrue([
                s for s in statuses.values() if set(s) == {'A'}])
        fine = [s for s in statuses.values()
            if s.count('A') <= len(s) / 10]
        self.assertGreater(len(fine), .8 * len(statuses))
        self.assertIn(self.followed(export), absent)

    @each_day
    def test_calendars(self, day, export):
        "Two exports of the same series within a session that runs"
        dates = defaultdict(list)
        for row in export['sessions']:
            dates[row['session']].append(cells.date(row['date']))
        starts = {}
        for name, content in Export(day).calendars().items():
            events = recurring_ical_events.of(
                Calendar.from_ical(content)).between(
                    day, day + dt.timedelta(days=365))
            starts[name] = {
                event['DTSTART'].dt for event in events
                if event.get('STATUS') != 'CANCELLED'}
            code, = {e['SUMMARY'].split()[-1] for e in events}
            for start in starts[name]:
                self.assertGreater(start.date(), day)
                self.assertLessEqual(start.date(), max(dates[code]))
                self.assertEqual(start.tzname()[:2], 'CE')
        self.assertEqual(len(starts['planning']), 4)
        self.assertEqual(len(starts['planning-maj']), 3)
        self.assertEqual(
            len(starts['planning'] - starts['planning-maj']), 2)

    def followed(self, export):
        party, = [
            row['code'] for row in export['parties']
            if row['name'] == FOLLOWED]
        enrolment, = [
            row for row in export['enrolments'] if row['trainee'] == party]
        self.assertEqual(enrolment['prescriber'], 'P-FT')
        return enrolment['enrolment']


def read(day):
    export = Export(day)
    return {name: getattr(export, name)() for name in FILES}


def values(rows, column):
    return {row[column] for row in rows} - {''}


if __name__ == '__main__':
    unittest.main()
