# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What is done so that fewer abandon: actions, meetings, complaints"
import datetime as dt

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Date, DateTime, Eval, If
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..exceptions import ImprovementWarning, TrainingValidationError
from ..procedure.states import RESPONSIBLES

OPEN_STATES = ['planned', 'running']
PERIODS = ['before_from', 'before_to', 'after_from', 'after_to']
# What is measured, of the two periods
MEASURED = {
    'started': 'started',
    'abandoned': 'left',
    'rate': 'rate',
    }
EFFECT = [
    f'{when}_{name}' for when in ['before', 'after'] for name in MEASURED]


class _CompanyMixin:
    "What is recorded for a company"
    __slots__ = ()

    company = fields.Many2One('company.company', "Company", required=True)

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')


def _today():
    pool = Pool()
    return pool.get('ir.date').today()


class Action(_CompanyMixin, Workflow, ModelSQL, ModelView):
    "An improvement, with its effect on the rate of abandonment"
    __name__ = 'training.improvement.action'

    _states = {
        'readonly': ~Eval('state').in_(OPEN_STATES),
        }

    name = fields.Char("Action", required=True, states=_states)
    cause = fields.Many2One(
        'training.abandon.reason', "Cause", ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ('sensitive', '=', False),
            ],
        states=_states,
        help="The cause of abandonment that the action is to remove.")
    responsible = fields.Selection(
        [(None, ""), *RESPONSIBLES], "Responsible", sort=False,
        states=_states, help="Whose doing the cause is.")
    courses = fields.Many2Many(
        'training.improvement.action-training.course', 'action', 'course',
        "Courses",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states=_states,
        help="The courses that the action is about, of which the effect is "
        "measured.\n"
        "Leave empty for all of them.")
    description = fields.Text(
        "Description", states=_states,
        help="What is to be done, without naming any trainee.")
    owner = fields.Many2One(
        'company.employee', "Owner", required=True,
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states=_states, help="The employee who answers for it.")
    due_date = fields.Date(
        "Due Date", required=True, states=_states,
        help="The day by which it is to be done.")
    started_on = fields.Date(
        "Started on", readonly=True,
        help="The day on which it was begun.")
    closed_on = fields.Date(
        "Closed on", readonly=True,
        help="The day on which it was closed with its effect, or given up.")
    before_from = fields.Date(
        "From", states=_states,
        domain=[
            If(Eval('before_from') & Eval('before_to'),
                ('before_from', '<=', Eval('before_to', None)),
                ()),
            ],
        help="The first day of the period before the action.")
    before_to = fields.Date(
        "To", states=_states,
        domain=[
            If(Eval('before_to') & Eval('after_from'),
                ('before_to', '<', Eval('after_from', None)),
                ()),
            ],
        help="The last day of the period before the action.")
    after_from = fields.Date(
        "From", states=_states,
        domain=[
            If(Eval('after_from') & Eval('after_to'),
                ('after_from', '<=', Eval('after_to', None)),
                ()),
            ],
        help="The first day of the period after the action.")
    after_to = fields.Date(
        "To", states=_states, help="The last day of the period after the "
        "action.")
    before_started = fields.Integer(
        "Started before", readonly=True,
        help="The trainees who really started in the period before.")
    before_abandoned = fields.Integer(
        "Abandonments before", readonly=True,
        help="Those of them of whom an abandonment was validated until the "
        "effect was measured.")
    before_rate = fields.Float(
        "Rate before (%)", digits=(16, 1), readonly=True,
        help="The abandonments divided by the trainees started before.")
    after_started = fields.Integer(
        "Started after", readonly=True,
        help="The trainees who really started in the period after.")
    after_abandoned = fields.Integer(
        "Abandonments after", readonly=True,
        help="Those of them of whom an abandonment was validated until the "
        "effect was measured.")
    after_rate = fields.Float(
        "Rate after (%)", digits=(16, 1), readonly=True,
        help="The abandonments divided by the trainees started after.")
    conclusion = fields.Text(
        "Conclusion", states=_states,
        help="What the effect shows and what is done next.")
    meetings = fields.Many2Many(
        'training.improvement.meeting-action', 'action', 'meeting',
        "Meetings", readonly=True, help="Where it was decided or followed.")
    events = fields.Many2Many(
        'training.improvement.event-action', 'action', 'event',
        "Complaints and Hazards", readonly=True,
        help="What made it needed.")
    state = fields.Selection([
            ('planned', "Planned"),
            ('running', "Running"),
            ('closed', "Closed"),
            ('cancelled', "Given up"),
            ], "State", readonly=True, required=True, sort=False,
        help="A closed action keeps the effect that was measured.")

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(Index(
                t, (t.state, Index.Equality(cardinality='low')),
                where=t.state.in_(OPEN_STATES)))
        cls._order = [('due_date', 'DESC'), ('id', 'DESC')]
        cls._transitions |= {
            ('planned', 'running'),
            ('planned', 'cancelled'),
            ('running', 'closed'),
            ('running', 'cancelled'),
            }
        cls._buttons.update(
            run={
                'invisible': Eval('state') != 'planned',
                'depends': ['state'],
                },
            measure={
                'invisible': Eval('state') != 'running',
                'depends': ['state'],
                },
            close={
                'invisible': Eval('state') != 'running',
                'depends': ['state'],
                },
            cancel={
                'invisible': ~Eval('state').in_(OPEN_STATES),
                'depends': ['state'],
                })

    @classmethod
    def default_state(cls):
        return 'planned'

    @classmethod
    def default_owner(cls):
        return tools.default_employee()

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(~Eval('state').in_(OPEN_STATES), 'muted',
                    If(Eval('due_date', dt.date.max) < Date(start=DateTime()),
                        'danger', ''))),
            ]

    @classmethod
    def check_modification(cls, mode, actions, values=None, external=False):
        super().check_modification(
            mode, actions, values=values, external=external)
        if mode != 'create':
            cls.check_open(actions)

    @classmethod
    def check_open(cls, actions):
        "Raise if an action is over"
        for action in actions:
            if action.state not in OPEN_STATES:
                raise AccessError(gettext(
                        'training_abandon.msg_improvement_closed',
                        action=action.rec_name))

    @classmethod
    def on_modification(cls, mode, actions, field_names=None):
        super().on_modification(mode, actions, field_names=field_names)
        if mode == 'write' and field_names & {*PERIODS, 'courses'}:
            cls.forget_effect(actions)

    @classmethod
    def forget_effect(cls, actions):
        "Empty the effect, that was measured of something else"
        stale = [
            a for a in actions
            if any(getattr(a, name) is not None for name in EFFECT)]
        if stale:
            with without_check_access():
                cls.write(stale, dict.fromkeys(EFFECT))

    @classmethod
    def copy(cls, actions, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('state', cls.default_state())
        for name in ['started_on', 'closed_on', 'conclusion', 'meetings',
                'events', *PERIODS, *EFFECT]:
            default.setdefault(name)
        return super().copy(actions, default=default)

    @classmethod
    @ModelView.button
    @Workflow.transition('running')
    def run(cls, actions):
        cls.write(actions, {'started_on': _today()})

    @classmethod
    @ModelView.button
    def measure(cls, actions):
        "Measure the rate of abandonment before and after the actions"
        to_write = []
        for action in actions:
            if action.state != 'running':
                continue
            to_write += [[action], {
                    f'{when}_{name}': value
                    for when in ['before', 'after']
                    for name, value in action._measured(when).items()}]
        if to_write:
            cls.write(*to_write)

    def _measured(self, when):
        "Return the numbers of the period"
        pool = Pool()
        Indicator = pool.get('training.indicator.company')
        start, end = (getattr(self, f'{when}_{n}') for n in ['from', 'to'])
        if not start or not end:
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_improvement_periods',
                    action=self.rec_name))
        with Transaction().set_context(
                company=self.company.id, from_date=start, to_date=end,
                course=None, courses=[c.id for c in self.courses]):
            rows = Indicator.search([])
            numbers = dict.fromkeys(MEASURED, 0)
            numbers['rate'] = None
            for row in rows:
                numbers = {n: getattr(row, m) for n, m in MEASURED.items()}
        return numbers

    @classmethod
    @ModelView.button
    @Workflow.transition('closed')
    def close(cls, actions):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        cls.measure(actions)
        for action in actions:
            if action.after_to >= tools.today(action.company):
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_improvement_not_over',
                        action=action.rec_name))
        early = [
            a for a in actions
            if a.started_on and a.after_from < a.started_on]
        if early:
            key = Warning.format('training_improvement_early', early)
            if Warning.check(key):
                raise ImprovementWarning(key, gettext(
                        'training_abandon.msg_improvement_early',
                        actions=tools.names(early)))
        cls.write(actions, {'closed_on': _today()})

    @classmethod
    @ModelView.button
    @Workflow.transition('cancelled')
    def cancel(cls, actions):
        cls.write(actions, {'closed_on': _today()})


class ActionCourse(ModelSQL):
    __name__ = 'training.improvement.action-training.course'

    action = fields.Many2One(
        'training.improvement.action', "Action", required=True,
        ondelete='CASCADE')
    course = fields.Many2One(
        'training.course', "Course", required=True, ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('action')

    @classmethod
    def check_modification(cls, mode, links, values=None, external=False):
        pool = Pool()
        Action = pool.get('training.improvement.action')
        super().check_modification(
            mode, links, values=values, external=external)
        Action.check_open({x.action for x in links})

    @classmethod
    def on_modification(cls, mode, links, field_names=None):
        pool = Pool()
        Action = pool.get('training.improvement.action')
        super().on_modification(mode, links, field_names=field_names)
        if mode != 'delete':
            # It may have been moved to one that is over
            Action.check_open({x.action for x in links})
            Action.forget_effect({x.action for x in links})


class Meeting(_CompanyMixin, ModelSQL, ModelView):
    "The minutes of a meeting about the quality"
    __name__ = 'training.improvement.meeting'

    name = fields.Char("Subject", required=True)
    date = fields.Date("Date", required=True)
    employees = fields.Many2Many(
        'training.improvement.meeting-company.employee', 'meeting',
        'employee', "Participants",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The employees who took part.")
    others = fields.Char(
        "Other Participants",
        help="Who else took part, like trainers and companies.")
    minutes = fields.Text(
        "Minutes",
        help="What was said and decided, without naming any trainee.")
    attachments = fields.One2Many(
        'ir.attachment', 'resource', "Attachments",
        help="The documents of the meeting.")
    actions = fields.Many2Many(
        'training.improvement.meeting-action', 'meeting', 'action',
        "Actions",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The improvement actions that were decided or followed.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('date', 'DESC'), ('id', 'DESC')]

    @classmethod
    def default_date(cls):
        return _today()

    @classmethod
    def copy(cls, meetings, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('attachments')
        return super().copy(meetings, default=default)


class MeetingEmployee(ModelSQL):
    __name__ = 'training.improvement.meeting-company.employee'

    meeting = fields.Many2One(
        'training.improvement.meeting', "Meeting", required=True,
        ondelete='CASCADE')
    employee = fields.Many2One(
        'company.employee', "Employee", required=True, ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('meeting')


class MeetingAction(ModelSQL):
    __name__ = 'training.improvement.meeting-action'

    meeting = fields.Many2One(
        'training.improvement.meeting', "Meeting", required=True,
        ondelete='CASCADE')
    action = fields.Many2One(
        'training.improvement.action', "Action", required=True,
        ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('meeting')


class Event(_CompanyMixin, ModelSQL, ModelView):
    "A complaint, a difficulty or a hazard, and what was done about it"
    __name__ = 'training.improvement.event'

    date = fields.Date("Date", required=True)
    kind = fields.Selection([
            ('complaint', "Complaint"),
            ('difficulty', "Difficulty"),
            ('hazard', "Hazard"),
            ], "Kind", required=True, sort=False,
        help="A complaint is a written claim, a difficulty an obstacle and a "
        "hazard an event that nobody foresaw.")
    kind_string = kind.translated('kind')
    name = fields.Char("Subject", required=True)
    session = fields.Many2One(
        'training.session', "Session", ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The session in which it happened.")
    case = fields.Many2One(
        'training.abandon.case', "Case", ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            If(Eval('session'),
                ('enrolment.session', '=', Eval('session', -1)),
                ()),
            ],
        help="The case that it led to, or that it comes from.")
    description = fields.Text(
        "Description",
        help="What happened.\n"
        "Do not write any health detail.")
    answered_on = fields.Date(
        "Answered on", help="The day on which it was answered or dealt "
        "with; without it, it is still open.")
    answer = fields.Text(
        "Answer", help="What was answered or done.\n"
        "Do not write any health detail.")
    actions = fields.Many2Many(
        'training.improvement.event-action', 'event', 'action', "Actions",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The improvement actions that follow from it.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.session, Index.Equality())),
                Index(t, (t.case, Index.Equality())),
                })
        cls._order = [('date', 'DESC'), ('id', 'DESC')]

    @classmethod
    def default_date(cls):
        return _today()

    @classmethod
    def default_kind(cls):
        return 'complaint'

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Eval('answered_on'), 'muted', '')),
            ]


class EventAction(ModelSQL):
    __name__ = 'training.improvement.event-action'

    event = fields.Many2One(
        'training.improvement.event', "Complaint or Hazard", required=True,
        ondelete='CASCADE')
    action = fields.Many2One(
        'training.improvement.action', "Action", required=True,
        ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('event')
