# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The replies about a case and what a person does with them"
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.transaction import Transaction, check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..exceptions import CertificateError
from ..mail.text import recognise


class Reply(metaclass=PoolMeta):
    __name__ = 'training.mail.reply'

    case = fields.Many2One(
        'training.abandon.case', "Case", readonly=True, ondelete='RESTRICT')
    certificate = fields.Function(fields.Many2One(
            'training.abandon.certificate', "Certificate"),
        'on_change_with_certificate')
    certificate_state = fields.Function(fields.Selection(
            'get_certificate_states', "Certificate State",
            help="What is known of the certificate of the case: the signed "
            "document may be attached."),
        'on_change_with_certificate_state')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            attach={
                'invisible': Bool(Eval('case')),
                'depends': ['case'],
                },
            confirm={
                'invisible': (
                    Eval('counted') | ~Eval('party') | ~Eval('case')
                    | ~Eval('kind').in_(
                        ['answer', 'auto_reply', 'challenge'])),
                'depends': ['counted', 'party', 'case', 'kind'],
                },
            sign={
                'invisible': (
                    ~Eval('has_scan') | ~Eval('certificate')
                    | Eval('certificate_state').in_(['signed', 'void'])),
                'depends': ['has_scan', 'certificate', 'certificate_state'],
                })

    @fields.depends('case', '_parent_case.enrolment')
    def on_change_with_enrolment(self, name=None):
        if self.case:
            return self.case.enrolment
        return super().on_change_with_enrolment(name=name)

    @classmethod
    def search_enrolment(cls, name, clause):
        return ['OR',
            ('case.' + clause[0], *clause[1:]),
            [
                ('case', '=', None),
                *super().search_enrolment(name, clause),
                ],
            ]

    @classmethod
    @ModelView.button_action('training_abandon.wizard_reply_attach')
    def attach(cls, replies):
        pass

    @classmethod
    @ModelView.button
    def confirm(cls, replies):
        "Count as answers of the parties what does not look so"
        cls.keep(replies)
        cls._count([
                r for r in replies if r.case and r.party and not r.counted])

    @classmethod
    @ModelView.button_action('training_abandon.wizard_reply_sign')
    def sign(cls, replies):
        pass

    @fields.depends(
        'mail', '_parent_mail.certificate', 'party', 'case',
        '_parent_case.certificate', '_parent_case.id')
    def on_change_with_certificate(self, name=None):
        sent = self.mail.certificate if self.mail else None
        if sent and sent.state != 'void':
            return sent
        # The scan may come with the answer to another mail
        certificate = self.case.certificate if self.case else None
        if (certificate and certificate.kind == 'statement'
                and self.party in self.case.trainee_side()):
            return certificate
        return sent

    @classmethod
    def get_certificate_states(cls):
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        return [(None, "")] + (
            Certificate.fields_get(['state'])['state']['selection'])

    @fields.depends(
        'mail', '_parent_mail.certificate', methods=[
            'on_change_with_certificate'])
    def on_change_with_certificate_state(self, name=None):
        certificate = self.on_change_with_certificate()
        return certificate.state if certificate else None

    @classmethod
    def on_modification(cls, mode, replies, field_names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        super().on_modification(mode, replies, field_names=field_names)
        if mode != 'delete':
            Case.on_answer([
                    r.case for r in replies if r.case and r.kind == 'answer'])

    @classmethod
    def _from_message(cls, message, mail):
        reply = super()._from_message(message, mail)
        reply.case = mail.case if mail else None
        return reply

    @classmethod
    def on_count(cls, replies):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        super().on_count(replies)
        for reply in replies:
            if not reply.answers_reasons:
                continue
            reasons = reply._recognise_reasons()
            if reasons:
                cls.write([reply], {
                        'reasons': [('add', [r.id for r in reasons])],
                        })
            if not reply.case.answered_at and not reply.case.closed_at:
                Case.write(
                    [reply.case], {'answered_at': reply.received_at})

    @property
    def answers_reasons(self):
        """If it is what the trainee, or who answers for it, answers when
        asked for the reasons"""
        if not self.case:
            return False
        if self.mail and self.mail.kind != 'ask_reasons':
            return False
        if self.party not in self.case.trainee_side():
            return False
        return bool(self.mail) or any(
            s.kind == 'ask_reasons' and s.state == 'done'
            and s.done_at <= self.received_at
            for s in self.case.steps)

    def _recognise_reasons(self):
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        language = self.mail and self.mail.language or self.party.lang
        with Transaction().set_context(
                language=language.code if language
                else Transaction().language):
            reasons = Procedure(self.case.procedure.id).reasons
            names = [
                [reason.name, gettext(
                        'training_abandon.msg_letter_reason_detail',
                        reason=reason.name)]
                for reason in reasons]
        return [
            reasons[position] for position in recognise(
                self.body or '', self.text or '', names)]

    def _notification_kind(self):
        notice = super()._notification_kind()
        if not self.case or self.kind != 'answer':
            return notice
        if self.case.closed_at:
            return 'closed'
        if notice == 'answer' and self.has_scan and (
                self.certificate_state in {
                    'issued', 'sent', 'refused', 'unanswered'}):
            return 'scan'
        return notice

    def _subject_name(self):
        if self.case:
            return tools.names([self.case])
        return super()._subject_name()

    def attach_to(self, case, party, counted=True):
        "Attach the reply to the case as what the party writes"
        # As who takes the case before what it has
        tools.lock(case.__class__, [case])
        self.keep([self])
        if self.case:
            raise AccessError(gettext(
                    'training_abandon.msg_reply_attached',
                    reply=self.rec_name, case=self.case.rec_name))
        if party not in case.correspondents():
            raise AccessError(gettext(
                    'training_abandon.msg_reply_party',
                    case=case.rec_name,
                    party=party.rec_name if party else ''))
        self.write([self], {
                'company': case.company.id,
                'case': case.id,
                'party': party.id,
                'kind': 'answer' if self.kind == 'unknown' else self.kind,
                })
        if counted:
            self.confirm([self])

    def suggest_case(self):
        """Return the only open case in which the sender is the trainee or
        somebody to write to, or None."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        parties = set(self._parties_of(self.from_))
        if not parties:
            return None
        ids = [p.id for p in parties]
        with check_access():
            cases = Case.search([
                    ('closed_at', '=', None),
                    ['OR', *(
                            (f'enrolment.{name}', 'in', ids) for name in [
                                'trainee.party', 'prescriber', 'employer',
                                'client', 'contacts.party'])],
                    ], limit=20)
        cases = [c for c in cases if parties.intersection(
                c.correspondents())]
        return cases[0] if len(cases) == 1 else None

    def signatures(self):
        "Return the attachments that may be a signed document"
        return [
            a for a in self.attachments
            if a.name.lower().endswith((
                    '.pdf', '.png', '.jpg', '.jpeg', '.tif', '.tiff',
                    '.heic', '.gif', '.webp'))]


class Attach(Wizard):
    __name__ = 'training.mail.reply.attach'

    start = StateView(
        'training.mail.reply.attach.start',
        'training_abandon.reply_attach_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Attach", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        case = self.record.suggest_case()
        party = self.record.party
        if case and party not in case.correspondents():
            party = None
        return {
            'case': case.id if case else None,
            'party': party.id if case and party else None,
            'counted': self.record.kind in {'answer', 'unknown'},
            }

    def transition_apply(self):
        self.record.attach_to(
            self.start.case, self.start.party, bool(self.start.counted))
        return 'end'


class AttachStart(ModelView):
    __name__ = 'training.mail.reply.attach.start'

    case = fields.Many2One('training.abandon.case', "Case", required=True)
    parties = fields.Function(
        fields.Many2Many('party.party', None, None, "Parties"),
        'on_change_with_parties')
    party = fields.Many2One(
        'party.party', "Party", required=True,
        domain=[
            ('id', 'in', Eval('parties', [])),
            ],
        help="Who writes.")
    counted = fields.Boolean(
        "Answer",
        help="Check if it counts as an answer of the party.")

    @fields.depends('case')
    def on_change_with_parties(self, name=None):
        return self.case.correspondents() if self.case else []


class Sign(Wizard):
    __name__ = 'training.mail.reply.sign'

    start = StateView(
        'training.mail.reply.sign.start',
        'training_abandon.reply_sign_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Confirm", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    @property
    def certificate(self):
        certificate = self.record.certificate
        if not certificate or not self.record.case:
            raise CertificateError(gettext(
                    'training_abandon.msg_reply_sign_certificate',
                    reply=self.record.rec_name))
        return certificate

    def default_start(self, fields):
        reply = self.record
        attachments = reply.signatures()
        return {
            'reply': reply.id,
            'certificate': self.certificate.id,
            'signers': [p.id for p in reply.case.trainee_side()],
            'signed_by': reply.party.id if reply.party else None,
            'attachment': (
                attachments[0].id if len(attachments) == 1 else None),
            'signed_at': reply.received_at,
            }

    def transition_apply(self):
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        reply, attachment = self.record, self.start.attachment
        if not attachment or attachment not in reply.signatures():
            raise AccessError(gettext(
                    'training_abandon.msg_reply_sign_attachment',
                    reply=reply.rec_name))
        certificate, signed_by = self.certificate, self.start.signed_by
        Certificate.keep([certificate])
        if certificate.state == 'signed':
            raise CertificateError(gettext(
                    'training_abandon.msg_certificate_answered',
                    certificate=certificate.rec_name))
        if certificate.state == 'void':
            raise CertificateError(gettext(
                    'training_abandon.msg_certificate_void',
                    certificate=certificate.rec_name))
        if signed_by not in reply.case.trainee_side():
            raise AccessError(gettext(
                    'training_abandon.msg_reply_sign_by',
                    case=reply.case.rec_name,
                    party=signed_by.rec_name if signed_by else ''))
        Certificate.write([certificate], {
                'signed_by': signed_by.id,
                'signed_document': attachment.data,
                'signed_filename': certificate.get_signed_filename(
                    attachment.name),
                'signed_at': self.start.signed_at,
                'evidence': '\n'.join(filter(None, [
                            certificate.evidence,
                            gettext('training_abandon.msg_reply_sign_evidence',
                                address=reply.from_,
                                identifier=reply.message_id)])),
                })
        Certificate.sign([certificate])
        if reply.state == 'new':
            reply.handle([reply])
        return 'end'


class SignStart(ModelView):
    __name__ = 'training.mail.reply.sign.start'

    reply = fields.Many2One('training.mail.reply', "Reply", readonly=True)
    certificate = fields.Many2One(
        'training.abandon.certificate', "Certificate", readonly=True)
    attachment = fields.Many2One(
        'ir.attachment', "Signed Document", required=True,
        domain=[
            ('resource.id', '=', Eval('reply', -1), 'training.mail.reply'),
            ],
        help="The attachment that is the signed certificate.")
    signers = fields.Many2Many('party.party', None, None, "Signatories")
    signed_by = fields.Many2One(
        'party.party', "Signed by", required=True,
        domain=[
            ('id', 'in', Eval('signers', [])),
            ],
        help="The trainee, or the legal guardian who signs with or for it.")
    signed_at = fields.DateTime(
        "Signed at", required=True,
        help="When it was signed, not when the signed document came back.")
