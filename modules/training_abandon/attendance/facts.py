# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from sql import Column, Literal, Null, Window
from sql.aggregate import Count, Max, Min, Sum
from sql.conditionals import Coalesce
from sql.operators import Exists

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..stored import of_all, of_ids
from ..tools import BATCH, apply_types
from ..training.half_day import half_day
from .evidence import ATTENDED, EnrolmentEvidenceMixin
from .picture import PictureMixin
from .stored_facts import (
    FACTS, MOST, RECORDED, LineFactsMixin, StoredFactsMixin, rate_sql)

# From this number of consecutive absences the trainee stands out in the list
ABSENCES = 3
HOURS = [name for name in FACTS if name.startswith('hours_')]


class FactsMixin(LineFactsMixin):
    "What the official sheets tell of the enrolments"
    __slots__ = ()

    @classmethod
    def _held_query(cls, of=of_all, also=None):
        """Return the query of the lines of the official sheets that count.

        of returns the condition on the column of the enrolment and also the
        one on the tables of the lines and the slots that count besides."""
        pool = Pool()
        Slot = pool.get('training.session.slot')
        attendance, slot = cls.__table__(), Slot.__table__()
        missed_slot = Slot.__table__()
        # What is caught up takes the place of what was missed
        place = Coalesce(missed_slot.start_at, slot.start_at)
        counts = cls.counts_sql(attendance, slot)
        if also is not None:
            counts |= also(attendance, slot)
        return (attendance
            .join(slot, condition=slot.id == attendance.slot)
            .join(missed_slot, 'LEFT',
                condition=missed_slot.id == attendance.catches_up)
            .select(
                attendance.enrolment.as_('enrolment'),
                attendance.state.as_('state'),
                attendance.source.as_('source'),
                attendance.missed.as_('missed'),
                attendance.justified.as_('justified'),
                attendance.late_by.as_('late_by'),
                slot.id.as_('slot'),
                slot.date.as_('date'),
                slot.start.as_('start'),
                slot.end.as_('end'),
                slot.start_at.as_('at'),
                place.as_('start_at'),
                slot.duration.as_('duration'),
                Max(place,
                    filter_=attendance.state.in_(ATTENDED),
                    window=Window([attendance.enrolment]))
                .as_('last_start_at'),
                where=of(attendance.enrolment) & counts))

    @classmethod
    def counts_sql(cls, attendance, slot):
        """Return the SQL expression that is true when the line of the sheet
        of the slot counts: the sheet is official, the trainee was there or
        expected, and neither a parallel slot nor what is caught up
        elsewhere counts in its place."""
        return (
            (slot.state == 'held')
            & (attendance.state.in_(ATTENDED)
                | (cls._needed_sql(attendance, slot)
                    & ~cls._caught_up_sql(attendance)))
            & (~Coalesce(slot.parallel, Literal(False))
                | ~cls._parallel_sql(attendance, slot)))

    @classmethod
    def _needed_sql(cls, attendance, slot):
        "Return if the trainee of the line had to be there"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        # The groups of today do not tell who had to be there
        return (attendance.catches_up != Null) | Enrolment.expects_sql(
            attendance.enrolment, slot, slot.id, groups=False)

    @classmethod
    def _caught_up_sql(cls, attendance):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        other, slot = cls.__table__(), Slot.__table__()
        # That it is not null tells PostgreSQL how few there are
        return Exists(other
            .join(slot, condition=slot.id == other.slot)
            .select(
                Literal(1),
                where=(other.enrolment == attendance.enrolment)
                & (other.catches_up == attendance.slot)
                & (other.catches_up != Null)
                & (slot.state == 'held')))

    @classmethod
    def _parallel_sql(cls, attendance, slot, replaced=True):
        """Return if another line of the trainee, at a parallel slot, counts
        in the place of the line: of two slots the one that was attended,
        else the first one.

        What another one replaces itself replaces nothing."""
        pool = Pool()
        Slot = pool.get('training.session.slot')
        other, other_slot = cls.__table__(), Slot.__table__()
        attended = attendance.state.in_(ATTENDED)
        other_attended = other.state.in_(ATTENDED)
        is_first = Slot.precedes_sql(other_slot, slot)
        where = (
            (other_slot.session == slot.session)
            & Slot.overlaps_sql(slot, other_slot)
            & (other_slot.state == 'held')
            & (other_attended | cls._needed_sql(other, other_slot))
            & ((other_attended & (~attended | is_first))
                | (~other_attended & ~attended & is_first)))
        if replaced:
            where &= ~cls._parallel_sql(other, other_slot, replaced=False)
        return Exists(other_slot
            .join(other,
                condition=(other.slot == other_slot.id)
                & (other.enrolment == attendance.enrolment))
            .select(Literal(1), where=where))

    @classmethod
    def _planned_query(cls, of=of_all, also=None):
        """Return the query of the time for which the trainees are expected,
        held or not, one row per enrolment.

        also returns the condition on the tables of the enrolments and the
        slots at which they are expected besides."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        enrolment = Enrolment.__table__()
        slot = Slot.__table__()
        expected = Enrolment.expected_sql(enrolment, slot)
        if also is not None:
            expected |= also(enrolment, slot)
        where = (
            (slot.state != 'cancelled')
            & expected
            & (~Coalesce(slot.parallel, Literal(False))
                | ~cls._parallel_planned_sql(enrolment, slot))
            & of(enrolment.id))
        return (enrolment
            .join(slot, condition=slot.session == enrolment.session)
            .select(
                enrolment.id.as_('enrolment'),
                Sum(slot.duration).as_('hours_planned'),
                where=where,
                group_by=[enrolment.id]))

    @classmethod
    def _parallel_planned_sql(cls, enrolment, slot, replaced=True):
        "Return if the trainee is expected at an earlier parallel slot"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        other = Slot.__table__()
        where = (
            (other.session == slot.session)
            & Slot.overlaps_sql(slot, other)
            & Slot.precedes_sql(other, slot)
            & Enrolment.expects_sql(enrolment.id, other, other.id))
        if replaced:
            where &= ~cls._parallel_planned_sql(
                enrolment, other, replaced=False)
        return Exists(other.select(Literal(1), where=where))

    @classmethod
    def _recorded_query(cls, of=of_all):
        "Return the query of the facts of the held slots, by enrolment"
        held = cls._held_query(of)
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
            rate_sql(attended_time, held_time).as_('attendance_rate'),
            Count(Literal(1), filter_=is_absent).as_('absence_count'),
            Count(Literal(1), filter_=is_absent
                & ((held.last_start_at == Null)
                    | (held.start_at > held.last_start_at)))
            .as_('consecutive_absences'),
            Count(Literal(1), filter_=held.state == 'late')
            .as_('late_count'),
            Min(held.date, filter_=held.state.in_(ATTENDED))
            .as_('first_presence'),
            Max(held.date, filter_=held.state.in_(ATTENDED))
            .as_('last_presence'),
            group_by=[held.enrolment])

    @classmethod
    def facts_query(cls, of=of_all):
        """Return the query of the facts, one row per enrolment.

        of returns the condition on the column of the enrolment."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolment = Enrolment.__table__()
        planned = cls._planned_query(of)
        recorded = cls._recorded_query(of)

        def fact(name, default):
            query = recorded if name in RECORDED else planned
            column = Column(query, name)
            if default is not None:
                column = Coalesce(
                    column, Enrolment._fields[name].sql_format(default))
            return column.as_(name)

        return (enrolment
            .join(planned, 'LEFT',
                condition=planned.enrolment == enrolment.id)
            .join(recorded, 'LEFT',
                condition=recorded.enrolment == enrolment.id)
            .select(
                *(fact(name, default) for name, (_, default) in FACTS.items()),
                enrolment.id.as_('id'),
                where=of(enrolment.id)))

    @classmethod
    def facts(cls, enrolment_ids):
        """Return the facts of the enrolments as they are defined, by id, as
        dictionary by name of the fields of the enrolment that store them."""
        cursor = Transaction().connection.cursor()
        facts = {}
        for sub_ids in grouped_slice(list(enrolment_ids), MOST):
            query = cls.facts_query(of_ids(sub_ids))
            cursor.execute(*apply_types(
                    query, *(type_ for type_, _ in FACTS.values()), None))
            for *values, enrolment in cursor:
                facts[enrolment] = dict(zip(FACTS, values))
        return facts

    @classmethod
    def planned_hours(cls, enrolment_ids):
        """Return by enrolment, as it is defined, the time for which the
        trainees are expected."""
        cursor = Transaction().connection.cursor()
        planned = {}
        for sub_ids in grouped_slice(list(enrolment_ids), MOST):
            cursor.execute(*apply_types(
                    cls._planned_query(of_ids(sub_ids)), None, 'INTERVAL'))
            planned.update(cursor)
        return planned

    @classmethod
    def missed_slots(cls, enrolment_ids):
        """Return by enrolment the absences since the last presence, as
        list of (date, start, end) in time order."""
        cursor = Transaction().connection.cursor()
        missed = defaultdict(list)
        for sub_ids in grouped_slice(
                list(enrolment_ids), MOST):
            held = cls._held_query(of_ids(sub_ids))
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


class Enrolment(
        StoredFactsMixin, EnrolmentEvidenceMixin, PictureMixin,
        metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    attendances = fields.One2Many(
        'training.attendance', 'enrolment', "Attendances", readonly=True,
        help="The lines of the enrolment on the attendance sheets.")

    @classmethod
    def attended(cls, enrolments):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        cursor = Transaction().connection.cursor()
        result = set(super().attended(enrolments))
        for sub_enrolments in grouped_slice(enrolments, BATCH):
            enrolment_ids = {e.id: e for e in sub_enrolments}
            query, attendance, slot, _ = Attendance._joined()
            cursor.execute(*query.select(
                    attendance.enrolment,
                    where=fields.SQL_OPERATORS['in'](
                        attendance.enrolment, list(enrolment_ids))
                    & (slot.state == 'held')
                    & attendance.state.in_(ATTENDED),
                    group_by=[attendance.enrolment]))
            result.update(enrolment_ids[id_] for id_, in cursor)
        return [e for e in enrolments if e in result]

    @classmethod
    def last_official_half_days(cls, enrolments):
        return cls._last_half_days(enrolments)

    @classmethod
    def last_attended_half_days(cls, enrolments, date):
        return cls._last_half_days(
            enrolments, lambda attendance, slot:
            attendance.state.in_(ATTENDED) & (slot.date == date))

    @classmethod
    def _last_half_days(cls, enrolments, where=None):
        """Return by enrolment the last half-day of its lines of the official
        sheets, those that the function keeps"""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        query, attendance, slot, _ = Attendance._joined()
        cursor = Transaction().connection.cursor()
        result = {}
        by_id = {e.id: e for e in enrolments}
        for sub_ids in grouped_slice(list(by_id), BATCH):
            condition = (
                of_ids(sub_ids)(attendance.enrolment)
                & (slot.state == 'held')
                & (attendance.catches_up == Null))
            if where:
                condition &= where(attendance, slot)
            cursor.execute(*apply_types(query.select(
                        attendance.enrolment.as_('enrolment'),
                        slot.date.as_('date'),
                        Min(slot.half).as_('half'),
                        where=condition,
                        group_by=[attendance.enrolment, slot.date]),
                    None, 'DATE', None))
            # The afternoon comes first in the alphabet
            for id_, date, half in cursor:
                enrolment, last = by_id[id_], half_day(date, half)
                result[enrolment] = max(result.get(enrolment, last), last)
        return result

    @classmethod
    def last_closed_half_days(cls, enrolments):
        pool = Pool()
        Event = pool.get('training.session.slot.event')
        Slot = pool.get('training.session.slot')
        event, cancelled = Event.__table__(), Event.__table__()
        slot = Slot.__table__()
        cursor = Transaction().connection.cursor()
        result = {}
        by_id = {e.session.id: e.session for e in enrolments}
        for sub_ids in grouped_slice(list(by_id), BATCH):
            cursor.execute(*apply_types(slot.select(
                        slot.session.as_('session'),
                        slot.date.as_('date'),
                        Min(slot.half).as_('half'),
                        where=of_ids(sub_ids)(slot.session)
                        & slot.state.in_(['open', 'held'])
                        & Exists(event.select(
                                Literal(1),
                                where=(event.slot == slot.id)
                                & (event.kind == 'closed')
                                & ~Exists(cancelled.select(
                                        Literal(1),
                                        where=(cancelled.slot == slot.id)
                                        & (cancelled.kind == 'cancelled')
                                        & (cancelled.id > event.id))))),
                        group_by=[slot.session, slot.date]),
                    None, 'DATE', None))
            for id_, date, half in cursor:
                session, last = by_id[id_], half_day(date, half)
                result[session] = max(result.get(session, last), last)
        return result

    @classmethod
    def planned_durations(cls, enrolments):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        planned = Attendance.planned_hours([e.id for e in enrolments])
        return {e: planned.get(e.id) for e in enrolments}

    @classmethod
    def times_attended(cls, enrolments):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        facts = Attendance.facts([e.id for e in enrolments])
        return {e: facts[e.id]['hours_attended'] for e in enrolments}

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
