# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The rules of risk beside one query by rule that is written by hand

The queries by hand read the same attendances, return only the enrolments that
are flagged, and know neither periods, groups nor exemptions."""
import datetime as dt
from contextlib import contextmanager

from sql import Literal, Null, Window
from sql.aggregate import Count, Max, Min, Sum
from sql.functions import Extract, RowNumber

from . import facts
from .common import measure, seconds
from .facts import ATTENDANCES, ATTENDED, held_query, planned_query

RUNS = 3
# The lines of the sheets that are new for the incremental detection
NEW = 2000
BATCH = 200
# As times, of the time of the baseline
READ, WRITE, INCREMENTAL = 1.5, 2, 0.1


def run(client):
    bench = Bench(client)
    bench.create()
    with bench.transaction():
        bench.prepare()
        for name, rows, function, baseline, bar in [
                ('read rules', ATTENDANCES, bench.read, bench.read_by_hand,
                    READ),
                ('write alerts', None, bench.write, bench.create_raw, WRITE),
                ('incremental detection', NEW, bench.detect_due,
                    bench.detect_all, INCREMENTAL),
                ]:
            if function == bench.detect_due:
                bench.detect_once()
            times, baseline_times = [], []
            for _ in range(RUNS):
                with undone():
                    baseline_times.append(seconds(baseline))
                with undone():
                    times.append(seconds(function))
            rows = rows or bench.count
            yield measure(name, rows, times, rows, baseline_times, 1 / bar)


@contextmanager
def undone():
    from trytond.modules.training_abandon import tools
    from trytond.transaction import Transaction

    cursor = Transaction().connection.cursor()
    cursor.execute('SAVEPOINT benchmark')
    try:
        yield
    finally:
        cursor.execute('ROLLBACK TO SAVEPOINT benchmark')
        tools.forget_read()


class Bench(facts.Bench):
    "The rules of the module, all of them active, that flag a twentieth"
    sessions, trainees, days = 1000, 100, 5

    def is_absent(self, enrolment, slot):
        return (enrolment.id % 20 == 0) & (
            super().is_absent(enrolment, slot) | (slot.id % 2 == 0))

    def prepare(self):
        from trytond.modules.training_abandon.training.working_day import (
            WorkingCalendar)
        from trytond.pool import Pool
        from trytond.transaction import Transaction

        pool = Pool()
        Company = pool.get('company.company')
        Rule = pool.get('training.risk.rule')
        rules = Rule.search([('active', 'in', [True, False])])
        with Transaction().set_context(_skip_warnings=True):
            Rule.write(rules, {'active': True})
        company, = Company.search([])
        calendar = WorkingCalendar(company)
        self.rules = Rule.browse(rules)
        self.criteria = [r.criterion_of(company, calendar) for r in rules]
        self.flagged = [(c, list(c.facts())) for c in self.criteria]
        self.count = sum(len(found) for _, found in self.flagged)

    def detect_once(self):
        "Have all detected but the new lines"
        from trytond.modules.training_abandon import tools
        from trytond.pool import Pool
        from trytond.transaction import Transaction

        Enrolment = Pool().get('training.enrolment')
        self.detect_all()
        enrolment = Enrolment.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*enrolment.update([enrolment.risk_due], [False]))
        step = self.sessions * self.trainees // NEW
        cursor.execute(*enrolment.update(
                [enrolment.risk_due], [True],
                where=enrolment.id % step == 0))
        tools.forget_read()

    def read(self):
        for criterion in self.criteria:
            for _ in criterion.facts():
                pass

    def read_by_hand(self):
        from trytond.transaction import Transaction

        cursor = Transaction().connection.cursor()
        for criterion in self.criteria:
            cursor.execute(*BY_HAND[criterion.name](criterion))
            cursor.fetchall()

    def write(self):
        from trytond.pool import Pool

        Alert = Pool().get('training.alert')
        for criterion, found in self.flagged:
            for start in range(0, len(found), BATCH):
                Alert._keep(criterion, found[start:start + BATCH])

    def create_raw(self):
        from trytond.modules.training_abandon import tools
        from trytond.pool import Pool

        Alert = Pool().get('training.alert')
        rows = [{
                'company': criterion.company.id,
                'enrolment': fact.enrolment,
                'rule': criterion.rule.id,
                'level': criterion.rule.level,
                'facts': "Facts " * 20,
                'since': fact.since,
                'first_seen': tools.now(),
                'last_seen': tools.now(),
                'fingerprint': ' '.join(map(str, range(5))),
                'slot_ids': ' '.join(map(str, range(5))),
                'state': 'open',
                } for criterion, found in self.flagged for fact in found]
        for start in range(0, len(rows), BATCH):
            Alert.create(rows[start:start + BATCH])

    def detect_due(self):
        self._detect(lambda Rule: Rule.detect_due())

    def detect_all(self):
        self._detect(lambda Rule: Rule.detect(self.rules))

    def _detect(self, detect):
        from trytond.pool import Pool

        detect(Pool().get('training.risk.rule'))


def everything():
    from trytond.pool import Pool

    enrolment = Pool().get('training.enrolment').__table__()
    return enrolment.select(enrolment.id)


def consecutive_absences(criterion):
    held = held_query(everything())
    return held.select(
        held.enrolment,
        where=(held.state == 'absent')
        & ((held.last_start_at == Null)
            | (held.start_at > held.last_start_at)),
        group_by=[held.enrolment],
        having=Count(Literal(1)) >= criterion.least)


def absence_rate(criterion):
    held = held_query(everything())
    return held.select(
        held.enrolment,
        where=held.state != 'excused',
        group_by=[held.enrolment],
        having=Sum(Extract('EPOCH', held.missed))
        >= Sum(Extract('EPOCH', held.duration)) * criterion.threshold)


def late(criterion, value):
    held = held_query(everything())
    rank = RowNumber(window=Window(
            [held.enrolment], order_by=[held.start_at.desc]))
    line = held.select(
        held.enrolment.as_('enrolment'), held.state.as_('state'),
        held.missed.as_('missed'), rank.as_('rank'),
        where=held.state != 'excused')
    return line.select(
        line.enrolment,
        where=(line.rank <= criterion.rule.window) & (line.state == 'late'),
        group_by=[line.enrolment],
        having=value(line) >= criterion.least)


def late_count(criterion):
    return late(criterion, lambda line: Count(Literal(1)))


def late_minutes(criterion):
    return late(
        criterion, lambda line: Sum(Extract('EPOCH', line.missed)) / 60)


def no_news(criterion):
    held = held_query(everything())
    last = Max(held.date, filter_=held.state != 'absent')
    return held.select(
        held.enrolment,
        group_by=[held.enrolment],
        having=(last <= criterion.cutoff) & (Max(held.date) > last))


def no_show(criterion):
    held = held_query(everything())
    return held.select(
        held.enrolment,
        group_by=[held.enrolment],
        having=(Count(Literal(1), filter_=held.state.in_(ATTENDED)) == 0)
        & (Min(held.date) <= criterion.cutoff))


def unreachable(criterion):
    held, planned = held_query(everything()), planned_query(everything())
    missed = held.select(
        held.enrolment.as_('enrolment'), Sum(held.missed).as_('missed'),
        group_by=[held.enrolment])
    return (missed
        .join(planned, condition=planned.enrolment == missed.enrolment)
        .select(
            missed.enrolment,
            where=Extract('EPOCH', missed.missed)
            > Extract('EPOCH', planned.hours_planned)
            * (1 - criterion.threshold)))


def no_answer(criterion):
    from trytond.pool import Pool

    mail = Pool().get('training.mail').__table__()
    return mail.select(
        mail.enrolment,
        where=mail.state == 'sent',
        group_by=[mail.enrolment],
        having=Count(Literal(1)) >= criterion.least)


def late_return(criterion):
    from trytond.pool import Pool

    period = Pool().get('training.enrolment.period').__table__()
    return period.select(
        period.enrolment,
        where=(period.kind == 'suspended')
        & (period.end_date < criterion.cutoff + dt.timedelta(days=1)))


BY_HAND = {
    f.__name__: f for f in [
        consecutive_absences, absence_rate, late_count, late_minutes, no_news,
        no_show, unreachable, no_answer, late_return]}
