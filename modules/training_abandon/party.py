# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import fields
from trytond.modules.party.exceptions import EraseError
from trytond.pool import Pool, PoolMeta


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    external_codes = fields.One2Many(
        'training.external_code', 'record', "External Codes")

    @classmethod
    def copy(cls, parties, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('external_codes')
        return super().copy(parties, default=default)


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('training.session-party.party', 'trainer'),
            ('training.session.slot', 'trainer'),
            ('training.trainee', 'party'),
            ('training.enrolment', 'prescriber'),
            ('training.enrolment', 'client'),
            ('training.enrolment', 'employer'),
            ('training.enrolment.contact', 'party'),
            ('training.enrolment.funding', 'funder'),
            ('training.follow_up', 'party'),
            ('training.abandon.proposal.response', 'party'),
            ('training.mail', 'party'),
            ('training.external_code', 'record'),
            ]

    def transition_replace(self):
        pool = Pool()
        Trainee = pool.get('training.trainee')
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
        Case = pool.get('training.abandon.case')
        Cause = pool.get('training.abandon.case.cause')
        Certificate = pool.get('training.abandon.certificate')
        Email = pool.get('ir.email')
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        Proposal = pool.get('training.abandon.proposal')
        Step = pool.get('training.abandon.case.step')
        trainee = [('case.enrolment.trainee.party', '=', party_id)]
        return super().to_erase(party_id) + [
            (Attendance, [('enrolment.trainee.party', '=', party_id)], True,
                ['justification', 'comment'],
                [None, None]),
            (Case, [('enrolment.trainee.party', '=', party_id)], True,
                ['note', 'reason_comment', 'analysis', 'decision_note',
                    'no_solution_reason'],
                [None] * 5),
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
                    ('training_mail.case.enrolment.trainee.party', '=',
                        party_id),
                    ], True,
                ['recipients', 'recipients_secondary', 'recipients_hidden',
                    'subject', 'body'],
                [None] * 5),
            (Proposal, trainee, True,
                ['description'],
                [None]),
            (Step, trainee, True,
                ['skip_reason'],
                [None]),
            (Mail, ['OR',
                    ('party', '=', party_id),
                    ('case.enrolment.trainee.party', '=', party_id),
                    ], True,
                ['to', 'subject', 'body', 'message', 'message_file_id',
                    'message_id'],
                ['****', '****', None, None, None, None]),
            ]
