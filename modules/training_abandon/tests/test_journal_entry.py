# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The journal of the cases tells all that happened to them, and nothing else"
import json
import random
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

from trytond.filestore import filestore
from trytond.model import fields
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.journal import verify as verify_script
from trytond.modules.training_abandon.journal.journaled import Event
from trytond.modules.training_abandon.journal.record import record_faults
from trytond.modules.training_abandon.journal.verification import verify
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, analyse, apply_wizard, as_user, at, count_statements,
    create_enrolments, create_party, create_user, decide, get_reason,
    get_to_decision, open_cases, open_wizard, run_wizard, set_up, today,
    without_commit)
from .test_audit_stored import EVENTS, WIZARD, Life, StoredTestCase

# What users write and no entry tells
LEFT_OUT = {
    # It is for the copies, that are told
    'ir.attachment': {'copy_to_resources'},
    # Who answers for the case, at its opening or now; the decision tells who
    # took it, and the others tell themselves
    'training.abandon.case': {
        'decided_by', 'follow_ups', 'opened_by', 'owner', 'success_tasks'},
    # The state that it has with it is told
    'training.abandon.case.step': {'done_by'},
    # It is made from another one
    'training.abandon.certificate': {'signed_filename'},
    # What is planned is no event yet
    'training.follow_up': {
        'agreed', 'external_codes', 'planned_at', 'planned_until'},
    # The state that it has with it is told, and the file by its hash
    'training.justification': {'decided_by', 'filename'},
    }


class JournalTestCase(StoredTestCase):
    "Base of the tests of the journal"

    def journal(self, case):
        "Return the entries of the case, the latest first"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        return Entry.search([('case', '=', case.id)])

    def kinds(self, case):
        return [e.kind for e in reversed(self.journal(case))]

    def entry(self, case, kind):
        "Return the last entry of the kind"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        entry, *_ = Entry.search([
                ('case', '=', case.id),
                ('kind', '=', kind),
                ], order=[('number', 'DESC')])
        return entry

    def content(self, case, kind):
        return json.loads(self.entry(case, kind).content)

    def verify(self):
        pool = Pool()
        Company = pool.get('company.company')
        return verify(Company.search([]))

    def assertSound(self, msg=None):
        verification = self.verify()
        self.assertEqual(verification.faults, [], msg)
        return verification

    def faults(self):
        return [
            (f.reason, f.case, f.number) for f in self.verify().faults]

    def record_day(self, date):
        pool = Pool()
        Day = pool.get('training.journal.day')
        with today(date):
            Day.record_due()

    def execute(self, Model, action, where, **values):
        "Change rows of the database as somebody without Tryton does"
        table = Model.__table__()
        cursor = Transaction().connection.cursor()
        if action == 'update':
            cursor.execute(*table.update(
                    [getattr(table, n) for n in values],
                    list(values.values()), where=where(table)))
        else:
            cursor.execute(*table.delete(where=where(table)))
        tools.forget_read()

    def alter(self, record, reason, case=None, **values):
        "Assert that the fault is found when the row is changed"
        Model = record.__class__
        before, = Model.read([record.id], list(values))
        del before['id']

        def is_record(table):
            return table.id == record.id

        with self.subTest(model=Model.__name__, values=list(values)):
            self.execute(Model, 'update', is_record, **values)
            self.assertEqual(
                [f[:2] for f in self.faults()],
                [(reason, (case or record.case).id)])
            self.execute(Model, 'update', is_record, **before)
            self.assertSound()


class LifeTestCase(JournalTestCase):
    "Test the journals of a random life of events"

    @with_transaction()
    def test_life(self):
        "Test that the chains hold after each event"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        seen, kinds = set(), set()
        for seed in range(EVENTS // 50):
            with self.subTest(seed=seed), set_up() as (_, session, prescriber):
                prescribers = [
                    prescriber, create_party("Other", 'other@example.com'),
                    create_party("Third", 'third@example.com')]
                cases = open_cases([
                        create_enrolments(session, prescriber=p)[0]
                        for p in prescribers])
                cases.append(get_to_decision(*create_enrolments(session)))
                decide(cases[-1])
                life = Life(
                    self, random.Random(seed), [c.id for c in cases],
                    prescribers, seen)
                date = DATE
                for name in life.live(50):
                    self.assertSound(name)
                    if life.now.date() > date:
                        date = life.now.date()
                        self.record_day(date)
                entries = Entry.search(
                    [('case', 'in', [c.id for c in cases])])
                kinds.update(e.kind for e in entries)
                self.assertTold(cases)
        self.assertGreater(self.verify().counts['days'], 1)
        self.assertLessEqual({
                'opening', 'step', 'skipped', 'reopened', 'mail_queued',
                'mail_sent', 'mail_failed', 'mail_cancelled', 'mail_bounced',
                'reply', 'follow_up', 'proposal', 'response',
                'decision', 'withdrawal', 'certificate', 'correction',
                'closing'}, kinds)

    def assertTold(self, cases):
        "Assert that the last entries tell what the records are"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        for case in Case.browse([c.id for c in cases]):
            journal = self.journal(case)
            for mail in case.mails:
                ends = [
                    e for e in journal if e.resource == mail
                    and e.kind != 'mail_bounced']
                # The latest is the first
                if mail.state in {'sent', 'failed', 'queued', 'cancelled'}:
                    self.assertEqual(ends[0].kind, f'mail_{mail.state}')
                self.assertLessEqual(
                    len([e for e in ends if e.kind == 'mail_sent']), 1)
            for step in case.steps:
                entries = [e for e in journal if e.resource == step]
                if entries:
                    self.assertEqual(entries[0].kind, {
                            'done': 'step',
                            'skipped': 'skipped',
                            'todo': 'reopened',
                            }[step.state])
            decisions = [
                e for e in journal
                if e.kind in {'decision', 'withdrawal'}]
            if case.decision:
                self.assertEqual(
                    json.loads(decisions[0].content)['decision'],
                    case.decision)


class EntryTestCase(JournalTestCase):
    "Test what the journal has"

    @with_transaction()
    def test_events(self):
        "Test the entries of some steps"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (_, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            run_wizard(WIZARD + 'inform', [case])
            self.assertEqual(
                self.kinds(case), ['opening', 'mail_queued', 'step'])
            mail, = case.mails
            self.assertEqual(
                self.content(case, 'mail_queued')['sha256'],
                verify_script.hashlib.sha256(mail.message).hexdigest())
            with patch.object(Mail, '_archive_slices'):
                self.deliver(case.mails)
            kinds = ['opening', 'mail_queued', 'step', 'mail_sent']
            self.assertEqual(self.kinds(case), kinds)
            # What could not be archived is tried again
            with without_commit():
                Mail._archive([mail.id])
            self.assertTrue(Mail(mail.id).email)
            self.assertEqual(self.kinds(case), kinds)
            case = type(case)(case.id)
            self.assertEqual(case.journal_length, 4)
            journal = self.journal(case)
            self.assertEqual(case.journal_head, journal[0].hash)
            self.assertEqual(
                [e.previous for e in journal],
                [*(e.hash for e in journal[1:]), None])
            self.assertSound()

    @with_transaction()
    def test_private(self):
        "Test that the journal has no word of the trainee"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            while type(case)(case.id).next_kind != 'analyse':
                case.skip_step([case], "Unforgotten reason")
            analyse(
                [case], reason_comment="Unforgotten words",
                analysis="Unforgotten analysis",
                reasons=[get_reason('time.lack').id])
            entries = Entry.search([('case', '=', case.id)])
            for entry in entries:
                self.assertNotIn('nforgotten', entry.content)
            self.assertEqual(
                json.loads(self.entry(case, 'answer').content).keys(),
                {'answered_at', 'private'})
            entry = self.entry(case, 'step')
            case = type(case)(case.id)
            cause, = case.causes
            words = [
                "Unforgotten analysis",
                [[cause.cause.id, cause.responsible, cause.note or '']]]
            self.assertEqual(
                json.loads(entry.content)['private'],
                verify_script.digest(
                    verify_script.canonical(words), entry.secret))
            user = create_user('reader', company, 'training')
            with as_user(user):
                Entry.read([entry.id], ['content', 'salt'])
                with self.assertRaises(AccessError):
                    Entry.read([entry.id], ['secret'])
            for line in Entry.export([case]):
                self.assertNotIn(entry.secret, line)

    @with_transaction()
    def test_append_only(self):
        "Test that nobody changes an entry or a day"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Day = pool.get('training.journal.day')
        Entry = pool.get('training.journal.entry')
        with set_up() as (_, session, _):
            case, = open_cases(create_enrolments(session))
            entry, = self.journal(case)
            self.record_day(DATE)
            day, = Day.search([])
            values = {
                'company': case.company.id, 'case': case.id, 'number': 2,
                'kind': 'step'}
            for change in [
                    lambda: Entry.write([entry], {'content': '{}'}),
                    lambda: Entry.delete([entry]),
                    lambda: Entry.copy([entry]),
                    lambda: Entry.create([{
                                **values, 'at': tools.now(), 'digest': '0',
                                'hash': '0'}]),
                    lambda: Day.write([day], {'heads': '[]'}),
                    lambda: Day.delete([day]),
                    lambda: Day.copy([day]),
                    ]:
                with self.assertRaises(AccessError):
                    change()
            user = create_user(
                'boss', session.company, 'training', 'training_admin')
            with as_user(user):
                with self.assertRaises(AccessError):
                    Case.write([case], {'journal_length': 0})

    @with_transaction()
    def test_statements(self):
        "Test that many cases take as many statements as few"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (_, session, prescriber):
            cases = open_cases(create_enrolments(session, 90, prescriber))
            counts = []
            for number in [10, 80]:
                moved, cases = cases[:number], cases[number:]
                events = list(Step.journal_events(
                        'write', [c.steps[0] for c in moved], {'state'}))
                with count_statements() as statements:
                    Entry.record(events)
                counts.append(len(statements))
            self.assertEqual(*counts)
            self.assertLessEqual(counts[0], 4)
            self.assertSound()

    @with_transaction()
    def test_lock(self):
        "Test that the heads are locked before, or while, they are read"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        with set_up() as (_, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            with count_statements() as statements:
                Entry.lock_heads([case.id])
            if Transaction().database.has_select_for():
                self.assertIn('FOR NO KEY UPDATE', str(statements[0]))
            else:
                self.assertIn('UPDATE', str(statements[0]))

    @with_transaction()
    def test_keep(self):
        "Test that who changes a part of the case keeps the case first"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            follow_up, = FollowUp.create([{
                        'company': company.id,
                        'enrolment': case.enrolment.id,
                        'case': case.id,
                        'kind': 'call',
                        'party': prescriber.id,
                        'planned_at': tools.now(),
                        }])
            wizard, start = open_wizard(
                'training.follow_up.record', [follow_up])
            start.update(outcome='reached')
            with count_statements() as statements:
                apply_wizard(wizard, [follow_up], start)
            changes = [
                s for s in map(str, statements)
                if s.startswith('UPDATE') or 'FOR NO KEY UPDATE' in s]
            self.assertIn(f'"{Case._table}"', changes[0])

    @with_transaction()
    def test_justification(self):
        "Test that a justification is told in the case that is open"
        pool = Pool()
        Justification = pool.get('training.justification')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            justification, = Justification.create([{
                        'company': company.id,
                        'enrolment': case.enrolment.id,
                        'kind': 'sick_leave',
                        'start_date': DATE,
                        'end_date': DATE,
                        }])
            Justification.accept([justification])
            self.assertEqual(
                self.kinds(case), ['opening'] + ['justification'] * 2)
            self.assertEqual(
                self.content(case, 'justification')['state'], 'accepted')
            self.assertNotIn('sick', self.entry(
                    case, 'justification').content)
            self.assertSound()

    @with_transaction()
    def test_justification_of_closed(self):
        "Test that a closed case is told of the justifications it has told"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        Justification = pool.get('training.justification')
        with set_up() as (company, session, prescriber):
            case, begun = open_cases(
                create_enrolments(session, 2, prescriber))

            def create(case):
                justification, = Justification.create([{
                            'company': company.id,
                            'enrolment': case.enrolment.id,
                            'kind': 'other',
                            'start_date': DATE,
                            'end_date': DATE,
                            'document': b'note',
                            'filename': 'note.pdf',
                            }])
                return justification

            justification, old, replaced = map(create, [case, begun, begun])
            case.cancel([case, begun])
            # Its journal begins once it is closed
            self.execute(Entry, 'delete', lambda t: t.case == begun.id)
            self.execute(
                type(case), 'update', lambda t: t.id == begun.id,
                journal_length=None, journal_head=None)
            Entry.record_states()
            # Nothing told of this one
            create(case)
            again, = case.open_cases([case.enrolment], 'absence', DATE)
            kinds = self.kinds(case)
            self.assertSound()
            other = filestore.set(b'other', Transaction().database.name)
            for record, its_case in [(justification, case), (old, begun)]:
                self.alter(
                    record, 'file', case=its_case, document_file_id=other)
            Justification.delete([justification, old])
            Justification.write([replaced], {'document': b'other'})
            self.assertEqual(self.kinds(case), [*kinds, 'justification'])
            self.assertEqual(
                self.kinds(begun), ['state'] + ['justification'] * 2)
            self.assertEqual(
                self.kinds(type(case)(again)), ['opening', 'justification'])
            self.assertSound()


class VerificationTestCase(JournalTestCase):
    "Test that what somebody alters is found and named"

    def set_up(self, session, prescriber):
        "Return cases with some entries"
        cases = open_cases(create_enrolments(session, 3, prescriber))
        for case in cases:
            while type(case)(case.id).next_kind != 'follow_up':
                case.skip_step([case], "Not needed")
        self.record_day(DATE + 2 * DAY)
        self.assertSound()
        return cases

    @with_transaction()
    def test_altered(self):
        "Test that an altered entry is named"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        with set_up() as (_, session, prescriber):
            _, case, _ = self.set_up(session, prescriber)
            for values, reason in [
                    ({'kind': 'step'}, 'altered'),
                    ({'user': None}, 'altered'),
                    ({'content': '{"step":"inform"}'}, 'content'),
                    ({'content': 'nothing'}, 'content'),
                    ({'digest': '0'}, 'altered'),
                    ({'hash': '0'}, 'altered'),
                    ({'number': 90}, 'missing'),
                    ]:
                entry = self.journal(case)[-3]
                self.assertEqual(entry.number, 3)
                before = Entry.read([entry.id], list(values))[0]
                del before['id']

                def is_entry(table):
                    return table.id == entry.id

                self.execute(Entry, 'update', is_entry, **values)
                self.assertEqual(self.faults(), [(reason, case.id, 3)])
                self.execute(Entry, 'update', is_entry, **before)
                self.assertSound()

    @with_transaction()
    def test_rewritten(self):
        "Test that an entry whose hash is made again is found by the next one"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        with set_up() as (_, session, prescriber):
            case, _, _ = self.set_up(session, prescriber)
            row = next(
                r for r in Entry.rows([case.id]) if r.get('number') == 3)
            row['kind'] = 'step'
            self.execute(
                Entry, 'update',
                lambda t: (t.case == case.id) & (t.number == 3),
                kind='step', hash=verify_script.chain_hash(row))
            self.assertEqual(self.faults(), [('unlinked', case.id, 4)])

    @with_transaction()
    def test_tail(self):
        "Test that a deleted tail is named, by the head and by the day"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Entry = pool.get('training.journal.entry')
        with set_up() as (_, session, prescriber):
            _, _, case = self.set_up(session, prescriber)
            length = Case(case.id).journal_length
            self.execute(
                Entry, 'delete',
                lambda t: (t.case == case.id) & (t.number > 3))
            self.assertEqual(self.faults(), [('tail', case.id, 3)])
            # Whoever puts the head right does not have the day
            self.execute(
                Case, 'update', lambda t: t.id == case.id, journal_length=3,
                journal_head=self.journal(case)[0].hash)
            fault, = self.verify().faults
            self.assertEqual(
                fault, ('tail', case.id, 3, str(DATE + 2 * DAY)))
            self.assertGreater(length, 3)

    @with_transaction()
    def test_deleted_case(self):
        "Test that a deleted case is named by the day"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Entry = pool.get('training.journal.entry')
        with set_up() as (_, session, prescriber):
            _, case, _ = self.set_up(session, prescriber)
            self.execute(Entry, 'delete', lambda t: t.case == case.id)
            self.assertEqual(self.faults(), [('none', case.id, None)])
            for name in ['training.abandon.case.step']:
                self.execute(
                    pool.get(name), 'delete', lambda t: t.case == case.id)
            self.execute(Case, 'delete', lambda t: t.id == case.id)
            fault, = self.verify().faults
            self.assertEqual(
                fault, ('case', case.id, None, str(DATE + 2 * DAY)))

    @with_transaction()
    def test_days(self):
        "Test that an altered, or deleted, day is named"
        pool = Pool()
        Day = pool.get('training.journal.day')
        with set_up() as (_, session, prescriber):
            case, *_ = self.set_up(session, prescriber)
            for number in range(3, 6):
                self.record_day(DATE + number * DAY)
                self.record_day(DATE + number * DAY)
            first, *_, last = Day.search([], order=[('number', 'ASC')])
            self.assertEqual(
                [last.number, len(json.loads(first.heads)), last.heads],
                [4, 3, '[]'])
            case.skip_step([case], "Not needed")
            self.record_day(DATE + 6 * DAY)
            last, = Day.search([('number', '=', 5)])
            self.assertEqual(
                [head[0] for head in json.loads(last.heads)], [case.id])
            self.assertSound()
            for values, reason in [
                    ({'date': DATE}, 'day_altered'),
                    ({'heads': '[]'}, 'day_heads'),
                    ({'heads': 'nothing'}, 'day_heads'),
                    ]:
                before = Day.read([last.id], list(values))[0]
                del before['id']
                self.execute(
                    Day, 'update', lambda t: t.id == last.id, **values)
                self.assertEqual(self.faults(), [(reason, None, 5)])
                self.execute(
                    Day, 'update', lambda t: t.id == last.id, **before)
            self.execute(Day, 'delete', lambda t: t.number == 3)
            self.assertEqual(self.verify().faults, [
                    ('day_missing', None, 3, None)])

    @with_transaction()
    def test_altered_day(self):
        "Test that an altered day stops nothing and accuses no case"
        pool = Pool()
        Day = pool.get('training.journal.day')
        with set_up() as (_, session, prescriber):
            case, *_ = self.set_up(session, prescriber)
            day, = Day.search([])
            before, = Day.read([day.id], ['heads', 'digest', 'hash'])
            del before['id']
            heads = json.dumps([[case.id, 1, '0']])
            for values, reason in [
                    ({'heads': 'nothing', 'hash': '0'}, 'day_altered'),
                    ({'heads': heads, 'hash': '0'}, 'day_altered'),
                    ({'heads': heads,
                        'digest': verify_script.digest(
                            verify_script.canonical(json.loads(heads)))},
                        'day_altered'),
                    ({'heads': '[1]'}, 'day_heads'),
                    ]:
                with self.subTest(**values):
                    self.execute(
                        Day, 'update', lambda t: t.id == day.id, **values)
                    self.assertIn((reason, None, 1), self.faults())
                    self.assertEqual(
                        [f for f in self.verify().faults if f.case], [])
                    self.execute(
                        Day, 'update', lambda t: t.id == day.id, **before)
            self.execute(
                Day, 'update', lambda t: t.id == day.id, heads='nothing')
            # The next day tells all the cases again
            self.record_day(DATE + 3 * DAY)
            last, = Day.search([('number', '=', 2)])
            self.assertEqual(len(json.loads(last.heads)), 3)

    @with_transaction()
    def test_last_day(self):
        "Test that the last days that are deleted, or late, are named"
        pool = Pool()
        Company = pool.get('company.company')
        Day = pool.get('training.journal.day')
        with set_up() as (company, session, prescriber):
            case, *_ = self.set_up(session, prescriber)
            self.record_day(DATE + 3 * DAY)
            last, _ = Day.search([])
            self.assertEqual(
                Company(company.id).journal_day_hash, last.hash)
            self.execute(Day, 'delete', lambda t: t.id == last.id)
            self.assertEqual(
                self.verify().faults,
                [('day_tail', None, 1, str(DATE + 2 * DAY))])
            self.execute(Day, 'delete', lambda t: t.id > 0)
            self.assertEqual(
                self.verify().faults, [('day_tail', None, None, None)])
            self.execute(
                Company, 'update', lambda t: t.id == company.id,
                journal_days=None, journal_day_hash=None)
            self.assertSound()
            now = tools.now()
            with at(now + 3 * DAY):
                self.assertEqual(self.faults(), [('day_none', None, None)])
            with today(DATE + 5 * DAY):
                Day.record_due()
                self.assertSound()
                case.skip_step([case], "Not needed")
                self.assertSound()
            with at(now + 9 * DAY):
                self.assertEqual(self.faults(), [('day_late', None, 1)])
            user = create_user('boss', session.company, 'training_admin')
            with as_user(user), self.assertRaises(AccessError):
                Company.write(
                    [Company(company.id)], {'journal_day_hash': '0'})
            with as_user(user), self.assertRaises(AccessError):
                Company.create([{
                            'party': create_party("Other").id,
                            'currency': company.currency.id,
                            'journal_day_hash': '0',
                            }])

    @with_transaction()
    def test_emptied(self):
        "Test that an entry that nobody erased is not empty"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        with set_up() as (_, session, prescriber):
            case, *_ = self.set_up(session, prescriber)
            self.execute(
                Entry, 'update',
                lambda t: (t.case == case.id) & (t.number == 2),
                content=None, salt=None)
            self.assertEqual(self.faults(), [('emptied', case.id, 2)])

    @with_transaction()
    def test_clock(self):
        "Test that a clock that goes back is told and breaks nothing"
        with set_up() as (_, session, prescriber):
            case, *_ = self.set_up(session, prescriber)
            with at(tools.now() - 30 * DAY):
                case.skip_step([case], "Not needed")
            self.record_day(DATE - 30 * DAY)
            verification = self.assertSound()
            self.assertEqual(
                [(f.case, f.number) for f in verification.clock],
                [(None, 2), (case.id, len(self.kinds(case)))])
            self.record_day(DATE + 3 * DAY)
            self.assertEqual(self.assertSound().counts['days'], 3)

    @with_transaction()
    def test_file(self):
        "Test that the script verifies the files alone, and names the fault"
        pool = Pool()
        Company = pool.get('company.company')
        Day = pool.get('training.journal.day')
        Entry = pool.get('training.journal.entry')
        with set_up() as (_, session, prescriber), \
                tempfile.TemporaryDirectory() as directory:
            cases = self.set_up(session, prescriber)
            journal = Path(directory, 'journal.jsonl')
            days = Path(directory, 'days.jsonl')
            lines = list(Entry.export(cases[1:]))
            company, = Company.search([])
            days.write_text(
                ''.join(f'{line}\n' for line in Day.export(company)))

            def run(lines, *options):
                journal.write_text(''.join(f'{line}\n' for line in lines))
                result = subprocess.run(
                    [sys.executable, '-I', verify_script.__file__, *options,
                        str(journal), str(days)],
                    capture_output=True, text=True)
                return result.returncode, result.stdout + result.stderr

            code, words = run(lines)
            self.assertEqual(code, 0, words)
            self.assertIn("2 cases", words)
            code, words = run(lines, '--complete')
            self.assertEqual(code, 1)
            self.assertIn(f"case {cases[0].id}", words)
            code, words = run(lines[:2] + lines[3:])
            self.assertEqual(code, 1)
            self.assertIn(
                f"case {cases[1].id}, entry 3: the entry is missing", words)
            code, words = run(['nothing'])
            self.assertEqual(code, 1)

    @with_transaction()
    def test_wizard(self):
        "Test what the administrators see"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        Verify = pool.get('training.journal.verify', type='wizard')
        with set_up() as (_, session, prescriber):
            case, *_ = self.set_up(session, prescriber)

            def result():
                session_id, _, _ = Verify.create()
                return Verify.execute(session_id, {}, 'result')[
                    'view']['defaults']

            values = result()
            self.assertTrue(values['is_sound'])
            day, = pool.get('training.journal.day').search([])
            self.assertIn(day.hash, values['last_days'])
            self.assertEqual(values['broken'], '')
            self.assertEqual(values['cases'], 3)
            self.execute(
                Entry, 'update',
                lambda t: (t.case == case.id) & (t.number == 2), user=None)
            values = result()
            self.assertFalse(values['is_sound'])
            self.assertEqual(
                values['broken'],
                f"{case.rec_name} – entry 2 – the row is altered")

    @with_transaction()
    def test_erase(self):
        "Test that the chain is verified once its content is erased"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        Case = pool.get('training.abandon.case')
        Erase = pool.get('party.erase', type='wizard')
        with set_up() as (_, session, prescriber):
            case, other, _ = self.set_up(session, prescriber)
            Case.cancel([case])
            party = case.enrolment.trainee.party
            party.active = False
            party.save()
            session_id, _, _ = Erase.create()
            Erase.execute(session_id, {'ask': {'party': party.id}}, 'erase')
            verification = self.assertSound()
            self.assertEqual(self.kinds(case)[-1], 'erased')
            self.assertEqual(
                verification.counts['anonymised'], len(self.kinds(case)) - 1)
            for entry in Entry.search([
                        ('case', '=', case.id),
                        ('kind', '!=', 'erased'),
                        ]):
                self.assertEqual(
                    [entry.content, entry.salt, entry.secret], [None] * 3)
                self.assertTrue(entry.is_anonymised)
            self.assertTrue(Entry.search([
                        ('case', '=', other.id), ('content', '!=', None)]))


class RecordTestCase(JournalTestCase):
    "Test that the records are compared with what the entries tell"

    @with_transaction()
    def test_records(self):
        "Test that an altered record is named"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Certificate = pool.get('training.abandon.certificate')
        FollowUp = pool.get('training.follow_up')
        Justification = pool.get('training.justification')
        with set_up() as (company, session, prescriber):
            case = get_to_decision(*create_enrolments(
                    session, 1, prescriber))
            decide(case)
            run_wizard(WIZARD + 'certify', [case])
            other, = open_cases(create_enrolments(session, 1, prescriber))
            run_wizard(WIZARD + 'inform', [other])
            self.deliver(other.mails)
            follow_up, = FollowUp.create([{
                        'company': company.id,
                        'enrolment': other.enrolment.id,
                        'case': other.id,
                        'kind': 'call',
                        'party': other.enrolment.trainee.party.id,
                        'done_at': tools.now(),
                        'outcome': 'reached',
                        'note': "Said so",
                        }])
            justification, = Justification.create([{
                        'company': company.id,
                        'enrolment': other.enrolment.id,
                        'kind': 'other',
                        'start_date': DATE,
                        'end_date': DATE,
                        'document': b'note',
                        'filename': 'note.pdf',
                        }])
            attachment, = Attachment.create([{
                        'resource': str(other),
                        'name': "Scan",
                        'data': b'scan',
                        }])
            self.assertSound()
            past = tools.now() - 9 * DAY
            other = other.__class__(other.id)
            case = case.__class__(case.id)
            step = other.steps[0]
            mail, = other.mails
            self.alter(step, 'record', done_at=past)
            self.alter(step, 'record', state='todo')
            self.alter(mail, 'record', state='queued')
            self.alter(mail, 'record', kind='other')
            self.alter(follow_up, 'record', note="Said nothing")
            self.alter(follow_up, 'record', outcome='no_answer')
            self.alter(
                justification, 'record', case=other, end_date=DATE + DAY)
            self.alter(attachment, 'record', case=other, name="Other")
            self.alter(case, 'record', case=case, effective_date=DATE - DAY)
            for certificate in case.certificates:
                self.alter(certificate, 'file', sha256='0')
            self.assertTrue(Certificate.search([('case', '=', case.id)]))

            for record, name in [
                    (mail, 'message_file_id'),
                    (justification, 'document_file_id'),
                    (attachment, 'file_id')]:
                self.alter(record, 'file', case=other, **{
                        name: filestore.set(b'other', 'test')})
            # Who empties the secret hides nothing
            entry = self.entry(other, 'follow_up')
            self.alter(entry, 'record', case=other, secret=None)

    @with_transaction()
    def test_answers(self):
        "Test that what is answered, corrected and completed is compared"
        pool = Pool()
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))

            def create(name, **values):
                record, = pool.get(name).create([values])
                return record

            proposal = create(
                'training.abandon.proposal', case=case.id,
                description="Another session")
            response = create(
                'training.abandon.proposal.response', proposal=proposal.id,
                party=prescriber.id, answer='refused', at=tools.now(),
                channel='call')
            correction = create(
                'training.abandon.case.correction', case=case.id,
                kind='undone', at=tools.now(), reason="Mistake")
            completion = create(
                'training.abandon.case.completion', case=case.id,
                kind='return_date', at=tools.now(), date=DATE)
            reply = create(
                'training.mail.reply', company=company.id, case=case.id,
                party=prescriber.id, kind='answer', state='new',
                received_at=tools.now(), message_id='<1@example.com>',
                message_digest='0', text="I come back")
            self.assertSound()
            self.alter(proposal, 'record', description="Other")
            self.alter(response, 'record', case=case, answer='accepted')
            self.alter(correction, 'record', description="Other")
            self.alter(completion, 'record', date=DATE + DAY)
            self.alter(reply, 'record', text="I do not come back")
            self.alter(reply, 'record', state='ignored')
            type(reply).write([reply], {'state': 'ignored'})
            self.assertSound()

    @with_transaction()
    def test_settlement(self):
        "Test that a settlement is compared once it is no draft any more"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, session, prescriber):
            case = get_to_decision(*create_enrolments(
                    session, 1, prescriber))
            decide(case)
            Enrolment.write([case.enrolment], {
                    'price': Decimal(1000), 'client': prescriber.id})
            Settlement.settle([case])
            settlement, = Settlement.search([('case', '=', case.id)])
            self.alter(settlement, 'untold', state='posted')
            with patch.object(Settlement, 'check_modification'):
                Settlement.write([settlement], {'state': 'posted'})
            self.assertSound()
            self.alter(settlement, 'record', state='cancelled')
            self.alter(settlement, 'record', ground='other')
            # Also for who may not read it
            reader = create_user('auditor', company, 'training_reading')
            with as_user(reader):
                self.assertEqual(list(record_faults([case.id])), [])

    @with_transaction()
    def test_added_deleted(self):
        "Test that a record that is added, or deleted, by SQL is named"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        with set_up() as (_, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            first, second = Attachment.create([{
                        'resource': str(case),
                        'name': name,
                        'data': b'scan',
                        } for name in ["First", "Second"]])
            Attachment.delete([second])
            self.assertSound()
            self.assertEqual(
                self.kinds(case), ['opening'] + ['document'] * 3)
            self.execute(Attachment, 'delete', lambda t: t.id == first.id)
            self.assertEqual(self.faults(), [('record', case.id, 2)])

    @with_transaction()
    def test_session_document(self):
        "Test that what is attached to the session is told in its cases"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, prescriber):
            enrolments = create_enrolments(session, 2, prescriber)
            case, = open_cases(enrolments[:1])
            scan, = Attachment.create([{
                        'resource': str(session.slots[0]),
                        'name': "Sheet",
                        'data': b'scan',
                        }])
            # It was there before the other one
            other, = open_cases(Enrolment.browse(enrolments[1:]))
            self.assertEqual(
                self.kinds(case), ['opening', 'session_document'])
            self.assertEqual(self.kinds(other), ['opening'])
            self.assertSound()
            self.alter(
                scan, 'file', case=case,
                file_id=filestore.set(b'other', 'test'))
            Attachment.write([scan], {'resource': str(case)})
            self.assertEqual(
                self.kinds(case)[2:], ['session_document', 'document'])
            self.assertEqual(self.kinds(other)[1:], ['session_document'])
            self.assertSound()

    @with_transaction()
    def test_left(self):
        "Test that a call that leaves its case is told in it"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, prescriber):
            case, other = open_cases(
                create_enrolments(session, 2, prescriber))
            follow_up, = FollowUp.create([{
                        'company': company.id,
                        'enrolment': case.enrolment.id,
                        'case': case.id,
                        'kind': 'call',
                        'party': case.enrolment.trainee.party.id,
                        'done_at': tools.now(),
                        'outcome': 'reached',
                        }])
            FollowUp.write([follow_up], {'note': "Said so"})
            FollowUp.write([follow_up], {'done_at': None, 'outcome': None})
            self.assertEqual(self.kinds(case), [
                    'opening', 'follow_up', 'follow_up', 'follow_up_deleted'])
            self.assertSound()

    @with_transaction()
    def test_reasons_again(self):
        "Test that reasons that are declared again are told"
        with set_up() as (_, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            Case = type(case)
            Case.declare_reasons([case], [get_reason('time.lack')])
            count = self.kinds(case).count('answer')
            Case.declare_reasons(
                [Case(case.id)], [get_reason('no_answer')], "More words")
            self.assertEqual(self.kinds(case).count('answer'), count + 1)
            self.assertSound()

    @with_transaction()
    def test_erased_party(self):
        "Test that what is erased of a prescriber is no fault"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        with set_up() as (_, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            run_wizard(WIZARD + 'inform', [case])
            self.deliver(case.mails)
            case.cancel([case])
            self.assertSound()
            prescriber.active = False
            prescriber.save()
            session_id, _, _ = Erase.create()
            Erase.execute(
                session_id, {'ask': {'party': prescriber.id}}, 'erase')
            self.assertEqual(self.kinds(case)[-1], 'erased')
            self.assertEqual(self.assertSound().counts['anonymised'], 0)

    @with_transaction()
    def test_origin(self):
        "Test that who may not read a record still reads its entry"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            Entry.record([
                    Event(case.id, 'settlement', f'{name},1', {}, None)
                    for name in Entry._get_resources()])
            entries = self.journal(case)
            user = create_user('auditor', company, 'training_reading')
            with as_user(user):
                rows = Entry.read(
                    [e.id for e in entries],
                    ['kind', 'origin', 'origin.rec_name'])
                self.assertEqual(len(rows), len(entries))
                self.assertNotIn('training.abandon.settlement', {
                        (r['origin'] or '').partition(',')[0] for r in rows})
                self.assertIn(str(case), {r['origin'] for r in rows})


class FieldsTestCase(JournalTestCase):
    "Test that what users write is told"

    @with_transaction()
    def test_fields(self):
        "Test that each field is told, or left out for a reason"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        untold = {}
        for name in Entry._get_resources():
            Model = pool.get(name)
            names = {
                n for n, field in Model._fields.items()
                if not field.readonly and not isinstance(
                    field, fields.Function)
                and n not in {'id', 'rec_name'}} - Model.journaled_fields()
            if names - {'company', 'case', 'enrolment'}:
                untold[name] = names - {'company', 'case', 'enrolment'}
        self.assertEqual(untold, LEFT_OUT)


class MigrationTestCase(JournalTestCase):
    "Test the journal of the cases that were before it"

    @with_transaction()
    def test_state(self):
        "Test that each case gets one entry and no event is invented"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Entry = pool.get('training.journal.entry')
        with set_up() as (_, session, prescriber):
            cases = open_cases(create_enrolments(session, 2, prescriber))
            run_wizard(WIZARD + 'inform', cases[:1])
            self.deliver(cases[0].mails)
            proposal, = pool.get('training.abandon.proposal').create([{
                        'case': cases[0].id, 'description': "Another day"}])
            pool.get('training.abandon.proposal.response').create([{
                        'proposal': proposal.id,
                        'party': prescriber.id,
                        'answer': 'refused',
                        'at': tools.now(),
                        'channel': 'call',
                        }])
            pool.get('training.justification').create([{
                        'company': cases[0].company.id,
                        'enrolment': cases[0].enrolment.id,
                        'kind': 'other',
                        'start_date': DATE,
                        'end_date': DATE,
                        'document': b'note',
                        'filename': 'note.pdf',
                        }])
            Transaction().connection.cursor().execute(
                f'DROP TABLE "{Entry._table}"')
            self.execute(
                Case, 'update', lambda t: t.id != 0, journal_length=None,
                journal_head=None)

            Entry.__register__('training_abandon')
            # Later updates write nothing
            Entry.__register__('training_abandon')

            self.assertSound()
            for case in cases:
                self.assertEqual(self.kinds(case), ['state'])
            content = self.content(cases[0], 'state')
            self.assertEqual(content['state'], 'informed')
            (_, kind, state, *_), = content['mail']
            self.assertEqual((kind, state), ('inform', 'sent'))
            self.assertEqual(len(content['step']), 8)
            (_, answer, *_), = content['response']
            self.assertEqual(answer, 'refused')
            (_, state, *_), = content['justification']
            self.assertEqual(state, 'received')
            self.assertEqual(
                [name for _, name, _ in content['files']],
                ['message', 'document'])
            case = Case(cases[0].id)
            mail, = case.mails
            justification, = case.enrolment.justifications
            for record, name in [
                    (mail, 'message_file_id'),
                    (justification, 'document_file_id')]:
                self.alter(record, 'file', case=case, **{
                        name: filestore.set(b'other', 'test')})
            for record, values in [
                    (mail, {'kind': 'other'}),
                    (proposal, {'state': 'refused'}),
                    (case.steps[0], {'state': 'skipped'})]:
                self.alter(record, 'record', case=case, **values)
            # A second update adds nothing, whatever tables there are
            Entry.__register__('training_abandon')
            Entry.__register__('training_abandon')
            self.assertEqual(self.kinds(cases[0]), ['state'])
            # The mail that was sent before is not told again
            type(cases[0].mails[0])._archive([m.id for m in cases[0].mails])
            self.assertEqual(self.kinds(cases[0]), ['state'])
            cases[0].skip_step(cases[:1], "Not needed")
            self.assertEqual(self.kinds(cases[0]), ['state', 'skipped'])
            self.assertSound()
