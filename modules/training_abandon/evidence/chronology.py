# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from ..pdf_report import MergedReport, get_logo


class Chronology(MergedReport):
    "The timeline of the cases as a document for each of them"
    __name__ = 'training.evidence_pack.chronology'
    # The pack makes it, nobody prints it
    internal = True

    @classmethod
    def execute(cls, ids, data):
        if beat := data.get('beat'):
            beat()
        return super().execute(ids, data)

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        context.update(get_logo(context['company']))
        context['title'] = data.get('title', '')
        context['headings'] = data.get('headings', [''] * 3)
        context['documents'] = [data['documents'][r.id] for r in records]
        return context
