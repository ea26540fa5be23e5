# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"A training provider: its database, its server and its mail server"

import email.policy
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from email import message_from_bytes
from pathlib import Path

from proteus import config
from trytond.modules.training_abandon.tests import smtp_server

from lib.environment import CONVERT_COMMAND, clean_environ, process_group, tail

SCRIPTS = Path(__file__).resolve().parents[2] / 'scripts'
DATABASE = 'browser'
PASSWORD = 'eight-steps-2026'
TIMEOUT = 60


class Provider:

    def __init__(self, directory):
        self.directory = Path(directory)
        self.mails = self.directory / 'mails'
        self.config_file = self.directory / 'trytond.conf'
        self.password_file = self.directory / 'password'
        self.log = self.directory / 'server.log'
        self.port, self.mail_port = free_ports(2)
        self.url = f'http://127.0.0.1:{self.port}/'
        self.environ = clean_environ(
            PYTHONPATH=str(SCRIPTS), TRYTONPASSFILE=str(self.password_file))
        self._servers = ExitStack()
        self._mail_server = ExitStack()

    def build(self):
        "Create the database in French with the company and its users"
        self.password_file.write_text(PASSWORD)
        self.config_file.write_text(self.configuration())
        path = self.directory / f'{DATABASE}.sqlite'
        activate = []
        if template := os.environ.get('TEST_TEMPLATE'):
            shutil.copy(template, path)
        else:
            path.touch()
            activate = [
                '-u', 'ir', 'res', 'training_abandon', 'account_invoice',
                '--activate-dependencies', '-l', 'fr']
        self._run([
                tool('trytond-admin'), '-c', self.config_file, '-d', DATABASE,
                *activate, '--password', '--email', 'admin@example.com'])
        self._run([
                sys.executable, '-m', 'lib.demo.company',
                f'sqlite:///{DATABASE}', self.config_file, self.password_file])

    def configuration(self):
        return '\n'.join([
                '[database]',
                'uri = sqlite://',
                f'path = {self.directory}',
                'language = fr',
                '[web]',
                f'listen = 127.0.0.1:{self.port}',
                f"root = {os.environ['TEST_WEB_ROOT']}",
                f'hostname = 127.0.0.1:{self.port}',
                '[email]',
                f'uri = smtp://127.0.0.1:{self.mail_port}?timeout=10',
                'from = training@example.com',
                '[report]',
                f'convert_command = {CONVERT_COMMAND}',
                '[session]',
                'timeout = 28800',
                '[training_abandon]',
                f'base_url = {self.url}',
                f'live = {DATABASE}@{socket.gethostname()}',
                ''])

    def _run(self, command):
        log = self.directory / 'build.log'
        with open(log, 'ab') as output:
            result = subprocess.run(
                command, env=self.environ, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, check=False)
        if result.returncode:
            raise RuntimeError(f"{command} failed:\n{tail(log)}")

    def start(self):
        self.start_mail_server()
        with open(self.log, 'wb') as log:
            process = self._servers.enter_context(process_group(
                    [tool('trytond'), '-c', self.config_file, '-d', DATABASE],
                    env=self.environ, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log))
        wait_for(lambda: answers(self.url), process, self.log)

    def start_mail_server(self):
        log = self.directory / 'mail.log'
        with open(log, 'ab') as output:
            process = self._mail_server.enter_context(process_group([
                        sys.executable, smtp_server.__file__,
                        '--port', str(self.mail_port),
                        '--folder', self.mails, '--refuse', '^refused'],
                    env=self.environ, stdin=subprocess.PIPE,
                    stdout=output, stderr=output))
        wait_for(lambda: listens(self.mail_port), process, log)

    def stop_mail_server(self):
        self._mail_server.close()

    def stop(self):
        self._servers.close()
        self.stop_mail_server()

    @contextmanager
    def connect(self, login):
        "Make proteus work as the user, then as before"
        previous = config.get_config()
        try:
            with config.set_xmlrpc_session(
                    f'{self.url}{DATABASE}/rpc/', login, PASSWORD) as current:
                yield current
        finally:
            config._CONFIG.current = previous

    def received(self, address):
        "The messages that the mail server has accepted for the address"
        return [
            message_from_bytes(path.read_bytes(), policy=email.policy.default)
            for path in sorted(self.mails.glob(f'*-{address}.eml'))]


def tool(name):
    return Path(sys.executable).with_name(name)


def free_ports(count):
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(('127.0.0.1', 0)))
            for _ in range(count)]
        return [sock.getsockname()[1] for sock in sockets]


def listens(port):
    try:
        socket.create_connection(('127.0.0.1', port), timeout=5).close()
    except OSError:
        return False
    return True


def answers(url):
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def wait_for(ready, process, log):
    end = time.monotonic() + TIMEOUT
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"A server does not start:\n{tail(log)}")
        time.sleep(0.1)
