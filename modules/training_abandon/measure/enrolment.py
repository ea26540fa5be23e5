# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import grouped_slice

from .. import tools
from ..training.enrolment import CURRENT_STATES
from .apprenticeship import VisitsMixin


def of_enrolments(Model, records):
    "Return the ids of those of the model for the enrolment of each record"
    by_enrolment = defaultdict(list)
    for sub_ids in grouped_slice(
            sorted({r.enrolment.id for r in records}), tools.BATCH):
        for found in Model.search([('enrolment', 'in', list(sub_ids))]):
            by_enrolment[found.enrolment.id].append(found.id)
    return {r.id: by_enrolment[r.enrolment.id] for r in records}


class Enrolment(VisitsMixin, metaclass=PoolMeta):
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
    def on_modification(cls, mode, enrolments, field_names=None):
        pool = Pool()
        Task = pool.get('training.success.task')
        super().on_modification(mode, enrolments, field_names=field_names)
        if mode == 'write' and 'state' in field_names:
            Task.end('ended', 'enrolment', [
                    e for e in enrolments if e.state not in CURRENT_STATES])
            Task.resume([
                    e for e in enrolments
                    if e.state in CURRENT_STATES and e.state != 'suspended'])

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('success_tasks')
        default.setdefault('answers')
        return super().copy(enrolments, default=default)
