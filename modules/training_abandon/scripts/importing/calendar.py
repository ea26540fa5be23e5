# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Import of the slots of the sessions from a calendar (.ics)"

import datetime as dt
from collections import Counter

from .client import Refused
from .importer import IMPORT, Importer
from .table import FormatError, Rejected, Row, shorten

SESSION = 'training.session'
# More than what any server takes
MAX_SIZE = 100 * 1024 ** 2
OUTCOMES = {
    'create': 'created',
    'move': 'updated',
    'reinstate': 'updated',
    'link': 'updated',
    'keep': 'unchanged',
    'cancel': 'cancelled',
    'conflict': 'conflicts',
    }


def is_calendar(path):
    try:
        with open(path, 'rb') as file:
            start = file.read(200)
    except OSError:
        start = b''
    return (path.suffix.lower() in {'.ics', '.ical', '.icalendar'}
        or b'BEGIN:VCALENDAR' in start.replace(b'\0', b''))


def half_days(text):
    "Convert the times of the events without time"
    result = []
    try:
        for part in text.split(','):
            start, end = map(dt.time.fromisoformat, part.split('-'))
            result.append((start, end))
    except ValueError as exc:
        raise Rejected(
            "The times must be like 09:00-12:30,13:30-17:00") from exc
    times = [t for times in result for t in times]
    if sorted(set(times)) != times:
        raise Rejected("The times must be in their order.")
    return result


class CalendarFile:
    "What the errors and the summary tell of a calendar"
    unit = 'slots'
    delimiter = ';'
    header = ['uid', 'event', 'dates']

    def __init__(self, path):
        self.path = path
        self.rows = []
        try:
            if path.stat().st_size > MAX_SIZE:
                raise FormatError(
                    "the file has more than 100 MB: export fewer events.")
            self.content = path.read_bytes()
        except OSError as exc:
            raise FormatError(f"{exc.strerror}.") from exc


class Calendar(Importer):
    "Loads the calendar session by session"
    outcomes = [*Importer.outcomes, 'cancelled', 'conflicts']
    counts = None

    def __init__(self, *args):
        super().__init__(*args)
        self.counts = Counter()

    def run(self):
        options = self.options
        try:
            found = self.client.call(
                SESSION, 'read_calendar', self.table.content, options.source,
                options.session, options.half_days, options.extend)
        except Refused as exc:
            raise FormatError(str(exc)) from exc
        self.progress.total = sum(len(g['slots']) for g in found['groups'])
        for problem in found['rejected']:
            self.reject_event(problem)
        new = [
            g['title'] for g in found['groups']
            if g['slots'] and not g['session']]
        if len(new) > 1 and not self.options.dry_run:
            print(f"{len(new)} sessions are created, one by title: "
                f"{shorten(', '.join(new), 200)}\nGive --session for one "
                "session, and --dry-run to look first.")
        for group in found['groups']:
            self.load_group(group)

    def load_group(self, group):
        for problem in group['problems']:
            if problem['skipped']:
                self.counts['skipped'] += len(problem['dates'])
            else:
                self.reject_event(problem)
        try:
            if self.options.dry_run:
                lines = self.client.call(
                    IMPORT, 'try_calendar', group, self.options.missing)
            else:
                lines = self.client.call(
                    SESSION, 'load_calendar', group, self.options.missing)
        except Refused as exc:
            self.reject_slots([
                    dict(slot, reason=str(exc)) for slot in group['slots']])
            lines = []
        for line in lines:
            self.table.rows.append(line)
            if line['action'] in OUTCOMES:
                self.counts[OUTCOMES[line['action']]] += 1
        if lines and not group['session']:
            self.counts['sessions'] += 1
        self.reject_slots([line for line in lines if line['reason']])
        self.progress.update(len(group['slots']))

    def reject_slots(self, slots):
        "Reject the slots, those of an event in one line"
        events = {}
        for slot in slots:
            event = events.setdefault(
                (slot['line'], slot['uid'], slot['reason']),
                dict(slot, dates=[]))
            event['dates'].append(slot['date'])
        for event in events.values():
            self.reject_event(event)

    def reject_event(self, problem):
        dates = [f'{date:%d/%m/%Y}' for date in problem['dates']]
        if len(dates) > 10:
            dates = [*dates[:9], '…', dates[-1]]
        # The slots which are no longer in the calendar have no line in it,
        # but each one has its row
        line = problem['line'] or -len(self.errors)
        self.errors.add(
            Row(line, [
                    problem['uid'], problem['summary'], ' '.join(dates)], {}),
            problem['reason'])
