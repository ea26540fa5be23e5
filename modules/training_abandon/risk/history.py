# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What was known, and when, of the enrolments that a rule would be about"
import datetime as dt
from collections import defaultdict

from sql import Column, Literal
from sql.aggregate import Max, Min
from sql.conditionals import Coalesce
from sql.functions import Extract
from sql.operators import Exists

from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..attendance.evidence import ATTENDED
from ..procedure.states import GROUND_STATES
from ..stored import of_ids
from .criterion import heard_query
from .replay import History, Line

DAY = dt.timedelta(days=1)
# The enrolments of which the history is kept in memory
SLICE = 500
# What the provider wants to see coming
ABANDONED = ['abandonment', 'no_show']
# The decisions that end the expectation
ENDING = [g for g, s in GROUND_STATES.items() if s != 'suspended']


def read(criterion, start):
    """Yield the history of the enrolments since the day, with the opening
    date of the case of those that were abandoned, or None"""
    cursor = Transaction().connection.cursor()
    cursor.execute(*criterion.history(start))
    ids = sorted(id_ for id_, in cursor)
    for sub_ids in grouped_slice(ids, SLICE):
        yield from _Reader(criterion, sub_ids).read()


class _Reader:
    "The histories of some enrolments"

    def __init__(self, criterion, ids):
        self.criterion = criterion
        self.name = criterion.name
        self.ids = list(ids)
        self.of = of_ids(self.ids)
        self.events = defaultdict(list)
        self.last = {}
        self.cases = defaultdict(list)
        self.abandoned = {}

    def read(self):
        self._read_lines()
        self._read_cases()
        planned = {}
        if self.name in {'no_news', 'no_answer'}:
            self._read_heard()
        if self.name == 'no_answer':
            self._read_tries()
        elif self.name == 'late_return':
            self._read_suspensions()
        elif self.name == 'unreachable':
            planned = self._planned()
        ends = self._ends()
        for id_ in self.ids:
            yield History(
                id_, self.events[id_], self.cases[id_], ends[id_],
                planned.get(id_, 0)), self.abandoned.get(id_)

    def _fetch(self, query, *types):
        cursor = Transaction().connection.cursor()
        cursor.execute(*tools.apply_types(query, *types))
        return cursor

    def _day(self, at):
        return tools.local_date(at, self.criterion.company)

    def _table(self, name):
        return Pool().get(name).__table__()

    def _add(self, enrolment, day, name, argument):
        self.events[enrolment].append((day, name, argument))

    def _cut_sql(self, enrolment, slot):
        "Return if a decision ended the expectation before the slot"
        case = self._table('training.abandon.case')
        return Exists(case.select(
                Literal(1),
                where=(case.enrolment == enrolment)
                & (case.decision == 'validated')
                & (case.state != 'cancelled')
                & case.ground.in_(ENDING)
                & (case.effective_date <= slot.date)))

    def _read_lines(self):
        Attendance = Pool().get('training.attendance')
        event = self._table('training.session.slot.event')
        # The trainee was expected until it was decided otherwise
        held = Attendance._held_query(self.of, lambda attendance, slot:
            (slot.state == 'held')
            & ~Coalesce(slot.parallel, Literal(False))
            & ~attendance.state.in_(ATTENDED)
            & self._cut_sql(attendance.enrolment, slot)
            & ~Attendance._caught_up_sql(attendance))
        closed = event.select(
            event.slot.as_('slot'), Min(event.at).as_('at'),
            where=event.kind == 'closed', group_by=[event.slot])
        names = [
            'enrolment', 'slot', 'date', 'state', 'at', 'start_at', 'source']
        cursor = self._fetch(held
            .join(closed, 'LEFT', condition=closed.slot == held.slot)
            .select(
                *(Column(held, n).as_(n) for n in names),
                closed.at.as_('closed_at'),
                Coalesce(Extract('EPOCH', held.missed), 0).as_('missed'),
                Extract('EPOCH', held.duration).as_('duration'),
                Coalesce(Extract('EPOCH', held.late_by), 0).as_('late'),
                Coalesce(held.justified, Literal(False)).as_('justified')),
            None, None, 'DATE', None, 'TIMESTAMP', 'TIMESTAMP', None,
            'TIMESTAMP', None, None, None, None)
        for row in cursor.fetchall():
            enrolment, slot, date, state, at, place, source, *rest = row
            closed_at, *rest = rest
            # The sheets of before were known elsewhere
            is_imported = source == 'import' or not closed_at
            day = date if is_imported else self._day(closed_at)
            self.last[enrolment] = max(self.last.get(enrolment, day), day)
            self._add(enrolment, day, 'line', Line(
                    place, slot, at, date, state, *map(int, rest)))

    def _read_heard(self):
        heard = heard_query(self.of)
        cursor = self._fetch(
            heard.select(heard.enrolment, heard.at.as_('at')),
            None, 'TIMESTAMP')
        for enrolment, at in cursor:
            self._add(enrolment, self._day(at), 'seen', at)

    def _read_tries(self):
        tries = self.criterion.tries(self.of)
        cursor = self._fetch(
            tries.select(
                tries.enrolment, tries.at.as_('at'),
                tries.bounced_at.as_('bounced_at')),
            None, 'TIMESTAMP', 'TIMESTAMP')
        for enrolment, at, bounced_at in cursor:
            self._add(enrolment, self._day(at), 'tried', at)
            if bounced_at:
                self._add(
                    enrolment, self._day(max(at, bounced_at)), 'bounced', at)

    def _read_suspensions(self):
        period = self._table('training.enrolment.period')
        cursor = self._fetch(
            period.select(
                period.enrolment, period.start_date.as_('start_date'),
                period.end_date.as_('end_date'),
                where=self.of(period.enrolment)
                & (period.kind == 'suspended')),
            None, 'DATE', 'DATE')
        for enrolment, start, end in cursor:
            self._add(enrolment, start or dt.date.min, 'suspended', end)

    def _read_cases(self):
        case = self._table('training.abandon.case')
        step = self._table('training.abandon.case.step')
        alert = self._table('training.alert')
        decided = step.select(
            step.case.as_('case'), Max(step.done_at).as_('at'),
            where=step.kind == 'decide', group_by=[step.case])
        cursor = self._fetch(case
            .join(decided, 'LEFT', condition=decided.case == case.id)
            .select(
                case.enrolment, case.state, case.decision, case.ground,
                Exists(alert.select(
                        Literal(1), where=alert.case == case.id)),
                case.opening_date.as_('opening_date'),
                case.closed_at.as_('closed_at'),
                decided.at.as_('decided_at'),
                case.return_date.as_('return_date'),
                case.return_ended_on.as_('return_ended_on'),
                where=self.of(case.enrolment),
                order_by=[case.opening_date, case.id]),
            None, None, None, None, None, 'DATE', 'TIMESTAMP', 'TIMESTAMP',
            'DATE', 'DATE')
        for enrolment, state, decision, ground, alerted, opened, *others in (
                cursor.fetchall()):
            closed_at, decided_at, back, ended = others
            decided = self._day(decided_at) if decided_at else opened
            end = self._day(closed_at) if closed_at else None
            is_valid = decision == 'validated' and state != 'cancelled'
            if is_valid and ground in ENDING:
                end = None
                if ground in ABANDONED:
                    self.abandoned[enrolment] = opened
            elif is_valid and self.name == 'late_return':
                end = decided
                if back:
                    self._add(enrolment, decided, 'postponed', back)
                    if ended:
                        self._add(enrolment, ended, 'postponed', None)
            # The alert that opens a case comes on the same day
            start = opened + DAY if alerted else opened
            self.cases[enrolment].append((start, end))

    def _planned(self):
        Attendance = Pool().get('training.attendance')
        planned = Attendance._planned_query(
            self.of, lambda enrolment, slot:
            self._cut_sql(enrolment.id, slot))
        return {
            id_: int(seconds) for id_, seconds in self._fetch(planned.select(
                    planned.enrolment,
                    Extract('EPOCH', planned.hours_planned).as_('seconds')),
                None, None)}

    def _ends(self):
        """Return the day from which the rule did not look at each of the
        enrolments any more

        A session is done once its last sheet is closed."""
        enrolment = self._table('training.enrolment')
        session = self._table('training.session')
        cursor = self._fetch(enrolment
            .join(session, condition=session.id == enrolment.session)
            .select(
                enrolment.id, enrolment.state, session.state,
                enrolment.end_date.as_('end_date'),
                session.end_date.as_('session_end_date'),
                where=self.of(enrolment.id)),
            None, None, None, 'DATE', 'DATE')
        tomorrow, ends = self.criterion.today + DAY, {}
        for id_, state, session_state, end, session_end in cursor:
            ends[id_] = tomorrow
            has_ended = (
                session_state == 'done'
                or (state in {'withdrawn', 'cancelled', 'completed'}
                    and all(e for _, e in self.cases[id_])))
            if has_ended:
                end = end or session_end
                ends[id_] = min(
                    tomorrow, max(end, self.last.get(id_, end)) + DAY)
        return ends
