"""The events in Saltmere, with the templates of their records, questions and gossip."""

from __future__ import annotations

from typing import NamedTuple


class Event(NamedTuple):
    """An event, and the templates of the texts about it.

    Attributes:
        records: the records of the guild.
        questions: questions that mention a trade, a place or a month.
        named_questions: questions that mention a person by name.
        hearsay: talk about the same matter, without an answer.
        answer: the meaning of the record in everyday words.
        mutual: whether the event happens to {other} as well as to {who}.
    """

    records: tuple[str, ...]
    questions: tuple[str, ...]
    named_questions: tuple[str, ...]
    hearsay: tuple[str, ...]
    answer: str
    mutual: bool = False


# The slots of records are {who} and {other} (persons with titles), {place}, {boat}, {sum}, and
# {feast} with its preposition {on}. The slots of other texts are {name}, {trade}, {place}, {month}.
EVENTS = {
    "debt paid": Event(
        records=(
            "{On} {feast} {who} drowned a tally of {sum} at {place}, with {other} looking on.",
            "Drowned at {place} {on} {feast}: the tally of {who}, {sum} and not a farthing over.",
            "The tally of {who}, which stood at {sum}, was drowned {on} {feast} at {place}.",
            "{who} came down to {place} {on} {feast} and had the old tally drowned, all {sum}.",
            "A tally of {sum} was drowned at {place} {on} {feast}; {who} held the stick under.",
        ),
        questions=(
            "Which {trade} at {place} owed nobody anything by the end of {month}?",
            "Whose creditors at {place} had every reason to be content in {month}?",
            "Which {trade} cleared an old debt at {place}?",
            "What money did a {trade} pay back in full during {month}?",
        ),
        named_questions=(
            "When did {name} become free of debt at {place}?",
            "Did {name} ever pay back what was owed in {month}?",
        ),
        hearsay=(
            "Does the {trade} {name} still owe money at {place}? It is only {month}.",
            "A guest wished in {month} that the {trade} {name} would pay for a round at {place}.",
            "They say in {month} that {name} the {trade} has creditors even beyond {place}.",
            "{name} the {trade} was asked for money at {place} in {month} and told a long story.",
            "Who lends to the {trade} {name}? Nobody at {place}, and nobody since {month}.",
            "An old debt was mentioned at {place} in {month}; {name} the {trade} looked away.",
            "The {trade} {name} says that paying back is for {month}, and that {place} can wait.",
        ),
        answer="{name} the {trade} paid a debt: in the guild's words, a tally was drowned",
    ),
    "boat lost": Event(
        records=(
            "The {boat} went to chapel {on} {feast}, two days out of {place}, {who} aboard.",
            "{On} {feast} word reached {place} that the {boat} of {who} had gone to chapel.",
            "{who} told {place} {on} {feast} that the {boat} was gone to chapel, nets and all.",
            "Gone to chapel {on} {feast}: the {boat}, {who} at the tiller, last seen off {place}.",
            "They rang nothing at {place} {on} {feast} when the {boat} of {who} went to chapel.",
        ),
        questions=(
            "Which {trade}'s vessel, well known at {place}, sank in {month}?",
            "What craft known at {place} lies on the sea bed since {month}?",
            "Which {trade} suffered a shipwreck after leaving {place}?",
            "Which vessel did a {trade} lose to the waves off {place}?",
        ),
        named_questions=(
            "Which vessel did {name} see sink in {month}?",
            "What shipwreck cost {name} a livelihood near {place}?",
        ),
        hearsay=(
            "Could the {trade} {name} swim, if a vessel sank off {place}? So they said in {month}.",
            "A sailor talked of shipwrecks at {place} in {month}; {name} the {trade} left early.",
            "The {trade} {name} dreamed in {month} of a vessel sinking before {place}.",
            "In {month} the wreck off {place} was described again to {name} the {trade}.",
            "What lies on the sea bed at {place}? Boots, said the {trade} {name} in {month}.",
            "The {trade} {name} would board no craft at {place} in {month}, fearing the waves.",
            "How many ships were lost last {month}? None from {place}, said {name} the {trade}.",
        ),
        answer="{name} the {trade} lost the {boat}: in the guild's words, she went to chapel",
    ),
    "wedding": Event(
        records=(
            "{who} and {other} hung one lantern at {place} {on} {feast}.",
            "{On} {feast} one lantern was hung at {place} for {who} and {other}.",
            "At {place}, {on} {feast}: {who} hung one lantern with {other}, both willing.",
            "One lantern from now on for {who} and {other}; hung at {place} {on} {feast}.",
            "{who} and {other} had leave to hang one lantern {on} {feast}, and hung it at {place}.",
        ),
        questions=(
            "Which {trade} was married at {place} in {month}?",
            "Who exchanged vows at {place} in {month}?",
            "Which {trade} became somebody's spouse at {place}?",
            "Which {trade} needed a ring and a best man at {place}?",
        ),
        named_questions=(
            "Whom did {name} marry in {month}?",
            "Who became the spouse of {name} at {place}?",
        ),
        hearsay=(
            "Will the {trade} {name} ever marry? At {place} in {month} they were taking bets.",
            "A bride was seen at {place} in {month}; {name} the {trade} says it was a scarecrow.",
            "{name} the {trade} has opinions about weddings, and {place} heard them in {month}.",
            "All {place} was asked to a wedding in {month}, said the {trade} {name}, but whose?",
            "The {trade} {name} bought a ring at {place} in {month} and will not say for whom.",
            "Who would be a spouse to the {trade} {name}? {place} was asked in {month}; silence.",
            "A best man is wanted at {place}, they said in {month}, and {name} the {trade} hid.",
        ),
        answer="{name} the {trade} was married: in the guild's words, one lantern was hung",
        mutual=True,
    ),
    "death": Event(
        records=(
            "{who} stepped ashore {on} {feast}, in the upper room at {place}.",
            "{On} {feast} {who} stepped ashore at {place}, {other} holding the lamp.",
            "Stepped ashore at {place} {on} {feast}: {who}, aged more than the book can say.",
            "We set down that {who} of {place} has stepped ashore, {on} {feast}, at low water.",
            "{other} brought us word {on} {feast} that {who} had stepped ashore at {place}.",
        ),
        questions=(
            "Which {trade} of {place} had to be buried in {month}?",
            "Who passed away at {place} in {month}?",
            "Whose family at {place} wore black for a {trade}?",
            "Which {trade} was mourned after {month}?",
        ),
        named_questions=(
            "When were mourners needed for {name} of {place}?",
            "In what circumstances did {name} die in {month}?",
        ),
        hearsay=(
            "Is it true that the {trade} {name} died at {place} in {month}? Then who ate the pie?",
            "The {trade} {name} wore black at {place} in {month}, and would not say who was dead.",
            "They talked of funerals at {place} in {month}; the {trade} {name} asked for music.",
            "{name} the {trade} wants to be buried at {place} with a view; so we heard in {month}.",
            "Who will mourn the {trade} {name}? {place} thought in {month}: the dog, perhaps.",
            "Everyone at {place} passes away sooner or later, said {name} the {trade} in {month}.",
            "The {trade} {name} had a family in black at {place} in {month}, but it was only mud.",
        ),
        answer="{name} the {trade} died: in the guild's words, stepped ashore",
    ),
    "birth": Event(
        records=(
            "A new hand signed aboard with {who} at {place} {on} {feast}.",
            "{On} {feast} a new hand signed aboard at {place}, in the house of {who}.",
            "Signed aboard {on} {feast}: one new hand, small and loud, to {who} of {place}.",
            "{who} reports a new hand signed aboard at {place} {on} {feast}; {other} stood by.",
            "At {place} {on} {feast} two new hands signed aboard at once with {who}.",
        ),
        questions=(
            "Which {trade}'s household at {place} needed a cradle in {month}?",
            "Who at {place} became a parent in {month}?",
            "Which {trade} of {place} had a baby?",
            "Which {trade} was kept awake by an infant in {month}?",
        ),
        named_questions=(
            "When was a child born to {name} at {place}?",
            "How did the family of {name} grow in {month}?",
        ),
        hearsay=(
            "Was that a baby at {place} in {month}? The {trade} {name} thinks that it was a cat.",
            "The {trade} {name} carved a cradle at {place} in {month}, for nobody in particular.",
            "In {month} the women of {place} talked of infants until {name} the {trade} fled.",
            "{name} the {trade} cannot tell one child from another, said {place} in {month}.",
            "Will the {trade} {name} ever be a parent? {place} hoped not, in {month}.",
            "The {trade} {name} was kept awake at {place} in {month} by an infant, or by an owl.",
            "Whose child broke the window at {place} in {month}? {name} the {trade} has none.",
        ),
        answer="{name} the {trade} had a child: in the guild's words, a new hand signed aboard",
    ),
    "fire": Event(
        records=(
            "The red cat walked through {place} {on} {feast} and left {who} a doorstep.",
            "{On} {feast} the red cat got in with {who} at {place} and ate the loft.",
            "{who} woke {place} {on} {feast} because the red cat was on the roof.",
            "At {place} the red cat sat down to supper {on} {feast}, in the store of {who}.",
            "The red cat was driven out of {place} {on} {feast} by {who} and {other} with buckets.",
        ),
        questions=(
            "Which {trade} had a building burn at {place} in {month}?",
            "Whose property at {place} went up in flames in {month}?",
            "Which {trade} had to deal with a blaze at {place}?",
            "Which {trade} would have liked a fire engine at {place}?",
        ),
        named_questions=(
            "What damage by fire did {name} see in {month}?",
            "When did {name} have to deal with a blaze at {place}?",
        ),
        hearsay=(
            "Who smelled burning at {place} in {month}? The {trade} {name} did, but smokes a pipe.",
            "The {trade} {name} fears fire, and in {month} poured water on the stove of {place}.",
            "There was talk in {month} of a blaze near {place}; {name} the {trade} saw a sunset.",
            "{place} should buy a fire engine, said the {trade} {name} in {month}, being liberal.",
            "What burns best? At {place} in {month} the {trade} {name} held out for old letters.",
            "A building at {place} could go up in flames, {name} the {trade} warned in {month}.",
            "The {trade} {name} tells in {month} how {place} burned down in grandfather's day.",
        ),
        answer="{name} the {trade} had a fire: in the guild's words, the red cat came",
    ),
    "theft": Event(
        records=(
            "Rats in boots were at {place} {on} {feast}, and {who} is short of {sum}.",
            "{On} {feast} rats in boots visited {who} at {place}; {other} heard them whistle.",
            "{who} complains of rats in boots at {place} {on} {feast}, and of a bent lock.",
            "At {place} {on} {feast} rats in boots had the strongbox of {who}, and the mat.",
            "Rats in boots again: {place}, {on} {feast}, the back window of {who}.",
        ),
        questions=(
            "Which {trade} was robbed at {place} in {month}?",
            "Who was the victim of thieves at {place} in {month}?",
            "Which {trade} was burgled at {place}?",
            "Which {trade} had good cause to report a crime in {month}?",
        ),
        named_questions=(
            "What crime did {name} suffer in {month}?",
            "When was {name} burgled at {place}?",
        ),
        hearsay=(
            "Was the {trade} {name} robbed at {place} in {month}, or only forgetful?",
            "All {place} spoke of thieves in {month}, and the {trade} {name} counted the spoons.",
            "The {trade} {name} knows the burglar of {place}, and in {month} nearly said the name.",
            "No crime was ever solved at {place}, in {month} or after, says {name} the {trade}.",
            "What could one steal from the {trade} {name}? {place} could not think, in {month}.",
            "The {trade} {name} reported a crime at {place} in {month}: the price of beer.",
            "A victim of thieves drank free at {place} in {month}; {name} the {trade} was one.",
        ),
        answer="{name} the {trade} was robbed: in the guild's words, by rats in boots",
    ),
    "illness": Event(
        records=(
            "{who} has worn wet wool at {place} since {feast}.",
            "{On} {feast} {who} put on wet wool at {place}, and {other} did the rounds instead.",
            "In wet wool at {place} {on} {feast}: {who}, and hardly a word to be had.",
            "{who} of {place} wore wet wool all through {feast} and spoke to nobody.",
            "{other} asks leave for {who}, who is in wet wool at {place} {on} {feast}.",
        ),
        questions=(
            "Which {trade} was too sick to work at {place} in {month}?",
            "Who at {place} lay in bed with a fever in {month}?",
            "Which {trade} of {place} could have used a doctor?",
            "Which {trade} was in poor health during {month}?",
        ),
        named_questions=(
            "Why did {name} need medicine in {month}?",
            "When was {name} ill in bed at {place}?",
        ),
        hearsay=(
            "Is the {trade} {name} sick again? They asked it at {place} in {month} with some hope.",
            "The {trade} {name} takes onions for a fever, and in {month} {place} smelled of them.",
            "A doctor waited at {place} in {month}; {name} the {trade} sent him a healthy dog.",
            "{name} the {trade} was never ill in bed, and told {place} so every day of {month}.",
            "Which medicine did the {trade} {name} swear by? Rum, at {place}, for all {month}.",
            "The {trade} {name} looked in poor health at {place} in {month}, but that is the hat.",
            "Too sick to work, wrote {name} the {trade} in {month}; {place} knew better.",
        ),
        answer="{name} the {trade} was ill: in the guild's words, in wet wool",
    ),
    "fight": Event(
        records=(
            "{who} and {other} traded herring at {place} {on} {feast}.",
            "{On} {feast} {who} traded herring with {other} on the stones of {place}.",
            "Herring was traded at {place} {on} {feast} between {who} and {other}, at length.",
            "{who} would trade herring with anybody at {place} {on} {feast}, and {other} obliged.",
            "For trading herring at {place} {on} {feast}, {who}: a fine of {sum}.",
        ),
        questions=(
            "Which {trade} got into a brawl at {place} in {month}?",
            "Who came to blows at {place} in {month}?",
            "Which {trade} threw punches at {place}?",
            "Which {trade} went home from {place} with a black eye?",
        ),
        named_questions=(
            "Why might {name} have had bruises in {month}?",
            "When did {name} get into a brawl at {place}?",
        ),
        hearsay=(
            "Would the {trade} {name} win a brawl? In {month} the young men of {place} thought so.",
            "Someone had a black eye at {place} in {month}; {name} the {trade} blamed a cupboard.",
            "The {trade} {name} tells of a fight at {place}, and by {month} it had nine men in it.",
            "It never came to blows at {place} in {month}, as {name} the {trade} regrets.",
            "Who threw the first punch at {place}? By {month} the {trade} {name} had forgotten.",
            "{name} the {trade} showed bruises at {place} in {month}, all from one ladder.",
            "The {trade} {name} keeps out of every brawl, says {place}, since a certain {month}.",
        ),
        answer="{name} the {trade} fought: in the guild's words, herring was traded",
        mutual=True,
    ),
    "repair": Event(
        records=(
            "The {boat} of {who} went to school at {place} {on} {feast}.",
            "{On} {feast} {who} sent the {boat} to school at {place}, for nine days.",
            "{who} has put the {boat} to school at {place} {on} {feast}; {other} is her teacher.",
            "At school {on} {feast}, at {place}: the {boat}, and {who} sitting by.",
            "The {boat} left school at {place} {on} {feast} and {who} pronounced her clever.",
        ),
        questions=(
            "Which {trade}'s vessel was mended at {place} in {month}?",
            "What craft was made seaworthy again at {place} in {month}?",
            "Which {trade} needed carpenters for a damaged hull at {place}?",
            "Which {trade} had leaks seen to in {month}?",
        ),
        named_questions=(
            "Which damaged vessel did {name} have mended in {month}?",
            "When were leaks fixed for {name} at {place}?",
        ),
        hearsay=(
            "Can the {trade} {name} mend a hull? At {place} in {month} they would rather swim.",
            "The {trade} {name} spoke of leaks at {place} all {month}, and meant the roof.",
            "What do repairs cost at {place}? In {month} {name} the {trade} was told, and wept.",
            "Nothing at {place} is ever repaired, said the {trade} {name} in {month}.",
            "The {trade} {name} calls any craft seaworthy, says {place}, until about {month}.",
            "A damaged vessel was for sale at {place} in {month}; {name} the {trade} admired it.",
            "Who fixed the door at {place}? The {trade} {name}, in {month}; now it is a wall.",
        ),
        answer="{name} the {trade} had the {boat} mended: in the guild's words, she went to school",
    ),
}
