# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from sql import Column, Literal, Null
from sql.operators import Equal

from trytond.i18n import gettext
from trytond.model import (
    Exclude, Index, ModelSQL, ModelView, Unique, Workflow, fields)
from trytond.model.exceptions import AccessError
from trytond.modules.company.model import employee_field
from trytond.pool import Pool
from trytond.pyson import Date, DateTime, Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..global_search import GlobalSearchMixin, enable
from ..procedure.states import CASE_STATES, GROUNDS, OPEN_STATES, ORIGINS
from ..rec_name import CompletionMixin, search_names
from ..stored import SLICE, StoredMixin
from .analysis import AnalysisMixin
from .answer import AnswerMixin
from .certificate import CertificationMixin
from .correction import CorrectionMixin
from .correspondence import CaseCorrespondenceMixin
from .decision import DecisionMixin
from .follow_up import ExchangeMixin
from .obstacle import ObstacleMixin
from .opening import OpeningMixin
from .outcome import OutcomeMixin
from .overview import OverviewMixin
from .owner import OwnerMixin
from .progress import ProgressMixin
from .revision import RevisionMixin
from .undo import UndoMixin


class Case(
        OpeningMixin, ProgressMixin, CaseCorrespondenceMixin, AnswerMixin,
        AnalysisMixin, ExchangeMixin, ObstacleMixin, DecisionMixin,
        OutcomeMixin, CertificationMixin, UndoMixin, RevisionMixin,
        CorrectionMixin, OwnerMixin, OverviewMixin, CompletionMixin,
        GlobalSearchMixin, StoredMixin, Workflow, ModelSQL, ModelView):
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
        'get_enrolment_fields', searcher='search_enrolment_field')
    session = fields.Function(fields.Many2One(
            'training.session', "Session"),
        'get_enrolment_fields', searcher='search_enrolment_field')
    course = fields.Function(fields.Many2One(
            'training.course', "Course"),
        'get_enrolment_fields', searcher='search_enrolment_field')
    prescriber = fields.Function(fields.Many2One(
            'party.party', "Prescriber",
            context={
                'company': Eval('company', -1),
                },
            depends={'company'},
            help="The organisation that referred the trainee and is told of "
            "the absence."),
        'get_enrolment_fields', searcher='search_enrolment_field')
    procedure = fields.Many2One(
        'training.abandon.procedure', "Procedure", required=True,
        readonly=True, ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ])
    origin = fields.Selection(
        ORIGINS, "Origin", required=True, readonly=True, sort=False,
        help="How the abandonment became known: it chooses the letter that "
        "asks the reasons.")
    opening_date = fields.Date(
        "Opening Date", required=True, readonly=True,
        help="The day from which the delays of the steps run.")
    opened_by = employee_field("Opened By", states=[s for s, _ in CASE_STATES])
    note = fields.Text(
        "Opening Note", readonly=True,
        help="What was known when the case was opened.\n"
        "Read by the group Sensitive Reasons only.")
    steps = fields.One2Many(
        'training.abandon.case.step', 'case', "Steps", readonly=True)
    next_step = fields.Many2One(
        'training.abandon.case.step', "Next Step", readonly=True,
        ondelete='SET NULL')
    next_kind = fields.Selection(
        'get_next_kinds', "Next Step", readonly=True,
        help="The first step to do.")
    next_due_date = fields.Date(
        "Due Date", readonly=True,
        help="The day on which the first step to do is due.")
    evidence = fields.Function(fields.Selection(
            'get_evidences', "Evidence", readonly=True,
            help="The worst evidence of the steps done."),
        'get_evidence')
    answered_at = fields.DateTime(
        "Answered at", readonly=True,
        help="When the trainee gave the reasons.")
    proposals = fields.One2Many(
        'training.abandon.proposal', 'case', "Proposals", readonly=True,
        help="The solutions proposed to the trainee, with the answers of "
        "the parties.")
    no_solution_reason = fields.Text(
        "Why No Solution", readonly=True,
        states={
            'invisible': ~Eval('no_solution_reason'),
            },
        help="Why nothing can be proposed, when there is no proposal.\n"
        "Do not write any health detail.")
    follow_ups = fields.One2Many(
        'training.follow_up', 'case', "Follow-Ups",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('enrolment', '=', Eval('enrolment', -1)),
            ],
        help="The calls, the meetings and the visits about the case, done "
        "or planned.")
    mails = fields.One2Many(
        'training.mail', 'case', "Mails", readonly=True)
    replies = fields.One2Many(
        'training.mail.reply', 'case', "Replies", readonly=True)
    decision = fields.Selection([
            (None, ""),
            ('validated', "Validated"),
            ('invalidated', "Invalidated"),
            ], "Decision", readonly=True, sort=False,
        help="Validated, the trainee leaves the training; invalidated, the "
        "case is over and nothing ends.")
    decision_string = decision.translated('decision')
    ground = fields.Selection(
        [(None, "")] + GROUNDS, "Ground", readonly=True, sort=False,
        help="What the decision rests on: it tells what becomes of the "
        "enrolment and if a certificate is needed.")
    ground_string = ground.translated('ground')
    effective_date = fields.Date(
        "Effective Date", readonly=True,
        help="The last day on which the trainee is expected, or the day the "
        "training is resumed.")
    decision_note = fields.Text(
        "Decision Note", readonly=True,
        help="What explains the decision; it is in no letter.\n"
        "Read by the group Sensitive Reasons only.")
    decided_by = employee_field(
        "Decided By", states=[s for s, _ in CASE_STATES])
    previous_enrolment_state = fields.Char(
        "Previous Enrolment State", readonly=True)
    previous_end_date = fields.Date("Previous End Date", readonly=True)
    state = fields.Selection(
        CASE_STATES, "State", readonly=True, required=True, sort=False,
        help="The last step done, then how the case ended; a skipped step "
        "does not change it.")
    state_string = state.translated('state')
    closed_at = fields.DateTime(
        "Closed at", readonly=True,
        help="When the case ended: it was closed, invalidated or cancelled.")

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        # Later updates keep what the administrators have chosen
        is_searched = table_h.column_exist('next_step')
        super().__register__(module)
        if not is_searched:
            enable('training.trainee', 'training.session', cls.__name__)

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
        cls._sql_indexes.update({
                Index(
                    t, (t.state, Index.Equality(cardinality='low')),
                    where=t.state.in_(OPEN_STATES)),
                Index(t, (t.id, Index.Range()), where=t.closed_at == Null),
                Index(
                    t, (t.ground, Index.Equality(cardinality='low')),
                    where=t.ground != Null),
                Index(
                    t, (t.opening_date, Index.Range()),
                    (t.id, Index.Range())),
                })
        cls._order.insert(0, ('opening_date', 'DESC'))

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
    def get_enrolment_fields(cls, cases, names):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        cursor = Transaction().connection.cursor()
        values = {name: {} for name in names}
        for sub_cases in grouped_slice(cases, SLICE):
            case, enrolment = cls.__table__(), Enrolment.__table__()
            session = Session.__table__()
            # A list would take longer to read all the fields of both
            cursor.execute(*case
                .join(enrolment, condition=enrolment.id == case.enrolment)
                .join(session, condition=session.id == enrolment.session)
                .select(
                    case.id, *(
                        Column(
                            session if name == 'course' else enrolment, name)
                        for name in names),
                    where=fields.SQL_OPERATORS['in'](
                        case.id, [c.id for c in sub_cases])))
            for id_, *row in cursor:
                for name, value in zip(names, row):
                    values[name][id_] = value
        return values

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
    def stored_queries(cls):
        return {
            **super().stored_queries(),
            ('next_step', 'next_kind', 'next_due_date'): cls._next_query,
            }

    @classmethod
    def _next_query(cls, of):
        "Return the query of the id of the cases and what they do next"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        case, step = cls.__table__(), Step.__table__()
        return (case
            .join(step, 'LEFT',
                condition=(step.case == case.id)
                & (step.is_next == Literal(True)))
            .select(
                case.id.as_('id'), step.id.as_('next_step'),
                step.kind.as_('next_kind'),
                step.due_date.as_('next_due_date'),
                where=of(case.id)))

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

    def get_step(self, kind):
        for step in self.steps:
            if step.kind == kind:
                return step

    def get_rec_name(self, name):
        return f'{self.number} - {self.enrolment.trainee.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'number', 'enrolment.rec_name')

    @classmethod
    def view_attributes(cls):
        is_open = Eval('state').in_(OPEN_STATES)
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(~is_open, 'muted',
                    If((Eval('evidence') == 'failed')
                        | (Eval('next_due_date', dt.date.max)
                            < Date(start=DateTime())),
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
            'steps', 'next_step', 'next_kind', 'next_due_date', 'mails',
            'certificates', 'corrections', 'proposals',
            'causes',
            'reasons', 'analysis', 'reason_comment', 'no_solution_reason',
            'decision_note', 'note', 'new_enrolment', 'return_date',
            'return_ended_on', 'contract_end_date', 'completions'}

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
    def on_modification(cls, mode, cases, field_names=None):
        super().on_modification(mode, cases, field_names=field_names)
        if mode == 'write' and {'answered_at', 'closed_at'} & field_names:
            cls.on_answer(cases)

    @classmethod
    def copy(cls, cases, default=None):
        for case in cases:
            raise AccessError(gettext(
                    'training_abandon.msg_case_copy',
                    case=case.rec_name))
        return []

    def local_date(self, at):
        "Return the day of the company at that time"
        return tools.local_date(at, self.company)
