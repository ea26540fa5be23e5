# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"A PostgreSQL cluster of our own that lives as long as its context"

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from ..environment import Missing, free_port, postgresql_binary

USER = 'tryton'
# The data do not survive the cluster: they need no protection from a crash
SETTINGS = [
    'fsync=off', 'synchronous_commit=off', 'full_page_writes=off',
    'wal_level=minimal', 'max_wal_senders=0', 'autovacuum=off', 'jit=off',
    'shared_buffers=256MB', 'timezone=UTC']


# As a cluster is installed, with more memory
DURABLE = ['shared_buffers=256MB', 'timezone=UTC']


def _identity():
    "Options to run as postgres, because initdb and postgres refuse root"
    if os.geteuid():
        return {}
    try:
        entry = pwd.getpwnam('postgres')
    except KeyError as exc:
        raise Missing(
            "There is no system user 'postgres': "
            "apt-get install postgresql") from exc
    return {
        'user': entry.pw_uid,
        'group': entry.pw_gid,
        'extra_groups': [],
        }


def _run(name, *arguments, check=True, **options):
    if not (binary := postgresql_binary(name)):
        raise Missing(f"{name} not found: apt-get install postgresql")
    result = subprocess.run(
        [binary, *map(str, arguments)], cwd='/', check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, **options)
    if check and result.returncode:
        raise Missing(f"{name} failed: {result.stderr.strip()}")


@contextmanager
def cluster(source=None, target=None, settings=SETTINGS):
    """Yield the URI, ending by a slash, of a new PostgreSQL cluster.

    It starts as a copy of source, and target becomes a copy of it."""
    identity = _identity()
    # Not in TMPDIR, which the user postgres may not be able to enter
    directory = Path(tempfile.mkdtemp(prefix='training-pg-', dir='/tmp'))
    data = directory / 'data'
    try:
        if identity:
            os.chown(directory, identity['user'], identity['group'])
        if source:
            _copy(source, data)
        else:
            _run('initdb', '--pgdata', data, '--username', USER,
                '--auth', 'trust', '--encoding', 'UTF8',
                '--locale', 'C.UTF-8', '--no-sync', **identity)
        port = free_port()
        settings = settings + [
            'listen_addresses=127.0.0.1', f'port={port}',
            f'unix_socket_directories={directory}']
        with open(data / 'postgresql.auto.conf', 'w') as conf:
            for setting in settings:
                name, value = setting.split('=', 1)
                conf.write(f"{name} = '{value}'\n")
        _run('pg_ctl', '--pgdata', data, '--wait', '--silent',
            '--log', directory / 'log', 'start',
            start_new_session=True, **identity)
        yield f'postgresql://{USER}@127.0.0.1:{port}/'
        if target:
            _run('pg_ctl', '--pgdata', data, '--wait', '--silent',
                '--mode', 'fast', 'stop', **identity)
            _copy(data, target)
    finally:
        if (data / 'postmaster.pid').exists():
            _run('pg_ctl', '--pgdata', data, '--wait', '--silent',
                '--mode', 'immediate', 'stop', check=False, **identity)
        shutil.rmtree(directory, ignore_errors=True)


def _copy(source, target):
    "Copy a directory with the owner of its files"
    subprocess.run(['cp', '-a', source, target], check=True)


def restart(data):
    "Restart at once, as after a crash, the cluster in that directory"
    _run('pg_ctl', '--pgdata', data, '--wait', '--silent', '--mode',
        'immediate', '--log', Path(data).parent / 'log', 'restart',
        start_new_session=True, **_identity())
