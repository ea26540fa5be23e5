# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Which abandonments are validated because the trainee stays silent"
from collections import defaultdict, namedtuple

from sql import Literal, Null, Union
from sql.aggregate import Count, Max
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce
from sql.operators import Exists

from trytond import backend
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..attendance.facts import ATTENDED
from ..procedure.states import PROGRESS_STATES
from ..stored import of_ids
from .agenda import Agenda

# The states of the enrolments whose trainee is expected
RUNNING_STATES = ['confirmed', 'started']

# A case whose trainee may be silent: the ids of the steps that decide and
# that ask the reasons
Silent = namedtuple('Silent', ['decide', 'ask', 'case'])


class SilenceMixin:
    "Cases that are validated when the trainee stays silent"
    __slots__ = ()

    @classmethod
    def qualify_due(cls):
        cls.qualify()

    @classmethod
    def qualify(cls, date=None):
        """Validate the abandonment of the trainees who have been silent for
        as long as their procedure tells.

        date is the day it is, by default the one of each company."""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        Step.each_free(
            [decide for decide, _ in cls._silent(date)],
            lambda ids: cls._qualify(cls._silent(date, ids)))

    @classmethod
    def _qualify(cls, silent):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        dates = {
            step.case: date for step, date in zip(
                Step.browse([decide for decide, _ in silent]),
                [date for _, date in silent])}
        groups = defaultdict(list)
        for case, date in dates.items():
            groups[date, case.procedure].append(case)
        for (date, procedure), cases in groups.items():
            reason = gettext(
                'training_abandon.msg_case_silent',
                delay=procedure.silence_delay,
                procedure=procedure.rec_name)
            Step.skip([
                    s for c in cases for s in c.steps
                    if s.state == 'todo'
                    and s.sequence < c.get_step('decide').sequence], reason)
            cls.apply_decision(
                cases, 'validated', 'abandonment', date, note=reason)
        if dates:
            cls.notify_owners(list(dates), cls._describe_silent)

    @classmethod
    def _describe_silent(cls, cases):
        "Return the label and the description of the notification"
        return gettext(
            'training_abandon.msg_cases_silent',
            count=len(cases)), ' · '.join(
                tools.first(c.rec_name for c in cases))

    @classmethod
    def _silent(cls, date=None, decide_ids=None):
        """Return the list of the id of the step that decides and effective
        date of the cases to validate today."""
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        agenda, result = Agenda(date), []
        silents = cls._silent_rows(decide_ids)
        waitings = {
            w.step: w for w in Step.waiting_parties([s.ask for s in silents])
            if w.party == w.trainee}
        to_remind = {
            w.step for w, _, _ in Step._reminders(
                waitings.values(), agenda)}
        silents = [
            s for s in silents
            if s.ask in waitings and s.ask not in to_remind]
        for sub_silents in grouped_slice(silents, tools.BATCH):
            sub_silents = list(sub_silents)
            cases = {c.id: c for c in cls.browse(
                    [s.case for s in sub_silents])}
            heard = cls._heard(list(cases.values()))
            written = cls._written(list(cases.values()))
            for silent in sub_silents:
                case = cases[silent.case]
                if case in heard or not case._is_silent(
                        waitings[silent.ask], written.get(case), agenda):
                    continue
                if effective_date := case._silence_date(agenda):
                    result.append((silent.decide, effective_date))
        return result

    @classmethod
    def _silent_rows(cls, decide_ids=None):
        """Return the list of the Silent of the open cases whose procedure
        validates the abandonment of the trainees who stay silent.

        Once a decision was taken back, only a person decides."""
        pool = Pool()
        Correction = pool.get('training.abandon.case.correction')
        Enrolment = pool.get('training.enrolment')
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.case.step')
        cursor = Transaction().connection.cursor()
        result = []
        slices = [None] if decide_ids is None else grouped_slice(
            decide_ids, backend.MAX_QUERY_PARAMS // 2)
        for sub_ids in slices:
            case, enrolment = cls.__table__(), Enrolment.__table__()
            procedure = Procedure.__table__()
            ask, decide = Step.__table__(), Step.__table__()
            correction = Correction.__table__()
            taken_back = correction.select(
                correction.id,
                where=(correction.case == case.id)
                & (correction.kind == 'taken_back'))
            where = (
                (procedure.silence_delay != Null)
                & case.state.in_(PROGRESS_STATES)
                & (case.origin != 'declared')
                & (case.answered_at == Null)
                & enrolment.state.in_(RUNNING_STATES)
                & cls.pending_sql(case)
                & ~Exists(taken_back)
                & (ask.kind == 'ask_reasons') & (ask.state == 'done')
                & (decide.kind == 'decide') & (decide.state == 'todo'))
            if sub_ids is not None:
                where &= fields.SQL_OPERATORS['in'](decide.id, list(sub_ids))
            cursor.execute(*case
                .join(procedure, condition=procedure.id == case.procedure)
                .join(enrolment, condition=enrolment.id == case.enrolment)
                .join(ask, condition=ask.case == case.id)
                .join(decide, condition=decide.case == case.id)
                .select(
                    decide.id, ask.id, case.id, where=where,
                    order_by=[case.owner, case.id]))
            result += [Silent(*row) for row in cursor]
        return result

    @classmethod
    def _written(cls, cases):
        """Return when the trainee of each case was last written to by mail or
        letter, reminders left out."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        Trainee = pool.get('training.trainee')
        cursor = Transaction().connection.cursor()
        result = {}
        for sub_cases in grouped_slice(cases, backend.MAX_QUERY_PARAMS // 4):
            sub_cases = {c.id: c for c in sub_cases}
            case, enrolment = cls.__table__(), Enrolment.__table__()
            trainee = Trainee.__table__()
            mail, letter = Mail.__table__(), FollowUp.__table__()
            written = Union(
                mail.select(
                    mail.case.as_('case'), mail.party.as_('party'),
                    mail.sent_at.as_('at'),
                    where=fields.SQL_OPERATORS['in'](
                        mail.case, list(sub_cases))
                    & (mail.state == 'sent') & (mail.reminder == Null)),
                letter.select(
                    letter.case, letter.party, letter.done_at,
                    where=fields.SQL_OPERATORS['in'](
                        letter.case, list(sub_cases))
                    & (letter.kind == 'letter')),
                all_=True)
            query = (written
                .join(case, condition=case.id == written.case)
                .join(enrolment, condition=enrolment.id == case.enrolment)
                .join(trainee, condition=trainee.id == enrolment.trainee)
                .select(
                    case.id.as_('case'), Max(written.at).as_('at'),
                    where=written.party == trainee.party,
                    group_by=[case.id]))
            cursor.execute(*tools.apply_types(query, None, 'TIMESTAMP'))
            result.update((sub_cases[id_], at) for id_, at in cursor)
        return result

    @classmethod
    def _heard(cls, cases):
        """Return the set of the cases whose trainee was not reached, was
        heard after the opening or has never come."""
        heard = set()
        for sub_cases in grouped_slice(cases, backend.MAX_QUERY_PARAMS // 4):
            sub_cases = {c.id: c for c in sub_cases}
            heard |= cls._heard_follow_ups(sub_cases)
            heard |= cls._heard_words(sub_cases)
            heard |= cls._heard_presences(sub_cases)
        return heard

    @classmethod
    def _heard_follow_ups(cls, cases):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        FollowUp = pool.get('training.follow_up')
        Trainee = pool.get('training.trainee')
        cursor = Transaction().connection.cursor()
        case, enrolment = cls.__table__(), Enrolment.__table__()
        trainee, follow_up = Trainee.__table__(), FollowUp.__table__()
        query = (case
            .join(enrolment, condition=enrolment.id == case.enrolment)
            .join(trainee, condition=trainee.id == enrolment.trainee)
            .join(follow_up,
                condition=(follow_up.enrolment == case.enrolment)
                & ((follow_up.party == trainee.party)
                    | follow_up.party.in_(cls._guardians_query(case))))
            .select(
                case.id.as_('case'), Max(follow_up.done_at).as_('at'),
                where=fields.SQL_OPERATORS['in'](case.id, list(cases))
                & (follow_up.done_at != Null)
                & (follow_up.kind != 'letter')
                & ~Coalesce(follow_up.outcome, 'other').in_(
                    ['no_answer', 'wrong_contact']),
                group_by=[case.id]))
        cursor.execute(*tools.apply_types(query, None, 'TIMESTAMP'))
        return {
            cases[id_] for id_, at in cursor
            if cases[id_].local_date(at) >= cases[id_].opening_date}

    @classmethod
    def _heard_words(cls, cases):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Trainee = pool.get('training.trainee')
        cursor = Transaction().connection.cursor()
        case, enrolment = cls.__table__(), Enrolment.__table__()
        trainee = Trainee.__table__()
        where = Literal(False)
        for query in cls._heard_queries(case, trainee.party):
            where |= Exists(query)
        cursor.execute(*case
            .join(enrolment, condition=enrolment.id == case.enrolment)
            .join(trainee, condition=trainee.id == enrolment.trainee)
            .select(
                case.id,
                where=fields.SQL_OPERATORS['in'](case.id, list(cases))
                & where))
        return {cases[id_] for id_, in cursor}

    @classmethod
    def _guardians_query(cls, case):
        "Return the query of the parties who may answer for the trainee"
        pool = Pool()
        Contact = pool.get('training.enrolment.contact')
        contact = Contact.__table__()
        return contact.select(
            contact.party,
            where=(contact.enrolment == case.enrolment)
            & (contact.role == 'legal_guardian'))

    @classmethod
    def _heard_queries(cls, case, party):
        """Return the queries of what the trainee, or its guardians, answered,
        and of what has not reached them."""
        pool = Pool()
        Mail = pool.get('training.mail')
        Proposal = pool.get('training.abandon.proposal')
        Reply = pool.get('training.mail.reply')
        Response = pool.get('training.abandon.proposal.response')
        mail, reply = Mail.__table__(), Reply.__table__()
        unattached = Reply.__table__()
        proposal, response = Proposal.__table__(), Response.__table__()

        def is_trainee(column):
            return (column == party) | column.in_(cls._guardians_query(case))

        return [
            reply.select(
                reply.id,
                where=(reply.case == case.id)
                & ((reply.party == Null) | is_trainee(reply.party))
                & ~reply.kind.in_(['auto_reply', 'delay'])
                # Who released the letter has handled it
                & ((reply.kind != 'challenge') | (reply.state == 'new'))),
            unattached.select(
                unattached.id,
                where=(unattached.case == Null)
                & is_trainee(unattached.party)
                & (unattached.state == 'new')),
            mail.select(
                mail.id,
                where=(mail.case == case.id)
                & is_trainee(mail.party)
                & (mail.state.in_(['draft', 'queued', 'sending', 'failed'])
                    | ((mail.bounced_at != Null)
                        & (mail.replaced_by == Null)))),
            response
            .join(proposal, condition=proposal.id == response.proposal)
            .select(
                response.id,
                where=(proposal.case == case.id)
                & is_trainee(response.party)),
            ]

    @classmethod
    def _heard_presences(cls, cases):
        """Return those of the cases whose trainee came, or was excused, since
        the opening, and those whose trainee has never come: the ground is
        then another."""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        cursor = Transaction().connection.cursor()
        held = Attendance._held_query(
            of_ids(c.enrolment.id for c in cases.values()))
        query = held.select(
            held.enrolment.as_('enrolment'),
            Max(SQLCase((held.state != 'absent', held.date))).as_('last'),
            Count(Literal(1), filter_=held.state.in_(ATTENDED)).as_('count'),
            group_by=[held.enrolment])
        cursor.execute(*tools.apply_types(query, None, 'DATE', None))
        presences = {
            enrolment: (last, count) for enrolment, last, count in cursor}
        result = set()
        for case in cases.values():
            last, count = presences.get(case.enrolment.id, (None, None))
            if count == 0 or (last and last >= case.opening_date):
                result.add(case)
        return result

    def _is_silent(self, waiting, written, agenda):
        """Return if the trainee has had the time to answer the reminders and
        what was last written."""
        if not waiting.asked:
            return False
        today, calendar = (
            agenda.today(self.company), agenda.calendar(self.company))
        if not calendar.is_working_day(today):
            return False
        ends = [calendar.add(
                self.local_date(max(
                        waiting.asked, written or waiting.asked)),
                self.procedure.silence_delay)]
        if waiting.reminder:
            ends.append(
                self.get_step('ask_reasons').procedure_step
                .compute_reminder_date(
                    self.local_date(waiting.last), calendar))
        return max(ends) <= today

    def _silence_date(self, agenda):
        """Return the effective date of the abandonment, today or the last day
        of the enrolment, or None before its first day."""
        enrolment, session = self.enrolment, self.enrolment.session
        date = min(
            agenda.today(self.company),
            enrolment.end_date or session.end_date)
        start = max(enrolment.start_date or session.start_date,
            session.start_date)
        return date if date >= start else None
