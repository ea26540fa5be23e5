# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import PoolMeta

from .grade import GradeMixin


class Case(GradeMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    audit_lines = fields.One2Many(
        'training.audit.sample.line', 'case', "Audits", readonly=True,
        states={
            'invisible': True,
            },
        help="The samples of the audits in which the case is.")

    @classmethod
    def _protected_fields(cls):
        return super()._protected_fields() | {'audit_lines'}
