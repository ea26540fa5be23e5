# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DatabaseTestCase, create_enrolments, run_wizard, set_up)


class CaseStepTestCase(DatabaseTestCase):
    "Test the steps of the cases"

    @with_transaction()
    def test_is_next(self):
        "Test that one step of each case is the next one"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, prescriber):
            enrolments = create_enrolments(session, 3, prescriber)
            first, second, third = Case.browse(
                Case.open_cases(enrolments, 'absence', DATE))
            run_wizard('training.abandon.case.inform', [second])
            Case.cancel([third])

            expected = {
                (first.id, 'inform'),
                (second.id, 'ask_reasons'),
                }
            steps = Step.search([('is_next', '=', True)])
            self.assertEqual({(s.case.id, s.kind) for s in steps}, expected)
            self.assertTrue(all(s.is_next for s in steps))

            others = Step.search([('is_next', '=', False)])
            self.assertEqual(
                len(others) + len(steps), Step.search([], count=True))
            self.assertFalse(any(s.is_next for s in others))
            self.assertEqual(
                Step.search([('is_next', '!=', True)]), others)
