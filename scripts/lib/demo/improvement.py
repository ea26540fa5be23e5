# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the person responsible for the quality of the demo makes of it"

import datetime as dt

from dateutil.relativedelta import relativedelta

ACTION = 'training.improvement.action'
# Name, cause, whose doing it is, description, and if it has begun
ACTIONS = [
    ("Test de positionnement avant l'inscription", 'reason_level',
        'provider', "Test en ligne, revu par le formateur référent.", True),
    ("Séances à distance du matin", 'reason_distance', 'external',
        "Salle équipée pour suivre la séance de chez soi.", False),
    ]
# Kind, days before today, name, description, answer
EVENTS = [
    ('complaint', 20, "Salle trop bruyante",
        "Travaux dans l'immeuble pendant deux séances.",
        "Changement de salle le lendemain."),
    ('hazard', 6, "Grève des transports",
        "Retards de la moitié du groupe.", None),
    ]


class Improvement:
    "Actions, the meeting that decided them and what complaints came in"

    def __init__(self, demo):
        self.demo = demo

    def run(self):
        today = dt.date.today()
        actions = self.plan(today)
        Meeting = self.demo.model('training.improvement.meeting')
        meeting = Meeting(
            name="Revue qualité du trimestre",
            date=today - relativedelta(days=15),
            others="Les formateurs référents",
            minutes="Les abandons du trimestre et leurs causes ont été "
            "examinés ; deux actions sont décidées.")
        meeting.actions.extend(self.demo.model(ACTION).find([
                    ('id', 'in', [a.id for a in actions])]))
        meeting.save()
        self.receive(today)

    def plan(self, today):
        Action = self.demo.model(ACTION)
        Employee = self.demo.model('company.employee')
        owner, *_ = Employee.find([], limit=1)
        actions = []
        for name, code, responsible, description, begun in ACTIONS:
            action = Action(
                name=name, cause=self.demo.reason(code, 'assistant'),
                responsible=responsible, description=description,
                owner=owner,
                due_date=today + relativedelta(months=2),
                before_from=today - relativedelta(months=6),
                before_to=today - relativedelta(months=1),
                after_from=today - relativedelta(months=1, days=-1),
                after_to=today)
            action.save()
            if begun:
                action.click('run')
                action.click('measure')
            actions.append(action)
        return actions

    def receive(self, today):
        Event = self.demo.model('training.improvement.event')
        Session = self.demo.model('training.session')
        session, *_ = Session.find(
            [('start_date', '<', today)], order=[('number', 'ASC')], limit=1)
        for kind, days, name, description, answer in EVENTS:
            date = today - relativedelta(days=days)
            Event(
                kind=kind, date=date, name=name, description=description,
                session=session, answer=answer,
                answered_on=date if answer else None).save()
