# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The records that the tests start from, made over the network"

import datetime as dt

from trytond.modules.training_abandon.tests import tools

ADVISER = 'adviser@example.com'


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

    def enrol(self, name, address=None, prescriber=None):
        address = address or f"{name.split()[0].lower()}@example.com"
        return tools.create_enrolment(
            self.session, tools.create_party(name, email=address, lang='fr'),
            prescriber=prescriber or self.adviser)

    def case(self, name, days=0, **values):
        "Return the case opened for a new enrolment since some days"
        return tools.open_case(
            self.enrol(name, **values),
            date=self.today - dt.timedelta(days=days))

    def asked(self, *args, **values):
        "Return the case of a trainee who was asked for the reasons"
        case = self.case(*args, **values)
        tools.apply('inform', [case])
        tools.apply('ask_reasons', [case])
        return case

    def analysed(self, name):
        case = self.asked(name)
        tools.analyse([case], tools.get_reason('health'))
        return case

    def abandoned(self, name):
        "Return the case that waits for its certificate"
        case = self.analysed(name)
        tools.propose([case], "Reprise sur la prochaine session.")
        tools.exchange([case], answer='refused')
        tools.apply('follow_up', [case])
        tools.apply(
            'decide', [case], decision='validated', ground='abandonment')
        return case
