# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import hashlib

from trytond.model import fields
from trytond.pool import Pool, PoolMeta

from .journaled import Event, JournaledMixin, event

# The states that the server, or the end of what it is about, gives
ENDS = ['sent', 'failed', 'cancelled']


class Mail(JournaledMixin, metaclass=PoolMeta):
    __name__ = 'training.mail'

    message_sha256 = fields.Char(
        "SHA-256", readonly=True,
        help="The hash of the message when the mail was made.")

    @classmethod
    def preprocess_values(cls, mode, values):
        if mode == 'create' and values.get('message'):
            # The file of the message is not read again for it
            values = {
                **values,
                'message_sha256': hashlib.sha256(
                    values['message']).hexdigest(),
                }
        return super().preprocess_values(mode, values)

    @classmethod
    def journaled_fields(cls):
        return {'state', 'bounced_at'}

    @classmethod
    def journal_events(cls, mode, mails, field_names):
        if mode == 'delete':
            return
        for mail in mails:
            if not mail.case:
                continue
            if mode == 'create' or 'state' in field_names:
                if mail.state == 'queued':
                    yield mail._queued_event(mail.message_sha256)
                elif mail.state in ENDS:
                    yield cls._end_event(
                        mail.id, mail.case.id, mail.state, mail.message_id)
            if mode == 'write' and 'bounced_at' in field_names:
                yield event(
                    mail.case, 'mail_bounced', mail,
                    message_id=mail.message_id, bounced_at=mail.bounced_at)

    @classmethod
    def journal_states(cls, mails):
        for mail in mails:
            sha256 = hashlib.sha256(mail.message or b'').hexdigest()
            yield mail._queued_event(
                sha256 if sha256 == mail.message_sha256 else None)
            if mail.state in ENDS:
                yield cls._end_event(
                    mail.id, mail.case.id, mail.state, mail.message_id)
            if mail.bounced_at:
                yield event(
                    mail.case, 'mail_bounced', mail,
                    message_id=mail.message_id, bounced_at=mail.bounced_at)

    def _queued_event(self, sha256):
        return event(
            self.case, 'mail_queued', self, mail=self.kind,
            message_id=self.message_id, sha256=sha256,
            reminder=self.reminder, party=self.party and self.party.id,
            also_for=[p.id for p in self.also_for])

    @classmethod
    def _end_event(cls, id_, case_id, state, message_id):
        return Event(
            case_id, f'mail_{state}', f'{cls.__name__},{id_}',
            {'message_id': message_id}, None)

    @classmethod
    def before_end(cls, mails):
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        super().before_end(mails)
        Entry.lock_heads(cls.journal_cases(mails))

    @classmethod
    def on_end(cls, mails):
        "Write the events of the mails, for which this may be called again"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        # The instances may be older than what was stored
        events = [
            cls._end_event(
                row['id'], row['case'], row['state'], row['message_id'])
            for row in cls.read(
                [m.id for m in mails], ['case', 'state', 'message_id'])
            if row['case'] and row['state'] in ENDS]
        Entry.lock_heads({e.case for e in events})
        told = Entry.kinds_since_queued({e.resource for e in events})
        Entry.record(e for e in events if e.kind not in told[e.resource])
        super().on_end(mails)
