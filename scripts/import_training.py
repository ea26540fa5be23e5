#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Start training-abandon-import from a clone"

try:
    from trytond.modules.training_abandon.scripts.importing.command import run
except ModuleNotFoundError as exc:
    from lib.environment import not_installed

    not_installed(exc)

if __name__ == '__main__':
    run()
