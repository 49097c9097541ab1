// The chosen segment: what leads to it, and what is shown of it.

import { details_html } from "./details.js"
import { NOTHING } from "./states.js"

/** @typedef {import("./timeline.js").Timeline} Timeline */
/** @typedef {import("./types.js").Choice} Choice */

export class Chooser {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
    /** @type {{ timeline: Timeline, lane: number, time: number } | null} What a finding led to. */
    this.wanted = null
  }

  /**
   * @param {Timeline} timeline
   * @param {number} lane
   * @param {number} row
   * @param {import("./segments.js").Segments} [segments] Those that `row` is one of.
   * @param {boolean} [alone] Whether the other lanes are dimmed.
   */
  choose(timeline, lane, row, segments = timeline.all, alone = false) {
    this.view.lanes.reveal(timeline, lane)
    const [start, end] = [segments.start[row], segments.start[row + 1]]
    const [, peer] = timeline.codes[segments.code[row]]
    const choice = { timeline, lane, row, segments, start, end, other: peer, alone }
    this.wanted = null
    this.view.choice = choice
    const place = segments.detail?.[row] ?? -1
    const ref = segments.ref?.[row] ?? -1
    if (place >= 0) this.tell(choice, timeline.details[place], timeline.stacks)
    else if (ref >= 0 && this.view.host.ask && !this.view.kernel.gone) this.ask(choice, ref)
    else this.tell(choice, null, [])
    this.view.drawing.mark()
  }

  /**
   * Show what is known of a choice, if it is still that.
   * @param {Choice} choice
   * @param {import("./details.js").Told} told
   * @param {import("./types.js").Frame[][]} stacks
   */
  tell(choice, told, stacks) {
    if (choice !== this.view.choice) return
    if (Array.isArray(told) && told[1] >= 0) choice.other = told[1]
    const place = this.view.find("details")
    place.innerHTML = details_html(choice, this.view.data.looks, told, stacks)
    place.hidden = false
    // They stand below the lanes, never over them.
    place.scrollIntoView({ block: "nearest" })
  }

  /** @param {Choice} choice @param {number} ref */
  async ask(choice, ref) {
    this.tell(choice, "asked", [])
    const found = await this.view.kernel.details(choice.timeline.number, ref)
    this.tell(choice, found?.detail ?? null, found?.stacks ?? [])
    this.view.drawing.mark()
  }

  clear() {
    this.view.choice = this.wanted = null
    this.view.find("details").hidden = true
    this.view.drawing.mark()
  }

  /** Bring the choice into view. */
  reveal() {
    const { choice, axis } = this.view
    if (!choice) return
    const { timeline } = choice
    const [from, to] = [timeline.to_axis(choice.start), timeline.to_axis(choice.end)]
    if (from >= axis.range.start && to <= axis.range.end) return
    const width = Math.max(axis.range.end - axis.range.start, (to - from) * 1.2)
    axis.show((from + to - width) / 2, (from + to + width) / 2)
  }

  zoom() {
    const { choice, axis } = this.view
    if (!choice) return
    const { timeline, start, end } = choice
    const margin = (end - start) * 0.25
    axis.show(timeline.to_axis(start - margin), timeline.to_axis(end + margin))
  }

  /**
   * Choose the neighbour that a test accepts, before (-1) or after (1) the choice.
   * @param {-1 | 1} way
   * @param {(state: number) => boolean} accepts
   */
  step(way, accepts = () => true) {
    const { choice, kept } = this.view
    if (!choice) return this.first()
    const { timeline, lane, row, segments } = choice
    const low = segments.offsets[lane], high = segments.offsets[lane + 1] - 1
    for (let next = row + way; next >= low && next < high; next += way) {
      if (segments.state[next] === NOTHING || !kept.segment(segments, next)) continue
      if (!accepts(segments.state[next])) continue
      this.choose(timeline, lane, next, segments)
      return this.reveal()
    }
  }

  /** Choose the first segment in view. */
  first() {
    const { timelines, axis, kept } = this.view
    for (const timeline of timelines) {
      for (const lane of timeline.shown.filter((one) => timeline.all.has(one))) {
        const [from, to] = timeline.all.seen(lane, ...axis.span(timeline))
        for (let row = from; row < to; row++) {
          if (kept.segment(timeline.all, row)) return this.choose(timeline, lane, row)
        }
      }
    }
  }

  /**
   * Go to another lane at the same time.
   * @param {Timeline} timeline
   * @param {number} lane
   * @param {number} time
   */
  move_to(timeline, lane, time) {
    const segments = timeline.segments_of(lane, time, time)
    const [from, to] = segments.seen(lane, time, time + 1)
    if (to > from) this.choose(timeline, lane, from, segments)
  }

  /** @param {-1 | 1} way Up or down. */
  move_lane(way) {
    const { choice, timelines } = this.view
    if (!choice) return this.first()
    const places = timelines.flatMap((timeline) =>
      timeline.shown.flatMap((lane) => (timeline.all.has(lane) ? [{ timeline, lane }] : [])))
    const now = places.findIndex(({ timeline, lane }) => timeline === choice.timeline && lane === choice.lane)
    const next = places[now + way]
    if (next) this.move_to(next.timeline, next.lane, (choice.start + choice.end) / 2)
  }

  /** Go to the thread that ended the wait. */
  jump() {
    const { choice } = this.view
    if (!choice || choice.other < 0) return
    this.move_to(choice.timeline, choice.other, Math.max(choice.start, choice.end - 1))
    if (this.view.choice !== choice) this.reveal()
  }

  /** Go to an interval of a finding, and choose it. @param {number} number @param {number} place */
  show_finding(number, place) {
    const { data, timelines, axis, stage } = this.view
    const { build, places } = data.findings[number]
    const timeline = timelines.find((one) => one.key === build) ?? timelines[0]
    const [start, end, , lane] = places[place]
    const margin = (end - start) * 0.2 || 1000
    axis.show(timeline.to_axis(start - margin), timeline.to_axis(end + margin))
    stage.scrollIntoView({ block: "nearest" })
    if (lane < 0 || !timeline.shows(lane)) return this.clear()
    this.choose_at(timeline, lane, (start + end) / 2)
  }

  /**
   * Choose what is there at a time, once more when the kernel has sent it exactly.
   * @param {Timeline} timeline
   * @param {number} lane
   * @param {number} time
   */
  choose_at(timeline, lane, time) {
    const segments = timeline.segments_of(lane, time, time)
    const row = segments.at(lane, time)
    if (row < 0) return this.clear()
    this.choose(timeline, lane, row, segments, true)
    this.wanted = { timeline, lane, time }
  }

  /** After the kernel has sent exact segments. */
  resume() {
    if (this.wanted) this.choose_at(this.wanted.timeline, this.wanted.lane, this.wanted.time)
  }
}
