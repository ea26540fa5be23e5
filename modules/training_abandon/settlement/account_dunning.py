# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Nobody is dunned for what a draft credit note takes back"
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction


class Dunning(metaclass=PoolMeta):
    __name__ = 'account.dunning'

    @classmethod
    def _overdue_line_domain(cls, date):
        return [
            super()._overdue_line_domain(date),
            ['OR',
                ('move.origin', '=', None),
                ('move.origin', 'not in', [
                        str(i) for i in cls._credited_invoices()]),
                ],
            ]

    @classmethod
    def generate_dunnings(cls, date=None):
        held = [i.id for i in cls._credited_invoices()]
        with Transaction().set_context(training_credited_invoices=held):
            super().generate_dunnings(date=date)

    @classmethod
    def process(cls, dunnings):
        credited = set(cls._credited_invoices())
        super().process([
                d for d in dunnings if d.line.move.origin not in credited])

    @classmethod
    def _credited_invoices(cls):
        "Return the invoices of which a settlement has a draft credit note"
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        lines = InvoiceLine.search([
                ('invoice.training_settlement.withdrawn', '=', False),
                ('invoice.state', 'in', ['draft', 'validated']),
                ('quantity', '<', 0),
                ])
        return list({
                x.origin.invoice for x in lines
                if isinstance(x.origin, InvoiceLine)})


class Level(metaclass=PoolMeta):
    __name__ = 'account.dunning.level'

    def test(self, line, date):
        pool = Pool()
        Invoice = pool.get('account.invoice')
        held = Transaction().context.get('training_credited_invoices', [])
        origin = line.move.origin
        return (
            not (isinstance(origin, Invoice) and origin.id in held)
            and super().test(line, date))
