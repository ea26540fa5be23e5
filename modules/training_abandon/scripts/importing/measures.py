# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Import of the register of the engagement measures"

import datetime as dt

from . import cells
from .coded import CodedImporter
from .importer import ENROLMENT, SESSION

KIND = 'training.measure.kind'
COURSE = 'training.course'


class Measures(CodedImporter):
    model = 'training.measure'
    key = 'measure'
    label = "measure"
    columns = {
        'measure': cells.code,
        'name': cells.label,
        'kind': cells.evidence,
        'course': cells.code,
        'session': cells.code,
        'enrolment': cells.code,
        'date': cells.date,
        'description': cells.multiline,
        }
    required = [[['measure']], [['name']], [['kind']], [['date']]]
    fields = {name: name for name in columns if name != 'measure'}
    fixed = ['course', 'session', 'enrolment']

    def field_values(self, row):
        values = super().field_values(row)
        if row['enrolment'] is not None and 'description' in values:
            # What is told of a trainee is read by few
            values['note'] = values.pop('description')
        return values

    def prepare(self, rows):
        rows = self.set_records(rows, COURSE, "course", "sessions", 'course')
        rows = self.set_records(
            rows, SESSION, "session", "sessions", 'session')
        rows = self.set_records(
            rows, ENROLMENT, "enrolment", "enrolments", 'enrolment')
        self.set_enrolments(rows)
        return self.set_kinds(self.with_note(rows))

    def set_enrolments(self, rows):
        "Give to the rows without enrolment the one that their measure has"
        rows = [row for row in rows if row['enrolment'] is None]
        codes = self.find_codes(self.model, [row['measure'] for row in rows])
        enrolments = {
            measure['id']: measure['enrolment']
            for measure in self.client.read_in(
                self.model, 'id', codes.values(), ['enrolment'])}
        for row in rows:
            row.values['enrolment'] = enrolments.get(
                codes.get(row['measure']))

    def with_note(self, rows):
        "Return the rows without those whose note the user may not write"
        noted = [
            row for row in rows
            if row['enrolment'] is not None and row['description'] is not None]
        if not noted or 'note' in self.client.call(
                self.model, 'fields_get', ['note']):
            return rows
        for row in noted:
            self.reject(row,
                "Only the group Sensitive Reasons imports what was done for "
                "a trainee.", 'description')
        return [row for row in rows if row not in self.errors]

    def set_kinds(self, rows):
        "Replace the numbers of the guide by the evidence valid on the day"
        kinds = self.client.search_read(
            KIND, [('company', 'in', [self.company, None])],
            ['guide', 'number', 'start_date', 'end_date'])
        for row in rows:
            guide, number = row['kind']
            found = [
                kind['id'] for kind in kinds
                if kind['number'] == number
                and guide in {None, cells.fold(kind['guide'])}
                and (kind['start_date'] or dt.date.min) <= row['date']
                and row['date'] <= (kind['end_date'] or dt.date.max)]
            if len(found) == 1:
                row.values['kind'], = found
            else:
                self.reject(row,
                    "No evidence of the guide has this number on that day."
                    if not found else
                    "Several guides have this number on that day: write the "
                    "guide before, like V9-11.", 'kind')
        return [row for row in rows if row not in self.errors]
