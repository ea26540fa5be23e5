# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.modules.training_abandon.exceptions import RequestError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    as_user, create_enrolments, create_session, create_user, open_cases,
    run_wizard, set_up)
from .test_risk_alert import RiskTestCase


class TrainerTestCase(RiskTestCase):
    "Test what a trainer does and reads"

    def set_trainer(self, company, session):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        user = create_user('teacher', company, 'training_trainer')
        Slot.write(list(session.slots[:3]), {
                'trainer': user.employee.party.id})
        return user

    @with_transaction()
    def test_own(self):
        "Test that a trainer reads the own sessions only"
        pool = Pool()
        with set_up() as (company, session, _):
            other = create_session(company)
            own, = create_enrolments(session)
            strange, = create_enrolments(other)
            self.rule()
            user = self.set_trainer(company, session)
            for enrolment in [own, strange]:
                self.fill(
                    enrolment.session.slots[:2], {enrolment: 'absent'})
            both = create_user(
                'both', company, 'training', 'training_trainer')
            for name, records in [
                    ('training.session', [session, other]),
                    ('training.session.slot',
                        [session.slots[0], other.slots[0]]),
                    ('training.attendance', [
                            s.slots[0].attendances[0]
                            for s in [session, other]]),
                    ('training.enrolment', [own, strange]),
                    ('training.trainee', [own.trainee, strange.trainee]),
                    ('training.alert', [
                            e.alerts[0] for e in [own, strange]]),
                    ]:
                Model = pool.get(name)
                with self.subTest(model=name):
                    with as_user(user):
                        found = {r.id for r in Model.search([])}
                        self.assertIn(records[0].id, found)
                        self.assertNotIn(records[1].id, found)
                        with self.assertRaises(AccessError):
                            Model.read([records[1].id], ['id'])
                    with as_user(both):
                        found = {r.id for r in Model.search([])}
                        self.assertIn(records[1].id, found)

    @with_transaction()
    def test_private(self):
        "Test that a trainer reads neither reasons nor money"
        pool = Pool()
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            alert, = pool.get('training.alert').raise_concern(
                [enrolment], 'other', "Word")
            open_cases([enrolment])
            user = self.set_trainer(company, session)
            with as_user(user):
                for name in [
                        'training.abandon.case', 'training.mail',
                        'training.follow_up', 'training.justification']:
                    with self.subTest(name=name), \
                            self.assertRaises(AccessError):
                        pool.get(name).search([])
                for name in [
                        'enrolment.funding', 'enrolment.event',
                        'enrolment.period', 'attendance.notice']:
                    with self.subTest(name=name):
                        self.assertFalse(
                            pool.get(f'training.{name}').search([]))
                for record, name in [
                        (enrolment, 'price'), (enrolment, 'indivisible_fees'),
                        (enrolment, 'cases'), (alert, 'dismiss_reason')]:
                    with self.subTest(name=name), \
                            self.assertRaises(AccessError):
                        type(record).read([record.id], [name])
                state, = type(alert).read(
                    [alert.id], ['state', 'closed_by', 'closed_at'])
                self.assertEqual(state['state'], 'handled')

    @with_transaction()
    def test_sheet(self):
        "Test that a trainer fills and closes a sheet and raises a concern"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            self.rule()
            enrolment, other = create_enrolments(session, 2)
            user = self.set_trainer(company, session)
            with as_user(user), \
                    Transaction().set_context(_skip_warnings=True):
                for slot in Slot.browse([s.id for s in session.slots[:2]]):
                    Slot.open([slot])
                    Slot.write([slot], {
                            'attendances': [('write', [
                                        a.id for a in slot.attendances
                                        if a.enrolment == enrolment], {
                                        'state': 'absent'})]})
                    with self.assertRaises(AccessButtonError):
                        Slot.cancel([slot])
                    Slot.others_present([slot])
                    Slot.close([slot])
                with self.assertRaises(AccessButtonError):
                    pool.get('training.alert').handle(
                        pool.get('training.alert').search([]))
            self.assertEqual(
                [a.enrolment for a in self.alerts()], [enrolment])
            with as_user(user):
                run_wizard(
                    'training.alert.raise', [Slot(session.slots[1].id)],
                    kind='difficulty', word="Lost", enrolments=[other.id])
                alert, = self.alerts(('kind', '!=', None))
                self.assertEqual(alert.raised_by, user)
            with as_user(user), self.assertRaises(
                    (AccessError, RequestError)):
                run_wizard('training.abandon.case.open', [enrolment])
