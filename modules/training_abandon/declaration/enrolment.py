# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta

# What tells to whom it is declared
TERMS = {'agreement_kind', 'fundings', 'client', 'employer', 'prescriber'}


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    @classmethod
    def on_modification(cls, mode, enrolments, field_names=None):
        pool = Pool()
        Declaration = pool.get('training.declaration')
        super().on_modification(mode, enrolments, field_names=field_names)
        if mode == 'create':
            Declaration.follow_breaks(
                [e for e in enrolments if e.break_date])
        elif mode == 'write':
            if 'break_date' in field_names:
                Declaration.follow_breaks(enrolments)
            if not TERMS.isdisjoint(field_names):
                Declaration.follow_terms(enrolments)
