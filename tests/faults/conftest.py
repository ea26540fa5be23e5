# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'scripts'))
import harness  # noqa: E402


def pytest_configure():
    from lib.environment import raise_on_sigterm

    # The processes of the tests end with them
    raise_on_sigterm()


def pytest_terminal_summary(terminalreporter):
    "Show the table of the faults and write it"
    if not harness.rows:
        return
    lines = harness.table()
    terminalreporter.section("faults")
    for line in lines:
        terminalreporter.line(line)
    if path := os.environ.get('TEST_TABLE'):
        Path(path).write_text('\n'.join(lines) + '\n')
