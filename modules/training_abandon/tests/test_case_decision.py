# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from unittest.mock import patch

from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import (
    CaseStepError, DecisionDateWarning)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, add_contact, create_enrolments, create_party,
    create_session, decide, get_to_decision, open_cases, open_wizard,
    run_wizard, set_up, today)


class CaseDecisionTestCase(DatabaseTestCase):
    "Test the decisions on the cases"

    @with_transaction()
    def test_decide_grounds(self):
        "Test what each ground makes of the enrolment and the slots"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            for ground, state in [
                    ('abandonment', 'withdrawn'),
                    ('exclusion', 'withdrawn'),
                    ('force_majeure', 'withdrawn'),
                    ('legitimate_reason', 'withdrawn'),
                    ('no_show', 'cancelled'),
                    ('cancellation', 'cancelled'),
                    ('withdrawal_period', 'cancelled'),
                    ('transfer', 'withdrawn'),
                    ('postponed', 'suspended'),
                    ]:
                with self.subTest(ground=ground):
                    session = create_session(company, days=4)
                    enrolment, = create_enrolments(session)
                    case = get_to_decision(enrolment)
                    decide(case, ground=ground)
                    self.assertEqual(case.state, 'validated')
                    self.assertEqual(enrolment.state, state)
                    self.assertEqual(enrolment.end_date, None)
                    # Each period tells why it is so
                    self.assertEqual(
                        {p.case for p in enrolment.periods}, {case})
                    self.assertEqual(
                        [(p.kind, p.end_date) for p in enrolment.periods
                            if p.kind == 'expected'],
                        [('expected', DATE + DAY)])
                    self.assertEqual(
                        case.next_kind,
                        'certify' if ground == 'abandonment' else None)
                    # The later slots do not expect the trainee
                    with today(DATE + 3 * DAY):
                        Slot.open(session.slots)
                    dates = {a.slot.date for a in Attendance.search([
                                ('enrolment', '=', enrolment.id)])}
                    self.assertLessEqual(dates, {DATE, DATE + DAY})

    @with_transaction()
    def test_decide_refused(self):
        "Test the decisions that are refused"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            case = get_to_decision(*create_enrolments(session))
            for values in [
                    {'ground': None},
                    {'effective_date': None},
                    {'ground': 'resumed'},
                    {'decision': 'invalidated'},
                    {'effective_date': DATE + 2 * DAY},
                    {'effective_date': DATE - DAY},
                    ]:
                with self.subTest(values=values), \
                        self.assertRaises(CaseStepError):
                    decide(case, **values)
            decide(
                case, ground='no_show', effective_date=DATE - DAY)
            self.assertEqual(case.enrolment.state, 'cancelled')

            case = get_to_decision(*create_enrolments(session))
            # Who comes on the second day does not leave on the first one
            Enrolment.write([case.enrolment], {'start_date': DATE + DAY})
            with self.assertRaises(CaseStepError):
                decide(case, effective_date=DATE)
            Enrolment.complete([case.enrolment])
            with self.assertRaises(CaseStepError):
                decide(case)

    @with_transaction()
    def test_resume(self):
        "Test that the trainee may resume from any open state"
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            run_wizard('training.abandon.case.inform', [case])
            run_wizard('training.abandon.case.decide', [case])
            self.assertEqual(
                (case.state, case.ground), ('invalidated', 'resumed'))
            self.assertTrue(case.closed_at)
            self.assertEqual(case.enrolment.state, 'started')
            self.assertEqual(
                {s.state for s in case.steps}, {'done', 'skipped'})
            self.assertEqual(
                [m.kind for m in case.mails], ['decide'] * 2 + ['inform'])
            type(case).close([case])
            self.assertEqual(case.state, 'closed')
            # Another case may follow
            open_cases([case.enrolment])

    @with_transaction()
    def test_resume_validated(self):
        "Test that resuming gives back the enrolment"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            case = get_to_decision(enrolment)
            end_date = None
            for ground in ['abandonment', 'no_show', 'postponed']:
                with self.subTest(ground=ground):
                    decide(case, ground=ground)
                    self.assertEqual(
                        (case.previous_enrolment_state,
                            case.previous_end_date),
                        ('started', end_date))
                    run_wizard('training.abandon.case.decide', [case])
                    self.assertEqual(case.state, 'invalidated')
                    self.assertEqual(
                        (enrolment.state, enrolment.end_date),
                        ('started', end_date))
                    # The next one has another end
                    end_date = DATE + DAY
                    enrolment.end_date = end_date
                    enrolment.save()
                    case = get_to_decision(enrolment)

    @with_transaction()
    def test_resume_certified(self):
        "Test that what the decision produced holds no more"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        Report = pool.get('training.abandon.certificate', type='report')
        with set_up() as (company, session, _), \
                patch.object(Mail, 'queue'), \
                patch.object(
                    Report, 'convert', lambda *args, **kw: ('pdf', b'%PDF')):
            case = get_to_decision(*create_enrolments(session))
            decide(case)
            run_wizard('training.abandon.case.certify', [case])
            mail, = case.mails
            self.assertEqual((mail.kind, mail.state), ('certify', 'queued'))
            run_wizard('training.abandon.case.decide', [case])
            case = Case(case.id)
            self.assertEqual(
                [c.state for c in case.certificates], ['void'])
            self.assertEqual(
                case.certificates[0].void_reason, case.ground_string)
            self.assertEqual(Mail(mail.id).state, 'cancelled')
            certify = case.get_step('certify')
            self.assertEqual(
                (certify.state, certify.by_procedure), ('skipped', True))

    @with_transaction()
    def test_suspended_again(self):
        "Test a decision on a trainee whose training was postponed"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, _, _):
            for taken_back in [True, False]:
                with self.subTest(taken_back=taken_back):
                    session = create_session(company, days=4)
                    enrolment, = create_enrolments(session)
                    first = get_to_decision(enrolment)
                    decide(first, ground='postponed', effective_date=DATE)
                    Case.close([first])
                    second = get_to_decision(enrolment)
                    decide(second)
                    self.assertEqual(enrolment.state, 'withdrawn')
                    if taken_back:
                        # What was planned ends then, not what was ended
                        enrolment.end_date = DATE + 2 * DAY
                        enrolment.save()
                        Case.take_back([second], "Wrong person")
                    else:
                        run_wizard('training.abandon.case.decide', [second])
                    enrolment = type(enrolment)(enrolment.id)
                    periods = [
                        (p.kind, p.start_date, p.end_date)
                        for p in enrolment.periods]
                    if taken_back:
                        self.assertEqual(enrolment.state, 'suspended')
                        self.assertTrue(enrolment.planned_periods)
                        self.assertEqual(periods, [
                                ('expected', None, DATE),
                                ('suspended', DATE + DAY, None)])
                        type(enrolment).start([enrolment])
                        enrolment = type(enrolment)(enrolment.id)
                    self.assertEqual(enrolment.state, 'started')
                    self.assertIsNone(enrolment.planned_periods)
                    last = enrolment.periods[-1]
                    self.assertEqual(
                        (last.kind, last.start_date, last.end_date),
                        ('expected', DATE + DAY, enrolment.end_date))

    def hold(self, session, absent=(), count=None):
        "Hold the first slots of the session with the enrolments absent"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        slots = list(session.slots)[:count]
        Slot.open(slots)
        Attendance.write(Attendance.search([
                    ('slot', 'in', [s.id for s in slots]),
                    ]), {'state': 'present'})
        Attendance.write(Attendance.search([
                    ('slot', 'in', [s.id for s in slots]),
                    ('enrolment', 'in', [e.id for e in absent]),
                    ]), {'state': 'absent'})
        Slot.close(slots)

    @with_transaction()
    def test_effective_date_before_presence(self):
        "Test the warning about the hours attended after the effective date"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            there, away = create_enrolments(session, 2)
            self.hold(session, absent=[away])
            cases = [get_to_decision(e) for e in [there, away]]
            with Transaction().set_context(_skip_warnings=False):
                with self.assertRaises(DecisionDateWarning) as warned:
                    Case.apply_decision(
                        cases, 'validated', 'abandonment', DATE)
                self.assertIn(cases[0].rec_name, warned.exception.message)
                self.assertIn('6:00', warned.exception.message)
                self.assertNotIn(cases[1].rec_name, warned.exception.message)
                self.assertEqual(
                    {c.state for c in Case.browse(cases)}, {'draft'})
                Case.apply_decision(
                    [cases[0]], 'validated', 'abandonment', DATE + DAY)
                # Nothing is at stake
                Case.apply_decision(
                    [cases[1]], 'validated', 'abandonment', DATE)

    @with_transaction()
    def test_propose_effective_date(self):
        "Test the effective dates that the form proposes"
        pool = Pool()
        Start = pool.get('training.abandon.case.decide.start')
        with set_up() as (company, _, _):
            session = create_session(company, days=3)
            enrolment, never = create_enrolments(session, 2)
            self.hold(session, absent=[never], count=2)
            cases = [get_to_decision(e) for e in [enrolment, never]]
            with today(DATE + 3 * DAY):
                for case, ground, date in [
                        (cases[0], 'abandonment', DATE),
                        (cases[0], 'withdrawal_period', DATE + 3 * DAY),
                        (cases[1], 'abandonment', DATE + 3 * DAY),
                        (cases[1], 'no_show', DATE),
                        (cases[1], 'cancellation', DATE - DAY),
                        ]:
                    _, values = open_wizard(
                        'training.abandon.case.decide', [case])
                    with self.subTest(ground=ground):
                        start = Start(
                            decision='validated', ground=ground,
                            **{name: values.get(name) for name in [
                                    'effective_date', 'proposed_date',
                                    'last_presence', 'start_date']})
                        start.on_change_ground()
                        self.assertEqual(start.effective_date, date)
                        start.effective_date = DATE + 2 * DAY
                        start.decision = 'invalidated'
                        start.on_change_decision()
                        self.assertEqual(
                            start.effective_date, DATE + 2 * DAY)
                _, values = open_wizard(
                    'training.abandon.case.decide', [cases[0]])
                self.assertEqual(values['effective_date'], DATE)
                _, values = open_wizard('training.abandon.case.decide', cases)
                self.assertEqual(values['effective_date'], DATE + 3 * DAY)

    @with_transaction()
    def test_decide_attended(self):
        "Test the grounds that are refused for who attended"
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 3)
            self.hold(session, absent=enrolments[1:])
            cases = [get_to_decision(e) for e in enrolments]
            for ground in ['no_show', 'cancellation']:
                with self.subTest(ground=ground), \
                        self.assertRaises(CaseStepError):
                    decide(cases[0], ground=ground, effective_date=DATE - DAY)
            decide(
                cases[0], ground='withdrawal_period', effective_date=DATE)
            decide(cases[1], ground='no_show')
            decide(
                cases[2], ground='cancellation', effective_date=DATE - DAY)
            self.assertEqual(
                [e.state for e in enrolments], ['cancelled'] * 3)

    @with_transaction()
    def test_letters(self):
        "Test who is told of a validated abandonment or exclusion"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, prescriber):
            funder = create_party("Funder", 'funder@example.com')
            employer = create_party("Employer")
            client = create_party("Client", 'client@example.com')
            tutor = create_party("Tutor", 'tutor@example.com')
            for ground, state, told in [
                    ('abandonment', 'queued', {prescriber, funder}),
                    ('exclusion', 'queued', {prescriber, funder}),
                    ('force_majeure', None, set()),
                    ]:
                enrolment, = create_enrolments(session, prescriber=prescriber)
                Enrolment.write([enrolment], {
                        'employer': employer.id,
                        'client': client.id,
                        'contacts': [('create', [{
                                        'party': tutor.id,
                                        'role': 'tutor',
                                        }])],
                        'fundings': [('create', [{'funder': funder.id}])],
                        })
                case = get_to_decision(enrolment)
                with self.subTest(ground=ground):
                    Transaction().user_notifications.clear()
                    decide(case, ground=ground, note="Private note")
                    self.assertEqual({m.party for m in case.mails}, told)
                    self.assertEqual(
                        {m.kind for m in case.mails},
                        {'decide'} if told else set())
                    for mail in case.mails:
                        self.assertIn(
                            enrolment.trainee.rec_name, mail.body)
                        self.assertNotIn("Private", mail.body)
                    # The employer has no address
                    self.assertEqual([
                            n.description
                            for n in Transaction().user_notifications],
                        ["Employer"] if told else [])

    @with_transaction()
    def test_letters_resumed(self):
        "Test that who was told of the abandonment is told of the resumption"
        pool = Pool()
        Contact = pool.get('training.enrolment.contact')
        Enrolment = pool.get('training.enrolment')
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            funder = create_party("Funder", 'funder@example.com')
            tutor = create_party("Tutor", 'tutor@example.com')
            stranger = create_party("Stranger", 'stranger@example.com')
            enrolment, = create_enrolments(session, prescriber=prescriber)
            Enrolment.write([enrolment], {
                    'fundings': [('create', [{'funder': funder.id}])],
                    'contacts': [('create', [{
                                    'party': tutor.id,
                                    'role': 'tutor',
                                    }])],
                    })
            case = get_to_decision(enrolment)
            decide(case)
            told = list(case.mails)
            self.assertEqual({m.party for m in told}, {prescriber, funder})
            Mail.write(told, {'state': 'sent'})
            FollowUp.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'case': case.id,
                        'party': stranger.id,
                        'done_at': told[0].create_date,
                        'outcome': 'reached',
                        }])
            # Even who is not a contact any more
            Enrolment.write([enrolment], {'prescriber': None})
            Contact.create([{
                        'enrolment': enrolment.id,
                        'party': stranger.id,
                        'role': 'other',
                        'notify': False,
                        }])
            run_wizard('training.abandon.case.decide', [case])
            self.assertEqual(
                {(m.party, m.letter.audience) for m in case.mails
                    if m not in told}, {
                    (enrolment.trainee.party, 'trainee'),
                    (prescriber, 'stakeholder'),
                    (funder, 'stakeholder'),
                    })

    @with_transaction()
    def test_letters_resumed_unknown(self):
        "Test that who never knew of the absence is not told it is over"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            for known, told in [
                    (None, False),
                    ({'state': 'sent'}, True),
                    ({'state': 'queued'}, True),
                    ({'state': 'failed'}, False),
                    ({'state': 'cancelled'}, False),
                    ({'state': 'sent', 'bounced_at': tools.now()}, False),
                    ({'outcome': 'reached'}, True),
                    ({'outcome': 'no_answer'}, False),
                    ({'outcome': 'wrong_contact'}, False),
                    ({'outcome': None, 'done_at': None}, False),
                    ]:
                case, = open_cases(
                    create_enrolments(session, prescriber=prescriber))
                if known and 'outcome' in known:
                    FollowUp.create([{
                                'company': company.id,
                                'enrolment': case.enrolment.id,
                                'case': case.id,
                                'party': prescriber.id,
                                'done_at': tools.now(),
                                **known}])
                elif known:
                    run_wizard('training.abandon.case.inform', [case])
                    Mail.write(list(case.mails), known)
                before = list(case.mails)
                with self.subTest(known=known):
                    run_wizard('training.abandon.case.decide', [case])
                    self.assertEqual(
                        {m.party for m in case.mails if m not in before},
                        {case.trainee.party}
                        | ({prescriber} if told else set()))

    @with_transaction()
    def test_letters_resumed_archived(self):
        "Test that neither the archived nor former guardians are told"
        pool = Pool()
        Contact = pool.get('training.enrolment.contact')
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            add_contact(enrolment, create_party("Mother", 'm@example.com'))
            case, = open_cases([enrolment])
            run_wizard('training.abandon.case.inform', [case])
            run_wizard('training.abandon.case.ask_reasons', [case])
            before = list(case.mails)
            self.assertEqual(len(before), 3)
            Contact.delete(list(enrolment.contacts))
            case.trainee.active = False
            case.trainee.save()
            Transaction().user_notifications.clear()
            run_wizard('training.abandon.case.decide', [case])
            self.assertEqual(
                [m.party for m in case.mails if m not in before],
                [prescriber])
            notification, = Transaction().user_notifications
            self.assertEqual(
                notification.description, case.trainee.party.rec_name)

    @with_transaction()
    def test_letters_roles(self):
        "Test that the procedure says to whom the decision is told"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        with set_up() as (company, session, prescriber):
            letter, = Letter.search([
                    ('variant', '=', 'exclusion'),
                    ])
            enrolments = create_enrolments(session, 2, prescriber=prescriber)
            cases = [get_to_decision(e) for e in enrolments]
            Letter.write([letter], {'roles': ['employer']})
            decide(cases[0], ground='exclusion')
            self.assertFalse(cases[0].mails)
            Letter.write([letter], {'roles': None})
            decide(cases[1], ground='exclusion')
            self.assertEqual([m.party for m in cases[1].mails], [prescriber])
            # What is taken back is not told any more
            mail, = cases[1].mails
            run_wizard('training.abandon.case.decide', [cases[1]])
            self.assertTrue(mail._get_outdated())
