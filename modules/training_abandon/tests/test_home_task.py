# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from contextlib import contextmanager

from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_company
from trytond.modules.training_abandon import tools
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, NoticeTestCase, archive_rules, as_user, count_statements,
    create_enrolments, create_session, create_user, decide, get_to_decision,
    live, open_cases, run_wizard, set_up, today)

LATER = DATE + 30 * DAY


class TaskTestCase(NoticeTestCase):
    "Test the list of what there is to do"

    def tasks(self, *domain, **context):
        pool = Pool()
        Task = pool.get('training.task')
        return Task.search(list(domain))

    def kinds(self):
        return sorted(t.kind for t in self.tasks(('kind', '!=', 'sheet')))

    @contextmanager
    def day(self, date=LATER):
        tools.forget_read()
        with today(date):
            yield

    def reply(self, company, **values):
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        reply, = Reply.create([{
                    'company': company and company.id,
                    'subject': "My back hurts",
                    'text': "My back hurts",
                    'from_': 'lea@example.com',
                    'received_at': tools.now(),
                    'message_id': '<1@example.com>',
                    'kind': 'answer',
                    **values,
                    }])
        return reply

    @with_transaction()
    def test_step(self):
        "Test that a step comes when it is due and leaves once it is done"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            with self.day(case.next_due_date - DAY):
                self.assertFalse(self.tasks(('kind', '=', 'step')))
            with self.day(case.next_due_date):
                task, = self.tasks(('kind', '=', 'step'))
                self.assertEqual(task.record, case)
                self.assertEqual(task.what, "Inform the Prescriber")
                self.assertEqual(task.trainee, enrolment.trainee)
                self.assertEqual(task.session, session)
                self.assertEqual(task.owner, case.owner)
                self.assertEqual(task.since, case.opening_date)
                self.assertEqual(task.due, case.next_due_date)
                action = task.handle([task])
                self.assertEqual(
                    action['wiz_name'], 'training.abandon.case.inform')
                run_wizard('training.abandon.case.inform', [task])
                self.assertEqual(case.next_kind, 'ask_reasons')
                self.assertFalse([
                        t for t in self.tasks(('kind', '=', 'step'))
                        if t.due <= case.opening_date])

    @with_transaction()
    def test_ended(self):
        "Test the case whose enrolment ends without it"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            case, = open_cases([enrolment])
            Enrolment.cancel([enrolment])
            with self.day():
                task, = self.tasks(('kind', 'in', ['step', 'hold']))
                self.assertEqual(task.kind, 'hold')
                action = task.handle([task])
                self.assertEqual(action['res_model'], case.__name__)
                self.assertEqual(action['res_id'], [case.id])
                case.cancel([case])
                self.assertFalse(self.tasks(('kind', '=', 'hold')))

    @with_transaction()
    def test_outcome(self):
        "Test the decisions that wait for a date or a session"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            decide(case, ground='postponed')
            task, = self.tasks(('kind', '=', 'hold'))
            self.assertEqual(task.what, "Set the date of the return")
            self.assertEqual(
                task.handle([task])['wiz_name'],
                'training.abandon.case.complete_decision')
            case.write([case], {'return_date': LATER})
            tools.forget_read()
            self.assertFalse(self.tasks(('kind', '=', 'hold')))
            with self.day(LATER):
                task, = self.tasks(('kind', '=', 'hold'))
                self.assertEqual(task.due, LATER)

    @with_transaction()
    def test_mail(self):
        "Test the mails that failed or bounced"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.inform', [case])
            mail, = case.mails
            self.assertFalse(self.tasks(('kind', '=', 'mail')))
            Mail.write([mail], {
                    'state': 'failed', 'failed_at': tools.now()})
            task, = self.tasks(('kind', '=', 'mail'))
            self.assertEqual(task.record, mail)
            self.assertEqual(
                task.what,
                "Not sent to Job Centre: Inform the Prescriber")
            self.assertEqual(task.owner, case.owner)
            self.assertEqual(task.since, tools.today(company))
            self.assertEqual(
                task.handle([task])['res_id'], [mail.id])
            Mail.write([mail], {
                    'state': 'sent', 'bounced_at': tools.now()})
            task, = self.tasks(('kind', '=', 'mail'))
            self.assertTrue(task.what.startswith("Returned by"))
            # Whom the case no longer reaches may still have to be told
            case.cancel([case])
            task, = self.tasks(('kind', '=', 'mail'))
            with today(tools.today(company) + 31 * DAY):
                self.assertFalse(self.tasks(('kind', '=', 'mail')))

    @with_transaction()
    def test_reply(self):
        "Test the replies, of which the list tells no word"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        with set_up() as (company, session, prescriber):
            reply = self.reply(company)
            task, = self.tasks(('kind', '!=', 'sheet'))
            self.assertEqual(task.kind, 'reply')
            self.assertEqual(task.what, "Answer of lea@example.com")
            Reply.handle([reply])
            self.assertFalse(self.tasks(('kind', '!=', 'sheet')))

    @with_transaction()
    def test_unknown_company(self):
        "Test that the replies of no company are those of who reads them"
        with set_up() as (company, session, prescriber):
            self.reply(None)
            assistant = create_user('assistant', company, 'training')
            administrator = create_user(
                'administrator', company, 'training_admin')
            with as_user(assistant):
                self.assertEqual(self.kinds(), [])
            with as_user(administrator):
                self.assertEqual(self.kinds(), ['reply'])

    @with_transaction()
    def test_justification(self):
        "Test the justifications to examine"
        pool = Pool()
        Justification = pool.get('training.justification')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            justification, = Justification.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'kind': 'sick_leave',
                        'start_date': DATE,
                        'end_date': DATE,
                        }])
            task, = self.tasks(('kind', '=', 'justification'))
            self.assertEqual(task.record, justification)
            self.assertNotIn("ick", task.what)
            Justification.accept([justification])
            self.assertFalse(self.tasks(('kind', '=', 'justification')))

    @with_transaction()
    def test_follow_up(self):
        "Test the calls that are planned"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            follow_up, = FollowUp.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'kind': 'call',
                        'party': enrolment.trainee.party.id,
                        'planned_at': dt.datetime(2026, 3, 20, 9),
                        'note': "My back hurts",
                        }])
            self.assertFalse(self.tasks(('kind', '=', 'follow_up')))
            with self.day(dt.date(2026, 3, 20)):
                task, = self.tasks(('kind', '=', 'follow_up'))
                self.assertEqual(task.due, dt.date(2026, 3, 20))
                self.assertEqual(task.owner, follow_up.employee)
                self.assertTrue(task.what.startswith("Phone Call: Trainee"))
                FollowUp.write([follow_up], {'done_at': tools.now()})
                self.assertFalse(self.tasks(('kind', '=', 'follow_up')))

    @with_transaction()
    def test_signature(self):
        "Test the certificates to be signed"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            decide(case)
            run_wizard(
                'training.abandon.case.certify', [case], kind='statement')
            certificate = case.certificate
            task, = self.tasks(('kind', '=', 'signature'))
            self.assertEqual(task.record, certificate)
            self.assertEqual(task.trainee, enrolment.trainee)
            certificate.refuse([certificate])
            self.assertFalse(self.tasks(('kind', '=', 'signature')))

    @with_transaction()
    def test_sheet(self):
        "Test the sheets of the slots that are over, for their trainer"
        pool = Pool()
        Data = pool.get('ir.model.data')
        Employee = pool.get('company.employee')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            employee, = Employee.search([], limit=1)
            first, *others = session.slots
            Slot.write([first], {'trainer': employee.party.id})
            self.assertEqual(
                len(self.tasks(('kind', '=', 'sheet'))), len(session.slots))
            task, = self.tasks(
                ('kind', '=', 'sheet'), ('owner', '=', employee.id))
            self.assertEqual(task.record, first)
            self.assertEqual(task.what, "Sheet to close: 09:00 – 12:00")
            action = task.handle([task])
            self.assertEqual(action['views'], [
                    (Data.get_id('training_abandon', 'slot_view_form_sheet'),
                        'form')])
            self.fill([first], {enrolment: 'present'})
            self.assertNotIn(
                first, [t.record for t in self.tasks(('kind', '=', 'sheet'))])

    @with_transaction()
    def test_absentee(self):
        "Test the absent without a case"
        with set_up() as (company, session, prescriber):
            archive_rules()
            absent, present = create_enrolments(session, 2)
            self.fill(session.slots[:2], {
                    absent: 'absent', present: 'present'})
            self.assertFalse(self.tasks(('kind', '=', 'absentee')))
            self.fill(session.slots[2:3], {
                    absent: 'absent', present: 'absent'})
            task, = self.tasks(('kind', '=', 'absentee'))
            self.assertEqual(task.record, absent)
            self.assertEqual(
                task.what, "Absent 3 times in a row, without a case")
            self.assertEqual(
                task.handle([task])['wiz_name'],
                'training.abandon.case.open')
            with self.day():
                # Not seen for a long time
                self.assertEqual(
                    {t.record for t in self.tasks(
                        ('kind', '=', 'absentee'))}, {absent, present})
            open_cases([absent])
            self.assertFalse(self.tasks(('kind', '=', 'absentee')))

    @with_transaction()
    def test_set_up(self):
        "Test what is wrong for everybody"
        pool = Pool()
        Mail = pool.get('training.mail')
        Procedure = pool.get('training.abandon.procedure')
        Session = pool.get('training.session')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            self.assertFalse(self.tasks(('kind', '=', 'setup')))
            run_wizard('training.abandon.case.inform', [case])
            self.assertFalse(self.tasks(('kind', '=', 'setup')))
            with live('another@host'):
                task, = self.tasks(('kind', '=', 'setup'))
                self.assertEqual(task.record, company)
                self.assertEqual(
                    task.handle([task])['res_model'], 'training.mail')
            Mail.write(list(case.mails), {'unavailable_since': tools.now()})
            task, = self.tasks(('kind', '=', 'setup'))
            self.assertIn("server", task.what)
            Mail.cancel(list(case.mails))
            Procedure.archive(Procedure.search([('state', '=', 'active')]))
            # Nobody is trained
            self.assertFalse(self.tasks(('kind', '=', 'setup')))
            Session.plan([session])
            task, = self.tasks(('kind', '=', 'setup'))
            self.assertIn("procedure", task.what)

    @with_transaction()
    def test_archived_procedure(self):
        "Test the session whose procedure has no active revision"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        Session = pool.get('training.session')
        with set_up() as (company, session, prescriber):
            active, = Procedure.search([('state', '=', 'active')])
            Session.plan([session])
            Session.write([session], {'procedure': active.id})
            self.assertFalse(self.tasks(('kind', '=', 'setup')))
            Procedure.archive([active])
            tasks = self.tasks(('session', '=', session.id))
            self.assertIn('setup', [t.kind for t in tasks])

    @with_transaction()
    def test_order(self):
        "Test that what is most urgent comes first"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            one, other = create_enrolments(session, 2, prescriber=prescriber)
            case, = open_cases([one])
            open_cases([other], DATE - 10 * DAY)
            run_wizard('training.abandon.case.inform', [case])
            Mail.write(list(case.mails), {
                    'state': 'failed', 'failed_at': tools.now()})
            self.reply(company)
            with self.day():
                tasks = self.tasks(('kind', '!=', 'sheet'))
                self.assertEqual(
                    [t.kind for t in tasks],
                    ['mail', 'step', 'step', 'reply'])
                self.assertLess(tasks[1].due, tasks[2].due)

    @with_transaction()
    def test_gone(self):
        "Test the task that is done while it is shown"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        Task = pool.get('training.task')
        with set_up() as (company, session, prescriber):
            one = self.reply(company)
            other = self.reply(company, message_id='<2@example.com>')
            user = create_user('assistant', company, 'training')
            ids = {t.record: t.id for t in self.tasks()}
            Reply.ignore([one])
            names = [
                'kind', 'what', 'record', 'trainee.rec_name', 'rec_name',
                'kind:string', 'due', '_timestamp', '_write']
            with as_user(user):
                gone, left = Task.read([ids[one], ids[other]], names)
                self.assertEqual(gone['what'], "Done")
                self.assertIsNone(gone['kind'])
                self.assertEqual(gone.keys(), left.keys() | {
                        n for n in gone if n.startswith('_')})
                self.assertEqual(left['kind'], 'reply')
                tasks = Task.browse([ids[one], ids[other]])
                self.assertEqual([t.kind for t in tasks], [None, 'reply'])
                self.assertIsNone(Task.handle([tasks[0]]))
                self.assertTrue(Task.handle([tasks[1]]))
                self.assertIsNone(Task(10 ** 6).kind)

    @with_transaction()
    def test_companies(self):
        "Test that the rules hold in what is found and in what is read"
        pool = Pool()
        Task = pool.get('training.task')
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            create_enrolments(session)
            other_company = create_company(name="Other")
            with Transaction().set_context(company=other_company.id):
                other_session = create_session(other_company)
            user = create_user('assistant', company, 'training')
            ids = [t.id for t in self.tasks()]
            count = len(session.slots)
            self.assertEqual(len(ids), 2 * count)
            with as_user(user):
                tasks = self.tasks()
                self.assertEqual({t.session for t in tasks}, {session})
                self.assertEqual(Task.search([], count=True), count)
                hidden = set(ids) - {t.id for t in tasks}
                for id_ in hidden:
                    with self.assertRaises(AccessError):
                        Task.read([id_], ['session'])
                    with self.assertRaises(AccessError):
                        Task.handle([Task(id_)])
            User.write([user], {
                    'companies': [('add', [other_company.id])],
                    'company_filter': 'all',
                    })
            with as_user(user):
                self.assertEqual(
                    {t.session for t in self.tasks()},
                    {session, other_session})

    @with_transaction()
    def test_users(self):
        "Test the users without employee, company or group"
        pool = Pool()
        Task = pool.get('training.task')
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            create_enrolments(session)
            user = create_user('assistant', company, 'training')
            User.write([user], {'employee': None})
            with as_user(user):
                tasks = self.tasks()
                self.assertEqual(len(tasks), len(session.slots))
                self.assertTrue(all(t.what for t in tasks))
            User.write([user], {
                    'company': None,
                    'companies': [('remove', [company.id])],
                    'employees': [('remove', [
                                e.id for e in user.employees])],
                    })
            with as_user(user):
                self.assertEqual(self.tasks(), [])
                self.assertEqual(Task.search([], count=True), 0)

    @with_transaction()
    def test_wizard(self):
        "Test that a wizard acts on the record of the task, which is checked"
        pool = Pool()
        Handle = pool.get('training.task.handle', type='wizard')
        Task = pool.get('training.task')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            open_cases([enrolment])
            user = create_user('assistant', company, 'training')
            with self.day():
                task, = self.tasks(('kind', '=', 'step'))
            with self.day(), as_user(user), Transaction().set_context(
                    active_model=Task.__name__, active_id=task.id,
                    active_ids=[task.id]):
                session_id, _, _ = Handle.create()
                (action, data), = Handle.execute(
                    session_id, {}, 'open_')['actions']
                self.assertEqual(data, {
                        'model': Task.__name__,
                        'id': task.id,
                        'ids': [task.id],
                        })
                Wizard = pool.get(action['wiz_name'], type='wizard')
                session_id, start, _ = Wizard.create()
                with Transaction().set_context(_check_access=False):
                    Wizard.execute(session_id, {}, start)

    @with_transaction()
    def test_statements(self):
        "Test that more tasks are read with the same number of statements"
        pool = Pool()
        Task = pool.get('training.task')
        names = [
            'kind', 'what', 'trainee', 'trainee.rec_name', 'session.rec_name',
            'owner.rec_name', 'since', 'due', 'priority', 'rec_name']
        with set_up() as (company, session, prescriber):
            user = create_user('assistant', company, 'training')
            counts = []
            for number in [1, 1, 20]:
                enrolments = create_enrolments(
                    session, number, prescriber=prescriber)
                open_cases(enrolments)
                with self.day(), as_user(user):
                    tools.forget_read()
                    with count_statements() as statements:
                        ids = [t.id for t in Task.search([], limit=1000)]
                        Task.read(ids, names)
                    counts.append(len(statements))
            # The first time fills the caches
            self.assertEqual(*counts[1:])


del NoticeTestCase
