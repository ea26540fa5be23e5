# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the records are, compared with the entries that told it"
import json
from collections import defaultdict

from sql import Null

from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..stored import of_ids
from .files import by_size, file_names
from .state import TOLD, CaseStates
from .verify import Fault

# The kinds of entries of which the last one tells the state of the record
GROUPS = {
    'withdrawal': 'decision',
    'skipped': 'step',
    'reopened': 'step',
    'mail_queued': 'mail',
    'mail_sent': 'mail',
    'mail_failed': 'mail',
    'mail_cancelled': 'mail',
    'follow_up_deleted': 'follow_up',
    }
# What was so before there was an entry
UNTOLD = {'withdrawal', 'reopened', 'justification', 'session_document'}
# What is told of the case itself
OF_CASE = {'state', 'opening', 'erased', 'decision', 'answer', 'closing'}
PARTIES = ['party', 'signed_by', 'also_for', 'payers']


def record_faults(case_ids, beat=None):
    """Yield the faults of the records of the cases that are not what their
    last entries tell, in the order of the cases

    beat is called before what takes long."""
    for sub_ids in grouped_slice(sorted(case_ids), tools.SET):
        # The caller goes on with its own access
        with without_check_access():
            faults = _Records(list(sub_ids), beat).faults()
        yield from faults


class _Records:
    "What the journals of some cases tell of their records"

    def __init__(self, case_ids, beat):
        self.case_ids = set(case_ids)
        self.beat = beat
        self.last = {}
        self.last_of_group = {}
        self.erased = defaultdict(int)
        self.begun = {}
        # The number of the last entry of a record
        self.numbers = {}
        self.replaced_by = self._merged_parties()
        for entry in self._entries():
            self._add(*entry)

    @staticmethod
    def _merged_parties():
        "Return by id of the parties that were merged the one in their place"
        table = Pool().get('party.party').__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id, table.replaced_by,
                where=table.replaced_by != Null))
        return dict(cursor.fetchall())

    def _entries(self):
        pool = Pool()
        table = pool.get('training.journal.entry').__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.case, table.number, table.kind, table.resource,
                table.content, table.secret,
                where=of_ids(list(self.case_ids))(table.case),
                order_by=[table.case, table.number]))
        return cursor.fetchall()

    def _add(self, case, number, kind, resource, content, secret):
        if content is not None:
            try:
                content = json.loads(content)
            except ValueError:
                # The chain tells that it is altered
                content = None
        if kind == 'erased':
            for record in (content or {}).get('records', []):
                self.erased[case, record] = number
        elif kind == 'state':
            self.begun[case] = number, content, secret
        self.numbers[case, resource] = number
        self.last[case, resource, kind] = number, content, secret
        group = GROUPS.get(kind, kind)
        self.last_of_group[case, resource, group] = number, kind, content

    def faults(self):
        "Return the faults, one for each entry"
        now, faults = {}, set()
        for event in self._states():
            key = event.case, event.resource
            now[(*key, GROUPS.get(event.kind, event.kind))] = event.kind
            if fault := self._fault(event, *key):
                faults.add(fault)
        for (case, resource, group), kind in now.items():
            number, last, content = self.last_of_group.get(
                (case, resource, group), (None, kind, None))
            if last != kind and not self._is_erased(
                    case, resource, number, content):
                faults.add(Fault('record', case, number, None))
        faults.update(self._deleted(now))
        faults.update(self._since_beginning())
        return sorted(faults, key=lambda f: (f.case, f.number or 0))

    def _states(self):
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        tools.forget_read()
        for name in Entry._get_resources():
            Model = pool.get(name)
            records = Model.journal_records(list(self.case_ids))
            names = file_names(Model)
            ids = sorted(map(int, records))
            for sub_ids in by_size(Model, ids, names, self.beat):
                for event in Model.journal_states(Model.browse(sub_ids)):
                    if event.case in self.case_ids:
                        yield event
                if names:
                    # The cache holds the files
                    tools.forget_read()

    def _fault(self, event, case, resource):
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        number, told, secret = self.last.get(
            (case, resource, event.kind), (None, None, None))
        if number is None:
            if (event.kind not in UNTOLD and case not in self.begun
                    and not self._is_opened_so(event)):
                return Fault('untold', case, None, None)
            return
        if self._is_erased(case, resource, number, told):
            return
        content = json.loads(Entry.content_of(event, secret))
        if self._replaced(content) == self._replaced(told):
            return
        reason = 'record'
        if content.get('sha256') != told.get('sha256'):
            reason = 'file'
        return Fault(reason, case, number, None)

    def _replaced(self, content):
        "Return the content with the parties that replace those it has"
        content = dict(content)
        for name in PARTIES:
            if isinstance(value := content.get(name), list):
                content[name] = sorted(map(self._replace, value))
            elif value:
                content[name] = self._replace(value)
        return content

    def _replace(self, party_id):
        while party_id in self.replaced_by:
            party_id = self.replaced_by[party_id]
        return party_id

    def _is_opened_so(self, event):
        "Return if the step is as the opening of the case tells"
        _, opening, _ = self.last.get(
            (event.case, f'training.abandon.case,{event.case}', 'opening'),
            (None, None, None))
        return opening is None or [
            event.content.get('step'), event.kind] in opening['steps']

    def _is_erased(self, case, resource, number, content):
        return content is None or self.erased[case, resource] > number

    def _deleted(self, now):
        "Yield the faults of the records that are deleted without entry"
        untold = defaultdict(list)
        for key, (number, kind, content) in self.last_of_group.items():
            case, resource, group = key
            if not (group in OF_CASE
                    or key in now
                    or kind == 'follow_up_deleted'
                    or self._is_erased(case, resource, number, content)
                    or 'deleted' in content.values()):
                name, _, id_ = resource.partition(',')
                untold[name].append((int(id_), case, number))
        cursor = Transaction().connection.cursor()
        for name, records in untold.items():
            table = Pool().get(name).__table__()
            cursor.execute(*table.select(
                    table.id, where=of_ids([r[0] for r in records])(table.id)))
            ids = {id_ for id_, in cursor}
            for id_, case, number in records:
                if id_ not in ids:
                    yield Fault('record', case, number, None)

    def _since_beginning(self):
        """Yield the faults of the records that were there when the journal
        began and of which no later entry tells"""
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        begun = [c for c, (_, told, _) in self.begun.items() if told]
        if not begun:
            return
        tools.forget_read()
        for event in CaseStates(begun, self.beat).events():
            number, told, secret = self.begun[event.case]
            now = json.loads(Entry.content_of(event, secret))
            if self._has_other_file(event.case, number, told, now):
                yield Fault('file', event.case, number, None)
            elif self._has_other_record(event.case, number, told, now):
                yield Fault('record', event.case, number, None)

    def _has_other_file(self, case, number, told, now):
        files = {(r, name): sha256 for r, name, sha256 in now.get('files', [])}
        return any(
            files.get((resource, name)) != sha256
            # What is sent or received stays, whatever becomes of it
            and (name == 'message'
                or not self._is_told_since(case, resource, number))
            and not self._is_erased(case, resource, number, told)
            for resource, name, sha256 in told.get('files', []))

    def _has_other_record(self, case, number, told, now):
        models = {n.rpartition('.')[2]: n for n in TOLD}
        for key, name in models.items():
            rows = {id_: row for id_, *row in now.get(key, [])}
            for id_, *row in told.get(key, []):
                resource = f'{name},{id_}'
                if (rows.get(id_) != row
                        and not self._is_told_since(case, resource, number)
                        and not self._is_erased(case, resource, number, told)
                        and _is_settled(key, row)):
                    return True

    def _is_told_since(self, case, resource, number):
        return self.numbers.get((case, resource), 0) > number


def _is_settled(key, row):
    "Return if what is told of the record does not change without an entry"
    if key == 'follow_up':
        # It was done
        return bool(row[1])
    elif key in {'mail', 'settlement'}:
        return 'draft' not in row
    return True
