# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import zipfile
from io import BytesIO
from unittest.mock import patch

from lxml import etree

from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from ..exceptions import (
    AbsentDayWarning, SheetCancelWarning, SheetError, SheetReopenWarning,
    SheetUncheckedWarning, TrainingValidationError)
from .common import (
    DATE, DAY, DatabaseTestCase, as_user, at, count_statements,
    create_enrolments, create_session, create_user, open_wizard, run_wizard,
    set_up, today, wizard_context)


def minutes(value):
    return dt.timedelta(minutes=value)


class AttendanceSheetTestCase(DatabaseTestCase):
    "Test the attendance sheets"

    def open(self, session, count=3, slots=1):
        "Return the slots opened with the attendances of the first"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        create_enrolments(session, count)
        slots = session.slots[:slots]
        Slot.open(slots)
        slots = Slot.browse(slots)
        return slots, list(slots[0].attendances)

    def warned(self, warning, regex, func, *args):
        "Test that the function warns, then do it"
        pool = Pool()
        Warning = pool.get('res.user.warning')
        with Transaction().set_context(
                _skip_warnings=False, skip_sheet_notices=True):
            with self.assertRaisesRegex(warning, regex) as error:
                func(*args)
            Warning.create([{
                        'user': Transaction().user,
                        'name': error.exception.name,
                        }])
            func(*args)

    @with_transaction()
    def test_minutes(self):
        "Test the minutes of lateness and the state that they tell"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        with set_up() as (_, session, _):
            _, (attendance, *_) = self.open(session)
            for name, value, state, late, left in [
                    ('late_minutes', 15, 'late', 15, None),
                    ('left_minutes', 20, 'late', 15, 20),
                    ('late_minutes', None, 'left_early', None, 20),
                    ('left_minutes', 0, 'present', None, 0),
                    ('late_minutes', 5, 'late', 5, 0),
                    ('state', 'absent', 'absent', None, None),
                    ('late_minutes', 5, 'late', 5, None),
                    ('state', 'present', 'present', None, None),
                    ]:
                with self.subTest(name=name, value=value):
                    setattr(attendance, name, value)
                    getattr(attendance, f'on_change_{name}')()
                    self.assertEqual(
                        (attendance.state, attendance.late_minutes,
                            attendance.left_minutes),
                        (state, late, left))
                    self.assertEqual(
                        attendance.late_by, minutes(late) if late else None)
            attendance.late_minutes = 15
            attendance.on_change_late_minutes()
            attendance.save()
            attendance = Attendance(attendance.id)
            self.assertEqual(attendance.late_by, minutes(15))
            self.assertEqual(attendance.missed, minutes(15))
            self.assertEqual(attendance.source, 'sheet')
            for clause, count in [
                    (('late_minutes', '>', 10), 1),
                    (('late_minutes', '=', 15), 1),
                    (('late_minutes', 'in', [15, 20]), 1),
                    (('late_minutes', '=', None), 2),
                    (('left_minutes', '>', 0), 0),
                    ]:
                with self.subTest(clause=clause):
                    self.assertEqual(
                        Attendance.search([clause], count=True), count)
            Attendance.write([attendance], {'left_minutes': 20})
            self.assertEqual(
                Attendance(attendance.id).missed, minutes(35))
            with self.assertRaisesRegex(
                    TrainingValidationError, "longer than the slot"):
                Attendance.write([attendance], {'left_minutes': 170})

            Attendance.write([attendance], {
                    'state': 'late', 'left_minutes': None})
            Attendance.write([attendance], {'state': 'absent'})
            attendance = Attendance(attendance.id)
            self.assertIsNone(attendance.late_minutes)
            self.assertEqual(attendance.missed, minutes(180))

    @with_transaction()
    def test_order(self):
        "Test that the lines are in the order of the names"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            for enrolment, name in zip(
                    create_enrolments(session, 3), ["Zoe", "Bob", "Max"]):
                enrolment.trainee.party.name = name
                enrolment.trainee.party.save()
            slot = session.slots[0]
            Slot.open([slot])
            names = ["Bob", "Max", "Zoe"]
            self.assertEqual(
                [a.trainee.rec_name for a in Slot(slot.id).attendances],
                names)
            self.assertEqual([
                    e.trainee.rec_name for e in
                    Enrolment.search([], order=[('trainee', 'ASC')])],
                names)

    @with_transaction()
    def test_close(self):
        "Test the warning about the lines not checked"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Event = pool.get('training.session.slot.event')
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            (slot,), attendances = self.open(session)
            slot, = Slot.browse([slot])
            self.assertEqual(
                (slot.attendance_count, slot.absent_count,
                    slot.unchecked_count),
                (3, 0, 3))
            Attendance.set_absent(attendances[:1])
            Attendance.set_present(attendances[1:2])
            slot, = Slot.browse([slot])
            self.assertEqual(
                (slot.attendance_count, slot.absent_count,
                    slot.unchecked_count),
                (3, 1, 1))
            # The person who came in the meantime is not checked
            create_enrolments(session, 1)
            self.warned(
                SheetUncheckedWarning, "2 lines not checked",
                Slot.close, [slot])
            slot, = Slot.browse([slot])
            self.assertEqual(slot.state, 'held')
            self.assertEqual(slot.closed_by.id, Transaction().user)
            self.assertEqual(
                slot.closed_at,
                dt.datetime.combine(DATE + DAY, dt.time(20)))
            self.assertEqual(slot.reopened_count, 0)
            with self.assertRaises(AccessError):
                Attendance.set_present(attendances)

            self.warned(
                SheetReopenWarning, "is official", Slot.open, [slot])
            slot, = Slot.browse([slot])
            self.assertEqual(slot.state, 'open')
            self.assertIsNone(slot.closed_at)
            self.assertEqual(slot.reopened_count, 1)
            Attendance.write(attendances[1:2], {'source': 'import'})
            Slot.others_present([slot])
            slot, = Slot.browse([slot])
            self.assertEqual(slot.unchecked_count, 0)
            self.assertEqual(attendances[1].source, 'import')
            self.assertEqual(slot.absent_count, 1)
            with Transaction().set_context(
                    _skip_warnings=False, skip_sheet_notices=True):
                Slot.close([slot])
            events = Event.search([('slot', '=', slot.id)])
            self.assertEqual(
                [(e.kind, e.absent, e.unchecked) for e in events],
                [('closed', 1, 0), ('reopened', 1, 2), ('closed', 1, 2),
                    ('opened', 0, 3)])
            self.assertEqual(Slot.search(
                    [('sheet_events.kind', '=', 'reopened')]), [slot])
            # Only what is open is closed
            Slot.close([slot, session.slots[1]])
            self.assertEqual(Event.search([], count=True), len(events))
            self.assertEqual(session.slots[1].state, 'planned')

    @with_transaction()
    def test_history(self):
        "Test that the users read the history and cannot change it"
        pool = Pool()
        Event = pool.get('training.session.slot.event')
        with set_up() as (company, session, _):
            (slot,), _ = self.open(session)
            user = create_user('assistant', company, 'training')
            with as_user(user):
                event, = Event.search([])
                self.assertEqual(event.kind, 'opened')
                for method, args in [
                        ('create', [[{
                                        'slot': slot.id,
                                        'kind': 'closed',
                                        'at': event.at,
                                        }]]),
                        ('write', [[event], {'user': None}]),
                        ('delete', [[event]]),
                        ]:
                    with self.subTest(method=method), \
                            self.assertRaises(AccessError):
                        getattr(Event, method)(*args)

    @with_transaction()
    def test_not_held(self):
        "Test that a sheet waits for its slot and needs its session"
        pool = Pool()
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _), today(DATE):
            morning, afternoon, tomorrow, _ = session.slots
            with self.assertRaisesRegex(SheetError, "before its day"):
                Slot.open([tomorrow])
            self.assertEqual(Slot.search([('day', '=', 'today')]),
                [morning, afternoon])
            self.assertEqual(
                Slot.search([('day', 'not in', ['past', 'today'])]),
                list(session.slots[2:]))
            self.assertEqual(Slot.search([('day', '=', 'past')]), [])
            self.assertEqual(tomorrow.day, 'coming')
            Slot.open([morning, afternoon])
            with at(morning.start_at + minutes(60)):
                Slot.close([morning])
                with self.assertRaisesRegex(SheetError, "has started"):
                    Slot.close([afternoon])
            Slot.close([afternoon])
            Session.cancel([session])
            with self.assertRaisesRegex(SheetError, "cancelled"):
                Slot.open([afternoon])

    @with_transaction()
    def test_cancel(self):
        "Test that a class that is called off after its sheet was opened"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            slots, (first, *_) = self.open(session)
            slot, = slots
            enrolment = first.enrolment
            Slot.cancel(slots)
            self.assertEqual(slot.state, 'cancelled')
            self.assertFalse(slot.attendances)
            self.assertFalse(enrolment.hours_held)
            Slot.write(slots, {'cancel_reason': "The trainer is ill"})
            cancelled, _ = slot.sheet_events
            self.assertEqual(
                (cancelled.kind, cancelled.attendances, cancelled.unchecked,
                    cancelled.reason),
                ('cancelled', 3, 3, "The trainer is ill"))
            # The history keeps what it has told
            Slot.write(slots, {'cancel_reason': "Nobody came"})
            self.assertEqual(
                [e.reason for e in Slot(slot.id).sheet_events],
                ["The trainer is ill", None])

            # Nothing is left of it once it is planned again
            Slot.plan(slots)
            self.assertFalse(slot.cancel_reason)
            Slot.open(slots)
            Attendance.write(list(slot.attendances[:1]), {'state': 'absent'})
            self.warned(
                SheetCancelWarning, "were checked", Slot.cancel, slots)
            self.assertEqual(len(slot.attendances), 1)
            Slot.plan(slots)
            self.assertFalse(slot.attendances)
            Slot.open(slots)
            self.assertEqual(
                {a.state for a in slot.attendances}, {'present'})
            Slot.cancel(slots)
            Session.cancel([session])
            self.assertEqual(session.state, 'cancelled')

    @with_transaction()
    def test_cancel_held(self):
        "Test that an official sheet is reopened before its slot is cancelled"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            slots, _ = self.open(session)
            Slot.close(slots)
            with self.assertRaisesRegex(SheetError, "reopen the sheet"):
                Slot.cancel(slots)
            with self.assertRaisesRegex(SheetError, "reason"):
                run_wizard('training.session.slot.reopen', slots, reason=" ")
            with Transaction().set_context(_skip_warnings=False):
                # Who tells a reason knows what it is
                run_wizard(
                    'training.session.slot.reopen', slots,
                    reason="Wrong half-day")
            reopened, *_ = slots[0].sheet_events
            self.assertEqual(
                (reopened.kind, reopened.reason),
                ('reopened', "Wrong half-day"))
            with self.assertRaisesRegex(SheetError, "Open"):
                run_wizard(
                    'training.session.slot.reopen', slots, reason="Again")
            Slot.cancel(slots)
            self.assertEqual(slots[0].state, 'cancelled')

            # Planned again it has never been official
            def closed():
                return Enrolment.last_closed_half_days(
                    Enrolment.search([])).get(session)

            Slot.plan(slots)
            self.assertIsNone(closed())
            Slot.open(slots)
            self.assertEqual(len(Slot(slots[0].id).attendances), 3)
            self.assertIsNone(closed())
            Slot.close(slots)
            half = closed()
            self.assertTrue(half)
            # It stays known while it is open again
            Slot.open(slots)
            self.assertEqual(closed(), half)

    @with_transaction()
    def test_absent_day(self):
        "Test the absence all day from attendances and enrolments"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')

        def states(enrolment):
            return [
                a.state for a in Attendance.search(
                    [('enrolment', '=', enrolment.id)],
                    order=[('slot.date', 'ASC'), ('slot.start', 'ASC')])]

        name = 'training.attendance.absent_day'
        with set_up() as (_, session, _):
            slots, attendances = self.open(session, slots=3)
            first, second, third = [a.enrolment for a in attendances]
            excused, = Attendance.search([
                    ('enrolment', '=', second.id),
                    ('slot', '=', slots[1].id),
                    ])
            Attendance.write([excused], {'state': 'excused'})
            wizard = pool.get(name, type='wizard')
            session_id, _, _ = wizard.create()
            with Transaction().set_context(
                    active_model='training.attendance',
                    active_id=attendances[0].id,
                    active_ids=[a.id for a in attendances[:2]]):
                wizard.execute(session_id, {}, 'choose')
            self.assertEqual(states(first), ['absent', 'absent', 'present'])
            self.assertEqual(states(second), ['absent', 'excused', 'present'])

            run = run_wizard
            self.warned(
                AbsentDayWarning, "1 slot of that day",
                lambda: run(
                    name, [third], date=DATE + DAY, state='excused',
                    justification="Summons"))
            self.assertEqual(
                states(third), ['present', 'present', 'excused'])
            attendance, = Attendance.search([
                    ('enrolment', '=', third.id), ('state', '=', 'excused')])
            self.assertEqual(attendance.justification, "Summons")
            # The slot that was only planned has been left as it is
            self.assertEqual(session.slots[3].state, 'planned')
            Slot.close(slots)
            with self.assertRaisesRegex(SheetError, "must first open"):
                run(name, [third], date=DATE)

    @with_transaction()
    def test_statements(self):
        "Test that the statements do not depend on the number of lines"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        Wizard = pool.get('training.attendance.absent_day', type='wizard')
        counts = []
        with set_up() as (company, _, _):
            # The first ones only fill the caches
            for number in [2, 2, 2, 30]:
                session = create_session(company)
                (slot, *_), attendances = self.open(
                    session, count=number, slots=2)
                wizard_id, _, _ = Wizard.create()
                count = []
                with count_statements() as statements, \
                        Transaction().set_context(
                            active_model='training.attendance',
                            active_id=attendances[0].id,
                            active_ids=[a.id for a in attendances]):
                    Wizard.execute(wizard_id, {}, 'choose')
                count.append(len(statements))
                self.assertEqual(Attendance.search([
                            ('slot.session', '=', session.id),
                            ('state', '=', 'absent'),
                            ], count=True), number * 2)
                with count_statements() as statements:
                    Slot.read([s.id for s in session.slots], [
                            'attendance_count', 'unchecked_count',
                            'expected_count', 'filled_count', 'closed_at',
                            'closed_by', 'reopened_count'])
                count.append(len(statements))
                with self.week(session, DATE) as Week:
                    with count_statements() as statements:
                        weeks = Week.search_read([], fields_names=[
                                'trainee.rec_name', 'monday_morning',
                                'tuesday_afternoon'])
                self.assertEqual(len(weeks), number)
                count.append(len(statements))
                counts.append(count)
        self.assertEqual(counts[2], counts[3])

    def week(self, session, date):
        pool = Pool()
        Week = pool.get('training.attendance.week')
        context = Transaction().set_context(session=session.id, date=date)

        class Manager:
            def __enter__(self):
                context.__enter__()
                return Week

            def __exit__(self, *args):
                context.__exit__(*args)
        return Manager()

    @with_transaction()
    def test_week(self):
        "Test the grid of a week and what is typed in it"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Context = pool.get('training.attendance.week.context')
        ModelAccess = pool.get('ir.model.access')
        Slot = pool.get('training.session.slot')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            (slot,), (attendance, late, gone) = self.open(session)
            Slot.create([{
                        'session': session.id,
                        'date': DATE,
                        'start': dt.time(12),
                        'end': dt.time(12, 30),
                        }])
            lunch, = Slot.search([('start', '=', dt.time(12))])
            Slot.open([lunch])
            Attendance.write([late], {
                    'state': 'late', 'late_minutes': 15, 'left_minutes': 5})
            Enrolment.write([gone.enrolment], {'end_date': DATE})
            user = create_user('assistant', company, 'training')
            with self.week(session, DATE + 6 * DAY) as Week, as_user(user):
                with Transaction().set_context(
                        session=session.id, date=DATE + 6 * DAY):
                    weeks = {w.id: w for w in Week.search([])}
                    self.assertEqual(len(weeks), 3)
                    week = weeks[late.enrolment.id]
                    self.assertEqual(week.monday_morning, 'L15 D5 / P?')
                    self.assertEqual(week.monday_afternoon, '–')
                    self.assertEqual(week.tuesday_morning, '–')
                    self.assertIsNone(week.wednesday_morning)
                    self.assertIsNone(
                        weeks[gone.enrolment.id].tuesday_morning)
                    for entry, expected in [
                            ('a', 'A / A'),
                            ('p/l 10', 'P / L10'),
                            ('E/d5', 'E / D5'),
                            ('L5 D10 / P', 'L5 D10 / P'),
                            ('L/P?', 'L / P'),
                            ]:
                        with self.subTest(entry=entry):
                            Week.write([week], {'monday_morning': entry})
                            self.assertEqual(
                                Week(week.id).monday_morning, expected)
                    for entry in [
                            '', None, 'x', 'p/p/p', 'a15', 'p a', '15',
                            'l200/p']:
                        with self.subTest(entry=entry), \
                                self.assertRaises(
                                    (SheetError, TrainingValidationError)):
                            Week.write([week], {'monday_morning': entry})
                    for name in ['monday_afternoon', 'tuesday_morning']:
                        with self.assertRaisesRegex(
                                AccessError, "must open"):
                            Week.write([week], {name: 'A'})
                    access = ModelAccess.get_access([Week.__name__])
                    self.assertEqual(access[Week.__name__], {
                            'read': True,
                            'write': True,
                            'create': False,
                            'delete': False,
                            })
            with self.week(session, DATE + 7 * DAY) as Week:
                self.assertEqual(
                    [w.monday_morning for w in Week.search([])], [None] * 2)
                context = Context(date=DATE + 7 * DAY)
                self.assertEqual(
                    context.on_change_with_from_date(), DATE + 7 * DAY)
                self.assertEqual(
                    context.on_change_with_to_date(), DATE + 13 * DAY)
                self.assertEqual(Context.default_session(), session.id)
                self.assertEqual(Context.default_date(), DATE + DAY)

    @with_transaction()
    def test_week_opening(self):
        "Test that the grid is of the week chosen, which its titles tell"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Week = pool.get('training.attendance.week')
        with set_up() as (company, session, _):
            (slot,), (attendance, *_) = self.open(session)
            wizard, start = open_wizard(
                'training.attendance.week.open', [session])
            self.assertEqual(start['session'], session.id)
            self.assertEqual(
                (start['date'], start['from_date'], start['to_date']),
                (DATE + DAY, DATE, DATE + 6 * DAY))
            for date, monday, titles in [
                    (DATE + DAY, DATE,
                        {'tree': "02/03 AM", 'form': "Mon AM 02/03"}),
                    (DATE + 9 * DAY, DATE + 7 * DAY,
                        {'tree': "09/03 AM", 'form': "Mon AM 09/03"}),
                    ]:
                Wizard, session_id = wizard
                with wizard_context([session]):
                    (action, _), = Wizard.execute(session_id, {'start': {
                                'session': session.id, 'date': date,
                                }}, 'open_')['actions']
                context = PYSONDecoder().decode(action['pyson_context'])
                self.assertEqual(
                    context, {
                        'session': session.id,
                        'date': monday,
                        'from_date': monday,
                        'to_date': monday + 6 * DAY,
                        })
                with Transaction().set_context(context):
                    for type_, title in titles.items():
                        view = Week.fields_view_get(view_type=type_)
                        self.assertEqual(
                            view['fields']['monday_morning']['string'],
                            title)
            # The last week of all is not whole
            with Transaction().set_context(date=dt.date.max):
                self.assertEqual(
                    Week.dates(), (dt.date(9999, 12, 27), dt.date.max))
            # Nobody has chosen a week
            week = Week(attendance.enrolment.id)
            with Transaction().set_context(session=session.id), \
                    self.assertRaisesRegex(SheetError, "Choose"):
                Week.write([week], {'monday_morning': 'A'})
            self.assertEqual(Attendance(attendance.id).state, 'present')

    @with_transaction()
    def test_family_names(self):
        "Test that the lines are in the order of the family names"
        pool = Pool()
        Party = pool.get('party.party')
        Slot = pool.get('training.session.slot')
        Trainee = pool.get('training.trainee')
        Week = pool.get('training.attendance.week')
        with set_up() as (_, session, _):
            (slot,), attendances = self.open(session, count=4)
            names = ["Zoe Adam", "Bruno Martin", "Chloe", "Anne Roy"]
            for attendance, name in zip(attendances, names):
                Party.write([attendance.enrolment.trainee.party], {
                        'name': name})
            for i, name in [(0, "Adam"), (3, "Roy"), (1, "")]:
                Trainee.write([attendances[i].enrolment.trainee], {
                        'family_name': name})
            expected = ["Zoe Adam", "Bruno Martin", "Chloe", "Anne Roy"]
            self.assertEqual(
                [a.trainee.rec_name for a in Slot(slot.id).attendances],
                expected)
            with self.week(session, DATE) as Week:
                self.assertEqual(
                    [w.trainee.rec_name for w in Week.search([])], expected)
            table, = self.print('training.session.slot.sign_in_sheet', [slot])
            said = [row[0] for row in table if row[0] in expected]
            self.assertEqual(said, expected)

    @with_transaction()
    def test_day(self):
        "Test the counts of the sheets of the day, the late ones first"
        pool = Pool()
        ActionDomain = pool.get('ir.action.act_window.domain')
        Attendance = pool.get('training.attendance')
        Data = pool.get('ir.model.data')
        Slot = pool.get('training.session.slot')
        with set_up() as (_, session, _):
            slots, attendances = self.open(session, count=3, slots=2)
            Attendance.write(attendances[:1], {'state': 'absent'})
            Slot.close(slots[1:])
            domain = PYSONDecoder().decode(ActionDomain(Data.get_id(
                        'training_abandon',
                        'act_sheet_form_domain_today')).domain)
            self.assertEqual([
                    (s.date, s.state, s.expected_count, s.filled_count,
                        s.absent_count) for s in Slot.search(domain)], [
                    (DATE, 'open', 3, 1, 1),
                    (DATE + DAY, 'planned', 3, 0, 0),
                    (DATE + DAY, 'planned', 3, 0, 0),
                    ])

    def print(self, name, records):
        "Return the rows of the tables, as lists of texts of the cells"
        pool = Pool()
        Report = pool.get(name, type='report')
        with patch.object(
                Report, 'convert', lambda report, data, **kwargs: (
                    'pdf', data)):
            _, content, _, _ = Report.execute([r.id for r in records], {})
        content = etree.fromstring(
            zipfile.ZipFile(BytesIO(content)).read('content.xml'))
        return [[[
                    ' '.join(''.join(cell.itertext()).split())
                    for cell in row.xpath('./*[local-name()="table-cell"]')]
                for row in table.xpath('.//*[local-name()="table-row"]')]
            for table in content.xpath(
                '//*[local-name()="table"][@*[local-name()="name"]="Sheet"]')]

    @with_transaction()
    def test_sign_in_sheet(self):
        "Test the columns and the lines of the sheets to sign"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Party = pool.get('party.party')
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            session = create_session(company, DATE, days=9)
            (slot,), (first, second, third) = self.open(session)
            names = ["Zoé & <Æ>", "Émile 🎓", "Max"]
            for attendance, name in zip([first, second, third], names):
                party = attendance.trainee.party
                Party.write([party], {'name': name})
            trainer = Party(name="Trainer")
            trainer.save()
            Slot.write([slot], {'trainer': trainer.id})
            Enrolment.write([third.enrolment], {'end_date': DATE})
            Attendance.write([first], {'state': 'absent'})
            Attendance.write([second], {
                    'state': 'late', 'late_minutes': 20})

            # Nothing is told of the sheets that are not official
            table, = self.print(
                'training.session.slot.sign_in_sheet', session.slots[:3])
            self.assertEqual(table[1:], [
                    ["Signature of the Trainer", "Trainer", '', ''],
                    ["Émile 🎓", '', '', ''],
                    ["Max", '', '', '╳'],
                    ["Zoé & <Æ>", '', '', ''],
                    ])
            Slot.close([slot])
            table, = self.print(
                'training.session.slot.sign_in_sheet', session.slots[:1])
            self.assertEqual(table[1:], [
                    ["Signature of the Trainer", "Trainer"],
                    ["Émile 🎓", "Late 20"],
                    ["Max", ''],
                    ["Zoé & <Æ>", "— Absent —"],
                    ])
            self.assertIn("09:00 – 12:00", table[0][1])
            # A week of seven days, then of two: at most six slots a page
            tables = self.print('training.session.sign_in_sheet', [session])
            self.assertEqual(
                [len(list(filter(None, t[0]))) - 1 for t in tables],
                [6, 6, 2, 4])
            self.assertEqual({len(r) for t in tables for r in t}, {7})
