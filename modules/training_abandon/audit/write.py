# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pyson import Eval
from trytond.wizard import Button, StateTransition, StateView

from ..exceptions import RecipientError
from ..mail.address import check_address
from ..mail.hold import HoldNoticeMixin
from .conversation import PartyWizard


class Write(PartyWizard):
    __name__ = 'training.abandon.case.write'

    start = StateView(
        'training.abandon.case.write.start',
        'training_abandon.case_write_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Send", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        case, parties = self.case, self.parties
        allowed = case.conversation_parties()
        if not parties and len(allowed) == 1:
            parties = allowed
        return {
            'case': case.id,
            'allowed_parties': [p.id for p in allowed],
            'parties': [p.id for p in parties],
            'subject': case.exchange_subject(parties),
            }

    def transition_apply(self):
        start, case = self.start, self.case
        parties = list(start.parties or [])
        subject = ' '.join((start.subject or '').split())
        text = (start.text or '').strip()
        if not parties or not subject or not text:
            raise RecipientError(gettext(
                    'training_abandon.msg_write_empty',
                    case=case.rec_name))
        allowed = case.conversation_parties()
        for party in parties:
            if party not in allowed:
                raise RecipientError(gettext(
                        'training_abandon.msg_conversation_party',
                        case=case.rec_name,
                        party=party.rec_name))
            if case.enrolment.is_archived(party):
                raise RecipientError(gettext(
                        'training_abandon.msg_write_archived',
                        party=party.rec_name))
            if not party.reachable_email:
                raise RecipientError(gettext(
                        'training_abandon.msg_write_no_address',
                        party=party.rec_name))
            check_address(party.reachable_email, party)
        case.write_to(parties, subject, text)
        return 'end'


class WriteStart(HoldNoticeMixin, ModelView):
    __name__ = 'training.abandon.case.write.start'

    case = fields.Many2One('training.abandon.case', "Case", readonly=True)
    allowed_parties = fields.Many2Many(
        'party.party', None, None, "Allowed Parties")
    parties = fields.Many2Many(
        'party.party', None, None, "Parties", required=True,
        domain=[
            ('id', 'in', Eval('allowed_parties', [])),
            ],
        help="Each mailbox receives a mail of its own.")
    addresses = fields.Function(
        fields.Text(
            "Addresses",
            help="The addresses to which the mails leave, one for each "
            "party."),
        'on_change_with_addresses')
    subject = fields.Char("Subject", required=True)
    text = fields.Text(
        "Text", required=True,
        help="A plain text: a blank line separates the paragraphs, the "
        "lines that begin with a dash make a list.")

    @fields.depends('parties')
    def on_change_with_addresses(self, name=None):
        return '\n'.join(
            f'{p.rec_name} <{p.reachable_email or ""}>'
            for p in self.parties or [])

    @fields.depends('case', 'parties')
    def on_change_parties(self):
        # The subject that one wrote is not for the others
        if self.case:
            self.subject = self.case.exchange_subject(
                list(self.parties or []))
