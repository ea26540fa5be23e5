# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The files of the records, a few at a time"
from trytond.model import fields
from trytond.transaction import Transaction

# The size of the files of which the content is in memory
MEMORY = 20 * 2 ** 20


def file_names(Model):
    "Return the names of the fields of the model that store files"
    return [
        n for n, f in Model._fields.items() if isinstance(f, fields.Binary)]


def by_size(Model, ids, names, beat=None):
    """Yield lists of the ids of which the files fit together into the memory

    beat is called before each of them: to read them may take long."""
    ids = list(ids)
    sizes = dict.fromkeys(ids, 0)
    if ids and names:
        with Transaction().set_context({
                    f'{Model.__name__}.{n}': 'size' for n in names}):
            sizes = {
                r['id']: sum(r[n] for n in names)
                for r in Model.read(ids, names)}
    together, total = [], 0
    for id_ in ids:
        if together and total + sizes[id_] > MEMORY:
            yield _started(together, beat)
            together, total = [], 0
        together.append(id_)
        total += sizes[id_]
    if together:
        yield _started(together, beat)


def _started(ids, beat):
    if beat:
        beat()
    return ids
