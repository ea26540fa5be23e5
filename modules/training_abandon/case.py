# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import defaultdict

from sql import Null
from sql.operators import Equal

from trytond import backend
from trytond.i18n import gettext
from trytond.model import (
    Exclude, Index, ModelSQL, ModelView, Unique, Workflow, fields)
from trytond.model.exceptions import AccessError
from trytond.modules.company.model import employee_field
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .enrolment import CURRENT_STATES
from .exceptions import (
    CaseBusyError, CaseCloseError, CaseOpenError, CaseStepError)
from .procedure import CASE_STATES, STEP_KINDS, STEP_ORDER
from .working_day import WorkingCalendar

# The state that each step gives to the case
STEP_STATES = {
    'inform': 'informed',
    'ask_reasons': 'inquiring',
    'analyse': 'analysed',
    'propose': 'proposed',
    'exchange': 'exchanged',
    'follow_up': 'followed_up',
    'decide': 'validated',
    'certify': 'certified',
    }
PROGRESS_STATES = [
    'draft', 'informed', 'inquiring', 'analysed', 'proposed', 'exchanged',
    'followed_up']
OPEN_STATES = PROGRESS_STATES + ['validated', 'certified']
# The state of the enrolment for each ground of a validated case
GROUND_STATES = {
    'abandonment': 'withdrawn',
    'exclusion': 'withdrawn',
    'force_majeure': 'withdrawn',
    'legitimate_reason': 'withdrawn',
    'no_show': 'cancelled',
    'withdrawal_period': 'cancelled',
    'transfer': 'cancelled',
    'postponed': 'suspended',
    }
INVALID_GROUNDS = ['resumed', 'unfounded']
BEFORE_SESSION_GROUNDS = ['no_show', 'withdrawal_period', 'transfer']
GROUNDS = [
    ('abandonment', "Abandonment"),
    ('force_majeure', "Force Majeure"),
    ('legitimate_reason', "Legitimate Reason"),
    ('exclusion', "Exclusion"),
    ('no_show', "No-Show"),
    ('withdrawal_period', "Withdrawal Period"),
    ('transfer', "Transfer"),
    ('postponed', "Postponed"),
    ('resumed', "Training Resumed"),
    ('unfounded', "Unfounded"),
    ]
ORIGINS = [
    ('absence', "Absence"),
    ('declared', "Declared by the Trainee"),
    ('other', "Other"),
    ]
BATCH = 200


def _step_button(kind):
    return {
        'invisible': Eval('next_kind') != kind,
        'depends': ['next_kind'],
        }


class Case(Workflow, ModelSQL, ModelView):
    __name__ = 'training.abandon.case'
    _rec_name = 'number'

    number = fields.Char("Number", readonly=True)
    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, readonly=True,
        ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    trainee = fields.Function(fields.Many2One(
            'training.trainee', "Trainee"),
        'on_change_with_trainee', searcher='search_enrolment_field')
    session = fields.Function(fields.Many2One(
            'training.session', "Session"),
        'on_change_with_session', searcher='search_enrolment_field')
    course = fields.Function(fields.Many2One(
            'training.course', "Course"),
        'on_change_with_course', searcher='search_enrolment_field')
    prescriber = fields.Function(fields.Many2One(
            'party.party', "Prescriber",
            context={
                'company': Eval('company', -1),
                },
            depends={'company'}),
        'on_change_with_prescriber', searcher='search_enrolment_field')
    procedure = fields.Many2One(
        'training.abandon.procedure', "Procedure", required=True,
        readonly=True, ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ])
    origin = fields.Selection(
        ORIGINS, "Origin", required=True, readonly=True, sort=False)
    opening_date = fields.Date("Opening Date", required=True, readonly=True)
    opened_by = employee_field("Opened By", states=[s for s, _ in CASE_STATES])
    note = fields.Text("Opening Note", readonly=True)
    steps = fields.One2Many(
        'training.abandon.case.step', 'case', "Steps", readonly=True)
    next_step = fields.Function(fields.Many2One(
            'training.abandon.case.step', "Next Step"),
        'get_next_step')
    next_kind = fields.Function(fields.Selection(
            'get_next_kinds', "Next Step"),
        'get_next_step')
    next_due_date = fields.Function(
        fields.Date("Due Date"), 'get_next_step')
    evidence = fields.Function(fields.Selection(
            'get_evidences', "Evidence"),
        'get_evidence')
    reasons = fields.Many2Many(
        'training.abandon.case-training.abandon.reason',
        'case', 'reason', "Declared Reasons", readonly=True)
    reason_comment = fields.Text("Reason Comment", readonly=True)
    answered_at = fields.DateTime(
        "Answered at", readonly=True,
        help="When the trainee told the reasons.")
    causes = fields.One2Many(
        'training.abandon.case.cause', 'case', "Causes", readonly=True)
    analysis = fields.Text("Analysis", readonly=True)
    reason_category = fields.Function(
        fields.Char(
            "Reason Category",
            help="What a prescriber may know of the causes."),
        'get_reason_category')
    proposals = fields.One2Many(
        'training.abandon.proposal', 'case', "Proposals", readonly=True)
    no_solution_reason = fields.Text("Why No Solution", readonly=True)
    follow_ups = fields.One2Many(
        'training.follow_up', 'case', "Follow-Ups",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('enrolment', '=', Eval('enrolment', -1)),
            ])
    mails = fields.One2Many(
        'training.mail', 'case', "Mails", readonly=True)
    decision = fields.Selection([
            (None, ""),
            ('validated', "Validated"),
            ('invalidated', "Invalidated"),
            ], "Decision", readonly=True, sort=False)
    ground = fields.Selection(
        [(None, "")] + GROUNDS, "Ground", readonly=True, sort=False)
    ground_string = ground.translated('ground')
    effective_date = fields.Date("Effective Date", readonly=True)
    decision_note = fields.Text("Decision Note", readonly=True)
    decided_by = employee_field(
        "Decided By", states=[s for s, _ in CASE_STATES])
    previous_enrolment_state = fields.Char(
        "Previous Enrolment State", readonly=True)
    previous_end_date = fields.Date("Previous End Date", readonly=True)
    certificate = fields.Function(fields.Many2One(
            'training.abandon.certificate', "Certificate"),
        'get_certificate')
    certificates = fields.One2Many(
        'training.abandon.certificate', 'case', "Certificates",
        readonly=True)
    state = fields.Selection(
        CASE_STATES, "State", readonly=True, required=True, sort=False)
    state_string = state.translated('state')
    closed_at = fields.DateTime("Closed at", readonly=True)

    @classmethod
    def __setup__(cls):
        cls.number.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('open_enrolment_unique',
                Exclude(t, (t.enrolment, Equal), where=t.closed_at == Null),
                'training_abandon.msg_case_open_unique'),
            ('number_unique', Unique(t, t.company, t.number),
                'training_abandon.msg_case_number_unique'),
            ]
        cls._sql_indexes.add(
            Index(
                t, (t.state, Index.Equality(cardinality='low')),
                where=t.state.in_(OPEN_STATES)))
        cls._order.insert(0, ('opening_date', 'DESC'))
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
    def order_number(cls, tables):
        table, _ = tables[None]
        return [table.number == Null, table.id]

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_origin(cls):
        return 'absence'

    @classmethod
    def default_opening_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()

    @classmethod
    def default_state(cls):
        return 'draft'

    @fields.depends('enrolment', '_parent_enrolment.trainee')
    def on_change_with_trainee(self, name=None):
        return self.enrolment.trainee if self.enrolment else None

    @fields.depends('enrolment', '_parent_enrolment.session')
    def on_change_with_session(self, name=None):
        return self.enrolment.session if self.enrolment else None

    @fields.depends('enrolment', '_parent_enrolment.course')
    def on_change_with_course(self, name=None):
        return self.enrolment.course if self.enrolment else None

    @fields.depends('enrolment', '_parent_enrolment.prescriber')
    def on_change_with_prescriber(self, name=None):
        return self.enrolment.prescriber if self.enrolment else None

    @classmethod
    def search_enrolment_field(cls, name, clause):
        return [('enrolment.' + clause[0], *clause[1:])]

    @classmethod
    def get_next_kinds(cls):
        return [(None, "")] + cls._step_labels()

    @classmethod
    def _step_labels(cls):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        return Step.fields_get(['kind'])['kind']['selection']

    @classmethod
    def get_evidences(cls):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        return Step.fields_get(['evidence'])['evidence']['selection']

    @classmethod
    def get_next_step(cls, cases, names):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        result = {name: {c.id: None for c in cases} for name in names}
        for case, id_, kind, due_date in Step.first_todo(
                [c.id for c in cases]):
            values = {
                'next_step': id_,
                'next_kind': kind,
                'next_due_date': due_date,
                }
            for name in names:
                result[name][case] = values[name]
        return result

    @classmethod
    def get_evidence(cls, cases, name):
        "Return the worst evidence of the steps done"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        evidences = Step.evidence_by_case([c.id for c in cases])
        result = {}
        for case in cases:
            found = evidences[case.id]
            for evidence in ['failed', 'pending', 'proven']:
                if evidence in found:
                    result[case.id] = evidence
                    break
            else:
                result[case.id] = 'none'
        return result

    @classmethod
    def get_certificate(cls, cases, name):
        return {
            c.id: max((x.id for x in c.certificates), default=None)
            for c in cases}

    @classmethod
    @without_check_access
    def get_reason_category(cls, cases, name):
        categories = {}
        for case in cls.browse(cases):
            reasons = [c.cause for c in case.causes] or case.reasons
            names = []
            for reason in reasons:
                if reason.sensitive or reason.family.sensitive:
                    names.append(gettext(
                            'training_abandon.msg_reason_category_personal'))
                else:
                    names.append(reason.family.name)
            categories[case.id] = ', '.join(dict.fromkeys(names))
        return categories

    @classmethod
    def domain_reasons(cls, domain, tables):
        return cls._sensitive_domain(cls.reasons, domain, tables)

    @classmethod
    def domain_causes(cls, domain, tables):
        return cls._sensitive_domain(cls.causes, domain, tables)

    @classmethod
    def _sensitive_domain(cls, field, domain, tables):
        # Finding the cases would tell the reasons that the rules hide
        if Transaction().check_access and not cls._reads_sensitive():
            raise AccessError(gettext(
                    'training_abandon.msg_case_sensitive_search',
                    field=cls.__names__(field.name)['field']))
        return type(field).convert_domain.__wrapped__(
            field, domain, tables, cls)

    @classmethod
    def _reads_sensitive(cls):
        "Return if the user is a member of the group Sensitive Reasons"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        User = pool.get('res.user')
        group = ModelData.get_id(
            'training_abandon', 'group_sensitive_reason')
        return Transaction().user == 0 or group in User.get_groups()

    def get_rec_name(self, name):
        return f'{self.number} - {self.enrolment.trainee.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        _, operator, operand, *extra = clause
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        return [bool_op,
            ('number', operator, operand, *extra),
            ('enrolment.rec_name', operator, operand, *extra),
            ]

    @classmethod
    def view_attributes(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        is_open = Eval('state').in_(OPEN_STATES)
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(~is_open, 'muted',
                    If((Eval('evidence') == 'failed')
                        | (Eval('next_due_date', dt.date.max)
                            < Date.today()),
                        'danger', ''))),
            ]

    @classmethod
    def _protected_fields(cls):
        "Return the names of the fields that only the procedure changes"
        return {
            'number', 'company', 'enrolment', 'procedure', 'origin',
            'opening_date', 'opened_by', 'decision', 'ground',
            'effective_date', 'decided_by', 'previous_enrolment_state',
            'previous_end_date', 'state', 'closed_at', 'answered_at',
            'steps', 'mails', 'certificates', 'proposals', 'causes',
            'reasons', 'analysis', 'reason_comment', 'no_solution_reason',
            'decision_note', 'note'}

    @classmethod
    def check_modification(cls, mode, cases, values=None, external=False):
        super().check_modification(
            mode, cases, values=values, external=external)
        for case in cases:
            if mode == 'delete':
                raise AccessError(gettext(
                        'training_abandon.msg_case_delete',
                        case=case.rec_name))
            elif (mode == 'write' and external
                    and values.keys() & cls._protected_fields()):
                raise AccessError(gettext(
                        'training_abandon.msg_case_modify',
                        case=case.rec_name))

    @classmethod
    def copy(cls, cases, default=None):
        for case in cases:
            raise AccessError(gettext(
                    'training_abandon.msg_case_copy',
                    case=case.rec_name))
        return []

    # Who and when

    @classmethod
    def today(cls, company):
        "Return the day it is for the company"
        pool = Pool()
        Date = pool.get('ir.date')
        with Transaction().set_context(company=company.id):
            return Date.today()

    @classmethod
    def now(cls):
        return dt.datetime.now(dt.timezone.utc).replace(
            tzinfo=None, microsecond=0)

    def current_employee(self):
        "Return the employee of the user for the company, or None"
        pool = Pool()
        User = pool.get('res.user')
        employee = User(Transaction().user).employee
        if employee and employee.company == self.company:
            return employee

    # Opening

    @classmethod
    def open_cases(cls, enrolments, origin, date, note=None):
        """Open a case on each of the enrolments, all or none, and return
        the cases."""
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Step = pool.get('training.abandon.case.step')
        configuration = Configuration(1)

        cls._check_open(enrolments, date)
        by_company = defaultdict(list)
        for enrolment in enrolments:
            by_company[enrolment.company].append(enrolment)
        cases = []
        for company, company_enrolments in by_company.items():
            calendar = WorkingCalendar(company)
            sequence = configuration.get_multivalue(
                'case_sequence', company=company.id)
            numbers = sequence.get_many(len(company_enrolments))
            procedures = {}
            for enrolment, number in zip(company_enrolments, numbers):
                procedure = enrolment.session.procedure
                if not procedure:
                    if company not in procedures:
                        procedures[company] = cls._get_procedure(company)
                    procedure = procedures[company]
                case = cls(
                    number=number,
                    company=company,
                    enrolment=enrolment,
                    procedure=procedure,
                    origin=origin,
                    opening_date=date,
                    note=note)
                case.opened_by = case.current_employee()
                case.steps = Step.plan(case, calendar)
                cases.append(case)
        for sub_cases in grouped_slice(cases, BATCH):
            cls.save(list(sub_cases))
        return cases

    @classmethod
    def _get_procedure(cls, company):
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        return Procedure.get_active(company)

    @classmethod
    def _check_open(cls, enrolments, date):
        refused = [e for e in enrolments if e.state not in CURRENT_STATES]
        if refused:
            raise CaseOpenError(gettext(
                    'training_abandon.msg_case_open_state',
                    enrolments=cls._names(refused)))
        refused = [
            e for e in enrolments if date > cls.today(e.company)]
        if refused:
            raise CaseOpenError(gettext(
                    'training_abandon.msg_case_open_future',
                    enrolments=cls._names(refused)))
        cases = []
        for sub_enrolments in grouped_slice(enrolments, BATCH):
            cases += cls.search([
                    ('enrolment', 'in', [e.id for e in sub_enrolments]),
                    ('closed_at', '=', None),
                    ], order=[])
        if cases:
            raise CaseOpenError(gettext(
                    'training_abandon.msg_case_open_already',
                    cases=cls._names(cases)))

    @classmethod
    def _names(cls, records, count=10):
        names = [f'"{r.rec_name}"' for r in records[:count]]
        if len(records) > count:
            names.append('…')
        return ', '.join(names)

    # The steps

    @classmethod
    def lock_cases(cls, cases):
        """Keep the cases for this transaction alone and return them as they
        are now; refuse at once if somebody else has them."""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        transaction = Transaction()
        connection = transaction.connection
        names = cls._names(cases)
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
            raise CaseBusyError(gettext(
                    'training_abandon.msg_case_busy',
                    cases=names)) from exception
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
    def apply_step(cls, cases, kind, write=None, done=None):
        """Do the step of the cases, all or none, and return the steps.

        write is called with the cases taken and their steps by case id,
        inside the transition, to store what the step produces; done is a
        dictionary of values for the steps."""
        cases, steps = cls.take(cases, kind)
        getattr(cls, f'_to_{STEP_STATES[kind]}')(cases, steps, write, done)
        return steps

    @classmethod
    def _complete(cls, cases, steps, write=None, done=None):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        # The transition keeps only the cases it may change
        steps = {c.id: steps[c.id] for c in cases if c.id in steps}
        if write:
            write(cases, steps)
        Step.complete(list(steps.values()), **(done or {}))
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
            gettext('training_abandon.msg_step_skip_invalidated'))
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
                    cases=cls._names(refused)))
        refused = [c for c, s in zip(cases, steps) if s.required]
        if refused and not cls._is_administrator():
            raise AccessError(gettext(
                    'training_abandon.msg_case_skip_required',
                    cases=cls._names(refused)))
        Step.skip(steps, reason)
        Step.reschedule(cases)

    @classmethod
    def _is_administrator(cls):
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        User = pool.get('res.user')
        group = ModelData.get_id('training_abandon', 'group_training_admin')
        return Transaction().user == 0 or group in User.get_groups()

    @classmethod
    def _skip_rest(cls, cases, reason):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        Step.skip(
            [s for c in cases for s in c.steps if s.state == 'todo'], reason)

    @classmethod
    def _end(cls, cases):
        "Close the cases that are over and what waits on them"
        pool = Pool()
        Proposal = pool.get('training.abandon.proposal')
        cls.write(cases, {'closed_at': cls.now()})
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
            cases, gettext('training_abandon.msg_step_skip_cancelled'))
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
            if c.certificate and c.certificate.state in {'issued', 'sent'}]
        if waiting:
            raise CaseCloseError(gettext(
                    'training_abandon.msg_case_close_certificate',
                    cases=cls._names(waiting)))
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
