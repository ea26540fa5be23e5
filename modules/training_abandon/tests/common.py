# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the unit tests share: records through the pool and SQL counting"
import atexit
import datetime as dt
import gc
import os
import socket
import unittest
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from itertools import count
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, settings

import trytond.config as config
from trytond.cache import Cache
from trytond.model import ModelStorage
from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.mail import delivery as mail_delivery
from trytond.pool import Pool
from trytond.tests import test_tryton
from trytond.tests.test_tryton import (
    DB_NAME, activate_module, db_exist, drop_db)
from trytond.tools import misc
from trytond.transaction import Transaction

# A Monday without public holiday in its fortnight
DATE = dt.date(2026, 3, 2)
DAY = dt.timedelta(days=1)

# The module and those of the accounts and of the projects that it extends
EXTENDED = [
    'training_abandon', 'account_invoice', 'account_fr', 'account_deposit',
    'account_dunning', 'analytic_invoice', 'project', 'project_plan']

_savepoints = count()

# Once in that time, trytond looks at the caches of the other processes when a
# transaction starts, with a connection that commits by itself: it is the same
# one on SQLite, which would commit that test however long the others took, and
# show its records to the next ones
config.set('cache', 'clean_timeout', str(10 ** 9))

# The set-up of the models searches the entry points again and again
misc.import_module = lru_cache(None)(misc.import_module)

# The collector walks through the models, which stay, again and again
gc.set_threshold(100_000, 50, 100)

# The names, the texts, the views and the access to the models: what a test
# changes there is rolled back with it, as is the cache it then has
KEPT_CACHES = [
    'ir.message',
    'ir.model.button.groups',
    'ir.model.button.reset',
    'ir.model.button.rules',
    'ir.model.button.view_attributes',
    'ir.model.field.get_name',
    'ir.model.get_names',
    'ir.translation',
    'ir.translation.get_language',
    'ir.translation.get_report',
    'ir_action_wizard.get_models',
    'ir_action_wizard.get_name',
    'ir_model_access.get_access',
    'ir_model_data.get_id',
    'ir_model_data.has_model',
    'ir_model_field_access.check',
    'ir_trigger.get_triggers',
    'modelview.fields_view_get',
    'modelview.view_toolbar_get',
    ]


class _TestsCache:
    "The cache of the decorator of the tests and of the drop of a database"

    @staticmethod
    def drop(database):
        caches = [Cache._instances[name] for name in KEPT_CACHES]
        kept = [c._database_cache[database] for c in caches]
        Cache.drop(database)
        if database in Pool.database_list():
            for cache, values in zip(caches, kept):
                cache._database_cache[database] = values


test_tryton.Cache = _TestsCache


class DatabaseTestCase(unittest.TestCase):
    """Base of the tests in a database with a company

    The classes of a process that follow each other and need the same modules
    and language share the database as long as they commit nothing."""
    modules = ['training_abandon']
    language = 'en'
    _database = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        database = (
            cls._create_database.__func__, cls.modules, cls.language)
        if not db_exist() or DatabaseTestCase._database != database:
            cls._create_database()
            DatabaseTestCase._database = database

    @classmethod
    def _create_database(cls):
        drop_db()
        activate_module(cls.modules, cls.language)
        with Transaction().start(DB_NAME, 1, close=True) as transaction:
            _create_company()
            transaction.commit()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        if cls._has_committed():
            drop_db()

    @classmethod
    def _has_committed(cls):
        "Return if a test left something: all of them create parties"
        with Transaction().start(DB_NAME, 1, readonly=True):
            pool = Pool()
            Party = pool.get('party.party')
            # The company and its employee
            return Party.search([], count=True) != 2


atexit.register(drop_db)


@contextmanager
def today(date=DATE, pool=None, time=dt.time(20)):
    """Make it that day for the company

    By default all the slots of the day have started and ended."""
    pool = pool or Pool()
    Date = pool.get('ir.date')
    with patch.object(Date, 'today', lambda *args, **kwargs: date), \
            at(dt.datetime.combine(date, time)):
        yield


def at(time):
    "Make it that time, in UTC, or the time that the function returns"
    return patch.object(tools, 'now', time if callable(time) else lambda: time)


@contextmanager
def live(value=None):
    "Make the database the one that sends, or the one of the value"
    if value is None:
        value = f'{Transaction().database.name}@{socket.gethostname()}'
    if not config.has_section('training_abandon'):
        config.add_section('training_abandon')
    previous = config.get('training_abandon', 'live', default='')
    config.set('training_abandon', 'live', value)
    try:
        yield
    finally:
        config.set('training_abandon', 'live', previous)


def examples(number):
    """Return the settings of a test of a property with so many examples

    They are the same at each run, and ten times more with --full."""
    return settings(
        max_examples=number * (10 if os.environ.get('TEST_FULL') else 1),
        derandomize=True, database=None, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck))


@contextmanager
def without_commit():
    "Keep to the transaction of the test, forgetting what has been read"
    transaction = Transaction()

    def commit():
        for cache in transaction.cache.values():
            cache.clear()
        transaction.counter += 1

    with patch.object(transaction, 'commit', commit), \
            patch.object(
                transaction, 'new_transaction',
                lambda **kwargs: nullcontext()):
        yield


@contextmanager
def mail_server(**replies):
    """Have a fake mail server.

    replies are what the methods of smtplib.SMTP return, or the list of what
    they return and raise one call after the other."""
    with without_commit(), \
            patch.object(mail_delivery, 'get_smtp_server') as connect:
        server = connect.return_value
        server.connect = connect
        for name in ['mail', 'rcpt', 'data']:
            reply = replies.get(name, (250, b'OK'))
            if isinstance(reply, list):
                getattr(server, name).side_effect = reply
            else:
                getattr(server, name).return_value = reply
        yield server


@contextmanager
def unvalidated():
    """Make records without checking what the tests of their models check

    It takes a third of the time of what tests start from."""
    with patch.object(ModelStorage, '_validate', lambda *a, **k: None):
        yield


@contextmanager
def same_transaction():
    "Keep what is committed in the transaction of the test"
    transaction = Transaction()
    with patch.object(transaction, 'commit'), \
            patch.object(transaction, 'rollback'):
        yield


@contextmanager
def savepoint(keep=False):
    "Undo what is done, unless it is kept when there is no error"
    cursor = Transaction().connection.cursor()
    name = f'savepoint_{next(_savepoints)}'
    cursor.execute(f'SAVEPOINT {name}')
    try:
        yield
    except BaseException:
        keep = False
        raise
    finally:
        if not keep:
            cursor.execute(f'ROLLBACK TO SAVEPOINT {name}')
            tools.forget_read()
            Transaction().user_notifications.clear()
            Transaction().tasks.clear()


class _Counting:
    "A connection or a cursor that notes the statements it executes"

    def __init__(self, wrapped, statements):
        self._wrapped = wrapped
        self._statements = statements

    def cursor(self, *args, **kwargs):
        return _Counting(
            self._wrapped.cursor(*args, **kwargs), self._statements)

    def execute(self, sql, *args, **kwargs):
        self._statements.append(str(sql))
        return self._wrapped.execute(sql, *args, **kwargs)

    def __getattr__(self, name):
        return getattr(self._wrapped, name)

    def __iter__(self):
        return iter(self._wrapped)


@contextmanager
def count_statements():
    "Yield the list of the SQL statements executed meanwhile"
    transaction = Transaction()
    connection, statements = transaction.connection, []
    transaction.connection = _Counting(connection, statements)
    try:
        yield statements
    finally:
        transaction.connection = connection


@contextmanager
def as_user(user):
    "Act as the user, with the check of the access"
    pool = Pool()
    User = pool.get('res.user')
    transaction = Transaction()
    with transaction.set_user(user.id), transaction.reset_context():
        with transaction.set_context(
                User.get_preferences(context_only=True),
                _check_access=True):
            yield


@unvalidated()
def create_user(login, company, *groups):
    "Create a user of the company, with groups of the module"
    pool = Pool()
    Data = pool.get('ir.model.data')
    User = pool.get('res.user')
    employee = create_employee(company, name=login.title())
    user, = User.create([{
                'name': login.title(),
                'login': login,
                'groups': [('add', [
                            Data.get_id('training_abandon', f'group_{group}')
                            for group in groups])],
                'companies': [('add', [company.id])],
                'company': company.id,
                'employees': [('add', [employee.id])],
                'employee': employee.id,
                }])
    return user


@unvalidated()
def create_party(name, email=None):
    pool = Pool()
    Party = pool.get('party.party')
    party, = Party.create([{
                'name': name,
                'contact_mechanisms': [('create', [{
                                'type': 'email',
                                'value': email,
                                }] if email else [])],
                }])
    return party


@unvalidated()
def create_session(company, start=DATE, days=2):
    "Create a session with two half-days a day"
    pool = Pool()
    Course = pool.get('training.course')
    Session = pool.get('training.session')
    course, = Course.create([{'name': "Bookkeeping", 'days': days}])
    session, = Session.create([{
                'company': company.id,
                'course': course.id,
                'start_date': start,
                'end_date': start + dt.timedelta(days=days - 1),
                'slots': [('create', [{
                                'date': start + dt.timedelta(days=day),
                                'start': dt.time(begin),
                                'end': dt.time(begin + 3),
                                }
                            for day in range(days) for begin in [9, 14]])],
                }])
    return session


@unvalidated()
def create_enrolments(session, count=1, prescriber=None):
    "Create the started enrolments of new trainees with an address"
    pool = Pool()
    Enrolment = pool.get('training.enrolment')
    Party = pool.get('party.party')
    Trainee = pool.get('training.trainee')
    number = Trainee.search([], count=True)
    parties = Party.create([{
                'name': f'Trainee {i}',
                'contact_mechanisms': [('create', [{
                                'type': 'email',
                                'value': f'trainee{i}@example.com',
                                }])],
                } for i in range(number, number + count)])
    trainees = Trainee.create([{'party': p.id} for p in parties])
    enrolments = Enrolment.create([{
                'company': session.company.id,
                'session': session.id,
                'trainee': trainee.id,
                'prescriber': prescriber.id if prescriber else None,
                'currency': session.company.currency.id,
                } for trainee in trainees])
    Enrolment.confirm(enrolments)
    Enrolment.start(enrolments)
    return enrolments


@unvalidated()
def add_contact(enrolment, party, role='legal_guardian', notify=True):
    pool = Pool()
    Contact = pool.get('training.enrolment.contact')
    Contact.create([{
                'enrolment': enrolment.id,
                'party': party.id,
                'role': role,
                'notify': notify,
                }])


@unvalidated()
def set_email(party, email):
    "Give the party the address in the place of those it has"
    pool = Pool()
    ContactMechanism = pool.get('party.contact_mechanism')
    ContactMechanism.delete(list(party.contact_mechanisms))
    if email:
        ContactMechanism.create([{
                    'party': party.id,
                    'type': 'email',
                    'value': email,
                    }])


@unvalidated()
def archive_rules():
    "Have nothing detected"
    pool = Pool()
    Rule = pool.get('training.risk.rule')
    Rule.write(Rule.search([]), {'active': False})


def open_cases(enrolments, date=DATE, origin='absence'):
    pool = Pool()
    Case = pool.get('training.abandon.case')
    return Case.browse(
        Case.open_cases(list(enrolments), origin, date))


def get_reason(code):
    pool = Pool()
    Reason = pool.get('training.abandon.reason')
    reason, = Reason.search([('code', '=', code)])
    return reason


def analyse(cases, code='time.lack', **values):
    run_wizard(
        'training.abandon.case.analyse', cases, causes=[{
                'cause': get_reason(code).id,
                'responsible': 'trainee',
                'note': "Private note",
                }], **values)


@unvalidated()
def get_to_decision(enrolment):
    "Return a case of which the decision is the next step"
    case, = open_cases([enrolment])
    while case.next_kind != 'decide':
        type(case).skip_step([case], "Not needed")
    return case


def decide(case, **values):
    run_wizard('training.abandon.case.decide', [case], **{
            'decision': 'validated',
            'ground': 'abandonment',
            'effective_date': DATE + DAY,
            **values})


@unvalidated()
def _create_company():
    "Create a company of which the user is an employee"
    pool = Pool()
    User = pool.get('res.user')
    company = create_company()
    user = User(Transaction().user)
    employee = create_employee(company)
    User.write([user], {
            'companies': [('add', [company.id])],
            'company': company.id,
            'employees': [('add', [employee.id])],
            'employee': employee.id,
            })
    return company


@contextmanager
def set_up(prescriber=True):
    """Yield a company, in the context of the user, with a session and a
    prescriber."""
    pool = Pool()
    Company = pool.get('company.company')
    User = pool.get('res.user')
    company, = Company.search([], limit=1) or [_create_company()]
    with live(), Transaction().set_context(
            User.get_preferences(context_only=True), _skip_warnings=True):
        with today(DATE + dt.timedelta(days=1)):
            yield company, create_session(company), create_party(
                "Job Centre", 'adviser@example.com')


def other_values(record, name):
    "Return the other values that the field may have"
    field = record._fields[name]
    current = getattr(record, name)
    kind = field._type
    if kind in {'char', 'text'}:
        return ["Changed"]
    elif kind in {'integer', 'float', 'numeric'}:
        return [type(current or 0)((current or 0) + 1)]
    elif kind == 'boolean':
        return [not current]
    elif kind == 'date':
        return [(current or DATE) + DAY]
    elif kind == 'datetime':
        return [(current or dt.datetime(2026, 3, 2)) + DAY]
    elif kind == 'time':
        return [dt.time(7)]
    elif kind == 'timedelta':
        return [dt.timedelta(hours=1)]
    elif kind == 'binary':
        return [b'changed']
    elif kind == 'selection':
        selection = record.fields_get([name])[name]['selection']
        if isinstance(selection, str):
            selection = getattr(type(record), selection)()
        return [v for v, _ in selection if v != current][:3]
    elif kind == 'many2one':
        others = field.get_target().search([
                ('id', '!=', current.id if current else -1)], limit=1)
        return [o.id for o in others] + ([None] if current else [])
    elif (kind in {'one2many', 'many2many'} and current
            and not field.get_target()._is_table_query()):
        action = 'delete' if kind == 'one2many' else 'remove'
        return [[(action, [r.id for r in current])]]
    return []


def run_wizard(name, records, **values):
    """Open the wizard on the records, change the values of its form and
    apply it."""
    wizard, start = open_wizard(name, records)
    start.update(values)
    return apply_wizard(wizard, records, start)


def open_wizard(name, records):
    "Return the wizard class and session with the values of the form"
    pool = Pool()
    Wizard = pool.get(name, type='wizard')
    session_id, _, _ = Wizard.create()
    with wizard_context(records):
        view = Wizard.execute(session_id, {}, 'start')['view']
    return (Wizard, session_id), {**view['defaults'], **view['values']}


def apply_wizard(wizard, records, start, state='apply'):
    Wizard, session_id = wizard
    start = {k: v for k, v in start.items() if not k.endswith('.')}
    with wizard_context(records):
        return Wizard.execute(session_id, {'start': start}, state)


def wizard_context(records):
    return Transaction().set_context(
        active_model=records[0].__name__,
        active_id=records[0].id,
        active_ids=[r.id for r in records],
        # As the remote procedure call of the wizards
        _check_access=False)


class DeadlineTestCase(DatabaseTestCase):
    "Base of the tests of the deadlines"
    language = 'fr'

    def ask(self, session, count=1, day=DATE, accept=True):
        "Return cases whose trainees were asked the reasons on the day"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        enrolments = create_enrolments(session, count)
        with today(day):
            cases = Case.browse(
                Case.open_cases(enrolments, 'absence', DATE))
            run_wizard('training.abandon.case.ask_reasons', cases[:50])
            for start in range(50, count, 50):
                run_wizard(
                    'training.abandon.case.ask_reasons',
                    cases[start:start + 50])
        if accept:
            self.accept(day)
        return Case.browse(cases)

    def accept(self, day):
        "Have the server accept the mails that wait"
        pool = Pool()
        Mail = pool.get('training.mail')
        Mail.write(Mail.search([('state', '=', 'queued')]), {
                'state': 'sent',
                'sent_at': dt.datetime.combine(day, dt.time(10)),
                })

    def remind(self, day):
        "Return the new reminders of the day"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        before = Mail.search([])
        with today(day), same_transaction():
            Case.remind()
        return [m for m in Mail.search([], order=[('id', 'ASC')])
            if m not in before]

    def notified(self):
        "Return the notifications, once stored, and forget them"
        pool = Pool()
        Notification = pool.get('res.notification')
        notifications = Transaction().user_notifications
        Notification.save(notifications)
        result = sorted(
            (n.user.login, n.label, n.description, n.records)
            for n in notifications)
        notifications.clear()
        return result

    def revise(self, activate=True, letters=None, **steps):
        """Revise the procedure with the values of the steps by kind, and of
        the procedure itself as silence_delay."""
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.procedure.step')
        active, = Procedure.search([('state', '=', 'active')])
        procedure, = Procedure.copy([active], {'state': 'draft'})
        if 'silence_delay' in steps:
            Procedure.write([procedure], {
                    'silence_delay': steps.pop('silence_delay')})
        for kind, values in steps.items():
            Step.write([procedure.get_step(kind)], values)
        for key, values in (letters or {}).items():
            letter = procedure.get_letter(*key)
            if values is None:
                Letter.delete([letter])
            else:
                Letter.write([letter], values)
        if activate:
            Procedure.activate([procedure])
        return Procedure(procedure.id)

    def get_reasons(self, code):
        pool = Pool()
        Reason = pool.get('training.abandon.reason')
        return Reason.search([('code', '=', code)])


class NoticeTestCase(DatabaseTestCase):
    "Base of the tests of the notices of absence"

    def setUp(self):
        # The tasks of the queue would deliver after the transaction
        pool = Pool(DB_NAME)
        Mail = pool.get('training.mail')
        patcher = patch.object(Mail, 'queue')
        patcher.start()
        self.addCleanup(patcher.stop)

    def fill(self, slots, states, close=True):
        """Open the sheets of the slots with the state of each enrolment, or
        the state and the minutes of lateness."""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        slots = list(slots)
        Slot.open(slots)
        for enrolment, state in states.items():
            minutes = None
            if isinstance(state, tuple):
                state, minutes = state
            Attendance.write(
                Attendance.search([
                        ('slot', 'in', [s.id for s in slots]),
                        ('enrolment', '=', enrolment.id),
                        ]), {
                    'state': state,
                    'late_by': minutes and dt.timedelta(minutes=minutes),
                    })
        if close:
            Slot.close(slots)

    def mails(self, *domain):
        pool = Pool()
        Mail = pool.get('training.mail')
        return Mail.search(
            [('kind', '=', 'attendance'), *domain], order=[('id', 'ASC')])

    def deliver(self, mails=None, **replies):
        pool = Pool()
        Mail = pool.get('training.mail')
        with mail_server(**replies) as server:
            Mail.deliver_queued(
                self.mails() if mails is None else mails)
        return server

    def states(self, enrolment):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        return [
            a.state for a in Attendance.search(
                [('enrolment', '=', enrolment.id)],
                order=[('slot.date', 'ASC'), ('slot.start', 'ASC')])]

    def notifications(self):
        return [n.label for n in Transaction().user_notifications]
