"""The form of a paper, driven in a real browser against a real service with a workspace."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browsing import Open, chromium, forgive, hold_first, opening, overflow, violations
from perovshell.data.dataset import Dataset
from perovshell.data.paper_file import read_yaml
from perovshell.serve.service.keys import add_key
from perovshell.training.train import TrainedModel
from perovshell.workbench import Workspace
from perovshell.workspace.folder import WorkspaceFolder
from servers import Server, serving, workspace_of

UNMEASURED_PROCESSES = True

DESKTOP, PHONE = (1280, 900), (390, 800)
ABSTRACT = (
    "Silica on CsPbBr3 nanocrystals, an example\n\n"
    "The core/shell CsPbBr3@SiO2 NCs emit at 518 nm with a PLQY of 84%, while the bare CsPbBr3 NCs "
    "emit at 513 nm with a PLQY of 62%. After 30 d in water, CsPbBr3@SiO2 NCs kept 88% of their "
    "PL, whereas the bare CsPbBr3 NCs kept 4% after 2 h. A PLQY of 70% or 80% was seen for films."
)


@pytest.fixture(scope="module")
def home(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> WorkspaceFolder:
    return workspace_of(trained, tmp_path_factory.mktemp("page") / "workspace")


@pytest.fixture(scope="module")
def server(home: WorkspaceFolder) -> Iterator[Server]:
    with serving(home.root, home.root.parent / "log") as running:
        yield running


@pytest.fixture
def workspace(home: WorkspaceFolder) -> Iterator[WorkspaceFolder]:
    """The workspace that the service serves, without papers and materials of other tests."""
    yield home
    for folder in (home.papers, home.root / "materials"):
        shutil.rmtree(folder, ignore_errors=True)
    home.prepare()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def open_page(server: Server, browser: Browser, workspace: WorkspaceFolder) -> Iterator[Open]:
    assert not list(workspace.papers.iterdir())
    with opening(browser, server.url, DESKTOP) as opened:
        yield opened


def at(page: Page, pointer: str) -> Locator:
    """Return the control of a value of the paper."""
    return page.locator(f'[data-pointer="{pointer}"]')


def beside(page: Page, pointer: str) -> Locator:
    """Return what is shown around the control of a value."""
    return page.locator(f'[data-field="{pointer}"]')


def status(page: Page) -> Locator:
    return page.locator("#paper-status")


def drafted(page: Page) -> None:
    page.get_by_label("Paste an abstract").fill(ABSTRACT)
    page.get_by_role("button", name="Draft", exact=True).click()
    expect(at(page, "/samples/0/pl_peak_nm")).to_have_value("518 nm")


def add(page: Page) -> None:
    page.get_by_role("button", name="Add to the data").click()


def is_for_everyone(page: Page) -> None:
    """Check accessibility, and that nothing is wider than the window."""
    assert violations(page) == []
    assert overflow(page) == 0


def typed(page: Page, **values: str) -> None:
    """Fill values of a paper with one sample."""
    texts = {"name": "S1", "core": "CsPbBr3", "shell": "SiO2"} | values
    for key, text in texts.items():
        at(page, f"/samples/0/{key}").fill(text)
    at(page, "/samples/0/structure").select_option("core/shell")


# Five tasks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_an_abstract_is_drafted_corrected_and_added(
    open_page: Open, workspace: WorkspaceFolder, size: tuple[int, int]
) -> None:
    page = open_page("/#paper", size)
    is_for_everyone(page)
    drafted(page)
    is_for_everyone(page)
    peak = at(page, "/samples/0/pl_peak_nm")
    expect(beside(page, "/samples/0/pl_peak_nm")).to_contain_text("emit at 518 nm with a PLQY")
    described = [f"#{name}" for name in (peak.get_attribute("aria-describedby") or "").split()]
    assert "emit at 518 nm" in page.locator(described[0]).inner_text()
    expect(beside(page, "/samples/0/plqy_percent")).to_contain_text("Same sentence as PL peak")
    unclear = page.locator('[data-part="unclear"]')
    expect(unclear).to_contain_text("A PLQY of 70% or 80% was seen for films.")
    expect(status(page)).to_have_text("1 field to be filled in.")
    at(page, "/paper_id").fill("smith2026")
    peak.fill("516 nm")
    expect(page.locator('[data-part="understood"]')).to_contain_text("PL 516 nm")
    is_for_everyone(page)
    add(page)
    expect(page.get_by_role("heading", name="smith2026 is added")).to_be_focused()
    expect(page.locator('[data-part="added"]')).to_contain_text("perovshell retrain")
    is_for_everyone(page)
    sample = Workspace(workspace.root).dataset().samples["smith2026-CsPbBr3-SiO2"]
    assert sample.pl_peak_nm == 516
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the paper file").click()
    assert download.value.suggested_filename == "smith2026.yaml"
    entry = read_yaml(Path(download.value.path()).read_text(), "smith2026.yaml")
    assert len(entry.samples) == 2
    page.reload()
    expect(at(page, "/paper_id")).to_have_value("")


def test_a_paper_is_typed_and_added_by_keyboard_alone(
    open_page: Open, workspace: WorkspaceFolder
) -> None:
    page = open_page("/#paper")
    keyboard = page.keyboard

    def reach(target: Locator) -> None:
        for _ in range(150):
            if target.evaluate("own => own === document.activeElement"):
                return
            keyboard.press("Tab")
        pytest.fail(f"not reached by the Tab key: {target}")

    def type_at(pointer: str, text: str) -> None:
        reach(at(page, pointer))
        keyboard.type(text)

    def press(name: str) -> None:
        reach(page.get_by_role("button", name=name, exact=True).first)
        keyboard.press("Enter")

    reach(page.get_by_role("link", name="Add a paper"))
    keyboard.press("Enter")
    paper = {"paper_id": "keys2026", "title": "Keys on silica", "year": "2026", "source": "a talk"}
    for key, text in paper.items():
        type_at(f"/{key}", text)
    for key, text in {"name": "coated", "core": "CsPbBr3", "shell": "silica"}.items():
        type_at(f"/samples/0/{key}", text)
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    type_at("/samples/0/structure", "core/shell")
    type_at("/samples/0/plqy_percent", "81 \u00b1 3")
    type_at("/samples/0/bare", "uncoated")
    press("Add a stability test")
    expect(at(page, "/samples/0/stability/0/stressor")).to_be_focused()
    keyboard.type("water")
    sides = {"coated/duration": "> 2 weeks", "coated/percent": "80", "bare/duration": "2 h"}
    for key, text in {**sides, "bare/percent": "<5"}.items():
        type_at(f"/samples/0/stability/0/{key}", text)
    press("Add a sample")
    expect(at(page, "/samples/1/name")).to_be_focused()
    for key, text in {"name": "uncoated", "core": "CsPbBr3", "shell": "none"}.items():
        type_at(f"/samples/1/{key}", text)
    expect(status(page)).to_have_text("No faults.")
    is_for_everyone(page)
    press("Add to the data")
    expect(page.get_by_role("heading", name="keys2026 is added")).to_be_focused()
    dataset = Workspace(workspace.root).dataset()
    sample = dataset.samples["keys2026-coated"]
    assert (sample.shell, sample.plqy.low, sample.plqy.high) == ("SiO2", 78, 84)
    assert sample.bare_sample_id == "keys2026-uncoated"
    (test,) = (test for test in dataset.tests if test.sample is sample)
    assert (test.coated.duration_h, test.coated.bound, test.coated.percent) == (336, ">", 80)
    assert (test.bare.duration_h, test.bare.bound, test.bare.percent) == (2, "<", 5)


def test_a_wrong_value_is_told_beside_its_field_until_it_is_mended(open_page: Open) -> None:
    page = open_page("/#paper")
    at(page, "/paper_id").fill("wrong2026")
    typed(page, shell="unobtainium", plqy_percent="0.62")
    shell = at(page, "/samples/0/shell")
    expect(shell).to_have_attribute("aria-invalid", "true")
    expect(beside(page, "/samples/0/shell").locator(".fault")).to_contain_text("unknown shell")
    described = (shell.get_attribute("aria-describedby") or "").split()
    assert "unobtainium" in page.locator(f"#{described[-1]}").inner_text()
    expect(status(page)).to_have_text("1 fault.")
    is_for_everyone(page)
    add(page)
    expect(shell).to_be_focused()
    shell.fill("SiO2")
    expect(shell).not_to_have_attribute("aria-invalid", "true")
    question = beside(page, "/samples/0/plqy_percent").locator(".question")
    expect(question).to_contain_text("a fraction?")
    looked = page.get_by_label("I have looked at these")
    is_for_everyone(page)
    add(page)
    expect(page.locator('[data-part="refused"]')).to_contain_text("I have looked at these")
    forgive(open_page, "status of 422")
    looked.check()
    at(page, "/samples/0/plqy_percent").fill("62")
    expect(question).to_be_hidden()
    expect(looked).to_be_hidden()
    at(page, "/samples/0/plqy_percent").fill("0.63")
    expect(looked).to_be_visible()
    expect(looked).not_to_be_checked()
    looked.check()
    add(page)
    expect(page.get_by_role("heading", name="wrong2026 is added")).to_be_visible()


def test_a_copy_of_a_paper_is_refused_and_asked_about_with_the_way_out(
    open_page: Open, dataset: Dataset
) -> None:
    page = open_page("/#paper")
    paper = dataset.papers["hu2018"]
    at(page, "/paper_id").fill("copy2026")
    at(page, "/doi").fill(paper.doi)
    typed(page)
    expect(beside(page, "/doi").locator(".fault")).to_contain_text("name it in supersedes")
    expect(at(page, "/supersedes")).to_be_visible()
    is_for_everyone(page)
    at(page, "/doi").fill("")
    at(page, "/title").fill(paper.title)
    expect(beside(page, "/title").locator(".question")).to_contain_text("the same study as hu2018?")
    expect(page.get_by_label("I have looked at these")).to_be_visible()
    at(page, "/supersedes").fill("hu2018")
    expect(page.locator('[data-part="understood"]')).to_contain_text("replaces hu2018")
    expect(page.get_by_label("I have looked at these")).to_be_hidden()
    at(page, "/supersedes").fill("")
    at(page, "/paper_id").fill("hu2018")
    fault = beside(page, "/paper_id").locator(".fault")
    expect(fault).to_contain_text("in the data already")
    page.get_by_label("Correct the paper in the data").check()
    expect(fault).to_be_hidden()
    changed = page.locator('[data-part="understood"]')
    expect(changed).to_contain_text("changed: samples.csv: hu2018-S1 is new")
    is_for_everyone(page)


def test_with_keys_a_phone_adds_with_its_key_alone(
    trained: TrainedModel, browser: Browser, tmp_path: Path
) -> None:
    workspace = workspace_of(trained, tmp_path / "workspace")
    key = add_key(workspace, "lab")
    with (
        serving(workspace.root, tmp_path / "log") as server,
        opening(browser, server.url, PHONE) as opened,
    ):
        page = opened("/#paper")
        page.get_by_label("Paste an abstract").fill(ABSTRACT)
        page.get_by_role("button", name="Draft", exact=True).click()
        field = page.get_by_label("API key")
        expect(field).to_be_focused()
        is_for_everyone(page)
        at(page, "/paper_id").fill("phone2026")
        add(page)
        expect(field).to_be_focused()
        assert not list(workspace.papers.iterdir())
        field.fill(key)
        page.get_by_role("button", name="Use this key").click()
        expect(page.locator("#notice")).to_be_hidden()
        page.get_by_role("button", name="Draft", exact=True).click()
        expect(at(page, "/samples/0/pl_peak_nm")).to_have_value("518 nm")
        at(page, "/paper_id").fill("phone2026")
        stored = page.evaluate("sessionStorage.getItem('perovshell-paper')")
        assert "phone2026" in stored
        assert key not in stored
        add(page)
        expect(page.get_by_role("heading", name="phone2026 is added")).to_be_visible()
        is_for_everyone(page)
        forgive(opened, "status of 401")
    assert [path.name for path in workspace.papers.iterdir()] == ["phone2026.yaml"]


# The form ------------------------------------------------------------------------------------


def test_the_form_survives_a_reload(open_page: Open) -> None:
    page = open_page("/#paper")
    drafted(page)
    at(page, "/paper_id").fill("smith2026")
    page.reload()
    expect(at(page, "/paper_id")).to_have_value("smith2026")
    expect(at(page, "/samples/0/stability/0/coated/duration")).to_have_value("30 d")
    expect(beside(page, "/samples/0/pl_peak_nm")).to_contain_text("emit at 518 nm")
    assert page.get_by_label("Paste an abstract").input_value() == ABSTRACT
    expect(status(page)).to_have_text("No faults.")


def test_a_draft_and_clear_can_be_undone(open_page: Open) -> None:
    page = open_page("/#paper")
    at(page, "/paper_id").fill("smith2026")
    drafted(page)
    page.get_by_role("button", name="Undo").click()
    expect(at(page, "/paper_id")).to_have_value("smith2026")
    expect(at(page, "/samples/0/core")).to_have_value("")
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(at(page, "/paper_id")).to_have_value("")
    page.get_by_role("button", name="Undo").click()
    expect(at(page, "/paper_id")).to_have_value("smith2026")


def test_samples_are_duplicated_and_removed_with_their_sentences(open_page: Open) -> None:
    page = open_page("/#paper")
    drafted(page)
    page.get_by_role("button", name="Duplicate Sample 1: CsPbBr3-SiO2").click()
    expect(at(page, "/samples/1/name")).to_be_focused()
    expect(at(page, "/samples/1/name")).to_have_value("CsPbBr3-SiO2-copy")
    expect(beside(page, "/samples/1/pl_peak_nm")).to_contain_text("emit at 518 nm")
    expect(at(page, "/samples/2/shell")).to_have_value("none")
    at(page, "/samples/1/pl_peak_nm").fill("520")
    assert at(page, "/samples/0/pl_peak_nm").input_value() == "518 nm"
    page.get_by_role("button", name="Remove Sample 1: CsPbBr3-SiO2").click()
    expect(at(page, "/samples/0/pl_peak_nm")).to_have_value("520")
    expect(page.get_by_role("heading", name="Sample 1: CsPbBr3-SiO2-copy")).to_be_focused()
    for _ in range(2):
        page.get_by_role("button", name="Remove Sample 1").first.click()
    expect(page.get_by_role("button", name="Add a sample")).to_be_focused()


def test_the_enter_key_in_a_field_adds_nothing(open_page: Open, workspace: WorkspaceFolder) -> None:
    page = open_page("/#paper")
    at(page, "/paper_id").fill("enter2026")
    typed(page)
    expect(status(page)).to_have_text("1 question.")
    at(page, "/samples/0/pl_peak_nm").fill("515")
    at(page, "/samples/0/pl_peak_nm").press("Enter")
    expect(page.locator('[data-part="understood"]')).to_contain_text("PL 515 nm")
    assert not list(workspace.papers.iterdir())


def test_a_double_click_adds_once(open_page: Open, workspace: WorkspaceFolder) -> None:
    page = open_page("/#paper")
    at(page, "/paper_id").fill("twice2026")
    typed(page)
    page.get_by_role("button", name="Add to the data").dblclick()
    expect(page.get_by_role("heading", name="twice2026 is added")).to_be_visible()
    expect(page.locator('[data-part="refused"]')).to_be_empty()
    assert [path.name for path in workspace.papers.iterdir()] == ["twice2026.yaml"]


def test_an_old_check_never_replaces_a_newer_one(open_page: Open) -> None:
    page = open_page("/#paper")
    held = hold_first(page, "**/v1/papers/check")
    with page.expect_request("**/v1/papers/check"):
        at(page, "/doi").fill("wrong")
    at(page, "/doi").fill("10.1000/right")
    expect(status(page)).to_contain_text("to be filled in")
    faults = [{"pointer": "/doi", "detail": "an old fault"}]
    held[0].fulfill(
        json={"faults": faults, "understood": [], "questions": [], "changes": [], "unchanged": []}
    )
    page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    expect(at(page, "/doi")).not_to_have_attribute("aria-invalid", "true")


def test_needed_fields_are_not_red_before_they_were_visited(open_page: Open) -> None:
    page = open_page("/#paper")
    at(page, "/title").fill("A title")
    expect(beside(page, "/samples/0/core")).to_contain_text("Needed")
    expect(at(page, "/samples/0/core")).not_to_have_attribute("aria-invalid", "true")
    at(page, "/samples/0/core").focus()
    at(page, "/samples/0/core").blur()
    expect(at(page, "/samples/0/core")).to_have_attribute("aria-invalid", "true")
    add(page)
    expect(at(page, "/paper_id")).to_be_focused()
    expect(at(page, "/samples/0/shell")).to_have_attribute("aria-invalid", "true")


def test_text_of_a_paper_is_never_markup(open_page: Open) -> None:
    page = open_page("/#paper")
    text = "<img src=x onerror=alert(1)>"
    page.get_by_label("Paste an abstract").fill(
        f"{text}\n\nThe CsPbBr3@SiO2 {text} emit at 518 nm."
    )
    page.get_by_role("button", name="Draft", exact=True).click()
    expect(status(page)).not_to_be_empty()
    at(page, "/samples/0/core").fill(text)
    expect(beside(page, "/samples/0/core").locator(".fault")).to_contain_text("<img")
    assert page.locator("#view-paper img").count() == 0


def test_the_download_has_what_is_typed_faults_or_not(open_page: Open) -> None:
    page = open_page("/#paper")
    typed(page, core="CsPbX")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as YAML").click()
    assert "core: CsPbX" in Path(download.value.path()).read_text()


def test_an_old_check_is_not_downloaded(open_page: Open) -> None:
    page = open_page("/#paper")
    typed(page, core="CsPbX")
    expect(status(page)).not_to_be_empty()
    refusal = {"detail": "Nine papers are checked or wait."}
    page.route("**/v1/papers/check", lambda route: route.fulfill(status=503, json=refusal))
    downloads: list[str] = []
    page.on("download", lambda download: downloads.append(download.suggested_filename))
    at(page, "/samples/0/core").fill("CsPbI3")
    page.get_by_role("button", name="Download as YAML").click()
    expect(status(page)).to_have_text("Not checked: nothing is saved.")
    assert downloads == []
    page.unroute("**/v1/papers/check")
    with page.expect_download() as download:
        page.get_by_role("button", name="Try again").click()
    assert "core: CsPbI3" in Path(download.value.path()).read_text()
    forgive(open_page, "status of 503")


def test_a_shell_that_no_table_has_is_added_with_its_paper(
    open_page: Open, workspace: WorkspaceFolder
) -> None:
    page = open_page("/#paper")
    at(page, "/paper_id").fill("novel2026")
    typed(page, shell="PVKX")
    expect(beside(page, "/samples/0/shell").locator(".fault")).to_contain_text("unknown shell")
    page.get_by_role("button", name="Add a new shell").click()
    at(page, "/shells/0/name").fill("PVKX")
    at(page, "/shells/0/class").select_option("polymer")
    at(page, "/shells/0/source").fill("10.1000/x")
    expect(page.locator('[data-part="understood"]')).to_contain_text("new shell: PVKX")
    is_for_everyone(page)
    add(page)
    expect(page.get_by_role("heading", name="novel2026 is added")).to_be_visible()
    assert Workspace(workspace.root).materials.read().shells[0]["name"] == "PVKX"


def test_a_service_that_adds_nothing_says_so_on_the_page(
    trained: TrainedModel, browser: Browser, tmp_path: Path
) -> None:
    with (
        serving(tmp_path, tmp_path / "log", "--model", str(trained.folder)) as server,
        opening(browser, server.url, DESKTOP) as opened,
    ):
        page = opened("/#paper")
        at(page, "/paper_id").fill("smith2026")
        typed(page)
        expect(status(page)).to_have_text("1 question.")
        add(page)
        refused = page.locator('[data-part="refused"]')
        expect(refused).to_contain_text("serves a model folder")
        assert json.loads(page.evaluate("sessionStorage.getItem('perovshell-paper')"))["paper"]
        is_for_everyone(page)
        forgive(opened, "status of 409")


def test_dark_colours_have_contrast_too(browser: Browser, server: Server) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(f"{server.url}/#paper")
    drafted(page)
    at(page, "/samples/0/shell").fill("unobtainium")
    expect(beside(page, "/samples/0/shell").locator(".fault")).to_be_visible()
    assert violations(page) == []
    page.close()
