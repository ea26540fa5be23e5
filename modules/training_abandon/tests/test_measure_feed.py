# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The appointments in the calendars"
import datetime as dt

from icalendar import Calendar

from trytond.modules.training_abandon import tools
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DatabaseTestCase, count_statements, create_enrolments, set_up)

PRIVATE = "Burnout since May"
AT = dt.datetime.combine(DATE, dt.time(9))
HOUR = dt.timedelta(hours=1)


class FeedTestCase(DatabaseTestCase):
    "Test the appointments of the calendar links"

    def plan(self, enrolment, **values):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        follow_up, = FollowUp.create([{
                    'company': enrolment.company.id,
                    'enrolment': enrolment.id,
                    'party': enrolment.trainee.party.id,
                    'kind': 'meeting',
                    'planned_at': AT,
                    'planned_until': AT + HOUR,
                    'employee': tools.current_employee(enrolment.company).id,
                    'note': PRIVATE,
                    **values}])
        return follow_up

    def events(self, kind, resource, company):
        pool = Pool()
        Feed = pool.get('training.calendar.feed')
        feed, _ = Feed.issue(**{
                'name': "Phone", 'company': company.id, 'kind': kind,
                kind: resource.id})
        content = feed.render()
        self.assertEqual(feed.render(), content)
        self.assertNotIn(PRIVATE.encode(), content)
        return {
            int(str(e['UID']).split('-')[3].split('@')[0]): e
            for e in Calendar.from_ical(content).walk('VEVENT')
            if str(e['UID']).startswith('training-follow-up-')}

    @with_transaction()
    def test_trainee(self):
        "Test the calendar of a trainee"
        with set_up() as (company, session, prescriber):
            company.timezone = 'Europe/Paris'
            company.save()
            enrolment, other = create_enrolments(session, 2)
            meeting = self.plan(enrolment)
            cancelled = self.plan(enrolment, kind='visit')
            type(cancelled).cancel([cancelled])
            for values in [
                    {'kind': 'email'}, {'party': prescriber.id},
                    {'planned_at': None, 'planned_until': None},
                    {'planned_at': AT - 400 * dt.timedelta(days=1)},
                    ]:
                self.plan(enrolment, **values)
            self.plan(other)
            events = self.events('trainee', enrolment.trainee, company)
            self.assertEqual(events.keys(), {meeting.id, cancelled.id})
            event = events[meeting.id]
            self.assertEqual(event['SUMMARY'], "Meeting: Pam Beesly")
            self.assertEqual(event['STATUS'], 'CONFIRMED')
            self.assertEqual(
                (event.decoded('DTSTART').hour, event.decoded('DTEND').hour),
                (10, 11))
            self.assertEqual(event.decoded('DTSTART').tzname(), 'CET')
            self.assertEqual(
                events[cancelled.id]['STATUS'], 'CANCELLED')

    @with_transaction()
    def test_employee(self):
        "Test the calendar of an employee"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            call = self.plan(
                enrolment, kind='call', party=prescriber.id,
                planned_until=None)
            self.plan(enrolment, employee=None)
            events = self.events('trainer', call.employee.party, company)
            self.assertEqual(events.keys(), {call.id})
            self.assertEqual(
                events[call.id]['SUMMARY'], "Phone Call: Job Centre")
            self.assertNotIn('DTEND', events[call.id])

    @with_transaction()
    def test_session(self):
        "Test that the calendar of a session tells of no appointment"
        with set_up() as (company, session, _):
            self.plan(create_enrolments(session)[0])
            self.assertFalse(self.events('session', session, company))

    @with_transaction()
    def test_statements(self):
        "Test that many are read at once"
        numbers = []
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 20)
            for count in [1, 20]:
                for enrolment in enrolments[:count]:
                    call = self.plan(enrolment)
                tools.forget_read()
                with count_statements() as statements:
                    self.events('trainer', call.employee.party, company)
                numbers.append(len(statements))
            self.assertLessEqual(numbers[1], numbers[0] + 1)

    @with_transaction()
    def test_book(self):
        "Test what the appointment book shows"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        ModelData = pool.get('ir.model.data')
        Window = pool.get('ir.action.act_window')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            meeting = self.plan(enrolment)
            other = self.plan(enrolment, employee=None)
            self.plan(enrolment, kind='email')
            cancelled = self.plan(enrolment)
            type(cancelled).cancel([cancelled])
            window = Window(ModelData.get_id(
                    'training_abandon', 'act_follow_up_calendar'))
            decoder = PYSONDecoder({
                    'context': Transaction().context})
            mine, all_ = [
                FollowUp.search([
                        decoder.decode(window.pyson_domain),
                        decoder.decode(domain)])
                for _, domain, *_ in window.domains]
            self.assertEqual(mine, [meeting])
            self.assertEqual(set(all_), {meeting, other})
