# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What an enrolment looks like on the official sheets"
from collections import defaultdict

from sql import Window
from sql.functions import RowNumber

from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..stored import of_ids
from ..tools import BATCH

# The latest slots that are shown
SHOWN = 10
SYMBOLS = {
    'present': '●',
    'late': '◐',
    'left_early': '◐',
    'absent': '○',
    'excused': '◌',
    }


class PictureMixin:
    "Enrolments of which the attendance is seen at a glance"
    __slots__ = ()

    attendance_picture = fields.Function(
        fields.Char(
            "Last Slots",
            help="The last 10 slots of which the sheet is official, the "
            "latest one on the right.\n"
            "● present, ◐ late or left early, ○ absent, ◌ excused"),
        'get_attendance_picture')

    @classmethod
    def get_attendance_picture(cls, enrolments, name):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        cursor = Transaction().connection.cursor()
        symbols = defaultdict(list)
        for sub_enrolments in grouped_slice(enrolments, BATCH):
            held = Attendance._held_query(
                of_ids([e.id for e in sub_enrolments]))
            numbered = held.select(
                held.enrolment, held.state,
                RowNumber(window=Window(
                        [held.enrolment], order_by=[held.start_at.desc]))
                .as_('number'))
            cursor.execute(*numbered.select(
                    numbered.enrolment, numbered.state,
                    where=numbered.number <= SHOWN,
                    order_by=[numbered.enrolment, numbered.number.desc]))
            for enrolment, state in cursor:
                symbols[enrolment].append(SYMBOLS[state])
        return {e.id: ''.join(symbols[e.id]) for e in enrolments}
