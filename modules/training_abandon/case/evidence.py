# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What proves the steps, and since when"
from collections import defaultdict

from sql import Literal, Null, Union
from sql.aggregate import Count, Max, Min
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce

from trytond.model import Index, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..stored import SLICE, StoredMixin, of_ids

# The steps that are proven by what they record on the case itself
RECORDED_KINDS = ['analyse', 'propose', 'decide']


class EvidenceMixin(StoredMixin):
    "Steps that are proven by mails, follow-ups and certificates"
    __slots__ = ()

    evidence = fields.Selection([
            ('none', "None"),
            ('pending', "Pending"),
            ('proven', "Proven"),
            ('failed', "Failed"),
            ], "Evidence", readonly=True, sort=False,
        help="A step is proven once its mails are sent, its certificate "
        "issued, its answers or calls recorded.")
    evidence_string = evidence.translated('evidence')
    proven_at = fields.DateTime(
        "Proven at", readonly=True,
        help="When the mail server accepted the mails, the answers were "
        "recorded or the certificate was issued.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.evidence, Index.Equality(cardinality='low')),
                where=t.evidence.in_(['pending', 'failed'])))

    @classmethod
    def default_evidence(cls):
        return 'none'

    @classmethod
    def stored_queries(cls):
        return {
            **super().stored_queries(),
            ('evidence', 'proven_at'): cls._evidence_query,
            }

    @classmethod
    def store_evidence(cls, proofs):
        """Store the evidence of the steps of the mails or follow-ups, whose
        cases are kept for this transaction alone."""
        cls.store_evidence_of({
                p.step.id: p.case.id for p in proofs if p.step})

    @classmethod
    def store_evidence_of(cls, steps):
        "Do so for the ids of the cases by that of their step"
        cls.keep_cases(steps.values())
        cls.store_records(steps, ['evidence'])

    @classmethod
    def store_certified(cls, cases):
        "Store the evidence of the steps of the cases with a certificate"
        ids = {c.id for c in cases}
        cls.keep_cases(ids)
        for sub_ids in grouped_slice(sorted(ids), SLICE):
            cls.store(cls.of_cases(sub_ids), ['evidence'])

    @classmethod
    def keep_cases(cls, case_ids):
        """Keep the cases for this transaction alone: each of two events that
        do not know of each other would miss the other one."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        # The first change locks the other databases
        if Transaction().database.has_select_for():
            tools.lock(Case, set(case_ids), for_=tools.for_change())

    @classmethod
    def _evidence_query(cls, of):
        """Return the query of the id, evidence and time of proof of the
        steps.

        of returns the condition on the column of the step."""
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        step = cls.__table__()
        mails, proof = cls._mails_query(of), cls._proof_query(of)
        issued = cls._issued_query(of)
        follow_up = FollowUp.__table__()
        recorded = follow_up.select(
            follow_up.step,
            where=of(follow_up.step) & (follow_up.done_at != Null))

        evidence = SQLCase(
            (step.state != 'done', 'none'),
            (Coalesce(mails.failed, 0) > 0, 'failed'),
            (Coalesce(mails.pending, 0) > 0, 'pending'),
            ((Coalesce(mails.sent, 0) > 0)
                | step.kind.in_(RECORDED_KINDS)
                | step.id.in_(recorded), 'proven'),
            (Coalesce(mails.cancelled, 0) > 0, 'failed'),
            (Coalesce(issued.holding, 0) > 0, 'proven'),
            else_='none')
        proven_at = SQLCase(
            (step.kind.in_(RECORDED_KINDS), step.done_at),
            else_=Coalesce(
                proof.at,
                SQLCase((issued.at >= step.done_at, issued.at)),
                step.done_at))
        proofs = (step
            .join(mails, 'LEFT', condition=mails.step == step.id)
            .join(proof, 'LEFT', condition=proof.step == step.id)
            .join(issued, 'LEFT',
                condition=(issued.case == step.case)
                & (step.kind == 'certify'))
            .select(
                step.id, evidence.as_('evidence'), proven_at.as_('at'),
                where=of(step.id)))
        return proofs.select(
            proofs.id.as_('id'), proofs.evidence.as_('evidence'),
            SQLCase((proofs.evidence == 'proven', proofs.at)
                ).as_('proven_at'))

    @classmethod
    def _mails_query(cls, of):
        "Return the query of the number of mails of the steps by what became"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        Mail = pool.get('training.mail')
        mail = Mail.__table__()
        refused = (mail.state == 'failed') | (
            (mail.bounced_at != Null) & (mail.replaced_by == Null))
        return mail.select(
            mail.step.as_('step'),
            Count(Literal(1), filter_=refused).as_('failed'),
            Count(Literal(1), filter_=mail.state.in_(
                    ['draft', 'queued', 'sending'])).as_('pending'),
            Count(Literal(1), filter_=(mail.state == 'sent')
                & (mail.bounced_at == Null)).as_('sent'),
            Count(Literal(1), filter_=mail.state == 'cancelled'
                ).as_('cancelled'),
            # The reminders do not prove what they repeat, and the exchange is
            # proven by what was heard
            where=of(mail.step) & (mail.reminder == Null)
            & (mail.kind != 'exchange') & Certificate.holds_sql(mail),
            group_by=[mail.step])

    @classmethod
    def _proof_query(cls, of):
        """Return the query of the step and the time at which the last of the
        parties it is about was reached for the first time.

        What is written again to the same party does not make the step later,
        and a reminder proves nothing."""
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        certificate, step = Certificate.__table__(), cls.__table__()
        mail = Mail.__table__()
        follow_up = FollowUp.__table__()
        proofs = Union(
            mail
            .join(step, condition=step.id == mail.step)
            .join(certificate, 'LEFT',
                condition=certificate.id == mail.certificate)
            .select(
                mail.step.as_('step'), mail.party.as_('party'),
                mail.sent_at.as_('at'),
                # What was void before the step was done is not of it
                where=of(mail.step)
                & ((certificate.void_at == Null)
                    | (certificate.void_at > step.done_at))
                & (mail.kind != 'exchange')
                & (mail.state == 'sent') & (mail.bounced_at == Null)
                & (mail.reminder == Null)),
            follow_up.select(
                follow_up.step, follow_up.party, follow_up.done_at,
                where=of(follow_up.step) & (follow_up.done_at != Null)),
            all_=True)
        first = proofs.select(
            proofs.step, Min(proofs.at).as_('at'),
            group_by=[proofs.step, proofs.party])
        return first.select(
            first.step, Max(first.at).as_('at'), group_by=[first.step])

    @classmethod
    def _issued_query(cls, of):
        """Return the query of the cases with the time of their first
        certificate and the number of those that are not void."""
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        certificate, step = Certificate.__table__(), cls.__table__()
        return certificate.select(
            certificate.case.as_('case'),
            Min(certificate.issued_at).as_('at'),
            Count(Literal(1), filter_=certificate.state != 'void'
                ).as_('holding'),
            where=certificate.case.in_(step.select(
                    step.case, where=of(step.id))),
            group_by=[certificate.case])

    @classmethod
    def evidence_by_case(cls, case_ids):
        "Return the set of the evidences of the steps, by case id"
        cursor = Transaction().connection.cursor()
        evidences = defaultdict(set)
        table = cls.__table__()
        for sub_ids in grouped_slice(case_ids, SLICE):
            cursor.execute(*table.select(
                    table.case, table.evidence,
                    where=of_ids(sub_ids)(table.case),
                    group_by=[table.case, table.evidence]))
            for case, evidence in cursor:
                evidences[case].add(evidence)
        return evidences
