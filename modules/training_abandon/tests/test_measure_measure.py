# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The register of the engagement measures and what it covers"
import datetime as dt

from trytond.model.exceptions import AccessError, DomainValidationError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DatabaseTestCase, as_user, count_statements, create_enrolments,
    create_session, create_user, set_up)


class MeasureTestCase(DatabaseTestCase):
    "Test the engagement measures"

    def create(self, company, **values):
        pool = Pool()
        Measure = pool.get('training.measure')
        measure, = Measure.create([{
                    'company': company.id,
                    'name': "Measure",
                    'kind': self.kind(2).id,
                    'date': DATE,
                    **values}])
        return measure

    def kind(self, number):
        pool = Pool()
        Kind = pool.get('training.measure.kind')
        kind, = Kind.search([
                ('guide', '=', "V9"), ('number', '=', number)])
        return kind

    @with_transaction()
    def test_catalogue(self):
        "Test the evidence of the guide that the module ships"
        pool = Pool()
        Kind = pool.get('training.measure.kind')
        kinds = Kind.search([('guide', '=', "V9")])
        self.assertEqual([k.number for k in kinds], list(range(1, 16)))
        self.assertEqual(
            [k.number for k in kinds if k.apprenticeship],
            list(range(11, 16)))

    def attach(self, company, session, measure):
        "Attach to the measure what those who read it read"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Measure = pool.get('training.measure')
        assistant = create_user('assistant', company, 'training')
        with as_user(assistant):
            mine, = Attachment.create([{
                        'name': "Sheet", 'data': b'1',
                        'resource': str(measure),
                        }])
        Measure.write([measure], {'attachments': [('create', [{
                                'name': "Report", 'data': b'2'}])]})
        reader = create_user('reader', company, 'training_reading')
        trainer = create_user('teacher', company, 'trainer')
        type(session.slots[0]).write(list(session.slots), {
                'trainer': trainer.employee.party.id})
        for user in [assistant, reader]:
            with as_user(user):
                self.assertEqual(
                    {a.data for a in Measure(measure.id).attachments},
                    {b'1', b'2'})
        with as_user(reader), self.assertRaises(AccessError):
            Attachment.write([Attachment(mine.id)], {'name': "Other"})
        with as_user(trainer):
            self.assertFalse(Attachment.search([]))
            with self.assertRaises(AccessError):
                Attachment.read([mine.id], ['name'])

    @with_transaction()
    def test_coverage(self):
        "Test which sessions the measures cover"
        pool = Pool()
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            by_course = create_session(company)
            by_enrolment = create_session(company)
            enrolment, = create_enrolments(by_enrolment)
            bare = create_session(company)
            self.create(company)
            self.create(company, session=session.id)
            self.create(
                company, session=session.id, kind=self.kind(11).id)
            self.create(company, course=by_course.course.id)
            of_enrolment = self.create(company, enrolment=enrolment.id)
            self.assertEqual(
                {s: (s.measured, s.measure_kinds)
                    for s in Session.browse([
                            session, by_course, by_enrolment, bare])},
                {
                    session: (True, 'V9: 2, 11'),
                    by_course: (True, 'V9: 2'),
                    by_enrolment: (True, 'V9: 2'),
                    bare: (False, ''),
                    })
            self.assertEqual(
                Session.search([('measured', '=', False)]), [bare])
            self.assertEqual(
                Session.search([('measured', '!=', True)]), [bare])
            self.attach(company, session, of_enrolment)
            self.assertEqual({
                    s: s.measure_documents for s in Session.browse([
                            session, by_course, by_enrolment, bare])},
                {session: 0, by_course: 0, by_enrolment: 2, bare: 0})
            for clause, count in [
                    (('measured', '=', True), 3),
                    (('measured', 'in', [True]), 3),
                    (('measured', 'not in', [True]), 1),
                    (('measured', 'in', [True, False]), 4),
                    (('measured', 'in', []), 0),
                    (('measure_kinds', 'ilike', '%11%'), 1),
                    (('measure_kinds', '=', '2'), 3),
                    (('measure_kinds', 'not ilike', '%2%'), 1),
                    (('measure_kinds', '=', None), 1),
                    (('measure_kinds', 'ilike', '%none%'), 0),
                    ]:
                with self.subTest(clause=clause):
                    self.assertEqual(
                        Session.search([clause], count=True), count)

    @with_transaction()
    def test_coverage_validity(self):
        "Test that a measure counts for the guide valid during the session"
        pool = Pool()
        Kind = pool.get('training.measure.kind')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            former, later = Kind.create([
                    {
                        'guide': "V8", 'number': 1, 'name': "Former",
                        'end_date': dt.date(2024, 1, 7),
                        },
                    {
                        'guide': "V10", 'number': 3, 'name': "Later",
                        'start_date': session.start_date,
                        },
                    ])
            self.create(
                company, session=session.id, kind=former.id,
                date=dt.date(2023, 6, 1))
            self.assertFalse(Session(session.id).measured)
            past = create_session(company, dt.date(2026, 2, 2))
            self.create(company, course=past.course.id)
            self.assertEqual(Session(past.id).measure_kinds, '')
            self.create(company, session=session.id, kind=later.id)
            self.create(company, session=session.id)
            self.assertEqual(
                Session(session.id).measure_kinds, 'V10: 3; V9: 2')

    @with_transaction()
    def test_private(self):
        "Test that what is told of a trainee is in the note, read by few"
        pool = Pool()
        Kind = pool.get('training.measure.kind')
        Measure = pool.get('training.measure')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            measure = self.create(
                company, enrolment=enrolment.id, note="Private")
            with as_user(create_user('trainer', company, 'training')):
                told, named = [
                    self.create(company, description="Private", **values)
                    for values in [{'enrolment': enrolment.id}, {}]]
                Measure.write([named], {'enrolment': enrolment.id})
                for _ in range(2):
                    Measure.write([told], {'description': "More"})
            self.assertEqual(
                [(m.note, m.description)
                    for m in Measure.browse([told, named])],
                [("Private\nMore", None), ("Private", None)])
            with as_user(create_user('reader', company, 'training_reading')):
                with self.assertRaises(AccessError):
                    Measure.read([measure.id], ['note'])
            changed = Measure(enrolment=enrolment, description="Private")
            changed.on_change_enrolment()
            self.assertEqual(
                (changed.note, changed.description), ("Private", None))
            with as_user(create_user('assistant', company, 'training')):
                changed = Measure(
                    enrolment=type(enrolment)(enrolment.id),
                    description="Private")
                changed.on_change_enrolment()
                self.assertEqual(changed.description, "Private")
            self.assertEqual(
                Kind.search([('rec_name', 'ilike', '%11%')]),
                [self.kind(11)])

    @with_transaction()
    def test_statements(self):
        "Test that the coverage is read at once"
        pool = Pool()
        Session = pool.get('training.session')
        numbers = []
        with set_up() as (company, session, _):
            for count in [1, 10]:
                sessions = [create_session(company) for _ in range(count)]
                for session in sessions:
                    self.create(company, session=session.id)
                with count_statements() as statements:
                    self.assertTrue(all(
                            s.measured for s in Session.browse(sessions)))
                    self.assertTrue(
                        Session.search([('measured', '=', True)]))
                numbers.append(len(statements))
            self.assertEqual(*numbers)

    @with_transaction()
    def test_domains(self):
        "Test what does not go together"
        pool = Pool()
        Kind = pool.get('training.measure.kind')
        with set_up() as (company, session, _):
            other = create_session(company)
            enrolment, = create_enrolments(other)
            former, = Kind.create([{
                        'guide': "V8", 'number': 1, 'name': "Former",
                        'end_date': dt.date(2024, 1, 7),
                        }])
            for values in [
                    {'session': session.id, 'course': other.course.id},
                    {'session': session.id, 'enrolment': enrolment.id},
                    {'kind': former.id},
                    ]:
                with self.assertRaises(DomainValidationError):
                    self.create(company, **values)
            self.create(
                company, kind=former.id, date=dt.date(2023, 6, 1))

    @with_transaction()
    def test_number(self):
        "Test that a number that no evidence has is found nowhere"
        pool = Pool()
        Kind = pool.get('training.measure.kind')
        Session = pool.get('training.session')
        long = '9' * 30
        with set_up() as (company, session, _):
            self.create(company, session=session.id)
            self.assertFalse(Kind.search([('rec_name', 'ilike', long)]))
            self.assertFalse(
                Session.search([('measure_kinds', 'ilike', long)]))
            self.assertEqual(
                Session.search([('measure_kinds', 'ilike', f'2 {long}')]),
                [session])

    @with_transaction()
    def test_rights(self):
        "Test who reads and writes the measures"
        pool = Pool()
        Kind = pool.get('training.measure.kind')
        Measure = pool.get('training.measure')
        with set_up() as (company, session, _):
            measure = self.create(company, session=session.id)
            with as_user(create_user('assistant', company, 'training')):
                self.create(company, session=session.id)
                with self.assertRaises(AccessError):
                    Measure.delete([Measure(measure.id)])
                with self.assertRaises(AccessError):
                    Kind.write([self.kind(1)], {'number': 20})
            with as_user(create_user('reader', company, 'training_reading')):
                self.assertEqual(len(Measure.search([])), 2)
                with self.assertRaises(AccessError):
                    self.create(company)
            with as_user(create_user('nobody', company)):
                with self.assertRaises(AccessError):
                    Measure.search([])
