# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import hashlib

from trytond.pool import PoolMeta

from .journaled import JournaledMixin, event


class Certificate(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.certificate'

    @classmethod
    def journaled_fields(cls):
        return {
            'state', 'signed_at', 'signed_by', 'signed_document', 'evidence'}

    @classmethod
    def journal_states(cls, certificates):
        documents = {str(c): c for c in certificates}
        for state in super().journal_states(certificates):
            certificate = documents[state.resource]
            sha256 = hashlib.sha256(certificate.document or b'').hexdigest()
            yield state._replace(content={
                    **state.content,
                    'sha256': sha256
                    if sha256 == certificate.sha256 else None,
                    })

    @classmethod
    def journal_events(cls, mode, certificates, field_names):
        for certificate in certificates:
            signed = certificate.signed_document if field_names else None
            yield event(
                certificate.case, 'certificate', certificate,
                certificate=certificate.kind, state=certificate.state,
                sha256=certificate.sha256, issued_at=certificate.issued_at,
                signed_at=certificate.signed_at,
                signed_by=certificate.signed_by and certificate.signed_by.id,
                signed_sha256=signed and hashlib.sha256(signed).hexdigest(),
                private=[certificate.evidence, certificate.void_reason])
