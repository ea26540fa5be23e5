# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext, ngettext
from trytond.modules.party.exceptions import EraseError
from trytond.pool import Pool, PoolMeta
from trytond.transaction import without_check_access

from .. import tools
from ..attendance.party import ReplaceText


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    @classmethod
    def on_modification(cls, mode, parties, field_names=None):
        super().on_modification(mode, parties, field_names=field_names)
        if mode == 'write' and 'active' in field_names:
            # Those that are replaced go on as another party
            archived = [
                p for p in parties if not p.active and not p.replaced_by]
            cls.tell_cases(
                archived, 'training_abandon.msg_cases_party_archived')

    @classmethod
    @without_check_access
    def tell_cases(cls, parties, message_id):
        "Tell the owners of the open cases that write to the parties"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Case.notify_owners(
            Case.search(cls._open_cases_domain([p.id for p in parties]),
                order=[('id', 'ASC')]) if parties else [],
            lambda cases: (
                ngettext(message_id, len(cases), count=len(cases)),
                ' · '.join(tools.first(c.rec_name for c in cases))))

    @classmethod
    def _open_cases_domain(cls, ids):
        return [
            ('closed_at', '=', None),
            ['OR',
                ('enrolment.trainee.party', 'in', ids),
                ('enrolment.prescriber', 'in', ids),
                ('enrolment.employer', 'in', ids),
                ('enrolment.client', 'in', ids),
                ('enrolment.contacts.party', 'in', ids),
                ('mails.party', 'in', ids),
                ],
            ]


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('training.follow_up', 'party'),
            ('training.abandon.certificate', 'signed_by'),
            ('training.abandon.proposal.response', 'party'),
            ]


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

    def transition_erase(self):
        pool = Pool()
        Party = pool.get('party.party')
        # The notification does not name who is erased
        Party.tell_cases(
            self._parties(), 'training_abandon.msg_cases_party_erased')
        return super().transition_erase()

    def kept_by_law(self, party_ids):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Certificate = pool.get('training.abandon.certificate')
        return super().kept_by_law(party_ids) + [
            ('msg_erase_kept_cases', Case.search([
                        ('enrolment.trainee.party', 'in', party_ids),
                        ], count=True)),
            ('msg_erase_kept_certificates', Certificate.search([
                        ('case.enrolment.trainee.party', 'in', party_ids),
                        ], count=True)),
            ]

    def to_erase(self, party_id):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Cause = pool.get('training.abandon.case.cause')
        Certificate = pool.get('training.abandon.certificate')
        Correction = pool.get('training.abandon.case.correction')
        Completion = pool.get('training.abandon.case.completion')
        ContactMechanism = pool.get('party.contact_mechanism')
        FollowUp = pool.get('training.follow_up')
        Proposal = pool.get('training.abandon.proposal')
        Reply = pool.get('training.mail.reply')
        Step = pool.get('training.abandon.case.step')
        addresses = {
            r.from_ for r in Reply.search([('party', '=', party_id)])} | {
            m.value for m in ContactMechanism.search([
                    ('party', '=', party_id)])}

        def hide(column):
            for address in sorted(filter(None, addresses)):
                column = ReplaceText(column, address, '****')
            return column

        trainee = [('case.enrolment.trainee.party', '=', party_id)]
        return super().to_erase(party_id) + [
            (Case, [('enrolment.trainee.party', '=', party_id)], True,
                ['note', 'reason_comment', 'analysis', 'decision_note',
                    'no_solution_reason'],
                [None] * 5),
            (Cause, trainee, True,
                ['note'],
                [None]),
            (Certificate, trainee, True,
                ['signed_document', 'signed_file_id', 'signed_filename',
                    'evidence', 'document', 'document_file_id',
                    'void_reason'],
                [None] * 4 + [b'', None, None]),
            # What a guardian signed for the trainee stays
            (Certificate, [('signed_by', '=', party_id)], False,
                ['evidence'],
                [hide]),
            (Correction, trainee, True,
                ['reason', 'description', 'note', 'message'],
                [None] * 4),
            (Completion, trainee, True,
                ['note'],
                [None]),
            (FollowUp, ['OR',
                    ('party', '=', party_id),
                    ('enrolment.trainee.party', '=', party_id),
                    ], True,
                ['note'],
                [None]),
            (Proposal, trainee, True,
                ['description'],
                [None]),
            (Step, trainee, True,
                ['skip_reason'],
                [None]),
            ]
