# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Import of enrolments, with their trainees and fundings"

from decimal import Decimal

from . import cells
from .importer import ENROLMENT, PARTY, SESSION, Importer, request
from .table import Rejected

TRAINEE = 'training.trainee'
FUNDING = 'training.enrolment.funding'
PARTIES = ['trainee', 'prescriber', 'employer', 'funder']
CURRENT = ['draft', 'confirmed', 'started', 'suspended']
ENDED = {
    'cancelled': "The session is cancelled: set it back to draft first.",
    'done': "The session is done: set it back to running first.",
    }
TRAINEE_FIELDS = {
    'trainee_kind': 'kind',
    'family_name': 'family_name',
    }
FIELDS = {
    'agreement': 'agreement_kind',
    'prescriber': 'prescriber',
    'employer': 'employer',
    'price': 'price',
    'start_date': 'start_date',
    'agreed_hours': 'agreed_hours',
    'price_tax_included': 'price_tax_included',
    'indivisible_fees': 'indivisible_fees',
    'agreement_reference': 'agreement_reference',
    'agreement_date': 'agreement_date',
    'signature': 'agreement_signature',
    'indemnity_rate': 'indemnity_rate',
    'contract_start': 'contract_start',
    'contract_end': 'contract_end',
    'npec': 'npec_annual',
    }
FUNDING_FIELDS = {
    'file_number': 'file_number',
    }


class Enrolments(Importer):
    columns = {
        'enrolment': cells.code,
        'session': cells.code,
        'trainee': cells.code,
        'trainee_kind': cells.trainee_kind,
        'family_name': cells.label,
        'agreement': cells.agreement,
        'prescriber': cells.code,
        'employer': cells.code,
        'funder': cells.code,
        'price': cells.price,
        'start_date': cells.date,
        'agreed_hours': cells.hours,
        'price_tax_included': cells.price,
        'indivisible_fees': cells.price,
        'agreement_reference': cells.label,
        'agreement_date': cells.date,
        'signature': cells.signature,
        'indemnity_rate': cells.percentage,
        'contract_start': cells.date,
        'contract_end': cells.date,
        'npec': cells.price,
        'file_number': cells.code,
        }
    required = [
        [['enrolment']], [['session']], [['trainee']], [['agreement']]]

    def check(self, row):
        super().check(row)
        if row['file_number'] and not row['funder']:
            raise Rejected(
                "The number of a file needs its funder: fill the column "
                "funder.", 'file_number')

    def load(self, rows):
        rows = list(self.without_doubles(rows, 'enrolment'))
        for name in TRAINEE_FIELDS:
            rows = list(self.consistent(rows, 'trainee', name))
        rows = self.set_records(rows, PARTY, "party", "parties", *PARTIES)
        rows = self.set_records(
            rows, SESSION, "session", "sessions", 'session')
        rows = self.set_trainees(rows)
        codes = self.find_codes(
            ENROLMENT, [row['enrolment'] for row in rows])
        matched = self.match(rows, codes)
        rows = [row for row in rows if row not in self.errors]
        known = {**codes, **matched}
        self.batches(
            self.without_ended(
                [r for r in rows if r['enrolment'] not in known]),
            self.create_enrolments)
        self.batches(
            [r for r in rows if r['enrolment'] in known],
            lambda batch: self.update_enrolments(batch, known, matched))

    def set_trainees(self, rows):
        "Replace the parties by their trainees, created when missing"
        said = {}
        for row in rows:
            said.setdefault(row['trainee'], {}).update(trainee_values(row))
        ids = {
            trainee['party']: trainee for trainee in self.client.read_in(
                TRAINEE, 'party', said,
                ['party', *TRAINEE_FIELDS.values()])}
        for row in rows:
            if trainee := ids.get(row['trainee']):
                for name, value in said[row['trainee']].items():
                    if value != trainee[name]:
                        row.also[name, trainee['id']] = request(
                            TRAINEE, 'write', [trainee['id']], {name: value})
        ids = {party: trainee['id'] for party, trainee in ids.items()}
        for party, values in said.items():
            if party not in ids:
                ids[party] = self.later(TRAINEE, {'party': party, **values})
        for row in rows:
            row.values['trainee'] = ids[row['trainee']]
        return rows

    def match(self, rows, codes):
        """Return by code the enrolments of the same trainee in the same
        session, for the codes that are not known"""
        new = [row for row in rows if row['enrolment'] not in codes]
        found = {}
        for enrolment in self.client.read_in(
                ENROLMENT, 'trainee',
                [row['trainee'] for row in new if row['trainee'] > 0],
                ['trainee', 'session'], domain=[('state', 'in', CURRENT)]):
            found[enrolment['trainee'], enrolment['session']] = (
                enrolment['id'])
        matched, seen = {}, {}
        for row in new:
            key = row['trainee'], row['session']
            if other := seen.get(key):
                self.reject(row,
                    f"Line {other} enrols the same trainee in the same "
                    "session under another code.", 'enrolment')
            elif key in found:
                matched[row['enrolment']] = found[key]
            seen.setdefault(key, row.line)
        return matched

    def without_ended(self, rows):
        "The rows without those whose session takes no enrolment any more"
        states = {
            session['id']: session['state'] for session in self.client.read_in(
                SESSION, 'id', {row['session'] for row in rows}, ['state'])}
        for row in rows:
            if reason := ENDED.get(states.get(row['session'])):
                self.reject(row, reason, 'session')
        return [row for row in rows if row not in self.errors]

    def create_enrolments(self, rows):
        self.apply(rows, request(
                ENROLMENT, 'enrol', [self.new_enrolment(row) for row in rows]))
        for row in rows:
            self.done(row, 'created')

    def new_enrolment(self, row):
        values = {
            'trainee': row['trainee'],
            'session': row['session'],
            'company': self.company,
            'external_codes': self.code(row['enrolment']),
            **enrolment_values(row),
            }
        if row['funder']:
            values['fundings'] = [('create', [funding(row)])]
        return values

    def update_enrolments(self, rows, codes, matched):
        ids = [codes[row['enrolment']] for row in rows]
        current = {
            enrolment['id']: dict(enrolment, fundings=[])
            for enrolment in self.client.read_in(
                ENROLMENT, 'id', ids,
                ['trainee', 'session', 'session.state', 'state',
                    'indemnity_kind', *FIELDS.values()])}
        for record in self.client.read_in(
                FUNDING, 'enrolment', ids,
                ['enrolment', 'funder', *FUNDING_FIELDS.values()]):
            current[record['enrolment']]['fundings'].append(record)
        pairs, drafts, changed = [], [], []
        for row, id in zip(rows, ids):
            enrolment = current.get(id)
            if problem := conflict(row, enrolment):
                self.reject(row, *problem)
                continue
            values = {
                name: value for name, value in enrolment_values(row).items()
                if enrolment[name] != value}
            if fundings := funding_changes(row, enrolment):
                values['fundings'] = fundings
            changed.append((row, bool(values or row.also)))
            if row['enrolment'] in matched:
                values['external_codes'] = self.code(row['enrolment'])
            if values:
                pairs += [[id], values]
            if (enrolment['state'] == 'draft'
                    and enrolment['session.']['state'] not in ENDED):
                drafts.append(id)
        self.apply(
            [row for row, _ in changed],
            request(ENROLMENT, 'write', *pairs),
            *([request(ENROLMENT, 'confirm', drafts)] if drafts else []))
        for row, is_changed in changed:
            self.done(row, 'updated' if is_changed else 'unchanged')


def conflict(row, enrolment):
    if not enrolment:
        return (
            "The enrolment of this code has been deleted: delete its "
            "external code.", 'enrolment')
    for name in ['trainee', 'session']:
        if enrolment[name] != row[name]:
            return (
                f"The enrolment of this code has another {name}: use a new "
                "code for a new enrolment.", name)
    if (row['indemnity_rate'] is not None
            and enrolment['indemnity_kind'] == 'scale'):
        return (
            "The agreement has an indemnity by days before the start: change "
            "it by hand.", 'indemnity_rate')
    funders = {record['funder'] for record in enrolment['fundings']}
    if len(funders) > 1 and row['funder'] not in {None, *funders}:
        return (
            "The enrolment has several fundings: change them by hand.",
            'funder')


def trainee_values(row):
    return {
        field: row[name] for name, field in TRAINEE_FIELDS.items()
        if row[name]}


def enrolment_values(row):
    values = row_values(row, FIELDS)
    if row['indemnity_rate'] is not None:
        values['indemnity_kind'] = 'rate'
    return values


def row_values(row, names):
    return {
        field: row[name] for name, field in names.items()
        if row[name] is not None}


def funding(row):
    return {
        'funder': row['funder'],
        'share': Decimal(1),
        **row_values(row, FUNDING_FIELDS),
        }


def funding_changes(row, enrolment):
    if not row['funder']:
        return []
    values = {'funder': row['funder'], **row_values(row, FUNDING_FIELDS)}
    for old in enrolment['fundings']:
        if len(enrolment['fundings']) == 1 or old['funder'] == row['funder']:
            changed = {n: v for n, v in values.items() if old[n] != v}
            if 'funder' in changed:
                # What was agreed with the former one is not of the new one
                return [('delete', [old['id']]), ('create', [funding(row)])]
            return [('write', [old['id']], changed)] if changed else []
    return [('create', [funding(row)])]
