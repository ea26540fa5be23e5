# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Mailboxes whose messages are given away one by one"
import imaplib
import ipaddress
import os
import re
import ssl
import urllib.parse
from pathlib import Path

# The keyword of the messages that are recorded, where none is moved
KEYWORD = 'TrainingRecorded'
TIMEOUT = 60


class MailboxError(Exception):
    "The mailbox can not be read: the message is for the user"


class Maildir:
    """The messages of a Maildir.

    Each one goes to the folder .Recorded once it is recorded."""

    def __init__(self, path, folder='.Recorded'):
        self.path = Path(path)
        for name in ['new', 'cur']:
            if not (self.path / name).is_dir():
                raise MailboxError(
                    f"{path} is not a Maildir: it has no directory {name}.")
        self.folder = self.path / folder

    def __enter__(self):
        for name in ['new', 'cur', 'tmp']:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *args):
        pass

    def __iter__(self):
        "Yield the key and the bytes of the messages, the oldest first"
        names = [
            path for name in ['new', 'cur']
            for path in (self.path / name).iterdir()
            if not path.name.startswith('.')]
        for path in sorted(names, key=lambda p: p.name):
            try:
                yield path, path.read_bytes()
            except FileNotFoundError:
                # Another program has moved it
                continue

    def done(self, path):
        name = path.name.partition(':')[0] + ':2,S'
        os.replace(path, self.folder / 'cur' / name)


class Imap:
    """The messages of an IMAP folder.

    Each one gets a keyword, or is moved to another folder, once it is
    recorded."""

    def __init__(self, url, get_password, move_to=None):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {'imap', 'imaps'} or not parts.hostname \
                or not parts.username:
            raise MailboxError(
                "The mailbox must be like imaps://user@host/INBOX")
        self.parts = parts
        self.name = _quote(
            urllib.parse.unquote(parts.path.strip('/')) or 'INBOX')
        self.move_to = move_to and _quote(move_to)
        self.user = urllib.parse.unquote(parts.username)
        self.password = (
            urllib.parse.unquote(parts.password) if parts.password
            else get_password())
        self.server = None
        self.capabilities = set()

    def __enter__(self):
        try:
            self.server = self._connect()
            self.server.login(self.user, self.password)
            self._read_capabilities()
            self._check_exists(self.server.select(self.name), self.name)
            if self.move_to:
                self._check_folder()
            else:
                self._check_keyword()
        except (imaplib.IMAP4.error, OSError) as exc:
            self.__exit__()
            raise MailboxError(
                f"{self.parts.hostname} refuses: {_words(exc)}") from exc
        except MailboxError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *args):
        if self.server:
            try:
                self.server.logout()
            except (imaplib.IMAP4.error, OSError):
                pass

    def _connect(self):
        host, context = self.parts.hostname, ssl.create_default_context()
        if self.parts.scheme == 'imaps':
            return imaplib.IMAP4_SSL(
                host, self.parts.port or 993, ssl_context=context,
                timeout=TIMEOUT)
        server = imaplib.IMAP4(
            host, self.parts.port or 143, timeout=TIMEOUT)
        if 'STARTTLS' in server.capabilities:
            server.starttls(ssl_context=context)
        elif not _is_local(host):
            raise MailboxError(
                f"{host} does not encrypt: the password is not sent to it. "
                "Use imaps://")
        return server

    def _read_capabilities(self):
        "Most servers tell what they are able to do only to who is known"
        data = self._check(
            self.server.capability(), "the server does not tell what it does")
        self.capabilities = set(
            b' '.join(d for d in data if d).decode('ascii', 'replace')
            .upper().split())

    def _check_folder(self):
        if _folded(self.move_to) == _folded(self.name):
            raise MailboxError(
                f"The recorded messages must go to another folder than "
                f"{self.name}: change --move-to")
        self._check_exists(
            self.server.status(self.move_to, '(MESSAGES)'), self.move_to)

    def _check_exists(self, response, name):
        if response[0] == 'OK':
            return
        _, data = self.server.list()
        names = [
            re.sub(rb'^\([^)]*\) (NIL|"[^"]*") ', b'', line)
            for line in data if isinstance(line, bytes)]
        names = b', '.join(names).decode('utf-8', 'replace')
        self._check(
            response,
            f"there is no folder {name}, the server has {names}")

    def _check_keyword(self):
        flags = b' '.join(
            f or b'' for f in self.server.response('PERMANENTFLAGS')[1])
        if b'\\*' not in flags:
            raise MailboxError(
                f"{self.parts.hostname} keeps no keyword: use --move-to to "
                "move the messages that are recorded")

    def _uid(self, *command):
        try:
            return self.server.uid(*command)
        except (imaplib.IMAP4.error, OSError) as exc:
            raise MailboxError(
                f"{self.parts.hostname} has stopped: {_words(exc)}") from exc

    def _check(self, response, otherwise):
        status, data = response
        if status != 'OK':
            words = b' '.join(d for d in data if isinstance(d, bytes))
            raise MailboxError(
                f"{otherwise}: {words.decode('utf-8', 'replace')}")
        return data

    def __iter__(self):
        "Yield the key and the bytes of the messages, the oldest first"
        data = self._check(
            self._uid(
                'SEARCH', 'UNDELETED', 'UNKEYWORD', KEYWORD),
            "the messages can not be listed")
        for uid in b' '.join(d for d in data if d).split():
            data = self._check(
                self._uid('FETCH', uid, '(BODY.PEEK[])'),
                "a message can not be read")
            for part in data:
                if isinstance(part, tuple):
                    yield uid, part[1]
                    break

    def done(self, uid):
        if not self.move_to:
            self._check(
                self._uid('STORE', uid, '+FLAGS.SILENT', f'({KEYWORD})'),
                "a message can not be marked")
        elif 'MOVE' in self.capabilities:
            self._check(
                self._uid('MOVE', uid, self.move_to),
                "a message can not be moved")
        else:
            self._check(
                self._uid('COPY', uid, self.move_to),
                "a message can not be moved")
            self._check(
                self._uid('STORE', uid, '+FLAGS.SILENT', r'(\Deleted)'),
                "a message can not be deleted")
            # Without it, all that somebody has deleted would be expunged
            if 'UIDPLUS' in self.capabilities:
                self._check(
                    self._uid('EXPUNGE', uid),
                    "a message can not be deleted")


def _folded(name):
    "The case of no other name than INBOX means nothing"
    return name.upper() if name.upper() == '"INBOX"' else name


def _quote(name):
    "Return the name of a folder as IMAP writes it"
    if not name.isascii():
        raise MailboxError(
            f"The name of the folder {name} must be written in modified "
            "UTF-7, as the server lists it.")
    name = re.sub(r'(["\\])', r'\\\1', name)
    return f'"{name}"'


def _is_local(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


def _words(exception):
    "Return the words of the server"
    argument = exception.args[0] if exception.args else ''
    if isinstance(argument, bytes):
        return argument.decode('utf-8', 'replace')
    return str(exception)
