# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta

from .. import tools
from .auditor import parties_query


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    audited = fields.Function(
        fields.Boolean(
            "Audited",
            help="It is in a case of a sample that the user audits."),
        'get_audited', searcher='search_audited')

    @classmethod
    def get_audited(cls, parties, name):
        ids = [p.id for p in parties]
        audited = {p.id for p in cls.search([
                    ('id', 'in', ids), (name, '=', True)], order=[])}
        return {id_: id_ in audited for id_ in ids}

    @classmethod
    def search_audited(cls, name, clause):
        return tools.boolean_domain(clause, parties_query())


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        Finding = pool.get('training.audit.finding')
        return super().to_erase(party_id) + [
            (Finding,
                [('line.case.enrolment.trainee.party', '=', party_id)], True,
                ['text', 'answer'],
                ['****', None]),
            ]
