# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""A mail server that keeps what it receives and misbehaves on command

It prints its port once it listens, and ends with its standard input.

Each message is written, byte for byte, to the files NN-RECIPIENT.eml of the
folder.

Each line of the standard input is the JSON list of the rules that replace the
previous ones.  A rule is a dictionary with

    stage: connect, starttls, mail, rcpt or data
    match: regular expression for the recipient (default: anything)
    times: how often the rule applies (default: always)
    delay: the seconds to wait
    reply: the reply to give
    drop: whether to close the connection without a reply
    keep: whether to accept the message before

In the log, 'accepted' is written before the 250 is given and 'replied'
after."""
import argparse
import contextlib
import json
import os
import re
import select
import socket
import socketserver
import ssl
import sys
import threading
import time
from email import policy
from email.parser import BytesHeaderParser
from itertools import count
from pathlib import Path

REFUSAL = '550 5.1.1 No such user here'
MAX_LINE = 1000


class Dropped(Exception):
    pass


class Rules:
    "What the server does instead of accepting"

    def __init__(self, refused=()):
        self._lock = threading.Lock()
        self._rules = []
        self._refusals = [
            {'stage': 'rcpt', 'match': r, 'reply': REFUSAL} for r in refused]

    def set(self, rules):
        with self._lock:
            self._rules = rules

    def take(self, stage, recipient=''):
        "Return the first rule that applies, or an empty one"
        with self._lock:
            for rule in self._rules + self._refusals:
                if (rule['stage'] == stage
                        and re.search(rule.get('match', ''), recipient, re.I)
                        and rule.get('times', 1)):
                    if 'times' in rule:
                        rule['times'] -= 1
                    return rule
        return {}


class Handler(socketserver.StreamRequestHandler):

    def setup(self):
        super().setup()
        self.reset()
        self.number = f'{os.getpid()}-{next(self.server.connections)}'
        self.quit = False

    def reset(self):
        self.recipient = self.message_id = ''
        self.recipients = []
        self.content = b''

    def handle(self):
        try:
            self.log('connected')
            self.obey('connect', '220 localhost ESMTP')
            while line := self.rfile.readline():
                command, _, argument = (
                    line.decode('utf-8', 'replace').strip().partition(' '))
                method = getattr(self, f'do_{command.lower()}', None)
                if method:
                    method(argument)
                else:
                    self.reply('502 5.5.1 Command not implemented')
                if self.quit:
                    break
        except (OSError, Dropped):
            pass
        self.log('quit' if self.quit else 'lost')

    def log(self, event):
        self.server.log(
            event=event, connection=self.number, to=self.recipient,
            message_id=self.message_id)

    def reply(self, text):
        self.wfile.write(text.encode() + b'\r\n')

    def obey(self, stage, reply):
        "Do what the rules want and return if the reply was given"
        rule = self.server.rules.take(stage, self.recipient)
        time.sleep(rule.get('delay', 0))
        self.check_client()
        if rule.get('keep'):
            self.accept()
        if rule.get('drop'):
            self.log(f'dropped {stage}')
            raise Dropped
        if 'reply' in rule:
            self.log(f"{stage} {rule['reply']}")
            self.reply(rule['reply'])
            if rule['reply'].startswith('421'):
                raise Dropped
            return False
        if stage == 'data':
            self.accept()
        self.reply(reply)
        if stage == 'data':
            self.log('replied')
        return True

    def accept(self):
        self.server.store(
            self.message_number, self.recipients, self.content)
        self.log('accepted')

    def check_client(self):
        "Keep nothing for a client that did not wait"
        ready, _, _ = select.select([self.request], [], [], 0)
        if ready and not self.request.recv(1, socket.MSG_PEEK):
            raise Dropped

    def do_ehlo(self, argument):
        lines = ['localhost', 'SIZE', '8BITMIME', 'SMTPUTF8']
        if self.server.certificate and not self.is_encrypted:
            lines.append('STARTTLS')
        for line in lines[:-1]:
            self.reply(f'250-{line}')
        self.reply(f'250 {lines[-1]}')

    @property
    def is_encrypted(self):
        return isinstance(self.request, ssl.SSLSocket)

    def do_helo(self, argument):
        self.reply('250 localhost')

    def do_starttls(self, argument):
        if not self.obey('starttls', '220 Ready to start TLS'):
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server.certificate)
        self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()

    def do_mail(self, argument):
        self.reset()
        self.obey('mail', '250 2.1.0 Ok')

    def do_rcpt(self, argument):
        self.recipient = argument.partition(':')[2].split()[0].strip('<>')
        self.log('rcpt')
        if self.obey('rcpt', '250 2.1.5 Ok'):
            self.recipients.append(self.recipient)

    def do_data(self, argument):
        if not self.recipients:
            self.reply('503 5.5.1 No recipient')
            return
        self.reply('354 End data with <CR><LF>.<CR><LF>')
        lines = []
        while (line := self.rfile.readline()) != b'.\r\n':
            if not line:
                raise Dropped
            lines.append(line.removeprefix(b'.'))
        if any(len(line) > MAX_LINE for line in lines):
            self.reply('500 5.5.2 Line too long')
            return
        self.content = b''.join(lines)
        header = BytesHeaderParser(policy=policy.default).parsebytes(
            self.content)
        self.message_id = header.get('Message-ID', '')
        self.message_number = next(self.server.messages)
        self.obey('data', f'250 2.0.0 Accepted as {self.message_number}')

    def do_rset(self, argument):
        self.reset()
        self.reply('250 2.0.0 Ok')

    def do_noop(self, argument):
        self.reply('250 2.0.0 Ok')

    def do_quit(self, argument):
        self.quit = True
        with contextlib.suppress(OSError):
            self.reply('221 2.0.0 Bye')


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 50

    def __init__(
            self, port=0, folder=None, refused=(), log=None,
            certificate=None):
        super().__init__(('127.0.0.1', port), Handler)
        self.rules = Rules(refused)
        self.certificate = certificate
        self._folder = folder
        self.connections = count(1)
        self.messages = count(self._last_stored() + 1)
        self._log = open(log or os.devnull, 'a')
        self._lock = threading.Lock()

    def _last_stored(self):
        "A server may go on with the folder of another one"
        if not self._folder:
            return 0
        self._folder.mkdir(parents=True, exist_ok=True)
        return max(map(file_number, self._folder.glob('*.eml')), default=0)

    def store(self, number, recipients, content):
        if not self._folder:
            return
        for recipient in recipients:
            name = re.sub(r'[^\w.@-]', '_', recipient)
            path = self._folder / f'{number:02}-{name}.eml'
            partial = path.with_suffix('.partial')
            partial.write_bytes(content)
            partial.rename(path)

    def log(self, **values):
        with self._lock:
            self._log.write(json.dumps(values) + '\n')
            self._log.flush()


def file_number(path):
    "Number of the message that is in the file"
    return int(path.name.partition('-')[0])


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--port', type=int, default=0,
        help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument('--folder', type=Path,
        help="where to write the messages (default: nowhere)")
    parser.add_argument('--refuse', metavar='REGEX', action='append',
        default=[], dest='refused',
        help="refuse these recipients; may be given several times")
    parser.add_argument('--log', metavar='FILE',
        help="tell in this file what happens, as one JSON object by line: "
        "the event, the connection, the recipient and the Message-ID")
    parser.add_argument('--certificate', metavar='FILE',
        help="offer STARTTLS with the certificate and the key in this file")
    return parser.parse_args()


def main():
    with Server(**vars(parse_arguments())) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        for line in sys.stdin:
            server.rules.set(json.loads(line))
            print('done', flush=True)


if __name__ == '__main__':
    main()
