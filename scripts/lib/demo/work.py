# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The cases that the users of the demo find when they arrive"

import datetime as dt
from collections import defaultdict

from demo_data.catalogue import CLOSED_HOST

from proteus import Wizard

from .clock import next_working_day, schedule

CASE = 'training.abandon.case'
ENROLMENT = 'training.enrolment'
FOLLOW_UP = 'training.follow_up'
CERTIFICATE = 'training.abandon.certificate'
STEPS = [
    'inform', 'ask_reasons', 'analyse', 'propose', 'exchange', 'follow_up',
    'decide', 'certify']
# What becomes of the case of each trainee, who has been absent less and
# less long, and the last step applied to it
PLAN = [
    ('overdue', None),
    ('certified', 'certify'),
    ('followed up', 'follow_up'),
    ('exchanged', 'exchange'),
    ('proposed', 'propose'),
    ('analysed', 'analyse'),
    ('resumed', 'ask_reasons'),
    ('waiting', 'ask_reasons'),
    ('informed', 'inform'),
    ('skipped', None),
    ('cancelled', 'inform'),
    ('new', None),
    ]
# The same, with those whose mail is refused or whose session is over
LAST = {**dict(PLAN), 'unreachable': 'ask_reasons', 'closed': 'end'}
# Those of whom the prescriber plays a part
PRESCRIBED = {'overdue', 'informed', 'skipped'}
# How many times slower than usual the steps of some are done
SLOW = {'followed up': 3, 'certified': 2}
# Days after the last presence on which a case is opened
PATIENCE = 3
# What the analyses find: declared reason, cause, responsible, analysis,
# terms of the proposal
ANALYSES = [
    (None, 'reason_no_answer', 'trainee',
        "Aucune réponse aux courriels ni aux appels.",
        "Entretien avec le référent pour organiser la reprise."),
    ('reason_distance', 'reason_distance', 'external',
        "La ligne de bus directe est supprimée depuis un mois.",
        "Suivi à distance des séances du matin."),
    ('reason_health', 'reason_health', 'external',
        "Le stagiaire annonce un empêchement de plusieurs semaines.",
        "Report sur la session suivante, sans frais."),
    ('reason_level', 'reason_level', 'provider',
        "Le positionnement initial a surestimé le niveau.",
        "Deux séances de soutien avant de rejoindre le groupe."),
    ]
# Working days from now, kind, outcome and note of the calls to those often
# late or absent
CALLS = [
    (-2, 'call', 'reached', "Retards dus aux horaires du train de Cannes."),
    (-1, 'call', 'no_answer', "Message laissé sur le répondeur."),
    (-1, 'meeting', 'appointment', "Point fixé après la prochaine séance."),
    (1, 'call', None, None),
    (1, 'meeting', None, None),
    (2, 'call', None, None),
    ]


class Work:
    "Brings cases to different points of the procedure"

    def __init__(self, demo, enrolments):
        self.demo = demo
        self.cases = defaultdict(list)
        self.by_enrolment = {}
        self.analyses = {}
        absent = [e for e in enrolments if demo.is_absent(e)]
        self.chosen = list(choose(absent))
        self.others = [
            e for e in enrolments if e not in absent and needs_call(e)]

    def run(self):
        for (date, position), chosen in sorted(self.agenda().items()):
            with self.demo.clock.at(date, position):
                if position:
                    self.apply(
                        [*STEPS, 'end'][position - 1],
                        [self.by_enrolment[e['id']] for e, _ in chosen])
                else:
                    self.open(date, chosen)
        self.skip(self.cases['skipped'])
        self.resume(self.cases['resumed'])
        self.click('cancel', self.cases['cancelled'])
        self.call(self.others)

    def agenda(self):
        """Return what is done, the enrolments and the names of their cases by
        day and place in the day: 0 to open, then the place of the step"""
        agenda = defaultdict(list)
        for i, (enrolment, name) in enumerate(self.chosen):
            opening = opening_date(enrolment, name)
            agenda[opening, 0].append((enrolment, name))
            if not (last := LAST[name]):
                continue
            # One of four of the past was not done in time
            factor = SLOW.get(name) or (
                3 if name == 'closed' and i % 4 == 0 else 1)
            for place, (_, date) in enumerate(
                    schedule(opening, last, factor), 1):
                agenda[date, place].append((enrolment, name))
        return agenda

    def wizard(self, name, ids, login='assistant', model=CASE):
        Model = self.demo.model(model, login)
        return Wizard(
            f'{CASE}.{name}', [Model(id) for id in ids],
            config=self.demo.configs[login])

    def open(self, date, chosen):
        "Open the cases of the same day together"
        wizard = self.wizard(
            'open', [e['id'] for e, _ in chosen], model=ENROLMENT)
        wizard.form.origin = 'absence'
        wizard.form.date = date
        wizard.execute('apply')
        for (enrolment, name), case in zip(chosen, wizard.actions[0]):
            self.cases[name].append(case.id)
            self.by_enrolment[enrolment['id']] = case.id
            # Only who has answered has something to sign
            self.analyses[case.id] = ANALYSES[
                1 if name == 'certified'
                else len(self.analyses) % len(ANALYSES)]

    def next(self, kind, ids):
        "The cases among ids whose next step is of that kind"
        return [
            case['id'] for case in self.demo.search_read(
                CASE, [('id', 'in', ids)], 'next_kind')
            if case['next_kind'] == kind]

    def apply(self, kind, ids):
        if kind == 'end':
            self.sign(ids)
            self.click('close', ids)
        elif ids := self.next(kind, ids):
            getattr(self, kind, self.write)(kind, ids)

    def write(self, kind, ids):
        "Apply a step that writes to people"
        self.wizard(kind, ids).execute('apply')

    def ask_reasons(self, kind, ids):
        "Ask the reasons, in the letter of the customer if one announced it"
        for announced in [True, False]:
            group = [
                i for i in ids
                if (i in self.cases['certified']) == announced]
            if group:
                wizard = self.wizard(kind, group)
                wizard.form.declared = announced
                wizard.execute('apply')

    def by_analysis(self, ids):
        result = defaultdict(list)
        for id in ids:
            result[self.analyses[id]].append(id)
        return result.items()

    def analyse(self, kind, ids):
        reason = self.demo.reason
        for (declared, cause, responsible, text, _), group in (
                self.by_analysis(ids)):
            wizard = self.wizard(kind, group, 'administrateur')
            if declared:
                wizard.form.reasons.append(reason(declared))
            wizard.form.causes.new(
                cause=reason(cause), responsible=responsible)
            wizard.form.analysis = text
            wizard.execute('apply')

    def propose(self, kind, ids):
        Solution = self.demo.model(
            'training.abandon.solution', 'administrateur')
        for (*_, terms), group in self.by_analysis(ids):
            wizard = self.wizard(kind, group, 'administrateur')
            suggestion, *_ = wizard.form.suggestions
            wizard.form.proposals.new(
                solution=Solution(suggestion.id), description=terms)
            wizard.execute('apply')

    def exchange(self, kind, ids):
        wizard = self.wizard(kind, ids)
        for i, exchange in enumerate(wizard.form.exchanges):
            exchange.outcome = 'no_answer' if i % 3 else 'reached'
            exchange.note = (
                "Message laissé." if i % 3 else "Proposition expliquée.")
        for response in wizard.form.responses:
            response.answer = 'refused'
        wizard.execute('apply')

    def decide(self, kind, ids):
        Case = self.demo.model(CASE, 'administrateur')
        for id in ids:
            wizard = self.wizard(kind, [id], 'administrateur')
            wizard.form.decision = 'validated'
            wizard.form.ground = 'abandonment'
            wizard.form.effective_date = Case(id).opening_date
            wizard.execute('apply')

    def resume(self, ids):
        wizard = self.wizard('decide', ids, 'administrateur')
        wizard.form.note = "De retour depuis ce matin."
        wizard.execute('apply')

    def skip(self, ids):
        wizard = self.wizard('skip', ids, 'administrateur')
        wizard.form.reason = (
            "Le prescripteur a lui-même signalé l'absence.")
        wizard.execute('apply')

    def sign(self, ids):
        Certificate = self.demo.model(CERTIFICATE)
        for certificate in Certificate.find([('case', 'in', ids)]):
            certificate.click(
                'sign' if certificate.kind == 'statement' else 'no_answer')

    def click(self, button, ids):
        Case = self.demo.model(CASE)
        Case.click([Case(id) for id in ids], button)

    def call(self, enrolments):
        FollowUp = self.demo.model(FOLLOW_UP)
        Enrolment = self.demo.model(ENROLMENT)
        follow_ups = []
        for i, (enrolment, (days, kind, outcome, note)) in enumerate(
                zip(enrolments, CALLS)):
            follow_up = FollowUp(enrolment=Enrolment(enrolment['id']))
            follow_up.kind = kind
            follow_up.planned_at = dt.datetime.combine(
                working_day(days), dt.time(8 + i))
            if outcome:
                follow_up.done_at = follow_up.planned_at
                follow_up.outcome = outcome
                follow_up.note = note
            follow_ups.append(follow_up)
        FollowUp.save(follow_ups)


def choose(enrolments):
    "Yield the enrolments, who left first first, and their kind of case"
    names = [name for name, _ in PLAN]
    for enrolment in sorted(
            enrolments, key=lambda e: (last_presence(e), e['id'])):
        email = enrolment['trainee.']['party.']['email']
        if enrolment['session.']['end_date'] < dt.date.today():
            yield enrolment, 'closed'
        elif email.endswith(CLOSED_HOST):
            yield enrolment, 'unreachable'
        elif name := next((
                    n for n in names
                    if enrolment['prescriber'] or n not in PRESCRIBED), None):
            names.remove(name)
            yield enrolment, name


def working_day(count):
    "The day that many working days from now, before if negative"
    date = dt.date.today()
    step = dt.timedelta(days=1 if count > 0 else -1)
    for _ in range(abs(count)):
        date += step
        while date.weekday() >= 5:
            date += step
    return date


def needs_call(enrolment):
    return (enrolment['session.']['end_date'] >= dt.date.today()
        and (enrolment['late_count'] >= 3
            or (enrolment['attendance_rate'] or 1) < .8))


def last_presence(enrolment):
    return (enrolment['last_presence']
        or enrolment['session.']['start_date'])


def opening_date(enrolment, name):
    today = dt.date.today()
    if name == 'new':
        return today
    return min(today, next_working_day(
            last_presence(enrolment) + dt.timedelta(days=PATIENCE)))
