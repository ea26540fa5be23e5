# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The records that the tests start from, made over the network"

import datetime as dt

from trytond.modules.training_abandon.tests import tools

ADVISER = 'adviser@example.com'
SECRET = "Hospitalisation prolongée"


class Training:
    "A running session with somebody absent"

    def __init__(self):
        self.today = dt.date.today()
        self.adviser = tools.create_party(
            "Mission locale de Nice", email=ADVISER, lang='fr')
        self.session = tools.create_session(
            "Compétences numériques", self.today - dt.timedelta(days=10),
            days=12)
        enrolment = self.enrol("Karim Benali")
        for slot in self.session.slots[:4]:
            tools.hold_slot(slot, absent=[enrolment])

    def enrol(self, name, prescriber=None):
        trainee = tools.create_party(
            name, email='trainee@example.com', lang='fr')
        return tools.create_enrolment(
            self.session, trainee, prescriber=prescriber or self.adviser)

    def case(self, name, days=0, **values):
        "Return the case opened for a new enrolment since some days"
        return tools.open_case(
            self.enrol(name, **values),
            date=self.today - dt.timedelta(days=days))

    def case_at(self, kind, *args, **values):
        "Return the case whose next step is of that kind"
        case = self.case(*args, **values)
        for step in self.steps(case):
            if step == kind:
                return case

    def steps(self, case):
        "Yield the kind of each step before doing it"
        yield 'inform'
        tools.apply('inform', [case])
        yield 'ask_reasons'
        tools.apply('ask_reasons', [case])
        yield 'analyse'
        reason = tools.get_reason('health')
        tools.analyse(
            [case], reason, [reason], reason_comment=SECRET, analysis=SECRET)
        yield 'propose'
        tools.propose([case], "Reprise sur la prochaine session.")
        yield 'exchange'
        tools.exchange([case], answer='refused')
        yield 'follow_up'
        tools.apply('follow_up', [case])
        yield 'decide'
        tools.apply(
            'decide', [case], decision='validated', ground='abandonment')
        yield 'certify'
