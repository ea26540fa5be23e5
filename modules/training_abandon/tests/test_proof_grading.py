# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import random
from contextlib import contextmanager

from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, as_user, count_statements, create_enrolments,
    create_session, create_user, open_cases, run_wizard, set_up, today)

AFTER = DATE + dt.timedelta(days=60)
LACKING = {'missing', 'evidence_missing'}
GRADE_RANKS = ['conform', 'minor', 'major']


@contextmanager
def set_up_graded():
    "Set up a session of a course to which the indicator applies"
    pool = Pool()
    Course = pool.get('training.course')
    with set_up() as (company, session, prescriber):
        Course.write([session.course], {'days': 3})
        yield company, session, prescriber


def get_grading():
    pool = Pool()
    Grading = pool.get('training.audit.grading')
    grading, = Grading.search([])
    return grading


def expected_grade(case, grading):
    "Return the grade of the case, from the conformities of its steps"
    found = [
        s.conformity for s in case.steps
        if s.conformity not in {'exempt', 'to_come'}]
    days = case.course.days
    if not found or days is not None and days <= grading.days:
        return None
    grades = ['conform'] + [
        getattr(grading, c) for c in found if c != 'in_time']
    if LACKING.issuperset(found) and (
            case.closed_at or len(found) >= grading.nothing_done_steps):
        grades.append(grading.nothing_done)
    return max(grades, key=GRADE_RANKS.index)


class GradingTestCase(DatabaseTestCase):
    "Test what the guide makes of the conformity of the cases"

    def step_at_random(self, cases, numbers):
        "Give the steps of the cases states, evidences and times at random"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        cursor = Transaction().connection.cursor()
        table = Step.__table__()
        for case in cases:
            # Some cases are alike in all their steps
            chances = numbers.choice([(1, 0, 0), (0, 1, 0), (1, 2, 1)])
            evidences = numbers.choice(
                [['proven'], ['proven', 'pending', 'failed']])
            for step in case.steps:
                state, = numbers.choices(
                    ['todo', 'done', 'skipped'], chances)
                proven = numbers.choice(evidences)
                late = numbers.random() < .3
                cursor.execute(*table.update([
                            table.state, table.evidence, table.proven_at,
                            table.by_procedure], [
                            state, proven if state == 'done' else 'none',
                            step.late_from + DAY * (1 if late else -1),
                            state == 'skipped' and numbers.random() < .5],
                        where=table.id == step.id))
        closed = numbers.sample(list(cases), len(cases) // 2)
        Case.write(closed, {
                'closed_at': dt.datetime.combine(AFTER, dt.time(10))})
        Transaction().cache.clear()
        Transaction().counter += 1

    @with_transaction()
    def test_brute_force(self):
        "Test the grades of random cases against those of their steps"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Grading = pool.get('training.audit.grading')
        numbers = random.Random(20260302)
        grades = set()
        with set_up_graded() as (company, session, prescriber):
            grading = get_grading()
            Grading.write([grading], {'skipped': 'minor', 'late': 'conform'})
            cases = open_cases(create_enrolments(session, 60, prescriber))
            with today(AFTER):
                self.step_at_random(cases, numbers)
                cases = Case.browse(cases)
                for case in cases:
                    grade = expected_grade(case, grading)
                    grades.add((bool(case.closed_at), grade))
                    self.assertEqual(case.grade, grade)
                    if case.closed_conformity:
                        self.assertEqual(case.closed_grade, grade)
                        self.assertEqual(case.grading, grading)
                    else:
                        self.assertIsNone(case.closed_grade)
                        self.assertIsNone(case.grading)
                for grade in [*GRADE_RANKS, None]:
                    self.assertEqual(
                        set(Case.search([('grade', '=', grade)])),
                        {c for c in cases if c.grade == grade})
                self.assertEqual(
                    set(Case.search([('grade', 'in', ['minor', 'major'])])),
                    {c for c in cases if c.grade in {'minor', 'major'}})
                self.assertFalse([
                        d for d in Case.stored_differences()
                        if d[1] in {'closed_grade', 'grading', 'applicable'}])
            self.assertLessEqual({
                    (c, g) for c in [False, True] for g in GRADE_RANKS},
                grades)

    @with_transaction()
    def test_first_step(self):
        "Test that a first step that falls due is one step missing"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up_graded() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            due = case.steps[0].late_from
            second = case.steps[1]
            table = second.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.late_from], [due + DAY * 9],
                    where=table.id == second.id))
            Transaction().cache.clear()
            Transaction().counter += 1
            for day, found, grade in [
                    (due.date() - DAY * 2, 0, None),
                    (due.date() + DAY, 1, 'minor'),
                    (due.date() + DAY * 90, 8, 'major')]:
                with self.subTest(day=day), today(day):
                    case = Case(case.id)
                    self.assertEqual(sum(
                            s.conformity == 'missing' for s in case.steps),
                        found)
                    self.assertEqual(case.grade, grade)
                Transaction().cache.clear()
                Transaction().counter += 1
            with today(due.date() + DAY):
                Case.cancel([Case(case.id)])
                self.assertIn(
                    Case(case.id).closed_grade, {None, 'major'})

    @with_transaction()
    def test_short_course(self):
        "Test that a course that is too short is not graded, now nor later"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Course = pool.get('training.course')
        Row = pool.get('training.conformity.session')
        with set_up_graded() as (company, session, prescriber):
            Course.write([session.course], {'days': 2})
            open_, closed = open_cases(
                create_enrolments(session, 2, prescriber))
            type(session).plan([type(session)(session.id)])
            with today(AFTER):
                run_wizard(
                    'training.abandon.case.skip', [closed], reason="Told")
                Case.cancel([Case(closed.id)])
                closed = Case(closed.id)
                self.assertIsNone(Case(open_.id).grade)
                self.assertIsNone(closed.closed_grade)
                self.assertEqual(closed.grading, get_grading())
                row, = Row.search([])
                self.assertEqual((row.cases, row.grade), (1, None))

                Course.write([session.course], {'days': 3})
                Case.store()
                self.assertEqual(Case(open_.id).grade, 'major')
                self.assertIsNone(Case(closed.id).closed_grade)
                row, = Row.search([])
                self.assertEqual((row.major, row.grade), (1, 'major'))

    @with_transaction()
    def test_pending(self):
        "Test that what time still changes is graded as when it was closed"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Grading = pool.get('training.audit.grading')
        Step = pool.get('training.abandon.case.step')
        with set_up_graded() as (company, session, prescriber):
            grading = get_grading()
            case, = open_cases(create_enrolments(session, 1, prescriber))
            with today(AFTER):
                self.step_at_random([case], random.Random(1))
                Step.write(list(case.steps), {'evidence': 'pending'})
                Case.write([Case(case.id)], {
                        'closed_at': dt.datetime.combine(
                            AFTER, dt.time(10))})
            Grading.write([grading], {'end_date': AFTER, 'missing': 'minor'})
            Grading.copy([grading], {
                    'guide': 'V10', 'start_date': AFTER + DAY,
                    'end_date': None, 'missing': 'major', 'late': 'major',
                    'evidence_missing': 'major', 'skipped': 'major'})
            cursor = Transaction().connection.cursor()
            table = Case.__table__()
            cursor.execute(*table.update([
                        table.closed_conformity, table.closed_grade,
                        table.grading], [None] * 3,
                    where=table.id == case.id))
            step = Step.__table__()
            cursor.execute(*step.update(
                    [step.state, step.evidence], ['todo', 'none'],
                    where=step.case == case.id))
            first = case.steps[0]
            cursor.execute(*step.update(
                    [step.state], ['skipped'], where=step.id == first.id))
            Transaction().cache.clear()
            Transaction().counter += 1
            for day in [AFTER, AFTER + DAY * 5]:
                with today(day):
                    self.assertEqual(Case(case.id).grade, 'minor')
                Transaction().cache.clear()

    @with_transaction()
    def test_ended(self):
        "Test that the sessions that have ended are not graded anew"
        pool = Pool()
        Grading = pool.get('training.audit.grading')
        Row = pool.get('training.conformity.session')
        with set_up_graded() as (company, session, _):
            grading = get_grading()
            type(session).plan([session])
            user = create_user('head', company, 'training_admin')
            values = {
                'guide': 'V10', 'start_date': session.end_date,
                'company': company.id}
            with today(session.end_date), as_user(user):
                Grading.write([Grading(grading.id)], {'no_sheet': 'conform'})
            with today(session.end_date + DAY):
                row, = Row.search([])
                before = row.grade
                with as_user(user):
                    for call in [
                            lambda: Grading.write([Grading(grading.id)], {
                                    'no_sheet': 'major'}),
                            lambda: Grading.write([Grading(grading.id)], {
                                    'end_date': session.end_date - DAY}),
                            lambda: Grading.delete([Grading(grading.id)]),
                            lambda: Grading.copy([grading], values),
                            lambda: Grading.copy(
                                [grading], {**values, 'start_date': None}),
                            ]:
                        with self.assertRaises(AccessError):
                            call()
                    Grading.write([Grading(grading.id)], {
                            'end_date': session.end_date})
                    Grading.copy([grading], {
                            **values, 'end_date': None,
                            'start_date': session.end_date + DAY,
                            'no_sheet': 'major', 'no_measure': 'major'})
                row, = Row.search([])
                self.assertEqual(row.grade, before)

    @with_transaction()
    def test_statements(self):
        "Test that many cases are graded by as many statements as few"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up_graded() as (company, session, prescriber):
            cases = open_cases(create_enrolments(session, 90, prescriber))
            counts = []
            for number in [10, 90]:
                Transaction().cache.clear()
                ids = [c.id for c in cases[:number]]
                with count_statements() as statements:
                    Case.read(ids, ['grade'])
                counts.append(len(statements))
            self.assertEqual(*counts)
            self.assertLess(counts[0], 10)

    @with_transaction()
    def test_past(self):
        "Test that a later version changes nothing of a closed case"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Grading = pool.get('training.audit.grading')
        with set_up_graded() as (company, session, _):
            first, second = open_cases(create_enrolments(session, 2))
            grading = get_grading()
            with today(AFTER):
                Case.cancel([first])
            first = Case(first.id)
            self.assertIsNone(first.closed_grade)
            with today(AFTER):
                run_wizard(
                    'training.abandon.case.skip', [second], reason="Told")
                second.cancel([Case(second.id)])
            second = Case(second.id)
            self.assertEqual(second.closed_grade, 'conform')
            self.assertEqual(second.grading, grading)
            with self.assertRaises(AccessError), as_user(
                    create_user('head', company, 'training_admin')):
                Grading.write([Grading(grading.id)], {'skipped': 'major'})
            with self.assertRaises(AccessError):
                Grading.delete([grading])
            later, = Grading.copy([grading], {
                    'guide': 'V10', 'skipped': 'major',
                    'start_date': grading.start_date + DAY})
            Case.store()
            second = Case(second.id)
            self.assertEqual(second.closed_grade, 'conform')
            self.assertEqual(second.grading, grading)
            with as_user(create_user('other', company, 'training_admin')):
                Grading.write([Grading(grading.id)], {'end_date': AFTER})

    @with_transaction()
    def test_version(self):
        "Test that a case is graded by the version of the day it was closed"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Grading = pool.get('training.audit.grading')
        with set_up_graded() as (company, session, _):
            grading = get_grading()
            company.timezone = 'Europe/Paris'
            company.save()
            Grading.write([grading], {'end_date': AFTER})
            next_, = Grading.copy([grading], {
                    'guide': 'V10', 'start_date': AFTER + DAY,
                    'end_date': None, 'skipped': 'minor'})
            own, = Grading.copy([next_], {
                    'company': company.id, 'skipped': 'major',
                    'start_date': AFTER + 2 * DAY})
            cases = open_cases(create_enrolments(session, 4))
            # In Paris it is 23:59:59 and midnight
            midnight = dt.datetime.combine(AFTER, dt.time(22))
            second = dt.timedelta(seconds=1)
            for case, at in zip(cases, [
                        midnight - second, midnight, midnight + DAY - second,
                        midnight + DAY]):
                with today(at.date(), time=at.time()):
                    run_wizard(
                        'training.abandon.case.skip', [case], reason="Told")
                    Case.cancel([Case(case.id)])
            self.assertEqual(
                [(c.grading.id, c.closed_grade) for c in Case.browse(cases)],
                [(grading.id, 'conform'), (next_.id, 'minor'),
                    (next_.id, 'minor'), (own.id, 'major')])

    @with_transaction()
    def test_no_version(self):
        "Test the cases closed before any version was known"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Grading = pool.get('training.audit.grading')
        with set_up_graded() as (company, session, _):
            grading = get_grading()
            Grading.write([grading], {'end_date': grading.start_date})
            case, = open_cases(create_enrolments(session))
            run_wizard('training.abandon.case.skip', [case], reason="Told")
            Case.cancel([Case(case.id)])
            case = Case(case.id)
            self.assertIsNone(case.closed_grade)
            self.assertIsNone(case.grade)
            next_, = Grading.copy([grading], {
                    'start_date': grading.start_date + DAY,
                    'end_date': None})
            case = Case(case.id)
            self.assertEqual(case.closed_grade, 'conform')
            self.assertEqual(case.grading, next_)

    @with_transaction()
    def test_take_back(self):
        "Test that a case open again is graded again"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up_graded() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            run_wizard('training.abandon.case.skip', [case], reason="Told")
            Case.cancel([Case(case.id)])
            self.assertEqual(Case(case.id).closed_grade, 'conform')
            Case.write([Case(case.id)], {'closed_at': None})
            case = Case(case.id)
            self.assertIsNone(case.closed_grade)
            self.assertIsNone(case.grading)


class StepTestCase(DatabaseTestCase):
    "Test the rule of a step and what puts it right"

    def fix(self, step):
        pool = Pool()
        Wizard = pool.get('training.abandon.case.step.fix', type='wizard')
        with Transaction().set_context(
                active_model=step.__name__, active_id=step.id,
                active_ids=[step.id]):
            session_id, state, _ = Wizard.create()
            (action, data), = Wizard.execute(
                session_id, {}, state)['actions']
        return action, data

    @with_transaction()
    def test_rule(self):
        "Test that the rule names the revision of the case and the delay"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            step = case.get_step('inform')
            procedure = case.procedure
            revision, = Procedure.copy([procedure], {'revision': '05'})
            rule = Step(step.id).conformity_rule
            self.assertIn(procedure.rec_name, rule)
            self.assertIn(str(step.procedure_step.delay), rule)
            self.assertIn('working day', rule)
            self.assertIn('opening of the case', rule)
            cases = open_cases(create_enrolments(session, 12, prescriber))
            ids = [s.id for c in cases for s in c.steps]
            counts = []
            for number in [10, 90]:
                Transaction().cache.clear()
                with count_statements() as statements:
                    Step.read(ids[:number], ['conformity_rule'])
                counts.append(len(statements))
            self.assertEqual(*counts)

    @with_transaction()
    def test_fix(self):
        "Test that the fix is the wizard of the step or its mail"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            step = case.get_step('inform')
            action, data = self.fix(step)
            self.assertEqual(
                action['wiz_name'], 'training.abandon.case.inform')
            self.assertEqual(data['model'], 'training.abandon.case')
            self.assertEqual(data['ids'], [case.id])

            run_wizard('training.abandon.case.inform', [case])
            mail, = Case(case.id).mails
            Mail.write([mail], {'state': 'failed'})
            action, _ = self.fix(step)
            self.assertEqual(action['res_model'], 'training.mail')
            self.assertEqual(action['res_id'], [mail.id])

    @with_transaction()
    def test_fix_access(self):
        "Test that who reads only does not put right"
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            step = case.get_step('inform')
            create_session(company)
            for group in ['training_reading', 'sensitive_reason']:
                with as_user(create_user(group, company, group)):
                    with self.assertRaises(AccessError):
                        self.fix(step)
