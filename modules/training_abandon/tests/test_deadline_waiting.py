# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DAY, DeadlineTestCase, create_enrolments, create_user, decide,
    get_to_decision, run_wizard, same_transaction, set_up, today)


class WaitingTestCase(DeadlineTestCase):
    "Test who is told that the day of a return is reached"

    def tell(self, day):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with today(day), same_transaction():
            Case.tell_returns()
        return [
            (login, records) for login, _, _, records in self.notified()]

    @with_transaction()
    def test_return(self):
        "Test that the owner is told once, on the day"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            owner = create_user('owner', company, 'training')
            enrolments = create_enrolments(session, 2)
            cases = [get_to_decision(e) for e in enrolments]
            Case.write(cases, {'owner': owner.employee.id})
            day = DATE + dt.timedelta(days=7)
            for case in cases:
                decide(case, ground='postponed', return_date=day)
            Case.close(cases)
            with today(day - DAY):
                Enrolment.start([enrolments[1]])
            self.notified()
            self.assertEqual(self.tell(day - DAY), [])
            told = [('owner', f'[{cases[0].id}]')]
            self.assertEqual(self.tell(day), told)
            self.assertEqual(cases[0].return_told_on, day)
            self.assertEqual(self.tell(day + DAY), [])
            # Another day is told too
            run_wizard(
                'training.abandon.case.complete_decision', [cases[0]],
                return_date=day + 3 * DAY)
            self.assertEqual(self.tell(day + 2 * DAY), [])
            self.assertEqual(self.tell(day + 3 * DAY), told)
