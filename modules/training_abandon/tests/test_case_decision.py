# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.modules.training_abandon.exceptions import CaseStepError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DAY, DatabaseTestCase, create_enrolments, create_session, decide,
    get_to_decision, open_cases, run_wizard, set_up, today)


class CaseDecisionTestCase(DatabaseTestCase):
    "Test the decisions on the cases"

    @with_transaction()
    def test_decide_grounds(self):
        "Test what each ground makes of the enrolment and the slots"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            for ground, state in [
                    ('abandonment', 'withdrawn'),
                    ('exclusion', 'withdrawn'),
                    ('force_majeure', 'withdrawn'),
                    ('legitimate_reason', 'withdrawn'),
                    ('no_show', 'cancelled'),
                    ('withdrawal_period', 'cancelled'),
                    ('transfer', 'cancelled'),
                    ('postponed', 'suspended'),
                    ]:
                with self.subTest(ground=ground):
                    session = create_session(company, days=4)
                    enrolment, = create_enrolments(session)
                    case = get_to_decision(enrolment)
                    decide(case, ground=ground)
                    self.assertEqual(case.state, 'validated')
                    self.assertEqual(enrolment.state, state)
                    self.assertEqual(enrolment.end_date, None)
                    self.assertEqual(
                        [(p.kind, p.end_date) for p in enrolment.periods
                            if p.kind == 'expected'],
                        [] if state == 'cancelled'
                        else [('expected', DATE + DAY)])
                    self.assertEqual(
                        case.next_kind,
                        'certify' if ground == 'abandonment' else None)
                    # The later slots do not expect the trainee
                    with today(DATE + 3 * DAY):
                        Slot.open(session.slots)
                    dates = {a.slot.date for a in Attendance.search([
                                ('enrolment', '=', enrolment.id)])}
                    self.assertLessEqual(dates, {DATE, DATE + DAY})

    @with_transaction()
    def test_decide_refused(self):
        "Test the decisions that are refused"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            case = get_to_decision(*create_enrolments(session))
            for values in [
                    {'ground': None},
                    {'effective_date': None},
                    {'ground': 'resumed'},
                    {'decision': 'invalidated'},
                    {'effective_date': DATE + 2 * DAY},
                    {'effective_date': DATE - DAY},
                    ]:
                with self.subTest(values=values), \
                        self.assertRaises(CaseStepError):
                    decide(case, **values)
            decide(
                case, ground='no_show', effective_date=DATE - DAY)
            self.assertEqual(case.enrolment.state, 'cancelled')

            case = get_to_decision(*create_enrolments(session))
            Enrolment.complete([case.enrolment])
            with self.assertRaises(CaseStepError):
                decide(case)

    @with_transaction()
    def test_resume(self):
        "Test that the trainee may resume from any open state"
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            run_wizard('training.abandon.case.inform', [case])
            run_wizard('training.abandon.case.decide', [case])
            self.assertEqual(
                (case.state, case.ground), ('invalidated', 'resumed'))
            self.assertTrue(case.closed_at)
            self.assertEqual(case.enrolment.state, 'started')
            self.assertEqual(
                {s.state for s in case.steps}, {'done', 'skipped'})
            self.assertEqual(
                [m.kind for m in case.mails], ['decide'] * 2 + ['inform'])
            type(case).close([case])
            self.assertEqual(case.state, 'closed')
            # Another case may follow
            open_cases([case.enrolment])

    @with_transaction()
    def test_resume_validated(self):
        "Test that resuming gives back the enrolment"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            for ground in ['abandonment', 'no_show', 'postponed']:
                with self.subTest(ground=ground):
                    decide(case, ground=ground)
                    run_wizard('training.abandon.case.decide', [case])
                    self.assertEqual(case.state, 'invalidated')
                    self.assertEqual(
                        (enrolment.state, enrolment.end_date),
                        ('started', None))
                    case = get_to_decision(enrolment)
