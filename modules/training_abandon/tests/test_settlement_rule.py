# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.modules.training_abandon.exceptions import SettlementRuleError
from trytond.modules.training_abandon.settlement.rule import rules_at
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import DATE, DAY, DatabaseTestCase, as_user, create_user, set_up


class RuleTestCase(DatabaseTestCase):
    "Test the rules by which the settlements are made"

    def get_rule(self, code):
        pool = Pool()
        Rule = pool.get('training.abandon.settlement.rule')
        rule, = Rule.search([('code', '=', code)])
        return rule

    @with_transaction()
    def test_shipped(self):
        "Test which rules decide as they are shipped"
        pool = Pool()
        Rule = pool.get('training.abandon.settlement.rule')
        self.assertEqual({
                r.code: r.state for r in Rule.search([])}, {
                'pro_rata': 'active',
                'withdrawal': 'active',
                'distance_withdrawal': 'inactive',
                'indemnity': 'active',
                'cpf_rate': 'active',
                'cpf_pay': 'inactive',
                'cpf_before_start': 'inactive',
                'apprenticeship_days': 'to_confirm',
                'apprenticeship_employer': 'active',
                'apprenticeship_kept': 'to_confirm',
                'apprenticeship_months': 'inactive',
                'funder_ceiling': 'to_confirm',
                })
        for rule in Rule.search([('state', '!=', 'active')]):
            with self.subTest(code=rule.code):
                self.assertTrue(rule.confirmed_by)

    @with_transaction()
    def test_distance(self):
        "Test that the update deletes the copies of the rule that is gone"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        Rule = pool.get('training.abandon.settlement.rule')
        rule, = Rule.search([('code', '=', 'funder_ceiling')])
        copy, = Rule.copy([rule])
        # A user has deleted another one that was shipped
        deleted, = ModelData.search([
                ('model', '=', Rule.__name__),
                ('db_id', '!=', rule.id),
                ], limit=1)
        ModelData.write([deleted], {'db_id': None})
        table = Rule.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.code], ['apprenticeship_distance'],
                where=table.id.in_([rule.id, copy.id])))
        Rule.__register__('training_abandon')
        # Tryton deletes the one that was shipped
        self.assertEqual(
            Rule.search([('id', 'in', [rule.id, copy.id])]), [rule])

    @with_transaction()
    def test_at(self):
        "Test the rules of the agreements of a date"
        pool = Pool()
        Rule = pool.get('training.abandon.settlement.rule')
        before, since = (
            rules_at(dt.date(2025, *day), Rule.search([]))
            for day in [(6, 30), (7, 1)])
        self.assertIn('apprenticeship_months', before)
        self.assertNotIn('apprenticeship_days', before)
        self.assertIn('apprenticeship_days', since)
        self.assertNotIn('apprenticeship_months', since)
        shipped = self.get_rule('pro_rata')
        copy, = Rule.copy([shipped])
        self.assertEqual(copy.state, 'inactive')
        self.assertEqual(
            rules_at(DATE, Rule.search([]))['pro_rata'], shipped)

    @with_transaction()
    def test_overlap(self):
        "Test that two rules do not decide the same thing on a date"
        pool = Pool()
        Rule = pool.get('training.abandon.settlement.rule')
        rule = self.get_rule('pro_rata')
        copy, = Rule.copy([rule], {'start_date': DATE})
        with self.assertRaises(SettlementRuleError):
            Rule.activate([copy])
        Rule.write([rule], {'end_date': DATE - DAY})
        Rule.activate([copy])
        with self.assertRaises(SettlementRuleError):
            Rule.write([rule], {'end_date': DATE})
        Rule.deactivate([copy])
        Rule.write([rule], {'end_date': DATE})

    @with_transaction()
    def test_activate(self):
        "Test that the administrators activate, which leaves a trace"
        pool = Pool()
        Log = pool.get('ir.model.log')
        Rule = pool.get('training.abandon.settlement.rule')
        with set_up() as (company, _, _):
            rule = self.get_rule('cpf_pay')
            for groups, allowed in [
                    (['training', 'accounting'], False),
                    (['training_admin'], True)]:
                user = create_user('-'.join(groups), company, *groups)
                with self.subTest(groups=groups), as_user(user):
                    if allowed:
                        Rule.activate([Rule(rule.id)])
                        # What decides does not change
                        with self.assertRaises(AccessError):
                            Rule.write([Rule(rule.id)], {'low_rate': 30})
                    else:
                        with self.assertRaises(AccessButtonError):
                            Rule.activate([Rule(rule.id)])
            Transaction()._store_log_records()
            self.assertEqual(Rule(rule.id).state, 'active')
            self.assertEqual(
                {(x.event, x.target, x.user.login) for x in Log.search([
                            ('resource', '=', str(rule))])},
                {('button', 'activate', 'training_admin'),
                    ('transition', 'state:active', 'training_admin')})
