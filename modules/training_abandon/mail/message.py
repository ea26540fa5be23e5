# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What a received message says, whatever the program that wrote it"
import datetime as dt
import hashlib
import logging
import mimetypes
import re
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses, parsedate_to_datetime
from itertools import chain

import html2text

from .bounce import Bounce, read_bounce
from .mime import parse, parse_whole, to_text
from .text import fold, newest_part

logger = logging.getLogger(__name__)

# What is kept as text of larger messages, which are stored entire anyway
BODY_SIZE = 500_000
HTML_SIZE = 200_000
ATTACHMENTS = 100
_DEPTH = 20
_HEADER_SIZE = 2_000
# What is read of longer headers, which the parsers take too long to decode
_RAW_HEADER_SIZE = 50_000
_ENCODED = re.compile(r'=\?[!->@-~]{1,40}\?[bqBQ]\?[!->@-~]{0,500}\?=')
_NAMED_IDS = 20
_ID = re.compile(r'<[^<>\s]{1,250}>')
_RETURNED_ID = re.compile(
    r'^[>| \t]*(?:x-)?(?:original-)?message-id\s*:\s*(<[^<>\s]{1,250}>)',
    re.IGNORECASE | re.MULTILINE)
# The addresses are folded to lower case by some servers and quoted by others
_TOKEN = re.compile(r'(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])')
_RECIPIENTS = [
    'To', 'Cc', 'Delivered-To', 'X-Original-To', 'Envelope-To',
    'X-Envelope-To', 'X-Delivered-To', 'X-Forwarded-To', 'Resent-To']
# What no document in XML may hold
_CONTROL = re.compile(r'[\x00-\x08\x0e-\x1f\x7f\ufffe\uffff]')
_AUTO_HEADERS = ['X-Autoreply', 'X-Autorespond', 'X-Autoresponder']
# The patterns below match what is folded: no capitals and no accents
_AUTO_SUBJECT = re.compile(
    r'\s*(?:\[?(?:reponse automatique'
    r'|absence du bureau|absente? du bureau|repondeur automatique'
    r'|message automatique|reponse d.absence'
    r'|automatic reply|auto(?:mat(?:ic|ed))?[- ]?(?:reply|response|responder)'
    r'|out[- ]of[- ](?:the[- ])?office|automatische antwort'
    r'|abwesenheitsnotiz|respuesta automatica|risposta automatica)\b'
    r'|absent\(e\) du bureau|auto\s*:|vacation\s*:|ooo\s*:)')
# A person also writes so
_ABSENCE_SUBJECT = re.compile(r'\s*(?:avis|message|notification) d.absence\b')
_FORWARD_SUBJECT = re.compile(r'\s*(?:tr|fwd?|wg|i)\s*:', re.IGNORECASE)
_RECEIPT_SUBJECT = re.compile(r'\s*(?:non )?lu\s*:|\s*(?:not )?read\s*:')
_RECEIPT = re.compile(
    r'(?:^|\s)(?:a ete (?:lu|supprime sans)|was (?:read|deleted without))\b')
# How the automatic replies without any other sign begin
_AUTO_SIZE = 500
_AUTO_TEXT = re.compile(
    r'\bceci est (?:une reponse|un (?:message|mail|e-mail|courriel))'
    r'(?: genere)? ?automatique'
    r'|\bthis is an (?:auto(?:mated|matic)|auto[- ]generated) '
    r'(?:reply|response|message|e-?mail)\b'
    r'|\bje suis (?:actuellement )?absente? du bureau\b'
    r'|\bi am (?:currently )?out of (?:the )?office\b')
# The services that hold a letter until its sender proves to be a person
_CHALLENGE_SIZE = 3_000
_CHALLENGE_SENDER = re.compile(
    r'mail-?in-?black|boxbe|spam-?arrest|sender-?verif|vade-?(?:retro|secure)'
    r'|\btmda\b|spam-?lion|choice-?mail|challenge-?response')
_CHALLENGE_SUBJECT = re.compile(
    r'un clic pour (?:delivrer|remettre|debloquer|liberer)'
    r'|(?:confirme[rz]?|confirmation de|validation de|valide[rz]) '
    r'(?:votre |l.)?(?:envoi|expedition|e-?mail|message|adresse)'
    r'|(?:votre|your) (?:e-?mail|message|mail|courriel) (?:est |is )?'
    r'(?:en attente|bloque|waiting|awaiting|on hold|requires verification)'
    r'|please (?:confirm|verify) (?:your (?:e-?mail|message|address)'
    r'|you are)|(?:sender|message) (?:address )?verification'
    r'|demande d.authentification|authentification (?:requise|necessaire)'
    r'|authentification de (?:l.)?expediteur'
    r'|verification (?:de (?:votre|l.)|required|requise)'
    r'|mail ?in ?black|boxbe|spam ?arrest|anti-?spam')
_CHALLENGE_TEXT = re.compile(
    r'pas (?:encore )?(?:ete )?(?:remis|delivre|distribue|livre|transmis)'
    r'|n.etes pas un robot|etes (?:bien )?(?:un|une) (?:humain|personne)'
    r'|not a robot|you are (?:a )?(?:human|real person)|prove you'
    r'|anti-?spam|protege(?:e)? par|protected by|waiting list'
    r'|liste (?:blanche|d.attente)|en attente|held|quarantaine'
    r'|soit (?:bien )?(?:remis|delivre|distribue|transmis)|parvienne'
    r'|(?:has |been )?not (?:yet )?(?:been )?delivered')
_CHALLENGE_ACT = re.compile(
    r'cli(?:c|que)|click|https?://|captcha|repond(?:re|ez)|reply to this')
# What the server that received the message says of its sender
_FAILED = re.compile(r'\b(?:dmarc|compauth)\s*=\s*fail\b', re.IGNORECASE)


@dataclass
class Message:
    identifier: str
    data: bytes
    from_: str = ''
    to: str = ''
    subject: str = ''
    received_at: dt.datetime = None
    body: str = ''
    text: str = ''
    tokens: list = field(default_factory=list)
    # The Message-ID of what it answers, the closest first
    answered: list = field(default_factory=list)
    attachments: list = field(default_factory=list)
    automatic: bool = False
    # If only some signs tell that it is automatic
    uncertain: bool = False
    # If an anti-spam holds the mail until its sender does something
    challenge: bool = False
    # If the sender may be another one
    forged: bool = False
    bounce: Bounce = None

    @property
    def digest(self):
        """The hash of what its sender wrote, the same by whatever way the
        message came"""
        digest = hashlib.sha256()
        for value in [
                self.from_, self.subject, str(self.received_at), self.body,
                *chain(*((n, c) for n, c, _ in self.attachments))]:
            if isinstance(value, str):
                value = value.encode('utf-8', 'replace')
            digest.update(hashlib.sha256(value).digest())
        return digest.hexdigest()


def read_message(data):
    "Return the Message of the bytes, however malformed they are"
    try:
        return _read_message(parse(data), data)
    except Exception:
        # A person must be able to open what no program reads
        logger.warning("a message is read as one part", exc_info=True)
        return _read_message(parse_whole(data), data)


def _read_message(message, data):
    senders = _addresses(message, 'From') or _addresses(message, 'Sender')
    body, attachments = _Content(message).read()
    result = Message(
        identifier=_identifier(message, data),
        data=data,
        from_=senders[0] if senders else '',
        to=', '.join(_addresses(message, 'To', 'Cc'))[:_HEADER_SIZE],
        subject=_header(message, 'Subject'),
        received_at=_received_at(message),
        body=body,
        text=newest_part(
            body, bool(_FORWARD_SUBJECT.match(_header(message, 'Subject')))),
        tokens=_tokens(' '.join(
                str(value) for name in _RECIPIENTS
                for value in message.get_all(name, []))),
        answered=[
            *_ids(message, 'In-Reply-To'),
            *reversed(_ids(message, 'References'))],
        attachments=attachments,
        forged=any(
            _FAILED.search(str(value)) for value in message.get_all(
                'Authentication-Results', [])))
    result.challenge = _is_challenge(message, result)
    result.bounce = read_bounce(
        message, _sender(message), result.subject, body)
    if result.bounce and result.bounce.uncertain and (
            result.challenge or _says_automatic(message, result)):
        result.bounce = None
    if result.bounce:
        _read_returned(message, result)
        if not result.bounce.uncertain:
            result.attachments = []
            result.challenge = False
            return result
    result.automatic = _is_automatic(message, result)
    if not result.automatic:
        result.automatic = result.uncertain = _may_be_automatic(
            message, result)
    return result


def token_hash(token):
    return hashlib.sha256(token.encode('ascii')).hexdigest()


def clean(text):
    "Return the text without what no database stores and no document shows"
    text = _CONTROL.sub('', text)
    return text.encode('utf-8', 'replace').decode('utf-8')


def _identifier(message, data):
    if ids := _ids(message, 'Message-ID'):
        return ids[0]
    return f'<sha256.{hashlib.sha256(data).hexdigest()}>'


def _header(message, name):
    return _decode(message.get(name, ''))[:_HEADER_SIZE]


def _decode(value):
    "Return the value of a header as it is read"
    value = str(value)[:_RAW_HEADER_SIZE]
    if not value.isascii():
        # Only the ASCII words may be encoded
        return clean(' '.join(_ENCODED.sub(
                    lambda match: _decode(match[0]), value).split()))
    try:
        words = decode_header(value)
    except (HeaderParseError, ValueError):
        words = [(value, None)]
    text = ''
    for word, charset in words:
        if isinstance(word, bytes):
            word = to_text(word, charset)
        text += word
    return clean(' '.join(text.split()))


def _addresses(message, *names):
    values = [
        str(value)[:_RAW_HEADER_SIZE]
        for name in names for value in message.get_all(name, [])]
    try:
        addresses = [a for _, a in getaddresses(values) if '@' in a]
    except RecursionError:
        addresses = []
    if not addresses and values:
        # The name may hold what the syntax of the addresses forbids
        addresses = re.findall(
            r'[^\s<>"\',;:()]{1,64}@[^\s<>"\',;:()]{1,255}', values[0])
    return [clean(' '.join(a.split())).lower() for a in addresses]


def _sender(message):
    "Return the header From, or None if there is none"
    value = message.get('From')
    return None if value is None else _decode(value)


def _ids(message, name):
    return [
        i for value in message.get_all(name, [])
        for i in _ID.findall(clean(str(value)))][-100:]


def _tokens(text):
    return list(dict.fromkeys(_TOKEN.findall(text.lower())))[:100]


def _received_at(message):
    "Return when our own server received the message, in UTC, or None"
    for value in message.get_all('Received', [])[:1]:
        try:
            at = parsedate_to_datetime(str(value).rpartition(';')[2].strip())
            if at.tzinfo:
                at = at.astimezone(dt.timezone.utc).replace(tzinfo=None)
            return at.replace(microsecond=0)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None


def _read_returned(message, result):
    "Find in a bounce the message that is returned"
    returned, text = [], result.body
    for part in message.walk():
        if part is message:
            continue
        for name in ['Original-Message-ID', 'X-Original-Message-ID']:
            returned += _ids(part, name)
        if part.get('Message-ID') or part.get('Reply-To'):
            returned += _ids(part, 'Message-ID')
            result.tokens += _tokens(' '.join(
                    map(str, part.get_all('Reply-To', []))))
        elif part.get_content_type() in {
                'text/rfc822-headers', 'message/rfc822-headers'}:
            text += '\n' + _part_text(part)
    returned += _RETURNED_ID.findall(text)
    result.tokens += _tokens(text)
    # A server may name it in its words
    result.answered = returned + result.answered + _ID.findall(
        result.body)[:_NAMED_IDS]


def _says_automatic(message, result):
    "Return if the message says itself that a person is absent or has read"
    subject = fold(result.subject)
    return bool(
        any(message.get(name) for name in _AUTO_HEADERS)
        or _header(message, 'Precedence').lower() in {
            'auto_reply', 'auto-reply'}
        or _AUTO_SUBJECT.match(subject)
        or _RECEIPT_SUBJECT.match(subject)
        and _RECEIPT.search(fold(result.body[:_AUTO_SIZE])))


def _is_automatic(message, result):
    submitted = _header(message, 'Auto-Submitted').lower()
    return (
        submitted.startswith('auto-replied')
        or _header(message, 'Return-Path') == '<>'
        or message.get_content_type() == 'multipart/report'
        or _says_automatic(message, result))


def _may_be_automatic(message, result):
    """Return if the message looks automatic.

    The programs that handle requests say so of what a person writes."""
    submitted = _header(message, 'Auto-Submitted').lower()
    suppress = _header(message, 'X-Auto-Response-Suppress').lower()
    return bool(
        submitted and not submitted.startswith('no')
        or 'all' in suppress.replace(',', ' ').split()
        or _header(message, 'Precedence').lower() in {'bulk', 'junk'}
        or _ABSENCE_SUBJECT.match(fold(result.subject))
        or _AUTO_TEXT.search(fold(result.text[:_AUTO_SIZE]))
        # The calendar accepts or declines by itself
        or not result.text and any(
            type_ == 'text/calendar' for _, _, type_ in result.attachments))


def _is_challenge(message, result):
    """Return if an anti-spam asks to prove that a person wrote the mail.

    Two signs at least tell it: who writes, the subject, the words."""
    text = fold(result.body[:_CHALLENGE_SIZE])
    sender = fold(' '.join(filter(None, [
                    _sender(message), _header(message, 'Reply-To'),
                    _header(message, 'X-Mailer')])))
    if not _CHALLENGE_ACT.search(text):
        return False
    if _header(message, 'Return-Path') == '<>':
        # A person may be protected by it too, and says so
        sender += f' {text}'
    return [
        bool(_CHALLENGE_SENDER.search(sender)),
        bool(_CHALLENGE_SUBJECT.search(fold(result.subject))),
        bool(_CHALLENGE_TEXT.search(text)),
        ].count(True) >= 2


def _part_data(part):
    try:
        return part.get_payload(decode=True) or b''
    except (ValueError, LookupError, AssertionError, AttributeError):
        return str(part.get_payload()).encode('utf-8', 'replace')


def _part_text(part):
    try:
        charset = part.get_content_charset()
    except (ValueError, LookupError, UnicodeError):
        charset = None
    text = clean(to_text(_part_data(part)[:4 * BODY_SIZE], charset))
    text = '\n'.join(text.splitlines())
    if str(part.get_param('format') or '').lower() == 'flowed':
        text = _unflow(
            text, str(part.get_param('delsp') or '').lower() == 'yes')
    return text


def _unflow(text, delete_space):
    "Return the text with the paragraphs of format=flowed on one line"
    result, open_ = [], None
    for line in text.split('\n'):
        quote = re.match(r'>*', line)[0]
        words = line[len(quote):].removeprefix(' ')
        flowed = words.endswith(' ') and words != '-- '
        if flowed and delete_space:
            words = words[:-1]
        if open_ == quote and words != '-- ':
            result[-1].append(words)
        else:
            result.append([quote + ' ' if quote else '', words])
        open_ = quote if flowed else None
    lines = map(''.join, result)
    return '\n'.join(line.rstrip() if line != '-- ' else line
        for line in lines)


def _sane_html(html):
    """Return the HTML without comments, tags that do not end and long
    spaces, of which the parsers take the square of the length."""
    html = re.sub(r'<!--.*?(?:-->|\Z)', '', html, flags=re.DOTALL)
    html = re.sub(r'\s{3,}', '\n\n', html)[:HTML_SIZE]
    return _shallow(re.sub(r'<(?=[^<>]*(?:<|$))', ' ', html))


def _shallow(html):
    "Return the HTML without the lists that stand too deep in others"
    depth = 0

    def replace(match):
        nonlocal depth
        if match[1]:
            depth = max(depth - 1, 0)
        else:
            depth += 1
        return match[0] if depth <= _DEPTH else ' '

    return re.sub(r'<(/?)[uo]l\b[^<>]*>', replace, html, flags=re.IGNORECASE)


def _html_to_text(html):
    html = _sane_html(html)
    converter = html2text.HTML2Text(bodywidth=0)
    converter.ignore_links = True
    converter.ignore_images = True
    converter.ignore_emphasis = True
    converter.ignore_tables = True
    converter.ul_item_mark = '-'
    converter.escape_snob = False
    converter.unicode_snob = True
    try:
        text = converter.handle(html)
    except (ValueError, AssertionError, IndexError, TypeError,
            RecursionError):
        text = re.sub(r'<[^<>]*>', ' ', html)
    # It escapes what Markdown would read otherwise
    text = re.sub(r'\\([-.+*_\[\]()#>])', r'\1', text.replace('\xa0', ' '))
    return '\n'.join(line.rstrip() for line in text.splitlines()).strip()


def _spare_text(part, type_):
    "Return the words of a part that is shown, although it has a name"
    if (type_ not in {
                'text/plain', 'text/html', 'text/enriched', 'text/richtext'}
            or part.get_content_disposition() == 'attachment'
            and part.get_filename()):
        return ''
    text = _part_text(part)
    return text if type_ == 'text/plain' else _html_to_text(text)


class _Content:
    "The text and the attachments of a message"

    def __init__(self, message):
        self.message = message
        self.attachments = []
        # The words of the parts that are usually no words of a message
        self.spare = ''
        # What is still read of the parts
        self.left = BODY_SIZE

    def read(self):
        body = self._read(self.message)
        if not body.strip():
            body = self.spare
        return body.strip('\n')[:BODY_SIZE], self.attachments

    def _read(self, part, depth=0):
        "Return the text of the part and keep the other parts as attachments"
        type_ = part.get_content_type()
        if part.is_multipart() and type_.startswith('multipart/'):
            if depth > _DEPTH:
                return ''
            return self._read_multipart(part, type_, depth + 1)
        attached = (
            part.get_content_disposition() == 'attachment'
            or part.get_filename() and part is not self.message)
        if (type_ in {'text/plain', 'text/html'} and not attached
                and self.left > 0):
            text = _part_text(part)
            self.left -= len(text)
            return _html_to_text(text) if type_ == 'text/html' else text
        if not self.spare.strip():
            self.spare = _spare_text(part, type_)
        self._attach(part, type_)
        return ''

    def _read_multipart(self, part, type_, depth):
        parts = part.get_payload()
        if type_ == 'multipart/alternative':
            return self._read_alternative(parts, depth)
        elif type_ == 'multipart/report':
            texts = (
                self._read(p, depth) for p in parts
                if not p.get_content_type().startswith('message/'))
            return next(filter(str.strip, texts), '')
        return '\n'.join(filter(None, (
                    self._read(p, depth) for p in parts)))

    def _read_alternative(self, parts, depth):
        "Return the first that has words, the plain text before the others"
        body = ''
        parts = sorted(
            parts, key=lambda p: p.get_content_type() != 'text/plain')
        for part in parts:
            if not body or not part.get_content_type().startswith('text/'):
                text = self._read(part, depth)
                body = body or text.strip() and text
            elif part.get_content_type() not in {'text/plain', 'text/html'}:
                self._attach(part, part.get_content_type())
        return body

    def _attach(self, part, type_):
        if len(self.attachments) >= ATTACHMENTS:
            return
        if type_ == 'message/rfc822' and part.is_multipart():
            content, = part.get_payload()
            name, data = _header(content, 'Subject'), content.as_bytes()
            extension = '.eml'
        else:
            name, data = '', _part_data(part)
            extension = mimetypes.guess_extension(type_) or '.bin'
        try:
            name = part.get_filename() or name
        except (ValueError, LookupError, UnicodeError):
            pass
        name = re.sub(r'[\x00-\x1f/\\]+', ' ', _decode(name)).strip()
        if not name:
            name = f'{len(self.attachments) + 1}'
        if '.' not in name[-6:]:
            name += extension
        if data:
            self.attachments.append((name[-200:], data, type_))
