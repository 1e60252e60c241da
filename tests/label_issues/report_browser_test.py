"""The report in a browser: what people see, press and take away."""

import csv
import functools
import io
import pathlib
import shutil
import tempfile
import unittest

import numpy as np
from absl.testing import absltest

from limit_tf.label_issues.relabel import read_decisions
from limit_tf.label_issues.report import write_report
from tests.label_issues import synthetic

try:
    from selenium import webdriver
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.select import Select
    from selenium.webdriver.support.wait import WebDriverWait
except ImportError:
    webdriver = None

_HOSTILE = '</script><img src=x onerror="window.hacked=1">, "\n\u2028=1+1'
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")

browser = None
folder = None
issues = synthetic.issues


def setUpModule():
    global browser, folder
    binary = next(filter(None, map(shutil.which, _BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if webdriver is None:
        raise unittest.SkipTest("selenium is not installed")
    if not binary or not driver:
        raise unittest.SkipTest("chromium or chromedriver is not installed")
    temporary = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(temporary.cleanup)
    folder = pathlib.Path(temporary.name)
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
    ):
        options.add_argument(argument)
    options.add_argument("--window-size=1280,900")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(driver)
    )
    unittest.addModuleCleanup(browser.quit)
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior",
        {"behavior": "allow", "downloadPath": str(folder / "downloads")},
    )


def tearDownModule():
    # pytest does not do it by itself.
    unittest.doModuleCleanups()


@functools.cache
def page(name):
    """Writes the page of that name once and returns its address."""
    path = folder / f"{name}.html"
    noise = synthetic.noise()
    if name == "images":
        rng = np.random.default_rng(0)
        pixels = rng.integers(256, size=(150, 8, 8, 1), dtype=np.uint8)
        pixels[:] = np.arange(150, dtype=np.uint8)[:, None, None, None]
        odds = np.linspace(40.0, -40.0, 150, dtype=np.float32)
        certain = issues(
            scores=np.where(odds > 9, 1, 0).astype(np.float32),
            details={"wrong_log_odds": odds},
        )
        write_report(path, certain, noise, title="images", images=pixels)
    elif name == "truth":
        clean = issues().suggested_labels
        write_report(path, issues(clean_labels=clean), noise, title="truth")
    elif name == "texts":
        texts = [f"the text of {i} <b>" for i in range(150)]
        write_report(path, issues(), title="texts", texts=texts)
    elif name == "hostile":
        ids = np.array([f"{_HOSTILE}{i}" for i in range(150)])
        hostile = issues(
            class_names=(_HOSTILE, "dog", "bird"),
            ids=ids,
            details={_HOSTILE: ids},
        )
        write_report(
            path,
            hostile,
            noise,
            title=_HOSTILE,
            texts=[_HOSTILE] * 150,
            facts={_HOSTILE: _HOSTILE},
        )
    elif name == "large":
        names = [f"class {i}" for i in range(40)]
        large = synthetic.issues(100_000, names)
        write_report(path, large, synthetic.noise(40), title="large")
    elif name in ("numbers", "files"):
        numbers = np.array([10, 2, 100, 9])
        files = np.array(["a10", "a2", "b1", "a9"])
        ids = numbers if name == "numbers" else files
        few = issues(4, ids=ids, is_issue=np.ones(4, bool))
        write_report(path, few, title=name)
    elif name == "none":
        write_report(path, issues().take(slice(0)), title="none")
    else:
        write_report(path, issues(), noise, title="plain", max_rows=149)
    return path.as_uri()


class BrowserTestCase(absltest.TestCase):
    page = "plain"

    def setUp(self):
        super().setUp()
        shutil.rmtree(folder / "downloads", ignore_errors=True)
        browser.get(page(self.page))

    def tearDown(self):
        # A page writes what it has not written yet when it is left.
        browser.execute_script(
            "dispatchEvent(new Event('pagehide')); localStorage.clear()"
        )
        self.assertEqual(browser.get_log("browser"), [])
        super().tearDown()

    def column(self, name):
        """Texts of the cards on the page."""
        return browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])]"
            ".map((node) => node.textContent)",
            ".card .score dd" if name == "score" else f".card .{name} dd .name",
        )

    def choose(self, name, text):
        Select(browser.find_element(By.ID, name)).select_by_visible_text(text)

    def text(self, name):
        return browser.find_element(By.ID, name).text

    def click(self, selector, number=0):
        # By script: a pointer would have to scroll there first.
        node = browser.find_elements(By.CSS_SELECTOR, selector)[number]
        browser.execute_script("arguments[0].click()", node)

    def press(self, *keys):
        ActionChains(browser, duration=0).send_keys(*keys).perform()

    def focus_card(self, number=0):
        browser.execute_script(
            "document.querySelectorAll('.card')[arguments[0]].focus()", number
        )

    def focused_row(self):
        return browser.execute_script(
            "return document.activeElement.dataset.row"
        )

    def exported(self):
        """The rows of the file that the button downloads."""
        self.click("#export")
        path = folder / "downloads" / "decisions.csv"
        WebDriverWait(browser, 5, 0.02).until(lambda _: path.exists())
        shutil.move(path, folder / path.name)
        content = (folder / path.name).read_bytes().decode("utf-8")
        return list(csv.reader(io.StringIO(content, newline="")))

    def import_text(self, text):
        path = folder / "import.csv"
        path.write_text(text, encoding="utf-8", newline="")
        browser.find_element(By.ID, "import").send_keys(str(path))
        WebDriverWait(browser, 5, 0.02).until(
            lambda _: browser.find_elements(By.ID, "message")
        )
        return self.text("message")


class FilterTest(BrowserTestCase):
    def test_issues_are_shown_first_the_most_suspicious_one_on_top(self):
        self.assertEqual(self.text("count"), "75 suspicious labels")
        self.assertEqual(self.column("id")[:3], ["1000", "1001", "1002"])

    def test_by_given_class(self):
        self.choose("show", "All labels")
        self.choose("given", "dog")

        expected = np.count_nonzero(issues().given_labels[:149] == 1)
        self.assertEqual(self.text("count"), f"{expected} labels")
        self.assertEqual(set(self.column("given")), {"dog"})

    def test_by_suggested_class(self):
        self.choose("suggested", "bird")

        self.assertEqual(set(self.column("suggested")), {"bird"})

    def test_by_a_cell_of_the_matrix(self):
        self.click("#matrix button", 2)  # Row cat, column bird.

        self.assertEqual(set(self.column("given")), {"bird"})
        self.assertEqual(set(self.column("suggested")), {"cat"})
        self.assertEqual(
            browser.switch_to.active_element.get_attribute("id"),
            "examples-heading",
        )

    def test_by_a_cell_from_the_keyboard(self):
        browser.execute_script(
            "document.querySelector('#matrix button').focus()"
        )
        self.press(Keys.ARROW_DOWN, Keys.ENTER)  # Row dog, column cat.

        self.assertEqual(set(self.column("given")), {"cat"})
        self.assertEqual(set(self.column("suggested")), {"dog"})

    def test_by_a_line_of_the_tables(self):
        self.click("#classes .link")
        self.assertLen(set(self.column("given")), 1)

        self.click("#pairs .link")
        self.assertLen(set(self.column("suggested")), 1)

    def test_by_id(self):
        browser.find_element(By.ID, "search").send_keys("103")

        self.assertEqual(self.column("id"), [str(i) for i in range(1030, 1040)])

    def test_by_decision(self):
        self.click(".accept", 1)
        self.click(".reject", 2)

        self.choose("decision", "Accepted")
        self.assertEqual(self.column("id"), ["1001"])
        self.choose("decision", "Rejected")
        self.assertEqual(self.column("id"), ["1002"])
        self.choose("decision", "Undecided")
        self.assertEqual(self.text("count"), "73 suspicious labels")

    def test_a_decision_takes_effect_on_the_filter_when_asked(self):
        self.choose("decision", "Undecided")
        self.click(".accept")
        self.assertEqual(self.column("id")[0], "1000")

        self.click("#refresh")
        self.assertEqual(self.column("id")[0], "1001")

    def test_nothing_fits(self):
        browser.find_element(By.ID, "search").send_keys("nowhere")

        self.assertEqual(self.text("empty"), "No label fits these filters.")

    def test_a_reset_shows_all_issues_again(self):
        self.choose("given", "dog")
        self.click("#filters button[type=reset]")

        WebDriverWait(browser, 5, 0.02).until(
            lambda _: self.text("count") == "75 suspicious labels"
        )


class OrderTest(BrowserTestCase):
    def test_by_score(self):
        self.choose("show", "All labels")
        self.choose("sort", "Lowest score")

        scores = [float(score) for score in self.column("score")]
        self.assertLess(scores[0], 0.02)
        self.assertEqual(scores, sorted(scores))

    def test_by_id(self):
        self.choose("sort", "Id, descending")
        self.assertEqual(self.column("id")[:2], ["1074", "1073"])

    def test_by_label(self):
        for name in ("given", "suggested"):
            self.choose("sort", f"{name.capitalize()} label")
            places = list(map(synthetic.CLASS_NAMES.index, self.column(name)))
            self.assertEqual(places, sorted(places))


class NumberedTest(BrowserTestCase):
    page = "numbers"

    def test_numbers_are_ordered_as_numbers(self):
        self.choose("sort", "Id, ascending")
        self.assertEqual(self.column("id"), ["2", "9", "10", "100"])


class NamedTest(BrowserTestCase):
    page = "files"

    def test_numbers_in_names_are_ordered_as_numbers(self):
        self.choose("sort", "Id, ascending")
        self.assertEqual(self.column("id"), ["a2", "a9", "a10", "b1"])


class PagerTest(BrowserTestCase):
    def test_pages_are_short(self):
        self.assertLen(self.column("id"), 60)
        self.click(".pager .next")
        self.assertEqual(self.column("id")[0], "1060")
        self.assertLen(self.column("id"), 15)
        self.click(".pager .first")
        self.assertEqual(self.column("id")[0], "1000")

    def test_a_number_leads_to_its_page(self):
        self.choose("show", "All labels")
        number = browser.find_element(By.CSS_SELECTOR, ".pager .page")
        number.send_keys(Keys.CONTROL, "a")
        number.send_keys("99", Keys.ENTER)

        self.assertEqual(self.column("id")[0], "1120")
        self.assertEqual(number.get_attribute("value"), "3")

    def test_by_keyboard(self):
        self.press("n")
        self.assertEqual(self.focused_row(), "60")
        self.press("p")
        self.assertEqual(self.focused_row(), "0")


class DecisionTest(BrowserTestCase):
    def test_keys_decide_and_go_on(self):
        self.focus_card()
        self.press("a", "r", "a", "u")

        self.assertEqual(self.focused_row(), "2")
        self.assertEqual(
            self.text("decision-counts"),
            "1 accepted · 1 rejected · 147 undecided",
        )

    def test_arrows_go_from_card_to_card(self):
        self.focus_card()
        self.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
        self.assertEqual(self.focused_row(), "1")

    def test_letters_in_a_field_decide_nothing(self):
        self.focus_card()
        browser.find_element(By.ID, "search").send_keys("aru")

        self.assertTrue(
            self.text("decision-counts").startswith("0 accepted · 0 rejected")
        )

    def test_the_file_says_what_was_decided(self):
        data = issues()
        self.click(".accept", 0)
        self.click(".reject", 1)

        names = synthetic.CLASS_NAMES
        self.assertEqual(
            self.exported(),
            [
                ["id", "decision", "label"],
                ["1000", "accept", names[data.suggested_labels[0]]],
                ["1001", "reject", names[data.given_labels[1]]],
            ],
        )

    def test_another_class_is_accepted(self):
        data = issues()
        other = 3 - data.given_labels[0] - data.suggested_labels[0]
        select = browser.find_element(By.CSS_SELECTOR, ".other")
        Select(select).select_by_visible_text(synthetic.CLASS_NAMES[other])

        self.assertEqual(
            self.exported()[1],
            ["1000", "accept", synthetic.CLASS_NAMES[other]],
        )

    def test_to_choose_the_given_class_is_to_reject(self):
        given = synthetic.CLASS_NAMES[issues().given_labels[0]]
        select = browser.find_element(By.CSS_SELECTOR, ".other")
        Select(select).select_by_visible_text(given)

        self.assertEqual(self.exported()[1], ["1000", "reject", given])

    def test_a_second_press_takes_a_decision_back(self):
        self.click(".accept")
        button = browser.find_element(By.CSS_SELECTOR, ".accept")
        self.assertEqual(button.get_attribute("aria-pressed"), "true")
        self.click(".accept")

        self.assertEqual(button.get_attribute("aria-pressed"), "false")
        self.assertFalse(browser.find_element(By.ID, "export").is_enabled())

    def test_all_on_a_page_are_accepted_and_undone(self):
        self.click(".reject", 3)
        self.click("#accept-all")
        self.assertIn("59 accepted · 1 rejected", self.text("decision-counts"))

        self.press("u")
        self.assertIn("0 accepted · 1 rejected", self.text("decision-counts"))
        self.press("u")
        self.assertIn("0 accepted · 0 rejected", self.text("decision-counts"))

    def test_the_next_visit_finds_them(self):
        self.click(".accept", 5)
        browser.refresh()

        self.assertIn("1 accepted · 0 rejected", self.text("decision-counts"))

    def test_another_window_shows_them_too(self):
        first = browser.current_window_handle
        browser.switch_to.new_window("tab")
        browser.get(page(self.page))
        self.click(".reject", 5)
        WebDriverWait(browser, 5, 0.02).until(
            lambda _: browser.execute_script("return localStorage.length")
        )
        browser.close()
        browser.switch_to.window(first)

        WebDriverWait(browser, 5, 0.02).until(
            lambda _: "0 accepted · 1 rejected" in self.text("decision-counts")
        )

    def test_a_file_brings_them_back(self):
        self.click(".accept", 0)
        self.click(".reject", 1)
        before = self.exported()
        self.press("u", "u")
        text = "\n".join(map(",".join, before))

        self.assertEqual(self.import_text(text), "Imported 2 decisions.")
        self.assertEqual(self.exported(), before)

    def test_lines_that_are_not_known_are_counted(self):
        message = self.import_text(
            "id,decision,label\r\n1000,accept,dog\r\n1,accept,dog\r\n"
            "1001,accept,cow\r\n1002,perhaps,dog\r\n"
        )

        self.assertStartsWith(message, "Imported 1 decision. 3 lines left out")
        self.assertEqual(self.exported()[1:], [["1000", "accept", "dog"]])

    def test_another_file_is_refused(self):
        message = self.import_text("name,age\n1000,4\n")

        self.assertIn("id,decision,label", message)
        self.assertIn("0 accepted", self.text("decision-counts"))

    def test_the_page_says_where_nothing_is_kept(self):
        script = browser.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument",
            {
                "source": "Storage.prototype.setItem ="
                " () => { throw new Error('full'); };"
            },
        )
        self.addCleanup(
            browser.execute_cdp_cmd,
            "Page.removeScriptToEvaluateOnNewDocument",
            script,
        )
        browser.refresh()
        self.click(".accept")

        WebDriverWait(browser, 5, 0.02).until(
            lambda _: "does not keep" in self.text("storage-notice")
        )
        self.exported()  # Else the browser asks before it leaves.


class HelpTest(BrowserTestCase):
    def test_a_question_mark_shows_the_keys(self):
        self.press("?")
        self.assertTrue(browser.find_element(By.ID, "help").is_displayed())
        self.press(Keys.ESCAPE)
        self.assertFalse(browser.find_element(By.ID, "help").is_displayed())

    def test_every_field_has_a_name(self):
        unnamed = browser.execute_script(
            "return [...document.querySelectorAll('select, input')]"
            ".filter((node) => !node.labels.length).length"
        )
        self.assertEqual(unnamed, 0)

    def test_tab_reaches_a_card_and_its_buttons(self):
        self.focus_card()
        self.press(Keys.TAB)
        self.assertEqual(browser.switch_to.active_element.text, "Accept")
        self.press(Keys.TAB)
        self.assertEqual(browser.switch_to.active_element.text, "Reject")


class ImagesTest(BrowserTestCase):
    page = "images"

    def test_a_card_shows_the_image_of_its_position(self):
        self.click(".pager .next")
        WebDriverWait(browser, 5, 0.02).until(
            lambda _: browser.execute_script(
                "return !document.querySelector('canvas:not([data-drawn])')"
            )
        )
        shades = browser.execute_script(
            "return [...document.querySelectorAll('.picture canvas')].map("
            "(node) => node.getContext('2d').getImageData(3, 3, 1, 1).data[0])"
        )
        self.assertEqual(shades, issues().positions[60:75].tolist())

    def test_log_odds_tell_apart_what_scores_do_not(self):
        self.assertEqual(set(self.column("score")[:9]), {"1.0000"})
        self.assertEqual(self.column("odds")[:2], ["+40.00", "+39.46"])
        self.choose("show", "All labels")
        self.choose("sort", "Lowest score")
        self.assertTrue(self.column("odds")[-1].startswith("−"))

    def test_a_click_enlarges_the_image_and_escape_closes_it(self):
        box = browser.find_element(By.ID, "enlarged")
        self.assertFalse(box.is_displayed())
        self.click(".card .picture", 3)
        self.assertTrue(box.is_displayed())
        self.assertEqual(self.text("enlarged-heading"), "1003")
        WebDriverWait(browser, 5, 0.02).until(
            lambda _: browser.execute_script(
                "return document.querySelector('#enlarged canvas').dataset"
                ".drawn"
            )
        )
        shade = browser.execute_script(
            "return document.querySelector('#enlarged canvas')"
            ".getContext('2d').getImageData(3, 3, 1, 1).data[0]"
        )
        self.assertEqual(shade, issues().positions[3])
        small, large = (
            browser.find_element(By.CSS_SELECTOR, f"{place} canvas").size
            for place in (".card", "#enlarged")
        )
        self.assertGreater(large["width"], 4 * small["width"])
        self.press("a", Keys.ESCAPE)  # A decides nothing meanwhile.
        self.assertFalse(box.is_displayed())
        self.assertIn("0 accepted", self.text("decision-counts"))

    def test_a_key_enlarges_the_image(self):
        self.focus_card(2)
        self.press("z")
        self.assertEqual(self.text("enlarged-heading"), "1002")
        self.press(Keys.ESCAPE)
        self.assertEqual(self.focused_row(), "2")

    def test_on_a_phone_pages_are_short(self):
        self.addCleanup(
            browser.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {}
        )
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": 390,
                "height": 844,
                "deviceScaleFactor": 1,
                "mobile": True,
            },
        )
        WebDriverWait(browser, 5, 0.02).until(
            lambda _: len(self.column("id")) == 12
        )
        width, height = browser.execute_script(
            "const page = document.documentElement;"
            "return [page.scrollWidth, page.scrollHeight]"
        )
        self.assertEqual(width, 390)
        # Cards in one column: 60 of them were 23,000 pixels.
        self.assertLess(height, 8000)
        self.click(".pager .last")
        self.assertEqual(self.column("id")[-1], "1074")

    def test_nothing_is_asked_of_the_network(self):
        names = browser.execute_script(
            "return performance.getEntriesByType('resource')"
            ".map((entry) => entry.name)"
            ".filter((name) => !name.startsWith('data:'))"
        )
        self.assertEqual(names, [])

    def test_nothing_could_be_asked_of_the_network(self):
        blocked = browser.execute_async_script(
            "const done = arguments[0];"
            "addEventListener('securitypolicyviolation',"
            "  (event) => done(event.effectiveDirective), {once: true});"
            "fetch('https://example.invalid/').catch(() => {});"
        )
        self.assertEqual(blocked, "connect-src")
        browser.get_log("browser")  # The refusal is written there.


class TruthTest(BrowserTestCase):
    page = "truth"

    def test_precision_and_recall_are_shown(self):
        self.assertIn("Precision\n100%", self.text("tiles"))
        self.assertIn("Recall\n50%", self.text("tiles"))
        self.assertIn("noise was added on purpose", self.text("truth-remark"))

    def test_a_card_says_what_is_right(self):
        self.assertIn("suggestion is right", self.column("true")[0])

    def test_bars_are_of_right_and_wrong_labels(self):
        self.assertEqual(
            self.text("histogram-legend"), "label is right\nlabel is wrong"
        )


class TextsTest(BrowserTestCase):
    page = "texts"

    def test_a_card_shows_the_text_of_its_position(self):
        text = browser.find_element(By.CSS_SELECTOR, ".card .text").text
        self.assertEqual(text, f"the text of {issues().positions[0]} <b>")

    def test_texts_are_searched(self):
        position = issues().positions[4]
        browser.find_element(By.ID, "search").send_keys(f"of {position} <")

        self.assertEqual(self.column("id"), ["1004"])

    def test_counts_take_the_place_of_an_estimate(self):
        self.assertEqual(self.text("matrix-heading"), "Suggested changes")


class HostileTest(BrowserTestCase):
    page = "hostile"

    def test_names_are_shown_and_never_run(self):
        self.choose("show", "All labels")
        self.click("summary")

        self.assertIsNone(browser.execute_script("return window.hacked"))
        self.assertEmpty(browser.find_elements(By.TAG_NAME, "img"))
        self.assertEqual(browser.title, " ".join(_HOSTILE.split("\n")))
        self.assertEqual(self.column("id")[0], f"{_HOSTILE}0")

    def test_names_survive_a_file(self):
        self.choose("suggested", "dog")
        self.click("#accept-all")
        self.choose("suggested", "Any")
        self.choose("given", "dog")
        select = browser.find_element(By.CSS_SELECTOR, ".other")
        Select(select).select_by_value("0")
        rows = self.exported()
        decisions = read_decisions(folder / "decisions.csv")

        self.assertEqual(list(decisions), [id_ for id_, *_ in rows[1:]])
        self.assertIn(_HOSTILE, [label for _, _, label in rows])
        self.assertTrue(all(id_.startswith(_HOSTILE) for id_, *_ in rows[1:]))
        self.press("u", "u")
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        self.import_text(text.getvalue())
        self.assertEqual(self.exported(), rows)


class LargeTest(BrowserTestCase):
    page = "large"

    def seconds(self, script):
        """How long a script takes, with the layout that it causes."""
        return browser.execute_script(
            "const start = performance.now();"
            f"{script};"
            "document.body.offsetHeight;"
            "return (performance.now() - start) / 1000"
        )

    def test_filters_of_100000_rows_take_no_time(self):
        self.choose("show", "All labels")
        self.assertEqual(self.text("count"), "100,000 labels")
        self.assertLen(self.column("id"), 60)

        taken = self.seconds(
            "const given = document.getElementById('given');"
            "given.value = '3';"
            "given.dispatchEvent(new Event('change', {bubbles: true}))"
        )

        # A tenth of a second on an idle machine; tests may share theirs.
        self.assertLess(taken, 0.5)
        self.assertEqual(set(self.column("given")), {"class 3"})

    def test_of_many_classes_another_one_can_be_chosen(self):
        select = browser.find_element(By.CSS_SELECTOR, ".other")
        self.assertLen(Select(select).options, 1)
        browser.execute_script("arguments[0].focus()", select)
        Select(select).select_by_visible_text("class 39")

        self.assertEqual(self.exported()[1][1:], ["accept", "class 39"])

    def test_a_picture_of_the_matrix_leads_to_its_examples(self):
        browser.execute_script(
            "document.querySelector('#matrix canvas').focus()"
        )
        self.press(Keys.ARROW_RIGHT, Keys.ENTER)

        self.assertEqual(set(self.column("given")), {"class 1"})
        self.assertEqual(set(self.column("suggested")), {"class 0"})

    def test_decisions_of_several_pages_are_kept(self):
        self.click("#accept-all")
        self.click(".pager .last")
        self.click("#accept-all")
        browser.refresh()

        self.assertIn("80 accepted", self.text("decision-counts"))


class NoneTest(BrowserTestCase):
    page = "none"

    def test_no_labels_are_no_error(self):
        self.assertEqual(self.text("count"), "0 labels")


if __name__ == "__main__":
    absltest.main()
