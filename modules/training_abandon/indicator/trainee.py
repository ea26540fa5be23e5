# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice

from ..stored import SLICE, of_ids


class Trainee(metaclass=PoolMeta):
    __name__ = 'training.trainee'

    @classmethod
    def on_modification(cls, mode, trainees, field_names=None):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        super().on_modification(mode, trainees, field_names=field_names)
        if mode == 'write' and 'kind' in field_names:
            for sub_trainees in grouped_slice(trainees, SLICE):
                of = of_ids(map(int, sub_trainees))
                enrolment = Enrolment.__table__()
                query = enrolment.select(
                    enrolment.id, where=of(enrolment.trainee))
                Enrolment.store_kinds(
                    lambda column, query=query: column.in_(query))
