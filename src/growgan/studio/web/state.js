/** What the studio shows, kept in the address, so that a page can be reloaded, bookmarked and passed on. */
import { useEffect, useState } from "./html.js";

/**
 * A picture: a seed, or a photograph that was found; moved along directions.
 * @typedef {{seed?: number, photo?: number, moves?: Object<string, number>}} Key
 */

export const LARGEST_SEED = 2 ** 32 - 1;

const START = {
  page: "pictures",
  model: "",
  run: "",
  truncation: 1,
  label: null,
  first: 0,
  count: 24,
  /** @type {Key} */
  key: { seed: 0 },
  /** @type {Key[]} */
  kept: [],
  attribute: "",
  teaching: 0,
  way: "kept",
  seed: 0,
  smoothing: 1,
  seconds: 8,
};

/** The state, and a function that changes some of it. */
export function useStudio() {
  const [state, setState] = useState(fromAddress);
  useEffect(() => {
    const follow = () => setState(fromAddress());
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  useEffect(() => {
    const address = toAddress(state);
    if (location.hash !== address) history.replaceState(null, "", address);
  }, [state]);
  return [state, (changes) => setState((before) => ({ ...before, ...changes }))];
}

/** What differs from the start, as JSON behind the page's name. Exported for tests. */
export function toAddress(state) {
  const { page, ...rest } = state;
  const told = Object.entries(rest).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(START[name]));
  const more = told.map(([name, value]) => `${name}=${encodeURIComponent(JSON.stringify(value))}`);
  return `#${page}` + (more.length ? "?" + more.join("&") : "");
}

/** The state of an address; what cannot be read has its start. */
export function fromAddress(address = location.hash) {
  const [page, query = ""] = address.slice(1).split("?");
  const found = { ...START, page: page || START.page };
  for (const part of query.split("&")) {
    const [name, value] = part.split("=");
    try {
      const read = JSON.parse(decodeURIComponent(value));
      if (name in START && (typeof read === typeof START[name] || START[name] === null)) found[name] = read;
    } catch {
      continue;
    }
  }
  return found;
}

/** Whether two keys are the same picture. */
export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Whether a key is moved at all. */
export const isMoved = (key) => Object.values(key.moves ?? {}).some((amount) => amount !== 0);

/** Whether a key is moved along a direction that was fitted here, which no file has. */
export const isTaught = (key, model) =>
  model.directions.some(({ name, taught }) => taught && (key.moves?.[name] ?? 0) !== 0);

/** A key in words. */
export function told(key, model) {
  const name = key.photo !== undefined ? (model.photographs[key.photo] ?? `photo ${key.photo}`) : `seed ${key.seed}`;
  return isMoved(key) ? `${name}, moved` : name;
}

/** What all pictures of a plan have in common. */
export const lookOf = (state) => ({ model: state.model, label: state.label, truncation: state.truncation });
