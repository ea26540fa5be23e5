# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Build in DB_CACHE the databases that the tests copy

python -m lib.testing.templates"""

from contextlib import nullcontext

from proteus import config as pconfig
from trytond import __series__, backend
from trytond.modules.company.tests.tools import create_company
from trytond.modules.training_abandon.tests.common import EXTENDED, unvalidated
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    DB_NAME, activate_module, backup_db_cache, create_db, drop_db)
from trytond.transaction import Transaction

from . import catalog

MODULE = 'training_abandon'


def main():
    catalog.use()
    # Two thirds of the time of a database validate its data: those of the
    # module are validated where the wheel is installed
    with unvalidated():
        build('en')
        build('fr')
        # The languages and the modules of the tests that need others
        activate_module([MODULE, 'inbound_email'], 'fr')
        drop_db()
        if backend.name == 'sqlite':
            # For the browser
            build('fr', [MODULE, 'account_invoice'])
        # As the scenarios
        activate_module(MODULE)
        create_company(config=pconfig.set_trytond())
        backup_db_cache(f'{MODULE}--{create_company.__qualname__}')
        drop_db()
    # And those of the other modules here
    with nullcontext() if backend.name == 'sqlite' else unvalidated():
        activate_module(EXTENDED, 'en')
        drop_db()


def build(lang, modules=MODULE):
    create_db(lang=lang)
    set_series()
    activate_module(modules, lang)
    drop_db()


def set_series():
    "Let a server open the copies"
    pool = Pool(DB_NAME)
    with Transaction().start(DB_NAME, 0):
        Configuration = pool.get('ir.configuration')
        configuration = Configuration(1)
        configuration.series = __series__
        configuration.save()


if __name__ == '__main__':
    main()
