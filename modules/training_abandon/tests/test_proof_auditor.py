# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from trytond.model import ModelSQL
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.proof.auditor import (
    ALWAYS_READ, OPEN_MODULES, READ, WRITTEN)
from trytond.modules.training_abandon.reach import COMMON
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .common import (
    DATE, DAY, DatabaseTestCase, as_user, count_statements, create_enrolments,
    create_party, create_session, create_user, open_cases, run_wizard, set_up,
    today)
from .test_access import fill
from .test_proof_sample import DrawMixin
from .test_risk_trainer import REFUSED

UNTIL = DATE + DAY * 10
# The rights of the auditors, by model
RIGHTS = {
    'abandon.case': 'R', 'abandon.case.step': 'R',
    'abandon.certificate': 'R', 'audit.finding': 'RWC',
    'audit.grading': 'R', 'audit.sample': 'R', 'audit.sample.line': 'R',
    'course': 'R', 'enrolment': 'R', 'follow_up': 'R', 'mail': 'R',
    'session': 'R', 'trainee': 'R',
    # What anybody reads
    'abandon.procedure': 'R', 'abandon.procedure.letter': 'R',
    'abandon.procedure.step': 'R', 'abandon.reason': 'R',
    'abandon.solution': 'R', 'closure': 'R', 'configuration': 'R',
    'configuration.alert': 'R', 'configuration.calendar': 'R',
    'configuration.completion': 'R', 'configuration.evidence': 'R',
    'configuration.mail': 'R',
    'configuration.schedule': 'R', 'configuration.sequence': 'R',
    'risk.rule': 'R',
    }
REPORTS = {'training.audit.sample.report'}


class AuditorTestCase(DrawMixin, DatabaseTestCase):
    "Test what an auditor reaches"

    def sample(self, company, cases, user, until=UNTIL):
        "Return the sample of the cases that the user audits"
        sample = self.draw(
            company, method='chosen', cases=[c.id for c in cases],
            courses=list({c.course.id for c in cases}),
            auditors=[user.id], until=until)
        return sample

    def build(self, company, session, prescriber):
        "Return the auditor, its case, another and the sample"
        mine, other = create_enrolments(session, 2, prescriber)
        case, hidden = open_cases([mine, other])
        for case_ in [case, hidden]:
            run_wizard('training.abandon.case.inform', [case_])
        user = create_user('auditor', company, 'auditor')
        return user, case, hidden, self.sample(company, [case], user)

    def models(self):
        return {
            name: Model for name, Model in sorted(Pool().iterobject())
            if name.startswith('training.') and issubclass(Model, ModelSQL)}

    @with_transaction()
    def test_home(self):
        "Test that the samples open at login, as long as there are some"
        pool = Pool()
        Action = pool.get('ir.action')
        Data = pool.get('ir.model.data')
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            user, *_ = self.build(company, session, prescriber)
            home = Action.get_action_id(
                Data.get_id('training_abandon', 'act_sample_form'))
            for day, expected in [(UNTIL, home), (UNTIL + DAY, None)]:
                with today(day), as_user(user):
                    self.assertEqual(User._home_action(), expected)

    @with_transaction()
    def test_models(self):
        "Test each model and operation, until the date and after it"
        pool = Pool()
        Access = pool.get('ir.model.access')
        with set_up() as (company, session, prescriber):
            user, *_ = self.build(company, session, prescriber)
            for day, expected in [(UNTIL, RIGHTS), (UNTIL + DAY, {})]:
                with today(day), as_user(user):
                    for name in self.models():
                        access = Access.get_access([name])[name]
                        rights = ''.join(
                            letter for letter, perm in [
                                ('R', 'read'), ('W', 'write'),
                                ('C', 'create'), ('D', 'delete')]
                            if access[perm])
                        with self.subTest(model=name, day=day):
                            if '-' in name and expected:
                                self.assertIn(rights, {'', 'R'})
                            else:
                                self.assertEqual(rights, expected.get(
                                        name.removeprefix('training.'), ''))

    @with_transaction()
    def test_modules(self):
        "Test each model of all the modules, until the date and after it"
        pool = Pool()
        Access = pool.get('ir.model.access')
        others = [
            name for name, Model in sorted(pool.iterobject())
            if issubclass(Model, ModelSQL)
            and not name.startswith('training.')]
        self.assertGreater(len(others), 100)
        with set_up() as (company, session, prescriber):
            user, *_ = self.build(company, session, prescriber)
            for day, read in [
                    (UNTIL, ALWAYS_READ | {'party.party'}),
                    (UNTIL + DAY, ALWAYS_READ)]:
                with today(day), as_user(user):
                    for name, access in Access.get_access(others).items():
                        with self.subTest(model=name, day=day):
                            self.assertFalse(any(
                                    access[m] for m in [
                                        'write', 'create', 'delete']))
                            if name.split('.')[0] not in OPEN_MODULES:
                                self.assertEqual(
                                    bool(access['read']), name in read)

    @with_transaction()
    def test_party(self):
        "Test that the parties of the cases are named, and they alone"
        pool = Pool()
        Address = pool.get('party.address')
        Contact = pool.get('party.contact_mechanism')
        FollowUp = pool.get('training.follow_up')
        Identifier = pool.get('party.identifier')
        Party = pool.get('party.party')
        Session = pool.get('training.session')
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            user, case, hidden, _ = self.build(company, session, prescriber)
            self.sample(
                company, [hidden], create_user('stranger', company, 'auditor'))
            parent, trainer = create_party("Parent"), create_party("Trainer")
            Session.write([session], {'trainers': [('add', [trainer.id])]})
            FollowUp.create([{
                        'company': company.id, 'case': case.id,
                        'enrolment': case.enrolment.id,
                        'party': parent.id, 'note': "Note"}])
            party, other = case.trainee.party, hidden.trainee.party
            Address.create([{'party': party.id, 'city': "Town"}])
            Contact.create([{
                        'party': party.id, 'type': 'email',
                        'value': "trainee@example.com"}])
            Identifier.create([{'party': party.id, 'code': "1"}])
            mine = {party, prescriber, parent, trainer}
            with as_user(user):
                self.assertEqual(set(Party.search([])), mine)
                with without_check_access():
                    self.assertTrue(Party(party.id).audited)
                    self.assertFalse(Party(other.id).audited)
                    self.assertIn(
                        other, Party.search([('audited', '=', False)]))
                self.assertEqual(
                    Party.read([party.id], ['rec_name'])[0]['rec_name'],
                    party.rec_name)
                calls = [
                    lambda: Party.read([other.id], ['rec_name']),
                    lambda: Party.read([company.party.id], ['rec_name']),
                    lambda: Party.write([party], {'name': "Other"}),
                    lambda: Party.delete([party]),
                    lambda: Party.create([{'name': "Other"}]),
                    lambda: Party.search([
                            ('contact_mechanisms.value', '=', 'x')]),
                    lambda: Party.export_data([party], ['addresses/city']),
                    lambda: User.write([user], {'email': 'x@example.com'}),
                    ]
                for Model in [Address, Contact, Identifier]:
                    calls += [
                        lambda Model=Model: Model.search([]),
                        lambda Model=Model: Model.create([
                                {'party': party.id}]),
                        ]
                for record in [party.addresses[0],
                        party.contact_mechanisms[0]]:
                    Model = type(record)
                    calls += [
                        lambda Model=Model, id=record.id: Model.read(
                            [id], ['rec_name']),
                        lambda Model=Model, id=record.id: Model.write(
                            [Model(id)], {'party': other.id}),
                        lambda Model=Model, id=record.id: Model.delete(
                            [Model(id)]),
                        ]
                for number, call in enumerate(calls):
                    with self.subTest(call=number), \
                            self.assertRaises(REFUSED):
                        call()
            with today(UNTIL + DAY), as_user(user), \
                    self.assertRaises(REFUSED):
                Party.search([])
            with as_user(user), without_check_access():
                User.set_preferences({'name': "Myself"})
                self.assertEqual(User(user.id).name, "Myself")

    @with_transaction()
    def test_samples_statements(self):
        "Test that the samples of an auditor are not asked for again"
        pool = Pool()
        Access = pool.get('ir.model.access')
        with set_up() as (company, session, prescriber):
            user, *_ = self.build(company, session, prescriber)
            with as_user(user):
                Access.get_access(['training.abandon.case'])
                with count_statements() as statements:
                    for _ in range(5):
                        Access.get_access(['training.abandon.case'])
            self.assertFalse(statements)

    @with_transaction()
    def test_hidden(self):
        "Test that nothing is done with the models that are hidden"
        with set_up() as (company, session, prescriber):
            user, *_ = self.build(company, session, prescriber)
            fill(company, session)
            tried = 0
            for name, Model in self.models().items():
                if '-' in name or name.removeprefix('training.') in RIGHTS:
                    continue
                record, = Model.search([], limit=1) or [None]
                with as_user(user):
                    calls = [
                        lambda: Model.search([]),
                        lambda: Model.search([], count=True),
                        lambda: Model.export_data_domain([], ['id']),
                        lambda: Model.create([{}]),
                        ]
                    if record:
                        record = Model(record.id)
                        calls += [
                            lambda: Model.read([record.id], ['rec_name']),
                            lambda: Model.export_data([record], ['id']),
                            lambda: Model.copy([record]),
                            lambda: Model.write([record], {}),
                            lambda: Model.delete([record]),
                            ]
                    for number, call in enumerate(calls):
                        tried += 1
                        with self.subTest(model=name, call=number), \
                                self.assertRaises((
                                    *REFUSED, NotImplementedError)):
                            call()
            self.assertGreater(tried, 200)

    @with_transaction()
    def test_fields(self):
        "Test that the fields that are not named are neither read nor written"
        pool = Pool()
        Finding = pool.get('training.audit.finding')
        FollowUp = pool.get('training.follow_up')
        Report = pool.get('training.abandon.certificate', type='report')
        with set_up() as (company, session, prescriber):
            user, case, _, sample = self.build(company, session, prescriber)
            while case.next_kind != 'decide':
                case.skip_step([case], "Not needed")
                case = type(case)(case.id)
            run_wizard(
                'training.abandon.case.decide', [case], decision='validated',
                ground='abandonment', effective_date=DATE)
            with patch.object(
                    Report, 'convert',
                    lambda report, data, **kwargs: ('pdf', b'%PDF')):
                run_wizard('training.abandon.case.certify', [case])
            FollowUp.create([{
                        'company': company.id, 'case': case.id,
                        'enrolment': case.enrolment.id,
                        'party': case.trainee.party.id, 'note': "Note"}])
            with as_user(user):
                Finding.create([{
                            'sample': sample.id, 'line': sample.lines[0].id,
                            'grade': 'minor', 'text': "No call"}])
            for name, names in READ.items():
                Model = pool.get(name)
                self.assertLessEqual(names, Model._fields.keys())
                self.assertLessEqual(WRITTEN.get(name, set()), names)
                with as_user(user):
                    found = Model.search([], limit=1)
                    self.assertTrue(found, name)
                    Model.read([found[0].id], list(names))
                    self.read_relations(Model, found[0], names)
                    for field in (
                            Model._fields.keys() - names - COMMON):
                        with self.subTest(model=name, field=field):
                            for call in [
                                    lambda: Model.read(
                                        [found[0].id], [field]),
                                    lambda: Model.search(
                                        [(field, '!=', None)]),
                                    lambda: Model.search(
                                        [], order=[(field, 'ASC')]),
                                    lambda: Model.export_data(
                                        found, [field]),
                                    lambda: Model.write(
                                        found, {field: None}),
                                    ]:
                                with self.assertRaises(REFUSED):
                                    call()

    def read_relations(self, Model, record, names):
        "Read the names of what the fields name, as the client does"
        Model.read([record.id], [
                f'{n}.rec_name' for n in names
                if Model._fields[n]._type == 'many2one'])
        for name in names:
            if Model._fields[name]._type in {'one2many', 'many2many'}:
                value = Model.read([record.id], [name])[0][name]
                Target = Model._fields[name].get_target()
                Target.read(list(value), ['rec_name'])

    @with_transaction()
    def test_own(self):
        "Test the case of the sample and another by each door"
        pool = Pool()
        with set_up() as (company, session, prescriber):
            other = create_session(company)
            user, case, hidden, sample = self.build(
                company, session, prescriber)
            strange, = open_cases(create_enrolments(other))
            stranger = create_user('stranger', company, 'auditor')
            hers = self.sample(company, [strange], stranger)
            for name, mine, theirs in [
                    ('training.abandon.case', case, hidden),
                    ('training.abandon.case', case, strange),
                    ('training.abandon.case.step',
                        case.steps[0], hidden.steps[0]),
                    ('training.mail', case.mails[0], hidden.mails[0]),
                    ('training.enrolment', case.enrolment, hidden.enrolment),
                    ('training.trainee', case.trainee, hidden.trainee),
                    ('training.session', session, other),
                    ('training.audit.sample', sample, hers),
                    ('training.audit.sample.line',
                        sample.lines[0], hers.lines[0]),
                    ]:
                Model = pool.get(name)
                with self.subTest(model=name):
                    with as_user(user):
                        self.assertEqual(Model.search([
                                    ('id', 'in', [mine.id, theirs.id])]),
                            [mine])
                        self.assertFalse(Model.search(
                                [('id', '=', theirs.id)], count=True))
                        self.assertTrue(
                            Model.read([mine.id], ['rec_name']))
                        for call in [
                                lambda: Model.read([theirs.id], ['id']),
                                lambda: Model.read(
                                    [mine.id, theirs.id], ['rec_name']),
                                lambda: Model.export_data(
                                    [Model(theirs.id)], ['rec_name']),
                                lambda: Model.copy([Model(theirs.id)]),
                                lambda: Model.write([Model(mine.id)], {}),
                                lambda: Model.delete([Model(mine.id)]),
                                ]:
                            with self.assertRaises(REFUSED):
                                call()
                        rows = Model.export_data_domain([], ['id'])
                        self.assertNotIn([theirs.id], rows)
                    with today(UNTIL + DAY), as_user(user):
                        for call in [
                                lambda: Model.search([]),
                                lambda: Model.read([mine.id], ['rec_name']),
                                lambda: Model.export_data(
                                    [Model(mine.id)], ['rec_name']),
                                ]:
                            with self.assertRaises(REFUSED):
                                call()

    @with_transaction()
    def test_global_search(self):
        "Test that the search beside the menu finds nothing hidden"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Model = pool.get('ir.model')
        with set_up() as (company, session, prescriber):
            user, case, hidden, _ = self.build(company, session, prescriber)
            Case.write([case], {'reason_comment': "Dyslexia"})
            theirs = {str(hidden), str(hidden.trainee)}
            for text, expected in [
                    (case.number, str(case)), (hidden.number, None),
                    (case.trainee.rec_name, str(case.trainee)),
                    (hidden.trainee.rec_name, None), ("Dyslexia", None)]:
                with self.subTest(text=text), as_user(user):
                    found = {
                        f'{name},{id_}' for _, name, _, id_, _, _
                        in Model.global_search(text, 500)}
                    self.assertFalse(found & theirs)
                    trainings = {n for n in found if 'training.' in n}
                    if expected:
                        self.assertIn(expected, trainings)
                    else:
                        self.assertFalse(trainings)
                    for Searched in [Case, Enrolment]:
                        self.assertLessEqual(
                            {str(r) for r in Searched.search(
                                    [('rec_name', 'ilike', f'%{text}%')])},
                            {str(case), str(case.enrolment)})

    @with_transaction()
    def test_relations(self):
        "Test that the fields that are read lead to nothing hidden"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        FollowUp = pool.get('training.follow_up')
        Session = pool.get('training.session')
        with set_up() as (company, session, prescriber):
            user, case, *_ = self.build(company, session, prescriber)
            fill(company, session)
            FollowUp.create([{
                        'company': company.id, 'case': case.id,
                        'enrolment': case.enrolment.id,
                        'party': case.trainee.party.id, 'note': "Note"}])
            with as_user(user):
                for Model, name in [
                        (Case, 'causes.cause'), (Case, 'reasons.name'),
                        (Case, 'replies.text'), (Case, 'proposals'),
                        (Case, 'follow_ups.note'), (Case, 'mails.body'),
                        (Case, 'enrolment.price'),
                        (Case, 'enrolment.cases.number'),
                        (Case, 'settlements'), (Enrolment, 'price'),
                        (Enrolment, 'alerts.word'),
                        (Session, 'enrolments.number')]:
                    with self.subTest(model=Model.__name__, name=name):
                        with self.assertRaises(REFUSED):
                            Model.search([(name, '!=', None)])
                        with self.assertRaises(REFUSED):
                            Model.export_data(
                                Model.search([]), [name.replace('.', '/')])

    @with_transaction()
    def test_outside(self):
        "Test that the other models lead to nothing hidden"
        pool = Pool()
        with set_up() as (company, session, prescriber):
            user, *_ = self.build(company, session, prescriber)
            tried = set()
            for name, Model in sorted(pool.iterobject()):
                if (name.startswith('training.') or name == 'ir.email'
                        or not issubclass(Model, ModelSQL)):
                    continue
                for field_name, field in Model._fields.items():
                    if field._type not in {
                            'many2one', 'one2many', 'many2many'}:
                        continue
                    target = field.get_target().__name__
                    short = target.removeprefix('training.')
                    if short == target or short in RIGHTS and (
                            target not in READ):
                        continue
                    tried.add(name)
                    hidden = [field_name]
                    if target in READ:
                        hidden = [
                            f'{field_name}.{n}'
                            for n in pool.get(target)._fields.keys()
                            - READ[target] - COMMON]
                    for path in hidden:
                        with self.subTest(model=name, path=path), \
                                as_user(user), self.assertRaises(REFUSED):
                            Model.search([(path, '!=', None)])
            self.assertIn('party.party', tried)

    @with_transaction()
    def test_attached(self):
        "Test the attachments, notes, emails and logs of the trainings"
        pool = Pool()
        with set_up() as (company, session, prescriber):
            user, case, *_ = self.build(company, session, prescriber)
            for name, values in [
                    ('ir.attachment', {'name': "Secret"}),
                    ('ir.note', {'message': "Secret"}),
                    ('ir.email', {'recipients': "a@b.example"}),
                    ('ir.model.log', {
                            'event': 'write', 'user': user.id,
                            'target': 'price'})]:
                Model = pool.get(name)
                attached = Model.create([
                        {**values, 'resource': str(r)} for r in [
                            case, case.enrolment, session,
                            case.trainee.party]])
                with as_user(user):
                    for record in attached:
                        with self.subTest(model=name), \
                                self.assertRaises(REFUSED):
                            Model.read([record.id], ['resource'])
                    self.assertFalse(Model.search([
                                ('id', 'in', [r.id for r in attached])]))
                    with self.subTest(model=name), \
                            self.assertRaises(REFUSED):
                        Model.create([{**values, 'resource': str(case)}])

    @with_transaction()
    def test_actions(self):
        "Test that no wizard nor report of another group is made"
        pool = Pool()
        Action = pool.get('ir.action.wizard')
        ReportAction = pool.get('ir.action.report')
        SampleReport = pool.get('training.audit.sample.report', type='report')
        with set_up() as (company, session, prescriber):
            user, case, hidden, sample = self.build(
                company, session, prescriber)
            stranger = create_user('stranger', company, 'auditor')
            hers = self.sample(company, [hidden], stranger)
            wizards = {
                a.wiz_name for a in Action.search([])
                if a.wiz_name.startswith('training.')}
            wizards.discard('training.manual.open')
            reports = [
                (a.report_name, a.action.id) for a in ReportAction.search([])
                if a.report_name.startswith('training.')
                and a.report_name not in REPORTS]
            self.assertGreater(len(wizards), 30)
            for record in [case, case.enrolment, session, sample]:
                with as_user(user), Transaction().set_context(
                        active_model=record.__name__, active_id=record.id,
                        active_ids=[record.id]):
                    for name in wizards:
                        Wizard = pool.get(name, type='wizard')
                        with self.subTest(name=name), \
                                self.assertRaises(REFUSED):
                            session_id, state, _ = Wizard.create()
                            Wizard.execute(session_id, {}, state)
                    for name, action in reports:
                        Report = pool.get(name, type='report')
                        with self.subTest(name=name), \
                                self.assertRaises(REFUSED):
                            Report.execute([record.id], {
                                    'action_id': action,
                                    'model': record.__name__,
                                    'id': record.id, 'ids': [record.id]})
            data = {'model': sample.__name__}
            with patch.object(
                    SampleReport, 'convert', classmethod(
                        lambda cls, report, data, **kwargs: (
                            'pdf', b'%PDF'))):
                with as_user(user):
                    self.assertEqual(
                        SampleReport.execute([sample.id], data)[0], 'pdf')
                    with self.assertRaises(REFUSED):
                        SampleReport.execute([hers.id], data)
                with today(UNTIL + DAY), as_user(user):
                    with self.assertRaises(REFUSED):
                        SampleReport.execute([sample.id], data)

    @with_transaction()
    def test_screens(self):
        "Test that the screens of an auditor are shown"
        pool = Pool()
        with set_up() as (company, session, prescriber):
            user, *_ = self.build(company, session, prescriber)
            with as_user(user):
                for name, number in [
                        ('training.abandon.case', 1),
                        ('training.audit.sample', 1),
                        ('training.audit.sample.line', 1),
                        ('training.audit.finding', 0)]:
                    Model = pool.get(name)
                    records = Model.search([])
                    self.assertEqual(len(records), number)
                    for view in ['tree', 'form']:
                        names = Model.fields_view_get(
                            view_type=view)['fields']
                        Model.read([r.id for r in records], list(names))

    @with_transaction()
    def test_buttons(self):
        "Test that no button but the one that draws again is pressed"
        with set_up() as (company, session, prescriber):
            user, case, _, sample = self.build(company, session, prescriber)
            with as_user(user):
                for record in [case, case.steps[0], case.mails[0], session]:
                    Model = type(record)
                    for button in Model._buttons:
                        with self.subTest(
                                model=Model.__name__, button=button), \
                                self.assertRaises(REFUSED):
                            getattr(Model, button)([Model(record.id)])

    @with_transaction()
    def test_finding(self):
        "Test that an auditor writes its findings and no answer"
        pool = Pool()
        Finding = pool.get('training.audit.finding')
        with set_up() as (company, session, prescriber):
            user, case, hidden, sample = self.build(
                company, session, prescriber)
            stranger = create_user('stranger', company, 'auditor')
            hers = self.sample(company, [hidden], stranger)
            theirs, = Finding.create([{
                        'sample': sample.id, 'line': sample.lines[0].id,
                        'grade': 'minor', 'text': "Known"}])
            with as_user(user):
                mine, = Finding.create([{
                            'sample': sample.id, 'line': sample.lines[0].id,
                            'grade': 'minor', 'text': "No call",
                            'found_on': DATE}])
                Finding.write([mine], {'text': "No call at all"})
                self.assertEqual(set(Finding.search([])), {mine, theirs})
                for call in [
                        lambda: Finding.write([mine], {'answer': "Done"}),
                        lambda: Finding.write(
                            [Finding(theirs.id)], {'text': "Other"}),
                        lambda: Finding.delete([mine]),
                        lambda: Finding.create([{
                                    'sample': hers.id,
                                    'line': hers.lines[0].id,
                                    'grade': 'minor', 'text': "No",
                                    'found_on': DATE}]),
                        ]:
                    with self.assertRaises(REFUSED):
                        call()

    @with_transaction()
    def test_until(self):
        "Test that the last day is the one of the company"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Sample = pool.get('training.audit.sample')
        with set_up() as (company, session, prescriber):
            user, case, _, sample = self.build(company, session, prescriber)
            with today(UNTIL), as_user(user):
                self.assertEqual(Case.search([]), [case])
            with today(UNTIL + DAY):
                Sample.write([sample], {'until': UNTIL + DAY})
                with as_user(user):
                    self.assertEqual(Case.search([]), [case])
                Sample.write([sample], {'auditors': [
                            ('remove', [user.id])]})
                with as_user(user), self.assertRaises(AccessError):
                    Case.search([])

    @with_transaction()
    def test_other_groups(self):
        "Test that who does or reads the trainings reads them all"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            _, case, hidden, sample = self.build(
                company, session, prescriber)
            for group in ['training', 'training_reading', 'accounting']:
                user = create_user(group, company, group, 'auditor')
                with self.subTest(group=group), as_user(user):
                    self.assertEqual(
                        set(Case.search([])), {case, hidden})
                    Case.read([hidden.id], ['proposals'])

    @with_transaction()
    def test_company(self):
        "Test that a sample of another company shows nothing"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Company = pool.get('company.company')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            other, = Company.create([{
                        'party': create_party("Other").id,
                        'currency': company.currency.id}])
            user = create_user('auditor', other, 'auditor')
            self.sample(company, [case], user)
            with as_user(user):
                self.assertFalse(Case.search([]))
                with self.assertRaises(REFUSED):
                    Case.read([case.id], ['number'])
