# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The opening of many cases beside the raw creation of the same rows"

from trytond.modules.training_abandon.scripts.importing.client import grouped

from .cases import START, Cases
from .common import measure, seconds

RUNS = 1
CASES = 5000
# To open takes at most twice the time of the creation
OPEN_BAR = 1 / 2
# What the cases and their steps are created with
NAMES = ['company', 'procedure', 'origin', 'opening_date', 'opened_by']
STEP_NAMES = [
    'sequence', 'kind', 'procedure_step', 'due_date', 'state', 'skip_reason',
    'by_procedure']


def run(client):
    cases = Cases(client)
    opened, created = [], []
    for number in range(RUNS):
        enrolments = cases.enrol(CASES)
        opened.append(seconds(open_cases, cases, enrolments))
        rows = read_rows(cases, enrolments)
        for i, (row, enrolment) in enumerate(zip(rows, cases.enrol(CASES))):
            row.update(enrolment=enrolment, number=f'{number}.{i}')
        created.append(seconds(create, cases, rows))
    yield measure('open', CASES, opened, CASES, created, OPEN_BAR)


def open_cases(cases, enrolments):
    from trytond.modules.training_abandon.tools import browse_sets
    from trytond.pool import Pool

    with cases.transaction():
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Case.open_cases(browse_sets(Enrolment, enrolments), 'absence', START)


def read_rows(cases, enrolments):
    "Return the values of the cases of the enrolments with their steps"
    from trytond.pool import Pool

    rows = []
    with cases.transaction():
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        for part in grouped(enrolments):
            by_case = {
                row.pop('id'): row for row in Case.read([
                        c.id for c in Case.search([
                                ('enrolment', 'in', part)])], NAMES)}
            for row in by_case.values():
                row['steps'] = [('create', [])]
            for step in Step.read([
                        s.id for s in Step.search([
                                ('case', 'in', list(by_case))])],
                    ['case', *STEP_NAMES]):
                del step['id']
                (_, steps), = by_case[step.pop('case')]['steps']
                steps.append(step)
            rows += by_case.values()
    assert len(rows) == len(enrolments)
    return rows


def create(cases, rows):
    from trytond.pool import Pool

    with cases.transaction():
        Case = Pool().get('training.abandon.case')
        for part in grouped(rows):
            Case.create(part)
