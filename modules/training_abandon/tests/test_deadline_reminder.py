# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from unittest.mock import patch

from trytond.modules.training_abandon.exceptions import (
    LetterError, ProcedureError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DeadlineTestCase, add_contact, count_statements,
    create_enrolments, create_party, create_user, open_cases, run_wizard,
    same_transaction, set_up, today)


class ReminderTestCase(DeadlineTestCase):
    "Test who is reminded"

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
    def test_remind_guardian(self):
        "Test that trainee and guardian are reminded until one answers"
        pool = Pool()
        Mail = pool.get('training.mail')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            trainee = enrolment.trainee
            mother = create_party("Mother", 'mother@example.com')
            add_contact(enrolment, mother)
            with today(DATE):
                case, = open_cases([enrolment])
                run_wizard('training.abandon.case.ask_reasons', [case])
            self.accept(DATE)
            mails = self.remind(DATE + 3 * DAY)
            self.assertEqual(
                [(m.party, m.letter.audience) for m in mails],
                [(trainee.party, 'trainee'), (mother, 'trainee')])
            self.accept(DATE + 3 * DAY)

            # The guardian no more from the day of the majority on
            Trainee.write([trainee], {
                    'birth_date': (DATE + 9 * DAY).replace(year=2008)})
            self.assertEqual(
                {w.party for w, _ in self.due(DATE + 8 * DAY)},
                {trainee.party.id, mother.id})
            self.assertEqual(
                {w.party for w, _ in self.due(DATE + 9 * DAY)},
                {trainee.party.id})

            FollowUp = pool.get('training.follow_up')
            FollowUp.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'case': case.id,
                        'party': mother.id,
                        'done_at': dt.datetime.combine(
                            DATE + 4 * DAY, dt.time(10)),
                        'outcome': 'reached',
                        }])
            self.assertEqual(self.due(DATE + 9 * DAY), [])
            self.assertFalse(Mail.search([('state', '=', 'queued')]))

    def due(self, day):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        return Step.due_reminders(day)

    @with_transaction()
    def test_remind_archived(self):
        "Test that an archived trainee is not reminded, and the owner told"
        with set_up() as (company, session, _):
            case, = self.ask(session)
            trainee = case.enrolment.trainee
            trainee.active = False
            trainee.save()
            self.assertEqual(self.remind(DATE + 3 * DAY), [])
            (_, _, description, _), = self.notified()
            self.assertIn("archivé", description)
            self.assertEqual(self.remind(DATE + 4 * DAY), [])
            self.assertEqual(self.notified(), [])
            trainee.active = True
            trainee.save()
            mail, = self.remind(DATE + 7 * DAY)
            self.assertEqual(mail.party, trainee.party)
            # Nobody is told of a party that is no more
            gone, = self.ask(session)
            party = gone.enrolment.trainee.party
            party.active = False
            party.save()
            self.notified()
            self.assertNotIn(
                gone, [m.case for m in self.remind(DATE + 3 * DAY)])
            self.assertEqual(self.notified(), [])
            self.assertFalse(gone.get_step('ask_reasons').waiting)

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
        # What came before the question
        before = dt.datetime.combine(DATE - DAY, dt.time(9))
        yield lambda: reply('answer', received_at=before), False
        yield lambda: Reply.handle([
                reply('answer', counted=True, received_at=before)]), False

    @with_transaction()
    def test_remind_answered(self):
        "Test that an answer cancels the reminders that wait, and them only"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, _):
            cases = self.ask(session, 13)
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
    def test_remind_closed(self):
        "Test that nobody is reminded of what is over"
        with set_up() as (company, session, _):
            self.revise(
                letters={('ask_reasons', 'reminder', 'trainee'): {
                        'case_states': None,
                        }},
                ask_reasons={'reminder_count': 1, 'reminder_delay': 3})
            over, case = self.ask(session, 2)
            with today(DATE + DAY):
                run_wizard('training.abandon.case.decide', [over])
            self.assertEqual(
                [m.case for m in self.remind(DATE + 3 * DAY)], [case])

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
            # Nor of what only a reminder did not reach
            self.ask(session)
            reminder, = self.remind(DATE + 3 * DAY)
            Mail.write([reminder], {'state': 'failed'})
            self.assertEqual(self.remind(DATE + 8 * DAY), [])
            at = dt.datetime.combine(DATE + 3 * DAY, dt.time(11))
            Mail.write([reminder], {
                    'state': 'sent',
                    'sent_at': at,
                    'bounced_at': at,
                    })
            self.assertEqual(
                type(reminder.step)(reminder.step.id).reminder_count, 0)

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
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            cases = self.ask(session, 3)
            letter_context = Case.letter_context

            def fail(self, *args, **kwargs):
                if self == cases[1]:
                    raise LetterError("Broken")
                return letter_context(self, *args, **kwargs)

            with patch.object(Case, 'letter_context', fail):
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
            # What came with a void certificate was told to nobody
            case = Case(cases[1].id)
            failed, = [m for m in case.certificate.mails if not m.reminder]
            self.accept(day + 14 * DAY)
            Mail.write([failed], {'state': 'failed'})
            with today(day + 15 * DAY), patch.object(
                    Report, 'execute',
                    lambda *args: ('pdf', b'%PDF', False, 'x')):
                Case.issue_again([case])
            self.accept(day + 15 * DAY)
            self.assertEqual(
                [m.case for m in self.remind(day + 22 * DAY)], [case])

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
        "Test that as many statements remind 10 trainees as 50"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, _):
            counts = []
            for count in [10, 40]:
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
