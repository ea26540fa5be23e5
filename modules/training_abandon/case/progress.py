# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null

from trytond import backend
from trytond.i18n import gettext
from trytond.model import ModelView, Workflow
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import CaseBusyError, CaseCloseError, CaseStepError
from .case import OPEN_STATES, STEP_STATES


class Case(metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    @classmethod
    def lock_cases(cls, cases):
        """Keep the cases for this transaction alone and return them as they
        are now; refuse at once if somebody else has them."""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        transaction = Transaction()
        connection = transaction.connection
        # A transaction that failed to lock does not even translate
        busy = gettext(
            'training_abandon.msg_case_busy', cases=tools.names(cases))
        ids = [c.id for c in cases]
        step_ids = [s.id for c in cases for s in c.steps]
        try:
            if transaction.database.has_select_for():
                database = transaction.database
                database.lock_records(connection, cls._table, ids)
                database.lock_records(connection, Step._table, step_ids)
            else:
                # SQLite locks the database at the first change
                table = cls.__table__()
                connection.cursor().execute(*table.update(
                        [table.id], [table.id], where=table.id == Null))
        except backend.DatabaseOperationalError as exception:
            raise CaseBusyError(busy) from exception
        # Forget what was read before the lock
        for cache in transaction.cache.values():
            cache.clear()
        return cls.browse(ids)

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
                    cases='\n'.join(
                        c._refusal(kind) for c in refused[:10])))
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
        getattr(cls, f'_to_{STEP_STATES[kind]}')(cases, steps, write)
        return steps

    @classmethod
    def _complete(cls, cases, steps, write):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        # The transition keeps only the cases it may change
        steps = {c.id: steps[c.id] for c in cases if c.id in steps}
        write(cases, steps)
        Step.complete(list(steps.values()))
        Step.reschedule(cases)

    @classmethod
    @Workflow.transition('informed')
    def _to_informed(cls, cases, *args):
        cls._complete(cases, *args)

    @classmethod
    @Workflow.transition('inquiring')
    def _to_inquiring(cls, cases, *args):
        cls._complete(cases, *args)

    @classmethod
    @Workflow.transition('analysed')
    def _to_analysed(cls, cases, *args):
        cls._complete(cases, *args)

    @classmethod
    @Workflow.transition('proposed')
    def _to_proposed(cls, cases, *args):
        cls._complete(cases, *args)

    @classmethod
    @Workflow.transition('exchanged')
    def _to_exchanged(cls, cases, *args):
        cls._complete(cases, *args)

    @classmethod
    @Workflow.transition('followed_up')
    def _to_followed_up(cls, cases, *args):
        cls._complete(cases, *args)

    @classmethod
    @Workflow.transition('validated')
    def _to_validated(cls, cases, *args):
        cls._complete(cases, *args)

    @classmethod
    @Workflow.transition('invalidated')
    def _to_invalidated(cls, cases, *args):
        cls._complete(cases, *args)
        cls._skip_rest(
            cls.browse(cases),
            gettext('training_abandon.msg_step_skip_invalidated'),
            by_procedure=True)
        cls._end(cases)

    @classmethod
    @Workflow.transition('certified')
    def _to_certified(cls, cases, *args):
        cls._complete(cases, *args)

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
        cls._cancel(cls.lock_cases(cases))

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
