#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Measure the performance bars on a new database

Each bar is a ratio: the rate of the module against the rate of a baseline,
measured beside it on the same machine and database."""

import argparse
import json
import sys
import tempfile
import urllib.parse
from contextlib import contextmanager
from pathlib import Path

from lib.benchmark.common import BENCHMARKS
from lib.environment import (
    PYTHON, ROOT, Missing, clean_environ, ensure_venv, raise_on_sigterm, run,
    say)
from lib.testing.cluster import DURABLE, cluster

SCRIPTS = ROOT / 'scripts'
COLUMNS = '{:30} {:>7} {:>8} {:>8} {:>9} {:>6} {:>5} {:>4} {:>3}'


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='scripts/benchmark.py',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', metavar='NAME', nargs='*',
        help=f"benchmark among {', '.join(BENCHMARKS)} (default: all)")
    database = parser.add_mutually_exclusive_group()
    database.add_argument('--database', metavar='URI',
        help="like postgresql://user@host/NAME, the database is dropped, or "
        "sqlite:///NAME, in a temporary directory (default: "
        "sqlite:///benchmark)")
    database.add_argument('--postgresql', action='store_true',
        help="measure on a PostgreSQL cluster of its own, with fsync and JIT "
        "as it is installed")
    parser.add_argument('--json', type=Path, metavar='FILE',
        help="write the measures to this file")
    args = parser.parse_args()
    if unknown := set(args.names) - set(BENCHMARKS):
        parser.error(f"unknown benchmark: {', '.join(sorted(unknown))}")
    if args.database:
        parts = urllib.parse.urlsplit(args.database)
        if parts.scheme not in {'sqlite', 'postgresql'}:
            parser.error("the database must be sqlite:///… or postgresql://…")
        if not parts.path.strip('/'):
            parser.error("the URI of the database must end by its name")
    return args


@contextmanager
def database(args):
    "Yield the URI of the database"
    if args.postgresql:
        with cluster(settings=DURABLE) as uri:
            yield f'{uri}benchmark'
    else:
        yield args.database or 'sqlite:///benchmark'


@contextmanager
def new_database(uri, environ):
    "Yield the URI and the configuration of a new database with the module"
    with tempfile.TemporaryDirectory(prefix='training-bench-') as directory:
        directory = Path(directory)
        parts = urllib.parse.urlsplit(uri)
        name = parts.path.strip('/')
        if parts.scheme == 'sqlite':
            (directory / f'{name}.sqlite').touch()
        else:
            run([PYTHON, '-m', 'lib.demo.database', uri], 'benchmark',
                env=environ)
        config = directory / 'trytond.conf'
        config.write_text('\n'.join([
                    '[database]',
                    f'uri = {parts.scheme}://{parts.netloc}',
                    f'path = {directory}',
                    '']))
        password = directory / 'password'
        password.write_text('benchmark-password')
        command = [
            PYTHON.with_name('trytond-admin'), '-c', config,
            '-d', name, '--all', '-u', 'training_abandon',
            '--activate-dependencies', '--email', 'admin@example.com']
        run(command, 'benchmark',
            env=dict(environ, TRYTONPASSFILE=str(password)))
        yield uri, config


def measures(names, database):
    environ = clean_environ(PYTHONPATH=str(SCRIPTS))
    for name in names:
        say(f"{name}: creating the database…")
        with new_database(database, environ) as (uri, config):
            say(f"{name}: measuring…")
            result = config.with_name('result.json')
            run([
                    PYTHON, '-m', 'lib.benchmark.common', name, uri, config,
                    result],
                'benchmark', env=environ)
            yield from json.loads(result.read_text())


def table(measures):
    lines = [COLUMNS.format(
            'name', 'rows', 'seconds', 'rows/s', 'baseline', 'ratio', 'bar',
            'MB', 'ok')]
    for m in measures:
        lines.append(COLUMNS.format(
                m['name'], m['rows'], f"{m['seconds']:.2f}",
                f"{m['rate']:.0f}", f"{m['baseline_rate']:.0f}",
                f"{m['ratio']:.2f}", f"{m['bar']:.2f}",
                m.get('memory', ''),
                'yes' if m['ok'] else 'NO'))
    return '\n'.join(lines)


def main():
    args = parse_arguments()
    raise_on_sigterm()
    try:
        ensure_venv({'demo'})
        with database(args) as uri:
            result = list(measures(args.names or BENCHMARKS, uri))
        if args.json:
            args.json.write_text(json.dumps(result, indent=2) + '\n')
    except (Missing, OSError) as exc:
        say(f"scripts/benchmark.py: {exc}")
        return 1
    say(table(result))
    return 0 if all(m['ok'] for m in result) else 1


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("Interrupted")
        sys.exit(130)
