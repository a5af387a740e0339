// Where the page gets its facts: a server over a live run, or the files of a bundle. Both answer alike.

import * as bundled from "./bundled.js";

async function fetched(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server can't be reached. Is `triptych review` still running?");
  }
  if (!answer.ok) {
    const said = await answer.text();
    let words = said;
    try { words = JSON.parse(said).error ?? said; } catch { /* plain text */ }
    throw new Error(words || `${answer.status} ${answer.statusText}`);
  }
  return answer.status === 204 ? null : answer.json();
}

export const send = (path, body) =>
  fetched(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
export const ask = (path, query = {}) => {
  const given = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  return fetched(given.size ? `${path}?${given}` : path);
};

const fixed = document.documentElement.dataset.static !== undefined;
export const runs = () => ask(fixed ? "data/runs.json" : "api/runs");
export const overview = (run) => ask(fixed ? `data/${run}/overview.json` : `api/${run}/overview`);
export const item = (run, id) => ask(fixed ? `data/${run}/item/${encodeURIComponent(id)}.json` : `api/${run}/item/${encodeURIComponent(id)}`);
export const items = (run, query) => (fixed ? bundled.items(run, query, () => ask(`data/${run}/items.json`)) : ask(`api/${run}/items`, query));

/* ---- one filtered, sorted list, of which only the pages that are looked at are fetched ---- */

const PAGE = 60;
const FILTERS = ["kind", "category", "style", "size", "stage", "reason", "score", "adherence", "aesthetics", "soft_adherence",
  "soft_aesthetics", "disagreement", "margin", "passed", "lane", "scene", "q", "sort"];

/** What the address asks of the list; without any filter, what leaves the run. */
export function queryOf(address) {
  const query = {};
  for (const name of FILTERS) if (address.get(name)) query[name] = address.get(name);
  if (!FILTERS.some((name) => name !== "sort" && query[name]) && address.get("all") === null) query.stage = "kept";
  return query;
}

class Listing {
  constructor(run, query, sequence) {
    Object.assign(this, { run, query, sequence, pages: new Map(), asked: new Map(), total: null, facets: null, reasons: {} });
  }
  async page(number) {
    if (this.pages.has(number)) return this.pages.get(number);
    if (!this.asked.has(number)) {
      const first = this.total === null;
      const asking = items(this.run, { ...this.query, offset: number * PAGE, limit: PAGE, facets: first ? 1 : null }).then((told) => {
        this.total = told.total;
        if (told.facets) Object.assign(this, { facets: told.facets, reasons: told.reasons });
        this.pages.set(number, told.items);
        return told.items;
      }).finally(() => this.asked.delete(number));
      this.asked.set(number, asking);
    }
    return this.asked.get(number);
  }
  known(place) {
    return this.pages.get(Math.floor(place / PAGE))?.[place % PAGE];
  }
  async at(place) {
    return (await this.page(Math.floor(place / PAGE)))[place % PAGE];
  }
  async placeOf(id) {
    for (const [number, some] of this.pages) {
      const found = some.findIndex((one) => one.id === id);
      if (found >= 0) return number * PAGE + found;
    }
    const told = await items(this.run, { ...this.query, around: id, limit: 0 });
    this.total ??= told.total;
    return told.at;
  }
}
export const pagesOf = (first, last) => Array.from({ length: Math.floor(last / PAGE) - Math.floor(first / PAGE) + 1 }, (_, n) => Math.floor(first / PAGE) + n);

let latest = null;
/** The list of a query: the one in hand while query and facts are the same. */
export function listing(run, query, sequence) {
  const key = JSON.stringify(query);
  if (!latest || latest.run !== run || latest.key !== key || latest.sequence !== sequence) {
    latest = Object.assign(new Listing(run, query, sequence), { key });
  }
  return latest;
}
