# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .awaited import AwaitedMixin


class Certificate(AwaitedMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.certificate'
    _awaited = {'case', 'kind', 'state'}

    @classmethod
    def awaited_cases(cls, certificates):
        return {c.case.id for c in certificates}
