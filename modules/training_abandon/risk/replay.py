# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What a rule would have flagged, day after day, with other thresholds

The lines of an enrolment are replayed in the order of time. A line is known
from the day on which its sheet was closed for the last time."""
from collections import deque, namedtuple

from ..attendance.evidence import ATTENDED

Line = namedtuple(
    'Line', 'enrolment date known state missed duration late justified')


class Replay:
    "The first day on which each of the thresholds flags an enrolment"

    def __init__(self, rule, calendar, today, thresholds):
        self.rule = rule
        self.calendar = calendar
        self.today = today
        self.thresholds = thresholds

    def first_days(self, lines, planned=0):
        """Return the first days by threshold.

        lines are those of an enrolment in the order of time and planned the
        seconds for which it is expected."""
        replay = getattr(self, f'_{self.rule.criterion}')
        days = {}
        for threshold, day in replay(lines, planned):
            if day <= self.today and day < days.get(threshold, _later(day)):
                days[threshold] = day
        return days

    def _reached(self, values):
        "Yield the thresholds that the values, by day, reach"
        known = None
        for day, value in values:
            known = max(known or day, day)
            for threshold in self.thresholds:
                if value >= threshold:
                    yield threshold, known

    def _consecutive_absences(self, lines, planned):
        def runs():
            run = 0
            for line in lines:
                if line.state in ATTENDED:
                    run = 0
                elif line.state == 'absent':
                    run += 1
                    yield line.known, run
        yield from self._reached(runs())

    def _windows(self, lines):
        "Yield the day and the last lines, without those that are excused"
        last = deque(maxlen=self.rule.window)
        for line in lines:
            if line.state != 'excused':
                last.append(line)
                yield line.known, last

    def _absence_rate(self, lines, planned):
        def rates():
            for day, last in self._windows(lines):
                held = sum(x.duration for x in last)
                if len(last) >= self.rule.min_slots and held:
                    yield day, sum(
                        x.missed for x in last if not x.justified) / held
        yield from self._reached(rates())

    def _late_count(self, lines, planned):
        yield from self._reached(
            (day, sum(_is_late(x) for x in last))
            for day, last in self._windows(lines))

    def _late_minutes(self, lines, planned):
        yield from self._reached(
            (day, sum(x.late for x in last if _is_late(x)) / 60)
            for day, last in self._windows(lines))

    def _unreachable(self, lines, planned):
        missed, known = 0, None
        for line in lines if planned else []:
            missed += line.missed
            known = max(known or line.known, line.known)
            for threshold in self.thresholds:
                if (planned - missed) / planned < threshold:
                    yield threshold, known

    def _no_news(self, lines, planned):
        "The absences that follow a presence or an excuse, until the next one"
        news = absent = None
        for line in [*lines, None]:
            if line and line.state == 'absent':
                absent = absent or (news and line.known)
                continue
            if absent:
                yield from self._lasting(news, absent, line)
            news, absent = line and line.date, None

    def _no_show(self, lines, planned):
        first = known = None
        for line in [*lines, None]:
            if line and line.state == 'absent':
                first, known = first or line.date, known or line.known
            elif not line or line.state in ATTENDED:
                if first:
                    yield from self._lasting(first, known, line)
                break

    def _lasting(self, start, known, next_):
        "Yield the thresholds whose day comes before the next line is known"
        for threshold in self.thresholds:
            day = max(self.calendar.add(start, threshold), known)
            if not next_ or day < next_.known:
                yield threshold, day


def _is_late(line):
    return line.state == 'late' and not line.justified


def _later(day):
    return type(day).max
