# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from holidays.countries import France

from trytond.modules.company.tests import create_company
from trytond.modules.training_abandon.training.working_day import (
    FORMER_HOLIDAY_REGIONS, HOLIDAY_REGIONS, WorkingCalendar, local_holidays)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

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

    def test_holiday_regions(self):
        "Test the days that the regions add to the public holidays"
        for code, days in {
                '57': ['04-03', '12-26'],
                '6AE': ['04-03', '12-26'],
                '971': ['03-12', '04-03', '05-27', '07-21'],
                '972': ['05-22', '07-21'],
                '973': ['06-10'],
                '974': ['12-20'],
                '976': ['04-27'],
                'BL': ['10-09'],
                'MF': ['05-28', '07-21'],
                'NC': ['09-24'],
                'PF': ['03-05', '04-03', '11-20'],
                'PM': [],
                'TF': [],
                'WF': ['04-28', '06-29', '07-29'],
                }.items():
            with self.subTest(code=code):
                self.assertEqual(
                    sorted(local_holidays(code, 2026)),
                    [dt.date.fromisoformat(f'2026-{day}') for day in days])
        self.assertEqual(
            sorted(local_holidays('PF', 2024)), [
                dt.date(2024, 3, 5), dt.date(2024, 3, 29),
                dt.date(2024, 6, 29)])

    def test_public_holidays(self):
        "Test the library still gives the public holidays of France"
        self.assertEqual(
            sorted(d.strftime('%m-%d') for d in France(years=[2026])), [
                '01-01', '04-06', '05-01', '05-08', '05-14', '05-25',
                '07-14', '08-15', '11-01', '11-11', '12-25'])

    @with_transaction()
    def test_local_holiday(self):
        "Test a day of the region is neither worked nor open"
        pool = Pool()
        Configuration = pool.get('training.configuration')
        company = create_company()
        abolition = dt.date(2027, 4, 27)
        self.assertTrue(WorkingCalendar(company).is_open(abolition))
        Configuration(1).set_multivalue(
            'holiday_region', '976', company=company.id)
        calendar = WorkingCalendar(company)
        self.assertFalse(calendar.is_open(abolition))
        self.assertFalse(calendar.is_working_day(abolition))
        self.assertEqual(
            calendar.add(dt.date(2027, 4, 26), 1), dt.date(2027, 4, 28))
        self.assertEqual(
            calendar.count(dt.date(2027, 4, 26), dt.date(2027, 4, 28)), 1)

    @with_transaction()
    def test_former_regions(self):
        "Test the codes of the former versions of the library are replaced"
        pool = Pool()
        Calendar = pool.get('training.configuration.calendar')
        company = create_company()
        record, = Calendar.create([{'company': company.id}])
        table = Calendar.__table__()
        cursor = Transaction().connection.cursor()
        for former, code in FORMER_HOLIDAY_REGIONS.items():
            with self.subTest(former=former):
                cursor.execute(*table.update(
                        [table.holiday_region], [former]))
                Calendar.__register__('training_abandon')
                self.assertIn(code, HOLIDAY_REGIONS)
                self.assertEqual(
                    Calendar.search([('holiday_region', '=', code)]),
                    [record])
