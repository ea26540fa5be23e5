# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Case(metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    @classmethod
    def on_answer(cls, cases):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        super().on_answer(cases)
        FollowUp.end_answered(list(dict.fromkeys(cases)))
