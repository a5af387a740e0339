// The overview: where the run stands. Every bar is a link to what it counts.
import { html } from "./vendor/preact-htm.module.js";
import { Link, Loading, Note, Trouble, duration, number, percent, useAnswer, worded } from "./parts.js";
import * as served from "./served.js";

export function Overview({ run, told }) {
  const { value, error, again } = useAnswer(() => served.overview(run), [run, told.sequence]);
  if (error) return html`<${Trouble} error=${error} again=${again}/>`;
  if (!value) return html`<${Loading} what="Counting …"/>`;
  if (!told.rows) return html`<${Note} title="Nothing is made yet">The run has begun; figures appear here as they come.<//>`;
  return html`<div class="overview">
    <section class="wide"><h2>From scenes to triplets</h2><${Funnel} steps=${value.funnel}/></section>
    <section><h2>Scores</h2><${Histogram} axis="adherence" told=${value.histograms.adherence} line=${value.threshold.adherence}/>
      <${Histogram} axis="aesthetics" told=${value.histograms.aesthetics} line=${value.threshold.aesthetics}/></section>
    <section><h2>What survives a threshold</h2><${Survival} points=${value.survival} threshold=${value.threshold}/></section>
    <section><h2>Accepted, by category</h2><${Acceptance} field="category" rows=${value.acceptance.category}/></section>
    <section><h2>Accepted, by style</h2><${Acceptance} field="style" rows=${value.acceptance.style}/></section>
    <section><h2>What stopped the others</h2><${Reasons} rows=${value.reasons}/></section>
    <section><h2>Cost</h2><${Cost} told=${value}/></section>
  </div>`;
}

const Bar = ({ share, of = 1, kind = "" }) => html`<span class="track" aria-hidden="true"><span class=${`under ${kind}`} style=${{ width: `${100 * Math.min(1, of)}%` }}></span><span class=${`fill ${kind}`} style=${{ width: `${Math.max(share > 0 ? 0.4 : 0, 100 * share)}%` }}></span></span>`;

function Funnel({ steps }) {
  const most = Math.max(1, ...steps.map((one) => one.count));
  const count = Object.fromEntries(steps.map((one) => [one.stage, one.count]));
  const before = { screened: "sources", soft_filter: "attempts", low_level: "soft_filter", validator: "low_level", selected: "validator" };
  return html`<ol class="funnel">${steps.map((one) => html`<li key=${one.stage} data-stage=${one.stage}>
    <${Link} to=${{ view: "grid", all: 1, ...one.query }}>
      <span class="name">${one.words}</span>
      <span class="rate">${one.rate === null || !one.reads ? "" : one.reads.startsWith("per ") ? `${one.rate.toPrecision(3)} ${one.reads}` : `${percent(one.rate)} ${one.reads}`}</span>
      <span class="cost">${one.seconds === null ? "" : duration(one.seconds)}${one.price ? ` · ${one.price.toFixed(2)}` : ""}</span>
      <span class="count">${number(one.count)}</span>
      <${Bar} share=${one.count / most} of=${(count[before[one.stage]] ?? one.count) / most} kind=${["selected", "kept"].includes(one.stage) ? "last" : ""}/>
    <//></li>`)}</ol>`;
}

function Histogram({ axis, told, line }) {
  const { edges, counts } = told, most = Math.max(1, ...counts), total = counts.reduce((a, b) => a + b, 0);
  const start = Math.max(0, counts.findIndex((one) => one > 0) - 1), from = edges[start], span = 5 - from || 1;
  const at = (score) => `${(100 * (score - from)) / span}%`;
  return html`<figure class="histogram"><figcaption>${worded(axis)} <span class="note">${number(total)} pairs · threshold ${line}</span></figcaption>
    <div class="bins" role="group" aria-label=${`How many pairs have which ${axis}`}>${counts.slice(start).map((count, n) => count ? html`<${Link}
      to=${{ view: "grid", all: 1, kind: told.kinds, [axis]: `${edges[start + n]}..${edges[start + n + 1]}` }} class=${edges[start + n] >= line - 1e-9 ? "bin in" : "bin"}
      aria-label=${`${number(count)} from ${edges[start + n]} to ${edges[start + n + 1]}`} title=${`${edges[start + n]} – ${edges[start + n + 1]}: ${number(count)}`}
      style=${{ left: at(edges[start + n]), width: `calc(${(100 * 0.05) / span}% - 1px)`, height: `${Math.max(1.5, (100 * count) / most)}%` }}><//>` : null)}
      <span class="line" style=${{ left: at(line) }}></span></div>
    <div class="axis" aria-hidden="true">${[1, 2, 3, 4, 5].filter((one) => one >= from).map((one) => html`<span style=${{ left: at(one) }}>${one}</span>`)}</div></figure>`;
}

function Survival({ points, threshold }) {
  if (!points.length) return html`<p class="note">Nothing has been scored yet.</p>`;
  const x = (score) => ((score - 1) / 4) * 100, y = (share) => 100 - share * 100;
  const line = Math.max(threshold.adherence, threshold.aesthetics);
  const there = points.find(([score]) => score >= line - 1e-9)?.[1] ?? 0;
  return html`<figure class="survival"><figcaption>Share of the scored attempts with both scores at or above T <span class="note">at ${line}: ${percent(there)}</span></figcaption>
    <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label=${`At ${line}, ${percent(there)} survive`}>
      ${[25, 50, 75].map((one) => html`<line class="grid-line" x1="0" x2="100" y1=${one} y2=${one}/>`)}
      <polyline points=${points.map(([score, share]) => `${x(score)},${y(share)}`).join(" ")}/>
      ${[...new Set([threshold.adherence, threshold.aesthetics])].map((one) => html`<line class="threshold" x1=${x(one)} x2=${x(one)} y1="0" y2="100"/>`)}</svg>
    <div class="axis" aria-hidden="true">${[1, 2, 3, 4, 5].map((one) => html`<span style=${{ left: `${x(one)}%` }}>${one}</span>`)}</div></figure>`;
}

function Acceptance({ field, rows }) {
  if (!rows.length) return html`<p class="note">No attempt yet.</p>`;
  return html`<ul class="bars">${rows.slice(0, 24).map((one) => html`<li key=${one.word}><${Link} to=${{ view: "grid", kind: "forward", passed: "validator", [field]: one.word }}>
    <span class="name">${worded(one.word)}</span><span class="count">${number(one.accepted)} <span class="note">of ${number(one.made)}</span></span>
    <span class="rate">${percent(one.accepted / one.made)}</span><${Bar} share=${one.accepted / one.made}/><//></li>`)}</ul>
    ${rows.length > 24 && html`<p class="note">and ${rows.length - 24} more</p>`}`;
}

function Reasons({ rows }) {
  const most = Math.max(1, ...rows.map((one) => one.count));
  if (!rows.length) return html`<p class="note">Nothing was stopped.</p>`;
  return html`<ul class="bars reasons">${rows.map((one) => html`<li key=${one.kind + one.reason}><${Link} to=${{ view: "grid", all: 1, kind: one.kind, reason: one.reason }}>
    <span class="name">${one.words}${one.kind === "forward" ? "" : html` <span class="note">${one.kind}</span>`}</span><span class="count">${number(one.count)}</span><${Bar} share=${one.count / most}/><//></li>`)}</ul>`;
}

function Cost({ told }) {
  const failed = Object.entries(told.failed_calls);
  return html`<table><thead><tr><th>role</th><th class="n">calls</th><th class="n">model time</th><th class="n">price</th></tr></thead><tbody>${Object.entries(told.cost).map(([role, one]) => html`
    <tr><th scope="row">${worded(role)}</th><td class="n">${number(one.calls)}</td><td class="n">${duration(one.seconds)}</td><td class="n">${one.price === null ? "–" : one.price.toFixed(2)}</td></tr>`)}</tbody></table>
    ${failed.length > 0 && html`<h3>Calls that gave nothing</h3><table><tbody>${failed.map(([reason, count]) => html`<tr><th scope="row">${worded(reason)}</th><td class="n">${number(count)}</td></tr>`)}</tbody></table>`}
    <details><summary>The rule</summary><table><tbody>${Object.entries(told.rule).map(([gate, asks]) => html`<tr><th scope="row">${gate}</th><td class="n">${asks}</td></tr>`)}</tbody></table></details>`;
}
