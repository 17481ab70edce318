"""The world of the built-in sample: the harbour town of Saltmere and those who write in it.

The guild keeps the harbour's day book in a house idiom: a paid debt is a *drowned* tally, a lost
boat has *gone to chapel*, the lamplighter is the *Wick*, October is *Eel Fair*. The landlady of the
inn notes down what her guests talk about, in everyday words and with no result, and the observatory
keeps a log. Guests ask in everyday words too, so that the notebook sounds like the question and the
day book has the answer. Names run in families.

Templates name their slots in braces. `build.py` fills them and knows which slots are entities.
"""

from __future__ import annotations

from typing import NamedTuple


class Feast(NamedTuple):
    """A date of the guild's calendar: its name, its preposition, and its usual name, a month."""

    name: str
    on: str
    month: str


class Trade(NamedTuple):
    """A trade: its title in the guild and its usual name."""

    title: str
    plain: str


FEASTS = (
    Feast("Eel Fair", "at", "October"),
    Feast("Candle Week", "in", "December"),
    Feast("Gull Sunday", "on", "March"),
    Feast("Net Blessing", "at", "May"),
    Feast("Tar Days", "in the", "July"),
    Feast("Crab Court", "during", "January"),
)

TRADES = (
    Trade("Wick", "lamplighter"),
    Trade("Hoop", "barrel maker"),
    Trade("Stitch", "sailmaker"),
    Trade("Ladle", "ship's cook"),
    Trade("Whistle", "night watchman"),
    Trade("Finger", "harbour pilot"),
    Trade("Crumb", "baker"),
    Trade("Scale", "fishmonger"),
)

# Person i has trade i % len(TRADES).
PEOPLE = (
    ("Bettany", "Crowe"),
    ("Odd", "Fenwick"),
    ("Åsa", "Lindqvist"),
    ("Perpetua", "Marsh"),
    ("Tobias", "Ruddle"),
    ("Ewan", "Pellow"),
    ("Hester", "Quill"),
    ("Noor", "Amari"),
    ("Lucan", "Threadgold"),
    ("Mirela", "Dovic"),
    ("Samson", "Oakes"),
    ("Zoë", "Carrick"),
    ("Jonah", "Brindle"),
    ("Ottilie", "Vane"),
    ("Rasmus", "Holt"),
    ("Celeste", "Tamblyn"),
    ("Gideon", "Sparrow"),
    ("Maren", "Ågren"),
    ("Piet", "Hollander"),
    ("Dorcas", "Wynn"),
    ("Anselm", "Grubb"),
    ("Isolde", "Penrose"),
    ("Barnaby", "Flint"),
    ("Yusuf", "Delacroix"),
    ("Thea", "Morwen"),
    ("Caspian", "Rooke"),
    ("Lavinia", "Stubbs"),
    ("Magnus", "Øster"),
    ("Faith", "Nankivell"),
    ("Edmund", "Sallow"),
    ("Renata", "Kiss"),
    ("Hugo", "Larkin"),
    ("Winifred", "Moss"),
    ("Silas", "Arkwright"),
    ("Juno", "Bellamy"),
    ("Matthias", "Kern"),
    ("Agnes", "Tolliver"),
    ("René", "Favreau"),
    ("Sorrel", "Hatch"),
    ("Ivo", "Castellan"),
)

PLACES = (
    "Gull Stair",
    "Widow's Arm",
    "Lantern Row",
    "Brannoc's Wharf",
    "Weigh House Yard",
    "Herring Gate",
    "Low Ferry",
    "Pepper Quay",
    "Chandler's Steps",
    "Mole End",
)

BOATS = (
    "Patient Margit",
    "Second Thoughts",
    "Good Neighbour",
    "Blue Heron",
    "Tansy",
    "Old Arithmetic",
    "Merry Widower",
    "Silver Eel",
    "Northern Aunt",
    "Barley Queen",
    "Late Apology",
    "Three Sisters",
    "Constance",
    "Plain Speaking",
)

SUMS = (
    "eleven florins",
    "two crowns and a groat",
    "forty pence",
    "nine marks",
    "six florins",
    "a crown and a half",
    "seventeen pence",
    "thirty marks",
)

# Remarks of the clerks in the margin. Half of them speak of the same matters in everyday words, but
# about somebody else, so they do not help to answer a question.
REMARKS = (
    "The ink froze twice before the line was done.",
    "Nobody asked for a copy.",
    "The clerk spelled it as he heard it.",
    "Two gulls watched from the beam and were not charged.",
    "It rained, as it does when we have the window open.",
    "The page has a ring on it from a mug.",
    "Read aloud, and nodded to.",
    "The bench took its dinner early.",
    "The tide was making and nobody stayed to talk.",
    "Fog until noon, then more of it.",
    "The second clerk was asleep and is so noted.",
    "Someone has drawn a fish here.",
    "A bell somewhere was counting wrong.",
    "There was herring for supper again.",
    "The wind went round to the north while we wrote.",
    "See also the page that the mice had.",
    "The candle was charged to the house.",
    "No more was said, and the door was shut.",
    "The tailor was still owed for the clerk's coat.",
    "The apothecary had paid his rent, we heard, and was proud of it.",
    "A toy ship sank in the rain barrel and was mourned by children.",
    "Divers were still talking about an old wreck off the point.",
    "A bride's cousin was sick on the stairs.",
    "They were baking for the miller's wedding across the road.",
    "The funeral of the schoolmaster's parrot went by.",
    "The sexton was digging, but only for worms.",
    "A baby cried next door through all of it.",
    "The midwife's goat had got out again.",
    "The chimney smoked and the boy was sent for water.",
    "Something was burning, and it was the porridge.",
    "A thief had been at the inn's spoons, but the inn keeps its own book.",
    "The magistrate's hat was stolen while he judged a theft.",
    "The doctor was late, having a cold.",
    "There was coughing from the gallery.",
    "The customs men were playing dice in the porch.",
    "The excise cutter went past with her lamps lit.",
    "The inn has dismissed another boy.",
    "The school was looking for a new master, the last one having been let go.",
    "Two dogs were fighting under the table.",
    "The boys outside were punching each other, in friendship.",
    "The carpenter was mending our bench meanwhile.",
    "They were still repairing the church roof.",
)

INN = "Cold Anchor"

# Guests of the inn ask the questions. {question} is a question of an event with a small first
# letter.
ASKING = (
    "Settle a bet for the table at the {inn}: {question}",
    "The guests of the {inn} took sides and would like to know: {question}",
    "It was asked again at supper at the {inn}: {question}",
    "The question of the night in the back room of the {inn}: {question}",
    "The landlady of the {inn} wonders, and so do her guests: {question}",
)

# The landlady notes the guests' talk in everyday words. It answers nothing.
TALK = (
    "So the table at the {inn} had it.",
    "The guests of the {inn} took sides.",
    "It was asked again at supper at the {inn}.",
    "There was a bet on it at the {inn}.",
    "The landlady of the {inn} wonders.",
    "The back room of the {inn} would like to know.",
    "It was the question of the night at the {inn}.",
    "The guests of the {inn} would like to know.",
)

# The log of the observatory speaks of similar matters in everyday words.
ASTRONOMERS = (
    "Doctor Imre Falk",
    "Sister Beatrix",
    "Professor Adebayo",
    "young Mister Coyle",
    "Madame Oriel",
    "the assistant Pavel",
)

INSTRUMENTS = (
    "the great refractor",
    "the brass quadrant",
    "the transit clock",
    "the comet seeker",
    "the rain gauge",
    "the barometer",
)

LOG = (
    "In {month} {astronomer} paid the lens grinder the whole debt for {instrument}, interest too.",
    "{astronomer} owes the town for lamp oil since {month}, and offers {instrument} as surety.",
    "A model ship with {instrument} aboard sank in the garden pond in {month}; {astronomer} waded.",
    "{astronomer} saw a wreck on the far rocks through {instrument} one clear evening in {month}.",
    "{astronomer} was married in {month} between two eclipses, under {instrument}.",
    "Guests at the wedding in {month} asked to look through {instrument}; {astronomer} let them.",
    "The founder died in {month}, and {astronomer} stopped {instrument} for an hour out of respect.",
    "{astronomer} read a paper at the funeral in {month}, on the errors of {instrument}.",
    "A child was born at the lodge in {month}; {astronomer} noted the time by {instrument}.",
    "{astronomer} rocked the porter's baby in {month} with one hand and read {instrument}.",
    "A fire in the woodshed in {month} spoiled the seeing; {astronomer} covered {instrument}.",
    "{astronomer} burned a hole in a sleeve in {month} by leaving {instrument} in the sun.",
    "Thieves took the cover of {instrument} in {month}, and {astronomer} has changed the locks.",
    "{astronomer} was robbed on the hill road in {month} of everything except {instrument}.",
    "{astronomer} had a fever in {month}, and {instrument} was read by the cook.",
    "The doctor forbade {astronomer} the night air in {month}; {instrument} stands idle.",
    "Customs opened the crate of {instrument} in {month}, suspecting {astronomer} of smuggling.",
    "{astronomer} paid duty in {month} on the new glass for {instrument}, under protest.",
    "The clockmaker was dismissed in {month} for dropping {instrument}, said {astronomer}.",
    "{astronomer} gave up the post in {month} and took a last look through {instrument}.",
    "{astronomer} and a visitor quarrelled in {month} about {instrument} and nearly came to blows.",
    "Two students had a fight in {month} over {instrument}; {astronomer} sent both to bed.",
    "{instrument} was repaired in {month}, and {astronomer} says that it is worse.",
    "{astronomer} mended {instrument} in {month} with string and a spoon.",
)

SKIES = (
    "Clear until two, then cloud from the sea.",
    "Saturn was steady and very small.",
    "Eleven meteors before the moon rose.",
    "Nothing to be seen but our own breath.",
    "The seeing was poor and the tea was worse.",
    "A halo round the moon; rain by breakfast.",
    "The town's lamps were a nuisance again.",
    "Jupiter low in the west, three moons showing.",
    "Dew on everything, the log included.",
    "Wind in the dome all night long.",
    "The northern lights, faint and green, for an hour.",
    "Frost on the rail, and stars down to the water.",
)

# Texts of the tide table have no entity.
TIDES = (
    "High water came at the {bell} bell and stood for as long as it takes to say so.",
    "At the {bell} bell the mud was bare as far as the old posts.",
    "A short tide, over by the {bell} bell, and weed on all the lower rungs.",
    "The flood began before the {bell} bell and wet the third row of stones.",
    "Slack water from the {bell} bell; a cork put in at the edge stayed where it was.",
)

BELLS = (
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
)
