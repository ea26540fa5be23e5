# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Import of records that have an external code each"

from .importer import Importer, request


class CodedImporter(Importer):
    "Rows that create or change the record of their code"
    model = None
    # The column of the code and the name of what it identifies
    key = None
    label = None
    # column: field
    fields = {}
    # The columns that never change
    fixed = []

    def load(self, rows):
        rows = list(self.without_doubles(rows, self.key))
        rows = self.prepare(rows)
        codes = self.find_codes(self.model, [row[self.key] for row in rows])
        self.batches(
            [row for row in rows if row[self.key] not in codes],
            self.create_records)
        self.batches(
            [row for row in rows if row[self.key] in codes],
            lambda batch: self.update_records(batch, codes))

    def prepare(self, rows):
        "Replace the codes of the rows, return those that can be used"
        raise NotImplementedError

    def field_values(self, row):
        return {
            field: row[name] for name, field in self.fields.items()
            if row[name] is not None}

    def new_values(self, row):
        return {
            'company': self.company,
            'external_codes': self.code(row[self.key]),
            **self.field_values(row),
            }

    def create_records(self, rows):
        self.apply(rows, request(
                self.model, 'create', [self.new_values(row) for row in rows]))
        for row in rows:
            self.done(row, 'created')

    def update_records(self, rows, codes):
        names = {n for row in rows for n in self.field_values(row)}
        current = {
            record['id']: record for record in self.client.read_in(
                self.model, 'id', [codes[row[self.key]] for row in rows],
                sorted(names))}
        pairs, changed = [], []
        for row in rows:
            id = codes[row[self.key]]
            if problem := self.conflict(row, current.get(id)):
                self.reject(row, *problem)
                continue
            values = {
                name: value for name, value in self.field_values(row).items()
                if current[id][name] != value}
            if values:
                pairs += [[id], values]
            changed.append((row, 'updated' if values else 'unchanged'))
        self.apply(
            [row for row, _ in changed], request(self.model, 'write', *pairs))
        for row, outcome in changed:
            self.done(row, outcome)

    def conflict(self, row, record):
        "Return the reason and the column of what cannot change, or None"
        if not record:
            return (
                f"The {self.label} of this code has been deleted: delete its "
                "external code.", self.key)
        for name in self.fixed:
            if row[name] is not None and record[self.fields[name]] != (
                    row[name]):
                return (
                    f"The {self.label} of this code has another {name}: use "
                    "a new code.", name)
