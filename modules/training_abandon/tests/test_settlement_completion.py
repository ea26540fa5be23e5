# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import hashlib
from io import BytesIO
from unittest.mock import patch

from pypdf import PdfReader

from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.modules.training_abandon.exceptions import (
    CompletionCertificateError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DatabaseTestCase, as_user, create_enrolments, create_user, decide,
    get_to_decision, set_up)


class CompletionTestCase(DatabaseTestCase):
    "Test the certificates of the hours done"

    def attend(self, session, count=1):
        "Return enrolments that have attended the first slot, and left early"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        enrolments = create_enrolments(session, count)
        slot = session.slots[0]
        Slot.open([slot])
        Attendance.write(list(slot.attendances), {
                'state': 'left_early', 'left_by': dt.timedelta(minutes=30)})
        Slot.close([slot])
        return enrolments

    def text(self, certificate):
        return '\n'.join(
            page.extract_text()
            for page in PdfReader(BytesIO(certificate.document)).pages)

    @with_transaction()
    def test_document(self):
        "Test what the document tells of who has left"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            first, second = self.attend(session, 2)
            decide(get_to_decision(first), effective_date=DATE)
            Enrolment.issue_completion([first, second])
            for enrolment in Enrolment.browse([first, second]):
                certificate, = enrolment.completion_certificates
                text = self.text(certificate)
                for word in [
                        certificate.number, enrolment.trainee.party.name,
                        "Bookkeeping", "Continuing Training",
                        company.party.name, "03/02/2026", "2:30"]:
                    self.assertIn(word, text)
                self.assertNotIn("bandon", text)
                self.assertEqual(
                    certificate.done, dt.timedelta(hours=2, minutes=30))
                self.assertEqual(
                    certificate.sha256,
                    hashlib.sha256(certificate.document).hexdigest())

    @with_transaction()
    def test_replaced(self):
        "Test that other hours make another certificate, the same ones none"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Certificate = pool.get('training.completion_certificate')
        Report = pool.get('training.completion_certificate', type='report')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _), patch.object(
                Report, 'convert',
                lambda report, data, **kwargs: ('pdf', b'%PDF')):
            enrolment, = self.attend(session)
            first, = Certificate.issue([enrolment])
            self.assertEqual(Certificate.issue([enrolment]), [first])
            for act in [
                    lambda: Certificate.write([first], {'number': 'X'}),
                    lambda: Certificate.delete([first]),
                    lambda: Certificate.copy([first])]:
                with self.assertRaises(AccessError):
                    act()
            slot = session.slots[0]
            Slot.open([slot])
            Attendance.write(list(slot.attendances), {'state': 'present'})
            Slot.close([slot])
            second, = Certificate.issue([enrolment])
            self.assertEqual(first.replaced_by, second)
            self.assertEqual(second.done, dt.timedelta(hours=3))
            self.assertNotEqual(first.number, second.number)

    @with_transaction()
    def test_content(self):
        "Test that other words or days make another certificate"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Certificate = pool.get('training.completion_certificate')
        Party = pool.get('party.party')
        Report = pool.get('training.completion_certificate', type='report')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _), patch.object(
                Report, 'convert',
                lambda report, data, **kwargs: ('pdf', b'%PDF')):
            enrolment, = self.attend(session)
            first, = Certificate.issue([enrolment])
            Party.write([enrolment.trainee.party], {'name': "Other"})
            second, = Certificate.issue([enrolment])
            self.assertEqual(first.replaced_by, second)
            # The same time on the same dates, of other days
            slots = session.slots
            for states in [
                    ['present', 'present', 'present', 'absent'],
                    ['present', 'absent', 'present', 'present']]:
                Slot.open(list(slots))
                with self.assertRaisesRegex(
                        CompletionCertificateError, "open"):
                    Certificate.issue([enrolment])
                for slot, state in zip(slots, states):
                    Attendance.write(
                        list(Slot(slot.id).attendances),
                        {'state': state, 'left_by': None})
                Slot.close(list(slots))
                issued, = Certificate.issue([enrolment])
                self.assertEqual(issued.replaced_by, None)
                self.assertNotEqual(issued, second)
                self.assertEqual(Certificate.issue([enrolment]), [issued])
                second = issued

    @with_transaction()
    def test_void(self):
        "Test that what certifies nobody any more is void"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Certificate = pool.get('training.completion_certificate')
        Report = pool.get('training.completion_certificate', type='report')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _), patch.object(
                Report, 'convert',
                lambda report, data, **kwargs: ('pdf', b'%PDF')):
            enrolment, = self.attend(session)
            first, = Certificate.issue([enrolment])
            slot = session.slots[0]
            Slot.open([slot])
            Attendance.write(list(slot.attendances), {
                    'state': 'absent', 'left_by': None})
            Slot.close([slot])
            with self.assertRaisesRegex(CompletionCertificateError, "void"):
                Certificate.issue([enrolment])
            user = create_user('training', company, 'training')
            with as_user(user), self.assertRaises(AccessButtonError):
                Certificate.void([Certificate(first.id)])
            head = create_user('head', company, 'training_admin')
            with as_user(head):
                Certificate.void([Certificate(first.id)])
            voided_at = Certificate(first.id).voided_at
            self.assertTrue(voided_at)
            self.assertEqual(Certificate.valid([enrolment]), {})
            Slot.open([slot])
            Attendance.write(list(slot.attendances), {'state': 'present'})
            Slot.close([slot])
            second, = Certificate.issue([enrolment])
            self.assertNotEqual(first, second)
            self.assertIsNone(Certificate(first.id).replaced_by)

    @with_transaction()
    def test_language(self):
        "Test that the document is in the language of the provider"
        pool = Pool()
        Certificate = pool.get('training.completion_certificate')
        Lang = pool.get('ir.lang')
        Report = pool.get('training.completion_certificate', type='report')
        languages = []

        def convert(report, data, **kwargs):
            languages.append(Transaction().language)
            return 'pdf', b'%PDF'

        with set_up() as (company, session, _), patch.object(
                Report, 'convert', convert):
            enrolment, = self.attend(session)
            company.party.lang, = Lang.search([('code', '=', 'de')])
            company.party.save()
            first, = Certificate.issue([enrolment])
            with Transaction().set_context(language='fr'):
                self.assertEqual(Certificate.issue([enrolment]), [first])
            self.assertEqual(languages, ['de'])

    @with_transaction()
    def test_refused(self):
        "Test that nothing certifies who has not attended, nor by anybody"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Report = pool.get('training.completion_certificate', type='report')
        with set_up() as (company, session, _):
            enrolment, = self.attend(session)
            absent, = create_enrolments(session)
            with self.assertRaises(CompletionCertificateError):
                Enrolment.issue_completion([enrolment, absent])
            self.assertFalse(enrolment.completion_certificates)
            with patch.object(
                    Report, 'convert',
                    lambda report, data, **kwargs: ('odt', b'odt')), \
                    self.assertRaises(CompletionCertificateError):
                Enrolment.issue_completion([enrolment])
            reader = create_user('reader', company, 'training_reading')
            with as_user(reader), self.assertRaises(AccessButtonError):
                Enrolment.issue_completion([Enrolment(enrolment.id)])
