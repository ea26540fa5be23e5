# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The certificate of the hours done that the funders ask for"
import hashlib
import json
from collections import defaultdict

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import slugify
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import CompletionCertificateError
from ..pdf_report import MergedReport, get_logo
from ..rec_name import search_names
from ..training.enrolment import hours_name
from .terms import first_open_days, hours_by_day


class CompletionCertificate(ModelSQL, ModelView):
    __name__ = 'training.completion_certificate'
    _rec_name = 'number'

    number = fields.Char("Number", required=True, readonly=True)
    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, readonly=True,
        ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    start_date = fields.Date("Start Date", required=True, readonly=True)
    end_date = fields.Date("End Date", required=True, readonly=True)
    planned = fields.TimeDelta(
        "Agreed Hours", 'training_hours', readonly=True,
        help="The time of the agreement.")
    done = fields.TimeDelta(
        "Hours Done", 'training_hours', required=True, readonly=True,
        help="The time attended on the closed sheets.")
    document = fields.Binary(
        "Document", filename='filename', readonly=True, required=True,
        file_id='document_file_id', store_prefix=None,
        help="The PDF as it was issued; it never changes.")
    document_file_id = fields.Char("Document File ID", readonly=True)
    filename = fields.Function(fields.Char("File Name"), 'get_filename')
    sha256 = fields.Char(
        "SHA-256", required=True, readonly=True,
        help="The hash of the document when it was issued.")
    content_sha256 = fields.Char(
        "SHA-256 of the Content", required=True, readonly=True,
        help="The hash of the words and of the days that the document has: "
        "another certificate replaces it when they change.")
    issued_at = fields.DateTime(
        "Issued at", required=True, readonly=True,
        help="When the document was made.")
    replaced_by = fields.Many2One(
        'training.completion_certificate', "Replaced by", readonly=True,
        ondelete='RESTRICT',
        states={
            'invisible': ~Eval('replaced_by'),
            },
        help="The certificate that is valid in the place of this one.")

    voided_at = fields.DateTime(
        "Void since", readonly=True,
        states={
            'invisible': ~Eval('voided_at'),
            },
        help="When it was told that the document says what is not so.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('number_unique', Unique(t, t.company, t.number),
                'training_abandon.msg_completion_certificate_unique'),
            ]
        cls._sql_indexes.add(Index(t, (t.enrolment, Index.Equality())))
        cls._order = [('id', 'DESC')]
        cls._buttons.update(
            void={
                'invisible': Eval('replaced_by') | Eval('voided_at'),
                'depends': ['replaced_by', 'voided_at'],
                })

    def get_filename(self, name):
        return slugify(f'{self.number}-{self.enrolment.rec_name}') + '.pdf'

    def get_rec_name(self, name):
        return f'{self.number} - {self.enrolment.rec_name}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'number', 'enrolment.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(
                    Eval('replaced_by', None) | Eval('voided_at', None),
                    'muted', '')),
            ]

    @classmethod
    def check_modification(
            cls, mode, certificates, values=None, external=False):
        super().check_modification(
            mode, certificates, values=values, external=external)
        if mode == 'delete' or mode == 'write' and (
                external
                or values.keys() - {'replaced_by', 'voided_at'}):
            for certificate in certificates:
                raise AccessError(gettext(
                        'training_abandon.msg_completion_certificate_modify',
                        certificate=certificate.rec_name))

    @classmethod
    def copy(cls, certificates, default=None):
        for certificate in certificates:
            raise AccessError(gettext(
                    'training_abandon.msg_completion_certificate_modify',
                    certificate=certificate.rec_name))
        return []

    @classmethod
    def valid(cls, enrolments):
        """Return by enrolment the certificate that is neither replaced nor
        void"""
        return {
            c.enrolment: c for c in cls.search([
                    ('enrolment', 'in', [e.id for e in enrolments]),
                    ('replaced_by', '=', None),
                    ('voided_at', '=', None),
                    ], order=[('id', 'ASC')])}

    @classmethod
    @ModelView.button
    def void(cls, certificates):
        "Have the certificates, that stay, say nothing any more"
        tools.lock(cls, certificates)
        cls.write([
                c for c in cls.browse(certificates)
                if not c.replaced_by and not c.voided_at],
            {'voided_at': tools.now()})

    @classmethod
    def issue(cls, enrolments):
        """Issue the certificates of those who attended, all or none, and
        return those that are valid: what says the same is not issued again."""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        tools.lock(Enrolment, enrolments)
        enrolments = tools.browse_sets(Enrolment, enrolments)
        opened = first_open_days(enrolments)
        if opened:
            raise CompletionCertificateError(gettext(
                    'training_abandon.msg_completion_certificate_open',
                    enrolments=tools.names(
                        [e for e in enrolments if e.id in opened])))
        days = hours_by_day(enrolments)
        refused = [e for e in enrolments if not days.get(e.id)]
        if refused:
            raise CompletionCertificateError(gettext(
                    'training_abandon.msg_completion_certificate_no_hours',
                    enrolments=tools.names(refused)))
        valid = cls.valid(enrolments)
        by_company = defaultdict(list)
        for enrolment in enrolments:
            by_company[enrolment.company].append(enrolment)
        issued, to_write = {}, []
        for company, group in by_company.items():
            values = cls._contents(company, group, days)
            issued.update(cls._create(company, {
                        e: v for e, v in values.items()
                        if e not in valid
                        or valid[e].content_sha256 != v['content_sha256']},
                    days))
        for enrolment, certificate in issued.items():
            if enrolment in valid:
                to_write += [
                    [valid[enrolment]], {'replaced_by': certificate.id}]
        if to_write:
            cls.write(*to_write)
        valid.update(issued)
        return [valid[e] for e in enrolments]

    @classmethod
    def _contents(cls, company, enrolments, days):
        "Return the values of the certificates of the company by enrolment"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Report = pool.get('training.completion_certificate', type='report')
        result = {}
        with Transaction().set_context(
                language=tools.language_of(company.party)):
            for enrolment in tools.browse_sets(Enrolment, enrolments):
                values = cls._content(enrolment, days[enrolment.id])
                words = Report.get_words(enrolment, values)
                values['content_sha256'] = _hash(json.dumps(
                        [words, days[enrolment.id]],
                        default=str, sort_keys=True).encode())
                result[enrolment] = values
        return result

    @classmethod
    def _content(cls, enrolment, days):
        dates = [date for date, _ in days]
        return {
            'company': enrolment.company.id,
            'enrolment': enrolment.id,
            'start_date': min(dates),
            'end_date': max(dates),
            'planned': enrolment.agreed_hours,
            'done': sum(
                (hours for _, hours in days[1:]), days[0][1]),
            }

    @classmethod
    def _create(cls, company, values, days):
        "Create the certificates of the company that have the values"
        pool = Pool()
        Configuration = pool.get('training.configuration')
        Report = pool.get('training.completion_certificate', type='report')
        if not values:
            return {}
        sequence = Configuration(1).get_multivalue(
            'completion_sequence', company=company.id)
        numbers = dict(zip(values, sequence.get_many(len(values))))
        documents = Report.issue({
                e: {**v, 'number': numbers[e], 'days': days[e.id]}
                for e, v in values.items()})
        certificates = cls.create([{
                    **v,
                    'number': numbers[enrolment],
                    'document': documents[enrolment],
                    'sha256': _hash(documents[enrolment]),
                    'issued_at': tools.now(),
                    } for enrolment, v in values.items()])
        return dict(zip(values, certificates))


def _hash(data):
    return hashlib.sha256(data).hexdigest()


class CompletionCertificateReport(MergedReport):
    "The model of the ministry, with the hours of each day"
    __name__ = 'training.completion_certificate'
    # The button makes it, nobody prints it
    internal = True

    @classmethod
    def issue(cls, values):
        """Return the PDF by enrolment, all of a company.

        values are the number, the dates, the hours and the days by
        enrolment."""
        company = next(iter(values)).company
        with Transaction().set_context(
                language=tools.language_of(company.party)):
            title = gettext(
                'training_abandon.msg_completion_certificate_title')
            documents = cls.execute_many(
                {e.id: title for e in values},
                {'documents': {e.id: v for e, v in values.items()}})
        refused = [e for e in values if e.id not in documents]
        if refused:
            raise CompletionCertificateError(gettext(
                    'training_abandon.msg_completion_certificate_convert',
                    enrolments=tools.names(refused)))
        return {e: documents[e.id] for e in values}

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        company = context['company']
        address = company.party.address_get()
        context['documents'] = [
            cls._get_document(r, data['documents'][r.id]) for r in records]
        context['title'] = gettext(
            'training_abandon.msg_completion_certificate_title')
        context['address_lines'] = (
            address.full_address.splitlines() if address else [])
        context.update(get_logo(company))
        return context

    @classmethod
    def get_words(cls, enrolment, values):
        "Return what the document says of the enrolment"
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        course = enrolment.session.course
        return {
            'company': enrolment.company.party.name,
            'trainee': enrolment.trainee.party.name,
            'employer': (
                enrolment.employer.name if enrolment.employer else '—'),
            'course': course.name,
            'nature': course.kind_string,
            'start': lang.strftime(values['start_date']),
            'end': lang.strftime(values['end_date']),
            'done': hours_name(values['done']),
            'planned': hours_name(values['planned']),
            }

    @classmethod
    def _get_document(cls, enrolment, values):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        words = {
            **cls.get_words(enrolment, values),
            'today': lang.strftime(tools.today(enrolment.company)),
            }

        def text(name):
            return gettext(
                f'training_abandon.msg_completion_certificate_{name}',
                **words)

        return {
            'number': values['number'],
            'title': text('title'),
            'paragraphs': [
                text(name) for name in [
                    'attests', 'trainee', 'course', 'nature', 'period',
                    'duration', 'keeping']],
            'headings': [text('day'), text('hours')],
            'days': [
                (lang.strftime(date), hours_name(hours))
                for date, hours in values['days']],
            'signature': text('signature'),
            }
