# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import sys

# The servers load their application before the modules; the scripts have none
# and choose their database before anything of trytond is imported
if 'trytond.wsgi' in sys.modules:
    from . import home, ical  # noqa: F401
