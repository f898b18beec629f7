"""The health of every part of the installation, and what to do about problems."""

from core.ui.shell.navigation import open_page
from core.ui.system.view import draw_system

with open_page() as services:
    draw_system(services)
