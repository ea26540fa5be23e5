# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What writes about a visit or a mediation"
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..case.wizard import complete_lines
from ..exceptions import LetterError, RecipientError
from ..mail.address import check_address
from ..mail.hold import HoldNoticeMixin
from ..procedure.template import UNFINISHED_RE
from .letter import LETTER_KINDS


class WriteLetters(Wizard):
    __name__ = 'training.follow_up.write'

    start = StateView(
        'training.follow_up.write.start',
        'training_abandon.follow_up_write_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Send", 'apply', 'tryton-send', default=True),
            ])
    apply = StateTransition()

    def _check(self):
        follow_up = self.record
        if (follow_up.kind not in LETTER_KINDS or follow_up.done_at
                or follow_up.cancelled_at
                or (follow_up.kind == 'mediation'
                    and not follow_up.referred_on)):
            raise LetterError(gettext(
                    'training_abandon.msg_follow_up_letter_kind',
                    follow_up=follow_up.rec_name))

    def _written(self):
        "Return the parties who were written to"
        return {
            p for m in self.record.mails if m.state != 'cancelled'
            for p in [m.party, *m.also_for]}

    def default_start(self, fields):
        pool = Pool()
        Mail = pool.get('training.mail')
        self._check()
        written = self._written()
        return {
            'written': sorted(p.id for p in written),
            'mails': [{
                    'party': line['party'].id,
                    'also_for': [p.id for p in line['also_for']],
                    'send': line['party'] not in written,
                    'to': line['to'],
                    'subject': line['subject'],
                    'text': line['text'],
                    'error': line['error'],
                    } for line in Mail.merge_lines(
                    self.record.render_letters(to_end=True))],
            }

    def transition_apply(self):
        pool = Pool()
        Lang = pool.get('ir.lang')
        Mail = pool.get('training.mail')
        follow_up = self.record
        self.model.keep([follow_up])
        self._check()
        if self._written() != set(self.start.written or []):
            raise LetterError(gettext(
                    'training_abandon.msg_follow_up_letter_written',
                    follow_up=follow_up.rec_name))
        letters = follow_up.choose_letters()
        lines = []
        for mail in complete_lines(
                self.start.mails, 'party', 'also_for', 'send', 'to',
                'subject', 'text'):
            if not mail.send:
                continue
            also_for = list(mail.also_for or [])
            for party in [mail.party, *also_for]:
                if party not in letters:
                    raise RecipientError(gettext(
                            'training_abandon.msg_follow_up_letter_party',
                            follow_up=follow_up.rec_name,
                            party=party.rec_name if party else ''))
            mail.check()
            lines.append({
                    'about': follow_up.letter_about,
                    'party': mail.party,
                    'also_for': also_for,
                    'letter': letters[mail.party],
                    'language': mail.party.lang or Lang.get(),
                    'to': mail.to.strip(),
                    'subject': ' '.join(mail.subject.split()),
                    'text': mail.text.strip() + '\n',
                    'values': {'follow_up': follow_up},
                    })
        if not lines:
            raise RecipientError(gettext(
                    'training_abandon.msg_follow_up_letter_none',
                    follow_up=follow_up.rec_name))
        Mail.create_letters(lines)
        return 'end'

    def end(self):
        return 'reload'


class WriteLettersStart(HoldNoticeMixin, ModelView):
    __name__ = 'training.follow_up.write.start'

    mails = fields.One2Many(
        'training.follow_up.write.mail', None, "Mails",
        help="The mails as they will leave: correct the address, the "
        "subject and the text, or leave a party out.")
    written = fields.Many2Many(
        'party.party', None, None, "Written to", readonly=True)


class WriteLettersMail(ModelView):
    __name__ = 'training.follow_up.write.mail'

    party = fields.Many2One('party.party', "Party", readonly=True)
    also_for = fields.Many2Many(
        'party.party', None, None, "Also for", readonly=True,
        states={
            'invisible': ~Eval('also_for'),
            },
        help="The other parties to write to who have the same mailbox.")
    send = fields.Boolean(
        "Send",
        help="Uncheck to leave the party out: who was written to already is "
        "not checked.")
    to = fields.Char(
        "To",
        states={
            'required': Bool(Eval('send')),
            },
        help="The address for this mail only: add it to the party for the "
        "next ones.")
    subject = fields.Char(
        "Subject",
        states={
            'required': Bool(Eval('send')),
            })
    text = fields.Text(
        "Text",
        states={
            'required': Bool(Eval('send')),
            },
        help="A plain text: a blank line separates the paragraphs, the "
        "lines that begin with a dash make a list.")
    error = fields.Text(
        "To End by Hand", readonly=True,
        states={
            'invisible': ~Eval('error'),
            },
        help="Why the letter of the procedure cannot be written.\n"
        "Write what is between ${ and } yourself.")

    def check(self):
        "Check that the mail may leave"
        party = self.party
        if not (self.to or '').strip():
            raise RecipientError(gettext(
                    'training_abandon.msg_write_no_address',
                    party=party.rec_name))
        check_address(self.to.strip(), party)
        for text in [self.subject, self.text]:
            if not (text or '').strip():
                raise RecipientError(gettext(
                        'training_abandon.msg_follow_up_letter_empty',
                        party=party.rec_name))
            if left := UNFINISHED_RE.search(text):
                raise LetterError(gettext(
                        'training_abandon.msg_follow_up_letter_unfinished',
                        party=party.rec_name, left=left[0]))
