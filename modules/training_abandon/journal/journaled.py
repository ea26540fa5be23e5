# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The events that the models write in the journal"
from collections import namedtuple

from trytond.pool import Pool

from ..kept import KeptMixin

# private are the words that only some users read: the journal has their
# digest
Event = namedtuple('Event', 'case kind resource content private')


def event(case, kind, record, private=None, **content):
    "Return the event of the record for the journal of the case"
    return Event(case.id, kind, str(record), content, private)


class JournaledMixin(KeptMixin):
    "Models whose changes are events of the cases"
    __slots__ = ()

    @classmethod
    def journaled_fields(cls):
        "Return the names of the fields of which a change is an event"
        return set()

    @classmethod
    def journal_events(cls, mode, records, field_names):
        """Yield the events of the records that are created, deleted or of
        which the fields have changed"""
        return iter(())

    @classmethod
    def journal_cases(cls, records):
        "Return the ids of the cases that a change of the records concerns"
        return {r.case.id for r in records if r.case}

    @classmethod
    def journal_records(cls, case_ids):
        "Return the records of the cases"
        return cls.search([('case', 'in', case_ids)], order=[])

    @classmethod
    def journal_states(cls, records):
        """Yield the events that tell what the records are now, as those that
        were written when they became so"""
        return cls.journal_events('write', records, cls.journaled_fields())

    @classmethod
    def journal_left(cls, records, values):
        "Return the records that the values take away from their case"
        return []

    @classmethod
    def keep(cls, records):
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        Entry.lock_heads(cls.journal_cases(records))
        super().keep(records)

    @classmethod
    def on_write(cls, records, values):
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        if cls.journaled_fields() & values.keys():
            # Everybody takes the case, then what it has
            Entry.lock_heads(cls.journal_cases(records))
            if left := cls.journal_left(records, values):
                Entry.record(cls.journal_events('delete', left, None))
        return super().on_write(records, values)

    @classmethod
    def on_modification(cls, mode, records, field_names=None):
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        if mode != 'write' or cls.journaled_fields() & set(field_names):
            Entry.record(cls.journal_events(mode, records, field_names))
        super().on_modification(mode, records, field_names=field_names)
