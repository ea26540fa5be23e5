#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Writes the exports of an imaginary French training provider.

Everything depends on the arguments only: the same day gives the same files.
The persons, companies and SIRET are invented.

parties, sessions, enrolments, attendance and the two exports of a calendar,
planning and planning-maj, are for import_training.py;
courses, contacts and closures tell what these files have no column for."""

import argparse
import csv
import datetime as dt
import unicodedata
from pathlib import Path
from random import Random

import holidays
from catalogue import (
    CLOSED_HOST, CLOSURES, COMPANIES, COURSES, FIRST_NAMES, FOLLOWED, FUNDERS,
    LAST_NAMES, LOCATIONS, PRESCRIBERS, TRAINERS, TUTORS)
from planning import COUNT, WEEK, planning

FILES = [
    'parties', 'sessions', 'enrolments', 'attendance', 'courses', 'contacts',
    'closures']
SESSIONS = 3 * len(COURSES)
BANK_HOLIDAYS = holidays.country_holidays('FR')
# What happens to the first trainees of the running sessions, in turn
STORIES = [
    'leaves', 'late', 'leaves', 'unreachable', 'irregular', 'leaves',
    'no_show', 'leaves', 'sick', 'leaves', 'late', 'leaves', 'regular',
    'leaves', 'irregular']
# Half-days of a running session behind us for the stories to be told
TOLD = 6
TOLD_BY_SESSION = 5
WORDS = {
    'agreement': 'convention',
    'contract': 'contrat',
    'cpf': 'cpf',
    'apprenticeship': 'apprentissage',
    'public_funding': 'financement public',
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('directory', type=Path)
    parser.add_argument('--day', type=dt.date.fromisoformat, required=True,
        help="day of the export, as YYYY-MM-DD")
    parser.add_argument('--sessions', type=int, default=SESSIONS,
        help="number of sessions (default: %(default)s)")
    parser.add_argument('--seed', default='DR-AT014')
    args = parser.parse_args()
    args.directory.mkdir(parents=True, exist_ok=True)
    export = Export(args.day, args.sessions, args.seed)
    for name in FILES:
        write(args.directory / f'{name}.csv', getattr(export, name)())
    for name, content in export.calendars().items():
        (args.directory / f'{name}.ics').write_bytes(content)


def write(path, rows):
    "Write as a French spreadsheet does"
    with open(path, 'w', encoding='utf-8-sig', newline='') as output:
        writer = csv.DictWriter(output, list(rows[0]), delimiter=';')
        writer.writeheader()
        writer.writerows(rows)


class Export:

    def __init__(self, day, sessions=SESSIONS, seed='DR-AT014'):
        self.day = day
        self.seed = seed
        self.persons = {}
        self._addresses = set()
        self._sessions = self._plan(sessions)
        self._enrolments = []
        for session in self._sessions:
            for enrolment in self._enrol(session):
                self._enrolments.append(enrolment)

    def parties(self):
        sirens = Sirens(self.seed)
        lines = numbers('4 65 71', self.seed)
        mobiles = numbers('6 39 98', self.seed)
        rows = [
            organisation(
                f'E{i:03}', company.name, company.host, next(lines),
                next(sirens), company.street, company.postal_code,
                company.city)
            for i, company in enumerate(COMPANIES, 1)]
        rows += [
            organisation(code, name, host, next(lines), next(sirens))
            for code, name, host, *_ in FUNDERS + PRESCRIBERS]
        rows += [
            person(code, name, f'{host}.example.org', next(lines))
            for _, _, host, code, name in PRESCRIBERS]
        rows += [
            person(
                f'T{i:03}', name, f'{company.host}.example.org', next(lines))
            for i, (name, company) in enumerate(zip(TUTORS, COMPANIES), 1)]
        rows += [
            person(
                f'X{i:03}', name, 'formateurs.example.org', next(mobiles))
            for i, name in enumerate(TRAINERS, 1)]
        return rows + [
            person(code, *values, next(mobiles))
            for code, values in self.persons.items()]

    def sessions(self):
        rows = []
        for session in self._sessions:
            course = session['course']
            for date, (start, end) in session['slots']:
                rows.append({
                        'session': session['code'],
                        'course': course.code,
                        'title': course.title,
                        'modality': course.modality,
                        'hours': hours(course),
                        'date': french(date),
                        'start': start,
                        'end': end,
                        'location': session['location'],
                        'trainer': session['trainer'],
                        'uid': f"{session['code']}-{date:%Y%m%d}-{start[:2]}"
                        "@extranet.example.org",
                        })
        return rows

    def enrolments(self):
        return [
            {k: v for k, v in enrolment.items() if not k.startswith('_')}
            for enrolment in self._enrolments]

    def attendance(self):
        rows = []
        for enrolment in self._enrolments:
            presence = Presence(
                enrolment['_story'], enrolment['_slots'],
                Random(f"{self.seed} {enrolment['enrolment']}"))
            for i, (date, (start, _)) in enumerate(enrolment['_slots']):
                if self._is_left(enrolment['_session'], date):
                    continue
                status, minutes, comment = presence[i]
                rows.append({
                        'enrolment': enrolment['enrolment'],
                        'date': french(date),
                        'start': start,
                        'status': status,
                        'minutes': minutes,
                        'comment': comment,
                        })
        return rows

    def _is_left(self, session, date):
        "Return if nobody has filled the sheets of the session on that day"
        past = [d for d, _ in session['slots'] if d < self.day]
        return (
            date == past[-1] and past != [d for d, _ in session['slots']]
            and session['index'] % 6 == 3)

    def courses(self):
        return [
            {'course': course.code, 'kind': course.kind}
            for course in COURSES
            if any(s['course'] == course for s in self._sessions)]

    def contacts(self):
        advisers = {code: adviser for code, *_, adviser, _ in PRESCRIBERS}
        rows = []
        for enrolment in self._enrolments:
            kind = enrolment['_agreement']
            tutor = enrolment['employer'].replace('E', 'T')
            if kind == 'public_funding':
                party, role = advisers[enrolment['prescriber']], 'prescriber'
            elif kind == 'apprenticeship':
                party, role = tutor, 'apprenticeship_supervisor'
            elif kind == 'agreement':
                party, role = tutor, 'tutor'
            else:
                continue
            rows.append({
                    'enrolment': enrolment['enrolment'],
                    'party': party,
                    'role': role,
                    })
        return rows

    def closures(self):
        years = {date.year for s in self._sessions for date, _ in s['slots']}
        return [{
                'name': f'{name} {year}',
                'start_date': french(dt.date(year, *start)),
                'end_date': french(dt.date(year, *end)),
                }
            for year in sorted(years) for name, start, end in CLOSURES]

    def calendars(self):
        "The two exports of the calendar of the catch-up slots, by name"
        session, dates = next(
            (session, dates) for session, dates in self._catch_ups()
            if len(dates) >= COUNT)
        return {
            'planning': planning(session['code'], dates[:COUNT]),
            'planning-maj': planning(
                session['code'], dates[:COUNT], changed=True),
            }

    def _catch_ups(self):
        "Yield the running sessions with the days of a weekly catch-up"
        for session in self._sessions:
            first, last = session['slots'][0][0], session['slots'][-1][0]
            if not first < self.day <= last:
                continue
            for days in range(1, 8):
                date = self.day + dt.timedelta(days=days)
                weeks = range((last - date) // WEEK + 1)
                yield session, [
                    d for d in (date + WEEK * i for i in weeks)
                    if d.weekday() < 5 and is_training_day(d)]

    def _plan(self, count):
        "The sessions in the order of their start"
        sessions = [self._session(i) for i in range(count)]
        sessions.sort(key=lambda s: s['slots'][0])
        for number, session in enumerate(sessions, 1):
            year = session['slots'][0][0].year
            session['code'] = f'S{year}-{number:03}'
        self._assign(sessions)
        return sessions

    def _session(self, index):
        "Each course has a session that runs, one that ended, one that comes"
        course = COURSES[index % len(COURSES)]
        turn = index // len(COURSES)
        gap = dt.timedelta(days=7 + 5 * (index % 7) + 30 * (turn // 3))
        done = {0: max(1, course.days // 2), 1: course.days, 2: 0}[turn % 3]
        before, after = {
            0: (self.day, self.day),
            1: (self.day - 5 * gap, None),
            2: (None, self.day + gap),
            }[turn % 3]
        dates = training_days(before, done, course.weekdays, -1)
        dates += training_days(
            after, course.days - done, course.weekdays, 1)
        return {
            'index': index,
            'course': course,
            'slots': [(date, time) for date in dates for time in course.times],
            'location': LOCATIONS[index % len(LOCATIONS)],
            }

    def _assign(self, sessions):
        "Give each session a trainer who is free, if there is one"
        busy = {f'X{i:03}': set() for i in range(1, len(TRAINERS) + 1)}
        for session in sessions:
            slots = set(session['slots'])
            session['trainer'] = next(
                (code for code in busy if not busy[code] & slots), '')
            busy.get(session['trainer'], set()).update(slots)

    def _enrol(self, session):
        # The order of the sessions depends on the day
        self.random = Random(f"{self.seed} {session['index']}")
        stories = self._stories(session)
        for i in range(self.random.randint(*session['course'].sizes)):
            story = stories[i] if i < len(stories) else 'regular'
            followed = not session['index'] and not i
            if followed:
                story = 'leaves early'
            agreement = self._agreement(session['course'], followed)
            start = None
            if story == 'regular' and self.random.random() < .03:
                # Enrolled after the others
                start = session['slots'][len(session['slots']) // 4][0]
            yield {
                'enrolment': f"{session['code']}-{i + 1:02}",
                'session': session['code'],
                'trainee': (
                    self._former(session, agreement['trainee_kind'])
                    or self._person(story, followed)),
                **agreement,
                'price': f"{session['course'].price},00",
                'start_date': french(start) if start else '',
                '_session': session,
                '_slots': [
                    slot for slot in session['slots']
                    if (start or dt.date.min) <= slot[0] < self.day],
                '_story': story,
                }

    def _stories(self, session):
        past = [slot for slot in session['slots'] if slot[0] < self.day]
        if len(past) < TOLD:
            return []
        elif past == session['slots']:
            return ['leaves'] if session['index'] % 2 else []
        return [
            STORIES[(TOLD_BY_SESSION * session['index'] + i) % len(STORIES)]
            for i in range(TOLD_BY_SESSION)]

    def _former(self, session, kind):
        "The code of a person who comes back after a first session, or None"
        if session['slots'][0][0] <= self.day or self.random.random() > .08:
            return None
        former = [
            e['trainee'] for e in self._enrolments
            if e['trainee_kind'] == kind and e['_slots']
            and e['_session']['slots'][-1][0] < self.day]
        trainee = self.random.choice(former) if former else None
        days = {day for day, _ in session['slots']}
        if any(
                e['trainee'] == trainee
                and not days.isdisjoint(d for d, _ in e['_session']['slots'])
                for e in self._enrolments):
            return None
        return trainee

    def _person(self, story, followed):
        name = FOLLOWED if followed else ''
        while not name or address(name) in self._addresses:
            name = (f"{self.random.choice(FIRST_NAMES)} "
                f"{self.random.choice(LAST_NAMES)}")
        self._addresses.add(address(name))
        host = 'stagiaires.example.org'
        if story == 'unreachable':
            host = CLOSED_HOST
        code = f'{len(self.persons) + 1:05}'
        self.persons[code] = name, host
        return code

    def _agreement(self, course, followed):
        kind = self.random.choice(course.agreements)
        index = self.random.randrange(len(COMPANIES))
        company, funder = f'E{index + 1:03}', COMPANIES[index].funder
        prescriber = self.random.choice(PRESCRIBERS)[0]
        if followed:
            kind, prescriber = 'public_funding', 'P-FT'
        trainee_kind, *parties = {
            'agreement': ('salarié', company, company, funder),
            'contract': ('particulier', '', '', ''),
            'cpf': ('particulier', '', '', 'F-CDC'),
            'apprenticeship': ('apprenti', company, company, funder),
            'public_funding': ("demandeur d'emploi", prescriber, '', 'F-SUD'),
            }[kind]
        return {
            'trainee_kind': trainee_kind,
            'agreement': WORDS[kind],
            **dict(zip(['prescriber', 'employer', 'funder'], parties)),
            '_agreement': kind,
            }


class Presence:
    "The status, minutes and comment of a trainee at each of the past slots"

    def __init__(self, story, slots, random):
        self.story = story
        self.slots = slots
        self.random = random
        # From where the absences do not stop any more
        self.left = max(2, len(slots) - random.choice([4, 5, 6, 8, 12, 20]))
        if story == 'leaves early':
            self.left = 4
        self.absent_days = {
            date for date in sorted({date for date, _ in slots})
            if random.random() < (.35 if story == 'irregular' else .01)}

    def __getitem__(self, index):
        date, _ = self.slots[index]
        chance = self.random.random()
        last = index == len(self.slots) - 1
        if (self.story in {'leaves', 'leaves early', 'unreachable'}
                and index >= self.left):
            return 'A', '', "Injoignable" if last else ''
        elif self.story == 'no_show':
            return 'A', '', "Jamais venu" if last else ''
        elif self.story == 'sick' and not 2 < len(self.slots) - index <= 8:
            pass
        elif self.story == 'sick':
            return 'E', '', "Arrêt de travail"
        elif date in self.absent_days:
            return 'A', '', ''
        elif self.story == 'late' and chance < .6:
            return 'R', self.random.choice([10, 15, 20, 30, 45]), ''
        if chance < .03:
            return 'R', self.random.choice([5, 10, 15]), ''
        elif chance < .04:
            return 'D', 30, "Rendez-vous"
        elif chance < .05:
            return 'E', '', "Convocation présentée"
        return 'P', '', ''


class Sirens:
    "SIRET of companies that do not exist"

    def __init__(self, seed):
        self.numbers = iter(Random(seed).sample(range(10 ** 4), 100))

    def __next__(self):
        return siret(checked(f'0000{next(self.numbers):04}'))


def numbers(prefix, seed):
    "Yield phone numbers that are given to nobody"
    for number in Random(seed).sample(range(10 ** 4), 10 ** 4):
        yield f'+33 {prefix} {number // 100:02} {number % 100:02}'


def organisation(
        code, name, host, phone, siret, street='', postal_code='', city=''):
    return {
        'code': code,
        'name': name,
        'kind': 'organisation',
        'email': f'contact@{host}.example.org',
        'phone': phone,
        'lang': 'fr',
        'street': street,
        'postal_code': postal_code,
        'city': city,
        'country': 'FR' if city else '',
        'siret': siret,
        }


def person(code, name, host, phone):
    return {
        'code': code,
        'name': name,
        'kind': 'personne',
        'email': f'{address(name)}@{host}',
        'phone': phone,
        'lang': 'fr',
        'street': '',
        'postal_code': '',
        'city': '',
        'country': '',
        'siret': '',
        }


def address(name):
    "Local part of the e-mail address of a person"
    name = unicodedata.normalize('NFKD', name.lower())
    name = name.replace(' ', '.').replace("'", '-')
    return ''.join(c for c in name if c.isascii())


def checked(digits):
    "Digits with the check digit of Luhn added"
    for check in '0123456789':
        number = digits + check
        values = [int(c) for c in reversed(number)]
        total = sum(values[::2])
        total += sum(sum(divmod(2 * value, 10)) for value in values[1::2])
        if not total % 10:
            return number


def siret(siren):
    return checked(f'{siren}0001')


def is_training_day(date):
    return (date not in BANK_HOLIDAYS
        and not any(
            start <= (date.month, date.day) <= end
            for _, start, end in CLOSURES))


def training_days(date, count, weekdays, step):
    "Days from date, or before it when step is negative, in their order"
    days = []
    if step < 0 and count:
        date -= dt.timedelta(days=1)
    while len(days) < count:
        if date.weekday() in weekdays and is_training_day(date):
            days.append(date)
        date += dt.timedelta(days=step)
    return sorted(days)


def hours(course):
    minutes = sum(
        (int(end[:2]) - int(start[:2])) * 60 + int(end[3:]) - int(start[3:])
        for start, end in course.times)
    return f'{course.days * minutes / 60:g}'.replace('.', ',')


def french(date):
    return f'{date:%d/%m/%Y}'


if __name__ == '__main__':
    main()
