# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The reasons that the trainees declare and the causes determined"
from collections import defaultdict
from operator import attrgetter

from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import without_check_access

from .. import tools
from ..procedure.states import RESPONSIBLES


class _SensitiveSearchMixin:
    "A field by which only the group Sensitive Reasons searches"
    refuses_search = True

    def convert_domain(self, domain, tables, Model):
        # Finding the cases would tell the reasons that the rules hide; the
        # domains are always converted without check of the access
        if not tools.is_member('group_sensitive_reason'):
            raise AccessError(gettext(
                    'training_abandon.msg_case_sensitive_search',
                    field=Model.__names__(self.name)['field']))
        return super().convert_domain(domain, tables, Model)


class SensitiveMany2Many(_SensitiveSearchMixin, fields.Many2Many):
    pass


class SensitiveOne2Many(_SensitiveSearchMixin, fields.One2Many):
    pass


class AnalysisMixin:
    "Cases with the reasons declared and the causes determined"
    __slots__ = ()

    reasons = SensitiveMany2Many(
        'training.abandon.case-training.abandon.reason',
        'case', 'reason', "Declared Reasons", readonly=True,
        help="What the trainee gives as reasons, in the order of the letter: "
        "not the causes that the analysis determines.")
    reason_comment = fields.Text(
        "Words of the Trainee", readonly=True,
        help="What the trainee says, in its own words.\n"
        "Read by the group Sensitive Reasons only.")
    causes = SensitiveOne2Many(
        'training.abandon.case.cause', 'case', "Causes", readonly=True,
        help="What the provider determines, with whose doing it is: not what "
        "the trainee declares.")
    analysis = fields.Text(
        "Analysis", readonly=True,
        help="What led to the causes, written at the step that analyses "
        "them.\n"
        "Read by the group Sensitive Reasons only.")
    reason_category = fields.Function(
        fields.Char(
            "Reason Category",
            help="What a prescriber may know of the causes."),
        'get_reason_category')

    @classmethod
    @without_check_access
    def get_reason_category(cls, cases, name):
        pool = Pool()
        CaseReason = pool.get('training.abandon.case-training.abandon.reason')
        declared = defaultdict(list)
        for sub_cases in grouped_slice(cases, tools.BATCH):
            for record in CaseReason.search([
                        ('case', 'in', [c.id for c in sub_cases]),
                        ]):
                declared[record.case.id].append(record)
        return {
            case.id: ', '.join(dict.fromkeys(
                    record.category
                    for record in sorted(
                        case.causes or declared[case.id],
                        key=attrgetter('category_order'))))
            for case in cls.browse(cases)}

    @classmethod
    @without_check_access
    def keep_categories(cls, cases):
        "Keep the categories of the cases as they are told"
        pool = Pool()
        for name in [
                'training.abandon.case.cause',
                'training.abandon.case-training.abandon.reason']:
            Model = pool.get(name)
            for sub_cases in grouped_slice(cases, tools.BATCH):
                Model.write(Model.search([
                            ('case', 'in', [c.id for c in sub_cases]),
                            (f'{Model.reason_name}.sensitive', '=', False),
                            ('told', '=', False),
                            ], order=[]), {'told': True})

    @classmethod
    def declare_reasons(cls, cases, reasons, comment=None):
        "Record the reasons that the trainees give"
        values = {}
        if reasons:
            values['reasons'] = [('add', [r.id for r in reasons])]
        if comment:
            values['reason_comment'] = comment
        if values:
            cls.write(cases, values)
        if {r.code for r in reasons} - {'no_answer'}:
            cls.write(
                [c for c in cases if not c.answered_at],
                {'answered_at': tools.now()})


class CaseRecordMixin:
    "What the steps record on the case, that nobody changes otherwise"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('case')

    @classmethod
    def check_modification(cls, mode, records, values=None, external=False):
        super().check_modification(
            mode, records, values=values, external=external)
        if external:
            for record in records:
                raise AccessError(gettext(
                        'training_abandon.msg_case_modify',
                        case=record.case.rec_name))


class CaseCompanyMixin:
    __slots__ = ()

    company = fields.Function(fields.Many2One(
            'company.company', "Company"),
        'get_company')

    @classmethod
    def get_company(cls, records, name):
        return {r.id: r.case.company.id for r in records}

    @fields.depends('case', '_parent_case.company')
    def on_change_with_company(self):
        return self.case.company if self.case else None


class CategoryMixin:
    "Reasons of which the prescribers know the category"
    __slots__ = ()

    told = fields.Boolean(
        "Category Told", readonly=True,
        help="The category stays as it was told, even if the reason becomes "
        "sensitive.")

    @classmethod
    def default_told(cls):
        return False

    @property
    def reason_told(self):
        "The reason, or the cause, of the record"
        return getattr(self, self.reason_name)

    @property
    def is_personal(self):
        return self.reason_told.sensitive and not self.told

    @property
    def category_order(self):
        # The place of what is personal must not tell what it is
        return bool(self.reason_told.requires_detail), self.is_personal

    @property
    def category(self):
        if self.is_personal:
            return gettext('training_abandon.msg_reason_category_personal')
        return self.reason_told.family.name


class CaseReason(CategoryMixin, CaseRecordMixin, ModelSQL):
    "A reason that the trainee declared"
    __name__ = 'training.abandon.case-training.abandon.reason'
    reason_name = 'reason'

    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, ondelete='CASCADE')
    reason = fields.Many2One(
        'training.abandon.reason', "Reason", required=True,
        ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('case_reason_unique', Unique(t, t.case, t.reason),
                'training_abandon.msg_case_reason_unique'),
            ]
        cls._order.insert(0, ('reason', 'ASC'))


class Cause(
        CategoryMixin, CaseCompanyMixin, CaseRecordMixin, ModelSQL,
        ModelView):
    "A cause that the analysis determined"
    __name__ = 'training.abandon.case.cause'
    reason_name = 'cause'

    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, ondelete='CASCADE')
    cause = fields.Many2One(
        'training.abandon.reason', "Cause", required=True,
        ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="What the analysis determines, chosen in the tree of the "
        "reasons.")
    responsible = fields.Selection(
        RESPONSIBLES, "Responsible", required=True, sort=False,
        help="Whose doing the cause is; proposed from the reason.")
    responsible_string = responsible.translated('responsible')
    note = fields.Text(
        "Note", help="Read by the group Sensitive Reasons only.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order.insert(0, ('cause', 'ASC'))

    @classmethod
    def default_responsible(cls):
        return 'trainee'

    def get_rec_name(self, name):
        return self.cause.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('cause.rec_name', *clause[1:])]
