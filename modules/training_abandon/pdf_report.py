# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.modules.company import CompanyReport

from . import tools
from .exceptions import ReportError

LOGO_SIZE = (600, 200)


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


def get_logo(company):
    "Return the context of a template that shows the logo of the company"
    context = dict.fromkeys(['logo', 'logo_width', 'logo_height'])
    if logo := tools.resized_logo(company, *LOGO_SIZE):
        image, width, height = logo
        context['logo'] = (image, 'image/png')
        context['logo_width'] = f'{width * 2.54 / 300:.2f}cm'
        context['logo_height'] = f'{height * 2.54 / 300:.2f}cm'
    return context
