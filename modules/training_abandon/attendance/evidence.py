# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What an official sheet says does not change unless it is opened again"
from sql.operators import Exists

from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..exceptions import EnrolmentError
from ..tools import BATCH
from .minutes import PARTIAL_STATES

ATTENDED = ['present', *PARTIAL_STATES]


class SlotEvidenceMixin:
    "Slots whose sheet is evidence"
    __slots__ = ()

    @classmethod
    def sheet_fields(cls):
        "Return the names of the fields that the sheet shows with its lines"
        return {
            'session', 'date', 'start', 'end', 'trainer', 'location',
            'subject'}

    @classmethod
    def check_modification(cls, mode, slots, values=None, external=False):
        super().check_modification(
            mode, slots, values=values, external=external)
        if mode == 'delete':
            for slot in cls._were_official(slots):
                raise AccessError(gettext(
                        'training_abandon.msg_sheet_delete',
                        slot=slot.rec_name))
        elif mode == 'write':
            cls._check_official(slots, values, external=external)

    @classmethod
    def _check_official(cls, slots, values, external=False):
        names = values.keys() & cls.sheet_fields()
        if external:
            # What only the buttons and the times change
            names |= values.keys() & {
                'state', 'start_at', 'end_at', 'duration', 'half',
                'weekday', 'parallel'}
        for slot in slots:
            if slot.state == 'held' and any(
                    _changes(slot, n, values[n]) for n in names):
                raise AccessError(gettext(
                        'training_abandon.msg_sheet_modify',
                        slot=slot.rec_name))

    @classmethod
    def _were_official(cls, slots):
        "Return those of the slots whose sheet has ever been closed"
        closed = cls._search_events(slots, 'closed')
        ids = {e.slot.id for e in closed}
        return [s for s in slots if s.state == 'held' or s.id in ids]

    @classmethod
    def on_write(cls, slots, values):
        pool = Pool()
        Event = pool.get('training.session.slot.event')
        callbacks = super().on_write(slots, values)
        for slot in slots:
            if slot.state == 'open' and (
                    words := slot._describe_changes(values)):
                callbacks.append(
                    lambda id_=slot.id, words=words: Event.record(
                        [cls(id_)], 'changed', description=words))
        return callbacks

    def _describe_changes(self, values):
        "Return the words for what the values change on the sheet"
        words = []
        for name in sorted(values.keys() & {'trainer', 'location'}):
            if _changes(self, name, values[name]):
                Target = self.__class__._fields[name].get_target()
                old, new = getattr(self, name), values[name]
                words.append(gettext(
                        f'training_abandon.msg_sheet_changed_{name}',
                        old=old.rec_name if old else "–",
                        new=Target(new).rec_name if new else "–"))
        return ' '.join(words)

    def names_now(self):
        "Return the names that the sheet shows, as values of its event"
        location = self.location or self.session.location
        return {
            'session_number': self.session.number,
            'course_name': self.session.course.rec_name,
            'trainer_name': self.trainer.rec_name if self.trainer else None,
            'location_name': (
                ' – '.join(location.full_address.splitlines())
                if location else None),
            }

    @classmethod
    def names_said(cls, slots):
        """Return by id of the slots the names that their sheets show: those
        of its closing when the sheet is official"""
        result = {}
        for event in cls._search_events(
                [s for s in slots if s.state == 'held'], 'closed'):
            if event.course_name:
                result[event.slot.id] = {
                    'session_number': event.session_number,
                    'course_name': event.course_name,
                    'trainer_name': event.trainer_name,
                    'location_name': event.location_name,
                    }
        for slot in slots:
            if slot.id not in result:
                result[slot.id] = slot.names_now()
        return result

    @classmethod
    def record_replaced(cls, source, destination):
        """Tell in the history of the sheets that a party, trainee or trainer
        of them, is replaced by another one"""
        cls._record_party(source, 'changed', gettext(
                'training_abandon.msg_sheet_party_replaced',
                source=source.rec_name, destination=destination.rec_name))

    @classmethod
    def record_erased(cls, party):
        """Tell in the history of the sheets that a person of them is erased,
        and what of the sheet is"""
        cls._record_party(party, 'erased', gettext(
                'training_abandon.msg_sheet_party_erased', party=party.id))

    @classmethod
    def _record_party(cls, party, kind, description):
        pool = Pool()
        Event = pool.get('training.session.slot.event')
        slots = cls.search([
                ('state', 'in', ['open', 'held']),
                ['OR',
                    ('trainer', '=', party.id),
                    ('attendances.enrolment.trainee.party', '=', party.id),
                    ],
                ], order=[('id', 'ASC')])
        for sub_slots in grouped_slice(slots, BATCH):
            Event.record(list(sub_slots), kind, description=description)


class AttendanceEvidenceMixin:
    "Lines that keep the name of who stood on the official sheet"
    __slots__ = ()

    trainee_name = fields.Char(
        "Name on the Sheet", readonly=True,
        help="The name of the trainee when the sheet became official.")

    @classmethod
    def __register__(cls, module):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        table_h = cls.__table_handler__(module)
        has_name = table_h.column_exist('trainee_name')
        super().__register__(module)
        if not has_name:
            slot = Slot.__table__()
            cls._write_names(slot.select(slot.id, where=slot.state == 'held'))

    @classmethod
    def keep_names(cls, slots):
        "Keep the names of the trainees of the slots that become official"
        for sub_slots in grouped_slice(slots, BATCH):
            cls._write_names([s.id for s in sub_slots])
        for cache in Transaction().cache.values():
            if cls.__name__ in cache:
                cache[cls.__name__].clear()

    @classmethod
    def _write_names(cls, slots):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Party = pool.get('party.party')
        Trainee = pool.get('training.trainee')
        attendance, enrolment = cls.__table__(), Enrolment.__table__()
        trainee, party = Trainee.__table__(), Party.__table__()
        name = (enrolment
            .join(trainee, condition=trainee.id == enrolment.trainee)
            .join(party, condition=party.id == trainee.party)
            .select(
                party.name, where=enrolment.id == attendance.enrolment))
        Transaction().connection.cursor().execute(*attendance.update(
                [attendance.trainee_name], [name],
                where=attendance.slot.in_(slots)))

    @property
    def name_said(self):
        "The name of the trainee on the sheet"
        if self.slot.state == 'held' and self.trainee_name:
            return self.trainee_name
        return self.trainee.rec_name

    @classmethod
    def copy(cls, attendances, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('trainee_name')
        return super().copy(attendances, default=default)


class EnrolmentEvidenceMixin:
    "Enrolments whose trainee stands on sheets that are evidence"
    __slots__ = ()

    @classmethod
    def check_modification(
            cls, mode, enrolments, values=None, external=False):
        super().check_modification(
            mode, enrolments, values=values, external=external)
        if mode == 'delete':
            for enrolment in cls.on_official_sheets(enrolments):
                raise AccessError(gettext(
                        'training_abandon.msg_enrolment_delete_sheet',
                        enrolment=enrolment.rec_name))
        elif mode == 'write':
            cls._check_who(enrolments, values, external=external)

    @classmethod
    def _check_who(cls, enrolments, values, external=False):
        "Check that nobody else is given the place on the official sheets"
        names = values.keys() & {'trainee', 'session', 'company'}
        if Transaction().context.get('training_replace') and not external:
            # The same person, who was recorded twice
            names -= {'trainee'}
        if external:
            # The buttons change the state
            names |= values.keys() & {'state'}
        changed = [
            e for e in enrolments
            if any(_changes(e, n, values[n]) for n in names)]
        for enrolment in cls.on_official_sheets(changed):
            raise AccessError(gettext(
                    'training_abandon.msg_enrolment_modify_sheet',
                    enrolment=enrolment.rec_name))

    @classmethod
    def on_official_sheets(cls, enrolments, states=None):
        """Return those of the enrolments that have a line, in one of the
        states, on a sheet that is official or has ever been"""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Event = pool.get('training.session.slot.event')
        Slot = pool.get('training.session.slot')
        cursor = Transaction().connection.cursor()
        found = set()
        for sub_enrolments in grouped_slice(enrolments, BATCH):
            attendance, slot = Attendance.__table__(), Slot.__table__()
            event = Event.__table__()
            where = fields.SQL_OPERATORS['in'](
                attendance.enrolment, [e.id for e in sub_enrolments])
            where &= (slot.state == 'held') | Exists(event.select(
                    event.id, where=(event.slot == slot.id)
                    & (event.kind == 'closed')))
            if states:
                # Nobody attends what is called off
                where &= (attendance.state.in_(states)
                    & (slot.state != 'cancelled'))
            cursor.execute(*attendance
                .join(slot, condition=slot.id == attendance.slot)
                .select(attendance.enrolment, where=where,
                    group_by=[attendance.enrolment]))
            found.update(id_ for id_, in cursor)
        return [e for e in enrolments if e.id in found]

    @classmethod
    @ModelView.button
    def cancel(cls, enrolments):
        for enrolment in cls.on_official_sheets(enrolments, states=ATTENDED):
            raise EnrolmentError(gettext(
                    'training_abandon.msg_enrolment_cancel_attended',
                    enrolment=enrolment.rec_name))
        super().cancel(enrolments)


def _changes(record, name, value):
    "Tell if the value is not the one that the field of the record has"
    current = getattr(record, name)
    if isinstance(record.__class__._fields[name], fields.Many2One):
        current = current.id if current else None
        value = int(value) if value is not None else None
    return current != value
