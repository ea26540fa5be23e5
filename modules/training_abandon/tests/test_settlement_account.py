# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The documents of the settlements, with the French chart of accounts"
import datetime as dt
import re
from collections import defaultdict
from contextlib import contextmanager
from decimal import Decimal
from unittest.mock import patch

from trytond.model.exceptions import AccessError, ValidationError
from trytond.modules.account.tests import create_chart, get_fiscalyear
from trytond.modules.account_invoice.tests import set_invoice_sequences
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import (
    AgreementError, SettlementError, SettlementWithdrawnWarning)
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import DB_NAME, with_transaction
from trytond.transaction import Transaction, TransactionError

from .common import (
    EXTENDED, DatabaseTestCase, as_user, create_party, create_user, decide,
    run_wizard, savepoint, set_up, today, unvalidated)
from .test_settlement_calculation import date, load_examples
from .test_settlement_settlement import Example, activate_rules, get_example


def create_accounts(company):
    "Create the French chart of accounts and its fiscal years"
    pool = Pool()
    FiscalYear = pool.get('account.fiscalyear')
    create_chart(company, chart='account_fr.root')
    for year in [2025, 2026]:
        fiscalyear = set_invoice_sequences(
            get_fiscalyear(company, today=dt.date(year, 1, 1)))
        fiscalyear.save()
        FiscalYear.create_period([fiscalyear])


class Accounts:
    "The accounts, taxes and products of a company"

    def __init__(self, company):
        pool = Pool()
        Account = pool.get('account.account')
        Tax = pool.get('account.tax')
        self.company = company
        self.revenue, self.indemnity = (
            Account.search([
                    ('type.revenue', '=', True),
                    ('company', '=', company.id),
                    ('closed', '!=', True),
                    ], limit=2))
        self.vat, = Tax.search([
                ('name', '=', "T.V.A. Vente de biens Taux Normal"),
                ('company', '=', company.id),
                ])

    def configure(self, example):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        configuration = Configuration(1)
        self.taxes = (
            [self.vat] if example['company']['training_tax'] == 'vat20'
            else [])
        self.training = self.create_product(
            "Training", self.revenue, self.taxes)
        self.penalty = self.create_product("Indemnity", self.indemnity, [])
        configuration.training_product = self.training
        configuration.indemnity_product = self.penalty
        configuration.indemnity_tax = (
            'none' if example['company']['indemnity_tax'] == 'none' else None)
        configuration.save()

    def create_product(self, name, account, taxes):
        pool = Pool()
        Category = pool.get('product.category')
        Template = pool.get('product.template')
        Uom = pool.get('product.uom')
        unit, = Uom.search([('name', '=', "Unit")])
        category, = Category.create([{
                    'name': name,
                    'accounting': True,
                    'account_revenue': account.id,
                    'customer_taxes': [('add', [t.id for t in taxes])],
                    }])
        template, = Template.create([{
                    'name': name,
                    'type': 'service',
                    'list_price': Decimal(0),
                    'default_uom': unit.id,
                    'account_category': category.id,
                    'products': [('create', [{}])],
                    }])
        return template.products[0]

    def invoice(self, records):
        "Post the invoices of the example and return them by number"
        pool = Pool()
        Invoice = pool.get('account.invoice')
        InvoiceLine = pool.get('account.invoice.line')
        result = {}
        for values in sorted(
                records.example['invoices'], key=lambda i: i['date']):
            invoice = Invoice(
                company=self.company, type='out',
                party=records.party(values['payer']),
                currency=self.company.currency,
                invoice_date=date(values['date']))
            invoice.on_change_type()
            invoice.on_change_party()
            invoice.lines = [InvoiceLine(
                    type='line', company=self.company, quantity=1,
                    currency=self.company.currency, account=self.revenue,
                    unit_price=Decimal(values['untaxed']), taxes=self.taxes,
                    description="Training",
                    origin=records.enrolment)]
            invoice.save()
            Invoice.post([invoice])
            assert invoice.total_amount == Decimal(values['total'])
            if Decimal(values['paid']):
                self.pay(invoice)
            result[invoice] = values['number']
        return result

    def pay(self, invoice):
        pool = Pool()
        Account = pool.get('account.account')
        Invoice = pool.get('account.invoice')
        Journal = pool.get('account.journal')
        MoveLine = pool.get('account.move.line')
        PaymentMethod = pool.get('account.invoice.payment.method')
        bank, = Account.search([
                ('code', 'like', '512%'),
                ('type', '!=', None),
                ('closed', '!=', True),
                ('company', '=', self.company.id),
                ], limit=1)
        journal, = Journal.search([('type', '=', 'cash')], limit=1)
        method, = PaymentMethod.create([{
                    'name': "Bank",
                    'company': self.company.id,
                    'journal': journal.id,
                    'credit_account': bank.id,
                    'debit_account': bank.id,
                    }])
        lines = invoice.pay_invoice(
            invoice.amount_to_pay, method, invoice.invoice_date)
        MoveLine.reconcile([*lines, *invoice.lines_to_pay])
        Invoice.process([invoice])
        assert invoice.state == 'paid'


class AccountTestCase(DatabaseTestCase):
    "Base of the tests with the French chart of accounts"
    modules = EXTENDED

    @classmethod
    def _create_database(cls):
        super()._create_database()
        extras, is_created = {}, False
        while not is_created:
            with Transaction().start(
                    DB_NAME, 1, close=True, **extras) as transaction:
                try:
                    cls._create_accounts()
                    transaction.commit()
                    is_created = True
                except TransactionError as error:
                    transaction.rollback()
                    error.fix(extras)

    @classmethod
    def _create_accounts(cls):
        pool = Pool()
        Company = pool.get('company.company')
        company, = Company.search([])
        with unvalidated(), Transaction().set_context(company=company.id):
            create_accounts(company)

    @contextmanager
    def settled(self, example, active=False, settle=True):
        "Yield the records, the settlement and the invoices of the example"
        pool = Pool()
        Address = pool.get('party.address')
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _):
            if active:
                activate_rules()
            with unvalidated():
                accounts = Accounts(company)
                accounts.configure(example)
                records = Example(company, example)
                records.accounts = accounts
                Address.create([
                        {'party': p.id, 'street': "Street"}
                        for p in records.parties.values()])
                records.invoices = accounts.invoice(records)
            settlement = None
            if settle:
                run_wizard('training.abandon.case.settle', [records.case])
                settlement = Settlement.current([records.case])[records.case]
            yield records, settlement

    def bill(self, records, *bills):
        "Return the draft invoices of the enrolment made by hand"
        pool = Pool()
        Invoice = pool.get('account.invoice')
        InvoiceLine = pool.get('account.invoice.line')
        accounts, invoices = records.accounts, []
        for payer, amount in bills:
            invoice = Invoice(
                company=records.company, type='out',
                party=records.party(payer),
                currency=records.company.currency,
                invoice_date=dt.date(2026, 12, 1))
            invoice.on_change_type()
            invoice.on_change_party()
            invoice.lines = [InvoiceLine(
                    type='line', company=records.company, quantity=1,
                    currency=records.company.currency,
                    account=accounts.revenue, unit_price=Decimal(amount),
                    description="Training", origin=records.enrolment)]
            invoices.append(invoice)
        Invoice.save(invoices)
        return invoices


class InvoiceTestCase(AccountTestCase):
    "Test the documents that are made of the settlements"

    def amounts(self, settlement):
        "Return the amounts of the documents that are not cancelled"
        return sorted(
            i.untaxed_amount for i in type(settlement)(settlement.id).invoices
            if i.state != 'cancelled')

    def settle(self, records):
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        run_wizard('training.abandon.case.settle', [records.case])
        return Settlement.current([records.case])[records.case]

    def invoiced(self, records):
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        return sum(
            x.amount for x in Settlement.invoiced(
                [records.enrolment])[records.enrolment.id])

    def check(self, example, expected, active=False):
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(example, active) as (records, settlement):
            for name in ['due_amount', 'invoiced_amount', 'indemnity']:
                if expected['settlement'].get(name) is not None:
                    self.assertEqual(
                        getattr(settlement, name),
                        Decimal(expected['settlement'][name]))
            if 'warnings' in expected:
                self.assertEqual(
                    set(settlement.warnings), set(expected['warnings']))
            if settlement.due_amount is None:
                with self.assertRaises(SettlementError):
                    Settlement.invoice([settlement])
            else:
                Settlement.invoice([settlement])
                Settlement.invoice([settlement])
            self.check_documents(
                records, Settlement(settlement.id), expected)

    def check_documents(self, records, settlement, expected):
        names = {party: name for name, party in records.parties.items()}
        documents = {}
        for invoice in settlement.invoices:
            self.assertEqual(invoice.state, 'draft')
            line, *_ = invoice.lines
            kind = 'invoice'
            if invoice.untaxed_amount < 0:
                kind = 'credit'
            elif line.product == records.accounts.penalty:
                kind = 'indemnity'
                self.assertNotEqual(line.account, records.accounts.revenue)
            documents[names[invoice.party], kind] = invoice
        lines = {(x['payer'], x['kind']): x for x in expected['lines']}
        self.assertEqual(set(documents), set(lines))
        for key, invoice in documents.items():
            values = lines[key]
            self.assertEqual(
                [invoice.untaxed_amount, invoice.tax_amount,
                    invoice.total_amount],
                [Decimal(values[n]) for n in ['untaxed', 'tax', 'total']])
            origins = [
                (records.invoices[x.origin.invoice], x.amount)
                for x in invoice.lines if key[1] == 'credit']
            self.assertEqual(origins, [
                    (o['invoice'], Decimal(o['untaxed']))
                    for o in values['origins']])
            self.assertEqual(
                {records.invoices[i] for i in invoice.origin_invoices},
                {o['invoice'] for o in values['origins']})
            for line in invoice.lines:
                self.assertEqual(abs(line.quantity), 1)
                self.assertIn(
                    records.trainee.party.name, line.description)
        self.check_posted(records, settlement, expected)

    def check_refund(self, records, settlement, expected):
        "Test what is paid above what remains invoiced"
        Settlement = type(settlement)
        self.assertEqual(
            {x.payer: x.refund for x in Settlement(settlement.id).lines
                if x.refund},
            {records.party(r['payer']): Decimal(r['amount'])
                for r in expected.get('refund', [])})

    def check_posted(self, records, settlement, expected):
        "Test what is left once the documents are posted"
        pool = Pool()
        Invoice = pool.get('account.invoice')
        Settlement = pool.get('training.abandon.settlement')
        self.check_refund(records, settlement, expected)
        with today(dt.date(2026, 12, 31)):
            Invoice.post(list(settlement.invoices))
        self.check_refund(records, settlement, expected)
        for invoice in settlement.invoices:
            self.assertEqual(
                sum(x.debit - x.credit for x in invoice.move.lines), 0)
        if settlement.due_amount is None or settlement.carried_amount:
            return
        left = defaultdict(Decimal)
        invoiced = Settlement.invoiced([records.enrolment])
        for line in invoiced.get(records.enrolment.id, []):
            left[line.payer] += line.amount
        for payer, amount in left.items():
            self.assertEqual(amount, sum(
                    x.due for x in settlement.lines
                    if x.payer == payer and x.kind != 'indemnity'))
        # To settle again changes nothing
        run_wizard('training.abandon.case.settle', [records.case])
        self.assertEqual(
            Settlement.current([records.case])[records.case], settlement)

    @with_transaction()
    def test_views(self):
        "Test what the forms show of the documents"
        pool = Pool()
        for name, fields_ in [
                ('training.abandon.settlement', ['invoices']),
                ('training.configuration', [
                        'training_product', 'indemnity_product',
                        'indemnity_tax']),
                ('account.invoice', ['training_settlement'])]:
            view = pool.get(name).fields_view_get(view_type='form')
            for field in fields_:
                with self.subTest(model=name, field=field):
                    self.assertIn(field, view['fields'])

    @with_transaction()
    def test_access(self):
        "Test that an accountant makes drafts and nothing twice"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D01')) as (records, settlement):
            user = create_user(
                'accountant', records.company, 'accounting')
            with as_user(user):
                Settlement.invoice([Settlement(settlement.id)])
            settlement = Settlement(settlement.id)
            self.assertEqual(settlement.state, 'posted')
            invoice, = settlement.invoices
            self.assertEqual(invoice.origin_invoices, tuple(records.invoices))
            self.assertIn("35:00", invoice.lines[0].description)
            self.assertIn("14:42", invoice.lines[0].description)
            self.assertNotIn("bandon", invoice.lines[0].description)
            type(invoice).delete([invoice])
            Settlement.invoice([Settlement(settlement.id)])
            self.assertEqual(len(Settlement(settlement.id).invoices), 1)

    @with_transaction()
    def test_indemnity_tax(self):
        "Test that an indemnity without tax is shown and not invoiced"
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D02')) as (records, settlement):
            configuration = Configuration(1)
            configuration.indemnity_tax = None
            configuration.save()
            Settlement.invoice([settlement])
            invoice, = Settlement(settlement.id).invoices
            self.assertEqual(invoice.untaxed_amount, Decimal('1276.07'))
            self.assertEqual(settlement.indemnity, Decimal('661.18'))
            self.assertIn("261-4-4°", invoice.comment)
            # It is made once the tax is chosen
            configuration.indemnity_tax = 'none'
            configuration.save()
            for _ in range(2):
                Settlement.invoice([Settlement(settlement.id)])
                self.assertEqual(
                    self.amounts(settlement),
                    [Decimal('661.18'), Decimal('1276.07')])

    @with_transaction()
    def test_invoiced_since(self):
        "Test that what was invoiced since has the case settled again"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D02')) as (records, settlement):
            records.example['invoices'] = [{
                    'number': 'F', 'date': '2026-04-01', 'payer': 'client',
                    'untaxed': '100.00', 'total': '100.00', 'paid': '0.00'}]
            records.accounts.invoice(records)
            with savepoint(), self.assertRaises(SettlementError):
                Settlement.invoice([settlement])
            run_wizard('training.abandon.case.settle', [records.case])
            settlement = Settlement.current([records.case])[records.case]
            Settlement.invoice([settlement])
            self.assertEqual(
                min(i.untaxed_amount for i in settlement.invoices),
                Decimal('661.18'))

    @with_transaction()
    def test_completed(self):
        "Test that a second settlement invoices and credits what differs"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Invoice = pool.get('account.invoice')
        Settlement = pool.get('training.abandon.settlement')

        def settle(**values):
            Enrolment.write([Enrolment(records.enrolment.id)], values)
            run_wizard('training.abandon.case.settle', [records.case])
            return Settlement.current([records.case])[records.case]

        with self.settled(get_example('D02')) as (records, first):
            Settlement.post([first])
            second = settle(indivisible_fees=Decimal(0))
            with savepoint(), self.assertRaises(SettlementError):
                Settlement.invoice([second])
            Settlement.invoice([first])
            with savepoint(), self.assertRaises(SettlementError):
                Settlement.invoice([second])
            with today(dt.date(2026, 12, 31)):
                Invoice.post(list(Settlement(first.id).invoices))
            self.assertEqual(settle(), second)
            Settlement.invoice([second])
            self.assertEqual(
                self.amounts(second), [Decimal('-120.21'), Decimal('36.06')])
            with today(dt.date(2026, 12, 31)):
                Invoice.post(list(Settlement(second.id).invoices))
            third = settle(indemnity_kind=None)
            Settlement.invoice([third])
            self.assertEqual(self.amounts(third), [Decimal('-697.24')])
            credit, = Settlement(third.id).invoices
            self.assertEqual(len(credit.lines), 2)
            self.assertEqual(
                {x.product for x in credit.lines}, {records.accounts.penalty})
            self.assertEqual(settle(), third)

    @with_transaction()
    def test_posted_and_invoiced_since(self):
        "Test that what cannot be invoiced any more is asked again"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D02')) as (records, first):
            Settlement.post([first])
            records.example['invoices'] = [{
                    'number': 'F', 'date': '2026-04-01', 'payer': 'client',
                    'untaxed': '100.00', 'total': '100.00', 'paid': '0.00'}]
            records.accounts.invoice(records)
            run_wizard('training.abandon.case.settle', [records.case])
            settlement = Settlement.current([records.case])[records.case]
            Settlement.invoice([settlement])
            self.assertEqual(
                self.amounts(settlement),
                [Decimal('661.18'), Decimal('1176.07')])

    @with_transaction()
    def test_withdrawn(self):
        "Test that what was withdrawn before any document asks nothing"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D02')) as (records, first):
            Settlement.post([first])
            Case.take_back([Case(records.case.id)], "Mistake")
            Settlement.invoice([Settlement(first.id)])
            self.assertFalse(Settlement(first.id).invoices)
            day = dt.date(2026, 4, 14)
            with today(day):
                decide(Case(records.case.id), ground='force_majeure',
                    effective_date=day)
            run_wizard('training.abandon.case.settle', [
                    Case(records.case.id)])
            settlement = Settlement.current([records.case])[records.case]
            Settlement.invoice([settlement])
            invoice, = Settlement(settlement.id).invoices
            self.assertEqual(invoice.untaxed_amount, Decimal('1276.07'))

    @with_transaction()
    def test_withdrawn_drafts(self):
        "Test that who posts the drafts of a withdrawn decision is warned"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Invoice = pool.get('account.invoice')
        ModelData = pool.get('ir.model.data')
        Settlement = pool.get('training.abandon.settlement')
        Window = pool.get('ir.action.act_window')
        window = Window(ModelData.get_id(
                'training_abandon', 'act_credit_note_form'))
        domain = PYSONDecoder().decode(window.pyson_domain)
        with self.settled(get_example('D01')) as (records, settlement):
            Settlement.invoice([settlement])
            credit, = Settlement(settlement.id).invoices
            self.assertEqual(Invoice.search(domain), [credit])
            Case.take_back([Case(records.case.id)], "Mistake")
            self.assertEqual(Invoice.search(domain), [])
            with Transaction().set_context(_skip_warnings=False), \
                    self.assertRaises(SettlementWithdrawnWarning):
                Invoice.post([Invoice(credit.id)])
            with Transaction().set_context(_check_access=True), \
                    self.assertRaises(AccessError):
                Invoice.write(
                    [Invoice(credit.id)], {'training_settlement': None})

    @with_transaction()
    def test_made_again(self):
        "Test that a draft that is deleted is made again, it alone"
        pool = Pool()
        Invoice = pool.get('account.invoice')
        Settlement = pool.get('training.abandon.settlement')
        expected = [Decimal('661.18'), Decimal('1276.07')]
        with self.settled(get_example('D02')) as (records, settlement):
            Settlement.invoice([settlement])
            indemnity, = [
                i for i in Settlement(settlement.id).invoices
                if i.untaxed_amount == expected[0]]
            Invoice.delete([
                    i for i in Settlement(settlement.id).invoices
                    if i != indemnity])
            self.assertEqual(self.settle(records), settlement)
            Settlement.invoice([Settlement(settlement.id)])
            self.assertEqual(self.amounts(settlement), expected)
            Invoice.delete([indemnity])
            with today(dt.date(2026, 12, 31)):
                Invoice.post(list(Settlement(settlement.id).invoices))
            Settlement.invoice([Settlement(settlement.id)])
            self.assertEqual(self.amounts(settlement), expected)
            self.assertEqual(self.settle(records), settlement)

    @with_transaction()
    def test_draft_changed(self):
        "Test that what a draft asks is what it has"
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D02')) as (records, settlement):
            Settlement.invoice([settlement])
            line, = [
                x for i in Settlement(settlement.id).invoices for x in i.lines
                if x.amount == Decimal('1276.07')]
            InvoiceLine.write([line], {'unit_price': Decimal(1200)})
            self.assertEqual(
                [(x.kind, x.amount) for x in self.settle(records).lines],
                [('invoice', Decimal('76.07')), ('indemnity', 0)])

    @with_transaction()
    def test_other_payer(self):
        "Test that what was invoiced since is compared by payer"
        pool = Pool()
        Invoice = pool.get('account.invoice')
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D11')) as (records, settlement):
            Settlement.post([settlement])
            Invoice.post(self.bill(
                    records, ('client', 100), ('OPCO EP', -100)))
            with self.assertRaisesRegex(SettlementError, "invoiced or"):
                Settlement.invoice([settlement])

    @with_transaction()
    def test_credit_missing(self):
        "Test that what cannot be credited is told"
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D01')) as (records, settlement):
            with patch.object(Settlement, '_check_invoiced'), patch.object(
                    InvoiceLine, 'of_enrolments',
                    lambda e: (defaultdict(list), defaultdict(list))), \
                    patch.object(Settlement, 'post'):
                Settlement.write([settlement], {'state': 'posted'})
                with self.assertRaisesRegex(SettlementError, "invoiced or"):
                    Settlement.invoice([settlement])

    @with_transaction()
    def test_draft_by_hand(self):
        "Test that a draft that somebody made is named and not doubled"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D02')) as (records, settlement):
            draft, = self.bill(records, ('client', 100))
            with self.assertRaisesRegex(
                    SettlementError, re.escape(f'"{draft.rec_name}"')):
                Settlement.invoice([settlement])

    @with_transaction()
    def test_credit_credited(self):
        "Test that the credit of a credit is seen"
        pool = Pool()
        Invoice = pool.get('account.invoice')
        with self.settled(get_example('D01')) as (records, _):
            amount = self.invoiced(records)
            invoice, = records.invoices
            for expected in [0, amount, 0]:
                invoice, = Invoice.credit([invoice])
                with today(dt.date(2026, 12, 31)):
                    Invoice.post([invoice])
                self.assertEqual(self.invoiced(records), expected)

    @with_transaction()
    def test_supplier(self):
        "Test that what a supplier invoices for an enrolment is not counted"
        pool = Pool()
        Account = pool.get('account.account')
        Invoice = pool.get('account.invoice')
        InvoiceLine = pool.get('account.invoice.line')
        with self.settled(get_example('D01')) as (records, _):
            amount = self.invoiced(records)
            expense, = Account.search([
                    ('type.expense', '=', True),
                    ('company', '=', records.company.id),
                    ('closed', '!=', True),
                    ], limit=1)
            invoice = Invoice(
                company=records.company, type='in',
                party=records.party('client'),
                currency=records.company.currency,
                invoice_date=dt.date(2026, 5, 1))
            invoice.on_change_type()
            invoice.on_change_party()
            invoice.lines = [InvoiceLine(
                    type='line', company=records.company, quantity=1,
                    currency=records.company.currency, account=expense,
                    unit_price=Decimal(100), description="Trainer",
                    origin=records.enrolment)]
            invoice.save()
            Invoice.validate_invoice([invoice])
            self.assertEqual(invoice.state, 'validated')
            self.assertEqual(self.invoiced(records), amount)

    @with_transaction()
    def test_validated(self):
        "Test that an invoice that is not posted is neither paid nor credited"
        pool = Pool()
        Invoice = pool.get('account.invoice')
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D01')) as (records, _):
            invoice, = self.bill(records, ('client', 100))
            Invoice.validate_invoice([invoice])
            paid = [
                x.paid for x in Settlement.invoiced(
                    [records.enrolment])[records.enrolment.id]]
            self.assertEqual(paid[-1], 0)
            settlement = self.settle(records)
            with self.assertRaisesRegex(SettlementError, "post it first"):
                Settlement.invoice([settlement])

    @with_transaction()
    def test_transfer(self):
        "Test that what was invoiced before a transfer counts after it"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Settlement = pool.get('training.abandon.settlement')
        example = get_example('D14')
        example = {**example, **next(
                v for v in example['variants'] if v['id'] == 'D14c')}
        with self.settled(example) as (records, settlement):
            self.assertEqual(settlement.carried_amount, Decimal(1750))
            # No session was chosen yet
            self.assertIn("complete the decision", settlement.explanation)
            later = Example(records.company, {
                    **example,
                    'session': {
                        'start_date': '2026-06-01', 'end_date': '2026-06-05'},
                    'enrolment': {**example['enrolment'], 'price': '1870.00'},
                    'attendance': {
                        **example['attendance'],
                        'held': '35:00', 'attended': '35:00'},
                    'case': {
                        'decision': 'validated', 'ground': 'abandonment',
                        'effective_date': '2026-06-05'},
                    })
            Enrolment.write([later.enrolment], {
                    'client': records.enrolment.client.id})
            Case.write([records.case], {'new_enrolment': later.enrolment.id})
            settlement = self.settle(later)
            self.assertEqual(
                (settlement.due_amount, settlement.invoiced_amount),
                (Decimal(1870), Decimal(1750)))
            Settlement.invoice([settlement])
            self.assertEqual(self.amounts(settlement), [Decimal(120)])
            invoice, = Settlement(settlement.id).invoices
            self.assertIn("35:00", invoice.lines[0].description)
            self.assertNotIn("partly", invoice.lines[0].description)

    @with_transaction()
    def test_attach(self):
        "Test the invoices made otherwise that are attached"
        pool = Pool()
        Address = pool.get('party.address')
        Attached = pool.get('training.enrolment.invoice_line')
        Invoice = pool.get('account.invoice')
        InvoiceLine = pool.get('account.invoice.line')
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D01')) as (records, settlement):
            self.assertEqual(self.invoiced(records), Decimal('1251.25'))
            records.parties['Other'] = create_party("Other")
            Address.create([{
                        'party': records.parties['Other'].id,
                        'street': "Street"}])
            invoice, other, foreign = self.bill(
                records, ('client', 120), ('client', 30), ('Other', 40))
            for line in [*invoice.lines, *other.lines, *foreign.lines]:
                line.origin = None
                line.save()
            Invoice.post([invoice, foreign])
            self.assertEqual(self.invoiced(records), Decimal('1251.25'))
            run_wizard(
                'training.enrolment.attach_invoices', [records.case],
                lines=[x.id for x in invoice.lines])
            self.assertEqual(self.invoiced(records), Decimal('1371.25'))
            attached, = Attached.search([])
            self.assertEqual(
                (attached.enrolment, attached.line.invoice),
                (records.enrolment, invoice))
            self.assertEqual(self.related(
                    'act_invoice_relate_case', records.case),
                {invoice, *records.invoices})
            self.assertEqual(
                self.related('act_case_relate_invoice', invoice),
                {records.case})
            with savepoint(), self.assertRaises(ValidationError):
                Attached.create([{
                            'enrolment': records.enrolment.id,
                            'line': other.lines[0].id}])
            for line in [*invoice.lines, *other.lines, *foreign.lines]:
                with savepoint(), self.assertRaises(AgreementError):
                    run_wizard(
                        'training.enrolment.attach_invoices', [records.case],
                        lines=[line.id])
            # It counts once if its origin is told since
            with savepoint():
                InvoiceLine.write(list(invoice.lines), {
                        'origin': str(records.enrolment)})
                self.assertEqual(self.invoiced(records), Decimal('1371.25'))
            settlement = self.settle(records)
            Settlement.invoice([settlement])
            line = InvoiceLine(invoice.lines[0].id)
            credit = Settlement(settlement.id).invoices[0].lines[0]
            self.assertEqual((credit.origin, credit.amount), (line, -120))
            with self.assertRaisesRegex(AccessError, "no longer be detached"):
                Attached.delete([attached])

    def related(self, name, record):
        "Return the records that the relate action opens for the record"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        Window = pool.get('ir.action.act_window')
        window = Window(ModelData.get_id('training_abandon', name))
        domain = PYSONDecoder({
                'active_ids': [record.id],
                'active_model': record.__name__,
                }).decode(window.pyson_domain)
        return set(pool.get(window.res_model).search(domain))

    @with_transaction()
    def test_dunning(self):
        "Test that nobody is dunned for what a draft credit note takes back"
        pool = Pool()
        Dunning = pool.get('account.dunning')
        Invoice = pool.get('account.invoice')
        Party = pool.get('party.party')
        Procedure = pool.get('account.dunning.procedure')
        Settlement = pool.get('training.abandon.settlement')
        day = dt.date(2026, 12, 31)
        with self.settled(get_example('D04')) as (records, settlement):
            procedure, = Procedure.create([{
                        'name': "Procedure",
                        'levels': [('create', [
                                    {'overdue': dt.timedelta(days=n)}
                                    for n in [0, 60]])],
                        }])
            Party.write(list(records.parties.values()), {
                    'dunning_procedure': procedure.id})
            unpaid, = [i for i in records.invoices if i.state == 'posted']
            line, = unpaid.lines_to_pay
            Dunning.generate_dunnings(date=line.maturity_date)
            dunning, = Dunning.search([])
            self.assertEqual(dunning.line.move.origin, unpaid)
            Settlement.invoice([settlement])
            Dunning.process([dunning])
            self.assertEqual(Dunning(dunning.id).state, 'draft')
            Dunning.write([dunning], {'state': 'waiting'})
            Dunning.generate_dunnings(date=day)
            self.assertEqual(
                Dunning(dunning.id).level, procedure.levels[0])
            Dunning.delete([dunning])
            Dunning.generate_dunnings(date=day)
            self.assertEqual(Dunning.search([]), [])
            with today(day):
                Invoice.post(list(Settlement(settlement.id).invoices))
            Dunning.generate_dunnings(date=day)
            dunning, = Dunning.search([])
            Dunning.process([dunning])
            self.assertEqual(Dunning(dunning.id).state, 'waiting')
            Dunning.generate_dunnings(date=day)
            self.assertEqual(
                Dunning(dunning.id).level, procedure.levels[1])

    @with_transaction()
    def test_deposit(self):
        "Test that an invoice recalls the deposits"
        pool = Pool()
        Account = pool.get('account.account')
        Invoice = pool.get('account.invoice')
        InvoiceLine = pool.get('account.invoice.line')
        Settlement = pool.get('training.abandon.settlement')
        example = {**get_example('D02'), 'invoices': []}
        with self.settled(example) as (records, _):
            deposit, = self.bill(records, ('client', 1000))
            line, = deposit.lines
            line.account, = Account.search([
                    ('type.deposit', '=', True),
                    ('type.statement', '=', 'balance'),
                    ('company', '=', records.company.id),
                    ('closed', '!=', True),
                    ], limit=1)
            line.save()
            Invoice.post([deposit])
            settlement = self.settle(records)
            due = settlement.due_amount
            Settlement.invoice([settlement])
            invoice, = [
                i for i in Settlement(settlement.id).invoices
                if i.untaxed_amount == due - 1000]
            self.assertEqual(
                [(x.amount, x.account, x.origin) for x in invoice.lines], [
                    (due, records.accounts.revenue, records.enrolment),
                    (Decimal(-1000), line.account, line)])
            self.assertIn(deposit.number, invoice.lines[1].description)
            with savepoint():
                # As the button of Tryton recalls it
                InvoiceLine.write([invoice.lines[1]], {'origin': None})
                with today(dt.date(2026, 12, 31)):
                    Invoice.post([Invoice(invoice.id)])
                self.assertEqual(self.invoiced(records), due)
            with today(dt.date(2026, 12, 31)):
                Invoice.post([invoice])
            self.assertEqual(self.invoiced(records), due)
            self.assertEqual(deposit.party.get_deposit_balance(
                    line.account), 0)
            self.assertEqual(self.settle(records), settlement)

    def deferred(self, records, day):
        "Return the amounts to defer at the end of the day"
        pool = Pool()
        Deferral = pool.get('training.abandon.deferral')
        with Transaction().set_context(
                company=records.company.id, date=date(day)):
            return [
                (x.case, x.invoiced, x.due, x.amount)
                for x in Deferral.search([])]

    @with_transaction()
    def test_deferral(self):
        "Test the revenue of the hours after the effective date"
        pool = Pool()
        Deferral = pool.get('training.abandon.deferral')
        Invoice = pool.get('account.invoice')
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D01')) as (records, settlement):
            self.assertEqual(self.deferred(records, '2026-03-03'), [])
            expected = [(
                    records.case, Decimal('1251.25'), Decimal('525.53'),
                    Decimal('725.72'))]
            self.assertEqual(self.deferred(records, '2026-03-31'), expected)
            Settlement.invoice([settlement])
            with today(dt.date(2026, 12, 31)):
                Invoice.post(list(Settlement(settlement.id).invoices))
            self.assertEqual(self.deferred(records, '2026-12-30'), expected)
            self.assertEqual(self.deferred(records, '2026-12-31'), [])
            for group, is_read in [('accounting', True), ('training', False)]:
                with as_user(create_user(group, records.company, group)), \
                        Transaction().set_context(date=date('2026-12-30')):
                    if is_read:
                        self.assertEqual(
                            [x.case for x in Deferral.search([])],
                            [records.case])
                    else:
                        with self.assertRaises(AccessError):
                            Deferral.search([])

    @with_transaction()
    def test_deferral_postponed(self):
        "Test the revenue of a training that is postponed and not settled"
        example = get_example('D14')
        with self.settled(example, settle=False) as (records, _):
            self.assertEqual(self.deferred(records, '2026-05-31'), [(
                        records.case, Decimal(1750), Decimal(525),
                        Decimal(1225))])

    @with_transaction()
    def test_analytic(self):
        "Test that a credit keeps the analytic accounts"
        pool = Pool()
        AnalyticAccount = pool.get('analytic_account.account')
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D01')) as (records, settlement):
            root, = AnalyticAccount.create([{
                        'name': "Root", 'type': 'root'}])
            account, = AnalyticAccount.create([{
                        'name': "Site", 'type': 'normal',
                        'root': root.id, 'parent': root.id}])
            invoice, = records.invoices
            line, = invoice.lines
            Entry = pool.get('analytic.account.entry')
            Entry.create([{
                        'origin': str(line),
                        'root': root.id,
                        'account': account.id,
                        }])
            Settlement.invoice([settlement])
            credit, = Settlement(settlement.id).invoices
            entry, = credit.lines[0].analytic_accounts
            self.assertEqual((entry.root, entry.account), (root, account))

    @with_transaction()
    def test_no_product(self):
        "Test that the product to invoice has to be chosen"
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D02')) as (records, settlement):
            configuration = Configuration(1)
            configuration.training_product = None
            configuration.save()
            with self.assertRaisesRegex(SettlementError, "Training Product"):
                Settlement.invoice([settlement])
            # That of the indemnities is another one
            configuration.training_product = records.accounts.penalty
            with self.assertRaises(ValidationError):
                configuration.save()

    @with_transaction()
    def test_tax_included(self):
        "Test that the invoice has the tax that the agreement says"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D02'), settle=False) as (records, _):
            Enrolment.write([records.enrolment], {
                    'price_tax_included': Decimal('4176.00')})
            settlement = self.settle(records)
            with savepoint(), \
                    self.assertRaisesRegex(SettlementError, "tax included"):
                Settlement.invoice([settlement])
            template = records.accounts.training.template
            template.account_category.customer_taxes = [records.accounts.vat]
            template.account_category.save()
            Settlement.invoice([Settlement(settlement.id)])
            self.assertEqual(
                {i.total_amount for i in Settlement(settlement.id).invoices},
                {Decimal('661.18'), Decimal('1531.28')})

    @with_transaction()
    def test_kept(self):
        "Test that who settles a case, or invoices it, has it alone"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')

        def kept(function, *args):
            with patch.object(tools, 'lock', wraps=tools.lock) as lock:
                result = function(*args)
            first = lock.call_args_list[0].args
            self.assertEqual(
                (first[0].__name__, list(first[1])),
                ('training.abandon.case', [records.case]))
            return result

        with self.settled(get_example('D02'), settle=False) as (records, _):
            settlement, = kept(Settlement.settle, [records.case])
            kept(Settlement.invoice, [settlement])

    @with_transaction()
    def test_no_payer(self):
        "Test the corrections of what nobody owes, or that are no amount"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        with self.settled(get_example('D02'), settle=False) as (records, _):
            case = records.case
            for name, due, words in [
                    ('trainee', Decimal(5), "owes nothing"),
                    ('client', Decimal('NaN'), "not negative")]:
                with self.subTest(name=name), \
                        self.assertRaisesRegex(SettlementError, words):
                    Settlement.settle([case], {
                            (case, records.party(name), 'due'):
                            (due, "Reason")})
            self.assertEqual(Settlement.search([]), [])


def _test_example(example, expected, active=False):
    @with_transaction()
    def test(self):
        self.check(example, expected, active)
    return test


for _example in load_examples():
    if _example['expected'].get('error'):
        continue
    _name = f"test_{_example['id']}"
    setattr(InvoiceTestCase, _name, _test_example(
            _example, _example['expected']))
    if 'expected_if_rule_active' in _example:
        setattr(InvoiceTestCase, f'{_name}_active', _test_example(
                _example, _example['expected_if_rule_active'], True))
