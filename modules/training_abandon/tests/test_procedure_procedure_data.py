# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The letters of the module, in French"
import re

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.case.correspondence import CASE_NAMES
from trytond.modules.training_abandon.notice.procedure import NOTICE_NAMES
from trytond.modules.training_abandon.procedure.letter import NAMES, blocks
from trytond.modules.training_abandon.risk.procedure import CONCERN_NAMES
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import DatabaseTestCase
from .test_documentation import DOC, rows, sections

# The letter of the customer, word for word
ANNOUNCED = """
Madame, Monsieur,
Vous nous avez fait part de votre souhait d'abandonner la formation intitulée Excel.
Nous en sommes désolés.
Dans le cadre de notre gestion des ruptures de convention, pouvez-vous nous indiquer les raisons de votre décision ?
- Manque de temps
- Manque de motivation pour la thématique
- Caractère obligatoire de la formation
- Autres :
Nous reviendrons vers vous très prochainement après analyse de vos raisons pour vous proposer une alternative pouvant répondre à vos attentes ou contraintes.
Nous restons disponibles pour toute question.
Dans l'attente de vous lire, je vous prie d'agréer nos meilleures salutations.
"""  # noqa: E501


def words(text):
    "Return the words of the text, however they are spaced"
    return re.sub(r'\s+([:?;!])', r'\1', ' '.join(text.split()))


class ProcedureDataTestCase(DatabaseTestCase):
    "Test the letters of the module"
    language = 'fr'

    def letters(self, *domain):
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        letters = Letter.search([('procedure.code', '=', 'DR-AT014'), *domain])
        self.assertTrue(letters)
        return letters

    @with_transaction()
    def test_samples(self):
        "Test that all the letters are written, whatever they tell or miss"
        texts = {}
        for language in ['en', 'fr']:
            with Transaction().set_context(language=language):
                letters = self.letters()
                for letter in letters:
                    samples = list(letter.samples(letter.names))
                    self.assertGreater(len(samples), 1)
                    for missing, sample in samples:
                        with self.subTest(
                                letter=letter.rec_name, language=language,
                                missing=missing):
                            subject, text = letter.render(**sample)
                            self.assertTrue(subject)
                            self.assertNotRegex(text, r'[$#{}·]')
                            if not missing:
                                self.assertNotRegex(text, r'\n{3}| \n')
                            self.assertTrue(blocks(text))
                    texts.setdefault(letter.id, set()).add(text)
        for id_, both in texts.items():
            self.assertEqual(len(both), 2, self.letters(('id', '=', id_)))

    @with_transaction()
    def test_grounds(self):
        "Test that a letter is written for each ground"
        letter = self.letters(('step_kind', '=', 'decide'))[0]
        samples = list(letter.samples({'ground'}))
        self.assertGreaterEqual(
            len({s['ground'] for _, s in samples}), 12)

    @with_transaction()
    def test_announced(self):
        "Test that the announced letter is the one of the customer"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        procedure, = Procedure.search([('state', '=', 'active')])
        letter = procedure.get_letter('ask_reasons', 'announced', 'trainee')
        _, sample = next(letter.samples(letter.names))
        reasons = [
            f'{r.name} :' if r.requires_detail else r.name
            for r in procedure.reasons]
        _, text = letter.render(**{**sample, 'reasons': reasons})
        self.assertTrue(words(text).startswith(words(ANNOUNCED)), text)

    @with_transaction()
    def test_answer(self):
        "Test that each letter says how to answer and whom to call"
        for letter in self.letters(
                ('variant', 'not in', ['statement', 'record'])):
            with self.subTest(letter=letter.rec_name):
                _, sample = next(letter.samples(letter.names))
                _, text = letter.render(**sample)
                self.assertRegex(
                    text, r"Dominique Leroy\nActive Talents\n\n"
                    r"Pour nous répondre, .* appelez le \+33 4 93 00 00 00\.")
                _, text = letter.render(**{**sample, 'phone': ''})
                # The letter to the mediator may be sent by post
                self.assertRegex(
                    text, r"(répondez à ce message|écrivez-nous)\.\n$")

    @with_transaction()
    def test_number(self):
        "Test the singular and the plural"
        for letter in self.letters(
                ('step_kind', 'in', ['inform', 'ask_reasons']),
                ('variant', 'in', ['standard', 'silent'])):
            with self.subTest(letter=letter.rec_name):
                _, sample = next(letter.samples(letter.names))
                for absences, word, other in [
                        (["lundi"], "le jour suivant", "les jours suivants"),
                        (["lundi", "mardi"],
                            "les jours suivants", "le jour suivant"),
                        ]:
                    _, text = letter.render(**{**sample, 'absences': absences})
                    self.assertIn(word, text)
                    self.assertNotIn(other, text)

    @with_transaction()
    def test_follow_up(self):
        "Test what the follow-up says of the proposals and of the answers"
        for letter in self.letters(
                ('step_kind', '=', 'follow_up'), ('variant', '=', 'standard')):
            _, sample = next(letter.samples(letter.names))
            for proposals, answers, said, not_said in [
                    (["Soir"], ["Soir : accord"],
                        ["Voici ce que", "- Soir\n", "Voici les réponses",
                            "- Soir : accord\n", "votre accord"],
                        ["alternative"]),
                    ([], ["Soir : refus"],
                        ["- Soir : refus\n", "Aucune de nos propositions"],
                        ["Voici ce que", "trouvé"]),
                    ([], [], ["nous n'avons pas trouvé d'alternative"],
                        ["Voici", "Aucune"]),
                    ]:
                with self.subTest(
                        letter=letter.rec_name, proposals=proposals,
                        answers=answers):
                    _, text = letter.render(**{
                            **sample, 'proposals': proposals,
                            'answers': answers})
                    for words_ in said:
                        self.assertIn(words_, text)
                    for words_ in not_said:
                        self.assertNotIn(words_, text)

    @with_transaction()
    def test_names(self):
        "Test that each name is shown with what it is and an example"
        for kind, names in [
                ('inform', {**NAMES, **CASE_NAMES}),
                ('concern', {**NAMES, **CONCERN_NAMES}),
                ('attendance', {**NAMES, **NOTICE_NAMES})]:
            letter = self.letters(('step_kind', '=', kind))[0]
            lines = letter.known_names.splitlines()
            self.assertEqual(
                [line.split(' – ')[0] for line in lines],
                [f'${{{n}}}' for n in sorted(names)])
            for line in lines:
                name, label, example = line.split(' – ', 2)
                with self.subTest(name=name):
                    self.assertTrue(label)
                    self.assertTrue(example)
        self.assertIn("${trainee} – stagiaire – Camille Martin", lines)
        self.assertIn("lundi\xa015.03.2027", letter.known_names)

    def test_documentation(self):
        "Test that the documentation tells the same names"
        text = sections((DOC / 'usage.rst').read_text(encoding='utf-8'))[
            'Writing the letters']
        named = {
            name for row in rows(text) for name in re.findall(
                r'^``\$\{(\w+)\}``', row[0])}
        self.assertEqual(
            named, NAMES.keys() | CASE_NAMES.keys() | NOTICE_NAMES.keys()
            | CONCERN_NAMES.keys())

    @with_transaction()
    def test_take_letters(self):
        "Test that a draft takes the letters of the module"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        Procedure = pool.get('training.abandon.procedure')
        procedure, = Procedure.search([('state', '=', 'active')])
        revision, = Procedure.copy([procedure])
        Letter.write(list(revision.letters), {
                'subject': "Objet", 'text': "Texte"})
        with Transaction().set_context(language='en'):
            Letter.write(list(revision.letters), {
                    'subject': "Subject", 'text': "Text"})
        Letter.delete(list(revision.letters[:3]))
        with self.assertRaises(AccessError):
            Procedure.take_letters([procedure])
        Procedure.take_letters([revision])
        for language in ['en', 'fr']:
            with self.subTest(language=language), \
                    Transaction().set_context(language=language):
                taken, kept = [
                    {
                        (x.step_kind, x.variant, x.audience): (
                            x.subject, x.text, x.roles, x.case_states)
                        for x in Procedure(p.id).letters}
                    for p in [revision, procedure]]
                self.assertEqual(taken, kept)
