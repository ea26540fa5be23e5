# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval

from .questionnaire import AnswersMixin


class Case(AnswersMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    success_tasks = fields.One2Many(
        'training.success.task', 'case', "Success Plan",
        domain=[
            ('enrolment', '=', Eval('enrolment', -1)),
            ('company', '=', Eval('company', -1)),
            ],
        help="What is done so that the trainee stays, with its effect.")

    @classmethod
    def on_answer(cls, cases):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Task = pool.get('training.success.task')
        super().on_answer(cases)
        FollowUp.end_answered(list(dict.fromkeys(cases)))
        Task.end('closed', 'case', [
                c for c in cases if c.closed_at and c.has_ended_enrolment])
