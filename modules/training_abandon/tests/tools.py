# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the scenarios share: records through proteus and a mail server"
import datetime as dt
import email.policy
import socket
import subprocess
import sys
import tempfile
from email import message_from_bytes
from pathlib import Path

import trytond.config as trytond_config
from proteus import Model, Wizard
from proteus.config import get_config

from . import smtp_server


class MailServer:
    """A mail server in a process of its own, that stores what it accepts.

    It refuses the addresses that begin with refused."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen([
                sys.executable, smtp_server.__file__,
                '--folder', self._folder.name, '--refuse', '^refused'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self._process.stdout.readline())
        self.uri = f'smtp://127.0.0.1:{self.port}?timeout=10'

    @property
    def received(self):
        "The bytes of the messages in the order of their arrival"
        files = {
            smtp_server.file_number(path): path
            for path in Path(self._folder.name).glob('*.eml')}
        return [files[number].read_bytes() for number in sorted(files)]

    @property
    def messages(self):
        return [
            message_from_bytes(m, policy=email.policy.default)
            for m in self.received]

    def stop(self):
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()
        self._folder.cleanup()


def use_mail_server(server, config=None):
    """Give the address of the mail server to trytond and make the database
    the one that sends."""
    config = config or get_config()
    trytond_config.set('email', 'uri', server.uri)
    trytond_config.set('email', 'from', 'formation@active-talents.example')
    set_live(config.database_name)


def set_live(database_name):
    "Make the database the one that sends, or none"
    if not trytond_config.has_section('training_abandon'):
        trytond_config.add_section('training_abandon')
    trytond_config.set(
        'training_abandon', 'live',
        f'{database_name}@{socket.gethostname()}' if database_name else '')


def set_languages(*codes, config=None):
    "Load the languages"
    Lang = Model.get('ir.lang', config=config)
    for lang in Lang.find([('code', 'in', list(codes))]):
        if not lang.translatable:
            lang.translatable = True
            lang.save()


def create_party(name, email=None, lang=None, config=None, **values):
    Party = Model.get('party.party', config=config)
    Lang = Model.get('ir.lang', config=config)
    party = Party(name=name, **values)
    if lang:
        party.lang, = Lang.find([('code', '=', lang)])
    if email:
        mechanism = party.contact_mechanisms.new()
        mechanism.type = 'email'
        mechanism.value = email
    party.save()
    return party


def create_session(title, start, days=2, config=None):
    "Create a session of some days with two half-days each"
    Course = Model.get('training.course', config=config)
    Session = Model.get('training.session', config=config)
    course = Course(name=title, days=days)
    course.save()
    session = Session(
        course=course, start_date=start,
        end_date=start + dt.timedelta(days=days - 1))
    for day in range(days):
        for begin, end in [(9, 12), (14, 17)]:
            slot = session.slots.new()
            slot.date = start + dt.timedelta(days=day)
            slot.start = dt.time(begin)
            slot.end = dt.time(end)
    session.save()
    session.click('plan')
    return session


def create_enrolment(session, party, prescriber=None, config=None, **values):
    Trainee = Model.get('training.trainee', config=config)
    Enrolment = Model.get('training.enrolment', config=config)
    trainees = Trainee.find([('party', '=', party.id)])
    if trainees:
        trainee, = trainees
    else:
        trainee = Trainee(party=party)
        trainee.save()
    enrolment = Enrolment(
        trainee=trainee, session=session, prescriber=prescriber, **values)
    enrolment.save()
    enrolment.click('confirm')
    enrolment.click('start')
    return enrolment


def hold_slot(slot, absent=()):
    "Fill and close the attendance sheet"
    slot.click('open')
    for attendance in slot.attendances:
        if attendance.enrolment in absent:
            attendance.state = 'absent'
    slot.save()
    slot.click('others_present')
    close_sheets([slot])


def close_sheets(slots):
    "Close the attendance sheets, knowing who is written to"
    config = get_config()
    config.get_proxy('training.session.slot').close(
        [s.id for s in slots],
        dict(config.context, skip_sheet_notices=True))
    for slot in slots:
        slot.reload()


def open_case(enrolment, origin='absence', **values):
    wizard = Wizard('training.abandon.case.open', [enrolment])
    wizard.form.origin = origin
    for name, value in values.items():
        setattr(wizard.form, name, value)
    wizard.execute('apply')
    (case,), = wizard.actions
    return case


def apply(name, cases, **values):
    "Apply the wizard of a step with the values of its form"
    wizard = Wizard(f'training.abandon.case.{name}', cases)
    for field, value in values.items():
        setattr(wizard.form, field, value)
    wizard.execute('apply')
    for case in cases:
        case.reload()


def get_reason(code, config=None):
    Reason = Model.get('training.abandon.reason', config=config)
    reason, = Reason.find([('code', '=', code)])
    return reason


def analyse(cases, cause, reasons=(), **values):
    wizard = Wizard('training.abandon.case.analyse', cases)
    wizard.form.reasons.extend(
        type(r)(r.id) for r in reasons)
    wizard.form.causes.new(cause=cause)
    for field, value in values.items():
        setattr(wizard.form, field, value)
    wizard.execute('apply')
    for case in cases:
        case.reload()


def propose(cases, description):
    wizard = Wizard('training.abandon.case.propose', cases)
    wizard.form.proposals.new(description=description)
    wizard.execute('apply')
    for case in cases:
        case.reload()


def exchange(cases, answer=None):
    wizard = Wizard('training.abandon.case.exchange', cases)
    for line in wizard.form.exchanges:
        line.outcome = 'reached'
    for line in wizard.form.responses:
        line.answer = answer
    wizard.execute('apply')
    for case in cases:
        case.reload()
