# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"How the signature of a certificate is recorded with what shows it"
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..exceptions import CertificateError


class SignCertificate(Wizard):
    __name__ = 'training.abandon.certificate.sign'

    start = StateView(
        'training.abandon.certificate.sign.start',
        'training_abandon.certificate_sign_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Record as Signed", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        certificate = self.record
        signers = certificate.case.trainee_side()
        if certificate.kind != 'statement':
            signers = []
        signed_by = certificate.signed_by
        if not signed_by and len(signers) == 1:
            signed_by, = signers
        return {
            'certificate': certificate.id,
            'signers': [p.id for p in signers],
            'signed_by': signed_by.id if signed_by else None,
            'signed_at': certificate.signed_at or tools.now(),
            # The words of a refusal or a silence do not show a signature
            'evidence': (
                certificate.evidence
                if certificate.state in {'issued', 'sent'} else None),
            'has_document': bool(certificate.signed_document),
            }

    def transition_apply(self):
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        certificate, start = self.record, self.start
        Certificate.keep([certificate])
        if certificate.state in {'signed', 'void'}:
            raise CertificateError(gettext(
                    'training_abandon.msg_certificate_answered'
                    if certificate.state == 'signed'
                    else 'training_abandon.msg_certificate_void',
                    certificate=certificate.rec_name))
        evidence = (start.evidence or '').strip()
        if not (start.signed_document or evidence
                or certificate.signed_document):
            raise CertificateError(gettext(
                    'training_abandon.msg_certificate_sign_document',
                    certificate=certificate.rec_name))
        signed_by = start.signed_by
        if signed_by and signed_by not in certificate.case.trainee_side():
            raise CertificateError(gettext(
                    'training_abandon.msg_reply_sign_by',
                    case=certificate.case.rec_name,
                    party=signed_by.rec_name))
        values = {
            'signed_at': start.signed_at or tools.now(),
            'signed_by': signed_by.id if signed_by else None,
            'evidence': (evidence
                if certificate.state in {'issued', 'sent'}
                else '\n'.join(filter(
                        None, [certificate.evidence, evidence]))) or None,
            }
        if start.signed_document:
            values.update(
                signed_document=start.signed_document,
                signed_filename=certificate.get_signed_filename(
                    start.filename or ''))
        Certificate.write([certificate], values)
        Certificate.sign([certificate])
        return 'end'


class SignCertificateStart(ModelView):
    __name__ = 'training.abandon.certificate.sign.start'

    certificate = fields.Many2One(
        'training.abandon.certificate', "Certificate", readonly=True)
    signers = fields.Many2Many('party.party', None, None, "Signatories")
    signed_by = fields.Many2One(
        'party.party', "Signed by",
        domain=[
            ('id', 'in', Eval('signers', [])),
            ],
        states={
            'invisible': ~Eval('signers'),
            },
        help="The trainee, or the legal guardian who signs with or for it.")
    signed_at = fields.DateTime(
        "Signed at", required=True,
        help="When it was signed, not when the signed document came back.")
    has_document = fields.Boolean("Has Document")
    signed_document = fields.Binary(
        "Signed Document", filename='filename',
        help="The scan or the picture of what was signed.")
    filename = fields.Char("File Name")
    evidence = fields.Text(
        "Evidence",
        states={
            'required': (
                ~Bool(Eval('signed_document')) & ~Eval('has_document')),
            },
        help="How the signature is known; without document, why there is "
        "none.\n"
        "Do not write any health detail.")
