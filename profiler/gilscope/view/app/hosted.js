// The settings of a view as ipywidgets, in a notebook: each is tied to the model that cells know.

/** @typedef {import("./types.js").WidgetModel} WidgetModel */
/** @typedef {import("./types.js").SettingName} SettingName */
/** @typedef {import("./view.js").View} View */

/**
 * Change a model, here and in the kernel; without a kernel, here.
 * @param {WidgetModel} model
 * @param {string} name
 * @param {unknown} value
 */
export function keep(model, name, value) {
  model.set(name, value)
  try {
    model.save_changes()
  } catch (error) {
    console.debug(`gilscope: ${name} is set in this page only: ${error}`)
  }
}

/**
 * One setting and its control.
 * @typedef {{ name: SettingName, control: WidgetModel, view: any, values: string[] | null, key: string }} Part
 */

/**
 * The settings as ipywidgets. A page that cannot host them within a widget gets HTML.
 * @param {WidgetModel} model
 * @param {import("./types.js").SettingMeta[]} settings
 */
export async function hosted(model, settings) {
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
  return (/** @type {View} */ page) => new Ipywidgets(page, parts)
}

class Ipywidgets {
  /** @param {View} page @param {Part[]} parts */
  constructor(page, parts) {
    this.page = page
    this.parts = new Map(parts.map((part) => [part.name, part]))
    /** @type {Map<SettingName, HTMLElement>} */
    this.places = new Map()
    this.ends = parts.map((part) => this.place(part))
  }

  /** Put a control into the page; returns what ends it. @param {Part} part */
  place({ name, control, view, values, key }) {
    const place = document.createElement("span")
    this.places.set(name, place)
    place.dataset.role = name
    place.append(view.el)
    this.page.find("settings").append(place)
    const host = view.luminoWidget ?? view.pWidget
    host?.processMessage({ type: "after-attach", isConflatable: false, conflate: () => false })
    this.show(name, this.page.settings[name])
    const change = this.page.guard(() => {
      const value = control.get(key)
      this.page.set(name, values ? values[value] ?? this.page.settings[name] : value)
    })
    control.on(`change:${key}`, change)
    return () => {
      control.off(`change:${key}`, change)
      // It is not in the page any more, which it would complain of.
      host?.processMessage({ type: "after-detach", isConflatable: false, conflate: () => false })
      view.remove()
    }
  }

  /** @param {SettingName} name @param {unknown} value */
  show(name, value) {
    const part = this.parts.get(name)
    if (!part) return
    const { control, values, key } = part
    const wanted = values ? values.indexOf(String(value)) : value
    if (control.get(key) !== wanted) keep(control, key, wanted)
  }

  /** @param {SettingName} name */
  field(name) {
    return this.places.get(name)?.querySelector("input")
  }

  /** @param {SettingName} name @param {boolean} bad */
  mark(name, bad) {
    this.field(name)?.setAttribute("aria-invalid", String(bad))
  }

  /** @param {SettingName} name */
  focus(name) {
    this.field(name)?.focus()
  }

  end() {
    for (const end of this.ends) end()
  }
}
