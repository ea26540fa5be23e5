# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import hashlib
import json
import random
from io import BytesIO
from unittest.mock import patch
from zipfile import ZipFile

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.exceptions import SampleError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, as_user, create_enrolments, create_session,
    create_user, open_cases, run_wizard, set_up, today)

DRAW = 'training.audit.sample.draw'


class DrawMixin:

    def draw(self, company, **values):
        "Return the sample that the wizard draws"
        pool = Pool()
        Sample = pool.get('training.audit.sample')
        with Transaction().set_context(company=company.id):
            run_wizard(DRAW, [company], **values)
        sample, = Sample.search([], order=[('id', 'DESC')], limit=1)
        return sample


class SampleTestCase(DrawMixin, DatabaseTestCase):
    "Test the samples of the auditors"

    @with_transaction()
    def test_seed(self):
        "Test that the seed draws the same cases again"
        with set_up() as (company, session, _):
            cases = open_cases(create_enrolments(session, 30))
            type(cases[0]).cancel([cases[3]])
            ids = sorted(c.id for c in cases if c != cases[3])
            sample = self.draw(company, size=7, seed=1234)
            drawn = [line.case.id for line in sample.lines]
            self.assertEqual(drawn, random.Random(1234).sample(ids, 7))
            self.assertEqual(sample.seed, 1234)
            self.assertEqual(sample.population, 29)
            self.assertEqual(sample.cancelled, 1)
            self.assertEqual(json.loads(sample.population_ids), ids)
            self.assertEqual(list(sample.courses), [session.course])
            # Anybody draws again from what is printed
            numbers = sample.population_numbers.splitlines()
            self.assertEqual(
                random.Random(1234).sample(numbers, 7),
                [line.case.number for line in sample.lines])
            self.assertEqual(
                sample.population_sha256, hashlib.sha256(
                    '\n'.join(numbers).encode()).hexdigest())
            self.assertEqual(sample.earlier, 0)
            again = self.draw(company, size=7, seed=1234)
            self.assertEqual(again.earlier, 1)
            self.assertEqual([line.case.id for line in again.lines], drawn)
            other = self.draw(company, size=7, seed=1235)
            self.assertNotEqual(
                [line.case.id for line in other.lines], drawn)

            # What comes afterwards changes nothing of what is drawn again
            open_cases(create_enrolments(session, 10))
            self.assertEqual(sample.again(), drawn)
            sample.draw_again([sample])
            notification, = Transaction().user_notifications
            self.assertIn('1234', notification.label)
            Transaction().user_notifications.clear()
            table = sample.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.seed], [4321], where=table.id == sample.id))
            Transaction().cache.clear()
            with self.assertRaises(SampleError):
                sample.draw_again([type(sample)(sample.id)])

    @with_transaction()
    def test_default(self):
        "Test that the draw proposes the courses with cases and a seed"
        with set_up() as (company, session, _):
            create_session(company)
            cases = open_cases(create_enrolments(session, 3))
            type(cases[0]).cancel([cases[0]])
            pool = Pool()
            Start = pool.get('training.audit.sample.draw.start')
            with Transaction().set_context(company=company.id):
                start = Start(**Start.default_get(
                        list(Start._fields), with_rec_name=False))
                start.courses = start.on_change_with_courses()
            self.assertEqual([c.id for c in start.courses],
                [session.course.id])
            self.assertEqual(start.on_change_with_population(), 2)
            self.assertGreaterEqual(start.seed, 0)
            self.assertEqual(start.method, 'random')

    @with_transaction()
    def test_frozen(self):
        "Test that nothing changes of a sample"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Course = pool.get('training.course')
        Grading = pool.get('training.audit.grading')
        Link = pool.get('training.audit.sample-training.course')
        Line = pool.get('training.audit.sample.line')
        Sample = pool.get('training.audit.sample')
        with set_up() as (company, session, prescriber):
            Course.write([session.course], {'days': 3})
            cases = open_cases(create_enrolments(session, 2, prescriber))
            with today(DATE + DAY * 60):
                sample = self.draw(company, size=2, seed=1)

            def read():
                return Line.read(
                    [line.id for line in sample.lines],
                    ['state', 'conformity', 'grade', 'steps', 'case'])
            before = read()
            self.assertEqual({
                    (r['state'], r['conformity'], r['grade'])
                    for r in before}, {('draft', 'missing', 'major')})
            self.assertEqual(len(before[0]['steps'].splitlines()), 8)
            self.assertIn('Missing', before[0]['steps'])
            grading = sample.grading

            for case in cases:
                run_wizard('training.abandon.case.inform', [case])
            Case.cancel(Case.browse(cases))
            Grading.write([grading], {'end_date': DATE})
            self.assertEqual(read(), before)
            self.assertEqual(Sample(sample.id).population, 2)
            user = create_user('mighty', company, 'training_admin')
            for door in [
                    Transaction().set_context(company=company.id),
                    as_user(user)]:
                with door:
                    sample = Sample(sample.id)
                    line = Line(sample.lines[0].id)
                    for call in [
                            lambda: Sample.write([sample], {'seed': 2}),
                            lambda: Sample.write([sample], {'population': 2}),
                            lambda: Sample.write(
                                [sample], {'lines': [('delete', [line.id])]}),
                            lambda: Sample.delete([sample]),
                            lambda: Sample.copy([sample]),
                            lambda: Line.write([line], {'grade': 'conform'}),
                            lambda: Line.delete([line]),
                            lambda: Line.copy([line]),
                            ]:
                        with self.assertRaises(AccessError):
                            call()
            link, = Link.search([])
            other = create_session(company).course
            for group in ['training', 'training_admin']:
                with as_user(create_user(group, company, group)):
                    for call in [
                            lambda: Link.write(
                                [Link(link.id)], {'course': other.id}),
                            lambda: Link.delete([Link(link.id)]),
                            lambda: Link.create([{
                                        'sample': sample.id,
                                        'course': other.id}]),
                            lambda: Sample.write([Sample(sample.id)], {
                                    'courses': [('add', [other.id])]}),
                            ]:
                        with self.subTest(group=group), \
                                self.assertRaises(AccessError):
                            call()
            self.assertEqual(
                list(Sample(sample.id).courses), [session.course])
            with as_user(user):
                with self.assertRaises(AccessError):
                    Line.create([{
                                'sample': sample.id, 'position': 3,
                                'case': cases[0].id}])
                with self.assertRaises(AccessError):
                    Sample.create([{
                                'company': company.id, 'start_date': DATE,
                                'end_date': DATE, 'method': 'chosen',
                                'population': 1, 'cancelled': 0,
                                'earlier': 0,
                                'drawn_at': dt.datetime(2026, 3, 2),
                                'drawn_by': user.id}])

    @with_transaction()
    def test_chosen(self):
        "Test the cases that are chosen"
        with set_up() as (company, session, _):
            cases = open_cases(create_enrolments(session, 4))
            other = create_session(company)
            strange, = open_cases(create_enrolments(other))
            sample = self.draw(
                company, method='chosen', courses=[session.course.id],
                cases=[cases[2].id, cases[0].id])
            self.assertEqual(
                [line.case for line in sample.lines],
                [cases[0], cases[2]])
            self.assertIsNone(sample.seed)
            self.assertEqual(sample.population, 4)
            with self.assertRaises(SampleError) as raised:
                sample.draw_again([sample])
            self.assertIn('chosen', str(raised.exception))
            for chosen in [[], [cases[0].id, strange.id]]:
                with self.assertRaises(SampleError):
                    self.draw(
                        company, method='chosen', cases=chosen,
                        courses=[session.course.id])

    @with_transaction()
    def test_errors(self):
        "Test that what cannot be drawn says what to do"
        with set_up() as (company, session, _):
            open_cases(create_enrolments(session, 3))
            for values, words in [
                    ({'courses': []}, 'add the courses'),
                    ({'size': 4}, 'out of 3'),
                    ({'size': 0}, 'out of 3'),
                    ({'size': -1}, 'out of 3'),
                    ({'size': None}, 'out of 3'),
                    ({'seed': None}, 'Enter a seed'),
                    ({'seed': -1}, 'Enter a seed'),
                    ({'start_date': DATE - DAY * 9, 'end_date': DATE - DAY},
                        'extend the period'),
                    ]:
                with self.subTest(values=values):
                    with self.assertRaises(SampleError) as raised:
                        self.draw(company, **{
                                'size': 1, 'courses': [session.course.id],
                                **values})
                    self.assertIn(words, str(raised.exception))

    @with_transaction()
    def test_finding(self):
        "Test the findings and their answers"
        pool = Pool()
        Finding = pool.get('training.audit.finding')
        with set_up() as (company, session, _):
            open_cases(create_enrolments(session, 2))
            sample = self.draw(company, size=2, seed=1)
            user = create_user('quality', company, 'training')
            with as_user(user):
                finding, = Finding.create([{
                            'sample': sample.id,
                            'line': sample.lines[0].id,
                            'grade': 'minor', 'text': "No call"}])
                Finding.write([finding], {
                        'answer': "Called since", 'answered_on': DATE})
                with self.assertRaises(AccessError):
                    Finding.write([Finding(finding.id)], {'text': "Other"})
            self.assertEqual(list(sample.lines[0].findings), [finding])
            with as_user(create_user('reader', company, 'training_reading')):
                with self.assertRaises(AccessError):
                    Finding.write(
                        [Finding(finding.id)], {'answer': "Other"})

    @with_transaction()
    def test_finding_other(self):
        "Test that the provider answers what an auditor found, and no more"
        pool = Pool()
        Finding = pool.get('training.audit.finding')
        Sample = pool.get('training.audit.sample')
        with set_up() as (company, session, _):
            cases = open_cases(create_enrolments(session, 2))
            auditor = create_user('auditor', company, 'auditor')
            sample = self.draw(
                company, method='chosen', courses=[session.course.id],
                cases=[c.id for c in cases], auditors=[auditor.id],
                until=DATE + DAY * 9)
            with as_user(auditor):
                finding, = Finding.create([{
                            'sample': sample.id,
                            'line': sample.lines[0].id,
                            'grade': 'major', 'text': "No call"}])
            self.assertEqual(finding.found_by, auditor)
            users = [
                create_user('quality', company, 'training'),
                create_user('head', company, 'training', 'training_admin')]
            for user in users:
                calls = [
                    lambda: Finding.delete([Finding(finding.id)]),
                    lambda: Finding.write(
                        [Finding(finding.id)], {'found_by': user.id}),
                    lambda: Finding.create([{
                                'sample': sample.id,
                                'line': sample.lines[0].id,
                                'grade': 'minor', 'text': "No",
                                'found_by': auditor.id}]),
                    ]
                for values in [
                        {'grade': 'conform'}, {'text': "Other"},
                        {'line': sample.lines[1].id}, {'found_on': DATE},
                        {'text': "Other", 'answer': "Called"}]:
                    calls += [
                        lambda values=values: Finding.write(
                            [Finding(finding.id)], values),
                        lambda values=values: Sample.write(
                            [Sample(sample.id)], {'findings': [
                                    ('write', [finding.id], values)]}),
                        ]
                calls.append(lambda: Sample.write(
                        [Sample(sample.id)], {
                            'findings': [('delete', [finding.id])]}))
                for number, call in enumerate(calls):
                    with as_user(user), self.subTest(
                            user=user.login, call=number), \
                            self.assertRaises(AccessError):
                        call()
                with as_user(user):
                    Finding.write([Finding(finding.id)], {
                            'answer': "Called", 'answered_on': DATE})
                    Finding.write([Finding(finding.id)], {'answer': None})
            finding = Finding(finding.id)
            self.assertEqual(
                (finding.grade, finding.text, finding.line),
                ('major', "No call", sample.lines[0]))
            with as_user(users[1]):
                own, = Finding.create([{
                            'sample': sample.id,
                            'line': sample.lines[0].id,
                            'grade': 'minor', 'text': "No"}])
                Finding.write([own], {'answer': "Yes", 'answered_on': DATE})
                with self.assertRaises(AccessError):
                    Finding.delete([Finding(own.id)])
                Finding.write([Finding(own.id)], {
                        'answer': None, 'answered_on': None})
                Finding.delete([Finding(own.id)])

    @with_transaction()
    def test_report(self):
        "Test that the printed sample tells the draw, the cases, the findings"
        pool = Pool()
        Finding = pool.get('training.audit.finding')
        SampleReport = pool.get('training.audit.sample.report', type='report')
        with set_up() as (company, session, _):
            open_cases(create_enrolments(session, 2))
            sample = self.draw(company, size=2, seed=99)
            Finding.create([{
                        'sample': sample.id, 'line': sample.lines[0].id,
                        'grade': 'minor', 'text': "No call\nat all"}])
            documents = []

            def convert(cls, report, data, **kwargs):
                documents.append(data)
                return 'pdf', b'%PDF'
            with patch.object(SampleReport, 'convert', classmethod(convert)):
                SampleReport.execute([sample.id], {
                        'model': sample.__name__})
            content = ZipFile(BytesIO(documents[0])).read(
                'content.xml').decode()
            for words in [
                    "seed 99", sample.population_sha256,
                    ', '.join(sample.population_numbers.splitlines()),
                    "drawn before: 0", sample.findings[0].found_by.rec_name,
                    sample.lines[1].case.number, "No call",
                    "at all", session.course.name, company.party.name]:
                self.assertIn(words, content)
