# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the accountant of the demo makes of the abandonments"

from proteus import Wizard

from .account import TRAINING
from .work import CASE, ENROLMENT

# Whose agreements decide by themselves what is due
KINDS = ['agreement', 'contract']


class Settlements:
    "The invoices, the settlements and the certificates of completion"

    def __init__(self, demo):
        self.demo = demo

    def run(self):
        Case = self.demo.model(CASE, 'comptable')
        Enrolment = self.demo.model(ENROLMENT, 'comptable')
        cases = self.demo.search_read(CASE, [
                ('decision', '=', 'validated'),
                ('ground', '=', 'abandonment'),
                ('enrolment.agreement_kind', 'in', KINDS),
                ], 'enrolment')
        enrolments = [c['enrolment'] for c in cases]
        self.invoice(enrolments)
        Enrolment.click(
            [Enrolment(e) for e in enrolments], 'issue_completion')
        # The last one is left to do
        settle = Wizard(
            f'{CASE}.settle', [Case(c['id']) for c in cases[:-1]],
            config=self.demo.configs['comptable'])
        settle.execute('apply')
        self.credit()

    def invoice(self, enrolments):
        "Invoice the whole price when the training starts"
        Enrolment = self.demo.model(ENROLMENT, 'comptable')
        Party = self.demo.model('party.party', 'comptable')
        Product = self.demo.model('product.product', 'comptable')
        product, = Product.find([('name', '=', TRAINING)])
        for values in sorted(
                self.demo.search_read(
                    ENROLMENT, [('id', 'in', enrolments)], 'rec_name',
                    'price', 'session.start_date', 'trainee.party',
                    'fundings.funder'),
                key=start_date):
            funders = [f['funder'] for f in values['fundings.']]
            payer, = map(Party, funders or [values['trainee.']['party']])
            if not payer.addresses:
                payer.addresses.new(postal_code='06000', city="Nice")
                payer.save()
            invoice = self.demo.model('account.invoice', 'comptable')(
                type='out', party=payer, invoice_date=start_date(values))
            line = invoice.lines.new(origin=Enrolment(values['id']))
            line.product = product
            line.description = values['rec_name']
            line.quantity = 1
            line.unit_price = values['price']
            invoice.click('post')

    def credit(self):
        "Post the credit note of one settlement and prepare another one"
        Settlement = self.demo.model(
            'training.abandon.settlement', 'comptable')
        posted, draft = Settlement.find([], order=[('id', 'ASC')], limit=2)
        Settlement.click([posted, draft], 'invoice')
        for invoice in posted.invoices:
            invoice.click('post')


def start_date(values):
    return values['session.']['start_date']
