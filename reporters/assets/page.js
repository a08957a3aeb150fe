(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  document.documentElement.classList.add("js");
  const data = JSON.parse($("data").textContent);
  const view = $("view"), panel = $("panel"), stage = $("stage");
  const whole = { svg: $("drawing"), lines: data.lines, boxes: data.boxes, title: "" };
  let shown = whole;
  const node = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  // ---- light and dark ----
  $("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    root.style.colorScheme = root.dataset.theme;
  });

  // ---- filters: the same for map, table of connections and list of fixes ----
  const fields = ["level", "vector", "stage", "system"].map((name) => $("by-" + name));
  const findings = all("main .finding[id]");
  const words = new Map(findings.map((item) => [item.id, item.textContent.toLowerCase()]));
  const byId = new Map(findings.map((item) => [item.id, item]));
  let job = "";
  const asked = () => ({ text: $("search").value.trim().toLowerCase(), ...Object.fromEntries(fields.map((f) => [f.id.slice(3), f.value])) });

  function fits(item, want) {
    const has = item.dataset;
    return (!want.level || item.classList.contains(want.level)) && (!want.vector || has.vector === want.vector) && (!want.stage || has.stage === want.stage)
      && (!want.system || has.system === want.system) && (!want.text || words.get(item.id).includes(want.text));
  }
  function filter() {
    const want = asked();
    const active = Object.values(want).some(Boolean) || job !== "";
    const { lines, boxes } = shown;
    const fit = new Set();
    for (const item of findings) {
      const yes = fits(item, want) && (!job || item.dataset.item === job);
      item.hidden = !yes;
      if (yes) fit.add(item.id);
    }
    for (const part of all(".work")) part.hidden = active && all(".finding", part).every((item) => item.hidden);
    for (const part of all(".fixes")) {
      const left = all(".finding", part).filter((item) => !item.hidden).length;
      part.querySelector(".none").hidden = left > 0;
    }
    const lit = new Set();
    const only = want.level || want.vector || job;
    const near = (label) => want.text && label.toLowerCase().includes(want.text);
    for (const [id, line] of Object.entries(lines)) {
      const found = line.findings.some((f) => fit.has(f));
      const named = !only && (!want.text || near(boxes[line.tail].label) || near(boxes[line.head].label))
        && (!want.stage || line.stage === want.stage) && (!want.system || boxes[line.head].system === want.system);
      if (found || named) { lit.add(id); lit.add(line.tail); lit.add(line.head); }
    }
    for (const [id, box] of Object.entries(boxes)) {
      const found = box.findings.some((f) => fit.has(f));
      const named = !only && (!want.text || near(box.label)) && (!want.stage || box.stage === want.stage) && (!want.system || box.system === want.system);
      if (found || named) lit.add(id);
    }
    for (const id of [...Object.keys(lines), ...Object.keys(boxes)]) $(id)?.classList.toggle("dim", active && !lit.has(id));
    if (shown === whole) for (const row of all("#connections tr[data-line]")) row.hidden = active && !lit.has(row.dataset.line);
    const count = Object.keys(lines).filter((id) => lit.has(id)).length;
    $("hits").textContent = active ? `${fit.size} of ${findings.length} findings, ${count} of ${Object.keys(lines).length} connections${job ? `; work item ${job.slice(1)}` : ""}` : "";
  }
  for (const field of fields) field.addEventListener("change", () => { job = ""; filter(); });
  $("search").addEventListener("input", () => { job = ""; filter(); });
  const clear = () => { for (const f of [...fields, $("search")]) f.value = ""; job = ""; };
  $("clear").addEventListener("click", () => { clear(); filter(); });
  for (const card of all("[data-vector-card]")) {
    card.addEventListener("click", () => { clear(); $("by-vector").value = card.dataset.vectorCard; filter(); });
  }
  function reveal(id) {
    const item = byId.get(id) || document.querySelector(`.work#${CSS.escape(id || "-")}`);
    if (!item) return null;
    item.hidden = false;
    item.closest(".work").hidden = false;
    if (item.matches("details")) item.open = true;
    return item;
  }
  addEventListener("hashchange", () => reveal(location.hash.slice(1))?.scrollIntoView());
  reveal(location.hash.slice(1));

  if (whole.svg) {
    // ---- zoom and pan: the picture scrolls natively, zoom changes its size ----
    let scale = 1;
    const size = () => [Number(shown.svg.dataset.width), Number(shown.svg.dataset.height)];
    function zoom(to, x = view.clientWidth / 2, y = view.clientHeight / 2) {
      const next = Math.min(4, Math.max(0.08, to)), grow = next / scale;
      const left = (view.scrollLeft + x) * grow - x, top = (view.scrollTop + y) * grow - y;
      const [width, height] = size();
      scale = next;
      shown.svg.setAttribute("width", String(width * scale));
      shown.svg.setAttribute("height", String(height * scale));
      view.scrollTo(left, top);
      $("scale").textContent = `${Math.round(scale * 100)} %`;
    }
    const fit = () => { const [width, height] = size(); zoom(Math.min(1.4, view.clientWidth / width, Math.max(320, innerHeight * 0.76) / height)); };
    const start = () => { zoom(Math.min(1, Math.max(0.8, view.clientWidth / size()[0]))); view.scrollTo(0, 0); };
    $("nearer").addEventListener("click", () => zoom(scale * 1.25));
    $("farther").addEventListener("click", () => zoom(scale / 1.25));
    $("full").addEventListener("click", () => zoom(1));
    $("fit").addEventListener("click", fit);
    view.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = view.getBoundingClientRect();
      zoom(scale * Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    let drag = null, moved = false;
    view.addEventListener("pointerdown", (event) => {
      if (event.button || event.pointerType !== "mouse") return;
      drag = { x: event.clientX, y: event.clientY, left: view.scrollLeft, top: view.scrollTop };
      moved = false;
    });
    addEventListener("pointermove", (event) => {
      if (!drag) return;
      const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
      if (!moved && Math.hypot(dx, dy) < 5) return;
      moved = true;
      view.classList.add("drag");
      view.scrollTo(drag.left - dx, drag.top - dy);
    });
    addEventListener("pointerup", () => { drag = null; view.classList.remove("drag"); });

    // ---- which picture is shown: the whole map, or one group of it unfolded ----
    let items = [], current = null, order = [], from = null;
    const spot = (id) => { const b = ($(id).querySelector("rect.body") || $(id).querySelector(".cell rect, .arrow")).getBBox(); return [b.x, b.y]; };
    const down = (ids) => ids.map((id) => [spot(id), id]).sort((a, b) => a[0][0] - b[0][0] || a[0][1] - b[0][1]).map((pair) => pair[1]);
    function open(picture) {
      shown = picture;
      view.replaceChildren(picture.svg);
      items = all(".wire, .box", picture.svg);
      for (const item of items) { item.setAttribute("tabindex", "-1"); item.classList.remove("chosen"); }
      current = items.find((item) => item.classList.contains("box")) || items[0];
      if (current) current.setAttribute("tabindex", "0");
      order = down(Object.keys(picture.boxes));
      $("back").hidden = $("part").hidden = picture === whole;
      $("part").textContent = picture.title;
      start();
      filter();
    }
    function unfold(id) {
      const name = whole.boxes[id].unfold, part = data.parts[name];
      part.svg ||= $(name).content.firstElementChild;
      from = [id, scale, view.scrollLeft, view.scrollTop];
      open(part);
      hide();
      current?.focus({ preventScroll: true });
    }
    function back() {
      if (shown === whole) return;
      open(whole);
      hide();
      const [id, before, left, top] = from;
      zoom(before);
      view.scrollTo(left, top);
      focus($(id));
    }
    $("back").addEventListener("click", back);

    // ---- choosing a place or a connection ----
    const press = (text, run) => { const b = node("button", text); b.type = "button"; b.addEventListener("click", run); return b; };
    const link = (id) => press(shown.boxes[id].label, () => { focus($(id)); show(id); });
    const place = (text) => node("code", text);
    function list(title, ids, make) {
      if (!ids.length) return [];
      const ul = node("ul");
      for (const id of ids) { const li = node("li"); li.append(make(id)); ul.append(li); }
      return [node("h4", title), ul];
    }
    function evidence(ids) {
      const out = [];
      if (ids.length) out.push(node("h4", "What can go wrong here"));
      for (const id of ids.slice(0, 40)) {
        const item = byId.get(id);
        if (!item) { out.push(node("p", "One finding stands in findings.json.")); continue; }
        const copy = item.cloneNode(true);
        copy.removeAttribute("id");
        copy.hidden = false;
        copy.open = ids.length === 1;
        for (const spots of all(".spots", copy)) spots.remove();
        const jumps = node("p");
        const jump = node("a", "Open in the list"), mend = node("a", `Work item ${item.dataset.item.slice(1)}`);
        jump.href = "#" + id;
        mend.href = "#" + item.dataset.item;
        jumps.append(jump, ", mended by ", mend);
        (copy.querySelector(".in") || copy).append(jumps);
        out.push(copy);
      }
      if (ids.length > 40) out.push(node("p", `and ${ids.length - 40} more in the list`));
      return out;
    }
    function show(id) {
      const { lines, boxes } = shown;
      const line = lines[id], box = boxes[id];
      const out = [Object.assign(press("Close", shut), { className: "close" })];
      if (line) {
        out.push(node("h3", `${boxes[line.tail].label} → ${boxes[line.head].label}`));
        out.push(node("p", line.words, "soft"));
        if (line.at) { const p = node("p", "Written at "); p.append(place(line.at)); out.push(p); }
        if (line.guards.length) {
          const ul = node("ul", undefined, "states");
          for (const [name, state, kind] of line.guards) {
            const li = node("li", name + ": ");
            li.append(node("span", state, "state " + kind), node("small", " " + data.meaning[name][kind]));
            ul.append(li);
          }
          out.push(node("h4", "Guards"), ul);
        }
        out.push(...evidence(line.findings));
        if (!line.findings.length) out.push(node("p", "No finding on this connection."));
        out.push(...list("Between", [line.tail, line.head], link));
      } else {
        out.push(node("h3", box.label));
        out.push(node("p", box.words, "soft"));
        if (box.unfold) out.push(press(`Unfold these on the map`, () => unfold(id)));
        if (box.at && !box.members.length) { const p = node("p", "Written at "); p.append(place(box.at)); out.push(p); }
        out.push(...evidence(box.findings));
        const leaving = Object.values(lines).filter((l) => l.tail === id), coming = Object.values(lines).filter((l) => l.head === id);
        const through = (l) => press(`${boxes[l.tail === id ? l.head : l.tail].label}${l.findings.length ? ` (${l.findings.length} finding${l.findings.length > 1 ? "s" : ""})` : ""}`, () => { focus($(l.id)); show(l.id); });
        out.push(...list("Goes to", leaving, through), ...list("Comes from", coming, through));
        out.push(...list("Stand together here", box.members, place));
      }
      panel.replaceChildren(...out);
      panel.hidden = false;
      stage.classList.add("open");
      for (const item of items) item.classList.toggle("chosen", item.id === id || (box && lines[item.id] && (lines[item.id].tail === id || lines[item.id].head === id)) || (line && (line.tail === item.id || line.head === item.id)) || false);
      panel.scrollTop = 0;
      if (innerWidth <= 1100) panel.scrollIntoView({ block: "nearest" });
    }
    function hide() {
      panel.hidden = true;
      stage.classList.remove("open");
      for (const item of items) item.classList.remove("chosen");
    }
    function shut() {
      hide();
      current?.focus();
    }
    // A click is on what is in view already; only keys and links have to bring it there: a line by the box from which it comes.
    function focus(item, still) {
      if (!item) return;
      current?.setAttribute("tabindex", "-1");
      current = item;
      item.setAttribute("tabindex", "0");
      item.focus({ preventScroll: true });
      if (still) return;
      const shownAt = shown.lines[item.id] ? $(shown.lines[item.id].tail) : item;
      const port = view.getBoundingClientRect(), at = (shownAt.querySelector("rect.body") || shownAt).getBoundingClientRect();
      if (at.left < port.left || at.right > port.right) view.scrollLeft += at.left - port.left - 60;
      if (at.top < port.top || at.bottom > port.bottom) view.scrollTop += at.top - port.top - 60;
    }
    view.addEventListener("click", (event) => {
      const item = event.target.closest(".wire, .box");
      if (!item || moved) return;
      focus(item, true);
      if (event.target.closest(".fold") && shown.boxes[item.id]?.unfold) unfold(item.id);
      else show(item.id);
    });
    view.addEventListener("keydown", (event) => {
      const id = current?.id, lines = shown.lines, line = lines[id];
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Enter" || event.key === " ") show(id);
      else if (event.key === "Escape") { if (panel.hidden) back(); else shut(); }
      else if (event.key === "u" && shown.boxes[id]?.unfold) unfold(id);
      else if (event.key === "+" || event.key === "=") zoom(scale * 1.25);
      else if (event.key === "-") zoom(scale / 1.25);
      else if (event.key === "0") zoom(1);
      else if (event.key === "Home" || event.key === "End") focus($(event.key === "Home" ? order[0] : order[order.length - 1]));
      else if (step && event.key.endsWith("t")) {
        if (line) focus($(step > 0 ? line.head : line.tail));
        else focus($(down(Object.values(lines).filter((l) => (step > 0 ? l.tail : l.head) === id).map((l) => l.id))[0]));
      } else if (step) {
        const beside = line ? down(Object.values(lines).filter((l) => l.tail === line.tail).map((l) => l.id)) : order;
        focus($(beside[beside.indexOf(id) + step]));
      } else return;
      event.preventDefault();
    });
    panel.addEventListener("keydown", (event) => { if (event.key === "Escape") shut(); });
    document.addEventListener("click", (event) => {
      const to = event.target.closest("[data-show]"), work = event.target.closest("[data-work]");
      if (to) {
        event.preventDefault();
        if (shown !== whole) open(whole);
        $("map").scrollIntoView();
        focus($(to.dataset.show));
        show(to.dataset.show);
      } else if (work) {
        if (shown !== whole) open(whole);
        clear();
        job = work.dataset.work;
        hide();
        filter();
        $("map").scrollIntoView();
        const marks = findings.filter((item) => item.dataset.item === job).map((item) => item.id);
        const holds = (parts) => Object.keys(parts).find((id) => parts[id].findings.some((f) => marks.includes(f)));
        focus($(holds(whole.lines) || holds(whole.boxes)));
      }
    });
    for (const picture of [whole, ...Object.values(data.parts)]) for (const [id, line] of Object.entries(picture.lines)) line.id = id;
    for (const [id, box] of Object.entries(whole.boxes)) $(id).classList.toggle("opens", Boolean(box.unfold));
    open(whole);
  }

  // ---- print: everything that is folded away is opened for it ----
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("main details:not([open])").slice(0, 300);
    for (const item of closed) item.open = true;
  });
  addEventListener("afterprint", () => { for (const item of closed) item.open = false; closed = []; });
})();
