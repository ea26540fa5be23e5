# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The indicators, against SQL written by hand for the same numbers

The baseline is one statement that counts each table once. Each axis has its
key; what is measured is the query that the lists read."""

import datetime as dt

from ..environment import say
from .common import measure, seconds
from .lists import Bench

# 100,000 enrolments, of whom one of five has a case
ATTENDANCES = 1_000_000
RUNS = 5
BAR = 1 / 1.2
# The key of the enrolments, of which s and t are the session and the trainee
KEYS = {
    'company': 'e.company',
    'course': 's.course',
    'session': 'e.session',
    'prescriber': 'e.prescriber',
    'trainee': 't.kind',
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


def run(client):
    from trytond.pool import Pool

    bench = Bench(client)
    bench.set_up()
    bench.grow(ATTENDANCES)
    with bench.transaction() as transaction:
        decide(transaction.connection.cursor())
    bench.vacuum()
    end = dt.date.today()
    start = end - dt.timedelta(days=365)
    for name, key in KEYS.items():
        sql = by_hand(key)
        with bench.transaction(bench.user) as transaction, \
                transaction.set_context(from_date=start, to_date=end):
            Indicator = Pool().get(f'training.indicator.{name}')
            cursor = transaction.connection.cursor()
            previous = start - dt.timedelta(days=365)
            values = {
                'company': transaction.context['company'],
                'start': start, 'end': end + dt.timedelta(days=1),
                'previous': previous, 'now': dt.datetime.utcnow(),
                }

            def read():
                cursor.execute(*Indicator.table_query())
                return cursor.fetchall()

            def baseline():
                cursor.execute(sql, values)
                return cursor.fetchall()

            rows = len(read())
            say(f"{name}: {rows} rows")
            baseline()
            times, baseline_times = [], []
            for _ in range(RUNS):
                baseline_times.append(seconds(baseline))
                times.append(seconds(read))
        yield measure(
            f'indicator by {name}', rows, times, rows, baseline_times, BAR)


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
    "Return the SQL of the numbers of the key"
    joins = '''
        JOIN training_enrolment e ON e.id = {enrolment}
        JOIN training_session s ON s.id = e.session
        JOIN training_trainee t ON t.id = e.trainee'''
    current = '{0} >= %(start)s AND {0} < %(end)s'
    both = '{0} >= %(previous)s AND {0} < %(end)s'
    grounds = ', '.join(
        "COUNT(*) FILTER (WHERE cur AND ground IN ({})) AS {}".format(
            ', '.join(f"'{g}'" for g in names), name)
        for name, names in GROUNDS.items())
    return f'''
    WITH started AS (
        SELECT {key} AS key,
            COUNT(*) FILTER (WHERE {current.format('e.first_presence')})
                AS started,
            COUNT(*) FILTER (WHERE {current.format('e.first_presence')}
                AND l.enrolment IS NOT NULL) AS left_,
            COUNT(*) FILTER (WHERE e.first_presence < %(start)s)
                AS previous_started,
            COUNT(*) FILTER (WHERE e.first_presence < %(start)s
                AND l.enrolment IS NOT NULL) AS previous_left,
            SUM(EXTRACT(EPOCH FROM e.hours_held)) AS held,
            SUM(EXTRACT(EPOCH FROM e.hours_attended)) AS attended
        FROM training_enrolment e
        JOIN training_session s ON s.id = e.session
        JOIN training_trainee t ON t.id = e.trainee
        LEFT JOIN (
            SELECT DISTINCT enrolment FROM training_abandon_case
            WHERE decision = 'validated' AND ground = 'abandonment'
                AND state <> 'cancelled') l ON l.enrolment = e.id
        WHERE e.company = %(company)s AND {both.format('e.first_presence')}
        GROUP BY 1),
    decided AS (
        SELECT {key} AS key, c.id, c.ground, c.contact_days,
            c.decision_days, e.agreed_hours - e.hours_attended AS lost,
            {current.format('c.decided_on')} AS cur
        FROM training_abandon_case c
        {joins.format(enrolment='c.enrolment')}
        WHERE c.company = %(company)s AND c.state <> 'cancelled'
            AND c.decision IS NOT NULL
            AND c.ground <> 'unfounded' AND {both.format('c.decided_on')}),
    cases AS (
        SELECT key, COUNT(*) FILTER (WHERE cur) AS decided, {grounds},
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
            COUNT(*) FILTER (WHERE cur AND answered) AS answered
        FROM (
            SELECT {key} AS key, {current.format('p.due_date')} AS cur,
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
        SELECT {key} AS key,
            COUNT(*) FILTER (WHERE {current.format('a.raised_on')})
                AS alerts,
            COUNT(*) FILTER (WHERE {current.format('a.raised_on')}
                AND a.state = 'handled'
                AND COALESCE(c.state, '') <> 'cancelled'
                AND COALESCE(c.ground, '') <> 'unfounded') AS alerts_right
        FROM training_alert a
        LEFT JOIN training_abandon_case c ON c.id = a."case"
        {joins.format(enrolment='a.enrolment')}
        WHERE a.company = %(company)s AND a.state <> 'open' AND NOT a.withdrawn
            AND {both.format('a.raised_on')}
        GROUP BY 1)
    SELECT * FROM started
        FULL JOIN cases USING (key)
        FULL JOIN steps USING (key)
        FULL JOIN alerts USING (key)
    WHERE key IS NOT NULL'''
