# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from .. import tools
from ..training.working_day import WorkingCalendar


class Agenda:
    "The calendars and the present days of the companies, each read once"

    def __init__(self, date=None):
        self._date = date
        self._calendars, self._days = {}, {}

    def calendar(self, company):
        if company not in self._calendars:
            self._calendars[company] = WorkingCalendar(company)
        return self._calendars[company]

    def today(self, company):
        if self._date:
            return self._date
        if company not in self._days:
            self._days[company] = tools.today(company)
        return self._days[company]

    def is_working(self, company):
        return self.calendar(company).is_working_day(self.today(company))
