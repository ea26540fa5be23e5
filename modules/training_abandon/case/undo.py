# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The ways back from what was done to the cases by mistake"
from collections import defaultdict

from trytond import backend
from trytond.i18n import gettext
from trytond.model import ModelView
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval

from .. import tools
from ..exceptions import CaseBusyError, CaseUndoError
from ..procedure.states import OPEN_STATES, STEP_STATES

# The steps of the decision
DECISION_KINDS = ['decide', 'certify']


class UndoMixin:
    "Cases of which a mistake is taken back, and not forgotten"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            cancel_case={
                'invisible': ~Eval('state').in_(OPEN_STATES),
                'depends': ['state'],
                })

    @classmethod
    def check_undo(cls, cases):
        """Hook called before the decisions on the cases go, with what others
        have that rests on them: raise if they have to stay."""

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_cancel_case')
    def cancel_case(cls, cases):
        pass

    @classmethod
    def cancel_cases(cls, cases, reason=None):
        """Cancel the cases that were opened by mistake, all or none, and tell
        those who were told of the absence."""
        pool = Pool()
        Correction = pool.get('training.abandon.case.correction')
        cases, _ = cls._take_open(cases)
        cls.check_undo(cases)
        cls.lock_mails(m for c in cases for m in c.mails)
        ended = [c for c in cases if c.has_ended_enrolment]
        corrections = Correction.record('cancelled', cases, reason)
        cls._void_certificates(cases, reason)
        cls._cancel_transfers(cases)
        cls._cancel(cases)
        cls.restore_enrolments(ended)
        cls.tell_correction(
            corrections, {c: c._told_parties() for c in cls.browse(cases)},
            'decide', 'mistake')

    @classmethod
    def lock_mails(cls, mails):
        "Keep the mails for this transaction alone: none of them leaves now"
        pool = Pool()
        Mail = pool.get('training.mail')
        mails = list(mails)
        busy = gettext(
            'training_abandon.msg_case_busy',
            cases=tools.names(list(dict.fromkeys(m.case for m in mails))))
        try:
            tools.lock_records(Mail, [m.id for m in mails])
        except backend.DatabaseOperationalError as exception:
            raise CaseBusyError(busy) from exception
        tools.forget_read()

    def _told_parties(self, kinds=None):
        """Return the parties that know of the case, or of its steps of the
        kinds, by a mail that has left or otherwise."""
        trainee = self.enrolment.trainee.party
        concerned = {trainee, *(
                p for _, p in self.enrolment.stakeholders())}
        mails = [
            m for m in self.mails
            if m.party and m.has_left and not m.correction]
        follow_ups = [
            f for f in self.follow_ups
            if f.party in concerned and f.done_at
            and f.outcome not in {None, 'no_answer', 'wrong_contact'}]
        if kinds is not None:
            mails = [m for m in mails if m.kind in kinds]
            follow_ups = [
                f for f in follow_ups if f.step and f.step.kind in kinds]
        if kinds == DECISION_KINDS:
            # Of the decision that the case has
            since = self._taken_back_at()
            mails = [
                m for m in mails
                if not (since and m.sent_at and m.sent_at <= since)]
            follow_ups = [
                f for f in follow_ups if not (since and f.done_at <= since)]
        return list(dict.fromkeys([
                    *(p for m in mails for p in m.parties),
                    *(f.party for f in follow_ups)]))

    def _taken_back_at(self):
        "Return when the last decision that was taken back was, or None"
        return max(
            (c.at for c in self.corrections if c.kind == 'taken_back'),
            default=None)

    @classmethod
    def _void_certificates(cls, cases, reason):
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        Certificate.void([
                x for c in cases for x in c.certificates
                if x.state != 'void'], reason)

    @classmethod
    def _record_decisions(cls, kind, cases, reason=None):
        "Record the decisions that the cases will have no more"
        pool = Pool()
        Correction = pool.get('training.abandon.case.correction')
        return Correction.record(kind, cases, reason, lambda case: {
                'step': case.get_step('decide'),
                'description': case._describe_decision(),
                'note': case.decision_note,
                })

    @classmethod
    def take_back(cls, cases, reason):
        """Take back the decisions on the cases, all or none, and tell those
        who were told of them."""
        pool = Pool()
        Proposal = pool.get('training.abandon.proposal')
        Step = pool.get('training.abandon.case.step')
        cases = cls._take_decided(cases)
        cls.check_undo(cases)
        cls.lock_mails(m for c in cases for m in c.mails)
        told = {c: c._told_parties(DECISION_KINDS) for c in cases}
        ended = [c for c in cases if c.has_ended_enrolment]
        corrections = cls._record_decisions('taken_back', cases, reason)
        cls.cancel_waiting(
            m for c in cases for m in c.mails if m.kind in DECISION_KINDS)
        cls._void_certificates(cases, reason)
        cls._cancel_transfers(cases)
        # While the case still tells what the enrolment was
        cls.restore_enrolments(ended)
        Proposal.renew([
                p for c in cases if c.closed_at for p in c.proposals])
        Step.reopen([s for c in cases for s in c._decided_steps()])
        by_state = defaultdict(list)
        for case in cls.browse(cases):
            by_state[case._state_of_steps()].append(case)
        for state, group in by_state.items():
            cls.write(group, {**cls._undecided_values(), 'state': state})
        Step.reschedule(cases)
        cls.tell_correction(corrections, told, 'decide', 'taken_back')

    @classmethod
    def _take_decided(cls, cases):
        if not tools.is_member('group_training_admin'):
            raise AccessError(gettext(
                    'training_abandon.msg_take_back_admin'))
        cases = cls.lock_cases(cases)
        refused = [
            c for c in cases if not c.decision or c.state == 'cancelled']
        if refused:
            raise CaseUndoError(gettext(
                    'training_abandon.msg_take_back_not_decided',
                    cases=tools.names(refused)))
        cls._check_only_open(cases)
        cls._check_last_validated(cases)
        return cases

    @classmethod
    def _check_only_open(cls, cases):
        "Check that the enrolments will have no other open case"
        enrolments = [c.enrolment for c in cases]
        others = cls.search([
                ('enrolment', 'in', [e.id for e in enrolments]),
                ('closed_at', '=', None),
                ('id', 'not in', [c.id for c in cases]),
                ], order=[])
        others += [
            c for i, c in enumerate(cases) if c.enrolment in enrolments[:i]]
        if others:
            raise CaseUndoError(gettext(
                    'training_abandon.msg_take_back_other_open',
                    cases=tools.names(others)))

    @classmethod
    def _check_last_validated(cls, cases):
        "Check that no later decision has ended the enrolments"
        opened = {c.enrolment: c.id for c in cases}
        later = [
            c for c in cls.search([
                    ('enrolment', 'in', [e.id for e in opened]),
                    ('decision', '=', 'validated'),
                    ('state', '!=', 'cancelled'),
                    ], order=[])
            if c.id > opened[c.enrolment]]
        if later:
            raise CaseUndoError(gettext(
                    'training_abandon.msg_take_back_later',
                    cases=tools.names(later)))

    @classmethod
    def _undecided_values(cls):
        "Return the values of the cases without decision"
        return dict.fromkeys([
                'decision', 'ground', 'effective_date', 'decision_note',
                'decided_by', 'previous_enrolment_state',
                'previous_end_date', 'closed_at', 'new_enrolment',
                'return_date', 'return_ended_on', 'contract_end_date'])

    def _describe_decision(self):
        pool = Pool()
        Lang = pool.get('ir.lang')
        decide = self.get_step('decide')
        who = self.decided_by or (decide and decide.done_by_user)
        done_on = decide and decide.done_on()

        def date(value):
            return Lang.get().strftime(value) if value else ''

        outcome = {
            'new_enrolment': (
                self.new_enrolment and self.new_enrolment.rec_name),
            **{name: date(getattr(self, name)) for name in [
                    'return_date', 'return_ended_on', 'contract_end_date']},
            }
        return '\n'.join([
                gettext(
                    'training_abandon.msg_take_back_description',
                    decision=self.decision_string,
                    ground=self.ground_string,
                    effective_date=date(self.effective_date),
                    date=date(done_on),
                    user=who.rec_name if who else ''),
                *(gettext(
                        'training_abandon.msg_take_back_outcome',
                        field=self.__names__(name)['field'],
                        value=value)
                    for name, value in outcome.items() if value)])

    def _decided_steps(self):
        "Return the steps that the decision has done or made needless"
        decide = self.get_step('decide')
        for step in self.steps:
            if step.kind in DECISION_KINDS:
                if step.state != 'todo':
                    yield step
            elif step.state == 'skipped' and (
                    # Nobody chose to skip it: the trainee was silent
                    self.decision_note
                    and step.skip_reason == self.decision_note
                    or step.by_procedure and step.done_at
                    and decide.done_at and step.done_at >= decide.done_at):
                yield step

    def _state_of_steps(self):
        "Return the state that the steps done before the decision give"
        state = 'draft'
        for step in self.steps:
            if step.state == 'done' and step.kind not in DECISION_KINDS:
                state = STEP_STATES[step.kind]
        return state

    @property
    def last_step(self):
        "The last step that somebody did or skipped, or None"
        done = [
            s for s in self.steps
            if s.state != 'todo' and not s.by_procedure]
        return done[-1] if done else None

    @classmethod
    def undo_step(cls, cases, reason, message=None, steps=None):
        """Undo the last step of the cases, all or none.

        What has left is not undone: those who were told are told the message
        and the step stays done.  steps are those that the user means."""
        cases, _ = cls._take_open(cases)
        cls._check_last_steps(cases, steps)
        cls.lock_mails(m for c in cases for m in c.mails)
        cases = cls.browse(cases)
        left = [c for c in cases if c.last_step.has_left]
        message = (message or '').strip()
        cls._check_left(left, message)
        if undone := [c for c in cases if c not in left]:
            cls._undo_steps(undone, reason)
        if left:
            cls._correct_steps(left, reason, message)

    @classmethod
    def _check_last_steps(cls, cases, steps):
        refused = [c for c in cases if not c.last_step]
        if refused:
            raise CaseUndoError(gettext(
                    'training_abandon.msg_undo_no_step',
                    cases=tools.names(refused)))
        if steps is not None:
            refused = [c for c in cases if c.last_step not in steps]
            if refused:
                raise CaseUndoError(gettext(
                        'training_abandon.msg_undo_step_changed',
                        cases=tools.names(refused)))
        refused = [c for c in cases if c.last_step.kind == 'decide']
        if refused:
            raise CaseUndoError(gettext(
                    'training_abandon.msg_undo_decided',
                    cases=tools.names(refused)))

    @classmethod
    def _check_left(cls, left, message):
        certified = [c for c in left if c.last_step.kind == 'certify']
        if certified:
            raise CaseUndoError(gettext(
                    'training_abandon.msg_undo_certified',
                    cases=tools.names(certified)))
        if left and not message:
            raise CaseUndoError(gettext(
                    'training_abandon.msg_undo_left',
                    cases=tools.names(left)))

    @classmethod
    def _undo_steps(cls, cases, reason):
        pool = Pool()
        Correction = pool.get('training.abandon.case.correction')
        FollowUp = pool.get('training.follow_up')
        Step = pool.get('training.abandon.case.step')
        steps = [c.last_step for c in cases]
        corrections = Correction.record(
            'undone', cases, reason,
            lambda case: case._undone_values(case.last_step))
        cls.cancel_waiting(m for s in steps for m in s.mails)
        actions = []
        for step in steps:
            # They took place, and prove the step no more
            actions += [list(step.follow_ups), {
                    'step': None,
                    'correction': corrections[step.case].id,
                    }]
        FollowUp.write(*actions)
        cls._forget_products(steps, reason)
        Step.reopen(steps)
        by_state = defaultdict(list)
        for case in cls.browse(cases):
            state = case._state_of_steps()
            if case.decision:
                state = case.decision
            by_state[state].append(case)
        for state, group in by_state.items():
            cls.write(group, {'state': state})
        Step.reschedule(cases)

    def _undone_values(self, step):
        "Return the values of the correction that tell what the step produced"
        values = {'step': step}
        if step.state == 'skipped':
            values['description'] = step.skip_reason
        elif step.kind == 'analyse':
            values['note'] = '\n\n'.join(filter(None, [
                        '\n'.join(r.rec_name for r in self.reasons),
                        self.reason_comment,
                        '\n'.join(
                            ' – '.join(filter(None, [
                                        c.rec_name, c.responsible_string,
                                        c.note]))
                            for c in self.causes),
                        self.analysis]))
        elif step.kind == 'propose':
            values['description'] = '\n'.join(filter(None, [
                        *(p.rec_name for p in self.proposals
                            if p.state != 'expired'),
                        self.no_solution_reason]))
        return values

    @classmethod
    def _forget_products(cls, steps, reason):
        "Take from the cases what the steps done have added to them"
        pool = Pool()
        Cause = pool.get('training.abandon.case.cause')
        Proposal = pool.get('training.abandon.proposal')
        by_kind = defaultdict(list)
        for step in steps:
            if step.state == 'done':
                by_kind[step.kind].append(step.case)
        if analysed := by_kind['analyse']:
            Cause.delete([x for c in analysed for x in c.causes])
            cls._forget_reasons(analysed)
            cls.write(analysed, {'analysis': None})
        if proposed := by_kind['propose']:
            Proposal.expire([p for c in proposed for p in c.proposals])
            cls.write(proposed, {'no_solution_reason': None})
        cls._void_certificates(by_kind['certify'], reason)

    @classmethod
    def _forget_reasons(cls, cases):
        """Take from the cases the reasons that the analysis declared: those
        of the replies that count stay on them."""
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        answered, actions = {}, []
        for reply in Reply.search([
                    ('case', 'in', [c.id for c in cases]),
                    ('counted', '=', True),
                    ], order=[('received_at', 'ASC'), ('id', 'ASC')]):
            if reply.answers_reasons:
                answered.setdefault(reply.case, reply.received_at)
        for case in cases:
            actions += [[case], {
                    'reasons': [('remove', [r.id for r in case.reasons])],
                    'reason_comment': None,
                    'answered_at': answered.get(case),
                    }]
        cls.write(*actions)

    @classmethod
    def _correct_steps(cls, cases, reason, message):
        pool = Pool()
        Correction = pool.get('training.abandon.case.correction')
        steps = {c: c.last_step for c in cases}
        corrections = Correction.record(
            'corrected', cases, reason, lambda case: {
                'step': steps[case],
                'message': message,
                })
        cls.cancel_waiting(m for s in steps.values() for m in s.mails)
        by_kind = defaultdict(dict)
        for case, correction in corrections.items():
            by_kind[steps[case].kind][case] = correction
        for kind, kind_corrections in by_kind.items():
            told = {c: c._told_parties([kind]) for c in kind_corrections}
            cls.tell_correction(
                kind_corrections, told, kind, 'corrected',
                correction=message)
