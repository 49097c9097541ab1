// What the visible range adds up to, as HTML tables: as far as the filters leave it (kept.js).

import { findings_html } from "./findings.js"
import { pool_label } from "./pools.js"
import { sorted } from "./sorting.js"
import { BLOCKED, HOLDING, RUNNING, STATES, STOPPED, WAITING_GIL, WAITING_LOCK } from "./states.js"
import { callback_totals, span_totals, totals } from "./sums.js"
import { count_text, safe, size_text, text_of, things, time_text } from "./text.js"

/** @typedef {import("./timeline.js").Timeline} Timeline */

/**
 * Waits for the locks of one name, of which `lock` is one; ns.
 * @typedef {{ lock: number, locks: Set<number>, count: number, held: number, blocked: number, longest: number }} LockSum
 */

/** @type {Record<string, string>} */
export const TABS = {
  threads: "Threads",
  locks: "Locks",
  callbacks: "Callbacks",
  spans: "Spans",
  blame: "Which thread waits for which",
  difference: "Difference",
  findings: "Findings",
}
const MOST_ROWS = 40

/**
 * @param {string} caption
 * @param {string[]} heads
 * @param {string[][]} rows HTML of the cells.
 * @param {string} empty What is said instead of a table without rows.
 * @param {import("./sorting.js").By | null} [by] What it is sorted by; as it is.
 * @param {string} [key] What it is copied by.
 */
export function table(caption, heads, rows, empty, by = null, key = caption) {
  if (!rows.length) return `<p class="quiet">${safe(caption)}: ${safe(empty)}.</p>`
  const head = heads.map((name, column) => {
    const way = by?.column === column ? ` aria-sort="${by.down ? "descending" : "ascending"}"` : ""
    return `<th scope="col"${way}><button class="link" data-sort="${column}:${safe(caption)}" ` +
      `title="Sort">${safe(name)}</button></th>`
  }).join("")
  const body = sorted(rows, by).slice(0, MOST_ROWS)
    .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`)
  const more = rows.length - MOST_ROWS
  if (more > 0) body.push(`<tr><td colspan="${heads.length}">and ${count_text(more)} more</td></tr>`)
  const button = `<button class="copy" data-copy="${safe(key)}">Copy as CSV</button>`
  return `<div class="scroll"><table><caption>${safe(caption)} ${button}</caption>` +
    `<thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table></div>`
}

/** @param {number} value @param {number} top @param {string} color */
function bar(value, top, color) {
  const share = top ? (100 * value) / top : 0
  const mark = `<i class="bar" style="width:${share.toFixed(1)}%;background:${color}"></i>`
  return time_text(value) + (value ? mark : "")
}

/** @param {number | null} ns */
const time_of = (ns) => (ns === null ? "–" : time_text(ns))

/** What is counted, where that is not all. @param {string} tab @param {string[]} words */
function filter_note(tab, words) {
  if (!words.length) return ""
  const text = tab === "findings" ? "Findings are about whole runs; filters do not apply." : `Only ${words.join(" · ")}`
  return `<p class="quiet filtered">${safe(text)} <button data-role="all">Show all</button></p>`
}

/** The tables of one range, as far as the filters leave it. */
export class Tables {
  /**
   * @param {import("./types.js").Scene} data
   * @param {Timeline[]} timelines
   * @param {import("./kept.js").Kept} kept
   * @param {string[]} words The filters.
   * @param {Map<string, import("./sorting.js").By | null>} [orders] By caption.
   * @param {string} [filter] Rows with this text in them only, in any case.
   */
  constructor({ looks, findings }, timelines, kept, words, orders = new Map(), filter = "") {
    this.orders = orders
    this.filter = filter.trim().toLowerCase()
    /** @type {Map<string, { heads: string[], rows: string[][] }>} Those that were made, by key. */
    this.made = new Map()
    this.looks = looks
    this.findings = findings
    this.timelines = timelines
    this.kept = kept
    this.words = words
  }

  /**
   * HTML of one tab.
   * @param {string} tab
   * @param {[from: number, to: number][]} spans The visible part of each timeline.
   */
  html(tab, spans) {
    const note = filter_note(tab, this.words)
    if (tab === "difference") return note + this.difference(spans)
    if (tab === "findings") return note + findings_html(this.findings, this.timelines, (html) => this.meant(html))
    const columns = this.timelines.map((timeline, place) =>
      `<div class="column"><h3>${safe(timeline.build)}</h3>${this.one(tab, timeline, spans[place])}</div>`)
    return `${note}<div class="columns">${columns.join("")}</div>`
  }

  /** @param {string} tab @param {Timeline} timeline @param {[from: number, to: number]} span */
  one(tab, timeline, [from, to]) {
    if (tab === "locks") return this.locks(timeline, from, to)
    if (tab === "callbacks") return this.callbacks(timeline, from, to)
    if (tab === "spans") return this.spans(timeline, from, to)
    if (tab === "blame") return this.blame(timeline, from, to)
    return this.threads(timeline, from, to)
  }

  /**
   * A table in the order that a reader has set.
   * @param {string} caption
   * @param {string[]} heads
   * @param {string[][]} rows
   * @param {string} empty
   * @param {number} [number] Of the timeline.
   */
  table(caption, heads, rows, empty, number = 0) {
    const key = `${number}:${caption}`, by = this.orders.get(caption) ?? null
    const left = rows.filter((row) => this.meant(row.join(" ")))
    this.made.set(key, { heads, rows: sorted(left, by) })
    return table(caption, heads, left, rows.length ? `no row has “${this.filter}”` : empty, by, key)
  }

  /** Whether what is shown has the text of the filter. @param {string} html */
  meant(html) {
    return !this.filter || text_of(html).toLowerCase().includes(this.filter)
  }

  /** Sums of what is shown of the threads. @param {Timeline} timeline @param {number} from @param {number} to */
  sums(timeline, from, to) {
    return totals(timeline, from, to, timeline.kept_threads, this.kept)
  }

  /** @param {Timeline} timeline @param {number} from @param {number} to */
  threads(timeline, from, to) {
    const { lanes, states } = this.sums(timeline, from, to)
    const top = states.reduce((most, sums) => Math.max(most, ...sums.subarray(0, STATES.length)), 1)
    const cell = (/** @type {Float64Array} */ sums, /** @type {number} */ state) =>
      bar(sums[state], top, this.looks.color[state])
    const rows = lanes.map((lane, place) => {
      const sums = states[place]
      const { name, native } = timeline.lanes[lane]
      const link = `<button class="link" data-lane="${timeline.number}:${lane}">${safe(name)}</button>`
      const [held, off] = this.kept.locks ? [[], []]  // not about locks
        : [[cell(sums, HOLDING), cell(sums, RUNNING), cell(sums, WAITING_GIL)],
           timeline.cpu ? [time_of(timeline.cpu.ready_time(lane, from, to))] : []]
      return [link + (native ? " <small>native</small>" : ""), ...held, cell(sums, WAITING_LOCK),
              time_text(sums[BLOCKED] + sums[STOPPED]), ...off]
    })
    const heads = this.kept.locks ? ["Thread", "Waits for locks", "Blocked"]
      : ["Thread", "Holds the GIL", "Runs without", "Waits for it", "Waits for locks", "Blocked",
         ...(timeline.cpu ? ["Waits for a processor"] : [])]
    return this.table("Threads", heads, rows, "none is shown", timeline.number)
  }

  /**
   * Sums of the waits by lock, those of one name together.
   * @param {Timeline} timeline
   * @param {number} from
   * @param {number} to
   */
  lock_sums(timeline, from, to) {
    const { time, contended, times, longest } = this.sums(timeline, from, to)
    /** @type {Map<number, LockSum>} */
    const sums = new Map()
    const sum_of = (/** @type {number} */ code) => sums.get(timeline.groups[timeline.codes[code][0]])
    timeline.codes.forEach(([lock], code) => {
      if (lock < 0 || !times[code]) return
      const group = timeline.groups[lock]
      const sum = sums.get(group) ?? { lock, locks: new Set(), count: 0, held: 0, blocked: 0, longest: 0 }
      sum.locks.add(lock)
      sum.count += times[code]
      sum.longest = Math.max(sum.longest, longest[code])
      sums.set(group, sum)
    })
    time.forEach((thread, place) => thread.forEach((ns, code) => {
      const sum = sum_of(code), held = contended[place].get(code) ?? 0
      if (!sum) return
      sum.held += held
      sum.blocked += ns - held
    }))
    return [...sums.values()].sort((a, b) => b.held - a.held || b.blocked - a.blocked)
  }

  /** @param {Timeline} timeline @param {number} from @param {number} to */
  locks(timeline, from, to) {
    const sums = this.lock_sums(timeline, from, to)
    const top = Math.max(1, ...sums.flatMap(({ held, blocked }) => [held, blocked]))
    const rows = sums.map((sum) => {
      const { name, kind, group } = timeline.locks[sum.lock], many = sum.locks.size
      const link = `<button class="link" data-lock="${timeline.number}:${sum.lock}">` +
        `${safe(many > 1 ? group : name)}</button>`
      const note = [kind, ...(many > 1 ? [`${count_text(many)} of that name`] : [])].join(", ")
      return [`${link} <small>${safe(note)}</small>`, count_text(sum.count),
              bar(sum.held, top, this.looks.color[WAITING_LOCK]),
              bar(sum.blocked, top, this.looks.color[BLOCKED]),
              sum.longest ? time_text(sum.longest) : "–"]
    })
    return this.table("Locks, events and queues", ["Lock", "Waits", "Contended", "Blocked", "Longest"], rows,
                      "no waits in this range", timeline.number)
  }

  /** @param {Timeline} timeline @param {number} from @param {number} to */
  callbacks(timeline, from, to) {
    if (timeline.callbacks && !timeline.calls) {
      return `<p class="quiet">${things(timeline.callbacks, "callback")}: too many to be shown by ` +
        "range; the summary has their sums.</p>"
    }
    const rows = callback_totals(timeline, from, to, this.kept).map((sum) => [
      safe(sum.label), count_text(sum.count), time_text(sum.time), time_text(sum.enter),
      time_text(sum.longest)])
    const heads = ["Native code called", "Times", "In Python", "Entering", "Longest"]
    return this.table("Callbacks", heads, rows, "no callbacks in this range", timeline.number)
  }

  /** @param {Timeline} timeline @param {number} from @param {number} to */
  spans(timeline, from, to) {
    const rows = span_totals(timeline, from, to, this.kept).map((sum) => [
      safe(sum.label), count_text(sum.count), time_text(sum.time), time_text(sum.longest),
      sum.sized ? size_text(sum.bytes) : "–"])
    const shown = timeline.named?.start.length ?? 0
    const caption = shown < timeline.spans
      ? `Spans, the ${count_text(shown)} longest of ${count_text(timeline.spans)}` : "Spans"
    return this.table(caption, ["Span", "Times", "In all", "Longest", "Bytes"], rows,
                      "no spans in this range", timeline.number)
  }

  /** @param {Timeline} timeline @param {number} from @param {number} to */
  blame(timeline, from, to) {
    const { lanes, contended } = this.sums(timeline, from, to)
    const head = (/** @type {number} */ lane) => timeline.pool_of.get(lane)?.lane ?? lane
    /** @type {Map<number, Map<number, number>>} Time by waiting lane and the lane waited for, or -1. */
    const cells = new Map(lanes.map((lane) => [head(lane), new Map()]))
    contended.forEach((sums, place) => sums.forEach((ns, code) => {
      const row = cells.get(head(lanes[place])), peer = timeline.codes[code][1]
      const other = peer < 0 ? -1 : head(peer)
      if (ns) row?.set(other, (row.get(other) ?? 0) + ns)
    }))
    const waits = [...cells].filter(([, row]) => row.size)
    // Whom they waited for may be hidden.
    const others = new Set([...cells.keys(), ...timeline.threads().map(head), -1])
    const used = [...others].filter((other) => waits.some(([, row]) => row.has(other)))
    const top = waits.reduce((most, [, row]) => Math.max(most, ...row.values()), 1)
    const name = (/** @type {number} */ lane) => {
      const pool = timeline.pool(lane)
      return lane < 0 ? "unknown" : pool ? pool_label(pool, pool.members) : timeline.lanes[lane].name
    }
    const rows = waits.map(([lane, row]) =>
      [safe(name(lane)), ...used.map((other) => this.heat(row.get(other) ?? 0, top))])
    const names = used.map(name)
    return this.table("Waiting threads (rows) and the threads that they waited for (columns)",
                      ["Waits", ...names], rows, "no waits in this range", timeline.number)
  }

  /** @param {number} value @param {number} top */
  heat(value, top) {
    const depth = Math.round((55 * value) / top)
    const wash = `color-mix(in srgb, ${this.looks.color[WAITING_GIL]} ${depth}%, transparent)`
    return value ? `<span class="heat" style="background:${wash}">${time_text(value)}</span>` : "·"
  }

  /** @param {[from: number, to: number][]} spans */
  difference(spans) {
    const sums = this.timelines.map((timeline, place) => {
      const { states } = this.sums(timeline, ...spans[place])
      return STATES.map((state) => states.reduce((sum, row) => sum + row[state], 0))
    })
    const who = this.words.length ? "Visible threads together" : "All threads together"
    const heads = [who, ...this.timelines.map((timeline) => timeline.build)]
    const [first, ...others] = this.timelines.map(({ build }) => build)
    // With two runs it is clear what changed from which to which.
    heads.push(...others.map((build) => (others.length > 1 ? `Change, ${first} to ${build}` : "Change")))
    const shown = this.kept.locks ? [WAITING_LOCK, BLOCKED, STOPPED] : STATES
    const rows = shown.map((state) => {
      const label = this.looks.label[state]
      const key = `<i class="dot" style="background:${this.looks.color[state]}"></i>${safe(label)}`
      const cells = sums.map((sum) => time_text(sum[state]))
      const changes = sums.slice(1).map((sum) => {
        const change = sum[state] - sums[0][state]
        return (change > 0 ? "+" : change < 0 ? "−" : "") + time_text(Math.abs(change))
      })
      return [key, ...cells, ...changes]
    })
    return this.table("What the threads did", heads, rows, "nothing")
  }
}
