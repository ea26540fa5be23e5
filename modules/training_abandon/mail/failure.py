# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who is told of the mails that do not leave"
from collections import defaultdict

from trytond.i18n import gettext

from .. import tools
from ..notify import AdministratorsMixin


class FailureMixin(AdministratorsMixin):
    "Mails of whose failure somebody is told"
    __slots__ = ()

    @classmethod
    def on_failed(cls, mails):
        "Hook called once the mails have failed or bounced"

    @classmethod
    def on_unavailable(cls, mails):
        "Hook called when the mails begin to wait for the mail server"

    @classmethod
    def notify_failed(cls, mails):
        "Tell those who answer for the mails which have failed, and why"
        cls.notify_responsible(
            [m for m in mails if m.state == 'failed' or m.bounced_at],
            lambda mails: (
                gettext('training_abandon.msg_mail_failed'),
                cls.describe_failed(mails)))

    @classmethod
    def notify_responsible(cls, mails, describe, icon='tryton-warning'):
        """Notify the users who created the mails, and the administrators for
        those of nobody who is still there and may read them.

        describe returns the label and the description of the notification
        for the mails of one of them."""
        by_user, orphans = defaultdict(list), []
        for mail in mails:
            by_user[mail.create_uid].append(mail)
        for user, user_mails in by_user.items():
            if (user and user.id and user.active
                    and tools.may_read(cls, user.id)):
                cls._notify(user, user_mails, describe, icon)
            else:
                orphans += user_mails
        if orphans:
            cls.notify_administrators(orphans, describe, icon=icon)

    @classmethod
    def describe_failed(cls, mails):
        "Return the words about the mails"
        return ' · '.join(tools.first(
                f'{m.subject_name}, {m.to}: {m.bounce_reason or m.smtp_reply}'
                for m in mails))

    @property
    def subject_name(self):
        "The name of what the mail is about"
        return self.rec_name
