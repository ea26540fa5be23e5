# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import logging
import time
from contextlib import suppress
from email.utils import parseaddr
from functools import cache
from itertools import islice

from sql import Column
from sql.conditionals import Coalesce
from sql.functions import CurrentTimestamp

import trytond.config as config
from trytond import backend
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.sendmail import get_smtp_server
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..notify import one_line
from .claim import BATCH, LEASE
from .mail import WAITING
from .server import (
    Delayed, Interrupted, MailServer, Refused, Unavailable, exception_words,
    server_uri)

logger = logging.getLogger(__name__)

# The delays before the second attempt, the third…
DELAYS = [dt.timedelta(minutes=m) for m in [1, 5, 15, 60, 240]]
# The time after which the scheduled action leaves the rest to the next time
DURATION = dt.timedelta(minutes=10)
# The seconds to wait for the database to store what has been done
RECORD_WAITS = [1, 2, 4, 8, 16, 30]
INLINE = 20
# The mails of which the messages are in memory
CHUNK = 50


class Mail(metaclass=PoolMeta):
    __name__ = 'training.mail'

    @classmethod
    def queue(cls, mails):
        "Deliver the mails once the transaction is committed"
        mails = list(mails)
        if not mails or not cls.is_live():
            return
        if not config.getboolean('queue', 'worker', default=False):
            # The user waits for these, the cron sends the others
            mails = mails[:INLINE]
        with Transaction().set_context(queue_batch=BATCH):
            cls.__queue__.deliver_queued(mails)

    @classmethod
    @ModelView.button
    def deliver(cls, mails):
        failed = [m for m in mails if m.state == 'failed']
        for sub_mails in grouped_slice(failed, BATCH):
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
        for sub_mails in grouped_slice(mails, BATCH):
            ids = [m.id for m in sub_mails]
            if not cls._deliver(cls._claim(ids)):
                break

    @classmethod
    def deliver_due(cls):
        """Deliver the mails that wait and those a crash left half-way, then
        archive the sent ones that could not be.

        What is left after a while, or when the server takes no mails, is
        for the next time."""
        until = tools.now() + DURATION
        while tools.now() < until and (claimed := cls._claim()):
            if not cls._deliver(claimed, until):
                break
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

    @classmethod
    def _deliver(cls, claimed, until=None):
        """Give the claimed mails to the server over one connection, commit
        what it answers for each of them and return if it takes more.

        The mails that are left after until wait for the next time."""
        transaction = Transaction()
        server = MailServer(cls._connect)
        try:
            # A statement for each mail is a transaction
            with transaction.new_transaction(autocommit=True):
                failed, unavailable = cls._give(server, claimed, until)
        finally:
            server.close()
        cls._archive(claimed)
        cls.notify_failed(cls.browse(failed))
        cls._notify_unavailable(cls.browse(unavailable))
        transaction.commit()
        if failed:
            cls.on_failed(cls.browse(failed))
            transaction.commit()
        return server.available

    @classmethod
    def _give(cls, server, claimed, until):
        """Give the claimed mails to the server and return the ids of those
        that failed and of those that wait because of the server."""
        left, failed, unavailable, mails = dict(claimed), [], [], {}
        kept_at = tools.now()
        while left:
            now = tools.now()
            if until and now >= until:
                cls._release(left)
                break
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
            mail._store(values, following=mails.get(next(iter(left), None)))
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
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        rows = cls.read(list(claimed), [
                'from_', 'to', 'message', 'retry_until', 'unavailable_since',
                'reminder', 'letter', 'case'])
        letters = {
            row['id']: Letter(**row) for row in Letter.read(
                list({r['letter'] for r in rows if r['letter']}),
                ['case_states'])}
        for row in rows:
            row['letter'] = letters.get(row['letter'])
            row['attempts'] = claimed[row['id']]
            row['state'] = None
        return {row['id']: cls(**row) for row in rows}

    def _refresh(self):
        "Read if the mail is still claimed, and the state of its case"
        cursor = Transaction().connection.cursor()
        cursor.execute(self._facts_query(), self._facts_parameters())
        self._set_facts(*(cursor.fetchone() or [None]))

    def _set_facts(self, case_state):
        self.state = '' if case_state is None else 'sending'
        if self.case:
            self.case.state = case_state

    @classmethod
    @cache
    def _facts_query(cls):
        # It takes longer to make the text than to execute it
        return str(cls._facts())

    @classmethod
    def _facts(cls):
        """Return the query of the state of the case of a claimed mail, empty
        if it has no case."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        table, case = cls.__table__(), Case.__table__()
        return table.join(case, 'LEFT', condition=table.case == case.id
            ).select(Coalesce(case.state, ''),
            where=(table.id == 0)
            & (table.state == 'sending')
            & (table.attempts == 0))

    def _facts_parameters(self):
        return ['', self.id, 'sending', self.attempts]

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
            sender, recipient = parseaddr(self.from_)[1], self.to
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

    def _store(self, values, following=None):
        """Store what became of the mail, if need be once the database answers
        again: the server does not take back its words.

        The facts of the following mail are read by the same statement."""
        transaction = Transaction()
        try:
            self._write_values(values, following)
        except backend.DatabaseOperationalError:
            logger.warning("mail %s recorded later", self.id, exc_info=True)
            with suppress(backend.DatabaseOperationalError):
                transaction.rollback()
            for wait in RECORD_WAITS:
                time.sleep(wait)
                try:
                    with transaction.new_transaction():
                        self._write_values(values)
                    break
                except backend.DatabaseOperationalError:
                    continue
            else:
                raise

    def _write_values(self, values, following=None):
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        if not transaction.database.has_returning():
            following = None
        is_sent = values['state'] == 'sent'
        parameters = [*values.values(), self.id]
        parameters += ['sent'] if is_sent else ['sending', self.attempts]
        if following:
            parameters += following._facts_parameters()
        cursor.execute(
            self._write_query(tuple(values), is_sent, bool(following)),
            parameters)
        rows = cursor.fetchall() if following else []
        transaction.commit()
        for row in rows:
            following._set_facts(*row)

    @classmethod
    @cache
    def _write_query(cls, names, is_sent, with_following):
        table = cls.__table__()
        where = table.id == 0
        if is_sent:
            # Whoever has the mail now, it has left
            where &= table.state != 'sent'
        else:
            where &= (table.state == 'sending') & (table.attempts == 0)
        return str(table.update(
                [*(Column(table, name) for name in names), table.write_date],
                [*names, CurrentTimestamp()], where=where,
                returning=[cls._facts()] if with_following else None))

    def _get_outdated(self):
        "Return the reason why the mail must not leave any more, or None"
        if (self.letter and self.case and self.letter.case_states
                and self.case.state not in self.letter.case_states):
            return gettext(
                'training_abandon.msg_mail_outdated',
                state=self.case.state_string)


class Cron(metaclass=PoolMeta):
    __name__ = 'ir.cron'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.extend([
                ('training.mail|deliver_due', "Deliver Training Mails"),
                ])
