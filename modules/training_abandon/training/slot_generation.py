# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..exceptions import SlotError, TrainingValidationError
from .working_day import WorkingCalendar

WEEKDAYS = [
    'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday',
    'sunday']
DAY = dt.timedelta(days=1)
ZERO = dt.timedelta()


class GenerationMixin:
    "The sessions of which the slots can be generated"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            generate_slots={
                'invisible': Eval('state').in_(['done', 'cancelled']),
                'depends': ['state'],
                })

    @classmethod
    @ModelView.button_action('training_abandon.wizard_slot_generate')
    def generate_slots(cls, sessions):
        pass

    @property
    def planned_duration(self):
        "The duration of the slots that are not cancelled"
        return sum(
            (s.duration for s in self.slots if s.state != 'cancelled'), ZERO)


class Generate(Wizard):
    __name__ = 'training.session.slot.generate'

    start = StateView(
        'training.session.slot.generate.start',
        'training_abandon.slot_generate_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Generate", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Time = pool.get('training.session.slot.generate.time')
        session = self._check_session()
        start = self.start
        start.session = session
        start.start_date = session.start_date
        start.end_date = session.end_date
        for weekday in WEEKDAYS:
            setattr(start, weekday, weekday not in {'saturday', 'sunday'})
        start.times = [
            Time(start=begin, end=end)
            for begin, end in Configuration(1).get_times(
                company=session.company.id)]
        start.trainer = (
            session.trainers[0] if len(session.trainers) == 1 else None)
        start.location = None
        start.duration = session.course.duration
        start.count = None
        start.lines = []
        start.update_preview()
        return start._default_values

    def _check_session(self):
        session = self.record
        if session.state in {'done', 'cancelled'}:
            raise SlotError(gettext(
                    'training_abandon.msg_slot_generate_state',
                    session=session.rec_name))
        return session

    def transition_apply(self):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        session = self._check_session()
        self.start.check(session)
        slots, _ = self.start.generate(session)
        Slot.create([slot._default_values for slot in slots])
        return 'end'

    def end(self):
        return 'reload'


class GenerateStart(ModelView):
    __name__ = 'training.session.slot.generate.start'

    session = fields.Many2One('training.session', "Session", readonly=True)
    start_date = fields.Date(
        "Start Date", required=True,
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('start_date', '<=', Eval('end_date', None)),
                ()),
            ])
    end_date = fields.Date(
        "End Date", required=True,
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('end_date', '>=', Eval('start_date', None)),
                ()),
            ])
    monday = fields.Boolean("Monday")
    tuesday = fields.Boolean("Tuesday")
    wednesday = fields.Boolean("Wednesday")
    thursday = fields.Boolean("Thursday")
    friday = fields.Boolean("Friday")
    saturday = fields.Boolean("Saturday")
    sunday = fields.Boolean("Sunday")
    times = fields.One2Many(
        'training.session.slot.generate.time', None, "Times",
        help="The times of the slots of a day.")
    trainer = fields.Many2One('party.party', "Trainer")
    location = fields.Many2One(
        'party.address', "Location",
        help="Leave empty for the location of the session.")
    duration = fields.TimeDelta(
        "Up to Duration", 'training_hours',
        domain=['OR',
            ('duration', '=', None),
            ('duration', '>', ZERO),
            ],
        help="The duration of all the slots of the session at which to "
        "stop: the last slot is shortened to it.\n"
        "Leave empty to not limit it.")
    count = fields.Integer(
        "Up to Slots",
        domain=['OR',
            ('count', '=', None),
            ('count', '>', 0),
            ],
        help="The number of all the slots of the session at which to stop.\n"
        "Leave empty to not limit it.")
    lines = fields.One2Many(
        'training.session.slot.preview', None, "Preview", readonly=True,
        help="The slots that would be created, with their conflicts.")
    new_count = fields.Integer(
        "New Slots", readonly=True,
        help="The number of slots that would be created.")
    total_duration = fields.TimeDelta(
        "Duration of the Session", 'training_hours', readonly=True,
        help="With the new slots.")
    course_duration = fields.TimeDelta(
        "Duration of the Course", 'training_hours', readonly=True,
        help="The planned training time of the course.")
    skipped = fields.Text(
        "Skipped", readonly=True,
        states={
            'invisible': ~Eval('skipped'),
            },
        help="The dates without slot, and why.")

    @fields.depends(
        'session', 'start_date', 'end_date', *WEEKDAYS, 'times', 'trainer',
        'location', 'duration', 'count', 'lines')
    def update_preview(self):
        pool = Pool()
        Preview = pool.get('training.session.slot.preview')
        slots, skipped = [], {}
        if self.session and self.start_date and self.end_date:
            slots, skipped = self.generate(self.session)
        self.lines = Preview.preview(slots)
        self.new_count = len(slots)
        if self.session:
            self.total_duration = self.session.planned_duration + sum(
                (duration(s) for s in slots), ZERO)
            self.course_duration = self.session.course.duration
        self.skipped = self._describe_skipped(**skipped)

    on_change_start_date = update_preview
    on_change_end_date = update_preview
    on_change_monday = update_preview
    on_change_tuesday = update_preview
    on_change_wednesday = update_preview
    on_change_thursday = update_preview
    on_change_friday = update_preview
    on_change_saturday = update_preview
    on_change_sunday = update_preview
    on_change_times = update_preview
    on_change_trainer = update_preview
    on_change_location = update_preview
    on_change_duration = update_preview
    on_change_count = update_preview

    def _describe_skipped(self, closed=(), existing=()):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        lines = []
        if closed:
            lines.append(gettext(
                    'training_abandon.msg_slot_generate_closed',
                    dates=', '.join(map(lang.strftime, closed))))
        if existing:
            lines.append(gettext(
                    'training_abandon.msg_slot_generate_existing',
                    slots=', '.join(s.rec_name for s in existing)))
        return '\n'.join(lines) or None

    def check(self, session):
        times = self._times()
        if not times or len(times) != len(self.times):
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_slot_generate_times'))
        for (_, end), (start, _) in zip(times, times[1:]):
            if start < end:
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_slot_generate_overlap',
                        end=end.strftime('%H:%M'),
                        start=start.strftime('%H:%M')))
        if (self.start_date < session.start_date
                or self.end_date > session.end_date):
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_slot_generate_outside_session',
                    session=session.rec_name))

    def _times(self):
        "Return the list of the valid start and end of the slots of a day"
        return sorted(
            (t.start, t.end) for t in self.times or []
            if t.start and t.end and t.start < t.end)

    def generate(self, session):
        """Return the missing slots, which are not saved, and what is skipped:
        the dates that are closed and the existing slots."""
        existing = {}
        for slot in session.slots:
            existing.setdefault(slot.date, []).append(slot)
        valid = [s for s in session.slots if s.state != 'cancelled']
        count = len(valid)
        total = session.planned_duration
        slots = []
        skipped = {'closed': [], 'existing': []}
        calendar = WorkingCalendar(session.company)
        for date in self._dates(session):
            if not calendar.is_open(date):
                skipped['closed'].append(date)
                continue
            for start, end in self._times():
                if ((self.count and count >= self.count)
                        or (self.duration and total >= self.duration)):
                    return slots, skipped
                if found := [
                        s for s in existing.get(date, [])
                        if s.start < end and s.end > start]:
                    skipped['existing'] += [
                        s for s in found if s not in skipped['existing']]
                    continue
                slot = self._slot(session, date, start, end)
                if self.duration:
                    self._shorten(slot, self.duration - total)
                slots.append(slot)
                count += 1
                total += duration(slot)
        return slots, skipped

    def _dates(self, session):
        "Yield the dates of the days of the week that are checked"
        # Until it is checked, it is what the user types
        date = max(self.start_date, session.start_date)
        end = min(self.end_date, session.end_date)
        while date <= end:
            if getattr(self, WEEKDAYS[date.weekday()], False):
                yield date
            date += DAY

    def _slot(self, session, date, start, end):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        return Slot(
            session=session, date=date, start=start, end=end,
            trainer=self.trainer, location=self.location)

    def _shorten(self, slot, rest):
        end_at = slot._at(slot.start) + rest
        if end_at < slot._at(slot.end):
            slot.end = slot._local(end_at).time()


def duration(slot):
    return slot._at(slot.end) - slot._at(slot.start)


class GenerateTime(ModelView):
    __name__ = 'training.session.slot.generate.time'

    start = fields.Time("Start", format='%H:%M', required=True)
    end = fields.Time("End", format='%H:%M', required=True)
