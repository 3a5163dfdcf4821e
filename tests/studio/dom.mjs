// As much of a browser as Preact and the studio's modules need, so that node can press their keys and buttons.
class Node {
  constructor(nodeType) {
    Object.assign(this, { nodeType, childNodes: [], parentNode: null });
  }
  get firstChild() {
    return this.childNodes[0] ?? null;
  }
  get nextSibling() {
    const all = this.parentNode?.childNodes ?? [];
    return all[all.indexOf(this) + 1] ?? null;
  }
  contains(node) {
    for (; node; node = node.parentNode) if (node === this) return true;
    return false;
  }
  insertBefore(node, before) {
    node.parentNode?.removeChild(node);
    this.childNodes.splice(before ? this.childNodes.indexOf(before) : this.childNodes.length, 0, node);
    node.parentNode = this;
    return node;
  }
  appendChild(node) {
    return this.insertBefore(node, null);
  }
  removeChild(node) {
    this.childNodes.splice(this.childNodes.indexOf(node), 1);
    node.parentNode = null;
    return node;
  }
  remove() {
    this.parentNode?.removeChild(this);
  }
}

class Text extends Node {
  constructor(data) {
    super(3);
    this.data = data;
  }
  get textContent() {
    return this.data;
  }
}

class Element extends Node {
  constructor(name) {
    super(1);
    Object.assign(this, { localName: name, nodeName: name.toUpperCase(), attrs: {}, heard: {}, style: {} });
    this.namespaceURI = "http://www.w3.org/1999/xhtml";
    if (["input", "select", "button"].includes(name)) Object.assign(this, { value: "", disabled: false });
  }
  get attributes() {
    return Object.entries(this.attrs).map(([name, value]) => ({ name, value }));
  }
  setAttribute(name, value) {
    this.attrs[name] = String(value);
  }
  removeAttribute(name) {
    delete this.attrs[name];
  }
  addEventListener(type, listener) {
    (this.heard[type] ??= []).push(listener);
  }
  removeEventListener(type, listener) {
    this.heard[type] = (this.heard[type] ?? []).filter((one) => one !== listener);
  }
  click() {
    if (!this.disabled) for (const listener of this.heard.click ?? []) listener.call(this, { type: "click", target: this });
  }
  closest() {
    return null; // keys are pressed on the page itself
  }
  get textContent() {
    return this.childNodes.map((node) => node.textContent).join("");
  }
  find(wanted, found = []) {
    if (wanted(this)) found.push(this);
    for (const node of this.childNodes) node.find?.(wanted, found);
    return found;
  }
}

const heard = {};
export const body = new Element("body");
/** Requests that pictures and `fetch` make; `answer` says what the server answers, and throws where none does. */
export const server = { asked: [], answer: () => ({}) };
export const kept = {};

Object.assign(globalThis, {
  document: {
    body,
    createElement: (name) => new Element(name),
    createElementNS: (_, name) => new Element(name),
    createTextNode: (data) => new Text(data),
  },
  addEventListener: (type, listener) => (heard[type] ??= []).push(listener),
  removeEventListener: (type, listener) => (heard[type] = (heard[type] ?? []).filter((one) => one !== listener)),
  requestAnimationFrame: (work) => setTimeout(work, 1),
  cancelAnimationFrame: clearTimeout,
  location: { hash: "" },
  history: { pushState: (_, __, to) => (location.hash = to), replaceState: (_, __, to) => (location.hash = to) },
  localStorage: { getItem: (name) => kept[name] ?? null, setItem: (name, value) => (kept[name] = value) },
  Image: class {
    set src(address) {
      server.asked.push(address);
      setTimeout(() => this.onload?.(), 1);
    }
    decode() {
      return new Promise((done) => setTimeout(done, 1));
    }
  },
  fetch: async (address, options = {}) => {
    server.asked.push(address);
    const [found, ok] = [await server.answer(address, options), true];
    return { ok: found.error === undefined && ok, headers: { get: () => "application/json" }, json: async () => found };
  },
});
Object.assign(URL, { createObjectURL: () => "blob:", revokeObjectURL: () => {} });

export const pause = (milliseconds = 20) => new Promise((done) => setTimeout(done, milliseconds));

/** Wait until something is so. */
export async function until(so) {
  for (const end = Date.now() + 20000; !so(); ) {
    if (Date.now() > end) throw new Error(`never so: ${so}; ${body.textContent}`);
    await pause(5);
  }
}

/** Press a key on the page; repeat: it is held. */
export async function press(key, repeat = false) {
  for (const listener of heard.keydown ?? []) listener({ key, repeat, target: body });
  await pause();
}

/** Press the button whose words (or, without any, whose label) begin so. */
export async function push(words) {
  const called = (one) => one.attrs["aria-label"] ?? one.textContent.trim().replace(/\s+/g, " ");
  const [found] = body.find((one) => one.localName === "button" && called(one).startsWith(words));
  if (!found) throw new Error(`no button ${words} on: ${body.textContent}`);
  found.click();
  await pause();
}

export const MODEL = {
  name: "m", hash: "one", version: "v", labels: [], attributes: false, directions: [], directions_file: null,
  photographs: [], photographs_foreign: false, formats: [".mp4"], resolution: 64, options: [], measures: {}, card: {},
  reached: "trained on 1 kimg",
};
