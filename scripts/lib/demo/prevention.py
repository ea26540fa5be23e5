# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the provider of the demo does so that its trainees stay"

import datetime as dt

from proteus import Wizard

# Evidence of the guide, name and description of a measure of each session
MEASURES = [
    (9, "Positionnement avant l'entrée en formation",
        "Entretien individuel et test de niveau, avec restitution."),
    (4, "Livret d'accueil partagé",
        "Espace de documents du groupe, présenté le premier jour."),
    (8, "Quiz en fin de demi-journée",
        "Quiz interactif repris au début de la séance suivante."),
    ]
QUESTIONS = [
    ("Qu'attendez-vous de cette formation ?", 'text'),
    ("Disposez-vous d'un ordinateur à la maison ?", 'yes_no'),
    ("Combien de temps dure votre trajet, en minutes ?", 'number'),
    ]


class Prevention:
    "Measures, needs, a concern and a success plan"

    def __init__(self, demo, enrolments):
        self.demo = demo
        self.enrolments = enrolments

    def run(self):
        self.take_measures()
        self.ask_needs()
        self.raise_concern()
        self.apply_plan()
        Rule = self.demo.model('training.risk.rule', 'administrateur')
        Rule.click(Rule.find([]), 'detect')

    def take_measures(self):
        Kind = self.demo.model('training.measure.kind')
        Measure = self.demo.model('training.measure')
        Session = self.demo.model('training.session')
        kinds = {k.number: k for k in Kind.find([])}
        # Some of the sessions have none yet
        sessions = Session.find([
                ('start_date', '<', dt.date.today()),
                ], order=[('number', 'ASC')])
        measures = []
        for i, session in enumerate(sessions):
            if i % 5 == 4:
                continue
            number, name, description = MEASURES[i % len(MEASURES)]
            measures.append(Measure(
                    session=session, kind=kinds[number], name=name,
                    description=description, date=session.start_date))
        Measure.save(measures)

    def ask_needs(self):
        Answer = self.demo.model('training.questionnaire.answer')
        Enrolment = self.demo.model('training.enrolment')
        Questionnaire = self.demo.model(
            'training.questionnaire', 'administrateur')
        questionnaire = Questionnaire(name="Besoins avant la formation")
        for name, kind in QUESTIONS:
            questionnaire.questions.new(name=name, kind=kind)
        questionnaire.save()
        questions = self.demo.model('training.questionnaire.question').find(
            [('questionnaire', '=', questionnaire.id)],
            order=[('id', 'ASC')])
        answers = []
        for i, values in enumerate(self.enrolments[:20]):
            enrolment = Enrolment(values['id'])
            given = ["Retrouver un emploi.", 'no' if i % 4 else 'yes',
                str(10 + 5 * i)]
            for question, value in zip(questions, given):
                answer = Answer(
                    enrolment=enrolment, question=question,
                    answered_on=enrolment.session.start_date)
                if question.kind == 'text':
                    answer.text = value
                else:
                    answer.value = value
                answers.append(answer)
        Answer.save(answers)

    def raise_concern(self):
        wizard = self.wizard('training.alert.raise', self.enrolments[-1])
        wizard.form.kind = 'difficulty'
        wizard.form.word = "Ne suit plus le rythme du groupe depuis lundi."
        wizard.execute('apply')

    def apply_plan(self):
        Plan = self.demo.model('training.success.plan')
        wizard = self.wizard(
            'training.success.plan.apply', self.enrolments[-1])
        wizard.form.plan = Plan.find([], limit=1)[0]
        wizard.execute('apply')

    def wizard(self, name, enrolment):
        Enrolment = self.demo.model('training.enrolment')
        return Wizard(
            name, [Enrolment(enrolment['id'])],
            config=self.demo.configs['assistant'])
