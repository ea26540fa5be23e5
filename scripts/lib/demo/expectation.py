# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who is not expected everywhere in the demo: periods, groups, catch-up"

import datetime as dt

from proteus import Wizard

from .sheets import ATTENDANCE, SESSION, SLOT
from .work import ENROLMENT

GROUP = 'training.session.group'
MORNINGS = [
    f'{day}_morning' for day in [
        'monday', 'tuesday', 'wednesday', 'thursday', 'friday']]


class Expectation:

    def __init__(self, demo):
        self.demo = demo
        self.config = demo.configs['administrateur']

    def run(self):
        coming = self.coming_days()
        part_time, away = [
            e for e in self.demo.search_read(
                ENROLMENT, [
                    ('state', '=', 'started'),
                    ('session', 'in', list(coming)),
                    ('cases', '=', None),
                    ('consecutive_absences', '=', 0),
                    ], 'session')][:2]
        self.change(
            part_time['id'], 'expected', coming[part_time['session']][0],
            None, MORNINGS, "Temps partiel demandé par l'employeur")
        days = coming[away['session']]
        self.change(
            away['id'], 'suspended', days[1], days[2], [],
            "Mission chez l'employeur")
        self.make_groups()
        self.catch_up()

    def coming_days(self):
        "Return the days to come of the running sessions that have some"
        days = {}
        for slot in self.demo.search_read(
                SLOT, [
                    ('state', '=', 'planned'),
                    ('date', '>', dt.date.today()),
                    ('session.state', '=', 'running'),
                    ], 'session', 'date'):
            days.setdefault(slot['session'], set()).add(slot['date'])
        return {s: sorted(d) for s, d in days.items() if len(d) > 3}

    def change(self, enrolment, kind, start, end, weekdays, reason):
        Enrolment = self.demo.model(ENROLMENT, 'administrateur')
        wizard = Wizard(
            'training.enrolment.period.change', [Enrolment(enrolment)],
            config=self.config)
        wizard.form.kind = kind
        wizard.form.start_date = start
        wizard.form.end_date = end
        wizard.form.weekdays = weekdays
        wizard.form.reason = reason
        wizard.execute('apply')

    def make_groups(self):
        "Share the trainees of a session between two groups"
        Group = self.demo.model(GROUP, 'administrateur')
        Session = self.demo.model(SESSION, 'administrateur')
        session, = Session.find([('state', '=', 'planned')], limit=1)
        slots = sorted(session.slots, key=lambda s: (s.date, s.start))
        for i, name in enumerate(['Groupe A', 'Groupe B']):
            group = Group(session=session, name=name)
            group.slots.append(
                self.demo.model(SLOT, 'administrateur')(slots[i].id))
            group.save()
            for enrolment in session.enrolments[i::2]:
                group.enrolments.append(self.demo.model(
                        ENROLMENT, 'administrateur')(enrolment.id))
            group.save()

    def catch_up(self):
        "Have an absentee come to a slot of another session"
        Slot = self.demo.model(SLOT, 'administrateur')
        missed, *_ = self.demo.search_read(
            ATTENDANCE, [
                ('state', '=', 'absent'),
                ('slot.state', '=', 'held'),
                ('enrolment.state', '=', 'started'),
                ('enrolment.cases', '=', None),
                ], 'slot.session')
        slot, = Slot.find([
                ('state', '=', 'planned'),
                ('session', '!=', missed['slot.']['session']),
                ('session.state', '=', 'running'),
                ], limit=1)
        wizard = Wizard(
            'training.attendance.catch_up', [slot], config=self.config)
        wizard.form.missed.append(
            self.demo.model(ATTENDANCE, 'administrateur')(missed['id']))
        wizard.execute('apply')
