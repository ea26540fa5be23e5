# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool, PoolMeta


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        Measure = pool.get('training.measure')
        Task = pool.get('training.success.task')
        trainee = [('enrolment.trainee.party', '=', party_id)]
        return super().to_erase(party_id) + [
            (Answer, trainee, True,
                ['value', 'text'],
                [None] * 2),
            (Measure, trainee, True,
                ['name', 'description', 'note'],
                ['****', None, None]),
            (Task, trainee, True,
                ['name', 'note'],
                ['****', None]),
            ]
