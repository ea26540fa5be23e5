# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who is about to be written to about a sheet, and when the notices leave"
import datetime as dt

from trytond.modules.training_abandon.exceptions import SheetNoticeWarning
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, NoticeTestCase, create_enrolments, mail_server, savepoint, set_email,
    set_up, today)

# The slots of the mornings are from 9 to 12
BEFORE, AFTER = dt.time(10), dt.time(12, 31)
END = dt.datetime.combine(DATE, dt.time(12))


class NoticeWaitTestCase(NoticeTestCase):
    "Test the time before which the notices do not leave"

    def at(self, time):
        return today(DATE, time=time)

    def deliver_due(self):
        pool = Pool()
        Mail = pool.get('training.mail')
        with mail_server() as server:
            Mail.deliver_due()
        return [c.args[0] for c in server.rcpt.call_args_list]

    def set_wait(self, session, minutes):
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        procedure = session.procedure or Procedure.get_active(session.company)
        table = Procedure.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.notice_wait], [minutes],
                where=table.id == procedure.id))
        Transaction().counter += 1
        for cache in Transaction().cache.values():
            cache.clear()

    @with_transaction()
    def test_wait(self):
        "Test that the notices leave after the end of the slot and the delay"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, prescriber):
            self.set_wait(session, 30)
            enrolment, = create_enrolments(session, prescriber=prescriber)
            slot = session.slots[0]
            with self.at(BEFORE):
                self.fill([slot], {enrolment: 'absent'})
                leaves_at = END + dt.timedelta(minutes=30)
                self.assertEqual(
                    [(m.state, m.next_attempt) for m in self.mails()],
                    [('queued', leaves_at)] * 2)
                self.assertEqual(self.deliver_due(), [])
                self.assertEqual(
                    {n.leaves_at for n in Slot(slot.id).notices},
                    {leaves_at})
            with self.at(dt.time(12, 15)):
                self.assertEqual(self.deliver_due(), [])
            with self.at(AFTER):
                self.assertEqual(len(self.deliver_due()), 2)
                self.assertEqual(
                    {m.state for m in self.mails()}, {'sent'})
                self.assertEqual(
                    {n.leaves_at for n in Slot(slot.id).notices}, {None})

    @with_transaction()
    def test_no_wait(self):
        "Test that the notices leave at once when their time has passed"
        with set_up() as (_, session, _):
            enrolment, = create_enrolments(session)
            with self.at(dt.time(12, 5)):
                self.fill(session.slots[:1], {enrolment: 'absent'})
            mail, = self.mails()
            self.assertIsNone(mail.next_attempt)

    @with_transaction()
    def test_several(self):
        "Test that one mail waits for the last one of its slots"
        with set_up() as (_, session, _):
            self.set_wait(session, 0)
            enrolment, = create_enrolments(session)
            with self.at(dt.time(15)):
                self.fill(session.slots[:2], {enrolment: 'absent'})
            mail, = self.mails()
            self.assertEqual(
                mail.next_attempt,
                dt.datetime.combine(DATE, dt.time(17)))

    @with_transaction()
    def test_reopen(self):
        "Test that reopening cancels what waits, and closing replaces it"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            enrolment, = create_enrolments(session)
            morning, afternoon = session.slots[:2]
            with self.at(dt.time(15)):
                self.fill([morning, afternoon], {enrolment: 'absent'})
                Slot.open([afternoon])
                both, rest = self.mails()
                self.assertEqual(
                    (both.state, both.next_attempt), ('cancelled', None))
                self.assertIn("reopened", both.smtp_reply)
                # The morning has ended and is still official
                self.assertEqual(
                    [n.slot for n in rest.notices], [morning])
                self.assertIsNone(rest.next_attempt)
                self.fill([afternoon], {enrolment: 'present'})
            with self.at(dt.time(18)):
                self.assertEqual(len(self.deliver_due()), 1)
            self.assertEqual(
                [m.state for m in self.mails()], ['cancelled', 'sent'])

    @with_transaction()
    def test_reopen_again(self):
        "Test that what is closed again as it was is told"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            enrolment, = create_enrolments(session)
            slot = session.slots[0]
            with self.at(BEFORE):
                self.fill([slot], {enrolment: 'absent'})
                Slot.open([slot])
                mail, = self.mails()
                self.assertEqual(mail.state, 'cancelled')
                Slot.close([slot])
                self.assertEqual(
                    [m.state for m in self.mails()],
                    ['cancelled', 'queued'])
            with self.at(AFTER):
                self.assertEqual(len(self.deliver_due()), 1)

    @with_transaction()
    def test_reopen_import(self):
        "Test that an import that notifies nobody leaves what waits"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            enrolment, other = create_enrolments(session, 2)
            slot = session.slots[0]
            with self.at(BEFORE):
                self.fill([slot], {enrolment: 'absent', other: 'absent'})
                with Transaction().set_context(
                        training_abandon_notices=False):
                    Slot.open([slot])
                    self.fill([slot], {other: 'present'})
            with self.at(AFTER):
                self.deliver_due()
            self.assertEqual(
                {m.enrolment: m.state for m in self.mails()},
                {enrolment: 'sent', other: 'cancelled'})

    def close(self, slots):
        "Close the sheets and return what the user is told before"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Warning = pool.get('res.user.warning')
        with Transaction().set_context(_skip_warnings=False):
            with savepoint(), \
                    self.assertRaises(SheetNoticeWarning) as error:
                Slot.close(slots)
            Warning.create([{
                        'user': Transaction().user,
                        'name': error.exception.name,
                        }])
        return error.exception

    @with_transaction()
    def test_warning(self):
        "Test that closing names who is written to, and when"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, prescriber):
            absent, silent, present = create_enrolments(
                session, 3, prescriber=prescriber)
            set_email(silent.trainee.party, None)
            slot = session.slots[0]
            with self.at(BEFORE):
                self.fill([slot], {
                        absent: 'absent', silent: 'absent',
                        present: 'present'}, close=False)
                exception = self.close([slot])
                self.assertIn(slot.rec_name, exception.message)
                told, unreached = exception.description.splitlines()
                self.assertIn("03/02/2026 12:00", told.replace('\xa0', ' '))
                for party in [absent.trainee.party, prescriber]:
                    self.assertIn(party.name, told)
                self.assertIn(
                    f'{prescriber.name} ({silent.trainee.party.name})', told)
                self.assertNotIn(present.trainee.party.name, told)
                self.assertIn(silent.trainee.party.name, unreached)

                # Another one is absent than those the user has agreed on
                Attendance.write([
                        a for a in Slot(slot.id).attendances
                        if a.enrolment == present], {'state': 'absent'})
                self.assertIn(
                    present.trainee.party.name,
                    self.close([slot]).description)
                with Transaction().set_context(_skip_warnings=False):
                    Slot.close([slot])
            self.assertEqual(slot.state, 'held')

    @with_transaction()
    def test_no_warning(self):
        "Test that nobody is named when nobody is written to"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            enrolment, = create_enrolments(session)
            slot, other = session.slots[:2]
            self.fill([slot], {enrolment: 'present'}, close=False)
            with Transaction().set_context(_skip_warnings=False):
                Slot.close([slot])
            self.fill([other], {enrolment: 'absent'}, close=False)
            with Transaction().set_context(
                    _skip_warnings=False, training_abandon_notices=False):
                Slot.close([other])
            # The scheduled actions answer nothing
            Slot.open([other])
            with Transaction().set_user(0, set_context=True), \
                    Transaction().set_context(_skip_warnings=False):
                Slot.close([other])
            self.assertEqual(len(self.mails()), 1)

    @with_transaction()
    def test_warning_correction(self):
        "Test that who is told of a correction is named"
        with set_up() as (_, session, _):
            enrolment, = create_enrolments(session)
            slot = session.slots[0]
            self.fill([slot], {enrolment: 'absent'})
            self.deliver()
            self.fill([slot], {enrolment: 'present'}, close=False)
            description = self.close([slot]).description
            self.assertIn("correction", description)
            self.assertIn(enrolment.trainee.party.name, description)


del NoticeTestCase
