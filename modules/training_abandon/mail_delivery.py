# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import logging
import time
from collections import defaultdict
from contextlib import suppress
from email import message_from_bytes, policy
from email.utils import parseaddr
from functools import cache
from itertools import islice

from sql import Column, Null
from sql.conditionals import Coalesce
from sql.functions import CurrentTimestamp

import trytond.config as config
from trytond import backend
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.sendmail import get_smtp_server
from trytond.tools import grouped_slice
from trytond.transaction import Transaction
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .case_owner import one_line
from .exceptions import MailStorageError
from .mail import WAITING, HoldNoticeMixin, check_address
from .mail_server import (
    Delayed, Interrupted, MailServer, Refused, Unavailable, exception_words,
    server_uri)

logger = logging.getLogger(__name__)

# The time after which a mail that was being sent by a process that does not
# say any more whether it was may be taken by another one
LEASE = dt.timedelta(minutes=15)
# The delays before the second attempt, the third…
DELAYS = [dt.timedelta(minutes=m) for m in [1, 5, 15, 60, 240]]
# The time after which the scheduled action leaves the rest to the next time
DURATION = dt.timedelta(minutes=10)
# The seconds to wait for the database to store what has been done
RECORD_WAITS = [1, 2, 4, 8, 16, 30]
INLINE = 20
BATCH = 200
# The mails of which the messages are in memory
CHUNK = 50
# The most mails listed in a notification
NOTIFIED = 10


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
        until = cls._now() + DURATION
        while cls._now() < until and (claimed := cls._claim()):
            if not cls._deliver(claimed, until):
                break
        cls._archive_left(until)

    @classmethod
    def _archive_left(cls, until):
        "Archive the sent mails that are not, once each"
        last = 0
        while cls._now() < until:
            mails = cls.search([
                    ('id', '>', last),
                    ('state', '=', 'sent'),
                    ('email', '=', None),
                    ('message_id', '!=', None),
                    ], order=[('id', 'ASC')], limit=BATCH)
            if not mails:
                break
            last = mails[-1].id
            cls._archive([m.id for m in mails])

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
    @ModelView.button_action('training_abandon.wizard_mail_readdress')
    def send_elsewhere(cls, mails):
        pass

    def readdress(self, to):
        """Queue the same letter for another address in the place of this
        mail, that failed or bounced, and return the new mail."""
        self.lock()
        if self.state != 'failed' and (
                not self.bounced_at or self.replaced_by):
            raise AccessError(gettext(
                    'training_abandon.msg_mail_readdress_state',
                    mail=self.rec_name))
        if reason := self._get_outdated():
            raise AccessError(reason)
        if not self.message:
            raise MailStorageError(gettext(
                    'training_abandon.msg_mail_message_unreadable'))
        # An identifier too long for a line would be encoded
        message = message_from_bytes(
            self.message, policy=policy.SMTP.clone(max_line_length=998))
        for name in ['To', 'Date', 'Message-ID']:
            del message[name]
        name = self.party.name if self.party else ''
        message.set_raw('To', self._address(name, to))
        self._stamp(message)
        mail, = self.copy([self], default={
                'to': to,
                'state': 'queued',
                **self.message_values(message),
                })
        self.write([self], {'replaced_by': mail.id})
        self.cancel([self])
        self.queue([mail])
        return mail

    @classmethod
    def _claim(cls, ids=None):
        """Take the mails that wait for this process alone, commit and return
        their ids with the number of the attempt.

        Without ids, take those whose next attempt is due."""
        transaction = Transaction()
        if not cls.is_live():
            return {}
        database = transaction.database
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        now = cls._now()
        due = (table.next_attempt == Null) | (table.next_attempt <= now)
        if ids is not None:
            due |= table.state == 'queued'
        where = table.state.in_(WAITING) & due
        if ids is not None:
            where &= fields.SQL_OPERATORS['in'](table.id, ids)
        query = table.select(
            table.id, table.attempts + 1, where=where,
            order_by=[table.next_attempt.asc.nulls_first, table.id.asc],
            limit=BATCH)
        if database.has_select_for():
            For = database.get_select_for_skip_locked()
            query.for_ = For('UPDATE')
        cls._begin()
        cursor.execute(*query)
        claimed = dict(cursor)
        if claimed:
            cursor.execute(*table.update(
                    [table.state, table.attempts, table.next_attempt],
                    ['sending', table.attempts + 1, now + LEASE],
                    where=fields.SQL_OPERATORS['in'](
                        table.id, list(claimed))))
        transaction.commit()
        return claimed

    @classmethod
    def _begin(cls):
        "Lock the database that has no lock on rows, as its first change does"
        transaction = Transaction()
        if not transaction.database.has_select_for():
            table = cls.__table__()
            transaction.connection.cursor().execute(*table.update(
                    [table.attempts], [table.attempts],
                    where=table.id == Null))

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
    def on_failed(cls, mails):
        "Hook called once the mails have failed or bounced"

    @classmethod
    def _give(cls, server, claimed, until):
        """Give the claimed mails to the server and return the ids of those
        that failed and of those that wait because of the server."""
        left, failed, unavailable, mails = dict(claimed), [], [], {}
        kept_at = cls._now()
        while left:
            now = cls._now()
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

    @classmethod
    def _keep(cls, claimed):
        "Keep the claimed mails for another while"
        cls._update(claimed, {'next_attempt': cls._now() + LEASE})

    @classmethod
    def _release(cls, claimed):
        "Leave the claimed mails to another process"
        cls._update(claimed, {'state': 'queued', 'next_attempt': None})

    @classmethod
    def _update(cls, claimed, values):
        """Write the values on the claimed mails that no other process has
        taken meanwhile, and commit."""
        table = cls.__table__()
        by_attempt = defaultdict(list)
        for id_, attempt in claimed.items():
            by_attempt[attempt].append(id_)
        cls._write(values, *(
                fields.SQL_OPERATORS['in'](table.id, ids)
                & (table.state == 'sending')
                & (table.attempts == attempt)
                for attempt, ids in by_attempt.items()), table=table)

    @classmethod
    def _write(cls, values, *wheres, table):
        # The ORM would read each of the mails again
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        columns = [Column(table, name) for name in values]
        for where in wheres:
            cursor.execute(*table.update(
                    [*columns, table.write_date],
                    [*values.values(), CurrentTimestamp()], where=where))
        transaction.commit()

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
            'sent_at': self._now(),
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
            values['failed_at'] = cls._now()
        return values

    def _delay(self, exception):
        "Return the values of the mail that is to be tried again, or given up"
        pool = Pool()
        Configuration = pool.get('training.configuration')
        now, words, until = self._now(), str(exception), self.retry_until
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

    @classmethod
    def notify_failed(cls, mails):
        "Tell the owners of the cases which mails have failed, and why"
        mails = [m for m in mails if m.state == 'failed' or m.bounced_at]

        def describe(cases):
            return (
                gettext('training_abandon.msg_mail_failed'),
                cls._describe(mails, cases))

        cls._notify_owners(mails, describe)

    @classmethod
    def _notify_unavailable(cls, mails):
        """Tell the owners of the cases since when the server takes no mails,
        unless another of their mails already waits for it."""
        pool = Pool()
        Lang = pool.get('ir.lang')
        mails = [m for m in mails if m.unavailable_since]
        if not mails:
            return
        told = cls._told_unavailable(mails)
        earliest = cls.search([
                ('state', 'in', WAITING),
                ('unavailable_since', '!=', None),
                ], order=[('unavailable_since', 'ASC')], limit=1)
        since = min(m.unavailable_since for m in [*mails, *earliest])

        def describe(cases):
            return (
                gettext('training_abandon.msg_mail_unavailable',
                    since=Lang.get().strftime(
                        cases[0].local_datetime(since), '%x %H:%M')),
                cls._describe(mails, cases))

        cls._notify_owners(
            [m for m in mails if m.case and m.case.owner not in told],
            describe)

    @classmethod
    def _told_unavailable(cls, mails):
        "Return the owners who have other mails that wait for the server"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Employee = pool.get('company.employee')
        cursor = Transaction().connection.cursor()
        table, case = cls.__table__(), Case.__table__()
        cursor.execute(*table
            .join(case, condition=case.id == table.case)
            .select(case.owner,
                where=table.state.in_(WAITING)
                & (table.unavailable_since != Null)
                & ~fields.SQL_OPERATORS['in'](
                    table.id, [m.id for m in mails]),
                group_by=[case.owner]))
        return {id_ and Employee(id_) for id_, in cursor}

    @classmethod
    def _notify_owners(cls, mails, describe):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cases = list(dict.fromkeys(m.case for m in mails if m.case))
        if cases:
            Case.notify_owners(cases, describe)

    @classmethod
    def _describe(cls, mails, cases):
        "Return the words about the mails of the cases"
        lines = [
            f'{m.case.rec_name}, {m.to}: {m.bounce_reason or m.smtp_reply}'
            for m in mails if m.case in cases]
        if len(lines) > NOTIFIED:
            lines[NOTIFIED:] = ['…']
        return ' · '.join(lines)


class Readdress(Wizard):
    __name__ = 'training.mail.readdress'

    start = StateView(
        'training.mail.readdress.start',
        'training_abandon.mail_readdress_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Send", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        return {
            'to': (self.record.party.reachable_email
                if self.record.party else None),
            }

    def transition_apply(self):
        check_address(self.start.to, self.record.party)
        self.record.readdress(self.start.to.strip())
        return 'end'


class ReaddressStart(HoldNoticeMixin, ModelView):
    __name__ = 'training.mail.readdress.start'

    to = fields.Char("To", required=True)


class Cron(metaclass=PoolMeta):
    __name__ = 'ir.cron'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.extend([
                ('training.mail|deliver_due', "Deliver Training Mails"),
                ])
