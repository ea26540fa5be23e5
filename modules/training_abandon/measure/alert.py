# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .plan import PlanMixin
from .questionnaire import AnswersMixin


class Alert(AnswersMixin, PlanMixin, metaclass=PoolMeta):
    __name__ = 'training.alert'
