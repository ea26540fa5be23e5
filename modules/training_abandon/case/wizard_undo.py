# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The wizards that ask why something is taken back"
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.wizard import Button

from ..exceptions import CaseUndoError
from ..mail.hold import HoldNoticeMixin
from .wizard import StepView, StepWizard


class ReasonWizard(StepWizard):
    "Base of the wizards whose form has a reason"

    @property
    def reason(self):
        reason = (self.start.reason or '').strip()
        if not reason:
            raise CaseUndoError(gettext(
                    'training_abandon.msg_undo_no_reason'))
        return reason


class ReasonStart(HoldNoticeMixin, ModelView):
    "Base of the forms of these wizards"

    reason = fields.Text(
        "Reason", required=True,
        help="Kept on the case; those who are told do not read it.\n"
        "Do not write any health detail.")


class BackView(StepView):
    "The form of what is told by the word of the button that leaves it"

    def __init__(self, model, view, *buttons):
        super().__init__(model, view, *buttons)
        self.buttons[0] = Button("Back", 'end', 'tryton-back')


class CancelCase(ReasonWizard):
    __name__ = 'training.abandon.case.cancel_case'

    start = BackView(
        'training.abandon.case.cancel_case.start',
        'case_cancel_case_start_view_form',
        Button("Cancel the Case", 'apply', 'tryton-delete', default=True))

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Case.cancel_cases(self.cases, self.reason)
        return 'end'


class CancelCaseStart(ReasonStart):
    __name__ = 'training.abandon.case.cancel_case.start'


class TakeBack(ReasonWizard):
    __name__ = 'training.abandon.case.take_back'

    start = StepView(
        'training.abandon.case.take_back.start',
        'case_take_back_start_view_form',
        Button("Take the Decision Back", 'apply', 'tryton-undo', default=True))

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Case.take_back(self.cases, self.reason)
        return 'end'


class TakeBackStart(ReasonStart):
    __name__ = 'training.abandon.case.take_back.start'


class UndoStep(ReasonWizard):
    __name__ = 'training.abandon.case.undo_step'

    start = StepView(
        'training.abandon.case.undo_step.start',
        'case_undo_step_start_view_form',
        Button("Undo the Step", 'apply', 'tryton-undo', default=True))

    def default_start(self, fields):
        steps = [c.last_step for c in self.records if c.last_step]
        return {
            'steps': [s.id for s in steps],
            'left': any(s.has_left for s in steps),
            }

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Case.undo_step(
            self.cases, self.reason, message=self.start.message,
            steps=list(self.start.steps or []))
        return 'end'


class UndoStepStart(ReasonStart):
    __name__ = 'training.abandon.case.undo_step.start'

    steps = fields.Many2Many(
        'training.abandon.case.step', None, None, "Steps", readonly=True)
    left = fields.Boolean("Left", readonly=True)
    message = fields.Text(
        "Message",
        states={
            'required': Eval('left', False),
            'invisible': ~Eval('left', False),
            },
        help="What to tell those who were told: what has left cannot be "
        "undone, it is corrected.\n"
        "Do not write any health detail.")


class ChangeProcedure(ReasonWizard):
    __name__ = 'training.abandon.case.change_procedure'

    start = StepView(
        'training.abandon.case.change_procedure.start',
        'case_change_procedure_start_view_form',
        Button(
            "Follow the Active Revision", 'apply', 'tryton-ok',
            default=True))

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Case.change_procedure(self.cases, self.reason)
        return 'end'


class ChangeProcedureStart(ReasonStart):
    __name__ = 'training.abandon.case.change_procedure.start'


class IssueAgain(ReasonWizard):
    __name__ = 'training.abandon.certificate.issue_again'

    start = StepView(
        'training.abandon.certificate.issue_again.start',
        'certificate_issue_again_start_view_form',
        Button("Issue Again", 'apply', 'tryton-ok', default=True))

    def transition_apply(self):
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        Certificate.replace(self.cases, self.reason)
        return 'end'


class IssueAgainStart(ReasonStart):
    __name__ = 'training.abandon.certificate.issue_again.start'
