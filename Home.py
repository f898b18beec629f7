"""Entry of the pages: sign-in gate, navigation, and the overview (`core.ui.home.overview`) as the first page."""

from core.ui.shell.navigation import enter_home

enter_home().run()
