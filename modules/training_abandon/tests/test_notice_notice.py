# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from unittest.mock import patch

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.exceptions import (
    ProcedureError, RecipientError)
from trytond.modules.training_abandon.notice import \
    enrolment as notice_enrolment
from trytond.modules.training_abandon.procedure.letter import LetterContext
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, NoticeTestCase, add_contact, apply_wizard, count_statements,
    create_enrolments, create_party, create_session, create_user, get_reason,
    mail_server, open_cases, open_wizard, run_wizard, set_email, set_up, today)


class AbsenceNoticeTestCase(NoticeTestCase):
    "Test the notices of absence"

    @with_transaction()
    def test_names(self):
        "Test that a notice is found by who is told and who was absent"
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        with set_up() as (company, session, prescriber):
            absent, other = create_enrolments(
                session, 2, prescriber=prescriber)
            self.fill(session.slots[:1], {absent: 'absent', other: 'absent'})

            def told(name):
                return {
                    (n.enrolment, n.party) for n in Notice.search(
                        [('rec_name', 'ilike', f'%{name}%')])}

            self.assertEqual(told(absent.number), {
                    (absent, absent.trainee.party), (absent, prescriber)})
            self.assertEqual(told("job centre"), {
                    (absent, prescriber), (other, prescriber)})
            self.assertEqual(told("nobody"), set())

    @with_transaction()
    def test_close(self):
        "Test that closing sheets tells those concerned, once per slot"
        pool = Pool()
        Contact = pool.get('training.enrolment.contact')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            absent, late, present = create_enrolments(
                session, 3, prescriber=prescriber)
            tutor = create_party("Tutor", 'tutor@example.com')
            other = create_party("Other", 'other@example.com')
            Contact.create([{
                        'enrolment': late.id,
                        'party': tutor.id,
                        'role': 'tutor',
                        }, {
                        'enrolment': absent.id,
                        'party': other.id,
                        'role': 'legal_guardian',
                        'notify': False,
                        }])
            slots = list(session.slots[:2])
            self.fill(slots, {absent: 'absent', late: ('late', 75)})

            mails = self.mails()
            self.assertEqual(
                [
                    (m.enrolment, m.party.name, m.letter.variant,
                        m.letter.audience, len(m.notices))
                    for m in mails],
                [
                    (absent, absent.trainee.party.name, 'absent',
                        'trainee', 2),
                    (absent, "Job Centre", 'absent', 'stakeholder', 2),
                    (late, late.trainee.party.name, 'late', 'trainee', 2),
                    (late, "Tutor", 'late', 'stakeholder', 2),
                    ])
            self.assertEqual(mails[0].resource, absent)
            self.assertIn(
                "Monday\xa003/02/2026, from 09:00 to 12:00 and from 14:00 to "
                "17:00", mails[0].body)
            self.assertIn("arrived 1 h 15 late", mails[2].body)
            self.assertIn(b'DR-AT014 rev 04', mails[0].message)

            # A correction tells only what is new
            Slot.open(slots)
            self.fill(slots[:1], {late: 'absent'})
            Slot.close(slots[1:])
            self.assertEqual(
                [(m.party.name, m.letter.variant, len(m.notices))
                    for m in self.mails()[4:]], [
                    (late.trainee.party.name, 'absent', 1),
                    ("Job Centre", 'absent', 1),
                    ("Tutor", 'absent', 1),
                    # The other half-day of the mails that had not left
                    (late.trainee.party.name, 'late', 1),
                    ("Tutor", 'late', 1),
                    ])
            self.deliver()
            self.assertEqual(
                [m.state for m in self.mails()],
                ['sent'] * 2 + ['cancelled'] * 2 + ['sent'] * 5)

    @with_transaction()
    def test_context(self):
        "Test that only what a letter tells is described"
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            slots = list(session.slots[:2])
            self.fill(slots[:1], {enrolment: 'absent'})
            self.fill(slots[1:], {enrolment: ('late', 75)})
            party = enrolment.trainee.party
            attendances = [s.attendances[0] for s in slots]
            notices = Notice.search([('slot', '=', slots[0].id)])
            absent = "Monday\xa003/02/2026, from 09:00 to 12:00"
            for names, get_context in [
                    ({
                            'absences': [absent],
                            'lateness': [
                                "Monday\xa003/02/2026, from 14:00 to 17:00: "
                                "arrived 1 h 15 late"],
                            'date': "Monday\xa003/02/2026",
                            },
                        lambda: enrolment.notice_context(party, attendances)),
                    ({
                            'corrections': [f"{absent}: absent"],
                            'date': "Monday\xa003/02/2026",
                            },
                        lambda: enrolment.correction_context(
                            party, notices,
                            {(enrolment, a.slot): a for a in attendances})),
                    ]:
                with patch.object(
                        notice_enrolment, 'describe_slots',
                        side_effect=Exception):
                    context = get_context()
                self.assertIsInstance(context, LetterContext)
                self.assertEqual({n: context[n] for n in names}, names)
                self.assertEqual(context['trainee'], party.name)

    @with_transaction()
    def test_correct(self):
        "Test that nobody who is present is told of an absence"
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            slots = list(session.slots[:2])
            self.fill(slots, {enrolment: 'absent'})

            Slot.open(slots[:1])
            server = self.deliver()
            server.data.assert_not_called()
            mail, = self.mails()
            self.assertEqual(mail.state, 'cancelled')
            self.assertIn("Open", mail.smtp_reply)

            self.fill(slots[:1], {enrolment: 'present'})
            corrected, other = Notice.search([], order=[('id', 'ASC')])
            self.assertTrue(corrected.corrected_at)
            self.assertFalse(other.corrected_at)
            # The other half-day is told again
            mail, again = self.mails()
            self.assertEqual(other.mail, again)
            self.assertNotIn("from 09:00", again.body)
            self.deliver()
            self.assertEqual(again.state, 'sent')
            self.assertEqual(again.email.resource, enrolment)

            # Told, then present: the correction is told
            self.fill(slots[1:], {enrolment: 'present'})
            correction = self.mails()[2]
            self.assertTrue(Notice(other.id).corrected_at)
            self.assertEqual(Notice(other.id).correction, correction)
            # Absent after all
            self.fill(slots, {enrolment: 'absent'})
            self.assertEqual(
                [m.notices[0].slot for m in self.mails()[3:]], slots[:1])
            self.assertFalse(Notice(other.id).corrected_at)
            self.assertFalse(Notice(other.id).correction)
            self.assertEqual(correction.state, 'cancelled')

    @with_transaction()
    def test_tell_corrected(self):
        "Test that those who were told wrong are told so, once"
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            enrolment, other = create_enrolments(
                session, 2, prescriber=prescriber)
            slots = list(session.slots[:2])
            self.fill(slots, {enrolment: 'absent', other: 'absent'})
            self.deliver()
            count = len(self.mails())
            self.fill(slots[:1], {enrolment: 'present'})
            mails = self.mails()[count:]
            self.assertEqual(
                [(m.party.name, m.letter.variant, m.letter.audience)
                    for m in mails], [
                    (enrolment.trainee.party.name, 'corrected', 'trainee'),
                    ("Job Centre", 'corrected', 'stakeholder'),
                    ])
            self.assertIn(
                "03/02/2026, from 09:00 to 12:00: present", mails[0].body)
            self.assertNotIn("from 14:00", mails[0].body)
            self.deliver()
            self.assertEqual({m.state for m in mails}, {'sent'})

            # Once
            Slot.open(slots[:1])
            Slot.close(slots[:1])
            self.assertEqual(len(self.mails()), count + 2)

            # Who was told otherwise is told again
            self.fill(slots[:1], {enrolment: 'absent'})
            again = self.mails()[count + 2:]
            self.assertEqual(
                [m.letter.variant for m in again], ['absent', 'absent'])
            self.deliver()
            self.assertEqual({m.state for m in again}, {'sent'})

            # The class did not take place at all
            Slot.open(slots)
            Slot.cancel(slots)
            last = self.mails()[count + 4:]
            self.assertEqual(
                {(m.enrolment, m.party, m.letter.variant) for m in last}, {
                    (e, p, 'corrected') for e in [enrolment, other]
                    for p in [e.trainee.party, prescriber]})
            self.assertIn("class cancelled", last[0].body)
            self.deliver()
            self.assertEqual({m.state for m in last}, {'sent'})
            self.assertTrue(all(
                    n.corrected_at and n.correction
                    for n in Notice.search([])))

    @with_transaction()
    def test_correction_outdated(self):
        "Test that a correction does not leave once it is wrong itself"
        pool = Pool()
        Mail = pool.get('training.mail')
        Notice = pool.get('training.attendance.notice')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            slots = list(session.slots[:1])
            self.fill(slots, {enrolment: 'absent'})
            self.deliver()
            self.fill(slots, {enrolment: 'excused'})
            correction, = self.mails()[1:]
            self.assertIn("excused", correction.body)
            Slot.open(slots)
            self.deliver([correction])
            self.assertEqual(correction.state, 'cancelled')
            self.assertIn("changed again", correction.smtp_reply)
            # It is told again by the sheet
            Slot.close(slots)
            again, = self.mails()[2:]
            # A user may choose not to tell
            Mail.cancel([again])
            Slot.open(slots)
            Slot.close(slots)
            self.assertEqual(len(self.mails()), 3)
            notice, = Notice.search([])
            self.assertTrue(notice.dismissed)

    @with_transaction()
    def test_correction_without_letter(self):
        "Test that a user is told of the corrections that cannot be written"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            slots = list(session.slots[:1])
            self.fill(slots, {enrolment: 'absent'})
            self.deliver()
            Letter.delete(Letter.search([
                        ('step_kind', '=', 'attendance'),
                        ('variant', '=', 'corrected'),
                        ]))
            Transaction().user_notifications.clear()
            self.fill(slots, {enrolment: 'present'})
            self.assertEqual(len(self.mails()), 1)
            label, = self.notifications()
            self.assertIn("Not told", label)
            Transaction().user_notifications.clear()

    @with_transaction()
    def test_not_corrected(self):
        "Test that a sheet opened for nothing loses no notice"
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            slots = list(session.slots[:2])
            self.fill(slots, {enrolment: 'absent'})
            Slot.open(slots[:1])
            self.deliver()
            Slot.close(slots[:1])
            mail, again = self.mails()
            self.assertEqual(mail.state, 'cancelled')
            self.assertEqual(
                [n.slot for n in Notice.search(
                        [('mail', '=', again.id)], order=[('id', 'ASC')])],
                slots)

    @with_transaction()
    def test_replace(self):
        "Test that two parties told of the same can become one"
        pool = Pool()
        Contact = pool.get('training.enrolment.contact')
        Notice = pool.get('training.attendance.notice')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            other, = create_enrolments(session)
            copy = create_party("Job Centre", 'other@example.com')
            Contact.create([{
                        'enrolment': e.id,
                        'party': copy.id,
                        'role': 'tutor',
                        } for e in [enrolment, other]])
            self.fill(
                session.slots[:1], {enrolment: 'absent', other: 'absent'})
            Replace = pool.get('party.replace', type='wizard')
            session_id, _, _ = Replace.create()
            replace = Replace(session_id)
            replace.ask.source = copy
            replace.ask.destination = prescriber
            replace.transition_replace()
            self.assertEqual(
                {n.enrolment: n.mail.to for n in Notice.search(
                        [('party', '=', prescriber.id)])},
                {enrolment: prescriber.email, other: 'other@example.com'})
            self.deliver()
            self.assertEqual(
                [m.state for m in self.mails() if m.enrolment == enrolment],
                ['sent', 'sent', 'cancelled'])

    @with_transaction()
    def test_outdated(self):
        "Test what cancels a notice before it leaves"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Mail = pool.get('training.mail')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            excused, withdrawn, old, dismissed = create_enrolments(session, 4)
            slots = list(session.slots[:1])
            self.fill(slots, dict.fromkeys(
                    [excused, withdrawn, old, dismissed], 'absent'))
            mails = {m.enrolment: m for m in self.mails()}

            Mail.cancel([mails[dismissed]])
            Slot.open(slots)
            Slot.close(slots)
            self.assertEqual(len(self.mails()), 4)

            Attendance.write(
                Attendance.search([('enrolment', '=', excused.id)]),
                {'state': 'excused'})
            Enrolment.withdraw([withdrawn])
            with today(DATE + dt.timedelta(days=30)):
                server = self.deliver()
            server.data.assert_not_called()
            self.assertEqual(
                {m.state for m in self.mails()}, {'cancelled'})
            self.assertIn("Excused", mails[excused].smtp_reply)
            self.assertIn("Withdrawn", mails[withdrawn].smtp_reply)
            self.assertIn("too long ago", mails[old].smtp_reply)

    @with_transaction()
    def test_not_told(self):
        "Test the sheets of which nobody is told"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Procedure = pool.get('training.abandon.procedure')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            first, second = create_enrolments(session, 2)
            slots = list(session.slots)
            Enrolment.withdraw([second])
            with today(DATE + dt.timedelta(days=8), time=dt.time(10)):
                self.fill(slots[:2], {first: 'absent', second: 'absent'})
                self.assertFalse(self.mails())
                # The second day is less than 7 days old
                self.fill(slots[2:], {first: 'absent', second: 'absent'})
                self.assertEqual(
                    [m.enrolment for m in self.mails()], [first])

            procedure, = Procedure.search([])
            revision, = Procedure.copy([procedure])
            Procedure.write([revision], {'notify_absences': False})
            Procedure.activate([revision])
            other = create_session(company)
            enrolment, = create_enrolments(other)
            self.fill(other.slots[:1], {enrolment: 'absent'})
            self.assertEqual(len(self.mails()), 1)
            self.fill(other.slots[1:2], {enrolment: ('left_early', 5)})
            self.assertEqual(len(self.mails()), 2)

            revision, = Procedure.copy([revision])
            Procedure.write([revision], {
                    'letters': [('delete', [
                                x.id for x in revision.letters
                                if x.variant == 'late'][:1])],
                    })
            with self.assertRaises(ProcedureError):
                Procedure.activate([revision])
            with Transaction().set_context(training_abandon_notices=False):
                Slot.open(other.slots)
                self.fill(other.slots[2:3], {enrolment: ('late', 5)})
            self.assertEqual(len(self.mails()), 2)

    @with_transaction()
    def test_unreachable(self):
        "Test that a party without address is recorded and told to the user"
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(
                session, prescriber=create_party("Unreachable"))
            slots = list(session.slots[:1])
            with patch.object(Slot, 'notify_user') as notify:
                self.fill(slots, {enrolment: 'absent'})
            self.assertIn("Unreachable", notify.call_args[0][3])
            self.assertEqual(
                [n.party.name for n in Notice.search([
                            ('mail', '=', None)])],
                ["Unreachable"])
            party = enrolment.prescriber
            party.contact_mechanisms = [
                {'type': 'email', 'value': 'found@example.com'}]
            party.save()
            Slot.open(slots)
            Slot.close(slots)
            self.assertFalse(Notice.search([('mail', '=', None)]))
            self.assertEqual(
                [m.to for m in self.mails()],
                ['trainee0@example.com', 'found@example.com'])

            # The address turns out to be wrong
            mail = self.mails()[1]
            self.deliver(rcpt=[(250, b'OK'), (550, b'No such user')])
            self.assertEqual(mail.state, 'failed')
            again = mail.readdress('right@example.com')
            self.assertEqual(len(again.notices), 1)
            self.deliver([again])
            self.assertEqual(again.state, 'sent')

    @with_transaction()
    def test_failed(self):
        "Test that who closed the sheet is told of the mails that fail"
        pool = Pool()
        Mail = pool.get('training.mail')
        User = pool.get('res.user')
        with set_up() as (company, session, _):
            trainer = create_user('trainer', company, 'training')
            enrolment, = create_enrolments(session)
            self.fill(session.slots[:1], {enrolment: 'absent'})
            mail, = self.mails()
            table = Mail.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.create_uid], [trainer.id]))
            for active, login in [(True, 'trainer'), (False, 'admin')]:
                with self.subTest(active=active):
                    User.write([trainer], {'active': active})
                    Mail.write([mail], {'state': 'queued'})
                    Transaction().user_notifications.clear()
                    self.deliver([mail], rcpt=(550, b'No such user'))
                    self.assertEqual([
                            (n.user.login, n.records)
                            for n in Transaction().user_notifications],
                        [(login, f'[{mail.id}]')])

    @with_transaction()
    def test_speed(self):
        "Test that closing sheets takes as many statements for more people"
        pool = Pool()
        Mail = pool.get('training.mail')
        counts = []
        with set_up() as (company, _, prescriber):
            for count in [3, 9]:
                session = create_session(company)
                enrolments = create_enrolments(
                    session, count, prescriber=prescriber)
                slots = list(session.slots[:3])
                self.fill(
                    slots, dict.fromkeys(enrolments, 'absent'), close=False)
                before = Mail.search([], count=True)
                with count_statements() as statements:
                    pool.get('training.session.slot').close(slots)
                counts.append(len([
                            s for s in statements if s.startswith('SELECT')]))
                # Two days, two parties
                self.assertEqual(
                    Mail.search([], count=True) - before, count * 4)
        self.assertLessEqual(counts[1], counts[0])

    @with_transaction()
    def test_reply(self):
        "Test the replies to a notice and the justification they bring"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Justification = pool.get('training.justification')
        Reply = pool.get('training.mail.reply')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            self.fill(session.slots[:2], {enrolment: 'absent'})
            self.deliver()
            mail, = self.mails()

            def receive(name, *headers, body="Voici mon justificatif."):
                return Reply.from_message('\r\n'.join([
                            f'From: {mail.to}',
                            'To: answers@example.com',
                            f'Message-ID: <{name}@example.com>',
                            f'In-Reply-To: {mail.message_id}',
                            'MIME-Version: 1.0',
                            *headers, '', body, '']).encode())

            automatic = receive('auto', 'Auto-Submitted: auto-replied')
            self.assertEqual(
                (automatic.kind, automatic.state), ('auto_reply', 'handled'))
            reply = receive(
                'answer',
                'Content-Type: multipart/mixed; boundary=limit',
                body='\r\n'.join([
                        '--limit', 'Content-Type: text/plain', '', "Voici.",
                        '--limit', 'Content-Type: application/pdf',
                        'Content-Disposition: attachment; filename="a.pdf"',
                        '', '%PDF-1.4', '--limit--']))
            self.assertEqual(
                (reply.kind, reply.state, reply.case, reply.enrolment,
                    reply.has_scan),
                ('answer', 'new', None, enrolment, True))
            self.assertEqual(
                set(Reply.search([('enrolment', '=', enrolment.id)])),
                {reply, automatic})

            Transaction().user_notifications.clear()
            Reply.from_message(
                b'From: stranger@example.com\r\nIn-Reply-To: '
                + mail.message_id.encode() + b'\r\n\r\nHello')
            notification, = Transaction().user_notifications
            self.assertIn('stranger@example.com', notification.label)
            self.assertIn('confirm', notification.label)

            wizard, start = open_wizard('training.mail.reply.justify', [reply])
            self.assertEqual(
                (start['enrolment'], start['start_date'], start['end_time']),
                (enrolment.id, DATE, dt.time(17)))
            start['kind'] = 'sick_leave'
            other, = Attachment.create([{
                        'name': "b.pdf",
                        'data': b'other',
                        'resource': str(enrolment),
                        }])
            with self.assertRaises(AccessError):
                apply_wizard(
                    wizard, [reply], {**start, 'attachment': other.id})
            apply_wizard(wizard, [reply], start)
            justification, = Justification.search([])
            self.assertEqual(bytes(justification.document), b'%PDF-1.4')
            self.assertEqual(justification.filename, 'a.pdf')
            self.assertEqual(Reply(reply.id).state, 'handled')
            Justification.accept([justification])
            self.assertEqual(self.states(enrolment), ['excused'] * 2)


class NoticeRecipientTestCase(NoticeTestCase):
    "Test who is told, once a mailbox and as soon as there is an address"

    def notices(self, *domain):
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        return Notice.search(list(domain), order=[('id', 'ASC')])

    def deliver_due(self):
        pool = Pool()
        Mail = pool.get('training.mail')
        with mail_server():
            Mail.deliver_due()

    @with_transaction()
    def test_archived(self):
        "Test that an archived person is not written to, nor the trainee"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            person = create_party("HR", 'hr@example.com')
            add_contact(enrolment, person, 'employer')
            person.active = False
            person.save()
            self.fill(session.slots[:1], {enrolment: 'absent'})
            mail, = self.mails()
            self.assertEqual(mail.party, enrolment.trainee.party)

            trainee = enrolment.trainee
            trainee.active = False
            trainee.save()
            self.fill(session.slots[1:2], {enrolment: 'absent'})
            self.assertEqual(self.mails(), [mail])
            notice, = self.notices(('mail', '=', None))
            self.assertEqual(
                (notice.party, notice.reason), (trainee.party, 'archived'))
            self.assertEqual(len(self.notifications()), 1)

            trainee.active = True
            trainee.save()
            self.deliver_due()
            self.assertEqual(notice.mail.state, 'sent')
            self.assertIsNone(notice.reason)

    @with_transaction()
    def test_one_mailbox(self):
        "Test that two parties with one mailbox are told by one mail a day"
        with set_up() as (company, session, _):
            employer = create_party("Company", 'contact@example.com')
            person = create_party("HR", 'Contact@Example.com')
            enrolment, = create_enrolments(session)
            enrolment.employer = employer
            enrolment.save()
            add_contact(enrolment, person, 'tutor')
            morning, afternoon, tomorrow, _ = session.slots
            Slot = type(morning)
            self.fill([morning], {enrolment: 'absent'}, close=False)
            self.fill([afternoon], {enrolment: ('late', 20)}, close=False)
            Slot.close([morning, afternoon])

            trainee, mail = self.mails()
            self.assertEqual(trainee.party, enrolment.trainee.party)
            self.assertFalse(trainee.also_for)
            self.assertEqual(
                (mail.party, list(mail.also_for)), (employer, [person]))
            # The organisation is not told of the lateness
            self.assertEqual(
                [(n.party, n.slot) for n in self.notices(
                        ('mail', '=', mail.id))],
                [(employer, morning), (person, morning), (person, afternoon)])
            self.assertIn("arrived 20 min late", mail.body)

            # Not again when the sheet is closed again, another day apart
            Slot.open([morning])
            Slot.close([morning])
            self.assertEqual(self.mails(), [trainee, mail])
            self.fill([tomorrow], {enrolment: 'absent'})
            self.assertEqual(len(self.mails()), 4)

    @with_transaction()
    def test_one_mailbox_later(self):
        "Test that the mailbox is not told again for a contact added later"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            slots = session.slots[:1]
            self.fill(slots, {enrolment: 'absent'})
            _, mail = self.mails()
            tutor = create_party("Tutor", 'ADVISER@example.com')
            add_contact(enrolment, tutor, 'tutor')
            Slot = type(slots[0])
            Slot.open(slots)
            Slot.close(slots)
            self.assertEqual(len(self.mails()), 2)
            self.assertEqual(list(mail.also_for), [tutor])
            notice, = self.notices(('party', '=', tutor.id))
            self.assertEqual(notice.mail, mail)

    @with_transaction()
    def test_one_mailbox_corrected(self):
        "Test that each party has the correction of what it was told"
        with set_up() as (company, session, prescriber):
            shared, other = create_enrolments(
                session, 2, prescriber=prescriber)
            add_contact(
                shared, create_party("Tutor", 'ADVISER@example.com'), 'tutor')
            morning, afternoon = slots = session.slots[:2]
            self.fill([morning], {shared: 'absent', other: 'absent'})
            self.fill([afternoon], {shared: ('late', 20)})
            self.deliver()
            count = len(self.mails())
            self.fill([morning], {shared: 'present', other: 'present'})
            corrections = self.mails()[count:]
            self.assertEqual(
                [(m.enrolment, len(m.parties)) for m in corrections],
                [(shared, 1), (shared, 2), (other, 1), (other, 1)])
            for notice in self.notices(('slot', '=', morning.id)):
                self.assertEqual(
                    notice.correction.enrolment, notice.enrolment)
                self.assertIn(notice.party, notice.correction.parties)

            # Only what each of them was told
            self.fill(slots, {shared: 'absent', other: 'present'})
            self.deliver()
            count = len(self.mails())
            type(morning).open(slots)
            type(morning).cancel(slots)
            self.assertEqual(
                {(p, len(m.parties)) for m in self.mails()[count:]
                    for p in m.parties},
                {(n.party, 2 if n.party != shared.trainee.party else 1)
                    for n in self.notices(('enrolment', '=', shared.id))})

    @with_transaction()
    def test_mailbox_of_the_trainee(self):
        "Test that the mail of the trainee is never the one of another"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            set_email(enrolment.trainee.party, 'adviser@example.com')
            self.fill(session.slots[:1], {enrolment: 'absent'})
            self.assertEqual(
                [(m.party, m.letter.audience) for m in self.mails()], [
                    (enrolment.trainee.party, 'trainee'),
                    (prescriber, 'stakeholder')])

    @with_transaction()
    def test_shared_mailbox_bounced(self):
        "Test that a mailbox that bounced is one for both its parties"
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            tutor = create_party("Tutor", 'ADVISER@example.com')
            add_contact(enrolment, tutor, 'tutor')
            ContactMechanism.bounce(
                'adviser@example.com',
                dt.datetime.combine(DATE, dt.time()), "Unknown")
            self.fill(session.slots[:1], {enrolment: 'absent'})
            self.assertEqual(
                [(n.party, n.reason) for n in self.notices(
                        ('mail', '=', None))],
                [(prescriber, 'no_address'), (tutor, 'no_address')])

    @with_transaction()
    def test_announced(self):
        "Test that an announced abandonment has nobody told of an absence"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            enrolment, other = create_enrolments(
                session, 2, prescriber=prescriber)
            self.fill(session.slots[:1], {
                    enrolment: 'absent', other: 'absent'}, close=False)
            case, = open_cases([enrolment], DATE + DAY, origin='declared')
            Slot.close(session.slots[:1])
            self.assertEqual(len(self.mails()), 4)
            slots = session.slots[2:3]
            self.fill(slots, {enrolment: 'absent', other: 'absent'})
            self.assertEqual(
                {m.enrolment for m in self.mails()[4:]}, {other})
            notices = self.notices(('reason', '=', 'announced'))
            self.assertEqual(
                [(n.party, n.mail) for n in notices],
                [(enrolment.trainee.party, None), (prescriber, None)])
            self.deliver_due()
            self.assertEqual(len(self.mails()), 6)

            # It was no announcement after all
            type(case).cancel([case])
            Slot.open(slots)
            Slot.close(slots)
            self.assertEqual(len(self.mails()), 8)
            self.assertFalse(self.notices(('reason', '!=', None)))

    @with_transaction()
    def test_announced_later(self):
        "Test the announcement told when the reasons are asked"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case, = open_cases([enrolment])
            self.fill(session.slots[:1], {enrolment: 'absent'})
            mail, = self.mails()
            self.assertIsNone(case.announced_on())
            with today(DATE):
                run_wizard(
                    'training.abandon.case.ask_reasons', [case],
                    declared=True, mails=open_wizard(
                        'training.abandon.case.ask_reasons',
                        [case])[1]['mails'])
            self.assertEqual(case.announced_on(), DATE)
            Case = type(case)
            announcement, = case.mails
            Mail = type(announcement)
            for state, date in [
                    ('failed', None), ('cancelled', None), ('sent', DATE)]:
                with self.subTest(state=state):
                    Mail.write([announcement], {'state': state})
                    self.assertEqual(Case(case.id).announced_on(), date)
            case, = open_cases(create_enrolments(session))
            for code, date in [
                    ('no_answer', None), ('time.lack', DATE + DAY)]:
                Case.declare_reasons([case], [get_reason(code)])
                self.assertEqual(Case(case.id).announced_on(), date)
            # It waited to leave
            self.deliver()
            self.assertEqual(mail.state, 'cancelled')
            self.assertIn("announced", mail.smtp_reply)

    @with_transaction()
    def test_address_later(self):
        "Test that an absence is told once there is an address"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            party = enrolment.trainee.party
            set_email(party, None)
            self.fill(session.slots[:2], {enrolment: 'absent'})
            mail, = self.mails()
            notices = self.notices(('mail', '=', None))
            self.assertEqual(
                [(n.party, n.reason) for n in notices],
                [(party, 'no_address')] * 2)
            Notice = type(notices[0])
            with self.assertRaisesRegex(RecipientError, "No Email Address"):
                Notice.tell(notices)
            # Another contact has it
            set_email(create_party("Mother"), 'mother@example.com')
            self.deliver_due()
            self.assertEqual(self.mails(), [mail])

            set_email(party, 'trainee@example.com')
            self.deliver_due()
            _, told = self.mails()
            self.assertEqual(
                (told.to, told.state), ('trainee@example.com', 'sent'))
            self.assertEqual(
                [(n.mail, n.reason) for n in Notice.browse(notices)],
                [(told, None)] * 2)
            self.deliver_due()
            self.assertEqual(len(self.mails()), 2)

    @with_transaction()
    def test_correct_later(self):
        "Test that the correction is told once it can be"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            trainee = enrolment.trainee
            first, second = session.slots[:2]
            self.fill([first, second], {enrolment: 'absent'})
            self.deliver()
            told = self.mails()

            set_email(trainee.party, None)
            self.fill([first], {enrolment: 'present'})
            self.deliver_due()
            self.assertEqual(self.mails(), told)
            # Not while the sheet is open
            set_email(trainee.party, 'trainee@example.com')
            type(first).open([first])
            self.deliver_due()
            self.assertEqual(self.mails(), told)
            with patch.object(type(self.notices()[0]), 'send'):
                type(first).close([first])
            self.deliver_due()
            *_, correction = self.mails()
            self.assertEqual(
                (correction.to, correction.letter.variant, correction.state),
                ('trainee@example.com', 'corrected', 'sent'))
            self.deliver_due()
            self.assertEqual(self.mails(), [*told, correction])

            trainee.active = False
            trainee.save()
            self.fill([second], {enrolment: 'excused'})
            self.deliver_due()
            self.assertEqual(self.mails(), [*told, correction])
            trainee.active = True
            trainee.save()
            self.deliver_due()
            *_, last = self.mails()
            self.assertIn("excused", last.body)

    @with_transaction()
    def test_address_too_late(self):
        "Test that only what is true and recent is told later"
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            party = enrolment.trainee.party
            set_email(party, None)
            first, second = session.slots[:2]
            self.fill([first, second], {enrolment: 'absent'})
            self.fill([first], {enrolment: 'present'})
            set_email(party, 'trainee@example.com')
            corrected, old = self.notices()
            with today(DATE + 10 * DAY):
                self.deliver_due()
                self.assertFalse(self.mails())
                with self.assertRaisesRegex(RecipientError, "too long ago"):
                    Notice.tell([old])
                with self.assertRaisesRegex(RecipientError, "Present"):
                    Notice.tell([corrected])
            Notice.tell([old])
            mail, = self.mails()
            self.assertEqual([n.slot for n in mail.notices], [second])
