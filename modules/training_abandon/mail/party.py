# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
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
        party_id = self.ask.party.id
        mails = Mail.search([
                ('state', 'in', ['draft', 'queued']),
                ['OR',
                    ('party', '=', party_id),
                    ('enrolment.trainee.party', '=', party_id),
                    ],
                ], order=[])
        Mail.write(mails, Mail._end('cancelled', gettext(
                    'training_abandon.msg_mail_party_erased')))

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
                    'message_id', 'reply_token', 'bounce_reason'],
                ['****', '****'] + [None] * 6),
            # The Message-ID stays: the message may be fetched again
            (Reply, ['OR',
                    ('party', '=', party_id),
                    ('enrolment.trainee.party', '=', party_id),
                    ], True,
                ['from_', 'to', 'subject', 'text', 'body', 'server_reply',
                    'message', 'message_file_id'],
                [None] * 8),
            ]
