"""The live page in a real browser: what somebody sees, clicks and types."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright import sync_api

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
SIZES = {"desk": (1280, 800), "tablet": (768, 1024), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser):
    """A tab, with what it complained of and which hosts it asked."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    tab = context.new_page()
    tab.set_default_timeout(20_000)
    tab.complaints = []
    tab.on("console", lambda message: message.type == "error" and tab.complaints.append(message.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    yield tab
    context.close()


def kind(tab, wanted: str) -> None:
    tab.wait_for_selector(f"#now[data-kind={wanted}]")


def says(tab, part: str, text: str, timeout_ms: int = 20_000) -> None:
    sync_api.expect(tab.locator(part)).to_have_text(text, timeout=timeout_ms)


def edge_is_accent(tab, wanted: bool) -> None:
    """Whether the time line, drawn once a second here, ends in an action that goes on."""
    draws = "c => [...c.getContext('2d').getImageData(c.width - 6, 20, 1, 1).data].join() === '11,95,165,255'"
    for _ in range(50):
        if tab.eval_on_selector("#timeline", draws) == wanted:
            return
        tab.wait_for_timeout(100)
    pytest.fail(f"an action that goes on at the end of the time line: {not wanted}")


def test_the_action_its_rank_and_its_age_are_shown_and_then_its_end(app, page, tab):
    tab.goto(page.url)
    kind(tab, "action")
    assert tab.inner_text("#label") == "wave"
    assert tab.inner_text("#detail").startswith("4 × · for ")
    assert tab.get_attribute("#pulse", "data-pulse") == "live"
    assert "ms old" in tab.inner_text("#pulse")
    assert tab.get_attribute("#stage", "aria-label") == "The skeleton of one person"
    assert [row.get_attribute("data-label") for row in tab.query_selector_all("#bars li")][0::3] == ["wave", ""]
    assert tab.title().startswith("wave")
    app.label = "bow"
    says(tab, "#label", "bow")
    says(tab, "#announcer", "bow")
    assert "wave" in tab.inner_text("#log") and "4 ×" in tab.inner_text("#log")
    app.state = "no_person"
    kind(tab, "quiet")
    assert tab.inner_text("#label") == "Nobody in view"
    assert not tab.complaints


@pytest.mark.parametrize("fault", ["silent", "late", "camera", "page"])
def test_what_is_old_is_never_shown_as_true(app, page, tab, fault):
    tab.goto(page.url)
    kind(tab, "action")
    edge_is_accent(tab, True)
    (server,) = multiprocessing.active_children()
    if fault == "silent":
        app.silent = True
    elif fault == "late":
        app.delay_ms = 5000
    elif fault == "camera":
        app.state = "camera_lost"
    else:
        os.kill(server.pid, signal.SIGSTOP)  # nothing comes, and no connection ends
    try:
        kind(tab, "stale")
        for part in ("#label", "#detail", "#pulse", "#bars"):
            assert "wave" not in tab.inner_text(part)
        assert "wave" not in tab.title()
        assert tab.get_attribute("#stage", "aria-label") == "Nobody is drawn"
        assert tab.get_attribute("#pulse", "data-pulse") in ("stale", "gone")
        edge_is_accent(tab, False)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    app.silent, app.delay_ms, app.state = False, 0, "running"
    kind(tab, "action")


def test_of_several_cameras_one_is_chosen_and_stays_so(app, page, tab):
    tab.goto(page.url)
    kind(tab, "action")
    assert not tab.locator("nav").is_visible()
    app.camera, app.label = "back", "bow"
    other = tab.get_by_role("button", name="back")
    other.wait_for()
    kind(tab, "stale")
    other.click()
    says(tab, "#label", "bow")
    assert other.get_attribute("aria-pressed") == "true"
    assert tab.inner_text("#camera-rows th") == "back"


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits_every_screen(same_page, browser, tmp_path, size, scheme):
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    tab = context.new_page()
    tab.goto(same_page.url)
    kind(tab, "action")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.locator("#label").is_visible()
    tab.screenshot(path=tmp_path / f"{size}-{scheme}.png", full_page=True)
    lightness = tab.evaluate("getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(lightness) > 384) == (scheme == "light")
    context.close()


def words(tab, page, labels: list[str]) -> list[list[str]]:
    """The page of an app that has these labels, and takes all others; the lists that it is given."""
    taken: list[list[str]] = []

    def answer(route) -> None:
        if route.request.method == "PUT":
            taken.append(json.loads(route.request.post_data)["lines"])
        route.fulfill(json={"labels": labels, "labels_version": 2, "count": 1, "taught": {"windmill": 3}})

    tab.route("**/labels", answer)
    tab.goto(page.url)
    tab.locator("#lines").wait_for()
    return taken


def test_F15_on_a_phone_nothing_is_cut_and_everything_is_as_large_as_a_finger(same_page, tab):
    tab.set_viewport_size(dict(zip(("width", "height"), SIZES["phone"], strict=True)))
    words(tab, same_page, ["wave"])
    tab.locator("#camera-rows td").first.wait_for()
    assert tab.eval_on_selector(".scroll", "box => box.scrollWidth <= box.clientWidth")
    for column in ("camera", "people", "poses/s", "skipped", "notes"):
        assert tab.locator(f"#camera-rows [data-column='{column}']").is_visible()
    for role, count in (("row", 2), ("rowheader", 1), ("cell", 6)):
        assert tab.get_by_role("table").get_by_role(role).count() == count
    for control in tab.locator("button, input, textarea, #record").all():
        if control.is_visible():
            assert control.bounding_box()["height"] >= 44, control.inner_text()


def test_F15_the_box_shows_all_its_words(same_page, tab):
    words(tab, same_page, [f"word {number}" for number in range(12)])
    shows_all = "box => box.scrollHeight <= box.clientHeight"
    assert tab.eval_on_selector("#lines", shows_all)
    tab.locator("#lines").fill("\n".join(f"word {number}" for number in range(16)))
    assert tab.eval_on_selector("#lines", shows_all)
    tab.locator("#lines").fill("\n".join(f"word {number}" for number in range(200)))
    assert tab.locator("#lines").bounding_box()["height"] <= 800 * 0.6 + 1


def test_F15_no_words_at_all_are_put_in_force_only_where_that_is_meant(same_page, tab):
    taken = words(tab, same_page, ["wave"])
    answers, asked = iter([False, True]), []
    tab.on(
        "dialog", lambda dialog: (asked.append(dialog.message), dialog.accept() if next(answers) else dialog.dismiss())
    )
    tab.locator("#lines").fill(" \n")
    tab.locator("#apply").click()
    assert len(asked) == 1 and taken == [] and tab.inner_text("#said") == "Not in force yet"
    tab.locator("#apply").click()
    tab.wait_for_selector("#said[data-kind=done]")
    assert len(asked) == 2 and taken == [[" ", ""]]
    tab.locator("#lines").fill("wave\n\nbow")
    tab.locator("#apply").click()
    tab.wait_for_selector("#said[data-kind=done]")
    assert len(asked) == 2 and taken[1] == ["wave", "", "bow"], "blank lines count, where a line is refused"


def test_the_keyboard_reaches_everything_and_everything_has_a_name(same_page, tab):
    tab.goto(same_page.url)
    kind(tab, "action")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "now"
    for role in ("banner", "main", "contentinfo"):
        assert tab.get_by_role(role).count() == 1
    for section in tab.query_selector_all("section"):
        assert tab.query_selector(f"#{section.get_attribute('aria-labelledby')}").inner_text()
    live = tab.query_selector_all("[aria-live], [role=status]")
    assert [each.get_attribute("id") for each in live] == ["announcer"], "only what is seen now is read out"


def test_with_a_token_the_page_asks_for_it_and_goes_in(guarded, tab):
    tab.goto(guarded.url.partition("?")[0])
    tab.get_by_label("token").fill(guarded.token)
    tab.get_by_role("button", name="Enter").click()
    kind(tab, "action")
    assert guarded.token not in tab.url


def test_nothing_is_asked_of_anybody_else(same_page, tab):
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(same_page.url)
    kind(tab, "action")
    assert len(asked) > 5
    assert all(url.startswith(same_page.url) for url in asked)
    assert not tab.complaints


@contextmanager
def running(*command: str) -> Iterator[str]:
    """The whole app with its page; where that is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_app", *command, "--view", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True
    )
    with process, process.stderr as lines:
        try:
            yield next(line.split()[-1] for line in lines if "live page" in line)
        finally:
            process.terminate()
            assert process.wait(20) == 0


@pytest.mark.slow
def test_the_demo_shows_the_drawn_person_and_what_it_does(tab):
    with running("demo", "--source", "person://squat", "--labels", "squat, bow") as url:
        tab.goto(url)
        says(tab, "#label", "squat", 60_000)
        assert tab.get_attribute("#stage", "aria-label") == "The skeleton of one person"
        assert tab.inner_text("[data-stage=pose] b").endswith(" ms")
    assert not tab.complaints


@pytest.mark.slow
def test_words_typed_here_take_effect_in_the_running_app(tab, tmp_path):
    pytest.importorskip("edge_app.app.control", reason="this version has no control socket")
    with running("run", "person://squat", "--labels", "wave, bow", "--publish", f"ipc://{tmp_path}/s") as url:
        tab.goto(url)
        box = tab.locator("#lines")
        box.wait_for(timeout=60_000)
        assert box.input_value() == "wave\nbow"
        box.fill("wave\nwave")
        tab.locator("#apply").click()
        tab.wait_for_selector("#said[data-kind=error]")
        box.fill("wave\nsquat")
        box.press("Control+Enter")
        tab.wait_for_selector("#said[data-kind=done]")
        says(tab, "#label", "squat", 60_000)


@pytest.mark.slow
def test_a_motion_shown_here_is_named_from_then_on(tab, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    source = "person://jumping%20jack?idle=0"
    with running("run", source, "--labels", "bow, sit down", "--publish", f"ipc://{tmp_path}/s") as url:
        tab.goto(url)
        tab.locator("#gesture").fill("windmill", timeout=60_000)
        tab.locator("#teach button").click()
        tab.wait_for_selector("#taught[data-kind=done]", timeout=60_000)
        says(tab, "#label", "windmill", 60_000)
        assert len(list((tmp_path / "data").rglob("*.npz"))) == 1
        says(tab, "#taught", "Shot 3 of 3: in force, version 4", 60_000)
        assert "windmill" in tab.locator("#lines").input_value()
        tab.get_by_role("button", name="Forget windmill").click()
        says(tab, "#taught", "windmill: forgotten")
        sync_api.expect(tab.locator("#lines")).to_have_value("bow\nsit down")
    assert not list((tmp_path / "data").rglob("*.npz"))
