# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta


class Trainee(metaclass=PoolMeta):
    __name__ = 'training.trainee'

    cases = fields.Function(
        fields.Many2Many(
            'training.abandon.case', None, None, "Cases",
            help="The abandonment cases of the trainee in all its "
            "enrolments."),
        'get_cases')
    follow_ups = fields.Function(
        fields.Many2Many(
            'training.follow_up', None, None, "Calls and Follow-Ups",
            help="The calls, the meetings and the visits about the trainee."),
        'get_follow_ups')

    @classmethod
    def get_cases(cls, trainees, name):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return cls.of_enrolments(trainees, Case)

    @classmethod
    def get_follow_ups(cls, trainees, name):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        return cls.of_enrolments(trainees, FollowUp)
