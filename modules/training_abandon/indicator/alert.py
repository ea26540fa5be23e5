# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..stored import of_ids


class Alert(metaclass=PoolMeta):
    __name__ = 'training.alert'

    raised_on = fields.Date(
        "Raised on", readonly=True,
        help="The day of the company on which it was raised: the indicators "
        "count it in the period of that day.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(Index(
                t, (t.raised_on, Index.Range()), (t.id, Index.Range())))

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        is_dated = table_h.column_exist('raised_on')
        super().__register__(module)
        if not is_dated:
            cls._date_past_alerts()

    @classmethod
    def _date_past_alerts(cls):
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(table.id, order_by=[table.id]))
        for sub_ids in grouped_slice(
                [id_ for id_, in cursor.fetchall()], tools.BATCH):
            days = defaultdict(list)
            for alert in cls.browse(list(sub_ids)):
                day = tools.local_date(alert.first_seen, alert.company)
                days[day].append(alert.id)
            for day, ids in days.items():
                cursor.execute(*table.update(
                        [table.raised_on], [day],
                        where=of_ids(ids)(table.id)))

    @classmethod
    def preprocess_values(cls, mode, values):
        pool = Pool()
        Company = pool.get('company.company')
        values = super().preprocess_values(mode, values)
        if mode == 'create' and values.get('first_seen'):
            values['raised_on'] = tools.local_date(
                values['first_seen'], Company(values['company']))
        return values
