# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The facts that the lists show, stored with the enrolments

What changes the facts stores them again, in its transaction: the lines and
the slots here, the periods, the groups and the exemptions by the hook
on_expectation.  Attendance.facts is the definition that is stored and what
decides reads it, not what is stored."""
import datetime as dt
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from sql import Cast, Column, Union
from sql.conditionals import NullIf
from sql.functions import Extract

from trytond.model import Index, fields
from trytond.pool import Pool
from trytond.pyson import Equal, Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..stored import StoredMixin, of_ids

ZERO = dt.timedelta()
# The most enrolments in a query, that names them some times
MOST = 5000
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
    'first_presence': ('DATE', None),
    'last_presence': ('DATE', None),
    }
FACTS = {'hours_planned': ('INTERVAL', ZERO), **RECORDED}
# The fields of the lines and of the slots that the facts are made of, but the
# state of the slots
_OF_LINE = {
    'enrolment', 'slot', 'state', 'missed', 'justified', 'catches_up'}
_OF_SLOT = {
    'session', 'subject', 'start_at', 'end_at', 'duration', 'weekday', 'half',
    'parallel'}

# By transaction, the ids of the enrolments whose facts are to store
_waiting = WeakKeyDictionary()


def rate_sql(attended, held):
    "Return the SQL expression of the attendance rate, without rounding"
    attended, held = (
        Cast(Extract('EPOCH', time), 'FLOAT') for time in [attended, held])
    return attended / NullIf(held, 0)


class StoredFactsMixin(StoredMixin):
    "Enrolments with their facts"
    __slots__ = ()

    hours_planned = fields.TimeDelta(
        "Hours Planned", 'training_hours', readonly=True,
        help="The time of the slots at which the trainee is expected.")
    hours_held = fields.TimeDelta(
        "Hours Held", 'training_hours', readonly=True,
        help="The time of the official sheets on which the trainee was "
        "expected or present.")
    hours_attended = fields.TimeDelta(
        "Hours Attended", 'training_hours', readonly=True,
        help="The time of presence on the official sheets, in hours.")
    hours_missed = fields.TimeDelta(
        "Hours Missed", 'training_hours', readonly=True,
        help="The time of the absences, excused or not, of the lateness "
        "and of the early departures.")
    hours_excused = fields.TimeDelta(
        "Hours Excused", 'training_hours', readonly=True,
        help="The part of the hours missed that is excused.")
    attendance_rate = fields.Float(
        "Attendance Rate", digits=(1, 4), readonly=True,
        states={
            'invisible': Equal(Eval('attendance_rate', None), None),
            },
        help="The hours attended divided by the hours held.")
    absence_count = fields.Integer(
        "Absences", readonly=True,
        help="The number of slots absent without excuse.")
    consecutive_absences = fields.Integer(
        "Consecutive Absences", readonly=True,
        help="The number of absences since the last presence.")
    late_count = fields.Integer(
        "Times Late", readonly=True,
        help="The number of slots to which the trainee came late, on the "
        "official sheets.")
    first_presence = fields.Date(
        "First Presence", readonly=True,
        help="The first day on which the trainee came, on the official "
        "sheets: the day on which it really started.")
    last_presence = fields.Date(
        "Last Presence", readonly=True,
        help="The last day on which the trainee came, on the official "
        "sheets.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        # Those of a list are ordered both ways.  The hours are left out: an
        # index of each would cost all the sheets more than it gains
        cls._sql_indexes.update(
            Index(t, (Column(t, name), Index.Range()), (t.id, Index.Range()))
            for name in [
                'attendance_rate', 'absence_count', 'consecutive_absences',
                'late_count', 'first_presence', 'last_presence'])
        for name, (_, default) in FACTS.items():
            if default is not None:
                setattr(
                    cls, f'default_{name}', lambda default=default: default)

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        is_stored = table_h.column_exist('first_presence')
        super().__register__(module)
        if not is_stored:
            cls.store()
        else:
            cls._migrate_rate()

    @classmethod
    def _migrate_rate(cls):
        # Migration from 8.0.0: the rate is not rounded
        table = cls.__table__()
        rate = rate_sql(table.hours_attended, table.hours_held)
        Transaction().connection.cursor().execute(*table.update(
                [table.attendance_rate], [rate],
                where=table.attendance_rate != rate))

    @classmethod
    def preprocess_values(cls, mode, values):
        # SQL alone stores them: nothing that is sent, not even empty
        values = super().preprocess_values(mode, values)
        return {n: v for n, v in values.items() if n not in FACTS}

    @classmethod
    def store_facts(cls, enrolment_ids):
        "Store the facts of the enrolments, by one statement"
        enrolment_ids = set(enrolment_ids)
        waiting = _waiting.get(Transaction())
        if waiting is not None:
            waiting |= enrolment_ids
            return
        for sub_ids in grouped_slice(sorted(enrolment_ids), MOST):
            cls.store(of_ids(sub_ids))
        cls.on_facts(enrolment_ids)

    @classmethod
    def on_facts(cls, enrolment_ids):
        "Hook called once the facts of the enrolments are stored"

    @classmethod
    @contextmanager
    def store_facts_once(cls):
        "Store once the facts of all that happens meanwhile"
        transaction = Transaction()
        if transaction in _waiting:
            yield
            return
        _waiting[transaction] = enrolment_ids = set()
        try:
            yield
        finally:
            del _waiting[transaction]
        cls.store_facts(enrolment_ids)

    @classmethod
    def stored_queries(cls):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        return {
            **super().stored_queries(),
            tuple(FACTS): Attendance.facts_query,
            }

    @classmethod
    def _stores(cls, table, right, names):
        # Of two transactions that make the same facts change, the second one
        # starts again
        return table.id == right.id

    @classmethod
    def on_expectation(cls, enrolments):
        super().on_expectation(enrolments)
        cls.store_facts(e.id for e in enrolments)

    @classmethod
    def on_modification(cls, mode, enrolments, field_names=None):
        super().on_modification(mode, enrolments, field_names=field_names)
        if mode == 'create' or (mode == 'write' and 'session' in field_names):
            _touch_sessions({e.session.id for e in enrolments})
        if mode == 'write' and 'session' in field_names:
            cls.store_facts(e.id for e in enrolments)

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        for name, (_, value) in FACTS.items():
            default.setdefault(name, value)
        return super().copy(enrolments, default=default)


class LineFactsMixin:
    "Lines of the sheets that change the facts of their enrolments"
    __slots__ = ()

    @classmethod
    def on_modification(cls, mode, attendances, field_names=None):
        super().on_modification(mode, attendances, field_names=field_names)
        if mode == 'create' or (mode == 'write' and field_names & _OF_LINE):
            cls._store_facts(attendances)()

    @classmethod
    def on_write(cls, attendances, values):
        callbacks = super().on_write(attendances, values)
        if values.keys() & {'enrolment', 'slot'}:
            # What they leave
            callbacks.append(cls._store_facts(attendances))
        return callbacks

    @classmethod
    def on_delete(cls, attendances):
        return super().on_delete(attendances) + [
            cls._store_facts(attendances)]

    @classmethod
    def _store_facts(cls, attendances):
        """Return a function that stores the facts of the enrolments whose
        lines are on official sheets"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        attendance, slot = cls.__table__(), Slot.__table__()
        enrolment_ids = _select_ids(attendances, lambda ids: attendance
            .join(slot, condition=slot.id == attendance.slot)
            .select(
                attendance.enrolment,
                where=fields.SQL_OPERATORS['in'](attendance.id, ids)
                & (slot.state == 'held'),
                group_by=[attendance.enrolment]))
        return lambda: Enrolment.store_facts(enrolment_ids)


class SlotFactsMixin:
    "Slots that change the facts of those who are expected"
    __slots__ = ()

    @classmethod
    def on_modification(cls, mode, slots, field_names=None):
        super().on_modification(mode, slots, field_names=field_names)
        if mode == 'create' or (mode == 'write' and field_names & _OF_SLOT):
            cls._store_facts(slots)()

    @classmethod
    def on_write(cls, slots, values):
        callbacks = super().on_write(slots, values)
        if values.keys() & {'session'}:
            # What they leave
            callbacks.append(cls._store_facts(slots))
        if 'state' in values:
            states = {
                s: {s.state, values['state']} for s in slots
                if s.state != values['state']}
            for planned, changed in [
                    (True, [s for s in states if 'cancelled' in states[s]]),
                    (False, [
                            s for s in states
                            if 'held' in states[s]
                            and 'cancelled' not in states[s]])]:
                if changed:
                    callbacks.append(lambda slots=changed, planned=planned:
                        cls._store_facts(slots, planned=planned)())
        return callbacks

    @classmethod
    def on_delete(cls, slots):
        return super().on_delete(slots) + [cls._store_facts(slots)]

    @classmethod
    def on_expectation(cls, slots):
        super().on_expectation(slots)
        cls._store_facts(slots)()

    @classmethod
    def _store_facts(cls, slots, planned=True):
        """Return a function that stores the facts of the enrolments that have
        a line on the sheets of the slots or catch them up, and if planned of
        all those of the sessions"""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')

        def query(ids):
            slot, enrolment = cls.__table__(), Enrolment.__table__()
            attendance = Attendance.__table__()
            in_ = fields.SQL_OPERATORS['in']
            queries = [
                attendance.select(
                    attendance.enrolment.as_('enrolment'),
                    where=in_(attendance.slot, ids))]
            if planned:
                queries += [
                    attendance.select(
                        attendance.enrolment.as_('enrolment'),
                        where=in_(attendance.catches_up, ids)),
                    slot.join(
                        enrolment, condition=enrolment.session == slot.session)
                    .select(
                        enrolment.id.as_('enrolment'),
                        where=in_(slot.id, ids))]
            return Union(*queries) if len(queries) > 1 else queries[0]

        enrolment_ids = _select_ids(slots, query)
        sessions = {s.session.id for s in slots} if planned else set()

        def store():
            _touch_sessions(sessions)
            Enrolment.store_facts(enrolment_ids)

        return store

    @classmethod
    def follow_clock(cls, companies):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with Enrolment.store_facts_once():
            super().follow_clock(companies)

    @classmethod
    def update_halves(cls, company_ids=None):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with Enrolment.store_facts_once():
            super().update_halves(company_ids)

    @classmethod
    def move(cls, slots):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with Enrolment.store_facts_once():
            super().move(slots)

    @classmethod
    def split(cls, slots, *args, **kwargs):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with Enrolment.store_facts_once():
            return super().split(slots, *args, **kwargs)


def _touch_sessions(session_ids):
    """Have the second one of the transactions that plan and enrol in the same
    session start again: it does not see the slots or the enrolments of the
    other one"""
    pool = Pool()
    Session = pool.get('training.session')
    transaction = Transaction()
    if transaction.database.has_select_for():
        table = Session.__table__()
        for sub_ids in grouped_slice(sorted(session_ids), MOST):
            transaction.connection.cursor().execute(*table.update(
                    [table.id], [table.id],
                    where=fields.SQL_OPERATORS['in'](
                        table.id, list(sub_ids))))


def _select_ids(records, get_query):
    "Return the ids that the query of the ids of the records selects"
    cursor = Transaction().connection.cursor()
    result = set()
    for sub_records in grouped_slice(list(records), MOST):
        cursor.execute(*get_query([r.id for r in sub_records]))
        result.update(id_ for id_, in cursor)
    return result
