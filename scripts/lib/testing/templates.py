# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Build in DB_CACHE the databases that the tests copy

python -m lib.testing.templates"""

from unittest.mock import patch

from proteus import config as pconfig
from trytond import __series__
from trytond.model import ModelStorage
from trytond.modules.company.tests.tools import create_company
from trytond.modules.training_abandon.tests.common import EXTENDED
from trytond.pool import Pool
from trytond.tests.test_tryton import (
    DB_NAME, activate_module, backup_db_cache, create_db, drop_db)
from trytond.transaction import Transaction

from . import catalog

MODULE = 'training_abandon'
# The languages and the modules of the tests that need others: each database
# takes long
EXTRAS = [
    ('fr', [MODULE, 'inbound_email']),
    ('en', EXTENDED),
    ]


def main():
    catalog.use()
    build('en')
    for lang, modules in EXTRAS:
        activate_module(modules, lang)
        drop_db()
    # These hold the same data, which need not be validated again
    with patch.object(ModelStorage, '_validate', lambda *a, **k: None):
        build('fr')
        # As the scenarios
        activate_module(MODULE)
        create_company(config=pconfig.set_trytond())
        backup_db_cache(f'{MODULE}--{create_company.__qualname__}')
        drop_db()


def build(lang):
    create_db(lang=lang)
    set_series()
    activate_module(MODULE, lang)
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
