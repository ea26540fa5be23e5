# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import json
import time
import unittest
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from unittest.mock import patch

import trytond.config as config
from trytond.exceptions import UserError
from trytond.i18n import gettext
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.bounce import Bounce
from trytond.modules.training_abandon.reply import reply_address
from trytond.modules.training_abandon.reply_message import (
    read_message, token_hash)
from trytond.modules.training_abandon.reply_text import recognise
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DatabaseTestCase, as_user, create_enrolments, create_party,
    create_user, open_wizard, run_wizard, set_up)

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
            self.assertEqual(Mail(mail.id).replaced_by, other)

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

            other = mail.readdress('other@mail.example')
            Mail.write([other], {'state': 'sent'})
            self.assertEqual(Mail(mail.id).step.evidence, 'proven')
            self.assertEqual(Mail(mail.id).state, 'sent')

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
                ('signed', b'%PDF scan', 'attestation signée.pdf',
                    reply.received_at))
            self.assertIn('<answer@mail.example>', certificate.evidence)
            self.assertEqual(reply.state, 'handled')

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
                Reply.handle([Reply(reply.id)])
                with self.assertRaises(AccessError):
                    Reply.receive(message().as_bytes())
            with as_user(reader):
                Reply.read([reply.id], names)
                self.assertEqual(ReplyReason.search([]), [reason])
                self.assertIn("malade", case.exchange_subject([mail.party]))
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
        Reply = pool.get('training.mail.reply')
        with self.asked() as mail:
            raw = message("Je suis malade")
            raw.add_attachment(
                b'%PDF', maintype='application', subtype='pdf',
                filename='arret.pdf')
            email = self.post(raw.as_bytes())
            mail.case.cancel([mail.case])
            party = mail.party
            party.active = False
            party.save()
            session_id, _, _ = Erase.create()
            Erase.execute(
                session_id, {'ask': {'party': party.id}}, 'erase')
            for cache in Transaction().cache.values():
                cache.clear()

            reply, = Reply.browse(Reply.search([]))
            self.assertEqual(
                (reply.from_, reply.to, reply.subject, reply.text,
                    reply.body, reply.message),
                (None,) * 6)
            self.assertEqual(reply.message_id, '<answer@mail.example>')
            self.assertFalse(Attachment.search([]))
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


class ReplyMessageTestCase(unittest.TestCase):
    "Test the reading of malformed messages"

    def test_malformed(self):
        "Test that nothing that comes stops the reading"
        for raw in [
                b'',
                b'\x00\xff',
                b'\n\nwords',
                b'From: \n\nwords',
                b'From: =?utf-8?b?###?= <a@b.example\nTo: <<>,;\n\nx',
                b'From: a@b.example\nDate: never\nReceived: x; 99 Foo\n\nx',
                b'Subject: =?unknown-8bit?q?=E9?= =?utf-99?b?4oKs?=\n\nx',
                b'Content-Type: text/plain; charset=nothing\n\n\xe9t\xe9',
                b'Content-Type: text/plain; charset=utf-8\n\n\xe9t\xe9\x00',
                b'Content-Type: text/html\n\n<p><b>\xe9t\xe9<table><td>',
                b'Content-Type: multipart/mixed\n\nno boundary',
                b'Content-Type: multipart/mixed; boundary=a\n\n--a\n--a',
                b'Content-Type: multipart/alternative; boundary=a\n\n--a--',
                b'Content-Type: multipart/report; boundary=a\n\n--a--',
                b'Content-Type: message/rfc822\n\n',
                b'Content-Type: message/delivery-status\n\nAction\n\nx: y',
                b'Content-Type: message/delivery-status\n\n: x\nStatus: 5',
                b'Content-Type: text/plain; charset=hex\n\n\xe9',
                b'Content-Transfer-Encoding: base64\n\n#!',
                b'Content-Transfer-Encoding: x-uuencode\n\nbegin',
                b'Content-Type: text/plain; charset*=a\'b\'%zz\n\nx',
                b'Content-Type: application/pdf; name*0*=x\'\'%E9\n\nx',
                b'Message-ID: <>\nReferences: <a <b> c>\n\nx',
                b'Message-ID: <a\x00@b>\nIn-Reply-To: <c\x00@d>\n\nx',
                b'From: ' + b'(' * 10_000 + b'\n\nx',
                b'Content-Type: message/rfc822\n\n' * 1_000 + b'x',
                b'Content-Type: multipart/mixed; boundary=a\n\n--a\n'
                b'Content-Type: message/delivery-status\n\nx: y\n\n'
                b'Action: failed\nDiagnostic-Code: smtp; 550 \x00\n\n--a--',
                ]:
            with self.subTest(raw=raw[:80]):
                result = read_message(raw)
                self.assertTrue(result.identifier)
                reason = result.bounce.reason if result.bounce else ''
                for text in [
                        result.identifier, result.from_, result.subject,
                        result.body, result.text, reason, *result.answered]:
                    self.assertNotIn('\x00', text)
                    text.encode('utf-8')

    def test_nested(self):
        "Test a message of many levels"
        raw = (
            b'Subject: Levels\n'
            b'Content-Type: multipart/mixed; boundary=a0\n\n')
        for level in range(2_000):
            raw += (
                f'--a{level}\nContent-Type: multipart/mixed; '
                f'boundary=a{level + 1}\n\n').encode()
            if level in {200, 1_999}:
                result = read_message(raw)
                self.assertEqual(result.subject, "Levels")
                self.assertEqual(result.data, raw)

    def test_no_bounce(self):
        "Test that what a person writes or sends is no bounce"
        report = (
            b'Content-Type: multipart/report; report-type=%s; boundary=b\n\n'
            b'--b\n\nIt failed\n--b\n'
            b'Content-Type: message/delivery-status\n\nReporting-MTA: x\n\n'
            b'Final-Recipient: rfc822; a@b.example\nAction: failed\n'
            b'Status: 5.1.1\n\n--b--\n')
        self.assertTrue(read_message(report % b'delivery-status').bounce)
        for raw in [
                b"\n\nHi. This is the mother of the trainee.",
                b'From: a@b.example\n'
                b'Content-Type: multipart/mixed; boundary=a\n\n'
                b'--a\n\nSee what I got\n--a\n'
                b'Content-Type: message/rfc822\n\n'
                + report % b'delivery-status' + b'--a--\n',
                b'Content-Type: multipart/report; '
                b'report-type=feedback-report; boundary=a\n\n'
                b'--a\n\nThis is an abuse report\n--a\n'
                b'Content-Type: message/feedback-report\n\n'
                b'Feedback-Type: abuse\n\n--a--',
                ]:
            with self.subTest(raw=raw[:80]):
                self.assertIsNone(read_message(raw).bounce)

    def test_about_address(self):
        "Test which failures condemn the address"
        for status, about in [
                ('5.1.1', True), ('5.2.2', True), ('4.4.7', True),
                ('5.2.3', False), ('5.3.4', False), ('5.6.1', False),
                ('5.7.1', False)]:
            with self.subTest(status=status):
                self.assertEqual(
                    Bounce('failed', status).about_address, about)

    def test_answer_to_automatic(self):
        "Test that who answers an automatic reply is a person"
        for subject, automatic in [
                ("Message d'absence", True),
                ("Re: Message d'absence", False),
                ("TR : Automatic reply: Hello", False)]:
            with self.subTest(subject=subject):
                self.assertEqual(
                    read_message(message(Subject=subject).as_bytes())
                    .automatic, automatic)

    def test_charsets(self):
        for charset, data in [
                ('utf-8', "été".encode()),
                ('iso-8859-1', "été".encode('latin-1')),
                ('windows-1252', "été".encode('cp1252')),
                ('us-ascii', "été".encode()),
                ('us-ascii', "été".encode('cp1252')),
                ('utf-8', "été".encode('cp1252')),
                ('x-unknown', "été".encode())]:
            with self.subTest(charset=charset, data=data):
                result = read_message(
                    f'Content-Type: text/plain; charset={charset}\n\n'
                    .encode() + data)
                self.assertEqual(result.body, "été")

    def test_large(self):
        "Test that a large message is read in a moment"
        for line, size in [
                (b'words of a letter\n', 30_000_000),
                *((line, 1_000_000) for line in [
                        b'> ', b'Le ', b'<a ', b'<!-- ', b'<div>', b'&',
                        b'Le 1 mars, a@b.example wrote x:\n', b'x - ',
                        b'\n', b'<!---->', b'a \n'])]:
            for type_ in [b'plain', b'plain; format=flowed', b'html']:
                raw = (b'Content-Type: text/' + type_ + b'\n\n'
                    + line * (size // len(line)))
                with self.subTest(line=line, type_=type_):
                    start = time.process_time()
                    result = read_message(raw)
                    recognise(
                        result.body, result.text, [["Manque de temps"]])
                    self.assertLess(time.process_time() - start, 20)
                    self.assertLessEqual(len(result.body), 500_000)

    def test_large_headers(self):
        for name in [b'Subject', b'From', b'To']:
            for words in [b'=?utf-8?q?a?= ', b'a@b.example,', b'<', b'(']:
                raw = name + b': ' + words * (1_000_000 // len(words))
                with self.subTest(name=name, words=words):
                    start = time.process_time()
                    read_message(raw + b'\n\nx')
                    self.assertLess(time.process_time() - start, 20)

    def test_many_parts(self):
        "Test that the parts that are not read are attached"
        part = b'--a\nContent-Type: text/html\n\n' + b'<p>a' * 100_000
        result = read_message(
            b'Content-Type: multipart/mixed; boundary=a\n\n'
            + (part + b'\n') * 10)
        self.assertEqual(len(result.attachments), 8)
