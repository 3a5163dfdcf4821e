/** The studio: pages around one state. */
import { ask, pictureAt } from "./api.js";
import { Edit } from "./edit.js";
import { html, render, useEffect, useRef, useState } from "./html.js";
import { Choice, Picture } from "./parts.js";
import { Pictures } from "./pictures.js";
import { Runs } from "./runs.js";
import { Teach } from "./teach.js";
import { lookOf, same, told, useStudio } from "./state.js";
import { Walk } from "./walk.js";

const PAGES = { pictures: Pictures, edit: Edit, teach: Teach, walk: Walk };
/** To add a page, add a function here; runs are separate, since they need no model. */

function Studio({ about }) {
  const [state, change] = useStudio();
  const name = about.models.includes(state.model) ? state.model : about.models[0];
  const page = state.page === "runs" && about.runs.length ? "runs" : Object.hasOwn(PAGES, state.page) ? state.page : "pictures";
  const [model, wrong, look] = useModel(page === "runs" ? null : name);
  const shown = { ...state, model: name, label: state.label < (model?.labels.length ?? 0) ? state.label : null };
  shown.kept = model ? state.kept.filter((key) => key.photo === undefined || key.photo < model.photographs.length) : [];
  const keep = (key) => !state.kept.some((one) => same(one, key)) && change({ kept: [...state.kept, key] });
  const Page = PAGES[page];
  return html`
    <header>
      <h1>growgan</h1>
      <nav>${[...Object.keys(PAGES), ...(about.runs.length ? ["runs"] : [])].map((to) => html`<button key=${to}
        class="tab" aria-current=${to === page ? "page" : null} onClick=${() => change({ page: to })}>${to}</button>`)}</nav>
      ${page !== "runs" && html`<${Choice} name="model" value=${name} choices=${about.models.map((one) => [one, one])}
        onChange=${(to) => change({ model: to, label: null })} />
        ${about.runs.includes(name) && html`<button class="plain" title="load its newest or best snapshot" onClick=${() => look(true)}>look again</button>`}`}
    </header>
    ${page !== "runs" && state.model && state.model !== name && html`<p class="wrong bar" role="alert">This studio has no
      model ${state.model}, which the address names: showing ${name} instead.</p>`}
    ${page === "runs" && html`<div class="page"><${Runs} state=${state} change=${change} runs=${about.runs} /></div>`}
    ${Page && !model && html`<div class="page"><main><p class=${wrong ? "wrong" : "quiet"} role="status">${wrong || `opening ${name} ...`}</p></main></div>`}
    ${Page && model && html`
      <div class="page"><${Page} state=${shown} ...${{ change, model, keep, again: () => look() }} /></div>
      <${Kept} state=${shown} all=${state.kept} ...${{ change, model }} />
      <footer>${footerOf(model)}</footer>`}`;
}

/** The pictures kept for walks: a row along the lower edge. all: including photographs of other models. */
function Kept({ state, all, change, model }) {
  if (!state.kept.length) return null;
  const others = (key) => all.filter((one) => !same(one, key));
  const earlier = (key, before) => {
    const kept = others(key);
    kept.splice(kept.findIndex((one) => same(one, before)), 0, key);
    change({ kept });
  };
  return html`<section class="kept" aria-label="kept pictures">
    ${state.kept.map((key, i) => html`<figure key=${JSON.stringify(key)}>
      <button class="bare" title="edit" onClick=${() => change({ page: "edit", key })}>
        <${Picture} src=${pictureAt({ ...lookOf(state), key }, model.version)} alt=${told(key, model)} />
      </button>
      <figcaption>
        <button class="plain" disabled=${i === 0} title="move left" aria-label=${`${told(key, model)}: earlier`}
          onClick=${() => earlier(key, state.kept[i - 1])}>←</button>
        <button class="plain" title="remove" aria-label=${`no longer keep ${told(key, model)}`}
          onClick=${() => change({ kept: others(key) })}>×</button>
      </figcaption>
    </figure>`)}
    <button class="plain" onClick=${() => change({ page: "walk", way: "kept" })}>walk through them →</button>
    <button class="plain" onClick=${() => change({ kept: [] })}>keep none</button>
  </section>`;
}

function footerOf(model) {
  const measures = Object.entries(model.measures).filter(([, value]) => Number.isFinite(value));
  return [
    model.reached,
    measures.map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`).join(", "),
    model.card.license && `licence: ${model.card.license}`,
  ].filter(Boolean).join(" · ");
}

/** The server's description of a model, an error, and a function that requests it again. */
function useModel(name) {
  const [found, setFound] = useState({ name: null, model: null, wrong: "" });
  const wanted = useRef(name);
  wanted.current = name;
  /** anew: for a run, load its newest or best snapshot; directions taught to the previous one are lost. */
  const look = (anew = false) => {
    const set = (model, wrong) => wanted.current === name && setFound({ name, model, wrong });
    ask("/api/model", { name, ...(anew && { anew }) }).then((model) => set(model, ""), (error) => set(null, error.message));
  };
  useEffect(() => void (name !== null && look()), [name]);
  const now = found.name === name ? found : { model: null, wrong: "" };
  return [now.model, now.wrong, look];
}

const root = document.body;
ask("/api/about").then(
  (about) => render(html`<${Studio} about=${about} />`, root),
  (error) => render(html`<p class="wrong">${error.message}</p>`, root),
);
