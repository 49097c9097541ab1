// The controls above the timelines and the list of keys.

const KEYS = [
  ["W  S", "zoom in, zoom out, around the pointer or the middle"],
  ["A  D", "earlier, later"],
  ["F", "fit: the whole run"],
  [",  .", "interval before, interval after, in the chosen lane (also ← →)"],
  ["↑  ↓", "lane above, lane below"],
  ["Z", "zoom to the chosen interval"],
  ["J", "go to the thread that ended the wait"],
  ["N", "next wait of the chosen lane"],
  ["/", "search for a thread, lock or callable"],
  ["E", "align the starts, the ends, or make runs equally long"],
  ["H  P", "hide the chosen lane, pin it to the top"],
  ["T", "light or dark"],
  ["?", "these keys"],
  ["Esc", "close, choose nothing, show all lanes"],
]

const ALIGNMENTS = { start: "starts aligned", end: "ends aligned", normalised: "normalised" }
const SORTS = { creation: "by creation", waiting: "by waiting", name: "by name" }

function options(names, chosen) {
  return Object.entries(names)
    .map(([value, name]) => `<option value="${safe(value)}"${value === chosen ? " selected" : ""}>${safe(name)}</option>`)
    .join("")
}

function controls_html(timelines) {
  const kinds = new Set(timelines.flatMap((timeline) => timeline.lanes.map((lane) => lane.kind)))
  const locks = [...new Set(timelines.flatMap((t) => t.locks.map((lock) => lock.name)))]
  const labels = [...new Set(timelines.flatMap((t) => t.labels))]
  const pick = (role, label, all, names) => names.length
    ? `<label>${label} <select data-role="${role}"><option value="">${all}</option>` +
      `${options(Object.fromEntries(names.map((name) => [name, name])))}</select></label>` : ""
  const check = (kind, label) => kinds.has(kind)
    ? `<label><input type="checkbox" data-role="kind" value="${kind}" checked> ${label}</label>` : ""
  return `<div class="controls" role="toolbar" aria-label="Timelines">
    <button data-role="in" title="W">Zoom in</button><button data-role="out" title="S">Zoom out</button>
    <button data-role="fit" title="F">Fit</button>
    <label>Time <select data-role="align">${options(ALIGNMENTS, "start")}</select></label>
    <label>Lanes <select data-role="sort">${options(SORTS, "creation")}</select></label>
    ${check("lock", "locks")}${check("callback", "callbacks")}
    <label>Thread <input data-role="thread" size="9" placeholder="all"></label>
    ${pick("lock", "Lock", "all", locks)}${pick("callable", "Callable", "all", labels)}
    <label>At least <input data-role="least" size="5" placeholder="0 µs"></label>
    <label>Search <input data-role="search" size="9" placeholder="/" type="search"></label>
    <button data-role="theme" title="T">Light or dark</button>
    <button data-role="help" title="?" aria-label="Keys">?</button>
  </div>`
}

function keys_html() {
  const rows = KEYS.map(([keys, what]) => {
    const caps = keys.split(/\s+/).map((key) => `<kbd>${safe(key)}</kbd>`).join(" ")
    return `<tr><td>${caps}</td><td>${safe(what)}</td></tr>`
  })
  return `<div class="keys" hidden><table><caption>Keys</caption><tbody>${rows.join("")}</tbody></table></div>`
}

/** "20 µs", "1.5ms", "3" (µs) in ns; 0 of nothing, NaN of what is no time. */
function parse_time(text) {
  if (!text.trim()) return 0
  const match = /^\s*([\d.]+)\s*(ns|us|µs|ms|s)?\s*$/.exec(text)
  if (!match) return NaN
  return Number(match[1]) * { ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9 }[match[2] ?? "µs"]
}
