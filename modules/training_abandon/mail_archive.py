# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import logging
from email import message_from_bytes, policy

from sql import Column
from sql.functions import CurrentTimestamp

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .case_owner import one_line

logger = logging.getLogger(__name__)

CHUNK = 50


class Mail(metaclass=PoolMeta):
    __name__ = 'training.mail'

    @classmethod
    def _archive(cls, ids, size=CHUNK):
        """Archive the sent mails on ir.email.

        The reply of the server is committed before: what is sent stays so
        even if it cannot be archived yet."""
        transaction = Transaction()
        for sub_ids in grouped_slice(list(ids), size):
            sub_ids = list(sub_ids)
            try:
                cls._begin()
                mails = cls.search([
                        ('id', 'in', sub_ids),
                        ('state', '=', 'sent'),
                        ('email', '=', None),
                        ], order=[])
                if mails:
                    cls._create_emails(mails)
                transaction.commit()
            except Exception:
                transaction.rollback()
                if len(sub_ids) > 1:
                    cls._archive(sub_ids, size=1)
                else:
                    logger.error(
                        "mail %s not archived", sub_ids[0], exc_info=True)

    @classmethod
    def on_sent(cls, mails):
        "Hook called once the server has accepted the mails"

    @classmethod
    def _create_emails(cls, mails):
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Email = pool.get('ir.email')
        attachments = {
            m.id: parts for m in mails if (parts := m._attachments())}
        cls._insert_emails(mails)
        Attachment.save([
                Attachment(
                    resource=email,
                    name=part.get_filename(),
                    data=part.get_content())
                for email in Email.search([
                        ('training_mail', 'in', list(attachments)),
                        ])
                for part in attachments[email.training_mail.id]])
        cls.on_sent(mails)

    @classmethod
    def _insert_emails(cls, mails):
        """Create the emails of the mails and link them.

        The ORM takes as much time for it as the server for the mails."""
        pool = Pool()
        Address = pool.get('ir.email.address')
        Email = pool.get('ir.email')
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        mail, email = cls.__table__(), Email.__table__()
        address = Address.__table__()
        where = fields.SQL_OPERATORS['in'](mail.id, [m.id for m in mails])
        rows = [m._email_values() for m in mails]
        cursor.execute(*email.insert(
                [email.create_uid, email.create_date,
                    *(Column(email, name) for name in rows[0])],
                [[transaction.user, CurrentTimestamp(), *row.values()]
                    for row in rows]))
        cursor.execute(*address.insert(
                [address.create_uid, address.create_date, address.email,
                    address.address],
                mail.join(email,
                    condition=email.training_mail == mail.id
                    ).select(
                    email.create_uid, email.create_date, email.id, mail.to,
                    where=where)))
        cursor.execute(*mail.update(
                [mail.email],
                [email.select(
                        email.id, where=email.training_mail == mail.id)],
                where=where))

    def _email_values(self):
        "Return the values of the email that archives the mail"
        recipient = self.to
        if self.party and self.party.name:
            recipient = f'{one_line(self.party.name)} <{recipient}>'
        return {
            'training_mail': self.id,
            'recipients': recipient,
            'subject': self.subject,
            'body': self.body,
            'message_id': self.message_id,
            'resource': str(self._email_resource()),
            }

    def _email_resource(self):
        return self.case or self

    def _attachments(self):
        "Return the parts of the message that are attachments"
        # Few have some, and the others take long to parse
        headers, _, _ = self.message.partition(b'\r\n\r\n')
        if b'multipart/mixed' not in headers:
            return []
        message = message_from_bytes(self.message, policy=policy.SMTP)
        if message.get_content_type() != 'multipart/mixed':
            return []
        return list(message.iter_attachments())
