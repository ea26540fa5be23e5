# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the accountant sees, and may correct, before a settlement is made"
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.modules.currency.fields import Monetary
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.wizard import Button, StateAction

from ..case.wizard import StepView, StepWizard, complete_lines


class Settle(StepWizard):
    __name__ = 'training.abandon.case.settle'

    start = StepView(
        'training.abandon.case.settle.start',
        'case_settle_start_view_form',
        Button("Settle", 'apply', 'tryton-ok', default=True))
    open_ = StateAction('training_abandon.act_settlement_form')

    def default_start(self, fields):
        pool = Pool()
        Party = pool.get('party.party')
        Settlement = pool.get('training.abandon.settlement')
        proposals = Settlement.propose(self.cases)
        corrections = Settlement.corrections(
            Settlement.current(self.cases).values())
        lines, words = [], []
        for case, values, case_lines in proposals:
            words.append(self._describe(case, values))
            for line in case_lines:
                kind = 'indemnity' if line['kind'] == 'indemnity' else 'due'
                due, reason = corrections.get(
                    (case, Party(line['payer']), kind), (line['due'], None))
                lines.append({
                        'case': case.id,
                        'currency': values['currency'],
                        'payer': line['payer'],
                        'kind': line['kind'],
                        'calculated': line['calculated'],
                        'due': due,
                        'invoiced': line['invoiced'],
                        'rule': line['rule'],
                        'words': line['words'],
                        'reason': reason,
                        })
        return {'lines': lines, 'explanation': '\n\n'.join(words)}

    def _describe(self, case, values):
        warnings = [
            gettext(f'training_abandon.msg_settlement_warn_{w}')
            for w in values['warnings']]
        return '\n'.join([
                case.rec_name, values['explanation'], *warnings])

    def transition_apply(self):
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        corrections = {}
        for line in complete_lines(
                self.start.lines, 'case', 'payer', 'kind', 'due', 'reason'):
            self.check_line(line.case)
            if line.due is not None and line.payer:
                kind = 'indemnity' if line.kind == 'indemnity' else 'due'
                corrections[line.case, line.payer, kind] = (
                    line.due, line.reason)
        Settlement.settle(self.cases, corrections)
        return 'open_'

    def do_open_(self, action):
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        settlements = Settlement.current(self.cases)
        action['domains'] = []
        if len(settlements) == 1:
            action['views'].reverse()
        return action, {'res_id': [s.id for s in settlements.values()]}


class SettleStart(ModelView):
    __name__ = 'training.abandon.case.settle.start'

    lines = fields.One2Many(
        'training.abandon.case.settle.line', None, "Lines",
        help="What is due by each payer: an amount that you correct needs a "
        "reason, and the calculated one is kept.")
    explanation = fields.Text(
        "Explanation", readonly=True,
        help="How the amounts are calculated, with the rules and what to "
        "look at.")


class SettleLine(ModelView):
    __name__ = 'training.abandon.case.settle.line'

    case = fields.Many2One('training.abandon.case', "Case", readonly=True)
    currency = fields.Many2One(
        'currency.currency', "Currency", readonly=True)
    payer = fields.Many2One(
        'party.party', "Payer", readonly=True,
        help="The funder, the client, the employer or the trainee.")
    kind = fields.Selection(
        'get_kinds', "Kind", readonly=True, sort=False,
        help="What is left to do with the payer.")
    calculated = Monetary(
        "Calculated", currency='currency', digits='currency', readonly=True,
        help="What is due by the rules, before any correction.")
    due = Monetary(
        "Due", currency='currency', digits='currency', required=True,
        states={
            'readonly': Eval('kind') == 'carried',
            },
        help="What the payer owes excluding taxes.")
    invoiced = Monetary(
        "Invoiced", currency='currency', digits='currency', readonly=True,
        help="What the payer was invoiced, less what it was credited.")
    rule = fields.Many2One(
        'training.abandon.settlement.rule', "Rule", readonly=True,
        help="The rule by which the amount is due.")
    words = fields.Text(
        "Words", readonly=True, help="Why the payer owes that amount.")
    reason = fields.Char(
        "Reason",
        help="Why the calculated amount is corrected.\n"
        "Do not write any health detail.")

    @classmethod
    def get_kinds(cls):
        pool = Pool()
        Line = pool.get('training.abandon.settlement.line')
        return Line.fields_get(['kind'])['kind']['selection']
