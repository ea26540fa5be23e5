# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import hashlib
from collections import defaultdict

from sql import Cast, Literal, Null, Union, Values, With
from sql.operators import Exists

from trytond.i18n import gettext
from trytond.model import Index, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import SlotWarning
from ..stored import of_ids
from .half_day import WEEKDAYS, half_of

# The attendance is official once the slot is held
CONFLICT_STATES = ['planned', 'open']
# Number of lines in a warning
LINES = 10
PLANNING = {'session', 'start_at', 'end_at', 'trainer', 'location', 'state'}


class ConflictMixin:
    "What is booked at the same time elsewhere"
    __slots__ = ()

    conflicting = fields.Function(
        fields.Boolean("Conflicting"),
        'get_conflicts', searcher='search_conflicting')
    conflicts = fields.Function(fields.Text(
            "Conflicts",
            states={
                'invisible': ~Eval('conflicts'),
                },
            help="Who or what is booked at the same time elsewhere."),
        'get_conflicts')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t, (t.trainer, Index.Equality()),
                    (t.date, Index.Range())),
                Index(
                    t, (t.location, Index.Equality()),
                    (t.date, Index.Range())),
                Index(
                    t, (t.state, Index.Equality(cardinality='low')),
                    (t.date, Index.Range())),
                })

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('conflicting', False), 'warning',
                    If(Eval('state') == 'cancelled', 'muted', ''))),
            ]

    @classmethod
    def get_conflicts(cls, slots, names):
        conflicts = cls.find_conflicts(slots)
        result = {name: {} for name in names}
        if 'conflicting' in names:
            result['conflicting'] = {s.id: s.id in conflicts for s in slots}
        if 'conflicts' in names:
            words = cls.describe_conflicts(conflicts)
            result['conflicts'] = {
                s.id: '\n'.join(words.get(s.id, [])) or None for s in slots}
        return result

    @classmethod
    def search_conflicting(cls, name, clause):
        _, operator, value = clause
        slot = cls.__table__()
        queries = []
        for _, query in cls._conflict_queries(
                slot, cls._bookable(slot), cls._of_sessions(cls._bookable)):
            query.columns = query.columns[:1]
            queries.append(query)
        operator = 'in' if bool(value) == (operator == '=') else 'not in'
        return [('id', operator, Union(*queries))]

    @classmethod
    def find_conflicts(cls, slots):
        """Return by slot the conflicts that are recorded: a dictionary with
        the ids of what is booked twice by kind and other slot."""
        conflicts = {}
        for sub_slots in grouped_slice(slots, tools.BATCH):
            slot, ids = cls.__table__(), [s.id for s in sub_slots]
            conflicts.update(cls._read_conflicts(
                    slot, cls._bookable(slot) & of_ids(ids)(slot.id),
                    cls._of_sessions(lambda t, ids=ids: of_ids(ids)(t.id))))
        return conflicts

    @classmethod
    def find_future_conflicts(cls, slots):
        """Return the conflicts that the slots, with the times they do not
        have yet, would have with the other ones: as find_conflicts but by
        index."""
        excluded = [s.id for s in slots if s.id is not None and s.id >= 0]
        conflicts = {}
        for sub_slots in grouped_slice(list(enumerate(slots)), tools.BATCH):
            sub_slots = list(sub_slots)
            slot = With(
                'id', 'session', 'date', 'start_at', 'end_at', 'trainer',
                'location', 'slot', 'weekday', 'half', 'subject',
                query=Values([cls._conflict_row(*r) for r in sub_slots]))
            conflicts.update(cls._read_conflicts(
                    slot, Literal(True),
                    of_ids({s.session.id for _, s in sub_slots}),
                    excluded=excluded, with_=[slot]))
        return conflicts

    @classmethod
    def _conflict_row(cls, index, slot):
        pool = Pool()
        Configuration = pool.get('training.configuration')

        def integer(record):
            # PostgreSQL takes an empty column for a text
            return Cast(record.id if record else Null, 'INTEGER')

        noon = Configuration.get_noon(slot.session.company)
        return [
            index, slot.session.id, slot.date,
            slot._at(slot.start), slot._at(slot.end),
            integer(slot.trainer), integer(slot.location),
            Cast(slot.id, 'INTEGER'), WEEKDAYS[slot.date.weekday()],
            half_of(slot.start, noon),
            integer(getattr(slot, 'subject', None))]

    @classmethod
    def _of_sessions(cls, get_where):
        """Return what restricts a query to the sessions of the slots.

        get_where returns the condition on the slots."""
        def of_session(column):
            slot = cls.__table__()
            return column.in_(slot.select(
                    slot.session, where=get_where(slot)))
        return of_session

    @classmethod
    def _bookable(cls, slot):
        return slot.state.in_(CONFLICT_STATES)

    @classmethod
    def _read_conflicts(
            cls, slot, where, of_session, excluded=(), with_=None):
        cursor = Transaction().connection.cursor()
        conflicts = defaultdict(lambda: defaultdict(list))
        for kind, query in cls._conflict_queries(
                slot, where, of_session, excluded):
            query.with_ = with_
            cursor.execute(*query)
            for id_, other, booked in cursor:
                conflicts[id_][kind, other].append(booked)
        return conflicts

    @classmethod
    def _conflict_queries(cls, slot, where, of_session, excluded=()):
        """Yield by kind the query of the slots, the other ones at the same
        time and what is booked on both.

        of_session returns the condition on the column of their session."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        query, other = cls._overlapping(slot)
        bookable, where = where, where & cls._bookable_with(
            slot, other, excluded)

        for kind in ['trainer', 'location']:
            booked = getattr(slot, kind)
            yield kind, query.select(
                slot.id, other.id, booked,
                where=where & (getattr(other, kind) == booked))

        # Two trainers may share the trainees of a session
        yield 'session', query.select(
            slot.id, other.id, slot.session,
            where=where & (other.session == slot.session)
            & ((slot.trainer == Null) | (other.trainer == Null)))

        booked = cls._booked_elsewhere(
            slot, bookable, slot.slot if isinstance(slot, With) else slot.id,
            of_session)
        query, other = cls._overlapping(booked)
        yield 'trainee', query.select(
            booked.id, other.id, booked.trainee,
            where=cls._bookable_with(booked, other, excluded)
            & (other.session == booked.other_session)
            & Enrolment.expects_sql(booked.other_enrolment, other, other.id))

    @classmethod
    def _booked_elsewhere(cls, slot, where, slot_id, of_session):
        """Return the query of the slots with the trainees expected and their
        other enrolments, in sessions that take place meanwhile"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolment = cls._enrolled_elsewhere(of_session)
        return (slot
            .join(enrolment, condition=enrolment.session == slot.session)
            # Distinct keeps SQLite from reading first all the slots of a day
            .select(
                slot.id, slot.session, slot.date, slot.start_at, slot.end_at,
                enrolment.trainee, enrolment.other_enrolment,
                enrolment.other_session,
                distinct=True,
                where=where
                & Enrolment.expected_sql(enrolment, slot, slot_id)))

    @classmethod
    def _enrolled_elsewhere(cls, of_session):
        """Return the query of the enrolments of the sessions with the other
        ones of their trainees in sessions that take place meanwhile"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        session, other_session = Session.__table__(), Session.__table__()
        table, other = Enrolment.__table__(), Enrolment.__table__()
        # Distinct has those of the sessions read before the other ones, which
        # are those of all the trainees, and these before the slots
        enrolment = table.select(
            table.id, table.session, table.trainee,
            distinct=True,
            where=of_session(table.session) & (table.state != 'draft'))
        return (enrolment
            .join(session, condition=session.id == enrolment.session)
            .join(other,
                condition=(other.trainee == enrolment.trainee)
                & (other.session != enrolment.session)
                & (other.state != 'draft'))
            .join(other_session,
                condition=(other_session.id == other.session)
                & (other_session.start_date <= session.end_date)
                & (other_session.end_date >= session.start_date))
            .select(
                enrolment.id, enrolment.session, enrolment.trainee,
                other.id.as_('other_enrolment'),
                other.session.as_('other_session'),
                distinct=True))

    @classmethod
    def _overlapping(cls, slot):
        "Return the slots with the other ones at the same time, and these"
        other = cls.__table__()
        # A slot does not last longer than its day, which is indexed
        return slot.join(other,
            condition=(other.date == slot.date)
            & (other.start_at < slot.end_at)
            & (other.end_at > slot.start_at)
            & (other.id != slot.id)
            & (other.state != 'cancelled')), other

    @classmethod
    def _bookable_with(cls, slot, other, excluded):
        where = cls._in_same_company(slot, other)
        if excluded:
            where &= ~fields.SQL_OPERATORS['in'](other.id, excluded)
        return where

    @classmethod
    def _in_same_company(cls, slot, other):
        pool = Pool()
        Session = pool.get('training.session')
        session = Session.__table__()
        other_session = Session.__table__()
        return Exists(session
            .join(other_session,
                condition=other_session.company == session.company)
            .select(
                Literal(1),
                where=(session.id == slot.session)
                & (other_session.id == other.session)
                & (session.state != 'cancelled')
                & (other_session.state != 'cancelled')))

    @classmethod
    def _readable_conflicts(cls, conflicts):
        "Return the conflicts with the slots that the user may read"
        readable = tools.readable_ids(
            cls, {o for found in conflicts.values() for _, o in found})
        return {
            id_: {k: ids for k, ids in found.items() if k[1] in readable}
            for id_, found in conflicts.items()}

    @classmethod
    def describe_conflicts(cls, conflicts):
        "Return the conflicts of the slots in words"
        models = {
            'trainer': 'party.party',
            'location': 'party.address',
            'session': 'training.session',
            'trainee': 'training.trainee',
            }
        # Each record of a list loads the following ones
        others = {
            s.id: (s.start_at, s.planning_name) for s in cls.browse(list({
                        o for c in conflicts.values() for _, o in c}))}
        names = {
            kind: cls._conflict_names(model, {
                    i for c in conflicts.values() for (k, _), ids in c.items()
                    if k == kind for i in ids})
            for kind, model in models.items()}
        order = list(models)
        words = {}
        for id_, found in conflicts.items():
            keys = sorted(
                found, key=lambda k: (others[k[1]], order.index(k[0])))
            words[id_] = [gettext(
                    f'training_abandon.msg_slot_conflict_{kind}',
                    names=', '.join(names[kind][i] for i in found[kind, o]),
                    other=others[o][1]) for kind, o in keys]
        return words

    @classmethod
    def _conflict_names(cls, model, ids):
        pool = Pool()
        Model = pool.get(model)
        return {r.id: r.rec_name for r in Model.browse(list(ids))}

    @classmethod
    def on_modification(cls, mode, slots, field_names=None):
        super().on_modification(mode, slots, field_names=field_names)
        if mode == 'create' or (mode == 'write' and field_names & PLANNING):
            # Neither the opening of the sheet nor its closing books anybody
            cls.warn_conflicts([s for s in slots if s.state == 'planned'])

    @classmethod
    def warn_conflicts(cls, slots):
        "Ask the user, who may go on, whether the slots are to be so"
        pool = Pool()
        Warning = pool.get('res.user.warning')
        transaction = Transaction()
        context = transaction.context
        if (not transaction.user
                or context.get('_skip_warnings')
                or context.get('skip_slot_conflicts')):
            return
        conflicts = cls._without_doubles(cls.find_conflicts(slots))
        if not conflicts:
            return
        name = cls._warning_name(conflicts)
        if Warning.check(name):
            raise SlotWarning(
                name,
                gettext('training_abandon.msg_slot_conflict'),
                cls._warning(conflicts))

    @classmethod
    def _without_doubles(cls, conflicts):
        "Return the conflicts, those between two of the slots only once"
        result = {}
        for id_, found in conflicts.items():
            found = {
                (kind, other): ids for (kind, other), ids in found.items()
                if (kind, id_) not in result.get(other, {})}
            if found:
                result[id_] = found
        return result

    @classmethod
    def _warning_name(cls, conflicts):
        """Return the name of the warning, by what is booked and when: the
        slots that are created have other ids once the user has answered."""
        slots = {
            s.id: s for s in cls.browse(list(
                    conflicts.keys()
                    | {o for c in conflicts.values() for _, o in c}))}

        def times(id_):
            slot = slots[id_]
            return slot.start_at.isoformat(), slot.end_at.isoformat()

        key = sorted(
            (kind, *times(id_), *times(other),
                sorted(booked) if kind != 'session' else [])
            for id_, found in conflicts.items()
            for (kind, other), booked in found.items())
        digest = hashlib.md5(
            repr(key).encode('utf-8'), usedforsecurity=False).hexdigest()
        kinds = sorted({k for c in conflicts.values() for k, _ in c})
        return '.'.join([digest, 'slot_conflict', *kinds])

    @classmethod
    def _warning(cls, conflicts):
        words = cls.describe_conflicts(conflicts)
        slots = sorted(
            (s.start_at, s.planning_name, s.id)
            for s in cls.browse(list(words)))
        lines = [
            gettext(
                'training_abandon.msg_slot_conflict_line',
                slot=name,
                conflict=line)
            for _, name, id_ in slots for line in words[id_]]
        if len(lines) > LINES:
            more = len(lines) - LINES
            lines[LINES:] = [gettext(
                    'training_abandon.msg_slot_conflict_more', count=more)]
        return '\n'.join(lines)
