# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.audit.timeline import _with_time
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, apply_wizard, as_user, at, count_statements,
    create_enrolments, create_session, create_user, decide, get_to_decision,
    mail_server, open_wizard, run_wizard, set_up)

PRIVATE = "My back hurts"


class TimelineTestCase(DatabaseTestCase):
    "Test the timeline of the cases"

    def open_cases(self, session, prescriber=None, count=1):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        enrolments = create_enrolments(session, count, prescriber)
        return Case.browse(Case.open_cases(enrolments, 'absence', DATE))

    def fill(self, case):
        "Make what a case may know happen"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        run_wizard('training.abandon.case.inform', [case])
        run_wizard('training.abandon.case.ask_reasons', [case])
        now = tools.now()
        asked, informed = Case(case.id).mails
        trainee = asked.party
        Mail.write([informed], {
                'state': 'failed', 'failed_at': now,
                'smtp_reply': '550 No such user'})
        Mail.write([asked], {
                'state': 'sent', 'smtp_reply': '250 OK',
                'sent_at': now + dt.timedelta(minutes=1),
                'bounced_at': now + dt.timedelta(minutes=2),
                'bounce_reason': 'Mailbox full'})
        Reply.create([{
                    'company': case.company.id,
                    'case': case.id,
                    'mail': asked.id,
                    'party': trainee.id,
                    'subject': PRIVATE,
                    'received_at': now + dt.timedelta(minutes=3),
                    'message_id': f'<{case.id}@example.com>',
                    'kind': 'answer',
                    'text': PRIVATE,
                    'body': PRIVATE,
                    }])
        FollowUp.create([{
                    'company': case.company.id,
                    'enrolment': case.enrolment.id,
                    'case': case.id,
                    'kind': 'call',
                    'party': trainee.id,
                    'planned_at': now + dt.timedelta(minutes=4),
                    'done_at': now + dt.timedelta(minutes=5),
                    'outcome': 'reached',
                    'note': PRIVATE,
                    }])
        run_wizard(
            'training.abandon.case.skip', [case], reason="Said by phone")
        Attachment.create([{
                    'resource': str(case),
                    'name': PRIVATE,
                    'type': 'link',
                    'link': 'https://example.com/',
                    }])
        Case.cancel([case])
        Transaction()._store_log_records()
        Transaction().cache.clear()

    @with_transaction()
    def test_timeline(self):
        "Test that the timeline tells what happened to the case alone"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        with set_up() as (company, session, prescriber):
            case, other = self.open_cases(session, prescriber, 2)
            self.fill(case)

            bounced_at, = (m.bounced_at for m in case.mails if m.bounced_at)
            events = Event.search([('case', '=', case.id)])
            summaries = [e.summary for e in events]
            for summary in [
                    "Opening – Absence",
                    "Mail Failed – Inform the Prescriber – 550 No such user",
                    "Mail Bounced – Ask the Reasons – came back on "
                    f"{_with_time(bounced_at, company)} – Mailbox full – "
                    "after the case was closed",
                    "Reply – Answer – after the case was closed",
                    "Follow-Up – Phone Call – Reached – after the case was "
                    "closed",
                    "Step Skipped – Analyse the Causes – Said by phone",
                    "State – Cancelled",
                    ]:
                self.assertIn(summary, summaries)
            self.assertEqual(
                {(e.kind, e.label, e.detail) for e in events
                    if e.kind not in {'opening', 'document'}}, {
                    # A line for each mail
                    ('mail_failed', 'inform', '550 No such user'),
                    ('mail_bounced', 'ask_reasons', 'Mailbox full'),
                    ('reply', 'answer', None),
                    ('follow_up_planned', 'call', None),
                    ('follow_up', 'call', 'reached'),
                    ('step', 'inform', None),
                    ('step', 'ask_reasons', None),
                    ('skipped', 'analyse', 'Said by phone'),
                    *(('skipped', kind, events[-1].case.steps[-1].skip_reason)
                        for kind in [
                            'propose', 'exchange', 'follow_up', 'decide',
                            'certify']),
                    ('state', 'state:cancelled', None),
                    ('correction', 'cancelled', None),
                    # Who was told by phone
                    ('mail_queued', 'decide', None),
                    })
            self.assertEqual(
                {'opening', 'document'} - {e.kind for e in events}, set())
            self.assertEqual(
                [e.at for e in events], sorted(e.at for e in events))
            self.assertNotIn(PRIVATE, ' '.join(summaries))
            self.assertEqual(
                Event.search([('case', '=', other.id)], count=True), 1)
            self.assertEqual(case.events, tuple(events))

    @with_transaction()
    def test_proposals(self):
        "Test that the timeline tells which proposal and which answer"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            while case.next_kind != 'propose':
                type(case).skip_step([case], "Not needed")
            run_wizard(
                'training.abandon.case.propose', [case], proposals=[
                    {'description': "Evening classes"},
                    {'description': "Distance learning"}])
            wizard, start = open_wizard(
                'training.abandon.case.exchange', [case])
            for line in start['exchanges']:
                line['answer_2'] = 'refused'
            apply_wizard(wizard, [case], start)
            self.assertEqual(
                sorted(e.summary for e in Event.search([
                            ('case', '=', case.id),
                            ('kind', 'in', ['proposal', 'response'])])), [
                    "Proposal – Distance learning",
                    "Proposal – Evening classes",
                    "Response to the Proposal – Refused – Distance learning",
                    "Response to the Proposal – Refused – Distance learning"])

    def tell(self, case, *kinds):
        "Return the kind, time and detail of the events of the kinds"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        return [
            (e.kind, e.at, e.detail) for e in Event.search([
                    ('case', '=', case.id), ('kind', 'in', kinds)])]

    @with_transaction()
    def test_justified(self):
        "Test that what is justified while the case is open is told"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        Justification = pool.get('training.justification')
        Lang = pool.get('ir.lang')
        with set_up() as (company, session, _):
            case, other = self.open_cases(session, count=2)
            justification, = Justification.create([{
                        'company': company.id,
                        'enrolment': case.enrolment.id,
                        'kind': 'sick_leave',
                        'start_date': DATE,
                        'end_date': DATE + DAY,
                        }])
            Justification.accept([justification])
            Justification.reset([justification])
            Transaction()._store_log_records()
            accepted, reset = Event.search([
                    ('case', '=', case.id), ('kind', '=', 'justification')])
            self.assertEqual(
                (accepted.label, reset.label, accepted.origin),
                ('state:accepted', 'state:received', justification))
            lang = Lang.get()
            for date in [DATE, DATE + DAY]:
                self.assertIn(lang.strftime(date), accepted.summary)
            self.assertNotIn("Sick", accepted.summary)
            self.assertFalse(self.tell(other, 'justification'))

    @with_transaction()
    def test_completed(self):
        "Test that the timeline tells what completes a decision"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Event = pool.get('training.abandon.case.event')
        Lang = pool.get('ir.lang')
        with set_up() as (company, session, _):
            new_session = create_session(company, DATE + 7 * DAY)
            cases = [
                get_to_decision(e) for e in create_enrolments(session, 2)]
            decide(cases[0], ground='transfer')
            Case.complete_decisions([cases[0]], new_session=new_session)
            decide(cases[1], ground='postponed')
            Case.complete_decisions([cases[1]], return_date=DATE + 7 * DAY)
            for case, words in [
                    (cases[0], new_session.number),
                    (cases[1], Lang.get().strftime(DATE + 7 * DAY)),
                    ]:
                event, = Event.search([
                        ('case', '=', case.id), ('kind', '=', 'completion')])
                self.assertIn(words, event.summary)
                self.assertTrue(event.by)

    @with_transaction()
    def test_failed(self):
        "Test that a failure stays in the timeline once the mail is replaced"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        Mail = pool.get('training.mail')
        kinds = ['mail_failed', 'mail_cancelled', 'mail_sent', 'mail_queued']
        failed_at = dt.datetime.combine(DATE, dt.time(10))
        words = '550 No such user'
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            run_wizard('training.abandon.case.inform', [case])
            mail, = Mail.search([('case', '=', case.id)])
            with at(failed_at):
                with mail_server(rcpt=(550, b'No such user')):
                    Mail.deliver([mail])
                self.assertEqual(
                    self.tell(case, *kinds),
                    [('mail_failed', failed_at, words)])
                self.assertTrue(Mail(mail.id).write_date)

                with mail_server():
                    Mail(mail.id).readdress('other@example.com')
            (cancelled, at_), = (
                (e, e.at) for e in Event.search([
                    ('case', '=', case.id),
                    ('kind', '=', 'mail_cancelled')]))
            self.assertEqual(at_, failed_at)
            for told in [words, "had failed on", "to other@example.com"]:
                self.assertIn(told, cancelled.summary)
            self.assertEqual(len(self.tell(case, *kinds)), 2)

    @with_transaction()
    def test_failed_sent_again(self):
        "Test that a failure stays in the timeline once the mail is sent"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        Mail = pool.get('training.mail')
        first = dt.datetime.combine(DATE, dt.time(10))
        then = first + dt.timedelta(hours=1)
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            run_wizard('training.abandon.case.inform', [case])
            mails = Mail.search([('case', '=', case.id)])
            with at(first), \
                    mail_server(rcpt=(550, b'No such user')):
                Mail.deliver(mails)
            with at(then), \
                    mail_server(data=(250, b'OK')):
                Mail.deliver(Mail.browse(mails))
            self.assertEqual(
                self.tell(case, 'mail_failed', 'mail_sent'),
                [('mail_sent', then, '250 OK')])
            event, = Event.search([
                    ('case', '=', case.id), ('kind', '=', 'mail_sent')])
            self.assertIn(
                f"had failed on {_with_time(first, company)}", event.summary)

    @with_transaction()
    def test_bounce(self):
        "Test that a bounce is told once"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Reply = pool.get('training.mail.reply')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            self.fill(case)
            mail, = [m for m in Case(case.id).mails if m.bounced_at]
            Reply.create([{
                        'company': company.id,
                        'case': case.id,
                        'mail': mail.id,
                        'party': mail.party.id,
                        'received_at': mail.bounced_at,
                        'message_id': '<bounce@example.com>',
                        'kind': 'bounce',
                        }])
            self.assertEqual(
                [k for k, _, _ in self.tell(case, 'mail_bounced', 'reply')],
                ['mail_bounced', 'reply'])
            # What comes once the case is closed says so
            Event = pool.get('training.abandon.case.event')
            for closed_at in [
                    mail.bounced_at, mail.bounced_at - dt.timedelta(days=1)]:
                Case.write([Case(case.id)], {'closed_at': closed_at})
                events = Event.search([
                        ('case', '=', case.id),
                        ('kind', 'in', ['mail_bounced', 'reply'])])
                self.assertEqual(
                    ['after the case was closed' in e.summary
                        for e in events],
                    [
                        (mail.bounced_at if e.kind == 'mail_bounced'
                            else e.at) > closed_at
                        for e in events])

    @with_transaction()
    def test_read(self):
        "Test that an event read alone is the one that was found"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            self.fill(case)
            events = Event.search([('case', '=', case.id)])
            self.assertEqual(len({e.id for e in events}), len(events))
            found = {e.id: (e.kind, e.at, str(e.origin)) for e in events}
            for event in events:
                Transaction().cache.clear()
                read, = Event.read([event.id], ['kind', 'at', 'origin'])
                self.assertEqual(
                    (read['kind'], read['at'], read['origin']),
                    found[event.id])
            Transaction().cache.clear()
            with count_statements() as statements:
                Event.read([events[0].id], ['kind'])
            statement, = [s for s in statements if 'UNION' in s or 'CAST' in s]
            self.assertNotIn('UNION', statement)

    @with_transaction()
    def test_access(self):
        "Test that the words of others are read by Sensitive Reasons only"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        with set_up() as (company, session, prescriber):
            assistant = create_user('assistant', company, 'training')
            reader = create_user(
                'reader', company, 'training', 'sensitive_reason')
            outsider = create_user('outsider', company)
            case, = self.open_cases(session, prescriber)
            self.fill(case)
            ids = [e.id for e in Event.search([('case', '=', case.id)])]

            texts = {}
            for user in [assistant, reader]:
                with as_user(user):
                    texts[user] = {
                        e['kind']: e['text']
                        for e in Event.read(ids, ['kind', 'text'])}
            for kind in ['reply', 'follow_up']:
                self.assertIsNone(texts[assistant][kind])
                self.assertEqual(texts[reader][kind], PRIVATE)
            # What the provider writes itself
            self.assertTrue(texts[assistant]['mail_failed'])
            self.assertTrue(texts[assistant]['mail_bounced'])
            self.assertIsNone(texts[assistant]['step'])
            with as_user(assistant):
                events = Event.read(
                    ids, [n for n in Event._fields if n != 'text'])
                self.assertNotIn(PRIVATE, str(events))
            with as_user(outsider):
                with self.assertRaises(Exception):
                    Event.search([('case', '=', case.id)])

    @with_transaction()
    def test_open_origin(self):
        "Test that an event opens its record"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        with set_up() as (company, session, prescriber):
            assistant = create_user('assistant', company, 'training')
            case, = self.open_cases(session, prescriber)
            self.fill(case)
            events = Event.search([
                    ('case', '=', case.id), ('kind', '=', 'mail_bounced')])
            with as_user(assistant):
                action = Event.open_origin(Event.browse(events))
            self.assertEqual(action['res_model'], 'training.mail')
            self.assertEqual(action['res_id'], [events[0].origin.id])

    @with_transaction()
    def test_statements(self):
        "Test that many events take as many statements as few"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        with set_up() as (company, session, prescriber):
            cases = self.open_cases(session, prescriber, 10)
            for case in cases:
                self.fill(case)
            counts = []
            # The first time reads what is the same for all
            for number in [4, 1, 4]:
                Transaction().cache.clear()
                ids = [e.id for c in cases[:number] for e in c.events][:90]
                Transaction().cache.clear()
                with count_statements() as statements:
                    Event.read(
                        ids, ['at', 'summary', 'by', 'party.rec_name'])
                counts.append(len(statements))
            self.assertEqual(*counts[1:])
