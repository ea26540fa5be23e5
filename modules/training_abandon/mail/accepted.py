# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What the mail server has accepted, until the database has it on its disk

The database stores the replies together. Until then each of them is in a file
that survives the process: the next one stores what it finds there."""

import datetime as dt
import json
import logging
import os
import time
import uuid
from pathlib import Path
from typing import NamedTuple

import trytond.config as config

from .claim import LEASE

try:
    import fcntl
except ImportError:
    # Nothing tells if the process that writes a file still runs
    fcntl = None

logger = logging.getLogger(__name__)
SUFFIX = '.replies'
# The seconds without a reply after which those of a process that still runs
# are stored for it, before its mails may be taken by another one
STUCK = LEASE.total_seconds() / 3


class Reply(NamedTuple):
    """The words of the server that has accepted the mail.

    The Message-ID tells it from the mail of another copy of the database."""
    id: int
    message_id: str
    words: str
    at: dt.datetime


class ReplyFile:
    """The file of the replies that a process stores later, which is locked
    as long as the process runs.

    It is made with the first reply and has a line for each of them."""

    def __init__(self, database):
        self._directory = directory(database)
        self._is_writable = fcntl is not None
        self._path = self._file = None

    def add(self, reply):
        "Write the reply and return if it is in the file"
        if self._is_writable:
            try:
                self._write(reply)
            except OSError:
                self._is_writable = False
                logger.warning(
                    "%s is not writable: each reply is stored at once",
                    self._directory, exc_info=True)
        return self._is_writable

    def _write(self, reply):
        if self._file is None:
            self._open()
        values = json.dumps([*reply[:-1], reply.at.isoformat()])
        line = f'{values}\n'.encode()
        if os.write(self._file, line) < len(line):
            raise OSError(f"{self._path} is cut")

    def _open(self):
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = self._directory / f'{uuid.uuid4().hex}{SUFFIX}'
        new = self._path.with_suffix('.new')
        file = os.open(
            new, os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY,
            mode=0o600)
        try:
            # Nobody finds it before it is locked
            fcntl.flock(file, fcntl.LOCK_EX)
            new.rename(self._path)
        except OSError:
            os.close(file)
            new.unlink(missing_ok=True)
            raise
        self._file = file

    def remove(self):
        "Remove the file, once the database has the replies on its disk"
        if self._file is not None:
            remove(self._path)
        self.close()

    def close(self):
        "Leave the file, if there is one, to another process"
        if self._file is not None:
            os.close(self._file)
            self._file = None


def directory(database):
    "Return the directory of the files of the database"
    return Path(config.get('database', 'path'), 'training_abandon', database)


def remove(path):
    "Remove the file, whose replies may be stored twice"
    try:
        path.unlink(missing_ok=True)
    except OSError:
        logger.warning("%s cannot be removed", path, exc_info=True)


def left_files(database):
    """Yield the paths of the files that processes have left as they were
    stopped, or to which they add nothing any more, with their replies and
    if the process is stopped.

    An OSError is raised when one of them cannot be read."""
    if fcntl is None:
        return
    try:
        paths = sorted(directory(database).iterdir())
    except FileNotFoundError:
        return
    for path in paths:
        if path.suffix != SUFFIX:
            continue
        try:
            # Not all the file systems lock what is only read
            with open(path, 'r+b') as file:
                if (is_left := _lock(file)) or _is_stuck(file):
                    yield path, list(_read(file)), is_left
        except FileNotFoundError:
            # Its process has come to its end meanwhile
            continue


def _lock(file):
    "Lock the file and return if no process has it"
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_stuck(file):
    "Return if its process may lose the mails to another one"
    return time.time() > os.fstat(file.fileno()).st_mtime + STUCK


def _read(file):
    for line in file:
        try:
            *values, at = json.loads(line)
            yield Reply(*values, dt.datetime.fromisoformat(at))
        except (TypeError, ValueError):
            # The disk was full, or the machine has stopped
            logger.warning("%s is cut", file.name)
