# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta


class ProcedureLetter(metaclass=PoolMeta):
    __name__ = 'training.abandon.procedure.letter'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.report.domain = [
            ('model', '=', 'training.abandon.case'),
            ]
