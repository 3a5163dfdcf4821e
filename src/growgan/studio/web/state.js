/** The studio's state, kept in the address, so that a page can be reloaded, bookmarked and shared. */
import { useEffect, useState } from "./html.js";

/**
 * A picture: a seed or a projected photograph, moved along directions.
 * @typedef {{seed?: number, photo?: number, moves?: Object<string, number>}} Key
 */

export const LARGEST_SEED = 2 ** 32 - 1;

const SETTLED = 300;
/** Milliseconds after which a change is written to the address. */

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
  suffix: "",
  size: 0,
  seed: 0,
  smoothing: 1,
  seconds: 8,
};

/** The state, and a function that changes parts of it. */
export function useStudio() {
  const [state, setState] = useState(fromAddress);
  useEffect(() => {
    const follow = () => setState(fromAddress());
    for (const event of ["hashchange", "popstate"]) addEventListener(event, follow);
    return () => ["hashchange", "popstate"].forEach((event) => removeEventListener(event, follow));
  }, []);
  useEffect(() => {
    const address = toAddress(state);
    if (location.hash === address) return undefined;
    if (fromAddress().page !== state.page) return void history.pushState(null, "", address); // so that the back button works
    const timer = setTimeout(() => history.replaceState(null, "", address), SETTLED); // not for each step of a slider
    return () => clearTimeout(timer);
  }, [state]);
  return [state, (changes) => setState((before) => ({ ...before, ...changes }))];
}

/** What differs from the initial state, as JSON after the page's name. Exported for tests. */
export function toAddress(state) {
  const { page, ...rest } = state;
  const told = Object.entries(rest).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(START[name]));
  const more = told.map(([name, value]) => `${name}=${encodeURIComponent(JSON.stringify(value))}`);
  return `#${page}` + (more.length ? "?" + more.join("&") : "");
}

const isWhole = (low, high) => (value) => Number.isInteger(value) && low <= value && value <= high;
const isNumber = (low, high) => (value) => Number.isFinite(value) && low <= value && value <= high;
const isText = (value) => typeof value === "string";
const isSeed = isWhole(0, LARGEST_SEED);

/** Whether a value is a key. */
function isKey(value) {
  if (value === null || typeof value !== "object" || isSeed(value.seed) === isSeed(value.photo)) return false;
  const { moves = {} } = value;
  return moves !== null && typeof moves === "object" && Object.values(moves).every(isNumber(-10, 10));
}

/** Valid values in an address; the rest are texts. */
const GOOD = {
  truncation: isNumber(0, 2),
  label: (value) => value === null || isSeed(value),
  first: isSeed,
  count: isWhole(1, 192),
  key: isKey,
  kept: (value) => Array.isArray(value) && value.length <= 500 && value.every(isKey),
  teaching: isSeed,
  size: isWhole(0, 16383),
  seed: isSeed,
  smoothing: isNumber(0, 60),
  seconds: isNumber(1, 300),
};

/** The state in an address; invalid parts keep their initial value. */
export function fromAddress(address = location.hash) {
  const [page, query = ""] = address.slice(1).split("?");
  const found = { ...START, page: page || START.page };
  for (const part of query.split("&")) {
    const [name, value] = part.split("=");
    try {
      const read = JSON.parse(decodeURIComponent(value));
      if (Object.hasOwn(START, name) && (GOOD[name] ?? isText)(read)) found[name] = read;
    } catch {
      continue;
    }
  }
  return found;
}

/** Whether two keys denote the same picture. */
export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Whether a key is moved at all. */
export const isMoved = (key) => Object.values(key.moves ?? {}).some((amount) => amount !== 0);

/** Whether a model has a direction with this name. */
export const knows = (model, name) => model.directions.some((one) => one.name === name);

/** Whether a command can make these moves: not along directions fitted here, which are in no file. */
export const canTell = (key, model) =>
  Object.keys(key.moves ?? {}).every((name) => model.directions.some((one) => one.name === name && !one.taught));

/** A key in words. */
export function told(key, model) {
  const name = key.photo !== undefined ? (model.photographs[key.photo] ?? `photo ${key.photo}`) : `seed ${key.seed}`;
  return isMoved(key) ? `${name}, moved` : name;
}

/** What all pictures of a plan have in common. */
export const lookOf = (state) => ({ model: state.model, label: state.label, truncation: state.truncation });
