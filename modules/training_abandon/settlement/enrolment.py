# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The agreement on which the price, the payers and the indemnity rest"
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.modules.currency.fields import Monetary
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval

from ..exceptions import AgreementError
from ..procedure.states import GROUNDS
from .calculation import INDEMNITY_GROUNDS, funded, tax_rate, untaxed

DIPLOMA_LEVELS = [(None, "")] + [(str(n), str(n)) for n in range(3, 9)]
# The dates of which the first is not after the second
ORDERED_DATES = [
    ('agreement_date', 'withdrawal_date'),
    ('contract_start', 'contract_end'),
    ('contract_start', 'break_date'),
    ('break_date', 'contract_end'),
    ]


def _not_negative(name):
    return ['OR', (name, '=', None), (name, '>=', 0)]


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    _contract = {
        'invisible': Eval('agreement_kind') != 'apprenticeship',
        }
    _clause = {
        'invisible': ~Eval('indemnity_kind'),
        }

    price_tax_included = Monetary(
        "Price Tax Included", currency='currency', digits='currency',
        domain=_not_negative('price_tax_included'),
        help="The price that the agreement says with its taxes, besides the "
        "one without: it is the one that is shared by the hours done.")
    agreement_reference = fields.Char(
        "Agreement Reference",
        help="The number of the agreement, that the invoices repeat.")
    agreement_date = fields.Date(
        "Agreement Signed on",
        help="The day of the signature: the rules of that day apply.")
    agreement_signature = fields.Selection([
            (None, ""),
            ('on_premises', "On the Premises"),
            ('at_a_distance', "At a Distance"),
            ('off_premises', "Off the Premises"),
            ], "Way of Signing", sort=False,
        help="How the trainee signed: the period to withdraw may depend "
        "on it.")
    withdrawal_date = fields.Date(
        "Withdrawn on",
        states={
            'invisible': ~Eval('agreement_kind').in_(['contract', 'cpf']),
            },
        help="The day of the registered letter by which the trainee "
        "withdrew.")
    indemnity_kind = fields.Selection([
            (None, ""),
            ('rate', "Rate"),
            ('scale', "Scale by Days before the Start"),
            ], "Indemnity", sort=False,
        states={
            'invisible': ~Eval('agreement_kind').in_(
                ['agreement', 'contract']),
            },
        help="The clause of the agreement itself; leave empty when it has "
        "none.")
    indemnity_rate = fields.Numeric(
        "Indemnity Rate", digits=(1, 4),
        domain=['OR',
            ('indemnity_rate', '=', None),
            [('indemnity_rate', '>=', 0), ('indemnity_rate', '<=', 1)],
            ],
        states={
            'invisible': Eval('indemnity_kind') != 'rate',
            },
        help="The part of the price not delivered that the agreement asks, "
        "as a percentage.")
    indemnity_scale = fields.One2Many(
        'training.enrolment.indemnity', 'enrolment', "Indemnity Scale",
        states={
            'invisible': Eval('indemnity_kind') != 'scale',
            },
        help="The rates of the agreement by the days that are left before "
        "the start of the session.")
    indemnity_grounds = fields.MultiSelection(
        [g for g in GROUNDS if g[0] in INDEMNITY_GROUNDS],
        "Indemnity Grounds", sort=False, states=_clause,
        help="The grounds for which the agreement asks the indemnity; "
        "what it asks of a no-show it asks of a cancellation too.")
    contract_start = fields.Date(
        "Contract Start", states=_contract,
        help="The first day of the apprenticeship contract.")
    contract_end = fields.Date(
        "Contract End", states=_contract,
        help="The last day that the apprenticeship contract plans.")
    npec_annual = Monetary(
        "Annual Funding Level", currency='currency', digits='currency',
        domain=_not_negative('npec_annual'), states=_contract,
        help="The level of funding of the contract for a year (NPEC), as "
        "the skills operator has agreed to it, less what it takes off for a "
        "training at a distance.")
    diploma_level = fields.Selection(
        DIPLOMA_LEVELS, "Diploma Level", sort=False, states=_contract,
        help="The level of the diploma in the national framework: the "
        "employer takes part from the sixth one on.")
    break_date = fields.Date(
        "Contract Broken on", states=_contract,
        help="The last day of an apprenticeship contract that was broken.")
    practical_days = fields.Integer(
        "Days in the Company",
        domain=_not_negative('practical_days'), states=_contract,
        help="The days of practical training in the company until the "
        "break of the contract.")
    still_in_training = fields.Boolean(
        "Still in Training", states=_contract,
        help="The apprentice stays in the training after the break.")
    previous_contract_broken = fields.Boolean(
        "Follows a Broken Contract", states=_contract,
        help="The contract follows another one that was broken.")

    completion_certificates = fields.One2Many(
        'training.completion_certificate', 'enrolment',
        "Completion Certificates", readonly=True,
        help="The certificates of the hours done, the last one in the place "
        "of the others.")

    del _contract, _clause

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            issue_completion={
                'invisible': Eval('state') == 'draft',
                'depends': ['state'],
                })

    @classmethod
    @ModelView.button
    def issue_completion(cls, enrolments):
        "Issue the completion certificates of those who attended"
        pool = Pool()
        Certificate = pool.get('training.completion_certificate')
        Certificate.issue(enrolments)

    @classmethod
    def default_indemnity_grounds(cls):
        return ['abandonment', 'no_show', 'cancellation']

    @fields.depends('indemnity_kind', 'indemnity_grounds')
    def on_change_indemnity_kind(self):
        if self.indemnity_kind and not self.indemnity_grounds:
            self.indemnity_grounds = self.default_indemnity_grounds()

    @classmethod
    def validate_fields(cls, enrolments, field_names):
        super().validate_fields(enrolments, field_names)
        cls.check_agreement_dates(enrolments, field_names)
        cls.check_indemnity(enrolments, field_names)
        cls.check_amounts(enrolments, field_names)

    @classmethod
    def check_agreement_dates(cls, enrolments, field_names=None):
        for first, second in ORDERED_DATES:
            if field_names and not field_names & {first, second}:
                continue
            for enrolment in enrolments:
                dates = [getattr(enrolment, n) for n in [first, second]]
                if all(dates) and dates[0] > dates[1]:
                    raise AgreementError(gettext(
                            'training_abandon.msg_agreement_dates',
                            enrolment=enrolment.rec_name,
                            **cls.__names__(first),
                            other=cls.__names__(second)['field']))

    @classmethod
    def check_indemnity(cls, enrolments, field_names=None):
        if field_names and not field_names & {
                'indemnity_kind', 'indemnity_rate', 'indemnity_scale',
                'indemnity_grounds'}:
            return
        for enrolment in enrolments:
            kind = enrolment.indemnity_kind
            if (kind == 'rate' and enrolment.indemnity_rate is None
                    or kind == 'scale' and not enrolment.indemnity_scale):
                raise AgreementError(gettext(
                        'training_abandon.msg_agreement_no_rate',
                        enrolment=enrolment.rec_name))
            if kind and not enrolment.indemnity_grounds:
                raise AgreementError(gettext(
                        'training_abandon.msg_agreement_no_grounds',
                        enrolment=enrolment.rec_name))
        cls.check_scale(enrolments)

    @classmethod
    def check_scale(cls, enrolments):
        for enrolment in enrolments:
            days = [s.days_before_start for s in enrolment.indemnity_scale]
            if len(set(days)) < len(days):
                raise AgreementError(gettext(
                        'training_abandon.msg_agreement_scale',
                        enrolment=enrolment.rec_name))

    @classmethod
    def check_amounts(cls, enrolments, field_names=None):
        if field_names and not field_names & {
                'price', 'price_tax_included', 'indivisible_fees',
                'fundings'}:
            return
        for enrolment in enrolments:
            enrolment.check_price_tax_included()
            if (enrolment.price is not None
                    and (enrolment.indivisible_fees or 0) > enrolment.price):
                raise AgreementError(gettext(
                        'training_abandon.msg_agreement_fees',
                        enrolment=enrolment.rec_name))
            enrolment.check_fundings()

    def check_price_tax_included(self):
        "Check that the price with its taxes is the price with a tax"
        included = self.price_tax_included
        if included is None:
            return
        if (self.price and included >= self.price
                and abs(untaxed(
                    included, tax_rate(self.price, included),
                    self.currency.digits)
                    - self.price) <= self.currency.rounding):
            return
        if self.price == included == 0:
            return
        raise AgreementError(gettext(
                'training_abandon.msg_agreement_tax_included',
                enrolment=self.rec_name))

    def check_fundings(self):
        "Check that the funders pay no more than the price"
        # An apprenticeship is paid by its level of funding
        price = None if self.agreement_kind == 'apprenticeship' else self.price
        if funded(self.fundings, price) > 1:
            raise AgreementError(gettext(
                    'training_abandon.msg_agreement_shares',
                    enrolment=self.rec_name))

    @property
    def payers(self):
        "The parties who may be invoiced for the enrolment"
        parties = [self.client, self.employer, self.trainee.party]
        parties += [f.funder for f in self.fundings]
        return [p for p in dict.fromkeys(parties) if p]

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        for name in [
                'withdrawal_date', 'break_date', 'still_in_training',
                'completion_certificates']:
            default.setdefault(name)
        return super().copy(enrolments, default=default)


class Funding(metaclass=PoolMeta):
    __name__ = 'training.enrolment.funding'

    hourly_rate = Monetary(
        "Hourly Rate", currency='currency', digits='currency',
        domain=_not_negative('hourly_rate'),
        help="The price of an hour in a public order, if it has one.")
    file_number = fields.Char(
        "File Number",
        help="The number that the funder gives to the file: the invoices "
        "repeat it.")

    @classmethod
    def copy(cls, fundings, default=None):
        default = default.copy() if default is not None else {}
        # The amount counts where former agreements have both
        default.setdefault('share', lambda data: (
                data['share'] if data['amount'] is None else None))
        return super().copy(fundings, default=default)

    @classmethod
    def validate_fields(cls, fundings, field_names):
        super().validate_fields(fundings, field_names)
        cls.check_share(fundings, field_names)
        if not field_names or field_names & {'share', 'amount', 'ceiling'}:
            for enrolment in {f.enrolment for f in fundings}:
                enrolment.check_fundings()

    @classmethod
    def check_share(cls, fundings, field_names=None):
        "Check that nobody pays both a share and an amount"
        if field_names and not field_names & {'share', 'amount'}:
            return
        for funding in fundings:
            # The amount comes before the share that is there by default
            if (funding.amount is not None
                    and (funding.share or 1) != cls.default_share()):
                raise AgreementError(gettext(
                        'training_abandon.msg_agreement_share_amount',
                        funder=funding.funder.rec_name,
                        enrolment=funding.enrolment.rec_name))


class IndemnityBand(ModelSQL, ModelView):
    __name__ = 'training.enrolment.indemnity'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, ondelete='CASCADE')
    days_before_start = fields.Integer(
        "Days before the Start",
        domain=_not_negative('days_before_start'),
        help="The least number of days that are left.\n"
        "Leave empty for all the other days, those after the start too.")
    rate = fields.Numeric(
        "Rate", digits=(1, 4), required=True,
        domain=[
            ('rate', '>=', 0),
            ('rate', '<=', 1),
            ],
        help="The part of the price not delivered that the agreement asks, "
        "as a percentage.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('enrolment')
        cls._order = [
            ('days_before_start', 'DESC NULLS LAST'),
            ('id', None),
            ]

    @classmethod
    def validate_fields(cls, bands, field_names):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        super().validate_fields(bands, field_names)
        if not field_names or field_names & {
                'enrolment', 'days_before_start'}:
            Enrolment.check_scale({b.enrolment for b in bands})

    def get_rec_name(self, name):
        return self.enrolment.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('enrolment.rec_name', *clause[1:])]
