# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import random
from collections import defaultdict

from trytond.modules.training_abandon.declaration.declaration import Event
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, as_user, at, count_statements, create_enrolments,
    create_session, create_user, open_cases, set_up, today)
from .test_proof_grading import (
    AFTER, GRADE_RANKS, GradingTestCase, expected_grade, get_grading)

COUNTS = [
    'cases', 'missing', 'evidence_missing', 'late', 'minor', 'major',
    'late_declarations']


def worst(grades):
    grades = [g for g in grades if g]
    return max(grades, key=GRADE_RANKS.index) if grades else None


class RowTestCase(GradingTestCase):
    "Test the conformity of the sessions, the courses and the months"

    def rows(self, name, **context):
        pool = Pool()
        Model = pool.get(f'training.conformity.{name}')
        with Transaction().set_context(**context):
            return Model.search([])

    def measure(self, session):
        pool = Pool()
        Kind = pool.get('training.measure.kind')
        Measure = pool.get('training.measure')
        kind, = Kind.search([], limit=1)
        Measure.create([{
                    'company': session.company.id, 'name': "Meeting",
                    'kind': kind.id, 'session': session.id, 'date': DATE}])

    def expected(self, session, grading):
        "Return the counts and the grade of the session, from its records"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        day = dt.datetime.combine(AFTER, dt.time())
        cases = Case.search([
                ('session', '=', session.id), ('state', '!=', 'cancelled')])
        grades = [expected_grade(c, grading) for c in cases]
        waiting = [
            a for e in session.enrolments for a in e.alerts
            if a.state == 'open' and a.first_seen < day]
        waiting += FollowUp.search([
                ('enrolment.session', '=', session.id),
                ('done_at', '=', None), ('cancelled_at', '=', None),
                ('planned_at', '<', day)])
        open_ = [s for s in session.slots if s.state in {'planned', 'open'}]
        held = [s for s in session.slots if s.state == 'held']
        grade = worst(grades)
        if not grade and (
                session.course.days is None or session.course.days > 2):
            found = ['conform']
            if not session.measured:
                if session.end_date < AFTER:
                    found.append(grading.no_measure)
                if not held:
                    found.append(grading.nothing_shown)
            if waiting:
                found.append(grading.not_handled)
            if open_:
                found.append(grading.no_sheet)
            grade = worst(found)
        return {
            'cases': len(cases),
            **{
                c: sum(case.conformity == c for case in cases)
                for c in ['missing', 'evidence_missing', 'late']},
            'minor': grades.count('minor'),
            'major': grades.count('major'),
            'late_declarations': sum(
                c.declaration_conformity in {'late', 'missing'}
                for c in cases),
            'measured': bool(session.measured),
            'not_handled': len(waiting),
            'no_sheet': len(open_),
            'grade': grade,
            }

    def declare(self, case, late):
        "Have something to declare of the case"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Enrolment = pool.get('training.enrolment')
        Enrolment.write([case.enrolment], {'agreement_kind': 'cpf'})
        Declaration.declare('decision', [Event(
                    Enrolment(case.enrolment.id), case, 'abandonment',
                    DATE if late else AFTER)])

    def build(self, company, session, prescriber):
        "Return sessions of some courses with all kinds of findings"
        pool = Pool()
        Alert = pool.get('training.alert')
        FollowUp = pool.get('training.follow_up')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        numbers = random.Random(12)
        sessions = [session] + [
            create_session(company, DATE + DAY * 7 * (i // 3), days=3 - i % 2)
            for i in range(12)]
        for other in sessions[5:9]:
            Session.write([other], {'course': sessions[1].course.id})
        for number, other in enumerate(sessions):
            enrolments = create_enrolments(
                other, 1 + number % 2, prescriber)
            if number % 3 == 0:
                with today(other.start_date):
                    cases = open_cases(enrolments, other.start_date)
                with today(AFTER):
                    self.step_at_random(cases, numbers)
                    self.declare(cases[0], late=not number % 2)
                    if number % 2:
                        cases[0].__class__.write(
                            [cases[0]], {'state': 'cancelled'})
            if number % 4 == 1:
                self.measure(other)
            if number % 5 == 1:
                Alert.raise_concern(enrolments[:1], 'other', "Word")
            if number % 5 == 2:
                FollowUp.create([{
                            'company': company.id,
                            'enrolment': enrolments[0].id,
                            'party': enrolments[0].trainee.party.id,
                            'planned_at': dt.datetime.combine(
                                other.end_date, dt.time(9)),
                            }])
            with today(other.end_date + DAY):
                slots = list(other.slots)
                if number % 4 == 2:
                    slots = slots[1:]
                if number % 4 != 3:
                    Slot.open(slots)
                    Slot.close(slots)
        Session.plan([s for s in Session.browse(sessions)
                if s.state == 'draft'])
        Transaction().cache.clear()
        return Session.browse(sessions)

    @with_transaction()
    def test_sessions(self):
        "Test the sessions against their records"
        with set_up() as (company, session, prescriber):
            grading = get_grading()
            sessions = self.build(company, session, prescriber)
            with today(AFTER):
                rows = {r.session: r for r in self.rows('session')}
                grades = set()
                for session in sessions:
                    with self.subTest(session=session.rec_name):
                        expected = self.expected(session, grading)
                        row = rows[session]
                        self.assertEqual(
                            {n: getattr(row, n) for n in expected}, expected)
                        self.assertEqual(row.course, session.course)
                        self.assertEqual(row.start_date, session.start_date)
                        grades.add((bool(row.cases), row.grade))
                self.assertEqual(len(rows), len(sessions))
                # The shortest ones are not graded
                self.assertLessEqual({
                        (True, 'major'), (True, None), (False, 'minor'),
                        (False, 'major'), (False, 'conform'), (False, None)},
                    grades)
                self.assertFalse([
                        r for r in rows.values()
                        if r.course.days == 2 and r.grade])

    @with_transaction()
    def test_sums(self):
        "Test the courses and the months against the sessions"
        with set_up() as (company, session, prescriber):
            self.build(company, session, prescriber)
            with today(AFTER):
                for context in [{}, {
                            'start_date': DATE + DAY,
                            'end_date': DATE + DAY * 15}]:
                    sessions = self.rows('session', **context)
                    self.assertTrue(sessions)
                    for name, key in [
                            ('course', lambda r: r.course),
                            ('period', lambda r: (
                                    r.start_date.year * 12
                                    + r.start_date.month - 1))]:
                        rows = self.rows(name, **context)
                        self.assertEqual(len(rows), len(
                                {key(s) for s in sessions}))
                        for row in rows:
                            group = row.course if name == 'course' else (
                                row.month)
                            own = [s for s in sessions if key(s) == group]
                            self.assertEqual(row.sessions, len(own))
                            self.assertEqual(row.measured, sum(
                                    s.measured for s in own))
                            for count in [
                                    *COUNTS, 'not_handled', 'no_sheet']:
                                self.assertEqual(getattr(row, count), sum(
                                        getattr(s, count) for s in own))
                            self.assertEqual(
                                row.grade, worst(s.grade for s in own))
                    self.assertTrue(any(r.cases for r in rows))

    @with_transaction()
    def test_open(self):
        "Test that a row opens the cases that it counts"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            self.build(company, session, prescriber)
            with today(AFTER):
                context = {'end_date': DATE + DAY * 15}
                for name in ['session', 'course', 'period']:
                    for row in self.rows(name, **context):
                        with Transaction().set_context(**context):
                            action, domain = row.opened([row])
                        self.assertEqual(action, 'act_case_form')
                        self.assertEqual(
                            Case.search(domain, count=True), row.cases)

    def opened(self, row, number, context):
        "Return the number of records that the wizard opens"
        pool = Pool()
        Open = pool.get('training.conformity.open', type='wizard')
        with Transaction().set_context(
                **context, active_model=row.__name__, active_id=row.id,
                active_ids=[row.id]):
            session_id, _, _ = Open.create()
            (action, _), = Open.execute(
                session_id, {'start': {'number': number}}, 'open_')['actions']
        Model = pool.get(action['res_model'])
        return Model.search(
            PYSONDecoder({}).decode(action['pyson_domain']), count=True)

    @with_transaction()
    def test_open_numbers(self):
        "Test that each number of a row opens what it counts"
        pool = Pool()
        Session = pool.get('training.session')
        with set_up() as (company, session, prescriber):
            sessions = self.build(company, session, prescriber)
            # Neither those to come nor those cancelled are counted
            for other in sessions[:2]:
                Session.copy([other], {
                        'start_date': AFTER + DAY * 9,
                        'end_date': AFTER + DAY * 12})
            cancelled = sessions[9]
            table = Session.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.state], ['cancelled'],
                    where=table.id == cancelled.id))
            later = create_session(company, AFTER + DAY * 20, days=3)
            later.course = sessions[1].course
            later.save()
            open_cases(create_enrolments(later, 1, prescriber))
            Transaction().cache.clear()
            opened = defaultdict(int)
            with today(AFTER):
                for context in [{}, {'end_date': DATE + DAY * 15}]:
                    for name in ['session', 'course', 'period']:
                        for row in self.rows(name, **context):
                            counts = {
                                **{n: getattr(row, n) for n in COUNTS},
                                'no_sheet': row.no_sheet,
                                'measured': int(row.measured),
                                'sessions': getattr(row, 'sessions', 1),
                                }
                            for number, count in counts.items():
                                with self.subTest(
                                        row=name, number=number):
                                    self.assertEqual(
                                        self.opened(row, number, context),
                                        count)
                                opened[number] += count
                            monitoring = sum(
                                self.opened(row, n, context)
                                for n in ['alerts', 'follow_ups'])
                            self.assertEqual(monitoring, row.not_handled)
                            opened['not_handled'] += monitoring
            # late and evidence_missing are rare
            for number in [
                    'cases', 'missing', 'major', 'no_sheet', 'measured',
                    'not_handled', 'late_declarations']:
                self.assertTrue(opened[number], number)

    @with_transaction()
    def test_first_day(self):
        "Test that nothing is to be shown of a session before it is held"
        pool = Pool()
        Grading = pool.get('training.audit.grading')
        with set_up() as (company, _, _):
            session = create_session(company, days=3)
            type(session).plan([session])
            Grading.write([get_grading()], {'no_sheet': 'conform'})
            for day, time, grade in [
                    (DATE, dt.time(8), 'conform'),
                    (DATE, dt.time(20), 'major'),
                    (DATE + DAY * 9, dt.time(8), 'major')]:
                with self.subTest(day=day, time=time), today(day, time=time):
                    row = [
                        r for r in self.rows('session')
                        if r.session == session][0]
                    self.assertEqual(row.grade, grade)
            # What is held is shown, and a measure may be taken until the end
            Grading.write([get_grading()], {'nothing_shown': 'conform'})
            for day, grade in [
                    (DATE, 'conform'), (session.end_date, 'conform'),
                    (session.end_date + DAY, 'minor')]:
                with self.subTest(day=day), today(day):
                    row = [
                        r for r in self.rows('session')
                        if r.session == session][0]
                    self.assertEqual(row.grade, grade)

    @with_transaction()
    def test_zone(self):
        "Test that the days are those of the company"
        pool = Pool()
        Alert = pool.get('training.alert')
        with set_up() as (company, session, _):
            type(session).plan([session])
            company.timezone = 'Europe/Paris'
            company.save()
            enrolment, = create_enrolments(session)
            # It is 00:30 in Paris, on the first day
            night = dt.datetime.combine(DATE - DAY, dt.time(23, 30))
            with today(DATE), at(night):
                row, = self.rows('session')
                self.assertEqual(row.session, session)
                Alert.raise_concern([enrolment], 'other', "Word")
                row, = self.rows('session')
                self.assertEqual(row.not_handled, 0)
            with today(DATE), at(night + DAY - dt.timedelta(hours=1)):
                row, = self.rows('session')
                self.assertEqual(row.not_handled, 0)
            with today(DATE + DAY), at(night + DAY):
                row, = self.rows('session')
                self.assertEqual(row.not_handled, 1)
                self.assertEqual(self.opened(row, 'alerts', {}), 1)
            with today(DATE - DAY), at(night - dt.timedelta(hours=1)):
                self.assertFalse(self.rows('session'))

    @with_transaction()
    def test_statements(self):
        "Test that the number of statements does not grow with the cases"
        pool = Pool()
        Row = pool.get('training.conformity.session')
        with set_up() as (company, session, prescriber):
            counts = []
            for number in [2, 60]:
                open_cases(create_enrolments(session, number, prescriber))
                create_session(company)
                with today(AFTER), count_statements() as statements:
                    Transaction().cache.clear()
                    Row.search_read([], fields_names=['grade', 'cases'])
                counts.append(len(statements))
            self.assertEqual(*counts)

    @with_transaction()
    def test_context(self):
        "Test that what the client sends as a date is a date or nothing"
        with set_up() as (company, session, _):
            type(session).plan([session])
            for value in ['x', 1, [], {}, None]:
                self.assertTrue(self.rows('session', start_date=value))

    @with_transaction()
    def test_company(self):
        "Test that the rows of another company are not read"
        pool = Pool()
        Company = pool.get('company.company')
        Row = pool.get('training.conformity.session')
        with set_up() as (company, session, prescriber):
            type(session).plan([session])
            other, = Company.create([{
                        'party': prescriber.id,
                        'currency': company.currency.id}])
            user = create_user('other', other, 'training')
            self.assertTrue(Row.search([]))
            with as_user(user):
                self.assertFalse(Row.search([]))
