# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What is done with a trainee who may abandon: templates and their tasks"
import datetime as dt

from sql import Null

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, fields, sequence_ordered
from trytond.pool import Pool
from trytond.pyson import Bool, Date, DateTime, Eval, If, PYSONEncoder
from trytond.tools import grouped_slice
from trytond.transaction import Transaction
from trytond.wizard import Button, StateAction, StateView, Wizard

from .. import tools
from ..exceptions import SuccessPlanWarning, TrainingValidationError
from ..rec_name import search_names
from ..training.working_day import WorkingCalendar
from .enrolment import of_enrolments
from .validity import ValidityMixin, valid_on

# The tasks that are still to be done
TO_DO = [
    ('done_on', '=', None),
    ('effect', '=', None),
    ('cancelled_at', '=', None),
    ]


class Plan(ValidityMixin, ModelSQL, ModelView):
    "The tasks that fit the causes, as long as it is valid"
    __name__ = 'training.success.plan'

    name = fields.Char("Name", required=True, translate=True)
    causes = fields.Many2Many(
        'training.success.plan-training.abandon.reason', 'plan', 'cause',
        "Causes",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="The causes that the plan fits.")
    lines = fields.One2Many(
        'training.success.plan.line', 'plan', "Tasks",
        help="What is to be done, and after how many days.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order.insert(0, ('name', 'ASC'))


class PlanCause(ModelSQL):
    __name__ = 'training.success.plan-training.abandon.reason'

    plan = fields.Many2One(
        'training.success.plan', "Plan", required=True, ondelete='CASCADE')
    cause = fields.Many2One(
        'training.abandon.reason', "Cause", required=True,
        ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('plan')


class PlanLine(sequence_ordered(), ModelSQL, ModelView):
    __name__ = 'training.success.plan.line'

    plan = fields.Many2One(
        'training.success.plan', "Plan", required=True, ondelete='CASCADE',
        help="The plan of which it is a task.")
    name = fields.Char("Task", required=True, translate=True)
    delay = fields.Integer(
        "Due after", required=True,
        domain=[
            ('delay', '>=', 0),
            ],
        help="The number of working days from the start of the plan.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('plan')


class SuccessTask(ModelSQL, ModelView):
    "What is to be done with a trainee so that it stays, and what came of it"
    __name__ = 'training.success.task'

    company = fields.Many2One('company.company', "Company", required=True)
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, ondelete='CASCADE',
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    case = fields.Many2One(
        'training.abandon.case', "Case", ondelete='CASCADE',
        domain=[
            ('enrolment', '=', Eval('enrolment', -1)),
            ])
    plan = fields.Many2One(
        'training.success.plan', "Plan", ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="The plan that the task comes from.")
    name = fields.Char("Task", required=True)
    employee = fields.Many2One(
        'company.employee', "Employee",
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    due_date = fields.Date("Due Date", required=True,
        help="The day on which it is to be done: it then comes on the home.")
    done_on = fields.Date(
        "Done on",
        states={
            'invisible': Eval('effect') == 'dropped',
            'readonly': Bool(Eval('cancelled_at')),
            },
        help="The day on which it was done.")
    done_by = fields.Many2One(
        'res.user', "Done by", readonly=True,
        states={
            'invisible': ~Eval('done_by'),
            },
        help="Who noted that it was done.")
    effect = fields.Selection([
            (None, ""),
            ('helped', "Helped"),
            ('partly', "Helped in Part"),
            ('none', "Without Effect"),
            ('dropped', "Not Done"),
            ], "Effect", sort=False,
        states={
            'readonly': Bool(Eval('cancelled_at')),
            },
        help="What it changed for the trainee.")
    effect_string = effect.translated('effect')
    cancelled_at = fields.DateTime(
        "No Longer Needed since", readonly=True,
        states={
            'invisible': ~Eval('cancelled_at'),
            },
        help="When its plan ended before it was done.")
    cancel_reason = fields.Selection([
            (None, ""),
            ('ended', "The Enrolment Has Ended"),
            ('closed', "The Case Is Closed"),
            ], "Why", readonly=True, sort=False,
        states={
            'invisible': ~Eval('cancelled_at'),
            },
        help="What ended its plan.")
    note = fields.Text(
        "Note", help="What came of it.  Do not write any health detail.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.enrolment, Index.Equality())),
                Index(t, (t.case, Index.Equality())),
                Index(
                    t, (t.due_date, Index.Range()),
                    where=t.done_on == Null),
                })
        cls._order.insert(0, ('due_date', 'ASC'))

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_employee(cls):
        return tools.default_employee()

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'name', 'enrolment.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Bool(Eval('effect')) | Bool(Eval('cancelled_at')), 'muted',
                    If(~Eval('done_on')
                        & (Eval('due_date', dt.date.max)
                            < Date(start=DateTime())),
                        'danger', ''))),
            ]

    @classmethod
    def validate_fields(cls, tasks, field_names):
        super().validate_fields(tasks, field_names)
        cls.check_done(tasks, field_names)

    @classmethod
    def check_done(cls, tasks, field_names=None):
        if field_names and not {'done_on', 'effect'} & field_names:
            return
        for task in tools.later_than_today(tasks, 'done_on'):
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_success_task_future',
                    task=task.rec_name))
        for task in tasks:
            if (task.effect
                    and bool(task.done_on) == (task.effect == 'dropped')):
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_success_task_effect',
                        task=task.rec_name))

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if (field_names is None or 'done_on' in field_names) and (
                bool(self.done_on) != bool(self.done_by)):
            user = Transaction().user or None
            values['done_by'] = user if self.done_on else None
        return values

    @classmethod
    def copy(cls, tasks, default=None):
        default = default.copy() if default is not None else {}
        for name in [
                'done_on', 'done_by', 'effect', 'note', 'cancelled_at',
                'cancel_reason']:
            default.setdefault(name)
        return super().copy(tasks, default=default)

    @classmethod
    def end(cls, reason, name, records):
        """Note that what is still to be done for the records of the field is
        no longer needed, because their plan has ended"""
        for sub_ids in grouped_slice(
                sorted({r.id for r in records}), tools.BATCH):
            cls._cancel(cls.search([
                        (name, 'in', list(sub_ids)),
                        *TO_DO,
                        ], order=[]), tools.now(), reason)

    @classmethod
    def resume(cls, enrolments):
        """Note that what is still to be done for the enrolments, which are
        current again, is needed"""
        for sub_ids in grouped_slice(
                sorted({e.id for e in enrolments}), tools.BATCH):
            cls._cancel(cls.search([
                        ('enrolment', 'in', list(sub_ids)),
                        ('cancelled_at', '!=', None),
                        ], order=[]), None, None)

    @classmethod
    def _cancel(cls, tasks, at, reason):
        """Set since when and why the tasks are no longer needed, that the log
        keeps with the user"""
        cls.write(tasks, {'cancelled_at': at, 'cancel_reason': reason})
        cls.log(tasks, 'transition', f'cancel_reason:{reason or ""}')

    @classmethod
    def applied(cls, plan, enrolments):
        """Return the set of the enrolments to which the plan applies or has
        applied, unless something has ended it before its end"""
        todo, ended, found = set(), set(), set()
        for sub_ids in grouped_slice(
                sorted({e.id for e in enrolments}), tools.BATCH):
            for task in cls.search([
                        ('plan', '=', plan.id),
                        ('enrolment', 'in', list(sub_ids)),
                        ], order=[]):
                found.add(task.enrolment)
                if task.cancelled_at:
                    ended.add(task.enrolment)
                elif not task.done_on and not task.effect:
                    todo.add(task.enrolment)
        return found - (ended - todo)


class PlanMixin:
    "Records of which the success plan of the enrolment is shown"
    __slots__ = ()

    success_tasks = fields.Function(
        fields.Many2Many(
            'training.success.task', None, None, "Success Plan",
            help="What is done so that the trainee stays, with its effect."),
        'get_success_tasks')

    @classmethod
    def get_success_tasks(cls, records, name):
        pool = Pool()
        Task = pool.get('training.success.task')
        return of_enrolments(Task, records)


class ApplyPlan(Wizard):
    __name__ = 'training.success.plan.apply'

    start = StateView(
        'training.success.plan.apply.start',
        'training_abandon.success_plan_apply_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Apply", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateAction('training_abandon.act_success_task_form')

    def default_start(self, fields):
        if not self.records:
            return {}
        company = self.records[0].company
        employee = tools.current_employee(company)
        plans = self._fitting()
        return {
            'company': company.id,
            'date': tools.today(company),
            'employee': employee.id if employee else None,
            'suggestions': [p.id for p in plans],
            'plan': plans[0].id if len(plans) == 1 else None,
            }

    def _fitting(self):
        """Return the plans that fit the causes determined, for those who may
        read the causes"""
        pool = Pool()
        Plan = pool.get('training.success.plan')
        if (self.model.__name__ != 'training.abandon.case'
                or not tools.is_member('group_sensitive_reason')):
            return []
        company = self.records[0].company
        return Plan.search([
                Plan.valid_domain(company, tools.today(company)),
                ('causes', 'parent_of', [
                        c.cause.id for r in self.records for c in r.causes],
                    'parent'),
                ])

    def do_apply(self, action):
        pool = Pool()
        Task = pool.get('training.success.task')
        start = self.start
        records = tools.browse_sets(self.model, self.records or [])
        if not records:
            return
        company = records[0].company
        if (not start.plan or not start.date
                or any(r.company != company for r in records)):
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_success_plan_apply'))
        subjects = self._new(start.plan, map(self._subject, records))
        calendar = WorkingCalendar(company)
        tasks = tools.create_sets(Task, [{
                    'company': company.id,
                    'enrolment': enrolment.id,
                    'case': case.id if case else None,
                    'plan': start.plan.id,
                    'name': line.name,
                    'employee': start.employee,
                    'due_date': calendar.add(start.date, line.delay),
                    }
                for enrolment, case in subjects
                for line in start.plan.lines])
        action['pyson_domain'] = PYSONEncoder().encode(
            [('id', 'in', [t.id for t in tasks])])
        action['domains'] = []
        return action, {}

    def _new(self, plan, subjects):
        """Return the enrolments, each once, with their cases to which the
        plan does not apply yet"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Task = pool.get('training.success.task')
        Warning = pool.get('res.user.warning')
        subjects = dict(subjects)
        tools.lock(Enrolment, subjects)
        applied = Task.applied(plan, subjects)
        names = tools.names(e for e in subjects if e in applied)
        if len(applied) == len(subjects):
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_success_plan_applied',
                    plan=plan.rec_name, enrolments=names))
        elif applied:
            key = Warning.format('success_plan_applied', [plan, *applied])
            if Warning.check(key):
                raise SuccessPlanWarning(key, gettext(
                        'training_abandon.msg_success_plan_applied_some',
                        plan=plan.rec_name, enrolments=names))
        return [(e, c) for e, c in subjects.items() if e not in applied]

    def _subject(self, record):
        "Return the enrolment and the case of the record"
        if self.model.__name__ == 'training.abandon.case':
            return record.enrolment, record
        elif self.model.__name__ == 'training.alert':
            return record.enrolment, record.enrolment.current_case
        return record, record.current_case


class ApplyPlanStart(ModelView):
    __name__ = 'training.success.plan.apply.start'

    company = fields.Many2One('company.company', "Company", readonly=True)
    suggestions = fields.Many2Many(
        'training.success.plan', None, None, "Suggested Plans",
        readonly=True,
        states={
            'invisible': ~Eval('suggestions'),
            },
        help="The plans that fit the causes determined.")
    plan = fields.Many2One(
        'training.success.plan', "Plan", required=True,
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            *valid_on(Eval('date', None)),
            ],
        help="The plan of which the tasks are created.")
    date = fields.Date(
        "From", required=True, help="The day from which the tasks are due.")
    employee = fields.Many2One(
        'company.employee', "Employee",
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
