# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import ModelView, fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval

from ..training.enrolment import CURRENT_STATES


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    follow_ups = fields.One2Many(
        'training.follow_up', 'enrolment', "Follow-Ups",
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    cases = fields.One2Many(
        'training.abandon.case', 'enrolment', "Cases", readonly=True)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            open_case={
                'invisible': ~Eval('state').in_(CURRENT_STATES),
                'depends': ['state'],
                })

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('follow_ups')
        default.setdefault('cases')
        return super().copy(enrolments, default=default)

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_open')
    def open_case(cls, enrolments):
        pass
