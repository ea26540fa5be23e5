# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The notices of what was missed at the slots whose sheet is closed"
from collections import defaultdict, namedtuple

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import without_check_access

from .. import tools
from ..exceptions import LetterError, RecipientError
from ..mail.address import check_address
from ..notify import one_line
from ..procedure.letter import Renderer

# The kind of the letters, that belong to no step
LETTER_KIND = 'attendance'
LATE_STATES = ['late', 'left_early']
MISSED_STATES = ['absent', *LATE_STATES]
# The enrolments of which nobody is told
SILENT_STATES = ['draft', 'withdrawn', 'cancelled']

# What a party is told about a day of an enrolment
Message = namedtuple('Message', [
        'enrolment', 'audience', 'party', 'attendances'])


class Notice(ModelSQL, ModelView):
    "What a party is told about a slot, at most once"
    __name__ = 'training.attendance.notice'

    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, readonly=True,
        ondelete='CASCADE')
    slot = fields.Many2One(
        'training.session.slot', "Slot", required=True, readonly=True,
        ondelete='CASCADE')
    party = fields.Many2One(
        'party.party', "Party", required=True, readonly=True,
        ondelete='RESTRICT')
    state = fields.Selection([
            ('absent', "Absent"),
            ('late', "Late"),
            ('left_early', "Left Early"),
            ], "Told State", required=True, readonly=True, sort=False)
    mail = fields.Many2One(
        'training.mail', "Mail", readonly=True, ondelete='RESTRICT',
        help="Empty if the party could not be written to.")
    mail_state = fields.Function(
        fields.Selection('get_mail_states', "Mail State"),
        'on_change_with_mail_state')
    sent_at = fields.Function(
        fields.DateTime("Sent at"), 'on_change_with_sent_at')
    corrected_at = fields.DateTime(
        "Corrected at", readonly=True,
        help="When the sheet was closed again with another state.")
    dismissed = fields.Boolean(
        "Dismissed", readonly=True,
        help="A user has cancelled the mail: the party is told no more.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('enrolment')
        t = cls.__table__()
        cls._sql_constraints += [
            ('told_once_unique',
                Unique(t, t.slot, t.enrolment, t.party, t.state),
                'training_abandon.msg_notice_told_once'),
            ]
        cls._sql_indexes.add(Index(t, (t.enrolment, Index.Equality())))
        cls._order.insert(0, ('slot.date', 'DESC'))
        cls._order.insert(1, ('slot.start', 'DESC'))

    @classmethod
    def get_mail_states(cls):
        pool = Pool()
        Mail = pool.get('training.mail')
        return [(None, "")] + (
            Mail.fields_get(['state'])['state']['selection'])

    @fields.depends('mail', '_parent_mail.state')
    def on_change_with_mail_state(self, name=None):
        return self.mail.state if self.mail else None

    @fields.depends('mail', '_parent_mail.sent_at')
    def on_change_with_sent_at(self, name=None):
        return self.mail.sent_at if self.mail else None

    def get_rec_name(self, name):
        return f'{self.party.rec_name} - {self.slot.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('party.rec_name', *clause[1:])]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(~Eval('mail') | (Eval('mail_state') == 'failed'), 'danger',
                    If(Bool(Eval('corrected_at'))
                        | (Eval('mail_state') == 'cancelled'), 'muted', ''))),
            ]

    @classmethod
    def check_modification(cls, mode, notices, values=None, external=False):
        super().check_modification(
            mode, notices, values=values, external=external)
        if external:
            for notice in notices:
                raise AccessError(gettext(
                        'training_abandon.msg_notice_modify',
                        notice=notice.rec_name))

    @property
    def is_told(self):
        "If the party must not be told of the slot again"
        return bool(self.mail) and (
            self.mail.state != 'cancelled' or self.dismissed)

    @property
    def _key(self):
        return self.enrolment.id, self.slot.id, self.party.id, self.state

    @classmethod
    @without_check_access
    def send(cls, slots):
        "Tell what was missed at the slots whose sheet has just been closed"
        ids = [s.id for s in slots]
        cls._tell(slots, {*cls._missed(ids), *cls._correct(ids)})

    @classmethod
    @without_check_access
    def correct(cls, slots):
        "Correct the notices of the slots whose official sheet has changed"
        cls._tell(slots, cls._correct([s.id for s in slots]))

    @classmethod
    def _tell(cls, slots, attendances):
        pool = Pool()
        Mail = pool.get('training.mail')
        days = cls._get_days(attendances)
        notices = {
            n._key: n for n in cls._search('slot', {
                    a.slot.id for day in days.values() for a in day})}
        messages = cls._get_messages(
            days, {k for k, n in notices.items() if n.is_told})
        lines, refused = cls._render(messages)
        mails = Mail.create_letters([x for _, x in lines])
        for (message, _), mail in zip(lines, mails):
            cls._add_notices(message, notices, mail=mail.id)
        for message in refused:
            cls._add_notices(message, notices)
        cls.save([n for n in notices.values() if n._values])
        cls._notify_refused(slots, refused)

    @classmethod
    def _add_notices(cls, message, notices, mail=None):
        "Add to notices those of the message"
        for attendance in message.attendances:
            notice = cls(
                enrolment=message.enrolment,
                slot=attendance.slot,
                party=message.party,
                state=attendance.state)
            notice = notices.setdefault(notice._key, notice)
            notice.mail = mail
            notice.corrected_at = None

    @classmethod
    @without_check_access
    def forget_repeated(cls, source, destination):
        "Delete what source is told and destination, the same party, too"
        told = {
            (n.enrolment, n.slot, n.state)
            for n in cls.search([('party', '=', destination.id)])}
        cls.delete([
                n for n in cls.search([('party', '=', source.id)])
                if (n.enrolment, n.slot, n.state) in told])

    @classmethod
    def _search(cls, name, ids, *domain):
        result = []
        for sub_ids in grouped_slice(sorted(ids), tools.BATCH):
            result += cls.search([(name, 'in', list(sub_ids)), *domain])
        return result

    @classmethod
    def _attendances(cls, slot_ids, *domain):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        result = []
        for sub_ids in grouped_slice(sorted(slot_ids), tools.BATCH):
            result += Attendance.search([
                    ('slot', 'in', list(sub_ids)),
                    ('slot.state', '=', 'held'),
                    *domain])
        return result

    @classmethod
    def _missed(cls, slot_ids):
        "Return the attendances of which somebody may be told"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        return Attendance.settled(cls._attendances(
                Slot.with_parallel(slot_ids),
                ('state', 'in', MISSED_STATES),
                ('enrolment.state', 'not in', SILENT_STATES)))

    @classmethod
    def _correct(cls, slot_ids):
        """Note which notices of the slots tell no more what the sheets do,
        cancel their mails that wait and return the other attendances that
        the cancelled mails told."""
        pool = Pool()
        Mail = pool.get('training.mail')
        notices = cls._search('slot', slot_ids)
        if not notices:
            return []
        states = {
            (a.enrolment, a.slot): a.state for a in cls._attendances(
                {n.slot.id for n in notices},
                ('enrolment', 'in', list({n.enrolment.id for n in notices})))}
        wrong = {
            n for n in notices
            if states.get((n.enrolment, n.slot)) != n.state}
        # An absence that is excused stays an absence
        corrected = {
            n for n in wrong
            if n.state != 'absent'
            or states.get((n.enrolment, n.slot)) != 'excused'}
        cls.write([n for n in corrected if not n.corrected_at], {
                'corrected_at': tools.now()})
        cls.write(
            [n for n in notices if n.corrected_at and n not in corrected], {
                'corrected_at': None})
        mails = {n.mail for n in wrong if n.mail and not n.dismissed}
        Mail.write([m for m in mails if m.state in {'draft', 'queued'}], {
                'state': 'cancelled',
                'next_attempt': None,
                'unavailable_since': None,
                'smtp_reply': gettext(
                    'training_abandon.msg_notice_mail_corrected'),
                })
        # Some when they left while a sheet was open
        cancelled = {
            n.mail.id for n in notices
            if n.mail and n.mail.state == 'cancelled' and not n.dismissed}
        others = [
            n for n in cls._search('mail', cancelled) if n not in wrong]
        told = {(n.enrolment, n.slot) for n in others}
        return [
            a for a in cls._missed({n.slot.id for n in others})
            if (a.enrolment, a.slot) in told]

    @classmethod
    def _get_days(cls, attendances):
        """Return the attendances of which the procedure tells, those of the
        slots that ended lately, by enrolment and date."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        now = tools.now()
        # One instance keeps what is read together
        enrolments = {
            e.id: e for e in Enrolment.browse(
                sorted({a.enrolment.id for a in attendances}))}
        days = defaultdict(list)
        for attendance in sorted(
                attendances, key=lambda a: (a.slot.start_at, a.id)):
            enrolment = enrolments[attendance.enrolment.id]
            slot, procedure = attendance.slot, enrolment.procedure
            if (procedure
                    and procedure.notifies(attendance.state)
                    and slot.end_at >= now - procedure.notice_period):
                days[enrolment, slot.date].append(attendance)
        return days

    @classmethod
    def _get_messages(cls, days, told):
        """Return the list of Message, one for each party to tell of a day.

        told are the enrolment, slot, party and state that need not be."""
        messages = []
        for (enrolment, _), attendances in days.items():
            for audience, party, states in enrolment.notice_recipients():
                new = [
                    a for a in attendances
                    if a.state in states and (
                        enrolment.id, a.slot.id, party.id, a.state)
                    not in told]
                if new:
                    messages.append(Message(enrolment, audience, party, new))
        return messages

    @classmethod
    def _render(cls, messages):
        """Return the list of (Message, line for the mails) and the list of
        the messages that cannot be written to their party.

        Those for which the procedure has no letter are left out."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Party = pool.get('party.party')
        parties = tools.browse_by_id(Party, {m.party.id for m in messages})
        renderer = Renderer(Enrolment, {m.enrolment.id for m in messages})
        lines, refused = [], []
        for message in messages:
            party = parties[message.party.id]
            letter = message.enrolment.procedure.get_notice(
                message.audience, message.attendances)
            if not letter:
                continue
            try:
                check_address(party.reachable_email, party)
                line = renderer.render(
                    message.enrolment, party, letter,
                    lambda enrolment: enrolment.notice_context(
                        party, message.attendances))
            except (LetterError, RecipientError):
                refused.append(message)
                continue
            lines.append((message, {**line, 'about': message.enrolment}))
        return lines, refused

    @classmethod
    def _notify_refused(cls, slots, refused):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        names = list(dict.fromkeys(
                f'{m.party.rec_name} ({m.enrolment.rec_name})'
                for m in refused))
        if names:
            Slot.notify_user(
                slots, 'tryton-warning',
                gettext('training_abandon.msg_notice_refused'),
                one_line(', '.join(tools.first(names))))

    @classmethod
    @without_check_access
    def outdated_reason(cls, mail):
        "Return why the mail tells no more what the sheets do, or None"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        notices = cls.search([('mail', '=', mail.id)])
        if not notices and mail.kind == LETTER_KIND:
            return gettext('training_abandon.msg_notice_repeated')
        states = {
            (a.enrolment, a.slot): a for a in Attendance.search([
                    ('slot', 'in', [n.slot.id for n in notices]),
                    ('enrolment', 'in', [n.enrolment.id for n in notices]),
                    ])}
        for notice in notices:
            slot, enrolment = notice.slot, notice.enrolment
            attendance = states.get((enrolment, slot))
            if slot.state != 'held':
                return gettext(
                    'training_abandon.msg_notice_slot_state',
                    slot=slot.rec_name, state=slot.state_string)
            elif not attendance or attendance.state != notice.state:
                return gettext(
                    'training_abandon.msg_notice_attendance_state',
                    slot=slot.rec_name,
                    state=attendance.state_string if attendance else '')
            elif enrolment.state in SILENT_STATES:
                return gettext(
                    'training_abandon.msg_notice_enrolment_state',
                    state=enrolment.state_string)
            elif (mail.is_first_attempt and enrolment.procedure
                    and slot.end_at
                    < tools.now() - enrolment.procedure.notice_period):
                return gettext(
                    'training_abandon.msg_notice_old', slot=slot.rec_name)
