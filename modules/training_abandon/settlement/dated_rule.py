# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Rules of others that are dated, have a source and are to be confirmed"
from trytond.i18n import gettext
from trytond.model import ModelView, Workflow, fields
from trytond.pyson import Eval, If

from ..exceptions import SettlementRuleError


class DatedRuleMixin:
    "Workflow whose records are such rules"
    __slots__ = ()

    _states = {
        'readonly': Eval('state') == 'active',
        }

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
        if field_names and not field_names & cls._overlap_fields():
            return
        rules = [r for r in rules if r.state != 'inactive']
        others = cls.search([('state', '!=', 'inactive')]) if rules else []
        for rule in rules:
            for other in others:
                if (rule != other and rule._decides_as(other)
                        and rule._begins_before_end_of(other)
                        and other._begins_before_end_of(rule)):
                    raise SettlementRuleError(gettext(
                            'training_abandon.msg_settlement_rule_overlap',
                            rule=rule.rec_name, other=other.rec_name))

    @classmethod
    def _overlap_fields(cls):
        return {'start_date', 'end_date', 'state'}

    def _decides_as(self, other):
        "Return if both rules decide the same thing on the days of both"
        raise NotImplementedError

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

    def is_in_force(self, date):
        return ((not self.start_date or self.start_date <= date)
            and (not self.end_date or date <= self.end_date))

    @classmethod
    def copy(cls, rules, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('state', cls.default_state())
        return super().copy(rules, default=default)
