// The grid: as many rows as there are, of which only those in sight exist.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact-htm.module.js";
import { Link, Loading, Note, Picture, Trouble, described, go, number, points, small, useKeys, useSize, worded } from "./parts.js";
import { listing, pagesOf, queryOf } from "./served.js";

const TALLEST = 15_000_000; // pixels: browsers stop drawing not far above
const WORDS = 84, GAP = 18; // under each pair, between cards

const SORTS = [["", "order of the run"], ["mix", "a mix"], ["-score", "best first"], ["score", "worst first"], ["near", "nearest the threshold"],
  ["-disagreement", "judges disagree most"], ["-adherence", "adherence"], ["-aesthetics", "aesthetics"], ["category", "category"]];
const RANGES = [["score", "Score"], ["adherence", "Adherence"], ["aesthetics", "Aesthetics"], ["disagreement", "Judges apart by"], ["margin", "Above threshold by"]];
const STAGE_WORDS = { made: "stopped early", soft_filter: "passed soft filter", low_level: "passed pixel checks", validator: "accepted", selected: "selected", kept: "leave the run" };

export function Grid({ run, told, address }) {
  const query = queryOf(address);
  const [shown, setShown] = useState(told.sequence);
  const list = useMemo(() => listing(run, query, shown), [run, JSON.stringify(query), shown]);
  const [, redraw] = useState(0);
  const [error, setError] = useState(null);
  useEffect(() => {
    let wanted = true;
    setError(null);
    list.page(0).then(() => wanted && redraw((n) => n + 1), (trouble) => wanted && setError(trouble));
    return () => { wanted = false; };
  }, [list]);
  const last = useRef(null); // what was shown before, so that a filter doesn't blank the page
  if (list.total !== null) last.current = list;
  const drawn = list.total !== null ? list : last.current;
  useKeys({ "/": () => document.querySelector("input[type=search]").focus(), x: () => go({ view: "grid" }, { over: true }) });
  const body = error ? html`<${Trouble} error=${error} again=${() => setShown((n) => n - 1e-6)}/>`
    : !drawn ? html`<${Loading} what="Fetching the first pictures …"/>`
    : drawn.total === 0 ? html`<${Empty} told=${told}/>`
    : html`<${Sheet} list=${drawn} run=${run} size=${Number(address.get("w")) || 330} fetched=${() => redraw((n) => n + 1)}/>`;
  return html`<${Filters} address=${address} query=${query} list=${drawn} fresh=${told.sequence !== shown} refresh=${() => setShown(told.sequence)}/>${body}`;
}

function Empty({ told }) {
  return told.rows === 0
    ? html`<${Note} title="Nothing is made yet">The run has begun; pictures appear here as they are made.<//>`
    : html`<${Note} title="Nothing passes these filters">Take one away, or <${Link} to=${{ view: "grid", all: 1 }}>look at everything<//>.<//>`;
}

/* ---- filters ---- */

function Filters({ address, query, list, fresh, refresh }) {
  const set = (name, value) => go({ [name]: value, all: name === "stage" && !value ? 1 : address.get("all") }, { replace: true });
  const facets = list?.facets ?? {};
  const choose = (name, words, word = worded) => html`<label class="choice">${words}
    <select name=${name} value=${query[name] ?? ""} onChange=${(event) => set(name, event.target.value)}>
      <option value="">any</option>
      ${query[name]?.includes(",") && html`<option value=${query[name]}>${query[name].split(",").map(word).join(", ")}</option>`}
      ${Object.entries(facets[name] ?? {}).filter(([one, count]) => one && (count || query[name] === one)).sort((a, b) => b[1] - a[1]).map(([one, count]) =>
        html`<option value=${one}>${word(one)} (${number(count)})</option>`)}
    </select></label>`;
  return html`<form class="filters" role="search" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
    <input type="search" placeholder="Search instructions and prompts" aria-label="Search instructions and prompts" value=${query.q ?? ""}
      onInput=${(event) => set("q", event.target.value)} onKeyDown=${(event) => event.key === "Escape" && event.target.blur()}/>
    ${choose("stage", "Outcome", (one) => worded(STAGE_WORDS[one] ?? one))}
    ${choose("kind", "Kind")} ${choose("category", "Category")}
    <label class="choice">Sort <select name="sort" value=${query.sort ?? ""} onChange=${(event) => set("sort", event.target.value)}>
      ${SORTS.map(([value, words]) => html`<option value=${value}>${words}</option>`)}</select></label>
    <details class="more" open=${["style", "size", "reason", "passed", "lane", "scene", ...RANGES.map(([name]) => name)].some((name) => query[name])}>
      <summary>More filters</summary>
      <div>${choose("reason", "Stopped by", (one) => list?.reasons[one] ?? worded(one))} ${choose("style", "Style")} ${choose("size", "Size", (one) => one)}
      ${RANGES.map(([name, words]) => html`<${Range} name=${name} words=${words} value=${query[name]} set=${set}/>`)}
      <button type="button" class="button" aria-pressed=${query.margin === "-0.15..0.15"} onClick=${() => set("margin", query.margin === "-0.15..0.15" ? null : "-0.15..0.15")}>Near the threshold</button>
      <button type="button" class="button" aria-pressed=${query.disagreement === "1.."} onClick=${() => set("disagreement", query.disagreement === "1.." ? null : "1..")}>Judges disagree</button>
      <label class="choice size">Size of pictures <input type="range" min="200" max="700" step="10" value=${address.get("w") ?? 330} onInput=${(event) => set("w", event.target.value)}/></label></div>
    </details>
    <p class="found"><span role="status">${list ? `${number(list.total)} ${list.total === 1 ? "picture or pair" : "pictures and pairs"}` : "…"}</span>
      ${Object.keys(query).some((name) => !(name === "stage" && query.stage === "kept") && name !== "sort") && html`<button type="button" class="textual" onClick=${() => go({ view: "grid" }, { over: true })}>clear filters</button>`}
      ${fresh && html`<button type="button" class="textual fresh" onClick=${refresh}>new results: show them</button>`}</p>
  </form>`;
}

function Range({ name, words, value, set }) {
  const [low, high] = (value ?? "..").split("..");
  const write = (from, to) => set(name, from || to ? `${from}..${to}` : null);
  return html`<fieldset class="range"><legend>${words}</legend>
    <input type="number" step="0.05" aria-label=${`${words}, at least`} value=${low} placeholder="from" onChange=${(event) => write(event.target.value, high)}/> –
    <input type="number" step="0.05" aria-label=${`${words}, at most`} value=${high} placeholder="to" onChange=${(event) => write(low, event.target.value)}/></fieldset>`;
}

/* ---- the sheet of cards ---- */

function Sheet({ list, run, size, fetched }) {
  const outer = useRef(null);
  const { width } = useSize(outer);
  const columns = Math.max(1, Math.floor((width + GAP) / (size + GAP)));
  const card = (width - GAP * (columns - 1)) / columns;
  const step = card / 2 + WORDS + GAP;
  const rows = Math.ceil(list.total / columns), real = rows * step, tall = Math.min(real, TALLEST);
  const [top, setTop] = useState(0);
  const [focus, setFocus] = useState(null);
  const view = innerHeight;
  useEffect(() => {
    const scrolled = () => outer.current && setTop(Math.max(0, scrollY - outer.current.offsetTop));
    scrolled();
    addEventListener("scroll", scrolled, { passive: true });
    return () => removeEventListener("scroll", scrolled);
  }, []);
  // Above a browser's tallest page, its scroll stands for a longer one.
  const stretched = tall > view ? (real - view) / (tall - view) : 1;
  const seen = Math.min(top, Math.max(0, tall - view)) * stretched;
  const first = Math.max(0, Math.floor(seen / step) - 1) * columns;
  const last = Math.min(list.total, (Math.ceil((seen + view) / step) + 1) * columns) - 1;
  useEffect(() => {
    let wanted = true;
    if (width) Promise.all(pagesOf(first, Math.max(first, last)).map((page) => list.page(page))).then(() => wanted && fetched(), () => {});
    return () => { wanted = false; };
  }, [list, first, last, width]);
  useLayoutEffect(() => { if (focus !== null) document.querySelector(`[data-place="${focus}"]`)?.focus({ preventScroll: true }); }, [focus, first, last]);
  const move = (by) => {
    const next = Math.min(list.total - 1, Math.max(0, focus === null ? 0 : focus + by));
    const y = Math.floor(next / columns) * step, page = outer.current.offsetTop;
    if (y < seen || y + step > seen + view - 130) scrollTo({ top: page + Math.max(0, y - (by < 0 ? 140 : view - step - 130)) / stretched });
    setFocus(next);
  };
  useKeys({ ArrowRight: () => move(1), ArrowLeft: () => move(-1), ArrowDown: () => move(columns), ArrowUp: () => move(-columns) });
  const cards = [];
  if (width) for (let place = first; place <= last; place++) {
    const y = Math.floor(place / columns) * step - seen + Math.min(top, Math.max(0, tall - view));
    cards.push(html`<${Card} key=${place} place=${place} item=${list.known(place)} list=${list} run=${run} width=${card}
      style=${{ transform: `translate(${(place % columns) * (card + GAP)}px, ${y}px)`, width: `${card}px` }}/>`);
  }
  return html`<div class="sheet-of-cards" ref=${outer} style=${{ height: `${tall}px` }}>${cards}</div>`;
}

function Card({ item, list, run, place, style, width }) {
  const box = { height: `${width / 2}px` };
  if (!item) return html`<article class="card" style=${style}><div class="pair waiting" style=${box}></div></article>`;
  const single = item.source === item.edited;
  return html`<article class="card" style=${style}>
    <${Link} to=${{ view: "triplet", id: item.id }} over=${false} class="pair" style=${box} data-place=${place} data-id=${item.id}>
      <${Picture} src=${item.source && small(run, item.source)} alt=${single ? item.instruction : `Before: ${item.instruction}`}/>
      ${!single && html`<${Picture} src=${small(run, item.edited)} alt=${`After: ${item.instruction}`}/>`}
    <//>
    <p class="instruction" title=${item.instruction}>${item.instruction}</p>
    <p class="meta"><span>${described(item)}</span><span class="score">${item.score === null ? list.reasons[item.reason] ?? worded(item.reason || "") : html`<b>${points(item.adherence)}</b> / <b>${points(item.aesthetics)}</b>`}</span></p>
  </article>`;
}
