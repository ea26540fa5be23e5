# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"axe-core, which finds what keeps people from reading a page, from npm"

import shutil

from .environment import VAR, Missing, run, say

VERSION = '4'
DIRECTORY = VAR / 'axe'


def ensure():
    "Install axe-core when it is not there, return its script"
    script = DIRECTORY / 'node_modules' / 'axe-core' / 'axe.min.js'
    if not script.exists():
        if not shutil.which('npm'):
            raise Missing("npm not found: apt-get install nodejs npm")
        say(f"Installing axe-core {VERSION}…")
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        run([
                'npm', 'install', '--no-audit', '--no-fund', '--prefix',
                DIRECTORY, f'axe-core@{VERSION}'], 'npm', cwd=DIRECTORY)
    return script
