# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from decimal import Decimal

from lxml import etree

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.exceptions import AgreementError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, as_user, create_enrolments, create_party,
    create_session, create_user, savepoint, set_up)


class AgreementTestCase(DatabaseTestCase):
    "Test the agreement of an enrolment"

    @with_transaction()
    def test_refused(self):
        "Test the agreements that have no meaning"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (_, session, _):
            enrolment, = create_enrolments(session)
            funder = create_party("Funder")

            def fund(*fundings):
                return {'fundings': [('create', [
                                {'funder': funder.id, 'share': None, **f}
                                for f in fundings])]}

            def band(*days):
                return {
                    'indemnity_kind': 'scale',
                    'indemnity_scale': [('create', [{
                                    'days_before_start': d,
                                    'rate': Decimal('0.3')} for d in days])]}

            Enrolment.write([enrolment], {'price': Decimal(1000)})
            for values in [
                    {'indivisible_fees': Decimal(1001)},
                    {'price_tax_included': Decimal(900)},
                    {'price_tax_included': Decimal('1200.40')},
                    {'price_tax_included': Decimal(0)},
                    {'price': None, 'price_tax_included': Decimal(1200)},
                    {'indemnity_kind': 'rate'},
                    {'indemnity_kind': 'scale'},
                    band(1, 1),
                    band(None, None),
                    {'agreement_date': DATE, 'withdrawal_date': DATE - DAY},
                    {'contract_start': DATE, 'contract_end': DATE - DAY},
                    {'contract_start': DATE, 'break_date': DATE - DAY},
                    {'break_date': DATE, 'contract_end': DATE - DAY},
                    fund({'share': Decimal('0.6')}, {'share': Decimal('0.5')}),
                    fund({'amount': Decimal(1001)}),
                    fund({'share': Decimal('0.6')}, {'amount': Decimal(401)}),
                    fund({'amount': Decimal(600)}, {'amount': Decimal(401)}),
                    fund({'share': Decimal('0.5'), 'amount': Decimal(100)}),
                    {'indemnity_kind': 'rate', 'indemnity_grounds': [],
                        'indemnity_rate': Decimal('0.3')},
                    ]:
                with self.subTest(values=values), savepoint(), \
                        self.assertRaises(AgreementError):
                    Enrolment.write([Enrolment(enrolment.id)], values)
            for values in [
                    {'price_tax_included': Decimal(1200)},
                    {'price_tax_included': Decimal(1055)},
                    {'price_tax_included': Decimal(1000)},
                    {'price': Decimal('833.33'),
                        'price_tax_included': Decimal(1000)},
                    {'indemnity_kind': 'rate', 'indemnity_rate': 0},
                    band(8, 1, None),
                    {'agreement_date': DATE, 'withdrawal_date': DATE},
                    fund({'share': Decimal('0.5')}, {'share': Decimal('0.5')}),
                    fund({'share': Decimal('0.6')}, {'amount': Decimal(400)}),
                    fund({'share': 1, 'ceiling': Decimal(2000)}),
                    fund({'share': 1, 'amount': Decimal(100)}),
                    fund({'share': 0, 'amount': Decimal(100)}),
                    ]:
                with self.subTest(values=values), savepoint():
                    Enrolment.write([Enrolment(enrolment.id)], values)

    @with_transaction()
    def test_former(self):
        "Test the copy of a funding of before, with a share and an amount"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Funding = pool.get('training.enrolment.funding')
        table = Funding.__table__()
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            Enrolment.write([enrolment], {
                    'price': Decimal(1000),
                    'fundings': [('create', [{
                                    'funder': create_party("Funder").id,
                                    'share': None,
                                    'amount': Decimal(400),
                                    }])],
                    })
            Transaction().connection.cursor().execute(*table.update(
                    [table.share], [.5]))
            copy, = Enrolment.copy([Enrolment(enrolment.id)], {
                    'session': create_session(company).id})
            self.assertEqual(
                [(f.share, f.amount) for f in copy.fundings],
                [(None, Decimal(400))])

    @with_transaction()
    def test_grounds(self):
        "Test the grounds that are proposed for an indemnity, and no rate"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolment = Enrolment(indemnity_kind='rate', indemnity_grounds=None)
        enrolment.on_change_indemnity_kind()
        self.assertEqual(
            list(enrolment.indemnity_grounds),
            ['abandonment', 'no_show', 'cancellation'])
        self.assertNotIn(
            'indemnity_rate', Enrolment.default_get(['indemnity_rate']))

    @with_transaction()
    def test_default_grounds(self):
        "Test the grounds of an indemnity that is imported without them"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (_, session, _):
            enrolment, = create_enrolments(session)
            Enrolment.write([enrolment], {
                    'indemnity_kind': 'rate',
                    'indemnity_rate': Decimal('0.3'),
                    })
            self.assertEqual(
                set(enrolment.indemnity_grounds),
                {'abandonment', 'no_show', 'cancellation'})

    @with_transaction()
    def test_bands(self):
        "Test the lines of a scale by themselves"
        pool = Pool()
        Band = pool.get('training.enrolment.indemnity')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (_, session, _):
            enrolment, = create_enrolments(session)
            scale = {
                'indemnity_kind': 'scale',
                'indemnity_scale': [('create', [
                            {'days_before_start': 8, 'rate': Decimal('0.3')},
                            {'rate': Decimal('0.7')}])]}
            Enrolment.write([enrolment], scale)
            bands = enrolment.indemnity_scale
            with savepoint(), self.assertRaises(AgreementError):
                Band.create([{
                            'enrolment': enrolment.id,
                            'days_before_start': 8, 'rate': 0}])
            with savepoint(), self.assertRaises(AgreementError):
                Band.write([Band(bands[1].id)], {'days_before_start': 8})
            Enrolment.write([Enrolment(enrolment.id)], {
                    'indemnity_scale': [
                        ('delete', [b.id for b in bands]),
                        ('create', [{'rate': Decimal('0.2')}])]})

    @with_transaction()
    def test_access(self):
        "Test who reads the agreement"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            for group, allowed in [
                    ('training', True), ('accounting', True),
                    ('training_reading', False)]:
                user = create_user(group, company, group)
                with self.subTest(group=group), as_user(user):
                    view = Enrolment.fields_view_get(view_type='form')
                    pages = etree.fromstring(view['arch']).xpath(
                        '//page[@name="agreement_reference"]')
                    self.assertEqual(bool(pages), allowed)
                    names = ['agreement_date', 'indemnity_scale']
                    if allowed:
                        Enrolment.read([enrolment.id], names)
                    else:
                        with self.assertRaises(AccessError):
                            Enrolment.read([enrolment.id], names)

    @with_transaction()
    def test_copy(self):
        "Test that the terms go to another session, and their end does not"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            Enrolment.write([enrolment], {
                    'indemnity_kind': 'scale',
                    'indemnity_scale': [
                        ('create', [{'rate': Decimal('0.3')}])],
                    'agreement_date': DATE,
                    'withdrawal_date': DATE,
                    })
            copy, = Enrolment.copy([enrolment], {
                    'session': create_session(company).id})
            self.assertEqual(
                [b.rate for b in copy.indemnity_scale], [Decimal('0.3')])
            self.assertEqual(copy.agreement_date, DATE)
            self.assertIsNone(copy.withdrawal_date)
