# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import fields
from trytond.model.exceptions import AccessError
from trytond.pool import PoolMeta


class Company(metaclass=PoolMeta):
    __name__ = 'company.company'

    journal_days = fields.Integer(
        "Journal Days", readonly=True, loading='lazy',
        help="How many days the journal of the company has.")
    journal_day_hash = fields.Char(
        "Journal Day Hash", readonly=True, loading='lazy',
        help="The hash of the last day of the journal of the company.")

    @classmethod
    def check_modification(cls, mode, companies, values=None, external=False):
        super().check_modification(
            mode, companies, values=values, external=external)
        if not external:
            return
        for company in companies:
            if (mode == 'create'
                    and (company.journal_days or company.journal_day_hash)
                    or mode == 'write'
                    and values.keys() & {'journal_days', 'journal_day_hash'}):
                raise AccessError(gettext(
                        'training_abandon.msg_journal_company_modify',
                        company=company.rec_name))
