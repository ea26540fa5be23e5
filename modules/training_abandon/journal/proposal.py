# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .journaled import JournaledMixin, event


class Proposal(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.proposal'

    @classmethod
    def journaled_fields(cls):
        return {'solution', 'description', 'state'}

    @classmethod
    def journal_events(cls, mode, proposals, field_names):
        for proposal in proposals:
            yield event(
                proposal.case, 'proposal', proposal,
                solution=proposal.solution and proposal.solution.id,
                state='deleted' if mode == 'delete' else proposal.state,
                private=[proposal.description])


class ProposalResponse(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.proposal.response'

    @classmethod
    def journaled_fields(cls):
        return {'proposal', 'party', 'answer', 'at', 'channel'}

    @classmethod
    def journal_cases(cls, responses):
        return {r.proposal.case.id for r in responses}

    @classmethod
    def journal_records(cls, case_ids):
        return cls.search([('proposal.case', 'in', case_ids)], order=[])

    @classmethod
    def journal_events(cls, mode, responses, field_names):
        for response in responses:
            yield event(
                response.proposal.case, 'response', response,
                proposal=response.proposal.id, party=response.party.id,
                answer='deleted' if mode == 'delete' else response.answer,
                answered_at=response.at, channel=response.channel)
