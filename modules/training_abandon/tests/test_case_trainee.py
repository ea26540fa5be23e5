# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The page of a trainee and the list of the absentees"
from trytond.modules.training_abandon.exceptions import CaseOpenError
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, NoticeTestCase, as_user, count_statements, create_company,
    create_enrolments, create_session, create_user, open_cases, open_wizard,
    run_wizard, set_up, wizard_context)

PAGE = ['cases', 'follow_ups', 'mails', 'justifications']


class TraineePageTestCase(NoticeTestCase):

    @with_transaction()
    def test_page(self):
        "Test what the page of a trainee shows"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Justification = pool.get('training.justification')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, prescriber):
            enrolment, other = create_enrolments(
                session, 2, prescriber=prescriber)
            self.fill(session.slots[:1], {enrolment: 'absent'})
            self.fill(session.slots[1:2], {enrolment: ('late', 15)})
            case, other_case = open_cases([enrolment, other])
            run_wizard('training.abandon.case.inform', [case])
            follow_up, = FollowUp.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'kind': 'call',
                        'party': enrolment.trainee.party.id,
                        }])
            justification, = Justification.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'kind': 'work',
                        'start_date': DATE,
                        'end_date': DATE,
                        }])
            user = create_user('assistant', company, 'training')
            trainee_id = enrolment.trainee.id
            with as_user(user):
                trainee = Trainee(trainee_id)
                self.assertEqual(list(trainee.cases), [case])
                self.assertEqual(list(trainee.follow_ups), [follow_up])
                self.assertEqual(
                    list(trainee.justifications), [justification])
                self.assertEqual(
                    {m.enrolment for m in trainee.mails}, {enrolment})
                self.assertGreater(len(trainee.mails), 2)
                self.assertEqual(
                    trainee.email, trainee.party.email)
                self.assertEqual(
                    trainee.enrolments[0].attendance_picture, '○◐')
                self.assertEqual(
                    Trainee(other.trainee.id).enrolments[0]
                    .attendance_picture, '●●')

    @with_transaction()
    def test_companies(self):
        "Test that the page shows nothing of another company"
        pool = Pool()
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            self.fill(session.slots[:1], {enrolment: 'absent'})
            open_cases([enrolment])
            stranger = create_user('stranger', create_company(
                    "Other", currency=company.currency), 'training')
            with as_user(stranger):
                row, = Trainee.read(
                    [enrolment.trainee.id], [*PAGE, 'enrolments'])
            for name in [*PAGE, 'enrolments']:
                with self.subTest(name=name):
                    self.assertFalse(row[name])

    @with_transaction()
    def test_statements(self):
        "Test that pages are read with as many statements as one"
        pool = Pool()
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 10)
            self.fill(session.slots[:1], {e: 'absent' for e in enrolments})
            open_cases(enrolments)
            counts = []
            for some in [enrolments[:2], enrolments]:
                with count_statements() as statements:
                    Trainee.read(
                        [e.trainee.id for e in some], [*PAGE, 'email'])
                counts.append(len(statements))
            self.assertLessEqual(counts[1], counts[0] + 1)

    def absentees(self, tab=None):
        pool = Pool()
        Action = pool.get('ir.action.act_window')
        Data = pool.get('ir.model.data')
        Domain = pool.get('ir.action.act_window.domain')
        Enrolment = pool.get('training.enrolment')
        decode = PYSONDecoder().decode
        action = Action(
            Data.get_id('training_abandon', 'act_enrolment_absent'))
        domain = [decode(action.domain)]
        if tab:
            tab = Domain(Data.get_id(
                    'training_abandon', f'act_enrolment_absent_domain_{tab}'))
            domain.append(decode(tab.domain))
        return Enrolment.search(domain, order=decode(action.order))

    @with_transaction()
    def test_absentees(self):
        "Test that who was absent last comes first, with the open case"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            once, twice, back, present = create_enrolments(session, 4)
            self.fill(session.slots[:1], {
                    once: 'present', twice: 'absent', back: 'absent',
                    present: 'present'})
            self.fill(session.slots[1:2], {
                    once: 'absent', twice: 'absent', back: 'present',
                    present: 'present'})
            self.assertEqual(self.absentees(), [twice, once])
            case, = open_cases([twice])
            self.assertEqual(self.absentees('no_case'), [once])
            self.assertEqual(
                [e.current_case for e in self.absentees()], [case, None])
            for domain, found in [
                    ([('current_case', '!=', None)], [twice]),
                    ([('current_case', '=', case.id)], [twice]),
                    ([('current_case', 'in', [case.id])], [twice]),
                    ([('current_case.number', '=', case.number)], [twice]),
                    ([('current_case', 'ilike', case.number)], [twice]),
                    ]:
                with self.subTest(domain=domain):
                    self.assertEqual(Enrolment.search(domain), found)

    @with_transaction()
    def test_open_case(self):
        "Test that a case is opened from the lines of a sheet"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            absent, present = create_enrolments(session, 2)
            self.fill(
                session.slots[:2], {absent: 'absent', present: 'present'})
            lines = {
                a.enrolment: a for a in Slot(session.slots[0].id).attendances}
            self.assertEqual(lines[absent].consecutive_absences, 2)
            self.assertIsNone(lines[absent].current_case)
            run_wizard(
                'training.abandon.case.open',
                # Twice the same trainee
                Attendance.search([('enrolment', '=', absent.id)]))
            case, = absent.cases
            self.assertEqual(case.origin, 'absence')
            line = Attendance(lines[absent].id)
            self.assertEqual(line.current_case, case)
            with self.assertRaises(CaseOpenError):
                run_wizard('training.abandon.case.open', [line])
            open_wizard('training.abandon.case.open', [line])
            create_session(company)

    @with_transaction()
    def test_open_case_line(self):
        "Test that the case of one line of a sheet is opened without a form"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Wizard = pool.get('training.abandon.case.open', type='wizard')
        with set_up() as (_, session, _):
            enrolments = create_enrolments(session, 2)
            self.fill(session.slots[:1], dict.fromkeys(enrolments, 'absent'))
            lines = Slot(session.slots[0].id).attendances
            for records, is_opened in [
                    (lines, False), (enrolments, False),
                    (enrolments[:1], False), (lines[:1], True)]:
                session_id, state, _ = Wizard.create()
                with wizard_context(records):
                    result = Wizard.execute(session_id, {}, state)
                self.assertEqual('view' in result, not is_opened)
                self.assertEqual(bool(result.get('actions')), is_opened)
            case, = lines[0].enrolment.cases
            self.assertEqual(case.origin, 'absence')
            self.assertFalse(lines[1].enrolment.cases)


del NoticeTestCase
