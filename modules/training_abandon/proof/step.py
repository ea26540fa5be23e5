# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Why a step is due, and what puts it right"
from trytond.i18n import gettext, ngettext
from trytond.model import ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.wizard import StateAction, Wizard


class Step(metaclass=PoolMeta):
    __name__ = 'training.abandon.case.step'

    conformity_rule = fields.Function(
        fields.Char(
            "Rule",
            help="The step of the revision of the procedure that asks for "
            "it, with its delay."),
        'get_conformity_rule')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        not_proven = Eval('evidence').in_(['failed', 'pending'])
        missing = Eval('is_next') & (Eval('conformity') == 'missing')
        cls._buttons.update(
            fix={
                'invisible': ~not_proven & ~missing,
                'depends': ['evidence', 'is_next', 'conformity'],
                })

    def get_conformity_rule(self, name):
        rule = self.procedure_step
        if not rule:
            return ''
        if rule.delay_unit == 'working_day':
            message = 'training_abandon.msg_conformity_working_days'
        else:
            message = 'training_abandon.msg_conformity_days'
        return gettext(
            f'training_abandon.msg_conformity_rule_{rule.counted_from}',
            step=self.sequence,
            procedure=rule.procedure.rec_name,
            delay=ngettext(message, rule.delay, days=rule.delay))

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_step_fix')
    def fix(cls, steps):
        pass


class Fix(Wizard):
    "What puts a step right: the mail that proves nothing, or its wizard"
    __name__ = 'training.abandon.case.step.fix'
    start_state = 'open_'
    open_ = StateAction('training_abandon.act_case_open_record')

    def do_open_(self, action):
        step = self.record
        if not step:
            return
        if step.state == 'todo':
            return self._wizard(step), {
                'model': 'training.abandon.case',
                'id': step.case.id,
                'ids': [step.case.id],
                }
        record = self._mail(step) or step
        action.update(
            res_model=record.__name__, res_id=[record.id],
            views=[(None, 'form')], name=record.rec_name)
        return action, {}

    def _wizard(self, step):
        "Return the action that does the step"
        pool = Pool()
        Action = pool.get('ir.action')
        ModelData = pool.get('ir.model.data')
        return Action(Action.get_action_id(ModelData.get_id(
                    'training_abandon', f'wizard_case_{step.kind}'))
            ).get_action_value()

    def _mail(self, step):
        "Return the last mail of the step that proves nothing, or None"
        pool = Pool()
        Mail = pool.get('training.mail')
        mails = Mail.search([
                ('step', '=', step.id),
                ('replaced_by', '=', None),
                ['OR',
                    ('state', 'in', ['draft', 'queued', 'sending', 'failed']),
                    ('bounced_at', '!=', None),
                    ],
                ], order=[('id', 'DESC')], limit=1)
        return mails[0] if mails else None
