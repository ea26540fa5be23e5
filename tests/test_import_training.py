# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What scripts/import_training.py makes of its files"

import csv
import datetime as dt
import sys
import tempfile
import unittest
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from proteus import Model
from trytond.modules.company.tests.tools import create_company
from trytond.modules.training_abandon.notice import \
    procedure as notice_procedure
from trytond.modules.training_abandon.scripts.importing.client import (
    BATCH, Client, Refused, use_company)
from trytond.modules.training_abandon.scripts.importing.command import (
    KINDS, NoProgress)
from trytond.modules.training_abandon.scripts.importing.importer import (
    Importer, Options)
from trytond.modules.training_abandon.scripts.importing.table import (
    Errors, Table)
from trytond.modules.training_abandon.tests.common import count_statements
from trytond.pool import Pool
from trytond.rpc import RPC
from trytond.tests.test_tryton import DB_CACHE, drop_db
from trytond.tests.tools import activate_modules
from trytond.transaction import Transaction

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'scripts'))
from lib.benchmark.importing import Data  # noqa: E402

PARTIES = """\
code;name;kind;email;phone;lang;street;postal_code;city;siret
E1;Ateliers;organisation;contact@a.example.org;;fr;ZI;06510;Carros;\
732 829 320 00074
F1;OPCO;organisation;;;;;;;
P1;Éloïse D'Arcy-N'Guyen;personne;e@a.example.org;+33 6 39 98 00 01;fr;;;;
P2;Paul Petit;personne;paul@a.example.org;;fr;;;;
X1;Trainer;personne;;;;;;;
"""
SESSIONS = """\
session;course;title;modality;hours;date;start;end;location;trainer;uid
S1;C1;Excel;présentiel;7;05/01/2026;09:00;12:30;Salle 1;X1;u1
S1;C1;;;;05/01/2026;13:30;17:00;Salle 1;X1;u2
S1;C1;;;;06/01/2026;09:00;12:30;Salle 1;X1;u3
"""
ENROLMENTS = """\
enrolment;session;trainee;trainee_kind;agreement;prescriber;employer;funder;\
price;start_date
I1;S1;P1;salarié;convention;E1;E1;F1;1 450,50;
I2;S1;P2;;cpf;;;;;06/01/2026
"""
ATTENDANCE = """\
enrolment;date;start;status;minutes;comment
I1;05/01/2026;09:00;A;;
I1;05/01/2026;13:30;R;15;train
I1;06/01/2026;09:00;P;;
I2;06/01/2026;09:00;E;;
"""
FOLLOW_UPS = """\
follow_up;enrolment;kind;party;planned_at;done_at;employee;outcome;note
R1;I1;appel;;05/01/2026 10:00;05/01/2026 10h05;;joint;Train late
R2;I1;Rendez-vous;E1;2026-01-07 14:00;;X1;;
"""
MEASURES = """\
measure;name;kind;course;session;enrolment;date;description
M1;Platform;6;C1;;;05/01/2026;Courses online
M2;Visit;V9-11;;;I1;06/01/2026;Met the tutor
"""
ANSWERS = """\
enrolment;questionnaire;question;answer;answered_on
I1;needs;Expectations;Learn Excel;05/01/2026
I1;Needs;equipped ?;Oui;05/01/2026
I1;Needs;Level;high;05/01/2026
I1;Needs;Years;1,5;05/01/2026
"""
PREVENTION = {
    'follow_ups': FOLLOW_UPS,
    'measures': MEASURES,
    'answers': ANSWERS,
    }
FILES = {
    'parties': PARTIES,
    'sessions': SESSIONS,
    'enrolments': ENROLMENTS,
    'attendance': ATTENDANCE,
    }


@contextmanager
def count_reads():
    "Yield the list of the SQL statements by which the calls read"
    reads, stack = [], ExitStack()
    convert, stop = RPC.convert, Transaction.stop

    def start_counting(*args, **kwargs):
        stack.statements = stack.enter_context(count_statements())
        return convert(*args, **kwargs)

    def stop_counting(*args):
        stack.close()
        reads.extend(
            s for s in stack.statements
            if not s.startswith(('INSERT', 'UPDATE')))
        stack.statements = []
        return stop(*args)

    stack.statements = []
    with patch.object(RPC, 'convert', start_counting), \
            patch.object(Transaction, 'stop', stop_counting):
        yield reads


class BaseTestCase(unittest.TestCase):
    "What the tests of the import share"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.activate()
        cls.addClassCleanup(drop_db)
        if DB_CACHE:
            # The tests have copies of one database: one pool is enough
            for name in ['init', 'stop']:
                patcher = patch.object(Pool, name)
                patcher.start()
                cls.addClassCleanup(patcher.stop)

    @classmethod
    def activate(cls):
        return activate_modules('training_abandon', create_company)

    def setUp(self):
        drop_db()
        config = self.activate()
        self.client = Client(config)
        self.company = use_company(self.client)
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def load(self, kind, content=None, **options):
        "Import the content, return the counts and the rejected rows"
        path = self.directory / f'{kind}.csv'
        path.write_text(
            content or {**FILES, **PREVENTION}[kind], encoding='utf-8')
        Kind = KINDS[kind]
        table = Table(path, Kind.columns, Kind.required)
        errors = Errors(table)
        importer = Kind(
            self.client, table, errors,
            Options(company=self.company, **options), NoProgress())
        importer.run()
        errors.write()
        rejected = []
        if errors.path.exists():
            with open(errors.path, encoding='utf-8-sig', newline='') as file:
                rejected = list(csv.DictReader(
                        file, delimiter=table.delimiter))
        counts = {k: v for k, v in importer.counts.items() if v}
        self.assertEqual(
            sum(counts.values()) + len(rejected), len(table.rows))
        return counts, rejected

    def load_until(self, last, **options):
        for kind in FILES:
            result = self.load(kind, **options)
            if kind == last:
                return result

    def find(self, model, *domain):
        return Model.get(model).find(list(domain), order=[('id', 'ASC')])

    def party(self, name):
        party, = self.find('party.party', ('name', '=', name))
        return party

    def assertRejected(self, rejected, *expected):
        self.assertEqual(
            [(r['line'], r['column']) for r in rejected], list(expected))


class ImportTestCase(BaseTestCase):
    "Test the import of the training"

    def test_parties(self):
        self.assertEqual(self.load('parties'), ({'created': 5}, []))

        company = self.party("Ateliers")
        identifier, = company.identifiers
        self.assertEqual(identifier.type, 'fr_siret')
        self.assertEqual(identifier.code, '732 829 320 00074')
        self.assertEqual(identifier.address.city, "Carros")
        self.assertEqual(company.email, 'contact@a.example.org')
        address, = company.addresses
        self.assertEqual(
            (address.street, address.postal_code, address.city),
            ('ZI', '06510', "Carros"))
        person = self.party("Éloïse D'Arcy-N'Guyen")
        self.assertEqual(person.lang.code, 'fr')
        self.assertEqual(person.mobile, '+33 6 39 98 00 01')

    def test_again(self):
        "Importing again changes nothing"
        for options in [{}, {'close': True}]:
            self.load_until('attendance', **options)
            counts = {
                model: len(self.find(model)) for model in [
                    'party.party', 'training.external_code',
                    'training.session.slot', 'training.enrolment',
                    'training.attendance']}
            for kind in FILES:
                (name,), rejected = self.load(kind, **options)
                self.assertEqual((name, rejected), ('unchanged', []))
            for model, count in counts.items():
                self.assertEqual(len(self.find(model)), count)

    def test_dry_run(self):
        self.assertEqual(
            self.load('parties', dry_run=True), ({'created': 5}, []))
        self.assertFalse(self.find('training.external_code'))
        self.load('parties')
        self.assertEqual(
            self.load('sessions', dry_run=True), ({'created': 3}, []))
        self.assertFalse(self.find('training.session'))
        self.load('sessions')
        self.load('enrolments', dry_run=True)
        self.assertFalse(self.find('training.enrolment'))
        self.assertFalse(self.find('training.trainee'))
        self.load('enrolments')
        self.load('attendance', dry_run=True)
        self.assertFalse(self.find('training.attendance'))

    def test_parties_matched(self):
        "Parties known by SIRET or e-mail and name are not created"
        Identifier = Model.get('party.identifier')
        Party = Model.get('party.party')
        company = Party(name="Ateliers du Mercantour")
        company.addresses.new()
        company.save()
        Identifier(
            party=company, address=company.addresses[0], type='fr_siret',
            code='732 829 320 00074').save()
        person = Party(name="ELOISE d'arcy-n'guyen")
        person.contact_mechanisms.new(
            type='email', value='E@a.example.org')
        person.save()

        counts, _ = self.load('parties')

        self.assertEqual(counts, {'created': 3, 'updated': 2})
        company.reload()
        self.assertEqual(company.name, "Ateliers")
        code, = company.external_codes
        self.assertEqual((code.source, code.code), ('import', 'E1'))
        person.reload()
        self.assertEqual(person.name, "Éloïse D'Arcy-N'Guyen")

    def test_parties_same_file(self):
        "Two codes of one party in the same file"
        counts, rejected = self.load('parties', (
                "code,name,email\n"
                "1,Paul Petit,p@a.example.org\n"
                "2,PAUL PETIT,P@A.example.org\n"
                "3,Paul Petit,other@a.example.org\n"))
        self.assertEqual(rejected, [])
        self.assertEqual(counts, {'created': 2, 'updated': 1})

    def test_parties_ambiguous(self):
        Party = Model.get('party.party')
        for _ in range(2):
            party = Party(name="Paul Petit")
            party.contact_mechanisms.new(
                type='email', value='paul@a.example.org')
            party.save()

        counts, rejected = self.load('parties')

        self.assertEqual(counts, {'created': 4})
        self.assertRejected(rejected, ('5', 'email'))

    def test_parties_person_with_siret_of_company(self):
        self.load('parties')
        counts, rejected = self.load('parties', (
                "code;name;kind;siret\n"
                "9;Anne Onyme;personne;73282932000074\n"))
        self.assertEqual(counts, {})
        self.assertRejected(rejected, ('2', 'siret'))

    def test_parties_update(self):
        "Cells overwrite, blanks do not"
        self.load('parties')
        counts, rejected = self.load('parties', (
                "code;name;email;phone;street;city\n"
                "E1;Ateliers SA;new@a.example.org;04 93 00 00 00;;Nice\n"))
        self.assertEqual((counts, rejected), ({'updated': 1}, []))
        company = self.party("Ateliers SA")
        self.assertEqual(
            [m.value for m in company.contact_mechanisms],
            ['new@a.example.org', '04 93 00 00 00'])
        self.assertEqual(company.lang.code, 'fr')
        address, = company.addresses
        self.assertEqual((address.street, address.city), ('ZI', "Nice"))

    def test_parties_several_emails(self):
        "An e-mail is added when it is not known which one it replaces"
        self.load('parties')
        company = self.party("Ateliers")
        for type, value in [
                ('email', 'second@a.example.org'), ('phone', '0493000000'),
                ('phone', '0493000001')]:
            company.contact_mechanisms.new(type=type, value=value)
        company.save()
        known = [m.value for m in company.contact_mechanisms]
        result = self.load('parties', (
                "code;name;email;phone\n"
                "E1;Ateliers;third@a.example.org;04 93 00 00 02\n"))
        self.assertEqual(result, ({'updated': 1}, []))
        company.reload()
        self.assertEqual(
            [m.value for m in company.contact_mechanisms],
            [*known, 'third@a.example.org', '04 93 00 00 02'])
        # An e-mail is not a pattern
        self.assertFalse(Importer(
                self.client, None, None, None, None).find_emails(
                    ['secon_@a.example.org'], []))

    def test_parties_rejected(self):
        counts, rejected = self.load('parties', (
                "code;name;email;lang;siret;country\n"
                "1;=A1;;;;\n"
                "2;;;;;\n"
                "3;C;wrong;;123;\n"
                "4;D;;xx;;\n"
                "5;E;;;;Nowhere\n"
                "6;F;;;;;;too many\n"
                "7;G;;;;\n"
                "7;H;;;;\n"
                "8;I;;;;\n"))
        self.assertEqual(counts, {'created': 2})
        self.assertRejected(rejected,
            ('2', 'name'), ('3', 'name'), ('4', 'email, siret'),
            ('5', 'lang'), ('6', 'country'), ('7', ''), ('9', 'code'))

    def both(self, kind, content, **options):
        "Import after a dry run, which tells the same and writes nothing"
        models = [
            'party.party', 'party.address', 'party.identifier',
            'training.external_code', 'training.course', 'training.session',
            'training.session.slot', 'training.trainee',
            'training.enrolment', 'training.attendance']

        def count():
            return {model: len(self.find(model)) for model in models}
        before = count()
        expected = self.load(kind, content, dry_run=True, **options)
        self.assertEqual(count(), before)
        found = self.load(kind, content, **options)
        self.assertEqual(found, expected)
        return found

    def test_dry_run_same(self):
        "A dry run tells the counts and the rejections of the real one"
        self.load('parties', "code;name\nPX1;Un\nPX2;Deux\n")
        self.assertEqual(self.both('parties', (
                    "code;name;kind;email\n"
                    "D2;Eve Martin;person;e1@ex.example\n"
                    "D3;Eve Martin;person;e1@ex.example\n")),
            ({'created': 1, 'unchanged': 1}, []))
        self.both('parties', PARTIES + "E2;Ateliers;;;;;;;;73282932000074\n")
        self.both('parties', PARTIES.replace("ZI;06510", "ZA;06511"))
        sessions = (
            "session;course;title;date;start;end\n"
            "PX;BUR;Bureautique;01/09/2026;09:00;12:00\n"
            "PY;BUR;;02/09/2026;09:00;12:00\n")
        self.assertEqual(
            self.both('sessions', sessions), ({'created': 2}, []))
        # The dates must overlap those of the session
        header = "enrolment;session;trainee;start_date;agreement\n"
        counts, rejected = self.both('enrolments', (
                f"{header}PE3;PX;PX2;01/10/2026;convention\n"
                "PE4;PX;PX1;01/09/2026;convention\n"))
        self.assertEqual(counts, {'created': 1})
        self.assertRejected(rejected, ('2', ''))
        self.assertIn("overlap", rejected[0]['reason'])
        self.both('attendance', (
                "enrolment;date;start;status\n"
                "PE4;01/09/2026;09:00;A\nPE3;01/09/2026;09:00;A\n"))

    def test_rejected_leaves_nothing(self):
        "What is only for a row that is rejected is not written"
        self.load('parties', "code;name\nPX1;Un\nPX2;Deux\n")
        sessions = (
            "session;course;title;date;start;end;location\n"
            "PX;BUR;Bureautique;01/09/2026;09:00;12:00;\n")
        self.load('sessions', sessions)
        header = (
            "enrolment;session;trainee;trainee_kind;start_date;agreement\n")
        self.load('enrolments', (
                f"{header}PE4;PX;PX1;salarié;01/09/2026;convention\n"))
        counts, rejected = self.both('enrolments', (
                f"{header}PE5;PX;PX1;apprenti;01/10/2026;convention\n"
                "PE6;PX;PX2;;01/10/2026;convention\n"))
        self.assertEqual((counts, len(rejected)), ({}, 2))
        codes = {c.code for c in self.find('training.external_code')}
        self.assertEqual(codes, {'BUR', 'PE4', 'PX', 'PX1', 'PX2'})
        trainee, = self.find('training.trainee')
        self.assertEqual(trainee.kind, 'employee')

        course, = self.find('training.course')
        addresses = len(self.find('party.address'))
        create = self.client.call

        def refuse(model, method, *args, **context):
            if method in {'apply', 'create', 'write'} and 'Salle' in str(args):
                raise Refused("Not that one.")
            return create(model, method, *args, **context)
        with patch.object(self.client, 'call', refuse):
            counts, rejected = self.load('sessions', (
                    "session;course;title;date;start;end;location\n"
                    "S8;NEW;Nouveau;01/09/2026;09:00;12:00;Salle 8\n"
                    "PX;BUR;Titre;01/09/2026;09:00;12:00;Salle 9\n"))
        self.assertEqual((counts, len(rejected)), ({}, 2))
        course, = self.find('training.course')
        self.assertEqual(course.name, "Bureautique")
        self.assertEqual(len(self.find('party.address')), addresses)

        # The party whose SIRET is refused is not created without it
        def refuse(model, method, *args, **context):
            if 'fr_siret' in str(args) and method == 'apply':
                raise Refused("Not that one.")
            return create(model, method, *args, **context)
        with patch.object(self.client, 'call', refuse):
            counts, rejected = self.load('parties', PARTIES)
        self.assertEqual(counts, {'created': 4})
        self.assertRejected(rejected, ('2', ''))
        self.assertFalse(self.find('party.party', ('name', '=', "Ateliers")))

    @given(st.data())
    @settings(max_examples=12, deadline=None, derandomize=True)
    def test_dry_run_property(self, data):
        "Whatever the rows, the dry run tells the verdict of the real run"
        if not self.find('training.session'):
            self.load_until('enrolments')

        def lines(header, *columns):
            rows = data.draw(st.lists(
                    st.tuples(*map(st.sampled_from, columns)), min_size=1,
                    max_size=4))
            return f'{header}\n' + ''.join(';'.join(r) + '\n' for r in rows)
        kind = data.draw(st.sampled_from(list(FILES)))
        content = {
            'parties': lambda: lines(
                'code;name;kind;email;street;siret',
                ['P1', 'P8', 'P9'], ["Eve Martin", "EVE MARTIN", "Zo\x82"],
                ['person', 'organisation', '?'],
                ['', 'e1@ex.example', 'paul@a.example.org'], ['', 'ZI'],
                ['', '73282932000074', '35600000049837']),
            'sessions': lambda: lines(
                'session;course;title;date;start;end;location;trainer',
                ['S1', 'S8'], ['C1', 'C8'], ['', "Excel", "Word"],
                ['05/01/2026', '06/01/2026', '05/01/0026'],
                ['09:00', '13:30'], ['12:00', '17:00'], ['', "Salle 3"],
                ['', 'X1', 'X9']),
            'enrolments': lambda: lines(
                'enrolment;session;trainee;trainee_kind;agreement;price;'
                'start_date;funder;amount;funder_2;indemnity_rate;'
                'indemnity_scale;indemnity_grounds',
                ['I1', 'I8', 'I9'], ['S1', 'S9'], ['P1', 'P2', 'X1'],
                ['', 'salarié'], ['convention', 'cpf'],
                ['', '100', '1.500'], ['', '06/01/2026', '01/10/2026'],
                ['', 'F1'], ['', '60'], ['', 'E1'], ['', '30 %'],
                ['', '10: 5 % / 20 %'], ['', 'abandon']),
            'attendance': lambda: lines(
                'enrolment;date;start;status',
                ['I1', 'I2', 'I9'], ['05/01/2026', '06/01/2026'],
                ['09:00', '13:30', 'AM', 'PM'], ['A', 'P', 'R15']),
            }[kind]()
        counts, _ = self.both(kind, content)
        # Nor is anything new the second time
        again, _ = self.load(kind, content)
        self.assertLessEqual(set(again), {'unchanged', 'updated'})

    def test_sources(self):
        "The codes of one source are not those of another one"
        self.load('parties', "code;name\n1;A\n")
        self.load('parties', "code;name\n1;B\n", source='other')
        self.party("A")
        self.party("B")

    def test_server_refusal(self):
        "The row that the server refuses does not take others with it"
        create = self.client.create

        def refuse(model, values):
            if any(v.get('name') == "Name 137" for v in values):
                raise Refused("Not that one.")
            return create(model, values)
        self.client.create = refuse

        counts, rejected = self.load('parties', 'code;name\n' + ''.join(
                f'{i};Name {i}\n' for i in range(300)))

        self.assertEqual(counts, {'created': 299})
        self.assertRejected(rejected, ('139', ''))

    def test_sessions(self):
        self.load('parties')
        self.assertEqual(self.load('sessions'), ({'created': 3}, []))

        session, = self.find('training.session')
        self.assertEqual(session.course.name, "Excel")
        self.assertEqual(session.course.modality, 'onsite')
        self.assertEqual(session.course.duration, dt.timedelta(hours=7))
        self.assertEqual(session.start_date, dt.date(2026, 1, 5))
        self.assertEqual(session.end_date, dt.date(2026, 1, 6))
        self.assertEqual(session.state, 'planned')
        self.assertEqual(session.location.street, "Salle 1")
        self.assertEqual([p.name for p in session.trainers], ["Trainer"])
        self.assertEqual([s.uid for s in session.slots], ['u1', 'u2', 'u3'])

    def test_sessions_update(self):
        self.load('parties')
        self.load('sessions')
        counts, rejected = self.load('sessions', (
                "session;course;date;start;end;uid\n"
                "S1;C1;05/01/2026;09:00;12:00;u1\n"
                "S1;C1;07/01/2026;13:30;17:00;u2\n"
                "S1;C1;02/01/2026;09:00;12:30;u4\n"))
        self.assertEqual(
            (counts, rejected), ({'created': 1, 'updated': 2}, []))
        session, = self.find('training.session')
        self.assertEqual(
            [(s.uid, s.date.day, s.end.hour) for s in session.slots],
            [('u4', 2, 12), ('u1', 5, 12), ('u3', 6, 12), ('u2', 7, 17)])
        self.assertEqual(session.start_date, dt.date(2026, 1, 2))
        self.assertEqual(session.end_date, dt.date(2026, 1, 7))

    def test_sessions_rejected(self):
        counts, rejected = self.load('sessions', (
                "session;course;title;date;start;end;trainer\n"
                "S1;C1;Excel;05/01/2026;09:00;08:00;\n"
                "S1;C1;Word;05/01/2026;09:00;10:00;\n"
                "S1;C1;Excel;05/01/2026;10:00;12:00;\n"
                "S1;C2;Writer;05/01/2026;13:00;14:00;\n"
                "S2;C3;;05/01/2026;13:00;14:00;\n"
                "S1;C1;;05/01/2026;14:00;15:00;NOBODY\n"))
        self.assertEqual(counts, {'created': 1})
        self.assertRejected(rejected,
            ('2', 'end'), ('4', 'title'), ('5', 'course'), ('6', 'title'),
            ('7', 'trainer'))

    def test_enrolments(self):
        self.assertEqual(
            self.load_until('enrolments'), ({'created': 2}, []))

        first, second = self.find('training.enrolment')
        self.assertEqual(
            first.trainee.party.name, "Éloïse D'Arcy-N'Guyen")
        self.assertEqual(first.trainee.kind, 'employee')
        self.assertEqual(first.agreement_kind, 'agreement')
        self.assertEqual(first.prescriber.name, "Ateliers")
        self.assertEqual(first.employer.name, "Ateliers")
        self.assertEqual(first.price, Decimal('1450.50'))
        self.assertEqual(first.state, 'confirmed')
        funding, = first.fundings
        self.assertEqual(funding.funder.name, "OPCO")
        self.assertEqual(funding.share, 1)
        self.assertEqual(second.start_date, dt.date(2026, 1, 6))
        self.assertEqual(second.fundings, [])

    def test_enrolments_update(self):
        self.load_until('enrolments')
        counts, rejected = self.load('enrolments', (
                "enrolment;session;trainee;agreement;prescriber;funder;price\n"
                "I1;S1;P1;convention;F1;E1;\n"
                "I2;S1;P2;cpf;;;10\n"))
        self.assertEqual((counts, rejected), ({'updated': 2}, []))
        first, second = self.find('training.enrolment')
        self.assertEqual(first.prescriber.name, "OPCO")
        self.assertEqual(first.price, Decimal('1450.50'))
        funding, = first.fundings
        self.assertEqual(funding.funder.name, "Ateliers")
        self.assertEqual(second.price, Decimal(10))

        # Which of several fundings has changed is for the user to say
        funding.share = Decimal('0.5')
        funding.save()
        first.reload()
        first.fundings.new(
            funder=self.party("Trainer"), share=Decimal('0.5'))
        first.save()
        counts, rejected = self.load('enrolments', (
                "enrolment;session;trainee;agreement;funder\n"
                "I1;S1;P1;convention;F1\n"))
        self.assertEqual(counts, {})
        self.assertRejected(rejected, ('2', 'funder'))

    def test_agreement(self):
        self.load_until('enrolments')
        content = (
            "enrolment;session;trainee;agreement;funder;price;"
            "price_tax_included;indivisible_fees;agreement_reference;"
            "agreement_date;signature;indemnity_rate;file_number\n"
            "I1;S1;P1;convention;F1;1 000,00;1 200,00;50;C-2025-7;"
            "15/12/2025;sur place;30 %;D-77\n"
            "I2;S1;P2;cpf;;10;12;;;;;0,3;\n"
            "I3;S1;X1;contrat;;10;9,99;;;;;;\n"
            "I4;S1;X1;contrat;;10;;;;;;;D-78\n")
        counts, rejected = self.load('enrolments', content)
        self.assertEqual(counts, {'updated': 1})
        self.assertRejected(
            rejected, ('3', 'indemnity_rate'), ('4', ''),
            ('5', 'file_number'))
        enrolment = self.find('training.enrolment')[0]
        self.assertEqual(
            [enrolment.price_tax_included, enrolment.indivisible_fees,
                enrolment.agreement_reference, enrolment.agreement_date,
                enrolment.agreement_signature, enrolment.indemnity_kind,
                enrolment.indemnity_rate],
            [Decimal(1200), Decimal(50), "C-2025-7", dt.date(2025, 12, 15),
                'on_premises', 'rate', Decimal('0.3')])
        funding, = enrolment.fundings
        self.assertEqual(
            (funding.funder.name, funding.file_number), ("OPCO", "D-77"))
        counts, _ = self.load(
            'enrolments', '\n'.join(content.split('\n')[:2]) + '\n')
        self.assertEqual(counts, {'unchanged': 1})

        # Another funder has another file
        self.load('enrolments', (
                "enrolment;session;trainee;agreement;funder\n"
                "I1;S1;P1;convention;E1\n"))
        enrolment.reload()
        funding, = enrolment.fundings
        self.assertEqual(
            (funding.funder.name, funding.file_number), ("Ateliers", None))

    def test_indemnity(self):
        self.load_until('enrolments')
        header = (
            "enrolment;session;trainee;agreement;indemnity_rate;"
            "indemnity_scale;indemnity_grounds\n")
        # Those of before have no grounds
        enrolment = self.find('training.enrolment')[0]
        with Transaction().start(
                self.client.config.database_name, 0) as transaction:
            table = Pool().get('training.enrolment').__table__()
            transaction.connection.cursor().execute(*table.update(
                    [table.indemnity_grounds], [None]))
            transaction.commit()
        counts, rejected = self.both('enrolments', (
                f"{header}I1;S1;P1;convention;30 %;;\n"
                "I2;S1;P2;cpf;;;abandon\n"
                "I3;S1;X1;contrat;;30 j : 10 % / 10: 12,5 % / 50 %;"
                "Non-présentation, abandon\n"))
        self.assertEqual(counts, {'updated': 1, 'created': 1})
        self.assertRejected(rejected, ('3', 'indemnity_grounds'))
        enrolment.reload()
        self.assertEqual(
            (enrolment.indemnity_kind, enrolment.indemnity_rate,
                set(enrolment.indemnity_grounds)),
            ('rate', Decimal('0.3'),
                {'abandonment', 'no_show', 'cancellation'}))
        scaled = self.find('training.enrolment')[2]

        def scale():
            scaled.reload()
            return [
                (b.days_before_start, b.rate) for b in scaled.indemnity_scale]

        self.assertEqual(scaled.indemnity_kind, 'scale')
        self.assertEqual(
            set(scaled.indemnity_grounds), {'abandonment', 'no_show'})
        self.assertEqual(scale(), [
                (30, Decimal('0.1')), (10, Decimal('0.125')),
                (None, Decimal('0.5'))])
        counts, rejected = self.both('enrolments', (
                f"{header}I1;S1;P1;convention;;10 %;\n"
                "I3;S1;X1;contrat;;50 % / 10: 12,5 % / 30: 10 %;"
                "abandon+no_show\n"
                "I4;S1;X1;contrat;10 %;20 %;\n"
                "I5;S1;X1;contrat;;30: 10 % / 30: 20 %;\n"
                "I6;S1;X1;contrat;;30: 0,1;\n"
                "I7;S1;X1;contrat;;10 = 1 : 3;transfer\n"))
        self.assertEqual(counts, {'unchanged': 1})
        self.assertRejected(
            rejected, ('2', 'indemnity_scale'), ('4', 'indemnity_scale'),
            ('5', 'indemnity_scale'), ('6', 'indemnity_scale'),
            ('7', 'indemnity_scale, indemnity_grounds'))
        counts, rejected = self.both('enrolments', (
                f"{header}I3;S1;X1;contrat;;7: 20 %;motif légitime\n"))
        self.assertEqual((counts, rejected), ({'updated': 1}, []))
        self.assertEqual(scale(), [(7, Decimal('0.2'))])
        self.assertEqual(
            list(scaled.indemnity_grounds), ['legitimate_reason'])
        counts, rejected = self.both('enrolments', (
                f"{header}I3;S1;X1;contrat;7 %;;\n"))
        self.assertRejected(rejected, ('2', 'indemnity_rate'))

    def test_fundings(self):
        self.load_until('enrolments')
        header = (
            "enrolment;session;trainee;agreement;price;funder;share;amount;"
            "ceiling;hourly_rate;file_number;funder_2;share_2;amount_2;"
            "file_number_2\n")
        row = "I1;S1;P1;convention;1000;"
        enrolment = self.find('training.enrolment')[0]

        def fundings():
            enrolment.reload()
            return [
                (f.funder.name, f.share, f.amount, f.ceiling, f.hourly_rate,
                    f.file_number)
                for f in enrolment.fundings]

        content = header + row + "F1;60 %;;500,5;12,50;D1;E1;;300;D2\n"
        for counts in [{'updated': 1}, {'unchanged': 1}]:
            self.assertEqual(self.both('enrolments', content), (counts, []))
            self.assertEqual(fundings(), [
                    ("OPCO", Decimal('0.6'), None, Decimal('500.5'),
                        Decimal('12.5'), "D1"),
                    ("Ateliers", None, Decimal(300), None, None, "D2")])
        # One takes the place of the other that is not told
        content = header + row + "X1;;200;;;;F1;;;\n"
        self.assertEqual(
            self.both('enrolments', content), ({'updated': 1}, []))
        self.assertEqual(fundings(), [
                ("OPCO", Decimal('0.6'), None, Decimal('500.5'),
                    Decimal('12.5'), "D1"),
                ("Trainer", None, Decimal(200), None, None, None)])
        counts, rejected = self.both('enrolments', (
                header
                + row + "E1;50 %;;;;;;;;\n"
                + row.replace("I1", "I3") + "F1;50 %;100;;;;;;;\n"
                + row.replace("I1", "I4") + ";;;;;;;;100;\n"
                + row.replace("I1", "I5") + "F1;;;;;;F1;;;\n"
                + row.replace("I1", "I6") + "F1;;1.500;;;;;;;\n"
                + row.replace("I1", "I7") + "F1;0,5;;;;;;;;\n"))
        self.assertEqual(counts, {})
        self.assertRejected(
            rejected, ('2', 'funder'), ('3', 'amount'), ('4', 'amount_2'),
            ('5', 'funder_2'), ('6', 'amount'), ('7', 'share'))
        # By another code of the same party
        company = self.party("Ateliers")
        company.external_codes.new(source='import', code='E1-OLD')
        company.save()
        counts, rejected = self.both(
            'enrolments', header + row + "E1;60 %;;;;;E1-OLD;;300;\n")
        self.assertEqual(counts, {})
        self.assertRejected(rejected, ('2', 'funder_2'))
        # More than the price
        counts, rejected = self.both('enrolments', (
                f"{header}I3;S1;X1;contrat;100;F1;;;;;;E1;20 %;;\n"))
        self.assertEqual(counts, {})
        self.assertRejected(rejected, ('2', ''))

    def test_apprenticeship(self):
        self.load_until('enrolments')
        content = (
            "enrolment;session;trainee;agreement;client;contract_start;"
            "contract_end;npec;diploma_level;break_date;practical_days;"
            "still_in_training;previous_contract_broken;withdrawal_date\n"
            "I1;S1;P1;apprentissage;E1;01/09/2025;31/08/2026;8 000;6;"
            "06/01/2026;12 j;oui;non;\n"
            "I2;S1;P2;cpf;;;;;;;;;;02/01/2026\n")
        self.assertEqual(
            self.both('enrolments', content), ({'updated': 2}, []))
        self.assertEqual(
            self.both('enrolments', content), ({'unchanged': 2}, []))
        first, second = self.find('training.enrolment')
        self.assertEqual(
            [first.client.name, first.diploma_level, first.break_date,
                first.practical_days, first.still_in_training,
                first.previous_contract_broken],
            ["Ateliers", '6', dt.date(2026, 1, 6), 12, True, False])
        self.assertEqual(second.withdrawal_date, dt.date(2026, 1, 2))
        counts, rejected = self.both('enrolments', (
                "enrolment;session;trainee;agreement;diploma_level;"
                "practical_days;still_in_training\n"
                "I1;S1;P1;apprentissage;9;;\n"
                "I1;S1;P1;apprentissage;;1,5;\n"
                "I1;S1;P1;apprentissage;;1.500;\n"
                "I1;S1;P1;apprentissage;;;?\n"))
        self.assertEqual(counts, {})
        self.assertRejected(
            rejected, ('2', 'diploma_level'), ('3', 'practical_days'),
            ('4', 'practical_days'), ('5', 'still_in_training'))

    def test_family_name(self):
        self.load_until('enrolments')
        for value in ["D'Arcy-N'Guyen", "D'Arcy"]:
            counts, rejected = self.load('enrolments', (
                    "enrolment;session;trainee;agreement;family_name\n"
                    f"I1;S1;P1;convention;{value}\n"
                    "I2;S1;P2;cpf;\n"
                    "I3;S1;X1;cpf;Trainer\n"))
            self.assertEqual(rejected, [])
            self.assertEqual(counts['updated'], 1)
            self.assertEqual(
                [e.trainee.family_name
                    for e in self.find('training.enrolment')],
                [value, None, "Trainer"])
        counts, rejected = self.load('enrolments', (
                "enrolment;session;trainee;agreement;family_name\n"
                "I1;S1;P1;convention;\n"))
        self.assertEqual((counts, rejected), ({'unchanged': 1}, []))

    def test_enrolments_rejected(self):
        self.load_until('enrolments')
        counts, rejected = self.load('enrolments', (
                "enrolment;session;trainee;agreement;funder\n"
                "I1;S1;P2;convention;\n"
                "I3;S9;P1;convention;\n"
                "I4;S1;P9;convention;\n"
                "I5;S1;P1;;\n"
                "I6;S1;X1;contrat;NOBODY\n"
                "I7;S1;X1;contrat;\n"
                "I8;S1;X1;contrat;\n"))
        self.assertEqual(counts, {'created': 1})
        self.assertRejected(rejected,
            ('2', 'trainee'), ('3', 'session'), ('4', 'trainee'),
            ('5', 'agreement'), ('6', 'funder'), ('8', 'enrolment'))

    def test_attendance(self):
        self.assertEqual(
            self.load_until('attendance'), ({'created': 4}, []))

        attendances = self.find('training.attendance')
        self.assertEqual(
            sorted((a.enrolment.id, a.slot.uid, a.state, a.source)
                for a in attendances),
            sorted((e.id, uid, state, 'import') for e, uid, state in zip(
                    [attendances[0].enrolment] * 3
                    + [self.find('training.enrolment')[1]],
                    ['u1', 'u2', 'u3', 'u3'],
                    ['absent', 'late', 'present', 'excused'])))
        late, = [a for a in attendances if a.state == 'late']
        self.assertEqual(late.late_by, dt.timedelta(minutes=15))
        self.assertEqual(late.comment, "train")
        self.assertEqual(
            {s.state for s in self.find('training.session.slot')}, {'open'})
        self.assertEqual(
            [e.state for e in self.find('training.enrolment')],
            ['started', 'confirmed'])

    def test_attendance_close(self):
        self.load_until('attendance', close=True)
        self.assertEqual(
            {s.state for s in self.find('training.session.slot')}, {'held'})
        enrolment, _ = self.find('training.enrolment')
        self.assertEqual(enrolment.absence_count, 1)

    def test_attendance_notices(self):
        "The absences of lately are told, unless it is asked not to"
        with patch.object(
                notice_procedure.Procedure, 'notice_period',
                dt.timedelta(days=36500)):
            self.load_until('attendance', close=True, notify=False)
            self.assertFalse(self.find('training.mail'))
            self.load('attendance', (
                    "enrolment;date;start;status\n"
                    "I1;06/01/2026;09:00;A\n"))
        self.assertEqual(
            [m.to for m in self.find('training.mail')],
            ['e@a.example.org', 'contact@a.example.org'])

    def test_attendance_correction(self):
        "A sheet that is official is corrected and stays official"
        self.load_until('attendance', close=True)
        enrolment, _ = self.find('training.enrolment')
        enrolment.click('complete')
        counts, rejected = self.load('attendance', (
                "email;session;date;start;status\n"
                "E@a.example.org;S1;2026-01-05;09:00;excusé\n"
                "e@a.example.org;S1;2026-01-05;13:30;present\n"
                "e@a.example.org;S1;2026-01-06;09:00;present\n"))
        self.assertEqual(
            (counts, rejected), ({'updated': 2, 'unchanged': 1}, []))
        # The sheet that the file does not contradict is left alone
        self.assertEqual(
            [(s.state, s.reopened_count)
                for s in self.find('training.session.slot')],
            [('held', 1), ('held', 1), ('held', 0)])
        enrolment.reload()
        self.assertEqual(enrolment.state, 'completed')
        self.assertEqual(enrolment.absence_count, 0)
        self.assertEqual(enrolment.late_count, 0)

    def test_attendance_justified(self):
        "The absence that a justification excuses stays excused"
        self.load_until('attendance', close=True)
        absent, = self.find('training.attendance', ('state', '=', 'absent'))
        justification = Model.get('training.justification')(
            enrolment=absent.enrolment,
            start_date=absent.slot.date, end_date=absent.slot.date)
        justification.company = absent.enrolment.company
        justification.save()
        justification.click('accept')
        absent.reload()
        self.assertEqual(absent.state, 'excused')
        updated = absent.write_date
        (name,), _ = self.load('attendance', close=True)
        self.assertEqual(name, 'unchanged')
        absent.reload()
        self.assertEqual(
            (absent.state, absent.write_date), ('excused', updated))

    def test_attendance_statements(self):
        "Rows are read by batches, whether they are new or known"
        data = Data(self.client)
        path = data.prepare('L', 1000)
        for outcome in ['created', 'unchanged']:
            with count_reads() as statements:
                data.load(path, outcome, 1000)
            with self.subTest(outcome=outcome):
                self.assertLessEqual(
                    len(statements), 100 + 20 * 1000 / BATCH)

    def test_attendance_half_days(self):
        "The words of half-days and of the whole day give the slots"
        self.load_until('enrolments')
        result = self.load('attendance', (
                "enrolment;date;start;status;comment\n"
                "I1;05/01/2026;journée;R15;train\n"
                "I1;06/01/2026;Matin;X;\n"
                "I2;06/01/2026;day;parti (20 min);\n"),
            statuses={'x': 'excused'})
        self.assertEqual(result, ({'created': 3}, []))
        self.assertEqual(
            {(a.enrolment.trainee.party.name[0], a.slot.uid): (
                    a.state, a.late_by, a.left_by)
                for a in self.find('training.attendance')}, {
                ('É', 'u1'): ('late', dt.timedelta(minutes=15), None),
                ('É', 'u2'): ('present', None, None),
                ('É', 'u3'): ('excused', None, None),
                ('P', 'u3'): ('left_early', None, dt.timedelta(minutes=20)),
                })

        counts, rejected = self.load('attendance', (
                "enrolment;date;start;status;comment\n"
                "I1;05/01/2026;AM;R15;\n"
                "I1;05/01/2026;13:30;P;train\n"
                "I1;05/01/2026;PM;A;\n"
                "I1;05/01/2026;day;A;\n"
                "I1;06/01/2026;PM;A;\n"))
        self.assertEqual(counts, {'unchanged': 2})
        self.assertRejected(rejected,
            ('4', 'enrolment'), ('5', 'enrolment'), ('6', 'start'))

        counts, rejected = self.load('attendance', (
                "enrolment;date;start;status\n"
                "I1;05/01/2026;AM;A\n"
                "I1;05/01/2026;M;A\n"))
        self.assertEqual(counts, {'updated': 1})
        self.assertRejected(rejected, ('2', 'start'))
        self.assertIn("morning or afternoon", rejected[0]['reason'])

    def test_attendance_slots(self):
        "The slots that can not be told or have not been held are rejected"
        company = Model.get('company.company')(self.company['id'])
        company.timezone = 'Europe/Paris'
        company.save()
        self.load('parties')
        self.load('sessions', (
                "session;course;title;date;start;end;trainer\n"
                "S1;C1;Excel;28/03/2026;09:00;17:00;\n"
                "S1;C1;;29/03/2026;01:00;04:00;\n"
                "S1;C1;;30/03/2026;09:00;12:00;X1\n"
                "S1;C1;;30/03/2026;09:00;12:00;P1\n"
                "S1;C1;;31/03/2026;09:00;12:00;\n"
                "S1;C1;;31/03/2026;14:00;17:00;\n"
                "S1;C1;;01/04/2099;09:00;12:00;\n"))
        self.load('enrolments', (
                "enrolment;session;trainee;agreement\nI1;S1;P2;cpf\n"))
        cancelled, = self.find(
            'training.session.slot', ('date', '=', dt.date(2026, 3, 31)),
            ('start', '=', dt.time(14)))
        cancelled.click('cancel')
        counts, rejected = self.load('attendance', (
                "enrolment;date;start;status;minutes\n"
                "I1;28/03/2026;matin;A;\n"
                "I1;28/03/2026;après-midi;A;\n"
                "I1;29/03/2026;01:00;R;121\n"
                "I1;29/03/2026;jour;R121;\n"
                "I1;29/03/2026;01:00;R120;\n"
                "I1;30/03/2026;09:00;A;\n"
                "I1;31/03/2026;14:00;A;\n"
                "I1;31/03/2026;après-midi;A;\n"
                "I1;31/03/2026;jour;R10;11\n"
                "I1;31/03/2026;jour;A;\n"
                "I1;01/04/2099;09:00;A;\n"
                "I1;02/04/2026;jour;A;\n"
                "I1;31/03/26;jour;A;\n"))
        self.assertEqual(counts, {'created': 2})
        self.assertRejected(rejected,
            ('2', 'start'), ('3', 'start'), ('4', 'minutes'),
            ('5', 'status'), ('7', 'start'), ('8', 'date'), ('9', 'date'),
            ('10', 'minutes'), ('12', 'date'), ('13', 'date'), ('14', 'date'))
        self.assertEqual(
            [(a.slot.date.day, a.missed) for a in self.find(
                    'training.attendance')],
            [(29, dt.timedelta(hours=2)), (31, dt.timedelta(hours=3))])

    def test_ended_sessions(self):
        "The rows of the sessions that have ended are rejected"
        self.load_until('parties')
        content = (
            "session;course;title;date;start;end\n"
            "S1;C1;Excel;05/01/2026;09:00;12:00\n")
        later = content + "S1;C1;;05/01/2026;14:00;17:00\n"
        enrolments = (
            "enrolment;session;trainee;agreement\nI1;S1;P2;cpf\n")
        self.load('sessions', content)
        session, = self.find('training.session')
        for state, button, same in [
                ('done', 'do', {'unchanged': 1}), ('cancelled', 'cancel', {})]:
            with self.subTest(state=state):
                if session.state == 'planned':
                    session.click('run')
                session.click(button)
                counts, rejected = self.load('sessions', later)
                self.assertEqual(counts, same)
                self.assertIn(f"is {state}", rejected[-1]['reason'])
                self.assertEqual(rejected[-1]['column'], 'session')
                self.assertEqual(
                    len(self.find('training.session.slot')), 1)
                for dry_run in [True, False]:
                    counts, rejected = self.load(
                        'enrolments', enrolments, dry_run=dry_run)
                    self.assertEqual(counts, {})
                    self.assertIn(f"is {state}", rejected[0]['reason'])
                self.assertFalse(self.find('training.enrolment'))
                if state == 'done':
                    session.click('run')

    def test_closed_course(self):
        "A course that is closed takes no new session"
        self.load_until('sessions')
        course, = self.find('training.course')
        course.active = False
        course.save()
        counts, rejected = self.load('sessions', (
                "session;course;title;date;start;end\n"
                "S1;C1;;07/01/2026;09:00;12:00\n"
                "S2;C1;;07/01/2026;09:00;12:00\n"))
        self.assertEqual(counts, {'created': 1})
        self.assertIn("closed", rejected[0]['reason'])

    def test_attendance_email(self):
        "Who has left and come back is found by the date"
        self.load_until('enrolments')
        self.load('parties', (
                "code;name;kind;email\n"
                "P3;Twin;personne;Paul@a.example.org\n"))
        self.load('enrolments', (
                "enrolment;session;trainee;agreement;start_date\n"
                "I3;S1;P3;cpf;05/01/2026\n"))
        counts, rejected = self.load('attendance', (
                "email;session;date;start;status\n"
                "paul@a.example.org;S1;05/01/2026;09:00;A\n"
                "paul@a.example.org;S1;06/01/2026;09:00;A\n"
                "paul@a.example.org;S2;06/01/2026;09:00;A\n"
                "x@a.example.org;S1;06/01/2026;09:00;A\n"))
        self.assertEqual(counts, {'created': 1})
        self.assertRejected(rejected,
            ('3', 'email'), ('4', 'session'), ('5', 'email'))
        attendance, = self.find(
            'training.attendance', ('state', '=', 'absent'))
        self.assertEqual(attendance.enrolment.trainee.party.name, "Twin")

    def test_attendance_rejected(self):
        self.load_until('enrolments')
        counts, rejected = self.load('attendance', (
                "enrolment;date;start;status;minutes\n"
                "I9;05/01/2026;09:00;P;\n"
                "I1;05/01/2026;10:00;P;\n"
                "I2;05/01/2026;09:00;P;\n"
                "I1;05/01/2026;09:00;?;\n"
                "I1;05/01/2026;09:00;A;10\n"
                "I1;05/01/2026;13:30;R;1000\n"
                "I1;06/01/2026;09:00;R;10\n"
                "I1;06/01/2026;09:00;A;\n"))
        self.assertEqual(counts, {'created': 1})
        self.assertRejected(rejected,
            ('2', 'enrolment'), ('3', 'start'), ('4', 'date'),
            ('5', 'status'), ('6', 'minutes'), ('7', 'minutes'),
            ('9', 'enrolment'))


class PreventionTestCase(BaseTestCase):
    "Test the import of the follow-ups, the measures and the answers"

    def setUp(self):
        super().setUp()
        self.load_until('enrolments')
        Model.get('company.employee')(
            party=self.party("Trainer"), company=self.company_record()).save()
        Questionnaire = Model.get('training.questionnaire')
        questionnaire = Questionnaire(
            name="Needs", start_date=dt.date(2026, 1, 1))
        for name, kind, choices in [
                ("Expectations", 'text', None),
                ("Equipped ?", 'yes_no', None),
                ("Level", 'choice', "Low\nHigh"),
                ("Years", 'number', None),
                ]:
            questionnaire.questions.new(
                name=name, kind=kind, choices=choices)
        questionnaire.save()

    def company_record(self):
        company, = self.find('company.company')
        return company

    def test_follow_ups(self):
        company = self.company_record()
        company.timezone = 'Europe/Paris'
        company.save()
        self.assertEqual(self.load('follow_ups'), ({'created': 2}, []))
        call, meeting = self.find('training.follow_up')
        self.assertEqual(
            (call.kind, call.outcome, call.note, call.party.name),
            ('call', 'reached', "Train late", "Éloïse D'Arcy-N'Guyen"))
        self.assertEqual(call.done_at, dt.datetime(2026, 1, 5, 9, 5))
        self.assertEqual(
            (meeting.kind, meeting.party.name, meeting.employee.party.name),
            ('meeting', "Ateliers", "Trainer"))
        self.assertEqual(meeting.planned_at, dt.datetime(2026, 1, 7, 13))
        done = FOLLOW_UPS.replace(
            '2026-01-07 14:00;;X1;;', '2026-01-07 14:00;07/01/2026 14:10;X1;'
            'sans réponse;')
        self.assertEqual(
            self.load('follow_ups', done),
            ({'updated': 1, 'unchanged': 1}, []))
        meeting.reload()
        self.assertEqual(meeting.outcome, 'no_answer')
        # The party stays when the cell is empty
        self.assertEqual(
            self.load('follow_ups', done.replace(';E1;', ';;')),
            ({'unchanged': 2}, []))

    def test_follow_ups_rejected(self):
        self.load('follow_ups')
        _, rejected = self.load('follow_ups', """\
follow_up;enrolment;kind;party;planned_at;done_at;employee;outcome
A1;I9;call;;05/01/2026 10:00;;;
A2;I1;fax;;05/01/2026 10:00;;;
A3;I1;call;P9;05/01/2026 10:00;;;
A4;I1;call;;05/01/2026;;;
A5;I1;call;;05/01/2026 10:00;;P1;
A6;I1;call;;05/01/2026 10:00;;;reached
A7;I1;call;;;;;
R1;I2;call;;05/01/2026 10:00;;;
A8;I1;call;;;01/01/2999 10:00;;reached
""")
        self.assertRejected(
            rejected, ('2', 'enrolment'), ('3', 'kind'), ('4', 'party'),
            ('5', 'planned_at'), ('6', 'employee'), ('7', 'done_at'),
            ('8', 'planned_at'), ('9', 'enrolment'), ('10', 'done_at'))
        self.assertEqual(len(self.find('training.follow_up')), 2)

    def test_measures(self):
        self.assertEqual(self.load('measures'), ({'created': 2}, []))
        visit, platform = sorted(
            self.find('training.measure'), key=lambda m: m.name, reverse=True)
        self.assertEqual(
            (platform.kind.number, platform.course.code, platform.date),
            (6, 'C1', dt.date(2026, 1, 5)))
        self.assertEqual(
            (visit.kind.number, visit.note), (11, "Met the tutor"))
        self.assertTrue(visit.enrolment)
        self.assertEqual(
            self.load('measures', MEASURES.replace("Met the", "Met her")),
            ({'updated': 1, 'unchanged': 1}, []))
        self.assertEqual(
            self.load('measures', MEASURES.replace(';I1;', ';;')),
            ({'updated': 1, 'unchanged': 1}, []))
        visit.reload()
        self.assertEqual(visit.note, "Met the tutor")

    def test_measures_note(self):
        with patch.object(
                self.client, 'call', side_effect=self.without_note):
            counts, rejected = self.load('measures')
        self.assertEqual(counts, {'created': 1})
        self.assertRejected(rejected, ('3', 'description'))

    def without_note(self, model, method, *args, **context):
        "Answer as to who is not in the group Sensitive Reasons"
        result = type(self.client).call(
            self.client, model, method, *args, **context)
        if method == 'fields_get':
            result.pop('note', None)
        return result

    def test_measures_rejected(self):
        self.load('measures')
        _, rejected = self.load('measures', """\
measure;name;kind;course;session;enrolment;date
B1;Name;99;;;;05/01/2026
B2;Name;V8-1;;;;05/01/2026
B3;Name;visit;;;;05/01/2026
B4;Name;6;C9;;;05/01/2026
B5;Name;6;;S9;;05/01/2026
M2;Visit;11;;;I2;06/01/2026
B6;Name;6;;;;01/01/2999
B7;;6;;;;05/01/2026
""")
        self.assertRejected(
            rejected, ('2', 'kind'), ('3', 'kind'), ('4', 'kind'),
            ('5', 'course'), ('6', 'session'), ('7', 'enrolment'),
            ('8', 'date'), ('9', 'name'))

    def test_answers(self):
        self.assertEqual(self.load('answers'), ({'created': 4}, []))
        answers = {
            a.question.name: a.value or a.text
            for a in self.find('training.questionnaire.answer')}
        self.assertEqual(answers, {
                "Expectations": "Learn Excel", "Equipped ?": 'yes',
                "Level": "High", "Years": '1.5'})
        self.assertEqual(
            self.load('answers', ANSWERS.replace("Oui", "non")),
            ({'updated': 1, 'unchanged': 3}, []))

    def test_answers_rejected(self):
        _, rejected = self.load('answers', """\
enrolment;questionnaire;question;answer;answered_on
I9;Needs;Level;High;05/01/2026
I1;Other;Level;High;05/01/2026
I1;Needs;Age;12;05/01/2026
I1;Needs;Level;Middle;05/01/2026
I1;Needs;Years;many;05/01/2026
I1;Needs;Equipped ?;perhaps;05/01/2026
I1;Needs;Level;High;05/01/2025
I1;Needs;Level;High;01/01/2999
I1;Needs;Level;;05/01/2026
""")
        self.assertRejected(
            rejected, ('2', 'enrolment'), ('3', 'questionnaire'),
            ('4', 'question'), ('5', 'answer'), ('6', 'answer'),
            ('7', 'answer'), ('8', 'questionnaire'), ('9', 'answered_on'),
            ('10', 'answer'))

    def test_prevention_again(self):
        "Importing again changes nothing, and a dry run tells the same"
        for kind in PREVENTION:
            tried = self.load(kind, dry_run=True)
            self.assertEqual(self.load(kind), tried)
            (name,), rejected = self.load(kind)
            self.assertEqual((name, rejected), ('unchanged', []))
        self.assertEqual(len(self.find('training.external_code', [
                            'OR',
                            ('model', '=', 'training.follow_up'),
                            ('model', '=', 'training.measure'),
                            ])), 4)
