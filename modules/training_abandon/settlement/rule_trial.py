# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What a rule would have given for the past cases"
from decimal import Decimal

from dateutil.relativedelta import relativedelta

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.modules.currency.fields import Monetary
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import check_access
from trytond.wizard import Button, StateView, Wizard

from .. import tools
from ..exceptions import SettlementRuleError
from .calculation import NOT_SETTLED


class Trial(Wizard):
    __name__ = 'training.abandon.settlement.rule.trial'

    start = StateView(
        'training.abandon.settlement.rule.trial.start',
        'training_abandon.settlement_rule_trial_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Try", 'result', 'tryton-ok', default=True),
            ])
    result = StateView(
        'training.abandon.settlement.rule.trial.result',
        'training_abandon.settlement_rule_trial_result_view_form', [
            Button("Other Dates", 'start', 'tryton-back'),
            Button("Close", 'end', 'tryton-close', default=True),
            ])

    def default_start(self, fields):
        pool = Pool()
        Date = pool.get('ir.date')
        today = Date.today()
        return {
            'from_date': today - relativedelta(years=1),
            'to_date': today,
            }

    def default_result(self, fields):
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        rule = self._one_rule()
        lines, count, found = [], 0, self._cases()
        for cases in grouped_slice(found, tools.BATCH):
            for case, today, tried in Settlement.trial(list(cases), rule):
                count += 1
                if (today.due, today.indemnity) != (
                        tried.due, tried.indemnity):
                    lines.append(self._line(case, today, tried))
        return {
            'rule': rule.id,
            'summary': gettext(
                'training_abandon.msg_settlement_rule_trial',
                changed=len(lines), count=count,
                left=len(found) - count),
            'lines': lines,
            }

    def _one_rule(self):
        if len(self.records) != 1:
            raise SettlementRuleError(gettext(
                    'training_abandon.msg_settlement_rule_trial_one'))
        rule, = self.records
        return rule

    def _cases(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with check_access():
            return Case.search([
                    ('decision', '=', 'validated'),
                    ('ground', 'not in', NOT_SETTLED),
                    ('state', '!=', 'cancelled'),
                    ('effective_date', '>=', self.start.from_date),
                    ('effective_date', '<=', self.start.to_date),
                    ], order=[('effective_date', 'ASC'), ('id', 'ASC')])

    def _line(self, case, today, tried):
        return {
            'case': case.id,
            'currency': case.enrolment.currency.id,
            'ground': case.ground_string,
            'due': today.due,
            'tried': tried.due,
            'indemnity': today.indemnity,
            'tried_indemnity': tried.indemnity,
            'difference': (
                (tried.due or Decimal(0)) + tried.indemnity
                - (today.due or Decimal(0)) - today.indemnity),
            }


class TrialStart(ModelView):
    __name__ = 'training.abandon.settlement.rule.trial.start'

    from_date = fields.Date(
        "From Date", required=True,
        domain=[
            If(Eval('from_date') & Eval('to_date'),
                ('from_date', '<=', Eval('to_date', None)),
                ()),
            ],
        help="The first effective date of the cases.")
    to_date = fields.Date(
        "To Date", required=True,
        domain=[
            If(Eval('from_date') & Eval('to_date'),
                ('to_date', '>=', Eval('from_date', None)),
                ()),
            ],
        help="The last effective date of the cases.")


class TrialResult(ModelView):
    __name__ = 'training.abandon.settlement.rule.trial.result'

    rule = fields.Many2One(
        'training.abandon.settlement.rule', "Rule", readonly=True,
        help="The rule that is tried.")
    summary = fields.Text(
        "Summary", readonly=True, help="How many cases the rule changes.")
    lines = fields.One2Many(
        'training.abandon.settlement.rule.trial.line', None, "Lines",
        readonly=True,
        help="The cases for which the rule would change what is due or the "
        "indemnity; nothing is stored.")


class TrialLine(ModelView):
    __name__ = 'training.abandon.settlement.rule.trial.line'

    case = fields.Many2One('training.abandon.case', "Case", readonly=True)
    currency = fields.Many2One(
        'currency.currency', "Currency", readonly=True)
    ground = fields.Char(
        "Ground", readonly=True, help="What the decision rests on.")
    due = Monetary(
        "Due", currency='currency', digits='currency', readonly=True,
        help="What is due by the rules of today; it is empty as long as a "
        "rule has to be confirmed.")
    tried = Monetary(
        "Due by the Rule", currency='currency', digits='currency',
        readonly=True, help="What would be due if the rule decided.")
    indemnity = Monetary(
        "Indemnity", currency='currency', digits='currency', readonly=True,
        help="The indemnity by the rules of today.")
    tried_indemnity = Monetary(
        "Indemnity by the Rule", currency='currency', digits='currency',
        readonly=True, help="The indemnity if the rule decided.")
    difference = Monetary(
        "Difference", currency='currency', digits='currency', readonly=True,
        help="What would be asked more, or less.")
