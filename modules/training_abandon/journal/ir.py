# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import hashlib
from collections import defaultdict

from trytond.pool import Pool, PoolMeta

from .journaled import JournaledMixin, event


class Attachment(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'ir.attachment'

    @classmethod
    def journaled_fields(cls):
        return {'resource', 'name', 'type', 'data', 'link', 'description'}

    @classmethod
    def _cases(cls, attachments):
        """Return the lists of the cases of the attachments: the case itself,
        or those of the session"""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        cases, sessions = {}, {}
        for attachment in attachments:
            resource = attachment.resource
            if isinstance(resource, Case):
                cases[attachment] = [resource]
            elif isinstance(resource, Session):
                sessions[attachment] = resource
            elif isinstance(resource, Slot):
                sessions[attachment] = resource.session
        by_session = defaultdict(list)
        if sessions:
            for case in Case.search([
                        ('session', 'in', [
                                s.id for s in sessions.values()]),
                        ], order=[('id', 'ASC')]):
                by_session[case.session].append(case)
        cases.update((a, by_session[s]) for a, s in sessions.items())
        return cases

    @classmethod
    def journal_cases(cls, attachments):
        return {
            c.id for cases in cls._cases(attachments).values() for c in cases}

    @classmethod
    def journal_records(cls, case_ids):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        sessions = {c.session.id for c in Case.browse(case_ids)}
        return cls.search([
                ['OR',
                    ('resource', 'in', [
                            f'training.abandon.case,{i}' for i in case_ids]),
                    ('resource', 'in', [
                            f'training.session,{i}' for i in sessions]),
                    ('resource.session', 'in', list(sessions),
                        'training.session.slot'),
                    ],
                ], order=[])

    @classmethod
    def journal_events(cls, mode, attachments, field_names):
        for attachment, cases in cls._cases(attachments).items():
            for case in cases:
                yield attachment._event(case, mode == 'delete')

    def _event(self, case, is_deleted):
        data = self.data if not is_deleted else None
        return event(
            case, 'document' if self.resource == case else 'session_document',
            self,
            state='deleted' if is_deleted else None,
            sha256=hashlib.sha256(data).hexdigest() if data else None,
            # Its name may tell what it is
            private=[self.name, self.link, self.description])

    @classmethod
    def journal_left(cls, attachments, values):
        if 'resource' in values:
            return [
                a for a in cls._cases(attachments)
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
