# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the servers refuse: an address, or the message and who sends it"
import re

from .text import fold

_ADDRESS = re.compile(r'\S+@\S+|https?:\S+')
_US = re.compile(r'(?<![\d.])[45]\.7\.\d{1,3}(?![\d.])')

# The words are folded: they have no capitals and no accents
_SPAM_WORDS = [
    # The message
    r'spam', r'junk', r'unsolicited', r'\buce\b', r'bulk (e-?)?mail',
    r'virus', r'malware', r'phish', r'infecte', r'bayes',
    r'\bofr\w*_5\d\d',  # Orange
    r'lpn\w*_[45]0\d\b',  # La Poste: the reputation of the server
    r'(content|contenu).{0,30}(reject|refus|block|bloqu|denied|filter)',
    r'(suspicious|undesirable|indesirable|unwanted)',
    # The server that sends
    r'(black|block|deny|bad)[- ]?list', r'liste? noire', r'\b(dns|r)bls?\b',
    r'spamhaus', r'spamcop', r'barracuda', r'sorbs', r'senderscore',
    r'cloudmark', r'proofpoint dynamic', r'reputation',
    r'(reverse|inverse) (dns|lookup)', r'\b(r?dns|ptr) (record|check|fail)',
    r'\b(ptr|rdns)\b', r'\b(helo|ehlo)\b', r'client host', r'banned',
    r'\b(your|votre|sending|source) (ip|host|server|serveur|network|domain)',
    r'(connections?|messages|mails?|traffic) from (your|this|the) '
    r'(ip|host|server|network|domain)',
    r'\b(ip|address|adresse ip)\b.{0,40}\b(blocked|listed|bloquee)',
    r'\bpolic(y|ies)\b', r'politique',
    # Who sends
    r'\b(dmarc|dkim|spf|sender id)\b', r'unauthenticated',
    r'authenticat', r'spoof', r'usurp', r'forged',
    r'sender.{0,5}(address|domain|host|verif|ip)',
    r'(sender|from)\b.{0,60}\b(reject|refused|denied|blocked|invalid'
    r'|not (authori[sz]ed|allowed|permitted|exist|accepted|verified))',
    r'(invalid|unknown|bad|your|unverified) (sender|from)\b',
    r'domain of (the )?sender', r'mail from', r'envelope[- ]from',
    r'expediteur.{0,40}(refus|rejet|bloqu|inconnu|invalide|interdit'
    r'|non autorise)',
    r'(adresse|domaine) (de |d.)(l.)?expediteur',
    ]
_ADDRESS_WORDS = [
    r'(user|recipient|mailbox|address|account|alias|inbox)\S? '
    r'(\S+ ){0,3}?(is |was |has been )?(unknown|unavailable|disabled'
    r'|inactive|suspended|closed|invalid|full|expired|deactivated|deleted'
    r'|terminated|locked|blocked|not (found|known|exist|available|valid'
    r'|active|a valid)|does ?n[o.]t exist|doesn.t exist)',
    r'(unknown|invalid|no such|non-?existent|bad|no valid) '
    r'(\S+ )?(user|recipient|mailbox|address|account|host|domain|person'
    r'|destination|alias|name|local)',
    r'(user|recipient|mailbox|address|account)\S? (\S+ ){0,6}'
    r'(does not|doesn.t|did not) (exist|have)',
    r'no mailbox', r'recipient(address)? ?rejected', r'recipientnotfound',
    r'recipient address rejected: access denied',
    r'(address|recipient).{0,30}(could ?n.t|could not|cannot) be found',
    r'address not found', r'wasn.t found at', r'not listed in',
    r'(over|exceeded|exceeds|out of|above).{0,20}quota', r'quota exceeded',
    r'(mailbox|storage).{0,20}(full|limit)', r'insufficient disk',
    r'(host|domain|name)\S? (\S+ )?(unknown|not found|does not exist'
    r'|is not known)',
    r'name or service not known', r'unrout(e)?able', r'has moved',
    r'no longer (available|valid|exists|in use|active|works)',
    r'mailbox unavailable', r'nullmx', r'null mx',
    r'(destinataire|utilisateur|adresse|boite|compte|domaine|hote|bal)s?\b'
    r' (\S+ ){0,4}?(inconnue?|invalides?|inexistante?|introuvable|pleine'
    r'|saturee|desactivee?|fermee?|suspendue?|indisponible|supprimee?'
    r'|cloturee?)\b',
    r'n.existe (pas|plus)', r'quota (est )?(depasse|atteint)',
    r'adresse d.au moins un destinataire', r'plus (en service|valide)',
    ]
_TEMPORARY_WORDS = [
    r'too many', r'trop de', r'rate.?limit', r'throttl', r'too quickly',
    r'(grey|gray)-?list', r'liste grise', r'try (again|later)',
    r'temporar', r'temporaire', r'reessay', r'ulterieurement',
    r'insufficient (system|storage|resource)', r'overload', r'surcharge',
    r'(system|internal|server|local) (error|failure|problem)',
    r'disk full', r'resources? ', r'out of memory', r'too busy',
    ]
_MESSAGE_WORDS = [
    r'(message|mail|e-?mail|courriel|courrier|transaction|data|connection)'
    r'\S? (\S+ ){0,3}?(refused|rejected|blocked|denied|discarded|filtered'
    r'|not (accepted|allowed|permitted)|refuse|rejete|bloque|filtre)',
    r'(message|attachment|piece jointe|mail|fichier).{0,30}(too|trop) '
    r'(large|big|long|volumineu|gros|lourd)',
    r'(message|mail)?.{0,20}size.{0,20}(exceed|limit|large|big)',
    r'exceeds?.{0,30}(size|limit)', r'taille (maximale|limite|du message)',
    r'not (authori[sz]ed|allowed|permitted)', r'unauthori[sz]ed',
    r'non autorise', r'(access|permission) denied', r'acces refuse',
    r'relay', r'blocked', r'bloque', r'denied', r'prohibited', r'interdit',
    r'syntax error', r'protocol error', r'malformed', r'rfc ?[25]\d\d\d',
    r'header', r'entete', r'bare lf', r'starttls', r'\btls\b',
    r'attachment', r'piece jointe', r'forbidden', r'complain',
    ]
_WORDS = [
    (kind, re.compile('|'.join(words))) for kind, words in [
        ('message', _SPAM_WORDS),
        ('address', _ADDRESS_WORDS),
        ('temporary', _TEMPORARY_WORDS),
        ('message', _MESSAGE_WORDS),
        ]]
# The status of RFC 3463 that leave no doubt, whatever a text says beside
_CLEAR = re.compile(r'5\.(1\.(1|2|3|6|10)|2\.[12]|4\.4)$')
# What the others are about, the first that matches
_STATUSES = [
    (re.compile(r'[45]\.1\.[78]$'), 'message'),
    (re.compile(r'[45]\.(2\.3|3\.4)$'), 'message'),
    (re.compile(r'[45]\.[567]\.'), 'message'),
    (re.compile(r'[45]\.3\.'), 'temporary'),
    (re.compile(r'[45]\.(0\.|2\.0$)'), None),
    (re.compile(r'[45]\.[124]\.'), 'address'),
    ]


def refused(status, reason, words):
    """Return what is refused for good: address, message (or its sender),
    temporary, or None if no word and no code tells it.

    A good address is worth more than a mail that comes back again: the
    doubt is for the address."""
    return (
        _by_words(f'{status} {reason}')
        or _CLEAR.match(status) and 'address'
        or _by_words(words)
        or _by_status(status))


def _by_words(text):
    text = fold(text)
    if _US.search(text):
        return 'message'
    text = ' '.join(_ADDRESS.sub(' ', text).split())
    for kind, pattern in _WORDS:
        if pattern.search(text):
            return kind


def _by_status(status):
    for pattern, kind in _STATUSES:
        if pattern.match(status):
            return kind
