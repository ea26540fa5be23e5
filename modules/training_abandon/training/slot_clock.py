# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The times in UTC of the slots when the company changes its time zone"
from collections import defaultdict

from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..exceptions import TrainingValidationError
from ..tools import BATCH, apply_types


class ClockMixin:
    "Slots whose date and times are what the clock on the wall shows"
    __slots__ = ()

    @classmethod
    def follow_clock(cls, companies):
        """Compute again the times in UTC of the slots of the companies, whose
        date, start and end stay.

        The time that an official sheet counts stays too, even in the night
        when the clocks change."""
        pool = Pool()
        Company = pool.get('company.company')
        for company in Company.browse(companies):
            for times, slots in cls._by_times(company).items():
                values = cls._clock_values(company, *times)
                for is_held, ids in slots.items():
                    for sub_ids in grouped_slice(ids, BATCH):
                        cls._write_clock(
                            cls.browse(list(sub_ids)), values, is_held)

    @classmethod
    def _by_times(cls, company):
        """Return the ids of the slots of the company by date, start and end
        and whether they are held"""
        pool = Pool()
        Session = pool.get('training.session')
        slot, session = cls.__table__(), Session.__table__()
        cursor = Transaction().connection.cursor()
        query = slot.join(
            session, condition=session.id == slot.session).select(
            slot.date.as_('date'), slot.start.as_('start'),
            slot.end.as_('end'), slot.state.as_('state'), slot.id.as_('id'),
            where=session.company == company.id,
            order_by=[slot.id])
        cursor.execute(*apply_types(query, 'DATE', 'TIME', 'TIME'))
        result = defaultdict(lambda: defaultdict(list))
        for date, start, end, state, id_ in cursor:
            result[date, start, end][state == 'held'].append(id_)
        return result

    @classmethod
    def _clock_values(cls, company, date, start, end):
        pool = Pool()
        Session = pool.get('training.session')
        slot = cls(
            session=Session(company=company), date=date, start=start, end=end)
        start_at, end_at = slot._at(start), slot._at(end)
        if end_at <= start_at:
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_slot_end_before_start',
                    slot=slot.rec_name))
        return {
            'start_at': start_at,
            'end_at': end_at,
            'duration': end_at - start_at,
            }

    @classmethod
    def _write_clock(cls, slots, values, is_held):
        if is_held:
            values = {n: v for n, v in values.items() if n != 'duration'}
        # The slots of the company move together
        with Transaction().set_context(skip_slot_conflicts=True):
            cls.write(cls.browse(slots), values)
        cls.on_clock(slots)

    @classmethod
    def on_clock(cls, slots):
        """Hook called once the times in UTC of the slots have followed the
        clock of their company"""
