# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import hashlib
import json
from collections import defaultdict

from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..stored import SLICE, of_ids
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
    def _cases(cls, justifications):
        """Return the lists of the cases that tell of the justifications: the
        open one of the enrolment, and those that told of it before they were
        closed"""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cases = defaultdict(list)
        for case in Case.search([
                    ('enrolment', 'in', [
                            j.enrolment.id for j in justifications]),
                    ], order=[('id', 'ASC')]):
            cases[case.enrolment].append(case)
        told = cls._told([
                c.id for sub_cases in cases.values() for c in sub_cases
                if c.closed_at])
        return {
            j: [
                c for c in cases[j.enrolment]
                if not c.closed_at or (c.id, j.id) in told]
            for j in justifications}

    @classmethod
    def _told(cls, case_ids):
        """Return the couples of the ids of the cases and of the justifications
        of which their journals tell"""
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        cursor = Transaction().connection.cursor()
        table = Entry.__table__()
        told = set()
        for sub_ids in grouped_slice(case_ids, SLICE):
            cursor.execute(*table.select(
                    table.case, table.kind, table.resource, table.content,
                    where=of_ids(sub_ids)(table.case)
                    & table.kind.in_(['justification', 'state'])))
            for case, kind, resource, content in cursor:
                if kind == 'justification':
                    told.add((case, int(resource.partition(',')[2])))
                elif content:
                    # What the case was when its journal began
                    told.update(
                        (case, id_) for id_, *_ in json.loads(content).get(
                            'justification', []))
        return told

    @classmethod
    def journal_cases(cls, justifications):
        return {
            c.id for cases in cls._cases(justifications).values()
            for c in cases}

    @classmethod
    def journal_events(cls, mode, justifications, field_names):
        for justification, cases in cls._cases(justifications).items():
            for case in cases:
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
