# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email import message_from_bytes, policy

from sql import Cast, Literal, Null, Select
from sql.conditionals import Coalesce
from sql.functions import CurrentTimestamp
from sql.operators import Concat

from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools

logger = logging.getLogger(__name__)

# The mails of which the messages are in memory
CHUNK = 50
# How often what follows from the mails sent is tried at once
END_TRIES = 3


class ArchiveMixin:
    "Mails that are archived as emails once they are sent"
    __slots__ = ()

    @classmethod
    def _archive_left(cls, until):
        "Archive the sent mails that are not, once each"
        last = 0
        while tools.now() < until:
            mails = cls.search([
                    ('id', '>', last),
                    ('state', '=', 'sent'),
                    ('email', '=', None),
                    ('message_id', '!=', None),
                    ], order=[('id', 'ASC')], limit=tools.BATCH)
            if not mails:
                break
            last = mails[-1].id
            cls._archive([m.id for m in mails])

    @classmethod
    @contextmanager
    def _archive_beside(cls, ids):
        """Archive the sent mails while something else is done, if two
        transactions may write at once, or before."""
        transaction = Transaction()
        if not ids or not transaction.database.has_select_for():
            cls._archive(ids)
            yield
            return
        with ThreadPoolExecutor(1) as executor:
            archived = executor.submit(
                cls._archive_alone, ids, transaction.database.name,
                transaction.user, transaction.context)
            try:
                yield
            except BaseException:
                # The thread may wait for what this transaction holds
                transaction.rollback()
                raise
            finally:
                transaction.tasks.extend(archived.result())

    @classmethod
    def _archive_alone(cls, ids, database, user, context):
        """Archive the mails in a thread and return the tasks that follow

        What fails does not stop the mails: they are archived later."""
        try:
            with Transaction().start(
                    database, user, context=context) as transaction:
                cls._archive(ids)
                return transaction.tasks
        except Exception:
            logger.warning("sent mails are not archived yet", exc_info=True)
            return []

    @classmethod
    def _archive(cls, ids):
        """Archive the sent mails on ir.email.

        The reply of the server is committed before: what is sent stays so
        even if it cannot be archived yet."""
        if not ids:
            return
        if cls._end_sent(ids):
            cls._archive_slices(ids)
        elif len(ids) > 1:
            # One of them does not keep the others
            for id_ in ids:
                cls._archive([id_])

    @classmethod
    def _archive_slices(cls, ids, size=CHUNK):
        transaction = Transaction()
        for sub_ids in grouped_slice(list(ids), size):
            sub_ids = list(sub_ids)
            try:
                tools.lock_database(cls)
                cls._commit_without_disk()
                if sent := cls._not_archived(sub_ids):
                    cls._create_emails(sent)
                    cls.on_sent(cls.browse(sent))
                transaction.commit()
            except Exception:
                transaction.rollback()
                if len(sub_ids) > 1:
                    cls._archive_slices(sub_ids, size=1)
                else:
                    logger.error(
                        "mail %s not archived", sub_ids[0], exc_info=True)

    @classmethod
    def _end_sent(cls, ids):
        """Store what follows from the mails that are sent, commit and return
        if it is done.

        What is not done is not archived either, until the next time."""
        transaction = Transaction()
        for _ in range(END_TRIES):
            try:
                tools.begin()
                # Whoever reads before it writes does not wait for the others
                tools.lock_database(cls)
                cls._commit_without_disk()
                if sent := cls._not_archived(list(ids)):
                    cls.on_end(cls.browse(sent))
                transaction.commit()
                return True
            except Exception:
                # Somebody may have just changed what they are about
                transaction.rollback()
                logger.warning(
                    "mails %s not ended", list(ids), exc_info=True)
        return False

    @staticmethod
    def _commit_without_disk():
        "Have the commit not wait for the disk: what it loses is done again"
        if (without_disk := tools.without_disk()) is not None:
            Transaction().connection.cursor().execute(*Select([without_disk]))

    @classmethod
    def _not_archived(cls, ids):
        # The ORM would read each of them
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(
                table.id,
                where=fields.SQL_OPERATORS['in'](table.id, ids)
                & (table.state == 'sent') & (table.email == Null)))
        return [id_ for id_, in cursor]

    @classmethod
    def on_sent(cls, mails):
        "Hook called once the server has accepted the mails"

    @classmethod
    def _create_emails(cls, ids):
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Email = pool.get('ir.email')
        attachments = {
            row['id']: parts for row in cls.read(ids, ['message'])
            if (parts := _attachments(row['message']))}
        cls._insert_emails(ids)
        if attachments:
            Attachment.save([
                    Attachment(
                        resource=email,
                        name=part.get_filename(),
                        data=part.get_content())
                    for email in Email.search([
                            ('training_mail', 'in', list(attachments)),
                            ])
                    for part in attachments[email.training_mail.id]])

    @classmethod
    def _insert_emails(cls, ids):
        """Create the emails of the mails and link them.

        The ORM takes as much time for it as the server for the mails."""
        pool = Pool()
        Address = pool.get('ir.email.address')
        Email = pool.get('ir.email')
        Party = pool.get('party.party')
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        mail, party = cls.__table__(), Party.__table__()
        email, address = Email.__table__(), Address.__table__()
        where = fields.SQL_OPERATORS['in'](mail.id, ids)
        user, now = Literal(transaction.user), CurrentTimestamp()
        cursor.execute(*email.insert(
                [email.create_uid, email.create_date, email.training_mail,
                    email.recipients, email.subject, email.body,
                    email.message_id, email.resource],
                mail.join(party, 'LEFT', condition=mail.party == party.id
                    ).select(
                    user, now, mail.id, cls._sql_recipient(mail, party),
                    mail.subject, mail.body, mail.message_id,
                    cls.sql_resource(mail), where=where)))
        cursor.execute(*address.insert(
                [address.create_uid, address.create_date, address.email,
                    address.address],
                mail.join(email, condition=email.training_mail == mail.id
                    ).select(user, now, email.id, mail.to, where=where)))
        cursor.execute(*mail.update(
                [mail.email],
                [email.select(
                        email.id, where=email.training_mail == mail.id)],
                where=where))

    @classmethod
    def _sql_recipient(cls, mail, party):
        return Coalesce(
            Concat(party.name, Concat(' <', Concat(mail.to, '>'))), mail.to)


def sql_reference(name, id_):
    "Return the SQL expression of the reference to the record of a model"
    return Concat(f'{name},', Cast(id_, fields.Char('id').sql_type().base))


def _attachments(data):
    "Return the parts of the message that are attachments"
    # Few have some, and the others take long to parse
    headers, _, _ = data.partition(b'\r\n\r\n')
    if b'multipart/mixed' not in headers:
        return []
    message = message_from_bytes(data, policy=policy.SMTP)
    if message.get_content_type() != 'multipart/mixed':
        return []
    return list(message.iter_attachments())
