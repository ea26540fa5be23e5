# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Reply(metaclass=PoolMeta):
    __name__ = 'training.mail.reply'

    @classmethod
    def on_count(cls, replies):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        super().on_count(replies)
        Enrolment.risk_changed({
                r.mail.enrolment.id for r in replies
                if r.mail and r.mail.enrolment})
