# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import defaultdict
from decimal import Decimal
from weakref import WeakKeyDictionary

from sql import Literal, Null, Union
from sql.aggregate import Sum
from sql.conditionals import Coalesce

from trytond.i18n import gettext
from trytond.model import (
    Index, ModelSQL, ModelView, Workflow, fields, sequence_ordered)
from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.modules.currency.fields import Monetary
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.report import Report
from trytond.rpc import RPC
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..exceptions import (
    AgreedHoursError, AgreedHoursWarning, EnrolmentDuplicateError,
    SessionError, TrainingValidationError)
from ..rec_name import CompletionMixin, search_names
from ..tools import BATCH
from .event import EventsMixin
from .group import GroupsMixin
from .period import PeriodsMixin
from .res import HOURS_CONVERTER
from .trainee import is_of_age_at

ZERO = dt.timedelta()
# By transaction, the numbers of the enrolments that it creates confirmed
_enrolling = WeakKeyDictionary()

# States in which the trainee follows, or is going to follow, the session
CURRENT_STATES = ['draft', 'confirmed', 'started', 'suspended']
# States that the decision of a case gives
ENDED_STATES = ['suspended', 'withdrawn', 'cancelled']


class Enrolment(
        CompletionMixin, PeriodsMixin, GroupsMixin, EventsMixin, Workflow,
        ModelSQL, ModelView):
    __name__ = 'training.enrolment'
    _given_fields = {'number'}
    _rec_name = 'number'

    _states = {
        'readonly': ~Eval('state').in_(['draft', 'confirmed', 'started']),
        }
    _party_context = {
        'company': Eval('company', -1),
        }

    number = fields.Char("Number", readonly=True)
    trainee = fields.Many2One(
        'training.trainee', "Trainee", required=True, ondelete='RESTRICT',
        states={
            'readonly': (Eval('state') != 'draft') & Eval('trainee'),
            })
    session = fields.Many2One(
        'training.session', "Session", required=True, ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'readonly': (Eval('state') != 'draft') & Eval('session'),
            })
    course = fields.Function(fields.Many2One(
            'training.course', "Course"),
        'on_change_with_course', searcher='search_course')
    company = fields.Many2One(
        'company.company', "Company", required=True,
        states={
            'readonly': (Eval('state') != 'draft') | Eval('session'),
            })
    start_date = fields.Date(
        "Start Date",
        domain=[
            If(Eval('start_date') & Eval('end_date')
                & ~Eval('state').in_(['cancelled']),
                ('start_date', '<=', Eval('end_date', None)),
                ()),
            ],
        states=_states,
        help="Leave empty for the start of the session.")
    end_date = fields.Date(
        "End Date",
        domain=[
            If(Eval('start_date') & Eval('end_date')
                & ~Eval('state').in_(['cancelled']),
                ('end_date', '>=', Eval('start_date', None)),
                ()),
            ],
        states=_states,
        help="The last day on which the trainee is expected.\n"
        "Leave empty for the end of the session.")
    agreed_hours = fields.TimeDelta(
        "Agreed Hours", 'training_hours',
        states={
            'readonly': Eval('state') != 'draft',
            },
        help="The time of the agreement, on which the price rests.\n"
        "Leave empty for the duration of the course or of the slots.")
    prescriber = fields.Many2One(
        'party.party', "Prescriber", ondelete='RESTRICT',
        context=_party_context, depends={'company'}, states=_states,
        help="The organisation that referred the trainee and is told of "
        "the absences.")
    client = fields.Many2One(
        'party.party', "Client", ondelete='RESTRICT',
        context=_party_context, depends={'company'}, states=_states,
        help="The party that ordered the training.")
    employer = fields.Many2One(
        'party.party', "Employer", ondelete='RESTRICT',
        context=_party_context, depends={'company'}, states=_states,
        help="The company in which the trainee works, one of the "
        "stakeholders who are written to.")
    agreement_kind = fields.Selection([
            ('agreement', "Training Agreement"),
            ('contract', "Training Contract"),
            ('cpf', "Personal Training Account (CPF)"),
            ('apprenticeship', "Apprenticeship Contract"),
            ('public_funding', "Public Funding"),
            ], "Agreement", required=True, sort=False, states=_states,
        help="What binds the provider and the trainee or who pays; a "
        "personal training account has usually no prescriber.")
    currency = fields.Many2One(
        'currency.currency', "Currency", required=True, states=_states)
    price = Monetary(
        "Price", currency='currency', digits='currency',
        domain=['OR',
            ('price', '=', None),
            ('price', '>=', 0),
            ],
        states=_states,
        help="The price of the training excluding taxes.")
    indivisible_fees = Monetary(
        "Indivisible Fees", currency='currency', digits='currency',
        domain=['OR',
            ('indivisible_fees', '=', None),
            ('indivisible_fees', '>=', 0),
            ],
        states=_states,
        help="The part of the price that does not depend on the time "
        "attended, like the registration or the materials delivered.")
    fundings = fields.One2Many(
        'training.enrolment.funding', 'enrolment', "Fundings",
        states=_states, help="Who pays for the training, and how much.")
    contacts = fields.One2Many(
        'training.enrolment.contact', 'enrolment', "Contacts",
        help="The persons who are written to for the organisations "
        "of the enrolment.")
    external_codes = fields.One2Many(
        'training.external_code', 'record', "External Codes",
        help="The codes by which the imports find the record again.")
    state = fields.Selection([
            ('draft', "Draft"),
            ('confirmed', "Confirmed"),
            ('started', "Started"),
            ('suspended', "Suspended"),
            ('withdrawn', "Withdrawn"),
            ('completed', "Completed"),
            ('cancelled', "Cancelled"),
            ], "State", readonly=True, required=True, sort=False,
        help="Nobody is expected for a draft or a cancelled enrolment; a "
        "suspended one waits for a return.")
    state_string = state.translated('state')
    previous_state = fields.Char(
        "Previous State", readonly=True,
        help="The state that the enrolment had when its session ended.")

    del _states, _party_context

    @classmethod
    def __setup__(cls):
        cls.number.search_unaccented = False
        super().__setup__()
        cls.__rpc__.update(
            enrol=RPC(
                readonly=False, result=lambda e: list(map(int, e))))
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(
                    t,
                    (t.session, Index.Equality()),
                    (t.trainee, Index.Equality())),
                Index(t, (t.state, Index.Equality(cardinality='low'))),
                Index(t, (t.number, Index.Range()), (t.id, Index.Range())),
                *(Index(t, (getattr(t, name), Index.Equality()),
                        where=getattr(t, name) != Null)
                    for name in ['prescriber', 'client', 'employer']),
                })
        cls._order.insert(0, ('number', 'DESC'))
        # A case ends an enrolment whatever its current state, and gives it
        # back that state when the trainee resumes
        cls._transitions |= {
            ('draft', 'confirmed'),
            ('confirmed', 'draft'),
            ('confirmed', 'started'),
            ('started', 'confirmed'),
            ('started', 'completed'),
            ('completed', 'started'),
            ('suspended', 'started'),
            ('cancelled', 'draft'),
            *((state, ended) for state in CURRENT_STATES
                for ended in ENDED_STATES if state != ended),
            *((ended, state) for state in CURRENT_STATES
                for ended in ENDED_STATES if state != ended),
            }
        cls._buttons.update(
            draft={
                'invisible': ~Eval('state').in_(['confirmed', 'cancelled']),
                'icon': If(Eval('state') == 'cancelled',
                    'tryton-undo', 'tryton-back'),
                'depends': ['state'],
                },
            confirm={
                'invisible': ~Eval('state').in_(
                    ['draft', 'started', 'cancelled']),
                'icon': If(Eval('state') == 'started', 'tryton-back',
                    If(Eval('state') == 'cancelled',
                        'tryton-undo', 'tryton-forward')),
                'depends': ['state'],
                },
            start={
                'invisible': ~Eval('state').in_(['confirmed', 'suspended']),
                'depends': ['state'],
                },
            complete={
                'invisible': Eval('state') != 'started',
                'depends': ['state'],
                },
            cancel={
                'invisible': ~Eval('state').in_(['draft', 'confirmed']),
                'depends': ['state'],
                })

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        has_hours = (
            not table_h.table_exist(cls._table)
            or table_h.column_exist('agreed_hours'))
        super().__register__(module)
        if not has_hours:
            cls._agree_on_hours()

    @classmethod
    def _agree_on_hours(cls):
        """Give to the enrolments the duration of their course, else of the
        slots of their session"""
        pool = Pool()
        Course = pool.get('training.course')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        enrolment, session = cls.__table__(), Session.__table__()
        course, slot = Course.__table__(), Slot.__table__()
        duration = (session
            .join(course, condition=course.id == session.course)
            .select(
                course.duration, where=session.id == enrolment.session))
        slots = slot.select(
            Sum(slot.duration),
            where=(slot.session == enrolment.session)
            & (slot.state != 'cancelled'))
        Transaction().connection.cursor().execute(*enrolment.update(
                [enrolment.agreed_hours], [Coalesce(duration, slots)],
                where=enrolment.state != 'draft'))

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_currency(cls):
        pool = Pool()
        Company = pool.get('company.company')
        if company := Transaction().context.get('company'):
            return Company(company).currency.id

    @classmethod
    def default_agreement_kind(cls):
        return 'agreement'

    @classmethod
    def default_state(cls):
        return 'draft'

    @fields.depends('session', '_parent_session.course')
    def on_change_with_course(self, name=None):
        return self.session.course if self.session else None

    @classmethod
    def search_course(cls, name, clause):
        return [('session.' + clause[0], *clause[1:])]

    @fields.depends('employer', 'client', 'agreement_kind')
    def on_change_employer(self):
        if (self.employer
                and not self.client
                and self.agreement_kind == 'agreement'):
            self.client = self.employer

    def get_rec_name(self, name):
        trainee = self.trainee.rec_name if self.trainee else ''
        session = self.session.rec_name if self.session else ''
        return f'{trainee} ({session})'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(
            cls, clause, 'number', 'trainee.rec_name', 'session.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state').in_(['withdrawn', 'cancelled']),
                    'muted', '')),
            ]

    def stakeholders(self, *roles):
        """Return the list of (role, party) to write to for the roles, each
        party once: the persons of the contacts to notify, else the
        organisation itself.  Without role, all of them.

        Who is archived is not written to: the organisation is in the place of
        the last of its persons.  The guardians of who is of age are not
        either."""
        organisations = {
            'prescriber': self.prescriber,
            'employer': self.employer,
            'client': self.client,
            }
        persons = defaultdict(list)
        for contact in self.contacts:
            if not contact.notify:
                persons[contact.role] += []
            elif contact.party.active:
                persons[contact.role].append(contact.party)
        if persons.get('legal_guardian') and self.is_trainee_of_age:
            del persons['legal_guardian']
        if not roles:
            roles = list(dict.fromkeys([*organisations, *persons]))
        parties = {}
        for role in roles:
            for party in persons.get(role, [organisations.get(role)]):
                if (party and party.active
                        and party != self.trainee.party):
                    parties.setdefault(party, role)
        return [(role, party) for party, role in parties.items()]

    @property
    def is_trainee_of_age(self):
        "If the trainee is of age today, or None if unknown"
        if self.trainee.birth_date:
            return self.trainee.is_of_age(tools.today(self.company))

    def guardians(self):
        """Return the list of the legal guardians who answer and sign with the
        trainee, who is not known to be of age"""
        return [p for _, p in self.stakeholders('legal_guardian')]

    def answering(self):
        "Return the list of the parties who answer: the trainee, the guardians"
        return [self.trainee.party, *self.guardians()]

    @classmethod
    def answering_query(cls, enrolment, at):
        """Return the query of the parties who are those of answering() at the
        time, for the enrolment of the table"""
        pool = Pool()
        Contact = pool.get('training.enrolment.contact')
        Party = pool.get('party.party')
        Trainee = pool.get('training.trainee')
        contact, party = Contact.__table__(), Party.__table__()
        trainee, minor = Trainee.__table__(), Trainee.__table__()
        return Union(
            trainee.select(
                trainee.party, where=trainee.id == enrolment.trainee),
            contact
            .join(party, condition=party.id == contact.party)
            .join(minor, condition=minor.id == enrolment.trainee)
            .select(
                contact.party,
                where=(contact.enrolment == enrolment.id)
                & (contact.role == 'legal_guardian')
                & (contact.notify == Literal(True))
                & (party.active == Literal(True))
                & ((minor.birth_date == Null)
                    | ~is_of_age_at(minor.birth_date, at))),
            all_=True)

    def is_archived(self, party):
        "Return if the party is archived, as a trainee or as a party"
        return not party.active or (
            party == self.trainee.party and not self.trainee.active)

    @property
    def has_prescriber(self):
        return bool(self.stakeholders('prescriber'))

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'create':
            numbers = _enrolling.get(Transaction())
            if numbers is None:
                numbers = _Numbers(cls, [values])
            else:
                values['state'] = 'confirmed'
            if not values.get('number'):
                values['number'] = next(numbers[cls._company_of(values)], None)
        elif mode == 'write' and 'state' in values:
            values = {'previous_state': None, **values}
        return values

    @classmethod
    def _company_of(cls, values):
        return values.get('company', cls.default_company())

    @classmethod
    def validate_fields(cls, enrolments, field_names):
        super().validate_fields(enrolments, field_names)
        cls.check_duplicate(enrolments, field_names)
        cls.check_dates(enrolments, field_names)
        cls.check_agreed_hours(enrolments, field_names)

    @classmethod
    def check_agreed_hours(cls, enrolments, field_names=None):
        if field_names and 'agreed_hours' not in field_names:
            return
        for enrolment in enrolments:
            if (enrolment.agreed_hours is not None
                    and enrolment.agreed_hours <= ZERO):
                raise AgreedHoursError(gettext(
                        'training_abandon.msg_agreed_hours_zero',
                        enrolment=enrolment.rec_name))

    @classmethod
    def check_dates(cls, enrolments, field_names=None):
        if field_names and not (
                field_names & {'session', 'start_date', 'end_date'}):
            return
        for enrolment in enrolments:
            session = enrolment.session
            if (enrolment.state != 'cancelled'
                    and ((enrolment.start_date or session.start_date)
                        > session.end_date
                        or (enrolment.end_date or session.end_date)
                        < session.start_date)):
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_enrolment_outside_session',
                        enrolment=enrolment.rec_name))

    @classmethod
    def check_duplicate(cls, enrolments, field_names=None):
        if field_names and not field_names & {'trainee', 'session', 'state'}:
            return
        for sub_enrolments in grouped_slice(enrolments, BATCH):
            current = defaultdict(set)
            sub_enrolments = [
                e for e in sub_enrolments if e.state in CURRENT_STATES]
            for enrolment in cls.search([
                        ('trainee', 'in',
                            list({e.trainee.id for e in sub_enrolments})),
                        ('session', 'in',
                            list({e.session.id for e in sub_enrolments})),
                        ('state', 'in', CURRENT_STATES),
                        ], order=[]):
                current[enrolment.trainee, enrolment.session].add(enrolment)
            for enrolment in sub_enrolments:
                others = current[enrolment.trainee, enrolment.session]
                if others - {enrolment}:
                    raise EnrolmentDuplicateError(gettext(
                            'training_abandon.msg_enrolment_duplicate',
                            trainee=enrolment.trainee.rec_name,
                            session=enrolment.session.rec_name,
                            number=next(iter(others - {enrolment})).number))

    @classmethod
    def check_modification(
            cls, mode, enrolments, values=None, external=False):
        super().check_modification(
            mode, enrolments, values=values, external=external)
        if mode == 'write' and external and values.keys() & {
                'planned_periods', 'previous_state'}:
            raise AccessError(gettext('training_abandon.msg_period_protected'))
        if mode == 'write' and external and 'agreed_hours' in values:
            for enrolment in enrolments:
                if enrolment.state != 'draft':
                    raise AccessError(gettext(
                            'training_abandon.msg_agreed_hours_modify',
                            enrolment=enrolment.rec_name))
        if mode == 'create':
            cls._check_session_takes(enrolments)
        elif mode == 'write' and values.get('session'):
            cls._check_new_session(enrolments, values['session'])
        elif mode == 'delete':
            for enrolment in enrolments:
                if enrolment.state not in {'draft', 'cancelled'}:
                    raise AccessError(gettext(
                            'training_abandon.msg_enrolment_delete_draft',
                            enrolment=enrolment.rec_name))

    @classmethod
    def _check_session_takes(cls, enrolments):
        for enrolment in enrolments:
            cls._check_takes(enrolment, enrolment.session)

    @classmethod
    def _check_new_session(cls, enrolments, session):
        pool = Pool()
        Session = pool.get('training.session')
        for enrolment in enrolments:
            if enrolment.session.id != session:
                cls._check_takes(enrolment, Session(session))

    @classmethod
    def _check_takes(cls, enrolment, session):
        if session.has_ended:
            raise SessionError(gettext(
                    'training_abandon.msg_enrolment_session_ended',
                    trainee=enrolment.trainee.rec_name,
                    session=session.rec_name,
                    state=session.state_string))

    @classmethod
    def attended(cls, enrolments):
        "Hook that returns those who were present on an official sheet"
        return []

    @classmethod
    def kept_open(cls, enrolments):
        "Hook that returns those that the end of their session leaves open"
        return []

    @classmethod
    def follow_session(cls, enrolments):
        """End the current enrolments whose session is cancelled: who has
        attended is withdrawn, the others are cancelled."""
        enrolments = [
            e for e in enrolments
            if e.session.state == 'cancelled' and e.state in CURRENT_STATES]
        attended = set(cls.attended(enrolments))
        cls.end_with_session(
            [e for e in enrolments if e in attended], 'withdrawn')
        cls.end_with_session(
            [e for e in enrolments if e not in attended], 'cancelled')

    @classmethod
    def end_with_session(cls, enrolments, state):
        "End the enrolments and remember the state that they had"
        by_state = defaultdict(list)
        for enrolment in enrolments:
            by_state[enrolment.state].append(enrolment)
        if state == 'completed':
            cls.restart(by_state['confirmed'])
        end = {
            'cancelled': cls.cancel,
            'completed': cls.complete,
            'withdrawn': cls.withdraw,
            }[state]
        for previous, group in by_state.items():
            for sub_enrolments in grouped_slice(group, BATCH):
                sub_enrolments = list(sub_enrolments)
                end(sub_enrolments)
                if state == 'withdrawn':
                    cls.forget_expectation(cls.browse(sub_enrolments))
                cls.write(sub_enrolments, {'previous_state': previous})

    @classmethod
    def give_back(cls, enrolments):
        "Give the enrolments the state that the end of their session took"
        give = {
            'draft': cls.redraft_as_before,
            'confirmed': cls.reconfirm,
            'started': cls.restart,
            'suspended': cls.suspend,
            }
        by_state = defaultdict(list)
        for enrolment in enrolments:
            by_state[enrolment.previous_state].append(enrolment)
        for state, group in by_state.items():
            if state != 'started':
                # What is completed only goes back to started
                cls.restart([e for e in group if e.state == 'completed'])
            give[state](group)
            if state != 'draft':
                cls.restore_expectation(cls.browse(group))

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        for name in ['number', 'external_codes', 'periods',
                'planned_periods', 'exemptions', 'events', 'previous_state']:
            default.setdefault(name)
        default.setdefault('state', cls.default_state())
        return super().copy(enrolments, default=default)

    @classmethod
    def on_modification(cls, mode, enrolments, field_names=None):
        super().on_modification(mode, enrolments, field_names=field_names)
        if mode == 'create':
            cls.create_expectation([
                    e for e in enrolments
                    if e.state not in {'draft', 'cancelled'}])
        elif mode == 'write' and field_names & {'start_date', 'end_date'}:
            cls._move_dates(
                [e for e in enrolments if e.state != 'draft'], field_names)
        if mode == 'write' and 'state' in field_names:
            cls.follow_state(enrolments)

    @classmethod
    def _move_dates(cls, enrolments, names):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        cls.move_bounds(enrolments, names)
        same = defaultdict(list)
        for enrolment in enrolments:
            same[enrolment.start_date, enrolment.end_date].append(enrolment)
        for dates, enrolments in same.items():
            cls.record(enrolments, 'dates', description=' - '.join(
                    lang.strftime(d) if d else '…' for d in dates))

    @classmethod
    @ModelView.button
    def draft(cls, enrolments):
        cls.check_reopen([e for e in enrolments if e.state == 'cancelled'])
        cls.redraft(enrolments)

    @classmethod
    @Workflow.transition('draft')
    def redraft(cls, enrolments):
        "Set back to draft what was draft before something cancelled it"
        cls._check_draft(enrolments)
        cls.record(enrolments, 'draft')

    @classmethod
    def _check_draft(cls, enrolments):
        official = cls.last_official_half_days(enrolments)
        refused = [e for e in enrolments if e in official]
        if refused:
            raise AccessError(gettext(
                    'training_abandon.msg_enrolment_draft_official',
                    enrolments=tools.names(refused)))

    @classmethod
    @ModelView.button
    @Workflow.transition('confirmed')
    def confirm(cls, enrolments):
        confirmed = [e for e in enrolments if e.state == 'draft']
        cancelled = [e for e in enrolments if e.state == 'cancelled']
        cls._check_session_takes([*confirmed, *cancelled])
        cls.check_reopen(cancelled)
        cls.reopen_expectation(cancelled)
        cls.create_expectation([*confirmed, *(
                    e for e in cancelled
                    if all(p.kind != 'expected' for p in e.periods))])
        cls._propose_agreed_hours([*confirmed, *cancelled])
        cls.record(enrolments, 'confirmed')

    @classmethod
    def enrol(cls, vlist):
        """Create the enrolments, already confirmed, and return them

        Those that are created to be confirmed at once, as by the import, would
        be written and checked twice."""
        transaction = Transaction()
        cls._check_confirm()
        _enrolling[transaction] = _Numbers(
            cls, [v for v in vlist if not v.get('number')])
        try:
            enrolments = cls.create(vlist)
        finally:
            del _enrolling[transaction]
        with without_check_access():
            cls._propose_agreed_hours(enrolments)
            cls.record(enrolments, 'confirmed')
        return enrolments

    @classmethod
    def _check_confirm(cls):
        "Check that the user may press the button that confirms"
        pool = Pool()
        Button = pool.get('ir.model.button')
        ModelAccess = pool.get('ir.model.access')
        User = pool.get('res.user')
        transaction = Transaction()
        if not transaction.user or not transaction.check_access:
            return
        groups = Button.get_groups(cls.__name__, 'confirm')
        if not groups:
            ModelAccess.check(cls.__name__, 'write')
        elif groups.isdisjoint(User.get_groups()):
            raise AccessButtonError(gettext(
                    'ir.msg_access_button_error',
                    button='confirm', **cls.__names__()))

    @classmethod
    @Workflow.transition('confirmed')
    def reconfirm(cls, enrolments):
        "Confirm again with the periods that the enrolments had"
        cls.record(enrolments, 'restored')

    @classmethod
    def check_reopen(cls, enrolments):
        """Hook called before a user confirms cancelled enrolments again or
        sets them to draft: raise if something else has cancelled them."""

    @classmethod
    def _propose_agreed_hours(cls, enrolments):
        "Agree on the duration of the course, else of the slots"
        enrolments = [e for e in enrolments if not e.agreed_hours]
        durations = cls.planned_durations([
                e for e in enrolments if not e.session.course.duration])
        same, actions = defaultdict(list), []
        for enrolment in enrolments:
            hours = (
                enrolment.session.course.duration
                or durations.get(enrolment))
            if hours:
                same[hours].append(enrolment)
        for hours, group in same.items():
            actions += [group, {'agreed_hours': hours}]
        if actions:
            cls.write(*actions)

    @classmethod
    def planned_durations(cls, enrolments):
        """Hook that returns, by enrolment, the time for which the trainee is
        expected"""
        return {}

    @classmethod
    def change_agreed_hours(cls, enrolments, hours, reason):
        "Agree on other hours, for the reason"
        previous = defaultdict(list)
        attended = cls.times_attended(enrolments)
        for enrolment in enrolments:
            cls._warn_agreed_hours(
                enrolment, hours, attended.get(enrolment, ZERO))
            previous[enrolment.agreed_hours].append(enrolment)
        cls.write(list(enrolments), {'agreed_hours': hours})
        for agreed, group in previous.items():
            cls.record(
                group, 'agreed_hours', reason=reason,
                description=f'{hours_name(agreed)} → {hours_name(hours)}')

    @classmethod
    def _warn_agreed_hours(cls, enrolment, hours, attended):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        if hours and hours < attended:
            key = Warning.format('training_agreed_hours', [enrolment])
            if Warning.check(key):
                raise AgreedHoursWarning(key, gettext(
                        'training_abandon.msg_agreed_hours_attended',
                        enrolment=enrolment.rec_name,
                        hours=hours_name(hours),
                        attended=hours_name(attended)))

    @classmethod
    def times_attended(cls, enrolments):
        "Hook that returns, by enrolment, the time that the trainee attended"
        return {}

    @classmethod
    @ModelView.button
    @Workflow.transition('started')
    def start(cls, enrolments):
        by_company = defaultdict(list)
        for enrolment in enrolments:
            if enrolment.state in {'suspended', 'withdrawn'}:
                by_company[enrolment.company].append(enrolment)
        for company, resumed in by_company.items():
            cls.resume_expectation(resumed, tools.today(company))
            cls.record(resumed, 'resumed')
        completed = [e for e in enrolments if e.state == 'completed']
        cls.restore_expectation(completed)
        cls.record(
            [e for e in enrolments if e.state in {'confirmed', 'completed'}],
            'started')

    @classmethod
    @ModelView.button
    @Workflow.transition('completed')
    def complete(cls, enrolments):
        today = {
            c: tools.today(c) for c in {e.company for e in enrolments}}
        cls.end_expectation_after({
                e: min(today[e.company], e.end_date or e.session.end_date)
                for e in enrolments})
        cls.record(enrolments, 'completed')

    @classmethod
    @ModelView.button
    @Workflow.transition('cancelled')
    def cancel(cls, enrolments):
        cls.forget_expectation(enrolments)
        cls.record(enrolments, 'cancelled')

    @classmethod
    @Workflow.transition('started')
    def restart(cls, enrolments):
        "Start again with the periods that the enrolments have"
        cls.record(enrolments, 'restored')

    @classmethod
    @Workflow.transition('suspended')
    def suspend(cls, enrolments):
        cls.record(enrolments, 'suspended')

    @classmethod
    @Workflow.transition('withdrawn')
    def withdraw(cls, enrolments):
        cls.record(enrolments, 'withdrawn')

    @classmethod
    @Workflow.transition('cancelled')
    def call_off(cls, enrolments):
        "Cancel by the decision of a case, that may undo what was attended"
        cls.record(enrolments, 'cancelled')


class _Numbers(dict):
    """The new numbers of the enrolments of the values, by company, taken from
    the sequence at once"""

    def __init__(self, Enrolment, vlist):
        super().__init__()
        self._companies = map(Enrolment._company_of, vlist)

    def __missing__(self, company):
        pool = Pool()
        Configuration = pool.get('training.configuration')
        self._companies = list(self._companies)
        numbers = []
        if company is not None and (
                sequence := Configuration(1).get_multivalue(
                    'enrolment_sequence', company=company)):
            numbers = sequence.get_many(self._companies.count(company))
        self[company] = iter(list(numbers))
        return self[company]


def hours_name(duration):
    "Return the duration in hours, or an ellipsis if there is none"
    return Report.format_timedelta(duration, HOURS_CONVERTER) or '…'


class ChangeAgreedHours(Wizard):
    __name__ = 'training.enrolment.change_agreed_hours'

    start = StateView(
        'training.enrolment.change_agreed_hours.start',
        'training_abandon.enrolment_change_agreed_hours_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Change", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        hours = {e.agreed_hours for e in self.records}
        return {'agreed_hours': hours.pop() if len(hours) == 1 else None}

    def transition_apply(self):
        self.model.change_agreed_hours(
            self.records, self.start.agreed_hours, self.start.reason)
        return 'end'

    def end(self):
        return 'reload'


class ChangeAgreedHoursStart(ModelView):
    __name__ = 'training.enrolment.change_agreed_hours.start'

    agreed_hours = fields.TimeDelta(
        "Agreed Hours", 'training_hours', required=True,
        help="The hours of the amended agreement, on which the price rests "
        "from now on.")
    reason = fields.Char(
        "Reason", required=True,
        help="Why the hours change: it stays in the history of the "
        "enrolment.\n"
        "Do not write any health detail.")


class Contact(ModelSQL, ModelView):
    __name__ = 'training.enrolment.contact'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, ondelete='CASCADE')
    company = fields.Function(fields.Many2One(
            'company.company', "Company"),
        'on_change_with_company')
    party = fields.Many2One(
        'party.party', "Party", required=True, ondelete='RESTRICT',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    role = fields.Selection([
            ('prescriber', "Prescriber"),
            ('employer', "Employer"),
            ('funder', "Funder"),
            ('tutor', "Tutor"),
            ('apprenticeship_supervisor', "Apprenticeship Supervisor"),
            ('legal_guardian', "Legal Guardian"),
            ('trainer', "Trainer"),
            ('disability_officer', "Disability Officer"),
            ('mediator', "Mediator"),
            ('other', "Other"),
            ], "Role", required=True, sort=False,
        help="For whom the person is written to: it chooses the letters it "
        "receives.")
    notify = fields.Boolean(
        "Notify", help="Check to write to the person.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('enrolment')
        t = cls.__table__()
        cls._sql_indexes.add(Index(t, (t.party, Index.Equality())))

    @classmethod
    def default_notify(cls):
        return True

    @fields.depends('enrolment', '_parent_enrolment.company')
    def on_change_with_company(self, name=None):
        return self.enrolment.company if self.enrolment else None

    def get_rec_name(self, name):
        return self.party.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('party.rec_name', *clause[1:])]


class Funding(sequence_ordered(), ModelSQL, ModelView):
    __name__ = 'training.enrolment.funding'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, ondelete='CASCADE')
    company = fields.Function(fields.Many2One(
            'company.company', "Company"),
        'on_change_with_company')
    currency = fields.Function(fields.Many2One(
            'currency.currency', "Currency"),
        'on_change_with_currency')
    funder = fields.Many2One(
        'party.party', "Funder", required=True, ondelete='RESTRICT',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'},
        help="The skills operator, the employer, the person or the public "
        "body that pays.")
    share = fields.Numeric(
        "Share", digits=(1, 4),
        domain=['OR',
            ('share', '=', None),
            [('share', '>=', 0), ('share', '<=', 1)],
            ],
        states={
            'readonly': Bool(Eval('amount')),
            'required': ~Eval('amount'),
            },
        help="The part of the price that the funder pays, as a percentage.")
    amount = Monetary(
        "Amount", currency='currency', digits='currency',
        domain=['OR',
            ('amount', '=', None),
            ('amount', '>=', 0),
            ],
        states={
            'readonly': Bool(Eval('share')),
            'required': ~Eval('share'),
            },
        help="What the funder pays, when it is not a share of the price.")
    ceiling = Monetary(
        "Ceiling", currency='currency', digits='currency',
        domain=['OR',
            ('ceiling', '=', None),
            ('ceiling', '>=', 0),
            ],
        help="The most the funder pays.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('enrolment')

    @classmethod
    def default_share(cls):
        return Decimal(1)

    @fields.depends('enrolment', '_parent_enrolment.company')
    def on_change_with_company(self, name=None):
        return self.enrolment.company if self.enrolment else None

    @fields.depends('enrolment', '_parent_enrolment.currency')
    def on_change_with_currency(self, name=None):
        return self.enrolment.currency if self.enrolment else None

    def get_rec_name(self, name):
        return self.funder.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('funder.rec_name', *clause[1:])]
