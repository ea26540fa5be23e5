# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The draft invoices and credit notes of the settlements"
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

from sql import Cast, Literal, Null, Union, With
from sql.conditionals import Coalesce
from sql.operators import Concat

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.modules.company.model import CompanyValueMixin
from trytond.modules.currency.fields import Monetary
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import SettlementError, SettlementWithdrawnWarning
from ..training.enrolment import hours_name
from .calculation import credits, half_up, tax_rate
from .terms import Invoiced, invoiced_by_payer

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


def other_product():
    "Return the domain of what is never invoiced for the training"
    return [
        If(Eval('training_product'),
            ('id', '!=', Eval('training_product', -1)),
            ()),
        ]


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
            domain=other_product(),
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
        "Indemnity Product", Eval('company', -1), depends={'company'},
        domain=other_product())
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
    def check_modification(cls, mode, invoices, values=None, external=False):
        super().check_modification(
            mode, invoices, values=values, external=external)
        if not external:
            return
        for invoice in invoices:
            if (mode == 'create' and invoice.training_settlement
                    or mode == 'write' and 'training_settlement' in values):
                raise AccessError(gettext(
                        'training_abandon.msg_settlement_invoice_modify',
                        invoice=invoice.rec_name))

    @classmethod
    def post(cls, invoices):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        withdrawn = [
            i for i in invoices
            if i.training_settlement and i.training_settlement.withdrawn]
        if withdrawn:
            key = Warning.format('training_settlement_withdrawn', withdrawn)
            if Warning.check(key):
                raise SettlementWithdrawnWarning(key, gettext(
                        'training_abandon.msg_settlement_withdrawn',
                        invoices=tools.names(withdrawn)))
        super().post(invoices)

    @classmethod
    def copy(cls, invoices, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('training_settlement')
        return super().copy(invoices, default=default)


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    invoice_lines = fields.One2Many(
        'account.invoice.line', 'origin', "Invoice Lines", readonly=True,
        help="The lines that invoice the enrolment.")
    attached_lines = fields.One2Many(
        'training.enrolment.invoice_line', 'enrolment',
        "Attached Invoice Lines", readonly=True,
        help="The lines of invoices made otherwise that invoice the "
        "enrolment.")

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('invoice_lines')
        default.setdefault('attached_lines')
        return super().copy(enrolments, default=default)


class InvoiceLine(metaclass=PoolMeta):
    __name__ = 'account.invoice.line'

    training_attached = fields.One2Many(
        'training.enrolment.invoice_line', 'line', "Attached to", size=1,
        readonly=True,
        help="The enrolment that the line invoices, if it is not its origin.")

    @classmethod
    def _get_origin(cls):
        return super()._get_origin() + [
            'training.enrolment', 'training.abandon.settlement.line']

    @classmethod
    def of_enrolments(cls, enrolments):
        """Return by id of the enrolments the lines that invoice them, the
        oldest first, and by id of these lines those that credit them."""
        companies = {e.id: e.company for e in enrolments}
        # What is attached may have the enrolment as origin since
        lines = [
            (id_, x) for x, id_ in {
                x: id_ for id_, x in cls._of_enrolments(enrolments)}.items()
            if x.invoice.company == companies[id_]]
        invoiced = defaultdict(list)
        for id_, line in sorted(lines, key=lambda x: _age(x[1])):
            invoiced[id_].append(line)
        return invoiced, cls.credits_of([x for _, x in lines])

    @classmethod
    def _of_enrolments(cls, enrolments, states=INVOICED_STATES):
        """Yield the (id of enrolment, line) whose origin is the enrolment or
        that are attached to it."""
        pool = Pool()
        Attached = pool.get('training.enrolment.invoice_line')
        for line in cls._of_origins(enrolments, states):
            yield line.origin.id, line
        for sub_enrolments in grouped_slice(list(enrolments), tools.BATCH):
            for attached in Attached.search([
                        ('enrolment', 'in', [e.id for e in sub_enrolments]),
                        ('line.invoice.state', 'in', states),
                        ]):
                yield attached.enrolment.id, attached.line

    @classmethod
    def credits_of(cls, lines):
        """Return by id of the lines those that credit them, those that credit
        the latter, and so on."""
        credited = defaultdict(list)
        roots = {x.id: x.id for x in lines}
        while lines:
            lines = [x for x in cls._of_origins(lines) if x.id not in roots]
            for line in lines:
                root = roots[line.id] = roots[line.origin.id]
                credited[root].append(line)
        return credited

    @classmethod
    def _of_origins(cls, origins, states=INVOICED_STATES):
        lines = []
        for sub_origins in grouped_slice(list(origins), tools.BATCH):
            lines += cls.search([
                    ('origin', 'in', list(map(str, sub_origins))),
                    ('type', '=', 'line'),
                    ('invoice.type', '=', 'out'),
                    ('invoice.state', 'in', states),
                    ])
        return sorted(lines, key=_age)

    @classmethod
    def enrolments_query(cls):
        """Return the query of the lines that invoice the enrolments, or an
        indemnity of them, and of those that credit these"""
        known = With('line', 'enrolment', 'indemnity', recursive=True)
        credit = cls.__table__()
        known.query = Union(*cls._roots(), all_=True)
        known.query |= (credit
            .join(known,
                condition=credit.origin == cls._sql_name(cls, known.line))
            .select(credit.id, known.enrolment, known.indemnity,
                where=credit.type == 'line'))
        return known.select(
            known.line.as_('line'),
            known.enrolment.as_('enrolment'),
            known.indemnity.as_('indemnity'),
            with_=[known])

    @classmethod
    def _roots(cls):
        "Return the queries of the lines that credit no other"
        pool = Pool()
        Attached = pool.get('training.enrolment.invoice_line')
        Settlement = pool.get('training.abandon.settlement')
        SettlementLine = pool.get('training.abandon.settlement.line')
        line, attached = cls.__table__(), Attached.__table__()
        yield (line
            .join(attached, 'LEFT', condition=attached.line == line.id)
            .select(
                line.id,
                Coalesce(
                    attached.enrolment, cls.origin.sql_id(line.origin, cls)),
                Literal(False),
                where=(line.type == 'line')
                & (line.origin.like('training.enrolment,%')
                    | (attached.id != Null))))
        line, settlement = cls.__table__(), Settlement.__table__()
        asked = SettlementLine.__table__()
        yield (line
            .join(asked,
                condition=line.origin == cls._sql_name(
                    SettlementLine, asked.id))
            .join(settlement, condition=settlement.id == asked.settlement)
            .select(
                line.id, settlement.enrolment, Literal(True),
                where=line.type == 'line'))

    @classmethod
    def _sql_name(cls, Model, id_):
        "Return the SQL expression of the reference to the record"
        return Concat(
            f'{Model.__name__},', Cast(id_, cls.origin.sql_type().base))

    @classmethod
    def posted_query(cls, company, start=None, end=None):
        """Return the query of the lines of the enrolments posted between the
        dates, with their amounts in the currency of the company

        An invoice that a credit note cancels counts as well as the credit
        note, each at its date."""
        pool = Pool()
        Invoice = pool.get('account.invoice')
        MoveLine = pool.get('account.move.line')
        known, line = cls.enrolments_query(), cls.__table__()
        invoice, move_line = Invoice.__table__(), MoveLine.__table__()
        refund = Invoice.__table__()
        where = (
            (invoice.company == company)
            & (invoice.type == 'out')
            & (invoice.state.in_(['posted', 'paid'])
                | ((invoice.state == 'cancelled')
                    & invoice.cancel_move.in_(
                        refund.select(refund.move)))))
        if start:
            where &= invoice.invoice_date >= start
        if end:
            where &= invoice.invoice_date <= end
        return (known
            .join(line, condition=line.id == known.line)
            .join(invoice, condition=invoice.id == line.invoice)
            .join(move_line,
                condition=(move_line.move == invoice.move)
                & (move_line.origin == cls._sql_name(cls, line.id)))
            .select(
                known.line.as_('line'),
                known.enrolment.as_('enrolment'),
                known.indemnity.as_('indemnity'),
                invoice.party.as_('payer'),
                (move_line.credit - move_line.debit).as_('amount'),
                where=where))

    @property
    def is_indemnity(self):
        "If it invoices an indemnity, or credits one"
        pool = Pool()
        SettlementLine = pool.get('training.abandon.settlement.line')
        origin = self.origin
        while isinstance(origin, self.__class__):
            origin = origin.origin
        return isinstance(origin, SettlementLine)


class SettlementLine(metaclass=PoolMeta):
    __name__ = 'training.abandon.settlement.line'

    refund = fields.Function(
        Monetary(
            "To Refund", currency='currency', digits='currency',
            help="What the payer has paid above what remains invoiced, taxes "
            "included; an indemnity is never taken from it."),
        'get_refund')

    @classmethod
    def get_refund(cls, lines, name):
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        left = Settlement.left_to_pay(list({x.settlement for x in lines}))
        return {
            x.id: None if x.kind in {'indemnity', 'carried'}
            else x.currency.round(max(-left[x.settlement, x.payer], 0))
            for x in lines}


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

    def asked(self, invoiced):
        documents = self._documents()
        can_be_made = not self.withdrawn and self._is_left(
            invoiced, documents)
        result = []
        for line, amount in super().asked(invoiced):
            made = documents.get(line.document_key)
            if made is None:
                amount = amount if can_be_made else amount * 0
            elif line.kind == 'indemnity':
                amount = sum((x.amount for x in made), amount * 0)
            else:
                amount = sum((
                        x.amount for x in made if x.invoice.state == 'draft'),
                    amount * 0)
            result.append((line, amount))
        return result

    def _documents(self):
        """Return the lines of the documents that are made and not cancelled by
        payer and if they are of an indemnity."""
        result = defaultdict(list)
        for invoice in self.invoices:
            if invoice.state != 'cancelled':
                is_indemnity = any(x.is_indemnity for x in invoice.lines)
                result[invoice.party, is_indemnity] += [
                    x for x in invoice.lines if x.type == 'line']
        return dict(result)

    def _to_make(self):
        "Return the lines of which no document is made yet"
        documents = self._documents()
        return [
            x for x in self.lines
            if x.kind in {'invoice', 'credit', 'indemnity'} and x.amount
            and x.document_key not in documents]

    def _is_left(self, invoiced, documents):
        """Return if the payers were invoiced, where no document is made yet,
        what they were when the settlement was made."""
        made = {payer for payer, is_indemnity in documents if not is_indemnity}
        lines = {
            x.payer: x for x in self.lines
            if x.kind not in {'indemnity', 'carried'}}
        if not any(
                x.amount for payer, x in lines.items() if payer not in made):
            return True
        return all(
            invoiced.get(p, 0) == (lines[p].invoiced if p in lines else 0)
            for p in (invoiced.keys() | lines.keys()) - made)

    @classmethod
    def invoiced(cls, enrolments):
        result = defaultdict(list, super().invoiced(enrolments))
        lines = cls._invoiced_lines(enrolments)
        for enrolment in enrolments:
            for line, credited in lines[enrolment.id]:
                amounts = [line, *credited]
                invoice = line.invoice
                if invoice.currency != enrolment.currency:
                    if not sum(x.amount for x in amounts):
                        continue
                    raise SettlementError(gettext(
                            'training_abandon.msg_settlement_currency',
                            invoice=invoice.rec_name,
                            currency=enrolment.currency.rec_name))
                result[enrolment.id] += [
                    Invoiced(
                        x.invoice.party, x.amount, x.invoice.invoice_date,
                        _paid(x))
                    for x in amounts]
        return dict(result)

    @classmethod
    def left_to_pay(cls, settlements):
        """Return by settlement and payer what is left to pay, taxes included,
        of what is invoiced and of the drafts, indemnities apart: it is
        negative when more is paid than remains invoiced."""
        invoiced = cls._invoiced_lines({s.enrolment for s in settlements})
        result = defaultdict(Decimal)
        for settlement in settlements:
            lines = [
                x for line, credited in invoiced[settlement.enrolment.id]
                for x in [line, *credited]]
            lines += [
                x for i in settlement.invoices if i.state == 'draft'
                for x in i.lines if not x.is_indemnity]
            for line in lines:
                if line.invoice.currency == settlement.currency:
                    result[settlement, line.invoice.party] += (
                        _left_to_pay(line))
        return result

    @classmethod
    def _invoiced_lines(cls, enrolments):
        """Return by id of the enrolments the lines that count for them, the
        oldest first, each with those that credit it."""
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        counted = cls._counted_enrolments(enrolments)
        lines, credited = InvoiceLine.of_enrolments(
            list({e for enrolments in counted.values() for e in enrolments}))
        return {
            id_: [
                (x, credited[x.id]) for e in reversed(enrolments)
                for x in lines[e.id]]
            for id_, enrolments in counted.items()}

    @classmethod
    def _counted_enrolments(cls, enrolments):
        """Return by id the enrolments themselves and those from which their
        trainees were transferred, of which the invoices count for them."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        transferred = defaultdict(list)
        found = list(enrolments)
        while found:
            cases = []
            for sub_enrolments in grouped_slice(found, tools.BATCH):
                cases += Case.search([
                        ('new_enrolment', 'in', [
                                e.id for e in sub_enrolments]),
                        ('decision', '=', 'validated'),
                        ('ground', '=', 'transfer'),
                        ('state', '!=', 'cancelled'),
                        ], order=[])
            for case in cases:
                transferred[case.new_enrolment.id].append(case.enrolment)
            found = [c.enrolment for c in cases]
        result = {}
        for enrolment in enrolments:
            counted = result[enrolment.id] = [enrolment]
            for each in counted:
                counted += transferred[each.id]
        return result

    @classmethod
    @ModelView.button
    def invoice(cls, settlements):
        """Make the draft documents of the settlements, that are posted, and
        return the action that opens them"""
        pool = Pool()
        Action = pool.get('ir.action')
        Invoice = pool.get('account.invoice')
        ModelData = pool.get('ir.model.data')
        cls.keep(settlements)
        settlements = cls.browse(settlements)
        cls.post([s for s in settlements if s.state == 'draft'])
        settlements = [
            s for s in cls.browse(settlements)
            if s.state == 'posted' and not s.withdrawn and s._to_make()]
        cls._check_drafts(settlements)
        cls._check_invoiced(settlements)
        creditable = cls._creditable(settlements)
        configured = cls._configured(settlements)
        invoices, held = [], []
        for settlement in settlements:
            for line in settlement._to_make():
                with Transaction().set_context(
                        language=tools.language_of(line.payer),
                        company=settlement.company.id):
                    if invoice := settlement._make(
                            line, creditable, configured[settlement.company]):
                        invoices.append(invoice)
                    else:
                        held.append(settlement)
        Invoice.save(invoices)
        Invoice.update_taxes(invoices)
        cls._check_taxes(invoices)
        for settlement in dict.fromkeys(held):
            cls.notify_user(
                [settlement], 'tryton-warning', gettext(
                    'training_abandon.msg_settlement_indemnity_held',
                    settlement=settlement.rec_name))
        if invoices and tools.may_read(Invoice):
            action = Action(Action.get_action_id(ModelData.get_id(
                        'training_abandon', 'act_settlement_invoices'))
                ).get_action_value()
            action['res_id'] = [i.id for i in invoices]
            return action

    @classmethod
    def _check_drafts(cls, settlements):
        "Check that no draft made otherwise waits for the enrolments"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Invoice = pool.get('account.invoice')
        InvoiceLine = pool.get('account.invoice.line')
        enrolments = list({
                e for counted in cls._counted_enrolments(
                    {s.enrolment for s in settlements}).values()
                for e in counted})
        for id_, line in InvoiceLine._of_enrolments(enrolments, ['draft']):
            if not line.invoice.training_settlement:
                raise SettlementError(gettext(
                        'training_abandon.msg_settlement_draft',
                        invoice=line.invoice.rec_name,
                        enrolment=Enrolment(id_).rec_name))
        drafts = defaultdict(set)
        for invoice in Invoice.search([
                    ('training_settlement.enrolment', 'in',
                        [e.id for e in enrolments]),
                    ('state', '=', 'draft'),
                    ]):
            settlement = invoice.training_settlement
            drafts[settlement.enrolment].add(settlement)
        for settlement in settlements:
            if drafts[settlement.enrolment] - {settlement}:
                settlement._refuse_invoiced_since()

    @classmethod
    def _check_invoiced(cls, settlements):
        "Check that nothing was invoiced since the settlements were made"
        invoiced = cls.invoiced([s.enrolment for s in settlements])
        for settlement in settlements:
            by_payer = invoiced_by_payer(
                invoiced.get(settlement.enrolment.id, []))
            if not settlement._is_left(by_payer, settlement._documents()):
                settlement._refuse_invoiced_since()

    def _refuse_invoiced_since(self):
        raise SettlementError(gettext(
                'training_abandon.msg_settlement_invoiced_since',
                settlement=self.rec_name))

    @classmethod
    def _check_taxes(cls, invoices):
        """Check that what is invoiced of a price that the agreement says with
        its taxes has these"""
        for invoice in invoices:
            enrolment = invoice.training_settlement.enrolment
            included = enrolment.price_tax_included
            if (not included
                    # Who has other taxes than those of the agreement
                    or invoice.party.customer_tax_rule
                    or [x.origin for x in invoice.lines] != [enrolment]):
                continue
            rate = tax_rate(enrolment.price, included)
            digits = invoice.currency.digits
            tax = half_up(Fraction(invoice.untaxed_amount) * rate, digits)
            if abs(tax - invoice.tax_amount) > invoice.currency.rounding:
                raise SettlementError(gettext(
                        'training_abandon.msg_settlement_tax_included',
                        payer=invoice.party.rec_name,
                        enrolment=enrolment.rec_name))

    @classmethod
    def _creditable(cls, settlements):
        """Return what is left of the lines of the invoices, the oldest first,
        by settlement, payer and if they are of an indemnity"""
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        result = defaultdict(list)
        invoiced = cls._invoiced_lines([s.enrolment for s in settlements])
        posted = cls._posted([s.case for s in settlements])
        lines = InvoiceLine._of_origins([
                x for by_case in posted.values() for s in by_case
                for x in s.lines if x.kind == 'indemnity'])
        credited = InvoiceLine.credits_of(lines)
        indemnities = defaultdict(list)
        for line in lines:
            indemnities[line.origin.settlement.case].append(
                (line, credited[line.id]))
        for settlement in settlements:
            for is_indemnity, lines in enumerate([
                        invoiced[settlement.enrolment.id],
                        indemnities[settlement.case]]):
                for line, credits_ in lines:
                    left = line.amount + sum(x.amount for x in credits_)
                    result[
                        settlement, line.invoice.party, bool(is_indemnity)
                        ].append((line, left))
        return result

    def _make(self, line, creditable, configured):
        "Return the document of the line, or None as long as it is held"
        if line.amount < 0:
            credit = self._credit(
                creditable[(self, *line.document_key)], -line.amount)
            if line.kind == 'indemnity':
                credit.comment = gettext(
                    'training_abandon.msg_settlement_invoice_indemnity')
            return credit
        if line.kind == 'indemnity':
            indemnity = self._indemnity_line(line, configured)
            return self._invoice(line, [indemnity]) if indemnity else None
        training = self._training_line(line, configured)
        return self._invoice(
            line, self._training_lines(
                training, creditable[(self, *line.document_key)]))

    def _credit(self, invoiced, amount):
        """Return the credit note of the amount on the lines with what is left
        of them."""
        left = sum((x for _, x in invoiced), Decimal(0))
        to_credit = credits(left - amount, invoiced)
        if sum(x for _, x in to_credit) != amount:
            self._refuse_invoiced_since()
        for line, _ in to_credit:
            if line.invoice.state == 'validated':
                raise SettlementError(gettext(
                        'training_abandon.msg_settlement_validated',
                        invoice=line.invoice.rec_name))
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
                self._invoice_words('credits', origin.invoice),
                *self._references(origin.invoice.party)])
        return line

    def _invoice(self, line, invoice_lines):
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
        invoice.lines = invoice_lines
        invoice.comment = (
            gettext('training_abandon.msg_settlement_invoice_indemnity')
            if line.kind == 'indemnity'
            else self._comment(any(x.taxes for x in invoice_lines)))
        return invoice

    def _training_line(self, line, configured):
        "Return the line of what is left to invoice to the payer"
        invoice_line = self._product_line(
            line, 'training_product', configured)
        invoice_line.origin = self.enrolment
        invoice_line.description = '\n'.join(self._references(line.payer))
        return invoice_line

    def _training_lines(self, training, invoiced):
        """Hook that returns the lines of the invoice of what is left.

        invoiced are the (line, amount left) of what the payer was invoiced."""
        return [training]

    def _indemnity_line(self, line, configured):
        "Return the line of the indemnity, or None as long as it has no tax"
        tax = configured['indemnity_tax']
        if not tax:
            return None
        invoice_line = self._product_line(
            line, 'indemnity_product', configured)
        if tax == 'none':
            invoice_line.taxes = []
        invoice_line.origin = line
        invoice_line.description = '\n'.join([
                gettext('training_abandon.msg_settlement_invoice_indemnity'),
                *self._references(line.payer)])
        return invoice_line

    def _product_line(self, line, name, configured):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        InvoiceLine = pool.get('account.invoice.line')
        product = configured[name]
        if not product:
            raise SettlementError(gettext(
                    'training_abandon.msg_settlement_no_product',
                    **Configuration.__names__(name)))
        invoice_line = InvoiceLine(
            type='line', company=self.company, currency=self.currency,
            party=line.payer, invoice_type='out', product=product,
            quantity=1, unit_price=line.amount, taxes=[], unit=None)
        invoice_line.on_change_product()
        return invoice_line

    @classmethod
    def _configured(cls, settlements):
        "Return by company what is configured of the documents, by name"
        pool = Pool()
        Configuration = pool.get('training.configuration')
        configuration = Configuration(1)
        result = {}
        for company in {s.company for s in settlements}:
            with Transaction().set_context(company=company.id):
                result[company] = {
                    n: configuration.get_multivalue(n, company=company.id)
                    for n in VALUES}
        return result

    def _invoice_words(self, name, invoice):
        "Return the words that name the invoice that the line is about"
        return gettext(
            f'training_abandon.msg_settlement_invoice_{name}',
            number=invoice.number, date=_date(invoice.invoice_date))

    def _comment(self, taxes):
        return None if taxes else gettext(
            'training_abandon.msg_settlement_invoice_exempt')

    def _references(self, payer):
        "Return the words that the documents repeat, and never the reason"
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
        if self.done and self.done < self.planned:
            names.append('partial')
        certificate = next((
                c for c in enrolment.completion_certificates
                if not c.replaced_by and not c.voided_at), None)
        if certificate:
            values['certificate'] = certificate.number
            names.append('certificate')
        names += [n for n in ['agreement', 'file'] if values[n]]
        return [
            gettext(
                f'training_abandon.msg_settlement_invoice_{name}', **values)
            for name in names]


def _age(line):
    return str(line.invoice.invoice_date), line.id


def _paid(line):
    "Return the part of the amount of the line that is paid"
    invoice = line.invoice
    if (line.amount < 0 or not invoice.total_amount
            or invoice.state not in {'posted', 'paid'}):
        return Decimal(0)
    paid = 1 - invoice.amount_to_pay / invoice.total_amount
    return invoice.currency.round(line.amount * paid)


def _left_to_pay(line):
    "Return the part of what is left to pay that is of the line"
    invoice = line.invoice
    if not invoice.untaxed_amount:
        return Decimal(0)
    left = (
        invoice.amount_to_pay if invoice.state in {'posted', 'paid'}
        else invoice.total_amount)
    return left * line.amount / invoice.untaxed_amount


def _date(date):
    pool = Pool()
    Lang = pool.get('ir.lang')
    return Lang.get().strftime(date) if date else ''
