# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .batch import StepBatchMixin
from .escalation import CaseEscalationMixin, StepEscalationMixin
from .reminder import CaseReminderMixin, StepReminderMixin
from .silence import SilenceMixin


class Case(
        CaseEscalationMixin, CaseReminderMixin, SilenceMixin,
        metaclass=PoolMeta):
    __name__ = 'training.abandon.case'


class Step(
        StepBatchMixin, StepEscalationMixin, StepReminderMixin,
        metaclass=PoolMeta):
    __name__ = 'training.abandon.case.step'
