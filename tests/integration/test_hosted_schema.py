"""The migrations on PostgreSQL 15 through the official CLI, and what the advisors of Supabase say of the result."""

from collections.abc import Iterator

import psycopg
import pytest

from core.adapters.supabase.migrations import apply_migrations
from core.config import Settings
from core.embedded.plan import REPOSITORY
from tests.support.postgres15 import find_postgres15, is_required, run_postgres15
from tests.support.schema import list_differences, make_database, read_schema, run_files
from tests.support.supabase_cli import Finding, SupabaseProject

MIGRATIONS = REPOSITORY / "migrations"

HINTS_OF_A_NEW_DATABASE = frozenset({"unused_index"})
"""Nothing has been asked yet, so no index has been used."""
INLINED = "the planner puts its body in place, so that its callers read indexes alone; a SET clause would forbid that"
STAGED = "row-level security without a policy is meant: only the functions of an import read and write it"
INSTALLATION = "it is nobody's: workers write it, and analysts read it through the health of the installation"
KEPT = {
    Finding("WARN", "function_search_path_mutable", "matching_failures"): INLINED,
    Finding("WARN", "function_search_path_mutable", "matching_conversations"): INLINED,
    Finding("WARN", "function_search_path_mutable", "matching_combinations"): INLINED,
    Finding("WARN", "function_search_path_mutable", "fits_kind"): INLINED,
    Finding("WARN", "function_search_path_mutable", "fits_settings"): INLINED,
    Finding("INFO", "rls_enabled_no_policy", "imports"): STAGED,
    Finding("INFO", "rls_enabled_no_policy", "import_rows"): STAGED,
    Finding("INFO", "rls_enabled_no_policy", "import_sizes"): STAGED,
    Finding("INFO", "rls_enabled_no_policy", "spools"): INSTALLATION,
}
"""What stays, and why."""


@pytest.fixture(scope="module")
def postgres15() -> Iterator[str]:
    programs = find_postgres15()
    if programs is None:
        reason = "PostgreSQL 15 is not installed (Debian: apt-get install postgresql-15)."
        pytest.fail(reason) if is_required() else pytest.skip(reason)
    with run_postgres15(programs) as url:
        yield url


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> SupabaseProject:
    return SupabaseProject.create(tmp_path_factory.mktemp("project"), MIGRATIONS)


def test_the_official_cli_applies_the_same_files_and_its_advisors_find_nothing_new(
    postgres15: str, project: SupabaseProject
) -> None:
    with make_database(postgres15) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            # Without it the lints of what the API exposes find nothing, whatever there is.
            database = connection.info.dbname
            connection.execute(f"alter database \"{database}\" set pgrst.db_schemas = 'public'".encode())

        project.push(url)

        assert apply_migrations(url, MIGRATIONS) == []
        findings = {finding for finding in project.advise(url) if finding.name not in HINTS_OF_A_NEW_DATABASE}
        assert set(KEPT) == findings


def test_both_roads_make_the_same_schema_on_the_oldest_and_the_newest_postgresql(
    stack: Settings, postgres15: str, project: SupabaseProject
) -> None:
    with (
        make_database(postgres15) as pushed,
        make_database(postgres15) as migrated,
        make_database(stack.require_db_url()) as new,
    ):
        project.push(pushed)
        apply_migrations(migrated, MIGRATIONS)
        apply_migrations(new, MIGRATIONS)

        assert list_differences(pushed, migrated) == []
        assert read_schema(migrated).keys() == read_schema(new).keys()
        assert [row[0] for row in read_schema(migrated)["functions"]] == [row[0] for row in read_schema(new)["functions"]]


def test_the_schema_that_is_read_is_what_the_migrations_make(postgres15: str) -> None:
    with make_database(postgres15) as migrated, make_database(postgres15) as read:
        apply_migrations(migrated, MIGRATIONS)
        run_files(read, sorted((MIGRATIONS / "schema").glob("*.sql")))

        assert list_differences(migrated, read) == []
