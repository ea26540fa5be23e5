# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Literal
from sql.aggregate import Count, Max

from trytond.i18n import gettext
from trytond.model import DeactivableMixin, ModelSQL, ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import RiskRuleError, RiskRuleWarning
from ..stored import of_ids
from ..training.working_day import WorkingCalendar
from .criterion import CRITERIA

RATES = [n for n, c in CRITERIA.items() if c.is_rate]
WINDOWS = [n for n, c in CRITERIA.items() if c.has_window]
# What makes a rule flag others
_DEFINITION = {
    'company', 'criterion', 'threshold', 'window', 'min_slots', 'start_date',
    'end_date', 'course', 'trainee_kind', 'agreement_kind', 'funder',
    'active'}
# Two rules with the same ones flag the same, the company apart
_SAME = [
    'criterion', 'threshold', 'window', 'course', 'trainee_kind',
    'agreement_kind', 'funder']
# From that number of trainees, a rule that flags most of them says so
CROWD = 5


class Rule(DeactivableMixin, ModelSQL, ModelView):
    "What tells that a trainee is slipping away"
    __name__ = 'training.risk.rule'

    name = fields.Char("Name", required=True, translate=True)
    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty for all the companies.")
    criterion = fields.Selection([
            ('consecutive_absences', "Consecutive Absences"),
            ('absence_rate', "Absence Rate"),
            ('late_count', "Times Late"),
            ('late_minutes', "Minutes of Lateness"),
            ('no_news', "No News"),
            ('no_show', "No-Show"),
            ('unreachable', "Required Attendance out of Reach"),
            ('no_answer', "Mails and Calls without Answer"),
            ('late_return', "Late Return"),
            ], "Criterion", required=True, sort=False,
        help="What is counted in the official sheets, the mails and the "
        "calls.")
    threshold = fields.Float(
        "Threshold", required=True,
        help="From how many absences, times, minutes, or mails and calls the "
        "trainee is at risk; from how many working days for what lasts; from "
        "which rate, between 0 and 1, for the absence rate; below which one "
        "for the required attendance.")
    window = fields.Integer(
        "Last Slots",
        states={
            'invisible': ~Eval('criterion').in_(WINDOWS),
            },
        help="The number of the last slots that are looked at.\n"
        "Leave empty for the whole course.")
    min_slots = fields.Integer(
        "Least Slots", required=True,
        domain=[
            ('min_slots', '>=', 1),
            ],
        states={
            'invisible': Eval('criterion') != 'absence_rate',
            },
        help="The number of slots from which the rate means something.")
    level = fields.Selection([
            ('watch', "Watch"),
            ('alert', "Alert"),
            ], "Level", required=True, sort=False,
        help="How grave what the rule flags is: the alerts come first on the "
        "home, what is to watch after them.")
    opens = fields.Selection([
            ('propose', "Propose a Case"),
            ('open', "Open the Case"),
            ], "What Follows", required=True, sort=False,
        help="If the rule opens the abandonment case by itself, or leaves it "
        "to the owner of the alert.")
    start_date = fields.Date(
        "Start Date",
        help="The first day on which the rule holds.")
    end_date = fields.Date(
        "End Date",
        help="The last day on which the rule holds.")
    course = fields.Many2One(
        'training.course', "Course", ondelete='RESTRICT',
        domain=[
            If(Eval('company', None),
                ('company', 'in', [Eval('company', -1), None]),
                ()),
            ],
        help="Leave empty for all the courses.")
    trainee_kind = fields.Selection(
        'get_trainee_kinds', "Kind of Trainee", sort=False,
        help="Leave empty for all the trainees.")
    agreement_kind = fields.Selection(
        'get_agreement_kinds', "Agreement", sort=False,
        help="Leave empty for all the agreements.")
    funder = fields.Many2One(
        'party.party', "Funder", ondelete='RESTRICT',
        context={
            'company': Eval('company', -1),
            },
        depends={'company'},
        help="Leave empty for all the funders.")
    owner = fields.Many2One(
        'company.employee', "Owner",
        domain=[
            If(Eval('company', None),
                ('company', '=', Eval('company', -1)),
                ()),
            ],
        help="The employee who answers for the alerts of its company.")
    detected = fields.Boolean(
        "Detected", readonly=True,
        help="If all the enrolments have been looked at since the rule was "
        "changed.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order.insert(0, ('criterion', 'ASC'))
        cls._order.insert(1, ('threshold', 'ASC'))
        cls._buttons.update(
            preview={},
            detect={
                'invisible': ~Eval('active'),
                'depends': ['active'],
                })

    @classmethod
    def default_level(cls):
        return 'alert'

    @classmethod
    def default_opens(cls):
        return 'propose'

    @classmethod
    def default_min_slots(cls):
        return 1

    @classmethod
    def default_detected(cls):
        return False

    @classmethod
    def get_trainee_kinds(cls):
        return cls._selection_of('training.trainee', 'kind')

    @classmethod
    def get_agreement_kinds(cls):
        return cls._selection_of('training.enrolment', 'agreement_kind')

    @classmethod
    def _selection_of(cls, model, name):
        pool = Pool()
        selection = pool.get(model).fields_get([name])[name]['selection']
        return [(None, ""), *((k, v) for k, v in selection if k)]

    @fields.depends('criterion', 'window', methods=['_set_name'])
    def on_change_criterion(self):
        if self.criterion not in WINDOWS:
            self.window = None
        self._set_name()

    @fields.depends(methods=['_set_name'])
    def on_change_threshold(self):
        self._set_name()

    @fields.depends('name', 'criterion', 'threshold')
    def _set_name(self):
        if not self.name:
            self.name = self._default_name(self.criterion, self.threshold)

    @classmethod
    def _default_name(cls, criterion, threshold):
        "Return the name of the rule to which nobody gives one, or None"
        pool = Pool()
        Lang = pool.get('ir.lang')
        criteria = dict(
            cls.fields_get(['criterion'])['criterion']['selection'])
        if criterion not in criteria or threshold is None:
            return
        lang = Lang.get()
        if criterion in RATES:
            threshold = lang.format('%g', threshold * 100) + ' %'
        else:
            threshold = lang.format('%g', threshold)
        return f'{criteria[criterion]} - {threshold}'

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(~Eval('active'), 'muted', '')),
            ]

    @classmethod
    def copy(cls, rules, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('detected', False)
        return super().copy(rules, default=default)

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'create' and not values.get('name'):
            values['name'] = cls._default_name(
                values.get('criterion'), values.get('threshold'))
        elif mode == 'write' and values.keys() & _DEFINITION:
            values.setdefault('detected', False)
        return values

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        if self.window is not None and self.criterion not in WINDOWS:
            values['window'] = None
        return values

    @classmethod
    def validate_fields(cls, rules, field_names):
        super().validate_fields(rules, field_names)
        if field_names is None or field_names & _DEFINITION:
            for rule in rules:
                rule.check_definition()

    def check_definition(self):
        def refuse(message, **values):
            raise RiskRuleError(gettext(
                    f'training_abandon.msg_risk_rule_{message}',
                    rule=self.rec_name, **values))

        if self.threshold <= 0:
            refuse('threshold')
        elif self.criterion in RATES:
            if self.threshold > 1:
                refuse('rate')
        elif self.threshold != int(self.threshold):
            refuse('whole')
        if (self.start_date and self.end_date
                and self.end_date < self.start_date):
            refuse('dates')
        if self.window is not None and self.criterion in WINDOWS:
            if self.window <= 0:
                refuse('window')
            elif (self.criterion == 'late_count'
                    and self.window < self.threshold):
                refuse('window_threshold')
            elif (self.criterion == 'absence_rate'
                    and self.window < self.min_slots):
                refuse('window_least')

    @classmethod
    def on_modification(cls, mode, rules, field_names=None):
        super().on_modification(mode, rules, field_names=field_names)
        if mode == 'create' or (
                mode == 'write' and field_names & _DEFINITION):
            for rule in rules:
                if rule.active:
                    rule.warn_before_activation()

    def warn_before_activation(self):
        """Warn of a rule that flags most of the trainees, looks too far back
        or flags the same as another one"""
        pool = Pool()
        Warning = pool.get('res.user.warning')
        if not Transaction().user:
            return
        for message, values in self._doubts():
            key = Warning.format(f'training_risk_rule_{message}', [self])
            if Warning.check(key):
                raise RiskRuleWarning(key, gettext(
                        f'training_abandon.msg_risk_rule_{message}',
                        rule=self.rec_name, **values))

    def _doubts(self):
        "Yield the name and the values of the messages about the rule"
        followed = flagged = 0
        for company in self._companies():
            criterion = self.criterion_of(company)
            cursor = Transaction().connection.cursor()
            cursor.execute(*criterion.population())
            followed += len(cursor.fetchall())
            flagged += sum(1 for _ in criterion.facts())
        if followed >= CROWD and flagged * 2 > followed:
            yield 'everybody', {'flagged': flagged, 'followed': followed}
        if self.window:
            longest = self._longest_course()
            if longest and self.window > longest:
                yield 'window_course', {
                    'window': self.window, 'longest': longest}
        if same := self._same_rules():
            yield 'twice', {'others': tools.names(same)}

    def _same_rules(self):
        "Return the active rules that flag the same on some day"
        domain = [
            (name, '=', getattr(self, name)) for name in _SAME]
        domain += [('id', '!=', self.id), ('active', '=', True)]
        if self.company:
            domain.append(('company', 'in', [self.company.id, None]))
        for name, operator, bound in [
                ('start_date', '<=', self.end_date),
                ('end_date', '>=', self.start_date)]:
            if bound:
                domain.append(['OR',
                        (name, '=', None), (name, operator, bound)])
        return self.__class__.search(domain)

    def _longest_course(self):
        "Return the number of slots of the longest course that it is about"
        pool = Pool()
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        session, slot = Session.__table__(), Slot.__table__()
        where = (slot.state != 'cancelled') & ~session.state.in_(
            ['done', 'cancelled'])
        if self.company:
            where &= session.company == self.company.id
        if self.course:
            where &= session.course == self.course.id
        counted = (slot
            .join(session, condition=session.id == slot.session)
            .select(
                Count(Literal(1)).as_('count'),
                where=where, group_by=[slot.session]))
        cursor = Transaction().connection.cursor()
        cursor.execute(*counted.select(Max(counted.count)))
        longest, = cursor.fetchone()
        return longest

    def _companies(self):
        pool = Pool()
        Company = pool.get('company.company')
        return [self.company] if self.company else Company.search([])

    def criterion_of(self, company, calendar=None):
        "Return what the rule flags in the company today"
        if calendar is None:
            calendar = WorkingCalendar(company)
        return CRITERIA[self.criterion](
            self, company, tools.today(company), calendar)

    @property
    def case_origin(self):
        "The origin of the cases that its alerts open"
        return CRITERIA[self.criterion].origin

    def is_in_force(self, date):
        return bool(
            self.active
            and (not self.start_date or self.start_date <= date)
            and (not self.end_date or date <= self.end_date))

    @classmethod
    @ModelView.button
    def detect(cls, rules):
        "Look now at all the enrolments"
        pool = Pool()
        Alert = pool.get('training.alert')
        User = pool.get('res.user')
        mine = set(User.get_companies()) if Transaction().user else None
        detected, found = set(), []
        for rule in rules:
            companies = [
                c for c in rule._companies()
                if (mine is None or c.id in mine)
                and rule.is_in_force(tools.today(c))]
            if not companies:
                raise RiskRuleError(gettext(
                        'training_abandon.msg_risk_rule_not_in_force',
                        rule=rule.rec_name))
            for company in companies:
                criterion = rule.criterion_of(company)
                found.append((criterion, list(criterion.facts())))
            detected.update(companies)
        # Nobody waits while all is read
        for criterion, facts in found:
            Alert.store(
                criterion, facts, Alert.opened([criterion])[criterion.rule.id],
                lock=True)
        cls._set_detected([
                r for r in rules if detected.issuperset(r._companies())])
        Alert.open_due(rules, detected)

    @classmethod
    @ModelView.button_action('training_abandon.act_risk_preview')
    def preview(cls, rules):
        """Compute what other thresholds flag and would have flagged, and show
        it"""
        pool = Pool()
        Company = pool.get('company.company')
        Preview = pool.get('training.risk.preview')
        for rule in rules:
            company = rule.company
            if not company:
                company_id = Transaction().context.get('company')
                if not company_id:
                    raise RiskRuleError(gettext(
                            'training_abandon.msg_risk_rule_no_company',
                            rule=rule.rec_name))
                company = Company(company_id)
            Preview.refresh(rule, company)

    @classmethod
    def detect_due(cls):
        """Look at the enrolments with new facts, at those whose day has come,
        and at all of them for the rules that were changed."""
        pool = Pool()
        Alert = pool.get('training.alert')
        Company = pool.get('company.company')
        seen, missed, companies = set(), set(), Company.search([])
        for company in companies:
            with Transaction().set_context(company=company.id):
                rules = cls.in_force(company)
                seen.update(rules)
                criteria = cls._criteria(company, rules)
                cls._detect_changed(company, criteria)
                for criterion in criteria:
                    if not cls._detect_come(criterion):
                        missed.add(criterion.rule)
                Alert.withdraw_of_rules(company, rules)
        cls._set_detected(seen - missed)
        Alert.open_due(seen, companies)

    @classmethod
    def _detect_changed(cls, company, criteria):
        "Look at the enrolments of the company with new facts"
        pool = Pool()
        Alert = pool.get('training.alert')
        Enrolment = pool.get('training.enrolment')

        def detect(ids):
            Alert.detect(criteria, of_ids(ids))
            Enrolment.risk_seen(ids)

        Enrolment.each_free(Enrolment.risk_due_ids(company), detect)

    @classmethod
    def _detect_come(cls, criterion):
        """Look at the enrolments of the company that the day, or the new
        rule, flags and return if none was left out"""
        pool = Pool()
        Alert = pool.get('training.alert')
        Enrolment = pool.get('training.enrolment')
        if not criterion.rule.detected:
            ids = Alert.changed_ids(criterion)
        else:
            ids = set()
            for sub_ids in Enrolment.risk_slices(criterion.come_ids()):
                ids |= Alert.changed_ids(criterion, of_ids(sub_ids))
        return Enrolment.each_free(
            ids, lambda ids: Alert.detect([criterion], of_ids(ids)))

    @classmethod
    def _criteria(cls, company, rules):
        "Return what the rules flag in the company"
        calendar = WorkingCalendar(company) if rules else None
        return [r.criterion_of(company, calendar) for r in rules]

    @classmethod
    def detect_on(cls, company, ids):
        """Look at the enrolments of the company that the transaction keeps
        for itself"""
        pool = Pool()
        Alert = pool.get('training.alert')
        Enrolment = pool.get('training.enrolment')
        criteria = cls._criteria(company, cls.in_force(company))
        for sub_ids in Enrolment.risk_slices(ids):
            # The facts are stored once the sheets are closed
            Alert.detect(criteria, of_ids(sub_ids), stored=False)

    @classmethod
    def in_force(cls, company):
        "Return the rules that hold today for the company"
        date = tools.today(company)
        return cls.search([
                ('company', 'in', [company.id, None]),
                ('active', '=', True),
                ['OR', ('start_date', '=', None), ('start_date', '<=', date)],
                ['OR', ('end_date', '=', None), ('end_date', '>=', date)],
                ], order=[('id', 'ASC')])

    @classmethod
    def _set_detected(cls, rules):
        rules = [r for r in rules if not r.detected]
        if rules:
            cls.write(rules, {'detected': True})
