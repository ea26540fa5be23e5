# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from trytond.model import fields
from trytond.pool import PoolMeta

# What the calendars show
SHOWN = {'session', 'date', 'start', 'end', 'trainer', 'location', 'state'}


class Slot(metaclass=PoolMeta):
    __name__ = 'training.session.slot'

    recurrence = fields.Char(
        "Recurrence", readonly=True,
        help="Which of the times of the event it is, when it is repeated.")
    calendar_status = fields.Selection([
            (None, ""),
            ('confirmed', "Confirmed"),
            ('cancelled', "Cancelled"),
            ], "Calendar Status", readonly=True, sort=False,
        help="What the calendar said of the slot at the last import.")
    calendar_revision = fields.Integer(
        "Calendar Revision", readonly=True,
        help="How many times what the calendars show has changed.")

    @classmethod
    def default_calendar_revision(cls):
        return 0

    @classmethod
    def on_modification(cls, mode, slots, field_names=None):
        super().on_modification(mode, slots, field_names=field_names)
        if mode == 'write' and field_names & SHOWN:
            cls.revise_calendar(slots)

    @classmethod
    def on_clock(cls, slots):
        super().on_clock(slots)
        cls.revise_calendar(slots)

    @classmethod
    def revise_calendar(cls, slots):
        "Tell the calendars that the slots have changed"
        revisions = defaultdict(list)
        for slot in slots:
            revisions[(slot.calendar_revision or 0) + 1].append(slot)
        actions = []
        for revision, revised in revisions.items():
            actions += [revised, {'calendar_revision': revision}]
        if actions:
            cls.write(*actions)

    @classmethod
    def copy(cls, slots, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('recurrence')
        default.setdefault('calendar_status')
        default.setdefault('calendar_revision', 0)
        return super().copy(slots, default=default)
