# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What asks for a pack"
from trytond.i18n import gettext, ngettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If, PYSONEncoder
from trytond.transaction import Transaction, check_access
from trytond.wizard import Button, StateAction, StateView, Wizard

from .. import tools
from ..exceptions import EvidencePackError


class Request(Wizard):
    __name__ = 'training.evidence_pack.request'

    start = StateView(
        'training.evidence_pack.request.start',
        'training_abandon.evidence_pack_request_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Request", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateAction('training_abandon.act_evidence_pack_form')

    def default_start(self, fields):
        return {
            'company': Transaction().context.get('company'),
            'cases': [c.id for c in self._get_cases()],
            'may_sensitive': tools.is_member('group_sensitive_reason'),
            'sensitive': False,
            }

    def _get_cases(self):
        "Return the cases from which the wizard was opened"
        if self.model and self.model.__name__ == 'training.abandon.case':
            return self.records
        return []

    def do_apply(self, action):
        pool = Pool()
        Pack = pool.get('training.evidence_pack')
        if chosen := self._get_cases():
            domain = [('id', 'in', [c.id for c in chosen])]
            choice = ngettext(
                'training_abandon.msg_evidence_pack_chosen', len(chosen),
                count=len(chosen))
        else:
            domain, choice = self.start.get_domain(), self.start.get_words()
        packs = Pack.request(
            self._search(domain), choice, bool(self.start.sensitive))
        action['pyson_domain'] = PYSONEncoder().encode(
            [('id', 'in', [p.id for p in packs])])
        return action, {}

    @staticmethod
    def _search(domain):
        "Return the cases of the domain that the user reads"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with check_access():
            cases = Case.search(domain, order=[('id', 'ASC')])
        if not cases:
            raise EvidencePackError(gettext(
                    'training_abandon.msg_evidence_pack_no_case'))
        return tools.browse_sets(Case, cases, tools.BATCH)


class RequestStart(ModelView):
    __name__ = 'training.evidence_pack.request.start'

    company = fields.Many2One(
        'company.company', "Company",
        states={
            'invisible': Bool(Eval('cases')),
            'required': ~Eval('cases'),
            },
        help="The company whose cases are in the pack.")
    cases = fields.Many2Many(
        'training.abandon.case', None, None, "Cases", readonly=True,
        states={
            'invisible': ~Eval('cases'),
            },
        help="The cases from which the pack is asked for.")
    start_date = fields.Date(
        "Start Date",
        domain=[
            If(Bool(Eval('start_date')) & Bool(Eval('end_date')),
                ('start_date', '<=', Eval('end_date', None)),
                ()),
            ],
        states={
            'invisible': Bool(Eval('cases')),
            },
        help="The first day on which the cases were opened.")
    end_date = fields.Date(
        "End Date",
        states={
            'invisible': Bool(Eval('cases')),
            },
        help="The last day on which the cases were opened.")
    sessions = fields.Many2Many(
        'training.session', None, None, "Sessions",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        states={
            'invisible': Bool(Eval('cases')),
            },
        help="Leave empty for all the sessions.")
    courses = fields.Many2Many(
        'training.course', None, None, "Courses",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        states={
            'invisible': Bool(Eval('cases')),
            },
        help="Leave empty for all the courses.")
    may_sensitive = fields.Boolean("May Have Sensitive Data", readonly=True)
    sensitive = fields.Boolean(
        "With Sensitive Data",
        states={
            'invisible': ~Eval('may_sensitive', False),
            },
        help="Put the reasons, the words and the documents of the trainees "
        "in the pack. It is kept who asked for it.")

    def get_domain(self):
        "Return the domain of the cases asked for"
        if not self.company or not (
                self.start_date or self.end_date or self.sessions
                or self.courses):
            raise EvidencePackError(gettext(
                    'training_abandon.msg_evidence_pack_no_choice'))
        domain = [('company', '=', self.company.id)]
        if self.start_date:
            domain.append(('opening_date', '>=', self.start_date))
        if self.end_date:
            domain.append(('opening_date', '<=', self.end_date))
        if self.sessions:
            domain.append(('session', 'in', [s.id for s in self.sessions]))
        if self.courses:
            domain.append(('course', 'in', [c.id for c in self.courses]))
        return domain

    def get_words(self):
        "Return the words for the cases asked for"
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()

        words = {
            name: lang.strftime(value)
            for name in ['start_date', 'end_date']
            if (value := getattr(self, name))}
        words.update(
            (name, ', '.join(r.rec_name for r in records))
            for name in ['sessions', 'courses']
            if (records := getattr(self, name)))
        return '\n'.join(
            f"{self.__names__(name)['field']} {value}"
            for name, value in words.items())
