# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

# A training of 210 hours is not one of 8 days and 18 hours
HOURS_CONVERTER = {'h': 60 * 60, 'm': 60, 's': 1}


class User(metaclass=PoolMeta):
    __name__ = 'res.user'

    @classmethod
    def _get_preferences(cls, user, context_only=False):
        preferences = super()._get_preferences(
            user, context_only=context_only)
        preferences['training_hours'] = HOURS_CONVERTER.copy()
        return preferences
