# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the imports of all kinds share: codes, batches, counts, rejections"

from collections import Counter

from trytond.tools import escape_wildcard

from .cells import check_text
from .client import BATCH, Refused, grouped
from .table import Rejected

CODE = 'training.external_code'
MECHANISM = 'party.contact_mechanism'


class Options:
    "What the user asked for"

    def __init__(
            self, source='import', company=None, dry_run=False, close=False,
            statuses=None, session=None, half_days=(), extend=False,
            missing=True, notify=True):
        self.source = source
        self.company = company
        self.dry_run = dry_run
        self.close = close
        self.statuses = statuses
        self.session = session
        self.half_days = list(half_days)
        self.extend = extend
        self.missing = missing
        self.notify = notify


class Importer:
    # name: converter, in the order of the documentation
    columns = {}
    outcomes = ['created', 'updated', 'unchanged']
    # for each requirement, the sets of columns that meet it
    required = []

    def __init__(self, client, table, errors, options, progress):
        self.client = client
        self.table = table
        self.errors = errors
        self.options = options
        self.progress = progress
        self._outcomes = {}
        self._advanced = set()

    @property
    def company(self):
        return self.options.company['id']

    @property
    def counts(self):
        return Counter(
            outcome for row, outcome in self._outcomes.items()
            if row not in self.errors)

    def run(self):
        rows = [row for row in self.table.rows if self.parse(row)]
        self._advance(row for row in self.table.rows if row in self.errors)
        self.load(rows)

    def load(self, rows):
        raise NotImplementedError

    def parse(self, row):
        "Convert the cells of the row, tell if it can be used"
        if row in self.table.too_long:
            self.errors.add(
                row, "The row has more cells than there are columns: "
                "put the cell that holds a separator between quotes.")
        for name, cell in row.cells.items():
            if not cell:
                continue
            try:
                check_text(cell)
                row.values[name] = self.columns[name](cell)
            except Rejected as exc:
                self.errors.add(row, exc.reason, name)
        try:
            self.check(row)
        except Rejected as exc:
            self.errors.add(row, exc.reason, exc.column)
        return row not in self.errors

    def check(self, row):
        "Raise Rejected if the values of the row do not fit together"
        self.require(row, *(
                name for names in self.required if len(names) == 1
                for name in names[0]))

    def require(self, row, *names):
        for name in names:
            if not row.cells.get(name):
                raise Rejected("The cell is empty.", name)

    def reject(self, row, reason, column=''):
        self.errors.add(row, reason, column)
        self._advance([row])

    def done(self, row, outcome):
        "The row is dealt with"
        self._outcomes[row] = outcome
        self._advance([row])

    def _advance(self, rows):
        rows = set(rows) - self._advanced
        self._advanced |= rows
        self.progress.update(len(rows))

    def without_doubles(self, rows, *names):
        "The rows without those that repeat the key of another one"
        first = {}
        for row in rows:
            key = tuple(row[name] for name in names)
            other = first.setdefault(key, row)
            if other is row:
                yield row
            elif other.values == row.values:
                self.done(row, 'unchanged')
            else:
                self.reject(row,
                    f"Line {other.line} says something else for the same "
                    f"{' and '.join(names)}: keep one of them.", names[0])

    def consistent(self, rows, key, *names):
        "The rows that do not contradict the first one of the same key"
        first = {}
        for row in rows:
            for name in names:
                value = row[name]
                if value is None or row in self.errors:
                    continue
                line, other = first.setdefault(
                    (name, row[key]), (row.line, value))
                if other != value:
                    self.reject(row,
                        f"Line {line} says '{other}' for the same {key}.",
                        name)
            if row not in self.errors:
                yield row

    def batches(self, items, apply, rows=lambda item: [item], size=BATCH):
        """Apply to the items by batches, and to smaller and smaller ones
        when the server refuses, to find the rows that it refuses"""
        for batch in grouped(items, size):
            self._apply(batch, apply, rows)

    def _apply(self, batch, apply, rows):
        try:
            apply(batch)
        except Refused as exc:
            if len(batch) == 1:
                for row in rows(batch[0]):
                    self.reject(row, str(exc))
            else:
                middle = len(batch) // 2
                self._apply(batch[:middle], apply, rows)
                self._apply(batch[middle:], apply, rows)

    def find_codes(self, model, codes):
        "Return the ids of the records that have these external codes"
        found = self.client.read_in(
            CODE, 'code', [c for c in codes if c], ['code', 'record'],
            domain=[
                ('source', '=', self.options.source),
                ('model', '=', model),
                ])
        return {
            code['code']: int(code['record'].split(',', 1)[1])
            for code in found}

    def find_emails(self, emails, names):
        "Return the e-mail addresses of parties, whatever their case"
        found = []
        for part in grouped({email.lower() for email in emails}, 50):
            found += self.client.search_read(
                MECHANISM, [
                    ('type', '=', 'email'),
                    ['OR', *(('value', 'ilike', escape_wildcard(e))
                            for e in part)],
                    ],
                ['party', 'value', *names], active_test=False)
        return found

    def code(self, code):
        "Values to create the external code with its record"
        return [('create', [{
                        'source': self.options.source,
                        'code': code,
                        }])]

    def link(self, model, ids):
        "Give external codes to existing records, by code"
        if self.options.dry_run:
            return
        for part in grouped(ids.items()):
            self.client.create(CODE, [{
                        'source': self.options.source,
                        'code': code,
                        'record': f'{model},{id}',
                        } for code, id in part])

    def write(self, model, *pairs):
        if not self.options.dry_run:
            self.client.write(model, *pairs)

    def create(self, model, values):
        "Create the records, return their ids (negative in a dry run)"
        if self.options.dry_run:
            return range(-len(values), 0)
        return self.client.create(model, values)

    def click(self, model, button, ids, **context):
        if not self.options.dry_run:
            self.client.click(model, button, ids, **context)
