// One triplet: its pictures compared, and all that is known of it.
import { html, useEffect, useMemo, useState } from "./vendor/preact-htm.module.js";
import { Link, Loading, Picture, Trouble, described, duration, go, number, points, small, full, useAnswer, useKeys, worded } from "./parts.js";
import * as served from "./served.js";
import { MODES, Stage } from "./compare_pictures.js";

export function Triplet({ run, told, address }) {
  const id = address.get("id") ?? "";
  const query = served.queryOf(address);
  const list = useMemo(() => served.listing(run, query, told.sequence), [run, JSON.stringify(query)]);
  const [place, setPlace] = useState(null);
  const { value: found, error, again } = useAnswer(() => served.item(run, id), [run, id]);
  const known = place !== null && list.known(place)?.id === id ? list.known(place) : null;
  const item = found?.id === id ? found : known ?? found; // what the grid knew is shown at once, the rest follows
  const mode = MODES.some(([name]) => name === address.get("mode")) ? address.get("mode") : "side";
  const mask = address.get("mask") !== null;

  useEffect(() => {
    let wanted = true;
    const look = async () => {
      const at = await list.placeOf(id);
      if (!wanted) return;
      setPlace(at);
      if (at === null) return;
      for (const next of [at + 1, at - 1]) { // so that the next one is there before it is asked for
        if (next < 0 || next >= list.total) continue;
        const near = await list.at(next);
        if (near && wanted) for (const image of [near.source, near.edited]) { new Image().src = small(run, image); new Image().src = full(run, image); }
      }
    };
    look().catch(() => {});
    return () => { wanted = false; };
  }, [list, id]);
  const walk = async (by) => {
    if (place === null || list.total === null) return;
    const next = await list.at((place + by + list.total) % list.total);
    if (next) { setPlace((place + by + list.total) % list.total); go({ id: next.id }, { replace: true }); }
  };
  const setMode = (name) => go({ mode: name === "side" ? null : name }, { replace: true });
  const back = () => go({ view: "grid", id: null, mode: null, mask: null });
  useKeys({ ArrowRight: () => void walk(1), ArrowLeft: () => void walk(-1), Escape: back, m: () => go({ mask: mask ? null : 1 }, { replace: true }),
    ...Object.fromEntries(MODES.map(([name], n) => [n + 1, () => setMode(name)])) });

  if (error) return html`<${Trouble} error=${error} again=${again}/>`;
  if (!item) return html`<${Loading} what="Fetching the triplet …"/>`;
  const full_ = found?.id === item.id ? found : null;
  return html`<article class="triplet" data-id=${item.id}>
    <${Stage} run=${run} item=${item} mode=${mode} mask=${mask}/>
    <div class="bar">
      <span class="walk"><button class="button" onClick=${() => walk(-1)} disabled=${place === null} aria-label="Previous">←</button>
        <span class="place">${place === null ? "" : `${number(place + 1)} of ${number(list.total)}`}</span>
        <button class="button" onClick=${() => walk(1)} disabled=${place === null} aria-label="Next">→</button></span>
      <span class="modes" role="group" aria-label="How to compare">${MODES.map(([name, words]) => html`<button aria-pressed=${mode === name} onClick=${() => setMode(name)}>${words}</button>`)}
        <button aria-pressed=${mask} onClick=${() => go({ mask: mask ? null : 1 }, { replace: true })}>Change mask</button></span>
      <button class="button" onClick=${back}>Back to the grid</button>
    </div>
    <div class="facts">
      <section class="lead"><h1 class="instruction">${item.instruction}</h1>
        <p class="meta">${described(item)} · ${item.width} × ${item.height} · <b>${points(item.adherence)}</b> adherence · <b>${points(item.aesthetics)}</b> aesthetics${full_?.reason_words && html` · <span class="why">${full_.reason_words}</span>`}</p>
        ${full_ && html`<${Words} item=${full_}/>`}</section>
      ${full_ ? html`<${Attempts} item=${full_} run=${run}/><${Lineage} item=${full_} run=${run}/><${Judges} item=${full_}/><${Making} item=${full_} run=${run}/>` : html`<${Loading} what="Reading the rest from the ledger …"/>`}
    </div>
  </article>`;
}

function Words({ item }) {
  return html`<dl class="words">
    ${item.wordings.map((one) => html`<dt>${one.kind === "inverse" ? "Its inverse" : worded(one.kind)}</dt><dd>${one.instruction}</dd>`)}
    ${item.prompt && html`<dt>Prompt of the scene</dt><dd>${item.prompt}</dd>`}</dl>`;
}

function Attempts({ item, run }) {
  if (item.attempts.length < 1) return null;
  return html`<section><h2>All ${item.attempts.length} attempts at this edit</h2><div class="strip">${item.attempts.map((one) => html`
    <${Link} to=${{ id: one.id }} over=${false} class="attempt" aria-current=${one.id === item.id ? "true" : null}>
      <${Picture} src=${small(run, one.edited)} alt=${`Attempt with seed ${one.seed}: ${one.reason_words ?? "accepted"}`}/>
      <span class="score"><b>${points(one.adherence)}</b> / <b>${points(one.aesthetics)}</b></span>
      <span class="note">${one.reason_words ?? "leaves the run"} · seed ${one.seed}</span><//>`)}</div></section>`;
}

/* ---- lineage: what this came from on the left, what came from it on the right ---- */

function Lineage({ item, run }) {
  const all = item.lineage, self = all.find((one) => one.id === item.id);
  if (!self) return null;
  const of = (id) => all.find((one) => one.id === id);
  const pictures = all.filter((one) => one.kind === "source" && [item.source, item.edited].includes(one.source) && one.id !== item.id);
  const parents = self.parents.map(of).filter(Boolean);
  const children = all.filter((one) => one.parents.includes(item.id));
  const roots = self.kind === "source" ? all.filter((one) => one.kind === "scene")
    : self.kind === "scene" ? [] : parents.length ? parents : pictures;
  const following = self.kind === "scene" ? all.filter((one) => one.kind === "source")
    : self.kind === "source" ? all.filter((one) => one.kind === "forward" && one.source === item.source && one.stage === "kept") : children;
  const node = (one, place) => html`<li class=${place}><${Link} to=${{ id: one.id }} over=${false} aria-current=${one.id === item.id ? "true" : null}>
    <span class="thumbs"><${Picture} src=${one.source && small(run, one.source)} alt=""/>${one.edited !== one.source && html`<${Picture} src=${small(run, one.edited)} alt=""/>`}</span>
    <span><b>${worded(one.kind)}</b> ${one.instruction}</span><//></li>`;
  const column = (some, words) => html`<div><h3>${words}</h3>${some.length ? html`<ul>${some.slice(0, 12).map((one) => node(one))}</ul>` : html`<p class="note">nothing</p>`}
    ${some.length > 12 && html`<p class="note">and ${some.length - 12} more</p>`}</div>`;
  return html`<section><h2>Where it comes from, and what came of it</h2><div class="lineage">
    ${column(roots, "From")}<div class="self"><h3>This</h3><ul>${node(self)}</ul></div>${column(following, "To")}</div></section>`;
}

function Judges({ item }) {
  if (!item.verdicts.length && !Object.keys(item.signals).length) return null;
  return html`<section><h2>What the judges said</h2>
    ${item.verdicts.length > 0 && html`<table class="judges"><thead><tr><th>judge</th><th>question</th><th class="n">answer</th></tr></thead><tbody>${item.verdicts.map((one) => html`
      <tr><td title=${one.backend}>${worded(one.judge)}</td><td>${worded(one.question)}</td><td class="n">${one.value === null ? one.reason ?? "no answer" : one.value.toFixed(2)}</td></tr>
      ${one.raw && html`<tr class="raw"><td colspan="3"><details><summary>In its own words</summary><pre>${one.raw}</pre></details></td></tr>`}`)}</tbody></table>`}
    ${Object.keys(item.signals).length > 0 && html`<details><summary>Measured on the pixels</summary><table><tbody>${Object.entries(item.signals).map(([name, value]) => html`<tr><th scope="row">${name}</th><td class="n">${value.toPrecision(3)}</td></tr>`)}</tbody></table></details>`}
  </section>`;
}

function Making({ item, run }) {
  const seconds = item.cost.reduce((sum, call) => sum + call.seconds, 0);
  const prices = item.cost.map((call) => call.price).filter((price) => price !== null);
  return html`<section><h2>How it was made</h2>
    <table><tbody>${item.made_by.map((one) => html`<tr><th scope="row">${worded(one.what)}</th><td>${one.backend?.split(/[.:]/).slice(-1)[0]} ${one.revision} · seed ${one.seed}</td></tr>`)}
      ${item.cost.length > 0 && html`<tr><th scope="row">Cost</th><td>${item.cost.length} calls · ${duration(seconds)}${prices.length ? ` · ${prices.reduce((a, b) => a + b, 0).toFixed(3)}` : ""}</td></tr>`}
      ${item.source && html`<tr><th scope="row">Stored pictures</th><td><a href=${full(run, item.source)} target="_blank" rel="noopener">before</a> · <a href=${full(run, item.edited)} target="_blank" rel="noopener">after</a></td></tr>`}
      <tr><th scope="row">Id</th><td><code>${item.id}</code></td></tr></tbody></table>
    ${item.cost.length > 0 && html`<details><summary>Every call</summary><table><tbody>${item.cost.map((call) => html`<tr><th scope="row">${worded(call.role)}</th><td>${worded(call.outcome)}${call.reason ? `: ${worded(call.reason)}` : ""}</td><td class="n">${duration(call.seconds)}</td></tr>`)}</tbody></table></details>`}
    ${item.made_by.length > 0 && html`<details><summary>Settings of the models</summary><pre>${JSON.stringify(Object.fromEntries(item.made_by.map((one) => [one.what, one.settings])), null, 1)}</pre></details>`}
  </section>`;
}
