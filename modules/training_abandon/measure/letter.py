# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The letters of the procedure about the visits and the mediations"
import datetime as dt
from functools import partial

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval

from .. import tools
from ..exceptions import LetterError
from ..procedure.letter import Name, Renderer, describe_date, example_of
from ..procedure.shipped import shipped_letter

# The kinds of the follow-ups that have letters
LETTER_KINDS = ['mediation', 'visit']


def describe_appointment(lang, at):
    "Return the words for an appointment, by the clock of the company"
    return gettext(
        'training_abandon.msg_letter_appointment',
        date=describe_date(lang, at.date()), time=at.strftime('%H:%M'))


# The names of the letters
FOLLOW_UP_NAMES = {
    'appointment': Name(
        lambda lang: describe_appointment(
            lang, dt.datetime(2027, 3, 22, 10))),
    'contact': Name("Dominique Martin", is_optional=False),
    'employer': Name("Dupont"),
    'mediator_answer_by': Name(dt.date(2027, 4, 15)),
    'referred_on': Name(dt.date(2027, 3, 15)),
    }


class ProcedureLetter(metaclass=PoolMeta):
    __name__ = 'training.abandon.procedure.letter'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.step_kind.selection = [
            *cls.step_kind.selection,
            ('mediation', "Mediation"),
            ('visit', "Visit"),
            ]

    def preview_context(self, case):
        context = super().preview_context(case)
        if self.step_kind in LETTER_KINDS:
            context.update({
                    n: partial(example_of, name)
                    for n, name in FOLLOW_UP_NAMES.items()})
        return context

    def known(self):
        names = super().known()
        if self.step_kind in LETTER_KINDS:
            names.update(FOLLOW_UP_NAMES)
        return names


class LettersMixin:
    "Follow-ups about which the letters of the procedure are written"
    __slots__ = ()

    mails = fields.One2Many(
        'training.mail', 'follow_up', "Mails", readonly=True,
        states={
            'invisible': ~Eval('mails', []),
            },
        help="The letters that were written about it.")

    @property
    def letter_about(self):
        "The case that the letters are about, or the enrolment"
        if self.case and not self.case.closed_at:
            return self.case
        return self.enrolment

    def letter_recipients(self):
        """Return the audience by party to write to: the one who is met, then
        the trainee and who answers with it"""
        recipients = {self.party: 'stakeholder'}
        recipients.update(
            dict.fromkeys(self.enrolment.answering(), 'trainee'))
        return recipients

    def choose_letters(self):
        """Return the letter of the procedure by party, of those to write
        to"""
        procedure = self.letter_about.procedure
        letters = {
            party: procedure.get_letter(self.kind, 'standard', audience)
            for party, audience in self.letter_recipients().items()
            if not self.enrolment.is_archived(party)} if procedure else {}
        letters = {p: letter for p, letter in letters.items() if letter}
        if not letters:
            raise LetterError(gettext(
                    'training_abandon.msg_follow_up_no_letter',
                    follow_up=self.rec_name,
                    procedure=procedure.rec_name if procedure else '–'))
        return letters

    def render_letters(self, to_end=False):
        """Return the letters as Renderer.render does

        to_end is if those that cannot be written are returned, with their
        error, for a person to end them."""
        about = self.letter_about
        renderer = Renderer(about.__class__, [about.id])
        return [{
                **renderer.render(
                    about, party, letter,
                    lambda about, party=party: self._letter_context(
                        about, party),
                    to_end=to_end),
                'about': about,
                } for party, letter in self.choose_letters().items()]

    def _letter_context(self, about, party):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        employer = self.enrolment.employer

        def appointment():
            return describe_appointment(lang, tools.local_datetime(
                    self.planned_at, self.company)) if self.planned_at else ''

        def date(name):
            value = getattr(self, name)
            return lang.strftime(value) if value else ''

        context = about.letter_context(party)
        context.update({
                'appointment': appointment,
                'contact': lambda: self.party.name,
                'employer': lambda: employer.name if employer else '',
                'mediator_answer_by': partial(date, 'mediator_answer_by'),
                'referred_on': partial(date, 'referred_on'),
                })
        return context

    def letter_to_party(self):
        """Return the subject and the text of the letter to the party: the
        last one that was written, else the one of the procedure or of the
        module"""
        pool = Pool()
        Lang = pool.get('ir.lang')
        written = [
            m for m in self.mails
            if m.party == self.party and m.state != 'cancelled'
            # What is erased tells nothing
            and m.body]
        if written:
            mail = max(written, key=lambda m: m.id)
            return mail.subject, mail.body
        about = self.letter_about
        key = self.kind, 'standard', 'stakeholder'
        letter = about.procedure and about.procedure.get_letter(*key)
        if not letter:
            # The procedures of before have none
            lang = self.party.lang or Lang.get()
            letter = shipped_letter(lang.code, *key)
        line = Renderer(about.__class__, [about.id]).render(
            about, self.party, letter,
            lambda about: self._letter_context(about, self.party))
        return line['subject'], line['text']
