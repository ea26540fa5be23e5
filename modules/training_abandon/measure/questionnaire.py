# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the trainees are asked before the course, and what they answer"
from decimal import Decimal, InvalidOperation

from trytond.i18n import gettext
from trytond.model import (
    Index, ModelSQL, ModelView, Unique, fields, sequence_ordered)
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction
from trytond.wizard import Button, StateTransition, StateView, Wizard

from .. import tools
from ..exceptions import TrainingValidationError
from ..rec_name import search_names
from .enrolment import of_enrolments
from .validity import ValidityMixin

KINDS = [
    ('text', "Text"),
    ('yes_no', "Yes or No"),
    ('choice', "Choice"),
    ('number', "Number"),
    ]
YES_NO = [
    (None, ""),
    ('yes', "Yes"),
    ('no', "No"),
    ]


class Questionnaire(ValidityMixin, ModelSQL, ModelView):
    """A version of the questions, as long as it is valid

    Once it has answers, only its end changes."""
    __name__ = 'training.questionnaire'

    name = fields.Char("Name", required=True, translate=True)
    questions = fields.One2Many(
        'training.questionnaire.question', 'questionnaire', "Questions",
        help="The questions in their order; once answered, they no longer "
        "change.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._order = [
            ('name', 'ASC'),
            ('start_date', 'DESC NULLS LAST'),
            ('id', None),
            ]

    def get_rec_name(self, name):
        pool = Pool()
        Lang = pool.get('ir.lang')
        if not self.start_date:
            return self.name
        return gettext(
            'training_abandon.msg_questionnaire_version',
            questionnaire=self.name,
            date=Lang.get().strftime(self.start_date))

    @classmethod
    def check_modification(
            cls, mode, questionnaires, values=None, external=False):
        super().check_modification(
            mode, questionnaires, values=values, external=external)
        if mode == 'delete' or (
                mode == 'write' and values.keys() - {'end_date'}):
            cls.check_unanswered(questionnaires)

    @classmethod
    def check_unanswered(cls, questionnaires):
        "Raise an error if there are answers to one of them"
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        for sub_ids in grouped_slice(
                sorted({q.id for q in questionnaires}), tools.BATCH):
            answers = Answer.search([
                    ('question.questionnaire', 'in', list(sub_ids)),
                    ], limit=1, order=[])
            for answer in answers:
                raise AccessError(gettext(
                        'training_abandon.msg_questionnaire_answered',
                        questionnaire=(
                            answer.question.questionnaire.rec_name)))


class Question(sequence_ordered(), ModelSQL, ModelView):
    __name__ = 'training.questionnaire.question'

    questionnaire = fields.Many2One(
        'training.questionnaire', "Questionnaire", required=True,
        ondelete='CASCADE',
        help="The questionnaire that asks it.")
    name = fields.Char("Question", required=True, translate=True)
    kind = fields.Selection(KINDS, "Kind", required=True, sort=False,
        help="What the answer is made of.")
    choices = fields.Text(
        "Choices",
        states={
            'invisible': Eval('kind') != 'choice',
            'required': Eval('kind') == 'choice',
            },
        help="One per line.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('questionnaire')

    @classmethod
    def default_kind(cls):
        return 'text'

    @classmethod
    def check_modification(cls, mode, questions, values=None, external=False):
        pool = Pool()
        Questionnaire = pool.get('training.questionnaire')
        super().check_modification(
            mode, questions, values=values, external=external)
        questionnaires = [q.questionnaire for q in questions]
        if values and values.get('questionnaire'):
            questionnaires.append(Questionnaire(values['questionnaire']))
        Questionnaire.check_unanswered(questionnaires)

    def get_rec_name(self, name):
        return gettext(
            'training_abandon.msg_questionnaire_question',
            question=self.name, questionnaire=self.questionnaire.rec_name)

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'name', 'questionnaire.name')

    @property
    def choice_list(self):
        return [
            c.strip() for c in (self.choices or '').splitlines() if c.strip()]

    def check_value(self, value):
        "Raise an error if the value is not of the kind of the question"
        if not value:
            return
        valid = {
            'text': lambda: False,
            'yes_no': lambda: value in dict(YES_NO),
            'choice': lambda: value in self.choice_list,
            'number': lambda: _is_number(value),
            }[self.kind]
        if not valid():
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_questionnaire_value',
                    question=self.rec_name))


def _is_number(value):
    try:
        return Decimal(value).is_finite()
    except InvalidOperation:
        return False


class Answer(ModelSQL, ModelView):
    __name__ = 'training.questionnaire.answer'

    company = fields.Many2One('company.company', "Company", required=True)
    enrolment = fields.Many2One(
        'training.enrolment', "Enrolment", required=True, ondelete='CASCADE',
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    question = fields.Many2One(
        'training.questionnaire.question', "Question", required=True,
        ondelete='RESTRICT',
        domain=[
            ('questionnaire.company', 'in', [Eval('company', -1), None]),
            ],
        help="What was asked.")
    answered_on = fields.Date("Answered on", required=True,
        help="The day of the answer.")
    value = fields.Char(
        "Value",
        help="Yes, no, one of the choices or the number; the text is apart.")
    answer = fields.Function(
        fields.Char(
            "Answer",
            help="Yes, no, one of the choices or the number, in the words of "
            "the language."),
        'get_answer', setter='set_answer')
    text = fields.Text(
        "Text", help="Do not ask for any health detail.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('question_unique', Unique(t, t.enrolment, t.question),
                'training_abandon.msg_questionnaire_answer_unique'),
            ]
        cls._sql_indexes.add(Index(t, (t.question, Index.Equality())))
        cls._order = [
            ('enrolment', 'ASC'),
            ('question.questionnaire', 'ASC'),
            ('question.sequence', 'ASC NULLS FIRST'),
            ('id', None),
            ]

    @classmethod
    def default_company(cls):
        return Transaction().context.get('company')

    @classmethod
    def default_answered_on(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        return Date.today()

    @classmethod
    def _words(cls):
        "Return the words for yes and no"
        pool = Pool()
        Line = pool.get('training.questionnaire.fill.line')
        return dict(Line.fields_get(['yes_no'])['yes_no']['selection'])

    @classmethod
    def get_answer(cls, answers, name):
        words = cls._words()
        return {
            a.id: (
                words.get(a.value, a.value)
                if a.value and a.question.kind == 'yes_no' else a.value)
            for a in answers}

    @classmethod
    def set_answer(cls, answers, name, value):
        values = {
            word.casefold(): v for v, word in cls._words().items() if v}
        yes_no = [a for a in answers if a.question.kind == 'yes_no']
        others = [a for a in answers if a.question.kind != 'yes_no']
        cls.write(
            yes_no, {
                'value': values.get((value or '').strip().casefold(), value),
                },
            others, {'value': value})

    def get_rec_name(self, name):
        return self.question.rec_name

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'question.rec_name')

    @classmethod
    def validate_fields(cls, answers, field_names):
        super().validate_fields(answers, field_names)
        cls.check_values(answers, field_names)
        cls.check_answered_on(answers, field_names)

    @classmethod
    def check_answered_on(cls, answers, field_names=None):
        if field_names and 'answered_on' not in field_names:
            return
        for answer in tools.later_than_today(answers, 'answered_on'):
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_questionnaire_future',
                    question=answer.rec_name))

    @classmethod
    def check_values(cls, answers, field_names=None):
        if field_names and not {'question', 'value'} & field_names:
            return
        for answer in answers:
            answer.question.check_value(answer.value)


class AnswersMixin:
    "Records of which the answers to the questionnaires are shown"
    __slots__ = ()

    answers = fields.Function(
        fields.Many2Many(
            'training.questionnaire.answer', None, None,
            "Needs of the Trainee",
            help="The answers to the questionnaires about the needs, before "
            "the training starts."),
        'get_answers')

    @classmethod
    def get_answers(cls, records, name):
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        return of_enrolments(Answer, records)


class Fill(Wizard):
    __name__ = 'training.questionnaire.fill'

    choose = StateView(
        'training.questionnaire.fill.choose',
        'training_abandon.questionnaire_fill_choose_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Next", 'start', 'tryton-forward', default=True),
            ])
    start_state = 'choose'
    start = StateView(
        'training.questionnaire.fill.start',
        'training_abandon.questionnaire_fill_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Save", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_choose(self, fields):
        pool = Pool()
        Questionnaire = pool.get('training.questionnaire')
        if not self.record:
            return {}
        company = self.record.company
        valid = Questionnaire.valid_at(company, tools.today(company))
        return {
            'company': company.id,
            'questionnaire': valid.id if valid else None,
            'answered_on': tools.today(company),
            }

    def default_start(self, fields):
        questionnaire = getattr(self.choose, 'questionnaire', None)
        if not self.record or not questionnaire:
            return {}
        answers = self._answers()
        sensitive = tools.is_member('group_sensitive_reason')
        lines = []
        for question in questionnaire.questions:
            line = {'question': question.id, 'kind': question.kind}
            answer = answers.get(question)
            if answer and sensitive:
                if question.kind == 'text':
                    line['text'] = answer.text
                elif question.kind == 'number':
                    line['number'] = answer.value and Decimal(answer.value)
                else:
                    line[question.kind] = answer.value
            lines.append(line)
        return {'lines': lines}

    def _answers(self):
        "Return the answers of the enrolment by question"
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        return {
            a.question: a for a in Answer.search(
                [('enrolment', '=', self.record.id)], order=[])}

    def transition_apply(self):
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        sensitive = tools.is_member('group_sensitive_reason')
        answers, changed = self._answers(), []
        for line in getattr(self.start, 'lines', []):
            question = getattr(line, 'question', None)
            if (not question or question.questionnaire
                    != getattr(self.choose, 'questionnaire', None)):
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_questionnaire_other'))
            value, text = given = line.given(question.kind)
            answer = answers.get(question)
            if (answer and (answer.text or answer.value)
                    and not sensitive):
                # Who may not read an answer leaves it
                if given != (None, None):
                    raise AccessError(gettext(
                            'training_abandon.msg_questionnaire_text',
                            question=question.rec_name))
                continue
            before = (answer.value, answer.text) if answer else (None, None)
            # What does not change keeps its day
            if given == tuple(v or None for v in before):
                continue
            answer = answer or Answer(
                company=self.record.company, enrolment=self.record,
                question=question)
            answer.value, answer.text = value, text
            answer.answered_on = (
                getattr(self.choose, 'answered_on', None)
                or tools.today(self.record.company))
            changed.append(answer)
        Answer.save(changed)
        return 'end'


class FillChoose(ModelView):
    __name__ = 'training.questionnaire.fill.choose'

    company = fields.Many2One('company.company', "Company", readonly=True)
    questionnaire = fields.Many2One(
        'training.questionnaire', "Questionnaire", required=True,
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="The questionnaire that is filled.")
    answered_on = fields.Date("Answered on", required=True,
        help="The day of the answers.")


class FillStart(ModelView):
    __name__ = 'training.questionnaire.fill.start'

    lines = fields.One2Many(
        'training.questionnaire.fill.line', None, "Answers",
        help="The lines without answer are not recorded.")


class FillLine(ModelView):
    __name__ = 'training.questionnaire.fill.line'

    question = fields.Many2One(
        'training.questionnaire.question', "Question", readonly=True,
        help="What is asked.")
    kind = fields.Selection(KINDS, "Kind", readonly=True, sort=False,
        help="What the answer is made of.")
    text = fields.Text(
        "Text",
        states={
            'invisible': Eval('kind') != 'text',
            },
        help="Do not ask for any health detail.")
    yes_no = fields.Selection(
        YES_NO, "Yes or No", sort=False,
        states={
            'invisible': Eval('kind') != 'yes_no',
            },
        help="The answer to a question of yes or no.")
    choice = fields.Selection(
        'get_choices', "Choice", sort=False,
        states={
            'invisible': Eval('kind') != 'choice',
            },
        help="The answer chosen among those of the question.")
    number = fields.Numeric(
        "Number",
        states={
            'invisible': Eval('kind') != 'number',
            })

    @fields.depends('question')
    def get_choices(self):
        choices = self.question.choice_list if self.question else []
        return [(None, "")] + [(c, c) for c in choices]

    def given(self, kind):
        "Return the value and the text of the answer to the kind of question"
        if kind == 'text':
            return None, getattr(self, 'text', None) or None
        value = getattr(self, kind, None)
        if kind == 'number' and value is not None:
            value = format(value, 'f')
        return value or None, None
