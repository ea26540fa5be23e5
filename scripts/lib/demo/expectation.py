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
        coming = self.coming()
        part_time, away = [
            e for e in self.demo.search_read(
                ENROLMENT, [
                    ('state', '=', 'started'),
                    ('session', 'in', list(coming)),
                    ('cases', '=', None),
                    ('consecutive_absences', '=', 0),
                    ], 'session')][:2]
        first, *_ = coming[part_time['session']]
        self.change(
            part_time['id'], 'expected', first, None, MORNINGS,
            "Temps partiel demandé par l'employeur")
        _, first, last, *_ = coming[away['session']]
        self.change(
            away['id'], 'suspended', first, last, [],
            "Mission chez l'employeur")
        self.make_groups()
        self.catch_up()

    def coming(self):
        "Return the half-days to come of the running sessions with some"
        halves = {}
        for slot in self.demo.search_read(
                SLOT, [
                    ('state', '=', 'planned'),
                    ('date', '>', dt.date.today()),
                    ('session.state', '=', 'running'),
                    ], 'session', 'date', 'start', 'half'):
            halves.setdefault(slot['session'], set()).add(
                (slot['date'], slot['start'], slot['half']))
        return {s: sorted(h) for s, h in halves.items() if len(h) > 3}

    def change(self, enrolment, kind, first, last, weekdays, reason):
        Enrolment = self.demo.model(ENROLMENT, 'administrateur')
        wizard = Wizard(
            'training.enrolment.period.change', [Enrolment(enrolment)],
            config=self.config)
        wizard.form.kind = kind
        wizard.form.start_date, _, wizard.form.start_half = first
        if last:
            wizard.form.end_date, _, wizard.form.end_half = last
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
