# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The draft invoices and credit notes of the settlements"
from collections import defaultdict
from decimal import Decimal

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.modules.company.model import CompanyValueMixin
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import SettlementError
from ..training.enrolment import hours_name
from .calculation import credits
from .terms import Invoiced

# The states in which an invoice is owed
INVOICED_STATES = ['validated', 'posted', 'paid']
VALUES = ['training_product', 'indemnity_product', 'indemnity_tax']


def product_field(string, company, **attributes):
    return fields.Many2One(
        'product.product', string, ondelete='RESTRICT',
        context={
            'company': company,
            },
        **attributes)


def tax_field(**attributes):
    return fields.Selection([
            (None, "To Confirm"),
            ('none', "No Tax"),
            ('product', "Taxes of the Product"),
            ], "Tax of the Indemnities", sort=False, **attributes)


class Configuration(metaclass=PoolMeta):
    __name__ = 'training.configuration'

    training_product = fields.MultiValue(product_field(
            "Training Product", Eval('context', {}).get('company', -1),
            help="What is invoiced for the hours done, with its account and "
            "its taxes."))
    indemnity_product = fields.MultiValue(product_field(
            "Indemnity Product", Eval('context', {}).get('company', -1),
            help="What is invoiced for the indemnities: never the product of "
            "the training."))
    indemnity_tax = fields.MultiValue(tax_field(
            help="What the accountant has chosen for the indemnities: no "
            "document is made of them until then."))

    @classmethod
    def multivalue_model(cls, field):
        pool = Pool()
        if field in VALUES:
            return pool.get('training.configuration.invoice')
        return super().multivalue_model(field)


class ConfigurationInvoice(CompanyValueMixin, ModelSQL):
    __name__ = 'training.configuration.invoice'

    training_product = product_field(
        "Training Product", Eval('company', -1), depends={'company'})
    indemnity_product = product_field(
        "Indemnity Product", Eval('company', -1), depends={'company'})
    indemnity_tax = tax_field()


class Invoice(metaclass=PoolMeta):
    __name__ = 'account.invoice'

    training_settlement = fields.Many2One(
        'training.abandon.settlement', "Settlement", readonly=True,
        ondelete='RESTRICT',
        states={
            'invisible': ~Eval('training_settlement'),
            },
        help="The settlement of the case of abandonment that made the "
        "document.")

    @classmethod
    def copy(cls, invoices, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('training_settlement')
        return super().copy(invoices, default=default)


class InvoiceLine(metaclass=PoolMeta):
    __name__ = 'account.invoice.line'

    @classmethod
    def _get_origin(cls):
        return super()._get_origin() + [
            'training.enrolment', 'training.abandon.settlement.line']

    @classmethod
    def of_enrolments(cls, enrolments):
        """Return by id of the enrolments the lines that invoice them, the
        oldest first, and those that credit these lines by id."""
        invoiced, credited = defaultdict(list), defaultdict(list)
        for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
            lines = cls._of_origins(sub_enrolments)
            for line in lines:
                invoiced[line.origin.id].append(line)
            for line in cls._of_origins(lines):
                credited[line.origin.id].append(line)
        return invoiced, credited

    @classmethod
    def _of_origins(cls, origins):
        lines = []
        for sub_origins in grouped_slice(list(origins), tools.BATCH):
            lines += cls.search([
                    ('origin', 'in', list(map(str, sub_origins))),
                    ('type', '=', 'line'),
                    ('invoice.state', 'in', INVOICED_STATES),
                    ])
        return sorted(
            lines, key=lambda x: (str(x.invoice.invoice_date), x.id))


class Settlement(metaclass=PoolMeta):
    __name__ = 'training.abandon.settlement'

    invoices = fields.One2Many(
        'account.invoice', 'training_settlement', "Invoices", readonly=True,
        help="The invoices and the credit notes made of the settlement.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            invoice={
                'invisible': (
                    (Eval('state') == 'cancelled')
                    | Eval('withdrawn', False)),
                'depends': ['state', 'withdrawn'],
                })

    @classmethod
    def _modified_when_posted(cls):
        return super()._modified_when_posted() | {'invoices'}

    @property
    def has_documents(self):
        return any(i.state != 'cancelled' for i in self.invoices)

    @classmethod
    def invoiced(cls, enrolments):
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        result = defaultdict(list, super().invoiced(enrolments))
        lines, credited = InvoiceLine.of_enrolments(enrolments)
        currencies = {e.id: e.currency for e in enrolments}
        for id_, invoiced in lines.items():
            for line in [
                    *invoiced, *(c for x in invoiced for c in credited[x.id])]:
                invoice = line.invoice
                if invoice.currency != currencies[id_]:
                    raise SettlementError(gettext(
                            'training_abandon.msg_settlement_currency',
                            invoice=invoice.rec_name,
                            currency=currencies[id_].rec_name))
                result[id_].append(Invoiced(
                        invoice.party, line.amount, invoice.invoice_date,
                        _paid(line)))
        return dict(result)

    @classmethod
    @ModelView.button
    def invoice(cls, settlements):
        "Make the draft documents of the settlements, that are posted"
        tools.lock(cls, settlements)
        settlements = cls.browse(settlements)
        cls.post([s for s in settlements if s.state == 'draft'])
        settlements = [
            s for s in cls.browse(settlements)
            if s.state == 'posted' and not (
                s.withdrawn or s.has_documents)]
        cls._check_invoiced(settlements)
        for settlement in settlements:
            settlement._make_invoices()

    @classmethod
    def _check_invoiced(cls, settlements):
        "Check that nothing was invoiced since the settlements were made"
        pool = Pool()
        Invoice = pool.get('account.invoice')
        invoiced = cls.invoiced([s.enrolment for s in settlements])
        for settlement in settlements:
            total = sum(
                (x.amount for x in invoiced.get(settlement.enrolment.id, [])),
                Decimal(0))
            drafts = Invoice.search([
                    ('training_settlement.enrolment', '=',
                        settlement.enrolment.id),
                    ('state', '=', 'draft'),
                    ], limit=1)
            if drafts or total != settlement.invoiced_amount:
                raise SettlementError(gettext(
                        'training_abandon.msg_settlement_invoiced_since',
                        settlement=settlement.rec_name))

    def _make_invoices(self):
        pool = Pool()
        Invoice = pool.get('account.invoice')
        invoices, held = [], []
        for line in self.lines:
            with Transaction().set_context(
                    language=_language(line.payer), company=self.company.id):
                if line.kind == 'credit':
                    invoices.append(self._credit(line))
                elif line.kind == 'invoice':
                    invoices.append(self._invoice(line, self._training_line(
                                line)))
                elif line.kind == 'indemnity' and line.amount < 0:
                    if credit := self._credit_indemnity(line):
                        invoices.append(credit)
                elif line.kind == 'indemnity' and line.amount:
                    if indemnity := self._indemnity_line(line):
                        invoices.append(self._invoice(line, indemnity))
                    else:
                        held.append(line)
        Invoice.save(invoices)
        Invoice.update_taxes(invoices)
        if held:
            self.notify_user(
                [self], 'tryton-warning', gettext(
                    'training_abandon.msg_settlement_indemnity_held',
                    settlement=self.rec_name))

    def _credit(self, line):
        "Return the credit note of what the payer was invoiced too much"
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        lines, credited = InvoiceLine.of_enrolments([self.enrolment])
        return self._credit_of([
                (x, x.amount + sum(c.amount for c in credited[x.id]))
                for x in lines[self.enrolment.id]
                if x.invoice.party == line.payer], -line.amount)

    def _credit_indemnity(self, line):
        "Return the credit note of an indemnity that is not due any more"
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        lines = InvoiceLine._of_origins([
                x for s in self._posted([self.case])[self.case]
                for x in s.lines
                if x.kind == 'indemnity' and x.payer == line.payer])
        credited = defaultdict(Decimal)
        for credit in InvoiceLine._of_origins(lines):
            credited[credit.origin.id] += credit.amount
        credit = self._credit_of(
            [(x, x.amount + credited[x.id]) for x in lines], -line.amount)
        if credit:
            credit.comment = gettext(
                'training_abandon.msg_settlement_invoice_indemnity')
        return credit

    def _credit_of(self, invoiced, amount):
        """Return the credit note of the amount on the lines with what is left
        of them, or None when nothing is"""
        left = sum((x for _, x in invoiced), Decimal(0))
        to_credit = credits(left - amount, invoiced)
        if not to_credit:
            return None
        credit = to_credit[0][0].invoice._credit()
        credit.lines = [
            self._credit_line(origin, amount) for origin, amount in to_credit]
        credit.taxes = []
        credit.training_settlement = self
        credit.comment = self._comment(any(x.taxes for x, _ in to_credit))
        credit.description = None
        return credit

    def _credit_line(self, origin, amount):
        line = origin._credit()
        line.quantity = -1
        line.unit_price = amount
        line.description = '\n'.join([
                gettext(
                    'training_abandon.msg_settlement_invoice_credits',
                    number=origin.invoice.number,
                    date=_date(origin.invoice.invoice_date)),
                *self._references(origin.invoice.party)])
        return line

    def _invoice(self, line, invoice_line):
        pool = Pool()
        Invoice = pool.get('account.invoice')
        invoice = Invoice(
            company=self.company, type='out', party=line.payer,
            currency=self.currency, training_settlement=self)
        invoice.on_change_type()
        invoice.on_change_party()
        if not invoice.invoice_address:
            raise SettlementError(gettext(
                    'training_abandon.msg_settlement_no_address',
                    party=line.payer.rec_name))
        invoice.lines = [invoice_line]
        invoice.comment = (
            gettext('training_abandon.msg_settlement_invoice_indemnity')
            if line.kind == 'indemnity'
            else self._comment(invoice_line.taxes))
        return invoice

    def _training_line(self, line):
        "Return the line of what is left to invoice to the payer"
        invoice_line = self._product_line(line, 'training_product')
        invoice_line.origin = self.enrolment
        invoice_line.description = '\n'.join(self._references(line.payer))
        return invoice_line

    def _indemnity_line(self, line):
        "Return the line of the indemnity, or None as long as it has no tax"
        tax = self._configured('indemnity_tax')
        if not tax:
            return None
        invoice_line = self._product_line(line, 'indemnity_product')
        if tax == 'none':
            invoice_line.taxes = []
        invoice_line.origin = line
        invoice_line.description = '\n'.join([
                gettext('training_abandon.msg_settlement_invoice_indemnity'),
                *self._references(line.payer)])
        return invoice_line

    def _product_line(self, line, name):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        InvoiceLine = pool.get('account.invoice.line')
        product = self._configured(name)
        if not product:
            raise SettlementError(gettext(
                    'training_abandon.msg_settlement_no_product',
                    **Configuration.__names__(name)))
        invoice_line = InvoiceLine(
            type='line', company=self.company, currency=self.currency,
            party=line.payer, invoice_type='out', product=product,
            quantity=1, unit_price=line.amount, taxes=[], unit=None)
        invoice_line.on_change_product()
        if not getattr(invoice_line, 'account', None):
            raise SettlementError(gettext(
                    'training_abandon.msg_settlement_no_account',
                    product=product.rec_name))
        return invoice_line

    def _configured(self, name):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        return Configuration(1).get_multivalue(name, company=self.company.id)

    def _comment(self, taxes):
        return None if taxes else gettext(
            'training_abandon.msg_settlement_invoice_exempt')

    def _references(self, payer):
        "Return the words that the documents repeat, and never the reason"
        pool = Pool()
        Certificate = pool.get('training.completion_certificate')
        enrolment = self.enrolment
        session = enrolment.session
        values = {
            'course': session.course.name,
            'session': session.number or '',
            'start': _date(session.start_date),
            'end': _date(session.end_date),
            'trainee': enrolment.trainee.party.name,
            'planned': hours_name(self.planned),
            'done': hours_name(self.done),
            'date': _date(self.effective_date),
            'agreement': enrolment.agreement_reference,
            'file': ', '.join(
                f.file_number for f in enrolment.fundings
                if f.funder == payer and f.file_number),
            }
        names = ['session', 'trainee', 'hours']
        if self.done:
            names.append('partial')
        certificate = Certificate.valid([enrolment]).get(enrolment)
        if certificate:
            values['certificate'] = certificate.number
            names.append('certificate')
        names += [n for n in ['agreement', 'file'] if values[n]]
        return [
            gettext(
                f'training_abandon.msg_settlement_invoice_{name}', **values)
            for name in names]


def _paid(line):
    "Return the part of the amount of the line that is paid"
    invoice = line.invoice
    if line.amount < 0 or not invoice.total_amount:
        return Decimal(0)
    paid = 1 - invoice.amount_to_pay / invoice.total_amount
    return invoice.currency.round(line.amount * paid)


def _language(party):
    pool = Pool()
    Configuration = pool.get('ir.configuration')
    return party.lang.code if party.lang else Configuration.get_language()


def _date(date):
    pool = Pool()
    Lang = pool.get('ir.lang')
    return Lang.get().strftime(date) if date else ''
