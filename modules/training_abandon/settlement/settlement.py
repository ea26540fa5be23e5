# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the decision on a case means for those who pay"
from collections import defaultdict
from decimal import Decimal

from sql import Literal
from sql.aggregate import Max

from trytond.i18n import gettext
from trytond.model import (
    Index, ModelSQL, ModelView, Workflow, fields, sequence_ordered)
from trytond.model.exceptions import AccessError
from trytond.modules.currency.fields import Monetary
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice

from .. import tools
from ..exceptions import SettlementError
from ..kept import KeptMixin
from ..procedure.states import GROUNDS
from ..rec_name import search_names
from .calculation import Refused, calculate
from .rule import ActiveRule
from .terms import MINUTE, Facts, get_terms, invoiced_by_payer, warn
from .words import Words

WARNINGS = [
    ('rule_to_confirm', "Rule to Confirm"),
    ('attended_over_planned', "More Hours Attended than Agreed"),
    ('ceiling_to_confirm', "Ceiling to Confirm"),
    ('amount_to_confirm', "Amount of a Funder to Confirm"),
    ('attended_after', "Hours Attended after the Effective Date"),
    ('hourly_rate_not_used', "Hourly Rate not Used"),
    ('indemnity_not_corrected', "Indemnity of the Calculated Amount"),
    ('cancelled_hours', "Hours Cancelled by the Provider"),
    ('sheets_missing', "Slots without Sheet"),
    ('withdrawal_day_to_confirm', "Day of the Withdrawal to Confirm"),
    ('payment_before_withdrawal_expiry', "Paid before the End of the Period "
        "to Withdraw"),
    ('over_30_percent_before_start', "More than 30 % Paid before the Start"),
    ('exclusion_procedure_evidence_missing', "Exclusion without Evidence"),
    ]
# What changes while the amounts stay
NOT_COMPARED = {'invoiced_amount', 'warnings'}
MODIFIED_WHEN_POSTED = {'state', 'withdrawn'}


class Settlement(KeptMixin, Workflow, ModelSQL, ModelView):
    __name__ = 'training.abandon.settlement'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, readonly=True,
        ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, readonly=True,
        ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    ground = fields.Selection(
        GROUNDS, "Ground", required=True, readonly=True, sort=False,
        help="What the decision rests on.")
    effective_date = fields.Date(
        "Effective Date", required=True, readonly=True,
        help="The last day on which the trainee was expected.")
    currency = fields.Many2One(
        'currency.currency', "Currency", required=True, readonly=True)
    planned = fields.TimeDelta(
        "Agreed Hours", 'training_hours', readonly=True,
        help="The time of the agreement.")
    done = fields.TimeDelta(
        "Hours Done", 'training_hours', readonly=True,
        help="The time attended on the closed sheets.")
    price = Monetary(
        "Price", currency='currency', digits='currency', readonly=True,
        help="The price of the agreement excluding taxes.")
    due_amount = Monetary(
        "Due", currency='currency', digits='currency', readonly=True,
        help="What is due for the hours done excluding taxes.\n"
        "It is empty as long as a rule has to be confirmed.")
    undelivered_amount = Monetary(
        "Not Delivered", currency='currency', digits='currency',
        readonly=True,
        help="The part of the price that is not due.")
    invoiced_amount = Monetary(
        "Invoiced", currency='currency', digits='currency', readonly=True,
        help="What was invoiced excluding taxes, less what was credited.\n"
        "What a posted settlement asks counts as invoiced.")
    indemnity = Monetary(
        "Indemnity", currency='currency', digits='currency', readonly=True,
        help="What the agreement asks for the part not delivered.")
    carried_amount = Monetary(
        "Carried", currency='currency', digits='currency', readonly=True,
        states={
            'invisible': Eval('ground') != 'transfer',
            },
        help="What was invoiced and counts for the new enrolment.")
    completion_rate = fields.Integer(
        "Completion Rate", readonly=True,
        states={
            'invisible': Eval('completion_rate', None) == None,  # noqa: E711
            },
        help="The percentage of the hours done, as the personal training "
        "account counts it.")
    contract_days = fields.Integer(
        "Contract Days", readonly=True,
        states={
            'invisible': Eval('contract_days', None) == None,  # noqa: E711
            },
        help="The days of the apprenticeship contract, its first and last "
        "included.")
    lines = fields.One2Many(
        'training.abandon.settlement.line', 'settlement', "Lines",
        readonly=True,
        help="What is due by each payer, and what is left to invoice or to "
        "credit.")
    explanation = fields.Text(
        "Explanation", readonly=True,
        help="How the amounts are calculated, with the rules.")
    warnings = fields.MultiSelection(
        WARNINGS, "Warnings", sort=False, readonly=True,
        states={
            'invisible': ~Eval('warnings'),
            },
        help="What the accountant has to look at.")
    warning_words = fields.Function(fields.Text(
            "To Look at",
            states={
                'invisible': ~Eval('warnings'),
                },
            help="What the accountant has to look at, and why."),
        'get_warning_words')
    state = fields.Selection([
            ('draft', "Draft"),
            ('posted', "Posted"),
            ('cancelled', "Cancelled"),
            ], "State", required=True, readonly=True, sort=False,
        help="A posted settlement never changes.")
    withdrawn = fields.Boolean(
        "Decision Withdrawn", readonly=True,
        states={
            'invisible': ~Eval('withdrawn'),
            },
        help="The decision of a posted settlement was taken back or "
        "changed: the next settlement completes it, else its documents have "
        "to be corrected by hand.")
    state_string = state.translated('state')
    last = fields.Function(
        fields.Boolean("Last of the Case"),
        'get_last', searcher='search_last')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(Index(
                t, (t.state, Index.Equality(cardinality='low')),
                (t.id, Index.Range())))
        cls._order = [('id', 'DESC')]
        cls._transitions |= {
            ('draft', 'posted'),
            ('draft', 'cancelled'),
            }
        cls._buttons.update(
            cancel={
                'invisible': Eval('state') != 'draft',
                'depends': ['state'],
                },
            post={
                'invisible': Eval('state') != 'draft',
                'depends': ['state'],
                })

    @classmethod
    def default_state(cls):
        return 'draft'

    @classmethod
    def default_withdrawn(cls):
        return False

    @classmethod
    def get_warning_words(cls, settlements, name):
        return {
            s.id: '\n'.join(
                gettext(f'training_abandon.msg_settlement_warn_{w}')
                for w in s.warnings or [])
            for s in settlements}

    @classmethod
    def get_last(cls, settlements, name):
        result = dict.fromkeys(map(int, settlements), False)
        for sub_settlements in grouped_slice(settlements, tools.BATCH):
            result.update((s.id, True) for s in cls.search([
                        ('id', 'in', [s.id for s in sub_settlements]),
                        ('last', '=', True),
                        ], order=[]))
        return result

    @classmethod
    def search_last(cls, name, clause):
        return tools.boolean_domain(clause, cls.query_last())

    @classmethod
    def query_last(cls):
        "Return the query of the id of the settlement of each case that holds"
        table = cls.__table__()
        return table.select(
            Max(table.id).as_('id'),
            where=(table.state != 'cancelled')
            & (table.withdrawn == Literal(False)),
            group_by=[table.case])

    def get_rec_name(self, name):
        return self.case.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'case.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'cancelled', 'muted',
                    If(Eval('withdrawn', False), 'danger',
                        If(~Eval('warnings'), '', 'warning')))),
            ]

    @classmethod
    def check_modification(
            cls, mode, settlements, values=None, external=False):
        super().check_modification(
            mode, settlements, values=values, external=external)
        if mode == 'create':
            return
        for settlement in settlements:
            if (mode == 'delete'
                    or settlement.state != 'draft'
                    and values.keys() - MODIFIED_WHEN_POSTED):
                raise AccessError(gettext(
                        'training_abandon.msg_settlement_modify',
                        settlement=settlement.rec_name))

    @classmethod
    def copy(cls, settlements, default=None):
        for settlement in settlements:
            raise AccessError(gettext(
                    'training_abandon.msg_settlement_copy',
                    settlement=settlement.rec_name))
        return []

    @classmethod
    def keep(cls, settlements):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        tools.lock(Case, {s.case for s in cls.browse(settlements)})
        super().keep(settlements)

    @classmethod
    def settle(cls, cases, corrections=None):
        """Make the settlements of the decided cases, all or none, and return
        them: those that say the same are left as they are.

        corrections is the (amount, reason) by (case, payer, kind), where the
        kind is due or indemnity; what was corrected stays without them."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        # Who settles them at once starts again, as it does not know of this
        tools.lock(Case, cases)
        cases = Case.lock_cases(cases)
        current = cls.current(cases)
        posted = cls.last_posted(cases)
        if corrections is None:
            proposals = cls.propose(cases, cls.corrections(current.values()))
        else:
            proposals = cls.propose(cases, corrections)
            cls._check_payers(proposals, corrections)
        result, stale, to_create, to_write = {}, [], [], []
        for case, values, lines in proposals:
            settlement = current.get(case)
            if case in posted and posted[case]._says(values, lines):
                result[case] = posted[case]
                if settlement != posted[case]:
                    stale.append(settlement)
            elif settlement and settlement._says(values, lines):
                if settlement.explanation != values['explanation']:
                    to_write += [
                        [settlement], {'explanation': values['explanation']}]
                result[case] = settlement
            elif settlement and settlement.state == 'draft':
                to_write += [[settlement], {
                        **values,
                        'lines': [
                            ('delete', [x.id for x in settlement.lines]),
                            ('create', lines)],
                        }]
                result[case] = settlement
            else:
                to_create.append({**values, 'lines': [('create', lines)]})
        if to_write:
            cls.write(*to_write)
        result.update({s.case: s for s in cls.create(to_create)})
        cls.cancel(stale)
        return cls.browse([result[c] for c in cases])

    @classmethod
    def _check_payers(cls, proposals, corrections):
        "Check that what is corrected is owed by payers of the cases"
        payers = {
            (case, line['payer'], line['kind'] == 'indemnity')
            for case, _, lines in proposals for line in lines}
        for case, payer, kind in corrections:
            if (case, payer.id, kind == 'indemnity') not in payers:
                raise SettlementError(gettext(
                        'training_abandon.msg_settlement_correction_payer',
                        payer=payer.rec_name, case=case.rec_name))

    @classmethod
    def current(cls, cases):
        """Return the last settlement of the cases that is neither cancelled
        nor of a decision that was withdrawn"""
        return {
            s.case: s for s in cls.search([
                    ('case', 'in', [c.id for c in cases]),
                    ('state', '!=', 'cancelled'),
                    ('withdrawn', '=', False),
                    ], order=[('id', 'ASC')])}

    @classmethod
    def last_posted(cls, cases):
        "Return the last settlement of the cases that is posted"
        return {
            case: posted[-1] for case, posted in cls._posted(cases).items()
            if not posted[-1].withdrawn}

    @classmethod
    def _posted(cls, cases):
        "Return the posted settlements of the cases, the oldest first"
        result = defaultdict(list)
        for sub_cases in grouped_slice(list(cases), tools.BATCH):
            for settlement in cls.search([
                        ('case', 'in', [c.id for c in sub_cases]),
                        ('state', '=', 'posted'),
                        ], order=[('id', 'ASC')]):
                result[settlement.case].append(settlement)
        return result

    @classmethod
    def corrections(cls, settlements):
        "Return what was corrected in the settlements, as settle takes it"
        return {
            (s.case, x.payer, 'indemnity' if x.kind == 'indemnity' else 'due'):
            (x.due, x.reason)
            for s in settlements for x in s.lines if x.reason}

    def asked(self, invoiced):
        """Hook that returns the (line, amount) that the posted settlement asks
        and that are not in what was invoiced by payer

        Its documents are made elsewhere if not here."""
        return [(x, x.amount) for x in self.lines if x.kind != 'carried']

    def _says(self, values, lines):
        """Return if the settlement has the values and the lines

        What is posted says so as long as nothing more is left to invoice."""
        names = set(values) - {'explanation'}
        line_names = {'calculated', 'due', 'reason'}
        if self.state == 'posted':
            names -= NOT_COMPARED
            if any(x['amount'] for x in lines if x['kind'] != 'carried'):
                return False
        else:
            line_names |= {'kind', 'invoiced'}
        return (
            {n: _value(self, n) for n in names}
            == {n: values[n] for n in names}
            and {
                (x.payer.id, x.kind == 'indemnity'): {
                    n: _value(x, n) for n in line_names} for x in self.lines}
            == {
                (x['payer'], x['kind'] == 'indemnity'): {
                    n: x[n] for n in line_names} for x in lines})

    @classmethod
    def propose(cls, cases, corrections=None):
        """Return the (case, values, values of the lines) of the settlements,
        or raise an error that tells what to do for the others."""
        facts = Facts(cases, cls.invoiced([c.enrolment for c in cases]))
        posted = cls._posted(cases)
        proposals, refused = [], []
        for case, terms, result in cls._calculated(cases, facts):
            if terms is None:
                refused.append(cls._refusal(case, result))
            else:
                warn(case, facts, terms, result)
                proposal = Proposal(
                    case, terms, result,
                    facts.invoiced.get(case.enrolment.id, []),
                    posted.get(case, []))
                proposals.append((
                        case, *proposal.get(corrections or {})))
        if refused:
            raise SettlementError('\n'.join(tools.first(refused)))
        return proposals

    @classmethod
    def _calculated(cls, cases, facts):
        """Yield the (case, terms, result), or (case, None, Refused) for those
        that can not be settled."""
        for case in cases:
            try:
                terms = get_terms(case, facts)
                result = calculate(terms)
            except Refused as exception:
                yield case, None, exception
            else:
                yield case, terms, result

    @classmethod
    def trial(cls, cases, rule):
        """Return the list of (case, result by the rules of today, result if
        the rule decided), without the cases that can not be settled."""
        facts = Facts(cases, {})
        today = {
            case: result for case, terms, result
            in cls._calculated(cases, facts) if terms}
        facts.rules = [*facts.rules, ActiveRule(rule)]
        return [
            (case, today[case], result) for case, terms, result
            in cls._calculated(cases, facts) if terms and case in today]

    @classmethod
    def _refusal(cls, case, exception):
        "Return the words that tell why the case is not settled"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        words = Words(case.enrolment.currency)
        return gettext(
            f'training_abandon.msg_settlement_refused_{exception.code}',
            case=case.rec_name,
            ground=Case._ground_label(case.ground),
            **words.values(exception.values))

    @classmethod
    def invoiced(cls, enrolments):
        """Hook that returns what was invoiced for the enrolments, less what
        was credited, as list of Invoiced by id"""
        return {}

    @classmethod
    @ModelView.button
    @Workflow.transition('posted')
    def post(cls, settlements):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cls.keep(settlements)
        settlements = cls.browse(settlements)
        cases = Case.lock_cases(list({s.case for s in settlements}))
        proposed = {
            case: proposal for case, *proposal in cls.propose(
                cases, cls.corrections(settlements))}
        for settlement in settlements:
            if not settlement._says(*proposed[settlement.case]):
                raise SettlementError(gettext(
                        'training_abandon.msg_settlement_outdated',
                        settlement=settlement.rec_name))
            if (settlement.due_amount is None
                    or 'rule_to_confirm' in settlement.warnings):
                raise SettlementError(gettext(
                        'training_abandon.msg_settlement_no_due',
                        settlement=settlement.rec_name))

    @classmethod
    @ModelView.button
    @Workflow.transition('cancelled')
    def cancel(cls, settlements):
        pass


def _value(record, name):
    value = getattr(record, name)
    if hasattr(value, 'id'):
        return value.id
    elif isinstance(value, tuple):
        return list(value)
    return value


class Proposal:
    "The values of the settlement of a case before they are stored"

    def __init__(self, case, terms, result, invoiced, posted=()):
        self.case = case
        self.terms = terms
        self.result = result
        self.invoiced = invoiced_by_payer(invoiced)
        self.indemnities = defaultdict(Decimal)
        for settlement in posted:
            self._count(settlement)
        self.words = Words(case.enrolment.currency)

    def _count(self, settlement):
        "Count what the posted settlement asks as invoiced"
        for line, amount in settlement.asked(self.invoiced):
            counted = (
                self.indemnities if line.kind == 'indemnity'
                else self.invoiced)
            counted[line.payer] += amount

    def get(self, corrections):
        "Return the values of the settlement and those of its lines"
        result, enrolment = self.result, self.case.enrolment
        lines = [] if result.due is None else self._lines(corrections)
        due = result.due
        if due is not None:
            due = sum(
                (x['due'] for x in lines if x['kind'] != 'indemnity'), due * 0)
        undelivered = result.undelivered
        if undelivered is not None:
            undelivered = self.terms.price - due
        invoiced = sum(self.invoiced.values(), Decimal(0))
        carried = invoiced if result.carried else None
        return {
            'company': self.case.company.id,
            'case': self.case.id,
            'enrolment': enrolment.id,
            'ground': self.case.ground,
            'effective_date': self.case.effective_date,
            'currency': enrolment.currency.id,
            'planned': self.terms.planned * MINUTE,
            'done': self.terms.done * MINUTE,
            'price': self.terms.price,
            'due_amount': due,
            'undelivered_amount': undelivered,
            'invoiced_amount': invoiced,
            'indemnity': sum(
                (x['due'] for x in lines if x['kind'] == 'indemnity'),
                Decimal(0)),
            'carried_amount': carried,
            'completion_rate': result.completion_rate,
            'contract_days': result.contract_days,
            'warnings': sorted(result.warnings),
            'explanation': self._explain(),
            }, lines

    def _lines(self, corrections):
        parts = defaultdict(list)
        for part in self.result.parts:
            parts[part.payer].append(part)
        for payer in self.invoiced:
            parts.setdefault(payer, [])
        lines = []
        for payer, payed in parts.items():
            due = sum((p.amount for p in payed), Decimal(0))
            lines.append(self._line(
                    payer, 'due', due, self.invoiced.get(payer, Decimal(0)),
                    payed, corrections))
        asked = {p.payer: p for p in self.result.indemnities}
        for payer in asked | self.indemnities:
            part = asked.get(payer)
            lines.append(self._line(
                    payer, 'indemnity', part.amount if part else Decimal(0),
                    self.indemnities.get(payer, Decimal(0)),
                    [part] if part else [], corrections))
        for sequence, line in enumerate(lines, 1):
            line['sequence'] = sequence
        self._check_corrected(lines)
        return lines

    def _line(self, payer, kind, calculated, invoiced, parts, corrections):
        due, reason = corrections.get(
            (self.case, payer, kind), (calculated, None))
        if due == calculated:
            reason = None
        elif self.result.carried:
            raise SettlementError(gettext(
                    'training_abandon.msg_settlement_correction_carried',
                    case=self.case.rec_name))
        elif not due.is_finite() or due < 0 or not (reason or '').strip():
            raise SettlementError(gettext(
                    'training_abandon.msg_settlement_correction',
                    payer=payer.rec_name, case=self.case.rec_name))
        rule = self._rule(next((p.rule for p in parts if p.rule), None))
        amount = due - invoiced
        if self.result.carried:
            kind, amount = 'carried', invoiced
        elif kind == 'due':
            kind = (
                'credit' if amount < 0 else 'invoice' if amount else 'none')
        return {
            'payer': payer.id,
            'kind': kind,
            'calculated': calculated,
            'due': due,
            'invoiced': invoiced,
            'amount': amount,
            'reason': reason,
            'rule': rule.id if rule else None,
            'source': rule.source if rule else None,
            'words': '\n'.join(
                self.words.get(p.words, p.values) for p in parts) or None,
            }

    def _check_corrected(self, lines):
        """Check that the payers do not owe more than the price together, nor
        than their ceilings, nor than what is not delivered as indemnity"""
        due, indemnity = (
            sum(x['due'] for x in lines
                if (x['kind'] == 'indemnity') == is_indemnity)
            for is_indemnity in [False, True])
        limit = max(
            amount for amount in [
                self.terms.price, self.result.due, Decimal(0)]
            if amount is not None)
        if due > limit:
            raise SettlementError(gettext(
                    'training_abandon.msg_settlement_over_price',
                    case=self.case.rec_name))
        if indemnity and indemnity > limit - due:
            raise SettlementError(gettext(
                    'training_abandon.msg_settlement_over_undelivered',
                    case=self.case.rec_name))
        for line in lines:
            self._check_ceiling(line)
        due_corrected = any(
            x['reason'] for x in lines if x['kind'] != 'indemnity')
        indemnity_calculated = any(
            x['due'] and not x['reason']
            for x in lines if x['kind'] == 'indemnity')
        if due_corrected and indemnity_calculated:
            self.result.warn('indemnity_not_corrected')

    def _check_ceiling(self, line):
        fundings = [
            f for f in self.terms.fundings if f.payer.id == line['payer']]
        ceilings = [f.ceiling for f in fundings]
        if (line['reason'] and line['kind'] != 'indemnity' and ceilings
                and None not in ceilings
                and self.terms.payer != fundings[0].payer
                and line['due'] > sum(ceilings)):
            raise SettlementError(gettext(
                    'training_abandon.msg_settlement_over_ceiling',
                    payer=fundings[0].payer.rec_name,
                    case=self.case.rec_name))

    def _rule(self, code):
        "Return the rule of the line, that of the whole by default"
        codes = [code] + [step[2] for step in reversed(self.result.steps)]
        return next(
            (self.terms.rules[c] for c in codes if c in self.terms.rules),
            None)

    def _explain(self):
        lines = []
        for words, values, code in self.result.steps:
            line = self.words.get(words, values)
            if rule := self.terms.rules.get(code):
                line = f'{line} ({rule.source})'
            lines.append(line)
        for code in self.result.missing_rules:
            lines.append(self._explain_missing(code))
        return '\n'.join(lines)

    def _explain_missing(self, code):
        pool = Pool()
        Rule = pool.get('training.abandon.settlement.rule')
        rule = self.terms.rules.get(code)
        if not rule:
            labels = dict(Rule.fields_get(['code'])['code']['selection'])
            return gettext(
                'training_abandon.msg_settlement_rule_missing',
                rule=labels[code])
        return gettext(
            'training_abandon.msg_settlement_rule_inactive',
            rule=rule.name, source=rule.source,
            by=rule.confirmed_by_string or '…')


class Line(sequence_ordered(), ModelSQL, ModelView):
    __name__ = 'training.abandon.settlement.line'

    settlement = fields.Many2One(
        'training.abandon.settlement', "Settlement", required=True,
        readonly=True, ondelete='CASCADE',
        help="The settlement of which it is the part of a payer.")
    currency = fields.Function(fields.Many2One(
            'currency.currency', "Currency"),
        'on_change_with_currency')
    payer = fields.Many2One(
        'party.party', "Payer", required=True, readonly=True,
        ondelete='RESTRICT',
        help="The funder, the client, the employer or the trainee.")
    kind = fields.Selection([
            ('invoice', "To Invoice"),
            ('credit', "To Credit"),
            ('none', "Nothing to Do"),
            ('indemnity', "Indemnity"),
            ('carried', "Carried to the New Enrolment"),
            ], "Kind", required=True, readonly=True, sort=False,
        help="What is left to do with the payer.")
    calculated = Monetary(
        "Calculated", currency='currency', digits='currency', readonly=True,
        help="What is due by the rules, before any correction.")
    due = Monetary(
        "Due", currency='currency', digits='currency', readonly=True,
        help="What the payer owes excluding taxes.")
    invoiced = Monetary(
        "Invoiced", currency='currency', digits='currency', readonly=True,
        help="What the payer was invoiced, less what it was credited.\n"
        "What a posted settlement asks counts as invoiced.")
    amount = Monetary(
        "Amount", currency='currency', digits='currency', readonly=True,
        help="What is left to invoice, or to credit when it is negative.")
    rule = fields.Many2One(
        'training.abandon.settlement.rule', "Rule", readonly=True,
        ondelete='RESTRICT', help="The rule by which the amount is due.")
    source = fields.Text(
        "Source", readonly=True,
        help="What the rule rested on when the settlement was made.")
    words = fields.Text(
        "Words", readonly=True, help="Why the payer owes that amount.")
    reason = fields.Char(
        "Reason", readonly=True,
        help="Why the calculated amount was corrected.\n"
        "Do not write any health detail.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('settlement')
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.payer, Index.Equality())),
                Index(
                    t, (t.id, Index.Range()), where=t.kind == 'indemnity'),
                })

    @property
    def document_key(self):
        return self.payer, self.kind == 'indemnity'

    @fields.depends('settlement', '_parent_settlement.currency')
    def on_change_with_currency(self, name=None):
        return self.settlement.currency if self.settlement else None

    def get_rec_name(self, name):
        return f'{self.settlement.rec_name} - {self.payer.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(
            cls, clause, 'settlement.rec_name', 'payer.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Eval('reason', '') != '', 'warning', '')),
            ]

    @classmethod
    def check_modification(cls, mode, lines, values=None, external=False):
        super().check_modification(
            mode, lines, values=values, external=external)
        for line in lines:
            if line.settlement.state != 'draft':
                raise AccessError(gettext(
                        'training_abandon.msg_settlement_modify',
                        settlement=line.settlement.rec_name))
