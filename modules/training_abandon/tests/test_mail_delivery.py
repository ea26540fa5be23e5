# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import smtplib
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from unittest.mock import Mock, call, patch

from sql import Literal

from trytond import backend
from trytond.filestore import filestore
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import (
    MailStorageError, RecipientError)
from trytond.modules.training_abandon.mail import accepted as mail_accepted
from trytond.modules.training_abandon.mail import batch as mail_batch
from trytond.modules.training_abandon.mail import claim as mail_claim
from trytond.modules.training_abandon.mail import delivery as mail_delivery
from trytond.modules.training_abandon.mail import server as mail_server_module
from trytond.modules.training_abandon.mail.address import check_address
from trytond.modules.training_abandon.training.configuration import (
    MAIL_RETRY_TIME)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .common import (
    DATE, DatabaseTestCase, as_user, at, count_statements, create_enrolments,
    create_user, live, mail_server, open_wizard, run_wizard, set_up,
    without_commit)

OK = (250, b'OK')
MINUTE = dt.timedelta(minutes=1)
NOW = dt.datetime.combine(DATE, dt.time(10))


class MailDeliveryTestCase(DatabaseTestCase):
    "Test the delivery of the mails"

    @contextmanager
    def queued(self, count=1):
        "Yield the queued mails of as many cases"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber), at(NOW), \
                self.files():
            cases = Case.browse(Case.open_cases(
                    create_enrolments(session, count, prescriber),
                    'absence', DATE))
            run_wizard('training.abandon.case.inform', cases)
            Transaction().tasks.clear()
            yield Mail.search([], order=[('id', 'ASC')])

    def states(self, mails):
        return [(m.state, m.smtp_reply) for m in mails]

    def notified(self):
        "Return the labels and descriptions of the notifications"
        return [
            (n.user.login, n.label, n.description)
            for n in Transaction().user_notifications]

    @with_transaction()
    def test_sent(self):
        "Test a mail that is sent, byte for byte, and archived"
        pool = Pool()
        Email = pool.get('ir.email')
        with self.queued() as (mail,), mail_server(
                data=(250, b'2.0.0 Ok: queued')) as server:
            self.assertEqual(mail.step.evidence, 'pending')
            type(mail).deliver_due()
            self.assertEqual(
                self.states([mail]), [('sent', "250 2.0.0 Ok: queued")])
            self.assertEqual((mail.sent_at, mail.next_attempt), (NOW, None))
            self.assertEqual(mail.step.evidence, 'proven')
            email, = Email.search([])
            self.assertEqual(mail.email, email)
            self.assertEqual(email.body, mail.body)
            self.assertEqual(email.subject, mail.subject)
            self.assertEqual(email.message_id, mail.message_id)
            self.assertEqual(
                email.recipients, f"{mail.party.name} <{mail.to}>")
            self.assertEqual([a.address for a in email.addresses], [mail.to])
            self.assertEqual(email.resource, mail.case)
            self.assertEqual(email.training_mail, mail)
            # Nor does the button send it again
            type(mail).deliver([mail])
            type(mail).cancel([mail])
            self.assertEqual((mail.state, mail.attempts), ('sent', 1))
            server.data.assert_called_once_with(mail.message)

    @with_transaction()
    def test_no_transaction(self):
        "Test that no transaction is open while the server answers"
        transaction, pending = Transaction(), []
        with self.queued(2) as mails, mail_server() as server, \
                count_statements() as statements:
            commit = transaction.commit

            def committed():
                statements.clear()
                commit()

            def reply(*args, **kwargs):
                pending.extend(statements)
                return OK

            for name in ['mail', 'rcpt', 'data', 'quit']:
                getattr(server, name).side_effect = reply
            with patch.object(transaction, 'commit', committed):
                type(mails[0]).deliver_due()
            self.assertEqual({m.state for m in mails}, {'sent'})
            server.quit.assert_called_once_with()
            self.assertFalse(pending)

    @with_transaction()
    def test_refused(self):
        "Test that a refusal is final, with the words, and told once"
        with self.queued(3) as mails, mail_server(
                rcpt=[(550, b'5.1.1 No such user'), OK, OK],
                data=[(554, b'5.7.1 Spam'), OK]) as server:
            type(mails[0]).deliver_due()
            self.assertEqual(self.states(mails), [
                    ('failed', "550 5.1.1 No such user"),
                    ('failed', "554 5.7.1 Spam"),
                    ('sent', "250 OK")])
            self.assertEqual(
                [m.step.evidence for m in mails],
                ['failed', 'failed', 'proven'])
            self.assertEqual(server.connect.call_count, 1)
            # Each is taken back before the next
            self.assertEqual(server.rset.call_count, 2)
            (_, label, description), = self.notified()
            self.assertIn("No such user", description)
            self.assertIn("Spam", description)
            type(mails[0]).deliver_due()
            self.assertEqual(server.mail.call_count, 3)

    @with_transaction()
    def test_delayed(self):
        "Test that a mail that the server delays is retried, then given up"
        with self.queued() as (mail,), mail_server(
                rcpt=(450, b'4.2.0 Greylisted')) as server:
            Mail = type(mail)
            Mail.deliver_due()
            self.assertEqual(
                self.states([mail]), [('queued', "450 4.2.0 Greylisted")])
            self.assertEqual(mail.step.evidence, 'pending')
            self.assertEqual(mail.next_attempt, NOW + MINUTE)
            self.assertEqual(mail.retry_until, NOW + MAIL_RETRY_TIME)
            self.assertFalse(self.notified())

            Mail.deliver_due()
            self.assertEqual(server.rcpt.call_count, 1)

            delays = []
            while mail.state == 'queued':
                time = mail.next_attempt
                with at(time):
                    Mail.deliver_due()
                if mail.next_attempt:
                    delays.append((mail.next_attempt - time) // MINUTE)
            self.assertEqual(delays[:6], [5, 15, 60, 240, 240, 240])
            self.assertEqual(time, NOW + MAIL_RETRY_TIME)
            self.assertEqual(
                self.states([mail]), [('failed', "450 4.2.0 Greylisted")])
            self.assertEqual(mail.step.evidence, 'failed')
            self.assertEqual(len(self.notified()), 1)

    @with_transaction()
    def test_delayed_button(self):
        "Test that the user sends at once, and a failed mail again"
        with self.queued() as (mail,), mail_server(rcpt=[
                    (450, b'Later'), (450, b'Later'), (550, b'No'), OK,
                    ]) as server:
            Mail, message_id = type(mail), mail.message_id
            Mail.deliver_due()
            Mail.deliver([mail])
            self.assertEqual(mail.attempts, 2)
            self.assertEqual(mail.state, 'queued')
            Mail.deliver([mail])
            self.assertEqual(mail.state, 'failed')
            with at(NOW + 2 * MAIL_RETRY_TIME):
                Mail.deliver([mail])
            self.assertEqual(mail.state, 'sent')
            self.assertEqual(mail.message_id, message_id)
            server.data.assert_called_once_with(mail.message)

    @with_transaction()
    def test_access(self):
        "Test that the users read and send the mails, but do not change them"
        pool = Pool()
        Mail = pool.get('training.mail')
        with self.queued() as (mail,):
            for login, groups in [
                    ('assistant', ['training']),
                    ('chief', ['training', 'training_admin'])]:
                user = create_user(login, mail.company, *groups)
                with as_user(user):
                    self.assertTrue(Mail.read([mail.id], ['message']))
                    with self.assertRaises(AccessError):
                        Mail.write([Mail(mail.id)], {'message': b'Other'})
                    with mail_server(rcpt=(550, b'No')):
                        Mail.deliver([Mail(mail.id)])
                    with without_check_access():
                        mail = Mail(mail.id).readdress('new@example.com')

    @with_transaction()
    def test_retry_time(self):
        "Test the time after which the configuration gives a mail up"
        pool = Pool()
        Configuration = pool.get('training.configuration')
        configuration = Configuration(1)
        configuration.mail_retry_time = dt.timedelta(hours=1)
        configuration.save()
        with self.queued() as (mail,), mail_server(rcpt=(450, b'Later')):
            type(mail).deliver_due()
            self.assertEqual(mail.retry_until, NOW + 60 * MINUTE)

    @with_transaction()
    def test_unavailable(self):
        "Test that all the mails wait for a server that cannot be reached"
        pool = Pool()
        Email = pool.get('ir.email')
        for exception, words in [
                (ConnectionRefusedError("refused"), "refused"),
                (smtplib.SMTPAuthenticationError(535, b'5.7.8 Password'),
                    "535 5.7.8 Password"),
                (smtplib.SMTPNotSupportedError("No STARTTLS"), "No STARTTLS"),
                ]:
            with self.subTest(words=words), self.queued(2) as mails:
                mails = mails[-2:]
                with mail_server() as server:
                    server.connect.side_effect = exception
                    type(mails[0]).deliver(mails)
                    self.assertEqual(server.connect.call_count, 1)
                self.assertEqual(
                    self.states(mails), [('queued', words)] * 2)
                self.assertEqual([m.attempts for m in mails], [1, 1])
                self.assertEqual(
                    [m.unavailable_since for m in mails], [NOW, NOW])
                self.assertFalse(Email.search([]))
                type(mails[0]).cancel(mails)

    @with_transaction()
    def test_server_address(self):
        "Test that a wrong address waits without telling its password"
        for uri in [
                'smtp://user:sec/ret@mail.example.com',
                'smtp://user:sec#ret@mail.example.com',
                'smtp://user:sec?ret@mail.example.com',
                'smtp://user:secret@127.0.0.1:0?tmeout=ret',
                'smtp://user:secret@127.0.0.1:0?timeout=ret',
                ]:
            with self.subTest(uri=uri), self.queued() as mails, \
                    without_commit(), \
                    patch.object(
                        mail_delivery, 'server_uri', lambda: uri), \
                    self.assertLogs(mail_server_module.logger) as logs:
                mail = mails[-1]
                type(mail).deliver([mail])
                self.assertEqual(mail.state, 'queued')
                for words in [mail.smtp_reply, *logs.output]:
                    self.assertIn("uri", words)
                    self.assertNotIn('sec', words.replace("section", ""))
                    self.assertNotIn('ret', words)
                type(mail).cancel([mail])

    @with_transaction()
    def test_unavailable_notified(self):
        "Test that each owner is told once that the server is unavailable"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with self.queued(3) as mails:
            Mail, company = type(mails[0]), mails[0].company
            owners = [
                create_user(name, company, 'training')
                for name in ['first', 'second']]
            for mail, owner in zip(mails, owners + owners[:1]):
                Case.write([mail.case], {'owner': owner.employee.id})
            with mail_server() as server:
                server.connect.side_effect = OSError("refused")
                Mail.deliver([mails[0]])
                (login, label, description), = self.notified()
                self.assertEqual(login, 'first')
                self.assertIn("03/02/2026\xa010:00", label)
                self.assertIn("refused", description)
                # Neither again for the same mail nor for another
                with at(NOW + MINUTE):
                    Mail.deliver_due()
                self.assertEqual(
                    [(n[0], n[1]) for n in self.notified()],
                    [('first', label), ('second', label)])
                with at(NOW + 10 * MINUTE):
                    Mail.deliver_due()
                self.assertEqual(len(self.notified()), 2)
                self.assertEqual(mails[0].unavailable_since, NOW)
            with mail_server(), at(NOW + 60 * MINUTE):
                Mail.deliver_due()
                self.assertEqual({m.state for m in mails}, {'sent'})
                self.assertFalse(mails[0].unavailable_since)

    @with_transaction()
    def test_unavailable_notified_batches(self):
        "Test that an owner is told once whatever number of mails wait"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with self.queued(3) as mails, mail_server() as server, \
                patch.object(tools, 'BATCH', 1):
            Mail, company = type(mails[0]), mails[0].company
            for mail, name in zip(mails, ['first', 'second']):
                owner = create_user(name, company, 'training')
                Case.write([mail.case], {'owner': owner.employee.id})
            Case.write([mails[2].case], {'owner': owner.employee.id})
            server.connect.side_effect = OSError("refused")
            for number, logins in enumerate([
                        ['first'],
                        ['first', 'second'],
                        ['first', 'second']]):
                Mail.deliver_due()
                self.assertTrue(mails[number].unavailable_since)
                self.assertEqual([n[0] for n in self.notified()], logins)

    @with_transaction()
    def test_address(self):
        "Test that an address does not make another header"
        pool = Pool()
        Mail = pool.get('training.mail')
        for name, email in [
                ("Trainer", "a@example.com\r\nBcc: b@example.com"),
                ("Formé\nBcc: b@example.com", "a@example.com"),
                ]:
            with self.subTest(name=name):
                value = Mail._address(name, email)
                self.assertEqual(len(value.splitlines()), 1)

    @with_transaction()
    def test_address_domain(self):
        "Test that the servers get the domains that they know"
        with self.queued() as (mail,), mail_server() as server:
            type(mail).write([mail], {'state': 'failed'})
            check_address('jean@exämple.fr', mail.party)
            mail = mail.readdress('jean@exämple.fr')
            self.assertEqual(mail.to, 'jean@exämple.fr')
            self.assertIn(b'<jean@xn--exmple-cua.fr>', mail.message)
            type(mail).deliver([mail])
            server.rcpt.assert_called_once_with('jean@xn--exmple-cua.fr')
            for address in [
                    'é@example.com', 'jean@exämple..fr', f'a@{"é" * 70}.fr',
                    'a@example.com, b@example.com',
                    'a@example.com\r\nBcc: b@example.com']:
                with self.subTest(address=address), \
                        self.assertRaises(RecipientError):
                    check_address(address, mail.party)

    @with_transaction()
    def test_reply_codes(self):
        "Test that a positive reply is believed, and none out of place"
        with self.queued(3) as mails, mail_server(
                rcpt=(252, b'Will try'),
                data=[(200, b'Accepted'), (-1, b'Junk'), OK]) as server:
            type(mails[0]).deliver_due()
            self.assertEqual(self.states(mails), [
                    ('sent', "200 Accepted"),
                    ('queued', "-1 Junk"),
                    ('sent', "250 OK")])
            # The junk may have been the reply to something else
            self.assertEqual(server.connect.call_count, 2)
            server.rset.assert_not_called()

    @with_transaction()
    def test_unavailable_due(self):
        "Test that the scheduled action tries one batch without server"
        with self.queued(3) as mails, mail_server() as server, \
                patch.object(tools, 'BATCH', 2):
            server.connect.side_effect = OSError("refused")
            type(mails[0]).deliver_due()
            self.assertEqual(server.connect.call_count, 1)
            self.assertEqual([m.attempts for m in mails], [1, 1, 0])
            self.assertEqual({m.state for m in mails}, {'queued'})

    @with_transaction()
    def test_sender_refused(self):
        "Test that a refused sender is asked once and fails no mail"
        with self.queued(2) as mails, mail_server(
                mail=(550, b'5.7.1 Sender refused')) as server:
            type(mails[0]).deliver_due()
            self.assertEqual(
                self.states(mails),
                [('queued', "550 5.7.1 Sender refused")] * 2)
            self.assertEqual(server.mail.call_count, 1)
            self.assertEqual(len(self.notified()), 1)

    @with_transaction()
    def test_authentication_required(self):
        "Test that a recipient is not to blame for a lack of password"
        with self.queued(2) as mails, mail_server(
                rcpt=(530, b'5.7.0 Authentication required')) as server:
            type(mails[0]).deliver_due()
            self.assertEqual({m.state for m in mails}, {'queued'})
            self.assertEqual(server.rcpt.call_count, 1)

    @with_transaction()
    def test_connection_lost(self):
        "Test that the rest leaves over another connection, once"
        lost = smtplib.SMTPServerDisconnected("Connection closed")
        with self.queued(4) as mails:
            for replies, states, connections in [
                    ([lost, OK, OK, OK],
                        ['queued', 'sent', 'sent', 'sent'], 2),
                    ([(421, b'Too many'), OK, (421, b'Too many'), OK],
                        ['queued', 'sent', 'queued', 'sent'], 3),
                    ([lost, (421, b'Too many')],
                        ['queued', 'queued', 'queued', 'queued'], 2),
                    ]:
                with self.subTest(replies=replies), \
                        mail_server(data=replies) as server:
                    Mail = type(mails[0])
                    Mail.write(mails, {
                            'state': 'queued',
                            'next_attempt': None,
                            'unavailable_since': None,
                            })
                    Mail.deliver_due()
                    self.assertEqual([m.state for m in mails], states)
                    self.assertEqual(server.connect.call_count, connections)
                    # The server that took the last one is available
                    is_available = states[-1] == 'sent'
                    self.assertEqual(
                        any(m.unavailable_since for m in mails),
                        not is_available)
                    self.assertEqual(bool(self.notified()), not is_available)
            # Those that were not tried wait the least
            self.assertEqual(
                [(m.next_attempt - NOW) // MINUTE for m in mails],
                [15, 15, 1, 1])

    @with_transaction()
    def test_one_breaks(self):
        "Test that a mail that breaks does not keep the others"
        with self.queued(2) as mails, mail_server(
                rcpt=[ValueError("broken"), OK]):
            type(mails[0]).deliver(mails)
            self.assertEqual(
                self.states(mails),
                [('failed', "broken"), ('sent', "250 OK")])

    @with_transaction()
    def test_facts_break(self):
        "Test that a mail whose facts cannot be read does not keep the others"
        with self.queued(2) as mails, mail_server() as server:
            Mail = type(mails[0])
            get_outdated = Mail._get_outdated

            def fail(mail):
                if mail == mails[0]:
                    raise ValueError("broken")
                return get_outdated(mail)

            with patch.object(Mail, '_get_outdated', fail), \
                    patch.object(Transaction(), 'rollback') as rollback:
                Mail.deliver_due()
            rollback.assert_called_once_with()
            self.assertEqual(
                self.states(mails),
                [('failed', "broken"), ('sent', "250 OK")])
            self.assertEqual(server.data.call_count, 1)

    @with_transaction()
    def test_database_gone(self):
        "Test that a mail does not fail because of the database"
        with self.queued() as (mail,), mail_server() as server:
            Mail = type(mail)
            with patch.object(
                    Mail, '_get_outdated',
                    side_effect=backend.DatabaseOperationalError("gone")):
                with self.assertRaises(backend.DatabaseOperationalError):
                    Mail.deliver_due()
            self.assertEqual(mail.state, 'sending')
            server.connect.assert_not_called()

    @with_transaction()
    def test_message_unreadable(self):
        "Test that a message that cannot be read is not sent empty"
        pool = Pool()
        Mail = pool.get('training.mail')
        with self.queued() as (mail,), mail_server() as server:
            with patch.object(
                    filestore, 'get', side_effect=OSError("gone")), \
                    self.assertLogs('trytond.model.fields.binary'):
                Mail.deliver_due()
            self.assertEqual(mail.state, 'queued')
            self.assertIn("file store", mail.smtp_reply)
            server.connect.assert_not_called()
            Mail.write([mail], {'state': 'failed'})
            with patch.object(Mail, 'message', None, create=True), \
                    self.assertRaises(MailStorageError):
                mail.readdress('other@example.com')

    @with_transaction()
    def test_outdated(self):
        "Test that the case is read at the moment its mail is sent"
        with self.queued(2) as mails:
            first, second = mails
            case = second.case

            def data(message):
                run_wizard('training.abandon.case.decide', [case])
                Transaction().tasks.clear()
                return OK

            with mail_server() as server, \
                    patch.object(mail_batch, 'TOGETHER', 0):
                server.data.side_effect = data
                type(first).deliver(mails)
                self.assertEqual(
                    [m.state for m in mails], ['sent', 'cancelled'])
                self.assertIn("Invalidated", second.smtp_reply)
                self.assertEqual(server.data.call_count, 1)

    @with_transaction()
    def test_lease(self):
        "Test that a mail claimed by another process is left to it"
        pool = Pool()
        Email = pool.get('ir.email')
        with self.queued(2) as mails, mail_server() as server:
            Mail = type(mails[0])
            claimed = Mail._claim()
            self.assertEqual(claimed, {m.id: 1 for m in mails})
            Mail.deliver_due()
            Mail.deliver(mails)
            server.connect.assert_not_called()
            # The first process does not say anything any more
            with at(NOW + mail_claim.LEASE + MINUTE):
                Mail.deliver_due()
            self.assertEqual(
                [(m.state, m.attempts) for m in mails], [('sent', 2)] * 2)
            # It comes back too late
            Mail._deliver(claimed)
            self.assertEqual(server.data.call_count, 2)
            self.assertEqual(Email.search([], count=True), 2)

    @with_transaction()
    def test_lease_taken(self):
        "Test that a process that comes back leaves what another one sends"
        with self.queued(2) as mails, mail_server() as server:
            Mail = type(mails[0])
            # Nothing else keeps it from leaving
            type(mails[0].letter).write(
                [mails[0].letter], {'case_states': None})
            late, until = Mail._claim(), NOW + 2 * mail_claim.LEASE
            with at(until - mail_claim.LEASE):
                claimed = Mail._claim()
            with at(until):
                for come_back in [Mail._deliver, Mail._keep, Mail._release]:
                    come_back(late)
                    self.assertEqual(
                        {(m.state, m.attempts, m.next_attempt)
                            for m in Mail.browse(mails)},
                        {('sending', 2, until)})
                server.data.assert_not_called()
                Mail._deliver(claimed)
            self.assertEqual({m.state for m in mails}, {'sent'})
            self.assertEqual(server.data.call_count, 2)

    @with_transaction()
    def test_lease_kept(self):
        "Test that the mails of a slow batch are kept"
        with self.queued(3) as mails:
            Mail = type(mails[0])
            now, claims = [NOW], []

            def data(message):
                now[0] += mail_claim.LEASE / 2
                claims.append(Mail._claim())
                return OK

            with at(lambda: now[0]), \
                    mail_server() as server:
                server.data.side_effect = data
                Mail.deliver(mails)
            self.assertEqual(claims, [{}, {}, {}])
            self.assertEqual({m.state for m in mails}, {'sent'})

    @with_transaction()
    def test_lease_lost(self):
        "Test that a process that comes back late tells what it knows"
        for reply, state in [((450, b'Later'), 'sending'), (OK, 'sent')]:
            with self.subTest(reply=reply), self.queued() as mails:
                mail, Mail = mails[-1], type(mails[-1])

                def data(message):
                    with at(NOW + mail_claim.LEASE + MINUTE):
                        self.assertTrue(Mail._claim())
                    return reply

                with mail_server() as server:
                    server.data.side_effect = data
                    Mail.deliver([mail])
                self.assertEqual((mail.state, mail.attempts), (state, 2))
                Mail.write([mail], {'state': 'cancelled'})

    @with_transaction()
    def test_sent_twice(self):
        "Test that the first of two processes that sent is the proof"
        at_ = NOW + mail_claim.LEASE + MINUTE
        with self.queued() as (mail,), mail_server() as server:
            def data(message):
                server.data.side_effect = [(250, b'first')]
                with at(at_):
                    type(mail).deliver_due()
                return (250, b'second')

            server.data.side_effect = data
            type(mail).deliver_due()
            self.assertEqual(server.data.call_count, 2)
            self.assertEqual(
                (mail.state, mail.smtp_reply, mail.sent_at),
                ('sent', "250 first", at_))

    @with_transaction()
    def test_due_ends(self):
        "Test that the scheduled action leaves the rest to the next time"
        with self.queued(3) as mails:
            Mail = type(mails[0])
            now = [NOW]

            def data(message):
                now[0] += mail_delivery.DURATION / 2
                return OK

            with at(lambda: now[0]), \
                    mail_server() as server:
                server.data.side_effect = data
                Mail.deliver_due()
                self.assertEqual(
                    [m.state for m in mails], ['sent', 'sent', 'queued'])
                Mail.deliver_due()
                self.assertEqual({m.state for m in mails}, {'sent'})

    @with_transaction()
    def test_database_lost(self):
        "Test that what the server accepted is recorded in the end"
        with self.queued() as (mail,), mail_server():
            Mail = type(mail)
            store, calls = Mail._store_sent, []

            def fail_twice(replies, without_disk=None):
                calls.append(replies)
                if len(calls) < 3:
                    raise backend.DatabaseOperationalError("gone")
                return store(replies, without_disk)

            with patch.object(Mail, '_store_sent', fail_twice), \
                    patch.object(mail_batch.time, 'sleep'), \
                    patch.object(Transaction(), 'rollback') as rollback:
                Mail.deliver_due()
            # The next mail needs a transaction that works
            rollback.assert_called_once_with()
            self.assertEqual(mail.state, 'sent')
            self.assertEqual(len(calls), 3)
            self.assertEqual(self.left_files(), [])

    @with_transaction()
    def test_together(self):
        "Test that the replies of a fast server are stored together"
        with self.queued(3) as mails, mail_server(), \
                patch.object(mail_batch, 'TOGETHER', 3600), \
                count_statements() as statements:
            type(mails[0]).deliver_due()
        self.assertEqual(len(self.stored(statements)), 1)
        self.assertEqual({m.state for m in mails}, {'sent'})
        self.assertEqual({m.smtp_reply for m in mails}, {"250 OK"})
        self.assertEqual({m.sent_at for m in mails}, {NOW})

    @with_transaction()
    def test_together_refused(self):
        "Test that what is accepted before is stored with what is refused"
        rcpt = [OK, (550, b'No'), OK]
        with self.queued(3) as mails, mail_server(rcpt=rcpt) as server, \
                patch.object(mail_batch, 'TOGETHER', 3600):
            type(mails[0]).deliver_due()
            self.assertEqual(
                [m.state for m in mails], ['sent', 'failed', 'sent'])
            self.assertEqual(server.data.call_count, 2)

    @with_transaction()
    def test_disk(self):
        "Test that the disk is waited for once for several mails"
        with self.queued(3) as mails, mail_server(), \
                patch.object(mail_batch, 'TOGETHER', 0), \
                count_statements() as statements:
            type(mails[0]).deliver_due()
        self.assertEqual(
            ['set_config' not in s for s in self.stored(statements)],
            [backend.name != 'postgresql'] * 2 + [True])
        # What follows is done again if it is lost: its end and its archive
        self.assertEqual(
            sum(s.startswith('SELECT') and 'set_config' in s
                for s in statements),
            2 if backend.name == 'postgresql' else 0)

    @with_transaction()
    def test_disk_refused(self):
        "Test that what follows is on the disk with what is refused"
        with self.queued(2) as mails, \
                mail_server(rcpt=[(550, b'No'), OK]), \
                patch.object(mail_batch, 'TOGETHER', 0), \
                count_statements() as statements:
            type(mails[0]).deliver_due()
        self.assertFalse([
                s for s in statements
                if s.startswith('UPDATE') and 'set_config' in s])

    def stored(self, statements):
        "Return the statements that store what became of the mails"
        return [
            s for s in statements
            if s.startswith('UPDATE') and 'smtp_reply' in s]

    @contextmanager
    def store_sent(self, Mail, lost=()):
        """Yield the list of the mails of which a reply is stored, each at
        once

        The database is gone when it is told for the first time of those that
        are lost."""
        store, stored, lost = Mail._store_sent, [], {m.id for m in lost}

        def store_sent(replies, without_disk=None):
            ids = {r.id for r in replies}
            stored.extend(Mail.browse(sorted(ids)))
            if ids & lost:
                lost.difference_update(ids)
                raise backend.DatabaseOperationalError("gone")
            return store(replies)

        with patch.object(Mail, '_store_sent', store_sent), \
                patch.object(
                    tools, 'without_disk', return_value=Literal(True)), \
                patch.object(mail_batch, 'TOGETHER', 0), \
                patch.object(mail_batch.time, 'sleep'), \
                patch.object(Transaction(), 'rollback'):
            yield stored

    @with_transaction()
    def test_disk_lost(self):
        "Test that what a database loses as it stops is stored again"
        with self.queued(4) as mails, mail_server() as server:
            Mail = type(mails[0])
            attempt = Mail._attempt

            def lose(mail, smtp):
                if mail == mails[2]:
                    table = Mail.__table__()
                    Transaction().connection.cursor().execute(*table.update(
                            [table.state], ['sending'],
                            where=table.state == 'sent'))
                return attempt(mail, smtp)

            with self.store_sent(Mail, [mails[2]]) as stored, \
                    patch.object(Mail, '_attempt', lose):
                Mail.deliver_due()
            self.assertEqual(stored, [*mails[:3], *mails[:3], mails[3]])
            self.assertEqual({m.state for m in mails}, {'sent'})
            self.assertEqual(server.data.call_count, 4)

    @with_transaction()
    def test_disk_gone(self):
        "Test that a database that is gone is told what it had been told"
        with self.queued(2) as mails, mail_server():
            Mail = type(mails[0])
            attempt = Mail._attempt
            gone = backend.DatabaseOperationalError("gone")

            def fail(mail, server):
                if mail == mails[1]:
                    raise gone
                return attempt(mail, server)

            with self.store_sent(Mail) as stored, \
                    patch.object(Mail, '_attempt', fail), \
                    patch.object(
                        tools, 'lock',
                        side_effect=[gone, None]):
                with self.assertRaises(backend.DatabaseOperationalError):
                    Mail.deliver_due()
            self.assertEqual(stored, [mails[0]] * 2)
            self.assertEqual(
                [m.state for m in mails], ['sent', 'sending'])
            self.assertEqual(self.left_files(), [])

    @with_transaction()
    def test_disk_last(self):
        "Test that the last mail stored is on the disk at the end"
        with self.queued(2) as mails, mail_server():
            Mail = type(mails[0])
            set_claimed = Mail._set_claimed

            def cancel(mail, subject_state):
                set_claimed(mail, None if mail == mails[1] else subject_state)

            with self.store_sent(Mail) as stored, \
                    patch.object(Mail, '_set_claimed', cancel), \
                    patch.object(tools, 'lock') as lock:
                Mail._deliver(Mail._claim())
            lock.assert_any_call(Mail, [mails[0].id])
            self.assertEqual(stored, [mails[0]])

    @contextmanager
    def files(self):
        "Have a directory for the files of the replies"
        with TemporaryDirectory() as directory, \
                patch.object(
                    mail_accepted, 'directory',
                    lambda database: Path(directory, database)):
            yield

    def left_files(self):
        "Return the files of the replies that are not stored"
        directory = mail_accepted.directory(Transaction().database.name)
        return sorted(directory.glob('*'))

    def accept(self, *replies):
        "Leave a file as a process that is killed does"
        file = mail_accepted.ReplyFile(Transaction().database.name)
        for reply in replies:
            self.assertTrue(file.add(mail_accepted.Reply(*reply)))
        file.close()

    @with_transaction()
    def test_killed(self):
        "Test that what the server of a killed process accepted is recorded"
        with self.queued(2) as mails, mail_server() as server:
            Mail = type(mails[0])
            Mail._claim()
            self.accept(
                (mails[0].id, mails[0].message_id, "250 \xe9", NOW - MINUTE))
            Mail.deliver_due()
            self.assertEqual(
                [(m.state, m.smtp_reply, m.sent_at, bool(m.email))
                    for m in mails],
                [('sent', "250 \xe9", NOW - MINUTE, True),
                    ('sending', None, None, False)])
            self.assertEqual(mails[0].step.evidence, 'proven')
            server.data.assert_not_called()
            self.assertEqual(self.left_files(), [])

    @with_transaction()
    def test_killed_later(self):
        "Test that a reply changes neither another mail nor an older proof"
        with self.queued(3) as mails, mail_server():
            Mail = type(mails[0])
            Mail.deliver(mails[:1])
            Mail._claim()
            self.accept(
                (mails[0].id, mails[0].message_id, "250 again", NOW + MINUTE),
                # Of a copy of the database
                (mails[1].id, '<other@example.com>', "250 other", NOW),
                (mails[2].id, mails[2].message_id, "250 right", NOW))
            Mail.deliver_due()
            self.assertEqual(
                [(m.state, m.smtp_reply) for m in mails],
                [('sent', "250 OK"), ('sending', None), ('sent', "250 right")])

    @with_transaction()
    def test_killed_not_live(self):
        "Test that the copy of a database leaves the files"
        with self.queued() as (mail,):
            self.accept((mail.id, mail.message_id, "250 OK", NOW))
            with live('elsewhere'):
                type(mail).deliver_due()
            self.assertEqual(mail.state, 'queued')
            file, = self.left_files()
            file.unlink()

    @with_transaction()
    def test_killed_again(self):
        "Test that what is not stored does not leave again"
        late = NOW + mail_claim.LEASE + MINUTE
        with self.queued(2) as (sent, queued), mail_server() as server, \
                patch.object(Transaction(), 'rollback'):
            Mail = type(sent)
            Mail._claim([sent.id])
            self.accept((sent.id, sent.message_id, "250 OK", NOW))
            for deliver in [
                    Mail.deliver_due, lambda: Mail.deliver([sent, queued])]:
                with at(late), \
                        patch.object(
                            Mail, '_store_sent',
                            side_effect=[ValueError("broken"), 1, 1]), \
                        self.assertLogs(mail_delivery.logger, 'ERROR'):
                    deliver()
                self.assertEqual(sent.state, 'sending')
            # Only the one that nobody had accepted
            self.assertEqual(
                {c.args[0] for c in server.data.mock_calls if c.args},
                {queued.message})
            with at(late):
                Mail.deliver([sent])
            self.assertEqual((sent.state, sent.sent_at), ('sent', NOW))

    @with_transaction()
    def test_stuck(self):
        "Test that another process stores what a stuck one has accepted"
        with self.queued() as (mail,), mail_server() as server:
            Mail = type(mail)
            Mail._claim()
            file = mail_accepted.ReplyFile(Transaction().database.name)
            file.add(
                mail_accepted.Reply(mail.id, mail.message_id, "250 OK", NOW))
            with at(NOW + mail_claim.LEASE + MINUTE), \
                    patch.object(mail_accepted, 'STUCK', -3600):
                Mail.deliver_due()
            self.assertEqual((mail.state, mail.sent_at), ('sent', NOW))
            server.data.assert_not_called()
            self.assertEqual(len(self.left_files()), 1)
            file.remove()
            self.assertEqual(self.left_files(), [])

    @with_transaction()
    def test_not_removed(self):
        "Test that a file that cannot be removed stops nothing"
        with self.queued(2) as mails, mail_server():
            Mail = type(mails[0])
            Mail._claim([mails[0].id])
            self.accept((mails[0].id, mails[0].message_id, "250 OK", NOW))
            with patch.object(
                        Path, 'unlink', side_effect=OSError("read-only")), \
                    self.assertLogs(mail_accepted.logger, 'WARNING'):
                Mail.deliver_due()
            self.assertEqual({m.state for m in mails}, {'sent'})
            for path in self.left_files():
                path.unlink()

    @with_transaction()
    def test_disk_not_claimed(self):
        "Test that what changes nothing has not waited for the disk"
        with self.queued(2) as mails, mail_server(rcpt=[OK, (450, b'No')]):
            Mail = type(mails[0])
            with self.store_sent(Mail) as stored, \
                    patch.object(Mail, '_store', return_value=False), \
                    patch.object(tools, 'lock') as lock:
                Mail._deliver(Mail._claim())
            lock.assert_any_call(Mail, [mails[0].id])
            self.assertEqual(stored, [mails[0]])

    @with_transaction()
    def test_store_again(self):
        "Test that the connection that is lost is not used any more"
        pool = Pool()
        Mail = pool.get('training.mail')
        transaction = Transaction()
        batch, other = mail_batch.Batch(Mail, {}), Mock()
        other.__enter__ = Mock(return_value=other)
        other.__exit__ = Mock(return_value=False)
        gone = backend.DatabaseOperationalError("gone")
        batch._unsure.append(mail_accepted.Reply(1, '', "250", NOW))
        with patch.object(transaction, 'rollback', side_effect=gone), \
                patch.object(transaction, 'commit', side_effect=gone), \
                patch.object(
                    transaction, 'new_transaction', return_value=other), \
                patch.object(mail_batch.time, 'sleep') as sleep, \
                patch.object(tools, 'lock'), \
                patch.object(Mail, '_store_sent') as store, \
                self.assertLogs(mail_batch.logger, 'WARNING'):
            batch._store_again()
        sleep.assert_called_once_with(mail_batch.RECORD_WAITS[0])
        store.assert_called_once()
        self.assertEqual(batch._unsure, [])

    @with_transaction()
    def test_never_back(self):
        "Test that the file is left when the database does not come back"
        gone = backend.DatabaseOperationalError("gone")
        with self.queued() as (mail,), mail_server() as server, \
                patch.object(mail_batch.time, 'sleep'), \
                patch.object(Transaction(), 'rollback'):
            Mail = type(mail)
            with patch.object(Mail, '_store_sent', side_effect=gone):
                with self.assertRaises(backend.DatabaseOperationalError):
                    Mail.deliver_due()
                self.assertEqual(len(self.left_files()), 1)
                with self.assertLogs(mail_delivery.logger, 'ERROR'):
                    Mail.deliver_due()
            self.assertEqual(mail.state, 'sending')
            self.assertEqual(len(self.left_files()), 1)
            Mail.deliver_due()
            self.assertEqual(mail.state, 'sent')
            self.assertEqual(self.left_files(), [])
            self.assertEqual(server.data.call_count, 1)

    @with_transaction()
    def test_no_file(self):
        "Test that each reply is stored at once where no file is written"
        with self.queued(3) as mails, mail_server(), \
                patch.object(mail_batch, 'TOGETHER', 3600), \
                patch.object(
                    mail_accepted.os, 'write', side_effect=OSError("full")), \
                self.assertLogs(mail_accepted.logger) as logs, \
                count_statements() as statements:
            type(mails[0]).deliver_due()
        self.assertEqual(len(self.stored(statements)), 3)
        self.assertEqual({m.state for m in mails}, {'sent'})
        self.assertEqual(len(logs.output), 1)
        self.assertEqual(self.left_files(), [])

    @with_transaction()
    def test_reply_file(self):
        "Test what is read of the files"
        with self.files():
            name = Transaction().database.name
            replies = [
                mail_accepted.Reply(
                    1, '<1@example.com>', "250 \u2028 \xe9", NOW),
                mail_accepted.Reply(
                    2, '', "250", NOW.replace(microsecond=123)),
                ]
            file = mail_accepted.ReplyFile(name)
            for reply in replies:
                self.assertTrue(file.add(reply))
            path, = self.left_files()
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
            # Its process runs
            self.assertEqual(list(mail_accepted.left_files(name)), [])
            with patch.object(mail_accepted, 'STUCK', -3600):
                self.assertEqual(
                    list(mail_accepted.left_files(name)),
                    [(path, replies, False)])
            file.close()
            with open(path, 'a') as cut:
                cut.write('[3, "<3@')
            with self.assertLogs(mail_accepted.logger, 'WARNING'):
                self.assertEqual(
                    list(mail_accepted.left_files(name)),
                    [(path, replies, True)])
            path.unlink()

    def test_reply_words(self):
        "Test that the words of the server can be stored"
        self.assertEqual(
            mail_server_module.reply_words(250, b'2.0.0\r\n a\0b \xff'),
            "250 2.0.0 a b \ufffd")

    @with_transaction()
    def test_archive(self):
        "Test that a mail that cannot be archived stays sent, and the others"
        pool = Pool()
        Mail = pool.get('training.mail')
        with self.queued(2) as mails, mail_server():
            insert = Mail._insert_emails

            def fail(ids):
                if mails[0].id in ids:
                    raise OSError("disk full")
                insert(ids)

            with patch.object(Mail, '_insert_emails', fail), \
                    patch.object(Transaction(), 'rollback'):
                Mail.deliver_due()
            self.assertEqual({m.state for m in mails}, {'sent'})
            self.assertEqual([bool(m.email) for m in mails], [False, True])
            Mail.deliver_due()
            self.assertTrue(mails[0].email)

    @with_transaction()
    def test_archive_beside(self):
        "Test that a batch is archived while the next one leaves"
        pool = Pool()
        Mail = pool.get('training.mail')
        transaction, archived, left = Transaction(), [], Event()
        # Where the transactions do not write at once it is archived before
        is_beside = transaction.database.has_select_for()

        def archive(ids):
            if ids and not archived:
                self.assertEqual(left.wait(10 if is_beside else 0), is_beside)
                self.assertEqual(
                    Transaction() is not transaction, is_beside)
                self.assertEqual(Transaction().user, transaction.user)
                self.assertEqual(Transaction().context, transaction.context)
                Transaction().tasks.append(42)
            archived.extend(ids)

        with self.queued(2) as mails, mail_server() as server, \
                patch.object(tools, 'BATCH', 1), \
                patch.object(Mail, '_archive', archive):

            def reply(message):
                if message == mails[1].message:
                    left.set()
                return OK

            server.data.side_effect = reply
            Mail.deliver_due()
            self.assertEqual({m.state for m in mails}, {'sent'})
            self.assertEqual(archived[:2], [m.id for m in mails])
            # What follows from it is done by who delivers
            self.assertEqual(transaction.tasks, [42])

    @with_transaction()
    def test_archive_fails_beside(self):
        "Test that the next mails leave when those of before stay"
        pool = Pool()
        Mail = pool.get('training.mail')
        if not Transaction().database.has_select_for():
            self.skipTest("They are archived before the next ones leave")
        broken = patch.object(Mail, '_archive', Mock(
                side_effect=[None, ValueError("broken"), None]))
        with self.queued(2) as mails, mail_server(), \
                patch.object(tools, 'BATCH', 1), broken, \
                self.assertLogs(
                    'trytond.modules.training_abandon.mail.archive'), \
                patch.object(Mail, '_archive_left'):
            Mail.deliver_due()
            self.assertEqual({m.state for m in mails}, {'sent'})

    @with_transaction()
    def test_end_locks(self):
        "Test that the end reads the mails once it has the database"
        with self.queued() as (mail,), mail_server():
            Mail, calls = type(mail), Mock()
            with patch.object(tools, 'lock_database') as lock, \
                    patch.object(
                        Mail, '_not_archived', return_value=[]) as read:
                calls.attach_mock(lock, 'lock')
                calls.attach_mock(read, 'read')
                self.assertTrue(Mail._end_sent([mail.id]))
            self.assertEqual(
                calls.mock_calls, [call.lock(Mail), call.read([mail.id])])

    @with_transaction()
    def test_end_waits(self):
        "Test that a mail is read again after the end of the others"
        with self.queued(2) as (first, second), mail_server() as server:
            Mail = type(first)
            end_sent = Mail._end_sent

            def wait(ids):
                if Mail.search([('state', '=', 'sent')]):
                    # Somebody cancels the other one meanwhile
                    table = Mail.__table__()
                    Transaction().connection.cursor().execute(*table.update(
                            [table.state], ['cancelled'],
                            where=table.id == second.id))
                return end_sent(ids)

            with patch.object(Mail, '_end_sent', wait), \
                    patch.object(mail_batch, 'END_WAIT', dt.timedelta()):
                Mail.deliver_due()
            self.assertEqual(
                [m.state for m in Mail.browse([first, second])],
                ['sent', 'cancelled'])
            self.assertEqual(server.data.call_count, 1)

    @with_transaction()
    def test_end_one_breaks(self):
        "Test that a mail that cannot be ended does not keep the others"
        with self.queued(2) as mails, mail_server():
            Mail = type(mails[0])
            on_end = Mail.on_end

            def fail(ended):
                if mails[0] in ended:
                    raise ValueError("broken")
                on_end(ended)

            with patch.object(Mail, 'on_end', fail), \
                    patch.object(Transaction(), 'rollback'), \
                    self.assertLogs(
                        'trytond.modules.training_abandon.mail.archive'):
                Mail.deliver_due()
            self.assertEqual({m.state for m in mails}, {'sent'})
            self.assertEqual([bool(m.email) for m in mails], [False, True])
            self.assertEqual(
                [m.step.evidence for m in mails], ['pending', 'proven'])
            Mail.deliver_due()
            self.assertTrue(mails[0].email)
            self.assertEqual(mails[0].step.evidence, 'proven')

    @with_transaction()
    def test_end_keeps_case(self):
        "Test that the case is kept before the mail that does not leave"
        with self.queued() as (mail,), mail_server(rcpt=(550, b'No')):
            Mail, Step, kept = type(mail), type(mail.step), []

            def keep(case_ids):
                kept.append((
                        set(case_ids), Mail.search([('state', '=', 'failed')])
                        ))

            with patch.object(Step, 'keep_cases', keep):
                Mail.deliver_due()
            case_ids = {mail.case.id}
            self.assertEqual(kept, [(case_ids, []), (case_ids, [mail])])

    @with_transaction()
    def test_held(self):
        "Test that a copy of the database or its configuration holds"
        pool = Pool()
        Mail = pool.get('training.mail')
        with self.queued(2) as mails, mail_server() as server:
            name = Mail._live_name()
            database, host = name.split('@')
            for value in ['', database, f'{database}@other', f'x@{host}']:
                with self.subTest(live=value), live(value):
                    self.assertFalse(Mail.is_live())
                    Mail.queue(mails)
                    self.assertFalse(Transaction().tasks)
                    Mail.deliver_due()
                    Mail.deliver_queued(mails)
                    Mail.deliver(mails)
                    server.connect.assert_not_called()
                    self.assertEqual(
                        [(m.state, m.attempts, m.held) for m in mails],
                        [('queued', 0, True)] * 2)
                    self.assertEqual(mails[0].step.evidence, 'pending')
                    self.assertIn(name, mails[0].hold_notice)
                    for domain, found in [
                            (('held', '=', True), 2),
                            (('held', '!=', True), 0),
                            (('held', '=', False), 0),
                            (('held', 'in', [True, False]), 2)]:
                        self.assertEqual(
                            Mail.search([domain], count=True), found)
                    self.assertIn("held", self.notified()[-1][1])
            mails = Mail.browse(mails)
            self.assertFalse(mails[0].held)
            self.assertFalse(mails[0].hold_notice)
            self.assertFalse(Mail.search([('held', '=', True)]))
            # They leave where they still may
            run_wizard('training.abandon.case.decide', [mails[1].case])
            Transaction().tasks.clear()
            Mail.deliver_due()
            self.assertEqual(
                [m.state for m in mails], ['sent', 'cancelled'])

    @with_transaction()
    def test_held_failed(self):
        "Test that a failed mail sent again from a copy waits"
        with self.queued() as (mail,), mail_server(rcpt=(550, b'No')):
            type(mail).deliver_due()
            with live(''):
                self.assertFalse(mail.held)
                type(mail).deliver([mail])
                self.assertEqual((mail.state, mail.held), ('queued', True))

    @with_transaction()
    def test_hold_preview(self):
        "Test that the forms tell that the mails will be held"
        with self.queued() as (mail,):
            case = mail.case
            _, start = open_wizard(
                'training.abandon.case.ask_reasons', [case])
            self.assertFalse(start['hold_notice'])
            with live(''):
                wizard, start = open_wizard(
                    'training.abandon.case.ask_reasons', [case])
                self.assertIn("held", start['hold_notice'])

    @with_transaction()
    def test_cancel(self):
        "Test that a mail that waits or has failed can be given up"
        with self.queued() as (mail,), mail_server(
                rcpt=(450, b'Later')) as server:
            Mail = type(mail)
            Mail.deliver_due()
            Mail.cancel([mail])
            self.assertEqual(
                (mail.state, mail.next_attempt), ('cancelled', None))
            self.assertEqual(mail.step.evidence, 'failed')
            with at(NOW + MINUTE):
                Mail.deliver_due()
                Mail.deliver([mail])
            self.assertEqual(server.rcpt.call_count, 1)
            with self.assertRaises(AccessError):
                mail.readdress('other@example.com')

    @with_transaction()
    def test_statements(self):
        "Test that a mail more costs few statements more"
        counts = {}
        for number in [5, 25]:
            with self.queued(number) as mails, mail_server(), \
                    count_statements() as statements:
                type(mails[0]).deliver_due()
            counts[number] = len(statements)
            self.assertEqual({m.state for m in mails}, {'sent'})
        self.assertLessEqual((counts[25] - counts[5]) / 20, 5)
