# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from trytond.model.exceptions import SQLConstraintError
from trytond.modules.training_abandon.exceptions import (
    CaseOpenError, ProcedureError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, count_statements, create_enrolments,
    open_cases, open_wizard, set_up)


class CaseOpeningTestCase(DatabaseTestCase):
    "Test the opening of the cases"

    @with_transaction()
    def test_open_without_slot(self):
        "Test a session without slots"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            Slot.delete(list(session.slots))
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            _, start = open_wizard('training.abandon.case.inform', [case])
            self.assertEqual(len(start['mails']), 1)

    @with_transaction()
    def test_open_refused(self):
        "Test the enrolments on which no case is opened, all or none"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 3)
            first, second, third = enrolments
            Enrolment.complete([first])
            with self.assertRaisesRegex(CaseOpenError, first.trainee.rec_name):
                open_cases(enrolments)
            with self.assertRaises(CaseOpenError):
                open_cases([second], date=DATE + 2 * DAY)
            open_cases([second])
            with self.assertRaises(CaseOpenError):
                open_cases([second, third])
            self.assertEqual(len(Case.search([])), 1)

    @with_transaction()
    def test_open_no_procedure(self):
        "Test opening without an active procedure"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        with set_up() as (company, session, _):
            Procedure.archive(Procedure.search([]))
            with self.assertRaises(ProcedureError):
                open_cases(create_enrolments(session))

    @with_transaction()
    def test_open_statements(self):
        "Test that opening costs a fixed number of statements per slice"
        counts = {}
        with set_up() as (company, session, prescriber):
            for number in [10, 250]:
                enrolments = create_enrolments(
                    session, number, prescriber=prescriber)
                with count_statements() as statements:
                    open_cases(enrolments)
                # SQLite inserts the rows one by one
                counts[number] = len(
                    [s for s in statements if not s.startswith('INSERT')])
        # 250 cases make 2 slices of 200 and 10 slices of steps
        self.assertLess(counts[250], 5 * counts[10])

    @with_transaction()
    def test_one_open_case(self):
        "Test that the database refuses a second open case"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            transaction = Transaction()
            table = Case.__table__()
            columns = [
                table.company, table.enrolment, table.procedure,
                table.origin, table.opening_date, table.state]
            values = [
                case.company.id, case.enrolment.id, case.procedure.id,
                'absence', DATE, 'draft']
            with self.assertRaises(
                    transaction.database.IntegrityError
                    if hasattr(transaction.database, 'IntegrityError')
                    else Exception) as raised:
                transaction.connection.cursor().execute(
                    *table.insert(columns, [values]))
            self.assertIn('enrolment', str(raised.exception))

    @with_transaction()
    def test_number_unique(self):
        "Test the words of the constraint on the open case"
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            with self.assertRaisesRegex(
                    SQLConstraintError, "only one open case"):
                with patch.object(
                        type(case), '_check_open', lambda *args: None):
                    open_cases([case.enrolment])
