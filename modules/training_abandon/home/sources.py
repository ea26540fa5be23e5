# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What waits for somebody, one class for each of the things to do"
import datetime as dt

from sql import Literal, Null
from sql.aggregate import Min
from sql.conditionals import Coalesce
from sql.operators import Exists

from trytond.i18n import gettext, ngettext
from trytond.pool import Pool

from .. import tools
from ..case.follow_up import TO_DO
from ..mail.claim import WAITING
from ..procedure.states import OPEN_STATES
from ..training.enrolment import CURRENT_STATES
from ..training.working_day import end_of_day
from .source import Source, enrolled, join

# When the lists of the enrolments show the absent
ABSENCES = 3
NOT_SEEN = dt.timedelta(days=14)
# How long the mails of a closed case that were not delivered are told
UNDELIVERED = dt.timedelta(days=30)


class CompanySource(Source):
    "What is wrong for a whole company"
    kind = 'setup'
    model = 'company.company'
    urgent = True

    def tables(self, table):
        return table, {'company': table.id}, self.condition(table)

    def condition(self, company):
        "Return the condition on the companies that have the fault"
        raise NotImplementedError


class MailSource(CompanySource):
    "The mails that wait, all of them"

    def condition(self, company):
        pool = Pool()
        Mail = pool.get('training.mail')
        mail = Mail.__table__()
        return Exists(mail.select(
                Literal(1),
                where=(mail.company == company.id)
                & mail.state.in_(WAITING)
                & self.fault(mail)))

    def action(self, record):
        return 'act_mail_form', {}


class HeldMails(MailSource):
    "The mails that a copy of the database keeps"

    def fault(self, mail):
        pool = Pool()
        Mail = pool.get('training.mail')
        return Literal(not Mail.is_live())

    def words(self, companies):
        return dict.fromkeys(
            map(int, companies), gettext('training_abandon.msg_task_held'))


class MailServerDown(MailSource):
    "The mails that the mail server does not take"

    def fault(self, mail):
        return mail.unavailable_since != Null

    def words(self, companies):
        return dict.fromkeys(
            map(int, companies),
            gettext('training_abandon.msg_task_mail_server'))


class NoProcedure(CompanySource):
    "The companies that can open no case"

    def condition(self, company):
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        Session = pool.get('training.session')
        procedure, session = Procedure.__table__(), Session.__table__()
        return Exists(session.select(
                Literal(1),
                where=(session.company == company.id)
                & session.state.in_(['planned', 'running']))) & ~Exists(
            procedure.select(
                Literal(1),
                where=(procedure.state == 'active')
                & (Coalesce(procedure.company, company.id) == company.id)))

    def words(self, companies):
        return dict.fromkeys(
            map(int, companies),
            gettext('training_abandon.msg_task_no_procedure'))

    def action(self, record):
        return 'act_procedure_form', {}


class ArchivedProcedure(Source):
    "The sessions that name a procedure without active revision"
    kind = 'setup'
    model = 'training.session'
    urgent = True

    def domain(self):
        return [
            ('procedure', '!=', None),
            ('state', 'in', ['planned', 'running']),
            ]

    def tables(self, session):
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        active = Procedure.__table__()
        from_, procedure = join(
            session, session.procedure, 'training.abandon.procedure')
        condition = ~Exists(active.select(
                Literal(1),
                where=(active.state == 'active')
                & (active.code == procedure.code)
                & (Coalesce(active.company, session.company)
                    == session.company)))
        return from_, {
            'company': session.company,
            'session': session.id,
            }, condition

    def words(self, sessions):
        return dict.fromkeys(
            map(int, sessions),
            gettext('training_abandon.msg_task_archived_procedure'))


class UndeliveredMails(Source):
    "The mails that failed or bounced and that nothing has replaced"
    kind = 'mail'
    model = 'training.mail'
    urgent = True

    def domain(self):
        return ['OR',
            ('state', '=', 'failed'),
            [
                ('bounced_at', '!=', None),
                ('replaced_by', '=', None),
                ],
            ]

    def tables(self, mail):
        from_, enrolment = join(mail, mail.enrolment, 'training.enrolment')
        from_, case = join(from_, mail.case, 'training.abandon.case')
        undelivered = self.day(Coalesce(mail.bounced_at, mail.failed_at))
        # Nobody sends again what bounced long after its case was closed
        condition = ((case.closed_at == Null)
            & ((mail.case != Null) | enrolment.state.in_(CURRENT_STATES))
            | (undelivered > self.today - UNDELIVERED))
        return from_, enrolled(
            enrolment, mail.company,
            owner=case.owner,
            since=undelivered), condition

    def words(self, mails):
        kinds = self.labels('kind')
        return {
            m.id: gettext(
                'training_abandon.msg_task_mail_bounced' if m.bounced_at
                else 'training_abandon.msg_task_mail_failed',
                kind=kinds[m.kind],
                party=m.party.rec_name if m.party else m.to)
            for m in mails}


class Replies(Source):
    "The replies that nobody has handled"
    kind = 'reply'
    model = 'training.mail.reply'

    def domain(self):
        return [('state', '=', 'new')]

    def tables(self, reply):
        from_, mail = join(reply, reply.mail, 'training.mail')
        from_, enrolment = join(from_, mail.enrolment, 'training.enrolment')
        from_, case = join(from_, reply.case, 'training.abandon.case')
        return from_, enrolled(
            enrolment, reply.company,
            owner=case.owner,
            since=self.day(reply.received_at)), None

    def words(self, replies):
        return {
            r.id: gettext(
                'training_abandon.msg_task_reply',
                kind=r.kind_string,
                sender=r.party.rec_name if r.party else r.from_ or '')
            for r in replies}


class Steps(Source):
    "The steps that the procedure asks for today"
    kind = 'step'
    model = 'training.abandon.case'

    def domain(self):
        return [
            ('closed_at', '=', None),
            ('next_due_date', '<=', self.today),
            ]

    def tables(self, case):
        from_, enrolment = join(case, case.enrolment, 'training.enrolment')
        condition = (
            case.state.in_(OPEN_STATES) & self.Model.pending_sql(case))
        return from_, enrolled(
            enrolment, case.company,
            owner=case.owner,
            since=case.opening_date,
            due=case.next_due_date), condition

    def words(self, cases):
        kinds = self.labels('next_kind')
        return {c.id: kinds[c.next_kind] for c in cases}

    def action(self, case):
        if case.next_kind:
            return f'wizard_case_{case.next_kind}', {}
        return super().action(case)


class ObstructedCases(Source):
    "The cases that lost their reason before they were decided"
    kind = 'hold'
    model = 'training.abandon.case'

    def domain(self):
        return [('closed_at', '=', None)]

    def tables(self, case):
        from_, enrolment = join(case, case.enrolment, 'training.enrolment')
        return from_, enrolled(
            enrolment, case.company,
            owner=case.owner,
            since=case.opening_date), ~self.Model.pending_sql(case)

    def words(self, cases):
        return dict.fromkeys(
            map(int, cases), gettext('training_abandon.msg_task_obstacle'))


class AwaitedOutcomes(Source):
    "The cases decided of which the trainee has no way on yet"
    kind = 'hold'
    model = 'training.abandon.case'

    def domain(self):
        return [
            ('decision', '=', 'validated'),
            ('ground', 'in', ['transfer', 'postponed']),
            ('state', '!=', 'cancelled'),
            ]

    def tables(self, case):
        from_, enrolment = join(case, case.enrolment, 'training.enrolment')
        from_, new = join(from_, case.new_enrolment, 'training.enrolment')
        condition = (
            (case.ground == 'transfer')
            & (Coalesce(new.state, 'cancelled') == 'cancelled')
            | (case.ground == 'postponed')
            & (Coalesce(case.return_date, self.today) <= self.today)
            & (case.return_ended_on == Null)
            & (enrolment.state == 'suspended'))
        return from_, enrolled(
            enrolment, case.company,
            owner=case.owner,
            since=case.effective_date,
            due=case.return_date), condition

    def words(self, cases):
        def message(case):
            if case.ground == 'transfer':
                return 'training_abandon.msg_task_transfer'
            elif case.return_date:
                return 'training_abandon.msg_task_return'
            return 'training_abandon.msg_task_postponed'
        return {c.id: gettext(message(c)) for c in cases}

    def action(self, case):
        if case.return_date:
            return super().action(case)
        return 'wizard_case_complete_decision', {}


class Justifications(Source):
    "The justifications to examine"
    kind = 'justification'
    model = 'training.justification'

    def domain(self):
        return [('state', '=', 'received')]

    def tables(self, justification):
        from_, enrolment = join(
            justification, justification.enrolment, 'training.enrolment')
        return from_, enrolled(
            enrolment, justification.company,
            since=self.day(justification.received_at)), None

    def words(self, justifications):
        return {
            j.id: gettext(
                'training_abandon.msg_task_justification', dates=j.rec_name)
            for j in justifications}


class FollowUps(Source):
    "The calls and meetings that are planned"
    kind = 'follow_up'
    model = 'training.follow_up'

    def domain(self):
        return [
            *TO_DO,
            ['OR',
                ('planned_at', '=', None),
                ('planned_at', '<', end_of_day(self.today, self.timezone)),
                ],
            ]

    def tables(self, follow_up):
        from_, enrolment = join(
            follow_up, follow_up.enrolment, 'training.enrolment')
        return from_, enrolled(
            enrolment, follow_up.company,
            owner=follow_up.employee,
            since=self.day(follow_up.create_date),
            due=self.day(follow_up.planned_at)), None

    def words(self, follow_ups):
        return {
            f.id: gettext(
                'training_abandon.msg_task_follow_up',
                kind=f.kind_string, party=f.party.rec_name)
            for f in follow_ups}


class Signatures(Source):
    "The certificates that wait for the signature of the trainee"
    kind = 'signature'
    model = 'training.abandon.certificate'

    def domain(self):
        return [
            ('kind', '=', 'statement'),
            ('state', 'in', ['issued', 'sent']),
            ]

    def tables(self, certificate):
        from_, case = join(
            certificate, certificate.case, 'training.abandon.case')
        from_, enrolment = join(from_, case.enrolment, 'training.enrolment')
        return from_, enrolled(
            enrolment, case.company,
            owner=case.owner,
            since=self.day(certificate.issued_at)), case.state == 'certified'

    def words(self, certificates):
        return dict.fromkeys(
            map(int, certificates),
            gettext('training_abandon.msg_task_signature'))


class Sheets(Source):
    "The sheets that are still to fill once the slot is over"
    kind = 'sheet'
    model = 'training.session.slot'

    def domain(self):
        return [
            ('state', 'in', ['planned', 'open']),
            ('end_at', '<=', tools.now()),
            ]

    def tables(self, slot):
        pool = Pool()
        Employee = pool.get('company.employee')
        employee = Employee.__table__()
        from_, session = join(slot, slot.session, 'training.session')
        trainer = employee.select(
            employee.party, employee.company, Min(employee.id).as_('id'),
            group_by=[employee.party, employee.company])
        from_ = from_.join(
            trainer, 'LEFT',
            condition=(trainer.party == slot.trainer)
            & (trainer.company == session.company))
        return from_, {
            'company': session.company,
            'session': session.id,
            'owner': trainer.id,
            'since': slot.date,
            'due': slot.date,
            }, ~session.state.in_(['done', 'cancelled'])

    def words(self, slots):
        return {
            s.id: gettext(
                'training_abandon.msg_task_sheet',
                start=s.start.strftime('%H:%M'), end=s.end.strftime('%H:%M'))
            for s in slots}

    def action(self, slot):
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        return 'act_task_record', self.form(slot, ModelData.get_id(
                'training_abandon', 'slot_view_form_sheet'))


class Absentees(Source):
    "The absent without an open case"
    kind = 'absentee'
    model = 'training.enrolment'

    def domain(self):
        return [
            ('state', 'in', ['confirmed', 'started']),
            ('consecutive_absences', '>', 0),
            ]

    def tables(self, enrolment):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        case = Case.__table__()
        from_, session = join(
            enrolment, enrolment.session, 'training.session')
        start = Coalesce(enrolment.start_date, session.start_date)
        condition = (
            ~session.state.in_(['done', 'cancelled'])
            & ((enrolment.consecutive_absences >= ABSENCES)
                | (Coalesce(enrolment.last_presence, start)
                    <= self.today - NOT_SEEN))
            & ~Exists(case.select(
                    Literal(1),
                    where=(case.enrolment == enrolment.id)
                    & (case.closed_at == Null))))
        return from_, enrolled(
            enrolment, enrolment.company,
            since=enrolment.last_presence), condition

    def words(self, enrolments):
        return {
            e.id: ngettext(
                'training_abandon.msg_task_absentee',
                e.consecutive_absences, count=e.consecutive_absences)
            for e in enrolments}

    def action(self, enrolment):
        return 'wizard_case_open', {}
