# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The Tryton web client, from npm"

import json
import shutil
import subprocess

from .environment import VAR, Missing, run, say

VERSION = '8.0'
DIRECTORY = VAR / 'sao'


def ensure():
    "Install the web client when it is not there, return its folder"
    root = DIRECTORY / 'package'
    if (DIRECTORY / 'complete').exists():
        return root
    if not shutil.which('npm'):
        raise Missing("npm not found: apt-get install nodejs npm")
    say(f"Installing the web client tryton-sao {VERSION}…")
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    run(['tar', 'xzf', _pack(), '-C', DIRECTORY], 'npm')
    # index.html wants node_modules inside of the package
    command = [
        'npm', 'install', '--production', '--legacy-peer-deps',
        '--no-audit', '--no-fund']
    run(command, 'npm', "Is the npm registry within reach?", cwd=root)
    (DIRECTORY / 'complete').touch()
    return root


def _pack():
    result = subprocess.run(
        ['npm', 'pack', '--json', f'tryton-sao@{VERSION}'], cwd=DIRECTORY,
        capture_output=True, text=True, check=False)
    if result.returncode:
        raise Missing(
            f"'npm pack tryton-sao@{VERSION}' failed: "
            f"{result.stderr.strip()} Is the npm registry within reach?")
    package, = json.loads(result.stdout)
    return DIRECTORY / package['filename']
