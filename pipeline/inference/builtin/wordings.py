"""The wordings that the embedded writer tells a picture in, by what is new in it.

A wording is a clause without a capital and a full stop. What stands in braces is filled in:

    who         "a grey animal", "the grey animal", "something orange"
    motion      "to the left", "quickly up"
    side        "on the left", where in the picture
    where       " on green grass", " among green and brown", " with green and brown around", or ""
    there       the same, or " there" if where is unknown
    front       where without its space; a wording with it needs one
    amid        ", among green and brown", or ""
    ground      "green grass", or "the green grass" if the story has it already
    sky         "a pink sky" or "the pink sky"
    new_ground, new_sky     the same as if they were new
    hue         "pink", of the sky
    colours     "green and brown"
    were        "was" or "were", which goes with the colours
"""

# Somebody who does not move.
NEW = (
    "there was {who}{where}",
    "{who} was{there}",
    "here was {who}{where}",
    "{front} was {who}",
    "{front} there was {who}",
    "{front} one could see {who}",
    "{side} was {who}{where}",
    "{side} one could see {who}{where}",
)
BACK = (
    "{who} was there again{where}",
    "once more {who} was{there}",
    "again there was {who}{where}",
    "and there was {who} again{where}",
    "here was {who} once more{where}",
    "{front} was {who} again",
    "{front} {who} was to be seen again",
    "{side} was {who} again{where}",
    "{who} was back{where}",
)
ELSEWHERE = (  # than in the picture before
    "now {who} was{there}",
    "this time {who} was{there}",
    "then {who} was{there}",
    "now {who} was {side}{where}",
    "{side} was {who} now{where}",
)
STILL_THERE = (
    "{who} was still there",
    "{who} was there still{where}",
    "{who} was still to be seen{where}",
    "{side} {who} was still to be seen",
)
CLOSE = (
    "{who} was close by{amid}",
    "close by was {who}{amid}",
    "very near was {who}{amid}",
)
CLOSER = (
    "now {who} was nearer{amid}",
    "{who} was closer now{amid}",
)

# Somebody who moves.
MOVING = (
    "{who} moved {motion}{where}",
    "{who} went {motion}{where}",
    "{motion} went {who}{where}",
    "{front}, {who} moved {motion}",
    "{front}, {who} went {motion}",
    "{side}, {who} moved {motion}{where}",
)
MOVING_ON = (  # as in the picture before
    "{who} moved {motion} again",
    "{who} went {motion} again",
    "then {who} moved {motion}{where}",
)
MOVING_ELSEWHERE = (  # than in the picture before
    "{who} moved {motion} this time",
    "{who} went {motion} this time",
    "then {who} moved {motion}{where}",
)
MOVING_CLOSE = (
    "close by, {who} moved {motion}{where}",
    "close by, {who} went {motion}{where}",
    "very near, {who} moved {motion}{where}",
)

# Surroundings.
GROUND_AND_SKY = (
    "{ground} lay under {sky}",
    "under {sky} lay {ground}",
    "over {ground} was {new_sky}",
    "there was {new_ground} below and {new_sky} above",
    "{sky} was over {ground}",
    "below was {new_ground}, and above was {new_sky}",
    "under {sky} there was {new_ground}",
)
SKY_TURNED = (
    "now the sky over {ground} was {hue}",
    "the sky was {hue} now, and below was {new_ground}",
)
SAME_GROUND_AND_SKY = (
    "there was still {ground} under {sky}",
    "still {ground} lay under {sky}",
    "{ground} still lay under {sky}",
    "{sky} was still over {ground}",
)
COLOURS = (
    "all was {colours}",
    "everything around was {colours}",
    "everywhere there was {colours}",
    "the place was filled with {colours}",
    "all around was {colours}",
    "{colours} {were} all around",
    "wherever one looked there was {colours}",
)
OTHER_COLOURS = (
    "now all was {colours}",
    "then came a place that was {colours}",
    "now everything around was {colours}",
    "next all around was {colours}",
    "after that, everything was {colours}",
    "then there was {colours} everywhere",
    "here all was {colours}",
    "now {colours} {were} all around",
    "this place was filled with {colours}",
)
COLOURS_AGAIN = (
    "once more all was {colours}",
    "again everything was {colours}",
    "{colours} filled the place once more",
    "all around was {colours} again",
    "everywhere there was {colours} again",
)
SAME_COLOURS = (
    "all was still {colours}",
    "everything was still {colours}",
    "{colours} {were} still all around",
    "it was still {colours} everywhere",
    "there was still {colours} to be seen",
    "and still {colours} filled the place",
)
OVER_GROUND = (
    "over {ground} all was {colours}",
    "{ground} lay there, and all was {colours}",
)
LETTERING = (
    "there were words on {colours}",
    "words stood on {colours}",
)

# Where somebody speaks who is not seen.
UNDER_SKY = ("under {sky}",)
STILL_UNDER_SKY = ("still under {sky}",)
IN_COLOURS = (
    "in a {colours} place",
    "where all was {colours}",
    "with {colours} all around",
)
IN_SAME_COLOURS = (
    "in the same {colours} place",
    "still among {colours}",
)

READ = (  # words on the screen
    'The words "{}" could be read.',
    'There were the words "{}".',
    'One could read "{}".',
    'There it said "{}".',
)
CONNECTIVES = ("then", "now", "after that,", "next,", "a moment later,")
WINDOW_OPENINGS = ("A little later", "Some time after that")
