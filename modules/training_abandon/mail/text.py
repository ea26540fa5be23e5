# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The words of a reply: what is new in it and the reason that it keeps"
import re
import unicodedata

# What is read of a longer text
_SIZE, _LINES = 100_000, 3_000
# A header that takes more lines is none
_HEADER_LINES = 4
_FIELDS = 8
_QUOTE = re.compile(r'[ \t]*>')
_QUOTES = re.compile(r'^[ \t]*(?:>[ \t]?)+', re.MULTILINE)
# The patterns below match what is folded: no capitals and no accents
_VERBS = r'(?:wrote|a ecrit|schrieb|escribio|ha scritto|escreveu|schreef)'
_WROTE = re.compile(rf'\b{_VERBS}\b(?:[^:]|\d:\d\d){{0,80}}:$')
_EMAIL = r'<[^>\s@]{1,64}@[^>\s]{1,255}>'
# The programs of Yahoo quote on the same line
_WROTE_ALL = re.compile(
    rf'\s*(?:on|le)\s[^<>]{{1,120}}{_EMAIL}\s{{1,5}}{_VERBS}\s{{0,5}}:\s')
_DASH = r'(?:[-*]\s+)?'
_DAY = r'(?:\d{4}-\d\d-\d\d|\d\d?[/.]\d\d?[/.]\d{2,4})'
_WROTE_BEGIN = re.compile(
    rf'\s*{_DASH}(?:(?:on|le|am|el|em|op)\s+\S*\s*\d'
    rf'|(?:on|le|am|el|em|op)\s+\w{{2,9}}[.,]?\s'
    rf'|[\w ."-]{{1,60}}{_EMAIL})')
# The older program of Gmail has the same line in all languages
_DATED_BEGIN = re.compile(
    rf'\s*{_DASH}(?:{_DAY}|\d\d? [a-z]{{3,9}}\.? \d{{4}}),? +(?:a +)?'
    r'\d\d?[:h]\d\d')
_DATED = re.compile(rf'.*{_EMAIL}\s*(?:{_VERBS}\s*)?:$')
_WHEN_WHO = re.compile(r'[\d@]')
# Zoho
_DASHED_BEGIN = re.compile(r'\s*-{2,}\s*(?:on|le|am|active)\s')
_DASHED = re.compile(rf'\b{_VERBS}\s*:?\s*-{{2,}}$')
_HEADERS = [
    (_WROTE_BEGIN, ':', _WROTE),
    (_DATED_BEGIN, ':', _DATED),
    (_DASHED_BEGIN, '--', _DASHED),
    ]
_SEPARATOR = re.compile(
    r'\s*(?:-{2,}|_{2,}|={2,})\s*(?:original message|original appointment'
    r'|message d.origine|message original|message transfere'
    r'|(?:transfer|reexpedi|forward)ed message|message (?:initial|reexpedie)'
    r'|(?:e?-?mail|courriel|courrier) (?:original|d.origine|transfere)'
    r'|forwarded (?:e-?mail|by .{1,80})|reply message'
    r'|message de .{1,80})\s*:?\s*(?:-{2,}|_{2,}|={2,})'
    # The phones write the fields on the same line
    r'\s*(?:(?:de|from)\s*:.*)?$'
    r'|\s*_{20,}\s*$'
    # Orange and SFR
    rf'|\s*(?:>\s*)?message du\s*:?\s*{_DAY}[\d\sh:,a]*(?:\bde\s*:.*)?$'
    r'|\s*begin forwarded message\s*:\s*$'
    r'|\s*debut du message (?:transfere|reexpedie)\s*:\s*$')
_FORWARD = re.compile(
    r'message (?:transfere|reexpedie)|forwarded|(?:transfer|reexpedi)ed'
    r'|(?:courriel|courrier|mail) transfere')
_FIELD = re.compile(
    r'\s*\W{0,2}(from|de|expediteur|sent|envoye(?: le)?|date|to|a'
    r'|destinataires?|pour|cc|copie a|subject|objet|sujet'
    r'|reply-to|repondre a)\W{0,2}\s*:')
_FROM = {'from', 'de', 'expediteur'}
_DATES = {'sent', 'envoye', 'envoye le', 'date'}
_OTHER_FIELDS = _DATES | {
    'to', 'a', 'destinataire', 'destinataires', 'pour', 'subject', 'objet',
    'sujet'}
_PROGRAMS = (
    r'(?:messagerie|outlook|yahoo|i(?:phone|pad)|android|samsung'
    r'|galaxy|mobile|telephone|smartphone|appli(?:cation)?|proton|gmx|orange'
    r'|sfr|free|zoho|zimbra|webmail|blackberry|windows|thunderbird'
    r'|bluemail|laposte|bouygues|huawei|xiaomi|oppo)')
# What a person tells is no signature
_PERSON = r"(?:j|je|nous|il|elle|ne|i|we)"
_MOBILE = re.compile(
    rf"(?!.*\b{_PERSON}\b['\s])\s*"
    r'(?:(?:envoye (?:(?:a partir |a l.aide )?(?:de |d.)|depuis |avec )'
    r'|sent (?:from|with) )(?:'
    r"(?:d?un |mon |ma |my |l.appli).{0,80}|\S+(?: \S+){0,2}"
    rf'|.{{0,60}}\b{_PROGRAMS}\b.{{0,80}})'
    r'|(?:envoye|sent|ecrit|redige) (?:par|via|du|sur|sous|en utilisant|by'
    rf'|using|on|through)\b.{{0,60}}\b{_PROGRAMS}\b.{{0,80}}'
    r'|(?:get|obten(?:ez|ir)|telecharge[rz]?) \S.{0,30} (?:for|on|pour|sur) '
    r'(?:android|i(?:os|phone|pad)|mac|mobile|windows)\b.{0,80}'
    r'|yahoo mail\s*: ?(?:search|recherche|organi).*'
    r'|(?:(?:garanti sans virus|virus-free)\.? *)?(?:https?://)?'
    r'www\.(?:avast|avg)\.com.*'
    r"|(?:l.absence de virus dans|aucun virus trouve dans|cet) (?:ce )?"
    r"(?:e-?mail|courrier|courriel|message) .{0,60}(?:antivirus|avast|avg)\b"
    r'.*'
    r'|provenance\s*:\s*courrier.*)')
# The blanks and what is not seen
_SPACES = ' \t\r\n\u200b\u2060\ufeff'
_SIGNATURE = re.compile(r'-- ?$')
_SIGNS = str.maketrans({
        '\u2019': "'", '\u2018': "'", '\u2013': '-', '\u2014': '-',
        '\u2010': '-', '\u2011': '-', '\u0153': 'oe', '\u00e6': 'ae'})


def fold(text):
    "Return the text without capitals, accents and signs of typography"
    text = unicodedata.normalize('NFKD', text.lower())
    text = ''.join(
        c for c in text if unicodedata.category(c) not in {'Mn', 'Me', 'Cf'})
    return text.translate(_SIGNS)


def newest_part(body, forwarded=False):
    """Return what is new in the body, without what it quotes.

    It is what stands above the quoted message and between its lines, or all
    that follows if nothing is there."""
    lines = body[:_SIZE].splitlines()[:_LINES]
    folded = [fold(_unquote(line)) for line in lines]
    start = _quote_start(lines, folded)
    newest = [_clean(lines[:start])]
    rest = _after_header(folded, start)
    marked = rest < len(lines) and _QUOTE.match(lines[rest])
    if marked:
        newest.append(_clean(lines[rest:]))
    text = '\n\n'.join(filter(None, newest))
    if text:
        return text
    elif start == len(lines):
        return _clean(lines[:start], signed=False)
    return _below(lines, folded, start, rest, forwarded)


def _quote_start(lines, folded):
    "Return the position of the first line of the quoted message"
    for position, line in enumerate(folded):
        if (_SEPARATOR.match(fold(lines[position]))
                or _header_size(folded, position)
                or _is_fields(folded, position)):
            return position
    for position, line in enumerate(lines):
        if _QUOTE.match(line):
            return position
    return len(lines)


def _after_header(folded, position):
    "Return the position of the first line that is not about the quotation"
    while position < len(folded):
        size = _header_size(folded, position)
        if (not size and folded[position].strip()
                and not _SEPARATOR.match(folded[position])):
            break
        position += size or 1
    return position


def _below(lines, folded, start, rest, forwarded):
    """Return the words of a message that has none above a header.

    A message of somebody else is sent on, or the words stand below a
    header without any mark.  The lines that are left of a list stay in it
    when the header is the one of an answer."""
    forwarded = forwarded or any(
        _FORWARD.search(line) for line in folded[start:rest])
    if not forwarded and (
            rest < len(lines) and _QUOTE.match(lines[rest])
            or any(map(_FIELD.match, folded[start:rest + 1]))):
        return ''
    while rest < len(lines) and (
            _FIELD.match(folded[rest]) or not folded[rest].strip()):
        rest += 1
    return _clean([_unquote(line) for line in lines[rest:]], signed=False)


def _header_size(folded, position):
    "Return the number of lines of the words that announce a quotation"
    line = folded[position]
    if _WROTE_ALL.match(line):
        return 1
    return max((
            _folded_size(folded, position, end, pattern)
            for begin, end, pattern in _HEADERS if begin.match(line)),
        default=0)


def _folded_size(folded, position, end, pattern):
    "Return the number of lines to the end if they match the pattern"
    words = ''
    for number, line in enumerate(
            folded[position:position + _HEADER_LINES], 1):
        line = line.strip()
        if not line:
            return 0
        words = f'{words} {line}'[-200:]
        if line.endswith(end):
            # Without date and address it is what a person tells
            return number if pattern.search(words) and _WHEN_WHO.search(
                words) else 0
    return 0


def _is_fields(folded, position):
    "Return if the fields of a quoted message begin on that line"
    found = []
    for line in folded[position:position + _FIELDS]:
        if match := _FIELD.match(line):
            found.append(match[1])
        elif not found or found[0] not in _FROM and len(found) < 2:
            # The lines of the senders may be long
            return False
    # Without date it is the head of a letter
    return (
        bool(_FROM.intersection(found) and _DATES.intersection(found))
        and len(_OTHER_FIELDS.intersection(found)) >= 2)


def _unquote(line):
    return _QUOTES.sub('', line)


def _clean(lines, signed=True):
    "Return the text of the lines that are neither quoted nor a signature"
    kept = []
    for line in lines:
        if signed and _SIGNATURE.match(line):
            break
        if not _QUOTE.match(line) and not _MOBILE.fullmatch(fold(line)):
            kept.append(line.rstrip())
    while kept and not kept[-1].strip(' *_-='):
        kept.pop()
    return re.sub(r'\n{3,}', '\n\n', '\n'.join(kept)).strip(_SPACES)


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
    return ' '.join(re.findall(r'\w+', fold(text)))
