# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the users read and write by the doors that Tryton leaves to the clients"
import datetime as dt
import re
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

from trytond.model import ModelSQL, ModelStorage, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.procedure.states import STEP_ORDER
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .common import (
    DATE, DatabaseTestCase, analyse, as_user, create_enrolments, create_party,
    create_session, create_user, decide, get_reason, get_to_decision,
    open_cases, open_wizard, other_values, run_wizard, set_up)

DOC = Path(__file__).parent.parent / 'doc'
GROUPS = ['training', 'training_admin', 'sensitive_reason']
# What is made by more than a case needs
WITHOUT = {
    'training.completion_certificate',
    'training.abandon.case.completion', 'training.abandon.case.correction',
    'training.calendar.feed', 'training.journal.day',
    'training.success.task'}
DUPLICATED = [
    'training.course', 'training.session', 'training.session.slot',
    'training.enrolment', 'training.improvement.action',
    'training.improvement.event', 'training.improvement.meeting',
    'training.justification', 'training.follow_up',
    'training.abandon.procedure', 'training.abandon.reason',
    'training.abandon.solution']

PRIVATE = {
    (f'training.{model}', name) for model, names in {
        'abandon.case': [
            'analysis', 'decision_note', 'no_solution_reason', 'note',
            'reason_comment'],
        'abandon.case.cause': ['note'],
        'abandon.case.correction': ['note'],
        'alert': ['dismiss_reason', 'word'],
        'attendance': ['comment'],
        'follow_up': ['note'],
        'journal.entry': ['secret'],
        'success.task': ['note'],
        'evidence_pack': ['sensitive_file', 'sensitive_file_id'],
        'measure': ['note'],
        'questionnaire.answer': ['answer', 'text', 'value'],
        'justification': [
            'document', 'document_file_id', 'filename', 'kind', 'note',
            'refusal_reason'],
        'mail.reply': [
            'attachments', 'body', 'message', 'message_file_id', 'reasons',
            'subject', 'text'],
        }.items() for name in names}
# What only opens a record
OPENING_BUTTONS = {
    ('training.abandon.case.event', 'open_origin'),
    ('training.abandon.case', 'open_remedy'),
    ('training.audit.sample', 'draw_again'),
    *(('training.abandon.case', f'proof_{kind}') for kind in STEP_ORDER),
    }
ACCOUNTING_BUTTONS = {
    ('training.enrolment', 'issue_completion'),
    ('training.abandon.settlement', 'cancel'),
    ('training.abandon.settlement', 'post'),
    ('training.declaration', 'cancel'),
    ('training.declaration', 'declare_again'),
    ('training.declaration', 'record'),
    ('training.task', 'handle'),
    }
# What makes again the file that who reads has asked for
EVIDENCE_BUTTONS = {('training.evidence_pack', 'retry')}
PRIVATE_BUTTONS = {
    ('training.justification', 'accept'),
    ('training.justification', 'refuse'),
    ('training.justification', 'reset'),
    *(('training.mail.reply', name) for name in [
            'attach', 'confirm', 'handle', 'ignore', 'justify',
            'raise_concern', 'reopen', 'sign']),
    }


class WriteTestCase(DatabaseTestCase):
    "Test that the users write what their forms let them, by any door"

    @with_transaction()
    def test_readonly(self):
        "Test each field that no form lets change, by write and create"
        with set_up() as (company, session, prescriber):
            fill(company, session)
            user = create_user('mighty', company, *GROUPS)
            tried, missing = 0, set()
            for Model in self.models():
                record, = Model.search([], limit=1) or [None]
                if not record:
                    if self.readonly_fields(Model):
                        missing.add(Model.__name__)
                    continue
                for name in self.readonly_fields(Model):
                    for value in other_values(record, name):
                        tried += 2
                        with self.subTest(
                                model=Model.__name__, field=name,
                                value=value), as_user(user):
                            with self.assertRaises(AccessError):
                                Model.write([Model(record.id)], {name: value})
                            if (name in getattr(Model, '_given_fields', [])
                                    or not value
                                    or value == Model.default_get(
                                        [name]).get(name)):
                                continue
                            with self.assertRaises(AccessError):
                                Model.create([{name: value}])
            self.assertGreater(tried, 300)
            self.assertEqual(missing, WITHOUT)

    @with_transaction()
    def test_workflows(self):
        "Test that the states of the workflows are moved by buttons only"
        for Model in self.models():
            if issubclass(Model, Workflow):
                with self.subTest(model=Model.__name__):
                    self.assertTrue(Model._fields[Model._transition_state]
                        .readonly)

    def models(self):
        return [
            Model for name, Model in sorted(Pool().iterobject())
            if name.startswith('training.') and issubclass(Model, ModelSQL)
            and not Model._is_table_query()]

    def readonly_fields(self, Model):
        return [
            name for name, field in sorted(Model._fields.items())
            if field.readonly and name not in {
                'id', 'create_uid', 'create_date', 'write_uid', 'write_date'}
            and not (isinstance(field, fields.Function) and not field.setter)]


def fill(company, session):
    "Make records of all the models"
    pool = Pool()
    Alert = pool.get('training.alert')
    Attendance = pool.get('training.attendance')
    Report = pool.get('training.abandon.certificate', type='report')
    Slot = pool.get('training.session.slot')
    Code = pool.get('training.external_code')
    Enrolment = pool.get('training.enrolment')
    Finding = pool.get('training.audit.finding')
    Event = pool.get('training.improvement.event')
    FollowUp = pool.get('training.follow_up')
    Improvement = pool.get('training.improvement.action')
    Justification = pool.get('training.justification')
    Meeting = pool.get('training.improvement.meeting')
    Proposal = pool.get('training.abandon.proposal')
    Reply = pool.get('training.mail.reply')
    Rule = pool.get('training.risk.rule')
    Pack = pool.get('training.evidence_pack')
    Sample = pool.get('training.audit.sample')
    Settlement = pool.get('training.abandon.settlement')
    Solution = pool.get('training.abandon.solution')
    enrolment, other = create_enrolments(session, 2)
    Enrolment.write([enrolment], {
            'price': Decimal(1000), 'client': create_party("Client").id,
            'fundings': [('create', [{
                            'funder': create_party("Funder").id,
                            'share': 1,
                            }])],
            })
    Code.create([{
                'source': 'test', 'code': 'S1', 'record': str(session)}])
    Justification.create([{
                'company': company.id,
                'enrolment': enrolment.id,
                'kind': 'sick_leave',
                'start_date': DATE,
                'end_date': DATE,
                }])
    Reply.from_message(
        b'From: a@b.example\r\nMessage-ID: <1@b.example>\r\n\r\nText')
    Rule.preview(Rule.search([], limit=1))
    slot = session.slots[0]
    Slot.open([slot])
    Attendance.write(list(slot.attendances), {'state': 'absent'})
    Slot.close([slot])
    analysed, = open_cases([other])
    while analysed.next_kind != 'analyse':
        type(analysed).skip_step([analysed], "Not needed")
    analyse([analysed], 'health', reasons=[get_reason('health').id])
    case = get_to_decision(enrolment)
    FollowUp.create([{
                'company': company.id,
                'enrolment': enrolment.id,
                'case': case.id,
                'party': enrolment.trainee.party.id,
                }])
    solution, = Solution.search([], limit=1)
    Proposal.create([{'case': case.id, 'solution': solution.id}])
    decide(case, effective_date=DATE)
    with patch.object(
            Report, 'convert',
            lambda report, data, **kwargs: ('pdf', b'%PDF')):
        run_wizard('training.abandon.case.certify', [case])
    Settlement.settle([case])
    sample = Sample.freeze({
            'company': company.id, 'start_date': DATE, 'end_date': DATE,
            'method': 'random', 'seed': 1,
            }, [case.id], [case.id], 0)
    Finding.create([{
                'sample': sample.id, 'line': sample.lines[0].id,
                'grade': 'minor', 'text': "No call"}])
    Alert.raise_concern([enrolment], 'other', "Word")
    improvement, = Improvement.create([{'name': "Tutor", 'due_date': DATE}])
    Meeting.create([{'name': "Quality"}])
    Event.create([{
                'name': "Noise",
                'case': case.id,
                'actions': [('add', [improvement.id])],
                }])
    Pack.request([case], "Choice")
    Transaction().tasks.clear()


class CopyTestCase(DatabaseTestCase):
    "Test that a user duplicates what the module lets be duplicated"

    @with_transaction()
    def test_copy(self):
        pool = Pool()
        with set_up() as (company, session, _):
            fill(company, session)
            user = create_user('mighty', company, *GROUPS)
            copied = {}
            starts = iter([dt.time(6), dt.time(7)])
            sessions = iter([create_session(company) for _ in range(2)])
            revisions = iter(['90', '91'])
            defaults = {
                'training.abandon.procedure': {
                    'revision': lambda data: next(revisions)},
                'training.session.slot': {
                    'start': lambda data: next(starts), 'end': dt.time(8)},
                'training.enrolment': {
                    'session': lambda data: next(sessions).id},
                }
            for name in DUPLICATED:
                Model = pool.get(name)
                record, = Model.search([], limit=1, order=[('id', 'ASC')])
                for door in [nullcontext(), as_user(user)]:
                    with door, Transaction().set_context(
                            _skip_warnings=True):
                        copy, = Model.copy(
                            [Model(record.id)], defaults.get(name))
                        copied.setdefault(name, []).append(self.count(copy))
            self.assertEqual(
                {n: c for n, c in copied.items() if c[0] != c[1]}, {})

    def count(self, record):
        "Return the length of the lists of the record"
        return {
            name: len(getattr(record, name))
            for name, field in record._fields.items()
            if field._type in {'one2many', 'many2many'}
            and not isinstance(field, fields.Function)}

    @with_transaction()
    def test_file(self):
        "Test that a copy takes no other file than the one of the record"
        pool = Pool()
        Justification = pool.get('training.justification')
        with set_up() as (company, session, _):
            fill(company, session)
            justification, = Justification.search([], limit=1)
            user = create_user('mighty', company, *GROUPS)
            with as_user(user), self.assertRaises(AccessError):
                Justification.copy(
                    Justification.browse([justification.id]),
                    {'document_file_id': 'other'})

    @with_transaction()
    def test_exclusive(self):
        "Test that what excludes each other is changed at once"
        pool = Pool()
        Funding = pool.get('training.enrolment.funding')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            funding, = Funding.create([{
                        'enrolment': enrolment.id,
                        'funder': prescriber.id,
                        'share': 1,
                        }])
            with as_user(create_user('reader', company, 'training')):
                Funding.write([Funding(funding.id)], {
                        'share': None, 'amount': Decimal(100)})
                with self.assertRaises(AccessError):
                    Funding.write([Funding(funding.id)], {'share': 1})


class ReadTestCase(DatabaseTestCase):
    "Test that who may not read a record gets nothing of it"

    @with_transaction()
    def test_export(self):
        "Test that an export tells what a form shows"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            while case.next_kind != 'analyse':
                type(case).skip_step([case], "Not needed")
            analyse([case], 'health')
            reader = create_user('reader', company, 'training')
            private = create_user(
                'private', company, 'training', 'sensitive_reason')
            for path in ['causes', 'causes/cause/rec_name']:
                for user, found in [(private, True), (reader, False)]:
                    with self.subTest(path=path, user=user.login), \
                            as_user(user):
                        for rows in [
                                Case.export_data(
                                    Case.browse([case.id]), ['number', path]),
                                Case.export_data_domain(
                                    [('id', '=', case.id)], ['number', path]),
                                ]:
                            self.assertEqual(rows[0][0], case.number)
                            self.assertEqual(bool(rows[0][1]), found)

    @with_transaction()
    def test_copy(self):
        "Test that a copy needs the right to read what is copied"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Justification = pool.get('training.justification')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            justification, = Justification.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'kind': 'sick_leave',
                        'start_date': DATE,
                        'end_date': DATE,
                        }])
            attachment, = Attachment.create([{
                        'name': "scan.pdf",
                        'data': b'private',
                        'resource': str(justification),
                        }])
            reader = create_user('reader', company, 'training')
            for user, found in [
                    (reader, []),
                    (create_user(
                        'private', company, 'training', 'sensitive_reason'),
                        [attachment])]:
                with as_user(user):
                    self.assertEqual(Attachment.search([]), found)
            with as_user(reader), self.assertRaises(AccessError):
                Attachment.copy(
                    Attachment.browse([attachment.id]),
                    {'resource': str(enrolment)})

    @with_transaction()
    def test_attached(self):
        "Test that what is attached to private records is private"
        pool = Pool()
        Cause = pool.get('training.abandon.case.cause')
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            fill(company, session)
            records = [
                FollowUp.search([], limit=1)[0],
                Cause.search([], limit=1)[0],
                *(pool.get(name).search([], limit=1)[0] for name in [
                        'training.justification', 'training.mail.reply'])]
            private = create_user(
                'private', company, 'training', 'training_admin',
                'sensitive_reason')
            reader = create_user(
                'reader', company, 'training', 'training_admin')
            for name, values in [
                    ('ir.note', {'message': "Private"}),
                    ('ir.attachment', {'name': "Private"}),
                    ('ir.email', {'subject': "Private"}),
                    ]:
                Attached = pool.get(name)
                for record in records:
                    attached, = Attached.create([
                            {'resource': str(record), **values}])
                    for user, found in [(private, True), (reader, False)]:
                        with self.subTest(
                                model=name, resource=record.__name__,
                                user=user.login), as_user(user):
                            self.assertEqual(bool(Attached.search([
                                            ('id', '=', attached.id)])), found)

    @with_transaction()
    def test_no_company(self):
        "Test that what came for nobody is for the administrators"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        with set_up() as (company, _, _):
            reply, = Reply.create([{
                        'received_at': tools.now(),
                        'message_id': '<1@example.com>',
                        }])
            for groups, found in [
                    (['training'], []),
                    (['training', 'sensitive_reason'], []),
                    (['training', 'training_admin'], [reply])]:
                user = create_user('-'.join(groups), company, *groups)
                with self.subTest(groups=groups), as_user(user):
                    self.assertEqual(Reply.search([]), found)

    @with_transaction()
    def test_search_text(self):
        "Test that a user finds by the names of what the records refer to"
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        with set_up() as (company, session, _):
            fill(company, session)
            reader = create_user('mighty', company, *GROUPS)
            names = [
                (name, field) for name, Model in sorted(pool.iterobject())
                if name.startswith('training.') and issubclass(Model, ModelSQL)
                for field, definition in Model._fields.items()
                if definition._type == 'many2one'
                and definition.get_target().__name__.startswith('training.')
                and (not isinstance(definition, fields.Function)
                    or definition.searcher)]
            with as_user(reader):
                for name, field in names:
                    if not ModelAccess.check(
                            name, 'read', raise_exception=False):
                        # Nobody searches what only the rules know
                        self.assertEqual(name, 'training.risk.due')
                        continue
                    with self.subTest(model=name, field=field):
                        Model = pool.get(name)
                        found = Model.search([(field, 'ilike', '%')])
                        self.assertEqual(
                            found,
                            Model.search([(f'{field}.id', '!=', None)]))
            self.assertGreater(len(names), 60)

    @with_transaction()
    def test_names(self):
        "Test that neither defaults nor forms tell the name of another record"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Preview = pool.get('training.abandon.case.ask_reasons.start')
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            party = case.enrolment.trainee.party
            reader = create_user('reader', company, 'training')
            nobody = create_user('nobody', company)
            form = {'id': -1, 'declared': False, 'mails': [
                    {'id': -1, 'case': case.id, 'party': party.id}]}
            for user, told in [(reader, True), (nobody, False)]:
                with self.subTest(user=user.login), as_user(user):
                    with Transaction().set_context(
                            default_resource=str(case)):
                        values = Attachment.default_get(['resource'])
                    self.assertEqual('resource.' in values, told)
                    rpc = Preview.__rpc__['on_change_declared']
                    method = rpc.decorate(Preview.on_change_declared)
                    if told:
                        method(Preview(**form))
                    else:
                        with self.assertRaises(AccessError):
                            method(Preview(**form))

    @with_transaction()
    def test_other_company(self):
        "Test that a wizard takes no record of another company"
        pool = Pool()
        Company = pool.get('company.company')
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            other, = Company.create([{
                        'party': create_party("Other").id,
                        'currency': company.currency.id,
                        }])
            foreign = create_session(other)
            reader = create_user('reader', company, 'training')
            with as_user(reader):
                (Wizard, session_id), start = open_wizard(
                    'training.abandon.case.write', [case])
                with self.assertRaises(AccessError) as catched:
                    check = pool.get('training.enrolment')
                    check.create([{
                                'session': foreign.id,
                                'company': company.id,
                                'trainee': case.enrolment.trainee.id,
                                'currency': company.currency.id,
                                }])
            self.assertNotIn(foreign.number, str(catched.exception))


class RightsTestCase(DatabaseTestCase):
    "Test that the documentation tells the rights that the server gives"

    @with_transaction()
    def test_documented(self):
        "Test the table of the groups and their rights"
        with set_up() as (company, _, _):
            users = [
                create_user('reader', company, 'training'),
                create_user('head', company, 'training', 'training_admin'),
                create_user('accountant', company, 'accounting'),
                create_user('teacher', company, 'trainer'),
                create_user('nobody', company)]
            rights = [self.rights(user) for user in users]
        documented = {
            model: tuple(columns.replace(' - ', '').split())
            for model, columns in re.findall(
                r'\* - ``(training[\w.]+)``\n((?: +- [RWCD–]+\n){5})',
                (DOC / 'security.rst').read_text())}
        self.assertEqual(documented, {
                model: tuple(r[model] for r in rights)
                for model in rights[0]})

    def rights(self, user):
        "Return the letters of what the user may do by model"
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        models = [
            name for name, Model in sorted(pool.iterobject())
            if name.startswith('training.') and '-' not in name
            and issubclass(Model, ModelStorage)]
        with as_user(user):
            access = ModelAccess.get_access(models)
        return {
            model: ''.join(
                name[0].upper() for name in [
                    'read', 'write', 'create', 'delete']
                if access[model][name]) or '–'
            for model in models}

    @with_transaction()
    def test_reading(self):
        "Test that the accountants and who reads run no step"
        pool = Pool()
        Button = pool.get('ir.model.button')
        User = pool.get('res.user')
        Wizard_ = pool.get('ir.action.wizard')
        with set_up() as (company, _, _):
            for group, buttons, wizards in [
                    ('accounting',
                        ACCOUNTING_BUTTONS | EVIDENCE_BUTTONS, {
                            'training.abandon.case.settle',
                            'training.bpf.open',
                            'training.declaration.cancel',
                            'training.declaration.record',
                            'training.evidence_pack.request',
                            'training.task.handle'}),
                    ('training_reading', EVIDENCE_BUTTONS,
                        {'training.evidence_pack.request'})]:
                user = create_user(group, company, group)
                with self.subTest(group=group), as_user(user):
                    self.assertLessEqual(
                        set(self.rights(user).values()), {'R', '–'})
                    mine = set(User.get_groups())
                    self.assertEqual({
                            (name, button)
                            for name, Model in pool.iterobject()
                            if name.startswith('training.')
                            and issubclass(Model, ModelView)
                            for button in Model._buttons
                            if mine.intersection(
                                Button.get_groups(name, button))},
                        OPENING_BUTTONS | buttons)
                with without_check_access():
                    self.assertEqual({
                            w.wiz_name for w in Wizard_.search([
                                    ('wiz_name', 'like', 'training.%')])
                            if mine.intersection(
                                g.id for g in w.groups)},
                        {
                            'training.abandon.case.conversation',
                            'training.conformity.open',
                            'training.figure.open',
                            'training.follow_up.print',
                            'training.indicator.open',
                            'training.indicator.print'} | wizards)

    @with_transaction()
    def test_private(self):
        "Test what only the group of the sensitive reasons reads and does"
        pool = Pool()
        Button = pool.get('ir.model.button')
        FieldAccess = pool.get('ir.model.field.access')
        User = pool.get('res.user')
        models = {
            name: Model for name, Model in pool.iterobject()
            if name.startswith('training.') and issubclass(Model, ModelView)}
        with set_up() as (company, _, _):
            for groups, private, buttons in [
                    (['training', 'training_admin'],
                        PRIVATE, PRIVATE_BUTTONS),
                    (GROUPS, set(), set()),
                    ]:
                user = create_user('-'.join(groups), company, *groups)
                with self.subTest(groups=groups), as_user(user):
                    self.assertEqual({
                            (model, name) for model in models
                            for name, rights in FieldAccess.get_access(
                                [model])[model].items()
                            if not rights.get('read', True)}, private)
                    mine = set(User.get_groups())
                    self.assertEqual({
                            (name, button) for name, Model in models.items()
                            for button in Model._buttons
                            if (needed := Button.get_groups(name, button))
                            and not mine.intersection(needed)}, buttons)

    @with_transaction()
    def test_remove(self):
        "Test that who plans may remove what is planned"
        pool = Pool()
        Contact = pool.get('training.enrolment.contact')
        Funding = pool.get('training.enrolment.funding')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            contact, = Contact.create([{
                        'enrolment': enrolment.id,
                        'party': prescriber.id,
                        'role': 'legal_guardian',
                        }])
            funding, = Funding.create([{
                        'enrolment': enrolment.id,
                        'funder': prescriber.id,
                        'share': 1,
                        }])
            Session.write([session], {
                    'trainers': [('add', [prescriber.id])]})
            planned, held = session.slots[-1], session.slots[0]
            Slot.open([held])
            with as_user(create_user('reader', company, 'training')):
                Contact.delete([Contact(contact.id)])
                Funding.delete([Funding(funding.id)])
                Session.write([Session(session.id)], {
                        'trainers': [('remove', [prescriber.id])]})
                Slot.delete([Slot(planned.id)])
                with self.assertRaises(AccessError):
                    Slot.delete([Slot(held.id)])
