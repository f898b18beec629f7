"""Why do they fail? Rates, suspects, signatures, experiments; or one experiment (`?experiment=ID`)."""

import streamlit as st

from core.errors import NotFound
from core.ui.analytics.experiment_view import draw_experiment
from core.ui.analytics.import_upload import draw_import
from core.ui.analytics.view import (
    ANSWER_PIXELS,
    draw_answer,
    draw_export,
    draw_measurement,
    draw_nothing,
    draw_report,
    is_filtered,
    load_measurement,
    load_report,
)
from core.ui.shell.cached_reads import load_result_options
from core.ui.shell.failure_filters import draw_failure_filters, read_failure_filters
from core.ui.shell.formats import escape_markdown
from core.ui.shell.link_state import read_uuid
from core.ui.shell.links import EXPERIMENT
from core.ui.shell.navigation import open_page
from core.ui.shell.page import draw_header

with open_page() as services:
    experiment_id = read_uuid(EXPERIMENT)
    if experiment_id is not None:
        try:
            draw_experiment(services, experiment_id)
        except NotFound as error:  # A wrong id: say so and offer the analytics.
            experiment_id = None
            st.warning(escape_markdown(str(error)), icon=":material/link_off:")
    if experiment_id is None:
        with draw_header("Failure Analytics"):
            st.space("stretch")
            tools = st.container(horizontal=True, width="content", gap="xsmall")
            draw_import(services)
        draw_failure_filters(load_result_options(services, services.user_email))
        measurement = load_measurement(services, services.user_email, read_failure_filters())
        if measurement.diagnosis.overall.judged:
            answer = st.empty()
            answer.skeleton(ANSWER_PIXELS)
            # The browser draws the rates while the causes are looked for.
            draw_measurement(measurement.diagnosis)
            report = load_report(services, measurement)
            with answer.container():
                draw_answer(services, report)
            with tools:
                draw_export(report)
            draw_report(services, report)
        else:
            draw_nothing(filtered=is_filtered(st.query_params))
