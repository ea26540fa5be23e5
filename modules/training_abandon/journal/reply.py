# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .journaled import JournaledMixin, event


class Reply(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.mail.reply'

    @classmethod
    def journaled_fields(cls):
        return {'case', 'counted', 'kind', 'state'}

    @classmethod
    def journal_events(cls, mode, replies, field_names):
        if mode == 'delete':
            return
        for reply in replies:
            if reply.case:
                yield event(
                    reply.case, 'reply', reply, reply=reply.kind,
                    received_at=reply.received_at,
                    party=reply.party and reply.party.id,
                    counted=bool(reply.counted), state=reply.state,
                    private=[reply.message_digest, reply.text])
