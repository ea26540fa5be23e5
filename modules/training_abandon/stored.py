# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The values that the events store, and what they should be"
from sql import Column, Null
from sql.operators import Or

from trytond import backend
from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from . import tools

# Each id is in several of the conditions of a query
SLICE = min(backend.MAX_QUERY_PARAMS // 2, 1000)
# What no client can send, in the context of an update that adds the columns
REGISTERING = object()


def of_ids(ids):
    "Return what restricts the queries to the records"
    ids = list(ids)
    return lambda column: fields.SQL_OPERATORS['in'](column, ids)


def of_all(column):
    "Restrict the queries to nothing"
    return column != Null


class StoredMixin:
    """Models with values that follow from other records: the events that may
    change them store them again."""
    __slots__ = ()

    @classmethod
    def stored_queries(cls):
        """Return the functions that return the query of the right values, by
        tuple of the names of the fields.

        The columns of the query are the id and the fields, with their names.
        The function takes a function that returns the condition on the column
        of the id of the record."""
        return {}

    @classmethod
    def store_records(cls, ids, names=None):
        for sub_ids in grouped_slice(sorted(set(ids)), SLICE):
            cls.store(of_ids(sub_ids), names)

    @classmethod
    def store(cls, of=of_all, names=None):
        """Store the right values of the fields, by default all, on the
        records that have others."""
        for stored_names, get_query in cls.stored_queries().items():
            if names is None or set(stored_names) & set(names):
                cls._store(stored_names, get_query(of))

    @classmethod
    def _store(cls, names, right):
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        has_returning = transaction.database.has_returning()
        cursor.execute(*table.update(
                [Column(table, n) for n in names],
                [Column(right, n) for n in names],
                from_=[right],
                where=cls._stores(table, right, names),
                returning=[table.id] if has_returning else None))
        if has_returning:
            tools.forget(cls, [id_ for id_, in cursor])
        elif cursor.rowcount:
            tools.forget(cls)

    @classmethod
    def _stores(cls, table, right, names):
        "Return the condition on the records that are written"
        return cls._differs(table, right, names)

    @classmethod
    def _differs(cls, table, right, names):
        # SQLite has not always known IS DISTINCT FROM
        return (table.id == right.id) & Or([
                (Column(table, n) != Column(right, n))
                | ((Column(table, n) == Null) != (Column(right, n) == Null))
                for n in names])

    @classmethod
    def stored_differences(cls):
        "Yield the record, field, stored value and right one that differ"
        cursor = Transaction().connection.cursor()
        for names, get_query in cls.stored_queries().items():
            table, right = cls.__table__(), get_query(of_all)
            query = (table
                .join(right, condition=cls._differs(table, right, names))
                .select(
                    table.id.as_('id'),
                    *(Column(table, n).as_(n) for n in names),
                    *(Column(right, n).as_(f'right_{n}') for n in names),
                    order_by=[table.id]))
            types = [cls._fields[n].sql_type().base for n in names]
            cursor.execute(*tools.apply_types(query, None, *types, *types))
            for rows in grouped_slice(cursor.fetchall(), tools.BATCH):
                rows = list(rows)
                records = cls.browse([id_ for id_, *_ in rows])
                for record, (_, *values) in zip(records, rows):
                    stored = values[:len(names)]
                    for name, value, other in zip(
                            names, stored, values[len(names):]):
                        if value != other:
                            yield record, name, value, other


def stored_models():
    "Return the models with values that the events store"
    pool = Pool()
    return [
        Model for _, Model in pool.iterobject()
        if issubclass(Model, StoredMixin)]


def differences():
    "Yield the record, field, stored value and right one of all that differs"
    for Model in stored_models():
        yield from Model.stored_differences()


def recompute():
    "Store the right values of all that differs"
    # Some of them follow from those of another model
    for _ in stored_models():
        for Model in {type(record) for record, *_ in differences()}:
            Model.store()
