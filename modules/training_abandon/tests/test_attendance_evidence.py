# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import Counter
from unittest.mock import patch

from trytond import backend
from trytond.exceptions import UserError
from trytond.model import ModelSQL, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, inactive_records

from ..exceptions import EnrolmentError
from .common import (
    DATE, DAY, DatabaseTestCase, as_user, create_enrolments, create_party,
    create_session, create_user, decide, get_reason, get_to_decision,
    mail_server, other_values, run_wizard, set_up, without_commit)


class EvidenceTestCase(DatabaseTestCase):
    "Base of the tests of what the official sheets say"

    def hold(self, session, count=2, **values):
        "Return the slot of an official sheet with its lines"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        create_enrolments(session, count)
        slot = session.slots[0]
        if values:
            Slot.write([slot], values)
        Slot.open([slot])
        Slot.close([slot])
        slot = Slot(slot.id)
        return slot, list(slot.attendances)

    def refused(self, func, *args, error=AccessError):
        with self.assertRaises(error):
            func(*args)


class SheetEvidenceTestCase(EvidenceTestCase):
    "Test that the official sheets are protected through their neighbours"

    @with_transaction()
    def test_enrolment(self):
        "Test that who stands on an official sheet stays"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Trainee = pool.get('training.trainee')
        Slot = pool.get('training.session.slot')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            slot, (line, other) = self.hold(session)
            enrolment = line.enrolment
            # The absence of a person who never came
            self.refused(Enrolment.cancel, [enrolment], error=EnrolmentError)
            # As the decision of a case
            Enrolment.call_off([enrolment])
            self.refused(Enrolment.delete, [enrolment])
            self.refused(
                Enrolment.write, [enrolment], {'trainee': other.trainee.id})
            self.refused(Enrolment.write, [enrolment], {
                    'session': create_session(company).id})
            self.refused(Trainee.write, [line.trainee], {
                    'party': create_party("Other").id})
            self.refused(Slot.delete, [slot])
            Session.cancel([session])
            self.refused(Session.delete, [session])
            Session.draft([session])
            Slot.open([slot])
            # What it said when it was closed is in its history
            self.refused(Enrolment.delete, [enrolment])
            self.refused(Slot.delete, [slot])
            self.assertEqual(len(Slot(slot.id).attendances), 2)

    @with_transaction()
    def test_cancel_absent(self):
        "Test that who was never there may be cancelled, not deleted"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            slot, (line, other) = self.hold(session)
            Slot.open([slot])
            Attendance.write([line], {'state': 'absent'})
            Slot.close([slot])
            Enrolment.cancel([line.enrolment])
            self.refused(Enrolment.delete, [line.enrolment])
            # The absence is still one
            self.assertEqual(Enrolment(line.enrolment.id).absence_count, 1)
            # Nobody has attended what is called off
            Slot.open([slot])
            Attendance.write([other], {'state': 'present'})
            Slot.cancel([slot])
            Enrolment.cancel([other.enrolment])
            self.assertEqual(other.enrolment.state, 'cancelled')
            self.refused(Slot.delete, [slot])

    @with_transaction()
    def test_slot(self):
        "Test that what an official sheet shows stays"
        pool = Pool()
        Address = pool.get('party.address')
        Event = pool.get('training.session.slot.event')
        Slot = pool.get('training.session.slot')
        Subject = pool.get('training.course.subject')
        with set_up() as (company, session, _):
            first, second = create_party("First"), create_party("Second")
            slot, _ = self.hold(session, trainer=first.id)
            room, = Address.create([{'party': company.party.id}])
            subject, = Subject.create([{
                        'course': session.course.id, 'name': "Law"}])
            for values in [
                    {'location': room.id},
                    {'subject': subject.id},
                    {'session': create_session(company).id},
                    {'start': dt.time(8)},
                    {'end': dt.time(13)},
                    {'trainer': second.id},
                    {'trainer': None},
                    {'location': second.addresses[0].id
                        if second.addresses else None, 'trainer': None},
                    {'date': DATE + DAY},
                    ]:
                with self.subTest(values=values):
                    self.refused(Slot.write, [slot], values)
            Slot.write([slot], {'trainer': first.id})
            user = create_user('assistant', company, 'training')
            with as_user(user):
                self.refused(Slot.write, [slot], {'state': 'planned'})
                self.refused(Slot.write, [slot], {'trainer': second.id})
            # Neither by another door
            for name in [
                    'state', 'start_at', 'end_at', 'duration', 'half',
                    'weekday', 'parallel']:
                for value in other_values(slot, name):
                    with self.subTest(name=name, value=value):
                        self.refused(
                            lambda: Slot.check_modification(
                                'write', [slot], {name: value},
                                external=True))

            # The sheet that is open again tells it
            Slot.open([slot])
            Slot.write([slot], {'trainer': second.id})
            event, = Event.search([('kind', '=', 'changed')])
            self.assertEqual(event.description, "Trainer: First → Second.")

    @with_transaction()
    def test_lines(self):
        "Test that the users do not change the lines of an official sheet"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            slot, (line, other) = self.hold(session)
            opened = session.slots[1]
            Slot.open([opened])
            stray, = Attendance.search([
                    ('slot', '=', opened.id),
                    ('enrolment', '=', line.enrolment.id),
                    ])
            user = create_user('assistant', company, 'training')
            with as_user(user):
                for method, args in [
                        ('write', [[line], {'state': 'absent'}]),
                        ('write', [[line], {'comment': "Late"}]),
                        ('write', [[stray], {'slot': slot.id}]),
                        ('write', [[line], {'slot': opened.id}]),
                        ('delete', [[line]]),
                        ]:
                    with self.subTest(method=method, args=args):
                        self.refused(getattr(Attendance, method), *args)
                self.refused(Slot.write, [slot], {
                        'attendances': [('delete', [line.id])]})

    @with_transaction()
    def test_start(self):
        "Test that a sheet held by hand starts who attended"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            Session.plan([session])
            enrolments = create_enrolments(session, 2)
            Enrolment.confirm(enrolments)
            slot = session.slots[0]
            Slot.open([slot])
            Attendance.write(
                Attendance.search([('enrolment', '=', enrolments[1].id)]),
                {'state': 'absent'})
            self.assertEqual(Session(session.id).state, 'planned')
            Slot.close([slot])
            self.assertEqual(
                [e.state for e in Enrolment.browse(enrolments)],
                ['started', 'confirmed'])
            self.assertEqual(Session(session.id).state, 'running')

    @with_transaction()
    def test_time_zone(self):
        "Test that the times in UTC follow the time zone of the company"
        pool = Pool()
        Company = pool.get('company.company')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            self.assertIsNone(company.timezone)
            slot, _ = self.hold(session)
            revision = session.slots[1].calendar_revision
            # The night in which the clocks change in France
            night, = create_session(
                company, dt.date(2026, 3, 29), days=1).slots[:1]
            Slot.write([night], {'start': dt.time(1), 'end': dt.time(4)})
            Company.write([company], {'timezone': 'Europe/Paris'})
            slot, other, night = Slot.browse(
                [slot, session.slots[1], night])
            for record, start, hours in [(slot, 8, 3), (other, 13, 3)]:
                self.assertEqual(record.start_at.time(), dt.time(start))
                self.assertEqual(
                    record.end_at - record.start_at,
                    dt.timedelta(hours=hours))
                self.assertEqual(record.duration, dt.timedelta(hours=3))
            self.assertEqual(
                (slot.date, slot.start, slot.end),
                (DATE, dt.time(9), dt.time(12)))
            self.assertEqual(night.duration, dt.timedelta(hours=2))
            self.assertEqual(other.calendar_revision, revision + 1)

            Company.write([company], {'timezone': 'Indian/Reunion'})
            self.assertEqual(Slot(night.id).duration, dt.timedelta(hours=3))

    @with_transaction()
    def test_names(self):
        "Test that the sheet keeps the names that it had"
        pool = Pool()
        Course = pool.get('training.course')
        Party = pool.get('party.party')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        SignInSheet = pool.get('training.session.sign_in_sheet', type='report')
        with set_up() as (_, session, _):
            trainer = create_party("Ann Teacher")
            slot, (line, _) = self.hold(session, trainer=trainer.id)
            number, name = session.number, line.trainee.rec_name

            def page():
                page, = SignInSheet._pages(
                    SignInSheet._slots([slot.id], name='id'))
                return (
                    page.said('course_name'), page.said('session_number'),
                    [n for _, n in page.columns(1)],
                    [n for n, _ in page.rows])

            said = page()
            self.assertEqual(said[0], ["Bookkeeping"])
            self.assertIn(name, said[3])
            Course.write([session.course], {'name': "Accounting"})
            Session.write([session], {'number': 'X'})
            Party.write([trainer], {'name': "Ann Married"})
            Party.write([line.trainee.party], {'name': "Renamed"})
            self.assertEqual(page(), said)
            self.assertEqual(said[1], [number])

            # Until it is official again
            Slot.open([slot])
            self.assertEqual(line.name_said, "Renamed")
            Slot.close([slot])
            self.assertEqual(page()[0], ["Accounting"])
            self.assertEqual(page()[2], ["Ann Married"])
            self.assertIn("Renamed", page()[3])

    @with_transaction()
    def test_replace(self):
        "Test that the sheet says the same of a person recorded twice"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Event = pool.get('training.session.slot.event')
        Replace = pool.get('party.replace', type='wizard')
        with set_up() as (company, session, _):
            slot, (line, _) = self.hold(session)
            name = line.trainee.rec_name
            destination, = create_enrolments(create_session(company))
            session_id, _, _ = Replace.create()
            with patch.object(
                    Replace, 'check_similarity', lambda self: None):
                Replace.execute(session_id, {'ask': {
                            'source': line.trainee.party.id,
                            'destination': destination.trainee.party.id,
                            }}, 'replace')
            line = Attendance(line.id)
            self.assertEqual(line.trainee, destination.trainee)
            self.assertEqual(line.name_said, name)
            event, = Event.search([('kind', '=', 'changed')])
            self.assertIn(name, event.description)

    @with_transaction()
    def test_erase(self):
        "Test that erasing a person is told and keeps the rest"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Erase = pool.get('party.erase', type='wizard')
        Event = pool.get('training.session.slot.event')
        Log = pool.get('ir.model.log')
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            trainer = create_party("Ann Teacher")
            slot, (line, _) = self.hold(session, trainer=trainer.id)
            names = [line.trainee.rec_name, "Ann Teacher"]
            for party in [line.trainee.party, trainer]:
                party.active = False
                party.save()
                session_id, _, _ = Erase.create()
                Erase.execute(
                    session_id, {'ask': {'party': party.id}}, 'erase')
            for cache in Transaction().cache.values():
                cache.clear()
            line, slot = Attendance(line.id), Slot(slot.id)
            self.assertEqual((line.state, slot.state), ('present', 'held'))
            self.assertIsNone(line.trainee_name)
            events = Event.search([('kind', '=', 'erased')])
            self.assertEqual(len(events), 2)
            for event in Event.search([]):
                for name in names:
                    self.assertNotIn(name, [
                            event.description, event.trainer_name])
            Log.save(Transaction().log_records)
            Transaction().log_records.clear()
            log, = Log.search([('resource', '=', str(line))])
            self.assertEqual(
                log.target, 'justification,comment,trainee_name')

    @with_transaction()
    def test_reason(self):
        "Test that a reason in use keeps its words"
        pool = Pool()
        Reason = pool.get('training.abandon.reason')
        with set_up() as (company, session, _):
            case = get_to_decision(create_enrolments(session)[0])
            CaseReason = pool.get(
                'training.abandon.case-training.abandon.reason')
            reason = get_reason('time.lack')
            admin = create_user('admin2', company, 'training_admin')
            spare, = Reason.create([{'name': "Spare"}])
            secret, = Reason.create([{'name': "Secret", 'sensitive': True}])
            for used in [reason, secret]:
                CaseReason.create([{'case': case.id, 'reason': used.id}])
            with as_user(admin):
                Reason.write([spare], {'name': "Changed"})
                Reason.write([reason], {'name': reason.name, 'active': True})
                for record, values in [
                        (reason, {'name': "Other"}),
                        (reason, {'parent': spare.id}),
                        (reason.parent, {'name': "Other"}),
                        (secret, {'sensitive': False}),
                        ]:
                    with self.subTest(record=record.id, values=values):
                        self.refused(Reason.write, [record], values)
                Reason.write([reason], {'sensitive': True})


class PropertyTestCase(EvidenceTestCase):
    """Test that no user changes what the official sheets, the steps, the
    mails and the certificates say, unless it is told in their history"""

    @with_transaction()
    def test_neighbours(self):
        "Test each field, the deletion and the copy of all they depend on"
        with set_up() as (company, session, prescriber):
            trainer = create_party("Ann Teacher")
            slot, lines = self.hold(session, trainer=trainer.id)
            case = self.certify(lines[0].enrolment)
            self.evidence = slot, case
            self.user = self.create_user(company)
            create_enrolments(create_session(company, days=1))
            roots = [
                slot, *lines, case, *case.steps, *case.mails,
                *case.certificates, case.procedure, trainer,
                *(a.trainee.party for a in lines)]
            records = self.neighbours(roots)
            self.assertGreater(len({r.__name__ for r in records}), 15)
            said = self.said()
            self.assertIn('sent', str(said['mails']))
            tried = 0
            for record in records:
                for label, change in self.changes(record):
                    tried += 1
                    with self.subTest(record=str(record), change=label):
                        self.attempt(change, said)
            self.assertGreater(tried, 300)

    def create_user(self, company):
        "Return a user who may do all"
        pool = Pool()
        Group = pool.get('res.group')
        User = pool.get('res.user')
        user = create_user('mighty', company)
        User.write([user], {
                'groups': [('add', [g.id for g in Group.search([])])]})
        return user

    def certify(self, enrolment):
        "Return a case with done steps, a certificate and a sent mail"
        Report = Pool().get('training.abandon.certificate', type='report')
        case = get_to_decision(enrolment)
        decide(case, effective_date=DATE)
        with patch.object(
                Report, 'convert',
                lambda report, data, **kwargs: ('pdf', b'%PDF')):
            run_wizard('training.abandon.case.certify', [case])
        Transaction().tasks.clear()
        case = type(case)(case.id)
        with mail_server():
            type(case.mails[0]).deliver_queued(list(case.mails))
        return type(case)(case.id)

    def neighbours(self, records):
        "Return the records that the records refer to, and those that do"
        found, waiting = {}, list(records)
        with inactive_records():
            while waiting:
                record = waiting.pop()
                if record in found:
                    continue
                found[record] = True
                for name, field in record._fields.items():
                    # The user of a trace is no part of what it says
                    if name in {'create_uid', 'write_uid', 'user'}:
                        continue
                    if isinstance(field, (fields.One2Many, fields.Many2One)):
                        value = getattr(record, name) or []
                        waiting += (
                            value[:2] if isinstance(value, (tuple, list))
                            else [value])
        result, count = [], Counter()
        for record in found:
            name = record.__name__
            if (isinstance(record, ModelSQL)
                    and not type(record)._is_table_query()
                    and name.startswith(('training.', 'party.', 'company.'))
                    and (record in records or not count[name])):
                result.append(record)
                count[name] += 1
        return result

    def changes(self, record):
        "Yield what a user may try on the record, with its label"
        Model = type(record)
        for name, field in sorted(Model._fields.items()):
            if name in {'id', 'create_uid', 'create_date', 'write_uid',
                    'write_date'}:
                continue
            if (isinstance(field, fields.Function)
                    and not isinstance(field, fields.MultiValue)
                    and not field.setter):
                continue
            for value in other_values(record, name):
                yield f'{name} = {value}', (
                    lambda n=name, v=value: Model.write(
                        [Model(record.id)], {n: v}))
        yield 'delete', lambda: Model.delete([Model(record.id)])
        yield 'copy', lambda: Model.copy([Model(record.id)])

    def attempt(self, change, said):
        "Test the change and undo it"
        pool = Pool()
        Event = pool.get('training.session.slot.event')
        cursor = Transaction().connection.cursor()
        events = Event.search([], count=True)
        cursor.execute('SAVEPOINT attempt')
        try:
            with without_commit(), as_user(self.user), \
                    Transaction().set_context(_skip_warnings=True):
                change()
            self.forget()
            if Event.search([], count=True) == events:
                self.assertEqual(self.said(), said)
        except UserError:
            pass
        except Exception as exception:
            # PostgreSQL reads no message in a transaction that it aborted
            if not isinstance(
                    exception.__context__, backend.DatabaseIntegrityError):
                raise
        finally:
            cursor.execute('ROLLBACK TO attempt')
            self.forget()
            Transaction().tasks.clear()

    def forget(self):
        for cache in Transaction().cache.values():
            cache.clear()

    def said(self):
        "Return what the evidence says"
        pool = Pool()
        SignInSheet = pool.get('training.session.sign_in_sheet', type='report')
        slot, case = [type(r)(r.id) for r in self.evidence]
        page, = SignInSheet._pages(
            SignInSheet._slots([slot.id], name='id'))
        return {
            'names': page.names,
            'rows': page.rows,
            'slot': [
                slot.date, slot.start, slot.end, slot.duration, slot.state],
            'lines': sorted(
                (a.id, a.enrolment.id, a.name_said, a.state, a.missed,
                    a.late_by, a.left_by) for a in slot.attendances),
            'events': [
                (e.id, e.kind, e.at, e.attendances)
                for e in slot.sheet_events],
            'case': [case.enrolment.id, case.decision, case.ground,
                case.effective_date, case.procedure.rec_name],
            'steps': [
                (s.id, s.kind, s.state, s.done_at, s.skip_reason)
                for s in case.steps],
            'mails': [
                (m.id, m.to, m.subject, m.body, m.message, m.state, m.sent_at)
                for m in case.mails],
            'certificates': [
                (c.id, c.kind, c.document, c.sha256, c.issued_at)
                for c in case.certificates],
            }
