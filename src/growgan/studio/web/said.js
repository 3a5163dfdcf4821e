/** What was said of seeds, kept in the browser, a model's apart from another's. */

/** @typedef {Object<string, Object<string, number>>} Said  name -> seed -> 1 yes, 0 no */

const place = (model) => `growgan said ${model.hash}`;

/** What was said of a model's seeds. @returns {Said} */
export function read(model) {
  try {
    return JSON.parse(localStorage.getItem(place(model))) ?? {};
  } catch {
    return {};
  }
}

/** Keep what was said. */
export function write(model, said) {
  try {
    localStorage.setItem(place(model), JSON.stringify(said));
  } catch {
    return; // a browser that keeps nothing: it lasts as long as the page
  }
}

/** The same with one more label; null: none any more. @returns {Said} */
export function adding(said, name, seed, label) {
  const { [seed]: _, ...others } = said[name] ?? {};
  return { ...said, [name]: label === null ? others : { ...others, [seed]: label } };
}

/** The table that `growgan directions --labels` reads. */
export function table(said) {
  const names = Object.keys(said).filter((name) => Object.keys(said[name]).length);
  const seeds = [...new Set(names.flatMap((name) => Object.keys(said[name])))].sort((a, b) => a - b);
  const cell = (text) => (/["\n;,\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = seeds.map((seed) => [seed, ...names.map((name) => said[name][seed] ?? "")]);
  return [["seed", ...names.map(cell)], ...rows].map((row) => row.join(",")).join("\n") + "\n";
}
