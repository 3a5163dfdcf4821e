/** Walks through latent space: for viewing, and as films. */
import { ask, order, pictureAt } from "./api.js";
import { command, making, moves, seeds } from "./command.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { Choice, Command, Look, Picture, Scale, Whole, clock } from "./parts.js";
import { LARGEST_SEED, canTell, isMoved, lookOf } from "./state.js";

const FPS = 30;
const SHOWN = 12;
/** Frames per second requested while a walk is played; a film has them all. */
const EVERY = FPS / SHOWN;
const AHEAD = 4;
/** Frames requested in advance: the server makes waiting ones together. */

export function Walk({ state, change, model }) {
  const way = wayOf(state);
  const frames = Math.max(1, Math.round(state.seconds * FPS));
  const [at, setAt] = useState(0);
  const [playing, setPlaying] = useState(false);
  const place = Math.min(at, frames - 1);
  const plan = (frame) => ({ ...lookOf(state), way, frames, fps: FPS, at: frame });
  usePlay(playing && way !== null, plan, model.version, frames, place, setAt, () => setPlaying(false));
  return html`
    <aside>
      <${Look} ...${{ state, change, model }} />
      <${Choice} name="way" value=${state.way} onChange=${(to) => change({ way: to })} choices=${[
        ["kept", "kept pictures"], ["there", "edit and back"], ["random", "random"]]} />
      ${state.way === "random" && html`
        <${Whole} name="seed" value=${state.seed} high=${LARGEST_SEED} onChange=${(seed) => change({ seed })} />
        <${Scale} name="smoothing" value=${state.smoothing} low=${0.1} high=${5} step=${0.1}
          note="seconds of blur: more is slower" onInput=${(smoothing) => change({ smoothing })} />`}
      <${Scale} name="seconds" value=${state.seconds} low=${1} high=${60} step=${1} onInput=${(seconds) => change({ seconds })} />
      <${Command} line=${way ? lineOf(state, model) : ""} why=${way ? "No command walks through edited pictures or single photographs: only the studio makes this film." : ""} />
      ${state.way === "random" && state.smoothing > state.seconds / 4 && html`<p class="quiet">With so much smoothing for
        its length it hardly moves: use less smoothing or more seconds.</p>`}
      <${Films} ...${{ state, change, model, way }} />
    </aside>
    <main class="walk">
      ${way === null
        ? html`<p class="quiet">${state.way === "kept"
            ? "Keep at least two pictures: the walk goes from one to the next and back to the first."
            : "Move a picture along directions first, on the edit page."}</p>`
        : html`
          <${Picture} large src=${pictureAt(plan(place), model.version)} alt=${`frame ${place + 1} of ${frames}`} />
          <div class="player">
            <button onClick=${() => setPlaying(!playing)}>${playing ? "pause" : "play"}</button>
            <input type="range" min="0" max=${frames - 1} value=${place} aria-label="moment" aria-valuetext=${`${(place / FPS).toFixed(1)} s`}
              onInput=${(event) => (setPlaying(false), setAt(Number(event.target.value)))} />
            <span>${(place / FPS).toFixed(1)} s</span>
          </div>
          <p class="quiet">Shown at ${SHOWN} frames a second, or as fast as this machine makes them; the film has ${FPS}.</p>`}
    </main>`;
}

/** Plays frames in order: each is shown once it has arrived, but not before it is due. */
function usePlay(playing, plan, version, frames, place, setAt, stop) {
  const where = useRef(place);
  where.current = place;
  const address = JSON.stringify({ ...plan(0), version });
  useEffect(() => {
    if (!playing) return;
    let ended = false;
    const following = (frame) => {
      const next = Math.round((Math.floor(frame / EVERY + 1e-6) + 1) * EVERY);
      return next > frames - 1 ? 0 : next;
    };
    const fetched = new Map();
    const fetch = (frame) => {
      if (!fetched.has(frame)) {
        const image = new Image();
        image.src = pictureAt(plan(frame), version);
        fetched.set(frame, image);
      }
      return fetched.get(frame);
    };
    (async () => {
      while (!ended) {
        const frame = following(where.current);
        const image = fetch(frame);
        for (let i = 1, ahead = frame; i < AHEAD; i++) fetch((ahead = following(ahead)));
        const [come] = await Promise.allSettled([image.decode(), new Promise((wake) => setTimeout(wake, 1000 / SHOWN))]);
        if (ended) return;
        if (come.status === "rejected") return stop();
        fetched.delete(frame); // so that a long walk does not fill the memory
        where.current = frame;
        setAt(frame);
      }
    })();
    return () => void (ended = true);
  }, [playing, address]);
}

function wayOf(state) {
  if (state.way === "random") return { seed: state.seed, smoothing: state.smoothing };
  if (state.way === "there") return isMoved(state.key) ? { there: state.key } : null;
  return state.kept.length >= 2 ? { keys: state.kept } : null;
}

function lineOf(state, model) {
  const suffix = suffixOf(state, model);
  const more = ["--seconds", state.seconds, making(state, model), state.size ? ["--size", state.size] : [], "--out"];
  if (state.way === "random") return command("video", state.model, "--seed", state.seed, "--smoothing", state.smoothing, more, `walk${suffix}`);
  if (state.way === "there") {
    if (state.key.photo !== undefined || !canTell(state.key, model)) return "";
    const from = model.directions_file ? ["--directions", model.directions_file] : [];
    return command("edit", state.model, "--seeds", state.key.seed, `--move=${moves(state.key)}`, from, more, `edit${suffix}`);
  }
  if (state.kept.some((key) => key.photo !== undefined || isMoved(key))) return "";
  return command("video", state.model, "--seeds", seeds(state.kept.map((key) => key.seed)), more, `walk${suffix}`);
}

/** The films ordered here, and a form for another one. */
function Films({ state, change, model, way }) {
  const suffix = suffixOf(state, model);
  const size = state.size;
  const [reels, setReels] = useState([]);
  const [wrong, setWrong] = useState("");
  useEffect(() => void ask("/api/films").then(setReels, () => {}), []);
  const begin = () =>
    order({ ...lookOf(state), way, seconds: state.seconds, fps: FPS, suffix, size }).then(
      (reel) => (setReels((all) => [reel, ...all]), setWrong("")),
      (error) => setWrong(error.message),
    );
  const set = (reel) => setReels((all) => all.map((one) => (one.number === reel.number ? reel : one)));
  const drop = (number) => {
    setReels((all) => all.filter((one) => one.number !== number));
    ask(`/api/films/${number}`, {}, { method: "DELETE" }).catch(() => {});
  };
  const own = model.resolution;
  const sizes = [0, ...[own, 2 * own, 4 * own, 8 * own].filter((n) => n <= 2048)];
  return html`
    <h2>film</h2>
    <${Choice} name="format" value=${suffix} choices=${model.formats.map((one) => [one, one.slice(1)])} onChange=${(to) => change({ suffix: to })} />
    <${Choice} name="size" value=${size} choices=${sizes.map((n) => [n, n || "native (at least 64)"])} onChange=${(n) => change({ size: Number(n) })} />
    <div class="buttons"><button disabled=${way === null} onClick=${begin}>make it</button></div>
    ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
    ${reels.map((reel) => html`<${Reel} key=${reel.number} ...${{ reel, set, drop }} />`)}`;
}

function Reel({ reel, set, drop }) {
  const open = !reel.finished && !reel.error;
  useEffect(() => {
    if (!open) return;
    // An answer from the server is final; without one, the network may be down rather than the film gone.
    const missed = (error) => set(error.answered ? { ...reel, error: error.message } : { ...reel });
    const timer = setTimeout(() => ask(`/api/films/${reel.number}`).then(set, missed), 500);
    return () => clearTimeout(timer);
  }, [reel]); // not for every frame that is played meanwhile
  const file = `/api/films/${reel.number}/file`;
  const moving = /\.(mp4|webm)$/.test(reel.name);
  return html`<div class="reel">
    <span class="quiet">${reel.of}</span>
    ${open && html`<progress aria-label="frames made" max=${reel.total || 1} value=${reel.done}></progress>
      <span>${reel.done} of ${reel.total || "?"}${reel.left !== null ? `, ${clock(reel.left)} left` : ""}</span>`}
    ${reel.error && html`<span class="wrong" role="alert">${reel.error}</span>`}
    ${reel.finished && (moving
      ? html`<video src=${file} aria-label=${reel.of} controls loop muted autoplay></video>`
      : html`<img src=${file} alt=${reel.of} />`)}
    <div class="buttons">
      ${reel.finished && html`<a class="button" href=${file} download=${reel.name}>save (${sizeOf(reel.bytes)})</a>`}
      <button class="plain" onClick=${() => drop(reel.number)}>${open ? "stop" : "remove"}</button>
    </div>
  </div>`;
}

/** The format of a film: the chosen one, if it can be written here. */
const suffixOf = (state, model) => (model.formats.includes(state.suffix) ? state.suffix : model.formats[0]);

const sizeOf = (bytes) => (bytes < 1e5 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
