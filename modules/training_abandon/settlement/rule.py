# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The rules of law and of the funders by which the settlements are made"
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, Workflow, fields
from trytond.pyson import Eval, If

from ..exceptions import SettlementRuleError

RULES = [
    ('pro_rata', "Price of the Hours Attended"),
    ('withdrawal', "Withdrawal after the Signature"),
    ('distance_withdrawal', "Withdrawal at a Distance"),
    ('indemnity', "Indemnity of the Agreement"),
    ('cpf_rate', "Completion Rate (CPF)"),
    ('cpf_pay', "Payment by the Completion Rate (CPF)"),
    ('cpf_before_start', "Cancellation before the Start (CPF)"),
    ('apprenticeship_days', "Apprenticeship by Day"),
    ('apprenticeship_employer', "Participation of the Employer"),
    ('apprenticeship_kept', "Payments Kept after a Break"),
    ('apprenticeship_distance', "Apprenticeship at a Distance"),
    ('apprenticeship_months', "Apprenticeship by Month Begun"),
    ('funder_ceiling', "Ceilings and Amounts of the Funders"),
    ]
# The values that each rule has
PARAMETERS = {
    'days': ['withdrawal', 'distance_withdrawal', 'apprenticeship_employer'],
    'rate': [
        'withdrawal', 'cpf_before_start', 'apprenticeship_employer',
        'apprenticeship_distance'],
    'low_rate': ['cpf_pay'],
    'high_rate': ['cpf_pay'],
    'day_basis': ['apprenticeship_days'],
    'level': ['apprenticeship_employer'],
    'amount': ['apprenticeship_employer', 'apprenticeship_distance'],
    'other_amount': ['apprenticeship_employer'],
    }


def _parameter(field, name, domain, **attributes):
    "Return the field for the value of the rules that have it"
    of_rule = Eval('code').in_(PARAMETERS[name])
    return field(
        domain=['OR', (name, '=', None), domain],
        states={
            'invisible': ~of_rule,
            'required': of_rule,
            'readonly': Eval('state') == 'active',
            }, **attributes)


class Rule(Workflow, ModelSQL, ModelView):
    __name__ = 'training.abandon.settlement.rule'

    _states = {
        'readonly': Eval('state') == 'active',
        }

    code = fields.Selection(
        RULES, "Rule", required=True, sort=False, states=_states,
        help="What the rule decides.")
    code_string = code.translated('code')
    name = fields.Char(
        "Name", required=True, translate=True, states=_states)
    source = fields.Text(
        "Source", required=True, states=_states,
        help="The article, the page or the document that says so.")
    start_date = fields.Date(
        "Start Date", states=_states,
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('start_date', '<=', Eval('end_date', None)),
                ()),
            ],
        help="The first day of the agreements to which it applies.\n"
        "Leave empty for all those until the end date.")
    end_date = fields.Date(
        "End Date",
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('end_date', '>=', Eval('start_date', None)),
                ()),
            ],
        help="The last day of the agreements to which it applies.\n"
        "Leave empty as long as it is in force.")
    confirmed_by = fields.Selection([
            (None, ""),
            ('accountant', "Accountant"),
            ('funder', "Funder"),
            ('lawyer', "Lawyer"),
            ], "To Confirm by", sort=False, states=_states,
        help="Who has to confirm the rule before it decides of any money.")
    confirmed_by_string = confirmed_by.translated('confirmed_by')
    days = _parameter(
        fields.Integer, 'days', ('days', '>=', 0), string="Days",
        help="The number of days of the period.")
    rate = _parameter(
        fields.Numeric, 'rate', [('rate', '>=', 0), ('rate', '<=', 1)],
        string="Rate", digits=(1, 4),
        help="The part of the price, or of the amount, as a percentage.")
    low_rate = _parameter(
        fields.Integer, 'low_rate',
        [('low_rate', '>=', 0), ('low_rate', '<=', 100)], string="Low Rate",
        help="Below this completion rate, this percentage is paid.")
    high_rate = _parameter(
        fields.Integer, 'high_rate',
        [('high_rate', '>=', 0), ('high_rate', '<=', 100)],
        string="High Rate",
        help="From this completion rate on, the whole price is paid.")
    day_basis = _parameter(
        fields.Integer, 'day_basis', ('day_basis', '>=', 1),
        string="Days of a Year",
        help="The number of days by which the annual amount is divided.")
    level = _parameter(
        fields.Integer, 'level', ('level', '>=', 1), string="Level",
        help="The lowest level of the diplomas to which it applies.")
    amount = _parameter(
        fields.Numeric, 'amount', ('amount', '>=', 0), string="Amount",
        digits=(16, 2), help="What is paid, or the least that is.")
    other_amount = _parameter(
        fields.Numeric, 'other_amount', ('other_amount', '>=', 0),
        string="After a Break", digits=(16, 2),
        help="What is paid for a contract that follows a broken one.")
    state = fields.Selection([
            ('active', "Active"),
            ('to_confirm', "To Confirm"),
            ('inactive', "Inactive"),
            ], "State", readonly=True, required=True, sort=False,
        help="Only an active rule decides of any money.")

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('code', 'ASC'),
            ('start_date', 'DESC NULLS LAST'),
            ('id', None),
            ]
        cls._transitions |= {
            ('to_confirm', 'active'),
            ('inactive', 'active'),
            ('active', 'to_confirm'),
            ('inactive', 'to_confirm'),
            ('active', 'inactive'),
            ('to_confirm', 'inactive'),
            }
        cls._buttons.update(
            activate={
                'invisible': Eval('state') == 'active',
                'depends': ['state'],
                },
            to_confirm={
                'invisible': Eval('state') == 'to_confirm',
                'depends': ['state'],
                },
            deactivate={
                'invisible': Eval('state') == 'inactive',
                'depends': ['state'],
                })

    @classmethod
    def default_state(cls):
        return 'inactive'

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'inactive', 'muted',
                    If(Eval('state') == 'to_confirm', 'warning', ''))),
            ]

    @classmethod
    def validate_fields(cls, rules, field_names):
        super().validate_fields(rules, field_names)
        cls.check_overlap(rules, field_names)

    @classmethod
    def check_overlap(cls, rules, field_names=None):
        "Check that at most one rule decides the same thing on a date"
        if field_names and not field_names & {
                'code', 'start_date', 'end_date', 'state'}:
            return
        rules = [r for r in rules if r.state != 'inactive']
        others = cls.search([
                ('code', 'in', list({r.code for r in rules})),
                ('state', '!=', 'inactive'),
                ])
        for rule in rules:
            for other in others:
                if (rule != other and rule.code == other.code
                        and rule._begins_before_end_of(other)
                        and other._begins_before_end_of(rule)):
                    raise SettlementRuleError(gettext(
                            'training_abandon.msg_settlement_rule_overlap',
                            rule=rule.rec_name, other=other.rec_name))

    def _begins_before_end_of(self, other):
        return (
            not self.start_date or not other.end_date
            or self.start_date <= other.end_date)

    @classmethod
    @ModelView.button
    @Workflow.transition('active')
    def activate(cls, rules):
        pass

    @classmethod
    @ModelView.button
    @Workflow.transition('to_confirm')
    def to_confirm(cls, rules):
        pass

    @classmethod
    @ModelView.button
    @Workflow.transition('inactive')
    def deactivate(cls, rules):
        pass

    @classmethod
    def copy(cls, rules, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('state', cls.default_state())
        return super().copy(rules, default=default)


class ActiveRule:
    "A rule as if it were active, before the others"
    state = 'active'

    def __init__(self, rule):
        self._rule = rule

    def __getattr__(self, name):
        return getattr(self._rule, name)


def rules_at(date, rules):
    """Return those of the rules that are of the agreements of the date by
    code, what is active first"""
    order = ['inactive', 'to_confirm', 'active']
    return {
        r.code: r
        for r in sorted(rules, key=lambda r: (
                order.index(r.state), isinstance(r, ActiveRule), r.id))
        if (not r.start_date or r.start_date <= date)
        and (not r.end_date or date <= r.end_date)}
