# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval
from trytond.transaction import check_access
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from ..exceptions import CaseStepError
from ..mail.hold import HoldNoticeMixin
from ..procedure.states import GROUND_STATES, INVALID_GROUNDS, ORIGINS
from .outcome import ENDED_SESSION_STATES


class StepView(StateView):
    "The form of a step, whose buttons say what they do"

    def __init__(self, model, view, *buttons):
        super().__init__(model, f'training_abandon.{view}', [
                Button("Cancel", 'end', 'tryton-cancel'), *buttons])


def complete_lines(lines, *names):
    "Return the lines of a form with None for the values not given"
    lines = list(lines or [])
    for line in lines:
        for name in names:
            if not hasattr(line, name):
                setattr(line, name, None)
    return lines


class StepWizard(Wizard):
    """Base of the wizards of the steps

    What the other buttons of the form do is what apply does."""
    apply = StateTransition()

    @property
    def cases(self):
        if not self.records:
            raise CaseStepError(gettext(
                    'training_abandon.msg_step_no_case'))
        return self.records

    def check_line(self, case):
        "Check that the line is for one of the cases of the wizard"
        if case not in self.records:
            raise CaseStepError(gettext(
                    'training_abandon.msg_step_other_case',
                    case=case.rec_name if case else ''))


class Open(Wizard):
    """Open cases on the enrolments selected, or on those of the lines of the
    attendance sheets"""
    __name__ = 'training.abandon.case.open'
    start_state = 'choose'

    choose = StateTransition()
    start = StateView(
        'training.abandon.case.open.start',
        'training_abandon.case_open_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Open the Case", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateAction('training_abandon.act_case_form')

    def transition_choose(self):
        "Ask nothing for one absence of a sheet: its line has told the origin"
        if not self._is_sheet() or len(self.records) != 1:
            return 'start'
        self.start.origin = self.start.default_origin()
        self.start.date = self.start.default_date()
        self.start.note = None
        return 'apply'

    def do_apply(self, action):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        enrolments = self._enrolments()
        if not enrolments:
            raise CaseStepError(gettext(
                    'training_abandon.msg_step_no_enrolment'))
        if not self.start.date:
            raise CaseStepError(gettext(
                    'training_abandon.msg_step_no_date'))
        cases = Case.open_cases(
            enrolments, self.start.origin or 'other', self.start.date,
            note=self.start.note)
        action['domains'] = []
        if len(cases) == 1:
            action['views'].reverse()
        return action, {'res_id': [c.id for c in cases]}

    def _enrolments(self):
        "Return those that are selected, or those of the lines of the sheets"
        if self._is_sheet():
            return list(dict.fromkeys(a.enrolment for a in self.records))
        return self.records

    def _is_sheet(self):
        return self.model and self.model.__name__ == 'training.attendance'


class OpenStart(ModelView):
    __name__ = 'training.abandon.case.open.start'

    origin = fields.Selection(
        ORIGINS, "Origin", required=True, sort=False,
        help="How the abandonment became known: it chooses the letter that "
        "asks the reasons.")
    date = fields.Date("Date", required=True)
    note = fields.Text(
        "Note",
        help="What is known of the absence or of the announcement.\n"
        "Read by the group Sensitive Reasons only.")

    @classmethod
    def default_origin(cls):
        return 'absence'

    @classmethod
    def default_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()


class Analyse(StepWizard):
    __name__ = 'training.abandon.case.analyse'

    start = StepView(
        'training.abandon.case.analyse.start',
        'case_analyse_start_view_form',
        Button("Save the Analysis", 'apply', 'tryton-ok', default=True))

    def default_start(self, fields):
        declared, values = [], {}
        if len(self.records) == 1:
            with check_access():
                record, = self.model.read([self.records[0].id], ['reasons'])
            reasons, comment = self.records[0].answered_reasons()
            declared = list(record['reasons']) or [r.id for r in reasons]
            values['reason_comment'] = comment or None
        printed, others = self._reasons()
        return {
            **values,
            'reasons': declared,
            'printed_choices': self._choices(printed, declared),
            'other_choices': self._choices(others, declared),
            }

    def _reasons(self):
        "Return the reasons of the letters and the other ones"
        pool = Pool()
        Reason = pool.get('training.abandon.reason')
        printed = list(dict.fromkeys(
                r for p in dict.fromkeys(c.procedure for c in self.records)
                for r in p.reasons))
        companies = {c.company.id for c in self.records}
        with check_access():
            others = Reason.search([
                    ('company', 'in', [
                            None,
                            *(companies if len(companies) == 1 else [])]),
                    ('id', 'not in', [r.id for r in printed]),
                    ])
        parents = {r.parent for r in [*printed, *others]}
        return printed, [r for r in others if r not in parents]

    def _choices(self, reasons, declared):
        return [{
                'reason': reason.id,
                'name': reason.name,
                'declared': reason.id in declared,
                'responsible': reason.usual_responsible,
                } for reason in reasons]

    def _causes(self):
        "Return the causes of the form: those ticked and those added"
        pool = Pool()
        Cause = pool.get('training.abandon.case.cause')
        start = self.start
        causes = [
            c for c in complete_lines(
                start.causes, 'cause', 'responsible', 'note')
            if c.cause]
        added = {c.cause for c in causes}
        choices = complete_lines(
            [*(start.printed_choices or []), *(start.other_choices or [])],
            'reason', 'retained', 'responsible')
        return [
            Cause(cause=c.reason, responsible=c.responsible, note=None)
            for c in choices
            if c.retained and c.reason and c.reason not in added] + causes

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Cause = pool.get('training.abandon.case.cause')
        start, causes = self.start, self._causes()
        reasons = list(start.reasons or [])
        if not causes:
            raise CaseStepError(gettext(
                    'training_abandon.msg_analyse_no_cause'))
        detailed = [r for r in reasons if r.requires_detail]
        if detailed and not (start.reason_comment or '').strip():
            raise CaseStepError(gettext(
                    'training_abandon.msg_analyse_reason_detail',
                    reason=detailed[0].rec_name))

        def write(cases, steps):
            Cause.save([
                    Cause(
                        case=case,
                        cause=cause.cause,
                        responsible=cause.responsible
                        or Cause.default_responsible(),
                        note=cause.note)
                    for case in cases for cause in causes])
            Case.declare_reasons(cases, reasons, start.reason_comment)
            Case.write(cases, {'analysis': start.analysis})

        Case.apply_step(self.cases, 'analyse', write)
        return 'end'


class AnalyseStart(ModelView):
    __name__ = 'training.abandon.case.analyse.start'

    reasons = fields.Many2Many(
        'training.abandon.reason', None, None, "Declared Reasons",
        help="The reasons that the trainee gives.")
    printed_choices = fields.One2Many(
        'training.abandon.case.analyse.choice', None, "Reasons of the Letter",
        help="The reasons that the letter prints, in its order.")
    other_choices = fields.One2Many(
        'training.abandon.case.analyse.choice', None, "Other Reasons",
        help="The reasons that the letter does not print.")
    reason_comment = fields.Text(
        "Words of the Trainee",
        help="In the words of the trainee.\n"
        "Read by the group Sensitive Reasons only.")
    causes = fields.One2Many(
        'training.abandon.case.cause', None, "Causes",
        help="The causes that the analysis determines.")
    analysis = fields.Text(
        "Analysis", help="Read by the group Sensitive Reasons only.")

    @fields.depends('reasons', 'printed_choices', 'other_choices')
    def on_change_printed_choices(self):
        self._declare_choices()

    @fields.depends('reasons', 'printed_choices', 'other_choices')
    def on_change_other_choices(self):
        self._declare_choices()

    def _declare_choices(self):
        choices = [
            c for c in [
                *(self.printed_choices or []), *(self.other_choices or [])]
            if c.reason]
        offered = {c.reason for c in choices}
        self.reasons = [
            *(r for r in self.reasons or [] if r not in offered),
            *(c.reason for c in choices if c.declared)]


class AnalyseChoice(ModelView):
    "A reason to tick: the trainee gives it, or it is a cause, or both"
    __name__ = 'training.abandon.case.analyse.choice'

    reason = fields.Many2One(
        'training.abandon.reason', "Reason", readonly=True)
    name = fields.Char("Reason", readonly=True)
    declared = fields.Boolean(
        "Given", help="Check if the trainee gives the reason.")
    retained = fields.Boolean(
        "Cause", help="Check if the analysis determines that it is a cause.")
    responsible = fields.Selection(
        'get_responsibles', "Responsible", sort=False,
        states={
            'required': Bool(Eval('retained')),
            'invisible': ~Eval('retained'),
            },
        help="Whose doing the cause is; proposed from the reason.")

    @classmethod
    def get_responsibles(cls):
        pool = Pool()
        Cause = pool.get('training.abandon.case.cause')
        return Cause.fields_get(['responsible'])['responsible']['selection']


class Propose(StepWizard):
    __name__ = 'training.abandon.case.propose'

    start = StepView(
        'training.abandon.case.propose.start',
        'case_propose_start_view_form',
        Button("Save the Proposals", 'apply', 'tryton-ok', default=True))

    def default_start(self, fields):
        pool = Pool()
        Cause = pool.get('training.abandon.case.cause')
        Solution = pool.get('training.abandon.solution')
        if not self.records:
            return {}
        solutions = None
        for case in self.records:
            # Solutions that fit the hidden causes would tell them
            with check_access():
                causes = Cause.search([('case', '=', case.id)])
            fitting = Solution.fitting(
                [c.cause for c in causes], case.company)
            if solutions is None:
                solutions = fitting
            else:
                solutions = [s for s in solutions if s in fitting]
        return {
            'suggestions': [s.id for s in solutions],
            'choices': [{
                    'solution': solution.id,
                    'name': solution.name,
                    } for solution in solutions],
            }

    def _proposals(self):
        "Return the proposals of the form: those ticked and those added"
        pool = Pool()
        Proposal = pool.get('training.abandon.proposal')
        choices = complete_lines(
            self.start.choices, 'solution', 'proposed', 'description')
        return [
            Proposal(
                solution=c.solution,
                description=(c.description or '').strip() or None)
            for c in choices if c.proposed and c.solution] + [
            p for p in complete_lines(
                self.start.proposals, 'solution', 'description')
            if p.solution or (p.description or '').strip()]

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Proposal = pool.get('training.abandon.proposal')
        start, proposals = self.start, self._proposals()
        no_solution_reason = (start.no_solution_reason or '').strip()
        if not proposals and not no_solution_reason:
            raise CaseStepError(gettext(
                    'training_abandon.msg_propose_nothing'))

        def write(cases, steps):
            Proposal.save([
                    Proposal(
                        case=case,
                        solution=proposal.solution,
                        description=proposal.description)
                    for case in cases for proposal in proposals])
            Case.write(cases, {
                    'no_solution_reason': no_solution_reason or None})

        Case.apply_step(self.cases, 'propose', write)
        return 'end'


class ProposeStart(ModelView):
    __name__ = 'training.abandon.case.propose.start'

    suggestions = fields.Many2Many(
        'training.abandon.solution', None, None, "Suggested Solutions",
        readonly=True,
        help="The solutions that fit the causes determined.")
    choices = fields.One2Many(
        'training.abandon.case.propose.choice', None, "Suggested Solutions",
        help="The solutions that fit the causes determined: those ticked "
        "are proposed.")
    proposals = fields.One2Many(
        'training.abandon.proposal', None, "Other Proposals",
        help="The proposals that are not among the suggested solutions.")
    no_solution_reason = fields.Text(
        "Why No Solution",
        states={
            'readonly': Bool(Eval('proposals')),
            },
        help="Why nothing can be proposed, when there is no proposal.\n"
        "Do not write any health detail.")


class ProposeChoice(ModelView):
    "A suggested solution to tick"
    __name__ = 'training.abandon.case.propose.choice'

    solution = fields.Many2One(
        'training.abandon.solution', "Solution", readonly=True)
    name = fields.Char("Solution", readonly=True)
    proposed = fields.Boolean("Propose", help="Check to propose it.")
    description = fields.Char(
        "Terms",
        states={
            'invisible': ~Eval('proposed'),
            },
        help="The terms of the solution, as the trainee and the prescriber "
        "read them.\n"
        "Do not write any health detail.")


_invalidated = Eval('decision') == 'invalidated'
_resumed = Eval('ground') == 'resumed'
_other_ground = Bool(Eval('ground')) & (Eval('ground') != 'abandonment')


class Decide(StepWizard):
    __name__ = 'training.abandon.case.decide'

    start = StepView(
        'training.abandon.case.decide.start',
        'case_decide_start_view_form',
        Button(
            "Validate the Abandonment", 'apply', 'tryton-ok', default=True,
            states={
                'invisible': _invalidated | _other_ground,
                'readonly': ~Eval('decision') | ~Eval('ground'),
                }),
        Button(
            "Validate the Decision", 'validate', 'tryton-ok',
            states={
                'invisible': _invalidated | ~_other_ground,
                }),
        Button(
            "Invalidate the Abandonment", 'invalidate', 'tryton-ok',
            states={
                'invisible': ~_invalidated | _resumed,
                'readonly': ~Eval('ground'),
                }),
        Button(
            "Resume the Training", 'resume', 'tryton-ok',
            states={
                'invisible': ~_invalidated | ~_resumed,
                }))
    validate = StateTransition()
    invalidate = StateTransition()
    resume = StateTransition()

    def default_start(self, fields):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        resume = any(c.next_kind != 'decide' for c in self.records)
        defaults = {'resume': resume, **outcome_defaults(self.records)}
        if len(self.records) == 1:
            enrolment = self.records[0].enrolment
            facts = Attendance.facts([enrolment.id])[enrolment.id]
            defaults['last_presence'] = facts['last_presence']
            defaults['start_date'] = max(filter(None, [
                        enrolment.start_date, enrolment.session.start_date]))
        if resume:
            defaults['decision'] = 'invalidated'
            defaults['ground'] = 'resumed'
        elif defaults.get('last_presence'):
            defaults['effective_date'] = defaults['last_presence']
            defaults['proposed_date'] = defaults['last_presence']
        return defaults

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        start = self.start
        Case.apply_decision(
            self.cases, start.decision, start.ground, start.effective_date,
            note=start.note, **start.outcome())
        return 'end'

    def transition_validate(self):
        return self.transition_apply()

    def transition_invalidate(self):
        return self.transition_apply()

    def transition_resume(self):
        return self.transition_apply()


def outcome_defaults(cases):
    "Return the default values of the outcome of the cases"
    companies = {c.company.id for c in cases}
    return {
        'company': companies.pop() if len(companies) == 1 else None,
        'sessions': list({c.enrolment.session.id for c in cases}),
        'apprenticeship': (
            bool(cases) and all(c.apprenticeship for c in cases)),
        }


class OutcomeStartMixin:
    "Form that tells what comes after a decision"
    __slots__ = ()

    company = fields.Many2One('company.company', "Company", readonly=True)
    sessions = fields.Many2Many(
        'training.session', None, None, "Sessions", readonly=True)
    apprenticeship = fields.Boolean("Apprenticeship", readonly=True)
    new_session = fields.Many2One(
        'training.session', "New Session",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('state', 'not in', ENDED_SESSION_STATES),
            ('id', 'not in', Eval('sessions', [])),
            ],
        states={
            'invisible': Eval('ground') != 'transfer',
            },
        help="The trainees are enrolled in it on the terms of their present "
        "enrolment.\nLeave empty to tell it later.")
    return_date = fields.Date(
        "Return Date",
        states={
            'invisible': Eval('ground') != 'postponed',
            },
        help="The day on which the trainee is expected back.\n"
        "Leave empty to tell it later.")
    contract_end_date = fields.Date(
        "Contract End Date",
        states={
            'invisible': ~Eval('apprenticeship'),
            },
        help="The day on which the apprenticeship contract was broken.\n"
        "The training ends on the effective date only.")
    note = fields.Text("Note", help="Do not write any health detail.")

    def outcome(self):
        "Return the values that the form tells"
        return {
            'new_session': self.new_session,
            'return_date': self.return_date,
            'contract_end_date': self.contract_end_date,
            }


class DecideStart(HoldNoticeMixin, OutcomeStartMixin, ModelView):
    __name__ = 'training.abandon.case.decide.start'

    resume = fields.Boolean("Resume", readonly=True)
    decision = fields.Selection(
        'get_decisions', "Decision", required=True, sort=False,
        states={
            'readonly': Bool(Eval('resume')),
            },
        help="Validate to have the trainee leave the training, invalidate "
        "to end the case and nothing else.")
    ground = fields.Selection(
        'get_grounds', "Ground", required=True, sort=False,
        states={
            'readonly': Bool(Eval('resume')),
            },
        help="What the decision rests on: it tells what becomes of the "
        "enrolment and if a certificate is needed.")
    effective_date = fields.Date(
        "Effective Date", required=True,
        help="The last day on which the trainee is expected, or the day "
        "the training is resumed.")
    last_presence = fields.Date(
        "Last Presence", readonly=True,
        states={
            'invisible': ~Eval('last_presence'),
            },
        help="The last day on which the trainee came: the effective date "
        "that is proposed.")
    start_date = fields.Date("Start Date", readonly=True)
    proposed_date = fields.Date("Proposed Date", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.hold_notice.states['invisible'] |= (
            ~Eval('ground') | (Eval('ground') == 'unfounded'))

    @classmethod
    def default_effective_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()

    @classmethod
    def default_proposed_date(cls):
        return cls.default_effective_date()

    @classmethod
    def get_decisions(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return Case.fields_get(['decision'])['decision']['selection']

    @fields.depends('decision')
    def get_grounds(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        grounds = Case.fields_get(['ground'])['ground']['selection']
        if self.decision == 'validated':
            allowed = GROUND_STATES
        elif self.decision == 'invalidated':
            allowed = INVALID_GROUNDS
        else:
            allowed = [g for g, _ in grounds]
        return [(g, label) for g, label in grounds
            if g is None or g in allowed]

    @fields.depends('decision', 'ground', methods=['on_change_ground'])
    def on_change_decision(self):
        grounds = (
            GROUND_STATES if self.decision == 'validated'
            else INVALID_GROUNDS)
        if self.decision and self.ground and self.ground not in grounds:
            self.ground = None
        self.on_change_ground()

    @fields.depends(
        'ground', 'effective_date', 'proposed_date', 'new_session',
        'return_date', methods=['_propose_date'])
    def on_change_ground(self):
        # What somebody typed is kept
        if not self.effective_date or (
                self.effective_date == self.proposed_date):
            self.effective_date = self._propose_date()
            self.proposed_date = self.effective_date
        if self.ground != 'transfer':
            self.new_session = None
        if self.ground != 'postponed':
            self.return_date = None

    @fields.depends('decision', 'ground', 'last_presence', 'start_date')
    def _propose_date(self):
        pool = Pool()
        Date = pool.get('ir.date')
        today = Date.today()
        if (self.decision == 'invalidated'
                or self.ground == 'withdrawal_period'):
            return today
        elif self.ground == 'cancellation' and self.start_date:
            return min(today, self.start_date - dt.timedelta(days=1))
        elif self.ground == 'no_show' and self.start_date:
            return min(today, self.start_date)
        return self.last_presence or today


class CompleteDecision(StepWizard):
    __name__ = 'training.abandon.case.complete_decision'

    start = StepView(
        'training.abandon.case.complete_decision.start',
        'case_complete_decision_start_view_form',
        Button("Complete the Decision", 'apply', 'tryton-ok', default=True))

    def default_start(self, fields):
        grounds = {
            c.ground for c in self.records if c.decision == 'validated'}
        defaults = outcome_defaults(self.records)
        if len(grounds) == 1:
            defaults['ground'], = grounds
        return defaults

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Case.complete_decisions(
            self.cases, note=self.start.note, **self.start.outcome())
        return 'end'


class CompleteDecisionStart(OutcomeStartMixin, ModelView):
    __name__ = 'training.abandon.case.complete_decision.start'

    ground = fields.Selection(
        'get_grounds', "Ground", readonly=True,
        help="What the decision to complete rests on.")

    @classmethod
    def get_grounds(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return Case.fields_get(['ground'])['ground']['selection']


class Skip(StepWizard):
    __name__ = 'training.abandon.case.skip'

    start = StepView(
        'training.abandon.case.skip.start', 'case_skip_start_view_form',
        Button("Skip the Step", 'apply', 'tryton-ok', default=True))

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        reason = (self.start.reason or '').strip()
        if not reason:
            raise CaseStepError(gettext(
                    'training_abandon.msg_skip_no_reason'))
        Case.skip_step(self.cases, reason)
        return 'end'


class SkipStart(ModelView):
    __name__ = 'training.abandon.case.skip.start'

    reason = fields.Text(
        "Reason", required=True,
        help="Why the step is not done: an auditor reads it.\n"
        "Do not write any health detail.")
