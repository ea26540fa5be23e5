# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What a process of test_two_users does

two_users.py CONFIG DATABASE prepare N: create N cases and print their ids
two_users.py CONFIG DATABASE skip ID…: skip the first step of the cases
two_users.py CONFIG DATABASE inform ID…: for each case, prepare the step,
    print ready, wait for a line, apply it and print what happened
two_users.py CONFIG DATABASE undo ID…: the same for what undoes a step
"""
import datetime as dt
import sys

import trytond.config as trytond_config
from proteus import Model, Wizard, config


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
