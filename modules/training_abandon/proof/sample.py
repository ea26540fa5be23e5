# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The cases that an auditor looks at, as they were when they were drawn"
import hashlib
import json
import random
import secrets
from collections import defaultdict

from dateutil.relativedelta import relativedelta

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If, PYSONEncoder
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, check_access
from trytond.wizard import Button, StateAction, StateView, Wizard

from .. import tools
from ..exceptions import SampleError
from ..rec_name import search_names
from ..stored import SLICE, of_ids
from .auditor import forget_samples
from .grading import GRADES

METHODS = [
    ('random', "At Random"),
    ('chosen', "Chosen"),
    ]
LARGEST_SEED = 2 ** 31 - 1
LARGEST_SAMPLE = 500
# What is changed of a sample once it is drawn
_OPEN_FIELDS = {'auditors', 'until'}
# What others than the auditor change of a finding
_ANSWER_FIELDS = {'answer', 'answered_on'}


def draw(ids, size, seed):
    """Return the ids that the seed draws, in the order of the draw

    Anybody draws with Python alone the same ones, or their numbers out of
    those of the population in the order of the ids."""
    return random.Random(seed).sample(sorted(ids), size)


def _numbers(ids):
    "Return the numbers of the cases in their order, one on each line"
    pool = Pool()
    Case = pool.get('training.abandon.case')
    case = Case.__table__()
    cursor = Transaction().connection.cursor()
    numbers = {}
    for sub_ids in grouped_slice(ids, SLICE):
        cursor.execute(*case.select(
                case.id, case.number, where=of_ids(sub_ids)(case.id)))
        numbers.update(cursor)
    return '\n'.join(numbers[id_] for id_ in ids)


class Sample(ModelSQL, ModelView):
    __name__ = 'training.audit.sample'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    start_date = fields.Date(
        "Opened from", required=True, readonly=True,
        help="The first day of the period in which the cases were opened.")
    end_date = fields.Date(
        "To", required=True, readonly=True,
        help="The last day of the period in which the cases were opened.")
    courses = fields.Many2Many(
        'training.audit.sample-training.course', 'sample', 'course',
        "Courses", readonly=True,
        help="The courses from which the cases were drawn.")
    method = fields.Selection(
        METHODS, "Method", required=True, readonly=True, sort=False,
        help="How the cases were taken out of the population.")
    method_string = method.translated('method')
    seed = fields.Integer(
        "Seed", readonly=True,
        states={
            'invisible': Eval('method') != 'random',
            },
        help="The number from which the draw follows: the same cases come "
        "out again.")
    population = fields.Integer(
        "Population", required=True, readonly=True,
        help="The number of cases of the courses that were opened in the "
        "period, without those that were cancelled.")
    cancelled = fields.Integer(
        "Cancelled", required=True, readonly=True,
        help="The number of cases that were left out because they had been "
        "cancelled.")
    population_ids = fields.Text("Population IDs", readonly=True)
    population_numbers = fields.Text(
        "Numbers of the Population", readonly=True,
        help="The numbers of all the cases out of which the sample was "
        "taken, in the order in which the seed draws them.")
    population_sha256 = fields.Char(
        "SHA-256 of the Population", readonly=True,
        help="That of the numbers of the population, one on each line, when "
        "the sample was drawn.")
    earlier = fields.Integer(
        "Earlier Samples", required=True, readonly=True,
        help="The samples of days of the period that had been drawn "
        "before.")
    drawn_at = fields.DateTime(
        "Drawn at", required=True, readonly=True,
        help="When the sample was made: it does not change any more.")
    drawn_by = fields.Many2One(
        'res.user', "Drawn by", required=True, readonly=True,
        ondelete='RESTRICT', help="The user who made the sample.")
    grading = fields.Many2One(
        'training.audit.grading', "Grading", readonly=True,
        ondelete='RESTRICT',
        help="The version of the guide that was valid when the sample was "
        "drawn.")
    lines = fields.One2Many(
        'training.audit.sample.line', 'sample', "Cases", readonly=True,
        help="The cases in the order of the draw, as they were then.")
    findings = fields.One2Many(
        'training.audit.finding', 'sample', "Findings",
        help="What the auditor found and what was answered.")
    auditors = fields.Many2Many(
        'training.audit.sample-res.user', 'sample', 'user', "Auditors",
        help="The users of the group Training Auditor who read the cases of "
        "the sample.")
    until = fields.Date(
        "Until",
        states={
            'required': Bool(Eval('auditors')),
            },
        help="The last day on which the auditors read them.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(Index(t, (t.until, Index.Range())))
        cls._order.insert(0, ('drawn_at', 'DESC'))
        cls._buttons.update(
            draw_again={
                'invisible': Eval('method') != 'random',
                'depends': ['method'],
                })

    def get_rec_name(self, name):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        return gettext(
            'training_abandon.msg_sample_name',
            number=self.id,
            start=lang.strftime(self.start_date),
            end=lang.strftime(self.end_date))

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('lines.case.rec_name', *clause[1:])]

    @classmethod
    def check_modification(cls, mode, samples, values=None, external=False):
        super().check_modification(
            mode, samples, values=values, external=external)
        if mode == 'delete' or (
                mode == 'write'
                and values.keys() - _OPEN_FIELDS - {'findings'}):
            for sample in samples:
                raise AccessError(gettext(
                        'training_abandon.msg_sample_frozen',
                        sample=sample.rec_name))

    @classmethod
    def on_modification(cls, mode, samples, field_names=None):
        super().on_modification(mode, samples, field_names=field_names)
        forget_samples()

    @classmethod
    def copy(cls, samples, default=None):
        for sample in samples:
            raise AccessError(gettext(
                    'training_abandon.msg_sample_frozen',
                    sample=sample.rec_name))
        return []

    @classmethod
    def freeze(cls, values, population, cases, cancelled):
        """Return the sample of the cases, in their order, as they are now

        population and cases are ids."""
        pool = Pool()
        Company = pool.get('company.company')
        Grading = pool.get('training.audit.grading')
        Line = pool.get('training.audit.sample.line')
        company = Company(values['company'])
        grading = Grading.valid_at(company, tools.today(company))
        earlier = cls.search([
                ('company', '=', company.id),
                ('start_date', '<=', values['end_date']),
                ('end_date', '>=', values['start_date']),
                ], count=True)
        population = sorted(population)
        numbers = _numbers(population)
        sample, = cls.create([{
                    **values,
                    'population': len(population),
                    'population_ids': json.dumps(population),
                    'population_numbers': numbers,
                    'population_sha256': hashlib.sha256(
                        numbers.encode()).hexdigest(),
                    'earlier': earlier,
                    'cancelled': cancelled,
                    'drawn_at': tools.now(),
                    'drawn_by': Transaction().user,
                    'grading': grading.id if grading else None,
                    }])
        tools.create_sets(Line, Line.frozen(sample, cases))
        return cls(sample.id)

    def again(self):
        "Return the ids of the cases that the seed draws again"
        return draw(
            json.loads(self.population_ids), len(self.lines), self.seed)

    @classmethod
    @ModelView.button
    def draw_again(cls, samples):
        for sample in samples:
            if sample.method != 'random':
                raise SampleError(gettext(
                        'training_abandon.msg_sample_not_random',
                        sample=sample.rec_name))
            drawn = sample.again() == [line.case.id for line in sample.lines]
            if not drawn:
                raise SampleError(gettext(
                        'training_abandon.msg_sample_other',
                        sample=sample.rec_name))
            sample.notify_user('tryton-ok', gettext(
                    'training_abandon.msg_sample_again',
                    sample=sample.rec_name, seed=sample.seed,
                    size=len(sample.lines), population=sample.population))


class SampleCourse(ModelSQL):
    __name__ = 'training.audit.sample-training.course'

    sample = fields.Many2One(
        'training.audit.sample', "Sample", required=True, ondelete='CASCADE')
    course = fields.Many2One(
        'training.course', "Course", required=True, ondelete='RESTRICT')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('sample')

    @classmethod
    def check_modification(cls, mode, links, values=None, external=False):
        super().check_modification(
            mode, links, values=values, external=external)
        if external:
            for link in links:
                raise AccessError(gettext(
                        'training_abandon.msg_sample_frozen',
                        sample=link.sample.rec_name))


class SampleUser(ModelSQL):
    __name__ = 'training.audit.sample-res.user'

    sample = fields.Many2One(
        'training.audit.sample', "Sample", required=True, ondelete='CASCADE')
    user = fields.Many2One(
        'res.user', "User", required=True, ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('sample')

    @classmethod
    def on_modification(cls, mode, links, field_names=None):
        super().on_modification(mode, links, field_names=field_names)
        forget_samples()


class SampleLine(ModelSQL, ModelView):
    "A case of a sample, as it was when it was drawn"
    __name__ = 'training.audit.sample.line'

    sample = fields.Many2One(
        'training.audit.sample', "Sample", required=True, readonly=True,
        ondelete='CASCADE', help="The sample in which the case is.")
    company = fields.Function(
        fields.Many2One('company.company', "Company"),
        'on_change_with_company', searcher='search_company')
    position = fields.Integer(
        "Position", required=True, readonly=True,
        help="The order in which the cases were drawn.")
    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, readonly=True,
        ondelete='RESTRICT')
    state = fields.Selection(
        'get_states', "State", readonly=True,
        help="The state of the case when it was drawn.")
    conformity = fields.Selection(
        'get_conformities', "Conformity", readonly=True,
        help="The worst of the steps when the case was drawn.")
    grade = fields.Selection(
        [(None, "")] + GRADES, "Grade", readonly=True, sort=False,
        help="The grade of the case when it was drawn.")
    grade_string = grade.translated('grade')
    step_conformities = fields.Text("Step Conformities", readonly=True)
    steps = fields.Function(
        fields.Text(
            "Steps",
            help="The conformity of each step when the case was drawn."),
        'get_steps')
    findings = fields.One2Many(
        'training.audit.finding', 'line', "Findings",
        help="What the auditor found of the case and what was answered.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('sample')
        t = cls.__table__()
        cls._sql_constraints += [
            ('case_unique', Unique(t, t.sample, t.case),
                'training_abandon.msg_sample_case_unique'),
            ]
        cls._order = [
            ('sample', 'DESC'),
            ('position', 'ASC'),
            ('id', None),
            ]

    @fields.depends('sample', '_parent_sample.company')
    def on_change_with_company(self, name=None):
        return self.sample.company if self.sample else None

    @classmethod
    def search_company(cls, name, clause):
        return [('sample.' + clause[0], *clause[1:])]

    @classmethod
    def get_states(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return [(None, "")] + Case.fields_get(['state'])['state']['selection']

    @classmethod
    def get_conformities(cls):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return Case.get_conformities()

    def get_steps(self, name):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        kinds, conformities = (
            dict(f['selection']) for f in map(
                Step.fields_get(['kind', 'conformity']).get,
                ['kind', 'conformity']))
        return '\n'.join(
            gettext(
                'training_abandon.msg_sample_step', number=number,
                step=kinds[kind], conformity=conformities[conformity])
            for number, (kind, conformity) in enumerate(
                json.loads(self.step_conformities or '[]'), 1))

    def get_rec_name(self, name):
        return self.case.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'case.rec_name')

    @classmethod
    def check_modification(cls, mode, lines, values=None, external=False):
        super().check_modification(
            mode, lines, values=values, external=external)
        if mode == 'create' and external or mode == 'delete' or (
                mode == 'write' and values.keys() - {'findings'}):
            for line in lines:
                raise AccessError(gettext(
                        'training_abandon.msg_sample_frozen',
                        sample=line.sample.rec_name))

    @classmethod
    def copy(cls, lines, default=None):
        for line in lines:
            raise AccessError(gettext(
                    'training_abandon.msg_sample_frozen',
                    sample=line.sample.rec_name))
        return []

    @classmethod
    def frozen(cls, sample, ids):
        "Return the values of the lines of the cases as they are now"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Step = pool.get('training.abandon.case.step')
        cursor = Transaction().connection.cursor()
        values, steps = {}, defaultdict(list)
        for sub_ids in grouped_slice(ids, SLICE):
            of = of_ids(sub_ids)
            case, step = Case.__table__(), Step.__table__()
            judged = Case.judged_query(lambda case, of=of: of(case.id))
            cursor.execute(*judged
                .join(case, condition=case.id == judged.id)
                .select(
                    case.id, case.state, judged.conformity, judged.grade))
            for id_, state, conformity, grade in cursor:
                values[id_] = {
                    'sample': sample.id,
                    'case': id_,
                    'state': state,
                    'conformity': conformity,
                    'grade': grade,
                    }
            cursor.execute(*step.select(
                    step.case, step.kind, Step.sql_conformity(step),
                    where=of(step.case),
                    order_by=[step.case, step.sequence]))
            for id_, *conformity in cursor:
                steps[id_].append(conformity)
        return [{
                **values[id_],
                'position': position,
                'step_conformities': json.dumps(steps[id_]),
                } for position, id_ in enumerate(ids, 1)]


class Finding(ModelSQL, ModelView):
    "What an auditor found of a case of a sample, and what was answered"
    __name__ = 'training.audit.finding'

    _states = {
        'readonly': Bool(Eval('answer')),
        }

    line = fields.Many2One(
        'training.audit.sample.line', "Case", required=True,
        ondelete='CASCADE',
        domain=[
            If(Eval('sample', -1) >= 0,
                ('sample', '=', Eval('sample', -1)),
                ()),
            ],
        states=_states,
        help="The case of the sample that the finding is about.")
    sample = fields.Many2One(
        'training.audit.sample', "Sample", required=True,
        ondelete='CASCADE', states=_states,
        help="The sample in which it was found.")
    grade = fields.Selection(
        GRADES, "Grade", required=True, sort=False, states=_states,
        help="What the auditor makes of it.")
    grade_string = grade.translated('grade')
    text = fields.Text(
        "Finding", required=True, states=_states,
        help="What was found.  Do not write any health detail.")
    found_on = fields.Date(
        "Found on", required=True, states=_states,
        help="The day on which the auditor found it.")
    found_by = fields.Many2One(
        'res.user', "Found by", required=True, readonly=True,
        ondelete='RESTRICT',
        help="The user who wrote the finding, and alone changes it until it "
        "is answered.")
    answer = fields.Text(
        "Answer",
        help="What was done about it.  Do not write any health detail.")
    answered_on = fields.Date(
        "Answered on",
        states={
            'required': Bool(Eval('answer')),
            'invisible': ~Eval('answer'),
            },
        help="The day on which it was answered.")

    del _states

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('sample')
        cls._order.insert(0, ('found_on', 'DESC'))

    @classmethod
    def default_found_on(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()

    @classmethod
    def default_found_by(cls):
        return Transaction().user

    @fields.depends('line', '_parent_line.sample')
    def on_change_line(self):
        if self.line:
            self.sample = self.line.sample

    @fields.depends('answer', 'answered_on')
    def on_change_answer(self):
        pool = Pool()
        Date = pool.get('ir.date')
        if self.answer and not self.answered_on:
            self.answered_on = Date.today()

    def get_rec_name(self, name):
        return f'{self.line.rec_name} - {self.grade_string}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'line.rec_name')

    @classmethod
    def check_modification(cls, mode, findings, values=None, external=False):
        super().check_modification(
            mode, findings, values=values, external=external)
        if not external or mode == 'create' or (
                mode == 'write' and values.keys() <= _ANSWER_FIELDS):
            return
        for finding in findings:
            if finding.answer or finding.found_by.id != Transaction().user:
                raise AccessError(gettext(
                        'training_abandon.msg_finding_other',
                        finding=finding.rec_name,
                        user=finding.found_by.rec_name))


class DrawSample(Wizard):
    "The draw of a sample of the cases of a period"
    __name__ = 'training.audit.sample.draw'

    start = StateView(
        'training.audit.sample.draw.start',
        'training_abandon.sample_draw_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Draw", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateAction('training_abandon.act_sample_form')

    def default_start(self, fields):
        pool = Pool()
        Start = pool.get('training.audit.sample.draw.start')
        start = Start(
            company=Start.default_company(),
            start_date=Start.default_start_date(),
            end_date=Start.default_end_date())
        start.courses = start.on_change_with_courses()
        return {
            'courses': [c.id for c in start.courses],
            'population': start.on_change_with_population(),
            }

    def do_apply(self, action):
        pool = Pool()
        Sample = pool.get('training.audit.sample')
        start = self.start
        ids, cancelled = start.population_of()
        sample = Sample.freeze({
                'company': start.company.id,
                'start_date': start.start_date,
                'end_date': start.end_date,
                'courses': [('add', [c.id for c in start.courses])],
                'method': start.method,
                'seed': start.seed if start.method == 'random' else None,
                'auditors': [('add', [u.id for u in start.auditors or []])],
                'until': start.until,
                }, ids, self._cases(ids), cancelled)
        action['pyson_domain'] = PYSONEncoder().encode(
            [('id', '=', sample.id)])
        action['domains'] = []
        return action, {}

    def _cases(self, ids):
        "Return the ids of the cases drawn or chosen, or raise SampleError"
        start = self.start
        if start.method == 'random':
            if not 0 < (start.size or 0) <= min(len(ids), LARGEST_SAMPLE):
                raise SampleError(gettext(
                        'training_abandon.msg_sample_size',
                        size=start.size or 0, population=len(ids),
                        largest=LARGEST_SAMPLE))
            if start.seed is None or not 0 <= start.seed <= LARGEST_SEED:
                raise SampleError(gettext(
                        'training_abandon.msg_sample_seed',
                        largest=LARGEST_SEED))
            return draw(ids, start.size, start.seed)
        chosen = [c.id for c in start.cases or []]
        if not 0 < len(chosen) <= LARGEST_SAMPLE:
            raise SampleError(gettext(
                    'training_abandon.msg_sample_no_choice',
                    largest=LARGEST_SAMPLE))
        if others := set(chosen) - set(ids):
            raise SampleError(gettext(
                    'training_abandon.msg_sample_outside',
                    cases=tools.names(
                        [c for c in start.cases if c.id in others])))
        return sorted(chosen)


class DrawSampleStart(ModelView):
    __name__ = 'training.audit.sample.draw.start'

    company = fields.Many2One('company.company', "Company", required=True)
    start_date = fields.Date(
        "Opened from", required=True,
        help="The first day of the period in which the cases were opened.")
    end_date = fields.Date(
        "To", required=True,
        help="The last day of the period in which the cases were opened.")
    courses = fields.Many2Many(
        'training.course', None, None, "Courses",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="The courses from which the cases are drawn.")
    method = fields.Selection(
        METHODS, "Method", required=True, sort=False,
        help="How the cases are taken out of the population.")
    population = fields.Integer(
        "Population", readonly=True,
        help="The number of cases of the courses that were opened in the "
        "period, without those that were cancelled.")
    size = fields.Integer(
        "Size",
        states={
            'invisible': Eval('method') != 'random',
            'required': Eval('method') == 'random',
            },
        help="The number of cases to draw.")
    seed = fields.Integer(
        "Seed",
        domain=[If(Eval('method') == 'random', [
                    ('seed', '>=', 0),
                    ('seed', '<=', LARGEST_SEED),
                    ], []),
            ],
        states={
            'invisible': Eval('method') != 'random',
            'required': Eval('method') == 'random',
            },
        help="The number from which the draw follows: the auditor may give "
        "it.")
    cases = fields.Many2Many(
        'training.abandon.case', None, None, "Cases",
        domain=[
            ('company', '=', Eval('company', -1)),
            ('state', '!=', 'cancelled'),
            ('opening_date', '>=', Eval('start_date', None)),
            ('opening_date', '<=', Eval('end_date', None)),
            ('enrolment.session.course', 'in', Eval('courses', [])),
            ],
        states={
            'invisible': Eval('method') != 'chosen',
            },
        help="The cases that the auditor chose.")
    auditors = fields.Many2Many(
        'res.user', None, None, "Auditors",
        help="The users of the group Training Auditor who will read the "
        "cases of the sample.")
    until = fields.Date(
        "Until",
        states={
            'required': Bool(Eval('auditors')),
            },
        help="The last day on which they read them.")

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_start_date(cls):
        return cls.default_end_date() + relativedelta(years=-1, days=1)

    @classmethod
    def default_end_date(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()

    @classmethod
    def default_method(cls):
        return 'random'

    @classmethod
    def default_seed(cls):
        return secrets.randbelow(LARGEST_SEED)

    @fields.depends('company', 'start_date', 'end_date')
    def on_change_with_courses(self):
        "The courses with cases in the period"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        if not self.company or not self.start_date or not self.end_date:
            return []
        with check_access():
            cases = Case.search(self._domain(), order=[], query=True)
        case, enrolment = Case.__table__(), Enrolment.__table__()
        session = Session.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*case
            .join(enrolment, condition=enrolment.id == case.enrolment)
            .join(session, condition=session.id == enrolment.session)
            .select(
                session.course, where=case.id.in_(cases),
                group_by=[session.course]))
        return sorted(id_ for id_, in cursor)

    @fields.depends('company', 'start_date', 'end_date', 'courses')
    def on_change_with_population(self):
        if (not self.company or not self.start_date or not self.end_date
                or not self.courses):
            return 0
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with check_access():
            return Case.search([
                    *self._of_courses(), ('state', '!=', 'cancelled')],
                count=True)

    def _domain(self):
        "Return the domain of the cases of the period"
        return [
            ('company', '=', self.company.id),
            ('opening_date', '>=', self.start_date),
            ('opening_date', '<=', self.end_date),
            ]

    def _of_courses(self):
        return [
            *self._domain(),
            ('enrolment.session.course', 'in', [
                    c.id for c in self.courses]),
            ]

    def population_of(self):
        """Return the ids of the cases of the population and the number of
        those cancelled, or raise SampleError"""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        if not self.courses:
            raise SampleError(gettext('training_abandon.msg_sample_no_course'))
        with check_access():
            query = Case.search(self._of_courses(), order=[], query=True)
        case = Case.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*case.select(
                case.id, case.state, where=case.id.in_(query)))
        rows = cursor.fetchall()
        ids = sorted(id_ for id_, state in rows if state != 'cancelled')
        if not ids:
            raise SampleError(gettext(
                    'training_abandon.msg_sample_no_case',
                    start=lang.strftime(self.start_date),
                    end=lang.strftime(self.end_date)))
        return ids, len(rows) - len(ids)
