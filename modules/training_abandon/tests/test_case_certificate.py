# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from trytond.modules.training_abandon.exceptions import CertificateError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DatabaseTestCase, create_enrolments, decide, get_to_decision, run_wizard,
    set_up)


class CaseCertificateTestCase(DatabaseTestCase):
    "Test the certificates of the cases"

    @with_transaction()
    def test_certificate_not_converted(self):
        "Test that without LibreOffice the step is not done"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        with set_up() as (company, session, _):
            case = get_to_decision(*create_enrolments(session))
            decide(case)
            with patch.dict('os.environ', {'PATH': ''}), \
                    patch('trytond.report.report.logger'), \
                    self.assertRaisesRegex(CertificateError, "LibreOffice"):
                run_wizard('training.abandon.case.certify', [case])
            self.assertFalse(Certificate.search([]))

    @with_transaction()
    def test_certify_many(self):
        "Test the certificates of many cases: one by one, told if refused"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        Report = pool.get('training.abandon.certificate', type='report')
        with set_up() as (company, session, _):
            cases = []
            for enrolment in create_enrolments(session, 3):
                cases.append(get_to_decision(enrolment))
                decide(cases[-1])
            Transaction().tasks.clear()
            Case = type(cases[0])
            with patch.object(Transaction(), 'commit'), \
                    patch.object(Transaction(), 'rollback'), \
                    patch.object(Report, 'convert') as convert:
                convert.side_effect = [
                    ('pdf', b'%PDF 1'), ('odt', b'no'), ('pdf', b'%PDF 3'),
                    ('pdf', b'%PDF 2')]
                Case.certify_all(cases, 'email')
                self.assertEqual(
                    [c.state for c in Case.browse(cases)],
                    ['certified', 'validated', 'certified'])
                notification, = Transaction().user_notifications
                self.assertIn("LibreOffice", notification.description)
                # One task delivers the mails of all
                self.assertEqual(len(Transaction().tasks), 1)
                Case.certify_all(cases, 'email')
            self.assertEqual(
                [c.state for c in Case.browse(cases)], ['certified'] * 3)
            self.assertEqual(len(Transaction().user_notifications), 1)
            self.assertEqual(
                sorted(c.document for c in Certificate.search([])),
                [b'%PDF 1', b'%PDF 2', b'%PDF 3'])
            self.assertEqual(
                [len(c.mails) for c in Case.browse(cases)], [1, 1, 1])
            Transaction().user_notifications.clear()

    @with_transaction()
    def test_certificate_record(self):
        "Test the paper record for a silent trainee and its outcomes"
        with set_up() as (company, session, _):
            self.assertFalse(company.party.addresses[0].street)
            for outcome, state in [
                    ('sign', 'signed'), ('refuse', 'refused'),
                    ('no_answer', 'unanswered')]:
                with self.subTest(outcome=outcome):
                    case = get_to_decision(*create_enrolments(session))
                    decide(case)
                    with patch.object(
                            Pool().get('training.abandon.certificate',
                                type='report'),
                            'convert', lambda *args, **kw: ('pdf', b'%PDF')):
                        run_wizard(
                            'training.abandon.case.certify', [case],
                            channel='paper')
                    certificate, = case.certificates
                    self.assertEqual(certificate.kind, 'record')
                    self.assertEqual(certificate.state, 'issued')
                    self.assertEqual(case.steps[-1].evidence, 'proven')
                    getattr(type(certificate), outcome)([certificate])
                    self.assertEqual(certificate.state, state)
                    type(case).close([case])
                    self.assertEqual(case.state, 'closed')
