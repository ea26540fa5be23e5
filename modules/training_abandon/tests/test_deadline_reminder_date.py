# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from unittest.mock import patch

from trytond.modules.company.tests import create_company
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.training.working_day import (
    WorkingCalendar)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import DATE, DAY, DeadlineTestCase, set_up, today


class ReminderDateTestCase(DeadlineTestCase):
    "Test on which days the reminders leave"

    @with_transaction()
    def test_reminder_days(self):
        "Test the days of the reminders"
        pool = Pool()
        Closure = pool.get('training.closure')
        with set_up() as (company, session, _):
            Closure.create([{
                        'company': company.id,
                        'name': "Works",
                        'start_date': DATE + 3 * DAY,
                        'end_date': DATE + 4 * DAY,
                        }])
            self.ask(session)
            for day in range(7):
                self.assertEqual(self.remind(DATE + day * DAY), [])
            self.assertEqual(len(self.remind(DATE + 7 * DAY)), 1)

    @with_transaction()
    def test_reminder_late_cron(self):
        "Test that a reminder missed on a day off leaves on the next one"
        with set_up() as (company, session, _):
            self.ask(session)
            self.assertEqual(self.remind(DATE + 5 * DAY), [])
            self.assertEqual(self.remind(DATE + 6 * DAY), [])
            self.assertEqual(len(self.remind(DATE + 7 * DAY)), 1)

    @with_transaction()
    def test_reminder_calendar(self):
        "Test the dates of the reminders at DST, year end and leap day"
        pool = Pool()
        Step = pool.get('training.abandon.procedure.step')
        calendar = WorkingCalendar(create_company())
        for unit, delay, sent, expected in [
                # Last Sundays of March and October
                ('day', 2, dt.date(2026, 3, 28), dt.date(2026, 3, 30)),
                ('working_day', 1, dt.date(2026, 3, 27),
                    dt.date(2026, 3, 30)),
                ('day', 1, dt.date(2026, 10, 24), dt.date(2026, 10, 26)),
                # 1 January is a holiday and the next days a week-end
                ('day', 1, dt.date(2026, 12, 31), dt.date(2027, 1, 4)),
                ('working_day', 2, dt.date(2026, 12, 31),
                    dt.date(2027, 1, 5)),
                ('day', 1, dt.date(2028, 2, 28), dt.date(2028, 2, 29)),
                ('working_day', 1, dt.date(2028, 2, 29),
                    dt.date(2028, 3, 1)),
                # 8 May and Ascension, 14 May 2026
                ('day', 3, dt.date(2026, 5, 5), dt.date(2026, 5, 11)),
                ('working_day', 1, dt.date(2026, 5, 13),
                    dt.date(2026, 5, 15)),
                ]:
            with self.subTest(unit=unit, sent=sent):
                step = Step(delay_unit=unit, reminder_delay=delay)
                self.assertEqual(
                    step.compute_reminder_date(sent, calendar), expected)

    @with_transaction()
    def test_reminder_timezone(self):
        "Test that the days are those of the company"
        pool = Pool()
        with set_up() as (company, session, _):
            for timezone, hour, day in [
                    # Already the next day
                    ('Indian/Reunion', 21, DATE + DAY),
                    ('Europe/Paris', 23, DATE + DAY),
                    # Still the day
                    ('Europe/Paris', 22, DATE),
                    ('America/Martinique', 23, DATE),
                    # Still the day before, a Sunday
                    ('America/Martinique', 3, DATE - DAY),
                    ]:
                with self.subTest(timezone=timezone, hour=hour):
                    company.timezone = timezone
                    company.save()
                    case, = self.ask(session, accept=False)
                    pool.get('training.mail').write(list(case.mails), {
                            'state': 'sent',
                            'sent_at': dt.datetime.combine(
                                DATE, dt.time(hour)),
                            })
                    expected = WorkingCalendar(company).add(day, 3)
                    with today(DATE + DAY):
                        self.assertEqual(
                            case.get_step('ask_reasons').next_reminder,
                            expected)
                    self.assertEqual(self.remind(expected - DAY), [])
                    self.assertEqual(
                        [m.case for m in self.remind(expected)], [case])

    @with_transaction()
    def test_today_timezone(self):
        "Test that an evening is the next day for the companies overseas"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, _):
            self.ask(session)
        for timezone, expected in [
                ('Indian/Reunion', 1), ('America/Martinique', 0)]:
            company.timezone = timezone
            company.save()
            now = dt.datetime.combine(
                DATE + 2 * DAY, dt.time(22), tzinfo=dt.timezone.utc)
            with patch('trytond.ir.date.datetime') as datetime:
                datetime.datetime.now.side_effect = now.astimezone
                self.assertEqual(
                    tools.today(company), DATE + (2 + expected) * DAY)
                self.assertEqual(len(Step.due_reminders()), expected)
