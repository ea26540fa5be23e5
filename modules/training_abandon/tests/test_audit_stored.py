# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The values that the events store are always those of the definitions"
import datetime as dt
import os
import random
from unittest.mock import patch

from sql import Column

from trytond.exceptions import UserError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.stored import differences, recompute
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DB_NAME, DatabaseTestCase, analyse, apply_wizard, at,
    count_statements, create_enrolments, create_party, decide, get_to_decision,
    mail_server, open_cases, open_wizard, run_wizard, savepoint, set_up, today)

WIZARD = 'training.abandon.case.'
# Many more with --full
EVENTS = 1000 if os.environ.get('TEST_FULL') else 200


class StoredTestCase(DatabaseTestCase):
    "Base of the tests of the stored values"

    def setUp(self):
        pool = Pool(DB_NAME)
        Mail = pool.get('training.mail')
        Report = pool.get('training.abandon.certificate', type='report')
        for patcher in [
                patch.object(Mail, 'queue'),
                patch.object(
                    Report, 'convert', lambda *args, **kw: ('pdf', b'%PDF'))]:
            patcher.start()
            self.addCleanup(patcher.stop)

    def assertStored(self):
        self.assertEqual(list(differences()), [])

    def deliver(self, mails, *replies):
        pool = Pool()
        Mail = pool.get('training.mail')
        with mail_server(data=list(replies) or (250, b'OK')):
            Mail.deliver_queued(list(mails))


class Life:
    "What happens to some cases, in the order that the numbers tell"

    def __init__(self, test, numbers, cases, prescribers, seen):
        self.test = test
        self.numbers = numbers
        self.cases = cases
        self.prescribers = prescribers
        self.seen = seen
        self.now = dt.datetime.combine(DATE + 2 * DAY, dt.time(9))

    @classmethod
    def names(cls):
        return [n for n in sorted(vars(cls)) if n.startswith('do_')]

    def live(self, count):
        "Yield the name of the event after each of them"
        names = self.names()
        # What leads to the certificate comes more often
        often = [*names, *['do_step'] * 15, *['do_deliver', 'do_skip'] * 5]
        while count:
            unseen = [n for n in names if n not in self.seen]
            name = self.numbers.choice(
                unseen if unseen and self.numbers.random() < .7 else often)
            self.now += dt.timedelta(hours=self.numbers.choice([0, 1, 1, 20]))
            with today(self.now.date()), at(self.now):
                try:
                    with savepoint(keep=True):
                        getattr(self, name)(self.a_case())
                except (UserError, IndexError):
                    # The event is impossible now
                    continue
            self.seen.add(name)
            count -= 1
            yield name

    def a_case(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return Case(self.numbers.choice(self.cases))

    def a_mail(self, case, *states):
        return self.numbers.choice(
            [m for m in case.mails if m.state in states])

    def do_step(self, case):
        kind = case.next_kind
        if kind == 'analyse':
            analyse([case])
        elif kind == 'propose':
            run_wizard(WIZARD + kind, [case], no_solution_reason="None")
        elif kind == 'exchange':
            wizard, start = open_wizard(WIZARD + kind, [case])
            for line in start['exchanges']:
                line.update(outcome='reached', note="Exchange")
            apply_wizard(wizard, [case], start)
        elif kind == 'decide':
            self.do_decide(case)
        elif kind:
            run_wizard(WIZARD + kind, [case])
        else:
            raise IndexError

    def do_decide(self, case):
        ground = self.numbers.choice(['abandonment', 'resumed', 'exclusion'])
        decide(
            case, ground=ground,
            decision='invalidated' if ground == 'resumed' else 'validated',
            effective_date=self.now.date())

    def do_skip(self, case):
        case.skip_step([case], "Not needed")

    def do_undo(self, case):
        run_wizard(
            WIZARD + 'undo_step', [case], reason="Mistake", message="Sorry")

    def do_take_back(self, case):
        run_wizard(WIZARD + 'take_back', [case], reason="Mistake")

    def do_cancel(self, case):
        if self.numbers.random() < .8:
            raise IndexError
        run_wizard(WIZARD + 'cancel_case', [case], reason="Mistake")

    def do_close(self, case):
        case.close([case])

    def do_reschedule(self, case):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        case.write([case], {
                'opening_date': case.opening_date
                - DAY * self.numbers.randint(0, 2)})
        Step.reschedule([case])

    def do_deliver(self, case):
        mails = [m for m in case.mails if m.state == 'queued']
        self.test.deliver(mails, *(
                self.numbers.choice([
                        (250, b'OK'), (250, b'OK'), (250, b'OK'),
                        (550, b'No'), (450, b'Later')])
                for _ in [*mails, mails[0]]))

    def do_deliver_failed(self, case):
        mail = self.a_mail(case, 'failed')
        with mail_server():
            mail.deliver([mail])

    def do_bounce(self, case):
        mail = self.a_mail(case, 'sent')
        if mail.bounced_at:
            raise IndexError
        mail.write([mail], {'bounced_at': self.now, 'bounce_reason': "No"})

    def do_cancel_mail(self, case):
        mail = self.a_mail(case, 'queued', 'failed')
        mail.cancel([mail])

    def do_readdress(self, case):
        mail = self.a_mail(case, 'failed', 'sent')
        mail.readdress('other@example.com')

    def do_follow_up(self, case):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        step = self.numbers.choice(case.steps)
        FollowUp.create([{
                    'company': case.company.id,
                    'enrolment': case.enrolment.id,
                    'case': case.id,
                    'step': self.numbers.choice([None, step.id]),
                    'party': case.enrolment.trainee.party.id,
                    'kind': self.numbers.choice(['call', 'letter']),
                    'done_at': self.numbers.choice([None, self.now]),
                    }])

    def do_change_follow_up(self, case):
        follow_up = self.numbers.choice(case.follow_ups)
        step = self.numbers.choice(case.steps)
        follow_up.write([follow_up], self.numbers.choice([
                    {'done_at': self.now},
                    {'done_at': self.now, 'outcome': 'reached'},
                    {'step': None},
                    {'step': step.id},
                    {'party': self.numbers.choice(self.prescribers).id},
                    ]))

    def do_delete_follow_up(self, case):
        follow_up = self.numbers.choice(case.follow_ups)
        follow_up.delete([follow_up])

    def do_answer(self, case):
        certificate = self.numbers.choice(case.certificates)
        if certificate.state == 'void':
            raise IndexError
        method = self.numbers.choice(['sign', 'refuse', 'no_answer'])
        getattr(certificate, method)([certificate])

    def do_issue_again(self, case):
        case.issue_again([case])

    def do_issue_record(self, case):
        if not case.certificate:
            raise IndexError
        case.issue_record([case])

    def do_replace(self, case):
        pool = Pool()
        Replace = pool.get('party.replace', type='wizard')
        if len(self.prescribers) < 2:
            raise IndexError
        source = self.prescribers.pop()
        destination = self.prescribers[-1]
        session_id, _, _ = Replace.create()
        with patch.object(Replace, 'check_similarity', lambda self: None):
            Replace.execute(session_id, {'ask': {
                        'source': source.id,
                        'destination': destination.id,
                        }}, 'replace')

    def a_party(self, case):
        return self.numbers.choice(
            [case.enrolment.trainee.party, *self.prescribers])

    def do_reply(self, case):
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        case = self.numbers.choice([None, case, case])
        Reply.create([{
                    'company': case.company.id if case else None,
                    'case': case.id if case else None,
                    'party': self.a_party(case or self.a_case()).id,
                    'received_at': self.now,
                    'message_id': f'<{self.numbers.random()}@example.com>',
                    'kind': self.numbers.choice(['answer', 'unknown']),
                    'counted': self.numbers.choice([True, False]),
                    }])

    def a_reply(self, **values):
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        return self.numbers.choice(Reply.search(
                [(n, '=', v) for n, v in values.items()],
                order=[('id', 'ASC')]))

    def do_handle_reply(self, case):
        reply = self.a_reply(state='new')
        getattr(reply, self.numbers.choice(['handle', 'ignore']))([reply])

    def do_reopen_reply(self, case):
        reply = self.a_reply(state='handled')
        reply.reopen([reply])

    def do_attach_reply(self, case):
        self.a_reply(case=None).attach_to(
            case, self.numbers.choice(case.correspondents()),
            self.numbers.choice([True, False]))

    def do_respond(self, case):
        pool = Pool()
        Proposal = pool.get('training.abandon.proposal')
        Response = pool.get('training.abandon.proposal.response')
        proposal, = Proposal.create([{
                    'case': case.id,
                    'description': "Another session",
                    }])
        Response.create([{
                    'proposal': proposal.id,
                    'party': self.a_party(case).id,
                    'answer': 'accepted',
                    'at': self.now,
                    'channel': 'call',
                    }])

    def do_archive(self, case):
        "Archive a party, for a moment"
        party = self.a_party(case)
        party.write([party], {'active': False})
        self.test.assertStored()
        party.write([party], {'active': True})

    def do_end_enrolment(self, case):
        "End an enrolment, for a moment"
        enrolment = case.enrolment
        state = enrolment.state
        enrolment.write([enrolment], {'state': 'cancelled'})
        self.test.assertStored()
        enrolment.write([enrolment], {'state': state})

    def do_cancel_session(self, case):
        "Cancel the session, for a moment"
        session = case.enrolment.session
        state = session.state
        session.write([session], {'state': 'cancelled'})
        self.test.assertStored()
        session.write([session], {'state': state})

    def do_replace_trainee(self, case):
        pool = Pool()
        Replace = pool.get('party.replace', type='wizard')
        party = create_party("The Same", 'same@example.com')
        session_id, _, _ = Replace.create()
        with patch.object(Replace, 'check_similarity', lambda self: None):
            Replace.execute(session_id, {'ask': {
                        'source': case.enrolment.trainee.party.id,
                        'destination': party.id,
                        }}, 'replace')


class LifeTestCase(StoredTestCase):
    "Test a random life of events"

    @with_transaction()
    def test_life(self):
        "Test that the stored values are the right ones after each event"
        seen = set()
        for seed in range(EVENTS // 50):
            with self.subTest(seed=seed), set_up() as (_, session, prescriber):
                prescribers = [
                    prescriber, create_party("Other", 'other@example.com'),
                    create_party("Third", 'third@example.com')]
                cases = open_cases([
                        create_enrolments(session, prescriber=p)[0]
                        for p in prescribers])
                # One of them comes to the certificate soon
                cases.append(get_to_decision(*create_enrolments(session)))
                decide(cases[-1])
                life = Life(
                    self, random.Random(seed), [c.id for c in cases],
                    prescribers, seen)
                for name in life.live(50):
                    self.assertEqual(list(differences()), [], name)
        self.assertEqual(sorted(seen), Life.names())


class ColumnsTestCase(StoredTestCase):
    "Test what is stored, and how much it takes"

    def step(self, case, kind):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        step, = Step.search([('case', '=', case.id), ('kind', '=', kind)])
        return step

    def accept(self, case):
        "Have the mails that wait accepted when they were written"
        pool = Pool()
        Mail = pool.get('training.mail')
        for mail in type(case)(case.id).mails:
            if mail.state == 'queued':
                Mail.write([mail], {
                        'state': 'sent',
                        'sent_at': mail.step.done_at,
                        })

    def inform(self, *cases):
        for start in range(0, len(cases), 50):
            run_wizard('training.abandon.case.inform', cases[start:start + 50])

    @with_transaction()
    def test_fill(self):
        "Test the values of a database that had none"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (_, session, prescriber):
            cases = open_cases(create_enrolments(session, 2, prescriber))
            self.inform(*cases)
            self.deliver(cases[0].mails)
            case = get_to_decision(*create_enrolments(session))
            decide(case)
            case = Case(case.id)
            self.assertEqual(case.next_kind, 'certify')
            cursor = Transaction().connection.cursor()
            before = {}
            for Model in [Case, pool.get('training.abandon.case.step')]:
                names = [n for ns in Model.stored_queries() for n in ns]
                table = Model.__table__()
                before[Model] = Model.read(
                    [r.id for r in Model.search([])], names)
                cursor.execute(*table.update(
                        [Column(table, n) for n in names],
                        [None for n in names]))
                Transaction().cache.clear()
            self.assertTrue(list(differences()))

            Case._fill_stored()
            # The later wings fill their own
            Case.store()

            self.assertStored()
            for Model, rows in before.items():
                self.assertCountEqual(
                    Model.read([r['id'] for r in rows], list(rows[0])), rows)

    @with_transaction()
    def test_differences(self):
        "Test that a value that differs is named and put right"
        with set_up() as (_, session, prescriber):
            case, = open_cases(create_enrolments(session, 1, prescriber))
            self.inform(case)
            self.deliver(case.mails)
            step = self.step(case, 'inform')
            self.assertEqual(step.evidence, 'proven')
            table = step.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.evidence], ['failed'],
                    where=table.id == step.id))
            self.assertEqual(
                [(step, 'evidence', 'failed', 'proven')],
                list(differences()))
            recompute()
            self.assertStored()
            self.assertEqual(self.step(case, 'inform').evidence, 'proven')

    @with_transaction()
    def test_delivery(self):
        "Test that the evidence is stored after what the server answers"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        with set_up() as (_, session, prescriber):
            first, second = open_cases(
                create_enrolments(session, 2, prescriber))
            self.inform(first, second)
            self.assertEqual(
                [self.step(c, 'inform').evidence for c in [first, second]],
                ['pending'] * 2)
            # Even if what is sent cannot be archived yet
            with patch.object(Mail, '_archive_slices'):
                self.deliver(
                    [*first.mails, *second.mails],
                    (250, b'OK'), (550, b'No'))
            self.assertEqual(
                [self.step(c, 'inform').evidence for c in [first, second]],
                ['proven', 'failed'])
            self.assertEqual(
                self.step(first, 'inform').proven_at, first.mails[0].sent_at)
            self.assertIsNone(self.step(second, 'inform').proven_at)
            self.assertEqual(
                [c.evidence for c in Case.browse([first, second])],
                ['proven', 'failed'])

    @with_transaction()
    def test_next_step(self):
        "Test that the cases are found by what they do next, and when"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (_, session, prescriber):
            first, second = open_cases(
                create_enrolments(session, 2, prescriber))
            self.inform(first)
            for case, kind in [(first, 'ask_reasons'), (second, 'inform')]:
                case = Case(case.id)
                step = self.step(case, kind)
                self.assertEqual(
                    (case.next_step, case.next_kind, case.next_due_date),
                    (step, kind, step.due_date))
                self.assertEqual(
                    Case.search([('next_kind', '=', kind)]), [case])
            Case.cancel([second])
            second = Case(second.id)
            self.assertIsNone(second.next_step)
            self.assertIsNone(second.next_kind)

    @with_transaction()
    def test_closed_conformity(self):
        "Test that the conformity of a closed case changes with its facts"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        with set_up() as (_, session, prescriber):
            case, other = open_cases(
                create_enrolments(session, 2, prescriber))
            self.inform(case)
            self.assertIsNone(Case(case.id).closed_conformity)
            while Case(case.id).next_kind != 'decide':
                Case.skip_step([case], "Not needed")
            decide(case, decision='invalidated', ground='resumed')
            # Its mail may still leave in time
            self.assertTrue(Case(case.id).closed_at)
            self.assertIsNone(Case(case.id).closed_conformity)
            self.accept(case)
            mail, = [m for m in case.mails if m.kind == 'inform']
            self.assertEqual(Case(case.id).closed_conformity, 'skipped')
            with today(DATE + 300 * DAY):
                self.assertEqual(Case(case.id).conformity, 'skipped')
                self.assertEqual(
                    Case.search([('conformity', '=', 'missing')]), [other])
            Mail.write([mail], {'bounced_at': mail.sent_at})
            self.assertEqual(
                Case(case.id).closed_conformity, 'evidence_missing')
            self.assertEqual(
                Case.search([('conformity', '=', 'evidence_missing')]),
                [case])
            self.assertEqual(
                Case.search([('conformity', '!=', 'evidence_missing')]),
                [other])
            self.assertStored()

    @with_transaction()
    def test_taken_back(self):
        "Test that a case that is open again has no conformity of its own"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (_, session, _):
            case = get_to_decision(*create_enrolments(session))
            decide(case, decision='invalidated', ground='resumed')
            self.accept(case)
            self.assertEqual(Case(case.id).closed_conformity, 'skipped')
            run_wizard(WIZARD + 'take_back', [case], reason="Mistake")
            self.assertIsNone(Case(case.id).closed_conformity)
            self.assertStored()

    @with_transaction()
    def test_statements(self):
        "Test that many steps take as many statements as few"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (_, session, prescriber):
            cases = open_cases(create_enrolments(session, 90, prescriber))
            self.inform(*cases)
            mails = Mail.search([])
            self.assertEqual(len(mails), 90)
            counts = []
            for number in [10, 80]:
                moved, mails = mails[:number], mails[number:]
                for mail in moved:
                    mail.step, mail.case  # Read before
                with count_statements() as statements:
                    Step.store_evidence(moved)
                counts.append(len(statements))
            self.assertEqual(*counts)
            self.assertLessEqual(counts[0], 4)

            case_ids, step_ids = zip(*(
                    (c.id, c.next_step.id) for c in Case.browse(cases)))
            counts = []
            for number in [10, 90]:
                Transaction().cache.clear()
                with count_statements() as statements:
                    Case.read(case_ids[:number], [
                            'next_step.kind', 'next_kind', 'next_due_date',
                            'evidence', 'conformity'])
                    Step.read(step_ids[:number], [
                            'evidence', 'proven_at', 'is_next', 'conformity'])
                counts.append(len(statements))
            self.assertEqual(*counts)

    @with_transaction()
    def test_nothing_stored(self):
        "Test that what has changed nothing has nothing read again"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (_, session, _):
            open_cases(create_enrolments(session))
            counter = Transaction().counter
            tools.forget(Case, [])
            Case.store()
            self.assertEqual(Transaction().counter, counter)

    @with_transaction()
    def test_searches(self):
        "Test that the searches read what is stored alone"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (_, session, prescriber):
            open_cases(create_enrolments(session, 2, prescriber))
            for Model, domain in [
                    (Step, [('evidence', '=', 'failed')]),
                    (Step, [('is_next', '=', True)]),
                    (Step, [('conformity', '=', 'late')]),
                    (Case, [('conformity', '=', 'late')]),
                    (Case, [('next_kind', '=', 'inform')]),
                    ]:
                with count_statements() as statements:
                    Model.search(domain)
                self.assertEqual(len(statements), 1)
                self.assertNotIn('training_mail', statements[0])
            with count_statements() as statements:
                list(Step._late_rows(DATE, None))
            self.assertEqual(len(statements), 1)
            self.assertNotIn('training_mail', statements[0])
