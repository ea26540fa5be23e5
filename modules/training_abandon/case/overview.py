# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What a case tells at a glance: whom to call, the steps, what is wrong"
from collections import defaultdict

from trytond.i18n import gettext, ngettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice

from .. import tools
from ..mail.claim import WAITING
from ..notify import one_line
from ..procedure.states import STEP_ORDER

# What becomes of a step, with the end of the name of its icon
MARKS = ['done', 'pending', 'failed', 'late', 'todo', 'skipped']
PHONES = {'phone', 'mobile'}
# The steps that write to the trainee
_WRITTEN = {'ask_reasons', 'follow_up', 'certify'}


def party_phone(party):
    "Return the first number at which to call the party, or None"
    for mechanism in party.contact_mechanisms:
        if mechanism.type in PHONES:
            return mechanism.value


def _proof_button(kind):
    marks = Eval('marks', [])
    icon = ''
    for mark in reversed(MARKS):
        icon = If(
            marks.contains(f'{kind}_{mark}'),
            f'tryton-training-abandon-{mark}', icon)
    todo = (
        marks.contains(f'{kind}_todo') | marks.contains(f'{kind}_late'))
    return {
        'icon': icon,
        'readonly': todo,
        'invisible': ~(
            todo | marks.contains(f'{kind}_done')
            | marks.contains(f'{kind}_pending')
            | marks.contains(f'{kind}_failed')
            | marks.contains(f'{kind}_skipped')),
        'depends': ['marks'],
        }


class OverviewMixin:
    "Cases that are read without opening anything else"
    __slots__ = ()

    trainee_phone = fields.Function(
        fields.Char("Phone", states={
                'invisible': ~Eval('trainee_phone'),
                }),
        'get_contacts')
    trainee_email = fields.Function(
        fields.Char("Email", states={
                'invisible': ~Eval('trainee_email'),
                }),
        'get_contacts')
    prescriber_contact = fields.Function(
        fields.Many2One(
            'party.party', "Contact",
            context={
                'company': Eval('company', -1),
                },
            states={
                'invisible': ~Eval('prescriber_contact'),
                },
            depends={'company'},
            help="Whom to call for the prescriber."),
        'get_contacts')
    prescriber_phone = fields.Function(
        fields.Char("Contact Phone", states={
                'invisible': ~Eval('prescriber_phone'),
                },
            help="The phone number of the person to call for the "
            "prescriber."),
        'get_contacts')
    agreed_hours = fields.Function(
        fields.TimeDelta(
            "Agreed Hours", 'training_hours',
            help="The time of the agreement, in hours, on which the price "
            "rests."),
        'get_enrolment_facts')
    hours_attended = fields.Function(
        fields.TimeDelta(
            "Hours Attended", 'training_hours',
            help="The time of presence on the official sheets, in hours."),
        'get_enrolment_facts')
    last_presence = fields.Function(
        fields.Date(
            "Last Presence",
            help="The last day on which the trainee came, on the official "
            "sheets."),
        'get_enrolment_facts')
    marks = fields.Function(
        fields.MultiSelection(
            'get_mark_selection', "Marks",
            help="What became of each step, for the buttons that open its "
            "proof."),
        'get_marks')
    alert = fields.Function(
        fields.Char(
            "To Put Right",
            states={
                'invisible': ~Eval('alert'),
                },
            help="What is wrong with the case and how to put it right."),
        'get_alerts')
    remedy = fields.Function(
        fields.Reference("Remedy", selection='get_remedies'), 'get_alerts')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            **{f'proof_{kind}': _proof_button(kind) for kind in STEP_ORDER},
            open_remedy={
                'invisible': ~Eval('remedy'),
                'depends': ['remedy'],
                })

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/form//image[@name="tryton-warning"]', 'states', {
                    'invisible': ~Eval('alert'),
                    }),
            ]

    @classmethod
    def get_contacts(cls, cases, names):
        "Return whom to call and where, for the trainee and the prescriber"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        # In the order in which they are read
        enrolments = tools.browse_by_id(
            Enrolment, dict.fromkeys(c.enrolment.id for c in cases))
        result = {name: {} for name in names}
        for case in cases:
            enrolment = enrolments[case.enrolment.id]
            party, contact = enrolment.trainee.party, None
            phone = None
            for _, person in enrolment.stakeholders('prescriber'):
                contact = contact or person
                if phone := party_phone(person):
                    contact = person
                    break
            if contact and not phone and enrolment.prescriber:
                phone = party_phone(enrolment.prescriber)
            values = {
                'trainee_phone': party_phone(party),
                'trainee_email': party.reachable_email or party.email,
                'prescriber_contact': contact.id if contact else None,
                'prescriber_phone': phone,
                }
            for name in names:
                result[name][case.id] = values[name]
        return result

    def phone_of(self, party):
        """Return the number at which to call the party about the case, of
        its organisation if it has none"""
        phone = party_phone(party)
        enrolment = self.enrolment
        if (not phone and enrolment.prescriber
                and ('prescriber', party) in enrolment.stakeholders(
                    'prescriber')):
            phone = party_phone(enrolment.prescriber)
        return phone

    @classmethod
    def get_enrolment_facts(cls, cases, names):
        return {
            name: {c.id: getattr(c.enrolment, name) for c in cases}
            for name in names}

    @classmethod
    def get_mark_selection(cls):
        return [
            (f'{kind}_{mark}', f'{label} ({mark})')
            for kind, label in cls._step_labels() for mark in MARKS]

    @classmethod
    def get_marks(cls, cases, name):
        days = cls._days(cases)
        return {
            case.id: [
                f'{s.kind}_{s.mark(days[case.company])}' for s in case.steps]
            for case in cases}

    @classmethod
    def _days(cls, cases):
        "Return the day it is, by company"
        return {c: tools.today(c) for c in {c.company for c in cases}}

    @classmethod
    def get_remedies(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        return [(None, "")] + [
            (m, Model.get_name(m)) for m in [
                'party.party', 'training.mail', 'training.mail.reply']]

    @classmethod
    def get_alerts(cls, cases, names):
        "Return the first thing that is wrong and the record that remedies it"
        alerts = {}
        for find in [
                cls._obstacle_alerts, cls._mail_alerts, cls._reply_alerts,
                cls._held_alerts, cls._address_alerts, cls._late_alerts]:
            left = [c for c in cases if c.id not in alerts]
            for sub_cases in grouped_slice(left, tools.BATCH):
                alerts.update(find(list(sub_cases)))
        values = {
            # It is read on one line
            'alert': lambda alert: alert[0] and ' '.join(alert[0].split()),
            'remedy': lambda alert: str(alert[1]) if alert[1] else None,
            }
        return {
            name: {
                c.id: values[name](alerts.get(c.id, (None, None)))
                for c in cases}
            for name in names}

    @classmethod
    def _obstacle_alerts(cls, cases):
        return {
            c.id: (obstacle, None) for c in cases
            if (obstacle := c.get_obstacle(None))}

    @classmethod
    def _mail_alerts(cls, cases):
        "The mails for which a step has no proof"
        pool = Pool()
        Mail = pool.get('training.mail')
        steps = {
            s.id: c for c in cases for s in c.steps
            if s.evidence == 'failed'}
        mails = Mail.search([
                ('step', 'in', list(steps)),
                ['OR',
                    ('state', '=', 'failed'),
                    [
                        ('bounced_at', '!=', None),
                        ('replaced_by', '=', None),
                        ],
                    ],
                ], order=[('id', 'DESC')])
        return {
            steps[m.step.id].id: (gettext(
                    'training_abandon.msg_case_alert_mail',
                    party=m.party.rec_name if m.party else m.to,
                    reason=one_line((
                            m.bounce_reason if m.bounced_at
                            else m.smtp_reply) or m.to)[:60]), m)
            for m in mails}

    @classmethod
    def _reply_alerts(cls, cases):
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        replies = Reply.search([
                ('case', 'in', [c.id for c in cases]),
                ('state', '=', 'new'),
                ('kind', 'in', ['answer', 'unknown', 'challenge']),
                ], order=[('received_at', 'DESC'), ('id', 'DESC')])
        return {
            r.case.id: (gettext(
                    'training_abandon.msg_case_alert_reply',
                    party=r.party.rec_name if r.party else r.from_ or ''), r)
            for r in replies}

    @classmethod
    def _held_alerts(cls, cases):
        pool = Pool()
        Mail = pool.get('training.mail')
        held = defaultdict(list)
        if not Mail.is_live():
            for mail in Mail.search([
                        ('case', 'in', [c.id for c in cases]),
                        ('state', 'in', WAITING),
                        ], order=[('id', 'ASC')]):
                held[mail.case.id].append(mail)
        return {
            case_id: (ngettext(
                    'training_abandon.msg_case_alert_held', len(mails),
                    count=len(mails)), mails[0])
            for case_id, mails in held.items()}

    @classmethod
    def _address_alerts(cls, cases):
        "The trainees to whom the next step cannot write"
        parties = {
            c.id: c.enrolment.trainee.party for c in cases
            if c.next_kind in _WRITTEN and not c.closed_at}
        return {
            case_id: (gettext(
                    'training_abandon.msg_case_alert_address',
                    party=party.rec_name), party)
            for case_id, party in parties.items()
            if not party.reachable_email}

    @classmethod
    def _late_alerts(cls, cases):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang, days = Lang.get(), cls._days(cases)
        labels = dict(cls._step_labels())
        return {
            c.id: (gettext(
                    'training_abandon.msg_case_alert_late',
                    step=labels[c.next_kind],
                    date=lang.strftime(c.next_due_date)), None)
            for c in cases
            if c.next_kind and not c.closed_at and c.next_due_date
            and c.next_due_date < days[c.company]}

    @classmethod
    def _open(cls, record):
        "Return the action that opens the record"
        return {
            'res_model': record.__name__,
            'res_id': [record.id],
            'views': [(None, 'form')],
            }

    @classmethod
    @ModelView.button_action('training_abandon.act_case_open_record')
    def open_remedy(cls, cases):
        for case in cases:
            if case.remedy:
                return cls._open(case.remedy)

    @classmethod
    def _open_proof(cls, cases, kind):
        for case in cases:
            if step := case.get_step(kind):
                return {
                    **cls._open(step),
                    'name': step.kind_string,
                    }

    @classmethod
    @ModelView.button_action('training_abandon.act_case_open_record')
    def proof_inform(cls, cases):
        return cls._open_proof(cases, 'inform')

    @classmethod
    @ModelView.button_action('training_abandon.act_case_open_record')
    def proof_ask_reasons(cls, cases):
        return cls._open_proof(cases, 'ask_reasons')

    @classmethod
    @ModelView.button_action('training_abandon.act_case_open_record')
    def proof_analyse(cls, cases):
        return cls._open_proof(cases, 'analyse')

    @classmethod
    @ModelView.button_action('training_abandon.act_case_open_record')
    def proof_propose(cls, cases):
        return cls._open_proof(cases, 'propose')

    @classmethod
    @ModelView.button_action('training_abandon.act_case_open_record')
    def proof_exchange(cls, cases):
        return cls._open_proof(cases, 'exchange')

    @classmethod
    @ModelView.button_action('training_abandon.act_case_open_record')
    def proof_follow_up(cls, cases):
        return cls._open_proof(cases, 'follow_up')

    @classmethod
    @ModelView.button_action('training_abandon.act_case_open_record')
    def proof_decide(cls, cases):
        return cls._open_proof(cases, 'decide')

    @classmethod
    @ModelView.button_action('training_abandon.act_case_open_record')
    def proof_certify(cls, cases):
        return cls._open_proof(cases, 'certify')
