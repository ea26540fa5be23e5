# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.modules.training_abandon.exceptions import TrainingValidationError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import DatabaseTestCase, create_enrolments, create_session, set_up


class AttendanceTestCase(DatabaseTestCase):
    "Test the attendances"

    @with_transaction()
    def test_attendance_missed_too_long(self):
        "Test that nobody is late by more than the slot"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            Slot.open(session.slots[:1])
            attendance, = enrolment.attendances
            with self.assertRaises(TrainingValidationError):
                Attendance.write([attendance], {
                        'state': 'late',
                        'late_by': dt.timedelta(hours=4),
                        })

    @with_transaction()
    def test_attendance_missed(self):
        "Test the time missed of new attendances whatever is given"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        minutes = dt.timedelta(minutes=1)
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 6)
            slot = session.slots[0]
            attendances = Attendance.create([{
                        'enrolment': enrolment.id,
                        'slot': slot.id,
                        **values,
                        } for enrolment, values in zip(enrolments, [
                            {'state': 'present'},
                            {'state': 'late', 'late_by': 5 * minutes},
                            {'state': 'left_early', 'left_by': 7 * minutes},
                            {'state': 'absent'},
                            {'state': 'excused', 'missed': minutes},
                            {'late_by': minutes, 'missed': minutes},
                            ])])
            self.assertEqual(
                [a.missed for a in attendances], [
                    0 * minutes, 5 * minutes, 7 * minutes,
                    slot.duration, slot.duration, 0 * minutes])

    @with_transaction()
    def test_attendance_other_session(self):
        "Test that the slot is one of the session of the enrolment"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            slot = create_session(company).slots[0]
            with self.assertRaises(TrainingValidationError):
                Attendance.create([{
                            'enrolment': enrolment.id,
                            'slot': slot.id,
                            'state': 'present',
                            }])
