# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.model import ModelSQL, fields
from trytond.modules.company.model import CompanyValueMixin
from trytond.pool import Pool, PoolMeta

TIMES = {
    'morning_start': dt.time(9, 0),
    'morning_end': dt.time(12, 30),
    'afternoon_start': dt.time(13, 30),
    'afternoon_end': dt.time(17, 0),
    }


def time_field(string):
    return fields.Time(string, format='%H:%M')


class Configuration(metaclass=PoolMeta):
    __name__ = 'training.configuration'

    morning_start = fields.MultiValue(time_field("Morning Start"))
    morning_end = fields.MultiValue(time_field("Morning End"))
    afternoon_start = fields.MultiValue(time_field("Afternoon Start"))
    afternoon_end = fields.MultiValue(time_field("Afternoon End"))

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field in TIMES:
            return pool.get('training.configuration.schedule')
        return super().multivalue_model(field)

    @classmethod
    def default_morning_start(cls, **pattern):
        return TIMES['morning_start']

    @classmethod
    def default_morning_end(cls, **pattern):
        return TIMES['morning_end']

    @classmethod
    def default_afternoon_start(cls, **pattern):
        return TIMES['afternoon_start']

    @classmethod
    def default_afternoon_end(cls, **pattern):
        return TIMES['afternoon_end']

    def get_times(self, **pattern):
        "Return the list of the start and end of the half-days"
        times = []
        for half_day in ['morning', 'afternoon']:
            start = self.get_multivalue(f'{half_day}_start', **pattern)
            end = self.get_multivalue(f'{half_day}_end', **pattern)
            if start and end:
                times.append((start, end))
        return times


class ConfigurationSchedule(CompanyValueMixin, ModelSQL):
    __name__ = 'training.configuration.schedule'

    morning_start = time_field("Morning Start")
    morning_end = time_field("Morning End")
    afternoon_start = time_field("Afternoon Start")
    afternoon_end = time_field("Afternoon End")

    @classmethod
    def default_morning_start(cls):
        return TIMES['morning_start']

    @classmethod
    def default_morning_end(cls):
        return TIMES['morning_end']

    @classmethod
    def default_afternoon_start(cls):
        return TIMES['afternoon_start']

    @classmethod
    def default_afternoon_end(cls):
        return TIMES['afternoon_end']
