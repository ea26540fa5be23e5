# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The import of parties and of enrolments beside their bare creation"

import datetime as dt
import tempfile
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
ROWS = 2000
# The parties that are there before
BEFORE = 10000
START = dt.date(2026, 1, 5)
# The rate is at least 0.8 of the bare creation
IMPORT_BAR = 0.8


def run(client):
    data = Data(client)
    for part in grouped([f'B{i}' for i in range(BEFORE)]):
        data.create_parties(part)
    times = {kind: ([], []) for kind in ['parties', 'enrolments']}
    for number in range(RUNS):
        imported = [f'I{number}-{i}' for i in range(ROWS)]
        created = [f'C{number}-{i}' for i in range(ROWS)]
        times['parties'][0].append(seconds(
                data.load, *data.write('parties', imported)))
        times['parties'][1].append(seconds(data.create_parties, created))
        parties = data.find(created)
        times['enrolments'][0].append(seconds(
                data.load, *data.write('enrolments', imported)))
        times['enrolments'][1].append(seconds(
                data.create_enrolments, created, parties))
    for kind, (import_times, creation_times) in times.items():
        yield measure(
            f'import of {kind}', ROWS, import_times, ROWS, creation_times,
            IMPORT_BAR)


class Data:

    def __init__(self, client):
        self.client = client
        self.company = use_company(client)
        self.options = Options(company=self.company)
        self.directory = tempfile.TemporaryDirectory()
        course, = client.create('training.course', [{'name': "Course"}])
        self.session, = client.create('training.session', [{
                    'course': course,
                    'company': self.company['id'],
                    'start_date': START,
                    'end_date': START,
                    'external_codes': self.code('S'),
                    }])

    def code(self, code):
        return [('create', [{
                        'source': self.options.source,
                        'code': code,
                        }])]

    def create_parties(self, codes):
        for part in grouped(codes):
            self.client.create('party.party', [{
                        'name': f"Person {code}",
                        'external_codes': self.code(code),
                        'contact_mechanisms': [('create', [{
                                        'type': 'email',
                                        'value': f'{code}@example.com',
                                        }])],
                        } for code in part])

    def find(self, codes):
        "Return the ids of the parties of the codes"
        return [
            int(code['record'].split(',')[1])
            for code in sorted(
                self.client.read_in(
                    'training.external_code', 'code', codes,
                    ['code', 'record'],
                    domain=[('model', '=', 'party.party')]),
                key=lambda code: codes.index(code['code']))]

    def create_enrolments(self, codes, parties):
        for part in grouped(zip(codes, parties)):
            trainees = self.client.create(
                'training.trainee', [{'party': party} for _, party in part])
            self.client.create('training.enrolment', [{
                        'session': self.session,
                        'trainee': trainee,
                        'company': self.company['id'],
                        'agreement_kind': 'cpf',
                        'external_codes': self.code(code),
                        } for (code, _), trainee in zip(part, trainees)])

    def write(self, kind, codes):
        "Return the kind and the path of the file"
        path = Path(self.directory.name) / f'{kind}-{codes[0]}.csv'
        header, line = {
            'parties': (
                'code;name;kind;email', '{0};Person {0};person;'
                '{0}@example.com'),
            'enrolments': (
                'enrolment;session;trainee;agreement', '{0};S;{0};cpf'),
            }[kind]
        path.write_text('\n'.join([header, *map(line.format, codes), '']))
        return kind, path

    def load(self, kind, path):
        Kind = KINDS[kind]
        table = Table(path, Kind.columns, Kind.required)
        errors = Errors(table)
        importer = Kind(
            self.client, table, errors, self.options, NoProgress())
        importer.run()
        errors.write()
        if importer.counts != {'created': ROWS}:
            raise RuntimeError(f"{path}: {importer.counts}")
