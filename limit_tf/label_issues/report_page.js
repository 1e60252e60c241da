
"use strict";

(() => {
  const PAGE_SIZES = { wide: 60, narrow: 12 }; // A phone scrolls enough.
  const UNDECIDED = -2;
  const REJECTED = -1; // Any other decision is the class that was accepted.
  const SHOWN_ROWS = 8;
  const FEW_CLASSES = 5; // Matrices up to here have large cells,
  const NUMBER_CLASSES = 20; // up to here show their numbers,
  const TABLE_CLASSES = 30; // and above are drawn as one picture.
  const BOX = 112;

  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const names = data.classNames;
  const numRows = data.ids.length;

  const narrow = matchMedia("(max-width: 44rem)");
  const pageSize = () => PAGE_SIZES[narrow.matches ? "narrow" : "wide"];
  const logOdds = data.details.find(([name]) => name === "wrong_log_odds")?.[1];

  // Small helpers. Values of the data become text or attributes, never HTML.

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  function shape(tag, attributes, text) {
    const node = document.createElementNS(find("histogram").namespaceURI, tag);
    for (const [key, value] of Object.entries(attributes)) {
      node.setAttribute(key, value);
    }
    if (text !== undefined) node.textContent = text;
    return node;
  }

  const count = (value) => value.toLocaleString("en");
  const counted = (value, one, many) =>
    `${count(value)} ${value === 1 ? one : many}`;
  const percent = (value) => {
    const share = value * 100;
    const whole = share === 0 || share >= 99.95 || (share >= 10 && share < 99);
    return `${share.toFixed(whole ? 0 : share < 1 ? 2 : 1)}%`;
  };
  const range = (low, high) => `${percent(low)} to ${percent(high)}`;
  const setWidth = (node, share) => {
    node.style.width = `${Math.min(1, Math.max(0, share)) * 100}%`;
    return node;
  };

  function announce(text) {
    const live = find("live");
    live.textContent = "";
    setTimeout(() => { live.textContent = text; }, 20);
  }

  // Head.

  function showHead() {
    for (const [key, value] of data.facts) {
      find("facts").append(element("div", {}, element("dt", {}, key),
        element("dd", {}, value)));
    }
    const share = data.numLabels ? data.numIssues / data.numLabels : 0;
    tile("Labels", count(data.numLabels));
    tile("Suspicious labels", count(data.numIssues),
      `${percent(share)} of all`);
    const noise = data.noise;
    if (noise) {
      tile("Wrong labels, estimated", percent(noise.rate),
        `${noise.intervalName}: ${range(...noise.interval)}, of ` +
        `${noise.intervalsHold}; from ` +
        `${counted(noise.numExamples, "label", "labels")}`);
    }
    const truth = data.truth;
    if (truth) {
      tile("Wrong labels, in truth",
        percent(data.numLabels ? truth.wrong / data.numLabels : 0),
        `${count(truth.wrong)} labels`);
      tile("Precision",
        data.numIssues ? percent(truth.found / data.numIssues) : "–",
        `${count(truth.found)} of ${count(data.numIssues)} suspicious labels ` +
        "are wrong");
      tile("Recall",
        truth.wrong ? percent(truth.found / truth.wrong) : "–",
        `${count(truth.found)} of ${count(truth.wrong)} wrong labels were ` +
        "found");
      find("truth-remark").textContent =
        "The true labels are known here, as the noise was added on purpose: " +
        "this page can say what is right. The suggestion is the true label " +
        `for ${count(truth.solved)} of the ${count(truth.found)} wrong ` +
        "labels found.";
    }
    const listed = numRows < data.numLabels
      ? ` The ${count(numRows)} most suspicious labels are listed below; ` +
        "figures and charts are of all."
      : "";
    find("rule").textContent =
      `Rule for suspicious labels: ${data.rule}.${listed}`;
  }

  function tile(name, value, note) {
    const box = element("div", {}, element("dt", {}, name),
      element("dd", {}, value));
    if (note) box.append(element("dd", { class: "note" }, note));
    find("tiles").append(box);
  }

  // Matrix. Rows are true (or suggested) classes, columns given labels.

  const isNoise = data.matrix.kind === "noise";
  const entries = new Map(data.matrix.entries.map(
    (entry) => [entry[0] * names.length + entry[1], entry]));
  const largest = { same: 0, other: 0 };
  for (const [row, column, value] of data.matrix.entries) {
    const kind = row === column ? "same" : "other";
    largest[kind] = Math.max(largest[kind], value);
  }
  const rowWord = isNoise ? "true class" : "suggested label";
  const entryAt = (row, column) => entries.get(row * names.length + column);

  function cellShare(row, column) {
    const entry = entryAt(row, column);
    if (!entry) return 0;
    const share = entry[2] / largest[row === column ? "same" : "other"];
    return row === column ? share : 0.05 + 0.95 * share ** 0.7;
  }

  function cellNumber(row, column) {
    const entry = entryAt(row, column);
    if (!entry) return "";
    if (!isNoise) return count(entry[2]);
    const share = entry[2] * 100;
    if (share < 0.05) return "";
    return share.toFixed(share < 9.95 ? 1 : 0);
  }

  function cellText(row, column) {
    const entry = entryAt(row, column);
    const [high, low] = [names[row], names[column]];
    if (!isNoise) {
      return `Given ${low}, suggested ${high}: ` +
        counted(entry ? entry[2] : 0, "label", "labels");
    }
    const start = `Of true ${high}, labelled ${low}: `;
    if (!entry) {
      return start + (data.matrix.entriesPerRow ? "not among the most frequent"
        : "less than 0.005%");
    }
    return start + `${percent(entry[2])} (${range(entry[3], entry[4])})`;
  }

  function showMatrix() {
    find("matrix-heading").textContent = isNoise
      ? "How labels go wrong" : "Suggested changes";
    const few = data.matrix.entriesPerRow;
    find("matrix-help").textContent = (isNoise
      ? "Each row is a true class: how many percent of its examples carry " +
        "which label, as estimated. "
      : "Number of suspicious labels by the label that is suggested and the " +
        "one that was given. ") +
      (few ? `Of each row the ${few} largest mix-ups are shown. ` : "") +
      "Select a cell to see its examples.";
    const size = names.length;
    if (size > TABLE_CLASSES) drawMatrix(); else tabulateMatrix();
    find("matrix-readout").textContent = "";
  }

  const cells = [];

  function tabulateMatrix() {
    const size = names.length;
    const box = find("matrix");
    box.classList.toggle("few", size <= FEW_CLASSES);
    box.classList.toggle("many", size > NUMBER_CLASSES);
    const longest = Math.max(...names.map((name) => name.length));
    box.classList.toggle("tall", size > FEW_CLASSES &&
      (longest > 5 || size > NUMBER_CLASSES));
    const top = element("tr", {}, element("td"),
      element("th", { scope: "colgroup", colspan: size, class: "axis" },
        "given label"));
    top.lastChild.style.writingMode = "horizontal-tb";
    top.lastChild.style.transform = "none";
    top.lastChild.style.textAlign = "center";
    const corner = element("tr", {},
      element("th", { class: "axis" }, rowWord));
    corner.firstChild.style.writingMode = "horizontal-tb";
    corner.firstChild.style.transform = "none";
    corner.firstChild.style.verticalAlign = "bottom";
    for (const name of names) {
      corner.append(element("th", { scope: "col", title: name }, name));
    }
    const body = element("tbody");
    for (let row = 0; row < size; row++) {
      const line = element("tr", {},
        element("th", { scope: "row", title: names[row] }, names[row]));
      for (let column = 0; column < size; column++) {
        const text = cellText(row, column);
        const button = element("button", {
          type: "button", "aria-label": text, title: text,
          "aria-pressed": "false", tabindex: cells.length ? -1 : 0,
        }, size <= NUMBER_CLASSES ? cellNumber(row, column) : "");
        button.style.setProperty("--share",
          `${Math.round(cellShare(row, column) * 100)}%`);
        const cell = element("td", row === column ? { class: "same" } : {},
          button);
        button.addEventListener("click", () => filterPair(column, row));
        button.addEventListener("focus", () => readCell(row, column));
        button.addEventListener("mouseenter", () => readCell(row, column));
        cells.push(button);
        line.append(cell);
      }
      body.append(line);
    }
    box.append(element("table", {}, element("caption",
      { class: "visually-hidden" },
      `${find("matrix-heading").textContent}: rows ${rowWord}, columns ` +
      "given label. Arrow keys go from cell to cell."),
    element("thead", {}, top, corner), body));
    box.addEventListener("keydown", (event) => {
      const at = cells.indexOf(event.target);
      const next = at < 0 ? null : moved(event.key, at, size);
      if (next === null) return;
      event.preventDefault();
      event.stopPropagation();
      cells[at].tabIndex = -1;
      cells[next].tabIndex = 0;
      cells[next].focus();
    });
  }

  // Where an arrow key leads to in a square of `size` by `size` places.
  function moved(key, at, size) {
    const [row, column] = [Math.floor(at / size), at % size];
    if (key === "ArrowRight") return column < size - 1 ? at + 1 : at;
    if (key === "ArrowLeft") return column > 0 ? at - 1 : at;
    if (key === "ArrowDown") return row < size - 1 ? at + size : at;
    if (key === "ArrowUp") return row > 0 ? at - size : at;
    return null;
  }

  const readCell = (row, column) => {
    find("matrix-readout").textContent = cellText(row, column);
  };

  function drawMatrix() {
    const size = names.length;
    const side = Math.max(2, Math.min(14, Math.floor(460 / size)));
    const canvas = element("canvas", {
      width: size * side, height: size * side, tabindex: 0, role: "application",
      "aria-label": `${find("matrix-heading").textContent}, ${size} classes. ` +
        "Arrow keys go from cell to cell, Enter shows the examples.",
    });
    let at = 0;
    let shown = false;
    const draw = () => {
      const style = getComputedStyle(document.documentElement);
      const pen = canvas.getContext("2d");
      pen.globalAlpha = 1;
      pen.fillStyle = style.getPropertyValue("--raised");
      pen.fillRect(0, 0, canvas.width, canvas.height);
      for (const [row, column] of data.matrix.entries) {
        pen.globalAlpha = cellShare(row, column);
        pen.fillStyle = style.getPropertyValue(
          row === column ? "--right" : "--wrong");
        pen.fillRect(column * side, row * side, side, side);
      }
      if (!shown) return;
      pen.globalAlpha = 1;
      pen.strokeStyle = style.getPropertyValue("--accent");
      pen.lineWidth = 2;
      pen.strokeRect((at % size) * side - 1, Math.floor(at / size) * side - 1,
        side + 2, side + 2);
    };
    const goTo = (place) => {
      if (shown && place === at) return;
      at = place;
      shown = true;
      draw();
      readCell(Math.floor(at / size), at % size);
    };
    canvas.addEventListener("mousemove", (event) => {
      const column = Math.floor(event.offsetX / side);
      const row = Math.floor(event.offsetY / side);
      if (row >= 0 && row < size && column >= 0 && column < size) {
        goTo(row * size + column);
      }
    });
    canvas.addEventListener("focus", () => goTo(at));
    canvas.addEventListener("click",
      () => filterPair(at % size, Math.floor(at / size)));
    canvas.addEventListener("keydown", (event) => {
      const next = moved(event.key, at, size);
      if (next !== null) {
        goTo(next);
        const box = find("matrix");
        box.scrollTop = Math.floor(at / size) * side - box.clientHeight / 2;
        box.scrollLeft = (at % size) * side - box.clientWidth / 2;
      } else if (event.key === "Enter") {
        filterPair(at % size, Math.floor(at / size));
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    find("matrix").classList.add("drawn");
    find("matrix").append(
      element("p", { class: "remark" }, `Rows: ${rowWord}, top to bottom. ` +
        "Columns: given label, left to right. The order is that of the " +
        "classes."), canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    draw();
  }

  // Histogram.

  function showHistogram() {
    const [plain, marked] = data.histogram;
    const words = data.truth ? ["label is right", "label is wrong"]
      : ["not suspicious", "suspicious"];
    ["plain", "marked"].forEach((kind, i) => {
      find("histogram-legend").append(element("li", {},
        element("i", { class: kind }), words[i]));
    });
    const totals = plain.map((value, i) => value + marked[i]);
    const filled = totals.filter((value) => value).sort((a, b) => a - b);
    const box = find("log-counts");
    box.checked = filled.length > 2 &&
      filled.at(-1) > 50 * filled[Math.floor(filled.length / 2)];
    box.addEventListener("change", () => drawHistogram(words, totals));
    drawHistogram(words, totals);
  }

  function drawHistogram(words, totals) {
    const [plain, marked] = data.histogram;
    const log = find("log-counts").checked;
    const [left, right, top, bottom] = [58, 550, 26, 276];
    const most = Math.max(1, ...(log ? [...plain, ...marked] : totals));
    const ticks = log ? powers(most) : steps(most);
    const end = ticks.at(-1);
    const height = (value) => (bottom - top) * (log
      ? (value ? (Math.log10(value) + 0.3) / (Math.log10(end) + 0.3) : 0)
      : value / end);
    const svg = find("histogram");
    svg.replaceChildren();
    const issues = counted(data.numIssues, "label is", "labels are");
    svg.setAttribute("aria-label", "Histogram of the scores. " +
      `${issues} suspicious of ${count(data.numLabels)}.`);
    for (const tick of ticks) {
      const y = bottom - height(tick);
      svg.append(shape("line", { x1: left, x2: right, y1: y, y2: y }),
        shape("text", { x: left - 6, y: y + 4, "text-anchor": "end" },
          count(tick)));
    }
    const width = (right - left) / totals.length;
    totals.forEach((_, i) => {
      const x = left + i * width;
      const bars = log
        ? [["plain", plain[i], 0, 0.5, 0], ["marked", marked[i], 0.5, 0.5, 0]]
        : [["plain", plain[i], 0, 1, 0], ["marked", marked[i], 0, 1, plain[i]]];
      for (const [kind, value, offset, share, below] of bars) {
        if (!value) continue;
        svg.append(shape("rect", {
          class: kind, x: x + 1 + offset * (width - 2),
          width: share * (width - 2), height: height(value),
          y: bottom - height(below) - height(value),
        }));
      }
      const area = shape("rect", { x, y: top, width, height: bottom - top,
        fill: "transparent" });
      area.append(shape("title", {},
        `${(i / totals.length).toFixed(2)} to ` +
        `${((i + 1) / totals.length).toFixed(2)}: ${count(plain[i])} ` +
        `${words[0]}, ${count(marked[i])} ${words[1]}`));
      svg.append(area);
    });
    svg.append(shape("line", { x1: left, x2: right, y1: bottom, y2: bottom }));
    for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
      svg.append(shape("text", { x: left + tick * (right - left),
        y: bottom + 17, "text-anchor": "middle" }, String(tick)));
    }
    svg.append(shape("text", { x: (left + right) / 2, y: bottom + 38,
      "text-anchor": "middle" }, "score"));
    if (data.threshold !== null) {
      const x = left + data.threshold * (right - left);
      const late = data.threshold > 0.6;
      svg.append(shape("line", { class: "threshold", x1: x, x2: x,
        y1: 6, y2: bottom }), shape("text", { class: "threshold-label",
        x: x + (late ? -6 : 6), y: 16, "text-anchor": late ? "end" : "start" },
      `suspicious from ${Number(data.threshold.toFixed(4))}`));
    }
  }

  function steps(most) {
    const raw = most / 4;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = Math.max(1,
      [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= raw));
    const ticks = [0];
    while (ticks.at(-1) < most) ticks.push(ticks.at(-1) + step);
    return ticks;
  }

  function powers(most) {
    const ticks = [1];
    while (ticks.at(-1) < most) ticks.push(ticks.at(-1) * 10);
    return ticks;
  }

  // Tables of classes and of pairs.

  function listTable(table, button, caption, heads, rows, makeRow, what) {
    const body = element("tbody");
    table.append(
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...heads.map(([text, kind]) =>
        element("th", { scope: "col", class: kind }, text)))),
      body);
    const show = (all) => {
      body.replaceChildren(...rows.slice(0, all ? rows.length : SHOWN_ROWS)
        .map(makeRow));
      button.textContent = all ? "Show fewer"
        : `Show ${count(rows.length)} ${what}`;
      button.setAttribute("aria-expanded", String(all));
    };
    button.hidden = rows.length <= SHOWN_ROWS;
    button.addEventListener("click",
      () => show(button.getAttribute("aria-expanded") !== "true"));
    show(false);
  }

  function link(text, label, action) {
    const button = element("button",
      { type: "button", class: "link", "aria-label": label }, text);
    button.addEventListener("click", action);
    return button;
  }

  function showClasses() {
    const rows = data.classes.filter((row) => row[5] > 0);
    const most = Math.max(0.01,
      ...rows.map(([, share, , high]) => high ?? share ?? 0));
    const noise = data.noise;
    find("classes-heading").textContent =
      `Labels that are most often ${noise ? "wrong" : "suspicious"}`;
    listTable(find("classes"), find("all-classes"), noise
      ? "Of the labels that read so, how many are wrong; the line is the " +
        `${noise.intervalName}.`
      : "Of the labels that read so, how many are suspicious.",
    [["Given label", ""], [noise ? "Wrong" : "Suspicious", "number"],
      ["", ""], [noise ? "Suspicious" : "Labels", "number"]],
    rows,
    ([label, share, low, high, found, labels]) => {
      const bar = element("div", { class: "bar" },
        setWidth(element("i"), (share ?? 0) / most));
      if (low !== null) {
        const line = setWidth(element("b"), (high - low) / most);
        line.style.left = `${(low / most) * 100}%`;
        bar.append(line);
        bar.title = range(low, high);
      }
      return element("tr", {},
        element("td", {}, link(names[label],
          `Show examples labelled ${names[label]}`,
          () => filterPair(label, null))),
        element("td", { class: "number" },
          share === null ? "–" : percent(share)),
        element("td", { class: "bar-cell" }, bar),
        element("td", { class: "number" },
          `${count(found)} of ${count(labels)}`));
    }, "labels");
  }

  function showPairs() {
    const most = data.pairs.length ? data.pairs[0][2] : 1;
    listTable(find("pairs"), find("all-pairs"),
      data.pairs.length ? "Suspicious labels by what they should be."
        : "No label is suspicious.",
      data.pairs.length
        ? [["Given", ""], ["Suggested", ""], ["", ""], ["Labels", "number"]]
        : [],
      data.pairs,
      ([given, suggested, found]) => element("tr", {},
        element("td", {}, link(names[given], `Show examples labelled ` +
          `${names[given]}, suggested ${names[suggested]}`,
        () => filterPair(given, suggested))),
        element("td", {}, names[suggested]),
        element("td", { class: "bar-cell" }, element("div", { class: "bar" },
          setWidth(element("i"), found / most))),
        element("td", { class: "number" }, count(found))), "mix-ups");
  }

  // Decisions.

  const decisions = new Int32Array(numRows).fill(UNDECIDED);
  const tally = { accepted: 0, rejected: 0 };
  const storageKey = `label-decisions-${data.key}`;
  const undoable = [];
  let saveTimer = 0;
  let unsaved = false;
  let kept = true;
  let changedSinceExport = false;

  const kindOf = (code) => code === UNDECIDED ? "undecided"
    : code === REJECTED ? "rejected" : "accepted";

  function assign(row, code) {
    const before = kindOf(decisions[row]);
    const after = kindOf(code);
    if (before !== "undecided") tally[before]--;
    if (after !== "undecided") tally[after]++;
    decisions[row] = code;
  }

  // Applies pairs of a row and its decision as one step that can be undone.
  function decide(changes, { remember = true } = {}) {
    const real = changes.filter(([row, code]) => decisions[row] !== code);
    if (remember && real.length) {
      undoable.push(real.map(([row]) => [row, decisions[row]]));
    }
    for (const [row, code] of real) assign(row, code);
    for (const [row] of real) if (shown.has(row)) updateCard(row);
    if (real.length) unsaved = changedSinceExport = true;
    showTally();
    find("refresh").hidden = find("decision").value === "any" || !real.length;
    clearTimeout(saveTimer);
    saveTimer = setTimeout(save, 200);
    return real.length;
  }

  function undo() {
    const changes = undoable.pop();
    if (!changes) return announce("Nothing to undo.");
    decide(changes, { remember: false });
    const card = shown.get(changes[0][0]);
    if (card) focusCard([...shown.keys()].indexOf(changes[0][0]));
    announce(`Undone: ${counted(changes.length, "decision", "decisions")}.`);
  }

  function showTally() {
    const decided = tally.accepted + tally.rejected;
    find("decision-counts").textContent =
      `${count(tally.accepted)} accepted · ${count(tally.rejected)} rejected ` +
      `· ${count(numRows - decided)} undecided`;
    find("export").disabled = decided === 0;
  }

  function save() {
    clearTimeout(saveTimer);
    if (!unsaved) return;
    unsaved = false;
    const pairs = [];
    decisions.forEach((code, row) => {
      if (code !== UNDECIDED) pairs.push(row, code);
    });
    try {
      if (pairs.length) localStorage.setItem(storageKey, JSON.stringify(pairs));
      else localStorage.removeItem(storageKey);
      kept = true;
    } catch {
      kept = false;
    }
    find("storage-notice").hidden = kept;
  }

  function restore() {
    try {
      const pairs = JSON.parse(localStorage.getItem(storageKey) ?? "[]");
      for (let i = 0; i + 1 < pairs.length; i += 2) {
        const [row, code] = [pairs[i], pairs[i + 1]];
        const known = Number.isInteger(code) && code >= REJECTED &&
          code < names.length;
        if (known && row in decisions) assign(row, code);
      }
    } catch {
      kept = false;
      find("storage-notice").hidden = false;
    }
  }

  // The same page in another window has changed the decisions.
  function follow() {
    for (let row = 0; row < numRows; row++) assign(row, UNDECIDED);
    restore();
    undoable.length = 0;
    showTally();
    for (const row of shown.keys()) updateCard(row);
  }

  // CSV as in RFC 4180.

  const quoted = (text) =>
    /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

  function exportDecisions() {
    const lines = ["id,decision,label"];
    decisions.forEach((code, row) => {
      if (code === UNDECIDED) return;
      const reject = code === REJECTED;
      const label = names[reject ? data.given[row] : code];
      lines.push([data.ids[row], reject ? "reject" : "accept", label]
        .map(quoted).join(","));
    });
    const blob = new Blob([`${lines.join("\r\n")}\r\n`],
      { type: "text/csv;charset=utf-8" });
    const anchor = element("a", { download: "decisions.csv",
      href: URL.createObjectURL(blob) });
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
    changedSinceExport = false;
    announce(`Exported ${counted(lines.length - 1, "decision", "decisions")}.`);
  }

  function parseCsv(text) {
    const rows = [];
    let row = [];
    let field = "";
    let inQuotes = false;
    const endRow = () => {
      row.push(field);
      if (row.length > 1 || row[0]) rows.push(row);
      row = [];
      field = "";
    };
    for (let i = 0; i < text.length; i++) {
      const character = text[i];
      if (inQuotes) {
        if (character !== '"') field += character;
        else if (text[i + 1] === '"') field += text[++i];
        else inQuotes = false;
      } else if (character === '"' && !field) inQuotes = true;
      else if (character === ",") {
        row.push(field);
        field = "";
      } else if (character === "\n") endRow();
      else if (character !== "\r" || text[i + 1] !== "\n") field += character;
    }
    endRow();
    return rows;
  }

  async function importDecisions(file) {
    const [head, ...rows] = parseCsv((await file.text()).replace(/^\ufeff/, ""));
    if (!head || head.join(",") !== "id,decision,label") {
      showMessage("This is not a file of decisions: its first line must be " +
        "id,decision,label. Nothing was imported.");
      return;
    }
    const rowOf = new Map(data.ids.map((id, row) => [id, row]));
    const classOf = new Map(names.map((name, label) => [name, label]));
    const changes = [];
    for (const [id, decision, label] of rows) {
      const row = rowOf.get(id);
      const code = decision === "reject" ? REJECTED
        : decision === "accept" ? classOf.get(label) : undefined;
      if (row !== undefined && code !== undefined) changes.push([row, code]);
    }
    decide(changes);
    const left = rows.length - changes.length;
    showMessage(
      `Imported ${counted(changes.length, "decision", "decisions")}.` +
      (left ? ` ${counted(left, "line", "lines")} left out: the id, the ` +
        "decision or the label is not known here." : ""));
  }

  function showMessage(text) {
    let box = find("message");
    if (!box) {
      box = element("p", { id: "message", class: "notice" });
      find("storage-notice").after(box);
    }
    box.textContent = text;
    announce(text);
  }

  // Filters and order. A view is the list of the rows that are shown.

  const orders = new Map();
  let view = new Int32Array(0);
  let page = 0;
  let current = 0; // The card on the page that the arrow keys start from.
  const shown = new Map(); // Cards on the page by their rows.
  const lowered = () => lowered.values ??= data.ids.map((id, row) =>
    (data.texts ? `${id}\n${data.texts[row]}` : id).toLowerCase());

  function ordered(name) {
    if (!orders.has(name)) {
      const rows = Int32Array.from({ length: numRows }, (_, row) => row);
      if (name === "score-up") rows.reverse();
      else if (name === "given" || name === "suggested") {
        const column = data[name];
        rows.sort((a, b) => column[a] - column[b] || a - b);
      } else if (name === "id-up") sortById(rows);
      else if (name === "id-down") {
        orders.set(name, ordered("id-up").slice().reverse());
        return orders.get(name);
      }
      orders.set(name, rows);
    }
    return orders.get(name);
  }

  function sortById(rows) {
    const numbers = data.ids.map(Number);
    if (data.ids.every((id, row) => id !== "" && !Number.isNaN(numbers[row]))) {
      rows.sort((a, b) => numbers[a] - numbers[b] || a - b);
      return;
    }
    const collator = new Intl.Collator("en", { numeric: true });
    rows.sort((a, b) => collator.compare(data.ids[a], data.ids[b]) || a - b);
  }

  function filtered() {
    const issuesOnly = find("show").value === "issues";
    const given = find("given").value === "" ? -1 : Number(find("given").value);
    const suggested = find("suggested").value === "" ? -1
      : Number(find("suggested").value);
    const decision = find("decision").value;
    const search = find("search").value.trim().toLowerCase();
    const words = search ? lowered() : null;
    const result = new Int32Array(numRows);
    let size = 0;
    for (const row of ordered(find("sort").value)) {
      if (issuesOnly && !data.isIssue[row]) continue;
      if (given >= 0 && data.given[row] !== given) continue;
      if (suggested >= 0 && data.suggested[row] !== suggested) continue;
      if (decision !== "any" && kindOf(decisions[row]) !== decision) continue;
      if (words && !words[row].includes(search)) continue;
      result[size++] = row;
    }
    return result.subarray(0, size);
  }

  function applyFilters() {
    view = filtered();
    find("refresh").hidden = true;
    showPage(0);
    const kind = find("show").value === "issues" ? "suspicious " : "";
    find("count").textContent =
      counted(view.length, `${kind}label`, `${kind}labels`);
    markMatrix();
    announce(`${counted(view.length, "label fits", "labels fit")}.`);
  }

  function markMatrix() {
    const [given, suggested] = [find("given").value, find("suggested").value];
    const chosen = given === "" || suggested === "" ? -1
      : Number(suggested) * names.length + Number(given);
    cells.forEach((cell, i) =>
      cell.setAttribute("aria-pressed", String(i === chosen)));
  }

  function filterPair(given, suggested) {
    find("filters").reset();
    find("show").value =
      given === suggested || !data.numIssues ? "all" : "issues";
    find("given").value = given;
    find("suggested").value = suggested ?? "";
    applyFilters();
    find("examples-heading").focus({ preventScroll: true });
    find("examples-heading").scrollIntoView();
  }

  // Pages of cards.

  const numPages = () => Math.max(1, Math.ceil(view.length / pageSize()));
  const firstOf = (number) => number * pageSize();

  function showPage(number, focus = false) {
    page = Math.min(Math.max(0, number), numPages() - 1);
    shown.clear();
    current = 0;
    const rows = view.subarray(firstOf(page), firstOf(page + 1));
    for (const row of rows) shown.set(row, makeCard(row));
    for (const row of rows) updateCard(row);
    find("cards").replaceChildren(...shown.values());
    if (rows.length) shown.get(rows[0]).tabIndex = 0;
    find("empty").hidden = view.length > 0;
    find("accept-all").disabled = rows.length === 0;
    for (const pager of document.querySelectorAll(".pager")) {
      const input = pager.querySelector(".page");
      input.value = page + 1;
      input.max = numPages();
      pager.querySelector(".num-pages").textContent = count(numPages());
      for (const [name, off] of [["first", page === 0],
        ["previous", page === 0], ["next", page === numPages() - 1],
        ["last", page === numPages() - 1]]) {
        pager.querySelector(`.${name}`).disabled = off;
      }
    }
    if (focus) {
      focusCard(0);
      announce(`Page ${page + 1} of ${numPages()}.`);
    }
  }

  function turnTo(number) {
    showPage(number);
    const top = find("cards").getBoundingClientRect().top;
    if (top < 0 || top > innerHeight) find("examples-heading").scrollIntoView();
    announce(`Page ${page + 1} of ${numPages()}.`);
  }

  function focusCard(index) {
    const cards = [...shown.values()];
    if (!cards.length) return;
    cards[current]?.setAttribute("tabindex", "-1");
    current = Math.min(Math.max(0, index), cards.length - 1);
    cards[current].tabIndex = 0;
    cards[current].focus();
  }

  function columnsOfGrid() {
    const cards = [...shown.values()];
    const wrapped = cards.findIndex(
      (card) => card.offsetTop > cards[0].offsetTop + 1);
    return wrapped < 0 ? cards.length : wrapped;
  }

  // One card.

  const sheets = new Map();
  const tiles = data.tiles;

  function sheet(number) {
    if (!sheets.has(number)) {
      const image = new Image();
      image.src = find(`sheet-${number}`).textContent;
      sheets.set(number, image.decode().then(() => image));
    }
    return sheets.get(number);
  }

  // A picture whose longer side has about so many pixels of the page.
  function pictureOf(row, side) {
    const canvas = element("canvas", { width: tiles.width,
      height: tiles.height, role: "img", "aria-label": "Image" });
    const longest = Math.max(tiles.width, tiles.height);
    const scale = tiles.pixelated ? Math.max(1, Math.floor(side / longest))
      : side / longest;
    canvas.style.width = `${tiles.width * scale}px`;
    canvas.style.height = `${tiles.height * scale}px`;
    const place = row % tiles.perSheet;
    const x = (place % tiles.columns) * tiles.columnStep;
    const y = Math.floor(place / tiles.columns) * tiles.rowStep;
    sheet(Math.floor(row / tiles.perSheet)).then((image) => {
      canvas.getContext("2d").drawImage(image, x, y, tiles.width, tiles.height,
        0, 0, tiles.width, tiles.height);
      canvas.dataset.drawn = "true";
    });
    return canvas;
  }

  function makePicture(row) {
    if (row >= tiles.count) {
      return element("div", { class: "picture" }, "image not in this page");
    }
    const button = element("button", { type: "button",
      class: tiles.pixelated ? "picture pixelated" : "picture",
      "aria-label": `Enlarge the image of ${data.ids[row]}`,
      title: "Enlarge (Z)" }, pictureOf(row, BOX));
    button.addEventListener("click", () => enlarge(row));
    return button;
  }

  function enlarge(row) {
    if (!tiles || row >= tiles.count) return;
    const side = Math.min(innerWidth - 64, innerHeight - 230, 720);
    const box = find("enlarged-image");
    box.classList.toggle("pixelated", tiles.pixelated);
    box.replaceChildren(pictureOf(row, side));
    find("enlarged-heading").textContent = data.ids[row];
    find("enlarged-labels").textContent =
      `Given ${names[data.given[row]]}, suggested ` +
      `${names[data.suggested[row]]}`;
    find("enlarged").showModal();
  }

  function labelLine(name, value, kind = "") {
    return element("div", { class: kind }, element("dt", {}, name),
      value instanceof Node ? element("dd", {}, value)
        : element("dd", {}, element("span", { class: "name", title: value },
          value)));
  }

  function makeLabels(row) {
    const score = data.scores[row];
    const list = element("dl", { class: "labels" },
      labelLine("Given label", names[data.given[row]], "given"),
      labelLine("Suggested label", names[data.suggested[row]], "suggested"));
    if (data.clean) {
      const clean = data.clean[row];
      const verdict = clean === data.given[row] ? "label is right"
        : clean === data.suggested[row] ? "suggestion is right"
          : "neither is right";
      list.append(labelLine("True label", `${names[clean]} (${verdict})`,
        "small true"));
    }
    const bar = element("span", { class: "bar" }, setWidth(element("i"), score));
    const line = labelLine("Score", score.toFixed(4), "small score");
    line.lastChild.append(bar);
    list.append(labelLine("Id", data.ids[row], "small id"), line);
    const odds = logOdds?.[row] ?? null;
    if (odds !== null) {
      list.append(labelLine("Log odds",
        `${odds < 0 ? "−" : "+"}${Math.abs(odds).toFixed(2)}`, "small odds"));
    }
    return list;
  }

  function makeChoice(row) {
    const select = element("select", { class: "other" });
    const fill = () => {
      if (select.options.length > 1) return;
      names.forEach((name, label) =>
        select.append(element("option", { value: label }, name)));
    };
    select.append(element("option", { value: "" }, "choose…"));
    // Many classes on many cards are many options: they wait to be needed.
    if (names.length <= NUMBER_CLASSES) fill();
    for (const event of ["focus", "pointerdown", "keydown"]) {
      select.addEventListener(event, fill);
    }
    select.addEventListener("change", () => {
      if (select.value === "") decideOne(row, UNDECIDED);
      else {
        const label = Number(select.value);
        decideOne(row, label === data.given[row] ? REJECTED : label);
      }
    });
    return element("label", { class: "choice" }, "Other label", select);
  }

  function makeDetails(row) {
    const list = element("dl");
    for (const [name, column] of data.details) {
      if (column === logOdds) continue;
      list.append(element("dt", {}, name),
        element("dd", {}, column[row] === null ? "–" : String(column[row])));
    }
    return element("details", {}, element("summary", {}, "Details"), list);
  }

  function makeCard(row) {
    const card = element("li", { class: "card", tabindex: -1,
      "data-row": row });
    if (tiles) card.append(makePicture(row));
    card.append(makeLabels(row));
    if (data.texts) {
      card.append(element("p", { class: "text" }, data.texts[row]));
    }
    const accept = element("button", { type: "button", class: "accept",
      title: "Change the label to the suggested one (A)" }, "Accept");
    const reject = element("button", { type: "button", class: "reject",
      title: "Keep the given label (R)" }, "Reject");
    accept.addEventListener("click", () => decideOne(row,
      kindOf(decisions[row]) === "accepted" ? UNDECIDED : data.suggested[row]));
    reject.addEventListener("click", () => decideOne(row,
      decisions[row] === REJECTED ? UNDECIDED : REJECTED));
    card.append(element("div", { class: "actions" }, accept, reject),
      makeChoice(row));
    if (data.details.length) card.append(makeDetails(row));
    return card;
  }

  function updateCard(row) {
    const card = shown.get(row);
    const code = decisions[row];
    const kind = kindOf(code);
    card.classList.toggle("accepted", kind === "accepted");
    card.classList.toggle("rejected", kind === "rejected");
    const accept = card.querySelector(".accept");
    const reject = card.querySelector(".reject");
    accept.setAttribute("aria-pressed", String(kind === "accepted"));
    reject.setAttribute("aria-pressed", String(kind === "rejected"));
    accept.textContent = kind === "accepted" ? "Accepted" : "Accept";
    reject.textContent = kind === "rejected" ? "Rejected" : "Reject";
    const select = card.querySelector(".other");
    const other = kind === "accepted" && code !== data.suggested[row];
    if (other && select.options.length === 1) {
      select.dispatchEvent(new Event("focus"));
    }
    select.value = other ? String(code) : "";
    const image = card.querySelector("canvas") ? "image, " : "";
    card.setAttribute("aria-label", `Example ${data.ids[row]}, ${image}given ` +
      `${names[data.given[row]]}, suggested ${names[data.suggested[row]]}, ` +
      `score ${data.scores[row].toFixed(4)}, ${stateText(row)}`);
  }

  function stateText(row) {
    const code = decisions[row];
    if (code === UNDECIDED) return "undecided";
    return code === REJECTED ? `rejected: stays ${names[data.given[row]]}`
      : `accepted: becomes ${names[code]}`;
  }

  function decideOne(row, code) {
    decide([[row, code]]);
    announce(`${data.ids[row]}: ${stateText(row)}.`);
  }

  // Events.

  function bindPages() {
    for (const pager of document.querySelectorAll(".pager")) {
      const on = (name, action) =>
        pager.querySelector(`.${name}`).addEventListener("click", action);
      on("first", () => turnTo(0));
      on("previous", () => turnTo(page - 1));
      on("next", () => turnTo(page + 1));
      on("last", () => turnTo(numPages() - 1));
      const input = pager.querySelector(".page");
      input.addEventListener("change",
        () => turnTo(Math.round(Number(input.value) || 1) - 1));
    }
  }

  function bindFilters() {
    const form = find("filters");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("change", (event) => {
      if (event.target !== find("search")) applyFilters();
    });
    find("search").addEventListener("input", applyFilters);
    form.addEventListener("reset", () => setTimeout(() => {
      find("show").value = data.numIssues ? "issues" : "all";
      applyFilters();
    }));
    find("refresh").addEventListener("click", applyFilters);
  }

  function bindDecisions() {
    find("accept-all").addEventListener("click", () => {
      const open = [...shown.keys()].filter(
        (row) => decisions[row] === UNDECIDED);
      decide(open.map((row) => [row, data.suggested[row]]));
      announce(`Accepted ${counted(open.length, "suggestion", "suggestions")}` +
        ". Press U to undo.");
    });
    find("export").addEventListener("click", exportDecisions);
    find("import").addEventListener("change", async (event) => {
      const [file] = event.target.files;
      if (file) await importDecisions(file);
      event.target.value = "";
    });
    addEventListener("storage", (event) => {
      if (event.key === storageKey || event.key === null) follow();
    });
    addEventListener("pagehide", save);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) save();
    });
    addEventListener("beforeunload", (event) => {
      save();
      if (!kept && changedSinceExport) event.preventDefault();
    });
  }

  function onKey(event) {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (find("help").open || find("enlarged").open || target.closest("input, select, textarea")) return;
    const card = target.closest(".card");
    const action = {
      "?": () => find("help").showModal(),
      n: () => page < numPages() - 1 && showPage(page + 1, true),
      p: () => page > 0 && showPage(page - 1, true),
      u: undo,
      a: () => decideByKey(card, (row) => data.suggested[row]),
      r: () => decideByKey(card, () => REJECTED),
      z: () => card && enlarge(Number(card.dataset.row)),
      ...(card && {
        ArrowRight: () => focusCard(current + 1),
        ArrowLeft: () => focusCard(current - 1),
        ArrowDown: () => focusCard(current + columnsOfGrid()),
        ArrowUp: () => focusCard(current - columnsOfGrid()),
      }),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  function decideByKey(card, code) {
    if (!card) return focusCard(current);
    const row = Number(card.dataset.row);
    decideOne(row, code(row));
    focusCard([...shown.keys()].indexOf(row) + 1);
  }

  function fillClassFilters() {
    for (const id of ["given", "suggested"]) {
      find(id).append(element("option", { value: "" }, "Any"));
      names.forEach((name, label) =>
        find(id).append(element("option", { value: label }, name)));
    }
  }

  function start() {
    showHead();
    showMatrix();
    showHistogram();
    showClasses();
    showPairs();
    fillClassFilters();
    restore();
    showTally();
    find("cards").classList.toggle("rows", !tiles);
    find("cards").classList.toggle("bare", !tiles && !data.texts);
    if (data.texts) find("search-label").textContent = "Search by id or text";
    bindPages();
    bindFilters();
    bindDecisions();
    find("help-button").addEventListener("click",
      () => find("help").showModal());
    find("cards").addEventListener("focusin", (event) => {
      const card = event.target.closest(".card");
      const index = [...shown.values()].indexOf(card);
      if (index < 0 || index === current) return;
      [...shown.values()][current]?.setAttribute("tabindex", "-1");
      current = index;
      card.tabIndex = 0;
    });
    document.addEventListener("keydown", onKey);
    // A click beside the enlarged image closes it, as Escape does.
    find("enlarged").addEventListener("click", (event) => {
      if (event.target === find("enlarged")) find("enlarged").close();
    });
    let size = pageSize();
    narrow.addEventListener("change", () => {
      const first = page * size;
      size = pageSize();
      showPage(Math.floor(first / size));
    });
    find("show").value = data.numIssues ? "issues" : "all";
    applyFilters();
  }

  start();
})();
