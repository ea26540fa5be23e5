# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Which state of a case follows which, and how it goes to the next one"
from trytond import backend
from trytond.i18n import gettext
from trytond.model import ModelView, Workflow
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval

from .. import tools
from ..exceptions import CaseBusyError, CaseCloseError, CaseStepError
from ..procedure.states import (
    OPEN_STATES, PROGRESS_STATES, STEP_ORDER, STEP_STATES)


def _step_button(kind):
    return {
        'invisible': Eval('next_kind') != kind,
        'depends': ['next_kind'],
        }


class ProgressMixin:
    "Cases whose steps are done or skipped one after the other"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        # A step may be done after others were skipped, never before one
        # already done; the decision is taken at any time
        cls._transitions |= {
            *((before, STEP_STATES[kind])
                for position, kind in enumerate(STEP_ORDER[:6])
                for before in PROGRESS_STATES[:position + 1]),
            *((before, 'validated') for before in PROGRESS_STATES),
            *((before, 'invalidated') for before in OPEN_STATES),
            *((before, 'cancelled') for before in OPEN_STATES),
            ('validated', 'certified'),
            ('validated', 'closed'),
            ('certified', 'closed'),
            ('invalidated', 'closed'),
            }
        is_open = Eval('state').in_(OPEN_STATES)
        cls._buttons.update(
            **{kind: _step_button(kind) for kind in STEP_ORDER},
            skip={
                'invisible': (
                    ~Bool(Eval('next_kind')) | (Eval('next_kind') == 'decide')
                    | ~is_open),
                'depends': ['next_kind', 'state'],
                },
            resume={
                'invisible': ~is_open | (Eval('next_kind') == 'decide'),
                'depends': ['next_kind', 'state'],
                },
            cancel={
                'invisible': ~is_open,
                'depends': ['state'],
                },
            close={
                'invisible': ~Eval('state').in_(
                    ['validated', 'certified', 'invalidated']),
                'depends': ['state'],
                })

    @classmethod
    def lock_cases(cls, cases):
        """Keep the cases for this transaction alone and return them as they
        are now; refuse at once if somebody else has them."""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        # A transaction that failed to lock does not even translate
        busy = gettext(
            'training_abandon.msg_case_busy', cases=tools.names(cases))
        ids = [c.id for c in cases]
        step_ids = Step.ids_of_cases(ids)
        try:
            tools.lock_records(cls, ids)
            tools.lock_records(Step, step_ids)
        except backend.DatabaseOperationalError as exception:
            raise CaseBusyError(busy) from exception
        tools.forget_read()
        return tools.browse_sets(cls, ids)

    @classmethod
    def take(cls, cases, kind):
        """Lock the cases, check that kind is the first step they have to do
        and return them with a dictionary of these steps by case id."""
        cases = cls.lock_cases(cases)
        steps, refused = {}, []
        for case in cases:
            step = case.next_step
            if step and step.kind == kind and case.state in OPEN_STATES:
                steps[case.id] = step
            else:
                refused.append(case)
        if refused:
            raise CaseStepError(gettext(
                    'training_abandon.msg_case_step_not_next',
                    step=dict(cls._step_labels())[kind],
                    cases='\n'.join(tools.first(
                            c._refusal(kind) for c in refused))))
        return cases, steps

    def _refusal(self, kind):
        "Return the words that tell why the step cannot be applied"
        labels = dict(self._step_labels())
        for step in self.steps:
            if step.kind == kind and step.state == 'done':
                return gettext(
                    'training_abandon.msg_case_step_done',
                    case=self.rec_name,
                    user=(step.done_by or step.done_by_user).rec_name)
        if self.next_kind:
            return gettext(
                'training_abandon.msg_case_step_next',
                case=self.rec_name, step=labels[self.next_kind])
        return gettext(
            'training_abandon.msg_case_no_step',
            case=self.rec_name, state=self.state_string)

    @classmethod
    def apply_step(cls, cases, kind, write):
        """Do the step of the cases, all or none, and return the steps.

        write is called with the cases taken and their steps by case id,
        inside the transition, to store what the step produces."""
        cases, steps = cls.take(cases, kind)
        cls.move_to(STEP_STATES[kind], cases, steps, write)
        return steps

    @classmethod
    def move_to(cls, state, cases, steps, write):
        "Do the steps of the cases, by case id, and give these the state"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')

        @Workflow.transition(state)
        def complete(cls, cases):
            # The transition keeps only the cases it may change
            kept = {c.id: steps[c.id] for c in cases if c.id in steps}
            write(cases, kept)
            Step.complete(list(kept.values()))
            Step.reschedule(cases)

        complete(cls, cases)

    @classmethod
    def skip_step(cls, cases, reason):
        "Skip the first step to do of the cases, all or none"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        cases = cls.lock_cases(cases)
        steps = [c.next_step for c in cases]
        refused = [c for c, s in zip(cases, steps)
            if not s or s.kind == 'decide' or c.state not in OPEN_STATES]
        if refused:
            raise CaseStepError(gettext(
                    'training_abandon.msg_case_skip',
                    cases=tools.names(refused)))
        refused = [c for c, s in zip(cases, steps) if s.required]
        if refused and not tools.is_member('group_training_admin'):
            raise AccessError(gettext(
                    'training_abandon.msg_case_skip_required',
                    cases=tools.names(refused)))
        Step.skip(steps, reason)
        Step.reschedule(cases)

    @classmethod
    def _skip_rest(cls, cases, reason, by_procedure=False):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        Step.skip(
            [s for c in cases for s in c.steps if s.state == 'todo'], reason,
            by_procedure=by_procedure)

    @classmethod
    def _end(cls, cases):
        "Close the cases that are over and what waits on them"
        pool = Pool()
        Proposal = pool.get('training.abandon.proposal')
        cls.write(cases, {'closed_at': tools.now()})
        Proposal.expire([p for c in cases for p in c.proposals])

    @classmethod
    @ModelView.button
    def cancel(cls, cases):
        cls.cancel_cases(cases)

    @classmethod
    @Workflow.transition('cancelled')
    def _cancel(cls, cases):
        pool = Pool()
        Mail = pool.get('training.mail')
        cls._skip_rest(
            cases, gettext('training_abandon.msg_step_skip_cancelled'),
            by_procedure=True)
        Mail.cancel([
                m for c in cases for m in c.mails
                if m.state in {'draft', 'queued'}])
        cls._end(cases)

    @classmethod
    @ModelView.button
    def close(cls, cases):
        cls._close(cls.lock_cases(cases))

    @classmethod
    @Workflow.transition('closed')
    def _close(cls, cases):
        waiting = [c for c in cases
            if c.state == 'certified'
            and c.certificate.kind == 'statement'
            and c.certificate.state in {'issued', 'sent'}]
        if waiting:
            raise CaseCloseError(gettext(
                    'training_abandon.msg_case_close_certificate',
                    cases=tools.names(waiting)))
        cls._skip_rest(
            cases, gettext('training_abandon.msg_step_skip_closed'))
        cls._end([c for c in cases if not c.closed_at])

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_inform')
    def inform(cls, cases):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_ask_reasons')
    def ask_reasons(cls, cases):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_analyse')
    def analyse(cls, cases):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_propose')
    def propose(cls, cases):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_exchange')
    def exchange(cls, cases):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_follow_up')
    def follow_up(cls, cases):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_decide')
    def decide(cls, cases):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_decide')
    def resume(cls, cases):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_certify')
    def certify(cls, cases):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_skip')
    def skip(cls, cases):
        pass
