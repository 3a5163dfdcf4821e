/** What the server answers, and the addresses of its pictures. */

/** Ask for JSON. Throws an Error with the server's line. */
export async function ask(path, query = {}, options = {}) {
  let answer;
  try {
    answer = await fetch(path + text(query), options);
  } catch {
    throw new Error("the studio does not answer: has it been stopped?");
  }
  return read(answer);
}

/** Order a film. Throws an Error with the server's line. */
export function order(plan) {
  const headers = { "content-type": "application/json" };
  return ask("/api/films", {}, { method: "POST", headers, body: JSON.stringify(plan) });
}

/** Why an address gives no picture, in the server's words; empty if it does. */
export async function trouble(address) {
  try {
    await read(await fetch(address));
    return "";
  } catch (error) {
    return error.message;
  }
}

async function read(answer) {
  const json = (answer.headers.get("content-type") ?? "").startsWith("application/json");
  const found = json ? await answer.json() : {};
  if (!answer.ok) throw new Error(found.error ?? `${answer.status} ${answer.statusText}`);
  return found;
}

/** The address of one picture: a plan with a key, or with a way, frames and at. */
export const pictureAt = (plan, hash) => "/api/picture" + text({ plan: JSON.stringify(plan), hash: short(hash) });

/** The address of a grid. */
export const sheetAt = (plan, hash) => "/api/sheet" + text({ plan: JSON.stringify(plan), hash: short(hash) });

/** The address of a run's grid of fakes, or of reals. */
export const gridAt = (run, nimg) => (nimg === null ? "/api/run/reals" : `/api/run/fakes/${nimg}`) + text({ name: run });

/** A model's hash is part of its pictures' addresses, so that the browser may keep them. */
const short = (hash) => hash.slice(0, 16);

const text = (query) => (Object.keys(query).length ? "?" + new URLSearchParams(query) : "");
