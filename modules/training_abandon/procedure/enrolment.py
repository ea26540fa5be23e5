# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import Pool, PoolMeta

from .letter import CorrespondenceMixin


class Enrolment(CorrespondenceMixin, metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    procedure = fields.Function(fields.Many2One(
            'training.abandon.procedure', "Procedure",
            help="The procedure of the session, or else the active one."),
        'get_procedure')

    @classmethod
    def get_procedure(cls, enrolments, name):
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        procedures, active = {}, {}
        for enrolment in enrolments:
            company = enrolment.company
            procedure = enrolment.session.procedure
            if procedure:
                key = procedure, company
                if key not in active:
                    active[key] = procedure.in_force(company)
                procedure = active[key]
            else:
                if company not in active:
                    active[company] = Procedure.find_active(company)
                procedure = active[company]
            procedures[enrolment.id] = procedure.id if procedure else None
        return procedures

    def letter_enrolment(self):
        return self
