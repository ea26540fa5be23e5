# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"When the steps of a case are due"
from collections import defaultdict

from sql import Null
from sql.functions import CurrentTimestamp

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..stored import SLICE
from ..training.working_day import WorkingCalendar, end_of_day


class DueDateMixin:
    "Steps that are due some days after the opening or the previous one"
    __slots__ = ()

    due_date = fields.Date(
        "Due Date", readonly=True,
        help="The day before the end of which the step must be proven, from "
        "the delay of the procedure.")
    late_from = fields.DateTime(
        "Late from", readonly=True,
        help="The end of the due date for the company.")

    @classmethod
    def _fill_late_from(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Company = pool.get('company.company')
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        case, company = Case.__table__(), Company.__table__()
        query = (table
            .join(case, condition=case.id == table.case)
            .join(company, condition=company.id == case.company)
            .select(
                company.id.as_('company'), company.timezone.as_('timezone'),
                table.due_date.as_('due_date'),
                where=table.due_date != Null,
                group_by=[company.id, company.timezone, table.due_date]))
        cursor.execute(*tools.apply_types(query, None, None, 'DATE'))
        for company_id, timezone, date in cursor.fetchall():
            cursor.execute(*table.update(
                    [table.late_from], [end_of_day(date, timezone)],
                    where=(table.due_date == date)
                    & table.case.in_(case.select(
                            case.id, where=case.company == company_id))))

    @classmethod
    def plan(cls, case, calendar):
        """Return the unsaved steps of the unsaved case, each with the day
        it is due."""
        steps, previous = [], case.opening_date
        for sequence, procedure_step in enumerate(case.procedure.steps, 1):
            step = cls(
                sequence=sequence,
                kind=procedure_step.kind,
                procedure_step=procedure_step,
                state='todo',
                by_procedure=False,
                skip_reason=None)
            step.due_date = step._due_after(
                case.opening_date, previous, calendar)
            step.late_from = end_of_day(step.due_date, case.company.timezone)
            if step.kind == 'inform' and not case.enrolment.has_prescriber:
                step.skip_by_procedure(gettext(
                        'training_abandon.msg_step_skip_prescriber_archived'
                        if case.enrolment.prescriber
                        and not case.enrolment.prescriber.active
                        else 'training_abandon.msg_step_skip_no_prescriber'))
            else:
                previous = step.due_date
            steps.append(step)
        return steps

    def _due_after(self, opening, previous, calendar):
        "Return the day counted from the opening or from the previous step"
        origin = previous
        if self.procedure_step.counted_from == 'opening':
            origin = opening
        return self.procedure_step.compute_due_date(origin, calendar)

    @classmethod
    def reschedule(cls, cases):
        "Compute again the days on which the steps to do of the cases are due"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        calendars, steps = {}, defaultdict(list)
        for case in tools.browse_sets(Case, cases):
            company = case.company
            if company not in calendars:
                calendars[company] = WorkingCalendar(company)
            previous = case.opening_date
            for step in case.steps:
                if step.state != 'todo':
                    previous = step.done_on() or previous
                    continue
                previous = step._due_after(
                    case.opening_date, previous, calendars[company])
                if step.due_date != previous:
                    steps[previous, company.timezone].append(step)
        cls._move_due_dates(steps)

    @classmethod
    def _move_due_dates(cls, steps):
        """Store the days on which the steps are due, by day and time zone of
        the company

        The ORM would check again all the rest of the steps, of which each case
        has most."""
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        moved = []
        for (due_date, timezone), due_steps in steps.items():
            for sub_steps in grouped_slice(due_steps, SLICE):
                ids = [s.id for s in sub_steps]
                cursor.execute(*table.update(
                        [table.due_date, table.late_from,
                            table.write_uid, table.write_date],
                        [due_date, end_of_day(due_date, timezone),
                            transaction.user, CurrentTimestamp()],
                        where=fields.SQL_OPERATORS['in'](table.id, ids)))
                moved += ids
        tools.forget(cls, moved)
        # Those of a case together
        for sub_ids in grouped_slice(sorted(moved), SLICE):
            cls.on_modification(
                'write', tools.browse_sets(cls, sub_ids),
                {'due_date', 'late_from'})
