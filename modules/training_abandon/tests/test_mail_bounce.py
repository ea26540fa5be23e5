# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest

from trytond.modules.training_abandon.mail.bounce import (
    Bounce, is_server, own_words)
from trytond.modules.training_abandon.mail.message import read_message
from trytond.modules.training_abandon.mail.refusal import refused

# What the servers say: the status, the diagnostic, what is refused
REFUSALS = [
    # The address
    ('5.1.1', "550 5.1.1 <a@b.example>: User unknown", 'address'),
    ('5.0.0', "550 No such user here", 'address'),
    ('5.0.0', "550 Mailbox not found", 'address'),
    ('5.0.0', "550 Requested action not taken: mailbox unavailable",
        'address'),
    ('5.0.0', "550 a@b.example is not a valid mailbox", 'address'),
    ('5.2.0', "550 5.2.0 Boite aux lettres inconnue", 'address'),
    ('5.2.2', "552 5.2.2 Over quota", 'address'),
    ('', "552 Boîte pleine", 'address'),
    ('5.2.1', "550 5.2.1 The account is disabled", 'address'),
    ('5.1.0', "550 5.1.0 Address rejected.", 'address'),
    ('5.4.1', "550 5.4.1 Recipient address rejected: Access denied.",
        'address'),
    ('5.4.4', "Host or domain name not found", 'address'),
    ('5.1.2', "unknown host", 'address'),
    ('5.5.0', "550 5.5.0 Adresse d au moins un destinataire invalide. "
        "LPN007_510", 'address'),
    ('5.1.1', "550 5.1.1 Adresse d au moins un destinataire invalide. "
        "OFR_416", 'address'),
    ('', "L'adresse n'existe pas", 'address'),
    ('5.5.0', "550 5.5.0 Le compte du destinataire est bloque.", 'address'),
    ('5.2.0', "550 Boite du destinataire archivee. OFR_420", 'address'),
    ('', "utilisateur inconnu", 'address'),
    ('4.4.7', "", 'address'),
    ('5.0.0', "550 5.1.1 unknown or illegal alias", 'address'),
    ('', "Le quota de la boîte du destinataire est dépassé", 'address'),
    ('5.0.0', "L'utilisateur n'est pas répertorié dans l'Annuaire Domino",
        'address'),
    ('5.0.0', "L'adresse e-mail que vous avez saisie est introuvable",
        'address'),
    # The message or its sender
    ('5.7.1', "550 5.7.1 User unknown", 'message'),
    ('5.0.0', "smtp; 554 5.7.26 Unauthenticated email from x.example",
        'message'),
    ('5.1.1', "550 5.1.1 a@b.example blocked using zen.spamhaus.example",
        'message'),
    ('5.2.0', "550 5.2.0 Mail rejete. Mail rejected. OFR_506 [506]",
        'message'),
    ('5.0.0', "550 spam detected", 'message'),
    ('5.0.0', "554 Message considéré comme indésirable", 'message'),
    ('5.0.0', "553 sender domain does not exist", 'message'),
    ('5.1.8', "553 5.1.8 Domain of sender address does not exist",
        'message'),
    ('5.1.0', "550 5.1.0 Sender rejected", 'message'),
    ('5.1.7', "", 'message'),
    ('5.0.0', "550 Emetteur invalide. Invalid Sender.", 'message'),
    ('5.0.0', "550 Verification failed for <a@b.example>: sender verify "
        "failed", 'message'),
    ('5.0.0', "554 Client host rejected: cannot find your hostname",
        'message'),
    ('5.0.1', "550 5.0.1 Code d'authentification invalide", 'message'),
    ('5.0.0', "554 Your server has a poor reputation", 'message'),
    ('5.0.0', "550 Votre adresse IP est sur liste noire", 'message'),
    ('5.0.0', "550 no PTR record found", 'message'),
    ('5.0.0', "550 rejected by the local policy", 'message'),
    ('5.0.0', "550 Rejeté par la politique de sécurité", 'message'),
    ('5.0.0', "550 The message contains a virus", 'message'),
    ('5.3.4', "552 5.3.4 Message size exceeds fixed limit", 'message'),
    ('5.0.0', "552 Message trop volumineux", 'message'),
    ('5.0.0', "554 Relay access denied", 'message'),
    ('5.0.0', "550 Courrier refusé", 'message'),
    ('5.6.0', "554 5.6.0 Lone CR or LF in headers", 'message'),
    ('5.5.2', "500 5.5.2", 'message'),
    ('5.0.0', "550 Messages from this network are too many complaints",
        'message'),
    ('4.7.0', "421 4.7.0 unusual rate of mail", 'message'),
    ('5.0.0', "550 The recipient has blocked your address", 'message'),
    ('5.0.0', "550 Le destinataire a bloqué votre adresse", 'message'),
    ('5.0.0', "550 Your account has been suspended", 'message'),
    ('5.0.0', "550 Votre compte est suspendu", 'message'),
    ('5.0.0', "550 The account you are sending from is disabled", 'message'),
    ('5.0.0', "550 Invalid address in From header", 'message'),
    ('5.0.0', "552 Message size exceeds mailbox limit", 'message'),
    ('5.0.0', "550 Le compte expéditeur n'existe pas", 'message'),
    ('5.0.0', "550 Return address does not exist", 'message'),
    ('5.0.0', "550 The domain of your address does not exist", 'message'),
    # Nothing for ever
    ('4.2.0', "450 4.2.0 <a@b.example>: Recipient address rejected: "
        "Greylisted", 'temporary'),
    ('5.2.1', "550 5.2.1 The user you are trying to contact is receiving mail "
        "at a rate that prevents additional messages", 'temporary'),
    ('4.1.1', "450 4.1.1 Recipient address rejected: unverified address: "
        "Address verification in progress", 'temporary'),
    ('5.2.1', "450 4.2.1 mailbox temporarily disabled", 'temporary'),
    ('5.0.0', "450 Boîte temporairement bloquée", 'temporary'),
    ('5.4.5', "550 5.4.5 Daily user sending limit exceeded", 'temporary'),
    ('5.0.0', "550 Outgoing quota exceeded for this hour", 'temporary'),
    ('5.0.0', "550 quota horaire dépassé", 'temporary'),
    ('5.4.6', "554 5.4.6 Hop count exceeded - possible mail loop",
        'temporary'),
    ('4.2.0', "450 4.2.0 Greylisted, try again later", 'temporary'),
    ('5.0.0', "550 Too many connections", 'temporary'),
    ('4.3.0', "", 'temporary'),
    ('5.3.0', "554 5.3.0", 'temporary'),
    ('', "Veuillez réessayer ultérieurement", 'temporary'),
    ('5.5.0', "550 5.5.0 Service refuse. Veuillez essayer plus tard. "
        "LPN001_108", 'temporary'),
    # Nobody knows
    ('5.0.0', "550", None),
    ('5.2.0', "", None),
    ('', "", None),
    ]


class BounceTestCase(unittest.TestCase):
    "Test what the servers refuse"

    def test_refused(self):
        "Test what the status and the words refuse"
        for status, reason, expected in REFUSALS:
            with self.subTest(status=status, reason=reason):
                self.assertEqual(refused(status, reason, ''), expected)

    def test_text(self):
        "Test that the text tells what the fields do not"
        for words, expected in [
                ("Your message looks like spam.", 'message'),
                ("L'adresse n'existe plus.", 'address'),
                ("Unknown user. It may be a temporary problem.", 'address'),
                ("Bonjour", None)]:
            with self.subTest(words=words):
                self.assertEqual(refused('5.0.0', "550", words), expected)
        # but not more than a status that is clear
        self.assertEqual(
            refused('5.1.1', "550 5.1.1", "Read our policy"), 'address')

    def test_action(self):
        "Test that only a failure refuses an address"
        for action, expected in [
                ('failed', 'address'), ('delayed', 'temporary'),
                ('delivered', None)]:
            with self.subTest(action=action):
                self.assertEqual(Bounce(action, '5.1.1').refusal, expected)

    def test_is_server(self):
        "Test who is a server, and who is a person"
        for sender, expected in [
                ('<>', True),
                ('', True),
                ('MAILER-DAEMON <>', True),
                ('MAILER-DAEMON (Mail Delivery System)', True),
                ('"Mail Delivery Subsystem" <MAILER-DAEMON>', True),
                ('Mail Delivery System <noreply@isp.example>', True),
                ('<Mailer_Daemon@isp.example>', True),
                ('postmaster@isp.example', True),
                ('Système de messagerie <x@isp.example>', True),
                ('Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36a'
                    'b6ce41109e@x.example>', True),
                ('"Camille" <camille@mail.example>', False),
                ('camille.daemon@mail.example', False),
                ('Camille Postmaster', False),
                (None, False)]:
            with self.subTest(sender=sender):
                self.assertEqual(is_server(sender), expected)

    def test_read(self):
        "Test the words of servers and of persons who look like them"
        for headers, text, expected in [
                ("From: Messagerie <noreply@isp.example>\n"
                    "Subject: Votre message non distribué\nReturn-Path: <>",
                    "Raison : boîte pleine", ('failed', 'address')),
                ('From: "Courier mail server at x" <@isp.example>\n'
                    "Subject: NOTICE: mail delivery status.\n"
                    "Return-Path: <>",
                    "550 User unknown", ('failed', 'address')),
                ("From: postmaster@isp.example\nSubject: Retard de remise",
                    "Le serveur essaie encore", ('delayed', 'temporary')),
                ("From: postmaster@isp.example\n"
                    "Subject: Avertissement : message en attente",
                    "Le serveur essaie encore", ('delayed', 'temporary')),
                ("From: postmaster@isp.example\n"
                    "Subject: Avertissement : message non remis",
                    "<x@a.example>: 550 utilisateur inconnu",
                    ('failed', 'address')),
                ("From: postmaster@isp.example\nSubject: Mail deferred\n"
                    "X-Failed-Recipients: x@a.example",
                    "Mailbox unavailable", ('failed', 'address')),
                ("From: postmaster@isp.example\nSubject: Remis : Absence",
                    "", ('delivered', None)),
                ("From: Mail Admin <admin@school.example>\n"
                    "Subject: Re: Votre absence\n"
                    "Return-Path: <admin@school.example>",
                    "Le compte n'existe plus, je suis malade", None),
                ("From: postmaster@isp.example\nSubject: Re: Votre absence\n"
                    "Return-Path: <>",
                    "L'adresse n'existe pas", ('failed', 'address')),
                ]:
            with self.subTest(headers=headers):
                bounce = read_message(
                    f"{headers}\n\n{text}".encode()).bounce
                self.assertEqual(
                    bounce and (bounce.action, bounce.refusal), expected)

    def test_own_words(self):
        "Test that the returned message is not read"
        returned = "Received: from a\nSubject: Spam"
        self.assertEqual(own_words(f"Unknown\n\n{returned}"), "Unknown\n\n")
        self.assertEqual(own_words(returned), returned)
