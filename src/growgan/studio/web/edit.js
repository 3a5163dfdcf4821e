/** One picture, moved along directions. */
import { pictureAt } from "./api.js";
import { command, making, moves } from "./command.js";
import { html } from "./html.js";
import { Choice, Command, Look, Picture, Scale, Whole } from "./parts.js";
import { LARGEST_SEED, canTell, isMoved, knows, lookOf, told } from "./state.js";

const REACH = 1;

export function Edit({ state, change, model, keep }) {
  const key = keyOf(state.key, model);
  const bare = key.photo !== undefined ? { photo: key.photo } : { seed: key.seed };
  const look = lookOf(state);
  // Moves from an address or another model: they must be visible in order to be undone.
  const others = Object.keys(key.moves ?? {}).filter((one) => !knows(model, one)).map((name) => ({ name }));
  const move = (name, amount) => {
    const { [name]: _, ...others } = key.moves ?? {};
    const all = amount ? { ...others, [name]: amount } : others;
    change({ key: Object.keys(all).length ? { ...bare, moves: all } : bare });
  };
  const edited = pictureAt({ ...look, key }, model.version);
  return html`
    <aside>
      <${Look} ...${{ state, change, model }} />
      ${model.photographs.length > 0 && html`<${Choice} name="photograph" value=${key.photo ?? ""}
        choices=${[["", "none: a seed"], ...model.photographs.map((name, i) => [i, name])]}
        onChange=${(chosen) => change({ key: { ...(chosen === "" ? { seed: 0 } : { photo: Number(chosen) }), moves: key.moves } })} />`}
      ${model.photographs_foreign && html`<p class="wrong">These photographs were found in another model file: unless this
        model is an export of it, the pictures will not match.</p>`}
      ${key.photo === undefined && html`<${Whole} name="seed" value=${key.seed} high=${LARGEST_SEED}
        onChange=${(seed) => change({ key: { seed, ...(key.moves ? { moves: key.moves } : {}) } })} />`}
      <h2>directions</h2>
      ${model.directions.length === 0 && html`<p class="quiet">None: the file has no readable weights, or --directions has
        latents of another length.</p>`}
      ${model.directions_foreign && html`<p class="quiet">They were found in another model file.</p>`}
      ${[...model.directions, ...others].map(({ name, weight }) => html`<${Scale} key=${name} name=${name} value=${key.moves?.[name] ?? 0}
        low=${-REACH} high=${REACH} rest=${0} onInput=${(amount) => move(name, amount)}
        note=${`${weight === undefined ? "" : `weight ${weight.toFixed(2)}; `}1 moves by the latent's own length; double-click the name to reset`} />`)}
      <div class="buttons">
        <button disabled=${!isMoved(key)} onClick=${() => change({ key: bare })}>reset</button>
        <button onClick=${() => keep(key)}>keep</button>
        <button disabled=${!isMoved(key)} onClick=${() => change({ page: "walk", way: "there" })}>film of it</button>
        <a class="button" href=${edited} download=${nameOf(key)}>save</a>
      </div>
      <${Command} line=${lineOf(state, key, model)} why=${isMoved(key) ? "No command makes this: it edits one photograph of several, or uses a direction that is in no file." : "Move a slider to see the equivalent command."} />
    </aside>
    <main class="pair">
      <figure>
        <${Picture} large src=${pictureAt({ ...look, key: bare }, model.version)} alt=${told(bare, model)} />
        <figcaption>${told(bare, model)}</figcaption>
      </figure>
      <figure>
        <${Picture} large src=${edited} alt=${told(key, model)} />
        <figcaption>${isMoved(key) ? moves(key) : "not moved yet"}</figcaption>
      </figure>
    </main>`;
}

/** The key, unless this model lacks its photograph. */
const keyOf = (key, model) => (key.photo !== undefined && key.photo >= model.photographs.length ? { seed: 0 } : key);

const nameOf = (key) => `${key.photo !== undefined ? "photo" : "seed"}${String(key.photo ?? key.seed).padStart(4, "0")}${isMoved(key) ? "-edited" : ""}.png`;

function lineOf(state, key, model) {
  if (!isMoved(key)) return "";
  const from = model.directions_file ? ["--directions", model.directions_file] : [];
  if (key.photo !== undefined || !canTell(key, model)) return ""; // edit uses all photographs of a file
  return command("edit", state.model, "--seeds", key.seed, `--move=${moves(key)}`, from, making(state, model), "--out", "edited");
}
