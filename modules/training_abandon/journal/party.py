# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from trytond.pool import Pool, PoolMeta
from trytond.transaction import inactive_records

from .journaled import Event


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def transition_erase(self):
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        with inactive_records():
            erased = self._erased_records()
        # All of them before what they have
        Entry.lock_heads(erased)
        state = super().transition_erase()
        heads = Entry.lock_heads(erased)
        Entry.record([
                Event(case_id, 'erased', f'training.abandon.case,{case_id}', {
                        'until': heads[case_id][1] if is_emptied else 0,
                        'records': sorted(records),
                        }, None)
                for case_id, (is_emptied, records) in sorted(erased.items())])
        return state

    def _erased_records(self):
        """Return, by case, if its journal is emptied and the records that lose
        what is told of them"""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Entry = pool.get('training.journal.entry')
        models = set(Entry._get_resources())
        emptied, erased = set(), defaultdict(set)
        for party in self._parties():
            emptied.update(map(int, Case.search([
                            ('enrolment.trainee.party', '=', party.id),
                            ], order=[])))
            for Model, domain, *_ in self.to_erase(party.id):
                if Model.__name__ in models:
                    for record in Model.search(domain, order=[]):
                        for case_id in (
                                {record.id} if Model == Case
                                else Model.journal_cases([record])):
                            erased[case_id].add(str(record))
        return {c: (c in emptied, erased[c]) for c in emptied | erased.keys()}

    def to_erase(self, party_id):
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        # The digest stays, so that the chain is still verified
        return super().to_erase(party_id) + [
            (Entry, [
                    ('case.enrolment.trainee.party', '=', party_id),
                    ('kind', '!=', 'erased'),
                    ], True,
                ['content', 'salt', 'secret'],
                [None] * 3),
            ]
