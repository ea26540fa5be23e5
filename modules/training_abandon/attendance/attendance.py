# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import defaultdict

from sql import Literal, Null
from sql.aggregate import Max
from sql.operators import Exists

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..access import is_user
from ..exceptions import TrainingValidationError
from ..rec_name import search_names
from ..tools import BATCH
from .evidence import AttendanceEvidenceMixin
from .facts import ATTENDED, FactsMixin
from .minutes import PARTIAL_STATES, MinutesMixin

ZERO = dt.timedelta()


class Attendance(
        AttendanceEvidenceMixin, FactsMixin, MinutesMixin, ModelSQL,
        ModelView):
    __name__ = 'training.attendance'
    _given_fields = {'missed'}

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True,
        ondelete='CASCADE')
    slot = fields.Many2One(
        'training.session.slot', "Slot", required=True, ondelete='CASCADE')
    trainee = fields.Function(fields.Many2One(
            'training.trainee', "Trainee"),
        'on_change_with_trainee', searcher='search_trainee')
    date = fields.Function(
        fields.Date("Date"),
        'on_change_with_date', searcher='search_date')
    slot_state = fields.Function(
        fields.Selection('get_slot_states', "State of the Slot"),
        'on_change_with_slot_state')
    state = fields.Selection([
            ('present', "Present"),
            ('late', "Late"),
            ('left_early', "Left Early"),
            ('absent', "Absent"),
            ('excused', "Excused"),
            ], "State", required=True, sort=False,
        help="Present, late, gone early, absent or excused: it counts once "
        "the sheet is official.")
    state_string = state.translated('state')
    late_by = fields.TimeDelta(
        "Late by",
        domain=['OR',
            ('late_by', '=', None),
            ('late_by', '>=', ZERO),
            ],
        states={
            'invisible': ~Eval('state').in_(['late', 'left_early']),
            })
    left_by = fields.TimeDelta(
        "Left by",
        domain=['OR',
            ('left_by', '=', None),
            ('left_by', '>=', ZERO),
            ],
        states={
            'invisible': ~Eval('state').in_(['late', 'left_early']),
            },
        help="The time between the departure and the end of the slot.")
    missed = fields.TimeDelta(
        "Missed", readonly=True,
        help="The part of the slot missed, excused or not.")
    consecutive_absences = fields.Function(
        fields.Integer(
            "Consecutive Absences",
            help="The number of absences since the last presence, on the "
            "official sheets."),
        'on_change_with_consecutive_absences')
    catches_up = fields.Many2One(
        'training.session.slot', "Catches up", ondelete='RESTRICT',
        domain=[
            ('session', '=', Eval('enrolment_session', -1)),
            ('id', '!=', Eval('slot', -1)),
            ],
        help="The slot that the trainee missed and for which the line "
        "counts instead.")
    enrolment_session = fields.Function(
        fields.Many2One('training.session', "Session of the Enrolment"),
        'on_change_with_enrolment_session')
    justified = fields.Boolean(
        "Justified", readonly=True,
        help="The time missed is excused by an accepted justification.")
    justification = fields.Char(
        "Justification",
        help="The document received for the absence.\n"
        "Do not write any health detail.")
    source = fields.Selection([
            ('default', "Not Checked"),
            ('sheet', "Checked"),
            ('import', "Imported"),
            ], "Check", required=True, sort=False,
        help="If somebody has checked the line, or if it says what the "
        "sheet or the import put there.")
    comment = fields.Char(
        "Comment", help="Do not write any health detail.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('enrolment')
        t = cls.__table__()
        cls._sql_constraints += [
            ('enrolment_slot_unique', Unique(t, t.enrolment, t.slot),
                'training_abandon.msg_attendance_unique'),
            ('enrolment_catches_up_unique',
                Unique(t, t.enrolment, t.catches_up),
                'training_abandon.msg_attendance_caught_up'),
            ]
        cls._sql_indexes.update({
                Index(
                    t, (t.slot, Index.Equality()),
                    (t.state, Index.Equality(cardinality='low'))),
                Index(
                    t, (t.state, Index.Range(cardinality='low')),
                    (t.id, Index.Range())),
                Index(
                    t, (t.catches_up, Index.Equality()),
                    where=t.catches_up != Null),
                })
        cls._order.insert(0, ('slot.date', 'DESC'))
        cls._order.insert(1, ('slot.start', 'DESC'))
        tools.not_sortable(
            cls.missed, cls.catches_up, cls.justified, cls.justification,
            cls.source, cls.comment, cls.state)
        not_open = {
            'readonly': Eval('slot_state') != 'open',
            'depends': ['slot_state'],
            }
        cls._buttons.update(
            set_present=not_open,
            set_absent=not_open)

    @classmethod
    def default_state(cls):
        return 'present'

    @classmethod
    def default_justified(cls):
        return False

    @classmethod
    def default_source(cls):
        return 'sheet'

    @fields.depends('enrolment', '_parent_enrolment.trainee')
    def on_change_with_trainee(self, name=None):
        return self.enrolment.trainee if self.enrolment else None

    @classmethod
    def search_trainee(cls, name, clause):
        nested = clause[0][len(name):]
        return [('enrolment.' + name + nested, *clause[1:])]

    @classmethod
    def order_enrolment(cls, tables):
        table, _ = tables[None]
        return [table.enrolment]

    @classmethod
    def order_slot(cls, tables):
        return [
            *cls.slot.convert_order('slot.date', tables, cls),
            *cls.slot.convert_order('slot.start', tables, cls)]

    @fields.depends('enrolment', '_parent_enrolment.session')
    def on_change_with_enrolment_session(self, name=None):
        return self.enrolment.session if self.enrolment else None

    @fields.depends('slot', '_parent_slot.date')
    def on_change_with_date(self, name=None):
        return self.slot.date if self.slot else None

    @fields.depends('enrolment', '_parent_enrolment.consecutive_absences')
    def on_change_with_consecutive_absences(self, name=None):
        return self.enrolment.consecutive_absences if self.enrolment else None

    @classmethod
    def search_date(cls, name, clause):
        return [('slot.' + clause[0], *clause[1:])]

    @classmethod
    def get_slot_states(cls):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        return Slot.fields_get(['state'])['state']['selection']

    @fields.depends('slot', '_parent_slot.state')
    def on_change_with_slot_state(self, name=None):
        return self.slot.state if self.slot else None

    def get_rec_name(self, name):
        return f'{self.enrolment.rec_name} - {self.slot.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'enrolment.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'absent', 'danger',
                    If(Eval('state').in_(['excused', *PARTIAL_STATES]),
                        'warning',
                        If(Eval('source') == 'default', 'muted', '')))),
            ]

    def _missed(self):
        if self.state == 'present':
            return ZERO
        elif self.state in {'absent', 'excused'}:
            return self.slot.duration
        return (self.late_by or ZERO) + (self.left_by or ZERO)

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if (field_names is None
                or {'slot', 'state', 'late_by', 'left_by'} & field_names):
            missed = self._missed()
            if getattr(self, 'missed', None) != missed:
                values['missed'] = missed
        return values

    @classmethod
    def update_missed(cls, attendances):
        "Compute again the time missed at slots whose times changed"
        actions = []
        for attendance in attendances:
            missed = attendance._missed()
            if attendance.missed != missed:
                actions += [[attendance], {'missed': missed}]
        cls.check_missed(attendances)
        if actions:
            cls.write(*actions)

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'create':
            # The other states need the slot
            if values.get('state') == 'present':
                values['missed'] = ZERO
            elif values.get('state') in {'late', 'left_early'}:
                values['missed'] = (
                    (values.get('late_by') or ZERO)
                    + (values.get('left_by') or ZERO))
        elif mode == 'write' and 'state' in values:
            # The line has been looked at
            values.setdefault('source', 'sheet')
        return values

    @classmethod
    def validate_fields(cls, attendances, field_names):
        super().validate_fields(attendances, field_names)
        cls.check_missed(attendances, field_names)
        cls.check_session(attendances, field_names)
        cls.check_trainee(attendances, field_names)
        cls.check_catches_up(attendances, field_names)

    @classmethod
    def check_missed(cls, attendances, field_names=None):
        if field_names and not (
                field_names & {'slot', 'state', 'late_by', 'left_by'}):
            return
        for attendance in attendances:
            if (attendance.state in {'late', 'left_early'}
                    and attendance._missed() > attendance.slot.duration):
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_attendance_missed_too_long',
                        attendance=attendance.rec_name))

    @classmethod
    def check_session(cls, attendances, field_names=None):
        if field_names and not (
                field_names & {'slot', 'enrolment', 'catches_up'}):
            return
        cursor = Transaction().connection.cursor()
        for sub_attendances in grouped_slice(attendances, BATCH):
            cursor.execute(*cls._other_session_query(
                    [a.id for a in sub_attendances]))
            for id_, in cursor:
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_attendance_other_session',
                        attendance=cls(id_).rec_name))

    @classmethod
    def _other_session_query(cls, ids):
        "Return the query of the ids whose slot is not of the session"
        query, attendance, slot, enrolment = cls._joined()
        return query.select(
            attendance.id,
            where=fields.SQL_OPERATORS['in'](attendance.id, ids)
            & (attendance.catches_up == Null)
            & (slot.session != enrolment.session))

    @classmethod
    def check_trainee(cls, attendances, field_names=None):
        "Check that the sheets have one line for each trainee"
        if field_names and not field_names & {'slot', 'enrolment'}:
            return
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        cursor = Transaction().connection.cursor()
        for sub_attendances in grouped_slice(attendances, BATCH):
            query, attendance, _, enrolment = cls._joined()
            other, other_enrolment = (
                cls.__table__(), Enrolment.__table__())
            cursor.execute(*query
                .join(other, condition=(other.slot == attendance.slot)
                    & (other.id != attendance.id))
                .join(other_enrolment,
                    condition=(other_enrolment.id == other.enrolment)
                    & (other_enrolment.trainee == enrolment.trainee))
                .select(
                    attendance.id,
                    where=fields.SQL_OPERATORS['in'](
                        attendance.id, [a.id for a in sub_attendances]),
                    limit=1))
            for id_, in cursor:
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_attendance_trainee_twice',
                        attendance=cls(id_).rec_name))

    @classmethod
    def check_catches_up(cls, attendances, field_names=None):
        if field_names and not (
                field_names & {'slot', 'enrolment', 'catches_up'}):
            return
        attendances = [a for a in attendances if a.catches_up]
        for sub_attendances in grouped_slice(attendances, BATCH):
            sub_attendances = list(sub_attendances)
            attended = {
                (a.enrolment, a.slot) for a in cls.search([
                        ('enrolment', 'in',
                            [a.enrolment.id for a in sub_attendances]),
                        ('slot', 'in',
                            [a.catches_up.id for a in sub_attendances]),
                        ('state', 'in', ATTENDED),
                        ('slot.state', '=', 'held'),
                        ])}
            for attendance in sub_attendances:
                missed = attendance.catches_up
                if (missed.session != attendance.enrolment.session
                        or missed == attendance.slot):
                    raise TrainingValidationError(gettext(
                            'training_abandon.msg_attendance_catches_up',
                            attendance=attendance.rec_name,
                            slot=missed.rec_name))
                if (attendance.enrolment, missed) in attended:
                    raise TrainingValidationError(gettext(
                            'training_abandon.'
                            'msg_attendance_catches_up_attended',
                            attendance=attendance.rec_name,
                            slot=missed.rec_name))

    @classmethod
    def _joined(cls):
        "Return the attendances with their slot and enrolment, and the tables"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Enrolment = pool.get('training.enrolment')
        attendance = cls.__table__()
        slot = Slot.__table__()
        enrolment = Enrolment.__table__()
        query = (attendance
            .join(slot, condition=slot.id == attendance.slot)
            .join(enrolment, condition=enrolment.id == attendance.enrolment))
        return query, attendance, slot, enrolment

    @classmethod
    def _before_create(cls, vlist):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        if is_user():
            # Before the references to the slots lock them in another way
            tools.lock(Slot, {v['slot'] for v in vlist if v.get('slot')})
        return super()._before_create(vlist)

    @classmethod
    def check_modification(
            cls, mode, attendances, values=None, external=False):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        super().check_modification(
            mode, attendances, values=values, external=external)
        # An import brings the lines, then opens the sheet
        allowed = {'planned', 'open'} if mode == 'create' else {'open'}
        if external:
            target = []
            if values and values.get('slot') is not None:
                target.append(Slot(values['slot']))
            if mode != 'create':
                tools.lock(Slot, {*target, *(a.slot for a in attendances)})
            for attendance in attendances:
                if any(s.state not in allowed
                        for s in [attendance.slot, *target]):
                    raise AccessError(gettext(
                            'training_abandon.msg_attendance_sheet_not_open',
                            attendance=attendance.rec_name))

    @classmethod
    def create_expected(cls, slots):
        """Create the missing lines of the trainees expected at the slots.

        Nobody is added to a sheet that has been official: who was forgotten
        is added by hand."""
        cursor = Transaction().connection.cursor()
        slots = cls.never_official(slots)
        for sub_slots in grouped_slice(slots, BATCH):
            query = cls._expected_query(
                [s.id for s in sub_slots], missing=True)
            cursor.execute(*query)
            values = cls._expected_values(cursor.fetchall())
            for sub_values in grouped_slice(values, BATCH):
                cls.create(list(sub_values))

    @classmethod
    def never_official(cls, slots):
        """Return the slots whose sheet has never been closed, or was called
        off since"""
        pool = Pool()
        Slot = pool.get('training.session.slot')
        closed, cancelled = (
            {e.slot: e.id for e in Slot._search_events(slots, kind)}
            for kind in ['closed', 'cancelled'])
        return [
            s for s in slots
            if closed.get(s, 0) <= cancelled.get(s, 0)]

    @classmethod
    def expected_at(cls, slots):
        "Return the set of the ids of the enrolments expected and the slots"
        cursor = Transaction().connection.cursor()
        expected = set()
        for sub_slots in grouped_slice(slots, BATCH):
            cursor.execute(*cls._expected_query([s.id for s in sub_slots]))
            expected.update(cursor)
        return expected

    @classmethod
    def settled(cls, attendances):
        """Return the attendances that count and that no parallel slot, of
        which the sheet is still to close, can replace."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        cursor = Transaction().connection.cursor()
        settled = set()
        for sub_attendances in grouped_slice(attendances, BATCH):
            query, attendance, slot, _ = cls._joined()
            other = Slot.__table__()
            waiting = Exists(other.select(
                    Literal(1),
                    where=(other.session == slot.session)
                    & Slot.overlaps_sql(slot, other)
                    & other.state.in_(['planned', 'open'])
                    & Enrolment.expects_sql(
                        attendance.enrolment, other, other.id)))
            cursor.execute(*query.select(
                    attendance.id,
                    where=fields.SQL_OPERATORS['in'](
                        attendance.id, [a.id for a in sub_attendances])
                    & cls.counts_sql(attendance, slot)
                    & ~waiting))
            settled.update(id_ for id_, in cursor)
        return [a for a in attendances if a.id in settled]

    @classmethod
    def _expected_values(cls, couples):
        "Return the values of the new lines of the enrolments and slots"
        return [{
                'enrolment': enrolment,
                'slot': slot,
                'state': 'present',
                'source': 'default',
                } for enrolment, slot in couples]

    @classmethod
    def _expected_query(cls, slot_ids, missing=False):
        """Return the query of the couples of enrolment and slot for which
        the trainee is expected, the last enrolment of each trainee."""
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Enrolment = pool.get('training.enrolment')
        attendance = cls.__table__()
        slot = Slot.__table__()
        enrolment = Enrolment.__table__()
        where = (
            fields.SQL_OPERATORS['in'](slot.id, slot_ids)
            & Enrolment.awaited_sql(enrolment, slot))
        if missing:
            own = Enrolment.__table__()
            where &= ~Exists(attendance
                .join(own, condition=own.id == attendance.enrolment)
                .select(
                    Literal(1),
                    where=(attendance.slot == slot.id)
                    & (own.trainee == enrolment.trainee)))
        last = Max(enrolment.id)
        return (slot
            .join(enrolment, condition=enrolment.session == slot.session)
            .select(
                last, slot.id, where=where,
                group_by=[slot.id, enrolment.trainee],
                order_by=[slot.id, last]))

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
        pool = Pool()
        Slot = pool.get('training.session.slot')
        tools.lock(Slot, {a.slot for a in attendances})
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
