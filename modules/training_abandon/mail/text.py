# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The words of a reply: what is new in it and the reason that it keeps"
import re
import unicodedata

# What is read of a longer text
_SIZE, _LINES = 100_000, 3_000
# A header that takes more lines is none
_HEADER_LINES = 4
_QUOTE = re.compile(r'[ \t]*>')
_QUOTES = re.compile(r'^[ \t]*(?:>[ \t]?)+', re.MULTILINE)
_WROTE = re.compile(
    r'\b(?:wrote|a écrit)\b[^:]{0,80}:$', re.IGNORECASE)
# The program of Yahoo quotes on the same line
_WROTE_ALL = re.compile(
    r'\s*(?:on|le)\s[^<>]{1,120}<[^>\s@]{1,64}@[^>\s]{1,255}>'
    r'\s{1,5}(?:wrote|a écrit)\s{0,5}:\s', re.IGNORECASE)
_WROTE_BEGIN = re.compile(
    r'\s*(?:(?:on|le)\s+\S*\s*\d|(?:on|le)\s+\w{2,9}[.,]?\s'
    r'|[\w .-]{1,60}<[^>\s@]{1,64}@[^>\s]{1,255}>)', re.IGNORECASE)
_SEPARATOR = re.compile(
    r'\s*(?:-{2,}|_{2,})\s*(?:original message|original appointment'
    r'|message d.origine|message original|message transféré'
    r'|forwarded message|message initial|mail original'
    r'|reply message)\s*(?:-{2,}|_{2,})\s*$'
    r'|\s*_{20,}\s*$'
    r'|\s*(?:>\s*)?message du \d.*$'
    r'|\s*begin forwarded message\s*:\s*$'
    r'|\s*début du message (?:transféré|réexpédié)\s*:\s*$',
    re.IGNORECASE)
_FIELD = re.compile(
    r'\s*\W{0,2}(from|de|sent|envoyé|date|to|à|a|cc|subject|objet|sujet'
    r'|reply-to|répondre à)\W{0,2}\s*:', re.IGNORECASE)
_FROM = {'from', 'de'}
_SENT = {'sent', 'envoyé', 'date'}
_OTHER_FIELDS = {
    'sent', 'envoyé', 'date', 'to', 'à', 'a', 'subject', 'objet', 'sujet'}
_MOBILE = re.compile(
    r'\s*(?:envoyé (?:de|depuis|à partir d|avec)\b.*'
    r'|sent (?:from|with)\b.*'
    r'|get outlook for .*|obtenez outlook pour .*'
    r'|télécharger outlook pour .*'
    r'|yahoo mail\s*:.*|provenance\s*:\s*courrier.*)', re.IGNORECASE)
_SIGNATURE = re.compile(r'-- ?$')


def newest_part(body):
    """Return what is new in the body, without what it quotes.

    It is what stands above the quoted message and between its lines."""
    lines = body[:_SIZE].splitlines()[:_LINES]
    start = _quote_start(lines)
    newest = [_clean(lines[:start])]
    rest = lines[start:]
    while rest and (
            not rest[0].strip() or _SEPARATOR.match(rest[0])
            or _is_header(rest, 0)):
        rest = rest[_is_header(rest, 0) or 1:]
    if rest and _QUOTE.match(rest[0]):
        newest.append(_clean(rest))
    return '\n\n'.join(filter(None, newest))


def _quote_start(lines):
    "Return the position of the first line of the quoted message"
    for position, line in enumerate(lines):
        if (_SEPARATOR.match(line)
                or _is_header(lines, position)
                or _is_fields(lines, position)):
            return position
    for position, line in enumerate(lines):
        if _QUOTE.match(line):
            return position
    return len(lines)


def _is_header(lines, position):
    "Return the number of lines of the words that announce a quotation"
    if _WROTE_ALL.match(_unquote(lines[position])):
        return 1
    if not _WROTE_BEGIN.match(_unquote(lines[position])):
        return 0
    words = ''
    for number, line in enumerate(
            lines[position:position + _HEADER_LINES], 1):
        line = _unquote(line).replace('\xa0', ' ').strip()
        if not line:
            return 0
        words = f'{words} {line}'[-200:]
        if line.endswith(':'):
            return number if _WROTE.search(words) else 0
    return 0


def _is_fields(lines, position):
    "Return if the fields of a quoted message begin on that line"
    match = _FIELD.match(_unquote(lines[position]))
    if match and match[1].lower() in _SENT and lines[position + 1:]:
        # The program of Orange begins with the time
        position += 1
        match = _FIELD.match(_unquote(lines[position]))
    if not match or match[1].lower() not in _FROM:
        return False
    found = set()
    for line in lines[position + 1:position + 8]:
        if match := _FIELD.match(_unquote(line)):
            found.add(match[1].lower())
    return len(found & _OTHER_FIELDS) >= 2


def _unquote(line):
    return _QUOTES.sub('', line)


def _clean(lines):
    "Return the text of the lines that are neither quoted nor a signature"
    kept = []
    for line in lines:
        if _SIGNATURE.match(line):
            break
        if not _QUOTE.match(line) and not _MOBILE.fullmatch(line):
            kept.append(line.rstrip())
    while kept and not kept[-1].strip(' *_-'):
        kept.pop()
    return re.sub(r'\n{3,}', '\n\n', '\n'.join(kept)).strip()


_MARK = (
    r'(?:\[\s*[x✓✔✗✘]\s*\]|\(\s*[x✓✔✗✘]\s*\)|[☑☒✓✔✗✘→⇒]'
    r'|[x×](?=[\s:.)-])|=+>|-+>)')
_BULLET = (
    r'(?:\[\s*\]|\(\s*\)|[☐□]|[-–—•·*○●▪◦‣]|\d{1,2}[.)°]|[a-h][.)])')
_BEFORE = re.compile(
    rf'\s*(?:(?:{_BULLET}\s*)*({_MARK})\s*)?(?:{_BULLET}\s*)*')
_AFTER = re.compile(rf'(?:\s+({_MARK}|x))?\s*$')


def recognise(body, newest, names):
    """Return the set of the positions in names of the reasons kept.

    names is the list of the alternatives of each reason.  It is empty or of
    one only: a list left whole, or from which several lines are left, tells
    nothing."""
    body, newest = body[:_SIZE], newest[:_SIZE]
    found = _kept(newest, names)
    if found is None:
        # The list of the letter itself, from which the lines were removed
        text = _QUOTES.sub('', body)
        found = _kept(text, names)
        if found and len(_mentioned(text, names)) > 1 and not _marked(
                text, names):
            found = None
    return found or set()


def _kept(text, names):
    "Return the set of the one reason kept, empty if several, else None"
    marked, found = set(), set()
    for position, is_marked in _lines(text, names):
        found.add(position)
        if is_marked:
            marked.add(position)
    if not found:
        return None
    for positions in [marked, found]:
        if positions:
            return positions if len(positions) == 1 else set()


def _marked(text, names):
    return any(is_marked for _, is_marked in _lines(text, names))


def _mentioned(text, names):
    "Return the positions of the reasons that appear anywhere in the text"
    words = f' {_plain(text)} '
    return {
        position for position, alternatives in enumerate(names)
        if any(f' {_plain(name)} ' in words for name in alternatives)}


def _lines(text, names):
    "Yield the position of the reason of each line and if it is marked"
    plain = [
        (position, _plain(name)) for position, alternatives
        in enumerate(names) for name in alternatives]
    # The longest first: a name may be the beginning of another
    plain.sort(key=lambda x: -len(x[1]))
    for line in text.splitlines()[:_LINES]:
        if len(line) > 1000:
            continue
        line = line.lower()
        before = _BEFORE.match(line)
        line = line[before.end():]
        after = _AFTER.search(line)
        marked = bool(before[1] or after[1])
        line = line[:after.start()]
        words = _plain(line)
        for position, name in plain:
            if name and (words == name or (
                        words.startswith(name + ' ')
                        and _separated(line, name))):
                yield position, marked
                break


def _separated(line, name):
    "Return if what follows the name in the line is a comment"
    count = len(name.replace(' ', ''))
    for index, char in enumerate(line):
        count -= len(_plain(char).replace(' ', ''))
        if not count:
            return bool(re.match(r'\s*[^\w\s]', line[index + 1:]))
    return False


def _plain(text):
    "Return the words of the text without case, accents and punctuation"
    text = unicodedata.normalize('NFKD', text.lower())
    text = ''.join(c for c in text if not unicodedata.combining(c))
    return ' '.join(re.findall(r'\w+', text.replace('œ', 'oe')))
