# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Two users in two processes apply the same step at the same time"
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from trytond.modules.training_abandon.tests.tools import MailServer

NAME = 'two_users'
ROUNDS = 4
CHILD = Path(__file__).with_name('two_users.py')
ADMIN = Path(sys.executable).with_name('trytond-admin')


class TwoUsersMixin:
    "Create a database with cases and let two processes inform of each"

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.server = MailServer()
        self.addCleanup(self.server.stop)
        self.config = self.directory / 'trytond.conf'
        self.config.write_text(
            f'[database]\nuri={self.uri}\npath={self.directory}\n'
            f'[email]\nuri={self.server.uri}\n'
            'from=formation@active-talents.example\n')
        self.create_database()
        self.activate()

    def activate(self):
        password = self.directory / 'password'
        password.write_text('two-users-password')
        subprocess.run([
                ADMIN, '-c', self.config, '-d', NAME, '--all',
                '-u', 'training_abandon', '--activate-dependencies',
                '--email', 'admin@example.com'],
            env={**self.environ, 'TRYTONPASSFILE': str(password)},
            check=True)

    @property
    def environ(self):
        "The environment without the database of the other tests"
        return {
            k: v for k, v in os.environ.items()
            if not k.startswith('TRYTOND_')}

    def start(self, *args):
        process = subprocess.Popen(
            [sys.executable, CHILD, self.config, NAME, *map(str, args)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=self.environ)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        return process

    def test_inform(self):
        "Test that one informs and that the other is refused clearly"
        cases, _ = self.start('prepare', ROUNDS).communicate()
        processes = [self.start('inform', *cases.split()) for _ in range(2)]
        results = []
        for case in cases.split():
            for process in processes:
                self.assertEqual(process.stdout.readline(), 'ready\n')
            for process in processes:
                process.stdin.write('go\n')
                process.stdin.flush()
            results.append(sorted(
                    p.stdout.readline().strip() for p in processes))
        for process in processes:
            process.wait(timeout=60)
        for result in results:
            self.assertIn('applied', result)
            result.remove('applied')
            self.assertIn(result[0], {'CaseBusyError', 'CaseStepError'})
        self.assertEqual(len(self.server.received), ROUNDS)


class SQLiteTestCase(TwoUsersMixin, unittest.TestCase):
    uri = 'sqlite://'

    def create_database(self):
        (self.directory / f'{NAME}.sqlite').touch()


class PostgreSQLTestCase(TwoUsersMixin, unittest.TestCase):

    @property
    def uri(self):
        return os.environ['TEST_POSTGRESQL']

    def create_database(self):
        import psycopg

        with psycopg.connect(
                self.uri.rstrip('/') + '/postgres',
                autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{NAME}"')
            connection.execute(f'CREATE DATABASE "{NAME}"')
