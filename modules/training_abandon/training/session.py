# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext, ngettext
from trytond.model import Index, ModelSQL, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import SessionCancelWarning, SessionDoneWarning, SlotError
from ..global_search import GlobalSearchMixin
from ..rec_name import CompletionMixin, search_names
from .enrolment import CURRENT_STATES
from .slot_generation import GenerationMixin

# The most slots or trainees that a message names
NAMED = 5


class Session(
        CompletionMixin, GlobalSearchMixin, GenerationMixin, Workflow,
        ModelSQL, ModelView):
    __name__ = 'training.session'
    _given_fields = {'number'}
    _rec_name = 'number'

    _states = {
        'readonly': Eval('state').in_(['done', 'cancelled']),
        }

    number = fields.Char("Number", readonly=True)
    course = fields.Many2One(
        'training.course', "Course", required=True, ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states=_states)
    company = fields.Many2One(
        'company.company', "Company", required=True,
        states={
            'readonly': _states['readonly'] | Eval('slots', [0]),
            })
    start_date = fields.Date(
        "Start Date", required=True,
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('start_date', '<=', Eval('end_date', None)),
                ()),
            ],
        states=_states)
    end_date = fields.Date(
        "End Date", required=True,
        domain=[
            If(Eval('start_date') & Eval('end_date'),
                ('end_date', '>=', Eval('start_date', None)),
                ()),
            ],
        states=_states)
    location = fields.Many2One(
        'party.address', "Location", ondelete='RESTRICT', states=_states,
        help="Where the training takes place.")
    trainers = fields.Many2Many(
        'training.session-party.party', 'session', 'trainer', "Trainers",
        context={
            'company': Eval('company', -1),
            },
        states=_states, depends={'company'})
    slots = fields.One2Many(
        'training.session.slot', 'session', "Slots", states=_states,
        help="The half-days or sittings for which attendance is recorded.")
    enrolments = fields.One2Many(
        'training.enrolment', 'session', "Enrolments",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states=_states)
    groups = fields.One2Many(
        'training.session.group', 'session', "Groups", states=_states,
        help="The groups of trainees for which some slots are.")
    origin = fields.Reference(
        "Origin", selection='get_origin', readonly=True,
        help="What the session comes from, like a task of a project.")
    external_codes = fields.One2Many(
        'training.external_code', 'record', "External Codes",
        help="The codes by which the imports find the record again.")
    state = fields.Selection([
            ('draft', "Draft"),
            ('planned', "Planned"),
            ('running', "Running"),
            ('done', "Done"),
            ('cancelled', "Cancelled"),
            ], "State", readonly=True, required=True, sort=False,
        help="A session runs from its first official sheet; once done or "
        "cancelled, it takes neither slots nor enrolments.")
    state_string = state.translated('state')

    del _states

    @classmethod
    def __setup__(cls):
        cls.number.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.state, Index.Equality(cardinality='low')),
                where=t.state.in_(['draft', 'planned', 'running'])))
        cls._order.insert(0, ('start_date', 'DESC'))
        cls._transitions |= {
            ('draft', 'planned'),
            ('planned', 'draft'),
            ('planned', 'running'),
            ('running', 'planned'),
            ('running', 'done'),
            ('done', 'running'),
            ('draft', 'cancelled'),
            ('planned', 'cancelled'),
            ('running', 'cancelled'),
            ('cancelled', 'draft'),
            }
        cls._buttons.update(
            draft={
                'invisible': ~Eval('state').in_(['planned', 'cancelled']),
                'icon': If(Eval('state') == 'cancelled',
                    'tryton-undo', 'tryton-back'),
                'depends': ['state'],
                },
            plan={
                'invisible': ~Eval('state').in_(['draft', 'running']),
                'icon': If(Eval('state') == 'running',
                    'tryton-back', 'tryton-forward'),
                'depends': ['state'],
                },
            run={
                'invisible': ~Eval('state').in_(['planned', 'done']),
                'icon': If(Eval('state') == 'done',
                    'tryton-back', 'tryton-forward'),
                'depends': ['state'],
                },
            do={
                'invisible': Eval('state') != 'running',
                'depends': ['state'],
                },
            cancel={
                'invisible': ~Eval('state').in_(
                    ['draft', 'planned', 'running']),
                'depends': ['state'],
                })

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_state(cls):
        return 'draft'

    @classmethod
    def _get_origin(cls):
        "Return list of Model names for origin Reference"
        return []

    @classmethod
    def get_origin(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        get_name = Model.get_name
        return [(None, "")] + [(m, get_name(m)) for m in cls._get_origin()]

    def get_rec_name(self, name):
        return f'{self.number} - {self.course.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'number', 'course.rec_name')

    @classmethod
    def preprocess_values(cls, mode, values):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        values = super().preprocess_values(mode, values)
        if mode == 'create' and not values.get('number'):
            company_id = values.get('company', cls.default_company())
            if company_id is not None:
                configuration = Configuration(1)
                if sequence := configuration.get_multivalue(
                        'session_sequence', company=company_id):
                    values['number'] = sequence.get()
        return values

    @classmethod
    def validate_fields(cls, sessions, field_names):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        super().validate_fields(sessions, field_names)
        if field_names is None or field_names & {'start_date', 'end_date'}:
            Slot.check_times([s for n in sessions for s in n.slots])
            Enrolment.check_dates(
                [e for n in sessions for e in n.enrolments])

    @classmethod
    def check_modification(cls, mode, sessions, values=None, external=False):
        super().check_modification(
            mode, sessions, values=values, external=external)
        if mode == 'create':
            cls._check_course(sessions)
        elif mode == 'write' and values.get('course'):
            cls._check_new_course(sessions, values['course'])
        elif mode == 'delete':
            for session in sessions:
                if session.state not in {'draft', 'cancelled'}:
                    raise AccessError(gettext(
                            'training_abandon.msg_session_delete_draft',
                            session=session.rec_name))

    @classmethod
    def copy(cls, sessions, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('number')
        default.setdefault('slots')
        default.setdefault('enrolments')
        default.setdefault('groups')
        default.setdefault('origin')
        default.setdefault('external_codes')
        return super().copy(sessions, default=default)

    @classmethod
    @ModelView.button
    @Workflow.transition('draft')
    def draft(cls, sessions):
        cls._give_back([s for s in sessions if s.state == 'cancelled'])

    @classmethod
    @ModelView.button
    @Workflow.transition('planned')
    def plan(cls, sessions):
        cls._check_course([s for s in sessions if s.state == 'draft'])

    @classmethod
    @ModelView.button
    @Workflow.transition('running')
    def run(cls, sessions):
        cls._give_back([s for s in sessions if s.state == 'done'])

    @classmethod
    @ModelView.button
    def do(cls, sessions):
        sessions = [s for s in sessions if s.state == 'running']
        cls._warn_not_held(sessions)
        cls._do(sessions)
        cls._complete_enrolments(sessions)
        cls.on_done(sessions)

    @classmethod
    @Workflow.transition('done')
    def _do(cls, sessions):
        pass

    @classmethod
    def on_done(cls, sessions):
        "Hook called once the sessions are done"

    @classmethod
    @ModelView.button
    def cancel(cls, sessions):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        sessions = [
            s for s in sessions if (s.state, 'cancelled') in cls._transitions]
        cls._check_no_open_slot(sessions)
        cls._warn_cancel(sessions)
        cls._cancel(sessions)
        # The user has been warned of what ends with the session
        with Transaction().set_context(_skip_warnings=True):
            Enrolment.follow_session(
                cls._search_enrolments(sessions, CURRENT_STATES))

    @classmethod
    @Workflow.transition('cancelled')
    def _cancel(cls, sessions):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Slot.cancel([
                s for n in sessions for s in n.slots
                if s.state == 'planned'])

    @classmethod
    def _check_no_open_slot(cls, sessions):
        slots = [s for n in sessions for s in n.slots]
        for slot in slots:
            if slot.state == 'open':
                raise SlotError(gettext(
                        'training_abandon.msg_session_cancel_slot_open',
                        session=slot.session.rec_name,
                        slot=slot.rec_name))

    @classmethod
    def _warn_cancel(cls, sessions):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        if consequences := cls.cancel_consequences(sessions):
            key = Warning.format('training_session_cancel', sessions)
            if Warning.check(key):
                raise SessionCancelWarning(key, gettext(
                        'training_abandon.msg_session_cancel',
                        sessions=tools.names(sessions, NAMED),
                        consequences='\n'.join(consequences)))

    @classmethod
    def cancel_consequences(cls, sessions):
        "Return the list of the words for what ends with the sessions"
        enrolments = cls._search_enrolments(sessions, CURRENT_STATES)
        return [ngettext(
                'training_abandon.msg_session_cancel_enrolments',
                len(enrolments), count=len(enrolments),
                names=tools.names(
                    [e.trainee for e in enrolments], NAMED),
                )] if enrolments else []

    @classmethod
    def _warn_not_held(cls, sessions):
        "Warn of the slots in the past whose sheet is not official"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Warning = pool.get('res.user.warning')
        slots = Slot.search([
                ('session', 'in', [s.id for s in sessions]),
                ('state', 'in', ['planned', 'open']),
                ('end_at', '<=', tools.now()),
                ])
        if not slots:
            return
        key = Warning.format('training_session_done', slots)
        if Warning.check(key):
            raise SessionDoneWarning(key, ngettext(
                    'training_abandon.msg_session_done_not_held',
                    len(slots), count=len(slots),
                    slots=', '.join(tools.first(
                            (s.rec_name for s in slots), NAMED))))

    @classmethod
    def _complete_enrolments(cls, sessions):
        """Complete the enrolments of those who have attended the sessions
        and tell which are left."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolments = cls._search_enrolments(
            sessions, ['confirmed', 'started', 'suspended'])
        running = [e for e in enrolments if e.state != 'suspended']
        completed = set(Enrolment.attended(running))
        completed -= set(Enrolment.kept_open(list(completed)))
        Enrolment.end_with_session(
            [e for e in running if e in completed], 'completed')
        if left := [e for e in enrolments if e not in completed]:
            cls.notify_user(
                sessions, 'tryton-info', ngettext(
                    'training_abandon.msg_session_done_left',
                    len(left), count=len(left)),
                ', '.join(tools.first(
                        (f'{e.trainee.rec_name} ({e.state_string})'
                            for e in left), NAMED)))

    @classmethod
    def _give_back(cls, sessions):
        "Give back the enrolments that ended with the sessions"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Enrolment.give_back([
                e for e in cls._search_enrolments(
                    sessions, ['withdrawn', 'completed', 'cancelled'])
                if e.previous_state])

    @classmethod
    def _search_enrolments(cls, sessions, states):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolments = []
        for sub_sessions in grouped_slice(sessions, tools.BATCH):
            enrolments += Enrolment.search([
                    ('session', 'in', [s.id for s in sub_sessions]),
                    ('state', 'in', states),
                    ], order=[('id', 'ASC')])
        return enrolments

    @classmethod
    def _check_new_course(cls, sessions, course):
        pool = Pool()
        Course = pool.get('training.course')
        if any(s.course.id != course for s in sessions):
            Course(course).check_open()

    @classmethod
    def _check_course(cls, sessions):
        for session in sessions:
            session.course.check_open()

    @property
    def has_ended(self):
        "If the session takes neither slots nor enrolments any more"
        return self.state in {'done', 'cancelled'}


class Session_Trainer(ModelSQL):
    __name__ = 'training.session-party.party'

    session = fields.Many2One(
        'training.session', "Session", required=True, ondelete='CASCADE')
    trainer = fields.Many2One(
        'party.party', "Trainer", required=True, ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('session')
        t = cls.__table__()
        cls._sql_indexes.add(Index(t, (t.trainer, Index.Equality())))
