# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Company(metaclass=PoolMeta):
    __name__ = 'company.company'

    @classmethod
    def on_modification(cls, mode, companies, field_names=None):
        pool = Pool()
        Grading = pool.get('training.audit.grading')
        super().on_modification(mode, companies, field_names=field_names)
        Grading.forget_companies()
