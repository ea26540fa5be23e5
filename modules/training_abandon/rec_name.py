# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The search of records by their names

A name is made of fields of several tables. A database that looks for any of
them joins all the rows and then compares; asked for the records of each of
them, it goes through the index of each."""
from sql import Column, Query, Union

from trytond.model import fields
from trytond.model.modelstorage import is_leaf
from trytond.pool import Pool
from trytond.transaction import check_access, inactive_records

# The most names that a completion proposes: who looks for another one goes on
# typing
COMPLETED = 100


class CompletionMixin:
    "Models of which the completion proposes the first names only"
    __slots__ = ()

    @classmethod
    def autocomplete(cls, text, domain=None, limit=None, order=None):
        return super().autocomplete(
            text, domain=domain, limit=min(limit or COMPLETED, COMPLETED),
            order=order)


def search_names(Model, clause, *names):
    """Return the domain of the records of which one of the fields, or the
    name of what it refers to, matches the clause"""
    _, operator, *operands = clause
    is_in = 'in'
    if operator.startswith('!'):
        is_in, operator = 'not in', operator[1:]
    elif operator.startswith('not '):
        is_in, operator = 'not in', operator[len('not '):]
    with inactive_records():
        if len(names) == 1:
            name, = names
            local, _, nested = name.partition('.')
            assert nested == 'rec_name', name
            return [(local, is_in, _find(
                        Model._fields[local].get_target(),
                        operator, *operands))]
        return [('id', is_in, _union([
                        query for name in names
                        for query in _queries(
                            Model, (name, operator, *operands))]))]


def _union(queries):
    return Union(*queries) if len(queries) > 1 else queries[0]


def _find(Model, *operation):
    "Return the query of the ids of the records whose name matches"
    domain = Model.search_rec_name('rec_name', ('rec_name', *operation))
    if is_leaf(domain):
        clauses = [domain]
    elif domain[0] == 'OR':
        clauses = domain[1:]
    elif len(domain) == 1:
        clauses = domain
    else:
        clauses = [domain]
    return _union([q for c in clauses for q in _queries(Model, c)])


def _queries(Model, clause):
    "Return the list of the queries of the ids of the records of the clause"
    if is_leaf(clause):
        name, operator, value, *_ = clause
        if name == 'id' and operator == 'in' and isinstance(value, Query):
            return list(getattr(value, 'queries', [value]))
        local, _, nested = name.partition('.')
        field = Model._fields[local]
        if nested == 'rec_name':
            Target = field.get_target()
            found = _find(Target, *clause[1:])
            if isinstance(field, fields.Many2One):
                return [search_allowed(Model, (local, 'in', found))]
            elif isinstance(field, fields.One2Many):
                target = Target.__table__()
                return [target.select(
                        Column(target, field.field),
                        where=target.id.in_(found))]
    return [search_allowed(Model, clause)]


def search_allowed(Model, clause):
    "Return the query of the ids of the records that the user may read"
    pool = Pool()
    Rule = pool.get('ir.rule')
    # Tryton calls the searchers without the access of the user
    with check_access():
        rule = Rule.domain_get(Model.__name__, mode='read')
    return Model.search([clause, rule], order=[], query=True)
