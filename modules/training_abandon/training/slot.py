# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import defaultdict

from sql import Literal, Null
from sql.conditionals import Coalesce
from sql.operators import Equal, Exists

from trytond.i18n import gettext
from trytond.model import (
    Exclude, Index, ModelSQL, ModelView, Unique, Workflow, fields)
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.tools import timezone as tz
from trytond.transaction import Transaction

from ..exceptions import SlotError, TrainingValidationError
from ..rec_name import search_names
from ..tools import BATCH
from .configuration import TIMES as SCHEDULE
from .half_day import HALVES, WEEKDAYS, half_of
from .slot_calendar import CalendarMixin
from .slot_clock import ClockMixin
from .slot_conflict import ConflictMixin
from .slot_move import MoveMixin

TIMES = {'session', 'date', 'start', 'end'}
COLORS = {
    'planned': '#3465a4',
    'open': '#ce5c00',
    'held': '#4e9a06',
    'cancelled': '#888a85',
    }
CONFLICT_COLOR = '#cc0000'


class Slot(
        ConflictMixin, MoveMixin, ClockMixin, CalendarMixin, Workflow,
        ModelSQL, ModelView):
    __name__ = 'training.session.slot'
    _given_fields = {
        'start_at', 'end_at', 'duration', 'weekday', 'half', 'parallel'}

    _states = {
        'readonly': Eval('state') != 'planned',
        }

    session = fields.Many2One(
        'training.session', "Session", required=True, ondelete='CASCADE',
        states=_states)
    date = fields.Date("Date", required=True, states=_states)
    start = fields.Time(
        "Start", required=True, format='%H:%M', states=_states,
        help="In the time zone of the company.")
    end = fields.Time(
        "End", required=True, format='%H:%M', states=_states,
        help="In the time zone of the company.")
    start_at = fields.DateTime(
        "Start at", readonly=True,
        help="The start, in the time zone of the computer that shows it.")
    end_at = fields.DateTime(
        "End at", readonly=True,
        help="The end, in the time zone of the computer that shows it.")
    duration = fields.TimeDelta(
        "Duration", readonly=True,
        help="The time from the start to the end, that the official sheet "
        "counts.")
    weekday = fields.Selection(
        [(None, ""), *((d, d.title()) for d in WEEKDAYS)], "Weekday",
        readonly=True, sort=False)
    half = fields.Selection(
        [(None, ""), *HALVES], "Half-Day", readonly=True, sort=False,
        help="That of the start, before or after the noon of the "
        "configuration.")
    parallel = fields.Boolean(
        "Parallel", readonly=True,
        help="Another slot of the session takes place meanwhile.\n"
        "Who is expected at both attends one of them.")
    groups = fields.Many2Many(
        'training.session.slot-training.session.group', 'slot', 'group',
        "Groups",
        domain=[
            ('session', '=', Eval('session', -1)),
            ],
        states=_states,
        help="Leave empty for all the trainees of the session.")
    subject = fields.Many2One(
        'training.course.subject', "Subject", ondelete='RESTRICT',
        domain=[
            ('course', '=', Eval('course', -1)),
            ],
        states=_states)
    course = fields.Function(
        fields.Many2One('training.course', "Course"),
        'on_change_with_course')
    trainer = fields.Many2One(
        'party.party', "Trainer", ondelete='RESTRICT')
    location = fields.Many2One(
        'party.address', "Location", ondelete='RESTRICT',
        help="Where the slot takes place.\n"
        "Leave empty for the location of the session.")
    uid = fields.Char(
        "UID",
        states={
            'readonly': Eval('state') != 'planned',
            },
        help="The identifier of the event in the calendar it comes from.")
    mine = fields.Function(fields.Boolean(
            "Mine",
            help="You are the trainer of the slot, or one of those of its "
            "session when the slot has none of its own, or you have created "
            "its session."),
        'get_mine', searcher='search_mine')
    trainees = fields.Function(fields.Many2Many(
            'training.trainee', None, None, "Trainees",
            help="Who is expected at the slot."),
        'get_trainees', searcher='search_trainees')
    state = fields.Selection([
            ('planned', "Planned"),
            ('open', "Open"),
            ('held', "Held"),
            ('cancelled', "Cancelled"),
            ], "State", readonly=True, required=True, sort=False,
        help="The attendance sheet is filled while the slot is open and "
        "official once it is held.")
    cancel_reason = fields.Char(
        "Cancel Reason",
        states={
            'invisible': Eval('state') != 'cancelled',
            },
        help="Why the slot did not take place: it is kept in the history.\n"
        "Do not write any health detail.")
    calendar_description = fields.Function(
        fields.Text(
            "Calendar Description",
            help="What the calendar shows of the slot when the mouse is on "
            "it."),
        'get_calendar')
    calendar_background_color = fields.Function(
        fields.Char("Calendar Background Color"), 'get_calendar')
    state_string = state.translated('state')

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('session')
        t = cls.__table__()
        cls._sql_constraints += [
            ('session_start_unique',
                Unique(t, t.session, t.date, t.start, t.trainer),
                'training_abandon.msg_slot_session_start_unique'),
            ('session_start_no_trainer_unique',
                Exclude(
                    t, (t.session, Equal), (t.date, Equal), (t.start, Equal),
                    where=t.trainer == Null),
                'training_abandon.msg_slot_session_start_unique'),
            ]
        cls._sql_indexes.add(
            Index(t, (t.session, Index.Equality()), (t.date, Index.Range())))
        cls._sql_indexes.add(
            Index(t, (t.start_at, Index.Range()), (t.end_at, Index.Range())))
        cls._sql_indexes.add(
            Index(
                t, (t.date, Index.Range()), (t.start, Index.Range()),
                (t.id, Index.Range())))
        cls._order = [
            ('date', 'ASC'),
            ('start', 'ASC'),
            ('id', None),
            ]
        cls._transitions |= {
            ('planned', 'cancelled'),
            ('cancelled', 'planned'),
            }
        cls._buttons.update(
            plan={
                'invisible': Eval('state') != 'cancelled',
                'depends': ['state'],
                },
            cancel={
                'invisible': Eval('state') != 'planned',
                'depends': ['state'],
                })

    @classmethod
    def default_state(cls):
        return 'planned'

    @fields.depends('session', 'trainer', '_parent_session.trainers')
    def on_change_session(self):
        if self.session and not self.trainer:
            if len(self.session.trainers or []) == 1:
                self.trainer, = self.session.trainers

    @fields.depends('session', '_parent_session.course')
    def on_change_with_course(self, name=None):
        return self.session.course if self.session else None

    @fields.depends(
        'session', '_parent_session.company', 'start_at', 'start',
        methods=['on_change_start'])
    def on_change_start_at(self):
        # Where the user has clicked in the calendar
        if self.start_at and not self.start:
            start = self._local(self.start_at)
            self.date = start.date()
            if start.time():
                self.start = start.time()
                self.on_change_start()

    @fields.depends(
        'session', '_parent_session.company', 'start', 'end')
    def on_change_start(self):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        if self.start and not self.end:
            company = self.session.company.id if self.session else None
            for start, end in Configuration(1).get_times(company=company):
                if start <= self.start < end:
                    self.end = end

    def get_rec_name(self, name):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        return '{} {} - {}'.format(
            lang.strftime(self.date),
            self.start.strftime('%H:%M'), self.end.strftime('%H:%M'))

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'session.rec_name')

    @property
    def planning_name(self):
        "The slot with its session"
        return f'{self.rec_name} ({self.session.rec_name})'

    @classmethod
    def get_calendar(cls, slots, names):
        conflicts = cls.describe_conflicts(
            cls._readable_conflicts(cls.find_conflicts(slots)))
        descriptions, colors = {}, {}
        for slot in slots:
            booked = [r.rec_name for r in [slot.trainer, slot.location] if r]
            lines = conflicts.get(slot.id, [])
            descriptions[slot.id] = '\n'.join(booked + lines)
            colors[slot.id] = CONFLICT_COLOR if lines else COLORS[slot.state]
        return {
            'calendar_description': descriptions,
            'calendar_background_color': colors,
            }

    @classmethod
    def _mine_query(cls):
        "Return the query of the ids of the slots that the user gives or plans"
        pool = Pool()
        Employee = pool.get('company.employee')
        trainer = -1
        if (employee := Transaction().context.get('employee')) is not None:
            trainer = Employee(employee).party.id
        return cls.search(['OR',
                ('trainer', '=', trainer),
                [
                    ('trainer', '=', None),
                    ('session.trainers', '=', trainer),
                    ],
                ('session.create_uid', '=', Transaction().user),
                ], order=[], query=True)

    @classmethod
    def get_mine(cls, slots, name):
        mine = set()
        for sub_slots in grouped_slice(slots, BATCH):
            mine.update(cls.search([
                        ('id', 'in', [s.id for s in sub_slots]),
                        ('id', 'in', cls._mine_query()),
                        ], order=[]))
        return {s.id: s in mine for s in slots}

    @classmethod
    def search_mine(cls, name, clause):
        _, operator, value = clause
        operator = 'in' if bool(value) == (operator == '=') else 'not in'
        return [('id', operator, cls._mine_query())]

    @classmethod
    def get_trainees(cls, slots, name):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        slot = cls.__table__()
        enrolment = Enrolment.__table__()
        cursor = Transaction().connection.cursor()
        trainees = {s.id: [] for s in slots}
        for sub_slots in grouped_slice(slots, BATCH):
            cursor.execute(*slot.join(enrolment,
                    condition=enrolment.session == slot.session).select(
                    slot.id, enrolment.trainee,
                    where=fields.SQL_OPERATORS['in'](
                        slot.id, [s.id for s in sub_slots])
                    & Enrolment.awaited_sql(enrolment, slot),
                    order_by=[enrolment.id]))
            for id_, trainee in cursor:
                trainees[id_].append(trainee)
        return trainees

    @classmethod
    def search_trainees(cls, name, clause):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Trainee = pool.get('training.trainee')
        slot = cls.__table__()
        enrolment = Enrolment.__table__()
        nested = clause[0][len(name) + 1:]
        if not nested:
            nested = 'rec_name' if isinstance(clause[2], str) else 'id'
        trainees = Trainee.search([(nested, *clause[1:])], query=True)
        return [('id', 'in', slot.join(enrolment,
                    condition=enrolment.session == slot.session).select(
                    slot.id,
                    where=enrolment.trainee.in_(trainees)
                    & Enrolment.awaited_sql(enrolment, slot)))]

    @property
    def _timezone(self):
        pool = Pool()
        Company = pool.get('company.company')
        company = None
        if getattr(self, 'session', None):
            company = self.session.company
        elif (company_id := Transaction().context.get('company')) is not None:
            company = Company(company_id)
        if company and company.timezone:
            return tz.ZoneInfo(company.timezone)
        return tz.UTC

    def _at(self, time):
        "Return the naive UTC datetime of the local time on that day"
        return (dt.datetime.combine(self.date, time, self._timezone)
            .astimezone(tz.UTC)
            .replace(tzinfo=None))

    def _local(self, at):
        "Return the local datetime of the naive UTC datetime"
        return (at.replace(tzinfo=tz.UTC)
            .astimezone(self._timezone)
            .replace(tzinfo=None))

    def compute_fields(self, field_names=None):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        values = super().compute_fields(field_names=field_names)
        if field_names is None or TIMES & field_names:
            computed = {
                'start_at': self._at(self.start),
                'end_at': self._at(self.end),
                }
            computed['duration'] = computed['end_at'] - computed['start_at']
            computed['weekday'] = WEEKDAYS[self.date.weekday()]
            computed['half'] = half_of(
                self.start, Configuration.get_noon(self.session.company))
            for name, value in computed.items():
                if getattr(self, name, None) != value:
                    values[name] = value
        return values

    @classmethod
    def update_halves(cls, company_ids=None):
        """Give their half-day to the slots of which no sheet has been opened,
        of the companies or of all of them."""
        domain = [('state', '=', 'planned')]
        if company_ids is not None:
            domain.append(('session.company', 'in', company_ids))
        for sub_slots in grouped_slice(cls.search(domain, order=[]), BATCH):
            cls._update_halves(list(sub_slots))

    @classmethod
    def _update_halves(cls, slots):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        halves = defaultdict(list)
        for slot in slots:
            half = half_of(
                slot.start, Configuration.get_noon(slot.session.company))
            weekday = WEEKDAYS[slot.date.weekday()]
            if (slot.half, slot.weekday) != (half, weekday):
                halves[half, weekday].append(slot)
        for (half, weekday), slots in halves.items():
            cls.write(slots, {'half': half, 'weekday': weekday})

    @classmethod
    def on_modification(cls, mode, slots, field_names=None):
        super().on_modification(mode, slots, field_names=field_names)
        if mode == 'create' or (
                mode == 'write' and field_names & {*TIMES, 'state'}):
            cls.update_parallel({s.session.id for s in slots})

    @classmethod
    def on_delete(cls, slots):
        callback = super().on_delete(slots)
        sessions = {s.session.id for s in slots}
        callback.append(lambda: cls.update_parallel(sessions))
        return callback

    @classmethod
    def on_expectation(cls, slots):
        "Hook called once it has changed who is expected at the slots"

    @classmethod
    def update_parallel(cls, session_ids):
        "Note which slots of the sessions take place at the same time"
        cursor = Transaction().connection.cursor()
        changed = {True: [], False: []}
        for sub_ids in grouped_slice(sorted(session_ids), BATCH):
            slot, other = cls.__table__(), cls.__table__()
            parallel = (slot.state != 'cancelled') & Exists(other.select(
                    Literal(1),
                    where=(other.session == slot.session)
                    & cls.overlaps_sql(slot, other)))
            cursor.execute(*slot.select(
                    slot.id, parallel,
                    where=fields.SQL_OPERATORS['in'](
                        slot.session, list(sub_ids))
                    & (Coalesce(slot.parallel, Literal(False)) != parallel)))
            for id_, is_parallel in cursor:
                changed[bool(is_parallel)].append(id_)
        for is_parallel, ids in changed.items():
            for sub_ids in grouped_slice(ids, BATCH):
                cls.write(
                    cls.browse(list(sub_ids)), {'parallel': is_parallel})

    @classmethod
    def with_parallel(cls, slot_ids):
        "Return the ids of the slots and of those parallel to them"
        cursor = Transaction().connection.cursor()
        ids = set(slot_ids)
        for sub_ids in grouped_slice(list(slot_ids), BATCH):
            slot, other = cls.__table__(), cls.__table__()
            cursor.execute(*slot
                .join(other,
                    condition=(other.session == slot.session)
                    & cls.overlaps_sql(slot, other))
                .select(
                    other.id,
                    where=fields.SQL_OPERATORS['in'](
                        slot.id, list(sub_ids))))
            ids.update(id_ for id_, in cursor)
        return ids

    @classmethod
    def overlaps_sql(cls, slot, other):
        "Return the SQL expression that is true when they meet in time"
        return (
            (other.date == slot.date)
            & (other.id != slot.id)
            & (other.state != 'cancelled')
            & (other.start_at < slot.end_at)
            & (other.end_at > slot.start_at))

    @classmethod
    def precedes_sql(cls, slot, other):
        "Return the SQL expression that is true when the slot starts first"
        return (
            (slot.start_at < other.start_at)
            | ((slot.start_at == other.start_at) & (slot.id < other.id)))

    @classmethod
    def __register__(cls, module):
        table = cls.__table_handler__(module)
        is_new = (
            table.table_exist(cls._table)
            and not table.column_exist('half'))
        super().__register__(module)
        if is_new:
            cls._fill_halves()

    @classmethod
    def _fill_halves(cls):
        "Fill the half-days of the slots of the versions without them"
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(table.id, table.date, table.start))
        halves = defaultdict(list)
        for id_, date, start in cursor.fetchall():
            if isinstance(date, str):
                date = dt.date.fromisoformat(date)
            if isinstance(start, str):
                start = dt.time.fromisoformat(start)
            halves[
                WEEKDAYS[date.weekday()],
                half_of(start, SCHEDULE['noon'])].append(id_)
        for (weekday, half), ids in halves.items():
            for sub_ids in grouped_slice(ids, BATCH):
                cursor.execute(*table.update(
                        [table.weekday, table.half], [weekday, half],
                        where=fields.SQL_OPERATORS['in'](
                            table.id, list(sub_ids))))
        other = cls.__table__()
        cursor.execute(*table.update(
                [table.parallel], [Literal(True)],
                where=(table.state != 'cancelled') & Exists(other.select(
                        Literal(1),
                        where=(other.session == table.session)
                        & cls.overlaps_sql(table, other)))))

    @classmethod
    def validate_fields(cls, slots, field_names):
        super().validate_fields(slots, field_names)
        cls.check_times(slots, field_names)
        cls.check_session_takes(slots, field_names)

    @classmethod
    def check_session_takes(cls, slots, field_names=None):
        "Check that no slot is planned in a session that has ended"
        if field_names and not field_names & {'session', 'state'}:
            return
        for slot in slots:
            if slot.state == 'planned' and slot.session.has_ended:
                raise SlotError(gettext(
                        'training_abandon.msg_slot_session_ended',
                        slot=slot.rec_name,
                        session=slot.session.rec_name,
                        state=slot.session.state_string))

    @classmethod
    def check_times(cls, slots, field_names=None):
        if field_names and not field_names & TIMES:
            return
        for slot in slots:
            # On the day when the clocks change both can differ
            if (slot.end <= slot.start
                    or slot._at(slot.end) <= slot._at(slot.start)):
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_slot_end_before_start',
                        slot=slot.rec_name))
            session = slot.session
            if not session.start_date <= slot.date <= session.end_date:
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_slot_outside_session',
                        slot=slot.rec_name,
                        session=session.rec_name))

    @classmethod
    def check_modification(cls, mode, slots, values=None, external=False):
        super().check_modification(
            mode, slots, values=values, external=external)
        if mode == 'delete' or (
                mode == 'write' and external
                and values.keys() & TIMES):
            cls.check_not_opened(slots)

    @classmethod
    def check_not_opened(cls, slots):
        for slot in slots:
            if slot.state in {'open', 'held'}:
                raise AccessError(gettext(
                        'training_abandon.msg_slot_modify_held',
                        slot=slot.rec_name))

    @classmethod
    def copy(cls, slots, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('uid')
        default.setdefault('cancel_reason')
        return super().copy(slots, default=default)

    @classmethod
    @ModelView.button
    @Workflow.transition('planned')
    def plan(cls, slots):
        cls.write(slots, {'cancel_reason': None})

    @classmethod
    @ModelView.button
    @Workflow.transition('cancelled')
    def cancel(cls, slots):
        pass
