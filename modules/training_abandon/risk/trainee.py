# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import check_access

from .. import tools
from .enrolment import LEVELS


class Trainee(metaclass=PoolMeta):
    __name__ = 'training.trainee'

    alerts = fields.Function(
        fields.Many2Many(
            'training.alert', None, None, "Alerts",
            help="The open alerts of all the enrolments."),
        'get_alerts')
    risk_level = fields.Function(
        fields.Selection([
                ('none', "None"),
                ('watch', "Watch"),
                ('alert', "Alert"),
                ], "Risk", sort=False,
            help="The highest level of the open alerts."),
        'get_risk', searcher='search_risk_level')
    risk_facts = fields.Function(
        fields.Text("Facts", help="What the open alerts tell."),
        'get_risk')
    risk_since = fields.Function(
        fields.Date(
            "Waiting Since", help="The day of the oldest open alert."),
        'get_risk')

    @classmethod
    def get_alerts(cls, trainees, name):
        pool = Pool()
        Alert = pool.get('training.alert')
        return cls.of_enrolments(trainees, Alert)

    @classmethod
    def get_risk(cls, trainees, names):
        pool = Pool()
        Alert = pool.get('training.alert')
        by_trainee = defaultdict(list)
        for sub_trainees in grouped_slice(trainees, tools.BATCH):
            # Tryton calls the getters without the access of the user
            with check_access():
                alerts = Alert.search([
                        ('closed_at', '=', None),
                        ('trainee', 'in', [t.id for t in sub_trainees]),
                        ])
            for alert in alerts:
                by_trainee[alert.trainee.id].append(alert)
        risks = {
            t.id: {
                'risk_level': max(
                    (a.level for a in by_trainee[t.id]),
                    key=LEVELS.index, default='none'),
                'risk_facts': '\n'.join(
                    filter(None, (a.what for a in by_trainee[t.id]))) or None,
                'risk_since': min((
                        tools.local_date(a.first_seen, a.company)
                        for a in by_trainee[t.id]), default=None),
                } for t in trainees}
        return {
            name: {id_: risk[name] for id_, risk in risks.items()}
            for name in names}

    @classmethod
    def search_risk_level(cls, name, clause):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        _, operator, value = clause
        values = value if operator.endswith('in') else [value]
        found = [v for v in LEVELS if v in values]
        if operator in {'!=', 'not in'}:
            found = [v for v in LEVELS if v not in found]

        def trainees(*levels):
            enrolment = Enrolment.__table__()
            # Tryton calls the searchers without the access of the user
            with check_access():
                found = Enrolment.search(
                    [('risk_level', 'in', levels)], order=[], query=True)
            return enrolment.select(
                enrolment.trainee, where=enrolment.id.in_(found))

        at_risk, alarming = trainees('watch', 'alert'), trainees('alert')
        domains = {
            'none': ('id', 'not in', at_risk),
            'watch': [('id', 'in', at_risk), ('id', 'not in', alarming)],
            'alert': ('id', 'in', alarming),
            }
        return ['OR', ('id', '=', -1), *(domains[v] for v in found)]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree/field[@name="risk_level"]', 'visual',
                If(Eval('risk_level') == 'alert', 'danger',
                    If(Eval('risk_level') == 'watch', 'warning', ''))),
            ]
