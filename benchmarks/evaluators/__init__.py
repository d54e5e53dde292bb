"""Stories in the layouts of other benchmarks' evaluators, written and read.

vistorybench         ViStoryBench: shots of stories with characters that references show
opening_benchmark    OpenING: open-ended instructions, answered by texts and pictures
comm                 CoMM: continuation of a document, and pictures for given texts
emu_outputs          stories that Emu3.5 has told
vistory_table        ViStoryBench's scores of pictures in its layout
figure_detector      finds the figures of pictures for these

Each layout's module reads what its benchmark asks for as openings, writes told stories where its
evaluator looks for them, and reads such folders, so that outputs of other models stand in our
tables. `generators.evaluator_stories` tells what they ask for.
"""
