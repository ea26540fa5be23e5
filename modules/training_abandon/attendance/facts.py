# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import defaultdict
from functools import partial

from sql import Cast, Expression, Literal, Null, Window
from sql.aggregate import Count, Max, Sum
from sql.conditionals import Coalesce, NullIf
from sql.functions import Extract, Round

from trytond import backend
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Equal, Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..tools import apply_types

ZERO = dt.timedelta()
ATTENDED = ['present', 'late', 'left_early']
# From this number of consecutive absences the trainee stands out in the list
ABSENCES = 3
# The SQL type of the facts of the held slots and their value without any
RECORDED = {
    'hours_held': ('INTERVAL', ZERO),
    'hours_attended': ('INTERVAL', ZERO),
    'hours_missed': ('INTERVAL', ZERO),
    'hours_excused': ('INTERVAL', ZERO),
    'attendance_rate': ('FLOAT', None),
    'absence_count': ('INTEGER', 0),
    'consecutive_absences': ('INTEGER', 0),
    'late_count': ('INTEGER', 0),
    'last_presence': ('DATE', None),
    }
FACTS = {'hours_planned': ('INTERVAL', ZERO), **RECORDED}
HOURS = [name for name in FACTS if name.startswith('hours_')]


class FactsMixin:
    "What the official sheets tell of the enrolments"
    __slots__ = ()

    @classmethod
    def _held_query(cls, enrolment_ids=None):
        """Return the query of the held slots at which the trainees were
        expected, one row per attendance, of the enrolments or of all of
        them."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        query, attendance, slot, enrolment = cls._joined()
        where = (
            (slot.state == 'held')
            & Enrolment.expected_sql(enrolment, slot)
            & _among(attendance.enrolment, enrolment_ids))
        return query.select(
            attendance.enrolment.as_('enrolment'),
            attendance.state.as_('state'),
            attendance.missed.as_('missed'),
            attendance.justified.as_('justified'),
            slot.date.as_('date'),
            slot.start.as_('start'),
            slot.end.as_('end'),
            slot.start_at.as_('start_at'),
            slot.duration.as_('duration'),
            Max(slot.start_at,
                filter_=attendance.state.in_(ATTENDED),
                window=Window([attendance.enrolment])).as_('last_start_at'),
            where=where)

    @classmethod
    def _planned_query(cls, enrolment_ids=None):
        """Return the query of the time for which the trainees are expected,
        held or not, one row per enrolment."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        enrolment = Enrolment.__table__()
        slot = Slot.__table__()
        where = (
            (slot.state != 'cancelled')
            & Enrolment.expected_sql(enrolment, slot)
            & _among(enrolment.id, enrolment_ids))
        return (enrolment
            .join(slot, condition=slot.session == enrolment.session)
            .select(
                enrolment.id.as_('enrolment'),
                Sum(slot.duration).as_('hours_planned'),
                where=where,
                group_by=[enrolment.id]))

    @classmethod
    def _recorded_query(cls, enrolment_ids=None):
        "Return the query of the facts of the held slots, by enrolment"
        held = cls._held_query(enrolment_ids)
        is_absent = held.state == 'absent'
        held_time, missed_time = Sum(held.duration), Sum(held.missed)
        attended_time = held_time - missed_time
        return held.select(
            held.enrolment.as_('enrolment'),
            held_time.as_('hours_held'),
            attended_time.as_('hours_attended'),
            missed_time.as_('hours_missed'),
            Sum(held.missed, filter_=(held.state == 'excused')
                | (held.justified == Literal(True)))
            .as_('hours_excused'),
            Cast(Round(Cast(
                        Extract('EPOCH', attended_time)
                        / NullIf(Extract('EPOCH', held_time), 0),
                        'NUMERIC'), 4), 'FLOAT').as_('attendance_rate'),
            Count(Literal(1), filter_=is_absent).as_('absence_count'),
            Count(Literal(1), filter_=is_absent
                & ((held.last_start_at == Null)
                    | (held.start_at > held.last_start_at)))
            .as_('consecutive_absences'),
            Count(Literal(1), filter_=held.state == 'late')
            .as_('late_count'),
            Max(held.date, filter_=held.state.in_(ATTENDED))
            .as_('last_presence'),
            group_by=[held.enrolment])

    @classmethod
    def facts(cls, enrolment_ids):
        """Return the facts of the enrolments, by id, as dictionary by name of
        the fields of the enrolment.

        An enrolment that expects nobody at any slot is not in the result."""
        cursor = Transaction().connection.cursor()
        facts = {}
        for sub_ids in grouped_slice(
                list(enrolment_ids), backend.MAX_QUERY_PARAMS // 3):
            sub_ids = list(sub_ids)
            planned = cls._planned_query(sub_ids)
            recorded = cls._recorded_query(sub_ids)
            query = (planned
                .join(recorded, 'LEFT',
                    condition=recorded.enrolment == planned.enrolment)
                .select(
                    planned.hours_planned.as_('hours_planned'),
                    *(getattr(recorded, n).as_(n) for n in RECORDED),
                    planned.enrolment))
            cursor.execute(*apply_types(
                    query, *(type_ for type_, _ in FACTS.values())))
            for *values, enrolment in cursor:
                facts[enrolment] = {
                    name: cls.empty_fact(name) if value is None else value
                    for name, value in zip(FACTS, values)}
        return facts

    @classmethod
    def empty_fact(cls, name):
        "Return the fact of an enrolment that has no slot"
        _, default = FACTS[name]
        return default

    @classmethod
    def fact_query(cls, name, enrolment):
        "Return the query of the fact of the enrolment"
        if name == 'hours_planned':
            return cls._planned_query(enrolment)
        return cls._recorded_query(enrolment)

    @classmethod
    def missed_slots(cls, enrolment_ids):
        """Return by enrolment the absences since the last presence, as
        list of (date, start, end) in time order."""
        cursor = Transaction().connection.cursor()
        missed = defaultdict(list)
        for sub_ids in grouped_slice(
                list(enrolment_ids), backend.MAX_QUERY_PARAMS // 2):
            held = cls._held_query(list(sub_ids))
            query = held.select(
                held.date.as_('date'), held.start.as_('start'),
                held.end.as_('end'), held.enrolment, held.state,
                # Who attends one of two slots at the same time is there
                order_by=[
                    held.enrolment, held.start_at, held.state.in_(ATTENDED)])
            cursor.execute(*apply_types(query, 'DATE', 'TIME', 'TIME'))
            for *times, enrolment, state in cursor:
                if state == 'absent':
                    missed[enrolment].append(tuple(times))
                elif state != 'excused':
                    missed[enrolment].clear()
        return missed


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    attendances = fields.One2Many(
        'training.attendance', 'enrolment', "Attendances", readonly=True)
    hours_planned = fields.Function(fields.TimeDelta(
            "Hours Planned", 'training_hours',
            help="The time of the slots that are not cancelled."),
        'get_facts')
    hours_held = fields.Function(fields.TimeDelta(
            "Hours Held", 'training_hours',
            help="The time of the slots whose attendance sheet is closed."),
        'get_facts')
    hours_attended = fields.Function(fields.TimeDelta(
            "Hours Attended", 'training_hours'),
        'get_facts')
    hours_missed = fields.Function(fields.TimeDelta(
            "Hours Missed", 'training_hours',
            help="The time of the absences, excused or not, of the lateness "
            "and of the early departures."),
        'get_facts')
    hours_excused = fields.Function(fields.TimeDelta(
            "Hours Excused", 'training_hours',
            help="The part of the hours missed that is excused."),
        'get_facts')
    attendance_rate = fields.Function(fields.Float(
            "Attendance Rate", digits=(1, 4),
            states={
                'invisible': Equal(Eval('attendance_rate', None), None),
                },
            help="The hours attended divided by the hours held."),
        'get_facts')
    absence_count = fields.Function(
        fields.Integer(
            "Absences", help="The number of slots absent without excuse."),
        'get_facts')
    consecutive_absences = fields.Function(
        fields.Integer(
            "Consecutive Absences",
            help="The number of absences since the last presence."),
        'get_facts')
    late_count = fields.Function(
        fields.Integer("Times Late"),
        'get_facts')
    last_presence = fields.Function(
        fields.Date("Last Presence"),
        'get_facts')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        for name in FACTS:
            setattr(cls, f'domain_{name}', cls._domain_fact)
            setattr(cls, f'order_{name}', partial(cls._order_fact, name))

    @classmethod
    def get_facts(cls, enrolments, names):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        facts = Attendance.facts([e.id for e in enrolments])
        default = {name: Attendance.empty_fact(name) for name in names}
        return {
            name: {
                e.id: facts.get(e.id, default)[name] for e in enrolments}
            for name in names}

    @classmethod
    def _column_fact(cls, name, tables):
        """Return the SQL expression of the fact, that is computed only for
        the rows that the other clauses of the search keep"""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        table, _ = tables[None]
        query = Attendance.fact_query(name, table.id)
        return Coalesce(
            query.select(getattr(query, name)),
            cls._fields[name].sql_format(Attendance.empty_fact(name)))

    @classmethod
    def _domain_fact(cls, domain, tables):
        name, operator, value = domain
        field = cls._fields[name]
        Operator = fields.SQL_OPERATORS[operator]
        column = cls._column_fact(name, tables)
        expression = Operator(column, field._domain_value(operator, value))
        return field._domain_add_null(column, operator, value, expression)

    @classmethod
    def _order_fact(cls, name, tables):
        return [cls._column_fact(name, tables)]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree/field[@name="consecutive_absences"]', 'visual',
                If(Eval('consecutive_absences', 0) >= ABSENCES,
                    'danger', '')),
            ]

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('attendances')
        return super().copy(enrolments, default=default)


def _among(column, enrolments):
    if isinstance(enrolments, Expression):
        return column == enrolments
    return fields.SQL_OPERATORS['in'](column, enrolments)
