# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The conformity of many cases beside the bare read of the same rows"

import datetime as dt

from .cases import Cases
from .common import measure, seconds

RUNS = 5
CASES = 10_000
# To judge takes at most twice the time of the read
BAR = 1 / 2


def run(client):
    cases = Cases(client)
    cases.open(CASES)
    client.click('training.session', 'plan', [cases.session])
    times = {judge_cases: [], judge_sessions: [], read: []}
    for _ in range(RUNS):
        for function, values in times.items():
            with cases.transaction():
                values.append(seconds(function))
    for name, function in [
            ('audit: cases', judge_cases), ('audit: sessions', judge_sessions)
            ]:
        yield measure(
            name, CASES, times[function], CASES, times[read], BAR)


def judge_cases():
    from trytond.pool import Pool
    from trytond.transaction import Transaction

    Case = Pool().get('training.abandon.case')
    cursor = Transaction().connection.cursor()
    cursor.execute(*Case.judged_query())
    rows = cursor.fetchall()
    assert len(rows) == CASES
    assert {grade for *_, grade in rows} == {'major'}


def judge_sessions():
    from trytond.pool import Pool
    from trytond.transaction import Transaction

    Row = Pool().get('training.conformity.session')
    cursor = Transaction().connection.cursor()
    query = Row.table_query()
    cursor.execute(*query.select(query.cases, query.major))
    assert cursor.fetchall() == [(CASES, CASES)]


def read():
    "Read what the conformity of the steps follows from"
    from trytond.pool import Pool
    from trytond.transaction import Transaction

    Step = Pool().get('training.abandon.case.step')
    cursor = Transaction().connection.cursor()
    step = Step.__table__()
    cursor.execute(*step.select(
            step.case, step.state, step.by_procedure, step.evidence,
            step.proven_at, step.late_from,
            where=step.late_from < dt.datetime.max))
    assert len(cursor.fetchall()) == CASES * 8
