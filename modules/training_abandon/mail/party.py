# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null
from sql.conditionals import Case as SQLCase
from sql.functions import Lower
from sql.operators import Concat, Like

from trytond.i18n import gettext
from trytond.pool import Pool, PoolMeta
from trytond.transaction import without_check_access


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('training.mail', 'party'),
            ('training.mail-also_for-party.party', 'party'),
            ('training.mail.reply', 'party'),
            ]


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def transition_erase(self):
        self._stop_mails()
        return super().transition_erase()

    @without_check_access
    def _stop_mails(self):
        "Cancel the mails that wait, as they lose their address and message"
        pool = Pool()
        Mail = pool.get('training.mail')
        ids = [p.id for p in self._parties()]
        mails = Mail.search([
                ('state', 'in', ['draft', 'queued']),
                ['OR',
                    ('party', 'in', ids),
                    ('enrolment.trainee.party', 'in', ids),
                    ],
                ], order=[])
        Mail.write(mails, Mail._end('cancelled', gettext(
                    'training_abandon.msg_mail_party_erased')))

    def kept_by_law(self, party_ids):
        pool = Pool()
        Mail = pool.get('training.mail')
        return super().kept_by_law(party_ids) + [
            ('msg_erase_kept_mails', Mail.search(['OR',
                        ('party', 'in', party_ids),
                        ('enrolment.trainee.party', 'in', party_ids),
                        ], count=True))]

    def to_erase(self, party_id):
        pool = Pool()
        Email = pool.get('ir.email')
        EmailAddress = pool.get('ir.email.address')
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        return super().to_erase(party_id) + [
            (Email, ['OR',
                    ('training_mail.party', '=', party_id),
                    ('training_mail.enrolment.trainee.party', '=', party_id),
                    ], True,
                ['recipients', 'recipients_secondary', 'recipients_hidden',
                    'subject', 'body'],
                [None] * 5),
            (EmailAddress, ['OR',
                    ('email.training_mail.party', '=', party_id),
                    ('email.training_mail.enrolment.trainee.party', '=',
                        party_id),
                    ], False,
                ['address'],
                ['****']),
            (Mail, ['OR',
                    ('party', '=', party_id),
                    ('enrolment.trainee.party', '=', party_id),
                    ], True,
                ['to', 'subject', 'body', 'message', 'message_file_id',
                    'message_id', 'reply_token', 'bounce_reason',
                    'smtp_reply'],
                ['****', '****'] + [None] * 6 + [_hide_address]),
            # The Message-ID stays: the message may be fetched again
            (Reply, ['OR',
                    ('party', '=', party_id),
                    ('enrolment.trainee.party', '=', party_id),
                    ], True,
                ['from_', 'to', 'subject', 'text', 'body', 'server_reply',
                    'message', 'message_file_id'],
                [None] * 8),
            ]


def _hide_address(reply):
    """Return the SQL expression of the reply of the server, empty if it
    quotes the address or, maybe, another one of the same mailbox"""
    mail = reply.table
    quotes = Like(Lower(reply), Concat('%', Concat(Lower(mail.to), '%')))
    return SQLCase(
        (quotes | (mail.state == 'failed'), Null),
        else_=reply)
