# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The mails of the notices"
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction, without_check_access

from ..mail.claim import WAITING


class Mail(metaclass=PoolMeta):
    __name__ = 'training.mail'

    notices = fields.One2Many(
        'training.attendance.notice', 'mail', "Slots", readonly=True,
        states={
            'invisible': ~Eval('notices'),
            },
        help="The slots whose absence or lateness the mail tells.")

    @classmethod
    def copy(cls, mails, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('notices')
        return super().copy(mails, default=default)

    @classmethod
    def deliver_due(cls):
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        if cls.is_live():
            Notice.tell_due()
            # What waits is claimed in another transaction
            Transaction().commit()
        super().deliver_due()

    @property
    def is_first_attempt(self):
        return self.state in WAITING and self.attempts <= 1

    def _get_outdated(self):
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        if reason := super()._get_outdated():
            return reason
        # Those of the cases have none
        if not self.case:
            return Notice.outdated_reason(self)

    @classmethod
    @without_check_access
    def on_cancel(cls, mails):
        "Tell no more what the user has chosen not to tell"
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        super().on_cancel(mails)
        ids = [m.id for m in mails]
        Notice.write(
            Notice.search(['OR',
                    ('mail', 'in', ids),
                    ('correction', 'in', ids),
                    ]),
            {'dismissed': True})

    @without_check_access
    def on_readdress(self, mail):
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        super().on_readdress(mail)
        Notice.write(
            Notice.search([('mail', '=', self.id)]),
            {'mail': mail.id, 'dismissed': False})
        Notice.write(
            Notice.search([('correction', '=', self.id)]),
            {'correction': mail.id, 'dismissed': False})
