# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..exceptions import SlotError


class MoveMixin:
    "Moving and splitting the slots that are planned"
    __slots__ = ()

    @classmethod
    def check_planned(cls, slots):
        cls.check_not_opened(slots)
        for slot in slots:
            if slot.state != 'planned':
                raise SlotError(gettext(
                        'training_abandon.msg_slot_not_planned',
                        slot=slot.planning_name))

    def moved(self, start_at, end_at):
        "Return the slot at the local times, without saving it"
        cls = self.__class__
        if start_at.date() != end_at.date():
            raise SlotError(gettext(
                    'training_abandon.msg_slot_end_other_day',
                    slot=self.planning_name))
        slot = cls(self.id)
        slot.date = start_at.date()
        slot.start = start_at.time()
        slot.end = end_at.time()
        return slot

    @classmethod
    def move(cls, slots):
        "Write the times of the slots moved"
        cls.check_planned(cls.browse(slots))
        current = {s.id: s for s in cls.browse(slots)}

        def direction(slot):
            # Have each slot leave its place before another one takes it
            start = slot.date, slot.start
            old = current[slot.id]
            forward = start > (old.date, old.start)
            key = dt.datetime.combine(*start) - dt.datetime.min
            return not forward, -key if forward else key

        actions = []
        for slot in sorted(slots, key=direction):
            values = {
                name: getattr(slot, name) for name in ['date', 'start', 'end']
                if getattr(slot, name) != getattr(current[slot.id], name)}
            if values:
                actions += [[current[slot.id]], values]
        if actions:
            cls.write(*actions)

    @classmethod
    def split(cls, slots, end, start, trainer=None):
        """End the slots at that time and start others, with the trainer, that
        end when the slots did.  Return the others."""
        cls.check_split(slots, end, start)
        ends = {s.id: s.end for s in slots}
        cls.write(slots, {'end': end})
        return cls.copy(slots, default={
                'start': start,
                'end': lambda data: ends[data['id']],
                'trainer': lambda data: (
                    trainer.id if trainer else data['trainer']),
                })

    @classmethod
    def check_split(cls, slots, end, start):
        cls.check_planned(slots)
        for slot in slots:
            if (end is None or start is None
                    or not slot.start < end <= start < slot.end):
                raise SlotError(gettext(
                        'training_abandon.msg_slot_split_time',
                        slot=slot.planning_name))


class SlotPreview(ModelView):
    __name__ = 'training.session.slot.preview'

    slot = fields.Many2One(
        'training.session.slot', "Slot", readonly=True)
    session = fields.Many2One('training.session', "Session", readonly=True)
    date = fields.Date("Date", readonly=True)
    start = fields.Time("Start", format='%H:%M', readonly=True)
    end = fields.Time("End", format='%H:%M', readonly=True)
    conflicts = fields.Text(
        "Conflicts", readonly=True,
        help="Who or what would be booked at the same time elsewhere.")

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Bool(Eval('conflicts')), 'warning', '')),
            ]

    @classmethod
    def preview(cls, slots):
        "Return the lines of slots that are not saved"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        words = Slot.describe_conflicts(Slot.find_future_conflicts(slots))
        return [cls(
                slot=slot.id,
                session=slot.session,
                date=slot.date,
                start=slot.start,
                end=slot.end,
                conflicts='\n'.join(words.get(index, [])) or None)
            for index, slot in enumerate(slots)]


class Move(Wizard):
    __name__ = 'training.session.slot.move'

    start = StateView(
        'training.session.slot.move.start',
        'training_abandon.slot_move_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Move", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Slot.check_planned(self.records)
        start = self.start
        start.slots = self.records
        start.by = 'times' if len(self.records) == 1 else 'shift'
        for name in ['date', 'start', 'end']:
            values = {getattr(s, name) for s in self.records}
            setattr(start, name, values.pop() if len(values) == 1 else None)
        start.update_preview()
        return start._default_values

    def transition_apply(self):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Slot.move(self.start.moved(self.records))
        return 'end'


class MoveStart(ModelView):
    __name__ = 'training.session.slot.move.start'

    _shift = {
        'invisible': Eval('by') != 'shift',
        }
    _times = {
        'invisible': Eval('by') != 'times',
        }

    slots = fields.Many2Many(
        'training.session.slot', None, None, "Slots", readonly=True)
    by = fields.Selection([
            ('shift', "Shift"),
            ('times', "Date and Times"),
            ], "Move by", required=True, sort=False,
        help="Shift all the slots by the same time, or give them a date and "
        "times.")
    days = fields.Integer(
        "Days", states=_shift,
        help="The number of days to move the slots by.\n"
        "Use a negative number to move them back.")
    time = fields.TimeDelta(
        "Time", states=_shift,
        help="The hours and minutes to move the slots by.\n"
        "Use a negative time to move them back.")
    date = fields.Date(
        "Date", states=_times,
        help="Leave empty to keep the date of each slot.")
    start = fields.Time(
        "Start", format='%H:%M', states=_times,
        help="Leave empty to keep the start of each slot.")
    end = fields.Time(
        "End", format='%H:%M', states=_times,
        help="Leave empty to keep the end of each slot.")
    lines = fields.One2Many(
        'training.session.slot.preview', None, "Preview", readonly=True,
        help="The slots as they would be, with their conflicts.")

    del _shift, _times

    @fields.depends(
        'slots', 'by', 'days', 'time', 'date', 'start', 'end', 'lines')
    def update_preview(self):
        pool = Pool()
        Preview = pool.get('training.session.slot.preview')
        self.lines = Preview.preview(self.moved(self.slots or []))

    on_change_by = update_preview
    on_change_days = update_preview
    on_change_time = update_preview
    on_change_date = update_preview
    on_change_start = update_preview
    on_change_end = update_preview

    def moved(self, slots):
        "Return the slots at their new times, without saving them"
        return [slot.moved(*self._times(slot)) for slot in slots]

    def _times(self, slot):
        date, start, end = slot.date, slot.start, slot.end
        if self.by == 'times':
            date = self.date or date
            start = self.start or start
            end = self.end or end
        start_at = dt.datetime.combine(date, start)
        end_at = dt.datetime.combine(date, end)
        if self.by == 'shift':
            try:
                shift = (
                    dt.timedelta(days=self.days or 0)
                    + (self.time or dt.timedelta()))
                return start_at + shift, end_at + shift
            except OverflowError as exc:
                raise SlotError(gettext(
                        'training_abandon.msg_slot_move_too_far',
                        slot=slot.planning_name)) from exc
        return start_at, end_at


class Split(Wizard):
    __name__ = 'training.session.slot.split'

    start = StateView(
        'training.session.slot.split.start',
        'training_abandon.slot_split_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Split", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Slot.check_planned(self.records)
        middle = self.record.start_at + self.record.duration / 2
        middle = self.record._local(middle).replace(second=0, microsecond=0)
        trainers = {s.trainer for s in self.records}
        trainer = trainers.pop() if len(trainers) == 1 else None
        return {
            'end': middle.time(),
            'start': middle.time(),
            'trainer': trainer.id if trainer else None,
            }

    def transition_apply(self):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Slot.split(
            self.records, self.start.end, self.start.start,
            self.start.trainer)
        return 'end'


class SplitStart(ModelView):
    __name__ = 'training.session.slot.split.start'

    end = fields.Time(
        "First Part Ends", format='%H:%M', required=True)
    start = fields.Time(
        "Second Part Starts", format='%H:%M', required=True,
        help="Later than the end of the first part when there is a break.")
    trainer = fields.Many2One(
        'party.party', "Trainer of the Second Part",
        help="Leave empty for the trainer of the slot.")

    @fields.depends('end')
    def on_change_end(self):
        self.start = self.end
