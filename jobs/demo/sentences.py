"""What the demo's voices say: short sentences in three languages, put together from phrases written for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# One list per slot; any choice of one phrase per slot is a grammatical sentence of the language.
_PHRASES: dict[str, tuple[tuple[str, ...], ...]] = {
    "en": (
        (
            "Last autumn",
            "Early this morning",
            "After a long meeting",
            "During the summer fair",
            "Before the first snow",
            "On a quiet Sunday",
            "Shortly after midnight",
            "In the middle of March",
            "Every second Friday",
            "When the rain stopped",
            "Without any warning",
            "At the end of the lesson",
            "Three days ago",
            "Late in the evening",
            "While the kettle boiled",
            "Once the guests had left",
            "For the third time",
            "Just before lunch",
            "Because of the storm",
            "To everyone's surprise",
        ),
        (
            "the young gardener",
            "my older sister",
            "a tired engineer",
            "the village doctor",
            "our new neighbor",
            "the captain of the ferry",
            "a famous painter",
            "the history teacher",
            "your little brother",
            "the night porter",
            "a group of students",
            "the woman from the bakery",
            "an honest farmer",
            "the radio operator",
            "his grandmother",
            "the tallest player",
            "a stranger in a gray coat",
            "the head of the kitchen",
            "one of the pilots",
            "the librarian",
        ),
        (
            "carried",
            "repaired",
            "described",
            "borrowed",
            "painted",
            "discovered",
            "cleaned",
            "photographed",
            "ignored",
            "measured",
            "collected",
            "forgot",
            "found",
            "bought",
            "polished",
            "lost",
            "admired",
            "delivered",
            "covered",
            "replaced",
        ),
        (
            "a wooden ladder",
            "seven empty bottles",
            "the broken clock",
            "a map of the islands",
            "two heavy boxes",
            "the oldest piano",
            "a basket of apples",
            "several silver spoons",
            "the blue bicycle",
            "a pair of boots",
            "the kitchen table",
            "an enormous umbrella",
            "some yellow flowers",
            "a letter from Canada",
            "the copper lamp",
            "fifteen glass plates",
            "a small telescope",
            "the garden chairs",
            "an unusual shell",
            "a bag of coffee",
        ),
        (
            "behind the market hall",
            "across the wet courtyard",
            "near the railway station",
            "on the top floor",
            "beside the frozen river",
            "under the stone bridge",
            "at the edge of the forest",
            "in front of the museum",
            "between two parked cars",
            "along the northern coast",
            "inside the old theater",
            "outside the post office",
            "above the fish shop",
            "around the corner",
            "next to the fire station",
            "at the bottom of the hill",
            "in a room full of books",
            "opposite the town hall",
            "by the open window",
            "on the way to the airport",
        ),
    ),
    "de": (
        (
            "Am frühen Morgen",
            "Nach dem Gewitter",
            "Jeden zweiten Freitag",
            "Kurz vor Mitternacht",
            "Im letzten Herbst",
            "Ohne jede Eile",
            "Während der Pause",
            "Seit gestern Abend",
            "Zum dritten Mal",
            "Trotz der Kälte",
        ),
        ("trägt", "findet", "zeichnet", "verkauft", "sucht", "vergisst", "putzt", "beschreibt", "holt", "bewacht"),
        (
            "der alte Fischer",
            "meine Nachbarin",
            "ein junger Lehrer",
            "die müde Ärztin",
            "unser Großvater",
            "der Bäcker aus dem Dorf",
            "eine fremde Frau",
            "das kleine Mädchen",
            "der Leiter der Küche",
            "seine Schwester",
        ),
        (
            "zwei schwere Körbe",
            "einen Brief aus Kanada",
            "die zerbrochene Uhr",
            "das blaue Fahrrad",
            "einige gelbe Blumen",
            "eine hölzerne Leiter",
            "sieben leere Flaschen",
            "den großen Regenschirm",
            "ein Glas mit Honig",
            "die alte Lampe",
        ),
        (
            "hinter der Markthalle",
            "neben dem Bahnhof",
            "unter der steinernen Brücke",
            "am Rand des Waldes",
            "vor dem Museum",
            "im obersten Stockwerk",
            "auf dem Weg zum Hafen",
            "zwischen den Häusern",
            "am offenen Fenster",
            "gegenüber der Schule",
        ),
    ),
    "fr": (
        (
            "Ce matin de bonne heure",
            "Après la pluie",
            "Pendant la récréation",
            "Un dimanche tranquille",
            "À la fin du mois",
            "Sans faire de bruit",
            "Juste avant midi",
            "Depuis deux semaines",
            "Pour la troisième fois",
            "Malgré le froid",
        ),
        (
            "la vieille boulangère",
            "mon petit frère",
            "un pêcheur fatigué",
            "le professeur de musique",
            "notre voisine",
            "le gardien du musée",
            "une jeune étudiante",
            "le médecin du village",
            "sa grand-mère",
            "le patron du café",
        ),
        ("range", "cherche", "répare", "dessine", "achète", "oublie", "nettoie", "transporte", "regarde", "retrouve"),
        (
            "trois caisses lourdes",
            "une lettre du Canada",
            "la pendule cassée",
            "le vélo bleu",
            "quelques fleurs jaunes",
            "une échelle en bois",
            "sept bouteilles vides",
            "un énorme parapluie",
            "la lampe en cuivre",
            "un pot de miel",
        ),
        (
            "derrière le marché",
            "à côté de la gare",
            "sous le pont de pierre",
            "au bord de la forêt",
            "devant la mairie",
            "au dernier étage",
            "sur le chemin du port",
            "entre deux voitures",
            "près de la fenêtre ouverte",
            "en face de l'école",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence and the phrases it is made of."""

    language: str
    phrases: tuple[str, ...]
    has_opening: bool
    """Whether the first phrase says when; every other sentence does without, so that lengths vary."""

    @property
    def text(self) -> str:
        """As written in a transcript; an English or French opening is set off by a comma, spoken as a pause."""
        head, *rest = self.phrases
        words = head + (" " if self.language == "de" or not self.has_opening else ", ") + " ".join(rest) + "."
        return words[0].upper() + words[1:]

    def shares_phrase(self, other: Sentence) -> bool:
        """Whether the two sentences have words in common on purpose."""
        return not set(self.phrases).isdisjoint(other.phrases)


def sentences(language: str, count: int, rng: np.random.Generator) -> list[Sentence]:
    """`count` distinct sentences. Every phrase of a slot is used once before any is used again."""
    slots = _PHRASES[language]
    size = len(slots[0])
    made: list[Sentence] = []
    seen: set[tuple[str, ...]] = set()
    while len(made) < count:
        orders = [rng.permutation(size) for _ in slots]
        for position in range(size):
            phrases = tuple(slot[order[position]] for slot, order in zip(slots, orders, strict=True))
            if phrases not in seen:
                seen.add(phrases)
                # German needs its opening: the verb comes second
                opening = language == "de" or len(made) % 2 == 0
                made.append(Sentence(language, phrases if opening else phrases[1:], opening))
    return made[:count]
