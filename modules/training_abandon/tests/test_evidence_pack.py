# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import errno
import io
import subprocess
import tempfile
import zipfile
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import patch

from trytond.filestore import filestore
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from ..evidence.archive import Archive, safe_name, safe_suffix
from ..evidence.pack import ATTEMPTS, LEASE
from ..exceptions import EvidencePackError
from .common import (
    DATE, DAY, DatabaseTestCase, as_user, count_statements, create_enrolments,
    create_session, create_user, mail_server, open_cases, run_wizard,
    same_transaction, set_up)

PDF = b'%PDF-1.4'
PRIVATE = "Burnout since May"


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
        with patch.object(
                pool.get('training.session.sign_in_sheet', type='report'),
                'convert', lambda *args, **kwargs: ('pdf', PDF)), \
                patch.object(
                    pool.get(
                        'training.evidence_pack.chronology', type='report'),
                    'execute_many',
                    lambda titles, data: dict.fromkeys(titles, PDF)):
            yield


class ContentTestCase(PackTestCase):
    "Test what is in the pack"

    @with_transaction()
    def test_unpacked(self):
        "Test that the pack is whole, read and verified anywhere"
        with set_up() as (company, session, prescriber):
            cases = self.cases(session, prescriber, 3)
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
