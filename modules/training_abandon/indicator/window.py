# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The periods that the indicators count and compare"
import datetime as dt
from collections import namedtuple

from dateutil.relativedelta import relativedelta

from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.transaction import Transaction

DAY = dt.timedelta(days=1)
# The months of the periods into which a window is cut
PERIODS = {
    'month': 1,
    'quarter': 3,
    'year': 12,
    }
DEFAULT_PERIOD = 'month'
# The days that are counted, far from those that Python does not know
FIRST, LAST = dt.date(1900, 1, 1), dt.date(2999, 12, 31)


class Window(namedtuple('Window', 'start end')):
    "The days from the start to the end, both included"
    __slots__ = ()

    @property
    def months(self):
        "How many months it has, begun ones included"
        after = self.end + DAY
        months = (
            12 * (after.year - self.start.year)
            + after.month - self.start.month)
        return max(months + (after.day > self.start.day), 1)

    @property
    def previous(self):
        "The window of as many months before"
        start, end = self.before(self.months)
        return Window(start, min(end, self.start - DAY))

    def before(self, months):
        delta = relativedelta(months=months)
        return Window(self.start - delta, self.end + DAY - delta - DAY)

    def contains(self, column):
        "Return the SQL condition on the column of dates"
        return (column >= self.start) & (column < self.end + DAY)

    def or_previous(self, column):
        "Return that on those of the previous window too"
        previous = self.previous
        if previous.end + DAY == self.start:
            return Window(previous.start, self.end).contains(column)
        return self.contains(column) | previous.contains(column)

    def domain(self, name):
        return [(name, '>=', self.start), (name, '<=', self.end)]

    def intersection(self, other):
        return Window(
            max(self.start, other.start), min(self.end, other.end))

    @classmethod
    def of_context(cls):
        """Return the window of the context, by default the last twelve
        months"""
        pool = Pool()
        Date = pool.get('ir.date')
        context = Transaction().context
        start, end = (
            d if type(d) is dt.date else None
            for d in (context.get('from_date'), context.get('to_date')))
        if end is None:
            end = Date.today()
        if start is None:
            start = end + relativedelta(day=1, months=-11)
        start, end = (min(max(d, FIRST), LAST) for d in sorted([start, end]))
        return cls(start, end)


def period_name():
    "Return the name of the periods of the context"
    name = Transaction().context.get('period')
    return name if name in list(PERIODS) else DEFAULT_PERIOD


def period_months():
    "Return the months of the periods of the context"
    return PERIODS[period_name()]


def period_of(key, months):
    "Return the window of the number of the period"
    start = dt.date(key * months // 12, key * months % 12 + 1, 1)
    return Window(start, start + relativedelta(months=months) - DAY)


def period_label(key, months):
    "Return the name of the period of the number"
    start = period_of(key, months).start
    if months == PERIODS['year']:
        return f'{start.year:04}'
    elif months == PERIODS['month']:
        return f'{start.year:04}-{start.month:02}'
    return gettext(
        'training_abandon.msg_indicator_quarter',
        year=f'{start.year:04}', quarter=start.month // months + 1)
