# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What all the wings use: the clock, the user, the database"
import datetime as dt
import unicodedata
from contextlib import contextmanager
from itertools import islice

from sql import For, Null
from sql.functions import Function

import trytond.config as config
from trytond import backend
from trytond.exceptions import TrytonException
from trytond.model import fields
from trytond.pool import Pool
from trytond.tools import grouped_slice, sqlite_apply_types
from trytond.tools import timezone as tz
from trytond.transaction import Transaction, TransactionError, check_access
from trytond.url import http_base

# The most records that are browsed or written at once: the time of a list is
# the square of its length
BATCH = 200
# The same for the records of which the lines are read too
SET = 50
SERIALIZATION_FAILURE = '40001'


class OutdatedError(TransactionError):
    "Another transaction has changed what this one has read: it starts again"


def now():
    "Return the time it is, in UTC and without microseconds"
    return dt.datetime.now(dt.timezone.utc).replace(
        tzinfo=None, microsecond=0)


@contextmanager
def savepoint():
    "Undo what is done inside when it is refused"
    transaction = Transaction()
    cursor = transaction.connection.cursor()
    cursor.execute('SAVEPOINT training_refused')
    try:
        yield
    except TrytonException:
        cursor.execute('ROLLBACK TO SAVEPOINT training_refused')
        cursor.execute('RELEASE SAVEPOINT training_refused')
        for cache in transaction.cache.values():
            cache.clear()
        raise
    cursor.execute('RELEASE SAVEPOINT training_refused')


def today(company):
    "Return the day it is for the company"
    pool = Pool()
    Date = pool.get('ir.date')
    with Transaction().set_context(company=company.id):
        return Date.today()


def later_than_today(records, name):
    "Yield the records whose date is in the future of their company"
    days = {}
    for record in records:
        date, company = getattr(record, name), record.company
        if date and company not in days:
            days[company] = today(company)
        if date and date > days[company]:
            yield record


def local_datetime(at, company):
    "Return what the clock of the company shows at that time, in UTC"
    at = at.replace(tzinfo=tz.UTC)
    if company.timezone:
        at = at.astimezone(tz.ZoneInfo(company.timezone))
    return at


def utc_datetime(date, time, company):
    "Return the time, in UTC, at which the clock of the company shows that"
    zone = tz.ZoneInfo(company.timezone) if company.timezone else tz.UTC
    at = dt.datetime.combine(date, time, tzinfo=zone)
    return at.astimezone(tz.UTC).replace(tzinfo=None)


def local_date(at, company):
    "Return the day of the company at that time, in UTC"
    return local_datetime(at, company).date()


def language_of(*parties):
    """Return the code of the language of the first of the parties that has
    one, else that of the database"""
    pool = Pool()
    Configuration = pool.get('ir.configuration')
    for party in parties:
        if party.lang:
            return party.lang.code
    return Configuration.get_language()


def unaccented(text):
    "Return the text without the accents of its letters"
    return ''.join(
        c for c in unicodedata.normalize('NFKD', text)
        if not unicodedata.combining(c))


def base_url():
    "Return the address of the server, without the name of the database"
    base = config.get('training_abandon', 'base_url', default='')
    return (base or http_base()).rstrip('/')


def first(words, count=10):
    "Return the list of the first words, with an ellipsis if there are more"
    words = list(islice(words, count + 1))
    return [*words[:count], '…'] if len(words) > count else words


def names(records, count=10):
    "Return the names of the first records in words"
    return ', '.join(
        first((f'"{r.rec_name}"' for r in records), count))


def boolean_domain(clause, found):
    """Return the domain of the clause on a boolean, that is true for the
    records whose ids the query returns"""
    _, operator, value = clause
    values = set(
        map(bool, value) if operator in {'in', 'not in'} else [bool(value)])
    if operator in {'!=', 'not in'}:
        values = {True, False} - values
    if len(values) == 1:
        return [('id', 'in' if True in values else 'not in', found)]
    return [] if values else [('id', '=', None)]


def is_member(group):
    "Return if the user is a member of the group of the module"
    pool = Pool()
    ModelData = pool.get('ir.model.data')
    User = pool.get('res.user')
    return (Transaction().user == 0
        or ModelData.get_id('training_abandon', group) in User.get_groups())


def may_read(Model, user=None):
    "Return if the user, by default the one who acts, may read the model"
    pool = Pool()
    ModelAccess = pool.get('ir.model.access')
    transaction = Transaction()
    if user is None:
        user = transaction.user
    with transaction.set_user(user), check_access():
        return not user or ModelAccess.check(
            Model.__name__, raise_exception=False)


def readable_ids(Model, ids):
    "Return the set of the ids of the records that the user may read"
    readable = set()
    for sub_ids in grouped_slice(sorted(set(ids)), BATCH):
        with check_access():
            readable.update(map(int, Model.search(
                        [('id', 'in', list(sub_ids))], order=[])))
    return readable


def current_employee(company):
    "Return the employee of the user for the company, or None"
    pool = Pool()
    User = pool.get('res.user')
    employee = User(Transaction().user).employee
    if employee and employee.company == company:
        return employee


def default_employee():
    """Return the id of the employee of the user for the company of the
    context, or None"""
    pool = Pool()
    Company = pool.get('company.company')
    company = Transaction().context.get('company')
    employee = company and current_employee(Company(company))
    return employee.id if employee else None


def resized_logo(company, width, height):
    "Return the PNG of the logo of the company with its size, or None"
    if company.logo:
        # get_logo would store its cache in a transaction of its own
        return company._logo_resize(width, height)


def browse_by_id(Model, ids):
    "Return the records by id"
    return {r.id: r for r in browse_sets(Model, ids, BATCH)}


def browse_sets(Model, records, size=SET):
    "Return the list of the records, that are read so many at once"
    return [
        r for sub_records in grouped_slice(list(map(int, records)), size)
        for r in Model.browse(list(sub_records))]


def create_sets(Model, values):
    "Return the list of the records of the values, created so many at once"
    return [
        r for sub_values in grouped_slice(values, BATCH)
        for r in Model.create(list(sub_values))]


def not_sortable(*fields_):
    """Keep the clients from ordering the lists by the fields, of which no
    index gives the order"""
    for field in fields_:
        field.sortable = _never


def _never(model):
    return False


def apply_types(query, *types):
    """Give the columns of the query their SQL types, that SQLite forgets in
    expressions, and return the query.

    The columns are named with as_, in the order of the types."""
    if backend.name == 'sqlite':
        sqlite_apply_types(query, types)
    return query


def lock_records(Model, ids):
    """Keep the records for this transaction alone, or raise
    DatabaseOperationalError at once if another one has them.

    The transaction starts again if another one has just changed them."""
    transaction = Transaction()
    if transaction.database.has_select_for():
        try:
            transaction.database.lock_records(
                transaction.connection, Model._table, ids)
        except backend.DatabaseOperationalError as exception:
            if exception.sqlstate == SERIALIZATION_FAILURE:
                raise OutdatedError from exception
            raise
    else:
        lock_database(Model)


class _ForChange(For):
    "Lock the rows, to which others may refer meanwhile"
    __slots__ = ()

    def __str__(self):
        return 'FOR NO KEY UPDATE'


def for_change():
    """Return what makes a query lock its rows as a change of them does, or
    None for the database without lock on rows.

    Two that have just referred to the same row do not wait for each other."""
    if Transaction().database.has_select_for():
        return _ForChange('UPDATE')


def lock(Model, records, for_=For('UPDATE')):
    """Wait for the records and keep them for this transaction alone

    Whoever has read them before, and so does not know what this transaction
    changes, cannot keep them any more and starts again."""
    transaction = Transaction()
    cursor = transaction.connection.cursor()
    table = Model.__table__()
    has_select_for = transaction.database.has_select_for()
    for sub_ids in grouped_slice(
            sorted(set(map(int, records))), backend.MAX_QUERY_PARAMS // 2):
        where = fields.SQL_OPERATORS['in'](table.id, list(sub_ids))
        if has_select_for:
            # Everybody waits in the same order
            cursor.execute(*table.select(
                    table.id, where=where, order_by=table.id,
                    for_=for_))
        cursor.execute(*table.update([table.id], [table.id], where=where))
    if records and not has_select_for:
        forget_read()


def lock_free(Model, ids):
    """Keep for this transaction alone the records that no other one has and
    return their ids."""
    lock_database(Model)
    table = Model.__table__()
    cursor = Transaction().connection.cursor()
    cursor.execute(*table.select(
            table.id,
            where=fields.SQL_OPERATORS['in'](table.id, ids),
            for_=for_update_free()))
    return [id_ for id_, in cursor]


def for_update_free():
    """Return what makes a query lock its rows and leave out those that
    another transaction has, or None for the database without lock on rows"""
    database = Transaction().database
    if database.has_select_for():
        For = database.get_select_for_skip_locked()
        return For('UPDATE')


def lock_database(Model):
    "Lock the database that has no lock on rows, as its first change does"
    transaction = Transaction()
    if not transaction.database.has_select_for():
        table = Model.__table__()
        transaction.connection.cursor().execute(*table.update(
                [table.id], [table.id], where=table.id == Null))


class SetConfig(Function):
    __slots__ = ()
    _function = 'set_config'


def without_disk():
    """Return the SQL expression that makes the commit of its transaction not
    wait for the disk, or None for the database that always waits.

    The next commit that waits does it for those before too."""
    if backend.name == 'postgresql':
        return SetConfig('synchronous_commit', 'off', True)


def begin():
    """Begin a transaction where each statement is one, and leave the one
    that there is."""
    connection = Transaction().connection
    if backend.name == 'sqlite':
        has_begun = connection.in_transaction
    else:
        has_begun = not connection.autocommit
    if not has_begun:
        connection.cursor().execute('BEGIN')


def forget(Model, ids=None):
    "Forget what was read of the records, or of all, that SQL has changed"
    if ids is not None and not ids:
        return
    transaction = Transaction()
    transaction.counter += 1
    for cache in transaction.cache.values():
        if Model.__name__ not in cache:
            continue
        elif ids is None:
            cache[Model.__name__].clear()
        else:
            for id_ in ids:
                cache[Model.__name__].pop(id_, None)


def forget_read():
    "Forget what was read before a lock or a commit"
    for cache in Transaction().cache.values():
        cache.clear()
