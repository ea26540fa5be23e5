# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What the users find by the relations of the records

Tryton searches through relations without the rules of their models, and
without the access to the fields of a ``where``: to count what is found is to
read what is hidden. A domain of a user finds by the relations only what the
user may read."""
from sql import Column, CombiningQuery, Null

from trytond import backend
from trytond.model import ModelSQL, fields
from trytond.model.modelstorage import is_leaf
from trytond.pool import Pool
from trytond.transaction import check_access, inactive_records

from .access import ATTACHED, LISTS, RELATIONS, is_guarded, is_ours, is_user

WHERE = {'where', 'not where'}
TREE = {'child_of', 'not child_of', 'parent_of', 'not parent_of'}


class SearchMixin:
    "Records that are found by what the user may read"
    __slots__ = ()

    @classmethod
    def search(cls, domain, *args, **kwargs):
        if is_user():
            domain = readable_domain(cls, domain)
            if cls.__name__ in ATTACHED:
                domain = [domain, _readable_resources(cls)]
        return super().search(domain, *args, **kwargs)


def readable_domain(Model, domain):
    """Return the domain that finds the same by what the user may read, or the
    very same domain when nothing has to change"""
    if is_leaf(domain):
        return _readable_clause(Model, domain)
    if not isinstance(domain, (list, tuple)):
        return domain
    result = [readable_domain(Model, d) for d in domain]
    return domain if all(map(_same, domain, result)) else result


def _same(one, other):
    return one is other


def _readable_resources(Model):
    """Return the domain of what is attached to no record of a model that the
    user may not read

    Tryton refuses the search that finds it, which tells that it exists."""
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    names = [
        name for name, Target in pool.iterobject()
        if is_ours(Target) and issubclass(Target, ModelSQL)]
    access = ModelAccess.get_access(names)
    hidden = [n for n in names if not access[n]['read']]
    if not hidden:
        return []
    return ['OR',
        ('resource', '=', None),
        [('resource', 'not like', f'{name},%') for name in hidden]]


def _readable_clause(Model, clause):
    pool = Pool()
    FieldAccess = pool.get('ir.model.field.access')
    name, operator, value, *extra = clause
    local, _, path = name.partition('.')
    field = Model._fields.get(local)
    if (field is None or field._type not in RELATIONS
            or getattr(field, 'refuses_search', False)
            or isinstance(field, fields.Function) and not field.searcher):
        return clause
    if field._type == 'reference':
        if not path or not extra:
            return clause
        Target = pool.get(extra.pop(0))
    else:
        Target = field.get_target()
    is_list = field._type in LISTS and not isinstance(field, fields.Function)
    if path == 'id' and field._type not in LISTS:
        # Nothing of the target is read
        return clause
    if operator in WHERE and not path:
        domain = value
    elif path:
        domain = [(path, operator, value, *extra)]
    elif operator in TREE:
        return clause
    elif isinstance(value, str):
        domain = [('rec_name', operator, value)]
    elif not is_list:
        return clause
    elif value is None:
        domain = []
    else:
        domain = [('id', operator, value)]
    Relation = field.get_relation() if field._type == 'many2many' else Target
    if (not is_guarded(Target.__name__)
            and not is_guarded(Relation.__name__)
            and readable_domain(Target, domain) is domain):
        return clause
    if is_list:
        # The clause does not name the field any more
        with check_access():
            FieldAccess.check(Model.__name__, [local], 'read')
        return _list_clause(Model, field, path, operator, value, domain)
    found = _found(Target, domain)
    if operator == 'not where' and not path:
        return (local, 'not in', found)
    if field._type == 'reference':
        clause = (f'{local}.id', 'in', found, Target.__name__)
    else:
        clause = (local, 'in', found)
    if _is_negative(operator, value) and field._type not in LISTS:
        return ['OR', clause, (local, '=', None)]
    return clause


def _found(Target, domain):
    "Return the query of the ids, or the ids, that the user may read"
    with check_access(), inactive_records():
        if backend.name == 'sqlite':
            # It parses only so many queries in each other
            return [r.id for r in Target.search(domain, order=[])]
        return Target.search(domain, order=[], query=True)


def _is_negative(operator, value):
    if operator == 'not in':
        return None not in value
    return (operator.startswith('not ')
        or operator == '!=' and value is not None)


def _list_clause(Model, field, path, operator, value, domain):
    "Return the clause on the records that have one of the list in the domain"
    if value is None and not path:
        return ('id', 'not in' if operator == '=' else 'in',
            _origins(Model, field, []))
    found = _origins(Model, field, domain)
    if operator == 'not where' and not path:
        return ('id', 'not in', found)
    if operator.startswith(('!', 'not ')):
        return ['OR',
            ('id', 'in', found),
            ('id', 'not in', _origins(Model, field, []))]
    return ('id', 'in', found)


def _origins(Model, field, domain):
    "Return the query of the ids that have one of the list in the domain"
    Target = field.get_target()
    if field.filter:
        domain = [domain, field.filter]
    with check_access():
        query = Target.search(domain, order=[], query=True)
        if field._type == 'many2many':
            Relation, name = field.get_relation(), field.origin
            query = Relation.search(
                [(field.target, 'in', query)], order=[], query=True)
        else:
            Relation, name = Target, field.field
    origin = Relation._fields[name]
    id_, = query.columns
    table = id_.expression.table
    if isinstance(table, CombiningQuery):
        # The query of a domain split by Tryton has the ids only
        table = Relation.__table__()
        query = table.select(table.id, where=table.id.in_(query))
    column = Column(table, name)
    where = column != Null
    if origin._type == 'reference':
        where &= column.like(f'{Model.__name__},%')
        column = origin.sql_id(column, Relation)
    query.columns = [column]
    query.where = query.where & where if query.where else where
    return query
