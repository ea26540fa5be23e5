# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import re
from io import BytesIO
from itertools import groupby

from relatorio.reporting import MIMETemplateLoader

from trytond.i18n import gettext
from trytond.modules.company import CompanyReport
from trytond.pool import Pool, PoolMeta
from trytond.report.report import MIMETYPES, Report
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..attendance.facts import HOURS
from ..exceptions import MailStorageError
from ..mail.mail import check_address
from ..training.res import HOURS_CONVERTER

LOGO_SIZE = (240, 80)
_LIST_ITEM = re.compile(r'\s*[-•*]\s+(.*)')


def blocks(text):
    """Return the text as the list of (kind, lines) that a frame draws:
    'paragraph' with its lines or 'list' with its items."""
    result = []
    for paragraph in re.split(r'\n\s*\n', text.strip()):
        lines = [(_LIST_ITEM.match(line), line)
            for line in paragraph.splitlines()]
        for is_item, group in groupby(lines, key=lambda line: bool(line[0])):
            if is_item:
                items = [match[1] for match, _ in group]
                if result and result[-1][0] == 'list':
                    result[-1][1].extend(items)
                else:
                    result.append(('list', items))
            else:
                result.append(('paragraph', [line for _, line in group]))
    return result


def _by_id(Model, ids):
    "Return the records by id: the time of a list is the square of its length"
    return {
        r.id: r for sub_ids in grouped_slice(list(ids), 200)
        for r in Model.browse(list(sub_ids))}


class Frame:
    """A report that draws many letters with one template

    Report.render prepares a copy of the template for each of them, which is
    most of its time."""

    def __init__(self, report):
        pool = Pool()
        loader = MIMETemplateLoader()
        Template = loader.factories[
            loader.get_type(MIMETYPES[report.template_extension])]
        self._Report = pool.get(report.report_name, type='report')
        self._template = Template(BytesIO(report.report_content))
        self._names = {}
        if translate := self._Report._callback_loader(report, self._template):
            translate.gettext = self._cached(translate.gettext)
            self._names = {
                'gettext': translate.gettext,
                'ngettext': translate.ngettext,
                }

    @staticmethod
    def _cached(gettext):
        "Return the function that translates each text of the frame once"
        texts = {}

        def cached(text):
            key = Transaction().language, text
            if key not in texts:
                texts[key] = gettext(text)
            return texts[key]
        return cached

    def render(self, case, company, **data):
        "Return the letter in the language of the transaction"
        # Report.execute would browse and check each case again
        context = self._Report.get_context([case], {'company': company}, data)
        return self._template.generate(**{**context, **self._names}).render()


class LetterReport(CompanyReport):
    "The frame of the letters: logo, text and footer"
    __name__ = 'training.abandon.letter'

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        context['blocks'] = blocks(data.get('text') or '')
        context['subject'] = data.get('subject') or ''
        context['logo'] = bool(context['company'].logo)
        return context


class CorrespondenceMixin:
    "What letters are about: it has a company and a procedure"
    __slots__ = ()

    def current_employee(self):
        "Return the employee of the user for the company, or None"
        pool = Pool()
        User = pool.get('res.user')
        employee = User(Transaction().user).employee
        if employee and employee.company == self.company:
            return employee

    def _signatory(self):
        "Return the employee who writes, or None"
        return self.current_employee()

    def _reply_to(self):
        "Return the name and address that answers must reach, or None"
        employee = self._signatory()
        parties = [self.company.party]
        if employee:
            parties.insert(0, employee.party)
        for party in parties:
            if party.email:
                return party.name, party.email


class Enrolment(CorrespondenceMixin, metaclass=PoolMeta):
    __name__ = 'training.enrolment'


class Case(CorrespondenceMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    @classmethod
    def recipients(cls, cases, audiences):
        """Return the list of (case, audience, party) to write to.

        audiences is a list of 'trainee' and of roles of stakeholders, or
        'stakeholder' for all of those to notify."""
        result = []
        for case in cases:
            enrolment = case.enrolment
            if 'trainee' in audiences:
                result.append((case, 'trainee', enrolment.trainee.party))
            roles = [a for a in audiences if a != 'trainee']
            if roles:
                if 'stakeholder' in roles:
                    roles = []
                for _, party in enrolment.stakeholders(*roles):
                    result.append((case, 'stakeholder', party))
        return result

    @classmethod
    def render_letters(cls, recipients, step_kind, get_variant):
        """Return the list of dictionaries with the case, party, letter,
        language, to, subject and text for the recipients.

        get_variant returns the variant of the letter for a case.  The
        recipients for whom the procedure has no letter are left out."""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Lang = pool.get('ir.lang')
        Letter = pool.get('training.abandon.procedure.letter')
        Party = pool.get('party.party')
        absences = Attendance.missed_slots(
            {case.enrolment.id for case, _, _ in recipients})
        parties = _by_id(Party, {party.id for _, _, party in recipients})
        default_language = Lang.get()
        ids = {case.id for case, _, _ in recipients}
        procedures, translated, letters, rendered = {}, {}, {}, []
        for case, audience, party in recipients:
            party = parties[party.id]
            # One instance keeps its letters
            procedure = procedures.setdefault(case.procedure, case.procedure)
            letter = procedure.get_letter(
                step_kind, get_variant(case), audience)
            if not letter:
                continue
            language = party.lang or default_language
            with Transaction().set_context(language=language.code):
                if language not in translated:
                    translated[language] = _by_id(cls, ids)
                context = translated[language][case.id]._get_letter_context(
                    party, absences[case.enrolment.id])
                # One instance keeps its templates
                subject, text = letters.setdefault(
                    (letter, language), Letter(letter.id)).render(**context)
            rendered.append({
                    'case': case,
                    'audience': audience,
                    'party': party,
                    'letter': letter,
                    'language': language,
                    'to': party.reachable_email,
                    'subject': subject,
                    'text': text,
                    })
        return rendered

    def _get_letter_context(self, party, absences):
        """Return the names that the letters may use, in the language in which
        the case was browsed.

        They are plain values and none of them tells the private reasons of
        the trainee, because the same names serve the letters to the
        prescribers."""
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()

        def date(value):
            return lang.strftime(value) if value else ''

        enrolment, session = self.enrolment, self.enrolment.session
        employee = self._signatory()
        address = session.location
        return {
            'absences': [
                gettext('training_abandon.msg_letter_absence',
                    date=date(day),
                    start=start.strftime('%H:%M'),
                    end=end.strftime('%H:%M'))
                for day, start, end in absences],
            'case': self.number,
            'company': self.company.party.name,
            'course': session.course.name,
            'effective_date': date(self.effective_date),
            'employee': employee.party.name if employee else '',
            'end_date': date(session.end_date),
            'ground': self.ground_string if self.ground else '',
            **{
                name: Report.format_timedelta(
                    getattr(enrolment, name), HOURS_CONVERTER, lang)
                for name in HOURS},
            'location': address.city or '' if address else '',
            'opening_date': date(self.opening_date),
            'place': self.procedure.place or '',
            'procedure': self.procedure.name,
            'procedure_code': self.procedure.code,
            'procedure_revision': self.procedure.revision,
            'proposals': [
                p.rec_name for p in self.proposals
                if p.state in {'proposed', 'accepted'}],
            'reason_category': self.reason_category or '',
            'reasons': [
                gettext('training_abandon.msg_letter_reason_detail',
                    reason=reason.name)
                if reason.requires_detail else reason.name
                for reason in self.procedure.reasons],
            'recipient': party.name,
            'session': session.number,
            'start_date': date(enrolment.start_date or session.start_date),
            'trainee': enrolment.trainee.party.name,
            }

    def _signatory(self):
        "Return the employee who writes: the user, else the owner, or None"
        return super()._signatory() or self.owner

    @classmethod
    def create_mails(cls, steps, lines, queue=True):
        """Create the mails of the lines, one for each, and queue them.

        steps are the steps proven by the mails, by case; lines are
        dictionaries like those of render_letters, with the attachments as a
        list of (name, data, mimetype) and values for the mail; without
        letter, with the kind and the report.  The letters about no case are
        about the enrolment of their line."""
        pool = Pool()
        Mail = pool.get('training.mail')
        companies, logos, frames, mails = {}, {}, {}, []
        reply_to = {}
        for line in lines:
            case, language = line.get('case'), line['language']
            about = cls._about(line)
            check_address(line['to'], line['party'])
            # One instance keeps its logo, address and contacts
            company = companies.setdefault(about.company, about.company)
            if company not in logos:
                logos[company] = cls._get_logo(company)
            report = line.get('report') or line['letter'].report
            if report not in frames:
                frames[report] = Frame(report)
            sender = about._signatory() or company
            if sender not in reply_to:
                reply_to[sender] = about._reply_to()
            message = cls._compose({
                    **line,
                    'frame': frames[report],
                    'reply_to': reply_to[sender],
                    }, company, logos[company])
            mails.append(Mail.from_message(
                    message,
                    to=line['to'],
                    company=company,
                    enrolment=case.enrolment if case else about,
                    case=case,
                    step=steps.get(case.id) if case else None,
                    letter=line['letter'],
                    kind=line.get('kind') or line['letter'].step_kind,
                    party=line['party'],
                    language=language,
                    subject=line['subject'],
                    body=line['text'],
                    **line.get('values', {})))
        try:
            for sub_mails in grouped_slice(mails, 200):
                Mail.save(list(sub_mails))
        except OSError as exception:
            raise MailStorageError(gettext(
                    'training_abandon.msg_mail_storage',
                    error=exception.strerror or exception)) from exception
        if queue:
            Mail.queue(mails)
        return mails

    @staticmethod
    def _about(line):
        "Return the case or the enrolment that the letter is about"
        return line.get('case') or line['enrolment']

    @classmethod
    def _get_logo(cls, company):
        "Return the PNG of the logo of the company for the mails, or None"
        if company.logo:
            # get_logo would store its cache in a transaction of its own
            logo, _, _ = company._logo_resize(*LOGO_SIZE)
            return logo

    @classmethod
    def _compose(cls, line, company, logo):
        pool = Pool()
        Mail = pool.get('training.mail')
        about = cls._about(line)
        with Transaction().set_context(language=line['language'].code):
            html = line['frame'].render(
                about, company, subject=line['subject'], text=line['text'])
            footer = gettext(
                'training_abandon.msg_letter_footer',
                company=company.party.name,
                code=about.procedure.code,
                revision=about.procedure.revision)
        return Mail.compose(
            company, line['party'], line['to'],
            line['subject'], f"{line['text']}\n-- \n{footer}\n", html,
            reply_to=line['reply_to'], logo=logo,
            attachments=line.get('attachments'))
