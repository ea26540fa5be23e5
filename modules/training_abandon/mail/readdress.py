# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from email import message_from_bytes

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..exceptions import MailStorageError
from .address import check_address
from .composition import LONG_LINES
from .hold import HoldNoticeMixin


class ReaddressMixin:
    "Mails that are sent again to another address"
    __slots__ = ()

    @classmethod
    @ModelView.button_action('training_abandon.wizard_mail_readdress')
    def send_elsewhere(cls, mails):
        pass

    def readdress(self, to):
        """Queue the same letter for another address in the place of this
        mail, that failed or bounced, and return the new mail."""
        self.keep([self])
        if self.state != 'failed' and (
                not self.bounced_at or self.replaced_by):
            raise AccessError(gettext(
                    'training_abandon.msg_mail_readdress_state',
                    mail=self.rec_name))
        if reason := self._get_outdated():
            raise AccessError(reason)
        if not self.message:
            raise MailStorageError(gettext(
                    'training_abandon.msg_mail_message_unreadable'))
        message = message_from_bytes(self.message, policy=LONG_LINES)
        for name in ['To', 'Date', 'Message-ID']:
            del message[name]
        name = self.party.name if self.party else ''
        message.set_raw('To', self._address(name, to))
        self._stamp(message)
        mail, = self.copy([self], default={
                'to': to,
                'state': 'queued',
                **self.message_values(message),
                })
        self.write([self], {'replaced_by': mail.id})
        self.cancel([self])
        self.on_readdress(mail)
        self.queue([mail])
        return mail

    def on_readdress(self, mail):
        "Hook called once the mail has taken the place of this one"


class Readdress(Wizard):
    __name__ = 'training.mail.readdress'

    start = StateView(
        'training.mail.readdress.start',
        'training_abandon.mail_readdress_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Send", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        return {
            'to': (self.record.party.reachable_email
                if self.record.party else None),
            }

    def transition_apply(self):
        check_address(self.start.to, self.record.party)
        self.record.readdress(self.start.to.strip())
        return 'end'


class ReaddressStart(HoldNoticeMixin, ModelView):
    __name__ = 'training.mail.readdress.start'

    to = fields.Char(
        "To", required=True,
        help="The right address: add it to the party for the next mails.")
