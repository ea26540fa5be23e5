# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The notices of what was missed at the slots whose sheet is closed"
import hashlib
from collections import defaultdict, namedtuple
from contextlib import suppress

from sql import Null

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..exceptions import LetterError, RecipientError, SheetNoticeWarning
from ..mail.address import check_address, mailbox
from ..notify import one_line
from ..procedure.letter import Renderer
from ..rec_name import search_names

# The kind of the letters, that belong to no step
LETTER_KIND = 'attendance'
LATE_STATES = ['late', 'left_early']
MISSED_STATES = ['absent', *LATE_STATES]
# The enrolments of which nobody is told
SILENT_STATES = ['draft', 'withdrawn', 'cancelled']

# What the parties with one mailbox are told about a day of an enrolment:
# parties are the attendances of which each of them is told
Message = namedtuple('Message', [
        'enrolment', 'audience', 'parties', 'attendances', 'mail'])
# The most names of those who are about to be written to that are shown
ANNOUNCED = 20
# Why a party is not told, until it can be written to
WAITING_REASONS = ['no_address', 'archived', 'letter']


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
            ], "Told State", required=True, readonly=True, sort=False,
        help="What the party was told, whatever the sheet says now.")
    mail = fields.Many2One(
        'training.mail', "Mail", readonly=True, ondelete='RESTRICT',
        help="Empty if the party could not be written to.")
    reason = fields.Selection([
            (None, ""),
            ('no_address', "No Email Address"),
            ('archived', "Archived"),
            ('letter', "Letter Not Written"),
            ('announced', "Abandonment Announced"),
            ], "Not Told Because", readonly=True, sort=False,
        states={
            'invisible': ~Eval('reason'),
            },
        help="As soon as a party without address has one, it is told what is "
        "still true.")
    reason_string = reason.translated('reason')
    mail_state = fields.Function(
        fields.Selection(
            'get_mail_states', "Mail State",
            help="How far the mail of the notice is."),
        'on_change_with_mail_state')
    sent_at = fields.Function(
        fields.DateTime(
            "Sent at", help="When the mail server accepted the notice."),
        'on_change_with_sent_at')
    leaves_at = fields.Function(
        fields.DateTime(
            "Leaves at",
            help="The time before which the mail does not leave."),
        'on_change_with_leaves_at')
    corrected_at = fields.DateTime(
        "Corrected at", readonly=True,
        help="When the sheet was closed again with another state.")
    correction = fields.Many2One(
        'training.mail', "Correction", readonly=True, ondelete='RESTRICT',
        states={
            'invisible': ~Eval('correction'),
            },
        help="The mail that tells the party that it was told wrong.")
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
        cls._sql_indexes.update({
                Index(t, (t.enrolment, Index.Equality())),
                Index(t, (t.party, Index.Equality())),
                Index(t, (t.id, Index.Range()), where=t.mail == Null),
                Index(
                    t, (t.mail, Index.Equality()), where=t.mail != Null),
                Index(
                    t, (t.corrected_at, Index.Range()),
                    where=t.corrected_at != Null),
                })
        cls._order.insert(0, ('slot.date', 'DESC'))
        cls._order.insert(1, ('slot.start', 'DESC'))
        cls._buttons.update(
            tell={
                'invisible': Bool(Eval('mail')) | (
                    Eval('reason') == 'announced'),
                'depends': ['mail', 'reason'],
                })

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

    @fields.depends(
        'mail', '_parent_mail.state', '_parent_mail.next_attempt')
    def on_change_with_leaves_at(self, name=None):
        if self.mail and self.mail.state == 'queued':
            return self.mail.next_attempt

    def get_rec_name(self, name):
        return f'{self.party.rec_name} - {self.slot.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(
            cls, clause, 'party.rec_name', 'enrolment.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('reason') == 'announced', 'muted',
                    If(~Eval('mail') | (Eval('mail_state') == 'failed'),
                        'danger',
                        If(Bool(Eval('corrected_at'))
                            | (Eval('mail_state') == 'cancelled'),
                            'muted', '')))),
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
            self.dismissed
            # Who was told otherwise since must be told again
            or (self.mail.state != 'cancelled' and not self.correction))

    @property
    def is_correction_due(self):
        "If the party must be told that it was told wrong"
        return bool(
            self.mail and self.mail.has_left and not self.dismissed
            and (not self.correction
                or self.correction.state == 'cancelled'))

    @property
    def _key(self):
        return self.enrolment.id, self.slot.id, self.party.id, self.state

    @classmethod
    @without_check_access
    def send(cls, slots):
        "Tell what was missed at the slots whose sheet has just been closed"
        ids = [s.id for s in slots]
        attendances = {*cls._missed(ids), *cls._correct(ids)}
        cls._warn(slots, attendances)
        cls._tell(slots, attendances)
        cls._tell_corrected(slots)

    @classmethod
    def _warn(cls, slots, attendances):
        """Tell the user who is about to be written to and when.

        The sheets are closed again once the user has agreed."""
        pool = Pool()
        Mail = pool.get('training.mail')
        Warning = pool.get('res.user.warning')
        transaction = Transaction()
        context = transaction.context
        if (not slots or not transaction.user
                # As a trainer, who does not know who is written to
                or not tools.may_read(cls)
                or context.get('_skip_warnings')
                or context.get('skip_sheet_notices')):
            return
        lines = cls._announce(slots, attendances)
        if not lines:
            return
        # Who agrees has seen who is written to
        digest = hashlib.md5(
            '\n'.join(lines).encode('utf-8'),
            usedforsecurity=False).hexdigest()
        key = Warning.format(f'training_sheet_notice.{digest}', slots)
        if Warning.check(key):
            if notice := Mail.preview_notice():
                lines.append(notice)
            raise SheetNoticeWarning(
                key,
                gettext('training_abandon.msg_sheet_notice',
                    slots=type(slots[0]).sheet_names(slots)),
                '\n'.join(lines))

    @classmethod
    def _announce(cls, slots, attendances):
        "Return the lines that tell who is written to about the slots"
        told, unreached = defaultdict(list), []
        for days in grouped_slice(
                list(cls._get_days(attendances).items()), tools.BATCH):
            days = dict(days)
            messages = cls._get_messages(days, cls._day_notices(days))
            messages, _ = cls._split_announced(messages)
            for message in messages:
                procedure = message.enrolment.procedure
                if message.mail or not procedure.get_notice(
                        message.audience, message.attendances):
                    continue
                names = [
                    cls._recipient_name(message.enrolment, p)
                    for p in message.parties]
                if all(
                        p.reachable_email and not
                        message.enrolment.is_archived(p)
                        for p in message.parties):
                    at = procedure.notices_leave_at(
                        [a.slot for a in message.attendances])
                    told[at] += names
                else:
                    unreached += names
        corrected = [
            cls._recipient_name(e, p) for e, p in cls._corrections(
                cls._search('slot', {s.id for s in slots}))[0]]
        return cls._announce_lines(slots, told, corrected, unreached)

    @classmethod
    def _announce_lines(cls, slots, told, corrected, unreached):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        company = slots[0].session.company
        lines = []
        for at in sorted(told, key=lambda at: (at is not None, at)):
            message, when = 'msg_sheet_notice_now', ''
            if at:
                message = 'msg_sheet_notice_at'
                when = lang.strftime(
                    tools.local_datetime(at, company), f'{lang.date} %H:%M')
            lines.append((message, told[at], when))
        lines += [
            ('msg_sheet_notice_corrected', corrected, ''),
            ('msg_sheet_notice_unreached', unreached, ''),
            ]
        return [
            gettext(f'training_abandon.{message}',
                names=', '.join(tools.first(dict.fromkeys(names), ANNOUNCED)),
                count=len(dict.fromkeys(names)), at=when)
            for message, names, when in lines if names]

    @classmethod
    def _recipient_name(cls, enrolment, party):
        "Return the name of the party and, if another one, of the trainee"
        trainee = enrolment.trainee.party
        if party == trainee:
            return party.rec_name
        return f'{party.rec_name} ({trainee.rec_name})'

    @classmethod
    @without_check_access
    def keep_back(cls, slots):
        """Cancel the mails that still wait of the slots whose official sheet
        is open again, and tell the rest of what they told."""
        pool = Pool()
        Mail = pool.get('training.mail')
        now = tools.now()
        waiting = {
            n.mail for n in cls._search(
                'slot', {s.id for s in slots},
                ('mail.state', '=', 'queued'),
                ('mail.next_attempt', '>', now))
            if not n.mail.attempts}
        if not waiting:
            return
        Mail.write(list(waiting), {
                'state': 'cancelled',
                'next_attempt': None,
                'smtp_reply': gettext(
                    'training_abandon.msg_notice_mail_reopened'),
                })
        others = cls._search('mail', {m.id for m in waiting})
        # The slots are not open yet
        told = {
            (n.enrolment, n.slot) for n in others if n.slot not in slots}
        cls._tell([], [
                a for a in cls._missed({s.id for _, s in told})
                if (a.enrolment, a.slot) in told])

    @classmethod
    @without_check_access
    def correct(cls, slots):
        "Correct the notices of the slots whose official sheet has changed"
        cls._tell(slots, cls._correct([s.id for s in slots]))

    @classmethod
    @ModelView.button
    @without_check_access
    def tell(cls, notices):
        "Tell now those who could not be written to"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        waiting = [n for n in notices if not n.mail]
        cls._tell_waiting(waiting)
        for notice in cls.browse(waiting):
            if notice.mail:
                continue
            lines = Attendance.search([
                    ('enrolment', '=', notice.enrolment.id),
                    ('slot', '=', notice.slot.id),
                    ])
            reason = (
                notice._outdated(lines[0] if lines else None)
                or notice.reason_string
                or gettext('training_abandon.msg_notice_not_to_tell'))
            raise RecipientError(gettext(
                    'training_abandon.msg_notice_not_told',
                    notice=notice.rec_name, reason=reason))

    @classmethod
    @without_check_access
    def tell_due(cls):
        "Tell those who could not be written to, or corrected, and now can be"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        procedures = Procedure.search(
            [('notice_delay', '!=', None)],
            order=[('notice_delay', 'DESC')], limit=1)
        if not procedures:
            return
        since = tools.now() - procedures[0].notice_period
        reachable = [
            ('party.active', '=', True),
            ('party.contact_mechanisms', 'where', [
                    ('type', '=', 'email'),
                    ('bounced_at', '=', None),
                    ]),
            ]
        cls._tell_waiting(cls.search([
                    ('mail', '=', None),
                    ('corrected_at', '=', None),
                    ['OR',
                        ('reason', '=', None),
                        ('reason', 'in', WAITING_REASONS),
                        ],
                    ('slot.end_at', '>=', since),
                    *reachable]))
        cls._send_corrections(cls.search([
                    ('mail', '!=', None),
                    ('dismissed', '=', False),
                    ('corrected_at', '>=', since),
                    ['OR',
                        ('correction', '=', None),
                        ('correction.state', '=', 'cancelled'),
                        ],
                    ('slot.state', 'in', ['held', 'cancelled']),
                    *reachable]))

    @classmethod
    def _tell_waiting(cls, notices):
        "Tell what the notices say, to their parties alone, if it is true"
        told = {(n.enrolment.id, n.slot.id, n.state) for n in notices}
        cls._tell([], [
                a for a in cls._missed({n.slot.id for n in notices})
                if (a.enrolment.id, a.slot.id, a.state) in told],
            only={n._key for n in notices})

    @classmethod
    def _tell(cls, slots, attendances, only=None):
        """Tell of the attendances.

        only are the keys of the notices to send, by default all of them."""
        pool = Pool()
        Mail = pool.get('training.mail')
        mails, refused = [], []
        # The mails of a trainee are those of a day
        for days in grouped_slice(
                list(cls._get_days(attendances).items()), tools.BATCH):
            day_mails, day_refused = cls._tell_days(dict(days), only)
            mails += day_mails
            refused += day_refused
        # The scheduled action sends the others when it is time
        Mail.queue([m for m in mails if not m.next_attempt])
        if slots:
            cls._notify_refused(slots, refused)

    @classmethod
    def _tell_days(cls, days, only):
        """Tell of the days and return the mails to queue and the messages
        that cannot be written."""
        pool = Pool()
        Mail = pool.get('training.mail')
        notices = cls._day_notices(days)
        messages = cls._get_messages(days, notices, only)
        messages, announced = cls._split_announced(messages)
        lines, refused = cls._render(messages)
        mails = Mail.create_letters([x for _, x in lines], queue=False)
        for (message, _), mail in zip(lines, mails):
            cls._add_notices(message, notices, mail=mail)
        actions = []
        for message in messages:
            if mail := message.mail:
                cls._add_notices(message, notices, mail=mail)
                actions += [[mail], {
                        'also_for': [('add', [
                                    p.id for p in message.parties
                                    if p not in mail.parties])],
                        }]
        if actions:
            Mail.write(*actions)
        for message, reason in refused:
            cls._add_notices(message, notices, reason=reason)
        for message in announced:
            cls._add_notices(message, notices, reason='announced')
        changed = [n for n in notices.values() if n._values]
        for sub_notices in grouped_slice(changed, tools.BATCH):
            cls.save(list(sub_notices))
        return mails, [m for m, _ in refused]

    @classmethod
    def _day_notices(cls, days):
        "Return by key the notices that exist about the days"
        return {
            n._key: n for n in cls._search(
                'slot', {a.slot.id for day in days.values() for a in day},
                ('enrolment', 'in', list({e.id for e, _ in days})))}

    @classmethod
    def _add_notices(cls, message, notices, mail=None, reason=None):
        "Add to notices those of the message"
        for party, attendances in message.parties.items():
            for attendance in attendances:
                notice = cls(
                    enrolment=message.enrolment,
                    slot=attendance.slot,
                    party=party,
                    state=attendance.state)
                notice = notices.setdefault(notice._key, notice)
                values = {
                    'mail': mail,
                    'reason': reason,
                    'correction': None,
                    'corrected_at': None,
                    }
                for name, value in values.items():
                    if getattr(notice, name, None) != value:
                        setattr(notice, name, value)

    @classmethod
    def _tell_corrected(cls, slots):
        "Tell once those who were told what the sheets do not say any more"
        refused = cls._send_corrections(
            cls._search('slot', {s.id for s in slots}))
        cls._notify_refused(slots, refused)

    @classmethod
    def _send_corrections(cls, notices):
        """Tell the parties of those of the notices that are wrong and return
        the list of the messages that cannot be written."""
        pool = Pool()
        Mail = pool.get('training.mail')
        told, attendances = cls._corrections(notices)
        lines, refused = cls._render_corrections(told, attendances)
        # One mail may be for several parties
        mails = {
            (m.enrolment, p): m
            for m in Mail.create_letters([x for _, x in lines])
            for p in m.parties}
        actions = []
        for key, _ in lines:
            actions += [told[key], {'correction': mails[key].id}]
        if actions:
            cls.write(*actions)
        return refused

    @classmethod
    def _corrections(cls, notices):
        """Return those of the notices that are wrong and to correct, by
        enrolment and party, and the attendances by enrolment and slot."""
        notices = [n for n in notices if n.is_correction_due]
        attendances = cls._by_enrolment_slot(notices)
        told = defaultdict(list)
        for notice in notices:
            attendance = attendances.get((notice.enrolment, notice.slot))
            if not attendance or attendance.told_state != notice.state:
                told[notice.enrolment, notice.party].append(notice)
        return told, attendances

    @classmethod
    def _render_corrections(cls, told, attendances):
        """Return the list of (key, line for the mails) of what was told, the
        notices by enrolment and party, and the list of the messages that
        cannot be written."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Party = pool.get('party.party')
        parties = tools.browse_by_id(Party, {p.id for _, p in told})
        renderer = Renderer(Enrolment, {e.id for e, _ in told})
        lines, refused = [], []
        for (enrolment, party), notices in told.items():
            audience = 'stakeholder'
            if party == enrolment.trainee.party:
                audience = 'trainee'
            party = parties[party.id]
            procedure, line = enrolment.procedure, None
            letter = procedure and procedure.get_notice_correction(audience)
            if letter and not enrolment.is_archived(party):
                with suppress(LetterError, RecipientError):
                    check_address(party.reachable_email, party)
                    line = renderer.render(
                        enrolment, party, letter,
                        lambda enrolment: enrolment.correction_context(
                            party, notices, attendances))
            if line:
                lines.append(((enrolment, party), {
                            **line,
                            'about': enrolment,
                            # The same is told to one mailbox once
                            'key': frozenset(n.slot for n in notices),
                            }))
            else:
                refused.append(Message(
                        enrolment, audience, {party: []}, [], None))
        return lines, refused

    @classmethod
    def _by_enrolment_slot(cls, notices):
        "Return the attendances of the official sheets by enrolment and slot"
        return {
            (a.enrolment, a.slot): a for a in cls._attendances(
                {n.slot.id for n in notices},
                ('enrolment', 'in', list({n.enrolment.id for n in notices})))}

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
        for sub_ids in grouped_slice(sorted(slot_ids), tools.SET):
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
                ('justified', '=', False),
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
        lines = cls._by_enrolment_slot(notices)
        wrong, corrected = set(), set()
        for notice in notices:
            line = lines.get((notice.enrolment, notice.slot))
            if not line or line.is_excused or line.state != notice.state:
                wrong.add(notice)
            # An absence, or a lateness, that is justified stays one
            if not line or line.told_state != notice.state:
                corrected.add(notice)
        cls.write([n for n in corrected if not n.corrected_at], {
                'corrected_at': tools.now()})
        cls.write(
            [n for n in notices if n.corrected_at and n not in corrected], {
                'corrected_at': None})
        mails = {n.mail for n in wrong if n.mail and not n.dismissed}
        # The sheet says again what was told before it was corrected
        mails |= {
            n.correction for n in notices if n.correction and n not in wrong}
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
        cls.write([
                n for n in notices
                if n.correction and n not in wrong
                and n.correction.state == 'cancelled'],
            {'correction': None})
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
        enrolments = tools.browse_by_id(
            Enrolment, sorted({a.enrolment.id for a in attendances}))
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
    def _get_messages(cls, days, notices, only=None):
        """Return the list of Message, one for each mailbox to tell of a day.

        notices are those that exist, by key; a mail of theirs tells the
        parties who have the same mailbox."""
        told = {k for k, n in notices.items() if n.is_told}
        by_mailbox = {}
        for notice in notices.values():
            if notice.is_told and notice.mail.letter:
                by_mailbox[
                    notice.enrolment.id, notice.slot.id, notice.state,
                    notice.mail.letter.audience,
                    mailbox(notice.mail.to)] = notice.mail
        messages = {}
        for (enrolment, date), attendances in days.items():
            for audience, party, states in enrolment.notice_recipients():
                address = mailbox(party.reachable_email)
                for attendance in attendances:
                    key = (
                        enrolment.id, attendance.slot.id, party.id,
                        attendance.state)
                    if (attendance.state not in states or key in told
                            or only is not None and key not in only):
                        continue
                    mail = by_mailbox.get((
                            enrolment.id, attendance.slot.id,
                            attendance.state, audience, address))
                    message = messages.setdefault(
                        (enrolment, date, audience, address or party, mail),
                        Message(enrolment, audience, {}, [], mail))
                    message.parties.setdefault(party, []).append(attendance)
                    if attendance not in message.attendances:
                        message.attendances.append(attendance)
        for message in messages.values():
            message.attendances.sort(key=lambda a: (a.slot.start_at, a.id))
        return list(messages.values())

    @classmethod
    def _split_announced(cls, messages):
        """Return the messages to send and those about the days since which
        the abandonment is announced: it is known, and the procedure tells
        it."""
        announced = {
            e: e.announced_on() for e in {m.enrolment for m in messages}}
        sent, known = [], []
        for message in messages:
            date = announced[message.enrolment]
            is_known = date and message.attendances[0].slot.date >= date
            (known if is_known else sent).append(message)
        return sent, known

    @classmethod
    def _render(cls, messages):
        """Return the list of (Message, line for the mails) and the list of
        the (Message, reason) that cannot be written to their parties.

        Those for which the procedure has no letter, or that a mail tells
        already, are left out."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Party = pool.get('party.party')
        parties = tools.browse_by_id(
            Party, {p.id for m in messages for p in m.parties})
        renderer = Renderer(Enrolment, {m.enrolment.id for m in messages})
        lines, refused = [], []
        for message in messages:
            party, *others = [parties[p.id] for p in message.parties]
            letter = message.enrolment.procedure.get_notice(
                message.audience, message.attendances)
            if not letter or message.mail:
                continue
            if message.enrolment.is_archived(party):
                refused.append((message, 'archived'))
                continue
            try:
                check_address(party.reachable_email, party)
                line = renderer.render(
                    message.enrolment, party, letter,
                    lambda enrolment: enrolment.notice_context(
                        party, message.attendances))
            except (LetterError, RecipientError) as exception:
                refused.append((
                        message, 'letter'
                        if isinstance(exception, LetterError)
                        else 'no_address'))
                continue
            lines.append((message, {
                        **line,
                        'about': message.enrolment,
                        'key': message.attendances[0].slot.date,
                        'also_for': others,
                        'values': {
                            'next_attempt':
                            message.enrolment.procedure.notices_leave_at(
                                [a.slot for a in message.attendances]),
                            },
                        }))
        return lines, refused

    @classmethod
    def _notify_refused(cls, slots, refused):
        pool = Pool()
        Slot = pool.get('training.session.slot')
        names = list(dict.fromkeys(
                f'{p.rec_name} ({m.enrolment.rec_name})'
                for m in refused for p in m.parties))
        if names and tools.may_read(cls):
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
        if corrected := cls.search([('correction', '=', mail.id)]):
            return cls._outdated_correction(corrected)
        notices = cls.search([('mail', '=', mail.id)])
        if not notices and mail.kind == LETTER_KIND:
            return gettext('training_abandon.msg_notice_repeated')
        states = {
            (a.enrolment, a.slot): a for a in Attendance.search([
                    ('slot', 'in', [n.slot.id for n in notices]),
                    ('enrolment', 'in', [n.enrolment.id for n in notices]),
                    ])}
        for notice in notices:
            if reason := notice._outdated(
                    states.get((notice.enrolment, notice.slot)),
                    mail.is_first_attempt):
                return reason

    def _outdated(self, attendance, is_first=True):
        """Return why the notice tells no more what the attendance does, or is
        not to be told for the first time, or None"""
        slot, enrolment = self.slot, self.enrolment
        if slot.state != 'held':
            return gettext(
                'training_abandon.msg_notice_slot_state',
                slot=slot.rec_name, state=slot.state_string)
        elif not attendance or attendance.state != self.state:
            return gettext(
                'training_abandon.msg_notice_attendance_state',
                slot=slot.rec_name,
                state=attendance.state_string if attendance else '')
        elif attendance.is_excused:
            return gettext(
                'training_abandon.msg_notice_justified', slot=slot.rec_name)
        elif enrolment.state in SILENT_STATES:
            return gettext(
                'training_abandon.msg_notice_enrolment_state',
                state=enrolment.state_string)
        elif not is_first:
            return None
        elif (enrolment.procedure
                and slot.end_at
                < tools.now() - enrolment.procedure.notice_period):
            return gettext(
                'training_abandon.msg_notice_old', slot=slot.rec_name)
        announced = enrolment.announced_on()
        if announced and slot.date >= announced:
            return gettext(
                'training_abandon.msg_notice_announced',
                slot=slot.rec_name)

    @classmethod
    def _outdated_correction(cls, notices):
        attendances = cls._by_enrolment_slot(notices)
        for notice in notices:
            attendance = attendances.get((notice.enrolment, notice.slot))
            if (notice.slot.state not in {'held', 'cancelled'}
                    or attendance
                    and attendance.told_state == notice.state):
                return gettext(
                    'training_abandon.msg_notice_correction_outdated',
                    slot=notice.slot.rec_name)
