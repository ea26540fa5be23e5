# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Two users in two processes apply or undo the same step at the same time"
import subprocess
import sys
import time
import unittest
from pathlib import Path

from harness import PostgreSQL, SQLite, World, clean_environ
from two_users import CALLS

NAME = 'two_users'
ROUNDS = 4
CHILD = Path(__file__).with_name('two_users.py')


class TwoUsersMixin:
    "Create a database with cases and let two processes change each"

    def setUp(self):
        self.world = World(self.backend, NAME)
        self.addCleanup(self.world.close)
        self.world.create()
        self.world.server.start()

    def start(self, *args):
        process = subprocess.Popen(
            [sys.executable, CHILD, self.world.config, NAME, *map(str, args)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=clean_environ())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        return process

    def test_inform(self):
        "Test that one informs and that the other is refused clearly"
        cases, _ = self.start('prepare', ROUNDS).communicate()
        self.compete(cases, 'inform', {'CaseBusyError', 'CaseStepError'})
        self.assertEqual(self.world.server.count(), ROUNDS)

    def test_undo(self):
        "Test that one undoes and that the other does not undo another step"
        cases, _ = self.start('prepare', ROUNDS).communicate()
        self.start('skip', *cases.split() * 2).communicate()
        self.compete(cases, 'undo', {'CaseBusyError', 'CaseUndoError'})

    def test_close_line(self):
        "Test that no line is written while its sheet closes"
        self.assertEqual(
            self.collide('close', 'line'), ['AccessError', 'held present'])

    def test_line_close(self):
        "Test that a sheet closes with the line that was being written"
        self.assertEqual(
            self.collide('line', 'close'), ['applied', 'held absent'])

    def test_journal(self):
        "Test that what two users do at once makes one chain"
        case, _ = self.start('prepare', 1).communicate()
        processes = [self.start('call', case.strip()) for _ in range(2)]
        for process in processes:
            self.assertEqual(process.stdout.readline(), 'ready\n')
        for process in processes:
            process.stdin.write('go\n')
            process.stdin.flush()
        for process in processes:
            self.assertEqual(process.wait(timeout=60), 0)
        told, _ = self.start('verify').communicate()
        self.assertEqual(told, f'{1 + 2 * CALLS}\n')

    def collide(self, first, second):
        """Let a process do the second action while the first one is not
        committed; return what happens and the states"""
        slot, _ = self.start('sheet').communicate()
        holder = self.start('hold', first, slot.strip())
        self.assertEqual(holder.stdout.readline(), 'ready\n')
        other = self.start('do', second, slot.strip())
        self.assertEqual(other.stdout.readline(), 'ready\n')
        # Time enough to meet the other one: it may as well come later
        time.sleep(0.5)
        holder.communicate('go\n')
        output, _ = other.communicate('go\n')
        result, states = output.splitlines()
        sheet, line, enrolment = states.split()
        self.assertEqual(enrolment == 'started', line == 'present')
        return [result, f'{sheet} {line}']

    def compete(self, cases, command, refusals):
        "Let two processes do it to each case: one is refused clearly"
        processes = [self.start(command, *cases.split()) for _ in range(2)]
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
            self.assertIn(result[0], refusals)


class SQLiteTestCase(TwoUsersMixin, unittest.TestCase):
    backend = SQLite()


class PostgreSQLTestCase(TwoUsersMixin, unittest.TestCase):
    backend = PostgreSQL()

    def test_sign_cancel(self):
        "Test that who signs has the case before who cancels it"
        self.take('certify', 'sign', 'cancel')

    def test_declare_withdraw(self):
        "Test that who declares has the case before who takes it back"
        self.take('ask', 'declare', 'withdraw')

    def take(self, make, first, second):
        "Let one process take what is made of the case, then another the case"
        case, _ = self.start('prepare', 1).communicate()
        case = case.strip()
        self.start(make, case).communicate()
        holder = self.start('take', first, case)
        self.assertEqual(holder.stdout.readline(), 'ready\n')
        other = self.start('take', second, case)
        # It would wait for what is made, and the first one for the case
        result = other.stdout.readline()
        holder.stdin.write('go\n')
        holder.stdin.flush()
        if result == 'ready\n':
            time.sleep(0.5)
            result, _ = other.communicate('go\n')
        told, _ = holder.communicate()
        self.assertEqual(
            [told.strip(), result.strip()], ['applied', 'CaseBusyError'])
