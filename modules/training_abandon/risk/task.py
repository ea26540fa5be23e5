# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Literal, Null
from sql.aggregate import Count, Min
from sql.conditionals import Case, Coalesce
from sql.operators import Exists

from trytond.i18n import gettext, ngettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import PYSONEncoder
from trytond.transaction import Transaction, check_access

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
            words = [alert.facts if alert.rule else alert.kind_string]
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


class TooManyAlerts(Source):
    "The employees who have more open alerts than they can see to"
    kind = 'alert'
    model = 'company.employee'
    urgent = True

    def tables(self, employee):
        pool = Pool()
        Alert = pool.get('training.alert')
        Configuration = pool.get('training.configuration')
        alert = Alert.__table__()
        opened = alert.select(
            alert.owner.as_('owner'), alert.company.as_('company'),
            Min(alert.first_seen).as_('first_seen'),
            where=(alert.closed_at == Null) & (alert.owner != Null),
            group_by=[alert.owner, alert.company],
            having=Count(Literal(1))
            > Configuration(1).get_multivalue('alert_cap'))
        return employee.join(
            opened, condition=opened.owner == employee.id), {
            'company': opened.company,
            'owner': employee.id,
            'since': self.day(opened.first_seen),
            }, None

    def words(self, employees):
        pool = Pool()
        Alert = pool.get('training.alert')
        alert = Alert.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*alert.select(
                alert.owner, Count(Literal(1)),
                where=(alert.closed_at == Null)
                & fields.SQL_OPERATORS['in'](
                    alert.owner, list(map(int, employees))),
                group_by=[alert.owner]))
        return {
            owner: gettext(
                'training_abandon.msg_task_alert_cap', count=count)
            for owner, count in cursor}

    def action(self, employee):
        return 'act_alert_form', {
            'pyson_domain': PYSONEncoder().encode(
                [('owner', '=', employee.id)]),
            }


class UnownedAlerts(sources.CompanySource):
    "The companies with more open alerts that nobody answers for"
    kind = 'alert'

    def tables(self, company):
        pool = Pool()
        Alert = pool.get('training.alert')
        Configuration = pool.get('training.configuration')
        alert = Alert.__table__()
        opened = alert.select(
            alert.company.as_('company'),
            Min(alert.first_seen).as_('first_seen'),
            where=(alert.closed_at == Null) & (alert.owner == Null),
            group_by=[alert.company],
            having=Count(Literal(1))
            > Configuration(1).get_multivalue('alert_cap'))
        return company.join(
            opened, condition=opened.company == company.id), {
            'company': company.id,
            'since': self.day(opened.first_seen),
            }, None

    def words(self, companies):
        pool = Pool()
        Alert = pool.get('training.alert')
        alert = Alert.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*alert.select(
                alert.company, Count(Literal(1)),
                where=(alert.closed_at == Null) & (alert.owner == Null)
                & fields.SQL_OPERATORS['in'](
                    alert.company, list(map(int, companies))),
                group_by=[alert.company]))
        return {
            company: gettext(
                'training_abandon.msg_task_alert_unowned', count=count)
            for company, count in cursor}

    def action(self, company):
        return 'act_alert_form', {
            'pyson_domain': PYSONEncoder().encode([
                    ('owner', '=', None), ('company', '=', company.id)]),
            }


class Absentees(sources.Absentees):
    "The absent without an open case of whom no alert tells, or has told"

    def tables(self, enrolment):
        pool = Pool()
        Alert = pool.get('training.alert')
        alert = Alert.__table__()
        from_, columns, condition = super().tables(enrolment)
        # Somebody has seen these absences and wants to hear no more of them
        is_dismissed = (
            (alert.state == 'dismissed')
            & ~Coalesce(alert.withdrawn, Literal(False))
            & (alert.rule != Null)
            & ((enrolment.last_presence == Null)
                | (alert.since > enrolment.last_presence)))
        return from_, columns, condition & ~Exists(alert.select(
                Literal(1),
                where=(alert.enrolment == enrolment.id)
                & ((alert.closed_at == Null) | is_dismissed)))


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
            for s in super().sources()] + [
                Alerts(), TooManyAlerts(), UnownedAlerts()]
