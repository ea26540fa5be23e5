# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from trytond import backend
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import (
    CaseBusyError, CaseStepError, CaseUndoError)
from trytond.modules.training_abandon.procedure.states import GROUND_STATES
from trytond.modules.training_abandon.training.half_day import half_day
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DB_NAME, DatabaseTestCase, add_contact, analyse, apply_wizard,
    as_user, create_enrolments, create_party, create_session, create_user,
    decide, examples, get_reason, get_to_decision, mail_server, open_cases,
    open_wizard, run_wizard, savepoint, set_up)

UNDO = 'training.abandon.case.undo_step'
TAKE_BACK = 'training.abandon.case.take_back'


class UndoTestCase(DatabaseTestCase):
    "Base of the tests of what is taken back"

    def setUp(self):
        pool = Pool(DB_NAME)
        Mail = pool.get('training.mail')
        patcher = patch.object(Mail, 'queue')
        patcher.start()
        self.addCleanup(patcher.stop)

    def deliver(self, case):
        pool = Pool()
        Mail = pool.get('training.mail')
        with mail_server():
            Mail.deliver_queued([m for m in case.mails if m.state == 'queued'])

    def certify(self, case, **values):
        with patch.object(
                Pool().get('training.abandon.certificate', type='report'),
                'convert', lambda *args, **kw: ('pdf', b'%PDF')):
            run_wizard('training.abandon.case.certify', [case], **values)

    def mails(self, case):
        return [
            (m.party.name, m.kind, m.letter.variant, m.state)
            for m in sorted(case.mails, key=lambda m: m.id)]

    def timeline(self, case):
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        return [
            (e.label, e.detail) for e in Event.search([
                    ('case', '=', case.id),
                    ('kind', '=', 'correction'),
                    ])]


class CancelTestCase(UndoTestCase):
    "Test the cases opened by mistake"

    @with_transaction()
    def test_cancel(self):
        "Test that those who were told are told that it was a mistake"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.inform', [case])
            self.deliver(case)
            run_wizard('training.abandon.case.ask_reasons', [case])
            with self.assertRaisesRegex(CaseUndoError, "reason"):
                run_wizard(
                    'training.abandon.case.cancel_case', [case], reason="")
            run_wizard(
                'training.abandon.case.cancel_case', [case],
                reason="Wrong trainee")
            self.assertEqual(case.state, 'cancelled')
            # The mail to the trainee had not left
            self.assertEqual(self.mails(case), [
                    ("Job Centre", 'inform', 'standard', 'sent'),
                    (enrolment.trainee.party.name, 'ask_reasons', 'silent',
                        'cancelled'),
                    ("Job Centre", 'decide', 'mistake', 'queued'),
                    ])
            self.deliver(case)
            self.assertEqual(self.mails(case)[-1][-1], 'sent')
            self.assertEqual(
                self.timeline(case), [('cancelled', "Wrong trainee")])
            correction, = case.corrections
            self.assertEqual(
                [m.party for m in correction.mails], [prescriber])
            # Not twice
            with self.assertRaises(CaseStepError):
                Case.cancel([case])

    @with_transaction()
    def test_cancel_decided(self):
        "Test that the enrolment is restored and the certificate void"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            decide(case)
            self.certify(case)
            self.deliver(case)
            Case.cancel([case])
            self.assertEqual(enrolment.state, 'started')
            self.assertEqual(
                [c.state for c in case.certificates], ['void'])
            self.assertEqual(
                self.mails(case)[-1][1:], ('decide', 'mistake', 'queued'))


class TakeBackTestCase(UndoTestCase):
    "Test the decisions taken back"

    @with_transaction()
    def test_take_back_naive(self):
        "Test that a decision taken back leaves the enrolment as it was"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, _, _):
            @examples(8)
            @given(
                st.sampled_from([g for g, s in GROUND_STATES.items() if s]),
                st.booleans(), st.integers(0, 1),
                st.none() | st.tuples(
                    st.integers(0, 3),
                    st.sampled_from(['expected', 'suspended', 'exempted'])),
                st.none() | st.integers(1, 3))
            def check(ground, started, effective, span, end):
                session = create_session(company, days=4)
                enrolment, = create_enrolments(session)
                if not started:
                    Enrolment.confirm([enrolment])
                if span:
                    day, kind = span
                    Enrolment.change_period([enrolment], {
                            'start': half_day(DATE + day * DAY),
                            'end': half_day(DATE + day * DAY, 'afternoon'),
                            'kind': kind,
                            'weekdays': (
                                ['monday_morning'] if kind == 'expected'
                                else []),
                            'reason': "Known",
                            })
                if end is not None:
                    Enrolment.write(
                        [Enrolment(enrolment.id)],
                        {'end_date': DATE + end * DAY})
                before = self.snapshot(enrolment)
                case = get_to_decision(Enrolment(enrolment.id))
                decide(
                    case, ground=ground,
                    effective_date=DATE + effective * DAY)
                self.assertNotEqual(self.snapshot(enrolment), before)
                Case.take_back([Case(case.id)], "Mistake")
                self.assertEqual(self.snapshot(enrolment), before)

            check()

    def snapshot(self, enrolment):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolment = Enrolment(enrolment.id)
        return (
            enrolment.state, enrolment.start_date, enrolment.end_date,
            enrolment.agreed_hours, enrolment.hours_planned,
            [
                (p.kind, p.start_date, p.start_half, p.end_date, p.end_half,
                    p.weekdays, p.reason)
                for p in enrolment.periods])

    @with_transaction()
    def test_take_back(self):
        "Test a decision that was wrong, before and after the certificate"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.inform', [case])
            self.deliver(case)
            while case.next_kind != 'decide':
                Case.skip_step([case], "Not needed")
            skipped = [s.kind for s in case.steps if s.state == 'skipped']
            decide(case, note="What the trainee said")
            self.assertEqual(enrolment.state, 'withdrawn')
            self.certify(case)
            self.deliver(case)
            run_wizard(TAKE_BACK, [case], reason="Wrong person")

            case = Case(case.id)
            self.assertEqual(case.state, 'informed')
            self.assertEqual(case.next_kind, 'decide')
            self.assertEqual(enrolment.state, 'started')
            self.assertIsNone(enrolment.end_date)
            for name in Case._undecided_values():
                self.assertIsNone(getattr(case, name), name)
            # What was skipped before stays so
            self.assertEqual(
                [s.kind for s in case.steps if s.state == 'skipped'], skipped)
            self.assertEqual(
                [s.kind for s in case.steps if s.state == 'todo'],
                ['decide', 'certify'])
            certificate, = case.certificates
            self.assertEqual(
                (certificate.state, certificate.void_reason),
                ('void', "Wrong person"))
            self.assertIsNone(case.certificate)
            # Both were told, of the decision or by the certificate
            self.assertEqual(self.mails(case)[3:], [
                    (enrolment.trainee.party.name, 'decide', 'taken_back',
                        'queued'),
                    ("Job Centre", 'decide', 'taken_back', 'queued'),
                    ])
            correction, = case.corrections
            self.assertIn("Validated, Abandonment", correction.description)
            self.assertIn("03/03/2026", correction.description)
            self.assertEqual(correction.note, "What the trainee said")
            self.assertEqual(
                self.timeline(case), [('taken_back', "Wrong person")])

            with self.assertRaisesRegex(CaseUndoError, "no decision"):
                run_wizard(TAKE_BACK, [case], reason="Again")

            # Another decision and another certificate, that are proven anew
            decide(case, ground='abandonment')
            self.certify(case)
            step = case.get_step('certify')
            self.assertEqual(step.evidence, 'pending')
            self.deliver(case)
            self.assertEqual(step.evidence, 'proven')

    @with_transaction()
    def test_take_back_resumed(self):
        "Test that a closed case is open again as it was"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.inform', [case])
            self.deliver(case)
            run_wizard(
                'training.abandon.case.decide', [case], effective_date=DATE)
            self.assertEqual(case.state, 'invalidated')
            self.assertTrue(case.closed_at)
            self.deliver(case)
            Case.close([case])

            other, = open_cases([enrolment])
            with self.assertRaisesRegex(CaseUndoError, other.number):
                run_wizard(TAKE_BACK, [case], reason="He never came back")
            Case.cancel([other])
            run_wizard(TAKE_BACK, [case], reason="He never came back")
            self.assertEqual(case.state, 'informed')
            self.assertIsNone(case.closed_at)
            self.assertEqual(
                {s.state for s in case.steps[1:]}, {'todo'})
            self.assertEqual(case.next_kind, 'ask_reasons')
            self.assertEqual(self.mails(case)[-1][1:3],
                ('decide', 'taken_back'))
            run_wizard('training.abandon.case.ask_reasons', [case])
            self.assertEqual(case.state, 'inquiring')

    @with_transaction()
    def test_take_back_later(self):
        "Test that a later decision keeps the enrolment as it made it"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            first = get_to_decision(enrolment)
            decide(first, ground='exclusion')
            Case.close([first])
            Enrolment.start([enrolment])
            second = get_to_decision(enrolment)
            decide(second, ground='exclusion')
            Case.close([second])
            with self.assertRaisesRegex(CaseUndoError, second.number):
                run_wizard(TAKE_BACK, [first], reason="Wrong person")
            self.assertEqual(Enrolment(enrolment.id).state, 'withdrawn')

            # What was cancelled is no decision
            enrolment, = create_enrolments(session)
            first = get_to_decision(enrolment)
            decide(first, ground='exclusion')
            Case.close([first])
            Enrolment.start([enrolment])
            second = get_to_decision(enrolment)
            decide(second, ground='exclusion')
            Case.cancel([second])
            run_wizard(TAKE_BACK, [first], reason="Wrong person")
            self.assertIsNone(Case(first.id).decision)

    @with_transaction()
    def test_take_back_transfer(self):
        "Test that the transfer is cancelled whatever the enrolment became"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            decide(
                case, ground='transfer',
                new_session=create_session(company, DATE + 7 * DAY).id)
            transferred = case.new_enrolment
            Enrolment.write([enrolment], {'state': 'suspended'})
            run_wizard(TAKE_BACK, [case], reason="Wrong person")
            self.assertEqual(Enrolment(transferred.id).state, 'cancelled')
            self.assertEqual(Enrolment(enrolment.id).state, 'suspended')

    @with_transaction()
    def test_take_back_cancelled_session(self):
        "Test that nobody goes back to a session that was cancelled"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            decide(case)
            Session.cancel([session])
            run_wizard(TAKE_BACK, [case], reason="Wrong person")
            self.assertEqual(Enrolment(enrolment.id).state, 'cancelled')

    @with_transaction()
    def test_take_back_other_ground(self):
        "Test that the certificate is to do again after another ground"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            decide(case, ground='exclusion')
            run_wizard(TAKE_BACK, [case], reason="It was an abandonment")
            self.assertFalse(case.mails)
            decide(case)
            self.assertEqual(case.next_kind, 'certify')

    @with_transaction()
    def test_refused(self):
        "Test who may not, and what rests on the decision"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            decide(case)
            user = create_user('user', company, 'training')
            with as_user(user):
                with self.assertRaises(AccessError):
                    Case.take_back([Case(case.id)], "No")
                # A wizard acts without the access of the user
                with Transaction().set_context(_check_access=False), \
                        self.assertRaises(AccessError), savepoint():
                    Case.take_back([Case(case.id)], "No")
            with patch.object(
                    Case, 'check_undo', side_effect=CaseUndoError("Billed")):
                for undo in [
                        Case.take_back, Case.cancel_cases]:
                    with self.subTest(undo=undo), \
                            self.assertRaisesRegex(CaseUndoError, "Billed"):
                        undo([case], "Reason")
            self.assertEqual(Case(case.id).state, 'validated')


class UndoStepTestCase(UndoTestCase):
    "Test the steps applied by mistake"

    @with_transaction()
    def test_undo(self):
        "Test that a step of which nothing has left is to do again"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            due_date = case.next_due_date
            run_wizard('training.abandon.case.inform', [case])
            run_wizard(UNDO, [case], reason="Too early")
            self.assertEqual(case.state, 'draft')
            step = case.steps[0]
            self.assertEqual(
                (step.state, step.done_at, step.done_by, step.due_date),
                ('todo', None, None, due_date))
            self.assertEqual(self.mails(case), [
                    ("Job Centre", 'inform', 'standard', 'cancelled')])
            self.assertEqual(self.timeline(case), [('undone', "Too early")])
            with self.assertRaisesRegex(CaseUndoError, "No step"):
                run_wizard(UNDO, [case], reason="Too early")

            run_wizard('training.abandon.case.inform', [case])
            self.assertEqual(case.steps[0].evidence, 'pending')
            self.deliver(case)
            self.assertEqual(case.steps[0].evidence, 'proven')

    @with_transaction()
    def test_undo_left(self):
        "Test that what has left is corrected"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.inform', [case])
            self.deliver(case)
            with self.assertRaisesRegex(CaseUndoError, "already been told"):
                run_wizard(UNDO, [case], reason="Wrong dates")
            run_wizard(
                UNDO, [case], reason="Wrong dates",
                message="He is absent since Monday.")
            self.assertEqual(case.state, 'informed')
            self.assertEqual(case.steps[0].state, 'done')
            correction, = case.corrections
            mail, = correction.mails
            self.assertEqual(
                (mail.party, mail.letter.variant, mail.step),
                (prescriber, 'corrected', None))
            self.assertIn("He is absent since Monday.", mail.body)
            self.assertNotIn("Wrong dates", mail.body)
            self.assertEqual(
                self.timeline(case), [('corrected', "Wrong dates")])
            self.assertEqual(case.steps[0].evidence, 'proven')

    @with_transaction()
    def test_undo_guardian(self):
        "Test that the guardian has the correction of the trainee"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            mother = create_party("Mother", 'mother@example.com')
            add_contact(enrolment, mother)
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.ask_reasons', [case])
            self.deliver(case)
            run_wizard(
                UNDO, [case], reason="Wrong dates",
                message="The dates were wrong.")
            correction, = case.corrections
            self.assertEqual(
                {(m.party, m.letter.audience) for m in correction.mails}, {
                    (enrolment.trainee.party, 'trainee'),
                    (mother, 'trainee'),
                    })

    @with_transaction()
    def test_undo_told(self):
        "Test that who was told by phone knows"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            wizard, start = open_wizard('training.abandon.case.inform', [case])
            start['mails'][0]['channel'] = 'call'
            apply_wizard(wizard, [case], start)
            with self.assertRaisesRegex(CaseUndoError, "already been told"):
                run_wizard(UNDO, [case], reason="Too early")

    @with_transaction()
    def test_undo_records(self):
        "Test what the steps that tell nobody leave"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case, = open_cases([enrolment])
            Case.skip_step([case], "Announced on the phone")
            run_wizard(UNDO, [case], reason="Must be asked")
            self.assertEqual(case.next_kind, 'ask_reasons')
            self.assertEqual(
                case.corrections[0].description, "Announced on the phone")
            Case.skip_step([case], "Announced on the phone")

            analyse(
                [case], analysis="What we think",
                reasons=[get_reason('no_answer').id,
                    get_reason('time.lack').id],
                reason_comment="What he said")
            self.assertTrue(case.answered_at)
            run_wizard(UNDO, [case], reason="Other trainee")
            case = Case(case.id)
            self.assertEqual(case.state, 'draft')
            self.assertFalse(case.causes)
            self.assertFalse(case.analysis)
            self.assertFalse(case.reasons)
            self.assertFalse(case.reason_comment)
            self.assertIsNone(case.answered_at)
            note = case.corrections[0].note
            self.assertIn("What we think", note)
            self.assertIn("Lack of time", note)
            self.assertIn("What he said", note)
            self.assertIn(get_reason('no_answer').rec_name, note)
            analyse([case])

            run_wizard(
                'training.abandon.case.propose', [case],
                proposals=[{'description': "Evening course"}])
            run_wizard(UNDO, [case], reason="Not agreed")
            case = Case(case.id)
            self.assertEqual(
                [p.state for p in case.proposals], ['expired'])
            self.assertEqual(
                case.corrections[0].description, "Evening course")
            run_wizard(
                'training.abandon.case.propose', [case],
                proposals=[{'description': "Tutoring"}])
            # Nor does a decision that is taken back bring it back
            with savepoint():
                Case.skip_step([case], "Not needed")
                Case.skip_step([case], "Not needed")
                decide(case)
                Case.take_back([case], "Wrong person")
                self.assertEqual(
                    {p.description: p.state
                        for p in Case(case.id).proposals},
                    {"Evening course": 'expired', "Tutoring": 'proposed'})
            case = Case(case.id)

            wizard, start = open_wizard(
                'training.abandon.case.exchange', [case])
            start['exchanges'][0]['outcome'] = 'reached'
            apply_wizard(wizard, [case], start)
            call, = case.follow_ups
            run_wizard(UNDO, [case], reason="Other case")
            self.assertIsNone(call.step)
            self.assertEqual(call.correction, case.corrections[0])
            self.assertEqual(case.state, 'proposed')
            self.assertEqual(case.next_kind, 'exchange')

    @with_transaction()
    def test_undo_certify(self):
        "Test the certificate, and the decision that is not undone so"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            case = get_to_decision(*create_enrolments(session))
            decide(case)
            with self.assertRaisesRegex(CaseUndoError, "decision back"):
                run_wizard(UNDO, [case], reason="Wrong")
            self.certify(case)
            run_wizard(UNDO, [case], reason="Too early")
            case = Case(case.id)
            self.assertEqual(case.state, 'validated')
            self.assertEqual(case.next_kind, 'certify')
            self.assertEqual([c.state for c in case.certificates], ['void'])
            self.assertEqual([m.state for m in case.mails], ['cancelled'])
            self.certify(case, channel='paper')
            certificate = Case(case.id).certificate
            type(certificate).no_answer([certificate])
            with self.assertRaisesRegex(CaseUndoError, "Issue them again"):
                run_wizard(UNDO, [case], reason="Wrong", message="Sorry")
            case = get_to_decision(*create_enrolments(session))
            decide(case)
            self.certify(case)
            self.deliver(case)
            with self.assertRaisesRegex(CaseUndoError, "Issue them again"):
                run_wizard(UNDO, [case], reason="Wrong", message="Sorry")

    @with_transaction()
    def test_two_users(self):
        "Test that a user undoes only what the user has seen"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.inform', [case])
            Case.skip_step([case], "Not needed")
            first, first_start = open_wizard(UNDO, [case])
            second, second_start = open_wizard(UNDO, [case])
            first_start['reason'] = second_start['reason'] = "Mistake"
            apply_wizard(first, [case], first_start)
            with self.assertRaisesRegex(CaseUndoError, "meanwhile"):
                apply_wizard(second, [case], second_start)
            self.assertEqual(Case(case.id).state, 'informed')

            busy = backend.DatabaseOperationalError()
            for undo in [
                    lambda: Case.undo_step([case], "Mistake"),
                    lambda: Case.cancel_cases([case], "Mistake"),
                    lambda: Case.take_back([case], "Mistake"),
                    lambda: Case.issue_again([case]),
                    ]:
                with patch.object(
                        tools, 'lock_records', side_effect=busy), \
                        self.assertRaises(CaseBusyError):
                    undo()


class RevisionTestCase(UndoTestCase):
    "Test the cases that follow the corrected revision of their procedure"

    def revise(self, procedure, kinds=(), revision='05', **values):
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.procedure.step')
        revision, = Procedure.copy(
            [procedure], {'state': 'draft', 'revision': revision})
        Step.delete([revision.get_step(k) for k in kinds])
        Letter.write([
                x for x in revision.letters if x.step_kind == 'ask_reasons'],
            {'text': "Corrected text"})
        Step.write([revision.get_step('ask_reasons')], values)
        Procedure.activate([revision])
        return Procedure(revision.id)

    @with_transaction()
    def test_change(self):
        "Test that the steps to do follow the revision"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            wizard = 'training.abandon.case.change_procedure'
            with self.assertRaisesRegex(CaseUndoError, "no other active"):
                run_wizard(wizard, [case], reason="Fault")
            run_wizard('training.abandon.case.inform', [case])
            before = case.procedure
            informed = case.steps[0].procedure_step
            revision = self.revise(
                before, kinds=['exchange'], delay=20)
            run_wizard(wizard, [case], reason="A fault in the letter")
            case = Case(case.id)
            self.assertEqual(case.procedure, revision)
            self.assertEqual(case.steps[0].procedure_step, informed)
            ask = case.get_step('ask_reasons')
            self.assertEqual(
                ask.procedure_step, revision.get_step('ask_reasons'))
            self.assertGreater(ask.due_date, DATE + 20 * DAY)
            exchange = case.get_step('exchange')
            self.assertEqual(
                (exchange.state, exchange.by_procedure), ('skipped', True))
            self.assertEqual(
                case.corrections[0].description,
                f'{before.rec_name} → {revision.rec_name}')
            run_wizard('training.abandon.case.ask_reasons', [case])
            self.assertEqual(case.mails[0].body, "Corrected text\n")

            # The steps that the revision has more
            other, = open_cases(create_enrolments(session))
            self.assertIsNone(other.get_step('exchange'))
            self.revise(before, revision='06')
            run_wizard(wizard, [other], reason="The exchange is back")
            self.assertEqual(
                [s.kind for s in Case(other.id).steps],
                [s.kind for s in before.steps])
            self.assertEqual(
                Case(other.id).get_step('exchange').state, 'todo')
            self.assertTrue(Case(other.id).get_step('exchange').due_date)

    @with_transaction()
    def test_refused(self):
        "Test the cases that are over"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            self.revise(case.procedure)
            Case.cancel([case])
            with self.assertRaises(CaseStepError):
                Case.change_procedure([case], "Fault")


del UndoTestCase
