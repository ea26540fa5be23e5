# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Import of the follow-ups of the enrolments, planned and done"

import datetime as dt
from zoneinfo import ZoneInfo

from . import cells
from .coded import CodedImporter
from .importer import ENROLMENT, PARTY
from .table import Rejected

COMPANY = 'company.company'
EMPLOYEE = 'company.employee'


class FollowUps(CodedImporter):
    model = 'training.follow_up'
    key = 'follow_up'
    label = "follow-up"
    columns = {
        'follow_up': cells.code,
        'enrolment': cells.code,
        'kind': cells.follow_up_kind,
        'party': cells.code,
        'planned_at': cells.date_time,
        'done_at': cells.date_time,
        'employee': cells.code,
        'outcome': cells.follow_up_outcome,
        'note': cells.multiline,
        }
    required = [
        [['follow_up']], [['enrolment']], [['kind']],
        [['planned_at'], ['done_at']]]
    fields = {name: name for name in columns if name != 'follow_up'}
    fixed = ['enrolment']

    def check(self, row):
        super().check(row)
        if row['outcome'] and not row.cells.get('done_at'):
            raise Rejected(
                "What has an outcome is done: give when.", 'done_at')
        if not row.cells.get('planned_at') and not row.cells.get('done_at'):
            raise Rejected(
                "Give when it is planned or when it was done.", 'planned_at')

    def prepare(self, rows):
        rows = self.set_records(
            rows, ENROLMENT, "enrolment", "enrolments", 'enrolment')
        rows = self.set_records(
            rows, PARTY, "party", "parties", 'party', 'employee')
        rows = self.set_employees(rows)
        self.read_trainees(rows)
        self.set_times(rows)
        return rows

    def set_employees(self, rows):
        "Replace the parties by their employees"
        employees = {
            employee['party']: employee['id']
            for employee in self.client.read_in(
                EMPLOYEE, 'party',
                [row['employee'] for row in rows if row['employee']],
                ['party'], domain=[('company', '=', self.company)])}
        for row in rows:
            if row['employee'] is None:
                continue
            row.values['employee'] = employees.get(row['employee'])
            if row['employee'] is None:
                self.reject(row,
                    "The party of this code is no employee of the company.",
                    'employee')
        return [row for row in rows if row not in self.errors]

    def read_trainees(self, rows):
        "Read the trainees of the rows without party"
        self.trainees = {
            enrolment['id']: enrolment['trainee.']['party']
            for enrolment in self.client.read_in(
                ENROLMENT, 'id',
                [row['enrolment'] for row in rows if row['party'] is None],
                ['trainee.party'])}

    def new_values(self, row):
        values = super().new_values(row)
        if row['party'] is None:
            values['party'] = self.trainees.get(row['enrolment'])
        return values

    def set_times(self, rows):
        "Convert what the clock of the company shows"
        company, = self.client.search_read(
            COMPANY, [('id', '=', self.company)], ['timezone'])
        zone = ZoneInfo(company['timezone'] or 'UTC')
        for row in rows:
            for name in ['planned_at', 'done_at']:
                if at := row[name]:
                    row.values[name] = at.replace(tzinfo=zone).astimezone(
                        dt.timezone.utc).replace(tzinfo=None)
