# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Import of sessions, one row per slot"

from . import cells
from .importer import Importer, request
from .table import Rejected

COURSE = 'training.course'
SESSION = 'training.session'
SLOT = 'training.session.slot'
PARTY = 'party.party'
ADDRESS = 'party.address'
# Sessions written at once, each with all its slots
SESSIONS = 10
SLOT_FIELDS = ['date', 'start', 'end', 'trainer', 'uid']
ENDED = {
    'cancelled': "The session is cancelled: set it back to draft first.",
    'done': "The session is done: set it back to running first.",
    }


class Sessions(Importer):
    columns = {
        'session': cells.code,
        'course': cells.code,
        'title': cells.label,
        'modality': cells.modality,
        'hours': cells.hours,
        'date': cells.date,
        'start': cells.time,
        'end': cells.time,
        'location': cells.label,
        'trainer': cells.code,
        'uid': cells.text,
        }
    required = [
        [['session']], [['course']], [['date']], [['start']], [['end']]]

    def check(self, row):
        super().check(row)
        if row['start'] and row['end'] and row['end'] <= row['start']:
            raise Rejected("The slot ends before it starts.", 'end')

    def load(self, rows):
        rows = list(self.without_doubles(
                rows, 'session', 'date', 'start', 'trainer'))
        rows = list(self.consistent(
                rows, 'course', 'title', 'modality', 'hours'))
        rows = list(self.consistent(rows, 'session', 'course', 'location'))
        rows = self.set_trainers(rows)
        rows = self.set_locations(rows)
        rows = self.set_courses(rows)
        self.load_sessions(rows)

    def set_trainers(self, rows):
        ids = self.find_codes(PARTY, [row['trainer'] for row in rows])
        for row in rows:
            if row['trainer'] is not None:
                row.values['trainer'] = ids.get(row['trainer'])
                if row['trainer'] is None:
                    self.reject(row,
                        "No party has this code: import the parties first.",
                        'trainer')
        return [row for row in rows if row not in self.errors]

    def set_locations(self, rows):
        """The location is the code of a party or a text, which becomes an
        address of the company"""
        names = {row['location'] for row in rows} - {None}
        parties = self.find_codes(PARTY, names)
        addresses = {}
        for address in self.client.read_in(
                ADDRESS, 'party', parties.values(), ['party'], size=50):
            addresses.setdefault(address['party'], address['id'])
        ids = {
            name: addresses[party] for name, party in parties.items()
            if party in addresses}
        ids.update(self.company_addresses(names - set(ids)))
        for row in rows:
            row.values['location'] = ids.get(row['location'])
        return rows

    def company_addresses(self, names):
        if not names:
            return {}
        party = self.options.company['party']
        ids = {
            cells.fold(address['street_unstructured']): address['id']
            for address in self.client.search_read(
                ADDRESS, [('party', '=', party)],
                ['street_unstructured'])}
        new = sorted({
                cells.fold(name): name for name in names
                if cells.fold(name) not in ids}.values())
        ids.update({
                cells.fold(name): self.later(ADDRESS, {
                        'party': party,
                        'street_unstructured': name,
                        }) for name in new})
        return {name: ids[cells.fold(name)] for name in names}

    def set_courses(self, rows):
        ids = self.find_codes(COURSE, [row['course'] for row in rows])
        self.update_courses(rows, ids)
        new = {
            row['course']: self.merged(rows, row['course']) for row in rows
            if row['course'] not in ids}
        ids.update(self.match_courses(rows, new))
        for code in [c for c in new if c not in ids]:
            try:
                ids[code] = self.later(COURSE, self.new_course(new[code]))
            except Rejected as exc:
                for row in rows:
                    if row['course'] == code:
                        self.reject(row, exc.reason, exc.column)
        rows = [row for row in rows if row not in self.errors]
        for row in rows:
            row.values['course'] = ids[row['course']]
        return rows

    def merged(self, rows, course):
        values = {}
        for row in rows:
            if row['course'] == course:
                values.update(row.values)
        return values

    def match_courses(self, rows, new):
        "Courses entered by hand have the code but no external code"
        found = {}
        for course in self.client.read_in(COURSE, 'code', new, ['code'],
                domain=[('company', 'in', [self.company, None])]):
            found.setdefault(course['code'], []).append(course['id'])
        for code in [c for c, ids in found.items() if len(ids) > 1]:
            for row in rows:
                if row['course'] == code:
                    self.reject(row,
                        f"{len(found[code])} courses have this code.",
                        'course')
            del found[code], new[code]
        matched = {code: ids[0] for code, ids in found.items()}
        for row in rows:
            if row['course'] in matched:
                row.also['link', row['course']] = self.link(
                    COURSE, row['course'], matched[row['course']])
        return matched

    def new_course(self, values):
        if not values.get('title'):
            raise Rejected(
                "The course is new: give its title.", 'title')
        return {
            **course_values(values),
            'code': values['course'],
            'external_codes': self.code(values['course']),
            }

    def update_courses(self, rows, ids):
        current = {
            course['id']: course for course in self.client.read_in(
                COURSE, 'id', ids.values(),
                ['name', 'modality', 'duration'])}
        for code, id in ids.items():
            values = {
                name: value for name, value in course_values(
                    self.merged(rows, code)).items()
                if id in current and current[id][name] != value}
            for row in rows:
                if values and row['course'] == code:
                    row.also['course', id] = request(
                        COURSE, 'write', [id], values)

    def load_sessions(self, rows):
        sessions = {}
        for row in rows:
            sessions.setdefault(row['session'], []).append(row)
        ids = self.find_codes(SESSION, sessions)
        new = [s for code, s in sessions.items() if code not in ids]
        self.batches(
            new, self.create_sessions, rows=list, size=SESSIONS)
        known = [s for code, s in sessions.items() if code in ids]
        self.batches(
            known, lambda batch: self.update_sessions(batch, ids),
            rows=list, size=SESSIONS)

    def create_sessions(self, sessions):
        numbers = [
            self.later(SESSION, self.new_session(rows)) for rows in sessions]
        self.apply(
            [row for rows in sessions for row in rows],
            request(SESSION, 'plan', numbers))
        for rows in sessions:
            for row in rows:
                self.done(row, 'created')

    def new_session(self, rows):
        values = {
            'course': rows[0]['course'],
            'company': self.company,
            'start_date': min(row['date'] for row in rows),
            'end_date': max(row['date'] for row in rows),
            'location': location(rows),
            'slots': [('create', [slot_values(row) for row in rows])],
            'external_codes': self.code(rows[0]['session']),
            }
        if trainers := trainers_of(rows):
            values['trainers'] = [('add', trainers)]
        return values

    def update_sessions(self, sessions, ids):
        session_ids = [ids[rows[0]['session']] for rows in sessions]
        current = {
            session['id']: dict(session, slots=[])
            for session in self.client.read_in(
                SESSION, 'id', session_ids, [
                    'course', 'start_date', 'end_date', 'location',
                    'state', 'trainers'])}
        for slot in self.client.read_in(
                SLOT, 'session', session_ids,
                ['session', 'state', *SLOT_FIELDS], size=SESSIONS):
            current[slot['session']]['slots'].append(slot)
        pairs, drafts, changed = [], [], []
        for rows, id in zip(sessions, session_ids):
            if id not in current:
                for row in rows:
                    self.reject(row,
                        "The session of this code has been deleted: delete "
                        "its external code.", 'session')
                continue
            known = len(changed)
            for change in self.session_changes(rows, current[id], changed):
                pairs += change
            if len(changed) > known and current[id]['state'] == 'draft':
                drafts.append(id)
        self.apply(
            [row for row, _ in changed], request(SESSION, 'write', *pairs),
            *([request(SESSION, 'plan', drafts)] if drafts else []))
        for row, count in changed:
            self.done(row, count)

    def session_changes(self, rows, session, changed):
        "Pairs to write: first the dates, which the slots must be within"
        if session['state'] in ENDED:
            self.reject_ended(rows, session, changed)
            return []
        slots = self.slot_changes(rows, session, changed)
        kept = [row for row in rows if row not in self.errors]
        if not kept:
            return []
        dates = [row['date'] for row in kept] + [
            slot['date'] for slot in session['slots']
            if slot['state'] != 'cancelled']
        values = {
            'course': rows[0]['course'],
            'start_date': min(dates),
            'end_date': max(dates),
            'location': location(kept) or session['location'],
            }
        values = {
            name: value for name, value in values.items()
            if session[name] != value}
        trainers = set(trainers_of(kept)) - set(session['trainers'])
        if trainers:
            values['trainers'] = [('add', sorted(trainers))]
        if slots:
            values['slots'] = slots
        return [([session['id']], values)] if values else []

    def reject_ended(self, rows, session, changed):
        "Reject what changes a session that has ended"
        found = []
        self.slot_changes(rows, session, found)
        for row, outcome in found:
            if session['state'] == 'done' and outcome == 'unchanged':
                changed.append((row, outcome))
            else:
                self.reject(row, ENDED[session['state']], 'session')

    def slot_changes(self, rows, session, changed):
        by_uid = {s['uid']: s for s in session['slots'] if s['uid']}
        by_time = {(s['date'], s['start']): s for s in session['slots']}
        actions = []
        for row in rows:
            slot = by_uid.get(row['uid']) or by_time.get(
                (row['date'], row['start']))
            new = slot_values(row)
            if not slot:
                actions.append(('create', [new]))
                changed.append((row, 'created'))
                continue
            new = {n: v for n, v in new.items() if slot[n] != v}
            if not new:
                changed.append((row, 'unchanged'))
            elif slot['state'] == 'held' and set(new) - {'uid'}:
                self.reject(row,
                    "The sheet of the slot is official: open it again "
                    "before its trainer or its times change.",
                    'trainer' if 'trainer' in new else 'date')
            elif slot['state'] == 'planned' or not {
                    'date', 'start', 'end'} & set(new):
                actions.append(('write', [slot['id']], new))
                changed.append((row, 'updated'))
            else:
                self.reject(row,
                    f"The times of a slot that is {slot['state']} can not "
                    "change.", 'date')
        return actions


def course_values(values):
    names = {'name': 'title', 'modality': 'modality', 'duration': 'hours'}
    return {
        field: values[name] for field, name in names.items()
        if values.get(name)}


def slot_values(row):
    return {name: row[name] for name in SLOT_FIELDS if row[name] is not None}


def trainers_of(rows):
    return sorted({row['trainer'] for row in rows if row['trainer']})


def location(rows):
    return next((row['location'] for row in rows if row['location']), None)
