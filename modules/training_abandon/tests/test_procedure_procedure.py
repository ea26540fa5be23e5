# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.exceptions import ProcedureError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DatabaseTestCase, as_user, create_enrolments, create_user, open_cases,
    set_up)


class ProcedureTestCase(DatabaseTestCase):
    "Test the revisions of the procedure"

    @with_transaction()
    def test_procedure_active(self):
        "Test that an active revision cannot be edited"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.procedure.step')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            procedure, = Procedure.search([])
            admin = create_user('admin2', company, 'training_admin')
            with as_user(admin):
                step = Step(procedure.steps[0].id)
                with self.assertRaises(AccessError):
                    Step.write([step], {'delay': 5})
                with self.assertRaises(AccessError):
                    Procedure.write([procedure], {'place': "Cannes"})
                action = Procedure.revise([procedure])
                revision = Procedure(action['res_id'][0])
                self.assertEqual(revision.revision, '05')
                self.assertEqual(revision.state, 'draft')
                self.assertEqual(len(revision.steps), 8)
                self.assertEqual(
                    [r.code for r in revision.reasons],
                    [r.code for r in procedure.reasons])
                Step.write([revision.steps[0]], {'delay': 5})
                Procedure.activate([revision])
            self.assertEqual(procedure.state, 'archived')
            # The open case keeps its own
            self.assertEqual(case.procedure, procedure)
            other, = open_cases(create_enrolments(session))
            self.assertEqual(other.procedure, revision)

    @with_transaction()
    def test_added_delays(self):
        "Test that the administrators are told of the delays of an update"
        pool = Pool()
        Configuration = pool.get('ir.configuration')
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.procedure.step')
        with set_up() as (company, session, prescriber):
            employee = create_user('employee', company, 'training')
            admin = create_user('admin2', company, 'training_admin')
            procedure, = Procedure.search([])
            Procedure.copy([procedure])
            for Model, name in [
                    (Procedure, 'silence_delay'),
                    (Step, 'escalation_delay')]:
                Model.__table_handler__('training_abandon').drop_column(name)
                Model.__register__('training_abandon')
            Transaction().user_notifications.clear()
            with self.assertLogs(
                    'trytond.modules.training_abandon', 'WARNING') as logs:
                Configuration(1).check()
            self.assertEqual(len(logs.output), 1)
            notifications = Transaction().user_notifications
            told = {n.user: n.description for n in notifications}
            self.assertNotIn(employee, told)
            self.assertEqual(
                told[admin],
                f"{procedure.rec_name}: Silence Delay, Escalation Delay")

            # The next time nothing is added
            notifications.clear()
            Procedure.__register__('training_abandon')
            Configuration(1).check()
            self.assertFalse(notifications)

    @with_transaction()
    def test_procedure_incomplete(self):
        "Test that a procedure is complete to be activated"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.procedure.step')
        Letter = pool.get('training.abandon.procedure.letter')
        procedure, = Procedure.search([])
        for action in [
                lambda p: Step.delete([p.get_step('decide')]),
                lambda p: Step.write([p.get_step('decide')], {'sequence': 1}),
                lambda p: Letter.delete([
                        p.get_letter('ask_reasons', 'silent', 'trainee')]),
                ]:
            revision, = Procedure.copy(
                [procedure], default={'revision': 'test'})
            action(revision)
            with self.assertRaises(ProcedureError):
                Procedure.activate(Procedure.browse([revision]))
            Procedure.delete([revision])
