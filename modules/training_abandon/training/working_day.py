# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from bisect import bisect_right

from holidays.countries import France

from trytond.pool import Pool
from trytond.tools import timezone as tz


def end_of_day(date, timezone):
    "Return the time, in UTC, at which the day ends in the time zone"
    midnight = dt.datetime.combine(
        date + dt.timedelta(days=1), dt.time(),
        tzinfo=tz.ZoneInfo(timezone) if timezone else tz.UTC)
    return midnight.astimezone(tz.UTC).replace(tzinfo=None)


class WorkingCalendar(France):
    """The working days of a company: neither a week-end, nor a public
    holiday of its region, nor inside one of its closures."""

    def __init__(self, company):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Closure = pool.get('training.closure')
        configuration = Configuration(1)
        region = configuration.get_multivalue(
            'holiday_region', company=company.id)
        super().__init__(subdiv=region or None)
        closures = sorted(
            (c.start_date, c.end_date) for c in Closure.search([
                    ('company', '=', company.id),
                    ], order=[]))
        self._starts = [start for start, _ in closures]
        self._ends = []
        for _, end in closures:
            self._ends.append(max([end, *self._ends[-1:]]))

    def _is_closed(self, date):
        index = bisect_right(self._starts, date) - 1
        return index >= 0 and date <= self._ends[index]

    def is_working_day(self, date):
        return super().is_working_day(date) and not self._is_closed(date)

    def is_open(self, date):
        "Return if the date, even of a week-end, is no holiday or closure"
        return date not in self and not self._is_closed(date)

    def add(self, date, days):
        """Return the date that comes that many working days after date.

        With no day, it is date itself or the next working day."""
        days = int(days)
        if days <= 0 and self.is_working_day(date):
            return date
        return self.get_nth_working_day(date, max(days, 1))

    def count(self, start, end):
        "Return the number of working days after start until end, included"
        if end <= start:
            return 0
        return self.get_working_days_count(start + dt.timedelta(days=1), end)
