# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What records a follow-up and plans the next ones"
import datetime as dt

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, PYSONEncoder
from trytond.wizard import (
    Button, StateAction, StateTransition, StateView, Wizard)

from .. import tools
from ..exceptions import FollowUpRecordError, TrainingValidationError
from ..training.working_day import WorkingCalendar
from .apprenticeship import TUTORS

# The outcomes after which another follow-up is planned
NEXT_OUTCOMES = {'no_answer', 'appointment'}
ROLES = {
    'tutor': TUTORS,
    }
# With whom the follow-ups of the kind are
ROLE_OF_KIND = {
    'mediation': 'mediator',
    'visit': 'employer',
    }


class RecordFollowUp(Wizard):
    __name__ = 'training.follow_up.record'
    start_state = 'check'

    check = StateTransition()
    start = StateView(
        'training.follow_up.record.start',
        'training_abandon.follow_up_record_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Record", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()
    next_ = StateView(
        'training.follow_up.record.next',
        'training_abandon.follow_up_record_next_view_form', [
            Button("Do Not Plan", 'end', 'tryton-cancel'),
            Button("Plan", 'plan', 'tryton-ok', default=True),
            ])
    plan = StateTransition()

    def transition_check(self):
        if not self.record:
            return 'end'
        if self.record.done_at and self.record.outcome == 'no_answer':
            return 'next_'
        self._check_to_do()
        return 'start'

    def _check_to_do(self):
        if self.record.done_at or self.record.cancelled_at:
            raise FollowUpRecordError(gettext(
                    'training_abandon.msg_follow_up_not_to_do',
                    follow_up=self.record.rec_name))

    def default_start(self, fields):
        return {
            'follow_up': self.record.id,
            'phone': self.record.phone,
            'done_at': tools.now(),
            }

    def transition_apply(self):
        follow_up = self.record
        self.model.keep([follow_up])
        follow_up = self.model(follow_up.id)
        self._check_to_do()
        if not self.start.done_at or not self.start.outcome:
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_follow_up_no_outcome',
                    follow_up=follow_up.rec_name))
        follow_up.done_at = self.start.done_at
        follow_up.outcome = self.start.outcome
        follow_up._check_done()
        if not follow_up.employee:
            follow_up.employee = tools.current_employee(follow_up.company)
        if self.start.note:
            follow_up.note = '\n'.join(
                filter(None, [follow_up.note, self.start.note]))
        follow_up.save()
        return 'next_' if follow_up.outcome in NEXT_OUTCOMES else 'end'

    def default_next_(self, fields):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Rule = pool.get('training.follow_up.rule')
        follow_up = self.model(self.record.id)
        company = follow_up.company
        values = {
            'follow_up': follow_up.id,
            'attempt': follow_up.attempt,
            'employee': follow_up.employee.id if follow_up.employee else None,
            }
        rule = Rule.valid_at(company, tools.today(company))
        if rule:
            values['attempts'] = rule.attempts
        if (rule and follow_up.outcome == 'no_answer'
                and follow_up.attempt < rule.attempts):
            where = (
                company, WorkingCalendar(company),
                Configuration.get_noon(company))
            planned_at = rule.next_attempt(follow_up.done_at, *where)
            if planned_at < tools.now():
                planned_at = rule.next_attempt(tools.now(), *where)
            values['planned_at'] = planned_at
        return values

    def transition_plan(self):
        pool = Pool()
        Rule = pool.get('training.follow_up.rule')
        follow_up = self.model(self.record.id)
        if not self.next_.planned_at:
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_follow_up_no_time'))
        # As for those that are planned by hand
        follow_up._with({'done_at': None, 'outcome': None})._check_done()
        rule = Rule.valid_at(
            follow_up.company, tools.today(follow_up.company))
        self.model.copy([follow_up], {
                'planned_at': self.next_.planned_at,
                'planned_until': (
                    self.next_.planned_at + rule.duration if rule else None),
                'employee': self.next_.employee,
                'agreed': follow_up.outcome == 'appointment',
                })
        return 'end'

    def end(self):
        return 'reload'


class RecordFollowUpStart(ModelView):
    __name__ = 'training.follow_up.record.start'

    follow_up = fields.Many2One(
        'training.follow_up', "Follow-Up", readonly=True,
        help="The follow-up whose outcome is recorded.")
    phone = fields.Char("Phone", readonly=True)
    done_at = fields.DateTime("Done at", required=True,
        help="When it took place.")
    outcome = fields.Selection(
        'get_outcomes', "Outcome", required=True, sort=False,
        help="What came of it; after no answer, the next attempt is "
        "proposed; an appointment is then planned.")
    note = fields.Text(
        "Note", help="What was said.  Do not write any health detail.")

    @classmethod
    def get_outcomes(cls):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        return FollowUp.fields_get(['outcome'])['outcome']['selection']


class RecordFollowUpNext(ModelView):
    __name__ = 'training.follow_up.record.next'

    follow_up = fields.Many2One(
        'training.follow_up', "Follow-Up", readonly=True,
        help="The follow-up after which another one is planned.")
    attempt = fields.Integer("Attempts Made", readonly=True,
        help="How many times the party was tried, this time included.")
    attempts = fields.Integer("Attempts of the Rule", readonly=True,
        help="After how many the rule gives up.")
    planned_at = fields.DateTime(
        "Next Attempt",
        help="Empty when all the attempts of the rule were made, when there "
        "is no rule and for an appointment, whose time was agreed.")
    employee = fields.Many2One('company.employee', "Employee")


class PlanFollowUps(Wizard):
    __name__ = 'training.follow_up.plan'

    start = StateView(
        'training.follow_up.plan.start',
        'training_abandon.follow_up_plan_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Plan", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateAction('training_abandon.act_follow_up_form')

    def default_start(self, fields):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Rule = pool.get('training.follow_up.rule')
        if not self.records:
            return {}
        company = self.records[0].company
        (start, _), *_ = Configuration(1).get_times(
            company=company.id) or [(dt.time(9), None)]
        employee = tools.current_employee(company)
        calendar = WorkingCalendar(company)
        kind, role = self._lacked()
        return {
            'company': company.id,
            'kind': kind,
            'role': role,
            'referred_on': tools.today(company),
            'date': calendar.add(tools.today(company), 1),
            'time': start,
            'every': Rule.get(company).duration,
            'employee': employee.id if employee else None,
            }

    def _lacked(self):
        "Return the kind and the role of what all the enrolments lack"
        missing = self.model.missing_rules(
            tools.browse_sets(self.model, self.records))
        lacked = set.intersection(*(
                {r.kind == 'tutor_meeting' for r in missing[e.id]}
                for e in self.records))
        if False in lacked:
            return 'visit', 'employer'
        elif lacked:
            return 'meeting', 'tutor'
        return 'call', 'trainee'

    def do_apply(self, action):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        enrolments = tools.browse_sets(self.model, self.records or [])
        if not enrolments:
            return
        self._check(enrolments)
        times = self._times(enrolments[0].company)
        values = []
        for enrolment in enrolments:
            for party in self._parties(enrolment):
                at = next(times)
                values.append({
                        'company': enrolment.company.id,
                        'enrolment': enrolment.id,
                        'case': (
                            enrolment.current_case.id
                            if enrolment.current_case else None),
                        'kind': self.start.kind,
                        'party': party.id,
                        'planned_at': at,
                        'planned_until': at + self.start.every,
                        'employee': self.start.employee,
                        'referred_on': (
                            self.start.referred_on
                            if self.start.kind == 'mediation' else None),
                        })
        follow_ups = tools.create_sets(FollowUp, values)
        action['pyson_domain'] = PYSONEncoder().encode(
            [('id', 'in', [f.id for f in follow_ups])])
        action['domains'] = []
        return action, {}

    def _check(self, enrolments):
        start = self.start
        if (not all([start.kind, start.role, start.date, start.every])
                or start.time is None or start.every <= dt.timedelta()):
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_follow_up_every'))
        for enrolment in enrolments:
            if enrolment.company != enrolments[0].company:
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_follow_up_companies'))
        missing = [e for e in enrolments if not self._parties(e)]
        if missing:
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_follow_up_no_party',
                    role=self.start.role_string,
                    enrolments=tools.names(missing)))

    def _parties(self, enrolment):
        "Return the list of the parties to follow up"
        role = self.start.role
        if role == 'trainee':
            return [enrolment.trainee.party]
        found = enrolment.stakeholders(*ROLES.get(role, [role]))
        return [p for _, p in found[:1]]

    def _times(self, company):
        """Yield the times, in UTC, one after the other inside of the
        half-days of the company"""
        pool = Pool()
        Configuration = pool.get('training.configuration')
        calendar = WorkingCalendar(company)
        spans = Configuration(1).get_times(company=company.id)
        date, first = self.start.date, self.start.time
        # The first day is the one that was asked
        while True:
            at = dt.datetime.combine(date, first or dt.time())
            found = False
            for start, end in spans or [(dt.time(), dt.time.max)]:
                at = max(at, dt.datetime.combine(date, start))
                end = dt.datetime.combine(date, end)
                while at < end:
                    found = True
                    yield tools.utc_datetime(date, at.time(), company)
                    at += self.start.every
            if not found and first:
                yield tools.utc_datetime(date, first, company)
            date, first = calendar.add(date, 1), None


class PlanFollowUpsStart(ModelView):
    __name__ = 'training.follow_up.plan.start'

    company = fields.Many2One('company.company', "Company", readonly=True)
    kind = fields.Selection('get_kinds', "Kind", required=True, sort=False,
        help="How the parties are contacted.")
    role = fields.Selection([
            ('trainee', "Trainee"),
            ('prescriber', "Prescriber"),
            ('employer', "Employer"),
            ('tutor', "Tutor"),
            ('legal_guardian', "Legal Guardian"),
            ('mediator', "Mediator"),
            ], "With", required=True, sort=False,
        help="Whom the follow-ups are with.")
    role_string = role.translated('role')
    referred_on = fields.Date(
        "Referred on",
        states={
            'invisible': Eval('kind') != 'mediation',
            'required': Eval('kind') == 'mediation',
            },
        help="The day on which the mediator was asked: the delays run from "
        "it.")
    date = fields.Date("Date", required=True)
    time = fields.Time("From", format='%H:%M', required=True,
        help="The time of the first one; the others come after it.")
    every = fields.TimeDelta(
        "Every", required=True,
        help="The time between two of them, inside of the half-days of the "
        "company; the next ones are on the next working day.")
    employee = fields.Many2One(
        'company.employee', "Employee",
        domain=[
            ('company', '=', Eval('company', -1)),
            ])

    @fields.depends('kind', 'role')
    def on_change_kind(self):
        if self.kind in ROLE_OF_KIND:
            self.role = ROLE_OF_KIND[self.kind]
        elif self.role in ROLE_OF_KIND.values():
            self.role = 'trainee'

    @classmethod
    def get_kinds(cls):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        return FollowUp.fields_get(['kind'])['kind']['selection']
