# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the imaginary training provider teaches, where, to whom, paid by whom"

from collections import namedtuple

MORNING = ('09:00', '12:30')
AFTERNOON = ('13:30', '17:00')
FULL_DAY = [MORNING, AFTERNOON]

Course = namedtuple(
    'Course', 'code title kind modality days weekdays times price sizes '
    'agreements')
COURSES = [
    Course('TP-SA', "Titre professionnel Secrétaire assistant",
        'continuing', 'mixte', 30, (0, 1, 3), FULL_DAY, 3900, (10, 12),
        ['public_funding', 'public_funding', 'public_funding', 'cpf']),
    Course('APP-MCO', "BTS Management commercial opérationnel",
        'apprenticeship', 'présentiel', 24, (3, 4), FULL_DAY, 7200, (11, 14),
        ['apprenticeship']),
    Course('CPT-PAI', "Gestionnaire de paie",
        'continuing', 'mixte', 26, (0, 1, 2), FULL_DAY, 4300, (9, 11),
        ['public_funding', 'cpf', 'agreement']),
    Course('NUM-WEB', "Développer un site avec WordPress",
        'continuing', 'mixte', 10, (0, 2), FULL_DAY, 2600, (9, 11),
        ['public_funding', 'cpf', 'contract']),
    Course('APP-CRC',
        "Titre professionnel Conseiller relation client à distance",
        'apprenticeship', 'présentiel', 20, (0, 1), FULL_DAY, 6100, (10, 12),
        ['apprenticeship']),
    Course('LAN-ANG', "Anglais professionnel B1 vers B2",
        'continuing', 'distanciel', 12, (1, 3), [MORNING], 1680, (8, 10),
        ['cpf', 'cpf', 'agreement']),
    Course('BUR-EXC', "Excel avancé et tableaux de bord",
        'continuing', 'présentiel', 5, (0, 1, 2, 3, 4), FULL_DAY, 1450,
        (8, 10), ['agreement', 'cpf', 'contract']),
    Course('VEN-NEG', "Techniques de vente et négociation",
        'continuing', 'présentiel', 4, (0, 1), FULL_DAY, 1380, (8, 10),
        ['agreement', 'agreement', 'contract']),
    Course('BIL-COM', "Bilan de compétences",
        'skills_assessment', 'mixte', 6, (4,), [MORNING], 1800, (4, 6),
        ['cpf', 'cpf', 'contract', 'agreement']),
    Course('VAE-ADV', "Accompagnement VAE Assistant de vie aux familles",
        'vae', 'mixte', 7, (2,), [AFTERNOON], 1950, (5, 7),
        ['cpf', 'agreement', 'contract']),
    Course('MAN-EQU', "Manager une équipe de proximité",
        'continuing', 'présentiel', 3, (1, 2, 3), FULL_DAY, 1290, (8, 10),
        ['agreement']),
    Course('SEC-SST', "Sauveteur secouriste du travail",
        'continuing', 'présentiel', 2, (0, 1), FULL_DAY, 520, (9, 11),
        ['agreement']),
    Course('CAP-PAT', "CAP Pâtissier, le week-end",
        'continuing', 'présentiel', 16, (5, 6), FULL_DAY, 2900, (8, 10),
        ['cpf', 'contract']),
    ]
CLOSURES = [
    # name, first and last (month, day)
    ("Fermeture d'été", (8, 1), (8, 15)),
    ("Fermeture de fin d'année", (12, 24), (12, 31)),
    ]
LOCATIONS = [
    "Salle Matisse, 12 avenue Jean-Médecin, 06000 Nice",
    "Salle Chagall, 12 avenue Jean-Médecin, 06000 Nice",
    "Salle Vallotton, 12 avenue Jean-Médecin, 06000 Nice",
    "Campus Arénas, 455 promenade des Anglais, 06200 Nice",
    ]
TRAINERS = [
    "Hélène Vidal", "Marc Bertolini", "Samira Benali", "Olivier Castel",
    "Nadège Perrin", "François Ottavi", "Cécile Arnoux", "Thierry Lanteri",
    "Farida Mansouri", "Sylvie Giordano", "Patrick Aubert", "Inès Ferrari",
    "Laurent Campi", "Dalila Haddad", "Gérard Pastorelli", "Maud Vernier"]

Company = namedtuple('Company', 'name host street postal_code city funder')
COMPANIES = [
    Company("Ateliers du Mercantour", 'mercantour', "ZI Carros, 1re avenue",
        '06510', "Carros", 'F-2I'),
    Company("Azur Logistique", 'azur-logistique', "27 route de Grenoble",
        '06200', "Nice", 'F-MOB'),
    Company("Boulangeries de la Riviera", 'riviera', "8 rue Gioffredo",
        '06000', "Nice", 'F-EP'),
    Company("Cabinet Reynaud Expertise", 'reynaud', "5 place Masséna",
        '06000', "Nice", 'F-ATLAS'),
    Company("Clinique des Oliviers", 'oliviers', "3 chemin de la Lauvette",
        '06300', "Nice", 'F-SANTE'),
    Company("Hôtel Belle Rive", 'bellerive', "21 quai Rauba Capeu", '06300',
        "Nice", 'F-AKTO'),
    Company("L'Œuvre au clair, aide à domicile", 'oeuvre-au-clair',
        "14 rue de la Préfecture", '06300', "Nice", 'F-EP'),
    Company("Menuiserie Giraud & Fils", 'giraud',
        "64 boulevard de la Madeleine", '06000', "Nice", 'F-EP'),
    Company("Nettoyage Côte Bleue", 'cote-bleue', "9 avenue des Diables Bleus",
        '06300', "Nice", 'F-AKTO'),
    Company("Sud Télécom Services", 'sudtelecom', "1300 route des Crêtes",
        '06560', "Valbonne", 'F-ATLAS'),
    Company("Transports Casanova", 'casanova', "118 route de Turin", '06300',
        "Nice", 'F-MOB'),
    Company("Viale Fleurs", 'viale-fleurs', "MIN Saint-Augustin", '06200',
        "Nice", 'F-EP'),
    ]
FUNDERS = [
    ('F-ATLAS', "OPCO Atlas", 'atlas'),
    ('F-AKTO', "AKTO", 'akto'),
    ('F-EP', "OPCO Entreprises de proximité", 'opcoep'),
    ('F-MOB', "OPCO Mobilités", 'opco-mobilites'),
    ('F-SANTE', "OPCO Santé", 'opco-sante'),
    ('F-2I', "OPCO 2i", 'opco-2i'),
    ('F-CDC', "Caisse des dépôts (CPF)", 'cpf'),
    ('F-SUD', "Région Sud", 'region-sud'),
    ]
# The organisation, then the adviser who follows the trainees
PRESCRIBERS = [
    ('P-FT', "France Travail Nice La Plaine", 'francetravail',
        'C-FT', "Sandrine Roux"),
    ('P-ML', "Mission Locale Nice Côte d'Azur", 'missionlocale',
        'C-ML', "Karim Haddad"),
    ('P-CAP', "Cap emploi Alpes-Maritimes", 'capemploi',
        'C-CAP', "Élisabeth Guérin-Mas"),
    ]
# One in each company: tutors of the employees, supervisors of the apprentices
TUTORS = [
    "Bruno Escoffier", "Laurence Maurel", "Thierry Navarro", "Agnès Pons",
    "Jean-Noël Ricci", "Fatima El Amrani", "Sylvie Castagnier",
    "Pascal Giraud", "Monique Da Costa", "Grégory Lefèvre", "Ange Casanova",
    "Brigitte Viale"]
FIRST_NAMES = [
    "Adèle", "Aïcha", "Antoine", "Baptiste", "Camille", "Chloé", "Clément",
    "Diane", "Dylan", "Élodie", "Émile", "Fatou", "Florian", "Gaëlle",
    "Hugo", "Inès", "Jérôme", "Jules", "Kévin", "Laëtitia", "Léa", "Loïc",
    "Lucas", "Manon", "Mathéo", "Mehdi", "Mélanie", "Nadia", "Nathan",
    "Noémie", "Océane", "Pauline", "Quentin", "Rachid", "Romane", "Sacha",
    "Solène", "Théo", "Valentin", "Yasmine", "Zoé"]
LAST_NAMES = [
    "Agnelli", "Barbier", "Benoît", "Blanc", "Bonnet", "Carlotti", "Chevalier",
    "Da Silva", "Delmas", "Diallo", "Dupré", "Fabre", "Ferrero", "Garnier",
    "Gauthier", "Giordano", "Guérin", "Hamidi", "Jacquet", "Lambert",
    "Le Goff", "Lopez", "Marchetti", "Marin", "Mercier", "Moreau", "Nguyen",
    "Olivieri", "Pastor", "Petit", "Raybaud", "Renard", "Rivière", "Rossi",
    "Sanchez", "Tessier", "Traoré", "Vasseur", "Viale", "Zerbib"]
# The one whose case goes through the eight steps, by a name that programs
# must get through
FOLLOWED = "Éloïse D'Arcy-N'Guyen"
# The mail server of the demo does not know the mailboxes of this host
CLOSED_HOST = 'boite-fermee.example.org'
