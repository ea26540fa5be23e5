# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.exceptions import UserError
from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_company
from trytond.modules.training_abandon.exceptions import CaseStepError
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DAY, DatabaseTestCase, as_user, create_enrolments, create_party,
    create_session, create_user, decide, get_to_decision, open_wizard,
    run_wizard, set_up, today)

WEEK = dt.timedelta(days=7)


class CaseOutcomeTestCase(DatabaseTestCase):
    "Test what comes after a decision"

    def tab(self, name):
        "Return the cases that the tab lists"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Data = pool.get('ir.model.data')
        Domain = pool.get('ir.action.act_window.domain')
        domain = Domain(Data.get_id(
                'training_abandon', f'act_case_form_domain_{name}'))
        return Case.search(PYSONDecoder().decode(domain.domain))

    def attend(self, session):
        "Hold the first slot of the session with everybody present"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        slot = session.slots[0]
        Slot.open([slot])
        Attendance.write(Attendance.search([
                    ('slot', '=', slot.id),
                    ]), {'state': 'present'})
        Slot.close([slot])

    @with_transaction()
    def test_transfer(self):
        "Test the transfer of trainees to another session"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Group = pool.get('training.session.group')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            funder = create_party("Funder")
            new_session = create_session(company, DATE + WEEK)
            enrolments = create_enrolments(session, 2, prescriber)
            Enrolment.write(enrolments, {
                    'price': 1000,
                    'agreement_kind': 'cpf',
                    'fundings': [('create', [{'funder': funder.id}])],
                    'contacts': [('create', [{
                                    'party': funder.id, 'role': 'funder'}])],
                    })
            enrolments[0].agreed_hours = dt.timedelta(hours=7)
            enrolments[0].groups = Group.create([
                    {'session': session.id, 'name': "A"}])
            enrolments[0].save()
            self.attend(session)
            cases = [get_to_decision(e) for e in enrolments]
            run_wizard(
                'training.abandon.case.decide', cases,
                decision='validated', ground='transfer',
                effective_date=DATE, new_session=new_session.id)
            for case, former in zip(cases, enrolments):
                new = case.new_enrolment
                self.assertEqual(
                    (new.session, new.trainee, new.state, new.prescriber,
                        new.agreement_kind, new.price, new.start_date,
                        new.transferred_from),
                    (new_session, former.trainee, 'confirmed', prescriber,
                        'cpf', 1000, None, former))
                # As the new session has it
                self.assertEqual(
                    (new.agreed_hours, new.groups),
                    (dt.timedelta(hours=12), ()))
                self.assertEqual([f.funder for f in new.fundings], [funder])
                self.assertEqual([c.party for c in new.contacts], [funder])
                self.assertNotEqual(new.number, former.number)
                self.assertFalse(new.cases)
                self.assertEqual(former.state, 'withdrawn')
                for name in ['hours_held', 'hours_attended']:
                    self.assertEqual(
                        [getattr(e, name) for e in [former, new]],
                        [dt.timedelta(hours=3), dt.timedelta()])
            self.assertFalse(self.tab('transfer'))
            # The trainees are expected in the new session
            with today(DATE + WEEK):
                Slot.open(new_session.slots[:1])
            self.assertEqual(
                {a.enrolment for a in Attendance.search([
                            ('slot', '=', new_session.slots[0].id)])},
                {c.new_enrolment for c in cases})
            copied, = Enrolment.copy([cases[0].new_enrolment], default={
                    'trainee': create_enrolments(session)[0].trainee.id})
            self.assertEqual(copied.transferred_from, None)

    @with_transaction()
    def test_transfer_started(self):
        "Test the transfer to a session that has started"
        with set_up() as (company, session, _):
            running = create_session(company, DATE, days=4)
            case = get_to_decision(*create_enrolments(session))
            decide(
                case, ground='transfer', effective_date=DATE,
                new_session=running.id)
            self.assertEqual(
                case.new_enrolment.start_date, DATE + DAY)
            # Who leaves today begins tomorrow
            case = get_to_decision(*create_enrolments(session))
            decide(
                case, ground='transfer', effective_date=DATE + DAY,
                new_session=running.id)
            self.assertEqual(
                case.new_enrolment.start_date, DATE + 2 * DAY)

    @with_transaction()
    def test_transfer_refused(self):
        "Test the sessions to which nobody is transferred"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            cancelled, done, joined, free, over = [
                create_session(company, DATE + WEEK) for _ in range(4)] + [
                create_session(company, DATE - WEEK)]
            Session.cancel([cancelled])
            Session.write([done], {'state': 'done'})
            foreign = create_session(create_company(name="Other"))
            Enrolment.create([{
                        'company': company.id,
                        'session': joined.id,
                        'trainee': enrolment.trainee.id,
                        'currency': company.currency.id,
                        }])
            for new_session in [
                    session, cancelled, done, joined, over, foreign]:
                with self.subTest(session=new_session.id), \
                        self.assertRaises(UserError):
                    Case.apply_decision(
                        [case], 'validated', 'transfer', DATE + DAY,
                        new_session=new_session)
            for ground in ['abandonment', 'postponed']:
                with self.subTest(ground=ground), \
                        self.assertRaises(CaseStepError):
                    Case.apply_decision(
                        [case], 'validated', ground, DATE + DAY,
                        new_session=free)

    @with_transaction()
    def test_transfer_later(self):
        "Test that the transfer is listed until its session is known"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            new_session = create_session(company, DATE + WEEK)
            case = get_to_decision(*create_enrolments(session))
            decide(case, ground='transfer')
            self.assertEqual(self.tab('transfer'), [case])
            Case.close([case])
            self.assertEqual(self.tab('transfer'), [case])
            with self.assertRaises(CaseStepError):
                run_wizard('training.abandon.case.complete_decision', [case])
            with self.assertRaises(CaseStepError):
                run_wizard(
                    'training.abandon.case.complete_decision', [case],
                    return_date=DATE + WEEK)
            run_wizard(
                'training.abandon.case.complete_decision', [case],
                new_session=new_session.id, note="A place is free")
            self.assertEqual(case.new_enrolment.session, new_session)
            completion, = case.completions
            self.assertEqual(
                (completion.kind, completion.session, completion.note,
                    completion.user.id),
                ('new_session', new_session, "A place is free", 1))
            self.assertFalse(self.tab('transfer'))
            with self.assertRaises(CaseStepError):
                run_wizard(
                    'training.abandon.case.complete_decision', [case],
                    new_session=create_session(company, DATE + WEEK).id)
            # Until it is cancelled
            Enrolment.cancel([case.new_enrolment])
            self.assertEqual(self.tab('transfer'), [case])
            run_wizard(
                'training.abandon.case.complete_decision', [case],
                new_session=new_session.id)
            self.assertEqual(case.new_enrolment.state, 'confirmed')

    @with_transaction()
    def test_transfer_taken_back(self):
        "Test that resuming cancels the new enrolment"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            new_session = create_session(company, DATE + WEEK)
            enrolments = create_enrolments(session, 2)
            cases = [get_to_decision(e) for e in enrolments]
            for case in cases:
                decide(case, ground='transfer', new_session=new_session.id)
            new_enrolment = cases[0].new_enrolment
            run_wizard('training.abandon.case.decide', [cases[0]])
            self.assertEqual(
                (enrolments[0].state, new_enrolment.state),
                ('started', 'cancelled'))
            self.assertIsNone(cases[0].new_enrolment)
            self.assertIn(
                new_enrolment.rec_name, cases[0].corrections[0].description)
            Enrolment.start([cases[1].new_enrolment])
            with self.assertRaises(CaseStepError):
                run_wizard('training.abandon.case.decide', [cases[1]])
            # Who has left the new session too has nothing to lose there
            left = cases[1].new_enrolment
            Enrolment.withdraw([left])
            run_wizard('training.abandon.case.decide', [cases[1]])
            self.assertEqual(
                (enrolments[1].state, left.state), ('started', 'withdrawn'))

    @with_transaction()
    def test_outcome_taken_back(self):
        "Test that the outcome of a decision goes with it"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            Enrolment.write(
                [enrolment], {'agreement_kind': 'apprenticeship'})
            case = get_to_decision(enrolment)
            decide(
                case, ground='postponed', return_date=DATE + WEEK,
                contract_end_date=DATE - WEEK)
            run_wizard(
                'training.abandon.case.take_back', [case],
                reason="Wrong person")
            case = type(case)(case.id)
            description = case.corrections[0].description
            self.assertIn("Return Date: 03/09/2026", description)
            self.assertIn("Contract End Date: 02/23/2026", description)
            for ground in ['abandonment', 'exclusion']:
                decide(case, ground=ground, contract_end_date=DATE)
                run_wizard('training.abandon.case.decide', [case])
                self.assertEqual(
                    (case.ground, case.return_date, case.contract_end_date),
                    ('resumed', None, None))
                case = get_to_decision(enrolment)

    @with_transaction()
    def test_postponed(self):
        "Test the return of a trainee whose training is postponed"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, other = create_enrolments(session, 2)
            case, unknown = [get_to_decision(e) for e in [enrolment, other]]
            for date in [DATE, DATE + DAY]:
                with self.assertRaises(CaseStepError):
                    decide(case, ground='postponed', return_date=date)
            with self.assertRaises(CaseStepError):
                decide(case, ground='abandonment', return_date=DATE + WEEK)
            decide(case, ground='postponed', return_date=DATE + WEEK)
            decide(unknown, ground='postponed')
            self.assertEqual(case.return_date, DATE + WEEK)
            self.assertEqual(self.tab('postponed'), [unknown])
            Case.close([case, unknown])
            run_wizard(
                'training.abandon.case.complete_decision', [unknown],
                return_date=DATE + 2 * WEEK)
            self.assertFalse(self.tab('postponed'))
            # The day of the tests is past
            self.assertEqual(set(self.tab('return')), {case, unknown})
            run_wizard(
                'training.abandon.case.complete_decision', [case],
                return_date=dt.date.max)
            self.assertEqual(case.return_date, dt.date.max)
            self.assertEqual(
                [(c.kind, c.date) for c in case.completions],
                [('return_date', dt.date.max)])
            self.assertEqual(self.tab('return'), [unknown])
            with today(DATE + 3 * DAY):
                Enrolment.start([other])
            self.assertEqual(unknown.return_ended_on, DATE + 3 * DAY)
            self.assertFalse(self.tab('return'))
            with self.assertRaises(CaseStepError):
                run_wizard(
                    'training.abandon.case.complete_decision', [unknown],
                    return_date=DATE + 3 * WEEK)
            # The next wait is another
            again = get_to_decision(other)
            decide(again, ground='postponed', return_date=DATE + 2 * WEEK)
            self.assertEqual(self.tab('return'), [again])
            with self.assertRaises(CaseStepError):
                run_wizard(
                    'training.abandon.case.complete_decision', [unknown],
                    return_date=DATE + 3 * WEEK)

    @with_transaction()
    def test_apprenticeship(self):
        "Test that the end of the contract is not that of the training"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            apprentice, trainee, other = create_enrolments(session, 3)
            Enrolment.write(
                [apprentice, other], {'agreement_kind': 'apprenticeship'})
            case, stays, refused = [
                get_to_decision(e) for e in [apprentice, other, trainee]]
            _, values = open_wizard('training.abandon.case.decide', [case])
            self.assertTrue(values['apprenticeship'])
            decide(case, contract_end_date=DATE - WEEK)
            self.assertEqual(
                (case.contract_end_date, case.effective_date),
                (DATE - WEEK, DATE + DAY))
            # The contract alone does not end the training
            decide(
                stays, decision='invalidated', ground='unfounded',
                contract_end_date=DATE - WEEK)
            self.assertEqual(
                (stays.contract_end_date, other.state),
                (DATE - WEEK, 'started'))
            run_wizard(
                'training.abandon.case.complete_decision', [stays],
                contract_end_date=DATE)
            self.assertEqual(stays.contract_end_date, DATE)
            with self.assertRaises(CaseStepError):
                decide(refused, contract_end_date=DATE)

    @with_transaction()
    def test_complete_refused(self):
        "Test the cases whose decision is not completed"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Completion = pool.get('training.abandon.case.completion')
        with set_up() as (company, session, _):
            case, cancelled = [
                get_to_decision(e) for e in create_enrolments(session, 2)]
            decide(cancelled, ground='postponed')
            Case.cancel([cancelled])
            for refused in [case, cancelled]:
                with self.assertRaises(CaseStepError):
                    run_wizard(
                        'training.abandon.case.complete_decision', [refused],
                        return_date=DATE + WEEK)
            decide(case, ground='postponed')
            Case.complete_decisions([case], return_date=DATE + WEEK)
            assistant = create_user('assistant', company, 'training')
            with as_user(assistant), self.assertRaises(AccessError):
                Case.write([case], {'return_date': DATE + 2 * WEEK})
            with self.assertRaises(AccessError):
                Completion.write(
                    list(case.completions), {'date': DATE + 2 * WEEK})
            with self.assertRaises(AccessError):
                Completion.delete(list(case.completions))
            with self.assertRaises(AccessError):
                Completion.check_modification(
                    'create', list(case.completions), external=True)
