# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The letters about a case"
import datetime as dt
from collections import ChainMap
from functools import cache, partial

from trytond.i18n import gettext
from trytond.model import ModelView
from trytond.pool import Pool, PoolMeta
from trytond.report.report import Report
from trytond.transaction import Transaction, check_access

from .. import tools
from ..attendance.facts import HOURS
from ..exceptions import LetterError
from ..procedure.letter import (
    CorrespondenceMixin, LetterContext, Name, Renderer, describe_slots)
from ..procedure.states import STEP_ORDER
from ..training.res import HOURS_CONVERTER

_DAY = dt.date(2027, 3, 15)


def _grounds():
    pool = Pool()
    Case = pool.get('training.abandon.case')
    return [
        name for value, name in Case.fields_get(
            ['ground'])['ground']['selection'] if value]


def _some(model, *domain):
    "Return the function that returns the names of two records as example"
    def names(lang):
        pool = Pool()
        Model = pool.get(model)
        return [
            r.name for r in Model.search(
                [*domain], order=[('id', 'ASC')], limit=2)] or ["…"]
    return names


def _answers(lang):
    return [
        describe_answer(lang, name, answer, "Camille Martin", _DAY)
        for name, answer in zip(
            _some('training.abandon.solution')(lang),
            ['accepted', 'refused'])]


def _hours(lang):
    return Report.format_timedelta(
        dt.timedelta(hours=21), HOURS_CONVERTER, lang)


# The names of the letters about a case
CASE_NAMES = {
    'absences': Name(
        lambda lang: describe_slots(lang, [
                (_DAY, dt.time(9), dt.time(12)),
                (_DAY, dt.time(14), dt.time(17)),
                (_DAY + dt.timedelta(days=1), dt.time(9), dt.time(12))]),
        is_list=True),
    **dict.fromkeys(
        ['agreed_hours', *HOURS], Name(_hours, is_optional=False)),
    'answers': Name(_answers, is_list=True),
    'case': Name("27", is_optional=False),
    'contract_end_date': Name(dt.date(2027, 8, 31)),
    'correction': Name(
        lambda lang: gettext('training_abandon.msg_letter_correction')),
    'effective_date': Name(_DAY),
    'ground': Name(lambda lang: _grounds()[0]),
    'new_session': Name("2027-18"),
    'opening_date': Name(_DAY, is_optional=False),
    'proposals': Name(_some('training.abandon.solution'), is_list=True),
    'reason_category': Name(
        lambda lang: _some('training.abandon.reason', ('parent', '=', None))(
            lang)[0]),
    'reasons': Name(
        _some('training.abandon.reason', ('parent', '!=', None)),
        is_list=True),
    'return_date': Name(dt.date(2027, 9, 1)),
    }


def describe_answer(lang, proposal, answer, party, date):
    "Return the words for what a party answered to a proposal"
    return gettext(
        f'training_abandon.msg_letter_answer_{answer}',
        proposal=proposal, party=party, date=lang.strftime(date))


class CaseCorrespondenceMixin(CorrespondenceMixin):
    "Cases about which letters are written"
    __slots__ = ()

    def signatory(self):
        "Return the employee who writes: the user, else the owner, or None"
        return super().signatory() or self.owner

    def letter_enrolment(self):
        return self.enrolment

    def mail_values(self):
        return {
            **super().mail_values(),
            'case': self,
            }

    @classmethod
    def recipients(cls, cases, audiences):
        """Return the list of (case, audience, party) to write to.

        audiences is a list of 'trainee', 'guardian' for those who answer and
        sign with the trainee, and of roles of stakeholders, or 'stakeholder'
        for all of those to notify."""
        result = []
        for case in cases:
            enrolment = case.enrolment
            if 'trainee' in audiences:
                result.append((case, 'trainee', enrolment.trainee.party))
            if 'guardian' in audiences:
                result += [
                    (case, 'trainee', p) for p in enrolment.guardians()]
            roles = [
                a for a in audiences if a not in {'trainee', 'guardian'}]
            if roles:
                if 'stakeholder' in roles:
                    roles = []
                for _, party in enrolment.stakeholders(*roles):
                    result.append((case, 'stakeholder', party))
        return result

    @classmethod
    def render_letters(
            cls, recipients, step_kind, get_variant, to_end=False, **names):
        """Return the list of dictionaries with the case, audience, party,
        letter, language, to, subject, text and error for the recipients.

        get_variant returns the variant of the letter for a case.  The
        recipients for whom the procedure has no letter are left out.  to_end
        is if the letters that cannot be written are returned, with their
        error, for a person to end them.  names are those of the letter
        besides those of the case."""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Party = pool.get('party.party')
        enrolment_ids = {case.enrolment.id for case, _, _ in recipients}
        absences = Attendance.missed_slots(enrolment_ids)

        # Few letters tell them
        facts = cache(partial(Attendance.facts, enrolment_ids))

        def fact(enrolment_id, name):
            return facts()[enrolment_id][name]

        parties = tools.browse_by_id(
            Party, {party.id for _, _, party in recipients})
        renderer = Renderer(cls, {case.id for case, _, _ in recipients})
        rendered = []
        for case, audience, party, letter in cls.choose_letters(
                recipients, step_kind, get_variant):
            party, missed = parties[party.id], absences[case.enrolment.id]
            counted = LetterContext({
                    name: partial(fact, case.enrolment.id, name)
                    for name in HOURS})
            addressee = (
                case.enrolment.trainee.party if audience == 'trainee'
                else party)
            line = {
                'case': case,
                'audience': audience,
                **renderer.render(
                    case, party, letter,
                    lambda case: ChainMap(names, case.letter_context(
                            addressee, missed, counted)),
                    to_end=to_end),
                }
            cls._address(line)
            rendered.append(line)
        return rendered

    @classmethod
    def choose_letters(cls, recipients, step_kind, get_variant):
        """Return the list of (case, audience, party, letter) for the
        recipients for whom the procedure has a letter."""
        procedures, chosen = {}, []
        for case, audience, party in recipients:
            # One instance keeps its letters
            procedure = procedures.setdefault(case.procedure, case.procedure)
            letter = procedure.get_letter(
                step_kind, get_variant(case), audience)
            if letter:
                chosen.append((case, audience, party, letter))
        return chosen

    @classmethod
    def _address(cls, line):
        "Tell the guardian whose letter it is, and write to nobody archived"
        party, case = line['party'], line['case']
        trainee = case.enrolment.trainee.party
        if line['audience'] == 'trainee' and party != trainee:
            with Transaction().set_context(language=line['language'].code):
                line['text'] = gettext(
                    'training_abandon.msg_letter_guardian',
                    trainee=trainee.name, text=line['text'])
        line['to'] = case.email_of(party)

    def email_of(self, party):
        "Return the address at which the party reads what is about the case"
        if not self.enrolment.is_archived(party):
            return party.reachable_email

    def letter_context(self, party, absences=(), facts=None):
        """Return the names that the letters may use, in the language in which
        the case was browsed.

        absences is the list of the (date, start, end) of the slots missed,
        facts what the sheets tell of the enrolment, counted now if None."""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        enrolment = self.enrolment
        if facts is None:
            facts = Attendance.facts([enrolment.id])[enrolment.id]

        def date(value):
            return lang.strftime(value) if value else ''

        def hours(name):
            value = (
                enrolment.agreed_hours if name == 'agreed_hours'
                else facts[name])
            return Report.format_timedelta(value, HOURS_CONVERTER, lang)

        context = super().letter_context(party)
        context.update({
                'absences': lambda: describe_slots(lang, absences),
                'answers': lambda: [
                    describe_answer(
                        lang, p.rec_name, r.answer, r.party.name,
                        self.local_date(r.at))
                    for p in self.proposals for r in p.last_responses()],
                'case': self.number,
                'correction': '',
                'contract_end_date': lambda: date(self.contract_end_date),
                'effective_date': lambda: date(self.effective_date),
                'ground': lambda: self.ground_string if self.ground else '',
                **{
                    name: partial(hours, name)
                    for name in ['agreed_hours', *HOURS]},
                'new_session': lambda: (
                    self.new_enrolment.session.number
                    if self.new_enrolment else ''),
                'opening_date': lambda: date(self.opening_date),
                'proposals': lambda: [
                    p.rec_name for p in self.proposals
                    if p.state in {'proposed', 'accepted'}],
                'reason_category': lambda: self.reason_category or '',
                'reasons': lambda: [
                    gettext('training_abandon.msg_letter_reason_detail',
                        reason=reason.name)
                    if reason.requires_detail else reason.name
                    for reason in self.procedure.reasons],
                'return_date': lambda: date(self.return_date),
                })
        return context

    @classmethod
    def create_mails(cls, steps, lines, queue=True):
        """Create the mails of the lines, one for each, and queue them.

        steps are the steps proven by the mails, by case; lines are those of
        Mail.create_letters with their case."""
        pool = Pool()
        Mail = pool.get('training.mail')
        cls.keep_categories(list({
                    line['case'] for line in lines
                    if line.get('letter')
                    and 'reason_category' in line['letter'].text}))
        return Mail.create_letters([{
                    **line,
                    'about': line['case'],
                    'values': {
                        'step': steps.get(line['case'].id),
                        **line.get('values', {}),
                        },
                    } for line in lines], queue=queue)

    @classmethod
    def record_contacts(cls, steps, contacts):
        "Record as follow-ups the parties that were told by phone or letter"
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        FollowUp.save([
                FollowUp(
                    company=contact['case'].company,
                    enrolment=contact['case'].enrolment,
                    case=contact['case'],
                    step=steps[contact['case'].id],
                    kind=contact['kind'],
                    party=contact['party'],
                    done_at=tools.now(),
                    employee=tools.current_employee(
                        contact['case'].company),
                    outcome='reached' if contact['kind'] == 'call'
                    else 'other',
                    # A letter by post is kept as those by mail are
                    note=contact['subject'] if contact['kind'] == 'call'
                    else f"{contact['subject']}\n\n{contact['text']}")
                for contact in contacts])


class ProcedureLetter(metaclass=PoolMeta):
    __name__ = 'training.abandon.procedure.letter'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.report.domain = [
            cls.report.domain,
            ('model', '=', 'training.abandon.case'),
            ]
        cls._buttons.update(preview={})

    @classmethod
    @ModelView.button_action(
        'training_abandon.wizard_procedure_letter_preview')
    def preview(cls, letters):
        pass

    def preview_on(self, case, language):
        "Return the subject, the text and the error of the letter on the case"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with Transaction().set_context(language=language.code):
            letter = self.__class__(self.id)
            context = letter.preview_context(Case(case.id))
            try:
                subject, text = letter.render(**{
                        n: context[n] for n in letter.names
                        if n in context})
                error = None
            except LetterError as exception:
                subject, text = letter.draft(context)
                error = exception.__cause__
        return {
            'subject': subject,
            'text': text,
            'error': str(error) if error else None,
            }

    def preview_context(self, case):
        "Return what the letter tells of the case"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        enrolment = case.enrolment
        parties = [enrolment.trainee.party]
        if self.audience == 'stakeholder':
            parties = [p for _, p in enrolment.stakeholders()] or parties
        return case.letter_context(
            parties[0], Attendance.missed_slots([enrolment.id])[enrolment.id])

    @classmethod
    @check_access
    def frame_records(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return super().frame_records() + Case.search(
            [], order=[('id', 'DESC')], limit=1)

    def known(self):
        names = super().known()
        if self.step_kind in STEP_ORDER:
            names.update(CASE_NAMES)
        return names

    def samples(self, names):
        yield from super().samples(names)
        if 'ground' in names:
            _, sample = next(super().samples(names))
            for ground in _grounds():
                yield [], {**sample, 'ground': ground}
