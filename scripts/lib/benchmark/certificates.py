# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The certificates of many cases beside one conversion for each"

from .cases import Cases
from .common import measure, seconds

CASES = 400
# One conversion for each takes a second
ALONE = 5
# Fifty times the rate of the certificates converted one by one
ISSUE_BAR = 50
# The same with the step of the cases and the mails
CERTIFY_BAR = 25


def run(client):
    cases = Cases(client)
    ids = cases.open(CASES)
    cases.decide(ids)
    alone = [seconds(issue, cases, [id_]) for id_ in ids[:ALONE]]
    issued = seconds(issue, cases, ids)
    certified = seconds(certify, cases, ids)
    yield measure(
        'certificates', CASES, [issued], 1, alone, ISSUE_BAR)
    yield measure(
        'certificates with mails', CASES, [certified], 1, alone, CERTIFY_BAR)


def issue(cases, ids):
    from trytond.pool import Pool

    with cases.transaction():
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Certificate = pool.get('training.abandon.certificate')
        issued = Certificate.issue(
            Case.browse(ids), lambda case: case.certificate_kind)
        assert len(issued) == len(ids)


def certify(cases, ids):
    from trytond.pool import Pool

    with cases.transaction():
        Case = Pool().get('training.abandon.case')
        Case.certify_all(Case.browse(ids), 'email')
    with cases.transaction():
        Case = Pool().get('training.abandon.case')
        assert all(c.state == 'certified' for c in Case.browse(ids))
