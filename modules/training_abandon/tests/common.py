# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the unit tests share: records through the pool and SQL counting"
import datetime as dt
import socket
import unittest
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import trytond.config as config
from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.mail import delivery as mail_delivery
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, activate_module, drop_db
from trytond.transaction import Transaction

# A Monday without public holiday in its fortnight
DATE = dt.date(2026, 3, 2)


class DatabaseTestCase(unittest.TestCase):
    "Base of the tests in a database of their own, with a company"
    modules = ['training_abandon']
    language = 'en'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        drop_db()
        activate_module(cls.modules, cls.language)
        with Transaction().start(DB_NAME, 1, close=True) as transaction:
            _create_company()
            transaction.commit()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        drop_db()


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


def apply_wizard(wizard, records, start):
    Wizard, session_id = wizard
    start = {k: v for k, v in start.items() if not k.endswith('.')}
    with wizard_context(records):
        return Wizard.execute(session_id, {'start': start}, 'apply')


def wizard_context(records):
    return Transaction().set_context(
        active_model=records[0].__name__,
        active_id=records[0].id,
        active_ids=[r.id for r in records],
        # As the remote procedure call of the wizards
        _check_access=False)
