# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict, namedtuple
from contextlib import contextmanager

from sql import Null
from sql.operators import Equal

from trytond.exceptions import UserError
from trytond.i18n import gettext
from trytond.model import Exclude, Index, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..exceptions import AlertError
from ..rec_name import search_names
from ..stored import of_all
from ..training.enrolment import CURRENT_STATES
from .criterion import likely_ids
from .outcome import OutcomeMixin

CONCERNS = [
    ('absence', "Absences or Lateness"),
    ('motivation', "Motivation"),
    ('difficulty', "Difficulty to Follow"),
    ('relations', "Relations in the Group"),
    ('company', "Company or Employer"),
    ('material', "Material Difficulty"),
    ('other', "Other"),
    ]
LEVELS = [
    ('watch', "Watch"),
    ('alert', "Alert"),
    ]
# The most cases that are opened at once
OPENED = 500

_Known = namedtuple('_Known', 'opened closed withdrawn')
_State = namedtuple('_State', 'fingerprint slot_ids facts level')
_Alert = namedtuple(
    '_Alert', 'id fingerprint slot_ids facts level closed_at')


def by_origin(alerts):
    """Return the lists of the enrolments by company and origin of the case
    that the alerts open, each (company, enrolment, origin).

    The absences of an enrolment are before what else is told of it."""
    origins = {}
    for company, enrolment, origin in alerts:
        if origins.get((company, enrolment)) != 'absence':
            origins[company, enrolment] = origin
    groups = defaultdict(list)
    for (company, enrolment), origin in origins.items():
        groups[company, origin].append(enrolment)
    return groups


class Alert(OutcomeMixin, ModelSQL, ModelView):
    "What tells that the trainee of an enrolment is slipping away"
    __name__ = 'training.alert'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, readonly=True,
        ondelete='CASCADE')
    trainee = fields.Function(
        fields.Many2One('training.trainee', "Trainee"),
        'get_enrolment', searcher='search_enrolment')
    session = fields.Function(
        fields.Many2One('training.session', "Session"),
        'get_enrolment', searcher='search_enrolment')
    rule = fields.Many2One(
        'training.risk.rule', "Rule", readonly=True, ondelete='RESTRICT',
        states={
            'invisible': ~Eval('rule'),
            },
        help="The rule whose threshold the facts reach.")
    level = fields.Selection(
        LEVELS, "Level", required=True, readonly=True, sort=False,
        help="How grave it is.")
    level_string = level.translated('level')
    facts = fields.Text(
        "Facts", readonly=True,
        help="What the alert rests on, as it was last seen.")
    kind = fields.Selection(
        [(None, ""), *CONCERNS], "Concern", readonly=True, sort=False,
        states={
            'invisible': ~Eval('kind'),
            },
        help="What the one who raised it is concerned about.")
    kind_string = kind.translated('kind')
    word = fields.Text(
        "Word", readonly=True,
        states={
            'invisible': ~Eval('kind'),
            },
        help="What the one who raised it says.\n"
        "Read by the one who raised it and the group Sensitive Reasons only.")
    what = fields.Function(
        fields.Text(
            "What", help="The facts of the rule, or the concern with its "
            "words."),
        'get_what')
    owner = fields.Many2One(
        'company.employee', "Owner",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'readonly': Eval('state') != 'open',
            },
        help="The employee who answers for it.")
    since = fields.Date(
        "Since", readonly=True,
        help="The day of the first of the facts.")
    first_seen = fields.DateTime(
        "First Seen", required=True, readonly=True,
        help="When the alert was raised.")
    last_seen = fields.DateTime(
        "Last Changed at", readonly=True,
        help="When its facts last changed.")
    age = fields.Function(
        fields.Integer(
            "Age", help="The number of days since it was first seen, until "
            "it was closed."),
        'get_age')
    slots = fields.Function(
        fields.Many2Many(
            'training.session.slot', None, None, "Slots",
            states={
                'invisible': ~Eval('slots', []),
                }),
        'get_slots')
    slot_ids = fields.Text("Slot IDs", readonly=True)
    fingerprint = fields.Text(
        "Fingerprint", readonly=True,
        help="What tells other facts from those dismissed.")
    state = fields.Selection([
            ('open', "Open"),
            ('handled', "Handled"),
            ('dismissed', "Dismissed"),
            ], "State", required=True, readonly=True, sort=False,
        help="An alert is handled by a follow-up or a case; once dismissed, "
        "the same facts do not raise it again.")
    state_string = state.translated('state')
    withdrawn = fields.Boolean(
        "Withdrawn", readonly=True,
        states={
            'invisible': ~Eval('withdrawn'),
            },
        help="The facts do not hold any more: nobody dismissed it.")
    closed_at = fields.DateTime(
        "Closed at", readonly=True,
        states={
            'invisible': Eval('state') == 'open',
            },
        help="When it was handled, dismissed or withdrawn.")
    closed_by = fields.Many2One(
        'res.user', "Closed by", readonly=True,
        states={
            'invisible': ~Eval('closed_by'),
            },
        help="Who handled or dismissed it.")
    dismiss_reason = fields.Text(
        "Reason of the Dismissal", readonly=True,
        states={
            'invisible': ~Eval('dismiss_reason'),
            },
        help="Why no more is done about it.\n"
        "Read by the group Sensitive Reasons only.")
    case = fields.Many2One(
        'training.abandon.case', "Case", readonly=True, ondelete='RESTRICT',
        states={
            'invisible': ~Eval('case'),
            })
    follow_up = fields.Many2One(
        'training.follow_up', "Follow-Up", readonly=True, ondelete='SET NULL',
        states={
            'invisible': ~Eval('follow_up'),
            },
        help="The call or the meeting that handles it.")
    reopenings = fields.Text(
        "Reopenings", readonly=True,
        states={
            'invisible': ~Eval('reopenings'),
            },
        help="Who had handled or dismissed it and who opened it again.")
    reply = fields.Many2One(
        'training.mail.reply', "Reply", readonly=True, ondelete='SET NULL',
        states={
            'invisible': ~Eval('reply'),
            },
        help="The message that raised it.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('open_rule_unique',
                Exclude(
                    t, (t.enrolment, Equal), (t.rule, Equal),
                    where=t.closed_at == Null),
                'training_abandon.msg_alert_open_unique'),
            ]
        cls._sql_indexes.update({
                Index(t, (t.enrolment, Index.Equality())),
                Index(
                    t, (t.state, Index.Equality(cardinality='low')),
                    (t.first_seen, Index.Range())),
                Index(
                    t, (t.rule, Index.Equality()), where=t.closed_at == Null),
                Index(t, (t.reply, Index.Equality()), where=t.reply != Null),
                Index(
                    t, (t.first_seen, Index.Range()), (t.id, Index.Range())),
                Index(
                    t, (t.company, Index.Equality()),
                    where=t.closed_at == Null),
                Index(t, (t.case, Index.Equality()), where=t.case != Null),
                Index(
                    t, (t.raised_by, Index.Equality()),
                    where=t.raised_by != Null),
                })
        cls._order = [
            ('level', 'ASC'),
            ('first_seen', 'ASC'),
            ('id', 'ASC'),
            ]
        is_closed = {
            'invisible': Eval('state') != 'open',
            'depends': ['state'],
            }
        cls._buttons.update(
            handle=is_closed, dismiss=is_closed, open_case=is_closed,
            reopen={
                'invisible': (
                    (Eval('state') == 'open') | Eval('withdrawn', False)),
                'depends': ['state', 'withdrawn'],
                })

    @classmethod
    def get_enrolment(cls, alerts, names):
        return {
            name: {a.id: getattr(a.enrolment, name).id for a in alerts}
            for name in names}

    @classmethod
    def search_enrolment(cls, name, clause):
        return [(f'enrolment.{clause[0]}', *clause[1:])]

    @classmethod
    def get_age(cls, alerts, name):
        now = tools.now()
        return {
            a.id: ((a.closed_at or now) - a.first_seen).days for a in alerts}

    @classmethod
    def get_slots(cls, alerts, name):
        return {
            a.id: list(map(int, (a.slot_ids or '').split()))
            for a in alerts}

    def get_rec_name(self, name):
        what = self.rule.name if self.rule else self.kind_string
        return f'{self.enrolment.rec_name} - {what}'

    @classmethod
    def get_what(cls, alerts, name):
        sensitive = tools.is_member('group_sensitive_reason')

        def what(alert):
            if alert.rule:
                return alert.facts
            mine = (
                alert.raised_by and alert.raised_by.id == Transaction().user)
            return ' – '.join(filter(None, [
                        alert.kind_string,
                        alert.word if sensitive or mine else None]))
        return {a.id: what(a) for a in alerts}

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'enrolment.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') != 'open', 'muted',
                    If(Eval('level') == 'alert', 'danger', 'warning'))),
            ]

    @classmethod
    def raise_concern(
            cls, enrolments, kind, word, level='watch', party=None,
            reply=None):
        """Create the alerts of the concern and return them

        It is the one of the party, who wrote the reply, or else of the
        user."""
        now = tools.now()
        user = Transaction().user or None
        return cls.create([{
                    'company': enrolment.company.id,
                    'enrolment': enrolment.id,
                    'level': level,
                    'kind': kind,
                    'word': word,
                    'raised_by': None if party else user,
                    'raised_by_party': party.id if party else None,
                    'reply': reply.id if reply else None,
                    'since': tools.today(enrolment.company),
                    'first_seen': now,
                    'last_seen': now,
                    'state': 'open',
                    } for enrolment in enrolments])

    @classmethod
    def detect(cls, criteria, of=of_all, stored=True):
        """Create, update and withdraw the alerts of what the criteria, of one
        company, flag.

        of returns the condition on the column of the enrolment and stored
        tells if the facts that are stored are up to date.  The enrolments are
        those that the transaction keeps for itself."""
        opened = cls.opened(criteria, of)
        for criterion, ids in zip(criteria, likely_ids(criteria, of, stored)):
            cls.store(
                criterion, list(criterion.facts_among(ids)),
                opened[criterion.rule.id])

    @classmethod
    def store(cls, criterion, found, opened, lock=False):
        """Create, update and withdraw the alerts of the criterion for the
        facts found.

        opened are the enrolments of its open alerts, by id, and lock tells to
        keep the enrolments of what changes for this transaction alone."""
        for facts in grouped_slice(found, tools.BATCH):
            cls._keep(criterion, list(facts), lock)
        if left := cls._left(found, opened):
            if lock:
                cls._lock_enrolments(left.values())
            cls._withdraw(list(left), criterion.company, 'facts')

    @classmethod
    def changed_ids(cls, criterion, of=of_all):
        "Return the ids of the enrolments of which the alerts are to change"
        found = list(criterion.facts(of))
        opened = cls.opened([criterion], of)[criterion.rule.id]
        changed = set(cls._left(found, opened).values())
        for facts in grouped_slice(found, tools.BATCH):
            changed.update(
                id_ for id_, *_ in cls._changes(criterion, list(facts)))
        return changed

    @classmethod
    def opened(cls, criteria, of=of_all):
        """Return by rule the enrolments of the open alerts of the criteria, of
        one company, by id of the alerts"""
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        opened = {c.rule.id: {} for c in criteria}
        if not criteria:
            return opened
        cursor.execute(*table.select(
                table.rule, table.id, table.enrolment,
                where=table.rule.in_(list(opened))
                & (table.company == criteria[0].company.id)
                & (table.closed_at == Null)
                & of(table.enrolment)))
        for rule, id_, enrolment in cursor:
            opened[rule][id_] = enrolment
        return opened

    @classmethod
    def _left(cls, found, opened):
        "Return those of the enrolments of the open alerts without facts"
        flagged = {f.enrolment for f in found}
        return {
            id_: enrolment for id_, enrolment in opened.items()
            if enrolment not in flagged}

    @classmethod
    def _lock_enrolments(cls, ids):
        # Whoever writes alerts of rules has their enrolments: another one who
        # writes those of the same enrolment starts again
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        tools.lock(Enrolment, ids)

    @classmethod
    def _keep(cls, criterion, facts, lock=False):
        "Create, update or take back the alerts of the facts that are new"
        changes = list(cls._changes(criterion, facts))
        if not changes:
            return
        if lock:
            cls._lock_enrolments([id_ for id_, *_ in changes])
        to_create, to_write = [], []
        for enrolment, alert, values in changes:
            if alert:
                to_write += [cls.browse([alert.id]), values]
                continue
            to_create.append({
                    **values,
                    'company': criterion.company.id,
                    'enrolment': enrolment,
                    'rule': criterion.rule.id,
                    'owner': criterion.owner,
                    'first_seen': values['last_seen'],
                    })
        if to_create:
            cls.create(to_create)
        if to_write:
            cls.write(*to_write)

    @classmethod
    def _changes(cls, criterion, facts):
        """Yield the enrolment of the facts that are new, its alert or None
        and the values of the alert"""
        known = cls._known(criterion.rule, [f.enrolment for f in facts])
        with _in_language(criterion.company) as lang:
            for fact in facts:
                tokens = criterion.tokens(fact)
                alert = known.opened.get(fact.enrolment)
                if not alert:
                    if known.closed[fact.enrolment].issuperset(tokens):
                        continue
                    alert = known.withdrawn.get(fact.enrolment)
                    if alert and not (
                            set(alert.fingerprint.split()) & set(tokens)):
                        alert = None
                state = _State(
                    ' '.join(tokens),
                    ' '.join(str(slot) for slot, *_ in fact.slots),
                    criterion.words(fact, lang), criterion.rule.level)
                if alert and alert[1:] == (*state, None):
                    continue
                values = {
                    **state._asdict(),
                    'since': fact.since,
                    'last_seen': tools.now(),
                    'state': 'open',
                    }
                if alert and alert.closed_at:
                    # The sheet that was opened again has the same facts
                    values.update(
                        withdrawn=False, closed_at=None, dismiss_reason=None)
                yield fact.enrolment, alert, values

    @classmethod
    def _known(cls, rule, enrolment_ids):
        """Return by enrolment its open alert of the rule, what those that
        people closed were about, and the last one that was withdrawn"""
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.enrolment, table.withdrawn, table.id, table.fingerprint,
                table.slot_ids, table.facts, table.level, table.closed_at,
                where=(table.rule == rule.id)
                & fields.SQL_OPERATORS['in'](table.enrolment, enrolment_ids),
                order_by=[table.id]))
        known = _Known({}, defaultdict(set), {})
        for enrolment, withdrawn, *values in cursor:
            alert = _Alert(*values)
            if not alert.closed_at:
                known.opened[enrolment] = alert
            elif withdrawn:
                known.withdrawn[enrolment] = alert
            else:
                known.closed[enrolment].update(alert.fingerprint.split())
        return known

    @classmethod
    def withdraw_of_rules(cls, company, rules):
        "Withdraw the alerts of the company of other rules than those in force"
        table = cls.__table__()
        where = (
            (table.company == company.id)
            & (table.closed_at == Null)
            & (table.rule != Null))
        if rules:
            where &= ~table.rule.in_([r.id for r in rules])
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(table.id, where=where))
        cls._withdraw([id_ for id_, in cursor], company, 'rule')

    @classmethod
    def _withdraw(cls, ids, company, reason):
        if not ids:
            return
        with _in_language(company):
            reason = gettext(f'training_abandon.msg_alert_withdrawn_{reason}')
        for sub_ids in grouped_slice(ids, tools.BATCH):
            cls.write(cls.browse(list(sub_ids)), {
                    'state': 'dismissed',
                    'withdrawn': True,
                    'closed_at': tools.now(),
                    'dismiss_reason': reason,
                    })

    @classmethod
    def close_by(cls, table, name, records, at=None):
        """Handle the open alerts of the enrolments of the records, of which
        the table is the one, and keep the records in the field of the name.

        at is the column of when they were done: what was done before the
        facts began does not handle them.

        It is two statements for a batch, whatever their number."""
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        alert = cls.__table__()
        concerns = []
        where = (alert.enrolment == table.enrolment) & (
            alert.closed_at == Null)
        if at:
            where &= (alert.since == Null) | (at >= alert.since)
        for sub_records in grouped_slice(records, tools.BATCH):
            closed = where & fields.SQL_OPERATORS['in'](
                table.id, [r.id for r in sub_records])
            # Several records may be of the same enrolment
            cursor.execute(*alert.join(table, condition=closed).select(
                    alert.id, where=alert.kind != Null, group_by=alert.id))
            concerns += [id_ for id_, in cursor]
            cursor.execute(*alert.update(
                    [getattr(alert, name), alert.state, alert.closed_at,
                        alert.closed_by, alert.write_date, alert.write_uid],
                    [table.id, 'handled', tools.now(),
                        transaction.user or Null, tools.now(),
                        transaction.user or Null],
                    from_=[table],
                    where=closed))
        tools.forget(cls)
        cls.tell_outcome(cls.browse(concerns))

    @classmethod
    @ModelView.button
    def handle(cls, alerts):
        "Tell that somebody has seen to what the alerts tell"
        cls._close(alerts, {'state': 'handled'})

    @classmethod
    @ModelView.button_action('training_abandon.wizard_alert_dismiss')
    def dismiss(cls, alerts):
        pass

    @classmethod
    def dismiss_for(cls, alerts, reason):
        "Dismiss the alerts for the reason"
        reason = (reason or '').strip()
        if not reason:
            raise AlertError(gettext(
                    'training_abandon.msg_alert_dismiss_no_reason'))
        cls._close(alerts, {'state': 'dismissed', 'dismiss_reason': reason})

    @classmethod
    def _close(cls, alerts, values):
        tools.lock(cls, alerts)
        for alert in alerts:
            if alert.state != 'open':
                raise AlertError(gettext(
                        'training_abandon.msg_alert_closed',
                        alert=alert.rec_name, state=alert.state_string))
        for sub_alerts in grouped_slice(alerts, tools.BATCH):
            cls.write(list(sub_alerts), {
                    **values,
                    'closed_at': tools.now(),
                    'closed_by': Transaction().user or None,
                    })
        cls.tell_outcome(alerts)

    @classmethod
    @ModelView.button
    def reopen(cls, alerts):
        "Take back that the alerts were handled or dismissed"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        tools.lock(cls, alerts)
        actions = []
        for alert in alerts:
            alert.check_reopen()
            actions += [[alert], {
                    'state': 'open',
                    'closed_at': None,
                    'closed_by': None,
                    'case': None,
                    'follow_up': None,
                    'reopenings': '\n'.join(filter(None, [
                                alert.reopenings, alert._reopening()])),
                    }]
        if actions:
            cls.write(*actions)
        # The facts may have changed meanwhile
        Enrolment.risk_changed({a.enrolment.id for a in alerts})

    def check_reopen(self):
        if self.state == 'open' or self.withdrawn:
            raise AlertError(gettext(
                    'training_abandon.msg_alert_reopen',
                    alert=self.rec_name))
        if self.case and self.case.state != 'cancelled':
            raise AlertError(gettext(
                    'training_abandon.msg_alert_reopen_case',
                    alert=self.rec_name, case=self.case.rec_name))

    def _reopening(self):
        "Return the words for who closed the alert and who opens it again"
        pool = Pool()
        User = pool.get('res.user')

        def day(at):
            return lang.strftime(tools.local_date(at, self.company))

        with _in_language(self.company) as lang:
            return gettext(
                'training_abandon.msg_alert_reopened',
                state=self.state_string,
                closed_at=day(self.closed_at),
                closed_by=self.closed_by.name if self.closed_by else "–",
                at=day(tools.now()), user=User(Transaction().user).name)

    @classmethod
    @ModelView.button
    def open_case(cls, alerts):
        "Open a case on the enrolments of the alerts"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        tools.lock(cls, alerts)
        for alert in alerts:
            if alert.state != 'open':
                raise AlertError(gettext(
                        'training_abandon.msg_alert_closed',
                        alert=alert.rec_name, state=alert.state_string))
        groups = by_origin(
            (a.company, a.enrolment, a.case_origin) for a in alerts)
        for (company, origin), enrolments in groups.items():
            Case.open_cases(enrolments, origin, tools.today(company))

    @property
    def case_origin(self):
        "The origin of the case that the alert opens"
        if self.rule:
            return self.rule.case_origin
        return 'absence' if self.kind == 'absence' else 'other'

    @classmethod
    def open_due(cls, rules, companies):
        "Open the cases of the companies that the rules open"
        pool = Pool()
        Company = pool.get('company.company')
        Enrolment = pool.get('training.enrolment')
        alerts = cls.search([
                ('closed_at', '=', None),
                ('company', 'in', [c.id for c in companies]),
                ('rule', 'in', [r.id for r in rules if r.opens == 'open']),
                ('enrolment.state', 'in', CURRENT_STATES),
                ('enrolment.session.state', '!=', 'cancelled'),
                ('enrolment.current_case', '=', None),
                ], order=[('id', 'ASC')], query=True)
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(
                table.company, table.enrolment, table.rule,
                where=table.id.in_(alerts),
                group_by=[table.company, table.enrolment, table.rule],
                order_by=[table.company, table.enrolment]))
        origins = {r.id: r.case_origin for r in rules}
        groups = by_origin(
            (company, enrolment, origins[rule])
            for company, enrolment, rule in cursor)
        for (company, origin), ids in groups.items():
            company = Company(company)
            for sub_ids in grouped_slice(ids, OPENED):
                enrolments = tools.browse_sets(
                    Enrolment, sub_ids, tools.BATCH)
                if cls._open_cases(company, enrolments, origin):
                    continue
                by_session = defaultdict(list)
                for enrolment in enrolments:
                    by_session[enrolment.session].append(enrolment)
                for session_enrolments in by_session.values():
                    # The alerts go on to propose what cannot be opened
                    cls._open_cases(company, session_enrolments, origin)

    @classmethod
    def _open_cases(cls, company, enrolments, origin):
        "Open the cases, all or none, and return if they are"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        try:
            with tools.savepoint():
                Case.open_cases(enrolments, origin, tools.today(company))
        except UserError:
            return False
        return True


@contextmanager
def _in_language(company):
    "Yield the language of the company, the one of the transaction meanwhile"
    pool = Pool()
    Lang = pool.get('ir.lang')
    lang = company.party.lang or Lang.get()
    with Transaction().set_context(language=lang.code):
        yield Lang.get(lang.code)


class Dismiss(Wizard):
    __name__ = 'training.alert.dismiss'

    start = StateView(
        'training.alert.dismiss.start',
        'training_abandon.alert_dismiss_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Dismiss", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def transition_apply(self):
        self.model.dismiss_for(self.records, self.start.reason)
        return 'end'


class DismissStart(ModelView):
    __name__ = 'training.alert.dismiss.start'

    reason = fields.Text(
        "Reason", required=True, help="Do not write any health detail.")
