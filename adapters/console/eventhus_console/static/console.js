// Everything works without this script. It adds the live tail, pages that refresh themselves,
// and a version slider that moves while it is dragged.
"use strict"

const ROWS = 200
const parts = html => new DOMParser().parseFromString(html, "text/html")

document.documentElement.classList.add("scripted")

/** A button that turns something on and off; `begin` returns the function that ends it. */
function toggle(name, begin) {
  const button = document.createElement("button")
  button.type = "button"
  button.textContent = name
  let end = null
  const turn = () => {
    if (end) { end(); end = null } else { end = begin() }
    button.setAttribute("aria-pressed", String(Boolean(end)))
  }
  button.addEventListener("click", turn)
  turn()
  return button
}

/** Replace the elements with these ids by those of another page. */
async function swap(url, ids) {
  const response = await fetch(url, { headers: { Accept: "text/html" } })
  const page = parts(await response.text())
  for (const id of ids) {
    const [old, fresh] = [document.getElementById(id), page.getElementById(id)]
    if (old && fresh) old.replaceWith(document.importNode(fresh, true))
  }
  return page
}

for (const place of document.querySelectorAll("[data-tail]")) {
  const rows = document.getElementById("rows")
  let from = place.dataset.tail
  const status = document.createElement("span")
  status.className = "quiet"
  status.setAttribute("role", "status")
  const live = toggle("Live", () => {
    const source = new EventSource(from)
    source.onopen = () => { status.textContent = "" }
    source.onerror = () => { status.textContent = "Connecting again…" }
    source.onmessage = message => {
      from = from.replace(/after=\d+/, `after=${message.lastEventId}`)
      rows.prepend(...parts(`<ol>${message.data}</ol>`).querySelectorAll("li"))
      document.getElementById("nothing")?.remove()
      while (rows.children.length > ROWS) rows.lastElementChild.remove()
    }
    return () => source.close()
  })
  place.replaceChildren(status, live)
}

const refreshed = document.querySelector("[data-refresh]")
if (refreshed) {
  const { id } = refreshed
  const every = Number(refreshed.dataset.refresh) * 1000
  const refresh = async () => {
    const area = document.getElementById(id)
    if (document.hidden || area.contains(document.activeElement)) return
    try {
      await swap(location.href, [id])
      live.textContent = "Live"
    } catch { live.textContent = "No answer" } // the next one may succeed
  }
  const live = toggle("Live", () => {
    const timer = setInterval(refresh, every)
    return () => clearInterval(timer)
  })
  document.querySelector(".top").append(live)
}

for (const form of document.querySelectorAll("[data-travel]")) {
  const slider = form.querySelector("input[type=range]")
  const output = form.querySelector("output")
  let wanted = null
  let busy = false
  const go = async () => {
    if (busy) return
    busy = true
    while (wanted !== null) {
      const version = wanted
      wanted = null
      const query = new URLSearchParams(new FormData(form))
      query.set("version", version)
      const url = `${form.getAttribute("action")}?${query}`
      try {
        const page = await swap(url, form.dataset.travel.split(" "))
        document.title = page.title
        history.replaceState(null, "", url)
      } catch { output.textContent = "no answer" }
    }
    busy = false
  }
  slider.addEventListener("input", () => {
    wanted = slider.value
    output.textContent = `${slider.value} of ${slider.max}`
    go()
  })
}
