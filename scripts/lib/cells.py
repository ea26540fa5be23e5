# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the cells of the imported tables may contain"

import datetime as dt
import re
import unicodedata
from decimal import Decimal, InvalidOperation

from .table import FORMULA, Rejected

EMAIL = re.compile(r'[^@\s,;<>()]+@[^@\s,;<>()]+\.[^@\s,;<>().]{2,}')
LA_POSTE = '356000000'


def fold(text):
    "Text to compare: without accents, case and needless spaces"
    text = unicodedata.normalize('NFKD', text or '')
    text = ''.join(c for c in text if not unicodedata.combining(c))
    return ' '.join(text.casefold().split())


def text(cell):
    return cell


def code(cell):
    if cell.startswith(('=', '@')):
        raise Rejected(f"'{cell}' looks like a formula: give its result.")
    return ' '.join(cell.split())


def label(cell):
    "A name: one line, not the formula that a spreadsheet left"
    if FORMULA.match(cell):
        raise Rejected(f"'{cell}' looks like a formula: give its result.")
    if cell.startswith('#') and cell.rstrip('!?').isupper():
        raise Rejected(f"'{cell}' is the error of a formula.")
    return ' '.join(cell.split())


def multiline(cell):
    label(cell)
    return '\n'.join(' '.join(line.split()) for line in cell.splitlines())


def email(cell):
    cell = cell.removeprefix('mailto:')
    if not EMAIL.fullmatch(cell):
        raise Rejected(f"'{cell}' is not one e-mail address.")
    return cell


def phone(cell):
    if re.search(r'[^\d\s()./+-]', cell) or len(re.sub(r'\D', '', cell)) < 4:
        raise Rejected(f"'{cell}' is not a phone number.")
    return ' '.join(cell.split())


def compact_phone(value):
    return re.sub(r'[\s./()-]', '', value or '')


def siret(cell):
    number = re.sub(r'[\s.-]', '', cell)
    if not re.fullmatch(r'\d{14}', number):
        raise Rejected(f"'{cell}' is not a SIRET: it has 14 digits.")
    if not (luhn(number) or (number.startswith(LA_POSTE)
                and not sum(map(int, number)) % 5)):
        raise Rejected(
            f"'{cell}' is not a SIRET: its check digit is wrong, look for "
            "a typing mistake.")
    return number


def luhn(number):
    digits = [int(c) for c in reversed(number)]
    total = sum(digits[::2])
    total += sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return not total % 10


def date(cell):
    cell = re.sub(r'[ T]00:00(:00)?$', '', cell)
    for pattern in ['%Y-%m-%d', '%d/%m/%Y']:
        try:
            return dt.datetime.strptime(cell, pattern).date()
        except ValueError:
            continue
    raise Rejected(
        f"'{cell}' is not a date: write YYYY-MM-DD or DD/MM/YYYY.")


def time(cell):
    match = re.fullmatch(r'(\d{1,2})[:hH](\d{2})?(?::00)?', cell)
    try:
        return dt.time(int(match[1]), int(match[2] or 0))
    except (TypeError, ValueError) as exc:
        raise Rejected(f"'{cell}' is not a time: write HH:MM.") from exc


def number(cell):
    value = re.sub(r'[\s\u202f€]', '', cell)
    if ',' in value:
        # French writes 1.234,50
        value = value.replace('.', '').replace(',', '.')
    try:
        result = Decimal(value)
    except InvalidOperation as exc:
        raise Rejected(f"'{cell}' is not a number.") from exc
    if not result.is_finite() or result < 0:
        raise Rejected(f"'{cell}' must be zero or more.")
    return result


def price(cell):
    result = number(cell)
    if result != round(result, 2):
        raise Rejected(f"'{cell}' has more than two decimals.")
    return round(result, 2)


def hours(cell):
    if match := re.fullmatch(r'(\d+)[:hH](\d{2})', cell):
        return dt.timedelta(hours=int(match[1]), minutes=int(match[2]))
    value = number(re.sub(r'\s*(h|heures?|hours?)$', '', cell, flags=re.I))
    return dt.timedelta(minutes=int(round(value * 60)))


def minutes(cell):
    value = number(re.sub(r'\s*(mn|min|minutes?)$', '', cell, flags=re.I))
    return dt.timedelta(minutes=int(round(value)))


def choice(**words):
    "A cell among words, each given for a value as 'one two three'"
    values = {
        fold(word.replace('_', ' ')): value
        for value, synonyms in words.items()
        for word in [value, *synonyms.split()]}

    def convert(cell):
        try:
            return values[fold(cell.replace('_', ' '))]
        except KeyError as exc:
            raise Rejected(
                f"'{cell}' is not one of {', '.join(words)}.") from exc
    return convert


kind = choice(
    person='personne particulier',
    organisation='organization entreprise societe organisme')
modality = choice(
    onsite='presentiel sur_site',
    remote='distanciel a_distance',
    blended='mixte hybride')
trainee_kind = choice(
    employee='salarie',
    apprentice='apprenti apprentie alternant',
    job_seeker="demandeur_d'emploi demandeuse_d'emploi",
    individual='particulier',
    other='autre')
agreement = choice(
    agreement='convention',
    contract='contrat',
    cpf='compte_personnel_de_formation',
    apprenticeship='apprentissage',
    public_funding='financement_public')
status = choice(
    present='P 1 presente oui',
    absent='A 0 absente non',
    late='R L retard en_retard',
    left_early='D depart depart_anticipe',
    excused='E excuse excusee absence_justifiee')
