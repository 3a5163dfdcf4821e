/** Labels given to seeds, stored in the browser separately for each model. */

/** @typedef {Object<string, Object<string, number>>} Said  name -> seed -> 1 yes, 0 no */

/** Fewest labels for a direction. */
export const LEAST = 20;

const place = (model) => `growgan said ${model.hash}`;

/** The labels of a model's seeds. @returns {Said} */
export function read(model) {
  try {
    return JSON.parse(localStorage.getItem(place(model))) ?? {};
  } catch {
    return {};
  }
}

/** Store the labels. */
export function write(model, said) {
  try {
    localStorage.setItem(place(model), JSON.stringify(said));
  } catch {
    return; // the browser stores nothing: labels last as long as the page
  }
}

/** The labels with one added; null removes it. @returns {Said} */
export function adding(said, name, seed, label) {
  const { [seed]: _, ...others } = said[name] ?? {};
  return { ...said, [name]: label === null ? others : { ...others, [seed]: label } };
}

/** The number of labels of each kind: [yes, no]. */
export function count(labels) {
  const all = Object.values(labels);
  const yes = all.filter((label) => label === 1).length;
  return [yes, all.length - yes];
}

/** Whether a direction can be fitted to labels: enough, and of both kinds. */
export function isEnough(labels) {
  const [yes, no] = count(labels);
  return yes + no >= LEAST && yes > 0 && no > 0;
}

/** The table that `growgan directions --labels` reads, of the attributes with enough labels. */
export function table(said) {
  const names = Object.keys(said).filter((name) => isEnough(said[name]));
  const seeds = [...new Set(names.flatMap((name) => Object.keys(said[name])))].sort((a, b) => a - b);
  const cell = (text) => (/["\n;,\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = seeds.map((seed) => [seed, ...names.map((name) => said[name][seed] ?? "")]);
  return [["seed", ...names.map(cell)], ...rows].map((row) => row.join(",")).join("\n") + "\n";
}
