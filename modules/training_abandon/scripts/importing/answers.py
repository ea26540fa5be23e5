# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Import of the answers to the questionnaires about the needs"

import datetime as dt

from . import cells
from .importer import ENROLMENT, Importer, request
from .table import Rejected

QUESTIONNAIRE = 'training.questionnaire'
QUESTION = 'training.questionnaire.question'
ANSWER = 'training.questionnaire.answer'


class Answers(Importer):
    columns = {
        'enrolment': cells.code,
        'questionnaire': cells.label,
        'question': cells.label,
        'answer': cells.multiline,
        'answered_on': cells.date,
        }
    required = [[[name]] for name in columns]

    def load(self, rows):
        rows = self.set_records(
            rows, ENROLMENT, "enrolment", "enrolments", 'enrolment')
        rows = self.set_questions(rows)
        rows = list(self.without_doubles(rows, 'enrolment', 'question'))
        self.batches(rows, self.save_answers)

    def set_questions(self, rows):
        """Replace the questions by those of the questionnaire valid on the
        day, and the answers by their values"""
        questionnaires = self.client.search_read(
            QUESTIONNAIRE, [('company', 'in', [self.company, None])],
            ['name', 'start_date', 'end_date'])
        questions = {
            (question['questionnaire'], cells.fold(question['name'])): question
            for question in self.client.read_in(
                QUESTION, 'questionnaire', [q['id'] for q in questionnaires],
                ['questionnaire', 'name', 'kind', 'choices'])}
        for row in rows:
            try:
                question = self.question(row, questionnaires, questions)
                row.values['question'] = question['id']
                row.values['answer'] = answer_value(question, row['answer'])
            except Rejected as exc:
                self.reject(row, exc.reason, exc.column or 'answer')
        return [row for row in rows if row not in self.errors]

    def question(self, row, questionnaires, questions):
        name, date = cells.fold(row['questionnaire']), row['answered_on']
        found = [
            q['id'] for q in questionnaires
            if cells.fold(q['name']) == name
            and (q['start_date'] or dt.date.min) <= date
            and date <= (q['end_date'] or dt.date.max)]
        if not found:
            raise Rejected(
                "No questionnaire with this name is valid on that day.",
                'questionnaire')
        asked = [
            questions[id, cells.fold(row['question'])] for id in found
            if (id, cells.fold(row['question'])) in questions]
        if len(asked) != 1:
            raise Rejected(
                "The questionnaire does not ask this question." if not asked
                else "Several questionnaires with this name ask it on that "
                "day.", 'question')
        return asked[0]

    def save_answers(self, rows):
        current = {
            (answer['enrolment'], answer['question']): answer
            for answer in self.client.read_in(
                ANSWER, 'enrolment', [row['enrolment'] for row in rows],
                ['enrolment', 'question', 'value', 'text'])}
        created, pairs, outcomes = [], [], []
        for row in rows:
            answer = current.get((row['enrolment'], row['question']))
            values = row['answer']
            if not answer:
                created.append({
                        'company': self.company,
                        'enrolment': row['enrolment'],
                        'question': row['question'],
                        'answered_on': row['answered_on'],
                        **values})
                outcomes.append((row, 'created'))
            elif all(answer[name] == v for name, v in values.items()):
                # What does not change keeps its day
                outcomes.append((row, 'unchanged'))
            else:
                pairs += [
                    [answer['id']],
                    {**values, 'answered_on': row['answered_on']}]
                outcomes.append((row, 'updated'))
        self.apply(
            rows,
            *([request(ANSWER, 'create', created)] if created else []),
            request(ANSWER, 'write', *pairs))
        for row, outcome in outcomes:
            self.done(row, outcome)


def answer_value(question, answer):
    "Return the values of the answer to a question of the kind"
    kind = question['kind']
    if kind == 'text':
        return {'text': answer}
    elif kind == 'yes_no':
        return {'value': cells.yes_no(answer)}
    elif kind == 'number':
        return {'value': format(cells.number(answer), 'f')}
    choices = {
        cells.fold(choice): choice.strip()
        for choice in (question['choices'] or '').splitlines()
        if choice.strip()}
    try:
        return {'value': choices[cells.fold(answer)]}
    except KeyError as exc:
        raise Rejected(
            f"{cells.show(answer)} is not one of "
            f"{', '.join(choices.values())}.") from exc
