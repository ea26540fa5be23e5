# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DeadlineTestCase, count_statements, create_enrolments,
    create_user, mail_server, run_wizard, same_transaction, set_up, today)


class EscalationTestCase(DeadlineTestCase):
    "Test who is told of the late steps"

    def escalate(self, day):
        "Return who is told on the day, with the label and the cases"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with today(day), same_transaction():
            Case.escalate()
        return self.notified()

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
        "Test that as many statements escalate 10 cases as 50"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            counts = []
            for count in [10, 40]:
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
