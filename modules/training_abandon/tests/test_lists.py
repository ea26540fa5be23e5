# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What PostgreSQL plans for the lists of the module

A sequential scan of a large table is right where a limit stops it, or where
more than a tenth of the rows are wanted."""
import json
import unittest

from trytond import backend
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.tests.common import (
    DatabaseTestCase, as_user, count_statements, create_user, live)
from trytond.modules.training_abandon.tests.lists import (
    PAGE, READ, TAB_COUNTED, lists)
from trytond.modules.training_abandon.tests.volume import Volume
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME
from trytond.transaction import Transaction

ATTENDANCES = 200_000
# A table that is read in a moment: the number of its rows
SMALL = 6_000
# The nodes that read all of what is below before they give a row
BLOCKING = {'Sort', 'Hash', 'Aggregate', 'SetOp', 'WindowAgg', 'Materialize'}
# More than PostgreSQL expects of reading all the attendances twice
COST = 30_000
FEW = 10
# The records that a few do not refer to, each model once
MORE = 3
WORDS = ['camille martin', 'E4711']
# Of which each part is planned as the list of its own model
UNIONS = {'training.task', *(
        f'training.figure.{name}' for name in [
            'attendance', 'month', 'reason', 'step']),
    *(
        f'training.indicator.{name}' for name in [
            'cause', 'company', 'course', 'funder', 'owner', 'period',
            'prescriber', 'reason', 'responsible', 'session', 'trainee'])}


class Plan:
    "What PostgreSQL says that it does for a query"

    def __init__(self, query, rows, partial):
        cursor = Transaction().connection.cursor()
        cursor.execute(
            'EXPLAIN (FORMAT JSON) ' + str(query), query.params)
        (result,), = cursor.fetchall()
        if isinstance(result, str):
            result = json.loads(result)
        self.root = result[0]['Plan']
        self.rows = rows
        self.partial = partial

    @property
    def scanned(self):
        "The names of the large tables that are read in full, unlimited"
        return sorted(set(self._scanned(self.root, None)))

    def _scanned(self, node, limit):
        """limit is the number of rows after which what is above has enough,
        or None"""
        kind = node['Node Type']
        if kind == 'Limit':
            limit = min(node['Plan Rows'], limit or node['Plan Rows'])
        elif kind in BLOCKING and not (
                kind == 'Aggregate' and node.get('Strategy') == 'Sorted'):
            limit = None
        if 'Relation Name' in node and self._is_full(node, kind):
            rows = self.rows.get(node['Relation Name'], 0)
            wanted = node['Plan Rows']
            if (rows > SMALL and wanted <= rows / 10
                    and not (limit and wanted > limit)):
                yield node['Relation Name']
        for child in node.get('Plans', []):
            yield from self._scanned(
                child, None if child.get('Parent Relationship') in {
                    'InitPlan', 'SubPlan'} else limit)

    def _is_full(self, node, kind):
        return kind == 'Seq Scan' or (
            kind in {'Index Scan', 'Index Only Scan'}
            and 'Index Cond' not in node and 'Filter' in node
            and node['Index Name'] not in self.partial)


def planned():
    "Yield the lists whose plans are read"
    for list_ in lists():
        if list_.Model.__name__ not in UNIONS:
            yield list_


@unittest.skipUnless(
    backend.name == 'postgresql', "the plans of PostgreSQL")
class ListsTestCase(DatabaseTestCase):
    "Read the plans in a database with many records"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with Transaction().start(DB_NAME, 1) as transaction:
            transaction.connection.cursor().execute(
                'CREATE EXTENSION IF NOT EXISTS pg_trgm')
            transaction.database._extensions.pop(DB_NAME, None)
            transaction.commit()
        cls.transaction = Transaction().start(
            DB_NAME, 1, context={'_skip_warnings': True})
        pool = Pool()
        Company = pool.get('company.company')
        Group = pool.get('res.group')
        User = pool.get('res.user')
        cls._index()
        company, = Company.search([])
        with live(), cls.transaction.set_context(
                User.get_preferences(context_only=True)):
            cls.user = create_user('lists', company)
            User.write([cls.user], {
                    'groups': [('add', [g.id for g in Group.search([])])],
                    })
            Volume(company, ATTENDANCES).fill()
        cursor = cls.transaction.connection.cursor()
        cursor.execute('SET LOCAL max_parallel_workers_per_gather TO 0')
        cursor.execute(
            "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'")
        cls.rows = dict(cursor.fetchall())
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_index "
            "ON indexrelid = pg_class.oid WHERE indpred IS NOT NULL")
        cls.partial = {name for name, in cursor}

    @classmethod
    def _index(cls):
        "Index the names as a database that is set up for it does"
        for name, Model in Pool().iterobject():
            if (name.startswith(('training.', 'party.'))
                    and hasattr(Model, '_update_sql_indexes')):
                Model.__setup_indexes__()
                if not Model._is_table_query():
                    Model._update_sql_indexes()

    @classmethod
    def tearDownClass(cls):
        cls.transaction.stop()
        for _, Model in Pool(DB_NAME).iterobject():
            if hasattr(Model, '_count_cache'):
                Model._count_cache.clear()
        super().tearDownClass()

    def check(self, name, query):
        plan = Plan(query, self.rows, self.partial)
        with self.subTest(name):
            self.assertEqual(plan.scanned, [])
            self.assertLess(plan.root['Total Cost'], COST)

    def test_pages(self):
        "The first page of each list, tab and relate, and its count"
        with as_user(self.user):
            for list_ in planned():
                for tab in list_.tabs:
                    name = f'{tab.name} {list_.model or ""}'.strip()
                    self.check(
                        name, list_.search(tab.domain, query=True))
                    self.check(
                        name, list_.count(
                            tab.domain, *[TAB_COUNTED] * tab.count,
                            query=True))

    def test_orders(self):
        "The columns of the lists that a click sorts"
        with as_user(self.user):
            for list_ in planned():
                if list_.model:
                    continue
                for column in list_.sortable:
                    self.check(
                        f'{list_.name} {column}',
                        list_.search(
                            list_.tabs[-1].domain, [(column, 'ASC')],
                            query=True))

    def test_names(self):
        "The search of the lists by a name"
        with as_user(self.user):
            for list_ in planned():
                if list_.model:
                    continue
                for word in WORDS:
                    self.check(
                        f'{list_.name} rec_name',
                        list_.Model.search([
                                ('rec_name', 'ilike', f'%{word}%'),
                                list_.domain,
                                ], limit=PAGE, query=True))

    def test_identifiers(self):
        "The search of what a message that is received names"
        pool = Pool()
        Email = pool.get('party.contact_mechanism')
        Feed = pool.get('training.calendar.feed')
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        for Model, name, operator, value in [
                (Mail, 'message_id', 'in', ['<a@example.com>', '<b>']),
                (Mail, 'reply_token', 'in', ['token7.1']),
                (Mail, 'party', '=', 7),
                (Reply, 'message_id', '=', '<a@example.com>'),
                (Reply, 'party', '=', 7),
                (Feed, 'token_hash', '=', 'hash'),
                (Email, 'mailbox', '=', 'trainee.7@example.com'),
                (Email, 'mailbox', 'in', ['a@example.com', 'b@example.com']),
                ]:
            self.check(f'{Model.__name__} {name}', Model.search(
                    [(name, operator, value)], query=True))

    def test_statements(self):
        "The records of a list are read with as many statements as a few"
        with as_user(self.user):
            for list_ in lists():
                if list_.model:
                    continue
                names, _ = list_.fields
                ids = [r.id for r in list_.search(list_.tabs[-1].domain)]
                counts = []
                for some in [ids[:FEW], ids[:READ]]:
                    tools.forget_read()
                    with count_statements() as statements:
                        list_.Model.read(some, names)
                    counts.append(len(statements))
                with self.subTest(list_.name):
                    self.assertLessEqual(counts[1], counts[0] + MORE)


del DatabaseTestCase
