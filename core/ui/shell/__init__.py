"""What all pages share: session, navigation, links, formats, tables."""
