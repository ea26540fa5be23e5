# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        told = ['OR', *(
                (f'cases.{name}', '=', party_id) for name in [
                    # The sheets name all those of the session
                    'enrolment.session.enrolments.trainee.party',
                    'enrolment.contacts.party', 'enrolment.client',
                    'enrolment.employer', 'enrolment.prescriber',
                    'enrolment.fundings.funder', 'mails.party',
                    'replies.party', 'follow_ups.party'])]
        return super().to_erase(party_id) + [
            (Pack, told, True,
                ['file', 'file_id', 'sensitive_file', 'sensitive_file_id',
                    'problems'],
                [None] * 5),
            # What is being made would still tell of the party
            (Pack, [told, ('state', 'in', ['requested', 'building'])], True,
                ['state'],
                ['failed']),
            ]
