// The grid's questions, answered from a bundle's file as the server's index answers them (review/index.py).

const VALUES = ["kind", "category", "style", "size", "stage", "reason"];
const RANGES = ["score", "adherence", "aesthetics", "soft_adherence", "soft_aesthetics", "disagreement", "margin"];
const files = new Map();

async function load(run, fetched) {
  if (!files.has(run)) {
    files.set(run, fetched().then((told) => {
      for (const item of told.items) Object.assign(item, { size: `${item.width}×${item.height}`, text: `${item.instruction} ${item.prompt}`.toLowerCase() });
      return told;
    }));
  }
  return files.get(run);
}

function passes(item, query, stages, without) {
  for (const name of VALUES) {
    if (query[name] && name !== without && query[name] !== item[name] && !query[name].split(",").filter(Boolean).includes(item[name])) return false;
  }
  for (const name of RANGES) {
    if (!query[name]) continue;
    const [low, high] = query[name].split(".."), value = item[name];
    if (value === null || value < (low === "" ? -Infinity : +low) - 1e-6 || value > (high === "" ? Infinity : +high) + 1e-6) return false;
  }
  if (query.passed && stages.indexOf(item.stage) < stages.indexOf(query.passed)) return false;
  if ((query.lane && item.lane !== query.lane) || (query.scene && item.scene !== query.scene)) return false;
  return (query.q ?? "").toLowerCase().split(/\s+/).every((word) => item.text.includes(word));
}

const KEYS = { mix: (item) => parseInt(item.id.slice(-8), 16), near: (item) => (item.margin === null ? null : Math.abs(item.margin)) };

function sorted(some, sort) {
  const name = sort.replace(/^-/, ""), sign = sort.startsWith("-") ? -1 : 1;
  if (name === "run") return sign > 0 ? some : some.reverse();
  const key = KEYS[name] ?? ((item) => item[name]);
  const compare = name === "category" ? (a, b) => (a < b ? -1 : a > b ? 1 : 0) : (a, b) => a - b;
  return some.sort((one, other) => {
    const [a, b] = [key(one), key(other)];
    if (a === null || b === null) return (a === null) - (b === null); // what has no score comes last either way
    return sign * compare(a, b);
  });
}

export async function items(run, query, fetched) {
  const told = await load(run, fetched);
  const found = sorted(told.items.filter((item) => passes(item, query, told.stages)), query.sort || "run");
  const first = query.offset ?? 0, answer = { total: found.length, offset: first, items: found.slice(first, first + (query.limit ?? 60)) };
  if (query.facets) {
    answer.reasons = told.reasons;
    answer.facets = {};
    for (const name of VALUES) {
      const counts = (answer.facets[name] = {});
      for (const item of told.items) counts[item[name]] = (counts[item[name]] ?? 0) + passes(item, query, told.stages, name);
    }
  }
  if (query.around) {
    const at = found.findIndex((item) => item.id === query.around);
    answer.at = at < 0 ? null : at;
  }
  return answer;
}
