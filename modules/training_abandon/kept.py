# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from . import tools


class KeptMixin:
    "Models whose records are kept for a transaction before they are changed"
    __slots__ = ()

    @classmethod
    def keep(cls, records):
        """Wait for the records and keep them for this transaction alone

        What they are a part of is kept first, so that everybody waits in the
        same order."""
        tools.lock(cls, records)
