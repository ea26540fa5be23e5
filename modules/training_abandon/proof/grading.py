# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the versions of the guide make of what is found"
import datetime as dt
from collections import namedtuple

from sql import Column, Literal, Null
from sql.conditionals import Case as SQLCase
from sql.operators import Or

from trytond.cache import Cache
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.transaction import without_check_access

from .. import tools
from ..measure.validity import ValidityMixin

GRADES = [
    ('conform', "Conform"),
    ('minor', "Minor Non-Conformity"),
    ('major', "Major Non-Conformity"),
    ]
# The sessions of which something is shown
GRADED_STATES = ['planned', 'running', 'done']
_Company = namedtuple('_Company', ['id', 'timezone'])


class _Version(namedtuple('_Version', ['id', 'start', 'end'])):
    "The dates of a grading"
    __slots__ = ()

    def is_valid(self, date):
        return ((not self.start or self.start <= date)
            and (not self.end or date <= self.end))


def _grade(string, help):
    return fields.Selection(
        GRADES, string, required=True, sort=False, help=help)


class Grading(ValidityMixin, ModelSQL, ModelView):
    "The grades of a version of the guide of the framework"
    __name__ = 'training.audit.grading'
    _rec_name = 'guide'

    guide = fields.Char(
        "Guide", required=True, help="The version of the guide.")
    source = fields.Text(
        "Source", required=True,
        help="The words of the guide that the grades follow from.")
    days = fields.Float(
        "More Than Days", digits=(None, 1), required=True,
        domain=[
            ('days', '>=', 0),
            ],
        help="The indicator applies to the courses that are longer, and to "
        "those without number of days.")
    missing = _grade(
        "Step Missing", "The grade of a case with a step not done in time.")
    evidence_missing = _grade(
        "Evidence Missing",
        "The grade of a case with a step done without evidence.")
    late = _grade("Step Late", "The grade of a case with a step done late.")
    skipped = _grade(
        "Step Skipped",
        "The grade of a case with a step that somebody skipped and why.")
    nothing_done = _grade(
        "Nothing Done",
        "The grade of a case of which no due step was done with evidence, "
        "nor skipped with a reason.")
    nothing_done_steps = fields.Integer(
        "Due Steps for Nothing Done", required=True,
        domain=[
            ('nothing_done_steps', '>=', 1),
            ],
        help="The number of due steps from which an open case is graded so; "
        "a closed one always is.")
    no_measure = _grade(
        "No Measure",
        "The grade of a session without abandonment for which no measure "
        "was taken.")
    not_handled = _grade(
        "Monitoring Not Done",
        "The grade of a session without abandonment with an alert or a "
        "follow-up of a day before that nobody handled.")
    no_sheet = _grade(
        "Sheet Not Closed",
        "The grade of a session without abandonment with a past slot whose "
        "sheet is not closed.")
    nothing_shown = _grade(
        "Nothing Shown",
        "The grade of a session without abandonment with neither measure "
        "nor closed sheet.")

    _by_company_cache = Cache(
        'training.audit.grading.by_company', context=False)

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('start_date', 'DESC NULLS LAST'),
            ('guide', 'DESC'),
            ('id', None),
            ]

    @classmethod
    def default_days(cls):
        return 2

    @classmethod
    def default_nothing_done_steps(cls):
        return 2

    @classmethod
    def check_modification(cls, mode, gradings, values=None, external=False):
        super().check_modification(
            mode, gradings, values=values, external=external)
        if mode == 'delete' or (
                mode == 'write' and external
                and values.keys() - {'end_date', 'source'}):
            for grading in cls._used(gradings):
                raise AccessError(gettext(
                        'training_abandon.msg_grading_used',
                        grading=grading.rec_name))
        if external and mode == 'create':
            for grading in gradings:
                grading._check_start()
        elif external and mode == 'write' and values.get('end_date'):
            for grading in gradings:
                grading._check_end(values['end_date'])

    def _check_start(self):
        "Raise AccessError if it grades sessions that another has graded"
        for session in self._ended():
            if any(
                    v.id != self.id and v.is_valid(session.end_date)
                    for owner, versions in self.by_company()
                    if owner.id == session.company.id for v in versions):
                self._raise_past('start', session.end_date)

    def _check_end(self, date):
        "Raise AccessError if sessions that it has graded would have no grade"
        for session in self._ended():
            if session.end_date > date:
                self._raise_past('end', session.end_date)

    def _raise_past(self, name, date):
        pool = Pool()
        Lang = pool.get('ir.lang')
        raise AccessError(gettext(
                f'training_abandon.msg_grading_past_{name}',
                grading=self.rec_name,
                date=Lang.get().strftime(date)))

    @without_check_access
    def _ended(self):
        "Return the last session of each company that ended in its days"
        pool = Pool()
        Company = pool.get('company.company')
        Session = pool.get('training.session')
        companies = (
            [self.company] if self.company else Company.search([], order=[]))
        sessions = []
        for company in companies:
            sessions += Session.search([
                    ('company', '=', company.id),
                    ('state', 'in', GRADED_STATES),
                    ('end_date', '<', tools.today(company)),
                    ('end_date', '>=', self.start_date or dt.date.min),
                    ('end_date', '<=', self.end_date or dt.date.max),
                    ], order=[('end_date', 'DESC')], limit=1)
        return sessions

    @classmethod
    @without_check_access
    def _used(cls, gradings):
        "Return the gradings by which something was graded"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Sample = pool.get('training.audit.sample')
        return [
            g for g in gradings if g._ended() or any(
                Model.search([('grading', '=', g.id)], limit=1)
                for Model in [Case, Sample])]

    @classmethod
    def on_modification(cls, mode, gradings, field_names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        super().on_modification(mode, gradings, field_names=field_names)
        cls.forget_companies()
        if mode == 'create':
            # The cases that were closed before their version was known
            Case.store_ungraded()

    @classmethod
    @without_check_access
    def by_company(cls):
        """Return the list of the companies with the dates of their gradings,
        the one that is valid first"""
        pool = Pool()
        Company = pool.get('company.company')
        result = cls._by_company_cache.get('all')
        if result is None:
            gradings = cls.search([], order=[
                    ('company', 'ASC NULLS LAST'),
                    ('start_date', 'DESC NULLS LAST'),
                    ('id', 'DESC'),
                    ])
            result = [
                (c.id, c.timezone, [
                        (g.id, g.start_date, g.end_date) for g in gradings
                        if g.company in {None, c}])
                for c in Company.search([], order=[])]
            cls._by_company_cache.set('all', result)
        return [
            (_Company(id_, timezone), [_Version(*g) for g in gradings])
            for id_, timezone, gradings in result]

    @classmethod
    def forget_companies(cls):
        cls._by_company_cache.clear()

    @classmethod
    def sql_valid(cls, company, date):
        """Return the SQL expression of the id of the grading that is valid
        for the company on the date"""
        return cls._sql_valid(company, date, lambda day, _: day)

    @classmethod
    def sql_valid_at(cls, company, at):
        "Return that of the one valid at that time, in UTC"
        return cls._sql_valid(
            company, at,
            lambda day, owner: tools.utc_datetime(day, dt.time(), owner))

    @classmethod
    def _sql_valid(cls, company, column, bound):
        whens = []
        for owner, versions in cls.by_company():
            for version in versions:
                condition = company == owner.id
                if version.start:
                    condition &= column >= bound(version.start, owner)
                if version.end and version.end < dt.date.max:
                    condition &= column < bound(
                        version.end + dt.timedelta(days=1), owner)
                whens.append((condition, version.id))
        return _first(whens)

    @classmethod
    def sql_applies(cls, grading, course):
        "Return the SQL expression that the indicator applies to the course"
        return (course.days == Null) | (course.days > grading.days)

    @classmethod
    def sql_grade(cls, grading, found, judged):
        """Return the SQL expression of the worst of the grades of what is
        found, if the condition judged tells that something is

        found is the conditions by name of the field with the grade."""
        def has(grade):
            return Or([
                    condition & (Column(grading, name) == grade)
                    for name, condition in found.items()])
        return SQLCase(
            (grading.id == Null, Null),
            (~judged, Null),
            (has('major'), 'major'),
            (has('minor'), 'minor'),
            else_='conform')


def _first(whens):
    "Return the SQL expression of the id of the first whose condition holds"
    whens = list(whens)
    return SQLCase(*whens) if whens else Literal(0)
