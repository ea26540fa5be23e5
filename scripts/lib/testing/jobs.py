# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Run the jobs of the suites, some at a time, as processes of their own"

import json
import os
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from typing import Callable, Sequence

from ..environment import VAR, say, stop_group, tail

LOGS = VAR / 'test'
# Some jobs wait for servers
COUNT = (os.cpu_count() or 1) + 1
TIMEOUT = {False: 40 * 60, True: 90 * 60}


@dataclass(frozen=True)
class Job:
    "A part of a suite; the heaviest start first, once after is done"
    suite: str
    name: str
    function: Callable
    weight: int
    after: Sequence = ()

    @property
    def id(self):
        return f'{self.suite}.{self.name}' if self.name else self.suite


class Process:
    "A job running in a process group of its own"

    def __init__(self, job, command, full):
        self.job = job
        self.log = LOGS / f'{job.id}.log'
        self.start = time.monotonic()
        self.timeout = TIMEOUT[full]
        with open(self.log, 'wb') as output:
            self.process = subprocess.Popen(
                list(map(str, [*command, '--child', job.id])),
                stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True)

    @property
    def duration(self):
        return time.monotonic() - self.start

    def done(self):
        if self.duration > self.timeout:
            with open(self.log, 'a') as log:
                log.write(f"\nFAIL: stopped after {self.timeout} s\n")
            self.stop()
        return self.process.poll() is not None

    def stop(self):
        stop_group(self.process, timeout=30)

    def result(self):
        path = result_path(self.job.id)
        if path.exists():
            result = Counter(json.loads(path.read_text()))
        else:
            result = Counter(failed=1)
        table = LOGS / f'{self.job.id}.txt'
        if table.exists():
            say(table.read_text().rstrip())
        if result['failed']:
            say(f"--- {self.log}")
            say(tail(self.log))
        result['time'] = self.duration
        say(f"{self.job.id}: {counts(result)} ({times(result)})")
        return result


def result_path(id):
    return LOGS / f'{id}.json'


def run(jobs, command, full):
    """Run each job by command --child ID and return the sum of the counts,
    that command writes in result_path"""
    start = time.monotonic()
    todo = sorted(jobs, key=lambda j: j.weight, reverse=True)
    running, results = [], {}
    try:
        while todo or running:
            for job in _ready(todo, running)[:COUNT - len(running)]:
                todo.remove(job)
                running.append(Process(job, command, full))
            for process in [p for p in running if p.done()]:
                running.remove(process)
                result = results.setdefault(process.job.suite, Counter())
                result.update(process.result())
            time.sleep(0.1)
    finally:
        for process in running:
            process.stop()
    for suite, result in results.items():
        say(f"{suite}: {counts(result)} ({times(result)})")
    total = sum(results.values(), Counter())
    total['time'] = time.monotonic() - start
    say(f"All suites: {times(total)}")
    return total


def _ready(todo, running):
    unfinished = {j.id for j in todo} | {p.job.id for p in running}
    return [j for j in todo if not unfinished.intersection(j.after)]


def counts(result):
    text = f"{result['passed']} passed, {result['failed']} failed"
    if result['skipped']:
        text += f", {result['skipped']} skipped"
    return text


def times(result):
    "The processor time does not depend on what else the machine does"
    return f"{result['time']:.0f} s, processor {result['cpu']:.0f} s"
