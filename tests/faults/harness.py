# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Real databases, workers, crons and mail servers, and the truth about mails"
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import cached_property
from pathlib import Path

from trytond.modules.training_abandon.tests import smtp_server

from lib.environment import free_port

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
FULL = bool(os.environ.get('TEST_FULL'))
TIMEOUT = 600 if FULL else 60
LEASE = 3600
PASSWORD = 'faults-password'
HEADER = [
    'fault', 'database', 'mails', 'sent', 'failed', 'queued', 'cancelled',
    'twice', 'lost', 'untrue']
rows = []


def wait_until(condition, what, timeout=TIMEOUT):
    end = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < end, f"{what} after {timeout} s"
        time.sleep(0.02)
    return result


def clean_environ(**variables):
    "The environment without the database of the other tests"
    return {
        **{k: v for k, v in os.environ.items()
            if not k.startswith('TRYTOND_')},
        **variables}


class Process(subprocess.Popen):
    "A process with its children, that ends with the tests"

    def __init__(self, command, **options):
        super().__init__(
            list(map(str, command)), env=clean_environ(),
            start_new_session=True, **options)
        atexit.register(self.kill)

    def kill(self):
        "As kill -9 of the process and of its children"
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.wait()
        for stream in [self.stdin, self.stdout]:
            if stream:
                stream.close()


class SMTPServer:
    "The mail server that misbehaves and tells what it accepted"

    certificate = process = None

    def __init__(self, directory):
        self.log = Path(directory) / 'smtp.log'
        self.log.touch()
        self.port = free_port()

    def start(self):
        command = [
            sys.executable, smtp_server.__file__,
            '--port', self.port, '--log', self.log]
        if self.certificate:
            command += ['--certificate', self.certificate]
        self.process = Process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == f'{self.port}\n'

    def stop(self):
        if self.process:
            self.process.kill()
            self.process = None

    def misbehave(self, *rules):
        self.process.stdin.write(json.dumps(rules) + '\n')
        self.process.stdin.flush()
        assert self.process.stdout.readline() == 'done\n'

    @property
    def events(self):
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def accepted(self, message_ids):
        "Return the acceptances of these messages"
        message_ids = set(message_ids)
        return [
            e for e in self.events
            if e['event'] == 'accepted' and e['message_id'] in message_ids]

    def count(self):
        return sum(e['event'] == 'accepted' for e in self.events)

    def is_left(self):
        "Return if all those who connected are gone"
        counts = Counter(e['event'] for e in self.events)
        return counts['connected'] == counts['quit'] + counts['lost']

    def last_of_lost(self):
        """Return the acceptances after which the connection was lost, as
        (connection, Message-ID)"""
        last, lost = {}, set()
        for event in self.events:
            connection = event['connection']
            if event['event'] == 'accepted':
                last[connection] = event['message_id']
            elif event['event'] == 'lost' and connection in last:
                lost.add((connection, last[connection]))
        return lost


class Driver:
    "A process that works on the database, see driver.py"

    def __init__(self, config, database, log):
        self.process = Process(
            [sys.executable, '-W', 'ignore', HERE / 'driver.py',
                config, database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            text=True)

    def try_(self, *command):
        "Return the outcome and the result of the command"
        self.send(*command)
        return self.receive()

    def send(self, *command):
        self.process.stdin.write(json.dumps(command) + '\n')
        self.process.stdin.flush()

    def receive(self):
        return json.loads(self.process.stdout.readline())

    def __getattr__(self, name):
        def call(*args):
            outcome, result = self.try_(name, *args)
            assert outcome == 'ok', (name, outcome, result)
            return result
        return call


class SQLite:
    name = 'SQLite'
    uri = 'sqlite://'

    @classmethod
    def create(cls, database, directory):
        (directory / f'{database}.sqlite').touch()

    @classmethod
    def exists(cls, database, directory):
        return (directory / f'{database}.sqlite').exists()

    @classmethod
    def copy(cls, source, from_, target, to):
        import sqlite3

        connection = sqlite3.connect(from_ / f'{source}.sqlite')
        copy = sqlite3.connect(to / f'{target}.sqlite')
        with copy:
            connection.backup(copy)
        connection.close()
        copy.close()


class PostgreSQL:
    name = 'PostgreSQL'

    @cached_property
    def uri(self):
        return os.environ['TEST_POSTGRESQL']

    def connect(self):
        import psycopg

        return psycopg.connect(
            self.uri.rstrip('/') + '/postgres', autocommit=True)

    def create(self, database, directory, template=None):
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}"')
            connection.execute(
                f'CREATE DATABASE "{database}"'
                + (f' TEMPLATE "{template}"' if template else ''))

    def exists(self, database, directory):
        with self.connect() as connection:
            return connection.execute(
                'SELECT 1 FROM pg_database WHERE datname = %s',
                [database]).fetchone()

    def copy(self, source, from_, target, to):
        with self.connect() as connection:
            connection.execute(
                'SELECT pg_terminate_backend(pid) FROM pg_stat_activity '
                'WHERE datname = %s', [source])
        self.create(target, to, template=source)

    def data_directory(self):
        with self.connect() as connection:
            return connection.execute('SHOW data_directory').fetchone()[0]


class World:
    """A database with cases, its configuration, its mail server and the
    processes that work on it"""
    def __init__(self, backend, name, workers=0):
        self.backend, self.name = backend, name
        self.directory = Path(tempfile.mkdtemp(prefix='training-faults-'))
        self.processes = []
        self.server = SMTPServer(self.directory)
        self.has_worker = bool(workers)
        self.workers = []
        self.config = self.configure('trytond.conf')

    def configure(self, filename, live=None):
        path = self.directory / filename
        live = live or f'{self.name}@{socket.gethostname()}'
        path.write_text(
            f'[database]\nuri={self.backend.uri}\npath={self.directory}\n'
            f'[queue]\nworker={self.has_worker}\n'
            '[email]\nfrom=formation@active-talents.example\n'
            f'uri={self.uri}\n'
            f'[training_abandon]\nlive={live}\n')
        return path

    def open(self, workers=0):
        self.create()
        self.server.start()
        self.driver = self.start_driver()
        for _ in range(workers):
            self.start_worker()

    def create(self):
        create_database(self.backend, self.name, self.directory)

    @cached_property
    def log(self):
        return open(self.directory / 'processes.log', 'a')

    def start_driver(self, config=None, database=None):
        driver = Driver(
            config or self.config, database or self.name, self.log)
        self.processes.append(driver.process)
        return driver

    def start_worker(self):
        worker = self.start('trytond-worker', '-n', 1, '-t', 1)
        self.workers.append(worker)
        return worker

    def start_cron(self):
        return self.start('trytond-cron', '-n', 1, '--once')

    def start(self, name, *options, config=None):
        process = Process(
            [sys.executable, '-W', 'ignore', BIN / name,
                '-c', config or self.config, '-d', self.name, '-v',
                *options],
            stdout=self.log, stderr=self.log)
        self.processes.append(process)
        return process

    def run_crons(self, count=1, later=LEASE):
        "Let the time pass and run the crons at the same time until the end"
        self.driver.later(later)
        for cron in [self.start_cron() for _ in range(count)]:
            assert not cron.wait(TIMEOUT)

    def kill_worker(self, index):
        self.workers.pop(index).kill()

    def reopen(self):
        "Replace the processes that lost the database"
        for process in self.processes:
            process.kill()
        count = len(self.workers)
        self.workers.clear()
        self.driver = self.start_driver()
        for _ in range(count):
            self.start_worker()

    def copy(self, name):
        "Copy the database and its files"
        for process in self.processes:
            process.kill()
        self.backend.copy(self.name, self.directory, name, self.directory)
        shutil.copytree(self.directory / self.name, self.directory / name)

    def get_uri(self, scheme='smtp', timeout=10):
        return f'{scheme}://127.0.0.1:{self.server.port}?timeout={timeout}'

    @property
    def uri(self):
        return self.get_uri()

    def create_certificate(self):
        "Return a file with a certificate that nobody trusts and its key"
        path = self.directory / 'certificate.pem'
        subprocess.run([
                'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
                '-subj', '/CN=127.0.0.1', '-days', '2',
                '-keyout', path, '-out', self.directory / 'certificate'],
            check=True, capture_output=True)
        with open(path, 'a') as file:
            file.write((self.directory / 'certificate').read_text())
        return path

    def close(self):
        self.server.stop()
        for process in self.processes:
            process.kill()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def wait_archived(self, mails):
        return wait_until(
            lambda: all(m['archived'] for m in self.driver.mails(mails)),
            "mails not archived")

    def wait_idle(self, mails, pause=1):
        "Wait until the workers have nothing more to take nor to deliver"
        wait_until(lambda: not self.driver.tasks(), "tasks not taken")
        before, since = None, time.monotonic()
        while time.monotonic() - since < pause:
            now = [
                (m['state'], m['archived']) for m in self.driver.mails(mails)]
            if now != before:
                before, since = now, time.monotonic()
            time.sleep(.1)

    def audit(self, fault, ids):
        """Add the line of the fault to the table and return the counts and
        the mails.

        Nothing may be lost, nothing accepted twice but what the server had
        accepted when the connection was lost, and every state be true."""
        mails = self.driver.mails(ids)
        accepted = self.server.accepted([m['message_id'] for m in mails])
        times = Counter(a['message_id'] for a in accepted)
        counts = Counter(m['state'] for m in mails)
        excused = {m for _, m in self.server.last_of_lost()}
        counts['mails'] = len(mails)
        counts['queued'] += counts['sending']
        counts['twice'] = sum(t - 1 for t in times.values() if t > 1)
        counts['unexcused'] = sum(
            t > 1 and m not in excused for m, t in times.items())
        counts['lost'] = sum(
            not times[m['message_id']]
            and (m['state'] in {'sent', 'draft'} or not m['stored'])
            for m in mails)
        counts['untrue'] = sum(not _is_true(m, times) for m in mails)
        rows.append([fault, self.backend.name] + [
                counts[n] for n in HEADER[2:]])
        return counts, mails


def _is_true(mail, times):
    "Return if the state and the evidence say what the server did"
    accepted = bool(times[mail['message_id']])
    evidence = {
        'sent': 'proven',
        'failed': 'failed',
        'cancelled': 'failed',
        }.get(mail['state'], 'pending')
    return (
        (mail['state'] == 'sent') == accepted
        and mail['archived'] == accepted
        and mail['evidence'] == evidence
        and (mail['state'] != 'failed' or bool(mail['reply'])))


def create_database(backend, name, directory):
    "Create the database from one where the module is activated"
    template = (
        os.environ.get('TEST_TEMPLATE') or f'faults_{backend.name.lower()}')
    cache = Path(os.environ['DB_CACHE'])
    cache.mkdir(parents=True, exist_ok=True)
    if not backend.exists(template, cache):
        backend.create(template, cache)
        admin(backend, template, cache, '--all',
            '-u', 'training_abandon', '--activate-dependencies')
    backend.copy(template, cache, name, directory)


def admin(backend, database, directory, *options, password=PASSWORD):
    "Run trytond-admin on the database and give admin that password"
    path = Path(directory) / 'password'
    path.write_text(password)
    config = Path(directory) / f'{database}.conf'
    config.write_text(
        f'[database]\nuri={backend.uri}\npath={directory}\n')
    subprocess.run([
            sys.executable, '-W', 'ignore', BIN / 'trytond-admin',
            '-c', config, '-d', database, *options,
            '--password', '--email', 'admin@example.com'],
        env=clean_environ(TRYTONPASSFILE=str(path)), check=True)


def table():
    "Return the lines of the table of the faults"
    lines = [HEADER, *[list(map(str, row)) for row in rows]]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return [
        '  '.join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths))).rstrip()
        for line in lines]
