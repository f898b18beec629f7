"""Plan data sets, fill them, freeze and download versions: the list, or one of them (`?dataset=ID`)."""

import streamlit as st

from core.errors import NotFound
from core.ui.datasets.list import draw_dataset_list
from core.ui.datasets.view import draw_dataset
from core.ui.shell.formats import escape_markdown
from core.ui.shell.link_state import read_uuid
from core.ui.shell.links import DATASET
from core.ui.shell.navigation import open_page

with open_page() as services:
    dataset_id = read_uuid(DATASET)
    if dataset_id is not None:
        try:
            draw_dataset(services, dataset_id)
        except NotFound as error:  # A wrong id: say so and offer the list.
            dataset_id = None
            st.warning(escape_markdown(str(error)), icon=":material/link_off:")
    if dataset_id is None:
        draw_dataset_list(services)
