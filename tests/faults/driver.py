# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""A process that works on a database as a user or as the cron would

driver.py CONFIG DATABASE

Each line of the standard input is the JSON list of a command and its
arguments, that are those of the functions below; each line of the standard
output is the JSON list of the outcome, 'ok' or the name of the exception, and
of the result or the message."""
import contextlib
import datetime as dt
import json
import os
import resource
import sys

import trytond.config as config
from trytond.pool import Pool
from trytond.transaction import Transaction
from trytond.worker import run_task

NEVER = dt.datetime(2100, 1, 1)


class Driver:

    def __init__(self, path, database):
        config.update_etc([path])
        self.database = database
        self.pool = Pool(database)
        with Transaction().start(database, 0, readonly=True):
            self.pool.init()

    def run(self):
        for line in sys.stdin:
            name, *args = json.loads(line)
            try:
                answer = ['ok', getattr(self, name)(*args)]
            except Exception as exception:
                answer = [exception.__class__.__name__, str(exception)]
            print(json.dumps(answer, default=str), flush=True)

    @contextlib.contextmanager
    def transaction(self, user=1):
        with Transaction().start(self.database, user) as transaction:
            User = self.pool.get('res.user')
            with transaction.set_context(
                    User.get_preferences(context_only=True)):
                yield transaction

    def prepare(self, count):
        "Create cases and return their ids"
        from trytond.modules.training_abandon.tests import common

        Case = self.pool.get('training.abandon.case')
        Cron = self.pool.get('ir.cron')
        with self.transaction(), contextlib.ExitStack() as stack:
            # The tests say when the time has come
            Cron.write(Cron.search([]), {'next_call': NEVER})
            company, session, _ = stack.enter_context(common.set_up())
            enrolments = common.create_enrolments(session, count)
            return [c.id for c in Case.open_cases(
                    enrolments, 'absence', common.DATE)]

    def apply(self, ids, limit=None, deliver=True):
        """Ask the cases for their reasons and return the ids of the mails,
        while the files are limited to that number of bytes.

        Without deliver the process ends before it runs its tasks."""
        Case = self.pool.get('training.abandon.case')
        Mail = self.pool.get('training.mail')

        def write(cases, steps):
            lines = Case.render_letters(
                Case.recipients(cases, ['trainee']), 'ask_reasons',
                lambda case: 'silent')
            Case.create_mails(steps, lines)

        with self.limit(limit):
            with self.transaction() as transaction:
                cases = Case.browse(ids)
                steps = Case.apply_step(cases, 'ask_reasons', write)
                mails = [m.id for m in Mail.search([
                            ('step', 'in', [s.id for s in steps.values()]),
                            ], order=[('id', 'ASC')])]
        if deliver:
            self.run_tasks(transaction)
        return mails

    @contextlib.contextmanager
    def limit(self, size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        if size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def run_tasks(self, transaction):
        "Do what a server without a worker does after the commit"
        while transaction.tasks:
            run_task(self.pool, transaction.tasks.pop(0))

    def deliver_due(self):
        Mail = self.pool.get('training.mail')
        with self.transaction(user=0):
            Mail.deliver_due()

    def later(self, seconds):
        "Let the time pass for the mails and for the crons"
        Cron = self.pool.get('ir.cron')
        Mail = self.pool.get('training.mail')
        delay = dt.timedelta(seconds=seconds)
        with self.transaction(user=0):
            for mail in Mail.search([('next_attempt', '!=', None)]):
                Mail.write([mail], {
                        'next_attempt': mail.next_attempt - delay,
                        })
            Cron.write(Cron.search([
                        ('method', '=', 'training.mail|deliver_due'),
                        ]), {'next_call': None})

    def tasks(self):
        "Return how many tasks no worker has taken"
        Queue = self.pool.get('ir.queue')
        with self.transaction():
            return Queue.search_count([('dequeued_at', '=', None)])

    def mails(self, ids):
        Mail = self.pool.get('training.mail')
        with self.transaction():
            return [{
                    'id': mail.id,
                    'to': mail.to,
                    'message_id': mail.message_id,
                    'stored': bool(mail.message),
                    'state': mail.state,
                    'attempts': mail.attempts,
                    'next_attempt': mail.next_attempt,
                    'reply': mail.smtp_reply,
                    'archived': bool(mail.email),
                    'evidence': mail.step.evidence,
                    } for mail in Mail.browse(ids)]

    def cases(self, ids):
        "Return the state of the cases and the evidence of their steps"
        Case = self.pool.get('training.abandon.case')
        with self.transaction():
            return [[
                    case.state,
                    len(case.mails),
                    [s.state for s in case.steps if s.kind == 'ask_reasons'],
                    ] for case in Case.browse(ids)]

    def files(self):
        "Return the number of the files stored and of those that mails use"
        Mail = self.pool.get('training.mail')
        folder = os.path.join(config.get('database', 'path'), self.database)
        stored = {
            name for _, _, names in os.walk(folder) for name in names}
        with self.transaction():
            used = {
                m.message_file_id for m in Mail.search([])
                if m.message_file_id}
        return [len(stored), len(used), len(used - stored)]

    def configure(self, section, option, value):
        config.set(section, option, value)


if __name__ == '__main__':
    Driver(*sys.argv[1:]).run()
