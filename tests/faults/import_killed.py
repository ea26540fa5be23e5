# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What a process of test_import does

import_killed.py prepare URI CONFIG: create the company of admin
import_killed.py state URI CONFIG SOURCE: print what the source has given
import_killed.py load CALLS ARGUMENT…: run scripts/import_training.py with the
    arguments and print ready after that number of calls to the server
"""
import json
import sys
from collections import Counter
from pathlib import Path

from trytond.modules.training_abandon.scripts.importing import client, command

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'scripts'))
from lib.benchmark.common import create_company  # noqa: E402


def main(command, *args):
    if command == 'load':
        load(int(args[0]), args[1:])
        return
    uri, config_file, *args = args
    connection = client.connect_database(uri, config_file=config_file)
    if command == 'prepare':
        create_company(connection)
    else:
        print(json.dumps(state(connection, *args)))


def load(calls, arguments):
    call = client.Client.call
    count = 0

    def counting(self, *args, **context):
        nonlocal count
        if count == calls:
            print('ready', flush=True)
        count += 1
        return call(self, *args, **context)
    client.Client.call = counting
    sys.exit(command.main(arguments))


def state(connection, source):
    "Return the numbers of records by model and state"
    records = [
        code['record'].split(',') for code in connection.search_read(
            'training.external_code', [('source', '=', source)],
            ['record'])]
    result = Counter(model for model, _ in records)
    enrolments = [
        int(id) for model, id in records if model == 'training.enrolment']
    for model, domain in [
            ('party.party', [('name', 'like', f'{source} %')]),
            ('training.course', [('name', '=', f'{source} course')]),
            ('training.trainee', [('party.name', 'like', f'{source} %')]),
            ('training.session', [('course.name', '=', f'{source} course')]),
            ('training.session.slot',
                [('session.course.name', '=', f'{source} course')]),
            ('training.enrolment', [('id', 'in', enrolments)]),
            ('training.attendance', [('enrolment', 'in', enrolments)])]:
        names = ['state'] if model not in {
            'party.party', 'training.course', 'training.trainee'} else ['id']
        for record in connection.search_read(model, domain, names):
            result[f"all {model} {record.get('state', '')}".strip()] += 1
    return result


if __name__ == '__main__':
    main(*sys.argv[1:])
