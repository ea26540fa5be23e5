# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.i18n import gettext, ngettext
from trytond.model import ModelSQL, ModelView, fields

from .. import tools
from ..exceptions import FollowUpRuleError
from .validity import ValidityMixin


class FollowUpRule(ValidityMixin, ModelSQL, ModelView):
    "How the parties are tried again, as long as it is valid"
    __name__ = 'training.follow_up.rule'

    attempts = fields.Integer(
        "Attempts", required=True,
        domain=[
            ('attempts', '>=', 1),
            ],
        help="The number of attempts to reach a party.")
    delay = fields.Integer(
        "Next Attempt after", required=True,
        domain=[
            ('delay', '>=', 0),
            ],
        help="The number of working days until the next attempt.")
    morning_time = fields.Time(
        "In the Morning at", format='%H:%M', required=True,
        help="When who did not answer in the afternoon is tried again.")
    afternoon_time = fields.Time(
        "In the Afternoon at", format='%H:%M', required=True,
        help="When who did not answer in the morning is tried again.")
    duration = fields.TimeDelta(
        "Duration", required=True,
        domain=[
            ('duration', '>', dt.timedelta()),
            ],
        help="The time that is kept for a call.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order.insert(0, ('start_date', 'DESC NULLS LAST'))

    @classmethod
    def default_attempts(cls):
        return 3

    @classmethod
    def default_delay(cls):
        return 1

    @classmethod
    def default_morning_time(cls):
        return dt.time(10)

    @classmethod
    def default_afternoon_time(cls):
        return dt.time(15)

    @classmethod
    def default_duration(cls):
        return dt.timedelta(minutes=15)

    def get_rec_name(self, name):
        return gettext(
            'training_abandon.msg_follow_up_rule_name',
            attempts=ngettext(
                'training_abandon.msg_follow_up_rule_attempts',
                self.attempts, count=self.attempts),
            days=ngettext(
                'training_abandon.msg_follow_up_rule_days',
                self.delay, count=self.delay))

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('company.rec_name', *clause[1:])]

    @classmethod
    def get(cls, company, date=None):
        "Return the rule of the company on the date, which is today"
        rule = cls.valid_at(company, date or tools.today(company))
        if not rule:
            raise FollowUpRuleError(gettext(
                    'training_abandon.msg_follow_up_no_rule',
                    company=company.rec_name))
        return rule

    def next_attempt(self, at, company, calendar, noon):
        """Return the time, in UTC, of the attempt after the one of that time:
        a working day later and at another time of the day"""
        local = tools.local_datetime(at, company)
        time = (
            self.afternoon_time if local.time() < noon
            else self.morning_time)
        date = calendar.add(local.date(), self.delay)
        if (date, time) <= (local.date(), local.time()):
            date = calendar.add(date, 1)
        return tools.utc_datetime(date, time, company)
