# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the servers say of the mails that they do not deliver"
import re
from dataclasses import dataclass, field
from email import message_from_string

from .refusal import refused
from .text import fold

# The part of a text in which a server speaks of a bounce
_READ = 20_000
_RECIPIENTS = 20
_SENDER = 500
_STATUS = re.compile(r'(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])')
_CODE = re.compile(r'(?<![\d.])(5\d\d)[ -](?=\S)')
_ADDRESS = re.compile(
    r'[^\s<>"\',;:()\[\]]{1,64}@[\w.-]{1,255}\w', re.ASCII)
# The patterns below match what is folded: no capitals and no accents
_DAEMONS = re.compile(
    r'(?:mailer|mail)[-_. ]?daemon\b|mdaemon\b|post[- ]?master\b'
    r'|microsoftexchange[0-9a-f]{8,}|mail[- ]?(?:er[- ]?)?admin\b'
    r'|mail ?delivery ?(?:sub)?(?:system|service)\b'
    r'|(?:system|mail) administrator\b|mail ?system\b'
    r'|administrateur (?:systeme|du courrier|de messagerie)\b'
    r'|systeme de (?:messagerie|distribution|remise)\b')
_SUBJECTS = re.compile(
    r'undeliver(ed|able)|delivery (status notification|failure|has failed)'
    r'|(mail|message|e-?mail) delivery (failed|failure|system|error)'
    r'|mail failed|failure notice|returned (mail|message)'
    r'|returning (message|mail)? ?to sender|failed mail|unzustellbar'
    r'|message (not delivered|undelivered|could not be delivered)'
    r'|notice: mail delivery status'
    r'|((votre )?(message|mail|e-?mail|courriel|courrier) )?'
    r'non[ -]?(remis|distribue|delivre|livre)'
    r'|echec (de |d.)(la |l.)?(remise|livraison|distribution|envoi)'
    r'|(remise|livraison|distribution) (impossible|echouee)'
    r'|impossible de (remettre|distribuer|delivrer|livrer)'
    r'|n.a pu? ?(pas )?(pu )?etre (remis|distribue|delivre|livre)'
    r'|(courrier|message|courriel|mail) (refuse|rejete|retourne)')
_DELAYS = re.compile(
    r'\(delay\)|delayed|warning: (message|could not send)|still being retried'
    r'|(remise|livraison|distribution) (differee|retardee)'
    r'|retard (de|dans) (la )?(remise|livraison|distribution)'
    r'|will (be retried|continue to be|keep trying|retry)'
    r'|do not need to resend|not yet been delivered'
    r'|transient non-fatal|differe|retarde'
    r'|pas besoin de renvoyer|continu(e|era|erons) d.essayer'
    r'|nouvelles? tentatives?|pas encore (pu )?(ete|etre) (remis|distribue)')
# What also stands above a failure
_WARNINGS = re.compile(r'deferred|avertissement\s*:')
_FAILURES = re.compile(
    r'(permanent|(?<!non-)fatal) (fatal )?error|could not be delivered'
    r'|giv(en|ing) up|permanent (failure|problem)'
    r'|wasn.t delivered|was not delivered|did not reach|undeliverable'
    r'|couldn.t be delivered|unable to deliver|delivery (has )?failed'
    r'|error delivering|not able to deliver|cannot be delivered'
    r'|no valid recipients|failed addresses|unknown (host|user)'
    r'|following address(es)? failed|user unknown|no such user'
    r'|n.a (pas )?pu etre (remis|distribue|delivre|livre)'
    r'|n.ont (pas )?pu etre (remis|distribue|delivre|livre)s?'
    r'|n.existe (pas|plus)|n.est pas repertorie'
    r'|(adresse|destinataire|utilisateur|boite) '
    r'(inconnue?|introuvable|inexistante?|invalide)'
    r'|impossible de (remettre|distribuer|delivrer|livrer)')
# What no server says of a mail that it still tries to deliver
_FINAL = re.compile(
    r'giv(en|ing) up|(permanent|(?<!non-)fatal) (fatal )?error'
    r'|permanent failure|retry time(out)? (not reached|exceeded)'
    r'|(erreur|echec) (permanente?|definitive?)|abandon definitif'
    r'|(?<![\d.])5\d\d[ -]#?5\.\d{1,3}\.\d')
_DELIVERED = re.compile(
    r'^(delivered|relayed|remis|relaye)\s*:'
    r'|successful mail delivery|successfully (delivered|relayed|sent)'
    r'|delivery (has been |was )?successful|remis avec succes'
    r'|(distribue|delivre|transmis|livre) avec succes')
_ANSWERS = re.compile(r'\s*(re|rep|aw)\s*:')
_QMAIL = re.compile(r'\s*hi\. this is the [\w-]+ program at ')
_REASON = re.compile(r'\b(reason|raison)\s*:\s*\S')
# Where the message begins that is returned
_RETURNED = re.compile(
    r'^[>| \t]*(?:received|return-path|message-id|dkim-signature):\s',
    re.IGNORECASE | re.MULTILINE)

# What holds the headers of the message that is returned
RETURNED = {
    'text/rfc822-headers', 'message/rfc822-headers', 'message/global-headers'}


@dataclass
class Bounce:
    "What a server says of one mail"
    action: str     # failed, delayed or delivered
    status: str = ''
    reason: str = ''
    # The other words of the server
    words: str = ''
    recipients: list = field(default_factory=list)
    # If nothing but the sender tells that it is one
    uncertain: bool = False

    @property
    def refusal(self):
        """What is refused: address, message (or its sender), temporary if
        nothing is for ever, or None"""
        if self.action == 'failed':
            return refused(self.status, self.reason, self.words)
        return 'temporary' if self.action == 'delayed' else None

    @property
    def about_address(self):
        "If the address, not the message or the sender, is refused"
        return self.refusal == 'address'


def is_server(sender):
    "Return if the header From is the one of a mail server"
    if sender is None:
        return False
    name, _, address = fold(sender[:_SENDER]).partition('<')
    name, address = name.strip(' "\''), address.partition('>')[0].strip()
    return not name and not address or any(
        map(_DAEMONS.match, [name, address]))


def read_bounce(message, sender, subject, text):
    """Return the Bounce that the message is, or None.

    sender is the header From.  The worst action wins when a message tells
    several."""
    text = text[:_READ]
    words = own_words(text)
    fields = [
        fields for part in _parts(message)
        for fields in _status_blocks(part)]
    bounces = list(filter(None, map(_from_fields, fields)))
    bounce = next((
            bounce for action in ['failed', 'delayed', 'delivered']
            for bounce in bounces if bounce.action == action), None)
    if not bounce:
        bounce = _from_text(message, sender, fold(subject), text, words)
    if bounce:
        bounce.words = words
        bounce.recipients = _recipients(message, fields, words)
    return bounce


def own_words(text):
    "Return what the server says in the text above the returned message"
    returned = _RETURNED.search(text)
    above = text[:returned.start()] if returned else text
    return above if above.strip() else text


def _recipients(message, fields, words):
    "Return the addresses to which nothing was delivered"
    told = ' '.join([
            _field(message, 'X-Failed-Recipients'),
            *(_field(f, name) for f in fields
                for name in ['Original-Recipient', 'Final-Recipient'])])
    return list(dict.fromkeys(
            a.lower() for a in _ADDRESS.findall(told + ' ' + words)
            ))[:_RECIPIENTS]


def _parts(message):
    "Yield the parts of the message but not those of the ones it encloses"
    yield message
    if message.get_content_maintype() == 'multipart':
        for part in _blocks(message):
            yield from _parts(part)


def _status_blocks(part):
    "Return the fields of each recipient of RFC 3464"
    if part.get_content_type() == 'message/delivery-status':
        return _blocks(part)
    elif part.get_content_type() == 'message/global-delivery-status':
        # The parser takes it for an enclosed message
        return [
            message_from_string(block) for enclosed in _blocks(part)
            for block in enclosed.as_string().split('\n\n')]
    return []


def _blocks(part):
    payload = part.get_payload()
    return payload if isinstance(payload, list) else []


def _from_fields(fields):
    "Return the Bounce of the fields of one recipient of RFC 3464"
    action = _field(fields, 'Action').lower()
    action = {
        'failed': 'failed',
        'delayed': 'delayed',
        'delivered': 'delivered',
        'relayed': 'delivered',
        'expanded': 'delivered',
        }.get(action.split(' ')[0] if action else None)
    status = _STATUS.search(_field(fields, 'Status'))
    status = status[1] if status else ''
    if not action:
        action = {'5': 'failed', '4': 'delayed', '2': 'delivered'}.get(
            status[:1])
    if not action:
        return None
    return Bounce(
        action, status,
        _typed(_field(fields, 'Diagnostic-Code')) or status)


def _field(fields, name):
    try:
        value = fields.get(name, '')
    except (ValueError, IndexError, AttributeError, TypeError):
        return ''
    return ' '.join(str(value).replace('\x00', '').split())


def _typed(value):
    "Return the value without its type, like smtp; or rfc822;"
    kind, separator, rest = value.partition(';')
    if separator and re.fullmatch(r'[\w-]+', kind.strip()):
        return rest.strip()
    return value


def _from_text(message, sender, subject, text, words):
    "Return the Bounce that only words make"
    failed = message.get('X-Failed-Recipients')
    folded = fold(words)
    path = _field(message, 'Return-Path')
    nobody = path == '<>'
    # The administrators are also persons, who answer
    server = is_server(sender) and not (
        _ANSWERS.match(subject) and '@' in path)
    returns = _returns(message, text)
    told = any(
        p.search(subject) for p in [_SUBJECTS, _DELAYS, _WARNINGS])
    is_report = (
        failed
        or message.get_content_type() == 'multipart/report'
        and str(message.get_param('report-type', '')).lower() in {
            '', 'delivery-status'}
        or _QMAIL.match(folded)
        or server and (told or _FAILURES.search(folded))
        or _SUBJECTS.match(subject) and (nobody or returns))
    if not is_report and not server and not (nobody and returns):
        return None
    status = _STATUS.search(words)
    return Bounce(
        _action(subject, folded, failed),
        status[1] if status else '',
        _reason(words),
        uncertain=not is_report)


def _returns(message, text):
    "Return if the message gives back another one"
    return bool(_RETURNED.search(text)) or any(
        part.get_content_type() in RETURNED | {'message/rfc822'}
        for part in _parts(message))


def _action(subject, text, failed):
    "Return the action that the words tell"
    if _DELIVERED.search(subject):
        return 'delivered'
    failed = failed or _FAILURES.search(text)
    delayed = (
        _DELAYS.search(subject)
        or _DELAYS.search(text) and not failed
        or _WARNINGS.search(f'{subject} {text}') and not (
            failed or _CODE.search(text)))
    return 'delayed' if delayed and not _FINAL.search(text) else 'failed'


def _reason(text):
    "Return the line of the text in which a server gives its answer"
    lines = [' '.join(line.split()) for line in text.splitlines()]
    for pattern in [_CODE, _STATUS, _REASON, _FAILURES]:
        for position, line in enumerate(lines):
            if pattern.search(fold(line)):
                following = lines[position + 1:position + 2]
                if line.endswith((':', ',')) and following:
                    line = f'{line} {following[0]}'
                return line
    return next(filter(None, lines), '')
