# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the accountant of the demo makes of the abandonments"

from proteus import Wizard

from .account import TRAINING
from .work import CASE, ENROLMENT

# Whose agreements decide by themselves what is due
KINDS = ['agreement', 'contract']
SETTLEMENT = 'training.abandon.settlement'


class Settlements:
    "The invoices, the settlements and the certificates of completion"

    def __init__(self, demo):
        self.demo = demo

    def run(self):
        Case = self.demo.model(CASE, 'comptable')
        Enrolment = self.demo.model(ENROLMENT, 'comptable')
        Settlement = self.demo.model(SETTLEMENT, 'comptable')
        cases = Case.find([
                ('decision', '=', 'validated'),
                ('ground', '=', 'abandonment'),
                ('enrolment.agreement_kind', 'in', KINDS),
                ], order=[('id', 'ASC')])
        enrolments = [Enrolment(c.enrolment.id) for c in cases]
        for enrolment in sorted(enrolments, key=start_date):
            self.invoice(enrolment)
        Enrolment.click(enrolments, 'issue_completion')
        # The last one is left to do
        settle = Wizard(
            f'{CASE}.settle', cases[:-1],
            config=self.demo.configs['comptable'])
        settle.execute('apply')
        # One credit note is posted, another one is to be posted
        for settlement, state in zip(
                Settlement.find([], limit=2), ['posted', 'draft']):
            settlement.click('invoice')
            if state == 'posted':
                for document in settlement.invoices:
                    document.click('post')

    def invoice(self, enrolment):
        "Invoice the whole price when the training starts"
        Invoice = self.demo.model('account.invoice', 'comptable')
        Product = self.demo.model('product.product', 'comptable')
        funder, = [f.funder for f in enrolment.fundings] or [None]
        invoice = Invoice(
            type='out', party=funder or enrolment.trainee.party,
            invoice_date=start_date(enrolment))
        line = invoice.lines.new(origin=enrolment)
        line.product, = Product.find([('name', '=', TRAINING)])
        line.description = enrolment.rec_name
        line.quantity = 1
        line.unit_price = enrolment.price
        invoice.click('post')


def start_date(enrolment):
    return enrolment.session.start_date
