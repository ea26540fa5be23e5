# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The import of attendances beside their bare creation"

import datetime as dt
import tempfile
from itertools import product
from pathlib import Path

from trytond.modules.training_abandon.scripts.importing.client import (
    grouped, use_company)
from trytond.modules.training_abandon.scripts.importing.command import (
    KINDS, NoProgress)
from trytond.modules.training_abandon.scripts.importing.importer import Options
from trytond.modules.training_abandon.scripts.importing.table import (
    Errors, Table)

from .common import measure, seconds

RUNS = 3
SMALL, LARGE = 1000, 10000
# A session has 20 trainees and 25 slots: 500 attendances
TRAINEES, DAYS = 20, 25
PER_SESSION = TRAINEES * DAYS
START = dt.date(2026, 1, 5)
STATUSES = ['present'] * 7 + ['absent', 'excused', 'late']
BEGIN, END = dt.time(9), dt.time(12, 30)
LATE_BY = dt.timedelta(minutes=15)
MISSED = {
    'present': dt.timedelta(),
    'absent': dt.timedelta(hours=3, minutes=30),
    'excused': dt.timedelta(hours=3, minutes=30),
    'late': LATE_BY,
    }
# Half of the rate of the bare creation
IMPORT_BAR = 0.5
# To find that there is nothing to do costs no more than the bare creation
AGAIN_BAR = 1
# Ten times the rows take at most twelve times the time
GROWTH_BAR = LARGE / SMALL / 12


def run(client):
    data = Data(client)
    created, imported, again, small = [], [], [], []
    for number in range(RUNS):
        created.append(data.create(f'C{number}', LARGE))
        path = data.prepare(f'L{number}', LARGE)
        imported.append(data.load(path, 'created', LARGE))
        again.append(data.load(path, 'unchanged', LARGE))
        path = data.prepare(f'S{number}', SMALL)
        small.append(data.load(path, 'created', SMALL))
    yield measure(
        'import', LARGE, imported, LARGE, created, IMPORT_BAR)
    yield measure(
        'import again', LARGE, again, LARGE, created, AGAIN_BAR)
    yield measure(
        f'import {LARGE} after {SMALL}', LARGE, imported, SMALL, small,
        GROWTH_BAR)


class Data:
    "Sessions with enrolments that wait for their attendances"

    def __init__(self, client):
        self.client = client
        self.company = use_company(client)
        self.options = Options(company=self.company)
        self.directory = tempfile.TemporaryDirectory()
        self.trainees = self.new_trainees()
        self.course, = client.create('training.course', [{'name': "Course"}])

    def new_trainees(self):
        parties = self.client.create('party.party', [{
                    'name': f"Trainee {i}",
                    } for i in range(TRAINEES)])
        return self.client.create('training.trainee', [{
                    'party': party,
                    } for party in parties])

    def new_sessions(self, prefix, count):
        "Return the ids of planned sessions"
        days = [START + dt.timedelta(days=i) for i in range(DAYS)]
        slots = [{
                'date': day,
                'start': BEGIN,
                'end': END,
                } for day in days]
        result = []
        for numbers in grouped(range(count), 10):
            result += self.client.create('training.session', [{
                        'course': self.course,
                        'company': self.company['id'],
                        'start_date': days[0],
                        'end_date': days[-1],
                        'slots': [('create', slots)],
                        } for _ in numbers])
        self.client.click('training.session', 'plan', result)
        return result

    def new_enrolments(self, prefix, rows):
        """Return the (code, session) by id of confirmed enrolments that give
        this number of rows"""
        sessions = self.new_sessions(prefix, rows // PER_SESSION)
        result = {}
        for part in grouped(product(sessions, self.trainees)):
            codes = [
                f'{prefix}-{session}-{trainee}' for session, trainee in part]
            ids = self.client.create('training.enrolment', [{
                        'session': session,
                        'trainee': trainee,
                        'company': self.company['id'],
                        'agreement_kind': 'cpf',
                        'external_codes': [('create', [{
                                        'source': self.options.source,
                                        'code': code,
                                        }])],
                        } for code, (session, trainee) in zip(codes, part)])
            for id, code, (session, _) in zip(ids, codes, part):
                result[id] = code, session
        self.client.click('training.enrolment', 'confirm', list(result))
        return result

    def prepare(self, prefix, rows):
        "Return the path of a file of this number of rows"
        enrolments = self.new_enrolments(prefix, rows)
        path = Path(self.directory.name) / f'{prefix}.csv'
        with open(path, 'w') as file:
            file.write('enrolment;date;start;status;minutes\n')
            for number, (day, (code, _)) in enumerate(
                    product(range(DAYS), enrolments.values())):
                status = STATUSES[number % len(STATUSES)]
                file.write(';'.join([
                            code,
                            str(START + dt.timedelta(days=day)),
                            '09:00',
                            status,
                            '15' if status == 'late' else '',
                            ]) + '\n')
        return path

    def load(self, path, outcome, rows):
        "Import the file, return the time"
        Kind = KINDS['attendance']

        def load():
            table = Table(path, Kind.columns, Kind.required)
            errors = Errors(table)
            importer = Kind(
                self.client, table, errors, self.options, NoProgress())
            importer.run()
            errors.write()
            if importer.counts != {outcome: rows}:
                raise RuntimeError(f"{path}: {importer.counts}")
        return seconds(load)

    def create(self, prefix, rows):
        "Create the same attendances without the import, return the time"
        enrolments = self.new_enrolments(prefix, rows)
        slots = {}
        for slot in self.client.read_in(
                'training.session.slot', 'session',
                {session for _, session in enrolments.values()},
                ['session', 'date']):
            slots[slot['session'], slot['date']] = slot['id']
        values = []
        for number, (day, (id, (_, session))) in enumerate(
                product(range(DAYS), enrolments.items())):
            status = STATUSES[number % len(STATUSES)]
            values.append({
                    'enrolment': id,
                    'slot': slots[session, START + dt.timedelta(days=day)],
                    'state': status,
                    'late_by': LATE_BY if status == 'late' else None,
                    'left_by': None,
                    'missed': MISSED[status],
                    'source': 'import',
                    })

        def create():
            for part in grouped(values):
                self.client.create('training.attendance', part)
        return seconds(create)
