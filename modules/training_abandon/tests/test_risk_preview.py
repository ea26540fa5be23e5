# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from types import SimpleNamespace

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import RiskRuleError
from trytond.modules.training_abandon.risk.replay import Line, Replay
from trytond.modules.training_abandon.training.working_day import (
    WorkingCalendar)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, as_user, create_enrolments, create_user, decide,
    get_to_decision, set_up, today)
from .test_risk_alert import RiskTestCase


class PreviewTestCase(RiskTestCase):
    "Test the preview of the rules"

    def rows(self, rule):
        pool = Pool()
        Preview = pool.get('training.risk.preview')
        with Transaction().set_context(training_risk_rule=rule.id):
            return {
                r.threshold: (
                    r.today, r.flagged, r.abandoned, r.hits, r.precision,
                    r.recall, r.days_gained)
                for r in Preview.search([])}

    @with_transaction()
    def test_history(self):
        "Test the numbers of the past year"
        with set_up() as (company, session, _):
            rule = self.rule(threshold=2, active=False)
            left, late, back, present = create_enrolments(session, 4)
            slots = list(session.slots)
            with today(DATE):
                self.fill(slots[:2], {
                        left: 'absent', late: 'present', back: 'absent',
                        present: 'present'})
            with today(DATE + DAY):
                self.fill(slots[2:], {
                        left: 'absent', late: 'absent', back: 'present',
                        present: 'present'})
            with today(DATE + 3 * DAY):
                # Who is flagged on the effective date is not a hit
                for enrolment in [left, late]:
                    case = get_to_decision(enrolment)
                    type(case).write([case], {'opening_date': DATE + 3 * DAY})
                    decide(case, effective_date=DATE + DAY)
                tools.forget_read()
                rows = self.rows(rule)
                self.assertEqual(rows[2], (0, 3, 2, 1, 33, 50, 3))
                self.assertEqual(rows[3], (0, 1, 2, 0, 0, 0, None))
                self.assertEqual(rows[5], (0, 0, 2, 0, None, 0, None))
            with today(DATE + 800 * DAY):
                self.assertEqual(
                    self.rows(rule)[2], (0, 0, 0, 0, None, None, None))

    @with_transaction()
    def test_today(self):
        "Test the enrolments flagged today"
        with set_up() as (company, session, _):
            rule = self.rule('absence_rate', .5, min_slots=2, active=False)
            absent, present = create_enrolments(session, 2)
            self.fill(session.slots[:2], {
                    absent: 'absent', present: 'present'})
            rows = self.rows(rule)
            self.assertEqual(rows[.5][:2], (1, 1))
            self.assertEqual(rows[1][:2], (1, 1))

    @with_transaction()
    def test_refused(self):
        "Test what has no preview, and for whom"
        pool = Pool()
        Preview = pool.get('training.risk.preview')
        with set_up() as (company, session, _):
            self.assertFalse(Preview.search([]))
            rule = self.rule('no_answer', 2)
            with self.assertRaises(RiskRuleError):
                self.rows(rule)
            user = create_user('reader', company, 'training')
            with as_user(user), self.assertRaises(AccessError):
                self.rows(rule)

    @with_transaction()
    def test_replay(self):
        "Test the first days of each of the criteria"
        with set_up() as (company, session, _):
            calendar = WorkingCalendar(company)

            def line(number, state, late=0, known=None):
                date = DATE + number * DAY
                return Line(
                    1, date, DATE + (known or number) * DAY, state,
                    10 if state in {'absent', 'excused'} else late, 10, late,
                    False)

            def days(criterion, *lines, window=None, until=20, planned=0):
                rule = SimpleNamespace(
                    criterion=criterion, window=window, min_slots=1)
                replay = Replay(
                    rule, calendar, DATE + until * DAY, [1, 2, 3])
                return {
                    t: (day - DATE).days for t, day in
                    replay.first_days(lines, planned).items()}

            absences = [line(n, 'absent') for n in range(3)]
            self.assertEqual(
                days('consecutive_absences', *absences), {1: 0, 2: 1, 3: 2})
            self.assertEqual(
                days('consecutive_absences', *absences, until=1),
                {1: 0, 2: 1})
            self.assertEqual(
                days('consecutive_absences', line(0, 'absent'),
                    line(1, 'present'), line(2, 'absent'),
                    line(3, 'excused'), line(4, 'absent', known=9)),
                {1: 0, 2: 9})
            self.assertEqual(
                days('late_count', *(line(n, 'late', 1) for n in [0, 2])),
                {1: 0, 2: 2})
            self.assertEqual(
                days('late_minutes', line(0, 'late', 60),
                    line(1, 'late', 120), window=1), {1: 0, 2: 1})
            self.assertEqual(
                days('no_news', line(0, 'present'), line(1, 'absent'),
                    line(3, 'present')), {1: 1, 2: 2})
            self.assertEqual(days('no_news', line(1, 'absent')), {})
            self.assertEqual(
                days('no_show', line(0, 'absent'), line(2, 'present')),
                {1: 1})
            self.assertEqual(
                days('unreachable', line(0, 'absent'), planned=40),
                {1: 0, 2: 0, 3: 0})
            self.assertEqual(
                days('absence_rate', line(0, 'present'), line(1, 'absent')),
                {})
            self.assertEqual(
                days('absence_rate', line(1, 'absent')), {1: 1})
