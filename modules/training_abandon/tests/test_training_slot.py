# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
from unittest.mock import patch

from lxml import etree

from trytond.model.exceptions import AccessError, ValidationError
from trytond.model.modelstorage import DomainValidationError
from trytond.modules import create_graph, get_module_info
from trytond.modules.company.tests import create_company
from trytond.modules.training_abandon.exceptions import (
    SlotError, SlotWarning, TrainingValidationError)
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, EXTENDED, DatabaseTestCase, apply_wizard, count_statements,
    create_enrolments, create_party, create_session, open_wizard, run_wizard,
    set_up)

HOUR = dt.timedelta(hours=1)


class SlotTestCase(DatabaseTestCase):
    "Test the planning of the slots"

    @property
    def Slot(self):
        return Pool().get('training.session.slot')

    def ask(self, function, *args, **kwargs):
        "Return the lines of the warning, then answer yes"
        pool = Pool()
        Warning = pool.get('res.user.warning')
        # As in another transaction
        Transaction().check_warnings.clear()
        Warning.delete(Warning.search([]))
        with Transaction().set_context(_skip_warnings=False), \
                self.assertRaises(SlotWarning) as cm:
            function(*args, **kwargs)
        Warning.skip(cm.exception.name)
        return cm.exception.description.splitlines()

    def conflicts(self, slot):
        return (self.Slot(slot.id).conflicts or '').splitlines()

    def times(self, slots):
        return [
            (s.date, s.start, s.end)
            for s in sorted(slots, key=lambda s: s.start_at)]

    def set_timezone(self, company, timezone='Europe/Paris'):
        company.timezone = timezone
        company.save()

    @with_transaction()
    def test_clock_change(self):
        "Test the slots of the night when the clocks change"
        with set_up() as (company, session, _):
            self.set_timezone(company)
            session.end_date = dt.date(2026, 3, 31)
            session.save()
            slot = session.slots[0]
            # The last Sunday of March has 23 hours
            self.Slot.write([slot], {
                    'date': dt.date(2026, 3, 29),
                    'start': dt.time(1, 30),
                    'end': dt.time(4, 30),
                    })
            slot = self.Slot(slot.id)
            self.assertEqual(slot.start_at, dt.datetime(2026, 3, 29, 0, 30))
            self.assertEqual(slot.end_at, dt.datetime(2026, 3, 29, 2, 30))
            self.assertEqual(slot.duration, 2 * HOUR)
            for values in [
                    {'start': dt.time(2, 30), 'end': dt.time(3)},
                    {'start': dt.time(3), 'end': dt.time(2, 30)},
                    ]:
                with self.subTest(values=values), \
                        self.assertRaises(TrainingValidationError):
                    self.Slot.write([slot], values)

    @with_transaction()
    def test_calendar_new(self):
        "Test that the time clicked gives the date and the half-day"
        with set_up() as (company, session, _):
            self.set_timezone(company)
            slot = self.Slot(
                session=session, start_at=dt.datetime(2026, 3, 3, 8))
            slot.on_change_start_at()
            self.assertEqual(
                (slot.date, slot.start, slot.end),
                (dt.date(2026, 3, 3), dt.time(9), dt.time(12, 30)))

    @with_transaction()
    def test_held(self):
        "Test that a sheet that has been opened keeps the slot in its place"
        with set_up() as (company, session, _):
            slot = session.slots[0]
            self.Slot.open([slot])
            for name in ['move', 'split']:
                with self.subTest(name=name), self.assertRaises(AccessError):
                    open_wizard(f'training.session.slot.{name}', [slot])

    @with_transaction()
    def test_conflicts(self):
        "Test that who and what is booked twice is told and may be accepted"
        pool = Pool()
        Address = pool.get('party.address')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, trainer):
            room, = Address.create([{
                        'party': company.party.id,
                        'building_name': "Room 1",
                        }])
            other = create_session(company)
            slot, next_, *_ = session.slots
            other_slot = other.slots[0]
            self.Slot.write([slot, next_], {'trainer': trainer.id})
            self.assertEqual(self.conflicts(slot), [])

            lines = self.ask(
                self.Slot.write, [other_slot], {'trainer': trainer.id})
            self.assertEqual(lines, [
                    f'{other_slot.planning_name}: The trainer Job Centre is '
                    f'already booked on {slot.planning_name}.'])
            self.Slot.write([other_slot], {'trainer': trainer.id})
            self.assertEqual(self.conflicts(slot), [
                    'The trainer Job Centre is already booked on '
                    f'{other_slot.planning_name}.'])

            self.Slot.write([slot], {'location': room.id})
            self.ask(self.Slot.write, [other_slot], {'location': room.id})
            self.Slot.write([other_slot], {'location': room.id})
            first, second = create_enrolments(session, 2)
            Enrolment.create([{
                        'company': company.id,
                        'session': other.id,
                        'trainee': e.trainee.id,
                        'currency': company.currency.id,
                        'state': state,
                        } for e, state in [
                        (first, 'started'), (second, 'cancelled')]])
            self.assertEqual(len(self.conflicts(slot)), 3)
            self.assertEqual(
                self.conflicts(slot)[2],
                f'Another slot for {first.trainee.rec_name} on '
                f'{other_slot.planning_name}.')
            self.assertNotIn(
                second.trainee.rec_name,
                '\n'.join(self.conflicts(other_slot)))
            self.assertEqual(self.Slot(slot.id).calendar_background_color,
                '#cc0000')
            arch = self.Slot.fields_view_get(view_type='tree')['arch']
            self.assertIn('conflicting', etree.fromstring(arch).get('visual'))
            conflicting = self.Slot.search([('conflicting', '=', True)])
            self.assertEqual(
                set(conflicting), {*session.slots, *other.slots})
            self.assertEqual(self.Slot.search([
                        ('conflicting', '=', False),
                        ('session', '=', session.id),
                        ]), [])

            # Not with the slots of another company
            foreign = create_session(create_company(name="Foreign"))
            self.Slot.write(list(foreign.slots[:1]), {'trainer': trainer.id})
            self.assertEqual(len(self.conflicts(slot)), 3)

            # Neither the slots that only touch, nor those cancelled
            self.Slot.write([other_slot], {
                    'start': dt.time(12), 'end': dt.time(13)})
            self.assertEqual(self.conflicts(slot), [])
            self.ask(self.Slot.write, [other_slot], {'start': dt.time(11)})
            self.Slot.write([other_slot], {'start': dt.time(11)})
            self.Slot.cancel([other_slot])
            self.assertEqual(self.conflicts(slot), [])
            self.ask(self.Slot.plan, [other_slot])
            # The sheets open without another question
            self.assertTrue(self.conflicts(slot))
            with Transaction().set_context(_skip_warnings=False):
                self.Slot.open([slot])

    @with_transaction()
    def test_conflicts_of_session(self):
        "Test the slots of one session at the same time"
        with set_up() as (company, session, trainer):
            slot = session.slots[0]
            values = {
                'session': session.id,
                'date': slot.date,
                'start': dt.time(10),
                'end': dt.time(11),
                }
            lines = self.ask(self.Slot.create, [values])
            self.assertEqual(len(lines), 1)
            self.assertIn('another slot at the same time', lines[0])
            # Two trainers share the trainees
            create_enrolments(session)
            self.Slot.delete(self.Slot.search([
                        ('session', '=', session.id),
                        ('start', '=', dt.time(10)),
                        ]))
            # The answer is for the slot that is created again
            double, = self.Slot.create([values])
            self.Slot.delete([double])
            self.Slot.write([slot], {'trainer': trainer.id})
            self.Slot.create([
                    {**values, 'trainer': create_party("Other").id}])
            self.assertEqual(self.conflicts(slot), [])

    @with_transaction()
    def test_conflicts_skipped(self):
        "Test that neither the queue nor the scripts are asked"
        with set_up() as (company, session, trainer):
            session2, session3 = (create_session(company) for _ in range(2))
            self.Slot.write([session.slots[0]], {'trainer': trainer.id})
            for slot, context in [
                    (session2.slots[0], {'_skip_warnings': True}),
                    (session3.slots[0], {'skip_slot_conflicts': True}),
                    ]:
                with Transaction().set_context(
                        {'_skip_warnings': False, **context}):
                    self.Slot.write([slot], {'trainer': trainer.id})

    @with_transaction()
    def test_conflicts_statements(self):
        "Test that the number of slots does not change that of statements"
        with set_up() as (company, session, trainer):
            sessions = [create_session(company, days=15) for _ in range(2)]
            for session in sessions:
                create_enrolments(session, 2)
            slots = [s for n in sessions for s in n.slots]
            with Transaction().set_context(_skip_warnings=True):
                self.Slot.write(slots, {'trainer': trainer.id})
            counts = []
            for size in [5, 5, 60]:
                Transaction().counter += 1
                for cache in Transaction().cache.values():
                    cache.clear()
                with count_statements() as statements:
                    records = self.Slot.browse([s.id for s in slots[-size:]])
                    self.assertTrue(all(s.conflicts for s in records))
                counts.append(len(statements))
            # The first one reads the messages too
            self.assertEqual(*counts[1:])

    @with_transaction()
    def test_trainees(self):
        "Test who is expected at the slots"
        with set_up() as (company, session, _):
            first, second = create_enrolments(session, 2)
            second.end_date = DATE
            second.save()
            morning, _, last, _ = self.Slot.browse(session.slots)
            self.assertEqual(
                morning.trainees, (first.trainee, second.trainee))
            self.assertEqual(last.trainees, (first.trainee,))
            for clause, count in [
                    (('trainees', '=', first.trainee.id), 4),
                    (('trainees', 'in', [second.trainee.id]), 2),
                    (('trainees', 'ilike', second.trainee.rec_name), 2),
                    (('trainees.party', '=', first.trainee.party.id), 4),
                    ]:
                with self.subTest(clause=clause):
                    self.assertEqual(self.Slot.search([clause], count=True),
                        count)

    @with_transaction()
    def test_move(self):
        "Test moving slots together, each into the place of another one"
        with set_up() as (company, session, trainer):
            session.end_date += 7 * DAY
            session.save()
            self.Slot.write(list(session.slots), {'trainer': trainer.id})
            other = create_session(company, start=DATE + DAY)
            self.Slot.write([other.slots[3]], {'trainer': trainer.id})
            old = self.times(session.slots)
            wizard, start = open_wizard(
                'training.session.slot.move', session.slots)
            self.assertEqual(start['by'], 'shift')
            start['days'] = 1
            form = self.preview('training.session.slot.move.start', start)
            self.assertEqual(
                [bool(line.conflicts) for line in form.lines],
                [False, False, False, True])
            with Transaction().set_context(_skip_warnings=True):
                apply_wizard(wizard, session.slots, start)
            self.assertEqual(
                self.times(session.slots),
                [(date + DAY, start, end) for date, start, end in old])

            run_wizard(
                'training.session.slot.move', session.slots, days=-1,
                time=HOUR)
            self.assertEqual(self.times(session.slots)[0],
                (DATE, dt.time(10), dt.time(13)))
            slot = session.slots[0]
            run_wizard(
                'training.session.slot.move', [slot],
                start=dt.time(8, 30), end=dt.time(12))
            self.assertEqual(self.times([self.Slot(slot.id)]),
                [(DATE, dt.time(8, 30), dt.time(12))])
            for error, values in [
                    (SlotError, {'by': 'shift', 'time': 14 * HOUR}),
                    (SlotError, {'by': 'shift', 'days': 2 ** 31 - 1}),
                    (SlotError, {'by': 'shift', 'days': -800000}),
                    (ValidationError, {'date': DATE + 30 * DAY}),
                    (ValidationError, {'end': dt.time(8)}),
                    ]:
                with self.subTest(values=values), self.assertRaises(error):
                    run_wizard('training.session.slot.move', [slot], **values)

    def preview(self, model, values):
        "Return the form with its preview"
        Model = Pool().get(model)
        form = Model(**{
                k: v for k, v in values.items() if not k.endswith('.')})
        for name in ['on_change_by', 'on_change_start_date']:
            if hasattr(form, name):
                getattr(form, name)()
        return form

    @with_transaction()
    def test_split(self):
        "Test splitting slots with a break and another trainer"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        with set_up() as (company, session, trainer):
            slot, afternoon, _, other = session.slots
            slot.uid = '1@example.com'
            slot.save()
            _, start = open_wizard('training.session.slot.split', [slot])
            self.assertEqual(start['end'], dt.time(10, 30))
            run_wizard('training.session.slot.split', [slot],
                end=dt.time(10), start=dt.time(10, 15), trainer=trainer.id)
            slots = sorted(
                self.Slot.search([('session', '=', session.id)]),
                key=lambda s: s.start_at)[:2]
            self.assertEqual(self.times(slots), [
                    (DATE, dt.time(9), dt.time(10)),
                    (DATE, dt.time(10, 15), dt.time(12))])
            self.assertEqual([s.trainer for s in slots], [None, trainer])
            self.assertEqual([s.uid for s in slots], ['1@example.com', None])

            with self.assertRaises(SlotError):
                run_wizard('training.session.slot.split', [afternoon],
                    end=dt.time(10), start=dt.time(10))
            enrolment, = create_enrolments(session)
            Attendance.create([{
                        'enrolment': enrolment.id,
                        'slot': afternoon.id,
                        'state': 'present',
                        }])
            with self.assertRaises(SlotError):
                run_wizard('training.session.slot.split', [afternoon],
                    end=dt.time(15), start=dt.time(15))
            self.Slot.cancel([other])
            with self.assertRaises(SlotError):
                open_wizard('training.session.slot.split', [other])

    @with_transaction()
    def test_generate(self):
        "Test that the slots generated skip what is closed or exists"
        pool = Pool()
        Closure = pool.get('training.closure')
        with set_up() as (company, session, trainer):
            self.set_timezone(company)
            Closure.create([{
                        'company': company.id,
                        'name': "Bridge",
                        'start_date': dt.date(2026, 5, 15),
                        'end_date': dt.date(2026, 5, 15),
                        }])
            session = create_session(company, dt.date(2026, 5, 11), days=14)
            session.course.duration = 35 * HOUR
            session.course.save()
            self.Slot.delete(session.slots[2:])
            self.Slot.cancel(session.slots[1:2])
            wizard, start = open_wizard(
                'training.session.slot.generate', [session])
            self.assertEqual(
                [t['end'] for t in start['times']],
                [dt.time(12, 30), dt.time(17)])
            # Ascension Day and its bridge
            self.assertEqual(start['skipped'].splitlines(), [
                    'Holidays and closures: 05/14/2026, 05/15/2026.',
                    'Already there: 05/11/2026 09:00 - 12:00, '
                    '05/11/2026 14:00 - 17:00.'])
            self.assertEqual(start['new_count'], 10)
            start['monday'] = False
            start['saturday'] = True
            apply_wizard(wizard, [session], start)
            slots = self.Slot.search([
                    ('session', '=', session.id), ('state', '=', 'planned')])
            self.assertEqual(
                sorted({s.date.day for s in slots}),
                [11, 12, 13, 16, 19, 20])
            self.assertEqual(
                sum((s.duration for s in slots), dt.timedelta()), 35 * HOUR)
            # The last one is as short as it must
            self.assertEqual(self.times(slots)[-1][2], dt.time(14))

            for values in [start, dict(start, duration=None, count=11)]:
                apply_wizard(wizard, [session], values)
                self.assertEqual(
                    len(self.Slot.search([('session', '=', session.id)])), 12)

            times = start['times']
            for values in [
                    {'times': []},
                    {'times': [dict(times[0], end=dt.time(8))]},
                    {'times': [times[0], dict(
                                times[1], start=dt.time(12))]},
                    {'start_date': dt.date(2026, 5, 4)},
                    ]:
                with self.subTest(values=values), \
                        self.assertRaises(TrainingValidationError):
                    apply_wizard(wizard, [session], {**start, **values})
                self.preview(
                    'training.session.slot.generate.start', {
                        **start, **values, 'session': session.id})

    @with_transaction()
    def test_cancel_session(self):
        "Test that the planned slots follow the session that is cancelled"
        pool = Pool()
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            held, open_, planned, _ = session.slots
            self.Slot.open([held, open_])
            self.Slot.close([held])
            with self.assertRaises(SlotError):
                Session.cancel([session])
            self.Slot.close([open_])
            Session.cancel([session])
            self.assertEqual(
                [s.state for s in self.Slot.browse(session.slots)],
                ['held', 'held', 'cancelled', 'cancelled'])
            with self.assertRaises(SlotError):
                self.Slot.plan([planned])
            Session.draft([session])
            self.Slot.plan([planned])
            with self.assertRaises(SlotError):
                Session.cancel([session])
                open_wizard('training.session.slot.generate', [session])

    @with_transaction()
    def test_to_fill(self):
        "Test that the slots of a cancelled session are not to fill"
        pool = Pool()
        ActionDomain = pool.get('ir.action.act_window.domain')
        Data = pool.get('ir.model.data')
        domain = PYSONDecoder({}).decode(ActionDomain(Data.get_id(
                    'training_abandon',
                    'act_slot_form_domain_to_fill')).domain)
        with set_up() as (company, session, _):
            self.assertEqual(len(self.Slot.search(domain)), 4)
            # As it was before the slots followed the session
            session.state = 'cancelled'
            session.save()
            self.assertEqual(self.Slot.search(domain), [])

    @with_transaction()
    def test_slot_utc(self):
        "Test the UTC times of the slots on both sides of a DST change"
        with set_up() as (company, _, _):
            company.timezone = 'Europe/Paris'
            company.save()
            session = create_session(company, start=dt.date(2026, 3, 28))
            self.assertEqual(
                [s.start_at.hour for s in session.slots], [8, 13, 7, 12])
            self.assertEqual(
                {s.duration for s in session.slots}, {dt.timedelta(hours=3)})

    @with_transaction()
    def test_slot_dates_out_of_order(self):
        "Test the refusal of dates and times out of order"
        pool = Pool()
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            slot = session.slots[0]
            with self.assertRaises(TrainingValidationError):
                Slot.write([slot], {'end': dt.time(8)})
            with self.assertRaises(TrainingValidationError):
                Slot.write([slot], {'date': DATE - DAY})
            with self.assertRaises(DomainValidationError):
                Session.write([session], {'end_date': DATE - DAY})


class ProjectTestCase(DatabaseTestCase):
    "Test the sessions that a project plans"
    modules = EXTENDED

    @with_transaction()
    def test_origin(self):
        "Test that the work gives its dates"
        pool = Pool()
        Session = pool.get('training.session')
        Work = pool.get('project.work')
        with set_up() as (company, session, _):
            work, = Work.create([{
                        'name': "Train the accountants",
                        'company': company.id,
                        'type': 'task',
                        'timesheet_available': True,
                        'timesheet_start_date': DATE + DAY,
                        'timesheet_end_date': DATE + 4 * DAY,
                        }])
            self.assertIn('project.work', dict(Session.get_origin()))
            session.origin = work
            session.on_change_origin()
            self.assertEqual(
                (session.start_date, session.end_date),
                (DATE + DAY, DATE + 4 * DAY))

            work.constraint_start_date = DATE
            work.constraint_finish_date = DATE + 4 * DAY
            work.save()
            session.on_change_origin()
            self.assertEqual(
                (session.start_date, session.end_date),
                (DATE, DATE + 4 * DAY))
            session.save()
            self.assertEqual(
                Session.search([
                        ('origin.id', 'in', [work.id], 'project.work')]),
                [session])

            # Without dates, those of the session stay
            session.origin, = Work.create([{
                        'name': "To plan",
                        'company': company.id,
                        'type': 'project',
                        }])
            session.on_change_origin()
            self.assertEqual(session.start_date, DATE)


class ProjectPoolTestCase(DatabaseTestCase):
    "Test the projects without the accounts"

    @with_transaction()
    def test_setup(self):
        "Test that the models are set up"
        database = Transaction().database
        modules = self.depends({
                'training_abandon', 'project', 'project_plan'})
        self.assertNotIn('account', modules)
        self.addCleanup(Pool.stop, 'projects')
        with patch.object(database, 'name', 'projects'), \
                Transaction().set_context(language='en'):
            pool = Pool()
            for node in create_graph(modules):
                pool.setup(pool.fill(node.name, modules))
            Session = pool.get('training.session')
            Work = pool.get('project.work')
        self.assertIn('project.work', Session._get_origin())
        self.assertIn('constraint_start_date', Work._fields)

    def depends(self, modules):
        "Return the modules with those that they depend on"
        depends = {
            d for m in modules for d in get_module_info(m).get('depends', [])}
        return modules if depends <= modules else self.depends(
            modules | depends)
