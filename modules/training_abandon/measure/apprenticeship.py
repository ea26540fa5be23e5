# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The visits that the apprentices need and the delays of the mediation"
import datetime as dt
from collections import defaultdict

from dateutil.relativedelta import relativedelta
from sql import Null, Union
from sql.conditionals import Coalesce
from sql.operators import Exists

from trytond.i18n import gettext
from trytond.model import DeactivableMixin, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.rpc import RPC
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..exceptions import TrainingValidationError
from ..pdf_report import PDFReport, get_logo
from ..risk.criterion import UNHEARD_OUTCOMES
from ..stored import of_all, of_ids
from .validity import ValidityMixin

VISITS = [
    ('first_visit', "First Visit of the Company"),
    ('visit', "Visit of the Company"),
    ('tutor_meeting', "Meeting with the Tutor"),
    ]
MEDIATION = [
    ('employer_told', "Employer Told of the Resignation"),
    ('resignation', "Effect of the Resignation"),
    ('mediator_answer', "Answer of the Mediator"),
    ]
TUTORS = ['tutor', 'apprenticeship_supervisor']


class ApprenticeshipRule(
        ValidityMixin, DeactivableMixin, ModelSQL, ModelView):
    "A delay of the apprenticeship with its source, as long as it is valid"
    __name__ = 'training.apprenticeship.rule'

    kind = fields.Selection(
        [*VISITS, *MEDIATION], "Kind", required=True, sort=False,
        help="What is to take place within, or not before, the delay.")
    kind_string = kind.translated('kind')
    delay = fields.Integer(
        "Delay", required=True,
        domain=[
            ('delay', '>=', 0),
            ('delay', '<=', If(Eval('unit') == 'months', 120, 3650)),
            ],
        help="For a visit or a meeting, the longest time from the start or "
        "from the last one; for the mediation, the time from the referral "
        "or, for the effect of the resignation, from when the employer was "
        "told.")
    unit = fields.Selection([
            ('months', "Months"),
            ('days', "Calendar Days"),
            ], "Unit", required=True, sort=False,
        help="What the delay is counted in.")
    source = fields.Char(
        "Source",
        states={
            'required': Eval('active', True),
            },
        help="The text that sets the delay: a rule without one is not "
        "active.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('kind', 'ASC'),
            ('start_date', 'DESC NULLS LAST'),
            ('id', None),
            ]

    @classmethod
    def default_unit(cls):
        return 'months'

    def get_rec_name(self, name):
        return self.kind_string

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('source', *clause[1:])]

    @classmethod
    def valid_by_kind(cls, company, date):
        """Return by kind the latest rule that is valid for the company on
        the date, its own rather than the one of all"""
        rules = {}
        for rule in cls.search(
                cls.valid_domain(company, date),
                order=[
                    ('company', 'ASC NULLS LAST'),
                    ('start_date', 'DESC NULLS LAST'),
                    ('id', 'DESC'),
                    ]):
            rules.setdefault(rule.kind, rule)
        return rules

    def after(self, date):
        return date + relativedelta(**{self.unit: self.delay})

    def before(self, date):
        return date - relativedelta(**{self.unit: self.delay})


class VisitsMixin:
    "Enrolments of which the visits that are missing are told"
    __slots__ = ()

    visit_missing = fields.Function(
        fields.Boolean(
            "Visit Missing",
            help="A visit or a meeting that the rules ask for the apprentice "
            "is neither done nor planned."),
        'get_missing_visits', searcher='search_visit_missing')
    missing_visits = fields.Function(
        fields.Char(
            "Missing Visits",
            help="The visits and the meetings that the rules ask and that "
            "are neither done nor planned."),
        'get_missing_visits')

    @classmethod
    def get_missing_visits(cls, enrolments, names):
        missing = cls.missing_rules(enrolments)
        found = {
            'visit_missing': lambda id_: bool(missing[id_]),
            'missing_visits': lambda id_: ', '.join(
                r.kind_string for r in missing[id_]),
            }
        return {
            name: {e.id: found[name](e.id) for e in enrolments}
            for name in names}

    @classmethod
    def missing_rules(cls, enrolments):
        "Return by id the list of the rules of what the enrolment lacks"
        cursor = Transaction().connection.cursor()
        missing = defaultdict(list)
        by_company = defaultdict(list)
        for enrolment in enrolments:
            by_company[enrolment.company].append(enrolment.id)
        for company, ids in by_company.items():
            for rule in cls._visit_rules(company):
                for sub_ids in grouped_slice(ids, tools.BATCH):
                    cursor.execute(*cls._missing_query(
                            company, rule, of_ids(sub_ids)))
                    for id_, in cursor:
                        missing[id_].append(rule)
        return missing

    @classmethod
    def search_visit_missing(cls, name, clause):
        pool = Pool()
        Company = pool.get('company.company')
        queries = [
            cls._missing_query(company, rule)
            for company in Company.search([])
            for rule in cls._visit_rules(company)]
        return tools.boolean_domain(
            clause, Union(*queries) if len(queries) > 1
            else queries[0] if queries else [])

    @classmethod
    def _visit_rules(cls, company):
        pool = Pool()
        Rule = pool.get('training.apprenticeship.rule')
        rules = Rule.valid_by_kind(company, tools.today(company))
        return [rules[kind] for kind, _ in VISITS if kind in rules]

    @classmethod
    def _missing_query(cls, company, rule, of=of_all):
        """Return the query of the ids of the enrolments of the company that
        lack what the rule asks; of is the condition on their ids"""
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Session = pool.get('training.session')
        enrolment, session = cls.__table__(), Session.__table__()
        follow_up = FollowUp.__table__()
        today = tools.today(company)
        last = rule.before(today)
        counts = (
            (follow_up.enrolment == enrolment.id)
            & (follow_up.cancelled_at == Null)
            & ((follow_up.done_at != Null)
                | (follow_up.planned_at == Null)
                | (follow_up.planned_at >= tools.utc_datetime(
                        today, dt.time(), company)))
            & ((follow_up.outcome == Null)
                | ~follow_up.outcome.in_(UNHEARD_OUTCOMES)))
        if rule.kind == 'tutor_meeting':
            counts &= (follow_up.kind == 'meeting') & Exists(
                cls._tutors_query(follow_up))
        else:
            counts &= follow_up.kind == 'visit'
        if rule.kind != 'first_visit':
            counts &= (follow_up.done_at == Null) | (
                follow_up.done_at >= tools.utc_datetime(
                    last, dt.time(), company))
        return enrolment.join(
            session, condition=session.id == enrolment.session).select(
            enrolment.id,
            where=of(enrolment.id)
            & (enrolment.company == company.id)
            & (enrolment.agreement_kind == 'apprenticeship')
            & enrolment.state.in_(['confirmed', 'started'])
            & (Coalesce(enrolment.start_date, session.start_date) <= last)
            & ~Exists(follow_up.select(follow_up.id, where=counts)))

    @classmethod
    def _tutors_query(cls, follow_up):
        pool = Pool()
        Contact = pool.get('training.enrolment.contact')
        contact = Contact.__table__()
        return contact.select(
            contact.id,
            where=(contact.enrolment == follow_up.enrolment)
            & (contact.party == follow_up.party)
            & contact.role.in_(TUTORS))


def _mediation_date(string, help):
    return fields.Function(
        fields.Date(
            string,
            states={
                'invisible': Eval('kind') != 'mediation',
                },
            help=help),
        'get_mediation_dates')


class MediationMixin:
    "Follow-ups with the mediator of the apprenticeship and its delays"
    __slots__ = ()

    referred_on = fields.Date(
        "Referred on",
        states={
            'invisible': Eval('kind') != 'mediation',
            },
        help="The day on which the mediator was asked: the delays run from "
        "it.")
    employer_told_from = _mediation_date(
        "Employer Told from",
        help="The first day on which the apprentice may tell the employer "
        "of its resignation.")
    resignation_from = _mediation_date(
        "Resignation from",
        help="The first day on which the resignation may take effect, when "
        "the employer is told on the first day.")
    mediator_answer_by = _mediation_date(
        "Answer of the Mediator by",
        help="The last day on which the mediator is to answer.")

    @classmethod
    def get_mediation_dates(cls, follow_ups, names):
        dates = {}
        for follow_up in follow_ups:
            key = follow_up.company, follow_up.referred_on
            if follow_up.kind == 'mediation' and key not in dates:
                dates[key] = mediation_dates(*key)
        return {
            name: {
                f.id: dates.get((f.company, f.referred_on), {}).get(name)
                if f.kind == 'mediation' else None
                for f in follow_ups}
            for name in names}

    @fields.depends(
        'kind', 'referred_on', 'company', 'employer_told_from',
        'resignation_from', 'mediator_answer_by')
    def on_change_referred_on(self):
        dates = {}
        if self.kind == 'mediation' and self.company:
            dates = mediation_dates(self.company, self.referred_on)
        for name in [
                'employer_told_from', 'resignation_from',
                'mediator_answer_by']:
            setattr(self, name, dates.get(name))


def mediation_dates(company, referred_on):
    "Return the dates of the delays that run from the referral, by field"
    pool = Pool()
    Rule = pool.get('training.apprenticeship.rule')
    if not referred_on:
        return {}
    rules = Rule.valid_by_kind(company, referred_on)
    dates = {}
    if told := rules.get('employer_told'):
        dates['employer_told_from'] = told.after(referred_on)
        if resignation := rules.get('resignation'):
            dates['resignation_from'] = resignation.after(
                dates['employer_told_from'])
    if answer := rules.get('mediator_answer'):
        dates['mediator_answer_by'] = answer.after(referred_on)
    return dates


class MediationLetter(PDFReport):
    """The letter to the mediator, to post

    What is printed is kept with the follow-up, and printed again as long as it
    would tell the same."""
    __name__ = 'training.follow_up.mediation_letter'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__rpc__['execute'] = RPC(readonly=False)

    @classmethod
    def execute(cls, ids, data):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        for follow_up in tools.browse_sets(FollowUp, ids):
            if follow_up.kind != 'mediation' or not follow_up.referred_on:
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_mediation_letter_referred',
                        follow_up=follow_up.rec_name))
        return super().execute(ids, data)

    @classmethod
    def _execute(cls, records, header, data, action):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        follow_up = FollowUp(records[0].id)
        with without_check_access():
            letter = cls._letter(follow_up)
            told = '\n'.join([
                    *letter['sender'], '', *letter['recipient'], '',
                    letter['date'], letter['title'], *letter['paragraphs']])
            if kept := cls._kept(follow_up, told):
                return action.extension, kept.data
        extension, document = super()._execute(records, header, data, action)
        with without_check_access():
            cls._keep(follow_up, told, document)
        return extension, document

    @classmethod
    def _kept(cls, follow_up, told):
        "Return the attachment of the letter that told the same, or None"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        for attachment in Attachment.search([
                    ('resource', '=', str(follow_up)),
                    ('type', '=', 'data'),
                    ('description', '=', told),
                    # What somebody has changed is not what was printed
                    ('write_date', '=', None),
                    ], order=[('id', 'DESC')], limit=1):
            return attachment

    @classmethod
    def _keep(cls, follow_up, told, document):
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Attachment.create([{
                    'resource': str(follow_up),
                    'name': gettext(
                        'training_abandon.msg_mediation_letter_printed',
                        party=follow_up.party.rec_name,
                        date=tools.today(follow_up.company)),
                    'data': document,
                    'description': told,
                    }])

    @classmethod
    def get_context(cls, records, header, data):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        context = super().get_context(records, header, data)
        follow_up = FollowUp(records[0].id)
        context.update(get_logo(follow_up.company))
        context.update(cls._letter(follow_up))
        return context

    @classmethod
    def _letter(cls, follow_up):
        "Return what the letter tells, by name of the template"
        party = follow_up.party
        subject, text = follow_up.letter_to_party()
        with Transaction().set_context(
                language=party.lang.code if party.lang
                else Transaction().language):
            return {
                'sender': cls._address(follow_up.company.party),
                'recipient': cls._address(party),
                'date': cls.format_date(follow_up.referred_on),
                'title': subject,
                'paragraphs': [
                    line for line in text.splitlines() if line.strip()],
                }

    @classmethod
    def _address(cls, party):
        address = party.address_get()
        return [
            party.rec_name,
            *(address.full_address.splitlines() if address else [])]
