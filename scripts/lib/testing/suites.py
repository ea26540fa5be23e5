# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The suites of scripts/test: each job returns the counts of its tests"

import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from .. import axe, web_client
from ..environment import (
    MODULE, PYTHON, ROOT, VAR, Missing, chromium_binary, clean_environ,
    make_venv, say)
from . import desktop_client, oldest
from .cluster import DURABLE, cluster
from .jobs import LOGS, Job

TESTS = ROOT / 'tests'
MODULE_NAME = MODULE.name
REPORT = ['libreoffice', 'poppler', 'fonts']
DATABASES = ['sqlite.databases', 'postgresql.databases']
# Number of lines of the tests that are worth a process
LINES = 2_400
# The heaviest jobs of the databases weigh their lines, which take about twice
# the time with a server
FIRST = 100_000
COST = {'sqlite': 1, 'postgresql': 2}
# What needs no database is tested once
WITHOUT_POSTGRESQL = {
    'test_documentation', 'test_ical_reader', 'test_layers',
    'test_mail_bounce', 'test_mail_corpus', 'test_mail_headers',
    'test_mail_message'}
# And what gives the same but for the expressions that other tests have
LARGE_POSTGRESQL = {'test_access_matrix'}
# What reads the plans of PostgreSQL
WITHOUT_SQLITE = {'test_lists'}


def _counts(passed=0, failed=0, skipped=0):
    return Counter(passed=passed, failed=failed, skipped=skipped)


def _check(name, ok, reason=''):
    say(f"{'ok' if ok else 'FAIL'}: {name} {'' if ok else reason}".rstrip())
    return _counts(passed=bool(ok), failed=not ok)


def _call(command, env, cwd=ROOT):
    "Run command and show its output, return its code and output"
    command = list(map(str, command))
    say(f"$ {' '.join(command)}")
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors='replace')
    lines = []
    for line in process.stdout:
        lines.append(line)
        sys.stdout.write(line)
        sys.stdout.flush()
    return process.wait(), ''.join(lines)


def unittest(names, env, python=PYTHON):
    code, output = _call([python, '-m', 'unittest', '-v', *names], env)
    if not (ran := re.findall(r'^Ran (\d+) tests?', output, re.M)):
        return _counts(failed=1)
    result = {'failures': 0, 'errors': 0, 'skipped': 0}
    last = output.rstrip().splitlines()[-1]
    for kind, number in re.findall(r'(\w+)=(\d+)', last):
        if kind in result:
            result[kind] = int(number)
    failed = result['failures'] + result['errors']
    if code and not failed:
        failed = 1
    return _counts(
        max(int(ran[-1]) - failed - result['skipped'], 0), failed,
        result['skipped'])


def pytest(paths, env, *options):
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / 'report.xml'
        code, _ = _call([
                PYTHON, '-m', 'pytest', '-p', 'no:cacheprovider', '-ra',
                f'--junitxml={report}', *options, *paths], env)
        if not report.exists():
            return _counts(failed=1)
        suite = ElementTree.parse(report).find('testsuite')
        failed = int(suite.get('failures')) + int(suite.get('errors'))
        if code and not failed:
            failed = 1
        skipped = int(suite.get('skipped'))
        return _counts(
            max(int(suite.get('tests')) - failed - skipped, 0), failed,
            skipped)


def flake8(shared, full):
    env = clean_environ()
    paths = [
        n for n in ['modules', 'scripts', 'tests', 'setup.py']
        if (ROOT / n).exists()]
    paths += [
        p.relative_to(ROOT) for p in (ROOT / 'scripts').iterdir()
        if _is_python_script(p)]
    result = _counts()
    for tool, options in [('flake8', []), ('isort', ['--check', '--diff'])]:
        code, _ = _call([PYTHON, '-m', tool, *options, *paths], env)
        result += _check(tool, not code)
    return result


def _is_python_script(path):
    if path.suffix or not path.is_file():
        return False
    with open(path, 'rb') as script:
        return b'python' in script.readline()


@contextmanager
def _environ(uri, full, **variables):
    "Environment of tests that work in a directory of their own"
    with tempfile.TemporaryDirectory(prefix='training-test-') as directory:
        yield clean_environ(
            PYTHONPATH=str(ROOT / 'scripts'),
            TRYTOND_DATABASE_URI=uri,
            TRYTOND_DATABASE__PATH=directory,
            TEST_NETWORK='0',
            TEST_FULL='1' if full else '',
            **{'DB_CACHE': os.path.join(directory, 'cache'), **variables})


def _built(directory):
    if not directory.exists():
        raise Missing(
            f"The databases were not built, see {LOGS}/*.databases.log")
    return directory


@contextmanager
def _sqlite(shared, full):
    with _environ('sqlite://', full) as env:
        shutil.copytree(_built(shared / 'sqlite'), env['DB_CACHE'])
        yield env


@contextmanager
def _postgresql(shared, full):
    with cluster(_built(shared / 'postgresql')) as uri, \
            _environ(uri, full, DB_CACHE='postgresql://') as env:
        yield env


def _sqlite_databases(shared, full):
    with _environ(
            'sqlite://', full, DB_CACHE=str(shared / 'sqlite')) as env:
        return _build_databases(env)


def _postgresql_databases(shared, full):
    with cluster(target=shared / 'postgresql') as uri, \
            _environ(uri, full, DB_CACHE='postgresql://') as env:
        return _build_databases(env)


def _build_databases(env):
    code, _ = _call([PYTHON, '-m', 'lib.testing.templates'], env)
    return _counts(failed=1) if code else _counts()


def _database(lang='en', extras=()):
    "Name in DB_CACHE of the database with the module and the extra ones"
    name = '-'.join([MODULE_NAME, *extras])
    if lang != 'en':
        name += f'--{lang}'
    return hashlib.shake_128(name.encode()).hexdigest(20)


def _sqlite_file(directory, lang='en', extras=()):
    return Path(directory) / f'{_database(lang, extras)}-sqlite.dump'


def _database_jobs(suite, environ, build, scripts, full, without=()):
    yield Job(suite, 'databases', build, 10 * FIRST)
    tests = f'trytond.modules.{MODULE_NAME}.tests'
    for run, paths in [
            (partial(_module_tests, tests),
                [p for p in (MODULE / 'tests').glob('test_*.py')
                    if p.stem not in {'test_scenario', *without}]),
            (partial(_scenarios, f'{tests}.test_scenario'),
                (MODULE / 'tests').glob('scenario_*.rst')),
            (_script_tests, TESTS.glob(scripts)),
            (partial(_scenarios, 'lib.testing.scenarios'),
                TESTS.glob('scenario_*.rst')),
            ]:
        for lines, group in _group(paths):
            name = group[0].stem
            if others := len(group) - 1:
                name += f'+{others}'
            yield Job(
                suite, name,
                partial(_run_in, environ, run, group), lines * COST[suite],
                [f'{suite}.databases'])


def _group(paths):
    "Return the paths in groups that are worth a process, with their lines"
    groups = []
    sizes = {p: len(p.read_bytes().splitlines()) for p in paths}
    for path in sorted(sizes, key=lambda p: (-sizes[p], p)):
        for group in groups:
            if sum(sizes[p] for p in group) + sizes[path] <= LINES:
                group.append(path)
                break
        else:
            groups.append([path])
    return [(sum(sizes[p] for p in group), group) for group in groups]


def _run_in(environ, run, paths, shared, full):
    with environ(shared, full) as env:
        return run(paths, env)


def _module_tests(tests, paths, env):
    # Those of a wing share their database
    return unittest([f'{tests}.{p.stem}' for p in sorted(paths)], env)


def _scenarios(loader, paths, env):
    options = [option for p in paths for option in ['-k', p.stem]]
    return unittest([*options, loader], env)


def _script_tests(paths, env):
    return pytest(paths, env)


def sqlite(full):
    return _database_jobs(
        'sqlite', _sqlite, _sqlite_databases, 'test_*.py', full,
        WITHOUT_SQLITE)


def postgresql(full):
    without = WITHOUT_POSTGRESQL | (set() if full else LARGE_POSTGRESQL)
    # The other tests of the scripts work without this database
    return _database_jobs(
        'postgresql', _postgresql, _postgresql_databases,
        'test_import_training.py', full, without)


def faults(full):
    # The faults that depend on the database are tested on each of them, the
    # others on the one of production
    where = '' if full else (
        'not SQLite or two_users '
        'or (test_mail and (kill or two_crons or size))')
    for path in sorted((TESTS / 'faults').glob('test_*.py')):
        classes = {path.stem: ''}
        if path.stem == 'test_mail':
            classes = {
                'test_mail_cron': 'PostgreSQLCron',
                'test_mail_others': 'not PostgreSQLCron',
                }
        for name, which in classes.items():
            expression = ' and '.join(f'({e})' for e in [where, which] if e)
            yield Job(
                'faults', name, partial(_faults, name, path, expression),
                FIRST, DATABASES)


def _faults(name, path, expression, shared, full):
    template = f'test-{_database()}'
    # What is committed survives a crash, as where it is installed
    with cluster(_built(shared / 'postgresql'), settings=DURABLE) as uri, \
            _sqlite(shared, full) as env:
        cache = Path(env['DB_CACHE'])
        _sqlite_file(cache).rename(cache / f'{template}.sqlite')
        return pytest([path], dict(env,
                TEST_POSTGRESQL=uri,
                TEST_TEMPLATE=template,
                TEST_TABLE=str(LOGS / f'faults.{name}.txt')),
            '-k', expression)


def browser(full):
    yield Job('browser', '', _browser, 2 * FIRST, DATABASES[:1])


def _browser(shared, full):
    screens = VAR / 'screens'
    clean(screens)
    with _sqlite(shared, full) as env:
        return pytest([TESTS / 'browser'], dict(env,
                TEST_AXE=str(axe.ensure()),
                TEST_CHROMIUM=chromium_binary(),
                TEST_WEB_ROOT=str(web_client.ensure()),
                TEST_SCREENS=str(screens),
                TEST_TEMPLATE=str(_sqlite_file(
                        env['DB_CACHE'], 'fr', ['account_invoice']))))


def desktop(full):
    yield Job('desktop', '', _desktop, FIRST, DATABASES[:1])


def _desktop(shared, full):
    screens = VAR / 'screens'
    screens.mkdir(parents=True, exist_ok=True)
    with _sqlite(shared, full) as env:
        return pytest([TESTS / 'desktop'], dict(env,
                TEST_DESKTOP=str(desktop_client.ensure()),
                # Its server serves no web client
                TEST_WEB_ROOT=env['TRYTOND_DATABASE__PATH'],
                TEST_SCREENS=str(screens),
                TEST_TEMPLATE=str(_sqlite_file(env['DB_CACHE'], 'fr'))))


def package(shared, full):
    env = clean_environ()
    with tempfile.TemporaryDirectory(prefix='training-dist-') as directory:
        directory = Path(directory)
        code, _ = _call(
            [PYTHON, '-m', 'build', '--outdir', directory, ROOT], env)
        wheel = next(directory.glob('*.whl'), None)
        result = _check(
            "sdist built", next(directory.glob('*.tar.gz'), None))
        result += _check("wheel built from the sdist", not code and wheel)
        if wheel:
            missing = _missing_in_wheel(wheel)
            result += _check("wheel is complete", not missing,
                f"it misses {', '.join(missing)}")
            result += _install_wheel(wheel, directory, env)
        return result


def _missing_in_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    prefix = f'trytond/modules/{MODULE_NAME}/'
    missing = []
    for path in MODULE.rglob('*'):
        name = path.relative_to(MODULE)
        if (path.is_file()
                and name.parts[0] != 'doc'
                and '__pycache__' not in name.parts
                and prefix + name.as_posix() not in names):
            missing.append(name.as_posix())
    return sorted(missing)


def _install_wheel(wheel, directory, env):
    venv = directory / 'venv'
    python = venv / 'bin' / 'python'
    make_venv(venv)
    code, _ = _call([
            python, '-m', 'pip', '--disable-pip-version-check',
            'install', '--progress-bar', 'off', wheel], env, directory)
    result = _check("wheel installed in an empty environment", not code)
    if code:
        return result
    state = _activate(venv / 'bin' / 'trytond-admin', directory, env)
    return result + _check(
        "module activated from the wheel", state == 'activated',
        f"its state is {state}")


def _activate(admin, directory, env):
    database = directory / 'wheel.sqlite'
    database.touch()
    password = directory / 'password'
    password.write_text('wheel-password')
    env = dict(env,
        TRYTOND_DATABASE_URI='sqlite://',
        TRYTOND_DATABASE__PATH=str(directory),
        TRYTONPASSFILE=str(password))
    for options in [
            ['--all', '-l', 'fr', '--email', 'admin@example.com'],
            ['-u', MODULE_NAME, '--activate-dependencies']]:
        code, _ = _call(
            [admin, '-d', 'wheel', *options], env, directory)
        if code:
            return f"unknown: trytond-admin failed ({code})"
    connection = sqlite3.connect(database)
    try:
        return connection.execute(
            'SELECT state FROM ir_module WHERE name = ?',
            [MODULE_NAME]).fetchone()[0]
    finally:
        connection.close()


def oldest_versions(shared, full):
    python = oldest.ensure()
    tests = f'trytond.modules.{MODULE_NAME}.tests'
    with _sqlite(shared, full) as env:
        return unittest([f'{tests}.{n}' for n in oldest.TESTS], env, python)


# name: (jobs, system parts)
SUITES = {
    'postgresql': (postgresql, ['postgresql', *REPORT]),
    'sqlite': (sqlite, REPORT),
    'browser': (browser, ['chromium', 'npm', *REPORT]),
    'package': (
        lambda full: [Job('package', '', package, 5 * FIRST)], []),
    'oldest': (
        lambda full: [Job(
                'oldest', '', oldest_versions, FIRST, DATABASES[:1])],
        []),
    'faults': (faults, ['postgresql', *REPORT]),
    'flake8': (lambda full: [Job('flake8', '', flake8, 0)], []),
    'desktop': (desktop, ['gtk', 'display', *REPORT]),
    }
# Only with --full or by their names
LARGE = {'desktop'}


def available(full):
    return [name for name in SUITES if full or name not in LARGE]


def jobs(names, full=False):
    "The jobs of the suites and those they need"
    every = [job for suite in SUITES for job in SUITES[suite][0](full)]
    result = [job for job in every if job.suite in names]
    needed = {id for job in result for id in job.after}
    return result + [
        job for job in every if job.id in needed and job not in result]


def run(id, full, shared):
    "Counts of one job; a missing part is a failure that says what"
    job, = [j for j in jobs(SUITES, full) if j.id == id]
    try:
        return job.function(shared, full)
    except Missing as exc:
        say(f"FAIL: {exc}")
        return _counts(failed=1)


def system_parts(names):
    return list(dict.fromkeys(
            part for name in names for part in SUITES[name][1]))


def clean(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
