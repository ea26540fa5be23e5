# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the accountant of the demo makes of the abandonments"

from proteus import Wizard

from .work import CASE, ENROLMENT

# Whose agreements decide by themselves what is due
KINDS = ['agreement', 'contract']


class Settlements:
    "The settlements and the certificates of completion"

    def __init__(self, demo):
        self.demo = demo

    def run(self):
        cases = self.demo.search_read(CASE, [
                ('decision', '=', 'validated'),
                ('ground', '=', 'abandonment'),
                ('enrolment.agreement_kind', 'in', KINDS),
                ], 'enrolment')
        Case = self.demo.model(CASE, 'comptable')
        Enrolment = self.demo.model(ENROLMENT, 'comptable')
        Enrolment.click(
            [Enrolment(c['enrolment']) for c in cases], 'issue_completion')
        # The last one is left to do
        settle = Wizard(
            f'{CASE}.settle', [Case(c['id']) for c in cases[:-1]],
            config=self.demo.configs['comptable'])
        settle.execute('apply')
        Settlement = self.demo.model(
            'training.abandon.settlement', 'comptable')
        Settlement.click(Settlement.find([], limit=1), 'post')
