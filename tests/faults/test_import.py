# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The import when its process, its server or its network fails"
import datetime as dt
import http.server
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from itertools import cycle
from pathlib import Path

import harness

from lib.environment import free_port

NAME = 'import_fault'
PASSWORD = 'import-fault-password'
CHILD = Path(__file__).with_name('import_killed.py')
SCRIPT = Path(__file__).resolve().parents[2] / 'scripts/import_training.py'
FULL = bool(os.environ.get('TEST_FULL'))
SESSIONS, SLOTS, TRAINEES = (25, 4, 40) if FULL else (12, 2, 15)
KILLS = 6 if FULL else 1
KINDS = ['parties', 'sessions', 'enrolments', 'attendance']
STATUSES = ['present', 'absent', 'late', 'excused']
START = dt.date(2026, 1, 5)
TIMEOUT = 300


def write_files(directory, source):
    "Write the files and return the state after their import"
    days = [START + dt.timedelta(days=i) for i in range(SLOTS)]
    enrolments = [
        (f'E{s}-{t}', s, t) for s in range(SESSIONS)
        for t in range(TRAINEES)]
    rows = {
        'parties': ['code;name;email'] + [
            f'P{t};{source} {t};{source}{t}@example.com'
            for t in range(TRAINEES)],
        'sessions': ['session;course;title;date;start;end'] + [
            f'S{s};C-{source};{source} course;{day};09:00;12:00'
            for s in range(SESSIONS) for day in days],
        'enrolments': ['enrolment;session;trainee;agreement'] + [
            f'{code};S{s};P{t};cpf' for code, s, t in enrolments],
        'attendance': ['enrolment;date;start;status;minutes'],
        }
    states = dict.fromkeys(STATUSES, 0)
    for status, (day, (code, _, t)) in zip(
            cycle(STATUSES),
            ((day, e) for day in days for e in enrolments)):
        # Everybody attends on the first day
        status = 'present' if day == START else status
        states[status] += 1
        minutes = 10 if status == 'late' else ''
        rows['attendance'].append(f'{code};{day};09:00;{status};{minutes}')
    for kind, lines in rows.items():
        (directory / f'{kind}.csv').write_text('\n'.join(lines))
    counts = {
        'party.party': TRAINEES,
        'training.course': 1,
        'training.session': SESSIONS,
        'training.enrolment': len(enrolments),
        }
    return {
        **counts,
        'all party.party': TRAINEES,
        'all training.course': 1,
        'all training.trainee': TRAINEES,
        'all training.session running': SESSIONS,
        'all training.session.slot open': SESSIONS * SLOTS,
        'all training.enrolment started': len(enrolments),
        **{
            f'all training.attendance {state}': count
            for state, count in states.items()},
        }


class NotTryton(http.server.BaseHTTPRequestHandler):

    def do_POST(self):
        content = b'<html>Hello</html>'
        self.send_response(200)
        self.send_header('Content-Type', 'text/html')
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


class ImportMixin:
    "Import files, in process and through a server, in a new database"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.directory = Path(directory.name)
        cls.random = random.Random(NAME)
        cls.port = free_port()
        cls.config = cls.directory / 'trytond.conf'
        cls.config.write_text(
            f'[database]\nuri={cls.backend.uri}\npath={cls.directory}\n'
            f'[web]\nlisten=127.0.0.1:{cls.port}\n')
        cls.password = cls.directory / 'password'
        cls.password.write_text(PASSWORD)
        harness.create_database(cls.backend, NAME, cls.directory)
        harness.admin(
            cls.backend, NAME, cls.directory, password=PASSWORD)
        cls.run_process([
                sys.executable, CHILD, 'prepare', cls.uri(), cls.config],
            check=True)

    @classmethod
    def uri(cls):
        return f'{cls.backend.uri.rstrip("/")}/{NAME}'

    @classmethod
    def environ(cls):
        "The environment without the database of the other tests"
        return {
            'TRYTONPASSFILE': str(cls.password),
            **{
                k: v for k, v in os.environ.items()
                if not k.startswith('TRYTOND_')}}

    @classmethod
    def run_process(cls, command, **options):
        return subprocess.run(
            list(map(str, command)), env=cls.environ(), text=True,
            capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT,
            **options)

    def start_server(self):
        process = subprocess.Popen([
                Path(sys.executable).with_name('trytond'),
                '-c', self.config, '-d', NAME],
            env=self.environ(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                socket.create_connection(('127.0.0.1', self.port)).close()
            except OSError:
                self.assertIsNone(process.poll())
                self.assertLess(time.monotonic(), end)
                time.sleep(0.1)
            else:
                return process

    @property
    def in_process(self):
        return ['--database', self.uri(), '--config', self.config]

    @property
    def over_network(self):
        return [
            '--url', f'http://admin@127.0.0.1:{self.port}/{NAME}/',
            '--password-file', self.password]

    def load(self, options, source, kind):
        return self.run_process([
                sys.executable, SCRIPT, *options, '--source', source, kind,
                self.directory / f'{kind}.csv'])

    def start_load(self, options, source, kind, calls):
        "Start the import and return when it has done that many calls"
        process = subprocess.Popen(
            list(map(str, [
                        sys.executable, CHILD, 'load', calls, *options,
                        '--source', source, kind,
                        self.directory / f'{kind}.csv'])),
            env=self.environ(), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        # Or its end when it needs fewer calls
        process.stdout.readline()
        return process

    def state(self, source):
        result = self.run_process([
                sys.executable, CHILD, 'state', self.uri(), self.config,
                source], check=True)
        return json.loads(result.stdout)

    def load_with_kills(self, options, source):
        expected = write_files(self.directory, source)
        killed = 0
        for kind in KINDS:
            last = 12 if kind == 'attendance' else 7
            for calls in self.random.sample(range(1, last), KILLS):
                process = self.start_load(options, source, kind, calls)
                time.sleep(self.random.uniform(0, 0.2))
                process.kill()
                process.communicate()
                killed += process.returncode == -signal.SIGKILL
            self.load_to_the_end(options, source, kind)
        self.assertGreater(killed, 0)
        self.assertEqual(self.state(source), expected)

    def load_to_the_end(self, options, source, kind):
        # The server may still do what the killed process has asked
        for _ in range(3):
            result = self.load(options, source, kind)
            self.assertNotIn('Traceback', result.stderr)
            if not result.returncode:
                return
        self.fail(result.stdout + result.stderr)

    def test_killed_in_process(self):
        self.load_with_kills(self.in_process, 'process')

    def test_killed_over_network(self):
        self.start_server()
        self.load_with_kills(self.over_network, 'network')

    def test_server_killed(self):
        source = 'server'
        expected = write_files(self.directory, source)
        server = self.start_server()
        for kind in KINDS[:-1]:
            self.load_to_the_end(self.over_network, source, kind)
        process = self.start_load(
            self.over_network, source, 'attendance', 6)
        server.kill()
        _, stderr = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 1)
        self.assertIn("The import has stopped", stderr)
        self.assertNotIn('Traceback', stderr)
        server.wait()
        self.start_server()
        self.load_to_the_end(self.over_network, source, 'attendance')
        self.assertEqual(self.state(source), expected)

    def test_no_connection(self):
        self.start_server()
        other = http.server.HTTPServer(('127.0.0.1', 0), NotTryton)
        self.addCleanup(other.server_close)
        threading.Thread(target=other.serve_forever, daemon=True).start()
        self.addCleanup(other.shutdown)
        write_files(self.directory, 'nothing')
        empty = self.directory / 'empty'
        empty.write_text('')
        absent = self.directory / 'absent'
        here = f'127.0.0.1:{self.port}'

        def network(url, password=self.password):
            return ['--url', f'http://{url}/', '--password-file', password]

        def process(uri=self.uri(), config=self.config):
            return ['--database', uri, '--config', config]

        for options, message in [
                (['--url', f'http://admin:wrong@{here}/{NAME}/'],
                    "the password is wrong"),
                (network(f'nobody@{here}/{NAME}'), "the password is wrong"),
                (network(f'{here}/other'), "does not know this database"),
                (network(f'127.0.0.1:{free_port()}/{NAME}'),
                    "Connection refused"),
                (network('absent.invalid/x'), "No connection"),
                (network(f'127.0.0.1:{other.server_port}/x'),
                    "not a Tryton server"),
                (network('127.0.0.1:port/x'), "must be like"),
                (network(here), "must be like"),
                (network('[/x'), "must be like"),
                (['--url', f'ftp://{here}/{NAME}/'], "must be like"),
                (network(f'{here}/{NAME}', absent), "No such file"),
                (network(f'{here}/{NAME}', empty),
                    "first line must be the password"),
                ([*self.over_network, '--company', "Nobody"],
                    "There is no company 'Nobody'"),
                ([*process(), '--company', '99'],
                    "There is no company '99'"),
                ([*process(), '--user', 'nobody'],
                    "There is no user 'nobody'"),
                (process(config=absent), "There is no file"),
                (process(config=self.password), "is not a configuration"),
                (process('other://['), "can not be used"),
                (process(f'{self.uri()}_absent'), "can not be used"),
                ]:
            with self.subTest(options=options):
                result = self.load(options, 'nothing', 'parties')
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(message, result.stderr)
                self.assertEqual(result.stdout, '')
                self.assertEqual(len(result.stderr.splitlines()), 1)
                self.assertNotIn(PASSWORD, result.stderr)
                self.assertNotIn('wrong@', result.stderr)

    def test_errors_not_writable(self):
        "The rejected rows are told when they can not be written"
        path = self.directory / 'rejected.csv'
        path.write_text('code;name\n1;=A1\n')
        path.with_name('rejected.csv.errors.csv').mkdir()
        result = self.run_process([
                sys.executable, SCRIPT, *self.in_process, 'parties', path])
        self.assertEqual(result.returncode, 1)
        self.assertIn("can not be written", result.stderr)
        self.assertIn("line 2, name: '=A1' looks like", result.stderr)
        self.assertIn("1 rejected\n", result.stdout)


class SQLiteTestCase(ImportMixin, unittest.TestCase):
    backend = harness.SQLite()

    @classmethod
    def uri(cls):
        return f'sqlite:///{NAME}'


class PostgreSQLTestCase(ImportMixin, unittest.TestCase):
    backend = harness.PostgreSQL()
