# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql.functions import Function, Lower
from sql.operators import Like

from trytond import backend
from trytond.pool import Pool
from trytond.tools import escape_wildcard, likify
from trytond.transaction import Transaction

from .tools import unaccented

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
        for record in dict.fromkeys(records + cls.search_folded(text)):
            yield record, record.rec_name, None

    @classmethod
    def search_folded(cls, text):
        """Return the list of the records found whatever the accents and the
        case of the text"""
        return []


class Fold(Function):
    __slots__ = ()
    _function = 'training_abandon_fold'


class Translate(Function):
    __slots__ = ()
    _function = 'TRANSLATE'


def fold(text):
    "Return the text without accents and in lower case"
    return unaccented(text or '').lower()


# The letters with an accent of the languages of Europe
_ACCENTED = [
    c for c in map(chr, range(0xc0, 0x180))
    if c.isalpha() and len(fold(c)) == 1 and fold(c) != c.lower()]
ACCENTED = ''.join(_ACCENTED), ''.join(map(fold, _ACCENTED))


def contains_folded(column, text):
    """Return the SQL expression that is true when the text is in the column
    whatever the accents and the case"""
    if backend.name == 'sqlite':
        # It has no extension for the accents
        Transaction().connection.create_function(
            Fold._function, 1, fold, deterministic=True)
        folded = Fold(column)
    else:
        folded = Lower(Translate(column, *ACCENTED))
    return Like(folded, f'%{escape_wildcard(fold(text))}%', escape='\\')


def enable(*names):
    """Have the search find the records of the models, as an administrator
    chooses it on the models"""
    pool = Pool()
    Model = pool.get('ir.model')
    table = Model.__table__()
    Transaction().connection.cursor().execute(*table.update(
            [table.global_search_p], [True],
            where=table.name.in_(names)))
