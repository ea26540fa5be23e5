# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    @classmethod
    def on_modification(cls, mode, enrolments, field_names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        super().on_modification(mode, enrolments, field_names=field_names)
        if mode == 'write' and {'session', 'state', 'trainee'} & field_names:
            Step.store_waiting(
                Case.open_of_enrolments([e.id for e in enrolments]))
