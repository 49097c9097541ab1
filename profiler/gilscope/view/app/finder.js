// From a name to an interval: of those that are shown and kept, if there are any.

import { NOTHING, RUNNING } from "./states.js"

/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./types.js").Hit} Hit */

export class Finder {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
    /** What was searched for last, and which of the places was shown. */
    this.searched = ""
    this.hit = 0
  }

  /** Go to the lane or the lock of a name, or of the next name that a text is part of. @param {string} text */
  search(text) {
    const word = text.trim().toLowerCase()
    if (!word) return
    const { view } = this
    const lanes = this.search_lanes(word)
    const places = lanes.length ? lanes : this.search_locks(word)
    if (!places.length) return view.say(`no thread, lock or callable is named “${text}”`)
    this.hit = this.searched === word ? (this.hit + 1) % places.length : 0
    this.searched = word
    const [timeline, lane, row, segments] = places[this.hit]
    const { name } = timeline.lanes[lane]
    view.set("hidden", view.settings.hidden.filter((one) => one !== name))
    if (row >= 0) view.chooser.choose(timeline, lane, row, segments)
    else this.choose_longest(timeline, lane)
    view.chooser.reveal()
    view.say(`${this.hit + 1} of ${places.length} found`)
  }

  /** Search, or once more for the same: the next one. @param {string} text */
  search_again(text) {
    if (text === this.view.settings.search) this.search(text)
    else this.view.set("search", text)
  }

  /** The lanes whose names a word fits; the row is open. @param {string} word @returns {Hit[]} */
  search_lanes(word) {
    return this.view.timelines.flatMap((timeline) => timeline.lanes.flatMap(({ name, kind }, lane) =>
      (kind !== "group" && name.toLowerCase().includes(word) ? [/** @type {Hit} */ ([timeline, lane, -1, timeline.all])] : [])))
  }

  /** The longest wait for each lock that a word fits, of those of one name for one of them. @param {string} word */
  search_locks(word) {
    return this.view.timelines.flatMap((timeline) =>
      this.longest_waits(timeline, timeline.locks.map(({ name }) => name.toLowerCase().includes(word))))
  }

  /**
   * The longest wait for a lock, or one of those that go by its name.
   * @param {Timeline} timeline
   * @param {number} lock
   */
  longest_wait(timeline, lock) {
    const { groups } = timeline
    return this.longest_waits(timeline, groups.map((group) => group === groups[lock]))
  }

  /**
   * The longest wait for each group of locks of those that fit; all of them in one go.
   * @param {Timeline} timeline
   * @param {boolean[]} fits By lock.
   * @returns {Hit[]}
   */
  longest_waits(timeline, fits) {
    const { groups, codes } = timeline, segments = timeline.counted()
    /** @type {Map<number, { seen: boolean, length: number, hit: Hit }>} */
    const best = new Map()
    for (const lane of timeline.threads()) {
      for (let row = segments.offsets[lane]; row < segments.offsets[lane + 1] - 1; row++) {
        const [lock] = codes[segments.code[row]]
        if (lock < 0 || !fits[lock]) continue
        const seen = timeline.shows(lane) && this.view.kept.segment(segments, row)
        const length = segments.duration(row), found = best.get(groups[lock])
        if (found && (found.seen === seen ? found.length >= length : found.seen)) continue
        best.set(groups[lock], { seen, length, hit: [timeline, lane, row, segments] })
      }
    }
    return [...best].sort(([one], [other]) => one - other).map(([, { hit }]) => hit)
  }

  /**
   * Choose what takes longest in the visible part of a lane, rather a wait than nothing.
   * @param {Timeline} timeline
   * @param {number} lane
   */
  choose_longest(timeline, lane) {
    const { all } = timeline
    let best = -1, most = -1
    const [from, to] = all.seen(lane, ...this.view.axis.span(timeline))
    for (let row = from; row < to; row++) {
      const idle = all.state[row] === NOTHING || all.state[row] === RUNNING
      const weight = (idle ? 1e-6 : 1) * (this.view.kept.segment(all, row) ? 1 : 1e-12)
      const length = all.duration(row) * weight
      if (length > most) [best, most] = [row, length]
    }
    if (best >= 0) this.view.chooser.choose(timeline, lane, best)
  }

  /** Choose the longest wait for a lock. @param {Timeline} timeline @param {number} lock */
  choose_wait(timeline, lock) {
    for (const [, lane, row, segments] of this.longest_wait(timeline, lock)) {
      this.view.chooser.choose(timeline, lane, row, segments)
    }
  }
}
