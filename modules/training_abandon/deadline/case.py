# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .awaited import CaseAwaitedMixin
from .escalation import CaseEscalationMixin
from .reminder import CaseReminderMixin
from .silence import SilenceMixin
from .waiting import WaitingMixin


class Case(
        CaseAwaitedMixin, CaseEscalationMixin, CaseReminderMixin,
        SilenceMixin, WaitingMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.case'
