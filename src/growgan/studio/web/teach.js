/** Custom directions: label some seeds as having an attribute or not, and fit a direction to it. */
import { pictureAt, teach } from "./api.js";
import { command } from "./command.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Command, Look, Picture, Whole } from "./parts.js";
import { LEAST, adding, count, isEnough, read, table, write } from "./said.js";
import { LARGEST_SEED, lookOf } from "./state.js";

const KEYS = { y: 1, n: 0 };

export function Teach({ state, change, model, again }) {
  const [said, setSaid] = useState(() => read(model));
  const [earlier, setEarlier] = useState(null); // labels given to the model's previous snapshot
  const [result, setResult] = useState({ line: "", wrong: "" });
  const [seen, setSeen] = useState(""); // address of the visible picture, to which a label applies
  const before = useRef(model);
  useEffect(() => {
    const was = before.current;
    before.current = model;
    if (was.hash === model.hash) return;
    setEarlier(was.name === model.name ? read(was) : null);
    setSaid(read(model));
    setResult({ line: "", wrong: "" });
  }, [model.hash]);
  const { teaching: seed } = state;
  const name = state.attribute.trim();
  const labels = said[name] ?? {};
  const [yes, no] = count(labels);
  const src = pictureAt({ ...lookOf(state), key: { seed } }, model.version);
  const go = (to) => change({ teaching: Math.min(Math.max(to, 0), LARGEST_SEED) });
  const keep = (all) => (setSaid(all), write(model, all));
  const ready = name && seen === src;
  const say = (label) => {
    if (!ready) return;
    keep(adding(said, name, seed, label));
    if (label !== null) go(seed + 1);
  };
  const onKey = useRef();
  onKey.current = (event) => {
    const typing = event.target.closest("input:not([type=range]), select, textarea");
    if (typing || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in KEYS) say(KEYS[event.key]);
    if (event.key === "s") go(seed + 1);
  };
  useEffect(() => {
    const press = (event) => onKey.current(event);
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  const fit = () =>
    teach({ model: state.model, name, labels }).then(
      ({ predicted }) => {
        setResult({ line: `${name} is now a direction on the edit page. It explains ${predicted.toFixed(2)} of your labels' variance (0: nothing, 1: all)${
          predicted < 0.2 ? ". That is little: label more, or the seeds do not show it." : ": look at what it does."}`, wrong: "" });
        again();
      },
      (error) => setResult({ line: "", wrong: error.message }),
    );
  const file = URL.createObjectURL(new Blob([table(said)], { type: "text/csv" }));
  useEffect(() => () => URL.revokeObjectURL(file), [file]);
  return html`
    <aside>
      <${Look} ...${{ state, change, model }} />
      <label class="row"><span>attribute</span>
        <input type="text" placeholder="smile" maxlength="60" value=${state.attribute}
          onInput=${(event) => change({ attribute: event.target.value.replace(/[,:]/g, "") })}
          onKeyDown=${(event) => event.key === "Enter" && event.target.blur()} /></label>
      <${Whole} name="seed" value=${seed} high=${LARGEST_SEED} onChange=${go} />
      <p class="quiet">${name ? `${yes} yes, ${no} no` : "Name an attribute: smile, glasses, dark."}${
        name && !isEnough(labels) ? `; at least ${LEAST} labels of both kinds, better a hundred` : ""}</p>
      ${earlier && Object.keys(earlier).length > 0 && html`<p class="quiet">The run has a newer snapshot now, for which nothing is
        labelled. <button class="plain" onClick=${() => (keep({ ...earlier, ...said }), setEarlier(null))}>use the
        previous snapshot's labels</button></p>`}
      <div class="buttons">
        <button disabled=${!isEnough(labels)} onClick=${fit}>fit a direction</button>
        <a class="button" href=${file} download="said.csv">save the table</a>
      </div>
      ${result.line && html`<p role="status">${result.line}</p>`}
      ${result.wrong && html`<p class="wrong" role="alert">${result.wrong}</p>`}
      <${Command} line=${isEnough(labels) ? command("directions", state.model, "--labels", "said.csv") : ""}
        why="A fitted direction lasts as long as the studio; save the table to make a file of it." />
    </aside>
    <main class="walk">
      <${Picture} large src=${src} alt=${`seed ${seed}`} come=${setSeen} />
      <div class="player">
        ${[["yes", 1, "y"], ["no", 0, "n"]].map(([word, label, key]) => html`<button key=${key}
          disabled=${!ready} aria-pressed=${labels[seed] === label} onClick=${() => say(label)}>${word} (${key})</button>`)}
        <button onClick=${() => go(seed + 1)}>skip (s)</button>
        <button disabled=${seed === 0} onClick=${() => go(seed - 1)}>← back</button>
        <button disabled=${!(seed in labels)} onClick=${() => say(null)}>no label</button>
        <span>seed ${seed}${seed in labels ? `: ${labels[seed] ? "yes" : "no"}` : ""}</span>
      </div>
    </main>`;
}
