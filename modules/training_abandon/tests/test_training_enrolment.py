# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.modules.training_abandon.exceptions import EnrolmentDuplicateError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import DatabaseTestCase, create_enrolments, set_up


class EnrolmentTestCase(DatabaseTestCase):
    "Test the enrolments"

    @with_transaction()
    def test_enrolment_duplicate(self):
        "Test that a trainee is enrolled once in a session"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            values = {
                'company': company.id,
                'session': session.id,
                'trainee': enrolment.trainee.id,
                'currency': company.currency.id,
                }
            Enrolment.withdraw([enrolment])
            again, = Enrolment.create([values])
            with self.assertRaisesRegex(
                    EnrolmentDuplicateError, again.number):
                Enrolment.create([values])
