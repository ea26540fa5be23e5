# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import hashlib
from collections import defaultdict

from sql import Null
from sql.conditionals import Coalesce

from trytond import backend
from trytond.i18n import gettext
from trytond.model import Index, ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..case.follow_up import HEARD_OUTCOMES, TO_DO
from ..case.overview import party_phone
from ..exceptions import FollowUpWarning
from ..training.working_day import WorkingCalendar, end_of_day
from .apprenticeship import MediationMixin
from .letter import LETTER_KINDS, LettersMixin

# What takes the time of the employee and of the party
APPOINTMENTS = ['call', 'meeting', 'visit', 'mediation']
# What an answer makes useless
REMINDERS = ['call', 'email', 'letter']
# The cases of which the trainee is asked the reasons
ASKED_STATES = ['draft', 'informed', 'inquiring']


class PhoneMixin:
    "Follow-ups that tell whom to call where"
    __slots__ = ()

    phone = fields.Function(fields.Char("Phone"), 'get_phone')
    attempt = fields.Function(
        fields.Integer(
            "Attempt",
            help="How many times the party was tried since it was last "
            "reached, this one included."),
        'get_attempt')

    @classmethod
    def get_phone(cls, follow_ups, name):
        return {
            f.id: f.case.phone_of(f.party) if f.case else party_phone(f.party)
            for f in follow_ups}

    @classmethod
    def get_attempt(cls, follow_ups, name):
        result = {}
        tried = defaultdict(list)
        for sub_ids in grouped_slice(
                sorted({f.enrolment.id for f in follow_ups}), tools.BATCH):
            for other in cls.search([
                        ('enrolment', 'in', list(sub_ids)),
                        ('done_at', '!=', None),
                        ], order=[('done_at', 'ASC'), ('id', 'ASC')]):
                tried[other._tried].append(other)
        for follow_up in follow_ups:
            count = 1
            for other in tried[follow_up._tried]:
                if (follow_up.done_at and (other.done_at, other.id)
                        >= (follow_up.done_at, follow_up.id)):
                    break
                count = count + 1 if other.outcome == 'no_answer' else 1
            result[follow_up.id] = count
        return result

    @property
    def _tried(self):
        return self.enrolment, self.party, self.kind


class PlanningMixin:
    "Follow-ups of which the planning is checked"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.employee, Index.Equality()),
                (t.planned_at, Index.Range())))

    @classmethod
    def on_modification(cls, mode, follow_ups, field_names=None):
        super().on_modification(mode, follow_ups, field_names=field_names)
        if mode == 'create' or (mode == 'write' and field_names & {
                    'planned_at', 'planned_until', 'employee', 'party',
                    'kind'}):
            cls.warn_planned([
                    f for f in follow_ups
                    if f.planned_at and not f.done_at and not f.cancelled_at],
                mode == 'create' or 'planned_at' in field_names)

    @classmethod
    def warn_planned(cls, follow_ups, moved=True):
        """Ask the user, who may go on, whether they are to be planned so.

        moved tells if it is their time that is new."""
        transaction = Transaction()
        if (not follow_ups or not transaction.user
                or transaction.context.get('_skip_warnings')):
            return
        now = tools.now()
        if moved:
            cls._warn('past', [
                    gettext('training_abandon.msg_follow_up_past',
                        follow_up=f.planned_name)
                    for f in follow_ups if f.planned_at < now])
            cls._warn('closed', list(cls._closed_lines(follow_ups)))
        clashes = cls.clashes(follow_ups)
        readable = tools.readable_ids(cls, [o.id for _, o in clashes])
        cls._warn('clash', [
                follow_up.describe_clash(other, other.id in readable)
                for follow_up, other in clashes])

    def describe_clash(self, other, readable):
        "Return the clash in words, without what the user may not read"
        if readable:
            return gettext('training_abandon.msg_follow_up_clash',
                follow_up=self.planned_name, other=other.planned_name)
        busy = self.party
        if self.employee and self.employee == other.employee:
            busy = self.employee
        return gettext('training_abandon.msg_follow_up_busy',
            follow_up=self.planned_name,
            name=busy.rec_name,
            start=other._clock(other.planned_at),
            end=other._clock(other.planned_until or other.planned_at))

    @classmethod
    def _warn(cls, name, lines):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        if not lines:
            return
        # What is created has another id once the user has answered
        digest = hashlib.md5(
            '\n'.join(lines).encode('utf-8'),
            usedforsecurity=False).hexdigest()
        name = f'{digest}.follow_up_{name}'
        if Warning.check(name):
            raise FollowUpWarning(name, '\n'.join(tools.first(lines)))

    @classmethod
    def _closed_lines(cls, follow_ups):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        calendars = {
            c: WorkingCalendar(c) for c in {f.company for f in follow_ups}}
        for follow_up in follow_ups:
            calendar = calendars[follow_up.company]
            date = tools.local_date(follow_up.planned_at, follow_up.company)
            if not calendar.is_working_day(date):
                yield gettext(
                    'training_abandon.msg_follow_up_closed_day',
                    follow_up=follow_up.planned_name,
                    date=lang.strftime(calendar.add(date, 0)))

    @classmethod
    def clashes(cls, follow_ups):
        """Return the list of the appointments with those that take the time
        of the same employee or party, each couple once"""
        table, other = cls.__table__(), cls.__table__()
        cursor = Transaction().connection.cursor()
        couples = set()

        def until(table):
            return Coalesce(table.planned_until, table.planned_at)

        def to_do(table):
            return (
                (table.done_at == Null)
                & (table.cancelled_at == Null)
                & table.kind.in_(APPOINTMENTS))

        for sub_follow_ups in grouped_slice(
                follow_ups, backend.MAX_QUERY_PARAMS // 2):
            cursor.execute(*table.join(other, condition=(
                        (other.company == table.company)
                        & (other.id != table.id)
                        & ((other.employee == table.employee)
                            | (other.party == table.party))
                        & ((other.planned_at == table.planned_at)
                            | (other.planned_at < until(table))
                            & (table.planned_at < until(other))))
                    ).select(
                    table.id, other.id,
                    where=fields.SQL_OPERATORS['in'](
                        table.id, [f.id for f in sub_follow_ups])
                    & to_do(table) & to_do(other)))
            for id_, other_id in cursor:
                if (other_id, id_) not in couples:
                    couples.add((id_, other_id))
        records = tools.browse_by_id(
            cls, sorted({i for couple in couples for i in couple}))
        return [(records[i], records[o]) for i, o in sorted(couples)]

    @property
    def planned_name(self):
        "The name with the time, as the warnings tell it"
        return gettext(
            'training_abandon.msg_follow_up_planned_name',
            kind=self.kind_string,
            party=self.party.rec_name,
            employee=self.employee.rec_name if self.employee else '',
            at=self._clock(self.planned_at))

    def _clock(self, at):
        "Return the time by the clock of the company in words"
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        return lang.strftime(
            tools.local_datetime(at, self.company), f'{lang.date} %H:%M')


class FollowUp(
        LettersMixin, MediationMixin, PhoneMixin, PlanningMixin,
        metaclass=PoolMeta):
    __name__ = 'training.follow_up'

    agreed = fields.Boolean(
        "Agreed",
        states={
            'invisible': ~Eval('planned_at'),
            },
        help="The party has agreed on the time: an answer does not end it.")
    external_codes = fields.One2Many(
        'training.external_code', 'record', "External Codes",
        help="The codes by which the imports find the record again.")
    of_the_day = fields.Function(
        fields.Boolean(
            "Of the Day",
            help="It is planned for today or before, by the clock of the "
            "company, or without time."),
        'get_of_the_day', searcher='search_of_the_day')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            record={
                'invisible': Bool(Eval('cancelled_at')) | (
                    Bool(Eval('done_at'))
                    & (Eval('outcome') != 'no_answer')),
                'depends': ['done_at', 'cancelled_at', 'outcome'],
                },
            write_letters={
                'invisible': (
                    ~Eval('kind').in_(LETTER_KINDS)
                    | Bool(Eval('done_at'))
                    | Bool(Eval('cancelled_at'))),
                'depends': ['kind', 'done_at', 'cancelled_at'],
                })

    @fields.depends('planned_at', 'planned_until', 'kind', 'company')
    def on_change_planned_at(self):
        pool = Pool()
        Rule = pool.get('training.follow_up.rule')
        if not self.planned_at:
            self.planned_until = None
        elif (self.company and self.kind == 'call'
                and (not self.planned_until
                    or self.planned_until < self.planned_at)):
            rule = Rule.valid_at(
                self.company, tools.local_date(self.planned_at, self.company))
            if rule:
                self.planned_until = self.planned_at + rule.duration

    @classmethod
    def get_of_the_day(cls, follow_ups, name):
        ends = {
            c: end_of_day(tools.today(c), c.timezone)
            for c in {f.company for f in follow_ups}}
        return {
            f.id: not f.planned_at or f.planned_at < ends[f.company]
            for f in follow_ups}

    @classmethod
    def search_of_the_day(cls, name, clause):
        pool = Pool()
        Company = pool.get('company.company')
        by_timezone = defaultdict(list)
        for company in Company.search([]):
            by_timezone[company.timezone].append(company)
        return tools.boolean_domain(clause, cls.search(['OR',
                    ('planned_at', '=', None),
                    *([
                            ('company', 'in', [c.id for c in companies]),
                            ('planned_at', '<', end_of_day(
                                    tools.today(companies[0]), timezone)),
                            ] for timezone, companies in by_timezone.items()),
                    ], order=[], query=True))

    @classmethod
    @ModelView.button_action('training_abandon.wizard_follow_up_record')
    def record(cls, follow_ups):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.wizard_follow_up_write')
    def write_letters(cls, follow_ups):
        pass

    @classmethod
    def on_modification(cls, mode, follow_ups, field_names=None):
        super().on_modification(mode, follow_ups, field_names=field_names)
        if mode != 'delete':
            cls.end_heard([
                    f.enrolment for f in follow_ups
                    if f.done_at and f.outcome in HEARD_OUTCOMES])

    @classmethod
    def _reminders(cls, *domain):
        "Return what is planned without that the party has agreed on it"
        return cls.search([
                *domain,
                ('kind', 'in', REMINDERS),
                ('agreed', '!=', True),
                *TO_DO,
                ], order=[])

    @classmethod
    def end_answered(cls, cases):
        """End what was planned to remind the trainees of cases, who have
        answered since, and of those closed"""
        for sub_cases in grouped_slice(cases, tools.BATCH):
            sub_cases = list(sub_cases)
            ids = [c.id for c in sub_cases]
            closed = cls.search([
                    ('case', 'in', [c.id for c in sub_cases if c.closed_at]),
                    ('kind', 'in', REMINDERS),
                    *TO_DO,
                    ], order=[])
            cls.end(closed, 'closed')
            cls.end(cls._answered([
                        f for f in cls._reminders(('case', 'in', ids))
                        if f.case.state in ASKED_STATES]), 'answered')

    @classmethod
    def end_heard(cls, enrolments):
        """End what was planned, without case, to remind the parties of the
        enrolments who were heard since"""
        for sub_ids in grouped_slice(
                sorted({e.id for e in enrolments}), tools.BATCH):
            cls.end(cls._answered(cls._reminders(
                        ('enrolment', 'in', list(sub_ids)),
                        ('case', '=', None))), 'answered')

    @classmethod
    def _answered(cls, follow_ups):
        """Return those whose party was heard since they were planned: the
        trainee and those who answer with it do for each other"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Reply = pool.get('training.mail.reply')
        if not follow_ups:
            return []
        enrolments = list({f.enrolment.id for f in follow_ups})
        answering = {
            e: e.answering()
            for e in tools.browse_sets(Enrolment, enrolments, tools.BATCH)}
        heard = defaultdict(list)

        def heard_of(enrolment, party):
            if party in answering.get(enrolment, []):
                party = enrolment.trainee.party
            return heard[enrolment, party]

        for reply in Reply.search([
                    ['OR',
                        ('case.enrolment', 'in', enrolments),
                        ('enrolment', 'in', enrolments),
                        ],
                    ('kind', '=', 'answer'),
                    ], order=[]):
            enrolment = reply.case.enrolment if reply.case else reply.enrolment
            heard_of(enrolment, reply.party).append(reply.received_at)
        for other in cls.search([
                    ('enrolment', 'in', enrolments),
                    ('outcome', 'in', HEARD_OUTCOMES),
                    ('done_at', '!=', None),
                    ], order=[]):
            heard_of(other.enrolment, other.party).append(other.done_at)
        for case in {f.case for f in follow_ups if f.case}:
            if case.answered_at:
                heard_of(case.enrolment, case.enrolment.trainee.party).append(
                    case.answered_at)
        return [
            f for f in follow_ups
            if any(
                at >= f.create_date.replace(microsecond=0)
                for at in heard_of(f.enrolment, f.party))]

    @classmethod
    def copy(cls, follow_ups, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('agreed')
        default.setdefault('external_codes')
        default.setdefault('mails')
        return super().copy(follow_ups, default=default)
