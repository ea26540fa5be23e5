# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What makes the file of a pack, a few cases at a time"
import hashlib
from collections import defaultdict
from pathlib import Path

from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..journal.files import by_size
from ..journal.verification import case_faults, describe
from ..mail.message import read_message
from ..procedure.letter import Frame
from .archive import Archive, safe_name, safe_suffix
from .content import CASE, Content, message, procedure_sections
from .page import Cell, Page, Section, Words

# The files of which the content is in memory, unless they are big
FILES = 20
# The enrolments whose lines are read at once
ENROLMENTS = 10
# The sessions of which the sheets are converted together: each has many pages
SESSIONS = 10
PACK = 'training.evidence_pack'
PROCEDURE = 'training.abandon.procedure'
# From the page of a case to the root
UP = '../../'
# What is known of the enrolments of the cases: how it is searched
ENROLMENT = {
    'training.attendance': (
        [('slot.state', '=', 'held')],
        [('slot.start_at', 'ASC'), ('id', 'ASC')]),
    'training.justification': (
        [], [('start_date', 'ASC'), ('id', 'ASC')]),
    'training.completion_certificate': ([], [('id', 'ASC')]),
    }


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


def _message_digest(data):
    return read_message(data).digest


# The hash that the records keep of their files, and how it is calculated
DIGESTS = {
    ('training.abandon.certificate', 'document'): ('sha256', _sha256),
    ('training.completion_certificate', 'document'): ('sha256', _sha256),
    ('training.mail', 'message'): ('message_sha256', _sha256),
    ('training.mail.reply', 'message'): ('message_digest', _message_digest),
    }
VERIFY = Path(__file__).parents[1] / 'journal' / 'verify.py'


def _is_altered(record, name, data):
    "Return if the file is not the one of which the record has the hash"
    digest, calculate = DIGESTS.get((record.__name__, name), (None, None))
    kept = digest and getattr(record, digest)
    return bool(kept) and kept != calculate(data)


class Builder:
    """Makes the file of the pack

    The reads of a set of cases do not grow with their number.
    beat is called before what takes long, so that the pack is known to be
    still made."""

    def __init__(self, pack, file, beat):
        self.pack, self.company = pack, pack.company
        self._beat = beat
        self.sensitive = pack.sensitive
        self.archive = Archive(
            file, tools.local_datetime(tools.now(), self.company))
        self.words = Words(self.company)
        self._frame = Frame(self._report())
        # The words for what should be in the file and is not
        self.problems = []
        self._problems = defaultdict(list)
        self._rows = []
        self._procedures, self._sheets = {}, {}
        # What tells the file once it is deleted
        self.manifest_sha256 = None

    @staticmethod
    def _report():
        pool = Pool()
        ActionReport = pool.get('ir.action.report')
        report, = ActionReport.search([
                ('report_name', '=', 'training.evidence_pack.page'),
                ])
        return report

    def build(self):
        """Add the cases, then what is about them all.

        Yield the number of those that are in the file, each time that
        nothing is half read."""
        ids = self.pack.case_ids()
        count = 0
        for sub_ids in grouped_slice(ids, tools.SET):
            sub_ids = list(sub_ids)
            self._add_cases(sub_ids)
            count += len(sub_ids)
            yield count
        self._add_index(self._add_journal(ids))
        self.archive.add(self._readme, self._get_readme())
        self.manifest_sha256 = self.archive.close()

    def _add_journal(self, case_ids):
        """Add the journal of the cases, the days of the company and the
        script that verifies them, and return the names of the files"""
        pool = Pool()
        Day = pool.get('training.journal.day')
        Entry = pool.get('training.journal.entry')
        return [
            self.archive.add_lines(
                'journal.jsonl', self._beating(Entry.export(case_ids))),
            self.archive.add_lines(
                'days.jsonl', self._beating(Day.export(self.company))),
            self.archive.add('verify.py', VERIFY.read_bytes()),
            ]

    def _beating(self, lines):
        for line in lines:
            self._beat()
            yield line

    def _add_cases(self, ids):
        pool = Pool()
        Case = pool.get(CASE)
        cases = Case.browse(ids)
        folders = {c: self._get_folder(c) for c in cases}
        files = {c: {} for c in cases}
        known = {
            name: self._by_enrolment(cases, name, *search)
            for name, search in ENROLMENT.items()}
        documents = self._get_documents(cases)
        self._add_procedures(cases)
        self._add_sheets({c.session for c in cases})
        links = self._add_chronologies(cases, folders)
        for source in self._sources(cases, known, documents):
            self._add_files(folders, files, *source)
        self._check_journal(cases)
        for case in cases:
            content = Content(case, self.words, files[case], self.sensitive)
            procedure = self._procedures[case.procedure.id]
            self._add_page(f'{folders[case]}/index.html', Page(
                    title=f'{self.words.model(CASE)} {case.rec_name}',
                    links=[
                        Cell(message('back'), f'{UP}index.html'),
                        *links.get(case, []),
                        *(Cell(c.text, UP + c.href) for c in [
                                *self._sheets[case.session.id], procedure])],
                    notes=[self._get_reserve()],
                    problems=self._problems.pop(case, []),
                    facts=content.facts(),
                    sections=content.sections(
                        *(known[name][case.enrolment] for name in ENROLMENT),
                        documents[case]),
                    none=message('none'),
                    footer=self._get_made()))
            self._rows.append(self.words.cells(
                    Cell(case.number, f'{folders[case]}/index.html'),
                    case.trainee.rec_name, case.session.rec_name,
                    case.opening_date,
                    self.words.selection(case, 'state'),
                    self.words.selection(case, 'conformity')))

    def _check_journal(self, cases):
        "Tell of which cases the records are not those that the journal tells"
        by_id = {c.id: c for c in cases}
        for fault in case_faults(list(by_id), self._beat):
            case = by_id[fault.case]
            # The files that are missing, or altered, are named
            if fault.reason != 'file' or case not in self._problems:
                self._tell(case, message(
                        'journal', case=case.rec_name, fault=describe(fault)))

    def _get_folder(self, case):
        "Return the folder of the case, which no other case has"
        names = [case.number or str(case.id), case.trainee.rec_name]
        folder = '/'.join([
                safe_name(self.words.label(PACK, 'cases')),
                '-'.join(filter(None, map(safe_name, names)))])
        return self.archive.folder(folder)

    @staticmethod
    def _by_enrolment(cases, name, domain, order):
        "Return the lists of the records of the enrolments of the cases"
        pool = Pool()
        records = defaultdict(list)
        ids = list(dict.fromkeys(c.enrolment.id for c in cases))
        for sub_ids in grouped_slice(ids, ENROLMENTS):
            for record in pool.get(name).search([
                        ('enrolment', 'in', list(sub_ids)), *domain],
                    order=order):
                records[record.enrolment].append(record)
        return records

    @staticmethod
    def _get_documents(cases):
        "Return the lists of what is attached to the cases"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        documents = defaultdict(list)
        for attachment in Attachment.search([
                    ('resource', 'in', [str(c) for c in cases]),
                    ], order=[('id', 'ASC')]):
            documents[attachment.resource].append(attachment)
        return documents

    def _sources(self, cases, known, documents):
        """Yield what has files: the name of the field, the couples of a case
        and a record, and the function that returns the end of the name of
        the file of a record"""
        def of(records, condition=lambda record: True):
            return [
                (case, r) for case in cases for r in records(case)
                if condition(r)]

        def named(suffix):
            return lambda record: suffix

        yield 'message', of(
            lambda case: sorted(case.mails, key=lambda m: m.id),
            lambda mail: mail.state == 'sent' or mail.message_id,
            ), named('.eml')
        yield 'document', of(lambda case: case.certificates), named('.pdf')
        yield 'signed_document', of(
            lambda case: case.certificates,
            lambda certificate: certificate.signed_file_id,
            ), lambda certificate: safe_suffix(certificate.signed_filename)
        yield 'document', of(
            lambda case: known['training.completion_certificate'][
                case.enrolment]), named('.pdf')
        yield 'proof', of(
            lambda case: case.declarations,
            lambda declaration: declaration.proof_file_id,
            ), lambda declaration: safe_suffix(declaration.proof_name)
        if not self.sensitive:
            # The journal reads their hash alone
            return
        yield 'message', of(lambda case: case.replies), named('.eml')
        yield 'document', of(
            lambda case: known['training.justification'][case.enrolment],
            lambda justification: justification.document_file_id,
            ), lambda justification: safe_suffix(justification.filename)
        yield 'data', of(
            lambda case: documents[case],
            lambda document: document.type == 'data',
            ), lambda document: safe_suffix(document.name)

    def _add_files(self, folders, files, name, couples, suffix):
        "Add the files of the records of one model"
        if not couples:
            return
        by_record = defaultdict(list)
        for case, record in couples:
            by_record[record].append(case)
        for record, data in self._read(list(by_record), name):
            for case in by_record[record]:
                label = ' '.join([
                        self.words.model(record.__name__), str(record.id),
                        self.words.label(record.__name__, name)])
                if not data:
                    self._tell(case, message(
                            'missing', file=label, case=case.rec_name))
                    continue
                if _is_altered(record, name, data):
                    self._tell(case, message(
                            'altered', file=label, case=case.rec_name))
                path = self.archive.add(
                    f'{folders[case]}/{safe_name(label)}'
                    f'{suffix(record)}', data)
                files[case][record.__name__, record.id, name] = (
                    path.rpartition('/')[2])

    def _read(self, records, name):
        "Yield the records with the content of the field, if it is there"
        Model = type(records[0])
        by_id = {r.id: r for r in records}
        for sub_ids in grouped_slice(list(by_id), FILES):
            for ids in by_size(Model, sub_ids, [name], self._beat):
                for row in Model.read(ids, [name]):
                    yield by_id[row['id']], row[name]

    def _add_procedures(self, cases):
        for case in cases:
            procedure = case.procedure
            if procedure.id in self._procedures:
                continue
            title = ' – '.join([procedure.rec_name, procedure.name])
            folder = safe_name(self.words.model(PROCEDURE))
            path = self._add_page(
                f'{folder}/{safe_name(procedure.rec_name)}.html', Page(
                    title=title,
                    links=[Cell(message('back'), '../index.html')],
                    notes=[], problems=[],
                    facts=[
                        (self.words.label(PROCEDURE, name), Cell(value))
                        for name, value in [
                            ('date', self.words.text(procedure.date)),
                            ('state', self.words.selection(
                                    procedure, 'state'))]],
                    sections=procedure_sections(procedure, self.words),
                    none=message('none'),
                    footer=self._get_made()))
            self._procedures[procedure.id] = Cell(title, path)

    def _add_sheets(self, sessions):
        "Add the sheets of the sessions, once for each, with what is attached"
        sessions = sorted(
            (s for s in sessions if s.id not in self._sheets), key=int)
        if not sessions:
            return
        titles = {
            s.id: message('sheet', session=s.rec_name) for s in sessions}
        documents = self._get_sheets(titles)
        scans = self._get_scans(sessions) if self.sensitive else {}
        for session in sessions:
            self._sheets[session.id] = self._add_session(
                session, titles[session.id], documents.get(session.id),
                scans.get(session, []))

    def _get_sheets(self, titles):
        "Return the sheets of the sessions, that are converted together"
        pool = Pool()
        Sheet = pool.get('training.evidence_pack.sheet', type='report')
        sheets = {}
        # The right to the cases is that to what proves them
        with Transaction().set_user(0, set_context=True):
            for sub_titles in grouped_slice(titles.items(), SESSIONS):
                sheets.update(Sheet.execute_many(
                        dict(sub_titles), {'beat': self._beat}))
        return sheets

    @staticmethod
    def _get_scans(sessions):
        "Return the lists of what is attached to the sessions and their slots"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        scans = defaultdict(list)
        for scan in Attachment.search([
                    ('type', '=', 'data'),
                    ['OR',
                        ('resource', 'in', [str(s) for s in sessions]),
                        ('resource.session', 'in', [s.id for s in sessions],
                            'training.session.slot'),
                        ],
                    ], order=[('id', 'ASC')]):
            resource = scan.resource
            scans[getattr(resource, 'session', resource)].append(scan)
        return scans

    def _add_session(self, session, title, document, scans):
        "Add the sheet of the session and return the cells that lead to it"
        folder = safe_name(message('sheets'))
        name = safe_name(session.rec_name)
        cells = []
        if document:
            cells.append(Cell(
                    title, self.archive.add(f'{folder}/{name}.pdf', document)))
        else:
            self._tell(None, message('not_converted', file=title))
        if scans:
            for scan, data in self._read(scans, 'data'):
                if not data:
                    self._tell(None, message(
                            'missing', file=scan.name, case=session.rec_name))
                    continue
                cells.append(Cell(scan.name, self.archive.add(
                            f'{folder}/{name}-{scan.id}'
                            f'{safe_suffix(scan.name)}', data)))
        return cells

    def _add_chronologies(self, cases, folders):
        """Add the documents of the timelines, that are converted together,
        and return the lists of the cells that lead to them"""
        pool = Pool()
        Report = pool.get('training.evidence_pack.chronology', type='report')
        title = message('chronology')
        titles = {c.id: f'{title} – {c.rec_name}' for c in cases}
        found = Report.execute_many(titles, {
                'documents': {
                    c.id: {
                        'title': titles[c.id],
                        'session': c.session.rec_name,
                        'events': [
                            [self.words.text(v) for v in [
                                    e.at, e.by, e.summary]]
                            for e in c.events],
                        } for c in cases},
                'headings': self.words.labels(
                    'training.abandon.case.event', 'at', 'by', 'summary'),
                'beat': self._beat,
                })
        name = f'{safe_name(title)}.pdf'
        links = {}
        for case in cases:
            if case.id in found:
                self.archive.add(f'{folders[case]}/{name}', found[case.id])
                links[case] = [Cell(title, name)]
            else:
                self._tell(
                    case, message('not_converted', file=titles[case.id]))
        return links

    def _tell(self, case, problem):
        self.problems.append(problem)
        self._problems[case].append(problem)

    def _add_page(self, name, page):
        "Add the page and return its name"
        return self.archive.add(
            name, self._frame.render(self.pack, self.company, page=page))

    def _add_index(self, journal):
        words = self.words
        self._add_page('index.html', Page(
                title=self._get_title(),
                links=[
                    Cell(message('readme_name'), self._readme),
                    *self._procedures.values(),
                    *(Cell(name, name) for name in journal)],
                notes=[self._get_reserve()],
                problems=self.problems,
                facts=[
                    (words.label(PACK, name), Cell(words.text(value)))
                    for name, value in [
                        ('company', self.company.rec_name),
                        ('choice', self.pack.choice),
                        ('case_count', self.pack.case_count),
                        ('requested_at', self.pack.requested_at),
                        ('requested_by', self.pack.requested_by.rec_name)]],
                sections=[Section(
                        'cases', words.label(PACK, 'cases'), [
                            words.model(CASE),
                            *words.labels(
                                CASE, 'trainee', 'session', 'opening_date',
                                'state', 'conformity')],
                        self._rows)],
                none=message('none'),
                footer=self._get_made()))

    @property
    def _readme(self):
        return f'{safe_name(message("readme_name"))}.txt'

    def _get_readme(self):
        return '\n\n'.join([
                self._get_title(), self._get_made(), message('readme'),
                self._get_reserve(),
                '\n'.join([
                        message('problems' if self.problems else 'complete'),
                        *self.problems]),
                '']).replace('\n', '\r\n')

    def _get_title(self):
        return message('title', company=self.company.rec_name)

    def _get_made(self):
        return message(
            'made', at=self.words.text(tools.now()),
            user=self.pack.requested_by.rec_name)

    def _get_reserve(self):
        return message('sensitive_in' if self.sensitive else 'left_out')
