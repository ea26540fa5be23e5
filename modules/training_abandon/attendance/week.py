# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import re
from collections import defaultdict

from sql import Literal
from sql.conditionals import Coalesce
from sql.operators import Exists

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import PYSONEncoder
from trytond.tools import grouped_slice
from trytond.transaction import Transaction
from trytond.wizard import Button, StateAction, StateView, Wizard

from .. import tools
from ..exceptions import SheetError
from ..tools import BATCH
from ..training.half_day import HALVES, WEEKDAYS
from .minutes import MINUTES

STATES = ['present', 'late', 'left_early', 'absent', 'excused']
PARTIAL = {
    'late': 'late_minutes',
    'left_early': 'left_minutes',
    }
SEPARATOR = '/'


def _cell(string):
    return fields.Function(
        fields.Char(
            string,
            help="P is present, A absent, E excused, L20 late by 20 minutes, "
            "D10 gone 10 minutes early; a question mark follows what is not "
            "checked."),
        'get_cells', setter='set_cell')


class AttendanceWeek(ModelSQL, ModelView):
    "The attendance of a trainee in a week of a session"
    __name__ = 'training.attendance.week'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, readonly=True)
    trainee = fields.Many2One('training.trainee', "Trainee", readonly=True)
    session = fields.Many2One('training.session', "Session", readonly=True)
    company = fields.Many2One('company.company', "Company", readonly=True)
    monday_morning = _cell("Mon AM")
    monday_afternoon = _cell("Mon PM")
    tuesday_morning = _cell("Tue AM")
    tuesday_afternoon = _cell("Tue PM")
    wednesday_morning = _cell("Wed AM")
    wednesday_afternoon = _cell("Wed PM")
    thursday_morning = _cell("Thu AM")
    thursday_afternoon = _cell("Thu PM")
    friday_morning = _cell("Fri AM")
    friday_afternoon = _cell("Fri PM")
    saturday_morning = _cell("Sat AM")
    saturday_afternoon = _cell("Sat PM")
    sunday_morning = _cell("Sun AM")
    sunday_afternoon = _cell("Sun PM")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('trainee.family_name', 'ASC'),
            ('id', None),
            ]

    @classmethod
    def table_query(cls):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Period = pool.get('training.enrolment.period')
        Slot = pool.get('training.session.slot')
        enrolment = Enrolment.__table__()
        context = Transaction().context
        start, end = cls.dates()
        period, attendance = Period.__table__(), Attendance.__table__()
        slot = Slot.__table__()
        expected = Exists(period.select(
                Literal(1),
                where=(period.enrolment == enrolment.id)
                & (enrolment.state != 'draft')
                & (period.kind == 'expected')
                & (Coalesce(period.start_date, end) <= end)
                & (Coalesce(period.end_date, start) >= start)))
        recorded = Exists(attendance
            .join(slot, condition=slot.id == attendance.slot)
            .select(
                Literal(1),
                where=(attendance.enrolment == enrolment.id)
                & (slot.date >= start)
                & (slot.date <= end)))
        return enrolment.select(
            enrolment.id.as_('id'),
            enrolment.id.as_('enrolment'),
            enrolment.trainee.as_('trainee'),
            enrolment.session.as_('session'),
            enrolment.company.as_('company'),
            where=(enrolment.session == (context.get('session') or -1))
            & (expected | recorded))

    @classmethod
    def dates(cls):
        "Return the Monday and the Sunday of the week of the context"
        pool = Pool()
        Date = pool.get('ir.date')
        return week_dates(
            Transaction().context.get('date') or Date.today())

    @classmethod
    def fields_view_get(cls, view_id=None, view_type='form', level=None):
        result = super().fields_view_get(
            view_id=view_id, view_type=view_type, level=level)
        if Transaction().context.get('date'):
            result = {
                **result,
                'fields': cls._dated(
                    result['fields'], short=result['type'] == 'tree'),
                }
        return result

    @classmethod
    def _dated(cls, definitions, short=False):
        """Return the definitions of the fields with the dates of their cells

        short leaves out the day of the week, so that the narrow columns of the
        grid show the whole date."""
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        monday, _ = cls.dates()
        dated = dict(definitions)
        for i, weekday in enumerate(WEEKDAYS):
            date = lang.strftime(monday + dt.timedelta(days=i), '%d/%m')
            for half, _ in HALVES:
                name = f'{weekday}_{half}'
                if name in dated:
                    message = half if short else 'cell'
                    dated[name] = {
                        **dated[name],
                        'string': gettext(
                            f'training_abandon.msg_attendance_week_{message}',
                            cell=dated[name]['string'], date=date),
                        }
        return dated

    def get_rec_name(self, name):
        return self.trainee.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('trainee.rec_name', *clause[1:])]

    @classmethod
    def get_cells(cls, weeks, names):
        symbols = cls._symbols()
        result = {name: dict.fromkeys(map(int, weeks)) for name in names}
        for (enrolment, name), slots in cls._slots(weeks).items():
            if name in names:
                result[name][enrolment] = f' {SEPARATOR} '.join(
                    cls._text(slot, attendance, symbols)
                    for slot, attendance in slots)
        return result

    @classmethod
    def _text(cls, slot, attendance, symbols):
        if not attendance:
            return '–'
        parts = [symbols[attendance.state]]
        if attendance.state in PARTIAL:
            parts = [
                symbols[state] + str(getattr(attendance, field))
                for state, field in PARTIAL.items()
                if getattr(attendance, field)] or parts
        text = ' '.join(parts)
        if slot.state == 'open' and attendance.source == 'default':
            text += '?'
        return text

    @classmethod
    def _slots(cls, weeks):
        """Return the slots of the cells of the weeks, by enrolment and name
        of the cell, as list of slot and attendance in time order"""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        start, end = cls.dates()
        slots = Slot.search([
                ('session', 'in', list({w.session.id for w in weeks})),
                ('date', '>=', start),
                ('date', '<=', end),
                ('state', '!=', 'cancelled'),
                ])
        attendances = {}
        for sub_weeks in grouped_slice(weeks, BATCH):
            for attendance in Attendance.search([
                        ('slot', 'in', [s.id for s in slots]),
                        ('enrolment', 'in', [w.id for w in sub_weeks]),
                        ], order=[]):
                key = (attendance.enrolment.id, attendance.slot.id)
                attendances[key] = attendance
        expected = Attendance.expected_at(slots)
        cells = defaultdict(list)
        for week in weeks:
            for slot in slots:
                attendance = attendances.get((week.id, slot.id))
                if attendance or (week.id, slot.id) in expected:
                    cells[week.id, cell_name(slot)].append(
                        (slot, attendance))
        return cells

    @classmethod
    def _symbols(cls):
        "Return the symbol of each state"
        return {
            'present': gettext('training_abandon.msg_attendance_present'),
            'late': gettext('training_abandon.msg_attendance_late'),
            'left_early': gettext(
                'training_abandon.msg_attendance_left_early'),
            'absent': gettext('training_abandon.msg_attendance_absent'),
            'excused': gettext('training_abandon.msg_attendance_excused'),
            }

    @classmethod
    def write(cls, *args):
        # The cells are written on the attendance sheets
        actions = iter(args)
        for weeks, values in zip(actions, actions):
            for name, value in values.items():
                if cls._fields[name].setter != 'set_cell':
                    continue
                cls.set_cell(weeks, name, value)

    @classmethod
    def set_cell(cls, weeks, name, value):
        "Write on the sheets what has been typed in the cell"
        pool = Pool()
        if not Transaction().context.get('date'):
            # Only who has chosen the week knows of which one the cell is
            raise SheetError(gettext(
                    'training_abandon.msg_attendance_week_no_date'))
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        cells = cls._slots(weeks)
        tools.lock(Slot, {
                slot for week in weeks
                for slot, _ in cells.get((week.id, name), [])})
        actions = []
        for week in weeks:
            slots = cells.get((week.id, name), [])
            entries = [cls._parse(t) for t in (value or '').split(SEPARATOR)]
            if len(entries) == 1:
                entries *= len(slots)
            if (not slots or None in entries
                    or len(entries) != len(slots)):
                raise SheetError(gettext(
                        'training_abandon.msg_attendance_week_entry',
                        entry=value or '',
                        trainee=week.trainee.rec_name,
                        count=len(slots),
                        **cls._symbols()))
            for (slot, attendance), entry in zip(slots, entries):
                if not attendance or slot.state != 'open':
                    raise AccessError(gettext(
                            'training_abandon.msg_attendance_week_not_open',
                            slot=slot.rec_name,
                            trainee=week.trainee.rec_name))
                actions += [[attendance], entry]
        if actions:
            Attendance.write(*actions)

    @classmethod
    def _parse(cls, text):
        """Return the values of the attendance for what has been typed, None
        if it is not known"""
        states = {
            symbol.casefold(): state
            for state, symbol in cls._symbols().items()}
        text = text.strip().rstrip('?').casefold()
        if not re.fullmatch(r'([^\W\d_]\s*\d*\s*)+', text):
            return
        values = dict.fromkeys(MINUTES.values())
        entries = re.findall(r'([^\W\d_])\s*(\d*)', text)
        for symbol, minutes in reversed(entries):
            state = states.get(symbol)
            if not state or minutes and state not in PARTIAL:
                return
            values['state'] = state
            if minutes:
                values[MINUTES[PARTIAL[state]]] = dt.timedelta(
                    minutes=int(minutes))
        if len(entries) > 1 and (
                {states[s] for s, _ in entries} != PARTIAL.keys()):
            return
        return values


class OpenWeek(Wizard):
    "Open the grid of the week that is chosen, another one in another tab"
    __name__ = 'training.attendance.week.open'

    start = StateView(
        'training.attendance.week.context',
        'training_abandon.attendance_week_context_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Open", 'open_', 'tryton-ok', default=True),
            ])
    open_ = StateAction('training_abandon.act_attendance_week_form')

    def default_start(self, fields):
        pool = Pool()
        Context = pool.get('training.attendance.week.context')
        if (self.model and self.model.__name__ == 'training.session'
                and self.record):
            date = Context.nearest_date(self.record)
            monday, sunday = week_dates(date)
            return {
                'session': self.record.id,
                'date': date,
                'from_date': monday,
                'to_date': sunday,
                }
        return {}

    def do_open_(self, action):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        session, date = self.start.session, self.start.date
        if not session or not date:
            raise SheetError(gettext(
                    'training_abandon.msg_attendance_week_no_date'))
        monday, sunday = week_dates(date)
        action['pyson_context'] = PYSONEncoder().encode({
                'session': session.id,
                'date': monday,
                'from_date': monday,
                'to_date': sunday,
                })
        action['name'] = gettext(
            'training_abandon.msg_attendance_week_name',
            session=session.rec_name,
            from_date=lang.strftime(monday), to_date=lang.strftime(sunday))
        return action, {}


class AttendanceWeekContext(ModelView):
    __name__ = 'training.attendance.week.context'

    session = fields.Many2One('training.session', "Session", required=True)
    date = fields.Date(
        "Date", required=True, help="A day of the week to show.")
    from_date = fields.Function(
        fields.Date(
            "From Date", help="The Monday of the week shown."),
        'on_change_with_from_date')
    to_date = fields.Function(
        fields.Date(
            "To Date", help="The Sunday of the week shown."),
        'on_change_with_to_date')

    @classmethod
    def default_session(cls):
        return Transaction().context.get('session')

    @classmethod
    def default_date(cls):
        "Return today, or the nearest day of the session"
        pool = Pool()
        Session = pool.get('training.session')
        session = cls.default_session()
        return cls.nearest_date(Session(session) if session else None)

    @classmethod
    def nearest_date(cls, session):
        pool = Pool()
        Date = pool.get('ir.date')
        date = Date.today()
        if session and session.start_date and session.end_date:
            date = min(max(date, session.start_date), session.end_date)
        return date

    @fields.depends(
        'session', '_parent_session.start_date', '_parent_session.end_date')
    def on_change_session(self):
        self.date = self.nearest_date(self.session)
        self.from_date, self.to_date = week_dates(self.date)

    @fields.depends('date')
    def on_change_with_from_date(self, name=None):
        return week_dates(self.date)[0] if self.date else None

    @fields.depends('date')
    def on_change_with_to_date(self, name=None):
        return week_dates(self.date)[1] if self.date else None


def week_dates(date):
    "Return the Monday and the Sunday of the week"
    monday = date - dt.timedelta(days=date.weekday())
    return monday, monday + min(dt.timedelta(days=6), dt.date.max - monday)


def cell_name(slot):
    return f'{slot.weekday}_{slot.half}'
