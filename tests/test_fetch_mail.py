# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What scripts/fetch_mail.py reads, marks and gives to Tryton"

import contextlib
import io
import mailbox
import re
import socketserver
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest.mock import patch
from urllib.error import HTTPError

from werkzeug.serving import make_server

from trytond.pool import Pool
from trytond.tests.test_tryton import RouteTestCase, with_transaction
from trytond.wsgi import app

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'scripts'))
import fetch_mail  # noqa: E402
from fetch_mail import ConnectionFailed, Refused, Stopped  # noqa: E402
from lib.mailbox_reader import (  # noqa: E402
    KEYWORD, Imap, MailboxError, Maildir)

MESSAGES = [
    b'From: a@b.example\r\nMessage-ID: <%d@b.example>\r\n\r\nHi %d\r\n'
    % (i, i) for i in range(3)]


class _ImapHandler(socketserver.StreamRequestHandler):
    """The commands of IMAP that the script needs.

    As Dovecot does, it tells what it is able to do once it knows the user."""
    known = False

    def handle(self):
        self.send('* OK ready')
        while line := self.rfile.readline():
            tag, command = line.decode().strip().split(' ', 1)
            self.server.commands.append(command)
            name = command.partition(' ')[0].lower()
            if name == 'uid':
                name += '_' + command.split(' ')[1].lower()
            if self.known or name in {'capability', 'login', 'logout'}:
                status = getattr(self, name)(command) or 'OK done'
            else:
                status = 'BAD log in first'
            self.send(f'{tag} {status}')
            if name == 'logout':
                break

    def send(self, text):
        self.wfile.write(text.encode() + b'\r\n')

    def able(self, capability):
        return self.known and capability in self.server.capabilities

    def exists(self, command):
        return re.search('"(.*?)"', command)[1] in self.server.folders

    def capability(self, command):
        names = ['IMAP4rev1', 'LITERAL+', 'AUTH=PLAIN']
        if self.known:
            names += self.server.capabilities
        self.send(f'* CAPABILITY {" ".join(names)}')

    def login(self, command):
        if command.split(' ')[2].strip('"') != 'secret':
            return 'NO wrong password'
        self.known = True

    def list(self, command):
        for name in self.server.folders:
            self.send(rf'* LIST (\HasNoChildren) "/" {name}')

    def status(self, command):
        if not self.exists(command):
            return 'NO no such folder'
        self.send('* STATUS "Done" (MESSAGES 0)')

    def select(self, command):
        if not self.exists(command):
            return 'NO no such folder'
        self.send(r'* OK [PERMANENTFLAGS (\Deleted %s)] flags'
            % (r'\*' if self.server.keywords else ''))
        self.send(f'* {len(self.server.messages)} EXISTS')

    def uid_search(self, command):
        self.send('* SEARCH ' + ' '.join(
                str(uid) for uid in sorted(self.server.messages)
                if not {KEYWORD, r'\Deleted'}.intersection(
                    self.server.flags[uid])))

    def uid_fetch(self, command):
        uid = int(command.split(' ')[2])
        data = self.server.messages[uid]
        self.send(f'* 1 FETCH (UID {uid} BODY[] {{{len(data)}}}')
        self.wfile.write(data + b')\r\n')

    def uid_store(self, command):
        uid = int(command.split(' ')[2])
        self.server.flags[uid] += re.findall(
            r'[\\\w]+', command.rpartition('(')[2])

    def uid_move(self, command):
        if not self.able('MOVE'):
            return 'BAD unknown command'
        if status := self.uid_copy(command):
            return status
        self._expunge(int(command.split(' ')[2]))

    def uid_copy(self, command):
        if not self.exists(command):
            return 'NO [TRYCREATE] no such folder'
        uid = int(command.split(' ')[2])
        self.server.moved.append(self.server.messages[uid])

    def uid_expunge(self, command):
        if not self.able('UIDPLUS'):
            return 'BAD unknown command'
        uid = int(command.split(' ')[2])
        if r'\Deleted' in self.server.flags[uid]:
            self._expunge(uid)

    def _expunge(self, uid):
        number = sorted(self.server.messages).index(uid) + 1
        del self.server.messages[uid]
        self.send(f'* {number} EXPUNGE')

    def logout(self, command):
        self.send('* BYE')


class _StoppingHandler(_ImapHandler):
    "Close the connection in the middle"

    def uid_fetch(self, command):
        self.connection.close()
        raise ConnectionAbortedError


class ImapServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, keywords=True, capabilities=('MOVE', 'UIDPLUS')):
        super().__init__(('127.0.0.1', 0), _ImapHandler)
        self.keywords = keywords
        self.capabilities = capabilities
        self.folders = ['INBOX', 'Done']
        self.messages = dict(enumerate(MESSAGES, 11))
        self.flags = {uid: [] for uid in self.messages}
        self.moved, self.commands = [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, folder='INBOX', password='secret'):
        port = self.server_address[1]
        return f'imap://me:{password}@127.0.0.1:{port}/{folder}'


class Recorder:
    "What Tryton does of the messages"

    def __init__(self, refuse=None, stop_at=None):
        self.messages = []
        self.refuse, self.stop_at = refuse, stop_at

    def __call__(self, data):
        if data == self.refuse:
            raise Refused("it is refused")
        if len(self.messages) == self.stop_at:
            raise Stopped("the server fails")
        self.messages.append(data)


def no_password():
    return ''


class FetchMailTestCase(unittest.TestCase):
    "Test the mailboxes"

    def imap(self, **options):
        server = ImapServer(**options)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def maildir(self, *messages):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = Path(directory.name) / 'Maildir'
        box = mailbox.Maildir(path)
        for message in messages:
            box.add(message.replace(b'\r\n', b'\n'))
        return path

    def fetch(self, mailbox_, record):
        with mailbox_ as box, contextlib.redirect_stderr(io.StringIO()):
            return fetch_mail.fetch(box, record)

    def test_maildir(self):
        "Test that the recorded messages go to another folder"
        path = self.maildir(*MESSAGES)
        record = Recorder(refuse=MESSAGES[1].replace(b'\r\n', b'\n'))
        self.assertEqual(self.fetch(Maildir(path), record), (2, 1))
        self.assertEqual(len(record.messages), 2)
        self.assertEqual(len(list((path / 'new').iterdir())), 1)
        self.assertEqual(
            len(mailbox.Maildir(path).get_folder('Recorded')), 2)
        self.assertEqual(self.fetch(Maildir(path), record), (0, 1))

    def test_maildir_read(self):
        "Test that what somebody has read in the mailbox is not forgotten"
        path = self.maildir(MESSAGES[0])
        message, = (path / 'new').iterdir()
        message.rename(path / 'cur' / f'{message.name}:2,RS')
        self.assertEqual(self.fetch(Maildir(path), Recorder()), (1, 0))

    def test_interrupted(self):
        "Test that a server that fails loses nothing"
        path, server = self.maildir(*MESSAGES), self.imap()
        for get_mailbox in [
                lambda: Maildir(path),
                lambda: Imap(server.url(), no_password)]:
            with self.assertRaises(Stopped):
                self.fetch(get_mailbox(), Recorder(stop_at=1))
            self.assertEqual(self.fetch(get_mailbox(), Recorder()), (2, 0))

    def test_maildir_missing(self):
        with tempfile.TemporaryDirectory() as path, \
                self.assertRaisesRegex(MailboxError, "not a Maildir"):
            Maildir(path)

    def test_imap_keyword(self):
        "Test that the messages recorded get a keyword"
        server, record = self.imap(), Recorder()
        mailbox_ = Imap(server.url(), no_password)
        self.assertEqual(self.fetch(mailbox_, record), (3, 0))
        self.assertEqual(record.messages, MESSAGES)
        self.assertEqual(set(map(tuple, server.flags.values())), {(KEYWORD,)})
        self.assertEqual(self.fetch(mailbox_, record), (0, 0))
        self.assertFalse([c for c in server.commands if 'Seen' in c])

    def test_imap_move(self):
        server = self.imap(keywords=False)
        mailbox_ = Imap(server.url(), no_password, 'Done')
        self.assertEqual(self.fetch(mailbox_, Recorder()), (3, 0))
        self.assertEqual(server.moved, MESSAGES)
        self.assertFalse(server.messages)

    def test_imap_move_without(self):
        "Test servers that are not able to move"
        for capabilities in [['UIDPLUS'], []]:
            with self.subTest(capabilities=capabilities):
                server = self.imap(capabilities=capabilities)
                # What somebody else has deleted is not expunged
                server.messages[3] = b'Subject: old\r\n\r\n'
                server.flags[3] = [r'\Deleted']
                mailbox_ = Imap(server.url(), no_password, 'Done')
                self.assertEqual(self.fetch(mailbox_, Recorder()), (3, 0))
                self.assertEqual(server.moved, MESSAGES)
                if capabilities:
                    self.assertEqual(list(server.messages), [3])
                else:
                    self.assertEqual(server.flags[11], [r'\Deleted'])
                self.assertEqual(self.fetch(mailbox_, Recorder()), (0, 0))

    def test_imap_wrong_folder(self):
        "Test that a wrong folder is told before anything is read"
        for folder, words in [
                ('Missing', '"Missing", the server has INBOX, Done'),
                ('INBOX', "another folder than"),
                ('inbox', "another folder than"),
                ]:
            server = self.imap()
            with self.subTest(folder=folder), \
                    self.assertRaisesRegex(MailboxError, words):
                with Imap(server.url(), no_password, folder):
                    pass
            self.assertFalse(
                [c for c in server.commands if c.startswith('UID')])

    def test_imap_refused(self):
        "Test that the errors say what to do"
        for url, options, words in [
                (lambda s: s.url(password='wrong'), {}, "wrong password"),
                (lambda s: s.url('Missing'), {}, "no such folder"),
                (lambda s: s.url(), {'keywords': False}, "--move-to"),
                (lambda s: 'imaps://host/INBOX', {}, "imaps://user@host"),
                (lambda s: 'imap://me:x@127.0.0.1:1/', {}, "refuse"),
                ]:
            server = self.imap(**options)
            with self.assertRaisesRegex(MailboxError, words):
                with Imap(url(server), no_password):
                    pass

    def test_imap_stopped(self):
        "Test a server that stops in the middle"
        server = self.imap()
        server.RequestHandlerClass = _StoppingHandler
        server.handle_error = lambda *args: None
        with self.assertRaisesRegex(MailboxError, "has stopped"):
            self.fetch(Imap(server.url(), no_password), Recorder())

    def test_post_errors(self):
        "Test what stops all and what stops one message only"
        for code, error in [
                (400, Refused), (413, Refused), (500, Refused),
                (404, ConnectionFailed), (502, Stopped), (503, Stopped)]:
            answer = io.BytesIO()
            with self.subTest(code=code), \
                    patch('urllib.request.urlopen', side_effect=HTTPError(
                            'http://host/', code, '', {}, answer)):
                with self.assertRaises(error):
                    fetch_mail.post('http://host/', MESSAGES[0])
                self.assertTrue(answer.closed)

    def test_arguments(self):
        for arguments in [
                [], ['--maildir', 'x'],
                ['--maildir', 'x', '--endpoint', 'y', '--move-to', 'z']]:
            with self.assertRaises(SystemExit), \
                    contextlib.redirect_stderr(io.StringIO()):
                fetch_mail.parse_arguments(arguments)


class EndpointTestCase(RouteTestCase):
    "Test the messages posted to the served inbox"
    module = 'training_abandon'
    extras = ['inbound_email']
    language = 'fr'
    identifier = '1234'

    @classmethod
    def setUpDatabase(cls):
        pool = Pool()
        Inbox = pool.get('inbound.email.inbox')
        inbox, = Inbox.create([{
                    'name': "Replies",
                    'identifier': cls.identifier,
                    'rules': [('create', [{
                                    'action': (
                                        'training.mail.reply|from_inbound'),
                                    }])],
                    }])

    def serve(self, function, *args):
        "Serve one request while the function runs in a thread"
        server = make_server('127.0.0.1', 0, app)
        server.timeout = 60
        self.addCleanup(server.server_close)
        result = []

        def run():
            try:
                result.append(function(
                        f'http://127.0.0.1:{server.port}/{self.db_name}'
                        '/inbound_email/inbox/', *args))
            except Exception as exception:
                result.append(exception)

        thread = threading.Thread(target=run)
        thread.start()
        server.handle_request()
        thread.join()
        return result[0]

    def test_post(self):
        "Test that what is posted twice is recorded once"
        for _ in range(2):
            error = self.serve(lambda url: fetch_mail.post(
                    url + self.identifier, MESSAGES[0]))
            self.assertIsNone(error)

        @with_transaction()
        def check():
            pool = Pool()
            Email = pool.get('inbound.email')
            Reply = pool.get('training.mail.reply')
            reply, = Reply.search([])
            self.assertEqual(reply.message, MESSAGES[0])
            self.assertEqual({e.result for e in Email.search([])}, {reply})

        check()

    def test_post_unknown(self):
        error = self.serve(
            lambda url: fetch_mail.post(url + 'unknown', MESSAGES[0]))
        self.assertIsInstance(error, ConnectionFailed)
