# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DatabaseTestCase, analyse, create_enrolments, create_session, get_reason,
    open_cases, run_wizard, set_up)


class PartyTestCase(DatabaseTestCase):
    "Test the parties that are erased or replaced"

    @with_transaction()
    def test_party_erase(self):
        "Test that erasing a trainee erases what was written"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            party = case.trainee.party
            run_wizard('training.abandon.case.ask_reasons', [case])
            analyse(
                [case], reasons=[get_reason('time.lack').id],
                reason_comment="Private")
            session_id, _, _ = Erase.create()
            party.active = False
            party.save()
            with self.assertRaisesRegex(Exception, "open abandonment case"):
                Erase(session_id).check_erase(party)
            type(case).cancel([case])
            Erase.execute(
                session_id, {'ask': {'party': party.id}}, 'erase')
            for cache in Transaction().cache.values():
                cache.clear()
            case = type(case)(case.id)
            self.assertIsNone(case.reason_comment)
            self.assertIsNone(case.causes[0].note)
            mail, = case.mails
            self.assertEqual((mail.to, mail.body), ('****', None))
            self.assertFalse(mail.message)

    @with_transaction()
    def test_party_replace(self):
        "Test that replacing a trainee keeps one trainee"
        pool = Pool()
        Party = pool.get('party.party')
        Replace = pool.get('party.replace', type='wizard')
        with set_up() as (company, session, prescriber):
            source, = create_enrolments(session)
            destination, = create_enrolments(create_session(company))
            session_id, _, _ = Replace.create()
            with patch.object(
                    Replace, 'check_similarity', lambda self: None):
                Replace.execute(session_id, {'ask': {
                            'source': source.trainee.party.id,
                            'destination': destination.trainee.party.id,
                            }}, 'replace')
            self.assertEqual(source.trainee, destination.trainee)
            self.assertEqual(
                len(Party.search([('replaced_by', '!=', None),
                            ('active', 'in', [True, False])])), 1)
