# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from contextlib import contextmanager
from unittest.mock import patch

from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_company
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import (
    LetterError, ProcedureError)
from trytond.modules.training_abandon.training.working_day import (
    WorkingCalendar)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DatabaseTestCase, at, count_statements, create_enrolments,
    create_session, create_user, mail_server, run_wizard, set_up, today)

DAY = dt.timedelta(days=1)


@contextmanager
def same_transaction():
    "Keep what is committed in the transaction of the test"
    transaction = Transaction()
    with patch.object(transaction, 'commit'), \
            patch.object(transaction, 'rollback'):
        yield


class DeadlineTestCase(DatabaseTestCase):
    "Test the reminders, the escalation and the silence"
    language = 'fr'

    def ask(self, session, count=1, day=DATE, accept=True):
        "Return cases whose trainees were asked the reasons on the day"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        enrolments = create_enrolments(session, count)
        with today(day):
            cases = Case.browse(
                Case.open_cases(enrolments, 'absence', DATE))
            run_wizard('training.abandon.case.ask_reasons', cases[:50])
            for start in range(50, count, 50):
                run_wizard(
                    'training.abandon.case.ask_reasons',
                    cases[start:start + 50])
        if accept:
            self.accept(day)
        return Case.browse(cases)

    def accept(self, day):
        "Have the server accept the mails that wait"
        pool = Pool()
        Mail = pool.get('training.mail')
        Mail.write(Mail.search([('state', '=', 'queued')]), {
                'state': 'sent',
                'sent_at': dt.datetime.combine(day, dt.time(10)),
                })

    def remind(self, day):
        "Return the new reminders of the day"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        before = Mail.search([])
        with today(day), same_transaction():
            Case.remind()
        return [m for m in Mail.search([], order=[('id', 'ASC')])
            if m not in before]

    def escalate(self, day):
        "Return who is told on the day, with the label and the cases"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with today(day), same_transaction():
            Case.escalate()
        return self.notified()

    def qualify(self, day):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with today(day), same_transaction():
            Case.qualify()

    def notified(self):
        "Return the notifications, once stored, and forget them"
        pool = Pool()
        Notification = pool.get('res.notification')
        notifications = Transaction().user_notifications
        Notification.save(notifications)
        result = sorted(
            (n.user.login, n.label, n.description, n.records)
            for n in notifications)
        notifications.clear()
        return result

    def revise(self, activate=True, letters=None, **steps):
        """Revise the procedure with the values of the steps by kind, and of
        the procedure itself as silence_delay."""
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.procedure.step')
        active, = Procedure.search([('state', '=', 'active')])
        procedure, = Procedure.copy([active], {'state': 'draft'})
        if 'silence_delay' in steps:
            Procedure.write([procedure], {
                    'silence_delay': steps.pop('silence_delay')})
        for kind, values in steps.items():
            Step.write([procedure.get_step(kind)], values)
        for key, values in (letters or {}).items():
            letter = procedure.get_letter(*key)
            if values is None:
                Letter.delete([letter])
            else:
                Letter.write([letter], values)
        if activate:
            Procedure.activate([procedure])
        return Procedure(procedure.id)

    @with_transaction()
    def test_remind(self):
        "Test that those who do not answer are reminded, each time once"
        with set_up() as (company, session, _):
            case, = self.ask(session, accept=False)
            # Nobody has received anything yet
            self.assertEqual(self.remind(DATE + 7 * DAY), [])
            self.accept(DATE + DAY)
            step = case.get_step('ask_reasons')
            with today(DATE + 2 * DAY):
                self.assertEqual(step.next_reminder, DATE + 4 * DAY)
            self.assertEqual(self.remind(DATE + 3 * DAY), [])

            first, = self.remind(DATE + 4 * DAY)
            self.assertEqual(
                (first.case, first.step, first.party, first.reminder,
                    first.letter.variant, first.state),
                (case, step, case.enrolment.trainee.party, 1,
                    'reminder', 'queued'))
            self.assertIn("Bookkeeping", first.body)
            # Not again, whether it has left or not
            self.assertEqual(self.remind(DATE + 4 * DAY), [])
            self.assertEqual(self.remind(DATE + 8 * DAY), [])
            self.accept(DATE + 4 * DAY)
            self.assertEqual(self.remind(DATE + 8 * DAY), [])

            # The week-end does not count
            second, = self.remind(DATE + 9 * DAY)
            self.assertEqual(second.reminder, 2)
            self.accept(DATE + 9 * DAY)
            for day in range(10, 40):
                self.assertEqual(self.remind(DATE + day * DAY), [])
            step = type(step)(step.id)
            self.assertEqual(step.reminder_count, 2)
            self.assertEqual(step.last_reminder, DATE + 9 * DAY)
            self.assertIsNone(step.next_reminder)

    @with_transaction()
    def test_remind_signed(self):
        "Test that the owner signs the reminders and gets their answers"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            case, = self.ask(session)
            owner = create_user('assistant', company, 'training').employee
            Case.write([case], {'owner': owner.id})
            with Transaction().set_user(0), Transaction().reset_context():
                mail, = self.remind(DATE + 3 * DAY)
            self.assertIn("Assistant", mail.body)

    @with_transaction()
    def test_remind_cancelled(self):
        "Test that who cancels a reminder does not get the same again"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, _):
            self.ask(session)
            first, = self.remind(DATE + 3 * DAY)
            Mail.cancel([first])
            table = Mail.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.create_date],
                    [dt.datetime.combine(DATE + 3 * DAY, dt.time(12))],
                    where=table.id == first.id))
            self.assertEqual(self.remind(DATE + 4 * DAY), [])
            second, = self.remind(DATE + 8 * DAY)
            self.assertEqual(second.reminder, 2)

    def answers(self, case):
        "Yield functions that record an answer of the trainee"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        Reply = pool.get('training.mail.reply')

        def call(outcome, **values):
            FollowUp.create([{
                        'company': case.company.id,
                        'enrolment': case.enrolment.id,
                        'kind': 'call',
                        'party': case.enrolment.trainee.party.id,
                        'done_at': dt.datetime.combine(
                            DATE + 2 * DAY, dt.time(9)),
                        'outcome': outcome,
                        **values}])

        def reply(kind, **values):
            reply, = Reply.create([{
                        'company': case.company.id,
                        'case': case.id,
                        'party': case.enrolment.trainee.party.id,
                        'received_at': dt.datetime.combine(
                            DATE + 2 * DAY, dt.time(9)),
                        'message_id': f'<{case.id}@example.com>',
                        'kind': kind,
                        'state': 'new',
                        **values}])
            return reply

        yield lambda: Case.declare_reasons(
            [case], self.get_reasons('time.lack')), True
        yield lambda: call('reached'), True
        yield lambda: call('appointment', kind='meeting'), True
        yield lambda: call('no_answer'), False
        yield lambda: call(
            'reached', party=case.company.party.id), False
        yield lambda: call(
            'reached',
            done_at=dt.datetime.combine(DATE - DAY, dt.time(9))), False
        yield lambda: Case.declare_reasons(
            [case], self.get_reasons('no_answer')), False
        yield lambda: reply('answer'), True
        yield lambda: reply('auto_reply'), False
        # Nobody has told yet that it is not the answer
        yield lambda: reply('answer', other_sender=True), True
        yield lambda: Reply.handle([reply('answer', counted=True)]), True

    def get_reasons(self, code):
        pool = Pool()
        Reason = pool.get('training.abandon.reason')
        return Reason.search([('code', '=', code)])

    @with_transaction()
    def test_remind_answered(self):
        "Test that an answer cancels the reminders that wait, and them only"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, _):
            cases = self.ask(session, 11)
            pending = self.ask(session, 1, accept=False)
            mails = {m.case: m for m in self.remind(DATE + 3 * DAY)}
            self.assertEqual(set(mails), set(cases))
            awaited = set()
            for case in cases:
                for number, (answer, is_answer) in enumerate(
                        self.answers(case)):
                    if number == cases.index(case):
                        answer()
                        if not is_answer:
                            awaited.add(case)
            for case in cases:
                with self.subTest(case=cases.index(case)):
                    mail = Mail(mails[case].id)
                    self.assertEqual(
                        mail.state,
                        'queued' if case in awaited else 'cancelled')
                    self.assertEqual(
                        bool(mail._get_outdated()), case not in awaited)
                    self.assertEqual(
                        case in Case.search([
                                ('steps', 'where', [
                                        ('waiting', '=', True)])]),
                        case in awaited)
                    self.assertEqual(
                        Step(case.get_step('ask_reasons').id).waiting,
                        case in awaited)
            self.assertEqual(
                {m.state for c in cases for m in c.mails
                    if not m.reminder}, {'sent'})
            self.assertEqual(pending[0].mails[0].state, 'queued')
            # None of the others is reminded any more
            self.accept(DATE + 3 * DAY)
            self.assertEqual(
                {m.case for m in self.remind(DATE + 8 * DAY)},
                {*awaited, *pending})

    @with_transaction()
    def test_remind_states(self):
        "Test that the reminders leave in the states of their letter"
        with set_up() as (company, session, _):
            case, = self.ask(session)
            type(case).write([case], {'state': 'exchanged'})
            self.assertEqual(self.remind(DATE + 3 * DAY), [])
            self.assertIsNone(case.get_step('ask_reasons').next_reminder)
            type(case).write([case], {'state': 'analysed'})
            self.assertEqual(len(self.remind(DATE + 3 * DAY)), 1)
            type(case).cancel([case])
            self.assertEqual(
                [m.state for m in case.mails if m.reminder], ['cancelled'])

    @with_transaction()
    def test_remind_refused(self):
        "Test that nobody is reminded of what did not arrive"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, _):
            failed, bounced = self.ask(session, 2)
            Mail.write(list(failed.mails), {'state': 'failed'})
            Mail.write(list(bounced.mails), {
                    'bounced_at': dt.datetime.combine(DATE, dt.time(11))})
            self.assertEqual(self.remind(DATE + 3 * DAY), [])
            self.assertFalse(bounced.get_step('ask_reasons').waiting)

    @with_transaction()
    def test_remind_replaced(self):
        "Test that the mail sent to another address is the one that counts"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, _):
            case, = self.ask(session)
            bounced, = case.mails
            Mail.write([bounced], {
                    'bounced_at': dt.datetime.combine(DATE, dt.time(11))})
            bounced.readdress('other@example.com')
            self.assertEqual(self.remind(DATE + 4 * DAY), [])
            self.accept(DATE + DAY)
            self.assertEqual(self.remind(DATE + 3 * DAY), [])
            self.assertTrue(case.get_step('ask_reasons').waiting)
            mail, = self.remind(DATE + 4 * DAY)
            self.assertEqual(mail.reminder, 1)

    @with_transaction()
    def test_remind_unattached(self):
        "Test that a message of the party without case holds its reminders"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        with set_up() as (company, session, _):
            case, = self.ask(session)
            reply, = Reply.create([{
                        'company': company.id,
                        'party': case.enrolment.trainee.party.id,
                        'received_at': dt.datetime.combine(
                            DATE + DAY, dt.time(9)),
                        'message_id': '<1@example.com>',
                        'kind': 'unknown',
                        }])
            self.assertEqual(self.remind(DATE + 3 * DAY), [])
            Reply.ignore([reply])
            self.assertEqual(len(self.remind(DATE + 3 * DAY)), 1)

    @with_transaction()
    def test_remind_evidence(self):
        "Test that a reminder neither proves nor spoils its step"
        pool = Pool()
        Mail = pool.get('training.mail')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, _):
            case, = self.ask(session)
            mail, = self.remind(DATE + 3 * DAY)
            for state in ['queued', 'failed', 'cancelled', 'sent']:
                Mail.write([mail], {'state': state})
                self.assertEqual(
                    Step(case.get_step('ask_reasons').id).evidence, 'proven')

    @with_transaction()
    def test_remind_no_address(self):
        "Test that the owner is told, once, of who cannot be reminded"
        pool = Pool()
        Contact = pool.get('party.contact_mechanism')
        with set_up() as (company, session, _):
            case, other = self.ask(session, 2)
            party = case.enrolment.trainee.party
            Contact.write(list(party.contact_mechanisms), {'active': False})
            mail, = self.remind(DATE + 3 * DAY)
            self.assertEqual(mail.case, other)
            notified = self.notified()
            (login, _, description, records), = notified
            self.assertEqual((login, records), ('admin', f'[{case.id}]'))
            self.assertIn(party.rec_name, description)
            self.assertEqual(self.remind(DATE + 3 * DAY), [])
            self.assertEqual(self.remind(DATE + 4 * DAY), [])
            self.assertEqual(self.notified(), [])

            Contact.create([{
                        'party': party.id,
                        'type': 'email',
                        'value': 'new@example.com',
                        }])
            mail, = self.remind(DATE + 4 * DAY)
            self.assertEqual(
                (mail.case, mail.to), (case, 'new@example.com'))
            self.assertIsNone(
                case.get_step('ask_reasons').not_reminded_at)

    @with_transaction()
    def test_remind_letter_error(self):
        "Test that a letter that cannot be written does not stop the others"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        with set_up() as (company, session, _):
            cases = self.ask(session, 3)
            render = Letter.render

            def fail(self, **context):
                if context['case'] == cases[1].number:
                    raise LetterError("Broken")
                return render(self, **context)

            with patch.object(Letter, 'render', fail):
                mails = self.remind(DATE + 3 * DAY)
            self.assertEqual([m.case for m in mails], [cases[0], cases[2]])
            (_, _, description, records), = self.notified()
            self.assertEqual(records, f'[{cases[1].id}]')
            self.assertIn("Broken", description)

    @with_transaction()
    def test_remind_certify(self):
        "Test that the signature of the certificate stops its reminders"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Certificate = pool.get('training.abandon.certificate')
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        Report = pool.get('training.abandon.certificate', type='report')
        with set_up() as (company, session, _):
            cases = self.ask(session, 3)
            day = DATE + 2 * DAY
            with today(day), patch.object(
                    Report, 'execute',
                    lambda *args: ('pdf', b'%PDF', False, 'x')):
                for kind in [
                        'analyse', 'propose', 'exchange', 'follow_up']:
                    Case.skip_step(cases, "Announced")
                Case.apply_decision(cases, 'validated', 'abandonment', day)
                for kind, group in [
                        ('statement', cases[:2]), ('record', cases[2:])]:
                    group = Case.browse(group)
                    Case.apply_certify(
                        group, Case.render_letters(
                            Case.recipients(group, ['trainee']), 'certify',
                            lambda case: case.certificate_variant(kind)),
                        kind=kind)
            self.accept(day)
            first, second = self.remind(day + 7 * DAY)
            self.assertEqual(
                ([first.case, second.case], first.kind),
                (cases[:2], 'certify'))
            Certificate.refuse([first.case.certificate])
            self.assertEqual(Mail(first.id).state, 'cancelled')
            self.assertEqual(Mail(second.id).state, 'queued')
            self.accept(day + 7 * DAY)
            # A scan may be in the reply
            reply, = Reply.create([{
                        'company': company.id,
                        'case': cases[1].id,
                        'party': cases[1].enrolment.trainee.party.id,
                        'received_at': dt.datetime.combine(
                            day + 8 * DAY, dt.time(9)),
                        'message_id': '<1@example.com>',
                        'kind': 'answer',
                        'counted': True,
                        }])
            self.assertEqual(self.remind(day + 14 * DAY), [])
            Reply.handle([reply])
            self.assertEqual(
                [m.case for m in self.remind(day + 14 * DAY)], [cases[1]])

    @with_transaction()
    def test_remind_follow_up(self):
        "Test that each of the parties with a letter is reminded until it "
        "responds"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Letter = pool.get('training.abandon.procedure.letter')
        Proposal = pool.get('training.abandon.proposal')
        Response = pool.get('training.abandon.proposal.response')
        with set_up() as (company, session, prescriber):
            procedure = self.revise(
                activate=False, follow_up={'reminder_count': 2})
            Letter.copy(
                [procedure.get_letter('follow_up', 'reminder', 'trainee')],
                {'audience': 'stakeholder', 'text': "Stakeholder"})
            type(procedure).activate([procedure])
            enrolments = create_enrolments(session, 2, prescriber)
            with today(DATE):
                cases = Case.browse(
                    Case.open_cases(enrolments, 'absence', DATE))
                for _ in range(5):
                    Case.skip_step(cases, "Announced")
                Proposal.create([{
                            'case': c.id, 'description': "Later",
                            } for c in cases])
                run_wizard('training.abandon.case.follow_up', cases)
            self.accept(DATE)
            mails = self.remind(DATE + 7 * DAY)
            self.assertEqual(
                {(m.case, m.party) for m in mails},
                {(c, p) for c in cases
                    for p in [prescriber, c.enrolment.trainee.party]})
            Response.create([{
                        'proposal': cases[0].proposals[0].id,
                        'party': prescriber.id,
                        'answer': 'accepted',
                        'at': dt.datetime.combine(DATE, dt.time(12)),
                        'channel': 'call',
                        }])
            self.accept(DATE + 7 * DAY)
            mails = self.remind(DATE + 14 * DAY)
            self.assertEqual(
                {(m.case, m.party, m.reminder) for m in mails}, {
                    (cases[0], cases[0].enrolment.trainee.party, 2),
                    (cases[1], cases[1].enrolment.trainee.party, 2),
                    (cases[1], prescriber, 2)})

    @with_transaction()
    def test_remind_locked(self):
        "Test that the steps somebody else has are left for the next time"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, _):
            busy, free = self.ask(session, 2)
            with patch.object(
                    Step, 'lock_free',
                    lambda ids: [
                        i for i in ids
                        if i != busy.get_step('ask_reasons').id]):
                mail, = self.remind(DATE + 3 * DAY)
            self.assertEqual(mail.case, free)
            mail, = self.remind(DATE + 3 * DAY)
            self.assertEqual(mail.case, busy)

    @with_transaction()
    def test_remind_statements(self):
        "Test that as many statements remind 10 trainees as 100"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, _):
            counts = []
            for count in [10, 90]:
                cases = self.ask(session, count)
                with today(DATE + 3 * DAY), same_transaction():
                    with count_statements() as statements:
                        Step.waiting_parties()
                    self.assertEqual(len(statements), 1)
                    with count_statements() as statements:
                        Case.remind()
                    # Each mail has a message of its own to store
                    counts.append(len([
                                s for s in statements
                                if 'INSERT' not in s
                                and 'last_insert' not in s.lower()
                                and 'SET "message' not in s]))
                self.assertEqual(
                    {len(c.mails) for c in Case.browse(cases)}, {2})
            self.assertLess(counts[1], counts[0] + 15)
            with today(DATE + 3 * DAY), same_transaction():
                with count_statements() as statements:
                    Case.remind()
            self.assertLessEqual(len(statements), 2)

    @with_transaction()
    def test_reminder_letters(self):
        "Test that a procedure with reminders has their letters"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        reminder = ('ask_reasons', 'reminder', 'trainee')
        procedure = self.revise(activate=False, letters={reminder: None})
        with self.assertRaises(ProcedureError):
            Procedure.activate([procedure])
        for kind in ['inform', 'analyse', 'propose', 'decide']:
            Procedure.delete([procedure])
            procedure = self.revise(activate=False, **{
                    kind: {'reminder_count': 1, 'reminder_delay': 2}})
            with self.assertRaises(ProcedureError):
                Procedure.activate([procedure])

        with set_up() as (company, session, _):
            # A procedure that was activated without
            case, = self.ask(session)
            pool.get('training.abandon.procedure.letter').delete(
                [case.procedure.get_letter(*reminder)])
            self.assertEqual(self.remind(DATE + 3 * DAY), [])
            self.assertIsNone(case.get_step('ask_reasons').next_reminder)

    @with_transaction()
    def test_reminder_days(self):
        "Test the days of the reminders"
        pool = Pool()
        Closure = pool.get('training.closure')
        with set_up() as (company, session, _):
            Closure.create([{
                        'company': company.id,
                        'name': "Works",
                        'start_date': DATE + 3 * DAY,
                        'end_date': DATE + 4 * DAY,
                        }])
            self.ask(session)
            for day in range(7):
                self.assertEqual(self.remind(DATE + day * DAY), [])
            self.assertEqual(len(self.remind(DATE + 7 * DAY)), 1)

    @with_transaction()
    def test_reminder_late_cron(self):
        "Test that a reminder missed on a day off leaves on the next one"
        with set_up() as (company, session, _):
            self.ask(session)
            self.assertEqual(self.remind(DATE + 5 * DAY), [])
            self.assertEqual(self.remind(DATE + 6 * DAY), [])
            self.assertEqual(len(self.remind(DATE + 7 * DAY)), 1)

    @with_transaction()
    def test_reminder_calendar(self):
        "Test the dates of the reminders at DST, year end and leap day"
        pool = Pool()
        Step = pool.get('training.abandon.procedure.step')
        calendar = WorkingCalendar(create_company())
        for unit, delay, sent, expected in [
                # Last Sundays of March and October
                ('day', 2, dt.date(2026, 3, 28), dt.date(2026, 3, 30)),
                ('working_day', 1, dt.date(2026, 3, 27),
                    dt.date(2026, 3, 30)),
                ('day', 1, dt.date(2026, 10, 24), dt.date(2026, 10, 26)),
                # 1 January is a holiday and the next days a week-end
                ('day', 1, dt.date(2026, 12, 31), dt.date(2027, 1, 4)),
                ('working_day', 2, dt.date(2026, 12, 31),
                    dt.date(2027, 1, 5)),
                ('day', 1, dt.date(2028, 2, 28), dt.date(2028, 2, 29)),
                ('working_day', 1, dt.date(2028, 2, 29),
                    dt.date(2028, 3, 1)),
                # 8 May and Ascension, 14 May 2026
                ('day', 3, dt.date(2026, 5, 5), dt.date(2026, 5, 11)),
                ('working_day', 1, dt.date(2026, 5, 13),
                    dt.date(2026, 5, 15)),
                ]:
            with self.subTest(unit=unit, sent=sent):
                step = Step(delay_unit=unit, reminder_delay=delay)
                self.assertEqual(
                    step.compute_reminder_date(sent, calendar), expected)

    @with_transaction()
    def test_reminder_timezone(self):
        "Test that the days are those of the company"
        pool = Pool()
        with set_up() as (company, session, _):
            for timezone, hour, day in [
                    # Already the next day
                    ('Indian/Reunion', 21, DATE + DAY),
                    ('Europe/Paris', 23, DATE + DAY),
                    # Still the day
                    ('Europe/Paris', 22, DATE),
                    ('America/Martinique', 23, DATE),
                    # Still the day before, a Sunday
                    ('America/Martinique', 3, DATE - DAY),
                    ]:
                with self.subTest(timezone=timezone, hour=hour):
                    company.timezone = timezone
                    company.save()
                    case, = self.ask(session, accept=False)
                    pool.get('training.mail').write(list(case.mails), {
                            'state': 'sent',
                            'sent_at': dt.datetime.combine(
                                DATE, dt.time(hour)),
                            })
                    expected = WorkingCalendar(company).add(day, 3)
                    with today(DATE + DAY):
                        self.assertEqual(
                            case.get_step('ask_reasons').next_reminder,
                            expected)
                    self.assertEqual(self.remind(expected - DAY), [])
                    self.assertEqual(
                        [m.case for m in self.remind(expected)], [case])

    @with_transaction()
    def test_today_timezone(self):
        "Test that an evening is the next day for the companies overseas"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, _):
            self.ask(session)
        for timezone, expected in [
                ('Indian/Reunion', 1), ('America/Martinique', 0)]:
            company.timezone = timezone
            company.save()
            now = dt.datetime.combine(
                DATE + 2 * DAY, dt.time(22), tzinfo=dt.timezone.utc)
            with patch('trytond.ir.date.datetime') as datetime:
                datetime.datetime.now.side_effect = now.astimezone
                self.assertEqual(
                    tools.today(company), DATE + (2 + expected) * DAY)
                self.assertEqual(len(Step.due_reminders()), expected)

    @with_transaction()
    def test_due_dates(self):
        "Test the due dates at DST, year end, leap day and overseas"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, _, _):
            for timezone, opening, done_at, expected in [
                    ('Europe/Paris', dt.date(2026, 3, 27),
                        # 23:30 on the Sunday that has 23 hours
                        dt.datetime(2026, 3, 29, 21, 30),
                        dt.date(2026, 4, 1)),
                    ('Europe/Paris', dt.date(2026, 10, 23),
                        dt.datetime(2026, 10, 25, 22, 30),
                        dt.date(2026, 10, 28)),
                    ('Europe/Paris', dt.date(2026, 12, 30),
                        # The new year has begun
                        dt.datetime(2026, 12, 31, 23, 30),
                        dt.date(2027, 1, 6)),
                    ('Indian/Reunion', dt.date(2026, 12, 30),
                        dt.datetime(2026, 12, 31, 19, 30),
                        dt.date(2027, 1, 6)),
                    ('America/Martinique', dt.date(2028, 2, 28),
                        # Still the leap day
                        dt.datetime(2028, 3, 1, 3, 30),
                        dt.date(2028, 3, 3)),
                    ]:
                with self.subTest(timezone=timezone, opening=opening):
                    company.timezone = timezone
                    company.save()
                    with today(opening):
                        session = create_session(company, opening)
                        case, = Case.open_cases(
                            create_enrolments(session), 'absence', opening)
                    with today(opening), at(done_at):
                        run_wizard(
                            'training.abandon.case.ask_reasons',
                            Case.browse([case]))
                    self.assertEqual(
                        Case(case.id).get_step('analyse').due_date, expected)

    @with_transaction()
    def test_escalate(self):
        "Test that the owner, then the administrators are told once"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        User = pool.get('res.user')
        Lang = pool.get('ir.lang')
        with set_up() as (company, session, prescriber):
            self.revise(inform={'escalation_delay': 2})
            french, = Lang.search([('code', '=', 'fr')])
            assistant = create_user('assistant', company, 'training')
            create_user('chief', company, 'training', 'training_admin')
            User.write([assistant], {'language': french.id})
            enrolments = create_enrolments(session, 2, prescriber)
            with today(DATE):
                cases = Case.browse(
                    Case.open_cases(enrolments, 'absence', DATE))
            Case.write(cases, {'owner': assistant.employee.id})
            records = f'[{cases[0].id}, {cases[1].id}]'
            due = cases[0].steps[0].due_date
            self.assertEqual(due, DATE + 2 * DAY)

            self.assertEqual(self.escalate(due), [])
            (login, _, description, told), = self.escalate(due + DAY)
            self.assertEqual((login, told), ('assistant', records))
            for case in cases:
                self.assertIn(case.rec_name, description)
            self.assertIn(french.strftime(due), description)
            self.assertEqual(
                (cases[0].steps[0].escalation,
                    cases[0].steps[0].escalated_on), ('owner', due + DAY))
            self.assertEqual(self.escalate(due + DAY), [])
            # Friday to Monday is one working day
            self.assertEqual(self.escalate(due + 4 * DAY), [])

            told = self.escalate(due + 5 * DAY)
            self.assertEqual(
                {(login, records) for login, _, _, records in told},
                {('chief', records), ('admin', records)})
            for day in range(5, 20):
                self.assertEqual(self.escalate(due + day * DAY), [])

    @with_transaction()
    def test_escalate_day_off(self):
        "Test that nobody is told on a day off and of ended cases"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            enrolments = create_enrolments(session, 2, prescriber)
            with today(DATE + DAY):
                case, cancelled = Case.browse(
                    Case.open_cases(enrolments, 'absence', DATE + DAY))
                Case.cancel([cancelled])
            saturday = DATE + 5 * DAY
            self.assertEqual(case.steps[0].due_date, DATE + 3 * DAY)
            self.assertEqual(self.escalate(saturday), [])
            self.assertEqual(self.escalate(saturday + DAY), [])
            (_, _, _, records), *_ = self.escalate(saturday + 2 * DAY)
            self.assertEqual(records, f'[{case.id}]')

    @with_transaction()
    def test_escalate_failed(self):
        "Test that a step whose evidence has failed is late too"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, _):
            case, = self.ask(session)
            ask = case.get_step('ask_reasons')
            analyse = case.get_step('analyse')
            self.assertEqual(analyse.due_date, DATE + 3 * DAY)
            self.assertEqual(self.escalate(DATE + 3 * DAY), [])
            Mail.write(list(case.mails), {'state': 'failed'})
            told = self.escalate(DATE + 3 * DAY)
            self.assertEqual(len(told), 1)
            self.assertEqual(ask.escalation, 'owner')
            self.assertIsNone(analyse.escalation)

    def open_owned(self, company, prescriber, session):
        "Return a case to do and the user who is its owner"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        user = create_user('assistant', company, 'training')
        with today(DATE):
            case, = Case.browse(Case.open_cases(
                    create_enrolments(session, 1, prescriber),
                    'absence', DATE))
        Case.write([case], {'owner': user.employee.id})
        return case, user

    def logins(self, day):
        return [login for login, *_ in self.escalate(day)]

    @with_transaction()
    def test_escalate_again(self):
        "Test that somebody is told again of what has failed again"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            case, _ = self.open_owned(company, prescriber, session)
            step, = [s for s in case.steps if s.kind == 'inform']
            day = DATE + 3 * DAY
            self.assertEqual(self.logins(day), ['assistant'])
            with today(day):
                run_wizard('training.abandon.case.inform', [case])
            self.assertIsNone(step.escalation)
            mail, = case.mails
            Transaction().tasks.clear()
            for happens in [
                    lambda: Mail.deliver([mail]),
                    lambda: Mail.write([mail], {
                            'state': 'sent',
                            'bounced_at': dt.datetime.combine(
                                day, dt.time(9)),
                            })]:
                with mail_server(rcpt=(550, b'No')):
                    happens()
                self.notified()
                self.assertEqual(self.logins(day), ['assistant'])
                self.assertEqual(self.logins(day), [])

    @with_transaction()
    def test_escalate_owner(self):
        "Test that another owner is told, and of what one left behind"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            self.revise(inform={'escalation_delay': None})
            case, assistant = self.open_owned(company, prescriber, session)
            day = DATE + 3 * DAY
            self.assertEqual(self.logins(day), ['assistant'])
            other = create_user('other', company, 'training')
            Case.write([case], {'owner': other.employee.id})
            self.assertEqual(self.logins(day), ['other'])
            self.assertEqual(self.logins(day), [])

            User.write([other], {'active': False})
            self.assertEqual(self.logins(day), ['admin'])
            self.assertEqual(case.steps[0].escalation, 'administrator')
            self.assertEqual(self.logins(day + DAY), [])

    @with_transaction()
    def test_escalate_statements(self):
        "Test that as many statements escalate 10 cases as 100"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            counts = []
            for count in [10, 90]:
                enrolments = create_enrolments(session, count, prescriber)
                with today(DATE):
                    Case.open_cases(enrolments, 'absence', DATE)
                with today(DATE + 4 * DAY), same_transaction():
                    with count_statements() as statements:
                        Case.escalate()
                counts.append(len(statements))
                self.assertEqual(len(self.notified()), 1)
            self.assertLess(counts[1], counts[0] + 10)
            with today(DATE + 4 * DAY), same_transaction():
                with count_statements() as statements:
                    Case.escalate()
            self.assertLessEqual(len(statements), 2)

    def silence(self, session, count=1, **values):
        """Return cases whose trainees are silent and the day on which the
        procedure qualifies them."""
        self.revise(**{
                'silence_delay': 10,
                'ask_reasons': {'reminder_count': 1, 'reminder_delay': 3},
                **values})
        cases = self.ask(session, count)
        self.remind(DATE + 3 * DAY)
        self.accept(DATE + 3 * DAY)
        self.notified()
        return cases, DATE + 14 * DAY

    @with_transaction()
    def test_qualify(self):
        "Test that a procedure validates the abandonment after a silence"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            (case,), day = self.silence(session)
            self.qualify(day - DAY)
            self.assertEqual(Case(case.id).state, 'inquiring')
            self.qualify(day - 2 * DAY)
            self.qualify(day)
            case = Case(case.id)
            self.assertEqual(
                (case.state, case.decision, case.ground,
                    case.effective_date),
                ('validated', 'validated', 'abandonment', session.end_date))
            self.assertEqual(case.enrolment.state, 'withdrawn')
            self.assertEqual(
                {s.kind: s.state for s in case.steps}, {
                    'inform': 'skipped', 'ask_reasons': 'done',
                    'analyse': 'skipped', 'propose': 'skipped',
                    'exchange': 'skipped', 'follow_up': 'skipped',
                    'decide': 'done', 'certify': 'todo'})
            for text in [
                    case.decision_note, case.get_step('analyse').skip_reason]:
                self.assertIn(case.procedure.rec_name, text)
                self.assertIn("10", text)
            (login, _, description, records), = self.notified()
            self.assertEqual(
                (login, records), ('admin', f'[{case.id}]'))
            self.qualify(day)
            self.assertEqual(self.notified(), [])

    @with_transaction()
    def test_qualify_refused(self):
        "Test that the owner is told what keeps a case from being qualified"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            cases, day = self.silence(session, 2)
            apply_decision = Case.apply_decision

            def fail(decided, *args, **kwargs):
                if cases[0] in decided:
                    raise AccessError("Locked period")
                apply_decision(decided, *args, **kwargs)

            with patch.object(Case, 'apply_decision', fail):
                self.qualify(day)
            self.assertEqual(Case(cases[1].id).state, 'validated')
            (_, label, description, records), _ = sorted(
                self.notified(), key=lambda n: n[3])
            self.assertEqual(records, f'[{cases[0].id}]')
            self.assertIn(cases[0].rec_name, label)
            self.assertEqual(description, "Locked period")

    @with_transaction()
    def test_qualify_not_written(self):
        "Test that nothing moves unless the procedure tells so"
        with set_up() as (company, session, _):
            (case,), day = self.silence(session, silence_delay=None)
            for days in [0, 30, 60]:
                self.qualify(day + days * DAY)
            self.assertEqual(case.state, 'inquiring')
            self.assertEqual(self.notified(), [])

    @with_transaction()
    def test_qualify_reminders_first(self):
        "Test that the trainee has had the time to answer the reminders"
        with set_up() as (company, session, _):
            (case,), _ = self.silence(session, silence_delay=3)
            self.qualify(DATE + 7 * DAY)
            self.assertEqual(case.state, 'inquiring')
            self.qualify(DATE + 8 * DAY)
            self.assertEqual(type(case)(case.id).state, 'validated')

    @with_transaction()
    def test_qualify_heard(self):
        "Test that nobody is qualified who was heard or not reached"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        Slot = pool.get('training.session.slot')

        def reply(case, kind, /, **values):
            Reply.create([{
                        'company': case.company.id,
                        'case': case.id,
                        'received_at': dt.datetime.combine(
                            DATE + DAY, dt.time(9)),
                        'message_id': f'<{case.id}@example.com>',
                        'kind': kind,
                        'state': 'new',
                        **values}])

        def write(case, days, **values):
            Mail.copy([m for m in case.mails if not m.reminder], {
                    'kind': 'exchange',
                    'letter': None,
                    'state': 'sent',
                    'sent_at': dt.datetime.combine(
                        DATE + days * DAY, dt.time(10)),
                    **values})

        def replace(case):
            mail, = [m for m in case.mails if not m.reminder]
            Mail.write([mail], {'bounced_at': dt.datetime(2026, 3, 2)})
            Mail.write([mail.readdress('other@example.com')], {
                    'state': 'sent',
                    'sent_at': dt.datetime.combine(DATE, dt.time(11)),
                    })

        def call(case, outcome, days=1):
            FollowUp.create([{
                        'company': case.company.id,
                        'enrolment': case.enrolment.id,
                        'kind': 'call',
                        'party': case.enrolment.trainee.party.id,
                        'done_at': dt.datetime.combine(
                            DATE + days * DAY, dt.time(9)),
                        'outcome': outcome,
                        }])

        def come(case, *states):
            slots = case.enrolment.session.slots[:len(states)]
            Slot.open(slots)
            for slot, state in zip(slots, states):
                Attendance.write(Attendance.search([
                            ('slot', '=', slot.id),
                            ('enrolment', '=', case.enrolment.id),
                            ]), {'state': state})
            Slot.close(slots)

        happenings = [
            ('nothing', lambda c: None, True),
            ('answer', lambda c: Case.declare_reasons(
                    [c], self.get_reasons('time.lack')), False),
            ('no reason', lambda c: Case.declare_reasons(
                    [c], self.get_reasons('no_answer')), True),
            ('reached', lambda c: call(c, 'reached'), False),
            ('refused', lambda c: call(c, 'refused'), False),
            ('other', lambda c: call(c, 'other'), False),
            ('no answer', lambda c: call(c, 'no_answer'), True),
            ('before', lambda c: call(c, 'reached', -3), True),
            ('reply', lambda c: reply(c, 'answer'), False),
            ('bounce', lambda c: reply(c, 'bounce'), False),
            ('auto reply', lambda c: reply(c, 'auto_reply'), True),
            ('delay', lambda c: reply(c, 'delay'), True),
            ('unattached', lambda c: reply(
                    c, 'unknown', case=None,
                    party=c.enrolment.trainee.party.id), False),
            ('unknown sender', lambda c: reply(
                    c, 'unknown', case=None), True),
            ('written since', lambda c: write(c, 1), False),
            ('waiting', lambda c: write(c, 0, state='queued'), False),
            ('replaced', replace, True),
            ('suspended', lambda c: Enrolment.suspend([c.enrolment]), False),
            ('failed', lambda c: Mail.write(
                    [m for m in c.mails if m.reminder],
                    {'state': 'failed'}), False),
            ('bounced', lambda c: Mail.write(
                    [m for m in c.mails if not m.reminder],
                    {'bounced_at': dt.datetime(2026, 3, 3)}), False),
            ('declared', lambda c: Case.write(
                    [c], {'origin': 'declared'}), False),
            ('absent', lambda c: come(c, 'absent', 'absent'), False),
            ('present', lambda c: come(c, 'present', 'absent'), False),
            ('excused', lambda c: come(c, 'absent', 'excused'), False),
            ]
        with set_up() as (company, session, _):
            self.revise(
                silence_delay=10,
                ask_reasons={'reminder_count': 1, 'reminder_delay': 3})
            cases = [
                self.ask(create_session(company))[0] for _ in happenings]
            self.remind(DATE + 3 * DAY)
            self.accept(DATE + 3 * DAY)
            for case, (_, happen, _) in zip(cases, happenings):
                happen(case)
            self.qualify(DATE + 14 * DAY)
            for case, (name, _, silent) in zip(cases, happenings):
                with self.subTest(name=name):
                    self.assertEqual(
                        Case(case.id).state,
                        'validated' if silent else 'inquiring')

    @with_transaction()
    def test_qualify_came_before(self):
        "Test that a trainee who came before the opening only is qualified"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Case = pool.get('training.abandon.case')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            session = create_session(company, DATE - DAY, days=3)
            (case,), day = self.silence(session)
            slots = session.slots
            Slot.open(slots)
            Attendance.write(
                [a for s in slots[2:] for a in s.attendances],
                {'state': 'absent'})
            Slot.close(slots)
            self.qualify(day)
            case = Case(case.id)
            self.assertEqual(case.state, 'validated')
            self.assertEqual(case.effective_date, DATE + DAY)

    @with_transaction()
    def test_qualify_statements(self):
        "Test that as many statements qualify 10 cases as 50"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            counts = []
            for count in [10, 50]:
                cases, day = self.silence(session, count)
                with today(day), same_transaction():
                    with count_statements() as statements:
                        Case.qualify()
                counts.append(len(statements))
                self.assertEqual(
                    {c.state for c in Case.browse(cases)}, {'validated'})
            self.assertLess(counts[1], counts[0] + 20)
            with today(day), same_transaction():
                with count_statements() as statements:
                    Case.qualify()
            self.assertLessEqual(len(statements), 2)

    @with_transaction()
    def test_silence_without_question(self):
        "Test that a silence is counted from a question"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.procedure.step')
        procedure = self.revise(activate=False, silence_delay=10)
        Step.delete([procedure.get_step('ask_reasons')])
        with self.assertRaises(ProcedureError):
            Procedure.activate([procedure])
