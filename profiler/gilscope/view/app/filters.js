// What the reader wants to see. The timelines show it, and the tables count what they show:
//
//   thread, callable and hidden lanes leave threads, and with them their intervals, callbacks, spans;
//   lock leaves waits for locks; it says nothing about callbacks and spans;
//   callable leaves the callbacks of that name, too;
//   least leaves whatever takes that long.
//
// Lanes of locks and callbacks are about all threads, as is the curve above all. The parallelism is
// that of the threads that are shown. Findings are about whole runs.

/** What a filter leaves of intervals, callbacks and spans. */
class Kept {
  constructor(settings, timelines, filter) {
    const locks = filter("lock", timelines.flatMap((one) => one.locks.map(({ name }) => name)))
    this.label = filter("callable", timelines.flatMap(({ labels }) => labels))
    this.least = parse_time(settings.least)
    this.locks = settings.lock.trim() && new Map(timelines.map((timeline) =>
      [timeline, timeline.locks.map(({ name }) => locks(name))]))
    this.all = !this.least && !this.locks
  }

  segment(segments, row) {
    if (this.all) return true
    const state = segments.state[row], { timeline } = segments
    // In lanes of locks and callbacks, what touches is one: it is as long as any part of it.
    const parts = row < segments.thread_rows ? segments.count[row] : 1
    if (this.least && segments.duration(row) / parts < this.least) return false
    return !this.locks || state === CALLBACK || Boolean(this.locks.get(timeline)[timeline.codes[segments.code[row]][0]])
  }

  callback(timeline, row) {
    const { duration, lane, label } = timeline.calls
    return duration[row] >= this.least && timeline.shows(lane[row]) && this.label(timeline.labels[label[row]])
  }

  span(timeline, row) {
    return timeline.named.duration[row] >= this.least && timeline.shows(timeline.named.lane[row])
  }
}

Object.assign(View.prototype, {
  /** Whether a name is meant by the text of a filter: it is one of the names, or parts of some. */
  filter(name, names) {
    const text = this.settings[name].trim(), word = text.toLowerCase()
    if (!word) return () => true
    return names.includes(text) ? (one) => one === text : (one) => one.toLowerCase().includes(word)
  },

  /** What is left, in words. */
  filter_words() {
    const { thread, callable, lock, least, hidden } = this.settings
    const names = new Set(this.timelines.flatMap(({ lanes }) => lanes.map(({ name }) => name)))
    const without = hidden.filter((name) => names.has(name)).length
    const merged = this.kept.least && this.timelines.some(({ grain }) => grain > this.kept.least)
    return [
      thread.trim() && `threads “${thread.trim()}”`,
      callable.trim() && `callable “${callable.trim()}” and the threads that called it`,
      lock.trim() && `waits for “${lock.trim()}”`,
      this.kept.least && `at least ${time_text(this.kept.least)}${merged ? ", of merged intervals their mean" : ""}`,
      without && `without ${count_text(without)} hidden ${without > 1 ? "lanes" : "lane"}`,
    ].filter(Boolean)
  },

  /** Take back all that is filtered or hidden. */
  show_all() {
    for (const name of ["thread", "callable", "lock", "least"]) this.set(name, "")
    this.set("hidden", [])
  },

  /** Choose the lanes, and put them in order. */
  arrange() {
    const { settings } = this
    const kinds = { thread: true, lock: settings.locks, callback: settings.callbacks }
    this.kept = new Kept(settings, this.timelines, (name, names) => this.filter(name, names))
    const lock = this.filter("lock", this.timelines.flatMap(({ locks }) => locks.map(({ name }) => name)))
    const fits = { thread: this.filter("thread", this.names("thread")), lock, callback: this.kept.label }
    this.painters.forEach((painter) => {
      const { timeline } = painter
      const callers = this.callers(timeline, this.kept.label)
      timeline.coded = Boolean(this.kept.locks)
      timeline.show(this.order(timeline).filter((lane) => {
        const { name, kind } = timeline.lanes[lane]
        if (!kinds[kind] || settings.hidden.includes(name) || !fits[kind](name)) return false
        return !(kind === "thread" && callers && !callers.has(lane))
      }))
      const lanes = Math.max(1, timeline.shown.length)
      const height = Math.max(LEAST_LANE, Math.min(MOST_LANE, Math.floor(LANES_HEIGHT / lanes)))
      const arranged = `${timeline.shown} ${this.letters}`
      if (painter.arranged !== arranged) painter.arrange(height, this.letters)
      painter.arranged = arranged
    })
  },

  names(kind) {
    return this.timelines.flatMap(({ lanes }) => lanes.flatMap((lane) => (lane.kind === kind ? [lane.name] : [])))
  },

  /** Lanes of threads that ran the chosen callables, or null if none is chosen. */
  callers(timeline, chosen) {
    if (!this.settings.callable.trim() || !timeline.calls) return null
    const labels = timeline.labels.map(chosen)
    return new Set(timeline.calls.lane.filter((_, row) => labels[timeline.calls.label[row]]))
  },

  order(timeline) {
    const threads = timeline.threads(), others = timeline.others()
    const place = (lane) => this.rank.get(timeline.lanes[lane].name) ?? Infinity
    if (this.settings.order !== "creation") {
      this.rank = this.ranks()
      threads.sort((a, b) => place(a) - place(b) || a - b)
    }
    const pinned = (lane) => this.settings.pinned.indexOf(timeline.lanes[lane].name)
    const all = [...threads, ...others]
    return [...all.filter((lane) => pinned(lane) >= 0).sort((a, b) => pinned(a) - pinned(b)),
            ...all.filter((lane) => pinned(lane) < 0)]
  },

  /** Place of each thread's name: the same in all timelines, whatever is filtered. */
  ranks() {
    const waited = new Map()
    for (const timeline of this.timelines) {
      const { lanes, states } = totals(timeline, 0, timeline.duration, timeline.threads())
      lanes.forEach((lane, place) => {
        const { name } = timeline.lanes[lane]
        const waits = states[place][WAITING_GIL] + states[place][WAITING_LOCK]
        waited.set(name, (waited.get(name) ?? 0) + waits)
      })
    }
    const names = [...waited.keys()]
    if (this.settings.order === "name") names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    else names.sort((a, b) => waited.get(b) - waited.get(a))
    return new Map(names.map((name, place) => [name, place]))
  },

  rearrange() {
    this.arrange()
    this.draw()
    this.settle()
  },
})
