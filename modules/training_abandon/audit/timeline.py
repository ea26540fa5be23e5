# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import re
from collections import defaultdict

from sql import Cast, Literal, Null, Union
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce
from sql.functions import DateTrunc
from sql.operators import Concat, Exists

from trytond import backend
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..rec_name import search_names

# What happens on a case, as the journal tells it too
EVENT_KINDS = [
    ('opening', "Opening"),
    ('mail_queued', "Mail Queued"),
    ('follow_up', "Follow-Up"),
    ('proposal', "Proposal"),
    ('response', "Response to the Proposal"),
    ('certificate', "Certificate"),
    ('document', "Document"),
    ('answer', "Reasons Given"),
    ('step', "Step Done"),
    ('skipped', "Step Skipped"),
    ('decision', "Decision"),
    ('completion', "Decision Completed"),
    ('justification', "Absence Justified"),
    ('correction', "Correction"),
    ('mail_sent', "Mail Sent"),
    ('mail_failed', "Mail Failed"),
    ('mail_cancelled', "Mail Cancelled"),
    ('mail_bounced', "Mail Bounced"),
    ('reply', "Reply"),
    ]
# What became of a mail
MAIL_KINDS = [
    'mail_queued', 'mail_sent', 'mail_failed', 'mail_bounced',
    'mail_cancelled']
# What is written to a party or heard from it
MESSAGE_KINDS = [*MAIL_KINDS, 'reply', 'follow_up']
# What comes from others, whatever became of the case
LATE_KINDS = ['mail_bounced', 'reply', 'follow_up']
_DATE = re.compile(r'\d{4}-\d{2}-\d{2}')


def _second(timestamp):
    return DateTrunc('second', timestamp)


def _with_dates(text):
    "Return the text with its dates in the format of the language"
    pool = Pool()
    Lang = pool.get('ir.lang')
    lang = Lang.get()
    return ' – '.join(dict.fromkeys(
            lang.strftime(dt.date.fromisoformat(word))
            if _DATE.fullmatch(word) else word
            for word in text.split()))


def _with_time(at, company):
    "Return the day and the hour of the company in the format of the language"
    pool = Pool()
    Lang = pool.get('ir.lang')
    lang = Lang.get()
    return lang.strftime(
        tools.local_datetime(at, company), f'{lang.date} %H:%M')


class Event(ModelSQL, ModelView):
    "What happened on a case"
    __name__ = 'training.abandon.case.event'

    case = fields.Many2One('training.abandon.case', "Case")
    company = fields.Many2One('company.company', "Company")
    at = fields.DateTime("At")
    sequence = fields.Integer(
        "Sequence", help="The order of what happens in the same second.")
    kind = fields.Selection([
            *EVENT_KINDS,
            ('follow_up_planned', "Follow-Up Planned"),
            ('follow_up_cancelled', "Follow-Up No Longer Needed"),
            ('state', "State"),
            ], "Kind", sort=False,
        help="What sort of event it is: search by it to read only the "
        "mails, or the steps.")
    kind_string = kind.translated('kind')
    label = fields.Char("Label")
    detail = fields.Text("Detail")
    party = fields.Many2One(
        'party.party', "Party",
        context={
            'company': Eval('company', -1),
            },
        depends={'company'})
    employee = fields.Many2One('company.employee', "Employee")
    user = fields.Many2One('res.user', "User")
    by = fields.Function(
        fields.Char(
            "By",
            help="Who did it: an employee, a user, a party, or the "
            "procedure."),
        'get_by')
    origin = fields.Reference(
        "Origin", selection='get_origins',
        help="The record that tells it: open it to read more.")
    summary = fields.Function(
        fields.Char(
            "Summary", help="What happened, in one line."),
        'get_summary')
    text = fields.Function(
        fields.Text(
            "Text",
            states={
                'invisible': ~Eval('text'),
                },
            help="What others wrote or said is read by the group "
            "Sensitive Reasons only."),
        'get_text')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('at', 'ASC'),
            ('sequence', 'ASC'),
            ('id', 'ASC'),
            ]
        cls._buttons.update(open_origin={})

    @classmethod
    def get_origins(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        return [(None, "")] + [
            (m, Model.get_name(m)) for m in cls._get_origins()]

    @classmethod
    def _get_origins(cls):
        return [
            'ir.attachment',
            'training.abandon.case',
            'training.abandon.case.correction',
            'training.abandon.case.completion',
            'training.abandon.case.step',
            'training.abandon.certificate',
            'training.abandon.proposal',
            'training.follow_up',
            'training.justification',
            'training.mail',
            'training.mail.reply',
            ]

    def get_rec_name(self, name):
        return self.summary

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'case.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('kind').in_(['mail_failed', 'mail_bounced']),
                    'danger',
                    If(Eval('kind').in_(['skipped', 'mail_cancelled']),
                        'muted', ''))),
            ]

    @classmethod
    def _sources(cls):
        """Return the list of the methods that return the query and the table
        of a source.

        The id of an event is made of the id of the record and of the
        position of the source."""
        return [
            cls._from_openings,
            cls._from_mails,
            cls._from_follow_ups_planned,
            cls._from_follow_ups,
            cls._from_follow_ups_cancelled,
            cls._from_proposals,
            cls._from_responses,
            cls._from_certificates,
            cls._from_certificate_states,
            cls._from_documents,
            cls._from_justifications,
            cls._from_answers,
            cls._from_steps,
            cls._from_states,
            cls._from_completions,
            cls._from_replies,
            cls._from_corrections,
            ]

    @classmethod
    def table_query(cls):
        sources = cls._sources()
        ids = Transaction().context.get('training_abandon_events')
        queries = []
        for position, source in enumerate(sources):
            query, table = source()
            if ids is not None:
                source_ids = [
                    i // len(sources) for i in ids
                    if i % len(sources) == position]
                if not source_ids:
                    continue
                clause = fields.SQL_OPERATORS['in'](table.id, source_ids)
                query.where = query.where & clause if query.where else clause
            query.columns = [
                (table.id * len(sources) + position).as_('id'),
                Literal(position).as_('sequence'),
                *query.columns]
            queries.append(query)
        return Union(*queries, all_=True)

    @classmethod
    def read(cls, ids, fields_names):
        # Without the ids of their records the computed ids would be found
        # only by going through all of them
        result = []
        for sub_ids in grouped_slice(ids, backend.MAX_QUERY_PARAMS // 2):
            sub_ids = list(sub_ids)
            with Transaction().set_context(training_abandon_events=sub_ids):
                result += super().read(sub_ids, fields_names)
        return result

    @classmethod
    def _columns(cls, model, table, **values):
        columns = {
            name: field.sql_cast(Null)
            for name, field in cls._fields.items()
            if name in {
                'case', 'company', 'at', 'kind', 'label', 'detail', 'party',
                'employee', 'user', 'origin'}}
        columns.update(values)
        columns['origin'] = Concat(f'{model},', Cast(
                table.id, fields.Char('id').sql_type().base))
        return [
            (Literal(column) if isinstance(column, str) else column).as_(name)
            for name, column in sorted(columns.items())]

    @classmethod
    def _from_openings(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        case = Case.__table__()
        return case.select(*cls._columns(
                Case.__name__, case,
                case=case.id,
                company=case.company,
                at=_second(case.create_date),
                kind='opening',
                label=case.origin,
                employee=case.opened_by,
                user=case.create_uid)), case

    @classmethod
    def _from_answers(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        case = Case.__table__()
        return case.select(*cls._columns(
                Case.__name__, case,
                case=case.id,
                company=case.company,
                at=case.answered_at,
                kind='answer'),
            where=case.answered_at != Null), case

    @classmethod
    def _from_steps(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        case, step = Case.__table__(), Step.__table__()
        return step.join(case, condition=case.id == step.case
            ).select(*cls._columns(
                    Step.__name__, step,
                    case=step.case,
                    company=case.company,
                    at=step.done_at,
                    kind=SQLCase(
                        (step.state == 'skipped', 'skipped'), else_='step'),
                    label=step.kind,
                    detail=step.skip_reason,
                    employee=step.done_by,
                    user=step.done_by_user),
                where=step.done_at != Null), step

    @classmethod
    def _from_states(cls):
        "The states that the steps do not tell"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Log = pool.get('ir.model.log')
        case, log = Case.__table__(), Log.__table__()
        decisions = ['state:validated', 'state:invalidated']
        return log.join(case,
            condition=log.resource == cls._reference(Case, case)
            ).select(*cls._columns(
                    Case.__name__, case,
                    case=case.id,
                    company=case.company,
                    at=_second(log.create_date),
                    kind=SQLCase(
                        (log.target.in_(decisions), 'decision'),
                        else_='state'),
                    label=log.target,
                    detail=SQLCase(
                        (log.target == Concat('state:', case.decision),
                            case.ground)),
                    user=log.user),
                where=(log.event == 'transition')
                & log.target.in_(
                    [*decisions, 'state:closed', 'state:cancelled'])), log

    @classmethod
    def _from_corrections(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Correction = pool.get('training.abandon.case.correction')
        case, correction = Case.__table__(), Correction.__table__()
        return correction.join(case, condition=case.id == correction.case
            ).select(*cls._columns(
                    Correction.__name__, correction,
                    case=correction.case,
                    company=case.company,
                    at=correction.at,
                    kind='correction',
                    label=correction.kind,
                    detail=correction.reason,
                    employee=correction.employee,
                    user=correction.user)), correction

    @classmethod
    def _reference(cls, Model, table):
        return Concat(f'{Model.__name__},', Cast(
                table.id, fields.Char('id').sql_type().base))

    @classmethod
    def _from_mails(cls):
        "The mails, once each, when they left or were given up"
        pool = Pool()
        Mail = pool.get('training.mail')
        mail = Mail.__table__()
        return mail.select(*cls._columns(
                Mail.__name__, mail,
                case=mail.case,
                company=mail.company,
                at=Coalesce(
                    mail.sent_at, mail.failed_at,
                    SQLCase((
                            mail.state == 'cancelled',
                            _second(mail.write_date))),
                    _second(mail.create_date)),
                kind=SQLCase(
                    (mail.bounced_at != Null, 'mail_bounced'),
                    (mail.state == 'sent', 'mail_sent'),
                    (mail.state == 'failed', 'mail_failed'),
                    (mail.state == 'cancelled', 'mail_cancelled'),
                    else_='mail_queued'),
                label=mail.kind,
                detail=SQLCase(
                    (mail.bounced_at != Null, mail.bounce_reason),
                    else_=mail.smtp_reply),
                party=mail.party,
                # Who wrote it may not be who cancelled it
                user=SQLCase((mail.state != 'cancelled', mail.create_uid))),
            where=mail.case != Null), mail

    @classmethod
    def _from_replies(cls):
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        reply = Reply.__table__()
        return reply.select(*cls._columns(
                Reply.__name__, reply,
                case=reply.case,
                company=reply.company,
                at=reply.received_at,
                kind='reply',
                label=reply.kind,
                # What another one wrote is not of the party until confirmed
                party=SQLCase(
                    (Coalesce(reply.counted, Literal(False))
                        | ~Coalesce(reply.other_sender, Literal(False)),
                        reply.party))),
            # The mail tells its bounces
            where=(reply.case != Null)
            & ((reply.kind != 'bounce') | (reply.mail == Null))), reply

    @classmethod
    def _from_follow_ups_planned(cls):
        follow_up = cls._follow_up_table()
        return cls._select_follow_up(
            follow_up, follow_up.planned_at, 'follow_up_planned'), follow_up

    @classmethod
    def _from_follow_ups(cls):
        follow_up = cls._follow_up_table()
        return cls._select_follow_up(
            follow_up, follow_up.done_at, 'follow_up',
            detail=follow_up.outcome), follow_up

    @classmethod
    def _from_follow_ups_cancelled(cls):
        follow_up = cls._follow_up_table()
        return cls._select_follow_up(
            follow_up, follow_up.cancelled_at, 'follow_up_cancelled',
            detail=follow_up.cancel_reason,
            user=follow_up.write_uid), follow_up

    @classmethod
    def _follow_up_table(cls):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        return FollowUp.__table__()

    @classmethod
    def _select_follow_up(cls, follow_up, at, kind, **values):
        return follow_up.select(*cls._columns(
                'training.follow_up', follow_up,
                case=follow_up.case,
                company=follow_up.company,
                at=at,
                kind=kind,
                label=follow_up.kind,
                party=follow_up.party,
                employee=follow_up.employee,
                **{'user': follow_up.create_uid, **values}),
            where=(follow_up.case != Null) & (at != Null))

    @classmethod
    def _from_proposals(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Proposal = pool.get('training.abandon.proposal')
        case, proposal = Case.__table__(), Proposal.__table__()
        return proposal.join(case, condition=case.id == proposal.case
            ).select(*cls._columns(
                    Proposal.__name__, proposal,
                    case=proposal.case,
                    company=case.company,
                    at=_second(proposal.create_date),
                    kind='proposal',
                    user=proposal.create_uid)), proposal

    @classmethod
    def _from_responses(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Proposal = pool.get('training.abandon.proposal')
        Response = pool.get('training.abandon.proposal.response')
        case, proposal = Case.__table__(), Proposal.__table__()
        response = Response.__table__()
        columns = cls._columns(
            Proposal.__name__, proposal,
            case=proposal.case,
            company=case.company,
            at=response.at,
            kind='response',
            label=response.answer,
            party=response.party,
            user=response.create_uid)
        return (response
            .join(proposal, condition=proposal.id == response.proposal)
            .join(case, condition=case.id == proposal.case)
            .select(*columns)), response

    @classmethod
    def _from_certificates(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Certificate = pool.get('training.abandon.certificate')
        case, certificate = Case.__table__(), Certificate.__table__()
        return certificate.join(case, condition=case.id == certificate.case
            ).select(*cls._columns(
                    Certificate.__name__, certificate,
                    case=certificate.case,
                    company=case.company,
                    at=certificate.issued_at,
                    kind='certificate',
                    label='issued',
                    detail=certificate.kind,
                    user=certificate.create_uid)), certificate

    @classmethod
    def _from_certificate_states(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Certificate = pool.get('training.abandon.certificate')
        Log = pool.get('ir.model.log')
        case, certificate = Case.__table__(), Certificate.__table__()
        log = Log.__table__()
        columns = cls._columns(
            Certificate.__name__, certificate,
            case=certificate.case,
            company=case.company,
            at=_second(log.create_date),
            kind='certificate',
            label=log.target,
            detail=certificate.kind,
            user=log.user)
        return (log
            .join(certificate,
                condition=log.resource
                == cls._reference(Certificate, certificate))
            .join(case, condition=case.id == certificate.case)
            .select(*columns,
                where=(log.event == 'transition')
                & log.target.in_([
                        'state:signed', 'state:refused',
                        'state:unanswered', 'state:void']))), log

    @classmethod
    def _from_documents(cls):
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Case = pool.get('training.abandon.case')
        attachment, case = Attachment.__table__(), Case.__table__()
        return attachment.join(case,
            condition=attachment.resource == cls._reference(Case, case)
            ).select(*cls._columns(
                    Attachment.__name__, attachment,
                    case=case.id,
                    company=case.company,
                    at=_second(attachment.create_date),
                    kind='document',
                    user=attachment.create_uid)), attachment

    @classmethod
    def _from_justifications(cls):
        "What was decided on the justifications while the case was open"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Justification = pool.get('training.justification')
        Log = pool.get('ir.model.log')
        case, later = Case.__table__(), Case.__table__()
        log, justification = Log.__table__(), Justification.__table__()

        def is_open(case):
            return (log.create_date >= case.create_date) & (
                (case.closed_at == Null)
                | (log.create_date <= case.closed_at))

        columns = cls._columns(
            Justification.__name__, justification,
            case=case.id,
            company=case.company,
            at=_second(log.create_date),
            kind='justification',
            label=log.target,
            detail=Concat(
                cls._text(justification.start_date),
                Concat(' ', cls._text(justification.end_date))),
            user=log.user)
        return (log
            .join(justification,
                condition=log.resource
                == cls._reference(Justification, justification))
            .join(case,
                condition=case.enrolment == justification.enrolment)
            .select(*columns,
                where=(log.event == 'transition')
                & is_open(case)
                # An event is of one case: the last one
                & ~Exists(later.select(
                        later.id,
                        where=(later.enrolment == case.enrolment)
                        & (later.id > case.id)
                        & is_open(later))))), log

    @classmethod
    def _from_completions(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Completion = pool.get('training.abandon.case.completion')
        Session = pool.get('training.session')
        case, completion = Case.__table__(), Completion.__table__()
        session = Session.__table__()
        return (completion
            .join(case, condition=case.id == completion.case)
            .join(session, 'LEFT',
                condition=session.id == completion.session)
            .select(*cls._columns(
                    Completion.__name__, completion,
                    case=completion.case,
                    company=case.company,
                    at=completion.at,
                    kind='completion',
                    label=completion.kind,
                    detail=Coalesce(
                        session.number, cls._text(completion.date)),
                    employee=completion.employee,
                    user=completion.user))), completion

    @classmethod
    def _text(cls, date):
        return Cast(date, fields.Char('date').sql_type().base)

    @classmethod
    def get_by(cls, events, name):
        names = {}
        for event in events:
            who = event.employee
            if not who and event.user and event.user.id:
                who = event.user
            names[event.id] = who.rec_name if who else None
        return names

    @classmethod
    def get_summary(cls, events, name):
        """Return what happened in words that everybody may read: the words
        of the trainee are those of the origin."""
        labels = cls._get_labels()
        mails, proposals = cls._get_mails(events), cls._get_proposals(events)
        return {
            event.id: ' – '.join(filter(None, [
                        event.kind_string,
                        labels['label'](event),
                        proposals.get(str(event.origin)),
                        *(event._fate(mails[event.origin.id])
                            if event.kind in MAIL_KINDS
                            else [labels['detail'](event)]),
                        event._late(mails)]))
            for event in events}

    def _fate(self, mail):
        "Return the list of the words for what became of the mail"

        def tell(name, at, **values):
            return gettext(
                f'training_abandon.msg_event_mail_{name}',
                at=_with_time(at, self.company), **values)

        words = []
        if mail.also_for:
            words.append(gettext(
                    'training_abandon.msg_event_also_for',
                    parties=', '.join(p.rec_name for p in mail.also_for)))
        if mail.bounced_at:
            words.append(tell('bounced', mail.bounced_at))
        if self.detail and self.kind != 'mail_sent':
            words.append(self.detail)
        if mail.failed_at and self.kind != 'mail_failed':
            words.append(tell('failed', mail.failed_at))
        if self.kind == 'mail_queued' and mail.next_attempt:
            words.append(tell('attempt', mail.next_attempt))
        if mail.replaced_by:
            words.append(gettext(
                    'training_abandon.msg_event_mail_replaced',
                    to=mail.replaced_by.to))
        return words

    def _late(self, mails):
        "Return the words for what comes after the case was closed"
        closed_at = self.case.closed_at
        if self.kind not in LATE_KINDS or not closed_at:
            return None
        at = self.at
        if self.kind == 'mail_bounced':
            at = mails[self.origin.id].bounced_at
        if at > closed_at:
            return gettext('training_abandon.msg_event_late')

    @classmethod
    def _get_mails(cls, events):
        "Return the mails of the events, by id"
        pool = Pool()
        Mail = pool.get('training.mail')
        # In the order in which they are used, to be read together
        return tools.browse_by_id(Mail, dict.fromkeys(
                e.origin.id for e in events if e.kind in MAIL_KINDS))

    @classmethod
    def _get_proposals(cls, events):
        "Return the names of the proposals of the events, by proposal"
        pool = Pool()
        Proposal = pool.get('training.abandon.proposal')
        return {
            str(p): p.rec_name for p in tools.browse_by_id(
                Proposal, dict.fromkeys(
                    e.origin.id for e in events
                    if e.kind in {'proposal', 'response'})).values()}

    @classmethod
    def _selection(cls, model, field):
        "Return the translated labels of the selection"
        pool = Pool()
        Model = pool.get(model)
        return dict(Model.fields_get([field])[field]['selection'])

    @classmethod
    def _translations(cls):
        """Return the words for the values of the label and of the detail, by
        kind of event"""
        pool = Pool()
        Mail = pool.get('training.mail')
        mails = dict(Mail.get_kinds())
        selection = cls._selection
        steps = selection('training.abandon.case.step', 'kind')
        certificates = selection('training.abandon.certificate', 'state')
        states = selection('training.abandon.case', 'state')
        return {
            'label': {
                'opening': selection('training.abandon.case', 'origin'),
                'step': steps,
                'skipped': steps,
                'decision': states,
                'state': states,
                'follow_up_planned': selection('training.follow_up', 'kind'),
                'follow_up': selection('training.follow_up', 'kind'),
                'follow_up_cancelled': selection('training.follow_up', 'kind'),
                'response': selection(
                    'training.abandon.proposal.response', 'answer'),
                'certificate': certificates,
                'correction': selection(
                    'training.abandon.case.correction', 'kind'),
                'completion': selection(
                    'training.abandon.case.completion', 'kind'),
                'justification': selection(
                    'training.justification', 'state'),
                'reply': selection('training.mail.reply', 'kind'),
                **dict.fromkeys(MAIL_KINDS, mails),
                },
            'detail': {
                'decision': selection('training.abandon.case', 'ground'),
                'follow_up': selection('training.follow_up', 'outcome'),
                'follow_up_cancelled': selection(
                    'training.follow_up', 'cancel_reason'),
                'certificate': selection(
                    'training.abandon.certificate', 'kind'),
                },
            }

    @classmethod
    def _dated_kinds(cls):
        "Return the kinds of the events whose detail has dates"
        return ['completion', 'justification']

    @classmethod
    def _get_labels(cls):
        "Return the functions that translate the label and the detail"
        translations, dated = cls._translations(), cls._dated_kinds()

        def translate(name):
            def get(event):
                value = getattr(event, name) or ''
                if name == 'label':
                    value = value.rpartition(':')[2]
                if name == 'detail' and event.kind in dated:
                    return _with_dates(value)
                translation = translations[name].get(event.kind)
                return translation.get(value) if translation else value
            return get

        return {name: translate(name) for name in translations}

    @classmethod
    def get_text(cls, events, name):
        sensitive = tools.is_member('group_sensitive_reason')
        texts = {}
        by_model = defaultdict(list)
        for event in events:
            texts[event.id] = None
            if event.kind in MESSAGE_KINDS:
                by_model[event.origin.__class__].append(event)
        for Model, model_events in by_model.items():
            field = {
                'training.mail': 'body',
                'training.mail.reply': 'text',
                'training.follow_up': 'note',
                }[Model.__name__]
            if field != 'body' and not sensitive:
                continue
            records = Model.browse([e.origin.id for e in model_events])
            for event, record in zip(model_events, records):
                texts[event.id] = getattr(record, field)
        return texts

    @classmethod
    @ModelView.button_action('training_abandon.act_case_event_origin')
    def open_origin(cls, events):
        if events:
            origin = events[0].origin
            return {
                'res_model': origin.__name__,
                'res_id': [origin.id],
                'views': [(None, 'form')],
                }
