/** Many pictures, by seed. */
import { ask, pictureAt, sheetAt } from "./api.js";
import { command, making } from "./command.js";
import { html, useEffect, useState } from "./html.js";
import { Choice, Command, Look, Picture, Whole } from "./parts.js";
import { LARGEST_SEED, lookOf, same, told } from "./state.js";

const COLUMNS = 8;
const COUNTS = [16, 24, 48, 96, 192]; // whole rows: generate --grid would fill up the last one with more seeds

export function Pictures({ state, change, model, keep }) {
  const last = LARGEST_SEED - state.count + 1;
  const first = Math.min(state.first, last);
  const keys = Array.from({ length: state.count }, (_, i) => ({ seed: first + i }));
  const sheet = { ...lookOf(state), keys, columns: COLUMNS };
  const words = useWords(model, state, sheet);
  const go = (to) => change({ first: Math.min(Math.max(0, to), last) });
  const line = command("generate", state.model, "--seeds", `${first}-${first + state.count - 1}`, making(state, model), "--grid", `${COLUMNS}x${state.count / COLUMNS}`, "--out", "grid.png");
  return html`
    <aside>
      <${Look} ...${{ state, change, model }} />
      <${Whole} name="first seed" value=${first} high=${last} onChange=${go} />
      <${Choice} name="pictures" value=${state.count} choices=${COUNTS.map((n) => [n, n])}
        onChange=${(count) => change({ count: Number(count) })} />
      <div class="buttons">
        <button disabled=${first === 0} onClick=${() => go(first - state.count)}>← before</button>
        <button onClick=${() => go(first + state.count)}>next →</button>
        <button onClick=${() => go(Math.floor(Math.random() * 1e6))}>anywhere</button>
      </div>
      <a class="button" href=${sheetAt(sheet, model.version)} download="grid.png">save as one picture</a>
      <${Command} line=${line} />
    </aside>
    <main class="grid">
      ${keys.map((key, i) => {
        const kept = state.kept.some((one) => same(one, key));
        return html`<figure key=${`${state.model} ${key.seed}`}>
          <button class="bare" title="edit it" onClick=${() => change({ page: "edit", key })}>
            <${Picture} src=${pictureAt({ ...lookOf(state), key }, model.version)} alt=${`seed ${key.seed}`} />
          </button>
          <figcaption>
            <span>${told(key, model)}${words[i] ? ` · ${words[i]}` : ""}</span>
            <button class="plain" disabled=${kept} title="keep it for a walk" aria-label=${`keep ${told(key, model)}`} onClick=${() => keep(key)}>${kept ? "kept" : "keep"}</button>
          </figcaption>
        </figure>`;
      })}
    </main>`;
}

/** The label of each picture in words, for models with classes. */
function useWords(model, state, sheet) {
  const [words, setWords] = useState({ of: "", words: [] });
  const of = JSON.stringify(sheet);
  useEffect(() => {
    if (!model.labels.length || model.attributes || state.label !== null) return setWords({ of: "", words: [] });
    ask("/api/words", { plan: of }).then((found) => setWords({ of, words: found }), () => {});
  }, [of, model.hash]);
  return words.of === of ? words.words : [];
}
