# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.modules.training_abandon.exceptions import (
    CaseOpenError, CaseOpenWarning, CaseStepError, ProcedureError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DeadlineTestCase, create_enrolments, create_party,
    create_session, decide, get_to_decision, open_cases, run_wizard,
    same_transaction, set_up, today)


class CaseObstacleTestCase(DeadlineTestCase):
    "Test what the end of an enrolment does to its case"
    language = 'en'

    @with_transaction()
    def test_session_cancelled(self):
        "Test that nobody is written to about a session that is cancelled"
        pool = Pool()
        Mail = pool.get('training.mail')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            asked, = self.ask(session, day=DATE + DAY)
            queued, = self.ask(session, day=DATE + DAY, accept=False)
            waiting, = queued.mails
            self.assertIsNone(asked.obstacle)
            self.notified()
            Session.cancel([session])
            (_, label, description, _), = self.notified()
            self.assertEqual(
                label, "2 abandonment cases can no longer be validated")
            self.assertIn(asked.number, description)
            self.assertIn("is cancelled", description)
            self.assertIn("Unfounded", asked.obstacle)
            waiting = Mail(waiting.id)
            self.assertEqual(waiting.state, 'cancelled')
            self.assertIn("has ended", waiting.smtp_reply)
            self.assertEqual(self.remind(DATE + 14 * DAY), [])
            step = asked.get_step('ask_reasons')
            with today(DATE + 14 * DAY):
                self.assertIsNone(step.next_reminder)

    @with_transaction()
    def test_session_cancelled_decision(self):
        "Test what fits the case of a cancelled session"
        pool = Pool()
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            case, resumed, validated = map(
                get_to_decision, create_enrolments(session, 3))
            decide(validated)
            Session.cancel([session])
            with self.assertRaisesRegex(CaseStepError, "are cancelled"):
                decide(case)
            with self.assertRaisesRegex(CaseStepError, "are cancelled"):
                decide(resumed, decision='invalidated', ground='resumed')
            decide(case, decision='invalidated', ground='unfounded')
            type(resumed).cancel([resumed])
            self.assertEqual(
                [c.enrolment.state for c in [case, resumed, validated]],
                ['cancelled', 'cancelled', 'withdrawn'])
            # What was decided before stays, its enrolment is not given back
            self.assertEqual(validated.state, 'validated')
            self.assertIsNone(validated.obstacle)
            type(validated).cancel([validated])
            self.assertEqual(validated.enrolment.state, 'cancelled')

    @with_transaction()
    def test_session_cancelled_escalation(self):
        "Test that the late steps of such a case are not told"
        pool = Pool()
        Session = pool.get('training.session')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, _):
            open_cases(create_enrolments(session))
            day = DATE + 42 * DAY
            self.assertTrue(any(Step.late(day).values()))
            Session.cancel([session])
            self.assertFalse(any(Step.late(day).values()))

    @with_transaction()
    def test_session_cancelled_silence(self):
        "Test that the silence about a cancelled session validates nothing"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            self.revise(silence_delay=1, ask_reasons={'reminder_count': 0})
            enrolment = create_enrolments(session)[0]
            slots = session.slots[:2]
            type(slots[0]).open(slots)
            type(slots[0]).close(slots)
            case, = open_cases([enrolment], DATE + DAY)
            run_wizard('training.abandon.case.ask_reasons', [case])
            self.accept(DATE + DAY)
            day = DATE + 21 * DAY
            self.assertTrue(Case._silent(day))
            Session.cancel([session])
            self.assertFalse(Case._silent(day))
            with same_transaction():
                Case.qualify(day)
            self.assertIsNone(Case(case.id).decision)

    @with_transaction()
    def test_enrolment_ended(self):
        "Test that the case of an enrolment ended by hand is told"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            for end in [Enrolment.complete, Enrolment.cancel]:
                with self.subTest(end=end.__name__):
                    enrolment, = create_enrolments(session)
                    if end == Enrolment.cancel:
                        Enrolment.confirm([enrolment])
                    case, = open_cases([enrolment])
                    self.notified()
                    with Transaction().set_context(_skip_warnings=False), \
                            self.assertRaises(CaseOpenWarning):
                        end([enrolment])
                    end([enrolment])
                    (_, label, description, _), = self.notified()
                    self.assertIn("can no longer be validated", label)
                    self.assertIn(enrolment.state_string, case.obstacle)
                    decide(case, decision='invalidated', ground='resumed')
            # The decision itself ends the enrolment
            case = get_to_decision(*create_enrolments(session))
            self.notified()
            with Transaction().set_context(_skip_warnings=False):
                decide(case, ground='no_show')
            self.assertEqual(self.notified(), [])
            self.assertIsNone(case.obstacle)

    @with_transaction()
    def test_session_dates(self):
        "Test that the owners are told of the session that is postponed"
        pool = Pool()
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            due_date = case.next_due_date
            self.notified()
            Session.write([session], {'end_date': session.end_date})
            self.assertFalse(self.notified())
            Session.write([session], {'end_date': DATE + 9 * DAY})
            (_, label, description, _), = self.notified()
            self.assertIn("The dates of the session of 1 open", label)
            self.assertIn(case.number, description)
            self.assertEqual(case.next_due_date, due_date)

    @with_transaction()
    def test_procedure_archived(self):
        "Test that a case follows the revision in force and says so"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        with set_up() as (company, session, _):
            old, = Procedure.search([('state', '=', 'active')])
            session.procedure = old
            session.save()
            first, second = create_enrolments(session, 2)
            new = self.revise()
            self.assertEqual(old.state, 'archived')
            self.assertEqual(first.procedure, new)
            case, = open_cases([first])
            self.assertEqual(case.procedure, new)
            self.assertIn(old.rec_name, case.note)
            self.assertIn(new.rec_name, case.note)
            Procedure.archive([new])
            with self.assertRaisesRegex(ProcedureError, "is archived"):
                open_cases([second])

    @with_transaction()
    def test_open_cancelled(self):
        "Test that no case is opened on a session cancelled long ago"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            Session.cancel([session])
            with self.assertRaises(CaseOpenError):
                open_cases([enrolment])
            # As a database of before may have them
            Enrolment.write([enrolment], {'state': 'started'})
            with self.assertRaisesRegex(CaseOpenError, "is cancelled"):
                open_cases([enrolment])

    @with_transaction()
    def test_party_erased(self):
        "Test that the mails to who is erased stop and the case is told"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, _):
            prescriber = create_party("Agency", 'agency@example.com')
            enrolment, = create_enrolments(
                create_session(company), prescriber=prescriber)
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.inform', [case])
            waiting, = case.mails
            self.assertEqual(waiting.party, prescriber)
            prescriber.active = False
            prescriber.save()
            self.notified()
            session_id, _, _ = Erase.create()
            Erase.execute(
                session_id, {'ask': {'party': prescriber.id}}, 'erase')
            for cache in Transaction().cache.values():
                cache.clear()
            waiting = Mail(waiting.id)
            self.assertEqual(waiting.state, 'cancelled')
            self.assertIn("is erased", waiting.smtp_reply)
            (_, label, description, _), = self.notified()
            self.assertIn("wrote to a party that is erased", label)
            self.assertNotIn("Agency", label + description)

    @with_transaction()
    def test_party_archived_reminder(self):
        "Test that who is archived is not reminded"
        with set_up() as (company, session, _):
            case, = self.ask(session)
            self.assertTrue(case.get_step('ask_reasons').waiting)
            party = case.trainee.party
            party.active = False
            party.save()
            self.assertEqual(self.remind(DATE + 14 * DAY), [])
            self.assertFalse(case.get_step('ask_reasons').waiting)
