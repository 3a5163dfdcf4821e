/** The progress of a run. */
import { ask, gridAt } from "./api.js";
import { Chart } from "./chart.js";
import { command } from "./command.js";
import { html, useEffect, useState } from "./html.js";
import { Choice, Command, clock } from "./parts.js";

const AGAIN = 5000;
/** Milliseconds between updates of a run. */

export function Runs({ state, change, runs }) {
  const name = runs.includes(state.run) ? state.run : runs[0];
  const [run, wrong] = useRun(name);
  const [at, setAt] = useState(null); // which grid; null: always the newest
  useEffect(() => setAt(null), [name]);
  if (!run) return html`<main><p class=${wrong ? "wrong" : "quiet"}>${wrong || "loading the run ..."}</p></main>`;
  const last = run.fakes.length - 1;
  const place = at === null ? last : Math.min(at, last);
  const grid = run.fakes[place];
  const part = Math.min(1, run.nimg / run.total);
  const kimg = (nimg) => (nimg / 1000).toLocaleString("en", { maximumFractionDigits: 1 });
  return html`
    <aside>
      ${runs.length > 1 && html`<${Choice} name="run" value=${name} choices=${runs.map((one) => [one, one])} onChange=${(to) => change({ run: to })} />`}
      <progress aria-label="images shown" max="1" value=${part}></progress>
      <dl>
        <dt>shown</dt><dd>${kimg(run.nimg)} of ${kimg(run.total)} kimg (${Math.round(100 * part)} %)</dd>
        <dt>trained</dt><dd>${clock(run.seconds)}</dd>
        <dt>left</dt><dd>${run.nimg >= run.total ? "nothing" : run.left === null ? "?" : `about ${clock(run.left)} at the latest pace`}</dd>
        <dt>log</dt><dd>${run.written === null ? "none yet" : `written ${clock(Math.max(0, Date.now() / 1000 - run.written))} ago`}</dd>
        <dt>recipe</dt><dd>${[run.preset, run.loss, `${run.resolution}x${run.resolution}`].filter(Boolean).join(", ")}</dd>
        <dt>data</dt><dd>${run.data}</dd>
      </dl>
      ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
      <${Command} line=${command("timelapse", name, "--out", "run.mp4")} />
    </aside>
    <main>
      ${grid
        ? html`<figure class="fakes">
            <img src=${gridAt(name, grid.nimg)} alt=${`fakes, ${grid.words}`} />
            <div class="player">
              <input type="range" min="0" max=${last} value=${place} aria-label="moment" aria-valuetext=${grid.words}
                onInput=${(event) => setAt(Number(event.target.value) === last ? null : Number(event.target.value))} />
              <span>${grid.words}</span>
            </div>
            ${run.reals && html`<p><a href=${gridAt(name, null)} target="_blank">reals, to compare</a></p>`}
          </figure>`
        : html`<p class="quiet">No grid of fakes yet.</p>`}
      <div class="charts"><${Charts} run=${run} /></div>
    </main>`;
}

function Charts({ run }) {
  const { curve, stages } = run;
  const end = run.nimg;
  const x = curve.nimg;
  const one = (title, ...names) =>
    html`<${Chart} key=${title} ...${{ title, end, stages }} lines=${names.map(([name, field]) => ({ name, x, y: curve[field] }))} />`;
  return html`
    ${Object.entries(run.measures).map(([name, points]) => {
      const lines = [{ name: "fakes", x: points.map((p) => p.nimg), y: points.map((p) => p.value) }];
      const reals = points.at(-1).reals;
      if (reals !== null) lines.push({ name: "reals", x: [0, end], y: [reals, reals], dashed: true });
      return html`<${Chart} key=${name} ...${{ title: name, lines, end, stages }} />`;
    })}
    ${one("loss", ["D", "D/loss"], ["G", "G/loss"])}
    ${one("images a second", ["", "images_per_second"])}
    ${one("learning rate of G", ["", "g_lr"])}
    ${one("augmentation", ["p", "augment_p"])}`;
}

/** The server's description of a run, updated periodically, and an error. */
function useRun(name) {
  const [found, setFound] = useState({ name: "", run: null, wrong: "" });
  useEffect(() => {
    let timer = 0;
    let ended = false;
    const look = async () => {
      try {
        const run = await ask("/api/run", { name });
        if (!ended) setFound({ name, run, wrong: "" });
      } catch (error) {
        if (!ended) setFound((before) => ({ name, run: before.name === name ? before.run : null, wrong: error.message }));
      }
      if (!ended) timer = setTimeout(look, AGAIN);
    };
    look();
    return () => ((ended = true), clearTimeout(timer));
  }, [name]);
  return found.name === name ? [found.run, found.wrong] : [null, ""];
}
