"""Films and model servers for tests and benchmarks. Imports nothing else of this project.

films         draws and encodes small films model_server  a scripted server with OpenAI's chat
completions; serve runs it as a process behaviours    how well, how fast and how badly it replies
answers       what it answers to the questions of the pipeline; replies: in OpenAI's form
"""
