# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What happens to the mails when something fails

Each test asks cases for their reasons, lets something fail, lets the time
pass and compares the outbox with what the mail server did."""
import random
import time
import unittest

from harness import FULL, PostgreSQL, SQLite, World, wait_until

from lib.testing.cluster import restart

SEED = 20260302
BATCH = 1000 if FULL else 60
KILLS = 20 if FULL else 3
# All of them leave without the cron
FEW = 20 if FULL else 8


class FaultMixin:
    workers = 0
    cases_count = 0

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        name = 'faults_worker' if cls.workers else 'faults_cron'
        cls.world = World(cls.backend, name, cls.workers)
        cls.addClassCleanup(cls.world.close)
        cls.world.open(cls.workers)
        cls.cases = cls.world.driver.prepare(cls.cases_count)
        cls.random = random.Random(SEED)

    def setUp(self):
        self.addCleanup(self.world.server.misbehave)

    @property
    def driver(self):
        return self.world.driver

    @property
    def server(self):
        return self.world.server

    def take(self, count=FEW):
        "Return cases that nobody has used"
        cases, self.cases[:] = self.cases[:count], self.cases[count:]
        self.assertEqual(len(cases), count)
        return cases

    def audit(self, fault, mails, **expected):
        counts, mails = self.world.audit(fault, mails)
        for name in ['lost', 'untrue', 'unexcused']:
            expected.setdefault(name, 0)
        expected.setdefault('twice', 0)
        expected.setdefault('sent', len(mails))
        found = {n: counts[n] for n in expected}
        self.assertEqual(found, expected, [
                m for m in mails if m['state'] != 'sent'][:3])
        return mails

    def audit_killed(self, fault, mails):
        "Audit mails that may have been accepted just before a kill"
        counts, _ = self.world.audit(fault, mails)
        expected = {'sent': len(mails), 'lost': 0, 'untrue': 0}
        self.assertEqual({n: counts[n] for n in expected}, expected)
        self.assertEqual(counts['unexcused'], 0)
        self.assertLessEqual(counts['twice'], KILLS)

    def check_waiting(self, mails, words=None):
        "Check that the mails wait, say why and were not accepted"
        mails = self.driver.mails(mails)
        self.assertEqual({m['state'] for m in mails}, {'queued'})
        self.assertEqual({m['evidence'] for m in mails}, {'pending'})
        self.assertFalse(
            self.server.accepted([m['message_id'] for m in mails]))
        for mail in mails:
            self.assertIsNotNone(mail['next_attempt'])
            self.assertTrue(mail['reply'])
            if words:
                self.assertIn(words, mail['reply'])


class CronMixin(FaultMixin):
    "Without worker: the process of the user and the cron deliver"
    cases_count = 17 * FEW + 2 * BATCH

    def setUp(self):
        super().setUp()
        self.addCleanup(
            lambda: self.driver.configure('email', 'uri', self.world.uri))

    def recover(self):
        "Let the time pass for each attempt"
        for _ in range(3):
            self.driver.later(24 * 3600)
            self.driver.deliver_due()

    def deliver_with(self, *rules, count=FEW):
        "Return the mails after a first attempt under these rules"
        self.server.misbehave(*rules)
        mails = self.driver.apply(self.take(count))
        self.assertEqual(len(mails), count)
        return mails

    def test_nothing(self):
        "Test that all leave when nothing fails"
        self.audit("none", self.deliver_with())

    def test_down(self):
        "Test a server that is down then up"
        self.server.stop()
        try:
            mails = self.driver.apply(self.take())
            self.check_waiting(mails)
        finally:
            self.server.start()
        self.recover()
        self.audit("server down then up", mails)

    def test_slow(self):
        "Test a server slower than the time-out"
        self.driver.configure('email', 'uri', self.world.get_uri(timeout=1))
        for stage in ['connect', 'data']:
            with self.subTest(stage=stage):
                mails = self.deliver_with(
                    {'stage': stage, 'delay': 1.5, 'times': 2})
                self.recover()
                self.audit(f"time-out at {stage}", mails)

    def test_dropped(self):
        "Test a connection lost after the message and before the reply"
        mails = self.deliver_with(
            {'stage': 'data', 'drop': True, 'times': 3})
        waiting = [m for m in self.driver.mails(mails)
            if m['state'] != 'sent']
        self.check_waiting([m['id'] for m in waiting])
        self.recover()
        self.audit("dropped after DATA", mails)

    def test_dropped_kept(self):
        """Test that a message kept by a server that drops the connection
        leaves again under the same Message-ID"""
        mails = self.deliver_with(
            {'stage': 'data', 'keep': True, 'drop': True, 'times': 3})
        self.recover()
        self.audit("dropped after DATA, kept", mails, twice=3)

    def test_421(self):
        "Test a server that closes the service"
        for stage in ['connect', 'mail', 'rcpt', 'data']:
            with self.subTest(stage=stage):
                mails = self.deliver_with({
                        'stage': stage,
                        'reply': '421 4.3.2 Shutting down',
                        'times': 1})
                self.assertIn('queued', {
                        m['state'] for m in self.driver.mails(mails)})
                self.recover()
                self.audit(f"421 at {stage}", mails)

    def test_450(self):
        "Test a recipient that is refused for a while"
        cases = self.take()
        self.server.misbehave(
            {'stage': 'rcpt', 'reply': '450 4.2.1 Greylisted', 'times': 2},
            {'stage': 'data', 'reply': '451 4.3.0 Try again', 'times': 1})
        mails = self.driver.apply(cases)
        waiting = [m for m in self.driver.mails(mails)
            if m['state'] != 'sent']
        self.assertEqual(len(waiting), 3)
        self.check_waiting([m['id'] for m in waiting], ' 4.')
        # The time has not come
        self.driver.deliver_due()
        self.check_waiting([m['id'] for m in waiting], ' 4.')
        self.recover()
        self.audit("450 and 451 then accepted", mails)

    def test_550(self):
        "Test a recipient that is refused"
        mails = self.deliver_with({
                'stage': 'rcpt',
                'reply': '550 5.1.1 No such user',
                'times': 1})
        self.recover()
        mails = self.audit(
            "550 for one recipient", mails, sent=FEW - 1, failed=1)
        failed, = [m for m in mails if m['state'] == 'failed']
        self.assertEqual(failed['reply'], '550 5.1.1 No such user')

    def test_tls(self):
        "Test servers without TLS or whose certificate is not trusted"
        self.driver.configure('email', 'uri', self.world.get_uri('smtp+tls'))
        mails = self.driver.apply(self.take())
        self.check_waiting(mails)
        self.driver.configure('email', 'uri', self.world.uri)
        self.recover()
        self.audit("no TLS", mails)

        self.server.stop()
        self.server.certificate = self.world.create_certificate()
        self.server.start()
        self.driver.configure('email', 'uri', self.world.get_uri('smtp+tls'))
        mails = self.driver.apply(self.take())
        self.check_waiting(mails, 'CERTIFICATE_VERIFY_FAILED')
        self.driver.configure('email', 'uri', self.world.uri)
        self.recover()
        self.audit("TLS certificate not trusted", mails)

    def test_file_size(self):
        "Test that a step is not recorded when its mails can not be stored"
        cases = self.take()
        before = self.driver.cases(cases)
        _, used, _ = self.driver.files()
        outcome, message = self.driver.try_('apply', cases, 3000)
        self.assertNotEqual(outcome, 'ok')
        self.check_storage_error(outcome, message)
        self.assertEqual(self.driver.cases(cases), before)
        _, still_used, missing = self.driver.files()
        self.assertEqual((still_used, missing), (used, 0))
        mails = self.driver.apply(cases)
        self.audit("file size limit while storing", mails)

    def check_storage_error(self, outcome, message):
        self.assertEqual(outcome, 'MailStorageError')
        self.assertIn("File too large", message)

    def test_two_crons(self):
        "Test two crons at once"
        mails = self.driver.apply(self.take(BATCH), None, False)
        self.server.misbehave({'stage': 'data', 'delay': .002})
        self.world.run_crons(2)
        self.audit("two crons at once", mails)

    def test_kill_cron(self):
        "Test a cron killed at random moments"
        mails = self.driver.apply(self.take(BATCH), None, False)
        self.server.misbehave({'stage': 'data', 'delay': .005})
        for _ in range(KILLS):
            self.driver.later(3600)
            cron = self.world.start_cron()
            goal = self.server.count() + self.random.randint(
                1, BATCH // (2 * KILLS))
            wait_until(
                lambda: self.server.count() >= goal
                or cron.poll() is not None,
                "not enough mails accepted")
            time.sleep(self.random.random() * .02)
            cron.kill()
        self.world.run_crons()
        self.audit_killed(f"{KILLS} × kill -9 of the cron", mails)

    def test_copy(self):
        "Test that a copy of the database writes to nobody"
        name = 'faults_copy'
        mails = self.driver.apply(self.take(), None, False)
        before = self.server.count()
        self.addCleanup(self.world.reopen)
        self.world.copy(name)
        # The configuration of the original on the copy, then the
        # configuration of another machine on the original
        for config, database in [
                (self.world.config, name),
                (self.world.configure('other.conf', live='x@elsewhere'),
                    self.world.name)]:
            driver = self.world.start_driver(config, database)
            driver.later(24 * 3600)
            driver.deliver_due()
            self.assertEqual(
                {m['state'] for m in driver.mails(mails)}, {'queued'})
        self.assertEqual(self.server.count(), before)
        self.world.reopen()
        self.recover()
        self.audit("copied database", mails)


class SQLiteCronTestCase(CronMixin, unittest.TestCase):
    backend = SQLite()

    def check_storage_error(self, outcome, message):
        "The files of the database itself are limited"
        self.assertIn(outcome, {'OperationalError', 'MailStorageError'})


class PostgreSQLCronTestCase(CronMixin, unittest.TestCase):
    backend = PostgreSQL()


class WorkerTestCase(FaultMixin, unittest.TestCase):
    "With two workers"
    backend = PostgreSQL()
    workers = 2
    cases_count = 2 * BATCH + 2 * FEW

    def apply(self, count):
        "Apply the step to a part of the cases at a time: each is a task"
        mails = []
        for _ in range(4):
            mails += self.driver.apply(self.take(count // 4))
        return mails

    def wait_accepted(self, count):
        wait_until(
            lambda: self.server.count() >= count, "not enough mails accepted")

    def test_nothing(self):
        "Test that the workers share the mails"
        mails = self.apply(2 * FEW)
        self.world.wait_archived(mails)
        self.audit("none, 2 workers", mails)

    def test_kill(self):
        "Test workers killed at random moments"
        self.server.misbehave({'stage': 'data', 'delay': .01})
        start = self.server.count()
        mails = self.apply(BATCH)
        for number in range(1, KILLS + 1):
            goal = number * BATCH // (2 * KILLS)
            try:
                wait_until(
                    lambda: self.server.count() >= start + goal, "", 5)
            except AssertionError:
                # What the killed workers had claimed waits for the cron
                self.world.run_crons()
            time.sleep(self.random.random() * .05)
            self.world.kill_worker(self.random.randrange(2))
            self.world.start_worker()
        self.world.wait_idle(mails)
        self.world.run_crons()
        self.audit_killed(f"{KILLS} × kill -9 of a worker", mails)

    def test_restart_database(self):
        "Test a database that is restarted at once in the middle"
        self.server.misbehave({'stage': 'data', 'delay': .02})
        start = self.server.count()
        mails = self.apply(BATCH)
        self.wait_accepted(start + BATCH // 3)
        restart(self.backend.data_directory())
        # They store again what the database has lost, then give up
        wait_until(self.server.is_left, "the workers still deliver")
        self.world.reopen()
        self.world.wait_idle(mails)
        self.world.run_crons()
        self.audit_killed("database restarted", mails)
