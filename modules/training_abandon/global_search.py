# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null

from trytond.pool import Pool
from trytond.tools import likify
from trytond.transaction import Transaction

# Tryton reads all the records that are found before it keeps the nearest ones
FOUND = 100


class GlobalSearchMixin:
    "Records that are found by the search beside the menu"
    __slots__ = ()

    @classmethod
    def __register__(cls, module):
        pool = Pool()
        Model = pool.get('ir.model')
        super().__register__(module)
        table = Model.__table__()
        # As long as nobody has chosen
        Transaction().connection.cursor().execute(*table.update(
                [table.global_search_p], [True],
                where=(table.name == cls.__name__)
                & (table.global_search_p == Null)))

    @classmethod
    def search_global(cls, text):
        # The one of that name may not be among the first ones found
        records = [r for operator, value in [
                ('=', text), ('ilike', likify(text))]
            for r in cls.search([('rec_name', operator, value)], limit=FOUND)]
        for record in dict.fromkeys(records):
            yield record, record.rec_name, None
