# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.modules.training_abandon.exceptions import TrainingValidationError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, NoticeTestCase, as_user, create_enrolments, create_user, open_cases,
    run_wizard, set_up)


class JustificationTestCase(NoticeTestCase):
    "Test the justifications"

    def justify(self, enrolment, start=DATE, end=None, **values):
        pool = Pool()
        Justification = pool.get('training.justification')
        justification, = Justification.create([{
                    'company': enrolment.company.id,
                    'enrolment': enrolment.id,
                    'kind': 'other',
                    'start_date': start,
                    'end_date': end or start,
                    **values,
                    }])
        return justification

    @with_transaction()
    def test_open_case(self):
        "Test that the owner of an open case is told what is justified"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Justification = pool.get('training.justification')
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 3)
            cases = open_cases(enrolments[:2])
            owner = create_user('owner', company, 'training')
            Case.write(cases, {'owner': owner.employee.id})
            Case.cancel(cases[1:])
            Transaction().user_notifications.clear()
            Justification.accept([
                    self.justify(e, kind='sick_leave') for e in enrolments])
            notification, = Transaction().user_notifications
            self.assertEqual(notification.user, owner)
            self.assertEqual(notification.records, f'[{cases[0].id}]')
            self.assertIn(cases[0].rec_name, notification.description)
            self.assertNotIn("Sick", notification.description)

    @with_transaction()
    def test_justified_is_not_corrected(self):
        "Test that who was told of an absence is not told that it is justified"
        pool = Pool()
        Justification = pool.get('training.justification')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            slots = list(session.slots[:1])
            self.fill(slots, {enrolment: 'absent'})
            self.deliver()
            Justification.accept([self.justify(enrolment)])
            Slot.open(slots)
            Slot.close(slots)
            self.assertEqual(self.states(enrolment), ['excused'])
            self.assertEqual(len(self.mails()), 1)

            # Nor that it was no absence, once it is again
            self.fill(slots, {enrolment: 'present'})
            _, correction = self.mails()
            self.fill(slots, {enrolment: 'absent'})
            self.deliver()
            self.assertEqual(self.states(enrolment), ['excused'])
            self.assertEqual(correction.state, 'cancelled')
            self.assertEqual(len(self.mails()), 2)

    @with_transaction()
    def test_justification(self):
        "Test that the accepted justifications excuse their period"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Justification = pool.get('training.justification')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, other = create_enrolments(session, 2)
            morning, afternoon, tomorrow, last = session.slots
            self.fill([morning], {enrolment: 'absent', other: 'absent'})
            self.fill([afternoon], {enrolment: ('late', 10)})
            whole = self.justify(
                enrolment, end=tomorrow.date, end_time=dt.time(12))
            half = self.justify(enrolment, end_time=dt.time(12))

            Justification.accept([whole, half])
            self.assertEqual(self.states(enrolment), ['excused', 'late'])
            self.assertEqual(self.states(other), ['absent', 'present'])
            line, late = sorted(
                whole.attendances, key=lambda a: a.slot.start)
            self.assertEqual(
                (line.slot, late.slot), (morning, afternoon))
            self.assertTrue(late.justified)
            self.assertEqual(line.justification, whole.rec_name)
            self.assertEqual((line.source, line.missed), (
                    'sheet', dt.timedelta(hours=3)))
            self.assertTrue(whole.decided_at)
            self.assertIn(
                (str(line), 'write'),
                [(str(x.resource), x.event)
                    for x in Transaction().log_records])

            # The slots to come
            Slot.open([tomorrow, last])
            self.assertEqual(
                self.states(enrolment),
                ['excused', 'late', 'excused', 'present'])
            line = Attendance.search([
                    ('slot', '=', tomorrow.id),
                    ('enrolment', '=', enrolment.id)])[0]
            self.assertEqual(
                (line.source, line.justified_by), ('default', whole))
            Attendance.write([line], {'state': 'present'})
            self.assertFalse(line.justified_by or line.justification)
            self.assertEqual(line.source, 'sheet')

            # The other one still holds
            run_wizard(
                'training.justification.refuse', [whole], reason="Copy")
            self.assertEqual(whole.state, 'refused')
            self.assertEqual(whole.refusal_reason, "Copy")
            self.assertEqual(self.states(enrolment)[0], 'excused')
            self.assertEqual(len(half.attendances), 1)
            Justification.reset([half])
            self.assertEqual(self.states(enrolment)[0], 'absent')
            self.assertFalse(Attendance.search([
                        ('justification', '!=', None)]))

            with self.assertRaises(TrainingValidationError):
                self.justify(
                    enrolment,
                    start_time=dt.time(12), end_time=dt.time(10))

    @with_transaction()
    def test_justification_bounds(self):
        "Test that only what is accepted excuses, within its times"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Justification = pool.get('training.justification')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, gone = create_enrolments(session, 2)
            gone.end_date = DATE
            gone.save()
            slots = list(session.slots)
            self.fill(slots[:2], {enrolment: 'absent'})
            # Between the two slots
            lunch = self.justify(
                enrolment, start_time=dt.time(12), end_time=dt.time(14))
            Justification.accept([lunch])
            with self.assertRaises(TrainingValidationError):
                self.justify(
                    enrolment, start_time=dt.time(12), end_time=dt.time(12))
            refused, received = [
                self.justify(enrolment, slots[2].date) for _ in range(2)]
            Justification.refuse_for([refused], "Copy")
            Justification.accept([self.justify(gone, slots[2].date)])
            Slot.open(slots[2:])
            self.assertEqual(self.states(gone), ['present', 'present'])
            self.assertEqual(
                self.states(enrolment),
                ['absent', 'absent', 'present', 'present'])
            Attendance.write(
                [a for s in Slot.browse(slots[2:]) for a in s.attendances],
                {'state': 'absent'})
            Slot.close(slots[2:])
            self.assertEqual(self.states(enrolment), ['absent'] * 4)

            # Nobody decides but by the buttons
            def check(mode, justification, values=None):
                Justification.check_modification(
                    mode, [justification], values, external=True)

            check('create', received)
            check('write', received, {'end_date': DATE})
            check('delete', received)
            check('write', lunch, {'note': "Seen"})
            for mode, values in [
                    ('create', None), ('delete', None),
                    *(('write', {name: None}) for name in [
                            'state', 'decided_by', 'decided_at',
                            'refusal_reason', 'enrolment', 'kind',
                            'start_date', 'start_time', 'end_date',
                            'end_time', 'document'])]:
                with self.subTest(mode=mode, values=values), \
                        self.assertRaises(AccessError):
                    check(mode, lunch, values)
            self.assertTrue(lunch.decided_by)
            Justification.reset([lunch])
            self.assertEqual(
                (lunch.decided_by, lunch.decided_at), (None, None))
            copy, = Justification.copy([refused])
            self.assertEqual(
                (copy.state, copy.decided_at, copy.refusal_reason),
                ('received', None, None))

    @with_transaction()
    def test_justified_lateness(self):
        "Test that a justified lateness is excused and still a lateness"
        pool = Pool()
        Justification = pool.get('training.justification')
        Slot = pool.get('training.session.slot')
        minutes = dt.timedelta(minutes=40)
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            slots = session.slots[:1]
            self.fill(slots, {enrolment: ('late', 40)})
            mail, = self.mails()
            line, = slots[0].attendances

            def facts():
                record = type(enrolment)(enrolment.id)
                return (
                    record.hours_missed, record.hours_excused,
                    record.late_count)

            self.assertEqual(facts(), (minutes, dt.timedelta(), 1))
            # It holds once the trainee is there
            after = self.justify(enrolment, start_time=dt.time(9, 40))
            Justification.accept([after])
            self.assertFalse(line.justified_by)
            justification = self.justify(
                enrolment, kind='transport', end_time=dt.time(9, 15))
            Justification.accept([justification])
            self.assertEqual(
                (line.state, line.late_by, line.justified_by, line.justified),
                ('late', minutes, justification, True))
            self.assertEqual(line.justification, justification.rec_name)
            self.assertEqual(facts(), (minutes, minutes, 1))
            self.assertEqual(mail.state, 'cancelled')
            self.assertFalse(mail.notices[0].corrected_at)
            # Nor would it leave
            self.assertIn("is excused", mail._get_outdated())

            Justification.reset([justification])
            self.assertEqual(
                (line.state, line.justified_by, line.justified),
                ('late', None, False))
            self.assertEqual(facts(), (minutes, dt.timedelta(), 1))
            Justification.accept([justification])

            # The sheet looks for it again
            Slot.open(slots)
            type(line).write([line], {
                    'state': 'left_early',
                    'late_by': None,
                    'left_by': minutes,
                    })
            self.assertFalse(line.justified_by or line.justified)
            Slot.close(slots)
            self.assertEqual(line.justified_by, after)
            self.assertEqual(facts(), (minutes, minutes, 0))
            self.assertEqual(
                {m.state for m in self.mails()}, {'cancelled'})

    @with_transaction()
    def test_justification_notice(self):
        "Test that nobody is told of an absence already justified"
        pool = Pool()
        Justification = pool.get('training.justification')
        Notice = pool.get('training.attendance.notice')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            slots = list(session.slots[:2])
            # Accepted once the sheet is open
            Slot.open(slots[:1])
            early = self.justify(enrolment, end_time=dt.time(12))
            Justification.accept([early])
            self.assertEqual(self.states(enrolment), ['present'])
            self.fill(slots, {enrolment: 'absent'})
            self.assertEqual(self.states(enrolment), ['excused', 'absent'])
            mail, = self.mails()
            self.assertEqual([n.slot for n in mail.notices], slots[1:])

            # Absent again at the first one, excused at the second one
            Justification.reset([early])
            self.assertEqual(len(self.mails()), 1)
            Slot.open(slots)
            Slot.close(slots)
            self.assertEqual(len(self.mails()), 2)
            Justification.accept([self.justify(
                        enrolment, start_time=dt.time(13))])
            self.assertEqual(
                [m.state for m in self.mails()], ['cancelled', 'queued'])
            self.assertFalse(Notice.search([('corrected_at', '!=', None)]))

    @with_transaction()
    def test_justification_access(self):
        "Test who may read, decide and change the justifications"
        pool = Pool()
        Justification = pool.get('training.justification')
        Notice = pool.get('training.attendance.notice')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            self.fill(session.slots[:1], {enrolment: 'absent'})
            justification = self.justify(
                enrolment, kind='sick_leave', note="Private")
            notice, = Notice.search([])
            user = create_user('clerk', company, 'training')
            reader = create_user(
                'reader', company, 'training', 'sensitive_reason')
            with as_user(user):
                record = Justification(justification.id)
                self.assertEqual(record.state, 'received')
                # With its identifier the file could be attached elsewhere
                for name in [
                        'kind', 'note', 'document', 'document_file_id',
                        'filename']:
                    with self.subTest(name=name), \
                            self.assertRaises(AccessError):
                        Justification.read([record.id], [name])
                with self.assertRaises(AccessButtonError):
                    Justification.accept([record])
                for model, record in [
                        (Notice, notice), (Justification, justification)]:
                    with self.assertRaises(AccessError):
                        model.write([model(record.id)], (
                                {'dismissed': True} if model is Notice
                                else {'state': 'accepted'}))
            with as_user(reader):
                record = Justification(justification.id)
                self.assertEqual(record.note, "Private")
                Justification.accept([record])
                with self.assertRaises(AccessError):
                    Justification.write([Justification(record.id)], {
                            'end_date': DATE + dt.timedelta(days=1)})
            self.assertEqual(self.states(enrolment), ['excused'])
