# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import PoolMeta

from .journaled import JournaledMixin, event


class Case(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    journal_length = fields.Integer(
        "Journal Length", readonly=True, loading='lazy',
        help="How many entries the journal of the case has.")
    journal_head = fields.Char(
        "Journal Head", readonly=True, loading='lazy',
        help="The hash of the last entry of the journal of the case.")

    @classmethod
    def _protected_fields(cls):
        return super()._protected_fields() | {
            'journal_length', 'journal_head'}

    @classmethod
    def journaled_fields(cls):
        return {
            'decision', 'answered_at', 'reasons', 'reason_comment', 'state'}

    @classmethod
    def journal_cases(cls, cases):
        # The steps have taken them
        return set()

    @classmethod
    def journal_records(cls, case_ids):
        return cls.browse(case_ids)

    @classmethod
    def journal_events(cls, mode, cases, field_names):
        for case in cases:
            if mode == 'create':
                yield event(
                    case, 'opening', case, number=case.number,
                    enrolment=case.enrolment.id, procedure=case.procedure.id,
                    origin=case.origin, opening_date=case.opening_date,
                    steps=[[s.kind, s.state] for s in case.steps],
                    private=[case.note])
                continue
            if 'decision' in field_names:
                if case.decision:
                    yield case._decision_event()
                else:
                    yield event(case, 'withdrawal', case)
            if ({'answered_at', 'reasons', 'reason_comment'} & field_names
                    and (case.answered_at or case.reasons
                        or case.reason_comment)):
                yield event(
                    case, 'answer', case, answered_at=case.answered_at,
                    private=[
                        case.reason_comment,
                        sorted(r.id for r in case.reasons)])
            if 'state' in field_names and case.state in {
                    'closed', 'cancelled'}:
                yield event(case, 'closing', case, state=case.state)

    def _decision_event(self):
        return event(
            self, 'decision', self, decision=self.decision,
            ground=self.ground, effective_date=self.effective_date,
            decided_by=self.decided_by and self.decided_by.id,
            private=[self.decision_note])
