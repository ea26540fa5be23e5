# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta


class Trainee(metaclass=PoolMeta):
    __name__ = 'training.trainee'

    mails = fields.Function(
        fields.Many2Many(
            'training.mail', None, None, "Mails",
            help="The mails that were written about the trainee."),
        'get_mails')

    @classmethod
    def get_mails(cls, trainees, name):
        pool = Pool()
        Mail = pool.get('training.mail')
        return cls.of_enrolments(trainees, Mail)
