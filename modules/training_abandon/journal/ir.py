# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import hashlib

from trytond.pool import Pool, PoolMeta

from .journaled import JournaledMixin, event


class Attachment(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'ir.attachment'

    @classmethod
    def journaled_fields(cls):
        return {'resource', 'name', 'type', 'data', 'link', 'description'}

    @classmethod
    def _of_cases(cls, attachments):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return [a for a in attachments if isinstance(a.resource, Case)]

    @classmethod
    def journal_cases(cls, attachments):
        return {a.resource.id for a in cls._of_cases(attachments)}

    @classmethod
    def journal_records(cls, case_ids):
        return cls.search([
                ('resource', 'in', [
                        f'training.abandon.case,{i}' for i in case_ids]),
                ], order=[])

    @classmethod
    def journal_events(cls, mode, attachments, field_names):
        for attachment in cls._of_cases(attachments):
            is_deleted = mode == 'delete'
            data = attachment.data if not is_deleted else None
            yield event(
                attachment.resource, 'document', attachment,
                state='deleted' if is_deleted else None,
                sha256=hashlib.sha256(data).hexdigest() if data else None,
                # Its name may tell what it is
                private=[
                    attachment.name, attachment.link, attachment.description])

    @classmethod
    def journal_left(cls, attachments, values):
        if 'resource' in values:
            return [
                a for a in cls._of_cases(attachments)
                if str(a.resource) != str(values['resource'])]
        return []


class Cron(metaclass=PoolMeta):
    __name__ = 'ir.cron'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.append(
            ('training.journal.day|record_due',
                "Record the Day in the Journal of the Abandonments"))
