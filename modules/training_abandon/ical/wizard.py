# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import Counter

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..exceptions import CalendarError

# The most lines of the preview
LINES = 500
HALF_DAYS = ['morning_start', 'morning_end', 'afternoon_start',
    'afternoon_end']


class Import(Wizard):
    __name__ = 'training.session.import_ical'

    start = StateView(
        'training.session.import_ical.start',
        'training_abandon.session_import_ical_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Import", 'apply', 'tryton-ok'),
            Button("Preview", 'preview', 'tryton-forward', default=True),
            ])
    preview = StateView(
        'training.session.import_ical.preview',
        'training_abandon.session_import_ical_preview_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Back", 'start', 'tryton-back', validate=False),
            Button("Import", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        # Back from the preview
        values = {
            name: getattr(self.start, name) for name in fields
            if getattr(self.start, name, None) is not None}
        if session := values.get('session', self.record):
            values['session'] = session.id
        company = session.company.id if session else None
        configuration = Configuration(1)
        for name in HALF_DAYS:
            if name not in values:
                values[name] = configuration.get_multivalue(
                    name, company=company)
        return values

    def default_preview(self, fields):
        session, plan, problems = self.plan()
        problems = [self._problem(p) for p in problems]
        lines = [self._line(line) for line in plan.lines()]
        counts = Counter(line['action'] for line in problems + lines)
        lines = problems + [l for l in lines if l['action'] != 'keep']
        return {
            'created': counts['create'],
            'updated': sum(
                counts[a] for a in ['move', 'reinstate', 'link']),
            'cancelled': counts['cancel'],
            'unchanged': counts['keep'],
            'conflicts': counts['conflict'],
            'rejected': counts['reject'],
            'skipped': counts['skip'],
            'hidden': max(len(lines) - LINES, 0),
            'lines': lines[:LINES],
            }

    def transition_apply(self):
        pool = Pool()
        Session = pool.get('training.session')
        # What is shown may have changed since
        tools.lock(Session, [self.get_session()])
        session, plan, _ = self.plan()
        session.apply_calendar(plan)
        return 'end'

    def plan(self):
        "Return the session, its plan and the problems of the calendar"
        session = self.get_session()
        calendar, expansion = session.open_calendar(
            bytes(self.start.file or b''), session.company,
            self.start.get_half_days())
        result = expansion.expand(
            calendar.series.values(), session.start_date, session.end_date,
            extend=bool(self.start.extend))
        plan = session.plan_calendar(
            result, bool(self.start.missing) and not calendar.partial)
        return session, plan, calendar.problems + result['problems']

    def get_session(self):
        pool = Pool()
        Session = pool.get('training.session')
        if not self.start.session:
            raise CalendarError(gettext(
                    'training_abandon.msg_request_records'))
        return Session.for_calendar(self.start.session.id)

    def _problem(self, problem):
        dates = [self._date(d) for d in problem['dates']]
        if len(dates) > 2:
            dates = [f'{dates[0]} – {dates[-1]} ({len(dates)})']
        return {
            'action': 'skip' if problem['skipped'] else 'reject',
            'new': ', '.join(dates),
            'summary': problem['summary'],
            'uid': problem['uid'],
            'line': problem['line'],
            'reason': problem['reason'],
            }

    def _line(self, line):
        return {
            **{name: line[name] for name in [
                    'action', 'summary', 'uid', 'line', 'reason']},
            'old': self._times(line['old']),
            'new': self._times(line['new']),
            }

    def _times(self, times):
        if times:
            date, start, end = times
            return f'{self._date(date)} {start:%H:%M} – {end:%H:%M}'

    def _date(self, date):
        pool = Pool()
        Lang = pool.get('ir.lang')
        return Lang.get().strftime(date)


class ImportStart(ModelView):
    __name__ = 'training.session.import_ical.start'

    session = fields.Many2One(
        'training.session', "Session", required=True,
        domain=[
            ('state', 'in', ['draft', 'planned', 'running']),
            ])
    file = fields.Binary(
        "File", required=True, filename='file_name',
        help="The calendar in iCalendar format (.ics).")
    file_name = fields.Char("File Name")
    missing = fields.Boolean(
        "Cancel Missing",
        help="Check to cancel the planned slots that come from a calendar "
        "and whose event is no longer in the file.")
    extend = fields.Boolean(
        "Extend Session",
        help="Check to extend the dates of the session to those of the "
        "events.\n"
        "Otherwise, the events outside are not imported.")
    half_days = fields.Boolean(
        "Plan All-Day Events",
        help="Check to make half-days of the events without time.")
    _states = {
        'invisible': ~Eval('half_days', False),
        'required': Bool(Eval('half_days', False)),
        }
    morning_start = fields.Time(
        "Morning Start", format='%H:%M', states=_states,
        help="When the slots of the morning begin; leave empty when there "
        "is no training in the morning.")
    morning_end = fields.Time(
        "Morning End", format='%H:%M', states=_states,
        help="When the slots of the morning end; leave empty when there is "
        "no training in the morning.")
    afternoon_start = fields.Time(
        "Afternoon Start", format='%H:%M', states=_states,
        help="When the slots of the afternoon begin; leave empty when there "
        "is no training in the afternoon.")
    afternoon_end = fields.Time(
        "Afternoon End", format='%H:%M', states=_states,
        help="When the slots of the afternoon end; leave empty when there "
        "is no training in the afternoon.")
    del _states

    @classmethod
    def default_missing(cls):
        return True

    def get_half_days(self):
        "Return the times of the events without time"
        if not self.half_days:
            return []
        times = [getattr(self, name) for name in HALF_DAYS]
        if None in times or sorted(set(times)) != times:
            raise CalendarError(gettext(
                    'training_abandon.msg_ical_half_days'))
        return [tuple(times[:2]), tuple(times[2:])]


class ImportPreview(ModelView):
    __name__ = 'training.session.import_ical.preview'

    created = fields.Integer(
        "Created", readonly=True, help="The slots planned from new events.")
    updated = fields.Integer(
        "Updated", readonly=True,
        help="The slots that are moved, or planned again.")
    cancelled = fields.Integer(
        "Cancelled", readonly=True,
        help="The slots whose event is cancelled or gone.")
    unchanged = fields.Integer(
        "Unchanged", readonly=True,
        help="The slots that are already as their event.")
    conflicts = fields.Integer(
        "Conflicts", readonly=True,
        help="The slots that differ from the calendar and are kept.")
    rejected = fields.Integer(
        "Rejected", readonly=True,
        help="The events that can not be imported.")
    skipped = fields.Integer(
        "Skipped", readonly=True,
        help="The events that cover days which are not working days.")
    hidden = fields.Integer(
        "Lines not Shown", readonly=True,
        states={
            'invisible': ~Eval('hidden', 0),
            },
        help="The lines beyond the first ones: they are imported too.")
    lines = fields.One2Many(
        'training.session.import_ical.line', None, "Changes", readonly=True,
        help="What the import changes: what is rejected and in conflict "
        "comes first.")


class ImportLine(ModelView):
    __name__ = 'training.session.import_ical.line'

    action = fields.Selection([
            ('reject', "Rejected"),
            ('skip', "Skipped"),
            ('conflict', "Conflict"),
            ('cancel', "Cancel"),
            ('move', "Move"),
            ('reinstate', "Reinstate"),
            ('create', "Create"),
            ('link', "Link"),
            ('keep', "Unchanged"),
            ], "Action", readonly=True, sort=False,
        help="What the import does with the event.")
    old = fields.Char(
        "Before", readonly=True,
        help="The times and the trainer of the slot before the import.")
    new = fields.Char(
        "After", readonly=True,
        help="The times and the trainer of the slot after the import.")
    summary = fields.Char(
        "Event", readonly=True, help="The title of the event in the calendar.")
    reason = fields.Char(
        "Reason", readonly=True,
        help="Why the event is rejected, skipped or in conflict.")
    line = fields.Integer(
        "Line", readonly=True, help="Where the event is in the file.")
    uid = fields.Char(
        "UID", readonly=True,
        help="The identifier of the event in the calendar it comes from.")

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('action') == 'reject', 'danger',
                    If(Eval('action') == 'conflict', 'warning', ''))),
            ]
