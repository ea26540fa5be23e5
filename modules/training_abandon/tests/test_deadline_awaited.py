# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Since when the steps wait for an answer is always what it should be"
import datetime as dt

from trytond.modules.training_abandon.stored import differences
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DeadlineTestCase, add_contact, count_statements,
    create_enrolments, create_party, open_cases, run_wizard, set_up, today)


def at(day, hour=10):
    return dt.datetime.combine(day, dt.time(hour))


class AwaitedTestCase(DeadlineTestCase):
    "Test what is stored of the steps that wait for an answer"

    def since(self, case):
        "Return since when the reasons are waited for, and check all"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        self.assertEqual(list(differences()), [])
        step = Step(case.get_step('ask_reasons').id)
        self.assertEqual(step.waiting, bool(step.waiting_since))
        return step.waiting_since

    def reply(self, asked, /, **values):
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        reply, = Reply.create([{
                    'received_at': at(DATE + 2 * DAY),
                    'message_id': '<reply@example.com>',
                    'kind': 'answer',
                    'party': asked.enrolment.trainee.party.id,
                    **values}])
        return reply

    @with_transaction()
    def test_first(self):
        "Test that it is when the first who has not answered was reached"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            add_contact(enrolment, create_party("Mother", 'm@example.com'))
            with today(DATE):
                case, = open_cases([enrolment])
                run_wizard('training.abandon.case.ask_reasons', [case])
            self.assertIsNone(self.since(case))
            first, second = case.mails
            Mail.write([first], {
                    'state': 'sent', 'sent_at': at(DATE + DAY)})
            self.assertEqual(self.since(case), at(DATE + DAY))
            Mail.write([second], {'state': 'sent', 'sent_at': at(DATE)})
            self.assertEqual(self.since(case), at(DATE))
            # Not from the reminder on
            self.remind(DATE + 4 * DAY)
            self.accept(DATE + 4 * DAY)
            self.assertEqual(self.since(case), at(DATE))
            Mail.write([second], {'bounced_at': at(DATE, 11)})
            self.assertEqual(self.since(case), at(DATE + DAY))
            follow_up, = FollowUp.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'case': case.id,
                        'party': enrolment.trainee.party.id,
                        'done_at': at(DATE + DAY),
                        'outcome': 'no_answer',
                        }])
            self.assertEqual(self.since(case), at(DATE + DAY))
            FollowUp.write([follow_up], {'outcome': 'reached'})
            self.assertIsNone(self.since(case))
            FollowUp.delete([follow_up])
            self.assertEqual(self.since(case), at(DATE + DAY))

    @with_transaction()
    def test_replies(self):
        "Test the replies, with their case and without"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        with set_up() as (company, session, prescriber):
            case, other = self.ask(session, 2)
            since = self.since(case)
            self.assertEqual(since, at(DATE))
            for values, answers in [
                    ({'case': case.id}, False),
                    ({'case': case.id, 'counted': True}, True),
                    ({'kind': 'unknown'}, False)]:
                reply = self.reply(case, **values)
                # Nobody has told yet what it is
                self.assertIsNone(self.since(case))
                Reply.handle([reply])
                self.assertEqual(
                    self.since(case), None if answers else since)
                self.assertEqual(self.since(other), since)
                Reply.delete([reply])
                self.assertEqual(self.since(case), since)
            reply = self.reply(
                case, kind='unknown', company=company.id)
            self.assertIsNone(self.since(case))
            reply.attach_to(
                other, other.enrolment.trainee.party, counted=False)
            self.assertEqual(self.since(case), since)
            self.assertIsNone(self.since(other))

    @with_transaction()
    def test_parties(self):
        "Test the parties that are archived and replaced"
        pool = Pool()
        Party = pool.get('party.party')
        with set_up() as (_, session, _):
            case, = self.ask(session)
            party = case.enrolment.trainee.party
            Party.write([party], {'active': False})
            self.assertIsNone(self.since(case))
            Party.write([party], {'active': True})
            self.assertEqual(self.since(case), at(DATE))
            other = create_party("Other")
            self.reply(case, case=case.id, party=other.id, counted=True)
            self.assertEqual(self.since(case), at(DATE))
            self.replace(other, party)
            self.assertIsNone(self.since(case))

    def replace(self, source, destination):
        pool = Pool()
        Replace = pool.get('party.replace', type='wizard')
        session_id, _, _ = Replace.create()
        Replace.execute(session_id, {'ask': {
                    'source': source.id,
                    'destination': destination.id,
                    }}, 'replace')

    @with_transaction()
    def test_ends(self):
        "Test the enrolments and the sessions that end, and the cases"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        with set_up() as (_, session, _):
            case, = self.ask(session)
            enrolment, state = case.enrolment, case.enrolment.state
            for Model, record in [(Enrolment, enrolment), (Session, session)]:
                state = Model(record.id).state
                Model.write([record], {'state': 'cancelled'})
                self.assertIsNone(self.since(case))
                Model.write([record], {'state': state})
                self.assertEqual(self.since(case), at(DATE))
            Case.cancel([case])
            self.assertIsNone(self.since(case))

    @with_transaction()
    def test_search(self):
        "Test that what is stored alone finds and orders the steps"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        with set_up() as (_, session, _):
            late, = self.ask(session, day=DATE + DAY)
            early, = self.ask(session)
            self.assertEqual(self.since(late), at(DATE + DAY))
            with count_statements() as statements:
                steps = Step.search(
                    [('waiting', '=', True)],
                    order=[('waiting_since', 'ASC')])
            self.assertEqual([s.case for s in steps], [early, late])
            self.assertEqual(len(statements), 1)
            self.assertNotIn('training_mail', statements[0])
            self.assertEqual(
                Step.search([('waiting', '!=', True)], count=True),
                Step.search([('waiting', '=', False)], count=True))

    @with_transaction()
    def test_fill(self):
        "Test that a database that has not stored it does"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        with set_up() as (_, session, _):
            case, = self.ask(session)
            table = Step.__table__()
            cursor = Transaction().connection.cursor()
            cursor.execute(*table.update([table.waiting_since], [None]))
            Transaction().cache.clear()
            (step, name, stored, right), = differences()
            self.assertEqual(
                (step.kind, name, stored, right),
                ('ask_reasons', 'waiting_since', None, at(DATE)))
            Step.store(names=['waiting_since'])
            self.assertEqual(self.since(case), at(DATE))

    @with_transaction()
    def test_statements(self):
        "Test that many replies take as many statements as few"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        with set_up() as (_, session, _):
            cases = self.ask(session, 40)
            counts = []
            for start, end in [(0, 5), (5, 40)]:
                replies = [
                    self.reply(
                        c, case=c.id, message_id=f'<{c.id}@example.com>')
                    for c in cases[start:end]]
                with count_statements() as statements:
                    Reply._store_waiting(replies)()
                counts.append(len(statements))
            self.assertEqual(*counts)
            self.assertLessEqual(counts[0], 3)


del DeadlineTestCase
