# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The alerts beside those that are computed from the raw rows"
import datetime as dt
from itertools import count
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.risk import history
from trytond.modules.training_abandon.risk.criterion import CRITERIA
from trytond.modules.training_abandon.risk.replay import Replay
from trytond.modules.training_abandon.tests.common import (
    DATE, DAY, DatabaseTestCase, archive_rules, count_statements,
    create_enrolments, examples, open_cases, set_up, today, without_commit)
from trytond.modules.training_abandon.training.working_day import (
    WorkingCalendar)
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, with_transaction
from trytond.transaction import Transaction

DAYS = 12
SLOTS = 10
ATTENDED = {'present', 'late', 'left_early'}
HEARD = {'reached', 'appointment', 'refused'}
UNHEARD = {'no_answer', 'wrong_contact'}
ASKING = {'attendance', 'ask_reasons', 'propose', 'follow_up'}
LINES = st.tuples(
    st.sampled_from([
            None, 'present', 'late', 'left_early', 'absent', 'absent',
            'absent', 'excused']),
    st.integers(0, 60), st.booleans())
# What is written, said and heard: the day and the hour, and what it is
EVENTS = st.lists(
    st.tuples(
        st.integers(0, DAYS), st.integers(7, 19),
        st.sampled_from([
                'reached', 'refused', 'no_answer', 'no_answer', 'other',
                'attendance', 'attendance', 'ask_reasons', 'decide',
                'reply'])),
    max_size=6)
ENROLMENTS = st.lists(
    st.fixed_dictionaries({
            'state': st.sampled_from([
                    'started', 'started', 'started', 'confirmed', 'suspended',
                    'withdrawn', 'completed', 'draft', 'cancelled']),
            'gap': st.none() | st.tuples(
                st.sampled_from(['suspended', 'suspended', 'exempted']),
                st.integers(1, DAYS - 1), st.integers(0, 4)),
            'return': st.none() | st.integers(0, DAYS),
            'case': st.sampled_from([False, False, False, True]),
            'lines': st.lists(LINES, min_size=SLOTS, max_size=SLOTS),
            'events': EVENTS,
            }),
    min_size=3, max_size=5)
PLANNED = st.lists(
    st.tuples(
        st.integers(0, DAYS - 1), st.sampled_from([9, 14]),
        st.integers(1, 4),
        st.sampled_from(
            ['held', 'held', 'held', 'held', 'open', 'cancelled'])),
    unique_by=lambda s: s[:2], min_size=SLOTS, max_size=SLOTS)
THRESHOLDS = {
    'consecutive_absences': st.integers(1, 4),
    'absence_rate': st.sampled_from([.1, .25, .3333, .5, 1]),
    'late_count': st.integers(1, 3),
    'late_minutes': st.sampled_from([15, 30, 60]),
    'no_news': st.integers(1, 6),
    'no_show': st.integers(1, 6),
    'unreachable': st.sampled_from([.3, .5, .8, 1]),
    'no_answer': st.integers(1, 3),
    'late_return': st.integers(1, 4),
    }
RULES = st.tuples(*(
        st.fixed_dictionaries({
                'criterion': st.just(criterion),
                'threshold': threshold,
                'window': (st.none() | st.integers(3, 8)
                    if CRITERIA[criterion].has_window else st.none()),
                'min_slots': st.integers(1, 3),
                })
        for criterion, threshold in THRESHOLDS.items()))


def day(number):
    return DATE + number * DAY


def working_days(start, end):
    "Return the number of the days from Monday to Friday after start"
    return sum(
        (start + n * DAY).weekday() < 5
        for n in range(1, (end - start).days + 1))


class History:
    "An enrolment of which the raw rows are known, until a day"

    def __init__(self, slots, enrolment, until=2 * DAYS):
        self.enrolment = enrolment
        self.events = [
            (dt.datetime.combine(day(n), dt.time(hour)), what)
            for n, hour, what in enrolment['events'] if n <= until]
        self.slots, self.planned = [], dt.timedelta()
        for index, slot in enumerate(slots):
            number, hour, hours, state = slot
            expected = self.is_expected(number)
            if state != 'cancelled' and expected:
                self.planned += dt.timedelta(hours=hours)
            line, minutes, justified = enrolment['lines'][index]
            if number > until:
                continue
            if state == 'held' and line and (line in ATTENDED or expected):
                duration = dt.timedelta(hours=hours)
                late = dt.timedelta(minutes=minutes)
                self.slots.append({
                        'index': index,
                        'date': day(number),
                        'at': dt.datetime.combine(day(number), dt.time(hour)),
                        'state': line,
                        'duration': duration,
                        'missed': {
                            'present': dt.timedelta(),
                            'absent': duration,
                            'excused': duration,
                            }.get(line, late),
                        'late': late if line == 'late' else dt.timedelta(),
                        'justified': justified
                        and line in {'late', 'left_early'},
                        })
        self.slots.sort(key=lambda s: s['at'])

    def is_expected(self, number):
        if self.enrolment['state'] in {'draft', 'cancelled'}:
            return False
        if gap := self.enrolment['gap']:
            _, start, length = gap
            return not start <= number <= start + length
        return True

    def heard(self):
        return [
            at for at, what in self.events if what in HEARD | {'reply'}]

    def flag(self, rule, date):
        """Return the indexes of the slots for which the rule flags the
        trainee, or None"""
        states = {'confirmed', 'started'}
        if rule['criterion'] == 'late_return':
            states.add('suspended')
        if self.enrolment['state'] not in states or self.enrolment['case']:
            return None
        found = getattr(self, rule['criterion'])(rule, date)
        if found is None or found is False:
            return None
        return [s['index'] for s in found]

    def run(self):
        "Return the absences since the last presence"
        run = []
        for slot in self.slots:
            if slot['state'] in ATTENDED:
                run = []
            elif slot['state'] == 'absent':
                run.append(slot)
        return run

    def last(self, rule):
        slots = [s for s in self.slots if s['state'] != 'excused']
        return slots[-rule['window']:] if rule['window'] else slots

    def consecutive_absences(self, rule, date):
        run = self.run()
        return len(run) >= rule['threshold'] and run

    def absence_rate(self, rule, date):
        slots = self.last(rule)
        missed = [s for s in slots if s['missed'] and not s['justified']]
        if not missed or len(slots) < rule['min_slots']:
            return None
        rate = sum(
            (s['missed'] for s in missed), dt.timedelta()) / sum(
            (s['duration'] for s in slots), dt.timedelta())
        return rate >= rule['threshold'] and missed

    def late(self, rule):
        return [
            s for s in self.last(rule)
            if s['state'] == 'late' and not s['justified']]

    def late_count(self, rule, date):
        late = self.late(rule)
        return len(late) >= rule['threshold'] and late

    def late_minutes(self, rule, date):
        late = [s for s in self.late(rule) if s['late']]
        minutes = sum(s['late'].total_seconds() for s in late) / 60
        return minutes >= rule['threshold'] and late

    def no_news(self, rule, date):
        news = self.heard() + [
            s['at'] for s in self.slots if s['state'] != 'absent']
        if not news:
            return None
        since = [
            s for s in self.slots
            if s['state'] == 'absent' and s['at'] > max(news)]
        passed = working_days(max(news).date(), date)
        return passed >= rule['threshold'] and since or None

    def no_show(self, rule, date):
        if any(s['state'] in ATTENDED for s in self.slots):
            return None
        absences = [s for s in self.slots if s['state'] == 'absent']
        if not absences:
            return None
        passed = working_days(absences[0]['date'], date)
        return passed >= rule['threshold'] and absences

    def unreachable(self, rule, date):
        missed = [s for s in self.slots if s['missed']]
        total = sum((s['missed'] for s in missed), dt.timedelta())
        if not self.planned:
            return None
        reachable = (self.planned - total) / self.planned
        return reachable < rule['threshold'] - 1e-9 and missed

    def no_answer(self, rule, date):
        news = self.heard() + [
            s['at'] for s in self.slots if s['state'] in ATTENDED]
        tries = [
            at for at, what in self.events if what in UNHEARD | ASKING
            if not news or at > max(news)]
        return [] if len(tries) >= rule['threshold'] else None

    def late_return(self, rule, date):
        back = self.enrolment['return']
        if self.enrolment['state'] == 'suspended' and back is not None:
            if working_days(day(back), date) >= rule['threshold']:
                return []
        gap = self.enrolment['gap']
        if not gap or gap[0] != 'suspended':
            return None
        _, start, length = gap
        end = day(start + length)
        if working_days(end + DAY, date) < rule['threshold']:
            return None
        after = [s for s in self.slots if s['date'] > end]
        return all(s['state'] == 'absent' for s in after) and after or None


class DetectionTestCase(DatabaseTestCase):
    "Test what is detected"

    def setUp(self):
        self.numbers = count()
        pool = Pool(DB_NAME)
        Mail = pool.get('training.mail')
        patcher = patch.object(Mail, 'queue')
        patcher.start()
        self.addCleanup(patcher.stop)

    def create(self, course, trainees, slots, enrolments):
        "Create the rows of the histories and return the enrolments"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Period = pool.get('training.enrolment.period')
        Session = pool.get('training.session')
        session, = Session.create([{
                    'course': course.id,
                    'start_date': DATE,
                    'end_date': day(DAYS),
                    'slots': [('create', [{
                                    'date': day(number),
                                    'start': dt.time(hour),
                                    'end': dt.time(hour + hours),
                                    'state': state,
                                    } for number, hour, hours, state
                                in slots])],
                    }])
        created = Enrolment.create([{
                    'trainee': trainee.id,
                    'session': session.id,
                    'state': enrolment['state'],
                    } for trainee, enrolment in zip(trainees, enrolments)])
        for record, enrolment in zip(created, enrolments):
            if enrolment['gap'] and record.periods:
                kind, start, length = enrolment['gap']
                Period.delete(list(record.periods))
                Period.create([{
                            'enrolment': record.id,
                            'kind': k,
                            'start_date': first,
                            'end_date': last,
                            'reason': "Reason",
                            } for k, first, last in [
                            ('expected', None, day(start - 1)),
                            (kind, day(start), day(start + length)),
                            ('expected', day(start + length + 1), None)]])
        self.records = sorted(session.slots, key=lambda s: s.id)
        self.create_lines(created, enrolments)
        for record, enrolment in zip(created, enrolments):
            self.create_events(record, enrolment['events'])
            self.create_cases(record, enrolment)
        return created

    def create_lines(self, created, enrolments):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        lines = [
            (record, slot, line)
            for record, enrolment in zip(created, enrolments)
            for slot, line in zip(self.records, enrolment['lines'])
            if line[0]]
        justify(Attendance.create([{
                        'enrolment': record.id,
                        'slot': slot.id,
                        **line_values(*line),
                        } for record, slot, line in lines]),
            [line for *_, line in lines])

    def create_events(self, enrolment, events):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        Reply = pool.get('training.mail.reply')
        party = enrolment.trainee.party
        for number, hour, what in events:
            at = dt.datetime.combine(day(number), dt.time(hour))
            if what in HEARD | UNHEARD | {'other'}:
                FollowUp.create([{
                            'company': enrolment.company.id,
                            'enrolment': enrolment.id,
                            'party': party.id,
                            'done_at': at,
                            'outcome': what,
                            }])
                continue
            mail, = Mail.create([{
                        'company': enrolment.company.id,
                        'enrolment': enrolment.id,
                        'kind': what if what != 'reply' else 'inform',
                        'party': party.id,
                        'to': 'trainee@example.com',
                        'subject': "Subject",
                        'state': 'sent',
                        'sent_at': at,
                        }])
            if what == 'reply':
                Reply.create([{
                            'company': enrolment.company.id,
                            'mail': mail.id,
                            'party': party.id,
                            'counted': True,
                            'received_at': at,
                            'message_id': f'<{next(self.numbers)}@test>',
                            'kind': 'answer',
                            'state': 'handled',
                            }])

    def create_cases(self, enrolment, values):
        if values['case'] and enrolment.state in {
                'started', 'confirmed', 'suspended'}:
            open_cases([enrolment])
        elif enrolment.state == 'suspended' and values['return'] is not None:
            case, = open_cases([enrolment])
            table = case.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.decision, table.ground, table.state,
                        table.return_date],
                    ['validated', 'postponed', 'validated',
                        day(values['return'])],
                    where=table.id == case.id))
            tools.forget_read()

    def alerts(self, enrolments, rules):
        pool = Pool()
        Alert = pool.get('training.alert')
        return {
            (a.enrolment.id, a.rule.criterion): sorted(map(int, a.slots))
            for a in Alert.search([
                    ('enrolment', 'in', [e.id for e in enrolments]),
                    ('rule', 'in', [r.id for r in rules]),
                    ('state', '=', 'open'),
                    ])}

    def expected(self, enrolments, slots, values, rules, date):
        result = {}
        for enrolment, value in zip(enrolments, values):
            known = History(slots, value)
            for rule in rules:
                indexes = known.flag(rule, date)
                if indexes is not None:
                    result[enrolment.id, rule['criterion']] = sorted(
                        self.records[i].id for i in indexes)
        return result

    @with_transaction()
    def test_oracle(self):
        "Test the alerts of random histories, then of what is corrected"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Rule = pool.get('training.risk.rule')
        with set_up() as (_, session, _), without_commit():
            trainees = [e.trainee for e in create_enrolments(session, 5)]
            archive_rules()
            flagged = set()

            @examples(30)
            @given(
                PLANNED, ENROLMENTS, RULES, st.integers(0, 20),
                st.integers(0, 10),
                st.lists(
                    st.tuples(st.integers(0, 2), st.integers(0, SLOTS - 1),
                        LINES.filter(lambda line: line[0])),
                    max_size=6))
            def check(slots, values, rule_values, number, later, changes):
                rules = Rule.create([
                        {**r, 'name': "Rule"} for r in rule_values])
                enrolments = self.create(
                    session.course, trainees, slots, values)

                def compare(date):
                    self.assertEqual(
                        self.alerts(enrolments, rules),
                        self.expected(
                            enrolments, slots, values, rule_values, date))

                with today(day(number)):
                    Rule.detect(rules)
                    compare(day(number))
                    with count_statements() as statements:
                        Rule.detect_due()
                    compare(day(number))
                    with count_statements() as statements:
                        Rule.detect_due()
                    self.assertFalse(written(statements))
                for index, slot, line in changes:
                    lines = values[index]['lines']
                    if lines[slot][0]:
                        lines[slot] = line
                        found = Attendance.search([
                                ('enrolment', '=', enrolments[index].id),
                                ('slot', '=', self.records[slot].id),
                                ])
                        Attendance.write(found, line_values(*line))
                        justify(found, [line])
                with today(day(number + later)):
                    Rule.detect_due()
                    compare(day(number + later))
                    Rule.detect(rules)
                    compare(day(number + later))
                    flagged.update(
                        criterion for _, criterion
                        in self.alerts(enrolments, rules))
                Rule.write(rules, {'active': False})

            check()
            self.assertEqual(flagged, set(CRITERIA))

    @with_transaction()
    def test_replay(self):
        "Test the first day on which random histories would be flagged"
        pool = Pool()
        Rule = pool.get('training.risk.rule')
        with set_up() as (company, session, _):
            trainees = [e.trainee for e in create_enrolments(session, 5)]
            archive_rules()
            flagged = set()
            calendar = WorkingCalendar(company)

            @examples(30)
            @given(PLANNED, ENROLMENTS, RULES)
            def check(slots, values, rule_values):
                values = [
                    {**v, 'state': 'started', 'case': False} for v in values]
                enrolments = self.create(
                    session.course, trainees, slots, values)
                with today(day(DAYS + 6)):
                    rules = Rule.create([
                            {**r, 'name': "Rule", 'active': False}
                            for r in rule_values])
                    for rule, rule_value in zip(rules, rule_values):
                        days = first_days(rule, company, calendar)
                        expected = {}
                        for enrolment, value in zip(enrolments, values):
                            first = first_day(slots, value, rule_value)
                            if first is not None:
                                expected[enrolment.id] = day(first)
                                flagged.add(rule.criterion)
                        self.assertEqual({
                                e.id: days[e.id] for e in enrolments
                                if e.id in days}, expected, rule_value)

            check()
            self.assertEqual(flagged, set(CRITERIA))


def first_days(rule, company, calendar):
    "Return by enrolment the first day on which the rule would flag it"
    criterion = CRITERIA[rule.criterion](
        rule, company, day(DAYS + 6), calendar)
    replay = Replay(rule, company, calendar, [rule.threshold])
    return {
        known.enrolment: found
        for known, _ in history.read(criterion, DATE)
        for found in replay.first_days(known).values()}


def first_day(slots, enrolment, rule):
    "Return the number of the first day on which the rule flags it, or None"
    for number in range(DAYS + 7):
        known = History(slots, enrolment, number)
        if known.flag(rule, day(number)) is not None:
            return number


def line_values(state, minutes, _):
    minutes = dt.timedelta(minutes=minutes)
    return {
        'state': state,
        'late_by': minutes if state == 'late' else None,
        'left_by': minutes if state == 'left_early' else None,
        }


def justify(attendances, lines):
    "Have the lines justified as the accepted justifications do"
    for attendance, (state, _, justified) in zip(attendances, lines):
        table = attendance.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.justified],
                [justified and state in {'late', 'left_early'}],
                where=table.id == attendance.id))


def written(statements):
    return [
        s for s in statements if s.startswith(('INSERT', 'UPDATE', 'DELETE'))]
