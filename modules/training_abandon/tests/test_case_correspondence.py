# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from unittest.mock import patch

from trytond.modules.company.tests import create_company, create_employee
from trytond.modules.training_abandon.exceptions import (
    LetterError, LetterValidationError, RecipientError)
from trytond.modules.training_abandon.mail.composition import Stationery
from trytond.modules.training_abandon.tools import forget_read
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DatabaseTestCase, apply_wizard, create_enrolments, open_cases,
    open_wizard, run_wizard, savepoint, set_email, set_up)


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
        "Test a letter that cannot be written: ended by hand, told, corrected"
        pool = Pool()
        Case = pool.get('training.abandon.case')
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
                Letter.write([letter], {
                        'text': "Hello ${nobody} of ${company},\n"
                        "#if trainee\n#for reason in reasons\n"
                        "- ${reason}\n#end\n#end\nBye"})
            wizard, start = open_wizard(
                'training.abandon.case.inform', [case])
            mail, = start['mails']
            self.assertRegex(mail['error'], 'DR-AT014.*line 1.*"nobody"')
            self.assertEqual(
                mail['text'], "Hello ${nobody} of %s,\n%s\nBye" % (
                    company.party.name, '\n'.join(
                        f'- {r.name}:' if r.requires_detail
                        else f'- {r.name}' for r in case.procedure.reasons)))
            with self.assertRaisesRegex(LetterError, r"\${nobody}"):
                apply_wizard(wizard, [case], start)
            self.assertFalse(Mail.search([]))
            self.assertEqual(case.state, 'draft')
            with savepoint():
                apply_wizard(wizard, [case], {
                        **start, 'mails': [{**mail, 'channel': 'call'}]})
                self.assertEqual(Case(case.id).state, 'informed')
            with savepoint():
                apply_wizard(wizard, [case], {
                        **start, 'mails': [{**mail, 'text': "Hello Max"}]})
                mail_, = Mail.search([])
                self.assertEqual(mail_.body, "Hello Max\n")
            procedure = case.procedure
            revision, = type(procedure).copy([procedure])
            corrected = revision.get_letter(
                'inform', 'standard', 'stakeholder')
            Letter.write([corrected], {'text': "Hello ${trainee}"})
            type(procedure).activate([revision])
            Case.change_procedure([case], "Typo in the letter")
            _, start = open_wizard('training.abandon.case.inform', [case])
            self.assertIsNone(start['mails'][0]['error'])
            self.assertTrue(start['mails'][0]['text'].startswith("Hello "))
            correction, = case.corrections
            self.assertEqual(correction.reason, "Typo in the letter")

    @with_transaction()
    def test_decision_not_rendered(self):
        "Test that a letter that cannot be written does not stop a decision"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            run_wizard('training.abandon.case.inform', [case])
            letter = case.procedure.get_letter(
                'decide', 'resumed', 'stakeholder')
            with patch.object(Letter, 'check_templates'):
                Letter.write([letter], {'text': "Hello ${nobody}"})
            run_wizard(
                'training.abandon.case.decide', [case],
                decision='invalidated', ground='resumed')
            self.assertEqual(case.state, 'invalidated')
            self.assertNotIn(prescriber, [
                    m.party for m in case.mails if m.kind == 'decide'])
            notification, = Transaction().user_notifications
            self.assertIn(prescriber.rec_name, notification.description)

    @with_transaction()
    def test_answers(self):
        "Test that the letters tell the last answer of each party"
        pool = Pool()
        Proposal = pool.get('training.abandon.proposal')
        Response = pool.get('training.abandon.proposal.response')
        Solution = pool.get('training.abandon.solution')
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            trainee = case.enrolment.trainee.party
            solution, = Solution.search([], limit=1)
            proposal, _ = Proposal.create([
                    {'case': case.id, 'solution': solution.id},
                    {'case': case.id, 'description': "Nothing"}])
            for party, answer, day in [
                    (trainee, 'refused', 2), (prescriber, 'refused', 3),
                    (trainee, 'accepted', 4)]:
                Response.create([{
                            'proposal': proposal.id,
                            'party': party.id,
                            'answer': answer,
                            'at': dt.datetime(2026, 3, day, 12),
                            'channel': 'call',
                            }])
            self.assertCountEqual(case.letter_context(trainee)['answers'], [
                    f"{solution.name}: accepted by {trainee.name} on "
                    "03/04/2026",
                    f"{solution.name}: refused by {prescriber.name} on "
                    "03/03/2026"])

    @with_transaction()
    def test_absences(self):
        "Test that the half-days of a day are told together"
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            monday, tuesday = DATE, DATE + dt.timedelta(days=1)
            slots = [
                (monday, dt.time(9), dt.time(12)),
                (monday, dt.time(14), dt.time(17)),
                (tuesday, dt.time(9), dt.time(12))]
            self.assertEqual(
                case.letter_context(prescriber, slots)['absences'], [
                    "Monday\xa003/02/2026, from 09:00 to 12:00 and from 14:00 "
                    "to 17:00",
                    "Tuesday\xa003/03/2026, from 09:00 to 12:00"])

    @with_transaction()
    def test_phone(self):
        "Test whom the letters say to call"
        pool = Pool()
        Mechanism = pool.get('party.contact_mechanism')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            employee = case.signatory().party
            self.assertEqual(case.letter_phone(), '')
            for party, type_, number, told in [
                    (employee, 'mobile', '+33 6 12 34 56 78', ''),
                    (company.party, 'mobile', '+33 6 39 98 00 00',
                        '+33 6 39 98 00 00'),
                    (employee, 'phone', '+33 4 93 00 00 00',
                        '+33 4 93 00 00 00'),
                    ]:
                Mechanism.create([{
                            'party': party.id, 'type': type_,
                            'value': number}])
                forget_read()
                self.assertEqual(
                    type(case)(case.id).letter_phone(), told)

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
                            ('step_kind', 'not in', [
                                    'attendance', 'concern', 'mediation',
                                    'visit'])]):
                    with self.subTest(letter=letter.rec_name):
                        subject, text = letter.render(**context)
                        self.assertTrue(subject)
                        self.assertNotIn('\n\n\n', text)
                        self.assertNotIn('${', text)
            run_wizard('training.abandon.case.inform', [case])
            mail, = case.mails
            self.assertIn(name, mail.body)
