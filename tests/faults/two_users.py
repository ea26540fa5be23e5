# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What a process of test_two_users does

two_users.py CONFIG DATABASE prepare N: create N cases and print their ids
two_users.py CONFIG DATABASE skip ID…: skip the next step of each case
two_users.py CONFIG DATABASE inform ID…: for each case, prepare the step,
    print ready, wait for a line, apply it and print what happened
two_users.py CONFIG DATABASE undo ID…: the same for what undoes a step
two_users.py CONFIG DATABASE sheet: open an attendance sheet and print its id
two_users.py CONFIG DATABASE hold ACTION ID: close the sheet or write its line
    (ACTION is close or line), print ready, wait for a line and commit
two_users.py CONFIG DATABASE do ACTION ID: print ready, do it, print what
    happened, wait for a line and print the states of the sheet, of its line
    and of the enrolment
two_users.py CONFIG DATABASE call ID: print ready, wait for a line and record
    some calls about the case, one after the other
two_users.py CONFIG DATABASE certify ID: make a certificate of the case
two_users.py CONFIG DATABASE ask ID: make a declaration of the case
two_users.py CONFIG DATABASE take ACTION ID: take the certificate of the case
    to sign it, its declaration to call it off, or the case to cancel the one
    or the other (ACTION is sign, declare, cancel or withdraw), print ready,
    wait for a line, do it and print what happened
two_users.py CONFIG DATABASE verify: print the number of entries of the journal
    and what is broken in it
"""
import datetime as dt
import hashlib
import sys
import time

import trytond.config as trytond_config
from proteus import Model, Wizard, config

CALLS = 10
DEADLOCK = '40P01'


def main(path, database, command, *args):
    trytond_config.update_etc(path)
    uri = trytond_config.get('database', 'uri').rstrip('/')
    config.set_trytond(
        f'{uri}/{database}' if 'postgresql' in uri
        else f'sqlite:///{database}', config_file=path)
    if command == 'prepare':
        print(*prepare(int(args[0])))
    elif command == 'skip':
        for id_ in args:
            apply('skip', int(id_))
    elif command == 'sheet':
        print(open_sheet())
    elif command == 'hold':
        act(database, args[0], int(args[1]), hold)
    elif command == 'do':
        print('ready', flush=True)
        print(act(database, args[0], int(args[1])), flush=True)
        sys.stdin.readline()
        tell(int(args[1]))
    elif command == 'call':
        hold()
        for _ in range(CALLS):
            act(database, 'call', int(args[0]))
    elif command in {'ask', 'certify'}:
        act(database, command, int(args[0]))
    elif command == 'take':
        print(act(database, args[0], int(args[1])), flush=True)
    elif command == 'verify':
        verify(database)
    else:
        wizard = {'inform': 'inform', 'undo': 'undo_step'}[command]
        for id_ in args:
            compete(wizard, int(id_))


def prepare(count):
    from trytond.modules.company.tests.tools import create_company
    from trytond.modules.training_abandon.tests.tools import (
        create_enrolment, create_party, create_session, open_case)

    create_company()
    adviser = create_party("Adviser", email='adviser@example.com')
    session = create_session("Bookkeeping", dt.date.today())
    return [
        open_case(create_enrolment(
                session, create_party(f"Trainee {i}"), prescriber=adviser)).id
        for i in range(count)]


def open_sheet():
    from trytond.modules.company.tests.tools import create_company
    from trytond.modules.training_abandon.tests.tools import (
        create_party, create_session)

    create_company()
    config.get_config()._context = Model.get('res.user').get_preferences(
        True, {})
    session = create_session(
        "Bookkeeping", dt.date.today() - dt.timedelta(days=7))
    trainee = Model.get('training.trainee')(party=create_party("Trainee"))
    trainee.save()
    enrolment = Model.get('training.enrolment')(
        trainee=trainee, session=session)
    enrolment.save()
    # Who attends starts when the sheet closes
    enrolment.click('confirm')
    slot = session.slots[0]
    slot.click('open')
    return slot.id


def act(database, action, id_, then=lambda: None):
    """Do what a user does, again as long as somebody else has the records, and
    return what happened"""
    from trytond import backend
    from trytond.exceptions import UserError
    from trytond.transaction import Transaction, TransactionError

    extras = {}
    while True:
        with Transaction().start(
                database, 1, context={'_check_access': True},
                **extras) as transaction:
            try:
                ACTIONS[action](id_)
                then()
                transaction.commit()
                return 'applied'
            except UserError as exception:
                return exception.__class__.__name__
            except TransactionError as exception:
                transaction.rollback()
                exception.fix(extras)
            except backend.DatabaseOperationalError as exception:
                transaction.rollback()
                if getattr(exception, 'sqlstate', None) == DEADLOCK:
                    return 'deadlock'
                time.sleep(0.1)


def hold():
    print('ready', flush=True)
    sys.stdin.readline()


def tell(id_):
    slot = Model.get('training.session.slot')(id_)
    line, = slot.attendances
    print(slot.state, line.state, line.enrolment.state)


def close_sheet(id_):
    from trytond.pool import Pool
    from trytond.transaction import Transaction

    pool = Pool()
    Slot = pool.get('training.session.slot')
    User = pool.get('res.user')
    slots = Slot.browse([id_])
    with Transaction().set_context(User.get_preferences(True)):
        with Transaction().set_context(_skip_warnings=True):
            Slot.close(slots)


def write_line(id_):
    from trytond.pool import Pool

    pool = Pool()
    Attendance = pool.get('training.attendance')
    Attendance.write(
        Attendance.search([('slot', '=', id_)]), {'state': 'absent'})


def call(id_):
    from trytond.modules.training_abandon import tools
    from trytond.pool import Pool

    pool = Pool()
    Case = pool.get('training.abandon.case')
    FollowUp = pool.get('training.follow_up')
    case = Case(id_)
    FollowUp.create([{
                'company': case.company.id,
                'enrolment': case.enrolment.id,
                'case': case.id,
                'party': case.enrolment.trainee.party.id,
                'done_at': tools.now(),
                'outcome': 'no_answer',
                }])


def certify(id_):
    from trytond.modules.training_abandon import tools
    from trytond.pool import Pool
    from trytond.transaction import without_check_access

    pool = Pool()
    Certificate = pool.get('training.abandon.certificate')
    with without_check_access():
        Certificate.create([{
                    'case': id_,
                    'kind': 'statement',
                    'document': b'%PDF',
                    'sha256': hashlib.sha256(b'%PDF').hexdigest(),
                    'issued_at': tools.now(),
                    }])


def sign(id_):
    from trytond.pool import Pool

    pool = Pool()
    Certificate = pool.get('training.abandon.certificate')
    certificate, = Certificate.search([('case', '=', id_)])
    Certificate.keep([certificate])
    hold()
    Certificate.sign([certificate])


def cancel(id_):
    from trytond.pool import Pool
    from trytond.transaction import without_check_access

    pool = Pool()
    Case = pool.get('training.abandon.case')
    Certificate = pool.get('training.abandon.certificate')
    Case.lock_cases(Case.browse([id_]))
    hold()
    with without_check_access():
        Certificate.write(
            Certificate.search([('case', '=', id_)]), {'state': 'void'})


def ask(id_):
    from trytond.modules.training_abandon.declaration.declaration import Event
    from trytond.modules.training_abandon.declaration.rule import (
        RecipientCalendar)
    from trytond.pool import Pool
    from trytond.transaction import without_check_access

    pool = Pool()
    Case = pool.get('training.abandon.case')
    Declaration = pool.get('training.declaration')
    Rule = pool.get('training.declaration.rule')
    case = Case(id_)
    rule, = Rule.search([('event', '=', 'decision')], limit=1)
    event = Event(case.enrolment, case, None, dt.date.today())
    with without_check_access():
        Declaration.create([Declaration._new_values(
                    rule, event, None, RecipientCalendar(case.company))])


def declare(id_):
    from trytond.pool import Pool
    from trytond.transaction import without_check_access

    pool = Pool()
    Declaration = pool.get('training.declaration')
    declarations = Declaration._take(
        Declaration.search([('case', '=', id_)]), 'todo')
    hold()
    with without_check_access():
        Declaration.call_off_todo(declarations, "Told by phone")


def withdraw(id_):
    from trytond.pool import Pool

    pool = Pool()
    Case = pool.get('training.abandon.case')
    Declaration = pool.get('training.declaration')
    Case.lock_cases(Case.browse([id_]))
    hold()
    Declaration.withdraw(
        Declaration.search([('case', '=', id_)]), "Taken back")


def verify(database):
    from trytond.modules.training_abandon.journal import verification
    from trytond.pool import Pool
    from trytond.transaction import Transaction

    with Transaction().start(database, 0, readonly=True):
        Company = Pool().get('company.company')
        result = verification.verify(Company.search([]))
    print(result.counts['entries'], *result.faults)


ACTIONS = {
    'ask': ask,
    'call': call,
    'cancel': cancel,
    'certify': certify,
    'close': close_sheet,
    'declare': declare,
    'line': write_line,
    'sign': sign,
    'withdraw': withdraw,
    }


def open_wizard(name, id_):
    User = Model.get('res.user')
    context = User.get_preferences(True, {})
    config.get_config()._context = context
    case = Model.get('training.abandon.case')(id_)
    wizard = Wizard(f'training.abandon.case.{name}', [case])
    if name != 'inform':
        wizard.form.reason = "Told by phone"
    return wizard


def apply(name, id_):
    open_wizard(name, id_).execute('apply')


def compete(name, id_):
    wizard = open_wizard(name, id_)
    print('ready', flush=True)
    sys.stdin.readline()
    try:
        wizard.execute('apply')
    except Exception as exception:
        print(exception.__class__.__name__, flush=True)
    else:
        print('applied', flush=True)


if __name__ == '__main__':
    main(*sys.argv[1:])
