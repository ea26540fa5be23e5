# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta

from .awaited import AwaitedMixin


class Reply(AwaitedMixin, metaclass=PoolMeta):
    __name__ = 'training.mail.reply'
    _awaited = {'case', 'party', 'kind', 'state', 'counted', 'received_at'}
    _awaited_of = {'case', 'party'}

    @classmethod
    def awaited_cases(cls, replies):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        # What comes without a case may be about any of those of the party
        return {r.case.id for r in replies if r.case} | Case.open_of_parties([
                r.party.id for r in replies if not r.case and r.party])
