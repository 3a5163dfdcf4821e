"""The studio's pages as a person uses them: node runs them on a small stand-in for a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from growgan.editing.directions import FEWEST
from growgan.studio import app

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node runs the pages")

HERE = Path(__file__).parent
WEB = Path(app.__file__).parent / "web"

TEACH = """
import { Teach } from "WEB/teach.js";
import { useStudio } from "WEB/state.js";
let model = MODEL, change;
const again = (more) => ((model = { ...model, ...more }), change({}));
function App() {
  const [state, set] = useStudio();
  change = set;
  return html`<${Teach} ...${{ state: { ...state, model: "m" }, change, model, again: () => {} }} />`;
}
render(html`<${App} />`, body);
change({ attribute: "smile " });
await pause();
const said = () => JSON.parse(kept[`growgan said ${model.hash}`] ?? "{}").smile ?? {};
const text = () => body.textContent;
const isSeen = () => !body.find((one) => one.localName === "button" && one.textContent.startsWith("yes"))[0].disabled;
const seed = () => text().match(/seed (\\d+)/)[1];
const keys = async (all) => {
  for (const key of all) {
    await until(isSeen);
    const before = seed();
    await press(key);
    await until(() => seed() !== before);
  }
};
const back = async (times) => {
  for (let i = 0; i < times; i++) await push("← back");
};
"""


def played(script: str) -> Any:
    """What a script gives to `tell`."""
    head = """
        import { MODEL, body, kept, pause, press, push, server, until } from "HERE/dom.mjs";
        const { html, render } = await import("WEB/html.js");
        const tell = (found) => (console.log(JSON.stringify(found)), process.exit(0));
    """
    whole = (head + script).replace("WEB", WEB.as_uri()).replace("HERE", HERE.as_uri())
    words = ["node", "--input-type=module", "--no-warnings"]
    done = subprocess.run(words, input=whole, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def with_awaited_imports(script: str) -> str:
    """Imports that come after the stand-in is there, as modules of the pages want it."""
    return (
        script.replace("import {", "const {")
        .replace('} from "WEB/', '} = await import("WEB/')
        .replace('.js";', '.js");')
    )


def taught(script: str) -> Any:
    return played(with_awaited_imports(TEACH) + script)


def test_keys_label_the_seed_that_is_seen_and_skipping_leaves_labels_alone() -> None:
    found = taught("""
        await keys("ynsy");
        const first = said();
        await back(4);
        await keys("ssss");
        const skipped = said();
        await until(isSeen);
        for (let i = 0; i < 9; i++) await press("y", true);
        const held = said();
        await back(1);
        await push("no label");
        tell([first, skipped, held, said(), text().includes("1 yes, 1 no")]);
    """)
    once = {"0": 1, "1": 0, "3": 1}
    assert found == [once, once, once, {"0": 1, "1": 0}, True]


def test_nothing_is_said_of_a_picture_that_is_not_seen_yet() -> None:
    found = taught("""
        globalThis.Image = class { set src(address) { setTimeout(() => this.onload(), 300); } };
        change({ teaching: 5 });
        await until(() => seed() === "5");
        await press("y");
        const early = said();
        await keys("y");
        tell([early, said()]);
    """)
    assert found == [{}, {"5": 1}]


def test_a_newer_snapshot_may_take_over_what_was_said() -> None:
    found = taught("""
        await keys("y");
        again({ hash: "two" });
        await pause();
        const before = [said(), text().includes("newer snapshot")];
        await push("use the previous");
        const after = [said(), text().includes("newer snapshot")];
        again({ name: "n", hash: "three" });
        await pause();
        tell([before, after, text().includes("newer snapshot")]);
    """)
    assert found == [[{}, True], [{"0": 1}, False], False]


def test_only_what_was_said_often_enough_stands_in_the_table() -> None:
    found = played(
        with_awaited_imports("""
        import { LEAST, isEnough, table } from "WEB/said.js";
        """)
        + """
        const some = (count, label) => Object.fromEntries(Array.from({ length: count }, (_, i) => [i, label ?? i % 2]));
        const said = { smile: some(LEAST), smlie: some(5), dark: some(LEAST, 1) };
        tell([LEAST, Object.values(said).map(isEnough), table(said).split("\\n").slice(0, 3)]);
    """
    )
    assert found == [FEWEST, [True, False, False], ["seed,smile", "0,0", "1,1"]]


WALK = """
import { Walk } from "WEB/walk.js";
import { fromAddress } from "WEB/state.js";
const none = { left: null, finished: false, error: "", of: "", bytes: 0 };
const job = { number: 1, done: 0, total: 9, name: "film1.mp4", ...none };
const polls = () => server.asked.filter((address) => address === "/api/films/1").length;
const state = { ...fromAddress("#walk"), model: "m", way: "random" };
server.answer = (address) => (address === "/api/films" ? [job] : { ...job });
render(html`<${Walk} ...${{ state, change: () => {}, model: MODEL }} />`, body);
await pause(50);
"""


def test_a_films_progress_is_asked_for_while_a_walk_is_played() -> None:
    found = played(
        with_awaited_imports(WALK)
        + """
        await push("play");
        await pause(1500);
        tell([polls(), server.asked.filter((address) => address.startsWith("/api/picture")).length]);
    """
    )
    assert found[0] >= 2 and found[1] > 10


def test_a_film_outlives_a_studio_that_does_not_answer_for_a_moment() -> None:
    found = played(
        with_awaited_imports(WALK)
        + """
        const answer = server.answer;
        server.answer = () => { throw new Error("away"); };
        await pause(1300);
        const away = [polls() >= 2, body.textContent.includes("stop")];
        server.answer = answer;
        await pause(700);
        const back = polls();
        server.answer = () => ({ error: "there is no film 1 any more" });
        await pause(700);
        const last = polls();
        await pause(700);
        tell([away, back > 2, polls() === last, body.textContent.includes("no film 1")]);
    """
    )
    assert found == [[True, True], True, True, True]


def test_kept_photographs_outlive_a_look_at_another_model() -> None:
    found = played("""
        const models = { m: { ...MODEL, photographs: ["me.jpg"] }, n: { ...MODEL, name: "n", hash: "other" } };
        server.answer = (address) => address === "/api/about" ? { version: "1", models: ["m", "n"], runs: [] }
          : address.startsWith("/api/model") ? models[new URLSearchParams(address.split("?")[1]).get("name")] : [];
        const keys = [{ photo: 0 }, { seed: 1 }, { seed: 2 }];
        location.hash = `#pictures?model=%22n%22&kept=${encodeURIComponent(JSON.stringify(keys))}`;
        await import("WEB/main.js");
        await pause(100);
        await push("seed 2: earlier");
        await push("no longer keep seed 1");
        await push("keep seed 5");
        await pause(500);
        tell(JSON.parse(decodeURIComponent(location.hash.match(/kept=([^&]*)/)[1])));
    """)
    assert found == [{"photo": 0}, {"seed": 2}, {"seed": 5}]


def test_a_chart_says_its_last_value() -> None:
    found = played(
        with_awaited_imports("""
        import { Chart } from "WEB/chart.js";
        """)
        + """
        const reals = { name: "reals", x: [0, 2], y: [6, 6], dashed: true };
        const lines = [{ name: "fakes", x: [0, 1, 2], y: [9, 7.891, null] }, reals];
        render(html`<${Chart} title="swd" end=${2} stages=${[]} lines=${lines} />`, body);
        await pause();
        const [image] = body.find((one) => one.attrs.role === "img");
        tell([image.attrs["aria-label"], body.textContent.includes("7.89")]);
    """
    )
    assert found == ["swd: now fakes 7.89, reals 6", True]


@pytest.mark.parametrize("foreign", [True, False])
def test_photographs_of_another_model_are_pointed_out(foreign: bool) -> None:
    found = played(
        with_awaited_imports("""
        import { Edit } from "WEB/edit.js";
        import { fromAddress } from "WEB/state.js";
        """)
        + f"const foreign = {str(foreign).lower()};"
        + """
        const model = { ...MODEL, photographs: ["me.jpg"], photographs_foreign: foreign };
        const state = { ...fromAddress("#edit"), model: "m" };
        render(html`<${Edit} ...${{ state, change: () => {}, model, keep: () => {} }} />`, body);
        await pause();
        tell(body.textContent.includes("photographs were found in another model file"));
    """
    )
    assert found is foreign
