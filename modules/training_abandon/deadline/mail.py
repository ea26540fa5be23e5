# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

from ..procedure.states import ANSWERED_KINDS
from .awaited import AwaitedMixin

in_ = fields.SQL_OPERATORS['in']
# What it depends on whether the step of a written mail waits
AWAITED = {'party', 'state', 'sent_at', 'bounced_at', 'replaced_by'}


class Mail(metaclass=PoolMeta):
    __name__ = 'training.mail'

    @classmethod
    def _store_waiting(cls, mails):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        Step._store_waiting(cls._keep_awaited(mails))

    @classmethod
    def _keep_awaited(cls, mails):
        """Return the ids of the cases of which a step waits for an answer to
        the mails, and keep those that the evidence does not depend on."""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        cursor = Transaction().connection.cursor()
        table, step = cls.__table__(), Step.__table__()
        # The instances would take longer than the rest
        cursor.execute(*table.join(step, condition=table.step == step.id
                ).select(
                table.case, table.reminder,
                where=in_(table.id, [m.id for m in mails])
                & step.kind.in_(ANSWERED_KINDS)))
        awaited = cursor.fetchall()
        if reminded := {case for case, reminder in awaited if reminder}:
            Step.keep_cases(reminded)
        return {case for case, _ in awaited}

    @classmethod
    def on_modification(cls, mode, mails, field_names=None):
        super().on_modification(mode, mails, field_names=field_names)
        if mode == 'create':
            # The step that is about to be done stores it then
            cls._store_waiting([
                    m for m in mails if m.step and m.step.state == 'done'])
        elif mode == 'write' and AWAITED & field_names:
            cls._store_waiting(mails)

    @classmethod
    def before_end(cls, mails):
        super().before_end(mails)
        cls._keep_awaited(mails)

    @classmethod
    def on_end(cls, mails):
        super().on_end(mails)
        cls._store_waiting(mails)

    @classmethod
    def on_failed(cls, mails):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        super().on_failed(mails)
        Step.restart_escalation(list({m.step for m in mails if m.step}))

    def _get_outdated(self):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        reason = super()._get_outdated()
        if not reason and self.reminder and not Step.is_waiting_for([self]):
            reason = gettext('training_abandon.msg_mail_answered')
        return reason


class MailAlsoFor(AwaitedMixin, metaclass=PoolMeta):
    __name__ = 'training.mail-also_for-party.party'
    # Those of a mail are created with it
    _awaited = {'party'}

    @classmethod
    def awaited_cases(cls, others):
        return {o.mail.case.id for o in others if o.mail.case}
