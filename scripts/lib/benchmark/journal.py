# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The step that informs the prescriber, beside the same without the journal"
import gc
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

from .cases import Cases
from .common import measure, seconds
from .steps import inform

# The first one, that reads what is read once, does not count
RUNS = 16
CASES = 100
SINGLE = 10
# The journal adds at most a tenth to a step
BAR = 1 / 1.1


def run(client):
    cases = Cases(client)
    for name, count, size in [
            ('journal, many cases', CASES, CASES),
            ('journal, one case', SINGLE, 1)]:
        times = {False: [], True: []}
        for number in range(RUNS):
            # Neither of them is always the second one
            for silent in [False, True] if number % 2 else [True, False]:
                ids = cases.open(count)
                gc.collect()
                with without_journal(cases) if silent else nullcontext():
                    times[silent].append(seconds(inform_by, cases, ids, size))
        yield measure(
            name, count, times[False][1:], count, times[True][1:], BAR)


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
