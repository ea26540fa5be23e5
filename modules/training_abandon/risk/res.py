# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .trainer import REACH


class User(metaclass=PoolMeta):
    __name__ = 'res.user'

    @classmethod
    def _home_actions(cls):
        return super()._home_actions() + [('group_trainer', 'act_sheet_form')]

    @classmethod
    def reaches(cls):
        "Return the parts of the trainings to which the user is restricted"
        return [r for r in cls._get_reaches() if r.applies()]

    @classmethod
    def _get_reaches(cls):
        return [REACH]
