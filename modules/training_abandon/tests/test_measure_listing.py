# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The follow-ups of a period, printed or in a list"
import datetime as dt
import subprocess
import tempfile

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import TrainingValidationError
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, as_user, count_statements, create_enrolments,
    create_user, set_up)

PRIVATE = "Burnout since May"
AT = dt.datetime.combine(DATE, dt.time(10))


class ListingTestCase(DatabaseTestCase):
    "Test the listing of the phone follow-ups and the appointment book"

    def create(self, enrolments, **values):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        return FollowUp.create([{
                    'company': e.company.id,
                    'enrolment': e.id,
                    'party': e.trainee.party.id,
                    'kind': 'call',
                    'note': PRIVATE,
                    'employee': None,
                    **values} for e in enrolments])

    def run_print(self, company, document='phone_listing', state='apply',
            **values):
        pool = Pool()
        Wizard = pool.get('training.follow_up.print', type='wizard')
        session_id, _, _ = Wizard.create()
        start = {
            'document': document, 'company': company.id,
            'from_date': DATE, 'to_date': DATE, 'employee': None, **values}
        with Transaction().set_context(_check_access=False):
            (action, data), = Wizard.execute(
                session_id, {'start': start}, state)['actions']
        return action, data

    def rows(self, *args, **kwargs):
        pool = Pool()
        action, data = self.run_print(*args, **kwargs)
        Report = pool.get(action['report_name'], type='report')
        FollowUp = pool.get('training.follow_up')
        records = FollowUp.browse(data['ids'])
        context = Report.get_context(
            records, {'company': records[0].company}, data)
        return [
            dict(zip(context['headings'], row)) for row in context['rows']]

    @with_transaction()
    def test_phone_listing(self):
        "Test which calls are printed"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            self.create(
                [enrolment], done_at=AT, outcome='no_answer',
                planned_at=AT - DAY)
            self.create([enrolment], planned_at=AT + dt.timedelta(hours=1))
            for values in [
                    {'planned_at': AT + DAY},
                    {'done_at': AT - DAY, 'outcome': 'reached',
                        'planned_at': AT},
                    {'kind': 'meeting', 'planned_at': AT},
                    ]:
                self.create([enrolment], **values)
            rows = self.rows(company)
            self.assertEqual([(
                        r["Done at"], r["Outcome"], r["Party"], r["Attempt"])
                    for r in rows], [
                    ("03/02/2026\xa010:00", "No Answer", "Trainee 0", '1'),
                    ('', '', "Trainee 0", '2')])
            self.assertNotIn(PRIVATE, str(rows))
            employee = tools.current_employee(company)
            self.create(
                [enrolment], planned_at=AT, employee=employee.id)
            self.assertEqual(
                [r["Employee"] for r in self.rows(
                        company, employee=employee.id)],
                [employee.rec_name])

    @with_transaction()
    def test_appointment_book(self):
        "Test which appointments are printed"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            for kind in ['call', 'meeting', 'visit', 'email']:
                self.create([enrolment], kind=kind, planned_at=AT)
            self.create([enrolment], kind='visit', planned_at=AT + DAY)
            self.assertEqual({
                    r["Kind"] for r in self.rows(
                        company, 'appointment_book')},
                {"Phone Call", "Meeting", "Visit"})

    @with_transaction()
    def test_pdf(self):
        "Test the documents"
        pool = Pool()
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 2)
            self.create(enrolments, planned_at=AT)
            for document, title in [
                    ('phone_listing', "Phone Follow-Up Listing"),
                    ('appointment_book', "Appointment Book"),
                    ]:
                action, data = self.run_print(company, document)
                Report = pool.get(action['report_name'], type='report')
                extension, content, _, _ = Report.execute(
                    data['ids'], {'model': 'training.follow_up', **data})
                self.assertEqual(extension, 'pdf')
                with tempfile.NamedTemporaryFile(suffix='.pdf') as file:
                    file.write(content)
                    file.flush()
                    text = subprocess.run(
                        ['pdftotext', '-layout', file.name, '-'],
                        check=True, capture_output=True, text=True).stdout
                for word in [title, "Trainee 0", "Trainee 1", "03/02/2026"]:
                    self.assertIn(word, text)
                self.assertNotIn(PRIVATE, text)

    @with_transaction()
    def test_open(self):
        "Test that the same are opened as a list"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            call, = self.create(create_enrolments(session), planned_at=AT)
            self.create([call.enrolment], planned_at=AT + DAY)
            action, _ = self.run_print(company, state='open_')
            self.assertEqual(
                FollowUp.search(
                    PYSONDecoder({}).decode(action['pyson_domain'])),
                [call])

    @with_transaction()
    def test_bad_input(self):
        "Test what cannot be printed"
        pool = Pool()
        for name in ['training.follow_up', 'training.indicator']:
            # The client empties what a domain leaves a single record for
            Start = pool.get(f'{name}.print.start')
            self.assertFalse(Start.company.domain)
        with set_up() as (company, session, _):
            for values in [
                    {}, {'from_date': DATE + DAY}, {'to_date': None},
                    {'document': None}]:
                with self.assertRaises(TrainingValidationError):
                    self.run_print(company, **values)

    @with_transaction()
    def test_rights(self):
        "Test who prints"
        pool = Pool()
        Company = pool.get('company.company')
        with set_up() as (company, session, _):
            call, = self.create(create_enrolments(session), planned_at=AT)
            with as_user(create_user('reader', company, 'training_reading')):
                self.assertEqual(
                    self.run_print(company)[1]['ids'], [call.id])
            other, = Company.create([{
                        'party': call.party.id,
                        'currency': company.currency.id,
                        }])
            with as_user(create_user('other', other, 'training')):
                with self.assertRaises(
                        (AccessError, TrainingValidationError)):
                    self.run_print(company)
            with as_user(create_user('nobody', company)), \
                    self.assertRaises(AccessError):
                self.run_print(company)

    @with_transaction()
    def test_statements(self):
        "Test that many are read at once"
        numbers = []
        with set_up() as (company, session, _):
            for count in [2, 20]:
                self.create(create_enrolments(session, count), planned_at=AT)
                tools.forget_read()
                with count_statements() as statements:
                    self.rows(company)
                numbers.append(len(statements))
            self.assertLessEqual(numbers[1], numbers[0] + 2)
