# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""A database with as many records as a large training provider has

They are the copies, by SQL, of a few that the product has made: what a list
shows of them is plausible, not proven."""
import datetime as dt

from trytond import backend
from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from .common import create_enrolments, create_session, open_cases

# The sessions start from so many days before today to so many after
PAST, FUTURE = 700, 60
TRAINEES = 20
SESSION_DAYS = 5
SLOTS = 2 * SESSION_DAYS
TRAINERS, LOCATIONS, COURSES, ORGANISATIONS = 100, 50, 20, 500
FIRST_NAMES = [
    "Adèle", "Baptiste", "Camille", "Damien", "Élise", "Fabien", "Gaëlle",
    "Hugo", "Inès", "Jules", "Karim", "Louise", "Malik", "Nadia", "Oscar",
    "Pauline", "Quentin", "Rachida", "Samuel", "Tatiana", "Ulysse",
    "Valentine", "William", "Yasmine", "Zoé"]
LAST_NAMES = [
    "Abadie", "Bonnet", "Chevalier", "Dupont", "Etienne", "Fontaine",
    "Garnier", "Henry", "Imbert", "Joly", "Klein", "Lefebvre", "Martin",
    "Noël", "Olivier", "Perrin", "Quéré", "Roussel", "Simon", "Thomas",
    "Urbain", "Vidal", "Weber", "Ximenes", "Yvon", "Zimmermann", "Aubert",
    "Benoît", "Colin", "Delmas", "Faure", "Girard", "Hervé", "Jacquet",
    "Lambert", "Moreau", "Nicolas", "Picard", "Renaud", "Schmitt"]


class Volume:
    "Fill the database of the company with so many lines of sheets"

    def __init__(self, company, attendances, today=None):
        self.company = company
        self.today = today or dt.date.today()
        self.sessions = max(attendances // SLOTS // TRAINEES, 1)
        self.enrolments = self.sessions * TRAINEES
        self.trainees = self.enrolments // 2
        # One of five gives up
        self.cases = self.enrolments // 5
        self.cursor = Transaction().connection.cursor()
        self.base = {}

    def fill(self):
        self.create_models()
        if backend.name == 'postgresql':
            # The references are right: to check them takes most of the time
            self._execute('SET LOCAL session_replication_role TO replica')
        self.create_series()
        self.copy_parties()
        self.copy_sessions()
        self.copy_enrolments()
        self.insert_attendances()
        self.copy_cases()
        self.insert_mails()
        self.insert_others()
        self.set_sequences()
        for name in ['volume_name', 'volume_day', 'volume']:
            self._execute(f'DROP TABLE {name}')
        if backend.name == 'postgresql':
            self._execute('SET LOCAL session_replication_role TO DEFAULT')
            # What autovacuum would do
            self._execute(
                'SELECT gin_clean_pending_list(indexrelid) FROM pg_index '
                'JOIN pg_class ON pg_class.oid = indexrelid '
                "JOIN pg_am ON pg_am.oid = relam WHERE amname = 'gin'")
        self._execute('ANALYZE')
        self.store()
        for _, Model in Pool().iterobject():
            if hasattr(Model, '_count_cache'):
                Model._count_cache.clear()

    def store(self):
        "Store what the events would have"
        pool = Pool()
        for name in [
                'training.enrolment', 'training.abandon.case.step',
                'training.abandon.case']:
            pool.get(name).store()
        self._execute('ANALYZE')

    def create_models(self):
        "Create with the product what the rest is a copy of"
        pool = Pool()
        Address = pool.get('party.address')
        Course = pool.get('training.course')
        Party = pool.get('party.party')
        Session = pool.get('training.session')
        start = self.today - dt.timedelta(days=PAST)
        self.session = create_session(
            self.company, start=start, days=SESSION_DAYS)
        Session.plan([self.session])
        self.enrolment, = create_enrolments(self.session)
        self.case, = open_cases([self.enrolment], date=start)
        self.trainers = min(p.id for p in Party.create([
                    {'name': f"Trainer {i}"} for i in range(TRAINERS)]))
        self.organisations = min(p.id for p in Party.create([
                    {'name': f"Organisation {i}"}
                    for i in range(ORGANISATIONS)]))
        self.locations = min(a.id for a in Address.create([{
                        'party': self.company.party.id,
                        'street_unstructured': f"{i} place de la Halle",
                        'city': "Lyon",
                        } for i in range(LOCATIONS)]))
        self.courses = min(c.id for c in Course.create([
                    {'name': f"Course {i}", 'days': SESSION_DAYS}
                    for i in range(COURSES)]))

    def create_series(self):
        "Create the numbers, the days and the names"
        self.cursor.execute(
            'CREATE TEMPORARY TABLE volume (i INTEGER PRIMARY KEY)')
        count = max(self.enrolments, self.trainees, 10 * self.sessions)
        self.cursor.execute(
            'WITH RECURSIVE s(i) AS ('
            'SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i + 1 < %d) '
            'INSERT INTO volume SELECT i FROM s' % count)
        self.cursor.execute(
            'CREATE TEMPORARY TABLE volume_day (d INTEGER PRIMARY KEY, '
            'day DATE, at TIMESTAMP, at1 TIMESTAMP, at2 TIMESTAMP)')
        days = []
        for i in range(PAST + FUTURE + 60):
            day = self.today + dt.timedelta(days=i - PAST)
            at = dt.datetime.combine(day, dt.time(8))
            days.append((i, day, at, at + dt.timedelta(hours=6),
                    at + dt.timedelta(hours=9)))
        self._insert('volume_day', days)
        self.cursor.execute(
            'CREATE TEMPORARY TABLE volume_name ('
            'n INTEGER PRIMARY KEY, name VARCHAR)')
        names = [
            f'{first} {last}' for last in LAST_NAMES for first in FIRST_NAMES]
        self._insert('volume_name', list(enumerate(names)))
        self.names = len(names)
        if backend.name == 'postgresql':
            for name in ['volume', 'volume_day', 'volume_name']:
                self.cursor.execute(f'ANALYZE {name}')

    def _insert(self, table, rows):
        flag = '?' if backend.name == 'sqlite' else '%s'
        flags = ', '.join([flag] * len(rows[0]))
        self.cursor.executemany(
            f'INSERT INTO {table} VALUES ({flags})', rows)

    def next_id(self, name):
        "Return the id of the first record to copy of the model"
        if name not in self.base:
            table = self._table(name)
            self.cursor.execute(f'SELECT COALESCE(MAX(id), 0) FROM {table}')
            self.base[name] = self.cursor.fetchone()[0] + 1
        return self.base[name]

    @staticmethod
    def _table(name):
        return f'"{Pool().get(name)._table}"'

    def copy(self, name, id_, source, /, **values):
        """Insert copies of the record of the model with the values in place,
        one for each row of the source"""
        table = self._table(name)
        columns = self._columns(name)
        expressions = [values.get(c, f't."{c}"') for c in columns]
        self._execute(
            f'''INSERT INTO {table} ({', '.join(f'"{c}"' for c in columns)})
            SELECT {', '.join(expressions)} FROM {table} AS t, {source}
            {'AND' if ' WHERE ' in source else 'WHERE'} t.id = {id_}''')

    @staticmethod
    def _columns(name):
        return [
            n for n, f in Pool().get(name)._fields.items()
            if f.sql_type() and not isinstance(f, fields.Function)]

    def insert(self, name, source, /, **values):
        "Insert the values, one record for each row of the source"
        columns = ', '.join(f'"{c}"' for c in values)
        self._execute(
            f'''INSERT INTO {self._table(name)} ({columns})
            SELECT {', '.join(values.values())} FROM {source}''')

    def _execute(self, sql):
        self.cursor.execute(sql)

    def copy_parties(self):
        pool = Pool()
        Address = pool.get('party.address')
        party = self.enrolment.trainee.party
        base = self.next_id('party.party')
        self.copy('party.party', party.id,
            f'''volume v JOIN volume_name n ON n.n = v.i % {self.names}
            WHERE v.i < {self.trainees}''',
            id=f'{base} + v.i', name='n.name', code=f"'9' || ({base} + v.i)")
        self.copy('training.trainee', self.enrolment.trainee.id,
            f'volume v WHERE v.i < {self.trainees}',
            id=f"{self.next_id('training.trainee')} + v.i",
            party=f'{base} + v.i', code=f"'T' || ({base} + v.i)")
        mechanism = party.contact_mechanisms[0]
        self.copy('party.contact_mechanism', mechanism.id,
            f'volume v WHERE v.i < {self.trainees}',
            id=f"{self.next_id('party.contact_mechanism')} + v.i",
            party=f'{base} + v.i',
            value="'trainee.' || v.i || '@example.com'",
            value_compact="'trainee.' || v.i || '@example.com'")
        address, = Address.create([{
                    'party': party.id,
                    'street_unstructured': "1 rue de la République",
                    'city': "Lyon",
                    }])
        self.copy('party.address', address.id,
            f'volume v WHERE v.i < {self.trainees}',
            id=f"{self.next_id('party.address')} + v.i",
            party=f'{base} + v.i')

    def copy_sessions(self):
        base = self.next_id('training.session')
        start = f'v.i * {PAST + FUTURE} / {self.sessions}'
        self.copy('training.session', self.session.id,
            f'''volume v
            JOIN volume_day d ON d.d = {start}
            JOIN volume_day e ON e.d = {start} + {SESSION_DAYS - 1}
            WHERE v.i < {self.sessions}''',
            id=f'{base} + v.i', number=f"'S' || ({base} + v.i)",
            course=f'{self.courses} + v.i % {COURSES}',
            start_date='d.day', end_date='e.day',
            location=f'{self.locations} + v.i % {LOCATIONS}',
            state=f'''CASE WHEN d.d > {PAST} THEN 'planned'
            WHEN e.d >= {PAST} OR v.i % 50 = 0 THEN 'running'
            WHEN v.i % 60 = 1 THEN 'cancelled' ELSE 'done' END''')
        self.insert('training.session-party.party',
            f'volume v WHERE v.i < {self.sessions}',
            session=f'{base} + v.i',
            trainer=f'{self.trainers} + v.i % {TRAINERS}')
        slots = self.next_id('training.session.slot')
        first = min(s.id for s in self.session.slots)
        day = f's.i / {SLOTS} * {PAST + FUTURE} / {self.sessions}'
        for half in range(SLOTS):
            self.copy('training.session.slot', first + half,
                f'''volume s
                JOIN volume_day d ON d.d = {day} + {half // 2}
                WHERE s.i < {self.sessions * SLOTS}
                AND s.i % {SLOTS} = {half}''',
                id=f'{slots} + s.i', session=f'{base} + s.i / {SLOTS}',
                date='d.day',
                start_at='d.at1' if half % 2 else 'd.at',
                end_at='d.at2' if half % 2 else 'd.at1',
                trainer=f'''{self.trainers} + (s.i / {SLOTS}
                + CASE WHEN s.i % 970 < 10 THEN 1 ELSE 0 END) % {TRAINERS}''',
                state=f'''CASE WHEN s.i / {SLOTS} % 60 = 1
                OR s.i % 50 = 7 THEN 'cancelled'
                WHEN d.d > {PAST} THEN 'planned'
                WHEN d.d = {PAST} THEN 'open'
                WHEN s.i % 100 = 3 THEN 'planned' ELSE 'held' END''')
        for kind in ['opened', 'closed']:
            self.insert('training.session.slot.event',
                f'''training_session_slot s
                WHERE s.id >= {slots} AND s.state = 'held' ''',
                slot='s.id', kind=f"'{kind}'", at='s.end_at',
                attendances=str(TRAINEES), absent='2', unchecked='0')
        self.insert('training.session.slot.event',
            f'''training_session_slot s
            WHERE s.id >= {slots} AND s.state = 'held' AND s.id % 100 = 0''',
            slot='s.id', kind="'reopened'", at='s.end_at',
            attendances=str(TRAINEES), absent='2', unchecked='0')

    def copy_enrolments(self):
        base = self.next_id('training.enrolment')
        sessions = self.base['training.session']
        self.copy('training.enrolment', self.enrolment.id,
            f'''volume v JOIN training_session s
            ON s.id = {sessions} + v.i / {TRAINEES}
            WHERE v.i < {self.enrolments}''',
            id=f'{base} + v.i', number=f"'E' || ({base} + v.i)",
            session='s.id',
            trainee=f"""{self.base['training.trainee']}
            + v.i % {self.trainees}""",
            prescriber=f'{self.organisations} + v.i % {ORGANISATIONS}',
            employer=f'{self.organisations} + v.i * 7 % {ORGANISATIONS}',
            client=f'''CASE WHEN v.i % 3 > 0
            THEN {self.organisations} + v.i * 7 % {ORGANISATIONS} END''',
            state="""CASE WHEN s.state = 'cancelled' THEN 'cancelled'
            WHEN s.state = 'planned' THEN 'confirmed'
            WHEN v.i % 15 = 5 THEN 'withdrawn'
            WHEN s.state = 'done' AND v.i % 40 > 0 THEN 'completed'
            WHEN v.i % 50 = 1 THEN 'suspended' ELSE 'started' END""")
        self.copy('training.enrolment.period',
            self.enrolment.periods[0].id,
            f'volume v WHERE v.i < {self.enrolments}',
            id=f"{self.next_id('training.enrolment.period')} + v.i",
            enrolment=f'{base} + v.i')
        self.insert('training.enrolment.event',
            f'''volume v JOIN training_enrolment e ON e.id = {base} + v.i
            JOIN training_session s ON s.id = e.session
            JOIN volume_day d ON d.day = s.start_date
            WHERE v.i % 3 = 0 AND v.i < {self.enrolments}''',
            enrolment='e.id', at='d.at', kind="'price'")
        self.insert('training.external_code',
            f'volume v WHERE v.i < {self.enrolments}',
            company=str(self.company.id), model="'training.enrolment'",
            record=f"'training.enrolment,' || ({base} + v.i)",
            code=f"'X' || ({base} + v.i)", source="'erp'",
            scope=f"'{self.company.id}'")

    def insert_attendances(self):
        number = '(e.id * 7919 + s.id % 10007 * 4657) % 100'
        base = self.base['training.enrolment']
        zero = '0' if backend.name == 'sqlite' else "INTERVAL '0'"
        self.insert('training.attendance',
            f'''training_enrolment e
            JOIN training_session_slot s ON s.session = e.session
            WHERE e.id >= {base} AND s.state IN ('open', 'held')
            ORDER BY s.id, e.id''',
            enrolment='e.id', slot='s.id',
            state=f'''CASE WHEN {number} < 8 THEN 'absent'
            WHEN {number} < 10 THEN 'excused'
            WHEN {number} < 12 THEN 'late'
            WHEN {number} < 13 THEN 'left_early' ELSE 'present' END''',
            missed=f'''CASE WHEN {number} < 10 THEN s.duration
            ELSE {zero} END''',
            justified=f'{number} IN (8, 9)',
            source="""CASE WHEN s.state = 'open' THEN 'default'
            ELSE 'sheet' END""")

    def copy_cases(self):
        base = self.next_id('training.abandon.case')
        enrolments = self.base['training.enrolment']
        start = (
            f'v.i * {PAST + FUTURE} / {self.cases} + {SESSION_DAYS - 1}')
        # The later, the more of them are open
        is_open = f'({start} > {PAST} - 30 OR v.i % 20 = 0)'
        self.copy('training.abandon.case', self.case.id,
            f'''volume v JOIN volume_day d ON d.d = {start}
            WHERE v.i < {self.cases} AND {start} <= {PAST}''',
            id=f'{base} + v.i', number=f"'C' || ({base} + v.i)",
            enrolment=f'{enrolments} + v.i * 5', opening_date='d.day',
            state=f'''CASE WHEN v.i % 40 = 3 THEN 'cancelled'
            WHEN NOT {is_open} THEN 'closed'
            WHEN v.i % 7 = 0 THEN 'validated' WHEN v.i % 7 < 3 THEN 'draft'
            WHEN v.i % 7 < 5 THEN 'informed' ELSE 'inquiring' END''',
            closed_at=f'''CASE WHEN v.i % 40 = 3 OR NOT {is_open}
            THEN d.at2 END''',
            answered_at='CASE WHEN v.i % 3 = 0 THEN d.at END',
            decision=f'''CASE WHEN NOT {is_open} OR v.i % 7 = 0
            THEN 'validated' END''',
            ground=f'''CASE WHEN NOT {is_open} OR v.i % 7 = 0
            THEN 'abandonment' END''')
        done = """CASE c.state WHEN 'draft' THEN 0 WHEN 'informed' THEN 1
            WHEN 'inquiring' THEN 2 WHEN 'validated' THEN 7 ELSE 8 END"""
        steps = sorted(self.case.steps, key=lambda s: s.sequence)
        next_id = self.next_id('training.abandon.case.step')
        for position, step in enumerate(steps):
            self.copy('training.abandon.case.step', step.id,
                f'''training_abandon_case c
                JOIN volume_day d ON d.day = c.opening_date
                JOIN volume_day e ON e.d = d.d + {7 * position}
                WHERE c.id >= {base}''',
                id=f'{next_id} + (c.id - {base}) * {len(steps)} + {position}',
                case='c.id', due_date='e.day',
                state=f"""CASE WHEN {position} < {done} THEN 'done'
                ELSE 'todo' END""",
                done_at=f'CASE WHEN {position} < {done} THEN e.at END',
                done_by_user='1')
        for target in ['informed', 'validated', 'closed']:
            self.insert('ir.model.log',
                f'''training_abandon_case c
                JOIN volume_day d ON d.day = c.opening_date
                WHERE c.id >= {base}''',
                create_date='d.at', user='1', event="'transition'",
                target=f"'state:{target}'",
                resource="'training.abandon.case,' || c.id")

    def insert_mails(self):
        base = self.base['training.abandon.case']
        mails = self.next_id('training.mail')
        trainee = 'training_trainee t ON t.id = e.trainee'
        kinds = ['inform', 'ask_reasons', 'follow_up']
        for position, kind in enumerate(kinds):
            self.insert('training.mail',
                f'''training_abandon_case c
                JOIN training_abandon_case_step p
                ON p."case" = c.id AND p.kind = '{kind}' AND p.state = 'done'
                JOIN training_enrolment e ON e.id = c.enrolment
                JOIN {trainee}
                JOIN volume_day d ON d.day = p.due_date
                WHERE c.id >= {base}''',
                id=f'{mails} + (c.id - {base}) * 3 + {position}',
                company='c.company', enrolment='c.enrolment', case='c.id',
                step='p.id', kind=f"'{kind}'",
                party='t.party' if position else 'e.prescriber',
                create_date='d.at', create_uid='1',
                from_="'training@example.com'",
                to="'trainee.' || e.trainee || '@example.com'",
                subject="'Your training ' || c.number",
                body="'Dear trainee, we did not see you any more.'",
                message_id=f"'<' || c.id || '.{position}@example.com>'",
                reply_token=f"'token' || c.id || '.{position}'",
                attempts='1', sent_at='d.at',
                state=f"""CASE WHEN c.id % 150 = {position} THEN 'failed'
                WHEN c.id % 200 = 7 THEN 'cancelled'
                WHEN c.id % 500 = 9 THEN 'queued' ELSE 'sent' END""",
                failed_at=f'''CASE WHEN c.id % 150 = {position}
                THEN d.at END''',
                next_attempt='CASE WHEN c.id % 500 = 9 THEN d.at END',
                bounced_at=f'''CASE WHEN c.id % 150 = {position + 10}
                THEN d.at2 END''')
        self.insert('training.mail.reply',
            f'''training_mail m JOIN volume_day d ON d.at = m.sent_at
            WHERE m.id >= {mails} AND m.id % 4 = 0''',
            company='m.company', mail='m.id', case='m."case"', party='m.party',
            from_='m."to"', to='m.from_', subject="'Re: ' || m.subject",
            received_at='d.at2', message_id="'<re.' || m.message_id",
            message_digest="'digest' || m.id", kind="""CASE WHEN m.id % 40 = 0
            THEN 'auto_reply' WHEN m.bounced_at IS NOT NULL THEN 'bounce'
            ELSE 'answer' END""",
            state="CASE WHEN m.id % 100 = 0 THEN 'new' ELSE 'handled' END")

    def insert_others(self):
        base = self.base['training.abandon.case']
        cases = f'''training_abandon_case c
            JOIN training_enrolment e ON e.id = c.enrolment
            JOIN training_trainee t ON t.id = e.trainee
            JOIN volume_day d ON d.day = c.opening_date
            WHERE c.id >= {base}'''
        self.insert('training.abandon.certificate',
            f"{cases} AND c.state = 'closed' AND c.id % 2 = 0",
            case='c.id', kind="'abandonment'", issued_at='d.at2',
            sha256="'0'", state="""CASE WHEN c.id % 10 = 0 THEN 'sent'
            ELSE 'signed' END""")
        self.insert('training.follow_up', f'{cases} AND c.id % 2 = 0',
            company='c.company', enrolment='c.enrolment', case='c.id',
            kind="'call'", party='t.party', done_at='d.at')
        self.insert('training.abandon.proposal', f'{cases} AND c.id % 3 = 0',
            case='c.id', description="'Another session'",
            state="'refused'")
        self.insert('training.abandon.case.correction',
            f'{cases} AND c.id % 20 = 0',
            case='c.id', kind="'undo'", at='d.at2', user='1',
            reason="'Wrong case'")
        enrolments = self.base['training.enrolment']
        attendances = f'''training_attendance a
            JOIN training_enrolment e ON e.id = a.enrolment
            WHERE e.id >= {enrolments} AND a.state = 'absent' '''
        self.insert('training.attendance.notice',
            f'{attendances} AND a.id % 4 = 0',
            enrolment='a.enrolment', slot='a.slot', party='e.prescriber',
            state="'absent'", reason="'no_address'")
        self.insert('training.justification',
            f'''{attendances.replace('JOIN training_enrolment', """JOIN
            training_session_slot s ON s.id = a.slot JOIN training_enrolment
            """)} AND a.id % 10 = 0''',
            company='e.company', enrolment='a.enrolment', kind="'illness'",
            start_date='s.date', end_date='s.date', received_at='s.end_at',
            state="""CASE WHEN a.id % 100 = 0 THEN 'received'
            ELSE 'accepted' END""")
        self.insert_later(cases)
        for kind, name, ids in [
                ('session', 'training.session', self.sessions),
                ('trainee', 'training.trainee', self.trainees // 10)]:
            self.insert('training.calendar.feed',
                f'volume v WHERE v.i < {ids}',
                company=str(self.company.id), kind=f"'{kind}'",
                name=f"'{kind}' || v.i",
                token_hash=f"'{kind}hash' || ({self.base[name]} + v.i)",
                **{kind: f'{self.base[name]} + v.i'})

    def insert_later(self, cases):
        "Insert what else follows from the enrolments and their cases"
        enrolments = f'''training_enrolment e
            JOIN training_session s ON s.id = e.session
            JOIN volume_day d ON d.day = s.start_date
            WHERE e.id >= {self.base['training.enrolment']}'''
        self.insert('training.alert', f'{enrolments} AND e.id % 2 = 0',
            company='e.company', enrolment='e.id', level="'alert'",
            first_seen='d.at', last_seen='d.at', since='d.day',
            state="CASE WHEN e.id % 50 = 0 THEN 'open' ELSE 'handled' END",
            closed_at='CASE WHEN e.id % 50 = 0 THEN NULL ELSE d.at2 END')
        self.insert('training.measure', f'{enrolments} AND e.id % 2 = 0',
            company='e.company', name="'Welcome'", enrolment='e.id',
            kind='(SELECT MIN(id) FROM training_measure_kind)', date='d.day')
        for number in range(2):
            self.insert('training.declaration', cases,
                company='c.company', enrolment='c.enrolment', case='c.id',
                rule='(SELECT MIN(id) FROM training_declaration_rule)',
                event="'decision'", kind="'exit'", recipient_kind="'funder'",
                recipient='t.party', channel="'platform'", date='d.day',
                due_date='d.day', state="""CASE WHEN c.id % 20 = 0
                THEN 'todo' ELSE 'done' END""")
        for number in range(10):
            self.insert('training.journal.entry', cases,
                company='c.company', case='c.id', number=str(number + 1),
                kind="'step'", at='d.at',
                resource="'training.abandon.case,' || c.id",
                content="'{}'", digest="'0'", hash="'0'")
        self.insert('training.abandon.settlement',
            f"{cases} AND c.state = 'closed'",
            company='c.company', case='c.id', enrolment='c.enrolment',
            ground="'abandonment'", effective_date='d.day',
            currency=str(self.company.currency.id), state="'draft'")
        self.insert('training.abandon.settlement.line',
            '''training_abandon_settlement s
            JOIN training_enrolment e ON e.id = s.enrolment
            JOIN training_trainee t ON t.id = e.trainee
            CROSS JOIN (VALUES (1), (2), (3)) AS n(i)''',
            settlement='s.id', payer='t.party',
            kind="""CASE WHEN s.id % 20 = 0 AND n.i = 1
            THEN 'indemnity' ELSE 'invoice' END""")

    def set_sequences(self):
        "Give to the next records the ids after the copies"
        if backend.name == 'postgresql':
            for name in self.base:
                table = self._table(name)
                self.cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), "
                    f"(SELECT MAX(id) FROM {table}))")
