# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The preview of a rule: what other thresholds flag and would have flagged"
import datetime as dt
from collections import defaultdict
from itertools import groupby
from operator import attrgetter
from statistics import median

from sql import Literal, Null, Union
from sql.aggregate import Max
from sql.conditionals import Coalesce
from sql.functions import Extract

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import RiskRuleError
from ..training.working_day import WorkingCalendar
from .replay import Line, Replay

YEAR = dt.timedelta(days=365)
THRESHOLDS = {
    'consecutive_absences': range(1, 11),
    'absence_rate': [n / 20 for n in range(1, 21)],
    'late_count': range(1, 11),
    'late_minutes': range(15, 181, 15),
    'no_news': range(1, 21),
    'no_show': range(1, 11),
    'unreachable': [n / 20 for n in range(10, 21)],
    }
COLUMNS = [
    'threshold', 'today', 'flagged', 'abandoned', 'hits', 'precision',
    'recall', 'days_gained']


class Preview(ModelSQL, ModelView):
    "What a rule flags today and would have flagged over the past year"
    __name__ = 'training.risk.preview'

    threshold = fields.Float(
        "Threshold", digits=(16, 4),
        help="The threshold that is tried, around the one of the rule.")
    today = fields.Integer(
        "Today", help="The number of enrolments that it flags today.")
    flagged = fields.Integer(
        "Flagged", help="The number of enrolments of the past year that it "
        "would have flagged.")
    abandoned = fields.Integer(
        "Abandoned", help="The number of enrolments of the past year that "
        "were abandoned.")
    hits = fields.Integer(
        "Hits", help="The number of those abandoned that it would have "
        "flagged before the effective date.")
    precision = fields.Integer(
        "Precision (%)", help="The part of those flagged who abandoned.")
    recall = fields.Integer(
        "Recall (%)", help="The part of those who abandoned that it would "
        "have flagged.")
    days_gained = fields.Integer(
        "Days Gained", help="The median of the days between what it would "
        "have flagged and the opening of the case.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [('threshold', 'ASC'), ('id', None)]

    @classmethod
    def table_query(cls):
        rows = cls._rows()
        queries = [
            cls._row(id_, values) for id_, values in enumerate(rows, 1)]
        if not queries:
            return cls._row(0, dict.fromkeys(COLUMNS), Literal(False))
        return Union(*queries, all_=True) if len(queries) > 1 else queries[0]

    @classmethod
    def _row(cls, id_, values, where=None):
        pool = Pool()
        company = pool.get('company.company').__table__()
        # A row needs a table to be selected from
        first = company.select(company.id, order_by=[company.id], limit=1)
        return first.select(
            fields.Integer('id').sql_cast(Literal(id_)).as_('id'),
            *(cls._fields[n].sql_cast(
                    Null if values[n] is None else Literal(values[n]))
                .as_(n) for n in COLUMNS),
            where=where)

    @classmethod
    def _rows(cls):
        "Return the values by threshold for the rule of the context"
        pool = Pool()
        Company = pool.get('company.company')
        ModelAccess = pool.get('ir.model.access')
        Rule = pool.get('training.risk.rule')
        context = Transaction().context
        if not (context.get('training_risk_rule')
                and context.get('company')
                and ModelAccess.check(
                    'training.risk.preview', 'read', raise_exception=False)):
            return []
        rule = Rule(context['training_risk_rule'])
        company = Company(context['company'])
        if rule.company and rule.company != company:
            return []
        return list(cls.compute(rule, company))

    @classmethod
    def compute(cls, rule, company):
        "Yield the values by threshold of the rule in the company"
        if rule.criterion not in THRESHOLDS:
            raise RiskRuleError(gettext(
                    'training_abandon.msg_risk_rule_no_preview',
                    rule=rule.rec_name, criterion=rule.criterion_string))
        calendar = WorkingCalendar(company)
        criterion = rule.criterion_of(company, calendar)
        thresholds = sorted({rule.threshold, *THRESHOLDS[rule.criterion]})
        days = cls._first_days(
            criterion, Replay(rule, calendar, criterion.today, thresholds))
        ends = cls._ends(criterion)
        for threshold in thresholds:
            flagged = days[threshold]
            hits = {
                e for e, (effective, _) in ends.items()
                if e in flagged and flagged[e] < effective}
            gained = [(ends[e][1] - flagged[e]).days for e in hits]
            criterion.threshold = threshold
            yield {
                'threshold': float(threshold),
                'today': sum(1 for _ in criterion.facts()),
                'flagged': len(flagged),
                'abandoned': len(ends),
                'hits': len(hits),
                'precision': _percent(len(hits), len(flagged)),
                'recall': _percent(len(hits), len(ends)),
                'days_gained': round(median(gained)) if gained else None,
                }

    @classmethod
    def _first_days(cls, criterion, replay):
        "Return by threshold the first day of the enrolments flagged"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Event = pool.get('training.session.slot.event')
        cursor = Transaction().connection.cursor()
        population = criterion.history(criterion.today - YEAR)

        def of(column):
            return column.in_(population)

        planned = Attendance._planned_query(of)
        cursor.execute(*planned.select(
                planned.enrolment,
                Extract('EPOCH', planned.hours_planned)))
        seconds = {id_: int(value) for id_, value in cursor}
        held, event = Attendance._held_query(of), Event.__table__()
        closed = event.select(
            event.slot.as_('slot'), Max(event.at).as_('at'),
            where=event.kind == 'closed', group_by=[event.slot])
        known = fields.Date('known').sql_cast(
            closed.at, timezone=criterion.company.timezone)
        cursor.execute(*tools.apply_types(
                held
                .join(closed, 'LEFT', condition=closed.slot == held.slot)
                .select(
                    held.enrolment.as_('enrolment'),
                    held.date.as_('date'),
                    Coalesce(known, held.date).as_('known'),
                    held.state.as_('state'),
                    Coalesce(Extract('EPOCH', held.missed), 0).as_('missed'),
                    Extract('EPOCH', held.duration).as_('duration'),
                    Coalesce(Extract('EPOCH', held.late_by), 0).as_('late'),
                    Coalesce(held.justified, Literal(False))
                    .as_('justified'),
                    order_by=[held.enrolment, held.start_at, held.slot]),
                None, 'DATE', 'DATE', None, None, None, None, None))
        days = defaultdict(dict)
        for enrolment, lines in groupby(
                (Line(id_, date, known, state, *map(int, rest))
                    for id_, date, known, state, *rest in cursor),
                key=attrgetter('enrolment')):
            for threshold, day in replay.first_days(
                    list(lines), seconds.get(enrolment, 0)).items():
                days[threshold][enrolment] = day
        return days

    @classmethod
    def _ends(cls, criterion):
        """Return the effective date and the opening date of the case by
        enrolment abandoned"""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        case = Case.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*tools.apply_types(
                case.select(
                    case.enrolment.as_('enrolment'),
                    case.effective_date.as_('effective_date'),
                    case.opening_date.as_('opening_date'),
                    where=(case.decision == 'validated')
                    & (case.ground == 'abandonment')
                    & (case.state != 'cancelled')
                    & case.enrolment.in_(
                        criterion.history(criterion.today - YEAR))),
                None, 'DATE', 'DATE'))
        return {id_: dates for id_, *dates in cursor}


def _percent(part, whole):
    return round(part * 100 / whole) if whole else None
