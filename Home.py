"""Entry of the pages: sign-in gate, navigation, and the overview (`core.ui.overview`) as the first page."""

from core.ui.navigation import enter_home

enter_home().run()
