# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The origin of the funds, from the invoices of the year"
import datetime as dt
from collections import defaultdict
from decimal import Decimal

from sql import Literal, Select

from trytond.model import fields
from trytond.modules.currency.fields import Monetary
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .. import tools
from .bpf import CODES


class Line(metaclass=PoolMeta):
    __name__ = 'training.bpf.line'

    amount = Monetary(
        "Amount", currency='currency', digits='currency',
        help="What was invoiced in the year without the taxes, less what was "
        "credited.")
    currency = fields.Many2One('currency.currency', "Currency")

    @classmethod
    def _counted(cls):
        return super()._counted() + ['amount', 'currency']

    @classmethod
    def _queries(cls, company, year):
        return super()._queries(company, year) + [
            Select(cls._columns(
                    company, section, category,
                    rank=Literal(CODES.index(category)),
                    amount=Literal(amount),
                    currency=cls._currency(company)))
            for (section, category), amount in sorted(
                cls._funds(company, year).items())]

    @classmethod
    @without_check_access
    def _currency(cls, company):
        pool = Pool()
        Company = pool.get('company.company')
        return Company(company).currency.id

    @classmethod
    @without_check_access
    def _funds(cls, company, year):
        """Return the amounts by section and category, in the currency of the
        company"""
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        lines = InvoiceLine.search([
                ('company', '=', company),
                ('type', '=', 'line'),
                ('invoice.type', '=', 'out'),
                ('invoice.state', 'in', ['posted', 'paid']),
                ('invoice.invoice_date', '>=', dt.date(year, 1, 1)),
                ('invoice.invoice_date', '<=', dt.date(year, 12, 31)),
                ], order=[('id', 'ASC')])
        result = defaultdict(Decimal)
        for sub_lines in grouped_slice(lines, tools.BATCH):
            for line in InvoiceLine.browse(list(sub_lines)):
                if place := line.bpf_place():
                    result[place] += line._bpf_amount()
        return result


class InvoiceLine(metaclass=PoolMeta):
    __name__ = 'account.invoice.line'

    def bpf_place(self):
        """Return the section and the category of the report, or None if the
        line is of no training"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        line = self
        while isinstance(line.origin, self.__class__):
            line = line.origin
        enrolment = line.origin
        if line.training_attached:
            enrolment = line.training_attached[0].enrolment
        if self.is_indemnity:
            return 'indemnity', 'unclassified'
        elif isinstance(enrolment, Enrolment):
            return 'funds', self._bpf_funds(enrolment)

    def _bpf_amount(self):
        "Return the amount in the currency of the company"
        pool = Pool()
        Currency = pool.get('currency.currency')
        with Transaction().set_context(date=self.invoice.invoice_date):
            return Currency.compute(
                self.invoice.currency, self.amount, self.company.currency)

    def _bpf_funds(self, enrolment):
        payer, kind = self.invoice.party, enrolment.agreement_kind
        if kind == 'contract' and payer == enrolment.trainee.party:
            return 'individual'
        elif payer in {enrolment.client, enrolment.employer}:
            return 'company' if kind == 'agreement' else 'unclassified'
        elif payer not in {f.funder for f in enrolment.fundings}:
            return 'unclassified'
        return {
            'apprenticeship': 'apprenticeship',
            'cpf': 'cpf',
            'public_funding': 'public',
            }.get(kind, 'skills_operator')
