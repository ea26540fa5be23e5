# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.modules.party.exceptions import EraseError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval, If
from trytond.tools import escape_wildcard

from .. import tools


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    external_codes = fields.One2Many(
        'training.external_code', 'record', "External Codes")

    @classmethod
    def copy(cls, parties, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('external_codes')
        return super().copy(parties, default=default)

    @property
    def reachable_email(self):
        "The first email address that did not bounce, or None"
        for mechanism in self.contact_mechanisms:
            if mechanism.type == 'email' and not mechanism.bounced_at:
                return mechanism.value


class ContactMechanism(metaclass=PoolMeta):
    __name__ = 'party.contact_mechanism'

    bounced_at = fields.DateTime(
        "Bounced at", readonly=True,
        states={
            'invisible': ~Eval('bounced_at'),
            },
        help="When a mail to the address came back: the letters of the "
        "procedure are not written to it any more.")
    bounce_reason = fields.Char(
        "Bounce Reason", readonly=True,
        states={
            'invisible': ~Eval('bounced_at'),
            })

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            trust={
                'invisible': ~Eval('bounced_at'),
                'depends': ['bounced_at'],
                })

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Bool(Eval('bounced_at')), 'danger', '')),
            ]

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'write' and 'value' in values:
            values = {'bounced_at': None, 'bounce_reason': None, **values}
        return values

    @classmethod
    def copy(cls, mechanisms, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('bounced_at')
        default.setdefault('bounce_reason')
        return super().copy(mechanisms, default=default)

    @classmethod
    @ModelView.button
    def trust(cls, mechanisms):
        "Write again to the addresses"
        cls.write(mechanisms, {'bounced_at': None, 'bounce_reason': None})

    @classmethod
    def with_address(cls, address):
        "Return the contact mechanisms of the email address"
        if not address:
            return []
        return cls.search([
                ('type', '=', 'email'),
                ('value_compact', 'ilike', escape_wildcard(address)),
                ])

    @classmethod
    def bounce(cls, address, at, reason):
        cls.write(cls.with_address(address), {
                'bounced_at': at,
                'bounce_reason': reason,
                })

    @classmethod
    def trust_address(cls, address, at):
        "Write again to the address, from which somebody has written"
        cls.trust([
                m for m in cls.with_address(address)
                if m.bounced_at and m.bounced_at <= at])


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('training.session-party.party', 'trainer'),
            ('training.session.slot', 'trainer'),
            ('training.calendar.feed', 'trainer'),
            ('training.trainee', 'party'),
            ('training.enrolment', 'prescriber'),
            ('training.enrolment', 'client'),
            ('training.enrolment', 'employer'),
            ('training.enrolment.contact', 'party'),
            ('training.enrolment.funding', 'funder'),
            ('training.follow_up', 'party'),
            ('training.abandon.proposal.response', 'party'),
            ('training.attendance.notice', 'party'),
            ('training.mail', 'party'),
            ('training.mail.reply', 'party'),
            ('training.external_code', 'record'),
            ]

    def transition_replace(self):
        pool = Pool()
        Notice = pool.get('training.attendance.notice')
        Trainee = pool.get('training.trainee')
        Notice.forget_repeated(self.ask.source, self.ask.destination)
        trainees = Trainee.search([
                ('party', 'in', [
                        self.ask.source.id, self.ask.destination.id]),
                ('active', 'in', [True, False]),
                ])
        if len(trainees) > 1:
            source, = [t for t in trainees if t.party == self.ask.source]
            destination, = [t for t in trainees if t != source]
            source.replace_by(destination)
        return super().transition_replace()


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def check_erase_company(self, party, company):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        super().check_erase_company(party, company)
        cases = Case.search([
                ('enrolment.trainee.party', '=', party.id),
                ('company', '=', company.id),
                ('closed_at', '=', None),
                ], limit=1)
        if cases:
            raise EraseError(gettext(
                    'training_abandon.msg_erase_party_open_case',
                    party=party.rec_name,
                    company=company.rec_name))

    def to_erase(self, party_id):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        CalendarFeed = pool.get('training.calendar.feed')
        Case = pool.get('training.abandon.case')
        ContactMechanism = pool.get('party.contact_mechanism')
        Cause = pool.get('training.abandon.case.cause')
        Certificate = pool.get('training.abandon.certificate')
        Email = pool.get('ir.email')
        EmailAddress = pool.get('ir.email.address')
        FollowUp = pool.get('training.follow_up')
        Justification = pool.get('training.justification')
        Mail = pool.get('training.mail')
        Proposal = pool.get('training.abandon.proposal')
        Reply = pool.get('training.mail.reply')
        Step = pool.get('training.abandon.case.step')
        trainee = [('case.enrolment.trainee.party', '=', party_id)]
        return super().to_erase(party_id) + [
            (Attendance, [('enrolment.trainee.party', '=', party_id)], True,
                ['justification', 'comment'],
                [None, None]),
            (CalendarFeed, ['OR',
                    ('trainer', '=', party_id),
                    ('trainee.party', '=', party_id),
                    ], True,
                ['name', 'token_hash', 'revoked_at'],
                ['****', None, tools.now()]),
            (Case, [('enrolment.trainee.party', '=', party_id)], True,
                ['note', 'reason_comment', 'analysis', 'decision_note',
                    'no_solution_reason'],
                [None] * 5),
            (ContactMechanism, [('party', '=', party_id)], True,
                ['bounce_reason'],
                [None]),
            (Cause, trainee, True,
                ['note'],
                [None]),
            (Certificate, trainee, True,
                ['signed_document', 'signed_file_id', 'signed_filename',
                    'evidence', 'document', 'document_file_id'],
                [None] * 4 + [b'', None]),
            (FollowUp, ['OR',
                    ('party', '=', party_id),
                    ('enrolment.trainee.party', '=', party_id),
                    ], True,
                ['note'],
                [None]),
            (Email, ['OR',
                    ('training_mail.party', '=', party_id),
                    ('training_mail.enrolment.trainee.party', '=', party_id),
                    ], True,
                ['recipients', 'recipients_secondary', 'recipients_hidden',
                    'subject', 'body'],
                [None] * 5),
            (EmailAddress, ['OR',
                    ('email.training_mail.party', '=', party_id),
                    ('email.training_mail.enrolment.trainee.party', '=',
                        party_id),
                    ], False,
                ['address'],
                ['****']),
            (Justification, [('enrolment.trainee.party', '=', party_id)], True,
                ['kind', 'note', 'document', 'document_file_id', 'filename',
                    'refusal_reason'],
                ['other'] + [None] * 5),
            (Proposal, trainee, True,
                ['description'],
                [None]),
            (Step, trainee, True,
                ['skip_reason'],
                [None]),
            (Mail, ['OR',
                    ('party', '=', party_id),
                    ('enrolment.trainee.party', '=', party_id),
                    ], True,
                ['to', 'subject', 'body', 'message', 'message_file_id',
                    'message_id', 'reply_token', 'bounce_reason'],
                ['****', '****'] + [None] * 6),
            # The Message-ID stays: the message may be fetched again
            (Reply, ['OR',
                    ('party', '=', party_id),
                    ('enrolment.trainee.party', '=', party_id),
                    ], True,
                ['from_', 'to', 'subject', 'text', 'body', 'server_reply',
                    'message', 'message_file_id'],
                [None] * 8),
            ]
