# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The mails about a case"
from sql import Null
from sql.conditionals import Coalesce

from trytond.i18n import gettext
from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.transaction import Transaction

from .. import tools
from ..mail.archive import sql_reference
from ..mail.claim import WAITING

# What the evidence of a step depends on and changes once the mail is written
PROVING = {'party', 'state', 'sent_at', 'bounced_at', 'replaced_by'}


class Mail(metaclass=PoolMeta):
    __name__ = 'training.mail'

    case = fields.Many2One(
        'training.abandon.case', "Case", readonly=True, ondelete='RESTRICT')
    step = fields.Many2One(
        'training.abandon.case.step', "Step", readonly=True,
        ondelete='RESTRICT')
    reminder = fields.Integer(
        "Reminder", readonly=True,
        states={
            'invisible': ~Eval('reminder'),
            },
        help="Which of the reminders of the step the mail is.")
    certificate = fields.Many2One(
        'training.abandon.certificate', "Certificate", readonly=True,
        ondelete='RESTRICT',
        states={
            'invisible': ~Eval('certificate'),
            })

    correction = fields.Many2One(
        'training.abandon.case.correction', "Correction", readonly=True,
        ondelete='RESTRICT',
        states={
            'invisible': ~Eval('correction'),
            },
        help="What the mail puts right.")

    @classmethod
    def __register__(cls, module):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        super().__register__(module)
        # The mails sent before these had an enrolment
        table, case = cls.__table__(), Case.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.enrolment],
                [case.select(case.enrolment, where=case.id == table.case)],
                where=(table.enrolment == Null) & (table.case != Null)))

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(t, (t.step, Index.Equality()), where=t.step != Null))

    @classmethod
    def on_modification(cls, mode, mails, field_names=None):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        super().on_modification(mode, mails, field_names=field_names)
        if mode == 'create':
            # The step that is about to be done stores it then
            Step.store_evidence([
                    m for m in mails if m.proves and m.step.state == 'done'])
        elif mode == 'write' and PROVING & field_names:
            Step.store_evidence([m for m in mails if m.proves])

    @classmethod
    def before_end(cls, mails):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        super().before_end(mails)
        # In the order of those who take the case
        Step.keep_cases({m.case.id for m in mails if m.proves})

    @classmethod
    def on_end(cls, mails):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        super().on_end(mails)
        # The instances of what is only named would take longer than the rest
        Step.store_evidence_of({
                row['step']: row['case'] for row in cls.read(
                    [m.id for m in mails], ['step', 'case', 'reminder'])
                if row['step'] and not row['reminder']})

    @property
    def proves(self):
        "If the evidence of the step depends on the mail"
        return bool(self.step and not self.reminder)

    @classmethod
    def _get_resources(cls):
        return ['training.abandon.case', *super()._get_resources()]

    def get_resource(self, name):
        return str(self.case) if self.case else super().get_resource(name)

    @classmethod
    def sql_resource(cls, mail):
        return Coalesce(
            sql_reference('training.abandon.case', mail.case),
            super().sql_resource(mail))

    @classmethod
    def _claimed_fields(cls):
        return super()._claimed_fields() + [
            'case', 'step', 'reminder', 'letter', 'correction', 'certificate']

    @classmethod
    def _complete_claimed(cls, rows):
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        super()._complete_claimed(rows)
        letters = {
            row['id']: Letter(**row) for row in Letter.read(
                list({r['letter'] for r in rows if r['letter']}),
                ['case_states'])}
        for row in rows:
            # One record for many mails
            row['letter'] = letters.get(row['letter'])

    @classmethod
    def sql_subject_state(cls, mail):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        case = Case.__table__()
        return Coalesce(
            case.select(case.state, where=case.id == mail.case),
            super().sql_subject_state(mail))

    def set_subject_state(self, state):
        super().set_subject_state(state)
        if self.case:
            self.case.state = state

    def _get_outdated(self):
        reason = super()._get_outdated()
        if (not reason and self.certificate
                and self.certificate.state == 'void'):
            reason = gettext(
                'training_abandon.msg_certificate_void',
                certificate=self.certificate.rec_name)
        # A correction leaves whatever becomes of the case
        if (not reason and self.letter and self.case
                and not self.correction
                and not self.letter.may_leave(self.case.state)):
            reason = gettext(
                'training_abandon.msg_mail_outdated',
                state=self.case.state_string)
        return reason

    @classmethod
    def on_sent(cls, mails):
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        super().on_sent(mails)
        Certificate.send([
                m.certificate for m in cls.search([
                        ('id', 'in', [m.id for m in mails]),
                        ('certificate', '!=', None),
                        ])])

    @property
    def subject_name(self):
        return self.case.rec_name if self.case else super().subject_name

    @classmethod
    def notify_responsible(cls, mails, describe, icon='tryton-warning'):
        "Notify the owners of the cases"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cases = list(dict.fromkeys(m.case for m in mails if m.case))
        if cases:
            Case.notify_owners(
                cases,
                lambda cases: describe([m for m in mails if m.case in cases]),
                icon=icon)
        super().notify_responsible(
            [m for m in mails if not m.case], describe, icon=icon)

    @classmethod
    def on_unavailable(cls, mails):
        """Tell the owners of the cases since when the server takes no mails,
        unless another of their mails already waits for it."""
        pool = Pool()
        Lang = pool.get('ir.lang')
        super().on_unavailable(mails)
        mails = [m for m in mails if m.unavailable_since]
        if not mails:
            return
        told = cls._told_unavailable(mails)
        earliest = cls.search([
                ('state', 'in', WAITING),
                ('unavailable_since', '!=', None),
                ], order=[('unavailable_since', 'ASC')], limit=1)
        since = min(m.unavailable_since for m in [*mails, *earliest])

        def describe(mails):
            at = tools.local_datetime(since, mails[0].company)
            return (
                gettext('training_abandon.msg_mail_unavailable',
                    since=Lang.get().strftime(at, '%x %H:%M')),
                cls.describe_failed(mails))

        cls.notify_responsible(
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
