# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The invoices made elsewhere that invoice an enrolment"
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..exceptions import AgreementError
from ..rec_name import search_names
from .account import INVOICED_STATES


def line_domain(company, currency):
    "Return the domain of the lines that may be attached"
    return [
        ('type', '=', 'line'),
        ('invoice.type', '=', 'out'),
        ('invoice.state', 'in', INVOICED_STATES),
        ('invoice.company', '=', company),
        ('invoice.currency', '=', currency),
        ('origin', '=', None),
        ]


class InvoiceLineAttached(ModelSQL, ModelView):
    __name__ = 'training.enrolment.invoice_line'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, readonly=True,
        ondelete='RESTRICT', help="The enrolment that the line invoices.")
    company = fields.Function(
        fields.Many2One('company.company', "Company"),
        'on_change_with_company', searcher='search_company')
    currency = fields.Function(
        fields.Many2One('currency.currency', "Currency"),
        'on_change_with_currency')
    line = fields.Many2One(
        'account.invoice.line', "Invoice Line", required=True, readonly=True,
        ondelete='RESTRICT',
        domain=line_domain(Eval('company', -1), Eval('currency', -1)),
        help="The line of an invoice whose origin is not the enrolment.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('enrolment')
        t = cls.__table__()
        cls._sql_constraints += [
            ('line_unique', Unique(t, t.line),
                'training_abandon.msg_invoice_line_attached_unique'),
            ]

    @fields.depends('enrolment', '_parent_enrolment.company')
    def on_change_with_company(self, name=None):
        return self.enrolment.company if self.enrolment else None

    @fields.depends('enrolment', '_parent_enrolment.currency')
    def on_change_with_currency(self, name=None):
        return self.enrolment.currency if self.enrolment else None

    @classmethod
    def search_company(cls, name, clause):
        return [('enrolment.' + clause[0], *clause[1:])]

    def get_rec_name(self, name):
        return f'{self.line.rec_name} - {self.enrolment.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(
            cls, clause, 'line.rec_name', 'enrolment.rec_name')

    @classmethod
    def check_modification(cls, mode, records, values=None, external=False):
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        super().check_modification(
            mode, records, values=values, external=external)
        if mode == 'create':
            return
        settled = Settlement.search([
                ('enrolment', 'in', [r.enrolment.id for r in records]),
                ('state', '=', 'posted'),
                ], limit=1)
        for settlement in settled:
            raise AccessError(gettext(
                    'training_abandon.msg_invoice_line_attached_settled',
                    settlement=settlement.rec_name))


class AttachInvoices(Wizard):
    __name__ = 'training.enrolment.attach_invoices'

    start = StateView(
        'training.enrolment.attach_invoices.start',
        'training_abandon.attach_invoices_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Attach", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    @property
    def enrolment(self):
        if len(self.records) != 1:
            raise AgreementError(gettext(
                    'training_abandon.msg_attach_invoices_one'))
        record, = self.records
        if record.__name__ == 'training.abandon.case':
            return record.enrolment
        return record

    def default_start(self, fields):
        enrolment = self.enrolment
        return {
            'enrolment': enrolment.id,
            'company': enrolment.company.id,
            'currency': enrolment.currency.id,
            'payers': [p.id for p in enrolment.payers],
            }

    def transition_apply(self):
        pool = Pool()
        Attached = pool.get('training.enrolment.invoice_line')
        InvoiceLine = pool.get('account.invoice.line')
        enrolment = self.enrolment
        with check_access():
            lines = InvoiceLine.search([
                    ('id', 'in', [x.id for x in self.start.lines]),
                    line_domain(enrolment.company.id, enrolment.currency.id),
                    ('invoice.party', 'in', [p.id for p in enrolment.payers]),
                    ('training_attached', '=', None),
                    ])
        if len(lines) < len(self.start.lines):
            raise AgreementError(gettext(
                    'training_abandon.msg_attach_invoices_lines',
                    enrolment=enrolment.rec_name))
        Attached.create([
                {'enrolment': enrolment.id, 'line': x.id} for x in lines])
        return 'end'


class AttachInvoicesStart(ModelView):
    __name__ = 'training.enrolment.attach_invoices.start'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", readonly=True,
        help="The enrolment that the lines invoice.")
    company = fields.Many2One('company.company', "Company", readonly=True)
    currency = fields.Many2One(
        'currency.currency', "Currency", readonly=True)
    payers = fields.Many2Many(
        'party.party', None, None, "Payers", readonly=True)
    lines = fields.Many2Many(
        'account.invoice.line', None, None, "Invoice Lines",
        domain=[
            line_domain(Eval('company', -1), Eval('currency', -1)),
            ('invoice.party', 'in', Eval('payers', [])),
            ('training_attached', '=', None),
            ],
        required=True,
        help="The lines of the invoices that were made otherwise: they count "
        "as invoiced in the settlements of the enrolment.")
