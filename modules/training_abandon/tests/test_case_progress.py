# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from trytond import backend
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import (
    CaseBusyError, CaseStepError)
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, analyse, as_user, create_enrolments,
    create_user, open_cases, run_wizard, set_up, today)


class CaseProgressTestCase(DatabaseTestCase):
    "Test which step of the cases comes next"

    @with_transaction()
    def test_step_not_next(self):
        "Test that only the first step to do applies, all or none"
        with set_up() as (company, session, prescriber):
            first, second = open_cases(
                create_enrolments(session, 2, prescriber=prescriber))
            with self.assertRaises(CaseStepError):
                analyse([first])
            run_wizard('training.abandon.case.inform', [first])
            with self.assertRaisesRegex(CaseStepError, first.number):
                run_wizard('training.abandon.case.inform', [first, second])
            self.assertEqual(second.state, 'draft')
            self.assertFalse(second.mails)

    @with_transaction()
    def test_skip(self):
        "Test that skipping needs a reason and keeps the state"
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            with self.assertRaises(CaseStepError):
                run_wizard('training.abandon.case.skip', [case], reason=" ")
            user = create_user('assistant', company, 'training')
            with as_user(user):
                with self.assertRaises(AccessError):
                    run_wizard(
                        'training.abandon.case.skip', [case], reason="Told")
            admin = create_user('admin2', company, 'training_admin')
            with as_user(admin):
                run_wizard(
                    'training.abandon.case.skip', [case], reason="Told")
            step = case.steps[0]
            self.assertEqual(case.state, 'draft')
            self.assertEqual(
                (step.state, step.skip_reason, step.done_by_user),
                ('skipped', "Told", admin))
            self.assertEqual(case.next_kind, 'ask_reasons')

    @with_transaction()
    def test_skip_decide(self):
        "Test that the decision cannot be skipped"
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            while case.next_kind != 'decide':
                type(case).skip_step([case], "Not needed")
            with self.assertRaises(CaseStepError):
                type(case).skip_step([case], "Not needed")

    @with_transaction()
    def test_close_again(self):
        "Test that a case that is over keeps the time at which it was"
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            run_wizard(
                'training.abandon.case.decide', [case], effective_date=DATE)
            closed_at = case.closed_at
            self.assertTrue(closed_at)
            with today(DATE + 3 * DAY):
                type(case).close([case])
            self.assertEqual(
                (case.state, case.closed_at), ('closed', closed_at))

    @with_transaction()
    def test_lock(self):
        """Test that a transaction starts again when another one has changed
        the case, and that it is refused while another one has it"""
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            database = type(Transaction().database)
            for sqlstate, expected in [
                    ('40001', tools.OutdatedError),
                    ('55P03', CaseBusyError)]:
                error = backend.DatabaseOperationalError()
                error.sqlstate = sqlstate
                with patch.object(
                        database, 'has_select_for', return_value=True), \
                        patch.object(
                            database, 'lock_records', side_effect=error), \
                        self.assertRaises(expected):
                    type(case).lock_cases([case])
