#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Writes the exports of an imaginary French training provider.

Everything depends on the arguments only: the same day gives the same files.
The persons, companies and SIRET are invented."""

import argparse
import csv
import datetime as dt
import unicodedata
from pathlib import Path
from random import Random

MORNING = ('09:00', '12:30')
AFTERNOON = ('13:30', '17:00')
BANK_HOLIDAYS = {
    (1, 1), (1, 5), (8, 5), (14, 7), (15, 8), (1, 11), (11, 11), (25, 12)}

# code, title, modality, hours, days, weekdays, price
COURSES = [
    ('BUR-EXC', "Excel avancé et tableaux de bord", 'présentiel', 35, 5,
        (0, 1, 2, 3, 4), 1450),
    ('TP-SA', "Titre professionnel Secrétaire assistant", 'mixte', 210, 30,
        (0, 1, 3), 3900),
    ('APP-MCO', "BTS Management commercial opérationnel", 'présentiel', 140,
        20, (3, 4), 7200),
    ('LAN-ANG', "Anglais professionnel B1 vers B2", 'distanciel', 42, 6,
        (1, 3), 1680),
    ('SEC-SST', "Sauveteur secouriste du travail", 'présentiel', 14, 2,
        (0, 1), 520),
    ('NUM-WEB', "Développer un site avec WordPress", 'mixte', 70, 10,
        (0, 2), 2600),
    ('MAN-EQU', "Manager une équipe de proximité", 'présentiel', 21, 3,
        (1, 2, 3), 1290),
    ('CPT-PAI', "Gestionnaire de paie", 'mixte', 182, 26, (0, 1, 2), 4300),
    ('VEN-NEG', "Techniques de vente et négociation", 'présentiel', 28, 4,
        (0, 1), 1380),
    ('BIL-COM', "Bilan de compétences", 'mixte', 24, 4, (4,), 1800),
    ]
# Days from the day of the export to the start of each session
STARTS = [-23, -44, -58, -13, -75, 12]
LOCATIONS = [
    "Salle Matisse, 12 avenue Jean-Médecin, 06000 Nice",
    "Salle Chagall, 12 avenue Jean-Médecin, 06000 Nice",
    "Campus Arénas, 455 promenade des Anglais, 06200 Nice",
    ]
TRAINERS = [
    "Hélène Vidal", "Marc Bertolini", "Samira Benali", "Olivier Castel",
    "Nadège Perrin"]
COMPANIES = [
    ("Ateliers du Mercantour", 'mercantour', "ZI Carros, 1re avenue",
        '06510', "Carros"),
    ("Azur Logistique", 'azur-logistique', "27 route de Grenoble",
        '06200', "Nice"),
    ("Boulangeries Riviera", 'riviera', "8 rue Gioffredo", '06000', "Nice"),
    ("Clinique des Oliviers", 'oliviers', "3 chemin de la Lauvette",
        '06300', "Nice"),
    ("Hôtel Belle Rive", 'bellerive', "21 quai Rauba Capeu", '06300',
        "Nice"),
    ("Menuiserie Giraud & Fils", 'giraud', "64 boulevard de la Madeleine",
        '06000', "Nice"),
    ("Sud Télécom Services", 'sudtelecom', "1300 route des Crêtes", '06560',
        "Valbonne"),
    ("Vinci Fleurs", 'vincifleurs', "MIN Saint-Augustin", '06200', "Nice"),
    ]
FUNDERS = [
    ('F-ATLAS', "OPCO Atlas", 'atlas'),
    ('F-AKTO', "AKTO", 'akto'),
    ('F-EP', "OPCO Entreprises de proximité", 'opcoep'),
    ('F-CDC', "Caisse des dépôts (CPF)", 'cpf'),
    ('F-SUD', "Région Sud", 'region-sud'),
    ]
PRESCRIBERS = [
    ('P-FT', "France Travail Nice La Plaine", 'francetravail'),
    ('P-ML', "Mission Locale Nice Côte d'Azur", 'missionlocale'),
    ]
ADVISERS = [
    ('C-FT', "Sandrine Roux", 'francetravail'),
    ('C-ML', "Karim Haddad", 'missionlocale'),
    ]
TUTORS = ["Bruno Escoffier", "Laurence Maurel", "Thierry Navarro"]
FIRST_NAMES = [
    "Adèle", "Aïcha", "Antoine", "Baptiste", "Camille", "Chloé", "Clément",
    "Diane", "Dylan", "Élodie", "Émile", "Fatou", "Florian", "Gaëlle",
    "Hugo", "Inès", "Jérôme", "Jules", "Kévin", "Laëtitia", "Léa", "Loïc",
    "Lucas", "Manon", "Mathéo", "Mehdi", "Mélanie", "Nadia", "Nathan",
    "Noémie", "Océane", "Pauline", "Quentin", "Rachid", "Romane", "Sacha",
    "Solène", "Théo", "Valentin", "Yasmine", "Zoé"]
LAST_NAMES = [
    "Agnelli", "Barbier", "Benoît", "Blanc", "Bonnet", "Carlotti", "Chevalier",
    "Da Silva", "Delmas", "Diallo", "Dupré", "Fabre", "Ferrero", "Garnier",
    "Gauthier", "Giordano", "Guérin", "Hamidi", "Jacquet", "Lambert",
    "Le Goff", "Lopez", "Marchetti", "Marin", "Mercier", "Moreau", "Nguyen",
    "Olivieri", "Pastor", "Petit", "Raybaud", "Renard", "Rivière", "Rossi",
    "Sanchez", "Tessier", "Traoré", "Vasseur", "Viale", "Zerbib"]
# The first one who leaves, by a name that programs must get through
FOLLOWED = "Éloïse D'Arcy-N'Guyen"
# What happens to the first trainees of the running sessions
STORIES = ['leaves', 'no_show', 'late', 'irregular', 'sick']


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('directory', type=Path)
    parser.add_argument('--day', type=dt.date.fromisoformat, required=True,
        help="day of the export, as YYYY-MM-DD")
    parser.add_argument('--sessions', type=int, default=6,
        help="number of sessions (default: %(default)s)")
    parser.add_argument('--seed', default='DR-AT014')
    args = parser.parse_args()
    args.directory.mkdir(parents=True, exist_ok=True)
    export = Export(args.day, args.sessions, args.seed)
    for name in ['parties', 'sessions', 'enrolments', 'attendance']:
        write(args.directory / f'{name}.csv', getattr(export, name)())


def write(path, rows):
    "Write as a French spreadsheet does"
    with open(path, 'w', encoding='utf-8-sig', newline='') as output:
        writer = csv.DictWriter(output, list(rows[0]), delimiter=';')
        writer.writeheader()
        writer.writerows(rows)


class Export:

    def __init__(self, day, sessions, seed):
        self.day = day
        self.random = Random(seed)
        self.persons = {}
        self._sirets = set()
        self._sessions = [self._session(i) for i in range(sessions)]
        self._enrolments = [
            enrolment for session in self._sessions
            for enrolment in self._enrol(session)]

    def parties(self):
        rows = [
            organisation(f'E{i:03}', name, host, siret(self._siren()),
                street, postal_code, city)
            for i, (name, host, street, postal_code, city)
            in enumerate(COMPANIES, 1)]
        rows += [
            organisation(code, name, host, siret(self._siren()))
            for code, name, host in FUNDERS + PRESCRIBERS]
        rows += [
            person(code, name, f'{host}.example.net')
            for code, name, host in ADVISERS]
        rows += [
            person(f'T{i:03}', name, 'tuteurs.example.org')
            for i, name in enumerate(TUTORS, 1)]
        rows += [
            person(f'X{i:03}', name, 'formateurs.example.org')
            for i, name in enumerate(TRAINERS, 1)]
        return rows + [
            person(code, name, 'stagiaires.example.org', phone)
            for code, (name, phone) in self.persons.items()]

    def sessions(self):
        rows = []
        for session in self._sessions:
            code, title, modality, hours, *_ = session['course']
            for date, (start, end) in session['slots']:
                rows.append({
                        'session': session['code'],
                        'course': code,
                        'title': title,
                        'modality': modality,
                        'hours': hours,
                        'date': french(date),
                        'start': start,
                        'end': end,
                        'location': session['location'],
                        'trainer': session['trainer'],
                        'uid': f"{session['code']}-{date:%Y%m%d}-{start[:2]}"
                        "@extranet.example.org",
                        })
        return rows

    def enrolments(self):
        return [
            {k: v for k, v in enrolment.items() if not k.startswith('_')}
            for enrolment in self._enrolments]

    def attendance(self):
        rows = []
        for enrolment in self._enrolments:
            slots = [
                slot for slot in enrolment['_session']['slots']
                if slot[0] < self.day]
            for i, (date, (start, _)) in enumerate(slots):
                status, minutes, comment = self._presence(
                    enrolment['_story'], i, len(slots))
                rows.append({
                        'enrolment': enrolment['enrolment'],
                        'date': french(date),
                        'start': start,
                        'status': status,
                        'minutes': minutes,
                        'comment': comment,
                        })
        return rows

    def _siren(self):
        while True:
            siren = checked(f'0000{self.random.randrange(10 ** 4):04}')
            if siren not in self._sirets:
                self._sirets.add(siren)
                return siren

    def _session(self, index):
        start = self.day + dt.timedelta(
            days=STARTS[index % len(STARTS)] - index // len(STARTS) * 9)
        courses = min(len(COURSES), max(4, index * 2 // 3 + 1))
        course = COURSES[index % courses]
        *_, days, weekdays, _ = course
        return {
            'code': f'S{self.day.year}-{index + 1:03}',
            'course': course,
            'slots': [
                (date, time) for date in working_days(start, days, weekdays)
                for time in [MORNING, AFTERNOON]],
            'location': LOCATIONS[index % len(LOCATIONS)],
            'trainer': f'X{index % len(TRAINERS) + 1:03}',
            }

    def _enrol(self, session):
        running = (
            session['slots'][0][0] < self.day <= session['slots'][-1][0])
        stories = STORIES if running else []
        for i in range(self.random.randint(5, 9)):
            story = stories[i] if i < len(stories) else 'regular'
            yield {
                'enrolment': f"{session['code']}-{i + 1:02}",
                'session': session['code'],
                'trainee': self._person(story),
                **self._agreement(session['course'], story),
                'price': f"{session['course'][-1]},00",
                'start_date': '',
                '_session': session,
                '_story': story,
                }

    def _person(self, story):
        names = {name for name, _ in self.persons.values()}
        name = FOLLOWED if story == 'leaves' else ''
        while not name or name in names:
            name = (f"{self.random.choice(FIRST_NAMES)} "
                f"{self.random.choice(LAST_NAMES)}")
        code = f'{len(self.persons) + 1:05}'
        phone = ' '.join(
            f'{self.random.randrange(100):02}' for _ in range(3))
        self.persons[code] = name, f'+33 6 39 98 {phone[:5]}'
        return code

    def _agreement(self, course, story):
        job_seeker = agreement(
            "demandeur d'emploi", 'financement public',
            self.random.choice(['P-FT', 'P-ML']), '', 'F-SUD')
        company = f'E{self.random.randrange(len(COMPANIES)) + 1:03}'
        if course[0].startswith('APP-'):
            return agreement(
                'apprenti', 'apprentissage', company, company, 'F-EP')
        elif story == 'leaves':
            return dict(job_seeker, prescriber='P-FT')
        return self.random.choice([
                agreement('salarié', 'convention', company, company,
                    self.random.choice(['F-ATLAS', 'F-AKTO'])),
                job_seeker,
                agreement('particulier', 'cpf', '', '', 'F-CDC'),
                agreement('particulier', 'contrat', '', '', ''),
                ])

    def _presence(self, story, index, count):
        chance = self.random.random()
        comment = ''
        if story == 'leaves' and index >= count - 4:
            return 'A', '', "Injoignable" if index == count - 1 else ''
        elif story == 'no_show':
            return 'A', '', comment
        elif story == 'late' and chance < .5:
            return 'R', self.random.choice([10, 15, 20, 30, 45]), comment
        elif story == 'irregular' and chance < .4:
            return 'A', '', comment
        elif story == 'sick' and count - 6 <= index < count - 2:
            return 'E', '', "Arrêt de travail"
        elif chance < .02:
            return 'A', '', comment
        elif chance < .05:
            return 'R', self.random.choice([5, 10, 15]), comment
        elif chance < .06:
            return 'D', 30, comment
        return 'P', '', comment


def agreement(kind, name, prescriber, employer, funder):
    return {
        'trainee_kind': kind,
        'agreement': name,
        'prescriber': prescriber,
        'employer': employer,
        'funder': funder,
        }


def organisation(
        code, name, host, siret, street='', postal_code='', city=''):
    return {
        'code': code,
        'name': name,
        'kind': 'organisation',
        'email': f'contact@{host}.example.net',
        'phone': '',
        'lang': 'fr',
        'street': street,
        'postal_code': postal_code,
        'city': city,
        'country': 'FR' if city else '',
        'siret': siret,
        }


def person(code, name, host, phone=''):
    return {
        'code': code,
        'name': name,
        'kind': 'personne',
        'email': f'{address(name)}@{host}',
        'phone': phone,
        'lang': 'fr',
        'street': '',
        'postal_code': '',
        'city': '',
        'country': '',
        'siret': '',
        }


def address(name):
    "Local part of the e-mail address of a person"
    name = unicodedata.normalize('NFKD', name.lower())
    name = name.replace(' ', '.').replace("'", '-')
    return ''.join(c for c in name if c.isascii())


def checked(digits):
    "Digits with the check digit of Luhn added"
    for check in '0123456789':
        number = digits + check
        values = [int(c) for c in reversed(number)]
        total = sum(values[::2])
        total += sum(sum(divmod(2 * value, 10)) for value in values[1::2])
        if not total % 10:
            return number


def siret(siren):
    return checked(f'{siren}0001')


def working_days(start, count, weekdays):
    days = []
    while len(days) < count:
        if (start.weekday() in weekdays
                and (start.day, start.month) not in BANK_HOLIDAYS):
            days.append(start)
        start += dt.timedelta(days=1)
    return days


def french(date):
    return f'{date:%d/%m/%Y}'


if __name__ == '__main__':
    main()
