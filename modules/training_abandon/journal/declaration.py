# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import hashlib

from trytond.pool import PoolMeta

from .journaled import JournaledMixin, event


class Declaration(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.declaration'

    @classmethod
    def journaled_fields(cls):
        return {'state', 'withdrawn'}

    @classmethod
    def journal_events(cls, mode, declarations, field_names):
        for declaration in declarations:
            # The declarations of the months are of no case
            if declaration.case and declaration.state != 'todo':
                yield event(
                    declaration.case, 'declaration', declaration,
                    declaration=declaration.kind, state=declaration.state,
                    withdrawn=bool(declaration.withdrawn),
                    correction=bool(declaration.correction),
                    party=declaration.recipient and declaration.recipient.id,
                    date=declaration.date, due_date=declaration.due_date,
                    done_on=declaration.done_on,
                    proof_sha256=declaration.proof and hashlib.sha256(
                        declaration.proof).hexdigest(),
                    private=[
                        declaration.code, declaration.reference,
                        declaration.declared, declaration.note,
                        declaration.cancel_reason])
