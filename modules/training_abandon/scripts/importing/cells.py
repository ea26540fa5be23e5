# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the cells of the imported tables may contain"

import datetime as dt
import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

import stdnum.fr.siret
import stdnum.luhn

from .table import FORMULA, Rejected, shorten

EMAIL = re.compile(r'[^@\s,;<>()]+@[^@\s,;<>()]+\.[^@\s,;<>().]{2,}')
# XML can not tell the other ones, what is private has no sign and what turns
# the direction shows another text
CONTROL = re.compile(
    '[^\t\n\r\x20-\x7e\xa0-\ud7ff\uf900-\ufffd\U00010000-\U000effff]'
    '|[\u202a-\u202e\u2066-\u2069]')
REPLACEMENT = '\ufffd'
# UTF-8 that was read as something else
GARBLED = re.compile(
    r'[ÃÂÅ][\xa0-\xbf€‚-„†-‰Š‹ŒŽ‘-”•–—˜™š›œžŸƒ…ˆ]|â[€‚]|├|┬'
    r'|√[^\s\d(]|ï¿½|ÔøΩ')
MAX_CODE, MAX_LABEL = 200, 1000
MAX_NUMBER = 10 ** 9
# Before, it is a date of another kind or a year that has lost digits, and
# after a typing mistake
FIRST_YEAR, LAST_YEAR = 1990, 2099
# The cells whose conversions are kept, as they are often the same
CACHE = 1000


def fold(text):
    "Text to compare: without accents, case and needless spaces"
    text = unicodedata.normalize('NFKD', text or '')
    text = ''.join(c for c in text if not unicodedata.combining(c))
    return ' '.join(text.casefold().split())


def check_text(cell):
    if match := CONTROL.search(cell):
        raise Rejected("The cell has an invisible character "
            f"(U+{ord(match[0]):04X}): delete it.")
    if REPLACEMENT in cell:
        raise Rejected(
            f"{show(cell)} has the character U+FFFD, the trace of a wrong "
            "conversion: write the text again, or save the file as CSV "
            "UTF-8.")
    if GARBLED.search(cell):
        raise Rejected(
            f"{show(cell)} looks like the result of a wrong conversion: write "
            "the text again, or save the file as CSV UTF-8.")


def check_length(cell, maximum):
    if len(cell) > maximum:
        raise Rejected(
            f"{show(cell)} is too long: {len(cell)} characters and "
            f"the most is {maximum}.")


def show(cell):
    return f"'{shorten(cell)}'"


def text(cell):
    "Any text, on one line"
    return ' '.join(cell.split())


def code(cell):
    if cell.startswith(('=', '@')):
        raise Rejected(
            f"{show(cell)} looks like a formula: give its result.")
    check_length(cell, MAX_CODE)
    return ' '.join(cell.split())


def label(cell):
    "A name: one line, not the formula that a spreadsheet left"
    check_length(cell, MAX_LABEL)
    if FORMULA.match(cell):
        raise Rejected(f"{show(cell)} looks like a formula: give its result.")
    if cell.startswith('#') and cell.rstrip('!?').isupper():
        raise Rejected(f"{show(cell)} is the error of a formula.")
    return ' '.join(cell.split())


def multiline(cell):
    label(cell)
    return '\n'.join(' '.join(line.split()) for line in cell.splitlines())


def email(cell):
    cell = cell.removeprefix('mailto:')
    check_length(cell, MAX_CODE)
    if not EMAIL.fullmatch(cell):
        raise Rejected(f"{show(cell)} is not one e-mail address.")
    return cell


def phone(cell):
    check_length(cell, MAX_CODE)
    if re.search(r'[^\d\s()./+-]', cell) or len(re.sub(r'\D', '', cell)) < 4:
        raise Rejected(f"{show(cell)} is not a phone number.")
    return ' '.join(cell.split())


def compact_phone(value):
    return re.sub(r'[\s./()-]', '', value or '')


def siret(cell):
    number = re.sub(r'[\s.-]', '', cell)
    if not re.fullmatch(r'[0-9]{14}', number):
        hint = ""
        if re.fullmatch(r'[0-9]{10,13}', number):
            hint = (" A spreadsheet drops the zeros at the start: make the "
                "column a text.")
        elif re.fullmatch(r'[0-9][.,]?[0-9]*E\+?[0-9]+', cell, re.I):
            hint = " A spreadsheet has rounded it: make the column a text."
        raise Rejected(
            f"{show(cell)} is not a SIRET: it has 14 digits.{hint}")
    # Some of La Poste pass one test and the others pass the other one
    if not (stdnum.luhn.is_valid(number)
            or stdnum.fr.siret.is_valid(number)):
        raise Rejected(
            f"{show(cell)} is not a SIRET: its check digit is wrong, look for "
            "a typing mistake.")
    return number


@lru_cache(CACHE)
def date(cell):
    cell = re.sub(r'[ T]00:00(:00)?$', '', cell)
    for pattern in ['%Y-%m-%d', '%d/%m/%Y']:
        try:
            result = dt.datetime.strptime(cell, pattern).date()
        except ValueError:
            continue
        if not FIRST_YEAR <= result.year <= LAST_YEAR:
            raise Rejected(
                f"{show(cell)} is of the year {result.year}: write a year "
                f"from {FIRST_YEAR} to {LAST_YEAR}, with its four digits.")
        return result
    if re.fullmatch(r'\d{1,2}([/.-])\d{1,2}\1\d{2}', cell):
        raise Rejected(
            f"{show(cell)} has a year of two digits, which is read in more "
            "than one way: write YYYY-MM-DD or DD/MM/YYYY.")
    raise Rejected(
        f"{show(cell)} is not a date: write YYYY-MM-DD or DD/MM/YYYY.")


@lru_cache(CACHE)
def time(cell):
    match = TIME.fullmatch(cell)
    try:
        return dt.time(int(match[1]), int(match[2] or 0))
    except (TypeError, ValueError) as exc:
        if re.fullmatch(r'[\d:hH ]+ ?(-|–|—|/|à|a|to) ?[\d:hH ]+', cell):
            raise Rejected(
                f"{show(cell)} is two times: write the first one in the "
                "column start and the other one in the column end, like "
                "HH:MM.") from exc
        raise Rejected(f"{show(cell)} is not a time: write HH:MM.") from exc


@lru_cache(CACHE)
def date_time(cell):
    "A day and a time, as the clock of the company shows them"
    day, _, hour = cell.replace('T', ' ').strip().partition(' ')
    if not hour.strip():
        raise Rejected(
            f"{show(cell)} has no time: write YYYY-MM-DD HH:MM or "
            "DD/MM/YYYY HH:MM.")
    return dt.datetime.combine(date(day), time(hour.strip()))


TIME = re.compile(
    r'([0-9]{1,2}) ?(?:[:hH]|heures?) ?([0-9]{2})?(?::00| ?(?:mn|min))?')
NUMBER = re.compile(
    r"(?P<whole>\d{1,3}(?P<group>[ .,'])\d{3}(?:(?P=group)\d{3})*|\d+)?"
    r"(?:(?P<point>[.,])(?P<decimals>\d*))?")


def number(cell):
    value = re.sub(r'[\s\u202f]+', ' ', cell.replace('’', "'"))
    value = re.sub(r' ?(€|EUR)$|^€ ?', '', value.strip(), flags=re.I)
    if re.fullmatch(r'- ?[0-9 .,]+', value):
        raise Rejected(f"{show(cell)} must be zero or more.")
    match = NUMBER.fullmatch(value)
    if (not match or not re.search('[0-9]', value)
            or match['group'] and match['group'] == match['point']):
        raise Rejected(f"{show(cell)} is not a number.")
    whole, group = match['whole'] or '0', match['group']
    decimals = match['decimals'] or '0'
    if group in {'.', ','} and not match['point']:
        if whole.startswith('0'):
            whole, decimals = whole.split(group, 1)
        elif whole.count(group) == 1:
            raise Rejected(
                f"{show(cell)} is read in more than one way: write "
                f"{whole.replace(group, '')} or "
                f"{whole.replace(group, ',').rstrip('0').rstrip(',')}.")
    whole = re.sub("[ .,']", '', whole)
    if not decimals.isdecimal():
        raise Rejected(f"{show(cell)} is not a number.")
    result = Decimal(f'{whole}.{decimals}')
    if result >= MAX_NUMBER:
        raise Rejected(f"{show(cell)} is too large.")
    return result


def price(cell):
    result = number(cell)
    if result != round(result, 2):
        raise Rejected(f"{show(cell)} has more than two decimals.")
    return round(result, 2)


def percentage(cell):
    "A part of the whole, told by hundredths"
    value = number(re.sub(r'\s*%$', '', cell))
    if 0 < value < 1 and not cell.endswith('%'):
        raise Rejected(
            f"{show(cell)} is read in more than one way: write the "
            f"percentage, like {(value * 100).normalize():f} %.")
    if value > 100:
        raise Rejected(f"{show(cell)} is more than 100 %.")
    if value != round(value, 2):
        raise Rejected(f"{show(cell)} has more than two decimals.")
    return value / 100


def days(cell):
    value = number(re.sub(r'\s*(j|jours?|d|days?)$', '', cell, flags=re.I))
    if value % 1:
        raise Rejected(f"{show(cell)} is not a whole number of days.")
    return int(value)


BAND = re.compile(
    r'(?:(?P<days>\d{1,4}) ?(?:jours?|days?|[jd])? ?[:=])?(?P<rate>[^:=]*)',
    re.I)


def scale(cell):
    """The rates by the least days that are left before the start, None for
    all the other days"""
    check_length(cell, MAX_CODE)
    bands = {}
    for part in re.split(r'[/|;]', cell):
        match = BAND.fullmatch(part.strip())
        if not match:
            raise Rejected(
                f"{show(cell)} is no scale: write the least days before the "
                "start and the rate, and at the end the rate of the other "
                "days, like 30: 10 % / 10: 30 % / 50 %.")
        least = int(match['days']) if match['days'] else None
        if least in bands:
            raise Rejected(f"{show(cell)} has two rates for the same days.")
        bands[least] = percentage(match['rate'].strip())
    return list(bands.items())


def hours(cell):
    if (duration := hours_and_minutes(cell)) is not None:
        return duration
    value = number(re.sub(r'\s*(h|heures?|hours?)$', '', cell, flags=re.I))
    minutes = value * 60
    if (value.as_tuple().exponent < -4
            and abs(minutes - round(minutes)) > Decimal('0.01')):
        raise Rejected(
            f"{show(cell)} looks like the part of a day that a spreadsheet "
            "keeps: show the column as [HH]:MM.")
    return dt.timedelta(minutes=int(round(minutes)))


def hours_and_minutes(cell):
    "Convert what is written like 7:30, 07:30:00 or 7 h 30"
    if match := HOURS.fullmatch(cell):
        return dt.timedelta(hours=int(match[1]), minutes=int(match[2]))


HOURS = re.compile(
    r'([0-9]{1,5}) ?(?:[:hH]|heures?|hours?) ?([0-5][0-9])'
    r'(?::00(?:[.,]0+)?| ?(?:mn|min|minutes?))?')


def minutes(cell):
    if (duration := hours_and_minutes(cell)) is not None:
        return duration
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
                f"{show(cell)} is not one of {', '.join(words)}.") from exc
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
signature = choice(
    on_premises='sur_place dans_les_locaux',
    at_a_distance='a_distance distance',
    off_premises='hors_etablissement hors_les_locaux')
diploma_level = choice(
    **{str(level): f'niveau_{level}' for level in range(3, 9)})
ground = choice(
    abandonment='abandon',
    no_show='no-show non-presentation non_presentation',
    cancellation='annulation annulation_avant_le_debut '
    'cancellation_before_the_start',
    legitimate_reason='motif_legitime')
yes_no = choice(
    yes='oui o y 1 vrai true',
    no='non n 0 faux false')
follow_up_kind = choice(
    call='appel appel_telephonique telephone phone_call',
    meeting='entretien rendez-vous rencontre reunion',
    visit='visite',
    email='courriel e-mail mail',
    letter='courrier lettre',
    mediation='mediation')
follow_up_outcome = choice(
    reached='joint jointe',
    no_answer='sans_reponse pas_de_reponse',
    wrong_contact='mauvaises_coordonnees faux_numero',
    appointment='rendez-vous rendez-vous_pris appointment_made',
    refused='refus refuse',
    other='autre')
half_day = choice(
    morning='matin matinee m',
    afternoon='apres_midi aprem',
    day='journee journee_entiere toute_la_journee jour j',
    # AM is the morning in English and the afternoon in French
    am='',
    pm='')


def flag(cell):
    return yes_no(cell) == 'yes'


def grounds(cell):
    "The grounds of an indemnity"
    return sorted({ground(part) for part in re.split('[,;/|+]', cell)})


def evidence(cell):
    "The number of an evidence, perhaps after its guide"
    check_length(cell, MAX_CODE)
    match = re.fullmatch(r'(?:(.*\S)\s*[-–]\s*)?(\d{1,4})', cell)
    if not match:
        raise Rejected(
            f"{show(cell)} is no evidence: write its number, like 11 or "
            "V9-11.")
    return fold(match[1]) or None, int(match[2])


@lru_cache(CACHE)
def start(cell):
    "The time at which a slot starts, or a half-day"
    try:
        return time(cell)
    except Rejected:
        pass
    try:
        return half_day(cell.replace('-', ' '))
    except Rejected as exc:
        raise Rejected(
            f"{show(cell)} is neither a time nor a half-day: write HH:MM, "
            "morning, afternoon or day.") from exc


STATUSES = {
    'present': 'P 1 presente present(e) pres oui o yes y vrai true',
    'absent': 'A 0 absente absent(e) abs absence non n no faux false '
    'injustifie injustifiee absence_injustifiee absence_non_justifiee '
    'non_justifie non_justifiee abi anj',
    'late': 'R L retard en_retard ret',
    'left_early': 'D depart depart_anticipe parti partie parti(e) '
    'parti_avant_la_fin partie_avant_la_fin',
    'excused': 'E excuse excusee excuse(e) exc absent_excuse absente_excusee '
    'absence_excusee absence_justifiee justifie justifiee aj',
    }
# What may come after the word: 15, 15 min, (15'), : 1h05
MINUTES = re.compile(
    r"""(?P<word>[^\d]*?)[\s(:+]*
    ((?P<hours>\d{1,2})\s?h(?P<rest>\d{2})?
        |(?P<minutes>\d{1,9})\s?(?P<unit>(mn|min|minutes?)\.?|')?)
    \s?\)?""", re.X)


class Statuses:
    "The states of the attendances, told by words and perhaps minutes"

    def __init__(self, words=()):
        self.state = choice(**STATUSES)
        self.words = {fold(word): state for word, state in dict(words).items()}
        self._known = {}

    def __call__(self, cell):
        "Return the state and the minutes, or None"
        check_length(cell, MAX_CODE)
        if cell not in self._known:
            self._known[cell] = self._convert(cell)
        return self._known[cell]

    def _convert(self, cell):
        if state := self._state(cell):
            return state, None
        match = MINUTES.fullmatch(fold(cell))
        if not match or not (
                state := self._late(match) if not match['word']
                else self._state(match['word'])):
            raise Rejected(self._unknown(cell))
        if state == 'present' and not match['word']:
            return state, None
        if state not in {'late', 'left_early'}:
            raise Rejected(
                f"{show(cell)} gives minutes to somebody {state}: only those "
                "late and left_early have minutes.")
        return state, dt.timedelta(
            hours=int(match['hours'] or 0),
            minutes=int(match['rest'] or match['minutes'] or 0))

    def _state(self, word):
        word = fold(word)
        if word in self.words:
            return self.words[word]
        try:
            return self.state(word)
        except Rejected:
            return None

    @staticmethod
    def _late(match):
        "Minutes alone are those of who is late, but 0 and 1 are yes and no"
        if match['hours'] or match['unit'] or int(match['minutes']) > 1:
            minutes = int(match['minutes'] or match['hours'])
            return 'late' if minutes or match['rest'] else 'present'

    def _unknown(self, cell):
        words = ', '.join(
            f"{state} ({', '.join(synonyms.split()[:2])})"
            for state, synonyms in STATUSES.items())
        own = ''.join(f", {word}" for word in self.words)
        return (f"{show(cell)} is not a status: write {words}{own}, the "
            "minutes late like 15 or R15, or give the word with --status.")


status = Statuses()
