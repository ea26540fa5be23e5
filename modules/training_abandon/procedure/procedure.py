# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import re

from sql import Null
from sql.operators import Equal

from trytond.i18n import gettext
from trytond.model import (
    Exclude, ModelSQL, ModelView, Unique, Workflow, fields, sequence_ordered)
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval
from trytond.transaction import Transaction

from ..exceptions import ProcedureError
from .added_delay import AddedDelayMixin, ToldAddedDelayMixin
from .child import CHILD_STATES, ProcedureChildMixin, ProcedureStateMixin
from .comparison import ComparisonMixin
from .shipped import ShippedLettersMixin
from .states import ANSWERED_KINDS, STEP_KINDS, STEP_ORDER

_draft_states = {
    'readonly': Eval('state') != 'draft',
    }


class Procedure(
        ToldAddedDelayMixin, ComparisonMixin, ShippedLettersMixin, Workflow,
        ModelSQL, ModelView):
    __name__ = 'training.abandon.procedure'

    code = fields.Char("Code", required=True, states=_draft_states)
    revision = fields.Char(
        "Revision", required=True, states=_draft_states,
        help="The number that the documents tell after the code.")
    name = fields.Char(
        "Name", required=True, translate=True, states=_draft_states)
    date = fields.Date("Date", required=True, states=_draft_states)
    place = fields.Char(
        "Place", states=_draft_states,
        help="Where the procedure was made, as written at its end.")
    company = fields.Many2One(
        'company.company', "Company", states=_draft_states,
        help="Leave empty to share the procedure between the companies.")
    steps = fields.One2Many(
        'training.abandon.procedure.step', 'procedure', "Steps",
        states=_draft_states)
    letters = fields.One2Many(
        'training.abandon.procedure.letter', 'procedure', "Letters",
        states=_draft_states)
    reasons = fields.Many2Many(
        'training.abandon.procedure-training.abandon.reason',
        'procedure', 'reason', "Reasons",
        order=[('sequence', 'ASC NULLS LAST'), ('id', 'ASC')],
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states=_draft_states,
        help="The reasons printed in the letter that asks for them.")
    silence_delay = fields.Integer(
        "Silence Delay",
        domain=['OR',
            ('silence_delay', '=', None),
            ('silence_delay', '>', 0),
            ],
        states=_draft_states,
        help="The number of working days without news of the trainee, once "
        "the reasons were asked, after which the abandonment is validated.\n"
        "Leave empty to never validate it without a person.")
    state = fields.Selection([
            ('draft', "Draft"),
            ('active', "Active"),
            ('archived', "Archived"),
            ], "State", readonly=True, required=True, sort=False,
        help="Only an active procedure opens cases; only a draft can be "
        "changed.")

    @classmethod
    def __setup__(cls):
        cls.code.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('revision_unique', Unique(t, t.code, t.revision, t.company),
                'training_abandon.msg_procedure_revision_unique'),
            ('revision_shared_unique',
                Exclude(
                    t, (t.code, Equal), (t.revision, Equal),
                    where=t.company == Null),
                'training_abandon.msg_procedure_revision_unique'),
            ]
        cls._order.insert(0, ('code', 'ASC'))
        cls._order.insert(1, ('revision', 'DESC'))
        cls._transitions |= {
            ('draft', 'active'),
            ('active', 'archived'),
            }
        cls._buttons.update(
            activate={
                'invisible': Eval('state') != 'draft',
                'depends': ['state'],
                },
            archive={
                'invisible': Eval('state') != 'active',
                'depends': ['state'],
                },
            revise={
                'invisible': Eval('state') == 'draft',
                'depends': ['state'],
                })

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()

    @classmethod
    def default_state(cls):
        return 'draft'

    def get_rec_name(self, name):
        return f'{self.code} rev {self.revision}'

    @classmethod
    def search_rec_name(cls, name, clause):
        _, operator, operand, *extra = clause
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        return [bool_op,
            ('code', operator, operand, *extra),
            ('revision', operator, operand, *extra),
            ('name', operator, operand, *extra),
            ]

    @classmethod
    def get_active(cls, company):
        "Return the procedure in force for the company"
        procedures = cls.search([
                ('state', '=', 'active'),
                ('company', 'in', [company.id, None]),
                ])
        own = [p for p in procedures if p.company]
        try:
            procedure, = own or procedures
        except ValueError:
            raise ProcedureError(gettext(
                    'training_abandon.msg_procedure_active_one',
                    company=company.rec_name,
                    count=len(own or procedures))) from None
        return procedure

    @classmethod
    def find_active(cls, company):
        "Return the procedure in force for the company, or None"
        try:
            return cls.get_active(company)
        except ProcedureError:
            return None

    def in_force(self, company):
        """Return the revision that is followed in the place of the procedure
        once it is archived, itself before, or None"""
        if self.state != 'archived':
            return self
        procedures = self.search([
                ('state', '=', 'active'),
                ('code', '=', self.code),
                ('company', 'in', [company.id, None]),
                ], order=[('revision', 'DESC'), ('id', 'DESC')])
        own = [p for p in procedures if p.company]
        return next(iter(own or procedures), None)

    def check_in_force(self, session):
        "Return the revision in force of the procedure of the session"
        procedure = self.in_force(session.company)
        if not procedure:
            raise ProcedureError(gettext(
                    'training_abandon.msg_procedure_session_archived',
                    procedure=self.rec_name,
                    session=session.rec_name))
        return procedure

    def get_step(self, kind):
        for step in self.steps:
            if step.kind == kind:
                return step

    def get_letter(self, step_kind, variant, audience):
        "Return the letter or None"
        for letter in self.letters:
            if ((letter.step_kind, letter.variant, letter.audience)
                    == (step_kind, variant, audience)):
                return letter

    @classmethod
    def check_modification(
            cls, mode, procedures, values=None, external=False):
        super().check_modification(
            mode, procedures, values=values, external=external)
        if mode in {'write', 'delete'} and external:
            for procedure in procedures:
                if procedure.state != 'draft':
                    raise AccessError(gettext(
                            'training_abandon.msg_procedure_not_draft',
                            procedure=procedure.rec_name))

    @classmethod
    def copy(cls, procedures, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault(
            'revision', lambda data: cls._next_revision(data['revision']))
        return super().copy(procedures, default=default)

    @classmethod
    def _next_revision(cls, revision):
        "Increment the last number of the revision and keep its width"
        number = re.search(r'(\d+)(?!.*\d)', revision)
        if not number:
            return f'{revision} 2'
        following = str(int(number[1]) + 1).zfill(len(number[1]))
        return revision[:number.start()] + following + revision[number.end():]

    @classmethod
    @ModelView.button
    @Workflow.transition('active')
    def activate(cls, procedures):
        "Put the procedures in force in the place of their active revision"
        for procedure in procedures:
            procedure.check_complete()
            procedure.check_written()
        previous = cls.search([
                ('state', '=', 'active'),
                ('code', 'in', [p.code for p in procedures]),
                ])
        codes = {(p.code, p.company) for p in procedures}
        cls.archive([p for p in previous if (p.code, p.company) in codes])

    @classmethod
    @ModelView.button
    @Workflow.transition('archived')
    def archive(cls, procedures):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.act_procedure_form')
    def revise(cls, procedures):
        "Copy the procedures as drafts of their next revision"
        pool = Pool()
        Date = pool.get('ir.date')
        revised = cls.copy(procedures, default={'date': Date.today()})
        action = {'res_id': [p.id for p in revised]}
        if len(revised) == 1:
            action['views'] = [(None, 'form'), (None, 'tree')]
        return action

    def check_complete(self):
        "Check that the procedure can be put in force"
        kinds = [s.kind for s in self.steps]
        if 'decide' not in kinds:
            raise ProcedureError(gettext(
                    'training_abandon.msg_procedure_decide_required',
                    procedure=self.rec_name))
        if kinds != sorted(kinds, key=STEP_ORDER.index):
            raise ProcedureError(gettext(
                    'training_abandon.msg_procedure_steps_order',
                    procedure=self.rec_name))
        if self.silence_delay and 'ask_reasons' not in kinds:
            raise ProcedureError(gettext(
                    'training_abandon.msg_procedure_silence_ask_required',
                    procedure=self.rec_name))
        self.check_letters([
                *self._required_letters(kinds), *self._reminder_letters()])

    def check_written(self):
        "Check that the letters of the procedure can be written and drawn"
        pool = Pool()
        ActionReport = pool.get('ir.action.report')
        Letter = pool.get('training.abandon.procedure.letter')
        Letter.check_rendered(list(self.letters))
        ActionReport.check_letter_frames(list({
                    letter.report for letter in self.letters}))

    def check_letters(self, letters):
        "Check that the procedure has these (step kind, variant, audience)"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        for step_kind, variant, audience in letters:
            if not self.get_letter(step_kind, variant, audience):
                letter = Letter(
                    step_kind=step_kind, variant=variant, audience=audience)
                raise ProcedureError(gettext(
                        'training_abandon.msg_procedure_letter_missing',
                        procedure=self.rec_name,
                        step=letter.step_kind_string,
                        variant=letter.variant_string,
                        audience=letter.audience_string))

    @classmethod
    def _required_letters(cls, kinds):
        "Yield the step kind, variant and audience of the letters needed"
        letters = [
            ('inform', 'standard', 'stakeholder'),
            ('ask_reasons', 'announced', 'trainee'),
            ('ask_reasons', 'silent', 'trainee'),
            ('follow_up', 'standard', 'trainee'),
            ('follow_up', 'standard', 'stakeholder'),
            ('certify', 'standard', 'trainee'),
            ('certify', 'silent', 'trainee'),
            ('certify', 'statement', 'trainee'),
            ('certify', 'record', 'trainee'),
            ]
        for letter in letters:
            if letter[0] in kinds:
                yield letter

    def _reminder_letters(self):
        "Yield the step kind, variant and audience of the reminders needed"
        for step in self.steps:
            if not step.reminder_count:
                continue
            if step.kind not in ANSWERED_KINDS:
                raise ProcedureError(gettext(
                        'training_abandon.msg_procedure_step_no_reminder',
                        procedure=self.rec_name,
                        step=step.kind_string))
            yield step.kind, 'reminder', 'trainee'


class ProcedureStep(
        AddedDelayMixin, ProcedureStateMixin, sequence_ordered(), ModelSQL,
        ModelView):
    __name__ = 'training.abandon.procedure.step'

    procedure = fields.Many2One(
        'training.abandon.procedure', "Procedure", required=True,
        ondelete='CASCADE', states=CHILD_STATES)
    kind = fields.Selection(
        STEP_KINDS, "Kind", required=True, sort=False, states=CHILD_STATES,
        help="Which of the eight steps it is; their order does not change.")
    kind_string = kind.translated('kind')
    delay = fields.Integer(
        "Delay", required=True,
        domain=[
            ('delay', '>=', 0),
            ],
        states=CHILD_STATES,
        help="The time until the step is due, in the unit beside it.")
    delay_unit = fields.Selection([
            ('working_day', "Working Days"),
            ('day', "Days"),
            ], "Delay Unit", required=True, sort=False,
        states=CHILD_STATES,
        help="Working days leave out the week-ends, the public holidays and "
        "the closures.")
    counted_from = fields.Selection([
            ('opening', "Opening of the Case"),
            ('previous', "Previous Step"),
            ], "Counted from", required=True, sort=False,
        states=CHILD_STATES,
        help="From when the delay runs: the opening of the case, or what was "
        "done at the step before.")
    required = fields.Boolean(
        "Required", states=CHILD_STATES,
        help="Check to let only the administrators skip the step.")
    reminder_count = fields.Integer(
        "Reminders",
        domain=['OR',
            ('reminder_count', '=', None),
            ('reminder_count', '>=', 0),
            ],
        states=CHILD_STATES,
        help="The number of times the persons who do not answer "
        "are reminded.")
    reminder_delay = fields.Integer(
        "Reminder Delay",
        domain=['OR',
            ('reminder_delay', '=', None),
            ('reminder_delay', '>', 0),
            ],
        states={
            **CHILD_STATES,
            'required': Bool(Eval('reminder_count')),
            },
        help="The number of days between two reminders, in the unit of "
        "the delay.")
    escalation_delay = fields.Integer(
        "Escalation Delay",
        domain=['OR',
            ('escalation_delay', '=', None),
            ('escalation_delay', '>', 0),
            ],
        states=CHILD_STATES,
        help="The number of working days after which the administrators are "
        "told that the step is late, counted from the day the owner of the "
        "case was.\n"
        "Leave empty to tell only the owner.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('kind_unique', Unique(t, t.procedure, t.kind),
                'training_abandon.msg_procedure_step_kind_unique'),
            ]

    @classmethod
    def default_delay_unit(cls):
        return 'working_day'

    @classmethod
    def default_counted_from(cls):
        return 'previous'

    @classmethod
    def default_reminder_count(cls):
        return 0

    def get_rec_name(self, name):
        return self.kind_string

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('kind', *clause[1:])]

    def compute_due_date(self, date, calendar):
        "Return the day the step is due, counted from date"
        if self.delay_unit == 'working_day':
            return calendar.add(date, self.delay)
        return date + dt.timedelta(days=self.delay)

    def compute_reminder_date(self, date, calendar):
        """Return the working day on which those who have not answered what
        was sent on date are reminded."""
        if self.delay_unit == 'working_day':
            return calendar.add(date, self.reminder_delay)
        return calendar.add(date + dt.timedelta(days=self.reminder_delay), 0)


class Procedure_Reason(ProcedureChildMixin, sequence_ordered(), ModelSQL):
    __name__ = 'training.abandon.procedure-training.abandon.reason'

    procedure = fields.Many2One(
        'training.abandon.procedure', "Procedure", required=True,
        ondelete='CASCADE')
    reason = fields.Many2One(
        'training.abandon.reason', "Reason", required=True,
        ondelete='RESTRICT')
