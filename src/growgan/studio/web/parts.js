/** Components that several pages share. */
import { trouble } from "./api.js";
import { html, useEffect, useRef, useState } from "./html.js";

/**
 * A picture whose address changes: the newest is requested once the previous one has arrived, those in between never.
 * come: called with the address of the picture that is visible.
 */
export function Picture({ src, alt, large, come }) {
  const [shown, setShown] = useState("");
  const [wrong, setWrong] = useState("");
  const now = useRef({ asked: "", wanted: "", gone: false });
  useEffect(() => () => void (now.current.gone = true), []);
  useEffect(() => {
    const work = now.current;
    work.wanted = src;
    const next = () => {
      if (work.asked || work.gone) return;
      const address = (work.asked = work.wanted);
      const image = new Image();
      const done = (change) => {
        work.asked = "";
        if (work.gone) return;
        change();
        if (work.wanted !== address) next();
      };
      image.onload = () => done(() => (setShown(address), setWrong(""), come?.(address)));
      image.onerror = async () => {
        const line = await trouble(address);
        done(() => setWrong(line || "this picture cannot be shown"));
      };
      image.src = address;
    };
    next();
  }, [src]);
  if (wrong) return html`<div class="picture wrong" role="alert">${wrong}</div>`;
  return html`<div class=${"picture" + (large ? " large" : "") + (shown !== src ? " old" : "")}>
    ${shown && html`<img src=${shown} alt=${alt} />`}
  </div>`;
}

/** A number as a slider, with a text field next to it. */
export function Scale({ name, value, low, high, step = 0.05, rest, onInput, note }) {
  const read = (event) => {
    const number = Number(event.target.value);
    if (event.target.value !== "" && Number.isFinite(number)) onInput(Math.min(Math.max(number, low), high));
  };
  return html`<label class="scale" title=${note ?? ""}>
    <span onDblClick=${() => rest !== undefined && onInput(rest)}>${name}</span>
    <input type="range" min=${low} max=${high} step=${step} value=${value} onInput=${read} />
    <input type="number" min=${low} max=${high} step=${step} value=${value} onChange=${read} aria-label=${name} />
  </label>`;
}

/** A whole number in a text field. */
export function Whole({ name, value, low = 0, high, onChange }) {
  const read = (event) => {
    const number = Math.round(Number(event.target.value));
    if (event.target.value !== "" && Number.isFinite(number)) onChange(Math.min(Math.max(number, low), high));
    event.target.value = value;
  };
  return html`<label class="row"><span>${name}</span>
    <input type="number" min=${low} max=${high} value=${value} onChange=${read} /></label>`;
}

/** A choice between several. choices: [value, name]. */
export function Choice({ name, value, choices, onChange }) {
  return html`<label class="row"><span>${name}</span>
    <select value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${choices.map(([key, called]) => html`<option key=${key} value=${key} selected=${String(key) === String(value)}>${called}</option>`)}
    </select></label>`;
}

/** Truncation and class, shared by all pages. */
export function Look({ state, change, model }) {
  const choices = [["", "each seed's own"], ...model.labels.map((name, i) => [String(i), name || String(i)])];
  return html`
    <${Scale} name="truncation" value=${state.truncation} low=${0} high=${1.5} rest=${1}
      note="1: off. Lower: more typical, fewer broken" onInput=${(truncation) => change({ truncation })} />
    ${model.labels.length > 0 && html`<${Choice} name=${model.attributes ? "attribute" : "class"} choices=${choices}
      value=${String(state.label ?? "")} onChange=${(label) => change({ label: label === "" ? null : Number(label) })} />`}`;
}

/** The command that makes the same, for copying. */
export function Command({ line, why }) {
  const [done, setDone] = useState("");
  const code = useRef(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(line);
      setDone("copied");
    } catch { // not allowed for a page served from another machine
      getSelection().selectAllChildren(code.current);
      setDone("selected: press Ctrl-C");
    }
    setTimeout(() => setDone(""), 3000);
  };
  if (!line) return html`<p class="quiet">${why}</p>`;
  return html`<div class="command"><code ref=${code}>${line}</code>
    <button class="plain" onClick=${copy}><span role="status">${done || "copy"}</span></button></div>`;
}

/** A time in human-readable form. */
export function clock(seconds) {
  if (seconds === null || seconds === undefined) return "?";
  const all = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  if (hours >= 24) return `${Math.floor(hours / 24)}d${String(hours % 24).padStart(2, "0")}h`;
  if (hours) return `${hours}h${String(minutes).padStart(2, "0")}m`;
  return minutes ? `${minutes}m${String(rest).padStart(2, "0")}s` : `${rest}s`;
}
