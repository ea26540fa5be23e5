# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.modules.training_abandon import tools
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DatabaseTestCase, count_statements, create_enrolments, create_party,
    run_wizard, set_up, today)

TUESDAY = DATE + dt.timedelta(days=1)


class ConformityTestCase(DatabaseTestCase):
    "Test what an auditor finds of the steps of a case"

    def open_cases(self, session, prescriber=None, count=1):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        enrolments = create_enrolments(session, count, prescriber)
        return Case.browse(Case.open_cases(enrolments, 'absence', DATE))

    def step(self, case, kind):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        step, = Step.search([('case', '=', case.id), ('kind', '=', kind)])
        return step

    def conformity(self, case, kind):
        step = self.step(case, kind)
        return step.conformity, step.conformity_note

    def deliver(self, case, at, **values):
        "Let the server have accepted the mails of the case at that time"
        pool = Pool()
        Mail = pool.get('training.mail')
        Mail.write(
            Mail.search([
                    ('case', '=', case.id), ('state', '=', 'queued')]),
            {'state': 'sent', 'sent_at': at, **values})

    def inform(self, case, at):
        with today(at.date()):
            run_wizard('training.abandon.case.inform', [case])
        self.deliver(case, at)

    @with_transaction()
    def test_in_time(self):
        "Test that a step is in time when its mail is accepted by its day"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            due = self.step(case, 'inform').due_date
            self.assertEqual(
                self.conformity(case, 'inform')[0], 'to_come')

            self.inform(case, dt.datetime.combine(due, dt.time(20)))

            step = self.step(case, 'inform')
            self.assertEqual(step.conformity, 'in_time')
            self.assertEqual(
                step.proven_at, dt.datetime.combine(due, dt.time(20)))
            self.assertEqual(case.conformity, 'in_time')

    @with_transaction()
    def test_late(self):
        "Test that being late is told in working days"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            due = self.step(case, 'inform').due_date
            proven = due + dt.timedelta(days=7)

            self.inform(case, dt.datetime.combine(proven, dt.time(10)))

            conformity, note = self.conformity(case, 'inform')
            self.assertEqual(conformity, 'late')
            self.assertTrue(note.startswith('5 working days late'), note)
            self.assertIn(due.strftime('%m/%d/%Y'), note)
            self.assertIn(proven.strftime('%m/%d/%Y'), note)

    @with_transaction()
    def test_time_zone(self):
        "Test that the day ends when it does for the company"
        with set_up() as (company, session, prescriber):
            company.timezone = 'Europe/Paris'
            company.save()
            early, late = self.open_cases(session, prescriber, 2)
            due = self.step(early, 'inform').due_date
            self.assertEqual(
                self.step(early, 'inform').late_from,
                dt.datetime.combine(due, dt.time(23)))

            # In Paris it is 23:59:59 and midnight
            self.inform(early, dt.datetime.combine(due, dt.time(22, 59, 59)))
            self.inform(late, dt.datetime.combine(due, dt.time(23)))

            self.assertEqual(self.conformity(early, 'inform')[0], 'in_time')
            self.assertEqual(self.conformity(late, 'inform')[0], 'late')

    @with_transaction()
    def test_missing(self):
        "Test that a step not done is missing once its day has passed"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            due = self.step(case, 'inform').due_date
            with today(due):
                self.assertEqual(
                    self.conformity(case, 'inform')[0], 'to_come')
            with today(due + dt.timedelta(days=1)):
                conformity, note = self.conformity(case, 'inform')
                self.assertEqual(conformity, 'missing')
                self.assertIn('1 working day late', note)
                self.assertEqual(case.conformity, 'missing')

    @with_transaction()
    def test_evidence_missing(self):
        "Test that a step done is not conform until it is proven"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            due = self.step(case, 'inform').due_date
            run_wizard('training.abandon.case.inform', [case])

            # There is still time for the mail to leave
            with today(due):
                self.assertEqual(
                    self.conformity(case, 'inform')[0], 'to_come')
            with today(due + dt.timedelta(days=1)):
                conformity, note = self.conformity(case, 'inform')
                self.assertEqual(conformity, 'evidence_missing')
                self.assertIn('not been sent', note)

            self.deliver(
                case, dt.datetime.combine(due, dt.time(10)),
                bounced_at=dt.datetime.combine(due, dt.time(11)))
            with today(due):
                conformity, note = self.conformity(case, 'inform')
                self.assertEqual(conformity, 'evidence_missing')
                self.assertIn('not been delivered', note)

    @with_transaction()
    def test_written_again(self):
        "Test that what is written again does not make the step late"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            due = self.step(case, 'inform').due_date
            self.inform(case, dt.datetime.combine(due, dt.time(10)))
            mail, = Mail.search([('case', '=', case.id)])
            Mail.copy([mail], default={
                    'state': 'sent',
                    'sent_at': dt.datetime.combine(
                        due + dt.timedelta(days=8), dt.time(10)),
                    })

            self.assertEqual(self.conformity(case, 'inform')[0], 'in_time')

    @with_transaction()
    def test_parties(self):
        "Test that a step is in time once all its parties are reached"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            other = create_party("Employer", 'employer@example.com')
            due = self.step(
                self.open_cases(session, prescriber)[0], 'inform').due_date
            early = dt.datetime.combine(due, dt.time(10))
            late = early + dt.timedelta(days=8)

            def copy(mail, at, **values):
                Mail.copy([mail], default={
                        'state': 'sent',
                        'sent_at': at,
                        **values})

            def bounce(mail):
                Mail.write([mail], {'bounced_at': early})
                replacement = mail.readdress('other@example.com')
                Mail.write([replacement], {'state': 'sent', 'sent_at': late})

            for name, happen, conformity in [
                    ('early', lambda m: copy(
                            m, early, party=other), 'in_time'),
                    ('late', lambda m: copy(m, late, party=other), 'late'),
                    ('reminder', lambda m: copy(
                            m, late, party=other, reminder=1), 'in_time'),
                    ('exchange', lambda m: copy(
                            m, late, party=other, kind='exchange'),
                        'in_time'),
                    ('failed', lambda m: copy(
                            m, late, party=other, state='cancelled'),
                        'in_time'),
                    ('bounced', bounce, 'late'),
                    ]:
                case, = self.open_cases(session, prescriber)
                self.inform(case, early)
                happen(*case.mails)
                with self.subTest(name=name):
                    step = self.step(case, 'inform')
                    self.assertEqual(step.conformity, conformity)
                    self.assertEqual(
                        step.proven_at,
                        late if conformity == 'late' else early)

    @with_transaction()
    def test_skipped(self):
        "Test that somebody who skips is not the procedure that skips"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            alone, = self.open_cases(session)
            skipped, = self.open_cases(session, prescriber)
            run_wizard(
                'training.abandon.case.skip', [skipped],
                reason="Told by the trainee")

            self.assertEqual(self.conformity(alone, 'inform')[0], 'exempt')
            conformity, note = self.conformity(skipped, 'inform')
            self.assertEqual(conformity, 'skipped')
            self.assertIn('Told by the trainee', note)
            self.assertIn(
                tools.current_employee(
                        skipped.company).party.name, note)

            Case.cancel([skipped])
            self.assertEqual(
                self.conformity(skipped, 'inform')[0], 'skipped')
            self.assertEqual(
                self.conformity(skipped, 'certify')[0], 'exempt')
            self.assertEqual(skipped.conformity, 'skipped')

    @with_transaction()
    def test_skipped_automatically(self):
        "Test that nobody is said to have skipped what the cron skipped"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            step = self.step(case, 'inform')
            Step.skip([step], "No answer for 10 days")
            Step.write([step], {'done_by': None, 'done_by_user': 0})

            conformity, note = self.conformity(case, 'inform')
            self.assertEqual(conformity, 'skipped')
            self.assertTrue(note.startswith("Skipped automatically"), note)
            self.assertIn("No answer for 10 days", note)

    @with_transaction()
    def test_exchange(self):
        "Test that the exchange is proven by what was heard, not by mails"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            step = self.step(case, 'exchange')
            heard = dt.datetime.combine(step.due_date, dt.time(10))
            case = Case(case.id)
            case.write_to([prescriber], "Subject", "Text")
            self.deliver(case, heard)
            Step.complete([step])
            with today(step.due_date + dt.timedelta(days=1)):
                self.assertEqual(
                    self.conformity(case, 'exchange')[0], 'evidence_missing')

                FollowUp.create([{
                            'company': company.id,
                            'enrolment': case.enrolment.id,
                            'case': case.id,
                            'step': step.id,
                            'kind': 'call',
                            'party': prescriber.id,
                            'done_at': heard,
                            'outcome': 'reached',
                            }])
                Mail.write(list(Case(case.id).mails), {'state': 'failed'})
                step = self.step(case, 'exchange')
                self.assertEqual(step.evidence, 'proven')
                self.assertEqual(step.conformity, 'in_time')
                self.assertEqual(step.proven_at, heard)

    @with_transaction()
    def test_search(self):
        "Test that the cases and the steps are found by their conformity"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, prescriber):
            cases = self.open_cases(session, prescriber, 3)
            due = self.step(cases[0], 'inform').due_date
            self.inform(cases[0], dt.datetime.combine(due, dt.time(10)))
            self.inform(cases[1], dt.datetime.combine(
                    due + dt.timedelta(days=5), dt.time(10)))
            with today(due + dt.timedelta(days=1)):
                self.assertEqual(
                    [c.conformity for c in Case.browse(cases)],
                    # The next step of the first one is due the same day
                    ['missing', 'late', 'missing'])
                for conformity in ['in_time', 'late', 'missing']:
                    self.assertEqual(
                        Case.search(
                            [('conformity', '=', conformity)],
                            order=[('id', 'ASC')]),
                        [c for c in cases if c.conformity == conformity])
                self.assertEqual(
                    Case.search([('conformity', 'not in', ['missing'])]),
                    cases[1:2])
                self.assertEqual(
                    Step.search([('conformity', '=', 'late')]),
                    [self.step(cases[1], 'inform')])

    @with_transaction()
    def test_statements(self):
        "Test that many cases take as many statements as few"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, prescriber):
            cases = self.open_cases(session, prescriber, 90)
            counts = []
            for number in [10, 90]:
                Transaction().cache.clear()
                ids = [c.id for c in cases[:number]]
                with count_statements() as statements:
                    Case.read(ids, ['conformity'])
                counts.append(len(statements))
            self.assertEqual(*counts)
            ids = [s.id for c in cases for s in c.steps]
            counts = []
            for number in [10, 90]:
                Transaction().cache.clear()
                with count_statements() as statements:
                    Step.read(ids[:number], ['conformity_note'])
                counts.append(len(statements))
            self.assertEqual(*counts)
