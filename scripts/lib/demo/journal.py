# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the administrator of the demo verifies of the journal"

from proteus import Wizard

from ..environment import refuse


class Journal:
    "The chained journals of the cases"

    def __init__(self, demo):
        self.config = demo.configs['administrateur']

    def summary(self):
        verify = Wizard('training.journal.verify', config=self.config)
        result = verify.form
        if not result.is_sound:
            refuse(result.broken)
        yield (f"Journal : {result.entries} écritures de {result.cases} "
            "dossiers, vérifiées")
        verify.execute('end')
