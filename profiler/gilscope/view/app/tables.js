// What the visible range adds up to, as HTML tables: as far as the filters leave it (filters.js).

const TABS = {
  threads: "Threads",
  locks: "Locks",
  callbacks: "Callbacks",
  spans: "Spans",
  blame: "Which thread waits for which",
  difference: "Difference",
  findings: "Findings",
}
const MOST_ROWS = 40

/** Sums over lanes of threads between two times; segments that reach out count in part. `kept`: or all. */
function totals(timeline, from, to, lanes, kept) {
  const best = timeline.segments(from, to)
  const segments = best === timeline.all ? timeline.counted() : best
  const { start, state, code, count } = segments
  const codes = timeline.codes.length
  const states = lanes.map(() => new Float64Array(8))
  const time = lanes.map(() => new Float64Array(codes))
  const contended = lanes.map(() => new Float64Array(codes))
  const times = new Float64Array(codes), longest = new Float64Array(codes)
  lanes.forEach((lane, place) => {
    const [low, high] = segments.seen(lane, from, to)
    for (let row = low; row < high; row++) {
      if (kept && !kept.segment(segments, row)) continue
      const part = Math.min(to, start[row + 1]) - Math.max(from, start[row])
      states[place][state[row]] += part
      if (state[row] !== WAITING_GIL && state[row] !== WAITING_LOCK && state[row] !== BLOCKED) continue
      time[place][code[row]] += part
      if (state[row] !== BLOCKED) contended[place][code[row]] += part
      times[code[row]] += count[row]
      if (count[row] === 1) longest[code[row]] = Math.max(longest[code[row]], start[row + 1] - start[row])
    }
  })
  return { lanes, states, time, contended, times, longest }
}

/** Numbers of the callbacks that touch a stretch of time, by what they called. */
function callback_totals(timeline, from, to, kept) {
  const result = timeline.labels.map((label) => ({ label, count: 0, time: 0, enter: 0, longest: 0 }))
  const { calls } = timeline
  if (!calls) return []
  for (let row = 0; row < calls.start.length && calls.start[row] < to; row++) {
    if (calls.start[row] + calls.duration[row] < from || !kept.callback(timeline, row)) continue
    const sum = result[calls.label[row]]
    sum.count += 1
    sum.time += calls.duration[row]
    sum.enter += calls.enter[row]
    sum.longest = Math.max(sum.longest, calls.duration[row])
  }
  return result.filter((sum) => sum.count).sort((a, b) => b.time - a.time)
}

/** Numbers of the spans that touch a stretch of time, by their names. */
function span_totals(timeline, from, to, kept) {
  const result = timeline.span_labels.map((label) =>
    ({ label, count: 0, time: 0, longest: 0, bytes: 0, sized: false }))
  const { named } = timeline
  if (!named) return []
  for (let row = 0; row < named.start.length && named.start[row] < to; row++) {
    if (named.start[row] + named.duration[row] < from || !kept.span(timeline, row)) continue
    const sum = result[named.label[row]]
    sum.count += 1
    sum.time += named.duration[row]
    sum.longest = Math.max(sum.longest, named.duration[row])
    sum.bytes += Math.max(0, named.bytes[row])
    sum.sized ||= named.bytes[row] >= 0
  }
  return result.filter((sum) => sum.count).sort((a, b) => b.time - a.time)
}

function table(caption, heads, rows, empty) {
  if (!rows.length) return `<p class="quiet">${safe(caption)}: ${safe(empty)}.</p>`
  const head = heads.map((name) => `<th scope="col">${safe(name)}</th>`).join("")
  const body = rows.slice(0, MOST_ROWS)
    .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`)
  const more = rows.length - MOST_ROWS
  if (more > 0) body.push(`<tr><td colspan="${heads.length}">and ${count_text(more)} more</td></tr>`)
  return `<div class="scroll"><table><caption>${safe(caption)}</caption>` +
    `<thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table></div>`
}

function bar(value, top, color) {
  const share = top ? (100 * value) / top : 0
  const mark = `<i class="bar" style="width:${share.toFixed(1)}%;background:${color}"></i>`
  return time_text(value) + (value ? mark : "")
}

/** What is the same about some places of a finding stands before the first of them. */
function heading(places, number) {
  const note = places[number][2]
  return number && places[number - 1][2] === note ? "" : `<span>${safe(note || "Show")}:</span> `
}

const when = ([start, end]) => `${time_text(end - start)} at ${Number((start / 1e6).toFixed(1))} ms`

const time_of = (ns) => (ns === null ? "–" : time_text(ns))

/** What is counted, where that is not all. */
function filter_note(tab, words) {
  if (!words.length) return ""
  const text = tab === "findings" ? "Findings are about whole runs; filters do not apply." : `Only ${words.join(" · ")}`
  return `<p class="quiet filtered">${safe(text)} <button data-role="all">Show all</button></p>`
}

class Tables {
  constructor(data, timelines) {
    Object.assign(this, { looks: data.looks, findings: data.findings, timelines })
  }

  /** HTML of one tab for the visible part [from, to] of each timeline, as far as it is kept. */
  html(tab, spans, kept, words) {
    Object.assign(this, { kept, filtered: words.length > 0 })
    const note = filter_note(tab, words)
    if (tab === "difference") return note + this.difference(spans)
    if (tab === "findings") return note + this.found()
    const columns = this.timelines.map((timeline, place) =>
      `<div class="column"><h3>${safe(timeline.build)}</h3>` +
      `${this[tab](timeline, ...spans[place])}</div>`)
    return `${note}<div class="columns">${columns.join("")}</div>`
  }

  /** Sums of what is shown of the threads. */
  sums(timeline, from, to) {
    return totals(timeline, from, to, timeline.shown_threads(), this.kept)
  }

  threads(timeline, from, to) {
    const { lanes, states } = this.sums(timeline, from, to)
    const top = Math.max(1, ...states.flatMap((sums) => [...sums.slice(0, 6)]))
    const cell = (sums, state) => bar(sums[state], top, this.looks.color[state])
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
         ...(timeline.cpu ? ["Off CPU"] : [])]
    return table("Threads", heads, rows, "none is shown")
  }

  locks(timeline, from, to) {
    const { time, contended, times, longest } = this.sums(timeline, from, to)
    const { groups } = timeline, sums = new Map()
    timeline.codes.forEach(([lock], code) => {
      if (lock < 0 || !times[code]) return
      const sum = sums.get(groups[lock]) ??
        { lock, locks: new Set(), count: 0, held: 0, blocked: 0, longest: 0 }
      sum.locks.add(lock)
      sum.count += times[code]
      time.forEach((thread, place) => {
        sum.held += contended[place][code]
        sum.blocked += thread[code] - contended[place][code]
      })
      sum.longest = Math.max(sum.longest, longest[code])
      sums.set(groups[lock], sum)
    })
    const sorted = [...sums.values()].sort((a, b) => b.held - a.held || b.blocked - a.blocked)
    const top = Math.max(1, ...sorted.flatMap(({ held, blocked }) => [held, blocked]))
    const rows = sorted.map((sum) => {
      const { name, kind, group } = timeline.locks[sum.lock], many = sum.locks.size
      const link = `<button class="link" data-lock="${timeline.number}:${sum.lock}">` +
        `${safe(many > 1 ? group : name)}</button>`
      const note = [kind, ...(many > 1 ? [`${count_text(many)} of that name`] : [])].join(", ")
      return [`${link} <small>${safe(note)}</small>`, count_text(sum.count),
              bar(sum.held, top, this.looks.color[WAITING_LOCK]),
              bar(sum.blocked, top, this.looks.color[BLOCKED]),
              sum.longest ? time_text(sum.longest) : "–"]
    })
    return table("Locks, events and queues", ["Lock", "Waits", "Contended", "Blocked", "Longest"], rows,
                 "no waits in this range")
  }

  callbacks(timeline, from, to) {
    if (timeline.callbacks && !timeline.calls) {
      return `<p class="quiet">${count_text(timeline.callbacks)} callbacks: too many to be shown by ` +
        "range; the summary has their sums.</p>"
    }
    const rows = callback_totals(timeline, from, to, this.kept).map((sum) => [
      safe(sum.label), count_text(sum.count), time_text(sum.time), time_text(sum.enter),
      time_text(sum.longest)])
    const heads = ["Native code called", "Times", "In Python", "Entering", "Longest"]
    return table("Callbacks", heads, rows, "no callbacks in this range")
  }

  spans(timeline, from, to) {
    const rows = span_totals(timeline, from, to, this.kept).map((sum) => [
      safe(sum.label), count_text(sum.count), time_text(sum.time), time_text(sum.longest),
      sum.sized ? size_text(sum.bytes) : "–"])
    const shown = timeline.named?.start.length ?? 0
    const caption = shown < timeline.spans
      ? `Spans, the ${count_text(shown)} longest of ${count_text(timeline.spans)}` : "Spans"
    return table(caption, ["Span", "Times", "In all", "Longest", "Bytes"], rows,
                 "no spans in this range")
  }

  blame(timeline, from, to) {
    const { lanes, contended } = this.sums(timeline, from, to)
    // Whom they waited for may be hidden.
    const others = [...new Set([...lanes, ...timeline.threads()])]
    const place_of = new Map(others.map((lane, place) => [lane, place]))
    const cells = lanes.map(() => new Float64Array(others.length + 1))
    timeline.codes.forEach(([, peer], code) => {
      const column = place_of.get(peer) ?? others.length
      contended.forEach((sums, place) => { cells[place][column] += sums[code] })
    })
    const used = [...others.keys(), others.length].filter((column) => cells.some((row) => row[column]))
    const top = Math.max(1, ...cells.flatMap((row) => [...row]))
    const rows = lanes.flatMap((lane, place) => {
      if (!cells[place].some(Boolean)) return []
      const shown = used.map((column) => {
        const value = cells[place][column]
        const depth = Math.round((55 * value) / top)
        const wash = `color-mix(in srgb, ${this.looks.color[WAITING_GIL]} ${depth}%, transparent)`
        return value ? `<span class="heat" style="background:${wash}">${time_text(value)}</span>` : "·"
      })
      return [[safe(timeline.lanes[lane].name), ...shown]]
    })
    const names = used.map((column) =>
      column < others.length ? timeline.lanes[others[column]].name : "unknown")
    return table("Waiting threads (rows) and the threads that they waited for (columns)", ["Waits", ...names], rows,
                 "no waits in this range")
  }

  difference(spans) {
    const sums = this.timelines.map((timeline, place) => {
      const { states } = this.sums(timeline, ...spans[place])
      return [...Array(6).keys()].map((state) => states.reduce((sum, row) => sum + row[state], 0))
    })
    const heads = [this.filtered ? "Visible threads together" : "All threads together", ...this.timelines.map((timeline) => timeline.build)]
    if (sums.length > 1) heads.push("Change")
    const shown = this.kept.locks ? [WAITING_LOCK, BLOCKED, STOPPED] : [...Array(6).keys()]
    const rows = shown.map((state) => {
      const label = this.looks.label[state]
      const key = `<i class="dot" style="background:${this.looks.color[state]}"></i>${safe(label)}`
      const cells = sums.map((sum) => time_text(sum[state]))
      const change = sums.length > 1 ? sums.at(-1)[state] - sums[0][state] : 0
      if (sums.length > 1) cells.push((change > 0 ? "+" : change < 0 ? "−" : "") + time_text(Math.abs(change)))
      return [key, ...cells]
    })
    return table("What the threads did", heads, rows, "nothing")
  }

  found() {
    if (!this.findings.length) {
      return '<p class="quiet">No findings. Reasons to doubt the numbers are listed at the top.</p>'
    }
    return this.findings.map((one, place) => {
      const evidence = one.evidence.map((line) => `<li>${safe(line)}</li>`).join("")
      const jumps = one.places.map((_, number) =>
        `${heading(one.places, number)}<button data-finding="${place}:${number}">${when(one.places[number])}</button>`)
      const build = this.timelines.find((timeline) => timeline.key === one.build)?.build ?? ""
      const about = [build, one.label, one.page || one.name].filter(Boolean).join(" · ")
      return `<article class="finding ${safe(one.severity)}"><h4>${safe(one.title)}` +
        ` <small>${safe(about)}</small></h4><ul>${evidence}</ul>` +
        `<p>${safe(one.advice)}</p><p class="jumps">${jumps.join(" ")}</p></article>`
    }).join("")
  }
}
