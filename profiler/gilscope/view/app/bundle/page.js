// profiler/gilscope/view/app/payload.js
async function unpack(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = new DataView(bytes.buffer).getUint32(0, true);
  const data = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)));
  let at = 4 + size;
  for (const [name, layout] of Object.entries(data.columns)) {
    const [rows, width, steps] = (
      /** @type {[number, number, number]} */
      layout
    );
    data.columns[name] = unfolded(bytes.subarray(at, at + rows * width), rows, width, Boolean(steps));
    at += rows * width;
  }
  return data;
}
function unfolded(planes, rows, width, steps) {
  const result = new Float64Array(rows);
  for (let plane = 0, factor = 1; plane < width; plane++, factor *= 256) {
    for (let row = 0; row < rows; row++) result[row] += planes[plane * rows + row] * factor;
  }
  for (let row = 0, last = 0; row < rows; row++) {
    const folded = result[row];
    const value = folded % 2 ? -(folded + 1) / 2 : folded / 2;
    result[row] = steps ? last += value : value;
  }
  return result;
}

// profiler/gilscope/view/app/states.js
var HOLDING = 0;
var RUNNING = 1;
var WAITING_GIL = 2;
var WAITING_LOCK = 3;
var BLOCKED = 4;
var STOPPED = 5;
var CALLBACK = 6;
var ENTERING = 7;
var NOTHING = 8;
var STATES = [HOLDING, RUNNING, WAITING_GIL, WAITING_LOCK, BLOCKED, STOPPED];

// profiler/gilscope/view/app/segments.js
var Segments = class {
  /**
   * @param {import("./timeline.js").Timeline} timeline
   * @param {import("./types.js").Columns} columns
   * @param {string} prefix Of the columns' names.
   * @param {number[]} offsets Row at which each lane begins; its last row is its end.
   * @param {number} grain Segments shorter than this may have been merged.
   */
  constructor(timeline, columns, prefix, offsets, grain) {
    this.timeline = timeline;
    this.offsets = offsets;
    this.grain = grain;
    this.thread_rows = offsets[Math.min(timeline.threads().length, offsets.length - 1)];
    this.start = columns[`${prefix}start`];
    this.state = columns[`${prefix}state`];
    this.code = columns[`${prefix}code`];
    this.count = columns[`${prefix}count`];
    this.ref = columns[`${prefix}ref`];
    this.detail = columns[`${prefix}detail`];
  }
  /** Whether a lane is among these: parts from the kernel have the lanes of threads only. @param {number} lane */
  has(lane) {
    return lane < this.offsets.length - 1;
  }
  /**
   * First of the rows [low, high) that starts after a time, or high.
   * @param {number} low
   * @param {number} high
   * @param {number} time
   */
  after(low, high, time) {
    while (low < high) {
      const middle = low + high >> 1;
      if (this.start[middle] > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }
  /**
   * Rows [from, to) of a lane that are seen between two times.
   * @param {number} lane
   * @param {number} from_time
   * @param {number} to_time
   * @returns {[from: number, to: number]}
   */
  seen(lane, from_time, to_time) {
    const low = this.offsets[lane], high = this.offsets[lane + 1] - 1;
    if (high < low) return [low, low];
    const from = Math.max(low, this.after(low, high, from_time) - 1);
    let to = this.after(from, high, to_time);
    if (to === from + 1 && this.start[to] <= from_time) to = from;
    return [from, to];
  }
  /**
   * The row of a lane at a time, or -1.
   * @param {number} lane
   * @param {number} time
   */
  at(lane, time) {
    const low = this.offsets[lane], high = this.offsets[lane + 1] - 1;
    const row = this.after(low, high, time) - 1;
    return row < low || time > this.start[row + 1] || this.state[row] === NOTHING ? -1 : row;
  }
  /** @param {number} row */
  duration(row) {
    return this.start[row + 1] - this.start[row];
  }
};

// profiler/gilscope/view/app/text.js
function three_digits(value) {
  if (value >= 999.5) return Math.floor(value + 0.5).toLocaleString("en");
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return String(Math.floor(value * 10 ** decimals + 0.5) / 10 ** decimals);
}
var TIMES = [["s", 1e9], ["ms", 1e6], ["µs", 1e3]];
var SIZES = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]];
function time_text(ns) {
  for (const [unit, factor] of TIMES) {
    if (ns / factor >= 0.9995) return `${three_digits(ns / factor)} ${unit}`;
  }
  return ns ? `${three_digits(ns)} ns` : "0";
}
function size_text(bytes) {
  for (const [unit, factor] of SIZES) {
    if (bytes >= factor) return `${three_digits(bytes / factor)} ${unit}`;
  }
  return `${three_digits(bytes)} B`;
}
var count_text = (number) => Math.round(number).toLocaleString("en");
var things = (number, what) => `${count_text(number)} ${what}${number === 1 ? "" : "s"}`;
var ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
function safe(value) {
  return String(value).replace(/[&<>"']/g, (letter) => ENTITIES[letter]);
}
var LETTERS = Object.fromEntries(Object.entries(ENTITIES).map(([letter, entity]) => [entity, letter]));
function text_of(html) {
  return html.replace(/<[^>]*>/g, "").replace(/&(amp|lt|gt|quot|#39);/g, (entity) => LETTERS[entity]).trim();
}
var words_in = (element) => (element?.textContent ?? "").replace(/\s+/g, " ").trim();
var ruler = null;
function width_of(text, font) {
  ruler ??= /** @type {CanvasRenderingContext2D} */
  document.createElement("canvas").getContext("2d");
  ruler.font = font;
  return ruler.measureText(text).width;
}
var called = (name) => /`(.+)`/.exec(name)?.[1] ?? name;
var prose = (value) => safe(value).replace(/`([^`]+)`/g, "<code>$1</code>");
function short_name(name, letters) {
  const all = name.replace("(anonymous namespace)::", "").replace(".<locals>", "");
  const own = all.length > letters && /`(.+)`|\b((?:created|allocated|first waited for) .+)$/.exec(all);
  const words = own ? own[1] ?? own[2] : all;
  const end = Math.floor(letters * 2 / 5);
  return words.length <= letters ? words : `${words.slice(0, letters - 1 - end)}…${words.slice(-end)}`;
}
function parse_size(text) {
  const [, number, unit] = /^([\d.]+) ([kMG]?B)$/.exec(text) ?? [];
  return Number(number) * (SIZES.find(([name]) => name === unit)?.[1] ?? 1);
}
var UNITS = { ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9 };
function parse_time(text) {
  if (!text.trim()) return 0;
  const match = /^\s*(\d+\.?\d*|\.\d+)\s*(ns|us|µs|ms|s)?\s*$/.exec(text);
  return match ? Number(match[1]) * UNITS[match[2] ?? "µs"] : NaN;
}

// profiler/gilscope/view/app/kernel.js
var Kernel = class {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.queries = 0;
    this.gone = "";
  }
  /** Timelines whose merged segments are coarser than pixels, and that have no part of now. */
  wanted() {
    const { timelines, axis, painters } = this.view;
    return timelines.filter((timeline) => {
      const [from, to] = axis.span(timeline);
      const fine = timeline.part && timeline.part.from <= from && timeline.part.to >= to;
      return timeline.grain && !fine && timeline.grain * 2 > (to - from) / painters[0].width;
    });
  }
  /** Ask for what the merged segments cannot show. */
  async refine() {
    const { view } = this;
    const wanted = this.wanted();
    if (!wanted.length) {
      this.gone = "";
      return;
    }
    const query = ++this.queries;
    const limit = time_text(Math.max(...wanted.map((timeline) => timeline.grain)));
    if (!view.host.ask) {
      this.gone = `details down to ${limit}: shorter intervals are merged in a report`;
      view.drawing.draw();
      return;
    }
    const ranges = wanted.map((timeline) => [timeline.number, ...view.axis.span(timeline)]);
    const lanes = wanted.map(({ number }) => view.painters[number].visible().filter((lane) => view.timelines[number].lanes[lane].kind === "thread"));
    try {
      const [, [buffer]] = await view.host.ask("range", { query, ranges, lanes, width: view.painters[0].width });
      const answer = await unpack(buffer);
      if (query !== this.queries) return;
      this.gone = "";
      view.axis.limit();
      for (const part of answer.parts) this.take(part, answer.columns);
      view.drawing.draw();
      view.table.show();
      view.chooser.resume();
    } catch (error) {
      this.gone = `zoom beyond ${limit} is off: ${message_of(error)}`;
      view.axis.limit();
      view.drawing.draw();
    }
  }
  /**
   * @param {import("./types.js").RangePart} part
   * @param {import("./types.js").Columns} columns
   */
  take(part, columns) {
    const timeline = this.view.timelines[part.timeline];
    const [from, to] = this.view.axis.span(timeline);
    const prefix = `${part.timeline}.`;
    if (part.offsets) {
      timeline.part = { from, to, segments: new Segments(timeline, columns, prefix, part.offsets, 0) };
      timeline.raster = null;
      return;
    }
    const images = /* @__PURE__ */ new Map();
    const pixels = columns[`${prefix}pixels`];
    const size = part.rows * part.width;
    part.lanes.forEach((lane, place) => images.set(lane, Uint8Array.from(pixels.subarray(place * size, (place + 1) * size))));
    timeline.raster = { from, to, width: part.width, images };
  }
  /**
   * The stacks of a segment by its row in the trace.
   * @param {number} timeline
   * @param {number} row
   * @returns {Promise<{ detail: import("./types.js").Detail, stacks: import("./types.js").Frame[][] } | null>}
   */
  async details(timeline, row) {
    const { view } = this;
    if (!view.host.ask) return null;
    try {
      const [message] = await view.host.ask("detail", { timeline, row });
      return message;
    } catch (error) {
      this.gone = `stacks cannot be looked up: ${message_of(error)}`;
      view.drawing.draw();
      return null;
    }
  }
};
var message_of = (error) => error instanceof Error ? error.message : String(error);

// profiler/gilscope/view/app/markdown.js
var CODE = /`([^`]+)`/;
var plain = (text) => text.replace(/[\\`*_[\]<>|]/g, (letter) => `\\${letter}`);
var prose2 = (text) => text.split(CODE).map((part, at) => at % 2 ? `\`${part}\`` : plain(part)).join("");
function written(element) {
  const copy = (
    /** @type {Element | undefined} */
    element?.cloneNode(true)
  );
  if (!copy) return "";
  for (const code of copy.querySelectorAll("code")) code.textContent = `\`${code.textContent}\``;
  return words_in(copy);
}
function cause(line) {
  const advice = written(line.querySelector("small")), all = written(line);
  return advice ? `${all.slice(0, all.length - advice.length).trim()}. ${advice}` : all;
}
function markdown({ box, data, timelines }) {
  const verdict = [...box.querySelectorAll(".outcome p")].map((line, place) => {
    const words = prose2(cause(line).replace(/^[▲▼=–]\s*/, ""));
    return place ? words : `**${words}**`;
  });
  const doubts = [...box.querySelectorAll("p.banner")].map((line) => `> ${prose2(written(line))}`);
  const cards = [...box.querySelectorAll(".cards > *")].map((card) => `- ${[...card.children].map((line) => prose2(written(line))).filter(Boolean).join(" · ")}`);
  const findings = data.findings.map(({ title, build, label, evidence, advice }) => {
    const where = timelines.find(({ key }) => key === build)?.build ?? build;
    return [
      `- **${prose2(title)}** (${plain([where, label].filter(Boolean).join(", "))})`,
      ...evidence.map((line) => `  - ${prose2(line)}`),
      `  - ${prose2(advice)}`
    ].join("\n");
  });
  const parts = [
    `### ${plain(words_in(box.querySelector("h2")))}`,
    verdict.join("  \n"),
    doubts.join("\n>\n"),
    cards.join("\n")
  ];
  if (findings.length) parts.push(["#### Findings", ...findings].join("\n\n"));
  parts.push(`gilscope ${plain(data.version)}`);
  return `${parts.filter(Boolean).join("\n\n")}
`;
}

// profiler/gilscope/view/app/picture.js
var EDGE = 16;
var FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif";
var LINE = 1.35;
var KEYS = { size: 12, line: 20, gap: 18, sign: 6 };
var SHARP = 2;
var NO_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;
var STYLE = "image { image-rendering: pixelated }";
var DARK_STYLE = ".curve-0 { stroke: #4ca6e8 }";
function lines_of(text, width, width_in) {
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length && width_in(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
function heading({ box }, room) {
  const parts = [];
  let y = EDGE;
  for (const element of [box.querySelector("h2"), ...box.querySelectorAll(".outcome p")]) {
    if (!element) continue;
    const { fontSize, fontWeight, color } = getComputedStyle(element), size = Number.parseFloat(fontSize);
    const font = `${fontWeight} ${fontSize} ${FONT}`;
    const words = words_in(element).replace(/^([▲▼=–])\s*/, "$1 ");
    for (const line of lines_of(words, room, (text) => width_of(text, font))) {
      y += size * LINE;
      parts.push(`<text x="${EDGE}" y="${y}" font-size="${size}" font-weight="${fontWeight}" fill="${color}">${safe(line)}</text>`);
    }
    y += KEYS.sign;
  }
  return { html: parts.join(""), end: y + KEYS.sign };
}
function legend({ box }, room, top) {
  const parts = [];
  let x = 0, y = top;
  for (const key of box.querySelectorAll(".legend .key")) {
    const sign = key.querySelector("svg"), words = words_in(key);
    const begin = Number(sign?.getAttribute("width")) + KEYS.sign;
    const width = begin + width_of(words, `${KEYS.size}px ${FONT}`);
    if (x && x + width > room) [x, y] = [0, y + KEYS.line];
    parts.push(`<g transform="translate(${EDGE + x} ${y})">${sign?.outerHTML ?? ""}<text x="${begin}" y="${KEYS.size}" font-size="${KEYS.size}">${safe(words)}</text></g>`);
    x += width + KEYS.gap;
  }
  return { html: parts.join(""), end: y + KEYS.line + KEYS.sign };
}
function figures({ stage, drawing, host }, x, y) {
  const origin = stage.getBoundingClientRect();
  const moved = ({ left, top }) => `translate(${x + left - origin.left} ${y + top - origin.top})`;
  const parts = drawing.figures().map((figure) => {
    const shown = host.view_of(figure);
    if (!shown) return "";
    const svg = new XMLSerializer().serializeToString(shown.export("svg", false).canvas);
    return `<g transform="${moved(shown.el.getBoundingClientRect())}">${svg}</g>`;
  });
  for (const area of stage.querySelectorAll(".names")) {
    const { top, bottom } = area.getBoundingClientRect();
    for (const name of area.querySelectorAll("button:not([data-more])")) {
      const place = name.getBoundingClientRect(), middle = (place.top + place.bottom) / 2;
      if (middle < top || middle > bottom) continue;
      parts.push(`<text x="${x + place.right - origin.left}" y="${y + middle - origin.top + 4}" text-anchor="end" font-size="12">${safe(words_in(name))}</text>`);
    }
  }
  return { html: parts.join(""), end: y + origin.height };
}
function picture(view) {
  const { color, backgroundColor } = getComputedStyle(view.box);
  const room = Math.ceil(view.stage.getBoundingClientRect().width);
  const head = heading(view, room), keys = legend(view, room, head.end), rest = figures(view, EDGE, keys.end);
  const width = room + 2 * EDGE, height = Math.ceil(rest.end) + EDGE;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${safe(FONT)}" color="${color}" fill="${color}"><style>${STYLE}${view.theme.dark ? DARK_STYLE : ""}</style><rect width="${width}" height="${height}" fill="${backgroundColor}"/>${head.html}${keys.html}${rest.html}</svg>`;
  return { svg: svg.replace(NO_XML, "�"), width, height };
}
async function png_of({ svg, width, height }) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = SHARP * width;
  canvas.height = SHARP * height;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => blob ? resolve(blob) : reject(new Error("the browser cannot draw so large a picture")));
  });
}

// profiler/gilscope/view/app/share.js
var LONGEST = 60;
var SOON = 6e4;
function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SOON);
}
async function hand_over(view, copy, blob, end, what) {
  try {
    await copy();
  } catch {
    const name = file_name(view, end);
    save(await blob, name);
    return view.say(`the browser does not let the page use the clipboard: saved ${what} as ${name}`);
  }
  view.say(`copied: ${what}`);
}
function file_name({ box }, end) {
  const title = words_in(box.querySelector("h2")).replace(/[^\p{L}\p{N}.]+/gu, "-").replace(/^[-.]+|-+$/g, "");
  return `gilscope-${title.slice(0, LONGEST) || "view"}${end}`;
}
function copy_text(view, text, type, end, what) {
  return hand_over(view, () => copied(text), new Blob([text], { type }), end, what);
}
function copy_png(view) {
  const png = png_of(picture(view));
  const copy = () => navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
  return hand_over(view, copy, png, ".png", "the picture as PNG");
}
function save_svg(view) {
  const name = file_name(view, ".svg");
  save(new Blob([picture(view).svg], { type: "image/svg+xml" }), name);
  view.say(`saved: the picture as ${name}`);
}
var copy_markdown = (view) => copy_text(view, markdown(view), "text/markdown", ".md", "verdict and findings as Markdown; “Copy PNG” has the picture for it");
async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("the browser does not let the page use the clipboard");
}
var PART = /^view-(\d+)=(-?[\d.e+-]+?),(-?[\d.e+-]+)$/;
function ranges_in(fragment) {
  const found = /* @__PURE__ */ new Map();
  for (const part of decodeURIComponent(fragment.replace(/^#/, "")).split("&")) {
    const [, number, start, end] = PART.exec(part) ?? [];
    if (Number(end) > Number(start)) found.set(Number(number), [Number(start), Number(end)]);
  }
  return found;
}
function with_range(fragment, number, range) {
  const ranges = ranges_in(fragment);
  if (range) ranges.set(number, range);
  else ranges.delete(number);
  const digits = (value) => Number(value.toPrecision(9));
  return [...ranges].sort(([one], [other]) => one - other).map(([view, [start, end]]) => `view-${view}=${digits(start)},${digits(end)}`).join("&");
}

// profiler/gilscope/view/app/axis.js
var LEAST_SPAN = 1e-4;
var GRAINS = 40;
var TimeAxis = class {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.range = view.document.get_model_by_name("time");
    this.whole = view.document.get_model_by_name("whole");
  }
  /** The visible part of a timeline in ns. @param {import("./timeline.js").Timeline} timeline */
  span(timeline) {
    const { start, end } = this.range;
    return (
      /** @type {[number, number]} */
      [timeline.from_axis(start), timeline.from_axis(end)]
    );
  }
  /** @param {import("./types.js").Settings["align"]} by */
  align(by) {
    const { timelines, document: document2, drawing } = this.view;
    const longest = Math.max(1, ...timelines.map((timeline) => timeline.duration)) / 1e6;
    let begin = 0, end = longest, label = "time since the start, ms";
    for (const timeline of timelines) {
      timeline.scale = by === "normalised" ? 100 / Math.max(1, timeline.duration) : 1e-6;
      timeline.shift = by === "end" ? -timeline.duration / 1e6 : 0;
      timeline.part = timeline.raster = null;
    }
    if (by === "end") [begin, end, label] = [-longest, 0, "time before the end, ms"];
    if (by === "normalised") [end, label] = [100, "share of the run, %"];
    document2.get_model_by_name("parallelism").below[0].axis_label = label;
    this.whole.setv({ start: begin, end, reset_start: begin, reset_end: end });
    this.range.setv({ bounds: [begin, end], start: begin, end, reset_start: begin, reset_end: end });
    this.limit();
    drawing.draw_overview();
    this.view.changed();
  }
  align_next() {
    const { settings, data } = this.view;
    const options = data.settings.find(({ name }) => name === "align")?.options ?? [];
    const all = options.map(([by]) => by);
    this.view.set("align", all[(all.indexOf(settings.align) + 1) % all.length]);
  }
  /** The order of what is merged is unknown: without a kernel to ask, one cannot zoom into it. */
  limit() {
    const { host, kernel, timelines } = this.view;
    const limited = !host.ask || kernel.gone;
    const least = timelines.map(({ grain, scale }) => limited ? GRAINS * grain * scale : 0);
    this.range.min_interval = Math.max(LEAST_SPAN, ...least);
    this.show(this.range.start, this.range.end);
  }
  /** @param {number} start @param {number} end On the axis. */
  show(start, end) {
    const [low, high] = this.range.bounds;
    const width = Math.min(high - low, Math.max(this.range.min_interval, end - start));
    const from = Math.min(Math.max(low, start), high - width);
    this.range.setv({ start: from, end: from + width });
  }
  /** Zoom around the pointer, or the middle. @param {number} factor */
  zoom(factor) {
    const { start, end } = this.range;
    const middle = this.view.pointer.place?.value ?? (start + end) / 2;
    const at = middle >= start && middle <= end ? middle : (start + end) / 2;
    this.show(at - (at - start) * factor, at + (end - at) * factor);
  }
  /** @param {number} share Of what is visible. */
  pan(share) {
    const { start, end } = this.range;
    this.show(start + share * (end - start), end + share * (end - start));
  }
  fit() {
    const [low, high] = this.range.bounds;
    this.show(low, high);
  }
  /** Whether everything is visible. */
  fits() {
    const [low, high] = this.range.bounds;
    return this.range.end - this.range.start >= (high - low) * 0.999;
  }
};

// profiler/gilscope/view/app/holders.js
var MOST = 5e3;
var GAP = 2e-3;
var NAMED = 6;
var LEAST_REST = 0.01;
var COLORS = ["#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255"];
var OTHER = "#999999";
function holds(timeline, start, end) {
  const found = [];
  for (const lane of timeline.threads()) {
    const segments = timeline.segments_of(lane, start, end);
    const [first, last] = segments.seen(lane, start, end);
    for (let row = first; row < last; row++) {
      if (segments.state[row] !== HOLDING) continue;
      if (segments.count[row] > 1 || found.length === MOST) return null;
      found.push({ lane, from: Math.max(start, segments.start[row]), to: Math.min(end, segments.start[row + 1]) });
    }
  }
  return found.sort((a, b) => a.from - b.from);
}
function held(found) {
  const sums = /* @__PURE__ */ new Map();
  for (const { lane, from, to } of found) sums.set(lane, (sums.get(lane) ?? 0) + to - from);
  return [...sums].sort(([, a], [, b]) => b - a);
}
function joined(found, gap) {
  const result = [];
  for (const one of found) {
    const last = result.at(-1);
    if (last && last.lane === one.lane && one.from - last.to < gap) last.to = one.to;
    else result.push({ ...one });
  }
  return result;
}
function holders_html(timeline, start, end, every, words, rest) {
  const found = every?.filter(({ from, to }) => to > from);
  if (!found?.length) return "";
  const sums = held(found);
  const colors = new Map(sums.map(([lane], place) => [lane, COLORS[place] ?? OTHER]));
  const share = (ns) => `${(100 * ns / (end - start)).toFixed(2)}%`;
  const bars = joined(found, GAP * (end - start)).map(({ lane, from, to }) => `<i style="left:${share(from - start)};width:${share(to - from)};background:${colors.get(lane)}"></i>`);
  const named = sums.slice(0, NAMED).map(([lane, ns]) => `<span><i class="dot" style="background:${colors.get(lane)}"></i>${safe(timeline.lanes[lane].name)} ${time_text(ns)}</span>`);
  const more = sums.length - NAMED;
  if (more > 0) named.push(`<span>and ${more} more</span>`);
  const left = end - start - sums.reduce((sum, [, ns]) => sum + ns, 0);
  if (left > LEAST_REST * (end - start)) named.push(`<span><i class="dot rest"></i>${rest} ${time_text(left)}</span>`);
  return `<div class="holders" aria-hidden="true">${bars.join("")}</div><p class="holder-names">${words} meanwhile: ${named.join(" ")}</p>`;
}

// profiler/gilscope/view/app/details.js
var SPANS_SHOWN = 4;
var WAITS = [WAITING_GIL, WAITING_LOCK, BLOCKED, STOPPED];
function stack_html(caption, frames) {
  if (!frames?.length) return `<section><h4>${caption}</h4><p class="quiet">no stack in the trace</p></section>`;
  const lines = frames.map(([name, file, line, native, source]) => {
    const base = file.split("/").at(-1);
    const place = base ? `${safe(base)}${line ? `:${line}` : ""}` : "";
    const code = source ? `<code>${safe(source)}</code>` : "";
    return `<li class="${native ? "native" : ""}" title="${safe(file)}"><b>${safe(name)}</b> <small>${place}${native ? " native" : ""}</small>${code}</li>`;
  });
  return `<section><h4>${caption}</h4><ol class="stack">${lines.join("")}</ol></section>`;
}
var name_of = ({ timeline }, lane) => safe(timeline.lanes[lane].name);
var ender = (told) => Array.isArray(told) ? told[1] : -1;
function facts_of(choice, told) {
  const { timeline, lane, row, segments } = choice;
  const [lock, peer, held2] = timeline.codes[segments.code[row]];
  const count = segments.count[row], thread = timeline.lanes[lane].kind === "thread";
  const facts = [
    `<b>${name_of(choice, lane)}</b> · ${safe(timeline.build)}`,
    `from ${(choice.start / 1e6).toFixed(6)} to ${(choice.end / 1e6).toFixed(6)} ms`
  ];
  if (lock >= 0) facts.push(`for <b>${prose(timeline.locks[lock].name)}</b> (${safe(timeline.locks[lock].kind)})`);
  if (peer >= 0) {
    const how = held2 ? "held by" : "ended by", when2 = held2 ? " when it began" : "";
    facts.push(`${how} <b>${name_of(choice, peer)}</b>${when2}`);
  }
  if (thread) {
    const named = timeline.spans_of(lane, choice.start, choice.end);
    for (const one of named.slice(0, SPANS_SHOWN)) facts.push(`<b>${safe(timeline.span_text(one))}</b>`);
    if (named.length > SPANS_SHOWN) facts.push(things(named.length - SPANS_SHOWN, "more span"));
  }
  const by = ender(told);
  const said = peer >= 0 && !held2 && by === peer;
  if (WAITS.includes(segments.state[row]) && by >= 0 && !said) facts.push(`ended by <b>${name_of(choice, by)}</b>`);
  if (count > 1) {
    facts.push(thread ? `${count_text(count)} intervals shorter than ${time_text(segments.grain)}, as one` : `${count_text(count)} intervals one after the other or at the same time`);
  }
  return facts;
}
function stacks_html(choice, told, stacks) {
  const { timeline, lane, row, segments } = choice;
  const state = segments.state[row];
  if (told === "asked") return '<p class="quiet">looking up the stacks …</p>';
  if (!told) {
    if (timeline.lanes[lane].kind !== "thread" || state === RUNNING) return "";
    return `<p class="quiet">${segments.count[row] > 1 ? "Zoom in to see single intervals and their stacks." : "The stacks of this interval are not in this view."}</p>`;
  }
  const [own, by, other] = told, name = name_of(choice, lane);
  if (!WAITS.includes(state)) return `<div class="stacks">${stack_html(name, stacks[own])}</div>`;
  const what = state === WAITING_GIL ? "gives up the GIL" : "ends the wait";
  const caption = by >= 0 ? `${name_of(choice, by)}, which ${what}` : "unknown thread, which ended the wait";
  return `<div class="stacks">${stack_html(`${name}, which waits`, stacks[own])}${stack_html(caption, stacks[other])}</div>`;
}
function held_html({ timeline, row, segments, start, end }, told) {
  const state = segments.state[row];
  if (state === WAITING_GIL) {
    return holders_html(timeline, start, end, holds(timeline, start, end), "Held the GIL", "nobody");
  }
  const known = Array.isArray(told) ? told[3] : null;
  if (state !== WAITING_LOCK || !known) return "";
  const found = known.map(([lane, from, to]) => ({ lane, from, to }));
  return holders_html(timeline, start, end, found, "Had the lock", "not known, or nobody:");
}
function details_html(choice, looks, told, stacks) {
  const { lane, row, segments, other } = choice;
  const state = segments.state[row];
  const jump = other >= 0 && other !== lane ? `<button class="plain" data-role="jump">Go to ${name_of(choice, other)} (J)</button>` : "";
  return `<h3><i class="dot" style="background:${looks.color[state]}"></i>${safe(looks.label[state])}: ${time_text(choice.end - choice.start)}</h3><p>${facts_of(choice, told).join(" · ")} ${jump}</p>` + held_html(choice, told) + stacks_html(choice, told, stacks);
}

// profiler/gilscope/view/app/chooser.js
var Chooser = class {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.wanted = null;
  }
  /**
   * @param {Timeline} timeline
   * @param {number} lane
   * @param {number} row
   * @param {import("./segments.js").Segments} [segments] Those that `row` is one of.
   * @param {boolean} [alone] Whether the other lanes are dimmed.
   */
  choose(timeline, lane, row, segments = timeline.all, alone = false) {
    this.view.lanes.reveal(timeline, lane);
    const [start, end] = [segments.start[row], segments.start[row + 1]];
    const [, peer] = timeline.codes[segments.code[row]];
    const choice = { timeline, lane, row, segments, start, end, other: peer, alone };
    this.wanted = null;
    this.view.choice = choice;
    const place = segments.detail?.[row] ?? -1;
    const ref = segments.ref?.[row] ?? -1;
    if (place >= 0) this.tell(choice, timeline.details[place], timeline.stacks);
    else if (ref >= 0 && this.view.host.ask && !this.view.kernel.gone) this.ask(choice, ref);
    else this.tell(choice, null, []);
    this.view.drawing.mark();
  }
  /**
   * Show what is known of a choice, if it is still that.
   * @param {Choice} choice
   * @param {import("./details.js").Told} told
   * @param {import("./types.js").Frame[][]} stacks
   */
  tell(choice, told, stacks) {
    if (choice !== this.view.choice) return;
    if (Array.isArray(told) && told[1] >= 0) choice.other = told[1];
    const place = this.view.find("details");
    place.innerHTML = details_html(choice, this.view.data.looks, told, stacks);
    place.hidden = false;
    place.scrollIntoView({ block: "nearest" });
  }
  /** @param {Choice} choice @param {number} ref */
  async ask(choice, ref) {
    this.tell(choice, "asked", []);
    const found = await this.view.kernel.details(choice.timeline.number, ref);
    this.tell(choice, found?.detail ?? null, found?.stacks ?? []);
    this.view.drawing.mark();
  }
  clear() {
    this.view.choice = this.wanted = null;
    this.view.find("details").hidden = true;
    this.view.drawing.mark();
  }
  /** Bring the choice into view. */
  reveal() {
    const { choice, axis } = this.view;
    if (!choice) return;
    const { timeline } = choice;
    const [from, to] = [timeline.to_axis(choice.start), timeline.to_axis(choice.end)];
    if (from >= axis.range.start && to <= axis.range.end) return;
    const width = Math.max(axis.range.end - axis.range.start, (to - from) * 1.2);
    axis.show((from + to - width) / 2, (from + to + width) / 2);
  }
  zoom() {
    const { choice, axis } = this.view;
    if (!choice) return;
    const { timeline, start, end } = choice;
    const margin = (end - start) * 0.25;
    axis.show(timeline.to_axis(start - margin), timeline.to_axis(end + margin));
  }
  /**
   * Choose the neighbour that a test accepts, before (-1) or after (1) the choice.
   * @param {-1 | 1} way
   * @param {(state: number) => boolean} accepts
   */
  step(way, accepts = () => true) {
    const { choice, kept } = this.view;
    if (!choice) return this.first();
    const { timeline, lane, row, segments } = choice;
    const low = segments.offsets[lane], high = segments.offsets[lane + 1] - 1;
    for (let next = row + way; next >= low && next < high; next += way) {
      if (segments.state[next] === NOTHING || !kept.segment(segments, next)) continue;
      if (!accepts(segments.state[next])) continue;
      this.choose(timeline, lane, next, segments);
      return this.reveal();
    }
  }
  /** Choose the first segment in view. */
  first() {
    const { timelines, axis, kept } = this.view;
    for (const timeline of timelines) {
      for (const lane of timeline.shown.filter((one) => timeline.all.has(one))) {
        const [from, to] = timeline.all.seen(lane, ...axis.span(timeline));
        for (let row = from; row < to; row++) {
          if (kept.segment(timeline.all, row)) return this.choose(timeline, lane, row);
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
    const segments = timeline.segments_of(lane, time, time);
    const [from, to] = segments.seen(lane, time, time + 1);
    if (to > from) this.choose(timeline, lane, from, segments);
  }
  /** @param {-1 | 1} way Up or down. */
  move_lane(way) {
    const { choice, timelines } = this.view;
    if (!choice) return this.first();
    const places = timelines.flatMap((timeline) => timeline.shown.flatMap((lane) => timeline.all.has(lane) ? [{ timeline, lane }] : []));
    const now = places.findIndex(({ timeline, lane }) => timeline === choice.timeline && lane === choice.lane);
    const next = places[now + way];
    if (next) this.move_to(next.timeline, next.lane, (choice.start + choice.end) / 2);
  }
  /** Go to the thread that ended the wait. */
  jump() {
    const { choice } = this.view;
    if (!choice || choice.other < 0) return;
    this.move_to(choice.timeline, choice.other, Math.max(choice.start, choice.end - 1));
    if (this.view.choice !== choice) this.reveal();
  }
  /** Go to an interval of a finding, and choose it. @param {number} number @param {number} place */
  show_finding(number, place) {
    const { data, timelines, axis, stage } = this.view;
    const { build, places } = data.findings[number];
    const timeline = timelines.find((one) => one.key === build) ?? timelines[0];
    const [start, end, , lane] = places[place];
    const margin = (end - start) * 0.2 || 1e3;
    axis.show(timeline.to_axis(start - margin), timeline.to_axis(end + margin));
    stage.scrollIntoView({ block: "nearest" });
    if (lane < 0 || !timeline.shows(lane)) return this.clear();
    this.choose_at(timeline, lane, (start + end) / 2);
  }
  /**
   * Choose what is there at a time, once more when the kernel has sent it exactly.
   * @param {Timeline} timeline
   * @param {number} lane
   * @param {number} time
   */
  choose_at(timeline, lane, time) {
    const segments = timeline.segments_of(lane, time, time);
    const row = segments.at(lane, time);
    if (row < 0) return this.clear();
    this.choose(timeline, lane, row, segments, true);
    this.wanted = { timeline, lane, time };
  }
  /** After the kernel has sent exact segments. */
  resume() {
    if (this.wanted) this.choose_at(this.wanted.timeline, this.wanted.lane, this.wanted.time);
  }
};

// profiler/gilscope/view/app/controls.js
var KEYS2 = [
  ["W  S", "zoom in, zoom out, around the pointer or the middle"],
  ["A  D", "earlier, later"],
  ["F", "fit: the whole run"],
  ["Shift drag", "zoom to a range of time"],
  [",  .", "interval before, interval after, in the chosen lane (also ← →)"],
  ["↑  ↓", "lane above, lane below"],
  ["PgUp  PgDn", "scroll the lanes, where they do not fit (also the wheel over their names, or with Shift)"],
  ["Z", "zoom to the chosen interval"],
  ["J", "go to the thread that ended the wait"],
  ["N", "next wait of the chosen lane"],
  ["/", "search for a thread, lock or callable"],
  ["E", "align the starts or the ends, or scale runs to one length"],
  ["H  P", "hide the chosen lane, pin it to the top"],
  ["T", "light or dark"],
  ["?", "show these keys"],
  ["Esc", "close, clear the selection, show all lanes"]
];
var fields = 0;
function controls_html() {
  return `<div class="controls" role="toolbar" aria-label="Timelines">
    <span class="group"><button data-role="in" title="Zoom in (W)" aria-label="Zoom in">+</button>
    <button data-role="out" title="Zoom out (S)" aria-label="Zoom out">−</button>
    <button data-role="fit" title="The whole run (F)">Fit</button></span>
    <span class="settings" data-role="settings"></span>
    <span class="group"><button data-role="markdown" title="Verdict and findings, for an issue">Copy as Markdown</button>
    <button data-role="png" title="The picture as it is shown, for the clipboard">Copy PNG</button>
    <button data-role="svg" title="The picture as it is shown, as a file">Save SVG</button></span>
    <span class="group"><button data-role="theme" title="Light or dark (T)" aria-label="Light or dark">◐</button>
    <button data-role="help" title="Keys (?)" aria-label="Keys">?</button></span>
  </div>`;
}
function keys_html() {
  const rows = KEYS2.map(([keys, what]) => {
    const caps = keys.split(/\s+/).map((key) => `<kbd>${safe(key)}</kbd>`).join(" ");
    return `<tr><td>${caps}</td><td>${safe(what)}</td></tr>`;
  });
  return `<div class="keys" hidden><table><caption>Keys</caption><tbody>${rows.join("")}</tbody></table></div>`;
}
var HtmlSettings = class {
  /**
   * @param {import("./view.js").View} view
   * @param {import("./types.js").SettingMeta[]} settings
   */
  constructor(view, settings) {
    const place = view.find("settings");
    place.innerHTML = settings.map(setting_html).join("");
    this.fields = new Map([...place.querySelectorAll(
      /** @type {any} */
      "[data-role]"
    )].map((one) => [one.dataset.role, one]));
    const change = view.guard((event) => {
      const field = (
        /** @type {Field} */
        event.target
      );
      view.set(
        /** @type {SettingName} */
        field.dataset.role,
        field instanceof HTMLInputElement && field.type === "checkbox" ? field.checked : field.value
      );
    });
    place.addEventListener("change", change);
    place.addEventListener("input", (event) => {
      if ("live" in /** @type {Field} */
      event.target.dataset) change(event);
    });
    for (const [name, value] of Object.entries(view.settings)) {
      this.show(
        /** @type {SettingName} */
        name,
        value
      );
    }
  }
  /** @param {SettingName} name @param {unknown} value */
  show(name, value) {
    const field = this.fields.get(name);
    if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = Boolean(value);
    else if (field && field.value !== value) field.value = String(value);
  }
  /** @param {SettingName} name @param {boolean} bad */
  mark(name, bad) {
    this.fields.get(name)?.setAttribute("aria-invalid", String(bad));
  }
  /** @param {SettingName} name */
  focus(name) {
    this.fields.get(name)?.focus();
  }
};
function setting_html({ name, label, kind, options, names, placeholder, live, width }) {
  const role = `data-role="${name}"`;
  if (kind === "check") return `<label><input type="checkbox" ${role}> ${safe(label)}</label>`;
  if (kind === "choice") {
    const all2 = options.map(([value, words]) => `<option value="${safe(value)}">${safe(words)}</option>`);
    return `<label>${safe(label)} <select ${role}>${all2.join("")}</select></label>`;
  }
  const list = names.length ? `gilscope-names-${++fields}` : "";
  const all = names.map((one) => `<option value="${safe(one)}"></option>`).join("");
  return `<label>${safe(label)} <input ${role} size="${width}" placeholder="${safe(placeholder)}"${live ? " data-live" : ""}${list ? ` list="${list}"` : ""}></label>` + (list ? `<datalist id="${list}">${all}</datalist>` : "");
}

// profiler/gilscope/view/app/marks.js
var MOST_ARROWS = 5;
var LEAST_WAIT = 12;
var APART = 120;
var HALF = 0.5;
function draw_choice(painter, choice) {
  const { timeline } = painter;
  const chosen = no_boxes();
  const link = (
    /** @type {Record<"x0" | "y0" | "x1" | "y1", number[]>} */
    { x0: [], y0: [], x1: [], y1: [] }
  );
  const level = choice?.timeline === timeline ? timeline.level(choice.lane) : null;
  if (choice && level !== null) {
    const bottom = painter.bottom(choice.lane), x = timeline.to_axis(choice.end);
    chosen.left.push(timeline.to_axis(choice.start));
    chosen.right.push(x);
    chosen.bottom.push(bottom);
    chosen.top.push(bottom + painter.band);
    const other = choice.other >= 0 ? timeline.seat(choice.other) : null;
    if (other !== null) {
      link.x0.push(x);
      link.x1.push(x);
      link.y0.push(level);
      link.y1.push(other);
    }
  }
  painter.chosen.data = chosen;
  painter.link.data = link;
  dim(painter, choice);
}
function dim(painter, choice) {
  const { timeline } = painter;
  const data = no_boxes();
  const mine = choice?.timeline === timeline ? [choice.lane, choice.other].map((lane) => timeline.seat(lane)) : [];
  for (const lane of choice?.alone ? painter.visible() : []) {
    const level = Number(timeline.level(lane)), half = timeline.height_of(lane) / 2;
    if (mine.includes(level)) continue;
    data.left.push(timeline.to_axis(0));
    data.right.push(timeline.to_axis(timeline.duration));
    data.bottom.push(level - half);
    data.top.push(level + half);
  }
  painter.veil.data = data;
}
function longest_waits({ timeline, width }, from, to, rows_of, kept) {
  const pixel = (to - from) / width;
  const found = [];
  for (const [lane, [low, high], segments] of rows_of) {
    if (timeline.lanes[lane].kind !== "thread") continue;
    const { start, state, code, count } = segments;
    for (let row = low; row < high; row++) {
      if (state[row] !== WAITING_GIL && state[row] !== WAITING_LOCK || count[row] !== 1) continue;
      const length = start[row + 1] - start[row];
      if (length < LEAST_WAIT * pixel || !kept.segment(segments, row)) continue;
      const [, peer, held2] = timeline.codes[code[row]];
      if (peer < 0 || timeline.seat(peer) === null || timeline.seat(peer) === timeline.seat(lane)) continue;
      const time = held2 ? start[row] : start[row + 1];
      if (time >= from && time <= to) found.push({ length, time, lane, peer });
    }
  }
  found.sort((a, b) => b.length - a.length);
  const chosen = [];
  for (const one of found) {
    if (chosen.length === MOST_ARROWS) break;
    if (chosen.every(({ time }) => Math.abs(time - one.time) >= APART * pixel)) chosen.push(one);
  }
  return chosen;
}
function draw_arrows(painter, from, to, rows_of, kept) {
  const { timeline } = painter;
  const data = (
    /** @type {Record<"x0" | "y0" | "x1" | "y1" | "angle", number[]>} */
    { x0: [], y0: [], x1: [], y1: [], angle: [] }
  );
  for (const { time, lane, peer } of longest_waits(painter, from, to, rows_of, kept)) {
    const [begin, end] = [Number(timeline.seat(lane)), Number(timeline.seat(peer))];
    data.x0.push(timeline.to_axis(time));
    data.x1.push(timeline.to_axis(time));
    data.y0.push(begin);
    data.y1.push(end);
    data.angle.push(end > begin ? 0 : Math.PI);
  }
  painter.arrows.data = data;
}
function draw_entries(painter, from, to) {
  const { timeline, width, band } = painter, { entries } = timeline;
  const data = no_boxes();
  const pixel = (to - from) / width;
  let last = -1, last_end = 0;
  for (let row = 0; entries && row < entries.start.length; row++) {
    const lane = entries.lane[row], start = entries.start[row], end = start + entries.duration[row];
    if (end < from || start > to || !timeline.has_place(lane)) continue;
    const right = timeline.to_axis(Math.max(end, start + pixel));
    if (lane === last && start - last_end < pixel) data.right[data.right.length - 1] = right;
    else {
      const bottom = painter.bottom(lane);
      data.left.push(timeline.to_axis(start));
      data.right.push(right);
      data.bottom.push(bottom);
      data.top.push(bottom + band * HALF);
    }
    last = lane;
    last_end = Math.max(end, start + pixel);
  }
  painter.entries.data = data;
}
function no_boxes() {
  return (
    /** @type {Record<"left" | "right" | "bottom" | "top", number[]>} */
    { left: [], right: [], bottom: [], top: [] }
  );
}

// profiler/gilscope/view/app/drawing.js
var NAME_LETTERS = 26;
var FEWEST_LETTERS = 9;
var PARALLELISM = ["Parallelism: threads that have a processor", "Parallelism"];
var WHOLE_RUN = [
  "The whole run: threads that have a processor; shaded: what is shown below",
  "The whole run: threads that have a processor",
  "The whole run"
];
var OVERVIEW_COLUMNS = 400;
var MARK = 0.12;
function fitting(titles, { inner_width, title }) {
  const font = `bold ${title.text_font_size} ${title.text_font}`;
  return titles.find((text) => width_of(text, font) <= inner_width) ?? titles[titles.length - 1];
}
var Drawing = class {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.plans = [];
  }
  figures() {
    const { document: document2, timelines } = this.view;
    const names = ["overview", "parallelism", ...timelines.map(({ number }) => `timeline-${number}`)];
    return names.map((name) => document2.get_model_by_name(name));
  }
  /** In a narrow page, names, titles and ticks take less room. */
  fit_page() {
    const { view } = this;
    const letters = Math.max(FEWEST_LETTERS, Math.min(NAME_LETTERS, Math.floor(view.box.clientWidth / 36)));
    if (letters !== view.letters) {
      view.letters = letters;
      view.lanes.arrange();
      let longest = 0;
      for (const { lanes } of view.timelines) {
        for (const { name } of lanes) longest = Math.max(longest, short_name(name, letters).length);
      }
      for (const figure of this.figures()) figure.min_border_left = 24 + 7 * longest;
    }
    const ticks = Math.max(2, Math.min(8, Math.floor(view.painters[0].width / 60)));
    for (const figure of this.figures()) figure.below[0].ticker.desired_num_ticks = ticks;
    for (const { figure, timeline } of view.painters) figure.title.text = fitting(timeline.titles, figure);
    const whole = view.axis.fits() ? WHOLE_RUN.slice(1) : WHOLE_RUN;
    for (
      const [name, titles] of
      /** @type {const} */
      [["parallelism", PARALLELISM], ["overview", whole]]
    ) {
      const figure = view.document.get_model_by_name(name);
      figure.title.text = fitting(titles, figure);
    }
  }
  draw() {
    const { view } = this;
    const plans = this.plans = view.painters.map((painter) => this.plan(painter));
    let count = 0;
    for (const { rows_of } of plans) for (const [, [low, high]] of rows_of) count += high - low;
    const folded = plans.reduce((sum, { shared }) => sum + shared, 0);
    const few = count <= view.data.max_boxes && !plans.some(coarse);
    let progress2 = 1;
    for (const plan of plans) progress2 = Math.max(progress2, this.draw_one(plan, few));
    this.mark();
    view.document.get_model_by_name("parallelism-height").setv({ start: 0, end: progress2 * 1.08 });
    this.say(count + folded);
    view.gutter.show();
    view.find("tip").hidden = true;
    view.document.get_model_by_name("overview-mark")?.setv({ fill_alpha: view.axis.fits() ? 0 : MARK });
    view.box.dataset.drawn = few ? "boxes" : "raster";
  }
  /** Mark the choice; without one, the longest waits. */
  mark() {
    const { choice, kept } = this.view;
    for (const { painter, from, to, rows_of } of this.plans) {
      draw_choice(painter, choice);
      draw_arrows(painter, from, to, choice ? [] : rows_of, kept);
    }
  }
  /** @param {Painter} painter @returns {Plan} */
  plan(painter) {
    const { timeline } = painter;
    const [from, to] = this.view.axis.span(timeline);
    const seen = (lane) => {
      const segments = timeline.segments_of(lane, from, to);
      return (
        /** @type {import("./types.js").RowsOf} */
        [lane, segments.seen(lane, from, to), segments]
      );
    };
    const lanes = painter.visible();
    const pools = timeline.pools.filter(({ lane }) => lanes.includes(lane));
    let shared = 0;
    for (const pool of pools) {
      for (const lane of timeline.members(pool)) {
        if (timeline.has_place(lane)) continue;
        const [, [low, high]] = seen(lane);
        shared += high - low;
      }
    }
    const own = lanes.filter((lane) => timeline.lanes[lane].kind !== "group");
    return { painter, from, to, rows_of: own.map(seen), pools, shared };
  }
  /** Report the visible range and the number of segments in it. @param {number} count */
  say(count) {
    const { axis: { range }, settings, kernel } = this.view;
    const unit = settings.align === "normalised" ? " %" : " ms";
    const [start, end] = [range.start, range.end].map((value) => Number(value.toPrecision(6)));
    this.view.say(`${start} to ${end}${unit} · ${things(count, "segment")} in view` + (kernel.gone ? ` · ${kernel.gone}` : ""));
  }
  /** Draw one timeline; returns the most threads that make progress. @param {Plan} plan @param {boolean} few */
  draw_one({ painter, from: start, to: end, rows_of, pools }, few) {
    const { timeline } = painter, { kept, axis } = this.view;
    const { raster } = timeline;
    const ready = kept.all && raster && raster.from === start && raster.to === end && raster.width === painter.width ? raster.images : null;
    const [from, to, width] = few || ready ? (
      /** @type {[number, number, number]} */
      [start, end, painter.width]
    ) : painter.grid(start, end);
    painter.draw_words(start, end, few ? rows_of : [], kept);
    if (few) painter.draw_boxes(rows_of, kept);
    const images = few ? [] : rows_of.map(([lane, , segments]) => {
      const pixels = ready?.get(lane) ?? painter.stacked(painter.shares(
        segments,
        segments.seen(lane, from, to),
        from,
        to,
        width,
        kept
      ), width);
      return { lane, pixels, rows: painter.rows, left: from, right: to, width };
    });
    painter.draw_images([...images, ...pools.map((pool) => painter.group_image(pool, start, end, kept))]);
    draw_entries(painter, start, end);
    painter.draw_spans(start, end, kept);
    painter.draw_samples(start, end);
    painter.box_view.visible = few;
    painter.draw_ready(start, end);
    painter.draw_marks(axis.range);
    return painter.draw_progress(painter.parallelism, timeline.kept_threads, from, to, width);
  }
  /** Compute the curves above all: they show whole runs. */
  draw_overview() {
    let most = 1;
    for (const painter of this.view.painters) {
      const { timeline } = painter;
      most = Math.max(most, painter.draw_progress(
        painter.overview,
        timeline.threads(),
        0,
        timeline.duration,
        OVERVIEW_COLUMNS
      ));
    }
    this.view.document.get_model_by_name("overview-height").setv({ start: 0, end: most * 1.1 });
  }
};
function coarse({ painter: { timeline }, from, to, rows_of }) {
  const { raster, tally, part, lanes } = timeline;
  if (raster && raster.from === from && raster.to === to) return true;
  return tally !== null && rows_of.some(([lane, , segments]) => lanes[lane].kind === "thread" && segments !== part?.segments);
}

// profiler/gilscope/view/app/finder.js
var Finder = class {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.searched = "";
    this.hit = 0;
  }
  /** Go to the lane or the lock of a name, or of the next name that a text is part of. @param {string} text */
  search(text) {
    const word = text.trim().toLowerCase();
    if (!word) return;
    const { view } = this;
    const lanes = this.search_lanes(word);
    const places = lanes.length ? lanes : this.search_locks(word);
    if (!places.length) return view.say(`no thread, lock or callable is named “${text}”`);
    this.hit = this.searched === word ? (this.hit + 1) % places.length : 0;
    this.searched = word;
    const [timeline, lane, row, segments] = places[this.hit];
    const { name } = timeline.lanes[lane];
    view.set("hidden", view.settings.hidden.filter((one) => one !== name));
    if (row >= 0) view.chooser.choose(timeline, lane, row, segments);
    else this.choose_longest(timeline, lane);
    view.chooser.reveal();
    view.say(`${this.hit + 1} of ${places.length} found`);
  }
  /** Search, or once more for the same: the next one. @param {string} text */
  search_again(text) {
    if (text === this.view.settings.search) this.search(text);
    else this.view.set("search", text);
  }
  /** The lanes whose names a word fits; the row is open. @param {string} word @returns {Hit[]} */
  search_lanes(word) {
    return this.view.timelines.flatMap((timeline) => timeline.lanes.flatMap(({ name, kind }, lane) => kind !== "group" && name.toLowerCase().includes(word) ? [
      /** @type {Hit} */
      [timeline, lane, -1, timeline.all]
    ] : []));
  }
  /** The longest wait for each lock that a word fits, of those of one name for one of them. @param {string} word */
  search_locks(word) {
    return this.view.timelines.flatMap((timeline) => this.longest_waits(timeline, timeline.locks.map(({ name }) => name.toLowerCase().includes(word))));
  }
  /**
   * The longest wait for a lock, or one of those that go by its name.
   * @param {Timeline} timeline
   * @param {number} lock
   */
  longest_wait(timeline, lock) {
    const { groups } = timeline;
    return this.longest_waits(timeline, groups.map((group) => group === groups[lock]));
  }
  /**
   * The longest wait for each group of locks of those that fit; all of them in one go.
   * @param {Timeline} timeline
   * @param {boolean[]} fits By lock.
   * @returns {Hit[]}
   */
  longest_waits(timeline, fits) {
    const { groups, codes } = timeline, segments = timeline.counted();
    const best = /* @__PURE__ */ new Map();
    for (const lane of timeline.threads()) {
      for (let row = segments.offsets[lane]; row < segments.offsets[lane + 1] - 1; row++) {
        const [lock] = codes[segments.code[row]];
        if (lock < 0 || !fits[lock]) continue;
        const seen = timeline.shows(lane) && this.view.kept.segment(segments, row);
        const length = segments.duration(row), found = best.get(groups[lock]);
        if (found && (found.seen === seen ? found.length >= length : found.seen)) continue;
        best.set(groups[lock], { seen, length, hit: [timeline, lane, row, segments] });
      }
    }
    return [...best].sort(([one], [other]) => one - other).map(([, { hit }]) => hit);
  }
  /**
   * Choose what takes longest in the visible part of a lane, rather a wait than nothing.
   * @param {Timeline} timeline
   * @param {number} lane
   */
  choose_longest(timeline, lane) {
    const { all } = timeline;
    let best = -1, most = -1;
    const [from, to] = all.seen(lane, ...this.view.axis.span(timeline));
    for (let row = from; row < to; row++) {
      const idle = all.state[row] === NOTHING || all.state[row] === RUNNING;
      const weight = (idle ? 1e-6 : 1) * (this.view.kept.segment(all, row) ? 1 : 1e-12);
      const length = all.duration(row) * weight;
      if (length > most) [best, most] = [row, length];
    }
    if (best >= 0) this.view.chooser.choose(timeline, lane, best);
  }
  /** Choose the longest wait for a lock. @param {Timeline} timeline @param {number} lock */
  choose_wait(timeline, lock) {
    for (const [, lane, row, segments] of this.longest_wait(timeline, lock)) {
      this.view.chooser.choose(timeline, lane, row, segments);
    }
  }
};

// profiler/gilscope/view/app/raster.js
function shares(segments, [from, to], left, right, width, kinds, kept) {
  const { start, state } = segments;
  const scale = width / (right - left);
  const result = new Float64Array(kinds * width);
  for (let row = from; row < to; row++) {
    if (state[row] === NOTHING || kept && !kept.segment(segments, row)) continue;
    const offset = state[row] * width;
    const x0 = Math.max(0, (start[row] - left) * scale);
    const x1 = Math.min(width, (start[row + 1] - left) * scale);
    const last = Math.min(width - 1, Math.floor(x1));
    for (let column = Math.floor(x0); column <= last; column++) {
      const part = Math.min(x1, column + 1) - Math.max(x0, column);
      if (part > 0) result[offset + column] += part;
    }
  }
  return result;
}
var Spread = class {
  /**
   * @param {number} left ns
   * @param {number} right ns
   * @param {number} width Columns.
   * @param {number} kinds Number of states.
   */
  constructor(left, right, width, kinds) {
    this.left = left;
    this.scale = width / (right - left);
    this.width = width;
    this.parts = new Float64Array(kinds * width);
    this.steps = new Float64Array(kinds * width + 1);
  }
  /**
   * @param {import("./segments.js").Segments} segments
   * @param {[from: number, to: number]} rows Those of a lane that are in view.
   * @param {import("./kept.js").Kept | null} kept null for all segments.
   */
  add(segments, [from, to], kept) {
    const { start, state } = segments, { left, scale, width, parts, steps } = this;
    for (let row = from; row < to; row++) {
      if (state[row] === NOTHING || kept && !kept.segment(segments, row)) continue;
      const offset = state[row] * width;
      const x0 = Math.max(0, (start[row] - left) * scale);
      const x1 = Math.min(width, (start[row + 1] - left) * scale);
      if (x1 <= x0) continue;
      const first = Math.floor(x0), last = Math.min(width - 1, Math.floor(x1));
      if (first === last) {
        parts[offset + first] += x1 - x0;
        continue;
      }
      parts[offset + first] += first + 1 - x0;
      parts[offset + last] += x1 - last;
      steps[offset + first + 1] += 1;
      steps[offset + last] -= 1;
    }
  }
  /** Float64Array[kinds * width]. */
  sums() {
    const result = this.parts.slice();
    for (let at = 0, level = 0; at < result.length; at++) {
      level = (at % this.width ? level : 0) + this.steps[at];
      result[at] += level;
    }
    return result;
  }
};
function stacked(share, width, rows, looks) {
  const result = new Uint8Array(rows * width);
  for (let column = 0; column < width; column++) {
    let bottom = 0;
    for (const code of looks.stack) {
      const part = share[code * width + column];
      if (part <= 0) continue;
      let height = Math.floor(part * looks.height[code] * rows + 0.5);
      if (looks.stalled[code] || code === CALLBACK) {
        height = Math.max(height, Math.floor(rows / looks.least));
      }
      const top = Math.min(rows, bottom + height);
      for (let row = bottom; row < top; row++) result[row * width + column] = code + 1;
      bottom = top;
    }
  }
  return result;
}

// profiler/gilscope/view/app/pools.js
var POOL_HEIGHT = 3;
var ROWS = 96;
var FROM = 8;
function pools_of(lanes, group, groups) {
  const pools = groups.map(({ name, peak }, number) => ({ name, peak, lane: lanes.length + number, members: (
    /** @type {number[]} */
    []
  ) }));
  group?.forEach((number, lane) => {
    if (number >= 0) pools[number].members.push(lane);
  });
  return pools;
}
var pool_label = ({ name }, members) => `${name} × ${count_text(members.length)}`;
var many = (members) => members.length >= FROM;
function counts(timeline, members, left, right, width, kinds, kept) {
  const spread = new Spread(left, right, width, kinds);
  for (const lane of members) {
    const segments = timeline.segments_of(lane, left, right);
    spread.add(segments, segments.seen(lane, left, right), kept);
  }
  return spread.sums();
}
function areas(sums, width, peak, looks) {
  const pixels = new Uint8Array(ROWS * width);
  for (let column = 0; column < width; column++) {
    let level = 0, bottom = 0;
    for (const code of looks.stack) {
      const count = sums[code * width + column];
      if (!(count > 0)) continue;
      level += count;
      const least = looks.stalled[code] ? bottom + 1 : bottom;
      const top = Math.min(ROWS, Math.max(least, Math.round(level / Math.max(1, peak) * ROWS)));
      for (let row = bottom; row < top; row++) pixels[row * width + column] = code + 1;
      bottom = top;
    }
  }
  return { pixels, rows: ROWS };
}
function pool_tip(timeline, pool, members, time, looks) {
  const found = looks.label.map(() => 0);
  for (const lane of members) {
    const segments = timeline.segments_of(lane, time, time), row = segments.at(lane, time);
    if (row >= 0) found[segments.state[row]] += 1;
  }
  const alive = found.reduce((sum, one) => sum + one, 0);
  const lines = looks.stack.flatMap((code) => found[code] ? [`${count_text(found[code])} ${safe(looks.label[code])}`] : []);
  return [
    `<b>${safe(pool_label(pool, members))}</b> at ${(time / 1e6).toFixed(3)} ms`,
    ...lines,
    `${count_text(alive)} alive, ${count_text(pool.peak)} at most`
  ].join("<br>");
}

// profiler/gilscope/view/app/gutter.js
var BAR = 16;
var Gutter = class {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.box = document.createElement("div");
    this.box.className = "gutter";
    this.parts = /* @__PURE__ */ new Map();
  }
  start() {
    const { view } = this;
    view.stage.append(this.box);
    for (const painter of view.painters) {
      const names = document.createElement("div"), bar2 = document.createElement("div");
      names.className = "names";
      bar2.className = "bar-of-lanes";
      bar2.tabIndex = 0;
      bar2.setAttribute("role", "group");
      bar2.setAttribute("aria-label", `Scroll the lanes of the ${painter.timeline.build}`);
      bar2.innerHTML = "<i></i>";
      bar2.addEventListener("scroll", view.guard(() => {
        const top = bar2.scrollTop / painter.pixels;
        if (Math.abs(top - painter.top) * painter.pixels >= 1) view.lanes.scroll(top);
      }));
      names.addEventListener("click", view.guard((event) => this.press(painter, event)));
      this.box.append(names, bar2);
      this.parts.set(painter, { names, bar: bar2, html: "" });
    }
    const sizes = new ResizeObserver(view.guard(() => this.show()));
    for (const { figure } of view.painters) {
      const shown = view.host.view_of(figure);
      if (shown) sizes.observe(shown.el);
    }
    view.stage.addEventListener("wheel", view.guard((event) => this.wheel(event)), { capture: true, passive: false });
  }
  /** Unfold or fold. @param {Painter} painter @param {any} event */
  press({ timeline }, { target }) {
    const { pool, more } = target.dataset, { lanes } = this.view;
    if (pool === void 0) return;
    const found = timeline.pools[Number(pool)];
    if (more === void 0 && lanes.open(timeline, found)) lanes.fold(timeline, found);
    else lanes.more(found.name);
    const again = `[data-pool="${pool}"]${more === void 0 ? "" : "[data-more]"}`;
    const button = (
      /** @type {HTMLElement | null} */
      this.box.querySelector(again)
    );
    button?.focus({ preventScroll: true });
  }
  /** Over names, or with Shift, the wheel scrolls lanes; elsewhere it zooms time. @param {WheelEvent} event */
  wheel(event) {
    const over = this.view.painters.find((painter) => {
      const area = this.area(painter);
      if (!area || painter.window >= painter.timeline.height) return false;
      const x = event.clientX - area.x, y = event.clientY - area.y;
      const beside = x < area.left || x > area.left + area.width;
      return y >= area.top && y < area.top + area.height && (beside || event.shiftKey);
    });
    if (!over) return;
    event.preventDefault();
    event.stopPropagation();
    this.view.lanes.scroll(over.top + (event.deltaY || event.deltaX) / over.pixels);
  }
  /** One window of lanes up or down. @param {-1 | 1} way */
  page(way) {
    const longest = this.view.painters.reduce((a, b) => b.timeline.height > a.timeline.height ? b : a);
    this.view.lanes.scroll(longest.top + way * longest.window);
  }
  /** Where the lanes of a timeline are: in the stage, which is at (x, y) in the window. @param {Painter} painter */
  area({ figure }) {
    const shown = this.view.host.view_of(figure);
    if (!shown?.el) return null;
    const { left: x, top: y } = this.view.stage.getBoundingClientRect();
    const { left, top } = shown.el.getBoundingClientRect();
    const { bbox } = shown.frame;
    return { x, y, left: left - x + bbox.left, top: top - y + bbox.top, width: bbox.width, height: bbox.height };
  }
  /** Put everything where it belongs. */
  show() {
    for (const [painter, part] of this.parts) {
      const { timeline, pixels, top, window } = painter, area = this.area(painter);
      if (!area) continue;
      const { names, bar: bar2 } = part;
      Object.assign(names.style, { left: "0", width: `${area.left}px`, top: `${area.top}px`, height: `${area.height}px` });
      const html = timeline.pools.map((pool, number) => this.name_html(painter, pool, number)).join("");
      if (html !== part.html) names.innerHTML = part.html = html;
      bar2.hidden = window >= timeline.height;
      Object.assign(bar2.style, {
        left: `${area.left + area.width + 4}px`,
        width: `${BAR}px`,
        top: `${area.top}px`,
        height: `${area.height}px`
      });
      const inner = (
        /** @type {HTMLElement} */
        bar2.firstElementChild
      );
      inner.style.height = `${timeline.height * pixels}px`;
      if (Math.abs(bar2.scrollTop - top * pixels) >= 1) bar2.scrollTop = top * pixels;
    }
  }
  /**
   * @param {Painter} painter
   * @param {import("./types.js").Pool} pool
   * @param {number} number
   */
  name_html({ timeline, top, pixels }, pool, number) {
    const place = timeline.places.get(pool.lane);
    if (place === void 0) return "";
    const members = timeline.members(pool);
    const own = members.filter((lane) => timeline.has_place(lane)).length;
    const label = pool_label(pool, members), rest = members.length - own;
    const title = own ? "Show them as one lane" : "Show the threads that wait and hold most";
    const next = Math.min(30, rest);
    const more = own && rest && many(members) ? `<button class="link" data-pool="${number}" data-more title="${count_text(rest)} are not shown">show ${count_text(next)} more</button>` : "";
    const height = timeline.height_of(pool.lane) * pixels;
    return `<div style="top:${(place - top) * pixels}px;height:${height}px"><button class="link" data-pool="${number}" aria-expanded="${Boolean(own)}" title="${title}">${own ? "▾" : "▸"} ${safe(label)}</button>${more}</div>`;
  }
};

// profiler/gilscope/view/app/kept.js
function meant(filter, names) {
  const text = filter.trim(), word = text.toLowerCase();
  if (!word) return () => true;
  return names.includes(text) ? (one) => one === text : (one) => one.toLowerCase().includes(word);
}
var Kept = class {
  /**
   * @param {import("./types.js").Settings} settings
   * @param {import("./timeline.js").Timeline[]} timelines
   */
  constructor(settings, timelines) {
    this.lock = meant(settings.lock, timelines.flatMap(({ locks }) => locks.map(({ name }) => name)));
    this.label = meant(settings.callable, timelines.flatMap(({ labels }) => labels));
    this.least = parse_time(settings.least);
    this.locks = settings.lock.trim() ? new Map(timelines.map((timeline) => [timeline, timeline.locks.map(({ name }) => this.lock(name))])) : null;
    this.all = !this.least && !this.locks;
  }
  /**
   * @param {import("./segments.js").Segments} segments
   * @param {number} row
   */
  segment(segments, row) {
    if (this.all) return true;
    const state = segments.state[row], { timeline } = segments;
    const parts = row < segments.thread_rows ? segments.count[row] : 1;
    if (this.least && segments.duration(row) / parts < this.least) return false;
    if (!this.locks || state === CALLBACK || state === ENTERING) return true;
    return Boolean(this.locks.get(timeline)?.[timeline.codes[segments.code[row]][0]]);
  }
  /**
   * @param {import("./timeline.js").Timeline} timeline
   * @param {number} row
   */
  callback(timeline, row) {
    if (!timeline.calls) return false;
    const { duration, lane, label } = timeline.calls;
    return duration[row] >= this.least && timeline.shows(lane[row]) && this.label(timeline.labels[label[row]]);
  }
  /**
   * @param {import("./timeline.js").Timeline} timeline
   * @param {number} row
   */
  span(timeline, row) {
    const { named } = timeline;
    return named !== null && named.duration[row] >= this.least && timeline.shows(named.lane[row]);
  }
};
function filter_words({ thread, callable, lock, hidden }, { least }, timelines) {
  const names = new Set(timelines.flatMap(({ lanes }) => lanes.map(({ name }) => name)));
  const without = hidden.filter((name) => names.has(name)).length;
  const merged = timelines.some(({ grain }) => grain > least) ? ", of merged intervals their mean" : "";
  const words = [
    thread.trim() && `threads “${thread.trim()}”`,
    callable.trim() && `callable “${callable.trim()}” and the threads that called it`,
    lock.trim() && `waits for “${lock.trim()}”`,
    least && `at least ${time_text(least)}${merged}`,
    without && `without ${things(without, "hidden lane")}`
  ];
  return words.filter((one) => typeof one === "string").filter(Boolean);
}

// profiler/gilscope/view/app/keyboard.js
var WAITS2 = [WAITING_GIL, WAITING_LOCK, STOPPED];
var Keyboard = class {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    const { axis, chooser, lanes, theme } = view;
    this.keys = {
      w: () => axis.zoom(0.5),
      s: () => axis.zoom(2),
      "+": () => axis.zoom(0.5),
      "-": () => axis.zoom(2),
      a: () => axis.pan(-0.25),
      d: () => axis.pan(0.25),
      f: () => axis.fit(),
      ",": () => chooser.step(-1),
      ".": () => chooser.step(1),
      arrowleft: () => chooser.step(-1),
      arrowright: () => chooser.step(1),
      arrowup: () => chooser.move_lane(-1),
      arrowdown: () => chooser.move_lane(1),
      pageup: () => view.gutter.page(-1),
      pagedown: () => view.gutter.page(1),
      n: () => chooser.step(1, (state) => WAITS2.includes(state)),
      j: () => chooser.jump(),
      z: () => chooser.zoom(),
      e: () => axis.align_next(),
      h: () => lanes.hide(),
      p: () => lanes.pin(),
      t: () => theme.turn(),
      "/": () => view.panel?.focus("search"),
      "?": () => this.toggle_help()
    };
    this.buttons = {
      in: () => axis.zoom(0.5),
      out: () => axis.zoom(2),
      fit: () => axis.fit(),
      theme: () => theme.turn(),
      help: () => this.toggle_help(),
      markdown: () => copy_markdown(view),
      png: () => copy_png(view),
      svg: () => save_svg(view)
    };
  }
  listen() {
    const { view } = this;
    const on = (target, name, action) => target.addEventListener(name, view.guard(action));
    on(view.box, "keydown", (event) => this.press(event));
    on(view.find("controls"), "click", ({ target }) => this.buttons[target.dataset.role]?.());
    on(view.find("tabs"), "click", ({ target }) => {
      if (target.dataset.tab) view.set("tab", target.dataset.tab);
    });
    on(view.find("rows"), "input", ({ target }) => view.table.keep(target.value));
    on(view.find("table"), "click", ({ target }) => this.follow(target.dataset));
    on(view.find("details"), "click", ({ target }) => {
      if (target.dataset.role === "jump") view.chooser.jump();
    });
  }
  /** @param {KeyboardEvent} event */
  press(event) {
    const target = (
      /** @type {HTMLElement} */
      event.target
    );
    const field = target.matches?.("input, select, textarea") ? target : null;
    if (event.key === "Escape") this.escape(target);
    else if (target.matches?.("[role=tab]") && this.view.table.turn(event.key)) {
      event.preventDefault();
      event.stopPropagation();
      return;
    } else if (field) {
      if (event.key === "Enter" && field.closest('[data-role="search"]')) {
        this.view.finder.search_again(
          /** @type {HTMLInputElement} */
          field.value
        );
      }
      event.stopPropagation();
      return;
    } else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (!this.act(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }
  /** Perform the action of a key; returns whether the key has one. @param {string} key */
  act(key) {
    const action = this.keys[key.toLowerCase()];
    action?.();
    return Boolean(action);
  }
  /** Follow a link of a table. @param {DOMStringMap} link */
  follow({ lane, lock, finding, role, sort, copy: key }) {
    if (sort) return this.view.table.sort(sort);
    if (key) return this.view.table.copy(key);
    const { lanes, chooser, finder, timelines, box } = this.view;
    const [number, place] = (finding ?? lane ?? lock ?? "").split(":").map(Number);
    if (role === "all") lanes.show_all();
    else if (finding) chooser.show_finding(number, place);
    else if (lane) finder.choose_longest(timelines[number], place);
    else if (lock) finder.choose_wait(timelines[number], place);
    else return;
    if (lane || lock) chooser.reveal();
    box.focus({ preventScroll: true });
  }
  /** The list of keys. */
  get help() {
    return (
      /** @type {HTMLElement} */
      this.view.box.querySelector(".keys")
    );
  }
  toggle_help() {
    this.help.hidden = !this.help.hidden;
  }
  /** Close or deselect what was opened or chosen last. @param {HTMLElement} target */
  escape(target) {
    const { box, pointer, chooser, choice } = this.view;
    if (!this.help.hidden) this.help.hidden = true;
    else if (pointer.selection) pointer.drop_selection();
    else if (target !== box) box.focus();
    else if (choice) chooser.clear();
    else this.view.set("hidden", []);
  }
};

// profiler/gilscope/view/app/lanes.js
var MOST_LANE = 30;
var LEAST_LANE = 12;
var SCROLLED_LANE = 18;
var ROOM = 720;
var ROOM_WITH_GROUPS = 420;
var STEP = 30;
var WEIGHTS = { waiting: [WAITING_GIL, WAITING_LOCK], contention: [WAITING_GIL, WAITING_LOCK, HOLDING] };
var Lanes = class {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.unfolded = /* @__PURE__ */ new Map();
    this.called = /* @__PURE__ */ new Set();
  }
  /** Choose the lanes, and put them in order. */
  arrange() {
    const { view } = this, { settings } = view;
    view.kept = new Kept(settings, view.timelines);
    const kinds = { lock: settings.locks, callback: settings.callbacks };
    const fits = { lock: view.kept.lock, callback: view.kept.label };
    const thread = meant(settings.thread, this.thread_names());
    const hidden = new Set(settings.hidden);
    const ranks = settings.order === "creation" ? null : this.ranks();
    for (const painter of view.painters) {
      const { timeline } = painter, { lanes } = timeline;
      const callers = this.callers(timeline);
      timeline.coded = Boolean(view.kept.locks);
      const threads = timeline.threads().filter((lane) => {
        const { name } = lanes[lane];
        return !hidden.has(name) && !hidden.has(timeline.pool_of.get(lane)?.name ?? "") && thread(name) && !(callers && !callers.has(lane));
      });
      const others = timeline.others().filter((lane) => {
        const { name, kind } = lanes[lane];
        return kind !== "thread" && kind !== "group" && kinds[kind] && !hidden.has(name) && fits[kind](name);
      });
      const by_rank = (a, b) => this.rank(timeline, a, ranks) - this.rank(timeline, b, ranks) || a - b;
      timeline.show(this.order(timeline, threads.sort(by_rank), others, ranks), threads);
    }
    for (const painter of view.painters) {
      const { timeline } = painter, pixels = this.pixels(timeline);
      const arranged = `${timeline.shown} ${view.letters} ${pixels}`;
      if (painter.arranged !== arranged) {
        painter.arrange(pixels, timeline.pools.length ? ROOM_WITH_GROUPS : ROOM, view.letters);
      }
      painter.arranged = arranged;
    }
  }
  /**
   * Place of a lane by its name, as it is sorted.
   * @param {Timeline} timeline
   * @param {number} lane
   * @param {Map<string, number> | null} ranks null: by creation.
   */
  rank(timeline, lane, ranks) {
    return ranks ? ranks.get(timeline.lanes[lane].name) ?? Infinity : lane;
  }
  /** Height of a thread's lane: as there is room; lanes that do not fit are scrolled. @param {Timeline} timeline */
  pixels(timeline) {
    const side_by_side = timeline.pools.length > 0;
    const height = side_by_side ? Math.max(...this.view.timelines.map((one) => one.height)) : timeline.height;
    const pixels = Math.floor((side_by_side ? ROOM_WITH_GROUPS : ROOM) / Math.max(1, height));
    return pixels < LEAST_LANE ? SCROLLED_LANE : Math.min(MOST_LANE, pixels);
  }
  rearrange() {
    this.arrange();
    this.view.drawing.draw();
    this.view.settle();
  }
  thread_names() {
    return this.view.timelines.flatMap(({ lanes }) => lanes.flatMap(({ name, kind }) => kind === "thread" ? [name] : []));
  }
  /** Lanes of threads that ran the chosen callables, or null if none is chosen. @param {Timeline} timeline */
  callers({ calls, labels }) {
    const { settings, kept } = this.view;
    if (!settings.callable.trim() || !calls) return null;
    const chosen = labels.map(kept.label);
    return new Set(calls.lane.filter((_, row) => chosen[calls.label[row]]));
  }
  /**
   * The lanes from the top: pinned ones first, threads and groups before others.
   * @param {Timeline} timeline
   * @param {number[]} threads In their order.
   * @param {number[]} others
   * @param {Map<string, number> | null} ranks
   */
  order(timeline, threads, others, ranks) {
    const { pinned } = this.view.settings;
    const place_of = new Map(pinned.map((name, place) => [name, place]));
    const pin = (lane) => place_of.get(timeline.lanes[lane].name) ?? -1;
    const rank = (lane) => this.rank(timeline, lane, ranks);
    const groups = new Map(timeline.pools.map((pool) => [pool, []]));
    for (const lane of threads) {
      const pool = timeline.pool_of.get(lane);
      if (pool && pin(lane) < 0) groups.get(pool)?.push(lane);
    }
    for (const [pool, lanes] of groups) if (!many(lanes)) groups.delete(pool);
    const alone = threads.filter((lane) => !groups.has(
      /** @type {Pool} */
      timeline.pool_of.get(lane)
    ) || pin(lane) >= 0);
    const entries = alone.filter((lane) => pin(lane) < 0).map((lane) => ({ lanes: [lane], rank: rank(lane) }));
    for (const [pool, lanes] of groups) {
      const first = ranks ? rank(pool.lane) : lanes[0];
      entries.push({ lanes: [pool.lane, ...this.unfold(timeline, pool, lanes)], rank: first });
    }
    entries.sort((a, b) => a.rank - b.rank || a.lanes[0] - b.lanes[0]);
    const top = [...alone, ...others].filter((lane) => pin(lane) >= 0).sort((a, b) => pin(a) - pin(b));
    return [...top, ...entries.flatMap(({ lanes }) => lanes), ...others.filter((lane) => pin(lane) < 0)];
  }
  /**
   * The threads of a group that have a lane of their own.
   * @param {Timeline} timeline
   * @param {Pool} pool
   * @param {number[]} members In their order.
   */
  unfold(timeline, { name }, members) {
    const count = this.unfolded.get(name) ?? 0;
    return members.filter((lane, place) => place < count || this.called.has(timeline.lanes[lane].name));
  }
  /** Place of each thread's and group's name: the same in all timelines, whatever is filtered. */
  ranks() {
    const { timelines, settings: { order } } = this.view;
    const weights = /* @__PURE__ */ new Map();
    for (const timeline of timelines) {
      const times = timeline.times(order === "waiting" ? WEIGHTS.waiting : WEIGHTS.contention);
      timeline.threads().forEach((lane) => {
        for (const name of [timeline.lanes[lane].name, timeline.pool_of.get(lane)?.name]) {
          if (name !== void 0) weights.set(name, (weights.get(name) ?? 0) + times[lane]);
        }
      });
    }
    const names = [...weights];
    if (order === "name") {
      const { compare } = new Intl.Collator("en", { numeric: true });
      names.sort(([a], [b]) => compare(a, b));
    } else names.sort(([, a], [, b]) => b - a);
    return new Map(names.map(([name], place) => [name, place]));
  }
  /** Give some more threads of a group a lane of their own. @param {string} name */
  more(name) {
    this.unfolded.set(name, (this.unfolded.get(name) ?? 0) + STEP);
    this.rearrange();
  }
  /** Show a group as one lane. @param {Timeline} timeline @param {Pool} pool */
  fold(timeline, pool) {
    this.unfolded.delete(pool.name);
    for (const lane of pool.members) this.called.delete(timeline.lanes[lane].name);
    this.rearrange();
  }
  /** Whether any thread of a group has a lane of its own. @param {Timeline} timeline @param {Pool} pool */
  open(timeline, pool) {
    return pool.members.some((lane) => timeline.has_place(lane));
  }
  /** Bring a lane into view, out of its group if need be. @param {Timeline} timeline @param {number} lane */
  reveal(timeline, lane) {
    if (!timeline.has_place(lane)) {
      if (!timeline.shows(lane)) return;
      this.called.add(timeline.lanes[lane].name);
      this.rearrange();
    }
    const painter = this.view.painters[timeline.number];
    const place = Number(timeline.places.get(lane));
    if (!painter.sees(lane)) this.scroll(place - painter.window / 2);
  }
  /** Show the lanes of all timelines from a distance from the top on. @param {number} top */
  scroll(top) {
    for (const painter of this.view.painters) painter.scroll(top);
    this.view.drawing.draw();
    this.view.settle();
  }
  /** Clear all filters and show hidden lanes. */
  show_all() {
    for (
      const name of
      /** @type {const} */
      ["thread", "callable", "lock", "least"]
    ) {
      this.view.set(name, "");
    }
    this.view.set("hidden", []);
  }
  /** Hide the lane of the choice. */
  hide() {
    const { view } = this;
    if (!view.choice) return;
    const { name } = view.choice.timeline.lanes[view.choice.lane];
    view.chooser.clear();
    view.set("hidden", [...view.settings.hidden, name]);
  }
  /** Pin the lane of the choice to the top, or unpin it. */
  pin() {
    const { choice, settings: { pinned } } = this.view;
    if (!choice) return;
    const { name } = choice.timeline.lanes[choice.lane];
    this.view.set("pinned", pinned.includes(name) ? pinned.filter((one) => one !== name) : [...pinned, name]);
  }
};

// profiler/gilscope/view/app/progress.js
var ROUNDING = 1e-6;
var Awake = class {
  /** @param {number} left ns @param {number} step ns a column @param {number} width */
  constructor(left, step, width) {
    this.left = left;
    this.step = step;
    this.awake = new Float64Array(width);
    this.had = new Float64Array(width);
    this.first = width;
    this.end = 0;
  }
  /** Forget the last lane. */
  clear() {
    this.awake.fill(0, this.first, this.end);
    this.first = this.awake.length;
    this.end = 0;
  }
  /** @param {number} time */
  column(time) {
    return Math.max(0, Math.min(this.awake.length, Math.round((time - this.left) / this.step)));
  }
  /**
   * Take the segments of a lane in which its thread does not wait.
   * @param {import("./segments.js").Segments} segments
   * @param {[from: number, to: number]} rows
   */
  take({ start, state }, [from, to]) {
    const { left, step, awake } = this;
    for (let row = from; row < to; row++) {
      if (state[row] !== HOLDING && state[row] !== RUNNING) continue;
      const x0 = Math.max(0, (start[row] - left) / step);
      const x1 = Math.min(awake.length, (start[row + 1] - left) / step);
      if (x1 <= x0) continue;
      const first = Math.floor(x0), end = Math.ceil(x1);
      for (let column = first; column < end; column++) {
        awake[column] += Math.min(x1, column + 1) - Math.max(x0, column);
      }
      this.first = Math.min(this.first, first);
      this.end = Math.max(this.end, end);
    }
  }
  /** Leave what had a processor, as far as is known of the thread. @param {import("./cpu.js").Stretch[]} stretches */
  limit(stretches) {
    const { awake, had } = this;
    for (let column = this.first; column < this.end; column++) had[column] = awake[column];
    stretches.forEach(({ start, end, ran }, place) => {
      const first = this.column(start), last = Math.max(first + 1, this.column(end));
      let sum = 0;
      for (let column = first; column < Math.min(last, awake.length); column++) sum += awake[column];
      const part = ran / (end - start) * (Math.min(last, awake.length) - first);
      const factor = sum > 0 ? Math.min(1, part / sum) : 1;
      const from = place ? Math.max(first, this.first) : this.first;
      const to = place < stretches.length - 1 ? Math.min(last, this.end) : this.end;
      for (let column = from; column < to; column++) had[column] = awake[column] * factor;
    });
  }
};
function active(timeline, lanes, left, right, width) {
  const step = (right - left) / width;
  const one = new Awake(left, step, width);
  const result = new Float64Array(width);
  for (const lane of lanes) {
    const segments = timeline.segments_of(lane, left, right);
    one.clear();
    one.take(segments, segments.seen(lane, left, right));
    if (one.end <= one.first) continue;
    one.limit(timeline.cpu?.stretches(lane, left, right, step) ?? []);
    for (let column = one.first; column < one.end; column++) result[column] += one.had[column];
  }
  return result;
}
function progress(timeline, sums, left, right) {
  const x = [];
  const y = [];
  const width = sums.length, step = (right - left) / width;
  const first = Math.max(0, Math.ceil(-left / step - ROUNDING));
  const last = Math.min(width, Math.floor((timeline.duration - left) / step + ROUNDING));
  for (let column = first; column < last; column++) {
    x.push(timeline.to_axis(left + step * column));
    y.push(Math.min(sums[column], timeline.processors));
  }
  const most = Math.max(0, ...y);
  x.push(timeline.to_axis(y.length ? left + step * last : 0));
  y.push(y.at(-1) ?? NaN);
  return { curve: { x, y }, most };
}

// profiler/gilscope/view/app/samples.js
var TRACK = 0.2;
var GAP2 = 0.02;
function samples_of(columns, prefix) {
  if (!columns[`${prefix}start`]) return null;
  return {
    lane: columns[`${prefix}lane`],
    start: columns[`${prefix}start`],
    duration: columns[`${prefix}duration`],
    label: columns[`${prefix}label`]
  };
}
function track_boxes(timeline, from, to, pixel, top) {
  const { samples, sampled } = timeline;
  const data = { ...no_boxes(), color: (
    /** @type {string[]} */
    []
  ) };
  const last = /* @__PURE__ */ new Map();
  for (let row = 0; samples && row < samples.start.length && samples.start[row] < to; row++) {
    const start = samples.start[row], end = start + samples.duration[row];
    const lane = samples.lane[row], label = samples.label[row], before = last.get(lane);
    if (end < from || !timeline.has_place(lane)) continue;
    if (before && start - before.end < pixel && (before.label === label || end - start < pixel)) {
      before.end = Math.max(before.end, end);
      data.right[before.place] = timeline.to_axis(before.end);
      continue;
    }
    last.set(lane, { end, label, place: data.left.length });
    data.left.push(timeline.to_axis(start));
    data.right.push(timeline.to_axis(Math.max(end, start + pixel)));
    data.bottom.push(top(lane) - TRACK + GAP2);
    data.top.push(top(lane) - GAP2);
    data.color.push(sampled[label][1]);
  }
  return data;
}
function sample_tip(timeline, lane, time) {
  const { samples, sampled } = timeline;
  for (let row = 0; samples && row < samples.start.length && samples.start[row] <= time; row++) {
    if (samples.lane[row] !== lane || samples.start[row] + samples.duration[row] < time) continue;
    const frames = sampled[samples.label[row]][0];
    return frames.map((frame, depth) => `${depth ? "&nbsp;&nbsp;called by" : "sampled in"} ${safe(frame)}`);
  }
  return [];
}

// profiler/gilscope/view/app/words.js
var FONT2 = "10px Arial, sans-serif";
var ROOM2 = 10;
var PADDING = 8;
var NARROWEST = 24;
var BRIGHT = 150;
var DARK_WORDS = "#1F2933";
var LIGHT_WORDS = "#FFFFFF";
function no_words() {
  return { x: [], y: [], text: [], color: [] };
}
function words_on(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > BRIGHT ? DARK_WORDS : LIGHT_WORDS;
}
function said_of(timeline, segments, row) {
  if (segments.count[row] > 1) return [];
  const state = segments.state[row];
  const [lock, peer, held2] = timeline.codes[segments.code[row]];
  const other = peer >= 0 ? timeline.lanes[peer].name : "";
  if (state === WAITING_GIL) return other && held2 ? [`waits for ${other}`, other] : ["waits for the GIL"];
  if (state === WAITING_LOCK && lock >= 0) {
    const name = called(timeline.locks[lock].name);
    const who = other ? [`waits for ${name}, ${held2 ? "held" : "ended"} by ${other}`] : [];
    return [...who, `waits for ${name}`, name];
  }
  if (state !== HOLDING && state !== RUNNING) return [];
  const detail = timeline.details[segments.detail?.[row] ?? -1];
  const frame = detail && timeline.stacks[detail[0]]?.[0];
  return frame ? [frame[0]] : [];
}
var Writer = class {
  /**
   * @param {Painter} painter
   * @param {number} from Of the visible range, ns.
   * @param {number} to
   * @param {(text: string) => number} width Of a text in pixels.
   */
  constructor(painter, from, to, width) {
    this.painter = painter;
    this.from = from;
    this.to = to;
    this.width = width;
    this.words = no_words();
    this.height = painter.pixels;
  }
  /**
   * Put the first of some texts that there is room for into a box, in the part of it that is seen.
   * @param {string[]} texts
   * @param {number} start ns
   * @param {number} end ns
   * @param {number} bottom Of a lane's height.
   * @param {number} top
   * @param {string} color
   */
  write(texts, start, end, bottom, top, color) {
    const { painter: { timeline, width }, from, to, words } = this;
    if ((top - bottom) * this.height < ROOM2) return;
    const left = Math.max(start, from), right = Math.min(end, to);
    const room = (right - left) / (to - from) * width - PADDING;
    if (room < NARROWEST - PADDING) return;
    const text = texts.find((one) => this.width(one) <= room);
    if (!text) return;
    words.x.push(timeline.to_axis((left + right) / 2));
    words.y.push((bottom + top) / 2);
    words.text.push(text);
    words.color.push(words_on(color));
  }
  /**
   * Write into the boxes of the lanes of threads.
   * @param {import("./types.js").RowsOf[]} rows_of
   * @param {import("./kept.js").Kept} kept
   */
  segments(rows_of, kept) {
    const { painter, painter: { timeline, looks, band } } = this;
    const least = NARROWEST / painter.width * (this.to - this.from);
    for (const [lane, [from, to], segments] of rows_of) {
      if (timeline.lanes[lane].kind !== "thread") continue;
      const spans = timeline.stretches_of(lane, this.from, this.to);
      const base = painter.bottom(lane);
      for (let row = from; row < to; row++) {
        if (segments.duration(row) < least || !kept.segment(segments, row)) continue;
        const state = segments.state[row];
        const named = looks.height[state] === 1 && spans.some(([start, end]) => start <= segments.start[row + 1] && end >= segments.start[row]);
        if (named) continue;
        this.write(
          said_of(timeline, segments, row),
          segments.start[row],
          segments.start[row + 1],
          base,
          base + band * looks.height[state],
          looks.color[state]
        );
      }
    }
  }
};

// profiler/gilscope/view/app/painter.js
var FOOT = 0.18;
var FOOT_GAP = 0.01;
var CLEARLY = 0.05;
var ROOM_FOR_WORDS = 150;
var STRIP_PIXELS = 3;
var Painter = class {
  /**
   * @param {import("./types.js").BokehDocument} document
   * @param {import("./timeline.js").Timeline} timeline
   * @param {import("./types.js").Scene} scene
   */
  constructor(document2, timeline, { looks, rows, band }) {
    const named = (name) => document2.get_model_by_name(`${name}-${timeline.number}`);
    this.timeline = timeline;
    this.looks = looks;
    this.rows = rows;
    this.track = timeline.samples ? TRACK : 0;
    this.band = band - this.track;
    this.figure = named("timeline");
    this.boxes = named("boxes");
    this.box_view = named("box-view");
    this.picture = named("picture");
    this.picture_view = named("picture-view");
    this.spans = named("spans");
    this.sampled = named("sampled");
    this.words = named("words");
    this.arrows = named("arrows");
    this.entries = named("entries");
    this.veil = named("veil");
    this.chosen = named("chosen");
    this.link = named("link");
    this.before = named("before");
    this.after = named("after");
    this.done = named("done");
    this.ready = named("ready");
    this.parallelism = named("parallelism");
    this.overview = named("overview");
    this.kinds = looks.height.length + 1;
    this.arranged = "";
    this.top = 0;
    this.window = 1;
    this.pixels = 1;
    this.letters = 0;
  }
  get width() {
    return Math.max(1, Math.round(this.figure.inner_width || 1e3));
  }
  /**
   * Show the lanes that the timeline has now, as far as they fit.
   * @param {number} pixels Of a lane of a thread.
   * @param {number} room For all lanes together, pixels.
   * @param {number} letters Of a lane's name.
   */
  arrange(pixels, room, letters) {
    const { height } = this.timeline;
    this.pixels = pixels;
    this.letters = letters;
    this.window = Math.max(1, Math.min(height, Math.floor(room / pixels)));
    this.figure.frame_height = this.window * pixels;
    this.figure.left[0].major_label_text_font_size = `${Math.min(12, pixels - 2)}px`;
    this.scroll(this.top);
  }
  /** Show the lanes from a distance from the top on, as far as there are any. @param {number} top */
  scroll(top) {
    const { lanes, height } = this.timeline;
    this.top = Math.max(0, Math.min(top, height - this.window));
    const end = Math.max(1, height) - this.top, start = end - this.window;
    this.figure.y_range.setv({ start, end, reset_start: start, reset_end: end });
    const named = this.visible().filter((lane) => lanes[lane].kind !== "group");
    const axis = this.figure.left[0], level = (lane) => Number(this.timeline.level(lane));
    axis.major_label_overrides = new Map(
      named.map((lane) => [level(lane), short_name(lanes[lane].name, this.letters)])
    );
    axis.ticker.ticks = named.map(level);
    this.done.y = (start + end) / 2;
  }
  /** Lanes that are in view. */
  visible() {
    return this.timeline.between(this.top, this.top + this.window);
  }
  /** Whether a lane is in view as a whole. @param {number} lane */
  sees(lane) {
    const { places } = this.timeline, begin = places.get(lane) ?? -1;
    return begin >= this.top && begin + this.timeline.height_of(lane) <= this.top + this.window;
  }
  /** Where drawing begins in a lane that has a place. @param {number} lane */
  bottom(lane) {
    const { timeline } = this, group = timeline.lanes[lane].kind === "group";
    const foot = timeline.cpu && !group ? FOOT + 2 * FOOT_GAP : (1 - this.band) / 2;
    return Number(timeline.level(lane)) - timeline.height_of(lane) / 2 + foot + (group ? 0 : this.track);
  }
  /** How much of a lane is drawn on. @param {number} lane */
  depth(lane) {
    return this.timeline.height_of(lane) - 1 + this.band;
  }
  /**
   * Draw lanes as boxes, as far as they are kept.
   * @param {import("./types.js").RowsOf[]} rows_of
   * @param {import("./kept.js").Kept} kept
   */
  draw_boxes(rows_of, kept) {
    const { timeline, looks, band } = this;
    const data = { ...no_boxes(), color: (
      /** @type {string[]} */
      []
    ) };
    for (const code of [...looks.stack].reverse()) {
      for (const [lane, [from, to], segments] of rows_of) {
        const { start, state } = segments;
        const base = this.bottom(lane);
        for (let row = from; row < to; row++) {
          if (state[row] !== code || !kept.segment(segments, row)) continue;
          data.left.push(timeline.to_axis(start[row]));
          data.right.push(timeline.to_axis(start[row + 1]));
          data.bottom.push(base);
          data.top.push(base + band * looks.height[code]);
          data.color.push(looks.color[code]);
        }
      }
    }
    this.boxes.data = data;
  }
  /**
   * Write into boxes what they are, where there is room.
   * @param {number} from
   * @param {number} to
   * @param {import("./types.js").RowsOf[]} rows_of None where no boxes are drawn.
   * @param {import("./kept.js").Kept} kept
   */
  draw_words(from, to, rows_of, kept) {
    if (!rows_of.length) return void (this.words.data = no_words());
    const writer = new Writer(this, from, to, (text) => width_of(text, FONT2));
    writer.segments(rows_of, kept);
    this.words.data = writer.words;
  }
  /**
   * Draw spans as strips, none too short to be seen; those that touch in a pixel are one.
   * @param {number} from
   * @param {number} to
   * @param {import("./kept.js").Kept} kept
   */
  draw_spans(from, to, kept) {
    const { timeline, looks: { strip }, band } = this;
    const { named } = timeline;
    const data = no_boxes();
    const pixel = (to - from) / this.width, least = STRIP_PIXELS * pixel;
    const last = /* @__PURE__ */ new Map();
    for (let row = 0; named && row < named.start.length && named.start[row] < to; row++) {
      const start = named.start[row], end = start + named.duration[row], lane = named.lane[row];
      if (end < from || !timeline.has_place(lane) || !kept.span(timeline, row)) continue;
      const depth = named.depth[row], key = 4 * lane + depth, before = last.get(key);
      if (before && start - before.end < pixel) {
        before.end = Math.max(before.end, end);
        data.right[before.place] = timeline.to_axis(Math.max(before.end, before.start + least));
        continue;
      }
      last.set(key, { start, end, place: data.left.length });
      const middle = this.bottom(lane) + band * (1 - strip / 2);
      const half = band * strip / 2 / (depth + 1);
      data.left.push(timeline.to_axis(start));
      data.right.push(timeline.to_axis(Math.max(end, start + least)));
      data.bottom.push(middle - half);
      data.top.push(middle + half);
    }
    this.spans.data = data;
  }
  /** Draw the tracks of samples. @param {number} from @param {number} to */
  draw_samples(from, to) {
    if (!this.track) return;
    const pixel = (to - from) / this.width;
    this.sampled.data = track_boxes(this.timeline, from, to, pixel, (lane) => this.bottom(lane));
  }
  /**
   * Time of each state in each column of a lane.
   * @param {import("./segments.js").Segments} segments
   * @param {[from: number, to: number]} rows
   * @param {number} left
   * @param {number} right
   * @param {number} width
   * @param {import("./kept.js").Kept | null} kept
   */
  shares(segments, rows, left, right, width, kept) {
    return shares(segments, rows, left, right, width, this.kinds, kept);
  }
  /**
   * The raster of a lane from its shares.
   * @param {Float64Array} share
   * @param {number} width
   */
  stacked(share, width) {
    return stacked(share, width, this.rows, this.looks);
  }
  /**
   * Columns of a raster: pixels, or of a long trace whole buckets.
   * @param {number} from
   * @param {number} to
   * @returns {[left: number, right: number, width: number]}
   */
  grid(from, to) {
    const { timeline, width } = this;
    if (!timeline.tally) return [from, to, width];
    const { grain } = timeline.segments(from, to);
    if (!grain) return [from, to, width];
    const step = grain * Math.max(1, Math.ceil((to - from) / width / grain));
    const left = Math.floor(from / step) * step, right = Math.ceil(to / step) * step;
    return [left, right, Math.max(1, Math.round((right - left) / step))];
  }
  /**
   * The picture of a group: how many of its threads are in which state.
   * @param {import("./types.js").Pool} pool
   * @param {number} from
   * @param {number} to
   * @param {import("./kept.js").Kept} kept
   * @returns {import("./types.js").LaneImage}
   */
  group_image(pool, from, to, kept) {
    const { timeline, kinds, looks } = this;
    const [left, right, width] = this.grid(from, to);
    const sums = counts(timeline, timeline.members(pool), left, right, width, kinds, kept.all ? null : kept);
    return { lane: pool.lane, ...areas(sums, width, pool.peak, looks), left, right, width };
  }
  /** Draw images of lanes. @param {import("./types.js").LaneImage[]} images */
  draw_images(images) {
    this.picture_view.visible = images.length > 0;
    if (!images.length) return;
    const NDArray = this.picture.data.image[0].constructor;
    const { timeline } = this;
    this.picture.data = {
      image: images.map(({ pixels, rows, width }) => new NDArray(pixels, [rows, width])),
      x: images.map(({ left }) => timeline.to_axis(left)),
      y: images.map(({ lane }) => this.bottom(lane)),
      dw: images.map(({ left, right }) => timeline.to_axis(right) - timeline.to_axis(left)),
      dh: images.map(({ lane }) => this.depth(lane))
    };
  }
  /**
   * Draw the threads that make progress, column by column; returns the most of them.
   * @param {import("./types.js").BokehModel} source
   * @param {number[]} lanes
   * @param {number} left ns
   * @param {number} right ns
   * @param {number} width
   */
  draw_progress(source, lanes, left, right, width) {
    const { timeline } = this;
    const { curve, most } = progress(timeline, active(timeline, lanes, left, right, width), left, right);
    source.data = curve;
    return most;
  }
  /**
   * Draw the share of time that threads waited for a processor as a bar at the foot of their lanes.
   * @param {number} from
   * @param {number} to
   */
  draw_ready(from, to) {
    const { timeline } = this;
    if (!timeline.cpu) return;
    const data = no_boxes();
    const least = 2 * (to - from) / this.width;
    for (const lane of this.visible()) {
      if (timeline.lanes[lane].kind !== "thread") continue;
      for (const { start, end, ready } of timeline.cpu.stretches(lane, from, to, least)) {
        const share = ready / (end - start);
        if (share < CLEARLY) continue;
        data.left.push(timeline.to_axis(start));
        data.right.push(timeline.to_axis(end));
        const top = this.bottom(lane) - this.track - FOOT_GAP;
        data.bottom.push(top - FOOT * share);
        data.top.push(top);
      }
    }
    this.ready.data = data;
  }
  /**
   * Mark where the run begins and ends; words stand where there is room for them.
   * @param {{ start: number, end: number }} range
   */
  draw_marks(range) {
    const { timeline } = this;
    const end = timeline.to_axis(timeline.duration), begin = timeline.to_axis(0);
    this.after.setv({ left: end, visible: end < range.end });
    this.before.setv({ right: begin, visible: begin > range.start });
    const x = Math.max(end, range.start);
    const room = (range.end - x) / (range.end - range.start) * this.width;
    this.done.setv({ x, visible: room > ROOM_FOR_WORDS });
  }
};

// profiler/gilscope/view/app/cpu.js
var CpuTimes = class {
  /**
   * @param {import("./types.js").Columns} columns
   * @param {string} prefix
   * @param {number[]} offsets Row at which the samples of each lane begin.
   */
  constructor(columns, prefix, offsets) {
    this.time = columns[`${prefix}cpu.time`];
    this.ran = columns[`${prefix}cpu.ran`];
    this.ready = columns[`${prefix}cpu.ready`];
    this.offsets = offsets;
  }
  /**
   * Position of the first sample of a lane after a time, from the second to the last of them.
   * @param {number} lane
   * @param {number} time
   */
  after(lane, time) {
    let low = this.offsets[lane] + 1, high = this.offsets[lane + 1] - 1;
    while (low < high) {
      const middle = low + high >> 1;
      if (this.time[middle] > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }
  /**
   * What a thread did between two samples.
   * @param {number} first
   * @param {number} last
   * @returns {Stretch}
   */
  stretch(first, last) {
    const start = this.time[first], end = this.time[last];
    const limit = (value, most) => Math.max(0, Math.min(most, value));
    const ran = limit(this.ran[last] - this.ran[first], end - start);
    return { start, end, ran, ready: limit(this.ready[last] - this.ready[first], end - start - ran) };
  }
  /**
   * Stretches of a lane that touch [from, to], none much shorter than `least`.
   * @param {number} lane
   * @param {number} from
   * @param {number} to
   * @param {number} least
   */
  stretches(lane, from, to, least) {
    const found = [];
    const end = this.offsets[lane + 1] - 1;
    if (end <= this.offsets[lane]) return found;
    for (let first = this.after(lane, from) - 1; first < end && this.time[first] < to; ) {
      let last = first + 1;
      while (last < end && this.time[last] - this.time[first] < least) last++;
      found.push(this.stretch(first, last));
      first = last;
    }
    return found.filter((one) => one.end > from && one.end > one.start);
  }
  /**
   * The stretch of a lane that a time falls into, or null.
   * @param {number} lane
   * @param {number} time
   */
  at(lane, time) {
    return this.stretches(lane, time, time + 1, 0).find((one) => one.start <= time) ?? null;
  }
  /**
   * Time ready and not running between two times, in proportion at the ends; null if not known.
   * @param {number} lane
   * @param {number} from
   * @param {number} to
   */
  ready_time(lane, from, to) {
    const parts = this.stretches(lane, from, to, 0);
    if (!parts.length) return null;
    return parts.reduce((sum, { start, end, ready }) => sum + ready * (Math.min(to, end) - Math.max(from, start)) / (end - start), 0);
  }
};
function cpu_tip(timeline, lane, time) {
  const found = timeline.cpu?.at(lane, time);
  if (!found) return [];
  const { start, end, ran, ready } = found;
  const share = (part) => `${Math.round(100 * part / (end - start))} %`;
  const ms = (ns) => Number((ns / 1e6).toFixed(1));
  return [
    `of the time between two samples, ${ms(start)} to ${ms(end)} ms:`,
    `${share(ran)} on a CPU, ${share(ready)} ready, waiting for a processor, ${share(end - start - ran - ready)} asleep`
  ];
}

// profiler/gilscope/view/app/pointer.js
var DRAG = 4;
var LEAST_SELECTION = 3;
var Pointer = class {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.place = null;
    this.pressed = null;
    this.selection = null;
  }
  listen() {
    const { view } = this, { stage } = view;
    const on = (name, action, capture) => stage.addEventListener(name, view.guard(action), capture);
    on("pointermove", (event) => this.hover(event), false);
    on("pointerleave", () => this.leave(), false);
    on("pointerdown", (event) => {
      this.pressed = [event.clientX, event.clientY];
      this.begin_selection(event);
    }, true);
    on("pointermove", (event) => this.extend_selection(event), true);
    on("pointerup", () => this.end_selection(), true);
    on("pointercancel", () => this.drop_selection(), true);
    on("click", (event) => this.click(event), true);
  }
  /**
   * What is below a place in the window; null outside of all timelines.
   * @param {{ clientX: number, clientY: number }} event
   * @returns {Place | null}
   */
  locate({ clientX, clientY }) {
    const { range } = this.view.axis;
    for (const { figure, timeline, top: first, window } of this.view.painters) {
      const shown = this.view.host.view_of(figure);
      if (!shown?.el) continue;
      const { left, top } = shown.el.getBoundingClientRect();
      const { bbox } = shown.frame;
      const x = (clientX - left - bbox.left) / bbox.width;
      const y = (clientY - top - bbox.top) / bbox.height;
      if (x < 0 || x > 1 || y < 0 || y >= 1) continue;
      const value = range.start + x * (range.end - range.start);
      const time = timeline.from_axis(value);
      const lane = timeline.lane_at(first + y * window);
      if (timeline.pool(lane)) return { timeline, value, time, lane, segments: timeline.all, row: -1 };
      const segments = timeline.segments_of(lane, time, time);
      return { timeline, value, time, lane, segments, row: lane < 0 ? -1 : segments.at(lane, time) };
    }
    return null;
  }
  /** @param {PointerEvent} event */
  hover(event) {
    this.place = this.locate(event);
    this.tell(this.place);
    const tip = this.view.find("tip");
    const area = this.view.box.getBoundingClientRect();
    const right = event.clientX - area.left;
    tip.style.top = `${event.clientY - area.top + 18}px`;
    tip.style.left = `${Math.max(4, Math.min(right + 12, area.width - tip.offsetWidth - 8))}px`;
  }
  /** Tell what is at a place, if anything is. @param {Place | null} place */
  tell(place) {
    const tip = this.view.find("tip");
    const { looks } = this.view.data, pool = place?.timeline.pool(place.lane);
    tip.hidden = !pool && (!place || place.row < 0);
    if (tip.hidden || !place) return;
    const { timeline, time } = place;
    tip.innerHTML = pool ? pool_tip(timeline, pool, timeline.members(pool), time, looks) : tip_html(place, looks);
  }
  leave() {
    this.view.find("tip").hidden = true;
    this.place = null;
  }
  /** @param {MouseEvent} event */
  click(event) {
    const [x, y] = this.pressed ?? [event.clientX, event.clientY];
    if (Math.hypot(event.clientX - x, event.clientY - y) > DRAG) return;
    const place = this.locate(event);
    if (!place) return;
    const { box, chooser } = this.view;
    box.focus({ preventScroll: true });
    if (place.row < 0) chooser.clear();
    else chooser.choose(place.timeline, place.lane, place.row, place.segments);
  }
  /** Shift and a drag choose a stretch of time; all else that is dragged is Bokeh's. @param {PointerEvent} event */
  begin_selection(event) {
    const place = event.shiftKey && event.button === 0 ? this.locate(event) : null;
    if (!place) return;
    event.stopPropagation();
    event.preventDefault();
    this.view.stage.setPointerCapture(event.pointerId);
    this.selection = [place.value, place.value];
  }
  /** @param {PointerEvent} event */
  extend_selection(event) {
    const { view } = this;
    const shown = this.selection && view.host.view_of(view.painters[0].figure);
    if (!this.selection || !shown) return;
    event.stopPropagation();
    const { el, frame: { bbox } } = shown;
    const [frame, box] = [el.getBoundingClientRect(), view.box.getBoundingClientRect()];
    const { start, end } = view.axis.range;
    const share = (event.clientX - frame.left - bbox.left) / bbox.width;
    this.selection[1] = start + Math.min(1, Math.max(0, share)) * (end - start);
    const [low, high] = [...this.selection].sort((a, b) => a - b);
    const mark = view.find("selection");
    const left = frame.left - box.left + bbox.left - view.box.clientLeft;
    mark.style.left = `${left + bbox.width * (low - start) / (end - start)}px`;
    mark.style.width = `${bbox.width * (high - low) / (end - start)}px`;
    const below = view.stage.getBoundingClientRect().bottom;
    mark.style.top = `${frame.top - box.top - view.box.clientTop}px`;
    mark.style.height = `${below - frame.top}px`;
    mark.hidden = false;
    view.find("tip").hidden = true;
  }
  end_selection() {
    if (!this.selection) return;
    const [low, high] = [...this.selection].sort((a, b) => a - b);
    const { axis, painters } = this.view;
    const pixel = (axis.range.end - axis.range.start) / painters[0].width;
    this.drop_selection();
    if (high - low > LEAST_SELECTION * pixel) axis.show(low, high);
  }
  drop_selection() {
    this.selection = null;
    this.view.find("selection").hidden = true;
  }
};
function tip_html({ timeline, lane, row, segments, time }, looks) {
  const { name, kind } = timeline.lanes[lane];
  const count = segments.count[row], thread = kind === "thread";
  const lines = [
    `<b>${safe(looks.label[segments.state[row]])}: ${time_text(segments.duration(row))}</b>`,
    `${safe(name)}, from ${(segments.start[row] / 1e6).toFixed(3)} ms`
  ];
  if (thread) {
    const [lock, peer, held2] = timeline.codes[segments.code[row]];
    if (lock >= 0) lines.push(`for ${safe(timeline.locks[lock].name)}`);
    if (peer >= 0) lines.push(`${held2 ? "held by" : "ended by"} ${safe(timeline.lanes[peer].name)}`);
    for (const span of timeline.spans_of(lane, time, time)) lines.push(`in ${safe(timeline.span_text(span))}`);
    lines.push(...sample_tip(timeline, lane, time));
    lines.push(...cpu_tip(timeline, lane, time));
  }
  if (count > 1) {
    lines.push(thread ? `${count_text(count)} intervals shorter than ${time_text(segments.grain)}, as one` : `${count_text(count)} of them, without a gap`);
  }
  return lines.join("<br>");
}

// profiler/gilscope/view/app/settings.js
var START = {
  align: "start",
  order: "creation",
  locks: true,
  callbacks: true,
  thread: "",
  lock: "",
  callable: "",
  least: "",
  search: "",
  tab: "",
  theme: "auto",
  hidden: [],
  pinned: [],
  range: null
};
var EFFECTS = {
  align: (view, by) => view.axis.align(by),
  search: (view, text) => view.finder.search(text),
  tab: (view) => view.table.show(),
  theme: (view, theme) => view.theme.show(theme),
  range: (view, range) => range ? view.axis.show(range[0], range[1]) : view.axis.fit()
};
var same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// profiler/gilscope/view/app/sorting.js
function value_of(html) {
  const text = text_of(html), plain2 = text.replaceAll(",", "");
  if (text === "–" || text === "·" || !text) return -1;
  const size = parse_size(plain2);
  if (!Number.isNaN(size)) return size;
  const signed = /^([+−]?)(.*)$/.exec(plain2);
  const number = /^[\d.]+$/.test(String(signed?.[2])) ? Number(signed?.[2]) : parse_time(String(signed?.[2]));
  return Number.isNaN(number) ? text.toLowerCase() : signed?.[1] === "−" ? -number : number;
}
function sorted(rows, by) {
  if (!by) return rows;
  const keyed = rows.map((row) => ({ row, value: value_of(row[by.column] ?? "") }));
  const way = by.down ? -1 : 1;
  keyed.sort(({ value: one }, { value: other }) => {
    if (typeof one === typeof other) return one < other ? -way : one > other ? way : 0;
    return typeof one === "number" ? -way : way;
  });
  return keyed.map(({ row }) => row);
}
function turned(by, column) {
  if (by?.column !== column) return { column, down: true };
  return by.down ? { column, down: false } : null;
}
function csv(heads, rows) {
  const cell = (text) => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  return [heads, ...rows.map((row) => row.map(text_of))].map((row) => `${row.map(cell).join(",")}\r
`).join("");
}

// profiler/gilscope/view/app/findings.js
function jumps(places, number) {
  const kinds = /* @__PURE__ */ new Map();
  places.forEach((place, at) => {
    const kind = place[2] || "Show";
    kinds.set(kind, [...kinds.get(kind) ?? [], `<button data-finding="${number}:${at}">${when(place)}</button>`]);
  });
  return [...kinds].map(([kind, buttons]) => `<span>${prose(kind)}:</span> ${buttons.join(" ")}`).join(" ");
}
var when = ([start, end]) => `${time_text(end - start)} at ${Number((start / 1e6).toFixed(1))} ms`;
function findings_html(findings, timelines, meant2) {
  if (!findings.length) {
    return '<p class="quiet">No findings. Reasons to doubt the numbers are listed at the top.</p>';
  }
  const found = findings.map((one, place) => {
    if (!meant2([one.title, one.advice, ...one.evidence].map(safe).join(" "))) return "";
    const evidence = one.evidence.map((line) => `<li>${prose(line)}</li>`).join("");
    const build = timelines.find((timeline) => timeline.key === one.build)?.build ?? "";
    const about = [build, one.label, one.page || one.name].filter(Boolean).join(" · ");
    return `<article class="finding ${safe(one.severity)}"><h4>${prose(one.title)} <small>${safe(about)}</small></h4><ul>${evidence}</ul><p>${prose(one.advice)}</p><p class="jumps">${jumps(one.places, place)}</p></article>`;
  });
  const shown = found.join("");
  return shown ? `<div class="findings">${shown}</div>` : '<p class="quiet">No finding has this text.</p>';
}

// profiler/gilscope/view/app/sums.js
var KINDS = 8;
function totals(timeline, from, to, lanes, kept) {
  const best = timeline.segments(from, to);
  const segments = best === timeline.all ? timeline.counted() : best;
  const { start, state, code, count } = segments;
  const codes = timeline.codes.length;
  const states = lanes.map(() => new Float64Array(KINDS));
  const time = lanes.map(() => (
    /** @type {Map<number, number>} */
    /* @__PURE__ */ new Map()
  ));
  const contended = lanes.map(() => (
    /** @type {Map<number, number>} */
    /* @__PURE__ */ new Map()
  ));
  const times = new Float64Array(codes), longest = new Float64Array(codes);
  lanes.forEach((lane, place) => {
    const [low, high] = segments.seen(lane, from, to);
    for (let row = low; row < high; row++) {
      if (kept && !kept.segment(segments, row)) continue;
      const part = Math.min(to, start[row + 1]) - Math.max(from, start[row]);
      states[place][state[row]] += part;
      if (state[row] !== WAITING_GIL && state[row] !== WAITING_LOCK && state[row] !== BLOCKED) continue;
      grow(time[place], code[row], part);
      if (state[row] !== BLOCKED) grow(contended[place], code[row], part);
      times[code[row]] += count[row];
      if (count[row] === 1) longest[code[row]] = Math.max(longest[code[row]], start[row + 1] - start[row]);
    }
  });
  return { lanes, states, time, contended, times, longest };
}
function grow(sums, key, value) {
  sums.set(key, (sums.get(key) ?? 0) + value);
}
function callback_totals(timeline, from, to, kept) {
  const result = timeline.labels.map((label) => ({ label, count: 0, time: 0, enter: 0, longest: 0 }));
  const { calls } = timeline;
  if (!calls) return [];
  for (let row = 0; row < calls.start.length && calls.start[row] < to; row++) {
    if (calls.start[row] + calls.duration[row] < from || !kept.callback(timeline, row)) continue;
    const sum = result[calls.label[row]];
    sum.count += 1;
    sum.time += calls.duration[row];
    sum.enter += calls.enter[row];
    sum.longest = Math.max(sum.longest, calls.duration[row]);
  }
  return result.filter((sum) => sum.count).sort((a, b) => b.time - a.time);
}
function span_totals(timeline, from, to, kept) {
  const result = timeline.span_labels.map((label) => ({ label, count: 0, time: 0, longest: 0, bytes: 0, sized: false }));
  const { named } = timeline;
  if (!named) return [];
  for (let row = 0; row < named.start.length && named.start[row] < to; row++) {
    if (named.start[row] + named.duration[row] < from || !kept.span(timeline, row)) continue;
    const sum = result[named.label[row]];
    sum.count += 1;
    sum.time += named.duration[row];
    sum.longest = Math.max(sum.longest, named.duration[row]);
    sum.bytes += Math.max(0, named.bytes[row]);
    sum.sized ||= named.bytes[row] >= 0;
  }
  return result.filter((sum) => sum.count).sort((a, b) => b.time - a.time);
}

// profiler/gilscope/view/app/tables.js
var TABS = {
  threads: "Threads",
  locks: "Locks",
  callbacks: "Callbacks",
  spans: "Spans",
  blame: "Which thread waits for which",
  difference: "Difference",
  findings: "Findings"
};
var MOST_ROWS = 40;
function table(caption, heads, rows, empty, by = null, key = caption) {
  if (!rows.length) return `<p class="quiet">${safe(caption)}: ${safe(empty)}.</p>`;
  const head = heads.map((name, column) => {
    const way = by?.column === column ? ` aria-sort="${by.down ? "descending" : "ascending"}"` : "";
    return `<th scope="col"${way}><button class="link" data-sort="${column}:${safe(caption)}" title="Sort">${safe(name)}</button></th>`;
  }).join("");
  const body = sorted(rows, by).slice(0, MOST_ROWS).map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`);
  const more = rows.length - MOST_ROWS;
  if (more > 0) body.push(`<tr><td colspan="${heads.length}">and ${count_text(more)} more</td></tr>`);
  const button = `<button class="copy" data-copy="${safe(key)}">Copy as CSV</button>`;
  return `<div class="scroll"><table><caption>${safe(caption)} ${button}</caption><thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table></div>`;
}
function bar(value, top, color) {
  const share = top ? 100 * value / top : 0;
  const mark = `<i class="bar" style="width:${share.toFixed(1)}%;background:${color}"></i>`;
  return time_text(value) + (value ? mark : "");
}
var time_of = (ns) => ns === null ? "–" : time_text(ns);
function filter_note(tab, words) {
  if (!words.length) return "";
  const text = tab === "findings" ? "Findings are about whole runs; filters do not apply." : `Only ${words.join(" · ")}`;
  return `<p class="quiet filtered">${safe(text)} <button data-role="all">Show all</button></p>`;
}
var Tables = class {
  /**
   * @param {import("./types.js").Scene} data
   * @param {Timeline[]} timelines
   * @param {import("./kept.js").Kept} kept
   * @param {string[]} words The filters.
   * @param {Map<string, import("./sorting.js").By | null>} [orders] By caption.
   * @param {string} [filter] Rows with this text in them only, in any case.
   */
  constructor({ looks, findings }, timelines, kept, words, orders = /* @__PURE__ */ new Map(), filter = "") {
    this.orders = orders;
    this.filter = filter.trim().toLowerCase();
    this.made = /* @__PURE__ */ new Map();
    this.looks = looks;
    this.findings = findings;
    this.timelines = timelines;
    this.kept = kept;
    this.words = words;
  }
  /**
   * HTML of one tab.
   * @param {string} tab
   * @param {[from: number, to: number][]} spans The visible part of each timeline.
   */
  html(tab, spans) {
    const note = filter_note(tab, this.words);
    if (tab === "difference") return note + this.difference(spans);
    if (tab === "findings") return note + findings_html(this.findings, this.timelines, (html) => this.meant(html));
    const columns = this.timelines.map((timeline, place) => `<div class="column"><h3>${safe(timeline.build)}</h3>${this.one(tab, timeline, spans[place])}</div>`);
    return `${note}<div class="columns">${columns.join("")}</div>`;
  }
  /** @param {string} tab @param {Timeline} timeline @param {[from: number, to: number]} span */
  one(tab, timeline, [from, to]) {
    if (tab === "locks") return this.locks(timeline, from, to);
    if (tab === "callbacks") return this.callbacks(timeline, from, to);
    if (tab === "spans") return this.spans(timeline, from, to);
    if (tab === "blame") return this.blame(timeline, from, to);
    return this.threads(timeline, from, to);
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
    const key = `${number}:${caption}`, by = this.orders.get(caption) ?? null;
    const left = rows.filter((row) => this.meant(row.join(" ")));
    this.made.set(key, { heads, rows: sorted(left, by) });
    return table(caption, heads, left, rows.length ? `no row has “${this.filter}”` : empty, by, key);
  }
  /** Whether what is shown has the text of the filter. @param {string} html */
  meant(html) {
    return !this.filter || text_of(html).toLowerCase().includes(this.filter);
  }
  /** Sums of what is shown of the threads. @param {Timeline} timeline @param {number} from @param {number} to */
  sums(timeline, from, to) {
    return totals(timeline, from, to, timeline.kept_threads, this.kept);
  }
  /** @param {Timeline} timeline @param {number} from @param {number} to */
  threads(timeline, from, to) {
    const { lanes, states } = this.sums(timeline, from, to);
    const top = states.reduce((most, sums) => Math.max(most, ...sums.subarray(0, STATES.length)), 1);
    const cell = (sums, state) => bar(sums[state], top, this.looks.color[state]);
    const rows = lanes.map((lane, place) => {
      const sums = states[place];
      const { name, native } = timeline.lanes[lane];
      const link = `<button class="link" data-lane="${timeline.number}:${lane}">${safe(name)}</button>`;
      const [held2, off] = this.kept.locks ? [[], []] : [
        [cell(sums, HOLDING), cell(sums, RUNNING), cell(sums, WAITING_GIL)],
        timeline.cpu ? [time_of(timeline.cpu.ready_time(lane, from, to))] : []
      ];
      return [
        link + (native ? " <small>native</small>" : ""),
        ...held2,
        cell(sums, WAITING_LOCK),
        time_text(sums[BLOCKED] + sums[STOPPED]),
        ...off
      ];
    });
    const heads = this.kept.locks ? ["Thread", "Waits for locks", "Blocked"] : [
      "Thread",
      "Holds the GIL",
      "Runs without",
      "Waits for it",
      "Waits for locks",
      "Blocked",
      ...timeline.cpu ? ["Waits for a processor"] : []
    ];
    return this.table("Threads", heads, rows, "none is shown", timeline.number);
  }
  /**
   * Sums of the waits by lock, those of one name together.
   * @param {Timeline} timeline
   * @param {number} from
   * @param {number} to
   */
  lock_sums(timeline, from, to) {
    const { time, contended, times, longest } = this.sums(timeline, from, to);
    const sums = /* @__PURE__ */ new Map();
    const sum_of = (code) => sums.get(timeline.groups[timeline.codes[code][0]]);
    timeline.codes.forEach(([lock], code) => {
      if (lock < 0 || !times[code]) return;
      const group = timeline.groups[lock];
      const sum = sums.get(group) ?? { lock, locks: /* @__PURE__ */ new Set(), count: 0, held: 0, blocked: 0, longest: 0 };
      sum.locks.add(lock);
      sum.count += times[code];
      sum.longest = Math.max(sum.longest, longest[code]);
      sums.set(group, sum);
    });
    time.forEach((thread, place) => thread.forEach((ns, code) => {
      const sum = sum_of(code), held2 = contended[place].get(code) ?? 0;
      if (!sum) return;
      sum.held += held2;
      sum.blocked += ns - held2;
    }));
    return [...sums.values()].sort((a, b) => b.held - a.held || b.blocked - a.blocked);
  }
  /** @param {Timeline} timeline @param {number} from @param {number} to */
  locks(timeline, from, to) {
    const sums = this.lock_sums(timeline, from, to);
    const top = Math.max(1, ...sums.flatMap(({ held: held2, blocked }) => [held2, blocked]));
    const rows = sums.map((sum) => {
      const { name, kind, group } = timeline.locks[sum.lock], many2 = sum.locks.size;
      const link = `<button class="link" data-lock="${timeline.number}:${sum.lock}">${safe(many2 > 1 ? group : name)}</button>`;
      const note = [kind, ...many2 > 1 ? [`${count_text(many2)} of that name`] : []].join(", ");
      return [
        `${link} <small>${safe(note)}</small>`,
        count_text(sum.count),
        bar(sum.held, top, this.looks.color[WAITING_LOCK]),
        bar(sum.blocked, top, this.looks.color[BLOCKED]),
        sum.longest ? time_text(sum.longest) : "–"
      ];
    });
    return this.table(
      "Locks, events and queues",
      ["Lock", "Waits", "Contended", "Blocked", "Longest"],
      rows,
      "no waits in this range",
      timeline.number
    );
  }
  /** @param {Timeline} timeline @param {number} from @param {number} to */
  callbacks(timeline, from, to) {
    if (timeline.callbacks && !timeline.calls) {
      return `<p class="quiet">${things(timeline.callbacks, "callback")}: too many to be shown by range; the summary has their sums.</p>`;
    }
    const rows = callback_totals(timeline, from, to, this.kept).map((sum) => [
      safe(sum.label),
      count_text(sum.count),
      time_text(sum.time),
      time_text(sum.enter),
      time_text(sum.longest)
    ]);
    const heads = ["Native code called", "Times", "In Python", "Entering", "Longest"];
    return this.table("Callbacks", heads, rows, "no callbacks in this range", timeline.number);
  }
  /** @param {Timeline} timeline @param {number} from @param {number} to */
  spans(timeline, from, to) {
    const rows = span_totals(timeline, from, to, this.kept).map((sum) => [
      safe(sum.label),
      count_text(sum.count),
      time_text(sum.time),
      time_text(sum.longest),
      sum.sized ? size_text(sum.bytes) : "–"
    ]);
    const shown = timeline.named?.start.length ?? 0;
    const caption = shown < timeline.spans ? `Spans, the ${count_text(shown)} longest of ${count_text(timeline.spans)}` : "Spans";
    return this.table(
      caption,
      ["Span", "Times", "In all", "Longest", "Bytes"],
      rows,
      "no spans in this range",
      timeline.number
    );
  }
  /** @param {Timeline} timeline @param {number} from @param {number} to */
  blame(timeline, from, to) {
    const { lanes, contended } = this.sums(timeline, from, to);
    const head = (lane) => timeline.pool_of.get(lane)?.lane ?? lane;
    const cells = new Map(lanes.map((lane) => [head(lane), /* @__PURE__ */ new Map()]));
    contended.forEach((sums, place) => sums.forEach((ns, code) => {
      const row = cells.get(head(lanes[place])), peer = timeline.codes[code][1];
      const other = peer < 0 ? -1 : head(peer);
      if (ns) row?.set(other, (row.get(other) ?? 0) + ns);
    }));
    const waits = [...cells].filter(([, row]) => row.size);
    const others = /* @__PURE__ */ new Set([...cells.keys(), ...timeline.threads().map(head), -1]);
    const used = [...others].filter((other) => waits.some(([, row]) => row.has(other)));
    const top = waits.reduce((most, [, row]) => Math.max(most, ...row.values()), 1);
    const name = (lane) => {
      const pool = timeline.pool(lane);
      return lane < 0 ? "unknown" : pool ? pool_label(pool, pool.members) : timeline.lanes[lane].name;
    };
    const rows = waits.map(([lane, row]) => [safe(name(lane)), ...used.map((other) => this.heat(row.get(other) ?? 0, top))]);
    const names = used.map(name);
    return this.table(
      "Waiting threads (rows) and the threads that they waited for (columns)",
      ["Waits", ...names],
      rows,
      "no waits in this range",
      timeline.number
    );
  }
  /** @param {number} value @param {number} top */
  heat(value, top) {
    const depth = Math.round(55 * value / top);
    const wash = `color-mix(in srgb, ${this.looks.color[WAITING_GIL]} ${depth}%, transparent)`;
    return value ? `<span class="heat" style="background:${wash}">${time_text(value)}</span>` : "·";
  }
  /** @param {[from: number, to: number][]} spans */
  difference(spans) {
    const sums = this.timelines.map((timeline, place) => {
      const { states } = this.sums(timeline, ...spans[place]);
      return STATES.map((state) => states.reduce((sum, row) => sum + row[state], 0));
    });
    const who = this.words.length ? "Visible threads together" : "All threads together";
    const heads = [who, ...this.timelines.map((timeline) => timeline.build)];
    const [first, ...others] = this.timelines.map(({ build }) => build);
    heads.push(...others.map((build) => others.length > 1 ? `Change, ${first} to ${build}` : "Change"));
    const shown = this.kept.locks ? [WAITING_LOCK, BLOCKED, STOPPED] : STATES;
    const rows = shown.map((state) => {
      const label = this.looks.label[state];
      const key = `<i class="dot" style="background:${this.looks.color[state]}"></i>${safe(label)}`;
      const cells = sums.map((sum) => time_text(sum[state]));
      const changes = sums.slice(1).map((sum) => {
        const change = sum[state] - sums[0][state];
        return (change > 0 ? "+" : change < 0 ? "−" : "") + time_text(Math.abs(change));
      });
      return [key, ...cells, ...changes];
    });
    return this.table("What the threads did", heads, rows, "nothing");
  }
};

// profiler/gilscope/view/app/table_panel.js
var TablePanel = class {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.orders = /* @__PURE__ */ new Map();
    this.tables = null;
    this.filter = "";
  }
  /** Show rows with a text only. @param {string} text */
  keep(text) {
    this.filter = text;
    this.show();
  }
  /** Go to the tab that a key leads to; returns whether it leads to one. @param {string} key */
  turn(key) {
    const tabs = (
      /** @type {HTMLElement[]} */
      [...this.view.find("tabs").children]
    );
    const at = tabs.findIndex((tab2) => tab2.ariaSelected === "true"), last = tabs.length - 1;
    const places = { ArrowLeft: at ? at - 1 : last, ArrowRight: at < last ? at + 1 : 0, Home: 0, End: last };
    const tab = tabs[places[key]];
    if (!tab) return false;
    this.view.set("tab", String(tab.dataset.tab));
    tab.focus();
    return true;
  }
  /** Sort the tables of a caption by a column, or otherwise. @param {string} place Column and caption. */
  sort(place) {
    const [column, caption] = place.split(/:(.*)/s);
    this.orders.set(caption, turned(this.orders.get(caption) ?? null, Number(column)));
    this.show();
    const heads = (
      /** @type {NodeListOf<HTMLElement>} */
      this.view.find("table").querySelectorAll("[data-sort]")
    );
    [...heads].find((head) => head.dataset.sort === place)?.focus();
  }
  /** Copy a table as CSV. @param {string} key */
  copy(key) {
    const made = this.tables?.made.get(key);
    if (!made) return;
    const what = `${things(made.rows.length, "row")} as CSV`;
    return copy_text(this.view, csv(made.heads, made.rows), "text/csv", ".csv", what);
  }
  start() {
    this.view.find("tabs").innerHTML = Object.keys(TABS).map((tab) => `<button role="tab" data-tab="${tab}">${this.name_of(tab)}</button>`).join("");
  }
  /** What a tab is called: one run differs from nothing. @param {string} tab */
  name_of(tab) {
    return tab === "difference" && this.view.timelines.length < 2 ? "All threads" : TABS[tab];
  }
  show() {
    const { view } = this, { data, timelines, kept, settings } = view;
    const tab = settings.tab || (data.findings.length ? "findings" : "threads");
    for (
      const button of
      /** @type {HTMLCollectionOf<HTMLElement>} */
      view.find("tabs").children
    ) {
      const chosen = button.dataset.tab === tab;
      button.setAttribute("aria-selected", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
    view.find("table").setAttribute("aria-label", this.name_of(tab));
    const spans = timelines.map((timeline) => {
      const [from, to] = view.axis.span(timeline);
      return (
        /** @type {[number, number]} */
        [Math.max(0, from), Math.min(timeline.duration, to)]
      );
    });
    this.tables = new Tables(data, timelines, kept, view.filter_words(), this.orders, this.filter);
    view.find("table").innerHTML = this.tables.html(tab, spans);
  }
};

// profiler/gilscope/view/app/theme.js
var CURVE = ["#0072B2", "#4CA6E8"];
var LIGHT = { ink: "#1F2933", muted: "#66717D", paper: "#FFFFFF", wash: "#F1F3F5", line: "#DDE2E7" };
var DARK = { ink: "#E4E7EB", muted: "#9AA5B1", paper: "#171B20", wash: "#232A32", line: "#3A444F" };
var dark_system = () => matchMedia("(prefers-color-scheme: dark)");
function dark_page() {
  const light = document.body.dataset.jpThemeLight;
  return light ? light === "false" : dark_system().matches;
}
function follow_page(action) {
  const page = new MutationObserver(action);
  const system = dark_system();
  page.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  system.addEventListener("change", action);
  return () => {
    page.disconnect();
    system.removeEventListener("change", action);
  };
}
var Theme = class {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.dark = false;
  }
  /** Follow the page, unless a reader has set a theme; returns what ends it. */
  follow() {
    return follow_page(this.view.guard(() => {
      if (this.view.settings.theme === "auto") this.show("auto");
    }));
  }
  /** @param {import("./types.js").Settings["theme"]} theme */
  show(theme) {
    const dark = theme === "auto" ? dark_page() : theme === "dark";
    const { view } = this;
    this.dark = dark;
    view.host.themed?.(dark, view.settings.theme);
    view.box.dataset.theme = dark ? "dark" : "light";
    this.paint_figures(dark ? DARK : LIGHT);
    this.paint_marks(dark ? DARK : LIGHT);
    this.paint_curves(dark);
  }
  /** Light or dark by hand; as the page is by itself, it is left to the page again. */
  turn() {
    const dark = !this.dark;
    this.view.set("theme", dark === dark_page() ? "auto" : dark ? "dark" : "light");
  }
  /** @param {typeof LIGHT} colors */
  paint_figures({ ink, muted, paper, wash, line }) {
    for (const figure of this.view.drawing.figures()) {
      figure.setv({ background_fill_color: wash, border_fill_color: paper });
      figure.title?.setv({ text_color: ink });
      for (const axis of [...figure.left, ...figure.below]) {
        axis.setv({ major_label_text_color: ink, axis_label_text_color: muted });
      }
      for (const grid of figure.center) {
        if ("grid_line_color" in grid.properties && grid.grid_line_color) {
          grid.setv({ grid_line_color: line });
        }
      }
    }
  }
  /** @param {typeof LIGHT} colors */
  paint_marks({ ink, muted, paper }) {
    const { document: document2, painters } = this.view;
    for (const painter of painters) {
      for (const mark of [painter.after, painter.before]) mark.setv({ fill_color: paper });
      document2.get_model_by_name(`veil-view-${painter.timeline.number}`).glyph.setv({ fill_color: paper });
      painter.done.setv({ text_color: muted });
      for (const name of ["link-view", "dot-view", "chosen-view", "arrow-view", "head-view"]) {
        const { glyph } = document2.get_model_by_name(`${name}-${painter.timeline.number}`);
        glyph.setv({ line_color: ink });
        if (name === "dot-view" || name === "head-view") glyph.setv({ fill_color: ink });
      }
      document2.get_model_by_name(`entries-view-${painter.timeline.number}`).glyph.setv({ fill_color: paper });
    }
    document2.get_model_by_name("parallelism-legend").setv({ label_text_color: muted });
    document2.get_model_by_name("overview-mark")?.setv({ fill_color: ink, line_color: ink });
  }
  /** @param {boolean} dark */
  paint_curves(dark) {
    const [from, to] = dark ? CURVE : [...CURVE].reverse();
    for (const name of ["overview", "parallelism"]) {
      for (const { glyph } of this.view.document.get_model_by_name(name).renderers) {
        if (glyph.line_color.value === from) glyph.setv({ line_color: { value: to } });
      }
    }
  }
};

// profiler/gilscope/view/app/timeline.js
function first_alike(locks) {
  const first = /* @__PURE__ */ new Map();
  return locks.map(({ group, kind }, place) => {
    const key = `${group}
${kind}`;
    const found = first.get(key) ?? place;
    first.set(key, found);
    return found;
  });
}
var Timeline = class {
  /** @type {number[]} Lanes that have a place, from the top. */
  shown = [];
  /** @type {number[]} Threads that the filters leave: with a lane, or in that of their group. */
  kept_threads = [];
  /** @type {Set<number>} */
  kept_lanes = /* @__PURE__ */ new Set();
  /** @type {Map<number, number>} Where each lane begins, in lanes of threads from the top. */
  places = /* @__PURE__ */ new Map();
  /** Height of all lanes, in lanes of threads. */
  height = 0;
  /**
   * @param {number} number
   * @param {import("./types.js").TimelineMeta} meta
   * @param {import("./types.js").Columns} columns
   * @param {import("./types.js").GroupMeta[]} [groups]
   */
  constructor(number, meta, columns, groups = []) {
    this.number = number;
    const { titles, build, key, lanes, codes, locks, duration, grain } = meta;
    this.titles = titles;
    this.build = build;
    this.key = key;
    this.pools = pools_of(lanes, columns[`${number}.group`], groups);
    this.lanes = [...lanes, ...this.pools.map(({ name }) => (
      /** @type {import("./types.js").Lane} */
      { name, kind: "group", native: false, rank: -1 }
    ))];
    this.pool_of = new Map(this.pools.flatMap((pool) => pool.members.map((lane) => [lane, pool])));
    this.codes = codes;
    this.locks = locks;
    this.duration = duration;
    this.grain = grain;
    this.processors = meta.processors || Infinity;
    this.callbacks = meta.callbacks;
    this.spans = meta.spans;
    this.labels = meta.labels;
    this.span_labels = meta.span_labels;
    this.sampled = meta.sampled;
    this.details = meta.details;
    this.stacks = meta.stacks;
    this.all = new Segments(this, columns, `${number}.`, meta.offsets, grain);
    this.tally = meta.tally_offsets && new Segments(this, columns, `${number}.tally.`, meta.tally_offsets, meta.tally_grain);
    this.coded = false;
    this.part = null;
    this.raster = null;
    this.calls = calls_of(columns, `${number}.cb_`);
    this.entries = entries_of(columns, `${number}.en_`);
    this.named = spans_of(columns, `${number}.sp_`);
    this.samples = samples_of(columns, `${number}.sm_`);
    this.cpu = meta.cpu_offsets && new CpuTimes(columns, `${number}.`, meta.cpu_offsets);
    this.scale = 1e-6;
    this.shift = 0;
    this.groups = first_alike(locks);
    this.show(lanes.map((_, lane) => lane));
  }
  /**
   * Show lanes.
   * @param {number[]} lanes From the top.
   * @param {number[]} [threads] That are kept: those that have a lane or share one.
   */
  show(lanes, threads = lanes.filter((lane) => this.lanes[lane].kind === "thread")) {
    this.shown = lanes;
    this.kept_threads = threads;
    this.kept_lanes = /* @__PURE__ */ new Set([...lanes, ...threads]);
    this.places = /* @__PURE__ */ new Map();
    this.height = 0;
    for (const lane of lanes) {
      this.places.set(lane, this.height);
      this.height += this.height_of(lane);
    }
  }
  /** Whether a lane is left by the filters, if only as a part of its group. @param {number} lane */
  shows(lane) {
    return this.kept_lanes.has(lane);
  }
  /** Whether a lane has a place of its own. @param {number} lane */
  has_place(lane) {
    return this.places.has(lane);
  }
  /** Of a lane, in lanes of threads. @param {number} lane */
  height_of(lane) {
    return this.lanes[lane].kind === "group" ? POOL_HEIGHT : 1;
  }
  /** The lane at a distance from the top, or -1. @param {number} distance */
  lane_at(distance) {
    return this.shown.find((lane) => {
      const begin = Number(this.places.get(lane));
      return distance >= begin && distance < begin + this.height_of(lane);
    }) ?? -1;
  }
  /** Lanes between two distances from the top. @param {number} top @param {number} bottom */
  between(top, bottom) {
    return this.shown.filter((lane) => {
      const begin = Number(this.places.get(lane));
      return begin < bottom && begin + this.height_of(lane) > top;
    });
  }
  /** The group whose lane this is. @param {number} lane */
  pool(lane) {
    return this.pools[lane - (this.lanes.length - this.pools.length)] ?? null;
  }
  /** Threads of a group that the filters leave. @param {import("./types.js").Pool} pool */
  members(pool) {
    return pool.members.filter((lane) => this.shows(lane));
  }
  /** @param {number} time */
  to_axis(time) {
    return this.scale * time + this.shift;
  }
  /** @param {number} value */
  from_axis(value) {
    return (value - this.shift) / this.scale;
  }
  /**
   * The best segments there are for a stretch of time.
   * @param {number} from
   * @param {number} to
   */
  segments(from, to) {
    const { part } = this;
    if (part && part.from <= from && part.to >= to) return part.segments;
    return this.coded ? this.counted() : this.all;
  }
  /**
   * The same for a lane: parts from the kernel have the lanes of threads only.
   * @param {number} lane
   * @param {number} from
   * @param {number} to
   */
  segments_of(lane, from, to) {
    const best = this.segments(from, to);
    return best.has(lane) ? best : this.all;
  }
  /** All segments, divided by lock and other thread. */
  counted() {
    return this.tally ?? this.all;
  }
  /**
   * Rows of the spans of a lane between two times, the outermost first.
   * @param {number} lane
   * @param {number} from
   * @param {number} to
   */
  spans_of(lane, from, to) {
    const { named } = this;
    if (!named) return [];
    const { start, duration, depth } = named;
    const rows = [];
    for (let row = 0; row < start.length && start[row] <= to; row++) {
      if (named.lane[row] === lane && start[row] + duration[row] >= from) rows.push(row);
    }
    return rows.sort((a, b) => depth[a] - depth[b]);
  }
  /**
   * When spans of a lane between two times begin and end.
   * @param {number} lane
   * @param {number} from
   * @param {number} to
   * @returns {[start: number, end: number][]}
   */
  stretches_of(lane, from, to) {
    const { named } = this;
    return this.spans_of(lane, from, to).map((row) => {
      const start = Number(named?.start[row]);
      return [start, start + Number(named?.duration[row])];
    });
  }
  /** A span in words. @param {number} row */
  span_text(row) {
    const { named } = this;
    if (!named) return "";
    const size = named.bytes[row] < 0 ? "" : `, ${size_text(named.bytes[row])}`;
    return `${this.span_labels[named.label[row]]}: ${time_text(named.duration[row])}${size}`;
  }
  /** Height of a lane's middle, or null if it has no place. @param {number} lane */
  level(lane) {
    const place = this.places.get(lane);
    return place === void 0 ? null : this.height - place - this.height_of(lane) / 2;
  }
  /** The same of the lane that shows a thread: its own, or that of its group. @param {number} lane */
  seat(lane) {
    return this.level(lane) ?? this.level(this.pool_of.get(lane)?.lane ?? -1);
  }
  /** Time that each lane of a thread is in one of some states, in the whole run, ns. @param {number[]} states */
  times(states) {
    const { offsets, start, state } = this.all;
    return this.threads().map((lane) => {
      let sum = 0;
      for (let row = offsets[lane]; row < offsets[lane + 1] - 1; row++) {
        if (states.includes(state[row])) sum += start[row + 1] - start[row];
      }
      return sum;
    });
  }
  /** Lanes of threads. */
  threads() {
    return this.of_kind("thread");
  }
  /** Lanes of locks and callbacks. */
  others() {
    return [...this.of_kind("lock"), ...this.of_kind("callback")];
  }
  /** @param {import("./types.js").Lane["kind"]} kind */
  of_kind(kind) {
    return this.lanes.flatMap((lane, number) => lane.kind === kind ? [number] : []);
  }
};
function calls_of(columns, prefix) {
  if (!columns[`${prefix}start`]) return null;
  return {
    lane: columns[`${prefix}lane`],
    start: columns[`${prefix}start`],
    duration: columns[`${prefix}duration`],
    enter: columns[`${prefix}enter`],
    label: columns[`${prefix}label`]
  };
}
function entries_of(columns, prefix) {
  if (!columns[`${prefix}start`]) return null;
  return {
    lane: columns[`${prefix}lane`],
    start: columns[`${prefix}start`],
    duration: columns[`${prefix}duration`]
  };
}
function spans_of(columns, prefix) {
  if (!columns[`${prefix}start`]) return null;
  return {
    lane: columns[`${prefix}lane`],
    start: columns[`${prefix}start`],
    duration: columns[`${prefix}duration`],
    bytes: columns[`${prefix}bytes`],
    label: columns[`${prefix}label`],
    depth: columns[`${prefix}depth`]
  };
}

// profiler/gilscope/view/app/view.js
var REDRAW = 60;
var SETTLE = 120;
var View = class {
  /**
   * @param {HTMLElement} box
   * @param {import("./types.js").Scene} data
   * @param {import("./types.js").BokehDocument} document
   * @param {import("./types.js").Host} host
   */
  constructor(box, data, document2, host) {
    this.box = box;
    this.data = data;
    this.document = document2;
    this.host = host;
    this.stage = this.find("stage");
    this.timelines = data.timelines.map((meta, number) => new Timeline(number, meta, data.columns, data.groups));
    this.painters = this.timelines.map((timeline) => new Painter(document2, timeline, data));
    this.settings = { ...START, order: data.groups.length ? "contention" : START.order, hidden: data.hidden, ...host.settings };
    this.kept = new Kept(this.settings, this.timelines);
    this.choice = null;
    this.letters = NAME_LETTERS;
    this.panel = null;
    this.axis = new TimeAxis(this);
    this.lanes = new Lanes(this);
    this.gutter = new Gutter(this);
    this.drawing = new Drawing(this);
    this.kernel = new Kernel(this);
    this.chooser = new Chooser(this);
    this.finder = new Finder(this);
    this.table = new TablePanel(this);
    this.theme = new Theme(this);
    this.pointer = new Pointer(this);
    this.keyboard = new Keyboard(this);
    this.end = () => {
    };
    this.redraw_timer = void 0;
    this.settle_timer = void 0;
  }
  start() {
    this.find("controls").innerHTML = controls_html() + keys_html();
    this.panel = this.host.panel?.(this) ?? new HtmlSettings(this, this.data.settings);
    this.table.start();
    this.pointer.listen();
    this.keyboard.listen();
    this.gutter.start();
    const { align, theme, range, search } = this.settings;
    this.theme.show(theme);
    const unfollow = this.theme.follow();
    this.end = () => {
      clearTimeout(this.redraw_timer);
      clearTimeout(this.settle_timer);
      unfollow();
    };
    this.lanes.arrange();
    this.axis.align(align);
    if (range) this.axis.show(...range);
    const changed = () => this.changed();
    this.axis.range.change.connect(changed);
    for (const { figure } of this.painters) figure.properties.inner_width.change.connect(changed);
    this.drawing.fit_page();
    this.drawing.draw();
    this.settle();
    if (search) this.finder.search(search);
  }
  /** @param {string} role @returns {HTMLElement} */
  find(role) {
    const found = this.box.querySelector(`[data-role="${role}"]`);
    if (!found) throw new Error(`the page has no ${role}`);
    return (
      /** @type {HTMLElement} */
      found
    );
  }
  /** @param {string} text @param {boolean} bad */
  say(text, bad = false) {
    this.find("status").textContent = text;
    this.find("status").classList.toggle("bad", bad);
  }
  /** @param {unknown} error */
  fail(error) {
    const banner = this.find("errors");
    banner.hidden = false;
    banner.textContent = `gilscope: ${message_of(error)}`;
  }
  /**
   * Run what the page calls; what goes wrong is shown, not lost.
   * @template {any[]} T
   * @param {(...args: T) => unknown} action
   * @returns {(...args: T) => void}
   */
  guard(action) {
    return (...args) => {
      try {
        const result = action(...args);
        if (result instanceof Promise) result.catch((error) => this.fail(error));
      } catch (error) {
        this.fail(error);
      }
    };
  }
  /** Draw anew, soon. */
  changed() {
    clearTimeout(this.redraw_timer);
    this.redraw_timer = setTimeout(this.guard(() => {
      this.drawing.fit_page();
      this.drawing.draw();
      this.settle();
    }), REDRAW);
  }
  /** What is slower than drawing waits until the range stands still. */
  settle() {
    clearTimeout(this.settle_timer);
    this.settle_timer = setTimeout(this.guard(() => {
      this.note_range();
      this.table.show();
      return this.kernel.refine();
    }), SETTLE);
  }
  /** The filters in words. */
  filter_words() {
    return filter_words(this.settings, this.kept, this.timelines);
  }
  /**
   * Change a setting and do what follows from it.
   * @param {import("./types.js").SettingName} name
   * @param {any} value
   */
  set(name, value) {
    if (name === "least") {
      const bad = Number.isNaN(parse_time(value));
      this.panel?.mark(name, bad);
      if (bad) return this.say("At least: a time such as 20 µs or 1.5 ms", true);
    }
    if (same(this.settings[name], value)) return;
    this.note(name, value);
    const effect = EFFECTS[name];
    if (effect) effect(this, value);
    else this.lanes.rearrange();
  }
  /**
   * Keep what is set, and tell those who show it.
   * @param {import("./types.js").SettingName} name
   * @param {unknown} value
   */
  note(name, value) {
    Object.assign(this.settings, { [name]: value });
    this.panel?.show(name, value);
    this.host.told?.(name, value);
  }
  /** The visible range follows from much else: it is told once it stands still. */
  note_range() {
    const { start, end } = this.axis.range;
    if (!same(this.settings.range, [start, end])) this.note("range", [start, end]);
  }
};

// profiler/gilscope/view/app/report.js
function themed(dark, theme) {
  document.body.dataset.theme = dark ? "dark" : "light";
  for (const { gilscope } of document.querySelectorAll(".gilscope")) gilscope?.set("theme", theme);
}
var by_id = (id) => (
  /** @type {HTMLElement} */
  document.getElementById(id)
);
function note_range(number, view) {
  const { settings: { range }, axis } = view;
  const fragment = with_range(location.hash, number, axis.fits() ? null : range);
  history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
}
async function show_report(number) {
  const box = by_id(`view-${number}`);
  const take = (name) => String(by_id(`${name}-${number}`).textContent);
  const item = JSON.parse(take("figures"));
  const bytes = Uint8Array.from(atob(take("data")), (letter) => letter.charCodeAt(0));
  const [views, data] = await Promise.all([
    Bokeh.embed.embed_item(item, `stage-${number}`),
    unpack(bytes)
  ]);
  const view_of = (model) => Bokeh.index.find_one(model);
  const range = ranges_in(location.hash).get(number) ?? null;
  const told = (name) => {
    if (name === "range") note_range(number, view);
  };
  const view = new View(
    box,
    data,
    views.roots[0].model.document,
    { ask: null, view_of, themed, told, settings: { range } }
  );
  box.gilscope = view;
  view.start();
}
function show_reports(count) {
  for (let number = 1; number <= count; number++) {
    show_report(number).catch((error) => {
      by_id(`stage-${number}`).textContent = `The timelines cannot be drawn: ${message_of(error)}. A current browser may help.`;
      console.error(error);
    });
  }
}
export {
  START,
  View,
  show_reports,
  unpack
};
