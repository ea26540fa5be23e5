# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from sql import Literal
from sql.aggregate import Count
from sql.conditionals import Coalesce
from sql.operators import Concat

from trytond.i18n import gettext, ngettext
from trytond.model import Index, ModelSQL, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..exceptions import (
    SheetCancelWarning, SheetError, SheetReopenWarning, SheetUncheckedWarning,
    SlotError)
from ..rec_name import search_names
from ..tools import BATCH
from .evidence import ATTENDED, SlotEvidenceMixin
from .stored_facts import SlotFactsMixin

# The most slots or trainees that a message names
NAMED = 5


class Slot(SlotFactsMixin, SlotEvidenceMixin, metaclass=PoolMeta):
    __name__ = 'training.session.slot'

    attendances = fields.One2Many(
        'training.attendance', 'slot', "Attendances",
        order=[('enrolment.trainee.family_name', 'ASC'), ('id', None)],
        states={
            'readonly': Eval('state') != 'open',
            },
        help="The attendance sheet: one line for each trainee expected.")
    day = fields.Function(
        fields.Selection([
                ('past', "Past"),
                ('today', "Today"),
                ('coming', "Coming"),
                ], "Day", sort=False),
        'get_day', searcher='search_day')
    sheet_events = fields.One2Many(
        'training.session.slot.event', 'slot', "History", readonly=True,
        help="Who opened, closed and reopened the sheet, when and why.")
    attendance_count = fields.Function(
        fields.Integer(
            "Trainees", help="The number of lines of the attendance sheet."),
        'get_attendance_counts')
    expected_count = fields.Function(
        fields.Integer(
            "Expected",
            help="The number of trainees expected, or of the lines of the "
            "attendance sheet once it has been opened."),
        'get_expected_count')
    filled_count = fields.Function(
        fields.Integer(
            "Filled", help="The number of lines that have been checked."),
        'get_attendance_counts')
    absent_count = fields.Function(
        fields.Integer(
            "Absent", help="The number of lines that are absent or excused."),
        'get_attendance_counts')
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
                },
            help="When the sheet became official, the last time."),
        'get_closed')
    closed_by = fields.Function(
        fields.Many2One(
            'res.user', "Closed by",
            states={
                'invisible': ~Eval('closed_at'),
                },
            help="The user who closed the sheet and is told of the replies "
            "to its notices."),
        'get_closed')
    reopened_count = fields.Function(
        fields.Integer(
            "Times Reopened",
            states={
                'invisible': ~Eval('reopened_count'),
                },
            help="The number of times that the official sheet was opened "
            "again."),
        'get_reopened_count')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        # The sheets to fill
        cls._sql_indexes.add(
            Index(
                t, (t.date, Index.Range()), (t.start, Index.Range()),
                (t.id, Index.Range()),
                where=t.state.in_(['planned', 'open'])))
        cls._transitions |= {
            ('planned', 'open'),
            ('open', 'held'),
            ('held', 'open'),
            ('open', 'cancelled'),
            }
        cls.cancel_reason.states['invisible'] = ~Eval('state').in_(
            ['open', 'cancelled'])
        cls._buttons['cancel']['invisible'] = ~Eval('state').in_(
            ['planned', 'open'])
        cls._buttons.update(
            open={
                'invisible': ~Eval('state').in_(['planned', 'held']),
                'icon': If(Eval('state') == 'held',
                    'tryton-back', 'tryton-forward'),
                'depends': ['state'],
                },
            close={
                'invisible': Eval('state') != 'open',
                'depends': ['state'],
                },
            others_present={
                'invisible': Eval('state') != 'open',
                'depends': ['state'],
                })

    @classmethod
    def view_attributes(cls):
        is_late = (
            Eval('state').in_(['planned', 'open']) & (Eval('day') == 'past'))
        return super().view_attributes() + [
            ('/tree/field[@name="date"]', 'visual',
                If(is_late, 'danger', ''), ['state', 'day']),
            ]

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
        clauses = [('date', operators[d], today) for d in days]
        if len(clauses) == 1:
            return clauses
        return ['OR', ('id', '=', -1)] + clauses

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
            'filled_count': Count(
                Literal(1), filter_=attendance.source != 'default'),
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
    def get_expected_count(cls, slots, name):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        counts = cls.get_attendance_counts(
            slots, ['attendance_count'])['attendance_count']
        planned = [s for s in slots if s.state == 'planned']
        for slot in planned:
            counts[slot.id] = 0
        for _, slot_id in Attendance.expected_at(planned):
            counts[slot_id] += 1
        return counts

    @classmethod
    def get_closed(cls, slots, names):
        "Return when and by whom the sheets that are official were closed"
        held = [s for s in slots if s.state == 'held']
        result = {name: dict.fromkeys(map(int, slots)) for name in names}
        for event in cls._search_events(held, 'closed'):
            values = {
                'closed_at': event.at,
                'closed_by': event.user.id if event.user else None,
                }
            for name in names:
                result[name][event.slot.id] = values[name]
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
    def copy(cls, slots, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('attendances')
        default.setdefault('sheet_events')
        return super().copy(slots, default=default)

    @classmethod
    def on_modification(cls, mode, slots, field_names=None):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Event = pool.get('training.session.slot.event')
        super().on_modification(mode, slots, field_names=field_names)
        if mode == 'write' and 'cancel_reason' in field_names:
            Event.add_cancel_reason(slots)
        if mode == 'write' and field_names & {'date', 'start', 'end'}:
            Attendance.update_missed(
                [a for s in slots for a in s.attendances])

    @classmethod
    def on_clock(cls, slots):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        super().on_clock(slots)
        Attendance.update_missed([
                a for s in slots if s.state == 'open' for a in s.attendances])

    @classmethod
    def check_split(cls, slots, end, start):
        super().check_split(slots, end, start)
        for slot in slots:
            if slot.attendances:
                raise SlotError(gettext(
                        'training_abandon.msg_slot_split_attendance',
                        slot=slot.planning_name))

    @classmethod
    @ModelView.button
    @Workflow.transition('open')
    def open(cls, slots, reason=None):
        """Start the attendance sheets with those who are expected.

        reason tells why those that were official are no more.
        Return the action of the client that shows the sheet."""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Event = pool.get('training.session.slot.event')
        tools.lock(cls, slots)
        cls._check_sheets_session(slots)
        cls._check_sheets_date(slots)
        reopened = [s for s in slots if s.state == 'held']
        if not reason:
            cls._warn_reopened(reopened)
        Attendance.create_expected(slots)
        Event.record(reopened, 'reopened', lambda slot: reason)
        Event.record([s for s in slots if s not in reopened], 'opened')
        if reopened:
            cls.on_reopen(reopened)
        # To show the form again gives the focus to its lines
        return 'switch form' if len(slots) == 1 else None

    @classmethod
    def on_reopen(cls, slots):
        "Hook called once the sheets are not official any more"

    @classmethod
    @ModelView.button
    def close(cls, slots):
        "Make the attendance sheets official"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Event = pool.get('training.session.slot.event')
        tools.lock(cls, slots)
        slots = [s for s in slots if s.state == 'open']
        cls._check_sheets_session(slots)
        cls._check_sheets_started(slots)
        Attendance.create_expected(slots)
        cls._warn_unchecked(slots)
        with Enrolment.store_facts_once():
            cls._set_held(slots)
            Attendance.keep_names(slots)
            Event.record(slots, 'closed')
            cls._start_attended(slots)
            cls.on_close(slots)

    @classmethod
    @Workflow.transition('held')
    def _set_held(cls, slots):
        pass

    @classmethod
    def _start_attended(cls, slots):
        "Who has attended has started, and so has the session"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        for sub_slots in grouped_slice(slots, BATCH):
            sub_slots = list(sub_slots)
            Enrolment.start(Enrolment.search([
                        ('state', '=', 'confirmed'),
                        ('attendances', 'where', [
                                ('slot', 'in', [s.id for s in sub_slots]),
                                ('state', 'in', ATTENDED),
                                ]),
                        ], order=[]))
            sessions = {s.session for s in sub_slots}
            Session.run([s for s in sessions if s.state == 'planned'])

    @classmethod
    def on_close(cls, slots):
        "Hook called once the sheets are official"

    @classmethod
    @ModelView.button
    def cancel(cls, slots):
        "Cancel the slots and what their open sheets say by default"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Event = pool.get('training.session.slot.event')
        tools.lock(cls, slots)
        cls._check_not_held(slots)
        opened = [s for s in slots if s.state == 'open']
        cls._warn_checked(opened)
        Event.record(opened, 'cancelled', lambda slot: slot.cancel_reason)
        # What a guest catches up must be free to be caught up elsewhere
        cls._delete_lines(slots, ['OR',
                ('source', '=', 'default'),
                ('catches_up', '!=', None),
                ])
        with Enrolment.store_facts_once():
            super().cancel(slots)
        if opened:
            cls.on_cancel_sheet(opened)

    @classmethod
    def on_cancel_sheet(cls, slots):
        "Hook called once the slots whose sheets were open are cancelled"

    @classmethod
    @ModelView.button
    def plan(cls, slots):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        tools.lock(cls, slots)
        # What was checked on the sheet was about a slot that did not happen
        cls._delete_lines([
                e.slot for e in cls._search_events(
                    [s for s in slots if s.state == 'cancelled'],
                    'cancelled')])
        with Enrolment.store_facts_once():
            super().plan(slots)

    @classmethod
    def _delete_lines(cls, slots, *domain):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        for sub_slots in grouped_slice(slots, BATCH):
            with Transaction().set_context(_log=True):
                Attendance.delete(Attendance.search([
                            ('slot', 'in', [s.id for s in sub_slots]),
                            *domain], order=[]))

    @classmethod
    @ModelView.button
    def others_present(cls, slots):
        "Tell that the trainees of the lines not checked are present"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        tools.lock(cls, slots)
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
    def _check_not_held(cls, slots):
        for slot in slots:
            if slot.state == 'held':
                raise SheetError(gettext(
                        'training_abandon.msg_sheet_cancel_held',
                        slot=slot.rec_name))

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
    def _warn_checked(cls, slots):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        names = ['attendance_count', 'unchecked_count']
        counts = cls.get_attendance_counts(slots, names)
        checked = [
            s for s in slots
            if counts['attendance_count'][s.id]
            > counts['unchecked_count'][s.id]]
        if not checked:
            return
        key = Warning.format('training_sheet_cancel', checked)
        if Warning.check(key):
            raise SheetCancelWarning(key, gettext(
                    'training_abandon.msg_sheet_cancel_checked',
                    slots=cls.sheet_names(checked)))

    @classmethod
    def sheet_names(cls, slots):
        return ', '.join(tools.first((s.rec_name for s in slots), NAMED))


class SlotEvent(ModelSQL, ModelView):
    __name__ = 'training.session.slot.event'

    slot = fields.Many2One(
        'training.session.slot', "Slot", required=True, readonly=True,
        ondelete='CASCADE')
    kind = fields.Selection([
            ('opened', "Opened"),
            ('closed', "Closed"),
            ('reopened', "Reopened"),
            ('changed', "Changed"),
            ('erased', "Person Erased"),
            ('cancelled', "Cancelled"),
            ], "What Happened", required=True, readonly=True, sort=False,
        help="What was done with the sheet: opened, closed, reopened or "
        "cancelled.")
    kind_string = kind.translated('kind')
    at = fields.DateTime("Date", required=True, readonly=True)
    user = fields.Many2One(
        'res.user', "User", readonly=True, ondelete='SET NULL')
    attendances = fields.Integer(
        "Trainees", readonly=True,
        help="The number of lines of the sheet at that time.")
    absent = fields.Integer(
        "Absent", readonly=True,
        help="The number of lines that were absent or excused at that time.")
    unchecked = fields.Integer(
        "Not Checked", readonly=True,
        help="The number of lines that were present only by default.")
    description = fields.Char(
        "Description", readonly=True,
        help="What the sheet said before and after.")
    reason = fields.Text(
        "Reason", readonly=True,
        states={
            'invisible': ~Eval('reason'),
            },
        help="Why, as who did it told it.")
    session_number = fields.Char(
        "Number of the Session", readonly=True,
        help="What the sheet said at that time, like the fields below.")
    course_name = fields.Char(
        "Course", readonly=True, help="The name on the sheet at that time.")
    trainer_name = fields.Char(
        "Trainer", readonly=True, help="The name on the sheet at that time.")
    location_name = fields.Char(
        "Location", readonly=True, help="The name on the sheet at that time.")

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        has_names = table_h.column_exist('course_name')
        super().__register__(module)
        if not has_names:
            cls._keep_names()

    @classmethod
    def _keep_names(cls):
        "Give the official sheets the names that they say today"
        pool = Pool()
        Course = pool.get('training.course')
        Party = pool.get('party.party')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        event, slot = cls.__table__(), Slot.__table__()
        session, course = Session.__table__(), Course.__table__()
        trainer = Party.__table__()
        names = (slot
            .join(session, condition=session.id == slot.session)
            .join(course, condition=course.id == session.course)
            .join(trainer, 'LEFT', condition=trainer.id == slot.trainer))
        of_event = slot.id == event.slot
        Transaction().connection.cursor().execute(*event.update(
                [event.session_number, event.course_name, event.trainer_name],
                [
                    names.select(session.number, where=of_event),
                    names.select(
                        Concat(
                            Coalesce(Concat(Concat('[', course.code), '] '),
                                ''),
                            course.name),
                        where=of_event),
                    names.select(trainer.name, where=of_event),
                    ],
                where=(event.kind == 'closed')
                & event.slot.in_(slot.select(
                        slot.id, where=slot.state == 'held'))))

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('slot')
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t, (t.slot, Index.Equality()),
                    (t.kind, Index.Equality(cardinality='low'))),
                Index(
                    t, (t.kind, Index.Equality(cardinality='low')),
                    (t.slot, Index.Equality())),
                })
        cls._order = [
            ('at', 'DESC'),
            ('id', 'DESC'),
            ]

    @classmethod
    def record(
            cls, slots, kind, get_reason=lambda slot: None, description=None):
        """Record what happened to the sheets.

        get_reason returns why it did to a slot, or None."""
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
                    'description': description,
                    **slot.names_now(),
                    'reason': get_reason(slot),
                    } for slot in slots])

    @classmethod
    def add_cancel_reason(cls, slots):
        "Keep the reason of the slots that is given once they are cancelled"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        events = {
            e.slot: e for e in Slot._search_events(
                [s for s in slots if s.state == 'cancelled'], 'cancelled')}
        for slot, event in events.items():
            if slot.cancel_reason and not event.reason:
                cls.write([event], {'reason': slot.cancel_reason})

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
        return search_names(cls, clause, 'slot.rec_name')


class Reopen(Wizard):
    __name__ = 'training.session.slot.reopen'

    start = StateView(
        'training.session.slot.reopen.start',
        'training_abandon.slot_reopen_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Reopen", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def transition_apply(self):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        reason = (self.start.reason or '').strip()
        if not reason:
            raise SheetError(gettext(
                    'training_abandon.msg_sheet_reopen_no_reason'))
        for slot in self.records:
            if slot.state != 'held':
                raise SheetError(gettext(
                        'training_abandon.msg_sheet_reopen_state',
                        slot=slot.rec_name, state=slot.state_string))
        Slot.open(self.records, reason=reason)
        return 'end'


class ReopenStart(ModelView):
    __name__ = 'training.session.slot.reopen.start'

    reason = fields.Text(
        "Reason", required=True,
        help="Why the official sheet is corrected: it is kept in its "
        "history.\n"
        "Do not write any health detail.")
