# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from unittest.mock import patch

from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.training_abandon.exceptions import (
    LetterError, LetterValidationError, RecipientError)
from trytond.modules.training_abandon.mail.composition import Stationery
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DatabaseTestCase, apply_wizard, create_enrolments, open_cases,
    open_wizard, run_wizard, set_email, set_up)


class CaseCorrespondenceTestCase(DatabaseTestCase):
    "Test the letters of the cases"

    @with_transaction()
    def test_no_address(self):
        "Test a party without address: named, then told by phone"
        pool = Pool()
        Mechanism = pool.get('party.contact_mechanism')
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            Mechanism.delete(list(prescriber.contact_mechanisms))
            wizard, start = open_wizard(
                'training.abandon.case.inform', [case])
            with self.assertRaisesRegex(RecipientError, "Job Centre"):
                apply_wizard(wizard, [case], start)
            mail, = start['mails']
            with self.assertRaisesRegex(RecipientError, "not-an-address"):
                apply_wizard(wizard, [case], {
                        **start,
                        'mails': [{**mail, 'to': 'not-an-address'}]})
            with self.assertRaises(RecipientError):
                apply_wizard(wizard, [case], {
                        **start, 'mails': [{**mail, 'send': False}]})
            self.assertEqual(case.state, 'draft')
            apply_wizard(wizard, [case], {
                    **start, 'mails': [{**mail, 'channel': 'call'}]})
            self.assertEqual(case.state, 'informed')
            self.assertFalse(case.mails)
            follow_up, = case.follow_ups
            self.assertEqual(follow_up.kind, 'call')
            self.assertEqual(case.steps[0].evidence, 'proven')

    @with_transaction()
    def test_letter_not_rendered(self):
        "Test a letter that cannot be written: named and nothing sent"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            letter = case.procedure.get_letter(
                'inform', 'standard', 'stakeholder')
            for text in ["${__import__('os')}", "${trainee"]:
                with self.subTest(text=text), \
                        self.assertRaises(LetterValidationError):
                    Letter.write([letter], {'text': text})
            with patch.object(Letter, 'check_templates'):
                Letter.write([letter], {'text': "Hello ${nobody}"})
            with self.assertRaisesRegex(LetterError, "DR-AT014"):
                open_wizard('training.abandon.case.inform', [case])
            self.assertFalse(Mail.search([]))

    @with_transaction()
    def test_announced_letter(self):
        "Test that the letter follows the one of the customer"
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session), origin='declared')
            _, start = open_wizard(
                'training.abandon.case.ask_reasons', [case])
            self.assertTrue(start['declared'])
            mail, = start['mails']
            text = mail['text']
            elements = [
                "Bookkeeping", "- Lack of time",
                "- Lack of motivation for the subject",
                "- Compulsory nature of the training", "- Other:"]
            positions = [text.index(e) for e in elements]
            self.assertEqual(positions, sorted(positions))

    @with_transaction()
    def test_letter_context(self):
        "Test who signs a letter, and what it tells"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Proposal = pool.get('training.abandon.proposal')
        Solution = pool.get('training.abandon.solution')
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            # The user now works for another company
            user = User(Transaction().user)
            other = create_company("Other")
            intruder = create_employee(other, name="Intruder")
            User.write([user], {
                    'companies': [('add', [other.id])],
                    'employees': [('add', [intruder.id])],
                    })
            set_email(intruder.party, 'intruder@example.com')
            with Transaction().set_context(
                    company=other.id, employee=intruder.id):
                self.assertEqual(User(user.id).employee, intruder)
                self.assertEqual(case.signatory(), case.owner)
                self.assertIsNone(Stationery().reply_to(case))

            states = ['proposed', 'accepted', 'refused', 'expired']
            solutions = Solution.search([], limit=len(states))
            Proposal.create([{
                        'case': case.id,
                        'solution': solution.id,
                        'state': state,
                        } for solution, state in zip(solutions, states)])
            self.assertEqual(
                case.letter_context(prescriber)['proposals'],
                [s.rec_name for s in solutions[:2]])
            # What is private to the trainee is in no letter
            Case.write([case], dict.fromkeys([
                        'analysis', 'decision_note', 'no_solution_reason',
                        'note', 'reason_comment'], "Secret"))
            self.assertNotIn(
                "Secret", str(Case(case.id).letter_context(prescriber)))

    @with_transaction()
    def test_letter_names(self):
        "Test that every letter can be written with odd names"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        name = "Éloïse D'Arcy-N'Guyen 🙂"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            enrolment.trainee.party.name = name
            enrolment.trainee.party.save()
            case, = open_cases([enrolment])
            for absences in [[], [(DATE, dt.time(9), dt.time(12))]]:
                context = case.letter_context(
                    enrolment.trainee.party, absences)
                self.assertEqual(
                    [context['agreed_hours'], context['hours_planned'],
                        context['hours_attended']],
                    ['12:00', '12:00', '00:00'])
                for letter in Letter.search([
                            ('step_kind', '!=', 'attendance')]):
                    with self.subTest(letter=letter.rec_name):
                        subject, text = letter.render(**context)
                        self.assertTrue(subject)
                        self.assertNotIn('\n\n\n', text)
                        self.assertNotIn('${', text)
            run_wizard('training.abandon.case.inform', [case])
            mail, = case.mails
            self.assertIn(name, mail.body)
