# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The rules × the doors: a rule holds whoever comes in, and by which door

Each row of RULES is a rule, a door and what is tried there.  What is tried is
refused, or has no effect at the doors that tell nobody (QUIET); in both cases
what the rule protects, the value that the function protected returns, is the
same before and after."""
import csv
import datetime as dt
import tempfile
from collections import namedtuple
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from trytond.exceptions import UserError
from trytond.modules.training_abandon.scripts.importing.client import (
    Client, Refused)
from trytond.modules.training_abandon.scripts.importing.command import (
    KINDS, NoProgress)
from trytond.modules.training_abandon.scripts.importing.importer import Options
from trytond.modules.training_abandon.scripts.importing.table import (
    Errors, Table)
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, as_user, create_enrolments, create_party,
    create_session, create_user, decide, get_to_decision, open_cases,
    run_wizard, same_transaction, savepoint, set_up, today)

# The doors that do nothing instead of refusing
QUIET = {'cron', 'merge', 'reply'}
# The doors of which each call is a transaction
FILES = {'CSV', 'iCalendar file'}
SESSION = 'training.session'
SLOT = 'training.session.slot'
ENROLMENT = 'training.enrolment'
ATTENDANCE = 'training.attendance'
CASE = 'training.abandon.case'
CERTIFICATE = 'training.abandon.certificate'
MAIL = 'training.mail'

Row = namedtuple('Row', ['rule', 'door', 'prepare', 'protected', 'attempt'])


class House:
    "A company with a session, an enrolment and somebody at each door"

    def __init__(self, company, session):
        self.company, self.session = company, session
        self.enrolment, = create_enrolments(session)
        self.user = create_user(
            'manager', company, 'training', 'training_admin')

    def again(self):
        "Return the same house without what its records have read"
        house = copy(self)
        for name, record in vars(self).items():
            setattr(house, name, type(record)(record.id))
        return house

    def get(self, name, type='model'):
        return Pool().get(name, type=type)

    def new_trainee(self):
        return create_enrolments(create_session(self.company))[0].trainee

    # The doors

    def client(self, name, method, *args):
        "Call the method as the client of the user does, and proteus"
        Model = self.get(name)
        rpc = Model.__rpc__[method]
        with as_user(self.user):
            context = {
                k: v for k, v in Transaction().context.items()
                if not k.startswith('_')}
            args, kwargs, context, _ = rpc.convert(Model, *args, context)
            with Transaction().set_context(context, _skip_warnings=True):
                with savepoint(keep=True):
                    return rpc.result(
                        getattr(Model, method)(*args, **kwargs))

    def wizard(self, name, records, **values):
        with as_user(self.user), \
                Transaction().set_context(_skip_warnings=True):
            run_wizard(name, records, **values)

    def csv(self, kind, text):
        "Import the text and raise the reasons of the rows that are rejected"
        client = Client(SimpleNamespace(
                context={'company': self.company.id},
                get_proxy=lambda name: Proxy(self, name)))
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / f'{kind}.csv'
            path.write_text(text, encoding='utf-8')
            Kind = KINDS[kind]
            table = Table(path, Kind.columns, Kind.required)
            errors = Errors(table)
            company = {
                'id': self.company.id, 'party': self.company.party.id}
            Kind(client, table, errors,
                Options(company=company), NoProgress()).run()
            errors.write()
            if errors.path.exists():
                with open(errors.path, encoding='utf-8-sig') as file:
                    raise Refused([
                            row['reason'] for row in csv.DictReader(
                                file, delimiter=table.delimiter)])

    def calendar(self, *slots):
        "Make the slots of the session those of a calendar, as the import does"
        group, = self.client(
            SESSION, 'read_calendar', ics(*slots), 'import',
            self.session.number)['groups']
        self.client(SESSION, 'load_calendar', group)

    def merge(self, source, destination):
        Replace = self.get('party.replace', type='wizard')
        session_id, _, _ = Replace.create()
        with patch.object(Replace, 'check_similarity', lambda self: None):
            Replace.execute(session_id, {'ask': {
                        'source': source.id,
                        'destination': destination.id,
                        }}, 'replace')

    def erase(self, party):
        Erase = self.get('party.erase', type='wizard')
        party.active = False
        party.save()
        session_id, _, _ = Erase.create()
        Erase.execute(session_id, {'ask': {'party': party.id}}, 'erase')

    def cron(self, date=DATE + 14 * DAY):
        "Run the scheduled actions of the day"
        Case = self.get(CASE)
        with today(date), same_transaction():
            Case.remind(date)
            Case.qualify(date)
            Case.escalate(date)

    def reply(self, mail, text="Manque de temps."):
        Reply = self.get('training.mail.reply')
        Reply.from_message((
                f"From: {self.enrolment.trainee.party.reachable_email}\n"
                "To: office@example.com\n"
                "Subject: Re\n"
                "Message-ID: <doors@example.com>\n"
                f"In-Reply-To: {mail.message_id}\n\n{text}\n").encode())

    # What the rules are about

    def code(self, record, code):
        "Give the record a code with which the imports know it"
        ExternalCode = self.get('training.external_code')
        ExternalCode.create([{
                    'source': 'import', 'code': code, 'record': str(record)}])

    def codes(self):
        self.code(self.session, 'S')
        self.code(self.session.course, 'C')
        self.code(self.enrolment, 'E')
        self.code(self.enrolment.trainee.party, 'P')

    def cancel_session(self):
        self.codes()
        self.get(SESSION).cancel([self.session])

    def slots(self):
        return [
            (s.date, s.start, s.state)
            for s in self.get(SLOT).search(
                [('session', '=', self.session.id)])]

    def enrolments(self):
        return sorted(
            (e.id, e.session.id, e.trainee.id, e.state)
            for e in self.get(ENROLMENT).search(
                [('session', '=', self.session.id)]))

    def attendances(self):
        return sorted(
            (a.slot.id, a.trainee.party.name, a.state)
            for a in self.get(ATTENDANCE).search(
                [('slot.session', '=', self.session.id)]))

    def sheets(self):
        return [s.state for s in self.get(SLOT).search(
                [('session', '=', self.session.id)])]

    def cases(self):
        return sorted(c.id for c in self.get(CASE).search([]))

    def slot_values(self, **values):
        return {
            'session': self.session.id,
            'date': DATE,
            'start': dt.time(18),
            'end': dt.time(20),
            **values}

    def enrolment_values(self, **values):
        return {
            'company': self.company.id,
            'session': self.session.id,
            'trainee': self.enrolment.trainee.id,
            'currency': self.company.currency.id,
            **values}

    def draft(self):
        "Return an enrolment in draft, as those of before the cancellation"
        enrolment, = create_enrolments(create_session(self.company))
        Enrolment = self.get(ENROLMENT)
        Enrolment.confirm([enrolment])
        Enrolment.draft([enrolment])
        return enrolment

    def hold(self):
        Slot = self.get(SLOT)
        slots = self.session.slots[:1]
        Slot.open(slots)
        Slot.close(slots)
        self.line, = slots[0].attendances

    def open_case(self):
        self.case, = open_cases([self.enrolment])

    def ask_reasons(self):
        self.open_case()
        run_wizard('training.abandon.case.ask_reasons', [self.case])
        self.mail, = self.case.mails
        self.get(MAIL).write([self.mail], {
                'state': 'sent',
                'sent_at': dt.datetime.combine(DATE + DAY, dt.time(10)),
                })

    def decided(self):
        self.hold()
        self.case = get_to_decision(self.enrolment)
        decide(self.case)

    def certified(self):
        self.decided()
        Report = self.get(CERTIFICATE, type='report')
        with patch.object(Report, 'convert', return_value=('pdf', b'%PDF')):
            run_wizard('training.abandon.case.certify', [self.case])
        self.certificate, = self.get(CERTIFICATE).search([])

    def issued(self):
        certificate, = self.get(CERTIFICATE).search([])
        return (
            certificate.case, certificate.kind, certificate.state,
            bytes(certificate.document), certificate.sha256)

    def decision(self):
        case = self.get(CASE)(self.case.id)
        return (
            case.number, case.decision, case.ground, case.effective_date,
            case.procedure, case.enrolment)

    def to_decide(self):
        self.case = get_to_decision(self.enrolment)

    def written(self):
        mail = self.get(MAIL)(self.mail.id)
        return (
            mail.to, mail.subject, mail.body, mail.message, mail.state,
            mail.sent_at)

    def mails(self):
        return sorted(m.id for m in self.get(MAIL).search([]))

    def archive_procedure(self):
        Procedure = self.get('training.abandon.procedure')
        old, = Procedure.search([('state', '=', 'active')])
        self.session.procedure = old
        self.session.save()
        self.procedure, = Procedure.copy([old])
        Procedure.activate([self.procedure])

    def follows_archived(self):
        "Return the cases that follow another procedure than the one in force"
        return [
            c for c in self.get(CASE).search([])
            if c.procedure != self.procedure]

    def end_enrolment(self):
        self.get(ENROLMENT).complete([self.enrolment])

    def erased(self):
        self.prescriber = create_party("Agency", 'agency@example.com')
        self.get(ENROLMENT).write(
            [self.enrolment], {'prescriber': self.prescriber.id})
        self.open_case()
        run_wizard('training.abandon.case.inform', [self.case])
        self.erase(self.prescriber)

    def waiting_for_erased(self):
        "Return the mails to who is erased that may still leave"
        return [
            m for m in self.get(MAIL).search(
                [('party', '=', self.prescriber.id)])
            if m.state != 'cancelled']


class Proxy:
    "A model of which the methods are called as the user"

    def __init__(self, house, name):
        self._house, self._name = house, name

    def __getattr__(self, method):
        return lambda *args: self._house.client(
            self._name, method, *args[:-1])


def ics(*slots):
    events = ''.join(
        f'BEGIN:VEVENT\r\nUID:{n}\r\nSUMMARY:Course\r\n'
        f'DTSTART:{start:%Y%m%dT%H%M%S}\r\nDTEND:{end:%Y%m%dT%H%M%S}\r\n'
        'END:VEVENT\r\n'
        for n, (start, end) in enumerate(slots))
    return (
        'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:doors\r\n'
        f'{events}END:VCALENDAR\r\n').encode()


EVENING = tuple(dt.datetime.combine(DATE, dt.time(h)) for h in [18, 20])

RULES = [
    Row(*row) for row in [
        # A cancelled session takes no slot
        ("slot in a cancelled session", 'client create',
            House.cancel_session, House.slots,
            lambda h: h.client(SLOT, 'create', [h.slot_values()])),
        ("slot in a cancelled session", 'client write',
            House.cancel_session, House.slots,
            lambda h: h.client(
                SLOT, 'write', [create_session(h.company).slots[0].id],
                h.slot_values())),
        ("slot in a cancelled session", 'client button',
            House.cancel_session, House.slots,
            lambda h: h.client(SLOT, 'plan', [h.session.slots[0].id])),
        ("slot in a cancelled session", 'client state',
            House.cancel_session, House.slots,
            lambda h: h.client(
                SLOT, 'write', [h.session.slots[0].id],
                {'state': 'planned'})),
        ("slot in a cancelled session", 'ORM',
            House.cancel_session, House.slots,
            lambda h: h.get(SLOT).create([h.slot_values()])),
        ("slot in a cancelled session", 'CSV',
            House.cancel_session, House.slots,
            lambda h: h.csv('sessions', (
                    "session;course;title;date;start;end\n"
                    "S;C;Bookkeeping;02/03/2026;18:00;20:00\n"))),
        ("slot in a cancelled session", 'iCalendar file',
            House.cancel_session, House.slots,
            lambda h: h.calendar(EVENING)),
        ("slot in a cancelled session", 'iCalendar wizard',
            House.cancel_session, House.slots,
            lambda h: h.wizard(
                'training.session.import_ical', [h.session],
                session=h.session.id, file=ics(EVENING))),

        # A cancelled session takes no enrolment
        ("enrolment in a cancelled session", 'client create',
            House.cancel_session, House.enrolments,
            lambda h: h.client(ENROLMENT, 'create', [h.enrolment_values(
                        trainee=h.new_trainee().id)])),
        ("enrolment in a cancelled session", 'client write',
            House.cancel_session, House.enrolments,
            lambda h: h.client(
                ENROLMENT, 'write', [h.draft().id],
                {'session': h.session.id})),
        ("enrolment in a cancelled session", 'ORM',
            House.cancel_session, House.enrolments,
            lambda h: h.get(ENROLMENT).create([h.enrolment_values(
                        trainee=h.new_trainee().id)])),
        ("enrolment in a cancelled session", 'CSV',
            House.cancel_session, House.enrolments,
            lambda h: h.csv('enrolments', (
                    "enrolment;session;trainee;agreement\nE2;S;P;cpf\n"))),

        # A cancelled session has no sheet
        ("sheet in a cancelled session", 'client button',
            lambda h: (h.hold(), h.cancel_session()), House.sheets,
            lambda h: h.client(SLOT, 'open', [h.session.slots[0].id])),
        ("sheet in a cancelled session", 'ORM',
            lambda h: (h.hold(), h.cancel_session()), House.sheets,
            lambda h: h.get(SLOT).open(h.session.slots[:1])),
        ("sheet in a cancelled session", 'CSV',
            lambda h: (h.hold(), h.cancel_session()), House.attendances,
            lambda h: h.csv('attendance', (
                    "enrolment;date;start;status\n"
                    "E;02/03/2026;09:00;A\n"))),

        # What an official sheet says
        ("presence on a held sheet", 'client write',
            House.hold, House.attendances,
            lambda h: h.client(
                ATTENDANCE, 'write', [h.line.id], {'state': 'absent'})),
        ("presence on a held sheet", 'client button',
            House.hold, House.attendances,
            lambda h: h.client(ATTENDANCE, 'set_absent', [h.line.id])),
        ("presence on a held sheet", 'client delete',
            House.hold, House.attendances,
            lambda h: h.client(ATTENDANCE, 'delete', [h.line.id])),
        ("presence on a held sheet", 'client create',
            House.hold, House.attendances,
            lambda h: h.client(ATTENDANCE, 'create', [{
                        'slot': h.session.slots[0].id,
                        'enrolment': create_enrolments(h.session)[0].id,
                        }])),
        ("presence on a held sheet", 'merge',
            House.hold, lambda h: [a[0::2] for a in h.attendances()],
            lambda h: h.merge(
                h.enrolment.trainee.party, create_party("Twin"))),

        # One open case for an enrolment
        ("second open case", 'wizard',
            House.open_case, House.cases,
            lambda h: h.wizard(
                'training.abandon.case.open', [h.enrolment])),
        ("second open case", 'ORM',
            House.open_case, House.cases,
            lambda h: open_cases([h.enrolment])),

        # One current enrolment in a session
        ("second current enrolment", 'client create',
            House.codes, House.enrolments,
            lambda h: h.client(
                ENROLMENT, 'create', [h.enrolment_values()])),
        ("second current enrolment", 'ORM',
            House.codes, House.enrolments,
            lambda h: h.get(ENROLMENT).create([h.enrolment_values()])),
        ("second current enrolment", 'CSV',
            House.codes, House.enrolments,
            lambda h: h.csv('enrolments', (
                    "enrolment;session;trainee;agreement\n"
                    "E2;S;P;cpf\nE3;S;P;cpf\n"))),

        # A decision is not written over
        ("decided case", 'client write',
            House.decided, House.decision,
            lambda h: h.client(
                CASE, 'write', [h.case.id], {'effective_date': DATE})),
        ("decided case", 'client number',
            House.decided, House.decision,
            lambda h: h.client(
                CASE, 'write', [h.case.id], {'number': 'X'})),
        ("decided case", 'client delete',
            House.decided, House.decision,
            lambda h: h.client(CASE, 'delete', [h.case.id])),
        ("decided case", 'client copy',
            House.decided, House.cases,
            lambda h: h.client(CASE, 'copy', [h.case.id])),
        ("decided case", 'ORM',
            House.decided, House.decision,
            lambda h: decide(h.case, ground='exclusion')),
        ("decided case", 'cron',
            House.decided, House.decision, House.cron),
        ("decided case", 'merge',
            House.decided, House.decision,
            lambda h: h.merge(
                h.enrolment.trainee.party, create_party("Twin"))),

        # A mail that was sent stays as it left
        ("sent mail", 'client write',
            House.ask_reasons, House.written,
            lambda h: h.client(
                MAIL, 'write', [h.mail.id], {'body': "Other"})),
        ("sent mail", 'client delete',
            House.ask_reasons, House.written,
            lambda h: h.client(MAIL, 'delete', [h.mail.id])),
        ("sent mail", 'reply',
            House.ask_reasons, House.written,
            lambda h: h.reply(h.mail)),
        ("sent mail", 'cron',
            House.ask_reasons, House.written, House.cron),
        ("sent mail", 'merge',
            House.ask_reasons, House.written,
            lambda h: h.merge(
                h.enrolment.trainee.party, create_party("Twin"))),

        # A certificate stays as it was issued
        ("issued certificate", 'client write',
            House.certified, House.issued,
            lambda h: h.client(
                CERTIFICATE, 'write', [h.certificate.id],
                {'document': b'other'})),
        ("issued certificate", 'client delete',
            House.certified, House.issued,
            lambda h: h.client(CERTIFICATE, 'delete', [h.certificate.id])),
        ("issued certificate", 'cron',
            House.certified, House.issued, House.cron),
        ("issued certificate", 'merge',
            House.certified, House.issued,
            lambda h: h.merge(
                h.enrolment.trainee.party, create_party("Twin"))),

        # Nothing is decided for a day to come
        ("effective date in the future", 'wizard',
            House.to_decide, House.decision,
            lambda h: h.wizard(
                'training.abandon.case.decide', [h.case],
                decision='validated', ground='abandonment',
                effective_date=DATE + 9 * DAY)),
        ("effective date in the future", 'ORM',
            House.to_decide, House.decision,
            lambda h: h.get(CASE).apply_decision(
                [h.case], 'validated', 'abandonment', DATE + 9 * DAY)),

        # What has ended is not abandoned
        ("case on an ended enrolment", 'wizard',
            House.end_enrolment, House.cases,
            lambda h: h.wizard(
                'training.abandon.case.open', [h.enrolment])),
        ("case on an ended enrolment", 'ORM',
            House.end_enrolment, House.cases,
            lambda h: open_cases([h.enrolment])),
        ("case of a cancelled session", 'wizard',
            lambda h: (h.to_decide(), h.cancel_session()), House.decision,
            lambda h: h.wizard(
                'training.abandon.case.decide', [h.case],
                decision='validated', ground='abandonment',
                effective_date=DATE + DAY)),
        ("case of a cancelled session", 'cron',
            lambda h: (h.ask_reasons(), h.cancel_session()), House.mails,
            House.cron),

        # A sheet is the one of its session
        ("attendance of another session", 'client create',
            lambda h: h.get(SLOT).open(h.session.slots[:1]),
            House.attendances,
            lambda h: h.client(ATTENDANCE, 'create', [{
                        'slot': h.session.slots[0].id,
                        'enrolment': create_enrolments(
                            create_session(h.company))[0].id,
                        }])),
        ("attendance of another session", 'ORM',
            lambda h: h.get(SLOT).open(h.session.slots[:1]),
            House.attendances,
            lambda h: h.get(ATTENDANCE).create([{
                        'slot': h.session.slots[0].id,
                        'enrolment': create_enrolments(
                            create_session(h.company))[0].id,
                        }])),

        # A sheet is not filled before its day
        ("sheet before its day", 'client button',
            House.codes, House.sheets,
            lambda h: early(h.client, SLOT, 'open', [h.session.slots[0].id])),
        ("sheet before its day", 'ORM',
            House.codes, House.sheets,
            lambda h: early(h.get(SLOT).open, h.session.slots[:1])),
        ("sheet before its day", 'CSV',
            House.codes, House.sheets,
            lambda h: early(h.csv, 'attendance', (
                    "enrolment;date;start;status\n"
                    "E;02/03/2026;09:00;P\n"))),

        # Nobody writes to who is erased
        ("erased party", 'cron',
            House.erased, House.waiting_for_erased, House.cron),
        ]]
# What follows another rule than what it comes with
FOLLOWED = [
    Row(*row) for row in [
        ("archived procedure", 'wizard',
            House.archive_procedure, House.follows_archived,
            lambda h: h.wizard('training.abandon.case.open', [h.enrolment])),
        ("archived procedure", 'ORM',
            House.archive_procedure, House.follows_archived,
            lambda h: open_cases([h.enrolment])),
        ]]


def early(function, *args):
    with today(DATE - DAY):
        function(*args)


class DoorsTestCase(DatabaseTestCase):
    "Test that each rule holds at each of its doors"

    def setUp(self):
        # The tasks of the queue would deliver after the transaction
        pool = Pool(DB_NAME)
        patcher = patch.object(pool.get(MAIL), 'queue')
        patcher.start()
        self.addCleanup(patcher.stop)

    @contextmanager
    def house(self, house, row):
        "Yield the house prepared for the row and what the rule protects"
        with savepoint():
            house = house.again()
            row.prepare(house)
            yield house, row.protected(house)

    @with_transaction()
    def test_rules(self):
        "Test that what the rules forbid is refused at each door"
        with set_up() as (company, session, _):
            shared = House(company, session)
            for row in RULES:
                with self.subTest(rule=row.rule, door=row.door), \
                        self.house(shared, row) as (house, before):
                    if row.door in QUIET:
                        row.attempt(house)
                    else:
                        with self.assertRaises((UserError, Refused)), \
                                savepoint(keep=row.door in FILES):
                            row.attempt(house)
                    self.assertEqual(row.protected(house), before)

    @with_transaction()
    def test_followed(self):
        "Test that what the rules allow follows them at each door"
        with set_up() as (company, session, _):
            shared = House(company, session)
            for row in FOLLOWED:
                with self.subTest(rule=row.rule, door=row.door), \
                        self.house(shared, row) as (house, before):
                    self.assertEqual(before, [])
                    row.attempt(house)
                    self.assertEqual(len(house.cases()), 1)
                    self.assertEqual(row.protected(house), [])
