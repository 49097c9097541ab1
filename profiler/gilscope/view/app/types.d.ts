// What the page gets from Python (view/data/scene.py), and what it knows of BokehJS and of hosts.

/** A column of numbers: row → value. */
export type Column = Float64Array

/** Columns by name; those that a trace has nothing for are missing. */
export type Columns = Record<string, Column>

/** One lane of a timeline, from the top. */
export interface Lane {
  name: string
  kind: "thread" | "lock" | "callback" | "group"
  native: boolean
  /** Of the thread in the trace; -1 of other lanes. */
  rank: number
}

/** Threads that may share a lane, in all timelines; see Group in view/data/groups.py. */
export interface GroupMeta {
  name: string
  peak: number
}

/** Such a group in one timeline. */
export interface Pool extends GroupMeta {
  /** Its own lane. */
  lane: number
  /** Lanes of its threads. */
  members: number[]
}

/** A picture of a lane, from the bottom row up, between two times in ns. */
export interface LaneImage {
  lane: number
  pixels: Uint8Array
  rows: number
  left: number
  right: number
  width: number
}

export interface Lock {
  name: string
  kind: string
  /** What it is counted as, together with others of that name. */
  group: string
}

/** Lock or -1, lane of the other thread or -1, and whether that one held what was waited for. */
export type Code = [lock: number, peer: number, held: boolean]

/** Own stack, lane of the thread that ended the wait or -1, and its stack. */
export type Detail = [own: number, by: number, other: number, holds?: [lane: number, from: number, to: number][]]

/** Function, file, line, whether it is native, and the text of the line. */
export type Frame = [name: string, file: string, line: number, native: boolean, source?: string]

/** One trace of a comparison, without its columns. */
export interface TimelineMeta {
  /** From the longest to the shortest. */
  titles: string[]
  build: string
  key: string
  lanes: Lane[]
  offsets: number[]
  tally_offsets: number[] | null
  tally_grain: number
  cpu_offsets: number[] | null
  codes: Code[]
  locks: Lock[]
  duration: number
  /** That the program could use; 0: not known. */
  processors: number
  grain: number
  ended_early: boolean
  callbacks: number
  labels: string[]
  spans: number
  span_labels: string[]
  /** Of each sampled stack: its frames in words, and a colour. */
  sampled: [frames: string[], color: string][]
  details: Detail[]
  stacks: Frame[][]
}

/** How states look, by their values. */
export interface Looks {
  label: string[]
  color: string[]
  height: number[]
  stalled: boolean[]
  least: number
  strip: number
  stack: number[]
}

/** A problem that gilscope found. */
export interface Finding {
  name: string
  title: string
  label: string
  page: string
  severity: string
  build: string
  evidence: string[]
  advice: string
  /** Start, end, what the interval shows, and the lane of its thread or -1. */
  places: [start: number, end: number, note: string, lane: number][]
}

/** One control; see Setting in view/data/settings.py. */
export interface SettingMeta {
  name: SettingName
  label: string
  kind: "choice" | "check" | "text"
  options: [value: string, words: string][]
  names: string[]
  placeholder: string
  live: boolean
  width: number
}

/** The data of a view. */
export interface Scene {
  /** Of gilscope. */
  version: string
  columns: Columns
  timelines: TimelineMeta[]
  groups: GroupMeta[]
  looks: Looks
  band: number
  rows: number
  max_boxes: number
  findings: Finding[]
  hidden: string[]
  settings: SettingMeta[]
}

/** What a reader can set. */
export interface Settings {
  align: "start" | "end" | "normalised"
  order: "creation" | "contention" | "waiting" | "name"
  locks: boolean
  callbacks: boolean
  thread: string
  lock: string
  callable: string
  least: string
  search: string
  tab: string
  theme: "auto" | "light" | "dark"
  hidden: string[]
  pinned: string[]
  range: [start: number, end: number] | null
}

export type SettingName = keyof Settings

/** Whether something stays, when it is asked by its name. */
export type Test = (name: string) => boolean

/** Where the pointer is. */
export interface Place {
  timeline: import("./timeline.js").Timeline
  /** On the axis. */
  value: number
  time: number
  lane: number
  row: number
  segments: import("./segments.js").Segments
}

/** The chosen segment. */
export interface Choice {
  timeline: import("./timeline.js").Timeline
  lane: number
  row: number
  segments: import("./segments.js").Segments
  start: number
  end: number
  /** Lane of the thread that it leads to, or -1. */
  other: number
  /** Whether a finding led here: the other lanes are dimmed. */
  alone: boolean
}

/** A segment by its timeline, lane, row and the segments that it is one of. */
export type Hit = [
  timeline: import("./timeline.js").Timeline,
  lane: number,
  row: number,
  segments: import("./segments.js").Segments,
]

/** Segments of a lane that are in view: [from, to) of them. */
export type RowsOf = [
  lane: number,
  rows: [from: number, to: number],
  segments: import("./segments.js").Segments,
]

/** Sums of what threads did. */
export interface Totals {
  lanes: number[]
  /** Time by lane and state. */
  states: Float64Array[]
  /** Time of waits by lane and code. */
  time: Map<number, number>[]
  /** Those of them in which another thread held what was waited for. */
  contended: Map<number, number>[]
  /** Number of waits by code. */
  times: Float64Array
  longest: Float64Array
}

/** Exact segments from the kernel, for a stretch of time. */
export interface Part {
  from: number
  to: number
  segments: import("./segments.js").Segments
}

/** A picture from the kernel. */
export interface Raster {
  from: number
  to: number
  width: number
  images: Map<number, Uint8Array>
}

/** What the kernel answers for a range: segments or pixels. */
export interface RangePart {
  timeline: number
  offsets?: number[]
  lanes: number[]
  rows: number
  width: number
}

/** Controls of the settings, whatever they are made of. */
export interface Panel {
  show(name: SettingName, value: unknown): void
  mark(name: SettingName, bad: boolean): void
  focus(name: SettingName): void
  end?(): void
}

/** What an answer of the kernel has besides its buffers. */
export type Answer = [message: any, buffers: ArrayBuffer[]]

/** Where a view lives: a report or a cell of a notebook. */
export interface Host {
  /** Ask a kernel; null where there is none. */
  ask: ((kind: string, message: object) => Promise<Answer>) | null
  view_of(figure: BokehModel): BokehView | null
  panel?: ((view: import("./view.js").View) => Panel) | null
  settings?: Partial<Settings>
  /** Called when something is set. */
  told?(name: SettingName, value: unknown): void
  /** Called when the view has turned light or dark. */
  themed?(dark: boolean, theme: Settings["theme"]): void
}

/** A model of BokehJS: its properties are what BokehJS documents for it. */
export interface BokehModel {
  setv(values: Record<string, unknown>): void
  [property: string]: any
}

/** A model on the page. */
export interface BokehView {
  el: HTMLElement
  frame: { bbox: { left: number, top: number, width: number, height: number } }
  export(type: "svg", hidpi: boolean): { canvas: SVGSVGElement }
}

export interface BokehDocument {
  clear(): void
  get_model_by_name(name: string): any
}

/** What `globalThis.Bokeh` is. */
export interface BokehLibrary {
  embed: { embed_item(item: object, place: string | Element): Promise<any> }
  index: { find_one(model: BokehModel): BokehView | null }
  documents: BokehDocument[]
  [version: string]: any
}

/** A model of anywidget, which is one of ipywidgets. */
export interface WidgetModel {
  get(name: string): any
  set(name: string, value: unknown): void
  save_changes(): void
  send(message: object): void
  on(event: string, action: (...args: any[]) => void): void
  off(event: string, action: (...args: any[]) => void): void
  widget_manager?: any
}

declare global {
  var Bokeh: BokehLibrary
  interface Element {
    /** The view in this element; for tests and for readers who like the console. */
    gilscope?: import("./view.js").View
  }
}
