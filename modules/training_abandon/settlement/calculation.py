# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What is due for the hours done, by whom, and why

Whole minutes, whole days and fractions: what is exact is rounded once, half
up, at the end.  Nothing here knows Tryton: the payers are whatever stands for
them, the rules whatever has their values."""
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

NOT_SETTLED = ['postponed', 'resumed', 'unfounded']
ABSENT_GROUNDS = ['no_show', 'cancellation']
# The grounds for which an agreement may ask an indemnity
INDEMNITY_GROUNDS = [
    'abandonment', 'no_show', 'cancellation', 'legitimate_reason']
# The agreements of those who bill neither the trainee nor an indemnity
FUNDED_KINDS = ['cpf', 'apprenticeship', 'public_funding']
# Those whose funders pay all that the employer does not have to
UNBILLED_KINDS = ['cpf', 'apprenticeship']


class Refused(Exception):
    "Something has to be told, or changed, before anything is due"

    def __init__(self, code, **values):
        super().__init__(code)
        self.code = code
        self.values = values


@dataclass(frozen=True)
class Funding:
    payer: object
    share: Decimal | None = None
    amount: Decimal | None = None
    ceiling: Decimal | None = None
    hourly_rate: Decimal | None = None


@dataclass(frozen=True)
class Clause:
    "The indemnity of the agreement, its scale being (least days, rate)"
    grounds: tuple
    rate: Decimal | None = None
    scale: tuple | None = None


@dataclass(frozen=True)
class Contract:
    "An apprenticeship contract and its end"
    start: object = None
    end: object = None
    npec: Decimal | None = None
    level: int | None = None
    practical_days: int | None = None
    previous_broken: bool = False
    still_in_training: bool = False


@dataclass(frozen=True)
class Withdrawal:
    days: int | None = None
    at_a_distance: bool = False


@dataclass(frozen=True)
class Terms:
    kind: str
    ground: str
    price: Decimal | None
    planned: int
    done: int
    # The price that the agreement says with its taxes, if it does
    price_tax_included: Decimal | None = None
    fees: Decimal = Decimal(0)
    cancelled: int = 0
    # If the trainee who is transferred has one
    new_enrolment: bool = True
    # What was attended later is not in what is done
    attended_after: int = 0
    digits: int = 2
    fundings: tuple = ()
    # Who pays what no funder does
    payer: object = None
    employer: object = None
    clause: Clause | None = None
    days_before_start: int = 0
    contract: Contract = Contract()
    withdrawal: Withdrawal = Withdrawal()
    rules: dict = field(default_factory=dict)


@dataclass
class Part:
    "What a payer owes, with the words that tell why"
    payer: object
    amount: Decimal
    words: str
    values: dict = field(default_factory=dict)
    rule: str | None = None


@dataclass
class Result:
    due: Decimal | None = None
    undelivered: Decimal | None = None
    indemnity: Decimal = Decimal(0)
    completion_rate: int | None = None
    contract_days: int | None = None
    carried: bool = False
    parts: list = field(default_factory=list)
    indemnities: list = field(default_factory=list)
    # The (words, values, rule) of the calculation
    steps: list = field(default_factory=list)
    warnings: list = field(default_factory=list)
    missing_rules: list = field(default_factory=list)

    def step(self, words, rule=None, **values):
        self.steps.append((words, values, rule))

    def warn(self, code):
        if code not in self.warnings:
            self.warnings.append(code)


def half_up(value, digits=2):
    "Return the decimal nearest to what is not negative, its half rounded up"
    units = Fraction(value) * 10 ** digits + Fraction(1, 2)
    return Decimal(units.numerator // units.denominator).scaleb(-digits)


def prorated(price, fees, done, planned, digits=2):
    "Return the fees and the part of the rest of the price that is done"
    done, fees = min(done, planned), min(fees, price)
    return half_up(fees, digits) + half_up(
        Fraction(price - fees) * done / planned, digits)


def tax_rate(price, tax_included):
    "Return the rate of the tax between the prices, to a thousandth"
    return Fraction(
        half_up(Fraction(tax_included) / Fraction(price) - 1, 3))


def untaxed(tax_included, rate, digits=2):
    "Return the largest amount that is not more than that with its tax"
    unit = Decimal(1).scaleb(-digits)
    amount = half_up(Fraction(tax_included) / (1 + rate), digits)
    while amount + half_up(Fraction(amount) * rate, digits) > tax_included:
        amount -= unit
    return amount


def completion_rate(done, planned):
    "Return the percentage done as a whole number, its half rounded up"
    return int(half_up(Fraction(100 * min(done, planned), planned), 0))


def days_between(start, end):
    "Return the number of days of the period, its first and last included"
    return max((end - start).days + 1, 0)


def months_begun(start, end):
    "Return the number of months begun since the first day"
    if end < start:
        return 0
    months = (end.year - start.year) * 12 + end.month - start.month
    return months + (end.day >= start.day)


def band_rate(scale, days):
    """Return the rate of the scale so many days before the start

    The line without days is for those that no other one covers."""
    for least, rate in sorted(
            scale, key=lambda b: (b[0] is not None, b[0] or 0), reverse=True):
        if least is None or days >= least:
            return rate
    return Decimal(0)


def split(total, price, fundings, payer, digits=2):
    """Return the parts that the fundings, in order, and the payer have in the
    total: together they are the total."""
    parts, rest = [], total
    for funding in fundings:
        part = _funded(funding, total, price, rest, digits)
        parts.append(part)
        rest -= part.amount
    if fundings and _cover_all(fundings, price):
        # The last one takes the cents
        parts[-1].amount += rest
    elif payer is not None:
        words = 'rest' if fundings else 'all'
        parts.append(Part(payer, rest, f'msg_settlement_words_{words}'))
    elif rest:
        raise Refused('no_payer')
    return parts


def _funded(funding, total, price, rest, digits):
    if funding.amount is None:
        words, values = 'share', {'share': funding.share}
        exact = Fraction(funding.share or 0) * Fraction(total)
    else:
        words, values = 'amount', {'amount': funding.amount}
        exact = (
            Fraction(funding.amount) * Fraction(total) / Fraction(price)
            if price else Fraction(0))
    amount = half_up(exact, digits)
    if funding.ceiling is not None:
        words += '_ceiling'
        values['ceiling'] = funding.ceiling
        amount = min(amount, half_up(funding.ceiling, digits))
    return Part(
        funding.payer, min(amount, rest), f'msg_settlement_words_{words}',
        values)


def _cover_all(fundings, price):
    return (
        all(f.ceiling is None for f in fundings)
        and funded(fundings, price) == 1)


def funded(fundings, price):
    "Return the fraction of the price that the fundings have together"
    return sum((
            Fraction(f.share or 0) if f.amount is None
            else Fraction(f.amount) / Fraction(price) if price
            else Fraction(0)
            for f in fundings), Fraction(0))


def calculate(terms):
    "Return the result for the terms, or raise Refused"
    if terms.ground in NOT_SETTLED:
        raise Refused('not_settled')
    if not terms.planned:
        raise Refused('no_hours')
    if terms.ground in ABSENT_GROUNDS and (
            terms.done or terms.attended_after):
        raise Refused('attended')
    result = Result()
    if terms.ground == 'transfer':
        result.due, result.carried = Decimal(0), True
        result.step(
            'msg_settlement_step_transfer' if terms.new_enrolment
            else 'msg_settlement_step_transfer_nowhere')
        return result
    if terms.price is None and terms.kind != 'apprenticeship':
        raise Refused('no_price')
    if terms.done > terms.planned:
        result.warn('attended_over_planned')
    if terms.attended_after:
        result.warn('attended_after')
    result.step(
        'msg_settlement_step_hours', done=terms.done, planned=terms.planned)
    if terms.ground == 'withdrawal_period':
        _withdraw(terms, result)
    else:
        {
            'cpf': _cpf,
            'apprenticeship': _apprenticeship,
            }.get(terms.kind, _hours)(terms, result)
    if result.missing_rules:
        result.warn('rule_to_confirm')
    if result.due is not None:
        _warn_funders(terms, result)
    return result


def _warn_funders(terms, result):
    rule = terms.rules.get('funder_ceiling')
    if rule and rule.state == 'active':
        return
    if any(f.ceiling is not None for f in terms.fundings):
        result.warn('ceiling_to_confirm')
    if any(f.amount is not None for f in terms.fundings):
        result.warn('amount_to_confirm')


def _active(terms, result, code):
    "Return the rule if it decides, else tell that it is missing"
    rule = terms.rules.get(code)
    if rule and rule.state == 'active':
        return rule
    result.missing_rules.append(code)


def _share(terms, result, payer, total=None):
    total = result.due if total is None else total
    try:
        result.parts += split(
            total, terms.price, terms.fundings, payer, terms.digits)
    except Refused:
        if terms.kind in UNBILLED_KINDS:
            raise Refused('no_funder')
        raise


def _hours(terms, result):
    if not _active(terms, result, 'pro_rata'):
        return
    hourly = _hourly_rate(terms, result)
    if hourly:
        done = min(terms.done, terms.planned)
        due = half_up(terms.fees, terms.digits) + half_up(
            Fraction(hourly) * done / 60, terms.digits)
        result.due = min(due, terms.price)
        result.step(
            'msg_settlement_step_hourly', 'pro_rata', fees=terms.fees,
            done=done, hourly=hourly, due=result.due)
    elif terms.price and terms.price_tax_included is not None:
        _prorate_tax_included(terms, result)
    else:
        result.due = prorated(
            terms.price, terms.fees, terms.done, terms.planned, terms.digits)
        result.step(
            'msg_settlement_step_pro_rata', 'pro_rata', due=result.due,
            fees=terms.fees, divided=terms.price - terms.fees,
            done_minutes=min(terms.done, terms.planned),
            planned_minutes=terms.planned)
    result.undelivered = terms.price - result.due
    _share(terms, result, terms.payer)
    if terms.kind not in FUNDED_KINDS:
        _indemnify(terms, result)


def _prorate_tax_included(terms, result):
    rate = tax_rate(terms.price, terms.price_tax_included)
    fees = half_up(Fraction(terms.fees) * (1 + rate), terms.digits)
    included = prorated(
        terms.price_tax_included, fees, terms.done, terms.planned,
        terms.digits)
    result.due = min(untaxed(included, rate, terms.digits), terms.price)
    result.step(
        'msg_settlement_step_tax_included', 'pro_rata', included=included,
        fees=fees, divided=terms.price_tax_included - fees,
        done_minutes=min(terms.done, terms.planned),
        planned_minutes=terms.planned, due=result.due)


def _hourly_rate(terms, result):
    "Return the price of an hour in the public order, if it has one"
    rates = {f.hourly_rate for f in terms.fundings if f.hourly_rate}
    if not rates:
        return None
    if terms.kind != 'public_funding':
        result.warn('hourly_rate_not_used')
        return None
    if len(rates) > 1:
        raise Refused('hourly_rates')
    return rates.pop()


def _indemnify(terms, result):
    rate = indemnity_rate(terms)
    if not rate or not _active(terms, result, 'indemnity'):
        return
    base = result.undelivered
    if terms.cancelled:
        left = max(terms.planned - terms.done - terms.cancelled, 0)
        base = half_up(
            Fraction(terms.price - terms.fees) * left / terms.planned,
            terms.digits)
        result.warn('cancelled_hours')
    result.indemnity = half_up(
        Fraction(rate) * Fraction(base), terms.digits)
    # What the provider cancelled leaves a line that may be corrected
    if not result.indemnity and not terms.cancelled:
        return
    if terms.payer is None:
        raise Refused('no_payer')
    result.indemnities.append(Part(
            terms.payer, result.indemnity, 'msg_settlement_words_indemnity',
            {'percent': rate, 'base': base}, 'indemnity'))


def indemnity_rate(terms):
    "Return the rate that the clause has for the ground, or None"
    clause, ground = terms.clause, terms.ground
    if (not clause or ground not in INDEMNITY_GROUNDS
            or terms.kind in FUNDED_KINDS
            or (terms.kind == 'contract' and ground == 'legitimate_reason')):
        return None
    if not (ground in clause.grounds
            or (ground == 'cancellation' and 'no_show' in clause.grounds)):
        return None
    if clause.scale is None and clause.rate is None or clause.scale == ():
        raise Refused('no_indemnity_rate')
    if clause.scale is not None:
        return band_rate(clause.scale, terms.days_before_start)
    return clause.rate


def _withdraw(terms, result):
    if terms.kind != 'contract':
        raise Refused(
            'withdrawal_platform' if terms.kind == 'cpf'
            else 'withdrawal_kind')
    days = terms.withdrawal.days
    if days is None:
        raise Refused('no_agreement_date')
    if days < 0:
        raise Refused('withdrawal_early')
    rule = _active(terms, result, 'withdrawal')
    if not rule:
        return
    code = 'withdrawal'
    # Whether the day of the signature counts is not settled
    if days > rule.days + 1:
        if not terms.withdrawal.at_a_distance:
            raise Refused('withdrawal_late', days=rule.days)
        code = 'distance_withdrawal'
        rule = terms.rules.get(code)
        if rule and days > rule.days + 1:
            raise Refused('withdrawal_late', days=rule.days)
        if not _active(terms, result, code):
            return
    if days >= rule.days:
        result.warn('withdrawal_day_to_confirm')
    result.due, result.undelivered = Decimal(0), terms.price
    result.step('msg_settlement_step_withdrawal', code, days=days)
    if terms.payer is not None:
        result.parts.append(Part(
                terms.payer, Decimal(0), 'msg_settlement_words_withdrawal',
                {}, code))


def _cpf(terms, result):
    if not _active(terms, result, 'cpf_rate'):
        return
    rate = result.completion_rate = completion_rate(
        terms.done, terms.planned)
    result.step('msg_settlement_step_cpf_rate', 'cpf_rate', rate=rate)
    absent = terms.ground in ABSENT_GROUNDS
    code = 'cpf_before_start' if absent else 'cpf_pay'
    rule = _active(terms, result, code)
    if not rule:
        return
    if absent:
        paid = Fraction(rule.rate) * 100
    elif terms.ground == 'force_majeure':
        paid = rate
    elif rate < rule.low_rate:
        paid = rule.low_rate
    elif rate < rule.high_rate:
        paid = rate
    else:
        paid = 100
    result.due = half_up(
        Fraction(terms.price) * Fraction(paid) / 100, terms.digits)
    result.undelivered = terms.price - result.due
    result.step('msg_settlement_step_cpf_pay', code, paid=paid,
        price=terms.price, due=result.due)
    _share(terms, result, None)


def _apprenticeship(terms, result):
    contract = terms.contract
    if terms.ground in ABSENT_GROUNDS:
        result.due, result.contract_days = Decimal(0), 0
        _share(terms, result, None)
        return
    for name in ['start', 'end', 'npec']:
        if getattr(contract, name) is None:
            raise Refused(f'no_contract_{name}')
    days = result.contract_days = days_between(contract.start, contract.end)
    result.step('msg_settlement_step_days', days=days)
    if terms.rules.get('apprenticeship_days'):
        rule = _active(terms, result, 'apprenticeship_days')
        code, count = 'apprenticeship_days', days
        basis = rule.day_basis if rule else None
    else:
        rule = _active(terms, result, 'apprenticeship_months')
        code, basis = 'apprenticeship_months', 12
        count = months_begun(contract.start, contract.end)
    if not rule or _kept(terms, result):
        return
    due = half_up(
        Fraction(contract.npec) * count / basis, terms.digits)
    employer = _participation(terms, result, due)
    if employer is None:
        return
    result.due = due
    result.step('msg_settlement_step_npec', code, npec=contract.npec,
        count=count, basis=basis, due=due)
    _share(terms, result, None, due - employer)
    if employer:
        if terms.employer is None:
            raise Refused('no_employer')
        result.parts.append(Part(
                terms.employer, employer, 'msg_settlement_words_employer',
                {}, 'apprenticeship_employer'))


def _kept(terms, result):
    "Return if what is paid after the break is not known"
    return (
        terms.contract.still_in_training
        and 'apprenticeship_kept' in terms.rules
        and not _active(terms, result, 'apprenticeship_kept'))


def _participation(terms, result, due):
    "Return what the employer pays itself, or None if it is not known"
    contract = terms.contract
    # The contracts of before have no participation
    if 'apprenticeship_employer' not in terms.rules:
        return Decimal(0)
    rule = _active(terms, result, 'apprenticeship_employer')
    if not rule:
        return None
    if contract.level is None:
        raise Refused('no_contract_level')
    if contract.level < rule.level:
        return Decimal(0)
    if contract.previous_broken:
        amount = rule.other_amount
    elif contract.practical_days is None:
        raise Refused('no_practical_days', days=rule.days)
    elif contract.practical_days <= rule.days:
        amount = min(rule.amount, half_up(
                Fraction(rule.rate) * Fraction(due), terms.digits))
    else:
        amount = rule.amount
    return min(half_up(amount, terms.digits), due)


def credits(due, invoices):
    """Return the list of (invoice, amount) of what was invoiced above what is
    due, the newest invoice first.

    invoices is the list of (invoice, amount left), the oldest first."""
    left = sum(amount for _, amount in invoices) - due
    result = []
    for invoice, amount in reversed(invoices):
        credited = min(left, amount)
        if credited > 0:
            result.append((invoice, credited))
            left -= credited
    return result
