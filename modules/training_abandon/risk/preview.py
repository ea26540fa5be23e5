# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The preview of a rule: what other thresholds flag and would have flagged"
import datetime as dt
from collections import defaultdict
from statistics import median

from trytond.model import ModelSQL, ModelView, Unique, fields

from ..training.working_day import WorkingCalendar
from .history import read
from .replay import Replay

YEAR = dt.timedelta(days=365)
THRESHOLDS = {
    'consecutive_absences': range(1, 11),
    'absence_rate': [n / 20 for n in range(1, 21)],
    'late_count': range(1, 11),
    'late_minutes': range(15, 181, 15),
    'no_news': range(1, 21),
    'no_show': range(1, 11),
    'unreachable': [n / 20 for n in range(10, 21)],
    'no_answer': range(1, 11),
    'late_return': range(1, 21),
    }


class Preview(ModelSQL, ModelView):
    "What a rule flags today and would have flagged over the past year"
    __name__ = 'training.risk.preview'

    rule = fields.Many2One(
        'training.risk.rule', "Rule", required=True, readonly=True,
        ondelete='CASCADE')
    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True,
        ondelete='CASCADE')
    threshold = fields.Float(
        "Threshold", required=True, readonly=True,
        help="The threshold that is tried, around the one of the rule.")
    today = fields.Integer(
        "Today", readonly=True,
        help="The number of enrolments that it flags today.")
    flagged = fields.Integer(
        "Flagged", readonly=True,
        help="The number of enrolments of the past year that it would have "
        "flagged.")
    abandoned = fields.Integer(
        "Abandoned", readonly=True,
        help="The number of enrolments of the past year that were abandoned, "
        "or whose trainee never came.")
    hits = fields.Integer(
        "Hits", readonly=True,
        help="The number of those abandoned that it would have flagged "
        "before their case was opened.")
    precision = fields.Integer(
        "Precision (%)", readonly=True,
        help="The part of those flagged who abandoned.")
    recall = fields.Integer(
        "Recall (%)", readonly=True,
        help="The part of those who abandoned that it would have flagged.")
    days_gained = fields.Integer(
        "Days Gained", readonly=True,
        help="The median of the days between what it would have flagged and "
        "the opening of the case.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('threshold_unique', Unique(t, t.rule, t.company, t.threshold),
                'training_abandon.msg_risk_preview_unique'),
            ]
        cls._order = [('threshold', 'ASC'), ('id', None)]

    @classmethod
    def refresh(cls, rule, company):
        "Store again what the rule flags in the company"
        rows = list(cls.compute(rule, company))
        cls.delete(cls.search([
                    ('rule', '=', rule.id),
                    ('company', '=', company.id),
                    ]))
        cls.create([
                {'rule': rule.id, 'company': company.id, **r} for r in rows])

    @classmethod
    def compute(cls, rule, company):
        "Yield the values by threshold of the rule in the company"
        calendar = WorkingCalendar(company)
        criterion = rule.criterion_of(company, calendar)
        thresholds = sorted({
                float(t) for t in [
                    rule.threshold, *THRESHOLDS[rule.criterion]]})
        replay = Replay(rule, company, calendar, thresholds)
        abandoned, flagged = 0, defaultdict(int)
        gained = defaultdict(list)
        for history, opened in read(criterion, criterion.today - YEAR):
            abandoned += bool(opened)
            for threshold, day in replay.first_days(history).items():
                flagged[threshold] += 1
                if opened:
                    gained[threshold].append((opened - day).days)
        for threshold in thresholds:
            hits = len(gained[threshold])
            criterion.threshold = threshold
            yield {
                'threshold': threshold,
                'today': sum(1 for _ in criterion.facts()),
                'flagged': flagged[threshold],
                'abandoned': abandoned,
                'hits': hits,
                'precision': _percent(hits, flagged[threshold]),
                'recall': _percent(hits, abandoned),
                'days_gained': round(median(gained[threshold])) if hits
                else None,
                }


def _percent(part, whole):
    return round(part * 100 / whole) if whole else None
