# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

from ..exceptions import SlotError
from .slot_generation import GenerationMixin


class Session(GenerationMixin, Workflow, ModelSQL, ModelView):
    __name__ = 'training.session'
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
        "Origin", selection='get_origin', readonly=True)
    external_codes = fields.One2Many(
        'training.external_code', 'record', "External Codes")
    state = fields.Selection([
            ('draft', "Draft"),
            ('planned', "Planned"),
            ('running', "Running"),
            ('done', "Done"),
            ('cancelled', "Cancelled"),
            ], "State", readonly=True, required=True, sort=False)

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
        _, operator, operand, *extra = clause
        if operator.startswith('!') or operator.startswith('not '):
            bool_op = 'AND'
        else:
            bool_op = 'OR'
        return [bool_op,
            ('number', operator, operand, *extra),
            ('course.rec_name', operator, operand, *extra),
            ]

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
        if mode == 'delete':
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
        pass

    @classmethod
    @ModelView.button
    @Workflow.transition('planned')
    def plan(cls, sessions):
        pass

    @classmethod
    @ModelView.button
    @Workflow.transition('running')
    def run(cls, sessions):
        pass

    @classmethod
    @ModelView.button
    @Workflow.transition('done')
    def do(cls, sessions):
        pass

    @classmethod
    @ModelView.button
    @Workflow.transition('cancelled')
    def cancel(cls, sessions):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        slots = [s for n in sessions for s in n.slots]
        for slot in slots:
            if slot.state == 'open':
                raise SlotError(gettext(
                        'training_abandon.msg_session_cancel_slot_open',
                        session=slot.session.rec_name,
                        slot=slot.rec_name))
        Slot.cancel([s for s in slots if s.state == 'planned'])


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
