# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import fields
from trytond.pool import PoolMeta

from .conformity import ConformityMixin
from .conversation import ConversationMixin
from .timeline import MESSAGE_KINDS


class Case(ConformityMixin, ConversationMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    events = fields.One2Many(
        'training.abandon.case.event', 'case', "Timeline", readonly=True,
        help="All that happened to the case, the latest first.")
    messages = fields.One2Many(
        'training.abandon.case.event', 'case', "Messages", readonly=True,
        filter=[
            ('kind', 'in', MESSAGE_KINDS),
            ],
        order=[
            ('party', 'ASC'),
            ('at', 'ASC'),
            ('id', 'ASC'),
            ],
        help="What was written to each party and heard from it.")
