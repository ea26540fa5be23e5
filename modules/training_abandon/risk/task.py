# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Literal, Null
from sql.conditionals import Case
from sql.operators import Exists

from trytond.i18n import ngettext
from trytond.pool import Pool, PoolMeta
from trytond.transaction import check_access

from ..home import sources
from ..home.source import LATE, NORMAL, Source, join


class Alerts(Source):
    """The open alerts, one for each trainee

    It is the most urgent one, then the oldest."""
    kind = 'alert'
    model = 'training.alert'

    def domain(self):
        return [('closed_at', '=', None)]

    def tables(self, alert):
        pool = Pool()
        Alert = pool.get('training.alert')
        Enrolment = pool.get('training.enrolment')
        other, other_enrolment = Alert.__table__(), Enrolment.__table__()
        from_, enrolment = join(alert, alert.enrolment, 'training.enrolment')
        precedes = (
            (other.level < alert.level)
            | ((other.level == alert.level) & (other.id < alert.id)))
        condition = ~Exists(other
            .join(other_enrolment,
                condition=other_enrolment.id == other.enrolment)
            .select(
                Literal(1),
                where=(other.closed_at == Null)
                & (other.company == alert.company)
                & (other_enrolment.trainee == enrolment.trainee)
                & precedes))
        return from_, {
            'company': alert.company,
            'trainee': enrolment.trainee,
            'session': enrolment.session,
            'owner': alert.owner,
            'since': self.day(alert.first_seen),
            'priority': Case(
                (alert.level == 'alert', LATE), else_=NORMAL),
            }, condition

    def words(self, alerts):
        others = self._others(alerts)
        result = {}
        for alert in alerts:
            words = [alert.what]
            if count := others[alert.id]:
                words.append(ngettext(
                        'training_abandon.msg_task_alert_others', count,
                        count=count))
            result[alert.id] = ' – '.join(words)
        return result

    def _others(self, alerts):
        "Return by alert the number of the other open ones of the trainee"
        pool = Pool()
        Alert = pool.get('training.alert')
        trainees = {}
        with check_access():
            for alert in Alert.search([
                        ('closed_at', '=', None),
                        ('trainee', 'in', [a.trainee.id for a in alerts]),
                        ]):
                key = alert.company, alert.trainee
                trainees[key] = trainees.get(key, 0) + 1
        return {
            a.id: trainees.get((a.company, a.trainee), 1) - 1 for a in alerts}


class Absentees(sources.Absentees):
    "The absent without an open case of whom no alert tells"

    def tables(self, enrolment):
        pool = Pool()
        Alert = pool.get('training.alert')
        alert = Alert.__table__()
        from_, columns, condition = super().tables(enrolment)
        return from_, columns, condition & ~Exists(alert.select(
                Literal(1),
                where=(alert.enrolment == enrolment.id)
                & (alert.closed_at == Null)))


class Task(metaclass=PoolMeta):
    __name__ = 'training.task'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.kind.selection.append(('alert', "Alert"))

    @classmethod
    def sources(cls):
        return [
            Absentees() if type(s) is sources.Absentees else s
            for s in super().sources()] + [Alerts()]
