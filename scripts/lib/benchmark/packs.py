# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The pack of many cases beside the one of a tenth of them"

from trytond.modules.training_abandon.scripts.importing.client import grouped

from .cases import Cases
from .common import measure, seconds
from .risk import memory

CASES = 1000
SMALL = CASES // 10
# A case takes as long in a large pack as in a small one
TIME_BAR = 1 / 1.2
# The memory of the process may grow by as much
MEMORY_BAR = 1.2


def run(client):
    cases = Cases(client)
    ids = cases.open(CASES)
    for part in grouped(ids):
        with cases.transaction():
            cases.apply('training.abandon.case.inform', part)
    # What is read once
    build(cases, ids[:1])
    small = seconds(build, cases, ids[:SMALL])
    memory_before = memory()
    large = seconds(build, cases, ids)
    result = measure('pack', CASES, [large], SMALL, [small], TIME_BAR)
    result['memory'] = memory()
    result['ok'] &= memory() <= memory_before * MEMORY_BAR
    yield result


def build(cases, ids):
    from trytond.pool import Pool

    with cases.transaction():
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Pack = pool.get('training.evidence_pack')
        pack, = Pack.request(Case.browse(ids), "Benchmark")
    with cases.transaction():
        Pack = Pool().get('training.evidence_pack')
        Pack.build([Pack(pack.id)])
    with cases.transaction():
        Pack = Pool().get('training.evidence_pack')
        pack = Pack(pack.id)
        assert pack.state == 'done' and not pack.problems, pack.problems
