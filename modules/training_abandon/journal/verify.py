#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Verify the journal of the abandonment cases, without Tryton.

    python3 verify.py [--complete] journal.jsonl [days.jsonl]

Each line of journal.jsonl is an entry of a case, in the order of the case and
of the number.  Its hash is the SHA-256 of its canonical JSON (sorted keys, no
spaces, UTF-8) without "hash", "content" and "salt"; "previous" is the hash of
the entry before.  "digest" is the SHA-256 of the salt followed by the
canonical JSON of the content, which is empty once it was anonymised: a later
entry "erased" tells until which number the contents were emptied.
A line with "length" and "head" ends each case: how many entries it has and the
hash of the last one.

Each line of days.jsonl is what a company had on a day: "heads" are the cases
that had changed, with the length and the head that they had, and "digest" is
the SHA-256 of its canonical JSON.
With --complete, each case that the days name must be in the journal.
The last day of each company is told with its hash: compare it with one that
was noted elsewhere, as whoever changes the database may make all hashes again.

What the clock tells decides nothing: where it goes back is only told.
The exit status is 1 when an entry is broken; the first one of each case is
named."""
import argparse
import hashlib
import json
import sys
from collections import Counter, defaultdict, namedtuple

# What the hash leaves out: the content is told by its digest alone
NOT_HASHED = {'content', 'hash', 'salt', 'heads'}
REASONS = {
    'altered': "the row is altered",
    'content': "the content is altered",
    'emptied': "the content is empty and no later entry tells that it was "
    "erased",
    'record': "the record is not what the entry tells",
    'file': "the file is not the one that the entry tells",
    'untold': "a record that no entry tells was added",
    'missing': "the entry is missing",
    'unlinked': "it does not follow the entry before it, which is altered",
    'none': "the case has no entry",
    'tail': "the entries after it are missing, or the head is altered",
    'day': "it is not the one that the day tells",
    'case': "the case is missing",
    'day_altered': "the day is altered",
    'day_heads': "the cases of the day are altered",
    'day_missing': "the day is missing",
    'day_unlinked': "it does not follow the day before it",
    'day_tail': "the days after it are missing",
    'day_none': "the company has no day",
    'day_late': "no day was recorded since, although there are entries",
    }

Fault = namedtuple('Fault', 'reason case number day')


def canonical(value, default=None):
    "Return the only JSON text of the value"
    return json.dumps(
        value, sort_keys=True, separators=(',', ':'), ensure_ascii=False,
        default=default)


def digest(text, salt=''):
    return hashlib.sha256(f'{salt}{text}'.encode()).hexdigest()


def chain_hash(row):
    "Return the hash of the entry or of the day"
    return digest(canonical(
            {k: v for k, v in row.items() if k not in NOT_HASHED}))


class Verification:
    "What the rows of a journal tell, read one after the other"

    def __init__(self):
        self.counts = Counter()
        self.faults = []
        self.clock = []
        # The last day of each company
        self.last_days = {}
        self._heads = defaultdict(dict)
        self._cases = set()

    def read_days(self, days):
        "Read the days of the companies, each in the order of the number"
        last = self.last_days
        for day in days:
            self.counts['days'] += 1
            before = last.get(day['company'])
            last[day['company']] = day
            number = before['number'] + 1 if before else 1
            if day['number'] != number:
                # The day that follows is there
                self._add('day_missing', None, number)
            elif reason := self._day_fault(day, before):
                self._add(reason, None, day['number'], day['date'])
            if before and day['date'] < before['date']:
                self.clock.append(Fault(
                        'clock', None, day['number'], day['date']))
            # What is altered accuses no case
            if self._is_whole(day):
                for case, length, head in day['heads']:
                    self._heads[case][length] = (head, day['date'])

    def _day_fault(self, day, before):
        if day['previous'] != (before['hash'] if before else None):
            return 'day_unlinked'
        elif day['hash'] != chain_hash(day):
            return 'day_altered'
        elif not self._is_whole(day):
            return 'day_heads'

    def _is_whole(self, day):
        "Return if the heads of the day are those that its hash covers"
        return (
            day['hash'] == chain_hash(day)
            and day['digest'] == digest(canonical(day['heads']))
            and isinstance(day['heads'], list)
            and all(
                isinstance(head, list) and len(head) == 3
                for head in day['heads']))

    def read(self, rows):
        "Read the entries of the cases, each in the order of the number"
        case, number, last, at, is_sound = None, 0, None, '', True
        emptied = []
        for row in rows:
            if row['case'] != case:
                if case is not None:
                    self._end_case(case, number, is_sound, emptied)
                case, number, last, at = row['case'], 0, None, ''
                is_sound, emptied = True, []
            if 'length' in row:
                reason = None
                if not number:
                    reason = 'none'
                elif (row['length'], row['head']) != (number, last):
                    reason = 'tail'
            else:
                number += 1
                self.counts['entries'] += 1
                if row['content'] is None:
                    self.counts['anonymised'] += 1
                    emptied.append(number)
                elif row['kind'] == 'erased':
                    emptied = [n for n in emptied if n > _until(row)]
                reason = self._fault(row, number, last)
                if at and row['at'] and row['at'] < at:
                    self.clock.append(Fault('clock', case, number, None))
                last, at = row['hash'], row['at']
            if reason and is_sound:
                is_sound = False
                self._add(reason, case, number or None)
        if case is not None:
            self._end_case(case, number, is_sound, emptied)

    def _fault(self, row, number, last):
        told, _ = self._heads.get(row['case'], {}).get(number, (None, None))
        if row['number'] != number:
            return 'missing'
        elif row['previous'] != last:
            return 'unlinked'
        elif row['hash'] != chain_hash(row):
            return 'altered'
        elif row['content'] is not None and row['digest'] != digest(
                canonical(row['content']), row['salt'] or ''):
            return 'content'
        elif told and told != row['hash']:
            return 'day'

    def _end_case(self, case, number, is_sound, emptied):
        self.counts['cases'] += 1
        self._cases.add(case)
        if emptied and is_sound:
            is_sound = False
            self._add('emptied', case, emptied[0])
        later = [n for n in self._heads.get(case, {}) if n > number]
        if later and is_sound:
            self._add('tail', case, number, self._heads[case][min(later)][1])

    def check_complete(self):
        "Add the cases that the days tell and the journal does not have"
        for case in sorted(self._heads.keys() - self._cases):
            heads = self._heads[case]
            self._add('case', case, None, heads[max(heads)][1])

    def check_days(self, company, length, head):
        "Add the fault if the last day is not the one that the company tells"
        last = self.last_days.get(company)
        told = (last['number'], last['hash']) if last else (0, None)
        if told != (length, head):
            self._add('day_tail', None, *(
                    (last['number'], last['date']) if last else (None,)))

    def _add(self, reason, case, number, day=None):
        self.faults.append(Fault(reason, case, number, day))


def _until(row):
    "Return the number of the last entry that the entry tells was emptied"
    until = None
    if isinstance(row['content'], dict):
        until = row['content'].get('until')
    return until if isinstance(until, int) else 0


def describe(fault):
    place = [
        f"{name} {value}" for name, value in [
            ("case", fault.case),
            ("entry" if fault.case else "number", fault.number),
            ("day", fault.day)]
        if value is not None]
    if fault.reason == 'clock':
        return f"{', '.join(place)}: the clock goes back"
    return f"{', '.join(place)}: {REASONS[fault.reason]}"


def report(verification):
    "Print what the verification tells and return if the journal is sound"
    for fault in verification.clock:
        print(describe(fault))
    counts = verification.counts
    print(f"{counts['cases']} cases, {counts['entries']} entries "
        f"({counts['anonymised']} anonymised), {counts['days']} days")
    for fault in verification.faults:
        print(f"BROKEN {describe(fault)}")
    for company, day in sorted(verification.last_days.items()):
        print(f"company {company}, last day {day['number']} "
            f"({day['date']}): {day['hash']}")
    if not verification.faults:
        print("The journal is sound.")
    return not verification.faults


def read_lines(path):
    with open(path, encoding='utf-8') as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('journal')
    parser.add_argument('days', nargs='?')
    parser.add_argument('--complete', action='store_true',
        help="each case that the days name must be there")
    args = parser.parse_args(arguments)
    verification = Verification()
    try:
        if args.days:
            verification.read_days(read_lines(args.days))
        verification.read(read_lines(args.journal))
    except (KeyError, TypeError, ValueError) as exception:
        print(f"A line cannot be read: {exception!r}", file=sys.stderr)
        return 1
    if args.complete:
        verification.check_complete()
    return 0 if report(verification) else 1


if __name__ == '__main__':
    sys.exit(main())
