# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta

from .awaited import AwaitedMixin


class FollowUp(AwaitedMixin, metaclass=PoolMeta):
    __name__ = 'training.follow_up'
    _awaited = {
        'enrolment', 'case', 'step', 'kind', 'party', 'done_at', 'outcome'}
    _awaited_of = {'enrolment'}

    @classmethod
    def awaited_cases(cls, follow_ups):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return Case.open_of_enrolments([f.enrolment.id for f in follow_ups])
