# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.modules.company.tests import create_company
from trytond.modules.training_abandon.training.working_day import (
    WorkingCalendar)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import DatabaseTestCase


class WorkingDayTestCase(DatabaseTestCase):
    "Test the working days"

    @with_transaction()
    def test_working_calendar(self):
        "Test the working days: week-ends, holidays of the region, closures"
        pool = Pool()
        Closure = pool.get('training.closure')
        Configuration = pool.get('training.configuration')
        company = create_company()
        calendar = WorkingCalendar(company)
        friday = dt.date(2026, 4, 3)
        for date, days, expected in [
                (friday, 0, friday),
                (dt.date(2026, 4, 4), 0, dt.date(2026, 4, 7)),
                # Easter Monday
                (friday, 1, dt.date(2026, 4, 7)),
                # Year end
                (dt.date(2026, 12, 31), 1, dt.date(2027, 1, 4)),
                (dt.date(2026, 12, 24), 5, dt.date(2027, 1, 4)),
                ]:
            with self.subTest(date=date, days=days):
                self.assertEqual(calendar.add(date, days), expected)

        configuration = Configuration(1)
        configuration.set_multivalue(
            'holiday_region', '6AE', company=company.id)
        # Good Friday is a holiday in Alsace
        self.assertEqual(
            WorkingCalendar(company).add(friday, 0), dt.date(2026, 4, 7))

        Closure.create([{
                    'company': company.id,
                    'name': "Summer",
                    'start_date': dt.date(2026, 8, 3),
                    'end_date': dt.date(2026, 8, 21),
                    }, {
                    'company': company.id,
                    'name': "Bridge",
                    'start_date': dt.date(2026, 8, 10),
                    'end_date': dt.date(2026, 8, 11),
                    }])
        self.assertEqual(
            WorkingCalendar(company).add(dt.date(2026, 7, 31), 1),
            dt.date(2026, 8, 24))
