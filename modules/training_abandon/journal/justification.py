# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import hashlib

from trytond.pool import Pool, PoolMeta

from .journaled import JournaledMixin, event


class Justification(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.justification'

    @classmethod
    def journaled_fields(cls):
        return {
            'state', 'kind', 'start_date', 'start_time', 'end_date',
            'end_time', 'document', 'received_at', 'note'}

    def _journal_sha256(self, mode):
        if mode != 'delete' and (document := self.document):
            return hashlib.sha256(document).hexdigest()

    @classmethod
    def journal_records(cls, case_ids):
        return cls.search([
                ('enrolment.cases', 'where', [('id', 'in', case_ids)]),
                ], order=[])

    @classmethod
    def _open_cases(cls, justifications):
        "Return the open case of the enrolments that have one, by id"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return {c.enrolment.id: c for c in Case.search([
                    ('enrolment', 'in', [
                            j.enrolment.id for j in justifications]),
                    ('closed_at', '=', None),
                    ], order=[])}

    @classmethod
    def journal_cases(cls, justifications):
        return {c.id for c in cls._open_cases(justifications).values()}

    @classmethod
    def journal_events(cls, mode, justifications, field_names):
        cases = cls._open_cases(justifications)
        for justification in justifications:
            if case := cases.get(justification.enrolment.id):
                yield event(
                    case, 'justification', justification,
                    state='deleted' if mode == 'delete'
                    else justification.state,
                    received_at=justification.received_at,
                    start_date=justification.start_date,
                    end_date=justification.end_date,
                    times=[justification.start_time, justification.end_time]
                    if justification.start_time or justification.end_time
                    else None,
                    sha256=justification._journal_sha256(mode),
                    private=[
                        justification.kind, justification.note,
                        justification.refusal_reason])
