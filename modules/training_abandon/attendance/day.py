# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null

from trytond.i18n import gettext, ngettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..exceptions import AbsentDayWarning, SheetError
from ..tools import BATCH
from .sheet import NAMED


class AbsentDay(Wizard):
    "Mark the trainees absent at all the open slots of a day"
    __name__ = 'training.attendance.absent_day'

    start_state = 'choose'
    choose = StateTransition()
    start = StateView(
        'training.attendance.absent_day.start',
        'training_abandon.attendance_absent_day_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Apply", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def transition_choose(self):
        if self.model.__name__ == 'training.enrolment':
            return 'start'
        self._mark({(a.enrolment.id, a.date) for a in self.records})
        return 'end'

    def default_start(self, fields):
        pool = Pool()
        Date = pool.get('ir.date')
        return {
            'date': Date.today(),
            'state': 'absent',
            }

    def transition_apply(self):
        self._mark(
            {(e.id, self.start.date) for e in self.records},
            state=self.start.state,
            justification=self.start.justification)
        return 'end'

    def end(self):
        return 'reload'

    def _mark(self, days, state='absent', justification=None):
        """Write the state on the lines of the sheets that are open, of the
        couples of enrolment and date"""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        lines, _ = self._lines(days)
        tools.lock(Slot, {
                a.slot for sub_lines in grouped_slice(sorted(lines), BATCH)
                for a in Attendance.browse(sub_lines)})
        # A sheet may have been closed meanwhile
        lines, others = self._lines(days)
        if not lines:
            raise SheetError(gettext(
                    'training_abandon.msg_absent_day_no_sheet',
                    enrolments=self._names({e for e, _ in days})))
        if others:
            self._warn_others(others)
        values = {}
        if justification:
            values['justification'] = justification
        attendances = []
        for sub_lines in grouped_slice(sorted(lines), BATCH):
            attendances += Attendance.browse(sub_lines)
        Attendance.write_state([
                # What has been excused stays so
                a for a in attendances if a.state != 'excused'],
            state, **values)

    @classmethod
    def _lines(cls, days):
        """Return the ids of the lines of the open sheets of the days, and
        those of the other slots at which the trainees are expected"""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        attendance = Attendance.__table__()
        enrolment = Enrolment.__table__()
        slot = Slot.__table__()
        cursor = Transaction().connection.cursor()
        dates = sorted({date for _, date in days})
        lines, others = set(), set()
        for sub_ids in grouped_slice(sorted({e for e, _ in days}), BATCH):
            cursor.execute(*enrolment
                .join(slot, condition=slot.session == enrolment.session)
                .join(attendance, 'LEFT',
                    condition=(attendance.enrolment == enrolment.id)
                    & (attendance.slot == slot.id))
                .select(
                    enrolment.id, slot.id, slot.date, slot.state,
                    attendance.id,
                    where=fields.SQL_OPERATORS['in'](
                        enrolment.id, list(sub_ids))
                    & slot.date.in_(dates)
                    & (slot.state != 'cancelled')
                    & ((attendance.id != Null)
                        | Enrolment.awaited_sql(enrolment, slot))))
            for enrolment_id, slot_id, date, state, line in cursor:
                if (enrolment_id, date) not in days:
                    continue
                if state == 'open' and line:
                    lines.add(line)
                else:
                    others.add(slot_id)
        return lines, others

    @classmethod
    def _warn_others(cls, slots):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Warning = pool.get('res.user.warning')
        slots = Slot.browse(sorted(slots))
        key = Warning.format('training_absent_day', slots)
        if Warning.check(key):
            raise AbsentDayWarning(key, ngettext(
                    'training_abandon.msg_absent_day_other_slots',
                    len(slots), count=len(slots),
                    slots=Slot.sheet_names(slots)))

    @classmethod
    def _names(cls, enrolment_ids):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolments = Enrolment.browse(sorted(enrolment_ids))
        return ', '.join(tools.first(
                (e.trainee.rec_name for e in enrolments), NAMED))


class AbsentDayStart(ModelView):
    __name__ = 'training.attendance.absent_day.start'

    date = fields.Date("Date", required=True)
    state = fields.Selection([
            ('absent', "Absent"),
            ('excused', "Excused"),
            ], "State", required=True, sort=False,
        help="What to put on all the open sheets of the day.")
    justification = fields.Char(
        "Justification",
        states={
            'invisible': Eval('state') != 'excused',
            },
        help="Do not write any health detail.")
