# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        # The pack tells of all that there is of the trainee
        return super().to_erase(party_id) + [
            (Pack, [('cases.enrolment.trainee.party', '=', party_id)], True,
                ['file', 'file_id', 'sensitive_file', 'sensitive_file_id',
                    'problems'],
                [None] * 5),
            ]
