# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What the scripts need of the machine.

Only the standard library is used here: nothing is installed yet when this
module runs.
"""

import fcntl
import glob
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / 'modules' / 'training_abandon'
# The package of the import, that needs no server
IMPORTING = MODULE / 'scripts'
VENV = ROOT / '.venv'
VAR = ROOT / 'var'
PYTHON = VENV / 'bin' / 'python'
# The one that has the packages of Debian
SYSTEM_PYTHON = Path('/usr/bin/python3')
MINIMUM = (3, 10)
# Exit code of our programs whose last line says all
REFUSED = 3
CONVERT_COMMAND = (
    'soffice "-env:UserInstallation=file://%(directory)s/lo" --headless '
    '--nolockcheck --nodefault --norestore '
    '--convert-to "%(output_extension)s" --outdir "%(directory)s" '
    '"%(input_path)s"')


class Missing(Exception):
    "A part that is needed and that we could not get"


def postgresql_binary(name):
    "Path of a PostgreSQL server binary, which Debian keeps out of PATH"
    if path := shutil.which(name):
        return path

    def version(path):
        return float(Path(path).parts[-3])
    found = glob.glob(f'/usr/lib/postgresql/*/bin/{name}')
    return max(found, key=version, default=None)


def chromium_binary():
    for name in ['chromium', 'chromium-browser', 'google-chrome']:
        if path := shutil.which(name):
            return path


def _has_fonts():
    if not shutil.which('fc-list'):
        return False
    return bool(subprocess.run(
            ['fc-list'], capture_output=True, check=False).stdout.strip())


def _has_venv():
    return _has_modules(sys.executable, 'ensurepip', 'venv')


def _has_modules(python, *names):
    return not subprocess.run(
        [python, '-c', f"import {', '.join(names)}"],
        stderr=subprocess.DEVNULL, check=False).returncode


def _has_gtk():
    return SYSTEM_PYTHON.exists() and not subprocess.run(
        [SYSTEM_PYTHON, '-c',
            'import cairo, ensurepip, gi; gi.require_version("Gtk", "3.0"); '
            'gi.require_version("GooCanvas", "2.0")'],
        stderr=subprocess.DEVNULL, check=False).returncode


# name: (is it there?, Debian packages)
SYSTEM = {
    'python-venv': (_has_venv, ['python3-venv']),
    'postgresql': (
        lambda: postgresql_binary('initdb') and postgresql_binary('pg_ctl'),
        ['postgresql']),
    'libreoffice': (
        lambda: shutil.which('soffice'), ['libreoffice-writer']),
    'poppler': (lambda: shutil.which('pdftotext'), ['poppler-utils']),
    'fonts': (
        _has_fonts, ['fontconfig', 'fonts-dejavu', 'fonts-liberation']),
    'chromium': (chromium_binary, ['chromium']),
    'npm': (
        lambda: shutil.which('npm') and shutil.which('node'),
        ['nodejs', 'npm']),
    'gtk': (
        _has_gtk,
        ['python3-venv', 'python3-gi', 'python3-gi-cairo', 'python3-cairo',
            'gir1.2-gtk-3.0', 'gir1.2-goocanvas-2.0', 'librsvg2-common']),
    'display': (
        lambda: all(map(shutil.which, ['Xvfb', 'xdotool', 'import'])),
        ['xvfb', 'xdotool', 'imagemagick']),
    }


def say(text):
    print(text, flush=True)


def check_python():
    if sys.version_info < MINIMUM:
        raise Missing(
            f"Python {'.'.join(map(str, MINIMUM))} or newer is needed and "
            f"this is {sys.version.split()[0]}: install a newer python3.")


def missing_parts(names):
    return [n for n in names if not SYSTEM[n][0]()]


def assume_yes(yes=False):
    return yes or os.environ.get('CI', '').lower() in {'1', 'true'}


def ensure_system(names, yes=False):
    "Install the missing system parts, return the names still missing"
    missing = missing_parts(names)
    if not missing:
        return []
    packages = sorted({p for n in missing for p in SYSTEM[n][1]})
    say(f"Missing system packages: {' '.join(packages)}")
    if not shutil.which('apt-get'):
        say("There is no apt-get here: install them by hand.")
        return missing
    if (prefix := _privilege(packages, yes)) is None:
        return missing
    _apt_install(prefix, packages)
    return missing_parts(missing)


def _privilege(packages, yes):
    "Command prefix that makes us root, None if we may not be it"
    if not os.geteuid():
        return []
    command = f"sudo apt-get install {' '.join(packages)}"
    if not shutil.which('sudo'):
        say(f"As root: {command[5:]}")
        return None
    if assume_yes(yes):
        return ['sudo', '-n'] if not sys.stdin.isatty() else ['sudo']
    if not sys.stdin.isatty():
        say(f"Install them with: {command}\nor use --yes.")
        return None
    if input(f"Run '{command}'? [y/N] ").strip().lower() not in {
            'y', 'yes', 'o', 'oui'}:
        return None
    return ['sudo']


def _apt_install(prefix, packages):
    say("Installing them with apt-get…")
    log = VAR / 'apt.log'
    log.parent.mkdir(parents=True, exist_ok=True)
    apt = prefix + ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q']
    with open(log, 'wb') as output:
        for arguments in [
                ['update'],
                ['install', '-y', '--no-install-recommends', *packages]]:
            code = subprocess.run(
                apt + arguments, stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, check=False).returncode
            if code:
                say(f"apt-get {arguments[0]} failed, see {log}")
                return


def require_system(names, yes=False):
    if missing := ensure_system(names, yes):
        packages = ' '.join(p for n in missing for p in SYSTEM[n][1])
        raise Missing(f"Missing: {', '.join(missing)}. "
            f"Install with: apt-get install {packages}")


def ensure_venv(extras):
    "Create or update .venv with the module in development mode and extras"
    check_python()
    VAR.mkdir(exist_ok=True)
    with open(VAR / 'venv.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _update_venv(set(extras))


def _update_venv(extras):
    stamp = VENV / 'installed'
    key = _venv_key()
    if stamp.exists() and PYTHON.exists():
        old_key, *old_extras = stamp.read_text().split()
        if old_key == key and extras <= set(old_extras):
            return
        if old_key == key:
            extras |= set(old_extras)
    if not stamp.exists() and not _has_pip():
        say("Creating the virtual environment .venv…")
        make_venv(VENV)
        pip('install', '--upgrade', 'pip', 'setuptools', 'wheel')
    say(f"Installing the Python packages ({', '.join(sorted(extras))})…")
    pip('install', '--editable', f"{ROOT}[{','.join(sorted(extras))}]")
    stamp.write_text(' '.join([key, *sorted(extras)]))


def make_venv(directory):
    "Make a virtual environment with pip"
    python, options = venv_python(), ['--clear']
    # Debian has it in a package of its own, which takes the administrator
    brings_pip = _has_modules(python, 'ensurepip')
    if not brings_pip:
        options.append('--without-pip')
    run([python, '-m', 'venv', *options, directory], 'venv')
    if not brings_pip:
        pip('--python', directory / 'bin' / 'python', 'install', 'pip',
            python=sys.executable)


def venv_python():
    """Return the Python to make virtual environments with

    It is the one that runs, or that of the system when it has the same
    version and is faster as its distribution compiles it with optimisations,
    which pyenv does only if asked."""
    arguments = sysconfig.get_config_var('CONFIG_ARGS') or ''
    if '--enable-optimizations' in arguments or not SYSTEM_PYTHON.exists():
        return sys.executable
    code = (
        'import sqlite3, sys, venv; '
        f'sys.exit(sys.version_info[:2] != {sys.version_info[:2]})')
    if subprocess.run(
            [SYSTEM_PYTHON, '-c', code], stderr=subprocess.DEVNULL,
            check=False).returncode:
        return sys.executable
    if not (_has_modules(SYSTEM_PYTHON, 'ensurepip')
            or _has_modules(sys.executable, 'pip')):
        return sys.executable
    return str(SYSTEM_PYTHON)


def _has_pip():
    "If there is a virtual environment whose creation has come to its end"
    return PYTHON.exists() and not subprocess.run(
        [PYTHON, '-m', 'pip', '--version'], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, check=False).returncode


def _venv_key():
    key = hashlib.sha256(sys.version.encode())
    for path in [
            ROOT / 'pyproject.toml', ROOT / 'setup.py',
            MODULE / 'tryton.cfg']:
        key.update(path.read_bytes())
    return key.hexdigest()


def not_installed(error):
    "End a script that finds no module in this Python and say what to do"
    print(f"The module is not installed here ({error}): run this script with "
        f"{PYTHON}, that {ROOT}/scripts/test --venv makes, or "
        f"pip install '{ROOT}[import]'", file=sys.stderr)
    sys.exit(2)


def pip(*arguments, python=PYTHON):
    run([python, '-m', 'pip', '--disable-pip-version-check', *arguments],
        'pip')


# What the programs say, what it means and what to do
KNOWN = [
    (r'No space left on device|ENOSPC|disk is full|Errno 28\b|Disk quota',
        "The disk is full: free some space, then run this command again."),
    (r'Retrying \(Retry|No matching distribution found|ProxyError'
        r'|ConnectTimeout',
        "The Python package index is out of reach: connect this machine to "
        "the network, or set PIP_INDEX_URL, then run this command again."),
    (r'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ERR_SOCKET',
        "The npm registry is out of reach: connect this machine to the "
        "network, then run this command again."),
    ]


def known_cause(text):
    "What makes a program fail with such an output, None if not known"
    for pattern, sentence in KNOWN:
        if re.search(pattern, text):
            return sentence
    if is_disk_full():
        return KNOWN[0][1]


def is_disk_full():
    # The log of the failure may have been the first file without room
    return any(
        shutil.disk_usage(path).free < 1024 ** 2
        for path in {ROOT, tempfile.gettempdir()})


def refuse(reason):
    "End one of our programs with a reason, for run() to show only that"
    print(' '.join(str(reason).split()), file=sys.stderr)
    sys.exit(REFUSED)


def run(command, name, **options):
    "Run a command with its output in var/NAME.log, shown only on failure"
    log = VAR / f'{name}.log'
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, 'wb') as output, process_group(
            command, stdout=output, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, **options) as process:
        code = process.wait()
    if code == REFUSED:
        raise Missing(tail(log, 1).strip())
    elif code:
        if cause := known_cause(tail(log, None)):
            raise Missing(f"{cause}\nThe details are in {log}")
        sys.stderr.write(tail(log))
        program = ' '.join(map(str, command))
        raise Missing(f"'{program}' failed ({code}), see {log}")


def tail(path, lines=60):
    if not path.exists():
        return ''
    content = path.read_text(encoding='utf-8', errors='replace')
    return '\n'.join(content.splitlines()[-(lines or 0):]) + '\n'


def clean_environ(**extra):
    "Environment without the settings of another Tryton or Python"
    environ = {
        key: value for key, value in os.environ.items()
        if not key.startswith(('TRYTOND_', 'PYTHON', 'DB_'))}
    environ['PATH'] = os.pathsep.join(
        [str(PYTHON.parent), environ.get('PATH', os.defpath)])
    environ.update(
        TRYTOND_REPORT__CONVERT_COMMAND=CONVERT_COMMAND, **extra)
    return environ


def raise_on_sigterm():
    """Make a termination run the clean-up, as Ctrl-C does, and let nothing
    interrupt that clean-up"""
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

    def handler(number, frame):
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)
    for number in numbers:
        signal.signal(number, handler)


@contextmanager
def only_one(path, message):
    "Refuse to go on while another process is inside for the same path"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'a') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise Missing(message) from exc
        yield


@contextmanager
def process_group(command, **options):
    "Start a command in a process group that is gone afterwards"
    process = subprocess.Popen(
        list(map(str, command)), start_new_session=True, **options)
    try:
        yield process
    finally:
        stop_group(process)


def free_port():
    "Return a port of this machine that no server listens to"
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def stop_group(process, timeout=5):
    for number in [signal.SIGTERM, signal.SIGKILL]:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
