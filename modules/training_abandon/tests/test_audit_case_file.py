# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import subprocess
import tempfile
from unittest.mock import patch

import trytond.config as config
from trytond.modules.training_abandon import tools
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from ..exceptions import ReportError
from .common import (
    DATE, DAY, DatabaseTestCase, as_user, create_enrolments, create_session,
    create_user, decide, get_to_decision, run_wizard, set_up)

PRIVATE = "Burnout since May"


class CaseFileTestCase(DatabaseTestCase):
    "Test the printed file of a case"

    def open_cases(self, session, prescriber, count=1):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        enrolments = create_enrolments(session, count, prescriber)
        cases = Case.open_cases(
            enrolments, 'absence', DATE, note=PRIVATE)
        for case in cases:
            run_wizard('training.abandon.case.inform', [case])
            party = case.enrolment.trainee.party
            self.reply(case)
            FollowUp.create([{
                        'company': case.company.id,
                        'enrolment': case.enrolment.id,
                        'case': case.id,
                        'kind': 'call',
                        'party': party.id,
                        'done_at': tools.now(),
                        'outcome': 'reached',
                        'note': PRIVATE,
                        }])
        return Case.browse(cases)

    def reply(self, case, **values):
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        Reply.create([{
                    'company': case.company.id,
                    'case': case.id,
                    'party': case.enrolment.trainee.party.id,
                    'received_at': tools.now(),
                    'message_id': f'<{case.id}@example.com>',
                    'kind': 'answer',
                    'text': PRIVATE,
                    **values}])

    def print_(self, cases):
        pool = Pool()
        Report = pool.get('training.abandon.case.file', type='report')
        extension, content, _, _ = Report.execute(
            [c.id for c in cases], {'model': 'training.abandon.case'})
        return extension, content

    def to_text(self, document):
        with tempfile.NamedTemporaryFile(suffix='.pdf') as file:
            file.write(document)
            file.flush()
            return subprocess.run(
                ['pdftotext', '-layout', file.name, '-'],
                check=True, capture_output=True, text=True).stdout

    def get_context(self, case):
        pool = Pool()
        Report = pool.get('training.abandon.case.file', type='report')
        return Report.get_context([case], {'company': case.company}, {})

    @with_transaction()
    def test_pdf(self):
        "Test that the file is a PDF that tells the case"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            type(case).write([case], {'no_solution_reason': "None fits"})

            extension, document = self.print_([case])

            self.assertEqual(extension, 'pdf')
            self.assertTrue(document.startswith(b'%PDF'))
            text = ' '.join(self.to_text(document).split())
            mail, = case.mails
            for expected in [
                    case.number, case.trainee.rec_name, prescriber.name,
                    case.procedure.rec_name, "Conformity of the Steps",
                    "Why No Solution", "None fits",
                    "Hours Planned", "12:00 00:00 00:00 00:00 00:00",
                    "Inform the Prescriber", mail.to, PRIVATE,
                    ' '.join(mail.body.split())[:60], "page 1 of"]:
                self.assertIn(expected, text)

    @with_transaction()
    def test_outcome(self):
        "Test that the file tells what comes after the decision"
        with set_up() as (company, session, _):
            new_session = create_session(company, DATE + 7 * DAY)
            transferred, postponed, other = [
                get_to_decision(e) for e in create_enrolments(session, 3)]
            decide(
                transferred, ground='transfer', new_session=new_session.id)
            decide(
                postponed, ground='postponed', return_date=DATE + 7 * DAY)
            self.assertEqual([
                    self.get_context(c)['outcome']
                    for c in [transferred, postponed, other]], [
                    f"New Enrolment {new_session.rec_name}",
                    "Return Date 03/09/2026", ""])

    @with_transaction()
    def test_replies(self):
        "Test that the file tells who wrote and what came with the words"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            reply, = case.replies
            Attachment.create([{
                        'resource': str(reply),
                        'name': "scan.pdf",
                        'data': b'%PDF',
                        }])
            self.reply(
                case, from_='stranger@example.com', other_sender=True,
                message_id='<stranger@example.com>', text="Stranger")
            case = type(case)(case.id)

            _, document = self.print_([case])

            lines = self.to_text(document).splitlines()
            self.assertIn("Attached: scan.pdf", ' '.join(lines))
            told = {
                text: any(
                    text in line and reply.party.rec_name in line
                    for line in lines) for text in [PRIVATE, "Stranger"]}
            self.assertEqual(told, {PRIVATE: True, "Stranger": False})

            assistant = create_user('assistant', company, 'training')
            with as_user(assistant):
                context = self.get_context(case)
            self.assertEqual(
                [(t, n) for _, t, n in context['replies']], [(None, [])] * 2)

    @with_transaction()
    def test_private(self):
        "Test that only Sensitive Reasons print what the parties said"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            assistant = create_user('assistant', company, 'training')
            reader = create_user(
                'reader', company, 'training', 'sensitive_reason')
            for user, readable in [(assistant, False), (reader, True)]:
                with as_user(user):
                    context = self.get_context(case)
                (_, note), = context['follow_ups']
                (_, text, _), = context['replies']
                self.assertEqual(
                    (note, text), (PRIVATE, PRIVATE) if readable
                    else (None, None))
                self.assertEqual(
                    bool(context['private_texts']), readable)
                self.assertEqual(context['sensitive'], readable)

    @with_transaction()
    def test_private_pdf(self):
        "Test that the PDF of the others says that words are reserved"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            assistant = create_user('assistant', company, 'training')
            with as_user(assistant):
                _, document = self.print_([case])
            text = self.to_text(document)
            self.assertNotIn(PRIVATE, text)
            self.assertIn("[reserved]", text)

    @with_transaction()
    def test_not_converted(self):
        "Test that no document that is not a PDF is given"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(session, prescriber)
            command = config.get('report', 'convert_command', default='')
            config.set('report', 'convert_command', 'false')
            self.addCleanup(
                config.set, 'report', 'convert_command', command)
            with self.assertRaises(ReportError):
                self.print_([case])

    @with_transaction()
    def test_several(self):
        "Test that several cases make a file each"
        pool = Pool()
        Report = pool.get('training.abandon.case.file', type='report')
        with set_up() as (company, session, prescriber):
            cases = self.open_cases(session, prescriber, 2)
            with patch.object(
                    Report, 'convert',
                    lambda report, data, **kwargs: ('pdf', b'%PDF')):
                extension, document = self.print_(cases)
            self.assertEqual(extension, 'zip')
            self.assertTrue(document.startswith(b'PK'))
