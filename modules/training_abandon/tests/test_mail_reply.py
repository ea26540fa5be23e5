# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import json
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from unittest.mock import patch

import trytond.config as config
from trytond import backend
from trytond.exceptions import UserError
from trytond.i18n import gettext
from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.modules.company.tests import create_company
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import CertificateError
from trytond.modules.training_abandon.mail.address import reply_address
from trytond.modules.training_abandon.mail.message import token_hash
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DatabaseTestCase, add_contact, analyse, apply_wizard, as_user,
    create_enrolments, create_party, create_session, create_user, get_reason,
    open_wizard, run_wizard, set_email, set_up)

INBOUND = Path(__file__).parent / 'inbound'
TOKEN = '0123456789abcdef0123456789abcdef'
MESSAGE_ID = '<176000000000.1.mail@provider.example>'
ADDRESS = 'camille.durand@mail.example'
SENT_AT = dt.datetime(2026, 3, 3, 10)
RECEIVED_AT = dt.datetime(2026, 3, 3, 9, 30)


@contextmanager
def reply_to(address='replies@provider.example'):
    "Have the address in the configuration"
    if not config.has_section('training_abandon'):
        config.add_section('training_abandon')
    config.set('training_abandon', 'reply_to', address)
    try:
        yield
    finally:
        config.set('training_abandon', 'reply_to', '')


def message(text='Bonjour', token=TOKEN, **headers):
    "Return the bytes of a message that answers the mail"
    result = EmailMessage()
    headers = {
        'From': ADDRESS,
        'To': f'replies+{token}@provider.example',
        'Subject': "Re: Votre absence",
        'Message-ID': '<answer@mail.example>',
        **{n.replace('_', '-'): v for n, v in headers.items()},
        }
    for name, value in headers.items():
        if value:
            result[name] = value
    result.set_content(text)
    return result


class ReplyTestCase(DatabaseTestCase):
    "Test what is done of the replies to the mails"
    modules = ['training_abandon', 'inbound_email']
    language = 'fr'

    maxDiff = None

    @contextmanager
    def asked(self, prescriber=False):
        "Yield the mail that asked a trainee for the reasons"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        ContactMechanism = pool.get('party.contact_mechanism')
        Lang = pool.get('ir.lang')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, adviser):
            enrolment, = create_enrolments(
                session, prescriber=adviser if prescriber else None)
            party = enrolment.trainee.party
            party.lang, = Lang.search([('code', '=', 'fr')])
            party.save()
            ContactMechanism.write(
                list(party.contact_mechanisms), {'value': ADDRESS})
            case, = Case.open_cases([enrolment], 'absence', DATE)
            if prescriber:
                run_wizard('training.abandon.case.inform', [case])
            run_wizard('training.abandon.case.ask_reasons', [case])
            mail, = Mail.search([('kind', '=', 'ask_reasons')])
            Mail.write([mail], {
                    'state': 'sent',
                    'sent_at': SENT_AT,
                    'message_id': MESSAGE_ID,
                    'reply_token': token_hash(TOKEN),
                    })
            yield Mail(mail.id)

    def receive(self, message):
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        reply = Reply.from_message(
            message if isinstance(message, bytes) else message.as_bytes())
        return Reply(reply.id)

    def notifications(self):
        return [n.label for n in Transaction().user_notifications]

    def assertNotified(self, kind, mail):
        with Transaction().set_context(language='fr'):
            self.assertEqual(self.notifications(), [gettext(
                        f'training_abandon.msg_reply_notify_{kind}',
                        party=mail.party.rec_name)])

    @with_transaction()
    def test_reply_to(self):
        "Test that each mail has its own address for the replies"
        pool = Pool()
        Mail = pool.get('training.mail')
        with reply_to(), self.asked() as mail:
            header = message_from_bytes(mail.message)['Reply-To']
            name, address = parseaddr(header)
            local, _, domain = address.rpartition('@')
            base, _, token = local.rpartition('+')
            self.assertEqual(
                (base, len(token), domain),
                ('replies', 32, 'provider.example'))
            self.assertTrue(name)
            Mail.write([mail], {'state': 'failed'})

            other = Mail(mail.id).readdress('other@mail.example')

            _, other_address = parseaddr(
                message_from_bytes(other.message)['Reply-To'])
            self.assertNotEqual(other_address, address)
            other_token = other_address.rpartition('@')[0][-32:]
            self.assertEqual(other.reply_token, token_hash(other_token))
            mail = Mail(mail.id)
            self.assertEqual(
                (mail.state, mail.replaced_by), ('cancelled', other))

    @with_transaction()
    def test_reply_to_hashed(self):
        "Test that the token is stored hashed"
        with reply_to(), patch('secrets.token_hex', return_value=TOKEN), \
                set_up() as (company, session, _):
            pool = Pool()
            Case = pool.get('training.abandon.case')
            Mail = pool.get('training.mail')
            case, = Case.open_cases(
                create_enrolments(session), 'absence', DATE)
            run_wizard('training.abandon.case.ask_reasons', [case])
            mail, = Mail.search([])
            self.assertEqual(mail.reply_token, token_hash(TOKEN))
            self.assertNotEqual(mail.reply_token, TOKEN)

    @with_transaction()
    def test_reply_to_invalid(self):
        "Test that an address that is none is refused"
        for address in ['replies', 'a+b@provider.example', 'x' * 32 + '@a.b',
                'Name <replies@provider.example>']:
            with self.subTest(address=address), reply_to(address), \
                    self.assertRaisesRegex(UserError, 'reply_to'):
                reply_address()

    @with_transaction()
    def test_answer(self):
        "Test what a trainee who keeps one line of the list gives"
        with self.asked() as mail:
            reply = self.receive(message("Manque de temps."))

            self.assertEqual(
                (reply.mail, reply.case, reply.party, reply.company),
                (mail, mail.case, mail.party, mail.company))
            self.assertEqual(
                (reply.kind, reply.state, reply.counted),
                ('answer', 'new', True))
            self.assertEqual(
                [r.code for r in reply.reasons], ['time.lack'])
            self.assertEqual(reply.case.answered_at, reply.received_at)
            self.assertFalse(reply.case.reasons)
            self.assertNotified('answer', mail)

            _, start = open_wizard(
                'training.abandon.case.analyse', [reply.case])
            self.assertEqual(
                start['reasons'], [r.id for r in reply.reasons])
            self.assertEqual(start['reason_comment'], "Manque de temps.")

    @with_transaction()
    def test_duplicate(self):
        "Test that the same message is recorded once"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        with self.asked():
            for headers in [{}, {'Message-ID': None}]:
                raw = message(**headers)
                self.assertEqual(self.receive(raw), self.receive(raw))
            self.assertEqual(Reply.search([], count=True), 2)
            # The sender chooses the identifier
            self.receive(message("Something else"))
            self.assertEqual(Reply.search([], count=True), 3)

    @with_transaction()
    def test_match_references(self):
        "Test that a reply without token is found by what it answers"
        with self.asked() as mail:
            for name, value in [
                    ('In-Reply-To', MESSAGE_ID),
                    ('References', f'<a@b.example>\n {MESSAGE_ID}')]:
                raw = message(token='none', **{'Message-ID': f'<{name}@a>'})
                raw[name] = value.replace('\n', '')
                self.assertEqual(self.receive(raw).mail, mail)

    @with_transaction()
    def test_received_at(self):
        "Test that a reply is after its mail and not yet to come"
        now = dt.datetime(2026, 3, 3, 20)
        with self.asked():
            for hour, received_at in [
                    (9, now), (11, dt.datetime(2026, 3, 3, 11)), (21, now)]:
                raw = message(Message_ID=f'<{hour}@mail.example>')
                raw['Received'] = (
                    'from a.example by mx.provider.example; '
                    f'Tue, 3 Mar 2026 {hour:02}:00:00 +0000')
                with self.subTest(hour=hour):
                    self.assertEqual(
                        self.receive(raw).received_at, received_at)

    @with_transaction()
    def test_similar_sender(self):
        "Test that the address of the party is not a pattern"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        with self.asked() as mail:
            ContactMechanism.write(
                list(mail.party.contact_mechanisms),
                {'value': 'camilleXdurand@mail.example'})
            for sender in ['camille_durand', 'camille%', '%']:
                reply = self.receive(message(
                        From=f'{sender}@mail.example',
                        Message_ID=f'<{sender}@mail.example>'))
                with self.subTest(sender=sender):
                    self.assertEqual(
                        (reply.mail, reply.other_sender, reply.counted),
                        (mail, True, False))

    @with_transaction()
    def test_other_sender(self):
        "Test that somebody else's answer counts once it is confirmed"
        with self.asked() as mail:
            reply = self.receive(message(
                    "Manque de temps", From='colleague@mail.example'))
            self.assertEqual(
                (reply.mail, reply.party, reply.kind), (
                    mail, mail.party, 'answer'))
            self.assertEqual(
                (reply.other_sender, reply.counted), (True, False))
            self.assertFalse(reply.reasons)
            self.assertIsNone(reply.case.answered_at)

            reply.confirm([reply])
            self.assertTrue(reply.counted)
            self.assertEqual(reply.case.answered_at, reply.received_at)
            self.assertEqual(len(reply.reasons), 1)

            # Nor is it the answer of another party that is known
            adviser = self.receive(message(From='adviser@example.com'))
            self.assertEqual(
                (adviser.party, adviser.other_sender, adviser.counted),
                (mail.party, True, False))
            # The address of the mail is the one of the party
            type(mail).write([mail], {'to': 'Typed@mail.example'})
            typed = self.receive(message(From='typed@mail.example'))
            self.assertTrue(typed.counted)

    @with_transaction()
    def test_shared_address(self):
        "Test that nothing is guessed of an address of several"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with self.asked() as mail:
            company = mail.company
            again, = Case.open_cases(create_enrolments(
                    create_session(company, days=1)), 'absence', DATE)
            again.enrolment.prescriber = mail.party
            again.enrolment.save()
            reply = self.receive(message(token='none'))
            self.assertEqual(
                (reply.party, reply.company), (mail.party, company))
            # The two cases are of the same person
            self.assertIsNone(reply.suggest_case())
            Case.cancel([mail.case])
            self.assertEqual(reply.suggest_case(), again)

            set_email(create_party("Sister"), ADDRESS)
            other = create_company("Other")
            for sender, companies in [
                    (ADDRESS, [company]),
                    ('who@is.example', [None])]:
                reply = self.receive(message(
                        token='none', From=sender, Message_ID=f'<{sender}>'))
                self.assertIsNone(reply.party)
                self.assertIn(reply.company, companies)
            other_session, = type(again.enrolment.session).copy(
                [again.enrolment.session],
                {'company': other.id, 'slots': None})
            enrolment, = type(again.enrolment).copy([again.enrolment], {
                    'company': other.id,
                    'session': other_session.id,
                    'trainee': again.enrolment.trainee.id,
                    'prescriber': mail.party.id,
                    })
            reply = self.receive(message("Other", token='none'))
            self.assertIsNone(reply.company)

    @with_transaction()
    def test_not_reasons(self):
        "Test which answers are not those to the question for the reasons"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        with self.asked(prescriber=True) as mail:
            case, asked_at = mail.case, mail.step.done_at
            adviser = case.enrolment.prescriber
            mail.copy([mail], {
                    'kind': 'follow_up',
                    'state': 'sent',
                    'sent_at': SENT_AT,
                    'reply_token': token_hash('e' * 32),
                    })
            other = self.receive(message("Manque de temps", token='e' * 32))
            self.assertTrue(other.counted)
            before = self.receive(message(
                    "Manque de temps", token='none',
                    Received='from a; ' + format_datetime(
                        (asked_at - dt.timedelta(hours=1)).replace(
                            tzinfo=dt.timezone.utc))))
            before.attach_to(case, mail.party)
            stranger = self.receive(message(
                    "Manque de temps", token='none',
                    From='adviser@example.com', Message_ID='<adviser@a>'))
            stranger.attach_to(case, adviser)
            for reply in [other, before, stranger]:
                self.assertTrue(reply.counted)
                self.assertFalse(reply.reasons)
            self.assertIsNone(Case(case.id).answered_at)

            # The first answer is the one that dates
            first = self.receive(message(
                    "Manque de temps", Message_ID='<first@a>'))
            Mail.write([mail], {'sent_at': None})
            self.receive(message(
                    "Manque de temps", Message_ID='<second@a>',
                    Received='from a; Tue, 3 Mar 2026 15:00:00 +0000'))
            self.assertEqual(Case(case.id).answered_at, first.received_at)

    @with_transaction()
    def test_forged(self):
        "Test that what the server takes for forged is confirmed first"
        header = 'mx.provider.example; spf=%s; dmarc=%s (p=REJECT)'
        with self.asked() as mail:
            reply = self.receive(message(
                    "Manque de temps",
                    Authentication_Results=header % ('fail', 'fail')))
            self.assertEqual(
                (reply.mail, reply.other_sender, reply.counted),
                (mail, True, False))
            self.assertIsNone(reply.author)
            self.assertIsNone(reply.case.answered_at)
            self.assertEqual(len(self.notifications()), 1)
            reply.confirm([reply])
            self.assertEqual(reply.author, mail.party)

            # A server that forwards breaks SPF
            reply = self.receive(message(
                    Message_ID='<other@mail.example>',
                    Authentication_Results=header % ('fail', 'pass')))
            self.assertTrue(reply.counted)

    @with_transaction()
    def test_unknown_sender(self):
        "Test that a person attaches what no header attaches"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with self.asked() as mail:
            reply = self.receive(message("Manque de temps", token='none'))
            self.assertEqual(
                (reply.kind, reply.state, reply.case, reply.counted),
                ('unknown', 'new', None, False))
            self.assertEqual(reply.party, mail.party)
            self.assertIsNone(Case(mail.case.id).answered_at)

            _, start = open_wizard('training.mail.reply.attach', [reply])
            self.assertEqual(
                (start['case'], start['party']),
                (mail.case.id, mail.party.id))
            run_wizard('training.mail.reply.attach', [reply])
            self.assertEqual(
                (reply.kind, reply.case, reply.counted),
                ('answer', mail.case, True))
            self.assertEqual(len(reply.reasons), 1)
            self.assertEqual(reply.case.answered_at, reply.received_at)

            with self.assertRaises(AccessError):
                run_wizard('training.mail.reply.attach', [reply])

    @with_transaction()
    def test_attach_stranger(self):
        "Test that only who may write about the case is its correspondent"
        with self.asked() as mail:
            reply = self.receive(message(token='none', From='who@is.example'))
            self.assertIsNone(reply.party)
            stranger = create_party("Stranger")
            with self.assertRaises(AccessError):
                run_wizard(
                    'training.mail.reply.attach', [reply],
                    case=mail.case.id, party=stranger.id)

    @with_transaction()
    def test_closed_case(self):
        "Test that a reply to a case that is over is told and changes nothing"
        with self.asked() as mail:
            mail.case.cancel([mail.case])
            reply = self.receive(message("Manque de temps"))
            self.assertEqual((reply.case, reply.state), (mail.case, 'new'))
            self.assertEqual(reply.case.state, 'cancelled')
            self.assertIsNone(reply.case.answered_at)
            self.assertNotified('closed', mail)

    @with_transaction()
    def test_automatic(self):
        "Test that an absence is no answer, unless a person says so"
        with self.asked() as mail:
            reply = self.receive(message(Auto_Submitted='auto-replied'))
            self.assertEqual(
                (reply.mail, reply.kind, reply.state, reply.counted),
                (mail, 'auto_reply', 'handled', False))
            self.assertIsNone(reply.case.answered_at)
            self.assertFalse(self.notifications())

            reply.confirm([reply])
            self.assertEqual((reply.kind, reply.counted), ('answer', True))

            # A person may write with a program that says so
            reply = self.receive(message(
                    Auto_Submitted='auto-generated',
                    From='support@mail.example',
                    Message_ID='<ticket@mail.example>'))
            self.assertEqual(
                (reply.mail, reply.kind, reply.state, reply.counted),
                (mail, 'auto_reply', 'new', False))
            # It is not in the conversation with the party
            self.assertIsNone(reply.author)
            self.assertNotIn(mail.party.rec_name, reply.rec_name)

    @with_transaction()
    def test_bounce(self):
        "Test that a bounce fails the step and marks the address"
        pool = Pool()
        Mail = pool.get('training.mail')
        with self.asked() as mail:
            self.assertEqual(mail.step.evidence, 'proven')
            reply = self.receive(
                (INBOUND / 'bounce_postfix.eml').read_bytes())
            self.assertEqual(
                (reply.kind, reply.mail, reply.state),
                ('bounce', mail, 'handled'))
            mail = Mail(mail.id)
            self.assertEqual(mail.state, 'sent')
            self.assertEqual(mail.bounced_at, reply.received_at)
            self.assertIn('550 5.1.1', mail.bounce_reason)
            self.assertEqual(mail.step.evidence, 'failed')
            mechanism, = mail.party.contact_mechanisms
            self.assertEqual(mechanism.bounced_at, reply.received_at)
            self.assertIsNone(mail.party.reachable_email)
            self.assertEqual(len(self.notifications()), 1)

            # The first words of the servers stay
            reason = mail.bounce_reason
            self.receive((INBOUND / 'bounce_qmail.eml').read_bytes())
            self.assertEqual(Mail(mail.id).bounce_reason, reason)

            other = mail.readdress('other@mail.example')
            self.assertIsNone(other.reply_token)
            Mail.write([other], {'state': 'sent'})
            self.assertEqual(Mail(mail.id).step.evidence, 'proven')
            self.assertEqual(Mail(mail.id).state, 'sent')
            with self.assertRaises(AccessError):
                Mail(mail.id).readdress('third@mail.example')

    @with_transaction()
    def test_bounce_message(self):
        "Test that a message refused for what it says spares the address"
        with self.asked() as mail:
            self.receive((INBOUND / 'bounce_ovh_fr.eml').read_bytes())
            self.assertTrue(type(mail)(mail.id).bounced_at)
            self.assertEqual(mail.party.reachable_email, ADDRESS)

    @with_transaction()
    def test_bounce_refusal(self):
        "Test that a bounce says what is refused, and spares the address"
        with self.asked() as mail:
            for name, refusal, reachable in [
                    ('bounce_policy_in_diagnostic', 'message', ADDRESS),
                    ('bounce_orange_spam_fr', 'message', ADDRESS),
                    ('delay_postfix', 'temporary', ADDRESS),
                    ('bounce_daemon_without_address', 'address', None)]:
                with self.subTest(name=name):
                    reply = self.receive(
                        (INBOUND / f'{name}.eml').read_bytes())
                    self.assertEqual(
                        (reply.mail, reply.refusal), (mail, refusal))
                    self.assertEqual(
                        mail.party.__class__(mail.party.id).reachable_email,
                        reachable)
            with Transaction().set_context(language='fr'):
                self.assertIn(gettext(
                        'training_abandon.msg_reply_notify_bounce_message',
                        party=mail.party.rec_name, address=ADDRESS),
                    self.notifications())

    @with_transaction()
    def test_bounce_recipient(self):
        "Test that the only mail sent of late to the address has bounced"
        pool = Pool()
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        raw = (INBOUND / 'bounce_recipient_only.eml').read_bytes()
        with self.asked() as mail:
            reply = self.receive(raw.replace(b'camille', b'Camille'))
            self.assertEqual((reply.kind, reply.mail), ('bounce', mail))
            Reply.delete([reply])

            # Nobody knows which of several it is
            copy, = Mail.copy([mail], {'state': 'sent', 'sent_at': SENT_AT})
            reply = self.receive(raw)
            self.assertEqual(
                (reply.kind, reply.mail, reply.state),
                ('bounce', None, 'new'))
            Reply.delete([reply])

            # nor does a server speak of one of long ago
            Mail.write([copy], {'sent_at': SENT_AT - dt.timedelta(days=8)})
            self.assertEqual(self.receive(raw).mail, mail)
            Reply.delete(Reply.search([]))
            Mail.write([mail], {'sent_at': SENT_AT - dt.timedelta(days=8)})
            self.assertIsNone(self.receive(raw).mail)

    @with_transaction()
    def test_bounce_uncertain(self):
        "Test that a server that names no mail of ours tells nothing"
        with self.asked() as mail:
            for text, kind in [
                    (f"Code 17 : {ADDRESS}", 'bounce'),
                    (f"Code 17\n\nMessage-ID: {MESSAGE_ID}", 'bounce'),
                    ("The disk of x@y.example has room", 'unknown')]:
                reply = self.receive(message(
                        text, token='none', From='postmaster@isp.example',
                        Message_ID=None))
                with self.subTest(text=text):
                    self.assertEqual(
                        (reply.kind, reply.mail, reply.counted),
                        (kind, mail if kind == 'bounce' else None, False))

    @with_transaction()
    def test_challenge(self):
        "Test that the owner is told of the letter that an anti-spam holds"
        with self.asked() as mail:
            reply = self.receive(
                (INBOUND / 'challenge_mailinblack_fr.eml').read_bytes())
            self.assertEqual(
                (reply.mail, reply.kind, reply.state, reply.counted),
                (mail, 'challenge', 'new', False))
            self.assertIsNone(reply.case.answered_at)
            self.assertNotified('challenge', mail)
            # It is not in the conversation with the party
            self.assertIsNone(reply.author)

    @with_transaction()
    def test_bounced_address(self):
        "Test that no letter is silently written to a bounced address"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        ContactMechanism = pool.get('party.contact_mechanism')
        with self.asked() as mail:
            self.receive((INBOUND / 'bounce_postfix.eml').read_bytes())
            letter, = Case.render_letters(
                Case.recipients([mail.case], ['trainee']), 'follow_up',
                lambda case: 'standard')
            self.assertIsNone(letter['to'])
            mechanism, = mail.party.contact_mechanisms

            # Who writes has an address that works, unless it was before
            at = ContactMechanism(mechanism.id).bounced_at
            ContactMechanism.trust_address(
                ADDRESS, at - dt.timedelta(seconds=1))
            self.assertTrue(ContactMechanism(mechanism.id).bounced_at)
            self.receive(message())
            self.assertIsNone(ContactMechanism(mechanism.id).bounced_at)

            ContactMechanism.bounce(ADDRESS.upper(), SENT_AT, '550')
            self.assertTrue(ContactMechanism(mechanism.id).bounced_at)
            ContactMechanism.write(
                [mechanism], {'value': 'new@mail.example'})
            self.assertIsNone(ContactMechanism(mechanism.id).bounced_at)

    @with_transaction()
    def test_mailbox(self):
        "Test that an address is found by its index, whatever its case"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        with set_up():
            one = create_party("One", 'One@Example.com')
            two = create_party("Two", 'one@example.com')
            create_party("Other", 'someone@example.com')
            ContactMechanism.create([{
                        'party': two.id,
                        'type': 'other',
                        'value': 'one@example.com',
                        }])
            for domain in [
                    ('mailbox', '=', 'one@example.com'),
                    ('mailbox', '=', 'ONE@Example.com'),
                    ('mailbox', 'in', ['ONE@example.com', 'x@example.com'])]:
                with self.subTest(domain=domain):
                    self.assertEqual(
                        {m.party for m in ContactMechanism.search([domain])},
                        {one, two})
            mechanisms = ContactMechanism.with_address('ONE@example.com')
            self.assertEqual([m.type for m in mechanisms], ['email'] * 2)
            self.assertEqual(
                {m.mailbox for m in mechanisms}, {'one@example.com'})
            self.assertFalse(ContactMechanism.with_address('on_@example.com'))
            self.assertFalse(ContactMechanism.with_address(None))
            # The lower case of the database may leave it
            accented = 'Élodie@example.com'
            party = create_party("Élodie", accented)
            for mechanisms in [
                    ContactMechanism.with_address(accented),
                    ContactMechanism.search([('mailbox', 'in', [accented])])]:
                self.assertEqual([m.party for m in mechanisms], [party])
            if backend.name == 'sqlite':
                table = ContactMechanism.__table__()
                cursor = Transaction().connection.cursor()
                cursor.execute(
                    f'EXPLAIN QUERY PLAN SELECT id FROM {table._name} '
                    "WHERE LOWER(value_compact) IN ('a', 'b')")
                self.assertIn('USING INDEX', str(cursor.fetchall()))

    @with_transaction()
    def test_delay(self):
        "Test that a delay is noted only"
        pool = Pool()
        Mail = pool.get('training.mail')
        with self.asked() as mail:
            reply = self.receive(
                (INBOUND / 'delay_postfix.eml').read_bytes())
            self.assertEqual((reply.kind, reply.mail), ('delay', mail))
            self.assertIsNone(Mail(mail.id).bounced_at)
            self.assertFalse(self.notifications())

    @with_transaction()
    def test_signature(self):
        "Test that a person confirms that the scan is signed"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        Mail = pool.get('training.mail')
        with self.asked() as mail:
            certificate = Certificate(
                case=mail.case, kind='statement', document=b'pdf',
                sha256='0', issued_at=SENT_AT, state='sent')
            certificate.save()
            Mail.write([mail], {'certificate': certificate.id})
            raw = message("Ci-joint")
            raw.add_attachment(
                b'%PDF scan', maintype='application', subtype='octet-stream',
                filename='attestation signée.pdf')
            reply = self.receive(raw)
            self.assertTrue(reply.has_scan)
            self.assertEqual(reply.certificate, certificate)
            self.assertEqual(Certificate(certificate.id).state, 'sent')
            self.assertNotified('scan', mail)

            run_wizard('training.mail.reply.sign', [reply])
            certificate = Certificate(certificate.id)
            self.assertEqual(
                (certificate.state, certificate.signed_document,
                    certificate.signed_filename, certificate.signed_at),
                ('signed', b'%PDF scan', certificate.filename,
                    reply.received_at))
            self.assertIn('<answer@mail.example>', certificate.evidence)
            self.assertEqual(reply.state, 'handled')
            # What is signed is signed, by whatever scan
            with self.assertRaises(CertificateError):
                run_wizard('training.mail.reply.sign', [reply])

    @with_transaction()
    def test_sign_nothing(self):
        "Test that a reply without certificate has nothing to sign"
        with self.asked():
            reply = self.receive(message("Bonjour"))
            self.assertIsNone(reply.certificate)
            with self.assertRaises(CertificateError):
                open_wizard('training.mail.reply.sign', [reply])

    @with_transaction()
    def test_guardian(self):
        "Test that a guardian answers and signs for the trainee"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        Mail = pool.get('training.mail')
        with self.asked() as mail:
            mother = create_party("Mother", 'mother@mail.example')
            stranger = create_party("Tutor", 'tutor@mail.example')
            add_contact(mail.case.enrolment, mother)
            add_contact(mail.case.enrolment, stranger, 'tutor')
            copy, = Mail.copy([mail], {
                    'party': mother.id,
                    'to': 'mother@mail.example',
                    'state': 'sent',
                    'sent_at': SENT_AT,
                    'message_id': '<mother@provider.example>',
                    'reply_token': token_hash('f' * 32),
                    })
            raw = message(
                "Manque de temps", token='f' * 32, From='mother@mail.example')
            raw.add_attachment(
                b'%PDF scan', maintype='application', subtype='pdf',
                filename='scan.pdf')
            reply = self.receive(raw)
            case = type(mail.case)(mail.case.id)
            self.assertEqual((reply.mail, reply.party), (copy, mother))
            self.assertTrue(reply.answers_reasons)
            self.assertEqual(case.answered_at, reply.received_at)

            certificate = Certificate(
                case=case, kind='statement', document=b'pdf',
                sha256='0', issued_at=SENT_AT, state='sent')
            certificate.save()
            self.assertEqual(type(reply)(reply.id).certificate, certificate)
            with self.assertRaises(UserError):
                run_wizard(
                    'training.mail.reply.sign', [reply],
                    signed_by=stranger.id)
            run_wizard('training.mail.reply.sign', [reply])
            certificate = Certificate(certificate.id)
            self.assertEqual(
                (certificate.state, certificate.signed_by),
                ('signed', mother))

            # The proof does not keep the address of who is erased
            self.assertIn('mother@mail.example', certificate.evidence)
            mother.active = False
            mother.save()
            Erase = pool.get('party.erase', type='wizard')
            session_id, _, _ = Erase.create()
            Erase.execute(session_id, {'ask': {'party': mother.id}}, 'erase')
            tools.forget_read()
            evidence = Certificate(certificate.id).evidence
            self.assertIn(reply.message_id, evidence)
            self.assertNotIn('mother@mail.example', evidence)

    @with_transaction()
    def test_undo_analysis(self):
        "Test that undoing the analysis keeps what the trainee answered"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Reply = pool.get('training.mail.reply')
        with self.asked(prescriber=True) as mail:
            case = mail.case

            def answered_at():
                analyse([case], reasons=[get_reason('time.lack').id])
                self.assertTrue(Case(case.id).answered_at)
                run_wizard(
                    'training.abandon.case.undo_step', [case],
                    reason="Other trainee")
                return Case(case.id).answered_at

            # Neither what another sender wrote nor the prescriber
            self.receive(message(
                    "Manque de temps", From='colleague@mail.example'))
            Reply.create([{
                        'company': case.company.id,
                        'case': case.id,
                        'party': case.enrolment.prescriber.id,
                        'received_at': RECEIVED_AT,
                        'message_id': '<adviser@mail.example>',
                        'kind': 'answer',
                        'counted': True,
                        }])
            self.assertIsNone(answered_at())
            reply = self.receive(message(
                    "Manque de temps", Message_ID='<own@mail.example>'))
            self.assertEqual(answered_at(), reply.received_at)

    @with_transaction()
    def test_signature_other_mail(self):
        "Test that the scan may come with the answer to another mail"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Certificate = pool.get('training.abandon.certificate')
        with self.asked(prescriber=True) as mail:
            Mail = type(mail)
            certificate = Certificate(
                case=mail.case, kind='statement', document=b'pdf',
                sha256='0', issued_at=SENT_AT, state='sent')
            certificate.save()
            raw = message("Ci-joint")
            raw.add_attachment(
                b'%PDF scan', maintype='application', subtype='pdf',
                filename='scan.pdf')
            reply = self.receive(raw)
            self.assertEqual(reply.certificate, certificate)
            self.assertNotified('scan', mail)

            elsewhere, = Attachment.create([{
                        'name': "scan.pdf",
                        'data': b'other',
                        'resource': str(mail.case),
                        }])
            with self.assertRaises(AccessError):
                run_wizard(
                    'training.mail.reply.sign', [reply],
                    attachment=elsewhere.id)
            wizard, start = open_wizard('training.mail.reply.sign', [reply])
            Certificate.write([certificate], {'state': 'void'})
            Mail.write([mail], {'certificate': certificate.id})
            with self.assertRaisesRegex(UserError, certificate.rec_name):
                apply_wizard(wizard, [reply], start)
            Mail.write([mail], {'certificate': None})
            Certificate.write([certificate], {'state': 'sent'})
            run_wizard('training.mail.reply.sign', [reply])
            self.assertEqual(Certificate(certificate.id).state, 'signed')

            reply.party = mail.case.enrolment.prescriber
            self.assertIsNone(reply.on_change_with_certificate())

    @with_transaction()
    def test_access(self):
        "Test who reads the words"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Case = pool.get('training.abandon.case')
        Reply = pool.get('training.mail.reply')
        with self.asked() as mail:
            raw = message("Manque de temps", Subject="Je suis malade")
            raw.add_attachment(
                b'%PDF', maintype='application', subtype='pdf',
                filename='arret.pdf')
            reply = self.receive(raw)
            self.assertNotIn("malade", reply.rec_name)
            attachment, = Attachment.search([
                    ('resource', '=', str(reply))])
            names = [
                'subject', 'text', 'body', 'message', 'reasons',
                'attachments']
            ReplyReason = pool.get(
                'training.mail.reply-training.abandon.reason')
            reason, = ReplyReason.search([])
            case = Case(mail.case.id)
            assistant = create_user('assistant', mail.company, 'training')
            reader = create_user(
                'reader', mail.company, 'training', 'sensitive_reason')
            with as_user(assistant):
                Reply.read([reply.id], ['rec_name', 'kind', 'case'])
                with self.assertRaises(AccessError):
                    Case.search([('replies.text', 'ilike', '%malade%')])
                with self.assertRaises(AccessError):
                    ReplyReason.search([('reason.code', '=', 'time.lack')])
                with self.assertRaises(AccessError):
                    ReplyReason.read([reason.id], ['reason'])
                self.assertNotIn(
                    "malade", case.exchange_subject([mail.party]))
                for name in names:
                    with self.assertRaises(AccessError):
                        Reply.read([reply.id], [name])
                    with self.assertRaises(AccessError):
                        Reply.search([(name, '!=', None)])
                self.assertFalse(Attachment.search([]))
                with self.assertRaises(AccessError):
                    Attachment.read([attachment.id], ['data'])
                with self.assertRaises(AccessError):
                    Reply.write([Reply(reply.id)], {'subject': "Other"})
                with self.assertRaises(AccessButtonError):
                    Reply.handle([Reply(reply.id)])
                with self.assertRaises(AccessError):
                    Reply.receive(message().as_bytes())
            with as_user(reader):
                Reply.handle([Reply(reply.id)])
                Reply.read([reply.id], names)
                self.assertEqual(ReplyReason.search([]), [reason])
                self.assertNotIn(
                    "malade", case.exchange_subject([mail.party]))
                self.assertEqual(Attachment.search([]), [attachment])

    @with_transaction()
    def test_analyse_access(self):
        "Test that the wizard tells the words to who may read them"
        with self.asked() as mail:
            self.receive(message("Manque de temps"))
            assistant = create_user('assistant', mail.company, 'training')
            with as_user(assistant):
                _, start = open_wizard(
                    'training.abandon.case.analyse', [mail.case])
            self.assertFalse(start['reasons'])
            self.assertFalse(start.get('reason_comment'))

    @with_transaction()
    def test_receive(self):
        "Test that an administrator gives a raw message to the server"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        with self.asked() as mail:
            chief = create_user('chief', mail.company, 'training_admin')
            with as_user(chief):
                id_ = Reply.receive(message().as_bytes())
            self.assertEqual(Reply(id_).mail, mail)

    def post(self, data, data_type='raw', **rule):
        "Post the data to an inbox with the rule and return the email"
        pool = Pool()
        Email = pool.get('inbound.email')
        Inbox = pool.get('inbound.email.inbox')
        inbox, = Inbox.create([{
                    'name': "Replies",
                    'rules': [('create', [{
                                    'action': (
                                        'training.mail.reply|from_inbound'),
                                    **rule,
                                    }])],
                    }])
        email, = Email.from_webhook(inbox, data, data_type)
        inbox.process(email)
        email.save()
        return email

    @with_transaction()
    def test_inbound_access(self):
        "Test that who runs the server does not read the answers"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        User = pool.get('res.user')
        with self.asked() as mail:
            email = self.post(message("Je suis malade").as_bytes())
            admin = create_user('server', mail.company)
            reader = create_user('reader', mail.company, 'sensitive_reason')
            User.write([admin, reader], {'groups': [
                        ('add', [ModelData.get_id('res', 'group_admin')])]})
            for user, found in [(admin, []), (reader, [email])]:
                with as_user(user):
                    self.assertEqual(type(email).search([]), found)

    @with_transaction()
    def test_inbound_types(self):
        "Test the messages as the providers post them"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        raw = message("Manque de temps")
        text = raw.as_string()
        payloads = [
                ('mailpace', {'raw': text}),
                ('sendgrid', {'email': text}),
                ('mailchimp', {'mandrill_events': [{
                                'event': 'inbound',
                                'raw_msg': text,
                                'msg': {'raw_msg': text},
                                }]}),
                ('postmark', {'RawEmail': text}),
                ('postmark', {
                        'From': ADDRESS,
                        'FromFull': {'Email': ADDRESS},
                        'To': raw['To'],
                        'ToFull': [{'Email': raw['To']}],
                        'Subject': "Été\r\nInjected: yes",
                        'TextBody': "Manque de temps",
                        'HtmlBody': "<p>Manque de temps",
                        'Headers': [
                            {'Name': 'Message-ID', 'Value': '<a@b.example>'},
                            {'Name': 'Content-Type', 'Value': 'x/y'},
                            ],
                        'Attachments': [{
                                'Name': "été.pdf",
                                'ContentType': 'application/pdf',
                                'Content': 'JVBERg==',
                                }],
                        })]
        with self.asked() as mail:
            for data_type, payload in payloads:
                with self.subTest(data_type=data_type):
                    Reply.delete(Reply.search([]))
                    reply = self.post(
                        json.dumps(payload).encode(), data_type).result
                    self.assertEqual(
                        (reply.mail, reply.text), (mail, "Manque de temps"))
            self.assertEqual(reply.subject, "Été Injected: yes")
            self.assertEqual(
                [a.name for a in reply.attachments], ["été.pdf"])

    @with_transaction()
    def test_inbound_cut(self):
        "Test that half of a character loses no message"
        text = message("Manque de temps").as_string()
        with self.asked() as mail:
            for data_type, payload in [
                    ('sendgrid', {'email': text + '\ud83d'}),
                    ('postmark', {
                            'From': ADDRESS,
                            'To': message()['To'],
                            'Subject': "\ud83d",
                            'TextBody': "Manque de temps \ud83d",
                            'Headers': [{'Name': 'X', 'Value': "\ud83d"}],
                            })]:
                with self.subTest(data_type=data_type):
                    reply = self.post(
                        json.dumps(payload).encode(), data_type).result
                    self.assertEqual(reply.mail, mail)
                    self.assertIn("Manque de temps", reply.text)

    @with_transaction()
    def test_inbound_malformed(self):
        "Test that the rules match malformed messages"
        with self.asked() as mail:
            for raw in [
                    b'From: \nTo: replies+%s@provider.example\n\nx',
                    b'Subject: =?x\xff?q?\xe9?=\nFrom: <\n'
                    b'To: replies+%s@provider.example\n\n\xff']:
                email = self.post(
                    raw % TOKEN.encode(), destination='provider')
                self.assertEqual(email.result.mail, mail)

    @with_transaction()
    def test_exchange(self):
        "Test that the answers to the proposals are dated in the wizard"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        with self.asked(prescriber=True) as mail:
            Step.write(
                [s for s in mail.case.steps
                    if s.kind in {'analyse', 'propose'}],
                {'state': 'done', 'done_at': SENT_AT - dt.timedelta(days=1)})
            reply = self.receive(message("D'accord"))
            _, start = open_wizard(
                'training.abandon.case.exchange', [Case(mail.case.id)])
            kinds = {e['party']: e['kind'] for e in start['exchanges']}
            times = {e['party']: e['at'] for e in start['exchanges']}
            self.assertEqual(kinds.pop(mail.party.id), 'email')
            self.assertEqual(times[mail.party.id], reply.received_at)
            self.assertEqual(list(kinds.values()), ['call'])

    @with_transaction()
    def test_erase(self):
        "Test that the words go with the party"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Erase = pool.get('party.erase', type='wizard')
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        with self.asked(prescriber=True) as mail:
            raw = message("Je suis malade")
            raw.add_attachment(
                b'%PDF', maintype='application', subtype='pdf',
                filename='arret.pdf')
            email = self.post(raw.as_bytes())
            # The words of another one about the trainee
            Mail.write(Mail.search([('kind', '=', 'inform')]), {
                    'reply_token': token_hash('d' * 32),
                    })
            other = self.post(message(
                    "Il est malade", token='d' * 32,
                    From='adviser@example.com',
                    Message_ID='<adviser@mail.example>').as_bytes())
            self.assertNotEqual(other.result.party, mail.party)
            mail.case.cancel([mail.case])
            party = mail.party
            party.active = False
            party.save()
            session_id, _, _ = Erase.create()
            Erase.execute(
                session_id, {'ask': {'party': party.id}}, 'erase')
            for cache in Transaction().cache.values():
                cache.clear()

            replies = Reply.search([], order=[('id', 'ASC')])
            for reply in replies:
                self.assertEqual(
                    (reply.from_, reply.to, reply.subject, reply.text,
                        reply.body, reply.message),
                    (None,) * 6)
            self.assertEqual(
                [r.message_id for r in replies],
                ['<answer@mail.example>', '<adviser@mail.example>'])
            self.assertFalse(Attachment.search([]))
            for email in [email, other]:
                self.assertFalse(type(email)(email.id).data)

    @with_transaction()
    def test_corpus(self):
        "Test the messages of the programs that people and servers use"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        expected = json.loads((INBOUND / 'expected.json').read_text())
        paths = sorted(INBOUND.glob('*.eml'))
        self.assertEqual([p.stem for p in paths], sorted(expected))
        with self.asked() as mail:
            for path in paths:
                with self.subTest(path.stem):
                    self.receive_one(path, mail, expected[path.stem])
                    Reply.delete(Reply.search([]))

    def receive_one(self, path, mail, expected):
        reply = self.receive(path.read_bytes())
        result = {
            'kind': reply.kind,
            'matched': reply.mail == mail,
            'text': reply.text,
            }
        if reply.reasons:
            result['reasons'] = [r.code for r in reply.reasons]
        if reply.attachments:
            result['attachments'] = sorted(
                a.name for a in reply.attachments)
        if reply.server_reply:
            result['server_reply'] = reply.server_reply
        if reply.kind in {'bounce', 'delay'}:
            del result['text']
        self.assertEqual(result, expected)
