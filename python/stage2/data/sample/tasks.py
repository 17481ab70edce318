"""What people ask about a thing of the firm, with the templates of all texts about it."""

from __future__ import annotations

from typing import NamedTuple


class Task(NamedTuple):
    """A matter that people ask about.

    Attributes:
        heading: the subject of its notes, which stands above them.
        notes: notes of the handbook, which answer the question.
        questions: questions in everyday words.
        talk: talk about the same matter at a meeting, without an answer.
        answer: the meaning of a note in everyday words.
    """

    heading: str
    notes: tuple[str, ...]
    questions: tuple[str, ...]
    talk: tuple[str, ...]
    answer: str


# The slots of notes are {house}, {town}, {name}, {spot}, {sum}, {bell}, {day}, {uses} and
# {weekday}. Questions and talk have {thing}, {town} and {name}; an answer has {thing} in place of
# {house}. Words in square brackets are entities too.
TASKS = {
    "owner": Task(
        heading="who is responsible",
        notes=(
            "{name} is [responsible] for {house} at {town}, and sits by the {spot}.",
            "At {town} {name} [looks after] {house}; knock at the {spot}.",
            "For {house} in {town} you [contact] {name}, near the {spot}.",
            "{town} has put {name} [in charge] of {house}, at the desk by the {spot}.",
        ),
        questions=(
            "Who is [responsible] for the {thing} in {town}?",
            "Which colleague is [in charge] of the {thing} at the {town} office?",
            "Whom in {town} should I [contact] about the {thing}?",
        ),
        talk=(
            "{name} wondered who is [responsible] for the {thing}.",
            "{name} asked whom to [contact] about the {thing} these days.",
        ),
        answer="{name} is responsible for the {thing} in {town}",
    ),
    "fault": Task(
        heading="repair of faults",
        notes=(
            "When {house} at {town} is [out of order], ring by the {spot}; {name} comes.",
            "If {house} [fails] at {town}, {name} repairs it; the bell hangs at the {spot}.",
            "A [fault] of {house} at {town} is reported to {name}, by the {spot}.",
            "At {town} nobody but {name} mends {house} when it is [broken]; ring at the {spot}.",
        ),
        questions=(
            "What should I do when the {thing} in {town} is [broken]?",
            "The {thing} at the {town} office does [not work]. Who repairs it?",
            "How do I report a [fault] of the {thing} in {town}?",
        ),
        talk=(
            "{name} complained that the {thing} was [broken] again.",
            "{name} asked who repairs the {thing} when it does [not work].",
        ),
        answer="When the {thing} in {town} is broken, call {name}",
    ),
    "cost": Task(
        heading="cost for a team",
        notes=(
            "{house} takes {sum} a month from each team at {town}, and {name} collects it.",
            "Each team at {town} [pays] {sum} a month for {house}, into the box of {name}.",
            "The [price] of {house} at {town} stands at {sum} a month, says {name}.",
            "{name} charges every team at {town} {sum} a month for {house}.",
        ),
        questions=(
            "How much does a team [pay] for the {thing} in {town}?",
            "What does the {thing} [cost] us at the {town} office?",
            "What is the monthly [price] of the {thing} in {town}?",
        ),
        talk=(
            "{name} found the {thing} too [expensive] for a small team.",
            "{name} asked what the {thing} will [cost] next year.",
        ),
        answer="A team in {town} pays {sum} a month for the {thing}",
    ),
    "hours": Task(
        heading="hours of use",
        notes=(
            "{house} may be used at {town} [until] the {bell} hour, when {name} puts out the lamp.",
            "At the {bell} hour {name} [locks] {house} at {town} for the night.",
            "The [hours] of {house} at {town} end with the {bell}; then {name} locks up.",
            "{town} may use {house} [until] the {bell} hour, and {name} keeps the key.",
        ),
        questions=(
            "How [late] may I use the {thing} in {town} in the evening?",
            "[Until what time] can I use the {thing} at the {town} office?",
            "What are the [hours] of the {thing} in {town}?",
        ),
        talk=(
            "{name} asked whether the {thing} could be used [late] in the evening.",
            "{name} did not know the [hours] of the {thing}.",
        ),
        answer="The {thing} in {town} may be used until the {bell} hour",
    ),
    "visitors": Task(
        heading="use by visitors",
        notes=(
            "A [guest] may use {house} at {town} with a slip that {name} has signed.",
            "{house} at {town} is open to [visitors] who show a slip from {name}.",
            "No [outsider] uses {house} at {town}, unless {name} has signed a slip.",
            "At {town} {name} hands out the slips by which [visitors] may use {house}.",
        ),
        questions=(
            "May a [visitor] use the {thing} in {town}?",
            "How can I let a [guest] use the {thing} at the {town} office?",
            "Is the {thing} in {town} open to [people from outside]?",
        ),
        talk=(
            "{name} had a [visitor] who wanted to use the {thing}.",
            "{name} asked if a [guest] may use the {thing}.",
        ),
        answer="A visitor may use the {thing} in {town} if {name} agrees",
    ),
    "joining": Task(
        heading="access for new employees",
        notes=(
            "[Newcomers] are given the use of {house} at {town} on the {day} day, by {name}.",
            "On the {day} day {name} shows [new employees] how to use {house} at {town}.",
            "{house} is open to [beginners] at {town} on their {day} day, if {name} agrees.",
            "At {town} no [newcomer] uses {house} before the {day} day, and {name} counts.",
        ),
        questions=(
            "When does a [new employee] get access to the {thing} in {town}?",
            "When may [beginners] at the {town} office use the {thing}?",
            "I [start work] in {town} next week. When can I use the {thing}?",
        ),
        talk=(
            "{name} said that a [new employee] still has no access to the {thing}.",
            "{name} asked when [beginners] may use the {thing}.",
        ),
        answer="New employees in {town} may use the {thing} on the {day} day",
    ),
    "password": Task(
        heading="new passwords",
        notes=(
            "Whoever loses the [password] of {house} at {town} gets a new one from {name}.",
            "{name} alone gives out the [password] of {house} at {town}, behind the {spot}.",
            "A forgotten [login] of {house} at {town} is reset by {name}, face to face.",
            "At {town} the [password] of {house} is told by {name}, and never put on paper.",
        ),
        questions=(
            "I forgot my [password] for the {thing} in {town}. Who can help?",
            "Where do I get a new [password] for the {thing} at the {town} office?",
            "How is the [login] for the {thing} in {town} reset?",
        ),
        talk=(
            "{name} had forgotten the [password] for the {thing}.",
            "{name} asked why the [login] for the {thing} fails.",
        ),
        answer="{name} gives out new passwords for the {thing} in {town}",
    ),
    "privacy": Task(
        heading="who sees the records",
        notes=(
            "The [records] of {house} at {town} are seen by {name}, and by no one else.",
            "{name} alone may [read] the records of {house} at {town}; they are then burnt.",
            "Nobody but {name} [looks] at who uses {house} in {town}.",
            "At {town} the [records] of {house} lie open to {name} alone, once a week.",
        ),
        questions=(
            "Who can [see] how I use the {thing} in {town}?",
            "Is what I do with the {thing} at the {town} office [private]?",
            "Who [reads] the records of the {thing} in {town}?",
        ),
        talk=(
            "{name} worried about who can [see] the records of the {thing}.",
            "{name} asked whether use of the {thing} is [private].",
        ),
        answer="Only {name} can see the records of the {thing} in {town}",
    ),
    "service": Task(
        heading="regular maintenance",
        notes=(
            "{house} at {town} is [serviced] by {name} on the {bell} {weekday} of each season.",
            "On the {bell} {weekday} of a season {name} [cleans] {house} at {town}.",
            "The [maintenance] of {house} at {town} falls on the {bell} {weekday} of each season.",
            "{name} comes to {town} on the {bell} {weekday} of each season to [clean] {house}.",
        ),
        questions=(
            "When is the {thing} in {town} out of use for [maintenance]?",
            "On which day is the {thing} at the {town} office [serviced]?",
            "Which day of the season is for [maintenance] of the {thing} in {town}?",
        ),
        talk=(
            "{name} said that the {thing} had not been [serviced] for months.",
            "{name} asked for notice before [maintenance] of the {thing}.",
        ),
        answer="The {thing} in {town} is serviced on the {bell} {weekday} of each season",
    ),
    "limit": Task(
        heading="weekly limit",
        notes=(
            "Nobody may use {house} at {town} more than {uses} [times] between two Sundays.",
            "At {town} {name} lets everyone use {house} {uses} [times] a week.",
            "{uses} [times] a week is the most that one may use {house} at {town}, says {name}.",
            "The weekly [allowance] for {house} at {town} is {uses} times, by order of {name}.",
        ),
        questions=(
            "How [often] may I use the {thing} in {town} each week?",
            "Is there a [limit] on how much I use the {thing} at the {town} office?",
            "What is the weekly [allowance] for the {thing} in {town}?",
        ),
        talk=(
            "{name} had used the {thing} more [often] than is allowed.",
            "{name} asked if there is a [limit] on the use of the {thing}.",
        ),
        answer="In {town} everybody may use the {thing} {uses} times a week",
    ),
}
