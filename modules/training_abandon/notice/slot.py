# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction


class Slot(metaclass=PoolMeta):
    __name__ = 'training.session.slot'

    notices = fields.One2Many(
        'training.attendance.notice', 'slot', "Notices", readonly=True,
        help="Who is told of the absences and lateness: what waits and what "
        "was sent.")

    @classmethod
    def copy(cls, slots, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('notices')
        return super().copy(slots, default=default)

    @classmethod
    def on_close(cls, slots):
        pool = Pool()
        Justification = pool.get('training.justification')
        Notice = pool.get('training.attendance.notice')
        super().on_close(slots)
        # Before anybody is told of the absences
        Justification.excuse_at(slots)
        if Transaction().context.get('training_abandon_notices', True):
            Notice.send(slots)

    @classmethod
    def on_reopen(cls, slots):
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        super().on_reopen(slots)
        if Transaction().context.get('training_abandon_notices', True):
            Notice.keep_back(slots)

    @classmethod
    def on_cancel_sheet(cls, slots):
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        super().on_cancel_sheet(slots)
        Notice.send(slots)
