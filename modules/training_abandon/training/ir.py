# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null

from trytond.pool import PoolMeta
from trytond.transaction import Transaction


class FilestoreQueue(metaclass=PoolMeta):
    __name__ = 'ir.filestore.queue'

    @classmethod
    def remove(cls):
        # The fields store in the database those that have no prefix, but
        # Tryton does not remove them
        transaction = Transaction()
        queue = cls.__table__()
        transaction.connection.cursor().execute(*queue.update(
                [queue.prefix], [transaction.database.name],
                where=queue.prefix == Null))
        super().remove()
