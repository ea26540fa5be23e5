# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .trainer import check_written


class Attendance(metaclass=PoolMeta):
    __name__ = 'training.attendance'

    @classmethod
    def _set_state(cls, attendances, state):
        check_written(cls, attendances)
        super()._set_state(attendances, state)
