# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.modules.company.tests import create_company
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .common import (
    DATE, DatabaseTestCase, as_user, create_enrolments, create_user, set_up)


class CaseOwnerTestCase(DatabaseTestCase):
    "Test who is told what goes wrong with the cases"
    language = 'fr'

    def open_cases(self, session, prescriber, count=1):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        enrolments = create_enrolments(session, count, prescriber)
        return Case.browse(Case.open_cases(enrolments, 'absence', DATE))

    def notified(self):
        return {
            (n.user.login, n.label, n.records)
            for n in Transaction().user_notifications}

    @with_transaction()
    def test_owner(self):
        "Test that the owner is who opens the case, until it is changed"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            assistant = create_user('assistant', company, 'training')
            other = create_user('other', company, 'training')
            enrolment, = create_enrolments(session)
            with as_user(assistant), without_check_access():
                case, = Case.open_cases([enrolment], 'absence', DATE)
            self.assertEqual(case.owner, assistant.employee)

            with as_user(assistant):
                Case.write([Case(case.id)], {'owner': other.employee.id})
            self.assertEqual(Case(case.id).owner, other.employee)
            self.assertEqual(Case(case.id).opened_by, assistant.employee)

    @with_transaction()
    def test_notify_owners(self):
        "Test that each owner is told once, the administrators the others"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Employee = pool.get('company.employee')
        Lang = pool.get('ir.lang')
        Notification = pool.get('res.notification')
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            assistant = create_user('assistant', company, 'training')
            administrator = create_user(
                'chief', company, 'training', 'training_admin')
            english, = Lang.search([('code', '=', 'en')])
            english.translatable = True
            english.save()
            User.write([assistant], {'language': english.id})
            gone = Employee(party=prescriber, company=company)
            gone.save()
            cases = self.open_cases(session, prescriber, 3)
            Case.write(cases[:2], {'owner': assistant.employee.id})
            Case.write(cases[2:], {'owner': gone.id})

            Case.notify_owners(cases, lambda cases: (
                    f'{len(cases)} {Transaction().language}',
                    "Two\nlines\xa0?"))

            self.assertEqual(self.notified(), {
                    (assistant.login, '2 en',
                        f'[{cases[0].id}, {cases[1].id}]'),
                    (administrator.login, '1 fr', f'[{cases[2].id}]'),
                    ('admin', '1 fr', f'[{cases[2].id}]'),
                    })
            notifications = Transaction().user_notifications
            self.assertEqual(
                {n.description for n in notifications},
                {"Two lines\xa0?"})
            Notification.save(notifications)

    @with_transaction()
    def test_no_administrator(self):
        "Test that somebody is told for a company without administrator"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            Case.write([case], {'owner': None})
            other = create_company("Other")
            chief = create_user('chief', other, 'training', 'training_admin')
            User.write([User(1)], {
                    'employee': None,
                    'employees': [('remove', [
                                e.id for e in User(1).employees])],
                    'company': None,
                    'companies': [('remove', [company.id])],
                    })
            Case.notify_owners([case], lambda cases: ("Late", "Words"))
            notification, = Transaction().user_notifications
            self.assertEqual(
                (notification.user, notification.label),
                (User(1), "Late"))
            self.assertIn(company.rec_name, notification.description)
            self.assertIn("Words", notification.description)

            User.write([chief], {'companies': [('add', [company.id])]})
            Transaction().user_notifications.clear()
            Case.notify_owners([case], lambda cases: ("Late", "Words"))
            self.assertEqual(
                self.notified(), {('chief', "Late", f'[{case.id}]')})
