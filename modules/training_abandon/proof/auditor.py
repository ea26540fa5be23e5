# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What the auditors reach

Who is in the group of the auditors, and neither in the one that does the
trainings nor in the one that reads them, reads the cases of the samples of
which it is an auditor, until their date, without what the trainees said nor
why they left.  It writes its findings alone."""
from trytond.pool import Pool
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..reach import MODES, Reach

# The fields that they read: no list of them has records that the rules hide,
# which the client would fail to show
READ = {
    'training.abandon.case': {
        'agreed_hours', 'answered_at', 'certificates', 'closed_at',
        'closed_conformity', 'closed_grade', 'company', 'conformity',
        'course', 'decided_by', 'decision', 'effective_date', 'enrolment',
        'evidence', 'follow_ups', 'grade', 'grading', 'ground',
        'hours_attended', 'last_presence', 'mails', 'next_due_date',
        'next_kind', 'next_step', 'number', 'opened_by', 'opening_date',
        'origin', 'owner', 'prescriber', 'procedure', 'session', 'state',
        'steps', 'trainee'},
    'training.abandon.case.step': {
        'by_procedure', 'case', 'certificates', 'conformity',
        'conformity_note', 'conformity_rule', 'done_at', 'done_by',
        'due_date', 'evidence', 'follow_ups', 'is_next', 'kind', 'late_from',
        'mails', 'procedure_step', 'proven_at', 'recorded', 'sequence',
        'skip_reason', 'state'},
    'training.abandon.certificate': {
        'case', 'document', 'filename', 'issued_at', 'kind', 'mails',
        'replaced_by', 'replaces', 'sha256', 'signed_at', 'state',
        'void_at'},
    'training.audit.finding': {
        'answer', 'answered_on', 'found_on', 'grade', 'line', 'sample',
        'text'},
    'training.audit.grading': {
        'company', 'days', 'end_date', 'evidence_missing', 'guide', 'late',
        'missing', 'no_measure', 'no_sheet', 'not_handled', 'nothing_done',
        'nothing_shown', 'skipped', 'source', 'start_date'},
    'training.audit.sample': {
        'cancelled', 'company', 'courses', 'drawn_at', 'drawn_by',
        'end_date', 'findings', 'grading', 'lines', 'method', 'population',
        'seed', 'start_date', 'until'},
    'training.audit.sample.line': {
        'case', 'company', 'conformity', 'findings', 'grade', 'position',
        'sample', 'state', 'steps'},
    'training.course': {
        'active', 'code', 'company', 'days', 'duration', 'kind', 'modality',
        'name'},
    'training.enrolment': {
        'absence_count', 'agreed_hours', 'attendance_rate', 'company',
        'consecutive_absences', 'course', 'end_date', 'hours_attended',
        'hours_held', 'hours_missed', 'hours_planned', 'last_presence',
        'late_count', 'number', 'prescriber', 'session', 'start_date',
        'state', 'trainee'},
    'training.follow_up': {
        'cancelled_at', 'case', 'company', 'done_at', 'employee',
        'enrolment', 'kind', 'outcome', 'party', 'planned_at',
        'planned_until', 'step'},
    'training.mail': {
        'attempts', 'bounce_reason', 'bounced_at', 'case', 'certificate',
        'company', 'enrolment', 'failed_at', 'from_', 'kind', 'party',
        'replaced_by', 'sent_at', 'state', 'step', 'subject', 'to'},
    'training.session': {
        'company', 'course', 'end_date', 'location', 'number', 'start_date',
        'state', 'trainers'},
    'training.trainee': {'active', 'code', 'family_name', 'party'},
    }
# The fields that they write
WRITTEN = {
    'training.audit.finding': {
        'found_on', 'grade', 'line', 'sample', 'text'},
    }
REACH = Reach(READ, WRITTEN)


def is_auditor():
    "Return if the user reads of the trainings its samples alone"
    return bool(
        Transaction().user
        and tools.is_member('group_auditor')
        and not tools.is_member('group_training')
        and not tools.is_member('group_training_reading'))


@without_check_access
def samples():
    "Return the ids of the samples that the user reads today, sorted"
    pool = Pool()
    Sample = pool.get('training.audit.sample')
    days = {}
    result = []
    for sample in Sample.search([
                ('auditors', '=', Transaction().user),
                ('until', '!=', None),
                ], order=[('id', 'ASC')]):
        company = sample.company
        if company not in days:
            days[company] = tools.today(company)
        if days[company] <= sample.until:
            result.append(sample.id)
    return result


def rule_context():
    "Return what the rules know of the auditor"
    return {
        'is_auditor': True,
        'auditor_user': Transaction().user,
        'audited_samples': samples(),
        }


def restrict_models(accesses):
    "Return the access of the auditor to the models, by name"
    has_samples = bool(samples())
    return {
        name: (
            REACH.restrict_model(name, access) if has_samples
            or not name.startswith('training.')
            else dict.fromkeys(MODES, False))
        for name, access in accesses.items()}
