# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The calendar in which the provider plans the catch-up slots

It is exported twice: the second time, an event has moved and another one is
cancelled."""

import datetime as dt
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

PARIS = ZoneInfo('Europe/Paris')
START, END = dt.time(17, 30), dt.time(19, 0)
WEEK = dt.timedelta(days=7)
COUNT = 4
# The events of the series that the second export changes
MOVED, CANCELLED = 1, 2


def planning(session, dates, changed=False):
    """Return the bytes of the calendar of a weekly catch-up on the dates of
    the session"""
    calendar = Calendar()
    calendar.add('PRODID', '-//Extranet//Planning//FR')
    calendar.add('VERSION', '2.0')
    calendar.add('X-WR-CALNAME', "Rattrapages")
    calendar.add('X-WR-TIMEZONE', PARIS.key)
    first, last = dates[0], dates[-1]
    series = _event(session, first, int(changed))
    series.add('RRULE', {
            'FREQ': 'WEEKLY',
            'UNTIL': dt.datetime.combine(last, END, PARIS).astimezone(
                dt.timezone.utc),
            })
    if excluded := [
            _at(first + WEEK * i) for i in range((last - first) // WEEK)
            if first + WEEK * i not in dates]:
        series.add('EXDATE', excluded)
    calendar.add_component(series)
    if changed:
        moved = _event(session, dates[MOVED], 1, dt.timedelta(minutes=30))
        moved.add('RECURRENCE-ID', _at(dates[MOVED]))
        cancelled = _event(session, dates[CANCELLED], 1)
        cancelled.add('RECURRENCE-ID', _at(dates[CANCELLED]))
        cancelled.add('STATUS', 'CANCELLED')
        calendar.add_component(moved)
        calendar.add_component(cancelled)
    return calendar.to_ical()


def _at(date, time=START):
    return dt.datetime.combine(date, time, PARIS)


def _event(session, date, sequence, delay=dt.timedelta()):
    event = Event()
    event.add('UID', f'rattrapage-{session.lower()}@extranet.example.org')
    event.add('DTSTAMP', _at(date).astimezone(dt.timezone.utc))
    event.add('SEQUENCE', sequence)
    event.add('DTSTART', _at(date) + delay)
    event.add('DTEND', _at(date, END) + delay)
    event.add('SUMMARY', f"Rattrapage {session}")
    return event
