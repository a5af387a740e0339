// What every view uses: the address as state, words and numbers, small pieces of the page.
import { html, useEffect, useRef, useState } from "./vendor/preact-htm.module.js";

/* ---- the address holds every choice: what is seen can be kept, passed on and gone back to ---- */

export const address = () => new URLSearchParams(location.search);
const watchers = new Set();
const tell = () => { for (const watcher of watchers) watcher(); };

/** Go to an address made of `changes` (null takes a key out); `over` forgets what was there before. */
export function go(changes, { over = false, replace = false } = {}) {
  const next = over ? new URLSearchParams() : address();
  if (over && address().get("run")) next.set("run", address().get("run"));
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") next.delete(key);
    else next.set(key, value);
  }
  history[replace ? "replaceState" : "pushState"](null, "", linkTo(next));
  tell();
}
const linkTo = (params) => (params.toString() ? "?" + params.toString().replaceAll("%2C", ",") : location.pathname);

export function useAddress() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const watcher = () => redraw((n) => n + 1);
    watchers.add(watcher);
    addEventListener("popstate", watcher);
    return () => { watchers.delete(watcher); removeEventListener("popstate", watcher); };
  }, []);
  return address();
}

/** A link within the page: a plain click stays, any other opens as the browser would. */
export function Link({ to, over = true, children, ...rest }) {
  const target = over ? new URLSearchParams() : address();
  if (over && address().get("run")) target.set("run", address().get("run"));
  for (const [key, value] of Object.entries(to)) if (value === null || value === "") target.delete(key); else target.set(key, value);
  const follow = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(to, { over });
    if (over) scrollTo(0, 0);
  };
  return html`<a href=${linkTo(target)} onClick=${follow} ...${rest}>${children}</a>`;
}

/* ---- words ---- */

export const number = (value) => value.toLocaleString("en");
export const worded = (word) => { const said = String(word).replaceAll("_", " "); return said[0] ? said[0].toUpperCase() + said.slice(1) : said; };
export const percent = (share) => `${(100 * share).toFixed(share && share < 0.0995 ? 1 : 0)} %`;
export const points = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));
export function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return seconds < 3600 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
export const small = (run, image) => `small/${run}/${image}.jpg`;
export const full = (run, image) => `full/${run}/${image}.jpg`;
export const described = (item) => [worded(item.category), item.style === "standard" ? null : item.style, item.kind === "forward" ? null : item.kind].filter(Boolean).join(" · ");

/* ---- pieces ---- */

/** A picture with its place kept: it fades in, and where it can't be had the page says so. */
export function Picture({ src, alt, ...rest }) {
  const [failed, setFailed] = useState(false);
  useEffect(() => setFailed(false), [src]);
  if (failed || !src) return html`<span class="gone" role="img" aria-label=${alt}>picture missing</span>`;
  return html`<img src=${src} alt=${alt} decoding="async" onError=${() => setFailed(true)} ...${rest}/>`;
}

export function Note({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2><p>${children}</p></div>`;
}

export const Loading = ({ what }) => html`<div class="empty" role="status"><span class="spinner" aria-hidden="true"></span><p>${what}</p></div>`;

export function Trouble({ error, again }) {
  return html`<div class="empty" role="alert"><h2>That didn't work</h2><p>${String(error?.message ?? error)}</p>
    ${again && html`<button class="button" onClick=${again}>Try again</button>`}</div>`;
}

/** Answers of `ask()` for these inputs: {value, error, again}; the last value stays while a newer one is fetched. */
export function useAnswer(ask, inputs) {
  const [answer, setAnswer] = useState({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let wanted = true;
    ask().then((value) => wanted && setAnswer({ value }), (error) => wanted && setAnswer({ error }));
    return () => { wanted = false; };
  }, [...inputs, turn]);
  return { ...answer, again: () => setTurn((n) => n + 1) };
}

/** Keys → what they do, while the piece is shown; never while somebody types. */
export function useKeys(keys) {
  const current = useRef(keys);
  current.current = keys;
  useEffect(() => {
    const pressed = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (event.target.closest?.("input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]")) return;
      if (event.key === "Enter" && event.target.closest?.("button, a, summary")) return;
      const done = current.current[event.key];
      if (done && done(event) !== false) event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

export function useSize(ref) {
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const watcher = new ResizeObserver(() => {
      const { clientWidth, clientHeight } = ref.current ?? {};
      if (clientWidth !== undefined) setSize((old) => (old.width === clientWidth && old.height === clientHeight ? old : { width: clientWidth, height: clientHeight }));
    });
    if (ref.current) watcher.observe(ref.current);
    return () => watcher.disconnect();
  }, []);
  return size;
}
