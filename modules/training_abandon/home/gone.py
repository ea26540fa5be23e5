# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Rows of queries that others end while they are shown"
from trytond.model.exceptions import AccessError
from trytond.transaction import without_check_access

from ..access_value import check_ids


class GoneMixin:
    "Rows that are read empty once they are gone"
    __slots__ = ()

    @classmethod
    def read(cls, ids, fields_names):
        check_ids(ids)
        try:
            return super().read(ids, fields_names)
        except AccessError:
            left = {r.id for r in cls.search([('id', 'in', ids)])}
            if cls._hidden(ids, left):
                raise
            rows = {}
            if left:
                rows = {r['id']: r for r in super().read(
                        [i for i in ids if i in left], fields_names)}
        return [rows.get(i) or cls.gone(i, fields_names) for i in ids]

    @classmethod
    def _hidden(cls, ids, left):
        "If some of the rows that are not left are those of others"
        with without_check_access():
            return bool(cls.search([
                        ('id', 'in', ids),
                        ('id', 'not in', list(left)),
                        ], limit=1))

    @classmethod
    def gone(cls, id_, fields_names):
        "Return the values of a row that is gone"
        row = {}
        for name in fields_names:
            name, dot, _ = name.partition('.')
            row[name + dot] = None
        row['id'] = id_
        return row
