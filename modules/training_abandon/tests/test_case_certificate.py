# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import base64
import datetime as dt
import hashlib
from contextlib import contextmanager
from io import BytesIO
from unittest.mock import Mock, patch
from zipfile import ZipFile

from PIL import Image
from pypdf import PdfReader, PdfWriter

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.exceptions import (
    CaseCloseError, CertificateAnsweredWarning, CertificateError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, add_contact, create_enrolments, create_party,
    decide, get_to_decision, mail_server, run_wizard, set_email, set_up, today)


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

    def decided(self, session, count):
        "Return cases of which the certificate is the next step"
        cases = []
        for enrolment in create_enrolments(session, count):
            cases.append(get_to_decision(enrolment))
            decide(cases[-1])
        return cases

    @contextmanager
    def counted(self, refused=()):
        """Yield the list of the numbers of documents that are converted at
        once, where those with the words refused cannot be"""
        Report = Pool().get('training.abandon.certificate', type='report')
        convert, counts = Report.convert, []

        def count(report, data, **kwargs):
            content = ZipFile(BytesIO(data)).read('content.xml').decode()
            counts.append(content.count('<text:variable-set'))
            if any(word in content for word in refused):
                return 'odt', data
            return convert(report, data, **kwargs)

        with patch.object(Report, 'convert', count):
            yield counts

    def texts(self, certificate):
        "Return the texts of the pages of the certificate"
        return [
            page.extract_text()
            for page in PdfReader(BytesIO(certificate.document)).pages]

    @with_transaction()
    def test_certify_many(self):
        "Test the certificates of many cases: together, told if refused"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        with set_up() as (company, session, _):
            cases = self.decided(session, 5)
            good = [cases[0], *cases[3:]]
            set_email(cases[2].enrolment.trainee.party, None)
            Transaction().tasks.clear()
            Case = type(cases[0])
            ends = Mock()
            with patch.object(Transaction(), 'commit', ends.commit), \
                    patch.object(Transaction(), 'rollback', ends.rollback):
                with self.counted([cases[1].number]) as counts:
                    Case.certify_all(cases, 'email')
                # Who is refused takes nobody's certificate away
                self.assertEqual(
                    [c.state for c in Case.browse(cases)], [
                        'certified', 'validated', 'validated', 'certified',
                        'certified'])
                self.assertEqual(ends.commit.call_count, 2)
                # Nothing is converted for who has no address
                self.assertEqual(counts, [2, 1, 1, 1, 2])
                notification, = Transaction().user_notifications
                for name in [
                        cases[1].number,
                        cases[2].enrolment.trainee.party.name]:
                    self.assertIn(name, notification.description)
                for case in good:
                    self.assertNotIn(case.number, notification.description)
                # One task delivers the mails of all
                self.assertEqual(len(Transaction().tasks), 1)
                set_email(cases[2].enrolment.trainee.party, 'x@example.com')
                with self.counted() as counts:
                    Case.certify_all(cases, 'email')
                self.assertEqual(counts, [2])
            self.assertEqual(
                [c.state for c in Case.browse(cases)], ['certified'] * 5)
            self.assertEqual(len(Transaction().user_notifications), 1)
            self.assertEqual(
                len({c.sha256 for c in Certificate.search([])}), 5)
            for case in Case.browse(cases):
                text, = self.texts(case.certificate)
                self.assertIn(case.number, text)
                mail, = case.mails
                self.assertEqual(mail.certificate, case.certificate)
            Transaction().user_notifications.clear()

    def write_text(self, kind, text):
        "Write the text of the certificates of that kind"
        Letter = Pool().get('training.abandon.procedure.letter')
        Letter.write(Letter.search([
                    ('step_kind', '=', 'certify'),
                    ('variant', '=', kind),
                    ]), {'text': text})

    @with_transaction()
    def test_issue_together(self):
        "Test that each case has its pages of what is converted together"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        with set_up() as (company, session, _):
            self.write_text(
                'statement', "${trainee} tells:\n\n" + "So it is.\n\n" * 60)
            self.write_text('record', "See https://example.com/ ${trainee}")
            cases = self.decided(session, 5)
            kinds = dict(zip(cases, [
                        'record', 'statement', 'statement', 'record',
                        'statement']))
            with self.counted() as counts:
                certificates = Certificate.issue(cases, kinds.get)
                alone, = Certificate.issue(cases[1:2], kinds.get)
            self.assertEqual(counts, [5, 1])
            self.assertEqual([c.case for c in certificates], cases)
            names = {c: c.enrolment.trainee.party.name for c in cases}
            for certificate in certificates:
                case = certificate.case
                with self.subTest(case=case.number):
                    texts = self.texts(certificate)
                    self.assertEqual(
                        len(texts), 4 if kinds[case] == 'statement' else 1)
                    self.assertIn(names[case], texts[0])
                    for text in texts:
                        self.assertIn(case.number, text)
                    for other in set(cases) - {case}:
                        self.assertNotIn(other.number, ''.join(texts))
                        self.assertNotIn(names[other], ''.join(texts))
                    reader = PdfReader(BytesIO(certificate.document))
                    self.assertFalse(reader.outline)
                    self.assertFalse(
                        [p for p in reader.pages if p.get('/Annots')])
                    self.assertEqual(
                        certificate.sha256,
                        hashlib.sha256(certificate.document).hexdigest())
                    self.assertLess(len(certificate.document), 60000)
            self.assertEqual(*(
                    [t.strip() for t in self.texts(c)]
                    for c in [alone, certificates[1]]))
            self.assertEqual(*(
                    PdfReader(BytesIO(c.document)).metadata.title
                    for c in [alone, certificates[1]]))

    def image_of(self, number):
        "Return what shows an image in the document of the record only"
        image = BytesIO()
        Image.new('RGB', (10 + number, 10), 'red').save(image, 'PNG')
        data = base64.b64encode(image.getvalue()).decode()
        return (
            self.tag(f'if test="document.record == records[{number}]"')
            + '<text:p><draw:frame text:anchor-type="as-char" '
            'svg:width="1cm" svg:height="1cm"><draw:image>'
            f'<office:binary-data>{data}</office:binary-data>'
            '</draw:image></draw:frame></text:p>'
            + self.tag('/if'))

    def tag(self, directive):
        return f'<text:p>{self.placeholder(directive)}</text:p>'

    def placeholder(self, words):
        return (
            '<text:placeholder text:placeholder-type="text">'
            f'&lt;{words}&gt;</text:placeholder>')

    @with_transaction()
    def test_issue_images(self):
        "Test that no document has the image or the properties of another"
        pool = Pool()
        Action = pool.get('ir.action.report')
        Certificate = pool.get('training.abandon.certificate')
        with set_up() as (company, session, _):
            cases = self.decided(session, 2)
            action, = Action.search([
                    ('report_name', '=', 'training.abandon.certificate')])
            end = '<text:p text:style-name="End"/>'
            Action.write([action], {
                    'report_content': action.report_content.decode()
                    .replace(end, self.image_of(0) + self.image_of(1) + end)
                    .replace(
                        '</office:meta>',
                        '<dc:subject>relatorio://records[0].number'
                        '</dc:subject></office:meta>')
                    .encode()})
            with self.counted() as counts:
                certificates = Certificate.issue(cases, lambda case: 'record')
            self.assertEqual(counts, [2])
            for number, certificate in enumerate(certificates):
                with self.subTest(number=number):
                    reader = PdfReader(BytesIO(certificate.document))
                    page, = reader.pages
                    self.assertEqual(
                        [i.image.size for i in page.images],
                        [(10 + number, 10)])
                    self.assertIsNone(reader.metadata.subject)

    @with_transaction()
    def test_issue_other_template(self):
        "Test the templates whose documents cannot be converted together"
        pool = Pool()
        Action = pool.get('ir.action.report')
        Certificate = pool.get('training.abandon.certificate')
        with set_up() as (company, session, _):
            cases = self.decided(session, 2)
            action, = Action.search([
                    ('report_name', '=', 'training.abandon.certificate')])
            template = action.report_content.decode()
            end = '<text:p text:style-name="End"/>'
            for name, changed, counted in [
                    ('one document', template
                        .replace('document in documents',
                            'document in documents[:1]'), [1, 1]),
                    ('page numbers', template
                        .replace('<text:variable-get',
                            '<text:page-number/><text:variable-get'), [1, 1]),
                    ('no start', template
                        .replace('text:p text:style-name="Start"',
                            'text:p text:style-name="Standard"'), [1, 1]),
                    ('footnote', template
                        .replace(end, '<text:p><text:note text:note-class='
                            '"footnote"><text:note-citation/><text:note-body>'
                            '<text:p>Note</text:p></text:note-body>'
                            '</text:note></text:p>' + end), [1, 1]),
                    # Only the PDF tells it
                    ('link', template
                        .replace(end, '<text:p><text:bookmark text:name="a"/>'
                            '<text:a xlink:type="simple" xlink:href="#a">here'
                            '</text:a></text:p>' + end), [2, 1, 1]),
                    ('footer of one', template
                        .replace('<text:variable-get text:name="identity"/>',
                            self.placeholder('record.number')), [1, 1]),
                    ]:
                with self.subTest(name=name):
                    self.assertNotEqual(changed, template)
                    Action.write(
                        [action], {'report_content': changed.encode()})
                    with self.counted() as counts, \
                            self.assertLogs('trytond', 'WARNING'):
                        certificates = Certificate.issue(
                            cases, lambda case: 'record')
                    self.assertEqual(counts, counted)
                    for certificate in certificates:
                        text, = self.texts(certificate)
                        for case in cases:
                            self.assertEqual(
                                case.number in text, case == certificate.case)

    @with_transaction()
    def test_issue_no_text(self):
        "Test that the refused cases are those of the procedure without text"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        Letter = pool.get('training.abandon.procedure.letter')
        Procedure = pool.get('training.abandon.procedure')
        with set_up() as (company, session, _):
            other, = self.decided(session, 1)
            procedure, = Procedure.copy([other.procedure], {'state': 'draft'})
            Procedure.activate([procedure])
            cases = self.decided(session, 2)
            Letter.delete(Letter.search([
                        ('procedure', '=', procedure.id),
                        ('step_kind', '=', 'certify'),
                        ]))
            with self.assertRaisesRegex(
                    CertificateError, procedure.rec_name) as cm:
                Certificate.issue(
                    [cases[0], other, cases[1]], lambda case: 'record')
            self.assertEqual(cm.exception.cases, cases)

    @with_transaction()
    def test_issue_not_split(self):
        "Test that what does not tell whose pages they are is not used"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        with set_up() as (company, session, _):
            cases = self.decided(session, 2)
            one = BytesIO()
            writer = PdfWriter()
            writer.add_blank_page(100, 100)
            writer.write(one)
            for document in [b'%PDF', one.getvalue()]:
                with self.subTest(document=document[:10]), \
                        self.converted(document), \
                        self.assertLogs('trytond', 'WARNING'):
                    certificates = Certificate.issue(
                        cases, lambda case: 'record')
                    self.assertEqual(
                        [c.document for c in certificates], [document] * 2)

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

    def certify(self, session, **values):
        "Return a case with its certificate"
        case = get_to_decision(*create_enrolments(session))
        decide(case)
        with self.converted():
            run_wizard('training.abandon.case.certify', [case], **values)
        return case

    def converted(self, document=b'%PDF'):
        "Have the documents made without LibreOffice"
        return patch.object(
            Pool().get('training.abandon.certificate', type='report'),
            'convert', lambda *args, **kw: ('pdf', document))

    @with_transaction()
    def test_protected(self):
        "Test that the users change only how the answer is known"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        with set_up() as (company, session, _):
            case = self.certify(session, channel='paper')
            certificate, = case.certificates
            self.assertEqual(
                certificate.sha256,
                hashlib.sha256(certificate.document).hexdigest())

            def check(mode, values=None):
                Certificate.check_modification(
                    mode, [certificate], values, external=True)

            answers = {
                'signed_at', 'signed_by', 'signed_document',
                'signed_filename', 'evidence'}
            for name in Certificate._fields:
                with self.subTest(name=name):
                    if name in answers:
                        check('write', {name: None})
                        continue
                    with self.assertRaises(AccessError):
                        check('write', {name: None})
            for mode in ['create', 'delete']:
                with self.subTest(mode=mode), self.assertRaises(AccessError):
                    check(mode)
            # What is known of the answer is completed, never changed
            Certificate.sign([certificate])
            check('write', {'evidence': "By post"})
            Certificate.write([certificate], {'evidence': "By post"})
            for values in [
                    {'evidence': "By hand"}, {'evidence': None},
                    {'signed_at': DATE}]:
                with self.subTest(values=values), \
                        self.assertRaises(AccessError):
                    check('write', values)
            Certificate.refuse([certificate])
            self.assertEqual(certificate.state, 'signed')

    @with_transaction()
    def test_record_signature(self):
        "Test that a signature comes with its document or why there is none"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        name = 'training.abandon.certificate.sign'
        with set_up() as (company, session, _):
            signed, told, other = (
                self.certify(session, channel='paper', kind='statement'
                    ).certificate for _ in range(3))
            with self.assertRaises(CertificateError):
                run_wizard(name, [signed])
            self.assertEqual(Certificate(signed.id).state, 'issued')
            run_wizard(
                name, [signed], signed_document=b'Signed',
                filename='scan.pdf')
            signed = Certificate(signed.id)
            trainee = signed.case.enrolment.trainee.party
            self.assertEqual(
                (signed.state, signed.signed_by, signed.signed_document),
                ('signed', trainee, b'Signed'))
            self.assertEqual(signed.signed_filename, signed.filename)
            run_wizard(name, [told], evidence="Signed before us")
            told = Certificate(told.id)
            self.assertEqual(
                (told.state, told.evidence), ('signed', "Signed before us"))
            with self.assertRaises(CertificateError):
                run_wizard(name, [told], evidence="Again")
            stranger = create_party("Stranger")
            with self.assertRaises(CertificateError):
                run_wizard(
                    name, [other], evidence="Signed", signed_by=stranger.id)

    @with_transaction()
    def test_sign(self):
        "Test when and by whom a certificate is told to be signed"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        with set_up() as (company, session, _):
            mother = create_party("Mother")

            def certify(kind, guardian=False):
                case = self.certify(session, channel='paper', kind=kind)
                if guardian:
                    add_contact(case.enrolment, mother)
                return case.certificate

            alone, told, record, minor = certificates = [
                certify('statement'), certify('statement'),
                certify('record'), certify('statement', guardian=True)]
            issued_at = told.issued_at
            for days in [-1, 1]:
                with self.subTest(days=days), \
                        self.assertRaises(CertificateError):
                    Certificate.write(
                        [told], {'signed_at': issued_at + days * DAY})
            with today(DATE + 3 * DAY):
                Certificate.write([told], {
                        'signed_at': issued_at + DAY,
                        'signed_by': mother.id,
                        })
                Certificate.sign(certificates)
            self.assertEqual({c.state for c in certificates}, {'signed'})
            self.assertEqual(
                [(c.signed_at - issued_at, c.signed_by)
                    for c in certificates],
                [
                    (2 * DAY, alone.case.enrolment.trainee.party),
                    (DAY, mother), (2 * DAY, None), (2 * DAY, None)])

    @with_transaction()
    def test_unanswered(self):
        "Test that a statement is answered before what follows"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Certificate = pool.get('training.abandon.certificate')
        with set_up() as (company, session, _):
            case = self.certify(session, channel='paper', kind='statement')
            statement = case.certificate
            with self.assertRaises(CaseCloseError):
                Case.close([case])
            with self.converted():
                Case.issue_record([case])
                self.assertEqual(Case(case.id).certificate, statement)
                Certificate.refuse([statement])
                Case.issue_record([case])
            record = Case(case.id).certificate
            self.assertEqual((record.kind, record.state), ('record', 'issued'))
            Case.close([case])
            self.assertEqual(Case(case.id).state, 'closed')

    @with_transaction()
    def test_issue_again(self):
        "Test a certificate with a misspelt name"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Certificate = pool.get('training.abandon.certificate')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, _), \
                patch.object(Mail, 'queue'):
            with today(DATE + DAY, time=dt.time(19)), mail_server():
                case = self.certify(session, kind='statement')
                old, = case.certificates
                first, = old.mails
                Mail.deliver_queued([first])
            self.assertEqual(old.state, 'sent')
            digest = old.sha256
            step = case.get_step('certify')
            self.assertEqual(step.evidence, 'proven')
            proven_at = step.proven_at

            with self.converted(b'%PDF right'):
                Case.issue_again([case])
            case = Case(case.id)
            new = case.certificate
            self.assertEqual(len(case.certificates), 2)
            self.assertEqual(
                (new.kind, new.state, new.document, new.replaces),
                ('statement', 'issued', b'%PDF right', old))
            self.assertEqual(
                (old.state, old.replaced_by, old.sha256, old.document),
                ('void', new, digest, b'%PDF'))
            self.assertTrue(old.void_at)
            self.assertEqual(old.void_by.id, Transaction().user)
            self.assertTrue(old.void_reason)
            self.assertEqual(first.state, 'sent')

            mail, = new.mails
            self.assertEqual(
                (mail.to, mail.letter.variant, mail.step, mail.correction),
                (first.to, 'corrected', step, case.corrections[0]))
            self.assertEqual(step.evidence, 'pending')
            with mail_server():
                Mail.deliver_queued([mail])
            self.assertGreater(mail.sent_at, proven_at)
            self.assertEqual(new.state, 'sent')
            self.assertEqual(old.state, 'void')
            self.assertEqual(step.evidence, 'proven')
            # What is written again does not make the step late
            self.assertEqual(step.proven_at, proven_at)

            with self.assertRaisesRegex(CertificateError, "only the last"):
                Certificate.issue_again([old])
            # Should it come back, it goes nowhere else
            Mail.write([first], {'bounced_at': first.sent_at})
            with self.assertRaisesRegex(AccessError, "void"):
                first.readdress('other@example.com')
            Certificate.sign([old])
            self.assertEqual(old.state, 'void')
            with Transaction().set_context(_check_access=True), \
                    self.assertRaises(AccessError):
                Certificate.write([old], {'evidence': "Signed"})

            # A closed case keeps its certificate right
            Certificate.sign([new])
            Case.close([case])
            with Transaction().set_context(_skip_warnings=False), \
                    self.assertRaises(CertificateAnsweredWarning):
                Certificate.issue_again([new])
            with self.converted():
                run_wizard(
                    'training.abandon.certificate.issue_again', [new],
                    reason="Misspelt once more")
            case = Case(case.id)
            self.assertEqual(case.state, 'closed')
            self.assertEqual(case.certificate.replaces, new)
            self.assertEqual(new.void_reason, "Misspelt once more")
            last, = case.certificate.mails
            with mail_server():
                Mail.deliver_queued([last])
            self.assertEqual(last.state, 'sent')

    @with_transaction()
    def test_issue_again_waiting(self):
        "Test that the mail of a certificate that has not left is cancelled"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Letter = pool.get('training.abandon.procedure.letter')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, _), \
                patch.object(Mail, 'queue'):
            case = self.certify(session)
            # A procedure of before has no letter for it
            Letter.delete(Letter.search([
                        ('step_kind', '=', 'certify'),
                        ('variant', '=', 'corrected'),
                        ]))
            old, = case.certificates
            with self.converted():
                Case.issue_again([case])
            self.assertEqual([m.state for m in old.mails], ['cancelled'])
            mail, = Case(case.id).certificate.mails
            self.assertEqual(mail.letter.variant, 'silent')

            undecided = get_to_decision(*create_enrolments(session))
            with self.assertRaisesRegex(CertificateError, "no certificate"):
                Case.issue_again([undecided])

    @with_transaction()
    def test_issue_again_paper(self):
        "Test that nobody is written to who was not"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            case = self.certify(session, channel='paper')
            with self.converted():
                Case.issue_again([case])
            case = Case(case.id)
            self.assertFalse(case.mails)
            self.assertEqual(case.get_step('certify').evidence, 'proven')

            # What was undone proves nothing
            run_wizard(
                'training.abandon.case.undo_step', [case], reason="Too early")
            with self.converted(), today(DATE + 3 * DAY):
                run_wizard(
                    'training.abandon.case.certify', [case], channel='paper')
            case = Case(case.id)
            step = case.get_step('certify')
            self.assertEqual(step.proven_at, case.certificate.issued_at)
            self.assertEqual(step.proven_at.date(), DATE + 3 * DAY)
