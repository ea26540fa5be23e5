# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import PoolMeta

from .journaled import JournaledMixin, event


class Correction(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.case.correction'

    @classmethod
    def journal_events(cls, mode, corrections, field_names):
        for correction in corrections:
            yield event(
                correction.case, 'correction', correction,
                correction=correction.kind,
                step=correction.step and correction.step.kind,
                private=[
                    correction.reason, correction.description,
                    correction.note, correction.message])
