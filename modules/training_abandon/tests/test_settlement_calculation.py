# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The examples computed by hand, and what holds for any terms"
import datetime as dt
import json
import unittest
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from trytond.modules.training_abandon.settlement.calculation import (
    Clause, Contract, Funding, Refused, Terms, Withdrawal, band_rate,
    calculate, completion_rate, credits, days_between, half_up, months_begun,
    split)

from .common import examples

PATH = Path(__file__).parent / 'billing_examples.json'
RULES = {
    'pro_rata': {},
    'withdrawal': {'days': 10},
    'distance_withdrawal': {'days': 14, 'state': 'inactive'},
    'indemnity': {},
    'cpf_rate': {},
    'cpf_pay': {'low_rate': 25, 'high_rate': 80, 'state': 'inactive'},
    'apprenticeship_days': {'day_basis': 365, 'state': 'to_confirm'},
    'apprenticeship_employer': {
        'days': 45, 'rate': Decimal('0.5'), 'level': 6,
        'amount': Decimal(750), 'other_amount': Decimal(200)},
    }


def rules(active=False):
    return {
        code: SimpleNamespace(**{
                'state': 'active', **values,
                **({'state': 'active'} if active else {})})
        for code, values in RULES.items()}


def load_examples():
    "Return the examples and their variants"
    result = []
    for example in json.loads(PATH.read_text(encoding='utf-8'))['examples']:
        result.append(example)
        for variant in example.get('variants', []):
            result.append({**deepcopy(example), **variant})
    return result


def minutes(text):
    hours, rest = text.split(':')
    return int(hours) * 60 + int(rest)


def date(text):
    return dt.date.fromisoformat(text) if text else None


def decimal(text):
    return None if text is None else Decimal(text)


def to_clause(values):
    if not values:
        return None
    scale = values.get('scale')
    return Clause(
        grounds=tuple(values['grounds']),
        rate=decimal(values.get('rate')),
        scale=None if scale is None else tuple(
            (b['days_before_start_min'], Decimal(b['rate'])) for b in scale))


def to_terms(example, active=False):
    "Return the terms of the example, its payers as it names them"
    enrolment, terms = example['enrolment'], example['terms']
    start, end = terms.get('contract_start'), terms.get('break_date')
    kind = enrolment['agreement_kind']
    withdrawn = None
    if terms.get('withdrawal_date'):
        withdrawn = (
            date(terms['withdrawal_date'])
            - date(terms['agreement_date'])).days
    return Terms(
        kind=kind,
        ground=example['case']['ground'],
        price=decimal(enrolment['price']),
        price_tax_included=decimal(enrolment.get('price_tax_included')),
        fees=decimal(enrolment['indivisible_fees']),
        planned=minutes(example['attendance']['planned']),
        done=minutes(example['attendance']['attended']),
        cancelled=minutes(example['attendance']['cancelled']),
        fundings=tuple(Funding(
                f['funder'], decimal(f['share']), decimal(f['amount']),
                decimal(f['ceiling']), decimal(terms.get('hourly_rate')))
            for f in enrolment['fundings']),
        payer='trainee' if kind == 'contract' else 'client',
        employer='employer',
        clause=to_clause(terms.get('indemnity')),
        days_before_start=(
            date(example['session']['start_date'])
            - date(example['case']['effective_date'])).days,
        contract=Contract(
            start=date(start), end=date(end),
            npec=decimal(terms.get('npec_annual')),
            level=terms.get('diploma_level'),
            practical_days=terms.get('practical_days_in_company')),
        withdrawal=Withdrawal(withdrawn),
        rules=rules(active))


class ExamplesTestCase(unittest.TestCase):
    "Test the examples to the cent"

    def check(self, example, expected, active=False):
        terms = to_terms(example, active)
        if error := expected.get('error'):
            code, _, ground = error.partition(':')
            with self.assertRaises(Refused) as catched:
                calculate(terms)
            self.assertEqual(catched.exception.code, code)
            self.assertEqual(terms.ground, ground)
            return
        result = calculate(terms)
        self.assertEqual(calculate(terms), result)
        settlement = expected['settlement']
        names = {
            'due_amount': 'due', 'undelivered_amount': 'undelivered',
            'indemnity': 'indemnity', 'completion_rate': 'completion_rate',
            'contract_days': 'contract_days'}
        for name, value in settlement.items():
            if name in names:
                if isinstance(value, str):
                    value = Decimal(value)
                self.assertEqual(getattr(result, names[name]), value, name)
        self.assertEqual(
            [(p.payer, p.amount) for p in result.parts],
            [(p['payer'], Decimal(p['due']))
                for p in expected.get('payer_due', [])])
        self.assertEqual(
            [(p.payer, p.amount) for p in result.indemnities],
            [(line['payer'], Decimal(line['untaxed']))
                for line in expected['lines'] if line['kind'] == 'indemnity'])
        self.assertEqual(bool(result.missing_rules), result.due is None)
        known = {
            'attended_over_planned', 'ceiling_to_confirm', 'rule_to_confirm'}
        if 'warnings' in expected:
            self.assertEqual(
                set(result.warnings), known & set(expected['warnings']))

    def test_credits(self):
        "Test which invoices are credited"
        count = 0
        for example in load_examples():
            expected = example['expected']
            invoices = example['invoices']
            for due in expected.get('payer_due', []):
                mine = [
                    (i['number'], Decimal(i['untaxed'])) for i in sorted(
                        invoices, key=lambda i: i['date'])
                    if i['payer'] == due['payer']]
                origins = [
                    (o['invoice'], -Decimal(o['untaxed']))
                    for line in expected['lines']
                    if line['kind'] == 'credit'
                    and line['payer'] == due['payer']
                    for o in line['origins']]
                with self.subTest(example=example['id']):
                    self.assertEqual(
                        credits(Decimal(due['due']), mine), origins)
                    count += len(origins)
        self.assertGreater(count, 8)


def _test_example(example, expected, active=False):
    return lambda self: self.check(example, expected, active)


for _example in load_examples():
    _name = f"test_{_example['id']}"
    setattr(ExamplesTestCase, _name, _test_example(
            _example, _example['expected']))
    if 'expected_if_rule_active' in _example:
        setattr(ExamplesTestCase, f'{_name}_active', _test_example(
                _example, _example['expected_if_rule_active'], True))


class CalculationTestCase(unittest.TestCase):
    "Test the parts of the calculation"

    def terms(self, **values):
        return Terms(**{
                'kind': 'agreement', 'ground': 'abandonment',
                'price': Decimal(1000), 'planned': 600, 'done': 300,
                'payer': 'client', 'employer': 'employer',
                'rules': rules(), **values})

    def assert_refused(self, code, **values):
        with self.subTest(code=code, **values), \
                self.assertRaises(Refused) as catched:
            calculate(self.terms(**values))
        self.assertEqual(catched.exception.code, code)

    def test_half_up(self):
        for value, digits, rounded in [
                ('0.005', 2, '0.01'), ('0.015', 2, '0.02'),
                ('0.0049', 2, '0.00'), ('2.5', 0, '3')]:
            self.assertEqual(
                half_up(Decimal(value), digits), Decimal(rounded))

    def test_tax_included(self):
        "Test that the price with its taxes is the one that is shared"
        for price, included, done, due in [
                ('833.33', '1000.00', 200, '277.77'),
                ('833.33', '1000.00', 600, '833.33'),
                ('833.33', '1000.00', 0, '0.00'),
                ('2400.00', '2880.00', 157, '628.00'),
                ('947.87', '1000.00', 200, '315.95'),
                ('1000.00', '1000.00', 200, '333.33'),
                ]:
            with self.subTest(price=price, included=included, done=done):
                result = calculate(self.terms(
                        price=Decimal(price), done=done,
                        price_tax_included=Decimal(included)))
                self.assertEqual(result.due, Decimal(due))
                self.assertEqual(
                    sum(p.amount for p in result.parts), result.due)
        result = calculate(self.terms(
                price=Decimal('833.33'), fees=Decimal('83.33'), done=200,
                price_tax_included=Decimal(1000)))
        # 100.00 + 900.00 / 3 = 400.00 with its taxes
        self.assertEqual(result.due, Decimal('333.33'))

    def test_completion_rate(self):
        for done, rate in [(17, 43), (0, 0), (40, 100), (50, 100)]:
            self.assertEqual(completion_rate(done * 60, 40 * 60), rate)

    def test_days(self):
        start = dt.date(2025, 10, 6)
        self.assertEqual(days_between(start, start), 1)
        self.assertEqual(days_between(start, dt.date(2025, 10, 1)), 0)
        self.assertEqual(months_begun(start, dt.date(2025, 11, 5)), 1)
        self.assertEqual(months_begun(start, dt.date(2025, 11, 6)), 2)

    def test_band(self):
        scale = [(1, '50'), (None, '70'), (8, '30'), (15, '0')]
        for days, rate in [
                (15, '0'), (14, '30'), (8, '30'), (7, '50'), (1, '50'),
                (0, '70'), (-3, '70')]:
            self.assertEqual(band_rate(scale, days), rate)
        self.assertEqual(band_rate([(8, '30')], 2), 0)

    def test_refused(self):
        "Test what has to be told before anything is due"
        self.assert_refused('no_hours', planned=0)
        self.assert_refused('no_price', price=None)
        self.assert_refused('not_settled', ground='unfounded')
        self.assert_refused('attended', ground='no_show')
        self.assert_refused('withdrawal_kind', ground='withdrawal_period')
        self.assert_refused(
            'withdrawal_platform', ground='withdrawal_period', kind='cpf')
        self.assert_refused(
            'no_agreement_date', ground='withdrawal_period', kind='contract')
        self.assert_refused(
            'withdrawal_late', ground='withdrawal_period', kind='contract',
            withdrawal=Withdrawal(12))
        self.assert_refused(
            'withdrawal_late', ground='withdrawal_period', kind='contract',
            withdrawal=Withdrawal(40, True))
        self.assert_refused(
            'withdrawal_early', ground='withdrawal_period', kind='contract',
            withdrawal=Withdrawal(-1))
        self.assert_refused('no_payer', payer=None)
        self.assert_refused(
            'no_indemnity_rate', clause=Clause(('abandonment',), scale=()))
        self.assert_refused(
            'attended', ground='no_show', done=0, attended_after=60)
        self.assert_refused('no_contract_start', kind='apprenticeship')

    def test_withdrawal(self):
        "Test the days on which the period ends"
        for days, distance, due, warnings in [
                (9, False, 0, []),
                (10, False, 0, ['withdrawal_day_to_confirm']),
                (11, False, 0, ['withdrawal_day_to_confirm']),
                (13, True, None, ['rule_to_confirm'])]:
            with self.subTest(days=days):
                result = calculate(self.terms(
                        kind='contract', ground='withdrawal_period',
                        withdrawal=Withdrawal(days, distance)))
                self.assertEqual(result.due, due)
                self.assertEqual(result.warnings, warnings)

    def test_indemnity(self):
        "Test for whom and for what there is an indemnity"
        clause = Clause(
            grounds=('no_show', 'legitimate_reason'), rate=Decimal('0.3'))
        absent = {'done': 0}
        for kind, ground, values, indemnity in [
                ('agreement', 'abandonment', {}, 0),
                ('agreement', 'legitimate_reason', {}, 150),
                ('contract', 'legitimate_reason', {}, 0),
                ('agreement', 'cancellation', absent, 300),
                ('agreement', 'no_show', absent, 300),
                ('agreement', 'force_majeure', {}, 0),
                ('agreement', 'exclusion', {}, 0),
                ('public_funding', 'no_show', {
                        'fundings': (Funding('region', Decimal(1)),),
                        **absent}, 0),
                # The provider cancelled 2 of the 5 hours that are left
                ('agreement', 'legitimate_reason', {'cancelled': 120}, 90),
                ]:
            with self.subTest(kind=kind, ground=ground):
                result = calculate(self.terms(
                        kind=kind, ground=ground, clause=clause, **values))
                self.assertEqual(result.indemnity, indemnity)

    def test_cancelled(self):
        "Test that an indemnity of which nothing is left may be corrected"
        result = calculate(self.terms(
                cancelled=600,
                clause=Clause(('abandonment',), Decimal('0.3'))))
        part, = result.indemnities
        self.assertEqual((part.amount, result.indemnity), (0, 0))
        self.assertEqual(result.warnings, ['cancelled_hours'])

    def test_rule(self):
        "Test that nothing is due without the rule that decides"
        for state in [None, 'to_confirm', 'inactive']:
            with self.subTest(state=state):
                known = rules()
                if state:
                    known['pro_rata'].state = state
                else:
                    del known['pro_rata']
                result = calculate(self.terms(rules=known))
                self.assertIsNone(result.due)
                self.assertEqual(result.parts, [])
                self.assertEqual(result.missing_rules, ['pro_rata'])

    def test_rest(self):
        "Test who pays what the funders do not"
        share = Funding('opco', Decimal('0.8'))
        for kind in ['agreement', 'public_funding']:
            for fundings, parts in [
                    ((share,), [('opco', 400), ('client', 100)]),
                    ((Funding('opco', amount=Decimal(500)),),
                        [('opco', 250), ('client', 250)]),
                    ((Funding('opco', Decimal(1)),), [('opco', 500)])]:
                with self.subTest(kind=kind, fundings=fundings):
                    result = calculate(self.terms(
                            kind=kind, fundings=fundings))
                    self.assertEqual(
                        [(p.payer, p.amount) for p in result.parts], parts)
            self.assert_refused(
                'no_payer', kind=kind, fundings=(share,), payer=None)
        with self.subTest(kind='cpf'):
            self.assert_refused(
                'no_funder', kind='cpf', fundings=(share,), payer=None,
                rules=rules(True))

    def test_amounts(self):
        "Test that the amounts that are the price leave nothing"
        result = calculate(self.terms(
                price=Decimal('1000.01'), planned=3, done=1, fundings=(
                    Funding('opco', amount=Decimal('500.01')),
                    Funding('region', amount=Decimal(500)))))
        self.assertEqual(
            [(p.payer, p.amount) for p in result.parts],
            [('opco', Decimal('166.67')), ('region', Decimal('166.67'))])
        result = calculate(self.terms(
                price=Decimal(1000), planned=7, done=1, fundings=(
                    Funding('opco', Decimal('0.5')),
                    Funding('region', amount=Decimal(250)),
                    Funding('city', amount=Decimal(250)))))
        self.assertEqual(
            [(p.payer, p.amount) for p in result.parts],
            [('opco', Decimal('71.43')), ('region', Decimal('35.72')),
                ('city', Decimal('35.71'))])

    def test_hourly(self):
        "Test the hours that are paid at their price"
        def funding(rate):
            return Funding('region', Decimal(1), hourly_rate=rate)

        rate = Decimal(90)
        for values, due in [
                ({}, 450), ({'done': 700}, 900),
                ({'done': 700, 'fees': Decimal(50)}, 950),
                ({'done': 700, 'fees': Decimal(200)}, 1000)]:
            with self.subTest(values=values):
                result = calculate(self.terms(
                        kind='public_funding', fundings=(funding(rate),),
                        **values))
                self.assertEqual(result.due, due)
        self.assert_refused(
            'hourly_rates', kind='public_funding',
            fundings=(funding(rate), funding(Decimal(80))))
        result = calculate(self.terms(fundings=(funding(rate),)))
        self.assertEqual(result.due, 500)
        self.assertEqual(result.warnings, ['hourly_rate_not_used'])

    def test_fees(self):
        "Test that the fees are at most the price"
        result = calculate(self.terms(fees=Decimal(2000)))
        self.assertEqual(result.due, 1000)

    def test_missing_indemnity(self):
        "Test that an indemnity without its rule is told"
        known = rules()
        known['indemnity'].state = 'to_confirm'
        result = calculate(self.terms(
                rules=known, clause=Clause(('abandonment',), Decimal('0.3'))))
        self.assertEqual(result.due, 500)
        self.assertEqual(result.warnings, ['rule_to_confirm'])

    def test_funder_ceiling(self):
        "Test that what the funder has confirmed is not told any more"
        fundings = (Funding('opco', Decimal(1), ceiling=Decimal(100)),)
        known = rules()
        for state, warnings in [
                ('to_confirm', ['ceiling_to_confirm']), ('active', [])]:
            known['funder_ceiling'] = SimpleNamespace(state=state)
            result = calculate(self.terms(rules=known, fundings=fundings))
            self.assertEqual(result.warnings, warnings)

    def test_months(self):
        "Test the contracts that are paid by month"
        known = rules(True)
        del known['apprenticeship_days'], known['apprenticeship_employer']
        known['apprenticeship_months'] = SimpleNamespace(state='active')
        result = calculate(self.terms(
                kind='apprenticeship', rules=known,
                fundings=(Funding('opco', Decimal(1)),),
                contract=Contract(
                    start=dt.date(2024, 9, 2), end=dt.date(2024, 11, 15),
                    npec=Decimal(9000))))
        self.assertEqual(
            [(p.payer, p.amount) for p in result.parts], [('opco', 2250)])

    def test_still_in_training(self):
        "Test that what is kept after the break waits for its rule"
        for state, due in [
                ('to_confirm', None), ('active', Decimal('1158.90'))]:
            known = rules(True)
            known['apprenticeship_kept'] = SimpleNamespace(state=state)
            result = calculate(self.terms(
                    kind='apprenticeship', rules=known,
                    fundings=(Funding('opco', Decimal(1)),),
                    contract=Contract(
                        start=dt.date(2025, 10, 6),
                        end=dt.date(2025, 11, 21), npec=Decimal(9000),
                        level=5, still_in_training=True)))
            self.assertEqual(result.due, due)

    def test_employer(self):
        "Test the participation of the employer in an apprenticeship"
        contract = {
            'start': dt.date(2025, 10, 6), 'end': dt.date(2025, 11, 21),
            'npec': Decimal(9000), 'level': 7, 'practical_days': 22}
        for values, amount in [
                ({}, Decimal('579.45')),
                ({'level': 5}, None),
                ({'practical_days': 46}, Decimal(750)),
                ({'previous_broken': True}, Decimal(200))]:
            with self.subTest(values=values):
                result = calculate(self.terms(
                        kind='apprenticeship', rules=rules(True),
                        fundings=(Funding('opco', Decimal(1)),),
                        contract=Contract(**{**contract, **values})))
                found = {p.payer: p.amount for p in result.parts}
                self.assertEqual(found.get('employer'), amount)
                self.assertEqual(
                    sum(found.values()), Decimal('1158.90'))


amounts = st.decimals(0, 100000, places=2)
shares = st.decimals(0, 1, places=4)
fundings = st.lists(st.builds(
        Funding, payer=st.sampled_from('abcd'), share=st.none() | shares,
        amount=st.none() | amounts, ceiling=st.none() | amounts), max_size=4)


@st.composite
def terms(draw):
    price = draw(amounts)
    return Terms(
        kind=draw(st.sampled_from(['agreement', 'contract'])),
        ground=draw(st.sampled_from([
                    'abandonment', 'force_majeure', 'legitimate_reason',
                    'exclusion'])),
        price=price,
        fees=draw(st.decimals(0, price, places=2)),
        planned=draw(st.integers(1, 100000)),
        done=draw(st.integers(0, 100000)),
        cancelled=draw(st.integers(0, 1000)),
        fundings=tuple(draw(fundings)),
        payer='client',
        clause=Clause(grounds=('abandonment',), rate=draw(shares)),
        rules=rules())


class PropertiesTestCase(unittest.TestCase):
    "Test what holds whatever the terms"

    @given(terms())
    @examples(200)
    def test_amounts(self, terms):
        "Test that the parts are the total, which is not above the price"
        result = calculate(terms)
        self.assertTrue(0 <= result.due <= terms.price)
        self.assertEqual(result.due + result.undelivered, terms.price)
        self.assertEqual(sum(p.amount for p in result.parts), result.due)
        self.assertTrue(all(p.amount >= 0 for p in result.parts))
        self.assertTrue(0 <= result.indemnity <= result.undelivered)
        self.assertEqual(calculate(terms), result)

    @given(terms(), st.integers(0, 1000))
    @examples(200)
    def test_more_hours(self, terms, more):
        "Test that more hours are never due for less"
        values = vars(terms)
        later = Terms(**{**values, 'done': terms.done + more})
        self.assertGreaterEqual(calculate(later).due, calculate(terms).due)

    @given(amounts, amounts, fundings)
    @examples(200)
    def test_split(self, total, price, fundings):
        parts = split(total, price, fundings, 'client')
        self.assertEqual(sum(p.amount for p in parts), total)
        for part, funding in zip(parts, fundings):
            if funding.ceiling is not None:
                self.assertLessEqual(part.amount, funding.ceiling)

    @given(st.lists(amounts), amounts)
    @examples(200)
    def test_credits(self, invoices, due):
        "Test that what is left of the invoices is what is due"
        invoices = list(enumerate(invoices))
        credited = credits(due, invoices)
        total = sum(a for _, a in invoices)
        self.assertEqual(
            total - sum(a for _, a in credited), min(due, total))
