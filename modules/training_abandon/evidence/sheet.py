# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool

from ..attendance.sign_in_sheet import Page, SignInSheet
from ..pdf_report import MergedReport


class Sheet(MergedReport, SignInSheet):
    "The sign-in sheets of the sessions as a document for each of them"
    __name__ = 'training.evidence_pack.sheet'
    # The pack makes it, nobody prints it
    internal = True

    @classmethod
    def execute(cls, ids, data):
        if beat := data.get('beat'):
            beat()
        return super().execute(ids, data)

    @classmethod
    def get_context(cls, records, header, data):
        pool = Pool()
        Session = pool.get('training.session')
        context = super().get_context(records, header, data)
        pages = {}
        for page in context['pages']:
            pages.setdefault(page.session.id, []).append(page)
        # In the order of the titles; those without slots have a sheet too
        context['pages'] = [
            page for r in records
            for page in pages.get(r.id) or [cls._empty(Session(r.id))]]
        context['sheets'] = list(cls._sheets(context['pages']))
        # The numbers would go on from one session to the next
        context['numbered'] = False
        return context

    @classmethod
    def _empty(cls, session):
        page = Page(session, [])
        page.rows = []
        page.names = [{
                'session_number': session.number,
                'course_name': session.course.rec_name,
                'location_name': None,
                }]
        return page

    @classmethod
    def _get_start(cls, number):
        return super()._get_start(number) if number else 'document'
