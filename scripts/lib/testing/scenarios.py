# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Loads the scenarios of the folder tests for unittest"

from trytond.tests.test_tryton import load_doc_tests

from ..environment import ROOT


def load_tests(loader, tests, pattern):
    return load_doc_tests(
        'lib', str(ROOT / 'tests' / 'scenario'), loader, tests, pattern)
