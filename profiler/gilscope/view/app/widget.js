// Hosts the view in a notebook, offline: BokehJS comes over the comm, from the bokeh package of the
// kernel, once a page and version. Shows the live view and hides the static one above it.
// All the rest comes over the comm as well: this file is saved with the widget's state, by some.

import { hosted, keep } from "./hosted.js"

const LOADING = "__gilscope_loading__"  // of the page: what its views share
const PATIENCE = 10_000  // ms; a kernel that is gone does not answer at all
const SLOW = 60_000  // ms; names of native functions are looked up in large files
const LONG = 3_600_000  // ms; at first the kernel may still have other cells to run
const SOON = 2_000  // ms
const ALONE = "jupyter-widgets-disconnected"  // ipywidgets' class of what has no kernel

/** @typedef {import("./types.js").WidgetModel} WidgetModel */
/** @typedef {import("./types.js").SettingName} SettingName */
/** @typedef {import("./view.js").View} View */
/** @typedef {import("./types.js").BokehLibrary} BokehLibrary */

let asked = 0

/** @param {unknown} error */
const message_of = (error) => (error instanceof Error ? error.message : String(error))

/**
 * Ask the kernel for something; resolves with the message and its buffers.
 * @param {WidgetModel} model
 * @param {string} kind
 * @param {object} message
 * @param {number} patience ms
 * @returns {Promise<import("./types.js").Answer>}
 */
function ask(model, kind, message = {}, patience = PATIENCE) {
  const number = ++asked
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      end()
      reject(new Error("the kernel does not answer"))
    }, patience)
    function end() {
      clearTimeout(timer)
      model.off("msg:custom", listen)
    }
    /** @param {any} answer @param {ArrayBuffer[]} buffers */
    function listen(answer, buffers) {
      if (answer.number !== number) return
      end()
      if (answer.kind === "error") reject(new Error(answer.text))
      else resolve([answer, buffers])
    }
    model.on("msg:custom", listen)
    try {
      model.send({ kind, number, ...message })
    } catch {
      end()
      reject(new Error("the kernel is gone"))
    }
  })
}

/** @param {ArrayBuffer} buffer */
const url_of = (buffer) => URL.createObjectURL(new Blob([buffer], { type: "text/javascript" }))

/**
 * What the page has once, whoever asks first; a failure is forgotten.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} get
 * @returns {Promise<T>}
 */
function once(name, get) {
  /** @type {Record<string, Promise<any>>} */
  const loading = (/** @type {any} */ (window)[LOADING] ??= {})
  loading[name] ??= get().catch((error) => {
    delete loading[name]
    throw error
  })
  return loading[name]
}

/**
 * The scripts of the view as a module: a browser keeps each module as long as its page.
 * @param {WidgetModel} model
 * @returns {Promise<typeof import("./page.js")>}
 */
const scripts = (model) => once(`view ${model.get("scripts")}`, async () => {
  const [, [buffer]] = await ask(model, "scripts", {}, LONG)
  const url = url_of(buffer)
  return import(url).finally(() => URL.revokeObjectURL(url))
})

/** @param {ArrayBuffer} buffer */
function run_script(buffer) {
  const url = url_of(buffer)
  return new Promise((resolve, reject) => {
    const script = document.createElement("script")
    script.src = url
    script.onload = resolve
    script.onerror = () => reject(new Error("BokehJS could not be loaded"))
    document.head.appendChild(script)
  }).finally(() => URL.revokeObjectURL(url))
}

/** BokehJS of the wanted version: the page's own, else the kernel's. @param {WidgetModel} model */
function bokeh(model) {
  const version = model.get("bokeh_version")
  const page = /** @type {any} */ (window)
  /** @returns {BokehLibrary | undefined} */
  const present = () => page.Bokeh?.[version]
  if (present()) return Promise.resolve(present())
  return once(`bokeh ${version}`, async () => {
    const [, [script]] = await ask(model, "bokeh", {}, LONG)
    await run_script(script)
    return present()
  })
}

/**
 * Tie the view's settings to the traits that cells read and set; returns what unties them.
 * @param {WidgetModel} model
 * @param {View} view
 * @param {SettingName[]} names
 */
function tied(model, view, names) {
  const ends = names.map((name) => {
    const take = () => view.set(name, model.get(name))
    // A new alignment shows the whole run: a range that comes with it comes after it.
    const change = view.guard(() =>
      name === "range" ? queueMicrotask(view.guard(take)) : take())
    model.on(`change:${name}`, change)
    return () => model.off(`change:${name}`, change)
  })
  return () => ends.forEach((end) => end())
}

/**
 * Resolves when an element is in the page: front ends render before they attach, and may detach what
 * is out of sight.
 * @param {Element} element
 * @param {AbortSignal} signal Rejects.
 */
function attached(element, signal) {
  return new Promise((resolve, reject) => {
    const watch = new MutationObserver(look)
    function look() {
      if (!element.isConnected && !signal.aborted) return
      watch.disconnect()
      signal.removeEventListener("abort", look)
      if (signal.aborted) reject(new Error("the view was closed"))
      else resolve(undefined)
    }
    signal.addEventListener("abort", look)
    watch.observe(document, { childList: true, subtree: true })
    look()
  })
}

/**
 * Have Bokeh draw its figures, which it does only in the page.
 * @param {BokehLibrary} Bokeh
 * @param {object} item
 * @param {Element} stage
 * @param {AbortSignal} signal
 */
async function embed(Bokeh, item, stage, signal) {
  for (;;) {
    await attached(stage, signal)
    try {
      return await Bokeh.embed.embed_item(item, stage)
    } catch (error) {
      if (stage.isConnected) throw error
    }
  }
}

/** The box that a view lives in. @param {string} frame Its HTML. */
function box_of(frame) {
  const box = document.createElement("div")
  box.className = "gilscope"
  box.tabIndex = 0
  box.setAttribute("role", "application")
  box.setAttribute("aria-label", "Timelines of threads; press ? for the keys")
  box.dataset.lmSuppressShortcuts = "true"
  box.innerHTML = frame
  return box
}

/**
 * @param {WidgetModel} model
 * @param {HTMLElement} el
 * @param {ReturnType<typeof setTimeout>} waiting
 * @param {AbortSignal} signal
 */
async function show(model, el, waiting, signal) {
  const [Bokeh, { View, START, unpack }, [message, [figures, packed]]] = await Promise.all([
    bokeh(model), scripts(model), ask(model, "view", {}, LONG)])
  if (!Bokeh) throw new Error("BokehJS could not be loaded")
  const box = box_of(message.frame)
  const style = document.createElement("style")
  style.textContent = message.style
  clearTimeout(waiting)
  el.replaceChildren(style, box)
  const stage = /** @type {Element} */ (box.querySelector('[data-role="stage"]'))
  const item = JSON.parse(new TextDecoder().decode(figures))
  const data = await unpack(packed)
  const [views, panel] = await Promise.all([
    embed(Bokeh, item, stage, signal), hosted(model, data.settings)])
  const names = /** @type {SettingName[]} */ (Object.keys(START))
  const view = new View(box, data, views.roots[0].model.document, {
    ask: (kind, what) => ask(model, kind, what, kind === "detail" ? SLOW : PATIENCE),
    view_of: (figure) => Bokeh.index.find_one(figure),
    panel,
    settings: Object.fromEntries(names.map((name) => [name, model.get(name)])),
    told: (name, value) => keep(model, name, value),
  })
  box.gilscope = view
  view.start()
  const untie = tied(model, view, names)
  const replaced = /** @type {HTMLCollectionOf<HTMLElement>} */ (
    document.getElementsByClassName(message.replaces))
  for (const still of replaced) still.hidden = true
  return () => {
    untie()
    view.end()
    view.panel?.end?.()
    views.clear()
    const { document } = view, { documents } = Bokeh
    document.clear()  // and with it a timer that would keep it
    if (documents.includes(document)) documents.splice(documents.indexOf(document), 1)
    // JupyterLab keeps models of closed comms, and with them what their elements have.
    el.replaceChildren()
    delete box.gilscope
  }
}

/** @param {{ model: WidgetModel, el: HTMLElement }} place */
function render({ model, el }) {
  if (el.closest(`.${ALONE}`)) {
    el.textContent = "The picture above cannot be zoomed: this page has no kernel."
    return () => {}
  }
  const closing = new AbortController()
  /** @type {(() => void) | null} */
  let end = null
  const waiting = setTimeout(() => { el.textContent = "The interactive view will appear when the kernel is idle." }, SOON)
  show(model, el, waiting, closing.signal).then(
    (ready) => {
      end = ready
      if (closing.signal.aborted) end()
    },
    (error) => {
      clearTimeout(waiting)
      if (closing.signal.aborted) return
      el.textContent = `The picture above cannot be zoomed: ${message_of(error)}. Run the cell again.`
    },
  )
  return () => {
    closing.abort()
    end?.()
  }
}

export default { render }
