# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import Counter

from trytond.i18n import gettext, ngettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, PYSONEncoder
from trytond.transaction import Transaction
from trytond.wizard import Button, StateTransition

from .. import tools
from ..exceptions import GuardianWarning, LetterError, RecipientError
from ..mail.address import check_address
from ..mail.hold import HoldNoticeMixin
from ..procedure.template import UNFINISHED_RE
from .wizard import StepView, StepWizard, complete_lines

# The most cases of which each mail is previewed
PREVIEW = 50


def selected_cases():
    "Return the cases on which the wizard was opened"
    pool = Pool()
    Case = pool.get('training.abandon.case')
    context = Transaction().context
    if context.get('active_model') != Case.__name__:
        return []
    return Case.browse(context.get('active_ids') or [])


class MailView(StepView):
    "The form of letters, whose button tells how many mails leave"

    def __init__(self, model, view, *buttons):
        super().__init__(
            model, view, *buttons or (
                Button("Send", 'apply', 'tryton-send', default=True),
                Button("Send the Mails Ticked", 'send', 'tryton-send')))

    def get_buttons(self, wizard, state_name):
        buttons = super().get_buttons(wizard, state_name)
        count = wizard.mail_count
        is_all = Eval('mail_count', 0) == count
        for button in buttons:
            if button['state'] == 'apply':
                button['string'] = self.count_label(count)
                states = {'invisible': ~is_all}
            elif button['state'] == 'send':
                states = {
                    'invisible': is_all,
                    }
            else:
                continue
            button['states'] = PYSONEncoder().encode(states)
        return buttons

    def count_label(self, count):
        if not count:
            return gettext('training_abandon.msg_step_send_none')
        return ngettext(
            'training_abandon.msg_step_send', count, count=count)


class MailStepWizard(StepWizard):
    "Base of the wizards of the steps that write to people"
    _kind = None
    send = StateTransition()

    # How many mails leave if the form is left as it is opened
    mail_count = 0

    def _audiences(self):
        "Return the audiences to write to, see Case.recipients"
        return ['trainee']

    def _get_variant(self, case):
        "Return the variant of the letter for the case"
        return 'standard'

    def _letters(self, recipients, to_end=False):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Mail = pool.get('training.mail')
        return Mail.merge_lines(Case.render_letters(
                recipients, self._kind, self._get_variant, to_end=to_end))

    def default_start(self, fields):
        pool = Pool()
        Preview = pool.get('training.abandon.case.step.mail')
        recipients = self._get_recipients(self.records)
        if len(self.records) > PREVIEW:
            previews = Preview.summarize(
                recipients, self._kind, self._get_variant)
        else:
            previews = list(
                map(Preview.from_letter,
                    self._letters(recipients, to_end=True)))
        self.mail_count = sum(p['count'] for p in previews)
        return {
            'mails': previews,
            'mail_count': self.mail_count,
            }

    def transition_send(self):
        return self.transition_apply()

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        lines, contacts = self.get_lines()

        def write(cases, steps):
            Case.record_contacts(steps, contacts)
            Case.create_mails(steps, lines)

        Case.apply_step(self.cases, self._kind, write)
        return 'end'

    def get_lines(self):
        "Return what goes by mail and what was told by phone or letter"
        lines, contacts = [], []
        if len(self.cases) > PREVIEW:
            lines = self._letters(self._told())
            self._check_addresses(lines)
        else:
            for preview in self._prepare(self._previews()):
                line = preview.to_line(
                    self._kind, self._get_variant(preview.case))
                if preview.channel in {None, 'email'}:
                    preview.check_address()
                    preview.check_finished()
                    lines.append(line)
                else:
                    contacts.append({**line, 'kind': preview.channel})
        self._check_recipients(lines + contacts)
        return lines, contacts

    def _previews(self):
        "Return the lines of the form that are to leave"
        return [
            preview for preview in complete_lines(
                self.start.mails,
                'case', 'party', 'also_for', 'letter', 'audience', 'send',
                'channel', 'to', 'subject', 'text')
            if preview.send]

    def _told(self):
        "Return the recipients of the letters that are to leave"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        letters = {p.letter for p in self._previews()}
        return [
            recipient for *recipient, letter in Case.choose_letters(
                self._get_recipients(self.cases), self._kind,
                self._get_variant)
            if letter in letters]

    def _check_told(self):
        "Check as get_lines does, for the letters that are rendered later"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        lines = [{
                'case': case,
                'party': party,
                'to': case.email_of(party),
                } for case, _, party, _ in Case.choose_letters(
                self._told(), self._kind, self._get_variant)]
        self._check_addresses(lines)
        self._check_recipients(lines)

    def _prepare(self, previews):
        """Check that the lines are about the cases and their parties, and
        return them with instances that are read together."""
        pool = Pool()
        Party = pool.get('party.party')
        recipients = {
            (case, party): audience
            for case, audience, party in self._get_recipients(self.cases)}
        for preview in previews:
            self.check_line(preview.case)
            for party in [preview.party, *(preview.also_for or [])]:
                if (preview.case, party) not in recipients:
                    raise RecipientError(gettext(
                            'training_abandon.msg_step_no_letter',
                            case=preview.case.rec_name,
                            party=party.rec_name if party else ''))
            preview.audience = recipients[preview.case, preview.party]
        cases = {c: c for c in self.cases}
        parties = {p: p for p in Party.browse(
                list({p.party for p in previews}))}
        for preview in previews:
            preview.case = cases[preview.case]
            preview.party = parties[preview.party]
        return previews

    def _get_recipients(self, cases):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return Case.recipients(
            tools.browse_sets(Case, cases), self._audiences())

    def _check_recipients(self, lines):
        "Check that someone is told for each case"
        told = {line['case'] for line in lines}
        for case in self.cases:
            if case not in told:
                raise RecipientError(gettext(
                        'training_abandon.msg_step_no_recipient',
                        case=case.rec_name))

    def _check_addresses(self, lines):
        lacking = dict.fromkeys(
            line['party'].rec_name for line in lines
            if not line['to'])
        if lacking:
            raise RecipientError(gettext(
                    'training_abandon.msg_step_no_address_many',
                    parties='\n'.join(list(lacking)[:20])))


class MailPreview(ModelView):
    __name__ = 'training.abandon.case.step.mail'

    case = fields.Many2One('training.abandon.case', "Case", readonly=True)
    party = fields.Many2One('party.party', "Party", readonly=True)
    also_for = fields.Many2Many(
        'party.party', None, None, "Also for", readonly=True,
        states={
            'invisible': ~Eval('also_for'),
            },
        help="The other parties to write to who have the same mailbox.")
    letter = fields.Many2One(
        'training.abandon.procedure.letter', "Letter", readonly=True,
        states={
            'invisible': True,
            })
    audience = fields.Selection(
        'get_audiences', "Audience", readonly=True,
        states={
            'invisible': Bool(Eval('case')),
            },
        help="To whom the letter is written, one mail for each of them.")
    count = fields.Integer("Mails", readonly=True, states={
            'invisible': Bool(Eval('case')),
            },
        help="The number of mails that leave with this letter.")
    send = fields.Boolean(
        "Send", help="Uncheck to leave the party out.")
    channel = fields.Selection([
            ('email', "Email"),
            ('call', "Phone Call"),
            ('letter', "Letter"),
            ], "Channel", sort=False,
        states={
            'readonly': ~Eval('case'),
            },
        help="Choose phone call or letter for a party without email "
        "address, once you have told it that way.")
    to = fields.Char(
        "To",
        states={
            'required': (
                Bool(Eval('case')) & Bool(Eval('send'))
                & (Eval('channel') == 'email')),
            'readonly': ~Eval('case') | (Eval('channel') != 'email'),
            },
        help="The address for this mail only: add it to the party for the "
        "next ones.")
    subject = fields.Char(
        "Subject",
        states={
            'required': Bool(Eval('send')),
            'readonly': ~Eval('case'),
            })
    text = fields.Text(
        "Text",
        states={
            'required': Bool(Eval('send')),
            'readonly': ~Eval('case'),
            },
        help="A plain text: a blank line separates the paragraphs, the "
        "lines that begin with a dash make a list.")
    error = fields.Text(
        "To End by Hand", readonly=True,
        states={
            'invisible': ~Eval('error'),
            },
        help="Why the letter of the procedure cannot be written.\n"
        "Write what is between ${ and } yourself, or tell the party by phone "
        "or by letter and choose it as channel.")

    @classmethod
    def get_audiences(cls):
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        return [(None, "")] + (
            Letter.fields_get(['audience'])['audience']['selection'])

    @classmethod
    def default_send(cls):
        return True

    @classmethod
    def default_channel(cls):
        return 'email'

    @classmethod
    def from_letter(cls, letter):
        "Return the default values of the preview of a rendered letter"
        return {
            'case': letter['case'].id,
            'party': letter['party'].id,
            'also_for': [p.id for p in letter['also_for']],
            'audience': letter['audience'],
            'count': 1,
            'send': True,
            'channel': 'email',
            'to': letter['to'],
            'subject': letter['subject'],
            'text': letter['text'],
            'error': letter['error'],
            }

    @classmethod
    def summarize(cls, recipients, step_kind, get_variant):
        """Return the default values of one line per letter, as it is written
        in the procedure, for the cases too many to be previewed."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        letters = Counter(
            letter for *_, letter in Case.choose_letters(
                recipients, step_kind, get_variant))
        return [{
                'letter': letter.id,
                'audience': letter.audience,
                'count': count,
                'send': True,
                'channel': 'email',
                'subject': letter.subject,
                'text': letter.text,
                } for letter, count in letters.items()]

    @classmethod
    def render_again(cls, previews, cases, step_kind, get_variant):
        """Return the previews with the text of another variant.

        cases are those of the wizard, when they are too many to be
        previewed one by one."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        previews = list(previews or [])
        if len(cases) > PREVIEW:
            return [
                cls(**values) for values in cls.summarize(
                    Case.recipients(
                        tools.browse_sets(Case, cases),
                        ['trainee', 'guardian']),
                    step_kind, get_variant)]
        rendered = [p for p in previews if p.case and p.party]
        letters = {
            (letter['case'], letter['party']): letter
            for letter in Case.render_letters(
                [(p.case, 'trainee', p.party) for p in rendered],
                step_kind, get_variant, to_end=True)}
        for preview in rendered:
            if letter := letters.get((preview.case, preview.party)):
                preview.subject = letter['subject']
                preview.text = letter['text']
                preview.error = letter['error']
        return previews

    def to_line(self, step_kind, variant):
        "Return the dictionary that Case.create_mails expects"
        pool = Pool()
        Lang = pool.get('ir.lang')
        letter = self.case.procedure.get_letter(
            step_kind, variant, self.audience)
        if not letter:
            raise RecipientError(gettext(
                    'training_abandon.msg_step_no_letter',
                    case=self.case.rec_name,
                    party=self.party.rec_name if self.party else ''))
        if not (self.subject or '').strip() or not (self.text or '').strip():
            raise RecipientError(gettext(
                    'training_abandon.msg_step_mail_empty',
                    case=self.case.rec_name,
                    party=self.party.rec_name))
        return {
            'case': self.case,
            'party': self.party,
            'also_for': list(self.also_for or []),
            'audience': self.audience,
            'letter': letter,
            'language': self.party.lang or Lang.get(),
            'to': (self.to or '').strip(),
            'subject': ' '.join(self.subject.split()),
            'text': self.text.strip() + '\n',
            }

    def check_address(self):
        to = (self.to or '').strip()
        if self.case.enrolment.is_archived(self.party):
            raise RecipientError(gettext(
                    'training_abandon.msg_step_archived',
                    case=self.case.rec_name,
                    party=self.party.rec_name))
        if not to:
            raise RecipientError(gettext(
                    'training_abandon.msg_step_no_address',
                    case=self.case.rec_name,
                    party=self.party.rec_name))
        check_address(to, self.party)

    def check_finished(self):
        "Check that nothing is left to write of a letter to end by hand"
        for text in [self.subject, self.text]:
            if left := UNFINISHED_RE.search(text or ''):
                raise LetterError(gettext(
                        'training_abandon.msg_step_mail_unfinished',
                        case=self.case.rec_name,
                        party=self.party.rec_name,
                        left=left[0]))


class MailsStartMixin(HoldNoticeMixin):
    "Forms of the letters that leave"
    __slots__ = ()

    mails = fields.One2Many(
        'training.abandon.case.step.mail', None, "Mails",
        help="The mails as they will leave: correct the address, the "
        "subject and the text, or leave a party out.")
    mail_count = fields.Function(
        fields.Integer("Mails to Send"), 'on_change_with_mail_count')

    @fields.depends('mails')
    def on_change_with_mail_count(self, name=None):
        return sum(
            m.count or 0
            for m in complete_lines(self.mails, 'count', 'send', 'channel')
            if m.send and m.channel in {None, 'email'})


class Inform(MailStepWizard):
    __name__ = 'training.abandon.case.inform'
    _kind = 'inform'

    start = MailView(
        'training.abandon.case.inform.start', 'case_inform_start_view_form')

    def _audiences(self):
        return ['prescriber']


class InformStart(MailsStartMixin, ModelView):
    __name__ = 'training.abandon.case.inform.start'


class TraineeStepWizard(MailStepWizard):
    "Base of the wizards of the steps that write to who is minor"

    def _audiences(self):
        return ['trainee', 'guardian']

    def transition_apply(self):
        self._check_guardians()
        return super().transition_apply()

    def _check_guardians(self):
        "Warn of the minors without guardian"
        pool = Pool()
        Warning = pool.get('res.user.warning')
        alone = [
            c for c in self.cases
            if c.enrolment.is_trainee_of_age is False
            and not c.enrolment.guardians()]
        key = Warning.format(f'training_no_guardian_{self._kind}', alone)
        if alone and Warning.check(key):
            raise GuardianWarning(key, gettext(
                    'training_abandon.msg_step_no_guardian',
                    cases=tools.names(alone)))


class AskReasons(TraineeStepWizard):
    __name__ = 'training.abandon.case.ask_reasons'
    _kind = 'ask_reasons'

    start = MailView(
        'training.abandon.case.ask_reasons.start',
        'case_ask_reasons_start_view_form')

    def default_start(self, fields):
        declared = all(c.origin == 'declared' for c in self.records)
        self.start.declared = declared
        return {'declared': declared, **super().default_start(fields)}

    def _get_variant(self, case):
        return self.start.variant


class AskReasonsStart(MailsStartMixin, ModelView):
    __name__ = 'training.abandon.case.ask_reasons.start'

    declared = fields.Boolean(
        "Announced",
        help="Check if the trainee announced the abandonment: the letter "
        "is then another than for an absence without news.")

    @property
    def variant(self):
        "The variant of the letter that asks the reasons"
        return 'announced' if self.declared else 'silent'

    @fields.depends('declared', 'mails')
    def on_change_declared(self):
        self.mails = MailPreview.render_again(
            self.mails, selected_cases(), 'ask_reasons',
            lambda case: self.variant)


class FollowUp(MailStepWizard):
    __name__ = 'training.abandon.case.follow_up'
    _kind = 'follow_up'

    start = MailView(
        'training.abandon.case.follow_up.start',
        'case_follow_up_start_view_form')

    def _audiences(self):
        return ['trainee', 'stakeholder']


class FollowUpStart(MailsStartMixin, ModelView):
    __name__ = 'training.abandon.case.follow_up.start'


class CertifyView(MailView):
    "The form of the letters with the certificates, unless on paper"

    def get_buttons(self, wizard, state_name):
        buttons = super().get_buttons(wizard, state_name)
        is_all = Eval('mail_count', 0) == wizard.mail_count
        is_paper = Eval('channel') == 'paper'
        for button in buttons:
            if button['state'] in {'apply', 'send'}:
                hidden = ~is_all if button['state'] == 'apply' else is_all
                button['states'] = PYSONEncoder().encode({
                        'invisible': is_paper | hidden,
                        })
        return buttons

    def count_label(self, count):
        if not count:
            return gettext('training_abandon.msg_step_issue_none')
        return ngettext(
            'training_abandon.msg_step_issue', count, count=count)


class Certify(TraineeStepWizard):
    __name__ = 'training.abandon.case.certify'
    _kind = 'certify'

    start = CertifyView(
        'training.abandon.case.certify.start',
        'case_certify_start_view_form',
        Button(
            "Issue and Send", 'apply', 'tryton-send', default=True),
        Button(
            "Issue and Send the Mails Ticked", 'send', 'tryton-send'),
        Button(
            "Issue to Print", 'issue', 'tryton-print',
            states={
                'invisible': Eval('channel') != 'paper',
                }))
    issue = StateTransition()

    def default_start(self, fields):
        kinds = {c.certificate_kind for c in self.records}
        self.start.kind = kinds.pop() if len(kinds) == 1 else None
        return {
            'channel': 'email',
            'kind': self.start.kind,
            **super().default_start(fields),
            }

    def _get_variant(self, case):
        return case.certificate_variant(self.start.kind)

    def transition_apply(self):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        start, cases = self.start, self.cases
        self._check_guardians()
        if len(cases) > PREVIEW:
            if start.channel != 'paper':
                self._check_told()
            Case.take(cases, self._kind)
            with Transaction().set_context(queue_batch=tools.BATCH):
                Case.__queue__.certify_all(
                    cases, start.channel, start.kind)
            return 'end'
        lines, contacts = [], []
        if start.channel != 'paper':
            lines, contacts = self.get_lines()
        Case.apply_certify(cases, lines, contacts, kind=start.kind)
        return 'end'

    def transition_issue(self):
        return self.transition_apply()


class CertifyStart(MailsStartMixin, ModelView):
    __name__ = 'training.abandon.case.certify.start'

    channel = fields.Selection([
            ('email', "Email"),
            ('paper', "Paper"),
            ], "Channel", required=True, sort=False,
        help="On paper, print the certificate from the case and post it.")
    kind = fields.Selection(
        'get_kinds', "Certificate", sort=False,
        help="Leave empty to have the record of the provider for the "
        "trainees who stay silent and the statement for the others.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.mails.states['invisible'] = Eval('channel') == 'paper'

    @classmethod
    def default_channel(cls):
        return 'email'

    @classmethod
    def get_kinds(cls):
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        return [(None, "")] + (
            Certificate.fields_get(['kind'])['kind']['selection'])

    @fields.depends('kind', 'mails')
    def on_change_kind(self):
        self.mails = MailPreview.render_again(
            self.mails, selected_cases(), 'certify',
            lambda case: case.certificate_variant(self.kind))
