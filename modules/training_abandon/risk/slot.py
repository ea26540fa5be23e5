# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, Id
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..tools import BATCH
from .trainer import check_written


class Slot(metaclass=PoolMeta):
    __name__ = 'training.session.slot'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        groups = Eval('context', {}).get('groups', [])
        # The others correct what is official
        cls._buttons['open']['invisible'] |= (
            (Eval('state') == 'held')
            & groups.contains(Id('training_abandon', 'group_trainer'))
            & ~groups.contains(Id('training_abandon', 'group_training')))

    @classmethod
    def open(cls, slots, reason=None):
        check_written(cls, slots)
        return super().open(slots, reason=reason)

    @classmethod
    def close(cls, slots):
        check_written(cls, slots)
        return super().close(slots)

    @classmethod
    def others_present(cls, slots):
        check_written(cls, slots)
        return super().others_present(slots)

    @classmethod
    def on_close(cls, slots):
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        super().on_close(slots)
        for company, ids in cls._trainees_of(slots).items():
            Rule.detect_on(company, ids)

    @classmethod
    def _trainees_of(cls, slots):
        "Return by company the ids of the enrolments on the sheets"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        attendance = Attendance.__table__()
        cursor = Transaction().connection.cursor()
        companies, result = defaultdict(list), {}
        for slot in slots:
            companies[slot.session.company].append(slot.id)
        for company, slot_ids in companies.items():
            result[company] = set()
            for sub_ids in grouped_slice(slot_ids, BATCH):
                cursor.execute(*attendance.select(
                        attendance.enrolment,
                        where=fields.SQL_OPERATORS['in'](
                            attendance.slot, list(sub_ids)),
                        group_by=[attendance.enrolment]))
                result[company].update(id_ for id_, in cursor)
        return result
