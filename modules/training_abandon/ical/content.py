# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import re
from collections import defaultdict

from icalendar import Calendar, Event, vDuration, vText

from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.report import Report
from trytond.tools import timezone as tz

from .zone import vtimezone

PRODID = '-//Tryton//training_abandon//EN'
REFRESH = dt.timedelta(hours=1)


def plain_line(text):
    "Return the text in one line and without control character"
    return re.sub(r'[\x00-\x1f\x7f]', '', ' '.join((text or '').split()))


class SlotCalendar:
    "The iCalendar object of slots, always the same for the same slots"

    def __init__(self, name, company, identifier):
        self.identifier = identifier
        self._zones = defaultdict(set)
        self._locations = {}
        self._calendar = calendar = Calendar()
        calendar.add('PRODID', PRODID)
        calendar.add('VERSION', '2.0')
        calendar.add('METHOD', 'PUBLISH')
        # The library does not know the types of all the properties
        calendar.add('NAME', vText(plain_line(name)))
        calendar.add('X-WR-CALNAME', vText(plain_line(name)))
        calendar.add('X-WR-TIMEZONE', company.timezone or 'UTC')
        calendar.add('REFRESH-INTERVAL', REFRESH, {'VALUE': 'DURATION'})
        calendar.add('X-PUBLISHED-TTL', vDuration(REFRESH))

    def add(self, slot):
        session = slot.session
        cancelled = 'cancelled' in {slot.state, session.state}
        if cancelled:
            status = 'CANCELLED'
        elif session.state == 'draft':
            status = 'TENTATIVE'
        else:
            status = 'CONFIRMED'
        self.add_event(
            f'training-slot-{slot.id}', slot.calendar_revision or 0,
            self.local(slot.start_at, session.company),
            self.local(slot.end_at, session.company),
            f'{session.course.name} ({session.number})',
            description=self._description(slot),
            location=self._location(slot.location or session.location),
            status=status,
            modified_at=max(
                r.write_date or r.create_date for r in [slot, session]))

    def add_event(
            self, name, revision, start, end, summary, description=None,
            location=None, status='CONFIRMED', modified_at=None):
        "Add an event; its identifier is made of the name"
        cancelled = status == 'CANCELLED'
        event = Event()
        event.add('UID', f'{name}@{self.identifier}')
        event.add('SEQUENCE', revision)
        event.add('DTSTART', start)
        if end:
            event.add('DTEND', end)
        event.add('SUMMARY', self._summary(summary, cancelled))
        if description:
            event.add('DESCRIPTION', description)
        if location:
            event.add('LOCATION', location)
        event.add('STATUS', status)
        event.add('TRANSP', 'TRANSPARENT' if cancelled else 'OPAQUE')
        for stamp in ['DTSTAMP', 'LAST-MODIFIED']:
            event.add(stamp, modified_at.replace(tzinfo=tz.UTC))
        self._calendar.add_component(event)

    def to_ical(self):
        "Return the bytes of the calendar with the time zones of its events"
        for timezone, years in sorted(self._zones.items()):
            self._calendar.subcomponents.insert(
                0, vtimezone(timezone, min(years), max(years)))
        return self._calendar.to_ical()

    def local(self, at, company):
        at = at.replace(tzinfo=tz.UTC)
        if not company.timezone:
            return at
        at = at.astimezone(tz.ZoneInfo(company.timezone))
        self._zones[company.timezone].add(at.year)
        return at

    def _summary(self, summary, cancelled):
        summary = plain_line(summary)
        # Not all the clients show the status
        if cancelled:
            summary = gettext(
                'training_abandon.msg_calendar_cancelled', summary=summary)
        return summary

    def _description(self, slot):
        session = slot.session
        lines = [gettext(
                'training_abandon.msg_calendar_session',
                session=session.number)]
        # An organizer would give the email address of the trainer away
        trainers = [slot.trainer] if slot.trainer else session.trainers
        if trainers:
            lines.append(gettext(
                    'training_abandon.msg_calendar_trainers',
                    trainers=", ".join(t.rec_name for t in trainers)))
        return '\n'.join(map(plain_line, lines))

    def _location(self, address):
        if address and address not in self._locations:
            self._locations[address] = ", ".join(
                plain_line(line) for line in address.full_address.splitlines())
        return self._locations.get(address)


def render(name, company, domain, add_events=None):
    """Return the iCalendar object of the slots of the domain, and of what the
    function adds to it"""
    pool = Pool()
    Configuration = pool.get('training.configuration')
    Slot = pool.get('training.session.slot')
    calendar = SlotCalendar(
        name, company, Configuration(1).calendar_identifier)
    for slot in Slot.search(
            domain, order=[('start_at', 'ASC'), ('id', 'ASC')]):
        calendar.add(slot)
    if add_events:
        add_events(calendar)
    return calendar.to_ical()


class SessionCalendar(Report):
    "The calendar of sessions, for those who cannot subscribe to it"
    __name__ = 'training.session.calendar'

    @classmethod
    def _execute(cls, records, header, data, action):
        pool = Pool()
        Session = pool.get('training.session')
        sessions = Session.browse([r.id for r in records])
        company = sessions[0].company
        name = (
            sessions[0].rec_name if len(sessions) == 1
            else company.rec_name)
        return 'ics', render(
            name, company, [('session', 'in', [s.id for s in sessions])])
