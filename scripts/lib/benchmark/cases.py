# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Cases for the benchmarks: their trainees and their prescriber have addresses"

import datetime as dt
import socket
from contextlib import contextmanager
from itertools import count

from trytond.modules.training_abandon.scripts.importing.client import grouped

START = dt.date(2026, 1, 5)


def new_email(number):
    return [('create', [{
                    'type': 'email',
                    'value': f'person{number}@example.com',
                    }])]


class Cases:

    def __init__(self, client):
        import trytond.config as config

        self.client = client
        self.database = client.config.database_name
        config.set('email', 'from', 'formation@active-talents.example')
        if not config.has_section('training_abandon'):
            config.add_section('training_abandon')
        config.set(
            'training_abandon', 'live',
            f'{self.database}@{socket.gethostname()}')
        self.numbers = count()
        self.prescriber, = self.new_parties(1)
        self.session = self.new_session()

    @contextmanager
    def transaction(self):
        from trytond.transaction import Transaction

        context = dict(self.client.context, _skip_warnings=True)
        with Transaction().start(
                self.database, self.client.config.user,
                context=context) as transaction:
            yield transaction
            # No task: nothing is delivered
            del transaction.tasks[:]

    def new_parties(self, number):
        return self.client.create('party.party', [{
                    'name': f"Person {i}",
                    'contact_mechanisms': new_email(i),
                    } for i in (next(self.numbers) for _ in range(number))])

    def new_session(self):
        course, = self.client.create(
            'training.course', [{'name': "Bookkeeping"}])
        session, = self.client.create('training.session', [{
                    'course': course,
                    'company': self.client.context['company'],
                    'start_date': START,
                    'end_date': START,
                    'slots': [('create', [{
                                    'date': START,
                                    'start': dt.time(9),
                                    'end': dt.time(12),
                                    }])],
                    }])
        return session

    def enrol(self, number):
        "Return the ids of so many new enrolments"
        enrolments = []
        for part in grouped(range(number)):
            trainees = self.client.create('training.trainee', [
                    {'party': p} for p in self.new_parties(len(part))])
            enrolments += self.client.create('training.enrolment', [{
                        'company': self.client.context['company'],
                        'session': self.session,
                        'trainee': trainee,
                        'prescriber': self.prescriber,
                        } for trainee in trainees])
        for button in ['confirm', 'start']:
            self.client.click('training.enrolment', button, enrolments)
        return enrolments

    def open(self, number):
        "Return the ids of so many new cases"
        from trytond.pool import Pool

        enrolments = self.enrol(number)
        with self.transaction():
            pool = Pool()
            Case = pool.get('training.abandon.case')
            Enrolment = pool.get('training.enrolment')
            cases = []
            for part in grouped(enrolments):
                cases += Case.open_cases(
                    Enrolment.browse(part), 'absence', START)
            return [c.id for c in cases]

    def apply(self, name, cases, **values):
        "Apply the wizard to the cases with what it proposes and the values"
        from trytond.pool import Pool
        from trytond.transaction import Transaction

        Wizard = Pool().get(name, type='wizard')
        with Transaction().set_context(
                active_model='training.abandon.case', active_ids=cases,
                active_id=cases[0]):
            session, state, _ = Wizard.create()
            view = Wizard.execute(session, {}, state)['view']
            form = {**plain(view['defaults']), **values}
            Wizard.execute(session, {'start': form}, 'apply')
            Wizard.delete(session)

    def decide(self, cases):
        "Validate the abandonments"
        from trytond.pool import Pool

        for part in grouped(cases):
            with self.transaction():
                Case = Pool().get('training.abandon.case')
                while Case(part[0]).next_kind != 'decide':
                    Case.skip_step(Case.browse(part), "Benchmark")
                self.apply(
                    'training.abandon.case.decide', part,
                    decision='validated', ground='abandonment',
                    effective_date=START)


def plain(values):
    "Return the values that a client sends back"
    if isinstance(values, dict):
        return {k: plain(v) for k, v in values.items() if '.' not in k}
    if isinstance(values, list):
        return [plain(v) for v in values]
    return values
