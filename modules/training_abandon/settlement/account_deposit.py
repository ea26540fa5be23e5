# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The deposits that the invoices of the settlements recall"
from trytond.pool import Pool, PoolMeta


class Settlement(metaclass=PoolMeta):
    __name__ = 'training.abandon.settlement'

    def _training_lines(self, training, invoiced):
        lines = super()._training_lines(training, invoiced)
        recalls = [
            self._recall_line(line, left) for line, left in invoiced
            if left > 0 and line.account.type.deposit]
        training.unit_price -= sum(x.unit_price for x in recalls)
        return lines + recalls

    def _recall_line(self, deposit, left):
        "Return the line that takes back what is left of the deposit"
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        return InvoiceLine(
            type='line', company=self.company, currency=self.currency,
            party=deposit.invoice.party, invoice_type='out', quantity=1,
            account=deposit.account, unit_price=-left, taxes=deposit.taxes,
            origin=deposit,
            description=self._invoice_words('deposit', deposit.invoice))
