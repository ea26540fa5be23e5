# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The days on which the work of the demo was done"

import datetime as dt
from contextlib import contextmanager
from unittest.mock import patch

import holidays
from sql import Select
from sql.functions import CurrentTimestamp

from trytond.model import ModelSQL
from trytond.modules.training_abandon import tools
from trytond.pool import Pool
from trytond.transaction import Transaction

# Days between a step and the one before, as a careful provider takes them
DELAYS = {
    'inform': 0, 'ask_reasons': 0, 'analyse': 3, 'propose': 2, 'exchange': 2,
    'follow_up': 1, 'decide': 11, 'certify': 1, 'end': 4}
BANK_HOLIDAYS = holidays.country_holidays('FR')
START = dt.time(8)
STEP = dt.timedelta(minutes=20)


def schedule(opening, last, factor=1):
    """Yield the steps until the last and the day of each, not after today

    They are done on working days, factor times slower than usual."""
    date = opening
    for kind, days in DELAYS.items():
        date = next_working_day(date + dt.timedelta(days=days * factor))
        yield kind, min(date, dt.date.today())
        if kind == last:
            break


def next_working_day(date):
    while date.weekday() >= 5 or date in BANK_HOLIDAYS:
        date += dt.timedelta(days=1)
    return date


class Clock:
    "Makes it another day for the database in this process"

    def __init__(self, database_name):
        self.database_name = database_name

    @contextmanager
    def at(self, date, position=0):
        "Do on that day what comes at that place in the day"
        if date >= dt.date.today():
            yield
            return
        time = dt.datetime.combine(date, START) + position * STEP
        Date = Pool(self.database_name).get('ir.date')
        with self.transaction() as cursor:
            start = self.timestamp(cursor)
        with patch.object(tools, 'now', lambda: time), \
                patch.object(Date, 'today', lambda *args, **kwargs: date):
            yield
        with self.transaction() as cursor:
            self.date_back(cursor, start, time)

    @contextmanager
    def transaction(self):
        with Transaction().start(self.database_name, 0) as transaction:
            yield transaction.connection.cursor()

    @staticmethod
    def timestamp(cursor):
        cursor.execute(*Select([CurrentTimestamp().as_('now')]))
        value, = cursor.fetchone()
        return value

    @staticmethod
    def date_back(cursor, start, time):
        "Give to what was written since start the time at which it happened"
        for name, Model in Pool().iterobject():
            if (not issubclass(Model, ModelSQL) or Model._is_table_query()
                    or not name.startswith(('training.', 'ir.'))):
                continue
            table = Model.__table__()
            for column in [table.create_date, table.write_date]:
                cursor.execute(*table.update(
                        [column], [time], where=column >= start))
