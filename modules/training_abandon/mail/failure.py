# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who is told of the mails that do not leave"

from sql import Null

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from .mail import WAITING

# The most mails listed in a notification
NOTIFIED = 10


class Mail(metaclass=PoolMeta):
    __name__ = 'training.mail'

    @classmethod
    def on_failed(cls, mails):
        "Hook called once the mails have failed or bounced"

    @classmethod
    def notify_failed(cls, mails):
        "Tell the owners of the cases which mails have failed, and why"
        mails = [m for m in mails if m.state == 'failed' or m.bounced_at]

        def describe(cases):
            return (
                gettext('training_abandon.msg_mail_failed'),
                cls._describe(mails, cases))

        cls._notify_owners(mails, describe)

    @classmethod
    def _notify_unavailable(cls, mails):
        """Tell the owners of the cases since when the server takes no mails,
        unless another of their mails already waits for it."""
        pool = Pool()
        Lang = pool.get('ir.lang')
        mails = [m for m in mails if m.unavailable_since]
        if not mails:
            return
        told = cls._told_unavailable(mails)
        earliest = cls.search([
                ('state', 'in', WAITING),
                ('unavailable_since', '!=', None),
                ], order=[('unavailable_since', 'ASC')], limit=1)
        since = min(m.unavailable_since for m in [*mails, *earliest])

        def describe(cases):
            return (
                gettext('training_abandon.msg_mail_unavailable',
                    since=Lang.get().strftime(
                        cases[0].local_datetime(since), '%x %H:%M')),
                cls._describe(mails, cases))

        cls._notify_owners(
            [m for m in mails if m.case and m.case.owner not in told],
            describe)

    @classmethod
    def _told_unavailable(cls, mails):
        "Return the owners who have other mails that wait for the server"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Employee = pool.get('company.employee')
        cursor = Transaction().connection.cursor()
        table, case = cls.__table__(), Case.__table__()
        cursor.execute(*table
            .join(case, condition=case.id == table.case)
            .select(case.owner,
                where=table.state.in_(WAITING)
                & (table.unavailable_since != Null)
                & ~fields.SQL_OPERATORS['in'](
                    table.id, [m.id for m in mails]),
                group_by=[case.owner]))
        return {id_ and Employee(id_) for id_, in cursor}

    @classmethod
    def _notify_owners(cls, mails, describe):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cases = list(dict.fromkeys(m.case for m in mails if m.case))
        if cases:
            Case.notify_owners(cases, describe)

    @classmethod
    def _describe(cls, mails, cases):
        "Return the words about the mails of the cases"
        lines = [
            f'{m.case.rec_name}, {m.to}: {m.bounce_reason or m.smtp_reply}'
            for m in mails if m.case in cases]
        if len(lines) > NOTIFIED:
            lines[NOTIFIED:] = ['…']
        return ' · '.join(lines)
