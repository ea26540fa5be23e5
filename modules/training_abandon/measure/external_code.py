# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta


class ExternalCode(metaclass=PoolMeta):
    __name__ = 'training.external_code'

    @classmethod
    def _get_models(cls):
        return super()._get_models() + [
            'training.follow_up', 'training.measure']
