# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the procedure says of the notices of absence and lateness"
import datetime as dt
from functools import partial

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction, check_access

from .. import tools
from ..procedure.letter import Name, describe_date, describe_slots, example_of
from .notice import LETTER_KIND

_DATE = dt.date(2027, 3, 15)
_SLOTS = [
    (_DATE, dt.time(9), dt.time(12)), (_DATE, dt.time(14), dt.time(17))]

# The names of the notices
NOTICE_NAMES = {
    'absences': Name(
        lambda lang: describe_slots(lang, _SLOTS), is_list=True),
    'corrections': Name(
        lambda lang: [
            gettext('training_abandon.msg_notice_correction',
                slot=slot,
                state=gettext(
                    'training_abandon.msg_notice_correction_not_expected'))
            for slot in describe_slots(lang, _SLOTS)],
        is_list=True),
    'date': Name(lambda lang: describe_date(lang, _DATE), is_optional=False),
    'lateness': Name(
        lambda lang: [
            gettext('training_abandon.msg_notice_lateness',
                slot=describe_slots(lang, [slot])[0],
                missed=gettext(
                    'training_abandon.msg_notice_late_by', duration="1 h 15"))
            for slot in _SLOTS],
        is_list=True),
    }

# The days during which the absences of a slot are told
DELAY = 7
# The most minutes that the notices may wait: a day
WAIT_MAX = 24 * 60


class Procedure(metaclass=PoolMeta):
    __name__ = 'training.abandon.procedure'

    _states = {
        'readonly': Eval('state') != 'draft',
        }

    notify_absences = fields.Boolean(
        "Notify Absences", states=_states,
        help="Check to write to the absent trainees and those to notify "
        "when the attendance sheet is closed.")
    notify_lateness = fields.Boolean(
        "Notify Lateness", states=_states,
        help="Check to write to the trainees who come late or leave early "
        "and the contacts to notify when the attendance sheet is closed.")
    notice_delay = fields.Integer(
        "Notice Delay",
        domain=['OR',
            ('notice_delay', '=', None),
            ('notice_delay', '>', 0),
            ],
        states={
            **_states,
            'invisible': ~Eval('notify_absences') & ~Eval('notify_lateness'),
            'required': Eval('notify_absences') | Eval('notify_lateness'),
            },
        help="The number of days after a slot during which its absences and "
        "lateness are told: nobody is told of the sheets closed later.")
    notice_wait = fields.Integer(
        "Notice Wait",
        domain=['OR',
            ('notice_wait', '=', None),
            [
                ('notice_wait', '>=', 0),
                ('notice_wait', '<=', WAIT_MAX),
                ],
            ],
        states={
            **_states,
            'invisible': ~Eval('notify_absences') & ~Eval('notify_lateness'),
            'required': Eval('notify_absences') | Eval('notify_lateness'),
            },
        help="The number of minutes after the end of a slot before which no "
        "notice leaves: until then the sheet may be corrected.")

    del _states

    @classmethod
    def default_notice_delay(cls):
        return DELAY

    @classmethod
    def default_notice_wait(cls):
        return 0

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        has_wait = table_h.column_exist('notice_wait')
        super().__register__(module)
        if not has_wait:
            table = cls.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.notice_wait], [0]))

    def notifies(self, state):
        "Return if somebody is told of an attendance in that state"
        return bool(self.notify_absences if state == 'absent'
            else self.notify_lateness)

    @property
    def notice_period(self):
        "How long after the end of a slot its notices may leave"
        return dt.timedelta(
            days=self.notice_delay or 0, minutes=self.notice_wait or 0)

    def notices_leave_at(self, slots):
        """Return the time before which the notices of the slots do not leave,
        or None if it has passed"""
        at = max(s.end_at for s in slots) + dt.timedelta(
            minutes=self.notice_wait or 0)
        return at if at > tools.now() else None

    def get_notice(self, audience, attendances):
        "Return the letter that tells of the attendances, or None"
        variant = 'late'
        if any(a.state == 'absent' for a in attendances):
            variant = 'absent'
        return self.get_letter(LETTER_KIND, variant, audience)

    def get_notice_correction(self, audience):
        "Return the letter that corrects what was told, or None"
        return self.get_letter(LETTER_KIND, 'corrected', audience)

    def check_complete(self):
        super().check_complete()
        self.check_letters([
                (LETTER_KIND, variant, audience)
                for variant, checked in [
                    ('absent', self.notify_absences),
                    ('late', self.notify_lateness)]
                for audience in ['trainee', 'stakeholder'] if checked])


class ProcedureLetter(metaclass=PoolMeta):
    __name__ = 'training.abandon.procedure.letter'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        # The steps of the procedure have the same list
        cls.step_kind.selection = [
            *cls.step_kind.selection, (LETTER_KIND, "Absence Notice")]
        cls.variant.selection = [
            *cls.variant.selection,
            ('absent', "Absence"),
            ('late', "Lateness"),
            ]

    def preview_context(self, case):
        context = super().preview_context(case)
        if self.step_kind == LETTER_KIND:
            context.update({
                    n: partial(example_of, name)
                    for n, name in NOTICE_NAMES.items()})
        return context

    @classmethod
    @check_access
    def frame_records(cls):
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        return super().frame_records() + [
            n.enrolment for n in Notice.search(
                [], order=[('id', 'DESC')], limit=1)]

    def known(self):
        names = super().known()
        if self.step_kind == LETTER_KIND:
            names.update(NOTICE_NAMES)
        return names
