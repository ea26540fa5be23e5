# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.pool import Pool, PoolMeta


class Mail(metaclass=PoolMeta):
    __name__ = 'training.mail'

    @classmethod
    def on_failed(cls, mails):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        super().on_failed(mails)
        Step.restart_escalation(list({m.step for m in mails if m.step}))

    def _get_outdated(self):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        reason = super()._get_outdated()
        if not reason and self.reminder and not Step.is_waiting_for([self]):
            reason = gettext('training_abandon.msg_mail_answered')
        return reason
