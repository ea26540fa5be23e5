# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta


class Trainee(metaclass=PoolMeta):
    __name__ = 'training.trainee'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('training.calendar.feed', 'trainee'),
            ]
