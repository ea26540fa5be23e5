# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('training.attendance.notice', 'party'),
            ]

    def transition_replace(self):
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        Notice.forget_repeated(self.ask.source, self.ask.destination)
        return super().transition_replace()


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Justification = pool.get('training.justification')
        return super().to_erase(party_id) + [
            (Justification, [('enrolment.trainee.party', '=', party_id)], True,
                ['kind', 'note', 'document', 'document_file_id', 'filename',
                    'refusal_reason'],
                ['other'] + [None] * 5),
            ]
