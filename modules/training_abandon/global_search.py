# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool
from trytond.tools import likify
from trytond.transaction import Transaction

# Tryton reads all the records that are found before it keeps the nearest ones
FOUND = 100


class GlobalSearchMixin:
    "Records that are found by the search beside the menu"
    __slots__ = ()

    @classmethod
    def search_global(cls, text):
        # The one of that name may not be among the first ones found
        records = [r for operator, value in [
                ('=', text), ('ilike', likify(text))]
            for r in cls.search([('rec_name', operator, value)], limit=FOUND)]
        for record in dict.fromkeys(records):
            yield record, record.rec_name, None


def enable(*names):
    """Have the search find the records of the models, as an administrator
    chooses it on the models"""
    pool = Pool()
    Model = pool.get('ir.model')
    table = Model.__table__()
    Transaction().connection.cursor().execute(*table.update(
            [table.global_search_p], [True],
            where=table.name.in_(names)))
