# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    @classmethod
    def on_modification(cls, mode, parties, field_names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        super().on_modification(mode, parties, field_names=field_names)
        if mode == 'write' and 'active' in field_names:
            Step.store_waiting(
                Case.open_of_parties([p.id for p in parties]))
