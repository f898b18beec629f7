"""Read, review and download conversations: the list, or one of them (`?conversation=ID`); the whole view is in the link."""

import streamlit as st

from core.errors import NotFound
from core.ui.conversations.list import draw_conversation_list
from core.ui.conversations.view import draw_conversation
from core.ui.shell.formats import escape_markdown
from core.ui.shell.link_state import read_uuid
from core.ui.shell.links import CONVERSATION
from core.ui.shell.navigation import open_page

with open_page() as services:
    conversation_id = read_uuid(CONVERSATION)
    if conversation_id is not None:
        try:
            draw_conversation(services, conversation_id)
        except NotFound as error:  # A wrong id: say so and offer the list.
            conversation_id = None
            st.warning(escape_markdown(str(error)), icon=":material/link_off:")
    if conversation_id is None:
        draw_conversation_list(services)
