# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Literal, Null
from sql.aggregate import Count
from sql.operators import Exists

from trytond import backend
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools

LEVELS = ['none', 'watch', 'alert']
# The enrolments that are looked at, and kept, at once: a query names them up
# to five times
SLICE = 2500


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    alerts = fields.One2Many(
        'training.alert', 'enrolment', "Alerts", readonly=True,
        help="What the rules and the people tell of it.")
    risk_level = fields.Function(
        fields.Selection([
                ('none', "None"),
                ('watch', "Watch"),
                ('alert', "Alert"),
                ], "Risk", sort=False,
            help="The highest level of the open alerts."),
        'get_risk_level', searcher='search_risk_level')

    @classmethod
    def get_risk_level(cls, enrolments, name):
        pool = Pool()
        Alert = pool.get('training.alert')
        alert = Alert.__table__()
        cursor = Transaction().connection.cursor()
        levels = dict.fromkeys(map(int, enrolments), 'none')
        for sub_ids in grouped_slice(sorted(levels), tools.BATCH):
            cursor.execute(*alert.select(
                    alert.enrolment,
                    Count(Literal(1), filter_=alert.level == 'alert'),
                    where=(alert.closed_at == Null)
                    & fields.SQL_OPERATORS['in'](
                        alert.enrolment, list(sub_ids)),
                    group_by=[alert.enrolment]))
            for enrolment, count in cursor:
                levels[enrolment] = 'alert' if count else 'watch'
        return levels

    @classmethod
    def search_risk_level(cls, name, clause):
        _, operator, value = clause
        values = value if operator.endswith('in') else [value]
        found = [v for v in LEVELS if v in values]
        if operator in {'!=', 'not in'}:
            found = [v for v in LEVELS if v not in found]
        at_risk, alarming = cls._with_alert(), cls._with_alert('alert')
        domains = {
            'none': ('id', 'not in', at_risk),
            'watch': [('id', 'in', at_risk), ('id', 'not in', alarming)],
            'alert': ('id', 'in', alarming),
            }
        return ['OR', ('id', '=', -1), *(domains[v] for v in found)]

    @classmethod
    def _with_alert(cls, level=None):
        "Return the query of the ids of the enrolments with an open alert"
        pool = Pool()
        Alert = pool.get('training.alert')
        alert = Alert.__table__()
        where = alert.closed_at == Null
        if level:
            where &= alert.level == level
        return alert.select(alert.enrolment, where=where)

    @classmethod
    def on_facts(cls, enrolment_ids):
        super().on_facts(enrolment_ids)
        cls.risk_changed(enrolment_ids)

    @classmethod
    def on_modification(cls, mode, enrolments, field_names=None):
        super().on_modification(mode, enrolments, field_names=field_names)
        if mode == 'write' and field_names & {
                'state', 'session', 'agreement_kind', 'fundings'}:
            cls.risk_changed({e.id for e in enrolments})

    @classmethod
    def risk_due_ids(cls, company):
        """Return the ids of the enrolments of the company whose facts have
        changed, or whose session ended with an open alert."""
        pool = Pool()
        Alert = pool.get('training.alert')
        Due = pool.get('training.risk.due')
        Session = pool.get('training.session')
        alert, session = Alert.__table__(), Session.__table__()
        table = cls.__table__()
        ids = Due.of_company(company)
        cursor = Transaction().connection.cursor()
        cursor.execute(*table
            .join(session, condition=session.id == table.session)
            .select(
                table.id,
                where=(table.company == company.id)
                & session.state.in_(['done', 'cancelled'])
                & Exists(alert.select(
                        Literal(1),
                        where=(alert.enrolment == table.id)
                        & (alert.rule != Null)
                        & (alert.closed_at == Null)))))
        ids.update(id_ for id_, in cursor)
        return sorted(ids)

    @classmethod
    def risk_slices(cls, ids):
        return map(list, grouped_slice(sorted(ids), SLICE))

    @classmethod
    def each_free(cls, ids, process):
        """Call process with the ids of the enrolments, by batches, each in a
        transaction of its own that keeps them for itself, and return if none
        was left out.

        Those that another transaction has are left to it: it looks at them
        itself, or leaves them due for the next time."""
        transaction, is_whole = Transaction(), True
        for sub_ids in cls.risk_slices(ids):
            try:
                # See what the others have committed meanwhile
                transaction.commit()
                free = tools.lock_free(cls, sub_ids)
                if free:
                    tools.forget_read()
                    process(free)
                transaction.commit()
                is_whole &= len(free) == len(sub_ids)
            except backend.DatabaseOperationalError:
                transaction.rollback()
                is_whole = False
        return is_whole

    @classmethod
    def risk_changed(cls, ids):
        "Have the rules look at the enrolments"
        pool = Pool()
        Due = pool.get('training.risk.due')
        Due.add(ids)

    @classmethod
    def risk_seen(cls, ids):
        "Note that the rules have looked at the facts of the enrolments"
        pool = Pool()
        Due = pool.get('training.risk.due')
        Due.remove(ids)

    def concerned_parties(self):
        """Return the parties of the enrolment, other than the trainee, whose
        concerns are heard"""
        parties = dict.fromkeys([
                *(c.party for c in self.contacts),
                self.employer, self.prescriber, self.client])
        return [p for p in parties if p and p != self.trainee.party]

    def concern_context(self, party, alert):
        """Return the names that the letter about the concern may use, in the
        language in which the enrolment was browsed.

        None of them tells a reason or what anybody said."""
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        context = self.letter_context(party)
        context.update({
                'concern_date': lambda: lang.strftime(
                    tools.local_date(alert.first_seen, alert.company)),
                'outcome': alert.describe_outcome,
                })
        return context

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('alerts')
        return super().copy(enrolments, default=default)
