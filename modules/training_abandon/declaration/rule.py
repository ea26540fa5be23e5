# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What has to be declared to whom, how and until when"
import datetime as dt

from trytond.model import ModelSQL, ModelView, Unique, Workflow, fields
from trytond.pool import Pool
from trytond.pyson import Eval

from ..procedure.states import GROUNDS
from ..settlement.calculation import FUNDED_KINDS
from ..settlement.dated_rule import DatedRuleMixin
from ..training.working_day import WorkingCalendar

EVENTS = [
    ('decision', "Decision"),
    ('break', "Break of the Contract"),
    ('month', "End of a Month"),
    ]
KINDS = [
    ('not_started', "Training not Started"),
    ('abandonment', "Abandonment"),
    ('exit', "Exit from the Training"),
    ('exclusion', "Exclusion"),
    ('contract_break', "Break of the Contract"),
    ('presence', "Presence of the Month"),
    ]
RECIPIENTS = [
    ('funder', "Funder"),
    ('employer', "Employer"),
    ('prescriber', "Prescriber"),
    ]
CHANNELS = [
    ('platform', "Platform"),
    ('email', "Email"),
    ('letter', "Letter"),
    ('registered_letter', "Registered Letter"),
    ]


class RecipientCalendar(WorkingCalendar):
    """The working days of the recipients, for whom the closures of the
    company are none."""

    def _is_closed(self, date):
        return False


class Rule(DatedRuleMixin, Workflow, ModelSQL, ModelView):
    "What an event has to be declared as, by kind of agreement"
    __name__ = 'training.declaration.rule'

    _states = {
        'readonly': Eval('state') == 'active',
        }

    event = fields.Selection(
        EVENTS, "Event", required=True, sort=False, states=_states,
        help="What makes the declaration necessary.")
    kind = fields.Selection(
        KINDS, "Declaration", required=True, sort=False, states=_states,
        help="What is declared.")
    kind_string = kind.translated('kind')
    agreement_kinds = fields.MultiSelection(
        'get_agreement_kinds', "Agreements", sort=False, states=_states,
        help="The agreements to which it applies.\n"
        "Leave empty for all of them.")
    trainee_kind = fields.Selection(
        'get_trainee_kinds', "Kind of Trainee", sort=False, states=_states,
        help="The trainees to whom it applies.\n"
        "Leave empty for all of them.")
    grounds = fields.MultiSelection(
        GROUNDS, "Grounds", sort=False,
        states={
            'readonly': Eval('state') == 'active',
            'invisible': Eval('event') != 'decision',
            'required': Eval('event') == 'decision',
            },
        help="The grounds of the decisions that are declared.")
    recipient = fields.Selection(
        RECIPIENTS, "Recipient", required=True, sort=False, states=_states,
        help="To whom the declaration is made.")
    channel = fields.Selection(
        CHANNELS, "Channel", required=True, sort=False, states=_states,
        help="How the declaration is made.")
    delay = fields.Integer(
        "Delay",
        domain=['OR', ('delay', '=', None), ('delay', '>=', 0)],
        states=_states,
        help="How long after the event the declaration is due.\n"
        "Leave empty when no text sets it: it is then never late.")
    delay_unit = fields.Selection([
            ('working_day', "Working Days"),
            ('day', "Days"),
            ], "Unit", required=True, sort=False, states=_states,
        help="The unit of the delay.")
    with_category = fields.Boolean(
        "With the Reason", states=_states,
        help="The declaration tells the category of the reason, as a "
        "prescriber may know it, and never the words of the trainee.")
    codes = fields.One2Many(
        'training.declaration.rule.code', 'rule', "Codes",
        states={
            'readonly': Eval('state') == 'active',
            'invisible': Eval('event') != 'decision',
            },
        help="What the recipient calls the grounds: a ground without code "
        "needs one when the declaration is recorded.")

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.start_date.help = (
            "The first day of the events to which it applies.\n"
            "Leave empty for all those until the end date.")
        cls.end_date.help = (
            "The last day of the events to which it applies.\n"
            "Leave empty as long as it is in force.")
        cls.confirmed_by.help = "Who has to confirm the rule."
        cls.state.help = (
            "The declarations of a rule to confirm are made, and marked; an "
            "inactive rule makes none.")
        cls._order = [
            ('event', 'ASC'),
            ('kind', 'ASC'),
            ('start_date', 'DESC NULLS LAST'),
            ('id', None),
            ]

    @classmethod
    def get_agreement_kinds(cls):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        return Enrolment.fields_get(
            ['agreement_kind'])['agreement_kind']['selection']

    @classmethod
    def get_trainee_kinds(cls):
        pool = Pool()
        Trainee = pool.get('training.trainee')
        return [(None, "")] + Trainee.fields_get(['kind'])['kind']['selection']

    @classmethod
    def default_channel(cls):
        return 'platform'

    @classmethod
    def default_delay_unit(cls):
        return 'working_day'

    @classmethod
    def _overlap_fields(cls):
        return super()._overlap_fields() | {
            'event', 'kind', 'recipient', 'agreement_kinds', 'trainee_kind',
            'grounds'}

    def _decides_as(self, other):
        return (
            (self.event, self.kind, self.recipient)
            == (other.event, other.kind, other.recipient)
            and (self.event != 'decision'
                or _overlap(self.grounds, other.grounds))
            and _overlap(self.agreement_kinds, other.agreement_kinds)
            and _overlap(
                self.trainee_kind and [self.trainee_kind],
                other.trainee_kind and [other.trainee_kind]))

    def applies(self, enrolment, ground, date):
        "Return if what happened on the date has to be declared"
        return (
            self.is_in_force(date)
            and (self.event != 'decision' or ground in self.grounds)
            and (not self.agreement_kinds
                or enrolment.agreement_kind in self.agreement_kinds)
            and self.trainee_kind in {None, enrolment.kind_of_trainee})

    def enrolments_domain(self):
        "Return the domain of the enrolments to which the rule applies"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        domain = []
        if self.agreement_kinds:
            domain.append(
                ('agreement_kind', 'in', list(self.agreement_kinds)))
        if self.trainee_kind:
            domain.append(
                Enrolment.kind_of_trainee_domain(self.trainee_kind))
        return domain

    def recipients(self, enrolment):
        """Return the parties to whom it is declared, each once

        It is None for the funder that is not on the enrolment."""
        if self.recipient != 'funder':
            party = getattr(enrolment, self.recipient)
            return [party] if party else []
        paying = {enrolment.trainee.party, enrolment.employer}
        if enrolment.agreement_kind not in FUNDED_KINDS:
            paying.add(enrolment.client)
        funders = dict.fromkeys(
            f.funder for f in enrolment.fundings if f.funder not in paying)
        if not funders and enrolment.agreement_kind in FUNDED_KINDS:
            return [None]
        return list(funders)

    def due_date(self, date, calendar):
        if self.delay is None:
            return None
        elif self.delay_unit == 'day':
            return date + dt.timedelta(days=self.delay)
        return calendar.add(date, self.delay)

    def code_of(self, ground):
        return next((c for c in self.codes if c.ground == ground), None)


def _overlap(values, others):
    "Return if both have something in common, where nothing is everything"
    return not values or not others or bool(set(values) & set(others))


class RuleCode(ModelSQL, ModelView):
    "What the recipient calls a ground"
    __name__ = 'training.declaration.rule.code'

    rule = fields.Many2One(
        'training.declaration.rule', "Rule", required=True,
        ondelete='CASCADE', help="The rule whose recipient uses the code.")
    ground = fields.Selection(
        GROUNDS, "Ground", required=True, sort=False,
        help="The ground of the decision.")
    code = fields.Char(
        "Code", required=True, help="The code by which it is declared.")
    name = fields.Char(
        "Name", required=True, translate=True,
        help="What the code says on the platform or the form.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('rule')
        t = cls.__table__()
        cls._sql_constraints += [
            ('ground_unique', Unique(t, t.rule, t.ground),
                'training_abandon.msg_declaration_code_unique'),
            ]
