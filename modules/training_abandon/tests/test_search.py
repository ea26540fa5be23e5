# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the lists, their search box and the search beside the menu find"
from trytond.modules.training_abandon import global_search
from trytond.modules.training_abandon.rec_name import COMPLETED
from trytond.modules.training_abandon.tests.common import (
    DATE, DatabaseTestCase, as_user, create_enrolments, create_party,
    create_session, create_user, open_cases, set_up)
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder, PYSONEncoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

NAMED = [
    'training.trainee', 'training.session', 'training.enrolment',
    'training.abandon.case', 'training.abandon.case.step',
    'training.attendance', 'training.session.slot']


class SearchTestCase(DatabaseTestCase):

    def create(self, company, session):
        "Create the cases of three trainees, of which one is archived"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Party = pool.get('party.party')
        Slot = pool.get('training.session.slot')
        Trainee = pool.get('training.trainee')
        enrolments = create_enrolments(session, 3)
        for enrolment, name in zip(
                enrolments, ["Camille Martin", "Martine Noël", "Hugo Noël"]):
            Party.write([enrolment.trainee.party], {'name': name})
        Attendance.create_expected(Slot.search([]))
        cases = open_cases(enrolments, DATE)
        Trainee.write([enrolments[2].trainee], {'active': False})
        other = create_session(company)
        return enrolments, cases, other

    @with_transaction()
    def test_names(self):
        "Test that the records are found by their names, as by their parts"
        pool = Pool()
        with set_up() as (company, session, _):
            enrolments, cases, _ = self.create(company, session)
            for words, operators in [
                    ("%martin%", ['ilike', 'not ilike']),
                    ("%trainee1@%", ['ilike', 'not ilike']),
                    (f'{enrolments[0].number}', ['=', '!=']),
                    (f'%{session.number}%', ['like', 'not like']),
                    (f'%{cases[1].number}%', ['ilike', 'not ilike']),
                    ("%nobody%", ['ilike', 'not ilike']),
                    ([enrolments[1].number, "x"], ['in', 'not in']),
                    ]:
                for name in NAMED:
                    Model = pool.get(name)
                    found, others = (
                        set(Model.search([('rec_name', o, words)]))
                        for o in operators)
                    with self.subTest(model=name, words=words):
                        self.assertEqual(
                            found | others, set(Model.search([])))
                        self.assertFalse(found & others)
                        self.assertEqual(
                            found, self.expected(Model, words, operators[0]))

    def expected(self, Model, words, operator):
        "Return the records that the paths find, in the way of Tryton"
        paths = {
            'training.trainee': ['party.rec_name', 'code'],
            'training.session': ['number', 'course.rec_name'],
            }
        enrolment = [
            'number', 'trainee.party.rec_name', 'trainee.code',
            'session.number', 'session.course.rec_name']
        case = ['number', *(f'enrolment.{p}' for p in enrolment)]
        paths.update({
                'training.enrolment': enrolment,
                'training.attendance': [f'enrolment.{p}' for p in enrolment],
                'training.abandon.case': case,
                'training.abandon.case.step': [f'case.{p}' for p in case],
                'training.session.slot': [
                    f'session.{p}' for p in paths['training.session']],
                })
        return set(Model.search([
                    'OR', *(
                        (path, operator, words)
                        for path in paths[Model.__name__])]))

    @with_transaction()
    def test_access(self):
        "Test that a name finds only what the user may read"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Company = pool.get('company.company')
        with set_up() as (company, session, _):
            self.create(company, session)
            other, = Company.create([{
                        'party': create_party("Other").id,
                        'currency': company.currency.id,
                        }])
            stranger = create_user('stranger', other, 'training')
            user = create_user('user', company, 'training')
            for login, count in [(stranger, 0), (user, 2)]:
                with self.subTest(login=login.login), as_user(login):
                    self.assertEqual(Case.search(
                            [('rec_name', 'ilike', "%martin%")],
                            count=True), count)

    @with_transaction()
    def test_rule(self):
        "Test that a name is looked for where the rules let the user read"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        RuleGroup = pool.get('ir.rule.group')
        with set_up() as (company, session, _):
            enrolments, _, other = self.create(company, session)
            others = create_enrolments(other)
            user = create_user('user', company, 'training')
            domain = [('rec_name', 'ilike', "%bookkeeping%")]
            with as_user(user):
                self.assertEqual(
                    set(Enrolment.search(domain)), {*enrolments, *others})
            RuleGroup.create([{
                        'name': "One session",
                        'model': 'training.session',
                        'rules': [('create', [{
                                        'domain': PYSONEncoder().encode([
                                                ('number', '=', other.number),
                                                ]),
                                        }])],
                        }])
            with as_user(user):
                self.assertEqual(Enrolment.search(domain), others)

    @with_transaction()
    def test_global_search(self):
        "Test that trainees, sessions and cases are found beside the menu"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Model = pool.get('ir.model')
        Session = pool.get('training.session')
        with set_up() as (company, session, _):
            enrolments, cases, other = self.create(company, session)
            user = create_user('user', company, 'training')
            with as_user(user):
                for text, expected in [
                        ("Camille", {
                                str(enrolments[0].trainee), str(cases[0])}),
                        (session.number, {
                                str(session), *map(str, cases)}),
                        (cases[1].number, {str(cases[1])}),
                        ]:
                    with self.subTest(text=text):
                        found = {
                            f'{name},{id_}' for _, name, _, id_, _, _
                            in Model.global_search(text, 50)}
                        self.assertLessEqual(expected, found)
            previous, global_search.FOUND = global_search.FOUND, 1
            try:
                self.assertEqual(
                    len(list(Session.search_global("Bookkeeping"))), 1)
                # The one of that number, whichever is found first
                Case.write(cases[:1], {'number': f'{cases[1].number}0'})
                Case.write(cases[2:], {'number': f'{cases[1].number}1'})
                first, *_ = Case.search_global(cases[1].number)
                self.assertEqual(first[0], cases[1])
            finally:
                global_search.FOUND = previous

    @with_transaction()
    def test_global_search_accents(self):
        "Test that the trainees are found with or without accents"
        pool = Pool()
        Model = pool.get('ir.model')
        Party = pool.get('party.party')
        with set_up() as (company, session, _):
            enrolments, _, _ = self.create(company, session)
            trainee = enrolments[1].trainee
            Party.write([trainee.party], {'name': "Éloïse Le Cœur-Noël"})
            user = create_user('user', company, 'training')
            with as_user(user):
                for text in [
                        "Éloïse", "eloise", "ÉLOISE", "noel", "NOËL",
                        "élöïsé le"]:
                    with self.subTest(text=text):
                        found = [
                            (name, id_) for _, name, _, id_, _, _
                            in Model.global_search(text, 50)]
                        self.assertIn((trainee.__name__, trainee.id), found)
                for text in ["%", "_lo", "elo%e"]:
                    with self.subTest(text=text):
                        self.assertEqual(trainee.search_folded(text), [])

    @with_transaction()
    def test_global_search_chosen(self):
        "Test that an update keeps what an administrator has chosen"
        pool = Pool()
        Model = pool.get('ir.model')
        Case = pool.get('training.abandon.case')
        model, = Model.search([('name', '=', 'training.trainee')])
        self.assertTrue(model.global_search_p)
        Model.write([model], {'global_search_p': False})
        Case.__register__('training_abandon')
        self.assertFalse(Model(model.id).global_search_p)

    @with_transaction()
    def test_mine(self):
        "Test that the calendar opens on the slots of the user"
        pool = Pool()
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            slots = list(session.slots)
            user = create_user('trainer', company, 'training')
            trainer = user.employee.party
            other = create_party("Other")
            Session.write([session], {
                    'trainers': [('add', [trainer.id])],
                    })
            Slot.write([slots[0]], {'trainer': trainer.id})
            Slot.write([slots[1]], {'trainer': other.id})
            mine = {slots[0], *slots[2:]}
            with as_user(user):
                self.assertEqual(
                    set(Slot.search([('mine', '=', True)])), mine)
                self.assertEqual(
                    set(Slot.search([('mine', '=', False)])), {slots[1]})
                self.assertEqual(
                    {s for s in Slot.browse(slots) if s.mine}, mine)
            # Who plans them gives none
            with Transaction().set_context(employee=None):
                self.assertEqual(
                    set(Slot.search([('mine', '=', True)])), set(slots))
                self.assertTrue(all(s.mine for s in Slot.browse(slots)))
            with as_user(create_user('stranger', company, 'training')):
                self.assertEqual(Slot.search([('mine', '=', True)]), [])

    @with_transaction()
    def test_calendar(self):
        "Test that the calendar is narrow and does not stop at a page"
        pool = Pool()
        Action = pool.get('ir.action.act_window')
        Data = pool.get('ir.model.data')
        action = Action(
            Data.get_id('training_abandon', 'act_slot_calendar'))
        first = action.act_window_domains[0]
        self.assertEqual(
            PYSONDecoder().decode(first.domain), [['mine', '=', True]])
        self.assertTrue(all(t.count for t in action.act_window_domains))
        self.assertEqual(action.limit, 10_000)

    @with_transaction()
    def test_attendances(self):
        "Test the columns and the tabs of the attendances"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        with set_up() as (company, session, _):
            self.create(company, session)
            definitions = Attendance.fields_get()
            self.assertEqual({
                    name for name in [
                        'trainee', 'enrolment', 'slot', 'state', 'missed',
                        'late_minutes', 'left_minutes', 'justification',
                        'justified', 'justified_by', 'comment', 'source']
                    if definitions[name]['sortable']},
                {'enrolment', 'slot'})
            lines = Attendance.search(
                [('date', '!=', None)], order=[('slot', 'DESC')])
            self.assertEqual(
                [a.slot.start_at for a in lines],
                sorted((a.slot.start_at for a in lines), reverse=True))
            self.assertEqual(
                set(lines), set(Attendance.search([])))

    @with_transaction()
    def test_steps(self):
        "Test which columns of the steps an index orders"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        definitions = Step.fields_get()
        self.assertEqual({
                name for name in [
                    'case', 'kind', 'due_date', 'state', 'evidence',
                    'done_at', 'done_by', 'done_by_user', 'waiting_since',
                    'escalation', 'skip_reason']
                if definitions[name]['sortable']},
            {'case', 'due_date', 'done_at', 'waiting_since'})

    @with_transaction()
    def test_completion(self):
        "Test that a completion proposes the first names"
        pool = Pool()
        Party = pool.get('party.party')
        Trainee = pool.get('training.trainee')
        with set_up():
            parties = Party.create([
                    {'name': f"Dupont {i}"} for i in range(COMPLETED + 1)])
            Trainee.create([{'party': p.id} for p in parties])
            for limit, count in [
                    (1000, COMPLETED), (None, COMPLETED), (10, 10)]:
                with self.subTest(limit=limit):
                    self.assertEqual(
                        len(Trainee.autocomplete("Dupont", limit=limit)),
                        count)
            self.assertEqual(
                [c['name'] for c in Trainee.autocomplete("Dupont 42")],
                ["Dupont 42"])


del DatabaseTestCase
