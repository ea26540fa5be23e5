# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The pack of evidence that the demo has for the auditor"

from proteus import Wizard

from ..environment import refuse
from .work import CASE

PACK = 'training.evidence_pack'
# The most cases for which the server does not need the scheduled action
CASES = 20


class Evidence:
    "A pack of the decided cases"

    def __init__(self, demo):
        self.demo = demo

    def run(self):
        Case = self.demo.model(CASE, 'administrateur')
        cases = Case.find(
            [('decision', '!=', None)], order=[('id', 'ASC')], limit=CASES)
        wizard = Wizard(
            f'{PACK}.request', cases,
            config=self.demo.configs['administrateur'])
        wizard.execute('apply')
        pack, = self.demo.model(PACK, 'administrateur').find([])
        if pack.state != 'done':
            refuse(f"The evidence pack is {pack.state}: {pack.problems}")
        (self.demo.directory / 'preuves.zip').write_bytes(pack.file)
