# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import logging
import re
from collections import namedtuple
from io import BytesIO
from itertools import pairwise
from zipfile import ZipFile

from genshi.template import TemplateError
from lxml import etree
from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, NameObject

from trytond.i18n import gettext
from trytond.modules.company import CompanyReport

from . import tools
from .exceptions import ReportError

logger = logging.getLogger(__name__)

# A table, and the picture before it, of the reports of several
Section = namedtuple('Section', 'title note image headings rows')

LOGO_SIZE = (600, 200)

# The paragraph with which the document of each record begins
START_STYLE = 'Start'
# What tells in the PDF whose page it is
_MARK = 'urn:training-abandon:document:'
# What the PDF of a record keeps of the properties of the PDF of all
_PROPERTIES = ['/Creator', '/Producer', '/CreationDate']
_NAMESPACES = {
    name: f'urn:oasis:names:tc:opendocument:xmlns:{urn}:1.0'
    for name, urn in [
        ('fo', 'xsl-fo-compatible'), ('office', 'office'),
        ('style', 'style'), ('text', 'text')]}
_NAMESPACES['xlink'] = 'http://www.w3.org/1999/xlink'


class PDFReport(CompanyReport):
    "A report that is a PDF or an error"

    @classmethod
    def _execute(cls, records, header, data, action):
        extension, document = super()._execute(records, header, data, action)
        if extension != action.extension:
            raise ReportError(gettext(
                    'training_abandon.msg_report_not_converted'))
        return extension, document

    @classmethod
    def convert(cls, report, data, timeout=60, retry=0):
        # The tries after the first have lost the arguments of the command
        return super().convert(report, data, timeout=timeout, retry=retry)


class MergedReport(PDFReport):
    """A report that converts the documents of many records at once

    Its template loops over the records and begins each of them with a
    paragraph of the style Start.  The documents of another template, or of one
    whose numbers, notes or links go on from one to the next, are converted one
    by one."""

    @classmethod
    def execute_many(cls, titles, data):
        """Return the PDF of the records by id, without those that could not
        be converted.

        titles are the titles of the documents by id; the records have the
        same company."""
        ids = list(titles)
        try:
            _, document, _, _ = cls.execute(ids, data)
            if len(ids) == 1:
                return {ids[0]: bytes(document)}
            return dict(zip(ids, split(document, titles)))
        except _SplitError as exception:
            logger.warning("%s converts one by one: %s",
                cls.__name__, exception)
            parts = [[id_] for id_ in ids]
        except ReportError:
            if len(ids) == 1:
                return {}
            # Whose document cannot be converted is in one of the halves
            half = len(ids) // 2
            parts = [ids[:half], ids[half:]]
        documents = {}
        for part in parts:
            documents.update(cls.execute_many(
                    {id_: titles[id_] for id_ in part}, data))
        return documents

    @classmethod
    def render(cls, report, report_context):
        records = report_context['records']
        if len(records) == 1:
            return super().render(report, report_context)
        try:
            document = super().render(report, report_context)
        except TemplateError as exception:
            # The template knows one document only
            raise _SplitError(exception) from exception
        return mark(document, [r.id for r in records])


class _SplitError(Exception):
    "The documents of the records cannot be told apart"


def mark(document, ids):
    """Return the ODT with a link at the start of the document of each record,
    which begins a page."""
    marked = BytesIO()
    with ZipFile(BytesIO(document)) as source, ZipFile(marked, 'w') as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename in {'content.xml', 'styles.xml'}:
                tree = etree.fromstring(content)
                _check_numbers(tree)
                if info.filename == 'content.xml':
                    _mark_starts(tree, ids)
                content = etree.tostring(
                    tree, encoding='UTF-8', xml_declaration=True)
            target.writestr(info, content)
    return marked.getvalue()


def _name(prefix, name):
    return f'{{{_NAMESPACES[prefix]}}}{name}'


def _check_numbers(tree):
    # They would go on from one record to the next
    for name in ['page-number', 'page-count', 'note', 'sequence']:
        if next(tree.iter(_name('text', name)), None) is not None:
            raise _SplitError(f"its {name} goes on")


def _mark_starts(tree, ids):
    starts = tree.xpath(
        '//text:p[@text:style-name=$style]', namespaces=_NAMESPACES,
        style=START_STYLE)
    if len(starts) != len(ids):
        raise _SplitError(f"{len(starts)} starts for {len(ids)} records")
    styles = tree.find('office:automatic-styles', _NAMESPACES)
    style = etree.SubElement(styles, _name('style', 'style'), {
            _name('style', 'name'): f'{START_STYLE}.Page',
            _name('style', 'family'): 'paragraph',
            _name('style', 'parent-style-name'): START_STYLE,
            })
    etree.SubElement(style, _name('style', 'paragraph-properties'), {
            _name('fo', 'break-before'): 'page',
            })
    for start, id_ in zip(starts, ids):
        start.set(_name('text', 'style-name'), f'{START_STYLE}.Page')
        link = etree.SubElement(start, _name('text', 'a'), {
                _name('xlink', 'type'): 'simple',
                _name('xlink', 'href'): f'{_MARK}{id_}',
                })
        # A link without text is not in the PDF
        link.text = '\N{NO-BREAK SPACE}'


def split(document, titles):
    """Return the list of the PDF of the records whose starts are marked in the
    PDF of all.

    titles are the titles by id, in the order of the records."""
    try:
        reader = PdfReader(BytesIO(document))
        pages = list(reader.pages)
        starts = [
            (number, id_) for number, page in enumerate(pages)
            for id_ in _pop_marks(page)]
        numbers = [number for number, _ in starts]
        if ([id_ for _, id_ in starts] != list(titles)
                or numbers[0] != 0
                or any(a == b for a, b in pairwise(numbers))):
            raise _SplitError("the starts are not those of the records")
        if '/OutputIntents' in reader.root_object:
            raise _SplitError("a PDF/A is more than its pages")
        return [
            _write(reader, pages[first:last], title)
            for (first, last), title in zip(
                pairwise([*numbers, len(pages)]), titles.values())]
    except PyPdfError as exception:
        raise _SplitError(exception) from exception


def _pop_marks(page):
    "Remove the marks from the page and return the ids of the records"
    ids, others = [], ArrayObject()
    for annotation in page.get('/Annots', []):
        action = annotation.get_object().get('/A')
        uri = str(action.get_object().get('/URI', '')) if action else ''
        if uri.startswith(_MARK):
            ids.append(int(uri[len(_MARK):]))
        elif uri:
            others.append(annotation)
        else:
            # It may lead to the pages of another record
            raise _SplitError("its pages refer to others")
    if ids:
        page[NameObject('/Annots')] = others
    return ids


def _keep_own_images(page):
    "LibreOffice gives to each page the images of all of them"
    resources = page['/Resources'].get_object()
    if '/XObject' not in resources:
        return
    images = resources['/XObject'].get_object()
    if any(i.get_object().get('/Subtype') != '/Image'
            for i in images.values()):
        # A form has again the resources of all
        raise _SplitError("a page draws more than images")
    drawn = set(re.findall(
            rb'/(\w+)\s+Do\b', page.get_contents().get_data()))
    page[NameObject('/Resources')] = DictionaryObject({
            **resources,
            NameObject('/XObject'): DictionaryObject({
                    name: image for name, image in images.items()
                    if name[1:].encode() in drawn}),
            })


def _write(reader, pages, title):
    "Return the PDF of the pages"
    writer = PdfWriter()
    for page in pages:
        _keep_own_images(page)
        writer.add_page(page)
    metadata = reader.metadata or {}
    writer.add_metadata({
            **{n: metadata[n] for n in _PROPERTIES if n in metadata},
            '/Title': title})
    for name in ['/Lang', '/ViewerPreferences']:
        if name in reader.root_object:
            writer.root_object[NameObject(name)] = (
                reader.root_object[name].clone(writer))
    document = BytesIO()
    writer.write(document)
    return document.getvalue()


def get_logo(company):
    "Return the context of a template that shows the logo of the company"
    context = dict.fromkeys(['logo', 'logo_width', 'logo_height'])
    if logo := tools.resized_logo(company, *LOGO_SIZE):
        image, width, height = logo
        context['logo'] = (image, 'image/png')
        context['logo_width'] = f'{width * 2.54 / 300:.2f}cm'
        context['logo_height'] = f'{height * 2.54 / 300:.2f}cm'
    return context
