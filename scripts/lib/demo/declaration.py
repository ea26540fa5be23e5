# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the accountant of the demo has declared of the decisions"
from proteus import Wizard

DECLARATION = 'training.declaration'


class Declarations:
    "The first declaration, recorded: the others are left to do"

    def __init__(self, demo):
        self.demo = demo

    def run(self):
        Declaration = self.demo.model(DECLARATION, 'comptable')
        declarations = Declaration.find([
                ('state', '=', 'todo'),
                ('kind', '=', 'abandonment'),
                ], limit=1)
        record = Wizard(
            f'{DECLARATION}.record', declarations,
            config=self.demo.configs['comptable'])
        record.form.reference = 'OPCO-2026-0417'
        record.execute('apply')
