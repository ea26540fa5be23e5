# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Configuration(metaclass=PoolMeta):
    __name__ = 'ir.configuration'

    def check(self):
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        super().check()
        # The messages and their translations are there since the update
        Procedure.tell_added_delays()
