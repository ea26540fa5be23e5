# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Trainee(metaclass=PoolMeta):
    __name__ = 'training.trainee'

    @classmethod
    def on_modification(cls, mode, trainees, field_names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        super().on_modification(mode, trainees, field_names=field_names)
        if mode == 'write' and 'party' in field_names:
            Step.store_waiting(
                Case.open_of_parties([t.party.id for t in trainees]))
