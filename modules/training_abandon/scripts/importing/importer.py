# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the imports of all kinds share: codes, batches, counts, rejections"

from collections import Counter

from .cells import CONTROL, REPLACEMENT, check_text
from .client import BATCH, Refused, grouped
from .table import Rejected, mend

CODE = 'training.external_code'
IMPORT = 'training.import'
MECHANISM = 'party.contact_mechanism'
PARTY = 'party.party'
SESSION = 'training.session'
ENROLMENT = 'training.enrolment'


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

    def tried(self):
        "What a dry run on the server needs of them"
        return {
            'source': self.source,
            'company': {n: self.company[n] for n in ['id', 'party']},
            'close': self.close,
            'statuses': self.statuses,
            'notify': self.notify,
            }


def request(model, method, *args, numbers=()):
    """Return a call to make with others.

    The numbers are those of the records that it creates."""
    return {
        'model': model,
        'method': method,
        'args': list(args),
        'numbers': list(numbers),
        }


def replaced(value, made):
    "Return the value with the records that are made for their numbers"
    if isinstance(value, dict):
        return {name: replaced(v, made) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [replaced(v, made) for v in value]
    if isinstance(value, int) and value < 0:
        return made.get(value, value)
    return value


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
        # By number, what is created with the first row that needs it
        self._later = {}
        self._made = {}
        self._applied = set()

    @property
    def company(self):
        return self.options.company['id']

    @property
    def found(self):
        "What becomes of the rows that are not rejected"
        return {
            row: outcome for row, outcome in self._outcomes.items()
            if row not in self.errors}

    @property
    def counts(self):
        return Counter(self.found.values())

    def run(self):
        rows = [row for row in self.table.rows if self.parse(row)]
        self._advance(row for row in self.table.rows if row in self.errors)
        if self.options.dry_run:
            self.try_out(rows)
        else:
            self.load(rows)

    def try_out(self, rows):
        "Have the server import the rows and undo it"
        usable = {row.line: row for row in rows}
        found = self.client.call(
            IMPORT, 'try_out', type(self).__name__.lower(),
            self.table.header, [
                [row.line, [
                        CONTROL.sub(REPLACEMENT, mend(c)) for c in row.raw]]
                for row in self.table.rows],
            self.options.tried())
        for line, reason, column in found['rejected']:
            if line in usable:
                self.reject(usable[line], reason, column)
        for line, outcome in found['outcomes']:
            self.done(usable[line], outcome)
        if found['stopped']:
            raise Refused(found['stopped'])

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

    def set_records(self, rows, model, one, several, *names):
        """Replace the codes of the columns by their records, return the rows
        that have them"""
        ids = self.find_codes(
            model, [row[name] for row in rows for name in names])
        for row in rows:
            for name in names:
                if row[name] is None:
                    continue
                row.values[name] = ids.get(row[name])
                if row[name] is None and row not in self.errors:
                    self.reject(row,
                        f"No {one} has this code: import the {several} "
                        "first.", name)
        return [row for row in rows if row not in self.errors]

    def find_emails(self, emails, names):
        "Return the e-mail addresses of parties, whatever their case"
        found = []
        for part in grouped(set(emails), 200):
            found += self.client.search_read(
                MECHANISM, [('mailbox', 'in', list(part))],
                ['party', 'value', *names], active_test=False)
        return found

    def code(self, code):
        "Values to create the external code with its record"
        return [('create', [{
                        'source': self.options.source,
                        'code': code,
                        }])]

    def later(self, model, values):
        """Return the number, for the values, of a record that is created
        with the first row that needs it"""
        number = -len(self._later) - 1
        self._later[number] = model, values
        return number

    def apply(self, rows, *requests):
        "Make the requests with what they and the rows need, all or nothing"
        also = {
            key: request for row in rows for key, request in row.also.items()
            if key not in self._applied}
        requests = [*also.values(), *(r for r in requests if r['args'])]
        numbers = list(dict.fromkeys(self._needed(
                    [r['args'] for r in requests])))
        new = {}
        for number in numbers:
            new.setdefault(self._later[number][0], []).append(number)
        requests = [
            request(
                model, 'create', [self._later[n][1] for n in numbers],
                numbers=numbers)
            for model, numbers in new.items()] + requests
        results = self._make([
                {**r, 'args': replaced(r['args'], self._made)}
                for r in requests])
        for made, result in zip(requests, results):
            if made['numbers']:
                self._made.update(zip(made['numbers'], result))
        self._applied.update(also)

    def _make(self, requests):
        if len(requests) > 1:
            return self.client.call(IMPORT, 'apply', requests)
        elif requests and requests[0]['method'] == 'create':
            return [self.client.create(
                    requests[0]['model'], *requests[0]['args'])]
        return [
            self.client.call(r['model'], r['method'], *r['args'])
            for r in requests]

    def _needed(self, value):
        "Yield the numbers of what is not made yet, what they need first"
        if isinstance(value, dict):
            value = value.values()
        if isinstance(value, int):
            if value in self._later and value not in self._made:
                yield from self._needed(self._later[value][1])
                yield value
        elif not isinstance(value, str):
            try:
                values = iter(value)
            except TypeError:
                return
            for one in values:
                yield from self._needed(one)

    def link(self, model, code, id):
        "Return the request that gives an external code to a record"
        return request(CODE, 'create', [{
                    'source': self.options.source,
                    'code': code,
                    'record': f'{model},{id}',
                    }])

    def write(self, model, *pairs):
        self.client.write(model, *pairs)

    def create(self, model, values):
        return self.client.create(model, values)

    def click(self, model, button, ids, **context):
        self.client.click(model, button, ids, **context)
