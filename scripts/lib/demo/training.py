# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What the columns of the imported files do not tell about the trainings

python -m lib.demo.training DATABASE CONFIG DIRECTORY"""

import csv
import datetime as dt
import sys
from collections import defaultdict
from pathlib import Path

from proteus import config as pconfig
from trytond.modules.training_abandon.scripts.importing import cells

SOURCE = 'demo'
BATCH = 200
# Attendance sheets of the day already being filled
SHEETS = 2


class Training:

    def __init__(self, database, config_file, directory):
        self.config = pconfig.set_trytond(database, config_file=config_file)
        self.directory = Path(directory)

    def run(self):
        self.set_kinds()
        self.add_closures()
        self.add_contacts()
        self.set_clients()
        self.open_sheets()

    def call(self, model, method, *args):
        proxy = self.config.get_proxy(model)
        return getattr(proxy, method)(*args, self.config.context)

    def search_read(self, model, domain, *names):
        return self.call(
            model, 'search_read', domain, 0, None, [('id', 'ASC')],
            list(names))

    def in_batches(self, model, method, records):
        for i in range(0, len(records), BATCH):
            self.call(model, method, records[i:i + BATCH])

    def write(self, model, field, ids):
        "Write on the field each value of ids, which gives those of the value"
        for value, value_ids in ids.items():
            self.call(model, 'write', value_ids, {field: value})

    def rows(self, name):
        path = self.directory / f'{name}.csv'
        with open(path, encoding='utf-8-sig', newline='') as file:
            return list(csv.DictReader(file, delimiter=';'))

    def ids(self, model):
        "The ids of the imported records by code"
        return {
            code['code']: int(code['record'].split(',')[1])
            for code in self.search_read('training.external_code', [
                    ('source', '=', SOURCE), ('model', '=', model)],
                'code', 'record')}

    def set_kinds(self):
        courses = self.ids('training.course')
        ids = defaultdict(list)
        for row in self.rows('courses'):
            ids[row['kind']].append(courses[row['course']])
        self.write('training.course', 'kind', ids)

    def add_closures(self):
        self.call('training.closure', 'create', [{
                    'name': row['name'],
                    'start_date': cells.date(row['start_date']),
                    'end_date': cells.date(row['end_date']),
                    } for row in self.rows('closures')])

    def add_contacts(self):
        parties = self.ids('party.party')
        enrolments = self.ids('training.enrolment')
        self.in_batches('training.enrolment.contact', 'create', [{
                    'enrolment': enrolments[row['enrolment']],
                    'party': parties[row['party']],
                    'role': row['role'],
                    'notify': row['role'] != 'tutor',
                    } for row in self.rows('contacts')])

    def set_clients(self):
        "The employer is the client of the agreements it has signed"
        ids = defaultdict(list)
        for enrolment in self.search_read('training.enrolment', [
                    ('employer', '!=', None),
                    ('agreement_kind', 'in', ['agreement', 'apprenticeship']),
                    ], 'employer'):
            ids[enrolment['employer']].append(enrolment['id'])
        self.write('training.enrolment', 'client', ids)

    def open_sheets(self):
        slots = self.search_read('training.session.slot', [
                ('date', '=', dt.date.today()),
                ('state', '=', 'planned'),
                ], 'start')
        slots.sort(key=lambda slot: slot['start'])
        self.in_batches(
            'training.session.slot', 'open',
            [slot['id'] for slot in slots[:SHEETS]])


if __name__ == '__main__':
    Training(*sys.argv[1:]).run()
