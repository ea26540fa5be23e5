# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        # The digest stays, so that the chain is still verified
        return super().to_erase(party_id) + [
            (Entry, [('case.enrolment.trainee.party', '=', party_id)], True,
                ['content', 'salt', 'secret'],
                [None] * 3),
            ]
