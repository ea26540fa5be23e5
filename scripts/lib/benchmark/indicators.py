# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The indicators, against SQL written by hand for the same numbers

The baseline is one statement that counts each table once. Each axis has its
key; what is measured is the query that the lists read."""

import datetime as dt

from dateutil.relativedelta import relativedelta

from ..environment import say
from .common import measure, seconds
from .lists import Bench

# 100,000 enrolments, of whom one of five has a case
ATTENDANCES = 1_000_000
RUNS = 5
BAR = 1 / 1.2
# The key of what has a company and a date, and is of an enrolment of a session
KEYS = {
    'company': '{item}.company',
    'period': (
        'CAST(EXTRACT(YEAR FROM {date}) * 12 + EXTRACT(MONTH FROM {date}) - 1 '
        '+ CASE WHEN {date} >= %(start)s THEN 0 ELSE 12 END AS INTEGER)'),
    'course': 's.course',
    'session': 'e.session',
    'prescriber': 'COALESCE(e.prescriber, 0)',
    'trainee': 'COALESCE(e.trainee_kind, t.kind)',
    }
GROUNDS = {
    'abandoned': ['abandonment'],
    'prevented': ['resumed'],
    'force_majeure': ['force_majeure'],
    'legitimate': ['legitimate_reason'],
    'excluded': ['exclusion'],
    'no_shows': ['no_show'],
    'cancelled': ['cancellation', 'withdrawal_period'],
    'transferred': ['transfer'],
    'postponed': ['postponed'],
    }

# What tells that both count the same
SAME = {
    'started': 'started', 'previous_started': 'previous_started',
    'left': 'left_', 'previous_left': 'previous_left',
    'decided': 'decided', 'previous_decided': 'previous_decided',
    **{name: name for name in GROUNDS},
    'contact_days': 'contact_days', 'decision_days': 'decision_days',
    'steps_due': 'due', 'previous_steps_due': 'previous_due',
    'steps_on_time': 'on_time', 'asked': 'asked', 'answered': 'answered',
    'alerts': 'alerts', 'alerts_right': 'alerts_right',
    'revenue_lost': 'revenue_lost',
    }
# What the rates divide by what
RATES = [
    ('left_', 'started'), ('previous_left', 'previous_started'),
    ('prevented', 'decided'), ('previous_prevented', 'previous_decided'),
    ('attended', 'held'), ('previous_attended', 'previous_held'),
    ('on_time', 'due'), ('previous_on_time', 'previous_due'),
    ('answered', 'asked'), ('previous_answered', 'previous_asked'),
    ('alerts_right', 'alerts'), ('previous_right', 'previous_alerts'),
    ]


def run(client):
    from trytond.pool import Pool

    bench = Bench(client)
    bench.set_up()
    bench.grow(ATTENDANCES)
    with bench.transaction() as transaction:
        decide(transaction.connection.cursor())
    bench.vacuum()
    end = dt.date.today()
    year = relativedelta(years=1)
    start = end - year + dt.timedelta(days=1)
    for name, key in KEYS.items():
        sql = by_hand(key)
        with bench.transaction(bench.user) as transaction, \
                transaction.set_context(from_date=start, to_date=end):
            Indicator = Pool().get(f'training.indicator.{name}')
            cursor = transaction.connection.cursor()
            values = {
                'company': transaction.context['company'],
                'start': start, 'end': end + dt.timedelta(days=1),
                'previous': start - year, 'now': dt.datetime.utcnow(),
                }

            def read():
                cursor.execute(*Indicator.table_query())
                return cursor.fetchall()

            def baseline():
                cursor.execute(sql, values)
                return cursor.fetchall()

            rows = len(read())
            say(f"{name}: {rows} rows")
            found = totals(cursor, read(), SAME)
            assert totals(cursor, baseline(), SAME.values()) == found
            times, baseline_times = [], []
            for _ in range(RUNS):
                baseline_times.append(seconds(baseline))
                times.append(seconds(read))
        yield measure(
            f'indicator by {name}', rows, times, rows, baseline_times, BAR)


def totals(cursor, rows, names):
    "Return the number of the rows that were fetched and what they add up to"
    position = [column[0] for column in cursor.description].index
    return len(rows), [
        round(sum(float(row[position(name)] or 0) for row in rows), 1)
        for name in names]


def decide(cursor):
    "Decide most of the cases, as they would have been"
    cursor.execute('''
        UPDATE training_abandon_case SET
            decision = CASE WHEN id % 3 = 0 THEN 'invalidated'
                ELSE 'validated' END,
            ground = CASE id % 6 WHEN 0 THEN 'resumed' WHEN 3 THEN 'resumed'
                WHEN 1 THEN 'exclusion' ELSE 'abandonment' END,
            decided_on = opening_date + 15, decided_owner = owner,
            first_absence = opening_date - 3,
            contact_days = id % 7, decision_days = id % 30
        WHERE id % 10 <> 0''')
    cursor.execute('''
        UPDATE training_abandon_case SET decided_ground = ground
        WHERE decision IS NOT NULL''')
    cursor.execute('''
        UPDATE training_alert SET raised_on = CAST(first_seen AS DATE)''')


def by_hand(key):
    "Return the SQL of the numbers of the key, that joins what it needs"
    joins = ''
    if 'e.' in key or 's.' in key:
        joins = 'JOIN training_enrolment e ON e.id = {enrolment}'
    session = ''
    if 't.' in key:
        session = 'JOIN training_trainee t ON t.id = e.trainee'
        joins += f' {session}'
    if 's.' in key:
        session = 'JOIN training_session s ON s.id = e.session'
        joins += f' {session}'
    current = '{0} >= %(start)s AND {0} < %(end)s'
    both = '{0} >= %(previous)s AND {0} < %(end)s'
    grounds = ', '.join(
        "COUNT(*) FILTER (WHERE cur AND ground IN ({})) AS {}".format(
            ', '.join(f"'{g}'" for g in names), name)
        for name, names in GROUNDS.items())
    rates = [
        f'ROUND(100.0 * COALESCE({part}, 0) / NULLIF({whole}, 0), 1)'
        for part, whole in RATES]
    return f'''
    WITH RECURSIVE origins (id, origin) AS (
        SELECT id, transferred_from FROM training_enrolment
        WHERE transferred_from IS NOT NULL
        UNION SELECT o.id, e.transferred_from FROM origins o
        JOIN training_enrolment e ON e.id = o.origin
        WHERE e.transferred_from IS NOT NULL),
    continued AS (
        SELECT DISTINCT o.id FROM origins o
        JOIN training_enrolment e ON e.id = o.origin
        WHERE e.first_presence IS NOT NULL),
    ended AS (
        SELECT enrolment FROM training_abandon_case
        WHERE decision IS NOT NULL AND ground = 'abandonment'
            AND state <> 'cancelled'),
    abandoned AS (
        SELECT enrolment FROM ended
        UNION SELECT o.origin FROM origins o
        JOIN ended ON ended.enrolment = o.id),
    started AS (
        SELECT {key.format(item='e', date='e.first_presence')} AS key,
            COUNT(*) FILTER (WHERE e.first_presence >= %(start)s
                AND n.id IS NULL) AS started,
            COUNT(*) FILTER (WHERE e.first_presence >= %(start)s
                AND n.id IS NULL AND l.enrolment IS NOT NULL) AS left_,
            COUNT(*) FILTER (WHERE e.first_presence < %(start)s
                AND n.id IS NULL) AS previous_started,
            COUNT(*) FILTER (WHERE e.first_presence < %(start)s
                AND n.id IS NULL AND l.enrolment IS NOT NULL) AS previous_left,
            SUM(EXTRACT(EPOCH FROM e.hours_held)) FILTER (
                WHERE e.first_presence >= %(start)s) AS held,
            SUM(EXTRACT(EPOCH FROM e.hours_attended)) FILTER (
                WHERE e.first_presence >= %(start)s) AS attended,
            SUM(EXTRACT(EPOCH FROM e.hours_held)) FILTER (
                WHERE e.first_presence < %(start)s) AS previous_held,
            SUM(EXTRACT(EPOCH FROM e.hours_attended)) FILTER (
                WHERE e.first_presence < %(start)s) AS previous_attended
        FROM training_enrolment e
        {session}
        LEFT JOIN abandoned l ON l.enrolment = e.id
        LEFT JOIN continued n ON n.id = e.id
        WHERE e.company = %(company)s AND {both.format('e.first_presence')}
        GROUP BY 1),
    decided AS (
        SELECT {key.format(item='c', date='c.decided_on')} AS key,
            c.id, c.ground, c.contact_days, c.decision_days,
            e.agreed_hours - e.hours_attended AS lost,
            {current.format('c.decided_on')} AS cur
        FROM training_abandon_case c
        JOIN training_enrolment e ON e.id = c.enrolment
        {session}
        WHERE c.company = %(company)s AND c.state <> 'cancelled'
            AND c.decision IS NOT NULL
            AND c.ground <> 'unfounded' AND {both.format('c.decided_on')}),
    cases AS (
        SELECT key, COUNT(*) FILTER (WHERE cur) AS decided, {grounds},
            COUNT(*) FILTER (WHERE NOT cur) AS previous_decided,
            COUNT(contact_days) FILTER (WHERE cur) AS contact_cases,
            COUNT(decision_days) FILTER (WHERE cur) AS decision_cases,
            COUNT(*) FILTER (WHERE NOT cur AND ground = 'abandonment')
                AS previous_abandoned,
            COUNT(*) FILTER (WHERE NOT cur AND ground = 'resumed')
                AS previous_prevented,
            PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY contact_days)
                FILTER (WHERE cur) AS contact_days,
            PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY decision_days)
                FILTER (WHERE cur) AS decision_days,
            SUM(EXTRACT(EPOCH FROM lost)) FILTER (
                WHERE cur AND ground = 'abandonment'
                AND lost > INTERVAL '0') AS hours_lost,
            SUM(undelivered_amount) FILTER (
                WHERE cur AND ground = 'abandonment') AS revenue_lost
        FROM decided
        LEFT JOIN (
            SELECT DISTINCT ON ("case") "case", undelivered_amount
            FROM training_abandon_settlement
            WHERE state <> 'cancelled' AND NOT withdrawn
            ORDER BY "case", id DESC) settlement
            ON settlement."case" = decided.id
        GROUP BY 1),
    steps AS (
        SELECT key, COUNT(*) FILTER (WHERE cur AND due) AS due,
            COUNT(*) FILTER (WHERE cur AND on_time) AS on_time,
            COUNT(*) FILTER (WHERE NOT cur AND due) AS previous_due,
            COUNT(*) FILTER (WHERE NOT cur AND on_time) AS previous_on_time,
            COUNT(*) FILTER (WHERE cur AND asked) AS asked,
            COUNT(*) FILTER (WHERE cur AND answered) AS answered,
            COUNT(*) FILTER (WHERE NOT cur AND asked) AS previous_asked,
            COUNT(*) FILTER (WHERE NOT cur AND answered) AS previous_answered
        FROM (
            SELECT {key.format(item='c', date='p.due_date')} AS key,
                {current.format('p.due_date')} AS cur,
                (p.state = 'todo' AND p.late_from <= %(now)s)
                OR (p.state = 'done' AND (p.evidence <> 'pending'
                    OR p.late_from <= %(now)s)) AS due,
                p.state = 'done' AND p.evidence = 'proven'
                    AND p.proven_at < p.late_from AS on_time,
                p.kind = 'ask_reasons' AND p.state = 'done' AS asked,
                p.kind = 'ask_reasons' AND p.state = 'done'
                    AND c.answered_at IS NOT NULL AS answered
            FROM training_abandon_case_step p
            JOIN training_abandon_case c ON c.id = p."case"
            {joins.format(enrolment='c.enrolment')}
            WHERE c.company = %(company)s AND c.state <> 'cancelled'
                AND {both.format('p.due_date')}) step
        GROUP BY 1),
    alerts AS (
        SELECT key, COUNT(*) FILTER (WHERE cur) AS alerts,
            COUNT(*) FILTER (WHERE cur AND is_right) AS alerts_right,
            COUNT(*) FILTER (WHERE NOT cur) AS previous_alerts,
            COUNT(*) FILTER (WHERE NOT cur AND is_right) AS previous_right
        FROM (
            SELECT {key.format(item='a', date='a.raised_on')} AS key,
                {current.format('a.raised_on')} AS cur,
                a.state = 'handled'
                AND COALESCE(c.state, '') <> 'cancelled'
                AND COALESCE(c.ground, '') <> 'unfounded' AS is_right
            FROM training_alert a
            LEFT JOIN training_abandon_case c ON c.id = a."case"
            {joins.format(enrolment='a.enrolment')}
            WHERE a.company = %(company)s AND a.state <> 'open'
                AND NOT a.withdrawn AND {both.format('a.raised_on')}) alert
        GROUP BY 1)
    SELECT *, {', '.join(rates)} FROM started
        FULL JOIN cases USING (key)
        FULL JOIN steps USING (key)
        FULL JOIN alerts USING (key)'''
