# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from unittest.mock import patch

from trytond.model.exceptions import (
    AccessButtonError, AccessError, SQLConstraintError)
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import (
    AlertError, CaseOpenError, RiskRuleError, RiskRuleWarning)
from trytond.modules.training_abandon.risk.alert import by_origin
from trytond.modules.training_abandon.risk.criterion import (
    CRITERIA, heard_query, likely_ids)
from trytond.modules.training_abandon.risk.enrolment import SLICE
from trytond.modules.training_abandon.stored import of_ids
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, NoticeTestCase, add_contact, archive_rules, as_user,
    count_statements, create_enrolments, create_party, create_session,
    create_user, decide, get_to_decision, run_wizard, savepoint, set_up, today,
    without_commit)


class RiskTestCase(NoticeTestCase):
    "Base of the tests of the alerts"

    def rule(self, criterion='consecutive_absences', threshold=2, **values):
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        archive_rules()
        rule, = Rule.create([{
                    'name': "Rule",
                    'criterion': criterion,
                    'threshold': threshold,
                    **values,
                    }])
        return rule

    def alerts(self, *domain):
        pool = Pool()
        Alert = pool.get('training.alert')
        tools.forget_read()
        return Alert.search(list(domain), order=[('id', 'ASC')])

    def detect(self):
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with without_commit():
            Rule.detect_due()


class AlertTestCase(RiskTestCase):
    "Test what becomes of the alerts"

    @with_transaction()
    def test_close(self):
        "Test that a sheet that is closed raises and updates the alert"
        with set_up() as (company, session, _):
            rule = self.rule()
            absent, present = create_enrolments(session, 2)
            self.fill(session.slots[:1], {
                    absent: 'absent', present: 'present'})
            self.assertFalse(self.alerts())
            self.fill(session.slots[1:2], {
                    absent: 'absent', present: 'present'})
            alert, = self.alerts()
            self.assertEqual(alert.enrolment, absent)
            self.assertEqual(alert.rule, rule)
            self.assertEqual(alert.level, 'alert')
            self.assertEqual(alert.state, 'open')
            self.assertEqual(alert.since, DATE)
            self.assertEqual(list(alert.slots), list(session.slots[:2]))
            self.assertEqual(
                alert.facts,
                "2 absences in a row: Monday\xa003/02/2026, "
                "from 09:00 to 12:00 and from 14:00 to 17:00")
            self.assertEqual(absent.risk_level, 'alert')
            self.assertEqual(present.risk_level, 'none')
            self.fill(session.slots[2:3], {
                    absent: 'absent', present: 'present'})
            same, = self.alerts()
            self.assertEqual(same, alert)
            self.assertIn("3 absences in a row", same.facts)

    @with_transaction()
    def test_nothing_new(self):
        "Test that nothing is written when there is nothing new"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            rule = self.rule()
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            self.detect()
            for detect in [self.detect, lambda: Rule.detect([rule])]:
                with count_statements() as statements:
                    detect()
                self.assertFalse([
                        s for s in statements if not s.startswith('SELECT')])

    @with_transaction()
    def test_corrected(self):
        "Test the sheet that is corrected after its alert"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            self.rule()
            absent, = create_enrolments(session)
            self.fill(session.slots[:3], {absent: 'absent'})
            alert, = self.alerts()
            owner, = company.employees[:1]
            alert.owner, first_seen = owner, alert.first_seen
            alert.save()
            Slot.open([session.slots[0]], reason="Mistake")
            self.fill(session.slots[:1], {absent: 'present'})
            alert, = self.alerts()
            self.assertEqual(list(alert.slots), list(session.slots[1:3]))
            self.assertIn("2 absences in a row", alert.facts)
            Slot.open(list(session.slots[2:3]), reason="Mistake")
            self.fill(session.slots[2:3], {absent: 'present'})
            alert, = self.alerts()
            self.assertEqual(alert.state, 'dismissed')
            self.assertTrue(alert.withdrawn)
            self.assertTrue(alert.closed_at)
            self.assertEqual(
                alert.dismiss_reason, "The facts do not hold any more.")
            # What nobody dismissed is open again, and as old
            Slot.open(list(session.slots[2:3]), reason="Mistake")
            with today(DATE + 4 * DAY):
                self.fill(session.slots[2:3], {absent: 'absent'})
            same, = self.alerts()
            self.assertEqual(same, alert)
            self.assertEqual(same.state, 'open')
            self.assertFalse(same.withdrawn)
            self.assertFalse(same.dismiss_reason)
            self.assertFalse(same.closed_at)
            self.assertEqual(same.owner, owner)
            self.assertEqual(same.first_seen, first_seen)
            with today(DATE + 4 * DAY):
                self.assertEqual(same.age, 3)

    @with_transaction()
    def test_updated(self):
        "Test that an alert tells what is true of the same slots"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            rule = self.rule(
                'absence_rate', 0.1, min_slots=1, level='watch')
            absent, = create_enrolments(session)
            self.fill(session.slots[:1], {absent: 'absent'})
            alert, = self.alerts()
            self.assertIn("100.0 %", alert.facts)
            self.fill(session.slots[1:2], {absent: 'present'})
            alert, = self.alerts()
            self.assertNotIn("100.0 %", alert.facts)
            self.assertEqual(alert.level, 'watch')
            Rule.write([rule], {'level': 'alert'})
            self.detect()
            alert, = self.alerts()
            self.assertEqual(alert.level, 'alert')

    @with_transaction()
    def test_news(self):
        "Test which mails and answers are those of the trainee"
        pool = Pool()
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        with set_up() as (company, session, prescriber):
            self.rule('no_answer', 2)
            silent, = create_enrolments(session, prescriber=prescriber)
            party = silent.trainee.party
            start = dt.datetime.combine(DATE, dt.time(8))

            def write(hours, **values):
                mail, = Mail.create([{
                            'company': company.id,
                            'enrolment': silent.id,
                            'kind': 'attendance',
                            'party': party.id,
                            'to': 'trainee@example.com',
                            'subject': "Absence",
                            'state': 'sent',
                            'sent_at': start + dt.timedelta(hours=hours),
                            **values,
                            }])
                return mail

            def answer(mail, party, hours):
                reply, = Reply.create([{
                            'company': company.id,
                            'mail': mail.id,
                            'party': party.id,
                            'received_at': start + dt.timedelta(hours=hours),
                            'message_id': f'<{hours}@example.com>',
                            'kind': 'answer',
                            'counted': True,
                            }])
                Reply.on_count([reply])

            mail = write(0)
            write(1, bounced_at=start + dt.timedelta(hours=2))
            self.detect()
            self.assertFalse(self.alerts())
            write(3)
            answer(mail, prescriber, 4)
            self.detect()
            alert, = self.alerts()
            self.assertEqual(alert.state, 'open')
            answer(mail, party, 5)
            self.detect()
            alert, = self.alerts()
            self.assertTrue(alert.withdrawn)

    @with_transaction()
    def test_excused(self):
        "Test that an absence that is justified withdraws the alert"
        pool = Pool()
        Justification = pool.get('training.justification')
        with set_up() as (company, session, _):
            self.rule()
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            justification, = Justification.create([{
                        'company': company.id,
                        'enrolment': absent.id,
                        'start_date': DATE,
                        'end_date': DATE,
                        }])
            Justification.accept([justification])
            self.detect()
            alert, = self.alerts()
            self.assertTrue(alert.withdrawn)

    @with_transaction()
    def test_dismiss(self):
        "Test that what is dismissed is raised again for other facts only"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            rule = self.rule()
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            alert, = self.alerts()
            with self.assertRaises(AlertError):
                run_wizard('training.alert.dismiss', [alert], reason=" ")
            run_wizard('training.alert.dismiss', [alert], reason="Told us")
            self.assertEqual(alert.state, 'dismissed')
            self.assertEqual(alert.dismiss_reason, "Told us")
            self.assertEqual(alert.closed_by.id, Transaction().user)
            self.assertFalse(alert.withdrawn)
            self.assertEqual(absent.risk_level, 'none')
            self.detect()
            Rule.detect([rule])
            self.assertEqual(self.alerts(), [alert])
            with self.assertRaises(AlertError):
                alert.handle([alert])
            self.fill(session.slots[2:3], {absent: 'absent'})
            _, again = self.alerts()
            self.assertEqual(again.state, 'open')

    @with_transaction()
    def test_opened_sheet(self):
        "Test that the alert comes back when the sheet was open meanwhile"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            self.rule()
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            alert, = self.alerts()
            Slot.open([session.slots[1]], reason="Mistake")
            self.detect()
            self.assertTrue(alert.withdrawn)
            Slot.close([session.slots[1]])
            same, = self.alerts()
            self.assertEqual(same, alert)
            self.assertEqual(same.state, 'open')

    @with_transaction()
    def test_other_facts(self):
        "Test that other facts than those withdrawn are another alert"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            self.rule(threshold=1)
            absent, = create_enrolments(session)
            self.fill(session.slots[:1], {absent: 'absent'})
            Slot.open([session.slots[0]], reason="Mistake")
            self.fill(session.slots[:1], {absent: 'present'})
            self.fill(session.slots[1:2], {absent: 'absent'})
            self.assertEqual(
                [a.state for a in self.alerts()], ['dismissed', 'open'])

    @with_transaction()
    def test_reopen(self):
        "Test that what was handled or dismissed by mistake is open again"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            self.rule()
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            alert, = self.alerts()
            with self.assertRaises(AlertError):
                alert.reopen([alert])
            user = create_user('colleague', company, 'training')
            reader = create_user('reader', company, 'training_reading')
            with as_user(user):
                alert.handle([type(alert)(alert.id)])
            with as_user(reader), self.assertRaises(AccessButtonError):
                alert.reopen([type(alert)(alert.id)])
            with as_user(user):
                alert.reopen([type(alert)(alert.id)])
            alert, = self.alerts()
            self.assertEqual(alert.state, 'open')
            self.assertFalse(alert.closed_at or alert.closed_by)
            self.assertEqual(
                alert.reopenings,
                "Handled on 03/03/2026 by Colleague, opened again on "
                "03/03/2026 by Colleague")
            alert.dismiss_for([alert], "Known")
            alert.reopen([alert])
            self.assertEqual(len(alert.reopenings.splitlines()), 2)
            self.assertEqual(alert.dismiss_reason, "Known")
            # It is looked at as the others
            self.fill(session.slots[2:3], {absent: 'present'})
            alert, = self.alerts()
            self.assertTrue(alert.withdrawn)
            with self.assertRaises(AlertError):
                alert.reopen([alert])
            self.assertFalse(Case.search([]))

    @with_transaction()
    def test_reopen_case(self):
        "Test that what a case sees to is not open again"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            self.rule()
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            alert, = self.alerts()
            alert.open_case([alert])
            alert, = self.alerts()
            with self.assertRaises(AlertError):
                alert.reopen([alert])
            Case.cancel([alert.case])
            alert, = self.alerts()
            alert.reopen([alert])
            self.detect()
            alert, = self.alerts()
            self.assertEqual(alert.state, 'open')
            self.assertFalse(alert.case)
            self.assertEqual(Case.search([], count=True), 1)

    @with_transaction()
    def test_return_moved(self):
        "Test that a day of return that is moved withdraws the alert"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            self.rule('late_return', 1)
            away, = create_enrolments(session)
            case = get_to_decision(away)
            decide(
                case, ground='postponed', effective_date=DATE,
                return_date=DATE + 2 * DAY)
            with today(DATE + 3 * DAY):
                self.detect()
                alert, = self.alerts()
                self.assertEqual(alert.since, DATE + 2 * DAY)
                Case.complete_decisions(
                    [case], return_date=DATE + 9 * DAY)
                self.detect()
                alert, = self.alerts()
                self.assertTrue(alert.withdrawn)
            with today(DATE + 10 * DAY):
                self.detect()
                again, = self.alerts(('state', '=', 'open'))
                self.assertEqual(again.since, DATE + 9 * DAY)

    @with_transaction()
    def test_caught_up(self):
        "Test that who catches up is seen on that day"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            absent, = create_enrolments(session)
            other = create_session(company, start=DATE + 4 * DAY)
            rule = self.rule()
            news = Rule.create([{
                        'name': "News", 'criterion': 'no_news',
                        'threshold': 3}])
            with today(DATE + DAY):
                self.fill(session.slots[:1], {absent: 'present'})
                self.fill(session.slots[1:], {absent: 'absent'})
            with today(DATE + 4 * DAY):
                self.detect()
                self.assertEqual(
                    {a.rule for a in self.alerts()}, {rule, *news})
                line, = Attendance.search([
                        ('enrolment', '=', absent.id),
                        ('slot', '=', session.slots[1].id)])
                guest = other.slots[0]
                run_wizard(
                    'training.attendance.catch_up', [guest],
                    missed=[line.id])
                self.fill([guest], {absent: 'present'})
                self.detect()
                # The absences of the former days come before
                self.assertEqual(absent.consecutive_absences, 2)
                self.assertEqual(
                    {a.withdrawn for a in self.alerts()}, {True})
                type(guest).open([guest], reason="Mistake")
                self.fill([guest], {absent: 'absent'})
                self.detect()
                alert, = self.alerts(
                    ('rule', '=', rule.id), ('state', '=', 'open'))
                self.assertIn("3 absences in a row", alert.facts)
                self.assertIn("Friday\xa003/06/2026", alert.facts)

    @with_transaction()
    def test_local_day(self):
        "Test that the days are those of the company"
        with set_up() as (company, session, _):
            company.timezone = 'Pacific/Auckland'
            company.save()
            tools.forget_read()
            self.assertEqual(
                session.slots[0].start_at.date(), DATE - DAY)
            absent, = create_enrolments(session)
            rule = self.rule('no_news', 1)
            with today(DATE + DAY):
                self.fill(session.slots[:1], {absent: 'present'})
                self.fill(session.slots[1:], {absent: 'absent'})
            with today(DATE + 2 * DAY):
                type(rule).detect([rule])
            alert, = self.alerts()
            # It is still the former day in UTC
            self.assertEqual(alert.since, DATE)

    @with_transaction()
    def test_many(self):
        "Test that as many enrolments as are looked at once go in a query"
        of = of_ids(range(10**6, 10**6 + SLICE))
        cursor = Transaction().connection.cursor()
        with set_up() as (company, session, _):
            for name in CRITERIA:
                rule = self.rule(name, 1)
                criterion = rule.criterion_of(company)
                for stored in [True, False]:
                    self.assertEqual(
                        likely_ids([criterion], of, stored), [[]])
                # As if the rule was about all of them
                cursor.execute(*criterion.query(of))
                self.assertFalse(cursor.fetchall())

    @with_transaction()
    def test_busy(self):
        "Test that what another transaction has is left for the next time"
        with set_up() as (company, session, _):
            self.rule()
            absent, = create_enrolments(session)
            with patch.object(type(absent), 'risk_seen'):
                self.fill(session.slots[:2], {absent: 'absent'})
            alert, = self.alerts()
            type(alert).delete([alert])
            for free, count in [([], 0), (None, 1)]:
                with patch.object(
                        tools, 'lock_free', wraps=tools.lock_free) as lock:
                    if free is not None:
                        lock.side_effect = lambda Model, ids: free
                    self.detect()
                self.assertEqual(len(self.alerts()), count)

    @with_transaction()
    def test_due(self):
        "Test whom the rules are still to look at, and what an update keeps"
        pool = Pool()
        Due = pool.get('training.risk.due')
        Enrolment = pool.get('training.enrolment')
        enrolment = Enrolment.__table__()
        cursor = Transaction().connection.cursor()
        with set_up() as (company, session, _):
            absent, other = create_enrolments(session, 2)
            self.detect()
            self.assertEqual(Enrolment.risk_due_ids(company), [])
            self.fill(session.slots[:1], {absent: 'absent'})
            self.assertIn(absent.id, Enrolment.risk_due_ids(company))
            self.detect()
            self.assertFalse(Due.search([]))

            enrolment_h = Enrolment.__table_handler__('training_abandon')
            enrolment_h.add_column('risk_due', 'BOOL')
            cursor.execute(*enrolment.update(
                    [enrolment.risk_due], [True],
                    where=enrolment.id == other.id))
            for _ in range(2):
                Due.__register__('training_abandon')
                self.assertEqual(Enrolment.risk_due_ids(company), [other.id])
            enrolment_h = Enrolment.__table_handler__('training_abandon')
            self.assertFalse(enrolment_h.column_exist('risk_due'))

    @with_transaction()
    def test_origin(self):
        "Test the origin of the cases that the alerts open"
        pool = Pool()
        Alert = pool.get('training.alert')
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            absent, silent, both, worry = create_enrolments(session, 4)
            self.rule(opens='open')
            answer, = Rule.create([{
                        'name': "Answer", 'criterion': 'no_answer',
                        'threshold': 1, 'opens': 'open'}])
            for enrolment in [silent, both]:
                pool.get('training.follow_up').create([{
                            'company': company.id,
                            'enrolment': enrolment.id,
                            'party': enrolment.trainee.party.id,
                            'done_at': tools.now(),
                            'outcome': 'no_answer',
                            }])
            self.fill(session.slots[:2], {
                    absent: 'absent', both: 'absent', silent: 'present',
                    worry: 'present'})
            self.detect()
            concern, = Alert.raise_concern([worry], 'motivation', "Word")
            Alert.open_case([concern])
            self.assertEqual({
                    e: e.cases[0].origin
                    for e in [absent, silent, both, worry]}, {
                    absent: 'absence', silent: 'other', both: 'absence',
                    worry: 'other'})

    @with_transaction()
    def test_case(self):
        "Test that a case handles the alerts and has no other one raised"
        pool = Pool()
        with set_up() as (company, session, _):
            self.rule()
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            alert, = self.alerts()
            alert.open_case([alert])
            alert, = self.alerts()
            self.assertEqual(alert.state, 'handled')
            self.assertEqual(alert.case, absent.current_case)
            self.assertEqual(list(alert.case.alerts), [alert])
            self.assertEqual(alert.case.origin, 'absence')
            event, = pool.get('training.abandon.case.event').search([
                    ('case', '=', alert.case.id),
                    ('kind', '=', 'alert'),
                    ])
            self.assertEqual(event.origin, alert)
            self.assertEqual(event.summary, f'Alert – {alert.facts}')
            with self.assertRaises(AlertError):
                alert.open_case([alert])
            self.fill(session.slots[2:3], {absent: 'absent'})
            self.detect()
            self.assertEqual(self.alerts(), [alert])

    @with_transaction()
    def test_follow_up(self):
        "Test that to hear somebody handles the alerts"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, prescriber):
            self.rule()
            absent, = create_enrolments(session, prescriber=prescriber)
            self.fill(session.slots[:2], {absent: 'absent'})
            now, party = tools.now(), absent.trainee.party
            for party, at, outcome, state in [
                    (party, now, 'no_answer', 'open'),
                    # What another one says, or was said before
                    (prescriber, now, 'reached', 'open'),
                    (party, now - 30 * DAY, 'reached', 'open'),
                    (party, now, 'reached', 'handled')]:
                follow_up, = FollowUp.create([{
                            'company': company.id,
                            'enrolment': absent.id,
                            'party': party.id,
                            'done_at': at,
                            'outcome': outcome,
                            }])
                alert, = self.alerts()
                self.assertEqual(alert.state, state)
            self.assertEqual(alert.follow_up, follow_up)

    @with_transaction()
    def test_close_by(self):
        "Test that the caller tells the time from which alerts are handled"
        pool = Pool()
        Alert = pool.get('training.alert')
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            self.rule()
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            before, = FollowUp.create([{
                        'company': company.id,
                        'enrolment': absent.id,
                        'party': absent.trainee.party.id,
                        'done_at': tools.now() - 30 * DAY,
                        'outcome': 'reached',
                        }])
            table = FollowUp.__table__()
            for at, state in [(table.done_at, 'open'), (None, 'handled')]:
                Alert.close_by(table, 'follow_up', [before], at)
                alert, = self.alerts()
                self.assertEqual(alert.state, state)

    @with_transaction()
    def test_absence_first(self):
        "Test that the absences are the origin, whatever the order"
        pool = Pool()
        Alert = pool.get('training.alert')
        Case = pool.get('training.abandon.case')
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            rules = [self.rule(opens='open'), *Rule.create([{
                            'name': "Silence",
                            'criterion': 'no_answer',
                            'threshold': 1,
                            'opens': 'open',
                            }])]
            self.assertEqual(
                [r.case_origin == 'absence' for r in rules], [True, False])
            for rules in [rules, rules[::-1]]:
                enrolment, = create_enrolments(session)
                now = tools.now()
                alerts = Alert.create([{
                            'company': company.id,
                            'enrolment': enrolment.id,
                            'rule': rule.id,
                            'level': 'alert',
                            'state': 'open',
                            'first_seen': now,
                            } for rule in rules])
                for open_ in [
                        lambda: Alert.open_due(rules, [company]),
                        lambda: Alert.open_case(Alert.browse(alerts))]:
                    with savepoint():
                        open_()
                        case, = Case.search(
                            [('enrolment', '=', enrolment.id)])
                        self.assertEqual(case.origin, 'absence')
        self.assertEqual(
            by_origin([
                    (1, 2, 'other'), (1, 2, 'absence'), (1, 2, 'other'),
                    (1, 3, 'other'), (4, 5, 'absence')]),
            {(1, 'absence'): [2], (1, 'other'): [3], (4, 'absence'): [5]})

    @with_transaction()
    def test_guardian(self):
        "Test that who was heard for a trainee tells of one under age only"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            self.rule()
            of_age, minor = absent = create_enrolments(session, 2)
            guardian = create_party("Guardian")
            for enrolment, age in [(of_age, 18), (minor, 17)]:
                trainee = enrolment.trainee
                trainee.birth_date = DATE.replace(year=DATE.year - age)
                trainee.save()
                add_contact(enrolment, guardian)
            self.fill(session.slots[:2], dict.fromkeys(absent, 'absent'))
            FollowUp.create([{
                        'company': company.id,
                        'enrolment': e.id,
                        'party': guardian.id,
                        'done_at': tools.now(),
                        'outcome': 'reached',
                        } for e in absent])
            self.assertEqual(
                {a.enrolment: a.state for a in self.alerts()},
                {of_age: 'open', minor: 'handled'})
            heard = heard_query(of_ids([e.id for e in absent]))
            cursor = Transaction().connection.cursor()
            cursor.execute(*heard.select(heard.enrolment))
            self.assertEqual(cursor.fetchall(), [(minor.id,)])

    @with_transaction()
    def test_opens(self):
        "Test the rule that opens the cases, with as many statements"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Procedure = pool.get('training.abandon.procedure')
        with set_up() as (company, session, _):
            self.rule(opens='open')
            enrolments = create_enrolments(session, 20)
            self.fill(
                session.slots[:2], dict.fromkeys(enrolments, 'absent'))
            self.assertEqual(len(self.alerts(('state', '=', 'open'))), 20)
            active, = Procedure.search([('state', '=', 'active')])
            with savepoint():
                Procedure.archive([active])
                self.detect()
                self.assertFalse(Case.search([]))
                self.assertEqual(
                    len(self.alerts(('state', '=', 'open'))), 20)
            refused = create_session(company)
            late, = create_enrolments(refused)
            self.fill(refused.slots[:2], {late: 'absent'})
            with savepoint(), patch.object(
                    Case, '_session_procedure',
                    side_effect=self.refuse(refused)):
                self.detect()
                self.assertEqual(
                    {c.enrolment for c in Case.search([])}, set(enrolments))
                self.assertEqual(
                    [a.enrolment for a in self.alerts(
                            ('state', '=', 'open'))], [late])
            self.detect()
            enrolments.append(late)
            self.assertEqual(
                {c.enrolment for c in Case.search([])}, set(enrolments))
            self.assertEqual({
                    (a.state, a.case and a.case.enrolment == a.enrolment)
                    for a in self.alerts()}, {('handled', True)})
            self.detect()
            self.assertEqual(Case.search([], count=True), 21)

    def refuse(self, refused):
        "Return the procedures of the sessions, of which one has none"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        get_procedure = Case._session_procedure

        def _session_procedure(session):
            if session == refused:
                raise CaseOpenError("Refused")
            return get_procedure(session)
        return _session_procedure

    @with_transaction()
    def test_ended(self):
        "Test that the alert of who leaves is withdrawn"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            self.rule()
            left, stays = create_enrolments(session, 2)
            self.fill(session.slots[:2], {left: 'absent', stays: 'absent'})
            Enrolment.write([left], {'state': 'withdrawn'})
            self.detect()
            self.assertEqual({
                    (a.enrolment, a.withdrawn or False)
                    for a in self.alerts()}, {(left, True), (stays, False)})
            Session.write([session], {'state': 'done'})
            self.detect()
            self.assertFalse(self.alerts(('state', '=', 'open')))

    @with_transaction()
    def test_rule_ends(self):
        "Test that the alerts end with the rule"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            rule = self.rule(start_date=DATE, end_date=DATE + 2 * DAY)
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            self.detect()
            self.assertEqual([a.state for a in self.alerts()], ['open'])
            with today(DATE + 3 * DAY):
                with self.assertRaises(RiskRuleError):
                    Rule.detect([rule])
                self.detect()
            alert, = self.alerts()
            self.assertTrue(alert.withdrawn)
            self.assertEqual(
                alert.dismiss_reason, "The rule does not hold any more.")

    @with_transaction()
    def test_new_rule(self):
        "Test that a rule looks at what was before it"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            archive_rules()
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            self.detect()
            rule = self.rule(threshold=3)
            self.detect()
            self.assertTrue(rule.detected)
            self.assertFalse(self.alerts())
            Rule.write([rule], {'threshold': 2})
            self.assertFalse(rule.detected)
            self.detect()
            alert, = self.alerts()
            self.assertEqual(alert.enrolment, absent)

    @with_transaction()
    def test_scope(self):
        "Test whom a rule is about"
        pool = Pool()
        Funding = pool.get('training.enrolment.funding')
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, prescriber):
            other = create_session(company)
            first, second = create_enrolments(session, 2)
            third, = create_enrolments(other)
            trainee = third.trainee
            trainee.kind = 'apprentice'
            trainee.save()
            type(third).write([third], {'agreement_kind': 'cpf'})
            Funding.create([{
                        'enrolment': second.id,
                        'funder': prescriber.id,
                        'amount': 1,
                        }])
            archive_rules()
            for s in [session, other]:
                self.fill(s.slots[:2], {e: 'absent' for e in s.enrolments})
            for scope, expected in [
                    ({}, {first, second, third}),
                    ({'course': session.course.id}, {first, second}),
                    ({'trainee_kind': 'apprentice'}, {third}),
                    ({'agreement_kind': 'cpf'}, {third}),
                    ({'funder': prescriber.id}, {second}),
                    ({'company': company.id}, {first, second, third})]:
                with self.subTest(scope=scope), savepoint():
                    rule = self.rule(**scope)
                    Rule.detect([rule])
                    self.assertEqual(
                        {a.enrolment for a in self.alerts()}, expected)

    @with_transaction()
    def test_statements(self):
        "Test that many trainees cost as many statements as a few"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            archive_rules()
            rules = Rule.search([('active', 'in', [True, False])])
            counts = []
            for count in [10, 150]:
                with savepoint():
                    enrolments = create_enrolments(session, count)
                    self.fill(
                        session.slots[:3],
                        dict.fromkeys(enrolments, 'absent'))
                    Rule.write(rules, {'active': True})
                    with count_statements() as statements:
                        self.detect()
                    self.assertGreaterEqual(len(self.alerts()), count)
                    counts.append(len([
                                s for s in statements
                                # SQLite inserts the rows one by one
                                if not s.startswith('INSERT')]))
            self.assertLessEqual(counts[1], counts[0] + 5)

    @with_transaction()
    def test_access(self):
        "Test who may do what with the alerts and the rules"
        with set_up() as (company, session, _):
            rule = self.rule()
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            alert, = self.alerts()
            user = create_user('trainer', company, 'training')
            reader = create_user('reader', company, 'training_reading')
            with as_user(user):
                alert = type(alert)(alert.id)
                for record, values in [
                        (alert, {'state': 'handled'}),
                        (alert, {'facts': "Nothing"}),
                        (rule, {'threshold': 5})]:
                    with self.assertRaises(AccessError):
                        record.write([type(record)(record.id)], values)
                with self.assertRaises(AccessButtonError):
                    rule.detect([type(rule)(rule.id)])
                alert.write([alert], {'owner': company.employees[0].id})
                alert.handle([alert])
            with as_user(reader), self.assertRaises(AccessButtonError):
                type(alert).handle([type(alert)(alert.id)])
            alert, = self.alerts()
            self.assertEqual(alert.state, 'handled')
            self.assertEqual(alert.closed_by, user)


class RuleTestCase(RiskTestCase):
    "Test the rules"

    @with_transaction()
    def test_definition(self):
        "Test the rules that have no meaning"
        with set_up():
            for criterion, threshold, values in [
                    ('consecutive_absences', 0, {}),
                    ('consecutive_absences', -1, {}),
                    ('consecutive_absences', 1.5, {}),
                    ('absence_rate', 0, {}),
                    ('absence_rate', 1.1, {}),
                    ('absence_rate', 25, {}),
                    ('unreachable', 80, {}),
                    ('no_news', 0, {}),
                    ('late_count', 3, {'window': 0}),
                    ('late_count', 3, {'window': 2}),
                    ('absence_rate', .1, {'window': 3, 'min_slots': 4}),
                    ('late_count', 3, {
                            'start_date': DATE, 'end_date': DATE - DAY}),
                    ]:
                with self.subTest(
                        criterion=criterion, threshold=threshold, **values):
                    with savepoint(), self.assertRaises(RiskRuleError):
                        self.rule(criterion, threshold, **values)
            self.rule('absence_rate', 1)
            self.rule('late_count', 3, window=3)

    @with_transaction()
    def test_least(self):
        "Test the rules of which only what they count is given"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            archive_rules()
            absent, present = create_enrolments(session, 2)
            self.fill(session.slots[:2], {
                    absent: 'absent', present: 'present'})
            with as_user(create_user('manager', company, 'training_admin')):
                rate, row, lates = Rule.create([
                        {
                            'window': 2, 'level': 'alert', 'threshold': .3,
                            'criterion': 'absence_rate',
                            },
                        {
                            'name': "", 'criterion': 'consecutive_absences',
                            'threshold': 2, 'window': 5,
                            },
                        {'criterion': 'late_count', 'threshold': 1,
                            'window': 4},
                        ])
                Rule.write([lates], {'criterion': 'no_news'})
                Rule.write([row], {'window': 0})
                Rule.detect([rate, row])
            self.assertEqual(
                [(r.name, r.window) for r in Rule.browse([rate, row, lates])],
                [
                    ("Absence Rate - 30 %", 2),
                    ("Consecutive Absences - 2", None),
                    ("Times Late - 1", None)])
            self.assertEqual(
                [(a.enrolment, a.rule) for a in self.alerts()],
                [(absent, rate), (absent, row)])
            # The name is proposed once, in whatever order
            rule = Rule(threshold=.125)
            rule.on_change_threshold()
            rule.criterion = 'absence_rate'
            rule.on_change_criterion()
            rule.threshold = 2
            rule.on_change_threshold()
            self.assertEqual(rule.name, "Absence Rate - 12.5 %")

    @with_transaction()
    def test_shipped(self):
        "Test the rules of the module"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        rules = Rule.search([('active', 'in', [True, False])])
        self.assertEqual(len({r.criterion for r in rules}), 9)
        self.assertEqual(len([r for r in rules if r.active]), 7)

    @with_transaction()
    def test_everybody(self):
        "Test the warning before a rule that flags everybody"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            archive_rules()
            enrolments = create_enrolments(session, 6)
            self.fill(session.slots[:2], {
                    e: 'absent' if i else 'present'
                    for i, e in enumerate(enrolments)})
            with Transaction().set_context(_skip_warnings=False):
                with self.assertRaises(RiskRuleWarning) as raised:
                    self.rule()
                self.assertIn(
                    "would flag 5 of the 6 trainees", raised.exception.message)
                rule = self.rule(active=False)
                with self.assertRaises(RiskRuleWarning):
                    Rule.write([rule], {'active': True})
                self.rule(threshold=3)

    @with_transaction()
    def test_window_course(self):
        "Test the warning of a window longer than the courses"
        with set_up() as (company, session, _):
            with Transaction().set_context(_skip_warnings=False):
                with self.assertRaises(RiskRuleWarning):
                    self.rule('late_count', 3, window=5)
                self.rule('late_count', 3, window=4)

    @with_transaction()
    def test_twice(self):
        "Test the warning of two rules for one fact"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            rule = self.rule(end_date=DATE)
            values = {
                'name': "Again",
                'criterion': rule.criterion,
                'threshold': rule.threshold,
                }
            with Transaction().set_context(_skip_warnings=False):
                with self.assertRaises(RiskRuleWarning) as raised, \
                        savepoint():
                    Rule.create([{**values, 'company': company.id}])
                self.assertIn(
                    'the same as "Rule"', raised.exception.message)
                for others in [
                        {'threshold': 3}, {'course': session.course.id},
                        {'start_date': DATE + DAY}, {'active': False}]:
                    with self.subTest(**others), savepoint():
                        Rule.create([{**values, **others}])

    @with_transaction()
    def test_two_rules(self):
        "Test that two rules for one fact have each their own alert"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            rule = self.rule()
            again, = Rule.create([{
                        'name': "Again", 'criterion': rule.criterion,
                        'threshold': 3, 'level': 'watch',
                        }])
            absent, = create_enrolments(session)
            self.fill(session.slots[:2], {absent: 'absent'})
            self.assertEqual([a.rule for a in self.alerts()], [rule])
            self.fill(session.slots[2:3], {absent: 'absent'})
            self.detect()
            self.assertEqual([a.rule for a in self.alerts()], [rule, again])
            Rule.write([rule], {'active': False})
            self.detect()
            self.assertEqual(
                [a.state for a in self.alerts()], ['dismissed', 'open'])

    @with_transaction()
    def test_without_sheet(self):
        "Test a course of which no slot is held"
        pool = Pool()
        Preview = pool.get('training.risk.preview')
        with set_up() as (company, session, _):
            create_enrolments(session, 6)
            for name in CRITERIA:
                rule = self.rule(name, 1, course=session.course.id)
                with self.subTest(criterion=name):
                    type(rule).detect([rule])
                    self.assertFalse(self.alerts())
                    type(rule).preview([rule])
                    self.assertEqual({
                            (r.today, r.flagged, r.abandoned, r.precision)
                            for r in Preview.search([
                                    ('rule', '=', rule.id)])},
                        {(0, 0, 0, None)})

    @with_transaction()
    def test_companies(self):
        "Test the rules of two companies"
        pool = Pool()
        Company = pool.get('company.company')
        with set_up() as (company, session, prescriber):
            other, = Company.create([{
                        'party': prescriber.id,
                        'currency': company.currency.id,
                        }])
            absent, = create_enrolments(session)
            self.rule(company=other.id)
            self.fill(session.slots[:2], {absent: 'absent'})
            self.detect()
            self.assertFalse(self.alerts())
            rule = self.rule(company=company.id)
            self.detect()
            alert, = self.alerts()
            self.assertEqual(alert.rule, rule)


class ConcernTestCase(RiskTestCase):
    "Test the concerns that people raise"

    @with_transaction()
    def test_raise(self):
        "Test a concern about an enrolment, and what became of it"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            user = create_user('colleague', company, 'training')
            with Transaction().set_user(user.id):
                for values in [
                        {'word': " "}, {'word': "Word", 'enrolments': []}]:
                    with self.assertRaises(AlertError):
                        run_wizard(
                            'training.alert.raise', [enrolment],
                            kind='motivation', **values)
                run_wizard(
                    'training.alert.raise', [enrolment], kind='motivation',
                    word="Does not speak any more")
            alert, = self.alerts()
            self.assertEqual(alert.raised_by, user)
            self.assertEqual(alert.level, 'watch')
            self.assertEqual(
                alert.what, "Motivation – Does not speak any more")
            self.assertEqual(enrolment.risk_level, 'watch')
            alert.handle([alert])
            with as_user(user):
                seen = type(alert)(alert.id)
                self.assertEqual(seen.state, 'handled')
                self.assertTrue(seen.closed_at)
                self.assertTrue(seen.closed_by)

    @with_transaction()
    def test_private(self):
        "Test that the words are read by who said them and by few"
        pool = Pool()
        Alert = pool.get('training.alert')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            colleague = create_user('colleague', company, 'training')
            with Transaction().set_user(colleague.id):
                alert, = Alert.raise_concern(
                    [enrolment], 'other', "Divorce")
            others = [
                create_user('assistant', company, 'training'),
                create_user('accountant', company, 'accounting')]
            readers = [
                colleague,
                create_user('head', company, 'training', 'sensitive_reason')]
            for users, told in [
                    (others, "Other"), (readers, "Other – Divorce")]:
                for user in users:
                    tools.forget_read()
                    with as_user(user):
                        row, = Alert.read([alert.id], ['what'])
                        trainee, = Trainee.read(
                            [enrolment.trainee.id], ['risk_facts'])
                    with self.subTest(user=user.login):
                        self.assertEqual(row['what'], told)
                        self.assertEqual(trainee['risk_facts'], told)
            with as_user(others[0]):
                for domain in [
                        [('word', 'ilike', "%divorce%")],
                        [('dismiss_reason', '=', None)]]:
                    with self.assertRaises(AccessError):
                        Alert.search(domain)
                with self.assertRaises(AccessError):
                    Alert.read([alert.id], ['word'])

    @with_transaction()
    def test_class(self):
        "Test a concern about several lines of a sheet"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            first, second, third = create_enrolments(session, 3)
            slot = session.slots[0]
            Slot.open([slot])
            run_wizard(
                'training.alert.raise',
                [a for a in slot.attendances if a.enrolment != third],
                kind='relations', word="Quarrel")
            self.assertEqual(
                {a.enrolment for a in self.alerts()}, {first, second})
            run_wizard(
                'training.alert.raise', [session], kind='difficulty',
                word="Lost", enrolments=[third.id])
            self.assertEqual(
                [a.enrolment for a in self.alerts(
                        ('kind', '=', 'difficulty'))], [third])
            run_wizard(
                'training.alert.raise', [third.trainee], kind='other',
                word="Word")
            self.assertEqual(len(self.alerts()), 4)

    @with_transaction()
    def test_task(self):
        "Test that the home shows once who has several alerts"
        pool = Pool()
        Alert = pool.get('training.alert')
        Task = pool.get('training.task')
        with set_up() as (company, session, _):
            self.rule()
            absent, other = create_enrolments(session, 2)
            Alert.raise_concern([absent, other], 'other', "Word")
            self.fill(session.slots[:2], {absent: 'absent'})
            first, second = Task.search([('kind', '=', 'alert')])
            self.assertEqual(first.trainee, absent.trainee)
            self.assertRegex(
                first.what, r"2 absences in a row.* – 1 other alert$")
            self.assertEqual(first.priority, 2)
            self.assertEqual(second.what, "Other")
            self.assertEqual(second.since, tools.now().date())
            self.assertEqual(
                first.handle([first])['res_model'], 'training.alert')
            trainee = absent.trainee
            self.assertEqual(trainee.risk_level, 'alert')
            self.assertEqual(len(trainee.risk_facts.splitlines()), 2)
            self.assertEqual(trainee.risk_since, tools.now().date())
            for level, expected in [
                    ('alert', {trainee}), ('watch', {other.trainee}),
                    ('none', set())]:
                self.assertEqual(set(type(trainee).search([
                                ('risk_level', '=', level)])), expected)
                self.assertEqual({e.trainee for e in type(absent).search([
                                ('risk_level', '=', level)])}, expected)
            self.fill(session.slots[2:3], {absent: 'absent'})
            self.assertFalse(Task.search([('kind', '=', 'absentee')]))
            for alert in self.alerts(('enrolment', '=', absent.id)):
                Alert.dismiss_for([alert], "Known")
            self.assertFalse(Task.search([('kind', '=', 'absentee')]))

    @with_transaction()
    def test_cap(self):
        "Test that the home tells who has too many alerts, and since when"
        pool = Pool()
        Alert = pool.get('training.alert')
        Configuration = pool.get('training.configuration')
        Task = pool.get('training.task')
        with set_up() as (company, session, _):
            employee, = company.employees[:1]
            enrolments = create_enrolments(session, 3)
            Alert.write(
                Alert.raise_concern(enrolments, 'other', "Word"),
                {'owner': employee.id})
            owned = [('kind', '=', 'alert'), ('trainee', '=', None)]
            self.assertFalse(Task.search(owned))
            configuration = Configuration(1)
            configuration.alert_cap = 2
            configuration.save()
            with today(DATE + 5 * DAY):
                task, = Task.search(owned)
                self.assertEqual(task.owner, employee)
                self.assertEqual(task.since, DATE + DAY)
                self.assertIn("Has 3 open alerts", task.what)
                self.assertEqual(
                    task.handle([task])['res_model'], 'training.alert')
                self.assertEqual({a.age for a in self.alerts()}, {4})
                Alert.write(self.alerts(), {'owner': None})
                task, = Task.search(owned)
                self.assertFalse(task.owner)
                self.assertEqual(task.company, company)
                self.assertEqual(task.since, DATE + DAY)
                self.assertIn("Nobody answers for 3", task.what)
                self.assertEqual(
                    task.handle([task])['res_model'], 'training.alert')


class ComplaintTestCase(RiskTestCase):
    """Test what the users of other systems complain of

    Of what they complain of, the others are tested where it is done:

    - parents and tutors that are not told: test_notice_notice.test_close,
      test_case_wizard_mail.test_guardians;
    - nobody to escalate to: test_deadline_escalation;
    - sheets of one session, or without email, imported:
      test_import_training.test_attendance and test_attendance_email;
    - imported sheets that appear as taken: test_attendance_close;
    - hours that move with the clock: test_training_slot.test_clock_change;
    - reminders to who was cancelled or has answered:
      test_deadline_reminder.test_remind_cancelled and test_remind_answered,
      test_measure_follow_up.test_answer;
    - a copy that sends: test_mail_delivery.test_held;
    - a reply that opens again what is closed:
      test_mail_reply.test_closed_case;
    - reasons refused for several cases, or lost:
      test_case_wizard.test_analyse_several, test_case_undo.test_undo;
    - what is deleted in the place of being ended:
      test_case_case.test_delete_and_copy_case;
    - erasures that fail: test_training_party.test_erase_everywhere."""

    @with_transaction()
    def test_present(self):
        "Nobody who is present again is warned of, even a year later"
        with set_up() as (company, session, _):
            self.rule()
            back, = create_enrolments(session)
            self.fill(session.slots[:2], {back: 'absent'})
            self.fill(session.slots[2:3], {back: 'present'})
            with today(DATE + 365 * DAY):
                self.detect()
            alert, = self.alerts()
            self.assertTrue(alert.withdrawn)
            self.assertEqual(back.risk_level, 'none')

    @with_transaction()
    def test_dates(self):
        "The alert tells the exact date and slot that were missed"
        with set_up() as (company, session, _):
            self.rule(threshold=1)
            absent, = create_enrolments(session)
            self.fill(session.slots[1:2], {absent: 'absent'})
            alert, = self.alerts()
            self.assertIn("Monday\xa003/02/2026", alert.facts)
            self.assertIn("from 14:00 to 17:00", alert.facts)

    @with_transaction()
    def test_incidents(self):
        "The history of the incidents is kept"
        with set_up() as (company, session, _):
            self.rule(threshold=1)
            absent, = create_enrolments(session)
            for slot, state in zip(
                    session.slots, ['absent', 'present', 'absent']):
                self.fill([slot], {absent: state})
            self.assertEqual(
                [a.state for a in self.alerts(('enrolment', '=', absent.id))],
                ['dismissed', 'open'])

    @with_transaction()
    def test_clock(self):
        "A change of the time zone raises no alert"
        with set_up() as (company, session, _):
            self.rule()
            present, = create_enrolments(session)
            self.fill(session.slots[:2], {present: 'present'})
            company.timezone = 'Pacific/Noumea'
            company.save()
            self.detect()
            self.assertFalse(self.alerts())

    @with_transaction()
    def test_removed(self):
        "Nobody who was removed or cancelled is counted"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            archive_rules()
            removed, = create_enrolments(session)
            self.fill(session.slots[:2], {removed: 'absent'})
            Enrolment.write([removed], {'state': 'cancelled'})
            self.rule()
            self.detect()
            self.assertFalse(self.alerts())

    @with_transaction()
    def test_not_taken(self):
        "A sheet that is not official, or was cancelled, flags nobody"
        with set_up() as (company, session, _):
            self.rule(threshold=1)
            absent, = create_enrolments(session)
            self.fill(session.slots[:1], {absent: 'absent'}, close=False)
            self.detect()
            self.assertFalse(self.alerts())
            type(session.slots[0]).cancel([session.slots[0]])
            self.detect()
            self.assertFalse(self.alerts())

    @with_transaction()
    def test_answered(self):
        "Who answered is not reminded of"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            self.rule('no_answer', 2)
            silent, = create_enrolments(session)
            for hour, outcome in [
                    (8, 'no_answer'), (9, 'no_answer'), (10, 'reached'),
                    (11, 'no_answer')]:
                FollowUp.create([{
                            'company': company.id,
                            'enrolment': silent.id,
                            'party': silent.trainee.party.id,
                            'done_at': dt.datetime.combine(
                                DATE, dt.time(hour)),
                            'outcome': outcome,
                            }])
                self.detect()
            alert, = self.alerts()
            self.assertEqual(alert.state, 'handled')

    @with_transaction()
    def test_double(self):
        "No trainee has two lines of one slot, which would count twice"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        with set_up() as (company, session, _):
            trainee, = create_enrolments(session)
            self.fill(session.slots[:1], {trainee: 'absent'}, close=False)
            with self.assertRaises(SQLConstraintError):
                Attendance.create([{
                            'enrolment': trainee.id,
                            'slot': session.slots[0].id,
                            'state': 'absent',
                            }])

    @with_transaction()
    def test_sessions(self):
        "Who leaves all its sessions is seen and followed at once"
        pool = Pool()
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            self.rule(threshold=1)
            first, = create_enrolments(session)
            other = create_session(company)
            second, = type(first).create([{
                        'trainee': first.trainee.id,
                        'session': other.id,
                        'state': 'started',
                        }])
            for enrolment in [first, second]:
                self.fill(
                    enrolment.session.slots[:1], {enrolment: 'absent'})
            found, = Trainee.search([('risk_level', '=', 'alert')])
            self.assertEqual(
                {a.enrolment for a in found.alerts}, {first, second})
            run_wizard('training.abandon.case.open', [first, second])
            self.assertTrue(first.cases and second.cases)
            self.assertEqual(Trainee(found.id).risk_level, 'none')
