# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from unittest.mock import patch

from trytond.model import ModelSQL
from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import (
    FollowUpWarning, RequestError)
from trytond.modules.training_abandon.reach import COMMON
from trytond.modules.training_abandon.risk.trainer import READ, WRITTEN
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, as_user, count_statements, create_enrolments, create_party,
    create_session, create_user, open_cases, run_wizard, set_up)
from .test_access import fill
from .test_risk_alert import RiskTestCase

# The rights of the trainers, by model
RIGHTS = {
    'alert': 'R', 'attendance': 'RW', 'course': 'R', 'course.subject': 'R',
    'enrolment': 'R', 'follow_up': 'RWC', 'session': 'R',
    'session.group': 'R', 'session.slot': 'RW', 'trainee': 'R',
    # What anybody reads
    'abandon.procedure': 'R', 'abandon.procedure.letter': 'R',
    'abandon.procedure.step': 'R', 'abandon.reason': 'R',
    'abandon.solution': 'R', 'closure': 'R', 'configuration': 'R',
    'configuration.alert': 'R', 'configuration.calendar': 'R',
    'configuration.completion': 'R', 'configuration.evidence': 'R',
    'configuration.mail': 'R',
    'configuration.schedule': 'R',
    'configuration.sequence': 'R', 'risk.rule': 'R',
    }
CALENDAR = '\r\n'.join([
        'BEGIN:VCALENDAR', 'VERSION:2.0', 'BEGIN:VEVENT', 'UID:1',
        'DTSTART:20260302T090000', 'DTEND:20260302T120000', 'SUMMARY:S0001',
        'END:VEVENT', 'END:VCALENDAR', '']).encode('ascii')
# The wizards that they open
WIZARDS = {'training.alert.raise', 'training.manual.open'}
REFUSED = (AccessButtonError, AccessError, RequestError)


class TrainerTestCase(RiskTestCase):
    "Base of the tests of the trainers"

    def trainer(self, company, session, *groups):
        "Return a user who gives the first slots of the session"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        user = create_user('teacher', company, 'trainer', *groups)
        Slot.write(list(session.slots[:2]), {
                'trainer': user.employee.party.id})
        return user

    def own(self, user, *records):
        "Return the records with the access of the user"
        return [type(r)(r.id) for r in records]

    def show(self, records, view='tree', xml_id=None):
        "Read what a view of the client shows of the records"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        Model = type(records[0])
        if xml_id:
            xml_id = ModelData.get_id('training_abandon', xml_id)
        shown = Model.fields_view_get(xml_id, view)['fields']
        return Model.read([r.id for r in records], [
                *shown,
                *(f'{n}.rec_name' for n, f in shown.items()
                    if f['type'] == 'many2one')])


class RightsTestCase(TrainerTestCase):
    "Test what a trainer reaches of the models and of their fields"

    def models(self):
        return {
            name: Model for name, Model in sorted(Pool().iterobject())
            if name.startswith('training.') and issubclass(Model, ModelSQL)}

    @with_transaction()
    def test_models(self):
        "Test each model and operation"
        pool = Pool()
        Access = pool.get('ir.model.access')
        with set_up() as (company, session, _):
            with as_user(self.trainer(company, session)):
                for name in self.models():
                    access = Access.get_access([name])[name]
                    rights = ''.join(
                        letter for letter, perm in [
                            ('R', 'read'), ('W', 'write'), ('C', 'create'),
                            ('D', 'delete')] if access[perm])
                    with self.subTest(model=name):
                        if '-' in name:
                            self.assertIn(rights, {'', 'R'})
                        else:
                            self.assertEqual(rights, RIGHTS.get(
                                    name.removeprefix('training.'), ''))

    @with_transaction()
    def test_hidden(self):
        "Test that nothing is done with the models that are hidden"
        with set_up() as (company, session, _):
            user = self.trainer(company, session)
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
                        lambda: Model.search_read([]),
                        lambda: Model.export_data_domain([], ['id']),
                        lambda: Model.create([{}]),
                        ]
                    if record:
                        record = Model(record.id)
                        calls += [
                            lambda: Model.read([record.id], ['id']),
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
            self.assertGreater(tried, 250)

    @with_transaction()
    def test_fields(self):
        "Test that the fields that are not named are neither read nor written"
        pool = Pool()
        with set_up() as (company, session, _):
            user = self.trainer(company, session)
            fill(company, session)
            missing = set()
            for name, names in READ.items():
                Model = pool.get(name)
                self.assertLessEqual(names, Model._fields.keys())
                self.assertLessEqual(WRITTEN.get(name, set()), names)
                with as_user(user):
                    found = Model.search([], limit=1)
                    if not found:
                        missing.add(name)
                        continue
                    Model.read([found[0].id], list(names))
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
            self.assertEqual(missing, {
                    'training.course.subject', 'training.follow_up',
                    'training.session.group'})

    @with_transaction()
    def test_relations(self):
        "Test that the fields that are read lead to nothing hidden"
        pool = Pool()
        Alert = pool.get('training.alert')
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            user = self.trainer(company, session)
            fill(company, session)
            with as_user(user):
                enrolments = Enrolment.search([])
                for Model, name in [
                        (Enrolment, 'price'), (Enrolment, 'cases'),
                        (Enrolment, 'fundings.amount'),
                        (Session, 'enrolments.price'),
                        (Session, 'enrolments.cases.number'),
                        (Session, 'enrolments.fundings.amount'),
                        (Session, 'slots.attendances.comment'),
                        (Alert, 'enrolment.price'),
                        (Alert, 'enrolment.justifications.kind'),
                        (Alert, 'dismiss_reason'), (Alert, 'case.number')]:
                    with self.subTest(model=Model.__name__, name=name):
                        with self.assertRaises(REFUSED):
                            Model.search([(name, '!=', None)])
                        with self.assertRaises(REFUSED):
                            Model.export_data(
                                Model.search([]), [name.replace('.', '/')])
                with self.assertRaises(REFUSED):
                    Enrolment.write(enrolments, {'state': 'cancelled'})
                with self.assertRaises(REFUSED):
                    Enrolment.copy(enrolments)

    @with_transaction()
    def test_outside(self):
        "Test that the other models lead to nothing hidden"
        pool = Pool()
        with set_up() as (company, session, _):
            user = self.trainer(company, session)
            fill(company, session)
            tried = set()
            for name, Model in sorted(pool.iterobject()):
                # The rules hide the emails of the trainings
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
                        with self.subTest(model=name, path=path), \
                                as_user(user), self.assertRaises(REFUSED):
                            Model.export_data(
                                Model.search([]), [path.replace('.', '/')])
            self.assertIn('party.party', tried)

    @with_transaction()
    def test_attached(self):
        "Test the attachments, notes, emails and logs of the trainings"
        pool = Pool()
        with set_up() as (company, session, _):
            user = self.trainer(company, session)
            fill(company, session)
            enrolment = next(e for e in session.enrolments if e.alerts)
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
                            enrolment, enrolment.trainee, session,
                            session.slots[0], enrolment.alerts[0]]])
                with as_user(user):
                    for record in attached:
                        with self.subTest(model=name), \
                                self.assertRaises(REFUSED):
                            Model.read([record.id], ['resource'])
                    self.assertFalse(Model.search([
                                ('id', 'in', [r.id for r in attached])]))
                    with self.subTest(model=name), \
                            self.assertRaises(REFUSED):
                        Model.create([
                                {**values, 'resource': str(enrolment)}])

    @with_transaction()
    def test_attached_party(self):
        "Test what is attached to the parties of the trainees"
        pool = Pool()
        with set_up() as (company, session, _):
            user = self.trainer(company, session)
            enrolment, = create_enrolments(session)
            values = {'resource': str(enrolment.trainee.party)}
            for name, words in [
                    ('ir.attachment', {'name': "Secret"}),
                    ('ir.note', {'message': "Secret"})]:
                Model = pool.get(name)
                hidden, = Model.create([{**values, **words}])
                with self.subTest(model=name), as_user(user):
                    mine, = Model.create([{**values, **words}])
                    self.assertEqual(Model.search([
                                ('id', 'in', [hidden.id, mine.id])]), [mine])
                    with self.assertRaises(REFUSED):
                        Model.read([hidden.id], ['resource'])

    @with_transaction()
    def test_calendar(self):
        "Test that the own slots tell nothing of what is booked elsewhere"
        pool = Pool()
        Address = pool.get('party.address')
        Slot = pool.get('training.session.slot')
        names = ['calendar_description', 'calendar_background_color']
        with set_up() as (company, session, _):
            other = create_session(company)
            location, = Address.create([{'party': company.party.id}])
            Slot.write(
                [session.slots[0], other.slots[0]],
                {'location': location.id})
            assistant = create_user('assistant', company, 'training')
            rows = []
            for user in [self.trainer(company, session), assistant]:
                with as_user(user):
                    rows += Slot.read([session.slots[0].id], names)
            told, known = (r['calendar_description'] for r in rows)
            self.assertIn(other.rec_name, known)
            self.assertNotIn(other.rec_name, told)
            self.assertEqual(len({
                        r['calendar_background_color'] for r in rows}), 2)

    @with_transaction()
    def test_party(self):
        "Test the trainer whose employee has another party since"
        pool = Pool()
        Employee = pool.get('company.employee')
        with set_up() as (company, session, _):
            user = self.trainer(company, session)
            with as_user(user):
                self.assertEqual(type(session).search([]), [session])
            Employee.write([Employee(user.employee.id)], {
                    'party': create_party("Other").id})
            with as_user(user):
                self.assertFalse(type(session).search([]))

    @with_transaction()
    def test_actions(self):
        "Test that no wizard, report or call of another group is made"
        pool = Pool()
        Action = pool.get('ir.action.wizard')
        Enrolment = pool.get('training.enrolment')
        Reply = pool.get('training.mail.reply')
        ReportAction = pool.get('ir.action.report')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            user = self.trainer(company, session)
            fill(company, session)
            wizards = {
                a.wiz_name for a in Action.search([])
                if a.wiz_name.startswith('training.')}
            reports = [
                (a.report_name, a.action.id) for a in ReportAction.search([])
                if a.report_name.startswith('training.')]
            self.assertGreater(len(wizards), 30)
            self.assertGreater(len(reports), 3)
            enrolment = next(e for e in session.enrolments if e.alerts)
            records = [
                enrolment, session, session.slots[0], enrolment.trainee,
                enrolment.alerts[0], session.slots[0].attendances[0]]
            for record in records:
                with as_user(user), Transaction().set_context(
                        active_model=record.__name__, active_id=record.id,
                        active_ids=[record.id]):
                    for name in wizards - WIZARDS:
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
            with as_user(user):
                for call in [
                        lambda: Reply.receive(b'From: a@b.example\n\nText'),
                        lambda: Enrolment.enrol([{}]),
                        lambda: Session.load_calendar(
                            {'session': session.id}, apply=False),
                        lambda: Session.read_calendar(CALENDAR, 'test'),
                        ]:
                    with self.assertRaises(REFUSED):
                        call()


class OwnTestCase(TrainerTestCase):
    "Test that a trainer reaches the own sessions only"

    @with_transaction()
    def test_own(self):
        "Test the own and another session by each door"
        pool = Pool()
        with set_up() as (company, session, _):
            other = create_session(company)
            own, = create_enrolments(session)
            strange, = create_enrolments(other)
            self.rule()
            user = self.trainer(company, session)
            for enrolment in [own, strange]:
                self.fill(
                    enrolment.session.slots[:2], {enrolment: 'absent'})
            both = create_user('both', company, 'training', 'trainer')
            for name, mine, hidden in [
                    ('training.session', session, other),
                    ('training.session.slot',
                        session.slots[0], other.slots[0]),
                    ('training.attendance', *(
                            s.slots[0].attendances[0]
                            for s in [session, other])),
                    ('training.enrolment', own, strange),
                    ('training.trainee', own.trainee, strange.trainee),
                    ('training.alert', own.alerts[0], strange.alerts[0]),
                    ]:
                Model = pool.get(name)
                with self.subTest(model=name):
                    with as_user(user):
                        self.assertEqual(Model.search([
                                    ('id', 'in', [mine.id, hidden.id])]),
                            [mine])
                        self.assertFalse(Model.search(
                                [('id', '=', hidden.id)], count=True))
                        for call in [
                                lambda: Model.read([hidden.id], ['id']),
                                lambda: Model.read(
                                    [mine.id, hidden.id], ['rec_name']),
                                lambda: Model.export_data(
                                    [Model(hidden.id)], ['rec_name']),
                                lambda: Model.copy([Model(hidden.id)]),
                                lambda: Model.write([Model(hidden.id)], {}),
                                lambda: Model.delete([Model(hidden.id)]),
                                ]:
                            with self.assertRaises(REFUSED):
                                call()
                    with as_user(both):
                        self.assertEqual(len(Model.search([
                                        ('id', 'in', [
                                            mine.id, hidden.id])])), 2)
                        Model.read([hidden.id], ['rec_name'])
            with as_user(both):
                type(own).read([own.id], ['price', 'cases'])

    @with_transaction()
    def test_session(self):
        "Test who gives the slots without trainer of the session"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            create_enrolments(session)
            user = self.trainer(company, session)
            colleague = create_user('colleague', company, 'trainer')
            type(session).write([session], {'trainers': [
                        ('add', [colleague.employee.party.id])]})
            Slot.open(list(session.slots))
            for who, slots in [
                    (user, session.slots[:2]),
                    (colleague, session.slots[2:])]:
                with as_user(who):
                    self.assertEqual(
                        {a.slot for a in Attendance.search([])}, set(slots))
                    self.assertEqual(set(Slot.search([])), set(slots))
                    self.assertEqual(
                        type(session).search([]), [session])

    @with_transaction()
    def test_guest(self):
        "Test that a trainer reads the guest of a sheet"
        pool = Pool()
        Alert = pool.get('training.alert')
        Attendance = pool.get('training.attendance')
        with set_up() as (company, session, _):
            other = create_session(company)
            guest, strange = create_enrolments(other, 2)
            alert, = Alert.raise_concern([guest], 'other', "Divorce")
            user = self.trainer(company, session)
            with as_user(user), self.assertRaises(REFUSED):
                type(guest).read([guest.id], ['number'])
            self.fill(
                other.slots[:1], {guest: 'absent', strange: 'present'})
            slot = session.slots[0]
            type(slot).open([slot])
            line, = Attendance.create([{
                        'slot': slot.id,
                        'enrolment': guest.id,
                        'catches_up': other.slots[0].id,
                        'state': 'present',
                        }])
            missed, = Attendance.search([
                    ('slot', '=', other.slots[0].id),
                    ('enrolment', '=', guest.id),
                    ])
            with as_user(user):
                for record, name in [
                        (line, 'state'), (guest, 'number'),
                        (guest.trainee, 'code')]:
                    type(record).read([record.id], [name])
                row, = type(other).read([other.id], ['number', 'enrolments'])
                self.assertEqual(row['enrolments'], (guest.id,))
                with self.assertRaises(REFUSED):
                    type(strange).read([strange.id], ['number'])
                with self.assertRaises(REFUSED):
                    Attendance.read([missed.id], ['state'])
                for Model in [type(guest), type(guest.trainee), Attendance]:
                    self.show(Model.search([]))
                row, = self.show(self.own(user, alert))
                self.assertEqual(
                    row['session.']['rec_name'], other.rec_name)
                Attendance.write(
                    [Attendance(line.id)], {'state': 'absent'})


class SheetTestCase(TrainerTestCase):
    "Test what a trainer does with the sheets"

    @with_transaction()
    def test_sheet(self):
        "Test that a trainer opens, fills and closes a sheet once"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Reopen = pool.get('training.session.slot.reopen', type='wizard')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            self.rule()
            absent, present = create_enrolments(session, 2)
            user = self.trainer(company, session)
            with as_user(user), \
                    Transaction().set_context(_skip_warnings=True):
                for slot in self.own(user, *session.slots[:2]):
                    Slot.open([slot])
                    slot = Slot(slot.id)
                    Slot.write([slot], {
                            'attendances': [('write', [
                                        a.id for a in slot.attendances
                                        if a.enrolment == absent],
                                    {'state': 'absent'})]})
                    for values in [
                            {'comment': "Ill"}, {'justified': True},
                            {'enrolment': present.id}]:
                        with self.assertRaises(REFUSED):
                            Slot.write([slot], {
                                    'attendances': [('write', [
                                                slot.attendances[0].id],
                                            values)]})
                    for action in [
                            ('delete', [slot.attendances[0].id]),
                            ('create', [{'enrolment': absent.id}])]:
                        with self.assertRaises(REFUSED):
                            Slot.write([slot], {'attendances': [action]})
                    Slot.others_present([slot])
                    Slot.close([Slot(slot.id)])
            self.assertEqual(self.states(absent), ['absent'] * 2)
            self.assertEqual(self.states(present), ['present'] * 2)
            self.assertEqual([a.enrolment for a in self.alerts()], [absent])
            with as_user(user), \
                    Transaction().set_context(_skip_warnings=True):
                slot, = self.own(user, session.slots[0])
                lines = list(Attendance.search([('slot', '=', slot.id)]))
                for call in [
                        lambda: Slot.open([slot]),
                        lambda: Slot.cancel([slot]),
                        lambda: Slot.plan([slot]),
                        lambda: Attendance.set_present(lines),
                        lambda: Attendance.write(
                            lines, {'state': 'present'}),
                        lambda: Attendance.open_case(lines),
                        lambda: Slot.write([slot], {'attendances': [
                                    ('write', [lines[0].id],
                                        {'state': 'present'})]}),
                        lambda: Reopen.create(),
                        ]:
                    with self.assertRaises(REFUSED):
                        call()
            self.assertEqual(session.slots[0].state, 'held')

    @with_transaction()
    def test_notices(self):
        "Test that a trainer is told nothing of the mails of the sheets"
        pool = Pool()
        Mail = pool.get('training.mail')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            head = create_user('head', company, 'training_admin')
            enrolment, = create_enrolments(session, prescriber=prescriber)
            unreached, = create_enrolments(session)
            ContactMechanism = pool.get('party.contact_mechanism')
            ContactMechanism.delete(
                list(unreached.trainee.party.contact_mechanisms))
            user = self.trainer(company, session)
            with as_user(user):
                slot, = self.own(user, session.slots[0])
                Slot.open([slot])
                slot = Slot(slot.id)
                Slot.write([slot], {'attendances': [
                            ('write', [a.id for a in slot.attendances],
                                {'state': 'absent'})]})
                # Without any warning that names who is written to
                Slot.close([Slot(slot.id)])
            mails = Mail.search([('create_uid', '=', user.id)])
            self.assertGreater(len(mails), 1)
            with patch.object(
                    tools, 'may_read', wraps=tools.may_read) as may_read:
                Mail.notify_responsible(mails, lambda mails: ("Failed", ""))
            # Once for all the mails of the user
            may_read.assert_called_once_with(Mail, user.id)
            told = {n.user for n in Transaction().user_notifications}
            self.assertIn(head, told)
            self.assertNotIn(user, told)

    @with_transaction()
    def test_readable(self):
        "Test which records are readable, that are read at once"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            user = self.trainer(company, session)
            others = [
                s for _ in range(3) for s in create_session(company).slots]
            ids = [s.id for s in [*session.slots, *others]]
            self.assertEqual(tools.readable_ids(Slot, ids), set(ids))
            with as_user(user), count_statements() as statements:
                self.assertEqual(
                    tools.readable_ids(Slot, ids * 2),
                    {s.id for s in session.slots[:2]})
            self.assertLess(len(statements), len(ids))

    @with_transaction()
    def test_others(self):
        "Test the sheets of the others in the own session"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            create_enrolments(session)
            user = self.trainer(company, session)
            other = session.slots[2]
            with as_user(user):
                with self.assertRaises(REFUSED):
                    Slot.open(self.own(user, other))
            Slot.open([other])
            lines = [a.id for a in other.attendances]
            with as_user(user):
                for call in [
                        lambda: Slot.close(self.own(user, other)),
                        lambda: Slot.others_present(self.own(user, other)),
                        lambda: Slot.cancel(self.own(user, other)),
                        lambda: Slot.write(self.own(user, other), {
                                'attendances': [('write', lines,
                                        {'state': 'absent'})]}),
                        lambda: Attendance.set_absent(
                            Attendance.browse(lines)),
                        lambda: Attendance.write(
                            Attendance.browse(lines), {'state': 'absent'}),
                        ]:
                    with self.assertRaises(REFUSED):
                        call()

    @with_transaction()
    def test_reader(self):
        "Test that a trainer who reads all the trainings writes the own ones"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        FollowUp = pool.get('training.follow_up')
        Link = pool.get('training.session.slot-training.session.group')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            other = create_session(company)
            create_enrolments(session)
            strange, = create_enrolments(other)
            user = self.trainer(company, session, 'training_reading')
            hidden, = FollowUp.create([{
                        'company': company.id,
                        'enrolment': strange.id,
                        'party': strange.trainee.party.id,
                        }])
            self.fill(other.slots[:1], {strange: 'absent'})
            Slot.open(other.slots[1:2])
            with as_user(user):
                Slot.open(self.own(user, session.slots[0]))
                line, = Attendance.search([
                        ('slot', '=', session.slots[0].id)])
                Attendance.write([line], {'state': 'absent'})
                type(strange).read([strange.id], ['price', 'cases'])
                held, opened, planned = self.own(user, *other.slots[:3])
                lines = Attendance.search([('slot', '=', opened.id)])
                self.assertTrue(lines)
                for call in [
                        lambda: Slot.open([held]),
                        lambda: Slot.open([planned]),
                        lambda: Slot.close([opened]),
                        lambda: Slot.others_present([opened]),
                        lambda: Slot.write([opened], {'attendances': [
                                    ('write', [a.id for a in lines],
                                        {'state': 'absent'})]}),
                        lambda: Slot.write([planned], {'trainer': None}),
                        lambda: Link.create([{'slot': planned.id}]),
                        lambda: Attendance.write(
                            lines, {'state': 'absent'}),
                        lambda: Attendance.set_absent(lines),
                        lambda: FollowUp.write(
                            [FollowUp(hidden.id)], {'outcome': 'reached'}),
                        lambda: type(strange).write(
                            self.own(user, strange), {'price': None}),
                        ]:
                    with self.assertRaises(REFUSED):
                        call()

    @with_transaction()
    def test_planning(self):
        "Test that a trainer does not plan"
        pool = Pool()
        Link = pool.get('training.session.slot-training.session.group')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            user = self.trainer(company, session)
            with as_user(user):
                slot, = self.own(user, session.slots[0])
                for values in [
                        {'date': DATE + dt.timedelta(days=7)},
                        {'start': dt.time(8)}, {'trainer': None},
                        {'location': None}, {'state': 'held'},
                        {'cancel_reason': "Tired"}, {'groups': []}]:
                    with self.subTest(values=values), \
                            self.assertRaises(REFUSED):
                        Slot.write([slot], values)
                for call in [
                        lambda: Slot.delete([slot]),
                        lambda: Slot.copy([slot]),
                        lambda: Link.create([{'slot': slot.id}]),
                        lambda: type(session).plan(
                            self.own(user, session)),
                        lambda: type(session).cancel(
                            self.own(user, session)),
                        ]:
                    with self.assertRaises(REFUSED):
                        call()


class ActTestCase(TrainerTestCase):
    "Test the concerns and the follow-ups of a trainer"

    @with_transaction()
    def test_concern(self):
        "Test that a trainer raises a concern and reads what became of it"
        pool = Pool()
        Alert = pool.get('training.alert')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            strange, = create_enrolments(create_session(company))
            user = self.trainer(company, session)
            with as_user(user):
                with self.assertRaises(REFUSED):
                    run_wizard(
                        'training.alert.raise', [strange],
                        kind='difficulty', word="Lost",
                        enrolments=[strange.id])
                run_wizard(
                    'training.alert.raise', self.own(user, session),
                    kind='difficulty', word="Lost",
                    enrolments=[enrolment.id])
                alert, = Alert.search([])
                self.assertEqual(alert.what, "Difficulty to Follow – Lost")
                for button in ['handle', 'dismiss', 'open_case']:
                    with self.assertRaises(REFUSED):
                        getattr(Alert, button)([alert])
            other, = Alert.raise_concern([enrolment], 'other', "Divorce")
            case, = open_cases([enrolment])
            type(case).cancel([case])
            type(session.slots[0]).write(
                list(session.slots), {'trainer': None})
            with as_user(user):
                alert, = Alert.search([])
                self.assertEqual(alert.raised_by, user)
                self.assertIn("has been closed since", alert.outcome)
                for view in ['tree', 'form']:
                    kind = 'list' if view == 'tree' else view
                    row, = self.show(
                        [alert], view, f'alert_view_{kind}_concern')
                self.assertEqual(
                    row['enrolment.']['rec_name'], enrolment.rec_name)
                self.show([alert])
                with self.assertRaises(REFUSED):
                    Alert.read([other.id], ['what'])

    @with_transaction()
    def test_follow_up(self):
        "Test that a trainer records follow-ups and reads the own ones"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            strange, = create_enrolments(create_session(company))
            user = self.trainer(company, session)

            def values(enrolment):
                return {
                    'company': company.id,
                    'enrolment': enrolment.id,
                    'kind': 'call',
                    'party': enrolment.trainee.party.id,
                    'done_at': dt.datetime.combine(DATE, dt.time(15)),
                    'outcome': 'no_answer',
                    }

            hidden, = FollowUp.create([{**values(enrolment), 'note': "Ill"}])
            with as_user(user):
                mine, = FollowUp.create([values(enrolment)])
                self.assertEqual(FollowUp.search([]), [mine])
                FollowUp.write([mine], {'outcome': 'reached'})
                for call in [
                        lambda: FollowUp.create([values(strange)]),
                        lambda: FollowUp.create([
                                {**values(enrolment), 'note': "Ill"}]),
                        lambda: FollowUp.read([hidden.id], ['outcome']),
                        lambda: FollowUp.write(
                            [FollowUp(hidden.id)], {'outcome': 'reached'}),
                        lambda: FollowUp.write(
                            [mine], {'enrolment': strange.id}),
                        lambda: FollowUp.delete([mine]),
                        lambda: FollowUp.cancel([mine]),
                        ]:
                    with self.assertRaises(REFUSED):
                        call()

    @with_transaction()
    def test_clash(self):
        "Test that the warnings name no follow-up of the others"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            strange, = create_enrolments(create_session(company))
            user = self.trainer(company, session)
            colleague = create_user('colleague', company, 'training')

            def values(enrolment):
                return {
                    'company': company.id,
                    'enrolment': enrolment.id,
                    'kind': 'call',
                    'party': enrolment.trainee.party.id,
                    'employee': colleague.employee.id,
                    'planned_at': dt.datetime(2026, 3, 10, 10),
                    }

            FollowUp.create([values(strange)])
            with as_user(user), self.assertRaisesRegex(
                    FollowUpWarning,
                    "Colleague is busy from 03/10/2026.10:00 to") as caught:
                FollowUp.create([values(enrolment)])
            self.assertNotIn(
                strange.trainee.party.name, str(caught.exception))
            with as_user(user):
                with Transaction().set_context(_skip_warnings=True):
                    FollowUp.create([values(enrolment)])
                with self.assertRaisesRegex(
                        FollowUpWarning, "at the same time"):
                    FollowUp.create([values(enrolment)])

    @with_transaction()
    def test_menu(self):
        "Test that a trainer has a menu of its own"
        pool = Pool()
        Menu = pool.get('ir.ui.menu')
        ModelData = pool.get('ir.model.data')
        with set_up() as (company, session, _):
            user = self.trainer(company, session)
            top = ModelData.get_id('training_abandon', 'menu_training')
            with as_user(user):
                menus = Menu.search([('parent', 'child_of', [top])])
                self.assertEqual([m.name for m in menus if m.parent], [
                        "My Sessions", "Attendance Sheets", "Sessions",
                        "Trainees", "Alerts", "My Concerns"])
                for menu in menus:
                    if menu.action:
                        pool.get(menu.action.res_model).search_read([])
