# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The calendars that other programs write, and their comparison with slots"
import datetime as dt
import unittest
import warnings
from collections import Counter, namedtuple
from pathlib import Path
from unittest.mock import patch
from zoneinfo import ZoneInfo

import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar as Oracle

from trytond.modules.training_abandon.exceptions import CalendarError
from trytond.modules.training_abandon.ical import expansion as ical_occurrence
from trytond.modules.training_abandon.ical.expansion import Expansion, Options
from trytond.modules.training_abandon.ical.plan import Plan, writes
from trytond.modules.training_abandon.ical.reader import Calendar

CALENDARS = Path(__file__).parent / 'calendars'
PARIS = ZoneInfo('Europe/Paris')
HALF_DAYS = [
    (dt.time(9), dt.time(12, 30)), (dt.time(13, 30), dt.time(17))]
FIRST, LAST = dt.date(2026, 1, 1), dt.date(2027, 12, 31)


def event(*lines, uid='u', start='DTSTART:20260302T090000',
        end='DTEND:20260302T120000'):
    return '\n'.join([
            'BEGIN:VEVENT', f'UID:{uid}', start, end, 'SUMMARY:Course', *lines,
            'END:VEVENT'])


def calendar(*events, header=()):
    return '\n'.join([
            'BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//x//y//EN', *header,
            *events, 'END:VCALENDAR', '']).encode()


def expand(content, first=FIRST, last=LAST, half_days=(), **options):
    calendar = Calendar(content, PARIS)
    result = Expansion(calendar, Options(half_days, **options)).expand(
        calendar.series.values(), first, last)
    result['problems'] += calendar.problems
    return result


def times(result):
    return sorted(
        (s['date'].isoformat(), f"{s['start']:%H:%M}", f"{s['end']:%H:%M}")
        for s in result['slots'])


def reasons(result):
    return [
        p['reason'].removeprefix('training_abandon.msg_ical_')
        for p in result['problems']]


class CalendarTestCase(unittest.TestCase):
    "Test the calendars"

    def oracle(self, content):
        "Return the timed events of one day, by an independent library"
        encoding = 'utf-8-sig'
        if content.startswith(b'\xff\xfe'):
            encoding = 'utf-16'
        text = content.decode(encoding, 'replace')
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            found = recurring_ical_events.of(
                Oracle.from_ical(text)).between(FIRST, LAST)
        for component in found:
            start, end = component['DTSTART'].dt, component['DTEND'].dt
            if (component.get('STATUS') == 'CANCELLED'
                    or not isinstance(start, dt.datetime)):
                continue
            start, end = (
                t.astimezone(PARIS) if t.tzinfo else t for t in [start, end])
            if start.date() == end.date() and start < end:
                yield (
                    start.date().isoformat(), f'{start:%H:%M}',
                    f'{end:%H:%M}')

    def test_corpus(self):
        "The calendars of all programs are read as by another library"
        paths = sorted(CALENDARS.glob('*.ics'))
        self.assertGreater(len(paths), 8)
        for path in paths:
            with self.subTest(path.name):
                content = path.read_bytes()
                result = expand(content)
                slots = times(result)
                days = [
                    s for s in slots
                    if not (path.stem.startswith('tms')
                        and s[0] > '2026-04-17')]
                self.assertEqual(days, sorted(self.oracle(content)))
                self.assertTrue(slots)

    def test_google(self):
        result = expand((CALENDARS / 'google.ics').read_bytes())

        self.assertIn(('2026-03-18', '14:00', '17:30'), times(result))
        self.assertNotIn('2026-03-24', [t[0] for t in times(result)])
        self.assertEqual(
            result['cancelled'], [('4f8s0b@google.com', '20260324T080000Z')])
        # Nine o'clock stays nine o'clock after the change of the hour
        by_key = {s['recurrence']: s for s in result['slots']}
        self.assertEqual(
            by_key['20260330T070000Z']['start'], dt.time(9))
        self.assertEqual(reasons(result), ['all_day'])
        problem, = result['problems']
        self.assertEqual(
            (problem['uid'], problem['summary'], problem['dates']),
            ('5b2allday@google.com', "Atelier", [dt.date(2026, 3, 30)]))
        lines = (CALENDARS / 'google.ics').read_bytes().split(b'\r\n')
        self.assertEqual(lines[problem['line'] - 1], b'BEGIN:VEVENT')
        self.assertIn(
            b'UID:5b2allday@google.com', lines[problem['line']:][:6])

    def test_encodings(self):
        expected = None
        for name in ['latin1', 'utf16', 'utf8_bom']:
            result = expand((CALENDARS / f'tms_{name}.ics').read_bytes())
            self.assertEqual(
                {s['summary'] for s in result['slots']},
                {"Sécurité incendie - Évacuation"})
            expected = expected or times(result)
            self.assertEqual(times(result), expected)
        self.assertEqual(expected[1:], [
                ('2026-04-20', '09:00', '17:00'),
                ('2026-04-21', '09:00', '17:00'),
                ('2026-04-22', '09:00', '17:00')])
        # A line may be folded inside a character
        content = calendar(event()).replace(
            b'SUMMARY:Course', 'SUMMARY:Été'.encode()).replace(
            b'\xc3\x89', b'\xc3\r\n \x89')
        slot, = expand(content)['slots']
        self.assertEqual(slot['summary'], "Été")

    def test_days(self):
        "Long events give one slot per working day"
        days = event(
            start='DTSTART;VALUE=DATE:20260305',
            end='DTEND;VALUE=DATE:20260310')
        result = expand(
            calendar(days), half_days=HALF_DAYS,
            is_working=lambda date: date.weekday() < 5)
        self.assertEqual(
            [(t[0], t[1]) for t in times(result)], [
                (f'2026-03-{day:02}', time) for day in [5, 6, 9]
                for time in ['09:00', '13:30']])
        self.assertEqual(
            [s['recurrence'] for s in result['slots']],
            [None, '#2', '#3', '#4', '#9', '#10'])
        problem, = result['problems']
        self.assertTrue(problem['skipped'])
        self.assertEqual(
            problem['dates'], [dt.date(2026, 3, 7), dt.date(2026, 3, 8)])
        # From midnight to midnight, also when it is written in UTC
        for start, end in [
                ('DTSTART;TZID=Europe/Paris:20260302T000000',
                    'DTEND;TZID=Europe/Paris:20260303T000000'),
                ('DTSTART:20260301T230000Z', 'DTEND:20260302T230000Z'),
                ]:
            self.assertEqual(times(expand(
                        calendar(event(start=start, end=end)),
                        half_days=HALF_DAYS)), [
                    ('2026-03-02', '09:00', '12:30'),
                    ('2026-03-02', '13:30', '17:00')])
        # One day alone is meant, even on a Sunday
        self.assertEqual(len(expand(calendar(event(
                        start='DTSTART;VALUE=DATE:20260308', end='')),
                    half_days=HALF_DAYS,
                    is_working=lambda date: False)['slots']), 2)

    def test_zones(self):
        for start, expected in [
                ('DTSTART:20260302T090000', '09:00'),
                ('DTSTART:20260302T090000Z', '10:00'),
                ('DTSTART;TZID=Romance Standard Time:20260302T090000',
                    '09:00'),
                ('DTSTART;TZID=/citadel.org/20070227_1/Europe/London:'
                    '20260302T090000', '10:00'),
                ('DTSTART;TZID=America/New_York:20260302T090000', '15:00'),
                ]:
            slot, = expand(calendar(event(
                        start=start, end='DURATION:PT1H')))['slots']
            self.assertEqual(f"{slot['start']:%H:%M}", expected, start)
        # The zone of the calendar is the one of its floating times and
        # the one in which its times in UTC are repeated
        header = ['X-WR-TIMEZONE:Europe/London']
        slot, = expand(calendar(event(), header=header))['slots']
        self.assertEqual(slot['start'], dt.time(10))
        slots = expand(calendar(event(
                    'RRULE:FREQ=MONTHLY;COUNT=2',
                    start='DTSTART:20260310T090000Z', end='DURATION:PT1H'),
                header=header))['slots']
        self.assertEqual({s['start'] for s in slots}, {dt.time(10)})
        # Two files may give the same name to other zones
        for offset, expected in [('+0100', '09:00'), ('+0300', '07:00')]:
            zone = '\n'.join([
                    'BEGIN:VTIMEZONE', 'TZID:Custom', 'BEGIN:STANDARD',
                    'DTSTART:19700101T000000', f'TZOFFSETFROM:{offset}',
                    f'TZOFFSETTO:{offset}', 'END:STANDARD', 'END:VTIMEZONE'])
            slot, = expand(calendar(zone, event(
                        start='DTSTART;TZID=Custom:20260302T090000',
                        end='DURATION:PT1H')))['slots']
            self.assertEqual(f"{slot['start']:%H:%M}", expected)
        # The commas of a name are escaped in its definition alone
        name = '(UTC+01:00) Bruxelles, Paris'
        zone = '\n'.join([
                'BEGIN:VTIMEZONE', 'TZID:' + name.replace(',', '\\,'),
                'BEGIN:STANDARD', 'DTSTART:16010101T000000',
                'TZOFFSETFROM:+0100', 'TZOFFSETTO:+0100', 'END:STANDARD',
                'END:VTIMEZONE'])
        start = f'DTSTART;TZID="{name}":20260302T090000'
        slot, = expand(
            calendar(zone, event(start=start, end='DURATION:PT1H')))['slots']
        self.assertEqual(slot['start'], dt.time(9))
        # A zone that would take hours to follow
        rule = 'RRULE:FREQ=YEARLY;BYHOUR=1,2,3\nEND:STANDARD'
        many = 'BEGIN:STANDARD\nEND:STANDARD\n' * 101
        for hostile in [
                zone.replace('END:STANDARD', rule),
                zone.replace('BEGIN:STANDARD', many + 'BEGIN:STANDARD')]:
            self.assertEqual(
                reasons(expand(calendar(hostile, event(start=start)))),
                ['zone_definition'])
        # Lotus Notes repeats the time of the change
        zone = '\n'.join([
                'BEGIN:VTIMEZONE', 'TZID:Romance',
                'BEGIN:STANDARD', 'DTSTART:19501029T030000',
                'TZOFFSETFROM:+0200 ', 'TZOFFSETTO:+0100',
                'RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=3;BYDAY=-1SU;BYMONTH=10',
                'END:STANDARD', 'BEGIN:DAYLIGHT', 'DTSTART:19500326T020000',
                'TZOFFSETFROM:+0100', 'TZOFFSETTO:+0200',
                'RRULE:FREQ=YEARLY;BYMINUTE=0; BYHOUR=2;BYDAY=-1SU;BYMONTH=3',
                'END:DAYLIGHT', 'END:VTIMEZONE'])
        for day in ['20260302', '20260907']:
            slot, = expand(calendar(zone, event(
                        start=f'DTSTART;TZID=Romance:{day}T090000',
                        end='DURATION:PT1H')))['slots']
            self.assertEqual(slot['start'], dt.time(9))

    def test_change_of_hour(self):
        "The days of 23 and 25 hours, and the end of the year"
        paris = 'DTSTART;TZID=Europe/Paris:20260328T090000'
        hours = 'DURATION:PT3H'
        for content, expected in [(
                    event('RRULE:FREQ=DAILY;COUNT=3', start=paris, end=hours),
                    [(f'2026-03-{d}', '09:00', '12:00')
                        for d in [28, 29, 30]]
                    ), (
                    event('RRULE:FREQ=WEEKLY;COUNT=2',
                        start='DTSTART:20261018T080000Z', end=hours),
                    [
                        ('2026-10-18', '10:00', '13:00'),
                        ('2026-10-25', '09:00', '12:00')]
                    ), (
                    event(
                        start='DTSTART:20260329T003000Z',
                        end='DTEND:20260329T013000Z'),
                    [('2026-03-29', '01:30', '03:30')]
                    ), (
                    event('RRULE:FREQ=DAILY;COUNT=2',
                        start='DTSTART:20261231T090000', end=hours),
                    [
                        ('2026-12-31', '09:00', '12:00'),
                        ('2027-01-01', '09:00', '12:00')]
                    )]:
            result = expand(calendar(content))
            self.assertEqual(times(result), expected)
            self.assertEqual(reasons(result), [])
        result = expand(calendar(event(
                    start='DTSTART:20261025T013000Z',
                    end='DTEND:20261025T040000Z')))
        self.assertEqual(reasons(result), ['ambiguous'])

    def test_versions(self):
        "The highest sequence is the event, whatever the order"
        new = event('SEQUENCE:2', start='DTSTART:20260302T100000')
        old = event('SEQUENCE:1')
        for events in [[new, old], [old, new]]:
            slot, = expand(calendar(*events))['slots']
            self.assertEqual(slot['start'], dt.time(10))
        # The same identifier twice is told if nothing says which one is old
        stamp = 'DTSTAMP:20260101T000000Z'
        later = 'DTSTART:20260302T100000'
        for one, two, expected in [
                (event(stamp), event(stamp, start=later), ['same_uid']),
                (event(stamp), event(
                        stamp.replace('T00', 'T01'), start=later), []),
                (event(stamp), event(stamp), []),
                (event('RECURRENCE-ID:20260303T090000'), event(
                        'RECURRENCE-ID:20260303T090000', start=later),
                    ['same_uid'])]:
            result = expand(calendar(one, two))
            self.assertEqual(len(result['slots']), 1)
            self.assertEqual(reasons(result), expected)
            if expected:
                self.assertEqual(result['problems'][0]['line'], 4)
        # Exceptions on exceptions
        result = expand(calendar(
                event('RRULE:FREQ=DAILY;COUNT=3'),
                event('RECURRENCE-ID:20260303T090000', 'SEQUENCE:2',
                    start='DTSTART:20260304T090000',
                    end='DTEND:20260304T110000'),
                event('RECURRENCE-ID:20260303T090000', 'SEQUENCE:1',
                    start='DTSTART:20260303T140000',
                    end='DTEND:20260303T150000')))
        self.assertEqual(times(result), [
                ('2026-03-02', '09:00', '12:00'),
                ('2026-03-04', '09:00', '11:00'),
                ('2026-03-04', '09:00', '12:00')])
        changes = Counter(c.action for c in Plan([], result).changes)
        self.assertEqual(changes, {'create': 2, 'reject': 1})

    def test_bad_events(self):
        "What is wrong is told, the other events are read"
        for bad, expected in [
                (event(end=''), 'no_end'),
                (event(end='DTEND:20260302T090000'), 'end_before_start'),
                (event(end='DTEND:20260302T080000'), 'end_before_start'),
                (event(start='', end='DTEND:20260302T120000'), 'no_start'),
                (event(start='DTSTART:2026-03-02 09:00'), 'property'),
                (event(start='DTSTART:20261302T090000'), 'property'),
                (event(start='DTSTART;TZID=Mars/Phobos:20260302T090000'),
                    'unknown_zone'),
                (event(start='DTSTART;VALUE=DATE:20260302'),
                    'date_and_time'),
                (event('RECURRENCE-ID:20260302T090000', uid=''), 'no_uid'),
                (event('RRULE:W1 MO #3'), 'old_rule'),
                (event('RRULE:MD1 1+ #3'), 'old_rule'),
                (event('RRULE:weekly'), 'property'),
                (event(end='DTEND:20260303T020000'), 'night'),
                (event(end='DURATION:P9999W'), 'too_long'),
                (event('RRULE:FREQ=SECONDLY'), 'frequency'),
                (event('RRULE:FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30'),
                    'frequency'),
                (event('RRULE:FREQ=DAILY;INTERVAL=0;COUNT=3'), 'property'),
                (event('RRULE:FREQ=DAILY;COUNT=0'), 'property'),
                (event('RRULE:FREQ=SOMETIMES'), 'property'),
                (event('RRULE:FREQ=DAILY;BYDAY=XX;COUNT=2'), 'property'),
                (event('EXDATE:tomorrow', 'RRULE:FREQ=DAILY;COUNT=2'),
                    'property'),
                # The dates of the programs that have none
                (event(start='DTSTART:00010101T000000'), 'property'),
                (event(start='DTSTART;VALUE=DATE:99991231', end=''),
                    'property'),
                (event('EXDATE:00010101T000000'), 'property'),
                (event('RDATE:99991231T235959'), 'property'),
                # What a property can not be
                (event(start='DTSTART;VALUE=TEXT:x'), 'property'),
                (event(start='DTSTART:PT1H'), 'property'),
                (event(end='DURATION;VALUE=INTEGER:5'), 'property'),
                (event('RECURRENCE-ID;VALUE=TEXT:x'), 'property'),
                (event('RRULE;VALUE=TEXT:x'), 'property'),
                (event('RRULE:FREQ=DAILY;UNTIL=PT1H'), 'property'),
                (event('CATEGORIES;VALUE=BINARY:aaaa'), 'unreadable'),
                # A line whose syntax is wrong
                (event('EXDATE;TZID="Europe/Paris:20260303T090000'),
                    'property'),
                (event('RECURRENCE-ID;TZID:20260302T090000'), 'property'),
                (event(start='DTSTART;TZID=Europe:20260302T090000'),
                    'property'),
                (event('RRULE:FREQ=DAILY;COUNT=1;BYHOUR=%s;BYMINUTE=%s' % (
                            (','.join(map(str, range(24))),) * 2)),
                    'frequency'),
                (event(start='DTSTART:20200302T090000', end='DURATION:PT3H'),
                    'outside'),
                (event().replace('END:VEVENT', ''), 'not_closed'),
                ]:
            with self.subTest(bad):
                result = expand(calendar(bad, event(uid='good')))
                self.assertEqual(reasons(result), [expected])
                self.assertEqual(
                    [s['uid'] for s in result['slots']], ['good'])
                self.assertEqual(result['problems'][0]['line'], 4)
                # Its slots of the last import are not missing
                if 'UID:u' in bad:
                    self.assertIn('u', {uid for uid, _ in result['kept']})
        for rule in ['FREQ=WEEKLY', 'FREQ=DAILY;UNTIL=99991231T235959Z']:
            content = calendar(event(f'RRULE:{rule}'))
            result = expand(content, first=None, last=None)
            self.assertEqual(reasons(result), ['endless'])
            self.assertEqual(
                times(expand(content))[-1][0][:7], LAST.isoformat()[:7])
        slot, = expand(calendar(event(
                    'RRULE:FREQ=DAILY;UNTIL=00010101T000000Z',
                    start='DTSTART;TZID=America/New_York:20260302T090000',
                    end='DURATION:PT1H')))['slots']
        self.assertEqual(slot['start'], dt.time(15))

    def test_bad_texts(self):
        "What the texts have is no reason to reject the event"
        slot, = expand(calendar(event(
                    'SEQUENCE;VALUE=TEXT:x', 'DTSTAMP:x',
                    'ATTENDEE;CN="Ann:mailto:ann@example.com',
                    uid='a\\,b\0').replace(
                    'SUMMARY:Course', 'SUMMARY:Cou\0rse')))['slots']
        self.assertEqual(
            (slot['uid'], slot['summary']), ('a,b', "Course"))

    def test_cancelled_future(self):
        "A change can cancel a time and all the following ones"
        result = expand(calendar(
                event('RRULE:FREQ=DAILY;COUNT=4'),
                event('RECURRENCE-ID;RANGE=THISANDFUTURE:20260304T090000',
                    'STATUS:CANCELLED', start='')))

        self.assertEqual(
            [t[0] for t in times(result)], ['2026-03-02', '2026-03-03'])
        self.assertEqual(result['cancelled'], [
                ('u', '20260304T080000Z'), ('u', '20260305T080000Z')])
        # Whose date, for an event with times, says nothing of the time
        self.assertEqual(len(expand(calendar(
                        event('RRULE:FREQ=DAILY;COUNT=2'),
                        event('RECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:'
                            '20260302')))['slots']), 2)

    def test_told_cancelled(self):
        "Some programs tell in words that a lesson is cancelled"
        index = 'Cours-2-1-20260901T100000Z-Index-Education'
        for uid, summary, category, title in [
                (index, "Cours annulé : DROIT - BTS1", "Cours - Cours annulé",
                    "DROIT - BTS1"),
                (index, "DROIT - BTS1", "Cours - Cours annulé",
                    "DROIT - BTS1"),
                (index, "COURS ANNULÉ - Droit", "Cours", "Droit"),
                (index, "Prof. absent : MATHS", "Cours", "MATHS"),
                (index, "MATHS", "Cours - Prof./pers. absent", "MATHS"),
                (index, "Classe absente : MATHS", "", "MATHS"),
                ('u', "Annulée : Excel", "", "Excel"),
                ('u', "[ANNULÉ] Excel", "", "Excel"),
                ('u', "Canceled: Excel", "", "Excel"),
                ('u', "Formation annulée", "", ""),
                ('u', "Excel (annulé)", "", "Excel"),
                ('u', "Excel - Cours annulé", "", "Excel"),
                ('u', "Annulation : Excel", "", "Excel"),
                ('u', "ANNULÉ Excel", "", "Excel"),
                ('u', "Excel ANNULE", "", "Excel"),
                ('u', "*ANNULÉ* Excel", "", "Excel"),
                ('u', "❌ Annulé : Excel", "", "Excel"),
                ('u', "*** ANNULÉ *** Excel", "", "Excel"),
                ('u', "!! ANNULÉ !! Excel", "", "Excel"),
                ('u', "Cours annulé (trajet)", "", ""),
                ('u', "Cours annulé (malade) - Excel", "", "Excel"),
                ('u', "❌ Annulé (prof absent) | Excel (1)", "", "Excel (1)"),
                ('u', "Excel", "Pronote\\, cours annulé", "Excel"),
                ]:
            with self.subTest(summary=summary, category=category):
                content = calendar(event(
                        f'CATEGORIES:{category}', uid=uid).replace(
                        'SUMMARY:Course', f'SUMMARY;LANGUAGE=fr:{summary}'))
                result = expand(content)
                self.assertEqual(result['cancelled'], [(uid, None)])
                self.assertFalse(result['slots'])
                one, = Calendar(content, PARIS).series.values()
                self.assertEqual(one.event.title, title)
        for uid, summary, category in [
                (index, "DROIT - BTS1", "Cours"),
                (index, "Cours déplacé : DROIT", "Cours - Cours déplacé"),
                ('u', "Annulation et report : les règles", "Droit"),
                ('u', "Annulation (assurance voyage)", ""),
                ('u', "Annulation, report et avoir", ""),
                ('u', "ANNULE ET REMPLACE : Excel", ""),
                ('u', "COURS NON ANNULÉ", ""),
                ('u', "Formation pas ANNULÉE", ""),
                ('u', "Gérer un prof absent", "Management"),
                ('u', "Prof. absent : que faire", ""),
                ('u', "Annulation des contrats : le droit", ""),
                ('u', "Excel : une ligne annulée ou non", ""),
                ('u', "Excel (chèques annulés)", "Commandes annulées - suivi"),
                ]:
            with self.subTest(summary=summary, category=category):
                slot, = expand(calendar(event(
                            f'CATEGORIES:{category}', uid=uid).replace(
                            'Course', summary.replace(',', '\\,'))))[
                    'slots']
                self.assertEqual(slot['summary'], summary)

    def test_holidays(self):
        "The holidays that a calendar tells are no errors"
        day = {'start': 'DTSTART;VALUE=DATE:20260501', 'end': ''}
        night = {
            'start': 'DTSTART;TZID=Europe/Paris:20260501T000000',
            'end': 'DTEND;TZID=Europe/Paris:20260502T000000'}
        for summary, category, times_ in [
                ("Fête du Travail", "", day),
                ("Fête du Travail", "", night),
                ("Férié - Fête du Travail", "Férié", day),
                ("Vacances scolaires zone B", "", day),
                ("1er mai", "Jours fériés,Autres", day),
                ("VACANCES DE PÂQUES", "", day),
                ("Jeudi de l’Ascension", "", day),
                ("Congés annuels", "", day),
                ("Labour Day", "Holiday", day),
                ("Bank holiday", "", day),
                ("Congés de Noël", "", day),
                ("Ponts et jours fériés", "", day),
                ("Fermeture estivale", "", day),
                ]:
            for half_days in [[], HALF_DAYS]:
                with self.subTest(summary=summary, half_days=half_days):
                    result = expand(calendar(event(
                                f'CATEGORIES:{category}', **times_).replace(
                                'Course', summary)), half_days=half_days)
                    problem, = result['problems']
                    self.assertEqual(
                        (reasons(result), problem['skipped'],
                            problem['dates']),
                        (['holiday'], True, [dt.date(2026, 5, 1)]))
                    self.assertFalse(result['slots'])
                    self.assertEqual(result['kept'], [('u', None)])
        for summary in [
                "Atelier de Noël", "Pont roulant", "Fermeture des comptes",
                "Congé individuel de formation"]:
            result = expand(
                calendar(event(**day).replace('Course', summary)))
            self.assertEqual(reasons(result), ['all_day'])
        # Those with times are lessons
        self.assertTrue(expand(calendar(event().replace(
                        'Course', "Fête du Travail")))['slots'])
        # Each year without end, and outside the session
        yearly = calendar(event('RRULE:FREQ=YEARLY', **day).replace(
                'Course', "Fête du Travail"))
        problem, = expand(yearly, first=None, last=None)['problems']
        self.assertTrue(problem['skipped'])
        self.assertFalse(expand(
                yearly, dt.date(2027, 1, 1), dt.date(2027, 2, 1))['problems'])

    def test_emptied_series(self):
        "A series whose end is before its start has no time"
        until = 'RRULE:FREQ=WEEKLY;UNTIL=20260301T215959Z;BYDAY=MO'
        result = expand(calendar(event(until), event(uid='v')))
        self.assertEqual([s['uid'] for s in result['slots']], ['v'])
        self.assertEqual(reasons(result), [])
        slots = Slots()
        slots.load(calendar(event('RRULE:FREQ=WEEKLY;COUNT=2')))
        self.assertEqual(slots.load(calendar(event(until))), {'cancel': 2})
        self.assertEqual(times(expand(calendar(
                        event(until, 'RDATE:20260304T090000')))),
            [('2026-03-04', '09:00', '12:00')])
        # All its times are excluded
        self.assertFalse(expand(calendar(event(
                        'RRULE:FREQ=DAILY;COUNT=2',
                        'EXDATE:20260302T090000,20260303T090000')))['slots'])
        # The day of the last time counts
        self.assertEqual(len(expand(calendar(event(
                        'RRULE:FREQ=DAILY;UNTIL=20260302')))['slots']), 1)

    def test_old_series(self):
        "A series that goes on since long ago gives the times of the session"
        first, last = dt.date(2026, 9, 1), dt.date(2026, 9, 30)
        for year in [1001, 1900, 1984, 1989, 1990, 1999, 2025]:
            for rule, days in [
                    ('FREQ=WEEKLY;BYDAY=SA', [5, 12, 19, 26]),
                    ('FREQ=DAILY;BYDAY=SA', [5, 12, 19, 26]),
                    ('FREQ=WEEKLY;BYDAY=SA;UNTIL=99991231T235959Z',
                        [5, 12, 19, 26]),
                    ('FREQ=MONTHLY;BYDAY=1SA', [5]),
                    ('FREQ=YEARLY;BYMONTH=9;BYDAY=1SA', [5]),
                    ]:
                with self.subTest(year=year, rule=rule):
                    result = expand(calendar(event(
                                f'RRULE:{rule}',
                                start=f'DTSTART;TZID=Europe/Paris:{year}'
                                '0107T090000',
                                end='DURATION:PT3H')), first, last)
                    self.assertEqual(times(result), [
                            (f'2026-09-{day:02}', '09:00', '12:00')
                            for day in days])
                    self.assertEqual(reasons(result), [])
        # Every other week, from the first one
        for weeks, days in [(2, [5, 19]), (3, [12])]:
            self.assertEqual([t[0][-2:] for t in times(expand(calendar(event(
                                f'RRULE:FREQ=WEEKLY;INTERVAL={weeks}',
                                start='DTSTART:19840107T090000',
                                end='DURATION:PT3H')), first, last))],
                [f'{(dt.date(2026, 9, 5) + dt.timedelta(d)).day:02}'
                    for d in range(0, 26)
                    if (dt.date(2026, 9, 5) + dt.timedelta(d)
                        - dt.date(1984, 1, 7)).days % (7 * weeks) == 0])
        # Many of them, and their changes of another time
        content = calendar(*(
                event('RRULE:FREQ=DAILY', uid=str(n),
                    start='DTSTART:19900101T090000', end='DURATION:PT1H')
                for n in range(20)), *(
                event('RECURRENCE-ID:20000103T090000', uid=str(n),
                    start='DTSTART:20000103T100000', end='DURATION:PT1H')
                for n in range(20)))
        result = expand(content, first, last)
        self.assertEqual((len(result['slots']), reasons(result)), (600, []))
        # A series with an end far away
        result = expand(calendar(event(
                    'RRULE:FREQ=YEARLY;UNTIL=20300101T000000Z',
                    start='DTSTART:19840907T090000',
                    end='DURATION:PT3H')), first, last)
        self.assertEqual([t[0] for t in times(result)], ['2026-09-07'])
        # What began before may go on
        result = expand(calendar(event(
                    'RRULE:FREQ=MONTHLY;BYMONTHDAY=31',
                    start='DTSTART:20000131T090000',
                    end='DURATION:P2DT3H')), first, last)
        self.assertEqual(
            times(result)[:2],
            [('2026-09-01', '09:00', '12:00'),
                ('2026-09-02', '09:00', '12:00')])

    def test_spaces(self):
        "The spaces around the values mean nothing"
        for lines, expected in [
                (['RRULE:FREQ=WEEKLY; COUNT=3; BYDAY=MO, TU '],
                    ['02', '03', '09']),
                ([
                        'RRULE:FREQ=DAILY;COUNT=3 ',
                        'EXDATE:20260303T090000, 20260304T090000 '],
                    ['02']),
                (['RDATE;TZID=Europe/Paris: 20260305T090000 '], ['02', '05']),
                ]:
            slots = times(expand(calendar(event(
                            *lines, start='DTSTART:20260302T090000 ',
                            end='DURATION:PT3H '))))
            self.assertEqual([s[0][-2:] for s in slots], expected)

    def test_without_identifier(self):
        "Events without UID are known by their time and title"
        one = event(uid='').replace('UID:\n', '')
        two = one.replace('T09', 'T14').replace('T12', 'T17')
        result = expand(calendar(one, two, one))
        self.assertEqual(len({s['uid'] for s in result['slots']}), 2)
        self.assertEqual(reasons(result), [])
        slots = Slots()
        slots.slots = [Slot(
                1, dt.date(2026, 3, 2), dt.time(14), dt.time(17), None, None,
                None, 'planned', None)]
        self.assertEqual(
            slots.load(calendar(one, two)), {'link': 1, 'create': 1})
        self.assertEqual(slots.load(calendar(one, two)), {'keep': 2})
        # Another title at the same time
        self.assertEqual(
            slots.load(calendar(one.replace('Course', 'Word'), two)),
            {'link': 1, 'keep': 1})
        self.assertEqual(slots.load(calendar(one)), {'link': 1, 'cancel': 1})
        # Which slot is the one of what can not be read is not known
        self.assertTrue(Calendar(calendar(one, two.replace(
                        'DTEND', 'X-END').replace('DTSTART:', 'DTSTART:x')),
                PARIS).partial)

    def test_bad_change(self):
        "A change that can not be read leaves its slot alone"
        result = expand(calendar(
                event('RRULE:FREQ=DAILY;COUNT=3'),
                event('RECURRENCE-ID:20260303T090000',
                    start='DTSTART;TZID=Mars/Phobos:20260303T140000')))

        self.assertEqual([t[0] for t in times(result)], [
                '2026-03-02', '2026-03-04'])
        self.assertEqual(result['kept'], [('u', '20260303T080000Z')])
        self.assertEqual(reasons(result), ['unknown_zone'])

    def test_bad_files(self):
        good = calendar(event())
        for content, expected in [
                (b'', 'not_calendar'),
                (b'<!DOCTYPE html><html>Sign in</html>', 'not_calendar'),
                (b'\x89PNG\r\n\x1a\n\0\0', 'not_calendar'),
                (b'PK\x03\x04' + bytes(range(256)), 'not_calendar'),
                (b'\xff\xfe' + b'\xd8' * 7, 'encoding'),
                (good[:good.index(b'END:VCAL')], 'truncated'),
                (good[:good.index(b'SUMMARY')], 'truncated'),
                (calendar(), 'empty'),
                (calendar('BEGIN:VTODO', 'UID:t', 'END:VTODO'), 'empty'),
                (calendar(event(
                            'RRULE:FREQ=DAILY;BYSECOND=0,1,2,3,4,5,6,7,8,9;'
                            'BYMINUTE=0,1,2,3,4,5,6,7,8,9;COUNT=1000000')),
                    'repeats'),
                (calendar(*(event('RRULE:FREQ=DAILY;COUNT=3660', uid=str(n))
                            for n in range(6))), 'slots'),
                ]:
            with self.subTest(content[:60]):
                with self.assertRaises(CalendarError) as cm:
                    expand(content, first=None, last=None)
                self.assertEqual(
                    cm.exception.message,
                    f'training_abandon.msg_ical_{expected}')
        # The days outside are also counted
        with self.assertRaises(CalendarError) as cm:
            expand(calendar(event(
                        'RRULE:FREQ=DAILY;COUNT=1000',
                        start='DTSTART:20280302T090000',
                        end='DTEND:20290302T170000')))
        self.assertEqual(
            cm.exception.message, 'training_abandon.msg_ical_repeats')

    def test_rule_without_day(self):
        "A rule that matches no day ends soon"
        rule = 'RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30'
        result = expand(calendar(event(rule)))
        self.assertEqual(times(result), [('2026-03-02', '09:00', '12:00')])
        rare = 'RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;COUNT=20'
        for lines in [rule], [rare]:
            with patch.object(ical_occurrence, 'MAX_YEARS', 700), \
                    self.assertRaises(CalendarError) as cm:
                expand(calendar(event(*lines), event(*lines, uid='v')))
            self.assertEqual(
                cm.exception.message, 'training_abandon.msg_ical_fruitless')

    def test_thousands(self):
        slots = expand(calendar(*(
                    event(uid=str(n), start='DTSTART:20260302T090000Z',
                        end='DTEND:20260302T100000Z')
                    for n in range(1000))))['slots']
        self.assertEqual(len(slots), 1000)

    def test_partial(self):
        self.assertTrue(Calendar(calendar(
                    event(), header=['METHOD:REQUEST']), PARIS).partial)
        cancel = calendar(event(), header=['METHOD:CANCEL'])
        self.assertEqual(expand(cancel)['cancelled'], [('u', None)])
        self.assertFalse(Calendar(calendar(
                    event(), header=['METHOD:PUBLISH']), PARIS).partial)


Slot = namedtuple('Slot', [
        'id', 'date', 'start', 'end', 'uid', 'recurrence', 'trainer',
        'state', 'calendar_status'])


class Slots:
    "Slots of a session as the database keeps them"

    def __init__(self):
        self.slots = []

    def load(self, content, missing=True):
        plan = Plan(self.slots, expand(content), missing)
        slots = {s.id: s for s in self.slots}
        for change in plan.of('cancel'):
            slots[change.slot.id] = slots[change.slot.id]._replace(
                state='cancelled', calendar_status='cancelled')
        for change in plan.of('reinstate'):
            slots[change.slot.id] = slots[change.slot.id]._replace(
                state='planned')
        for slot, values in writes(plan.changes):
            slots[slot.id] = slots[slot.id]._replace(**values)
            self.check_unique(slots)
        for change in plan.of('create'):
            id = len(slots) + 1
            slots[id] = Slot(
                id=id, **{'trainer': None, **change.values}, state='planned')
            self.check_unique(slots)
        self.slots = list(slots.values())
        return Counter(c.action for c in plan.changes)

    def check_unique(self, slots):
        times = Counter((s.date, s.start) for s in slots.values())
        assert max(times.values()) == 1

    def record(self, numbers):
        "Record the attendance of some of the planned slots"
        for number in numbers:
            if number < len(self.slots):
                slot = self.slots[number]
                if slot.state == 'planned':
                    self.slots[number] = slot._replace(state='held')

    def times(self, *states):
        return sorted(
            (s.date, s.start, s.end) for s in self.slots
            if s.state in states)


@st.composite
def calendars(draw):
    "A calendar of a few events, often the same, at a few times"
    events = []
    for uid in draw(st.lists(
                st.sampled_from('abcde'), min_size=1, unique=True)):
        day, hour = draw(st.integers(2, 5)), draw(st.integers(9, 11))
        lines = []
        if count := draw(st.integers(0, 3)):
            lines = [f'RRULE:FREQ=DAILY;COUNT={count}']
            if draw(st.booleans()):
                events.append(event(
                        f'RECURRENCE-ID:202603{day:02}T{hour:02}0000',
                        *draw(st.sampled_from([
                                    [], ['STATUS:CANCELLED']])), uid=uid,
                        start='DTSTART:202603%02dT%02d0000' % (
                            draw(st.integers(2, 5)), draw(
                                st.integers(9, 11))),
                        end='DURATION:PT1H'))
        if draw(st.integers(0, 5)) == 0:
            lines.append('STATUS:CANCELLED')
        events.append(event(
                *lines, uid=uid,
                start=f'DTSTART:202603{day:02}T{hour:02}0000',
                end=f'DURATION:PT{draw(st.integers(1, 2))}H'))
    return calendar(*draw(st.permutations(events)))


numbers = st.lists(st.integers(0, 8), max_size=4)
fast = settings(max_examples=80, deadline=None, derandomize=True)


class PlanTestCase(unittest.TestCase):
    "Test the plan"

    @given(calendars(), numbers)
    @fast
    def test_twice(self, content, recorded):
        "Importing twice is importing once"
        slots = Slots()
        slots.load(content)
        slots.record(recorded)
        before = slots.slots
        again = slots.load(content)

        self.assertEqual(slots.slots, before)
        self.assertLessEqual(again.keys(), {'keep', 'reject'})

    @given(st.lists(calendars(), min_size=2, max_size=4))
    @fast
    def test_last(self, contents):
        "The last calendar tells the slots"
        slots, expected = Slots(), Slots()
        for content in contents:
            slots.load(content)
        expected.load(contents[-1])

        # Which of two events of the same time ends first is not known
        self.assertEqual(
            [t[:2] for t in slots.times('planned')],
            [t[:2] for t in expected.times('planned')])

    @given(calendars(), calendars(), numbers)
    @fast
    def test_attendance(self, first, second, recorded):
        "The slots whose attendance is recorded never change"
        slots = Slots()
        slots.load(first)
        slots.record(recorded)
        held = slots.times('held')
        slots.load(second)
        self.assertEqual(slots.times('held'), held)
        slots.load(second)
        self.assertEqual(slots.times('held'), held)

    def test_changes(self):
        "Moved, removed, back, recorded"
        daily = event('RRULE:FREQ=DAILY;COUNT=3')
        other = event(uid='v', start='DTSTART:20260302T140000',
            end='DTEND:20260302T170000')
        slots = Slots()
        self.assertEqual(
            slots.load(calendar(daily, other)), {'create': 4})
        # Two slots exchange their times
        moved = daily.replace('T090000', 'T140000').replace(
            'T120000', 'T170000')
        swapped = other.replace('T140000', 'T090000').replace(
            'T170000', 'T120000')
        self.assertEqual(
            slots.load(calendar(moved, swapped)), {'move': 4})
        self.assertEqual(
            slots.load(calendar(daily, other)), {'move': 4})
        self.assertEqual(
            slots.load(calendar(daily)), {'keep': 3, 'cancel': 1})
        self.assertEqual(slots.load(calendar(daily)), {'keep': 3})
        self.assertEqual(
            slots.load(calendar(daily, other)), {'keep': 3, 'reinstate': 1})
        slots.record([0])
        self.assertEqual(
            slots.load(calendar(moved, swapped))['conflict'], 1)
        self.assertEqual(
            slots.load(calendar(other)),
            {'reinstate': 1, 'conflict': 1, 'cancel': 2})

    def test_by_hand(self):
        "What was done by hand is kept or told"
        slots = Slots()
        slots.slots = [Slot(
                1, dt.date(2026, 3, 2), dt.time(9), dt.time(12), None, None,
                7, 'planned', None), Slot(
                2, dt.date(2026, 3, 5), dt.time(9), dt.time(12), None, None,
                None, 'planned', None)]
        content = calendar(event('RRULE:FREQ=DAILY;COUNT=2'))
        self.assertEqual(slots.load(content), {'link': 1, 'create': 1})
        self.assertEqual(slots.slots[0].trainer, 7)
        slots.slots[2] = slots.slots[2]._replace(state='cancelled')
        self.assertEqual(slots.load(content), {'keep': 1, 'conflict': 1})
        self.assertEqual(slots.slots[2].state, 'cancelled')
        # Nor is the trainer of a sheet replaced
        slots.slots[0] = slots.slots[0]._replace(state='held')
        for trainer, action in [(7, 'keep'), (8, 'conflict'), (7, 'keep')]:
            result = expand(content)
            result['slots'][0]['trainer'] = trainer
            change = Plan(slots.slots, result).changes[0]
            self.assertEqual(
                (change.action, change.slot.id), (action, 1))
        slots.slots[0] = slots.slots[0]._replace(trainer=None)
        result['slots'][0]['uid'] = 'new'
        change = Plan(slots.slots, result).changes[0]
        self.assertEqual(
            (change.action, change.values), ('link', {'uid': 'new'}))
        # Unless the event has changed since
        content = calendar(event('RRULE:FREQ=DAILY;COUNT=2',
                'EXDATE:20260303T090000', 'RDATE:20260303T100000'))
        self.assertEqual(slots.load(content), {'keep': 1, 'reinstate': 1})

    def test_parallel(self):
        "The slots at the same time are told by their trainer"
        for order in [[7, 8, 9], [8, 9, 7], [9, 8, 7]]:
            slots = [
                Slot(
                    n, dt.date(2026, 3, 2), dt.time(9), dt.time(12), None,
                    None, trainer, 'held', None)
                for n, trainer in enumerate(order, 1)]
            result = expand(calendar(*(event(uid=str(n)) for n in order)))
            for planned in result['slots']:
                planned['trainer'] = int(planned['uid'])
            for change in Plan(slots, result).changes:
                self.assertEqual(
                    (change.action, change.slot.trainer),
                    ('link', change.planned['trainer']))

    def test_missing(self):
        "The messages about one event say nothing of the others"
        slots = Slots()
        slots.load(calendar(event(), event(
                    uid='v', start='DTSTART:20260303T090000',
                    end='DTEND:20260303T120000')))
        self.assertEqual(
            slots.load(calendar(event()), missing=False), {'keep': 1})
        self.assertEqual(
            slots.load(calendar(event('STATUS:CANCELLED')), missing=False),
            {'cancel': 1})
        # What can not be read is not missing
        self.assertEqual(
            slots.load(calendar(event(), event(uid='v', end=''))),
            {'reinstate': 1})
