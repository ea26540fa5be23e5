# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The follow-ups that are planned, tried again and no longer needed"
import datetime as dt

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import (
    FollowUpRecordError, FollowUpRuleError, FollowUpWarning,
    TrainingValidationError)
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, add_contact, apply_wizard, as_user, at,
    count_statements, create_enrolments, create_party, create_user, open_cases,
    open_wizard, run_wizard, savepoint, set_up, today, wizard_context)

HOUR = dt.timedelta(hours=1)
MORNING = dt.datetime.combine(DATE + DAY, dt.time(9, 30))


class FollowUpTestCase(DatabaseTestCase):
    "Test the follow-ups that are planned"

    def plan(self, enrolment, **values):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        follow_up, = FollowUp.create([{
                    'company': enrolment.company.id,
                    'enrolment': enrolment.id,
                    'party': enrolment.trainee.party.id,
                    'kind': 'call',
                    'planned_at': MORNING,
                    'employee': tools.current_employee(enrolment.company).id,
                    **values}])
        return follow_up

    def record(self, follow_up, outcome, done_at=MORNING, **values):
        wizard, start = open_wizard(
            'training.follow_up.record', [follow_up])
        start.update(outcome=outcome, done_at=done_at, **values)
        return wizard, apply_wizard(wizard, [follow_up], start)


class RecordTestCase(FollowUpTestCase):
    "Test the wizard that records a follow-up"

    @with_transaction()
    def test_no_answer(self):
        "Test the next attempt, which is planned once it is confirmed"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            call = self.plan(enrolment)
            wizard, result = self.record(call, 'no_answer', note="Voicemail")
            self.assertEqual(
                (call.outcome, call.done_at, call.note),
                ('no_answer', MORNING, "Voicemail"))
            next_ = result['view']['defaults']
            self.assertEqual((next_['attempt'], next_['attempts']), (1, 3))
            self.assertEqual(
                next_['planned_at'],
                dt.datetime.combine(DATE + 2 * DAY, dt.time(15)))
            self.assertEqual(FollowUp.search([], count=True), 1)
            self.apply_next(wizard, call, next_)
            following, = FollowUp.search([('done_at', '=', None)])
            self.assertEqual(
                following.planned_at, next_['planned_at'])
            self.assertEqual(
                following.planned_until - following.planned_at, HOUR / 4)
            self.assertEqual(
                (following.party, following.enrolment, following.employee,
                    following.attempt),
                (call.party, enrolment, call.employee, 2))

    @with_transaction()
    def test_late(self):
        "Test that what is recorded late proposes what is to come"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            call = self.plan(enrolment)
            with at(MORNING + 14 * DAY):
                _, result = self.record(call, 'no_answer')
            self.assertGreater(
                result['view']['defaults']['planned_at'],
                MORNING + 14 * DAY)

    @with_transaction()
    def test_closed_case(self):
        "Test that a case that is closed takes no other attempt"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case, = open_cases([enrolment])
            call = self.plan(enrolment, case=case.id)
            wizard, result = self.record(call, 'no_answer')
            run_wizard(
                'training.abandon.case.cancel_case', [case],
                reason="Mistake")
            with self.assertRaises(AccessError):
                self.apply_next(wizard, call, result['view']['defaults'])

    def apply_next(self, wizard, call, values):
        Wizard, session_id = wizard
        with wizard_context([call]):
            Wizard.execute(session_id, {'next_': {
                        k: v for k, v in values.items()
                        if not k.endswith('.')}}, 'plan')

    @with_transaction()
    def test_week_end(self):
        "Test that the next attempt skips what is not a working day"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            friday = dt.datetime.combine(DATE + 4 * DAY, dt.time(16))
            with at(friday + HOUR):
                call = self.plan(enrolment, planned_at=friday)
                _, result = self.record(call, 'no_answer', friday)
            self.assertEqual(
                result['view']['defaults']['planned_at'],
                dt.datetime.combine(DATE + 7 * DAY, dt.time(10)))

    @with_transaction()
    def test_exhausted(self):
        "Test that nothing is proposed after the last attempt of the rule"
        pool = Pool()
        Rule = pool.get('training.follow_up.rule')
        with set_up() as (company, session, _):
            Rule.create([{
                        'company': company.id, 'attempts': 2,
                        'start_date': DATE,
                        }])
            enrolment, = create_enrolments(session)
            self.record(self.plan(enrolment), 'no_answer', MORNING)
            _, result = self.record(
                self.plan(enrolment), 'no_answer', MORNING + HOUR)
            next_ = result['view']['defaults']
            self.assertEqual((next_['attempt'], next_['attempts']), (2, 2))
            self.assertIsNone(next_.get('planned_at'))

    @with_transaction()
    def test_reached(self):
        "Test that the attempts are counted again from who was reached"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            for i, outcome in enumerate(['no_answer', 'reached']):
                self.record(
                    self.plan(enrolment), outcome, MORNING + i * HOUR)
            self.assertEqual(self.plan(enrolment).attempt, 1)

    @with_transaction()
    def test_bad_input(self):
        "Test what cannot be recorded"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            call = self.plan(enrolment)
            with self.assertRaises(TrainingValidationError):
                self.record(call, 'reached', tools.now() + HOUR)
            self.record(call, 'reached')
            cancelled = self.plan(enrolment)
            type(cancelled).cancel([cancelled])
            for other in [call, cancelled]:
                with self.assertRaises(FollowUpRecordError):
                    self.record(other, 'reached')
                (Wizard, session_id), _ = open_wizard(
                    'training.follow_up.record', [other])
                with wizard_context([other]), \
                        self.assertRaises(FollowUpRecordError):
                    Wizard.execute(session_id, {}, 'check')

    @with_transaction()
    def test_no_rule(self):
        "Test that without a valid rule what was done is recorded"
        pool = Pool()
        Rule = pool.get('training.follow_up.rule')
        with set_up() as (company, session, _):
            Rule.write(Rule.search([]), {'end_date': DATE})
            enrolment, = create_enrolments(session)
            call = self.plan(enrolment)
            wizard, result = self.record(call, 'no_answer')
            self.assertEqual(call.outcome, 'no_answer')
            next_ = result['view']['defaults']
            self.assertIsNone(next_.get('attempts'))
            self.assertIsNone(next_.get('planned_at'))
            self.apply_next(
                wizard, call, {**next_, 'planned_at': MORNING + DAY})
            following, = type(call).search([('done_at', '=', None)])
            self.assertIsNone(following.planned_until)
            with self.assertRaises(FollowUpRuleError):
                run_wizard('training.follow_up.plan', [enrolment])

    @with_transaction()
    def test_appointment(self):
        "Test the appointment that was made, which no answer ends"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            call = self.plan(enrolment)
            wizard, result = self.record(call, 'appointment')
            next_ = result['view']['defaults']
            self.assertIsNone(next_.get('planned_at'))
            self.apply_next(
                wizard, call, {**next_, 'planned_at': MORNING + DAY})
            following, = FollowUp.search([('done_at', '=', None)])
            self.assertTrue(following.agreed)
            self.record(self.plan(enrolment), 'reached', tools.now())
            self.assertFalse(FollowUp(following.id).cancelled_at)

    @with_transaction()
    def test_rule_name(self):
        "Test the plurals of the name of a rule"
        pool = Pool()
        Rule = pool.get('training.follow_up.rule')
        self.assertEqual([
                Rule(attempts=a, delay=d).get_rec_name('rec_name')
                for a, d in [(1, 1), (3, 2)]], [
                "1 attempt, after 1 working day each",
                "3 attempts, after 2 working days each"])


class PlanningTestCase(FollowUpTestCase):
    "Test what is told of what is planned"

    def assertWarned(self, words, enrolment, **values):
        with Transaction().set_context(_skip_warnings=False), savepoint(), \
                self.assertRaisesRegex(FollowUpWarning, words):
            self.plan(enrolment, **values)

    @with_transaction()
    def test_past(self):
        "Test what is planned in the past"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            self.assertWarned("in the past: choose a time", enrolment)
            with Transaction().set_context(_skip_warnings=False):
                self.plan(enrolment, done_at=MORNING, outcome='reached')

    @with_transaction()
    def test_closed(self):
        "Test what is planned on a week-end, a public holiday and a closure"
        pool = Pool()
        Closure = pool.get('training.closure')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            for day, next_ in [
                    (dt.date(2026, 3, 7), '03/09/2026'),
                    (dt.date(2026, 5, 1), '05/04/2026'),
                    ]:
                self.assertWarned(
                    next_, enrolment,
                    planned_at=dt.datetime.combine(day, dt.time(10)))
            Closure.create([{
                        'company': company.id, 'name': "Closed",
                        'start_date': dt.date(2026, 3, 9),
                        'end_date': dt.date(2026, 3, 10),
                        }])
            self.assertWarned(
                '03/11/2026', enrolment,
                planned_at=dt.datetime(2026, 3, 9, 10))

    @with_transaction()
    def test_clash(self):
        "Test the appointments of the same employee or the same party"
        with set_up() as (company, session, _):
            first, second = create_enrolments(session, 2)
            planned_at = dt.datetime(2026, 3, 10, 10)
            self.plan(
                first, kind='meeting', planned_at=planned_at,
                planned_until=planned_at + HOUR)
            for values in [
                    {},
                    {'planned_at': planned_at + HOUR / 2},
                    {
                        'planned_at': planned_at - HOUR,
                        'planned_until': planned_at + HOUR / 2,
                        },
                    {'party': first.trainee.party.id, 'employee': None},
                    ]:
                self.assertWarned("at the same time.*choose", second, **{
                        'planned_at': planned_at, **values})
            with Transaction().set_context(_skip_warnings=False):
                for values in [
                        {'planned_at': planned_at + HOUR},
                        {'employee': None},
                        {'kind': 'email'},
                        ]:
                    follow_up = self.plan(
                        second, **{'planned_at': planned_at, **values})
                    type(follow_up).delete([follow_up])

    @with_transaction()
    def test_many(self):
        "Test that the number of statements does not follow that of the calls"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        numbers = []
        with set_up() as (company, session, _):
            for count in [2, 20]:
                enrolments = create_enrolments(session, count)
                calls = [
                    self.plan(e, employee=None) for e in enrolments]
                with Transaction().set_context(_skip_warnings=False), \
                        count_statements() as statements:
                    FollowUp.clashes(FollowUp.browse(calls))
                numbers.append(len(statements))
            self.assertEqual(*numbers)


class BulkTestCase(FollowUpTestCase):
    "Test the planning of the follow-ups of several enrolments"

    def run_plan(self, enrolments, **values):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        run_wizard('training.follow_up.plan', enrolments, **values)
        return FollowUp.search([], order=[('id', 'ASC')])

    @with_transaction()
    def test_plan(self):
        "Test that they follow each other inside of the half-days"
        pool = Pool()
        Start = pool.get('training.follow_up.plan.start')
        for kind, before, role in [
                ('call', 'tutor', 'tutor'), ('visit', 'tutor', 'employer'),
                ('mediation', 'employer', 'mediator'),
                ('call', 'mediator', 'trainee')]:
            start = Start(kind=kind, role=before)
            start.on_change_kind()
            self.assertEqual(start.role, role)
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 4)
            calls = self.run_plan(
                enrolments, time=dt.time(12), every=HOUR / 2)
            self.assertEqual([
                    (c.enrolment, c.planned_at.time()) for c in calls], [
                    (e, dt.time(*t)) for e, t in zip(
                        enrolments,
                        [(12,), (13, 30), (14,), (14, 30)])])
            self.assertEqual(
                {c.planned_at.date() for c in calls}, {DATE + 2 * DAY})

    @with_transaction()
    def test_next_day(self):
        "Test that those that do not fit are on the next working day"
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 3)
            calls = self.run_plan(
                enrolments, date=dt.date(2026, 3, 6), time=dt.time(16),
                every=HOUR)
            self.assertEqual([c.planned_at for c in calls], [
                    dt.datetime(2026, 3, 6, 16), dt.datetime(2026, 3, 9, 9),
                    dt.datetime(2026, 3, 9, 10)])

    @with_transaction()
    def test_roles(self):
        "Test with whom they are"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            with self.assertRaisesRegex(TrainingValidationError, "Tutor"):
                self.run_plan([enrolment], role='tutor')
            tutor = create_party("Tutor")
            add_contact(enrolment, tutor, 'apprenticeship_supervisor')
            for role, party in [
                    ('tutor', tutor), ('prescriber', prescriber)]:
                self.assertEqual(
                    self.run_plan([enrolment], role=role)[-1].party, party)

    @with_transaction()
    def test_rights(self):
        "Test that who only reads plans nothing"
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session)
            with as_user(create_user('reader', company, 'training_reading')):
                with self.assertRaises(AccessError):
                    self.run_plan(enrolments)
                with self.assertRaises(AccessError):
                    self.plan(enrolments[0], employee=None)


class NoLongerNeededTestCase(FollowUpTestCase):
    "Test what ends the follow-ups that are planned"

    def answered(self, call):
        "Return why the call is no longer needed"
        call = type(call)(call.id)
        self.assertEqual(bool(call.cancelled_at), bool(call.cancel_reason))
        return call.cancel_reason

    def backdate(self, *calls):
        "Have them planned before the answers of the tests"
        table = type(calls[0]).__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.create_date], [dt.datetime(2026, 3, 1)],
                where=table.id.in_([c.id for c in calls])))
        tools.forget(type(calls[0]))

    @with_transaction()
    def test_answer(self):
        "Test that an answer of the trainee ends its calls only"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, prescriber):
            enrolment, other = create_enrolments(
                session, 2, prescriber=prescriber)
            case, _ = open_cases([enrolment, other])
            planned_at = tools.now() + DAY
            call, meeting, prescribed = FollowUp.browse([
                    self.plan(
                        enrolment, case=case.id, planned_at=planned_at, **v)
                    for v in [
                        {}, {'kind': 'meeting'}, {'party': prescriber.id}]])
            self.backdate(call, meeting, prescribed)
            self.assertIsNone(self.answered(call))
            run_wizard('training.abandon.case.inform', [case])
            run_wizard('training.abandon.case.ask_reasons', [case])
            self.assertIsNone(self.answered(call))
            Case.write([Case(case.id)], {'answered_at': tools.now()})
            self.assertEqual(
                list(map(self.answered, [call, meeting, prescribed])),
                ['answered', None, None])
            Event = pool.get('training.abandon.case.event')
            event, = Event.search([
                    ('case', '=', case.id),
                    ('kind', '=', 'follow_up_cancelled')])
            self.assertEqual(
                (event.origin, event.detail), (
                    call, 'answered'))

    @with_transaction()
    def test_reached(self):
        "Test that who was reached meanwhile is not called any more"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case, = open_cases([enrolment])
            call = self.plan(
                enrolment, case=case.id, planned_at=tools.now() + DAY)
            self.backdate(call)
            self.plan(
                enrolment, case=case.id, done_at=tools.now(),
                outcome='reached')
            self.assertEqual(self.answered(call), 'answered')
            later = self.plan(
                enrolment, case=case.id, planned_at=tools.now() + DAY)
            self.plan(
                enrolment, case=case.id, done_at=tools.now(),
                outcome='reached')
            self.assertIsNone(self.answered(later))

    @with_transaction()
    def test_without_case(self):
        "Test that an answer ends the calls of an enrolment without case"
        pool = Pool()
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        with set_up() as (company, session, prescriber):
            for answer in ['call', 'mail']:
                enrolment, other = create_enrolments(
                    session, 2, prescriber=prescriber)
                trainee = enrolment.trainee.party
                calls = [
                    self.plan(enrolment, planned_at=tools.now() + DAY),
                    self.plan(
                        enrolment, planned_at=tools.now() + DAY,
                        kind='letter'),
                    self.plan(
                        enrolment, planned_at=tools.now() + DAY, agreed=True),
                    self.plan(
                        enrolment, planned_at=tools.now() + DAY,
                        kind='meeting'),
                    self.plan(
                        enrolment, planned_at=tools.now() + DAY,
                        party=prescriber.id),
                    self.plan(other, planned_at=tools.now() + DAY),
                    ]
                self.backdate(*calls)
                if answer == 'call':
                    self.plan(
                        enrolment, done_at=tools.now(), outcome='reached')
                else:
                    mail, = Mail.create([{
                                'company': company.id,
                                'enrolment': enrolment.id,
                                'party': trainee.id,
                                'kind': 'inform',
                                'to': 'trainee@example.com',
                                'subject': "Absence",
                                'body': "Absence",
                                }])
                    Reply.create([{
                                'company': company.id, 'mail': mail.id,
                                'party': trainee.id, 'kind': 'answer',
                                'received_at': tools.now(),
                                'message_id': '<1@example.com>',
                                'state': 'new',
                                }])
                self.assertEqual(
                    list(map(self.answered, calls)),
                    ['answered', 'answered', None, None, None, None])

    @with_transaction()
    def test_guardian(self):
        "Test that the guardian answers for a trainee under age only"
        with set_up() as (company, session, _):
            guardian = create_party("Guardian")
            for age, reason in [(18, None), (17, 'answered')]:
                enrolment, = create_enrolments(session)
                trainee = enrolment.trainee
                trainee.birth_date = DATE.replace(year=DATE.year - age)
                trainee.save()
                add_contact(enrolment, guardian)
                call = self.plan(enrolment, planned_at=tools.now() + DAY)
                self.backdate(call)
                self.plan(
                    enrolment, party=guardian.id, done_at=tools.now(),
                    outcome='reached')
                self.assertEqual(self.answered(call), reason)

    @with_transaction()
    def test_closed(self):
        "Test that a case that is closed ends its calls"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            case, = open_cases([enrolment])
            call = self.plan(
                enrolment, case=case.id, planned_at=tools.now() + DAY)
            run_wizard(
                'training.abandon.case.cancel_case', [case],
                reason="Mistake")
            self.assertTrue(Case(case.id).closed_at)
            self.assertEqual(self.answered(call), 'closed')

    @with_transaction()
    def test_cancel(self):
        "Test the button, which leaves a trace"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            done = self.plan(enrolment, done_at=MORNING, outcome='other')
            call = self.plan(enrolment)
            with as_user(create_user('assistant', company, 'training')):
                with self.assertRaises(AccessError):
                    type(call).write([type(call)(call.id)], {
                            'cancelled_at': tools.now()})
                type(call).cancel([type(call)(call.id)])
            self.assertEqual(self.answered(call), 'user')
            type(call).cancel([done])
            self.assertIsNone(self.answered(done))


class TodayTestCase(FollowUpTestCase):
    "Test the calls of the day"

    @with_transaction()
    def test_phone(self):
        "Test where the party is called"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Mechanism = pool.get('party.contact_mechanism')
        numbers = []
        with set_up() as (company, session, _):
            for count in [2, 20]:
                enrolments = create_enrolments(session, count)
                Mechanism.create([{
                            'party': e.trainee.party.id,
                            'type': 'mobile',
                            'value': '+33 6 12 34 56 78',
                            } for e in enrolments])
                calls = [self.plan(e) for e in enrolments]
                tools.forget_read()
                with count_statements() as statements:
                    calls = FollowUp.browse(calls)
                    self.assertEqual({
                            (c.phone, c.attempt) for c in calls},
                        {('+33 6 12 34 56 78', 1)})
                numbers.append(len(statements))
            self.assertEqual(*numbers)

    @with_transaction()
    def test_day(self):
        "Test that the day is the one of the company"
        pool = Pool()
        Company = pool.get('company.company')
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _), today(DATE):
            Company.write([company], {'timezone': 'Europe/Paris'})
            enrolment, = create_enrolments(session)
            midnight = dt.datetime.combine(DATE, dt.time(23))
            calls = [
                self.plan(enrolment, planned_at=planned_at)
                for planned_at in [None, midnight - HOUR / 60, midnight]]
            self.assertEqual(
                [c.of_the_day for c in FollowUp.browse(calls)],
                [True, True, False])
            for clause, found in [
                    (('=', True), calls[:2]),
                    (('!=', False), calls[:2]),
                    (('in', [True]), calls[:2]),
                    (('=', False), calls[2:]),
                    (('not in', [True]), calls[2:]),
                    (('in', [True, False]), calls),
                    (('not in', [True, False]), []),
                    ]:
                self.assertEqual(
                    FollowUp.search(
                        [('of_the_day', *clause)], order=[('id', 'ASC')]),
                    found)

    @with_transaction()
    def test_tabs(self):
        "Test the tabs of the calls"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        ModelData = pool.get('ir.model.data')
        Window = pool.get('ir.action.act_window')
        now = dt.datetime.now(dt.timezone.utc).replace(
            tzinfo=None, microsecond=0)
        with set_up() as (company, session, _), today(now.date()):
            enrolment, = create_enrolments(session)
            late = self.plan(enrolment, planned_at=now - DAY)
            self.plan(enrolment, planned_at=now + 2 * DAY)
            other = self.plan(
                enrolment, planned_at=now - DAY, employee=None)
            self.plan(enrolment, planned_at=now - DAY, kind='email')
            ended = self.plan(enrolment, planned_at=now - DAY)
            FollowUp.cancel([ended])
            window = Window(ModelData.get_id(
                    'training_abandon', 'act_follow_up_call'))
            context = Transaction().context
            decoder = PYSONDecoder({
                    'context': {'employee': late.employee.id}, **context})

            def found(domain):
                return set(FollowUp.search([
                            decoder.decode(window.pyson_domain),
                            decoder.decode(domain)]))

            mine, day, past, all_ = [
                found(d) for _, d, *_ in window.domains]
            self.assertEqual(mine, {late})
            self.assertEqual(day, {late, other})
            self.assertEqual(past, {late, other})
            self.assertEqual(len(all_), 3)
