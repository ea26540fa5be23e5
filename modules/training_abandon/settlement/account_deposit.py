# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The deposits that the invoices of the settlements recall"
from sql import Cast, Literal, Null, Union
from sql.aggregate import Min

from trytond.pool import Pool, PoolMeta


class InvoiceLine(metaclass=PoolMeta):
    __name__ = 'account.invoice.line'

    @classmethod
    def enrolments_query(cls):
        query = super().enrolments_query()
        return Union(query, cls._recalls_query(), all_=True)

    @classmethod
    def _recalls_query(cls):
        """Return the query of the lines by which the invoices of an enrolment
        recall its deposits and that do not say which"""
        pool = Pool()
        Account = pool.get('account.account')
        AccountType = pool.get('account.account.type')
        Attached = pool.get('training.enrolment.invoice_line')
        Invoice = pool.get('account.invoice')
        recall, beside, deposit = (cls.__table__() for _ in range(3))
        recalling, paid = Invoice.__table__(), Invoice.__table__()
        account, type_ = Account.__table__(), AccountType.__table__()
        known = super().enrolments_query()
        deposits = super().enrolments_query()
        attached = Attached.__table__()
        price = Cast(recall.unit_price, cls.unit_price.sql_type().base)
        return (recall
            .join(account, condition=account.id == recall.account)
            .join(type_, condition=type_.id == account.type)
            .join(recalling, condition=recalling.id == recall.invoice)
            .join(beside, condition=beside.invoice == recall.invoice)
            .join(known, condition=known.line == beside.id)
            .join(deposits, condition=deposits.enrolment == known.enrolment)
            .join(deposit,
                condition=(deposit.id == deposits.line)
                & (deposit.account == recall.account))
            .join(paid,
                condition=(paid.id == deposit.invoice)
                & (paid.party == recalling.party))
            .select(
                recall.id.as_('line'),
                Min(known.enrolment).as_('enrolment'),
                Literal(False).as_('indemnity'),
                where=(recall.type == 'line')
                & (recall.origin == Null)
                & ((recall.quantity < 0) != (price < 0))
                & type_.deposit
                & ~recall.id.in_(attached.select(attached.line)),
                group_by=[recall.id]))

    @classmethod
    def credits_of(cls, lines):
        credited = super().credits_of(lines)
        for recall in cls._recalls(lines):
            deposits = [
                x for x in lines
                if x.account == recall.account
                and x.invoice.party == recall.invoice.party]
            if deposits:
                credited[max(
                        deposits, key=lambda x: x.amount + sum(
                            c.amount for c in credited[x.id])
                        ).id].append(recall)
        return credited

    @staticmethod
    def _recalls(lines):
        """Return the lines by which the invoices recall deposits and that do
        not say which: those of the button of Tryton."""
        return [
            x for invoice in dict.fromkeys(x.invoice for x in lines)
            for x in invoice.lines
            if x.type == 'line' and not x.origin and x.amount < 0
            and x.account.type.deposit]


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
