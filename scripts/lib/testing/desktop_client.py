# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The Tryton desktop client, from PyPI on the GTK of Debian"

import shutil

from ..environment import SYSTEM_PYTHON, VAR, Missing, pip, run, say

REQUIREMENT = 'tryton[calendar] >= 8.0, < 8.1'
DIRECTORY = VAR / 'desktop'


def ensure():
    "Install the desktop client when it is not there, return its command"
    command = DIRECTORY / 'bin' / 'tryton'
    complete = DIRECTORY / 'complete'
    if complete.exists() and complete.read_text() == REQUIREMENT:
        return command
    if not SYSTEM_PYTHON.exists():
        raise Missing(f"{SYSTEM_PYTHON} not found: apt-get install python3")
    say(f"Installing the desktop client {REQUIREMENT}…")
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    run([SYSTEM_PYTHON, '-m', 'venv', '--system-site-packages', DIRECTORY],
        'desktop')
    pip('install', REQUIREMENT, python=DIRECTORY / 'bin' / 'python')
    complete.write_text(REQUIREMENT)
    return command
