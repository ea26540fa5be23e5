# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import logging
import time
from contextlib import contextmanager, suppress
from email.utils import parseaddr
from functools import cache, lru_cache
from itertools import islice

from sql import Column, Literal
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
from .archive import CHUNK
from .claim import LEASE, WAITING
from .prepared import Parameter, Prepared
from .server import (
    Delayed, Interrupted, MailServer, Refused, Unavailable, exception_words,
    server_uri)

logger = logging.getLogger(__name__)

# The delays before the second attempt, the third…
DELAYS = [dt.timedelta(minutes=m) for m in [1, 5, 15, 60, 240]]
# The time after which the scheduled action leaves the rest to the next time
DURATION = dt.timedelta(minutes=10)
# The time that what follows from a mail accepted may wait for the other mails
END_WAIT = dt.timedelta(seconds=5)
# The seconds to wait for the database to store what has been done
RECORD_WAITS = [1, 2, 4, 8, 16, 30]
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
            cls.deliver_queued(mails)
        elif waiting := [m for m in mails if m.state in WAITING]:
            cls.notify_user(
                waiting, 'tryton-warning',
                gettext('training_abandon.msg_mail_held'),
                one_line(cls._hold_reason()))

    @classmethod
    def deliver_queued(cls, mails):
        "Deliver the mails that wait, even for another attempt"
        cls._deliver_batches(
            cls._claim([m.id for m in sub_mails])
            for sub_mails in grouped_slice(mails, tools.BATCH))

    @classmethod
    def deliver_due(cls):
        """Deliver the mails that wait and those a crash left half-way, then
        archive the sent ones that could not be.

        What is left after a while, or when the server takes no mails, is
        for the next time."""
        until = tools.now() + DURATION

        def claim():
            while tools.now() < until and (claimed := cls._claim()):
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
        server = MailServer(cls._connect)
        try:
            # A statement for each mail is a transaction
            with transaction.new_transaction(autocommit=True), \
                    cls._stored() as unsure:
                failed, unavailable = cls._give(
                    server, claimed, until, unsure)
        finally:
            server.close()
        cls.notify_failed(cls.browse(failed))
        if unavailable:
            cls.on_unavailable(cls.browse(unavailable))
        transaction.commit()
        if failed:
            cls.on_failed(cls.browse(failed))
            transaction.commit()
        return server.available

    @classmethod
    def _give(cls, server, claimed, until, unsure):
        """Give the claimed mails to the server and return the ids of those
        that failed and of those that wait because of the server.

        unsure is the list of what may not be on the disk yet."""
        left, failed, unavailable, mails = dict(claimed), [], [], {}
        kept_at = ended_at = tools.now()
        while left:
            now = tools.now()
            if until and now >= until:
                cls._release(left)
                break
            if now >= ended_at + END_WAIT:
                cls._end_sent(claimed)
                ended_at = now = tools.now()
                # It may have waited: what was read of the others is old
                for mail in mails.values():
                    mail.state = None
            if now >= kept_at + LEASE / 3:
                cls._keep(left)
                kept_at = now
            id_ = next(iter(left))
            if id_ not in mails:
                mails = cls._read_claimed(dict(islice(left.items(), CHUNK)))
            del left[id_]
            mail = mails[id_]
            if mail.state is None:
                mail._refresh()
            if mail.state != 'sending':
                continue
            known = mail.unavailable_since
            values = mail._attempt(server)
            mail._store(
                values, unsure, following=mails.get(next(iter(left), None)))
            if values['state'] == 'failed':
                failed.append(id_)
            elif values['state'] == 'sent' and unavailable:
                cls._set_available(unavailable)
                unavailable.clear()
            elif values.get('unavailable_since') and not known:
                unavailable.append(id_)
        return failed, unavailable

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
        return {row['id']: cls(**row) for row in rows}

    @classmethod
    def _claimed_fields(cls):
        "Return the names of the fields that the delivery reads"
        return [
            'from_', 'to', 'message', 'retry_until', 'unavailable_since']

    def _refresh(self):
        "Read if the mail is still claimed, and the state of its subject"
        cursor = Transaction().connection.cursor()
        self._claimed_query().execute(
            cursor, claimed_id=self.id, claimed_attempts=self.attempts)
        self._set_claimed(*(cursor.fetchone() or [None]))

    def _set_claimed(self, subject_state):
        self.state = '' if subject_state is None else 'sending'
        self.set_subject_state(subject_state)

    @classmethod
    @cache
    def _claimed_query(cls):
        return Prepared(cls._select_claimed('claimed'))

    @classmethod
    def _select_claimed(cls, prefix):
        """Return the query of the state of what a claimed mail is about: it
        has no row once another process has the mail.

        The names of its parameters begin with prefix."""
        table = cls.__table__()
        return table.select(
            cls.sql_subject_state(table),
            where=cls._is_claimed(table, prefix))

    @classmethod
    def _is_claimed(cls, table, prefix):
        return (
            (table.id == Parameter(f'{prefix}_id'))
            & (table.state == 'sending')
            & (table.attempts == Parameter(f'{prefix}_attempts')))

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

    def _store(self, values, unsure, following=None):
        """Store what became of the mail, if need be once the database answers
        again: the server does not take back its words.

        The same statement reads if the following mail is still claimed.
        What is stored without waiting for the disk is added to unsure."""
        try:
            is_sure = self._write_values(values, following)
        except backend.DatabaseOperationalError:
            logger.warning("mail %s recorded later", self.id, exc_info=True)
            self._store_again([*unsure, (self, values)])
            is_sure = True
        if is_sure:
            unsure.clear()
        else:
            unsure.append((self, values))

    @classmethod
    @contextmanager
    def _stored(cls):
        """Yield the list of the mails with the values that are stored and may
        not be on the disk yet; at the end all of them are."""
        unsure = []
        try:
            yield unsure
        except Exception:
            if unsure:
                with suppress(backend.DatabaseOperationalError):
                    Transaction().rollback()
            raise
        finally:
            if unsure:
                cls._wait_for_disk(unsure)

    @classmethod
    def _wait_for_disk(cls, unsure):
        transaction = Transaction()
        try:
            tools.lock(cls, [unsure[-1][0]])
            transaction.commit()
        except backend.DatabaseOperationalError:
            # The database that has stopped may have lost them
            logger.warning("mails recorded again", exc_info=True)
            cls._store_again(unsure)

    @classmethod
    def _store_again(cls, lost):
        "Store the values of the mails once the database answers again"
        transaction = Transaction()
        with suppress(backend.DatabaseOperationalError):
            transaction.rollback()
        for wait in RECORD_WAITS:
            time.sleep(wait)
            try:
                with transaction.new_transaction():
                    for mail, values in lost:
                        mail._write_values(values)
                break
            except backend.DatabaseOperationalError:
                if wait == RECORD_WAITS[-1]:
                    raise

    def _write_values(self, values, following=None):
        """Store the values and return if they, and all that was stored
        before, are on the disk.

        When it is followed by another one, what is sent does not wait for
        the disk."""
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        if not transaction.database.has_returning():
            following = None
        parameters = {
            **values,
            'claimed_id': self.id,
            'claimed_attempts': self.attempts,
            }
        if following:
            parameters.update(
                following_id=following.id,
                following_attempts=following.attempts)
        is_sent = values['state'] == 'sent'
        # What follows from those sent is stored for many at once
        has_ended = not is_sent and values['state'] not in WAITING
        if has_ended:
            tools.begin()
            self.before_end([self])
        self._store_query(tuple(values), is_sent, bool(following)
            ).execute(cursor, **parameters)
        rows = cursor.fetchall() if following else []
        is_stored = cursor.rowcount > 0
        if has_ended:
            self.on_end([self])
        transaction.commit()
        for subject_state, *_ in rows:
            following._set_claimed(subject_state)
        return tools.without_disk() is None or (
            is_stored and not (is_sent and following))

    @classmethod
    def before_end(cls, mails):
        """Hook called in the transaction that is about to store that the mails
        do not leave"""

    @classmethod
    def on_end(cls, mails):
        """Hook called once the server has accepted the mails, or in the
        transaction that stores that it has refused them or that they do not
        leave"""

    @classmethod
    @cache
    def _store_query(cls, names, is_sent, with_following):
        """Return the query that stores the values of the names on a claimed
        mail and, with following, returns what _refresh would read of it."""
        table = cls.__table__()
        if is_sent:
            # Whoever has the mail now, it has left
            where = (
                (table.id == Parameter('claimed_id'))
                & (table.state != 'sent'))
        else:
            where = cls._is_claimed(table, 'claimed')
        returning = None
        if with_following:
            returning = [cls._select_claimed('following')]
            if is_sent and (without_disk := tools.without_disk()) is not None:
                returning.append(without_disk)
        return Prepared(table.update(
                [*(Column(table, name) for name in names), table.write_date],
                [*map(Parameter, names), CurrentTimestamp()], where=where,
                returning=returning))

    def _get_outdated(self):
        "Return the reason why the mail must not leave any more, or None"
