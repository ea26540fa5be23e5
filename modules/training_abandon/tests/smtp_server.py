# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""A mail server that misbehaves on command

smtp_server.py PORT LOG [CERTIFICATE]

Each line of the standard input is the JSON list of the rules that replace the
previous ones.  A rule is a dictionary with

    stage: connect, starttls, mail, rcpt or data
    match: what the address of the recipient contains (default: anything)
    times: how often the rule applies (default: always)
    delay: the seconds to wait
    reply: the reply to give
    drop: whether to close the connection without a reply
    keep: whether to accept the message before

Each line of the log is a JSON object with what happened, the number of the
connection, the recipient and the Message-ID.  'accepted' is written before the
250 is given and 'replied' after."""
import contextlib
import json
import os
import select
import socket
import socketserver
import ssl
import sys
import threading
import time
from email import message_from_bytes, policy


class Dropped(Exception):
    pass


class Rules:
    "What the server does instead of accepting"

    def __init__(self):
        self._lock = threading.Lock()
        self._rules = []

    def set(self, rules):
        with self._lock:
            self._rules = rules

    def take(self, stage, recipient=''):
        "Return the first rule that applies, or an empty one"
        with self._lock:
            for rule in self._rules:
                if (rule['stage'] == stage
                        and rule.get('match', '') in recipient
                        and rule.get('times', 1)):
                    if 'times' in rule:
                        rule['times'] -= 1
                    return rule
        return {}


class Handler(socketserver.StreamRequestHandler):

    def setup(self):
        super().setup()
        self.recipient = self.message_id = ''
        self.number = self.server.next_number()
        self.quit = False

    def handle(self):
        try:
            self.log('connected')
            self.obey('connect', '220 misbehaving server')
            while line := self.rfile.readline():
                command, _, argument = (
                    line.decode('ascii', 'replace').strip().partition(' '))
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
            self.log('accepted')
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
            self.log('accepted')
        self.reply(reply)
        if stage == 'data':
            self.log('replied')
        return True

    def check_client(self):
        "Keep nothing for a client that did not wait"
        ready, _, _ = select.select([self.request], [], [], 0)
        if ready and not self.request.recv(1, socket.MSG_PEEK):
            raise Dropped

    def do_ehlo(self, argument):
        lines = ['localhost', 'SIZE 33554432', '8BITMIME']
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
        self.recipient = self.message_id = ''
        self.obey('mail', '250 2.1.0 Ok')

    def do_rcpt(self, argument):
        self.recipient = argument.partition(':')[2].split()[0].strip('<>')
        self.log('rcpt')
        self.obey('rcpt', '250 2.1.5 Ok')

    def do_data(self, argument):
        self.reply('354 End data with <CR><LF>.<CR><LF>')
        lines = []
        while (line := self.rfile.readline()) != b'.\r\n':
            if not line:
                raise Dropped
            lines.append(line[1:] if line.startswith(b'..') else line)
        message = message_from_bytes(b''.join(lines), policy=policy.default)
        self.message_id = message['Message-ID']
        self.obey('data', f'250 2.0.0 Accepted {self.message_id}')

    def do_rset(self, argument):
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

    def __init__(self, port, log, certificate=None):
        super().__init__(('127.0.0.1', port), Handler)
        self.rules = Rules()
        self.certificate = certificate
        self._log = open(log, 'a')
        self._lock = threading.Lock()
        self._number = 0

    def next_number(self):
        with self._lock:
            self._number += 1
            return f'{os.getpid()}-{self._number}'

    def log(self, **values):
        with self._lock:
            self._log.write(json.dumps(values) + '\n')
            self._log.flush()


def main(port, log, certificate=None):
    with Server(int(port), log, certificate) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print('ready', flush=True)
        for line in sys.stdin:
            server.rules.set(json.loads(line))
            print('done', flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
