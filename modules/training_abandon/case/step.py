# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import defaultdict

from sql import Literal, Null
from sql.aggregate import Count, Min
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce

from trytond import backend
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.modules.company.model import employee_field
from trytond.pool import Pool
from trytond.pyson import Date, DateTime, Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..procedure.states import STEP_KINDS
from .analysis import CaseCompanyMixin
from .due_date import DueDateMixin

# Each id is in several of the conditions of a query
SLICE = min(backend.MAX_QUERY_PARAMS // 2, 1000)
# The steps that tell somebody something
TOLD_KINDS = ['inform', 'ask_reasons', 'follow_up', 'certify']
# The steps that are proven by what they record on the case itself
RECORDED_KINDS = ['analyse', 'propose', 'decide']


class Step(DueDateMixin, CaseCompanyMixin, ModelSQL, ModelView):
    __name__ = 'training.abandon.case.step'

    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, ondelete='CASCADE')
    sequence = fields.Integer("Sequence", required=True)
    kind = fields.Selection(STEP_KINDS, "Step", required=True, sort=False)
    kind_string = kind.translated('kind')
    procedure_step = fields.Many2One(
        'training.abandon.procedure.step', "Procedure Step",
        ondelete='RESTRICT')
    state = fields.Selection([
            ('todo', "To Do"),
            ('done', "Done"),
            ('skipped', "Skipped"),
            ], "State", required=True, sort=False)
    evidence = fields.Function(fields.Selection([
                ('none', "None"),
                ('pending', "Pending"),
                ('proven', "Proven"),
                ('failed', "Failed"),
                ], "Evidence", sort=False,
            help="A step is proven once its mails are sent, its certificate "
            "issued, its answers or calls recorded."),
        'get_evidence', searcher='search_evidence')
    evidence_string = evidence.translated('evidence')
    done_at = fields.DateTime("Done at")
    done_by = employee_field("Done By", states=['todo', 'done', 'skipped'])
    done_by_user = fields.Many2One(
        'res.user', "Done By User", ondelete='RESTRICT')
    skip_reason = fields.Text("Skip Reason")
    is_next = fields.Function(fields.Boolean(
            "Next",
            help="It is the first step that its case has to do."),
        'get_is_next', searcher='search_is_next')
    by_procedure = fields.Boolean(
        "Skipped by the Procedure",
        help="The step did not apply to the case: nobody chose to skip it.")
    mails = fields.One2Many('training.mail', 'step', "Mails", readonly=True)
    follow_ups = fields.One2Many(
        'training.follow_up', 'step', "Follow-Ups", readonly=True)

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        has_by_procedure = table_h.column_exist('by_procedure')
        super().__register__(module)
        if not has_by_procedure:
            cls._fill_late_from()
            cls._fill_by_procedure()

    @classmethod
    def _fill_by_procedure(cls):
        """Tell the steps that the procedure skipped: at the opening, with
        the certificate of another ground, or with the same words as the
        decision or the certificate of a case cancelled or invalidated."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        table, last = cls.__table__(), cls.__table__()
        case = Case.__table__()
        over = case.select(case.id,
            where=(case.state == 'cancelled')
            | (case.decision == 'invalidated'))
        other_ground = case.select(case.id,
            where=(case.decision == 'validated')
            & (case.ground != 'abandonment'))
        by_procedure = (
            (table.done_at == Null)
            | ((table.kind == 'certify') & table.case.in_(other_ground))
            | (table.case.in_(over)
                & table.skip_reason.in_(last.select(
                        last.skip_reason,
                        where=(last.case == table.case)
                        & (last.state == 'skipped')
                        & last.kind.in_(['decide', 'certify'])))))
        Transaction().connection.cursor().execute(*table.update(
                [table.by_procedure], [True],
                where=(table.state == 'skipped') & by_procedure))

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('case')
        t = cls.__table__()
        cls._sql_constraints += [
            ('case_kind_unique', Unique(t, t.case, t.kind),
                'training_abandon.msg_case_step_unique'),
            ]
        cls._sql_indexes.update({
                Index(t, (t.case, Index.Equality())),
                Index(
                    t, (t.due_date, Index.Range()),
                    where=t.state.in_(['todo'])),
                })
        cls._order = [
            ('case', 'DESC'),
            ('sequence', 'ASC'),
            ('id', None),
            ]

    @classmethod
    def default_state(cls):
        return 'todo'

    def get_rec_name(self, name):
        return f'{self.case.rec_name} - {self.kind_string}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('case.rec_name', *clause[1:])]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If((Eval('evidence') == 'failed')
                    | ((Eval('state') == 'todo')
                        & (Eval('due_date', dt.date.max)
                            < Date(start=DateTime()))),
                    'danger',
                    If(Eval('state') == 'skipped', 'muted',
                        If(Eval('evidence') == 'pending', 'warning', '')))),
            ]

    @property
    def required(self):
        return bool(self.procedure_step and self.procedure_step.required)

    @classmethod
    def check_modification(cls, mode, steps, values=None, external=False):
        super().check_modification(
            mode, steps, values=values, external=external)
        if external or mode == 'delete':
            for step in steps:
                raise AccessError(gettext(
                        'training_abandon.msg_case_modify',
                        case=step.case.rec_name))

    def done_on(self):
        "Return the day of the company on which the step was done, or None"
        if self.done_at:
            return self.case.local_date(self.done_at)

    @classmethod
    def complete(cls, steps):
        cls._sign(steps, {'state': 'done'})

    @classmethod
    def skip(cls, steps, reason, by_procedure=False):
        """Skip the steps for that reason.

        by_procedure tells that the steps do not apply to the cases, against
        those that somebody chooses not to do."""
        cls._sign(steps, {
                'state': 'skipped',
                'skip_reason': reason,
                'by_procedure': by_procedure,
                })

    @classmethod
    def reopen(cls, steps):
        "Have the steps done or skipped to do again"
        cls.write_groups([(steps, {
                        'state': 'todo',
                        'done_at': None,
                        'done_by': None,
                        'done_by_user': None,
                        'skip_reason': None,
                        'by_procedure': False,
                        })])

    def skip_by_procedure(self, reason):
        "Set on the step, not saved yet, that it does not apply to the case"
        self.state = 'skipped'
        self.by_procedure = True
        self.skip_reason = reason

    @property
    def has_left(self):
        "If somebody has been told at the step, so that it is not undone"
        if self.kind == 'certify' and any(
                c.state in {'signed', 'refused', 'unanswered'}
                for c in self.case.certificates):
            return True
        return self.kind in TOLD_KINDS and (
            any(m.state in {'sent', 'sending'} and (
                    not m.certificate or m.certificate.state != 'void')
                for m in self.mails)
            or any(f.done_at for f in self.follow_ups))

    @classmethod
    def _sign(cls, steps, values):
        "Write the values on the steps with who and when"
        values = {
            **values,
            'done_at': tools.now(),
            'done_by_user': Transaction().user,
            }
        by_company = defaultdict(list)
        for step in steps:
            by_company[step.case.company].append(step)
        employees = {c: tools.current_employee(c) for c in by_company}
        cls.write_groups(
            (company_steps, {
                    **values,
                    'done_by': (
                        employees[company].id if employees[company] else None),
                    })
            for company, company_steps in by_company.items())

    @classmethod
    def write_groups(cls, groups):
        "Write the values of each (steps, values) in slices"
        actions, count = [], 0
        for steps, values in groups:
            for sub_steps in grouped_slice(steps, tools.BATCH):
                sub_steps = list(sub_steps)
                if count + len(sub_steps) > tools.BATCH:
                    cls.write(*actions)
                    actions, count = [], 0
                actions += [sub_steps, values]
                count += len(sub_steps)
        if actions:
            cls.write(*actions)

    @classmethod
    def ids_of_cases(cls, case_ids):
        "Return the ids of the steps of the cases"
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        ids = []
        for sub_ids in grouped_slice(case_ids, SLICE):
            cursor.execute(*table.select(
                    table.id,
                    where=fields.SQL_OPERATORS['in'](
                        table.case, list(sub_ids))))
            ids += [id_ for id_, in cursor]
        return ids

    @classmethod
    def _first_todo_query(cls, where=None):
        "Return the query of the first steps to do of the cases and its table"
        step, other = cls.__table__(), cls.__table__()
        condition = other.state == 'todo'
        if where is not None:
            condition &= where(other)
        first = other.select(
            other.case.as_('case'),
            Min(other.sequence).as_('sequence'),
            where=condition,
            group_by=[other.case])
        query = step.join(first,
            condition=(first.case == step.case)
            & (first.sequence == step.sequence))
        return query, step

    @classmethod
    def first_todo(cls, case_ids):
        "Yield the case, id, kind and due date of the first steps to do"
        cursor = Transaction().connection.cursor()
        for sub_ids in grouped_slice(
                case_ids, backend.MAX_QUERY_PARAMS // 2):
            sub_ids = list(sub_ids)
            query, step = cls._first_todo_query(
                lambda t: fields.SQL_OPERATORS['in'](t.case, sub_ids))
            cursor.execute(*tools.apply_types(query.select(
                        step.case.as_('case'), step.id.as_('id'),
                        step.kind.as_('kind'), step.due_date.as_('due_date')),
                    None, None, None, 'DATE'))
            yield from cursor

    @classmethod
    def _next_query(cls):
        "Return the query of the ids of the first steps to do"
        query, step = cls._first_todo_query()
        return query.select(step.id)

    @classmethod
    def get_is_next(cls, steps, name):
        first = {id_ for _, id_, _, _ in cls.first_todo(
                list({s.case.id for s in steps}))}
        return {s.id: s.id in first for s in steps}

    @classmethod
    def search_is_next(cls, name, clause):
        _, operator, value = clause
        table = cls.__table__()
        Operator = fields.SQL_OPERATORS[operator]
        return [('id', 'in', table.select(
                    table.id, where=Operator(
                        table.id.in_(cls._next_query()), value)))]

    @classmethod
    def _evidence_query(cls, of=None):
        """Return the query of the case, id and evidence of the steps, their
        table and the expression of the evidence.

        of returns the condition on the column of the step: without it all the
        mails are read."""
        pool = Pool()
        Mail = pool.get('training.mail')
        FollowUp = pool.get('training.follow_up')
        Certificate = pool.get('training.abandon.certificate')
        step = cls.__table__()
        of = of or (lambda column: column != Null)

        mail = Mail.__table__()
        refused = (mail.state == 'failed') | (
            (mail.bounced_at != Null) & (mail.replaced_by == Null))
        mails = mail.select(
            mail.step.as_('step'),
            Count(Literal(1), filter_=refused).as_('failed'),
            Count(Literal(1), filter_=mail.state.in_(
                    ['draft', 'queued', 'sending'])).as_('pending'),
            Count(Literal(1), filter_=(mail.state == 'sent')
                & (mail.bounced_at == Null)).as_('sent'),
            Count(Literal(1), filter_=mail.state == 'cancelled'
                ).as_('cancelled'),
            # The reminders do not prove what they repeat, and the exchange is
            # proven by what was heard
            where=of(mail.step) & (mail.reminder == Null)
            & (mail.kind != 'exchange') & Certificate.holds_sql(mail),
            group_by=[mail.step])
        follow_up = FollowUp.__table__()
        recorded = follow_up.select(
            follow_up.step,
            where=of(follow_up.step) & (follow_up.done_at != Null))
        certificate = Certificate.__table__()
        issued = certificate.select(
            certificate.case, where=certificate.state != 'void')

        evidence = SQLCase(
            (step.state != 'done', 'none'),
            (Coalesce(mails.failed, 0) > 0, 'failed'),
            (Coalesce(mails.pending, 0) > 0, 'pending'),
            ((Coalesce(mails.sent, 0) > 0)
                | step.kind.in_(RECORDED_KINDS)
                | step.id.in_(recorded), 'proven'),
            (Coalesce(mails.cancelled, 0) > 0, 'failed'),
            ((step.kind == 'certify') & step.case.in_(issued), 'proven'),
            else_='none')
        query = (step
            .join(mails, 'LEFT', condition=mails.step == step.id)
            .select(
                step.case, step.id, evidence.as_('evidence'),
                where=of(step.id)))
        return query, step, evidence

    @classmethod
    def _of_steps(cls, ids):
        ids = list(ids)
        return lambda column: fields.SQL_OPERATORS['in'](column, ids)

    @classmethod
    def _of_cases(cls, case_ids):
        case_ids = list(case_ids)

        def of(column):
            step = cls.__table__()
            return column.in_(step.select(
                    step.id,
                    where=fields.SQL_OPERATORS['in'](step.case, case_ids)))
        return of

    @classmethod
    def get_evidence(cls, steps, name):
        cursor = Transaction().connection.cursor()
        evidences = {}
        for sub_steps in grouped_slice(steps, SLICE):
            query, _, _ = cls._evidence_query(
                cls._of_steps(s.id for s in sub_steps))
            cursor.execute(*query)
            evidences.update((id_, evidence) for _, id_, evidence in cursor)
        return evidences

    @classmethod
    def evidence_by_case(cls, case_ids):
        "Return the set of the evidences of the steps, by case id"
        cursor = Transaction().connection.cursor()
        evidences = defaultdict(set)
        for sub_ids in grouped_slice(case_ids, SLICE):
            query, _, _ = cls._evidence_query(cls._of_cases(sub_ids))
            cursor.execute(*query)
            for case, _, evidence in cursor:
                evidences[case].add(evidence)
        return evidences

    @classmethod
    def search_evidence(cls, name, clause):
        _, operator, value = clause
        query, step, evidence = cls._evidence_query()
        Operator = fields.SQL_OPERATORS[operator]
        query.columns = [step.id]
        query.where &= Operator(evidence, value)
        return [('id', 'in', query)]
