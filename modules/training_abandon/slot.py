# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from sql import Null
from sql.operators import Equal

from trytond.i18n import gettext
from trytond.model import (
    Exclude, Index, ModelSQL, ModelView, Unique, Workflow, fields)
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import timezone as tz

from .exceptions import TrainingValidationError


class Slot(Workflow, ModelSQL, ModelView):
    __name__ = 'training.session.slot'

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
    start_at = fields.DateTime("Start at", readonly=True)
    end_at = fields.DateTime("End at", readonly=True)
    duration = fields.TimeDelta("Duration", readonly=True)
    trainer = fields.Many2One(
        'party.party', "Trainer", ondelete='RESTRICT')
    location = fields.Many2One(
        'party.address', "Location", ondelete='RESTRICT',
        help="Where the slot takes place.\n"
        "Leave empty for the location of the session.")
    uid = fields.Char(
        "UID", readonly=True,
        help="The identifier of the event in the calendar it comes from.")
    attendances = fields.One2Many(
        'training.attendance', 'slot', "Attendances",
        order=[('enrolment.trainee', 'ASC'), ('id', None)],
        states={
            'readonly': Eval('state') != 'open',
            })
    state = fields.Selection([
            ('planned', "Planned"),
            ('open', "Open"),
            ('held', "Held"),
            ('cancelled', "Cancelled"),
            ], "State", readonly=True, required=True, sort=False,
        help="The attendance sheet is filled while the slot is open and "
        "official once it is held.")

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
        cls._order = [
            ('date', 'ASC'),
            ('start', 'ASC'),
            ('id', None),
            ]
        cls._transitions |= {
            ('planned', 'open'),
            ('open', 'held'),
            ('held', 'open'),
            ('planned', 'cancelled'),
            ('cancelled', 'planned'),
            }
        cls._buttons.update(
            plan={
                'invisible': Eval('state') != 'cancelled',
                'depends': ['state'],
                },
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
            cancel={
                'invisible': Eval('state') != 'planned',
                'depends': ['state'],
                })

    @classmethod
    def default_state(cls):
        return 'planned'

    def get_rec_name(self, name):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        return '{} {} - {}'.format(
            lang.strftime(self.date),
            self.start.strftime('%H:%M'), self.end.strftime('%H:%M'))

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('session.rec_name', *clause[1:])]

    def _at(self, time):
        "Return the naive UTC datetime of the local time on that day"
        timezone = tz.UTC
        if self.session.company.timezone:
            timezone = tz.ZoneInfo(self.session.company.timezone)
        return (dt.datetime.combine(self.date, time, timezone)
            .astimezone(tz.UTC)
            .replace(tzinfo=None))

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if (field_names is None
                or {'session', 'date', 'start', 'end'} & field_names):
            computed = {
                'start_at': self._at(self.start),
                'end_at': self._at(self.end),
                }
            computed['duration'] = computed['end_at'] - computed['start_at']
            for name, value in computed.items():
                if getattr(self, name, None) != value:
                    values[name] = value
        return values

    @classmethod
    def validate_fields(cls, slots, field_names):
        super().validate_fields(slots, field_names)
        cls.check_times(slots, field_names)

    @classmethod
    def check_times(cls, slots, field_names=None):
        if field_names and not (
                field_names & {'session', 'date', 'start', 'end'}):
            return
        for slot in slots:
            if slot.end <= slot.start:
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
                and values.keys() & {'session', 'date', 'start', 'end'}):
            for slot in slots:
                if slot.state in {'open', 'held'}:
                    raise AccessError(gettext(
                            'training_abandon.msg_slot_modify_held',
                            slot=slot.rec_name))

    @classmethod
    def on_modification(cls, mode, slots, field_names=None):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        super().on_modification(mode, slots, field_names=field_names)
        if mode == 'write' and field_names & {'date', 'start', 'end'}:
            Attendance.update_missed(
                [a for s in slots for a in s.attendances])

    @classmethod
    def copy(cls, slots, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('uid')
        default.setdefault('attendances')
        return super().copy(slots, default=default)

    @classmethod
    @ModelView.button
    @Workflow.transition('planned')
    def plan(cls, slots):
        pass

    @classmethod
    @ModelView.button
    @Workflow.transition('open')
    def open(cls, slots):
        "Start the attendance sheet: everyone expected is present by default"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Attendance.create_expected(slots)

    @classmethod
    @ModelView.button
    @Workflow.transition('held')
    def close(cls, slots):
        "Make the attendance sheet official"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Attendance.create_expected(slots)

    @classmethod
    @ModelView.button
    @Workflow.transition('cancelled')
    def cancel(cls, slots):
        pass
