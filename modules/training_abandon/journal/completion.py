# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .journaled import JournaledMixin, event


class Completion(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.case.completion'

    @classmethod
    def journal_events(cls, mode, completions, field_names):
        for completion in completions:
            yield event(
                completion.case, 'completion', completion,
                completion=completion.kind, date=completion.date,
                session=completion.session and completion.session.id,
                private=[completion.note])
