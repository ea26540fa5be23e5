# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import base64
from unittest.mock import patch
from urllib.parse import quote

from trytond.filestore import filestore
from trytond.pool import Pool
from trytond.protocols.wrappers import Response, add_auth_cookies
from trytond.tests.test_tryton import DB_NAME, RouteTestCase
from trytond.transaction import Transaction

from .common import as_user, create_user, set_up

ZIP = b'PK' * 100000


class DownloadTestCase(RouteTestCase):
    "Test the link by which the files of the packs are downloaded"
    module = 'training_abandon'

    @classmethod
    def setUpDatabase(cls):
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        Session = pool.get('ir.session')
        with set_up() as (company, _, _):
            cls.sessions, users = {}, {}
            for login, groups in [
                    ('reader', ['training_reading']),
                    ('admin', ['training_admin']),
                    ('both', ['training_admin', 'sensitive_reason']),
                    ('other', ['training'])]:
                users[login] = create_user(f'{login}@packs', company, *groups)
                with Transaction().set_user(users[login].id):
                    key = Session.new()
                session = (f'{login}@packs', str(users[login].id), key)
                cls.sessions[login] = base64.b64encode(
                    ':'.join(session).encode()).decode()
                if login == 'admin':
                    cls.session = session
            plain, full, empty = Pack.create([{
                        'company': company.id,
                        'requested_by': users['both'].id,
                        'requested_at': '2026-03-09 10:00:00',
                        'case_count': 1,
                        'state': 'done',
                        **values,
                        } for values in [
                        {'file': ZIP},
                        {'sensitive': True, 'sensitive_file': ZIP},
                        {}]])
            cls.plain, cls.full, cls.empty = plain.id, full.id, empty.id
            cls.users = {n: u.id for n, u in users.items()}
            Transaction().commit()

    def get(self, pack_id, login=None):
        headers = {}
        if login:
            headers['Authorization'] = f'Session {self.sessions[login]}'
        # What is sent by piece is not read whole
        with patch.object(filestore, 'get', side_effect=MemoryError):
            response = self.client().get(
                f'/{quote(DB_NAME)}/training/evidence_pack/{pack_id}',
                headers=headers)
        self.addCleanup(response.close)
        return response

    def downloads(self):
        with Transaction().start(DB_NAME, 1, readonly=True):
            pool = Pool()
            Log = pool.get('ir.model.log')
            return [
                (log.user.id, log.resource.id)
                for log in Log.search(
                    [('target', '=', 'download')], order=[('id', 'ASC')])]

    def test_download(self):
        "Test that who may downloads the file, by piece, and that it is kept"
        before = self.downloads()
        for pack_id, login in [
                (self.plain, 'admin'), (self.plain, 'both'),
                (self.full, 'both')]:
            with self.subTest(pack=pack_id, login=login):
                response = self.get(pack_id, login)
                self.assertEqual(response.status_code, 200, response.data)
                self.assertEqual(response.data, ZIP)
                self.assertIn(
                    '.zip', response.headers['Content-Disposition'])
        self.assertEqual(self.downloads()[len(before):], [
                (self.users['admin'], self.plain),
                (self.users['both'], self.plain),
                (self.users['both'], self.full)])

    def test_refused(self):
        "Test that nobody else downloads it"
        before = self.downloads()
        for pack_id, login, status in [
                (self.plain, None, 401), (self.full, None, 401),
                (self.plain, 'reader', 400), (self.plain, 'other', 400),
                (self.full, 'admin', 400), (self.full, 'reader', 400),
                (self.empty, 'admin', 404), (self.plain + 1000, 'both', 400)]:
            with self.subTest(pack=pack_id, login=login):
                response = self.get(pack_id, login)
                self.assertEqual(response.status_code, status)
                self.assertNotIn(b'PKPK', response.data)
        self.assertEqual(self.downloads(), before)

    def test_link(self):
        "Test that the pack has the link"
        with Transaction().start(DB_NAME, 1, readonly=True):
            pool = Pool()
            Pack = pool.get('training.evidence_pack')
            with as_user(pool.get('res.user')(self.users['admin'])):
                link = Pack(self.plain).download
        path = '/' + link.split('/', 3)[3]
        client = self.client()
        response = Response()
        # As the web client has it
        add_auth_cookies(response, DB_NAME, *self.session)
        cookie = response.headers['Set-Cookie'].partition(';')[0]
        self.assertIn(
            f'Path={path.partition("/training/")[0]};',
            response.headers['Set-Cookie'] + ';')
        client.set_cookie(*cookie.split('=', 1))
        response = client.get(path)
        self.addCleanup(response.close)
        self.assertEqual(response.data, ZIP)
