# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What a rule would have flagged, day after day, with other thresholds

What is known of an enrolment is replayed in the order in which it was known:
the lines from the day on which their sheet was closed for the first time, or
their own day when they are imported, the mails, the calls and the answers from
their day."""
import datetime as dt
from bisect import bisect_right, insort
from collections import namedtuple
from itertools import groupby
from operator import itemgetter

from .. import tools
from ..attendance.evidence import ATTENDED

# at is when the line was, and place the time that it has in the course
Line = namedtuple(
    'Line', 'place slot at date state missed duration late justified')
# The events are the day, the name of the method and its argument; the rule
# does not look at the enrolment from the first day of each of the cases, nor
# from the end on
History = namedtuple('History', 'enrolment events cases end planned')


class Replay:
    "The first day on which each of the thresholds flags an enrolment"

    def __init__(self, rule, company, calendar, thresholds):
        self.rule = rule
        self.company = company
        self.calendar = calendar
        self.Known = KNOWN[rule.criterion]
        # Who is flagged by one of them is flagged by those before
        self.thresholds = sorted(
            thresholds, reverse=self.Known.below)

    def first_days(self, history):
        "Return the first days by threshold"
        days, left = {}, self.thresholds[:]
        for day, value, next_day in self._values(history):
            while left and value is not None:
                first = self._reached(left[0], value, day)
                if first is None:
                    break
                first = _followed_until(history.cases, first)
                if first is None or first >= next_day:
                    break
                days[left.pop(0)] = first
        return days

    def _values(self, history):
        """Yield the days on which something was known, what it made and the
        next of these days"""
        known = self.Known(self.rule, self.company, history.planned)
        events = sorted(history.events, key=itemgetter(0))
        last = value = None
        for day, group in groupby(events, key=itemgetter(0)):
            if last:
                yield last, value, min(day, history.end)
            for _, name, argument in group:
                getattr(known, name)(argument)
            last, value = day, known.value()
        if last:
            yield last, value, history.end

    def _reached(self, threshold, value, day):
        """Return the first day on which the value, known since the day,
        reaches the threshold, or None"""
        if self.Known.dated:
            return max(day, self.calendar.add(value, threshold))
        if (value < threshold) if self.Known.below else (value >= threshold):
            return day


def _followed_until(cases, day):
    "Return the first day, from the day on, without case, or None"
    for start, end in sorted(cases, key=itemgetter(0)):
        if start <= day and (end is None or day < end):
            if end is None:
                return None
            day = end
    return day


class Known:
    "What is known of an enrolment, and the value that the thresholds limit"
    # If the value is a day, after which some working days pass
    dated = False
    # If what is flagged is below the threshold
    below = False

    def __init__(self, rule, company, planned):
        self.rule = rule
        self.company = company
        self.planned = planned
        # When the trainee was there, or had news, for the last time
        self.last = None

    def value(self):
        raise NotImplementedError

    def seen(self, at):
        self.last = max(self.last or at, at)


class ConsecutiveAbsences(Known):
    def __init__(self, *args):
        super().__init__(*args)
        self.absences = []

    def line(self, line):
        if line.state in ATTENDED:
            self.seen(line.at)
        elif line.state == 'absent':
            insort(self.absences, line.at)

    def value(self):
        return _count_after(self.absences, self.last)


class Window(Known):
    "The lines that are not excused, or the last ones of them"

    def __init__(self, *args):
        super().__init__(*args)
        self.lines = []
        self.total = [0] * 5

    def line(self, line):
        if line.state == 'excused':
            return
        is_late = line.state == 'late' and not line.justified
        values = [
            1, 0 if line.justified else line.missed, line.duration,
            int(is_late), line.late if is_late else 0]
        if self.rule.window:
            insort(self.lines, (line.place, line.slot, values))
            last = [v for *_, v in self.lines[-self.rule.window:]]
            self.total = list(map(sum, zip(*last)))
        else:
            self.total = list(map(sum, zip(self.total, values)))


class AbsenceRate(Window):
    def value(self):
        count, missed, duration, _, _ = self.total
        if missed and count >= (self.rule.min_slots or 1):
            return missed / duration


class LateCount(Window):
    def value(self):
        return self.total[3]


class LateMinutes(Window):
    def value(self):
        return self.total[4] / 60


class NoNews(Known):
    dated = True

    def __init__(self, *args):
        super().__init__(*args)
        self.absent = None

    def line(self, line):
        if line.state == 'absent':
            self.absent = max(self.absent or line.at, line.at)
        else:
            self.seen(line.at)

    def value(self):
        if self.last and self.absent and self.absent > self.last:
            return tools.local_date(self.last, self.company)


class NoShow(Known):
    dated = True

    def __init__(self, *args):
        super().__init__(*args)
        self.first = None

    def line(self, line):
        if line.state in ATTENDED:
            self.seen(line.at)
        elif line.state == 'absent':
            self.first = min(self.first or line.date, line.date)

    def value(self):
        if not self.last:
            return self.first


class Unreachable(Known):
    below = True

    def __init__(self, *args):
        super().__init__(*args)
        self.missed = 0

    def line(self, line):
        self.missed += line.missed

    def value(self):
        if self.planned:
            return (self.planned - self.missed) / self.planned


class NoAnswer(Known):
    def __init__(self, *args):
        super().__init__(*args)
        self.tries = []

    def line(self, line):
        if line.state in ATTENDED:
            self.seen(line.at)

    def tried(self, at):
        insort(self.tries, at)

    def bounced(self, at):
        self.tries.remove(at)

    def value(self):
        return _count_after(self.tries, self.last)


class LateReturn(Known):
    dated = True

    def __init__(self, *args):
        super().__init__(*args)
        self.ends, self.absent, self.back = [], None, None

    def line(self, line):
        if line.state == 'absent':
            self.absent = max(self.absent or line.date, line.date)
        else:
            self.seen(line.date)

    def suspended(self, end):
        self.ends.append(end)

    def postponed(self, date):
        self.back = date

    def value(self):
        dates = [self.back] if self.back else []
        if self.ends and None not in self.ends:
            end = max(self.ends)
            if (self.absent and self.absent > end
                    and (not self.last or self.last <= end)):
                dates.append(end + dt.timedelta(days=1))
        return min(dates, default=None)


KNOWN = {
    'consecutive_absences': ConsecutiveAbsences,
    'absence_rate': AbsenceRate,
    'late_count': LateCount,
    'late_minutes': LateMinutes,
    'no_news': NoNews,
    'no_show': NoShow,
    'unreachable': Unreachable,
    'no_answer': NoAnswer,
    'late_return': LateReturn,
    }


def _count_after(times, last):
    "Return how many of the sorted times come after the last one"
    return len(times) - (bisect_right(times, last) if last else 0)
