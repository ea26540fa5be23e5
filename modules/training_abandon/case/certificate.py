# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import hashlib
import mimetypes
from collections import defaultdict
from pathlib import Path

from sql import Null

from trytond.exceptions import UserError
from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Workflow, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice, slugify
from trytond.transaction import Transaction

from .. import tools
from ..access import changes
from ..exceptions import CertificateAnsweredWarning, CertificateError
from ..kept import KeptMixin
from ..mail.address import check_address
from ..notify import one_line
from ..pdf_report import MergedReport, get_logo
from ..procedure.letter import Renderer, blocks
from ..rec_name import search_names

# The states of what is signed, refused or not answered
ANSWERED = ['signed', 'refused', 'unanswered']


class Certificate(KeptMixin, Workflow, ModelSQL, ModelView):
    __name__ = 'training.abandon.certificate'

    _signed = {
        'readonly': ~Eval('state').in_(['issued', 'sent', 'signed']),
        }

    _void = {
        'invisible': Eval('state') != 'void',
        }

    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, readonly=True,
        ondelete='CASCADE')
    kind = fields.Selection([
            ('statement', "Statement by the Trainee"),
            ('record', "Record by the Provider"),
            ], "Kind", required=True, readonly=True, sort=False,
        help="The trainee signs the statement; the provider alone makes the "
        "record when the trainee stays silent.")
    kind_string = kind.translated('kind')
    document = fields.Binary(
        "Document", filename='filename', readonly=True, required=True,
        file_id='document_file_id', store_prefix=None,
        help="The PDF as it was issued; it never changes.")
    document_file_id = fields.Char("Document File ID", readonly=True)
    filename = fields.Function(fields.Char("File Name"), 'get_filename')
    sha256 = fields.Char(
        "SHA-256", readonly=True, required=True,
        help="The hash of the document when it was issued.")
    issued_at = fields.DateTime(
        "Issued at", readonly=True, required=True,
        help="When the document was made.")
    signed_at = fields.DateTime(
        "Signed at", states=_signed,
        help="When it was signed, not when the signed document came back.")
    signed_by = fields.Many2One(
        'party.party', "Signed by", ondelete='RESTRICT', states=_signed,
        help="The trainee, or the legal guardian who signs with or for it.")
    signed_document = fields.Binary(
        "Signed Document", filename='signed_filename', states=_signed,
        file_id='signed_file_id', store_prefix=None,
        help="The scan or the picture of the certificate, signed.")
    signed_file_id = fields.Char("Signed Document File ID", readonly=True)
    signed_filename = fields.Char("Signed Document File Name")
    evidence = fields.Text(
        "Evidence",
        help="How the signature, the refusal or the silence is known.\n"
        "Do not write any health detail.")
    mails = fields.One2Many(
        'training.mail', 'certificate', "Mails", readonly=True,
        help="The mails to which the certificate was attached.")
    state = fields.Selection([
            ('issued', "Issued"),
            ('sent', "Sent"),
            ('signed', "Signed"),
            ('refused', "Refused"),
            ('unanswered', "Unanswered"),
            ('void', "Void"),
            ], "State", readonly=True, required=True, sort=False,
        help="What became of the certificate; a record by the provider "
        "waits for no signature.")
    state_string = state.translated('state')
    replaces = fields.Many2One(
        'training.abandon.certificate', "Replaces", readonly=True,
        ondelete='RESTRICT',
        states={
            'invisible': ~Eval('replaces'),
            },
        help="The certificate that is void since this one was issued.")
    replaced_by = fields.Many2One(
        'training.abandon.certificate', "Replaced by", readonly=True,
        ondelete='RESTRICT',
        states={
            'invisible': ~Eval('replaced_by'),
            },
        help="The certificate that is valid in the place of this one.")
    void_at = fields.DateTime(
        "Void since", readonly=True, states=_void,
        help="Since when the certificate proves nothing any more.")
    void_by = fields.Many2One(
        'res.user', "Void by", readonly=True, ondelete='RESTRICT',
        states=_void,
        help="The user who issued it again or took the decision back.")
    void_reason = fields.Text(
        "Void Reason", readonly=True, states=_void,
        help="Do not write any health detail.")

    del _signed, _void

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('case')
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.state, Index.Equality(cardinality='low')),
                (t.kind, Index.Equality(cardinality='low'))))
        cls._order.insert(0, ('issued_at', 'DESC'))
        cls._transitions |= {
            ('issued', 'sent'),
            ('issued', 'signed'),
            ('issued', 'refused'),
            ('issued', 'unanswered'),
            ('sent', 'signed'),
            ('sent', 'refused'),
            ('sent', 'unanswered'),
            ('refused', 'signed'),
            ('unanswered', 'signed'),
            ('unanswered', 'refused'),
            ('issued', 'void'),
            ('sent', 'void'),
            ('signed', 'void'),
            ('refused', 'void'),
            ('unanswered', 'void'),
            }
        cls._buttons.update(
            sign={
                'invisible': Eval('state').in_(['signed', 'void']),
                'depends': ['state'],
                },
            record_signature={
                'invisible': Eval('state').in_(['signed', 'void']),
                'depends': ['state'],
                },
            refuse={
                'invisible': Eval('state').in_(
                    ['signed', 'refused', 'void']),
                'depends': ['state'],
                },
            issue_again={
                'invisible': Eval('state') == 'void',
                'depends': ['state'],
                },
            no_answer={
                'invisible': ~Eval('state').in_(['issued', 'sent']),
                'depends': ['state'],
                })

    @classmethod
    def default_state(cls):
        return 'issued'

    def get_filename(self, name):
        return slugify('-'.join([
                    self.kind_string,
                    self.case.enrolment.trainee.party.name or '',
                    self.case.number])) + '.pdf'

    def get_signed_filename(self, name):
        "Return a name that tells nothing else for a scan of that name"
        return Path(self.filename).with_suffix(Path(name).suffix).name

    def get_rec_name(self, name):
        return f'{self.case.rec_name} - {self.kind_string}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'case.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state').in_(['issued', 'sent']), 'warning',
                    If(Eval('state') == 'void', 'muted', ''))),
            ]

    @classmethod
    def check_modification(
            cls, mode, certificates, values=None, external=False):
        super().check_modification(
            mode, certificates, values=values, external=external)
        allowed = {
            'signed_at', 'signed_by', 'signed_document', 'signed_filename',
            'evidence'}
        for certificate in certificates:
            if mode == 'delete' or (
                    external and (
                        mode == 'create' or values.keys() - allowed
                        or certificate.state == 'void')):
                raise AccessError(gettext(
                        'training_abandon.msg_case_modify',
                        case=certificate.case.rec_name))
            if (external and certificate.state in ANSWERED
                    and any(
                        getattr(certificate, n) and changes(certificate, n, v)
                        for n, v in values.items())):
                raise AccessError(gettext(
                        'training_abandon.msg_certificate_answered',
                        certificate=certificate.rec_name))

    @classmethod
    def validate_fields(cls, certificates, field_names):
        super().validate_fields(certificates, field_names)
        if not field_names or 'signed_at' in field_names:
            for certificate in certificates:
                if (certificate.signed_at
                        and not (certificate.issued_at
                            <= certificate.signed_at <= tools.now())):
                    raise CertificateError(gettext(
                            'training_abandon.msg_certificate_signed_at',
                            certificate=certificate.rec_name))

    @classmethod
    def on_modification(cls, mode, certificates, field_names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        super().on_modification(mode, certificates, field_names=field_names)
        if mode != 'delete' and (
                field_names is None
                or {'case', 'state', 'issued_at', 'void_at'} & field_names):
            Step.store_certified([c.case for c in certificates])
        if mode == 'write' and 'state' in field_names:
            Case.on_answer([c.case for c in certificates])

    @classmethod
    def copy(cls, certificates, default=None):
        for certificate in certificates:
            raise AccessError(gettext(
                    'training_abandon.msg_case_copy',
                    case=certificate.case.rec_name))
        return []

    @classmethod
    def issue(cls, cases, get_kind):
        """Issue the document of each case and return the certificates.

        get_kind returns the kind for a case."""
        pool = Pool()
        Report = pool.get('training.abandon.certificate', type='report')
        kinds = {case: get_kind(case) for case in cases}
        certificates = []
        for sub_cases in grouped_slice(list(cases), tools.BATCH):
            documents = Report.issue({c: kinds[c] for c in sub_cases})
            certificates += cls.create([{
                        'case': case.id,
                        'kind': kinds[case],
                        'document': document,
                        'sha256': hashlib.sha256(document).hexdigest(),
                        'issued_at': tools.now(),
                        } for case, document in documents.items()])
        return certificates

    def attach_to(self, line):
        "Have the line for a mail come with the certificate"
        line['values'] = {'certificate': self}
        line['attachments'] = [(
                self.filename, self.document,
                mimetypes.types_map['.pdf'])]

    @classmethod
    @ModelView.button
    @Workflow.transition('signed')
    def sign(cls, certificates):
        cls.keep(certificates)
        cls.write(
            [c for c in certificates if not c.signed_at],
            {'signed_at': tools.now()})
        for certificate in certificates:
            side = certificate.case.trainee_side()
            # Who of several signed is for the user to say
            if (certificate.kind == 'statement'
                    and not certificate.signed_by and len(side) == 1):
                certificate.signed_by, = side
        cls.save(certificates)

    @classmethod
    @ModelView.button_action('training_abandon.wizard_certificate_sign')
    def record_signature(cls, certificates):
        "Ask for the document that is signed, then sign"

    @classmethod
    @ModelView.button
    @Workflow.transition('refused')
    def refuse(cls, certificates):
        cls.keep(certificates)

    @classmethod
    @ModelView.button
    @Workflow.transition('unanswered')
    def no_answer(cls, certificates):
        cls.keep(certificates)

    @classmethod
    @Workflow.transition('sent')
    def send(cls, certificates):
        pass

    @classmethod
    @ModelView.button
    def issue_again(cls, certificates):
        cls.replace(certificates, gettext(
                'training_abandon.msg_certificate_issue_again_reason'))

    @classmethod
    def replace(cls, certificates, reason):
        "Issue other documents in the place of the certificates"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        for certificate in certificates:
            if certificate != certificate.case.certificate:
                raise CertificateError(gettext(
                        'training_abandon.msg_certificate_not_last',
                        certificate=certificate.rec_name))
        Case.replace_certificates([c.case for c in certificates], reason)

    @classmethod
    @Workflow.transition('void')
    def void(cls, certificates, reason):
        "Keep the certificates as documents that hold no more"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cls.write(certificates, {
                'void_at': tools.now(),
                'void_by': Transaction().user or None,
                'void_reason': reason,
                })
        Case.cancel_waiting(m for c in certificates for m in c.mails)

    @classmethod
    def holds_sql(cls, mail):
        """Return the SQL expression that is true for the mails that come with
        no certificate that is void."""
        certificate = cls.__table__()
        return (mail.certificate == Null) | ~mail.certificate.in_(
            certificate.select(
                certificate.id, where=certificate.state == 'void'))


class CertificateReport(MergedReport):
    "The form that the trainee signs, or the record that the provider makes"
    __name__ = 'training.abandon.certificate'
    # The wizards make it, nobody prints it
    internal = True

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        company = context['company']
        address = company.party.address_get()
        context['documents'] = documents = [
            cls._get_document(r, data['documents'][r.id]) for r in records]
        if len(documents) == 1:
            # The templates of one document know no other
            context.update(documents[0])
        else:
            # Nothing of one of them goes to all: each PDF gets its title after
            del context['record']
            context['title'] = ''
        context['today'] = tools.today(company)
        context['address_lines'] = (
            address.full_address.splitlines() if address else [])
        context.update(get_logo(company))
        return context

    @classmethod
    def _get_document(cls, record, document):
        return {
            'record': record,
            'kind': document['kind'],
            'title': document['subject'],
            'blocks': blocks(document['text']),
            'guardians': ', '.join(
                p.name or '' for p in record.enrolment.guardians()),
            }

    @classmethod
    def issue(cls, kinds):
        """Return the PDF of the documents, as bytes by case.

        kinds are the kinds of the documents by case."""
        documents = cls._render_documents(kinds)
        groups = defaultdict(dict)
        for case, document in documents.items():
            groups[case.company, document['language']][case] = document
        issued = {}
        for (_, language), group in groups.items():
            with Transaction().set_context(
                    language=language.code, with_rec_name=False):
                issued.update(cls.execute_many(
                        {c.id: d['subject'] for c, d in group.items()},
                        {'documents': {c.id: d for c, d in group.items()}}))
        refused = [c for c in documents if c.id not in issued]
        if refused:
            raise CertificateError('\n'.join(tools.first(
                        gettext(
                            'training_abandon.msg_certificate_not_converted',
                            case=case.rec_name)
                        for case in refused)), cases=refused)
        return {case: issued[case.id] for case in documents}

    @classmethod
    def _render_documents(cls, kinds):
        "Return the kind and what Renderer.render returns, by case"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Case = pool.get('training.abandon.case')
        facts = Attendance.facts({c.enrolment.id for c in kinds})
        renderer = Renderer(Case, [c.id for c in kinds])
        documents = {}
        for case, kind in kinds.items():
            letter = case.procedure.get_letter('certify', kind, 'trainee')
            if not letter:
                raise CertificateError(gettext(
                        'training_abandon.msg_certificate_no_text',
                        procedure=case.procedure.rec_name),
                    cases=[
                        c for c in kinds if c.procedure == case.procedure])
            party = case.enrolment.trainee.party
            counted = facts[case.enrolment.id]
            documents[case] = {
                'kind': kind,
                **renderer.render(
                    case, party, letter,
                    lambda case: case.letter_context(party, facts=counted)),
                }
        return documents


class CertificationMixin:
    "Cases with the certificates of their abandonment"
    __slots__ = ()

    certificate = fields.Function(fields.Many2One(
            'training.abandon.certificate', "Certificate"),
        'get_certificate')
    certificates = fields.One2Many(
        'training.abandon.certificate', 'case', "Certificates",
        readonly=True,
        help="The certificate issued to the trainee and those that it "
        "replaces.")
    certificate_state = fields.Function(fields.Selection(
            'get_certificate_states', "Certificate State"),
        'on_change_with_certificate_state')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            issue_record={
                'invisible': (
                    (Eval('state') != 'certified')
                    | ~Eval('certificate_state').in_(
                        ['refused', 'unanswered'])),
                'depends': ['state', 'certificate_state'],
                },
            issue_again={
                'invisible': (
                    ~Eval('state').in_(['certified', 'closed'])
                    | ~Eval('certificate_state')),
                'depends': ['state', 'certificate_state'],
                })

    @classmethod
    def get_certificate(cls, cases, name):
        return {
            c.id: max(
                (x.id for x in c.certificates if x.state != 'void'),
                default=None)
            for c in cases}

    @classmethod
    def get_certificate_states(cls):
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        return [(None, "")] + (
            Certificate.fields_get(['state'])['state']['selection'])

    @fields.depends('certificate', '_parent_certificate.state')
    def on_change_with_certificate_state(self, name=None):
        return self.certificate.state if self.certificate else None

    @property
    def certificate_kind(self):
        "The kind of certificate: a silent trainee does not state anything"
        if self.answered_at or self.origin == 'declared':
            return 'statement'
        return 'record'

    def certificate_variant(self, kind=None):
        "Return the variant of the letter that goes with the certificate"
        kind = kind or self.certificate_kind
        return 'standard' if kind == 'statement' else 'silent'

    @classmethod
    def apply_certify(
            cls, cases, lines, contacts=(), kind=None, queue=True):
        """Issue the certificate of the cases, mail it to the recipients of
        the lines and record the contacts told otherwise."""
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')

        def write(cases, steps):
            # Nothing is converted in vain
            for line in lines:
                check_address(line['to'], line['party'])
            certificates = {c.case: c for c in Certificate.issue(
                    cases, lambda c: kind or c.certificate_kind)}
            for line in lines:
                certificates[line['case']].attach_to(line)
            cls.record_contacts(steps, contacts)
            cls.create_mails(steps, lines, queue=queue)

        return cls.apply_step(cases, 'certify', write)

    @classmethod
    @ModelView.button
    def issue_record(cls, cases):
        "Record the abandonment that the trainee does not state"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        cases = cls.lock_cases(cases)
        Certificate.issue([
                c for c in cases
                if c.state == 'certified'
                and c.certificate_state in {'refused', 'unanswered'}],
            lambda c: 'record')

    @classmethod
    @ModelView.button
    def issue_again(cls, cases):
        cls.replace_certificates(cases, gettext(
                'training_abandon.msg_certificate_issue_again_reason'))

    @classmethod
    def replace_certificates(cls, cases, reason):
        """Issue again the certificates of the cases, all or none: those that
        they replace are kept, void, and who was sent them is sent the new
        ones."""
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        Correction = pool.get('training.abandon.case.correction')
        cases = cls.lock_cases(cases)
        cls._check_issued(cases)
        cls.lock_mails(m for c in cases for m in c.mails)
        replaced = {c: c.certificate for c in cls.browse(cases)}
        cls._warn_answered(replaced.values())
        told = {
            case: list(dict.fromkeys(
                    p for m in certificate.mails
                    if m.state != 'cancelled' and not m.reminder
                    for p in m.parties))
            for case, certificate in replaced.items()}
        corrections = Correction.record(
            'issued_again', cases, reason, lambda case: {
                'step': case.get_step('certify'),
                })
        certificates = {c.case: c for c in Certificate.issue(
                cases, lambda case: replaced[case].kind)}
        Certificate.void(list(replaced.values()), reason)
        for case, certificate in certificates.items():
            Certificate.write(
                [replaced[case]], {'replaced_by': certificate.id},
                [certificate], {'replaces': replaced[case].id})
        cls._send_again(certificates, told, corrections)

    @classmethod
    def _check_issued(cls, cases):
        refused = [
            c for c in cases
            if c.state not in {'certified', 'closed'} or not c.certificate]
        if refused:
            raise CertificateError(gettext(
                    'training_abandon.msg_certificate_issue_again_state',
                    cases=tools.names(refused)))

    @classmethod
    def _warn_answered(cls, certificates):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        answered = [
            c for c in certificates
            if c.state in ANSWERED]
        if not answered:
            return
        key = Warning.format('training_certificate_issue_again', answered)
        if Warning.check(key):
            raise CertificateAnsweredWarning(key, gettext(
                    'training_abandon.msg_certificate_issue_again_answered',
                    certificates=tools.names(answered)))

    @classmethod
    def _send_again(cls, certificates, told, corrections):
        "Mail the new certificates to those who were told of the others"
        recipients = [
            (case, 'trainee', party)
            for case in certificates for party in told[case]]

        def get_variant(case):
            if case.procedure.get_letter('certify', 'corrected', 'trainee'):
                return 'corrected'
            return case.certificate_variant(certificates[case].kind)

        lines = cls.render_letters(
            recipients, 'certify', get_variant, to_end=True)
        for line in lines:
            certificates[line['case']].attach_to(line)
        cls.send_correction(
            corrections, recipients, lines,
            steps={c.id: c.get_step('certify') for c in certificates})

    @classmethod
    def certify_all(cls, cases, channel, kind=None):
        """Issue the certificates of many cases, in the queue, some at a time;
        the user is notified of those refused."""
        pool = Pool()
        Mail = pool.get('training.mail')
        # The task may be run again after some of the cases
        cases = [
            c for c in tools.browse_sets(cls, cases)
            if any(s.kind == 'certify' and s.state == 'todo'
                for s in c.steps)]
        certified, refused = [], []
        for sub_cases in grouped_slice(cases, tools.BATCH):
            done, messages = cls._certify(list(sub_cases), channel, kind)
            certified += done
            refused += messages
        Mail.queue(Mail.search([
                    ('case', 'in', [c.id for c in certified]),
                    ('kind', '=', 'certify'),
                    ('state', '=', 'queued'),
                    ]))
        if refused:
            cls.notify_user(
                cases, 'tryton-error',
                gettext('training_abandon.msg_certify_refused'),
                one_line(' · '.join(refused)))

    @classmethod
    def _certify(cls, cases, channel, kind):
        """Issue the certificates of the cases, all together or, when some of
        them are refused, without these.

        Return the cases and the messages for those refused."""
        transaction = Transaction()
        cases = tools.browse_sets(cls, cases)
        try:
            lines = []
            if channel != 'paper':
                lines = cls.render_letters(
                    cls.recipients(cases, ['trainee', 'guardian']),
                    'certify', lambda case: case.certificate_variant(kind))
            cls.apply_certify(cases, lines, kind=kind, queue=False)
            transaction.commit()
            return cases, []
        except UserError as exception:
            transaction.rollback()
            certified, refused = [], []
            culprits = getattr(exception, 'cases', [])
            if culprits or len(cases) == 1:
                refused.append(exception.message)
                parts = [[
                        c for c in cases
                        if culprits and c not in culprits]]
            else:
                half = len(cases) // 2
                parts = [cases[:half], cases[half:]]
        for part in filter(None, parts):
            done, messages = cls._certify(part, channel, kind)
            certified += done
            refused += messages
        return certified, refused
