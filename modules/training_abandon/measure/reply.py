# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Reply(metaclass=PoolMeta):
    __name__ = 'training.mail.reply'

    @classmethod
    def on_modification(cls, mode, replies, field_names=None):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        super().on_modification(mode, replies, field_names=field_names)
        if mode != 'delete':
            FollowUp.end_heard([
                    r.enrolment for r in replies
                    if r.enrolment and r.kind == 'answer'])
