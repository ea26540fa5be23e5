# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import CaseStepError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DAY, DatabaseTestCase, apply_wizard, as_user, count_statements,
    create_enrolments, create_user, open_cases, open_wizard, run_wizard,
    set_up)


class CaseWizardTestCase(DatabaseTestCase):
    "Test the wizards of the steps"

    @with_transaction()
    def test_several_cases(self):
        "Test a step of several cases: each mail is about its case"
        with set_up() as (company, session, prescriber):
            cases = open_cases(
                create_enrolments(session, 3, prescriber=prescriber))
            run_wizard('training.abandon.case.inform', cases)
            run_wizard('training.abandon.case.ask_reasons', cases)
            for case in cases:
                to = case.enrolment.trainee.party.email
                self.assertEqual(
                    [m.to for m in case.mails], [to, 'adviser@example.com'])
                others = {c.trainee.rec_name for c in cases} - {
                    case.trainee.rec_name}
                for other in others:
                    self.assertNotIn(other, case.mails[1].body)

    @with_transaction()
    def test_many_cases(self):
        "Test that a step of many cases shows one line per letter"
        with set_up() as (company, session, prescriber):
            cases = open_cases(
                create_enrolments(session, 51, prescriber=prescriber))
            wizard, start = open_wizard(
                'training.abandon.case.inform', cases)
            mail, = start['mails']
            self.assertFalse(mail.get('case'))
            apply_wizard(wizard, cases, start)
            self.assertEqual({c.state for c in cases}, {'informed'})
            self.assertEqual({len(c.mails) for c in cases}, {1})

    @with_transaction()
    def test_apply_statements(self):
        "Test that a mail more costs few statements more"
        counts = {}
        with set_up() as (company, session, prescriber):
            for number in [5, 40]:
                cases = open_cases(create_enrolments(
                        session, number, prescriber=prescriber))
                wizard, start = open_wizard(
                    'training.abandon.case.inform', cases)
                with count_statements() as statements:
                    apply_wizard(wizard, cases, start)
                counts[number] = len(
                    [s for s in statements if not s.startswith('INSERT')])
        self.assertLess((counts[40] - counts[5]) / 35, 4)

    @with_transaction()
    def test_exchange_before_opening(self):
        "Test that an exchange is about the proposals of the case"
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            while case.next_kind != 'exchange':
                type(case).skip_step([case], "Not needed")
            wizard, start = open_wizard(
                'training.abandon.case.exchange', [case])
            for line in start['exchanges']:
                line['outcome'] = 'reached'
                line['at'] = dt.datetime.combine(DATE - DAY, dt.time(9))
            with self.assertRaises(CaseStepError):
                apply_wizard(wizard, [case], start)
            first, second = start['exchanges']
            first['at'] = second['at'] = dt.datetime.combine(
                DATE, dt.time(9))
            with self.assertRaisesRegex(CaseStepError, "Job Centre"):
                apply_wizard(wizard, [case], {
                        **start, 'exchanges': [first]})
            apply_wizard(wizard, [case], start)
            step, = [s for s in case.steps if s.kind == 'exchange']
            self.assertEqual(step.evidence, 'proven')
            self.assertEqual(len(step.follow_ups), 2)
            user = create_user('assistant', company, 'training')
            with as_user(user), self.assertRaises(AccessError):
                type(case.follow_ups[0]).write(
                    list(case.follow_ups), {'outcome': 'no_answer'})

    @with_transaction()
    def test_exchange_statements(self):
        "Test that the evidence is stored at once for all the cases"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            counts = []
            for number in [2, 10]:
                cases = open_cases(create_enrolments(session, number))
                while cases[0].next_kind != 'exchange':
                    Case.skip_step(cases, "Not needed")
                FollowUp.create([{
                            'company': company.id,
                            'enrolment': case.enrolment.id,
                            'case': case.id,
                            'party': case.trainee.party.id,
                            'done_at': tools.now(),
                            'outcome': 'reached',
                            } for case in cases])
                with count_statements() as statements:
                    run_wizard('training.abandon.case.exchange', cases)
                counts.append(sum(
                        s.startswith('UPDATE "training_abandon_case_step" ')
                        and '"evidence" =' in s for s in statements))
                self.assertEqual(
                    {c.get_step('exchange').evidence for c in cases},
                    {'proven'})
            self.assertEqual(*counts)
            self.assertTrue(counts[0])

    @with_transaction()
    def test_exchange_after_midnight(self):
        "Test that days are those of the company, not of UTC"
        with set_up() as (company, session, prescriber):
            company.timezone = 'Europe/Paris'
            company.save()
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber),
                date=DATE)
            while case.next_kind != 'exchange':
                type(case).skip_step([case], "Not needed")
            wizard, start = open_wizard(
                'training.abandon.case.exchange', [case])
            for line in start['exchanges']:
                line['outcome'] = 'reached'
                line['at'] = dt.datetime.combine(
                    DATE - DAY, dt.time(23, 30))
            apply_wizard(wizard, [case], start)
            self.assertEqual(case.state, 'exchanged')
