# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.exceptions import (
    ImprovementWarning, TrainingValidationError)
from trytond.modules.training_abandon.home.source import LATE, NORMAL
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, NoticeTestCase, as_user, create_enrolments, create_session,
    create_user, decide, get_to_decision, set_up, today)


class ImprovementTestCase(NoticeTestCase):
    "Test the improvement actions, the meetings and the complaints"

    def action(self, **values):
        pool = Pool()
        Action = pool.get('training.improvement.action')
        action, = Action.create([{
                    'name': "Have a tutor",
                    'due_date': DATE + 30 * DAY,
                    **values}])
        Action.run([action])
        return action

    @with_transaction()
    def test_effect(self):
        "Test that the effect is measured and then kept"
        pool = Pool()
        with set_up() as (company, session, prescriber):
            other = create_session(company, DATE + 31 * DAY)
            one, two = create_enrolments(session, 2)
            three, four = create_enrolments(other, 2)
            elsewhere, = create_enrolments(create_session(company))
            self.fill(
                session.slots[:1], dict.fromkeys([one, two], 'present'))
            self.fill(
                elsewhere.session.slots[:1], {elsewhere: 'present'})
            decide(get_to_decision(one))
            decide(get_to_decision(elsewhere))
            with today(DATE + 32 * DAY):
                self.fill(
                    other.slots[:1], dict.fromkeys([three, four], 'present'))
            action = self.action(
                courses=[('add', [session.course.id, other.course.id])],
                before_from=DATE, before_to=DATE + 29 * DAY,
                after_from=DATE + 30 * DAY, after_to=DATE + 60 * DAY)
            with today(DATE + 61 * DAY):
                action.measure([action])
                self.assertEqual(
                    (action.before_started, action.before_abandoned,
                        action.before_rate), (2, 1, 50))
                self.assertEqual(
                    (action.after_started, action.after_abandoned,
                        action.after_rate), (2, 0, 0))
                action.close([action])
            self.assertEqual(action.closed_on, DATE + 61 * DAY)
            with today(DATE + 40 * DAY):
                decide(
                    get_to_decision(three),
                    effective_date=DATE + 40 * DAY)
            action.measure([action])
            self.assertEqual((action.state, action.after_rate), ('closed', 0))
            with self.assertRaises(AccessError):
                action.write([action], {'after_rate': 50})
            with self.assertRaises(AccessError):
                action.delete([action])
            # Nor are the courses of which it was measured
            Link = pool.get('training.improvement.action-training.course')
            links = Link.search([('action', '=', action.id)])
            for method, args in [
                    (Link.write, [links, {
                        'course': elsewhere.session.course.id}]),
                    (Link.delete, [links]),
                    (Link.create, [[{
                        'action': action.id,
                        'course': elsewhere.session.course.id}]])]:
                with self.assertRaises(AccessError):
                    method(*args)
            copy, = action.copy([action])
            self.assertEqual(
                (copy.state, copy.after_rate, copy.closed_on),
                ('planned', None, None))

    @with_transaction()
    def test_no_population(self):
        "Test the effect without trainees, and without periods"
        with set_up() as (company, session, prescriber):
            action = self.action()
            with self.assertRaises(TrainingValidationError):
                action.close([action])
            action.write([action], {
                    'before_from': DATE, 'before_to': DATE,
                    'after_from': DATE + DAY, 'after_to': DATE + DAY})
            # The period after is not over
            with self.assertRaises(TrainingValidationError):
                action.close([action])
            with today(DATE + 2 * DAY):
                action.close([action])
            self.assertEqual(
                (action.before_started, action.before_rate), (0, None))

    @with_transaction()
    def test_stale(self):
        "Test that the effect goes with what it was measured of"
        with set_up() as (company, session, prescriber):
            for changes in [
                    {'after_to': DATE + 3 * DAY},
                    {'courses': [('add', [session.course.id])]}]:
                with self.subTest(changes=changes):
                    action = self.action(
                        before_from=DATE, before_to=DATE,
                        after_from=DATE + DAY, after_to=DATE + 2 * DAY)
                    action.measure([action])
                    self.assertEqual(action.after_started, 0)
                    action.write([action], changes)
                    self.assertIsNone(action.after_started)

    @with_transaction()
    def test_early(self):
        "Test the warning of a period after that begins before the action"
        with set_up() as (company, session, prescriber):
            action = self.action(
                before_from=DATE - 3 * DAY, before_to=DATE - 2 * DAY,
                after_from=DATE - DAY, after_to=DATE)
            with today(DATE + 2 * DAY), Transaction().set_context(
                    _skip_warnings=False):
                with self.assertRaises(ImprovementWarning):
                    action.close([action])

    @with_transaction()
    def test_task(self):
        "Test that an action is told when it is due, and again for its effect"
        pool = Pool()
        Task = pool.get('training.task')
        with set_up() as (company, session, prescriber):
            user = create_user('quality', company, 'training')
            action = self.action()
            waiting = self.action(
                name="Call them all", before_from=DATE, before_to=DATE,
                after_from=DATE + DAY, after_to=DATE + 90 * DAY)

            def told(days):
                with today(DATE + days * DAY), as_user(user):
                    return [
                        (t.record, t.what, t.due, t.owner, t.priority)
                        for t in Task.search([('kind', '=', 'improvement')])]

            def due(priority):
                return (
                    action, "Improve: Have a tutor", DATE + 30 * DAY,
                    action.owner, priority)

            def effect(priority):
                return (
                    waiting, "Measure the effect and close: Call them all",
                    DATE + 91 * DAY, waiting.owner, priority)

            self.assertEqual(told(22), [])
            self.assertEqual(told(23), [due(NORMAL)])
            # It cannot be closed yet
            self.assertEqual(told(90), [due(LATE)])
            self.assertEqual(told(91), [due(LATE), effect(NORMAL)])
            self.assertEqual(told(92), [due(LATE), effect(LATE)])
            action.cancel([action])
            with today(DATE + 91 * DAY):
                waiting.close([waiting])
            self.assertEqual(told(91), [])

    @with_transaction()
    def test_links(self):
        "Test what leads to the actions"
        pool = Pool()
        Event = pool.get('training.improvement.event')
        Meeting = pool.get('training.improvement.meeting')
        with set_up() as (company, session, prescriber):
            action = self.action()
            event, = Event.create([{
                        'name': "No heating",
                        'kind': 'hazard',
                        'session': session.id,
                        'actions': [('add', [action.id])],
                        }])
            meeting, = Meeting.create([{
                        'name': "Quality",
                        'date': DATE,
                        'employees': [('add', [action.owner.id])],
                        'actions': [('add', [action.id])],
                        }])
            action.cancel([action])
            self.assertEqual(list(action.events), [event])
            self.assertEqual(list(action.meetings), [meeting])


del NoticeTestCase
