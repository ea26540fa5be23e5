# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta


class Trainee(metaclass=PoolMeta):
    __name__ = 'training.trainee'

    alerts = fields.Function(
        fields.Many2Many('training.alert', None, None, "Alerts"),
        'get_alerts')

    @classmethod
    def get_alerts(cls, trainees, name):
        pool = Pool()
        Alert = pool.get('training.alert')
        return cls.of_enrolments(trainees, Alert)
