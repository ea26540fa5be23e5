# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The cases of the demo, as its users make them: one through the eight steps
and the others that the day brings

python -m lib.demo.case DATABASE CONFIG DIRECTORY"""

import datetime as dt
import sys
import time
from email import message_from_bytes, policy
from pathlib import Path
from zoneinfo import ZoneInfo

from demo_data.catalogue import FOLLOWED

from proteus import Model, Wizard
from proteus import config as pconfig

from ..environment import refuse
from .clock import Clock, schedule
from .declaration import Declarations
from .evidence import Evidence
from .expectation import Expectation
from .improvement import Improvement
from .journal import Journal
from .prevention import Prevention
from .proof import Proof
from .replies import Replies
from .settlement import Settlements
from .sheets import Sheets
from .work import CASE, ENROLMENT, Work, opening_date

# From how many absences in a row somebody is worth a case
ABSENCES = 3
# After how many days a session that is over is done
DONE_AFTER = dt.timedelta(days=5)
FACTS = [
    'prescriber', 'consecutive_absences', 'last_presence', 'late_count',
    'attendance_rate', 'session.start_date', 'session.end_date',
    'trainee.party.name', 'trainee.party.email']


class Demo:

    def __init__(self, database, config_file, directory):
        self.directory = Path(directory)
        self.configs = {
            login: pconfig.set_trytond(
                database, user=login, config_file=config_file)
            for login in ['assistant', 'administrateur', 'comptable']}
        self.clock = Clock(self.configs['assistant'].database_name)

    def model(self, name, login='assistant'):
        return Model.get(name, config=self.configs[login])

    def wizard(self, name, login='assistant'):
        case = self.model(CASE, login)(self.case.id)
        return Wizard(
            f'{CASE}.{name}', [case], config=self.configs[login])

    def search_read(self, model, domain, *names):
        config = self.configs['assistant']
        return config.get_proxy(model).search_read(
            domain, 0, None, [('id', 'ASC')], list(names), config.context)

    def run(self):
        enrolments = self.search_read(
            ENROLMENT, [('state', 'in', ['confirmed', 'started'])], *FACTS)
        followed, = [e for e in enrolments if is_followed(e)]
        self.eight_steps(followed)
        self.case.reload()
        self.save_certificate()
        work = Work(self, [e for e in enrolments if not is_followed(e)])
        work.run()
        self.end_sessions()
        self.sheets = Sheets(self)
        self.sheets.run()
        Expectation(self).run()
        Prevention(self, work.others).run()
        Settlements(self).run()
        Declarations(self).run()
        Improvement(self).run()
        Evidence(self).run()
        self.wait_for_mails()
        Replies(self, work.cases, self.files()).run()
        Proof(self).run()
        return self.summary()

    def end_sessions(self):
        "End what is over and complete those who have stayed"
        Session = self.model('training.session')
        for session in Session.find([
                    ('state', '=', 'running'),
                    ('end_date', '<', dt.date.today()),
                    ]):
            with self.clock.at(session.end_date + DONE_AFTER):
                session.click('do')

    def is_absent(self, enrolment):
        return (enrolment['consecutive_absences'] or 0) >= ABSENCES

    def open(self, enrolment):
        wizard = Wizard(
            f'{CASE}.open', [self.model(ENROLMENT)(enrolment)],
            config=self.configs['assistant'])
        wizard.form.origin = 'absence'
        wizard.execute('apply')
        return wizard.actions[0][0]

    def eight_steps(self, enrolment):
        opening = opening_date(enrolment, 'followed')
        with self.clock.at(opening):
            self.case = self.open(enrolment['id'])
        for place, (kind, date) in enumerate(schedule(opening, 'end'), 1):
            with self.clock.at(date, place):
                getattr(self, kind, self.write)(kind)

    def write(self, kind):
        "Apply a step that writes to people"
        self.wizard(kind).execute('apply')

    def end(self, kind):
        Case = self.model(CASE)
        Case(self.case.id).certificate.click('sign')
        Case(self.case.id).click('close')

    def analyse(self, kind):
        wizard = self.wizard(kind, 'administrateur')
        wizard.form.reasons.append(self.reason('reason_time_lack'))
        wizard.form.causes.new(
            cause=self.reason('reason_employment'), responsible='trainee')
        wizard.form.analysis = (
            "Horaires de la formation incompatibles avec un emploi repris "
            "en cours de session.")
        wizard.execute('apply')

    def reason(self, name, login='administrateur'):
        ModelData = self.model('ir.model.data', login)
        return self.model('training.abandon.reason', login)(
            ModelData.get_id(
                'training_abandon', name, self.configs[login].context))

    def propose(self, kind):
        wizard = self.wizard(kind, 'administrateur')
        Solution = self.model('training.abandon.solution', 'administrateur')
        solution = (wizard.form.suggestions or Solution.find([], limit=1))[0]
        wizard.form.proposals.new(
            solution=Solution(solution.id),
            description="Reprise sur la prochaine session, en soirée.")
        wizard.execute('apply')

    def exchange(self, kind):
        wizard = self.wizard(kind)
        for exchange in wizard.form.exchanges:
            exchange.outcome = 'reached'
            exchange.note = "Proposition expliquée par téléphone."
        for response in wizard.form.responses:
            response.answer = 'refused'
        wizard.execute('apply')

    def certify(self, kind):
        wizard = self.wizard(kind)
        wizard.form.channel = 'email'
        wizard.execute('apply')

    def decide(self, kind):
        wizard = self.wizard(kind, 'administrateur')
        wizard.form.decision = 'validated'
        wizard.form.ground = 'abandonment'
        wizard.execute('apply')

    def save_certificate(self):
        certificate = self.model(CASE)(self.case.id).certificate
        (self.directory / 'attestation.pdf').write_bytes(certificate.document)

    def wait_for_mails(self, timeout=10):
        "The files appear a moment after the server has accepted the mails"
        expected = {mail.message_id for mail in self.mails()}
        end = time.monotonic() + timeout
        while expected - set(self.files()) and time.monotonic() < end:
            time.sleep(0.1)
        if missing := expected - set(self.files()):
            refuse(f"{len(missing)} mails sent have not arrived in "
                f"{self.directory / 'mails'}")

    def mails(self):
        return [
            mail for mail in self.model('training.mail').find([])
            if mail.state == 'sent']

    def files(self):
        "The files received, by message-id"
        result = {}
        for path in sorted((self.directory / 'mails').glob('*.eml')):
            message = message_from_bytes(
                path.read_bytes(), policy=policy.default)
            result[str(message['Message-ID']).strip()] = path
        return result

    def summary(self):
        case = self.model(CASE, 'administrateur')(self.case.id)
        enrolment = case.enrolment
        yield f"Dossier {case.rec_name}"
        yield f"Formation : {enrolment.session.rec_name}"
        yield f"Procédure : {case.procedure.rec_name}"
        yield ''
        files = self.files()
        for number, step in enumerate(
                sorted(case.steps, key=lambda s: (s.sequence, s.id)), 1):
            yield from self.step_lines(number, step, files)
        yield ''
        certificate = case.certificate
        yield (f"Attestation : attestation.pdf, SHA-256 "
            f"{certificate.sha256}, {label(certificate, 'state')}")
        yield (f"Décision : {label(case, 'decision')}, "
            f"{label(case, 'ground')}, "
            f"effet le {case.effective_date:%d/%m/%Y}")
        yield f"État du dossier : {label(case, 'state')}"
        yield f"État de l'inscription : {label(enrolment, 'state')}"
        yield ''
        yield from self.sheets.summary()
        yield ''
        yield from Journal(self).summary()
        yield ''
        yield "Autres dossiers :"
        for other in self.model(CASE).find(
                [('id', '!=', case.id)], order=[('id', 'ASC')]):
            yield from self.other_lines(other)

    def other_lines(self, case):
        line = f"  {case.rec_name} : {label(case, 'state')}"
        if case.next_step:
            line += (f", à faire : {label(case, 'next_kind')} "
                f"pour le {case.next_due_date:%d/%m/%Y}")
        yield line

    def step_lines(self, number, step, files):
        who = step.done_by.rec_name if step.done_by else '-'
        when = '-'
        if step.done_at:
            at = step.done_at.replace(tzinfo=ZoneInfo('UTC')).astimezone(
                ZoneInfo(step.company.timezone))
            when = f'{at:%d/%m/%Y %H:%M}'
        yield (f"{number}. {label(step, 'kind')} : {label(step, 'state')}, "
            f"{who}, {when}, preuve : {label(step, 'evidence')}")
        for mail in sorted(step.mails, key=lambda m: m.id):
            file = files.get(mail.message_id)
            yield (f"     {file.name if file else '(non reçu)'} : "
                f"« {mail.subject} », {label(mail, 'state')}, "
                f"{mail.smtp_reply}")


def is_followed(enrolment):
    return enrolment['trainee.']['party.']['name'] == FOLLOWED


def label(record, name):
    "The label of a selection in the language of the user"
    value = getattr(record, name)
    selection = record._fields[name]['selection']
    if not isinstance(selection, list):
        selection = getattr(record._proxy, selection)(record._config.context)
    return dict(selection).get(value) or value or '-'


def main(database, config_file, directory):
    text = '\n'.join(Demo(database, config_file, directory).run()) + '\n'
    (Path(directory) / 'summary.txt').write_text(text, encoding='utf-8')
    print(text, end='')


if __name__ == '__main__':
    main(*sys.argv[1:])
