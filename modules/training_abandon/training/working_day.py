# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from bisect import bisect_right

from dateutil.easter import easter
from holidays.countries import France

from trytond.pool import Pool
from trytond.tools import timezone as tz

# The days after Easter
MID_LENT = -24
GOOD_FRIDAY = -2
# The regions by their code of ISO 3166-2:FR, with their name and the days that
# they add to the public holidays of the whole of France: the number of days
# after Easter, or the month and the day, maybe with the first and last years.
# The library changes its codes and these days from a version to the next,
# which must not move a due date.
HOLIDAY_REGIONS = {
    '57': ("Moselle", [GOOD_FRIDAY, (12, 26)]),
    '6AE': ("Alsace", [GOOD_FRIDAY, (12, 26)]),
    '971': ("Guadeloupe", [MID_LENT, GOOD_FRIDAY, (5, 27), (7, 21)]),
    '972': ("Martinique", [(5, 22), (7, 21)]),
    '973': ("Guyane", [(6, 10)]),
    '974': ("La Réunion", [(12, 20)]),
    '976': ("Mayotte", [(4, 27)]),
    'BL': ("Saint-Barthélemy", [(10, 9)]),
    'MF': ("Saint-Martin", [(5, 28), (7, 21)]),
    'NC': ("Nouvelle-Calédonie", [(9, 24)]),
    'PF': ("Polynésie française", [
            (3, 5), GOOD_FRIDAY, (6, 29, dt.MINYEAR, 2024),
            (11, 20, 2025, dt.MAXYEAR)]),
    'PM': ("Saint-Pierre-et-Miquelon", []),
    'TF': ("Terres australes françaises", []),
    'WF': ("Wallis-et-Futuna", [(4, 28), (6, 29), (7, 29)]),
    }
# The codes that former versions of the library gave
FORMER_HOLIDAY_REGIONS = {
    'GES': '6AE',
    'GP': '971',
    'GY': '973',
    'MQ': '972',
    'RE': '974',
    'YT': '976',
    }


def end_of_day(date, timezone):
    "Return the time, in UTC, at which the day ends in the time zone"
    midnight = dt.datetime.combine(
        date + dt.timedelta(days=1), dt.time(),
        tzinfo=tz.ZoneInfo(timezone) if timezone else tz.UTC)
    return midnight.astimezone(tz.UTC).replace(tzinfo=None)


def local_holidays(region, year):
    "Yield the dates of the public holidays that the region adds"
    _, days = HOLIDAY_REGIONS[region]
    for day in days:
        if isinstance(day, int):
            yield easter(year) + dt.timedelta(days=day)
            continue
        month, day, *years = day
        first, last = years or (year, year)
        if first <= year <= last:
            yield dt.date(year, month, day)


class WorkingCalendar(France):
    """The working days of a company: neither a week-end, nor a public
    holiday of its region, nor inside one of its closures."""

    def __init__(self, company):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Closure = pool.get('training.closure')
        configuration = Configuration(1)
        self._region = configuration.get_multivalue(
            'holiday_region', company=company.id)
        self._local, self._added = {}, {}
        super().__init__()
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

    def _is_local_holiday(self, date):
        if not self._region:
            return False
        if (dates := self._local.get(date.year)) is None:
            dates = set(local_holidays(self._region, date.year))
            self._local[date.year] = dates
        return date in dates

    def is_working_day(self, date):
        return (super().is_working_day(date)
            and not self._is_local_holiday(date)
            and not self._is_closed(date))

    def is_open(self, date):
        "Return if the date, even of a week-end, is no holiday or closure"
        return (date not in self
            and not self._is_local_holiday(date)
            and not self._is_closed(date))

    def add(self, date, days):
        """Return the date that comes that many working days after date.

        With no day, it is date itself or the next working day."""
        key = date, days = date, int(days)
        if key not in self._added:
            # The steps of many cases are due after the same days
            self._added[key] = self._after(date, days)
        return self._added[key]

    def _after(self, date, days):
        if days <= 0 and self.is_working_day(date):
            return date
        return self.get_nth_working_day(date, max(days, 1))

    def count(self, start, end):
        "Return the number of working days after start until end, included"
        if end <= start:
            return 0
        return self.get_working_days_count(start + dt.timedelta(days=1), end)
