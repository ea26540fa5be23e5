# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import base64
import datetime as dt
import hashlib
import json
import re
from collections import Counter
from contextlib import contextmanager
from io import StringIO
from unittest.mock import patch
from zoneinfo import ZoneInfo

import recurring_ical_events
import vobject
from dateutil.tz import tzical
from icalendar import Calendar

import trytond.config as config
from trytond import backend
from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.modules.company.tests import create_company
from trytond.modules.training_abandon.exceptions import CalendarLinkError
from trytond.modules.training_abandon.ical import content as calendar_content
from trytond.modules.training_abandon.ical import routes
from trytond.modules.training_abandon.ical.zone import vtimezone
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, RouteTestCase, with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, as_user, count_statements, create_enrolments, create_party,
    create_session, create_user, set_up, today, wizard_context)

NOT_FOUND = 404


class CalendarTestCase(RouteTestCase):
    "Test the calendars that people subscribe to"
    module = 'training_abandon'

    @classmethod
    def setUpDatabase(cls):
        with set_up() as (company, session, _):
            company.timezone = 'Europe/Paris'
            company.save()

    @contextmanager
    def transaction(self):
        with Transaction().start(DB_NAME, 1), today():
            yield Pool()

    def issue(self, resource, **values):
        pool = Pool()
        Feed = pool.get('training.calendar.feed')
        kinds = {
            'training.session': 'session',
            'training.trainee': 'trainee',
            'party.party': 'trainer',
            }
        kind = kinds[resource.__name__]
        values.setdefault('company', Transaction().context.get('company'))
        return Feed.issue(**{
                'name': "Phone", 'kind': kind, kind: resource.id, **values})

    def url(self, token, database=None):
        database = base64.urlsafe_b64encode(
            (database or self.db_name).encode()).decode().rstrip('=')
        return f'/{database}/training/calendar/{token}.ics'

    def get(self, url, method='GET', date=DATE, **headers):
        headers = {k.replace('_', '-'): v for k, v in headers.items()}
        with today(date, pool=Pool(DB_NAME)):
            return self.client().open(url, method=method, headers=headers)

    def events(self, feed):
        "Return the events of the feed by UID, as the icalendar library reads"
        for cache in Transaction().cache.values():
            cache.clear()
        calendar = Calendar.from_ical(feed.render())
        return {str(e['UID']): e for e in calendar.walk('VEVENT')}

    def slots_of(self, events):
        return {int(re.match(r'training-slot-(\d+)@', u)[1]) for u in events}

    def assertStrict(self, data):
        "Check the content lines of RFC 5545"
        self.assertTrue(data.endswith(b'\r\n'))
        self.assertFalse(re.search(rb'(?<!\r)\n|\r(?!\n)', data))
        lines = data.split(b'\r\n')[:-1]
        for line in lines:
            self.assertLessEqual(len(line), 75)
            line.decode('utf-8')
        stack, names = [], Counter()
        for line in data.decode('utf-8').replace('\r\n ', '').splitlines():
            match = re.fullmatch(
                r'([A-Z-]+)((?:;[A-Z-]+=[^;:,"]+)*):([^\x00-\x1f\x7f]*)',
                line)
            self.assertTrue(match, msg=line)
            name, _, value = match.groups()
            if name == 'BEGIN':
                stack.append(value)
                names = Counter()
            elif name == 'END':
                self.assertEqual(stack.pop(), value)
                if value == 'VEVENT':
                    self.assertFalse(
                        {'UID', 'DTSTAMP', 'DTSTART', 'DTEND', 'SEQUENCE',
                            'STATUS'} - names.keys())
                    self.assertEqual(set(names.values()), {1})
            names[name] += 1
            if name in {'SUMMARY', 'DESCRIPTION', 'LOCATION', 'NAME'}:
                self.assertTrue(
                    re.fullmatch(r'(?:[^\\,;]|\\[\\,;n])*', value), msg=line)
        self.assertFalse(stack)

    def test_route(self):
        "Test what the clients that subscribe are answered"
        with self.transaction() as pool:
            Session = pool.get('training.session')
            session, = Session.search([], limit=1)
            feed, token = self.issue(session, company=session.company.id)
            feed_id, slot_id = feed.id, session.slots[0].id
            _, last_day = self.issue(
                session, company=session.company.id, expires_on=DATE)
        url = self.url(token)

        response = self.get(url)
        self.assertEqual(response.status_code, 200)
        self.assertEqual(
            response.headers['Content-Type'], 'text/calendar; charset=utf-8')
        self.assertIn('private', response.headers['Cache-Control'])
        self.assertIn('calendar.ics', response.headers['Content-Disposition'])
        self.assertNotIn('Set-Cookie', response.headers)
        self.assertStrict(response.data)
        self.assertNotIn(b'localhost', response.data)
        etag = response.headers['ETag']
        modified = response.headers['Last-Modified']
        self.assertFalse(etag.startswith('W/'))

        head = self.get(url, method='HEAD')
        self.assertEqual((head.status_code, head.data), (200, b''))
        self.assertEqual(head.headers['ETag'], etag)
        for method in ['POST', 'PUT', 'DELETE', 'PATCH']:
            self.assertEqual(self.get(url, method=method).status_code, 405)

        again = self.get(url, date=DATE + 3 * DAY)
        self.assertEqual(again.data, response.data)
        self.assertEqual(again.headers['Last-Modified'], modified)
        for headers in [
                {'If_None_Match': etag}, {'If_Modified_Since': modified}]:
            response = self.get(url, **headers)
            self.assertEqual((response.status_code, response.data), (304, b''))
        # The tag matters more than the time
        self.assertEqual(self.get(
                url, If_None_Match='"x"',
                If_Modified_Since=modified).status_code, 200)

        with self.transaction() as pool:
            Feed = pool.get('training.calendar.feed')
            Slot = pool.get('training.session.slot')
            feed = Feed(feed_id)
            self.assertEqual(
                feed.last_used_at,
                dt.datetime.combine(DATE + 3 * DAY, dt.time(20)))
            self.assertEqual(
                feed.changed_at, dt.datetime.combine(DATE, dt.time(20)))
            self.assertEqual(
                feed.token_hash, hashlib.sha256(token.encode()).hexdigest())
            Slot.delete([Slot(slot_id)])
        # A deletion leaves no trace but the content
        changed = self.get(
            url, If_None_Match=etag, If_Modified_Since=modified)
        self.assertEqual(changed.status_code, 200)
        self.assertNotEqual(changed.headers['ETag'], etag)
        self.assertNotEqual(changed.headers['Last-Modified'], modified)
        self.assertEqual(
            self.get(url, If_Modified_Since=modified).status_code, 200)

        self.assertEqual(self.get(self.url(last_day)).status_code, 200)
        with self.transaction() as pool:
            Feed = pool.get('training.calendar.feed')
            Feed.revoke([Feed(feed_id)])
        answers = [
            self.get(url),
            self.get(self.url(last_day), date=DATE + DAY),
            self.get(self.url('unknown')),
            self.get(self.url('é%00,' * 100)),
            ]
        self.assertEqual({a.status_code for a in answers}, {NOT_FOUND})
        self.assertEqual(len({a.data for a in answers}), 1)
        self.assertEqual(
            self.get(self.url(token, 'other')).status_code, NOT_FOUND)

    def test_route_locked(self):
        "Test that the calendar is sent when its use cannot be noted"
        with self.transaction() as pool:
            Session = pool.get('training.session')
            session, = Session.search([], limit=1)
            _, token = self.issue(session, company=session.company.id)
        with patch.object(
                routes, '_note_use',
                side_effect=backend.DatabaseOperationalError), \
                self.assertLogs(routes.logger):
            response = self.get(self.url(token))
        self.assertEqual(response.status_code, 200)
        self.assertNotIn('Last-Modified', response.headers)

    @with_transaction()
    def test_content(self):
        "Test that other libraries read the slots as they are"
        pool = Pool()
        Address = pool.get('party.address')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        name = 'Vente, négociation; "B2B" \\ 😀 ' * 4 + '\u2028\x07x'
        with set_up() as (company, _, __):
            session = create_session(
                company, start=dt.date(2026, 3, 28), days=1)
            session.course.name = name
            session.course.save()
            session.end_date = dt.date(2027, 4, 1)
            session.location, = Address.create([{
                        'party': company.party.id,
                        'street_unstructured': "1, rue Étroite\nBâtiment; 2",
                        'city': "Dijon",
                        }])
            session.save()
            times = [
                (dt.date(2026, 3, 29), dt.time(1, 30), dt.time(3, 30)),
                (dt.date(2026, 3, 29), dt.time(3, 30), dt.time(9)),
                (dt.date(2026, 10, 25), dt.time(1, 30), dt.time(9)),
                (dt.date(2026, 12, 31), dt.time(22), dt.time(23, 59)),
                (dt.date(2027, 1, 1), dt.time(0), dt.time(1)),
                (dt.date(2027, 3, 28), dt.time(0), dt.time(3, 15)),
                ]
            Slot.create([{
                        'session': session.id,
                        'date': date, 'start': start, 'end': end,
                        } for date, start, end in times])
            Session.plan([session])
            slots = Slot.search([('session', '=', session.id)])
            feed, _ = self.issue(session)
            content = feed.render()
            self.assertEqual(feed.render(), content)
            expected = sorted((s.start_at, s.end_at) for s in slots)
            company.timezone = None
            company.save()
            in_utc = Calendar.from_ical(feed.render())
            expected_in_utc = sorted(
                (s.start_at, s.end_at) for s in Slot.browse(slots))
        self.assertStrict(content)

        def utc(value):
            return value.astimezone(dt.timezone.utc).replace(tzinfo=None)

        calendar = Calendar.from_ical(content)
        self.assertEqual(calendar.errors, [])
        found = {
            'icalendar': calendar.walk('VEVENT'),
            'expanded': recurring_ical_events.of(calendar).between(
                dt.date(2026, 1, 1), dt.date(2028, 1, 1)),
            'UTC': in_utc.walk('VEVENT'),
            }
        found = {
            library: sorted((utc(e.start), utc(e.end)) for e in events)
            for library, events in found.items()}
        other = vobject.readOne(content.decode('utf-8'))
        found['vobject'] = sorted(
            (utc(e.dtstart.value), utc(e.dtend.value))
            for e in other.vevent_list)
        for library, events in found.items():
            with self.subTest(library=library):
                self.assertEqual(
                    events, expected_in_utc if library == 'UTC'
                    else expected)
        self.assertFalse(in_utc.walk('VTIMEZONE'))
        event = other.vevent_list[0]
        self.assertEqual(
            event.summary.value,
            ' '.join(name.replace('\x07', '').split())
            + f' ({session.number})')
        self.assertIn("1, rue Étroite, Bâtiment; 2", event.location.value)
        self.assertEqual(
            event.description.value, f"Session: {session.number}")
        self.assertEqual(other.method.value, 'PUBLISH')
        self.assertEqual(other.x_wr_timezone.value, 'Europe/Paris')
        self.assertIn(session.number, other.x_wr_calname.value)
        self.assertEqual(
            calendar['REFRESH-INTERVAL'].dt, dt.timedelta(hours=1))
        self.assertEqual(other.x_published_ttl.value, 'PT1H')

    def test_time_zone(self):
        "Test the time zones against another reader of them"
        for name in [
                'Europe/Paris', 'Europe/Dublin', 'America/Martinique',
                'America/Miquelon', 'Indian/Reunion', 'Africa/Casablanca',
                'America/Sao_Paulo']:
            zone = ZoneInfo(name)
            for years in [(2011, 2011), (2026, 2028)]:
                component = vtimezone(name, *years).to_ical().decode()
                read = tzical(StringIO(component)).get(name)
                at = dt.datetime(years[0], 1, 1, 12, tzinfo=dt.timezone.utc)
                changes = 0
                while at.year <= years[1]:
                    offset = at.astimezone(zone).utcoffset()
                    self.assertEqual(
                        at.astimezone(read).utcoffset(), offset,
                        msg=f'{name} {at}')
                    # Every hour of the days of a change, else once a day
                    after = at + DAY
                    if after.astimezone(zone).utcoffset() != offset:
                        changes += 1
                        after = at + dt.timedelta(hours=1)
                    at = after
                if name == 'Europe/Paris':
                    self.assertGreater(changes, 2)
        component = vtimezone('Europe/Paris', 2026, 2026).to_ical().decode()
        self.assertEqual(component.count('RRULE'), 2)
        self.assertIn('DTSTART:20250330T020000', component)
        self.assertEqual(component, vtimezone(
                'Europe/Paris', 2026, 2026).to_ical().decode())

    @with_transaction()
    def test_sequence_status(self):
        "Test that the sequence grows with what the calendars show"
        pool = Pool()
        Address = pool.get('party.address')
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, trainer):
            feed, _ = self.issue(session)
            slot, other, *_ = session.slots
            address, = Address.create([{'party': trainer.id}])
            revisions = []

            def event(slot=slot):
                uid, = [u for u in self.events(feed)
                    if u.startswith(f'training-slot-{slot.id}@')]
                return self.events(feed)[uid]

            uid = event()['UID']
            self.assertEqual(event()['SEQUENCE'], 0)
            self.assertEqual(event()['STATUS'], 'TENTATIVE')
            for change in [
                    lambda: Slot.write([slot], {'start': dt.time(8)}),
                    lambda: Slot.write([slot], {'end': dt.time(11)}),
                    lambda: Slot.write([slot], {'date': DATE + DAY}),
                    lambda: Slot.write([slot], {'trainer': trainer.id}),
                    lambda: Slot.write([slot], {'location': address.id}),
                    lambda: Session.plan([session]),
                    lambda: Session.write(
                        [session], {'location': address.id}),
                    lambda: Session.write([session], {
                            'trainers': [('add', [trainer.id])]}),
                    lambda: Slot.cancel([slot]),
                    lambda: Slot.plan([slot]),
                    ]:
                with Transaction().set_context(skip_slot_conflicts=True):
                    change()
                revisions.append(event()['SEQUENCE'])
                if slot.state == 'cancelled':
                    self.assertEqual(event()['STATUS'], 'CANCELLED')
                    self.assertEqual(event()['TRANSP'], 'TRANSPARENT')
                    self.assertTrue(
                        event()['SUMMARY'].startswith("Cancelled: "))
                    self.assertEqual(event(other)['STATUS'], 'CONFIRMED')
            self.assertEqual(revisions, list(range(1, 11)))
            self.assertEqual(event()['UID'], uid)
            self.assertEqual(event(other)['SEQUENCE'], 3)
            copy, = Slot.copy([slot], default={'date': DATE})
            self.assertEqual(copy.calendar_revision, 0)
            Session.cancel([session])
            self.assertGreater(event(other)['SEQUENCE'], 3)
            self.assertEqual({
                    str(e['STATUS']) for e in self.events(feed).values()},
                {'CANCELLED'})
            before = event(other)['SEQUENCE']
            Session.write([session], {'procedure': None})
            self.assertEqual(event(other)['SEQUENCE'], before)

    @with_transaction()
    def test_trainee(self):
        "Test that trainees see what they are expected at, and nobody else"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, trainer):
            session.trainers = [trainer]
            session.save()
            enrolments = create_enrolments(session, 3)
            enrolment = enrolments[0]
            elsewhere = create_session(company, start=DATE - 400 * DAY)
            Enrolment.create([{
                        'company': company.id,
                        'session': elsewhere.id,
                        'trainee': enrolment.trainee.id,
                        'currency': company.currency.id,
                        'state': 'started',
                        }])
            slots = {s.id for s in session.slots}
            first_day = {s.id for s in session.slots if s.date == DATE}
            feed, _ = self.issue(enrolment.trainee)
            for values, expected in [
                    ({}, slots),
                    ({'start_date': DATE + DAY}, slots - first_day),
                    ({'start_date': None, 'end_date': DATE}, first_day),
                    ({'state': 'withdrawn'}, first_day),
                    ({'state': 'suspended'}, first_day),
                    ({'state': 'cancelled'}, set()),
                    ({'state': 'draft', 'end_date': None}, set()),
                    ({'state': 'completed'}, slots),
                    ]:
                with self.subTest(values=values):
                    Enrolment.write([enrolment], values)
                    self.assertEqual(
                        self.slots_of(self.events(feed)), expected)
            session_feed, _ = self.issue(session)
            Slot.open([session.slots[0]])
            attendance, *_ = session.slots[0].attendances
            attendance.comment = "Private note"
            attendance.save()
            for feed, names in [
                    (feed, enrolments[1:]), (session_feed, enrolments)]:
                content = feed.render().decode('utf-8').replace('\r\n ', '')
                for other in names:
                    self.assertNotIn(other.trainee.rec_name, content)
                self.assertNotIn("Private", content)
                self.assertNotIn("@example.com", content)
                self.assertIn("Trainer: Job Centre", content)

    @with_transaction()
    def test_trainer(self):
        "Test that trainers see their slots and those of their sessions"
        pool = Pool()
        Lang = pool.get('ir.lang')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, trainer):
            other = create_party("Other Trainer")
            french, = Lang.search([('code', '=', 'fr')])
            other.lang = french
            other.save()
            other_company = create_company(
                "Elsewhere", currency=company.currency)
            session.trainers = [trainer]
            session.save()
            first, second, *_ = session.slots
            Slot.write([first], {'trainer': other.id})
            foreign = create_session(other_company)
            Slot.write(list(foreign.slots), {'trainer': other.id})
            old = create_session(company, start=DATE - 370 * DAY)
            Slot.write(list(old.slots), {'trainer': other.id})
            feed, _ = self.issue(trainer)
            other_feed, _ = self.issue(other)
            self.assertEqual(
                self.slots_of(self.events(feed)),
                {s.id for s in session.slots[1:]})
            self.assertEqual(
                self.slots_of(self.events(other_feed)), {first.id})
            languages = set()

            def gettext(message_id, **variables):
                languages.add(Transaction().language)
                return message_id

            with patch.object(calendar_content, 'gettext', gettext):
                other_feed.render()
            self.assertEqual(languages, {'fr'})

    @with_transaction()
    def test_statements(self):
        "Test that the slots cost no statement each"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, trainer):
            session.trainers = [trainer]
            session.location = company.party.addresses[0]
            session.save()
            enrolment, = create_enrolments(session)
            feeds = [
                self.issue(resource)[0]
                for resource in [session, trainer, enrolment.trainee]]

            def measure():
                counts = []
                for feed in feeds:
                    for cache in Transaction().cache.values():
                        cache.clear()
                    with count_statements() as statements:
                        feed.render()
                    counts.append(len(statements))
                return counts

            measure()
            few = measure()
            Slot.create([{
                        'session': session.id,
                        'date': DATE,
                        'start': dt.time(18, minute),
                        'end': dt.time(18, minute + 1),
                        } for minute in range(59)])
            measure()
            self.assertEqual(measure(), few)
            with count_statements() as statements:
                type(session).plan([session])
            # One for the slots that had changed, one for the others
            self.assertEqual(len([
                        s for s in statements if s.startswith('UPDATE')
                        and 'calendar_revision' in s]), 2)

    def open_link(self, record):
        pool = Pool()
        Link = pool.get('training.calendar.link', type='wizard')
        with wizard_context([record]):
            session_id, _, _ = Link.create()
            view = Link.execute(session_id, {}, 'start')['view']
        return session_id, {**view['defaults'], **view['values']}

    def create_link(self, record, **values):
        pool = Pool()
        Link = pool.get('training.calendar.link', type='wizard')
        session_id, start = self.open_link(record)
        start.update(values)
        start = {k: v for k, v in start.items() if not k.endswith('.')}
        with wizard_context([record]):
            result = Link.execute(session_id, {'start': start}, 'apply')
        return session_id, result['view']['defaults']

    @with_transaction()
    def test_link(self):
        "Test that a link is shown once, renewed and revoked"
        pool = Pool()
        Feed = pool.get('training.calendar.feed')
        Wizard = pool.get('ir.session.wizard')
        with set_up() as (company, session, trainer):
            enrolment, = create_enrolments(session)
            trainee = enrolment.trainee
            config.set(
                'training_abandon', 'base_url', 'https://t.example/tryton/')
            self.addCleanup(
                config.set, 'training_abandon', 'base_url', '')
            with as_user(create_user('assistant', company, 'training')):
                session_id, link = self.create_link(trainee)
                feed, = Feed.search([])
                self.assertEqual(
                    (feed.kind, feed.trainee, feed.name, feed.company),
                    ('trainee', trainee, trainee.rec_name, company))
                self.assertRegex(
                    link['url'],
                    r'^https://t\.example/tryton/[\w-]+/training/calendar/'
                    r'[\w-]{43}\.ics$')
                self.assertEqual(
                    link['webcal'], link['url'].replace('https', 'webcal'))
                token = link['url'].rsplit('/', 1)[1].removesuffix('.ics')
                self.assertEqual(Feed.from_token(token), feed)
                stored = json.dumps([
                        Wizard(session_id).data,
                        *Feed.read([feed.id], list(Feed._fields))],
                    default=str)
                self.assertNotIn(token, stored)
                _, start = self.open_link(trainee)
                self.assertEqual(start['links'], 1)
                for record, kind in [
                        (session, 'session'), (trainer, 'trainer')]:
                    self.create_link(record, name="Phone")
                    self.assertEqual(len(Feed.search([
                                    ('kind', '=', kind),
                                    (kind, '=', record.id)])), 1)
                _, start = self.open_link(feed)
                self.assertEqual(
                    (start['renewed'], start['name']),
                    (feed.id, trainee.rec_name))
                _, renewed = self.create_link(
                    feed, expires_on=DATE + 30 * DAY)
                self.assertNotEqual(renewed['url'], link['url'])
                self.assertIsNone(Feed.from_token(token))
                self.assertTrue(feed.revoked_at)
                new, = Feed.search([
                        ('trainee', '=', trainee.id),
                        ('revoked_at', '=', None)])
                self.assertEqual(new.expires_on, DATE + 30 * DAY)
                Feed.revoke([new])
                self.assertIsNone(new.token_hash)
                with self.assertRaises(AccessButtonError):
                    Feed.revoke([new])

    @with_transaction()
    def test_access(self):
        "Test who creates, reads and revokes the links"
        pool = Pool()
        Feed = pool.get('training.calendar.feed')
        with set_up() as (company, session, trainer):
            feed, _ = self.issue(trainer)
            other_company = create_company(
                "Stranger", currency=company.currency)
            for user in [
                    create_user('stranger', other_company, 'training'),
                    create_user('outsider', company)]:
                with self.subTest(user=user.login), as_user(user):
                    for call in [
                            lambda: Feed.read([feed.id], ['name']),
                            lambda: Feed.revoke([feed]),
                            lambda: self.create_link(session, name="X"),
                            lambda: self.create_link(feed, name="X"),
                            ]:
                        with self.assertRaises(AccessError):
                            call()
                    # As a client that pretends to work for the company
                    with Transaction().set_context(company=company.id), \
                            self.assertRaises(AccessError):
                        self.create_link(trainer, name="X")
            for group in ['training', 'training_admin']:
                with as_user(create_user(group, company, group)):
                    for call in [
                            lambda: Feed.create([{'name': "X"}]),
                            lambda: Feed.write([feed], {'name': "X"}),
                            lambda: Feed.delete([feed]),
                            ]:
                        with self.assertRaises(AccessError):
                            call()
            Link = pool.get('training.calendar.link', type='wizard')
            other = create_session(company)
            with as_user(create_user('assistant', company, 'training')):
                session_id, _, _ = Link.create()
                with wizard_context([session, other]), \
                        self.assertRaises(CalendarLinkError):
                    Link.execute(session_id, {}, 'start')
                with Transaction().set_context(company=None), \
                        self.assertRaises(CalendarLinkError):
                    self.open_link(trainer)

    @with_transaction()
    def test_export(self):
        "Test the file of sessions"
        pool = Pool()
        Data = pool.get('ir.model.data')
        Report = pool.get('training.session.calendar', type='report')
        data = {
            'action_id': Data.get_id(
                'training_abandon', 'report_session_calendar'),
            }
        with set_up() as (company, session, _):
            other = create_session(company, start=DATE - 500 * DAY)
            with as_user(create_user('assistant', company, 'training')):
                extension, content, _, name = Report.execute(
                    [session.id], data)
                both = Report.execute([session.id, other.id], data)[1]
            with as_user(create_user('outsider', company)), \
                    self.assertRaises(AccessError):
                Report.execute([session.id], data)
        self.assertEqual(extension, 'ics')
        self.assertIn(session.number, name)
        self.assertStrict(content)
        self.assertEqual(
            len(Calendar.from_ical(content).walk('VEVENT')), 4)
        self.assertEqual(len(Calendar.from_ical(both).walk('VEVENT')), 8)

    @with_transaction()
    def test_erase_replace(self):
        "Test that erasing a party revokes its links, replacing keeps them"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        Feed = pool.get('training.calendar.feed')
        Replace = pool.get('party.replace', type='wizard')
        with set_up() as (company, session, trainer):
            source, destination = create_enrolments(session, 2)
            destination_trainee = destination.trainee
            destination.cancel([destination])
            feeds = [
                self.issue(source.trainee)[0],
                self.issue(source.trainee.party)[0]]
            session_id, _, _ = Replace.create()
            with patch.object(
                    Replace, 'check_similarity', lambda self: None):
                Replace.execute(session_id, {'ask': {
                            'source': source.trainee.party.id,
                            'destination': destination_trainee.party.id,
                            }}, 'replace')
            for cache in Transaction().cache.values():
                cache.clear()
            feeds = Feed.browse([f.id for f in feeds])
            self.assertEqual(feeds[0].trainee, destination_trainee)
            self.assertEqual(feeds[1].trainer, destination_trainee.party)
            self.assertTrue(all(f.token_hash for f in feeds))

            party = destination_trainee.party
            party.active = False
            party.save()
            session_id, _, _ = Erase.create()
            Erase.execute(
                session_id, {'ask': {'party': party.id}}, 'erase')
            for cache in Transaction().cache.values():
                cache.clear()
            for feed in Feed.browse([f.id for f in feeds]):
                self.assertEqual(
                    (feed.name, feed.token_hash), ('****', None))
                self.assertTrue(feed.revoked_at)
