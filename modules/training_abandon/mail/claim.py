# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Which process delivers which mails"

import datetime as dt
from collections import defaultdict

from sql import Column, Null
from sql.functions import CurrentTimestamp

from trytond.model import fields
from trytond.transaction import Transaction

from .. import tools

# The states from which a mail leaves by itself
WAITING = ['queued', 'sending']
# The time after which a mail that was being sent by a process that does not
# say any more whether it was may be taken by another one
LEASE = dt.timedelta(minutes=15)


class ClaimMixin:
    "Mails that one process at a time delivers"
    __slots__ = ()

    @classmethod
    def _claim(cls, ids=None, states=WAITING):
        """Take the mails that wait in one of the states for this process
        alone, commit and return their ids with the number of the attempt.

        Without ids, take those whose next attempt is due."""
        transaction = Transaction()
        if not cls.is_live():
            return {}
        cursor = transaction.connection.cursor()
        table = cls.__table__()
        now = tools.now()
        due = (table.next_attempt == Null) | (table.next_attempt <= now)
        if ids is not None:
            due |= table.state == 'queued'
        where = table.state.in_(states) & due
        if ids is not None:
            where &= fields.SQL_OPERATORS['in'](table.id, ids)
        query = table.select(
            table.id, table.attempts + 1, where=where,
            order_by=[table.next_attempt.asc.nulls_first, table.id.asc],
            limit=tools.BATCH)
        query.for_ = tools.for_update_free()
        tools.lock_database(cls)
        cursor.execute(*query)
        claimed = dict(cursor)
        if claimed:
            cursor.execute(*table.update(
                    [table.state, table.attempts, table.next_attempt],
                    ['sending', table.attempts + 1, now + LEASE],
                    where=fields.SQL_OPERATORS['in'](
                        table.id, list(claimed))))
        transaction.commit()
        return claimed

    @classmethod
    def _keep(cls, claimed):
        "Keep the claimed mails for another while"
        cls._update(claimed, {'next_attempt': tools.now() + LEASE})

    @classmethod
    def _release(cls, claimed):
        "Leave the claimed mails to another process"
        cls._update(claimed, {'state': 'queued', 'next_attempt': None})

    @classmethod
    def _update(cls, claimed, values):
        """Write the values on the claimed mails that no other process has
        taken meanwhile, and commit."""
        table = cls.__table__()
        by_attempt = defaultdict(list)
        for id_, attempt in claimed.items():
            by_attempt[attempt].append(id_)
        cls._write(values, *(
                fields.SQL_OPERATORS['in'](table.id, ids)
                & (table.state == 'sending')
                & (table.attempts == attempt)
                for attempt, ids in by_attempt.items()), table=table)

    @classmethod
    def _write(cls, values, *wheres, table):
        # The ORM would read each of the mails again
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        columns = [Column(table, name) for name in values]
        for where in wheres:
            cursor.execute(*table.update(
                    [*columns, table.write_date],
                    [*values.values(), CurrentTimestamp()], where=where))
        transaction.commit()
