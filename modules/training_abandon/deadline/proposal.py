# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .awaited import AwaitedMixin


class ProposalResponse(AwaitedMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.proposal.response'
    _awaited = {'proposal', 'party'}

    @classmethod
    def awaited_cases(cls, responses):
        return {r.proposal.case.id for r in responses}
