# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .journaled import JournaledMixin, event


class Settlement(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.settlement'

    @classmethod
    def journaled_fields(cls):
        return {'state', 'withdrawn'}

    @classmethod
    def journal_states(cls, settlements):
        return super().journal_states(
            [s for s in settlements if s.state != 'draft'])

    @classmethod
    def journal_events(cls, mode, settlements, field_names):
        # A draft is calculated again as often as needed
        if mode != 'write':
            return
        for settlement in settlements:
            yield event(
                settlement.case, 'settlement', settlement,
                state=settlement.state, ground=settlement.ground,
                withdrawn=bool(settlement.withdrawn),
                payers=[x.payer.id for x in settlement.lines],
                # Not all who read the case read its amounts
                private=[
                    settlement.due_amount, settlement.undelivered_amount,
                    settlement.indemnity,
                    [[x.kind, x.due] for x in settlement.lines]])
