# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import ModelSQL, fields
from trytond.modules.company.model import CompanyValueMixin
from trytond.pool import Pool, PoolMeta

# More than an employee calls in a week
ALERT_CAP = 30


def cap_field(**attributes):
    return fields.Integer(
        "Alerts per Owner", required=True,
        domain=[
            ('alert_cap', '>', 0),
            ],
        **attributes)


class Configuration(metaclass=PoolMeta):
    __name__ = 'training.configuration'

    alert_cap = fields.MultiValue(cap_field(
            help="The home tells when an employee has more open alerts."))

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field == 'alert_cap':
            return pool.get('training.configuration.alert')
        return super().multivalue_model(field)

    @classmethod
    def default_alert_cap(cls, **pattern):
        return ALERT_CAP


class ConfigurationAlert(CompanyValueMixin, ModelSQL):
    __name__ = 'training.configuration.alert'

    alert_cap = cap_field()

    @classmethod
    def default_alert_cap(cls):
        return ALERT_CAP
