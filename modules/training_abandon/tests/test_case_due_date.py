# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import (
    DatabaseTestCase, at, create_enrolments, create_session, open_cases,
    run_wizard, set_up, today)


class CaseDueDateTestCase(DatabaseTestCase):
    "Test when the steps of the cases are due"

    @with_transaction()
    def test_due_dates(self):
        "Test the due dates at opening and after a step"
        with set_up() as (company, session, prescriber):
            enrolments = create_enrolments(session, prescriber=prescriber)
            case, = open_cases(enrolments)
            self.assertEqual(
                [s.due_date for s in case.steps], [
                    dt.date(2026, 3, 4), dt.date(2026, 3, 4),
                    dt.date(2026, 3, 9), dt.date(2026, 3, 16),
                    dt.date(2026, 3, 23), dt.date(2026, 3, 26),
                    dt.date(2026, 4, 10), dt.date(2026, 4, 24)])
            with at(dt.datetime(2026, 3, 5, 9)):
                run_wizard('training.abandon.case.inform', [case])
            self.assertEqual(
                [s.due_date for s in case.steps][:3], [
                    dt.date(2026, 3, 4), dt.date(2026, 3, 5),
                    dt.date(2026, 3, 10)])

    @with_transaction()
    def test_delay_zero(self):
        "Test that a step without delay is due the same working day"
        with set_up() as (company, session, _):
            session = create_session(company, start=dt.date(2026, 2, 28))
            enrolments = create_enrolments(session)
            # A Sunday, without prescriber to inform before
            case, = open_cases(enrolments, date=dt.date(2026, 3, 1))
            self.assertEqual(case.steps[0].state, 'skipped')
            self.assertTrue(case.steps[0].skip_reason)
            self.assertEqual(case.next_kind, 'ask_reasons')
            self.assertEqual(case.next_due_date, dt.date(2026, 3, 2))

    @with_transaction()
    def test_due_dates_calendar(self):
        "Test the due dates at DST, year end, leap day and overseas"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, _, _):
            for timezone, opening, done_at, expected in [
                    ('Europe/Paris', dt.date(2026, 3, 27),
                        # 23:30 on the Sunday that has 23 hours
                        dt.datetime(2026, 3, 29, 21, 30),
                        dt.date(2026, 4, 1)),
                    ('Europe/Paris', dt.date(2026, 10, 23),
                        dt.datetime(2026, 10, 25, 22, 30),
                        dt.date(2026, 10, 28)),
                    ('Europe/Paris', dt.date(2026, 12, 30),
                        # The new year has begun
                        dt.datetime(2026, 12, 31, 23, 30),
                        dt.date(2027, 1, 6)),
                    ('Indian/Reunion', dt.date(2026, 12, 30),
                        dt.datetime(2026, 12, 31, 19, 30),
                        dt.date(2027, 1, 6)),
                    ('America/Martinique', dt.date(2028, 2, 28),
                        # Still the leap day
                        dt.datetime(2028, 3, 1, 3, 30),
                        dt.date(2028, 3, 3)),
                    ]:
                with self.subTest(timezone=timezone, opening=opening):
                    company.timezone = timezone
                    company.save()
                    with today(opening):
                        session = create_session(company, opening)
                        case, = Case.open_cases(
                            create_enrolments(session), 'absence', opening)
                    with today(opening), at(done_at):
                        run_wizard(
                            'training.abandon.case.ask_reasons',
                            Case.browse([case]))
                    self.assertEqual(
                        Case(case.id).get_step('analyse').due_date, expected)
