/** Requests to the server, and the addresses of its pictures. */

/** Request JSON. Throws an Error with the server's message, and `answered` if the server itself refused. */
export const ask = (path, query = {}, options = {}) => read(path + text(query), options);

/** Order a film. Throws an Error with the server's message. */
export const order = (plan) => send("/api/films", plan);

/** Have a direction fitted to labels of seeds. Throws an Error with the server's message. */
export const teach = (said) => send("/api/directions", said);

function send(path, what) {
  const headers = { "content-type": "application/json" };
  return ask(path, {}, { method: "POST", headers, body: JSON.stringify(what) });
}

/** The server's reason why an address has no picture; empty if it has one. */
export async function trouble(address) {
  try {
    await read(address);
    return "";
  } catch (error) {
    return error.message;
  }
}

async function read(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("the studio does not answer: has it been stopped?");
  }
  const json = (answer.headers.get("content-type") ?? "").startsWith("application/json");
  const found = json ? await answer.json() : {};
  if (!answer.ok) throw Object.assign(new Error(found.error ?? `${answer.status} ${answer.statusText}`), { answered: true });
  return found;
}

/**
 * The address of one picture: a plan with a key, or with a way, frames and at. It includes the version that made the
 * picture, so that the browser may cache it.
 */
export const pictureAt = (plan, version) => "/api/picture" + text({ plan: JSON.stringify(plan), version });

/** The address of a grid. */
export const sheetAt = (plan, version) => "/api/sheet" + text({ plan: JSON.stringify(plan), version });

/** The address of a run's grid of fakes, or of reals. */
export const gridAt = (run, nimg) => (nimg === null ? "/api/run/reals" : `/api/run/fakes/${nimg}`) + text({ name: run });

const text = (query) => (Object.keys(query).length ? "?" + new URLSearchParams(query) : "");
