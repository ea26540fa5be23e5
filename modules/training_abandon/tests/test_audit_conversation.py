# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import json
from email import message_from_bytes, policy

from trytond.modules.training_abandon import tools
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DatabaseTestCase, add_contact, apply_wizard, create_enrolments,
    create_party, live, open_wizard, run_wizard, set_up, today, wizard_context)

SECRET = "My employer harasses me"
LONG_ID = '<' + 'a' * 90 + '@mail.example.com>'


class ConversationTestCase(DatabaseTestCase):
    "Test the conversation with each party of a case"

    def open_case(self, session, prescriber):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        enrolment, = create_enrolments(session, 1, prescriber)
        case, = Case.open_cases([enrolment], 'absence', DATE)
        return Case(case.id)

    def answer(self, case, mail, message_id=LONG_ID, **values):
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        reply, = Reply.create([{
                    'company': case.company.id,
                    'case': case.id,
                    'mail': mail.id,
                    'party': mail.party.id,
                    'subject': SECRET,
                    'received_at': tools.now(),
                    'message_id': message_id,
                    'kind': 'answer',
                    'counted': True,
                    'text': SECRET,
                    **values}])
        return reply

    def sent(self, case, party):
        "Return the mail to the party, once the server has accepted it"
        pool = Pool()
        Mail = pool.get('training.mail')
        mail, = Mail.search([
                ('case', '=', case.id), ('party', '=', party.id)])
        Mail.write([mail], {
                'state': 'sent',
                'sent_at': dt.datetime.combine(DATE, dt.time(8)),
                })
        return mail

    def asked_case(self, session, prescriber):
        "Return a case, its trainee and what the trainee answered"
        case = self.open_case(session, prescriber)
        run_wizard('training.abandon.case.inform', [case])
        run_wizard('training.abandon.case.ask_reasons', [case])
        trainee = case.enrolment.trainee.party
        mail = self.sent(case, trainee)
        self.answer(case, mail)
        return type(case)(case.id), trainee, mail

    @with_transaction()
    def test_write(self):
        "Test that a mail continues the conversation with its party alone"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            case, trainee, mail = self.asked_case(session, prescriber)

            wizard, start = open_wizard(
                'training.abandon.case.write', [case])
            self.assertEqual(
                start['allowed_parties'], [trainee.id, prescriber.id])
            self.assertEqual(start['parties'], [])
            self.assertNotIn(SECRET, str(start))
            start.update(
                parties=[trainee.id, prescriber.id],
                text="Can we meet on Monday?")
            apply_wizard(wizard, [case], start)

            mails = Mail.search([
                    ('case', '=', case.id), ('kind', '=', 'exchange')],
                order=[('id', 'ASC')])
            self.assertEqual(
                [m.party for m in mails], [trainee, prescriber])
            self.assertEqual([m.state for m in mails], ['queued'] * 2)
            self.assertEqual({m.step.kind for m in mails}, {'exchange'})
            to_trainee, to_prescriber = [
                message_from_bytes(m.message, policy=policy.default)
                for m in mails]
            self.assertEqual(to_trainee['To'].addresses[0].addr_spec,
                trainee.email)
            self.assertEqual(to_trainee['In-Reply-To'], LONG_ID)
            self.assertEqual(
                to_trainee['References'].split(), [mail.message_id, LONG_ID])
            self.assertIsNone(to_prescriber['In-Reply-To'])
            for part in to_prescriber.walk():
                if not part.is_multipart():
                    self.assertNotIn(SECRET, str(part.get_content()))
            self.assertNotIn(SECRET, to_prescriber['Subject'])
            self.assertNotIn(trainee.email, to_prescriber.as_string())

    @with_transaction()
    def test_subject(self):
        "Test that the subject of a party is for it alone"
        pool = Pool()
        Start = pool.get('training.abandon.case.write.start')
        with set_up() as (company, session, prescriber):
            case, trainee, mail = self.asked_case(session, prescriber)
            start = Start(case=case, parties=[trainee])
            start.on_change_parties()
            # More users read the mails than the replies
            self.assertEqual(start.subject, f"Re: {mail.subject}")
            start.parties = [trainee, prescriber]
            start.on_change_parties()
            self.assertEqual(start.subject, "Your training: Bookkeeping")
            start.parties = [prescriber]
            start.on_change_parties()
            self.assertNotIn(SECRET, start.subject)

    @with_transaction()
    def test_other_sender(self):
        "Test that what another one wrote is not of the party"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Event = pool.get('training.abandon.case.event')
        Reply = pool.get('training.mail.reply')
        with set_up() as (company, session, prescriber):
            case = self.open_case(session, prescriber)
            run_wizard('training.abandon.case.inform', [case])
            mail = self.sent(case, prescriber)
            reply = self.answer(
                case, mail, from_='stranger@example.com',
                other_sender=True, counted=False)

            event, = Event.search([
                    ('case', '=', case.id), ('kind', '=', 'reply')])
            self.assertIsNone(event.party)
            self.assertEqual(Case(case.id)._messages_with(prescriber), [mail])

            Reply.confirm([reply])
            case = Case(case.id)
            self.assertEqual(
                case._messages_with(prescriber), [mail, reply])
            event, = Event.search([
                    ('case', '=', case.id), ('kind', '=', 'reply')])
            self.assertEqual(event.party, prescriber)

    @with_transaction()
    def test_write_other_party(self):
        "Test that only the parties of the case are written to"
        with set_up() as (company, session, prescriber):
            case = self.open_case(session, prescriber)
            stranger, = create_enrolments(session)
            wizard, start = open_wizard(
                'training.abandon.case.write', [case])
            start.update(
                parties=[stranger.trainee.party.id], subject="S", text="T")
            with self.assertRaisesRegex(Exception, "does not take part"):
                apply_wizard(wizard, [case], start)
            start.update(parties=[prescriber.id], text=" ")
            with self.assertRaisesRegex(Exception, "the text"):
                apply_wizard(wizard, [case], start)

    @with_transaction()
    def test_write_no_address(self):
        "Test that a party without address is refused, before any mail"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            case = self.open_case(session, prescriber)
            prescriber.contact_mechanisms = []
            prescriber.save()
            wizard, start = open_wizard(
                'training.abandon.case.write', [case])
            start.update(
                parties=[case.enrolment.trainee.party.id, prescriber.id],
                subject="Subject", text="Text")
            with self.assertRaisesRegex(Exception, "email address"):
                apply_wizard(wizard, [case], start)
            # The trainee whose party has other reasons to stay
            case.trainee.active = False
            case.trainee.save()
            start.update(parties=[case.trainee.party.id])
            with self.assertRaisesRegex(Exception, "archived"):
                apply_wizard(wizard, [case], start)
            self.assertFalse(Mail.search([('case', '=', case.id)]))

    @with_transaction()
    def test_write_bounced_address(self):
        "Test that a party is not written to where the mails come back from"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            case = self.open_case(session, prescriber)
            ContactMechanism.bounce(prescriber.email, tools.now(), "Unknown")
            wizard, start = open_wizard(
                'training.abandon.case.write', [case])
            start.update(
                parties=[prescriber.id], subject="Subject", text="Text")
            with self.assertRaisesRegex(Exception, "email address"):
                apply_wizard(wizard, [case], start)
            ContactMechanism.create([{
                        'party': prescriber.id,
                        'type': 'email',
                        'value': 'other@example.com',
                        }])
            apply_wizard(wizard, [case], start)
            mail, = Mail.search([('case', '=', case.id)])
            self.assertEqual(mail.to, 'other@example.com')

    @with_transaction()
    def test_write_held(self):
        "Test that the form tells that the mail will be held"
        with set_up() as (company, session, prescriber):
            case = self.open_case(session, prescriber)
            for value, notice in [(None, False), ('', True)]:
                with live(value):
                    _, start = open_wizard(
                        'training.abandon.case.write', [case])
                    self.assertEqual(bool(start['hold_notice']), notice)

    @with_transaction()
    def test_one_mailbox(self):
        "Test that a mail belongs to all those who have its mailbox"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        Wizard = pool.get('training.abandon.case.conversation', type='wizard')
        with set_up() as (company, session, prescriber):
            case = self.open_case(session, prescriber)
            tutor = create_party("Tutor", 'ADVISER@example.com')
            add_contact(case.enrolment, tutor, 'tutor')
            trainee = case.enrolment.trainee.party
            mail, = case.write_to([prescriber, tutor], "Meeting", "Tuesday")
            self.assertEqual(
                (mail.party, list(mail.also_for)), (prescriber, [tutor]))
            self.assertEqual(case._told(), {prescriber, tutor})
            for party, count in [(prescriber, 1), (tutor, 1), (trainee, 0)]:
                session_id, _, _ = Wizard.create()
                with wizard_context([case]):
                    (action, _), = Wizard.execute(session_id, {
                            'choose': {'case': case.id, 'party': party.id},
                            }, 'open_')['actions']
                self.assertEqual(
                    Event.search(
                        json.loads(action['pyson_domain']), count=True),
                    count)

    @with_transaction()
    def test_conversation(self):
        "Test that the conversation has the messages of one party"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        Wizard = pool.get('training.abandon.case.conversation', type='wizard')
        with set_up() as (company, session, prescriber):
            case, trainee, _ = self.asked_case(session, prescriber)
            for party, expected in [
                    (trainee, ['mail_sent', 'reply']),
                    (prescriber, ['mail_queued'])]:
                session_id, _, _ = Wizard.create()
                with wizard_context([case]):
                    view = Wizard.execute(session_id, {}, 'start')['view']
                    self.assertEqual(view['state'], 'choose')
                    result = Wizard.execute(session_id, {
                            'choose': {'case': case.id, 'party': party.id},
                            }, 'open_')
                (action, data), = result['actions']
                # What the clients load without a search stays as it was
                self.assertNotIn('res_id', data)
                events = Event.search(json.loads(action['pyson_domain']))
                self.assertEqual(
                    {e.kind for e in events}, set(expected))
                self.assertEqual({e.party for e in events}, {party})
                texts = ''.join(e.text or '' for e in events)
                self.assertEqual(SECRET in texts, party == trainee)

    @with_transaction()
    def test_exchange(self):
        "Test that the exchange proposes to record what has been heard"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Cause = pool.get('training.abandon.reason')
        with set_up() as (company, session, prescriber):
            case, trainee, mail = self.asked_case(session, prescriber)
            cause, = Cause.search([], limit=1)
            # The first answer was given before the proposals
            with today(DATE + dt.timedelta(days=2)):
                run_wizard(
                    'training.abandon.case.analyse', [case],
                    causes=[{'cause': cause.id, 'responsible': 'trainee'}])
                run_wizard(
                    'training.abandon.case.propose', [case],
                    no_solution_reason="None fits")
            with today(DATE + dt.timedelta(days=3)):
                answered_at = tools.now()
                wizard, start = open_wizard(
                    'training.abandon.case.exchange', [Case(case.id)])
                kinds = {x['party']: x['kind'] for x in start['exchanges']}
                self.assertEqual(
                    kinds, {trainee.id: 'call', prescriber.id: 'call'})
                self.answer(case, mail, '<other@example.com>')
                wizard, start = open_wizard(
                    'training.abandon.case.exchange', [Case(case.id)])
                exchange, = [
                    x for x in start['exchanges']
                    if x['party'] == trainee.id]
                self.assertEqual(exchange, {
                        **exchange,
                        'kind': 'email',
                        'outcome': 'reached',
                        'at': answered_at,
                        })

    @with_transaction()
    def test_one_case(self):
        "Test that a mail is about one case"
        with set_up() as (company, session, prescriber):
            cases = [
                self.open_case(session, prescriber) for _ in range(2)]
            with self.assertRaisesRegex(Exception, "one case only"):
                open_wizard('training.abandon.case.write', cases)
