# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from unittest.mock import patch

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.exceptions import ProcedureError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DAY, DeadlineTestCase, add_contact, count_statements, create_party,
    create_session, run_wizard, same_transaction, set_up, today)


class SilenceTestCase(DeadlineTestCase):
    "Test what the silence of the trainees makes"

    def qualify(self, day):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with today(day), same_transaction():
            Case.qualify()

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
    def test_qualify_taken_back(self):
        "Test that what was qualified and taken back is left to a person"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            (case,), day = self.silence(session)
            self.qualify(day)
            with today(day):
                run_wizard(
                    'training.abandon.case.take_back', [case],
                    reason="The trainee had phoned")
            self.assertEqual(Case(case.id).state, 'inquiring')
            for days in [0, 1, 30]:
                self.assertFalse(self.remind(day + days * DAY))
                self.qualify(day + days * DAY)
            self.assertEqual(Case(case.id).state, 'inquiring')

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
    def test_qualify_reminder_due(self):
        "Test that nobody is silent who has still to be reminded"
        with set_up() as (company, session, _):
            self.revise(
                silence_delay=3,
                ask_reasons={'reminder_count': 1, 'reminder_delay': 8})
            case, = self.ask(session)
            self.qualify(DATE + 7 * DAY)
            self.assertEqual(type(case)(case.id).state, 'inquiring')

    @with_transaction()
    def test_qualify_before_start(self):
        "Test that nobody abandons before the first day"
        with set_up() as (company, session, _):
            (case,), day = self.silence(
                create_session(company, DATE + 21 * DAY))
            self.qualify(day)
            self.assertEqual(type(case)(case.id).state, 'inquiring')
            self.assertEqual(self.notified(), [])
            case.enrolment.end_date = DATE + 21 * DAY
            case.enrolment.save()
            self.qualify(DATE + 22 * DAY)
            case = type(case)(case.id)
            self.assertEqual(
                (case.state, case.effective_date),
                ('validated', DATE + 21 * DAY))

    @with_transaction()
    def test_qualify_heard(self):
        "Test that nobody is qualified who was heard or not reached"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        Proposal = pool.get('training.abandon.proposal')
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

        def call(case, outcome, days=1, party=None, kind='call'):
            FollowUp.create([{
                        'company': case.company.id,
                        'enrolment': case.enrolment.id,
                        'case': case.id,
                        'kind': kind,
                        'party': (party or case.enrolment.trainee.party).id,
                        'done_at': dt.datetime.combine(
                            DATE + days * DAY, dt.time(9)),
                        'outcome': outcome,
                        }])

        def answer(case):
            Proposal.create([{
                        'case': case.id,
                        'description': "Evening course",
                        'responses': [('create', [{
                                        'party':
                                        case.enrolment.trainee.party.id,
                                        'answer': 'refused',
                                        'at': dt.datetime.combine(
                                            DATE + DAY, dt.time(9)),
                                        'channel': 'call',
                                        }])],
                        }])

        def ask_by_letter(case):
            Mail.write(list(case.mails), {'state': 'cancelled'})
            call(case, None, 0, kind='letter')
            FollowUp.write(list(case.enrolment.follow_ups), {
                    'step': case.get_step('ask_reasons').id})

        def have(case, role):
            "Return a new contact of the enrolment with the role"
            party = create_party(role)
            add_contact(case.enrolment, party, role)
            return party

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
            ('guardian', lambda c: call(
                    c, 'reached', party=have(c, 'legal_guardian')), False),
            ('guardian wrote', lambda c: reply(
                    c, 'answer', party=have(c, 'legal_guardian').id), False),
            ('tutor', lambda c: call(
                    c, 'reached', party=have(c, 'tutor')), True),
            ('other', lambda c: call(c, 'other'), False),
            ('no answer', lambda c: call(c, 'no_answer'), True),
            ('before', lambda c: call(c, 'reached', -3), True),
            ('letter', lambda c: call(c, None, 0, kind='letter'), True),
            ('letter since', lambda c: call(c, None, kind='letter'), False),
            ('letter to another', lambda c: call(
                    c, None, party=have(c, 'tutor'), kind='letter'), True),
            ('answer to a proposal', answer, False),
            ('asked by letter', ask_by_letter, False),
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
            ]
        # Their sheets are of the whole session
        sheets = [
            ('absent', lambda c: come(c, 'absent', 'absent'), False),
            ('present', lambda c: come(c, 'present', 'absent'), False),
            ('excused', lambda c: come(c, 'absent', 'excused'), False),
            ]
        with set_up() as (company, session, _):
            self.revise(
                silence_delay=10,
                ask_reasons={'reminder_count': 1, 'reminder_delay': 3})
            cases = [
                *self.ask(session, len(happenings)),
                *(self.ask(create_session(company))[0] for _ in sheets)]
            self.remind(DATE + 3 * DAY)
            self.accept(DATE + 3 * DAY)
            happenings += sheets
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
        "Test that as many statements qualify 5 cases as 25"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            counts = []
            for count in [5, 25]:
                cases, day = self.silence(session, count)
                with today(day), same_transaction():
                    with count_statements() as statements:
                        Case.qualify()
                # Each period has its case, SQLite inserts one row at a time
                counts.append(len([
                            s for s in statements if not s.startswith((
                                    'INSERT INTO "training_enrolment_event"',
                                    'UPDATE "training_enrolment_period"'))]))
                self.assertEqual(
                    {c.state for c in Case.browse(cases)}, {'validated'})
            self.assertLess(counts[1], counts[0] + 10)
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
