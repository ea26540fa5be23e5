# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from trytond.modules.training_abandon.case import wizard_mail
from trytond.modules.training_abandon.exceptions import (
    CaseStepError, GuardianWarning, RecipientError)
from trytond.modules.training_abandon.procedure.template import LetterTemplate
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, add_contact, apply_wizard, create_enrolments,
    create_party, decide, open_cases, open_wizard, run_wizard, set_email,
    set_up)


class CaseWizardMailTestCase(DatabaseTestCase):
    "Test to whom the steps write"

    def minor(self, session, birth_date=None, guardians=()):
        "Return an enrolment with guardians of these names and addresses"
        enrolment, = create_enrolments(session)
        enrolment.trainee.birth_date = birth_date
        enrolment.trainee.save()
        for name, email in guardians:
            add_contact(enrolment, create_party(name, email))
        return enrolment

    def certify(self, case, **values):
        Case = type(case)
        while case.next_kind != 'decide':
            Case.skip_step([case], "Not needed")
        decide(case)
        Report = Pool().get('training.abandon.certificate', type='report')
        with patch.object(
                Report, 'convert', lambda *args, **kw: ('pdf', b'%PDF')):
            run_wizard('training.abandon.case.certify', [case], **values)
        return Case(case.id).certificates[-1]

    @with_transaction()
    def test_guardians(self):
        "Test that the guardian is asked with the trainee and signs too"
        with set_up() as (company, session, _):
            enrolment = self.minor(session, guardians=[
                    ("Mother", 'mother@example.com')])
            trainee = enrolment.trainee.party
            case, = open_cases([enrolment], origin='declared')
            mother = enrolment.contacts[0].party
            run_wizard('training.abandon.case.ask_reasons', [case])
            own, copy = sorted(case.mails, key=lambda m: m.id)
            self.assertEqual(
                [(m.party, m.letter.audience) for m in [own, copy]],
                [(trainee, 'trainee'), (mother, 'trainee')])
            self.assertIn(f"guardian of {trainee.name}", copy.body)
            self.assertIn(own.body.strip(), copy.body)
            step = case.get_step('ask_reasons')
            self.assertEqual(step.evidence, 'pending')
            type(own).write([own], {'state': 'sent'})
            # It is proven once both have got it
            self.assertEqual(type(step)(step.id).evidence, 'pending')
            type(own).write([copy], {'state': 'sent'})
            self.assertEqual(type(step)(step.id).evidence, 'proven')

            certificate = self.certify(case)
            self.assertEqual(
                {m.party for m in certificate.mails}, {trainee, mother})
            self.assertEqual(case.trainee_side(), [trainee, mother])
            # The user says who of them signed
            type(certificate).sign([certificate])
            self.assertIsNone(certificate.signed_by)

    @with_transaction()
    def test_of_age(self):
        "Test that the guardian of who is of age is not written to"
        with set_up() as (company, session, _):
            enrolment = self.minor(
                session, DATE.replace(year=DATE.year - 18),
                [("Mother", 'mother@example.com')])
            case, = open_cases([enrolment])
            _, start = open_wizard('training.abandon.case.ask_reasons', [case])
            mail, = start['mails']
            self.assertEqual(mail['party'], enrolment.trainee.party.id)
            certificate = self.certify(case, kind='statement')
            type(certificate).sign([certificate])
            self.assertEqual(
                certificate.signed_by, enrolment.trainee.party)

    @with_transaction()
    def test_minor_alone(self):
        "Test the warning for a minor without guardian to write to"
        with set_up() as (company, session, _):
            enrolment = self.minor(
                session, DATE.replace(year=DATE.year - 17),
                [("Mother", 'mother@example.com')])
            mother = enrolment.contacts[0].party
            mother.active = False
            mother.save()
            case, = open_cases([enrolment])
            with Transaction().set_context(_skip_warnings=False), \
                    self.assertRaisesRegex(GuardianWarning, case.number):
                run_wizard('training.abandon.case.ask_reasons', [case])
            self.assertFalse(case.mails)
            run_wizard('training.abandon.case.ask_reasons', [case])
            mail, = case.mails
            self.assertEqual(mail.party, enrolment.trainee.party)

    @with_transaction()
    def test_one_mailbox(self):
        "Test that guardians with one mailbox get one mail"
        with set_up() as (company, session, _):
            enrolment = self.minor(session, guardians=[
                    ("Mother", 'home@example.com'),
                    ("Father", 'HOME@example.com')])
            mother, father = (c.party for c in enrolment.contacts)
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.ask_reasons', [case])
            self.assertEqual(
                [(m.party, list(m.also_for)) for m in sorted(
                        case.mails, key=lambda m: m.id)],
                [(enrolment.trainee.party, []), (mother, [father])])
            self.assertEqual(
                case._told(), {enrolment.trainee.party, mother, father})
            self.assertIn(father, case.conversation_parties())
            event, = [
                e for e in case.events
                if e.party == mother and e.kind == 'mail_queued']
            self.assertIn("also for Father", event.summary)

    @with_transaction()
    def test_mailbox_of_the_trainee(self):
        "Test that a minor may have the mailbox of the guardian"
        with set_up() as (company, session, _):
            enrolment = self.minor(session, guardians=[
                    ("Mother", 'home@example.com')])
            set_email(enrolment.trainee.party, 'home@example.com')
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.ask_reasons', [case])
            mail, = case.mails
            self.assertEqual(mail.party, enrolment.trainee.party)
            self.assertEqual(
                [p.name for p in mail.also_for], ["Mother"])
            self.assertNotIn("guardian", mail.body)

    @with_transaction()
    def test_one_mailbox_at_sending(self):
        "Test that addresses made one in the wizard get one mail"
        with set_up() as (company, session, _):
            enrolment = self.minor(session, guardians=[("Mother", None)])
            case, = open_cases([enrolment])
            wizard, start = open_wizard(
                'training.abandon.case.ask_reasons', [case])
            own, copy = start['mails']
            apply_wizard(wizard, [case], {
                    **start, 'mails': [own, {**copy, 'to': own['to']}]})
            mail, = case.mails
            self.assertEqual([p.name for p in mail.also_for], ["Mother"])
            self.assertEqual(mail.body, own['text'])

    @with_transaction()
    def test_archived_trainee(self):
        "Test that an archived trainee is named, and told by letter"
        with set_up() as (company, session, _):
            enrolment = self.minor(session)
            case, = open_cases([enrolment])
            enrolment.trainee.active = False
            enrolment.trainee.save()
            wizard, start = open_wizard(
                'training.abandon.case.ask_reasons', [case])
            with self.assertRaisesRegex(RecipientError, "archived"):
                apply_wizard(wizard, [case], start)
            mail, = start['mails']
            with self.assertRaisesRegex(RecipientError, "archived"):
                apply_wizard(wizard, [case], {
                        **start,
                        'mails': [{**mail, 'to': 'trainee@example.com'}]})
            apply_wizard(wizard, [case], {
                    **start, 'mails': [{**mail, 'channel': 'letter'}]})
            self.assertEqual(case.state, 'inquiring')
            follow_up, = case.follow_ups
            # What was posted is kept
            for text in [mail['subject'], mail['text'].strip()]:
                self.assertIn(text, follow_up.note)

    @with_transaction()
    def test_archived_prescriber(self):
        "Test that the step skipped tells that the prescriber is archived"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            prescriber.active = False
            prescriber.save()
            case, = open_cases([enrolment], DATE + DAY)
            step = case.get_step('inform')
            self.assertEqual(step.state, 'skipped')
            self.assertIn("archived", step.skip_reason)

    @with_transaction()
    def test_lines_of_the_client(self):
        "Test that the client chooses neither the parties nor the letters"
        with set_up() as (company, session, prescriber):
            trainees = create_enrolments(session, 4, prescriber=prescriber)
            case, other, *cases = open_cases(trainees)
            for c in [case, other, *cases]:
                while c.next_kind != 'follow_up':
                    type(c).skip_step([c], "Not needed")
            stranger = create_party("Stranger", 'stranger@example.com')
            wizard, start = open_wizard(
                'training.abandon.case.follow_up', [case])
            own, agency = start['mails']
            for values in [
                    {'party': stranger.id},
                    {'also_for': [stranger.id]},
                    {'case': other.id},
                    {'party': stranger.id, 'channel': 'call'},
                    ]:
                with self.subTest(values=values), \
                        self.assertRaises((CaseStepError, RecipientError)):
                    apply_wizard(wizard, [case], {
                            **start, 'mails': [own, {**agency, **values}]})
            apply_wizard(wizard, [case], {
                    **start,
                    'mails': [own, {**agency, 'audience': 'trainee'}]})
            self.assertEqual(
                {(m.party, m.letter.audience) for m in case.mails}, {
                    (case.trainee.party, 'trainee'),
                    (prescriber, 'stakeholder')})

            # The lines that are not sent are for nobody
            with patch.object(wizard_mail, 'PREVIEW', 1):
                # Nor is what is previewed rendered for each case
                with patch.object(
                        LetterTemplate, 'render', side_effect=Exception):
                    wizard, start = open_wizard(
                        'training.abandon.case.follow_up', cases)
                for mail in start['mails']:
                    mail['send'] = mail['audience'] == 'trainee'
                apply_wizard(wizard, cases, start)
            self.assertEqual(
                [(m.party, m.letter.audience) for c in cases
                    for m in c.mails],
                [(c.trainee.party, 'trainee') for c in cases])

    @with_transaction()
    def test_letters_of_procedures(self):
        "Test that a letter that is left out leaves those of others"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Procedure = pool.get('training.abandon.procedure')
        with set_up() as (company, session, prescriber), \
                patch.object(wizard_mail, 'PREVIEW', 1):
            cases = []
            for enrolment in create_enrolments(
                    session, 2, prescriber=prescriber):
                case, = open_cases([enrolment])
                while case.next_kind != 'follow_up':
                    Case.skip_step([case], "Not needed")
                cases.append(case)
                procedure, = Procedure.copy(
                    [case.procedure], {'state': 'draft'})
                Procedure.activate([procedure])
            letters = {m.id for m in cases[0].procedure.letters}
            wizard, start = open_wizard(
                'training.abandon.case.follow_up', cases)
            self.assertEqual(
                [m['letter'] in letters for m in start['mails']],
                [True, True, False, False])
            for mail in start['mails']:
                mail['send'] = mail['letter'] not in letters
            with self.assertRaisesRegex(RecipientError, cases[0].number):
                apply_wizard(wizard, cases, start)
            for mail in start['mails']:
                mail['send'] = (
                    mail['letter'] not in letters
                    or mail['audience'] == 'trainee')
            apply_wizard(wizard, cases, start)
            self.assertEqual(
                [{m.letter.audience for m in c.mails}
                    for c in Case.browse(cases)],
                [{'trainee'}, {'trainee', 'stakeholder'}])
