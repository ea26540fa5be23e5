# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What was invoiced for the hours after the end of an abandoned training"
import datetime as dt

from sql import Cast, Literal, Null
from sql.aggregate import Max, Sum
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce, Least
from sql.functions import Extract, Round

from trytond.model import ModelSQL, ModelView, fields
from trytond.modules.currency.fields import Monetary
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

from ..attendance.evidence import ATTENDED
from .calculation import UNBILLED_KINDS


class Deferral(ModelSQL, ModelView):
    "Revenue of hours that were not given at the end of the period"
    __name__ = 'training.abandon.deferral'

    company = fields.Many2One('company.company', "Company")
    case = fields.Many2One('training.abandon.case', "Case")
    ground = fields.Function(
        fields.Selection('get_grounds', "Ground"), 'on_change_with_ground')
    effective_date = fields.Date(
        "Effective Date",
        help="The last day on which the trainee was expected.")
    invoiced = Monetary(
        "Invoiced", currency='currency', digits='currency',
        help="What was posted until the end of the period excluding taxes, "
        "less what was credited; the indemnities are apart.")
    due = Monetary(
        "Due", currency='currency', digits='currency',
        help="What is due for the hours done: by the settlement, or else by "
        "the hours attended until the effective date.\n"
        "It is empty when it cannot be calculated: settle the case, or "
        "calculate it by hand for an enrolment in another currency.")
    amount = Monetary(
        "To Defer", currency='currency', digits='currency',
        help="What was invoiced above what is due: prepaid income as long as "
        "it is neither credited nor delivered.")
    currency = fields.Many2One('currency.currency', "Currency")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('effective_date', 'ASC'),
            ('id', 'ASC'),
            ]

    @classmethod
    def get_grounds(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return Case.fields_get(['ground'])['ground']['selection']

    @fields.depends('case', '_parent_case.ground')
    def on_change_with_ground(self, name=None):
        return self.case.ground if self.case else None

    @classmethod
    def table_query(cls):
        pool = Pool()
        Context = pool.get('training.abandon.deferral.context')
        context = Transaction().context
        date = context.get('date')
        if not isinstance(date, dt.date):
            date = Context.default_date()
        cases = cls._cases(context.get('company') or -1, date)
        left = cases.invoiced - cases.due
        return cases.select(
            cases.case.as_('id'),
            cases.company,
            cases.case,
            cases.effective_date,
            cases.currency,
            cls.invoiced.sql_cast(cases.invoiced).as_('invoiced'),
            cls.due.sql_cast(cases.due).as_('due'),
            cls.amount.sql_cast(left).as_('amount'),
            where=(cases.invoiced > 0) & ((cases.due == Null) | (left > 0)))

    @classmethod
    def _cases(cls, company, date):
        """Return the query of the abandonments until the date with what was
        invoiced until then and is due"""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Company = pool.get('company.company')
        Currency = pool.get('currency.currency')
        Enrolment = pool.get('training.enrolment')
        case, enrolment = Case.__table__(), Enrolment.__table__()
        owner, currency = Company.__table__(), Currency.__table__()
        invoiced = cls._invoiced(company, date)
        settled = cls._settled()
        attended = cls._attended(company)
        due = SQLCase(
            (enrolment.currency != owner.currency, Null),
            else_=Coalesce(
                settled.due,
                cls._sql_due(enrolment, attended.seconds, currency)))
        return (case
            .join(enrolment, condition=enrolment.id == case.enrolment)
            .join(owner, condition=owner.id == case.company)
            .join(currency, condition=currency.id == owner.currency)
            .join(invoiced, condition=invoiced.enrolment == enrolment.id)
            .join(settled, 'LEFT', condition=settled.case == case.id)
            .join(attended, 'LEFT', condition=attended.case == case.id)
            .select(
                case.id.as_('case'),
                case.company.as_('company'),
                case.effective_date.as_('effective_date'),
                owner.currency.as_('currency'),
                invoiced.amount.as_('invoiced'),
                due.as_('due'),
                where=(case.company == company)
                & cls._decided(case)
                & (case.effective_date <= date)))

    @classmethod
    def _decided(cls, case):
        return (case.decision == 'validated') & (case.state != 'cancelled')

    @classmethod
    def _invoiced(cls, company, date):
        pool = Pool()
        InvoiceLine = pool.get('account.invoice.line')
        posted = InvoiceLine.posted_query(company, end=date)
        return posted.select(
            posted.enrolment.as_('enrolment'),
            Sum(posted.amount).as_('amount'),
            where=~posted.indemnity,
            group_by=[posted.enrolment])

    @classmethod
    def _settled(cls):
        "Return the query of what the settlements of the cases ask"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        settlement, last = Settlement.__table__(), Settlement.__table__()
        return settlement.select(
            settlement.case.as_('case'),
            settlement.due_amount.as_('due'),
            where=settlement.id.in_(last.select(
                    Max(last.id),
                    where=(last.state != 'cancelled') & ~last.withdrawn,
                    group_by=[last.case])))

    @classmethod
    def _attended(cls, company):
        "Return the query of the seconds attended until the effective dates"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Case = pool.get('training.abandon.case')
        case, decided = Case.__table__(), Case.__table__()
        held = Attendance._held_query(
            lambda column: column.in_(decided.select(
                    decided.enrolment,
                    where=(decided.company == company)
                    & cls._decided(decided))))
        return (case
            .join(held, condition=(held.enrolment == case.enrolment)
                & (held.date <= case.effective_date))
            .select(
                case.id.as_('case'),
                Extract('EPOCH', Sum(held.duration) - Sum(held.missed)
                    ).as_('seconds'),
                where=cls._decided(case) & held.state.in_(ATTENDED),
                group_by=[case.id]))

    @classmethod
    def _sql_due(cls, enrolment, seconds, currency):
        """Return the SQL expression of the price of the hours attended, for
        the agreements that are paid by them"""
        agreed = Extract('EPOCH', enrolment.agreed_hours)
        fees = Coalesce(enrolment.indivisible_fees, 0)
        numeric = cls.due.sql_type().base
        rate = Least(Cast(Coalesce(seconds, 0), numeric) / Cast(
                agreed, numeric), Literal(1))
        return SQLCase(
            (enrolment.agreement_kind.in_(UNBILLED_KINDS), Null),
            (agreed > 0, fees + Round(
                    (enrolment.price - fees) * rate, currency.digits)),
            else_=Null)

    def get_rec_name(self, name):
        return self.case.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('case.rec_name', *clause[1:])]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('due', None) == None, 'warning', '')),  # noqa: E711
            ]


class DeferralContext(ModelView):
    __name__ = 'training.abandon.deferral.context'

    company = fields.Many2One('company.company', "Company", required=True)
    date = fields.Date(
        "End of the Period", required=True,
        help="The day at the end of which the revenue is looked at: later "
        "invoices and credit notes do not count.")

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_date(cls):
        "Return the last day of the month before"
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today().replace(day=1) - dt.timedelta(days=1)
