# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from types import SimpleNamespace

from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import RiskRuleError
from trytond.modules.training_abandon.risk.criterion import CRITERIA
from trytond.modules.training_abandon.risk.preview import THRESHOLDS
from trytond.modules.training_abandon.risk.replay import (
    KNOWN, History, Line, Replay)
from trytond.modules.training_abandon.training.working_day import (
    WorkingCalendar)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, as_user, count_statements, create_enrolments, create_user,
    decide, get_to_decision, set_up, today)
from .test_risk_alert import RiskTestCase


class PreviewTestCase(RiskTestCase):
    "Test the preview of the rules"

    def rows(self, rule):
        pool = Pool()
        Preview = pool.get('training.risk.preview')
        tools.forget_read()
        type(rule).preview([rule])
        return {
            r.threshold: (
                r.today, r.flagged, r.abandoned, r.hits, r.precision,
                r.recall, r.days_gained)
            for r in Preview.search([('rule', '=', rule.id)])}

    def abandon(self, enrolment, opened, **values):
        "Decide on a case opened on the day and return it"
        case = get_to_decision(enrolment)
        type(case).write([case], {'opening_date': opened})
        decide(case, **values)
        return case

    @with_transaction()
    def test_history(self):
        "Test the numbers of the past year"
        with set_up() as (company, session, _):
            rule = self.rule(threshold=2, active=False)
            left, late, back, present = create_enrolments(session, 4)
            first, second, *others = session.slots
            with today(DATE):
                self.fill([first], {
                        left: 'present', late: 'present', back: 'absent',
                        present: 'present'})
                self.fill([second], {
                        left: 'absent', late: 'present', back: 'absent',
                        present: 'present'})
            with today(DATE + DAY):
                self.fill(others, {
                        left: 'absent', late: 'absent', back: 'present',
                        present: 'present'})
            with today(DATE + 3 * DAY):
                # The effective date is the last presence
                self.abandon(left, DATE + 3 * DAY, effective_date=DATE)
                # The provider knew on the day on which the rule would tell
                self.abandon(late, DATE + DAY, effective_date=DATE)
                rows = self.rows(rule)
                self.assertEqual(rows[1], (0, 2, 2, 1, 50, 50, 3))
                self.assertEqual(rows[2], (0, 2, 2, 1, 50, 50, 2))
                self.assertEqual(rows[3], (0, 1, 2, 1, 100, 50, 2))
                self.assertEqual(rows[4], (0, 0, 2, 0, None, 0, None))
            with today(DATE + 800 * DAY):
                self.assertEqual(
                    self.rows(rule)[2], (0, 0, 0, 0, None, None, None))

    @with_transaction()
    def test_imported(self):
        "Test that what is imported was known on its day"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        with set_up() as (company, session, _):
            rule = self.rule(threshold=2, active=False)
            left, = create_enrolments(session, 1)
            with today(DATE + 3 * DAY):
                self.fill(session.slots, {left: 'absent'})
                self.abandon(left, DATE + 2 * DAY, effective_date=DATE)
                self.assertEqual(
                    self.rows(rule)[2], (0, 0, 1, 0, None, 0, None))
                table = Attendance.__table__()
                Transaction().connection.cursor().execute(
                    *table.update([table.source], ['import']))
                self.assertEqual(
                    self.rows(rule)[2], (0, 1, 1, 1, 100, 100, 2))

    @with_transaction()
    def test_alerted(self):
        "Test the case that the alert of a rule opens, on the same day"
        with set_up() as (company, session, _):
            rule = self.rule(opens='open')
            left, = create_enrolments(session)
            with today(DATE):
                self.fill(session.slots[:2], {left: 'absent'})
                self.detect()
                case = left.current_case
                self.assertEqual(case.opening_date, DATE)
                while case.next_kind != 'decide':
                    type(case).skip_step([case], "Not needed")
                decide(case, effective_date=DATE)
                self.assertEqual(
                    self.rows(rule)[2], (0, 1, 1, 1, 100, 100, 0))

    @with_transaction()
    def test_no_show(self):
        "Test who never came"
        with set_up() as (company, session, _):
            rule = self.rule('no_show', 1, active=False)
            never, = create_enrolments(session)
            with today(DATE):
                self.fill(session.slots[:2], {never: 'absent'})
            with today(DATE + DAY):
                self.fill(session.slots[2:], {never: 'absent'})
            with today(DATE + 7 * DAY):
                self.abandon(
                    never, DATE + 4 * DAY, ground='no_show',
                    effective_date=DATE)
                rows = self.rows(rule)
                # From Monday to Friday
                self.assertEqual(rows[1], (0, 1, 1, 1, 100, 100, 3))
                self.assertEqual(rows[3], (0, 1, 1, 1, 100, 100, 1))
                self.assertEqual(rows[4], (0, 0, 1, 0, None, 0, None))

    @with_transaction()
    def test_planned(self):
        "Test that what was planned is replayed as before the decision"
        with set_up() as (company, session, _):
            rule = self.rule('unreachable', .8, active=False)
            left, = create_enrolments(session)
            first, second, *others = session.slots
            with today(DATE):
                self.fill([first], {left: 'present'})
                self.fill([second], {left: 'absent'})
            with today(DATE + DAY):
                self.fill(others[:1], {left: 'absent'})
            with today(DATE + 3 * DAY):
                self.abandon(left, DATE + 3 * DAY, effective_date=DATE)
                rows = self.rows(rule)
                self.assertEqual(rows[.75][-1], 2)
                self.assertEqual(rows[.8][-1], 3)
                self.assertEqual(rows[.5][1], 0)

    @with_transaction()
    def test_heard(self):
        "Test the calls, the answers and what came back"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, _):
            silent, heard = create_enrolments(session, 2)
            for slots, state in [
                    (session.slots[:2], 'present'),
                    (session.slots[2:], 'absent')]:
                with today(slots[0].date):
                    self.fill(slots, {silent: state, heard: state})

            def at(days):
                return dt.datetime.combine(DATE + days * DAY, dt.time(20))

            for enrolment, days, outcome in [
                    (silent, 3, 'no_answer'), (heard, 2, 'reached')]:
                FollowUp.create([{
                            'company': company.id,
                            'enrolment': enrolment.id,
                            'party': enrolment.trainee.party.id,
                            'done_at': at(days),
                            'outcome': outcome,
                            }])
            Mail.create([{
                        'company': company.id,
                        'enrolment': silent.id,
                        'kind': 'attendance',
                        'party': silent.trainee.party.id,
                        'to': 'trainee@example.com',
                        'subject': "Absence",
                        'state': 'sent',
                        'sent_at': at(sent),
                        'bounced_at': bounced and at(bounced),
                        } for sent, bounced in [(1, 2), (4, None)]])
            with today(DATE + 7 * DAY):
                rows = self.rows(self.rule('no_news', 2, active=False))
                self.assertEqual(rows[1][:2], (1, 2))
                self.assertEqual(rows[2][:2], (1, 1))
                rows = self.rows(self.rule('no_answer', 2, active=False))
                self.assertEqual(rows[1][:2], (1, 1))
                self.assertEqual(rows[2][:2], (1, 1))
                self.assertEqual(rows[3][:2], (0, 0))

    @with_transaction()
    def test_return(self):
        "Test who was expected back"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            rule = self.rule('late_return', 1, active=False)
            away, = create_enrolments(session)
            case = get_to_decision(away)
            with today(DATE + DAY):
                decide(
                    case, ground='postponed', effective_date=DATE,
                    return_date=DATE + 3 * DAY)
            tools.forget_read()
            with today(DATE + 8 * DAY):
                rows = self.rows(rule)
                self.assertEqual(rows[1][:2], (1, 1))
                self.assertEqual(rows[3][:2], (1, 1))
                self.assertEqual(rows[4][:2], (0, 0))
                Case.write(
                    [case], {'return_ended_on': DATE + 4 * DAY})
                rows = self.rows(rule)
                self.assertEqual(rows[1][:2], (0, 0))

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
    def test_once(self):
        "Test that what is shown is computed by the button only"
        pool = Pool()
        Preview = pool.get('training.risk.preview')
        with set_up() as (company, session, _):
            rule = self.rule()
            self.rows(rule)
            with count_statements() as statements:
                ids = [r.id for r in Preview.search([])]
                Preview.read(ids, ['threshold', 'precision', 'recall'])
            self.assertEqual(len(ids), 10)
            self.assertLessEqual(len(statements), 2)
            self.assertFalse([s for s in statements if 'attendance' in s])
            # Once more, the numbers are those of that time
            self.assertEqual(len(self.rows(rule)), 10)
            rule.threshold = 12
            rule.save()
            self.assertEqual(max(self.rows(rule)), 12)

    @with_transaction()
    def test_all(self):
        "Test that all of the criteria are replayed"
        self.assertEqual(KNOWN.keys(), CRITERIA.keys())
        self.assertEqual(THRESHOLDS.keys(), CRITERIA.keys())

    @with_transaction()
    def test_access(self):
        "Test for whom the preview is"
        pool = Pool()
        Preview = pool.get('training.risk.preview')
        with set_up() as (company, session, _):
            rule = self.rule()
            self.rows(rule)
            with Transaction().set_context(company=None):
                with self.assertRaises(RiskRuleError):
                    type(rule).preview([rule])
            user = create_user('reader', company, 'training')
            with as_user(user):
                with self.assertRaises(AccessError):
                    Preview.search([])
                with self.assertRaises(AccessButtonError):
                    type(rule).preview([type(rule)(rule.id)])

    @with_transaction()
    def test_replay(self):
        "Test the first days of each of the criteria"
        with set_up() as (company, session, _):
            calendar = WorkingCalendar(company)

            def line(number, state, late=0, known=None):
                date = DATE + number * DAY
                at = dt.datetime.combine(date, dt.time(9))
                return DATE + (known or number) * DAY, 'line', Line(
                    at, number, at, date, state,
                    10 if state in {'absent', 'excused'} else late, 10, late,
                    False)

            def days(
                    criterion, *events, window=None, until=20, planned=0,
                    cases=()):
                rule = SimpleNamespace(
                    criterion=criterion, window=window, min_slots=1)
                replay = Replay(rule, company, calendar, [1, 2, 3])
                history = History(
                    1, events, [
                        (DATE + start * DAY, end and DATE + end * DAY)
                        for start, end in cases],
                    DATE + (until + 1) * DAY, planned)
                return {
                    t: (day - DATE).days for t, day in
                    replay.first_days(history).items()}

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
            # A sheet that is closed late does not make the others wait
            self.assertEqual(
                days('consecutive_absences', line(0, 'absent', known=5),
                    line(1, 'absent')), {1: 1, 2: 5})
            # While a case follows the trainee, nothing is flagged
            self.assertEqual(
                days('consecutive_absences', *absences, cases=[(1, 7)]),
                {1: 0, 2: 7, 3: 7})
            self.assertEqual(
                days('consecutive_absences', *absences, cases=[(1, None)]),
                {1: 0})
            self.assertEqual(
                days('consecutive_absences', *absences, line(4, 'present'),
                    cases=[(1, 7)]), {1: 0})
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
            gap = DATE - DAY, 'suspended', DATE
            self.assertEqual(
                days('late_return', gap, line(1, 'absent')), {1: 2, 2: 3,
                    3: 4})
            self.assertEqual(
                days('late_return', gap, line(1, 'absent'),
                    line(2, 'present')), {})
