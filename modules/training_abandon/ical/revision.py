# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice

# What the calendars show of the slots and of the sessions
_SLOT_FIELDS = {
    'session', 'date', 'start', 'end', 'trainer', 'location', 'state'}
_SESSION_FIELDS = {'course', 'location', 'trainers', 'state'}


class Slot(metaclass=PoolMeta):
    __name__ = 'training.session.slot'

    calendar_revision = fields.Integer(
        "Calendar Revision", readonly=True,
        help="How many times what the calendars show has changed.")

    @classmethod
    def default_calendar_revision(cls):
        return 0

    @classmethod
    def on_modification(cls, mode, slots, field_names=None):
        super().on_modification(mode, slots, field_names=field_names)
        if mode == 'write' and field_names & _SLOT_FIELDS:
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
        default.setdefault('calendar_revision', 0)
        return super().copy(slots, default=default)


class Session(metaclass=PoolMeta):
    __name__ = 'training.session'

    @classmethod
    def on_modification(cls, mode, sessions, field_names=None):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        super().on_modification(mode, sessions, field_names=field_names)
        if mode == 'write' and field_names & _SESSION_FIELDS:
            for sub_sessions in grouped_slice(sessions, 200):
                Slot.revise_calendar(Slot.search([
                            ('session', 'in', [s.id for s in sub_sessions]),
                            ], order=[]))


class Session_Trainer(metaclass=PoolMeta):
    __name__ = 'training.session-party.party'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(Index(t, (t.trainer, Index.Equality())))
