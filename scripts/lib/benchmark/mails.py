# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The mails of a step beside those of account_dunning_email

The baseline does as the dunnings do: get_email for each, SMTPDataManager
and Email.save.  The delivery is compared with smtplib alone, that gives the
same bytes to the same server over one connection."""

import datetime as dt
import smtplib
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from email.utils import parseaddr

from trytond.modules.training_abandon.scripts.importing.client import grouped

from ..environment import free_port
from .common import measure, seconds

RUNS = 3
MAILS = 1000
# Three times the rate of the dunnings
STEP_BAR = 3
# Half of the rate of smtplib alone
DELIVERY_BAR = 0.5
START = dt.date(2026, 1, 5)
ADDRESS = 'trainee{}@example.com'
# The frame of the letters with their text inside, as the dunnings have
TEXT = '''\
<p>Dear Sir or Madam,</p>
<p>We notice your absence from the course entitled
${record.enrolment.session.course.name} and have had no news from you.</p>
<p>Could you tell us the reasons for your absence, and whether you wish to
continue the course?</p>
<ul><li py:for="reason in record.procedure.reasons">${reason.name}</li></ul>
<p>We will come back to you very soon, once we have analysed your reasons, to
propose an alternative that may meet your expectations or constraints.</p>
<p>We remain available for any question.</p>
<p>I look forward to hearing from you.<br/>Yours faithfully,</p>
<p>${company.party.name}</p>'''


def run(client):
    with sink() as port:
        bench = Bench(client, port)
        dunnings, steps, deliveries, bare = [], [], [], []
        for _ in range(RUNS):
            dunnings.append(seconds(bench.send_as_dunnings))
            created = seconds(bench.create_mails)
            messages = bench.messages()
            delivered = seconds(bench.deliver)
            steps.append(created + delivered)
            deliveries.append(delivered)
            bare.append(seconds(bench.send_bare, messages))
    yield measure(
        'step mails', MAILS, steps, MAILS, dunnings, STEP_BAR)
    yield measure(
        'delivery', MAILS, deliveries, MAILS, bare, DELIVERY_BAR)


@contextmanager
def sink():
    "Yield the port of a mail server that keeps nothing"
    port = free_port()
    process = subprocess.Popen([
            sys.executable, '-m', 'aiosmtpd', '-n', '-c',
            'aiosmtpd.handlers.Sink', '-l', f'127.0.0.1:{port}'])
    try:
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(('127.0.0.1', port)).close()
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


class Bench:
    "Cases whose trainees are asked for their reasons"

    def __init__(self, client, port):
        import trytond.config as config

        self.client = client
        self.database = client.config.database_name
        self.port = port
        config.set('email', 'uri', f'smtp://127.0.0.1:{port}?timeout=30')
        config.set('email', 'from', 'formation@active-talents.example')
        config.add_section('training_abandon')
        config.set(
            'training_abandon', 'live',
            f'{self.database}@{socket.gethostname()}')
        self.mails = []
        self.cases, self.report = self.create()

    @contextmanager
    def transaction(self):
        from trytond.transaction import Transaction

        context = dict(self.client.context)
        with Transaction().start(
                self.database, self.client.config.user,
                context=context) as transaction:
            yield transaction
            # No task: the delivery is measured alone
            del transaction.tasks[:]

    def create_enrolments(self):
        "Create the started enrolments of new trainees, return their ids"
        client, company = self.client, self.client.context['company']
        course, = client.create('training.course', [{'name': "Bookkeeping"}])
        session, = client.create('training.session', [{
                    'course': course,
                    'company': company,
                    'start_date': START,
                    'end_date': START,
                    'slots': [('create', [{
                                    'date': START,
                                    'start': dt.time(9),
                                    'end': dt.time(12),
                                    }])],
                    }])
        enrolments = []
        for numbers in grouped(range(MAILS)):
            parties = client.create('party.party', [{
                        'name': f"Trainee {number}",
                        'contact_mechanisms': [('create', [{
                                        'type': 'email',
                                        'value': ADDRESS.format(number),
                                        }])],
                        } for number in numbers])
            trainees = client.create(
                'training.trainee', [{'party': p} for p in parties])
            enrolments += client.create('training.enrolment', [{
                        'company': company,
                        'session': session,
                        'trainee': trainee,
                        } for trainee in trainees])
        for button in ['confirm', 'start']:
            client.click('training.enrolment', button, enrolments)
        return enrolments

    def create(self):
        "Return the ids of the cases and of the report of the baseline"
        from trytond.pool import Pool

        enrolments = self.create_enrolments()
        with self.transaction():
            pool = Pool()
            Case = pool.get('training.abandon.case')
            Enrolment = pool.get('training.enrolment')
            Report = pool.get('ir.action.report')
            cases = []
            for ids in grouped(enrolments):
                cases += Case.open_cases(
                    Enrolment.browse(ids), 'absence', START)
            for part in grouped(cases):
                Case.apply_step(part, 'ask_reasons', lambda *args: None)
            return [c.id for c in cases], self.create_report(Report, cases[0])

    def create_report(self, Report, case):
        "Return the id of the report of the baseline, that draws the same"
        letter = case.procedure.get_letter(
            'ask_reasons', 'silent', 'trainee')
        frame = letter.report.report_content.decode()
        head, rest = frame.split('<py:for each="kind, lines in blocks">')
        _, tail = rest.split('</py:for>\n                            </td>')
        report, = Report.create([{
                    'name': "Dunning",
                    'model': 'training.abandon.case',
                    'report_name': letter.report.report_name,
                    'report_content_custom': ''.join([
                            head, TEXT, '</td>', tail]).encode(),
                    'template_extension': 'html',
                    }])
        return report.id

    def send_as_dunnings(self):
        "What ProcessDunning.transition_send_email does"
        from trytond.pool import Pool
        from trytond.report import get_email
        from trytond.sendmail import (
            SMTPDataManager, send_message_transactional)
        from trytond.tools.email_ import format_address, set_from_header

        with self.transaction() as transaction:
            pool = Pool()
            Case = pool.get('training.abandon.case')
            Email = pool.get('ir.email')
            Lang = pool.get('ir.lang')
            Report = pool.get('ir.action.report')
            report = Report(self.report)
            datamanager = SMTPDataManager()
            transaction.join(datamanager)
            emails = []
            for case in Case.browse(self.cases):
                party = case.enrolment.trainee.party
                contact = party.contact_mechanism_get('email')
                language = party.lang or Lang.get()
                message, title = get_email(report, case, [language])
                sender = 'formation@active-talents.example'
                set_from_header(message, sender, sender)
                message['To'] = [format_address(
                        contact.email, contact.name or party.rec_name)]
                message['Subject'] = title
                message['Auto-Submitted'] = 'auto-generated'
                send_message_transactional(message, datamanager=datamanager)
                emails.append(Email.from_message(message, resource=case))
            Email.save(emails)

    def create_mails(self):
        "What the wizard of the step does"
        from trytond.pool import Pool

        with self.transaction():
            pool = Pool()
            Case = pool.get('training.abandon.case')
            Step = pool.get('training.abandon.case.step')
            cases = Case.browse(self.cases)
            steps = {
                step.case.id: step
                for ids in grouped(self.cases)
                for step in Step.search([
                        ('case', 'in', ids),
                        ('kind', '=', 'ask_reasons'),
                        ])}
            lines = Case.render_letters(
                Case.recipients(cases, ['trainee']), 'ask_reasons',
                lambda case: 'silent')
            self.mails = [m.id for m in Case.create_mails(steps, lines)]
        assert len(self.mails) == MAILS

    def deliver(self):
        "What the cron does"
        from trytond.pool import Pool

        with self.transaction():
            Mail = Pool().get('training.mail')
            Mail.deliver_due()
        with self.transaction():
            Mail = Pool().get('training.mail')
            assert Mail.search_count([
                    ('id', 'in', self.mails),
                    ('state', '=', 'sent'),
                    ('email', '!=', None),
                    ]) == MAILS

    def messages(self):
        "Return the senders, recipients and bytes of the mails"
        from trytond.pool import Pool

        with self.transaction():
            Mail = Pool().get('training.mail')
            return [
                (parseaddr(m.from_)[1], m.to, m.message)
                for m in Mail.browse(self.mails)]

    def send_bare(self, messages):
        with smtplib.SMTP('127.0.0.1', self.port) as server:
            for message in messages:
                server.sendmail(*message)
