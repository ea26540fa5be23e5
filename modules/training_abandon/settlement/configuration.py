# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import ModelSQL, fields
from trytond.modules.company.model import CompanyValueMixin
from trytond.pool import Pool, PoolMeta

from ..training.configuration import (
    default_sequence, sequence_field, sequence_value_field)


class Configuration(metaclass=PoolMeta):
    __name__ = 'training.configuration'

    completion_sequence = fields.MultiValue(sequence_field(
            "Completion Certificate Sequence", 'sequence_type_completion',
            help="What numbers the completion certificates."))

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field == 'completion_sequence':
            return pool.get('training.configuration.completion')
        return super().multivalue_model(field)

    @classmethod
    def default_completion_sequence(cls, **pattern):
        return default_sequence('sequence_completion')


class ConfigurationCompletion(CompanyValueMixin, ModelSQL):
    __name__ = 'training.configuration.completion'

    completion_sequence = sequence_value_field(
        "Completion Certificate Sequence", 'sequence_type_completion')

    @classmethod
    def default_completion_sequence(cls):
        return default_sequence('sequence_completion')
