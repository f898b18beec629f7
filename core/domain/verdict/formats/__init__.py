"""The file formats of conversations: what a record is, and what was said in it. Pure; files are opened elsewhere.

entries      what a file holds, one JSON value or text at a time
recognition  which format a value is in, by its content
chat         `messages` and ShareGPT records
replies      what Claude wrote, with or without the API's envelope, whole or cut
pairs        the predecessor's training pairs, put together to conversations
reading      entries of one file to conversations
flagging     the verdict on each turn
judging      the verdict on the conversations of one file
metadata     what a record says of itself: persona, arc, model and so on
"""
