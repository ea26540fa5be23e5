# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import defaultdict

from sql import Literal, Null
from sql.aggregate import Min

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
from ..rec_name import search_names
from ..stored import SLICE, of_ids
from .analysis import CaseCompanyMixin
from .due_date import DueDateMixin
from .evidence import EvidenceMixin
from .proof import ProofMixin

# The steps that tell somebody something
TOLD_KINDS = ['inform', 'ask_reasons', 'follow_up', 'certify']


class Step(
        EvidenceMixin, ProofMixin, DueDateMixin, CaseCompanyMixin, ModelSQL,
        ModelView):
    __name__ = 'training.abandon.case.step'

    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, readonly=True,
        ondelete='CASCADE')
    sequence = fields.Integer("Sequence", required=True, readonly=True)
    kind = fields.Selection(
        STEP_KINDS, "Step", required=True, readonly=True, sort=False,
        help="Which of the eight steps of the procedure it is.")
    kind_string = kind.translated('kind')
    procedure_step = fields.Many2One(
        'training.abandon.procedure.step', "Procedure Step", readonly=True,
        ondelete='RESTRICT')
    state = fields.Selection([
            ('todo', "To Do"),
            ('done', "Done"),
            ('skipped', "Skipped"),
            ], "State", required=True, readonly=True, sort=False,
        help="A step done counts once its evidence is proven, and is to do "
        "again when it fails.")
    done_at = fields.DateTime(
        "Done at", readonly=True,
        help="When the user applied the step, even if its evidence came "
        "later.")
    done_by = employee_field("Done By", states=['todo', 'done', 'skipped'])
    done_by_user = fields.Many2One(
        'res.user', "Done By User", readonly=True, ondelete='RESTRICT',
        help="The user who did or skipped the step, kept also when it has "
        "no employee.")
    skip_reason = fields.Text(
        "Skip Reason", readonly=True,
        states={
            'invisible': ~Eval('skip_reason'),
            },
        help="Why the step was not done: an auditor reads it.\n"
        "Do not write any health detail.")
    is_next = fields.Boolean(
        "Next", readonly=True,
        help="It is the first step that its case has to do.")
    by_procedure = fields.Boolean(
        "Skipped by the Procedure", readonly=True,
        help="The step did not apply to the case: nobody chose to skip it.")
    mails = fields.One2Many(
        'training.mail', 'step', "Mails", readonly=True,
        states={
            'invisible': ~Eval('mails'),
            },
        help="The mails of the step, reminders included: once sent, they "
        "prove it.")
    follow_ups = fields.One2Many(
        'training.follow_up', 'step', "Follow-Ups", readonly=True,
        states={
            'invisible': ~Eval('follow_ups'),
            },
        help="The calls, the meetings and the letters that prove the step.")

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
                Index(
                    t, (t.case, Index.Range()), (t.sequence, Index.Range())),
                Index(
                    t, (t.due_date, Index.Range()),
                    where=t.state.in_(['todo'])),
                Index(
                    t, (t.due_date, Index.Range()),
                    where=t.is_next == Literal(True)),
                Index(t, (t.due_date, Index.Range()), (t.id, Index.Range())),
                Index(t, (t.done_at, Index.Range()), (t.id, Index.Range())),
                })
        tools.not_sortable(
            cls.kind, cls.state, cls.evidence, cls.done_by, cls.done_by_user,
            cls.skip_reason)
        cls._order = [
            ('case', 'DESC'),
            ('sequence', 'ASC'),
            ('id', None),
            ]

    @classmethod
    def order_case(cls, tables):
        "The cases are in the order of their numbers"
        table, _ = tables[None]
        return [table.case]

    @classmethod
    def default_state(cls):
        return 'todo'

    def get_rec_name(self, name):
        return f'{self.case.rec_name} - {self.kind_string}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'case.rec_name')

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
    def stored_queries(cls):
        return {
            **super().stored_queries(),
            ('is_next',): cls._next_query,
            }

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
    def cases_of(cls, steps):
        """Return the ids of the cases of the steps, without the instances of
        each"""
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        ids = set()
        for sub_steps in grouped_slice(steps, SLICE):
            cursor.execute(*table.select(
                    table.case,
                    where=fields.SQL_OPERATORS['in'](
                        table.id, [s.id for s in sub_steps]),
                    group_by=[table.case]))
            ids.update(id_ for id_, in cursor)
        return ids

    @classmethod
    def _next_query(cls, of):
        """Return the query of the id of the steps and whether it is the first
        one that its case has to do."""
        step, other, todo = (cls.__table__() for _ in range(3))
        first = todo.select(
            todo.case.as_('case'),
            Min(todo.sequence).as_('sequence'),
            where=(todo.state == 'todo')
            & todo.case.in_(other.select(other.case, where=of(other.id))),
            group_by=[todo.case])
        return (step
            .join(first, 'LEFT',
                condition=(step.state == 'todo')
                & (first.case == step.case)
                & (first.sequence == step.sequence))
            .select(
                step.id.as_('id'), (first.case != Null).as_('is_next'),
                where=of(step.id)))

    @classmethod
    def on_modification(cls, mode, steps, field_names=None):
        super().on_modification(mode, steps, field_names=field_names)
        # What is created to do is proven by nothing
        changed = field_names or {'sequence', *(
                'state' for s in steps if s.state == 'done')}
        if mode == 'delete':
            return
        if {'case', 'kind', 'state', 'done_at'} & changed:
            cls.store_records([s.id for s in steps], ['evidence'])
        if {'case', 'kind', 'sequence', 'state', 'due_date'} & changed:
            cls._store_next(cls.cases_of(steps))

    @classmethod
    def _store_next(cls, case_ids):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        for sub_ids in grouped_slice(sorted(case_ids), SLICE):
            sub_ids = list(sub_ids)
            cls.store(cls.of_cases(sub_ids), ['is_next'])
            Case.store(of_ids(sub_ids), ['next_step'])

    @classmethod
    def of_cases(cls, case_ids):
        "Return what restricts the queries to the steps of the cases"
        case_ids = list(case_ids)

        def of(column):
            step = cls.__table__()
            return column.in_(step.select(
                    step.id, where=of_ids(case_ids)(step.case)))
        return of
