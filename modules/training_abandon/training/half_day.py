# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Half-days, and spans of them

A half-day is an integer that grows with time: that of the morning of a day is
even and that of its afternoon follows it.  A span is a dictionary with the
half-days start and end, both included, None being the bound of the session,
and whatever holds meanwhile."""
import datetime as dt

HALVES = [
    ('morning', "Morning"),
    ('afternoon', "Afternoon"),
    ]
WEEKDAYS = [
    'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday',
    'sunday']
FIRST, LAST = -1, 2 * dt.date.max.toordinal() + 2
NEVER = FIRST - 1


def half_day(date, half='morning'):
    "Return the half-day of the date, None without date"
    if date:
        return 2 * date.toordinal() + (half == 'afternoon')


def date_half(half_day):
    "Return the date and the half, both None for the bound of the session"
    if half_day is None:
        return None, None
    date = dt.date.fromordinal(half_day // 2)
    return date, HALVES[half_day % 2][0]


def half_of(time, noon):
    "Return the half of what starts at that time"
    return 'morning' if time < noon else 'afternoon'


def start_of(span):
    return FIRST if span['start'] is None else span['start']


def end_of(span):
    return LAST if span['end'] is None else span['end']


def order(spans):
    return sorted(spans, key=start_of)


def clip(spans, start=None, end=None):
    "Return the parts of the spans from start to end, both included"
    clipped = []
    for span in spans:
        first = start_of(span) if start is None else max(
            start_of(span), start)
        last = end_of(span) if end is None else min(end_of(span), end)
        if first <= last:
            clipped.append({
                    **span,
                    'start': None if first == FIRST else first,
                    'end': None if last == LAST else last,
                    })
    return clipped


def stretch(spans, start, end):
    """Return the spans between the new bounds: the first and the last one
    begin and end with them."""
    spans = order(clip(spans, start, end))
    if spans:
        spans[0] = {**spans[0], 'start': start}
        spans[-1] = {**spans[-1], 'end': end}
    return spans


def splice(spans, span):
    "Return the spans with the span in the place of what is meanwhile"
    before = [] if span['start'] is None else clip(
        spans, end=span['start'] - 1)
    after = [] if span['end'] is None else clip(
        spans, start=span['end'] + 1)
    return [*before, span, *after]


def overlapping(spans):
    "Return the first two spans that overlap, in time order, or None"
    spans = order(spans)
    for previous, span in zip(spans, spans[1:]):
        if end_of(previous) >= start_of(span):
            return previous, span
