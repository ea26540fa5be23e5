#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Start training-abandon-import from a clone"

import sys

from lib.environment import IMPORTING, not_installed

sys.path.insert(0, str(IMPORTING))
try:
    from importing.command import run
except ModuleNotFoundError as exc:
    not_installed(exc)

if __name__ == '__main__':
    run()
