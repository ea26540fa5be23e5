# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .awaited import StepAwaitedMixin
from .batch import StepBatchMixin
from .escalation import StepEscalationMixin
from .reminder import StepReminderMixin


class Step(
        StepBatchMixin, StepEscalationMixin, StepReminderMixin,
        # Last, as its base is also that of the step
        StepAwaitedMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.case.step'
