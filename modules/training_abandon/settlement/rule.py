# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The rules of law and of the funders by which the settlements are made"
from sql import Null

from trytond.model import ModelSQL, ModelView, Workflow, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction

from .dated_rule import DatedRuleMixin

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
    ('apprenticeship_months', "Apprenticeship by Month Begun"),
    ('funder_ceiling', "Ceilings and Amounts of the Funders"),
    ]
# The values that each rule has
PARAMETERS = {
    'days': ['withdrawal', 'distance_withdrawal', 'apprenticeship_employer'],
    'rate': ['withdrawal', 'cpf_before_start', 'apprenticeship_employer'],
    'low_rate': ['cpf_pay'],
    'high_rate': ['cpf_pay'],
    'day_basis': ['apprenticeship_days'],
    'level': ['apprenticeship_employer'],
    'amount': ['apprenticeship_employer'],
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


class Rule(DatedRuleMixin, Workflow, ModelSQL, ModelView):
    __name__ = 'training.abandon.settlement.rule'

    _states = {
        'readonly': Eval('state') == 'active',
        }

    code = fields.Selection(
        RULES, "Rule", required=True, sort=False, states=_states,
        help="What the rule decides.")
    code_string = code.translated('code')
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
        digits=(16, 2), help="What is paid.")
    other_amount = _parameter(
        fields.Numeric, 'other_amount', ('other_amount', '>=', 0),
        string="After a Break", digits=(16, 2),
        help="What is paid for a contract that follows a broken one.")

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('code', 'ASC'),
            ('start_date', 'DESC NULLS LAST'),
            ('id', None),
            ]

    @classmethod
    def __register__(cls, module):
        super().__register__(module)
        cls._delete_distance()

    @classmethod
    def _delete_distance(cls):
        """Delete the copies of a rule that has decided of nothing: the funding
        level is entered as it is agreed to at a distance"""
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        cursor = Transaction().connection.cursor()
        table, data = cls.__table__(), ModelData.__table__()
        # The update deletes the one that was shipped
        cursor.execute(*table.delete(
                where=(table.code == 'apprenticeship_distance')
                & ~table.id.in_(data.select(
                        data.db_id,
                        # Tryton forgets those that a user has deleted
                        where=(data.model == cls.__name__)
                        & (data.db_id != Null)))))

    @classmethod
    def _overlap_fields(cls):
        return super()._overlap_fields() | {'code'}

    def _decides_as(self, other):
        return self.code == other.code


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
        if r.is_in_force(date)}
