# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the administrator of the demo verifies of the journal"

from proteus import Wizard
from trytond.pool import Pool

from ..environment import refuse


class Journal:
    "The chained journals of the cases"

    def __init__(self, demo):
        self.config = demo.configs['administrateur']
        self.clock = demo.clock

    def record_day(self):
        "Do what the scheduled action does each day"
        with self.clock.transaction():
            pool = Pool(self.clock.database_name)
            pool.get('training.journal.day').record_due()

    def summary(self):
        self.record_day()
        verify = Wizard('training.journal.verify', config=self.config)
        result = verify.form
        if not result.is_sound:
            refuse(result.broken)
        yield (f"Journal : {result.entries} écritures de {result.cases} "
            "dossiers, vérifiées")
        verify.execute('end')
