# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The sections of the page of a case"
from trytond.i18n import gettext

from ..audit.case_file import sorted_follow_ups, sorted_replies
from ..training.enrolment import hours_name
from .page import Cell, Section

CASE = 'training.abandon.case'


def message(name, **values):
    return gettext(f'training_abandon.msg_evidence_pack_{name}', **values)


class Content:
    """What the page of a case tells

    files are the names of the files of the records by field, as they are
    seen from the page."""

    def __init__(self, case, words, files, sensitive):
        self.case, self.words = case, words
        self.files, self.sensitive = files, sensitive

    def link(self, record, name, text=None):
        "Return the cell that leads to the file of the record, if it is there"
        href = self.files.get((record.__name__, record.id, name))
        if not href:
            return Cell('')
        return Cell(text or href.rpartition('/')[2], href)

    def reserved(self, text):
        "Return the text for who may read it"
        if self.sensitive:
            return text
        return gettext('training_abandon.msg_case_file_reserved')

    def section(self, id_, title, model, names, rows):
        "Return the section with a column for each of the names of fields"
        return Section(
            id_, title, self.words.labels(model, *names),
            [self.words.cells(*row) for row in rows])

    def facts(self):
        case, words = self.case, self.words
        values = [
            ('number', case.number),
            # By which the journal names it
            ('id', case.id),
            ('trainee', case.trainee.rec_name),
            ('session', case.session.rec_name),
            ('prescriber', case.prescriber and case.prescriber.rec_name),
            ('procedure', ' – '.join(
                    [case.procedure.rec_name, case.procedure.name])),
            ('origin', words.selection(case, 'origin')),
            ('opening_date', case.opening_date),
            ('state', words.selection(case, 'state')),
            ('decision', words.selection(case, 'decision')),
            ('ground', words.selection(case, 'ground')),
            ('effective_date', case.effective_date),
            ('decided_by', case.decided_by and case.decided_by.rec_name),
            ('reason_category', case.reason_category),
            ('closed_at', case.closed_at),
            ('conformity', words.selection(case, 'conformity')),
            ]
        if self.sensitive:
            values += [(name, getattr(case, name)) for name in [
                    'note', 'reason_comment', 'analysis',
                    'no_solution_reason', 'decision_note']]
        return [
            (words.label(CASE, name), Cell(words.text(value)))
            for name, value in values if value]

    def sections(self, attendances, justifications, completions, documents):
        return [
            self._conformity(),
            self._declarations(),
            self._timeline(),
            self._mails(),
            self._replies(),
            self._follow_ups(),
            *self._analysis(),
            self._proposals(),
            self._attendances(attendances),
            self._justifications(justifications),
            self._certificates(),
            self._completions(completions),
            self._documents(documents),
            ]

    def _conformity(self):
        words = self.words
        STEP = 'training.abandon.case.step'
        return Section(
            'conformity', message('conformity'), [
                words.label(STEP, 'kind'), message('rule_name'),
                *words.labels(
                    STEP, 'due_date', 'done_at', 'proven_at', 'evidence',
                    'conformity', 'conformity_note')],
            [words.cells(
                    words.selection(s, 'kind'), self._rule(s.procedure_step),
                    s.due_date, s.done_at, s.proven_at,
                    words.selection(s, 'evidence'),
                    words.selection(s, 'conformity'), s.conformity_note)
                for s in self.case.steps])

    def _rule(self, step):
        "Return the words for when the step of the procedure is due"
        return step_rule(self.words, step) if step else ''

    def _declarations(self):
        words = self.words
        return self.section(
            'declarations', words.label(CASE, 'declarations'),
            'training.declaration',
            ['kind', 'recipient', 'due_date', 'done_on', 'conformity',
                'reference', 'proof', 'cancel_reason'],
            [[
                    words.selection(d, 'kind'),
                    d.recipient and d.recipient.rec_name, d.due_date,
                    d.done_on, words.selection(d, 'conformity'),
                    d.reference, self.link(d, 'proof'), d.cancel_reason]
                for d in self.case.declarations])

    def _timeline(self):
        return self.section(
            'timeline', self.words.label(CASE, 'events'),
            'training.abandon.case.event', ['at', 'by', 'summary'],
            [[e.at, e.by, e.summary] for e in self.case.events])

    def _mails(self):
        words = self.words
        return self.section(
            'mails', words.label(CASE, 'mails'), 'training.mail',
            ['sent_at', 'kind', 'to', 'subject', 'state', 'bounced_at',
                'message'],
            [[
                    m.sent_at, words.selection(m, 'kind'), m.to, m.subject,
                    words.selection(m, 'state'), m.bounced_at,
                    self.link(m, 'message')]
                for m in sorted(self.case.mails, key=lambda m: m.id)])

    def _replies(self):
        words = self.words
        return self.section(
            'replies', words.label(CASE, 'replies'), 'training.mail.reply',
            ['received_at', 'from_', 'kind', 'state', 'text', 'message'],
            [[
                    r.received_at, r.from_, words.selection(r, 'kind'),
                    words.selection(r, 'state'),
                    self.reserved(r.text if self.sensitive else None),
                    self.link(r, 'message')]
                for r in sorted_replies(self.case)])

    def _follow_ups(self):
        words = self.words
        return self.section(
            'follow-ups', words.label(CASE, 'follow_ups'),
            'training.follow_up',
            ['planned_at', 'done_at', 'kind', 'party', 'employee', 'outcome',
                'note'],
            [[
                    f.planned_at, f.done_at, words.selection(f, 'kind'),
                    f.party.rec_name, f.employee and f.employee.rec_name,
                    words.selection(f, 'outcome'),
                    self.reserved(f.note if self.sensitive else None)]
                for f in sorted_follow_ups(self.case)])

    def _analysis(self):
        "Yield what is declared and determined"
        if not self.sensitive:
            return
        words = self.words
        yield Section(
            'reasons', words.label(CASE, 'reasons'),
            [words.label(CASE, 'reasons')],
            [words.cells(r.rec_name) for r in self.case.reasons])
        yield self.section(
            'causes', words.label(CASE, 'causes'),
            'training.abandon.case.cause', ['cause', 'responsible', 'note'],
            [[c.rec_name, words.selection(c, 'responsible'), c.note]
                for c in self.case.causes])

    def _proposals(self):
        words = self.words
        return self.section(
            'proposals', words.label(CASE, 'proposals'),
            'training.abandon.proposal', ['solution', 'state', 'responses'],
            [[
                    p.rec_name, words.selection(p, 'state'), '\n'.join(
                        ' – '.join([
                                words.text(r.at), r.party.rec_name,
                                words.selection(r, 'answer')])
                        for r in p.responses)]
                for p in self.case.proposals])

    def _attendances(self, attendances):
        words = self.words
        names = [
            'date', 'slot', 'state', 'missed', 'justified', 'source']
        if self.sensitive:
            names += ['justification', 'comment']
        return self.section(
            'attendances',
            words.label('training.enrolment', 'attendances'),
            'training.attendance', names,
            [[
                    a.slot.date,
                    ' – '.join(map(words.text, [a.slot.start, a.slot.end])),
                    words.selection(a, 'state'),
                    hours_name(a.missed) if a.missed else '',
                    message('yes') if a.justified else '',
                    words.selection(a, 'source'),
                    *([a.justification, a.comment] if self.sensitive else [])]
                for a in attendances])

    def _justifications(self, justifications):
        words = self.words
        names = ['start_date', 'end_date', 'state', 'decided_by', 'decided_at']
        if self.sensitive:
            names += ['kind', 'note', 'refusal_reason', 'document']
        return self.section(
            'justifications',
            words.label('training.enrolment', 'justifications'),
            'training.justification', names,
            [[
                    j.start_date, j.end_date, words.selection(j, 'state'),
                    j.decided_by and j.decided_by.rec_name, j.decided_at,
                    *([
                            words.selection(j, 'kind'), j.note,
                            j.refusal_reason, self.link(j, 'document'),
                            ] if self.sensitive else [])]
                for j in justifications])

    def _certificates(self):
        words = self.words
        return self.section(
            'certificates', words.label(CASE, 'certificates'),
            'training.abandon.certificate',
            ['kind', 'issued_at', 'state', 'signed_at', 'signed_by',
                'evidence', 'mails', 'document', 'signed_document', 'sha256'],
            [[
                    words.selection(c, 'kind'), c.issued_at,
                    words.selection(c, 'state'), c.signed_at,
                    c.signed_by and c.signed_by.rec_name,
                    c.evidence,
                    '\n'.join(
                        ' – '.join(filter(None, [words.text(m.sent_at), m.to]))
                        for m in c.mails),
                    self.link(c, 'document'),
                    self.link(c, 'signed_document'), c.sha256]
                for c in self.case.certificates])

    def _completions(self, completions):
        words = self.words
        return self.section(
            'completions',
            words.label('training.enrolment', 'completion_certificates'),
            'training.completion_certificate',
            ['number', 'start_date', 'end_date', 'done', 'issued_at',
                'voided_at', 'document', 'sha256'],
            [[
                    c.number, c.start_date, c.end_date, hours_name(c.done),
                    c.issued_at, c.voided_at, self.link(c, 'document'),
                    c.sha256]
                for c in completions])

    def _documents(self, documents):
        if not self.sensitive and documents:
            return Section(
                'documents', message('documents'), [], [],
                [message('documents_left_out', count=len(documents))])
        return self.section(
            'documents', message('documents'), 'ir.attachment',
            ['name', 'description', 'data'],
            [[
                    d.name, d.description,
                    d.link if d.type == 'link' else self.link(d, 'data')]
                for d in documents])


def step_rule(words, step):
    "Return the words for when the step of a procedure is due"
    return message(
        'rule', delay=step.delay,
        unit=words.selection(step, 'delay_unit').lower(),
        origin=words.selection(step, 'counted_from').lower())


def procedure_sections(procedure, words):
    "Return the sections of the page of the revision of a procedure"
    PROCEDURE = 'training.abandon.procedure'

    def section(id_, name, model, names, rows):
        return Section(
            id_, words.label(PROCEDURE, name), words.labels(model, *names),
            [words.cells(*row) for row in rows])

    return [
        section(
            'steps', 'steps', 'training.abandon.procedure.step',
            ['kind', 'delay', 'required', 'reminder_count', 'reminder_delay'],
            [[
                    words.selection(s, 'kind'), step_rule(words, s),
                    message('yes') if s.required else '',
                    s.reminder_count, s.reminder_delay]
                for s in procedure.steps]),
        section(
            'letters', 'letters', 'training.abandon.procedure.letter',
            ['step_kind', 'variant', 'audience', 'subject', 'text'],
            [[
                    words.selection(r, 'step_kind'),
                    words.selection(r, 'variant'),
                    words.selection(r, 'audience'), r.subject, r.text]
                for r in procedure.letters]),
        section(
            'reasons', 'reasons', 'training.abandon.reason', ['name'],
            [[r.rec_name] for r in procedure.reasons]),
        ]
