# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Import of attendance, on the sheets of the slots"

import datetime as dt
from collections import defaultdict
from itertools import chain

from . import cells
from .importer import Importer
from .table import Rejected

ATTENDANCE = 'training.attendance'
ENROLMENT = 'training.enrolment'
PERIOD = 'training.enrolment.period'
SESSION = 'training.session'
SLOT = 'training.session.slot'
# Field of the minutes of each state
MINUTES = {'late': 'late_by', 'left_early': 'left_by'}
FIELDS = ['state', 'late_by', 'left_by', 'comment', 'source', 'justified_by']
ATTENDED = {'present', 'late', 'left_early'}
MISSED = {'absent', 'excused'}
# A slot of the morning that ends after lunch is the whole day
AFTER_LUNCH = dt.time(14)
# Slots whose attendances are read at once
SLOTS = 20


class Mark:
    "What a row says of one slot"
    __slots__ = ('enrolment', 'slot', 'values', 'attendance')

    def __init__(self, enrolment, slot, values):
        self.enrolment = enrolment
        self.slot = slot
        self.values = values
        self.attendance = None

    @property
    def key(self):
        return self.enrolment, self.slot['id']

    @property
    def changes(self):
        "Values that differ from the ones of the sheet"
        values = self.values
        if (self.attendance and self.attendance['justified_by']
                and values['state'] == 'absent'):
            # The absence that an accepted justification excuses
            values = {**values, 'state': 'excused'}
        if self.attendance and all(
                self.attendance[name] == value
                for name, value in values.items()):
            return {}
        return self.values

    @property
    def new_values(self):
        values = {
            'enrolment': self.enrolment,
            'slot': self.slot['id'],
            **self.values,
            }
        if self.values['state'] in MISSED:
            # The server would write it after
            values['missed'] = self.slot['duration']
        return values


class Attendance(Importer):
    columns = {
        'enrolment': cells.code,
        'email': cells.email,
        'session': cells.code,
        'date': cells.date,
        'start': cells.start,
        'status': cells.status,
        'minutes': cells.minutes,
        'comment': cells.text,
        }
    required = [
        [['enrolment'], ['email', 'session']],
        [['date']], [['start']], [['status']]]

    def __init__(self, client, table, errors, options, progress):
        super().__init__(client, table, errors, options, progress)
        if options.statuses:
            self.columns = {
                **self.columns, 'status': cells.Statuses(options.statuses)}

    def check(self, row):
        super().check(row)
        if not row.cells.get('enrolment'):
            self.require(row, 'email', 'session')
        state, minutes = row['status'] or (None, None)
        if row['minutes'] and state not in {None, *MINUTES}:
            raise Rejected(
                f"Somebody {state} has no minutes: "
                "leave the cell empty or change the status.", 'minutes')
        if minutes and row['minutes'] not in {None, minutes}:
            raise Rejected(
                "The status gives other minutes: leave the cell empty or "
                "change the status.", 'minutes')
        row.values['state'] = state
        row.values['minutes'] = row['minutes'] or minutes

    def load(self, rows):
        rows = self.set_half_days(rows)
        rows = self.set_enrolments(rows)
        rows = self.set_marks(rows)
        rows = list(self.without_repeated(rows))
        self.read_attendances(rows)
        reopened = self.reopen_sheets(rows)
        self.batches(rows, self.write_attendances)
        self.open_sheets(rows)
        self.start(rows)
        self.close_sheets(rows, reopened)

    def set_half_days(self, rows):
        "Understand AM and PM, refuse AM when it may be the French one"
        is_english = any(row['start'] == 'pm' for row in self.table.rows)
        for row in rows:
            if row['start'] == 'pm':
                row.values['start'] = 'afternoon'
            elif row['start'] == 'am' and is_english:
                row.values['start'] = 'morning'
            elif row['start'] == 'am':
                self.reject(row,
                    "AM is the morning in English and the afternoon in "
                    "French: write morning or afternoon.", 'start')
        return [row for row in rows if row not in self.errors]

    def set_enrolments(self, rows):
        "Set the enrolment, as values, of the rows"
        codes = self.find_codes(
            ENROLMENT, [row['enrolment'] for row in rows])
        names = ['session', 'trainee', 'state']
        enrolments = {
            enrolment['id']: enrolment for enrolment in self.client.read_in(
                ENROLMENT, 'id', codes.values(), names)}
        by_email = self.by_email(
            [row for row in rows if not row['enrolment']], names)
        self.set_periods([
                *enrolments.values(), *chain.from_iterable(by_email.values())])
        for row in [row for row in rows if row not in self.errors]:
            if row['enrolment']:
                found = enrolments.get(codes.get(row['enrolment']))
                found = [found] if found else []
                column = 'enrolment'
            else:
                found = by_email[row['email'].lower(), row['session']]
                column = 'email'
            self.set_enrolment(row, column, found)
        return [row for row in rows if row not in self.errors]

    def set_periods(self, enrolments):
        "Set the bounds of the periods at which the trainees are expected"
        periods = defaultdict(list)
        for period in self.client.read_in(
                PERIOD, 'enrolment', {e['id'] for e in enrolments},
                ['enrolment', 'start_date', 'end_date'],
                domain=[('kind', '=', 'expected')]):
            periods[period['enrolment']].append(period)
        for enrolment in enrolments:
            enrolment['periods'] = periods[enrolment['id']]

    def set_enrolment(self, row, column, found):
        if len(found) > 1:
            # Who has left and come back is expected once on that day
            found = [e for e in found if expected(e, row['date'])] or found
        if not found:
            self.reject(row, "No enrolment is known by this "
                f"{'code' if column == 'enrolment' else 'e-mail'}"
                f"{' in this session' if column == 'email' else ''}: "
                "import the enrolments first.", column)
        elif len(found) > 1:
            self.reject(row,
                f"{len(found)} enrolments of this session have this e-mail: "
                "use the column enrolment.", column)
        else:
            row.values['enrolment_'], = found

    def by_email(self, rows, names):
        "Return the enrolments by e-mail and code of session"
        parties = defaultdict(set)
        for mechanism in self.find_emails(
                [row['email'] for row in rows], []):
            parties[mechanism['party']].add(mechanism['value'].lower())
        sessions = {
            id: code for code, id in self.find_codes(
                SESSION, [row['session'] for row in rows]).items()}
        for row in rows:
            if row['session'] not in sessions.values():
                self.reject(row, "No session is known by this code: import "
                    "the sessions first.", 'session')
        result = defaultdict(list)
        for enrolment in self.client.read_in(
                ENROLMENT, 'trainee.party', parties,
                [*names, 'trainee.party'],
                domain=[('session', 'in', list(sessions))]):
            session = sessions[enrolment['session']]
            for email in parties[enrolment['trainee.']['party']]:
                result[email, session].append(enrolment)
        return result

    def set_marks(self, rows):
        "Set what the rows say of each of their slots"
        slots = defaultdict(list)
        for slot in self.client.read_in(
                SLOT, 'session',
                {row['enrolment_']['session'] for row in rows},
                ['session', 'session.state', 'date', 'start', 'end',
                    'half', 'start_at', 'duration', 'state', 'trainees'],
                size=10):
            slots[slot['session'], slot['date']].append(slot)
        # Who is on a sheet is, whatever is expected today
        recorded = {
            (line['enrolment'], line['slot'])
            for line in self.client.read_in(
                ATTENDANCE, 'enrolment',
                {row['enrolment_']['id'] for row in rows},
                ['enrolment', 'slot'], size=SLOTS)}
        today = self.client.call('ir.date', 'today')
        now = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None)
        for row in rows:
            try:
                found = find_slots(
                    slots[row['enrolment_']['session'], row['date']],
                    row['start'])
                if found[0]['session.']['state'] == 'cancelled':
                    raise Rejected(
                        "The session is cancelled: set it back to draft "
                        "first.", 'date')
                if (row['date'] > today
                        or any(slot['start_at'] > now for slot in found)):
                    raise Rejected(
                        "The slot is still to come: record its attendance "
                        "once it has taken place.", 'date')
                enrolment = row['enrolment_']
                found = [
                    slot for slot in found
                    if (enrolment['id'], slot['id']) in recorded
                    or enrolment['trainee'] in slot['trainees']
                    and expected(enrolment, row['date'])]
                if not found:
                    raise Rejected(
                        "The trainee is not expected on that day: look at "
                        "the state and the periods of the enrolment.", 'date')
                row.values['marks'] = list(get_marks(row, found))
            except Rejected as exc:
                self.reject(row, exc.reason, exc.column)
        return [row for row in rows if row not in self.errors]

    def without_repeated(self, rows):
        "The rows that say something that no row before them has said"
        first = {}
        for row in rows:
            marks = row['marks']
            said = [first[m.key] for m in marks if m.key in first]
            new = [m for m in marks if m.key not in first]
            values = {m.key: m.values for m in marks}
            other = next(
                (line for line, m in said if m.values != values[m.key]), None)
            if other:
                self.reject(row,
                    f"Line {other} says something else for the same "
                    "enrolment and slot: keep one of them.",
                    'enrolment' if row['enrolment'] else 'email')
            elif not new:
                self.done(row, 'unchanged')
            else:
                first.update((m.key, (row.line, m)) for m in new)
                row.values['marks'] = new
                yield row

    def reopen_sheets(self, rows):
        """Open the sheets that are official and that a row contradicts,
        return them"""
        slots = sorted({
                mark.slot['id'] for row in rows for mark in row['marks']
                if mark.slot['state'] == 'held' and mark.changes})
        self.click(
            SLOT, 'open', slots,
            training_abandon_notices=self.options.notify)
        return slots

    def open_sheets(self, rows):
        "Open the sheets, which adds who is expected and not in the file"
        self.click(SLOT, 'open', slots_in(rows, {'planned'}))

    def read_attendances(self, rows):
        # Not everybody may read the comments
        names = [
            name for name in FIELDS
            if name != 'comment' or any(row['comment'] for row in rows)]
        attendances = {
            (attendance['enrolment'], attendance['slot']): attendance
            for attendance in self.client.read_in(
                ATTENDANCE, 'slot',
                slots_in(rows, {'planned', 'open', 'held'}),
                ['enrolment', 'slot', *names], size=SLOTS)}
        for row in rows:
            for mark in row['marks']:
                mark.attendance = attendances.get(mark.key)

    def write_attendances(self, rows):
        "Write the rows, those with the same values together"
        pairs = {}
        for row in rows:
            for mark in row['marks']:
                if mark.attendance and (values := mark.changes):
                    ids, _ = pairs.setdefault(
                        tuple(sorted(values.items(), key=repr)), ([], values))
                    ids.append(mark.attendance['id'])
        self.write(ATTENDANCE, *pairs.values())
        self.create_attendances(rows)
        for row in rows:
            if not all(mark.attendance for mark in row['marks']):
                self.done(row, 'created')
            elif any(mark.changes for mark in row['marks']):
                self.done(row, 'updated')
            else:
                self.done(row, 'unchanged')

    def create_attendances(self, rows):
        self.create(ATTENDANCE, [
                mark.new_values for row in rows for mark in row['marks']
                if not mark.attendance])

    def start(self, rows):
        "Who has attended has started, and so has the session"
        rows = [row for row in rows if row not in self.errors]
        self.click(ENROLMENT, 'start', sorted({
                    row['enrolment_']['id'] for row in rows
                    if row['state'] in ATTENDED
                    and row['enrolment_']['state'] == 'confirmed'}))
        sessions = {row['enrolment_']['session'] for row in rows}
        self.click(SESSION, 'run', [
                session['id'] for session in self.client.read_in(
                    SESSION, 'id', sessions, ['id'],
                    domain=[('state', '=', 'planned')])])

    def close_sheets(self, rows, reopened):
        slots = set(reopened)
        if self.options.close:
            slots.update(slots_in(rows, {'planned', 'open'}))
        self.click(
            SLOT, 'close', sorted(slots),
            training_abandon_notices=self.options.notify)


def slots_in(rows, states):
    "Return the ids of the slots of the rows that are in the states"
    return sorted({
            mark.slot['id'] for row in rows for mark in row['marks']
            if mark.slot['state'] in states})


def expected(enrolment, date):
    return any(
        (period['start_date'] or date) <= date
        and (period['end_date'] or date) >= date
        for period in enrolment['periods'])


def find_slots(slots, start):
    "Return those of the slots of a day that start then, in time order"
    if not slots:
        raise Rejected("The session has no slot on that day.", 'date')
    found = [s for s in slots if is_at(s, start)]
    if not found:
        times = ', '.join(sorted(f"{s['start']:%H:%M}" for s in slots))
        raise Rejected(
            "The session has no slot at that time: on that day its slots "
            f"start at {times}.", 'start')
    found = [s for s in found if s['state'] != 'cancelled']
    if not found:
        raise Rejected("The slot is cancelled.", 'date')
    if start in {'morning', 'afternoon'} and any(map(is_whole_day, found)):
        raise Rejected(
            "The slot is the whole day: write its start or day.", 'start')
    if len({s['start'] for s in found}) < len(found):
        raise Rejected(
            "The session has several slots at the same time: record them on "
            "their sheets.", 'start')
    return sorted(found, key=lambda s: s['start'])


def is_whole_day(slot):
    return slot['half'] == 'morning' and slot['end'] > AFTER_LUNCH


def is_at(slot, start):
    "Tell if the slot is at the time, or has a part in the half-day"
    if start == 'day':
        return True
    if start == 'morning':
        return slot['half'] == 'morning'
    if start == 'afternoon':
        return slot['half'] == 'afternoon' or is_whole_day(slot)
    return slot['start'] == start


def get_marks(row, slots):
    """Return the marks of the slots: who is late is so for the first one and
    who leaves early for the last one"""
    state, minutes = row['state'], row['minutes']
    concerned = {'late': slots[0], 'left_early': slots[-1]}.get(state)
    if minutes and minutes > concerned['duration']:
        raise Rejected(
            "The slot lasts only "
            f"{concerned['duration'] // dt.timedelta(minutes=1)} minutes.",
            'minutes' if row.cells.get('minutes') else 'status')
    for slot in slots:
        values = {
            'state': state if concerned in (None, slot) else 'present',
            'late_by': None,
            'left_by': None,
            'source': 'import',
            }
        if minutes and slot is concerned:
            values[MINUTES[state]] = minutes
        if row['comment']:
            values['comment'] = row['comment']
        yield Mark(row['enrolment_']['id'], slot, values)
