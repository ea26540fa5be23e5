# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import PoolMeta
from trytond.pyson import Eval


class Session(metaclass=PoolMeta):
    __name__ = 'training.session'

    procedure = fields.Many2One(
        'training.abandon.procedure', "Abandonment Procedure",
        ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ('state', '=', 'active'),
            ],
        states={
            'readonly': Eval('state').in_(['done', 'cancelled']),
            },
        help="The procedure that the cases of this session follow.\n"
        "Leave empty to use the active one at the time of the case.")
