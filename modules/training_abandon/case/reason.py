# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta
from trytond.transaction import inactive_records


class Reason(metaclass=PoolMeta):
    __name__ = 'training.abandon.reason'

    @classmethod
    def used(cls, reasons):
        pool = Pool()
        CaseReason = pool.get('training.abandon.case-training.abandon.reason')
        Cause = pool.get('training.abandon.case.cause')
        used = super().used(reasons)
        with inactive_records():
            for reason in reasons:
                # The cases show the names of the parents too
                below = [('parent', 'child_of', [reason.id], 'parent')]
                if (CaseReason.search([('reason', 'where', below)], limit=1)
                        or Cause.search([('cause', 'where', below)], limit=1)):
                    used.add(reason.id)
        return used


class Solution(metaclass=PoolMeta):
    __name__ = 'training.abandon.solution'

    @classmethod
    def used(cls, solutions):
        pool = Pool()
        Proposal = pool.get('training.abandon.proposal')
        with inactive_records():
            return super().used(solutions) | {
                p.solution.id for p in Proposal.search([
                        ('solution', 'in', [s.id for s in solutions]),
                        ])}
