# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null

from trytond.model import Index, fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval


class Mail(metaclass=PoolMeta):
    __name__ = 'training.mail'

    follow_up = fields.Many2One(
        'training.follow_up', "Follow-Up", readonly=True, ondelete='SET NULL',
        states={
            'invisible': ~Eval('follow_up'),
            },
        help="The visit or the mediation that the mail is about.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.follow_up, Index.Equality()),
                where=t.follow_up != Null))
