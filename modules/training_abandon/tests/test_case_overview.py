# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.modules.training_abandon.case.overview import MARKS
from trytond.modules.training_abandon.procedure.states import STEP_ORDER
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, add_contact, analyse, as_user, at,
    count_statements, create_enrolments, create_party, create_user, live,
    mail_server, open_cases, run_wizard, set_up, today)


def add_phone(party, value, type_='phone'):
    pool = Pool()
    Mechanism = pool.get('party.contact_mechanism')
    Mechanism.create([{
                'party': party.id,
                'type': type_,
                'value': value,
                }])


class CaseOverviewTestCase(DatabaseTestCase):
    "Test what the form of a case tells at a glance"

    def read(self, case, *names):
        Transaction().cache.clear()
        values, = type(case).read([case.id], names)
        return [values[n] for n in names]

    @with_transaction()
    def test_contacts(self):
        "Test whom to call"
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            names = [
                'trainee_phone', 'trainee_email', 'prescriber_contact',
                'prescriber_phone']
            trainee = case.enrolment.trainee.party
            self.assertEqual(
                self.read(case, *names),
                [None, trainee.email, prescriber.id, None])
            add_phone(trainee, '06 12 34 56 78', 'mobile')
            add_phone(prescriber, '01 23 45 67 89')
            self.assertEqual(
                self.read(case, *names), [
                    '06 12 34 56 78', trainee.email, prescriber.id,
                    '01 23 45 67 89'])
            # The person, called at the organisation if it has no phone
            adviser = create_party("Adviser", 'me@example.com')
            add_contact(case.enrolment, adviser, 'prescriber')
            self.assertEqual(
                self.read(case, *names)[2:], [adviser.id, '01 23 45 67 89'])
            self.assertEqual(case.phone_of(adviser), '01 23 45 67 89')
            add_phone(adviser, '07 00 00 00 00', 'mobile')
            self.assertEqual(
                self.read(case, *names)[2:], [adviser.id, '07 00 00 00 00'])

    @with_transaction()
    def test_no_prescriber(self):
        "Test a case without prescriber"
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            self.assertEqual(
                self.read(case, 'prescriber_contact', 'prescriber_phone'),
                [None, None])

    @with_transaction()
    def test_marks(self):
        "Test the mark of each step and what it opens"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            self.assertEqual(
                self.read(case, 'marks'),
                [tuple(f'{kind}_todo' for kind in STEP_ORDER)])
            with today(DATE + 60 * DAY):
                marks, = self.read(case, 'marks')
                self.assertIn('inform_late', marks)
            run_wizard('training.abandon.case.inform', [case])
            marks, = self.read(case, 'marks')
            self.assertIn('inform_pending', marks)
            mail, = case.mails
            Mail.write([mail], {'state': 'sent', 'sent_at': mail.create_date})
            marks, = self.read(case, 'marks')
            self.assertIn('inform_done', marks)
            Mail.write([mail], {'bounced_at': mail.create_date})
            marks, = self.read(case, 'marks')
            self.assertIn('inform_failed', marks)
            run_wizard(
                'training.abandon.case.skip', [case], reason="Not needed")
            marks, = self.read(case, 'marks')
            self.assertIn('ask_reasons_skipped', marks)
            selection = dict(type(case).get_mark_selection())
            self.assertLessEqual(set(marks), selection.keys())
            self.assertEqual(len(selection), len(MARKS) * len(STEP_ORDER))

            action = type(case).proof_inform([case])
            self.assertEqual(
                (action['res_model'], action['res_id']),
                ('training.abandon.case.step', [case.steps[0].id]))
            step = case.steps[0]
            self.assertEqual(list(step.mails), [mail])

    @with_transaction()
    def test_proofs(self):
        "Test what a step shows of what proves it, and to whom"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        with set_up() as (company, session, prescriber):
            case, other = open_cases(
                create_enrolments(session, 2, prescriber=prescriber))
            for record in [case, other]:
                run_wizard('training.abandon.case.inform', [record])
                run_wizard('training.abandon.case.ask_reasons', [record])
            mail = type(case)(case.id).mails[0]
            reply, = Reply.create([{
                        'company': company.id,
                        'case': case.id,
                        'mail': mail.id,
                        'party': mail.party.id,
                        'received_at': dt.datetime.combine(
                            DATE + DAY, dt.time(9)),
                        'message_id': '<1@example.com>',
                        'kind': 'answer',
                        }])
            analyse([case], 'health')
            run_wizard(
                'training.abandon.case.propose', [case],
                proposals=[{'description': "Evening classes"}])
            steps = {s.kind: s for s in type(case)(case.id).steps}
            self.assertEqual(steps['ask_reasons'].replies, (reply,))
            self.assertEqual(steps['inform'].replies, ())
            self.assertEqual(steps['analyse'].causes, case.causes)
            self.assertEqual(steps['propose'].proposals, case.proposals)
            self.assertEqual(steps['exchange'].proposals, case.proposals)
            self.assertEqual(steps['certify'].certificates, ())
            others = {s.kind: s for s in other.steps}
            self.assertEqual(others['ask_reasons'].replies, ())
            user = create_user('assistant', company, 'training')
            Step = type(steps['analyse'])
            with as_user(user):
                values, = Step.read([steps['analyse'].id], [
                        'causes', 'proposals', 'replies', 'recorded'])
            self.assertFalse(values['causes'])

    @with_transaction()
    def test_decision_recorded(self):
        "Test that the step of the decision tells it"
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            while case.next_kind != 'decide':
                type(case).skip_step([case], "Not needed")
            step, = [s for s in case.steps if s.kind == 'decide']
            self.assertIsNone(step.recorded)
            run_wizard(
                'training.abandon.case.decide', [case], decision='validated',
                ground='abandonment', effective_date=DATE)
            step = type(step)(step.id)
            self.assertIn("Validated – Abandonment", step.recorded)

    @with_transaction()
    def test_alert(self):
        "Test what is wrong with a case and what puts it right"
        pool = Pool()
        Mail = pool.get('training.mail')
        Mechanism = pool.get('party.contact_mechanism')
        Reply = pool.get('training.mail.reply')
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            self.assertEqual(
                self.read(case, 'alert', 'remedy'), [None, None])
            with today(DATE + 60 * DAY):
                alert, remedy = self.read(case, 'alert', 'remedy')
                self.assertIn("Inform the Prescriber", alert)
                self.assertIsNone(remedy)
            run_wizard('training.abandon.case.inform', [case])
            mail, = type(case)(case.id).mails
            with live('other@host'):
                alert, remedy = self.read(case, 'alert', 'remedy')
                self.assertIn("1 mail does not leave", alert)
                self.assertEqual(remedy, str(mail))
            # The next step cannot write to the trainee
            trainee = case.enrolment.trainee.party
            email, = trainee.contact_mechanisms
            Mechanism.write([email], {'active': False})
            alert, remedy = self.read(case, 'alert', 'remedy')
            self.assertIn(trainee.rec_name, alert)
            self.assertEqual(remedy, str(trainee))
            Mechanism.write([email], {'active': True})

            reply, = Reply.create([{
                        'company': company.id,
                        'case': case.id,
                        'mail': mail.id,
                        'party': prescriber.id,
                        'received_at': mail.create_date,
                        'message_id': '<1@example.com>',
                        'kind': 'answer',
                        'text': "Secret",
                        }])
            alert, remedy = self.read(case, 'alert', 'remedy')
            self.assertIn(prescriber.rec_name, alert)
            self.assertNotIn("Secret", alert)
            self.assertEqual(remedy, str(reply))
            with at(dt.datetime.combine(DATE + DAY, dt.time(10))), \
                    mail_server(rcpt=(550, b'No such user')):
                Mail.deliver([mail])
            alert, remedy = self.read(case, 'alert', 'remedy')
            self.assertIn("550 No such user", alert)
            self.assertEqual(remedy, str(mail))
            user = create_user('assistant', company, 'training')
            with as_user(user):
                action = type(case).open_remedy([case])
            self.assertEqual(
                (action['res_model'], action['res_id']),
                ('training.mail', [mail.id]))

    @with_transaction()
    def test_statements(self):
        "Test that many cases take as many statements as few"
        with set_up() as (company, session, prescriber):
            cases = open_cases(
                create_enrolments(session, 12, prescriber=prescriber))
            run_wizard('training.abandon.case.inform', cases)
            names = [
                'trainee_phone', 'prescriber_contact', 'prescriber_phone',
                'agreed_hours', 'hours_attended', 'last_presence', 'marks',
                'alert', 'remedy']
            counts = []
            for number in [3, 2, 12]:
                Transaction().cache.clear()
                with count_statements() as statements:
                    type(cases[0]).read(
                        [c.id for c in cases[:number]], names)
                counts.append(len(statements))
            self.assertEqual(*counts[1:])

    @with_transaction()
    def test_step_readonly(self):
        "Test that no field of a step looks editable"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        editable = [
            name for name, field in Step._fields.items()
            if not field.readonly and not hasattr(field, 'getter')
            and name not in {'done_by', 'create_date', 'write_date'}]
        self.assertFalse(
            set(editable) - {'id', 'create_uid', 'write_uid', 'rec_name'})
