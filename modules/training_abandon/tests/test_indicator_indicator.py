# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from collections import defaultdict
from decimal import Decimal
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.attendance.evidence import ATTENDED
from trytond.modules.training_abandon.exceptions import RequestError
from trytond.modules.training_abandon.home.figure import FEWEST
from trytond.modules.training_abandon.indicator.case import STORED
from trytond.modules.training_abandon.indicator.indicator import RATES
from trytond.modules.training_abandon.indicator.number import NUMBERS
from trytond.modules.training_abandon.indicator.source import (
    GROUNDS, MEDIANS, NONE)
from trytond.modules.training_abandon.indicator.window import (
    PERIODS, Window, period_label, period_of)
from trytond.modules.training_abandon.procedure.states import INVALID_GROUNDS
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, NoticeTestCase, as_user, count_statements, create_enrolments,
    create_party, create_session, create_user, decide, examples, get_reason,
    get_to_decision, open_cases, run_wizard, set_up, today)

AXES = [
    'company', 'period', 'course', 'session', 'prescriber', 'funder',
    'trainee', 'owner', 'reason', 'cause', 'responsible']
# The keys of the enrolments
KEYS = {
    'company': lambda enrolment: enrolment.company,
    'course': lambda enrolment: enrolment.session.course,
    'session': lambda enrolment: enrolment.session,
    'prescriber': lambda enrolment: enrolment.prescriber,
    'funder': lambda enrolment: [f.funder for f in enrolment.fundings],
    'period': lambda enrolment: None,
    'owner': lambda enrolment: enrolment.cases[0].owner,
    }
MARCH = {'from_date': DATE.replace(day=1), 'to_date': DATE.replace(day=31)}
APRIL = {
    'from_date': DATE.replace(month=4, day=1),
    'to_date': DATE.replace(month=4, day=30)}
LATER, NEXT_YEAR = DATE + 80 * DAY, dt.date(2027, 1, 4)


def indicator(axis):
    pool = Pool()
    return pool.get(f'training.indicator.{axis}')


def search(axis, **context):
    "Return the numbers of the axis by label"
    tools.forget_read()
    with Transaction().set_context(**{**MARCH, **context}):
        return {
            row.label: {n: getattr(row, n) for n in row._numbers()}
            for row in indicator(axis).search([])}


class Expected:
    "The numbers as they are defined, from the records one by one"

    def __init__(self, window, get_key, months=None):
        self.window = window
        self.get_key = get_key
        # Those of the periods, which are the keys
        self.months = months
        self.counts = defaultdict(lambda: defaultdict(float))
        self.days = defaultdict(lambda: defaultdict(list))

    def add(self, key, date, name, value=1):
        if self.window.start <= date <= self.window.end:
            for told in self.keys(key, date):
                self.counts[told][name] += value
        previous = self.window.previous
        if previous.start <= date <= previous.end:
            for told in self.keys(key, date, self.window.months):
                self.counts[told]['previous_' + name] += value

    def keys(self, key, date, later=0):
        if self.months:
            return [(date.year * 12 + date.month - 1 + later) // self.months]
        return key if isinstance(key, list) else [key]

    def enrolment(self, enrolment):
        key = self.get_key(enrolment) or NONE
        present = self._presences(enrolment)
        if present:
            if not self._has_started_before(enrolment):
                self.add(key, min(present), 'started')
                self.add(
                    key, min(present), 'left', self._is_abandoned(enrolment))
            for name in ['hours_held', 'hours_attended']:
                hours = getattr(enrolment, name)
                self.add(
                    key, min(present), name, hours.total_seconds() / 3600)

    def _presences(self, enrolment):
        return [
            a.slot.date for a in enrolment.attendances
            if a.slot.state == 'held' and a.state in ATTENDED]

    def _has_started_before(self, enrolment):
        origin = enrolment.transferred_from
        return bool(origin) and bool(
            self._presences(origin) or self._has_started_before(origin))

    def _is_abandoned(self, enrolment):
        following = type(enrolment).search([
                ('transferred_from', '=', enrolment.id)])
        return any(
            c.ground == 'abandonment' and c.decision == 'validated'
            for c in enrolment.cases) or any(
            self._is_abandoned(e) for e in following)

    def case(self, case, decided_on, contact):
        key = self.get_key(case.enrolment) or NONE
        for step in case.steps:
            if step.conformity in {
                    'in_time', 'late', 'missing', 'evidence_missing'}:
                self.add(key, step.due_date, 'steps_due')
            if step.conformity == 'in_time':
                self.add(key, step.due_date, 'steps_on_time')
        if not decided_on or case.ground == 'unfounded':
            return
        self.add(key, decided_on, 'decided')
        for name, grounds in GROUNDS.items():
            if case.ground in grounds:
                self.add(key, decided_on, name)
        absence = self._first_absence(case)
        if self.window.start <= decided_on <= self.window.end and absence:
            for told in self.keys(key, decided_on):
                self.days[told]['decision_days'].append(
                    (decided_on - absence).days)
                self.counts[told]['decision_cases'] += 1
                if contact:
                    self.counts[told]['contact_cases'] += 1
                    self.days[told]['contact_days'].append(
                        (contact - absence).days)
        if case.ground == 'abandonment':
            lost = case.enrolment.agreed_hours - (
                case.enrolment.hours_attended)
            self.add(
                key, decided_on, 'hours_lost', lost.total_seconds() / 3600)

    def _first_absence(self, case):
        first = None
        for line in sorted(
                case.enrolment.attendances, key=lambda a: a.slot.start_at):
            if line.slot.date > case.opening_date:
                continue
            elif line.state == 'absent':
                first = first or line.slot.date
            elif line.state in ATTENDED:
                first = None
        return first

    def value(self, key, name):
        counts = self.counts[key]
        prefix = 'previous_' if name.startswith('previous_') else ''
        if name in MEDIANS:
            days = self.days[key][name]
            return median(days) if days else None
        elif rate := RATES.get(name.removeprefix(prefix)):
            part, whole = (counts[prefix + n] for n in rate)
            return 100 * part / whole if whole else None
        return counts[name]


class IndicatorTestCase(NoticeTestCase):
    "Test the indicators"

    histories = st.lists(
        st.fixed_dictionaries({
                'session': st.integers(0, 1),
                'kind': st.sampled_from(['employee', 'apprentice']),
                'prescriber': st.booleans(),
                'funders': st.integers(0, 2),
                'states': st.lists(
                    st.sampled_from(['present', 'absent', 'excused']),
                    min_size=4, max_size=4),
                'ground': st.sampled_from([
                        None, 'abandonment', 'abandonment', 'resumed',
                        'unfounded', 'exclusion', 'force_majeure',
                        'legitimate_reason', 'postponed', 'transfer',
                        'transfer']),
                'delay': st.integers(0, 40),
                'contact': st.none() | st.integers(0, 10),
                'outcome': st.sampled_from([
                        'reached', 'no_answer', 'appointment']),
                'after': st.sampled_from([
                        'absent', 'present', 'abandonment']),
                'corrected': st.sampled_from([
                        None, 'abandonment', 'force_majeure']),
                }),
        min_size=1, max_size=6)

    @given(histories=histories, period=st.sampled_from(['month', 'quarter']),
        months=st.sampled_from([1, 3, 6, 12]))
    @examples(8)
    @with_transaction()
    def test_histories(self, histories, period, months):
        "Test the numbers of random histories against their definitions"
        with set_up() as (company, session, prescriber):
            sessions = [session, create_session(company, DATE + 28 * DAY)]
            enrolments, cases = self.make(histories, sessions, prescriber)
            trainees = [e.trainee for e in enrolments]
            kinds = {t: t.kind for t in trainees}
            # What they become later is not counted
            type(trainees[0]).write(trainees, {'kind': 'other'})
            window = Window(
                DATE.replace(day=1),
                period_of(2026 * 12 + 1 + months, 1).end)
            with today(NEXT_YEAR + DAY):
                for axis, get_key in {
                        **KEYS, 'trainee': lambda e: kinds[e.trainee],
                        }.items():
                    expected = self.expect(
                        Expected(
                            window, get_key,
                            PERIODS[period] if axis == 'period' else None),
                        [] if axis == 'owner' else enrolments, cases)
                    self.compare(axis, expected, period)

    def make(self, histories, sessions, prescriber):
        "Return the enrolments, and the decision and the contact by case"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        enrolments = []
        funders = [create_party(f"Funder {i}") for i in range(2)]
        for history in histories:
            enrolment, = create_enrolments(
                sessions[history['session']],
                prescriber=prescriber if history['prescriber'] else None)
            type(enrolment.trainee).write(
                [enrolment.trainee], {'kind': history['kind']})
            type(enrolment).write([enrolment], {
                    'fundings': [('create', [
                                {'funder': f.id, 'share': Decimal('0.5')}
                                for f in funders[:history['funders']]])],
                    })
            enrolments.append(enrolment)
        for number, session in enumerate(sessions):
            with today(session.end_date):
                for position, slot in enumerate(session.slots):
                    self.fill([slot], {
                            e: h['states'][position]
                            for e, h in zip(enrolments, histories)
                            if h['session'] == number})
        cases = {}
        later = create_session(sessions[0].company, LATER)
        moved = []
        for enrolment, history in zip(enrolments, histories):
            if not history['ground']:
                continue
            end = enrolment.session.end_date
            contact = None
            with today(end):
                case, = open_cases([enrolment], end)
            if history['contact'] is not None:
                contact = end + history['contact'] * DAY
                with today(contact):
                    FollowUp.create([{
                                'company': enrolment.company.id,
                                'enrolment': enrolment.id,
                                'case': case.id,
                                'kind': 'call',
                                'party': enrolment.trainee.party.id,
                                'done_at': tools.now(),
                                'outcome': history['outcome'],
                                }])
            decided_on = max(
                end + history['delay'] * DAY, contact or end)
            if history['outcome'] == 'no_answer':
                contact = None
            ground = history['ground']
            transfer = {}
            if ground == 'transfer':
                transfer['new_session'] = later.id
            with today(decided_on):
                while case.next_kind != 'decide':
                    case.skip_step([case], "Not needed")
                decide(
                    case, ground=ground, effective_date=end,
                    decision='invalidated' if ground in INVALID_GROUNDS
                    else 'validated', **transfer)
            case = type(case)(case.id)
            if ground == 'abandonment' and history['corrected']:
                with today(NEXT_YEAR):
                    case.take_back([case], "By mistake")
                    decide(
                        case, ground=history['corrected'],
                        effective_date=end + DAY)
                if history['corrected'] != ground:
                    decided_on = NEXT_YEAR
                    contact = contact and min(contact, NEXT_YEAR)
            elif ground == 'transfer':
                moved.append((case.new_enrolment, history['after']))
            cases[case] = decided_on, contact
        if moved:
            self.go_on(later, moved, cases)
            enrolments += [e for e, _ in moved]
        return enrolments, cases

    def go_on(self, session, moved, cases):
        "Let the transferred trainees come, be absent or abandon"
        end = session.end_date
        with today(end):
            self.fill(session.slots[:1], {
                    e: 'absent' if after == 'absent' else 'present'
                    for e, after in moved})
            for enrolment, after in moved:
                if after == 'abandonment':
                    case = get_to_decision(enrolment)
                    decide(case, effective_date=end)
                    cases[type(case)(case.id)] = end, None

    def expect(self, expected, enrolments, cases):
        for enrolment in enrolments:
            expected.enrolment(enrolment)
        for case, dates in cases.items():
            expected.case(type(case)(case.id), *dates)
        return expected

    def compare(self, axis, expected, period):
        window = expected.window
        with Transaction().set_context(
                from_date=window.start, to_date=window.end, period=period):
            rows = indicator(axis).search([])
        keys = {
            k for k, counts in expected.counts.items()
            if any(counts.values())}
        names = {
            k if isinstance(k, (int, str)) else k.id: k for k in keys}
        if axis == 'trainee':
            kinds = [k for k, _ in indicator(axis)._kinds()]
            names = {kinds.index(k) + 1: k for k in keys}
        shown = {
            r.id: r for r in rows
            if any(
                getattr(r, n) for n in r._numbers() if 'alert' not in n)}
        self.assertEqual(set(shown), set(names))
        for id_, row in shown.items():
            for name in row._numbers():
                if name.removeprefix('previous_').startswith('alert'):
                    continue
                value = expected.value(names[id_], name)
                found = getattr(row, name)
                if value is None:
                    self.assertIsNone(found, (axis, name))
                else:
                    self.assertIsNotNone(found, (axis, name))
                    self.assertAlmostEqual(
                        found, value, delta=0.051, msg=(axis, name))

    @with_transaction()
    def test_rate(self):
        "Test that there is no rate without population"
        with set_up() as (company, session, prescriber):
            one, other = create_enrolments(session, 2)
            with today(DATE + DAY):
                decide(get_to_decision(one))
            numbers = search('company')[company.rec_name]
            self.assertEqual(
                (numbers['abandoned'], numbers['started']), (1, 0))
            self.assertIsNone(numbers['rate'])
            self.fill(session.slots[:1], {one: 'absent', other: 'present'})
            numbers = search('company')[company.rec_name]
            # Who never started has not left
            self.assertEqual(
                (numbers['started'], numbers['left'], numbers['rate'],
                    numbers['abandoned']), (1, 0, 0, 1))
            self.assertIsNone(numbers['previous_rate'])
            with today(DATE + 40 * DAY):
                decide(get_to_decision(other))
            numbers = search('company')[company.rec_name]
            # Of who started in March, though in April
            self.assertEqual(
                (numbers['started'], numbers['left'], numbers['rate'],
                    numbers['abandoned']), (1, 1, 100, 1))
            numbers = search('company', **APRIL)[company.rec_name]
            self.assertEqual(
                (numbers['started'], numbers['rate'], numbers['abandoned'],
                    numbers['previous_started'], numbers['previous_left'],
                    numbers['previous_rate']),
                (0, None, 1, 1, 1, 100))
            self.assertEqual(search('company', company=None), {})

    @with_transaction()
    def test_past(self):
        "Test that what comes later does not change the past"
        with set_up() as (company, session, prescriber):
            one, other = create_enrolments(session, 2)
            self.fill(session.slots, {one: 'absent', other: 'present'})
            case = get_to_decision(one)
            with today(DATE + 40 * DAY):
                decide(case)
                self.assertEqual(case.decided_on, DATE + 40 * DAY)
                self.assertEqual(
                    (case.first_absence, case.decision_days), (DATE, 40))
            numbers = search('company')[company.rec_name]
            self.assertEqual(numbers['abandoned'], 0)
            with today(DATE + 50 * DAY):
                decide(
                    case, decision='invalidated', ground='resumed',
                    effective_date=DATE + 50 * DAY)
            self.assertEqual(case.decided_on, DATE + 50 * DAY)
            numbers = search('company', **APRIL)[company.rec_name]
            self.assertEqual(
                (numbers['abandoned'], numbers['prevented'],
                    numbers['retention_rate']), (0, 1, 100))

    @with_transaction()
    def test_corrected(self):
        "Test that a corrected decision stays of its year, another does not"
        year = {
            'from_date': DATE.replace(month=1, day=1),
            'to_date': DATE.replace(month=12, day=31)}
        with set_up() as (company, session, prescriber):
            one, = create_enrolments(session)
            self.fill(session.slots[:1], {one: 'absent'})
            case = get_to_decision(one)
            owner = case.owner
            decide(case)
            kept = {name: getattr(case, name) for name in STORED}
            self.assertEqual(kept['decided_on'], DATE + DAY)
            with today(NEXT_YEAR):
                case.take_back([case], "By mistake")
                self.assertEqual(
                    search('company', **year)[company.rec_name]['decided'], 0)
                case.write([case], {'owner': None})
                decide(case, effective_date=DATE)
            self.assertEqual(
                {name: getattr(case, name) for name in STORED}, kept)
            self.assertEqual(
                search('company', **year)[company.rec_name]['abandoned'], 1)
            self.assertEqual(
                search('owner', **year)[owner.rec_name]['abandoned'], 1)
            with today(NEXT_YEAR + DAY):
                case.take_back([case], "By mistake")
                decide(case, ground='force_majeure')
            self.assertEqual(case.decided_on, NEXT_YEAR + DAY)

    @with_transaction()
    def test_first_contact(self):
        "Test what is a contact with the trainee"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, prescriber):
            one, = create_enrolments(session, prescriber=prescriber)
            trainee = one.trainee.party
            self.fill(session.slots[:1], {one: 'absent'})

            def contact(days, outcome, party=trainee):
                with today(DATE + days * DAY):
                    FollowUp.create([{
                                'company': company.id,
                                'enrolment': one.id,
                                'kind': 'call',
                                'party': party.id,
                                'done_at': tools.now(),
                                'outcome': outcome,
                                }])

            contact(1, 'reached', prescriber)
            contact(1, 'no_answer')
            contact(2, 'wrong_contact')
            # The call of the alert, before the case
            contact(3, 'reached')
            with today(DATE + 5 * DAY):
                case, = open_cases([one], DATE + 5 * DAY)
                while case.next_kind != 'decide':
                    case.skip_step([case], "Not needed")
                decide(case)
            self.assertEqual(
                (case.first_absence, case.first_contact, case.contact_days),
                (DATE, DATE + 3 * DAY, 3))
            # Of a clock that was set back
            Case = type(case)
            Case._store_decisions({case: DATE - DAY})
            case = Case(case.id)
            self.assertEqual(
                (case.first_contact, case.decision_days), (None, 0))

    @with_transaction()
    def test_first_mail(self):
        "Test that only a mail to the trainee that arrived is a contact"
        pool = Pool()
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            for bounced, to, expected in [
                    (False, 'trainee', DATE + DAY),
                    (True, 'trainee', None),
                    (False, 'prescriber', None)]:
                one, = create_enrolments(session, prescriber=prescriber)
                with self.subTest(bounced=bounced, to=to):
                    case = get_to_decision(one)
                    Mail.create([{
                                'company': company.id,
                                'enrolment': one.id,
                                'kind': 'inform',
                                'party': (
                                    one.trainee.party
                                    if to == 'trainee' else prescriber).id,
                                'to': 'one@example.com',
                                'subject': "Absence",
                                'body': "Absence",
                                'state': 'sent',
                                'sent_at': tools.now(),
                                'bounced_at': (
                                    tools.now() if bounced else None),
                                }])
                    decide(case)
                    self.assertEqual(case.first_contact, expected)

    @with_transaction()
    def test_transferred(self):
        "Test that who is transferred starts once, and abandons there"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, prescriber):
            enrolments = create_enrolments(session, 2)
            later = create_session(company, DATE + 7 * DAY)
            self.fill(session.slots[:1], dict.fromkeys(enrolments, 'present'))
            cases = [get_to_decision(e) for e in enrolments]
            for case in cases:
                decide(
                    case, ground='transfer', effective_date=DATE,
                    new_session=later.id)
            moved = [type(c)(c.id).new_enrolment for c in cases]
            with today(DATE + 8 * DAY):
                self.fill(later.slots[:1], dict.fromkeys(moved, 'present'))
                decide(
                    get_to_decision(moved[0]),
                    effective_date=DATE + 8 * DAY)
            tools.forget_read()
            self.assertEqual(
                [(e.is_start, e.is_abandoned)
                    for e in Enrolment.browse(enrolments + moved)],
                [(True, True), (True, False), (False, False), (False, False)])
            numbers = search('company')[company.rec_name]
            self.assertEqual(
                (numbers['started'], numbers['left'], numbers['rate']),
                (2, 1, 50))
            for number, count in [('started', 2), ('left', 1)]:
                row, = self.rows('company')
                self.assertEqual(len(self.opened(row, number)), count)

    @with_transaction()
    def test_day(self):
        "Test that an alert is of the day of the company"
        pool = Pool()
        Alert = pool.get('training.alert')
        with set_up() as (company, session, prescriber):
            company.timezone = 'Europe/Paris'
            company.save()
            one, = create_enrolments(session)
            Alert.create([{
                        'company': company.id,
                        'enrolment': one.id,
                        'level': 'alert',
                        'first_seen': dt.datetime(2026, 2, 28, 23, 30),
                        'state': 'dismissed',
                        'closed_at': tools.now(),
                        }])
            alert, = Alert.search([])
            self.assertEqual(alert.raised_on, dt.date(2026, 3, 1))
            self.assertEqual(
                search('company')[company.rec_name]['alerts'], 1)
            self.assertEqual(list(search('period')), ['2026-03'])
            table = Alert.__table__()
            Transaction().connection.cursor().execute(
                *table.update([table.raised_on], [None]))
            tools.forget_read()
            Alert._date_past_alerts()
            tools.forget_read()
            self.assertEqual(
                Alert(alert.id).raised_on, dt.date(2026, 3, 1))

    @with_transaction()
    def test_without(self):
        "Test that what has no key is counted and opened too"
        with set_up() as (company, session, prescriber):
            one, other = create_enrolments(session, 2)
            one.prescriber = prescriber
            one.save()
            self.fill(
                session.slots[:1], dict.fromkeys([one, other], 'present'))
            for axis, count in [('prescriber', 1), ('funder', 2)]:
                with self.subTest(axis=axis):
                    self.assertEqual(
                        search(axis)["Without"]['started'], count)
                    row, = [
                        r for r in self.rows(axis) if r.label == "Without"]
                    found = self.opened(row, 'started')
                    self.assertEqual(len(found), count)
                    self.assertIn(other, found)

    categories = st.lists(
        st.sets(
            st.sampled_from([
                    'time.lack', 'money', 'health', 'distance']),
            max_size=2),
        min_size=5, max_size=10)

    @given(categories=categories)
    @examples(3)
    @with_transaction()
    def test_several(self, categories):
        "Test the cases of several reasons against their definition"
        with set_up() as (company, session, prescriber):
            cases = self.analysed(session, categories)
            expected, few = defaultdict(set), set()
            for case, codes in zip(cases, categories):
                families = {
                    "Personal reason" if r.sensitive else r.family.name
                    for r in map(get_reason, codes)} or {"Without"}
                for family in families:
                    expected[family].add(case.id)
            for family, ids in list(expected.items()):
                if len(ids) < FEWEST:
                    few |= expected.pop(family)
            if few:
                expected[
                    f"Other categories, of fewer than {FEWEST} cases each"
                    ] = few
            for axis in ['reason', 'cause']:
                rows = self.rows(axis)
                self.assertEqual(
                    {r.label: (r.decided, r.abandoned) for r in rows},
                    {k: (len(v), len(v)) for k, v in expected.items()})
                for row in rows:
                    for number in ['decided', 'abandoned']:
                        self.assertEqual(
                            {c.id for c in self.opened(row, number)},
                            expected[row.label])

    @with_transaction()
    def test_kind(self):
        "Test that the kind stays once a trainee came or was decided"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, prescriber):
            one, other = create_enrolments(session, 2)

            def become(kind):
                Trainee.write([one.trainee, other.trainee], {'kind': kind})
                return [
                    e.kind_of_trainee for e in Enrolment.browse([one, other])]

            self.assertEqual(become('individual'), ['individual'] * 2)
            self.fill(session.slots[:1], {one: 'present', other: 'absent'})
            self.assertEqual(
                become('job_seeker'), ['individual', 'job_seeker'])
            with today(DATE + DAY):
                decide(get_to_decision(other), ground='no_show')
            self.assertEqual(become('other'), ['individual', 'job_seeker'])
            self.assertEqual(
                set(search('trainee')), {"Individual", "Job Seeker"})
            # A mistake is mended
            Enrolment.write([one], {'trainee_kind': 'employee'})
            self.assertEqual(
                set(search('trainee')), {"Employee", "Job Seeker"})

    @with_transaction()
    def test_past_decisions(self):
        "Test that the decisions that had no day are dated by their step"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            case = get_to_decision(create_enrolments(session)[0])
            with today(DATE + 10 * DAY):
                decide(case)
            table = Case.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.decided_on], [None], where=table.id == case.id))
            tools.forget_read()
            Case._date_past_decisions()
            self.assertEqual(case.decided_on, DATE + 10 * DAY)

    def analysed(self, session, codes):
        "Return decided cases with a reason and a cause of each code"
        cases = open_cases(create_enrolments(session, len(codes)))
        for case, code in zip(cases, codes):
            while case.next_kind != 'analyse':
                case.skip_step([case], "Not needed")
            reasons = [
                get_reason(c)
                for c in ([code] if isinstance(code, str) else sorted(code))]
            if reasons:
                type(case).declare_reasons([case], reasons)
                run_wizard('training.abandon.case.analyse', [case], causes=[{
                            'cause': reason.id,
                            'responsible': 'trainee',
                            'note': "Private note",
                            } for reason in reasons])
            while case.next_kind != 'decide':
                case.skip_step([case], "Not needed")
            decide(case)
        return cases

    @with_transaction()
    def test_few(self):
        "Test that reasons are not broken down below a count of cases"
        few = f"Other categories, of fewer than {FEWEST} cases each"
        with set_up() as (company, session, prescriber):
            cases = self.analysed(session, ['time.lack'] * (FEWEST - 1))
            for axis in ['reason', 'cause', 'responsible']:
                with self.subTest(axis=axis):
                    numbers = search(axis)
                    self.assertEqual(list(numbers), [few])
                    self.assertEqual(numbers[few]['decided'], FEWEST - 1)
                    self.assertIsNone(numbers[few]['previous_decided'])
            cases += self.analysed(session, ['time.lack', 'money'])
            for axis, label in [
                    ('reason', cases[0].reasons[0].family.name),
                    ('cause', cases[0].reasons[0].family.name),
                    ('responsible', "Trainee")]:
                with self.subTest(axis=axis):
                    decided = {
                        name: n['decided']
                        for name, n in search(axis).items()}
                    self.assertEqual(decided, (
                            {label: FEWEST + 1} if axis == 'responsible'
                            else {label: FEWEST, few: 1}))
                    for row in self.rows(axis):
                        found = self.opened(row, 'abandoned')
                        self.assertEqual(len(found), row.abandoned)

    @with_transaction()
    def test_sensitive(self):
        "Test that nobody reads what is personal"
        with set_up() as (company, session, prescriber):
            user = create_user('assistant', company, 'training')
            self.analysed(session, ['health'] * FEWEST)
            for axis in ['reason', 'cause']:
                with self.subTest(axis=axis), as_user(user):
                    self.assertEqual(list(search(axis)), ["Personal reason"])

    @with_transaction()
    def test_access(self):
        "Test who reads the numbers, and who those of the reasons"
        pool = Pool()
        Access = pool.get('ir.model.access')
        with set_up() as (company, session, prescriber):
            for group, axes in [
                    ('training', {'company', 'reason'}),
                    ('training_reading', {'company'}),
                    ('accounting', {'company'}),
                    ('trainer', set())]:
                user = create_user(group, company, group)
                for axis in ['company', 'reason']:
                    with self.subTest(group=group, axis=axis), as_user(user):
                        self.assertEqual(
                            Access.check(
                                f'training.indicator.{axis}', 'read',
                                raise_exception=False),
                            axis in axes)
                        if axis not in axes:
                            with self.assertRaises(AccessError):
                                search(axis)

    def rows(self, axis, **context):
        with Transaction().set_context(**{**MARCH, **context}):
            return indicator(axis).search([])

    def opened_after(self, axis, number):
        "Return the records that the number opens in the month after"
        row, = self.rows(axis, **APRIL)
        return self.opened(row, number, **APRIL)

    def opened(self, row, number, **context):
        "Return the records that the number of the row opens"
        pool = Pool()
        Open = pool.get('training.indicator.open', type='wizard')
        with Transaction().set_context(
                **{**MARCH, **context}, active_model=row.__name__,
                active_id=row.id, active_ids=[row.id]):
            session_id, start, _ = Open.create()
            values = {'numbers': row.__name__, 'number': number}
            (action, _), = Open.execute(
                session_id, {'start': values}, 'open_')['actions']
        domain = PYSONDecoder({}).decode(action['pyson_domain'])
        return pool.get(action['res_model']).search(
            domain, order=[('id', 'ASC')])

    @with_transaction()
    def test_open(self):
        "Test that each number opens what it counts"
        pool = Pool()
        ActWindow = pool.get('ir.action.act_window')
        Alert = pool.get('training.alert')
        ModelData = pool.get('ir.model.data')
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, session, prescriber):
            enrolments = create_enrolments(session, 4, prescriber=prescriber)
            one, other, away, stays = enrolments
            type(one).write([one], {
                    'price': Decimal(1000),
                    'client': prescriber.id,
                    })
            self.fill(session.slots[:1], dict.fromkeys(enrolments, 'present'))
            self.fill(session.slots[1:3], {
                    one: 'absent', other: 'absent', away: 'absent',
                    stays: 'present'})
            with today(DATE + 2 * DAY):
                cases = [get_to_decision(e) for e in enrolments[:3]]
                decide(cases[0])
                decide(
                    cases[1], decision='invalidated', ground='resumed')
                decide(cases[2], ground='force_majeure')
                Settlement.settle([cases[0]])
            Alert.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'level': 'alert',
                        'first_seen': dt.datetime.combine(DATE, dt.time(12)),
                        'state': state,
                        'closed_at': (
                            None if state == 'open' else tools.now()),
                        'case': case and case.id,
                        'owner': cases[0].owner.id,
                        } for enrolment, state, case in [
                        (one, 'handled', cases[0]),
                        # The call after which the trainee stays
                        (stays, 'handled', None),
                        (stays, 'dismissed', None),
                        (stays, 'open', None)]])
            Alert.create([{
                        'company': company.id,
                        'enrolment': stays.id,
                        'level': 'alert',
                        'first_seen': dt.datetime.combine(DATE, dt.time(12)),
                        'state': 'handled',
                        'withdrawn': True,
                        'closed_at': tools.now(),
                        'owner': cases[0].owner.id,
                        }])
            numbers = search('company')[company.rec_name]
            self.assertEqual(
                (numbers['alerts'], numbers['alerts_right']), (3, 2))
            settlement, = Settlement.search([])
            Settlement.post([settlement])
            one.write([one], {'price': Decimal(2000)})
            Settlement.settle([cases[0]])
            settlement = Settlement.search([], order=[('id', 'ASC')])[-1]
            self.assertEqual(
                search('company')[company.rec_name]['revenue_lost'],
                float(settlement.undelivered_amount))
            # The list of what is lost has it once too
            action = ActWindow(ModelData.get_id(
                    'training_abandon', 'act_settlement_lost'))
            self.assertEqual(
                Settlement.search(
                    PYSONDecoder().decode(action.pyson_domain)),
                [settlement])
            self.assertEqual(
                sorted(s.last for s in Settlement.search([])), [False, True])
            for axis in ['company', 'course', 'session', 'prescriber',
                    'trainee', 'period', 'owner']:
                row, = self.rows(axis)
                numbers = {n: getattr(row, n) for n in row._numbers()}
                for number in NUMBERS:
                    if not hasattr(row, number):
                        continue
                    found = self.opened(row, number)
                    if hasattr(row, 'previous_' + number):
                        # April opens those of March
                        self.assertEqual(self.opened_after(
                                axis, 'previous_' + number), found)
                    with self.subTest(axis=axis, number=number):
                        # A rate opens its population
                        _, number = RATES.get(number, (None, number))
                        if number == 'contact_days':
                            self.assertEqual(found, [])
                        elif number == 'decision_days':
                            self.assertEqual(set(found), set(cases))
                        elif number == 'hours_lost':
                            self.assertEqual(found, cases[:1])
                        elif number == 'revenue_lost':
                            self.assertEqual(found, [settlement])
                        elif number.startswith('hours_'):
                            self.assertEqual(len(found), 4)
                        else:
                            self.assertEqual(len(found), numbers[number])

    @with_transaction()
    def test_statements(self):
        "Test that the statements do not grow with the trainees"
        with set_up() as (company, session, prescriber):
            counts = []
            for _ in range(2):
                other = create_session(company)
                enrolments = create_enrolments(
                    other, 3, prescriber=prescriber)
                self.fill(
                    other.slots[:1], dict.fromkeys(enrolments, 'present'))
                decide(get_to_decision(enrolments[0]))
                for axis in AXES:
                    search(axis)
                with count_statements() as statements:
                    for axis in AXES:
                        search(axis)
                counts.append(len(statements))
            self.assertEqual(counts[0], counts[1])

    @with_transaction()
    def test_bad_context(self):
        "Test what no client sends"
        pool = Pool()
        with set_up() as (company, session, prescriber):
            one, = create_enrolments(session)
            self.fill(session.slots[:1], {one: 'present'})
            for context in [
                    {'from_date': dt.date.min, 'to_date': dt.date.max},
                    {'from_date': MARCH['to_date'],
                        'to_date': MARCH['from_date']},
                    {'from_date': 'x', 'to_date': 7},
                    {'from_date': dt.datetime(2026, 3, 1)},
                    {'period': []},
                    {'period': 'century'}]:
                with self.subTest(context=context):
                    self.assertEqual(
                        [n['started'] for n in search(
                                'period', **context).values()], [1])
            with self.assertRaises(RequestError):
                search('company', course='x')
            for numbers in ['x', 'res.user', [], None]:
                start = pool.get('training.indicator.open.start')(
                    numbers=numbers)
                self.assertEqual(start.get_numbers(), [])

    @with_transaction()
    def test_window(self):
        "Test the windows before others"
        for start, end, previous_start, previous_end in [
                ((2026, 1, 1), (2026, 12, 31), (2025, 1, 1), (2025, 12, 31)),
                ((2026, 3, 1), (2026, 3, 31), (2026, 2, 1), (2026, 2, 28)),
                ((2026, 2, 1), (2026, 2, 28), (2026, 1, 1), (2026, 1, 31)),
                ((2026, 1, 15), (2026, 2, 20),
                    (2025, 11, 15), (2025, 12, 20)),
                ((2026, 3, 31), (2026, 3, 31), (2026, 2, 28), (2026, 2, 28)),
                ]:
            window = Window(dt.date(*start), dt.date(*end))
            with self.subTest(window=window):
                self.assertEqual(window.previous, Window(
                        dt.date(*previous_start), dt.date(*previous_end)))
        self.assertEqual(period_label(2026 * 4 + 1, 3), '2026-Q2')
        self.assertEqual(period_label(2026 * 12 + 11, 1), '2026-12')
        self.assertEqual(period_label(2026, 12), '2026')


del NoticeTestCase
