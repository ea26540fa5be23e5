# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Literal, Null, Union
from sql.aggregate import Max, Min
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce

from trytond.i18n import gettext, ngettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..case.step import RECORDED_KINDS, SLICE
from ..training.working_day import WorkingCalendar

# From the worst to the best: a case is worth its worst step
CONFORMITIES = [
    ('missing', "Missing"),
    ('evidence_missing', "Evidence Missing"),
    ('late', "Late"),
    ('skipped', "Skipped with Reason"),
    ('in_time', "In Time"),
    ('to_come', "To Come"),
    ('exempt', "Not Applicable"),
    ]
_RANKS = [conformity for conformity, _ in CONFORMITIES]


class Step(metaclass=PoolMeta):
    __name__ = 'training.abandon.case.step'

    conformity = fields.Function(fields.Selection(
            CONFORMITIES, "Conformity", sort=False,
            help="What an auditor finds: a step is in time when it was "
            "proven before the end of the day it was due."),
        'get_conformity', searcher='search_conformity')
    conformity_string = conformity.translated('conformity')
    proven_at = fields.Function(fields.DateTime(
            "Proven at",
            help="When the mail server accepted the mails, the answers were "
            "recorded or the certificate was issued."),
        'get_conformity')
    conformity_note = fields.Function(
        fields.Char("Conformity Note"), 'get_conformity')

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
    def _conformity_query(cls, of=None):
        """Return the query of the steps, their table and the expressions of
        their conformity, evidence and time of proof.

        of returns the condition on the column of the step."""
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        of = of or (lambda column: column != Null)
        evidences, step, evidence = cls._evidence_query(of)
        from_, = evidences.from_
        proof = cls._proof_query(of)
        certificate = Certificate.__table__()
        issued = certificate.select(
            certificate.case, Min(certificate.issued_at).as_('at'),
            group_by=[certificate.case])
        query = (from_
            .join(proof, 'LEFT', condition=proof.step == step.id)
            .join(issued, 'LEFT',
                condition=(issued.case == step.case)
                & (step.kind == 'certify'))
            .select(step.id, where=of(step.id)))

        now = tools.now()
        proven_at = SQLCase(
            (step.kind.in_(RECORDED_KINDS), step.done_at),
            else_=Coalesce(
                proof.at,
                SQLCase((issued.at >= step.done_at, issued.at)),
                step.done_at))
        conformity = SQLCase(
            ((step.state == 'skipped')
                & (step.by_procedure == Literal(True)), 'exempt'),
            (step.state == 'skipped', 'skipped'),
            ((step.state == 'todo') & (step.late_from <= now), 'missing'),
            (step.state == 'todo', 'to_come'),
            ((evidence == 'proven') & (proven_at >= step.late_from), 'late'),
            (evidence == 'proven', 'in_time'),
            ((evidence == 'pending') & (step.late_from > now), 'to_come'),
            else_='evidence_missing')
        return query, step, conformity, evidence, proven_at

    @classmethod
    def get_conformity(cls, steps, names):
        cursor = Transaction().connection.cursor()
        facts = {}
        for sub_steps in grouped_slice(steps, SLICE):
            query, step, *expressions = cls._conformity_query(
                cls._of_steps(s.id for s in sub_steps))
            conformity, evidence, proven_at = expressions
            query.columns = [
                step.id.as_('id'), conformity.as_('conformity'),
                evidence.as_('evidence'), proven_at.as_('proven_at')]
            cursor.execute(*tools.apply_types(
                    query, None, None, None, 'TIMESTAMP'))
            for id_, conformity, evidence, proven_at in cursor:
                if evidence != 'proven':
                    proven_at = None
                facts[id_] = (conformity, evidence, proven_at)
        values = {
            'conformity': {i: c for i, (c, _, _) in facts.items()},
            'proven_at': {i: at for i, (_, _, at) in facts.items()},
            }
        if 'conformity_note' in names:
            calendars = {}
            values['conformity_note'] = {
                s.id: s._get_conformity_note(*facts[s.id], calendars)
                for s in steps}
        return {name: values[name] for name in names}

    def _get_conformity_note(
            self, conformity, evidence, proven_at, calendars):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        case = self.case
        proven_on = case.local_date(proven_at) if proven_at else None
        done_on = self.done_on()

        def date(value):
            return lang.strftime(value) if value else ''

        if conformity == 'exempt':
            return self.skip_reason or ''
        elif conformity == 'skipped' and not self.done_by_name:
            return gettext(
                'training_abandon.msg_conformity_skipped_automatically',
                date=date(done_on),
                reason=self.skip_reason or '')
        elif conformity == 'skipped':
            return gettext(
                'training_abandon.msg_conformity_skipped',
                date=date(done_on),
                user=self.done_by_name,
                reason=self.skip_reason or '')
        elif conformity == 'to_come':
            return gettext(
                'training_abandon.msg_conformity_to_come',
                due=date(self.due_date))
        elif conformity == 'in_time':
            return gettext(
                'training_abandon.msg_conformity_in_time',
                due=date(self.due_date),
                proven=date(proven_on))
        elif conformity == 'evidence_missing':
            return gettext(
                f'training_abandon.msg_conformity_evidence_{evidence}',
                due=date(self.due_date),
                done=date(done_on))
        end = proven_on or tools.today(case.company)
        return gettext(
            f'training_abandon.msg_conformity_{conformity}',
            delay=self._delay_words(end, calendars),
            due=date(self.due_date),
            proven=date(proven_on))

    @property
    def done_by_name(self):
        "The name of who did or skipped the step, unless nobody did"
        who = self.done_by
        if not who and self.done_by_user and self.done_by_user.id:
            who = self.done_by_user
        return who.rec_name if who else ''

    def _delay_words(self, end, calendars):
        "Return how late the day is, in the unit of the delay of the step"
        company = self.case.company
        days = (end - self.due_date).days
        if (self.procedure_step
                and self.procedure_step.delay_unit == 'working_day'):
            if company not in calendars:
                calendars[company] = WorkingCalendar(company)
            working_days = calendars[company].count(self.due_date, end)
            if working_days:
                return ngettext(
                    'training_abandon.msg_conformity_working_days',
                    working_days, days=working_days)
        return ngettext(
            'training_abandon.msg_conformity_days', days, days=days)

    @classmethod
    def search_conformity(cls, name, clause):
        _, operator, value = clause
        query, step, conformity, _, _ = cls._conformity_query()
        query.columns = [step.id]
        query.where &= fields.SQL_OPERATORS[operator](conformity, value)
        return [('id', 'in', query)]


class ConformityMixin:
    "Cases that are worth the worst of their steps"
    __slots__ = ()

    conformity = fields.Function(fields.Selection(
            'get_conformities', "Conformity", sort=False,
            help="The worst of the steps."),
        'get_conformity', searcher='search_conformity')
    conformity_string = conformity.translated('conformity')

    @classmethod
    def get_conformities(cls):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        return [(None, "")] + (
            Step.fields_get(['conformity'])['conformity']['selection'])

    @classmethod
    def _conformity_query(cls, of=None):
        """Return the query of the worst conformity by case, the table of the
        steps and the expression of the worst."""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        query, step, conformity, _, _ = Step._conformity_query(of)
        worst = Min(SQLCase(
                *((conformity == c, rank) for rank, c in enumerate(_RANKS))))
        query.columns = [step.case, worst.as_('worst')]
        query.group_by = [step.case]
        return query, step, worst

    @classmethod
    def get_conformity(cls, cases, name):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        cursor = Transaction().connection.cursor()
        conformities = {c.id: None for c in cases}
        for sub_cases in grouped_slice(cases, SLICE):
            query, _, _ = cls._conformity_query(
                Step._of_cases(c.id for c in sub_cases))
            cursor.execute(*query)
            conformities.update((id_, _RANKS[rank]) for id_, rank in cursor)
        return conformities

    @classmethod
    def search_conformity(cls, name, clause):
        _, operator, value = clause
        query, step, worst = cls._conformity_query()
        conformity = SQLCase(
            *((worst == rank, c) for rank, c in enumerate(_RANKS)))
        query.columns = [step.case]
        query.having = fields.SQL_OPERATORS[operator](conformity, value)
        return [('id', 'in', query)]
