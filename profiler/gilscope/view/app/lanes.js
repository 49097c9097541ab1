// Which lanes are shown, in which order, and which of them are in view.

import { Kept, meant } from "./kept.js"
import { many } from "./pools.js"
import { HOLDING, WAITING_GIL, WAITING_LOCK } from "./states.js"

const MOST_LANE = 30, LEAST_LANE = 12, SCROLLED_LANE = 18  // pixels
const ROOM = 720, ROOM_WITH_GROUPS = 420  // pixels for all lanes of a timeline: of both builds in view
const STEP = 30  // threads of a group that are unfolded at a time
/** What puts a lane before others, by the order that is set. */
const WEIGHTS = { waiting: [WAITING_GIL, WAITING_LOCK], contention: [WAITING_GIL, WAITING_LOCK, HOLDING] }

/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./types.js").Pool} Pool */

export class Lanes {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
    /** @type {Map<string, number>} By group: how many of its threads have a lane of their own. */
    this.unfolded = new Map()
    /** @type {Set<string>} Threads that something led to: they have a lane whatever is folded. */
    this.called = new Set()
  }

  /** Choose the lanes, and put them in order. */
  arrange() {
    const { view } = this, { settings } = view
    view.kept = new Kept(settings, view.timelines)
    const kinds = { lock: settings.locks, callback: settings.callbacks }
    const fits = { lock: view.kept.lock, callback: view.kept.label }
    const thread = meant(settings.thread, this.thread_names())
    const hidden = new Set(settings.hidden)
    const ranks = settings.order === "creation" ? null : this.ranks()
    for (const painter of view.painters) {
      const { timeline } = painter, { lanes } = timeline
      const callers = this.callers(timeline)
      timeline.coded = Boolean(view.kept.locks)
      const threads = timeline.threads().filter((lane) => {
        const { name } = lanes[lane]
        return !hidden.has(name) && !hidden.has(timeline.pool_of.get(lane)?.name ?? "") &&
          thread(name) && !(callers && !callers.has(lane))
      })
      const others = timeline.others().filter((lane) => {
        const { name, kind } = lanes[lane]
        return kind !== "thread" && kind !== "group" && kinds[kind] && !hidden.has(name) && fits[kind](name)
      })
      const by_rank = (/** @type {number} */ a, /** @type {number} */ b) =>
        this.rank(timeline, a, ranks) - this.rank(timeline, b, ranks) || a - b
      timeline.show(this.order(timeline, threads.sort(by_rank), others, ranks), threads)
    }
    for (const painter of view.painters) {
      const { timeline } = painter, pixels = this.pixels(timeline)
      const arranged = `${timeline.shown} ${view.letters} ${pixels}`
      if (painter.arranged !== arranged) {
        painter.arrange(pixels, timeline.pools.length ? ROOM_WITH_GROUPS : ROOM, view.letters)
      }
      painter.arranged = arranged
    }
  }

  /**
   * Place of a lane by its name, as it is sorted.
   * @param {Timeline} timeline
   * @param {number} lane
   * @param {Map<string, number> | null} ranks null: by creation.
   */
  rank(timeline, lane, ranks) {
    return ranks ? ranks.get(timeline.lanes[lane].name) ?? Infinity : lane
  }

  /** Height of a thread's lane: as there is room; lanes that do not fit are scrolled. @param {Timeline} timeline */
  pixels(timeline) {
    // Groups stand side by side in all timelines.
    const side_by_side = timeline.pools.length > 0
    const height = side_by_side ? Math.max(...this.view.timelines.map((one) => one.height)) : timeline.height
    const pixels = Math.floor((side_by_side ? ROOM_WITH_GROUPS : ROOM) / Math.max(1, height))
    return pixels < LEAST_LANE ? SCROLLED_LANE : Math.min(MOST_LANE, pixels)
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
   * The lanes from the top: pinned ones first, threads and groups before others.
   * @param {Timeline} timeline
   * @param {number[]} threads In their order.
   * @param {number[]} others
   * @param {Map<string, number> | null} ranks
   */
  order(timeline, threads, others, ranks) {
    const { pinned } = this.view.settings
    const place_of = new Map(pinned.map((name, place) => [name, place]))
    const pin = (/** @type {number} */ lane) => place_of.get(timeline.lanes[lane].name) ?? -1
    const rank = (/** @type {number} */ lane) => this.rank(timeline, lane, ranks)
    /** @type {Map<Pool, number[]>} */
    const groups = new Map(timeline.pools.map((pool) => [pool, []]))
    for (const lane of threads) {
      const pool = timeline.pool_of.get(lane)
      if (pool && pin(lane) < 0) groups.get(pool)?.push(lane)
    }
    for (const [pool, lanes] of groups) if (!many(lanes)) groups.delete(pool)
    const alone = threads.filter((lane) => !groups.has(/** @type {Pool} */ (timeline.pool_of.get(lane))) || pin(lane) >= 0)
    /** @type {{ lanes: number[], rank: number }[]} */
    const entries = alone.filter((lane) => pin(lane) < 0).map((lane) => ({ lanes: [lane], rank: rank(lane) }))
    for (const [pool, lanes] of groups) {
      const first = ranks ? rank(pool.lane) : lanes[0]
      entries.push({ lanes: [pool.lane, ...this.unfold(timeline, pool, lanes)], rank: first })
    }
    entries.sort((a, b) => a.rank - b.rank || a.lanes[0] - b.lanes[0])
    const top = [...alone, ...others].filter((lane) => pin(lane) >= 0).sort((a, b) => pin(a) - pin(b))
    return [...top, ...entries.flatMap(({ lanes }) => lanes), ...others.filter((lane) => pin(lane) < 0)]
  }

  /**
   * The threads of a group that have a lane of their own.
   * @param {Timeline} timeline
   * @param {Pool} pool
   * @param {number[]} members In their order.
   */
  unfold(timeline, { name }, members) {
    const count = this.unfolded.get(name) ?? 0
    return members.filter((lane, place) => place < count || this.called.has(timeline.lanes[lane].name))
  }

  /** Place of each thread's and group's name: the same in all timelines, whatever is filtered. */
  ranks() {
    const { timelines, settings: { order } } = this.view
    /** @type {Map<string, number>} */
    const weights = new Map()
    for (const timeline of timelines) {
      const times = timeline.times(order === "waiting" ? WEIGHTS.waiting : WEIGHTS.contention)
      timeline.threads().forEach((lane) => {
        for (const name of [timeline.lanes[lane].name, timeline.pool_of.get(lane)?.name]) {
          if (name !== undefined) weights.set(name, (weights.get(name) ?? 0) + times[lane])
        }
      })
    }
    const names = [...weights]
    if (order === "name") {
      const { compare } = new Intl.Collator("en", { numeric: true })
      names.sort(([a], [b]) => compare(a, b))
    } else names.sort(([, a], [, b]) => b - a)
    return new Map(names.map(([name], place) => [name, place]))
  }

  /** Give some more threads of a group a lane of their own. @param {string} name */
  more(name) {
    this.unfolded.set(name, (this.unfolded.get(name) ?? 0) + STEP)
    this.rearrange()
  }

  /** Show a group as one lane. @param {Timeline} timeline @param {Pool} pool */
  fold(timeline, pool) {
    this.unfolded.delete(pool.name)
    for (const lane of pool.members) this.called.delete(timeline.lanes[lane].name)
    this.rearrange()
  }

  /** Whether any thread of a group has a lane of its own. @param {Timeline} timeline @param {Pool} pool */
  open(timeline, pool) {
    return pool.members.some((lane) => timeline.has_place(lane))
  }

  /** Bring a lane into view, out of its group if need be. @param {Timeline} timeline @param {number} lane */
  reveal(timeline, lane) {
    if (!timeline.has_place(lane)) {
      if (!timeline.shows(lane)) return
      this.called.add(timeline.lanes[lane].name)
      this.rearrange()
    }
    const painter = this.view.painters[timeline.number]
    const place = Number(timeline.places.get(lane))
    if (!painter.sees(lane)) this.scroll(place - painter.window / 2)
  }

  /** Show the lanes of all timelines from a distance from the top on. @param {number} top */
  scroll(top) {
    for (const painter of this.view.painters) painter.scroll(top)
    this.view.drawing.draw()
    this.view.settle()
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
