# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .auditor import REACH, samples


class User(metaclass=PoolMeta):
    __name__ = 'res.user'

    @classmethod
    def _home_actions(cls):
        homes = super()._home_actions()
        # Auditors read nothing without a sample
        if samples():
            homes.append(('group_auditor', 'act_sample_form'))
        return homes

    @classmethod
    def _get_reaches(cls):
        return [*super()._get_reaches(), REACH]
