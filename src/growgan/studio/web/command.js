/** The command that makes what a page shows, so that it can be repeated, also in a script. */

/** A text quoted for a shell. */
export const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${String(text).replaceAll("'", "'\\''")}'`);

/** A command line from words and nested lists of words. */
export const command = (...words) => ["growgan", ...words.flat(Infinity)].map((word) => quoted(String(word))).join(" ");

/** The options for how pictures are made. */
export function making(state, model) {
  const label = state.label !== null ? [`--class=${className(state.label, model)}`] : [];
  return [...label, ...(state.truncation !== 1 ? ["--truncation", state.truncation] : []), ...model.options];
}

/** The value of `--class` for a class: its name, or its number if the name is missing or not unique. */
export function className(label, model) {
  const name = model.labels[label];
  return name && model.labels.indexOf(name) === label ? name : label;
}

/** Seeds in the notation of `--seeds`: 3,7,100-104. */
export function seeds(numbers) {
  const runs = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && number === last[1] + 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(",");
}

/** Moves in the notation of `--move`: 2:0.5,smile:-0.3. */
export const moves = (key) =>
  Object.entries(key.moves ?? {})
    .filter(([, amount]) => amount)
    .map(([name, amount]) => `${name}:${amount}`)
    .join(",");
