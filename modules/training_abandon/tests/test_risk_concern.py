# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from email.message import EmailMessage
from unittest.mock import patch

from trytond.model.exceptions import AccessButtonError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import AlertError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, add_contact, as_user, count_statements, create_enrolments,
    create_party, create_user, open_cases, open_wizard, run_wizard, savepoint,
    set_up)
from .test_risk_alert import RiskTestCase

TUTOR = 'tutor@employer.example'


class OutcomeTestCase(RiskTestCase):
    "Test that whoever raised a concern is told what became of it"

    def concern(self, enrolments, user):
        pool = Pool()
        Alert = pool.get('training.alert')
        with Transaction().set_user(user.id):
            return Alert.raise_concern(enrolments, 'other', "Divorce")

    def told(self):
        "Return the users who are notified with what they are told"
        told = [
            (n.user.id, n.label, n.description)
            for n in Transaction().user_notifications
            if n.model == 'training.alert']
        Transaction().user_notifications.clear()
        return told

    def follow_up(self, enrolment, **values):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        FollowUp.create([{
                    'company': enrolment.company.id,
                    'enrolment': enrolment.id,
                    'party': enrolment.trainee.party.id,
                    'done_at': dt.datetime.combine(DATE + DAY, dt.time(7)),
                    'outcome': 'reached',
                    **values,
                    }])

    @with_transaction()
    def test_closed(self):
        "Test each way to close a concern"
        with set_up() as (company, session, _):
            user = create_user('colleague', company, 'training')
            enrolment, = create_enrolments(session)
            for close, outcome in [
                    (lambda alert: alert.handle([alert]),
                        "Somebody saw to it on 03/03/2026."),
                    (lambda alert: alert.dismiss_for([alert], "Secret"),
                        "It was looked at on 03/03/2026: nothing more is "
                        "done for now."),
                    (lambda alert: self.follow_up(enrolment),
                        "The trainee was talked to on 03/03/2026."),
                    (lambda alert: alert.open_case([alert]),
                        "A case has been open since 03/03/2026: the "
                        "provider sees to it with those concerned."),
                    ]:
                alert, = self.concern([enrolment], user)
                self.assertEqual(
                    alert.outcome, "Nobody has seen to it yet.")
                close(alert)
                with self.subTest(outcome=outcome):
                    self.assertEqual(type(alert)(alert.id).outcome, outcome)
                    self.assertEqual(self.told(), [(
                                user.id, "Something became of your concerns.",
                                f"{enrolment.trainee.rec_name}: {outcome}")])
            case = enrolment.current_case
            type(case).cancel([case])
            outcome = (
                "The case that was opened about it has been closed since "
                "03/03/2026.")
            self.assertEqual(
                [d for _, _, d in self.told()],
                [f"{enrolment.trainee.rec_name}: {outcome}"])
            with as_user(user):
                row, = type(alert).read([alert.id], ['outcome', 'state'])
            self.assertEqual(row['outcome'], outcome)
            self.assertEqual(row['state'], 'handled')

    @with_transaction()
    def test_not_told(self):
        "Test who is not told: who closes it, and of what is no concern"
        with set_up() as (company, session, _):
            self.rule()
            user = create_user('colleague', company, 'training')
            gone = create_user('gone', company, 'training')
            enrolment, = create_enrolments(session)
            alert, = self.concern([enrolment], user)
            self.concern([enrolment], gone)
            gone.active = False
            gone.save()
            self.fill(session.slots[:2], {enrolment: 'absent'})
            with Transaction().set_user(user.id):
                open_cases([enrolment])
            self.assertEqual(
                {a.state for a in self.alerts()}, {'handled'})
            self.assertFalse(self.told())

    @with_transaction()
    def test_once(self):
        "Test the concern that two follow-ups handle at once"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            user = create_user('colleague', company, 'training')
            enrolment, = create_enrolments(session)
            self.concern([enrolment], user)
            FollowUp.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'party': enrolment.trainee.party.id,
                        'done_at': dt.datetime.combine(
                            DATE + DAY, dt.time(7)),
                        'outcome': 'reached',
                        }] * 2)
            (_, _, description), = self.told()
            self.assertEqual(
                description.count(enrolment.trainee.rec_name), 1)

    @with_transaction()
    def test_withdrawn(self):
        "Test what became of the facts that do not hold any more"
        with set_up() as (company, session, _):
            self.rule()
            enrolment, = create_enrolments(session)
            self.fill(session.slots[:2], {enrolment: 'absent'})
            self.fill(session.slots[2:3], {enrolment: 'present'})
            alert, = self.alerts()
            self.assertTrue(alert.withdrawn)
            self.assertEqual(
                alert.outcome, "The facts have not held any more since "
                "03/03/2026: nobody had to see to it.")

    @with_transaction()
    def test_several(self):
        "Test that one is told once of several, however many they are"
        with set_up() as (company, session, _):
            user = create_user('colleague', company, 'training')
            counts = []
            for count in [2, 2, 20]:
                enrolments = create_enrolments(session, count)
                alerts = self.concern(enrolments, user)
                tools.forget_read()
                with count_statements() as statements:
                    alerts[0].handle(alerts)
                counts.append(len(statements))
                (_, _, description), = self.told()
                self.assertIn(enrolments[0].trainee.rec_name, description)
            self.assertLessEqual(counts[2], counts[1])


class ReplyTestCase(RiskTestCase):
    "Test the concerns that come by mail"

    def set_up(self, company, session):
        "Return the enrolment, its tutor and the notice to the tutor"
        pool = Pool()
        Lang = pool.get('ir.lang')
        Mail = pool.get('training.mail')
        enrolment, = create_enrolments(session)
        tutor = create_party("Tutor", TUTOR)
        tutor.lang, = Lang.search([('code', '=', 'fr')])
        tutor.save()
        add_contact(enrolment, tutor, 'apprenticeship_supervisor')
        mail, = Mail.create([{
                    'company': company.id,
                    'enrolment': enrolment.id,
                    'kind': 'attendance',
                    'party': tutor.id,
                    'to': TUTOR,
                    'subject': "Absence",
                    'state': 'sent',
                    'message_id': '<1@provider.example>',
                    'sent_at': dt.datetime.combine(DATE, dt.time(14)),
                    }])
        return enrolment, tutor, mail

    def receive(self, from_=TUTOR, answered='<1@provider.example>'):
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        message = EmailMessage()
        message['From'] = from_
        message['To'] = 'replies@provider.example'
        message['Subject'] = "Re: Absence"
        message['Message-ID'] = f'<{len(Reply.search([]))}@employer.example>'
        if answered:
            message['In-Reply-To'] = answered
        message.set_content("He lives in his car.")
        return Reply(Reply.from_message(message.as_bytes()).id)

    @with_transaction()
    def test_raise(self):
        "Test that a tutor raises a concern, and what is written back"
        pool = Pool()
        Alert = pool.get('training.alert')
        with set_up() as (company, session, _):
            enrolment, tutor, _ = self.set_up(company, session)
            reply = self.receive()
            self.assertTrue(reply.may_be_concern)
            reader = create_user(
                'reader', company, 'training', 'sensitive_reason')
            with as_user(reader):
                run_wizard(
                    'training.mail.reply.raise', [reply], kind='material',
                    word="Needs a room")
            alert, = self.alerts()
            self.assertEqual(alert.enrolment, enrolment)
            self.assertEqual(alert.raised_by_party, tutor)
            self.assertIsNone(alert.raised_by)
            self.assertEqual(alert.reply, reply)
            self.assertEqual(alert.word, "Needs a room")
            reply = type(reply)(reply.id)
            self.assertEqual(reply.state, 'handled')
            self.assertFalse(reply.may_be_concern)
            self.assertFalse(self.mails(('kind', '=', 'concern')))
            Alert.dismiss_for([alert], "Rich")
            mail, = pool.get('training.mail').search(
                [('kind', '=', 'concern')])
            self.assertEqual(mail.party, tutor)
            self.assertEqual(mail.to, TUTOR)
            self.assertEqual(mail.state, 'queued')
            self.assertEqual(
                mail.subject, "What became of your concern about "
                f"{enrolment.trainee.party.name} – Bookkeeping")
            self.assertEqual(mail.language, tutor.lang)
            self.assertIn("It was looked at on 03.03.2026", mail.body)
            for word in ["Rich", "room", "car"]:
                self.assertNotIn(word, mail.body)
            server = self.deliver([mail])
            server.data.assert_called_once()
            self.assertEqual(type(mail)(mail.id).state, 'sent')

    @with_transaction()
    def test_case(self):
        "Test that a tutor is written to for the case and for its end"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, _):
            enrolment, tutor, _ = self.set_up(company, session)
            run_wizard(
                'training.mail.reply.raise', [self.receive()], kind='other',
                word="Word")
            case, = open_cases([enrolment])
            type(case).cancel([case])
            mails = Mail.search(
                [('kind', '=', 'concern')], order=[('id', 'ASC')])
            self.assertEqual([m.party for m in mails], [tutor] * 2)
            for mail, words in zip(
                    mails, ["has been open since", "has been closed since"]):
                self.assertIn(words, mail.body)

    @with_transaction()
    def test_no_address(self):
        """Test that nobody is written to without letter or address, or once no
        longer concerned, and that the administrators are told"""
        pool = Pool()
        Contact = pool.get('training.enrolment.contact')
        ContactMechanism = pool.get('party.contact_mechanism')
        Mail = pool.get('training.mail')
        Procedure = pool.get('training.abandon.procedure')
        with set_up() as (company, session, _):
            enrolment, tutor, _ = self.set_up(company, session)
            head = create_user('head', company, 'training_admin')
            reply = self.receive()
            untold = f"Tutor about {enrolment.trainee.rec_name}"

            def told():
                "Return what the administrator is told"
                notifications = Transaction().user_notifications
                found = [
                    n.description for n in notifications
                    if n.user == head and n.model == 'training.alert']
                notifications.clear()
                return found

            def close():
                run_wizard(
                    'training.mail.reply.raise', [reply], kind='other',
                    word="Word")
                alert, = self.alerts(('state', '=', 'open'))
                alert.handle([alert])
                return Mail.search([('kind', '=', 'concern')], count=True)

            self.assertEqual(close(), 1)
            self.assertFalse(told())
            mechanisms = list(tutor.contact_mechanisms)
            ContactMechanism.write(mechanisms, {'active': False})
            self.assertEqual(close(), 1)
            self.assertEqual(told(), [untold])
            ContactMechanism.write(mechanisms, {'active': True})
            with patch.object(Procedure, 'get_letter', return_value=None):
                self.assertEqual(close(), 1)
            self.assertEqual(told(), [untold])
            self.assertEqual(close(), 2)
            self.assertFalse(told())
            run_wizard(
                'training.mail.reply.raise', [reply], kind='other',
                word="Word")
            Contact.delete(list(enrolment.contacts))
            alert, = self.alerts(('state', '=', 'open'))
            alert.handle([alert])
            self.assertEqual(Mail.search([('kind', '=', 'concern')],
                    count=True), 2)
            self.assertEqual(told(), [untold])

    @with_transaction()
    def test_proposed(self):
        "Test which replies may be concerns"
        with set_up() as (company, session, _):
            enrolment, tutor, mail = self.set_up(company, session)
            self.assertTrue(self.receive().may_be_concern)
            self.assertFalse(
                self.receive('stranger@example.com').may_be_concern)
            mail.kind = 'inform'
            mail.save()
            self.assertFalse(self.receive().may_be_concern)
            mail.kind = 'attendance'
            mail.party = enrolment.trainee.party
            mail.to = enrolment.trainee.party.email
            mail.save()
            self.assertFalse(self.receive(mail.to).may_be_concern)
            mail.party, mail.to = tutor, TUTOR
            mail.save()
            open_cases([enrolment])
            self.assertFalse(self.receive().may_be_concern)

    @with_transaction()
    def test_unknown(self):
        "Test the message that answers no mail"
        pool = Pool()
        Alert = pool.get('training.alert')
        with set_up() as (company, session, prescriber):
            enrolment, tutor, _ = self.set_up(company, session)
            other, = create_enrolments(session)
            reply = self.receive(answered=None)
            _, start = open_wizard('training.mail.reply.raise', [reply])
            self.assertEqual(start['choices'], [enrolment.id])
            self.assertEqual(start['enrolment'], enrolment.id)
            self.assertEqual(start['party'], tutor.id)
            for values in [
                    {'enrolment': other.id},
                    {'party': enrolment.trainee.party.id},
                    {'party': prescriber.id},
                    {'word': " "}]:
                with self.subTest(values=values), \
                        self.assertRaises(AlertError):
                    run_wizard('training.mail.reply.raise', [reply], **{
                            'kind': 'other', 'word': "Word", **values})
            self.assertFalse(Alert.search([]))
            for values in [{'company': None}, {'kind': 'bounce'}]:
                with self.subTest(values=values), savepoint(), \
                        self.assertRaisesRegex(AlertError, "written it to"):
                    type(reply).write([reply], values)
                    open_wizard('training.mail.reply.raise', [
                            type(reply)(reply.id)])
            with self.assertRaises(AlertError):
                open_wizard('training.mail.reply.raise', [
                        self.receive('stranger@example.com', answered=None)])

    @with_transaction()
    def test_access(self):
        "Test that who may not read a reply raises nothing from it"
        with set_up() as (company, session, _):
            self.set_up(company, session)
            reply = self.receive()
            with as_user(create_user('assistant', company, 'training')):
                with self.assertRaises(AccessButtonError):
                    type(reply).raise_concern([type(reply)(reply.id)])
