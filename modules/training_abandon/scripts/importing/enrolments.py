# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Import of enrolments, with their trainees and fundings"

from functools import cached_property

from . import agreement, cells
from .importer import ENROLMENT, PARTY, SESSION, Importer, request

TRAINEE = 'training.trainee'
FUNDING = 'training.enrolment.funding'
PARTIES = [
    'trainee', 'prescriber', 'client', 'employer', *agreement.FUNDERS]
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
    'client': 'client',
    'employer': 'employer',
    'price': 'price',
    'start_date': 'start_date',
    'agreed_hours': 'agreed_hours',
    'price_tax_included': 'price_tax_included',
    'indivisible_fees': 'indivisible_fees',
    'agreement_reference': 'agreement_reference',
    'agreement_date': 'agreement_date',
    'signature': 'agreement_signature',
    'withdrawal_date': 'withdrawal_date',
    'contract_start': 'contract_start',
    'contract_end': 'contract_end',
    'npec': 'npec_annual',
    'diploma_level': 'diploma_level',
    'break_date': 'break_date',
    'practical_days': 'practical_days',
    'still_in_training': 'still_in_training',
    'previous_contract_broken': 'previous_contract_broken',
    }
CLAUSE_FIELDS = ['indemnity_kind', 'indemnity_rate', 'indemnity_grounds']


class Enrolments(Importer):
    columns = {
        'enrolment': cells.code,
        'session': cells.code,
        'trainee': cells.code,
        'trainee_kind': cells.trainee_kind,
        'family_name': cells.label,
        'agreement': cells.agreement,
        'prescriber': cells.code,
        'client': cells.code,
        'employer': cells.code,
        'price': cells.price,
        'start_date': cells.date,
        'agreed_hours': cells.hours,
        'price_tax_included': cells.price,
        'indivisible_fees': cells.price,
        'agreement_reference': cells.label,
        'agreement_date': cells.date,
        'signature': cells.signature,
        'withdrawal_date': cells.date,
        'contract_start': cells.date,
        'contract_end': cells.date,
        'npec': cells.price,
        'diploma_level': cells.diploma_level,
        'break_date': cells.date,
        'practical_days': cells.days,
        'still_in_training': cells.flag,
        'previous_contract_broken': cells.flag,
        **agreement.COLUMNS,
        }
    required = [
        [['enrolment']], [['session']], [['trainee']], [['agreement']]]

    def check(self, row):
        super().check(row)
        agreement.check(row)

    def load(self, rows):
        rows = list(self.without_doubles(rows, 'enrolment'))
        for name in TRAINEE_FIELDS:
            rows = list(self.consistent(rows, 'trainee', name))
        rows = self.set_records(rows, PARTY, "party", "parties", *PARTIES)
        for row in rows:
            if problem := agreement.funder_twice(row):
                self.reject(row, *problem)
        rows = [row for row in rows if row not in self.errors]
        rows = self.set_records(
            rows, SESSION, "session", "sessions", 'session')
        rows = self.set_trainees(rows)
        codes = self.find_codes(
            ENROLMENT, [row['enrolment'] for row in rows])
        matched = self.match(rows, codes)
        rows = [row for row in rows if row not in self.errors]
        known = {**codes, **matched}
        new = [r for r in rows if r['enrolment'] not in known]
        for row in new:
            if problem := agreement.clause_conflict(row):
                self.reject(row, *problem)
        self.batches(
            self.without_ended([r for r in new if r not in self.errors]),
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
        if scale := agreement.scale_changes(row):
            values['indemnity_scale'] = scale
        if fundings := agreement.funding_changes(row):
            values['fundings'] = fundings
        return values

    @cached_property
    def default_grounds(self):
        return self.client.call(
            ENROLMENT, 'default_get', ['indemnity_grounds'])[
                'indemnity_grounds']

    def update_enrolments(self, rows, codes, matched):
        ids = [codes[row['enrolment']] for row in rows]
        current = self.read_enrolments(ids)
        pairs, drafts, changed = [], [], []
        for row, id in zip(rows, ids):
            enrolment = current.get(id)
            if problem := conflict(row, enrolment):
                self.reject(row, *problem)
                continue
            values = enrolment_values(row)
            if ('indemnity_kind' in values
                    and not enrolment['indemnity_grounds']):
                values.setdefault('indemnity_grounds', self.default_grounds)
            values = {
                name: value for name, value in values.items()
                if enrolment[name] != value}
            if scale := agreement.scale_changes(
                    row, enrolment['indemnity_scale']):
                values['indemnity_scale'] = scale
            if fundings := agreement.funding_changes(
                    row, enrolment['fundings']):
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

    def read_enrolments(self, ids):
        "Return by id the enrolments with their fundings and scales"
        current = {}
        for enrolment in self.client.read_in(
                ENROLMENT, 'id', ids,
                ['trainee', 'session', 'session.state', 'state',
                    *FIELDS.values(), *CLAUSE_FIELDS]):
            grounds = sorted(enrolment['indemnity_grounds'] or [])
            current[enrolment['id']] = {
                **enrolment, 'indemnity_grounds': grounds, 'fundings': [],
                'indemnity_scale': []}
        for field, model, names in [
                ('fundings', FUNDING, ['funder', *agreement.FUNDING_COLUMNS]),
                ('indemnity_scale', agreement.BAND, agreement.BAND_FIELDS)]:
            for record in self.client.read_in(
                    model, 'enrolment', ids, ['enrolment', *names]):
                current[record['enrolment']][field].append(record)
        return current


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
    return (
        agreement.clause_conflict(row, enrolment['indemnity_kind'])
        or agreement.funding_conflict(row, enrolment['fundings']))


def trainee_values(row):
    return {
        field: row[name] for name, field in TRAINEE_FIELDS.items()
        if row[name]}


def enrolment_values(row):
    return {
        **{field: row[name] for name, field in FIELDS.items()
            if row[name] is not None},
        **agreement.clause(row),
        }
