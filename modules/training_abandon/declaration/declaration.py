# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What is declared to the funders, the employers and the prescribers"
import datetime as dt
from collections import defaultdict, namedtuple

from dateutil.relativedelta import relativedelta
from sql import Null
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Date, DateTime, Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..audit.conformity import CONFORMITIES as STEP_CONFORMITIES
from ..exceptions import DeclarationError, DeclarationHoursWarning
from ..kept import KeptMixin
from ..procedure.states import GROUNDS
from ..rec_name import search_names
from ..settlement.calculation import completion_rate
from ..settlement.terms import (
    ZERO, first_missing_days, first_open_days, hours_by_day, minutes)
from ..stored import SLICE, of_ids
from ..training.enrolment import hours_name
from .rule import CHANNELS, EVENTS, KINDS, RECIPIENTS, RecipientCalendar

EVENT_CODES = [code for code, _ in EVENTS]
# From the worst to the best, as those of the steps
CONFORMITIES = [
    c for c in STEP_CONFORMITIES
    if c[0] in {'missing', 'late', 'in_time', 'to_come'}]
DAY = dt.timedelta(days=1)
FIRST_DAY = relativedelta(day=1)
# The months of which what is missing is made up for
MONTHS = 12
# In the place of any recipient, of what was declared
TOLD = 'told'
# What somebody else learns of later stays
MODIFIED_ONCE_ENDED = {'withdrawn'}

Event = namedtuple('Event', ['enrolment', 'case', 'ground', 'date'])


def conformity_where(conformity, clause):
    """Return the SQL condition of the clause on the conformity, where nothing
    to declare is no other one either"""
    _, operator, value = clause
    Operator = fields.SQL_OPERATORS[operator]
    value = (
        [v or '' for v in value] if operator in {'in', 'not in'}
        else value or '')
    return Operator(Coalesce(conformity, ''), value)


class Declaration(KeptMixin, Workflow, ModelSQL, ModelView):
    __name__ = 'training.declaration'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, readonly=True,
        ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    trainee = fields.Function(fields.Many2One(
            'training.trainee', "Trainee"),
        'on_change_with_trainee', searcher='search_trainee')
    case = fields.Many2One(
        'training.abandon.case', "Case", readonly=True, ondelete='RESTRICT',
        domain=[
            ('enrolment', '=', Eval('enrolment', -1)),
            ],
        states={
            'invisible': ~Eval('case'),
            })
    rule = fields.Many2One(
        'training.declaration.rule', "Rule", required=True, readonly=True,
        ondelete='RESTRICT', help="Why it has to be declared.")
    event = fields.Selection(
        EVENTS, "Event", required=True, readonly=True, sort=False,
        help="What made the declaration necessary.")
    kind = fields.Selection(
        KINDS, "Declaration", required=True, readonly=True, sort=False,
        help="What is declared.")
    kind_string = kind.translated('kind')
    correction = fields.Boolean(
        "Correction", readonly=True,
        states={
            'invisible': ~Eval('correction', False),
            },
        help="What was declared is not so any more, and has to be withdrawn.")
    corrects = fields.Many2One(
        'training.declaration', "Corrects", readonly=True,
        ondelete='RESTRICT',
        states={
            'invisible': ~Eval('corrects'),
            },
        help="The declaration already made that this one corrects.")
    recipient_kind = fields.Selection(
        RECIPIENTS, "Role", required=True, readonly=True, sort=False,
        help="What the recipient is for the enrolment.")
    recipient_kind_string = recipient_kind.translated('recipient_kind')
    recipient = fields.Many2One(
        'party.party', "Recipient", readonly=True, ondelete='RESTRICT',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'},
        help="To whom it is declared; empty when the enrolment does not name "
        "its funder.")
    ground = fields.Selection(
        [(None, "")] + GROUNDS, "Ground", readonly=True, sort=False,
        states={
            'invisible': ~Eval('ground'),
            },
        help="What the decision rests on.")
    date = fields.Date(
        "Date", required=True, readonly=True,
        help="The effective date of the decision, the day of the break of "
        "the contract or the last day of the month.")
    code = fields.Char(
        "Code", readonly=True,
        states={
            'invisible': ~Eval('code'),
            },
        help="What the recipient calls the reason.")
    due_date = fields.Date(
        "Due Date", readonly=True,
        help="The day before the end of which it has to be declared; empty "
        "when no text sets it.")
    conformity = fields.Function(
        fields.Selection(
            [(None, "")] + CONFORMITIES, "Conformity", sort=False,
            help="If it was declared before the end of its due date; empty "
            "when no text sets it, or when nothing has to be declared."),
        'get_conformity', searcher='search_conformity')
    to_confirm = fields.Boolean(
        "Rule to Confirm", readonly=True,
        states={
            'invisible': ~Eval('to_confirm', False),
            },
        help="The rule was not confirmed when the declaration was made "
        "necessary: ask the recipient.")
    channel = fields.Selection(
        CHANNELS, "Channel", required=True, readonly=True, sort=False,
        help="How it is declared.")
    content = fields.Function(
        fields.Text(
            "Content", help="What has to be declared, or what was or had to "
            "be."),
        'get_content')
    declared = fields.Text("Declared", readonly=True)
    state = fields.Selection([
            ('todo', "To Do"),
            ('done', "Done"),
            ('cancelled', "Cancelled"),
            ], "State", required=True, readonly=True, sort=False,
        help="What is done never changes: it is corrected by another "
        "declaration.")
    withdrawn = fields.Boolean(
        "No Longer So", readonly=True,
        states={
            'invisible': ~Eval('withdrawn', False),
            },
        help="What was declared, or had to be, is not so any more.")
    done_on = fields.Date(
        "Declared on", readonly=True,
        states={
            'invisible': Eval('state') != 'done',
            },
        help="The day of the declaration.")
    done_at = fields.DateTime("Recorded at", readonly=True)
    done_by = fields.Many2One(
        'res.user', "Recorded by", readonly=True,
        states={
            'invisible': Eval('state') != 'done',
            },
        help="Who recorded the declaration.")
    reference = fields.Char(
        "Reference", readonly=True,
        states={
            'invisible': Eval('state') != 'done',
            },
        help="The number that the recipient gave.")
    proof = fields.Binary(
        "Proof", filename='proof_name', readonly=True,
        file_id='proof_file_id', store_prefix=None,
        states={
            'invisible': Eval('state') != 'done',
            },
        help="The receipt, the screen or the letter.")
    proof_name = fields.Char("Proof Name", readonly=True)
    proof_file_id = fields.Char("Proof File ID", readonly=True)
    note = fields.Text(
        "Note", readonly=True,
        help="What else is to be known.  Do not write any health detail.")
    cancelled_at = fields.DateTime(
        "Cancelled at", readonly=True,
        states={
            'invisible': Eval('state') != 'cancelled',
            },
        help="When it was told that nothing has to be declared.")
    cancelled_by = fields.Many2One(
        'res.user', "Cancelled by", readonly=True,
        states={
            'invisible': Eval('state') != 'cancelled',
            },
        help="Who cancelled the declaration, or changed what it rested on.")
    cancel_reason = fields.Char(
        "Cancel Reason", readonly=True,
        states={
            'invisible': Eval('state') != 'cancelled',
            },
        help="Why nothing has to be declared.")

    @classmethod
    def __setup__(cls):
        cls.reference.search_unaccented = False
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.enrolment, Index.Equality())),
                Index(t, (t.case, Index.Equality())),
                Index(t, (t.recipient, Index.Equality())),
                Index(t, (Coalesce(t.reference, ''), Index.Similarity())),
                Index(
                    t, (t.due_date, Index.Range()),
                    where=t.state == 'todo'),
                })
        cls._order = [
            ('due_date', 'ASC NULLS LAST'),
            ('id', 'DESC'),
            ]
        cls._transitions |= {
            ('todo', 'done'),
            ('todo', 'cancelled'),
            }
        to_do = {
            'invisible': Eval('state') != 'todo',
            'depends': ['state'],
            }
        cls._buttons.update(
            record=to_do,
            cancel=to_do,
            declare_again={
                'invisible': (
                    (Eval('state') != 'done')
                    | Eval('withdrawn', False)
                    | Eval('correction', False)),
                'depends': ['state', 'withdrawn', 'correction'],
                })

    @classmethod
    def default_state(cls):
        return 'todo'

    @classmethod
    def default_withdrawn(cls):
        return False

    @classmethod
    def default_correction(cls):
        return False

    @fields.depends('enrolment', '_parent_enrolment.trainee')
    def on_change_with_trainee(self, name=None):
        return self.enrolment.trainee if self.enrolment else None

    @classmethod
    def search_trainee(cls, name, clause):
        return [('enrolment.' + clause[0], *clause[1:])]

    def get_rec_name(self, name):
        return f'{self.kind_string} - {self.enrolment.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(
            cls, clause, 'enrolment.rec_name', 'recipient.rec_name',
            'reference')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'cancelled', 'muted',
                    If((Eval('state') == 'todo')
                        & (Eval('due_date', dt.date.max)
                            < Date(start=DateTime())),
                        'danger',
                        If(Eval('withdrawn', False)
                            | (Eval('to_confirm', False)
                                & (Eval('state') == 'todo')),
                            'warning', '')))),
            ]

    @classmethod
    def check_modification(
            cls, mode, declarations, values=None, external=False):
        super().check_modification(
            mode, declarations, values=values, external=external)
        if mode == 'create':
            return
        for declaration in declarations:
            if (mode == 'delete'
                    or declaration.state != 'todo'
                    and values.keys() - MODIFIED_ONCE_ENDED):
                raise AccessError(gettext(
                        'training_abandon.msg_declaration_modify',
                        declaration=declaration.rec_name))

    @classmethod
    def copy(cls, declarations, default=None):
        for declaration in declarations:
            raise AccessError(gettext(
                    'training_abandon.msg_declaration_copy',
                    declaration=declaration.rec_name))
        return []

    @classmethod
    @without_check_access
    def declare(cls, event, events, rules=None, vacant=()):
        """Make the declarations that the events need, but for those that are
        made already

        By default all the rules are followed.  A month that was told is told
        to nobody new, but where vacant has its key of who was told."""
        declarations = tools.create_sets(
            cls, cls._missing(event, events, rules, vacant))
        cls._replace_corrections(declarations)
        return declarations

    @classmethod
    def _missing(cls, event, events, rules=None, vacant=()):
        "Return the values of the declarations that the events still need"
        if rules is None:
            rules = cls._rules(event)
        if not rules or not events:
            return []
        known, placed, corrected = cls._known(
            event, [e.enrolment for e in events])
        calendars, to_create = {}, []
        for happened in events:
            company = happened.enrolment.company
            if company not in calendars:
                calendars[company] = RecipientCalendar(company)
            for rule in rules:
                if not rule.applies(
                        happened.enrolment, happened.ground, happened.date):
                    continue
                asked = [
                    cls._new_values(rule, happened, party, calendars[company])
                    for party in rule.recipients(happened.enrolment)]
                if cls._was_told(asked, known, corrected, vacant):
                    asked = [v for v in asked if cls._place(v) in placed]
                for values in asked:
                    # Also before the enrolment named its funder
                    if known.isdisjoint([
                                cls._key(values),
                                cls._key({**values, 'recipient': None})]):
                        known.add(cls._key(values))
                        if former := corrected.get(cls._place(values)):
                            values['corrects'] = former.id
                            values['due_date'] = rule.due_date(
                                max(happened.date, tools.today(company)),
                                calendars[company])
                        to_create.append(values)
        return to_create

    @classmethod
    def _was_told(cls, asked, known, corrected, vacant):
        "Return if the values are of a month that is told to nobody new"
        if not asked or asked[0]['event'] != 'month':
            return False
        key = cls._told_key(asked[0])
        return key not in vacant and (
            key in known or any(cls._place(v) in corrected for v in asked))

    @classmethod
    def _rules(cls, event):
        pool = Pool()
        Rule = pool.get('training.declaration.rule')
        return Rule.search([
                ('event', '=', event),
                ('state', '!=', 'inactive'),
                ])

    @classmethod
    def _known(cls, event, enrolments):
        """Return the keys of the declarations that stand, also as nobody has
        to make them, the places of those that stand no more and by place the
        last one that was made and has still to be corrected"""
        known, placed, corrected = set(), set(), {}
        for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
            declarations = cls.search([
                    ('enrolment', 'in', [e.id for e in sub_enrolments]),
                    ('event', '=', event),
                    ('correction', '=', False),
                    ], order=[('id', 'ASC')])
            ended = cls._corrected(
                [d for d in declarations if d.withdrawn],
                [('state', '=', 'done')])
            for declaration in declarations:
                values = declaration._where
                if declaration.withdrawn:
                    placed.add(cls._place(values))
                    if (declaration.state == 'done'
                            and declaration not in ended):
                        corrected[cls._place(values)] = declaration
                    continue
                known.add(cls._key(values))
                if declaration.state == 'done' or declaration.corrects:
                    known.add(cls._told_key(values))
        return known, placed, corrected

    @property
    def _where(self):
        "The values that tell where the declaration stands"
        values = {
            n: getattr(self, n)
            for n in ['event', 'kind', 'recipient_kind', 'date']}
        for name in ['enrolment', 'case', 'recipient']:
            record = getattr(self, name)
            values[name] = record.id if record else None
        return values

    @classmethod
    def _corrected(cls, declarations, domain):
        "Return the declarations that one of the domain corrects"
        corrected = set()
        for sub_declarations in grouped_slice(declarations, tools.BATCH):
            corrected.update(d.corrects for d in cls.search([
                        ('corrects', 'in', [d.id for d in sub_declarations]),
                        *domain,
                        ], order=[]))
        return corrected

    @classmethod
    def _place(cls, values):
        "Return where the declarations stand of which one is enough"
        names = ['enrolment', 'recipient_kind', 'recipient', 'kind']
        if values['event'] == 'decision':
            names.append('case')
        elif values['event'] == 'month':
            names.append('date')
        return tuple(values[n] for n in names)

    @classmethod
    def _key(cls, values):
        return (*cls._place(values), values['date'])

    @classmethod
    def _told_key(cls, values):
        return cls._key({**values, 'recipient': TOLD})

    @classmethod
    def _new_values(cls, rule, happened, party, calendar):
        code = rule.code_of(happened.ground)
        return {
            'company': happened.enrolment.company.id,
            'enrolment': happened.enrolment.id,
            'case': happened.case.id if happened.case else None,
            'rule': rule.id,
            'event': rule.event,
            'kind': rule.kind,
            'recipient_kind': rule.recipient,
            'recipient': party.id if party else None,
            'ground': happened.ground,
            'date': happened.date,
            'code': code.code if code else None,
            'due_date': rule.due_date(happened.date, calendar),
            'to_confirm': rule.state != 'active',
            'channel': rule.channel,
            }

    @classmethod
    def _replace_corrections(cls, declarations):
        "Cancel the corrections that the new declarations make needless"
        corrected = [d.corrects.id for d in declarations if d.corrects]
        if corrected:
            cls.call_off(cls.search([
                        ('corrects', 'in', corrected),
                        ('correction', '=', True),
                        ('state', '=', 'todo'),
                        ], order=[]),
                gettext('training_abandon.msg_declaration_replaced'))

    @classmethod
    def declare_cases(cls, cases):
        "Make the declarations that the decisions on the cases need"
        decided = [
            c for c in cases
            if c.decision == 'validated' and c.state != 'cancelled']
        cls.declare('decision', [
                Event(c.enrolment, c, c.ground, c.effective_date)
                for c in decided])
        cls.follow_breaks([c.enrolment for c in cases])

    @classmethod
    @without_check_access
    def follow_terms(cls, enrolments, events=tuple(EVENT_CODES)):
        """Cancel what is to be declared of the events to those to whom the
        agreements and the fundings ask for it no more, and make what they ask
        for"""
        outdated = []
        for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
            outdated += [
                d for d in cls.search([
                        ('enrolment', 'in', [e.id for e in sub_enrolments]),
                        ('event', 'in', events),
                        ('state', '=', 'todo'),
                        ('correction', '=', False),
                        ], order=[])
                if not d._is_asked()]
        cls.withdraw(outdated, gettext(
                'training_abandon.msg_declaration_other_terms'))
        months = [d for d in outdated if d.event == 'month']
        cls._declare_instead(
            months, vacant={cls._told_key(d._where) for d in months})
        cls.declare_cases(list(cls._last_cases(enrolments).values()))
        # The contracts without case are broken too
        cls.follow_breaks(enrolments)

    @classmethod
    def _declare_instead(cls, months, vacant=()):
        "Make the declarations that take the place of those of months"
        events = defaultdict(list)
        for month in months:
            events[month.kind, month.recipient_kind].append(month.happened)
        rules = cls._rules('month') if months else []
        for place, happened in events.items():
            cls.declare('month', list(dict.fromkeys(happened)), [
                    r for r in rules if (r.kind, r.recipient) == place],
                vacant)

    def _is_asked(self):
        return (
            self.rule.applies(self.enrolment, self.ground, self.date)
            and self.recipient in self.rule.recipients(self.enrolment))

    @classmethod
    @without_check_access
    def follow_breaks(cls, enrolments):
        """Make the declarations that the breaks of the apprenticeship
        contracts need and correct those of other days"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolments = [
            e for e in tools.browse_sets(Enrolment, enrolments, tools.BATCH)
            if e.agreement_kind == 'apprenticeship']
        days, broken = {}, []
        cases = cls._last_cases(enrolments)
        for enrolment in enrolments:
            case = cases.get(enrolment)
            days[enrolment] = (
                enrolment.break_date or case and case.contract_end_date)
            if days[enrolment]:
                broken.append(Event(enrolment, case, None, days[enrolment]))
        outdated = []
        for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
            outdated += [
                d for d in cls.search([
                        ('enrolment', 'in', [e.id for e in sub_enrolments]),
                        ('event', '=', 'break'),
                        ('correction', '=', False),
                        ('withdrawn', '=', False),
                        ], order=[])
                if d.date != days[d.enrolment]]
        cls.withdraw(
            outdated, gettext('training_abandon.msg_declaration_no_break'))
        cls.declare('break', broken)

    @classmethod
    def _last_cases(cls, enrolments):
        "Return by enrolment the last case that is validated"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cases = {}
        for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
            for case in Case.search([
                        ('enrolment', 'in', [e.id for e in sub_enrolments]),
                        ('decision', '=', 'validated'),
                        ('state', '!=', 'cancelled'),
                        ], order=[('id', 'ASC')]):
                cases[case.enrolment] = case
        return cases

    @classmethod
    def declare_month(cls):
        """Make the declarations of the last month of each company, and those
        of the months before that are missing"""
        pool = Pool()
        Company = pool.get('company.company')
        rules = cls._rules('month')
        for company in Company.search([]) if rules else []:
            for rule in rules:
                cls._declare_months(company, rule)

    @classmethod
    def _declare_months(cls, company, rule):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        ends = cls._months_over(company, rule)
        enrolments = Enrolment.search([
                ('company', '=', company.id),
                ('state', '!=', 'draft'),
                rule.enrolments_domain(),
                cls._attending_domain(ends[0] + FIRST_DAY, ends[-1]),
                ], order=[('id', 'ASC')])
        for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
            events = cls._month_events(list(sub_enrolments), ends)
            ids = {
                v['enrolment'] for v in cls._missing('month', events, [rule])}
            if ids:
                tools.lock(Enrolment, ids)
                cls.declare('month', cls._month_events(
                        Enrolment.browse(sorted(ids)), ends), [rule])

    @classmethod
    def _months_over(cls, company, rule):
        """Return the last days of the last months of the company, since the
        first one that it has declared by such a rule"""
        pool = Pool()
        Rule = pool.get('training.declaration.rule')
        rules = [
            r for r in Rule.search([('event', '=', 'month')])
            if r._decides_as(rule)]
        last = tools.today(company) + relativedelta(day=1) - DAY
        declared = cls.search([
                ('company', '=', company.id),
                ('event', '=', 'month'),
                ('rule', 'in', [r.id for r in rules]),
                ('date', '<', last),
                ], order=[('date', 'ASC')], limit=1)
        ends = [last]
        while (declared and ends[-1] > declared[0].date
                and len(ends) < MONTHS):
            ends.append(ends[-1] + FIRST_DAY - DAY)
        return ends[::-1]

    @staticmethod
    def _attending_domain(start, end):
        "Return the domain of the enrolments that are of the days"
        return [
            ('session.start_date', '<=', end),
            ('session.end_date', '>=', start),
            ['OR',
                ('start_date', '=', None),
                ('start_date', '<=', end),
                ],
            ['OR',
                ('end_date', '=', None),
                ('end_date', '>=', start),
                ],
            ]

    @classmethod
    def _month_events(cls, enrolments, ends):
        """Return the events of those who attended or had to in the months of
        the last days"""
        by_day = hours_by_day(
            [e for e in enrolments if e.state == 'cancelled'])
        return [
            Event(enrolment, None, None, end) for end in ends
            for enrolment in enrolments
            if cls._is_of_month(enrolment, end, by_day[enrolment.id])]

    @classmethod
    def _is_of_month(cls, enrolment, end, by_day):
        start, session = end + FIRST_DAY, enrolment.session
        if enrolment.state == 'cancelled':
            return any(start <= day <= end for day, _ in by_day)
        return (
            max(session.start_date, enrolment.start_date or start) <= end
            and min(session.end_date, enrolment.end_date or end) >= start)

    @classmethod
    @without_check_access
    def withdraw(cls, declarations, reason):
        """Cancel what is still to be declared and have what was declared
        corrected, as it is not so any more"""
        todo = [d for d in declarations if d.state == 'todo']
        ended = [d for d in declarations if d.state != 'todo']
        cls.call_off(todo, reason)
        cls.write(ended, {'withdrawn': True})
        cls._correct([d for d in ended if d.state == 'done'])
        cls._correct_former(todo)

    @classmethod
    def _correct_former(cls, declarations):
        "Have corrected what the declarations would have replaced"
        cls._correct(list({
                    d.corrects: None for d in declarations
                    if d.corrects and not d.correction}))

    @classmethod
    def _correct(cls, done):
        """Make the corrections of the declarations, but for those that
        something corrects or that somebody chose not to correct"""
        corrected = cls._corrected(done, [
                ['OR',
                    ('state', '!=', 'cancelled'),
                    [('correction', '=', True), ('withdrawn', '=', False)],
                    ],
                ])
        calendars, to_create = {}, []
        for declaration in done:
            if declaration in corrected:
                continue
            company, rule = declaration.company, declaration.rule
            if company not in calendars:
                calendars[company] = RecipientCalendar(company)
            values = cls._new_values(
                rule, declaration.happened, declaration.recipient,
                calendars[company])
            values.update(
                kind=declaration.kind, code=declaration.code,
                correction=True, corrects=declaration.id,
                due_date=rule.due_date(
                    tools.today(company), calendars[company]))
            to_create.append(values)
        return tools.create_sets(cls, to_create)

    @classmethod
    def call_off(cls, declarations, reason, withdrawn=True):
        """Cancel the declarations that are still to be made

        They are withdrawn, unless somebody tells that what stands has not to
        be declared."""
        actions = []
        for declaration in cls.browse(declarations):
            actions += [[declaration], {
                    'withdrawn': withdrawn,
                    'declared': declaration.content,
                    'cancelled_at': tools.now(),
                    'cancelled_by': Transaction().user or None,
                    'cancel_reason': reason,
                    }]
        cls._set_cancelled(declarations, actions)

    @classmethod
    @Workflow.transition('cancelled')
    def _set_cancelled(cls, declarations, actions):
        if actions:
            cls.write(*actions)

    @classmethod
    @ModelView.button_action('training_abandon.wizard_declaration_record')
    def record(cls, declarations):
        pass

    @classmethod
    @ModelView.button_action('training_abandon.wizard_declaration_cancel')
    def cancel(cls, declarations):
        pass

    @classmethod
    @ModelView.button
    def declare_again(cls, declarations):
        """Have what was declared corrected by another declaration, that only
        withdraws it when the rules ask for none"""
        declarations = [
            d for d in cls._take(declarations, 'done')
            if not d.withdrawn and not d.correction]
        with without_check_access():
            cls.write(declarations, {'withdrawn': True})
            cls._declare_instead(
                [d for d in declarations if d.event == 'month'])
            for event in ['decision', 'break']:
                cls.declare(event, list(dict.fromkeys(
                            d.happened for d in declarations
                            if d.event == event)))
            cls._correct(declarations)

    @property
    def happened(self):
        return Event(self.enrolment, self.case, self.ground, self.date)

    @classmethod
    def _take(cls, declarations, state):
        cls.keep(declarations)
        declarations = cls.browse(declarations)
        refused = [d for d in declarations if d.state != state]
        if refused:
            raise DeclarationError(gettext(
                    f'training_abandon.msg_declaration_not_{state}',
                    declarations=tools.names(refused)))
        return declarations

    @classmethod
    def call_off_todo(cls, declarations, reason):
        "Cancel the declarations for the reason, all or none"
        reason = (reason or '').strip()
        if not reason:
            raise DeclarationError(gettext(
                    'training_abandon.msg_declaration_cancel_reason'))
        declarations = cls._take(declarations, 'todo')
        cls.call_off(declarations, reason, withdrawn=False)
        with without_check_access():
            cls._correct_former(declarations)

    @classmethod
    def record_done(cls, declarations, done_on, code=None, **values):
        """Record that the declarations were made on the day, all or none

        values may have the reference, the proof, the proof_name and the
        note."""
        declarations = cls._take(declarations, 'todo')
        cls._check_done_on(declarations, done_on)
        cls._warn_open_days(declarations)
        without = [
            d for d in declarations
            if d.rule.codes and d.ground and not (code or d.code)]
        if without:
            raise DeclarationError(gettext(
                    'training_abandon.msg_declaration_no_code',
                    declarations=tools.names(without)))
        if code:
            cls.write(declarations, {'code': code})
        actions = []
        for declaration in cls.browse(declarations):
            actions += [[declaration], {
                    **values,
                    'declared': declaration.content,
                    'done_on': done_on,
                    'done_at': tools.now(),
                    'done_by': Transaction().user or None,
                    }]
        cls._set_done(declarations, actions)

    @classmethod
    @Workflow.transition('done')
    def _set_done(cls, declarations, actions):
        cls.write(*actions)

    @classmethod
    def _warn_open_days(cls, declarations):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        if opened := list(cls._open_days(declarations)):
            key = Warning.format('training_declaration_open', opened)
            if Warning.check(key):
                raise DeclarationHoursWarning(key, gettext(
                        'training_abandon.msg_declaration_hours_open',
                        declarations=tools.names(opened)))

    @classmethod
    def _check_done_on(cls, declarations, done_on):
        days = {}
        for declaration in declarations:
            company = declaration.company
            if company not in days:
                days[company] = tools.today(company)
            if not done_on or done_on > days[company]:
                raise DeclarationError(gettext(
                        'training_abandon.msg_declaration_future',
                        declaration=declaration.rec_name))
            # What is decided for a day to come may be told before it
            if done_on < declaration.date <= days[company]:
                raise DeclarationError(gettext(
                        'training_abandon.msg_declaration_before',
                        declaration=declaration.rec_name))

    @classmethod
    def get_conformity(cls, declarations, name):
        cursor = Transaction().connection.cursor()
        conformities = dict.fromkeys(d.id for d in declarations)
        for sub_declarations in grouped_slice(declarations, SLICE):
            table = cls.__table__()
            cursor.execute(*table.select(
                    table.id, cls.sql_conformity(table),
                    where=of_ids(d.id for d in sub_declarations)(table.id)))
            conformities.update(cursor)
        return conformities

    @classmethod
    def search_conformity(cls, name, clause):
        table = cls.__table__()
        return [('id', 'in', table.select(
                    table.id, where=conformity_where(
                        cls.sql_conformity(table), clause)))]

    @classmethod
    def sql_conformity(cls, declaration, **words):
        """Return the SQL expression of the conformity of the declaration, that
        has one when it has a due date and is not cancelled

        words are what it returns in the place of the conformities."""
        pool = Pool()
        Company = pool.get('company.company')
        words = {c: words.get(c, c) for c, _ in CONFORMITIES}
        with without_check_access():
            companies = Company.search([], order=[])
        today = SQLCase(*(
                (declaration.company == c.id, tools.today(c))
                for c in companies)) if companies else tools.now().date()
        return SQLCase(
            ((declaration.due_date == Null)
                | (declaration.state == 'cancelled'), Null),
            ((declaration.state == 'todo') & (declaration.due_date < today),
                words['missing']),
            (declaration.state == 'todo', words['to_come']),
            (declaration.done_on > declaration.due_date, words['late']),
            else_=words['in_time'])

    @classmethod
    def get_content(cls, declarations, name):
        todo = [d for d in declarations if d.state == 'todo']
        contents = {d.id: d.declared for d in declarations}
        hours, opened = cls._hours(todo), cls._open_days(todo)
        for declaration in todo:
            contents[declaration.id] = '\n'.join(declaration._describe(
                    hours[declaration], opened.get(declaration)))
        return contents

    @classmethod
    def _open_days(cls, declarations):
        """Return by declaration that tells hours the first day, until its
        date, whose sheet is not closed"""
        result = {}
        declarations = [
            d for d in declarations
            if d.event != 'break' and not d.correction]
        enrolments = list({d.enrolment for d in declarations})
        for days in [
                first_open_days(enrolments), first_missing_days(enrolments)]:
            for declaration in declarations:
                day = days.get(declaration.enrolment.id)
                if day and day <= declaration.date:
                    result[declaration] = min(
                        day, result.get(declaration, day))
        return result

    @classmethod
    def _hours(cls, declarations):
        """Return the time attended in the month that is declared, or until
        the date"""
        by_day = hours_by_day(list({d.enrolment for d in declarations}))
        result = defaultdict(dt.timedelta)
        for declaration in declarations:
            start = dt.date.min
            if declaration.event == 'month':
                start = declaration.date + relativedelta(day=1)
            result[declaration] = sum(
                (hours for day, hours in by_day[declaration.enrolment.id]
                    if start <= day <= declaration.date), ZERO)
        return result

    def _describe(self, done, opened=None):
        """Return the lines that tell what is declared, in neutral words

        opened is the first day whose sheet is not closed."""
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang, enrolment = Lang.get(), self.enrolment

        def say(name, **values):
            return gettext(
                f'training_abandon.msg_declaration_{name}', **values)

        lines = []
        if self.corrects:
            lines.append(say(
                    'correction' if self.correction else 'replaces',
                    date=lang.strftime(self.corrects.done_on),
                    reference=self.corrects.reference or '…'))
        if self.correction:
            return lines
        if self.code:
            code = self.rule.code_of(self.ground)
            named = code and code.code == self.code
            lines.append(say(
                    'reason',
                    reason=f'{self.code} – {code.name}' if named
                    else self.code))
        if self.kind == 'exit':
            lines.append(say(
                    'force_majeure' if self.ground == 'force_majeure'
                    else 'no_force_majeure'))
            if planned := minutes(enrolment.agreed_hours):
                lines.append(say(
                        'rate', rate=completion_rate(minutes(done), planned)))
        if self.event == 'break':
            lines.append(say('break', date=lang.strftime(self.date)))
            lines.append(say(
                    'still_in_training' if enrolment.still_in_training
                    else 'not_in_training'))
        else:
            lines.append(say(
                    'hours_month' if self.event == 'month' else 'hours',
                    date=lang.strftime(self.date),
                    hours=hours_name(done)))
        if opened:
            lines.append(say('open', date=lang.strftime(opened)))
        if self.rule.with_category and self.case:
            lines.append(say(
                    'category', category=self.case.reason_category or '…'))
        return lines
