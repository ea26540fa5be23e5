# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..exceptions import SheetError


class CatchUp(Wizard):
    "Add to a sheet those who catch up what they missed or were forgotten"
    __name__ = 'training.attendance.catch_up'

    start = StateView(
        'training.attendance.catch_up.start',
        'training_abandon.attendance_catch_up_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Add", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        return {
            'session': self.record.session.id,
            'company': self.record.session.company.id,
            }

    def transition_apply(self):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        tools.lock(self.model, [self.record])
        if self.record.state not in {'planned', 'open'}:
            raise SheetError(gettext(
                    'training_abandon.msg_catch_up_slot',
                    slot=self.record.rec_name))
        guests = [{
                'enrolment': missed.enrolment.id,
                'catches_up': missed.slot.id,
                'source': 'default',
                } for missed in self.start.missed]
        forgotten = [
            {'enrolment': e.id, 'source': 'sheet'}
            for e in self.start.forgotten]
        if not guests and not forgotten:
            raise SheetError(gettext(
                    'training_abandon.msg_catch_up_nobody'))
        Attendance.create([
                {'slot': self.record.id, **values}
                for values in [*guests, *forgotten]])
        return 'end'

    def end(self):
        return 'reload'


class CatchUpStart(ModelView):
    __name__ = 'training.attendance.catch_up.start'

    session = fields.Many2One(
        'training.session', "Session", readonly=True)
    company = fields.Many2One(
        'company.company', "Company", readonly=True)
    missed = fields.Many2Many(
        'training.attendance', None, None, "Missed",
        domain=[
            ('state', 'in', ['absent', 'excused']),
            ('slot.state', '=', 'held'),
            ('slot.session', '!=', Eval('session', -1)),
            ('slot.session.company', '=', Eval('company', -1)),
            ],
        help="What the guests missed in their session.")
    forgotten = fields.Many2Many(
        'training.enrolment', None, None, "Forgotten",
        domain=[
            ('session', '=', Eval('session', -1)),
            ('state', '!=', 'draft'),
            ],
        help="The trainees of the session who were present and are not on "
        "the sheet.")
