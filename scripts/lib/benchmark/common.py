# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What the benchmarks share

python -m lib.benchmark.common NAME DATABASE CONFIG RESULT

A benchmark is a module of this directory with a function run, that receives a
client connected to a new database with a company and yields measures."""

import importlib
import json
import sys
import time
from decimal import Decimal
from pathlib import Path
from statistics import median

# name: module
BENCHMARKS = {
    'audit': 'audits',
    'certificates': 'certificates',
    'facts': 'facts',
    'import': 'importing',
    'indicators': 'indicators',
    'journal': 'journal',
    'lists': 'lists',
    'mail': 'mails',
    'open': 'opening',
    'pack': 'packs',
    'parties': 'parties',
    'risk': 'risk',
    'steps': 'steps',
    }


def seconds(function, *arguments):
    "Return the time that the call takes"
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def measure(name, rows, times, baseline_rows, baseline_times, bar):
    """Return the medians, compared with the rate of the baseline of which
    the rate must be at least the bar"""
    rate = rows / median(times)
    baseline_rate = baseline_rows / median(baseline_times)
    ratio = rate / baseline_rate
    return {
        'name': name,
        'rows': rows,
        'seconds': median(times),
        'rate': rate,
        'baseline_rate': baseline_rate,
        'ratio': ratio,
        'bar': bar,
        'ok': ratio >= bar,
        }


def main(name, database, config_file, result):
    from trytond.modules.training_abandon.scripts.importing.client import (
        connect_database)

    client = connect_database(database, config_file=config_file)
    create_company(client)
    run = importlib.import_module(
        f'lib.benchmark.{BENCHMARKS[name]}').run
    Path(result).write_text(json.dumps(list(run(client))))


def create_company(client):
    "Create a company and make it the one of the user"
    currency, = client.create('currency.currency', [{
                'name': "Euro",
                'symbol': '€',
                'code': 'EUR',
                'rates': [('create', [{'rate': Decimal(1)}])],
                }])
    party, = client.create('party.party', [{'name': "Training provider"}])
    company, = client.create('company.company', [{
                'party': party,
                'currency': currency,
                'timezone': 'Europe/Paris',
                }])
    client.write('res.user', ([client.config.user], {
                'companies': [('add', [company])],
                'company': company,
                }))
    client.context.update(client.call('res.user', 'get_preferences', True))


if __name__ == '__main__':
    main(*sys.argv[1:])
