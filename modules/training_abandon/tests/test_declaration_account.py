# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The origin of the funds in the annual report"
import datetime as dt
from collections import defaultdict
from decimal import Decimal
from unittest.mock import patch

from trytond.model.exceptions import AccessError
from trytond.modules.currency.tests import add_currency_rate, create_currency
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    as_user, count_statements, create_user, today, wizard_context)
from .test_settlement_account import AccountTestCase
from .test_settlement_calculation import date
from .test_settlement_settlement import get_example


class FundsTestCase(AccountTestCase):
    "Test the amounts of the annual report"

    def amounts(self, company, year):
        "Return the amounts of the report by section and category"
        pool = Pool()
        Line = pool.get('training.bpf.line')
        with Transaction().set_context(company=company.id, year=year):
            return {
                (x.section, x.category): x.amount for x in Line.search([
                        ('section', 'in', ['funds', 'indemnity'])])}

    def opened(self, company, section, category):
        "Return the ids of the records that the line counts"
        pool = Pool()
        Line = pool.get('training.bpf.line')
        Open = pool.get('training.bpf.open', type='wizard')
        session_id, _, _ = Open.create()
        with Transaction().set_context(company=company.id, year=2026):
            line, = Line.search([
                    ('section', '=', section), ('category', '=', category)])
            with wizard_context([line]):
                (action, _), = Open.execute(
                    session_id, {}, 'open_')['actions']
        (_, _, ids), = PYSONDecoder().decode(action['pyson_domain'])
        return ids

    def post(self, settlement):
        pool = Pool()
        Invoice = pool.get('account.invoice')
        Settlement = pool.get('training.abandon.settlement')
        Settlement.invoice([settlement])
        invoices = Invoice.search([
                ('training_settlement', '=', settlement.id)])
        with today(date('2026-12-01')):
            Invoice.post(invoices)
        return invoices

    @with_transaction()
    def test_funds(self):
        "Test the funders, the companies and the indemnities apart"
        with self.settled(get_example('D11')) as (records, settlement):
            before = self.amounts(records.company, 2026)
            self.assertEqual(
                set(before),
                {('funds', 'skills_operator'), ('funds', 'company')})
            expected = defaultdict(Decimal)
            for invoice in records.invoices:
                expected[invoice.party] += invoice.untaxed_amount
            indemnity = Decimal(0)
            for invoice in self.post(settlement):
                for line in invoice.lines:
                    if line.is_indemnity:
                        indemnity += line.amount
                    else:
                        expected[invoice.party] += line.amount
            self.assertGreater(indemnity, 0)
            client = records.enrolment.client
            self.assertEqual(self.amounts(records.company, 2026), {
                    ('funds', 'company'): expected.pop(client),
                    ('funds', 'skills_operator'): sum(expected.values()),
                    ('indemnity', 'unclassified'): indemnity,
                    })
            self.assertEqual(self.amounts(records.company, 2024), {})
            # What was not attended and is invoiced counts by its agreement
            Enrolment = type(records.enrolment)
            with patch.object(Enrolment, 'first_presence', None), \
                    Transaction().set_context(_skip_warnings=False):
                for year, is_warned in [(2026, False), (2027, True)]:
                    with self.subTest(year=year), \
                            today(dt.date(year, 12, 31)):
                        self.assertEqual(
                            Enrolment._counted_before(
                                [records.enrolment], year),
                            [records.enrolment] if is_warned else [])
            with as_user(create_user('office', records.company, 'training')), \
                    self.assertRaisesRegex(AccessError, "Invoice"):
                self.opened(records.company, 'funds', 'company')

    def check_place(self, id_, payer, category):
        pool = Pool()
        Invoice = pool.get('account.invoice')
        with self.settled(get_example(id_)) as (records, _):
            invoices = self.bill(records, (payer, 10))
            with today(date('2026-12-01')):
                Invoice.post(invoices)
            self.assertIn(
                ('funds', category), self.amounts(records.company, 2026))
            self.assertIn(invoices[0].id, self.opened(
                    records.company, 'funds', category))

    @with_transaction()
    def test_cpf(self):
        self.check_place('D09', "Caisse des dépôts", 'cpf')

    @with_transaction()
    def test_public(self):
        self.check_place('D13', "Région Occitanie", 'public')

    @with_transaction()
    def test_individual(self):
        self.check_place('D04', 'trainee', 'individual')

    @with_transaction()
    def test_unclassified(self):
        "Test the payer whom the enrolment does not name"
        self.check_place('D11', 'trainee', 'unclassified')

    @with_transaction()
    def test_attached(self):
        "Test the invoice made otherwise and what credits it"
        pool = Pool()
        Attached = pool.get('training.enrolment.invoice_line')
        Invoice = pool.get('account.invoice')
        with self.settled(get_example('D01')) as (records, _):
            before = self.amounts(records.company, 2026)
            invoice, = self.bill(records, ('client', 120))
            line, = invoice.lines
            line.origin = None
            line.save()
            with today(date('2026-12-01')):
                Invoice.post([invoice])
            self.assertEqual(self.amounts(records.company, 2026), before)
            Attached.create([{
                        'enrolment': records.enrolment.id,
                        'line': line.id}])
            place = ('funds', 'company')
            self.assertEqual(
                self.amounts(records.company, 2026),
                {**before, place: before[place] + 120})
            credit, = Invoice.credit([invoice])
            with today(date('2026-12-01')):
                Invoice.post([credit])
            self.assertEqual(self.amounts(records.company, 2026), before)

    @with_transaction()
    def test_refunded(self):
        "Test that an invoice and its refund count each in its year"
        pool = Pool()
        Invoice = pool.get('account.invoice')
        place = ('funds', 'company')
        with self.settled(get_example('D01')) as (records, _):
            last, this = [
                self.amounts(records.company, y) for y in [2025, 2026]]
            invoice, = self.bill(records, ('client', 120))
            invoice.invoice_date = date('2025-12-31')
            invoice.save()
            with today(date('2026-12-01')):
                Invoice.post([invoice])
                Invoice.credit([invoice], refund=True)
            self.assertEqual(Invoice(invoice.id).state, 'cancelled')
            self.assertEqual(
                self.amounts(records.company, 2025),
                {**last, place: last.get(place, 0) + 120})
            self.assertEqual(
                self.amounts(records.company, 2026),
                {**this, place: this[place] - 120})

    @with_transaction()
    def test_currency(self):
        "Test the invoices in another currency"
        pool = Pool()
        Invoice = pool.get('account.invoice')
        with self.settled(get_example('D01')) as (records, _):
            before = self.amounts(records.company, 2026)
            other = create_currency('usd')
            add_currency_rate(
                records.company.currency, 1, date('2024-01-01'))
            add_currency_rate(other, 2, date('2024-01-01'))
            add_currency_rate(other, 4, date('2027-01-01'))
            invoice, = self.bill(records, ('client', 120))
            line, = invoice.lines
            place = ('funds', 'company')
            invoice.currency = line.currency = other
            invoice.lines = [line]
            invoice.save()
            with today(date('2026-12-01')):
                Invoice.post([invoice])
            self.assertEqual(
                self.amounts(records.company, 2026),
                {**before, place: before[place] + 60})

    @with_transaction()
    def test_recalled(self):
        "Test that a deposit recalled by the button of Tryton counts once"
        pool = Pool()
        Account = pool.get('account.account')
        Invoice = pool.get('account.invoice')
        with self.settled(get_example('D01')) as (records, _):
            place = ('funds', 'company')
            before = self.amounts(records.company, 2026)[place]
            deposit, = self.bill(records, ('client', 300))
            line, = deposit.lines
            line.account, = Account.search([
                    ('type.deposit', '=', True),
                    ('type.statement', '=', 'balance'),
                    ('company', '=', records.company.id),
                    ('closed', '!=', True),
                    ], limit=1)
            line.save()
            with today(date('2026-12-01')):
                Invoice.post([deposit])
            invoice, = self.bill(records, ('client', 1000))
            invoice.call_deposit(line.account, "Deposit")
            invoice = Invoice(invoice.id)
            self.assertEqual(invoice.untaxed_amount, 700)
            with today(date('2026-12-01')):
                Invoice.post([invoice])
            counts = []
            for amount in [10, 20]:
                self.assertEqual(
                    self.amounts(records.company, 2026)[place],
                    before + 990 + amount)
                with count_statements() as statements:
                    self.amounts(records.company, 2026)
                counts.append(len(statements))
                other, = self.bill(records, ('client', amount))
                with today(date('2026-12-01')):
                    Invoice.post([other])
            self.assertEqual(*counts)
            self.assertEqual(
                self.amounts(records.company, 2026)[place], before + 1030)
