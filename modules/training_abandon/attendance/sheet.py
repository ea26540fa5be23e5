# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import defaultdict

from sql import Literal
from sql.aggregate import Count

from trytond.i18n import gettext, ngettext
from trytond.model import Index, ModelSQL, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import SheetError, SheetReopenWarning, SheetUncheckedWarning
from .attendance import BATCH, ZERO

PARTIAL_STATES = ['late', 'left_early']
# The duration of each field in minutes
MINUTES = {
    'late_minutes': 'late_by',
    'left_minutes': 'left_by',
    }
# The most slots that a message names
NAMED = 5


class Slot(metaclass=PoolMeta):
    __name__ = 'training.session.slot'

    day = fields.Function(
        fields.Selection([
                ('past', "Past"),
                ('today', "Today"),
                ('coming', "Coming"),
                ], "Day", sort=False),
        'get_day', searcher='search_day')
    sheet_events = fields.One2Many(
        'training.session.slot.event', 'slot', "History", readonly=True)
    attendance_count = fields.Function(
        fields.Integer(
            "Trainees", help="The number of lines of the attendance sheet."),
        'get_attendance_counts')
    absent_count = fields.Function(
        fields.Integer("Absent"), 'get_attendance_counts')
    unchecked_count = fields.Function(
        fields.Integer(
            "Not Checked",
            help="The number of lines that are present only by default."),
        'get_attendance_counts')
    closed_at = fields.Function(
        fields.DateTime(
            "Closed at",
            states={
                'invisible': ~Eval('closed_at'),
                }),
        'get_closed')
    closed_by = fields.Function(
        fields.Many2One(
            'res.user', "Closed by",
            states={
                'invisible': ~Eval('closed_at'),
                }),
        'get_closed')
    reopened_count = fields.Function(
        fields.Integer(
            "Times Reopened",
            states={
                'invisible': ~Eval('reopened_count'),
                }),
        'get_reopened_count')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            others_present={
                'invisible': Eval('state') != 'open',
                'depends': ['state'],
                })

    @classmethod
    def get_day(cls, slots, name):
        pool = Pool()
        Date = pool.get('ir.date')
        today = Date.today()
        return {
            s.id: 'past' if s.date < today
            else 'today' if s.date == today
            else 'coming'
            for s in slots}

    @classmethod
    def search_day(cls, name, clause):
        # The date of the web client is the one of UTC at midnight
        pool = Pool()
        Date = pool.get('ir.date')
        _, operator, value = clause
        operators = {'past': '<', 'today': '=', 'coming': '>'}
        values = value if operator.endswith('in') else [value]
        days = [d for d in operators if d in values]
        if operator in {'!=', 'not in'}:
            days = [d for d in operators if d not in values]
        today = Date.today()
        return ['OR', ('id', '=', -1)] + [
            ('date', operators[d], today) for d in days]

    @classmethod
    def get_attendance_counts(cls, slots, names):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        attendance = Attendance.__table__()
        columns = {
            'attendance_count': Count(Literal(1)),
            'absent_count': Count(Literal(1), filter_=attendance.state.in_(
                    ['absent', 'excused'])),
            'unchecked_count': Count(
                Literal(1), filter_=attendance.source == 'default'),
            }
        counts = {name: dict.fromkeys(map(int, slots), 0) for name in names}
        cursor = Transaction().connection.cursor()
        for sub_slots in grouped_slice(slots, BATCH):
            cursor.execute(*attendance.select(
                    attendance.slot, *[columns[name] for name in names],
                    where=fields.SQL_OPERATORS['in'](
                        attendance.slot, [s.id for s in sub_slots]),
                    group_by=attendance.slot))
            for slot, *values in cursor:
                for name, value in zip(names, values):
                    counts[name][slot] = value
        return counts

    @classmethod
    def get_closed(cls, slots, names):
        "Return when and by whom the sheets that are official were closed"
        held = [s for s in slots if s.state == 'held']
        result = {name: dict.fromkeys(map(int, slots)) for name in names}
        for event in cls._search_events(held, 'closed'):
            for name, value in [
                    ('closed_at', event.at), ('closed_by', event.user)]:
                if name in names:
                    result[name][event.slot.id] = value.id if (
                        name == 'closed_by' and value) else value
        return result

    @classmethod
    def get_reopened_count(cls, slots, name):
        counts = dict.fromkeys(map(int, slots), 0)
        for event in cls._search_events(slots, 'reopened'):
            counts[event.slot.id] += 1
        return counts

    @classmethod
    def _search_events(cls, slots, kind):
        "Return the events of the kind, the oldest first"
        pool = Pool()
        Event = pool.get('training.session.slot.event')
        events = []
        for sub_slots in grouped_slice(slots, BATCH):
            events += Event.search([
                    ('slot', 'in', [s.id for s in sub_slots]),
                    ('kind', '=', kind),
                    ],
                order=[('id', 'ASC')])
        return events

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'cancelled', 'muted', '')),
            ]

    @classmethod
    def copy(cls, slots, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('sheet_events')
        return super().copy(slots, default=default)

    @classmethod
    @ModelView.button
    @Workflow.transition('open')
    def open(cls, slots):
        pool = Pool()
        Event = pool.get('training.session.slot.event')
        cls._check_sheets_session(slots)
        cls._check_sheets_date(slots)
        reopened = [s for s in slots if s.state == 'held']
        cls._warn_reopened(reopened)
        super().open(slots)
        Event.record(reopened, 'reopened')
        Event.record([s for s in slots if s not in reopened], 'opened')

    @classmethod
    @ModelView.button
    @Workflow.transition('held')
    def close(cls, slots):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Event = pool.get('training.session.slot.event')
        cls._check_sheets_session(slots)
        cls._check_sheets_started(slots)
        Attendance.create_expected(slots)
        cls._warn_unchecked(slots)
        super().close(slots)
        Event.record(slots, 'closed')

    @classmethod
    @ModelView.button
    def others_present(cls, slots):
        "Tell that the trainees of the lines not checked are present"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        for sub_slots in grouped_slice(
                [s for s in slots if s.state == 'open'], BATCH):
            Attendance.write(Attendance.search([
                        ('slot', 'in', [s.id for s in sub_slots]),
                        ('source', '=', 'default'),
                        ]), {'source': 'sheet'})

    @classmethod
    def _check_sheets_session(cls, slots):
        for slot in slots:
            if slot.session.state == 'cancelled':
                raise SheetError(gettext(
                        'training_abandon.msg_sheet_session_cancelled',
                        slot=slot.rec_name,
                        session=slot.session.rec_name))

    @classmethod
    def _check_sheets_date(cls, slots):
        companies = defaultdict(list)
        for slot in slots:
            companies[slot.session.company].append(slot)
        for company, slots in companies.items():
            today = tools.today(company)
            for slot in slots:
                if slot.date > today:
                    raise SheetError(gettext(
                            'training_abandon.msg_sheet_before_date',
                            slot=slot.rec_name))

    @classmethod
    def _check_sheets_started(cls, slots):
        now = tools.now()
        for slot in slots:
            if slot.start_at > now:
                raise SheetError(gettext(
                        'training_abandon.msg_sheet_before_start',
                        slot=slot.rec_name))

    @classmethod
    def _warn_reopened(cls, slots):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        if not slots:
            return
        key = Warning.format('training_sheet_reopen', slots)
        if Warning.check(key):
            raise SheetReopenWarning(key, gettext(
                    'training_abandon.msg_sheet_reopen',
                    slots=cls.sheet_names(slots)))

    @classmethod
    def _warn_unchecked(cls, slots):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        counts = cls.get_attendance_counts(slots, ['unchecked_count'])
        counts = counts['unchecked_count']
        unchecked = [s for s in slots if counts[s.id]]
        if not unchecked:
            return
        key = Warning.format('training_sheet_unchecked', unchecked)
        if Warning.check(key):
            count = sum(counts.values())
            raise SheetUncheckedWarning(key, ngettext(
                    'training_abandon.msg_sheet_unchecked', count,
                    count=count,
                    slots=cls.sheet_names(unchecked)))

    @classmethod
    def sheet_names(cls, slots):
        names = ', '.join(s.rec_name for s in slots[:NAMED])
        return names + '…' if len(slots) > NAMED else names


class SlotEvent(ModelSQL, ModelView):
    __name__ = 'training.session.slot.event'

    slot = fields.Many2One(
        'training.session.slot', "Slot", required=True, readonly=True,
        ondelete='CASCADE')
    kind = fields.Selection([
            ('opened', "Opened"),
            ('closed', "Closed"),
            ('reopened', "Reopened"),
            ], "What Happened", required=True, readonly=True, sort=False)
    kind_string = kind.translated('kind')
    at = fields.DateTime("Date", required=True, readonly=True)
    user = fields.Many2One(
        'res.user', "User", readonly=True, ondelete='SET NULL')
    attendances = fields.Integer(
        "Trainees", readonly=True,
        help="The number of lines of the sheet at that time.")
    absent = fields.Integer("Absent", readonly=True)
    unchecked = fields.Integer(
        "Not Checked", readonly=True,
        help="The number of lines that were present only by default.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('slot')
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.slot, Index.Equality()),
                (t.kind, Index.Equality(cardinality='low'))))
        cls._order = [
            ('at', 'DESC'),
            ('id', 'DESC'),
            ]

    @classmethod
    def record(cls, slots, kind):
        "Record what happened to the sheets"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        names = ['attendance_count', 'absent_count', 'unchecked_count']
        counts = Slot.get_attendance_counts(slots, names)
        cls.create([{
                    'slot': slot.id,
                    'kind': kind,
                    'at': tools.now(),
                    'user': Transaction().user or None,
                    'attendances': counts['attendance_count'][slot.id],
                    'absent': counts['absent_count'][slot.id],
                    'unchecked': counts['unchecked_count'][slot.id],
                    } for slot in slots])

    @classmethod
    def check_modification(cls, mode, events, values=None, external=False):
        super().check_modification(
            mode, events, values=values, external=external)
        if external:
            raise AccessError(gettext(
                    'training_abandon.msg_slot_event_modify'))

    def get_rec_name(self, name):
        return f'{self.slot.rec_name} - {self.kind_string}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('slot.rec_name', *clause[1:])]


class Attendance(metaclass=PoolMeta):
    __name__ = 'training.attendance'

    _minutes_states = {
        'readonly': Eval('slot_state') != 'open',
        }

    late_minutes = fields.Function(
        fields.Integer(
            "Late (min)",
            domain=['OR',
                ('late_minutes', '=', None),
                ('late_minutes', '>=', 0),
                ],
            states=_minutes_states,
            help="How many minutes after the start the trainee came."),
        'get_minutes', setter='set_minutes', searcher='search_minutes')
    left_minutes = fields.Function(
        fields.Integer(
            "Left (min)",
            domain=['OR',
                ('left_minutes', '=', None),
                ('left_minutes', '>=', 0),
                ],
            states=_minutes_states,
            help="How many minutes before the end the trainee left."),
        'get_minutes', setter='set_minutes', searcher='search_minutes')
    slot_state = fields.Function(
        fields.Selection('get_slot_states', "State of the Slot"),
        'on_change_with_slot_state')

    del _minutes_states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        not_open = {
            'readonly': Eval('slot_state') != 'open',
            'depends': ['slot_state'],
            }
        cls._buttons.update(
            set_present=not_open,
            set_absent=not_open)

    @classmethod
    def get_slot_states(cls):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        return Slot.fields_get(['state'])['state']['selection']

    @fields.depends('slot', '_parent_slot.state')
    def on_change_with_slot_state(self, name=None):
        return self.slot.state if self.slot else None

    def get_minutes(self, name):
        duration = getattr(self, MINUTES[name])
        if duration is not None:
            return round(duration.total_seconds() / 60)

    @classmethod
    def set_minutes(cls, attendances, name, value):
        cls.write(attendances, {MINUTES[name]: _duration(value or None)})

    @classmethod
    def search_minutes(cls, name, clause):
        _, operator, value, *extra = clause
        if isinstance(value, (list, tuple, set)):
            value = [_duration(v) for v in value]
        else:
            value = _duration(value)
        return [(MINUTES[name], operator, value, *extra)]

    @classmethod
    def order_late_minutes(cls, tables):
        return cls.late_by.convert_order('late_by', tables, cls)

    @classmethod
    def order_left_minutes(cls, tables):
        return cls.left_by.convert_order('left_by', tables, cls)

    @classmethod
    def order_trainee(cls, tables):
        return cls.enrolment.convert_order('enrolment.trainee', tables, cls)

    @fields.depends('late_minutes', methods=['_set_partial_state'])
    def on_change_late_minutes(self):
        self.late_by = _duration(self.late_minutes or None)
        self._set_partial_state()

    @fields.depends('left_minutes', methods=['_set_partial_state'])
    def on_change_left_minutes(self):
        self.left_by = _duration(self.left_minutes or None)
        self._set_partial_state()

    @fields.depends('state', 'late_minutes', 'left_minutes')
    def _set_partial_state(self):
        "Set the state that the minutes tell"
        self.source = 'sheet'
        if self.late_minutes:
            self.state = 'late'
        elif self.left_minutes:
            self.state = 'left_early'
        elif self.state in PARTIAL_STATES:
            self.state = 'present'

    @fields.depends('state')
    def on_change_state(self):
        self.source = 'sheet'
        if self.state not in PARTIAL_STATES:
            self.late_by = self.left_by = None
            self.late_minutes = self.left_minutes = None

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'write' and (
                values.get('state', 'late') not in PARTIAL_STATES):
            values.setdefault('late_by')
            values.setdefault('left_by')
        return values

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'absent', 'danger',
                    If(Eval('state').in_(['excused', *PARTIAL_STATES]),
                        'warning',
                        If(Eval('source') == 'default', 'muted', '')))),
            ]

    @classmethod
    @ModelView.button
    def set_present(cls, attendances):
        cls._set_state(attendances, 'present')

    @classmethod
    @ModelView.button
    def set_absent(cls, attendances):
        cls._set_state(attendances, 'absent')

    @classmethod
    def _set_state(cls, attendances, state):
        for attendance in attendances:
            if attendance.slot.state != 'open':
                raise AccessError(gettext(
                        'training_abandon.msg_attendance_sheet_not_open',
                        attendance=attendance.rec_name))
        cls.write_state(attendances, state)

    @classmethod
    def write_state(cls, attendances, state, **values):
        "Write a state that has no minutes, the same durations together"
        durations = defaultdict(list)
        for attendance in attendances:
            missed = ZERO if state == 'present' else attendance.slot.duration
            durations[missed].append(attendance)
        for missed, attendances in durations.items():
            for sub_attendances in grouped_slice(attendances, BATCH):
                cls.write(list(sub_attendances), {
                        'state': state,
                        'missed': missed,
                        **values,
                        })


def _duration(minutes):
    return None if minutes is None else dt.timedelta(minutes=minutes)
