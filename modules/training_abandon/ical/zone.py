# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import calendar
import datetime as dt
from collections import defaultdict

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vRecur

from trytond.tools import timezone as tz

_DAY = dt.timedelta(days=1)
_SECOND = dt.timedelta(seconds=1)
_WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU']


def vtimezone(name, first_year, last_year):
    """Return the component of the time zone for these years.

    Timezone.from_tzid of the library starts the summer time too late."""
    zone = tz.ZoneInfo(name)
    # A year more on both sides shows the rules that the zone follows
    start = dt.datetime(first_year - 1, 1, 1, tzinfo=tz.UTC)
    end = dt.datetime(last_year + 2, 1, 1, tzinfo=tz.UTC)
    transitions = list(_transitions(zone, start, end))
    onsets = defaultdict(list)
    if not transitions or transitions[0].year >= first_year:
        _add_onset(onsets, zone, start, start)
    for at in transitions:
        _add_onset(onsets, zone, at - _SECOND, at)
    component = Timezone()
    component.add('TZID', name)
    for (Class, abbreviation, from_, to), starts in onsets.items():
        rule = _yearly_rule(starts)
        for onset in starts[:1] if rule else starts:
            observance = Class()
            observance.add('DTSTART', onset)
            observance.add('TZOFFSETFROM', from_)
            observance.add('TZOFFSETTO', to)
            observance.add('TZNAME', abbreviation)
            if rule:
                observance.add('RRULE', rule)
            component.add_component(observance)
    return component


def _add_onset(onsets, zone, before, at):
    "Add the local time, as it was before, at which the offset changes"
    before, after = before.astimezone(zone), at.astimezone(zone)
    from_, to = before.utcoffset(), after.utcoffset()
    key = (
        TimezoneDaylight if to > from_ else TimezoneStandard,
        after.tzname(), from_, to)
    onsets[key].append((at + from_).replace(tzinfo=None))


def _transitions(zone, start, end):
    "Yield the times, in UTC, at which the offset of the zone changes"
    def offset(at):
        return at.astimezone(zone).utcoffset()

    while start < end:
        before, after = start, start + _DAY
        if offset(before) != offset(after):
            while after - before > _SECOND:
                middle = before + ((after - before) // 2)
                middle = middle.replace(microsecond=0)
                if offset(middle) == offset(start):
                    before = middle
                else:
                    after = middle
            yield after
        start += _DAY


def _yearly_rule(onsets):
    """Return the rule of local times that come back each year the same
    weekday of a month, which is all that some clients understand."""
    first = onsets[0]
    years = list(range(first.year, first.year + len(onsets)))
    if len(onsets) < 2 or years != [o.year for o in onsets]:
        return
    if len({(o.month, o.weekday(), o.time()) for o in onsets}) > 1:
        return
    weekday = _WEEKDAYS[first.weekday()]
    if all(o.day + 7 > calendar.monthrange(o.year, o.month)[1]
            for o in onsets):
        position = -1
    elif len(positions := {(o.day - 1) // 7 + 1 for o in onsets}) == 1:
        position, = positions
    else:
        return
    return vRecur({
            'FREQ': 'YEARLY',
            'BYMONTH': first.month,
            'BYDAY': f'{position}{weekday}',
            })
