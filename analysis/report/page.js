"use strict";
// Zoom of the plots that share a time axis, and switching runs off. A plot's data lie from 0 to
// SPAN in a nested <svg>, so that to zoom is to change its viewBox and to number the axes anew.
(() => {
  const SPAN = 1e6;
  const NARROWEST = 1e-4;
  const numbers = (text) => text.split(" ").map(Number);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  document.documentElement.classList.add("script");
  const namespace = document.querySelector("svg")?.namespaceURI;

  function element(name, attributes, text) {
    const made = document.createElementNS(namespace, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // As analysis.report.plot.round_ticks does it.
  function roundTicks(low, high, most, whole) {
    const rough = Math.max((high - low) / Math.max(most, 1), whole ? 1 : 0);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power)
      .find((s) => s >= rough * (1 - 1e-9) && (!whole || s === Math.round(s)));
    const ticks = [];
    const last = Math.floor(high / step + 1e-9);
    for (let k = Math.ceil(low / step - 1e-9); k <= last; k++) ticks.push(k * step);
    return ticks;
  }

  function tickText(value) {
    const text = String(Number((Math.abs(value) < 1e-12 ? 0 : value).toPrecision(8)));
    return text.replace("-", "\u2212");
  }

  function rounded(value, width) {
    const digits = clamp(Math.ceil(-Math.log10(width)) + 2, 0, 6);
    return tickText(Number(value.toFixed(digits)));
  }

  class Plot {
    constructor(svg) {
      this.svg = svg;
      this.data = svg.querySelector(".data");
      this.height = Number(svg.dataset.height);
      this.x = numbers(svg.dataset.x);
      this.y = numbers(svg.dataset.y);
      this.most = numbers(svg.dataset.most);
      this.whole = numbers(svg.dataset.whole);
      this.zoomsY = svg.hasAttribute("data-rows");
      this.numbered = svg.hasAttribute("data-numbers");
      this.firstY = svg.querySelector(".y-ticks").cloneNode(true);
    }

    // view: the visible part, from 0 to 1, x from the left and y from the top.
    show(view) {
      const y0 = this.zoomsY ? view.y0 : 0;
      const y1 = this.zoomsY ? view.y1 : 1;
      const box = [view.x0 * SPAN, y0 * SPAN, (view.x1 - view.x0) * SPAN, (y1 - y0) * SPAN];
      this.data.setAttribute("viewBox", box.join(" "));
      this.numberX(view);
      if (this.zoomsY) this.numberY(y0, y1);
    }

    numberX(view) {
      const [low, high] = [this.timeAt(view.x0), this.timeAt(view.x1)];
      const drawn = [];
      for (const value of roundTicks(low, high, this.most[0], this.whole[0])) {
        const at = `${(100 * (value - low)) / (high - low)}%`;
        drawn.push(element("line", { class: "grid", x1: at, x2: at, y1: 0, y2: this.height }));
        if (this.numbered) {
          const place = { x: at, y: this.height + 16, "text-anchor": "middle" };
          drawn.push(element("text", place, tickText(value)));
        }
      }
      this.svg.querySelector(".x-ticks").replaceChildren(...drawn);
    }

    numberY(y0, y1) {
      const group = this.svg.querySelector(".y-ticks");
      if (y0 === 0 && y1 === 1) {
        group.replaceChildren(...this.firstY.cloneNode(true).childNodes);
        return;
      }
      const [low, high] = [this.rowAt(y1), this.rowAt(y0)];
      const drawn = [];
      for (const value of roundTicks(low, high, this.most[1], this.whole[1])) {
        const at = (this.height * (high - value)) / (high - low);
        drawn.push(element("line", { class: "grid", x1: 0, x2: "100%", y1: at, y2: at }));
        const place = { x: -7, y: at + 4, "text-anchor": "end" };
        drawn.push(element("text", place, tickText(value)));
      }
      group.replaceChildren(...drawn);
    }

    timeAt(fraction) { return this.x[0] + fraction * (this.x[1] - this.x[0]); }
    rowAt(fraction) { return this.y[1] - fraction * (this.y[1] - this.y[0]); }

    fraction(event) {
      const box = this.svg.getBoundingClientRect();
      return {
        x: clamp((event.clientX - box.left) / box.width, 0, 1),
        y: clamp((event.clientY - box.top) / this.height, 0, 1),
      };
    }
  }

  class Zoom {
    constructor(figure) {
      this.figure = figure;
      this.area = figure.querySelector(".zoom");
      this.plots = [...figure.querySelectorAll("svg[data-link]")].map((svg) => new Plot(svg));
      this.raster = this.plots.find((plot) => plot.zoomsY);
      this.view = { x0: 0, x1: 1, y0: 0, y1: 1 };
      this.drag = null;
      for (const plot of this.plots) this.listen(plot);
      this.area.addEventListener("keydown", (event) => this.key(event));
      for (const button of figure.querySelectorAll("[data-zoom]")) {
        button.addEventListener("click", () => {
          if (button.getAttribute("aria-disabled") !== "true") this.act(button.dataset.zoom);
        });
      }
      this.report();
    }

    listen(plot) {
      const hit = plot.svg.querySelector(".hit");
      hit.addEventListener("pointerdown", (event) => this.press(event, plot, hit));
      hit.addEventListener("pointermove", (event) => this.move(event, plot));
      hit.addEventListener("pointerup", (event) => this.release(event, plot));
      hit.addEventListener("pointercancel", () => this.forget());
      hit.addEventListener("pointerleave", () => this.say(".cursor", ""));
      hit.addEventListener("dblclick", () => this.act("reset"));
      hit.addEventListener("wheel", (event) => this.wheel(event, plot), { passive: false });
    }

    // --- what can be done

    act(action) {
      const v = this.view;
      const step = (v.x1 - v.x0) / 4;
      if (action === "in") this.scale(0.5, 0.5);
      else if (action === "out") this.scale(2, 0.5);
      else if (action === "left") this.set({ x0: v.x0 - step, x1: v.x1 - step });
      else if (action === "right") this.set({ x0: v.x0 + step, x1: v.x1 + step });
      else if (action === "reset") this.set({ x0: 0, x1: 1, y0: 0, y1: 1 });
    }

    scale(factor, at) {
      const { x0, x1 } = this.view;
      const width = clamp((x1 - x0) * factor, NARROWEST, 1);
      const kept = x0 + at * (x1 - x0);
      this.set({ x0: kept - at * width, x1: kept + (1 - at) * width });
    }

    scaleRows(factor) {
      const { y0, y1 } = this.view;
      const height = clamp((y1 - y0) * factor, this.oneRow(), 1);
      const middle = (y0 + y1) / 2;
      this.set({ y0: middle - height / 2, y1: middle + height / 2 });
    }

    oneRow() { return this.raster ? 1 / (this.raster.y[1] - this.raster.y[0]) : 1; }

    set(change) {
      const next = { ...this.view, ...change };
      for (const [a, b] of [["x0", "x1"], ["y0", "y1"]]) {
        const width = Math.min(next[b] - next[a], 1);
        next[a] = clamp(next[a], 0, 1 - width);
        next[b] = next[a] + width;
      }
      this.view = next;
      for (const plot of this.plots) plot.show(next);
      this.report();
    }

    // --- telling

    report() {
      const { x0, x1, y0, y1 } = this.view;
      const whole = x0 === 0 && x1 === 1 && y0 === 0 && y1 === 1;
      const plot = this.plots[0];
      const [low, high] = [plot.timeAt(x0), plot.timeAt(x1)];
      let text = `${rounded(low, high - low)} to ${rounded(high, high - low)} ${this.unitName()}`;
      if (this.raster && (y0 > 0 || y1 < 1)) {
        const first = Math.ceil(this.raster.rowAt(y1));
        const last = Math.floor(this.raster.rowAt(y0));
        text += `, ${this.raster.svg.dataset.rows}s ${first} to ${last}`;
      }
      this.say(".status", whole ? `Shown: all of it, ${text}` : `Shown: ${text}`);
      const disabled = { out: x1 - x0 >= 1, left: x0 <= 0, right: x1 >= 1, reset: whole,
        in: x1 - x0 <= NARROWEST };
      for (const button of this.figure.querySelectorAll("[data-zoom]")) {
        button.setAttribute("aria-disabled", String(disabled[button.dataset.zoom]));
      }
    }

    unitName() { return this.figure.dataset.unit; }

    say(where, text) {
      const target = this.figure.querySelector(where);
      if (target.textContent !== text) target.textContent = text;
    }

    point(plot, at) {
      const { x0, x1, y0, y1 } = this.view;
      const width = x1 - x0;
      const time = plot.timeAt(x0 + at.x * width);
      let text = `${rounded(time, (plot.x[1] - plot.x[0]) * width / 100)} ${this.unitName()}`;
      if (plot.zoomsY) {
        const row = Math.round(plot.rowAt(y0 + at.y * (y1 - y0)));
        text += `, ${plot.svg.dataset.rows} ${clamp(row, 1, Math.round(plot.y[1] - 0.5))}`;
      }
      this.say(".cursor", `Pointer: ${text}`);
    }

    // --- pointer

    press(event, plot, hit) {
      if (event.button !== 0 || !event.isPrimary) return;
      hit.setPointerCapture(event.pointerId);
      this.area.focus({ preventScroll: true });
      const mark = element("rect", { class: "selection" });
      plot.svg.append(mark);
      this.drag = { plot, from: plot.fraction(event), mark, at: [event.clientX, event.clientY] };
    }

    move(event, plot) {
      const at = plot.fraction(event);
      this.point(plot, at);
      if (!this.drag || this.drag.plot !== plot) return;
      const { x, y, width, height } = this.chosen(event);
      const place = { x: `${100 * x}%`, width: `${100 * width}%`,
        y: y * plot.height, height: height * plot.height };
      for (const [key, value] of Object.entries(place)) this.drag.mark.setAttribute(key, value);
    }

    // The dragged rectangle; one that is flat, or not in the raster, is a stretch of time.
    chosen(event) {
      const { plot, from, at } = this.drag;
      const to = plot.fraction(event);
      const tall = plot.zoomsY && Math.abs(event.clientY - at[1]) > 24;
      return {
        x: Math.min(from.x, to.x), width: Math.abs(to.x - from.x),
        y: tall ? Math.min(from.y, to.y) : 0, height: tall ? Math.abs(to.y - from.y) : 1,
      };
    }

    release(event, plot) {
      if (!this.drag || this.drag.plot !== plot) return;
      const moved = Math.abs(event.clientX - this.drag.at[0]) > 5;
      const part = this.chosen(event);
      this.forget();
      if (!moved) return;
      const { x0, x1, y0, y1 } = this.view;
      const width = Math.max(part.width * (x1 - x0), NARROWEST);
      const height = Math.max(part.height * (y1 - y0), Math.min(this.oneRow(), y1 - y0));
      const left = x0 + part.x * (x1 - x0);
      const top = y0 + part.y * (y1 - y0);
      this.set({ x0: left, x1: left + width, y0: top, y1: top + height });
    }

    forget() {
      if (this.drag) this.drag.mark.remove();
      this.drag = null;
    }

    // The wheel alone scrolls the page.
    wheel(event, plot) {
      if (!(event.ctrlKey || event.metaKey || event.altKey)) return;
      event.preventDefault();
      this.scale(Math.exp(clamp(event.deltaY, -100, 100) * 0.004), plot.fraction(event).x);
    }

    // --- keyboard

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { y0, y1 } = this.view;
      const step = (y1 - y0) / 4;
      const actions = {
        "+": () => this.act("in"), "=": () => this.act("in"),
        "-": () => this.act("out"), "\u2212": () => this.act("out"),
        ArrowLeft: () => this.act("left"), ArrowRight: () => this.act("right"),
        0: () => this.act("reset"), Escape: () => (this.drag ? this.forget() : this.act("reset")),
        ArrowUp: () => (event.shiftKey ? this.scaleRows(0.5) : this.rows(-step)),
        ArrowDown: () => (event.shiftKey ? this.scaleRows(2) : this.rows(step)),
      };
      const action = actions[event.key];
      // All rows are visible: up and down scroll the page.
      const scrolls = !event.shiftKey && y0 === 0 && y1 === 1;
      if (!action || (scrolls && event.key.match(/^Arrow(Up|Down)$/))) return;
      event.preventDefault();
      action();
    }

    rows(step) { this.set({ y0: this.view.y0 + step, y1: this.view.y1 + step }); }
  }

  for (const figure of document.querySelectorAll(".zoomable")) new Zoom(figure);

  for (const box of document.querySelectorAll("[data-switch]")) {
    box.addEventListener("change", () => {
      for (const layer of box.closest("figure").querySelectorAll(`.plot .${box.dataset.switch}`)) {
        layer.classList.toggle("hidden", !box.checked);
      }
    });
  }

  // Only a box that does scroll is a stop for the Tab key.
  const boxes = [...document.querySelectorAll(".scroll")];
  const stops = () => {
    for (const box of boxes) box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
  };
  stops();
  addEventListener("resize", stops);

  // On paper nothing can be opened.
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details:not([open])")) {
      details.open = true;
      opened.push(details);
    }
  });
  addEventListener("afterprint", () => {
    while (opened.length) opened.pop().open = false;
  });
})();
