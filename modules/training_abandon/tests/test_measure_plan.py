# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The success plans and their tasks"
import datetime as dt
from collections import Counter

from trytond import backend
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.exceptions import (
    SuccessPlanWarning, TrainingValidationError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, analyse, as_user, count_statements,
    create_enrolments, create_user, decide, get_to_decision, open_cases,
    open_wizard, run_wizard, savepoint, set_up, today)


class PlanTestCase(DatabaseTestCase):
    "Test the tasks of the success plans"

    def plan(self, name="Tutoring"):
        pool = Pool()
        Plan = pool.get('training.success.plan')
        plan, = Plan.search([('name', '=', name)])
        return plan

    def apply(self, records, **values):
        pool = Pool()
        Task = pool.get('training.success.task')
        before = Task.search([])
        run_wizard('training.success.plan.apply', records, **{
                'plan': self.plan().id, 'date': DATE, **values})
        return [t for t in Task.search([]) if t not in before]

    @with_transaction()
    def test_apply(self):
        "Test the tasks of enrolments and of cases"
        with set_up() as (company, session, _):
            first, second = create_enrolments(session, 2)
            case, = open_cases([second])
            tasks = self.apply([first])
            self.assertEqual([t.due_date for t in tasks], [
                    DATE + 2 * DAY, DATE + 3 * DAY, DATE + 14 * DAY,
                    DATE + 28 * DAY])
            self.assertEqual(
                [t.name for t in tasks],
                [line.name for line in self.plan().lines])
            self.assertEqual(list(first.success_tasks), tasks)
            for record, plan in [
                    (second, "Tutoring"), (case, "Equipment")]:
                tasks = self.apply([record], plan=self.plan(plan).id)
                self.assertEqual(
                    {(t.enrolment, t.case) for t in tasks}, {(second, case)})

    @with_transaction()
    def test_twice(self):
        "Test that a plan that applies adds nothing, and says so"
        pool = Pool()
        Task = pool.get('training.success.task')
        with set_up() as (company, session, _):
            first, second = create_enrolments(session, 2)
            case, = open_cases([first])
            tasks = self.apply([first])
            for record in [first, case]:
                with self.assertRaisesRegex(
                        TrainingValidationError, "already applies"):
                    self.apply([record])
            with Transaction().set_context(_skip_warnings=False), \
                    savepoint(), self.assertRaisesRegex(
                        SuccessPlanWarning, "nothing is added"):
                self.apply([first, second])
            self.assertEqual(
                {t.enrolment for t in self.apply([first, second])}, {second})
            Task.write(tasks, {'done_on': DATE})
            with self.assertRaises(TrainingValidationError):
                self.apply([first])
            other, = create_enrolments(session)
            self.assertEqual(len(self.apply([other, other])), len(tasks))

    @with_transaction()
    def test_end(self):
        "Test what ends a plan: the enrolment, but no case of one who stays"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Task = pool.get('training.success.task')
        with set_up() as (company, session, _):
            followed, ended = create_enrolments(session, 2)
            before = self.apply(
                [followed], plan=self.plan("Equipment").id)
            case, = open_cases([followed])
            done, dropped, *others = self.apply([case])
            other = self.apply([ended])
            Task.write([done], {'done_on': DATE}, [dropped], {
                    'effect': 'dropped'})
            run_wizard(
                'training.abandon.case.cancel_case', [case],
                reason="Mistake")
            self.assertEqual(
                [t.cancel_reason for t in Task.browse(
                        [done, dropped, *others, *before, *other])],
                [None] * len([done, dropped, *others, *before, *other]))
            Enrolment.cancel([ended])
            self.assertEqual(
                {t.cancel_reason for t in Task.browse(other)}, {'ended'})
            self.assertTrue(Task(other[0].id).cancelled_at)
            with as_user(create_user('assistant', company, 'training')), \
                    self.assertRaises(AccessError):
                Task.write([Task(other[0].id)], {'cancelled_at': None})
            Enrolment.write([ended], {'state': 'started'})
            self.assertEqual({
                    (t.cancelled_at, t.cancel_reason)
                    for t in Task.browse(other)}, {(None, None)})

    @with_transaction()
    def test_decision(self):
        "Test the plan of the trainee whom the decision ends"
        pool = Pool()
        Task = pool.get('training.success.task')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            tasks = self.apply([case])
            decide(case)
            self.assertTrue(all(
                    t.cancelled_at for t in Task.browse(tasks)))

    @with_transaction()
    def test_alert_case(self):
        "Test that a plan is of the open case, not of the one of the alert"
        pool = Pool()
        Alert = pool.get('training.alert')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            alert, = Alert.raise_concern([enrolment], 'other', "Divorce")
            case, = open_cases([enrolment])
            self.assertEqual({
                    t.case for t in self.apply([Alert(alert.id)])}, {case})
            type(case).cancel([case])
            self.assertEqual({
                    t.case for t in self.apply(
                        [Alert(alert.id)], plan=self.plan("Equipment").id)},
                {None})

    @with_transaction()
    def test_timeline(self):
        "Test what is told of the prevention in the timeline of the cases"
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        Event = pool.get('training.abandon.case.event')
        Kind = pool.get('training.measure.kind')
        Measure = pool.get('training.measure')
        Questionnaire = pool.get('training.questionnaire')
        Task = pool.get('training.success.task')
        with set_up() as (company, session, _):
            enrolment, other = create_enrolments(session, 2)
            questionnaire, = Questionnaire.create([{
                        'name': "Needs",
                        'questions': [('create', [
                                    {'name': n} for n in ["Help", "Level"]])],
                        }])
            kind, = Kind.search([('guide', '=', "V9"), ('number', '=', 13)])
            for one in [enrolment, other]:
                measure, = Measure.create([{
                            'company': company.id, 'enrolment': one.id,
                            'kind': kind.id, 'name': "Private",
                            'date': DATE,
                            }])
                Answer.create([{
                            'company': company.id, 'enrolment': one.id,
                            'question': q.id, 'answered_on': DATE,
                            'text': "Private",
                            } for q in questionnaire.questions])
            first, = open_cases([enrolment])
            done, *others = self.apply([first])
            Task.write([done], {'done_on': DATE, 'effect': 'helped'})
            # Well before the case is closed
            cursor = Transaction().connection.cursor()
            for Model in [Measure, Answer]:
                table = Model.__table__()
                cursor.execute(*table.update(
                        [table.create_date], [dt.datetime(2026, 3, 1)]))
            Task.end('closed', 'case', [first])
            Transaction()._store_log_records()
            run_wizard(
                'training.abandon.case.cancel_case', [first],
                reason="Mistake")
            second, = open_cases([enrolment])

            def events(case, kind):
                return Event.search(
                    [('case', '=', case.id), ('kind', '=', kind)])

            event, = events(first, 'measure')
            self.assertEqual(event.at.date(), DATE)
            self.assertEqual(
                event.summary, f"Engagement Measure – {kind.rec_name}")
            event, = events(first, 'needs')
            self.assertEqual(event.summary, "Needs of the Trainee – Needs")
            self.assertEqual(
                len(events(first, 'success_task')), len(others) + 1)
            event, = events(first, 'success_task_done')
            self.assertEqual(event.origin, done)
            self.assertEqual(
                event.summary,
                f"Task of the Success Plan Done – Helped – {done.name}")
            self.assertEqual(
                {e.origin for e in events(first, 'success_task_cancelled')},
                set(others))
            for kind in ['measure', 'needs', 'success_task']:
                self.assertFalse(events(second, kind))
            late, = Measure.create([{
                        'company': company.id, 'enrolment': enrolment.id,
                        'kind': measure.kind.id, 'name': "Late",
                        'date': DATE,
                        }])
            event, = events(second, 'measure')
            self.assertEqual(event.origin, late)
            # As if it was opened again since
            table = first.__table__()
            cursor.execute(*table.update(
                    [table.closed_at], [dt.datetime(2099, 1, 1)],
                    where=table.id == first.id))
            self.assertEqual(len(events(first, 'measure')), 1)
            event, = events(second, 'measure')
            self.assertEqual(event.origin, late)

    @with_transaction()
    def test_timeline_join(self):
        "Test that the tasks find their cases by an equality"
        pool = Pool()
        Event = pool.get('training.abandon.case.event')
        cursor = Transaction().connection.cursor()
        explain = 'EXPLAIN QUERY PLAN '
        if backend.name == 'postgresql':
            # What is left when there is no equality
            cursor.execute('SET LOCAL enable_nestloop = off')
            explain = 'EXPLAIN '
        for source in [
                Event._from_success_tasks, Event._from_success_tasks_done,
                Event._from_success_tasks_cancelled]:
            with self.subTest(source=source.__name__):
                query, _ = source()
                cursor.execute(explain + str(query), query.params)
                plan = str(cursor.fetchall())
                self.assertNotIn('Nested Loop', plan)
                self.assertNotIn('MULTI-INDEX OR', plan)

    @with_transaction()
    def test_timeline_user(self):
        "Test who did the tasks, and that what was no longer needed stays told"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Event = pool.get('training.abandon.case.event')
        Task = pool.get('training.success.task')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case, = open_cases([enrolment])
            done, *others = self.apply([case])
            users = [
                create_user(login, company, 'training', 'training_admin')
                for login in ['first', 'second']]

            def events(kind):
                return Event.search([
                        ('case', '=', case.id),
                        ('kind', '=', f'success_task_{kind}'),
                        ])

            with as_user(users[0]):
                Task.write([Task(done.id)], {'done_on': DATE})
            with Transaction().set_user(users[0].id):
                Enrolment.write([enrolment], {'state': 'cancelled'})
            with as_user(users[1]):
                Task.write(
                    [Task(done.id)], {'effect': 'helped', 'done_on': DATE})
            with Transaction().set_user(users[1].id):
                Enrolment.write([enrolment], {'state': 'started'})
                Enrolment.write([enrolment], {'state': 'cancelled'})
            Transaction()._store_log_records()
            event, = events('done')
            self.assertEqual(event.user, users[0])
            self.assertEqual(event.by, users[0].rec_name)
            self.assertEqual(
                Counter((e.origin, e.user, e.by) for e in events('cancelled')),
                Counter({
                        (task, user, user.rec_name): 1
                        for task in others for user in users}))
            self.assertEqual(
                {(e.origin, e.user) for e in events('resumed')},
                {(task, users[1]) for task in others})
            event, *_ = events('cancelled')
            self.assertIn("The Enrolment Has Ended", event.summary)
            event, *_ = events('resumed')
            self.assertEqual(
                event.summary,
                f"Task of the Success Plan Needed Again – {event.detail}")
            Task.write([Task(done.id)], {'done_on': None, 'effect': None})
            self.assertIsNone(Task(done.id).done_by)

    @with_transaction()
    def test_alert(self):
        "Test the plan of an alert, shown with the answers"
        pool = Pool()
        Alert = pool.get('training.alert')
        Answer = pool.get('training.questionnaire.answer')
        Questionnaire = pool.get('training.questionnaire')
        with set_up() as (company, session, _):
            enrolment, other = create_enrolments(session, 2)
            alerts = Alert.create([{
                        'company': company.id, 'enrolment': e.id,
                        'level': 'alert', 'state': 'open', 'kind': 'other',
                        'first_seen': dt.datetime.combine(DATE, dt.time()),
                        } for e in [enrolment, other]])
            questionnaire, = Questionnaire.create([{
                        'name': "Needs",
                        'questions': [('create', [{'name': "Help"}])],
                        }])
            answer, = Answer.create([{
                        'company': company.id, 'enrolment': enrolment.id,
                        'question': questionnaire.questions[0].id,
                        'answered_on': DATE, 'text': "Yes",
                        }])
            tasks = self.apply(alerts[:1])
            self.assertEqual(
                [(list(a.answers), list(a.success_tasks))
                    for a in Alert.browse(alerts)],
                [([answer], tasks), ([], [])])

    @with_transaction()
    def test_suggestions(self):
        "Test that the plans that fit the causes are suggested to who knows"
        name = 'training.success.plan.apply'
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            while case.next_kind != 'analyse':
                type(case).skip_step([case], "Not needed")
            analyse([case], 'level')
            assistant = create_user('assistant', company, 'training')
            sensitive = create_user(
                'sensitive', company, 'training', 'sensitive_reason')
            for user, suggested in [
                    (assistant, []), (sensitive, [self.plan().id])]:
                with as_user(user):
                    _, start = open_wizard(name, [case])
                    self.assertEqual(start['suggestions'], suggested)

    @with_transaction()
    def test_effect(self):
        "Test how a task is followed to its effect"
        pool = Pool()
        Task = pool.get('training.success.task')
        with set_up() as (company, session, _):
            task, *_ = self.apply(create_enrolments(session))
            for values in [
                    {'done_on': DATE + 2 * DAY},
                    {'effect': 'helped'},
                    {'done_on': DATE, 'effect': 'dropped'},
                    ]:
                with self.assertRaises(TrainingValidationError):
                    Task.write([Task(task.id)], values)
                task = Task(task.id)
                Task.write([task], {'done_on': None, 'effect': None})
            Task.write([task], {'done_on': DATE})
            Task.write([task], {'effect': 'partly'})
            Task.write([task], {'done_on': None, 'effect': 'dropped'})

    @with_transaction()
    def test_home(self):
        "Test that the tasks are on the home from the day they are due"
        pool = Pool()
        HomeTask = pool.get('training.task')
        Task = pool.get('training.success.task')
        with set_up() as (company, session, _):
            first, second, *_ = self.apply(create_enrolments(session))

            def found():
                return [
                    t.record for t in HomeTask.search(
                        [('kind', '=', 'success')])]

            with today(DATE + 2 * DAY):
                self.assertEqual(found(), [first])
                task, = HomeTask.search([('kind', '=', 'success')])
                self.assertIn(first.name, task.what)
                self.assertEqual(task.owner, first.employee)
                self.assertEqual(task.due, first.due_date)
                Task.write([first], {'done_on': DATE + 2 * DAY})
                self.assertFalse(found())
            with today(DATE + 3 * DAY):
                self.assertEqual(found(), [second])
                Task.write([second], {'effect': 'dropped'})
                self.assertFalse(found())

    @with_transaction()
    def test_bad_input(self):
        "Test what cannot be applied"
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session)
            for values in [{'plan': None}, {'date': None}]:
                with self.assertRaises(TrainingValidationError):
                    self.apply(enrolments, **values)

    @with_transaction()
    def test_rights(self):
        "Test who changes the plans and their tasks"
        pool = Pool()
        Line = pool.get('training.success.plan.line')
        Task = pool.get('training.success.task')
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session)
            with as_user(create_user('assistant', company, 'training')):
                task, *_ = self.apply(enrolments)
                Task.write([Task(task.id)], {'done_on': DATE})
                for Model, record, values in [
                        (Task, task, {'note': "Note"}),
                        (Line, self.plan().lines[0], {'delay': 4}),
                        ]:
                    with self.assertRaises(AccessError):
                        Model.write([Model(record.id)], values)
                with self.assertRaises(AccessError):
                    Task.read([task.id], ['note'])
            with as_user(create_user('reader', company, 'training_reading')):
                self.assertEqual(len(Task.search([])), 4)
                with self.assertRaises(AccessError):
                    self.apply(enrolments)

    @with_transaction()
    def test_statements(self):
        "Test that the tasks of many are created at once"
        numbers = []
        with set_up() as (company, session, _):
            for count in [2, 20]:
                enrolments = create_enrolments(session, count)
                with count_statements() as statements:
                    self.apply(enrolments)
                # SQLite inserts the rows one by one
                numbers.append(len(
                        [s for s in statements if not s.startswith('INSERT')]))
            self.assertLessEqual(numbers[1], numbers[0] + 2)
