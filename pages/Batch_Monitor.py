"""Watch one batch (`?batch=ID`) and control it, or choose one from the list."""

import streamlit as st

from core.errors import InvalidRequest
from core.ui.monitor.list import draw_batch_list
from core.ui.monitor.view import watch_batch
from core.ui.shell.alert_list import draw_alerts_in_short
from core.ui.shell.formats import escape_markdown
from core.ui.shell.links import read_batch_link
from core.ui.shell.navigation import open_page

with open_page() as services:
    draw_alerts_in_short(services)
    batch_id = None
    try:
        batch_id = read_batch_link()
        if batch_id is not None:
            watch_batch(services, batch_id)
    except InvalidRequest as error:  # A wrong id: say so and offer the list.
        batch_id = None
        st.warning(escape_markdown(str(error)), icon=":material/link_off:")
    if batch_id is None:
        draw_batch_list(services)
