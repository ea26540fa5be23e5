# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The letters: their texts in the procedure and how they are rendered"
import datetime as dt
import logging
import re
from collections import ChainMap, namedtuple
from collections.abc import MutableMapping
from io import BytesIO
from itertools import groupby
from weakref import WeakKeyDictionary

from relatorio.reporting import MIMETemplateLoader
from sql import Column
from sql.conditionals import Case as SQLCase

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.modules.company import CompanyReport
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.report.report import MIMETYPES
from trytond.tools import cached_property
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import LetterError, LetterValidationError
from .child import CHILD_STATES, ProcedureStateMixin
from .states import CASE_STATES, GROUNDS, STEP_KINDS, STEP_ORDER
from .template import (
    SOURCE_SIZE, LetterTemplate, TemplateError, draft, label, modernise)

logger = logging.getLogger(__name__)
# The faults of the letters that were registered last, by transaction
_faults = WeakKeyDictionary()

# What a name of the letters tells: an example, as a text, a date or a function
# that returns it in the language of the transaction, whether it is a list and
# whether it may be empty
Name = namedtuple(
    'Name', 'example is_list is_optional', defaults=[False, True])

# The names of all the letters; what each tells is the message msg_letter_name_
# followed by the name
NAMES = {
    'company': Name("Active Talents", is_optional=False),
    'course': Name("Excel", is_optional=False),
    'employee': Name("Dominique Leroy"),
    'end_date': Name(dt.date(2027, 3, 26), is_optional=False),
    'location': Name("Nice"),
    'phone': Name("+33 4 93 00 00 00"),
    'place': Name("Nice"),
    'procedure': Name("DR-AT014", is_optional=False),
    'procedure_code': Name("DR-AT014", is_optional=False),
    'procedure_revision': Name("04", is_optional=False),
    'recipient': Name("Camille Martin", is_optional=False),
    'session': Name("2027-12", is_optional=False),
    'start_date': Name(dt.date(2027, 3, 1), is_optional=False),
    'trainee': Name("Camille Martin", is_optional=False),
    }

# The languages that write the names of the days with a capital, where Tryton
# does for all of them
CAPITAL_DAYS = {'de', 'en'}

_LIST_ITEM = re.compile(r'\s*[-•*]\s+(.*)')


def _log_last_faults(transaction):
    for fault in _faults.pop(transaction):
        logger.warning("letter %s has to be written again: %s %s", *fault)


class ProcedureLetter(ProcedureStateMixin, ModelSQL, ModelView):
    __name__ = 'training.abandon.procedure.letter'

    procedure = fields.Many2One(
        'training.abandon.procedure', "Procedure", required=True,
        ondelete='CASCADE', states=CHILD_STATES)
    step_kind = fields.Selection(
        STEP_KINDS, "Step", required=True, sort=False, states=CHILD_STATES,
        help="The step that sends the letter.")
    step_kind_string = step_kind.translated('step_kind')
    variant = fields.Selection([
            ('standard', "Standard"),
            ('announced', "Abandonment Announced"),
            ('silent', "Absence without News"),
            ('reminder', "Reminder"),
            ('corrected', "Correction"),
            ('mistake', "Case Opened by Mistake"),
            ('taken_back', "Decision Taken Back"),
            *GROUNDS,
            ('statement', "Document: Statement by the Trainee"),
            ('record', "Document: Record by the Provider"),
            ], "Variant", required=True, sort=False, states=CHILD_STATES,
        help="Which of the letters of the step it is: each case gets the one "
        "that fits it.")
    variant_string = variant.translated('variant')
    audience = fields.Selection([
            ('trainee', "Trainee"),
            ('stakeholder', "Stakeholders"),
            ], "Audience", required=True, sort=False, states=CHILD_STATES,
        help="Whom the letter is written to: the trainee with its legal "
        "guardians, or the other parties.")
    audience_string = audience.translated('audience')
    roles = fields.MultiSelection(
        'get_roles', "Roles", sort=False,
        states={
            **CHILD_STATES,
            'invisible': (
                (Eval('step_kind') != 'decide')
                | (Eval('audience') != 'stakeholder')),
            },
        help="The stakeholders to whom the decision is told.\n"
        "Leave empty for all of them.")
    subject = fields.Char(
        "Subject", required=True, translate=True, states=CHILD_STATES)
    text = fields.Text(
        "Text", required=True, translate=True, states=CHILD_STATES,
        help="A plain text in which the names between ${ and } are "
        "replaced.\nLines that begin with a dash make a list.")
    known_names = fields.Function(fields.Text(
            "Names",
            help="What the letter may tell, with what it is and an example.\n"
            "Copy the names with their braces in the subject or in the text."),
        'on_change_with_known_names')
    report = fields.Many2One(
        'ir.action.report', "Frame", required=True, ondelete='RESTRICT',
        domain=[
            ('report_name', '=', 'training.abandon.letter'),
            ],
        states=CHILD_STATES,
        help="The report that draws what surrounds the text.")
    case_states = fields.MultiSelection(
        CASE_STATES, "Case States", sort=False, states=CHILD_STATES,
        help="The states of the case in which the letter may leave.\n"
        "Leave empty for all of them.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('variant_unique',
                Unique(t, t.procedure, t.step_kind, t.variant, t.audience),
                'training_abandon.msg_procedure_letter_unique'),
            ]
        cls._order.insert(0, ('step_kind', 'ASC'))

    @classmethod
    def __register__(cls, module):
        super().__register__(module)
        cls._modernise()

    @classmethod
    def _modernise(cls):
        """Write the letters, and their translations, as their language wants
        them, and log at the end those that somebody has to"""
        pool = Pool()
        Translation = pool.get('ir.translation')
        letter, translation = cls.__table__(), Translation.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*letter.select(
                letter.id, letter.step_kind, letter.subject, letter.text))
        kinds = {}
        texts = []
        for id_, kind, *values in cursor.fetchall():
            kinds[id_] = kind
            texts += [
                (letter, Column(letter, name), id_, id_, value)
                for name, value in zip(['subject', 'text'], values)]
        cursor.execute(*translation.select(
                translation.id, translation.res_id, translation.value,
                where=(translation.type == 'model')
                & translation.name.in_([
                        f'{cls.__name__},{n}' for n in ['subject', 'text']])))
        texts += [
            (translation, translation.value, id_, res_id, value)
            for id_, res_id, value in cursor.fetchall() if res_id in kinds]
        faults = []
        for table, column, id_, letter_id, value in texts:
            palette = cls(step_kind=kinds[letter_id]).palette()
            modern = modernise(value or '')
            if modern != value:
                cursor.execute(*table.update(
                        [column], [modern], where=table.id == id_))
            try:
                LetterTemplate(modern, palette).check_other()
            except TemplateError as exception:
                faults.append(
                    (letter_id, exception.message_id, exception.variables))
        cls._log_faults(faults)

    @classmethod
    def _log_faults(cls, faults):
        # The letters are registered by each wing that adds to their names:
        # the last one alone knows them all
        transaction = Transaction()
        if transaction not in _faults:
            transaction.atexit(_log_last_faults, transaction)
        _faults[transaction] = faults

    @classmethod
    def default_variant(cls):
        return 'standard'

    @classmethod
    def default_audience(cls):
        return 'trainee'

    @classmethod
    def get_roles(cls):
        pool = Pool()
        Contact = pool.get('training.enrolment.contact')
        Enrolment = pool.get('training.enrolment')
        client = Enrolment.fields_get(['client'])['client']['string']
        return [('client', client)] + (
            Contact.fields_get(['role'])['role']['selection'])

    @classmethod
    def default_report(cls):
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        ActionReport = pool.get('ir.action.report')
        try:
            action = ModelData.get_id('training_abandon', 'report_letter')
        except KeyError:
            return None
        return ActionReport(action).id

    @classmethod
    def order_step_kind(cls, tables):
        table, _ = tables[None]
        return [SQLCase(
                *((table.step_kind == kind, position)
                    for position, kind in enumerate(STEP_ORDER)),
                # The letters of no step are before
                else_=-1)]

    def get_rec_name(self, name):
        return ' - '.join(filter(None, [
                    self.procedure.rec_name, self.step_kind_string,
                    self.variant_string, self.audience_string]))

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('subject', *clause[1:])]

    @classmethod
    def copy(cls, letters, default=None):
        # What cannot be written is copied to be corrected
        with Transaction().set_context(training_letters_copied=True):
            return super().copy(letters, default=default)

    @classmethod
    def preprocess_values(cls, mode, values):
        pool = Pool()
        Lang = pool.get('ir.lang')
        values = super().preprocess_values(mode, values)
        # The indexes of the translations do not take what is too long
        if len(values.get('text') or '') > SOURCE_SIZE:
            raise LetterValidationError(gettext(
                    'training_abandon.msg_letter_invalid',
                    letter=values.get('subject') or cls.__names__()['model'],
                    language=Lang.get().rec_name,
                    error=TemplateError('msg_letter_size', size=SOURCE_SIZE)))
        return values

    @classmethod
    def validate_fields(cls, letters, field_names):
        super().validate_fields(letters, field_names)
        cls.check_templates(letters, field_names)

    @classmethod
    def check_templates(cls, letters, field_names=None):
        if field_names and not field_names & {
                'subject', 'text', 'step_kind'}:
            return
        # The activation checks them
        if Transaction().context.get('training_letters_copied'):
            return
        cls.check_rendered(letters)

    @classmethod
    def check_rendered(cls, letters):
        """Check that the letters can be written in every language, whatever
        they have to tell and whatever is missing."""
        for language in letter_languages():
            with Transaction().set_context(language=language.code):
                translated = cls.browse(letters)
            for letter, in_language in zip(letters, translated):
                try:
                    in_language.check_samples(language)
                except TemplateError as exception:
                    raise LetterValidationError(gettext(
                            'training_abandon.msg_letter_invalid',
                            letter=letter.rec_name,
                            language=language.rec_name,
                            error=exception)) from exception

    def check_samples(self, language):
        "Check that the letter can be written with each of its samples"
        subject, text = templates = self._read_templates()
        for template in templates:
            template.check_other()
        names = set().union(*(t.names for t in templates))
        with Transaction().set_context(language=language.code):
            for missing, sample in self.samples(names):
                text.render(sample)
                if not subject.render(sample).split():
                    raise TemplateError(
                        'msg_letter_no_subject', missing=missing)

    def samples(self, names):
        "Yield the names that are missing and the values of the letter by name"
        known = self.known()
        # The names of the items of the lists are not known
        full = {n: example_of(known[n]) for n in sorted(names & known.keys())}
        yield [], full
        empty = {
            n: [] if known[n].is_list else '' for n in full
            if known[n].is_optional}
        for name, value in empty.items():
            yield [name], {**full, name: value}
            if known[name].is_list:
                yield [], {**full, name: full[name][:1]}
        yield [*empty], {**full, **empty}

    @classmethod
    def frame_records(cls):
        "Return the records about which the frames draw a letter to check them"
        return []

    def known(self):
        "Return what the letter may tell, as Name by name"
        return NAMES.copy()

    def palette(self):
        "Return by name that the letter may use if it is a list"
        return {n: name.is_list for n, name in self.known().items()}

    @fields.depends('step_kind')
    def on_change_with_known_names(self, name=None):
        lines = []
        for name, known in sorted(self.known().items()):
            example = example_of(known)
            if known.is_list:
                example = ' | '.join(example)
            lines.append(f'${{{name}}} – {label(name)} – {example}')
        return '\n'.join(lines)

    def may_leave(self, case_state):
        "Return if the letter may leave in that state of the case"
        return not self.case_states or case_state in self.case_states

    def render(self, **context):
        """Return the subject and the text in the language of the
        transaction, with the names of context replaced."""
        templates = self._templates
        try:
            subject, text = (
                template.render(context) for template in templates)
        except Exception as exception:
            raise self.not_rendered(exception) from exception
        return ' '.join(subject.split()), text.strip() + '\n'

    def draft(self, context):
        """Return the subject and the text of a letter that cannot be written,
        with the names of context that are known replaced."""
        def get_value(name):
            try:
                return context[name]
            except Exception:
                return None

        return [draft(t or '', get_value) for t in [self.subject, self.text]]

    @property
    def names(self):
        "The names that the letter tells"
        return set().union(*(t.names for t in self._templates))

    @cached_property
    def _templates(self):
        try:
            return self._read_templates()
        except TemplateError as exception:
            raise self.not_rendered(exception) from exception

    def _read_templates(self):
        palette = self.palette()
        return [LetterTemplate(t, palette) for t in [self.subject, self.text]]

    def not_rendered(self, exception):
        return LetterError(gettext(
                'training_abandon.msg_letter_not_rendered',
                letter=self.rec_name,
                error=exception))


class LetterContext(MutableMapping):
    """The values of a letter by name

    Those that are functions are called when the letter tells them: no letter
    tells all the names."""

    def __init__(self, values):
        self._values = dict(values)

    def __getitem__(self, name):
        value = self._values[name]
        return value() if callable(value) else value

    def __contains__(self, name):
        return name in self._values

    def __setitem__(self, name, value):
        self._values[name] = value

    def __delitem__(self, name):
        del self._values[name]

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)

    def __repr__(self):
        return repr(dict(self))


class CorrespondenceMixin:
    "What letters are about: it has a company, an enrolment and a procedure"
    __slots__ = ()

    def signatory(self):
        "Return the employee who writes, or None"
        return tools.current_employee(self.company)

    def letter_context(self, party):
        """Return the names that all the letters to the party may use, in the
        language in which the record was browsed.

        They are plain values and none of them tells what is private to the
        trainee, because the same names serve the letters to the
        prescribers."""
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        enrolment, procedure = self.letter_enrolment(), self.procedure
        session = enrolment.session

        def employee():
            signatory = self.signatory()
            return signatory.party.name if signatory else ''

        def location():
            return session.location.city or '' if session.location else ''

        return LetterContext({
                'company': lambda: self.company.party.name,
                'course': lambda: session.course.name,
                'employee': employee,
                'end_date': lambda: lang.strftime(session.end_date),
                'location': location,
                'phone': self.letter_phone,
                'place': lambda: procedure.place or '',
                'procedure': lambda: procedure.name,
                'procedure_code': lambda: procedure.code,
                'procedure_revision': lambda: procedure.revision,
                'recipient': lambda: party.name,
                'session': lambda: session.number,
                'start_date': lambda: lang.strftime(
                    enrolment.start_date or session.start_date),
                'trainee': lambda: enrolment.trainee.party.name,
                })

    def letter_phone(self):
        """Return the number to call for the letters, or an empty text

        The mobile phones of the employees are told to nobody."""
        signatory = self.signatory()
        for party, types in [
                (signatory.party if signatory else None, {'phone'}),
                (self.company.party, {'phone', 'mobile'})]:
            mechanism = party and party.contact_mechanism_get(types)
            if mechanism:
                return mechanism.value
        return ''

    def letter_enrolment(self):
        "Return the enrolment that the letters are about"
        raise NotImplementedError

    def mail_values(self):
        "Return the values of the mails about the record"
        return {'enrolment': self.letter_enrolment()}


def letter_languages():
    "Return the languages in which there may be letters"
    pool = Pool()
    Configuration = pool.get('ir.configuration')
    Lang = pool.get('ir.lang')
    return Lang.search(['OR',
            ('translatable', '=', True),
            ('code', 'in', ['en', Configuration.get_language()]),
            ])


def describe_date(lang, date):
    "Return the words for a day in the letters, with its name"
    name = lang.strftime(date, '%A ')
    if lang.code.split('_')[0] not in CAPITAL_DAYS:
        name = name.lower()
    return name + lang.strftime(date)


def describe_slots(lang, slots):
    """Return the list of the words for the slots in the letters, one for each
    day.

    slots are tuples (date, start, end) in time order."""
    days = []
    for date, group in groupby(slots, key=lambda slot: slot[0]):
        *others, last = [
            gettext('training_abandon.msg_letter_times',
                start=start.strftime('%H:%M'), end=end.strftime('%H:%M'))
            for _, start, end in group]
        if others:
            last = gettext(
                'training_abandon.msg_letter_and',
                first=', '.join(others), last=last)
        days.append(gettext(
                'training_abandon.msg_letter_absence',
                date=describe_date(lang, date), times=last))
    return days


def example_of(name):
    "Return the example of a name in the language of the transaction"
    pool = Pool()
    Lang = pool.get('ir.lang')
    example = name.example
    if callable(example):
        return example(Lang.get())
    elif isinstance(example, dt.date):
        return Lang.get().strftime(example)
    return example


class Renderer:
    """Renders the letters about records, each in the language of its party

    What many letters have in common is read once."""

    def __init__(self, Model, ids):
        pool = Pool()
        Lang = pool.get('ir.lang')
        self._Model, self._ids = Model, ids
        self._default_language = Lang.get()
        self._records, self._letters, self._phones = {}, {}, {}

    def render(self, record, party, letter, get_context, to_end=False):
        """Return the party, letter, language, to, subject and text as
        dictionary.

        get_context returns the names of the letter for the record in the
        language of the party.
        to_end is if a letter that cannot be written is returned for a person
        to end it, with its error."""
        language = party.lang or self._default_language
        error = None
        try:
            with Transaction().set_context(language=language.code):
                letter_ = self._letter(letter, language)
                record_ = self._record(record, language)
                context = ChainMap(
                    LetterContext({'phone': lambda: self._phone(record_)}),
                    get_context(record_))
                try:
                    subject, text = letter_.render(**{
                            n: context[n] for n in letter_.names
                            if n in context})
                except LetterError:
                    subject, text = letter_.draft(context)
                    raise
        except LetterError as exception:
            error = exception
            if exception.__cause__:
                # In the language of the user
                error = letter.not_rendered(exception.__cause__)
            if not to_end:
                raise error from exception.__cause__
        return {
            'party': party,
            'letter': letter,
            'language': language,
            'to': party.reachable_email,
            'subject': subject,
            'text': text,
            'error': error.message if error else None,
            }

    def _phone(self, record):
        key = record.company, record.signatory()
        if key not in self._phones:
            self._phones[key] = record.letter_phone()
        return self._phones[key]

    def _letter(self, letter, language):
        if letter.id is None:
            return letter
        # One instance keeps its templates
        if (letter, language) not in self._letters:
            self._letters[letter, language] = letter.__class__(letter.id)
        return self._letters[letter, language]

    def _record(self, record, language):
        if language not in self._records:
            self._records[language] = tools.browse_by_id(
                self._Model, self._ids)
        return self._records[language][record.id]


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

    def render(self, record, company, **data):
        "Return the letter in the language of the transaction"
        # Report.execute would browse and check each record again
        context = self._Report.get_context(
            [record], {'company': company}, data)
        return self._template.generate(**{**context, **self._names}).render()


class LetterReport(CompanyReport):
    "The frame of the letters: logo, text and footer"
    __name__ = 'training.abandon.letter'
    # The wizards make it, nobody prints it
    internal = True

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        context['blocks'] = blocks(data.get('text') or '')
        context['subject'] = data.get('subject') or ''
        context['logo'] = bool(context['company'].logo)
        return context
