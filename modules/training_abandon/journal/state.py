# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What a case is when its journal begins"
import hashlib
from collections import defaultdict

from sql import Cast, Column
from sql.operators import Concat

from trytond.pool import Pool
from trytond.transaction import Transaction

from ..stored import of_ids
from .files import by_size
from .journaled import Event

# What is told of the records of a case, by model; the second list is private
TOLD = {
    'training.abandon.case.step': (
        ['kind', 'state', 'done_at', 'by_procedure'], ['skip_reason']),
    'training.mail': (
        ['kind', 'state', 'message_id', 'sent_at', 'bounced_at'], []),
    'training.mail.reply': (
        ['kind', 'received_at', 'counted'], ['message_digest', 'text']),
    'training.follow_up': (
        ['kind', 'done_at', 'outcome'], ['note']),
    'training.abandon.proposal': (
        ['solution', 'state'], ['description']),
    'training.abandon.certificate': (
        ['kind', 'state', 'sha256', 'issued_at', 'signed_at'], ['evidence']),
    'training.abandon.case.correction': (
        ['kind', 'at'], ['reason', 'description', 'note', 'message']),
    'training.abandon.case.completion': (['kind', 'date'], ['note']),
    'training.abandon.proposal.response': (
        ['answer', 'at', 'channel'], []),
    'training.justification': (
        ['state', 'start_date', 'end_date'],
        ['kind', 'note', 'refusal_reason']),
    'ir.attachment': ([], ['name', 'link', 'description']),
    'training.abandon.settlement': (['state', 'ground'], ['due_amount']),
    'training.declaration': (
        ['kind', 'state', 'withdrawn', 'done_on'], ['declared', 'note']),
    'training.abandon.case.cause': (
        [], ['cause', 'responsible', 'note']),
    'training.abandon.case-training.abandon.reason': ([], ['reason']),
    }
CASE = (
    ['number', 'enrolment', 'procedure', 'origin', 'opening_date', 'state',
        'answered_at', 'decision', 'ground', 'effective_date', 'closed_at'],
    ['note', 'reason_comment', 'analysis', 'no_solution_reason',
        'decision_note'])


# The files of the records, of which the hash is told
FILES = {
    'training.mail': ['message'],
    'training.mail.reply': ['message'],
    'training.abandon.certificate': ['document', 'signed_document'],
    'training.justification': ['document'],
    'ir.attachment': ['data'],
    }


class CaseStates:
    "The state of some cases, read by SQL: the tables may be half updated"

    def __init__(self, ids, beat=None):
        self.ids = ids
        self.beat = beat

    def events(self):
        "Yield the event that begins the journal of each of the cases"
        content, private = defaultdict(dict), defaultdict(list)
        cases = defaultdict(list)
        for name, (told, hidden) in TOLD.items():
            key = name.rpartition('.')[2]
            for case, id_, row in self._read(name, told + hidden):
                cases[name, id_].append(case)
                values = row[:len(told)]
                if told:
                    content[case].setdefault(key, []).append([id_, *values])
                if any(row[len(told):]):
                    private[case].append([id_, *row[len(told):]])
        for name, names in FILES.items():
            for id_, file in self._files(
                    name, names, [i for n, i in cases if n == name]):
                for case in cases[name, id_]:
                    content[case].setdefault('files', []).append(file)
        told, hidden = CASE
        for case, _, row in self._read(
                'training.abandon.case', told + hidden, 'id'):
            yield Event(
                case, 'state', f'training.abandon.case,{case}',
                {**dict(zip(told, row)), **content[case]},
                [*row[len(told):], *private[case]])

    def _files(self, name, names, ids):
        """Yield the id of the records and the list of the record, the field
        and the hash of their files"""
        pool = Pool()
        Model = pool.get(name)
        for sub_ids in by_size(Model, sorted(ids), names, self.beat):
            for row in Model.read(sub_ids, names):
                for field in names:
                    if row[field]:
                        yield row['id'], [
                            f'{name},{row["id"]}', field,
                            hashlib.sha256(row[field]).hexdigest()]

    def _read(self, name, names, case_name='case'):
        "Yield the case, the id and the values of the records of the cases"
        pool = Pool()
        table = pool.get(name).__table__()
        cursor = Transaction().connection.cursor()
        from_, case = table, Column(table, case_name)
        if name == 'training.abandon.proposal.response':
            proposal = pool.get('training.abandon.proposal').__table__()
            from_ = table.join(
                proposal, condition=proposal.id == table.proposal)
            case = proposal.case
        elif name == 'training.justification':
            cases = pool.get('training.abandon.case').__table__()
            from_ = table.join(
                cases, condition=cases.enrolment == table.enrolment)
            case = cases.id
        elif name == 'ir.attachment':
            Attachment = pool.get(name)
            cases = pool.get('training.abandon.case').__table__()
            from_ = table.join(
                cases,
                condition=table.resource == Concat(
                    'training.abandon.case,',
                    Cast(cases.id, Attachment.resource.sql_type().base)))
            case = cases.id
        cursor.execute(*from_.select(
                case, table.id, *(Column(table, n) for n in names),
                where=of_ids(self.ids)(case), order_by=[case, table.id]))
        for case, id_, *row in cursor.fetchall():
            yield case, id_, row
