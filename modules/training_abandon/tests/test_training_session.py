# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from hypothesis import given
from hypothesis import strategies as st

from trytond.modules.training_abandon.exceptions import (
    SessionCancelWarning, SessionDoneWarning, SessionError, SlotError)
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, NoticeTestCase, as_user, create_enrolments, create_session,
    create_user, examples, get_to_decision, open_cases, savepoint, set_up,
    today)


class SessionEndTestCase(NoticeTestCase):
    "Test what the end of a session, or of a course, does to its enrolments"

    def run_session(self, session):
        pool = Pool()
        Session = pool.get('training.session')
        Session.plan([session])
        Session.run([session])

    @with_transaction()
    def test_cancel_naive(self):
        "Test that a session that is given back has its enrolments as before"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        with set_up() as (company, _, _):
            @examples(6)
            @given(
                st.lists(
                    st.tuples(
                        st.sampled_from(
                            ['draft', 'confirmed', 'started', 'suspended']),
                        st.sampled_from(['present', 'late', 'absent'])),
                    min_size=1, max_size=4),
                st.booleans())
            def check(lives, is_held):
                session = create_session(company, days=3)
                self.run_session(session)
                enrolments = create_enrolments(session, len(lives))
                lines = {}
                for enrolment, (state, line) in zip(enrolments, lives):
                    if state in {'draft', 'confirmed'}:
                        Enrolment.confirm([enrolment])
                    if state == 'draft':
                        Enrolment.draft([enrolment])
                    else:
                        lines[enrolment] = line
                if is_held:
                    self.fill(session.slots[:1], lines)
                for enrolment, (state, _) in zip(enrolments, lives):
                    if state == 'suspended':
                        Enrolment.end_expectation(
                            [Enrolment(enrolment.id)], DATE, suspended=True)
                        Enrolment.suspend([Enrolment(enrolment.id)])
                before = self.snapshot(enrolments)
                Session.cancel([Session(session.id)])
                for state, *_ in self.snapshot(enrolments):
                    self.assertIn(state, {'withdrawn', 'cancelled'})
                Session.draft([Session(session.id)])
                self.assertEqual(self.snapshot(enrolments), before)

            check()

    def snapshot(self, enrolments):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        return [
            (e.state, e.hours_attended, e.absence_count, [
                    (p.kind, p.start_date, p.start_half, p.end_date,
                        p.end_half) for p in e.periods])
            for e in Enrolment.browse(enrolments)]

    @with_transaction()
    def test_cancel(self):
        "Test that the enrolments end with the session and come back with it"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            came, absent, confirmed, draft, ended = enrolments = (
                create_enrolments(session, 5))
            Enrolment.confirm([draft])
            Enrolment.draft([draft])
            self.fill(session.slots[:1], {
                    absent: 'absent', confirmed: 'absent'})
            Enrolment.confirm([confirmed])
            Enrolment.withdraw([ended])
            hours = came.hours_attended
            Session.cancel([session])
            enrolments = Enrolment.browse(enrolments)
            self.assertEqual(
                [e.state for e in enrolments],
                ['withdrawn', 'cancelled', 'cancelled', 'cancelled',
                    'withdrawn'])
            # What was official stays
            self.assertEqual(enrolments[0].hours_attended, hours)
            self.assertTrue(hours)
            Session.draft([session])
            self.assertEqual(
                [e.state for e in Enrolment.browse(enrolments)],
                ['started', 'started', 'confirmed', 'draft', 'withdrawn'])
            # Once only
            Enrolment.draft([draft])
            Enrolment.cancel([draft])
            Session.cancel([session])
            Session.draft([session])
            self.assertEqual(Enrolment(draft.id).state, 'cancelled')

    @with_transaction()
    def test_cancel_warning(self):
        "Test that the user is told before what ends with the session"
        pool = Pool()
        Session = pool.get('training.session')
        with set_up() as (company, session, _), \
                Transaction().set_context(_skip_warnings=False):
            enrolments = create_enrolments(session, 7)
            case, _ = open_cases(enrolments[:2])
            with self.assertRaises(SessionCancelWarning) as raised:
                Session.cancel([session])
            message = raised.exception.message
            self.assertIn("7 current enrolments", message)
            self.assertIn(enrolments[0].trainee.rec_name, message)
            self.assertNotIn(enrolments[6].trainee.rec_name, message)
            self.assertIn("2 open abandonment cases", message)
            self.assertIn(case.number, message)
            self.assertNotIn("wait", message)
            # Nothing ends with this one
            Session.cancel([create_session(company)])

    @with_transaction()
    def test_done(self):
        "Test that those who have attended a session done have completed it"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            came, confirmed, suspended, absent, at_risk = enrolments = (
                create_enrolments(session, 5))
            self.fill(session.slots, {absent: 'absent'})
            Enrolment.confirm([confirmed])
            Enrolment.suspend([suspended])
            case, = open_cases([at_risk])
            self.run_session(session)
            Transaction().user_notifications.clear()
            with today(DATE + 5 * DAY):
                Session.do([session])
            self.assertEqual(
                [e.state for e in Enrolment.browse(enrolments)],
                ['completed', 'completed', 'suspended', 'started',
                    'started'])
            labels = self.notifications()
            self.assertIn("3 enrolments are left open", labels)
            self.assertIn(
                "1 abandonment case is still open while its session is done",
                labels)
            Session.run([session])
            self.assertEqual(
                [e.state for e in Enrolment.browse(enrolments)],
                ['started', 'confirmed', 'suspended', 'started', 'started'])

    @with_transaction()
    def test_done_not_held(self):
        "Test that the half-days without official sheet are told"
        pool = Pool()
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _), \
                Transaction().set_context(_skip_warnings=False):
            self.run_session(session)
            held, open_, planned, cancelled = session.slots
            Slot.open([held, open_])
            Slot.close([held])
            Slot.cancel([cancelled])
            with today(DATE + 5 * DAY), \
                    self.assertRaises(SessionDoneWarning) as raised:
                Session.do([session])
            message = raised.exception.message
            self.assertIn("2 half-days in the past have no", message)
            for slot in [open_, planned]:
                self.assertIn(slot.rec_name, message)
            self.assertNotIn(held.rec_name, message)
            self.assertEqual(session.state, 'running')
            Slot.close([open_])
            Slot.cancel([planned])
            with today(DATE + 5 * DAY):
                Session.do([session])
            self.assertEqual(session.state, 'done')

    @with_transaction()
    def test_done_tabs(self):
        "Test that the absent of the sessions done are not in the tabs"
        pool = Pool()
        Data = pool.get('ir.model.data')
        Domain = pool.get('ir.action.act_window.domain')
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            self.fill(session.slots, {enrolment: 'absent'})
            self.run_session(session)
            for name in ['absent', 'not_seen']:
                with self.subTest(tab=name):
                    domain = Domain(Data.get_id(
                            'training_abandon',
                            f'act_enrolment_form_domain_{name}'))
                    with today(DATE + 30 * DAY):
                        domain = PYSONDecoder({}).decode(domain.domain)
                        # PYSON knows no other day than today
                        domain = [
                            c for c in domain
                            if c[0] in {'state', 'consecutive_absences',
                                'session.state'}]
                        self.assertEqual(
                            Enrolment.search(domain), [enrolment])
                        Session.do([session])
                        self.assertEqual(enrolment.state, 'started')
                        self.assertEqual(Enrolment.search(domain), [])
                        Session.run([session])

    @with_transaction()
    def test_ended_takes_nothing(self):
        "Test that what has ended takes neither slots nor enrolments"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            draft, = create_enrolments(session)
            Enrolment.confirm([draft])
            Enrolment.draft([draft])
            cancelled = session.slots[0]
            Slot.cancel([cancelled])
            values = {
                'company': company.id,
                'trainee': create_enrolments(
                    create_session(company))[0].trainee.id,
                'currency': company.currency.id,
                }
            for end in ['do', 'cancel']:
                with self.subTest(end=end):
                    self.run_session(session)
                    getattr(Session, end)([session])
                    Enrolment.write([draft], {'state': 'draft'})
                    for refuse in [
                            lambda: Enrolment.create([{
                                        **values, 'session': session.id}]),
                            lambda: Enrolment.write(
                                create_enrolments(create_session(company)),
                                {'session': session.id}),
                            lambda: Enrolment.confirm([draft])]:
                        with self.assertRaises(SessionError), savepoint():
                            refuse()
                    for refuse in [
                            lambda: Slot.create([{
                                        'session': session.id,
                                        'date': DATE,
                                        'start': session.slots[0].end,
                                        'end': session.slots[1].start,
                                        }]),
                            lambda: Slot.write(
                                [create_session(company).slots[0]], {
                                    'session': session.id,
                                    'start': session.slots[0].end,
                                    'end': session.slots[1].start,
                                    }),
                            lambda: Slot.plan([cancelled])]:
                        with self.assertRaises(SlotError), savepoint():
                            refuse()
                    if end == 'do':
                        Session.run([session])
                        Session.plan([session])
                        Session.draft([session])
            copy, = Session.copy([session])
            self.assertEqual(copy.state, 'draft')

    @with_transaction()
    def test_course_closed(self):
        "Test that a closed course keeps its sessions and takes no new one"
        pool = Pool()
        Course = pool.get('training.course')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            draft, other = (create_session(company) for _ in range(2))
            self.run_session(session)
            Session.write([draft], {'course': session.course.id})
            Course.write([session.course], {'active': False})
            for refuse in [
                    lambda: Session.copy([session]),
                    lambda: Session.plan([draft]),
                    lambda: Session.write(
                        [other], {'course': session.course.id})]:
                with self.assertRaisesRegex(SessionError, "is closed"):
                    refuse()
            Session.write([session], {'end_date': DATE + 9 * DAY})
            Session.do([session])

    @with_transaction()
    def test_party_archived(self):
        "Test that who is enrolled is not archived without a word"
        pool = Pool()
        Party = pool.get('party.party')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            party = enrolment.trainee.party
            user = create_user('assistant', company, 'training')
            with as_user(user):
                Party.write([Party(party.id)], {'active': False})
            self.assertEqual(self.notifications(), [
                    "1 enrolment goes on, of which nobody is written to any "
                    "more"])
            Party.write([party], {'active': True})
            case = get_to_decision(enrolment)
            Transaction().user_notifications.clear()
            Party.write([party], {'active': False})
            self.assertEqual(self.notifications(), [
                    "1 open abandonment case writes to a party that is "
                    "archived",
                    "1 enrolment goes on, of which nobody is written to any "
                    "more"])
            self.assertEqual(case.state, 'draft')
