# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The sessions whose slots come from a calendar"
import re
from collections import defaultdict

import trytond.config as config
from trytond.i18n import gettext
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.rpc import RPC
from trytond.tools import grouped_slice
from trytond.tools import timezone as tz
from trytond.transaction import Transaction, check_access, without_check_access

from .. import tools
from ..exceptions import CalendarError
from ..tools import BATCH
from ..training.working_day import WorkingCalendar
from .expansion import Expansion, Options
from .plan import Plan, writes
from .reader import Calendar

# What the calendars show of the sessions
SHOWN = {'course', 'location', 'trainers', 'state'}
# A code that is looked for in the texts of the events
CODE = re.compile(r'(?=.*\d)(?!\d{1,3}$)\S{2,}')
SEPARATORS = re.compile(r'[\s,;:()\[\]{}<>"\'!?«»|]+')
WRITTEN = {'create', 'move', 'reinstate', 'link', 'keep'}


class Session(metaclass=PoolMeta):
    __name__ = 'training.session'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__.update(
            read_calendar=RPC(),
            load_calendar=RPC(readonly=False))

    @classmethod
    def on_modification(cls, mode, sessions, field_names=None):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        super().on_modification(mode, sessions, field_names=field_names)
        if mode == 'write' and field_names & SHOWN:
            for sub_sessions in grouped_slice(sessions, BATCH):
                Slot.revise_calendar(Slot.search([
                            ('session', 'in', [s.id for s in sub_sessions]),
                            ], order=[]))

    @classmethod
    def open_calendar(cls, content, company, half_days=()):
        "Return the calendar of the file and what expands its series"
        limit = config.getint(
            'training_abandon', 'max_size', default=10 * 1024 ** 2)
        if len(content) > limit:
            raise CalendarError(gettext(
                    'training_abandon.msg_ical_size',
                    size=len(content) // 1024, max=limit // 1024))
        timezone = tz.UTC
        if company.timezone:
            timezone = tz.ZoneInfo(company.timezone)
        calendar = Calendar(content, timezone)
        return calendar, Expansion(calendar, Options(
                half_days, WorkingCalendar(company).is_working_day))

    @classmethod
    def for_calendar(cls, id):
        "Return the session if the user may import a calendar in it"
        pool = Pool()
        ModelAccess = pool.get('ir.model.access')
        with check_access():
            ModelAccess.check(cls.__name__, 'write')
            cls.read([id], ['id'])
        session = cls(id)
        session.check_calendar()
        return session

    def check_calendar(self):
        if self.state in {'done', 'cancelled'}:
            raise AccessError(gettext(
                    'training_abandon.msg_ical_session_state',
                    session=self.rec_name))

    def plan_calendar(self, expansion, missing=True):
        "Return the plan that makes the slots those of the expansion"
        self._set_trainers(expansion['slots'])
        slots = self.slots if self.id else []
        return Plan(slots, expansion, missing)

    def _set_trainers(self, slots):
        """Set the trainer of the slots whose guests, else the organizer, are
        one trainer of the company."""
        addresses = {
            a for s in slots for a in s['attendees'] + s['organizers']}
        trainers = self._trainers_by_email() if addresses else {}
        for slot in slots:
            for name in ['attendees', 'organizers']:
                parties = {
                    p for a in slot[name] for p in trainers.get(a, [])}
                if parties:
                    if len(parties) == 1:
                        slot['trainer'], = parties
                    break

    def _trainers_by_email(self):
        pool = Pool()
        Mechanism = pool.get('party.contact_mechanism')
        Trainer = pool.get('training.session-party.party')
        trainers = {
            t.trainer.id for t in Trainer.search([
                    ('session.company', '=', self.company.id),
                    ])}
        result = defaultdict(set)
        for ids in grouped_slice(list(trainers), BATCH):
            for mechanism in Mechanism.search([
                        ('party', 'in', list(ids)),
                        ('type', '=', 'email'),
                        ]):
                result[mechanism.value.lower()].add(mechanism.party.id)
        return result

    @without_check_access
    def apply_calendar(self, plan):
        "Make the changes of the plan, by who may change the session"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        self._extend(plan)
        cancelled = plan.slots('cancel')
        for slots in grouped_slice(cancelled, BATCH):
            slots = list(slots)
            Slot.cancel(slots)
            Slot.write(slots, {'calendar_status': 'cancelled'})
        for slots in grouped_slice(plan.slots('reinstate'), BATCH):
            Slot.plan(list(slots))
        for pairs in grouped_slice(writes(plan.changes), BATCH):
            actions = []
            for slot, values in pairs:
                actions += [[slot], values]
            Slot.write(*actions)
        for changes in grouped_slice(plan.of('create'), BATCH):
            Slot.create([
                    {**c.values, 'session': self.id} for c in changes])

    def _extend(self, plan):
        "Include the dates and the trainers of the slots"
        changes = [c for c in plan.changes if c.action in WRITTEN]
        dates = [c.planned['date'] for c in changes]
        values = {
            'start_date': min([self.start_date, *dates]),
            'end_date': max([self.end_date, *dates]),
            }
        values = {
            name: value for name, value in values.items()
            if getattr(self, name) != value}
        trainers = {c.planned.get('trainer') for c in changes} - {
            None, *(t.id for t in self.trainers)}
        if trainers:
            values['trainers'] = [('add', sorted(trainers))]
        if values:
            self.write([self], values)

    @classmethod
    def read_calendar(
            cls, content, source, code=None, half_days=(), extend=False):
        """Return the events of the calendar by session.

        The values that describe a session are those that load_calendar
        takes."""
        pool = Pool()
        Company = pool.get('company.company')
        company = Company(Transaction().context['company'])
        calendar, expansion = cls.open_calendar(content, company, half_days)
        finder = SessionFinder(company, source, [
                one.uid for one in calendar.series.values()
                if one.event and one.event.untitled])
        series, rejected = defaultdict(list), calendar.problems
        unread = [
            (one.uid, None) for one in calendar.series.values()
            if None in one.broken]
        if code:
            series[finder.by_code(code), None].extend(
                calendar.series.values())
        else:
            for one in calendar.series.values():
                if event := one.event:
                    try:
                        if found := finder.find(event):
                            series[found].append(one)
                    except CalendarError as exc:
                        rejected.append(event.problem(exc.message))
                        unread.append((one.uid, None))
        groups = {}
        for (session, title), some in series.items():
            dates = []
            if session:
                dates = [session.start_date, session.end_date]
            result = expansion.expand(
                some, *dates, extend=extend or bool(title))
            # A session has events by its codes and others by its title
            group = groups.setdefault(session or title, {
                    'session': session.id if session else None,
                    'title': title,
                    'source': source,
                    'partial': calendar.partial,
                    'kept': unread.copy(),
                    })
            for name, values in result.items():
                group[name] = group.get(name, []) + values
        return {'groups': list(groups.values()), 'rejected': rejected}

    @classmethod
    def load_calendar(cls, group, missing=True, apply=True):
        "Make the slots of a session those of the group, return the lines"
        if group['session']:
            session = cls.for_calendar(group['session'])
            if apply:
                tools.lock(cls, [session])
        elif group['slots']:
            session = cls.from_calendar(group)
        else:
            return []
        plan = session.plan_calendar(
            group, missing and not group['partial'])
        if apply:
            if not session.id:
                session.course.save()
                session.save()
                cls.plan([session])
            session.apply_calendar(plan)
        return plan.lines()

    @classmethod
    def from_calendar(cls, group):
        "Return a new session for events without session"
        pool = Pool()
        Company = pool.get('company.company')
        Course = pool.get('training.course')
        ExternalCode = pool.get('training.external_code')
        company = Company(Transaction().context['company'])
        title = group['title']
        domain = [
            ('company', 'in', [company.id, None]),
            ['OR', ('code', '=', title), ('name', '=', title)],
            ]
        # A closed course takes no session, but is not made once more
        courses = Course.search(domain, limit=2) or Course.search(
            [*domain, ('active', '=', False)], limit=1)
        if len(courses) > 1:
            raise CalendarError(gettext(
                    'training_abandon.msg_ical_courses', title=title))
        course, = courses or [Course(name=title, company=company)]
        dates = [slot['date'] for slot in group['slots']]
        return cls(
            company=company, course=course, start_date=min(dates),
            end_date=max(dates), trainers=[], external_codes=[
                ExternalCode(source=group['source'], code=title)])


class SessionFinder:
    """Finds the session of an event by the codes that its texts have, or by
    its slots if it is one of uids."""

    def __init__(self, company, source, uids=()):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        ExternalCode = pool.get('training.external_code')
        Session = pool.get('training.session')
        numbers = {
            s['id']: s['number'] for s in Session.search_read([
                    ('company', '=', company.id),
                    ], fields_names=['number'])}
        self._codes = {
            number: Session(id) for id, number in numbers.items() if number}
        for code in ExternalCode.search_read([
                    ('source', '=', source),
                    ('model', '=', Session.__name__),
                    ], fields_names=['code', 'record']):
            id = int(code['record'].partition(',')[2])
            if id in numbers:
                self._codes[code['code']] = Session(id)
        self._words = {
            code.casefold(): session for code, session in self._codes.items()
            if CODE.fullmatch(code)}
        self._uids = defaultdict(set)
        for sub_uids in grouped_slice(uids, BATCH):
            for slot in Slot.search_read([
                        ('uid', 'in', list(sub_uids)),
                        ('session.company', '=', company.id),
                        ], fields_names=['uid', 'session']):
                self._uids[slot['uid']].add(Session(slot['session']))

    def by_code(self, code):
        if code not in self._codes:
            raise CalendarError(gettext(
                    'training_abandon.msg_ical_session_unknown', code=code))
        return self._codes[code]

    def find(self, event):
        """Return the session and None, or the title of the session that is
        made of the events which have it.

        Return None for what was cancelled before it was known."""
        for text in [event.title, event.categories, event.description]:
            words = SEPARATORS.split(text.casefold())
            found = {
                self._words[word] for w in words
                if (word := w.strip('.#-–')) in self._words}
            if found:
                return self._only(found), None
        if event.untitled:
            found = self._uids[event.uid]
            return (self._only(found), None) if found else None
        title = event.title[:200].strip()
        if not title:
            raise CalendarError(gettext(
                    'training_abandon.msg_ical_no_summary'))
        return self._codes.get(title), title

    def _only(self, sessions):
        if len(sessions) > 1:
            raise CalendarError(gettext(
                    'training_abandon.msg_ical_sessions',
                    sessions=', '.join(sorted(s.number for s in sessions))))
        session, = sessions
        return session
