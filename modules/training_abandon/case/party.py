# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.modules.party.exceptions import EraseError
from trytond.pool import Pool, PoolMeta


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('training.follow_up', 'party'),
            ('training.abandon.proposal.response', 'party'),
            ]


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def check_erase_company(self, party, company):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        super().check_erase_company(party, company)
        cases = Case.search([
                ('enrolment.trainee.party', '=', party.id),
                ('company', '=', company.id),
                ('closed_at', '=', None),
                ], limit=1)
        if cases:
            raise EraseError(gettext(
                    'training_abandon.msg_erase_party_open_case',
                    party=party.rec_name,
                    company=company.rec_name))

    def to_erase(self, party_id):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Cause = pool.get('training.abandon.case.cause')
        Certificate = pool.get('training.abandon.certificate')
        Completion = pool.get('training.abandon.case.completion')
        FollowUp = pool.get('training.follow_up')
        Proposal = pool.get('training.abandon.proposal')
        Step = pool.get('training.abandon.case.step')
        trainee = [('case.enrolment.trainee.party', '=', party_id)]
        return super().to_erase(party_id) + [
            (Case, [('enrolment.trainee.party', '=', party_id)], True,
                ['note', 'reason_comment', 'analysis', 'decision_note',
                    'no_solution_reason'],
                [None] * 5),
            (Cause, trainee, True,
                ['note'],
                [None]),
            (Certificate, trainee, True,
                ['signed_document', 'signed_file_id', 'signed_filename',
                    'evidence', 'document', 'document_file_id'],
                [None] * 4 + [b'', None]),
            (Completion, trainee, True,
                ['note'],
                [None]),
            (FollowUp, ['OR',
                    ('party', '=', party_id),
                    ('enrolment.trainee.party', '=', party_id),
                    ], True,
                ['note'],
                [None]),
            (Proposal, trainee, True,
                ['description'],
                [None]),
            (Step, trainee, True,
                ['skip_reason'],
                [None]),
            ]
