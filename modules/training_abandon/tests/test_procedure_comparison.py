# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from trytond.modules.training_abandon.exceptions import LetterValidationError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import DatabaseTestCase, create_enrolments, open_cases, set_up


class ComparisonTestCase(DatabaseTestCase):
    "Test what the revisions change"

    @with_transaction()
    def test_compare(self):
        "Test the lines that differ"
        pool = Pool()
        Compare = pool.get('training.abandon.procedure.compare', type='wizard')
        Letter = pool.get('training.abandon.procedure.letter')
        Procedure = pool.get('training.abandon.procedure')
        procedure, = Procedure.search([('state', '=', 'active')])
        revision, = Procedure.copy([procedure])
        self.assertEqual(revision.previous_revision(), procedure)
        self.assertIsNone(procedure.previous_revision())
        self.assertNotIn('■ I', revision.differences(procedure))
        letter = revision.get_letter('inform', 'standard', 'stakeholder')
        Letter.write([letter], {
                'text': letter.text.replace("We inform you", "We tell you")})
        step = revision.get_step('inform')
        step.delay = 4
        step.save()
        revision.reasons = revision.reasons[:-1]
        revision.save()

        session_id, _, _ = Compare.create()
        data = {'start': {'before': procedure.id, 'after': revision.id}}
        with Transaction().set_context(
                active_model=Procedure.__name__, active_id=revision.id,
                active_ids=[revision.id]):
            result = Compare.execute(session_id, {}, 'start')
            self.assertEqual(
                {n: result['view']['defaults'][n]
                    for n in ['before', 'after']}, data['start'])
            result = Compare.execute(session_id, data, 'show')
        text = result['view']['defaults']['differences']
        for line in [
                "■ Inform the Prescriber - Standard - Stakeholders",
                "  − We inform you of the absence of a trainee from the "
                "following course:",
                "  + We tell you of the absence of a trainee from the "
                "following course:",
                "■ Inform the Prescriber", "  − Delay – 2", "  + Delay – 4",
                "■ Reasons", "  − Other"]:
            self.assertIn(line, text.splitlines())
        self.assertNotIn("Ask the Reasons", text)
        self.assertEqual(
            procedure.differences(procedure), "The revisions tell the same.")

    @with_transaction()
    def test_activate(self):
        "Test that the activation writes all the letters"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        Procedure = pool.get('training.abandon.procedure')
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            revision, = Procedure.copy([case.procedure])
            letter = revision.letters[0]
            with patch.object(Letter, 'check_templates'):
                Letter.write([letter], {'text': "Dear\n${traine}"})
            with self.assertRaisesRegex(
                    LetterValidationError, r"line 2.*trainee \(trainee\)"):
                Procedure.activate([revision])
            Letter.write([letter], {'text': "Dear\n${trainee}"})
            Procedure.activate([revision])
            self.assertEqual(revision.state, 'active')
