# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Finding = pool.get('training.audit.finding')
        return super().to_erase(party_id) + [
            (Finding,
                [('line.case.enrolment.trainee.party', '=', party_id)], True,
                ['text', 'answer'],
                ['****', None]),
            ]
