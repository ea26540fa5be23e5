# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Import of attendance, on the sheets of the slots"

import datetime as dt
from collections import defaultdict

from . import cells
from .importer import Importer
from .table import Rejected

ATTENDANCE = 'training.attendance'
ENROLMENT = 'training.enrolment'
SESSION = 'training.session'
SLOT = 'training.session.slot'
# Field of the minutes of each state
MINUTES = {'late': 'late_by', 'left_early': 'left_by'}
FIELDS = ['state', 'late_by', 'left_by', 'comment', 'source']
ATTENDED = {'present', 'late', 'left_early'}
MISSED = {'absent', 'excused'}
# Slots whose attendances are read at once
SLOTS = 20


class Attendance(Importer):
    columns = {
        'enrolment': cells.code,
        'email': cells.email,
        'session': cells.code,
        'date': cells.date,
        'start': cells.time,
        'status': cells.status,
        'minutes': cells.minutes,
        'comment': cells.text,
        }
    required = [
        [['enrolment'], ['email', 'session']],
        [['date']], [['start']], [['status']]]

    def check(self, row):
        super().check(row)
        if not row.cells.get('enrolment'):
            self.require(row, 'email', 'session')
        if row['minutes'] and row['status'] not in {None, *MINUTES}:
            raise Rejected(
                f"Somebody {row['status']} has no minutes: "
                "leave the cell empty or change the status.", 'minutes')

    def load(self, rows):
        rows = self.set_enrolments(rows)
        rows = self.set_slots(rows)
        rows = list(self.without_doubles(rows, 'enrolment', 'slot'))
        self.read_attendances(rows)
        reopened = self.reopen_sheets(rows)
        self.batches(rows, self.write_attendances)
        self.open_sheets(rows)
        self.start(rows)
        self.close_sheets(rows, reopened)

    def set_enrolments(self, rows):
        "Set the enrolment, as values, of the rows"
        codes = self.find_codes(
            ENROLMENT, [row['enrolment'] for row in rows])
        names = ['session', 'trainee', 'start_date', 'end_date', 'state']
        enrolments = {
            enrolment['id']: enrolment for enrolment in self.client.read_in(
                ENROLMENT, 'id', codes.values(), names)}
        by_email = self.by_email(
            [row for row in rows if not row['enrolment']], names)
        for row in rows:
            if row['enrolment']:
                found = enrolments.get(codes.get(row['enrolment']))
                found = [found] if found else []
                column = 'enrolment'
            else:
                found = by_email[row['email'].lower(), row['session']]
                column = 'email'
            self.set_enrolment(row, column, found)
        return [row for row in rows if row not in self.errors]

    def set_enrolment(self, row, column, found):
        if not found:
            self.reject(row, "No enrolment is known by this "
                f"{'code' if column == 'enrolment' else 'e-mail'}: "
                "import the enrolments first.", column)
        elif len(found) > 1:
            self.reject(row,
                f"{len(found)} enrolments of this session have this e-mail: "
                "use the column enrolment.", column)
        else:
            row.values['enrolment_'], = found
            row.values['enrolment'] = found[0]['id']

    def by_email(self, rows, names):
        "Return the enrolments by e-mail and code of session"
        parties = defaultdict(set)
        for mechanism in self.find_emails(
                [row['email'] for row in rows], []):
            parties[mechanism['party']].add(mechanism['value'].lower())
        sessions = {
            id: code for code, id in self.find_codes(
                SESSION, [row['session'] for row in rows]).items()}
        result = defaultdict(list)
        for enrolment in self.client.read_in(
                ENROLMENT, 'trainee.party', parties,
                [*names, 'trainee.party'],
                domain=[('session', 'in', list(sessions))]):
            session = sessions[enrolment['session']]
            for email in parties[enrolment['trainee.']['party']]:
                result[email, session].append(enrolment)
        return result

    def set_slots(self, rows):
        sessions = {row['enrolment_']['session'] for row in rows}
        slots = {
            (slot['session'], slot['date'], slot['start']): slot
            for slot in self.client.read_in(
                SLOT, 'session', sessions,
                ['session', 'session.state', 'date', 'start', 'start_at',
                    'duration', 'state'], size=10)}
        now = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None)
        for row in rows:
            slot = slots.get((
                    row['enrolment_']['session'], row['date'], row['start']))
            if not slot:
                self.reject(row,
                    "The session has no slot at that time: look at its "
                    "date and start.", 'date')
            elif slot['state'] == 'cancelled':
                self.reject(row, "The slot is cancelled.", 'date')
            elif slot['session.']['state'] == 'cancelled':
                self.reject(row,
                    "The session is cancelled: set it back to draft first.",
                    'date')
            elif slot['start_at'] > now:
                self.reject(row,
                    "The slot has not started yet: import its attendance "
                    "once it is held.", 'date')
            elif not expected(row):
                self.reject(row,
                    "The trainee is not expected on that day: look at the "
                    "state and the dates of the enrolment.", 'date')
            else:
                row.values['slot_'] = slot
                row.values['slot'] = slot['id']
        return [row for row in rows if row not in self.errors]

    def reopen_sheets(self, rows):
        """Open the sheets that are official and that a row contradicts,
        return them"""
        slots = sorted({
                row['slot'] for row in rows
                if row['slot_']['state'] == 'held' and changes(row)})
        self.click(SLOT, 'open', slots)
        return slots

    def open_sheets(self, rows):
        "Open the sheets, which adds who is expected and not in the file"
        self.click(SLOT, 'open', sorted({
                    row['slot'] for row in rows
                    if row['slot_']['state'] == 'planned'}))

    def read_attendances(self, rows):
        attendances = {
            (attendance['enrolment'], attendance['slot']): attendance
            for attendance in self.client.read_in(
                ATTENDANCE, 'slot', sorted({row['slot'] for row in rows}),
                ['enrolment', 'slot', *FIELDS], size=SLOTS)}
        for row in rows:
            row.values['attendance'] = attendances.get(
                (row['enrolment'], row['slot']))

    def write_attendances(self, rows):
        "Write the rows, those with the same values together"
        new, pairs = [], {}
        for row in rows:
            if not row['attendance']:
                new.append(row)
            elif values := changes(row):
                ids, _ = pairs.setdefault(
                    tuple(sorted(values.items(), key=repr)), ([], values))
                ids.append(row['attendance']['id'])
        self.write(ATTENDANCE, *pairs.values())
        self.create_attendances(new)
        for row in rows:
            if not row['attendance']:
                self.done(row, 'created')
            else:
                self.done(row, 'updated' if changes(row) else 'unchanged')

    def create_attendances(self, rows):
        self.create(ATTENDANCE, [new_attendance(row) for row in rows])

    def start(self, rows):
        "Who has attended has started, and so has the session"
        rows = [row for row in rows if row not in self.errors]
        self.click(ENROLMENT, 'start', sorted({
                    row['enrolment'] for row in rows
                    if row['status'] in ATTENDED
                    and row['enrolment_']['state'] == 'confirmed'}))
        sessions = {row['enrolment_']['session'] for row in rows}
        self.click(SESSION, 'run', [
                session['id'] for session in self.client.read_in(
                    SESSION, 'id', sessions, ['id'],
                    domain=[('state', '=', 'planned')])])

    def close_sheets(self, rows, reopened):
        slots = set(reopened)
        if self.options.close:
            slots |= {
                row['slot'] for row in rows
                if row['slot_']['state'] in {'planned', 'open'}}
        self.click(SLOT, 'close', sorted(slots))


def expected(row):
    enrolment = row['enrolment_']
    return (
        enrolment['state'] not in {'draft', 'cancelled'}
        and row['date'] >= (enrolment['start_date'] or dt.date.min)
        and row['date'] <= (enrolment['end_date'] or dt.date.max))


def new_attendance(row):
    values = {
        'enrolment': row['enrolment'],
        'slot': row['slot'],
        **attendance_values(row),
        }
    if row['status'] in MISSED:
        # The server would write it after
        values['missed'] = row['slot_']['duration']
    return values


def attendance_values(row):
    values = {
        'state': row['status'],
        'late_by': None,
        'left_by': None,
        'source': 'import',
        }
    if row['minutes'] and row['status'] in MINUTES:
        values[MINUTES[row['status']]] = row['minutes']
    if row['comment']:
        values['comment'] = row['comment']
    return values


def changes(row):
    "Values that differ from the ones of the sheet"
    values = attendance_values(row)
    attendance = row['attendance']
    if not attendance:
        return values
    if all(attendance[name] == value for name, value in values.items()):
        return {}
    return values
