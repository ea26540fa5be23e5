# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The needs questionnaires and their answers"
from decimal import Decimal

from trytond.model.exceptions import AccessError, SQLConstraintError
from trytond.modules.training_abandon.exceptions import TrainingValidationError
from trytond.modules.training_abandon.tools import today
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DAY, DatabaseTestCase, as_user, create_enrolments, create_user,
    open_cases, savepoint, set_up, wizard_context)

PRIVATE = "Burnout since May"


class QuestionnaireTestCase(DatabaseTestCase):
    "Test the needs questionnaires"

    def create(self, company):
        pool = Pool()
        Questionnaire = pool.get('training.questionnaire')
        questionnaire, = Questionnaire.create([{
                    'name': "Needs",
                    'company': company.id,
                    'start_date': DATE,
                    'questions': [('create', [
                                {'name': "Expectations", 'kind': 'text'},
                                {'name': "Equipped", 'kind': 'yes_no'},
                                {
                                    'name': "Level", 'kind': 'choice',
                                    'choices': "Low\nHigh\n",
                                    },
                                {'name': "Years", 'kind': 'number'},
                                ])],
                    }])
        return questionnaire

    def fill(self, enrolment, questionnaire, **values):
        "Fill the questionnaire and return the lines that it proposed"
        pool = Pool()
        Wizard = pool.get('training.questionnaire.fill', type='wizard')
        session_id, _, _ = Wizard.create()
        choose = {
            'questionnaire': questionnaire.id, 'answered_on': DATE,
            'company': enrolment.company.id}
        with wizard_context([enrolment]):
            view = Wizard.execute(
                session_id, {'choose': choose}, 'start')['view']
            lines = [
                {k: v for k, v in line.items() if not k.endswith('.')}
                for line in view['defaults'].get('lines', [])]
            proposed = [dict(line) for line in lines]
            for line in lines:
                if line['kind'] in values:
                    line[line['kind']] = values[line['kind']]
            Wizard.execute(
                session_id, {'choose': choose, 'start': {'lines': lines}},
                'apply')
        return proposed

    def values(self, enrolment):
        return [
            (a.question.name, a.value, a.text) for a in enrolment.answers]

    @with_transaction()
    def test_fill(self):
        "Test the answers typed, and typed again"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            questionnaire = self.create(company)
            enrolment, = create_enrolments(session)
            case, = open_cases([enrolment])
            self.fill(
                enrolment, questionnaire, text=PRIVATE, yes_no='no',
                choice="High", number=Decimal('1.5'))
            enrolment = Enrolment(enrolment.id)
            self.assertEqual(self.values(enrolment), [
                    ("Expectations", None, PRIVATE),
                    ("Equipped", 'no', None),
                    ("Level", "High", None),
                    ("Years", '1.5', None)])
            self.assertEqual(
                list(type(case)(case.id).answers), list(enrolment.answers))
            proposed = self.fill(enrolment, questionnaire, choice="Low")
            self.assertEqual(proposed[3]['number'], Decimal('1.5'))
            self.assertEqual(
                self.values(Enrolment(enrolment.id))[2],
                ("Level", "Low", None))
            self.assertEqual(len(Enrolment(enrolment.id).answers), 4)

    @with_transaction()
    def test_bad_input(self):
        "Test the values of another kind and the answers given twice"
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        with set_up() as (company, session, _):
            questions = self.create(company).questions
            enrolment, = create_enrolments(session)
            values = {
                'company': company.id, 'enrolment': enrolment.id,
                'answered_on': DATE}
            for question, value in zip(
                    questions, ["Text", "perhaps", "Middle", "many"]):
                with self.assertRaises(TrainingValidationError):
                    Answer.create([{
                                **values, 'question': question.id,
                                'value': value}])
            Answer.delete(Answer.search([]))
            values.update(question=questions[1].id, value='yes')
            with savepoint(), self.assertRaisesRegex(
                    TrainingValidationError, "later than today"):
                Answer.create([{
                            **values,
                            'answered_on': today(company) + DAY}])
            Answer.create([values])
            with self.assertRaises(SQLConstraintError):
                Answer.create([values])

    @with_transaction()
    def test_version(self):
        "Test that a version with answers is not changed"
        pool = Pool()
        Question = pool.get('training.questionnaire.question')
        Questionnaire = pool.get('training.questionnaire')
        with set_up() as (company, session, _):
            questionnaire = self.create(company)
            Question.write(
                [questionnaire.questions[1]], {'name': "Equipment"})
            self.fill(
                create_enrolments(session)[0], questionnaire, yes_no='yes')
            question = questionnaire.questions[1]
            for change in [
                    lambda: Questionnaire.write(
                        [questionnaire], {'name': "Other"}),
                    lambda: Questionnaire.delete([questionnaire]),
                    lambda: Question.write([question], {'name': "Other"}),
                    lambda: Question.delete([question]),
                    lambda: Question.create([{
                                'questionnaire': questionnaire.id,
                                'name': "Other"}]),
                    ]:
                with savepoint(), self.assertRaises(AccessError):
                    change()
            Questionnaire.write([questionnaire], {'end_date': DATE})
            copy, = Questionnaire.copy([questionnaire])
            self.assertEqual(len(copy.questions), 4)
            Question.write([copy.questions[0]], {'name': "Other"})

    @with_transaction()
    def test_import(self):
        "Test the answers of a CSV file"
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        with set_up() as (company, session, _):
            self.create(company)
            enrolment, = create_enrolments(session)
            with as_user(create_user(
                        'assistant', company, 'training',
                        'sensitive_reason')):
                self.assertEqual(Answer.import_data(
                        ['enrolment', 'question', 'answered_on', 'value'],
                        [[enrolment.number, "Level", DATE, "High"]]), 1)
            self.assertEqual(
                self.values(enrolment), [("Level", "High", None)])

    @with_transaction()
    def test_day(self):
        "Test that only what changes is of another day, and can be emptied"
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        with set_up() as (company, session, _):
            questionnaire = self.create(company)
            enrolment, = create_enrolments(session)
            self.fill(enrolment, questionnaire, yes_no='no')
            answer, = enrolment.answers
            Answer.write([answer], {'answered_on': DATE - 30 * DAY})
            self.fill(enrolment, questionnaire, choice='High')
            self.assertEqual({
                    (a.question.name, a.answered_on)
                    for a in Answer.search([])}, {
                    ("Equipped", DATE - 30 * DAY), ("Level", DATE)})
            self.fill(enrolment, questionnaire, choice=None)
            self.assertEqual({
                    (a.question.name, a.value)
                    for a in Answer.search([])}, {
                    ("Equipped", 'no'), ("Level", None)})

    @with_transaction()
    def test_words(self):
        "Test that yes and no are shown and entered in words"
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        Question = pool.get('training.questionnaire.question')
        with set_up() as (company, session, _):
            questionnaire = self.create(company)
            enrolment, = create_enrolments(session)
            self.fill(
                enrolment, questionnaire, yes_no='no', choice="High")
            answer, level = enrolment.answers
            self.assertEqual((answer.answer, level.answer), ("No", "High"))
            for word, value in [("yes", 'yes'), ("No ", 'no')]:
                Answer.write([answer], {'answer': word})
                self.assertEqual(Answer(answer.id).value, value)
            with self.assertRaises(TrainingValidationError):
                Answer.write([answer], {'answer': "perhaps"})
            self.assertEqual(
                level.rec_name, "Level – Needs from 03/02/2026")
            self.assertEqual(
                Question.search([('rec_name', 'ilike', '%level%')]),
                [level.question])

    @with_transaction()
    def test_moved(self):
        "Test that a version with answers takes no question of another one"
        pool = Pool()
        Question = pool.get('training.questionnaire.question')
        Questionnaire = pool.get('training.questionnaire')
        with set_up() as (company, session, _):
            questionnaire = self.create(company)
            enrolment, = create_enrolments(session)
            self.fill(enrolment, questionnaire, yes_no='no')
            version, = Questionnaire.copy([questionnaire])
            with self.assertRaises(AccessError):
                Question.write(list(version.questions), {
                        'questionnaire': questionnaire.id})

    @with_transaction()
    def test_rights(self):
        "Test that the texts are read by few"
        pool = Pool()
        Answer = pool.get('training.questionnaire.answer')
        Attachment = pool.get('ir.attachment')
        Task = pool.get('training.success.task')
        with set_up() as (company, session, _):
            questionnaire = self.create(company)
            enrolment, = create_enrolments(session)
            assistant = create_user('assistant', company, 'training')
            with as_user(assistant):
                self.fill(
                    enrolment, questionnaire, text=PRIVATE, yes_no='no')
                proposed = self.fill(enrolment, questionnaire, choice="Low")
                self.assertNotIn(PRIVATE, str(proposed))
                self.assertNotIn("'no'", str(proposed))
                answers = Answer.search([])
                for name in ['text', 'value', 'answer']:
                    with self.assertRaises(AccessError):
                        Answer.read([a.id for a in answers], [name])
            self.assertEqual(self.values(enrolment)[:3], [
                    ("Expectations", None, PRIVATE),
                    ("Equipped", 'no', None),
                    ("Level", "Low", None)])
            # Nor does who may not read an answer write another one over it
            for values in [{'text': "Nothing"}, {'yes_no': 'yes'}]:
                with as_user(assistant), savepoint(), \
                        self.assertRaisesRegex(AccessError, "may not read"):
                    self.fill(enrolment, questionnaire, **values)
            text, *_ = enrolment.answers
            task, = Task.create([{
                        'company': company.id,
                        'enrolment': enrolment.id,
                        'name': "Tutoring",
                        'due_date': DATE,
                        }])
            for record in [text, task]:
                scan, = Attachment.create([{
                            'name': "scan.pdf",
                            'data': b'scan',
                            'resource': str(record),
                            }])
                for groups, found in [
                        (['accounting'], []),
                        (['training', 'sensitive_reason'], [scan])]:
                    user = create_user(
                        f'{groups[-1]}{scan.id}', company, *groups)
                    with as_user(user):
                        self.assertEqual(Attachment.search([
                                    ('id', '=', scan.id)]), found)
            with as_user(create_user('reader', company, 'training_reading')):
                self.assertEqual(len(Answer.search([])), 3)
                with self.assertRaises(AccessError):
                    self.fill(enrolment, questionnaire, yes_no='no')
