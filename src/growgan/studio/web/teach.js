/** A direction of one's own: say of some seeds whether they have something, and have it fitted. */
import { pictureAt, teach } from "./api.js";
import { command } from "./command.js";
import { html, useEffect, useState } from "./html.js";
import { Command, Look, Picture, Whole } from "./parts.js";
import { adding, read, table, write } from "./said.js";
import { LARGEST_SEED, lookOf } from "./state.js";

const LEAST = 20;
const KEYS = { y: 1, n: 0, s: null };

export function Teach({ state, change, model, again }) {
  const [said, setSaid] = useState(() => read(model));
  const [result, setResult] = useState({ line: "", wrong: "" });
  useEffect(() => (setSaid(read(model)), setResult({ line: "", wrong: "" })), [model.hash]);
  const { attribute: name, teaching: seed } = state;
  const labels = said[name] ?? {};
  const yes = Object.values(labels).filter((label) => label === 1).length;
  const no = Object.keys(labels).length - yes;
  const enough = yes + no >= LEAST && yes > 0 && no > 0;
  const say = (label) => {
    if (!name) return;
    const all = adding(said, name, seed, label);
    setSaid(all);
    write(model, all);
    change({ teaching: Math.min(seed + 1, LARGEST_SEED) });
  };
  useEffect(() => {
    const press = (event) => {
      if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in KEYS) say(KEYS[event.key]);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
  const fit = () =>
    teach({ model: state.model, name, labels }).then(
      ({ predicted }) => {
        setResult({ line: `${name} is now a direction of the page edit. Of what you said it foretells ${predicted.toFixed(2)}, where 0 is nothing and 1 all: ${
          predicted < 0.2 ? "little, so say more, or the seeds do not show it." : "look at what it does."}`, wrong: "" });
        again();
      },
      (error) => setResult({ line: "", wrong: error.message }),
    );
  const file = URL.createObjectURL(new Blob([table(said)], { type: "text/csv" }));
  useEffect(() => () => URL.revokeObjectURL(file), [file]);
  return html`
    <aside>
      <${Look} ...${{ state, change, model }} />
      <label class="row"><span>it is about</span>
        <input type="text" placeholder="smile" maxlength="60" value=${name}
          onInput=${(event) => change({ attribute: event.target.value.replace(/[,:]/g, "") })} /></label>
      <${Whole} name="seed" value=${seed} high=${LARGEST_SEED} onChange=${(teaching) => change({ teaching })} />
      <p class="quiet">${name ? `${yes} yes, ${no} no` : "Name what you look for: smile, glasses, dark."}${
        name && !enough ? `; it takes ${LEAST}, of both, and rather a hundred` : ""}</p>
      <div class="buttons">
        <button disabled=${!enough} onClick=${fit}>fit a direction</button>
        <a class="button" href=${file} download="said.csv">save the table</a>
      </div>
      ${result.line && html`<p role="status">${result.line}</p>`}
      ${result.wrong && html`<p class="wrong" role="alert">${result.wrong}</p>`}
      <${Command} line=${enough ? command("directions", state.model, "--labels", "said.csv") : ""}
        why="A fitted direction lasts as long as the studio; the saved table makes a file of it." />
    </aside>
    <main class="walk">
      <${Picture} large src=${pictureAt({ ...lookOf(state), key: { seed } }, model.version)} alt=${`seed ${seed}`} />
      <div class="player">
        ${[["yes", 1, "y"], ["no", 0, "n"], ["skip", null, "s"]].map(([word, label, key]) => html`<button key=${key}
          disabled=${!name} aria-pressed=${seed in labels && labels[seed] === label} onClick=${() => say(label)}>${word} (${key})</button>`)}
        <button disabled=${seed === 0} onClick=${() => change({ teaching: seed - 1 })}>← back</button>
        <span>seed ${seed}${seed in labels ? `: ${labels[seed] ? "yes" : "no"}` : ""}</span>
      </div>
    </main>`;
}
