# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Reads the source of the module: its wings, their classes and their calls"
import ast
import re
from collections import Counter, namedtuple
from configparser import ConfigParser
from functools import cached_property
from pathlib import Path

from lxml import etree

from trytond.tools import find_path

MODULE = Path(__file__).parent.parent
TYPES = ['model', 'wizard', 'report']

Registered = namedtuple('Registered', 'wing section type_ path')
Definition = namedtuple('Definition', 'wing path file line name extends')
Call = namedtuple('Call', 'line kind what place')


def read_config(path):
    config = ConfigParser()
    config.optionxform = str
    config.read(path, encoding='utf-8')
    return config


def get_lines(config, option, section='tryton'):
    return config.get(section, option, fallback='').split()


def is_register(section):
    return section.split()[0] == 'register'


def parse(path):
    return ast.parse(path.read_text(encoding='utf-8'), str(path))


def class_name(node):
    "Return the __name__ of the class, or None"
    for statement in node.body:
        if (isinstance(statement, ast.Assign)
                and ast.unparse(statement.targets[0]) == '__name__'):
            return ast.literal_eval(statement.value)


def is_extension(node):
    "Return if the class only extends a model of the pool"
    return 'PoolMeta' in {ast.unparse(k.value) for k in node.keywords}


def is_button(node):
    "Return if the node is a method that the clients call as button"
    return isinstance(node, ast.FunctionDef) and any(
        ast.unparse(d).startswith('ModelView.button')
        for d in node.decorator_list)


class Source:
    """The source of a module and its wings, in the order of dependence.

    The files of the root are below the wings; its __init__, that gathers, and
    the packages that are no wings, are above."""

    def __init__(self, root=MODULE):
        self.root = Path(root)
        self.config = read_config(self.root / 'tryton.cfg')
        self.wings = get_lines(self.config, 'include_dirs')
        self.places = ['root', *self.wings, 'above']
        self._trees = {}
        self.configs = {'root': self.config, **{
                w: read_config(self.root / w / 'tryton.cfg')
                for w in self.wings}}

    def tree(self, file):
        "Return the syntax tree of the file"
        if file not in self._trees:
            self._trees[file] = parse(file)
        return self._trees[file]

    def directory(self, place):
        return self.root if place == 'root' else self.root / place

    def name(self, path):
        return path.relative_to(self.root).as_posix()

    def is_upward(self, place, other):
        return self.places.index(other) > self.places.index(place)

    def place(self, name):
        "Return where the file or the package of the root is"
        if name in self.wings:
            return name
        elif name != '__init__' and (self.root / f'{name}.py').exists():
            return 'root'
        return 'above'

    def files(self, place):
        directory = self.directory(place)
        if place == 'root':
            return sorted(set(directory.glob('*.py')) - {
                    directory / '__init__.py'})
        return sorted(directory.rglob('*.py'))

    def xml_files(self, place):
        "Return the paths of the XML files that the configuration lists"
        directory = self.directory(place)
        return [
            directory / name
            for name in get_lines(self.configs[place], 'xml')]

    @cached_property
    def registered(self):
        return [
            Registered(place, section, type_, path)
            for place, config in self.configs.items()
            for section in config.sections() if is_register(section)
            for type_ in TYPES
            for path in get_lines(config, type_, section)]

    @cached_property
    def defined(self):
        "The classes with a name of the pool by place and path"
        result = {}
        for place in self.configs:
            for file in self.files(place):
                module = '.'.join(file.relative_to(
                        self.directory(place)).with_suffix('').parts)
                for node in self.tree(file).body:
                    if isinstance(node, ast.ClassDef) and class_name(node):
                        path = f'{module}.{node.name}'
                        result[place, path] = Definition(
                            place, path, self.name(file), node.lineno,
                            class_name(node), is_extension(node))
        return result

    @cached_property
    def declared(self):
        "The first place that declares each type and name"
        result = {}
        for registered in self.registered:
            class_ = self.defined.get((registered.wing, registered.path))
            if class_ and not class_.extends:
                result.setdefault(
                    (registered.type_, class_.name), registered.wing)
        return result

    @cached_property
    def xml_ids(self):
        "The place of each XML id"
        result = {}
        for place in self.configs:
            for file in self.xml_files(place):
                for element in etree.parse(file).iterfind('.//*[@id]'):
                    result.setdefault(element.get('id'), place)
        return result

    def upward_calls(self):
        "Yield the imports, the names and the XML ids of the wings above"
        for place in self.configs:
            for file in self.files(place):
                for call in self._calls(file):
                    if self.is_upward(place, call.place):
                        yield (f'{self.name(file)}:{call.line}: '
                            f'{call.kind} {call.what} -> {call.place}')

    def _calls(self, file):
        tree = self.tree(file)
        kinds = {}
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                for _, name in self._imported(node, file):
                    yield Call(
                        node.lineno, 'import', '.'.join(name),
                        self.place(name[0]))
            elif isinstance(node, ast.Call):
                kinds.update(_kinds(node))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                kind, type_ = kinds.get(node, ('name', None))
                if place := self._find(node.value, type_):
                    yield Call(node.lineno, kind, node.value, place)

    def _imported(self, node, file):
        """Yield the names imported from the module, as the file calls them
        and in parts."""
        package = ['trytond', 'modules', self.root.name]
        if isinstance(node, ast.Import):
            names = [alias.name.split('.') for alias in node.names]
        else:
            base = []
            if node.level:
                base = [*package, *file.parent.relative_to(self.root).parts]
                base = base[:len(base) + 1 - node.level]
            if node.module:
                base += node.module.split('.')
            names = [[*base, alias.name] for alias in node.names]
        for alias, name in zip(node.names, names):
            if name[:3] == package:
                yield alias.asname or alias.name, name[3:] or ['__init__']

    def _find(self, value, type_):
        "Return the place of the name of the pool or of the XML id"
        module, _, xml_id = value.partition('.')
        if module == self.root.name:
            return self.xml_ids.get(xml_id)
        # As a field or a method of the name
        name = re.split('[,|]', value)[0]
        for type_ in [type_] if type_ in TYPES else TYPES:
            if place := self.declared.get((type_, name)):
                return place

    @cached_property
    def buttons(self):
        "The methods that are buttons by name of model"
        result = {}
        for registered in self.registered:
            if class_ := self.defined.get((registered.wing, registered.path)):
                buttons = result.setdefault(class_.name, set())
                buttons.update(self._buttons(
                        self.root / class_.file, class_.path.split('.')[-1]))
        return {name: buttons for name, buttons in result.items() if buttons}

    def _buttons(self, file, name):
        "Yield the buttons of the class of the file and of its bases"
        for node in self.tree(file).body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                for base in map(ast.unparse, node.bases):
                    find = (
                        self._imported_buttons if base == name
                        else self._buttons)
                    yield from find(file, base)
                yield from (m.name for m in node.body if is_button(m))
                break
        else:
            yield from self._imported_buttons(file, name)

    def _imported_buttons(self, file, name):
        for node in ast.walk(self.tree(file)):
            if isinstance(node, ast.ImportFrom):
                for alias, (*path, imported) in self._imported(node, file):
                    other = self.root.joinpath(*path).with_suffix('.py')
                    if alias == name and other.exists():
                        yield from self._buttons(other, imported)

    def doubled_names(self):
        "Yield the names that several classes of a wing have"
        counter = Counter()
        for registered in self.registered:
            if class_ := self.defined.get((registered.wing, registered.path)):
                wing, section, type_, _ = registered
                counter[wing, section, type_, class_.name] += 1
        for (wing, section, type_, name), count in counter.items():
            if count > 1:
                yield f'{wing} [{section}]: {count} classes of {type_} {name}'

    def unregistered(self):
        "Yield the classes that are not registered and the paths of no class"
        registered = {(r.wing, r.path) for r in self.registered}
        for key, class_ in self.defined.items():
            if key not in registered:
                yield (f'{class_.file}:{class_.line}: '
                    f'{class_.name} is not registered')
        for wing, path in sorted(registered - set(self.defined)):
            yield f'{wing}/tryton.cfg: {path} is no class with a name'

    def invalid_xml(self):
        "Yield the faults of the XML files"
        try:
            path = find_path('tryton.rng', subdir='')
        except FileNotFoundError:
            path = find_path('tryton.rnc', subdir='')
        validator = etree.RelaxNG(file=path)
        for place in self.configs:
            for file in self.xml_files(place):
                if not file.exists():
                    yield f'{self.name(file)}: does not exist'
                elif not validator.validate(etree.parse(file)):
                    yield f'{self.name(file)}: {validator.error_log}'

    def unlisted_xml(self):
        for place in self.configs:
            files = set(self.directory(place).glob('*.xml'))
            for file in sorted(files - set(self.xml_files(place))):
                yield f'{self.name(file)}: is not in tryton.cfg'

    def unknown_depends(self):
        "Yield the sections of modules that the module does not know"
        extras = set(get_lines(self.config, 'extras_depend'))
        for place, config in self.configs.items():
            for section in filter(is_register, config.sections()):
                for name in sorted(set(section.split()[1:]) - extras):
                    yield f'{place} [{section}]: {name} in no extras_depend'

    def ignored_depends(self):
        for wing in self.wings:
            for option in ['depends', 'extras_depend']:
                if self.configs[wing].has_option('tryton', option):
                    yield f'{wing}/tryton.cfg: Tryton ignores {option}'

    def misplaced_views(self):
        "Yield the views that are not in the directory of their wing"
        views = self.root / 'view'
        used = set()
        for place in self.configs:
            for file in self.xml_files(place):
                for name in etree.parse(file).xpath(
                        '//record[@model="ir.ui.view"]'
                        '/field[@name="name"]/text()'):
                    used.add(views / f'{name}.xml')
                    if name.split('/')[:-1] != [place]:
                        yield (f'{self.name(file)}: '
                            f'{name} is not in view/{place}')
        files = set(views.rglob('*.xml'))
        for file in sorted(used - files):
            yield f'{self.name(file)}: does not exist'
        for file in sorted(files - used):
            yield f'{self.name(file)}: is used by no wing'

    def untested(self):
        for wing in self.wings:
            if not any((self.root / 'tests').glob(f'test_{wing}*.py')):
                yield f'tests/test_{wing}_*.py: there is none'


def _kinds(node):
    "Return the kind of call and of name of the arguments of the call"
    function = ast.unparse(node.func)
    if function.startswith('fields.'):
        return {argument: ('relation', 'model') for argument in node.args}
    elif function.endswith('.get'):
        type_ = 'model'
        for argument in [
                *node.args[1:2],
                *(k.value for k in node.keywords if k.arg == 'type')]:
            type_ = getattr(argument, 'value', type_)
        return {argument: ('pool.get', type_) for argument in node.args[:1]}
    return {}
