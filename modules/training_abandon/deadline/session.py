# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta

from .awaited import in_


class Session(metaclass=PoolMeta):
    __name__ = 'training.session'

    @classmethod
    def on_modification(cls, mode, sessions, field_names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Step = pool.get('training.abandon.case.step')
        super().on_modification(mode, sessions, field_names=field_names)
        if mode == 'write' and 'state' in field_names:
            enrolment = Enrolment.__table__()
            Step.store_waiting(Case.open_ids(
                    lambda case, ids: case.enrolment.in_(enrolment.select(
                            enrolment.id,
                            where=in_(enrolment.session, ids))),
                    [s.id for s in sessions]))
