# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the servers refuse: an address, or the message and who sends it"
import re

from .text import fold

_ADDRESS = re.compile(r'(?<!\S)\S+@\S+|https?:\S+')
# The status of what is refused for its policy, which says no more
_US = re.compile(r'(?<![\d.])[45]\.7\.\d{1,3}(?![\d.])')
_US_WORD = 'policy'

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
    r'(ip|host|server|network|domain)', r'\bfrom \[?\d+(\.\d+){3}\b',
    r'\b(ip|address|adresse ip)\b.{0,40}\b(blocked|listed|bloquee)',
    r'(dynamic|invalid|this|bad|residential) ip', r'open proxy',
    r'abus(ive)?\b',
    r'(server|host|device|client)s? (with|without|has) (no|a|valid)',
    r'complain', r'(verif|confirm).{0,20}mail server', r'go away',
    r'\bpolic(y|ies)\b', r'politique', r'members?[- ]only', r'mailing list',
    r'administrative(ly)? prohibit', r'rcpthosts',
    # Who sends
    r'\b(dmarc|dkim|spf|sender id)\b', r'unauthenticated',
    r'authenti(c|f)', r'spoof', r'usurp', r'forged',
    r'sender.{0,5}(address|domain|host|verif|ip)',
    r'(sender|from)\b.{0,60}\b(reject|refused|denied|blocked|invalid'
    r'|not (authori[sz]ed|allowed|permitted|exist|accepted|verified))',
    r'(invalid|unknown|bad|your|unverified|null|empty|verify) '
    r'(\S+ )?(senders?|from)\b',
    r'returned mail not accepted', r'dead domain',
    r'domain of (the )?sender', r'mail from', r'envelope[- ]from',
    r'(expediteur|emetteur).{0,40}(refus|rejet|bloqu|inconnu|invalide|interdit'
    r'|non autorise)',
    r'(adresse|domaine) (de |d.)(l.)?expediteur', r'cet expediteur',
    r'(blocked|bloque) (by (the )?recipient|you|your|votre|vos)\b',
    r'\byour (account|address) (has|is|was)\b', r'sending from\b',
    r'votre (adresse|compte|domaine) (est|a ete|n.est)\b', r'from header',
    r'(domaine|serveur|compte) (de |d.)?(l.)?(emetteur|expediteur)',
    r'(domain|name|account) of (your|(the )?sender)\b', r'server name',
    r'(return|reply) (address|path)', r'adresse de (retour|reponse)',
    # What is too large, even for a mailbox
    r'message (size )?(exceeds|is larger|larger|too large)',
    r'(?<!not )listed (at|by)\b', r'permission to receive',
    ]
# What passes, whatever else is said of the address
_PASSING_WORDS = [
    r'temporar', r'temporaire', r'(grey|gray)-?list', r'liste grise',
    r'at a rate', r'verification in progress', r'\bbusy\b',
    r'(sending|hourly|daily|outgoing) (\S+ )?(limit|quota)',
    r'quota (d.envoi|horaire|journalier)', r'trop de destinataires',
    r'\bloop', r'hop count', r'too many hops', r'boucle',
    ]
_ADDRESS_WORDS = [
    r'(user|recipient|mailbox|address|account|alias|inbox)\S? '
    r'(\S+ ){0,3}?(is |was |has been )?(unknown|unavailable|disabled'
    r'|inactive|suspended|closed|invalid|full|expired|deactivated|deleted'
    r'|terminated|locked|blocked|wrong|archived|not (found|known|exist'
    r'|available|valid|active|present|local|ok|a (valid|known))'
    r'|does ?n[o.]t exist|doesn.t exist)',
    r'not (a|an) (valid|known|local|active|existing) (user|address|mailbox'
    r'|recipient|account)', r'(bad|archived)[-_ ](address|recipient|user)',
    r'no (one|account|mail ?box|user)\b', r'badrcptto', r'accept user',
    r'(?<!ip )(?<!sender )(address|recipient)s? (was |were )?rejected',
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
    r'indicated no smtp service',
    r'no longer (available|valid|exists|in use|active|works)',
    r'mailbox unavailable', r'nullmx', r'null mx',
    r'(destinataire|utilisateur|adresse|boite|compte|domaine|hote|bal)s?\b'
    r' (\S+ ){0,7}?(inconnue?|invalides?|inexistante?|introuvable|pleine'
    r'|saturee|archivee?|bloquee?|desactivee?|fermee?|suspendue?|indisponible'
    r'|supprimee?|cloturee?|resiliee?)\b',
    r'(contact|correspondant) (inconnu|inexistant|introuvable)',
    r'(?<!\b(remis|livre) a )\baucune? '
    r'(boite|compte|utilisateur|adresse|destinataire)( aux lettres)? '
    r'(a cette|au nom|avec ce|avec cette|de ce nom|ne correspond|n.existe a'
    r'|n.a ete trouve|n.est valide|trouvee?|valide|correspondante?)\b',
    r'n.existe (pas|plus)', r'quota.{0,40} (depasse|atteint)',
    r'pas repertorie',
    r'adresse d.au moins un destinataire', r'plus (en service|valide|active'
    r'|utilisee|attribuee)',
    ]
_TEMPORARY_WORDS = [
    r'too many', r'trop de', r'rate.?limit', r'throttl', r'too quickly',
    r'try (again|later)', r'reessay', r'ulterieurement',
    r'(essayer|essayez|try|attempt).{0,20}(plus tard|later)',
    r'insufficient (system|storage|resource)', r'overload', r'surcharge',
    r'(system|internal|server|local) (error|failure|problem)',
    r'disk full', r'resources? ', r'out of memory',
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
    r'attachment', r'piece jointe', r'forbidden',
    ]
# What tells without any doubt, the first that matches
_KINDS = {
    'spam': ('message', re.compile('|'.join(_SPAM_WORDS))),
    'passing': ('temporary', re.compile('|'.join(_PASSING_WORDS))),
    'address': ('address', re.compile('|'.join(_ADDRESS_WORDS))),
    'temporary': ('temporary', re.compile('|'.join(_TEMPORARY_WORDS))),
    # The status of RFC 3463 that leave no doubt
    'status': ('address', re.compile(
            r'(?<![\d.])5\.(1\.(1|2|3|6|10)|2\.[12]|4\.4)(?![\d.])')),
    'message': ('message', re.compile('|'.join(_MESSAGE_WORDS))),
    }
_TOLD = ['spam', 'passing', 'address', 'temporary', 'status', 'message']
# The advice of a text is for many cases
_WORDS = ['spam', 'address', 'passing', 'temporary', 'message']
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
    told = _plain(f'{status} {reason}')
    return (
        _by_words(told, _TOLD)
        or _by_words(_plain(words), _WORDS)
        or next((kind for p, kind in _STATUSES if p.match(status)), None))


def _plain(text):
    "Return the words of the text, folded and without any address"
    text = fold(text)
    if _US.search(text):
        return _US_WORD
    return ' '.join(_ADDRESS.sub(' ', text).split())


def _by_words(text, names):
    return next(
        (kind for kind, p in map(_KINDS.get, names) if p.search(text)), None)
