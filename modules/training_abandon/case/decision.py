# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The decision on a case and what it does to the enrolment"
from collections import defaultdict

from trytond.i18n import gettext
from trytond.pool import Pool

from .. import tools
from ..exceptions import CaseStepError, RecipientError
from ..mail.address import check_address
from ..procedure.states import (
    BEFORE_SESSION_GROUNDS, GROUND_STATES, INVALID_GROUNDS, OPEN_STATES)
from ..training.enrolment import CURRENT_STATES


class DecisionMixin:
    "Cases that validate or invalidate an abandonment"
    __slots__ = ()

    @classmethod
    def apply_decision(
            cls, cases, decision, ground, effective_date, note=None):
        "Validate or invalidate the abandonment of the cases, all or none"
        resumed = ground == 'resumed'
        if resumed:
            cases, steps = cls._take_open(cases)
        else:
            cases, steps = cls.take(cases, 'decide')
        cls._check_decision(cases, decision, ground, effective_date)
        ended = [c for c in cases if c.has_ended_enrolment]
        cls._record_decisions('replaced', [c for c in cases if c.decision])

        def write(cases, steps):
            cls._write_decision(
                cases, decision, ground, effective_date, note)

        if decision == 'validated':
            cls.move_to('validated', cases, steps, write)
            cls._end_enrolments(cases, ground, effective_date)
            if ground != 'abandonment':
                cls._skip_certificate(cases)
        else:
            cls.move_to('invalidated', cases, steps, write)
            cls._skip_rest(
                cls.browse(cases),
                gettext('training_abandon.msg_step_skip_invalidated'),
                by_procedure=True)
            cls._end(cases)
            cls.restore_enrolments(ended)
            if resumed:
                cls._send_resumed(cases, steps)

    @classmethod
    def _skip_certificate(cls, cases):
        "Skip the certificate, that is made of abandonments only"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        Step.skip([
                s for c in cls.browse(cases) for s in c.steps
                if s.kind == 'certify' and s.state == 'todo'],
            gettext('training_abandon.msg_step_skip_no_certificate'),
            by_procedure=True)

    @classmethod
    def _take_open(cls, cases):
        cases = cls.lock_cases(cases)
        refused = [c for c in cases if c.state not in OPEN_STATES]
        if refused:
            raise CaseStepError(gettext(
                    'training_abandon.msg_case_not_open',
                    cases=tools.names(refused)))
        return cases, {
            c.id: s for c in cases for s in c.steps
            if s.kind == 'decide' and s.state == 'todo'}

    @classmethod
    def _check_decision(cls, cases, decision, ground, effective_date):
        if not decision or not ground or not effective_date:
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_missing'))
        grounds = (
            GROUND_STATES if decision == 'validated' else INVALID_GROUNDS)
        if ground not in grounds:
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_ground',
                    ground=cls._ground_label(ground)))
        cls._check_session(cases, decision, ground)
        for case in cases:
            cls._check_effective_date(
                case, decision, ground, effective_date)
        ended = [c for c in cases
            if c.enrolment.state not in CURRENT_STATES]
        if decision == 'validated' and ended:
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_enrolment_ended',
                    cases=tools.names(ended)))

    @classmethod
    def _ground_label(cls, ground):
        labels = dict(cls.fields_get(['ground'])['ground']['selection'])
        return labels.get(ground, ground)

    @classmethod
    def _check_effective_date(cls, case, decision, ground, effective_date):
        if effective_date > tools.today(case.company):
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_date_future',
                    case=case.rec_name))
        enrolment = case.enrolment
        start = max(filter(None, [
                    enrolment.start_date, enrolment.session.start_date]))
        if (decision == 'validated'
                and ground not in BEFORE_SESSION_GROUNDS
                and effective_date < start):
            raise CaseStepError(gettext(
                    'training_abandon.msg_decision_date_before_start',
                    case=case.rec_name,
                    grounds=', '.join(
                        map(cls._ground_label, BEFORE_SESSION_GROUNDS))))

    @classmethod
    def _write_decision(cls, cases, decision, ground, effective_date, note):
        values = {
            'decision': decision,
            'ground': ground,
            'effective_date': effective_date,
            'decision_note': note,
            }
        groups = defaultdict(list)
        for case in cases:
            employee = tools.current_employee(case.company)
            previous = {}
            if decision == 'validated':
                previous = {
                    'previous_enrolment_state': case.enrolment.state,
                    'previous_end_date': case.enrolment.end_date,
                    }
            groups[employee, *previous.items()].append(case)
        for (employee, *previous), group in groups.items():
            cls.write(group, {
                    **values, **dict(previous),
                    'decided_by': employee.id if employee else None,
                    })

    @classmethod
    def _end_enrolments(cls, cases, ground, effective_date):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        end = {
            'withdrawn': Enrolment.withdraw,
            'cancelled': Enrolment.call_off,
            'suspended': Enrolment.suspend,
            }[GROUND_STATES[ground]]
        enrolments = Enrolment.browse([c.enrolment.id for c in cases])
        end(enrolments)
        Enrolment.end_expectation(
            Enrolment.browse(enrolments), effective_date,
            reason=cls._ground_label(ground),
            origins={c.enrolment: {'case': c.id} for c in cases})

    @classmethod
    def restore_enrolments(cls, cases):
        "Give the trainees back the enrolment that the decision ended"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        restore = {
            'draft': Enrolment.draft,
            'confirmed': Enrolment.confirm,
            'suspended': Enrolment.suspend,
            'started': Enrolment.restart,
            }
        by_state = defaultdict(list)
        for case in cases:
            by_state[case.previous_enrolment_state].append(case)
        for state, group in by_state.items():
            enrolments = Enrolment.browse([c.enrolment.id for c in group])
            restore[state](enrolments)
            Enrolment.restore_expectation(Enrolment.browse(enrolments))
            Enrolment.follow_session(enrolments)

    @property
    def has_ended_enrolment(self):
        "If the enrolment still is as the decision of the case left it"
        return (self.decision == 'validated'
            and self.enrolment.state == GROUND_STATES[self.ground])

    @classmethod
    def _send_resumed(cls, cases, steps):
        "Tell the trainee and those who were told of the absence"
        recipients = []
        for case in cls.browse(cases):
            told = case._told()
            recipients += [
                r for r in cls.recipients([case], ['trainee', 'stakeholder'])
                if r[1] == 'trainee' or r[2] in told]
        lines = cls.render_letters(
            recipients, 'decide', lambda case: 'resumed')
        not_told = []
        for line in list(lines):
            try:
                check_address(line['to'], line['party'])
            except RecipientError:
                lines.remove(line)
                not_told.append(line)
        cls.create_mails(steps, lines)
        if not_told:
            cls.notify_user(
                [line['case'] for line in not_told], 'tryton-warning',
                gettext('training_abandon.msg_decide_not_told'),
                ', '.join(line['party'].rec_name for line in not_told))

    def _told(self):
        "Return the parties that know of the absence"
        return {
            p for m in self.mails
            if m.state not in {'failed', 'cancelled'}
            and not m.bounced_at
            for p in m.parties} | {
            f.party for f in self.follow_ups
            if f.done_at
            and f.outcome not in {None, 'no_answer', 'wrong_contact'}}
