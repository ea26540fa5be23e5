# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What the auditors reach

Who is in the group of the auditors, and neither in the one that does the
trainings nor in the one that reads them, reads the cases of the samples of
which it is an auditor, until their date, with the ground of the decision but
without the reasons of the trainees and what they said.  Of the parties it
reads the names of those of the cases.  It writes its findings alone, of all
the models of all the modules.  A model of another module is hidden until it
is named."""
from sql import Null, Union

from trytond.cache import Cache
from trytond.pool import Pool
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..reach import MODES, Reach

# The fields that they read: no list of them has records that the rules hide,
# which the client would fail to show
READ = {
    'company.company': {'currency', 'timezone'},
    'company.employee': {'active', 'company'},
    'party.party': {'active', 'audited', 'code', 'name'},
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
        'answer', 'answered_on', 'found_by', 'found_on', 'grade', 'line',
        'sample', 'text'},
    'training.audit.grading': {
        'company', 'days', 'end_date', 'evidence_missing', 'guide', 'late',
        'missing', 'no_measure', 'no_sheet', 'not_handled', 'nothing_done',
        'nothing_shown', 'skipped', 'source', 'start_date'},
    'training.audit.sample': {
        'cancelled', 'company', 'courses', 'drawn_at', 'drawn_by', 'earlier',
        'end_date', 'findings', 'grading', 'lines', 'method', 'population',
        'population_numbers', 'population_sha256', 'seed', 'start_date',
        'until'},
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
        'company', 'course', 'end_date', 'number', 'start_date', 'state',
        'trainers'},
    'training.trainee': {'active', 'code', 'family_name', 'party'},
    }
# The fields that they write
WRITTEN = {
    'training.audit.finding': {
        'found_on', 'grade', 'line', 'sample', 'text'},
    }
# The modules of which the records are those of the server or of the world,
# and what the preferences of the user name
OPEN_MODULES = {'country', 'currency', 'ir', 'res'}
ALWAYS_READ = {'company.company', 'company.employee'}
_samples_cache = Cache('training.audit.sample.auditor', context=False)


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
    Company = pool.get('company.company')
    user = Transaction().user
    rows = _samples_cache.get(user)
    if rows is None:
        rows = _samples_cache.set(user, _samples_until(user))
    return [
        id_ for id_, company, until in rows
        if tools.today(Company(company)) <= until]


def _samples_until(user):
    "Return the ids of the samples of the auditor, with company and last day"
    pool = Pool()
    Sample = pool.get('training.audit.sample')
    return tuple(
        (s.id, s.company.id, s.until) for s in Sample.search([
                ('auditors', '=', user),
                ('until', '!=', None),
                ], order=[('id', 'ASC')]))


def forget_samples():
    "Ask again which samples the auditors read"
    _samples_cache.clear()


class AuditorReach(Reach):
    "What the auditors reach, nothing without a sample"

    def applies(self):
        return is_auditor()

    def rule_context(self):
        return {
            'is_auditor': True,
            'auditor_user': Transaction().user,
            'audited_samples': samples(),
            }

    def cache_key(self):
        return (Transaction().user, tuple(samples()))

    def restrict_model(self, name, access):
        has_samples = bool(samples())
        access = super().restrict_model(name, access)
        module, _ = name.split('.', 1)
        written = has_samples and name in self.written
        return {
            'read': access['read'] and (
                name in ALWAYS_READ
                or module in OPEN_MODULES
                or has_samples and (
                    module == 'training' or name in self.read)),
            **{mode: written and access[mode] for mode in MODES[1:]},
            }


REACH = AuditorReach(READ, WRITTEN)


def parties_query():
    "Return the query of the parties of the cases that the auditor reads"
    pool = Pool()
    Case = pool.get('training.abandon.case')
    Enrolment = pool.get('training.enrolment')
    FollowUp = pool.get('training.follow_up')
    Line = pool.get('training.audit.sample.line')
    Mail = pool.get('training.mail')
    Trainee = pool.get('training.trainee')
    Trainer = pool.get('training.session-party.party')
    line, case, enrolment, trainee, trainer, mail, follow_up = (
        m.__table__() for m in [
            Line, Case, Enrolment, Trainee, Trainer, Mail, FollowUp])
    is_audited = line.sample.in_(samples() or [-1])
    # Joins: SQLite parses so many sub-queries in each other only
    enrolments = (line
        .join(case, condition=case.id == line.case)
        .join(enrolment, condition=enrolment.id == case.enrolment))
    return Union(
        enrolments
        .join(trainee, condition=trainee.id == enrolment.trainee)
        .select(trainee.party.as_('party'), where=is_audited),
        enrolments.select(
            enrolment.prescriber,
            where=is_audited & (enrolment.prescriber != Null)),
        enrolments
        .join(trainer, condition=trainer.session == enrolment.session)
        .select(trainer.trainer, where=is_audited),
        line.join(mail, condition=mail.case == line.case).select(
            mail.party, where=is_audited & (mail.party != Null)),
        line.join(follow_up, condition=follow_up.case == line.case).select(
            follow_up.party, where=is_audited & (follow_up.party != Null)))
