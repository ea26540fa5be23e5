# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import uuid

from trytond.model import fields
from trytond.pool import PoolMeta
from trytond.transaction import Transaction


class Configuration(metaclass=PoolMeta):
    __name__ = 'training.configuration'

    calendar_identifier = fields.Char(
        "Calendar Identifier", readonly=True,
        help="What identifies the events of this database in the calendars.")

    @classmethod
    def __register__(cls, module):
        super().__register__(module)
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        cursor.execute(*table.select(table.calendar_identifier))
        rows = cursor.fetchall()
        if not rows:
            cursor.execute(*table.insert(
                    [table.calendar_identifier], [[str(uuid.uuid4())]]))
        elif rows == [(None,)]:
            cursor.execute(*table.update(
                    [table.calendar_identifier], [str(uuid.uuid4())]))
