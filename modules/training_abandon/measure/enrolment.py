# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    success_tasks = fields.One2Many(
        'training.success.task', 'enrolment', "Success Plan",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="What is done so that the trainee stays, with its effect.")

    answers = fields.One2Many(
        'training.questionnaire.answer', 'enrolment', "Needs of the Trainee",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The answers to the questionnaires about the needs, before the "
        "training starts.")

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('success_tasks')
        default.setdefault('answers')
        return super().copy(enrolments, default=default)
