# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The origin of the funds, from the invoices of the year"
from decimal import Decimal

from sql import Literal, Select
from sql.aggregate import Sum
from sql.conditionals import Case as SQLCase
from sql.operators import Exists

from trytond.model import fields
from trytond.modules.currency.fields import Monetary
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, without_check_access

from .bpf import CODES, year_dates


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    @classmethod
    def _counted_before(cls, enrolments, year):
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        counted = super()._counted_before(enrolments, year)
        others = [e for e in enrolments if e not in counted]
        if others:
            invoiced, _ = InvoiceLine.of_enrolments(others)
            counted += [
                e for e in others
                if any(
                    x.invoice.state in {'posted', 'paid'}
                    and x.invoice.invoice_date.year < year
                    for x in invoiced[e.id])]
        return counted


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
                    currency=cls._company(company).currency.id))
            for section, category, amount in cls._funds(company, year)]

    @classmethod
    @without_check_access
    def _company(cls, company):
        pool = Pool()
        Company = pool.get('company.company')
        return Company(company)

    @classmethod
    def _funds(cls, company, year):
        """Return the amounts by section and category, in the currency of the
        company"""
        cursor = Transaction().connection.cursor()
        posted = cls._posted(company, year)
        cursor.execute(*posted.select(
                posted.section, posted.category, Sum(posted.amount),
                group_by=[posted.section, posted.category],
                order_by=[posted.section, posted.category]))
        funds = cursor.fetchall()
        return [
            (section, category, cls._company(company).currency.round(
                    Decimal(str(amount))))
            for section, category, amount in funds]

    @classmethod
    def _posted(cls, company, year):
        """Return the query of the lines posted in the year with their amounts,
        sections and categories"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Funding = pool.get('training.enrolment.funding')
        InvoiceLine = pool.get('account.invoice.line')
        Trainee = pool.get('training.trainee')
        posted = InvoiceLine.posted_query(company, *year_dates(year))
        enrolment, trainee = Enrolment.__table__(), Trainee.__table__()
        funding, kind = Funding.__table__(), enrolment.agreement_kind
        funds = Exists(funding.select(
                Literal(1),
                where=(funding.enrolment == enrolment.id)
                & (funding.funder == posted.payer)))
        return (posted
            .join(enrolment, condition=enrolment.id == posted.enrolment)
            .join(trainee, condition=trainee.id == enrolment.trainee)
            .select(
                posted.line.as_('line'),
                SQLCase((posted.indemnity, 'indemnity'), else_='funds'
                    ).as_('section'),
                SQLCase(
                    (posted.indemnity, 'unclassified'),
                    ((kind == 'contract') & (posted.payer == trainee.party),
                        'individual'),
                    ((posted.payer == enrolment.client)
                        | (posted.payer == enrolment.employer), SQLCase(
                            (kind == 'agreement', 'company'),
                            else_='unclassified')),
                    (~funds, 'unclassified'),
                    (kind == 'apprenticeship', 'apprenticeship'),
                    (kind == 'cpf', 'cpf'),
                    (kind == 'public_funding', 'public'),
                    else_='skills_operator').as_('category'),
                posted.amount.as_('amount')))

    def told(self):
        if self.section in {'funds', 'indemnity'}:
            return ['amount']
        return super().told()

    def opened(self):
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        if self.section not in {'funds', 'indemnity'}:
            return super().opened()
        cursor = Transaction().connection.cursor()
        posted = self._posted(self.company.id, self._scope()[1])
        line = InvoiceLine.__table__()
        cursor.execute(*posted
            .join(line, condition=line.id == posted.line)
            .select(line.invoice,
                where=(posted.section == self.section)
                & (posted.category == self.category),
                group_by=[line.invoice]))
        return 'account_invoice', 'act_invoice_form', [x for x, in cursor]
