/** The command that makes what a page shows: what was found here can be done again, in a script too. */

/** A text as a shell takes it. */
export const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${String(text).replaceAll("'", "'\\''")}'`);

/** A command line of words, and of lists of such. */
export const command = (...words) => ["growgan", ...words.flat(Infinity)].map((word) => quoted(String(word))).join(" ");

/** The options that say how pictures are made. */
export function making(state, model) {
  const label = state.label !== null ? [`--class=${className(state.label, model)}`] : [];
  return [...label, ...(state.truncation !== 1 ? ["--truncation", state.truncation] : []), ...model.options];
}

/** What `--class` calls a class: its name, or its number where another one has that name, or it has none. */
export function className(label, model) {
  const name = model.labels[label];
  return name && model.labels.indexOf(name) === label ? name : label;
}

/** Seeds as `--seeds` takes them: 3,7,100-104. */
export function seeds(numbers) {
  const runs = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && number === last[1] + 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([a, b]) => (a === b ? `${a}` : `${a}-${b}`)).join(",");
}

/** Moves as `--move` takes them: 2:0.5,smile:-0.3. */
export const moves = (key) =>
  Object.entries(key.moves ?? {})
    .filter(([, amount]) => amount)
    .map(([name, amount]) => `${name}:${amount}`)
    .join(",");
