# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import errno
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections import namedtuple
from contextlib import ExitStack, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import Mock, patch

from pypdf import PdfReader

from trytond import backend
from trytond.filestore import FileStore, filestore
from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.modules.training_abandon import tools
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from ..declaration.declaration import Event
from ..evidence import builder
from ..evidence.archive import Archive, safe_name, safe_suffix
from ..evidence.pack import ATTEMPTS, INLINE, LEASE, READABLE
from ..exceptions import EvidencePackError, ReportError
from ..journal.files import by_size
from ..journal.record import record_faults
from ..mail.message import read_message
from ..pdf_report import MergedReport
from .common import (
    DATE, DAY, DatabaseTestCase, as_user, at, count_statements,
    create_enrolments, create_party, create_session, create_user, mail_server,
    open_cases, run_wizard, same_transaction, set_up)

PDF = b'%PDF-1.4'
PRIVATE = "Burnout since May"


class FullFile(io.FileIO):
    "A file on a disk with place for half of it"

    def write(self, data):
        super().write(data[:len(data) // 2])
        raise OSError(errno.EDQUOT, "Full")


class Links(HTMLParser):
    "Reads a page: its links, its identifiers and its language"

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.lang = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == 'html':
            self.lang = attributes.get('lang')
        for name in ['href', 'src']:
            if name in attributes:
                self.links.append(attributes[name])
        if 'id' in attributes:
            self.ids.append(attributes['id'])


class Text(HTMLParser):
    "Reads the words of a page, or of a text"

    def __init__(self, text):
        super().__init__()
        self._words = []
        self.feed(text)
        self.close()

    @property
    def text(self):
        return ''.join(self._words)

    def handle_data(self, data):
        self._words.append(data)


class PackTestCase(DatabaseTestCase):
    "Base of the tests of the packs"
    language = 'fr'

    def cases(self, session, prescriber=None, count=1):
        "Return cases with mails sent, a reply, a call and a justification"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        Justification = pool.get('training.justification')
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        cases = Case.open_cases(
            create_enrolments(session, count, prescriber), 'absence', DATE,
            note=PRIVATE)
        run_wizard('training.abandon.case.inform', cases)
        with mail_server():
            Mail.deliver(Mail.search([('case', 'in', [c.id for c in cases])]))
        for case in cases:
            party = case.enrolment.trainee.party
            Reply.create([{
                        'company': case.company.id,
                        'case': case.id,
                        'party': party.id,
                        'received_at': tools.now(),
                        'message_id': f'<{case.id}@example.com>',
                        'message': f'Subject: {PRIVATE}'.encode(),
                        'message_digest': read_message(
                            f'Subject: {PRIVATE}'.encode()).digest,
                        'kind': 'answer',
                        'text': PRIVATE,
                        }])
            FollowUp.create([{
                        'company': case.company.id,
                        'enrolment': case.enrolment.id,
                        'case': case.id,
                        'kind': 'call',
                        'party': party.id,
                        'done_at': tools.now(),
                        'outcome': 'reached',
                        'note': PRIVATE,
                        }])
            Justification.create([{
                        'company': case.company.id,
                        'enrolment': case.enrolment.id,
                        'kind': 'sick_leave',
                        'start_date': DATE,
                        'end_date': DATE,
                        'document': PRIVATE.encode(),
                        'filename': f'{PRIVATE}.PDF',
                        }])
        return Case.browse(cases)

    def declare(self, case):
        "Declare something of the case, in time"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Enrolment = pool.get('training.enrolment')
        Enrolment.write([case.enrolment], {'agreement_kind': 'cpf'})
        declarations = Declaration.declare('decision', [Event(
                    Enrolment(case.enrolment.id), case, 'abandonment', DATE)])
        Declaration.record_done(
            declarations, DATE, reference="R-1", proof=b'Proof',
            proof_name="proof.png")

    def request(self, cases, **values):
        "Return the pack of the cases, made"
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        pack, = Pack.request(cases, "Chosen", **values)
        self.build(pack)
        return Pack(pack.id)

    @staticmethod
    def build(*packs):
        with same_transaction():
            type(packs[0]).build(list(packs))

    @contextmanager
    def unpacked(self, pack):
        "Yield the folder where the file of the pack is unpacked"
        data = pack.sensitive_file if pack.sensitive else pack.file
        with tempfile.TemporaryDirectory() as directory, \
                zipfile.ZipFile(io.BytesIO(data)) as archive:
            self.assertIsNone(archive.testzip())
            archive.extractall(directory)
            yield Path(directory)

    @staticmethod
    def sha256sum(folder):
        return subprocess.run(
            ['sha256sum', '-c', 'manifest.sha256'], cwd=folder,
            capture_output=True, text=True, env={'LC_ALL': 'C'})

    @staticmethod
    def files(folder):
        return sorted(
            str(p.relative_to(folder)) for p in folder.rglob('*')
            if p.is_file())

    def words(self, folder):
        "Return all the bytes of the files"
        return b'\n'.join(
            (folder / name).read_bytes() for name in self.files(folder))

    def check_links(self, folder):
        "Check that the links of the pages lead to files of the pack"
        for name in self.files(folder):
            if not name.endswith('.html'):
                continue
            page = folder / name
            read = Links(page.read_text())
            self.assertEqual(read.lang, 'fr')
            self.assertEqual(len(read.ids), len(set(read.ids)))
            for link in read.links:
                with self.subTest(page=name, link=link):
                    self.assertRegex(link, '^[a-z0-9./-]+$')
                    target = (page.parent / link).resolve()
                    self.assertTrue(target.is_relative_to(folder.resolve()))
                    self.assertTrue(target.is_file())

    @contextmanager
    def without_conversion(self):
        "Have the documents not converted, which takes long"
        pool = Pool()
        with ExitStack() as stack:
            for name in ['chronology', 'sheet']:
                stack.enter_context(patch.object(
                        pool.get(
                            f'training.evidence_pack.{name}', type='report'),
                        'execute_many',
                        lambda titles, data: dict.fromkeys(titles, PDF)))
            yield


class ContentTestCase(PackTestCase):
    "Test what is in the pack"

    @with_transaction()
    def test_unpacked(self):
        "Test that the pack is whole, read and verified anywhere"
        with set_up() as (company, session, prescriber):
            cases = self.cases(session, prescriber, 3)
            self.declare(cases[0])
            pack = self.request(cases)
            self.assertEqual(
                [pack.state, pack.problems, pack.done_count, pack.progress],
                ['done', None, 3, 1])
            with self.unpacked(pack) as folder:
                done = self.sha256sum(folder)
                self.assertEqual(done.returncode, 0, done.stdout)
                names = self.files(folder)
                self.assertEqual(
                    len(done.stdout.splitlines()), len(names) - 1)
                self.check_links(folder)
                # The timelines, that are converted together, and the sheets
                pdfs = [n for n in names if n.endswith('.pdf')]
                self.assertEqual(len(pdfs), 4)
                for name in pdfs:
                    self.assertTrue(
                        (folder / name).read_bytes().startswith(b'%PDF'))
                mails = [
                    (folder / n).read_bytes()
                    for n in names if n.endswith('.eml')]
                self.assertTrue(mails)
                self.assertEqual(
                    sorted(mails), sorted(
                        bytes(m.message) for c in cases for m in c.mails))
                index = (folder / 'index.html').read_text()
                for case in cases:
                    self.assertIn(case.number, index)
                    self.assertIn(case.trainee.rec_name, index)
                    page, = folder.glob(
                        f'dossiers/{case.number.lower()}-*/index.html')
                    # By which the journal names it
                    self.assertIn(
                        f'<dt>ID</dt><dd>{case.id}</dd>', page.read_text())
                page, = folder.glob(
                    f'dossiers/{cases[0].number.lower()}-*/index.html')
                for words in ["Déclarations", "R-1", "Dans les temps"]:
                    self.assertIn(words, Text(page.read_text()).text)
                proof, = page.parent.glob('*.png')
                self.assertEqual(proof.read_bytes(), b'Proof')

    @with_transaction()
    def test_same_enrolment(self):
        "Test that two cases of an enrolment have each what is known of it"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            first, = self.cases(session, prescriber)
            slot, *_ = session.slots
            Slot.open([slot])
            Slot.close([slot])
            Case.cancel([first])
            second, = open_cases([first.enrolment])
            pack = self.request([first, second])
            with self.unpacked(pack) as folder:
                self.check_links(folder)
                for case in [first, second]:
                    page, = folder.glob(
                        f'dossiers/{case.number.lower()}-*/index.html')
                    text = page.read_text()
                    for section, count in [
                            ('attendances', 1), ('justifications', 1)]:
                        _, _, rest = text.partition(f'id="{section}"')
                        rows, _, _ = rest.partition('</section>')
                        self.assertEqual(
                            rows.count('<tr role="row"><td'), count)

    @with_transaction()
    def test_scans(self):
        "Test that who may has what is attached to the sheets, once"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            cases = self.cases(session, prescriber, 2)
            slot, *_ = session.slots
            Attachment.create([{
                        'resource': str(r),
                        'name': "Scan.PDF",
                        'data': str(r).encode(),
                        } for r in [session, slot]])
            for sensitive in [False, True]:
                pack = self.request(cases, sensitive=sensitive)
                with self.unpacked(pack) as folder:
                    self.check_links(folder)
                    scans = [
                        p.read_bytes() for p in
                        (folder / 'feuilles-d-emargement').iterdir()]
                self.assertEqual(sorted(scans), sorted([PDF, *(
                                str(r).encode() for r in [session, slot]
                                if sensitive)]))

    @with_transaction()
    def test_sheets(self):
        "Test that the sheets of the sessions are converted together"
        pool = Pool()
        Sheet = pool.get('training.evidence_pack.sheet', type='report')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            sessions = [
                session, create_session(company, days=10),
                create_session(company)]
            Slot.cancel(sessions[2].slots)
            for each in sessions:
                create_enrolments(each)
            # In this order
            titles = {s.id: s.number for s in reversed(sessions)}
            beat = Mock()
            with patch.object(
                    Sheet, 'convert', wraps=Sheet.convert) as convert:
                sheets = Sheet.execute_many(titles, {'beat': beat})
            convert.assert_called_once()
            beat.assert_called_once()
            # Without a pack that waits for it
            with patch.object(
                    Sheet, 'convert', return_value=('pdf', PDF)):
                self.assertEqual(
                    Sheet.execute([session.id], {})[:2], ('pdf', PDF))
            for each, pages in zip(sessions, [1, 4, 1]):
                reader = PdfReader(io.BytesIO(sheets[each.id]))
                self.assertEqual(len(reader.pages), pages)
                for page in reader.pages:
                    text = page.extract_text()
                    self.assertEqual(
                        [s.number in text for s in sessions],
                        [s == each for s in sessions])

    @with_transaction()
    def test_journal(self):
        "Test that the journal in the pack is verified where it is unpacked"
        pool = Pool()
        Day = pool.get('training.journal.day')
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            cases = self.cases(session, prescriber, 3)
            Day.record(company)
            with self.unpacked(self.request(cases[:2])) as folder:
                links = Links((folder / 'index.html').read_text()).links
                self.assertLess(
                    {'journal.jsonl', 'days.jsonl', 'verify.py'}, set(links))
                self.check_links(folder)
                self.assertIn('sound', self.verify(folder))
                journal = folder / 'journal.jsonl'
                lines = journal.read_text().splitlines(keepends=True)
                self.assertEqual(
                    {json.loads(x)['case'] for x in lines},
                    {c.id for c in cases[:2]})
                journal.write_text(''.join(lines[:1] + lines[2:]))
                self.assertIn(
                    f"BROKEN case {cases[0].id}, entry 2",
                    self.verify(folder, 1))

    def verify(self, folder, code=0):
        result = subprocess.run(
            [sys.executable, '-I', 'verify.py', 'journal.jsonl',
                'days.jsonl'],
            cwd=folder, capture_output=True, text=True)
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stdout

    @with_transaction()
    def test_altered_file(self):
        "Test that sha256sum names the files that are altered or missing"
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            pack = self.request(self.cases(session, prescriber))
            with self.unpacked(pack) as folder:
                altered, removed = [
                    n for n in self.files(folder) if n.endswith('.html')][:2]
                (folder / altered).write_text("Altered")
                (folder / removed).unlink()
                done = self.sha256sum(folder)
                self.assertEqual(done.returncode, 1)
                self.assertEqual([
                        line for line in done.stdout.splitlines()
                        if not line.endswith(': OK')], [
                        f'{altered}: FAILED',
                        f'{removed}: FAILED open or read'])

    @with_transaction()
    def test_missing(self):
        "Test that a file that is not on the disk is named and the rest made"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            case, other = self.cases(session, prescriber, 2)
            mail, *_ = case.mails
            filestore.delete(mail.message_file_id, Transaction().database.name)
            with self.assertLogs('trytond', 'ERROR'):
                pack = self.request([case, other])
            problem = (
                f"{Mail.__names__()['model']} {mail.id} Message de "
                f"{case.rec_name} manque\u00a0: son fichier n'est plus sur le "
                "serveur.")
            self.assertEqual([pack.state, pack.problems], ['done', problem])
            with self.unpacked(pack) as folder:
                self.assertEqual(self.sha256sum(folder).returncode, 0)
                self.check_links(folder)
                told = {
                    name for name in self.files(folder)
                    if problem in Text((folder / name).read_text()).text}
                page, = [n for n in told if case.number.lower() in n]
                self.assertEqual(
                    told, {page, 'index.html', 'lisez-moi.txt'})

    @with_transaction()
    def test_altered_message(self):
        "Test that a mail, a reply or a call that was altered is named"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        database = Transaction().database.name
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            cases = self.cases(session, prescriber, 3)
            case, other, called = cases
            self.assertIsNone(self.request(cases, sensitive=True).problems)
            mail = case.mails[0]
            reply, = Reply.search([('case', '=', other.id)])
            for Model, record in [(Mail, mail), (Reply, reply)]:
                table = Model.__table__()
                cursor = Transaction().connection.cursor()
                cursor.execute(*table.update(
                        [table.message_file_id],
                        [filestore.set(b'Subject: Other', database)],
                        where=table.id == record.id))
            call = FollowUp.__table__()
            cursor.execute(*call.update(
                    [call.outcome], ['no_answer'],
                    where=call.case == called.id))
            tools.forget_read()
            pack = self.request(cases, sensitive=True)
            problems = pack.problems.splitlines()
            self.assertEqual(len(problems), 3, problems)
            self.assertTrue(any(
                    called.rec_name in p and "sans Tryton" in p
                    for p in problems))
            for record in [mail, reply]:
                self.assertTrue(any(
                        f"{record.__names__()['model']} {record.id} " in p
                        for p in problems))

    @with_transaction()
    def test_altered_certificate(self):
        "Test that a document that is not what was issued is named"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            case, = self.cases(session, prescriber)
            Certificate.create([{
                        'case': case.id,
                        'kind': 'record',
                        'document': PDF,
                        'sha256': '0' * 64,
                        'issued_at': tools.now(),
                        }])
            pack = self.request([case])
            self.assertIn("n'est pas ce qui a été émis", pack.problems)
            with self.unpacked(pack) as folder:
                self.assertTrue([
                        n for n in self.files(folder)
                        if n.endswith('.pdf') and 'attestation' in n])

    @with_transaction()
    def test_names(self):
        "Test that names that make bad files make good ones"
        pool = Pool()
        Party = pool.get('party.party')
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            cases = self.cases(session, prescriber, 3)
            names = ['../../CON', 'Zoë "Œ" <:|?*>\\', 'é' * 200]
            for case, name in zip(cases, names):
                Party.write([case.enrolment.trainee.party], {'name': name})
            pack = self.request(cases)
            with self.unpacked(pack) as folder:
                self.check_links(folder)
                files = self.files(folder)
                self.assertEqual(len({n.lower() for n in files}), len(files))
                self.assertEqual(len(list((folder / 'dossiers').iterdir())), 3)
                for name in files:
                    self.assertRegex(name, '^[a-z0-9/.-]+$')
                    self.assertLess(len(name), 200)

    def test_safe_name(self):
        "Test the names of the files"
        for text, name in [
                ("Dossier N° 12/Été", 'dossier-n-12-ete'), ("..", ''),
                ("CON", 'con'), (None, ''), ("日本", ''), ("a" * 99, "a" * 60)]:
            with self.subTest(text=text):
                self.assertEqual(safe_name(text), name)
        for text, suffix in [
                ("Scan.PDF", '.pdf'), ("x", '.bin'), (None, '.bin'),
                ("x.p df", '.bin'), ("x.html", '.bin'), ("x.svg", '.bin'),
                ("x.pdf.exe", '.bin'), ("x.docx", '.docx')]:
            with self.subTest(text=text):
                self.assertEqual(safe_suffix(text), suffix)

    def test_unique(self):
        "Test that two files or folders never have the same name"
        archive = Archive(io.BytesIO(), dt.datetime(2026, 3, 2))
        self.assertEqual(
            [archive.folder(n) for n in ['a/b', 'a/b', 'a/c', 'a/b']],
            ['a/b', 'a/b-2', 'a/c', 'a/b-3'])
        self.assertEqual(
            [archive.add(n, n) for n in ['a/b.pdf', 'a/b.pdf']],
            ['a/b.pdf', 'a/b-2.pdf'])
        archive.close()

    @with_transaction()
    def test_statements(self):
        "Test that the statements do not grow with the cases"
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        counts = []
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            for count in [1, 2, 8]:
                cases = self.cases(session, prescriber, count)
                pack, = Pack.request(cases, "Chosen", sensitive=True)
                tools.forget_read()
                with count_statements() as statements:
                    self.build(pack)
                counts.append(len(statements))
                self.assertEqual(Pack(pack.id).problems, None)
        # The first one reads what is kept in the caches
        self.assertLessEqual(counts[2], counts[1] + 3, counts)


class SensitiveTestCase(PackTestCase):
    "Test that the sensitive data are only in the packs of those who may"

    @with_transaction()
    def test_left_out(self):
        "Test that they are left out by default, and that it is said"
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            case, = self.cases(session, prescriber)
            self.attach(case)
            pack = self.request([case])
            self.assertFalse(pack.sensitive_file)
            with self.unpacked(pack) as folder:
                words = self.words(folder)
                self.assertNotIn(PRIVATE.encode(), words)
                self.assertNotIn(b'<td role="cell">Arr', words)
                for name in self.files(folder):
                    if name.endswith('.html') and 'procedure' not in name:
                        self.assertIn(
                            "données sensibles ne sont pas dans ce dossier",
                            Text((folder / name).read_text()).text)
                readme = (folder / 'lisez-moi.txt').read_text()
                self.assertIn("aux sessions et aux séances", readme)

    @with_transaction()
    def test_in(self):
        "Test that they are there for who may and asks, which is kept"
        pool = Pool()
        Log = pool.get('ir.model.log')
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            case, = self.cases(session, prescriber)
            self.attach(case)
            user = create_user(
                'auditor', company, 'training_reading', 'sensitive_reason')
            with as_user(user):
                pack = self.ask([case], sensitive=True)
            self.build(pack)
            pack = type(pack)(pack.id)
            self.assertEqual(
                [pack.state, pack.sensitive, pack.requested_by, pack.file],
                ['done', True, user, None])
            with self.unpacked(pack) as folder:
                self.assertEqual(self.sha256sum(folder).returncode, 0)
                self.check_links(folder)
                names = self.files(folder)
                found = {
                    n.rpartition('.')[2] for n in names
                    if PRIVATE.encode() in (folder / n).read_bytes()}
                self.assertEqual(found, {'html', 'eml', 'pdf', 'txt'})
            Transaction()._store_log_records()
            log, = Log.search([
                    ('resource', '=', str(pack)), ('event', '=', 'button')])
            self.assertEqual([log.user, log.target], [user, 'request'])

    @with_transaction()
    def test_refused(self):
        "Test that who may not have them cannot ask for them"
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        with set_up() as (company, session, prescriber):
            case, = self.cases(session, prescriber)
            with as_user(create_user('head', company, 'training_admin')):
                with self.assertRaises(AccessError):
                    self.ask([case], sensitive=True)
            self.assertFalse(Pack.search([]))

    @with_transaction()
    def test_right_lost(self):
        "Test that who may no more does not get them"
        pool = Pool()
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            case, = self.cases(session, prescriber)
            user = create_user(
                'auditor', company, 'training_reading', 'sensitive_reason')
            with as_user(user):
                pack = self.ask([case], sensitive=True)
            User.write([user], {'groups': [
                        ('remove', [
                                g.id for g in user.groups
                                if "sensibles" in g.name])]})
            self.build(pack)
            pack = type(pack)(pack.id)
            self.assertEqual(
                [pack.state, pack.sensitive_file], ['failed', None])
            self.assertIn("Motifs sensibles", pack.problems)

    @with_transaction()
    def test_read(self):
        "Test who reads which file"
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            cases = self.cases(session, prescriber)
            plain = self.request(cases)
            full = self.request(cases, sensitive=True)
            own = create_user('reading', company, 'training_reading')
            with as_user(own):
                mine = self.ask(cases)
                self.assertEqual(Pack.search([]), [mine])
                with self.assertRaises(AccessError):
                    Pack.read([plain.id], ['file'])
            with as_user(create_user('head', company, 'training_admin')):
                self.assertEqual(
                    set(Pack.search([])), {plain, full, mine})
                row, = Pack.read([plain.id], ['file'])
                self.assertTrue(row['file'])
                with patch.dict(READABLE, file=10), \
                        self.assertRaisesRegex(AccessError, "lien"):
                    Pack.read([plain.id], ['file'])
                with self.assertRaises(AccessError):
                    Pack.read([full.id], ['sensitive_file'])
            with as_user(create_user('assistant', company, 'training')):
                with self.assertRaises(AccessError):
                    Pack.search([])
            with as_user(create_user(
                        'both', company, 'training_admin',
                        'sensitive_reason')):
                # It would not be logged
                with self.assertRaisesRegex(AccessError, "lien"):
                    Pack.read([full.id], ['sensitive_file'])
                with Transaction().set_context({
                            f'{Pack.__name__}.sensitive_file': 'size'}):
                    row, = Pack.read([full.id], ['sensitive_file'])
                self.assertGreater(row['sensitive_file'], 0)

    @with_transaction()
    def test_remove(self):
        "Test that the administrators remove the files, which is kept"
        pool = Pool()
        Log = pool.get('ir.model.log')
        Pack = pool.get('training.evidence_pack')
        Queue = pool.get('ir.filestore.queue')
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            cases = self.cases(session, prescriber)
            packs = [
                self.request(cases), self.request(cases, sensitive=True)]
            ids = {packs[0].file_id, packs[1].sensitive_file_id}
            with as_user(create_user('reading', company, 'training_reading')):
                mine = self.ask(cases)
                with self.assertRaises(AccessButtonError):
                    Pack.remove([mine])
            user = create_user('head', company, 'training_admin')
            with as_user(user):
                Pack.remove(Pack.browse(packs))
            tools.forget_read()
            for pack in Pack.browse(packs):
                self.assertEqual(
                    [pack.file_id, pack.sensitive_file_id], [None, None])
            cursor = Transaction().connection.cursor()
            table = Queue.__table__()
            cursor.execute(*table.select(table.file_id))
            self.assertLessEqual(ids, {id_ for id_, in cursor})
            Transaction()._store_log_records()
            logs = Log.search([('target', '=', 'remove')])
            self.assertEqual(
                {(log.user, log.resource) for log in logs},
                {(user, p) for p in packs})

    @with_transaction()
    def test_remove_due(self):
        "Test that an old file is removed, and that the pack is still known"
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Pack = pool.get('training.evidence_pack')
        with set_up() as (company, session, prescriber), \
                self.without_conversion():
            configuration = Configuration(1)
            configuration.evidence_pack_days = 30
            configuration.save()
            with at(tools.now() - 31 * DAY):
                old = self.request(self.cases(session, prescriber))
                with self.unpacked(old) as folder:
                    manifest = (folder / 'manifest.sha256').read_bytes()
            recent = self.request(old.cases, sensitive=True)

            Pack.remove_due()

            old, recent = Pack.browse([old, recent])
            self.assertIsNone(old.file)
            self.assertEqual(
                [old.state, old.manifest_sha256],
                ['done', hashlib.sha256(manifest).hexdigest()])
            self.assertTrue(recent.sensitive_file)

    def ask(self, cases, **values):
        "Return the pack asked for with the wizard"
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        run_wizard('training.evidence_pack.request', cases, **values)
        pack = max(Pack.search([]), key=int)
        return pack

    def attach(self, case):
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Attachment.create([{
                    'resource': str(case),
                    'name': f'{PRIVATE}.txt',
                    'data': PRIVATE.encode(),
                    }])


class BuildTestCase(PackTestCase):
    "Test what becomes of the packs that are asked for"

    def setUp(self):
        super().setUp()
        self.now = dt.datetime.combine(DATE + DAY, dt.time(12))

    @contextmanager
    def pack(self, count=1):
        "Yield a pack that is asked for"
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        with set_up() as (company, session, prescriber), \
                self.without_conversion(), at(lambda: self.now):
            pack, = Pack.request(
                self.cases(session, prescriber, count), "Chosen")
            yield pack

    @staticmethod
    def build_due(pack):
        Pack = type(pack)
        with same_transaction():
            Pack.build_due()
        tools.forget_read()
        return Pack(pack.id)

    @staticmethod
    def tasks(pack):
        pool = Pool()
        Queue = pool.get('ir.queue')
        return [
            t for t in Queue.search([]) if t.data['model'] == pack.__name__]

    @with_transaction()
    def test_queued(self):
        "Test that a small pack is made at once and a large one by the cron"
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        with self.pack() as pack:
            tasks = self.tasks(pack)
            self.assertEqual([t.data['method'] for t in tasks], ['build'])
            self.assertEqual(tasks[0].data['instances'], (pack.id,))
            Pack.write([pack], {'case_count': INLINE + 1})
            Pack.queue([pack])
            self.assertEqual(self.tasks(pack), tasks)
            self.assertEqual(self.build_due(pack).state, 'done')

    @with_transaction()
    def test_progress(self):
        "Test that the cases done are told while it is made"
        with self.pack(3) as pack, patch.object(tools, 'SET', 1):
            told = []
            keep = type(pack)._keep

            def note(pack, attempt, count, **kwargs):
                keep(pack, attempt, count, **kwargs)
                tools.forget_read()
                pack = type(pack)(pack.id)
                told.append((pack.state, pack.progress, pack.file_id))

            with patch.object(type(pack), '_keep', note):
                self.build_due(pack)
            self.assertEqual(told, [
                    ('building', .3333, None), ('building', .6667, None),
                    ('building', 1, None), ('building', 1, None),
                    ('building', 1, None)])

    @with_transaction()
    def test_interrupted(self):
        "Test that a pack that is interrupted is made again later"
        with self.pack() as pack:
            for _ in range(2):
                with patch.object(
                        Archive, 'close',
                        side_effect=backend.DatabaseOperationalError), \
                        self.assertRaises(backend.DatabaseOperationalError):
                    self.build_due(pack)
                pack = type(pack)(pack.id)
                self.assertEqual(
                    [pack.state, pack.file, pack.file_id],
                    ['building', None, None])
                # Another process may still make it
                self.assertEqual(self.build_due(pack).state, 'building')
                self.now += LEASE
            pack = self.build_due(pack)
            self.assertEqual([pack.state, pack.attempts], ['done', 3])

    @with_transaction()
    def test_interrupted_again(self):
        "Test that what always stops the server is not tried for ever"
        with self.pack() as pack:
            for _ in range(ATTEMPTS):
                with patch.object(
                        type(pack), '_make',
                        side_effect=backend.DatabaseOperationalError), \
                        self.assertRaises(backend.DatabaseOperationalError):
                    self.build_due(pack)
                self.now += LEASE
            pack = self.build_due(pack)
            self.assertEqual([pack.state, pack.file], ['failed', None])
            self.assertIn(str(ATTEMPTS), pack.problems)

    @with_transaction()
    def test_taken_over(self):
        "Test that who is too slow leaves the pack to who has it now"
        with self.pack() as pack:
            close = Archive.close

            def take_over(archive):
                close(archive)
                self.now += LEASE
                with same_transaction():
                    self.assertEqual(type(pack)._claim(pack.id), 2)

            with patch.object(Archive, 'close', take_over), \
                    self.assertLogs('trytond', 'WARNING'):
                pack = self.build_due(pack)
            self.assertEqual(
                [pack.state, pack.attempts, pack.file],
                ['building', 2, None])

    @with_transaction()
    def test_disk_full(self):
        "Test that a disk that is full is told, and the pack tried again"
        with self.pack() as pack:
            files = self.stored_files()
            for place in [
                    patch.object(
                        Archive, '_write',
                        side_effect=OSError(errno.ENOSPC, "Full")),
                    patch('trytond.filestore.open', FullFile, create=True),
                    patch(
                        'shutil.disk_usage',
                        return_value=namedtuple('Usage', 'free')(0))]:
                with place, self.assertLogs('trytond', 'ERROR'):
                    pack = self.build_due(pack)
                self.assertEqual(
                    [pack.state, pack.file, pack.problems], [
                        'failed', None,
                        "Le disque du serveur est plein\u00a0: faites-y de la "
                        "place, puis réessayez."])
                self.assertEqual(self.build_due(pack).state, 'failed')
                # Of none of them a half is left
                self.assertEqual(self.stored_files(), files)
                type(pack).retry([pack])
            self.assertEqual(self.build_due(pack).state, 'done')
            self.assertEqual(len(self.stored_files() - files), 1)

    @staticmethod
    def stored_files():
        return {p for p in Path(filestore.path).rglob('*-*') if p.is_file()}

    @with_transaction()
    def test_error(self):
        "Test that an error is told to who asked, without more"
        with self.pack() as pack:
            with patch.object(
                    Archive, 'close', side_effect=RuntimeError("Broken")), \
                    self.assertLogs('trytond', 'ERROR'):
                pack = self.build_due(pack)
            self.assertEqual([pack.state, pack.file], ['failed', None])
            self.assertIn(str(pack), pack.problems)
            self.assertNotIn("Broken", pack.problems)

    @with_transaction()
    def test_one_at_a_time(self):
        "Test that the scheduled action makes one pack, and no other meanwhile"
        with self.pack(2) as first:
            Pack = type(first)
            second, third = Pack.request(
                first.cases[:1], "Chosen") + Pack.request(
                first.cases[1:], "Chosen")

            def states():
                tools.forget_read()
                return [p.state for p in Pack.browse([first, second, third])]

            self.build_due(first)
            self.assertEqual(states(), ['done', 'requested', 'requested'])
            with same_transaction():
                Pack._claim(third.id)
            self.build_due(first)
            self.assertEqual(states(), ['done', 'requested', 'building'])
            self.now += LEASE
            self.build_due(first)
            self.assertEqual(states(), ['done', 'done', 'building'])
            self.build_due(first)
            self.assertEqual(states(), ['done'] * 3)

    @with_transaction()
    def test_worker_away(self):
        "Test that the scheduled action leaves the worker its time"
        with self.pack() as pack, patch(
                'trytond.config.getboolean', return_value=True):
            self.assertEqual(self.build_due(pack).state, 'requested')
            self.now += LEASE
            self.assertEqual(self.build_due(pack).state, 'done')

    @with_transaction()
    def test_slow(self):
        "Test that who is slow within a set of cases keeps the pack"
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        Sheet = pool.get('training.evidence_pack.sheet', type='report')
        others = []

        def convert(titles, data):
            data['beat']()
            self.now += LEASE * .6
            others.append(Pack._claim(pack.id))
            return dict.fromkeys(titles, PDF)

        with self.pack() as pack:
            cases = [*pack.cases, *open_cases([
                        e for _ in range(2) for e in create_enrolments(
                            create_session(pack.company))])]
            pack, = Pack.request(cases, "Chosen")
            with patch.object(Sheet, 'execute_many', convert), \
                    patch.object(builder, 'SESSIONS', 1), same_transaction():
                Pack.build([pack])
            tools.forget_read()
            self.assertEqual(others, [None] * 3)
            self.assertEqual(Pack(pack.id).state, 'done')

    @with_transaction()
    def test_slow_conversions(self):
        "Test that it is told before each conversion"
        pool = Pool()
        for name in ['chronology', 'sheet']:
            Report = pool.get(f'training.evidence_pack.{name}', type='report')
            beats = []
            with patch.object(
                    MergedReport, 'execute',
                    side_effect=ReportError("Slow")), \
                    self.assertRaises(ReportError):
                Report.execute([1], {'beat': lambda: beats.append(1)})
            self.assertEqual(beats, [1], name)

    @with_transaction()
    def test_large_files(self):
        "Test that the files that do not fit in memory are read one by one"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            scans = Attachment.create([{
                        'resource': str(session),
                        'name': f'{n}.pdf',
                        'data': b'-' * size,
                        } for n, size in enumerate([4, 5, 2, 20, 1])])
            ids = [s.id for s in scans]
            groups = [ids[:2], ids[2:3], ids[3:4], ids[4:]]
            beat = Mock()
            with patch('trytond.modules.training_abandon.journal.files.'
                    'MEMORY', 10):
                self.assertEqual(
                    list(by_size(Attachment, ids, ['data'], beat)), groups)
                self.assertEqual(beat.call_count, len(groups))
                # The journal verifies them so
                with patch.object(
                        Attachment, 'journal_states',
                        wraps=Attachment.journal_states) as states:
                    self.assertEqual(list(record_faults([case.id], beat)), [])
            self.assertEqual(
                [[int(a) for a in c.args[0]] for c in states.call_args_list],
                groups)
            self.assertGreaterEqual(beat.call_count, 2 * len(groups))

    @with_transaction()
    def test_erased(self):
        "Test that the packs of who is erased have no file any more"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        with self.pack() as pack:
            pack = self.build_due(pack)
            case, = pack.cases
            session_id, _, _ = Erase.create()
            mate, = create_enrolments(case.session)

            def erased(party):
                return [
                    (columns, values)
                    for Model, domain, _, columns, values in Erase(
                        session_id).to_erase(party.id)
                    if Model == type(pack) and pack in Model.search(domain)]

            files = (
                ['file', 'file_id', 'sensitive_file', 'sensitive_file_id',
                    'problems'],
                [None] * 5)
            for party in [
                    case.enrolment.trainee.party, case.enrolment.prescriber,
                    mate.trainee.party]:
                self.assertEqual(erased(party), [files])
            self.assertEqual(erased(create_party("Other")), [])
            # What is being made is not kept
            type(pack).write([pack], {'state': 'requested'})
            self.assertEqual(erased(party), [files, (['state'], ['failed'])])

    @with_transaction()
    def test_lost(self):
        "Test that a file that is not kept is deleted"
        with self.pack() as pack:
            kept = []
            set_ = FileStore.set

            def note(*args):
                kept.append(set_(*args))
                return kept[-1]

            with patch.object(FileStore, 'set', note), patch.object(
                    type(pack), '_end', side_effect=RuntimeError), \
                    self.assertLogs('trytond', 'ERROR'), \
                    self.assertRaises(RuntimeError):
                self.build_due(pack)
            with self.assertRaises(FileNotFoundError):
                filestore.size(kept[-1], Transaction().database.name)

    @with_transaction()
    def test_retried_elsewhere(self):
        "Test that who hung does not end a pack that is asked for again"
        with self.pack() as pack:
            Pack = type(pack)
            with same_transaction():
                claim = Pack._claim(pack.id)
                pack._fail(claim, "Hung")
                tools.forget_read()
                Pack.retry([Pack(pack.id)])
                self.assertNotEqual(Pack._claim(pack.id), claim)


class RequestTestCase(PackTestCase):
    "Test which cases are asked for"

    def ask(self, **values):
        "Return the pack that the menu asks for"
        pool = Pool()
        Data = pool.get('ir.model.data')
        Menu = pool.get('ir.ui.menu')
        Pack = pool.get('training.evidence_pack')
        action_id = Data.get_id(
            'training_abandon', 'wizard_evidence_pack_request')
        with Transaction().set_context(action_id=action_id):
            run_wizard(
                'training.evidence_pack.request', Menu.search([], limit=1),
                **values)
        return max(Pack.search([]), key=int)

    @with_transaction()
    def test_period(self):
        "Test the period, the sessions and the courses"
        with set_up() as (company, session, _):
            other_session = create_session(company)
            first, = open_cases(create_enrolments(session))
            second, = open_cases(create_enrolments(other_session))
            later, = open_cases(create_enrolments(session), DATE + DAY)
            for values, cases in [
                    ({'start_date': DATE, 'end_date': DATE},
                        [first, second]),
                    ({'start_date': DATE + DAY}, [later]),
                    ({'end_date': DATE + DAY}, [first, second, later]),
                    ({'sessions': [session.id]}, [first, later]),
                    ({'courses': [other_session.course.id]}, [second]),
                    ]:
                with self.subTest(values=values):
                    pack = self.ask(**values)
                    self.assertEqual(
                        sorted(pack.cases, key=int), sorted(cases, key=int))
                    self.assertEqual(pack.case_count, len(cases))
            self.assertEqual(
                pack.choice, f"Formations {other_session.course.rec_name}")

    @with_transaction()
    def test_none(self):
        "Test that a period without case and no choice are told"
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        with set_up() as (company, session, _):
            open_cases(create_enrolments(session))
            for values in [
                    {}, {'start_date': DATE + DAY},
                    {'company': None, 'start_date': DATE}]:
                with self.subTest(values=values), \
                        self.assertRaises(EvidencePackError):
                    self.ask(**values)
            self.assertFalse(Pack.search([]))

    @with_transaction()
    def test_not_read(self):
        "Test that the cases of other companies are left out"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            user = create_user('reading', company, 'training_reading')
            user.companies = []
            user.company = None
            user.employees = []
            user.employee = None
            user.save()
            with as_user(user), self.assertRaises(AccessError):
                run_wizard(
                    'training.evidence_pack.request',
                    Case.browse([case.id]))
