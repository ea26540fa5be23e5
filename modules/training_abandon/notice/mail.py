# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The mails of the notices and what comes back"
from collections import defaultdict

from sql import Null
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce

from trytond.i18n import gettext
from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction, without_check_access

from ..mail.archive import sql_reference
from ..mail.mail import WAITING
from ..notify import AdministratorsMixin


class Mail(AdministratorsMixin, metaclass=PoolMeta):
    __name__ = 'training.mail'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", readonly=True,
        ondelete='RESTRICT')
    notices = fields.One2Many(
        'training.attendance.notice', 'mail', "Slots", readonly=True,
        states={
            'invisible': ~Eval('notices'),
            })

    @classmethod
    def __register__(cls, module):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        table_h = cls.__table_handler__(module)
        has_enrolment = table_h.column_exist('enrolment')
        super().__register__(module)
        if not has_enrolment:
            table, case = cls.__table__(), Case.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.enrolment],
                    [case.select(
                            case.enrolment, where=case.id == table.case)]))

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(Index(t, (t.enrolment, Index.Equality())))

    @classmethod
    def get_resources(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        name = 'training.enrolment'
        return super().get_resources() + [(name, Model.get_name(name))]

    def get_resource(self, name):
        return super().get_resource(name) or (
            str(self.enrolment) if self.enrolment else None)

    @classmethod
    def _sql_resource(cls, mail):
        return Coalesce(
            SQLCase(
                (mail.case == Null,
                    sql_reference('training.enrolment', mail.enrolment))),
            super()._sql_resource(mail))

    @classmethod
    def copy(cls, mails, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('notices')
        return super().copy(mails, default=default)

    @property
    def is_first_attempt(self):
        return self.state in WAITING and self.attempts <= 1

    def _get_outdated(self):
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        if reason := super()._get_outdated():
            return reason
        # Those of the cases have none
        if not self.case:
            return Notice.outdated_reason(self)

    @classmethod
    def cancel(cls, mails):
        super().cancel(mails)
        cls._dismiss([m for m in mails if m.state == 'cancelled'])

    @classmethod
    @without_check_access
    def _dismiss(cls, mails):
        "Tell no more what the user has chosen not to tell"
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        Notice.write(
            Notice.search([('mail', 'in', [m.id for m in mails])]),
            {'dismissed': True})

    @without_check_access
    def readdress(self, to):
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        notices = Notice.search([('mail', '=', self.id)])
        mail = super().readdress(to)
        Notice.write(notices, {'mail': mail.id, 'dismissed': False})
        return mail

    @classmethod
    def notify_failed(cls, mails):
        super().notify_failed(mails)
        cls._notify_senders([
                m for m in mails
                if not m.case and (m.state == 'failed' or m.bounced_at)],
            lambda mails: (
                gettext('training_abandon.msg_mail_failed'),
                ' · '.join(
                    f'{m.rec_name}, {m.to}: '
                    f'{m.bounce_reason or m.smtp_reply}'
                    for m in mails)))

    @classmethod
    def _notify_senders(cls, mails, describe, icon='tryton-warning'):
        """Notify the users who closed the sheets that the mails are about, and
        the administrators for those closed by nobody who is still there.

        describe returns the label and the description of the notification
        for the mails of one of them."""
        by_user, orphans = defaultdict(list), []
        for mail in mails:
            user = mail.create_uid
            if user and user.id and user.active:
                by_user[user].append(mail)
            else:
                orphans.append(mail)
        for user, user_mails in by_user.items():
            cls._notify(user, user_mails, describe, icon)
        if orphans:
            cls.notify_administrators(orphans, describe, icon=icon)


class Reply(metaclass=PoolMeta):
    __name__ = 'training.mail.reply'

    enrolment = fields.Function(fields.Many2One(
            'training.enrolment', "Enrolment"),
        'on_change_with_enrolment', searcher='search_enrolment')

    @fields.depends(
        'case', '_parent_case.enrolment', 'mail', '_parent_mail.enrolment')
    def on_change_with_enrolment(self, name=None):
        if self.case:
            return self.case.enrolment
        return self.mail.enrolment if self.mail else None

    @classmethod
    def search_enrolment(cls, name, clause):
        nested = clause[0][len(name):]
        _, operator, *value = clause
        return ['OR',
            ('case.enrolment' + nested, operator, *value),
            [
                ('case', '=', None),
                ('mail.enrolment' + nested, operator, *value),
                ],
            ]

    @property
    def answers_reasons(self):
        return bool(self.case) and super().answers_reasons

    def _notify(self):
        pool = Pool()
        Mail = pool.get('training.mail')
        super()._notify()
        if (self.mail and not self.case
                and self.kind in {'answer', 'bounce'}):
            label, address = self.kind, self.mail.to
            if self.other_sender:
                label, address = 'other_sender', self.from_
            Mail._notify_senders(
                [self.mail],
                lambda mails: (
                    gettext(
                        f'training_abandon.msg_reply_notify_{label}',
                        party=self.mail.party.rec_name,
                        address=address),
                    self.enrolment.rec_name if self.enrolment else ''),
                icon='tryton-warning' if self.kind == 'bounce'
                else 'tryton-email')
