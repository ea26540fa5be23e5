# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta


class Trainee(metaclass=PoolMeta):
    __name__ = 'training.trainee'

    justifications = fields.Function(
        fields.Many2Many(
            'training.justification', None, None, "Justifications",
            help="What the trainee sent to excuse absences."),
        'get_justifications')

    @classmethod
    def get_justifications(cls, trainees, name):
        pool = Pool()
        Justification = pool.get('training.justification')
        return cls.of_enrolments(trainees, Justification)
