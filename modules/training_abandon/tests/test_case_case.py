# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.model import fields
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.exceptions import CaseStepError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DatabaseTestCase, count_statements, create_enrolments, open_cases,
    run_wizard, set_up)


class CaseTestCase(DatabaseTestCase):
    "Test the cases"

    @with_transaction()
    def test_list_statements(self):
        "Test that a list of cases costs always as much"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        names = [
            'number', 'rec_name', 'trainee', 'trainee.rec_name', 'course',
            'course.rec_name', 'prescriber', 'next_kind', 'next_due_date',
            'evidence', 'state']
        with set_up() as (company, session, prescriber):
            cases = open_cases(
                create_enrolments(session, 60, prescriber=prescriber))
            ids = [c.id for c in cases]
            counts = []
            for number in [5, 60]:
                for cache in Transaction().cache.values():
                    cache.clear()
                with count_statements() as statements:
                    Case.read(ids[:number], names)
                counts.append(len(statements))
            self.assertEqual(*counts)

    @with_transaction()
    def test_delete_and_copy_case(self):
        "Test that a case is neither deleted nor copied"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            cases = open_cases(create_enrolments(session))
            with self.assertRaises(AccessError):
                Case.delete(cases)
            with self.assertRaises(AccessError):
                Case.copy(cases)

    @with_transaction()
    def test_protected(self):
        "Test that only the procedure changes what it has recorded"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            # Tryton's own, and those that have the same rule of their own
            others = {
                'id', 'create_uid', 'create_date', 'write_uid', 'write_date',
                'alerts', 'events', 'messages', 'replies'}
            for name, field in Case._fields.items():
                if (not field.readonly or isinstance(field, fields.Function)
                        or name in others):
                    continue
                with self.subTest(name=name), self.assertRaises(AccessError):
                    Case.check_modification(
                        'write', [case], {name: None}, external=True)
            Case.check_modification(
                'write', [case], {'owner': None}, external=True)

    @with_transaction()
    def test_cancel(self):
        "Test that a cancelled case sends nothing any more"
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            run_wizard('training.abandon.case.inform', [case])
            type(case).cancel([case])
            self.assertEqual(case.state, 'cancelled')
            self.assertTrue(case.closed_at)
            self.assertEqual({m.state for m in case.mails}, {'cancelled'})
            with self.assertRaises(CaseStepError):
                run_wizard('training.abandon.case.decide', [case])
