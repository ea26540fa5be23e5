# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('training.risk.rule', 'funder'),
            ]


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Alert = pool.get('training.alert')
        return super().to_erase(party_id) + [
            (Alert, [('enrolment.trainee.party', '=', party_id)], True,
                ['facts', 'word', 'dismiss_reason', 'reopenings'],
                [None] * 4),
            ]
