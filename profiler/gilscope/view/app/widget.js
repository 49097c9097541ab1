// Hosts the view in a notebook, offline: BokehJS comes over the comm, from the bokeh package of the
// kernel, once a page and version. Shows the live view and hides the static one above it.
// All the rest comes over the comm as well: this file is saved with the widget's state, by some.

const LOADING = "__gilscope_bokeh__"
const PATIENCE = 10_000  // ms; a kernel that is gone does not answer at all
const SLOW = 60_000  // ms; names of native functions are looked up in large files
const LONG = 3_600_000  // ms; at first the kernel may still have other cells to run
const SOON = 2_000  // ms

let asked = 0

/** Ask the kernel for something; resolves with the message and its buffers. */
function ask(model, kind, message = {}, patience = PATIENCE) {
  const number = ++asked
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      clearTimeout(timer)
      model.off("msg:custom", listen)
      settle(value)
    }
    const timer = setTimeout(() => end(reject, new Error("the kernel does not answer")), patience)
    function listen(answer, buffers) {
      if (answer.number !== number) return
      if (answer.kind === "error") end(reject, new Error(answer.text))
      else end(resolve, [answer, buffers])
    }
    model.on("msg:custom", listen)
    try {
      model.send({ kind, number, ...message })
    } catch {
      end(reject, new Error("the kernel is gone"))
    }
  })
}

/** Change a model, here and in the kernel; without a kernel, here. */
function keep(model, name, value) {
  model.set(name, value)
  try {
    model.save_changes()
  } catch (error) {
    console.debug(`gilscope: ${name} is set in this page only: ${error.message}`)
  }
}

/** The scripts of the view as a module. */
function load(buffer) {
  const url = URL.createObjectURL(new Blob([buffer], { type: "text/javascript" }))
  return import(url).finally(() => URL.revokeObjectURL(url))
}

function run_script(buffer) {
  const url = URL.createObjectURL(new Blob([buffer], { type: "text/javascript" }))
  return new Promise((resolve, reject) => {
    const script = document.createElement("script")
    script.src = url
    script.onload = resolve
    script.onerror = () => reject(new Error("BokehJS could not be loaded"))
    document.head.appendChild(script)
  }).finally(() => URL.revokeObjectURL(url))
}

/** BokehJS of the wanted version: the page's own, else the kernel's. */
function bokeh(model) {
  const version = model.get("bokeh_version")
  const present = () => window.Bokeh?.[version]
  if (present()) return Promise.resolve(present())
  const loading = (window[LOADING] ??= {})
  loading[version] ??= ask(model, "bokeh", {}, LONG)
    .then(([, [script]]) => run_script(script))
    .then(present)
    .catch((error) => {
      delete loading[version]
      throw error
    })
  return loading[version]
}

/** The settings as ipywidgets. A page that cannot host them within a widget gets HTML. */
async function hosted(model, settings) {
  const manager = model.widget_manager
  if (!manager?.get_model || !manager.create_view) return null
  const ids = model.get("controls")
  const parts = await Promise.all(settings.map(async ({ name, options }) => {
    const control = await manager.get_model(ids[name].replace("IPY_MODEL_", ""))
    const view = await manager.create_view(control)
    // What is chosen from a list is shared as its place there.
    const values = options.length ? options.map(([value]) => value) : null
    return { name, control, view, values, key: values ? "index" : "value" }
  }))
  return (page) => new Ipywidgets(page, parts)
}

class Ipywidgets {
  constructor(page, parts) {
    this.parts = new Map(parts.map((part) => [part.name, part]))
    for (const part of parts) {
      const { name, control, view, values, key } = part
      part.place = document.createElement("span")
      part.place.dataset.role = name
      part.place.append(view.el)
      page.find("settings").append(part.place)
      const host = view.luminoWidget ?? view.pWidget
      host?.processMessage({ type: "after-attach", isConflatable: false, conflate: () => false })
      this.show(name, page.settings[name])
      const change = page.guard(() => {
        const value = control.get(key)
        page.set(name, values ? values[value] ?? page.settings[name] : value)
      })
      control.on(`change:${key}`, change)
      part.end = () => {
        control.off(`change:${key}`, change)
        view.remove()
      }
    }
  }

  show(name, value) {
    const { control, values, key } = this.parts.get(name) ?? {}
    const wanted = values ? values.indexOf(value) : value
    if (!control || control.get(key) === wanted) return
    keep(control, key, wanted)
  }

  mark(name, bad) {
    this.parts.get(name)?.place.querySelector("input").setAttribute("aria-invalid", String(bad))
  }

  focus(name) {
    this.parts.get(name)?.place.querySelector("input").focus()
  }

  end() {
    for (const part of this.parts.values()) part.end()
  }
}

/** Tie the view's settings to the traits that cells read and set; returns what unties them. */
function tied(model, view, names) {
  const ends = names.map((name) => {
    // A new alignment shows the whole run: a range that comes with it comes after it.
    const change = view.guard(() =>
      name === "range" ? queueMicrotask(view.guard(take)) : take())
    const take = () => view.set(name, model.get(name))
    model.on(`change:${name}`, change)
    return () => model.off(`change:${name}`, change)
  })
  return () => ends.forEach((end) => end())
}

async function show(model, el, waiting) {
  const [Bokeh, [message, [figures, packed, scripts]]] = await Promise.all([
    bokeh(model), ask(model, "view", {}, LONG)])
  const box = document.createElement("div")
  box.className = "gilscope"
  box.tabIndex = 0
  box.setAttribute("role", "application")
  box.setAttribute("aria-label", "Timelines of threads; press ? for the keys")
  box.dataset.lmSuppressShortcuts = "true"
  box.innerHTML = message.frame
  const style = document.createElement("style")
  style.textContent = message.style
  clearTimeout(waiting)
  el.replaceChildren(style, box)
  const { View, START, unpack } = await load(scripts)
  const stage = box.querySelector('[data-role="stage"]')
  const item = JSON.parse(new TextDecoder().decode(figures))
  const data = await unpack(packed)
  const [views, panel] = await Promise.all([
    Bokeh.embed.embed_item(item, stage), hosted(model, data.settings)])
  const view_of = (figure) => Bokeh.index.find_one(figure)
  const names = Object.keys(START)
  const host = {
    ask: (kind, what) => ask(model, kind, what, kind === "detail" ? SLOW : PATIENCE),
    view_of,
    panel,
    settings: Object.fromEntries(names.map((name) => [name, model.get(name)])),
    told: (name, value) => keep(model, name, value),
  }
  const view = new View(box, data, views.roots[0].model.document, host)
  box.gilscope = view
  view.start()
  const untie = tied(model, view, names)
  for (const still of document.getElementsByClassName(message.replaces)) still.hidden = true
  return () => {
    untie()
    view.end()
    view.panel.end?.()
    views.clear()
  }
}

function render({ model, el }) {
  let gone = false
  let end = null
  const waiting = setTimeout(() => { el.textContent = "The interactive view will appear when the kernel is idle." }, SOON)
  show(model, el, waiting).then(
    (ready) => {
      end = ready
      if (gone) end()
    },
    (error) => {
      clearTimeout(waiting)
      el.textContent = `The picture above cannot be zoomed: ${error.message}. Run the cell again.`
    },
  )
  return () => {
    gone = true
    end?.()
  }
}

export default { render }
