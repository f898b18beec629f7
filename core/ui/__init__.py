"""What the pages are drawn with: sign-in, navigation, tables, charts. Only here and in pages/ is Streamlit imported."""
