# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .journaled import JournaledMixin, event


class FollowUp(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.follow_up'

    @classmethod
    def journaled_fields(cls):
        return {
            'case', 'done_at', 'kind', 'party', 'employee', 'outcome', 'note',
            'referred_on'}

    @classmethod
    def journal_left(cls, follow_ups, values):
        # What was done is no event of the case any more
        return [
            f for f in follow_ups if f.case and f.done_at and (
                'done_at' in values and not values['done_at']
                or 'case' in values and values['case'] != f.case.id)]

    @classmethod
    def journal_events(cls, mode, follow_ups, field_names):
        for follow_up in follow_ups:
            if not follow_up.case or not follow_up.done_at:
                continue
            yield event(
                follow_up.case,
                'follow_up_deleted' if mode == 'delete' else 'follow_up',
                follow_up, follow_up=follow_up.kind,
                done_at=follow_up.done_at, party=follow_up.party.id,
                employee=follow_up.employee and follow_up.employee.id,
                outcome=follow_up.outcome,
                referred_on=follow_up.referred_on, private=[follow_up.note])
