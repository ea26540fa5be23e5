# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Finds how the text of a table is encoded, by the words that it has

What can not be told is refused: a wrong guess would be written over good
names."""
import re
from collections import Counter
from unicodedata import category

# The program that writes each of them, in the order of what is met, with what
# a doubt is worth
ENCODINGS = {
    'cp1252': 2,
    'mac_roman': 0,
    'cp850': 0,
    'iso8859-15': 0,
    }
# By how much the best one must be better than the others
MARGIN = 2.5
# What stands in a text for a byte that is of another encoding
REPLACEMENT = '\ufffd'
FRENCH = set('éèêëàâçùûüôöîïñ')
OTHERS = set('áíóúãõìòä')
VOWELS = set('aeiouyéèêàâîôûù')
# Where a sentence has them, but not a word
PUNCTUATION = set('’‘“”«»…–—•€°ºª²³·§£©®™±½¼¾µ×\xa0')
WORD = re.compile(rb"[A-Za-z\x80-\xff'-]*[\x80-\xff][A-Za-z\x80-\xff'-]*")
UTF8 = re.compile(
    rb'[\xc2\xc3\xc5][\x80-\xbf]|\xe2\x80[\x80-\xbf]|\xe2\x82\xac')
# What is expected in a word, and what is not
LATIN = re.compile('[\xa0-\u024f\u0300-\u036f\u2010-\u20bf]')
_OTHER = r'(?=[^\W\d_])[^\x00-\u024f\u0300-\u036f\u1e00-\u1eff]'
MIXED = re.compile(f'[A-Za-z]{_OTHER}|{_OTHER}[A-Za-z]')
# An apostrophe of Mac Roman and the capital after it, which are valid UTF-8
CHANCE = re.compile(
    '(?<=[A-Za-z])[\u0483-\u058f]|[\u0483-\u058f](?=[A-Za-z])')
HIGH = re.compile(rb'[\x80-\xff]')


class EncodingError(Exception):
    "How the text is encoded can not be told"


def decode(content):
    "Return the text, with REPLACEMENT for what is of another encoding"
    if content.startswith((b'\xff\xfe', b'\xfe\xff')):
        try:
            return content.decode('utf-16')
        except UnicodeDecodeError as exc:
            raise EncodingError("the text is not valid UTF-16") from exc
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError:
        pass
    else:
        if content.startswith(b'\xef\xbb\xbf'):
            return text
        if LATIN.search(text) or not MIXED.search(text):
            return CHANCE.sub(REPLACEMENT, text)
        # A few letters of another encoding that are valid by chance
        return decode_bytes(content)
    if is_utf8(content):
        return content.decode('utf-8-sig', 'replace')
    return decode_bytes(content)


def is_utf8(content):
    "Tell if the text is UTF-8 into which something else has been put"
    if content.startswith(b'\xef\xbb\xbf'):
        return True
    words = set(WORD.findall(content))
    good = sum(is_valid(w) and bool(UTF8.search(w)) for w in words)
    if not good:
        return False
    bad = sum(not is_valid(w) for w in words)
    # The capitals before a quotation mark also look like UTF-8
    return good >= bad or good > 2


def is_valid(word):
    try:
        word.decode('utf-8')
    except UnicodeDecodeError:
        return False
    return True


def decode_bytes(content):
    "Decode a text whose characters are one byte each"
    words = Counter(
        (content[max(m.start() - 1, 0):m.start()], m[0])
        for m in WORD.finditer(content))
    scores = {
        encoding: {word: score(*word, encoding) for word in words}
        for encoding in ENCODINGS}
    totals = {
        encoding: sum(scores[encoding].values()) + prior
        for encoding, prior in ENCODINGS.items()}
    best = max(totals, key=totals.get)
    for other in ENCODINGS:
        if (totals[other] > totals[best] - MARGIN and any(
                    text_of(word, other) != text_of(word, best)
                    for _, word in words)):
            raise EncodingError("how its accents are written is not sure")
    bad = {
        word[1] for word, value in scores[best].items()
        if value < 0 and any(scores[e][word] > 0 for e in ENCODINGS)}
    if not any(value > 0 for value in scores[best].values()) and bad:
        raise EncodingError("how its accents are written is not sure")
    content = WORD.sub(
        lambda match: HIGH.sub(b'\x1a', match[0]) if match[0] in bad
        else match[0], content)
    return text_of(content, best).replace('\x1a', REPLACEMENT)


def text_of(content, encoding):
    return content.decode(encoding, 'replace')


def score(before, word, encoding):
    "Tell how much the word, after that byte, looks like a word"
    text = text_of(word, encoding)
    is_first = before in {b'', b';', b',', b'\t', b'|', b'"', b'\n', b'\r'}
    result = 0
    for i, char in enumerate(text):
        if ord(char) > 127:
            result += _score(
                char, text[i - 1] if i else '', text[i + 1:i + 2],
                is_first and not i)
    return result


def _score(char, before, after, is_first):
    between = is_letter(before) and is_letter(after)
    if char != '’' and not is_letter(before):
        before = ''
    if char == '’':
        return 2 if between else 0
    if char in PUNCTUATION:
        if between:
            return -3
        return 0.5 if char in '’«»…–—€°\xa0' else 0
    if char == REPLACEMENT or not is_letter(char):
        return -4
    lower = char.lower()
    if char.isupper() and (
            before.islower() or before and after.islower()):
        return -3
    if char.islower() and before.isupper() and after.isupper():
        return -3
    if lower == 'œ':
        return 2 if after.lower() in set('uidns') else -1
    if lower in 'àù':
        # They end a word
        return -1 if is_letter(after) else 2 if before else 1
    if (lower in 'îû' and after.lower() in VOWELS
            or lower == 'ç' and after.lower() not in set('aouâôûéè')
            or lower in 'êâîôû' and not is_letter(after)):
        return -1
    if not is_letter(before) and not is_letter(after):
        return -1
    if char.islower() and not before:
        if is_first:
            return 0
        return 1.5 if lower in 'éêâ' else 0
    if not before:
        return {'É': 3, 'Î': 2, 'Ê': 1, 'È': 1, 'Ç': 1}.get(char, 0)
    if lower in FRENCH:
        return 3 if lower in 'éè' else 2
    if lower in OTHERS:
        return 1
    return 0 if lower in 'šžÿåøæßý' else -2


def is_letter(char):
    return bool(char) and category(char)[0] == 'L' and char not in 'ªº'
