"""The file formats of conversations: what a record is, and what was said in it. Pure; files are opened elsewhere.

entries        what a file holds, one JSON value or text at a time
recognition    which format a value is in, by its content
hints          what a value that is in none looks like
chat           messages, one after the other
roles          who speaks, in the words of various tools
parts          text, and what is counted beside it: images, thinking, calls of tools
tool_data      what tools are told and answer: JSON
stops          why a reply ended, as its record says
repeated_keys  keys that stand twice in one object
spoken         records with messages, columns or preferences
envelopes      what APIs answer, alone and in results of batches
trees          messages that name the one that they answer
replies        what Claude wrote, with or without the API's envelope, whole or cut
pairs          the predecessor's training pairs, put together to conversations
reading        entries of one file to conversations
flagging       the verdict on each turn
judging        the verdict on the conversations of one file
metadata       what a record says of itself: persona, arc, model and so on
"""
