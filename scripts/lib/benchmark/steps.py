# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The step that informs the prescriber beside the raw creation of its mails"

from trytond.modules.training_abandon.scripts.importing.client import grouped

from .cases import Cases
from .common import measure, seconds

RUNS = 3
CASES = 500
# The step takes at most 15 times the time of its mails
INFORM_BAR = 1 / 15
# What the mails are created with
NAMES = [
    'body', 'case', 'company', 'enrolment', 'from_', 'kind', 'language',
    'letter', 'message', 'message_id', 'party', 'state', 'step', 'subject',
    'to']


def run(client):
    cases = Cases(client)
    informed, created = [], []
    for _ in range(RUNS):
        ids = cases.open(CASES)
        informed.append(seconds(inform, cases, ids))
        created.append(seconds(create, cases, read_mails(cases, ids)))
    yield measure('inform', CASES, informed, CASES, created, INFORM_BAR)


def inform(cases, ids):
    with cases.transaction():
        cases.apply('training.abandon.case.inform', ids)


def read_mails(cases, ids):
    "Return the values of other mails like those of the cases"
    from trytond.pool import Pool

    with cases.transaction():
        Mail = Pool().get('training.mail')
        mails = []
        for part in grouped(ids):
            mails += Mail.read(
                [m.id for m in Mail.search([('case', 'in', part)])], NAMES)
    assert len(mails) == CASES
    for mail in mails:
        del mail['id']
        mail['message_id'] = mail['message_id'].replace('<', '<again.')
    return mails


def create(cases, mails):
    from trytond.pool import Pool

    with cases.transaction():
        Mail = Pool().get('training.mail')
        for part in grouped(mails):
            Mail.create(part)
