# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import ModelView, fields
from trytond.pool import PoolMeta
from trytond.pyson import Bool, Eval


class Attendance(metaclass=PoolMeta):
    __name__ = 'training.attendance'

    current_case = fields.Function(
        fields.Many2One(
            'training.abandon.case', "Open Case",
            help="The abandonment case of the enrolment that is not over."),
        'get_current_case')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            open_case={
                'invisible': (
                    (Eval('state') != 'absent') | Bool(Eval('current_case'))),
                'depends': ['state', 'current_case'],
                })

    @classmethod
    def get_current_case(cls, attendances, name):
        enrolments = {a.enrolment for a in attendances}
        cases = type(next(iter(enrolments))).get_current_case(
            enrolments, name) if enrolments else {}
        return {a.id: cases[a.enrolment.id] for a in attendances}

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_open_attendance')
    def open_case(cls, attendances):
        pass
