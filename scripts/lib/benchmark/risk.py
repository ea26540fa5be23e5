# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The rules of risk beside one query by rule that is written by hand

The queries by hand read the same attendances, return only the enrolments that
are flagged, and know neither periods, groups nor exemptions.

All is measured for more and more sessions, with 1,000 attendances each:
BENCHMARK_SESSIONS, like "10 100", has other numbers of them."""
import datetime as dt
import os
import resource
from contextlib import contextmanager
from unittest.mock import patch

from sql import Literal, Null, Window
from sql.aggregate import Count, Max, Min, Sum
from sql.functions import Extract, RowNumber

from . import facts
from .common import measure, seconds
from .facts import ATTENDED, held_query, planned_query

RUNS = 3
SIZES = [int(n) for n in os.environ.get(
        'BENCHMARK_SESSIONS', '10 100 1000').split()]
# The part of the lines of the sheets that is new for the incremental
# detection: 2,000 of 1,000,000
NEW = 1 / 500
BATCH = 200
# As times, of the time of the baseline
READ, WRITE, INCREMENTAL = 1.5, 2, 0.1
# As times, of the time by row of the former size
GROWTH = 1.5


def run(client):
    former, created = {}, 0
    for sessions in SIZES:
        bench = Bench(client)
        bench.sessions = sessions - created
        bench.create()
        created = bench.sessions = sessions
        with bench.transaction() as transaction:
            bench.prepare()
            for result in measures(bench):
                result['memory'] = memory()
                yield result
                name, times = result['name'], result['seconds']
                if name in former:
                    rows, before = former[name]
                    yield measure(
                        f'{name}, growth', result['rows'], [times], rows,
                        [before], 1 / GROWTH)
                former[name] = result['rows'], times
            # The next size has neither these alerts nor these rules
            transaction.rollback()


def measures(bench):
    rows = bench.sessions * bench.trainees * bench.days * 2
    for name, count, function, baseline, bar in [
            ('read rules', rows, bench.read, bench.read_by_hand, READ),
            ('write alerts', bench.count, bench.write, bench.create_raw,
                WRITE),
            ('incremental detection', int(rows * NEW), bench.detect_due,
                bench.detect_all, INCREMENTAL),
            ]:
        if function == bench.detect_due:
            bench.detect_once(count)
        times, baseline_times = [], []
        for _ in range(RUNS):
            with undone():
                baseline_times.append(seconds(baseline))
            with undone():
                times.append(seconds(function))
        yield measure(name, count, times, count, baseline_times, 1 / bar)


def memory():
    "Return the peak memory of the process in megabytes"
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


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
    trainees, days = 100, 5

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

    def detect_once(self, new):
        "Have all detected but so many new lines"
        from trytond.modules.training_abandon import tools
        from trytond.pool import Pool
        from trytond.transaction import Transaction

        pool = Pool()
        Due = pool.get('training.risk.due')
        Enrolment = pool.get('training.enrolment')
        self.detect_all()
        due, enrolment = Due.__table__(), Enrolment.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*due.delete())
        # As many of them are flagged as of all
        step = self.sessions * self.trainees // new - 1
        cursor.execute(*due.insert(
                [due.company, due.enrolment],
                enrolment.select(
                    enrolment.company, enrolment.id,
                    where=enrolment.id % step == 0)))
        # Nothing else tells the planner what there is
        cursor.execute('ANALYZE')
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
        from trytond.transaction import Transaction

        # All is undone
        with patch.object(Transaction(), 'commit'):
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
