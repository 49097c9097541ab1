// From a name to an interval: of those that are shown and kept, if there are any.

Object.assign(View.prototype, {
  /** Go to the lane or the lock of a name, or of the next name that a text is part of. */
  search(text) {
    const word = text.trim().toLowerCase()
    if (!word) return
    const hits = this.timelines.flatMap((timeline) => timeline.lanes.flatMap(({ name }, lane) =>
      (name.toLowerCase().includes(word) ? [[timeline, lane]] : [])))
    const places = hits.length ? hits : this.search_locks(word)
    if (!places.length) return this.say(`no thread, lock or callable is named “${text}”`)
    this.hit = this.searched === word ? (this.hit + 1) % places.length : 0
    this.searched = word
    const [timeline, lane, ...row] = places[this.hit]
    const { name } = timeline.lanes[lane]
    this.set("hidden", this.settings.hidden.filter((one) => one !== name))
    if (row.length) this.choose(timeline, lane, ...row)
    else this.choose_longest(timeline, lane)
    if (this.choice) this.reveal()
    this.say(`${this.hit + 1} of ${places.length} found`)
  },

  /** The longest wait for each lock that a word fits, of those of one name for one of them. */
  search_locks(word) {
    return this.timelines.flatMap((timeline) =>
      this.longest_waits(timeline, timeline.locks.map(({ name }) => name.toLowerCase().includes(word))))
  },

  /** The longest wait for a lock, or one of those that go by its name. */
  longest_wait(timeline, lock) {
    const { groups } = timeline
    return this.longest_waits(timeline, groups.map((group) => group === groups[lock]))
  },

  /** The longest wait for each group of locks of those that fit, bool[locks]; all of them in one go. */
  longest_waits(timeline, fits) {
    const { groups, codes } = timeline, segments = timeline.counted()
    const best = new Map()
    for (const lane of timeline.threads()) {
      for (let row = segments.offsets[lane]; row < segments.offsets[lane + 1] - 1; row++) {
        const [lock] = codes[segments.code[row]]
        if (lock < 0 || !fits[lock]) continue
        const seen = timeline.shows(lane) && this.kept.segment(segments, row)
        const length = segments.duration(row), found = best.get(groups[lock])
        if (found && (found.seen === seen ? found.length >= length : found.seen)) continue
        best.set(groups[lock], { seen, length, hit: [timeline, lane, row, segments] })
      }
    }
    return [...best].sort(([one], [other]) => one - other).map(([, { hit }]) => hit)
  },

  /** Choose what takes longest in the visible part of a lane, rather a wait than nothing. */
  choose_longest(timeline, lane) {
    let best = -1, most = -1
    const [from, to] = timeline.all.seen(lane, ...this.span(timeline))
    for (let row = from; row < to; row++) {
      const idle = timeline.all.state[row] === NOTHING || timeline.all.state[row] === RUNNING
      const weight = (idle ? 1e-6 : 1) * (this.kept.segment(timeline.all, row) ? 1 : 1e-12)
      const length = timeline.all.duration(row) * weight
      if (length > most) [best, most] = [row, length]
    }
    if (best >= 0) this.choose(timeline, lane, best)
  },
})
