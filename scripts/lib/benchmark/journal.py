# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The step that informs the prescriber, beside the same without the journal"
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

from .cases import Cases
from .common import measure, seconds
from .steps import inform

RUNS = 3
CASES = 200
SINGLE = 20
# The journal adds at most a tenth to a step
BAR = 1 / 1.1


def run(client):
    cases = Cases(client)
    for name, count, size in [
            ('journal, many cases', CASES, CASES),
            ('journal, one case', SINGLE, 1)]:
        times, baseline = [], []
        for _ in range(RUNS):
            for silent, result in [(False, times), (True, baseline)]:
                ids = cases.open(count)
                with (without_journal(cases) if silent
                        else nullcontext()):
                    result.append(seconds(inform_by, cases, ids, size))
        yield measure(name, count, times, count, baseline, BAR)


def inform_by(cases, ids, size):
    for start in range(0, len(ids), size):
        inform(cases, ids[start:start + size])


@contextmanager
def without_journal(cases):
    "Do what is done, and write nothing in the journal"
    from trytond.pool import Pool

    Entry = Pool(cases.database).get('training.journal.entry')
    with patch.object(Entry, 'record', lambda events: None), \
            patch.object(Entry, 'lock_heads', lambda case_ids: {}):
        yield
