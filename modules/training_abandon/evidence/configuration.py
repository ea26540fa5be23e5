# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import ModelSQL, fields
from trytond.modules.company.model import CompanyValueMixin
from trytond.pool import Pool, PoolMeta

# An audit and what it asks for afterwards
PACK_DAYS = 180


def days_field(**attributes):
    return fields.Integer(
        "Days of Evidence Packs", required=True,
        domain=[
            ('evidence_pack_days', '>', 0),
            ],
        **attributes)


class Configuration(metaclass=PoolMeta):
    __name__ = 'training.configuration'

    evidence_pack_days = fields.MultiValue(days_field(
            help="How long the files of the evidence packs are kept: they "
            "are copies of personal data."))

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field == 'evidence_pack_days':
            return pool.get('training.configuration.evidence')
        return super().multivalue_model(field)

    @classmethod
    def default_evidence_pack_days(cls, **pattern):
        return PACK_DAYS


class ConfigurationEvidence(CompanyValueMixin, ModelSQL):
    __name__ = 'training.configuration.evidence'

    evidence_pack_days = days_field()

    @classmethod
    def default_evidence_pack_days(cls):
        return PACK_DAYS
