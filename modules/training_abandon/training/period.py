# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"When a trainee is expected: data with dates, that no state changes"
import json
from collections import defaultdict
from itertools import chain

from sql import Cast, Literal, Null
from sql.operators import Concat, Exists, Like

from trytond import backend
from trytond.i18n import gettext
from trytond.model import Index, Model, ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.protocols.jsonrpc import JSONDecoder, JSONEncoder
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..exceptions import PeriodError, PeriodWarning
from ..rec_name import search_names
from ..tools import BATCH
from .expectation import ExpectationMixin
from .half_day import (
    HALVES, NEVER, WEEKDAYS, clip, date_half, end_of, half_day, order,
    overlapping, splice, stretch)

_BOUNDS = {
    'enrolment', 'start_date', 'start_half', 'end_date', 'end_half'}
_SPAN = {*_BOUNDS, 'kind', 'weekdays'}
_ORIGIN = ['reason', 'user', 'known_since']


class SpanMixin:
    "What holds from a half-day to another one"
    __slots__ = ()

    kind = fields.Selection([
            ('expected', "Expected"),
            ('suspended', "Suspended"),
            ('exempted', "Exempted"),
            ], "Kind", required=True, sort=False,
        help="If the trainee is expected; suspended and exempted are "
        "neither expected nor absent.")
    start_date = fields.Date(
        "Start Date",
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('start_date', '<=', Eval('end_date', None)),
                ()),
            ],
        help="Leave empty for the start of the session.")
    start_half = fields.Selection(
        HALVES, "From", required=True, sort=False,
        states={
            'invisible': ~Eval('start_date'),
            },
        help="The first half-day, included.")
    end_date = fields.Date(
        "End Date",
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('end_date', '>=', Eval('start_date', None)),
                ()),
            ],
        help="Leave empty for the end of the session.")
    end_half = fields.Selection(
        HALVES, "To", required=True, sort=False,
        states={
            'invisible': ~Eval('end_date'),
            },
        help="The last half-day, included.")
    weekdays = fields.MultiSelection(
        'get_weekdays', "Half-Days", sort=False,
        states={
            'invisible': Eval('kind') != 'expected',
            },
        help="The half-days of the week on which the trainee is expected.\n"
        "Leave empty for all of them.")

    @classmethod
    def default_start_half(cls):
        return 'morning'

    @classmethod
    def default_end_half(cls):
        return 'afternoon'

    @classmethod
    def get_weekdays(cls):
        "Return the half-days of the week, as monday_morning"
        return [
            (f'{day}_{half}',
                gettext(f'training_abandon.msg_half_day_{day}_{half}'))
            for day in WEEKDAYS for half, _ in HALVES]


class Period(ExpectationMixin, SpanMixin, ModelSQL, ModelView):
    __name__ = 'training.enrolment.period'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, ondelete='CASCADE')
    reason = fields.Char(
        "Reason",
        states={
            'required': ~Eval('id') | (Eval('id', -1) < 0),
            },
        help="Why the trainee is expected, or is not.\n"
        "Do not write any health detail.")
    known_since = fields.DateTime(
        "Known Since", readonly=True,
        help="When the period was entered: what was told before did not "
        "know it.")
    user = fields.Many2One(
        'res.user', "User", readonly=True, ondelete='SET NULL')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('enrolment')
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.enrolment, Index.Equality()),
                (t.kind, Index.Equality(cardinality='low'))))
        cls._order = [
            ('enrolment', 'ASC'),
            ('start_date', 'ASC NULLS FIRST'),
            ('start_half', 'ASC'),
            ('id', 'ASC'),
            ]

    @classmethod
    def __register__(cls, module):
        exist = backend.TableHandler.table_exist(cls._table)
        super().__register__(module)
        if not exist:
            cls._create_from_dates()

    @classmethod
    def _create_from_dates(cls):
        "Create the periods of the enrolments that had only dates"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        table, enrolment = cls.__table__(), Enrolment.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.insert(
                [table.enrolment, table.kind, table.start_date,
                    table.start_half, table.end_date, table.end_half],
                enrolment.select(
                    enrolment.id, Literal('expected'), enrolment.start_date,
                    Literal('morning'), enrolment.end_date,
                    Literal('afternoon'),
                    where=~enrolment.state.in_(['draft', 'cancelled']))))

    @classmethod
    def default_kind(cls):
        return 'expected'

    def get_rec_name(self, name):
        return ' '.join([
                self.enrolment.rec_name, '-', describe(self.span)])

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'enrolment.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('kind') != 'expected', 'muted', '')),
            ]

    @property
    def span(self):
        "The period as a span of half-days"
        return {
            'start': half_day(self.start_date, self.start_half),
            'end': half_day(self.end_date, self.end_half),
            'kind': self.kind,
            'weekdays': list(self.weekdays or []),
            **{name: self._origin(name) for name in self._origin_names()},
            }

    def _origin(self, name):
        value = getattr(self, name)
        return value.id if isinstance(value, Model) else value

    @classmethod
    def _origin_names(cls):
        "Return the names of the fields that tell where a period comes from"
        return _ORIGIN

    @classmethod
    def covers_sql(cls, period, slot):
        """Return the SQL expression that is true when the slot is within the
        bounds and on the half-days of the period"""
        after = (
            (period.start_date == Null)
            | (slot.date > period.start_date)
            | ((slot.date == period.start_date)
                & ((period.start_half == 'morning')
                    | (slot.half == 'afternoon'))))
        before = (
            (period.end_date == Null)
            | (slot.date < period.end_date)
            | ((slot.date == period.end_date)
                & ((period.end_half == 'afternoon')
                    | (slot.half == 'morning'))))
        name = Concat(Concat(slot.weekday, '_'), slot.half)
        among = (
            (period.weekdays == Null)
            | Like(
                Cast(period.weekdays, 'VARCHAR'),
                Concat(Concat('%"', name), '"%')))
        return after & before & among

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if 'weekdays' in values and not values['weekdays']:
            values['weekdays'] = None
        if mode == 'create' or values.keys() & _SPAN:
            if Transaction().check_access:
                # The user does not say who changes the period, and when
                values = {
                    n: v for n, v in values.items()
                    if n not in {'user', 'known_since'}}
            values.setdefault('user', Transaction().user or None)
            values.setdefault('known_since', tools.now())
        return values

    @classmethod
    def validate_fields(cls, periods, field_names):
        super().validate_fields(periods, field_names)
        cls.check_bounds(periods, field_names)

    @classmethod
    def check_bounds(cls, periods, field_names=None):
        if field_names and not field_names & _SPAN:
            return
        for period in periods:
            span = period.span
            if span['weekdays'] and span['kind'] != 'expected':
                raise PeriodError(gettext(
                        'training_abandon.msg_period_weekdays',
                        enrolment=period.enrolment.rec_name,
                        period=describe(span)))
            if None not in {span['start'], span['end']} and (
                    span['start'] > span['end']):
                raise PeriodError(gettext(
                        'training_abandon.msg_period_end_before_start',
                        enrolment=period.enrolment.rec_name,
                        period=describe(span)))

    @classmethod
    def check_overlap(cls, periods):
        for enrolment, periods in cls.by_enrolment(
                [p.enrolment.id for p in periods]).items():
            cls._refuse_overlap(enrolment, [p.span for p in periods])

    @classmethod
    def _refuse_overlap(cls, enrolment, spans):
        if found := overlapping(spans):
            raise PeriodError(gettext(
                    'training_abandon.msg_period_overlap',
                    enrolment=enrolment.rec_name,
                    periods=', '.join(map(describe, found))))

    @classmethod
    def by_enrolment(cls, enrolment_ids):
        "Return the periods in time order by enrolment"
        result = defaultdict(list)
        for sub_ids in grouped_slice(sorted(set(enrolment_ids)), BATCH):
            for period in cls.search([('enrolment', 'in', list(sub_ids))]):
                result[period.enrolment].append(period)
        return result

    @classmethod
    def check_modification(cls, mode, periods, values=None, external=False):
        super().check_modification(
            mode, periods, values=values, external=external)
        if not external:
            return
        for period in periods:
            if period.enrolment.planned_periods:
                raise AccessError(gettext(
                        'training_abandon.msg_period_ended',
                        enrolment=period.enrolment.rec_name))
        if mode == 'write' and values.keys() & cls._protected_fields():
            raise AccessError(gettext('training_abandon.msg_period_protected'))
        if mode == 'create' or (mode == 'write' and values.keys() & _SPAN):
            cls._check_reason(periods, values)

    @classmethod
    def _protected_fields(cls):
        "Return the names of the fields that tell where a period comes from"
        return {*cls._origin_names()} - {'reason'}

    @classmethod
    def _check_reason(cls, periods, values):
        for period in periods:
            if not (values or {}).get('reason', period.reason):
                raise PeriodError(gettext(
                        'training_abandon.msg_period_reason',
                        enrolment=period.enrolment.rec_name))

    @classmethod
    def on_modification(cls, mode, periods, field_names=None):
        if mode == 'create' and not cls._is_followed():
            cls._make_room(periods)
        elif mode == 'create' or (mode == 'write' and field_names & _BOUNDS):
            cls.check_overlap(periods)
        super().on_modification(mode, periods, field_names=field_names)
        if not cls._is_followed() and (
                mode == 'create' or (mode == 'write' and field_names & _SPAN)):
            cls.warn_empty(periods)
            cls._note(periods)

    @classmethod
    def _make_room(cls, periods):
        """Put the new periods in the place of what was meanwhile, unless it
        was the same"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        new, spans = set(periods), {}
        for enrolment, periods in cls.by_enrolment(
                [p.enrolment.id for p in new]).items():
            added = [p.span for p in periods if p in new]
            wanted = [p.span for p in periods if p not in new]
            same = defaultdict(list)
            for span in [*wanted, *added]:
                key = (span['kind'], *sorted(span['weekdays']))
                same[key].append(span)
            for group in [added, *same.values()]:
                cls._refuse_overlap(enrolment, group)
            for span in added:
                wanted = splice(wanted, span)
            spans[enrolment] = wanted
        Enrolment._replace_periods(spans)

    @classmethod
    def on_delete(cls, periods):
        callback = super().on_delete(periods)
        if not cls._is_followed():
            cls._note(periods, deleted=True)
        return callback

    @classmethod
    def _on_expectation(cls, enrolments):
        if not cls._is_followed():
            super()._on_expectation(enrolments)

    @classmethod
    def _is_followed(cls):
        "If the change follows that of an enrolment, which records it"
        return Transaction().context.get('_training_periods_followed')

    @classmethod
    def _note(cls, periods, deleted=False):
        pool = Pool()
        Event = pool.get('training.enrolment.event')
        message = (
            'training_abandon.msg_period_deleted' if deleted
            else 'training_abandon.msg_period_changed')
        same = defaultdict(list)
        for period in periods:
            same[
                None if deleted else period.reason,
                gettext(message, period=describe(period.span))].append(
                    period.enrolment)
        for (reason, description), enrolments in same.items():
            Event.record(
                enrolments, 'periods', reason=reason, description=description)

    @classmethod
    def warn_empty(cls, periods):
        "Warn of the bounds on half-days without slot"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Warning = pool.get('res.user.warning')
        sessions = {p.enrolment.session for p in periods}
        found = defaultdict(set)
        for sub_sessions in grouped_slice(list(sessions), BATCH):
            for slot in Slot.search([
                        ('session', 'in', [s.id for s in sub_sessions]),
                        ('state', '!=', 'cancelled'),
                        ('date', 'in', list({
                                    d for p in periods
                                    for d in [p.start_date, p.end_date]
                                    if d})),
                        ]):
                found[slot.session].add(half_day(slot.date, slot.half))
        for period in periods:
            session, span = period.enrolment.session, period.span
            bounds = {span['start'], span['end']} - {None}
            empty = sorted(bounds - found[session])
            if not empty:
                continue
            key = Warning.format(
                'training_period_without_slot', [period.enrolment])
            if Warning.check(key):
                raise PeriodWarning(key, gettext(
                        'training_abandon.msg_period_without_slot',
                        enrolment=period.enrolment.rec_name,
                        half_days=', '.join(map(half_day_name, empty))))


def _splice_ended(spans, span):
    """Return the spans of an expectation that has ended with the span in
    them: what has ended does not begin again"""
    end = max((
            end_of(s) for s in spans
            # What a suspension adds until the trainee resumes
            if s['kind'] != 'suspended' or s['end'] is not None),
        default=NEVER)
    for change in clip([span], end=end):
        spans = splice(spans, change)
    return spans


class PeriodsMixin:
    "Enrolments whose periods follow their life"
    __slots__ = ()

    periods = fields.One2Many(
        'training.enrolment.period', 'enrolment', "Periods",
        help="When the trainee is expected.")
    planned_periods = fields.Text("Planned Periods", readonly=True)

    @classmethod
    def expected_sql(cls, enrolment, slot, slot_id=None):
        """Return the SQL expression that is true when the trainee of the
        enrolment is expected at the slot of its session: within a period of
        kind expected, for a group of the enrolment and without exemption.

        slot_id identifies the slot when slot.id does not."""
        return cls.expects_sql(
            enrolment.id, slot, slot.id if slot_id is None else slot_id)

    @classmethod
    def awaited_sql(cls, enrolment, slot):
        """Return the expression of expected_sql that is false of the drafts,
        of which a period may tell what is to come"""
        return (enrolment.state != 'draft') & cls.expected_sql(
            enrolment, slot)

    @classmethod
    def expects_sql(cls, enrolment_id, slot, slot_id, groups=True):
        """Return the expression of expected_sql for the id of the enrolment,
        whatever its groups are today without groups."""
        pool = Pool()
        Period = pool.get('training.enrolment.period')
        period = Period.__table__()
        within = Exists(period.select(
                Literal(1),
                where=(period.enrolment == enrolment_id)
                & (period.kind == 'expected')
                & Period.covers_sql(period, slot)))
        expected = within & ~cls._exempted_sql(enrolment_id, slot, slot_id)
        if groups:
            expected &= cls._grouped_sql(enrolment_id, slot_id)
        return expected

    @classmethod
    def on_expectation(cls, enrolments):
        """Hook called once it has changed when the trainees of the enrolments
        are expected"""

    @classmethod
    def last_official_half_days(cls, enrolments):
        """Hook that returns, by enrolment, the last half-day of which an
        official sheet has the trainee"""
        return {}

    @classmethod
    def last_attended_half_days(cls, enrolments, date):
        """Hook that returns, by enrolment, the last half-day of the date that
        the trainee attended"""
        return {}

    @classmethod
    def last_closed_half_days(cls, enrolments):
        """Hook that returns, by session of the enrolments, the last half-day
        of which the sheet has been official"""
        return {}

    @classmethod
    def create_expectation(cls, enrolments):
        """Expect the trainees of the enrolments from the first half-day whose
        sheet is not official yet: during their periods of that kind, or but
        during their other ones."""
        closed = cls.last_closed_half_days(enrolments)
        spans = {}
        for enrolment in enrolments:
            start = half_day(enrolment.start_date)
            end = half_day(enrolment.end_date, 'afternoon')
            if (last := closed.get(enrolment.session)) is not None:
                start = last + 1 if start is None else max(start, last + 1)
            reason = None
            if start is not None and start != half_day(enrolment.start_date):
                reason = gettext('training_abandon.msg_period_late')
            entered = [p.span for p in enrolment.periods]
            if any(s['kind'] == 'expected' for s in entered):
                wanted = clip(entered, start, end)
            else:
                wanted = clip([{
                            'start': None,
                            'end': None,
                            'kind': 'expected',
                            'weekdays': [],
                            'reason': reason,
                            }], start, end)
                for span in entered:
                    wanted = splice(wanted, span)
            spans[enrolment] = wanted
        cls._replace_periods(spans)

    @classmethod
    def follow_state(cls, enrolments):
        """Give to the enrolments the expectation without which their state
        cannot be, whatever has changed it"""
        cls.create_expectation([
                e for e in enrolments
                if e.state in {'confirmed', 'started', 'completed'}
                and not e.periods and not e.planned_periods])
        cls.forget_expectation([
                e for e in enrolments
                if e.state == 'cancelled' and not e.planned_periods])
        cls.delete_expectation([
                e for e in enrolments
                if e.state == 'draft'
                and (e.periods or e.planned_periods)])

    @classmethod
    def delete_expectation(cls, enrolments):
        "Expect the trainees no more, as before the confirmation"
        cls._set_planned({e: [] for e in enrolments})

    @classmethod
    def redraft_as_before(cls, enrolments):
        "Set back to draft with the periods that the enrolments had"
        plans = {e: e._plans for e in enrolments if e.planned_periods}
        cls.redraft(enrolments)
        cls._replace_periods({
                e: plans[e][-1] for e in cls.browse(enrolments)
                if e in plans})

    @classmethod
    def end_expectation(
            cls, enrolments, date, reason=None, origins=None,
            suspended=False):
        """Expect nobody after the last half-day attended on the date, or
        after that day when none was attended.

        origins are, by enrolment, values for the periods that change."""
        attended = cls.last_attended_half_days(enrolments, date)
        cls._end_periods({
                e: attended.get(e, half_day(date, 'afternoon'))
                for e in enrolments}, reason, origins, suspended)

    @classmethod
    def end_expectation_after(cls, dates):
        "Expect nobody after the date of each of the enrolments"
        cls._end_periods(
            {e: half_day(d, 'afternoon') for e, d in dates.items()},
            None, None)

    @classmethod
    def forget_expectation(cls, enrolments, reason=None, origins=None):
        "Expect nobody but where an official sheet has the trainee"
        official = cls.last_official_half_days(enrolments)
        cls._end_periods(
            {e: official.get(e, NEVER) for e in enrolments}, reason, origins)

    @classmethod
    def _end_periods(cls, ends, reason, origins, suspended=False):
        spans, planned = {}, {}
        for enrolment, end in ends.items():
            values = {'reason': reason, **(origins or {}).get(enrolment, {})}
            current = [p.span for p in enrolment.periods]
            planned[enrolment] = [*enrolment._plans, current]
            kept = order(clip(current, end=end))
            if kept and kept[-1] not in current:
                kept[-1] = cls._origin(kept[-1], values)
            if suspended:
                kept = [s for s in kept if s['kind'] != 'suspended']
                kept.append(cls._origin({
                            'start': None if end == NEVER else end + 1,
                            'end': None,
                            'kind': 'suspended',
                            'weekdays': [],
                            }, values))
            spans[enrolment] = kept
        cls._write_plans(planned)
        cls._replace_periods(spans)

    @property
    def _plans(self):
        """The spans before each time that the expectation was ended, the
        first ones being those that were planned"""
        return load(self.planned_periods) if self.planned_periods else []

    @classmethod
    def _write_plans(cls, plans):
        "Write the plans of the enrolments, those with the same ones together"
        same, actions = defaultdict(list), []
        for enrolment, spans in plans.items():
            same[dump(spans) if spans else None].append(enrolment)
        for dumped, enrolments in same.items():
            actions += [enrolments, {'planned_periods': dumped}]
        if actions:
            cls.write(*actions)

    @classmethod
    def erase_planned_reasons(cls, enrolments):
        "Forget why the periods of the enrolments were planned"
        cls._write_plans({
                e: [[{**s, 'reason': None} for s in spans]
                    for spans in e._plans]
                for e in enrolments if e.planned_periods})

    @classmethod
    def resume_expectation(cls, enrolments, date, reason=None, origins=None):
        """Expect the trainees again from the morning of the date to the
        planned end, as end_expectation."""
        spans, start = {}, half_day(date)
        for enrolment in enrolments:
            values = {'reason': reason, **(origins or {}).get(enrolment, {})}
            current = clip(
                [p.span for p in enrolment.periods], end=start - 1)
            again = clip(enrolment._planned_spans(), start)
            spans[enrolment] = [
                *current, *(cls._origin(s, values) for s in again)]
        cls._set_planned(spans)

    @classmethod
    def restore_expectation(cls, enrolments):
        "Expect the trainees as before it was ended the last time"
        plans = {e: e._plans for e in enrolments if e.planned_periods}
        cls._replace_periods({e: spans[-1] for e, spans in plans.items()})
        cls._write_plans({e: spans[:-1] for e, spans in plans.items()})

    @classmethod
    def reopen_expectation(cls, enrolments):
        """Expect the trainees as planned, from the first half-day whose sheet
        is not official yet."""
        closed = cls.last_closed_half_days(enrolments)
        spans = {}
        for enrolment in enrolments:
            start = closed.get(enrolment.session)
            planned = enrolment._planned_spans()
            current = []
            if start is not None:
                planned = clip(planned, start + 1)
                current = clip(
                    [p.span for p in enrolment.periods], end=start)
            spans[enrolment] = [*current, *planned]
        cls._set_planned(spans)

    @classmethod
    def _set_planned(cls, spans):
        cls._replace_periods(spans)
        cls._write_plans({e: [] for e in spans if e.planned_periods})

    def _planned_spans(self):
        """Return the spans that were planned, to the end of the enrolment if
        the expectation has not been ended"""
        if self.planned_periods:
            return self._plans[0]
        spans = order([p.span for p in self.periods])
        if spans:
            spans = stretch(
                spans, spans[0]['start'],
                half_day(self.end_date, 'afternoon'))
        return spans

    @classmethod
    def change_period(cls, enrolments, span):
        """Make the span hold for the enrolments, which keep their periods
        before and after it."""
        spans, plans = {}, {}
        for enrolment in enrolments:
            current = [p.span for p in enrolment.periods]
            if enrolment.planned_periods:
                planned, *others = enrolment._plans
                plans[enrolment] = [
                    splice(planned, span),
                    *(_splice_ended(o, span) for o in others)]
                spans[enrolment] = _splice_ended(current, span)
            else:
                spans[enrolment] = splice(current, span)
        cls._write_plans(plans)
        cls._replace_periods(spans)
        cls.record(
            list(spans), 'periods', reason=span['reason'],
            description=gettext(
                'training_abandon.msg_period_changed',
                period=describe(span)))

    @classmethod
    def move_bounds(cls, enrolments, names):
        "Make the periods follow the dates of the enrolments with the names"
        spans, plans = {}, {}
        for enrolment in enrolments:
            if enrolment.planned_periods:
                planned, *others = enrolment._plans
                plans[enrolment] = [
                    enrolment._moved(planned, names),
                    *(enrolment._moved(o, names & {'start_date'})
                        for o in others)]
            else:
                spans[enrolment] = enrolment._moved(
                    [p.span for p in enrolment.periods], names)
        cls._write_plans(plans)
        cls._replace_periods(spans)

    def _moved(self, spans, names):
        "Return the spans with the bounds that the dates give them"
        if not spans:
            return []
        spans = order(spans)
        start, end = spans[0]['start'], spans[-1]['end']
        if 'start_date' in names:
            start = half_day(self.start_date)
        if 'end_date' in names:
            end = half_day(self.end_date, 'afternoon')
        return stretch(spans, start, end) or [
            {**spans[-1], 'start': start, 'end': end}]

    @classmethod
    def _origin(cls, span, values):
        "Return the span with the values, as of now"
        pool = Pool()
        Period = pool.get('training.enrolment.period')
        origin = Period._origin_names()
        return {
            **{n: v for n, v in span.items() if n not in origin},
            **values}

    @classmethod
    def _replace_periods(cls, spans):
        "Write, create and delete the periods for the enrolments to have these"
        pool = Pool()
        Period = pool.get('training.enrolment.period')
        to_create, to_delete, to_write = [], [], defaultdict(list)
        changed = []
        # What is written has no other origin than its own
        unknown = dict.fromkeys(
            set(Period._origin_names()) - {'user', 'known_since'})
        for enrolment, wanted in spans.items():
            current = [p.span for p in enrolment.periods]
            wanted = order(wanted)
            if current != wanted:
                changed.append(enrolment)
            # What does not change stays the record that it is
            periods = [
                p for p, s in zip(enrolment.periods, current)
                if s not in wanted]
            wanted = [s for s in wanted if s not in current]
            for period, span in zip(periods, wanted):
                to_write[dump([span])].append(period)
            to_delete += periods[len(wanted):]
            to_create += [
                {'enrolment': enrolment.id, **period_values(span)}
                for span in wanted[len(periods):]]
        with Transaction().set_context(
                _check_access=False, _training_periods_followed=True):
            # Those that leave first, those that overlap last
            if to_delete:
                Period.delete(to_delete)
            if to_write:
                Period.write(*chain(*(
                            (periods,
                                {**unknown, **period_values(*load(dumped))})
                            for dumped, periods in to_write.items())))
            for sub_values in grouped_slice(to_create, BATCH):
                Period.create(list(sub_values))
        if changed:
            cls.on_expectation(changed)


class ChangePeriod(Wizard):
    "Expect, suspend or exempt the trainees during a period"
    __name__ = 'training.enrolment.period.change'

    start = StateView(
        'training.enrolment.period.change.start',
        'training_abandon.enrolment_period_change_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Change", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def transition_apply(self):
        pool = Pool()
        Period = pool.get('training.enrolment.period')
        start = self.start
        span = {
            'start': half_day(start.start_date, start.start_half),
            'end': half_day(start.end_date, start.end_half),
            'kind': start.kind,
            'weekdays': (
                list(start.weekdays or []) if start.kind == 'expected'
                else []),
            'reason': start.reason,
            }
        if None not in {span['start'], span['end']} and (
                span['start'] > span['end']):
            raise PeriodError(gettext(
                    'training_abandon.msg_period_end_before_start',
                    enrolment=tools.names(self.records),
                    period=describe(span)))
        self.model.change_period(self.records, span)
        Period.warn_empty([
                p for e in self.model.browse(self.records)
                for p in e.periods
                if (p.span['start'], p.span['end'])
                == (span['start'], span['end'])])
        return 'end'

    def end(self):
        return 'reload'


class ChangePeriodStart(SpanMixin, ModelView):
    __name__ = 'training.enrolment.period.change.start'

    reason = fields.Char(
        "Reason", required=True, help="Do not write any health detail.")

    @classmethod
    def default_kind(cls):
        return 'suspended'


def period_values(span):
    "Return the values of the period of the span"
    start_date, start_half = date_half(span['start'])
    end_date, end_half = date_half(span['end'])
    values = {n: v for n, v in span.items() if n not in {'start', 'end'}}
    return {
        **values,
        'start_date': start_date,
        'start_half': start_half or 'morning',
        'end_date': end_date,
        'end_half': end_half or 'afternoon',
        }


def half_day_name(half_day):
    "Return the half-day in words"
    pool = Pool()
    Lang = pool.get('ir.lang')
    date, half = date_half(half_day)
    return gettext(
        f'training_abandon.msg_half_day_{half}',
        date=Lang.get().strftime(date))


def describe(span):
    "Return the span in words"
    pool = Pool()
    Period = pool.get('training.enrolment.period')
    kinds = dict(Period.fields_get(['kind'])['kind']['selection'])
    bounds = [
        '…' if span[n] is None else half_day_name(span[n])
        for n in ['start', 'end']]
    return '{} {} - {}'.format(kinds[span['kind']], *bounds)


def dump(spans):
    return json.dumps(spans, cls=JSONEncoder)


def load(text):
    "Return the spans that were dumped"
    return json.loads(text, object_hook=JSONDecoder())
