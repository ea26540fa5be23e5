# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import logging
from email.utils import parseaddr
from functools import lru_cache

from sql import Column, Literal, Values
from sql.conditionals import Coalesce
from sql.functions import CurrentTimestamp

import trytond.config as config
from trytond import backend
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.sendmail import get_smtp_server
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..notify import one_line
from .accepted import left_files, remove
from .batch import Batch
from .claim import WAITING
from .server import (
    Delayed, Interrupted, MailServer, Refused, Unavailable, exception_words,
    server_uri)

logger = logging.getLogger(__name__)

# The delays before the second attempt, the third…
DELAYS = [dt.timedelta(minutes=m) for m in [1, 5, 15, 60, 240]]
# The time after which the scheduled action leaves the rest to the next time
DURATION = dt.timedelta(minutes=10)
INLINE = 20


@lru_cache(100)
def _address(sender):
    "Return the address of the sender, the same in most of the mails"
    return parseaddr(sender)[1]


class DeliveryMixin:
    "Mails that are given to the mail server"
    __slots__ = ()

    @classmethod
    def queue(cls, mails):
        "Deliver the mails once the transaction is committed"
        mails = list(mails)
        if not mails or not cls.is_live():
            return
        if not config.getboolean('queue', 'worker', default=False):
            # The user waits for these, the cron sends the others
            mails = mails[:INLINE]
        with Transaction().set_context(queue_batch=tools.BATCH):
            cls.__queue__.deliver_queued(mails)

    @classmethod
    @ModelView.button
    def deliver(cls, mails):
        states = cls._recover()
        cls.keep(mails)
        failed = [m for m in mails if m.state == 'failed']
        for sub_mails in grouped_slice(failed, tools.BATCH):
            cls.write(list(sub_mails), {
                    'state': 'queued',
                    'next_attempt': None,
                    'retry_until': None,
                    'unavailable_since': None,
                    })
        if cls.is_live():
            cls._deliver_mails(mails, states)
        elif waiting := [m for m in mails if m.state in WAITING]:
            cls.notify_user(
                waiting, 'tryton-warning',
                gettext('training_abandon.msg_mail_held'),
                one_line(cls._hold_reason()))

    @classmethod
    def deliver_queued(cls, mails):
        "Deliver the mails that wait, even for another attempt"
        cls._deliver_mails(mails, cls._recover())

    @classmethod
    def _deliver_mails(cls, mails, states):
        cls._deliver_batches(
            cls._claim([m.id for m in sub_mails], states)
            for sub_mails in grouped_slice(mails, tools.BATCH))

    @classmethod
    def deliver_due(cls):
        """Deliver the mails that wait and those a crash left half-way, then
        archive the sent ones that could not be.

        What is left after a while, or when the server takes no mails, is
        for the next time."""
        until = tools.now() + DURATION

        states = cls._recover()

        def claim():
            while tools.now() < until and (
                    claimed := cls._claim(states=states)):
                yield claimed

        cls._deliver_batches(claim(), until)
        cls._archive_left(until)

    @classmethod
    @ModelView.button
    def cancel(cls, mails):
        cls.write([
                m for m in mails if m.state in {'draft', 'queued', 'failed'}],
            {
                'state': 'cancelled',
                'next_attempt': None,
                'unavailable_since': None,
                })
        cls.on_cancel([m for m in mails if m.state == 'cancelled'])

    @classmethod
    def on_cancel(cls, mails):
        "Hook called once the mails are cancelled by the user"

    @classmethod
    def _deliver_batches(cls, batches, until=None):
        """Deliver the claimed mails of the batches as long as the server
        takes more, and archive those of a batch while the next ones leave."""
        given = {}
        for claimed in batches:
            with cls._archive_beside(given):
                is_available = cls._deliver(claimed, until)
            given = claimed
            if not is_available:
                break
        cls._archive(given)

    @classmethod
    def _deliver(cls, claimed, until=None):
        """Give the claimed mails to the server over one connection, store
        what it answers for each of them and return if it takes more.

        until is the time at which the rest waits for the next run."""
        transaction = Transaction()
        server, batch = MailServer(cls._connect), Batch(cls, claimed)
        try:
            # A statement for each mail is a transaction
            with transaction.new_transaction(autocommit=True):
                batch.give(server, until)
        finally:
            server.close()
        cls.notify_failed(cls.browse(batch.failed))
        if batch.unavailable:
            cls.on_unavailable(cls.browse(batch.unavailable))
        transaction.commit()
        if batch.failed:
            cls.on_failed(cls.browse(batch.failed))
            transaction.commit()
        return server.available

    @classmethod
    def _set_available(cls, ids):
        "Tell the mails that the server has taken another one since"
        table = cls.__table__()
        cls._write(
            {'unavailable_since': None},
            fields.SQL_OPERATORS['in'](table.id, ids), table=table)

    @classmethod
    def _read_claimed(cls, claimed):
        """Return the mails by id with what nobody else changes, that each
        commit would make read again."""
        rows = cls.read(list(claimed), cls._claimed_fields())
        for row in rows:
            row['attempts'] = claimed[row['id']]
            row['state'] = None
        cls._complete_claimed(rows)
        return {row['id']: cls(**row) for row in rows}

    @classmethod
    def _complete_claimed(cls, rows):
        "Hook called with the values of the mails, to put records in them"

    @classmethod
    def _claimed_fields(cls):
        "Return the names of the fields that the delivery reads"
        return [
            'from_', 'to', 'message', 'message_id', 'retry_until',
            'unavailable_since']

    @classmethod
    def _check_claimed(cls, mails):
        "Read which mails are still claimed, and the state of their subject"
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(
                table.id, table.attempts, cls.sql_subject_state(table),
                where=fields.SQL_OPERATORS['in'](
                    table.id, [m.id for m in mails])
                & (table.state == 'sending')))
        states = {
            (id_, attempts): state for id_, attempts, state in cursor}
        for mail in mails:
            mail._set_claimed(states.get((mail.id, mail.attempts)))

    def _set_claimed(self, subject_state):
        self.state = '' if subject_state is None else 'sending'
        self.set_subject_state(subject_state)

    @classmethod
    def sql_subject_state(cls, mail):
        """Return the SQL expression of the state of what the mail is about,
        empty if it has none"""
        return Literal('')

    def set_subject_state(self, state):
        "Set the state of what the mail is about on its instance"

    @classmethod
    def _connect(cls):
        try:
            return get_smtp_server(server_uri(), strict=True)
        except OSError:
            raise
        except (TypeError, ValueError):
            # Their words quote the address, maybe a part of the password
            raise ValueError(gettext(
                    'training_abandon.msg_mail_server_address')) from None

    def _attempt(self, server):
        """Try to give the mail to the server and return the values to store
        on the mail."""
        transaction = Transaction()
        try:
            reason = self._get_outdated()
            sender, recipient = _address(self.from_), self.to
            message = self.message
        except backend.DatabaseOperationalError:
            raise
        except Exception as exception:
            transaction.rollback()
            return self._break(exception)
        # Do not keep a transaction open while the server thinks
        transaction.commit()
        if reason:
            return self._end('cancelled', reason)
        try:
            if not message:
                raise Delayed(gettext(
                        'training_abandon.msg_mail_message_unreadable'))
            reply = server.send(sender, recipient, message)
        except Refused as exception:
            return self._end('failed', str(exception))
        except Delayed as exception:
            return self._delay(exception)
        except Exception as exception:
            return self._break(exception)
        return {
            **self._end('sent', reply),
            'sent_at': tools.now(),
            }

    def _break(self, exception):
        "Return the values of the mail that keeps none of the others"
        logger.error("mail %s failed", self.id, exc_info=True)
        return self._end('failed', exception_words(exception))

    @classmethod
    def _end(cls, state, words):
        values = {
            'state': state,
            'smtp_reply': words,
            'next_attempt': None,
            'retry_until': None,
            'unavailable_since': None,
            }
        if state == 'failed':
            values['failed_at'] = tools.now()
        return values

    def _delay(self, exception):
        "Return the values of the mail that is to be tried again, or given up"
        pool = Pool()
        Configuration = pool.get('training.configuration')
        now, words, until = tools.now(), str(exception), self.retry_until
        if not until:
            until = now + Configuration(1).get_multivalue(
                'mail_retry_time', company=self.company.id)
        elif until <= now:
            return self._end('failed', words)
        number = 1 if isinstance(exception, Interrupted) else self.attempts
        delay = DELAYS[min(number, len(DELAYS)) - 1]
        since = None
        if isinstance(exception, Unavailable):
            since = self.unavailable_since or now
        return {
            'state': 'queued',
            'smtp_reply': words,
            'next_attempt': min(now + delay, until),
            'retry_until': until,
            'unavailable_since': since,
            }

    @classmethod
    def _store_sent(cls, replies, without_disk=None):
        """Store the replies of the server that are not stored, and return if
        there is one.

        without_disk is the SQL expression for which the commit does not wait
        for the disk."""
        cursor = Transaction().connection.cursor()
        table, reply = cls.__table__(), Values([tuple(r) for r in replies])
        id_, message_id, words, at = (
            Column(reply, f'column{i}') for i in range(1, 5))
        values = {
            **cls._end('sent', words),
            'sent_at': at,
            'write_date': CurrentTimestamp(),
            }
        cursor.execute(*table.update(
                [Column(table, name) for name in values],
                list(values.values()), from_=[reply],
                # Whoever has the mail now, it has left
                where=(table.id == id_) & (table.state != 'sent')
                & (Coalesce(table.message_id, '') == message_id),
                returning=None if without_disk is None else [without_disk]))
        return cursor.rowcount > 0

    @classmethod
    def _recover(cls):
        """Store what the server had accepted when a process was stopped, and
        return the states of the mails that may leave.

        Those that were being sent stay as long as something is not stored."""
        if not cls.is_live():
            return WAITING
        transaction = Transaction()
        try:
            for path, replies, is_left in left_files(
                    transaction.database.name):
                for sub_replies in grouped_slice(replies, tools.BATCH):
                    cls._store_sent(list(sub_replies))
                transaction.commit()
                if is_left:
                    remove(path)
        except Exception:
            transaction.rollback()
            logger.error(
                "the replies of the mail server are not stored",
                exc_info=True)
            return ['queued']
        return WAITING

    def _store(self, values):
        """Store what became of the mail that is not sent, and return if it
        was still claimed."""
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = self.__table__()
        has_ended = values['state'] not in WAITING
        if has_ended:
            tools.begin()
            self.before_end([self])
        cursor.execute(*table.update(
                [*(Column(table, name) for name in values),
                    table.write_date],
                [*values.values(), CurrentTimestamp()],
                where=(table.id == self.id) & (table.state == 'sending')
                & (table.attempts == self.attempts)))
        is_stored = cursor.rowcount > 0
        if has_ended:
            self.on_end([self])
        transaction.commit()
        return is_stored

    @classmethod
    def before_end(cls, mails):
        """Hook called in the transaction that is about to store that the mails
        do not leave"""

    @classmethod
    def on_end(cls, mails):
        """Hook called once the server has accepted the mails, or in the
        transaction that stores that it has refused them or that they do not
        leave"""

    def _get_outdated(self):
        "Return the reason why the mail must not leave any more, or None"
