# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The Tryton web client, from npm"

import shutil

from .environment import VAR, Missing, run, say

VERSION = '8.0'
DIRECTORY = VAR / 'sao'
# Where its documentation is: the manual of the module
CUSTOM = "Sao.config.doc_url = '/training_abandon/manual';\n"


def ensure():
    "Install the web client when it is not there, return its folder"
    root = DIRECTORY / 'package'
    if not (DIRECTORY / 'complete').exists():
        install(root)
    (root / 'custom.js').write_text(CUSTOM, encoding='utf-8')
    return root


def install(root):
    if not shutil.which('npm'):
        raise Missing("npm not found: apt-get install nodejs npm")
    say(f"Installing the web client tryton-sao {VERSION}…")
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    run(['npm', 'pack', f'tryton-sao@{VERSION}'], 'npm', cwd=DIRECTORY)
    archive, = DIRECTORY.glob('*.tgz')
    run(['tar', 'xzf', archive, '-C', DIRECTORY], 'npm')
    # index.html wants node_modules inside of the package
    command = [
        'npm', 'install', '--production', '--legacy-peer-deps',
        '--no-audit', '--no-fund']
    run(command, 'npm', cwd=root)
    (DIRECTORY / 'complete').touch()
