# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who is told of the late steps"
import datetime as dt
from collections import defaultdict

from sql import Literal, Null
from sql.operators import Exists

from trytond import backend
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from .agenda import Agenda

# The values of the steps of which nobody has been told yet
UNTOLD = {
    'escalation': None,
    'escalated_on': None,
    }


class StepEscalationMixin:
    "Steps of which somebody is told when they are late"
    __slots__ = ()

    escalation = fields.Selection([
            (None, ""),
            ('owner', "Owner"),
            ('administrator', "Administrators"),
            ], "Escalation", readonly=True, sort=False,
        help="Who was last told that the step is late.")
    escalated_on = fields.Date(
        "Escalated on", readonly=True,
        help="The day on which somebody was last told that the step is "
        "late.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        tools.not_sortable(cls.escalation)

    @classmethod
    def _sign(cls, steps, values):
        super()._sign(steps, {**values, **UNTOLD})

    @classmethod
    def reopen(cls, steps):
        super().reopen(steps)
        cls.restart_escalation(steps)

    @classmethod
    def restart_escalation(cls, steps):
        "Let somebody be told again of the steps that are late"
        cls.write([s for s in steps if s.escalation], UNTOLD)

    @classmethod
    def late(cls, date=None, ids=None):
        """Return the steps that somebody must be told of today, by level.

        They are the first step to do of each open case and those done whose
        evidence has failed, once their due date has passed."""
        pool = Pool()
        Company = pool.get('company.company')
        agenda, levels = Agenda(date), defaultdict(list)
        rows = list(cls._late_rows(date, ids))
        companies = {c.id: c for c in Company.browse(
                list({row[1] for row in rows}))}
        for id_, company, due_date, has_owner, told_on, delay in rows:
            company = companies[company]
            today = agenda.today(company)
            if not due_date < today or not agenda.is_working(company):
                continue
            if not has_owner:
                levels['administrator'].append(id_)
            elif not told_on:
                levels['owner'].append(id_)
            elif today >= agenda.calendar(company).add(told_on, delay):
                levels['administrator'].append(id_)
        return levels

    @classmethod
    def _late_rows(cls, date, ids):
        """Yield the id, company, due date, whether there is an owner to tell,
        the day that one was told and the delay of the next escalation of the
        steps that may be late."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        ProcedureStep = pool.get('training.abandon.procedure.step')
        cursor = Transaction().connection.cursor()
        # It may already be tomorrow for some of the companies
        before = date or tools.now().date() + dt.timedelta(days=1)
        slices = [None] if ids is None else grouped_slice(
            ids, backend.MAX_QUERY_PARAMS // 2)
        for sub_ids in slices:
            step, case = cls.__table__(), Case.__table__()
            procedure_step = ProcedureStep.__table__()
            has_owner = Exists(Case._owners_query(case.owner))
            where = (
                (case.closed_at == Null)
                & Case.pending_sql(case)
                & (step.due_date < before)
                & ((step.escalation == Null)
                    | ((step.escalation == 'owner')
                        & ((procedure_step.escalation_delay != Null)
                            | ~has_owner)))
                & ((step.is_next == Literal(True))
                    | (step.evidence == 'failed')))
            if sub_ids is not None:
                where &= fields.SQL_OPERATORS['in'](step.id, list(sub_ids))
            cursor.execute(*step
                .join(case, condition=case.id == step.case)
                .join(procedure_step, 'LEFT',
                    condition=procedure_step.id == step.procedure_step)
                .select(
                    step.id, case.company, step.due_date,
                    has_owner.as_('has_owner'), step.escalated_on,
                    procedure_step.escalation_delay,
                    where=where,
                    # The cases of an owner are told of together
                    order_by=[case.owner, step.id]))
            yield from cursor.fetchall()


class CaseEscalationMixin:
    "Cases of which the late steps are told"
    __slots__ = ()

    @classmethod
    def escalate_due(cls):
        cls.escalate()
        cls.tell_returns()

    @classmethod
    def escalate(cls, date=None):
        """Tell the owners of the late steps, then the administrators.

        date is the day it is, by default the one of each company."""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        for level, ids in Step.late(date).items():
            Step.each_free(ids, lambda ids: cls._escalate(
                    Step.late(date, ids)[level], level, date))

    @classmethod
    def _escalate(cls, step_ids, level, date):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        agenda = Agenda(date)
        steps = Step.browse(step_ids)
        by_day, by_case = defaultdict(list), defaultdict(list)
        for step in steps:
            by_day[agenda.today(step.case.company)].append(step)
            by_case[step.case].append(step)
        notify = {
            'owner': cls.notify_owners,
            'administrator': cls.notify_administrators,
            }[level]
        notify(list(by_case), lambda cases: cls._describe_late(
                [s for c in cases for s in by_case[c]], level))
        Step.write_groups(
            (day_steps, {'escalation': level, 'escalated_on': day})
            for day, day_steps in by_day.items())

    @classmethod
    def _describe_late(cls, steps, level):
        "Return the label and the description of the notification"
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        labels = dict(cls._step_labels())
        lines = (
            gettext('training_abandon.msg_step_late',
                case=step.case.rec_name,
                step=labels[step.kind],
                date=lang.strftime(step.due_date))
            for step in steps)
        return gettext(
            f'training_abandon.msg_steps_late_{level}',
            count=len(steps)), ' · '.join(tools.first(lines))

    @classmethod
    def on_modification(cls, mode, cases, field_names=None):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        super().on_modification(mode, cases, field_names=field_names)
        if mode == 'write' and 'owner' in field_names:
            for sub_cases in grouped_slice(cases, tools.BATCH):
                Step.restart_escalation(Step.search([
                            ('case', 'in', [c.id for c in sub_cases]),
                            ('escalation', '!=', None),
                            ], order=[]))
