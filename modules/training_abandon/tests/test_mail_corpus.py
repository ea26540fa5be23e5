# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import json
import random
import unittest
from pathlib import Path

from trytond.modules.training_abandon.mail.message import read_message
from trytond.modules.training_abandon.mail.text import newest_part

FOREIGN = Path(__file__).parent / 'foreign'
MESSAGE_ID = '<176000000000.1.mail@provider.example>'


class MailCorpusTestCase(unittest.TestCase):
    "Test the reading of the messages of many servers and programs"

    maxDiff = None

    def test_foreign(self):
        "Test each message, without any database"
        expected = json.loads(
            (FOREIGN / 'expected.json').read_text(encoding='utf-8'))
        paths = sorted(FOREIGN.glob('*.eml'))
        self.assertEqual([p.stem for p in paths], sorted(expected))
        for path in paths:
            with self.subTest(path.stem):
                values = expected[path.stem]
                result = self.describe(read_message(path.read_bytes()))
                self.assertEqual(
                    {name: result[name] for name in values}, values)

    def test_person(self):
        "Test that what a person tells is taken for nothing else"
        for text in [
                "Envoyé de Lyon à Paris, je ne peux plus venir.",
                "Envoyé de mon iPhone car je suis malade",
                "Envoyé de mon bureau, j'arrête",
                "Sent with love, I am ill",
                "Obtenir un rendez-vous par téléphone est impossible",
                "Télécharger avec mon téléphone ne marche pas",
                "Yahoo mail : plus d'accès",
                "Message du 3 mars : je ne viens pas.",
                "De : Camille\nÀ : Formation\nObjet : Abandon\n\nMalade.",
                ]:
            with self.subTest(text=text):
                self.assertEqual(newest_part(text), text)
                text = f"Bonjour,\n{text}\nMerci"
                self.assertEqual(newest_part(text), text)

    def test_signature(self):
        "Test that the signatures of the programs are no words"
        for signature in [
                "Envoyé de mon iPad",
                "Envoyé de mon iPhone, merci d'excuser les fautes",
                "Envoyé à partir de l’application mobile",
                "Envoyé à partir d’Outlook pour Android<https://a.example/b>",
                "Envoyé depuis un mobile Samsung",
                "Sent from Yahoo Mail on Android",
                "Sent from Mail<https://mail.example/?id=5> for Windows",
                "Sent from my Verizon, Samsung Galaxy smartphone",
                "Sent with Shift",
                "Yahoo Mail : Recherchez. Organisez. Maîtrisez",
                "Garanti sans virus. www.avast.com<https://www.avast.com>",
                "Cet e-mail a été vérifié par le logiciel antivirus d'Avast.",
                # with invisible signs
                "\u2063Télécharger BlueMail pour Android \u200b",
                ]:
            with self.subTest(signature=signature):
                self.assertEqual(newest_part(f"Oui.\n\n{signature}"), "Oui.")

    def test_header(self):
        "Test the lines above what the programs quote"
        for header in [
                '"Formation Sud" <a@b.example> a écrit :',
                '============ Forwarded message ============\nDe: A\nA: B',
                'Message du 02/03/26 à 10:12',
                '2 mars 2026 10:12:00 Formation Sud <a@b.example>:',
                '2 mars 2026 10:12 "Formation" <a@b.example> a écrit:',
                '---- Activé lun., 02 mars 2026 a@b.example a écrit ----',
                "-------- Message d'origine --------De : A Date : 2 mars",
                ]:
            with self.subTest(header=header):
                self.assertEqual(
                    newest_part(f"Oui.\n\n{header}\n\n> Bonjour"), "Oui.")

    def test_automatic(self):
        "Test what tells an automatic reply, and what a person also writes"
        away = "Je suis absente jusqu'au 12 mars."
        for subject, text, kind in [
                ("Auto-réponse : Votre absence", away, 'auto_reply'),
                ("Réponse auto : Votre absence", away, 'auto_reply'),
                ("Répondeur : Votre absence", away, 'auto_reply'),
                ("Vacation reply", away, 'auto_reply'),
                ("[Absence] Votre absence", away, 'auto_reply'),
                ("Absent(e) : Votre absence", away, 'auto_reply'),
                ("En congés : Votre absence", away, 'auto_reply'),
                ("Accusé de réception automatique", "Oui.", 'auto_reply'),
                ("Fermeture estivale Re: x", away, 'auto_reply'),
                ("Re: x", "Message automatique\n\nEn congés.", 'auto_reply'),
                ("Re: x", "Cette réponse est automatique.", 'auto_reply'),
                ("Re: x", "Je prendrai connaissance de votre message à mon "
                    "retour.", 'auto_reply'),
                ("Re: x", "J'aurai un accès limité à mes mails.",
                    'auto_reply'),
                ("Re: x", "En cas d'urgence, contactez le 01 02 03 04 05.",
                    'auto_reply'),
                ("Re: x", "Ce courriel est généré automatiquement.",
                    'auto_reply'),
                ("[Réponse auto] Votre absence", away, 'auto_reply'),
                ("Re: x", away, 'answer'),
                ("Absence : certificat médical", "Ci-joint.", 'answer'),
                ("[Absence]", "Je suis malade.", 'answer'),
                ("Accusé de réception du contrat", "Je le signe.", 'answer'),
                ("Accusé de réception", "Nous avons bien reçu votre message.",
                    'auto_reply'),
                ("Absente : rentrée", "Je serai de retour le 9 mars.",
                    'auto_reply'),
                ("Re: x", "Votre message a été envoyé automatiquement, "
                    "j'étais présente lundi.", 'answer'),
                ("Re: x", "Je préfère ne pas répondre à cette question.",
                    'answer'),
                ("Re: x", "Je préfère ne pas répondre à ce message.",
                    'answer'),
                ("Re: x", "Merci de ne pas répondre à ce courriel.",
                    'auto_reply'),
                ("Re: x", "En cas d'urgence, vous pouvez contacter ma mère.",
                    'answer'),
                ("Re: x", "Hospitalisé, je vous répondrai à mon retour.",
                    'answer'),
                ("Re: x", "En congés.\nJe vous répondrai dès mon retour.",
                    'auto_reply'),
                ("Réponse auto - Absence", away, 'auto_reply'),
                ("Auto-réponse de Marie", away, 'auto_reply'),
                ("Re: x", "Bonjour,\nCet e-mail vous est envoyé "
                    "automatiquement.", 'auto_reply'),
                ("Re: x", "Bonjour,\n\nMessage généré automatiquement, merci "
                    "de ne pas y donner suite.", 'auto_reply'),
                ("Re: x", "Bonjour,\nCet accusé de réception est généré "
                    "automatiquement.", 'auto_reply'),
                ("Re: x", "Merci de ne pas répondre à cette adresse.",
                    'auto_reply'),
                ("Réponse auto-évaluation", away, 'answer'),
                ("Réponse auto évaluation", away, 'answer'),
                ("Re: x", "Merci de ne pas répondre à cette adresse, c'est "
                    "celle de ma sœur.", 'answer'),
                ("Re: x", "J'ai reçu un courrier envoyé automatiquement : "
                    "j'étais présent.", 'answer'),
                ("Réponse auto-positionnement", away, 'answer'),
                ("Réponse auto Votre absence", away, 'auto_reply'),
                ("RÉPONSE AUTO Marie Martin", away, 'auto_reply'),
                ("Re: x", "Ceci est une réponse générée automatiquement.",
                    'auto_reply'),
                ("Re: x", "Un accusé de réception vous est envoyé "
                    "automatiquement.", 'auto_reply'),
                ("Re: x", "Merci de ne pas répondre à cette adresse, mais à "
                    "contact@x.example.", 'auto_reply'),
                ("Absence du bureau de poste", "Il était fermé.", 'answer'),
                ("Réponse auto-école", away, 'answer'),
                ("Re: x", "Je suis en congé maternité, j'arrête.", 'answer'),
                ("Re: x", "En cas d'urgence, contactez-moi au 06.", 'answer'),
                ("Re: x", "Je n'ai pas accès à ma messagerie le soir.",
                    'answer'),
                ("Votre email pour Camille est bloqué", "Débloquez-le sur "
                    "https://a.example, protégé par Vade.", 'challenge'),
                ("Demande de confirmation d'expéditeur", "Pour le sortir de "
                    "quarantaine, cliquez : https://a.example", 'challenge'),
                ("Confirmez que vous n'êtes pas un robot", "Répondez pour "
                    "que votre courriel soit distribué.", 'challenge'),
                ("Re: Vérification de l'assiduité", "J'étais malade.\n\n"
                    "Le 2 mars 2026 à 09:00, a@x.example a écrit :\n"
                    "> Votre courriel est en attente : https://x.example",
                    'answer'),
                ("Vérification de votre dossier", "Mon dossier est en "
                    "attente à France Travail, répondez-moi.", 'answer'),
                ("Re: x", "Votre mail était bloqué dans mon antispam, je "
                    "clique toujours trop tard. Je suis malade.", 'answer'),
                ]:
            with self.subTest(subject=subject, text=text):
                self.assertEqual(
                    self.describe(read_message(
                            f"From: a@b.example\nSubject: {subject}\n"
                            f"Content-Type: text/plain; charset=utf-8\n\n"
                            f"{text}\n".encode()))['kind'],
                    kind)

    def test_refusal(self):
        "Test what the words of a server refuse"
        for words, refusal in [
                ("550 RP-001 Some messages from 1.2.3.4 weren't sent",
                    'message'),
                ("550 Aucune boîte à cette adresse", 'address'),
                ("550 Aucune boîte aux lettres de ce nom", 'address'),
                ("550 Aucun compte trouvé", 'address'),
                ("550 Aucun destinataire valide", 'address'),
                ("550 Ce message n'a été remis à aucun destinataire à cause "
                    "de sa taille", None),
                ("550 Aucun destinataire de ce nom", 'address'),
                ("550 Aucune adresse ne correspond", 'address'),
                ("550 Ce message n'a été remis à aucune boîte à cause de sa "
                    "taille", None),
                ("550 Ce message n'a été remis à aucun destinataire valide",
                    None),
                ("550 Contact inconnu", 'address'),
                ("550 Aucun utilisateur de ce nom", 'address'),
                ("550 Ce message n'a été remis à aucun destinataire", None),
                ("550 Prenez contact avec notre support si votre message "
                    "reste bloqué", 'message'),
                ("550 Le compte de messagerie a été résilié", 'address'),
                ("Cette adresse n’est plus utilisée", 'address'),
                ("550 Compte désactivé", 'address'),
                ("550 La réputation de votre serveur est insuffisante",
                    'message'),
                ("550 Message considéré comme indésirable", 'message'),
                ("550 5.4.1 Recipient address rejected: Access denied",
                    'address'),
                ("550 5.7.26 Unauthenticated email is not accepted",
                    'message'),
                ]:
            with self.subTest(words=words):
                result = self.describe(read_message(
                        "From: MAILER-DAEMON@a.example\n"
                        "Subject: Undelivered Mail Returned to Sender\n"
                        "Content-Type: text/plain; charset=utf-8\n\n"
                        f"<camille@mail.example>: {words}\n".encode()))
                self.assertEqual(
                    (result['kind'], result['refusal']), ('bounce', refusal))

    def test_damaged(self):
        "Test that no damage stops the reading or leaves what no one stores"
        chance = random.Random(20260303)
        messages = [p.read_bytes() for p in sorted(FOREIGN.glob('*.eml'))]
        for _ in range(1_000):
            data = bytearray(chance.choice(messages))
            for _ in range(chance.randint(1, 8)):
                position = chance.randrange(len(data) + 1)
                other = chance.choice(messages)
                data[position:position + chance.choice([0, 1, 50])] = (
                    other[chance.randrange(len(other)):][:chance.choice(
                            [0, 1, 200])]
                    or bytes([chance.randrange(256)]))
            with self.subTest(data=bytes(data)), self.assertNoLogs(
                    'trytond.modules.training_abandon'):
                result = self.describe(read_message(bytes(data)))
                for value in filter(None, map(str, result.values())):
                    value.encode('utf-8')
                    self.assertNotIn('\x00', value)

    def describe(self, message):
        bounce = message.bounce
        return {
            'kind': self.kind(message),
            'mail': MESSAGE_ID in message.answered,
            'uncertain': bool(bounce and bounce.uncertain),
            'refusal': bounce.refusal if bounce else None,
            'reason': bounce.reason if bounce else None,
            'recipients': bounce.recipients if bounce else None,
            'from_': message.from_,
            'subject': message.subject,
            'text': message.text,
            'attachments': [name for name, _, _ in message.attachments],
            }

    def kind(self, message):
        if message.bounce:
            return {
                'failed': 'bounce',
                'delayed': 'delay',
                'delivered': 'auto_reply',
                }[message.bounce.action]
        elif message.challenge:
            return 'challenge'
        return 'auto_reply' if message.automatic else 'answer'
