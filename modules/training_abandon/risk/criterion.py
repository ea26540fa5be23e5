# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What the rules look at, one class for each of the criteria

A criterion is a query of the facts of the enrolments that a rule flags: one
row for each of their slots, or one without slot. They are the lines that count
of the official sheets, as attendance/facts.py defines them, without those that
are excused."""
import datetime as dt
from collections import namedtuple
from decimal import Decimal
from itertools import groupby
from operator import attrgetter

from sql import Column, Literal, Null, Union, Window
from sql.aggregate import Count, Max, Min, Sum
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce
from sql.functions import Extract, RowNumber
from sql.operators import Exists, Or

from trytond.i18n import gettext, ngettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from .. import tools
from ..attendance.evidence import ATTENDED
from ..case.follow_up import HEARD_OUTCOMES
from ..procedure.letter import describe_slots
from ..stored import of_all, of_ids
from ..training.working_day import end_of_day

DAY = dt.timedelta(days=1)
# The days that the words name
NAMED = 10
# The rates are compared as whole numbers, the same on all the databases
PRECISION = 10_000
UNHEARD_OUTCOMES = ['no_answer', 'wrong_contact']
# The mails to which the trainee is expected to answer
ASKING_KINDS = ['attendance', 'ask_reasons', 'propose', 'follow_up']
_LINE = ['enrolment', 'slot', 'date', 'start', 'end', 'at', 'start_at']
_NULLS = {
    'slot': fields.Integer('slot'),
    'date': fields.Date('date'),
    'start': fields.Time('start'),
    'end': fields.Time('end'),
    'at': fields.DateTime('at'),
    'start_at': fields.DateTime('start_at'),
    }

Fact = namedtuple('Fact', 'enrolment value base since slots')
_Row = namedtuple(
    '_Row', 'enrolment slot date start end value base since since_at')


def _any(enrolment):
    return Literal(True)


class Criterion:
    "What a rule flags in a company on a day"
    name = None
    # If a rule has a number of slots, which go back from the last one
    has_window = False
    is_rate = False
    # That of the cases
    origin = 'absence'
    states = ['confirmed', 'started']

    def __init__(self, rule, company, today, calendar):
        self.rule = rule
        self.company = company
        self.today = today
        self.calendar = calendar
        self.threshold = rule.threshold or 0
        self._described = {}

    @property
    def owner(self):
        "The id of the employee who answers for the alerts, or None"
        owner = self.rule.owner
        if owner and owner.company == self.company:
            return owner.id

    @property
    def least(self):
        "The lowest whole number that a rule flags"
        return int(self.threshold)

    @property
    def cutoff(self):
        """The last day that is followed by as many working days as the
        threshold, today included"""
        date, left = self.today, self.least
        while left:
            left -= self.calendar.is_working_day(date)
            date -= DAY
        return date

    def facts(self, of=of_all):
        """Yield the facts of the enrolments that the rule flags.

        of returns the condition on the column of the enrolment."""
        return self._facts(self._among(of, self.likely))

    def facts_among(self, ids):
        "Yield the facts of the enrolments, of those that likely_ids keeps"
        return self._facts(of_ids(ids)) if ids else iter([])

    def _facts(self, of):
        cursor = Transaction().connection.cursor()
        cursor.execute(*tools.apply_types(
                self.query(of),
                None, None, 'DATE', 'TIME', 'TIME', None, None, 'DATE',
                'TIMESTAMP'))
        rows = map(_Row._make, cursor.fetchall())
        for enrolment, group in groupby(rows, key=attrgetter('enrolment')):
            first, *others = group
            slots = [
                (r.slot, r.date, r.start, r.end)
                for r in [first, *others] if r.slot]
            # SQLite knows no time zone
            since = (
                tools.local_date(first.since_at, self.company)
                if first.since_at else first.since or first.date)
            yield Fact(
                enrolment, int(first.value), int(first.base or 0), since,
                slots)

    def query(self, of):
        """Return the query of the columns of _Row in the order of the
        enrolments and of time"""
        raise NotImplementedError

    def words(self, fact, lang):
        """Return the words for the facts, in the language of the
        transaction"""
        raise NotImplementedError

    def tokens(self, fact):
        "Return what makes the facts other ones than those dismissed"
        return [str(slot) for slot, *_ in fact.slots]

    def likely(self, enrolment):
        """Return the condition on the stored facts of the enrolments, and on
        what is told of them, without which the rule flags none"""
        return Literal(True)

    def come_ids(self):
        """Return the ids of the enrolments that the day, or what is not a
        fact of the sheets, may make the rule flag"""
        return []

    def _among(self, of, where):
        "Return of for the enrolments that the rule is about only"
        population = self.population(of, where)
        return lambda column: of(column) & column.in_(population)

    def population(self, of=of_all, where=_any):
        "Return the query of the ids of the enrolments the rule is about"
        from_, tables = _population_tables()
        enrolment, *_ = tables
        return from_.select(
            enrolment.id,
            where=of(enrolment.id) & self.is_about(tables, where))

    def is_about(self, tables, where=_any):
        """Return if the rule is about the enrolment of the tables, that
        _population_tables returns"""
        enrolment, session, _ = tables
        return (
            self._in_scope(tables)
            & enrolment.state.in_(self.states)
            & ~session.state.in_(['done', 'cancelled'])
            & where(enrolment)
            & ~self._in_case_sql(enrolment))

    def history(self, start):
        """Return the query of the ids of the enrolments it would have been
        about since the day"""
        from_, tables = _population_tables()
        enrolment, session, _ = tables
        return from_.select(
            enrolment.id,
            where=self._in_scope(tables)
            & (session.end_date >= start)
            & (session.start_date <= self.today)
            & (enrolment.state != 'draft')
            & (session.state != 'cancelled'))

    def _in_scope(self, tables):
        pool = Pool()
        Funding = pool.get('training.enrolment.funding')
        enrolment, session, trainee = tables
        rule = self.rule
        where = enrolment.company == self.company.id
        if rule.course:
            where &= session.course == rule.course.id
        if rule.agreement_kind:
            where &= enrolment.agreement_kind == rule.agreement_kind
        if rule.trainee_kind:
            where &= trainee.kind == rule.trainee_kind
        if rule.funder:
            funding = Funding.__table__()
            where &= Exists(funding.select(
                    Literal(1),
                    where=(funding.enrolment == enrolment.id)
                    & (funding.funder == rule.funder.id)))
        return where

    def _in_case_sql(self, enrolment):
        "Return if a case already follows the enrolment"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        case = Case.__table__()
        return Exists(case.select(
                Literal(1),
                where=(case.enrolment == enrolment.id)
                & self._follows_sql(case)))

    def _follows_sql(self, case):
        return case.closed_at == Null

    def _held(self, of):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        return Attendance._held_query(of)

    def _select(
            self, table, where, value, base=Null, since=Null, since_at=Null):
        "Return the query of the rows of the lines of the table"
        return table.select(
            table.enrolment.as_('enrolment'),
            table.slot.as_('slot'),
            table.date.as_('date'),
            table.start.as_('start'),
            table.end.as_('end'),
            value.as_('value'),
            fields.Integer('base').sql_cast(base).as_('base'),
            fields.Date('since').sql_cast(since).as_('since'),
            fields.DateTime('since_at').sql_cast(since_at).as_('since_at'),
            where=where,
            order_by=[table.enrolment, table.start_at, table.slot])

    def _dates(self, fact, lang):
        "Return the words for the first slots of the facts"
        # Those of a session have missed the same slots
        times = tuple(tuple(times) for _, *times in fact.slots)
        if (lang, times) not in self._described:
            self._described[lang, times] = ', '.join(
                tools.first(describe_slots(lang, times), NAMED))
        return self._described[lang, times]


class DatedCriterion(Criterion):
    "What lasts a number of working days"
    def tokens(self, fact):
        return [fact.since.isoformat()]

    def _come(self, known, where=_any):
        """Return the ids of the likely enrolments, of which the condition
        holds, that no open alert knows"""
        pool = Pool()
        Alert = pool.get('training.alert')
        alert = Alert.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*self.population(where=lambda enrolment:
                self.likely(enrolment)
                & where(enrolment)
                & ~Exists(alert.select(
                        Literal(1),
                        where=(alert.enrolment == enrolment.id)
                        & (alert.rule == self.rule.id)
                        & (alert.closed_at == Null)
                        & known(alert, enrolment)))))
        return [id_ for id_, in cursor]


class ConsecutiveAbsences(Criterion):
    "The absences since the last presence"
    name = 'consecutive_absences'

    def likely(self, enrolment):
        return _may_be_absent(enrolment, self.least)

    def query(self, of):
        absent = _absent_query(self._held(of))
        return self._select(
            absent, absent.count >= self.least, absent.count)

    def words(self, fact, lang):
        return ngettext(
            'training_abandon.msg_alert_consecutive_absences', fact.value,
            count=fact.value, dates=self._dates(fact, lang))


class WindowCriterion(Criterion):
    "What is counted over the course, or over the last slots"
    has_window = True

    def _lines(self, of):
        "Return the query of the lines, without those that are excused"
        held = self._held(of)
        names = [*_LINE, 'state', 'missed', 'justified', 'late_by', 'duration']
        window = self.rule.window
        if not window:
            return held.select(
                *_columns(held, names), where=held.state != 'excused')
        ranked = held.select(
            *_columns(held, names),
            RowNumber(window=Window(
                    [held.enrolment],
                    order_by=[held.start_at.desc, held.slot.desc]))
            .as_('rank'),
            where=held.state != 'excused')
        return ranked.select(
            *_columns(ranked, names), where=ranked.rank <= window)

    def _is_late(self, line):
        return (line.state == 'late') & ~Coalesce(
            line.justified, Literal(False))

    def _period(self):
        if self.rule.window:
            return ngettext(
                'training_abandon.msg_alert_window', self.rule.window,
                count=self.rule.window)
        return gettext('training_abandon.msg_alert_course')


class AbsenceRate(WindowCriterion):
    "The time missed without excuse divided by the time held"
    name = 'absence_rate'
    is_rate = True

    def likely(self, enrolment):
        excused = _seconds(enrolment.hours_excused)
        missed = _seconds(enrolment.hours_missed) - excused
        likely = missed > 0
        if not self.rule.window:
            likely &= missed * PRECISION >= (
                (_seconds(enrolment.hours_held) - excused)
                * _exact(self.threshold))
        return likely

    def query(self, of):
        line = self._lines(of)
        window = Window([line.enrolment])
        missed = SQLCase(
            (Coalesce(line.justified, Literal(False)), 0),
            else_=Coalesce(_seconds(line.missed), 0))
        summed = line.select(
            *_columns(line),
            missed.as_('missed'),
            Sum(missed, window=window).as_('value'),
            Sum(_seconds(line.duration), window=window).as_('base'),
            Count(Literal(1), window=window).as_('count'))
        return self._select(
            summed,
            (summed.missed > 0)
            & (summed.count >= (self.rule.min_slots or 1))
            & (summed.value * PRECISION
                >= summed.base * _exact(self.threshold)),
            summed.value, summed.base)

    def words(self, fact, lang):
        return gettext(
            'training_abandon.msg_alert_absence_rate',
            rate=_percent(lang, fact.value, fact.base),
            missed=_hours(fact.value), held=_hours(fact.base),
            period=self._period(), dates=self._dates(fact, lang))


class LateCount(WindowCriterion):
    "The number of times late"
    name = 'late_count'

    def likely(self, enrolment):
        return enrolment.late_count >= self.least

    def query(self, of):
        line = self._lines(of)
        late = line.select(
            *_columns(line),
            Count(Literal(1), window=Window([line.enrolment])).as_('count'),
            where=self._is_late(line))
        return self._select(late, late.count >= self.least, late.count)

    def words(self, fact, lang):
        return ngettext(
            'training_abandon.msg_alert_late_count', fact.value,
            count=fact.value, period=self._period(),
            dates=self._dates(fact, lang))


class LateMinutes(WindowCriterion):
    "The minutes of lateness"
    name = 'late_minutes'

    def likely(self, enrolment):
        return enrolment.late_count > 0

    def query(self, of):
        line = self._lines(of)
        late = line.select(
            *_columns(line),
            Sum(_seconds(line.late_by), window=Window([line.enrolment]))
            .as_('sum'),
            where=self._is_late(line) & (_seconds(line.late_by) > 0))
        return self._select(late, late.sum >= self.least * 60, late.sum)

    def words(self, fact, lang):
        minutes = fact.value // 60
        return ngettext(
            'training_abandon.msg_alert_late_minutes', minutes,
            count=minutes, period=self._period(),
            dates=self._dates(fact, lang))


class NoNews(DatedCriterion):
    """The absences since the trainee was last there, excused or heard, when
    that is some working days ago"""
    name = 'no_news'

    def likely(self, enrolment):
        return _may_be_absent(enrolment) & (
            (enrolment.last_presence == Null)
            | (enrolment.last_presence <= self.cutoff))

    def query(self, of):
        held, heard = self._held(of), _last_heard_query(of)
        seen = Max(
            held.at, filter_=held.state != 'absent',
            window=Window([held.enrolment]))
        line = held.select(
            *_columns(held), held.state.as_('state'), seen.as_('seen_at'))
        line = (line
            .join(heard, 'LEFT', condition=heard.enrolment == line.enrolment)
            .select(
                *_columns(line), line.state.as_('state'),
                _latest(line.seen_at, heard.heard_at).as_('news_at')))
        absent = line.select(
            *_columns(line),
            Count(Literal(1), window=Window([line.enrolment])).as_('count'),
            line.news_at.as_('news_at'),
            where=(line.state == 'absent')
            & (line.at > line.news_at)
            & (line.news_at < end_of_day(self.cutoff, self.company.timezone)))
        return self._select(
            absent, Literal(True), absent.count, since_at=absent.news_at)

    def words(self, fact, lang):
        return ngettext(
            'training_abandon.msg_alert_no_news', fact.value,
            count=fact.value, date=lang.strftime(fact.since),
            dates=self._dates(fact, lang))

    def come_ids(self):
        # An index finds each of them
        return [
            id_ for where in _absent_ways()
            for id_ in self._come(
                lambda alert, e: alert.since >= e.last_presence, where)]


class NoShow(DatedCriterion):
    "The absences of who never came, some working days after the first one"
    name = 'no_show'

    def likely(self, enrolment):
        return (enrolment.consecutive_absences > 0) & (
            enrolment.last_presence == Null)

    def query(self, of):
        absent = _absent_query(self._held(of))
        return self._select(
            absent,
            (absent.last_at == Null) & (absent.first <= self.cutoff),
            absent.count, since=absent.first)

    def words(self, fact, lang):
        return ngettext(
            'training_abandon.msg_alert_no_show', fact.value,
            count=fact.value, date=lang.strftime(fact.since),
            dates=self._dates(fact, lang))

    def come_ids(self):
        return self._come(lambda alert, e: Literal(True))


class Unreachable(Criterion):
    """The attendance that is required and can no longer be reached

    What is excused is missed too: who requires it looks at the hours
    attended."""
    name = 'unreachable'
    is_rate = True

    def likely(self, enrolment):
        return _seconds(enrolment.hours_missed) * PRECISION > (
            _seconds(enrolment.hours_planned)
            * (PRECISION - _exact(self.threshold)))

    def query(self, of):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        held, planned = self._held(of), Attendance._planned_query(of)
        line = held.select(
            *_columns(held),
            _seconds(held.missed).as_('missed'),
            Sum(_seconds(held.missed), window=Window([held.enrolment]))
            .as_('value'))
        line = (line
            .join(planned, condition=planned.enrolment == line.enrolment)
            .select(
                *_columns(line), line.missed.as_('missed'),
                line.value.as_('value'),
                _seconds(planned.hours_planned).as_('base')))
        return self._select(
            line,
            (line.missed > 0)
            & (line.value * PRECISION
                > line.base * (PRECISION - _exact(self.threshold))),
            line.value, line.base)

    def tokens(self, fact):
        return [self.name]

    def words(self, fact, lang):
        return gettext(
            'training_abandon.msg_alert_unreachable',
            rate=_percent(lang, fact.base - fact.value, fact.base),
            required=_percent(lang, _exact(self.threshold), PRECISION),
            missed=_hours(fact.value), planned=_hours(fact.base),
            dates=self._dates(fact, lang))


class NoAnswer(Criterion):
    """The mails and the calls without answer since the trainee was last heard
    or seen"""
    name = 'no_answer'
    origin = 'other'

    def likely(self, enrolment):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        follow_up, mail = FollowUp.__table__(), Mail.__table__()
        is_asked = Exists(mail.select(
                Literal(1),
                where=(mail.enrolment == enrolment.id) & _asks(mail)))
        return is_asked | Exists(follow_up.select(
                Literal(1),
                where=(follow_up.enrolment == enrolment.id)
                & _is_unheard(follow_up)))

    def query(self, of):
        tries, news = self.tries(of), self._news(of)
        unanswered = tries.join(
            news, 'LEFT', condition=news.enrolment == tries.enrolment)
        first = Min(tries.at)
        return unanswered.select(
            tries.enrolment.as_('enrolment'),
            *map(_null, ['slot', 'date', 'start', 'end']),
            Count(Literal(1)).as_('value'),
            fields.Integer('base').sql_cast(Null).as_('base'),
            fields.Date('since').sql_cast(Null).as_('since'),
            first.as_('since_at'),
            where=((news.at == Null) | (tries.at > news.at))
            & (tries.bounced_at == Null),
            group_by=[tries.enrolment],
            having=Count(Literal(1)) >= self.least,
            order_by=[tries.enrolment])

    def come_ids(self):
        tries = self.tries(self._among(of_all, self.likely))
        cursor = Transaction().connection.cursor()
        cursor.execute(*tries.select(
                tries.enrolment,
                where=tries.bounced_at == Null, group_by=[tries.enrolment],
                having=Count(Literal(1)) >= self.least))
        return [id_ for id_, in cursor]

    def tries(self, of):
        """Return the query of the times at which the trainee was asked for an
        answer, and of those at which what was written came back"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        Trainee = pool.get('training.trainee')
        enrolment, trainee = Enrolment.__table__(), Trainee.__table__()
        follow_up, mail = FollowUp.__table__(), Mail.__table__()

        def of_trainee(table):
            "Return the table joined to what names the trainee"
            return (table
                .join(enrolment, condition=enrolment.id == table.enrolment)
                .join(trainee, condition=trainee.id == enrolment.trainee))

        mails = of_trainee(mail).select(
            mail.enrolment.as_('enrolment'), mail.sent_at.as_('at'),
            mail.bounced_at.as_('bounced_at'),
            where=of(mail.enrolment)
            & (mail.party == trainee.party)
            & _asks(mail))
        calls = of_trainee(follow_up).select(
            follow_up.enrolment.as_('enrolment'), follow_up.done_at.as_('at'),
            fields.DateTime('bounced_at').sql_cast(Null).as_('bounced_at'),
            where=of(follow_up.enrolment)
            & (follow_up.party == trainee.party)
            & _is_unheard(follow_up))
        return Union(mails, calls, all_=True)

    def _news(self, of):
        heard, held = _last_heard_query(of), self._held(of)
        news = Union(
            heard.select(
                heard.enrolment.as_('enrolment'), heard.heard_at.as_('at')),
            held.select(
                held.enrolment.as_('enrolment'), held.at.as_('at'),
                where=held.state.in_(ATTENDED)),
            all_=True)
        return news.select(
            news.enrolment.as_('enrolment'), Max(news.at).as_('at'),
            group_by=[news.enrolment])

    def tokens(self, fact):
        return [f'{fact.since.isoformat()}/{n}'
            for n in range(1, fact.value + 1)]

    def words(self, fact, lang):
        return ngettext(
            'training_abandon.msg_alert_no_answer', fact.value,
            count=fact.value, date=lang.strftime(fact.since))


class LateReturn(DatedCriterion):
    """Who is not back some working days after the day that was told

    That day is the one of the decision, or the day that follows a period of
    suspension, after which the trainee was expected and absent."""
    name = 'late_return'
    origin = 'other'
    states = ['confirmed', 'started', 'suspended']

    def likely(self, enrolment):
        period = self._table('training.enrolment.period')
        return (enrolment.state == 'suspended') | Exists(period.select(
                Literal(1),
                where=(period.enrolment == enrolment.id)
                & (period.kind == 'suspended')))

    def _follows_sql(self, case):
        # The case of what is postponed is not closed by its decision
        return (case.closed_at == Null) & (case.decision == Null)

    def query(self, of):
        late = Union(self._postponed(of), self._suspended(of), all_=True)
        return self._select(
            late, late.enrolment != Null, Literal(1), since=late.since)

    def _postponed(self, of):
        "Return the query of those who are not back from what was decided"
        case = self._table('training.abandon.case')
        enrolment = self._table('training.enrolment')
        return (case
            .join(enrolment, condition=enrolment.id == case.enrolment)
            .select(
                case.enrolment.as_('enrolment'),
                *map(_null, _LINE[1:]),
                case.return_date.as_('since'),
                where=of(case.enrolment)
                & self._is_postponed(case)
                & (enrolment.state == 'suspended')))

    def _is_postponed(self, case):
        return (
            (case.decision == 'validated')
            & (case.ground == 'postponed')
            & (case.state != 'cancelled')
            & (case.return_ended_on == Null)
            & (case.return_date <= self.cutoff))

    def _suspended(self, of):
        "Return the query of the absences that follow the suspensions"
        ended = self._ended(of)
        suspended = self._table('training.enrolment.period')
        # The lines of the few who were suspended are read only
        held = self._held(lambda column: of(column) & column.in_(
                suspended.select(
                    suspended.enrolment,
                    where=suspended.kind == 'suspended')))
        line = held.select(
            *_columns(held), held.state.as_('state'),
            Max(held.date, filter_=held.state != 'absent',
                window=Window([held.enrolment])).as_('seen'))
        absent = (line
            .join(ended, condition=ended.enrolment == line.enrolment)
            .select(
                *_columns(line),
                where=(line.state == 'absent')
                & (line.date > ended.date)
                & ((line.seen == Null) | (line.seen <= ended.date))))
        return absent.select(
            *_columns(absent),
            Min(absent.date, window=Window([absent.enrolment]))
            .as_('since'))

    def _ended(self, of):
        "Return the query of the last day of the suspensions that ended"
        period = self._table('training.enrolment.period')
        return period.select(
            period.enrolment.as_('enrolment'),
            Max(period.end_date).as_('date'),
            where=of(period.enrolment)
            & (period.kind == 'suspended'),
            group_by=[period.enrolment],
            # One without end is not over
            having=(Max(period.end_date) < self.cutoff)
            & (Count(Literal(1), filter_=period.end_date == Null) == 0))

    def _table(self, model):
        return Pool().get(model).__table__()

    def come_ids(self):
        case = self._table('training.abandon.case')
        ended = self._ended(of_all)
        return [
            *self._come(
                lambda alert, e: Exists(case.select(
                        Literal(1),
                        where=(case.enrolment == e.id)
                        & self._is_postponed(case)
                        & (case.return_date == alert.since))),
                lambda e: e.id.in_(case.select(
                        case.enrolment, where=self._is_postponed(case)))),
            *self._come(
                lambda alert, e: Exists(ended.select(
                        Literal(1),
                        where=(ended.enrolment == e.id)
                        & (alert.since > ended.date))),
                lambda e: _may_be_absent(e)
                & e.id.in_(ended.select(ended.enrolment))),
            ]

    def words(self, fact, lang):
        return gettext(
            'training_abandon.msg_alert_late_return',
            date=lang.strftime(fact.since))


def likely_ids(criteria, of, stored=True):
    """Return the ids of the enrolments that each of the criteria may flag, in
    their order, by one query.

    stored tells if the facts stored with the enrolments are up to date: they
    leave most of them out, and do not decide."""
    found = [[] for _ in criteria]
    if not criteria:
        return found
    from_, tables = _population_tables()
    enrolment, *_ = tables
    cursor = Transaction().connection.cursor()
    cursor.execute(*from_.select(
            enrolment.id,
            *(c.is_about(tables, c.likely if stored else _any)
                for c in criteria),
            where=of(enrolment.id)))
    for id_, *are_likely in cursor:
        for ids, is_likely in zip(found, are_likely):
            if is_likely:
                ids.append(id_)
    return found


def _population_tables():
    """Return the enrolments joined to what the rules are about, and their
    tables"""
    pool = Pool()
    Enrolment = pool.get('training.enrolment')
    Session = pool.get('training.session')
    Trainee = pool.get('training.trainee')
    enrolment, session = Enrolment.__table__(), Session.__table__()
    trainee = Trainee.__table__()
    from_ = (enrolment
        .join(session, condition=session.id == enrolment.session)
        .join(trainee, condition=trainee.id == enrolment.trainee))
    return from_, (enrolment, session, trainee)


def _null(name):
    return _NULLS[name].sql_cast(Null).as_(name)


def _columns(table, names=_LINE):
    return [Column(table, name).as_(name) for name in names]


def _seconds(interval):
    return Extract('EPOCH', interval)


def _exact(rate):
    "Return the rate as whole number"
    return int((Decimal(str(rate)) * PRECISION).to_integral_value())


def _asks(mail):
    "Return if the mail, which was sent, waits for an answer"
    return (mail.state == 'sent') & mail.kind.in_(ASKING_KINDS)


def _is_unheard(follow_up):
    "Return if nobody was heard by the follow-up, which was made"
    return (follow_up.done_at != Null) & follow_up.outcome.in_(
        UNHEARD_OUTCOMES)


def _latest(first, second):
    return SQLCase(
        (first == Null, second),
        (second == Null, first),
        (first >= second, first),
        else_=second)


def _may_be_absent(enrolment, count=1):
    """Return the condition on the stored facts of the enrolments without
    which there are not so many absences since the last presence

    What is stored has what is caught up in the place of what was missed."""
    return Or([way(enrolment) for way in _absent_ways(count)])


def _absent_ways(count=1):
    "Return the conditions of which _may_be_absent needs one"
    pool = Pool()
    Attendance = pool.get('training.attendance')
    attendance = Attendance.__table__()
    return [
        lambda enrolment: enrolment.consecutive_absences >= count,
        lambda enrolment: enrolment.id.in_(attendance.select(
                attendance.enrolment,
                where=(attendance.catches_up != Null)
                & (attendance.state == 'absent'))),
        ]


def _absent_query(held):
    "Return the query of the absences since the trainee was last there"
    window = Window([held.enrolment])
    line = held.select(
        *_columns(held), held.state.as_('state'),
        Max(held.at, filter_=held.state.in_(ATTENDED), window=window)
        .as_('last_at'))
    window = Window([line.enrolment])
    return line.select(
        *_columns(line),
        Count(Literal(1), window=window).as_('count'),
        Min(line.date, window=window).as_('first'),
        line.last_at.as_('last_at'),
        where=(line.state == 'absent')
        & ((line.last_at == Null) | (line.at > line.last_at)))


def heard_query(of):
    """Return the query of the times at which the trainee, or a legal
    guardian who answers too, was heard or has answered"""
    pool = Pool()
    Enrolment = pool.get('training.enrolment')
    FollowUp = pool.get('training.follow_up')
    Mail = pool.get('training.mail')
    Reply = pool.get('training.mail.reply')
    follow_up, mail = FollowUp.__table__(), Mail.__table__()
    reply = Reply.__table__()

    def of_trainee(from_, id_, party, at, where):
        enrolment = Enrolment.__table__()
        return (from_
            .join(enrolment, condition=enrolment.id == id_)
            .select(
                enrolment.id.as_('enrolment'), at.as_('at'),
                where=of(enrolment.id)
                & party.in_(Enrolment.answering_query(enrolment, at))
                & where))

    return Union(
        of_trainee(
            follow_up, follow_up.enrolment, follow_up.party,
            follow_up.done_at,
            (follow_up.done_at != Null)
            & follow_up.outcome.in_(HEARD_OUTCOMES)),
        of_trainee(
            reply.join(mail, condition=mail.id == reply.mail),
            mail.enrolment, reply.party, reply.received_at,
            reply.counted == Literal(True)),
        all_=True)


def _last_heard_query(of):
    heard = heard_query(of)
    return heard.select(
        heard.enrolment.as_('enrolment'), Max(heard.at).as_('heard_at'),
        group_by=[heard.enrolment])


def _hours(seconds):
    hours, minutes = divmod(round(seconds / 60), 60)
    return f'{hours} h {minutes:02}' if minutes else f'{hours} h'


def _percent(lang, part, whole):
    rate = Decimal(part) * 100 / Decimal(whole)
    return lang.format('%.*f', (1, rate)) + ' %'


CRITERIA = {c.name: c for c in [
        ConsecutiveAbsences, AbsenceRate, LateCount, LateMinutes, NoNews,
        NoShow, Unreachable, NoAnswer, LateReturn]}
