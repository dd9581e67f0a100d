"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const say = (text) => { document.getElementById("status").textContent = text; };

  // Colours: names in charts stand for what the page's style says, light or dark.
  const NAMES = {
    accent: "--accent", ink: "--ink", muted: "--muted", rule: "--rule", paper: "--paper", panel: "--panel",
    0: "--accent", 1: "--orange", 2: "--yellow", 3: "--green", 4: "--pink", 5: "--sky", 6: "--brown", 7: "--grey",
  };
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  function palette() {
    const found = {};
    for (const [name, variable] of Object.entries(NAMES)) {
      probe.style.color = `var(${variable})`;
      found[name] = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).join(",");
    }
    return found;
  }
  function coloured(value, colours) {
    if (typeof value === "string" && value[0] === "@") {
      const [name, opacity] = value.slice(1).split("/");
      return name in colours ? `rgba(${colours[name]},${opacity || 1})` : value;
    }
    if (Array.isArray(value)) return value.map((entry) => coloured(entry, colours));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, coloured(entry, colours)]));
    }
    return value;
  }

  // Charts: the controls nearest to a chart choose its state.
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const charts = all("[data-chart]").map((figure) => ({
    figure,
    plot: figure.querySelector(".plot"),
    keys: figure.dataset.keys.split(" ").filter(Boolean),
    states: JSON.parse(figure.querySelector("script").textContent),
    seen: false,
  }));
  function chosen(figure, key) {
    for (const root of [figure, figure.closest(".scope")]) {
      const control = root && all(`[data-control="${key}"]`, root).find((c) => c.type !== "radio" || c.checked);
      if (control) return control.value;
    }
    return "";
  }
  function smoothed(values, weight) {
    let mean = null;
    return values.map((value) => {
      if (value === null) return null;
      mean = mean === null ? value : weight * mean + (1 - weight) * value;
      return mean;
    });
  }
  function axis(given, colours) {
    return {
      automargin: true, zeroline: false, gridcolor: `rgb(${colours.rule})`, linecolor: `rgb(${colours.rule})`,
      zerolinecolor: `rgb(${colours.muted})`, ...given,
    };
  }
  // All axes of a chart; a title below a narrow one is broken into lines.
  function axes(layout, log, width, colours) {
    const names = new Set(["xaxis", "yaxis", ...Object.keys(layout).filter((key) => /^yaxis\d+$/.test(key))]);
    return Object.fromEntries([...names].map((name) => {
      const given = { ...layout[name] };
      if (log && name !== "xaxis") given.type = "log";
      if (name === "xaxis" && given.title) given.title = { ...given.title, text: broken(given.title.text, (width - 60) / 8) };
      return [name, axis(given, colours)];
    }));
  }
  function broken(text, most) {
    const lines = [""];
    for (const word of text.split(" ")) {
      const longer = `${lines.at(-1)} ${word}`.trim();
      if (longer.length > most && lines.at(-1)) lines.push(word);
      else lines[lines.length - 1] = longer;
    }
    return lines.join("<br>");
  }
  function draw(chart) {
    const { figure, plot } = chart;
    const state = chart.states[chart.keys.map((key) => chosen(figure, key)).join("|")];
    plot.classList.toggle("empty", !state);
    if (!state) {
      if (chart.drawn) Plotly.purge(plot);
      chart.drawn = false;
      plot.textContent = "Not kept for this estimator and k.";
      return;
    }
    if (!chart.drawn) plot.textContent = "";
    const colours = palette();
    const smooth = figure.querySelector('[data-role="smooth"]');
    const log = figure.querySelector('[data-role="log"]');
    const data = coloured(state.data, colours).map((trace) => (
      smooth && trace.meta && trace.meta.smooth ? { ...trace, y: smoothed(trace.y, +smooth.value) } : trace
    ));
    const layout = coloured(state.layout, colours);
    const narrow = plot.clientWidth < 480;
    const ink = `rgb(${colours.ink})`;
    Plotly.react(plot, data, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: ink },
      bargap: 0.05, barmode: "overlay",
      hoverlabel: { bgcolor: `rgb(${colours.panel})`, bordercolor: `rgb(${colours.muted})`, font: { color: ink }, align: "left" },
      hovermode: "closest", ...layout,
      margin: { l: 46, r: 12, t: 34, b: 44, ...layout.margin },
      legend: {
        orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", font: { size: narrow ? 10 : 12 },
        ...layout.legend,
      },
      modebar: { bgcolor: `rgb(${colours.paper})`, color: `rgb(${colours.muted})`, activecolor: ink },
      ...axes(layout, log && log.checked, narrow ? plot.clientWidth : Infinity, colours),
    }, {
      responsive: true, displaylogo: false, displayModeBar: narrow ? false : "hover",
      modeBarButtons: [["toImage", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
    });
    chart.drawn = true;
  }
  // Far charts wait until they are near the window: a page of many runs opens at once.
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      const chart = charts.find((c) => c.plot === entry.target);
      watcher.unobserve(entry.target);
      chart.seen = true;
      draw(chart);
    }
  }, { rootMargin: "600px" });
  charts.forEach((chart) => watcher.observe(chart.plot));
  const redraw = (every) => charts.filter((chart) => chart.seen || every).forEach(draw);

  document.addEventListener("input", (event) => {
    const control = event.target.closest("[data-control], [data-role]");
    if (!control) return;
    const root = control.closest("[data-chart]") || control.closest(".scope");
    charts.filter((chart) => chart.seen && root.contains(chart.figure)).forEach(draw);
    if (control.dataset.control === "state") all("table.groups", root).forEach(filter);
  });

  // Colours of the system, of the choice, of paper.
  const theme = document.getElementById("theme");
  theme.addEventListener("change", () => {
    document.documentElement.dataset.theme = theme.value;
    if (!theme.value) delete document.documentElement.dataset.theme;
    redraw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());
  matchMedia("print").addEventListener("change", () => {
    all("details").forEach((part) => { if (matchMedia("print").matches) part.open = true; });
    charts.forEach((chart) => { chart.seen = true; });
    redraw(true);
  });

  // The table of groups shows the chosen k.
  function filter(table) {
    const section = table.closest(".scope");
    const every = section.querySelector(".every").checked;
    const state = chosen(section, "state");
    for (const row of table.tBodies[0].rows) row.hidden = !every && row.dataset.state !== state;
  }
  all("table.groups").forEach(filter);
  all(".every").forEach((box) => box.addEventListener("change", () => {
    all("table.groups", box.closest(".scope")).forEach(filter);
  }));

  // Tables: sorted by a column, saved as CSV.
  const text = (cell) => (cell.dataset.value ?? cell.textContent).trim();
  const number = (value) => (value === "" || Number.isNaN(Number(value.replaceAll(",", ""))) ? null : Number(value.replaceAll(",", "")));
  function compare(a, b, sign) {
    const [x, y] = [number(a), number(b)];
    if (x !== null && y !== null) return sign * (x - y);
    if (x === null && y === null) return sign * a.localeCompare(b, "en", { numeric: true });
    return x === null ? 1 : -1;
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".sort");
    if (!button) return;
    const head = button.closest("th");
    const table = head.closest("table");
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentElement.cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].sort((one, other) => (
      compare(text(one.cells[head.cellIndex]), text(other.cells[head.cellIndex]), up ? 1 : -1)
    ));
    table.tBodies[0].append(...rows);
    say(`sorted by ${button.textContent}, ${up ? "ascending" : "descending"}`);
  });
  const quoted = (value) => (/[",\n\r]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".export");
    if (!button) return;
    const table = button.closest(".table").querySelector("table");
    const heads = [...table.tHead.rows[0].cells].map((cell) => cell.querySelector(".sort").textContent.trim());
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map(text));
    const lines = [heads, ...rows].map((row) => row.map(quoted).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    link.download = `${button.dataset.name.replace(/[^\w.-]+/g, "_") || "table"}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
    say(`saved ${rows.length} rows`);
  });

  // Commands are copied, pictures enlarged.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    const code = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected; press Ctrl+C";
    }
    say(button.textContent);
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  const viewer = document.getElementById("viewer");
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".enlarge");
    if (!button) return;
    const [small, large] = [button.querySelector("img"), viewer.querySelector("img")];
    const zoom = Math.max(1, Math.floor(Math.min(innerWidth * 0.9 / small.naturalWidth, innerHeight * 0.8 / small.naturalHeight)));
    large.src = small.src;
    large.alt = small.alt;
    large.width = small.naturalWidth * zoom;
    large.height = small.naturalHeight * zoom;
    viewer.showModal();
  });
})();
