# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.exceptions import UserError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from ..scripts.importing.importer import replaced, request
from ..scripts.importing.server import LocalClient, Tried
from .common import DatabaseTestCase, as_user, create_user, set_up


class ImportingTestCase(DatabaseTestCase):
    "Test what the server does for the import"

    def apply(self, *requests):
        pool = Pool()
        Import = pool.get('training.import')
        return Import.apply(list(requests))

    @with_transaction()
    def test_apply(self):
        "The records are named by their numbers"
        pool = Pool()
        Party = pool.get('party.party')
        with set_up():
            (party,), (address,), _ = self.apply(
                request(
                    'party.party', 'create', [{'name': "Un", 'addresses': []}],
                    numbers=[-1]),
                request(
                    'party.address', 'create', [{'party': -1}], numbers=[-2]),
                request('party.party', 'write', [-1], {'name': "Deux"}))
            party = Party(party)
            self.assertEqual(party.name, "Deux")
            self.assertEqual([a.id for a in party.addresses], [address])

    def test_replaced(self):
        self.assertEqual(
            replaced([{'a': -1, 'b': ('add', [-2, 3])}, -9, True], {
                    -1: 5, -2: 6}),
            [{'a': 5, 'b': ['add', [6, 3]]}, -9, True])

    @with_transaction()
    def test_refused(self):
        "Only what the users call is called, with their rights"
        with set_up() as (company, _, _):
            with self.assertRaises(TypeError):
                self.apply(request('party.party', 'table_query', []))
            user = create_user('reader', company)
            with as_user(user), self.assertRaises(UserError):
                self.apply(request(
                        'training.course', 'create', [{'name': "X"}]))

    @with_transaction()
    def test_undone(self):
        "What is refused is undone alone"
        pool = Pool()
        Import = pool.get('training.import')
        Party = pool.get('party.party')
        with set_up() as (company, _, _):
            with Transaction().set_context(company=company.id):
                client = LocalClient()
                count = Party.search([], count=True)
                client.create('party.party', [{'name': "Un"}])
                with self.assertRaises(Exception):
                    client.call('training.import', 'apply', [
                            request('party.party', 'create', [{
                                        'name': "Deux",
                                        }]),
                            request('party.identifier', 'create', [{
                                        'party': -1,
                                        }])])
                self.assertEqual(Party.search([], count=True), count + 1)
                with self.assertRaises(Tried) as cm:
                    Import.try_out(
                        'parties', ['code', 'name'],
                        [[2, ['1', "Un"]], [3, ['2', "=A1"]]], {
                            'source': 'import',
                            'company': {
                                'id': company.id,
                                'party': company.party.id,
                                },
                            })
                found = cm.exception.result()
                self.assertEqual(found['outcomes'], [[2, 'created']])
                self.assertEqual(
                    [r[::2] for r in found['rejected']], [(3, 'name')])
