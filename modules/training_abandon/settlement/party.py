# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('training.abandon.settlement.line', 'payer'),
            ]


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Certificate = pool.get('training.completion_certificate')
        Line = pool.get('training.abandon.settlement.line')
        return super().to_erase(party_id) + [
            (Line, [
                    ('settlement.enrolment.trainee.party', '=', party_id),
                    ], True,
                ['reason'], [None]),
            (Certificate, [('enrolment.trainee.party', '=', party_id)], True,
                ['document', 'document_file_id'], [b'', None]),
            ]
