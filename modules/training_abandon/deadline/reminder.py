# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who has not answered, and is reminded"
import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from sql import Literal, Null, Union
from sql.aggregate import Max, Min, Sum
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce, NullIf
from sql.operators import Exists

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..case.follow_up import HEARD_OUTCOMES
from ..exceptions import RecipientError
from ..mail.address import check_address
from ..procedure.states import ANSWERED_KINDS, TRAINEE_KINDS
from ..stored import SLICE, of_all, of_ids
from ..training.trainee import majority_date
from .agenda import Agenda


@dataclass(frozen=True)
class Waiting:
    """A party that was told at a step and has not answered

    The records are told by their ids."""
    step: int
    case: int
    company: int
    case_state: str
    procedure: int
    procedure_step: int
    kind: str
    party: int
    trainee: int
    birth_date: dt.date
    # The last mail that asked and the last one, reminders included
    asked: dt.datetime
    last: dt.datetime
    # The number of the last reminder
    reminder: int
    # How many of the mails still wait and how many did not reach the party
    pending: int
    refused: int


class StepReminderMixin:
    "Steps whose parties are reminded to answer"
    __slots__ = ()

    reminder_count = fields.Function(
        fields.Integer(
            "Reminders Sent",
            help="The number of reminders of the step that have left."),
        'get_reminders')
    last_reminder = fields.Function(
        fields.Date(
            "Last Reminder",
            help="The day on which the last reminder of the step left."),
        'get_reminders')
    next_reminder = fields.Function(
        fields.Date(
            "Next Reminder",
            help="The day on which those who have not answered are "
            "reminded, without you."),
        'get_next_reminder')
    reminded_at = fields.DateTime("Reminded at", readonly=True)
    not_reminded_at = fields.DateTime(
        "Not Reminded since", readonly=True,
        help="Since when a reminder is due that cannot be sent.")

    @classmethod
    def get_reminders(cls, steps, names):
        counts = {s.id: set() for s in steps}
        last = dict.fromkeys(counts)
        for step in steps:
            for mail in step.mails:
                if (mail.reminder and mail.state == 'sent'
                        and not mail.bounced_at):
                    counts[step.id].add((mail.party, mail.reminder))
                    date = step.case.local_date(mail.sent_at)
                    last[step.id] = max(last[step.id] or date, date)
        result = {
            'reminder_count': {id_: len(c) for id_, c in counts.items()},
            'last_reminder': last,
            }
        return {name: result[name] for name in names}

    @classmethod
    def get_next_reminder(cls, steps, name):
        dates = dict.fromkeys(s.id for s in steps)
        for waiting, date, _ in cls._reminders(
                cls.waiting_parties([s.id for s in steps]), Agenda()):
            dates[waiting.step] = min(dates[waiting.step] or date, date)
        return dates

    @classmethod
    def waiting_parties(cls, step_ids=None):
        """Return the list of Waiting for the parties that have not answered
        what was sent at the steps, by default those of all the cases."""
        if step_ids is None:
            return cls._waiting_rows(of_all)
        result = []
        for sub_ids in grouped_slice(step_ids, SLICE):
            result += cls._waiting_rows(of_ids(sub_ids))
        return result

    @classmethod
    def _waiting_rows(cls, of):
        cursor = Transaction().connection.cursor()
        query, _ = cls._waiting_query(of)
        names = [column.output_name for column in query.columns]
        types = {
            'birth_date': 'DATE', 'asked': 'TIMESTAMP', 'last': 'TIMESTAMP'}
        cursor.execute(*tools.apply_types(query, *map(types.get, names)))
        return [Waiting(**dict(zip(names, row))) for row in cursor]

    @classmethod
    def _waiting_query(cls, of):
        """Return the query of the columns of Waiting and its table of those
        that were told.

        of returns the condition on the column of the step."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Party = pool.get('party.party')
        Trainee = pool.get('training.trainee')
        step, case = cls.__table__(), Case.__table__()
        enrolment, trainee = Enrolment.__table__(), Trainee.__table__()
        party = Party.__table__()
        told = cls._told_query(of)
        where = cls._is_waiting(step, case, told.party, trainee.party)
        # Who is archived, or erased, is not written to; those are few, and a
        # join would read all the others for each of those that were told
        where &= (told.party != Null) & ~told.party.in_(party.select(
                party.id,
                where=(party.active == Literal(False))
                | (party.active == Null)))
        query = (told
            .join(step, condition=step.id == told.step)
            .join(case, condition=case.id == step.case)
            .join(enrolment, condition=enrolment.id == case.enrolment)
            .join(trainee, condition=trainee.id == enrolment.trainee)
            .select(
                step.id.as_('step'), case.id.as_('case'),
                case.company.as_('company'), case.state.as_('case_state'),
                case.procedure.as_('procedure'),
                step.procedure_step.as_('procedure_step'),
                step.kind.as_('kind'), told.party.as_('party'),
                trainee.party.as_('trainee'),
                trainee.birth_date.as_('birth_date'), told.asked.as_('asked'),
                told.last.as_('last'), told.reminder.as_('reminder'),
                told.pending.as_('pending'), told.refused.as_('refused'),
                where=where,
                order_by=[step.id, told.party]))
        return query, told

    @classmethod
    def _told_query(cls, of):
        """Return the query of the step, party, since, asked, last, reminder,
        pending and refused of those that were told, by mail or letter, at the
        steps done of the open cases."""
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        mail, follow_up = Mail.__table__(), FollowUp.__table__()
        reached = (mail.state == 'sent') & (mail.bounced_at == Null)
        mails = mail.select(
            mail.step.as_('step'),
            mail.party.as_('party'),
            SQLCase((reached, mail.sent_at)).as_('since'),
            SQLCase(
                (reached & (mail.reminder == Null), mail.sent_at)
                ).as_('asked'),
            SQLCase(
                (reached, mail.sent_at),
                # Who cancels a reminder does not want the next one at once
                ((mail.state == 'cancelled') & (mail.reminder != Null),
                    mail.create_date)).as_('at'),
            Coalesce(mail.reminder, 0).as_('reminder'),
            SQLCase(
                (mail.state.in_(['draft', 'queued', 'sending']), 1),
                else_=0).as_('pending'),
            SQLCase(
                ((mail.state == 'failed')
                    | ((mail.bounced_at != Null)
                        & (mail.replaced_by == Null)), 1),
                else_=0).as_('refused'),
            where=mail.step.in_(cls._answerable_query(of))
            & Certificate.holds_sql(mail))
        letters = follow_up.select(
            follow_up.step, follow_up.party, follow_up.done_at,
            NullIf(follow_up.done_at, follow_up.done_at), follow_up.done_at,
            Literal(0), Literal(0), Literal(0),
            where=(follow_up.kind == 'letter')
            & (follow_up.done_at != Null)
            & follow_up.step.in_(cls._answerable_query(of)))
        told = Union(mails, letters, all_=True)
        return told.select(
            told.step.as_('step'),
            told.party.as_('party'),
            Min(told.since).as_('since'),
            Max(told.asked).as_('asked'),
            Max(told.at).as_('last'),
            Max(told.reminder).as_('reminder'),
            Sum(told.pending).as_('pending'),
            Sum(told.refused).as_('refused'),
            group_by=[told.step, told.party])

    @classmethod
    def _answerable_query(cls, of):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        step, case = cls.__table__(), Case.__table__()
        return (step
            .join(case, condition=case.id == step.case)
            .select(
                step.id,
                where=of(step.id) & (step.state == 'done')
                & step.kind.in_(ANSWERED_KINDS)
                & (case.closed_at == Null)
                & Case.pending_sql(case)))

    @classmethod
    def _is_waiting(cls, step, case, party, trainee):
        """Return the SQL expression that is true when what the step waits for
        has not come from the party."""
        pool = Pool()
        AlsoFor = pool.get('training.mail-also_for-party.party')
        Certificate = pool.get('training.abandon.certificate')
        Mail = pool.get('training.mail')
        certificate, mail = Certificate.__table__(), Mail.__table__()
        also_for, shared = AlsoFor.__table__(), Mail.__table__()
        trainee_side = mail.select(mail.party, where=mail.step == step.id)
        same_mailbox = (shared
            .join(also_for, condition=also_for.mail == shared.id)
            .select(also_for.party, where=shared.step == step.id))
        unsigned = certificate.select(
            certificate.case,
            where=(certificate.kind == 'statement')
            & certificate.state.in_(['issued', 'sent']))

        def is_party(column):
            # The trainee and the guardians answer for each other
            return (column == party) | (
                step.kind.in_(TRAINEE_KINDS)
                & ((column == trainee) | column.in_(trainee_side)
                    | column.in_(same_mailbox)))

        answered = (
            (step.kind == 'ask_reasons') & (case.answered_at != Null))
        for answer in cls._answers(step, case, is_party):
            answered |= Exists(answer)
        unread = Literal(False)
        for reply in cls._unread_replies(step, case, is_party):
            unread |= Exists(reply)
        return ~unread & SQLCase(
            (step.kind == 'certify', step.case.in_(unsigned)),
            else_=~answered)

    @classmethod
    def _unread_replies(cls, step, case, is_party):
        """Return the queries of what the party wrote and that nobody has
        handled: a person tells first whether it is the answer."""
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        replies = []
        for belongs in [
                lambda r: (r.case == case.id) & (r.kind == 'answer'),
                lambda r: (r.case == Null)
                & r.kind.in_(['answer', 'unknown'])]:
            reply = Reply.__table__()
            replies.append(reply.select(
                    reply.id,
                    where=belongs(reply)
                    & is_party(reply.party)
                    & (reply.state == 'new')
                    & (reply.received_at >= step.done_at)))
        return replies

    @classmethod
    def _answers(cls, step, case, is_party):
        "Return the queries of what the party answered to the step"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Proposal = pool.get('training.abandon.proposal')
        Reply = pool.get('training.mail.reply')
        Response = pool.get('training.abandon.proposal.response')
        follow_up, reply = FollowUp.__table__(), Reply.__table__()
        proposal, response = Proposal.__table__(), Response.__table__()
        return [
            reply.select(
                reply.id,
                where=(reply.case == case.id)
                & is_party(reply.party)
                & (reply.counted == Literal(True))
                & (reply.received_at >= step.done_at)),
            follow_up.select(
                follow_up.id,
                where=(follow_up.enrolment == case.enrolment)
                & is_party(follow_up.party)
                & follow_up.outcome.in_(HEARD_OUTCOMES)
                & ((follow_up.done_at >= step.done_at)
                    | (follow_up.step == step.id))),
            response
            .join(proposal, condition=proposal.id == response.proposal)
            .select(
                response.id,
                where=(proposal.case == case.id)
                & is_party(response.party)),
            ]

    @classmethod
    def _reminders(cls, waitings, agenda):
        """Yield each of waitings that has still to be reminded with the day
        of the reminder and its letter."""
        pool = Pool()
        Company = pool.get('company.company')
        Procedure = pool.get('training.abandon.procedure')
        ProcedureStep = pool.get('training.abandon.procedure.step')
        waitings = [
            w for w in waitings
            if w.last and not w.pending and not w.refused
            and w.procedure_step]
        companies, procedures, steps = (
            {r.id: r for r in Model.browse(list({
                            getattr(w, name) for w in waitings}))}
            for Model, name in [
                (Company, 'company'),
                (Procedure, 'procedure'),
                (ProcedureStep, 'procedure_step')])
        for waiting in waitings:
            step = steps[waiting.procedure_step]
            if waiting.reminder >= (step.reminder_count or 0):
                continue
            company = companies[waiting.company]
            is_trainee = waiting.party == waiting.trainee
            if (not is_trainee and waiting.kind in TRAINEE_KINDS
                    and waiting.birth_date
                    and majority_date(waiting.birth_date)
                    <= agenda.today(company)):
                # The guardian of who has come of age
                continue
            letter = procedures[waiting.procedure].get_letter(
                waiting.kind, 'reminder',
                'trainee' if is_trainee or waiting.kind in TRAINEE_KINDS
                else 'stakeholder')
            if letter and letter.may_leave(waiting.case_state):
                yield waiting, step.compute_reminder_date(
                    tools.local_date(waiting.last, company),
                    agenda.calendar(company)), letter

    @classmethod
    def due_reminders(cls, date=None, step_ids=None):
        "Return the list of (Waiting, letter) of the reminders to send today"
        pool = Pool()
        Company = pool.get('company.company')
        agenda, result = Agenda(date), []
        for waiting, day, letter in cls._reminders(
                cls.waiting_parties(step_ids), agenda):
            company = Company(waiting.company)
            if (day <= agenda.today(company)
                    and agenda.is_working(company)):
                result.append((waiting, letter))
        return result

    @classmethod
    def is_waiting_for(cls, mails):
        "Return those of the mails whose party has not answered their step"
        waiting = {
            (w.step, w.party) for w in cls.waiting_parties(
                list({m.step.id for m in mails}))}
        return [m for m in mails if (m.step.id, m.party.id) in waiting]


class CaseReminderMixin:
    "Cases whose parties are reminded to answer"
    __slots__ = ()

    @classmethod
    def remind_due(cls):
        cls.remind()

    @classmethod
    def remind(cls, date=None):
        """Remind those who have not answered in time.

        date is the day it is, by default the one of each company."""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        ids = sorted({w.step for w, _ in Step.due_reminders(date)})
        Step.each_free(
            ids,
            lambda ids: cls._remind(Step.due_reminders(date, ids)),
            cls._refuse_reminder)

    @classmethod
    def _remind(cls, reminders):
        pool = Pool()
        Party = pool.get('party.party')
        Step = pool.get('training.abandon.case.step')
        parties = {p.id: p for p in Party.browse(
                list({w.party for w, _ in reminders}))}
        steps = {s.id: s for s in Step.browse(
                list({w.step for w, _ in reminders}))}
        by_kind = defaultdict(dict)
        for waiting, letter in reminders:
            step = steps[waiting.step]
            by_kind[step.kind][step.case, parties[waiting.party]] = (
                waiting, letter)
        failed = {}
        for kind, kind_reminders in by_kind.items():
            failed.update(cls._create_reminders(kind, kind_reminders, steps))
        Step.write(list(steps.values()), {
                'reminded_at': tools.now(),
                })
        cls._tell_not_reminded(list(steps.values()), failed)

    @classmethod
    def _create_reminders(cls, kind, reminders, steps):
        """Create the mails of the reminders, by case and party, and return
        the reasons of those that cannot be, by step."""
        failed, lines = {}, []
        for line in cls.render_letters([
                    (case, letter.audience, party)
                    for (case, party), (_, letter) in reminders.items()],
                kind, lambda case: 'reminder'):
            waiting, _ = reminders[line['case'], line['party']]
            try:
                check_address(line['to'], line['party'])
            except RecipientError as exception:
                failed[steps[waiting.step]] = (
                    exception.message if line['to'] else gettext(
                        'training_abandon.msg_reminder_archived'
                        if line['case'].enrolment.is_archived(line['party'])
                        else 'training_abandon.msg_reminder_no_address',
                        party=line['party'].rec_name))
                continue
            line['values'] = {'reminder': waiting.reminder + 1}
            if kind == 'certify':
                line['values']['certificate'] = line['case'].certificate
            lines.append(line)
        cls.create_mails({
                case.id: steps[waiting.step]
                for (case, _), (waiting, _) in reminders.items()}, lines)
        return failed

    @classmethod
    def _tell_not_reminded(cls, steps, failed):
        "Tell the owners, once, of the reminders that cannot be sent"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        news = {
            s.case: reason for s, reason in failed.items()
            if not s.not_reminded_at}
        Step.write(
            [s for s in failed if not s.not_reminded_at],
            {'not_reminded_at': tools.now()})
        Step.write(
            [s for s in steps if s.not_reminded_at and s not in failed],
            {'not_reminded_at': None})

        def describe(cases):
            lines = (
                gettext('training_abandon.msg_reminder_not_sent',
                    case=case.rec_name, reason=news[case])
                for case in cases)
            return gettext(
                'training_abandon.msg_reminders_not_sent',
                count=len(cases)), ' · '.join(tools.first(lines))

        if news:
            cls.notify_owners(list(news), describe)

    @classmethod
    def _refuse_reminder(cls, step_id, exception):
        "Tell that the reminder of the step cannot be written"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')

        def tell(ids):
            steps = Step.browse(ids)
            cls._tell_not_reminded(
                steps, {s: exception.message for s in steps})

        Step.each_free([step_id], tell)

    @classmethod
    def cancel_reminders(cls, cases):
        "Cancel the reminders that wait to leave and have lost their reason"
        pool = Pool()
        Mail = pool.get('training.mail')
        Step = pool.get('training.abandon.case.step')
        mails = []
        for sub_cases in grouped_slice(list(set(cases)), tools.BATCH):
            mails += Mail.search([
                    ('case', 'in', [c.id for c in sub_cases]),
                    ('reminder', '!=', None),
                    ('state', 'in', ['draft', 'queued']),
                    ], order=[])
        if mails:
            needed = set(Step.is_waiting_for(mails))
            Mail.write(
                [m for m in mails if m not in needed],
                Mail._end('cancelled', gettext(
                        'training_abandon.msg_mail_answered')))

    @classmethod
    def on_answer(cls, cases):
        super().on_answer(cases)
        cls.cancel_reminders(cases)
