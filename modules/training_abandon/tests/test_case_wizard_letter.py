# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import create_company
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DatabaseTestCase, as_user, create_enrolments, create_user, open_cases,
    set_up)


class WizardLetterTestCase(DatabaseTestCase):
    "Test what the letters say of a case before they leave"

    def show(self, letter, case, language='en'):
        pool = Pool()
        Lang = pool.get('ir.lang')
        Preview = pool.get(
            'training.abandon.procedure.letter.preview', type='wizard')
        lang, = Lang.search([('code', '=', language)])
        with Transaction().set_context(
                active_model=letter.__name__, active_id=letter.id,
                active_ids=[letter.id]):
            session_id, _, _ = Preview.create()
            result = Preview.execute(session_id, {}, 'start')
            self.assertEqual(result['view']['defaults']['case'], case.id)
            result = Preview.execute(session_id, {
                    'start': {
                        'letter': letter.id,
                        'case': case.id,
                        'language': lang.id,
                        }}, 'show')
        return result['view']['defaults']

    @with_transaction()
    def test_preview(self):
        "Test the preview of each letter"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            case, = open_cases([enrolment])
            trainee = enrolment.trainee.party
            for letter in case.procedure.letters:
                with self.subTest(letter=letter.rec_name):
                    shown = self.show(letter, case)
                    self.assertFalse(shown['error'])
                    self.assertIn(
                        session.course.name, shown['subject'] + shown['text'])
                    if letter.audience == 'stakeholder':
                        self.assertIn(trainee.name, shown['text'])
            letter = case.procedure.get_letter(
                'ask_reasons', 'silent', 'trainee')
            with patch.object(Letter, 'check_templates'):
                Letter.write([letter], {'text': "${course}\n${unknown}"})
            shown = self.show(Letter(letter.id), case)
            self.assertIn("line 2", shown['error'])
            self.assertEqual(
                shown['text'], f"{session.course.name}\n${{unknown}}")
            self.assertFalse(Mail.search([]))

    @with_transaction()
    def test_access(self):
        "Test that nobody reads the case of another company"
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            letter = case.procedure.letters[0]
            other = create_company("Other", currency=company.currency)
            stranger = create_user('stranger', other, 'training')
            with as_user(stranger), self.assertRaises(AccessError):
                with patch.object(self, 'assertEqual'):
                    self.show(letter, case)
