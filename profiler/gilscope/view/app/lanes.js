// Which lanes are shown, and in which order.

import { Kept, meant } from "./kept.js"
import { WAITING_GIL, WAITING_LOCK } from "./states.js"
import { totals } from "./sums.js"

const LANES_HEIGHT = 720, MOST_LANE = 30, LEAST_LANE = 12  // pixels

/** @typedef {import("./timeline.js").Timeline} Timeline */

export class Lanes {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
  }

  /** Choose the lanes, and put them in order. */
  arrange() {
    const { view } = this, { settings } = view
    view.kept = new Kept(settings, view.timelines)
    const kinds = { thread: true, lock: settings.locks, callback: settings.callbacks }
    const fits = {
      thread: meant(settings.thread, this.thread_names()),
      lock: view.kept.lock,
      callback: view.kept.label,
    }
    const ranks = settings.order === "creation" ? null : this.ranks()
    for (const painter of view.painters) {
      const { timeline } = painter
      const callers = this.callers(timeline)
      timeline.coded = Boolean(view.kept.locks)
      timeline.show(this.order(timeline, ranks).filter((lane) => {
        const { name, kind } = timeline.lanes[lane]
        if (!kinds[kind] || settings.hidden.includes(name) || !fits[kind](name)) return false
        return !(kind === "thread" && callers && !callers.has(lane))
      }))
      const lanes = Math.max(1, timeline.shown.length)
      const height = Math.max(LEAST_LANE, Math.min(MOST_LANE, Math.floor(LANES_HEIGHT / lanes)))
      const arranged = `${timeline.shown} ${view.letters}`
      if (painter.arranged !== arranged) painter.arrange(height, view.letters)
      painter.arranged = arranged
    }
  }

  rearrange() {
    this.arrange()
    this.view.drawing.draw()
    this.view.settle()
  }

  thread_names() {
    return this.view.timelines.flatMap(({ lanes }) =>
      lanes.flatMap(({ name, kind }) => (kind === "thread" ? [name] : [])))
  }

  /** Lanes of threads that ran the chosen callables, or null if none is chosen. @param {Timeline} timeline */
  callers({ calls, labels }) {
    const { settings, kept } = this.view
    if (!settings.callable.trim() || !calls) return null
    const chosen = labels.map(kept.label)
    return new Set(calls.lane.filter((_, row) => chosen[calls.label[row]]))
  }

  /**
   * All lanes, pinned ones first, threads before others.
   * @param {Timeline} timeline
   * @param {Map<string, number> | null} ranks
   */
  order(timeline, ranks) {
    const threads = timeline.threads()
    if (ranks) {
      const place = (/** @type {number} */ lane) => ranks.get(timeline.lanes[lane].name) ?? Infinity
      threads.sort((a, b) => place(a) - place(b) || a - b)
    }
    const pinned = (/** @type {number} */ lane) =>
      this.view.settings.pinned.indexOf(timeline.lanes[lane].name)
    const all = [...threads, ...timeline.others()]
    return [...all.filter((lane) => pinned(lane) >= 0).sort((a, b) => pinned(a) - pinned(b)),
            ...all.filter((lane) => pinned(lane) < 0)]
  }

  /** Place of each thread's name: the same in all timelines, whatever is filtered. */
  ranks() {
    /** @type {Map<string, number>} */
    const waited = new Map()
    for (const timeline of this.view.timelines) {
      const { lanes, states } = totals(timeline, 0, timeline.duration, timeline.threads())
      lanes.forEach((lane, place) => {
        const { name } = timeline.lanes[lane]
        const waits = states[place][WAITING_GIL] + states[place][WAITING_LOCK]
        waited.set(name, (waited.get(name) ?? 0) + waits)
      })
    }
    const names = [...waited]
    if (this.view.settings.order === "name") {
      names.sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
    } else names.sort(([, a], [, b]) => b - a)
    return new Map(names.map(([name], place) => [name, place]))
  }

  /** Clear all filters and show hidden lanes. */
  show_all() {
    for (const name of /** @type {const} */ (["thread", "callable", "lock", "least"])) {
      this.view.set(name, "")
    }
    this.view.set("hidden", [])
  }

  /** Hide the lane of the choice. */
  hide() {
    const { view } = this
    if (!view.choice) return
    const { name } = view.choice.timeline.lanes[view.choice.lane]
    view.chooser.clear()
    view.set("hidden", [...view.settings.hidden, name])
  }

  /** Pin the lane of the choice to the top, or unpin it. */
  pin() {
    const { choice, settings: { pinned } } = this.view
    if (!choice) return
    const { name } = choice.timeline.lanes[choice.lane]
    this.view.set("pinned", pinned.includes(name) ? pinned.filter((one) => one !== name) : [...pinned, name])
  }
}
