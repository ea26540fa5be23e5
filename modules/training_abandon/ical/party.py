# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta

from .. import tools


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('training.calendar.feed', 'trainer'),
            ]


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        CalendarFeed = pool.get('training.calendar.feed')
        return super().to_erase(party_id) + [
            (CalendarFeed, ['OR',
                    ('trainer', '=', party_id),
                    ('trainee.party', '=', party_id),
                    ], True,
                ['name', 'token_hash', 'revoked_at'],
                ['****', None, tools.now()]),
            ]
