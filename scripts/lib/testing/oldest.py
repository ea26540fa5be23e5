# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The oldest versions that setup.py allows, on the oldest Python of the
machine that it allows"""

import fcntl
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ..environment import MINIMUM, MODULE, PYTHON, VAR, Missing, pip, run, say

DIRECTORY = VAR / 'oldest'
DISTRIBUTION = f'trytond_{MODULE.name}'
# What the tests below do not import
TOOLS = {
    'aiosmtpd', 'build', 'flake8', 'isort', 'pillow', 'playwright', 'psycopg',
    'pytest', 'tqdm'}
# The modules of the tests that depend on the libraries
TESTS = [
    'test_module', 'test_training_working_day', 'test_ical_reader',
    'test_ical_feed']


def oldest_python():
    "Return the path and the version of the oldest Python allowed"
    versions = {}
    for path in _pythons():
        version = subprocess.run(
            [path, '-c',
                'import ensurepip, sqlite3, sys, venv; '
                'print(*sys.version_info[:3])'],
            capture_output=True, text=True, check=False).stdout.split()
        if version and tuple(map(int, version)) >= MINIMUM:
            versions.setdefault(tuple(map(int, version)), path)
    if not versions:
        raise Missing("No Python with venv was found")
    version = min(versions)
    return versions[version], version


def _pythons():
    yield sys.executable
    for minor in range(MINIMUM[1], sys.version_info.minor):
        name = f'python{MINIMUM[0]}.{minor}'
        if path := shutil.which(name):
            yield path
        # pyenv, whatever the home directory
        yield from Path(sys.base_prefix).parent.glob(f'*/bin/{name}')


def bounds():
    "Return the requirements of the tests at their oldest version"
    lines = subprocess.run(
        [PYTHON, '-c',
            'from importlib.metadata import requires; '
            f'print(*requires({DISTRIBUTION!r}), sep="\\n")'],
        capture_output=True, text=True, check=True).stdout.splitlines()
    result, unbound = set(), []
    for line in lines:
        requirement, _, marker = line.partition(';')
        name, = re.match(r'([\w.-]+)', requirement).groups()
        if (name.lower() in TOOLS
                or 'extra' in marker and 'test' not in marker):
            continue
        if bound := re.search(r'>=\s*([\w.]+)', requirement):
            result.add(f'{name}=={bound[1]}')
        else:
            unbound.append(name)
    if unbound:
        raise Missing(f"setup.py has no bound for {', '.join(unbound)}")
    return sorted(result)


def ensure():
    "Make the environment when it is not there, return its Python"
    VAR.mkdir(exist_ok=True)
    with open(VAR / 'oldest.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path, version = oldest_python()
        requirements = bounds()
        key = '\n'.join(['.'.join(map(str, version)), *requirements])
        stamp = DIRECTORY / 'installed'
        python = DIRECTORY / 'bin' / 'python'
        if not stamp.exists() or stamp.read_text() != key:
            say(f"Installing on {path}: {' '.join(requirements)}")
            run([path, '-m', 'venv', '--clear', DIRECTORY], 'oldest')
            pip('install', '--no-compile', *requirements, python=python)
            stamp.write_text(key)
        _link(python)
        return python


def _link(python):
    "Let Tryton find the module, that is not installed"
    packages = subprocess.run(
        [python, '-c', 'import trytond; print(trytond.__path__[0])'],
        capture_output=True, text=True, check=True).stdout.strip()
    link = Path(packages) / 'modules' / MODULE.name
    link.unlink(missing_ok=True)
    link.symlink_to(MODULE)
