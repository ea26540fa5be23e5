# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict, namedtuple

from sql import Null

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import TrainingValidationError
from ..kept import KeptMixin
from ..rec_name import search_names

# The outcomes of the follow-ups by which a party was heard
HEARD_OUTCOMES = ['reached', 'appointment', 'refused']
# The state of a follow-up that is still to be done
TO_DO = [
    ('done_at', '=', None),
    ('cancelled_at', '=', None),
    ]

Proof = namedtuple('Proof', ['step', 'case'])


class FollowUp(KeptMixin, ModelSQL, ModelView):
    __name__ = 'training.follow_up'

    company = fields.Many2One('company.company', "Company", required=True)
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, ondelete='CASCADE',
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    case = fields.Many2One(
        'training.abandon.case', "Case", ondelete='CASCADE',
        domain=[
            ('enrolment', '=', Eval('enrolment', -1)),
            ])
    step = fields.Many2One(
        'training.abandon.case.step', "Step", readonly=True,
        ondelete='CASCADE',
        domain=[
            ('case', '=', Eval('case', -1)),
            ],
        help="The step of the procedure that the follow-up proves.")
    kind = fields.Selection([
            ('call', "Phone Call"),
            ('meeting', "Meeting"),
            ('visit', "Visit"),
            ('email', "Email"),
            ('letter', "Letter"),
            ('mediation', "Mediation"),
            ], "Kind", required=True, sort=False,
        help="By which means the party is contacted.")
    kind_string = kind.translated('kind')
    party = fields.Many2One(
        'party.party', "Party", required=True, ondelete='RESTRICT',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    planned_at = fields.DateTime(
        "Planned at",
        help="When it is to take place: it comes in the tasks on that day.")
    planned_until = fields.DateTime(
        "Planned until",
        domain=[If(Bool(Eval('planned_until')) & Bool(Eval('planned_at')),
                ('planned_until', '>=', Eval('planned_at')),
                ()),
            ],
        states={
            'invisible': ~Eval('planned_at'),
            },
        help="When it is to end: an appointment that overlaps it is told.")
    done_at = fields.DateTime(
        "Done at",
        states={
            'required': Bool(Eval('outcome')),
            },
        help="When it took place; without it, the follow-up is still "
        "planned.")
    employee = fields.Many2One(
        'company.employee', "Employee",
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    outcome = fields.Selection([
            (None, ""),
            ('reached', "Reached"),
            ('no_answer', "No Answer"),
            ('wrong_contact', "Wrong Contact Data"),
            ('appointment', "Appointment Made"),
            ('refused', "Refused to Talk"),
            ('other', "Other"),
            ], "Outcome", sort=False,
        help="What came of it: Reached, Appointment Made and Refused to "
        "Talk end the reminders.")
    outcome_string = outcome.translated('outcome')
    cancelled_at = fields.DateTime(
        "No Longer Needed since", readonly=True,
        states={
            'invisible': ~Eval('cancelled_at'),
            },
        help="When it was found to be needless: it leaves the calls to "
        "make.")
    cancel_reason = fields.Selection([
            (None, ""),
            ('user', "Cancelled by Hand"),
            ('answered', "An Answer Has Come"),
            ('closed', "The Case Is Closed"),
            ], "Why", readonly=True, sort=False,
        states={
            'invisible': ~Eval('cancelled_at'),
            },
        help="What made it needless.")
    cancel_reason_string = cancel_reason.translated('cancel_reason')
    correction = fields.Many2One(
        'training.abandon.case.correction', "Undone by", readonly=True,
        ondelete='SET NULL',
        states={
            'invisible': ~Eval('correction'),
            },
        help="The step that the follow-up proved was undone.")
    note = fields.Text(
        "Note", help="What was said.  Do not write any health detail.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.enrolment, Index.Equality())),
                Index(t, (t.party, Index.Equality())),
                Index(
                    t, (t.planned_at, Index.Range()),
                    where=t.done_at == Null),
                })
        cls._buttons.update(
            cancel={
                'invisible': (
                    Bool(Eval('done_at')) | Bool(Eval('cancelled_at'))),
                'depends': ['done_at', 'cancelled_at'],
                })
        cls._order.insert(0, ('done_at', 'DESC NULLS FIRST'))
        cls._order.insert(1, ('planned_at', 'DESC'))

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_kind(cls):
        return 'call'

    @classmethod
    def default_employee(cls):
        return tools.default_employee()

    @fields.depends('enrolment', 'party', '_parent_enrolment.trainee')
    def on_change_enrolment(self):
        if self.enrolment and self.enrolment.trainee and not self.party:
            self.party = self.enrolment.trainee.party

    def get_rec_name(self, name):
        pool = Pool()
        Lang = pool.get('ir.lang')
        date = self.done_at or self.planned_at
        return ' - '.join(filter(None, [
                    Lang.get().strftime(tools.local_date(date, self.company))
                    if date else None,
                    self.kind_string, self.party.rec_name]))

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'party.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Bool(Eval('cancelled_at', None)), 'muted',
                    If(~Eval('done_at', None), 'warning', ''))),
            ]

    @classmethod
    def check_modification(
            cls, mode, follow_ups, values=None, external=False):
        super().check_modification(
            mode, follow_ups, values=values, external=external)
        if not external:
            return
        for follow_up in follow_ups:
            if mode != 'create':
                follow_up._check_recorded(mode)
            if mode == 'delete' or values and values.keys() <= {'note'}:
                continue
            follow_up._with(values)._check_done()

    def _check_recorded(self, mode):
        if (self.step or self.correction) and self.done_at:
            raise AccessError(gettext(
                    'training_abandon.msg_follow_up_recorded',
                    follow_up=self.rec_name))
        if (mode == 'delete' and self.done_at
                and self.case and self.case.closed_at):
            raise AccessError(gettext(
                    'training_abandon.msg_follow_up_closed',
                    case=self.case.rec_name))

    def _with(self, values):
        "Return the follow-up as the values make it"
        record = self.__class__(self.id)
        for name in {'case', 'done_at'} & (values or {}).keys():
            setattr(record, name, values[name])
        return record

    @classmethod
    @ModelView.button
    def cancel(cls, follow_ups):
        cls.end(follow_ups, 'user')

    @classmethod
    def end(cls, follow_ups, reason):
        "Note that what is still to be done is no longer needed"
        cls.write([
                f for f in follow_ups if not f.done_at and not f.cancelled_at],
            {
                'cancelled_at': tools.now(),
                'cancel_reason': reason,
                })

    def _check_done(self):
        "Check the dates as the exchange does"
        if self.done_at and self.done_at > tools.now():
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_follow_up_future',
                    follow_up=self.rec_name))
        if not self.case:
            return
        closed_at = self.case.closed_at
        if closed_at and (not self.done_at or self.done_at < closed_at):
            raise AccessError(gettext(
                    'training_abandon.msg_follow_up_closed',
                    case=self.case.rec_name))
        if (self.done_at
                and self.case.local_date(self.done_at)
                < self.case.opening_date):
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_follow_up_opening',
                    follow_up=self.rec_name,
                    case=self.case.rec_name))

    @classmethod
    def on_modification(cls, mode, follow_ups, field_names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        super().on_modification(mode, follow_ups, field_names=field_names)
        if mode != 'delete' and (
                field_names is None
                or {'step', 'done_at', 'party'} & field_names):
            # The step that is about to be done stores it then
            Step.store_evidence([
                    f for f in follow_ups
                    if f.step and f.step.state == 'done'])
        if mode != 'delete':
            Case.on_answer([
                    c for f in follow_ups if f.outcome in HEARD_OUTCOMES
                    for c in f.enrolment.cases if not c.closed_at])

    @classmethod
    def on_write(cls, follow_ups, values):
        actions = super().on_write(follow_ups, values)
        if 'step' in values:
            actions.append(cls._proved(follow_ups))
        return actions

    @classmethod
    def on_delete(cls, follow_ups):
        return super().on_delete(follow_ups) + [cls._proved(follow_ups)]

    @classmethod
    def _proved(cls, follow_ups):
        "Return what stores the evidence of the steps that they prove no more"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        proofs = [Proof(f.step, f.case) for f in follow_ups if f.step]
        return lambda: Step.store_evidence(proofs)

    @classmethod
    def copy(cls, follow_ups, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('step')
        default.setdefault('correction')
        default.setdefault('cancelled_at')
        default.setdefault('cancel_reason')
        default.setdefault('done_at')
        default.setdefault('outcome')
        default.setdefault('note')
        return super().copy(follow_ups, default=default)


class ExchangeMixin:
    "Cases about which the parties are talked to"
    __slots__ = ()

    @property
    def exchanges(self):
        "The follow-ups that count as exchanges about the proposals"
        return [
            f for f in self.follow_ups
            if f.done_at and f.outcome
            and self.local_date(f.done_at) >= self.opening_date
            and (not f.step or f.step.kind == 'exchange')]

    def exchange_parties(self):
        """Return the list of (role, parties): one of the parties of each
        role must be contacted, or tried, at the exchange."""
        parties = defaultdict(list)
        for case, audience, party in self.recipients(
                [self], ['trainee', 'guardian', 'prescriber']):
            parties[audience].append(party)
        return list(parties.items())
