# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the person responsible prepares for the audit of the demo"

import datetime as dt

from proteus import Wizard

SIZE = 4
SEED = 2026
# How long the auditor reads the sample
DAYS = 30
FINDING = (
    "L'étape n'a pas été faite dans le délai de la procédure, sans motif "
    "noté.")
ANSWER = "Une relance est désormais planifiée à l'ouverture du dossier."


class Proof:
    "A sample of the year, its auditor and a finding"

    def __init__(self, demo):
        self.demo = demo

    def run(self):
        Sample = self.demo.model('training.audit.sample')
        User = self.demo.model('res.user', 'administrateur')
        auditor, = User.find([('login', '=', 'auditeur')])
        draw = Wizard(
            'training.audit.sample.draw',
            config=self.demo.configs['assistant'])
        draw.form.seed = SEED
        draw.form.size = min(SIZE, draw.form.population)
        draw.form.auditors.append(
            self.demo.model('res.user')(auditor.id))
        draw.form.until = dt.date.today() + dt.timedelta(days=DAYS)
        draw.execute('apply')
        sample, = Sample.find([])
        graded = [
            line for line in sample.lines if line.grade in {'minor', 'major'}]
        for line in graded[:1]:
            finding = self.demo.model('training.audit.finding')()
            finding.sample = sample
            finding.line = line
            finding.grade = line.grade
            finding.text = FINDING
            finding.answer = ANSWER
            finding.save()
