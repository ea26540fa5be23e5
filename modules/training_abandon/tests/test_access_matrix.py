# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who reads what, by any procedure call, in two companies"
import datetime as dt
import os
import re
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from itertools import chain, cycle
from unittest.mock import patch

from sql import Literal
from sql.operators import Concat
from werkzeug.exceptions import HTTPException

from trytond import backend
from trytond.exceptions import TrytonException
from trytond.model import ModelSQL, ModelStorage, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_employee
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME
from trytond.tools import is_instance_method
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import StateView

from .common import (
    DATE, DatabaseTestCase, add_contact, apply_wizard, create_enrolments,
    create_party, create_session, create_user, open_wizard, run_wizard,
    savepoint, set_up, without_commit)

# What every user of the company may read
OPEN = {
    'training.closure', 'training.risk.rule', 'training.abandon.reason',
    'training.abandon.solution', 'training.abandon.procedure',
    'training.abandon.procedure.letter', 'training.abandon.procedure.step'}
ATTACHED = [
    'ir.attachment', 'ir.note', 'ir.email', 'ir.model.log',
    'res.notification']
# What belongs to no company
SHARED = {
    'training.trainee', 'training.configuration',
    'training.configuration.calendar', 'training.measure.kind',
    'training.abandon.settlement.rule', 'training.configuration.completion',
    'training.audit.grading',
    'training.apprenticeship.rule', 'training.declaration.rule',
    'training.declaration.rule.code',
    'training.success.plan', 'training.success.plan.line'}
# The methods of Tryton that browse the records they are given
CORE = {
    'copy', 'delete', 'export_data', 'on_change_notify', 'on_scan_code',
    'pre_validate', 'resources', 'on_change', 'on_change_with'}
PDF = b'%PDF-1.4'
LISTS = {'one2many', 'many2many'}
RELATIONS = {'many2one', 'reference', *LISTS}


class AccessTestCase(DatabaseTestCase):
    """Base of the tests with two companies and a user of each kind

    All the texts of a company hold a marker that tells who may read them."""
    language = 'en'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        transaction = Transaction()
        cls.stack = ExitStack()
        cls.stack.enter_context(transaction.start(DB_NAME, 1))
        cls.stack.callback(transaction.rollback)
        cls.stack.enter_context(without_commit())
        Report = Pool().get('training.abandon.certificate', type='report')
        cls.stack.enter_context(patch.object(
                Report, 'convert',
                lambda report, data, **kwargs: ('pdf', PDF)))
        cls.build(*cls.stack.enter_context(set_up()))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()
        super().tearDownClass()

    @classmethod
    def build(cls, company, session, prescriber):
        pool = Pool()
        Company = pool.get('company.company')
        User = pool.get('res.user')
        other, = Company.create([{
                    'party': create_party("Other").id,
                    'currency': company.currency.id,
                    }])
        cls.companies = {'A': company, 'B': other}
        before = {m.__name__: {r.id for r in m.search([])} for m in [
                pool.get(n) for n in OPEN]}
        cls.owned = {}
        for name, company in cls.companies.items():
            User.write([User(1)], {
                    'companies': [('add', [company.id])],
                    'company': company.id,
                    })
            cls.populate(name)
            after = {
                Model.__name__: {r.id for r in Model.search([])}
                for Model in cls.models()}
            cls.owned[name] = {
                model: sorted(ids - before.get(model, set()))
                for model, ids in after.items()}
            before = after
        cls.create_users()
        cls.mark()

    @classmethod
    def models(cls):
        "Return the stored models with content of the companies"
        return [
            Model for name, Model in sorted(Pool().iterobject())
            if (name.startswith('training.') or name in ATTACHED)
            and issubclass(Model, ModelSQL)
            and not (
                Model._is_table_query() and name != 'training.abandon.case.'
                'event')]

    @classmethod
    def populate(cls, name):
        "Make records of all the models in the company"
        pool = Pool()
        Alert = pool.get('training.alert')
        Answer = pool.get('training.questionnaire.answer')
        Attachment = pool.get('ir.attachment')
        Attendance = pool.get('training.attendance')
        Case = pool.get('training.abandon.case')
        Closure = pool.get('training.closure')
        Completion = pool.get('training.completion_certificate')
        Course = pool.get('training.course')
        Code = pool.get('training.external_code')
        Email = pool.get('ir.email')
        Enrolment = pool.get('training.enrolment')
        Feed = pool.get('training.calendar.feed')
        Finding = pool.get('training.audit.finding')
        Group = pool.get('training.session.group')
        JournalDay = pool.get('training.journal.day')
        Event = pool.get('training.improvement.event')
        Improvement = pool.get('training.improvement.action')
        Justification = pool.get('training.justification')
        Mail = pool.get('training.mail')
        Measure = pool.get('training.measure')
        MeasureKind = pool.get('training.measure.kind')
        Meeting = pool.get('training.improvement.meeting')
        Note = pool.get('ir.note')
        Notification = pool.get('res.notification')
        Pack = pool.get('training.evidence_pack')
        Procedure = pool.get('training.abandon.procedure')
        Questionnaire = pool.get('training.questionnaire')
        Reason = pool.get('training.abandon.reason')
        Reply = pool.get('training.mail.reply')
        Rule = pool.get('training.risk.rule')
        Sample = pool.get('training.audit.sample')
        Session = pool.get('training.session')
        Settlement = pool.get('training.abandon.settlement')
        Slot = pool.get('training.session.slot')
        Solution = pool.get('training.abandon.solution')
        SuccessTask = pool.get('training.success.task')
        company = cls.companies[name]
        transaction = Transaction()
        with transaction.set_context(company=company.id):
            session = create_session(company)
            Course.write([session.course], {'company': company.id})
            prescriber = create_party(
                f"Prescriber {name}", f'prescriber{name}@example.com')
            enrolment, second = create_enrolments(
                session, 2, prescriber=prescriber)
            Enrolment.write([enrolment], {
                    'fundings': [('create', [{
                                    'funder': prescriber.id, 'share': 1}])],
                    })
            add_contact(enrolment, create_party(
                    f"Tutor {name}", f'tutor{name}@example.com'))
            Group.create([{'session': session.id, 'name': "Group"}])
            SuccessTask.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'name': "Task",
                        'due_date': DATE,
                        'note': "Note",
                        }])
            questionnaire, = Questionnaire.create([{
                        'name': "Needs", 'company': company.id,
                        'questions': [('create', [{'name': "Question"}])],
                        }])
            question, = questionnaire.questions
            Answer.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'question': question.id,
                        'text': "Text",
                        }])
            kind, = MeasureKind.search([], limit=1)
            Measure.create([{
                        'company': company.id,
                        'name': "Measure",
                        'kind': kind.id,
                        'enrolment': enrolment.id,
                        'note': "Note",
                        }])
            Code.create([{
                        'source': name, 'code': f'{name}{r.id}',
                        'record': str(r),
                        } for r in [session, enrolment]])
            Closure.create([{
                        'company': company.id,
                        'name': "Closed",
                        'start_date': DATE + dt.timedelta(days=300),
                        'end_date': DATE + dt.timedelta(days=301),
                        }])
            private, public = Reason.create([{
                        'code': f'{name}{i}', 'name': "Reason",
                        'company': company.id, 'sensitive': not i,
                        } for i in range(2)])
            solution, = Solution.create([{
                        'name': "Solution", 'company': company.id,
                        'reasons': [('add', [private.id, public.id])],
                        }])
            Procedure.copy(Procedure.search([], limit=1), {
                    'company': company.id, 'code': name, 'state': 'draft'})
            justification, = Justification.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'kind': 'sick_leave',
                        'start_date': DATE,
                        'end_date': DATE,
                        'document': PDF,
                        'filename': 'scan.pdf',
                        }])
            slot, *_ = session.slots
            Slot.open([slot])
            Attendance.write(list(slot.attendances), {'state': 'absent'})
            Slot.close([slot])
            case, other = Case.browse(Case.open_cases(
                    [enrolment, second], 'absence', DATE, note="Note"))
            rule, = Rule.create([{
                        'name': "Rule", 'company': company.id,
                        'criterion': 'consecutive_absences', 'threshold': 9,
                        }])
            Rule.preview([rule])
            alert, _ = Alert.raise_concern(
                [enrolment, second], 'other', "Word")
            Alert.write([alert], {'rule': rule.id, 'facts': "Facts"})
            Alert.dismiss_for([alert], "Reason")
            run_wizard('training.abandon.case.inform', [case])
            run_wizard('training.abandon.case.ask_reasons', [case])
            mail, *_ = Mail.search([
                    ('case', '=', case.id), ('kind', '=', 'ask_reasons')])
            reply, = Reply.create([{
                        'company': company.id,
                        'case': case.id,
                        'mail': mail.id,
                        'party': mail.party.id,
                        'from_': mail.to,
                        'subject': "Subject", 'text': "Text", 'body': "Body",
                        'received_at': dt.datetime(2026, 3, 2),
                        'message_id': f'<{name}@example.com>',
                        'message': b'message',
                        'kind': 'answer',
                        'state': 'new',
                        'reasons': [('add', [private.id])],
                        }])
            run_wizard('training.abandon.case.analyse', [case],
                reasons=[private.id, public.id], reason_comment="Comment",
                analysis="Analysis", causes=[{
                        'cause': r.id, 'responsible': 'trainee',
                        'note': "Note",
                        } for r in [private, public]])
            run_wizard('training.abandon.case.propose', [case], proposals=[{
                        'case': case.id, 'solution': solution.id,
                        'description': "Proposal"}])
            wizard, start = open_wizard(
                'training.abandon.case.exchange', [case])
            for line in start['exchanges']:
                line.update(outcome='reached', note="Exchange")
            for line in start['responses']:
                line.update(answer='refused')
            apply_wizard(wizard, [case], start)
            run_wizard('training.abandon.case.follow_up', [case])
            run_wizard('training.abandon.case.decide', [case],
                decision='validated', ground='abandonment',
                effective_date=DATE + dt.timedelta(days=1),
                note="Decision")
            run_wizard('training.abandon.case.certify', [case])
            Enrolment.write([enrolment], {
                    'price': Decimal(1000), 'client': prescriber.id,
                    'indemnity_kind': 'scale',
                    'indemnity_grounds': ['abandonment'],
                    'indemnity_scale': [
                        ('create', [{'rate': Decimal('0.3')}])],
                    })
            Settlement.settle([case])
            JournalDay.record(company)
            improvement, = Improvement.create([{
                        'company': company.id,
                        'name': "Tutor",
                        'description': "Description",
                        'owner': create_employee(company, name="Owner").id,
                        'due_date': DATE,
                        'courses': [('add', [session.course.id])],
                        }])
            Meeting.create([{
                        'company': company.id,
                        'name': "Quality",
                        'minutes': "Minutes",
                        'employees': [('add', [improvement.owner.id])],
                        'actions': [('add', [improvement.id])],
                        }])
            Event.create([{
                        'company': company.id,
                        'name': "Noise",
                        'description': "Description",
                        'case': case.id,
                        'actions': [('add', [improvement.id])],
                        }])
            sample = Sample.freeze({
                    'company': company.id,
                    'start_date': DATE,
                    'end_date': DATE,
                    'courses': [('add', [session.course.id])],
                    'method': 'random',
                    'seed': 1,
                    }, [case.id, other.id], [case.id], 0)
            Finding.create([{
                        'sample': sample.id,
                        'line': sample.lines[0].id,
                        'grade': 'minor',
                        'text': "Finding",
                        'answer': "Answer",
                        'answered_on': DATE,
                        }])
            Completion.create([{
                        'number': name,
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'start_date': DATE,
                        'end_date': DATE,
                        'done': dt.timedelta(hours=1),
                        'document': PDF,
                        'sha256': '0',
                        'content_sha256': '0',
                        'issued_at': dt.datetime(2026, 3, 2),
                        }])
            Attachment.create([{
                        'name': f'{r.__name__}.txt', 'data': b'data',
                        'description': "Description", 'resource': str(r),
                        } for r in [case, reply, justification]])
            Note.create([{
                        'message': "Note", 'resource': str(r),
                        } for r in [case, reply, justification]])
            Email.create([{
                        'subject': "Subject", 'body': "Body",
                        'recipients': "Recipients", 'resource': str(case)}])
            for sensitive in [False, True]:
                Pack.request([case], "Choice", sensitive)
            Feed.issue(
                name="Feed", kind='session', company=company.id,
                session=session.id)
            Session.write([session], {'location': None})
            Notification.create([{
                        'user': transaction.user, 'label': "Label",
                        'description': "Description",
                        'model': case.__name__, 'records': f'[{case.id}]',
                        }])
            for record in [case, reply, justification]:
                record.log('write', target='state')
            transaction._store_log_records()
            transaction.user_notifications.clear()
            transaction.tasks.clear()

    @classmethod
    def create_users(cls):
        pool = Pool()
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        User = pool.get('res.user')
        a, b = cls.companies.values()
        cls.users = {
            'training': create_user('training', a, 'training'),
            'admin': create_user('head', a, 'training', 'training_admin'),
            'sensitive': create_user(
                'sensitive', a, 'training', 'sensitive_reason'),
            'only sensitive': create_user('only', a, 'sensitive_reason'),
            'accounting': create_user('accounting', a, 'accounting'),
            'nobody': create_user('nobody', a),
            'other': create_user('other', b, 'training'),
            'other sensitive': create_user(
                'othersensitive', b, 'training', 'sensitive_reason'),
            'both': create_user('both', a, 'training'),
            'trainer': create_user('teacher', a, 'trainer'),
            }
        # Who gives the sessions has the texts of the trainees at hand
        slot = Slot.__table__()
        Transaction().connection.cursor().execute(*slot.update(
                [slot.trainer],
                [cls.users['trainer'].employee.party.id],
                where=slot.session.in_(
                    [s.id for s in Session.search([('company', '=', a.id)])])))
        # The companies of which it is not the current one are not read
        User.write([cls.users['both']], {'companies': [('add', [b.id])]})
        cls.preferences = {}
        for name, user in cls.users.items():
            with Transaction().set_user(user.id):
                cls.preferences[name] = User.get_preferences(
                    context_only=True)

    @classmethod
    def secrets(cls, user):
        "Return the expression of the markers that the user may not read"
        company = 'B' if user.startswith('other') else 'A'
        other = 'A' if company == 'B' else 'B'
        secrets = [f'(PUB|SEC|OPN){other}']
        if 'sensitive' not in user or user.startswith('only'):
            secrets.append(f'SEC{company}')
        if user in {'nobody', 'only sensitive'}:
            secrets.append(f'PUB{company}')
        return re.compile('zq(%s)' % '|'.join(secrets))

    @classmethod
    def mark(cls):
        "Write its marker into each text"
        pool = Pool()
        FieldAccess = pool.get('ir.model.field.access')
        Cause = pool.get('training.abandon.case.cause')
        ModelData = pool.get('ir.model.data')
        cursor = Transaction().connection.cursor()
        private, training = (
            {(a.model, a.field) for a in FieldAccess.search([
                        ('group', '=', group)])}
            for group in [
                None, ModelData.get_id('training_abandon', 'group_training')])
        cls.private = private - training
        cls.texts = {}
        causes = {c.id for c in Cause.search([('cause.sensitive', '=', True)])}
        for Model in cls.models():
            name = Model.__name__
            if Model._is_table_query() or name in SHARED:
                continue
            table = Model.__table__()
            for company in cls.companies:
                for field in cls.texts_of(Model):
                    scope = 'PUB'
                    if (name, field) in cls.private:
                        scope = 'SEC'
                    elif name in OPEN:
                        scope = 'OPN'
                    marks = {scope: cls.owned[company][name]}
                    if name == Cause.__name__:
                        marks = {
                            'SEC': causes,
                            'PUB': set(marks[scope]) - causes}
                    elif name in ATTACHED:
                        marks = cls.mark_attached(Model, company)
                    for scope, ids in marks.items():
                        ids = [
                            i for i in ids if i in cls.owned[company][name]]
                        if not ids:
                            continue
                        column = getattr(table, field)
                        marker = f'zq{scope}{company}'
                        value = Concat(f'{marker} ', table.id.cast('VARCHAR'))
                        if Model._fields[field]._type == 'binary':
                            value = Literal(marker.encode())
                        cursor.execute(*table.update(
                                [column], [value],
                                where=fields.SQL_OPERATORS['in'](
                                    table.id, ids)))
        for cache in Transaction().cache.values():
            cache.clear()
        Transaction().counter += 1

    @classmethod
    def mark_attached(cls, Model, company):
        marks = {'PUB': [], 'SEC': []}
        name = Model.__name__
        if 'resource' in Model._fields:
            for record in Model.browse(cls.owned[company][name]):
                private = name == 'ir.note' or record.resource.__name__ in {
                    'training.mail.reply', 'training.justification'}
                marks['SEC' if private else 'PUB'].append(record.id)
        else:
            marks['PUB'] = cls.owned[company][name]
        return marks

    @classmethod
    def texts_of(cls, Model):
        "Return the names of the free texts that the model stores"
        return [
            name for name, field in sorted(Model._fields.items())
            if field._type in {'char', 'text', 'binary'}
            and not isinstance(field, fields.Function)
            and not (field._type == 'binary' and field.file_id)
            and name not in {
                'model', 'records', 'target', 'copy_to_resources',
                'icon', 'previous_enrolment_state', 'weekdays',
                'planned_periods'}
            and not name.endswith('file_id')]

    @contextmanager
    def call(self, user):
        """Act as the user and undo it

        What is called inside of another call finds what it has done."""
        transaction = Transaction()
        nested, self.nested = self.nested, True
        try:
            with savepoint(keep=nested), \
                    transaction.set_user(self.users[user].id), \
                    transaction.reset_context():
                yield
        finally:
            self.nested = nested

    def rpc(self, user, target, method, /, *args, **context):
        """Call the method as the dispatcher does and return what is answered
        and the error"""
        pool = Pool()
        kind, _, name = target.rpartition(':')
        Object = pool.get(name, type=kind or 'model')
        self.calls += 1
        if method not in Object.__rpc__:
            return None, None
        rpc = Object.__rpc__[method]
        try:
            with self.call(user):
                return dispatch(
                    Object, rpc, method, args,
                    {**self.preferences[user], **context}), None
        except (TrytonException, HTTPException) as exception:
            return None, exception
        except Exception as exception:
            # PostgreSQL reads no message in a transaction that it aborted
            if not isinstance(
                    exception.__context__, backend.DatabaseIntegrityError):
                self.errors.append((target, method, args, repr(exception)))
            return None, exception

    def setUp(self):
        super().setUp()
        self.calls = 0
        self.leaks = []
        self.errors = []
        self.nested = False

    def ask(self, user, target, method, /, *args, **context):
        "Note what the user learns that it may not read, return the answer"
        result, error = self.rpc(user, target, method, *args, **context)
        self.note(user, target, method, result, error)
        return result

    def note(self, user, target, method, result, error):
        "Note what the user may not read of what is answered"
        told = repr(result)
        if error is not None:
            told += repr(error.args) + str(error)
        if match := self.secrets(user).search(told):
            self.leaks.append((
                    user, target, method, match[0],
                    told[max(match.start() - 60, 0):match.end() + 60]))


def dispatch(Object, rpc, method, args, context):
    "See trytond.protocols.dispatcher"
    transaction = Transaction()
    args, kwargs, transaction.context, transaction.timestamp = rpc.convert(
        Object, *args, context)
    func = rpc.decorate(getattr(Object, method))
    if rpc.instantiate is None or not is_instance_method(Object, method):
        return rpc.result(func(*args, **kwargs))
    record = args.pop(0)
    if hasattr(record, method):
        return rpc.result(func(record, *args, **kwargs))
    return [rpc.result(func(r, *args, **kwargs)) for r in record]


class FuzzMixin:
    """Test that whatever is asked has an answer or a refusal with words, and
    that the context gives no right"""

    # What is asked in the place of an id and of a value
    IDS = [0, -1, 2 ** 31, 2 ** 63, None, 'x', 1.5, True, {}, [], [[1]]]
    VALUES = [
        None, '', 'x', '\x00', '\ud800', 0, -1, 2 ** 63, 1.5, float('nan'),
        True, {}, {'id': 2 ** 63}, [], [[]], [None], ['x'], b'x', DATE,
        dt.datetime(1, 1, 1), dt.time(0), dt.timedelta(days=-1),
        Decimal('NaN'), 'training.abandon.case,x', 'none,1', 'a,b,c',
        ['training.abandon.case', 2 ** 63]]
    CONTEXTS = [
        {'active_id': 2 ** 63}, {'active_id': 'x'}, {'active_ids': 'x'},
        {'active_ids': [2 ** 63]}, {'active_ids': [None]},
        {'active_ids': [1]}, {'active_model': 'none'}, {'active_model': []},
        {'active_model': 'party.party', 'active_ids': [1], 'active_id': 1},
        {'action_id': 'x'}, {'action_id': [1]}, {'action_id': 2 ** 63},
        {'_check_access': False}, {'user': 1}, {'company': 'x'},
        {'company': 2 ** 63}, {'company': [1]}, {'company': {}}]

    def assertAnswered(self):
        self.assertGreater(self.calls, 20)
        self.assertEqual(self.leaks, [])
        self.assertEqual(self.errors, [])

    def targets(self, kind):
        return [
            (n, o) for n, o in sorted(Pool().iterobject(type=kind))
            if n.startswith('training.') and o.__rpc__]

    def test_records(self):
        "Test the methods of ours on records that are none"
        for name, Model in self.targets('model'):
            if not issubclass(Model, ModelStorage):
                continue
            for method, rpc in Model.__rpc__.items():
                if rpc.instantiate != 0 or method in CORE:
                    continue
                for id_ in self.IDS[:4]:
                    for arg in [[id_], {'id': id_}]:
                        if method not in Model._buttons or arg == [id_]:
                            self.ask('both', name, method, arg)
                foreign = self.owned['B'].get(name, [])[-1:]
                self.ask('both', name, method, foreign)
        self.assertAnswered()

    def test_values(self):
        "Test the values of another kind"
        values = cycle(self.VALUES)
        for name, Model in self.targets('model'):
            if not issubclass(Model, ModelSQL) or Model._is_table_query():
                continue
            record = self.owned['A'].get(name, [])[-1:]
            for field in Model._fields:
                # All of them in turn, which keeps the test short
                for _ in range(
                        len(self.VALUES) if os.environ.get('TEST_FULL')
                        else 1):
                    value = next(values)
                    self.ask('both', name, 'create', [{field: value}])
                    if record:
                        self.ask(
                            'both', name, 'write', record, {field: value})
        self.assertAnswered()

    def test_sent_wizards(self):
        "Test what the wizards are sent and the contexts they are sent in"
        pool = Pool()
        ActionWizard = pool.get('ir.action.wizard')
        contexts = cycle(self.CONTEXTS)
        for name, Wizard in self.targets('wizard'):
            target = f'wizard:{name}'
            action, *_ = [
                *ActionWizard.search([('wiz_name', '=', name)]), None]
            model = action and action.model or 'training.abandon.case'
            records = self.owned['A'].get(model, [])[-1:]
            context = {
                'active_model': model, 'active_ids': records,
                'active_id': records and records[0] or None}
            for other in [next(contexts) for _ in range(
                        len(self.CONTEXTS) if os.environ.get('TEST_FULL')
                        else 3)]:
                with self.call('both'):
                    session, _ = self.rpc(
                        'both', target, 'create', **context)
                    if session:
                        for state in [Wizard.start_state, 'apply']:
                            self.ask('both', target, 'execute', session[0],
                                {}, state, **{**context, **other})
            with self.call('both'):
                session, _ = self.rpc('both', target, 'create', **context)
                for value in self.IDS[::3]:
                    self.ask('both', target, 'execute', value, {}, 'start',
                        **context)
                    self.ask('both', target, 'delete', value, **context)
                if not session:
                    continue
                for data, state in [
                        (None, 'start'), ([], 'start'), ({}, None),
                        ({}, 'none'), ({}, '_execute'), ({}, []),
                        ({'none': {}}, 'start'), ({'start': []}, 'start'),
                        ({'start': {'none': 1}}, 'start'),
                        ({'start': {'_values': 1}}, 'start')]:
                    self.ask('both', target, 'execute', session[0], data,
                        state, **context)
                for state in Wizard.states.values():
                    if isinstance(state, StateView):
                        self.states(target, session[0], state, context)
        self.assertAnswered()

    def states(self, target, session, state, context):
        Start = Pool().get(state.model_name)
        for field in Start._fields:
            for value in self.VALUES[
                    ::1 if os.environ.get('TEST_FULL') else 20]:
                self.ask('both', target, 'execute', session,
                    {state.name or 'start': {field: value}}, 'apply',
                    **context)

    def test_sessions(self):
        "Test that nobody goes on with the wizard of another user"
        case, = self.owned['A']['training.abandon.case'][-1:]
        target = 'wizard:training.abandon.case.write'
        context = {
            'active_model': 'training.abandon.case', 'active_id': case,
            'active_ids': [case]}
        with savepoint():
            self.nested = True
            (session, *_), _ = self.rpc(
                'training', target, 'create', **context)
            for user, refused in [('both', True), ('training', False)]:
                for method, args in [
                        ('execute', [session, {}, 'start']),
                        ('delete', [session])]:
                    _, error = self.rpc(
                        user, target, method, *args, **context)
                    self.assertEqual(isinstance(error, AccessError), refused)

    def test_sent_reports(self):
        "Test what the reports are asked"
        for name, Report in self.targets('report'):
            for ids in [*self.IDS, *([i] for i in self.IDS)]:
                self.ask('both', f'report:{name}', 'execute', ids, {})
            for data in [None, [], 'x', {'action_id': 'x'},
                    {'action_id': 2 ** 63}, {'action_id': 1},
                    {'model': 'party.party'}]:
                self.ask('both', f'report:{name}', 'execute', [1], data)
        self.assertAnswered()

    def test_context(self):
        "Test that the context opens nothing"
        case, = self.owned['B']['training.abandon.case'][-1:]
        company = self.companies['B'].id
        for context in [
                {'_check_access': False}, {'user': 1}, {'company': company},
                {'companies': [company]}, {'company_filter': 'all'},
                {'_companies': [company]}, {'groups': [1]},
                {'employee': 1}, {'_request': {}}, {'user_id': 1}]:
            with self.subTest(context=context):
                for method, args in [
                        ('read', [[case], ['number']]),
                        ('export_data', [[case], ['number']]),
                        ('write', [[case], {'owner': None}])]:
                    result, error = self.rpc(
                        'both', 'training.abandon.case', method, *args,
                        **context)
                    self.assertIsInstance(error, AccessError)
                found, error = self.rpc(
                    'both', 'training.abandon.case', 'search',
                    [('id', '=', case)], 0, None, None, **context)
                self.assertFalse(found)
        _, error = self.rpc(
            'both', 'training.configuration', 'read', [1],
            ['case_sequence'], company=company)
        self.assertIsInstance(error, AccessError)


class MatrixTestCase(FuzzMixin, AccessTestCase):
    "Test that nobody reads what is not theirs, nor breaks anything"

    def assertNoLeak(self):
        self.assertGreater(self.calls, 20)
        self.assertEqual(self.leaks, [])

    def each(self):
        "Return the models with their last records of each company, by user"
        for user in self.readers():
            for Model in self.models():
                name = Model.__name__
                yield user, Model, {
                    c: owned[name][-2:] for c, owned in self.owned.items()}

    def readers(self):
        "Return all the users, or those whose rights have the others"
        if os.environ.get('TEST_FULL'):
            return list(self.users)
        return ['both', 'nobody']

    def names(self, Model):
        """Return the fields that all the users may read and those for the
        sensitive ones"""
        names = [
            n for n, f in Model._fields.items()
            if f._type not in {'one2many', 'many2many'}]
        private = [n for n in names if (Model.__name__, n) in self.private]
        return [n for n in names if n not in private], private

    def paths(self, Model, types=RELATIONS):
        "Return the relations with records of the module"
        return [
            n for n, f in Model._fields.items()
            if f._type in types and f._type != 'reference'
            and f.get_target().__name__.startswith(('training.', 'ir.att'))]

    def test_read(self):
        "Test what is read and searched"
        for user, Model, ids in self.each():
            name, ids = Model.__name__, [*chain(*ids.values())]
            public, private = self.names(Model)
            for names in [public, *([n] for n in private)]:
                self.ask(user, name, 'search_read', [('id', 'in', ids)], 0,
                    None, None, [*names])
            for path in self.paths(Model):
                self.ask(user, name, 'search_read', [('id', 'in', ids)], 0,
                    None, None, [f'{path}.rec_name'])
            for id_ in ids:
                self.ask(user, name, 'read', [id_], public)
            self.ask(user, name, 'autocomplete', 'zq')
        self.assertNoLeak()

    def test_export(self):
        "Test what is exported"
        for user, Model, ids in self.each():
            name = Model.__name__
            public, private = self.names(Model)
            names = [
                n for n in public if Model._fields[n]._type != 'binary']
            paths = [f'{p}/rec_name' for p in self.paths(Model)]
            self.ask(user, name, 'export_data_domain', [
                    ('id', 'in', [*chain(*ids.values())])], [*names, *paths])
            for owned in ids.values():
                for fields_names in [names, *([n] for n in private)]:
                    self.ask(user, name, 'export_data', owned, fields_names)
        self.assertNoLeak()

    def test_copy(self):
        "Test what is copied"
        for user, Model, ids in self.each():
            name = Model.__name__
            public, private = self.names(Model)
            for id_ in chain(*ids.values()):
                with self.call(user):
                    copies, error = self.rpc(user, name, 'copy', [id_], {})
                    self.note(user, name, 'copy', None, error)
                    if copies:
                        for names in [public, private]:
                            self.ask(user, name, 'read', copies, names)
        self.assertNoLeak()

    def test_forms(self):
        "Test what the forms and their defaults are answered"
        pool = Pool()
        for user in self.readers():
            for name, Model in sorted(pool.iterobject()):
                if (name.startswith('training.') or name in ATTACHED) \
                        and issubclass(Model, ModelView):
                    self.forms(user, Model)
        self.assertNoLeak()

    def forms(self, user, Model):
        name = Model.__name__
        values = self.values(Model)
        changes = [
            n for n in Model._fields
            if f'on_change_with_{n}' in Model.__rpc__]
        notices = [
            n for n in Model._fields if f'on_change_{n}' in Model.__rpc__]
        for company in self.companies:
            form = {n: v for n, v in values[company].items()}
            for id_ in [-1, *self.owned[company].get(name, [])[-1:]]:
                for form_ in [{'id': id_}, {'id': id_, **form}]:
                    if changes:
                        self.ask(user, name, 'on_change_with', form_, changes)
                    if notices:
                        self.ask(user, name, 'on_change', form_, notices)
            self.ask(
                user, name, 'default_get', list(form),
                **{f'default_{n}': v for n, v in form.items()})

    def values(self, Model):
        "Return by company values for the relations of the model"
        values = {}
        for company, owned in self.owned.items():
            values[company] = {}
            for name, field in Model._fields.items():
                if field._type == 'reference':
                    value = self.reference(Model, name, owned)
                elif field._type not in RELATIONS:
                    continue
                else:
                    ids = owned.get(field.get_target().__name__, [])[-1:]
                    if not ids:
                        continue
                    value = ids[0]
                    if field._type in LISTS:
                        value = ids
                    if field._type == 'one2many':
                        value = [{'id': i} for i in ids]
                if value:
                    values[company][name] = value
        return values

    def reference(self, Model, name, owned):
        for target in ['ir.attachment', 'training.abandon.case.cause']:
            if Model.__name__ in ATTACHED:
                return f'{target},{owned[target][-1]}'

    def test_domains(self):
        """Test that a search for what is hidden answers as the search for what
        does not exist"""
        pool = Pool()
        self.operators = cycle(['like', 'like', 'not like'])
        for user in self.readers():
            for Model in [
                    *self.models(), pool.get('party.party'),
                    pool.get('company.company')]:
                if issubclass(Model, ModelView):
                    for clause in self.clauses(Model):
                        self.guess(user, Model, clause)
        self.assertNoLeak()

    def clauses(self, Model):
        "Return functions that make a domain out of an operator and a value"
        for text in self.marked(Model):
            yield lambda *c, t=text: [(t, *c)]
        for path in self.paths(Model):
            Target = Model._fields[path].get_target()
            texts = self.marked(Target)
            if not os.environ.get('TEST_FULL'):
                # The sensitive ones are the last
                texts = texts[-1:]
            for text in texts:
                yield lambda *c, t=text, p=path: [(p, 'where', [(t, *c)])]
                if text == texts[0]:
                    yield lambda *c, t=text, p=path: [(f'{p}.{t}', *c)]
            for relation in self.paths(Target):
                Far = Target._fields[relation].get_target()
                if Far.__name__ == 'training.session':
                    yield lambda *c, p=path, r=relation: [
                        (f'{p}.{r}.number', *c)]

    def marked(self, Model):
        "Return the fields with a marker: one public and the sensitive ones"
        name = Model.__name__
        if name in SHARED or not (
                name.startswith('training.') or name in ATTACHED):
            return []
        texts = [
            n for n in self.texts_of(Model)
            if Model._fields[n]._type != 'binary']
        private = [n for n in texts if (name, n) in self.private]
        return [n for n in texts if n not in private][:1] + private

    def guess(self, user, Model, clause):
        operator = next(self.operators)
        counts = {}
        for marker in ['zqNONE', *self.hidden(user)]:
            counts[marker], error = self.rpc(
                user, Model.__name__, 'search_count',
                clause(operator, f'{marker}%'))
            if error and marker == 'zqNONE':
                return
        for marker, count in counts.items():
            if count != counts['zqNONE']:
                self.leaks.append((
                        user, Model.__name__, 'search_count', marker,
                        clause(operator, '')))

    def hidden(self, user):
        return {
            'nobody': ['zqPUBA'],
            'both': ['zqSECA', 'zqPUBB'],
            'training': ['zqSECA', 'zqPUBB'],
            'admin': ['zqSECA', 'zqPUBB'],
            'sensitive': ['zqPUBB', 'zqSECB'],
            'only sensitive': ['zqPUBA'],
            'other': ['zqPUBA', 'zqSECB'],
            'other sensitive': ['zqPUBA', 'zqSECA'],
            'accounting': ['zqSECA', 'zqPUBB'],
            'trainer': ['zqSECA', 'zqPUBB'],
            }[user]

    def test_hidden(self):
        "Test that nobody finds the cases by a reason that is hidden"
        pool = Pool()
        Reason = pool.get('training.abandon.reason')
        with without_check_access():
            private, = Reason.search([
                    ('code', 'like', 'zqOPNA%'), ('sensitive', '=', True)])
        for clause in [
                ('causes.cause.sensitive', '=', True),
                ('causes.cause', '=', private.id),
                ('causes', 'where', [('cause.sensitive', '=', True)]),
                ('reasons', '=', private.id),
                ('reasons.sensitive', '=', True),
                ('reasons', 'where', [('sensitive', '=', True)]),
                ('enrolment.cases', 'where', [
                        ('causes.cause.sensitive', '=', True)])]:
            for user, number in [('sensitive', 1), ('both', 0)]:
                with self.subTest(clause=clause, user=user):
                    count, error = self.rpc(
                        user, 'training.abandon.case', 'search_count',
                        [clause])
                    if number or not isinstance(error, AccessError):
                        self.assertEqual((count, error), (number, None))

    def test_errors(self):
        "Test that the refusals tell nothing of what is refused"
        for user, Model, ids in self.each():
            name = Model.__name__
            for id_ in chain(*ids.values()):
                for text in self.marked(Model)[:1]:
                    self.ask(user, name, 'write', [id_], {text: "Changed"})
                self.ask(user, name, 'delete', [id_])
                self.ask(user, name, 'resources', [id_])
                for button in getattr(Model, '_buttons', []):
                    self.ask(user, name, button, [id_])
            for values in self.values(Model).values():
                values = {
                    n: v for n, v in values.items()
                    if Model._fields[n]._type in {'many2one', 'reference'}
                    and not isinstance(Model._fields[n], fields.Function)}
                self.ask(user, name, 'create', [values])
                for id_ in ids['A'][-1:]:
                    self.ask(user, name, 'write', [id_], values)
        self.assertNoLeak()

    def test_wizards(self):
        "Test what the wizards show and refuse"
        pool = Pool()
        ActionWizard = pool.get('ir.action.wizard')
        users = self.readers() if os.environ.get('TEST_FULL') else ['both']
        for user in users:
            for name, Wizard in sorted(pool.iterobject(type='wizard')):
                if not name.startswith('training.'):
                    continue
                actions = ActionWizard.search([('wiz_name', '=', name)])
                models = {
                    m for a in actions for m in (
                        [a.model] if a.model else [])}
                for model in sorted(models or {'training.abandon.case'}):
                    for company in self.companies:
                        self.wizard(user, name, model, company)
        self.assertNoLeak()

    def wizard(self, user, name, model, company):
        target = f'wizard:{name}'
        ids = self.owned[company].get(model, [])[-1:]
        own = self.owned['A'].get(model, [])[-1:]
        with self.call(user):
            for records in [ids, own]:
                context = {
                    'active_model': model, 'active_ids': records,
                    'active_id': records[0] if records else None}
                session = self.ask(user, target, 'create', **context)
                if not session:
                    continue
                result = self.ask(
                    user, target, 'execute', session[0], {}, session[1],
                    **context)
                Wizard = Pool().get(name, type='wizard')
                view = (result or {}).get('view')
                if not view:
                    continue
                state = view['state']
                Start = Pool().get(Wizard.states[state].model_name)
                for form in [
                        {**view['defaults'], **view['values']},
                        self.values(Start)[company]]:
                    form = {n: v for n, v in form.items() if n[-1] != '.'}
                    for button in view['buttons']:
                        if button['state'] != 'end':
                            self.ask(
                                user, target, 'execute', session[0],
                                {state: form}, button['state'], **context)

    def test_reports(self):
        "Test the reports of the records of others"
        pool = Pool()
        Action = pool.get('ir.action.report')
        actions = Action.search([])
        for user in self.readers():
            for name, Report in sorted(pool.iterobject(type='report')):
                if not name.startswith('training.'):
                    continue
                with patch.object(
                        Report, 'convert', lambda report, data, **kwargs: (
                            'pdf', data)):
                    for company in self.companies:
                        for action in actions:
                            ours = action.report_name == name
                            if not ours and action.model:
                                continue
                            model = action.model or 'training.abandon.case'
                            ids = self.owned[company].get(model, [])[-1:]
                            self.ask(
                                user, f'report:{name}', 'execute', ids, {
                                    'action_id': action.id, 'model': model})
        self.assertNoLeak()
