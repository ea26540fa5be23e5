# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What a person does with the replies"
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard


class Reply(metaclass=PoolMeta):
    __name__ = 'training.mail.reply'

    def attach_to(self, case, party, counted=True):
        "Attach the reply to the case as what the party writes"
        self.lock()
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


class Case(metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    def correspondents(self):
        "Return the list of the parties who may write about the case"
        enrolment = self.enrolment
        parties = [enrolment.trainee.party]
        parties += [p for _, p in enrolment.stakeholders()]
        parties += filter(None, [
                enrolment.prescriber, enrolment.employer, enrolment.client])
        parties += [c.party for c in enrolment.contacts]
        return list(dict.fromkeys(parties))


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

    def default_start(self, fields):
        reply = self.record
        attachments = reply.signatures()
        return {
            'reply': reply.id,
            'certificate': reply.certificate.id,
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
        certificate = reply.certificate
        Certificate.write([certificate], {
                'signed_document': attachment.data,
                'signed_filename': attachment.name,
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
            ])
    signed_at = fields.DateTime("Signed at", required=True)
