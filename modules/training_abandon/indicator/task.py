# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from sql import Null
from sql.conditionals import Case as SQLCase
from sql.functions import Function

from trytond import backend
from trytond.i18n import gettext
from trytond.pool import PoolMeta

from ..home.source import Source
from .improvement import OPEN_STATES

# How long before its day an action is told
AHEAD = dt.timedelta(days=7)


class _SQLiteDate(Function):
    __slots__ = ()
    _function = 'DATE'


def _next_day(date):
    "Return the SQL expression of the day after the date"
    if backend.name == 'sqlite':
        return _SQLiteDate(date, '+1 day')
    return date + 1


class Improvements(Source):
    "The improvement actions to do, and those whose effect is to measure"
    kind = 'improvement'
    model = 'training.improvement.action'

    def domain(self):
        return [('state', 'in', OPEN_STATES)]

    def tables(self, action):
        # What runs cannot be closed before the end of the period in which it
        # has its effect
        runs = (action.state == 'running') & (action.after_to != Null)
        due = SQLCase(
            (runs, _next_day(action.after_to)), else_=action.due_date)
        limit = SQLCase((runs, self.today), else_=self.today + AHEAD)
        return action, {
            'company': action.company,
            'owner': action.owner,
            'due': due,
            }, due <= limit

    def words(self, actions):
        return {
            a.id: gettext(
                'training_abandon.msg_task_improvement_effect'
                if a.state == 'running' and a.after_to
                else 'training_abandon.msg_task_improvement',
                action=a.rec_name)
            for a in actions}


class Task(metaclass=PoolMeta):
    __name__ = 'training.task'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.kind.selection.append(('improvement', "Improvement Action"))

    @classmethod
    def sources(cls):
        return super().sources() + [Improvements()]
