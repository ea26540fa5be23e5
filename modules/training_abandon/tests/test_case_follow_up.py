# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The follow-ups that users record by hand"
import datetime as dt

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import TrainingValidationError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DatabaseTestCase, as_user, create_enrolments, create_user, get_to_decision,
    open_cases, set_up)

HOUR = dt.timedelta(hours=1)


class FollowUpTestCase(DatabaseTestCase):
    "Test that what is recorded by hand passes the checks of the exchange"

    def values(self, case, **values):
        return {
            'company': case.company.id,
            'enrolment': case.enrolment.id,
            'case': case.id,
            'party': case.enrolment.trainee.party.id,
            'kind': 'call',
            'done_at': tools.now(),
            'outcome': 'reached',
            **values}

    def doors(self, case, **values):
        "Yield what records a follow-up, by each of the doors"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        values = self.values(case, **values)
        yield lambda: FollowUp.create([values])
        yield lambda: Case.write([Case(case.id)], {
                'follow_ups': [('create', [values])]})
        other, = FollowUp.create([{**values, 'case': None}])
        yield lambda: FollowUp.write(
            [FollowUp(other.id)], {'case': case.id})

    @with_transaction()
    def test_dates(self):
        "Test that nothing is done later than now nor before the opening"
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            with as_user(create_user('reader', company, 'training')):
                opening = dt.datetime.combine(case.opening_date, dt.time(12))
                for record in self.doors(
                        case, done_at=opening - 24 * HOUR):
                    with self.assertRaises(TrainingValidationError):
                        record()
                with self.assertRaises(TrainingValidationError):
                    next(self.doors(case, done_at=tools.now() + HOUR))()
                for record in self.doors(case, done_at=opening):
                    record()

    @with_transaction()
    def test_closed(self):
        "Test that a closed case takes a remark but no proof and no plan"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            case = get_to_decision(create_enrolments(session)[0])
            before, = FollowUp.create([
                    self.values(case, done_at=tools.now() - HOUR)])
            planned, = FollowUp.create([self.values(
                        case, done_at=None, outcome=None,
                        planned_at=tools.now())])
            type(case).cancel([case])
            with as_user(create_user(
                        'reader', company, 'training', 'training_admin',
                        'sensitive_reason')), \
                    Transaction().set_context(_skip_warnings=True):
                for values in [
                        {'done_at': case.closed_at - HOUR},
                        {'done_at': None, 'outcome': None},
                        {'done_at': None, 'outcome': None,
                            'planned_at': tools.now() + HOUR},
                        ]:
                    for record in self.doors(case, **values):
                        with self.subTest(**values), \
                                self.assertRaises(AccessError):
                            record()
                before = FollowUp(before.id)
                with self.assertRaises(AccessError):
                    FollowUp.write([before], {'outcome': 'refused'})
                with self.assertRaises(AccessError):
                    FollowUp.delete([before])
                FollowUp.write([before], {'note': "Heard since"})
                FollowUp.write([FollowUp(planned.id)], {
                        'done_at': case.closed_at, 'outcome': 'no_answer'})
                for record in self.doors(case, done_at=case.closed_at):
                    record()

    @with_transaction()
    def test_recorded(self):
        "Test that nobody gives a step to a follow-up"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            follow_up, = FollowUp.create([self.values(case)])
            step = case.get_step('exchange')
            with as_user(create_user('reader', company, 'training')):
                with self.assertRaises(AccessError):
                    FollowUp.create([self.values(case, step=step.id)])
                with self.assertRaises(AccessError):
                    FollowUp.write(
                        [FollowUp(follow_up.id)], {'step': step.id})
