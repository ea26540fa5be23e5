# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Reads the events of a calendar file, whoever wrote it"
import datetime as dt
import hashlib
import re
import warnings

from icalendar import Event as Component
from icalendar import Timezone, vBroken, vRecur
from icalendar.parser import Contentline
from icalendar.timezone.tzp import TZP

from trytond.i18n import gettext

from ..exceptions import CalendarError
from ..tools import unaccented

# The properties that are read, which keeps out attachments and the like
PROPERTIES = {
    'UID', 'DTSTART', 'DTEND', 'DURATION', 'RRULE', 'RDATE', 'EXDATE',
    'RECURRENCE-ID', 'SEQUENCE', 'STATUS', 'SUMMARY', 'DESCRIPTION',
    'CATEGORIES', 'ORGANIZER', 'ATTENDEE', 'DTSTAMP', 'LAST-MODIFIED'}
TIMES = {
    'UID', 'DTSTART', 'DTEND', 'DURATION', 'RRULE', 'RDATE', 'EXDATE',
    'RECURRENCE-ID'}
# The methods of the messages that are about some events of a calendar
PARTIAL = {'REQUEST', 'CANCEL', 'ADD', 'REPLY', 'COUNTER', 'REFRESH'}
# The years of the times that can be moved to another time zone and repeated
YEARS = range(1000, 3000)
# What the rules of a time zone have, and the most changes that it defines
ZONE_RULE = {
    'FREQ', 'INTERVAL', 'COUNT', 'UNTIL', 'BYMONTH', 'BYMONTHDAY', 'BYDAY',
    'WKST', 'BYHOUR', 'BYMINUTE', 'BYSECOND'}
ONCE = {'BYHOUR', 'BYMINUTE', 'BYSECOND'}
MAX_OBSERVANCES = 100
# The properties whose spaces mean nothing, and what comes before their value
SPACED = TIMES - {'UID'} | {'TZOFFSETFROM', 'TZOFFSETTO'}
PARAMETERS = re.compile(r'(?:[^":]|"[^"]*")*:')
# What the programs without STATUS write instead
_GONE = r'(annulee?s?|supprimee?s?|cancel?led)'
_LESSON = r'((cours|seance|lecon|formation|session|reunion|evenement) )?'
_AFTER = r'( ?[:\-–—|(,]|$)'
_ANNULATION = r'annulation(?= ?:| ?[\-–—] |$)'
CANCELLED = re.compile(
    rf'[^\w\[(]*({_LESSON}{_GONE}{_AFTER}|{_ANNULATION})'
    rf'|[\[(*]{_LESSON}{_GONE}[\])*]')
CANCELLED_END = re.compile(
    rf'.*([\[(]{_LESSON}{_GONE}[\])]| [\-–—:|] {_LESSON}{_GONE})$')
# In capitals, without anything between it and the title
CANCELLED_CAPITALS = re.compile(
    r'\W*ANNUL[EÉ]E?S?\b(?!-| ET REMPLAC)'
    r'|.*(?i:(?<!\bnon)(?<!\bpas)(?<!\bplus))\sANNUL[EÉ]E?S?\W*$')
CANCELLED_CATEGORY = re.compile(
    rf'(^|[-,:] )({_LESSON}{_GONE}|annulation)$')
# Why Index Education says that a lesson does not take place
_ABSENT = (
    r'((prof\.?|professeur|enseignant)(/pers\.?)? absente?|classe absente)')
ABSENT = re.compile(rf'(^|- ){_ABSENT}{_AFTER}')
# What the title of the lesson is without
TOLD = re.compile(
    rf'[\[(*]{_LESSON}{_GONE}[\])*]'
    rf'|[^\w\[(]*({_LESSON}{_GONE}|{_ANNULATION}|{_ABSENT})'
    r'( ?\([^()]*(\)|$))?')
TOLD_END = re.compile(
    rf'( ?[\[(]{_LESSON}{_GONE}[\])]| [\-–—:|] {_LESSON}{_GONE}'
    rf'| {_LESSON}annulee?s?\W*)$')
AROUND = ' :-–—|,*!'
# The days off that calendars tell
HOLIDAY_CATEGORY = re.compile(
    r'(jours? )?feries?|vacances( scolaires)?|(public |bank )?holidays?'
    r'|conges?')
_OFF = (
    r"((jours? )?feries?|vacances|(public |bank |school )?holidays?)"
    r"( scolaires?)?( zones? [a-c])?( ?[:\-–—|(].*| (de |d'|du |des ).*)?"
    r"|conges?( annuels?| payes)?"
    r"( (de |d'|du )(noel|la toussaint|paques|printemps|ete|hiver"
    r"|fin d'annee))?"
    r"|fermeture( annuelle| estivale| hivernale| exceptionnelle)?"
    r"( (du |de |de l')(centre|site|etablissement|organisme))?"
    r"|ponts?( et jours feries)?|pont de l'ascension"
    r"|interruption pedagogique")
_FEASTS = (
    r"jour de l'an|nouvel an|paques|vendredi saint|fete du travail|1er mai"
    r"|(fete de la )?victoire( (de )?1945)?|8 mai( 1945)?|ascension"
    r"|pentecote|fete nationale|14 juillet|assomption|toussaint"
    r"|armistice( (de )?1918)?|11 novembre|noel|saint[- ]etienne"
    r"|abolition de l'esclavage|new year'?s day|good friday"
    r"|easter (sunday|monday)|labou?r day|ascension day"
    r"|whit (sunday|monday)|bastille day|all saints'? day|armistice day"
    r"|assumption( day| of mary)?|christmas( day)?|boxing day"
    r"|(ve|victory( in europe)?) day")
HOLIDAY = re.compile(
    r"((le )?(jour|lundi|dimanche|vendredi|jeudi) (de |d')?(la |l')?)?"
    rf"({_FEASTS})( ?\(.*\))?|{_OFF}")
TZID = re.compile('TZID=([^;:]+)', re.I)
DAY = dt.timedelta(days=1)
UTC = dt.timezone.utc
UNREADABLE = (
    ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class EventError(Exception):
    "An event that can not be used"


def decode(content):
    "Return the lines of the file, unfolded, as (line number, text) pairs"
    try:
        if content.startswith((b'\xff\xfe', b'\xfe\xff')):
            content = content.decode('utf-16').encode()
    except UnicodeDecodeError as exc:
        raise CalendarError(gettext(
                'training_abandon.msg_ical_encoding')) from exc
    lines = list(_unfold(content.removeprefix(b'\xef\xbb\xbf')))
    for encoding in ['utf-8', 'cp1252']:
        try:
            return [(number, line.decode(encoding)) for number, line in lines]
        except UnicodeDecodeError:
            continue
    return [(number, line.decode('latin-1')) for number, line in lines]


def _unfold(content):
    "Yield the lines, which may be folded even inside a character"
    parts, first = [], 1
    for number, line in enumerate(re.split(b'\r\n?|\n', content), 1):
        if line[:1] in {b' ', b'\t'}:
            parts.append(line[1:])
            continue
        yield first, b''.join(parts)
        parts, first = [line], number
    yield first, b''.join(parts)


def tidy(line):
    "Return the line without the spaces that mean nothing in its value"
    name = name_of(line)
    if name not in SPACED or not (match := PARAMETERS.match(line)):
        return line
    value = re.sub(r'\s*([,;=])\s*', r'\1', line[match.end():].strip())
    return f'{match[0].rstrip()}{value}'


def fold(text):
    "Return the words to compare, without accents nor case"
    text = unaccented(text.replace('’', "'"))
    return ' '.join(text.casefold().split())


def _position(text, size):
    "Return where the text is as long as size, once folded"
    return next(
        i for i in range(len(text) + 1) if len(fold(text[:i])) >= size)


class Calendar:
    "The series of events of the file, and what can not be read"

    def __init__(self, content, timezone):
        self.timezone = timezone
        self.series = {}
        self.problems = []
        self.partial = False
        self._tzp = TZP()
        self._definitions = {}
        self._zones = {}
        self._read(content)

    def _read(self, content):
        blocks, calendars = [], 0
        zone, scanner = None, Scanner()
        for name, number, lines in scanner.scan(decode(content)):
            if name == 'VCALENDAR':
                calendars += 1
                zone, method = self._calendar(lines)
                self.partial |= method in PARTIAL
                for number, lines, closed in blocks:
                    self._event(
                        number, lines, closed, zone, method == 'CANCEL')
                blocks = []
            elif name == 'VTIMEZONE':
                self._definitions[text_of('TZID', lines)] = lines
            else:
                blocks.append((number, lines, name == 'VEVENT'))
        if scanner.stack or blocks:
            raise CalendarError(gettext(
                    'training_abandon.msg_ical_truncated'))
        if not calendars:
            raise CalendarError(gettext(
                    'training_abandon.msg_ical_not_calendar'))
        if not self.series and not self.problems:
            raise CalendarError(gettext('training_abandon.msg_ical_empty'))

    def _calendar(self, lines):
        values = {}
        for line in lines:
            name, _, value = line.partition(':')
            values[name.partition(';')[0].upper()] = value.strip()
        zone = None
        if name := values.get('X-WR-TIMEZONE'):
            zone = self.zone(name)
        return zone, values.get('METHOD', '').upper()

    def _event(self, number, lines, closed, zone, cancelled):
        # Even if the event can not be read, it is not missing
        event = Event(number, text_of('UID', lines))
        try:
            if not closed:
                raise EventError(gettext(
                        'training_abandon.msg_ical_not_closed'))
            event.read(lines, self, zone)
        except EventError as exc:
            self.problems.append(event.problem(str(exc)))
            if event.uid:
                self._series(event).broken.add(event.recurrence)
            else:
                # Which slot is its own is not known
                self.partial = True
            return
        event.cancelled |= cancelled
        if other := self._series(event).add(event):
            self.problems.append(other.problem(gettext(
                        'training_abandon.msg_ical_same_uid')))

    def _series(self, event):
        return self.series.setdefault(event.uid, Series(event.uid))

    def zone(self, name):
        "Return the time zone of that name, or None"
        if name not in self._zones:
            self._zones[name] = self._find_zone(name)
        return self._zones[name]

    def _find_zone(self, name):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            try:
                zone = self._tzp.timezone(name)
                if zone is None and name in self._definitions:
                    zone = custom_zone(self._definitions[name])
            except (OSError, *UNREADABLE):
                zone = None
        return zone

    def unknown_zone(self, name):
        "Return why there is no time zone of that name"
        if name in self._definitions:
            return gettext(
                'training_abandon.msg_ical_zone_definition', zone=name)
        return gettext('training_abandon.msg_ical_unknown_zone', zone=name)


def name_of(line):
    return re.split('[;:]', line, maxsplit=1)[0].strip().upper()


def text_of(name, lines):
    "Return the text of the property, before the lines are read"
    for line in lines:
        if name_of(line) == name:
            try:
                return clean(Contentline(line).parts()[2])
            except UNREADABLE:
                break
    return ''


def clean(text):
    "Return the text in one line that any database takes"
    return ' '.join(text.replace('\0', '').split())


def custom_zone(lines):
    "Return the zone that a calendar defines, or None"
    zone = Timezone.from_ical('\n'.join(lines))
    if len(zone.subcomponents) > MAX_OBSERVANCES:
        return None
    for component in zone.subcomponents:
        rules = component.get('RRULE', [])
        for rule in rules if isinstance(rules, list) else [rules]:
            if (rule.get('FREQ') != ['YEARLY']
                    or {n.upper() for n in rule} - ZONE_RULE
                    or any(len(values) > 1 for name, values in rule.items()
                        if name.upper() in ONCE)):
                return None
    return zone.to_tz(TZP(), lookup_tzid=False)


class Scanner:
    """Cuts the file in components.

    An event that is not closed is told by the name None."""

    def __init__(self):
        self.stack = []

    def scan(self, lines):
        for number, line in lines:
            name, _, value = line.partition(':')
            name = name.partition(';')[0].strip().upper()
            value = value.strip().upper()
            if name == 'BEGIN':
                yield from self._begin(value, number, line)
            elif name == 'END':
                yield from self._end(value, line)
            elif self.stack:
                component, _, kept = self.stack[-1]
                if value and (component != 'VEVENT' or name in PROPERTIES):
                    kept.append(tidy(line))

    def _begin(self, name, number, line):
        if name == 'VEVENT':
            yield from self._unclosed()
        if name == 'VCALENDAR':
            self.stack.clear()
        if self.stack or name == 'VCALENDAR':
            self.stack.append((name, number, [line]))

    def _end(self, name, line):
        if name == 'VCALENDAR':
            yield from self._unclosed()
            del self.stack[1:]
        if not self.stack or self.stack[-1][0] != name:
            return
        name, number, lines = self.stack.pop()
        lines.append(line)
        if name in {'STANDARD', 'DAYLIGHT'} and self.stack:
            self.stack[-1][2].extend(lines)
        elif name in {'VCALENDAR', 'VTIMEZONE', 'VEVENT'}:
            yield name, number, lines

    def _unclosed(self):
        names = [name for name, _, _ in self.stack]
        if 'VEVENT' in names:
            index = names.index('VEVENT')
            _, number, lines = self.stack[index]
            del self.stack[index:]
            yield None, number, lines


class Event:
    "One component of the file: a whole event or the change of one time"

    def __init__(self, line, uid):
        self.line = line
        self.uid = uid
        self.summary = ''
        self.recurrence = None
        self.range = False

    def problem(self, reason, dates=(), skipped=False):
        return {
            'line': self.line,
            'uid': self.uid,
            'summary': self.summary,
            'dates': list(dates),
            'reason': reason,
            'skipped': skipped,
            }

    def read(self, lines, calendar, zone):
        try:
            self._read(Component.from_ical('\n'.join(lines)), lines,
                calendar, zone)
        except UNREADABLE as exc:
            raise EventError(gettext(
                    'training_abandon.msg_ical_unreadable',
                    error=exc)) from exc
        except OSError as exc:
            # The library opens the zone Europe, which is a directory
            zones = sorted(set(TZID.findall('\n'.join(lines))))
            raise EventError(unreadable('TZID', ', '.join(zones))) from exc

    def _read(self, component, lines, calendar, zone):
        self.component, self.calendar, self.default = (
            component, calendar, zone)
        broken = {name for name, _ in component.errors}
        self.summary = self._text('SUMMARY', broken)[:250]
        self._check_rules(lines)
        for name, _ in component.errors:
            if name in TIMES:
                raise EventError(unreadable(name, next(
                            v for v in self._all(name)
                            if isinstance(v, vBroken))))
        if None in broken:
            self._check_lines(lines)
        self.description = self._text('DESCRIPTION', broken)
        self.categories_ = [
            category.strip() for value in self._all('CATEGORIES')
            for category in re.split(
                r'(?<!\\),', value.to_ical().decode())]
        self.categories = ' '.join(
            c.to_ical().decode().replace('\\', '')
            for c in self._all('CATEGORIES'))
        self.cancelled = (
            self._text('STATUS', broken).upper() in {'CANCELLED', 'CANCELED'}
            or self._told_cancelled())
        self.version = self._version(broken)
        self.attendees = self._addresses('ATTENDEE')
        self.organizers = self._addresses('ORGANIZER')
        self._read_times()
        self.holiday = self._is_holiday()
        if not self.uid:
            self._identify()
        del self.component, self.calendar

    def _check_rules(self, lines):
        "The rules of vCalendar 1.0 have no names"
        for line in lines:
            if name_of(line) == 'RRULE' and (
                    match := PARAMETERS.match(line)):
                rule = line[match.end():]
                if re.match(r'(D|W|MP|MD|YM|YD)\d+(\s|$)', rule):
                    raise EventError(gettext(
                            'training_abandon.msg_ical_old_rule', rule=rule))
                if 'FREQ' not in rule.upper():
                    raise EventError(unreadable('RRULE', rule))

    def _told_cancelled(self):
        "Tell if the texts say that the event is cancelled"
        summary = fold(self.summary)
        categories = [fold(c) for c in self.categories_]
        return bool(self._summary_cancelled()
            or any(map(CANCELLED_CATEGORY.search, categories))
            or 'index-education' in self.uid.casefold() and (
                ABSENT.match(summary)
                or any(map(ABSENT.search, categories))))

    def _summary_cancelled(self):
        summary = fold(self.summary)
        return (
            CANCELLED.match(summary) or CANCELLED_END.match(summary)
            or CANCELLED_CAPITALS.match(self.summary))

    @property
    def title(self):
        "The summary without what says that the event is cancelled"
        title, folded = self.summary, fold(self.summary)
        if not self.cancelled or not (self._summary_cancelled()
                or ABSENT.match(folded)):
            return title
        if match := TOLD.match(folded):
            return title[_position(title, match.end()):].lstrip(AROUND)
        elif match := TOLD_END.search(folded):
            return title[:_position(title, match.start())].rstrip(AROUND)
        return title

    @property
    def untitled(self):
        "Tell if the event only says that it is cancelled"
        return self.cancelled and not self.title.strip()

    def _is_holiday(self):
        "Tell if what lasts whole days is a holiday"
        return bool(HOLIDAY.fullmatch(fold(self.summary))
            or any(HOLIDAY_CATEGORY.fullmatch(fold(c))
                for c in self.categories_))

    def _identify(self):
        "Name by its time and title an event without identifier"
        if self.recurrence is not None:
            raise EventError(gettext('training_abandon.msg_ical_no_uid'))
        title = hashlib.sha256(fold(self.summary).encode()).hexdigest()[:8]
        start = f'{self.start:%Y%m%d}'
        if not self.all_day:
            start = f'{self.start.astimezone(UTC):%Y%m%dT%H%M%SZ}'
        self.uid = f'{start}-{title}'

    def _check_lines(self, lines):
        "The lines whose syntax is wrong are skipped, but for the times"
        for line in lines:
            if (name := name_of(line)) in TIMES:
                try:
                    Contentline(line).parts()
                except ValueError as exc:
                    raise EventError(unreadable(name, line)) from exc

    def _all(self, name):
        value = self.component.get(name, [])
        return value if isinstance(value, list) else [value]

    def _one(self, name):
        return next(iter(self._all(name)), None)

    def _text(self, name, broken):
        if name in broken:
            return ''
        return clean(str(self._one(name) or ''))

    def _addresses(self, name):
        return sorted({
                re.sub('^mailto:', '', str(value), flags=re.I).lower()
                for value in self._all(name)})

    def _version(self, broken):
        "What tells which of two components is the latest"
        sequence = self._one('SEQUENCE')
        if 'SEQUENCE' in broken or not isinstance(sequence, int):
            sequence = 0
        stamps = []
        for name in ['LAST-MODIFIED', 'DTSTAMP']:
            stamp = None if name in broken else self._one(name)
            stamp = getattr(stamp, 'dt', None)
            stamps.append(
                stamp.strftime('%Y%m%d%H%M%S')
                if isinstance(stamp, dt.datetime) else '')
        return sequence, *stamps

    def _read_times(self):
        start = self._one('DTSTART')
        recurrence = self._one('RECURRENCE-ID')
        if recurrence is not None:
            self.recurrence = self._time(
                'RECURRENCE-ID', recurrence, recurrence)
            self.range = (
                recurrence.params.get('RANGE', '').upper()
                == 'THISANDFUTURE')
        if start is None:
            if self._text('STATUS', set()).upper() == 'CANCELLED' or (
                    self.recurrence is not None):
                start = recurrence
            if start is None:
                raise EventError(gettext(
                        'training_abandon.msg_ical_no_start'))
        self.start = self._time('DTSTART', start, start)
        self.all_day = not isinstance(self.start, dt.datetime)
        self.duration = self._duration()
        for rule in self._all('RRULE'):
            if not isinstance(rule, vRecur):
                raise EventError(unreadable('RRULE', rule))
        self.rules = [dict(rule) for rule in self._all('RRULE')]
        self.dates, self.periods = self._dates()
        self.excluded = [
            self._time('EXDATE', value, values)
            for values in self._all('EXDATE') for value in values.dts]

    def _time(self, name, value, parameters):
        "Return a date, or a time with the zone it is thought in"
        value = getattr(value, 'dt', value)
        if not isinstance(value, dt.date) or value.year not in YEARS:
            raise EventError(unreadable(name, value))
        if not isinstance(value, dt.datetime):
            return value
        tzid = parameters.params.get('TZID')
        if tzid:
            zone = self.calendar.zone(tzid)
            if zone is None:
                raise EventError(self.calendar.unknown_zone(tzid))
        elif value.tzinfo:
            # Calendars with a zone of their own may be written in UTC
            return value.astimezone(self.default or UTC)
        else:
            zone = self.default or self.calendar.timezone
        return value.replace(tzinfo=zone)

    def _duration(self):
        end, duration = self._one('DTEND'), self._one('DURATION')
        if end is not None:
            end = self._time('DTEND', end, end)
            if isinstance(end, dt.datetime) == self.all_day:
                raise EventError(gettext(
                        'training_abandon.msg_ical_date_and_time'))
            if self.all_day:
                duration = max(end - self.start, DAY)
            else:
                duration = end.astimezone(UTC) - self.start.astimezone(UTC)
        elif duration is not None:
            duration = getattr(duration, 'dt', duration)
            if not isinstance(duration, dt.timedelta):
                raise EventError(unreadable('DURATION', duration))
        elif self.all_day:
            duration = DAY
        return duration

    def _dates(self):
        dates, periods = [], {}
        for values in self._all('RDATE'):
            for value in values.dts:
                value, end = value.dt, None
                if isinstance(value, tuple):
                    value, end = value
                value = self._time('RDATE', value, values)
                dates.append(value)
                if isinstance(end, dt.datetime):
                    end = (
                        self._time('RDATE', end, values).astimezone(UTC)
                        - value.astimezone(UTC))
                if end is not None:
                    periods[value] = end
        return dates, periods


def unreadable(name, value):
    return gettext(
        'training_abandon.msg_ical_property', property=name, value=value)


class Series:
    "The event of a UID with the changes of some of its times"

    def __init__(self, uid):
        self.uid = uid
        self.master = None
        self.overrides = {}
        # The recurrences that can not be read, None is the whole series
        self.broken = set()

    def add(self, event):
        """Add the event, the latest one is kept.

        Return the other one if nothing tells which of them is the latest."""
        if event.recurrence is None:
            other = self.master
            if other is None or event.version >= other.version:
                self.master = event
        else:
            other = self.overrides.get(event.recurrence)
            if other is None or event.version >= other.version:
                self.overrides[event.recurrence] = event
        if (other and other.version == event.version
                and other.start != event.start):
            return other

    @property
    def event(self):
        "The event that describes the series"
        return self.master or next(iter(self.overrides.values()), None)

    @property
    def summary(self):
        return self.event.summary
