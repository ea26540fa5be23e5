# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Company(metaclass=PoolMeta):
    __name__ = 'company.company'

    @classmethod
    def on_write(cls, companies, values):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        callbacks = super().on_write(companies, values)
        if 'timezone' in values:
            moved = [c for c in companies if c.timezone != values['timezone']]
            if moved:
                callbacks.append(lambda: Slot.follow_clock(moved))
        return callbacks
