"""The whole surface: every template, every module, the migrations, and what each page costs."""

import ast
import hashlib
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from jinja2 import nodes

from portal import cli, create_app
from portal.core.db import Base, db
from tests.support import databases
from tests.test_access import LINES, PEOPLE, mark, stage, world

__all__ = ["stage", "world"]  # fixtures
ROOT = Path(cli.ROOT)
TEMPLATES = ROOT / "portal" / "templates"
PAGES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "portal").rglob("*.py"))
# Pages that may cost more than six statements, each with its reason.
DEARER: dict[str, int] = {}


@pytest.fixture(scope="module")
def environment():
    return databases.database(databases.ENGINES[0]).app.jinja_env


def source_of(name):
    return (TEMPLATES / name).read_text(encoding="utf-8")


def tree_of(module):
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


# --- templates


@pytest.mark.parametrize("name", PAGES)
def test_a_template_is_well_behaved(environment, name):
    """No inline style or script, nothing unescaped; htmx attributes as the HTML checker wants them."""
    source = source_of(name)
    environment.parse(source)

    assert not re.search(r"\|\s*safe\b", source)
    assert not re.search(r"autoescape\s+false", source)
    assert not re.search(r"<script(?![^>]*\bsrc=)", source)
    assert not re.search(r"\son\w+=\"", source)
    assert "javascript:" not in source
    assert "js:" not in source
    if not name.startswith("mail/"):
        assert not re.search(r"<style\b|\sstyle=", source)
    assert not re.search(r"(?<!data-)\bhx-[a-z]", source)
    assert not re.search(r"data-hx-(on|boost)", source)
    assert not re.search(r"data-hx-trigger=\"[^\"]*\w\[", source)  # a filter would need eval
    assert not re.findall(r"(?:src|href|action)=\"(?:https?:)?//", source)


@pytest.mark.parametrize("name", [name for name in PAGES if "{% extends" in source_of(name)])
def test_a_page_template_sets_and_imports_nothing_outside_its_blocks(environment, name):
    """A fragment does not see it."""
    tree = environment.parse(source_of(name))
    loose = [type(node).__name__ for node in tree.body if not isinstance(node, nodes.Extends | nodes.Block | nodes.Output)]
    words = [part.data for node in tree.body if isinstance(node, nodes.Output) for part in node.nodes if isinstance(part, nodes.TemplateData)]

    assert loose == []
    assert "".join(words).strip() == ""
    assert name.startswith("layouts/") or {"title", "main"} <= {block.name for block in tree.find_all(nodes.Block)}
    assert not list(tree.find_all((nodes.Import, nodes.FromImport)))


@pytest.mark.parametrize("name", [name for name in PAGES if "{% extends" in source_of(name)])
def test_what_a_page_sets_in_main_is_not_used_in_a_block_inside_it(environment, name):
    """Such a block, rendered alone, would not know it."""
    tree = environment.parse(source_of(name))
    for main in (block for block in tree.body if isinstance(block, nodes.Block)):
        inner = list(main.find_all(nodes.Block))
        inside = {id(node) for block in inner for node in block.find_all(nodes.Assign)}
        outside = {target.name for node in main.find_all(nodes.Assign) if id(node) not in inside for target in [node.target] if isinstance(target, nodes.Name)}
        for block in inner:
            assert not outside & {found.name for found in block.find_all(nodes.Name) if found.ctx == "load"}


def swaps():
    """(template, block) of every swap that a view names; a template or a swap that is not written out counts as unknown."""
    found, unknown = set(), []
    for module in MODULES:
        tree = tree_of(module)
        constants = {
            target.id: tuple(item.value for item in node.value.elts if isinstance(item, ast.Constant))
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call) or getattr(call.func, "id", "") not in ("page", "invalid", "saved") or module == "portal/core/pages.py":
                continue
            template = next((item for item in call.args if isinstance(item, ast.Constant) and str(item.value).endswith(".html")), None)
            named = next((word.value for word in call.keywords if word.arg == "swaps"), None)
            if named is None and call.func.id != "invalid":
                continue
            if named is None:
                blocks = ("form",)
            elif isinstance(named, ast.Tuple):
                blocks = tuple(item.value for item in named.elts)
            else:
                blocks = constants.get(getattr(named, "id", ""), ())
            if template is None or not blocks:
                unknown.append(f"{module} {ast.unparse(call.args[0])}")
            else:
                found.update((template.value, block) for block in blocks)
    return found, unknown


@pytest.mark.parametrize(("name", "block"), sorted(swaps()[0]))
def test_every_swap_is_a_block_whose_first_element_has_its_name(environment, name, block):
    """Block name = element id = swap target."""
    source = source_of(name)
    found = re.search(rf"{{% block {block} %}}\s*(.*?){{% endblock", source, re.S)

    assert found, f"{name} has no block {block}"
    first = found.group(1).lstrip()
    if first.startswith("{% call ui.form("):
        assert (re.search(r"id='([\w-]+)'", first.partition("%}")[0]) or ["", "form"])[1] == block
    else:
        assert re.match(rf"<\w+[^>]*\bid=\"{block}\"|{{% (?:call|include|if|set)|{{{{ ui\.", first), first[:120]


def test_every_other_swap_is_known():
    """Signing in is a page or a dialog, whoever asks; each step of a lead, a subscription or a reservation has a page of its own; a review is always a whole page."""
    assert set(swaps()[1]) == {
        "portal/accounts/views.py _template()",
        "portal/leads/views_answers.py f'leads/{step}.html'",
        "portal/permissions/views_shop.py 'shop/review.html'",
        "portal/subscriptions/views_changes.py f'subscriptions/{step}.html'",
        "portal/subscriptions/views_reservation_changes.py f'reservations/{step}.html'",
    }


# --- modules


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_is_responsible_for(module):
    text = ast.get_docstring(tree_of(module))

    assert text, module
    assert text.split("\n")[0].rstrip().endswith((".", ":", ")", "?")), text.split("\n")[0]


def attributes_set(tree):
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []
        for target in targets:
            yield from (item for item in ast.walk(target) if isinstance(item, ast.Attribute) and isinstance(item.ctx, ast.Store))


def test_nothing_but_the_machine_moves_a_lifecycle_on():
    """A state column is assigned by core/states.py; people and mail have states but no lifecycle of the domain."""
    found = {}
    for module in MODULES:
        names = [ast.unparse(item) for item in attributes_set(tree_of(module)) if item.attr == "state"]
        if names:
            found[module] = sorted(set(names))

    assert found == STATES_ASSIGNED


STATES_ASSIGNED = {
    "portal/core/states.py": ["row.state"],
    "portal/core/outbox.py": ["mail.state"],
    "portal/accounts/service.py": ["user.state"],
    "portal/demo.py": ["mail.state", "request.state"],  # a past that never happened
}


def test_the_clock_is_read_in_one_place():
    found = set()
    for module in MODULES:
        for call in ast.walk(tree_of(module)):
            name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
            if re.fullmatch(r"(datetime\.)?(datetime|date)\.(now|utcnow|today|fromtimestamp)", name):
                found.add(module)

    assert found == {"portal/core/clock.py"}


def test_views_know_no_database():
    for module in MODULES:
        if Path(module).name.startswith("views"):
            imported = {
                name.name if isinstance(node, ast.Import) else node.module
                for node in ast.walk(tree_of(module))
                if isinstance(node, ast.Import | ast.ImportFrom)
                for name in node.names
            }
            assert not {name for name in imported if name and name.startswith("sqlalchemy")}, module


def test_services_commit_nothing_and_read_no_clock():
    """The envelope commits; time comes from the caller."""
    for module in MODULES:
        if Path(module).name in ("service.py", "delegation.py", "registration.py", "partnerships.py", "states.py") and "/core/" not in module:
            calls = {ast.unparse(node.func) for node in ast.walk(tree_of(module)) if isinstance(node, ast.Call)}
            assert not calls & {"db.session.commit", "clock.now", "clock.today"}, module


def test_htmx_is_the_file_that_was_vendored():
    content = (ROOT / "portal/static/vendor/htmx-4.0.1.min.js").read_bytes()

    assert hashlib.sha256(content).hexdigest() == "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
    assert (ROOT / "portal/static/vendor/htmx-LICENSE.txt").exists()


def test_style_and_script_fetch_nothing_from_elsewhere():
    for path in (ROOT / "portal" / "static").glob("*.*"):
        content = path.read_text(encoding="utf-8")
        assert not re.findall(r"(?:url\(|import |fetch\()\s*[\"']?(?:https?:)?//", content), path.name
        assert "eval(" not in content


# --- migrations


def empty_database(engine, tmp_path):
    """An application over a database with nothing in it."""
    made = databases.database(engine)
    if engine == "sqlite":
        return create_app(databases.settings(f"sqlite:///{tmp_path / 'empty.sqlite3'}", tmp_path))
    made.cluster.execute("DROP DATABASE IF EXISTS migrations WITH (FORCE)", "CREATE DATABASE migrations")
    return create_app(databases.settings(made.cluster.url("migrations"), tmp_path))


def tables(connection):
    """All but the queue's own."""
    return {name for name in sa.inspect(connection).get_table_names() if not name.startswith("huey_")}


def test_migrations_make_what_the_models_say_and_go_down_and_up_again(engine, tmp_path):
    """On both engines."""
    import flask_migrate

    app = empty_database(engine, tmp_path)
    with app.app_context():
        cli.migrate(app)
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": ours})
            assert compare_metadata(context, Base.metadata) == []
            whole = tables(connection)
        assert set(Base.metadata.tables) <= whole

        flask_migrate.downgrade(directory=str(ROOT / "migrations"), revision="base")
        with db.engine.connect() as connection:
            assert tables(connection) <= {"alembic_version"}

        cli.migrate(app)
        with db.engine.connect() as connection:
            assert tables(connection) == whole
        db.session.remove()
        db.engine.dispose()


def ours(thing, name, kind, reflected, compare_to):
    """As migrations/env.py: search tables and indexes, and the queue's tables, are not the models'."""
    return not (name and ("_search" in name or name.startswith("huey_")))


def test_the_head_read_from_the_files_is_alembic_s():
    """`portal serve` compares it without importing Alembic."""
    scripts = ScriptDirectory.from_config(alembic_config())

    assert scripts.get_heads() == [cli.head()]
    assert len(scripts.get_bases()) == 1


def alembic_config():
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return config


# --- what a page costs


class Counted:
    """Statements of a request, beginnings and ends of transactions aside."""

    def __init__(self, engine):
        self.engine, self.statements = engine, []

    def __enter__(self):
        sa.event.listen(self.engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_):
        sa.event.remove(self.engine, "before_cursor_execute", self._note)

    def _note(self, connection, cursor, statement, parameters, context, executemany):
        if not re.match(r"BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE", statement):
            self.statements.append(" ".join(statement.split()))


@pytest.mark.parametrize("line", [line for line in LINES if line.method == "GET" and "+" in line.marks], ids=str)
def test_a_page_costs_at_most_six_statements(stage, line):
    """For everybody who may open it, and the second time: what is kept in memory is warm."""
    dearest = []
    for column, email in enumerate(PEOPLE):
        if line.marks[column] != "+":
            continue
        with Counted(db.engine) as counted:
            visitor = stage.visitor(email)
            stage.open_link(line, visitor)
            counted.statements.clear()
            response = visitor.client.get(stage.url(line), buffered=True)
        assert mark(response) == "+"
        dearest = max(dearest, counted.statements, key=len)

    assert len(dearest) <= DEARER.get(line.path, 6), "\n".join(dearest)
