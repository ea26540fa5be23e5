# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from io import BytesIO
from unittest.mock import patch
from zipfile import ZipFile

from lxml import etree

from trytond.modules.training_abandon.exceptions import TrainingValidationError
from trytond.modules.training_abandon.home.figure import FEWEST
from trytond.modules.training_abandon.indicator.chart import bars
from trytond.modules.training_abandon.indicator.report import _period
from trytond.modules.training_abandon.indicator.window import Window
from trytond.modules.training_abandon.pdf_report import PDFReport
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DAY, NoticeTestCase, analyse, as_user, create_enrolments,
    create_session, create_user, decide, get_reason, get_to_decision,
    open_cases, set_up)

YEAR = {
    'from_date': DATE.replace(month=1, day=1),
    'to_date': DATE.replace(month=12, day=31),
    }


class ReportTestCase(NoticeTestCase):
    "Test the annual report and the results"

    def wizard(self, user, document, **values):
        "Return the action and the data of the report"
        pool = Pool()
        Print = pool.get('training.indicator.print', type='wizard')
        with as_user(user):
            session_id, start, _ = Print.create()
            view = Print.execute(session_id, {}, start)['view']
            start = {
                'company': view['defaults']['company'],
                **YEAR, 'document': document, **values}
            (action, data), = Print.execute(
                session_id, {'start': start}, 'apply')['actions']
        return action, data

    def render(self, user, document, **values):
        "Return the source of the document"
        pool = Pool()
        action, data = self.wizard(user, document, **values)
        Report = pool.get(action['report_name'], type='report')
        with as_user(user), patch.object(
                PDFReport, 'convert',
                lambda report, source, **kwargs: ('pdf', source)):
            _, content, _, _ = Report.execute(data['ids'], data)
        if document != 'results_page':
            with ZipFile(BytesIO(content)) as archive:
                content = archive.read('content.xml').decode()
        return content

    def make(self, session):
        "Make an abandonment of each of five trainees, and a health reason"
        enrolments = create_enrolments(session, FEWEST + 1)
        self.fill(session.slots[:1], dict.fromkeys(enrolments, 'present'))
        codes = ['time.lack'] * FEWEST + ['money']
        cases = open_cases(enrolments)
        for case, code in zip(cases, codes):
            while case.next_kind != 'analyse':
                case.skip_step([case], "Not needed")
            type(case).declare_reasons([case], [get_reason(code)])
            analyse([case], code)
            while case.next_kind != 'decide':
                case.skip_step([case], "Not needed")
            decide(case)
        return [get_reason(code).family.name for code in codes[-2:]]

    @with_transaction()
    def test_results_page(self):
        "Test what the page that is published tells, and what it does not"
        with set_up() as (company, session, prescriber):
            user = create_user('assistant', company, 'training')
            told, few = self.make(session)
            self.start(company, "Cooking", 1)
            self.start(company, "Sewing", FEWEST)
            self.start(company, "Painting", FEWEST + 2)
            html = self.render(user, 'results_page', causes=True)
            page = etree.fromstring(html.encode(), etree.HTMLParser())
            rows = {
                row.findtext('th'): [c.text for c in row.findall('td')]
                for row in page.findall('.//tbody/tr')}
            self.assertEqual(rows["Started"], ['19', '–'])
            self.assertEqual(
                rows["Rate of Abandonment (%)"], ['31.6 %', '–'])
            self.assertEqual(rows["Bookkeeping"], ['6', '6', '100.0 %'])
            self.assertEqual(rows["Painting"], ['7', '0', '0.0 %'])
            # The total would tell the one of cooking
            self.assertNotIn("Sewing", html)
            self.assertNotIn("Cooking", html)
            self.assertNotIn(told, html)
            self.assertNotIn(few, html)
            self.assertNotIn(
                "Causes", self.render(user, 'results_page'))
            self.assertNotIn("Fewer than", html)
            self.assertNotIn("Other categories", html)
            self.assertNotIn('<img src="http', html)
            self.assertIn("really started", html)
            self.assertIn('2026', ''.join(page.find('.//p').itertext()))

    def start(self, company, name, count):
        "Start as many trainees in a course of that name"
        session = create_session(company)
        session.course.write([session.course], {'name': name})
        enrolments = create_enrolments(session, count)
        self.fill(session.slots[:1], dict.fromkeys(enrolments, 'present'))
        return session, enrolments

    @with_transaction()
    def test_few_people(self):
        "Test that the results of few people are not published"
        with set_up() as (company, session, prescriber):
            user = create_user('assistant', company, 'training_reading')
            small, enrolments = self.start(company, "Cooking", FEWEST - 1)
            decide(get_to_decision(enrolments[0]))
            html = self.render(user, 'results_page', course=small.course.id)
            page = etree.fromstring(html.encode(), etree.HTMLParser())
            for row in page.findall('.//tbody/tr'):
                self.assertEqual(
                    [c.text for c in row.findall('td')], ['–', '–'])

    @with_transaction()
    def test_complement(self):
        "Test that the causes left out are not told by the total"
        with set_up() as (company, session, prescriber):
            user = create_user('assistant', company, 'training_reading')
            enrolments = create_enrolments(session, FEWEST + FEWEST)
            self.fill(
                session.slots[:1], dict.fromkeys(enrolments, 'present'))
            cases = open_cases(enrolments)
            for position, case in enumerate(cases):
                while case.next_kind != 'analyse':
                    case.skip_step([case], "Not needed")
                code = 'time.lack' if position < FEWEST + 1 else 'distance'
                analyse([case], code)
                while case.next_kind != 'decide':
                    case.skip_step([case], "Not needed")
                decide(case)
            html = self.render(user, 'results_page', causes=True)
            # Four of ten are told by the six others
            for code in ['time.lack', 'distance']:
                family = get_reason(code).family.name
                self.assertNotIn(family, html)
            for case in open_cases(create_enrolments(session)):
                while case.next_kind != 'analyse':
                    case.skip_step([case], "Not needed")
                analyse([case], 'distance')
                while case.next_kind != 'decide':
                    case.skip_step([case], "Not needed")
                decide(case, ground='exclusion')
            html = self.render(user, 'results_page', causes=True)
            for code in ['time.lack', 'distance']:
                family = get_reason(code).family.name
                self.assertIn(family, html)

    @with_transaction()
    def test_annual_report(self):
        "Test the annual report, in which a reader reads no reasons"
        pool = Pool()
        Action = pool.get('training.improvement.action')
        Event = pool.get('training.improvement.event')
        with set_up() as (company, session, prescriber):
            told, few = self.make(session)
            other = create_session(company).course
            action, planned, elsewhere = Action.create([
                    {'name': "Evening course", 'due_date': DATE},
                    {'name': "Welcome", 'due_date': DATE},
                    {'name': "Not here", 'due_date': DATE, 'courses': [
                            ('add', [other.id])]}])
            Action.run([action])
            Action.write([action], {
                    'before_from': DATE, 'before_to': DATE,
                    'after_from': DATE + DAY, 'after_to': DATE + DAY})
            Action.measure([action])
            Event.create([
                    {'name': "Heating", 'kind': 'hazard', 'date': DATE,
                        'session': session.id},
                    {'name': "Noise", 'kind': 'hazard', 'date': DATE}])
            for group, reads in [
                    ('training', True), ('training_reading', False)]:
                user = create_user(group, company, group)
                text = self.render(user, 'annual_report')
                with self.subTest(group=group):
                    self.assertIn("Evening course", text)
                    self.assertIn("Welcome", text)
                    self.assertIn("Not here", text)
                    # The rate before, with its population and its period
                    self.assertIn("100.0 % (6/6), 03/02/2026", text)
                    self.assertIn("100.0 %", text)
                    self.assertEqual(told in text, reads)
                    self.assertNotIn(few, text)
            text = self.render(
                user, 'annual_report', course=session.course.id)
            self.assertIn("Welcome", text)
            self.assertNotIn("Not here", text)
            cells = [
                ''.join(c.itertext()).strip()
                for c in etree.fromstring(text.encode()).iter(
                    '{urn:oasis:names:tc:opendocument:xmlns:table:1.0}'
                    'table-cell')]
            self.assertEqual(cells[cells.index("Hazard") + 1], '1')
            owner = cells.index("Owner")
            self.assertEqual(
                cells[owner - 1:owner + 3],
                ["Action", "Owner", "Due Date", "Rate before (%)"])

    @with_transaction()
    def test_periods(self):
        "Test that the chart has room for its labels"
        for years, period in [(1, 'month'), (2, 'quarter'), (5, 'year')]:
            window = Window(
                DATE.replace(month=1, day=1),
                DATE.replace(year=DATE.year + years - 1, month=12, day=31))
            with self.subTest(years=years):
                self.assertEqual(_period(window), period)

    @with_transaction()
    def test_results(self):
        "Test the results of one course"
        with set_up() as (company, session, prescriber):
            user = create_user('assistant', company, 'training')
            self.make(session)
            other = create_session(company)
            one, = create_enrolments(other)
            self.fill(other.slots[:1], {one: 'present'})
            text = self.render(
                user, 'results', course=session.course.id)
            self.assertIn("100.0 %", text)

    @with_transaction()
    def test_none(self):
        "Test a period without anything"
        with set_up() as (company, session, prescriber):
            user = create_user('assistant', company, 'training')
            with self.assertRaises(TrainingValidationError):
                self.render(user, 'results')
            with self.assertRaises(TrainingValidationError):
                self.wizard(user, 'results', from_date=None)

    @with_transaction()
    def test_chart(self):
        "Test that the same numbers make the same picture"
        numbers = ['2026-01', '2026-02'], [("Rate", [12.5, None])]
        picture, width, height = bars(*numbers)
        self.assertTrue(picture.startswith(b'\x89PNG'))
        self.assertEqual(bars(*numbers)[0], picture)


del NoticeTestCase
