// What a reader has set: one state, whoever changes it — a key, a control, or a cell of a notebook.
// `set` is the only way in. What is set is told to the controls, and to the host, if it wants to know.

const START = {
  align: "start", order: "creation", locks: true, callbacks: true, thread: "", lock: "", callable: "",
  least: "", search: "", tab: "", theme: "auto", hidden: [], pinned: [], range: null,
}

const EFFECTS = {
  align: (view, by) => view.align(by),
  search: (view, text) => view.search(text),
  tab: (view) => view.show_table(),
  theme: (view, theme) => view.set_theme(theme === "auto" ? dark_page() : theme === "dark"),
  range: (view, range) => (range ? view.show_range(...range) : view.fit()),
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other)

Object.assign(View.prototype, {
  /** Change a setting and do what follows from it. */
  set(name, value) {
    if (name === "least") {
      const bad = Number.isNaN(parse_time(value))
      this.panel.mark(name, bad)
      if (bad) return this.say("At least: a time such as 20 µs or 1.5 ms", true)
    }
    if (same(this.settings[name], value)) return
    this.note(name, value)
    const effect = EFFECTS[name] ?? (() => this.rearrange())
    effect(this, value)
  },

  /** Keep what is set, and tell those who show it. */
  note(name, value) {
    this.settings[name] = value
    this.panel.show(name, value)
    this.host.told?.(name, value)
  },

  /** The visible range follows from much else: it is told once it stands still. */
  note_range() {
    const { start, end } = this.range
    if (!same(this.settings.range, [start, end])) this.note("range", [start, end])
  },
})

/** "20 µs", "1.5ms", "3" (µs) in ns; 0 of nothing, NaN of what is no time. */
function parse_time(text) {
  if (!text.trim()) return 0
  const match = /^\s*(\d+\.?\d*|\.\d+)\s*(ns|us|µs|ms|s)?\s*$/.exec(text)
  if (!match) return NaN
  return Number(match[1]) * { ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9 }[match[2] ?? "µs"]
}
