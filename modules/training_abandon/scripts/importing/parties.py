# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Import of people and organisations"

import re
from collections import defaultdict

from . import cells
from .importer import MECHANISM, Importer, request
from .table import Rejected

MODEL = 'party.party'
IDENTIFIER = 'party.identifier'
PLACE = 'party.address'
ADDRESS = {
    'street': 'street_unstructured',
    'postal_code': 'postal_code',
    'city': 'city',
    'country': 'country',
    }
PHONES = ['phone', 'mobile']


class Parties(Importer):
    columns = {
        'code': cells.code,
        'name': cells.label,
        'kind': cells.kind,
        'email': cells.email,
        'phone': cells.phone,
        'lang': cells.code,
        'street': cells.multiline,
        'postal_code': cells.code,
        'city': cells.label,
        'country': cells.label,
        'siret': cells.siret,
        }
    required = [[['code']], [['name']]]

    def check(self, row):
        super().check(row)
        # Elsewhere the codes may have 4 digits
        if (re.fullmatch(r'[0-9]{1,4}', row['postal_code'] or '')
                and cells.fold(row['country']) in {'', 'france', 'fr'}):
            raise Rejected(
                f"'{row['postal_code']}' is not a French postal code: a "
                "spreadsheet drops the zeros at the start, make the column "
                "a text; or give the country.", 'postal_code')

    def load(self, rows):
        rows = list(self.without_doubles(rows, 'code'))
        self.translate(rows, 'lang', self.languages(rows),
            "The language is not known: give a code like fr or en.")
        self.translate(rows, 'country', self.countries(rows),
            "The country is not known: create it, or leave the cell empty.")
        rows = [row for row in rows if row not in self.errors]
        while rows:
            rows = self.load_pass(rows)

    def languages(self, rows):
        return {
            lang['code']: lang['id'] for lang in self.client.read_in(
                'ir.lang', 'code', [r['lang'] for r in rows if r['lang']],
                ['code'])}

    def countries(self, rows):
        if not any(row['country'] for row in rows):
            return {}
        countries = self.client.search_read(
            'country.country', [], ['code', 'name'])
        return {
            **{cells.fold(c['name']): c['id'] for c in countries},
            **{cells.fold(c['code']): c['id'] for c in countries},
            }

    def translate(self, rows, name, ids, reason):
        for row in rows:
            if (value := row[name]) is None:
                continue
            row.values[name] = ids.get(value, ids.get(cells.fold(value)))
            if row.values[name] is None:
                self.reject(row, reason, name)

    def load_pass(self, rows):
        """Import the rows but those that may be the same party as another
        one of them, which are returned"""
        codes = self.find_codes(MODEL, [row['code'] for row in rows])
        rows, deferred = self.defer(rows, codes)
        matched = self.match([r for r in rows if r['code'] not in codes])
        codes.update(matched)
        rows = [row for row in rows if row not in self.errors]
        self.batches(
            [r for r in rows if r['code'] not in codes], self.create_parties)
        self.batches(
            [r for r in rows if r['code'] in codes],
            lambda batch: self.update_parties(batch, codes, matched))
        return deferred

    def defer(self, rows, codes):
        seen, now, deferred = set(), [], []
        for row in rows:
            keys = set() if row['code'] in codes else set(natural_keys(row))
            (deferred if keys & seen else now).append(row)
            seen |= keys
        return now, deferred

    def match(self, rows):
        "Return by code the party of the rows seen for the first time"
        matched = {}
        sirets = self.by_siret(rows)
        emails = self.by_email([r for r in rows if not sirets[r['siret']]])
        for row in rows:
            found, column = sirets[row['siret']], 'siret'
            if not found and row['email']:
                found = emails[natural_keys(row)[-1]]
                column = 'email'
            parties = {
                record['party']: cells.fold(record['party.']['name'])
                for record in found}
            if column == 'siret' and self.other_person(row, parties):
                self.reject(row,
                    "The SIRET is that of another party: leave the cell "
                    "empty for the people of a company.", 'siret')
            elif len(parties) > 1:
                self.reject(row,
                    f"{len(parties)} parties have the same {column}: "
                    "replace one by the other, or give the code to the "
                    "right one.", column)
            elif parties:
                matched[row['code']], = parties
        return matched

    def other_person(self, row, parties):
        return (row['kind'] == 'person' and parties
            and cells.fold(row['name']) not in parties.values())

    def by_siret(self, rows):
        found = defaultdict(list)
        for identifier in self.client.read_in(
                IDENTIFIER, 'code_compact',
                [r['siret'] for r in rows if r['siret']],
                ['party', 'party.name', 'code_compact'],
                domain=[('type', '=', 'fr_siret')]):
            found[identifier['code_compact']].append(identifier)
        return found

    def by_email(self, rows):
        found = defaultdict(list)
        for mechanism in self.find_emails(
                [r['email'] for r in rows if r['email']], ['party.name']):
            key = email_key(mechanism['value'], mechanism['party.']['name'])
            found[key].append(mechanism)
        return found

    def create_parties(self, rows):
        parties, identifiers = [], []
        for row in rows:
            values = self.new_party(row)
            if row['siret']:
                # A SIRET is the one of an address of its party
                values['addresses'] = []
                party = self.later(MODEL, values)
                place = self.later(PLACE, {'party': party, **address(row)})
                identifiers.append(identifier(row, party, place))
            else:
                parties.append(values)
        self.apply(rows, *creations(MODEL, parties),
            *creations(IDENTIFIER, identifiers))
        for row in rows:
            self.done(row, 'created')

    def new_party(self, row):
        values = {
            'name': row['name'],
            'external_codes': self.code(row['code']),
            }
        if row['lang']:
            values['lang'] = row['lang']
        if mechanisms := [m for m in [email(row), phone(row)] if m]:
            values['contact_mechanisms'] = [('create', mechanisms)]
        if has_address(row):
            values['addresses'] = [('create', [address(row)])]
        return values

    def update_parties(self, rows, codes, matched):
        current = self.read_parties([codes[row['code']] for row in rows])
        sirets = self.read_sirets(
            [codes[row['code']] for row in rows if row['siret']])
        pairs, changed = [], []
        new, replacements = [], []
        for row in rows:
            party = current.get(codes[row['code']])
            if not party:
                self.reject(row,
                    "The party of this code has been deleted: delete its "
                    "external code.", 'code')
                continue
            values = self.changes(row, party)
            is_changed = bool(values)
            if row['siret']:
                is_changed |= self.change_siret(
                    row, party, values, sirets[party['id']], new,
                    replacements)
            if row['code'] in matched:
                values['external_codes'] = self.code(row['code'])
            if values:
                pairs += [[party['id']], values]
            changed.append((row, is_changed))
        self.apply(
            [row for row, _ in changed],
            request(MODEL, 'write', *pairs), *creations(IDENTIFIER, new),
            request(IDENTIFIER, 'write', *replacements))
        for row, is_changed in changed:
            self.done(row, 'updated' if is_changed else 'unchanged')

    def change_siret(self, row, party, values, old, new, replacements):
        "Replace the only SIRET or add one, tell if there is one to change"
        if row['siret'] in {i['code_compact'] for i in old}:
            return False
        if len(old) == 1:
            replacements += [[old[0]['id']], {'code': row['siret']}]
            return True
        if party['addresses']:
            place = min(a['id'] for a in party['addresses'])
        else:
            del values['addresses']
            place = self.later(
                PLACE, {'party': party['id'], **address(row)})
        new.append(identifier(row, party['id'], place))
        return True

    def read_sirets(self, parties):
        result = defaultdict(list)
        for record in self.client.read_in(
                IDENTIFIER, 'party', parties, ['party', 'code_compact'],
                domain=[('type', '=', 'fr_siret')]):
            result[record['party']].append(record)
        return result

    def read_parties(self, ids):
        parties = {
            party['id']: dict(party, addresses=[], mechanisms=[])
            for party in self.client.read_in(
                MODEL, 'id', ids, ['name', 'lang'])}
        for field, records in [
                ('addresses', self.addresses(ids)),
                ('mechanisms', self.client.read_in(
                        MECHANISM, 'party', ids, ['party', 'type', 'value'],
                        size=100))]:
            for record in records:
                parties[record['party']][field].append(record)
        return parties

    def addresses(self, ids):
        return self.client.read_in(
            'party.address', 'party', ids, ['party', *ADDRESS.values()],
            size=100)

    def changes(self, row, party):
        values = {
            name: row[name] for name in ['name', 'lang']
            if row[name] and row[name] != party[name]}
        if mechanisms := self.mechanism_changes(row, party):
            values['contact_mechanisms'] = mechanisms
        if addresses := self.address_changes(row, party):
            values['addresses'] = addresses
        return values

    def mechanism_changes(self, row, party):
        """Replace the only e-mail and the only phone; with more of them it
        is not known which one to replace, so add it"""
        result = []
        for new, types, key in [
                (email(row), ['email'], str.lower),
                (phone(row), PHONES, cells.compact_phone)]:
            if not new:
                continue
            old = [m for m in party['mechanisms'] if m['type'] in types]
            if key(new['value']) in {key(m['value']) for m in old}:
                continue
            if len(old) == 1:
                result.append(('write', [old[0]['id']], new))
            else:
                result.append(('create', [new]))
        return result

    def address_changes(self, row, party):
        if not has_address(row):
            return []
        new = address(row)
        if not party['addresses']:
            return [('create', [new])]
        old = min(party['addresses'], key=lambda a: a['id'])
        new = {
            name: value for name, value in new.items()
            if old[name] != value}
        return [('write', [old['id']], new)] if new else []


def email_key(email, name):
    return ('email', email.lower(), cells.fold(name))


def natural_keys(row):
    "What makes two rows the same party"
    keys = []
    if row['siret']:
        keys.append(('siret', row['siret']))
    if row['email']:
        keys.append(email_key(row['email'], row['name']))
    return keys


def email(row):
    if row['email']:
        return {'type': 'email', 'value': row['email']}


def phone(row):
    if row['phone']:
        compact = cells.compact_phone(row['phone'])
        mobile = compact.startswith(('06', '07', '+336', '+337'))
        return {
            'type': 'mobile' if mobile else 'phone',
            'value': row['phone'],
            }


def address(row):
    return {
        field: row[name] for name, field in ADDRESS.items() if row[name]}


def identifier(row, party, place):
    return {
        'party': party,
        'address': place,
        'type': 'fr_siret',
        'code': row['siret'],
        }


def creations(model, values):
    return [request(model, 'create', values)] if values else []


def has_address(row):
    "A SIRET is the one of an address"
    return bool(row['siret'] or address(row))
