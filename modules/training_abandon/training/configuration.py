# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.cache import Cache
from trytond.model import ModelSingleton, ModelSQL, ModelView, fields
from trytond.modules.company.model import (
    CompanyMultiValueMixin, CompanyValueMixin)
from trytond.pool import Pool
from trytond.pyson import Eval, Id
from trytond.transaction import Transaction

from .working_day import FORMER_HOLIDAY_REGIONS, HOLIDAY_REGIONS

# As long as most mail servers do
MAIL_RETRY_TIME = dt.timedelta(days=5)
SEQUENCES = ['trainee', 'session', 'enrolment', 'case']
TIMES = {
    'morning_start': dt.time(9, 0),
    'morning_end': dt.time(12, 30),
    'afternoon_start': dt.time(13, 30),
    'afternoon_end': dt.time(17, 0),
    'noon': dt.time(12, 30),
    }


def sequence_field(string, type_, help):
    return fields.Many2One(
        'ir.sequence', string, required=True,
        domain=[
            ('company', 'in', [
                    Eval('context', {}).get('company', -1),
                    None]),
            ('sequence_type', '=', Id('training_abandon', type_)),
            ],
        help=help)


def sequence_value_field(string, type_):
    return fields.Many2One(
        'ir.sequence', string, required=True,
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ('sequence_type', '=', Id('training_abandon', type_)),
            ])


def default_sequence(name):
    "Return the id of the sequence delivered with the module"
    pool = Pool()
    ModelData = pool.get('ir.model.data')
    try:
        return ModelData.get_id('training_abandon', name)
    except KeyError:
        return None


class Configuration(
        ModelSingleton, CompanyMultiValueMixin, ModelSQL, ModelView):
    __name__ = 'training.configuration'
    _noon_cache = Cache('training.configuration.noon', context=False)

    trainee_sequence = fields.MultiValue(sequence_field(
            "Trainee Sequence", 'sequence_type_trainee',
            help="What numbers the trainees."))
    session_sequence = fields.MultiValue(sequence_field(
            "Session Sequence", 'sequence_type_session',
            help="What numbers the sessions."))
    enrolment_sequence = fields.MultiValue(sequence_field(
            "Enrolment Sequence", 'sequence_type_enrolment',
            help="What numbers the enrolments."))
    case_sequence = fields.MultiValue(sequence_field(
            "Case Sequence", 'sequence_type_case',
            help="What numbers the abandonment cases."))
    holiday_region = fields.MultiValue(fields.Selection(
            'get_holiday_regions', "Public Holidays",
            help="The French region whose public holidays are not "
            "working days.\n"
            "Leave empty for those common to the whole of France."))
    mail_retry_time = fields.MultiValue(fields.TimeDelta(
            "Retry Mails For", required=True,
            help="The time after which a mail that the mail server does not "
            "take fails."))
    morning_start = fields.MultiValue(fields.Time(
            "Morning Start", format='%H:%M',
            help="When the slots of the morning begin; leave empty when there "
            "is no training in the morning."))
    morning_end = fields.MultiValue(fields.Time(
            "Morning End", format='%H:%M',
            help="When the slots of the morning end; leave empty when there "
            "is no training in the morning."))
    afternoon_start = fields.MultiValue(fields.Time(
            "Afternoon Start", format='%H:%M',
            help="When the slots of the afternoon begin; leave empty when "
            "there is no training in the afternoon."))
    afternoon_end = fields.MultiValue(fields.Time(
            "Afternoon End", format='%H:%M',
            help="When the slots of the afternoon end; leave empty when there "
            "is no training in the afternoon."))
    noon = fields.MultiValue(fields.Time(
            "Noon", required=True, format='%H:%M',
            help="What starts before belongs to the morning.\n"
            "The slots whose sheet has been opened keep their half-day."))

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field in {f'{name}_sequence' for name in SEQUENCES}:
            return pool.get('training.configuration.sequence')
        elif field == 'holiday_region':
            return pool.get('training.configuration.calendar')
        elif field == 'mail_retry_time':
            return pool.get('training.configuration.mail')
        elif field in TIMES:
            return pool.get('training.configuration.schedule')
        return super().multivalue_model(field)

    @classmethod
    def default_trainee_sequence(cls, **pattern):
        return default_sequence('sequence_trainee')

    @classmethod
    def default_session_sequence(cls, **pattern):
        return default_sequence('sequence_session')

    @classmethod
    def default_enrolment_sequence(cls, **pattern):
        return default_sequence('sequence_enrolment')

    @classmethod
    def default_case_sequence(cls, **pattern):
        return default_sequence('sequence_case')

    @classmethod
    def default_mail_retry_time(cls, **pattern):
        return MAIL_RETRY_TIME

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

    @classmethod
    def default_noon(cls, **pattern):
        return TIMES['noon']

    @classmethod
    def get_noon(cls, company):
        "Return the time at which the afternoon starts for the company"
        noon = cls._noon_cache.get(company.id)
        if noon is None:
            noon = cls(1).get_multivalue(
                'noon', company=company.id) or TIMES['noon']
            cls._noon_cache.set(company.id, noon)
        return noon

    @classmethod
    def get_holiday_regions(cls):
        pool = Pool()
        Calendar = pool.get('training.configuration.calendar')
        return Calendar.get_holiday_regions()

    def get_times(self, **pattern):
        "Return the list of the start and end of the half-days"
        times = []
        for half_day in ['morning', 'afternoon']:
            start = self.get_multivalue(f'{half_day}_start', **pattern)
            end = self.get_multivalue(f'{half_day}_end', **pattern)
            if start and end:
                times.append((start, end))
        return times


class ConfigurationSequence(CompanyValueMixin, ModelSQL):
    __name__ = 'training.configuration.sequence'

    trainee_sequence = sequence_value_field(
        "Trainee Sequence", 'sequence_type_trainee')
    session_sequence = sequence_value_field(
        "Session Sequence", 'sequence_type_session')
    enrolment_sequence = sequence_value_field(
        "Enrolment Sequence", 'sequence_type_enrolment')
    case_sequence = sequence_value_field(
        "Case Sequence", 'sequence_type_case')

    @classmethod
    def default_trainee_sequence(cls):
        return default_sequence('sequence_trainee')

    @classmethod
    def default_session_sequence(cls):
        return default_sequence('sequence_session')

    @classmethod
    def default_enrolment_sequence(cls):
        return default_sequence('sequence_enrolment')

    @classmethod
    def default_case_sequence(cls):
        return default_sequence('sequence_case')


class ConfigurationCalendar(CompanyValueMixin, ModelSQL):
    __name__ = 'training.configuration.calendar'

    holiday_region = fields.Selection(
        'get_holiday_regions', "Public Holidays")

    @classmethod
    def __register__(cls, module):
        super().__register__(module)
        # Migration from 8.0.0: the code was that of the library
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        for former, region in FORMER_HOLIDAY_REGIONS.items():
            cursor.execute(*table.update(
                    [table.holiday_region], [region],
                    where=table.holiday_region == former))

    @classmethod
    def get_holiday_regions(cls):
        regions = [(c, name) for c, (name, _) in HOLIDAY_REGIONS.items()]
        return [(None, "")] + sorted(regions, key=lambda r: r[1])


class ConfigurationMail(CompanyValueMixin, ModelSQL):
    __name__ = 'training.configuration.mail'

    mail_retry_time = fields.TimeDelta("Retry Mails For", required=True)

    @classmethod
    def default_mail_retry_time(cls):
        return MAIL_RETRY_TIME


class ConfigurationSchedule(CompanyValueMixin, ModelSQL):
    __name__ = 'training.configuration.schedule'

    morning_start = fields.Time("Morning Start", format='%H:%M')
    morning_end = fields.Time("Morning End", format='%H:%M')
    afternoon_start = fields.Time("Afternoon Start", format='%H:%M')
    afternoon_end = fields.Time("Afternoon End", format='%H:%M')
    noon = fields.Time("Noon", required=True, format='%H:%M')

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

    @classmethod
    def default_noon(cls):
        return TIMES['noon']

    @classmethod
    def on_modification(cls, mode, values, field_names=None):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Slot = pool.get('training.session.slot')
        super().on_modification(mode, values, field_names=field_names)
        Configuration._noon_cache.clear()
        if mode == 'create' or (mode == 'write' and 'noon' in field_names):
            Slot.update_halves(
                None if any(not v.company for v in values)
                else [v.company.id for v in values])
