# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import logging
import smtplib
from email import message_from_bytes, policy
from email.utils import parseaddr

from sql import Null

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.sendmail import get_smtp_server
from trytond.tools import grouped_slice
from trytond.tools.email_ import convert_ascii_email
from trytond.transaction import Transaction
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .mail import check_address

logger = logging.getLogger(__name__)

# The time after which a mail that was being sent by a process that does not
# say any more whether it was may be taken by another one
LEASE = dt.timedelta(minutes=15)
INLINE = 20
BATCH = 200


class ServerUnreachable(Exception):
    pass


class Mail(metaclass=PoolMeta):
    __name__ = 'training.mail'

    @classmethod
    def queue(cls, mails):
        "Deliver the mails once the transaction is committed"
        mails = list(mails)
        if not mails:
            return
        if not config.getboolean('queue', 'worker', default=False):
            # The user waits for these, the cron sends the others
            mails = mails[:INLINE]
        with Transaction().set_context(queue_batch=BATCH):
            cls.__queue__.deliver(mails)

    @classmethod
    @ModelView.button
    def deliver(cls, mails):
        for sub_mails in grouped_slice(mails, BATCH):
            cls._deliver(cls._claim(
                    ['queued', 'failed'], [m.id for m in sub_mails]))

    @classmethod
    def deliver_due(cls):
        """Deliver the mails that wait and those a crash left half-way, then
        archive the sent ones that could not be."""
        while ids := cls._claim(['queued']):
            cls._deliver(ids)
        cls._archive([m.id for m in cls.search([
                        ('state', '=', 'sent'),
                        ('email', '=', None),
                        ('message_id', '!=', None),
                        ], order=[('id', 'ASC')], limit=BATCH)])

    @classmethod
    @ModelView.button
    def cancel(cls, mails):
        cls.write([
                m for m in mails if m.state in {'draft', 'queued', 'failed'}],
            {'state': 'cancelled'})

    @classmethod
    @ModelView.button_action('training_abandon.wizard_mail_readdress')
    def send_elsewhere(cls, mails):
        pass

    def readdress(self, to):
        """Queue the same letter for another address in the place of this
        mail, that failed, and return the new mail."""
        self.lock()
        if self.state != 'failed':
            raise AccessError(gettext(
                    'training_abandon.msg_mail_readdress_state',
                    mail=self.rec_name))
        if reason := self._get_outdated():
            raise AccessError(reason)
        message = message_from_bytes(self.message, policy=policy.SMTP)
        for name in ['To', 'Date', 'Message-ID']:
            del message[name]
        name = self.party.name if self.party else ''
        message.set_raw('To', self._address(name, to))
        self._stamp(message)
        mail, = self.copy([self], default={
                'to': to,
                'message': self._get_bytes(message),
                'message_id': message['Message-ID'],
                'state': 'queued',
                })
        self.cancel([self])
        self.queue([mail])
        return mail

    @classmethod
    def _claim(cls, states, ids=None):
        """Take the mails in these states for this process alone, commit and
        return their ids with the number of the attempt."""
        transaction = Transaction()
        database = transaction.database
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        now = cls._now()
        where = (
            (table.state.in_(states)
                & ((table.next_attempt == Null)
                    | (table.next_attempt <= now)))
            | ((table.state == 'sending') & (table.next_attempt <= now)))
        if ids is not None:
            where &= fields.SQL_OPERATORS['in'](table.id, ids)
        query = table.select(
            table.id, table.attempts + 1, where=where,
            order_by=[table.id.asc], limit=BATCH)
        if database.has_select_for():
            For = database.get_select_for_skip_locked()
            query.for_ = For('UPDATE')
        else:
            # SQLite locks the database at the first change
            cursor.execute(*table.update(
                    [table.attempts], [table.attempts],
                    where=table.id == Null))
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

    def _keep(self, attempt):
        """Keep the mail claimed for that attempt for another while and
        return if nobody else has taken it meanwhile."""
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = self.__table__()
        where = (
            (table.id == self.id)
            & (table.state == 'sending')
            & (table.attempts == attempt))
        cursor.execute(*table.update(
                [table.next_attempt], [self._now() + LEASE], where=where))
        cursor.execute(*table.select(table.id, where=where))
        kept = bool(cursor.fetchone())
        transaction.commit()
        return kept

    @classmethod
    def _deliver(cls, claimed):
        """Give the claimed mails to the server over one connection and
        commit what it answers for each of them."""
        transaction = Transaction()
        server = unreachable = None
        for mail in cls.browse(list(claimed)):
            if not mail._keep(claimed[mail.id]):
                continue
            if reason := mail._get_outdated():
                values = {'state': 'cancelled', 'smtp_reply': reason}
            elif unreachable:
                values = {'state': 'failed', 'smtp_reply': unreachable}
            else:
                try:
                    if server is None:
                        server = cls._connect()
                    reply = mail._transmit(server)
                except ServerUnreachable as exception:
                    # Each of the other mails would wait as long
                    unreachable = _reply_text(exception.__cause__)
                    values = {'state': 'failed', 'smtp_reply': unreachable}
                except Exception as exception:
                    # One mail must not keep the others from leaving
                    logger.info("mail %s failed", mail.id, exc_info=True)
                    values = {
                        'state': 'failed',
                        'smtp_reply': _reply_text(exception),
                        }
                    if not isinstance(exception, smtplib.SMTPResponseException
                            ) or exception.smtp_code == 421:
                        server = cls._quit(server)
                else:
                    values = {
                        'state': 'sent',
                        'smtp_reply': reply,
                        'sent_at': cls._now(),
                        }
            cls.write([mail], {'next_attempt': None, **values})
            transaction.commit()
        cls._quit(server)
        cls._archive(claimed)

    @classmethod
    def _connect(cls):
        try:
            server = get_smtp_server(strict=True)
            server.ehlo_or_helo_if_needed()
        except (smtplib.SMTPException, OSError) as exception:
            raise ServerUnreachable() from exception
        return server

    @classmethod
    def _quit(cls, server):
        if server is not None:
            try:
                server.quit()
            except (smtplib.SMTPException, OSError):
                pass

    def _get_outdated(self):
        "Return the reason why the mail must not leave any more, or None"
        if (self.letter and self.case and self.letter.case_states
                and self.case.state not in self.letter.case_states):
            return gettext(
                'training_abandon.msg_mail_outdated',
                state=self.case.state_string)

    def _transmit(self, server):
        """Give the message to the server and return its reply.

        smtplib's own send_message hides partial refusals and drops the
        reply that is the proof."""
        sender = parseaddr(self.from_)[1]
        code, reply = server.mail(sender)
        if code != 250:
            server.rset()
            raise smtplib.SMTPSenderRefused(code, reply, sender)
        code, reply = server.rcpt(convert_ascii_email(self.to))
        if code not in {250, 251}:
            server.rset()
            raise smtplib.SMTPResponseException(code, reply)
        code, reply = server.data(self.message)
        if code != 250:
            server.rset()
            raise smtplib.SMTPDataError(code, reply)
        return _reply(code, reply)

    @classmethod
    def _archive(cls, ids):
        """Archive the sent mails on ir.email.

        The reply of the server is committed before: what is sent stays so
        even if it cannot be archived yet."""
        transaction = Transaction()
        for mail in cls.browse(list(ids)):
            if mail.state != 'sent' or mail.email:
                continue
            try:
                cls.write([mail], {'email': mail._create_email().id})
                cls.on_sent([mail])
                transaction.commit()
            except Exception:
                logger.error("mail %s not archived", mail.id, exc_info=True)
                transaction.rollback()

    @classmethod
    def on_sent(cls, mails):
        "Hook called once the server has accepted the mails"

    def _create_email(self):
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Email = pool.get('ir.email')
        message = message_from_bytes(self.message, policy=policy.SMTP)
        email = Email.from_message(
            message, body=self.body, resource=self._email_resource(),
            training_mail=self)
        email.save()
        Attachment.save([
                Attachment(
                    resource=email,
                    name=part.get_filename(),
                    data=part.get_content())
                for part in message.iter_attachments()])
        return email

    def _email_resource(self):
        return self.case or self


def _reply(code, text):
    if isinstance(text, bytes):
        text = text.decode('utf-8', errors='replace')
    return ' '.join(f'{code} {text}'.split())


def _reply_text(exception):
    "Return the words of the server, or of the system that did not reach it"
    if isinstance(exception, smtplib.SMTPResponseException):
        return _reply(exception.smtp_code, exception.smtp_error)
    return ' '.join(str(exception).split()) or exception.__class__.__name__


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
            'to': self.record.party.email if self.record.party else None,
            }

    def transition_apply(self):
        check_address(self.start.to, self.record.party)
        self.record.readdress(self.start.to.strip())
        return 'end'


class ReaddressStart(ModelView):
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
