# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Mails that are given to the mail server one after the other"

import datetime as dt
import logging
import time
from contextlib import contextmanager, suppress
from itertools import islice

from trytond import backend
from trytond.transaction import Transaction

from .. import tools
from .accepted import Reply, ReplyFile
from .claim import LEASE

logger = logging.getLogger(__name__)

# The mails that are read at once, with their messages
CHUNK = 100
# The seconds after which the replies are stored before the next mail is given,
# and for which what was read of it is right
TOGETHER = 0.05
# The time that what follows from a mail accepted may wait for the other mails
END_WAIT = dt.timedelta(seconds=5)
# The seconds to wait for the database to store what has been done
RECORD_WAITS = [1, 2, 4, 8, 16, 30]


class Batch:
    """The mails that a process has claimed and gives to the server, and what
    becomes of them.

    A mail is given once the reply to the one before is in the database or in
    a file: at most one leaves twice when the process is killed."""

    def __init__(self, Mail, claimed):
        "claimed is the numbers of the attempts by id"
        self.Mail = Mail
        # The ids of those that failed and of those that wait for the server
        self.failed, self.unavailable = [], []
        self._claimed, self._left = claimed, dict(claimed)
        self._mails = {}
        self._kept_at = self._ended_at = tools.now()
        # When the mails were read, on a clock that nobody sets
        self._read_at = None
        self._file = ReplyFile(Transaction().database.name)
        # The replies that are in the file, and those that are in the database
        # but maybe not on its disk
        self._replies, self._unsure = [], []

    def give(self, server, until=None):
        """Give the mails to the server over one connection and store what it
        answers for each of them.

        until is the time at which the rest waits for the next run."""
        with self._stored():
            while self._left:
                now = tools.now()
                if until and now >= until:
                    self.Mail._release(self._left)
                    break
                self._keep_up(now)
                if mail := self._next():
                    self._give(mail, server)

    def _keep_up(self, now):
        "Store what follows from the mails sent and keep those that are left"
        if now >= self._ended_at + END_WAIT:
            self._store_replies()
            self.Mail._end_sent(self._claimed)
            self._ended_at = now = tools.now()
            # It may have waited: what was read of the others is old
            self._read_at = None
        if now >= self._kept_at + LEASE / 3:
            self.Mail._keep(self._left)
            self._kept_at = now

    def _next(self):
        "Return the next mail, or None if it is not claimed any more"
        id_ = next(iter(self._left))
        if id_ not in self._mails:
            self._mails = self.Mail._read_claimed(
                dict(islice(self._left.items(), CHUNK)))
            self._read_at = None
        if (self._read_at is None
                or time.monotonic() >= self._read_at + TOGETHER):
            self._read()
        del self._left[id_]
        mail = self._mails.pop(id_)
        return mail if mail.state == 'sending' else None

    def _read(self):
        "Store what the server has accepted and read the next mails again"
        self._store_replies()
        # Before the query, which may wait
        self._read_at = time.monotonic()
        self.Mail._check_claimed(self._mails.values())

    def _give(self, mail, server):
        known = mail.unavailable_since
        values = mail._attempt(server)
        self._store(mail, values)
        if values['state'] == 'failed':
            self.failed.append(mail.id)
        elif values['state'] == 'sent' and self.unavailable:
            self.Mail._set_available(self.unavailable)
            self.unavailable.clear()
        elif values.get('unavailable_since') and not known:
            self.unavailable.append(mail.id)

    def _store(self, mail, values):
        if values['state'] == 'sent':
            reply = Reply(
                mail.id, mail.message_id or '', values['smtp_reply'],
                values['sent_at'])
            self._replies.append(reply)
            if not self._file.add(reply):
                self._store_replies()
            return
        self._store_replies()
        try:
            is_stored = mail._store(values)
        except backend.DatabaseOperationalError:
            self._store_again(mail, values)
        else:
            if is_stored:
                # The commit has waited for those before too
                self._unsure.clear()

    def _store_replies(self):
        if not self._replies:
            return
        without_disk = tools.without_disk()
        try:
            self.Mail._store_sent(self._replies, without_disk)
            Transaction().commit()
        except backend.DatabaseOperationalError:
            self._store_again()
        else:
            if without_disk is not None:
                self._unsure += self._replies
            self._replies.clear()

    def _store_again(self, mail=None, values=None):
        """Store what the database may have lost, and the values of the mail,
        once it answers again: the server does not take back its words."""
        logger.warning("the mails are recorded later", exc_info=True)
        transaction = Transaction()
        with suppress(backend.DatabaseOperationalError):
            transaction.rollback()
        for wait in RECORD_WAITS:
            time.sleep(wait)
            try:
                with transaction.new_transaction():
                    if replies := self._unsure + self._replies:
                        self.Mail._store_sent(replies)
                        # Only a commit that changes something waits
                        tools.lock(self.Mail, [replies[-1].id])
                    if mail:
                        mail._store(values)
                break
            except backend.DatabaseOperationalError:
                if wait == RECORD_WAITS[-1]:
                    raise
        self._unsure.clear()
        self._replies.clear()

    @contextmanager
    def _stored(self):
        "At the end all the replies are on the disk of the database"
        try:
            yield
        except Exception:
            if self._unsure or self._replies:
                with suppress(backend.DatabaseOperationalError):
                    Transaction().rollback()
            raise
        finally:
            try:
                if replies := self._unsure + self._replies:
                    self._wait_for_disk(replies[-1])
                self._file.remove()
            finally:
                self._file.close()

    def _wait_for_disk(self, last):
        try:
            if not (self._replies and self.Mail._store_sent(self._replies)):
                tools.lock(self.Mail, [last.id])
            Transaction().commit()
        except backend.DatabaseOperationalError:
            # The database that has stopped may have lost those before
            self._store_again()
