# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Turns the events of a calendar into the slots of one day that they plan"
import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from itertools import islice

from dateutil.rrule import rrulestr

from trytond.i18n import gettext

from ..exceptions import CalendarError
from .reader import DAY, UNREADABLE, UTC, YEARS, EventError, unreadable

# The most slots of a file, and times that its rules may repeat events
MAX_SLOTS = 20000
MAX_REPEATS = 100000
# The most days of one event
MAX_DAYS = 366
# The most times of a day that a rule may give
MAX_TIMES = 100
# The most years in which the rules are looked for days
MAX_YEARS = 20000
# The Gregorian calendar repeats itself
CYCLE = 400
LAST_YEAR = dt.MAXYEAR - 9
# The years in which the times of a rule without last time are looked for
SPAN = 100


class Options:
    """How the events become slots.

    The half-days are the list of the start and end of the slots of an event
    without times.  A long event has slots on the days that are working."""

    def __init__(self, half_days=(), is_working=None):
        self.half_days = list(half_days)
        self.is_working = is_working or (lambda date: True)


class Expansion:
    "The slots that series of events plan, as plain values"

    def __init__(self, calendar, options):
        self.calendar = calendar
        self.options = options
        self._repeats = self._searched = self._slots = 0

    def expand(self, series, first=None, last=None, extend=False):
        """Return what the series plan.

        The first and the last are the dates of the session: a rule without
        end stops at the last one, and the times that are outside are problems
        unless the session may be extended."""
        result = {
            'slots': [],
            # (uid, recurrence or None for all of them)
            'cancelled': [],
            'kept': [],
            'whole': [],
            'problems': [],
            }
        inside = None
        if first and not extend:
            inside = first, last
        for one in series:
            self._series(one, last, inside, result)
        return result

    def _series(self, series, last, inside, result):
        if None in series.broken or (
                series.master is None and not series.overrides):
            result['kept'].append((series.uid, None))
            return
        if series.master:
            result['whole'].append(series.uid)
            if series.master.cancelled:
                result['cancelled'].append((series.uid, None))
                return
        problems = defaultdict(set)
        try:
            times = self._times(series, inside and inside[0], last)
        except EventError as exc:
            result['problems'].append(series.event.problem(
                    str(exc), skipped=(
                        series.event.holiday and series.event.all_day)))
            result['kept'].append((series.uid, None))
            return
        for recurrence, event, start, duration in times:
            if event is None:
                result['kept'].append((series.uid, recurrence))
                continue
            if event.cancelled:
                result['cancelled'].append((series.uid, recurrence))
                continue
            try:
                slots, found = self._split(
                    event, start, duration, inside)
            except EventError as exc:
                slots = []
                found = [(str(exc), {local_date(start)}, False)]
            for reason, dates, skipped in found:
                problems[event, reason, skipped] |= dates
            if not slots:
                result['kept'].append((series.uid, recurrence))
            for number, date, begin, end in slots:
                result['slots'].append({
                        'uid': series.uid,
                        'recurrence': join(recurrence, number),
                        'date': date,
                        'start': begin,
                        'end': end,
                        'summary': event.summary,
                        'line': event.line,
                        'attendees': event.attendees,
                        'organizers': event.organizers,
                        })
        for (event, reason, skipped), dates in problems.items():
            result['problems'].append(
                event.problem(reason, sorted(dates), skipped))

    def _times(self, series, first, last):
        """Return the list of recurrence, event, start and duration.

        The event of a recurrence that can not be read is None."""
        master, pending = series.master, {
            **dict.fromkeys(series.broken), **series.overrides}
        if master and master.all_day:
            pending = {local_date(k): e for k, e in pending.items()}
        ranges = sorted(
            (e for e in series.overrides.values()
                if e.range and e.all_day == (master or e).all_day
                and e.all_day != isinstance(e.recurrence, dt.datetime)),
            key=lambda e: instant(e.recurrence))
        changes = [instant(e.recurrence) for e in ranges]
        times = []
        starts = self._starts(master, first, last) if master else []
        repeated = master and (
            len(starts) > 1 or master.rules or master.dates)
        for start in starts:
            key = identity(start) if repeated else None
            changed = find(pending, start)
            if changed is not None:
                times.append(self._change(
                        identity(start), pending.pop(changed), start))
                continue
            event, begin = master, start
            duration = master.periods.get(start, master.duration)
            if index := bisect_right(changes, instant(start)):
                event = ranges[index - 1]
                duration = event.duration
                begin = shift(start, event.recurrence, event.start)
            times.append((key, event, begin, duration))
        # The calendars cut by dates have changes without their series, but
        # a series changed later forgets the changes of the times it lost
        times.extend(
            self._change(identity(recurrence), event, recurrence)
            for recurrence, event in pending.items()
            if not (master and event and (
                    event.version[0] < master.version[0]
                    or first and endless(master)
                    and local_date(recurrence) < first
                    and local_date(event.start) < first)))
        return times

    def _change(self, key, event, start):
        if event is None:
            return key, None, start, None
        return key, event, event.start, event.duration

    def _starts(self, event, first, last):
        "Return the times at which the event starts, in order"
        if not event.rules and not event.dates:
            return [event.start]
        if not endless(event):
            first = None
        elif first and event.duration:
            first -= min(event.duration, MAX_DAYS * DAY)
        starts, emptied = {event.start}, bool(event.rules)
        for rule in event.rules:
            found = self._repeat(event, rule, first, last)
            if found is not None:
                emptied = False
                starts.update(found)
        if emptied or first and local_date(event.start) < first:
            # Its end is before its start, or it goes on since long ago
            starts.discard(event.start)
        starts.update(
            d for d in event.dates
            if isinstance(d, dt.datetime) != event.all_day)
        days = {
            d if not isinstance(d, dt.datetime) else d.date()
            for d in event.excluded
            if event.all_day or not isinstance(d, dt.datetime)}
        instants = {
            instant(d) for d in event.excluded if isinstance(d, dt.datetime)}
        return sorted(
            (s for s in starts
                if local_date(s) not in days and instant(s) not in instants),
            key=instant)

    def _repeat(self, event, rule, first, last):
        """Return the times that the rule gives, or None when it ends before
        the event starts"""
        zone = None if event.all_day else event.start.tzinfo
        start = event.start
        if event.all_day:
            start = dt.datetime.combine(start, dt.time())
        start = start.replace(tzinfo=None)
        try:
            until, count, text = self._rule(rule, zone, last)
            if first:
                # What goes on since long ago is looked at from the first date
                start = nearer(start, rule, first)
            # A rule that matches no more days goes on until the last year
            span = (
                min(until.year, YEARS.stop) - start.year
                if until < dt.datetime.max else SPAN)
            years = max(LAST_YEAR - start.year - max(span, 0), 0)
            years = years // CYCLE * CYCLE
            times = iter(rrulestr(
                    text, dtstart=start.replace(year=start.year + years)))
        except UNREADABLE as exc:
            raise EventError(unreadable('RRULE', rule_text(rule))) from exc
        if until < start:
            return None if until.year in YEARS else []
        return self._matched(
            event, start, to_last_year(times), years, until, count, zone,
            first)

    def _matched(
            self, event, start, times, years, until, count, zone, first):
        year, number = start.year, 0
        for time in islice(times, count):
            time = time.replace(year=time.year - years)
            self._search(event, time.year - year)
            year, number = time.year, number + 1
            if time > until:
                break
            if first and time.date() < first:
                continue
            self._repeat_times(event, 1)
            yield time.date() if event.all_day else time.replace(tzinfo=zone)
        else:
            if number != count:
                self._search(event, CYCLE)

    def _repeat_times(self, event, times):
        "Note that the event is repeated, or lasts days"
        self._repeats += times
        if self._repeats > MAX_REPEATS:
            raise CalendarError(gettext(
                    'training_abandon.msg_ical_repeats',
                    max=MAX_REPEATS, uid=event.uid,
                    summary=event.summary))

    def _search(self, event, years):
        "Note that a rule has been looked through over some years"
        self._searched += years
        if self._searched > MAX_YEARS:
            raise CalendarError(gettext(
                    'training_abandon.msg_ical_fruitless',
                    uid=event.uid, summary=event.summary))

    def _rule(self, rule, zone, last):
        "Return the last time of the rule, its count and its text without them"
        rule = {name.upper(): values for name, values in rule.items()}
        frequency = str(next(iter(rule.get('FREQ', [])), '')).upper()
        if frequency in {'SECONDLY', 'MINUTELY', 'HOURLY'}:
            raise EventError(gettext(
                    'training_abandon.msg_ical_frequency',
                    frequency=frequency))
        times = 1
        for name in ['BYHOUR', 'BYMINUTE', 'BYSECOND']:
            times *= max(len(rule.get(name, [])), 1)
            if times > MAX_TIMES:
                raise EventError(gettext(
                        'training_abandon.msg_ical_frequency',
                        frequency=name))
        for name in ['INTERVAL', 'COUNT']:
            if any(int(value) < 1 for value in rule.get(name, [])):
                raise EventError(unreadable(
                        'RRULE', f'{name}={rule[name][0]}'))
        count = min(rule.pop('COUNT', []), default=None)
        if count:
            count = min(int(count), MAX_REPEATS + 1)
        # The last year of all means no end
        until = min((
                end_of(u, zone) for u in rule.pop('UNTIL', [])
                if u.year < YEARS.stop), default=None)
        if until is None and count is None:
            if last is None:
                raise EventError(gettext('training_abandon.msg_ical_endless'))
            until = dt.datetime.combine(last, dt.time.max)
        return until or dt.datetime.max, count, rule_text(rule)

    def _split(self, event, start, duration, inside):
        "Return the date, start and end of the slots of one time"
        if duration is None:
            raise EventError(gettext('training_abandon.msg_ical_no_end'))
        if duration <= dt.timedelta():
            raise EventError(gettext(
                    'training_abandon.msg_ical_end_before_start'))
        if duration > MAX_DAYS * DAY:
            raise EventError(gettext(
                    'training_abandon.msg_ical_too_long', days=MAX_DAYS))
        days = self._whole_days(event, start, duration)
        if days and event.holiday:
            return [], self._holiday(*days, inside)
        if days:
            slots = self._all_day(*days)
        else:
            slots = self._timed(start, duration)
        self._repeat_times(event, len(slots) - 1)
        slots = [(number, *slot) for number, slot in enumerate(slots, 1)]
        problems = []
        if slots[0][1] != slots[-1][1]:
            slots = self._keep(
                slots, self.options.is_working, problems,
                'training_abandon.msg_ical_not_working', skipped=True)
        if inside:
            first, last = inside
            slots = self._keep(
                slots, lambda date: first <= date <= last, problems,
                'training_abandon.msg_ical_outside')
        self._slots += len(slots)
        if self._slots > MAX_SLOTS:
            raise CalendarError(gettext(
                    'training_abandon.msg_ical_slots', max=MAX_SLOTS))
        return slots, problems

    def _keep(self, slots, test, problems, message, skipped=False):
        "Return the slots whose date passes the test, note the other dates"
        kept = [slot for slot in slots if test(slot[1])]
        dates = {slot[1] for slot in slots} - {slot[1] for slot in kept}
        if dates:
            problems.append((gettext(message), dates, skipped))
        return kept

    def _holiday(self, start, duration, inside):
        days = [
            (None, start + day * DAY)
            for day in range(max(-(-duration // DAY), 1))]
        if inside:
            first, last = inside
            days = [d for d in days if first <= d[1] <= last]
        problems = []
        self._keep(
            days, lambda date: False, problems,
            'training_abandon.msg_ical_holiday', skipped=True)
        return problems

    def _all_day(self, start, duration):
        if not self.options.half_days:
            raise EventError(gettext('training_abandon.msg_ical_all_day'))
        return [
            (start + day * DAY, begin, end)
            for day in range(max(-(-duration // DAY), 1))
            for begin, end in self.options.half_days]

    def _whole_days(self, event, start, duration):
        "Return the first date and the duration of what has no times, or None"
        if event.all_day:
            return start, duration
        end = start.astimezone(UTC) + duration
        for zone in [start.tzinfo, self.calendar.timezone]:
            first, last = start.astimezone(zone), end.astimezone(zone)
            if first.time() == last.time() == dt.time():
                return first.date(), last.date() - first.date()

    def _timed(self, start, duration):
        zone = self.calendar.timezone
        end = (start.astimezone(UTC) + duration).astimezone(zone)
        start = start.astimezone(zone)
        begin, finish = start.time(), end.time()
        if finish <= begin:
            raise EventError(gettext('training_abandon.msg_ical_night'))
        if start.fold or end.fold:
            raise EventError(gettext('training_abandon.msg_ical_ambiguous'))
        return [
            (start.date() + day * DAY, begin, finish)
            for day in range((end.date() - start.date()).days + 1)]


def endless(event):
    "Tell if the event is repeated without end"
    return bool(event.rules) and all(map(is_open, event.rules))


def is_open(rule):
    "Tell if the rule has neither a count nor a last time"
    names = {name.upper() for name in rule}
    return 'COUNT' not in names and (
        'UNTIL' not in names or all(
            getattr(until, 'year', 0) >= YEARS.stop
            for name, values in rule.items() if name.upper() == 'UNTIL'
            for until in values))


def nearer(start, rule, first):
    "Return a later start that gives the same times from the first date on"
    rule = {name.upper(): values for name, values in rule.items()}
    days = {'DAILY': 1, 'WEEKLY': 7}.get(
        str(next(iter(rule.get('FREQ', [])), '')).upper())
    if not days:
        return start
    days *= int(next(iter(rule.get('INTERVAL', [])), 1))
    periods = ((first - start.date()).days - MAX_DAYS) // days
    return start + max(periods, 0) * days * DAY


def to_last_year(times):
    "Yield the times, which the library looks for in years that do not exist"
    try:
        yield from times
    except (OverflowError, ValueError):
        return


def identity(time):
    "Return what names a time of a series, whatever zone it is written in"
    if isinstance(time, dt.datetime):
        return time.astimezone(UTC).strftime('%Y%m%dT%H%M%SZ')
    return time.strftime('%Y%m%d')


def join(recurrence, number):
    "Return the recurrence of one of the slots of an event"
    if number == 1:
        return recurrence
    return f"{recurrence or ''}#{number}"


def whole(recurrence):
    "Return the recurrence of the event from the one of its slot"
    return (recurrence or '').partition('#')[0] or None


def instant(time):
    if isinstance(time, dt.datetime):
        return time.astimezone(UTC)
    return dt.datetime.combine(time, dt.time(), UTC)


def local_date(time):
    return time.date() if isinstance(time, dt.datetime) else time


def shift(start, old, new):
    "Return the start moved by the time between the old and the new one"
    if isinstance(start, dt.datetime):
        zone = start.tzinfo
        old = old.astimezone(zone).replace(tzinfo=None)
        moved = new.astimezone(zone).replace(tzinfo=None) - old
        return (start.replace(tzinfo=None) + moved).replace(tzinfo=zone)
    return start + (new - old)


def find(recurrences, start):
    "Return which of the recurrences is the one of that start, or None"
    for recurrence in [start, local_date(start)]:
        if recurrence in recurrences:
            return recurrence


def end_of(until, zone):
    "Return the last local time of a rule"
    if not isinstance(until, dt.datetime):
        return dt.datetime.combine(until, dt.time.max)
    if until.tzinfo and zone and until.year in YEARS:
        until = until.astimezone(zone)
    return until.replace(tzinfo=None)


def rule_text(rule):
    return ';'.join(
        f"{name}={','.join(map(value_text, values))}"
        for name, values in rule.items())


def value_text(value):
    return (
        value.to_ical().decode() if hasattr(value, 'to_ical') else str(value))
