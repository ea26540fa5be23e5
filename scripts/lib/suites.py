# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The suites of scripts/test: each function returns the counts of its tests"

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
from pathlib import Path
from xml.etree import ElementTree

from . import web_client
from .cluster import cluster
from .environment import (
    MODULE, PYTHON, ROOT, VAR, Missing, chromium_binary, clean_environ, say)

TESTS = ROOT / 'tests'
MODULE_NAME = MODULE.name
REPORT = ['libreoffice', 'poppler', 'fonts']


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


def unittest(names, env):
    code, output = _call([PYTHON, '-m', 'unittest', '-v', *names], env)
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


def flake8(full=False):
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


def _module_tests():
    return [
        f'trytond.modules.{MODULE_NAME}.tests.{path.stem}'
        for path in sorted((MODULE / 'tests').glob('test_*.py'))]


@contextmanager
def _database_environ(uri, cache, full):
    with tempfile.TemporaryDirectory(prefix='training-test-') as directory:
        yield clean_environ(
            TRYTOND_DATABASE_URI=uri,
            TRYTOND_DATABASE__PATH=directory,
            DB_CACHE=cache or os.path.join(directory, 'cache'),
            TEST_NETWORK='0',
            TEST_FULL='1' if full else '')


def _database_tests(env, scripts):
    if not (names := _module_tests()):
        return _check("module tests", False, f"none in {MODULE}/tests")
    result = unittest(names, env)
    if paths := sorted(TESTS.glob(scripts)):
        result += pytest(paths, env)
    if any(TESTS.glob('scenario_*.rst')):
        result += unittest(
            ['lib.scenarios'], dict(env, PYTHONPATH=str(ROOT / 'scripts')))
    return result


def sqlite(full=False):
    with _database_environ('sqlite://', None, full) as env:
        return _database_tests(env, 'test_*.py')


def postgresql(full=False):
    with cluster() as uri, \
            _database_environ(uri, 'postgresql://', full) as env:
        # The other tests of the scripts work without this database
        return _database_tests(env, 'test_import_training.py')


def faults(full=False):
    # The faults that depend on the database are tested on each of them, the
    # others on the one of production
    options = [] if full else [
        '-k', 'not SQLite or two_users '
        'or (test_mail and (kill or two_crons or size))']
    with cluster() as uri, _database_environ('sqlite://', None, full) as env:
        return pytest(
            [TESTS / 'faults'], dict(env, TEST_POSTGRESQL=uri), *options)


def browser(full=False):
    screens = VAR / 'screens'
    clean(screens)
    with _database_environ('sqlite://', None, full) as env:
        return pytest([TESTS / 'browser'], dict(env,
                TEST_CHROMIUM=chromium_binary(),
                TEST_WEB_ROOT=str(web_client.ensure()),
                TEST_SCREENS=str(screens)))


def package(full=False):
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
    code, _ = _call([sys.executable, '-m', 'venv', venv], env, directory)
    if not code:
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


# name: (function, system parts), the longest first
SUITES = {
    'postgresql': (postgresql, ['postgresql', *REPORT]),
    'sqlite': (sqlite, REPORT),
    'browser': (browser, ['chromium', 'npm', *REPORT]),
    'package': (package, []),
    'faults': (faults, ['postgresql', *REPORT]),
    'flake8': (flake8, []),
    }


def available():
    "Names of the suites, without those that have no test yet"
    return [
        name for name in SUITES
        if name not in {'browser', 'faults'}
        or any((TESTS / name).glob('test_*.py'))]


def run(name, full=False):
    "Counts of one suite; a missing part is a failure that says what"
    function, _ = SUITES[name]
    try:
        return function(full)
    except Missing as exc:
        say(f"FAIL: {exc}")
        return _counts(failed=1)


def system_parts(names):
    return list(dict.fromkeys(
            part for name in names for part in SUITES[name][1]))


def clean(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
